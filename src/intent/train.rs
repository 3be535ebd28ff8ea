//! Rows with outcomes → a purchase model: a logistic baseline, a small network, boosted trees and a
//! blend of them, compared on rows that they didn't see. What is best calibrated there is the
//! model, not a favourite.

use std::time::Instant;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use serde::{Deserialize, Serialize};

use crate::intent::calibrate::Calibration;
use crate::intent::columns::{Encoder, Vectors};
use crate::intent::metrics::Quality;
use crate::intent::network::{self, Network, Targets};
use crate::intent::table::{Column, Table};
use crate::intent::trees::{self, Trees};

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    #[error(
        "{rows} rows with {positives} purchases are too few to learn from; at least {MIN_OF_EACH} of each outcome are needed{}",
        if rows == positives && *rows > 0 {
            "; every row is a purchase: report what came to none, too, or let silence count after a while (`outcome_after_days` of the site)"
        } else {
            ""
        }
    )]
    TooFew { rows: usize, positives: usize },
    #[error("the examples name {classes} class(es); at least two are needed")]
    TooFewClasses { classes: usize },
    #[error("no column tells rows apart: each holds a single value")]
    NoColumns,
    #[error("the numbers could not be computed: {0}")]
    Compute(#[from] network::Error),
    #[error(transparent)]
    Trees(#[from] trees::TreesError),
}

/// Rows of each outcome from which training makes sense.
pub const MIN_OF_EACH: usize = 20;
/// Parts of the cross-validation that compares the models and calibrates them.
const FOLDS: usize = 4;
/// Networks that are averaged; they differ in their seed alone.
const NETWORKS: u64 = 2;

/// The kinds of models that every training compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Logistic,
    Network,
    Trees,
    Blend,
}

impl Kind {
    /// Those that stand by themselves.
    const PARTS: [Self; 3] = [Self::Logistic, Self::Network, Self::Trees];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Logistic => "logistic",
            Self::Network => "network",
            Self::Trees => "trees",
            Self::Blend => "blend",
        }
    }
}

/// A trained model with everything that serving needs.
#[derive(Debug, Serialize, Deserialize)]
pub struct Model {
    pub kind: Kind,
    encoder: Encoder,
    /// Means of the first view over the training rows: the average visitor, whom explanations
    /// compare with.
    center: Vec<f32>,
    /// The log-odds is the sum of the parts' log-odds times their weights.
    parts: Vec<(f32, Part)>,
    calibration: Calibration,
}

#[derive(Debug, Serialize, Deserialize)]
enum Part {
    Logistic(Network),
    /// Networks whose outputs are averaged.
    Network(Vec<Network>),
    Trees(Trees),
}

/// What moved a prediction.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Moved {
    pub column: String,
    /// Added to the log-odds compared with an average row.
    pub log_odds: f32,
}

/// One kind's result in the comparison.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Compared {
    pub kind: Kind,
    /// On rows that neither model nor calibration saw.
    pub quality: Quality,
    /// Seconds for one fit on the training rows of a fold.
    pub train_s: f64,
}

/// The outcome of a training.
#[derive(Debug)]
pub struct Trained {
    /// The kind that [`Self::models`] should be deployed as: the lowest cross-validated log loss
    /// after calibration.
    pub chosen: Kind,
    pub compared: Vec<Compared>,
    /// Fitted on all rows; every kind, or only the chosen one.
    pub models: Vec<Model>,
}

/// What a training is given.
#[derive(Clone, Copy, Debug)]
pub struct Training<'a> {
    pub table: &'a Table,
    pub vectors: &'a Vectors,
    /// Rows of the same conversation have the same number and are never split between training and
    /// comparison.
    pub groups: Option<&'a [usize]>,
    pub seed: u64,
    /// Keep a model of every kind, for an evaluation that shows them side by side.
    pub keep_all: bool,
}

