//! How well purchases are predicted: by each kind of model, and by the one that the registry would
//! deploy.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{bail, ensure};
use serde::Serialize;

use crate::config::Config;
use crate::intent::columns::Vectors;
use crate::intent::data::{Data, MOMENTS};
use crate::intent::metrics::{Bin, Quality, reliability};
use crate::intent::table::Table;
use crate::intent::train::{self, Kind, Model, Trained, Training};
use crate::training::{self, Progress, vectors};

/// What is measured on what.
#[derive(Clone, Debug)]
pub struct Options {
    pub train: PathBuf,
    /// Rows to measure on; without it, cross-validation over `train`.
    pub test: Option<PathBuf>,
    pub folds: usize,
    pub label: String,
    /// Columns left out.
    pub drop: Vec<String>,
    pub seed: u64,
}

/// The measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Of the model that the registry would deploy: in cross-validation, in each fold the one that
    /// training chose there.
    pub summary: Scores,
    pub models: Vec<Scores>,
    /// Conversations as they stood after some of the visitor's messages, by the model of the
    /// summary.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub turns: Vec<AfterTurns>,
    /// Predicted against observed, in ten bins, of the summary.
    pub calibration: Vec<Bin>,
    pub columns: Vec<String>,
}

/// One model's scores.
#[derive(Clone, Debug, Serialize)]
pub struct Scores {
    pub model: String,
    #[serde(flatten)]
    pub quality: Quality,
    /// Seconds to train it on one fold's rows, comparison and calibration included.
    pub train_s: f64,
    /// Milliseconds for one prediction, alone.
    pub predict_ms: f64,
}

/// Scores after some of the visitor's messages; `None` is the whole conversation.
#[derive(Clone, Debug, Serialize)]
pub struct AfterTurns {
    pub turns: Option<usize>,
    #[serde(flatten)]
    pub quality: Quality,
}

/// Trains and measures.
///
/// # Errors
/// When a file isn't what it should be, has too few rows, or the embedder fails.
pub async fn run(
    config: &Config,
    options: &Options,
    progress: Progress<'_>,
) -> anyhow::Result<Report> {
    let train = training::read(&options.train, &options.label, &options.drop, None)?;
    let test = match &options.test {
        Some(path) => {
            Some(training::read(path, &options.label, &options.drop, Some(&train.table.columns))?)
        }
        None => None,
    };
    if test.is_none() && options.folds < 2 {
        bail!(
            "--folds is {}; cross-validation needs at least 2, or name rows to measure on with --test",
            options.folds
        );
    }
    let tables: Vec<&Table> =
        std::iter::once(&train.table).chain(test.as_ref().map(|test| &test.table)).collect();
    let vectors = vectors(&config.embedder, &tables, progress).await?;
    tokio::task::block_in_place(|| measure(&train, test.as_ref(), &vectors, options, progress))
}

fn measure(
    train: &Data,
    test: Option<&Data>,
    vectors: &Vectors,
    options: &Options,
    progress: Progress<'_>,
) -> anyhow::Result<Report> {
    let measured = test.unwrap_or(train);
    let rows = measured.table.len();
    let mut pooled = Pooled::default();
    if let Some(test) = test {
        let start = Instant::now();
        let trained = fit(train, None, vectors, options.seed, &|done, total| {
            progress("Training", done, total)
        })?;
        pooled.add(&trained, &test.table, &(0..rows).collect::<Vec<_>>(), rows, vectors, start)?;
    } else {
        let folds =
            train::folds(&train.table.labels, train.groups.as_deref(), options.folds, options.seed);
        for fold in 0..options.folds {
            let (outside, inside): (Vec<usize>, Vec<usize>) =
                (0..rows).partition(|row| folds[*row] != fold);
            ensure!(
                !inside.is_empty(),
                "--folds is {}, which is more than the rows allow",
                options.folds
            );
            let show = |done: usize, total: usize| {
                progress("Training", fold * total + done, options.folds * total)
            };
            let start = Instant::now();
            let trained = fit(train, Some(&outside), vectors, options.seed, &show)?;
            pooled.add(&trained, &train.table.select(&inside), &inside, rows, vectors, start)?;
        }
    }

    let labels = &measured.table.labels;
    // A conversation counts once, at its end; a table's rows all count.
    let at_end =
        |row: usize| measured.moments.get(row).is_none_or(|moment| MOMENTS[*moment].is_none());
    let part = |probabilities: &[f32], keep: &dyn Fn(usize) -> bool| -> (Vec<f32>, Vec<bool>) {
        (0..rows).filter(|row| keep(*row)).map(|row| (probabilities[row], labels[row])).unzip()
    };
    let scores = |model: &str, column: &Column| {
        let (p, outcomes) = part(&column.probabilities, &at_end);
        Scores {
            model: model.to_owned(),
            quality: Quality::of(&p, &outcomes),
            train_s: column.train_s / column.fits.max(1.0),
            predict_ms: column.predict_ms / column.fits.max(1.0),
        }
    };
    let chosen = pooled.chosen();
    let deployed = &pooled.deployed;
    let turns = if measured.moments.is_empty() {
        Vec::new()
    } else {
        let after = MOMENTS.iter().enumerate().map(|(moment, turns)| {
            let (p, outcomes) =
                part(&deployed.probabilities, &|row| measured.moments[row] == moment);
            AfterTurns { turns: *turns, quality: Quality::of(&p, &outcomes) }
        });
        after.collect()
    };
    let (p, outcomes) = part(&deployed.probabilities, &at_end);
    Ok(Report {
        summary: scores(&chosen, deployed),
        models: pooled.by_kind.iter().map(|(kind, column)| scores(kind.name(), column)).collect(),
        turns,
        calibration: reliability(&p, &outcomes),
        columns: train.table.columns.iter().map(|column| column.name.clone()).collect(),
    })
}

