//! How well intent classes are told apart, and the unknown from them.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::ensure;
use serde::Serialize;

use crate::config::Config;
use crate::intent::classes::{Classes, Example, Guess, is_out_of_scope};
use crate::intent::metrics::auroc;
use crate::retrieval::embedder::Embedder;
use crate::training::{Progress, embed, examples, lessons};

/// What is measured on what.
#[derive(Clone, Debug)]
pub struct Options {
    pub train: PathBuf,
    pub test: PathBuf,
    /// Texts about none of the classes.
    pub oos: Option<PathBuf>,
    pub seed: u64,
}

/// The measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Of the model that the registry would deploy.
    pub summary: Scores,
    pub models: Vec<Scores>,
    pub classes: usize,
    pub train_rows: usize,
    pub test_rows: usize,
    pub oos_rows: usize,
    /// Seconds for the vectors of all texts.
    pub embed_s: f64,
}

/// One model's scores.
#[derive(Clone, Debug, Serialize)]
pub struct Scores {
    pub model: String,
    pub accuracy: f64,
    pub macro_f1: f64,
    /// How well the known are told from the unknown: the area under the curve of
    /// [`crate::intent::classes::Guess::familiar`].
    pub oos_auroc: Option<f64>,
    /// Share of the unknown that the model's one threshold refuses, and of the known that it lets
    /// pass.
    pub oos_refused: Option<f64>,
    pub in_scope_kept: f64,
    pub ece: f64,
    pub train_s: f64,
    /// Milliseconds for one text, without its embedding.
    pub predict_ms: f64,
}

/// Trains on one file and measures on the others.
///
/// # Errors
/// When a file isn't what it should be, or the embedder fails.
pub async fn run(
    config: &Config,
    options: &Options,
    progress: Progress<'_>,
) -> anyhow::Result<Report> {
    let train = examples(&options.train)?;
    let test = examples(&options.test)?;
    let oos = options.oos.as_deref().map(examples).transpose()?.unwrap_or_default();
    // Foreign texts within the test file count with the others.
    let (foreign, test): (Vec<Example>, Vec<Example>) =
        test.into_iter().partition(|row| is_out_of_scope(&row.intent));
    let oos: Vec<Example> = oos.into_iter().chain(foreign).collect();
    ensure!(!test.is_empty(), "{} has no rows of a known class", options.test.display());

    let embedder = Embedder::load(&config.embedder)?;
    let start = Instant::now();
    let (train_vectors, called) = lessons(&embedder, &train, progress).await?;
    let texts: Vec<String> = test.iter().chain(&oos).map(|row| row.text.clone()).collect();
    let vectors = embed(&embedder, &texts, progress).await?;
    let embed_s = start.elapsed().as_secs_f64();
    let (test_vectors, oos_vectors) = vectors.split_at(test.len());

    tokio::task::block_in_place(|| {
        let start = Instant::now();
        let classes =
            Classes::fit(&train, &train_vectors, &called, options.seed, &mut |done, total| {
                progress("Training", done, total);
            })?;
        let train_s = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let guesses = classes.guess(&texts_of(&test), &slices(test_vectors))?;
        #[expect(clippy::cast_precision_loss, reason = "a mean")]
        let predict_ms = start.elapsed().as_secs_f64() * 1_000.0 / test.len() as f64;
        let intents: Vec<&str> = test.iter().map(|row| row.intent.as_str()).collect();
        let quality = classes.quality(&guesses, &intents);
        let strange = classes.guess(&texts_of(&oos), &slices(oos_vectors))?;
        let share = |guesses: &[Guess], wanted: bool| {
            #[expect(clippy::cast_precision_loss, reason = "a share")]
            let share = guesses.iter().filter(|guess| guess.in_scope == wanted).count() as f64
                / guesses.len() as f64;
            share
        };
        let oos_auroc = (!strange.is_empty()).then(|| {
            let scores: Vec<f32> =
                guesses.iter().chain(&strange).map(|guess| guess.familiar).collect();
            let labels: Vec<bool> = (0..scores.len()).map(|i| i < guesses.len()).collect();
            auroc(&scores, &labels)
        });
        let scores = Scores {
            model: classes.kind().into(),
            accuracy: quality.accuracy,
            macro_f1: quality.macro_f1,
            oos_auroc,
            oos_refused: (!strange.is_empty()).then(|| share(&strange, false)),
            in_scope_kept: share(&guesses, true),
            ece: quality.ece,
            train_s,
            predict_ms,
        };
        Ok(Report {
            summary: scores.clone(),
            models: vec![scores],
            classes: classes.names.len(),
            train_rows: train.len(),
            test_rows: test.len(),
            oos_rows: oos.len(),
            embed_s,
        })
    })
}

fn texts_of(rows: &[Example]) -> Vec<&str> {
    rows.iter().map(|row| row.text.as_str()).collect()
}

fn slices(vectors: &[Vec<f32>]) -> Vec<&[f32]> {
    vectors.iter().map(Vec::as_slice).collect()
}
