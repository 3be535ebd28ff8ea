//! The subcommands.
#![expect(clippy::print_stdout, reason = "a command line prints")]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use crate::clock::Clock;
use crate::config::Config;
use crate::http::auth::{Scope, key_hash, new_key};
use crate::lifecycle;
use crate::retrieval::ingest::{IngestProgress, IngestReport};
use crate::server::{self, Server};
use crate::telemetry;

pub mod chat;
pub mod eval;
pub mod intent;
pub mod measure;
pub mod transfer;

/// A customer-service chat server: grounded, streaming answers from your own documents, in one process.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Examples:
  frontdesk serve                              serve with ./config.toml
  frontdesk ingest                             read the documents of every site
  frontdesk chat --once \"What does shipping cost?\"
  FRONTDESK_SERVER_BIND=0.0.0.0:80 frontdesk serve

Every option of config.toml can be set as FRONTDESK_<SECTION>_<KEY>.
Exit codes: 0 done, 1 failed, 2 wrong usage."
)]
pub struct Cli {
    /// The configuration file.
    #[arg(long, global = true, default_value = "config.toml", env = "FRONTDESK_CONFIG")]
    pub config: PathBuf,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve visitors until SIGTERM.
    Serve {
        /// Read the documents of every site before serving.
        #[arg(long)]
        ingest: bool,
    },
    /// Read documents into the index: what is new or changed, and what vanished leaves it.
    #[command(after_help = "Examples:
  frontdesk ingest                      the folder of every site
  frontdesk ingest handbook/ faq.jsonl --site default
  frontdesk ingest --json | jq .failed

Formats: Markdown, HTML, plain text, CSV, JSON and JSON Lines (id, title, text or content, url).
A running `frontdesk serve` has the embedded index open; stop it first, or start it with --ingest.")]
    Ingest {
        /// Files and folders; none reads the folder of every site.
        paths: Vec<PathBuf>,
        /// The site they belong to; the first one by default.
        #[arg(long)]
        site: Option<String>,
        /// Print the report as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Talk to a running server in the terminal.
    Chat(chat::ChatArgs),
    /// Check configuration, prompts, models and knowledge without serving.
    Check {
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make an API key and print the lines for config.toml.
    Key {
        /// What it is for.
        #[arg(long, default_value = "integration")]
        name: String,
        /// What it may be used for.
        #[arg(long, value_enum, default_value = "chat")]
        scope: Vec<Scope>,
        /// Limit it to one site.
        #[arg(long)]
        site: Option<String>,
    },
    /// Write every conversation to a file (the server must be stopped).
    Export(transfer::ExportArgs),
    /// Read conversations from such a file into an empty store.
    Import(transfer::ImportArgs),
    /// Check a store record by record.
    Verify(transfer::VerifyArgs),
    /// Measure this machine: our own share of a turn, sockets, store, retrieval.
    Bench(measure::BenchArgs),
    /// Measure how good the models are, on data with the right answers.
    Eval(eval::EvalArgs),
    /// Train, evaluate, deploy and explain the models of what visitors want.
    Intent(intent::IntentArgs),
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// With a text for people.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the async runtime")?;
        runtime.block_on(self.dispatch())
    }

    async fn dispatch(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Chat(args) => return chat::run(args).await,
            Command::Key { name, scope, site } => {
                print_key(&name, &scope, site.as_deref());
                return Ok(ExitCode::SUCCESS);
            }
            _ => {}
        }
        let config = Config::load(&self.config)?;
        telemetry::init_logs(&config.log);
        match self.command {
            Command::Serve { ingest } => serve(config, ingest).await,
            Command::Ingest { paths, site, json } => run_ingest(&config, &paths, site.as_deref(), json).await,
            Command::Check { json } => check(&config, json).await,
            Command::Export(args) => transfer::export(&config, &args).await,
            Command::Import(args) => transfer::import(&config, &args).await,
            Command::Verify(args) => transfer::verify(&config, &args).await,
            Command::Bench(args) => measure::run(&config, args).await,
            Command::Eval(args) => eval::run(&config, args).await,
            Command::Intent(args) => intent::run(&config, args).await,
            Command::Chat(_) | Command::Key { .. } => Ok(ExitCode::SUCCESS),
        }
    }
}

