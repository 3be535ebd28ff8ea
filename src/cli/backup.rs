//! `backup` and `restore`: everything that can't be made again, in one folder with a list of hashes.
#![expect(clippy::print_stdout, reason = "a command line prints")]

use std::fs::File;
use std::io::{BufReader, Read as _, Write as _};
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::cli::remote::Remote;
use crate::clock::Clock;
use crate::config::Config;
use crate::conversation::Event;
use crate::permissions;
use crate::store::{Store, StoreConfig, StoreError};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  frontdesk backup /backups/$(date +%F)     while the server runs, or without it
  frontdesk restore --check /backups/2026-11-30
  frontdesk restore /backups/2026-11-30     on a new machine, before its first start

A backup holds the conversations, documents that were handed in, trained models and the key of visitors' tokens: whoever has it
can read everything. It holds neither the folder of documents and config.toml, which are yours, nor the index and the language
models, which are made again (`frontdesk ingest`, `frontdesk models pull`).")]
pub struct BackupArgs {
    /// The folder to make; it must not exist.
    pub folder: PathBuf,
}

#[derive(Debug, clap::Args)]
pub struct RestoreArgs {
    /// A folder that `frontdesk backup` made.
    pub folder: PathBuf,
    /// Only check that the backup is whole and can be restored; nothing of this machine's is touched.
    #[arg(long)]
    pub check: bool,
}

const VERSION: u32 = 1;
const MANIFEST: &str = "manifest.json";
const STORE: &str = "store.export";
const VISITOR_KEYS: &str = "visitor.keys";

/// What a backup holds.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    version: u32,
    /// The release that made it.
    frontdesk: String,
    /// Milliseconds since the epoch.
    made_at_ms: u64,
    files: Vec<Listed>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Listed {
    /// Below the folder, with `/`.
    path: String,
    bytes: u64,
    /// Lower-case hexadecimal.
    sha256: String,
}

pub(super) async fn backup(config: &Config, args: &BackupArgs) -> anyhow::Result<ExitCode> {
    let folder = &args.folder;
    ensure!(!folder.exists(), "{} exists already; name another folder", folder.display());
    permissions::keep_new_files_private();
    // It has its name once it is whole.
    let part = folder.with_extension("part");
    if part.exists() {
        std::fs::remove_dir_all(&part).with_context(|| format!("removing {}", part.display()))?;
    }
    std::fs::create_dir_all(&part).with_context(|| format!("making {}", part.display()))?;
    export(config, &part.join(STORE)).await?;
    let from = sources(config);
    for (name, path) in &from {
        if path.exists() {
            copy(path, &part.join(name))?;
        }
    }
    let manifest = Manifest {
        version: VERSION,
        frontdesk: env!("CARGO_PKG_VERSION").to_owned(),
        made_at_ms: Clock::system().now_ms(),
        files: listed(&part)?,
    };
    let mut file = File::create(part.join(MANIFEST))?;
    file.write_all(&serde_json::to_vec_pretty(&manifest)?)?;
    file.sync_all()?;
    std::fs::rename(&part, folder).with_context(|| format!("can't name the folder {}", folder.display()))?;
    let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
    println!("{} files, {bytes} bytes in {}", manifest.files.len(), folder.display());
    println!("Try it: frontdesk restore --check {}", folder.display());
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn restore(config: &Config, args: &RestoreArgs) -> anyhow::Result<ExitCode> {
    let folder = &args.folder;
    let manifest = checked(folder)?;
    println!("{} files of {} are as they were written", manifest.files.len(), folder.display());
    if args.check {
        let path = folder.with_extension("trial");
        ensure!(!path.exists(), "{} is there already, from a check that broke off; remove it", path.display());
        let trial = StoreConfig { path: path.clone(), ..config.store.clone() };
        let read = read_in(&trial, &folder.join(STORE)).await;
        std::fs::remove_dir_all(&path).with_context(|| format!("removing {}", path.display()))?;
        return read.map(|()| ExitCode::SUCCESS);
    }
    let to = sources(config);
    let taken = [&config.store.path].into_iter().chain(to.iter().map(|(_, path)| path));
    if let Some(taken) = taken.into_iter().find(|path| holds_something(path)) {
        bail!(
            "{} is there already, and nothing is written over; move it away, or name other paths in the configuration",
            taken.display()
        );
    }
    for (name, path) in &to {
        let copied = folder.join(name);
        if copied.exists() {
            copy(&copied, path)?;
        }
    }
    read_in(&config.store, &folder.join(STORE)).await?;
    println!("Next: `frontdesk ingest` reads the documents, and `frontdesk serve` makes a new data/admin.key.");
    Ok(ExitCode::SUCCESS)
}

/// What a backup holds beside the store: names in it, and where they are on this machine.
fn sources(config: &Config) -> Vec<(&'static str, PathBuf)> {
    let beside = config.store.path.parent().unwrap_or(&config.store.path);
    vec![
        (VISITOR_KEYS, beside.join(VISITOR_KEYS)),
        ("uploads", config.knowledge.uploads.clone()),
        ("intent", config.intent.models.clone()),
    ]
}

/// An export of the store, by the server that has it open or, without one, from its directory.
async fn export(config: &Config, to: &Path) -> anyhow::Result<()> {
    let mut file = File::create(to).with_context(|| format!("can't write {}", to.display()))?;
    match Store::open(&config.store) {
        Ok(store) => {
            let (exporting, target) = (store.clone(), file.try_clone()?);
            tokio::task::spawn_blocking(move || exporting.export(target, |_| {})).await??;
            store.close().await?;
        }
        Err(error @ StoreError::InUse { .. }) => {
            let server = Remote::of(config).map_err(|cause| cause.context(error))?;
            server.download("/v1/store/export", &mut file).await?;
        }
        Err(error) => return Err(error.into()),
    }
    file.sync_all()?;
    Ok(())
}

/// Imports an export into a store that is empty, and checks every record of it.
async fn read_in(config: &StoreConfig, export: &Path) -> anyhow::Result<()> {
    let store = Store::open(config)?;
    let file = File::open(export).with_context(|| format!("can't read {}", export.display()))?;
    let (importing, understood) = (store.clone(), |body: &[u8]| {
        Event::read(body).map(|event| event.is_some()).map_err(|error| error.to_string())
    });
    let report = tokio::task::spawn_blocking(move || {
        let imported = importing.import(BufReader::new(file), |_| {})?;
        let verified = importing.verify(understood, |_| {})?;
        Ok::<_, StoreError>((imported, verified))
    });
    let (imported, verified) = report.await??;
    store.close().await?;
    println!("{} records of {} conversations", imported.written + imported.present, verified.sessions);
    ensure!(verified.is_sound(), "the store is damaged after the import: {}", verified.problems.join("; "));
    Ok(())
}

fn holds_something(path: &Path) -> bool {
    match std::fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => path.exists(),
    }
}

