//! How good forecasts are: made at days of the past from what was known then, and compared with
//! what came, beside the seasonal naive forecast (as a week before).

use std::collections::BTreeSet;

use serde::Serialize;

use super::level::WEEK;
use super::spread::{Kept, PERIODS};
use super::{Band, HORIZON, Held, Panel, forecast};

/// A forecast day beside what came.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The series, by its place in the panel.
    pub series: usize,
    /// Days that were known.
    pub origin: usize,
    /// The day, from the panel's first.
    pub day: usize,
    pub seen: f64,
    pub naive: f64,
    #[serde(flatten)]
    pub band: Band,
}

/// A period's total beside what came.
#[derive(Clone, Debug, Serialize)]
pub struct Total {
    pub series: usize,
    pub origin: usize,
    pub days: usize,
    pub seen: f64,
    #[serde(flatten)]
    pub band: Band,
}

/// Means over series and origins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Scores {
    /// Mean absolute scaled error (Hyndman and Koehler, 2006): over the mean absolute difference to
    /// a week before, in the days known.
    pub mase: f64,
    pub naive_mase: f64,
    pub mase_over_naive: f64,
    /// Absolute errors over what came, all series together.
    pub wape: f64,
    /// What was expected over what came, less 1.
    pub bias: f64,
    pub held80: f64,
    pub held95: f64,
    /// Interval scores (Gneiting and Raftery, 2007) over the same scale as the errors, and the
    /// seasonal naive forecast's with the quantiles of its own past errors.
    pub is80: f64,
    pub is95: f64,
    pub naive_is80: f64,
    pub naive_is95: f64,
    pub is80_over_naive: f64,
    /// How many of the periods' totals lay in their bands.
    pub totals_held80: f64,
    pub totals_held95: f64,
    pub series: usize,
    pub days: usize,
}

/// What a test is about.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Days ahead, at most [`HORIZON`].
    pub horizon: usize,
    /// Forecasts of the past, and the days between two of them.
    pub origins: usize,
    pub step: usize,
}

/// The days known at each forecast of the past, the earliest first.
#[must_use]
pub fn origins(known: usize, plan: Plan) -> Vec<usize> {
    let back = |n: usize| known.checked_sub(plan.horizon + (n - 1) * plan.step);
    let mut origins: Vec<usize> = (1..=plan.origins).filter_map(back).collect();
    origins.reverse();
    origins
}

/// Forecasts the past. `hide` changes what forecasts may read; they are scored on series whose
/// unchanged history is one of `only`.
#[must_use]
pub fn run(
    seen: &Panel,
    plan: Plan,
    only: impl Fn(&[f64]) -> bool,
    mut hide: impl FnMut(&mut Panel),
    mut progress: impl FnMut(usize, usize),
) -> (Vec<Row>, Vec<Total>, Scores) {
    let (mut rows, mut totals) = (Vec::new(), Vec::new());
    let mut tally = Tally::default();
    let origins = origins(seen.len(), plan);
    for (at, origin) in origins.iter().copied().enumerate() {
        progress(at, origins.len());
        let past = seen.until(origin);
        let mut known = past.clone();
        hide(&mut known);
        let Some(made) = forecast(&known) else { continue };
        let period = PERIODS.iter().copied().find(|period| *period == plan.horizon);
        for (series, outlook) in made.outlooks.iter().enumerate() {
            let history = &past.series[series];
            if !only(history) {
                continue;
            }
            tally.series.insert(series);
            let scale = scale(history);
            let actual = &seen.series[series][origin..origin + plan.horizon];
            let naive = Naive::of(history);
            for (ahead, actual) in actual.iter().enumerate() {
                let row = Row {
                    series,
                    origin,
                    day: origin + ahead,
                    seen: *actual,
                    naive: naive.day(ahead),
                    band: outlook.days[ahead],
                };
                tally.day(&row, scale, &naive);
                rows.push(row);
            }
            if let Some(days) = period {
                let expected = outlook.days[..days].iter().map(|day| day.expected).sum();
                let band = made.errors.band(Kept::Period(days), expected, outlook.scale);
                let total = Total { series, origin, days, seen: actual.iter().sum(), band };
                tally.totals.note(&total.band, total.seen);
                totals.push(total);
            }
        }
    }
    progress(origins.len(), origins.len());
    let scores = tally.scores();
    (rows, totals, scores)
}

