//! Errors of past forecasts, and what they say of the next ones: intervals, and the chance that a
//! total exceeds a number.
//!
//! An error is standardised by `scale × √(μ + φμ²)` for an expected count μ: Poisson noise, plus φ
//! for what varies beyond it, plus how unruly the series is beside the others. Errors of similar μ
//! are pooled, and their empirical quantiles make the band: split conformal prediction by groups
//! (Vovk, 2012), which needs no distribution. Errors of one past forecast depend on each other, so
//! coverage is approximate; how well it held is counted, see [`super::Held`].

use super::{Band, HORIZON};

/// Periods whose totals are forecast, in days.
pub const PERIODS: [usize; 3] = [7, 14, 28];

/// A count below which noise is as that of this count: a forecast of 0 may be missed, too.
const LEAST: f64 = 0.02;
/// Errors that a group is made of at least, where there are that many, and groups at most.
const GROUP: usize = 250;
const GROUPS: usize = 8;
/// Errors that a shelf's groups are made of at most, evenly chosen: quantiles need no more.
const SAMPLE: usize = 20_000;
/// How many days the shop's scale is worth against a series' own.
const PRIOR_DAYS: f64 = 56.0;
/// Quantiles that stand for a group's errors where a chance is computed.
const POINTS: usize = 200;

/// What an error is of: the day so many days ahead (from 0), or the total of so many days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    Day(usize),
    Period(usize),
}

impl Kept {
    /// Weeks ahead are kept apart, and so are periods.
    fn shelf(self) -> usize {
        match self {
            Self::Day(ahead) => ahead.min(HORIZON - 1) / 7,
            Self::Period(days) => {
                HORIZON / 7
                    + PERIODS.iter().position(|period| *period >= days).unwrap_or(PERIODS.len() - 1)
            }
        }
    }
}

const SHELVES: usize = HORIZON / 7 + PERIODS.len();

#[derive(Clone, Copy, Debug)]
struct Noted {
    series: usize,
    kept: Kept,
    /// Days that must be known before this error is.
    at: usize,
    expected: f64,
    seen: f64,
}

/// Standardised errors of similar expected counts.
#[derive(Clone, Debug)]
struct Group {
    /// The largest expected count that belongs here.
    up_to: f64,
    /// Ascending.
    errors: Vec<f64>,
}

/// The errors of a shop's forecasts.
#[derive(Clone, Debug, Default)]
pub struct Errors {
    waiting: Vec<Noted>,
    known: Vec<Noted>,
    /// By shelf, ascending in the expected count.
    groups: Vec<Vec<Group>>,
    /// Variance beyond Poisson's, relative to the squared mean; of days and of periods.
    phi: [f64; 2],
    scales: Vec<f64>,
}

impl Errors {
    pub(super) fn new(series: usize) -> Self {
        Self { scales: vec![1.0; series], groups: vec![Vec::new(); SHELVES], ..Self::default() }
    }

