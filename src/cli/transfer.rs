//! `export`, `import`, `verify`: whole stores, checked byte by byte.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use indicatif::ProgressBar;

use crate::clock::Clock;
use crate::config::Config;
use crate::store::Progress;
use crate::store::{Store, StoreError};

#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// The file to write; it must not exist.
    pub file: PathBuf,
}

#[derive(Debug, clap::Args)]
pub struct ImportArgs {
    /// A file that `frontdesk export` wrote. Reading the same file again adds nothing.
    pub file: PathBuf,
}

#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// Move a store that doesn't open aside, so that the next start begins a new one. Nothing is deleted.
    #[arg(long)]
    pub set_aside: bool,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
}

pub(super) async fn export(config: &Config, args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let store = Store::open(&config.store)?;
    let part = args.file.with_extension("part");
    anyhow::ensure!(!args.file.exists(), "{} exists already; name another file", args.file.display());
    let file = File::create(&part).with_context(|| format!("can't write {}", part.display()))?;
    let bar = spinner("Writing");
    let mut writer = BufWriter::new(file);
    let report = store.export(&mut writer, |progress| show(&bar, progress))?;
    writer.flush()?;
    writer.get_ref().sync_all()?;
    std::fs::rename(&part, &args.file).with_context(|| format!("can't name the file {}", args.file.display()))?;
    bar.finish_and_clear();
    println!("{} records, {} bytes written to {}", report.records, report.bytes, args.file.display());
    store.close().await?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn import(config: &Config, args: &ImportArgs) -> anyhow::Result<ExitCode> {
    let store = Store::open(&config.store)?;
    let file = File::open(&args.file).with_context(|| format!("can't read {}", args.file.display()))?;
    let bar = spinner("Reading");
    let report = store.import(BufReader::new(file), |progress| show(&bar, progress))?;
    bar.finish_and_clear();
    println!("{} records written, {} were there already", report.written, report.present);
    store.close().await?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn verify(config: &Config, args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let store = match Store::open(&config.store) {
        Err(StoreError::Unusable { .. }) if args.set_aside => {
            let to = Store::set_aside(&config.store.path, &Clock::system())?;
            println!("moved to {}; the next start begins a new store", to.display());
            return Ok(ExitCode::SUCCESS);
        }
        opened => opened?,
    };
    anyhow::ensure!(!args.set_aside, "the store at {} opens; nothing was moved", config.store.path.display());
    let bar = spinner("Checking");
    let report = store.verify(|progress| show(&bar, progress))?;
    bar.finish_and_clear();
    let sound = report.is_sound();
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!(
            "{} records of {} sessions: {}",
            report.records,
            report.sessions,
            if sound { "sound" } else { "DAMAGED" }
        );
        for problem in &report.problems {
            println!("  {problem}");
        }
    }
    store.close().await?;
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_length(progress.total);
    bar.set_position(progress.done);
}

pub(super) fn spinner(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::no_length().with_message(what);
    if let Ok(style) = indicatif::ProgressStyle::with_template("{spinner} {msg} [{bar:30}] {pos}/{len}, {elapsed}") {
        bar.set_style(style);
    }
    bar
}
