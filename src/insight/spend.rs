//! What campaigns cost and bring, and where the next week's money goes. Pure; randomness is passed
//! in.
//!
//! Nobody's own claims are added up: orders are those reported of conversations that came by the
//! campaign's links. No figure stands without its interval, and where the best campaign isn't told
//! from the next one, that is what is said, with the weeks it would take.

use std::collections::BTreeMap;

use rand::Rng;
use serde::Serialize;

use super::thompson::{self, COMPARED, PRIOR, Seen};
use crate::calendar;

pub mod came;
mod headings;
pub mod replay;
pub mod table;

/// Draws that chances and intervals are made of.
const DRAWS: usize = 4_000;
/// Conversations and orders below which nothing is said of a campaign: no group under five.
pub const LEAST: usize = 5;
/// A campaign is called the best from this chance on.
const SURE: f64 = 0.95;
/// Weeks beyond which "more than a year" is said.
const MOST_WEEKS: f64 = 52.0;
/// The normal quantile of [`SURE`], one-sided.
const SURE_Z: f64 = 1.645;

/// Money spent on a campaign on a day, or in a span of days that the platform gives as one.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub campaign: String,
    pub first: i64,
    /// The same as `first` for a day.
    pub last: i64,
    /// 0 or more.
    pub amount: f64,
    /// ISO 4217.
    pub currency: String,
}

/// What came of a campaign from its first day with spend to the table's last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Came {
    pub conversations: usize,
    /// The orders' amounts in the spend's currency, 0 or more.
    pub orders: Vec<f64>,
    /// What was paid back, above 0 each.
    pub refunds: Vec<f64>,
}

impl Came {
    /// What orders brought and wasn't paid back.
    fn kept(&self) -> f64 {
        self.orders.iter().sum::<f64>() - self.refunds.iter().sum::<f64>()
    }
}

/// A figure with its 95% interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figure {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

/// One campaign.
#[derive(Clone, Debug, Serialize)]
pub struct Campaign {
    pub name: String,
    pub spent: f64,
    /// Conversations and orders; none for 1 to 4 of them.
    pub conversations: Option<usize>,
    pub orders: Option<usize>,
    /// None below five of what is divided by.
    pub cost_per_conversation: Option<Figure>,
    pub cost_per_order: Option<Figure>,
    /// What orders brought, less refunds, for each unit spent.
    pub back: Option<Figure>,
    /// How likely it brings the most back.
    pub best: f64,
    pub share_now: f64,
    pub share_next: f64,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// This one brings the most back, with at least 95%.
    Best { campaign: String },
    /// It can't be told yet; about so many more weeks at this pace would, `None` for more than a
    /// year.
    CannotTell { weeks: Option<u32> },
    /// Orders are too few to compare anything: fewer than five of any campaign.
    TooFew,
    /// There is one campaign only.
    Alone,
}

/// The advice for the next week.
#[derive(Clone, Debug, Serialize)]
pub struct Advice {
    pub currency: String,
    pub from: String,
    pub to: String,
    pub campaigns: Vec<Campaign>,
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// How far a week's split may go.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The least share of a campaign.
    pub floor: f64,
    /// The most that a share moves in a week.
    pub step: f64,
}

/// Draws of what a campaign brings back for each unit spent: the orders' rate by its gamma
/// posterior, times the mean of a Bayesian bootstrap of their amounts (Rubin, 1981). The prior is
/// `prior` orders of the common amount and rate. Refunds are lost money with a bootstrap of their
/// own: they may be of orders that came earlier.
fn backs<R: Rng>(
    spent: f64,
    came: &Came,
    rate: f64,
    usual: f64,
    prior: usize,
    random: &mut R,
) -> Vec<f64> {
    let seen = Seen { events: came.orders.len() as f64, exposure: spent };
    let weight = |random: &mut R| -(1.0 - random.random::<f64>()).ln();
    let draw = |random: &mut R| {
        let (mut sum, mut weights) = (0.0, 0.0);
        for amount in came.orders.iter().chain(std::iter::repeat_n(&usual, prior)) {
            let weight = weight(&mut *random);
            sum += weight * amount;
            weights += weight;
        }
        let lost: f64 = came.refunds.iter().map(|amount| amount * weight(&mut *random)).sum();
        seen.draw(rate, prior, random) * sum / weights - lost / spent
    };
    (0..DRAWS).map(|_| draw(&mut *random)).collect()
}

