//! What visitors will ask for: conversations counted by the shop's days, forecast, compared with
//! the stock, and by the hour for those who answer. Pure.
//!
//! A conversation that names a product counts whether the product is there or not, so an empty
//! shelf hides no demand here as it does in sales.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::book::Entry;
use crate::calendar::{self, Calendar};
use crate::catalogue::goods::Goods;
use crate::forecast::spread::{Kept, PERIODS};
use crate::forecast::{self, Band, Forecasts, HORIZON, Held, MIN_DAYS, Panel, stock};
use crate::language::topics::Topic;

/// Conversations below which nothing is said of a subject: no group under five.
pub const LEAST: usize = 5;
/// Days of history that count; older conversations are not looked at. A table of counts is read
/// whole.
const MAX_DAYS: i64 = 730;
/// Days of history that a line shows.
const SHOWN: usize = 90;
/// Subjects of a kind that are forecast, the most asked about.
const MOST: usize = 2_000;
/// Lines of the overview: classes and products.
const TOP: usize = 8;
/// Weeks that the hours of the day are learned from.
const HOURS_WEEKS: usize = 8;
/// How many conversations the whole week's hours are worth against a weekday's own.
const HOURS_PRIOR: f64 = 20.0;
/// Conversations named behind a surge.
const BEHIND: usize = 20;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    All,
    Topic,
    Class,
    Product,
}

/// One thing that conversations are about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub struct Subject {
    pub kind: Kind,
    /// Empty for all conversations.
    pub id: String,
    pub name: String,
}

impl Subject {
    /// As `of` names it: `all`, `topic:delivery`, `class:…`, `product:HP-1011`.
    #[must_use]
    pub fn key(&self) -> String {
        match self.kind {
            Kind::All => "all".into(),
            Kind::Topic => format!("topic:{}", self.id),
            Kind::Class => format!("class:{}", self.id),
            Kind::Product => format!("product:{}", self.id),
        }
    }
}

/// Forecasts of a site.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Report {
    /// The shop's day now; it isn't over, so it is forecast and not counted.
    pub today: String,
    pub time_zone: String,
    /// The first day that is counted; none without a conversation.
    pub first: Option<String>,
    /// Days that are counted, and needed before anything is forecast.
    pub days: usize,
    pub days_needed: usize,
    pub lines: Vec<Line>,
    /// When conversations of all kinds begin, for the next seven days.
    pub hours: Vec<Hours>,
    /// Everything that can be asked for by `of`, with its conversations.
    pub subjects: Vec<Known>,
}

/// A subject and its conversations in the days counted.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Known {
    pub of: String,
    pub name: String,
    pub conversations: usize,
}

/// One subject's forecast.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Line {
    pub of: String,
    #[serde(flatten)]
    pub subject: Subject,
    /// The first day of `history`.
    pub from: String,
    pub history: Vec<f64>,
    pub days: Vec<Day>,
    pub totals: Vec<Total>,
    /// How well bands of this kind held in the past, made from what was known before.
    pub held: Held,
    pub surge: Option<Surge>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Day {
    pub date: String,
    pub closed: bool,
    #[serde(flatten)]
    pub band: Band,
}

/// The next so many days together.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Total {
    pub days: usize,
    #[serde(flatten)]
    pub band: Band,
}

/// The last seven days had more than the forecast made before them allowed for.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Surge {
    pub seen: f64,
    #[serde(flatten)]
    pub band: Band,
    /// The newest conversations behind it, at most `BEHIND`.
    pub sessions: Vec<String>,
}

/// Conversations expected to begin in each hour of a day.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Hours {
    pub date: String,
    pub hours: Vec<f64>,
}

/// A product that may run out.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct StockOut {
    pub id: String,
    pub name: String,
    /// Pieces of all variants.
    pub stock: u64,
    /// Conversations that will ask for it within 14 days.
    #[serde(flatten)]
    pub band: Band,
    /// The chance that more of them ask for it than there are pieces, within 7, 14 and 28 days.
    pub chance: [f64; PERIODS.len()],
    /// When the expected conversations have used it up; none within 28 days.
    pub empty_on: Option<String>,
    /// Conversations of the last 28 days that asked for it.
    pub asked: usize,
}

/// Counted conversations of one kind.
struct Counted {
    subjects: Vec<Subject>,
    panel: Panel,
}

/// A site's conversations by the shop's days.
pub struct Demand {
    calendar: Calendar,
    today: i64,
    first: Option<i64>,
    entries: Vec<(i64, usize, Arc<Entry>)>,
    kinds: BTreeMap<Kind, (Counted, Option<Forecasts>)>,
}

