//! `frontdesk eval`: how good the parts are, as tables or as JSON.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::config::Config;
use crate::eval::{intents, purchase};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  frontdesk eval intents --train train.jsonl --test test.jsonl --oos oos.jsonl
  frontdesk eval purchase --train visits.csv --label Revenue --folds 5 --drop PageValues
  frontdesk eval purchase --train conversations.jsonl --label converted --json | jq .summary

Intents are JSON lines of text and intent. Purchases are CSV with any columns, or conversations as JSON lines of turns
[{role, text}], the label and attributes. The summary is the model that the registry would deploy.")]
pub struct EvalArgs {
    #[command(subcommand)]
    what: What,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Are the classes told apart, and the unknown from them?
    Intents(Labelled),
    /// Are purchases predicted, with probabilities that mean what they say?
    Purchase(Outcomes),
}

#[derive(Debug, Args)]
struct Labelled {
    /// JSON Lines to learn from (text, intent).
    #[arg(long)]
    train: PathBuf,
    /// JSON Lines to measure on.
    #[arg(long)]
    test: PathBuf,
    /// JSON Lines of texts that are about none of the classes.
    #[arg(long)]
    oos: Option<PathBuf>,
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Args)]
struct Outcomes {
    /// Rows to learn from: CSV, or conversations as .jsonl.
    #[arg(long)]
    train: PathBuf,
    /// Rows to measure on; without it, cross-validation.
    #[arg(long)]
    test: Option<PathBuf>,
    /// Parts of the cross-validation.
    #[arg(long, default_value_t = 5)]
    folds: usize,
    /// The column that says whether it came to a purchase.
    #[arg(long)]
    label: String,
    /// Columns to leave out.
    #[arg(long)]
    drop: Vec<String>,
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(super) async fn run(config: &Config, args: EvalArgs) -> anyhow::Result<ExitCode> {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} [{bar:30}] {pos}/{len}, {elapsed}") {
        bar.set_style(style);
    }
    let show = |step: &str, done: usize, total: usize| {
        bar.set_message(step.to_owned());
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    };
    match args.what {
        What::Intents(Labelled { train, test, oos, seed }) => {
            let options = intents::Options { train, test, oos, seed };
            let report = intents::run(config, &options, &show).await?;
            bar.finish_and_clear();
            let rows = report.models.iter().map(|scores| {
                vec![
                    scores.model.clone(),
                    share(scores.accuracy),
                    share(scores.macro_f1),
                    scores.oos_auroc.map_or_else(String::new, share),
                    scores.oos_refused.map_or_else(String::new, share),
                    share(scores.in_scope_kept),
                    share(scores.ece),
                    format!("{:.1}", scores.train_s),
                    format!("{:.2}", scores.predict_ms),
                ]
            });
            let header =
                ["", "accuracy", "macro F1", "oos AUROC", "oos refused", "known kept", "ECE", "train s", "predict ms"];
            print(&report, args.json, &header, rows.collect::<Vec<_>>())
        }
        What::Purchase(Outcomes { train, test, folds, label, drop, seed }) => {
            let options = purchase::Options { train, test, folds, label, drop, seed };
            let report = purchase::run(config, &options, &show).await?;
            bar.finish_and_clear();
            let named = |name: String, scores: &purchase::Scores| {
                vec![
                    name,
                    share(scores.quality.auroc),
                    share(scores.quality.auprc),
                    share(scores.quality.brier),
                    share(scores.quality.ece),
                    format!("{:.1}", scores.train_s),
                    format!("{:.2}", scores.predict_ms),
                ]
            };
            let deployed = named(format!("deployed ({})", report.summary.model), &report.summary);
            let models = report.models.iter().map(|scores| named(scores.model.clone(), scores));
            let turns = report.turns.iter().map(|after| {
                let name = after.turns.map_or("after all turns".into(), |turns| format!("after {turns} turn(s)"));
                let quality = [after.quality.auroc, after.quality.auprc, after.quality.brier, after.quality.ece];
                let mut row = vec![name];
                row.extend(quality.map(share));
                row.extend([String::new(), String::new()]);
                row
            });
            let rows: Vec<_> = models.chain([deployed]).chain(turns).collect();
            print(&report, args.json, &["", "AUROC", "AUPRC", "Brier", "ECE", "train s", "predict ms"], rows)
        }
    }
}

fn share(value: f64) -> String {
    format!("{value:.3}")
}

fn print<const N: usize>(
    report: &impl Serialize,
    json: bool,
    header: &[&str; N],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> anyhow::Result<ExitCode> {
    if json {
        println!("{}", serde_json::to_string_pretty(report)?);
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_header(header);
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
    Ok(ExitCode::SUCCESS)
}