/// The 95% interval of sorted draws around a value.
fn interval(value: f64, mut draws: Vec<f64>) -> Figure {
    draws.sort_by(f64::total_cmp);
    let at = |share: f64| draws[((draws.len() - 1) as f64 * share).round() as usize];
    Figure { value, low: at(0.025).min(value), high: at(0.975).max(value) }
}

/// Compares campaigns and splits the next week's money.
#[must_use]
pub fn advise<R: Rng>(
    rows: &[Row],
    came: &BTreeMap<String, Came>,
    limits: Limits,
    random: &mut R,
) -> Advice {
    let mut spent: BTreeMap<&str, f64> = BTreeMap::new();
    for row in rows {
        *spent.entry(&row.campaign).or_default() += row.amount;
    }
    spent.retain(|_, amount| *amount > 0.0);
    let names: Vec<&str> = spent.keys().copied().collect();
    let nothing = Came::default();
    let of = |name: &str| came.get(name).unwrap_or(&nothing);
    let sum: f64 = spent.values().sum();
    let orders = names.iter().map(|name| of(name).orders.len() as f64).sum::<f64>();
    let paid = names.iter().map(|name| of(name).kept()).sum::<f64>().max(0.0);
    let (rate, usual) = (
        if sum > 0.0 { orders / sum } else { 0.0 },
        if orders > 0.0 { paid / orders } else { 0.0 },
    );
    let talks = names.iter().map(|name| of(name).conversations as f64).sum::<f64>()
        / sum.max(f64::MIN_POSITIVE);
    let back = |name: &&str| backs(spent[name], of(name), rate, usual, COMPARED, &mut *random);
    let draws: Vec<Vec<f64>> = names.iter().map(back).collect();
    let mut wins = vec![0.0; names.len()];
    let winner =
        |draw: usize| (0..names.len()).max_by(|a, b| draws[*a][draw].total_cmp(&draws[*b][draw]));
    (0..DRAWS).filter_map(winner).for_each(|winner| wins[winner] += 1.0 / DRAWS as f64);
    let now: Vec<f64> = names.iter().map(|name| spent[name] / sum).collect();
    let verdict =
        verdict(rows, &names, &wins, &draws, names.iter().map(|name| of(name).orders.len()));
    let next = match verdict {
        // What can't be compared is left as it is.
        Verdict::TooFew | Verdict::Alone => now.clone(),
        _ => thompson::moved(&now, &thompson::shares(&wins), limits.floor, limits.step),
    };
    let campaigns = names.iter().enumerate().map(|(at, name)| {
        let (money, came) = (spent[name], of(name));
        let cost = |events: usize, rate: f64, random: &mut R| {
            let seen = Seen { events: events as f64, exposure: money };
            let draws = (0..DRAWS).map(|_| 1.0 / seen.draw(rate, PRIOR, &mut *random)).collect();
            (events >= LEAST).then(|| interval(money / events as f64, draws))
        };
        let back = came.kept() / money;
        Campaign {
            name: (*name).to_owned(),
            spent: money,
            conversations: shown(came.conversations),
            orders: shown(came.orders.len()),
            cost_per_conversation: cost(came.conversations, talks, &mut *random),
            cost_per_order: cost(came.orders.len(), rate, &mut *random),
            back: (came.orders.len() >= LEAST)
                .then(|| interval(back, backs(money, came, rate, usual, PRIOR, &mut *random))),
            best: wins[at],
            share_now: now[at],
            share_next: next[at],
        }
    });
    let day = |day: Option<i64>| day.map(calendar::iso).unwrap_or_default();
    Advice {
        currency: rows.first().map(|row| row.currency.clone()).unwrap_or_default(),
        from: day(rows.iter().map(|row| row.first).min()),
        to: day(rows.iter().map(|row| row.last).max()),
        campaigns: campaigns.collect(),
        verdict,
    }
}