impl Demand {
    /// Counts and forecasts; today, which isn't over, is left out. `whole` is false if older
    /// conversations exist that aren't among the entries: then the first day is left out, too.
    #[must_use]
    pub fn of(
        entries: &[Arc<Entry>],
        goods: &Goods,
        calendar: &Calendar,
        now_ms: u64,
        whole: bool,
    ) -> Self {
        let today = calendar.day(now_ms);
        let dated = entries.iter().map(|entry| {
            let (day, hour) = calendar.day_and_hour(entry.state.started_at_ms);
            (day, hour, entry.clone())
        });
        let mut dated: Vec<_> = dated.filter(|(day, ..)| *day < today).collect();
        let oldest =
            dated.iter().map(|(day, ..)| *day).min().map(|day| if whole { day } else { day + 1 });
        let first = oldest.map(|day| day.max(today - MAX_DAYS));
        dated.retain(|(day, ..)| first.is_some_and(|first| *day >= first));
        let first = first.filter(|_| !dated.is_empty());
        let mut demand = Self {
            calendar: calendar.clone(),
            today,
            first,
            entries: dated,
            kinds: BTreeMap::new(),
        };
        for kind in [Kind::All, Kind::Topic, Kind::Class, Kind::Product] {
            if let Some(counted) = demand.counted(kind, goods) {
                let made = forecast::forecast(&counted.panel);
                demand.kinds.insert(kind, (counted, made));
            }
        }
        demand
    }

    fn counted(&self, kind: Kind, goods: &Goods) -> Option<Counted> {
        let first = self.first?;
        let length = usize::try_from(self.today - first).ok()?;
        let mut rows: HashMap<String, Vec<f64>> = HashMap::new();
        for (day, _, entry) in &self.entries {
            let at = usize::try_from(day - first).unwrap_or(0);
            for id in subjects(kind, entry) {
                if let Some(count) = rows.entry(id).or_insert_with(|| vec![0.0; length]).get_mut(at)
                {
                    *count += 1.0;
                }
            }
        }
        let least = if kind == Kind::All { 1.0 } else { LEAST as f64 };
        let sum = |days: &[f64]| days.iter().sum::<f64>();
        let mut rows: Vec<_> = rows.into_iter().filter(|(_, days)| sum(days) >= least).collect();
        rows.sort_by(|a, b| sum(&b.1).total_cmp(&sum(&a.1)).then_with(|| a.0.cmp(&b.0)));
        rows.truncate(MOST);
        let named = |id: &String| match kind {
            Kind::Product => {
                goods.product(id).map_or_else(|| id.clone(), |product| product.name.clone())
            }
            _ => id.clone(),
        };
        let subjects =
            rows.iter().map(|(id, _)| Subject { kind, id: id.clone(), name: named(id) }).collect();
        let closed =
            (first..self.today + HORIZON as i64).map(|day| self.calendar.is_closed(day)).collect();
        let series = rows.into_iter().map(|(_, days)| days).collect();
        Some(Counted { subjects, panel: Panel { first_day: first, series, closed } })
    }

    /// The forecast of what `of` names, or of what is asked about most.
    #[must_use]
    pub fn report(&self, of: Option<&str>, days: usize) -> Report {
        let kinds = self.kinds.values();
        let subjects = kinds.clone().flat_map(|(counted, _)| {
            counted.subjects.iter().zip(&counted.panel.series).map(|(subject, series)| Known {
                of: subject.key(),
                name: subject.name.clone(),
                conversations: series.iter().sum::<f64>() as usize,
            })
        });
        let days = days.clamp(1, HORIZON);
        let mut lines = Vec::new();
        for (kind, (counted, made)) in &self.kinds {
            let Some(made) = made else { continue };
            let wanted = |at: &usize| match of {
                Some(of) => counted.subjects[*at].key() == of,
                None => *at < if *kind == Kind::Topic { Topic::ALL.len() } else { TOP },
            };
            let chosen: Vec<usize> = (0..counted.subjects.len()).filter(wanted).collect();
            if chosen.is_empty() {
                continue;
            }
            // What was expected a week ago, to be compared with the days since.
            let before = counted.panel.len().checked_sub(7).map(|known| counted.panel.until(known));
            let before = before.and_then(|panel| forecast::forecast(&panel));
            lines.extend(
                chosen.into_iter().map(|at| self.line(counted, made, before.as_ref(), at, days)),
            );
        }
        Report {
            today: calendar::iso(self.today),
            time_zone: self.calendar.time_zone().to_owned(),
            first: self.first.map(calendar::iso),
            days: self.first.map_or(0, |first| usize::try_from(self.today - first).unwrap_or(0)),
            days_needed: MIN_DAYS,
            lines,
            hours: self.hours(),
            subjects: subjects.collect(),
        }
    }