/// Trains and compares. `progress` hears of each of the `total` fits.
///
/// # Errors
/// When there are too few rows of an outcome, or no column tells anything.
pub fn train(
    training: Training<'_>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Trained, TrainError> {
    let table = training.table;
    // A conversation counts once, at however many moments it is looked at.
    let outcomes: rustc_hash::FxHashMap<usize, bool> = (0..table.len())
        .map(|row| (training.groups.map_or(row, |groups| groups[row]), table.labels[row]))
        .collect();
    let (rows, positives) = (outcomes.len(), outcomes.values().filter(|label| **label).count());
    if positives < MIN_OF_EACH || rows - positives < MIN_OF_EACH {
        return Err(TrainError::TooFew { rows, positives });
    }
    // In the end each part by itself, and those of the blend; parts that weigh nothing in it aren't
    // fitted again.
    let last = if training.keep_all { 2 } else { 1 };
    let total = (FOLDS + last) * Kind::PARTS.len();
    let mut done = 0;
    let mut step = || {
        done += 1;
        progress(done, total);
    };

    // Log-odds of every row by models that didn't see it.
    let folds = folds(&table.labels, training.groups, FOLDS, training.seed);
    let mut unseen = vec![vec![0.0_f32; table.len()]; Kind::PARTS.len()];
    let mut seconds = [0.0; Kind::PARTS.len()];
    for fold in 0..FOLDS {
        let (outside, inside): (Vec<usize>, Vec<usize>) =
            (0..table.len()).partition(|row| folds[*row] != fold);
        let rows = Rows::fit(&table.select(&outside), training.vectors)?;
        let test = table.select(&inside);
        for (i, kind) in Kind::PARTS.into_iter().enumerate() {
            let start = Instant::now();
            let part = rows.train(kind, training.seed)?;
            seconds[i] += start.elapsed().as_secs_f64() / FOLDS as f64;
            let logits = part.predict(&rows.encoder, &test, training.vectors)?;
            for (row, z) in inside.iter().zip(logits) {
                unseen[i][*row] = z;
            }
            step();
        }
    }

    let mut compared = Vec::new();
    let weights = blend(&unseen, &table.labels);
    let blended: Vec<f32> = mix(&unseen, &weights);
    let calibrated = |scores: &[f32]| cross_calibrated(scores, &table.labels, &folds);
    for (i, kind) in Kind::PARTS.into_iter().enumerate() {
        let quality = Quality::of(&calibrated(&unseen[i]), &table.labels);
        compared.push(Compared { kind, quality, train_s: seconds[i] });
    }
    let quality = Quality::of(&calibrated(&blended), &table.labels);
    compared.push(Compared { kind: Kind::Blend, quality, train_s: seconds.iter().sum() });
    let chosen = compared
        .iter()
        .min_by(|a, b| a.quality.log_loss.total_cmp(&b.quality.log_loss))
        .map_or(Kind::Logistic, |best| best.kind);

    let rows = Rows::fit(table, training.vectors)?;
    let mut models = Vec::new();
    let mut fitted = |kind: Kind| -> Result<Part, TrainError> {
        let part = rows.train(kind, training.seed);
        step();
        part
    };
    for (i, kind) in Kind::PARTS.into_iter().enumerate() {
        if training.keep_all || chosen == kind {
            let parts = vec![(1.0, fitted(kind)?)];
            models.push(rows.model(kind, parts, Calibration::fit(&unseen[i], &table.labels)));
        }
    }
    if training.keep_all || chosen == Kind::Blend {
        let mut parts = Vec::new();
        for (kind, weight) in
            Kind::PARTS.into_iter().zip(&weights).filter(|(_, weight)| **weight > 0.0)
        {
            parts.push((*weight, fitted(kind)?));
        }
        models.push(rows.model(Kind::Blend, parts, Calibration::fit(&blended, &table.labels)));
    }
    Ok(Trained { chosen, compared, models })
}

/// Which fold each row is in: both outcomes spread evenly, rows of a group together.
#[must_use]
pub fn folds(labels: &[bool], groups: Option<&[usize]>, count: usize, seed: u64) -> Vec<usize> {
    let group = |row: usize| groups.map_or(row, |groups| groups[row]);
    // The groups of each outcome in random order, then dealt out like cards.
    let mut known = rustc_hash::FxHashMap::default();
    for (row, label) in labels.iter().enumerate() {
        known.entry(group(row)).or_insert((row, *label));
    }
    let mut order: Vec<(usize, bool)> =
        known.into_iter().map(|(group, (_, label))| (group, label)).collect();
    order.sort_unstable();
    order.shuffle(&mut StdRng::seed_from_u64(seed));
    order.sort_by_key(|(_, label)| *label);
    let places: rustc_hash::FxHashMap<usize, usize> =
        order.iter().enumerate().map(|(i, (group, _))| (*group, i % count.max(1))).collect();
    (0..labels.len()).map(|row| places.get(&group(row)).copied().unwrap_or(0)).collect()
}