    /// Errors that are known.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.known.len()
    }

    pub(super) fn note(&mut self, series: usize, kept: Kept, at: usize, expected: f64, seen: f64) {
        // Where nothing can be expected, e.g. on a weekday that never counted, an error says
        // nothing about other days.
        if expected > 0.0 {
            self.waiting.push(Noted { series, kept, at, expected, seen });
        }
    }

    /// Takes in the errors that are known once `days` days are.
    pub(super) fn settle(&mut self, days: usize) {
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.waiting).into_iter().partition(|noted| noted.at <= days);
        self.waiting = later;
        if due.is_empty() {
            return;
        }
        self.known.extend(due);
        self.phi = [false, true].map(|period| self.dispersion(period));
        let plain =
            |noted: &Noted| (noted.seen - noted.expected) / self.noise(noted.kept, noted.expected);
        // Scales compare a series' errors with the usual ones of its size, so they need groups
        // first; then the groups are made again, without what is a series' own.
        let usual = self.grouped(plain);
        let (mut own, mut others) = (vec![0.0; self.scales.len()], vec![0.0; self.scales.len()]);
        let mut days = vec![0.0; self.scales.len()];
        let means: Vec<Vec<f64>> =
            usual.iter().map(|groups| groups.iter().map(mean_size).collect()).collect();
        for noted in self.known.iter().filter(|noted| matches!(noted.kept, Kept::Day(_))) {
            let shelf = noted.kept.shelf();
            own[noted.series] += plain(noted).abs();
            others[noted.series] += means[shelf][place(&usual[shelf], noted.expected)];
            days[noted.series] += 1.0;
        }
        let scale = |at: usize| {
            let usual = if days[at] > 0.0 { others[at] / days[at] } else { 1.0 };
            if usual > 0.0 {
                (own[at] + PRIOR_DAYS * usual) / ((days[at] + PRIOR_DAYS) * usual)
            } else {
                1.0
            }
        };
        let scales: Vec<f64> = (0..self.scales.len()).map(scale).collect();
        self.groups = self.grouped(|noted| plain(noted) / scales[noted.series]);
        self.scales = scales;
    }

    /// How much wider than usual a series' errors are.
    #[must_use]
    pub fn scale(&self, series: usize) -> f64 {
        self.scales.get(series).copied().unwrap_or(1.0)
    }

    /// The standard deviation of a count that is expected to be `expected`, for a usual series.
    fn noise(&self, kept: Kept, expected: f64) -> f64 {
        let phi = self.phi[usize::from(matches!(kept, Kept::Period(_)))];
        (expected.max(LEAST) + phi * expected * expected).sqrt()
    }

    /// φ by the method of moments: what squared errors have beyond Poisson's variance. Trimmed, so
    /// that one day of news doesn't make every band wide.
    fn dispersion(&self, period: bool) -> f64 {
        let of = |noted: &&Noted| matches!(noted.kept, Kept::Period(_)) == period;
        let every = self.known.len().div_ceil(SAMPLE).max(1);
        let mut ratios: Vec<(f64, f64)> = (self.known.iter().filter(of).step_by(every))
            .map(|noted| {
                let beyond = (noted.seen - noted.expected).powi(2) - noted.expected;
                (beyond, noted.expected * noted.expected)
            })
            .collect();
        ratios.sort_by(|a, b| (a.0 / a.1).total_cmp(&(b.0 / b.1)));
        ratios.truncate(ratios.len() - ratios.len() / 20);
        let (beyond, squares) =
            ratios.iter().fold((0.0, 0.0), |(a, b), (beyond, square)| (a + beyond, b + square));
        if squares > 0.0 { (beyond / squares).max(0.0) } else { 0.0 }
    }

    fn grouped(&self, error: impl Fn(&Noted) -> f64) -> Vec<Vec<Group>> {
        let mut shelves: Vec<Vec<(f64, f64)>> = vec![Vec::new(); SHELVES];
        for noted in &self.known {
            shelves[noted.kept.shelf()].push((noted.expected, error(noted)));
        }
        let group = |errors: Vec<(f64, f64)>| {
            let every = errors.len().div_ceil(SAMPLE).max(1);
            let mut errors: Vec<(f64, f64)> = errors.into_iter().step_by(every).collect();
            errors.sort_by(|a, b| a.0.total_cmp(&b.0));
            let size = errors.len().div_ceil((errors.len() / GROUP).clamp(1, GROUPS)).max(1);
            let of = |chunk: &[(f64, f64)]| {
                let mut errors: Vec<f64> = chunk.iter().map(|(_, error)| *error).collect();
                errors.sort_by(f64::total_cmp);
                Group { up_to: chunk.last().map_or(0.0, |(expected, _)| *expected), errors }
            };
            errors.chunks(size).map(of).collect()
        };
        shelves.into_iter().map(group).collect()
    }

    fn group(&self, kept: Kept, expected: f64) -> Option<&Group> {
        let groups = &self.groups[kept.shelf()];
        groups.get(place(groups, expected))
    }

    /// The bands around an expected count of a series with this scale.
    #[must_use]
    pub fn band(&self, kept: Kept, expected: f64, scale: f64) -> Band {
        let Some(group) = self.group(kept, expected).filter(|_| expected > 0.0) else {
            return Band { expected, band80: [expected; 2], band95: [expected; 2] };
        };
        let width = scale * self.noise(kept, expected);
        let interval = |inside: f64| {
            let tail = (1.0 - inside) / 2.0;
            let low = (expected + width * group.quantile(tail)).min(expected);
            // Nothing lies below 0: a band that reaches it has its whole tail above.
            let above = if low <= 0.0 { inside } else { 1.0 - tail };
            [low.max(0.0), (expected + width * group.quantile(above)).max(expected)]
        };
        Band { expected, band80: interval(0.8), band95: interval(0.95) }
    }

    /// The chance that a total of `days` days, expected to be `expected`, is larger than `stock`.
    #[must_use]
    pub fn chance_above(&self, days: usize, expected: f64, scale: f64, stock: f64) -> f64 {
        let kept = Kept::Period(days);
        let Some(group) = self.group(kept, expected).filter(|_| expected > 0.0) else { return 0.0 };
        // Half a unit above: counts are whole, the errors' distribution isn't.
        let least = (stock + 0.5 - expected) / (scale * self.noise(kept, expected));
        group.share_above(least)
    }
}

