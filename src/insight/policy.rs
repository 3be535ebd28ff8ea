//! What a way to choose would have brought, from a log of choices made in another way whose chances
//! were noted. Pure.
//!
//! Three estimators: inverse propensity weighting (Horvitz and Thompson, 1952), the same
//! self-normalised (Swaminathan and Joachims, 2015), and doubly robust (Dudík, Langford and Li,
//! 2011). A model of the rewards alone is none of them: its interval doesn't know what it got
//! wrong.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

/// Effective rows and outcomes below which nothing is said.
pub const LEAST_ROWS: f64 = 100.0;
pub const LEAST_OUTCOMES: usize = 20;
/// The chance for actions that the log never chose, from which nothing is said of a policy.
const UNSEEN: f64 = 0.01;
/// Standard errors that the mean weight may lie from 1 before the chances are doubted.
const DOUBTED: f64 = 4.0;
/// Rows that an action's mean is worth against the mean of its cell.
const PRIOR_ROWS: f64 = 10.0;
/// The two-sided 95% quantile of the normal distribution.
const Z: f64 = 1.959_964;

/// A choice of the log.
#[derive(Clone, Debug)]
pub struct Choice {
    pub action: String,
    pub reward: f64,
    /// The chance with which it was made, above 0.
    pub propensity: f64,
    /// The chances of all actions in this case under the way that is judged, which sum to 1.
    pub wanted: BTreeMap<String, f64>,
    /// Which of the policy's cases this is; rewards are averaged by case and action.
    pub case: usize,
}

/// A value for each choice with its 95% interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Value {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

/// What a log says of a policy.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub rows: usize,
    /// (Σw)² / Σw² (Kish, 1965): as many rows of the policy itself would say as much.
    pub effective_rows: f64,
    /// Rows with a reward that the policy could have chosen.
    pub outcomes: usize,
    pub largest_weight: f64,
    /// About 1 where the noted chances are those that the log was chosen with.
    pub mean_weight: f64,
    /// Whether the mean weight is so far from 1 that the noted chances can't be right.
    pub doubtful: bool,
    /// The policy's chance for actions that the log never chose: of them it says nothing.
    pub unseen: f64,
    /// None where the rows are too few.
    pub ipw: Option<Value>,
    pub snipw: Option<Value>,
    pub dr: Option<Value>,
    /// What the log's own way brought.
    pub logged: f64,
    /// Why nothing can be told, where nothing is.
    pub cannot_tell: Option<String>,
}

