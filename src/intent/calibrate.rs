//! Scores → probabilities that mean what they say. Pure.

use serde::{Deserialize, Serialize};

/// A monotone map from a score (log-odds) to a probability.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum Calibration {
    /// Platt (1999): `1 / (1 + exp(-(slope · score + offset)))`.
    Platt { slope: f32, offset: f32 },
    /// Isotonic regression: straight lines between points of rising score and probability.
    Isotonic { points: Vec<(f32, f32)> },
}

/// Isotonic regression has as many free values as the data asks for; below this many rows it fits
/// noise.
const ISOTONIC_ROWS: usize = 1000;
/// Parts of the cross-validation that chooses the method.
const FOLDS: usize = 5;

impl Calibration {
    /// Fits both methods to scores that were predicted without having seen their row, and takes the
    /// one with the lower cross-validated squared error.
    #[must_use]
    pub fn fit(scores: &[f32], labels: &[bool]) -> Self {
        if labels.len() < ISOTONIC_ROWS {
            return Self::platt(scores, labels);
        }
        let error = |fit: fn(&[f32], &[bool]) -> Self| -> f64 {
            (0..FOLDS)
                .map(|fold| {
                    let part = |inside: bool| -> (Vec<f32>, Vec<bool>) {
                        let rows = (0..labels.len()).filter(|row| (row % FOLDS == fold) == inside);
                        rows.map(|row| (scores[row], labels[row])).unzip()
                    };
                    let (scores, labels) = part(false);
                    let fitted = fit(&scores, &labels);
                    let (scores, labels) = part(true);
                    let gaps = scores.iter().zip(labels).map(|(score, label)| {
                        (f64::from(fitted.probability(*score)) - f64::from(u8::from(label))).powi(2)
                    });
                    gaps.sum::<f64>()
                })
                .sum()
        };
        if error(Self::isotonic) < error(Self::platt) {
            Self::isotonic(scores, labels)
        } else {
            Self::platt(scores, labels)
        }
    }

    /// The two numbers of Platt's sigmoid by Newton's method, with his targets (N₊ + 1) / (N₊ + 2)
    /// and 1 / (N₋ + 2), as Lin, Lin and Weng (2007) have it.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "counts; seven digits are enough"
    )]
    pub fn platt(scores: &[f32], labels: &[bool]) -> Self {
        let positives = labels.iter().filter(|label| **label).count() as f64;
        let negatives = labels.len() as f64 - positives;
        let (high, low) = ((positives + 1.0) / (positives + 2.0), 1.0 / (negatives + 2.0));
        let (mut slope, mut offset) = (1.0_f64, 0.0_f64);
        let loss = |slope: f64, offset: f64| -> f64 {
            let each = scores.iter().zip(labels).map(|(score, label)| {
                let z = slope * f64::from(*score) + offset;
                let target = if *label { high } else { low };
                // ln(1 + eᶻ) − target · z, without overflow.
                z.max(0.0) + (-z.abs()).exp().ln_1p() - target * z
            });
            each.sum()
        };
        let mut current = loss(slope, offset);
        for _ in 0..100 {
            let (mut g, mut h) = ([0.0_f64; 2], [1e-9_f64, 0.0, 1e-9]);
            for (score, label) in scores.iter().zip(labels) {
                let score = f64::from(*score);
                let p = sigmoid(slope * score + offset);
                let (gap, weight) = (p - if *label { high } else { low }, p * (1.0 - p));
                g = [g[0] + gap * score, g[1] + gap];
                h = [h[0] + weight * score * score, h[1] + weight * score, h[2] + weight];
            }
            if g[0].abs() < 1e-6 && g[1].abs() < 1e-6 {
                break;
            }
            let det = (h[0] * h[2] - h[1] * h[1]).max(1e-12);
            let step = [(h[2] * g[0] - h[1] * g[1]) / det, (h[0] * g[1] - h[1] * g[0]) / det];
            // Half the step until it helps.
            let mut share = 1.0;
            let better = loop {
                let tried = (slope - share * step[0], offset - share * step[1]);
                let reached = loss(tried.0, tried.1);
                if reached < current {
                    (slope, offset) = tried;
                    current = reached;
                    break true;
                }
                share /= 2.0;
                if share < 1e-8 {
                    break false;
                }
            };
            if !better {
                break;
            }
        }
        Self::Platt { slope: slope as f32, offset: offset as f32 }
    }

    /// Pools neighbours that break the order (Ayer et al. 1955), and draws lines between the pools'
    /// means.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "seven digits are enough")]
    pub fn isotonic(scores: &[f32], labels: &[bool]) -> Self {
        let mut order: Vec<usize> = (0..labels.len()).collect();
        order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
        // Sum of scores, of labels, rows.
        let mut pools: Vec<(f64, f64, f64)> = Vec::new();
        let mut last = f32::NEG_INFINITY;
        for row in order {
            let one = (f64::from(scores[row]), f64::from(u8::from(labels[row])), 1.0);
            match pools.last_mut().filter(|_| scores[row] == last) {
                Some(pool) => *pool = (pool.0 + one.0, pool.1 + one.1, pool.2 + one.2),
                None => pools.push(one),
            }
            last = scores[row];
            while let [.., before, pool] = pools.as_slice() {
                if before.1 / before.2 < pool.1 / pool.2 {
                    break;
                }
                let joined = (before.0 + pool.0, before.1 + pool.1, before.2 + pool.2);
                pools.truncate(pools.len() - 2);
                pools.push(joined);
            }
        }
        // A trace of both outcomes: nothing is certain because a few rows say so.
        let points = pools
            .iter()
            .map(|(score, label, rows)| {
                ((score / rows) as f32, ((label + 0.01) / (rows + 0.02)) as f32)
            })
            .collect();
        Self::Isotonic { points }
    }

    /// The probability of a score.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "a probability")]
    pub fn probability(&self, score: f32) -> f32 {
        match self {
            Self::Platt { slope, offset } => sigmoid(f64::from(slope * score + offset)) as f32,
            Self::Isotonic { points } => {
                let after = points.partition_point(|(at, _)| *at < score);
                match (after.checked_sub(1).and_then(|i| points.get(i)), points.get(after)) {
                    (Some((x0, y0)), Some((x1, y1))) => {
                        y0 + (y1 - y0) * (score - x0) / (x1 - x0).max(f32::EPSILON)
                    }
                    (Some((_, y)), None) | (None, Some((_, y))) => *y,
                    (None, None) => 0.5,
                }
            }
        }
    }
}