fn mean_size(group: &Group) -> f64 {
    group.errors.iter().map(|error| error.abs()).sum::<f64>() / group.errors.len().max(1) as f64
}

fn place(groups: &[Group], expected: f64) -> usize {
    groups.partition_point(|group| group.up_to < expected).min(groups.len().saturating_sub(1))
}

impl Group {
    /// The quantile that, with one more error, would still hold its share; beyond the outermost
    /// errors a normal tail, if that is wider.
    fn quantile(&self, share: f64) -> f64 {
        let count = self.errors.len() as f64;
        let (Some(first), Some(last)) = (self.errors.first(), self.errors.last()) else {
            return 0.0;
        };
        let rank = (count + 1.0) * share;
        if rank < 1.0 || rank > count {
            let spread =
                (self.errors.iter().map(|error| error * error).sum::<f64>() / count).sqrt();
            let tail = normal_quantile(share) * spread;
            return if share < 0.5 { first.min(tail) } else { last.max(tail) };
        }
        let below = (rank.floor() as usize - 1).min(self.errors.len() - 1);
        let above = (below + 1).min(self.errors.len() - 1);
        let part = rank - rank.floor();
        self.errors[below] + part * (self.errors[above] - self.errors[below])
    }

    /// The smoothed share of errors above `least`: logistic kernels with Silverman's width, and two
    /// more errors that nobody saw, spread three times as wide. From a finite past nothing is
    /// certain, and what lies far beyond it is less likely than what lies near.
    fn share_above(&self, least: f64) -> f64 {
        let count = self.errors.len();
        if count == 0 {
            return 0.0;
        }
        let every = count.div_ceil(POINTS).max(1);
        let points: Vec<f64> = self.errors.iter().copied().skip(every / 2).step_by(every).collect();
        let used = points.len().max(1) as f64;
        let mean = points.iter().sum::<f64>() / used;
        let spread = (points.iter().map(|point| (point - mean).powi(2)).sum::<f64>() / used).sqrt();
        // A logistic of scale s has the standard deviation 1.81 s.
        let width = (1.06 * spread * (count as f64).powf(-0.2) / 1.81).max(1e-6);
        let above: f64 =
            points.iter().map(|point| 1.0 / (1.0 + ((least - point) / width).exp())).sum();
        let wide = 3.0 * spread.max(1.0) / 1.81;
        let unseen = 1.0 / (1.0 + ((least - mean) / wide).exp());
        (above / used * count as f64 + 2.0 * unseen) / (count as f64 + 2.0)
    }
}

/// Quantiles of the normal distribution that bands need, by Abramowitz and Stegun 26.2.23 (error
/// below 4.5e-4).
fn normal_quantile(share: f64) -> f64 {
    let tail = share.min(1.0 - share).max(1e-9);
    let t = (-2.0 * tail.ln()).sqrt();
    let over = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let under = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    let size = t - over / under;
    if share < 0.5 { -size } else { size }
}
