//! How demand may go on: daily counts of a whole shop's series → expected counts, bands and the
//! chance that a stock runs out. Pure.
//!
//! A series is modelled as *level × weekday*. The weekday's shape is shared: a series that says
//! little takes the shop's, one that says much its own ([`level`]). The level is a discounted mean
//! with six half-lives; the three that forecast best so far are averaged. Errors are collected by
//! forecasting the past from what was known then, standardised, and pooled over series of similar
//! size; their quantiles are the bands, so a band of 80% is one that held 80% of the past
//! ([`spread`]). A day without an observation, e.g. one without stock, is left out everywhere.
//!
//! Why own code: measured on a shop's 180 products, automatic exponential smoothing, MSTL, Theta
//! and Croston's method (augurs, statsforecast) forecast worse than this and know neither closed
//! days nor pooling; see docs/measurements.md.

pub mod backtest;
pub mod level;
pub mod spread;
pub mod stock;

use serde::{Deserialize, Serialize};

use level::{Levels, WAYS, WEEK, Weekdays, pooled, weekday};
use spread::{Errors, Kept};

/// The furthest day that is forecast, counted from the first one that isn't known.
pub const HORIZON: usize = 28;
/// Weeks that are forecast.
const WEEKS: usize = HORIZON / WEEK;
/// Days that a shop must have been observed for before anything is forecast.
pub const MIN_DAYS: usize = 4 * WEEK;
/// Days that must be known before the first forecast of the past.
const WARM_UP: usize = 2 * WEEK;
/// Forecasts of the past, a week apart.
const ORIGINS: usize = 26;
/// The latest of them, which show how well bands hold.
const CHECKED: usize = 8;
/// Levels that are averaged.
const BEST: usize = 3;
/// How many days' errors the shop's ranking of levels is worth against a series' own.
const PRIOR_DAYS: f64 = 56.0;

/// Daily counts of series that share days: products, topics or classes of one shop.
#[derive(Clone, Debug)]
pub struct Panel {
    /// The first day, in days since 1 January 1970 of the shop's own calendar.
    pub first_day: i64,
    /// One row a series, one value a day, all of the same length; NaN where nothing could be
    /// observed.
    pub series: Vec<Vec<f64>>,
    /// For each day, and for [`HORIZON`] days after the last: whether the shop is closed. A closed
    /// day counts nothing and is forecast as 0.
    pub closed: Vec<bool>,
}

/// The central forecast and two intervals of one quantity.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct Band {
    pub expected: f64,
    /// Lower and upper end of the interval that holds 80%.
    pub band80: [f64; 2],
    /// Lower and upper end of the interval that holds 95%.
    pub band95: [f64; 2],
}

/// What is expected of one series.
#[derive(Clone, Debug)]
pub struct Outlook {
    /// The days after the last known one.
    pub days: Vec<Band>,
    /// How much wider than the shop's usual errors this series' are.
    pub scale: f64,
}

/// A whole shop's forecasts with the errors of the past that their bands are made of.
#[derive(Clone, Debug)]
pub struct Forecasts {
    pub outlooks: Vec<Outlook>,
    pub errors: Errors,
    /// How well bands held that were made in the same way, without the days they were tested on.
    pub held: Held,
}

/// How many of the days or periods that were forecast lay inside their bands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Held {
    pub of: usize,
    pub in80: usize,
    pub in95: usize,
}

impl Held {
    /// Counts one observation.
    pub fn note(&mut self, band: &Band, seen: f64) {
        let inside = |[low, high]: [f64; 2]| usize::from(low <= seen && seen <= high);
        self.of += 1;
        self.in80 += inside(band.band80);
        self.in95 += inside(band.band95);
    }
}