/// The manifest, once every file of it was found to be as it says, and no other is there.
fn checked(folder: &Path) -> anyhow::Result<Manifest> {
    let path = folder.join(MANIFEST);
    let text = std::fs::read(&path).with_context(|| format!("{} is no backup, or was cut off", folder.display()))?;
    let manifest: Manifest = serde_json::from_slice(&text).with_context(|| format!("reading {}", path.display()))?;
    ensure!(
        manifest.version <= VERSION,
        "the backup has the format {}, which frontdesk {} reads",
        manifest.version,
        manifest.frontdesk
    );
    for listed in &manifest.files {
        let inside = Path::new(&listed.path).components().all(|part| matches!(part, Component::Normal(_)));
        ensure!(inside, "{:?} leads out of the backup", listed.path);
        let (bytes, sha256) = measured(&folder.join(&listed.path))?;
        ensure!(
            (bytes, &sha256) == (listed.bytes, &listed.sha256),
            "{} was changed after the backup was made, or is damaged; use another backup",
            listed.path
        );
    }
    Ok(manifest)
}

/// Every file below a folder, by path.
fn listed(folder: &Path) -> anyhow::Result<Vec<Listed>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).with_context(|| format!("reading {}", next.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let (bytes, sha256) = measured(&path)?;
            let below = path.strip_prefix(folder)?.to_str().context("a file name is not UTF-8")?.to_owned();
            files.push(Listed { path: below, bytes, sha256 });
        }
    }
    files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn measured(path: &Path) -> anyhow::Result<(u64, String)> {
    let mut file = File::open(path).with_context(|| format!("can't read {}", path.display()))?;
    let (mut digest, mut bytes, mut piece) = (Sha256::new(), 0_u64, vec![0; 64 * 1024]);
    loop {
        let read = file.read(&mut piece).with_context(|| format!("reading {}", path.display()))?;
        if read == 0 {
            break;
        }
        digest.update(piece.get(..read).unwrap_or_default());
        bytes += read as u64;
    }
    Ok((bytes, digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
}

/// Copies a file or a folder, and has it on disk. What leaves a folder meanwhile is left out: a running server removes documents.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let gone = |error: &std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
    if from.is_dir() {
        std::fs::create_dir_all(to).with_context(|| format!("making {}", to.display()))?;
        for entry in std::fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(());
    }
    if let Some(parent) = to.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
    }
    match std::fs::copy(from, to) {
        Ok(_) => Ok(File::open(to)?.sync_all()?),
        Err(error) if gone(&error) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("copying {}", from.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_that_was_changed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("uploads")).unwrap();
        std::fs::write(folder.path().join("uploads/a.md"), "# A").unwrap();
        let files = listed(folder.path()).unwrap();
        let write = |files: Vec<Listed>| {
            let manifest = Manifest { version: VERSION, frontdesk: "0".into(), made_at_ms: 0, files };
            std::fs::write(folder.path().join(MANIFEST), serde_json::to_vec(&manifest).unwrap()).unwrap();
        };
        write(files);
        assert_eq!(checked(folder.path()).unwrap().files.len(), 1);
        std::fs::write(folder.path().join("uploads/a.md"), "# B").unwrap();
        assert!(checked(folder.path()).unwrap_err().to_string().contains("was changed"));
        write(vec![Listed { path: "../outside".into(), bytes: 0, sha256: String::new() }]);
        assert!(checked(folder.path()).unwrap_err().to_string().contains("leads out"));
    }
}