async fn serve(config: Config, ingest: bool) -> anyhow::Result<ExitCode> {
    let server = Server::start(config.clone(), Clock::system()).await?;
    if ingest {
        let bar = IngestBar::new();
        for (_, report) in server.ingest(&config, &|progress| bar.show(&progress)).await? {
            bar.finish();
            log_failures(&report);
        }
    }
    println!("Frontdesk is ready: http://{}/  (admin http://{}/)", server.addr, server.admin_addr);
    let mut failed = false;
    tokio::select! {
        signal = lifecycle::signalled() => tracing::info!(signal = signal.unwrap_or("no signal"), "stopping"),
        () = server.failure() => failed = true,
    }
    server.stop().await?;
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn run_ingest(config: &Config, paths: &[PathBuf], site: Option<&str>, json: bool) -> anyhow::Result<ExitCode> {
    let retrieval = server::open_retrieval(config, &telemetry::Metrics::new()).await?;
    let bar = IngestBar::new();
    let progress = |progress: IngestProgress<'_>| bar.show(&progress);
    let reports = if paths.is_empty() && site.is_none() {
        server::ingest_sites(&retrieval, config, &progress).await?
    } else {
        let site = match site {
            Some(id) => config.site(id).with_context(|| format!("no site {id:?} is configured"))?,
            None => config.sites.first().context("no site is configured")?,
        };
        let report = server::ingest_site(&retrieval, config, site, paths, &progress).await?;
        vec![(site.id.clone(), report)]
    };
    bar.finish();
    let mut broken = 0;
    for (site, report) in &reports {
        broken += report.failed.len();
        if !json {
            println!(
                "{site}: {} added, {} updated, {} removed, {} unchanged, {} failed; {} passages written",
                report.added,
                report.updated,
                report.removed,
                report.unchanged,
                report.failed.len(),
                report.passages
            );
            for failure in &report.failed {
                eprintln!("  {failure}");
            }
        }
    }
    if json {
        println!(
            "{}",
            serde_json::to_string_pretty(&reports.into_iter().collect::<std::collections::BTreeMap<_, _>>())?
        );
    }
    Ok(if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn check(config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    let prompts = crate::prompt::Prompts::load(&config.answers.prompts)?;
    let samples = prompts.samples()?;
    let retrieval = server::open_retrieval(config, &telemetry::Metrics::new()).await?;
    let passages = retrieval.index.count(None).await?;
    let llm = crate::llm::Llm::start(&config.llm)?;
    let facts = llm.facts();
    if json {
        let prompts: std::collections::BTreeMap<_, _> = samples.into_iter().collect();
        let result = serde_json::json!({ "model": facts, "embedder": retrieval.embedder.facts(), "passages": passages, "prompts": prompts });
        println!("{}", serde_json::to_string_pretty(&result)?);
        return Ok(ExitCode::SUCCESS);
    }
    println!("configuration  ok, {} site(s)", config.sites.len());
    println!("model          {} ({}, {} of context)", facts.name, facts.quantisation, facts.context_tokens);
    println!("index          {passages} passages");
    for (name, text) in samples {
        println!("\n--- prompts/{name}\n{text}");
    }
    Ok(if passages == 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn print_key(name: &str, scopes: &[Scope], site: Option<&str>) {
    let key = new_key();
    let scopes: Vec<String> = scopes.iter().map(|scope| format!("\"{scope:?}\"").to_lowercase()).collect();
    println!("The key, shown once:\n\n  {key}\n\nFor config.toml:\n\n[[auth.keys]]");
    println!("name = {name:?}\nsha256 = \"{}\"\nscopes = [{}]", key_hash(&key), scopes.join(", "));
    if let Some(site) = site {
        println!("site = {site:?}");
    }
}

fn log_failures(report: &IngestReport) {
    for failure in &report.failed {
        tracing::warn!(%failure, "a document was left out");
    }
}

/// A progress bar over documents, on a terminal; nothing otherwise.
struct IngestBar(ProgressBar);

impl IngestBar {
    fn new() -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} [{bar:30}] {pos}/{len} documents, {elapsed}") {
            bar.set_style(style);
        }
        bar.set_message("Reading documents");
        Self(bar)
    }

    fn show(&self, progress: &IngestProgress<'_>) {
        match progress {
            IngestProgress::Found { files } => self.0.set_length(*files as u64),
            IngestProgress::File { number, .. } => self.0.set_position(*number as u64),
            IngestProgress::Written { passages } => {
                self.0.set_message(format!("Reading documents, {passages} passages"))
            }
        }
    }

    fn finish(&self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_valid() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