impl Panel {
    /// Days that are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.series.first().map_or(0, Vec::len)
    }

    /// True without a day or a series.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first `days` days, as if nothing were known of the others.
    #[must_use]
    pub fn until(&self, days: usize) -> Self {
        let series = self.series.iter().map(|series| series[..days].to_vec()).collect();
        Self { first_day: self.first_day, series, closed: self.closed[..days + HORIZON].to_vec() }
    }

    fn is_closed(&self, day: usize) -> bool {
        self.closed.get(day).copied().unwrap_or(false)
    }

    /// Days that tell nothing: those the shop says it is closed on, and those on which the whole
    /// shop counted nothing although at least five were expected (chance below 1%): holidays
    /// nobody noted, an outage.
    fn silent_days(&self) -> Vec<bool> {
        const EXPECTED: f64 = 5.0;
        let known = self.len();
        let mut silent = self.closed[..known].to_vec();
        let total: Vec<f64> = (0..known).map(|day| self.total(day)).collect();
        let shop = Weekdays::of(&total, self.first_day, &silent, None);
        let open = (0..known).filter(|day| !silent[*day]).count().max(1) as f64;
        let mean = total.iter().sum::<f64>() / open;
        for day in 0..known {
            let expected = mean * shop.shares[weekday(self.first_day, day)];
            silent[day] |= total[day] == 0.0 && expected >= EXPECTED;
        }
        silent
    }

    /// What all series counted on a day.
    fn total(&self, day: usize) -> f64 {
        self.series.iter().map(|series| series[day]).filter(|count| count.is_finite()).sum()
    }
}

/// Forecasts every series of a shop; `None` for less than four weeks, or if nothing was counted.
#[must_use]
pub fn forecast(panel: &Panel) -> Option<Forecasts> {
    let known = panel.len();
    let counted = panel.series.iter().flatten().any(|count| *count > 0.0);
    if known < MIN_DAYS || panel.closed.len() < known + HORIZON || !counted {
        return None;
    }
    let silent = panel.silent_days();
    let mut run = Run::new(panel, &silent);
    let mut origin = known;
    let mut origins = vec![known];
    while origin >= WARM_UP + WEEK && origins.len() < ORIGINS {
        origin -= WEEK;
        origins.push(origin);
    }
    let mut held = Held::default();
    // Oldest first: each forecast knows nothing that came after it, neither counts nor errors.
    for (left, origin) in origins.iter().enumerate().skip(1).rev() {
        let days = run.days_at(*origin);
        if left <= CHECKED {
            run.errors.settle(*origin);
            run.check(*origin, &days, &mut held);
        }
        run.learn(*origin, &days);
    }
    let days = run.days_at(known);
    run.errors.settle(usize::MAX);
    let outlooks = days
        .into_iter()
        .enumerate()
        .map(|(at, days)| {
            let scale = run.errors.scale(at);
            let band =
                |ahead: usize| run.errors.band(Kept::Day(ahead), days.expected(ahead), scale);
            Outlook { days: (0..HORIZON).map(band).collect(), scale }
        })
        .collect();
    Some(Forecasts { outlooks, errors: run.errors, held })
}

/// What is known of one series at an origin.
struct Days {
    levels: Levels,
    /// The mean of the best levels.
    level: f64,
    /// Each day's share by its weekday; 0 where the shop is closed.
    shares: [f64; HORIZON],
    drift: [f64; WEEKS],
}

impl Days {
    fn expected(&self, ahead: usize) -> f64 {
        self.level * self.shares[ahead] * self.drift[ahead / WEEK]
    }
}

/// One pass over a panel's past.
struct Run<'a> {
    panel: &'a Panel,
    silent: &'a [bool],
    /// By series and way: the absolute errors so far, and how many days they are of.
    losses: Vec<[f64; WAYS]>,
    tried: Vec<f64>,
    /// Losses of forecasts whose days aren't all known yet at the origin in hand.
    waiting: Vec<Waiting>,
    errors: Errors,
    drift: Drift,
    /// Days that must be known, the week ahead, what was expected of all series and what came.
    drifts: Vec<(usize, usize, f64, f64)>,
}

