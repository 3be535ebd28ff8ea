//! How good predictions are. Pure.

use serde::{Deserialize, Serialize};

/// The quality of predicted probabilities of a purchase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    pub rows: usize,
    pub positives: usize,
    /// Probability that a row with a purchase scores above one without; see [`auroc`].
    pub auroc: f64,
    /// Mean precision over recall; see [`auprc`].
    pub auprc: f64,
    /// Mean squared error of the probability. Lower is better.
    pub brier: f64,
    /// Expected calibration error; see [`ece`].
    pub ece: f64,
    /// Mean negative log-likelihood, in nats. Lower is better; it decides between models.
    pub log_loss: f64,
    /// Share of rows on the right side of 0.5.
    pub accuracy: f64,
    /// Mean of both classes' F1 at 0.5.
    pub macro_f1: f64,
}

impl Quality {
    /// Measures probabilities (0…1) against what happened.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of rows")]
    pub fn of(probabilities: &[f32], labels: &[bool]) -> Self {
        let rows = labels.len().max(1) as f64;
        let pairs = || probabilities.iter().map(|p| f64::from(*p)).zip(labels.iter().copied());
        let brier =
            pairs().map(|(p, label)| (p - f64::from(u8::from(label))).powi(2)).sum::<f64>() / rows;
        let predicted: Vec<usize> = probabilities.iter().map(|p| usize::from(*p >= 0.5)).collect();
        let actual: Vec<usize> = labels.iter().map(|label| usize::from(*label)).collect();
        Self {
            rows: labels.len(),
            positives: labels.iter().filter(|label| **label).count(),
            auroc: auroc(probabilities, labels),
            auprc: auprc(probabilities, labels),
            brier,
            ece: ece(probabilities, labels),
            log_loss: Self::log_loss_of(probabilities, labels),
            accuracy: accuracy(&predicted, &actual),
            macro_f1: macro_f1(&predicted, &actual),
        }
    }

    /// Mean negative log-likelihood, in nats.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of rows")]
    pub fn log_loss_of(probabilities: &[f32], labels: &[bool]) -> f64 {
        let pairs = probabilities.iter().map(|p| f64::from(*p)).zip(labels);
        let losses = pairs.map(|(p, label)| -if *label { p } else { 1.0 - p }.max(1e-7).ln());
        losses.sum::<f64>() / labels.len().max(1) as f64
    }
}

/// Area under the receiver operating characteristic: the Mann–Whitney statistic, where ties count
/// half. 0.5 if one class is absent.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of rows")]
pub fn auroc(scores: &[f32], labels: &[bool]) -> f64 {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let positives = labels.iter().filter(|label| **label).count();
    let negatives = labels.len() - positives;
    if positives == 0 || negatives == 0 {
        return 0.5;
    }
    let mut rank_sum = 0.0;
    let mut start = 0;
    while start < order.len() {
        let tied =
            order[start..].iter().take_while(|row| scores[**row] == scores[order[start]]).count();
        let mean_rank = start as f64 + (tied as f64 + 1.0) / 2.0;
        rank_sum += mean_rank
            * order[start..start + tied].iter().filter(|row| labels[**row]).count() as f64;
        start += tied;
    }
    let (positives, negatives) = (positives as f64, negatives as f64);
    (rank_sum - positives * (positives + 1.0) / 2.0) / (positives * negatives)
}

/// Average precision: Σ (recallₙ − recallₙ₋₁) · precisionₙ over falling thresholds, without
/// interpolation. Rows of equal score share a threshold. 0 without positives.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of rows")]
pub fn auprc(scores: &[f32], labels: &[bool]) -> f64 {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    let positives = labels.iter().filter(|label| **label).count();
    let (mut area, mut hits, mut start) = (0.0, 0, 0);
    while start < order.len() {
        let tied =
            order[start..].iter().take_while(|row| scores[**row] == scores[order[start]]).count();
        let gained = order[start..start + tied].iter().filter(|row| labels[**row]).count();
        start += tied;
        hits += gained;
        area += gained as f64 / positives.max(1) as f64 * (hits as f64 / start as f64);
    }
    area
}

/// One bar of a calibration plot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    pub rows: usize,
    /// Mean predicted probability.
    pub predicted: f64,
    /// Share that came to a purchase.
    pub observed: f64,
}