fn fit(
    data: &Data,
    rows: Option<&[usize]>,
    vectors: &Vectors,
    seed: u64,
    progress: &dyn Fn(usize, usize),
) -> anyhow::Result<Trained> {
    let part = rows.map(|rows| data.select(rows));
    let data = part.as_ref().unwrap_or(data);
    let training = Training {
        table: &data.table,
        vectors,
        groups: data.groups.as_deref(),
        seed,
        keep_all: true,
    };
    Ok(train::train(training, &mut |done, total| progress(done, total))?)
}

/// Predictions of all rows, put together from the folds.
#[derive(Default)]
struct Pooled {
    by_kind: BTreeMap<Kind, Column>,
    deployed: Column,
    choices: BTreeMap<Kind, usize>,
}

#[derive(Default)]
struct Column {
    probabilities: Vec<f32>,
    train_s: f64,
    predict_ms: f64,
    fits: f64,
}

/// Predictions made one by one for their time.
const TIMED: usize = 50;

impl Pooled {
    fn add(
        &mut self,
        trained: &Trained,
        test: &Table,
        places: &[usize],
        rows: usize,
        vectors: &Vectors,
        start: Instant,
    ) -> anyhow::Result<()> {
        let whole_s = start.elapsed().as_secs_f64();
        *self.choices.entry(trained.chosen).or_default() += 1;
        for model in &trained.models {
            let probabilities = model.predict(test, vectors)?;
            let predict_ms = time_one(model, test, vectors)?;
            // What a training of this kind alone would take; the one that is deployed comes out of
            // all of them.
            let own = trained.compared.iter().find(|compared| compared.kind == model.kind);
            let train_s = own.map_or(0.0, |compared| compared.train_s);
            let mut columns = vec![(self.by_kind.entry(model.kind).or_default(), train_s)];
            if model.kind == trained.chosen {
                columns.push((&mut self.deployed, whole_s));
            }
            for (column, seconds) in columns {
                column.probabilities.resize(rows, 0.0);
                places
                    .iter()
                    .zip(&probabilities)
                    .for_each(|(row, p)| column.probabilities[*row] = *p);
                column.train_s += seconds;
                column.predict_ms += predict_ms;
                column.fits += 1.0;
            }
        }
        Ok(())
    }

    /// The kind that was chosen most often.
    fn chosen(&self) -> String {
        self.choices
            .iter()
            .max_by_key(|(_, count)| **count)
            .map_or("", |(kind, _)| kind.name())
            .to_owned()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a mean")]
fn time_one(model: &Model, test: &Table, vectors: &Vectors) -> anyhow::Result<f64> {
    let singles: Vec<Table> = (0..test.len().min(TIMED)).map(|row| test.select(&[row])).collect();
    let start = Instant::now();
    for single in &singles {
        model.predict(single, vectors)?;
    }
    Ok(start.elapsed().as_secs_f64() * 1_000.0 / singles.len().max(1) as f64)
}
