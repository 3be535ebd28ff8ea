//! `export`, `import`, `verify`: whole stores, checked byte by byte.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use indicatif::ProgressBar;
use reqwest::Method;
use serde_json::json;

use crate::cli::remote::Remote;
use crate::cli::show::{counted, progress};
use crate::clock::Clock;
use crate::config::Config;
use crate::conversation::Event;
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
    /// Move a store that doesn't open aside, so that the next start begins a new one. Nothing is
    /// deleted.
    #[arg(long)]
    pub set_aside: bool,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
}

pub(super) async fn export(config: &Config, args: &ExportArgs) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        !args.file.exists(),
        "{} exists already; name another file",
        args.file.display()
    );
    let store = Store::open(&config.store)?;
    let (part, file) = Part::create(&args.file)?;
    let report = on_a_thread(store.clone(), move |store| {
        let bar = progress("Writing");
        let mut writer = BufWriter::new(file);
        let report = store.export(&mut writer, |progress| show(&bar, progress))?;
        writer.flush()?;
        writer.get_ref().sync_all()?;
        part.finish()?;
        bar.finish_and_clear();
        Ok(report)
    })
    .await?;
    let (records, bytes) = (counted(report.records, "record"), counted(report.bytes, "byte"));
    println!("{records}, {bytes} written to {}", args.file.display());
    println!(
        "Keys are not in it: on another machine, put visitor.keys beside the store, so that visitors can go on."
    );
    store.close().await?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn import(config: &Config, args: &ImportArgs) -> anyhow::Result<ExitCode> {
    let file =
        File::open(&args.file).with_context(|| format!("can't read {}", args.file.display()))?;
    let store = Store::open(&config.store)?;
    let report = on_a_thread(store.clone(), |store| {
        let bar = progress("Reading");
        let report = store.import(BufReader::new(file), |progress| show(&bar, progress))?;
        bar.finish_and_clear();
        Ok(report)
    })
    .await?;
    println!(
        "{} written, {} were there already",
        counted(report.written, "record"),
        report.present
    );
    store.close().await?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn compact(config: &Config) -> anyhow::Result<ExitCode> {
    match Store::open(&config.store) {
        Ok(store) => {
            store.compact().await?;
            store.close().await?;
        }
        Err(error @ StoreError::InUse { .. }) => {
            let server = Remote::of(config).map_err(|cause| cause.context(error))?;
            server.done(Method::POST, "/v1/store/compact", json!({})).await?;
        }
        Err(error) => return Err(error.into()),
    }
    println!("The store was written anew, without the bytes of what was erased.");
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
    anyhow::ensure!(
        !args.set_aside,
        "the store at {} opens; nothing was moved",
        config.store.path.display()
    );
    let report = on_a_thread(store.clone(), |store| {
        let bar = progress("Checking");
        let understood = |body: &[u8]| match Event::read(body) {
            Ok(event) => Ok(event.is_some()),
            Err(error) => Err(error.to_string()),
        };
        let report = store.verify(understood, |progress| show(&bar, progress))?;
        bar.finish_and_clear();
        Ok(report)
    })
    .await?;
    let sound = report.is_sound();
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!(
            "{} of {}: {}",
            counted(report.records, "record"),
            counted(report.sessions, "session"),
            if sound { "sound" } else { "DAMAGED" }
        );
        for problem in &report.problems {
            println!("  {problem}");
        }
    }
    store.close().await?;
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The store's whole-log work waits for its threads, which code on the runtime's workers must not.
async fn on_a_thread<T: Send + 'static>(
    store: Store,
    work: impl FnOnce(&Store) -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(move || work(&store))
        .await
        .context("the work on the store crashed")?
}

/// A file in the making: it has its name once it is whole, and is removed otherwise.
pub(super) struct Part {
    path: PathBuf,
    whole: PathBuf,
}

impl Part {
    pub(super) fn create(whole: &Path) -> anyhow::Result<(Self, File)> {
        let path = whole.with_extension("part");
        let file =
            File::create(&path).with_context(|| format!("can't write {}", path.display()))?;
        Ok((Self { path, whole: whole.to_owned() }, file))
    }

    pub(super) fn finish(self) -> anyhow::Result<()> {
        std::fs::rename(&self.path, &self.whole)
            .with_context(|| format!("can't name the file {}", self.whole.display()))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // After `finish` it isn't there any more.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_length(progress.total);
    bar.set_position(progress.done);
}