impl Model {
    /// The columns of a table that it looks at.
    pub fn columns(&self) -> impl Iterator<Item = &Column> {
        self.encoder.inputs()
    }

    #[must_use]
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// Calibrated probabilities of a purchase, one per row. Columns that the table lacks count as
    /// missing.
    ///
    /// # Errors
    /// When the rows are not of one width.
    pub fn predict(&self, table: &Table, vectors: &Vectors) -> Result<Vec<f32>, TrainError> {
        let mut sums = vec![0.0; table.len()];
        for (weight, part) in &self.parts {
            let logits = part.predict(&self.encoder, table, vectors)?;
            sums.iter_mut().zip(logits).for_each(|(sum, z)| *sum += weight * z);
        }
        Ok(sums.into_iter().map(|z| self.calibration.probability(z)).collect())
    }

    /// What moved the prediction of the first row, strongest first, in log-odds before calibration
    /// against an average row: the weighted sum of what moved each part. For the logistic part Σ
    /// w·(x − x̄) over a column's numbers, which is exact; for trees Shapley values, exact too; for
    /// networks the output minus the output with the column's numbers replaced by x̄, so that what
    /// two columns do only together is counted for both.
    ///
    /// # Errors
    /// When the rows are not of one width.
    pub fn explain(&self, table: &Table, vectors: &Vectors) -> Result<Vec<Moved>, TrainError> {
        let names: Vec<&str> = self.encoder.columns().map(|column| column.name.as_str()).collect();
        let mut moved = vec![0.0_f32; names.len()];
        let owners = self.encoder.owners();
        let first = table.select(&[0]);
        let row = self.encoder.dense(&first, vectors);
        for (weight, part) in &self.parts {
            match part {
                Part::Logistic(network) => {
                    let weights = network.linear_weights().unwrap_or_default();
                    for (i, w) in weights.iter().enumerate() {
                        moved[owners[i]] += weight * w * (row[i] - self.center[i]);
                    }
                }
                Part::Network(networks) => {
                    // The row itself, then once without each column.
                    let mut rows = row.clone();
                    for column in 0..names.len() {
                        rows.extend(
                            (0..row.len())
                                .map(|i| if owners[i] == column { self.center[i] } else { row[i] }),
                        );
                    }
                    let logits = average(networks, &rows)?;
                    for (column, z) in logits.iter().skip(1).enumerate() {
                        moved[column] += weight * (logits[0] - z);
                    }
                }
                Part::Trees(trees) => {
                    let values = trees.contributions(&self.encoder.plain(&first));
                    for (column, value) in self.encoder.plain_owners().into_iter().zip(values) {
                        moved[column] += weight * value;
                    }
                }
            }
        }
        let mut moved: Vec<Moved> = names
            .into_iter()
            .zip(moved)
            .map(|(column, log_odds)| Moved { column: column.to_owned(), log_odds })
            .collect();
        moved.sort_by(|a, b| b.log_odds.abs().total_cmp(&a.log_odds.abs()));
        Ok(moved)
    }
}

