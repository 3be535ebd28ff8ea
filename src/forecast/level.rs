//! The two parts of a forecast: what a weekday's share is, and how high the level is.

pub const WEEK: usize = 7;

/// Half-lives of the level that are tried, in days.
pub const HALF_LIVES: [f64; 6] = [5.0, 10.0, 20.0, 40.0, 80.0, 160.0];

/// Ways to estimate the level: a discounted arithmetic mean, then a geometric one, by each
/// half-life.
pub const WAYS: usize = 2 * HALF_LIVES.len();

/// Counts a day from which the geometric mean is tried. It isn't raised by a single day of news; of
/// small counts it is too low.
const LARGE: f64 = 10.0;

/// The least share of a weekday whose counts are divided by it.
const LEAST_SHARE: f64 = 0.05;

/// How many counts on a weekday the shop's shape is worth against a series' own.
const PRIOR_COUNTS: f64 = 5.0;

/// The weekday of a day of a series, Monday is 0. 1 January 1970 was a Thursday.
#[must_use]
pub fn weekday(first_day: i64, day: usize) -> usize {
    let days = first_day + i64::try_from(day).unwrap_or(0) + 3;
    usize::try_from(days.rem_euclid(7)).unwrap_or(0)
}

/// What share of an average day each weekday has; the mean of the seven is 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Weekdays {
    pub shares: [f64; WEEK],
}

impl Weekdays {
    /// The shares in a series, drawn to the shop's where given: the posterior mean of a Poisson
    /// rate relative to the shop's, with a gamma prior of mean 1 worth `PRIOR_COUNTS` counts.
    #[must_use]
    pub fn of(series: &[f64], first_day: i64, silent: &[bool], shop: Option<&Self>) -> Self {
        let (mut sums, mut days) = ([0.0; WEEK], [0.0; WEEK]);
        for (day, count) in series.iter().enumerate() {
            if count.is_finite() && !silent[day] {
                sums[weekday(first_day, day)] += count;
                days[weekday(first_day, day)] += 1.0;
            }
        }
        let base = shop.map_or([1.0; WEEK], |shop| shop.shares);
        let exposure: f64 = days.iter().zip(base).map(|(days, share)| days * share).sum();
        let level = if exposure > 0.0 { sums.iter().sum::<f64>() / exposure } else { 0.0 };
        let mut shares: [f64; WEEK] = std::array::from_fn(|at| {
            let expected = level * days[at] * base[at];
            base[at] * (sums[at] + PRIOR_COUNTS) / (expected + PRIOR_COUNTS)
        });
        if shop.is_none() {
            // The shop's own shape has nothing to be drawn to: a weekday that never counted has a
            // share of 0, and one that was never seen an average one.
            let mean = |at: usize| if days[at] > 0.0 { sums[at] / days[at] } else { f64::NAN };
            let known = (0..WEEK).map(mean).filter(|mean| mean.is_finite());
            let (sum, count) =
                known.fold((0.0, 0.0), |(sum, count), mean| (sum + mean, count + 1.0));
            let all = if count > 0.0 { sum / count } else { 0.0 };
            shares = std::array::from_fn(|at| if days[at] > 0.0 { mean(at) } else { all });
        }
        let mean = shares.iter().sum::<f64>() / WEEK as f64;
        if mean > 0.0 {
            Self { shares: shares.map(|share| share / mean) }
        } else {
            Self { shares: [1.0; WEEK] }
        }
    }
}

/// A series' level after its last day, by each of the [`WAYS`]; NaN where one doesn't fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Levels(pub [f64; WAYS]);