/// Values a policy.
#[must_use]
pub fn value(log: &[Choice]) -> Report {
    let weight = |choice: &Choice| {
        choice.wanted.get(&choice.action).copied().unwrap_or(0.0) / choice.propensity
    };
    let weights: Vec<f64> = log.iter().map(weight).collect();
    let (sum, squares) =
        weights.iter().fold((0.0, 0.0), |(sum, squares), w| (sum + w, squares + w * w));
    let effective_rows = if squares > 0.0 { sum * sum / squares } else { 0.0 };
    let outcomes =
        log.iter().zip(&weights).filter(|(choice, w)| choice.reward != 0.0 && **w > 0.0).count();
    let rows = log.len().max(1) as f64;
    let mean_weight = sum / rows;
    let variance = (squares / rows - mean_weight * mean_weight).max(0.0);
    let seen: BTreeSet<&str> = log.iter().map(|choice| choice.action.as_str()).collect();
    let of_unseen = |choice: &Choice| {
        choice
            .wanted
            .iter()
            .filter(|(action, _)| !seen.contains(action.as_str()))
            .fold(0.0, |sum, (_, chance)| sum + chance)
    };
    let unseen = log.iter().fold(0.0, |sum, choice| sum + of_unseen(choice)) / rows;
    let mut report = Report {
        rows: log.len(),
        effective_rows,
        outcomes,
        largest_weight: weights.iter().copied().fold(0.0, f64::max),
        mean_weight,
        doubtful: log.len() > 1 && (mean_weight - 1.0).abs() > DOUBTED * (variance / rows).sqrt(),
        unseen,
        ipw: None,
        snipw: None,
        dr: None,
        logged: log.iter().map(|choice| choice.reward).sum::<f64>() / log.len().max(1) as f64,
        cannot_tell: None,
    };
    if effective_rows < LEAST_ROWS || outcomes < LEAST_OUTCOMES {
        report.cannot_tell = Some(format!(
            "the log says as much as {effective_rows:.0} rows with {outcomes} outcomes of this policy would; \
             {LEAST_ROWS} and {LEAST_OUTCOMES} are the least"
        ));
        return report;
    }
    if unseen > UNSEEN {
        report.cannot_tell = Some(format!(
            "{:.0}% of the policy's choices are actions that the log never made; it says nothing of them",
            100.0 * unseen
        ));
        return report;
    }
    // Each estimate is a ratio of means over rows: (numerator, denominator).
    let ipw =
        log.iter().zip(&weights).map(|(choice, w)| (w * choice.reward, 1.0)).collect::<Vec<_>>();
    let snipw =
        log.iter().zip(&weights).map(|(choice, w)| (w * choice.reward, *w)).collect::<Vec<_>>();
    let models = [0, 1].map(|fold| Model::of(log.iter().skip(1 - fold).step_by(2)));
    let dr = log.iter().zip(&weights).enumerate().map(|(at, (choice, w))| {
        // The model of the other half: a row doesn't judge what it taught.
        let model = &models[at % 2];
        let expected: f64 = choice
            .wanted
            .iter()
            .map(|(action, chance)| chance * model.reward(choice.case, action))
            .sum();
        (expected + w * (choice.reward - model.reward(choice.case, &choice.action)), 1.0)
    });
    let dr = dr.collect::<Vec<_>>();
    report.ipw = Some(estimate(&ipw, effective_rows));
    report.snipw = Some(estimate(&snipw, effective_rows));
    report.dr = Some(estimate(&dr, effective_rows));
    report
}

/// Mean rewards by action, and by case and action, drawn to the action's.
struct Model {
    actions: BTreeMap<String, (f64, f64)>,
    cells: BTreeMap<(usize, String), (f64, f64)>,
    all: (f64, f64),
}

impl Model {
    fn of<'a>(log: impl Iterator<Item = &'a Choice>) -> Self {
        let mut model = Self { actions: BTreeMap::new(), cells: BTreeMap::new(), all: (0.0, 0.0) };
        for choice in log {
            let action = model.actions.entry(choice.action.clone()).or_default();
            let cell = model.cells.entry((choice.case, choice.action.clone())).or_default();
            for (sum, rows) in [action, cell, &mut model.all] {
                *sum += choice.reward;
                *rows += 1.0;
            }
        }
        model
    }

    fn reward(&self, case: usize, action: &str) -> f64 {
        let (sum, rows) = self.all;
        let all = if rows > 0.0 { sum / rows } else { 0.0 };
        let drawn =
            |(sum, rows): (f64, f64), to: f64| (sum + PRIOR_ROWS * to) / (rows + PRIOR_ROWS);
        let action_mean = drawn(self.actions.get(action).copied().unwrap_or_default(), all);
        drawn(self.cells.get(&(case, action.to_owned())).copied().unwrap_or_default(), action_mean)
    }
}