/// What all series of a shop together came to, over what was expected of them, by weeks ahead: a
/// shop that grows or shrinks as a whole is behind its levels.
#[derive(Default)]
struct Drift {
    seen: [f64; WEEKS],
    expected: [f64; WEEKS],
    origins: [f64; WEEKS],
}

impl Drift {
    /// Half-life in origins, i.e. weeks.
    const HALF_LIFE: f64 = 4.0;
    /// Origins that no drift is worth.
    const PRIOR: f64 = 1.0;
    /// Of a few series the drift is mostly their noise.
    const SERIES: usize = 20;
    /// The share of the drift that is expected to go on; in logarithms.
    const DAMPED: f64 = 0.5;
    const MOST: f64 = 1.5;

    fn note(&mut self, week: usize, expected: f64, seen: f64) {
        let keep = 0.5_f64.powf(1.0 / Self::HALF_LIFE);
        for (sum, value) in
            [(&mut self.seen, seen), (&mut self.expected, expected), (&mut self.origins, 1.0)]
        {
            sum[week] = sum[week] * keep + value;
        }
    }

    fn factors(&self, series: usize) -> [f64; WEEKS] {
        if series < Self::SERIES {
            return [1.0; WEEKS];
        }
        std::array::from_fn(|week| {
            if self.origins[week] == 0.0 {
                return 1.0;
            }
            let prior = Self::PRIOR * self.expected[week] / self.origins[week];
            let factor = (self.seen[week] + prior) / (self.expected[week] + prior);
            let factor = if factor.is_finite() { factor } else { 1.0 };
            factor.clamp(1.0 / Self::MOST, Self::MOST).powf(Self::DAMPED)
        })
    }
}

/// Losses of one series that become known with `at`.
struct Waiting {
    at: usize,
    series: usize,
    losses: [f64; WAYS],
    days: f64,
}

impl<'a> Run<'a> {
    fn new(panel: &'a Panel, silent: &'a [bool]) -> Self {
        let count = panel.series.len();
        Self {
            panel,
            silent,
            losses: vec![[0.0; WAYS]; count],
            tried: vec![0.0; count],
            waiting: Vec::new(),
            errors: Errors::new(count),
            drift: Drift::default(),
            drifts: Vec::new(),
        }
    }

    /// What each series expects after the first `origin` days.
    fn days_at(&mut self, origin: usize) -> Vec<Days> {
        let (due, later) =
            std::mem::take(&mut self.waiting).into_iter().partition(|wait| wait.at <= origin);
        self.waiting = later;
        let due: Vec<Waiting> = due;
        for wait in due {
            self.tried[wait.series] += wait.days;
            for (sum, loss) in self.losses[wait.series].iter_mut().zip(wait.losses) {
                *sum += loss;
            }
        }
        let (due, later): (Vec<_>, _) =
            std::mem::take(&mut self.drifts).into_iter().partition(|(at, ..)| *at <= origin);
        self.drifts = later;
        for (_, week, expected, seen) in due {
            self.drift.note(week, expected, seen);
        }
        let total: Vec<f64> = (0..origin).map(|day| self.panel.total(day)).collect();
        let (first, silent) = (self.panel.first_day, &self.silent[..origin]);
        let shop = Weekdays::of(&total, first, silent, None);
        let drift = self.drift.factors(self.panel.series.len());
        let ranks = pooled(&self.losses, &self.tried);
        let of = |(at, series): (usize, &Vec<f64>)| {
            let own = Weekdays::of(&series[..origin], first, silent, Some(&shop));
            let levels = Levels::of(&series[..origin], first, silent, &own);
            let best =
                level::best(&self.losses[at], self.tried[at], &ranks, PRIOR_DAYS, BEST, &levels);
            let level =
                best.iter().map(|way| levels.0[*way]).sum::<f64>() / best.len().max(1) as f64;
            let shares = std::array::from_fn(|ahead| match self.panel.is_closed(origin + ahead) {
                true => 0.0,
                false => own.shares[weekday(first, origin + ahead)],
            });
            Days { levels, level, shares, drift }
        };
        self.panel.series.iter().enumerate().map(of).collect()
    }