impl Levels {
    /// Arithmetic: the discounted sum of counts over the discounted sum of weekday shares, i.e. the
    /// mean of a gamma distribution that forgets (Harvey and Fernandes, 1989). Geometric: the same
    /// of `ln(1 + count / share)`. A day without an observation adds nothing and ages what is
    /// known.
    #[must_use]
    pub fn of(series: &[f64], first_day: i64, silent: &[bool], weekdays: &Weekdays) -> Self {
        const HALVES: usize = HALF_LIVES.len();
        let keep = HALF_LIVES.map(|half_life| 0.5_f64.powf(1.0 / half_life));
        let (mut counts, mut exposure) = ([0.0; HALVES], [0.0; HALVES]);
        let (mut logs, mut weights) = ([0.0; HALVES], [0.0; HALVES]);
        for (day, count) in series.iter().enumerate() {
            let share = weekdays.shares[weekday(first_day, day)];
            let seen = count.is_finite() && !silent[day];
            let (count, part) = if seen { (*count, share) } else { (0.0, 0.0) };
            let large = seen && share >= LEAST_SHARE;
            let (log, weight) = if large { ((count / share).ln_1p(), 1.0) } else { (0.0, 0.0) };
            for half in 0..HALVES {
                counts[half] = counts[half] * keep[half] + count;
                exposure[half] = exposure[half] * keep[half] + part;
                logs[half] = logs[half] * keep[half] + log;
                weights[half] = weights[half] * keep[half] + weight;
            }
        }
        let mean =
            |half: usize| if exposure[half] > 0.0 { counts[half] / exposure[half] } else { 0.0 };
        let is_large = mean(HALVES - 1) >= LARGE;
        Self(std::array::from_fn(|way| match way.checked_sub(HALVES) {
            None => mean(way),
            Some(half) if is_large && weights[half] > 0.0 => (logs[half] / weights[half]).exp_m1(),
            Some(_) => f64::NAN,
        }))
    }
}

/// Losses relative to the mean over the ways, averaged over the series; 1 for each way that
/// wasn't tried yet.
#[must_use]
pub fn pooled(losses: &[[f64; WAYS]], tried: &[f64]) -> [f64; WAYS] {
    let (mut sums, mut counts) = ([0.0; WAYS], [0.0; WAYS]);
    for losses in
        losses.iter().zip(tried).filter(|(_, tried)| **tried > 0.0).map(|(losses, _)| losses)
    {
        for (way, loss) in
            relative(losses).into_iter().enumerate().filter(|(_, loss)| loss.is_finite())
        {
            sums[way] += loss;
            counts[way] += 1.0;
        }
    }
    std::array::from_fn(|way| if counts[way] > 0.0 { sums[way] / counts[way] } else { 1.0 })
}

/// NaN for a way that doesn't fit the series.
fn relative(losses: &[f64; WAYS]) -> [f64; WAYS] {
    let known = losses.iter().filter(|loss| loss.is_finite());
    let (sum, count) = known.fold((0.0, 0.0), |(sum, count), loss| (sum + loss, count + 1.0));
    let mean = if count > 0.0 { sum / count } else { 0.0 };
    if mean > 0.0 { losses.map(|loss| loss / mean) } else { [f64::NAN; WAYS] }
}

/// The ways that forecast best so far: a series' own losses, drawn to the shop's by `prior` days,
/// of those whose level is known. Before any loss is, those in the middle.
#[must_use]
pub fn best(
    own: &[f64; WAYS],
    tried: f64,
    shop: &[f64; WAYS],
    prior: f64,
    count: usize,
    levels: &Levels,
) -> Vec<usize> {
    let relative = relative(own);
    let drawn = |way: usize| {
        let own = if relative[way].is_finite() { relative[way] } else { shop[way] };
        (tried * own + prior * shop[way]) / (tried + prior)
    };
    let middle = |way: usize| way.abs_diff(HALF_LIVES.len() / 2);
    let mut order: Vec<usize> = (0..WAYS).filter(|way| levels.0[*way].is_finite()).collect();
    order.sort_by(|a, b| drawn(*a).total_cmp(&drawn(*b)).then_with(|| middle(*a).cmp(&middle(*b))));
    order.truncate(count);
    order
}