/// A ratio of means with its 95% interval: Student's, with the effective rows' degrees of freedom,
/// on the linearised ratio (Cochran, 1977, chapter 6), corrected for skewness by the cubic
/// transformation of Hall (1992). Weighted rewards are skewed: a symmetric interval ends too low.
fn estimate(rows: &[(f64, f64)], effective: f64) -> Value {
    let count = rows.len() as f64;
    let (above, below) = rows.iter().fold((0.0, 0.0), |(a, b), row| (a + row.0, b + row.1));
    let value = if below > 0.0 { above / below } else { 0.0 };
    let (squares, cubes) = rows.iter().fold((0.0, 0.0), |(squares, cubes), (above, below)| {
        let off: f64 = above - value * below;
        (squares + off * off, cubes + off.powi(3))
    });
    let error = squares.sqrt() / below.max(f64::MIN_POSITIVE) * (count / (count - 1.0)).sqrt();
    // Cornish and Fisher's expansion of Student's quantile.
    let freedom = (effective - 1.0).max(1.0);
    let t = Z + (Z.powi(3) + Z) / (4.0 * freedom);
    // The skewness of the mean, which is that of a row over the root of their number.
    let skewness = if squares > 0.0 { cubes / squares.powf(1.5) } else { 0.0 };
    let quantile = |t: f64| {
        // The transformation's limit without skewness.
        if skewness.abs() < 1e-9 {
            return t;
        }
        3.0 / skewness * ((1.0 + skewness * (t - skewness / 6.0)).cbrt() - 1.0)
    };
    Value { value, low: value - quantile(t) * error, high: value - quantile(-t) * error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng as _, SeedableRng as _};

    /// A log that chose `a` with .8; `a` is rewarded with .1 and `b` with .3.
    fn log(rows: usize, seed: u64) -> Vec<Choice> {
        let mut random = StdRng::seed_from_u64(seed);
        let wanted = BTreeMap::from([("a".to_owned(), 0.2), ("b".to_owned(), 0.8)]);
        (0..rows)
            .map(|_| {
                let a = random.random::<f64>() < 0.8;
                let (action, propensity, rate) = if a { ("a", 0.8, 0.1) } else { ("b", 0.2, 0.3) };
                let reward = f64::from(u8::from(random.random::<f64>() < rate));
                Choice {
                    action: action.into(),
                    reward,
                    propensity,
                    wanted: wanted.clone(),
                    case: 0,
                }
            })
            .collect()
    }

    #[test]
    fn every_estimator_covers_what_the_policy_is_worth() {
        // .2 × .1 + .8 × .3
        let truth = 0.26;
        let mut covered = [0; 3];
        for seed in 0..40 {
            let report = value(&log(1_000, seed));
            for (count, found) in covered.iter_mut().zip([report.ipw, report.snipw, report.dr]) {
                let Value { low, high, .. } = found.unwrap();
                *count += usize::from(low <= truth && truth <= high);
            }
        }
        assert!(covered.iter().all(|count| *count >= 36), "{covered:?} of 40");
        let report = value(&log(10_000, 1));
        assert!((report.dr.unwrap().value - truth).abs() < 0.03, "{report:?}");
        assert!((report.effective_rows / 10_000.0 - 1.0 / 3.25).abs() < 0.02, "{report:?}");
    }

    #[test]
    fn an_interval_reaches_further_where_rewards_are_skewed() {
        let choice = |reward: f64| Choice {
            action: "a".into(),
            reward,
            propensity: 1.0,
            wanted: BTreeMap::from([("a".to_owned(), 1.0)]),
            case: 0,
        };
        // Rare large orders are missed more often than met.
        let rare: Vec<Choice> =
            (0..400).map(|n| choice(if n % 16 == 0 { 50.0 } else { 0.0 })).collect();
        let Value { value: mean, low, high } = value(&rare).ipw.unwrap();
        assert!(
            (mean - 3.125).abs() < 1e-9 && low > 0.0 && high - mean > 1.2 * (mean - low),
            "{low} to {high}"
        );
        // As many above as below: the same to both sides.
        let even: Vec<Choice> = (0..400).map(|n| choice(f64::from(n % 2))).collect();
        let Value { value: mean, low, high } = value(&even).ipw.unwrap();
        assert!((high - mean - (mean - low)).abs() < 1e-6 && high > mean, "{low} to {high}");
    }

    #[test]
    fn too_little_is_refused() {
        let report = value(&log(200, 1));
        assert!(
            report.dr.is_none() && report.cannot_tell.unwrap().contains("100 and 20 are the least")
        );
        assert!(value(&[]).cannot_tell.is_some());
        let mut unknown = log(2_000, 1);
        for choice in &mut unknown {
            choice.wanted = BTreeMap::from([("b".to_owned(), 0.5), ("c".to_owned(), 0.5)]);
        }
        let report = value(&unknown);
        assert!(report.cannot_tell.unwrap().starts_with("50% of the policy's choices"));
    }

    #[test]
    fn chances_that_can_not_be_right_are_doubted() {
        assert!(!value(&log(2_000, 1)).doubtful);
        let mut wrong = log(2_000, 1);
        for choice in &mut wrong {
            choice.propensity = 0.5;
        }
        assert!(value(&wrong).doubtful);
    }
}