/// Log-odds → probability.
#[must_use]
pub fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// Probability → log-odds, bounded to ±13.8.
#[must_use]
pub fn logit(p: f32) -> f32 {
    let p = p.clamp(1e-6, 1.0 - 1e-6);
    (p / (1.0 - p)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intent::metrics::ece;

    /// Scores whose true probability is known: the k-th of 2,000 has log-odds from −4 to 4, and its
    /// label follows a fixed low-discrepancy sequence.
    #[expect(clippy::cast_possible_truncation, reason = "test rows")]
    fn world() -> (Vec<f32>, Vec<bool>) {
        (0..2000)
            .map(|k| {
                let z = -4.0 + 8.0 * f64::from(k) / 2000.0;
                let u = (f64::from(k) * 0.618_033_988_749_895).fract();
                (z as f32, u < sigmoid(z))
            })
            .unzip()
    }

    #[test]
    fn overconfident_scores_are_brought_back() {
        let (scores, labels) = world();
        let loud: Vec<f32> = scores.iter().map(|score| 3.0 * score + 1.0).collect();
        for fitted in [Calibration::platt(&loud, &labels), Calibration::isotonic(&loud, &labels)] {
            let p: Vec<f32> = loud.iter().map(|score| fitted.probability(*score)).collect();
            assert!(ece(&p, &labels) < 0.02, "{} after {fitted:?}", ece(&p, &labels));
        }
        let Calibration::Platt { slope, offset } = Calibration::platt(&loud, &labels) else {
            panic!()
        };
        assert!(
            (slope - 1.0 / 3.0).abs() < 0.03 && (offset + 1.0 / 3.0).abs() < 0.1,
            "{slope} {offset}"
        );
    }

    #[test]
    fn the_order_of_scores_is_kept() {
        let (scores, labels) = world();
        let fitted = Calibration::isotonic(&scores, &labels);
        let p: Vec<f32> = (-60..60).map(|z| fitted.probability(z as f32 / 10.0)).collect();
        assert!(p.windows(2).all(|pair| pair[0] <= pair[1]));
        assert!(Calibration::isotonic(&[], &[]).probability(1.0) == 0.5);
    }

    #[test]
    fn a_single_outcome_does_not_run_away() {
        let fitted = Calibration::fit(&[0.1, 0.2, 0.3], &[true; 3]);
        assert!(fitted.probability(0.2).is_finite());
    }
}