impl Part {
    fn predict(
        &self,
        encoder: &Encoder,
        table: &Table,
        vectors: &Vectors,
    ) -> Result<Vec<f32>, TrainError> {
        Ok(match self {
            Self::Logistic(network) => network.predict(&encoder.dense(table, vectors))?,
            Self::Network(networks) => average(networks, &encoder.dense(table, vectors))?,
            Self::Trees(trees) => trees.predict(&encoder.plain(table)),
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "a few networks")]
fn average(networks: &[Network], rows: &[f32]) -> Result<Vec<f32>, TrainError> {
    let mut sums: Vec<f32> = Vec::new();
    for network in networks {
        let logits = network.predict(rows)?;
        sums.resize(logits.len(), 0.0);
        sums.iter_mut().zip(logits).for_each(|(sum, z)| *sum += z / networks.len() as f32);
    }
    Ok(sums)
}

/// Training rows in both views.
struct Rows {
    encoder: Encoder,
    labels: Vec<bool>,
    dense: Vec<f32>,
    plain: Vec<f64>,
}

impl Rows {
    fn fit(table: &Table, vectors: &Vectors) -> Result<Self, TrainError> {
        let encoder = Encoder::fit(table, vectors);
        if encoder.width() == 0 {
            return Err(TrainError::NoColumns);
        }
        let (dense, plain) = (encoder.dense(table, vectors), encoder.plain(table));
        Ok(Self { encoder, labels: table.labels.clone(), dense, plain })
    }

    fn train(&self, kind: Kind, seed: u64) -> Result<Part, TrainError> {
        let (width, has_text) = (self.encoder.width(), self.encoder.has_text());
        let targets = Targets::Binary { labels: &self.labels, weight: 1.0 };
        Ok(match kind {
            Kind::Logistic | Kind::Blend => Part::Logistic(Network::fit(
                &logistic_recipe(has_text, seed),
                width,
                &self.dense,
                targets,
            )?),
            Kind::Network => {
                let networks = (0..NETWORKS).map(|i| {
                    Network::fit(&network_recipe(has_text, seed + i), width, &self.dense, targets)
                });
                Part::Network(networks.collect::<Result<_, _>>()?)
            }
            Kind::Trees => Part::Trees(Trees::fit(&trees_recipe(seed), &self.plain, &self.labels)?),
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "rows")]
    fn model(&self, kind: Kind, parts: Vec<(f32, Part)>, calibration: Calibration) -> Model {
        let width = self.encoder.width();
        let mut center = vec![0.0; width];
        for row in self.dense.chunks(width) {
            center.iter_mut().zip(row).for_each(|(mean, x)| *mean += x / self.labels.len() as f32);
        }
        Model { kind, encoder: self.encoder.clone(), center, parts, calibration }
    }
}

fn logistic_recipe(has_text: bool, seed: u64) -> network::Recipe {
    network::Recipe {
        hidden: vec![],
        epochs: 40,
        batch: 256,
        rate: 0.02,
        // Hundreds of numbers of an embedding fit noise unless they are held down.
        decay: if has_text { 8.0 } else { 0.02 },
        dropout: 0.0,
        patience: Some(6),
        seed,
    }
}

fn network_recipe(has_text: bool, seed: u64) -> network::Recipe {
    network::Recipe {
        hidden: vec![64, 32],
        epochs: 30,
        batch: 256,
        rate: 0.006,
        decay: if has_text { 1.0 } else { 0.02 },
        dropout: 0.3,
        patience: Some(6),
        seed,
    }
}

fn trees_recipe(seed: u64) -> trees::Recipe {
    trees::Recipe {
        ensembles: 3,
        trees: 900,
        rate: 0.03,
        leaves: 12,
        subsample: (0.7, 0.5),
        leaf_weight: 2.0,
        l2: 3.0,
        patience: 50,
        seed,
    }
}

/// Weights in steps of a tenth that add up to 1, with the lowest log loss after Platt's
/// calibration.
fn blend(unseen: &[Vec<f32>], labels: &[bool]) -> Vec<f32> {
    let mut best = (f64::INFINITY, vec![1.0, 0.0, 0.0]);
    for a in 0..=10_u8 {
        for b in 0..=10 - a {
            let weights = [a, b, 10 - a - b].map(|tenths| f32::from(tenths) / 10.0);
            let scores = mix(unseen, &weights);
            let fitted = Calibration::platt(&scores, labels);
            let p: Vec<f32> = scores.iter().map(|z| fitted.probability(*z)).collect();
            let loss = Quality::log_loss_of(&p, labels);
            if loss < best.0 {
                best = (loss, weights.to_vec());
            }
        }
    }
    best.1
}

fn mix(unseen: &[Vec<f32>], weights: &[f32]) -> Vec<f32> {
    let rows = unseen.first().map_or(0, Vec::len);
    (0..rows)
        .map(|row| unseen.iter().zip(weights).map(|(scores, weight)| weight * scores[row]).sum())
        .collect()
}

/// Calibrated probabilities where each row's calibration was fitted on the other folds.
fn cross_calibrated(scores: &[f32], labels: &[bool], folds: &[usize]) -> Vec<f32> {
    let mut probabilities = vec![0.0; scores.len()];
    for fold in 0..FOLDS {
        let outside = (0..scores.len()).filter(|row| folds[*row] != fold);
        let (known, outcomes): (Vec<f32>, Vec<bool>) =
            outside.map(|row| (scores[row], labels[row])).unzip();
        let fitted = Calibration::fit(&known, &outcomes);
        for row in (0..scores.len()).filter(|row| folds[*row] == fold) {
            probabilities[row] = fitted.probability(scores[row]);
        }
    }
    probabilities
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intent::table::{Kind as Holds, Value};

    /// Visits by formula: whoever looked at many pages for long buys, more so in November, and a
    /// third column tells nothing.
    fn visits() -> Table {
        let column = |name: &str, kind| Column { name: name.into(), kind };
        let mut table = Table {
            columns: vec![
                column("pages", Holds::Number),
                column("month", Holds::Category),
                column("screen", Holds::Number),
            ],
            ..Table::default()
        };
        for i in 0_u16..600 {
            // Three low-discrepancy sequences (Weyl): spread evenly, and not in step with each
            // other.
            let at = |step: f32| (f32::from(i) * step).fract();
            let (pages, november, screen, luck) =
                (at(0.618_034), at(0.414_214) > 0.5, at(0.732_051), at(0.302_776));
            let odds = 6.0 * (pages - 0.6) + f32::from(u8::from(november));
            table.rows.push(vec![
                if i % 11 == 0 { Value::Missing } else { Value::Number((pages * 40.0).round()) },
                Value::Category(if november { "Nov" } else { "May" }.into()),
                Value::Number((screen * 1000.0).round()),
            ]);
            table.labels.push(luck < 1.0 / (1.0 + (-odds).exp()));
        }
        table
    }

    #[test]
    fn the_best_calibrated_model_is_chosen_and_explains_itself() {
        let table = visits();
        let vectors = Vectors::default();
        let training =
            Training { table: &table, vectors: &vectors, groups: None, seed: 3, keep_all: true };
        let mut heard = Vec::new();
        let trained = train(training, &mut |done, total| heard.push((done, total))).unwrap();
        assert!(
            heard.windows(2).all(|pair| pair[0].0 < pair[1].0)
                && heard.iter().all(|(done, total)| done <= total)
        );
        let best = trained
            .compared
            .iter()
            .map(|compared| compared.quality.log_loss)
            .fold(f64::INFINITY, f64::min);
        for compared in &trained.compared {
            assert!(compared.quality.auroc > 0.75, "{compared:?}");
            assert!(
                (compared.kind == trained.chosen) == (compared.quality.log_loss <= best),
                "{compared:?}"
            );
        }
        for model in &trained.models {
            let moved = model.explain(&table.select(&[3]), &vectors).unwrap();
            assert_eq!(moved[0].column, "pages", "{:?}: {moved:?}", model.kind);
            let text = serde_json::to_string(model).unwrap();
            let again: Model = serde_json::from_str(&text).unwrap();
            assert_eq!(
                model.predict(&table, &vectors).unwrap(),
                again.predict(&table, &vectors).unwrap()
            );
        }
    }

    #[test]
    fn too_little_to_learn_from_is_said() {
        let table = visits();
        let few = table.select(&(0..30).collect::<Vec<_>>());
        let training = Training {
            table: &few,
            vectors: &Vectors::default(),
            groups: None,
            seed: 3,
            keep_all: false,
        };
        let error = train(training, &mut |_, _| {}).unwrap_err().to_string();
        assert!(error.contains("too few to learn from"), "{error}");
        let same =
            table.clone().without(&["pages".into(), "month".into(), "screen".into()]).unwrap();
        let training = Training { table: &same, ..training };
        let error = train(training, &mut |_, _| {}).unwrap_err().to_string();
        assert!(error.contains("no column tells rows apart"), "{error}");
    }

    #[test]
    fn folds_keep_groups_together_and_outcomes_even() {
        let labels: Vec<bool> = (0..200).map(|row| row / 2 % 5 == 0).collect();
        let groups: Vec<usize> = (0..200).map(|row| row / 2).collect();
        let folds = folds(&labels, Some(&groups), 4, 9);
        assert!((0..100).all(|group| folds[2 * group] == folds[2 * group + 1]));
        for fold in 0..4 {
            let bought = (0..200).filter(|row| folds[*row] == fold && labels[*row]).count();
            assert_eq!(bought, 10);
        }
    }
}