/// A count, unless it is of so few that it speaks of single visitors.
fn shown(count: usize) -> Option<usize> {
    (count == 0 || count >= LEAST).then_some(count)
}

fn verdict(
    rows: &[Row],
    names: &[&str],
    wins: &[f64],
    draws: &[Vec<f64>],
    orders: impl Iterator<Item = usize>,
) -> Verdict {
    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_by(|a, b| wins[*b].total_cmp(&wins[*a]));
    let [first, second, ..] = order[..] else { return Verdict::Alone };
    let orders: Vec<usize> = orders.collect();
    if orders.iter().all(|orders| *orders < LEAST) {
        return Verdict::TooFew;
    }
    // A few large orders name nobody the best, nor tell of single visitors.
    if wins[first] >= SURE && orders[first] >= LEAST {
        return Verdict::Best { campaign: names[first].to_owned() };
    }
    // The difference stays and its spread shrinks with the root of time: how long until it is
    // 1.645 spreads wide?
    let differences: Vec<f64> =
        draws[first].iter().zip(&draws[second]).map(|(a, b)| a - b).collect();
    let mean = differences.iter().sum::<f64>() / DRAWS as f64;
    let variance =
        differences.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / DRAWS as f64;
    let (begin, end) =
        (rows.iter().map(|row| row.first).min(), rows.iter().map(|row| row.last).max());
    let span = begin.zip(end).map_or(1, |(first, last)| last - first + 1);
    let weeks = span as f64 / 7.0;
    let needed = weeks * (SURE_Z * SURE_Z * variance / (mean * mean)) - weeks;
    let known = mean > 0.0 && needed.is_finite() && needed <= MOST_WEEKS;
    Verdict::CannotTell { weeks: known.then(|| needed.max(1.0).ceil() as u32) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    const LIMITS: Limits = Limits { floor: 0.1, step: 0.2 };

    fn rows(list: &[(&str, f64)]) -> Vec<Row> {
        let row = |(name, amount): &(&str, f64), day: i64| Row {
            campaign: (*name).into(),
            first: 20_000 + day,
            last: 20_000 + day,
            amount: *amount,
            currency: "EUR".into(),
        };
        list.iter().flat_map(|spent| (0..28).map(move |day| row(spent, day))).collect()
    }

    fn advice(spent: &[(&str, f64)], came: &[(&str, usize, usize)]) -> Advice {
        let came = came.iter().map(|(name, conversations, orders)| {
            let orders = (0..*orders).map(|n| 40.0 + 10.0 * (n % 5) as f64).collect();
            (
                (*name).to_owned(),
                Came { conversations: *conversations, orders, refunds: Vec::new() },
            )
        });
        advise(&rows(spent), &came.collect(), LIMITS, &mut StdRng::seed_from_u64(1))
    }

    #[test]
    fn a_clear_winner_is_named_and_money_moves_by_a_step() {
        let found = advice(
            &[("search", 20.0), ("social", 20.0)],
            &[("search", 200, 60), ("social", 180, 12)],
        );
        assert_eq!(found.verdict, Verdict::Best { campaign: "search".into() });
        let [search, social] = &found.campaigns[..] else { panic!() };
        assert!((search.share_next - 0.7).abs() < 1e-6 && (social.share_next - 0.3).abs() < 1e-6);
        let back = search.back.unwrap();
        assert!(
            back.low < back.value
                && back.value < back.high
                && (back.value - 60.0 * 60.0 / 560.0).abs() < 0.1
        );
        let cost = search.cost_per_conversation.unwrap();
        assert!((cost.value - 2.8).abs() < 1e-9 && cost.low > 2.3 && cost.high < 3.4, "{cost:?}");
    }

    #[test]
    fn little_can_not_be_told_and_fewer_than_five_say_nothing() {
        let close = advice(&[("a", 20.0), ("b", 20.0)], &[("a", 90, 14), ("b", 90, 10)]);
        assert!(
            matches!(close.verdict, Verdict::CannotTell { weeks: Some(2..) }),
            "{:?}",
            close.verdict
        );
        let few = advice(&[("a", 20.0), ("b", 20.0)], &[("a", 9, 4), ("b", 3, 1)]);
        assert_eq!(few.verdict, Verdict::TooFew);
        assert!(
            few.campaigns.iter().all(
                |campaign| campaign.back.is_none() && campaign.share_next == campaign.share_now
            )
        );
        assert!(
            few.campaigns[1].cost_per_conversation.is_none() && few.campaigns[0].orders.is_none()
        );
        assert_eq!(advice(&[("a", 20.0)], &[]).verdict, Verdict::Alone);
        // A campaign that brought nothing has a chance, and its floor.
        let none = advice(&[("a", 20.0), ("b", 20.0)], &[("a", 90, 60)]);
        assert!(none.campaigns[1].share_next >= 0.1 && none.campaigns[1].back.is_none());
    }

    #[test]
    fn three_large_orders_name_nobody_the_best() {
        let came = |orders: Vec<f64>| Came { conversations: 40, orders, refunds: Vec::new() };
        let came = [("a", came(vec![20.0; 8])), ("b", came(vec![9_000.0; 4]))];
        let came = came.map(|(name, came)| (name.to_owned(), came)).into_iter().collect();
        let spent = rows(&[("a", 20.0), ("b", 20.0)]);
        let found = advise(&spent, &came, LIMITS, &mut StdRng::seed_from_u64(1));
        assert!(matches!(found.verdict, Verdict::CannotTell { .. }), "{:?}", found.verdict);
    }

    #[test]
    fn refunds_lower_the_return_and_not_the_cost_of_an_order() {
        let came = |refunds: Vec<f64>| Came { conversations: 40, orders: vec![50.0; 30], refunds };
        let came = BTreeMap::from([
            ("a".to_owned(), came(vec![50.0; 10])),
            ("b".to_owned(), came(Vec::new())),
        ]);
        let spent = rows(&[("a", 20.0), ("b", 20.0)]);
        let found = advise(&spent, &came, LIMITS, &mut StdRng::seed_from_u64(1));
        let [a, b] = &found.campaigns[..] else { panic!() };
        let (lower, back) = (a.back.unwrap(), b.back.unwrap());
        assert!(
            (lower.value - 1_000.0 / 560.0).abs() < 1e-9
                && (back.value - 1_500.0 / 560.0).abs() < 1e-9
        );
        assert!(
            lower.low < lower.value && lower.value < lower.high && lower.low < back.low,
            "{lower:?} {back:?}"
        );
        assert_eq!(a.orders, b.orders);
        let costs = [a, b].map(|campaign| campaign.cost_per_order.unwrap().value);
        assert!((costs[0] - costs[1]).abs() < 1e-9 && b.best > 0.8, "{costs:?}, {}", b.best);
    }

    #[test]
    fn the_interval_of_the_return_holds_what_campaigns_are_worth() {
        // Poisson orders of log-normal amounts: some thirty of 60 on average for 560 spent.
        let mut random = StdRng::seed_from_u64(7);
        let (spent, shops) = (rows(&[("a", 20.0)]), 150);
        let mut held = 0;
        for _ in 0..shops {
            let mut orders = Vec::new();
            let mut time = 0.0;
            loop {
                time -= (1.0 - random.random::<f64>()).ln() / 30.0;
                if time > 1.0 {
                    break;
                }
                let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
                let normal = radius * (std::f64::consts::TAU * random.random::<f64>()).cos();
                orders.push(60.0 * (0.8 * normal - 0.32).exp());
            }
            let came = BTreeMap::from([(
                "a".to_owned(),
                Came { conversations: 90, orders, refunds: Vec::new() },
            )]);
            let back = advise(&spent, &came, LIMITS, &mut random).campaigns[0].back.unwrap();
            let worth = 30.0 * 60.0 / 560.0;
            held += usize::from(back.low <= worth && worth <= back.high);
        }
        assert!((shops * 88 / 100..=shops).contains(&held), "{held} of {shops}");
    }
}