    fn line(
        &self,
        counted: &Counted,
        made: &Forecasts,
        before: Option<&Forecasts>,
        at: usize,
        days: usize,
    ) -> Line {
        let (subject, series) = (&counted.subjects[at], &counted.panel.series[at]);
        let shown = series.len().min(SHOWN);
        let outlook = &made.outlooks[at];
        let day = |(ahead, band): (usize, &Band)| {
            let day = self.today + ahead as i64;
            Day { date: calendar::iso(day), closed: self.calendar.is_closed(day), band: *band }
        };
        let total = |days: usize| {
            let expected = outlook.days[..days].iter().map(|day| day.expected).sum();
            Total { days, band: made.errors.band(Kept::Period(days), expected, outlook.scale) }
        };
        Line {
            of: subject.key(),
            subject: subject.clone(),
            from: calendar::iso(self.today - shown as i64),
            history: series[series.len() - shown..].to_vec(),
            days: outlook.days.iter().enumerate().take(days).map(day).collect(),
            totals: PERIODS
                .into_iter()
                .filter(|period| *period <= days.max(PERIODS[0]))
                .map(total)
                .collect(),
            held: made.held,
            surge: before.and_then(|before| self.surge(subject, series, before, at)),
        }
    }

    fn surge(
        &self,
        subject: &Subject,
        series: &[f64],
        before: &Forecasts,
        at: usize,
    ) -> Option<Surge> {
        let outlook = before.outlooks.get(at)?;
        let seen: f64 = series[series.len() - 7..].iter().sum();
        let expected = outlook.days[..7].iter().map(|day| day.expected).sum();
        let band = before.errors.band(Kept::Period(7), expected, outlook.scale);
        if seen < LEAST as f64 || seen <= band.band95[1] {
            return None;
        }
        let behind = |(day, _, entry): &&(i64, usize, Arc<Entry>)| {
            *day >= self.today - 7 && subjects(subject.kind, entry).contains(&subject.id)
        };
        let mut sessions: Vec<_> = self.entries.iter().filter(behind).collect();
        sessions.sort_by_key(|(_, _, entry)| std::cmp::Reverse(entry.state.started_at_ms));
        let sessions =
            sessions.into_iter().take(BEHIND).map(|(_, _, entry)| entry.id.clone()).collect();
        Some(Surge { seen, band, sessions })
    }

    /// The days' expected conversations, spread over the hours as those of the last weeks were: a
    /// weekday's own hours, drawn to the whole week's.
    fn hours(&self) -> Vec<Hours> {
        let Some((_, Some(made))) = self.kinds.get(&Kind::All) else { return Vec::new() };
        let Some(outlook) = made.outlooks.first() else { return Vec::new() };
        let mut counts = [[0.0_f64; 24]; 7];
        let weekday = |day: i64| usize::try_from((day + 3).rem_euclid(7)).unwrap_or(0);
        let since = self.today - (7 * HOURS_WEEKS) as i64;
        for (day, hour, _) in self.entries.iter().filter(|(day, ..)| *day >= since) {
            counts[weekday(*day)][*hour] += 1.0;
        }
        let all: [f64; 24] = std::array::from_fn(|hour| counts.iter().map(|day| day[hour]).sum());
        let sum = all.iter().sum::<f64>();
        let of = |(ahead, band): (usize, &Band)| {
            let day = self.today + ahead as i64;
            let own = &counts[weekday(day)];
            let most = own.iter().sum::<f64>() + HOURS_PRIOR;
            let share = |hour: usize| {
                let usual = if sum > 0.0 { all[hour] / sum } else { 1.0 / 24.0 };
                (own[hour] + HOURS_PRIOR * usual) / most
            };
            let hours = (0..24).map(|hour| band.expected * share(hour)).collect();
            Hours { date: calendar::iso(day), hours }
        };
        outlook.days.iter().take(7).enumerate().map(of).collect()
    }

    /// The products that run out within 14 days with at least this chance, the likeliest first.
    #[must_use]
    pub fn stock_outs(&self, stock: &HashMap<String, u64>, least: f64) -> Vec<StockOut> {
        let Some((counted, Some(made))) = self.kinds.get(&Kind::Product) else { return Vec::new() };
        let of = |(at, subject): (usize, &Subject)| {
            let pieces = *stock.get(&subject.id)?;
            let found = stock::runs_out(made, at, pieces as f64, 1.0)?;
            let outlook = &made.outlooks[at];
            let expected = outlook.days[..14].iter().map(|day| day.expected).sum();
            let series = &counted.panel.series[at];
            (found.chance[1] >= least).then(|| StockOut {
                id: subject.id.clone(),
                name: subject.name.clone(),
                stock: pieces,
                band: made.errors.band(Kept::Period(14), expected, outlook.scale),
                chance: found.chance,
                empty_on: found.empty_after.map(|ahead| calendar::iso(self.today + ahead as i64)),
                asked: series[series.len().saturating_sub(28)..].iter().sum::<f64>() as usize,
            })
        };
        let mut found: Vec<StockOut> = counted.subjects.iter().enumerate().filter_map(of).collect();
        found.sort_by(|a, b| b.chance[1].total_cmp(&a.chance[1]).then_with(|| a.id.cmp(&b.id)));
        found
    }
}