/// Probabilities in ten equally wide bins; bins without rows are left out.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "ten bins over 0…1"
)]
pub fn reliability(probabilities: &[f32], labels: &[bool]) -> Vec<Bin> {
    let mut bins = [Bin::default(); 10];
    for (p, label) in probabilities.iter().zip(labels) {
        let bin = &mut bins[((p * 10.0) as usize).min(9)];
        bin.rows += 1;
        bin.predicted += f64::from(*p);
        bin.observed += f64::from(u8::from(*label));
    }
    let filled = bins.into_iter().filter(|bin| bin.rows > 0);
    filled
        .map(|bin| Bin {
            rows: bin.rows,
            predicted: bin.predicted / bin.rows as f64,
            observed: bin.observed / bin.rows as f64,
        })
        .collect()
}

/// Expected calibration error (Naeini et al. 2015): the gap between predicted and observed share,
/// over ten equally wide bins, weighted by their rows.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of rows")]
pub fn ece(probabilities: &[f32], labels: &[bool]) -> f64 {
    let rows = labels.len().max(1) as f64;
    reliability(probabilities, labels)
        .iter()
        .map(|bin| bin.rows as f64 / rows * (bin.predicted - bin.observed).abs())
        .sum()
}

/// Share of equal pairs.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of rows")]
pub fn accuracy(predicted: &[usize], actual: &[usize]) -> f64 {
    let right =
        predicted.iter().zip(actual).filter(|(predicted, actual)| predicted == actual).count();
    right as f64 / actual.len().max(1) as f64
}

/// Mean F1 over the classes that occur in `actual` or `predicted`, each counted alike.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of rows")]
pub fn macro_f1(predicted: &[usize], actual: &[usize]) -> f64 {
    let classes = predicted.iter().chain(actual).max().map_or(0, |class| class + 1);
    // Right, predicted, actual.
    let mut counts = vec![(0_usize, 0_usize, 0_usize); classes];
    for (predicted, actual) in predicted.iter().zip(actual) {
        counts[*predicted].1 += 1;
        counts[*actual].2 += 1;
        counts[*actual].0 += usize::from(predicted == actual);
    }
    let seen: Vec<f64> = counts
        .iter()
        .filter(|(_, predicted, actual)| predicted + actual > 0)
        .map(|(right, predicted, actual)| 2.0 * *right as f64 / (predicted + actual) as f64)
        .collect();
    seen.iter().sum::<f64>() / seen.len().max(1) as f64
}

/// Population stability index of two distributions over the same bins: Σ (aᵢ − eᵢ) · ln(aᵢ / eᵢ),
/// with half a row added to every bin. Above 0.1 is a shift worth a look, above 0.25 a large one
/// (the usual reading in credit scoring).
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of rows")]
pub fn psi(expected: &[u64], actual: &[u64]) -> f64 {
    let share = |counts: &[u64], i: usize| {
        let total = counts.iter().sum::<u64>() as f64 + counts.len() as f64 / 2.0;
        (counts.get(i).copied().unwrap_or(0) as f64 + 0.5) / total
    };
    (0..expected.len())
        .map(|i| {
            let (e, a) = (share(expected, i), share(actual, i));
            (a - e) * (a / e).ln()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
    }

    /// By hand, and as scikit-learn 1.9 computes them.
    #[test]
    fn they_agree_with_the_textbook() {
        let scores = [0.1, 0.4, 0.35, 0.8];
        let labels = [false, false, true, true];
        check(auroc(&scores, &labels), 0.75);
        check(auprc(&scores, &labels), 0.833_333_333);
        check(auroc(&[0.5; 4], &labels), 0.5);
        check(auprc(&[0.5; 4], &labels), 0.5);
        check(auroc(&scores, &[true; 4]), 0.5);
        let quality = Quality::of(&scores, &labels);
        check(quality.brier, 0.158_125);
        check(quality.accuracy, 0.75);
        check(quality.macro_f1, (0.8 + 2.0 / 3.0) / 2.0);
    }

    #[test]
    fn calibration_error_is_the_mean_gap() {
        check(ece(&[0.25; 4], &[true, false, false, false]), 0.0);
        check(
            ece(&[0.25, 0.25, 0.95, 0.95], &[false, false, true, false]),
            0.5 * 0.25 + 0.5 * 0.45,
        );
        check(ece(&[], &[]), 0.0);
    }

    #[test]
    fn stability_tells_a_shift() {
        assert!(psi(&[100, 100, 100], &[101, 99, 100]) < 0.001);
        assert!(psi(&[100, 100, 100], &[10, 20, 270]) > 0.25);
    }
}