    /// Whether the days after `origin` lie in the bands that were made at `origin`.
    fn check(&self, origin: usize, days: &[Days], held: &mut Held) {
        if self.errors.kept() == 0 {
            return;
        }
        for (at, days) in days.iter().enumerate() {
            let scale = self.errors.scale(at);
            for ahead in 0..HORIZON.min(self.panel.len() - origin) {
                let seen = self.panel.series[at][origin + ahead];
                if seen.is_finite() && !self.silent[origin + ahead] {
                    held.note(
                        &self.errors.band(Kept::Day(ahead), days.expected(ahead), scale),
                        seen,
                    );
                }
            }
        }
    }

    /// Takes in what the forecasts made at `origin` missed.
    fn learn(&mut self, origin: usize, days: &[Days]) {
        let ahead = HORIZON.min(self.panel.len() - origin);
        for week in 0..ahead / WEEK {
            let (mut expected, mut seen) = (0.0, 0.0);
            for (series, days) in days.iter().enumerate() {
                for day in week * WEEK..(week + 1) * WEEK {
                    let count = self.panel.series[series][origin + day];
                    if count.is_finite() && !self.silent[origin + day] {
                        expected += days.level * days.shares[day];
                        seen += count;
                    }
                }
            }
            self.drifts.push((origin + (week + 1) * WEEK, week, expected, seen));
        }
        for (series, days) in days.iter().enumerate() {
            let seen = &self.panel.series[series][origin..origin + ahead];
            let counts = |day: &usize| seen[*day].is_finite() && !self.silent[origin + day];
            let known: Vec<usize> = (0..ahead).filter(counts).collect();
            let loss = |way: usize| {
                let level = days.levels.0[way];
                known.iter().map(|day| (level * days.shares[*day] - seen[*day]).abs()).sum::<f64>()
            };
            self.waiting.push(Waiting {
                at: origin + ahead,
                series,
                losses: std::array::from_fn(loss),
                days: known.len() as f64,
            });
            for day in known {
                let expected = days.expected(day);
                self.errors.note(series, Kept::Day(day), origin + day + 1, expected, seen[day]);
            }
            for period in spread::PERIODS {
                // A period with a day that couldn't be observed has no sum.
                let whole = period <= ahead && seen[..period].iter().all(|count| count.is_finite());
                let silent = (origin..origin + period.min(ahead))
                    .any(|day| self.silent[day] && !self.panel.is_closed(day));
                if whole && !silent {
                    let expected = (0..period).map(|day| days.expected(day)).sum();
                    let sum = seen[..period].iter().sum();
                    self.errors.note(series, Kept::Period(period), origin + period, expected, sum);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Poisson counts from a fixed stream of random numbers (xorshift, Marsaglia 2003).
    fn counts(level: f64, days: usize, seed: u64) -> Vec<f64> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut uniform = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let week = [1.0, 1.2, 1.1, 1.0, 1.4, 0.0, 0.3];
        let mut draw = |mean: f64| {
            let (mut product, mut count) = (uniform(), 0.0);
            while product > (-mean).exp() {
                product *= uniform();
                count += 1.0;
            }
            count
        };
        (0..days).map(|day| draw(level * week[weekday(4, day)])).collect()
    }

    fn panel(series: Vec<Vec<f64>>) -> Panel {
        let closed = vec![false; series[0].len() + HORIZON];
        // Day 4 was a Monday.
        Panel { first_day: 4, series, closed }
    }

    fn shop(days: usize) -> Panel {
        panel((0..30).map(|n| counts([0.3, 2.0, 9.0][n % 3], days, n as u64 + 1)).collect())
    }

    #[test]
    fn bands_hold_what_they_say_and_totals_too() {
        let seen = shop(300);
        let known = seen.until(272);
        let made = forecast(&known).unwrap();
        let (mut days, mut totals) = (Held::default(), Held::default());
        for (outlook, series) in made.outlooks.iter().zip(&seen.series) {
            outlook.days.iter().zip(&series[272..]).for_each(|(band, seen)| days.note(band, *seen));
            let expected = outlook.days[..14].iter().map(|day| day.expected).sum();
            let band = made.errors.band(Kept::Period(14), expected, outlook.scale);
            totals.note(&band, series[272..286].iter().sum());
        }
        let share = |count: usize, held: Held| count as f64 / held.of as f64;
        // A closed day in seven is always inside.
        assert!((0.74..0.92).contains(&share(days.in80, days)), "{days:?}");
        assert!((0.91..0.99).contains(&share(days.in95, days)), "{days:?}");
        assert!((0.6..1.0).contains(&share(totals.in80, totals)), "{totals:?}");
        assert!((0.78..0.92).contains(&share(made.held.in80, made.held)), "{:?}", made.held);
    }

    #[test]
    fn an_empty_shelf_is_no_lack_of_demand() {
        let mut said = shop(120);
        let fast = 2;
        let usual = forecast(&said).unwrap().outlooks[fast].days[..7]
            .iter()
            .map(|day| day.expected)
            .sum::<f64>();
        let mut unsaid = said.clone();
        said.series[fast][106..].fill(f64::NAN);
        unsaid.series[fast][106..].fill(0.0);
        let week = |panel: &Panel| {
            forecast(panel).unwrap().outlooks[fast].days[..7]
                .iter()
                .map(|day| day.expected)
                .sum::<f64>()
        };
        assert!((week(&said) / usual - 1.0).abs() < 0.2, "{} beside {usual}", week(&said));
        assert!(week(&unsaid) < 0.6 * usual);
    }

    #[test]
    fn closed_days_are_zero_and_say_nothing_of_others() {
        let mut shop = shop(120);
        let before = forecast(&shop).unwrap().outlooks[2].days[7].expected;
        // The last week was a holiday, and so is the day after tomorrow.
        shop.closed[113..120].fill(true);
        shop.closed[121] = true;
        for series in &mut shop.series {
            series[113..].fill(0.0);
        }
        let made = forecast(&shop).unwrap();
        assert_eq!(
            made.outlooks[2].days[1],
            Band { expected: 0.0, band80: [0.0; 2], band95: [0.0; 2] }
        );
        assert!((made.outlooks[2].days[7].expected / before - 1.0).abs() < 0.25);
        // A holiday that nobody noted: the whole shop counted nothing.
        shop.closed[113..120].fill(false);
        let unnoted = forecast(&shop).unwrap().outlooks[2].days[7].expected;
        assert!((unnoted / before - 1.0).abs() < 0.25, "{unnoted} beside {before}");
    }

    #[test]
    fn one_short_series_is_forecast_and_nothing_is_not() {
        let short = panel(vec![counts(5.0, 28, 9)]);
        let made = forecast(&short).unwrap();
        for day in &made.outlooks[0].days {
            let bounds =
                [0.0, day.band95[0], day.band80[0], day.expected, day.band80[1], day.band95[1]];
            assert!(bounds.is_sorted() && bounds[5].is_finite(), "{day:?}");
        }
        assert!(forecast(&panel(vec![counts(5.0, 27, 9)])).is_none());
        assert!(forecast(&panel(vec![vec![0.0; 60]])).is_none());
        assert!(forecast(&panel(vec![vec![f64::NAN; 60], vec![0.0; 60]])).is_none());
        assert!(
            forecast(&Panel { first_day: 0, series: Vec::new(), closed: Vec::new() }).is_none()
        );
        let unknown = forecast(&panel(vec![vec![f64::NAN; 60], counts(5.0, 60, 9)])).unwrap();
        assert_eq!(unknown.outlooks[0].days[0].expected, 0.0);
    }
}
