//! The subcommands.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Parser, Subcommand};
use indicatif::ProgressBar;

use crate::cli::remote::Remote;
use crate::clock::Clock;
use crate::config::Config;
use crate::http::Reloaded;
use crate::http::auth::Scope;
use crate::http::knowledge::IngestRequest;
use crate::retrieval::ingest::{self, IngestProgress, IngestReport};
use crate::retrieval::schema::IndexError;
use crate::secret::{key_hash, new_key};
use crate::server::{self, Server};
use crate::site::Site;
use crate::{lifecycle, telemetry};

/// As the standard library's, which panic when the reader of a pipe is gone. They stand before the
/// modules below, so that these have them, too.
macro_rules! println {
    ($($text:tt)*) => { $crate::cli::output::line(format_args!($($text)*)) };
}
macro_rules! eprintln {
    ($($text:tt)*) => { $crate::cli::output::note(format_args!($($text)*)) };
}

pub mod agent;
mod audit;
mod backup;
mod campaigns;
mod channels;
pub mod chat;
pub mod check;
pub mod eval;
pub mod forecast;
pub mod gaps;
pub mod insight;
pub mod intent;
pub mod measure;
pub mod models;
mod output;
mod publish;
mod remote;
mod rotate;
mod seo;
mod settings;
mod show;
pub mod transfer;
mod visitor;

/// A customer-service chat server: grounded, streaming answers from your own documents, in one
/// process.
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
  frontdesk ingest --explain prices.csv how a file is understood, without taking it in

Formats: Markdown, HTML, plain text, PDF, Word (.docx), Excel (.xlsx, .xls, .ods), CSV, XML feeds, JSON and JSON Lines
(id, title, text or content, url).
A file says what holds for it in front matter (Markdown), <meta name=\"frontdesk:audience\" …> (HTML), columns or fields
(tables, JSON), or in a file beside it: price-list.pdf.meta, and folder.meta for a whole folder, with lines as
audience: agents, language: de, valid_from: 2026-12-01, valid_until: 2026-12-31, url: https://…, title: …, and for a table
that isn't understood header_row: 5, columns: VK=price, EK=hidden, currency: EUR, tax: net, charset: windows-1252.
A running server does the work itself, and reads what changes in its folders anyway. It reads by path only what is in the
site's own folder; other files are read while no server runs, or handed in over HTTP.")]
    Ingest {
        /// Files and folders; none reads the folder of every site.
        paths: Vec<PathBuf>,
        /// The site they belong to; the first one by default.
        #[arg(long)]
        site: Option<String>,
        /// Read again what hasn't changed, too: after a change of passage length, say.
        #[arg(long)]
        force: bool,
        /// Show how the files are understood (header, columns, products, what is left out and why),
        /// and take nothing in.
        #[arg(long)]
        explain: bool,
        /// With --explain: show every passage, not just the first three of each file.
        #[arg(long, requires = "explain")]
        all: bool,
        /// Print the report as JSON.
        #[arg(long)]
        json: bool,
    },
    /// List questions that the knowledge doesn't answer, dismiss them, open them again.
    Gaps(gaps::GapsArgs),
    /// What visitors will ask for and what runs out, with bands; or a table of daily counts.
    Forecast(forecast::ForecastArgs),
    /// What campaigns cost and bring, and where the next week's money goes.
    #[command(subcommand)]
    Campaigns(campaigns::CampaignsCommand),
    /// Write a site's public documents and products as static web pages.
    Publish(publish::Publish),
    /// What keeps search engines from reading web pages.
    #[command(subcommand)]
    Seo(seo::SeoCommand),
    /// Accounts on messaging platforms: list, check, register, send.
    Channels(channels::ChannelsArgs),
    /// Talk to a running server in the terminal.
    Chat(chat::ChatArgs),
    /// Check configuration, prompts, models and knowledge without serving.
    Check(check::CheckArgs),
    /// Make an API key and print the lines for config.toml.
    Key {
        /// What it is for.
        #[arg(long, default_value = "integration")]
        name: String,
        /// What it may be used for.
        #[arg(long, value_enum, default_value = "chat")]
        scope: Vec<Scope>,
        /// Limit it to one site; left out, it is good for the whole server: every site, accounts,
        /// metrics.
        #[arg(long)]
        site: Option<String>,
    },
    /// Have a running server read its configuration anew.
    #[command(subcommand)]
    Config(settings::ConfigCommand),
    /// Change a key of the server for a new one.
    Rotate(rotate::RotateArgs),
    /// Accounts of the console: add, list, remove, password.
    Agent(agent::AgentArgs),
    /// Copy conversations, documents handed in, models and keys to a folder, also while the server
    /// runs.
    Backup(backup::BackupArgs),
    /// Bring a backup to a machine where nothing is yet, or check one.
    Restore(backup::RestoreArgs),
    /// Who did what: the audit log, checked on the way.
    Audit(audit::AuditArgs),
    /// Hand out or erase all that is kept of one visitor.
    Visitor(visitor::VisitorArgs),
    /// Write every conversation to a file (the server must be stopped).
    Export(transfer::ExportArgs),
    /// Read conversations from such a file into an empty store.
    Import(transfer::ImportArgs),
    /// Write the store anew without the bytes of what was erased; a running server takes no
    /// messages meanwhile.
    Compact,
    /// Check a store record by record.
    Verify(transfer::VerifyArgs),
    /// Read one document from stdin in a process with limits; what `ingest` and `serve` run for
    /// formats that need it.
    #[command(hide = true)]
    ReadDocument {
        format: String,
        #[arg(long)]
        seconds: u64,
        #[arg(long)]
        memory_mib: u64,
    },
    /// What happened in conversations, as data.
    #[command(subcommand)]
    Signals(insight::SignalsCommand),
    /// What came of conversations.
    #[command(subcommand)]
    Outcomes(insight::OutcomesCommand),
    /// Recorded conversations to look at.
    #[command(subcommand)]
    Demo(insight::DemoCommand),
    /// The models that are known by name: list, fetch, use, check.
    Models(models::ModelsArgs),
    /// Measure this machine: our own share of a turn, sockets, store, retrieval.
    Bench(measure::BenchArgs),
    /// Measure how good search and answers are, over questions with known answers.
    Eval(eval::EvalArgs),
    /// Train, evaluate, deploy and explain the models of what visitors want.
    Intent(intent::IntentArgs),
}