/// What a conversation is about, of one kind.
fn subjects(kind: Kind, entry: &Entry) -> Vec<String> {
    match kind {
        Kind::All => vec![String::new()],
        Kind::Topic => {
            let asked = Topic::ALL.iter().zip(entry.state.topics).filter(|(_, count)| *count > 0);
            asked.map(|(topic, _)| topic.name().to_owned()).collect()
        }
        Kind::Class => entry.classes.iter().cloned().collect(),
        Kind::Product => entry.state.products.keys().cloned().collect(),
    }
}

/// The pieces in stock of each product, all variants together, by the product's id; products whose
/// rows give no number are absent.
pub fn stock_of<'a>(
    rows: impl Iterator<Item = (&'a str, Option<u64>)>,
    goods: &Goods,
) -> HashMap<String, u64> {
    let mut stock: HashMap<String, u64> = HashMap::new();
    for (id, pieces) in rows {
        if let (Some(product), Some(pieces)) = (goods.product(id), pieces) {
            *stock.entry(product.id.clone()).or_default() += pieces;
        }
    }
    stock
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::State;

    const DAY_MS: u64 = 86_400_000;

    fn entry(id: u64, day: u64, product: Option<&str>) -> Arc<Entry> {
        let mut state = State { started_at_ms: day * DAY_MS + 10 * 3_600_000, ..State::default() };
        if let Some(product) = product {
            state.products.insert(product.into(), 1);
        }
        Arc::new(Entry::new(format!("s{id}"), state, 0.0))
    }

    /// Five conversations a day, two on a product, over eight weeks from day 20,000 on.
    fn shop(extra: impl Iterator<Item = Arc<Entry>>) -> Demand {
        let daily = (0..56 * 5).map(|n| entry(n, 20_000 + n / 5, (n % 5 < 2).then_some("P")));
        let entries: Vec<_> = daily.chain(extra).collect();
        let now_ms = (20_000 + 56) * DAY_MS + 9 * 3_600_000;
        Demand::of(&entries, &Goods::default(), &Calendar::default(), now_ms, true)
    }

    #[test]
    fn today_is_forecast_and_not_counted() {
        let today = (0..3).map(|n| entry(1_000 + n, 20_056, Some("P")));
        let report = shop(today).report(None, 14);
        let all = &report.lines[0];
        assert_eq!(
            (all.of.as_str(), all.history.len(), all.history.last()),
            ("all", 56, Some(&5.0))
        );
        assert_eq!(all.days[0].date, report.today);
        assert!((all.days[0].band.expected - 5.0).abs() < 0.2, "{all:?}");
        assert_eq!(all.totals.iter().map(|total| total.days).collect::<Vec<_>>(), [7, 14]);
        let busiest =
            report.hours[0].hours.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
        assert_eq!(busiest, 10);
    }

    #[test]
    fn a_surge_names_its_conversations_and_few_are_no_group() {
        let more = (0..40).map(|n| entry(2_000 + n, 20_050 + n % 6, Some("P")));
        let few = (0..4).map(|n| entry(3_000 + n, 20_050, Some("Q")));
        let report = shop(more.chain(few)).report(Some("product:P"), 28);
        let surge = report.lines[0].surge.as_ref().expect("three times the usual");
        assert!(surge.seen > surge.band.band95[1] && surge.sessions.len() == BEHIND);
        assert!(
            report.subjects.iter().all(|known| known.of != "product:Q"),
            "{:?}",
            report.subjects
        );
        assert!(shop(std::iter::empty()).report(Some("product:P"), 7).lines[0].surge.is_none());
    }

    #[test]
    fn a_small_stock_runs_out_and_a_large_one_does_not() {
        let stock = |pieces| HashMap::from([("P".to_owned(), pieces)]);
        let demand = shop(std::iter::empty());
        let [found] = &demand.stock_outs(&stock(9), 0.5)[..] else {
            panic!("28 are asked for in 14 days")
        };
        assert!(
            found.chance[1] > 0.9 && found.empty_on.as_deref() == Some("2024-12-03"),
            "{found:?}"
        );
        assert!(demand.stock_outs(&stock(200), 0.1).is_empty());
    }
}