/// The mean absolute difference to a week before.
fn scale(history: &[f64]) -> f64 {
    let pairs = history.iter().zip(history.iter().skip(WEEK));
    let (sum, count) = pairs
        .map(|(before, now)| (now - before).abs())
        .filter(|difference| difference.is_finite())
        .fold((0.0, 0.0), |(sum, count), difference| (sum + difference, count + 1.0));
    if count > 0.0 { sum / count } else { 0.0 }
}

/// The seasonal naive forecast with bands from its own past errors.
struct Naive {
    week: [f64; WEEK],
    errors: Vec<f64>,
}

impl Naive {
    fn of(history: &[f64]) -> Self {
        let week = std::array::from_fn(|day| history[history.len() - WEEK + day]);
        let mut errors: Vec<f64> =
            history.iter().zip(history.iter().skip(WEEK)).map(|(a, b)| b - a).collect();
        errors.sort_by(f64::total_cmp);
        Self { week, errors }
    }

    fn day(&self, ahead: usize) -> f64 {
        self.week[ahead % WEEK]
    }

    /// Errors two weeks ahead spread √2 as far as those of one (Hyndman and Athanasopoulos,
    /// Forecasting: principles and practice, 5.5).
    fn band(&self, ahead: usize, inside: f64) -> [f64; 2] {
        let at = |share: f64| {
            let place = (share * (self.errors.len().saturating_sub(1)) as f64).round() as usize;
            self.errors.get(place).copied().unwrap_or_default()
        };
        let wider = ((ahead / WEEK + 1) as f64).sqrt();
        let tail = (1.0 - inside) / 2.0;
        [(self.day(ahead) + wider * at(tail)).max(0.0), self.day(ahead) + wider * at(1.0 - tail)]
    }
}

/// Width, plus what lay outside times 2/α.
fn interval_score([low, high]: [f64; 2], seen: f64, inside: f64) -> f64 {
    let outside = (low - seen).max(0.0) + (seen - high).max(0.0);
    high - low + 2.0 / (1.0 - inside) * outside
}

#[derive(Default)]
struct Tally {
    count: f64,
    scaled: f64,
    mase: f64,
    naive: f64,
    off: f64,
    seen: f64,
    expected: f64,
    own: [f64; 2],
    naive_own: [f64; 2],
    held: Held,
    totals: Held,
    series: BTreeSet<usize>,
}

impl Tally {
    fn day(&mut self, row: &Row, scale: f64, naive: &Naive) {
        self.held.note(&row.band, row.seen);
        let off = (row.band.expected - row.seen).abs();
        self.count += 1.0;
        self.off += off;
        self.seen += row.seen;
        self.expected += row.band.expected;
        // A series that never changed in its past has no scale.
        if scale == 0.0 {
            return;
        }
        self.scaled += 1.0;
        self.mase += off / scale;
        self.naive += (row.naive - row.seen).abs() / scale;
        for (at, (inside, band)) in
            [(0.8, row.band.band80), (0.95, row.band.band95)].into_iter().enumerate()
        {
            self.own[at] += interval_score(band, row.seen, inside) / scale;
            let band = naive.band(row.day - row.origin, inside);
            self.naive_own[at] += interval_score(band, row.seen, inside) / scale;
        }
    }

    fn scores(&self) -> Scores {
        let mean = |sum: f64| if self.scaled > 0.0 { sum / self.scaled } else { 0.0 };
        let over = |a: f64, b: f64| if b > 0.0 { a / b } else { 0.0 };
        let held = |held: Held, inside: usize| over(inside as f64, held.of as f64);
        Scores {
            mase: mean(self.mase),
            naive_mase: mean(self.naive),
            mase_over_naive: over(self.mase, self.naive),
            wape: over(self.off, self.seen),
            bias: over(self.expected, self.seen) - if self.seen > 0.0 { 1.0 } else { 0.0 },
            held80: held(self.held, self.held.in80),
            held95: held(self.held, self.held.in95),
            is80: mean(self.own[0]),
            is95: mean(self.own[1]),
            naive_is80: mean(self.naive_own[0]),
            naive_is95: mean(self.naive_own[1]),
            is80_over_naive: over(self.own[0], self.naive_own[0]),
            totals_held80: held(self.totals, self.totals.in80),
            totals_held95: held(self.totals, self.totals.in95),
            series: self.series.len(),
            days: self.held.of,
        }
    }
}

/// True if a plan can be carried out on so many days.
#[must_use]
pub fn fits(known: usize, plan: Plan) -> bool {
    (1..=HORIZON).contains(&plan.horizon)
        && plan.origins > 0
        && plan.step > 0
        && origins(known, plan).first().is_some_and(|origin| *origin >= super::MIN_DAYS)
}