impl Cli {
    /// Runs the command, and says on standard error why it failed.
    #[must_use]
    pub fn run(self) -> ExitCode {
        self.attempt().unwrap_or_else(|error| {
            eprintln!("frontdesk: {error:#}");
            ExitCode::FAILURE
        })
    }

    fn attempt(self) -> anyhow::Result<ExitCode> {
        crate::permissions::keep_new_files_private();
        if let Command::ReadDocument { format, seconds, memory_mib } = &self.command {
            // Before the runtime: its threads would count against the limits.
            return Ok(ingest::read_document(format, *seconds, *memory_mib));
        }
        ingest::this_program_reads();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("starting the async runtime")?;
        runtime.block_on(self.dispatch())
    }

    async fn dispatch(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Chat(args) => return chat::run(args, &self.config).await,
            Command::Seo(command) => return seo::run(command),
            Command::Key { name, scope, site } => {
                if let (Some(site), true) = (&site, scope.contains(&Scope::Metrics)) {
                    bail!(
                        "metrics are the whole server's, so a key limited to the site {site:?} would not open them; leave out \
                         --site, or make a key of its own for them"
                    );
                }
                print_key(&name, &scope, site.as_deref());
                return Ok(ExitCode::SUCCESS);
            }
            _ => {}
        }
        let config = match self.command {
            Command::Serve { .. } | Command::Check(_) => Config::load_to_serve(&self.config)?,
            _ => Config::load(&self.config)?,
        };
        telemetry::init_logs(&config.log);
        match self.command {
            Command::Serve { ingest } => serve(config, &self.config, ingest).await,
            Command::Ingest { paths, site, explain: true, all, json, .. } => {
                explain_files(&config, &paths, site.as_deref(), all, json).await
            }
            Command::Ingest { paths, site, force, json, explain: false, all: _ } => {
                run_ingest(&config, paths, site.as_deref(), force, json).await
            }
            Command::Gaps(args) => gaps::run(&config, args).await,
            Command::Forecast(args) => forecast::run(&config, args).await,
            Command::Campaigns(command) => campaigns::run(&config, command).await,
            Command::Publish(args) => publish::run(&config, args).await,
            Command::Channels(args) => channels::run(&config, args).await,
            Command::Check(args) => check::run(&config, args).await,
            Command::Rotate(args) => rotate::run(&config, &args).await,
            Command::Config(command) => settings::run(&config, &command).await,
            Command::Agent(args) => agent::run(&config, args).await,
            Command::Backup(args) => backup::backup(&config, &args).await,
            Command::Restore(args) => backup::restore(&config, &args).await,
            Command::Audit(args) => audit::run(&config, &args).await,
            Command::Visitor(args) => visitor::run(&config, &args).await,
            Command::Export(args) => transfer::export(&config, &args).await,
            Command::Import(args) => transfer::import(&config, &args).await,
            Command::Compact => transfer::compact(&config).await,
            Command::Verify(args) => transfer::verify(&config, &args).await,
            Command::Signals(command) => insight::signals(&config, command).await,
            Command::Outcomes(command) => insight::outcomes(&config, command).await,
            Command::Demo(command) => insight::demo(&config, command).await,
            Command::Models(args) => models::run(&config, &self.config, &args).await,
            Command::Bench(args) => measure::run(&config, args).await,
            Command::Eval(args) => eval::run(&config, args).await,
            Command::Intent(args) => intent::run(&config, args).await,
            Command::Chat(_)
            | Command::Key { .. }
            | Command::Seo(_)
            | Command::ReadDocument { .. } => Ok(ExitCode::SUCCESS),
        }
    }
}

