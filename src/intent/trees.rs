//! Boosted trees on histograms, by the crate `forust-ml`. The only file that knows it.

use forust_ml::data::Matrix;
use forust_ml::gradientbooster::{ContributionsMethod, GradientBooster, GrowPolicy};
use forust_ml::metric::Metric;
use forust_ml::sampler::SampleMethod;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use serde::{Deserialize, Serialize};

/// An average of boosted ensembles that differ in what rows and columns their trees saw.
#[derive(Serialize, Deserialize)]
pub struct Trees {
    columns: usize,
    boosters: Vec<GradientBooster>,
}

/// How trees are grown.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Ensembles that are averaged; each holds out other rows to know when to stop.
    pub ensembles: usize,
    /// Trees at most in each.
    pub trees: usize,
    pub rate: f32,
    pub leaves: usize,
    /// Share of rows and of columns that a tree sees.
    pub subsample: (f32, f64),
    /// Least sum of p(1 − p) over the rows of a leaf.
    pub leaf_weight: f32,
    /// Weight of the squared leaf values in what is minimised.
    pub l2: f32,
    /// Trees without a better loss on held-out rows after which growing stops.
    pub patience: usize,
    pub seed: u64,
}

/// Why trees can't be grown.
#[derive(Debug, thiserror::Error)]
#[error("the trees can't be grown: {0}")]
pub struct TreesError(String);

impl Trees {
    /// Trains on column-major numbers, `NaN` where missing.
    ///
    /// # Errors
    /// When the crate refuses the rows.
    pub fn fit(recipe: &Recipe, columns: &[f64], labels: &[bool]) -> Result<Self, TreesError> {
        let rows = labels.len();
        let width = columns.len() / rows.max(1);
        let parts = recipe.ensembles.max(1);
        let mut order: Vec<usize> = (0..rows).collect();
        order.shuffle(&mut StdRng::seed_from_u64(recipe.seed));
        let mut boosters = Vec::with_capacity(parts);
        for part in 0..parts {
            // An eighth of the rows says when to stop, another one for each ensemble.
            let held: Vec<usize> = order.iter().copied().skip(part % 8).step_by(8).collect();
            let kept: Vec<usize> = (0..8)
                .filter(|k| *k != part % 8)
                .flat_map(|k| order.iter().copied().skip(k).step_by(8))
                .collect();
            let (train, train_labels) = gather(columns, rows, labels, &kept);
            let (test, test_labels) = gather(columns, rows, labels, &held);
            let mut booster = GradientBooster::default()
                .set_iterations(recipe.trees)
                .set_learning_rate(recipe.rate)
                .set_max_depth(8)
                .set_max_leaves(recipe.leaves)
                .set_l2(recipe.l2)
                .set_min_leaf_weight(recipe.leaf_weight)
                .set_sample_method(SampleMethod::Random)
                .set_subsample(recipe.subsample.0)
                .set_colsample_bytree(recipe.subsample.1)
                .set_nbins(128)
                .set_evaluation_metric(Some(Metric::LogLoss))
                .set_early_stopping_rounds(Some(recipe.patience))
                .set_seed(recipe.seed.wrapping_add(part as u64));
            // The best leaf is split next, not the next level.
            booster.grow_policy = GrowPolicy::LossGuide;
            let ones = vec![1.0; train_labels.len()];
            let test_ones = vec![1.0; test_labels.len()];
            let matrix = Matrix::new(&train, train_labels.len(), width);
            let held_out = (!held.is_empty()).then(|| {
                vec![(
                    Matrix::new(&test, test_labels.len(), width),
                    &test_labels[..],
                    &test_ones[..],
                )]
            });
            booster
                .fit(&matrix, &train_labels, &ones, held_out)
                .map_err(|error| TreesError(error.to_string()))?;
            booster.evaluation_history = None;
            boosters.push(booster);
        }
        Ok(Self { columns: width, boosters })
    }

    /// Mean log-odds of each row of column-major numbers.
    #[must_use]
    pub fn predict(&self, columns: &[f64]) -> Vec<f32> {
        let rows = columns.len() / self.columns.max(1);
        let mut sums = vec![0.0; rows];
        for booster in &self.boosters {
            let each = booster.predict(&Matrix::new(columns, rows, self.columns), rows > 256);
            sums.iter_mut().zip(each).for_each(|(sum, z)| *sum += z);
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "seven digits are enough"
        )]
        sums.into_iter().map(|sum| (sum / self.boosters.len().max(1) as f64) as f32).collect()
    }

    /// Shapley values of one row (Lundberg et al. 2018): what each column adds to the log-odds of
    /// an average row, exact for these trees.
    #[must_use]
    pub fn contributions(&self, row: &[f64]) -> Vec<f32> {
        let mut sums = vec![0.0; row.len()];
        for booster in &self.boosters {
            let each = booster.predict_contributions(
                &Matrix::new(row, 1, self.columns),
                ContributionsMethod::Shapley,
                false,
            );
            // One more stands for the average row.
            sums.iter_mut().zip(each).for_each(|(sum, z)| *sum += z);
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "seven digits are enough"
        )]
        sums.into_iter().map(|sum| (sum / self.boosters.len().max(1) as f64) as f32).collect()
    }
}

impl std::fmt::Debug for Trees {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let trees: usize = self.boosters.iter().map(|booster| booster.trees.len()).sum();
        f.debug_struct("Trees")
            .field("ensembles", &self.boosters.len())
            .field("trees", &trees)
            .finish_non_exhaustive()
    }
}

fn gather(columns: &[f64], rows: usize, labels: &[bool], chosen: &[usize]) -> (Vec<f64>, Vec<f64>) {
    let numbers = columns
        .chunks(rows.max(1))
        .flat_map(|column| chosen.iter().map(|row| column[*row]))
        .collect();
    (numbers, chosen.iter().map(|row| f64::from(u8::from(labels[*row]))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_learn_an_interaction_and_say_what_moved_a_row() {
        // Bought when both or neither of two things is above the middle; a third column tells
        // nothing, and some of it is missing.
        let row = |i: u32| {
            (
                f64::from(i % 20),
                f64::from(i / 20 % 20),
                if i.is_multiple_of(7) { f64::NAN } else { f64::from(i % 5) },
            )
        };
        let rows: Vec<_> = (0..800).map(row).collect();
        let columns: Vec<f64> = rows
            .iter()
            .map(|r| r.0)
            .chain(rows.iter().map(|r| r.1))
            .chain(rows.iter().map(|r| r.2))
            .collect();
        let labels: Vec<bool> = rows.iter().map(|r| (r.0 >= 10.0) == (r.1 >= 10.0)).collect();
        let recipe = Recipe {
            ensembles: 2,
            trees: 100,
            rate: 0.3,
            leaves: 8,
            subsample: (0.8, 1.0),
            leaf_weight: 1.0,
            l2: 1.0,
            patience: 10,
            seed: 1,
        };
        let trees = Trees::fit(&recipe, &columns, &labels).unwrap();
        let right = trees
            .predict(&columns)
            .iter()
            .zip(&labels)
            .filter(|(z, label)| (**z > 0.0) == **label)
            .count();
        assert!(right > 780, "{right}");
        let contributions = trees.contributions(&[15.0, 15.0, f64::NAN]);
        assert!(
            contributions[2].abs() < 0.3 * (contributions[0].abs() + contributions[1].abs()),
            "{contributions:?}"
        );
        let text = serde_json::to_string(&trees).unwrap();
        let again: Trees = serde_json::from_str(&text).unwrap();
        assert_eq!(trees.predict(&columns), again.predict(&columns));
    }
}
