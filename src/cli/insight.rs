//! `signals export`, `outcomes import`, `demo import`: conversations as data, in and out.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use indicatif::ProgressBar;

use crate::cli::show::progress;
use crate::cli::transfer::Part;
use crate::clock::Clock;
use crate::config::Config;
use crate::export::{self, Column, SignalRows};
use crate::insight::book::Book;
use crate::insight::replay::{self, Meanings};
use crate::outcomes::{self, Outcomes, Taken};
use crate::signals;
use crate::signals::touched::Touched;
use crate::site::{Site, patience};
use crate::store::{RecordKind, SessionQuery, Store};

/// Reports noted with one look at the store.
const BATCH: usize = 500;

#[derive(Debug, Subcommand)]
pub enum SignalsCommand {
    /// Write the signals of every conversation, or their features, as CSV or Parquet.
    #[command(after_help = "Examples:
  frontdesk signals export signals.parquet
  frontdesk signals export features.csv --features
  frontdesk signals export features.parquet --features --meanings --site default

The ending of the file's name decides the format. docs/signals.md describes every column. Stop the server first.")]
    Export {
        /// The file to write, .csv or .parquet; it must not exist.
        file: PathBuf,
        /// One row for each conversation, with the outcome as `converted`, `amount` and `currency`.
        #[arg(long)]
        features: bool,
        /// The mean embedding of the visitor's messages as further columns.
        #[arg(long, requires = "features")]
        meanings: bool,
        /// Only this site.
        #[arg(long)]
        site: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum OutcomesCommand {
    /// Read what came of conversations from CSV. Reading the same file again changes nothing.
    #[command(after_help = "Examples:
  frontdesk outcomes import orders.csv
  frontdesk outcomes import orders.csv --site default --json

Columns: order, converted, session or visitor; optionally amount, currency, products, at_ms. Stop the server first, or report to
/v1/sites/<site>/outcomes while it runs.")]
    Import {
        file: PathBuf,
        #[arg(long)]
        site: Option<String>,
        /// Print the counts and every refused row as JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum DemoCommand {
    /// Replay recorded conversations through the store, with the times they have, so that there is
    /// something to see.
    #[command(after_help = "Examples:
  frontdesk demo import conversations.jsonl
  frontdesk demo import dialogues.jsonl --channel tau-bench

Forms, one conversation a line: {\"id\", \"turns\": [{\"role\": \"visitor\", \"text\"}, …], \"at_ms\", \"converted\", \"amount\", any attribute}, or
{\"messages_display\": \"user: …\\nassistant: …\"}. Without `at_ms`, an id that begins with YYYYMMDD-HHMMSS tells the time; without either it is the
file's. Importing a file twice adds nothing. Stop the server first.")]
    Import {
        files: Vec<PathBuf>,
        #[arg(long)]
        site: Option<String>,
        /// What the conversations' channel is called; by default the file's name.
        #[arg(long)]
        channel: Option<String>,
        /// Leave the embeddings of messages out, which is much faster.
        #[arg(long)]
        no_meanings: bool,
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn signals(config: &Config, command: SignalsCommand) -> anyhow::Result<ExitCode> {
    let SignalsCommand::Export { file, features, meanings, site } = command;
    let ending =
        file.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
    anyhow::ensure!(
        ["csv", "parquet"].contains(&ending.as_str()),
        "name a file that ends in .csv or .parquet"
    );
    anyhow::ensure!(!file.exists(), "{} exists already; name another file", file.display());
    let sites: Vec<&Site> = match &site {
        Some(_) => vec![site_of(config, site.as_deref())?],
        None => config.sites.iter().collect(),
    };
    let store = Store::open(&config.store)?;
    let bar = progress("Reading");
    let (columns, count) = if features {
        let mut columns: Vec<Column> = Vec::new();
        anyhow::ensure!(
            sites.len() == 1,
            "features are written for one site at a time; name it with --site"
        );
        let book = Book::new(store.clone(), Touched::default())
            .patient(patience(&config.sites), Clock::system());
        let mut count = 0;
        for site in sites {
            let entries = book.read(&site.id).await?;
            count += entries.len();
            let states: Vec<_> =
                entries.iter().map(|entry| (entry.id.clone(), entry.state.clone())).collect();
            columns = export::feature_columns(&site.id, &states, meanings);
        }
        (columns, count)
    } else {
        let mut rows = SignalRows::default();
        for site in sites {
            read_signals(&store, &site.id, &mut rows, &bar).await?;
        }
        let count = rows.len();
        (rows.into_columns(), count)
    };
    let (part, written) = Part::create(&file)?;
    let writer = BufWriter::new(written);
    if ending == "csv" {
        export::write_csv(&columns, writer)?;
    } else {
        export::write_parquet(&columns, writer)?;
    }
    part.finish()?;
    bar.finish_and_clear();
    println!(
        "{count} {} written to {}",
        if features { "sessions" } else { "rows" },
        file.display()
    );
    store.close().await?;
    Ok(ExitCode::SUCCESS)
}

async fn read_signals(
    store: &Store,
    site: &str,
    rows: &mut SignalRows,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    let mut after = None;
    loop {
        let query =
            SessionQuery { site: site.to_owned(), limit: 500, after: after.take(), since_ms: 0 };
        let page = store.sessions(query).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.cursor());
        for info in &page {
            for record in store.read(site, &info.session, 0, &[RecordKind::Signal]).await? {
                for signal in signals::read(&record.body) {
                    rows.push(site, &info.session, record.seq, record.at_ms, &signal);
                }
            }
            bar.inc(1);
        }
    }
}

pub(super) async fn outcomes(
    config: &Config,
    command: OutcomesCommand,
) -> anyhow::Result<ExitCode> {
    let OutcomesCommand::Import { file, site, json } = command;
    let site = site_of(config, site.as_deref())?;
    let opened = File::open(&file).with_context(|| format!("can't read {}", file.display()))?;
    let reports = outcomes::from_csv(opened).with_context(|| format!("in {}", file.display()))?;
    let store = Store::open(&config.store)?;
    let touched = Touched::default();
    let taker = Outcomes::new(store.clone(), Book::new(store.clone(), touched.clone()), touched);
    let now_ms = Clock::system().now_ms();
    let bar = progress("Reading");
    bar.set_length(reports.len() as u64);
    let (mut noted, mut known, mut refused) = (0, 0, Vec::new());
    let mut rows = reports.into_iter().peekable();
    while rows.peek().is_some() {
        let (mut lines, mut batch) = (Vec::new(), Vec::new());
        for (line, report) in rows.by_ref().take(BATCH) {
            match report {
                Ok(report) => {
                    lines.push(line);
                    batch.push(report);
                }
                Err(reason) => refused.push((line, reason)),
            }
        }
        for (line, taken) in lines.into_iter().zip(taker.take(&site.id, batch, now_ms).await?) {
            bar.inc(1);
            match taken {
                Ok(Taken::Noted) => noted += 1,
                Ok(Taken::Known) => known += 1,
                Err(error) => refused.push((line, error.to_string())),
            }
        }
    }
    bar.finish_and_clear();
    if json {
        let refused: Vec<_> = refused
            .iter()
            .map(|(line, reason)| serde_json::json!({ "line": line, "reason": reason }))
            .collect();
        let result = serde_json::json!({ "noted": noted, "known": known, "refused": refused });
        println!("{}", serde_json::to_string_pretty(&result)?);
    } else {
        println!("{noted} noted, {known} were known, {} refused", refused.len());
        for (line, reason) in &refused {
            eprintln!("  line {line}: {reason}");
        }
    }
    store.close().await?;
    Ok(if refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(super) async fn demo(config: &Config, command: DemoCommand) -> anyhow::Result<ExitCode> {
    let DemoCommand::Import { files, site, channel, no_meanings, json } = command;
    anyhow::ensure!(!files.is_empty(), "name at least one file of conversations");
    let site = site_of(config, site.as_deref())?;
    let mut reports = Vec::new();
    let store = Store::open(&config.store)?;
    let retrieval =
        crate::server::open_retrieval(config, &crate::telemetry::Metrics::new()).await?;
    let products = crate::catalogue::Catalogue::default();
    products
        .refresh(&retrieval.index, &site.id)
        .await
        .context("the products in the knowledge index")?;
    let catalogue = products.goods(&site.id);
    let meanings =
        if no_meanings { Meanings::None } else { Meanings::Embedder(retrieval.embedder.clone()) };
    for file in &files {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("can't read {}", file.display()))?;
        let conversations = replay::read(&text, modified_ms(file), replay::CONVERTED)
            .with_context(|| format!("in {}", file.display()))?;
        let named = file.file_stem().and_then(|name| name.to_str()).unwrap_or("import").to_owned();
        let channel = channel.clone().unwrap_or(named);
        let bar = progress("Replaying");
        bar.set_length(conversations.len() as u64);
        let parts = replay::Parts {
            store: &store,
            site: &site.id,
            channel: &channel,
            catalogue: &catalogue,
            meanings: &meanings,
        };
        let report =
            replay::import(&parts, &conversations, |done| bar.set_position(done as u64)).await?;
        bar.finish_and_clear();
        if !json {
            println!(
                "{}: {} conversations with {} messages, {} outcomes; {} were there already",
                file.display(),
                report.sessions,
                report.messages,
                report.outcomes,
                report.present
            );
        }
        reports.push(report);
    }
    retrieval.index.close().await.context("closing the knowledge index")?;
    if json {
        println!("{}", serde_json::to_string_pretty(&reports)?);
    }
    store.close().await?;
    Ok(ExitCode::SUCCESS)
}

fn site_of<'a>(config: &'a Config, id: Option<&str>) -> anyhow::Result<&'a Site> {
    match id {
        Some(id) => config.site(id).with_context(|| format!("no site {id:?} is configured")),
        None => config.sites.first().context("no site is configured"),
    }
}

/// When the file was written, the time of conversations that tell none.
fn modified_ms(file: &Path) -> u64 {
    let modified = std::fs::metadata(file).and_then(|metadata| metadata.modified()).ok();
    let since = modified.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(0))
}