async fn serve(mut config: Config, file: &Path, ingest: bool) -> anyhow::Result<ExitCode> {
    let server = Server::start(config.clone(), Clock::system()).await?;
    if ingest {
        let bar = IngestBar::new();
        for (_, report) in server.ingest(&config, &|progress| bar.show(&progress)).await? {
            bar.finish();
            log_failures(&report);
        }
    }
    // Who reads that it is ready may stop it at once.
    let signalled = lifecycle::signalled().context("the handlers of SIGTERM and SIGINT")?;
    let mut signalled = pin!(signalled);
    let mut reloads = server.reloads();
    let mut hangups = lifecycle::hangups().context("the handler of SIGHUP")?;
    // Visitors are served all the same when nobody reads this line.
    let _ = writeln!(
        std::io::stdout(),
        "Frontdesk is ready: http://{}/  (admin http://{}/)",
        server.addr,
        server.admin_addr
    );
    let failed = loop {
        let wish = tokio::select! {
            signal = &mut signalled => {
                tracing::info!(signal, "stopping");
                break false;
            }
            () = server.failure() => break true,
            _ = hangups.recv() => None,
            Some(wish) = reloads.recv() => Some(wish),
        };
        let came = reload(&server, &mut config, file);
        if let Some(wish) = wish {
            // Whoever asked may have left.
            let _ = wish.send(came);
        }
    };
    server.stop().await?;
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Reads the configuration anew; what can't be used leaves everything as it was.
fn reload(server: &Server, running: &mut Config, file: &Path) -> Result<Reloaded, String> {
    let read = Config::load_to_serve(file).and_then(|new| server.reload(running, &new));
    match &read {
        Ok(Reloaded { taken, after_restart }) => {
            tracing::info!(?taken, ?after_restart, "the configuration was read anew");
        }
        Err(error) => {
            let error = format!("{error:#}");
            tracing::error!(error, "the configuration can't be used; the one before stays in use");
        }
    }
    read.map_err(|error| format!("{error:#}"))
}

/// How files are understood; those of the site's folder if none is named.
async fn explain_files(
    config: &Config,
    paths: &[PathBuf],
    site: Option<&str>,
    all: bool,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let mut options = ingest::IngestOptions::from_config(&config.knowledge);
    let paths = match (paths, site.and_then(|id| config.site(id)).or_else(|| config.sites.first()))
    {
        ([], Some(site)) => {
            vec![site.knowledge.clone().unwrap_or_else(|| config.knowledge.path.clone())]
        }
        _ => paths.to_vec(),
    };
    options.base = None;
    let explained = match all {
        true => ingest::explain_all(&paths, &options).await?,
        false => ingest::explain(&paths, &options).await?,
    };
    if json {
        println!("{}", serde_json::to_string_pretty(&explained)?);
    } else {
        explained.iter().for_each(|file| println!("{file}"));
    }
    Ok(ExitCode::SUCCESS)
}

async fn run_ingest(
    config: &Config,
    paths: Vec<PathBuf>,
    site: Option<&str>,
    force: bool,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let sites: Vec<&Site> = match site {
        Some(id) => vec![config.site(id).with_context(|| format!("no site {id:?} is configured"))?],
        None if paths.is_empty() => config.sites.iter().collect(),
        None => config.sites.iter().take(1).collect(),
    };
    let bar = IngestBar::new();
    let progress = |progress: IngestProgress<'_>| bar.show(&progress);
    let mut reports = Vec::new();
    match server::open_retrieval(config, &telemetry::Metrics::new()).await {
        Ok(retrieval) => {
            for site in sites {
                let report =
                    server::ingest_site(&retrieval, config, site, &paths, force, &progress).await?;
                reports.push((site.id.clone(), report));
            }
        }
        // A server has the index open: it does the work.
        Err(error) if matches!(error.downcast_ref(), Some(IndexError::InUse { .. })) => {
            let remote = Remote::of(config).context(error)?;
            let absolute = |path: PathBuf| {
                std::path::absolute(&path).with_context(|| format!("{} is no path", path.display()))
            };
            let paths = paths.into_iter().map(absolute).collect::<anyhow::Result<_>>()?;
            let request = IngestRequest { paths, force };
            for site in sites {
                reports
                    .push((site.id.clone(), remote.ingest(&site.id, &request, &progress).await?));
            }
        }
        Err(error) => return Err(error),
    }
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
            for warning in &report.warnings {
                eprintln!("  {warning} (taken in without)");
            }
        }
    }
    if json {
        println!(
            "{}",
            serde_json::to_string_pretty(
                &reports.into_iter().collect::<std::collections::BTreeMap<_, _>>()
            )?
        );
    }
    Ok(if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_key(name: &str, scopes: &[Scope], site: Option<&str>) {
    let key = new_key();
    let scopes: Vec<String> = scopes.iter().map(|scope| format!("\"{scope}\"")).collect();
    // JSON's escapes are TOML's, too; Rust's aren't.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    println!(
        "The key, shown once:\n\n  {key}\n\nFor config.toml:\n\n[[auth.keys]]\nname = {}",
        quoted(name)
    );
    println!("sha256 = \"{}\"\nscopes = [{}]", key_hash(&key), scopes.join(", "));
    if let Some(site) = site {
        println!("site = {}", quoted(site));
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
        Self(show::progress("Reading documents"))
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
