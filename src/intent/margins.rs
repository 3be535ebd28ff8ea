//! Linear support vector machines, one class against the rest, over a text's embedding beside its
//! hashed words: with many examples they draw the borders between neighbouring classes sharper than
//! a logistic layer. Trained by dual coordinate descent (Hsieh et al. 2008, L2-regularised, squared
//! hinge loss). Pure; the same rows and seed give the same weights.

use std::num::NonZero;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use serde::{Deserialize, Serialize};

use crate::signals::Meaning;

/// A text as the machines see it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Row<'a> {
    /// Its embedding, of length 1.
    pub(super) dense: &'a [f32],
    /// Places and values of its words, of length 1 together.
    pub(super) sparse: Vec<(u32, f32)>,
}

/// A class's weights, in 8 bits a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Machine {
    dense: Meaning,
    sparse: Meaning,
    bias: f32,
}

/// One machine per class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Margins {
    machines: Vec<Machine>,
}

/// What a row on the wrong side of its margin costs, against the weights' length. Chosen on
/// validation rows of BANKING77, where .2 to .5 differ by .003.
const COST: f64 = 0.5;
/// Passes over the rows at most, and how far from the optimum (largest difference of projected
/// gradients) they may end.
const PASSES: usize = 40;
const TOLERANCE: f64 = 0.1;

impl Margins {
    /// Learns from rows and their classes (0…`count` − 1); `places` is how many places the sparse
    /// parts have. Takes every processor.
    pub(super) fn fit(
        rows: &[Row<'_>],
        labels: &[u32],
        count: usize,
        places: usize,
        seed: u64,
    ) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        let mut machines: Vec<Option<Machine>> = vec![None; count];
        std::thread::scope(|scope| {
            for (part, chunk) in machines.chunks_mut(count.div_ceil(threads).max(1)).enumerate() {
                let first = part * count.div_ceil(threads).max(1);
                scope.spawn(move || {
                    for (class, machine) in chunk.iter_mut().enumerate() {
                        *machine = Some(machine_of(rows, labels, first + class, places, seed));
                    }
                });
            }
        });
        Self { machines: machines.into_iter().flatten().collect() }
    }

    /// How far a text is on each class's side, 1 being the margin; `None` if its embedding isn't as
    /// long as in training.
    pub(super) fn of(&self, row: &Row<'_>) -> Option<Vec<f32>> {
        let side = |machine: &Machine| {
            if machine.dense.values.len() != row.dense.len() {
                return None;
            }
            let dense: f32 =
                machine.dense.values.iter().zip(row.dense).map(|(w, x)| f32::from(*w) * x).sum();
            let weight =
                |place: u32| machine.sparse.values.get(place as usize).copied().unwrap_or_default();
            let sparse: f32 =
                row.sparse.iter().map(|(place, x)| f32::from(weight(*place)) * x).sum();
            Some(dense * machine.dense.scale + sparse * machine.sparse.scale + machine.bias)
        };
        self.machines.iter().map(side).collect()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "weights are near 1")]
fn machine_of(rows: &[Row<'_>], labels: &[u32], class: usize, places: usize, seed: u64) -> Machine {
    let width = rows.first().map_or(0, |row| row.dense.len());
    let mut dense = vec![0.0_f32; width];
    let mut sparse = vec![0.0_f32; places];
    let mut bias = 0.0_f32;
    let slack = 1.0 / (2.0 * COST);
    let squares: Vec<f64> = rows.iter().map(|row| f64::from(square(row)) + slack).collect();
    let mut alphas = vec![0.0_f64; rows.len()];
    let mut order: Vec<usize> = (0..rows.len()).collect();
    let mut random = StdRng::seed_from_u64(seed ^ class as u64);
    for _ in 0..PASSES {
        order.shuffle(&mut random);
        let (mut highest, mut lowest) = (f64::NEG_INFINITY, f64::INFINITY);
        for &at in &order {
            let (row, alpha) = (&rows[at], alphas[at]);
            let side = if labels[at] as usize == class { 1.0_f32 } else { -1.0 };
            let inner = row.dense.iter().zip(&dense).map(|(x, w)| x * w).sum::<f32>()
                + row.sparse.iter().map(|(place, x)| x * sparse[*place as usize]).sum::<f32>()
                + bias;
            let gradient = f64::from(side * inner) - 1.0 + slack * alpha;
            let projected = if alpha > 0.0 { gradient } else { gradient.min(0.0) };
            (highest, lowest) = (highest.max(projected), lowest.min(projected));
            if projected.abs() < 1e-9 {
                continue;
            }
            alphas[at] = (alpha - gradient / squares[at]).max(0.0);
            let step = (alphas[at] - alpha) as f32 * side;
            dense.iter_mut().zip(row.dense).for_each(|(w, x)| *w += step * x);
            row.sparse.iter().for_each(|(place, x)| sparse[*place as usize] += step * x);
            bias += step;
        }
        if highest - lowest < TOLERANCE {
            break;
        }
    }
    Machine { dense: Meaning::of(&dense), sparse: Meaning::of(&sparse), bias }
}

/// Squared length, with the 1 that the bias is the weight of.
fn square(row: &Row<'_>) -> f32 {
    row.dense.iter().map(|x| x * x).sum::<f32>()
        + row.sparse.iter().map(|(_, x)| x * x).sum::<f32>()
        + 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_border_lies_between_the_nearest() {
        // Along one side, classes 0, 1 and 2; words tell 3 from 0.
        let points: Vec<(Vec<f32>, u32)> = (0..60_u16)
            .map(|i| {
                let class = u32::from(i % 4);
                let at = [0.0, 1.0, 2.0, 0.1][class as usize] + f32::from(i % 7) * 0.02;
                (vec![at.cos(), at.sin()], class)
            })
            .collect();
        let rows: Vec<Row<'_>> = points
            .iter()
            .map(|(point, class)| Row { dense: point, sparse: vec![(u32::from(*class == 3), 1.0)] })
            .collect();
        let labels: Vec<u32> = points.iter().map(|(_, class)| *class).collect();
        let margins = Margins::fit(&rows, &labels, 4, 2, 1);
        let best = |row: &Row<'_>| {
            let sides = margins.of(row).unwrap();
            (0..sides.len()).max_by(|a, b| sides[*a].total_cmp(&sides[*b])).unwrap()
        };
        let right =
            rows.iter().zip(&labels).filter(|(row, label)| best(row) == **label as usize).count();
        assert_eq!(right, rows.len());
        assert_eq!(margins, Margins::fit(&rows, &labels, 4, 2, 1), "the same seed gives the same");
        assert_eq!(
            margins.of(&Row { dense: &[1.0], sparse: Vec::new() }),
            None,
            "another embedding model"
        );
        let text = serde_json::to_string(&margins).unwrap();
        assert_eq!(serde_json::from_str::<Margins>(&text).unwrap(), margins);
    }
}
