//! `backup` and `restore`: everything that can't be made again, in one folder with a list of
//! hashes.

use std::fs::File;
use std::io::{BufReader, Read as _, Write as _};
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::cli::remote::Remote;
use crate::cli::show::counted;
use crate::clock::Clock;
use crate::config::Config;
use crate::conversation::Event;
use crate::http::backup::keep_last;
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
    /// Only check that the backup is whole and can be restored; nothing of this machine's is
    /// touched.
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
    let folder = plain(&args.folder);
    ensure!(!folder.exists(), "{} exists already; name another folder", folder.display());
    // A copy of a folder into itself would have no end, and what lies among the documents would be
    // told to visitors.
    if let Some(own) =
        read_by_the_server(config).into_iter().find(|own| real(&folder).starts_with(real(own)))
    {
        bail!(
            "{} lies in {}, which the server reads; name a folder elsewhere",
            folder.display(),
            own.display()
        );
    }
    permissions::keep_new_files_private();
    // It has its name once it is whole.
    let part = beside(&folder, "part");
    ensure!(
        !part.exists(),
        "{} is there already, from a backup that broke off; remove it",
        part.display()
    );
    let above =
        folder.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Made by us, it could be the place of a disk that isn't mounted, and the backup would lie on
    // another one.
    ensure!(
        above.is_dir(),
        "there is no folder {} to put the backup in; make it first, or mount the disk that it is on",
        above.display()
    );
    std::fs::create_dir(&part).with_context(|| format!("making {}", part.display()))?;
    let made = make(config, &part).await;
    let named = made.and_then(|manifest| {
        std::fs::rename(&part, &folder)
            .with_context(|| format!("can't name the folder {}", folder.display()))?;
        on_disk(&folder)?;
        Ok(manifest)
    });
    if named.is_err() {
        remove(&part);
    }
    let manifest = named?;
    let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
    println!(
        "{}, {} in {}",
        counted(manifest.files.len() as u64, "file"),
        counted(bytes, "byte"),
        folder.display()
    );
    println!("Try it: frontdesk restore --check {}", folder.display());
    Ok(ExitCode::SUCCESS)
}

/// Fills the folder; the manifest comes last.
async fn make(config: &Config, part: &Path) -> anyhow::Result<Manifest> {
    export(config, &part.join(STORE)).await?;
    for (name, path) in sources(config) {
        if path.exists() {
            copy(&path, &part.join(name))?;
        }
    }
    let manifest = Manifest {
        version: VERSION,
        frontdesk: env!("CARGO_PKG_VERSION").to_owned(),
        made_at_ms: Clock::system().now_ms(),
        files: listed(part)?,
    };
    let mut file = File::create(part.join(MANIFEST))?;
    file.write_all(&serde_json::to_vec_pretty(&manifest)?)?;
    file.sync_all()?;
    Ok(manifest)
}

pub(super) async fn restore(config: &Config, args: &RestoreArgs) -> anyhow::Result<ExitCode> {
    let folder = plain(&args.folder);
    permissions::keep_new_files_private();
    let manifest = checked(&folder)?;
    let files = counted(manifest.files.len() as u64, "file");
    println!("{files} in {}: unchanged since the backup", folder.display());
    let export = folder.join(STORE);
    if args.check {
        let path = beside(&folder, "trial");
        ensure!(
            !path.exists(),
            "{} is there already, from a check that broke off; remove it",
            path.display()
        );
        let trial = StoreConfig { path: path.clone(), ..config.store.clone() };
        let read = read_in(&trial, &export).await;
        remove(&path);
        return read.map(|()| ExitCode::SUCCESS);
    }
    // The store comes last: without it there is nothing that a server could start with by mistake.
    let mut to = sources(config);
    to.push((STORE, config.store.path.clone()));
    if let Some((_, taken)) = to.iter().find(|(_, path)| holds_something(path)) {
        bail!(
            "{} is there already, and nothing is written over; move it away, or name other paths in the configuration",
            taken.display()
        );
    }
    // Everything is whole beside its place before anything gets its name.
    let staged = |path: &Path| beside(path, "restoring");
    for (_, path) in &to {
        remove(&staged(path));
    }
    let brought = bring(config, &folder, &manifest, &to).await;
    if brought.is_err() {
        for (_, path) in &to {
            remove(&staged(path));
        }
    }
    brought?;
    for (_, path) in to.iter().filter(|(_, path)| staged(path).exists()) {
        std::fs::rename(staged(path), path)
            .with_context(|| format!("can't name {}", path.display()))?;
        on_disk(path)?;
    }
    println!(
        "Next: `frontdesk ingest` reads the documents, and `frontdesk serve` makes a new data/admin.key."
    );
    Ok(ExitCode::SUCCESS)
}

/// Writes what the manifest lists beside the places `to`, and nothing that it doesn't list.
async fn bring(
    config: &Config,
    folder: &Path,
    manifest: &Manifest,
    to: &[(&str, PathBuf)],
) -> anyhow::Result<()> {
    for listed in manifest.files.iter().filter(|listed| listed.path != STORE) {
        let (name, below) = listed.path.split_once('/').unwrap_or((&listed.path, ""));
        let place =
            to.iter().find(|(known, _)| *known == name).map(|(_, path)| beside(path, "restoring"));
        let place = place.with_context(|| {
            format!("{} is nothing that frontdesk {} knows", listed.path, env!("CARGO_PKG_VERSION"))
        })?;
        let place = if below.is_empty() { place } else { place.join(below) };
        copy(&folder.join(&listed.path), &place)?;
    }
    let store =
        StoreConfig { path: beside(&config.store.path, "restoring"), ..config.store.clone() };
    read_in(&store, &folder.join(STORE)).await
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

/// Folders that the server reads, or makes a backup of.
fn read_by_the_server(config: &Config) -> Vec<&Path> {
    let sites = config.sites.iter().filter_map(|site| site.knowledge.as_deref());
    let knowledge = &config.knowledge;
    let own = [
        &config.store.path,
        &knowledge.index,
        &knowledge.uploads,
        &knowledge.path,
        &config.intent.models,
    ];
    own.into_iter().map(PathBuf::as_path).chain(sites).collect()
}

/// Where a path leads that needn't be there yet, links followed.
fn real(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let there = path.ancestors().find_map(|above| {
        let rest = path.strip_prefix(above).ok()?;
        Some(above.canonicalize().ok()?.join(rest))
    });
    there.unwrap_or(path)
}

/// A path without a slash at its end.
fn plain(path: &Path) -> PathBuf {
    path.components().collect()
}

/// The path with an ending more.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = plain(path).into_os_string();
    name.push(".");
    name.push(ending);
    name.into()
}

/// Removes what a command made itself, if it is there.
fn remove(path: &Path) {
    let removed =
        if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    if let Err(error) = removed
        && error.kind() != std::io::ErrorKind::NotFound
    {
        eprintln!("{} could not be removed: {error}", path.display());
    }
}

/// Has a new name on disk, too.
fn on_disk(path: &Path) -> anyhow::Result<()> {
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .with_context(|| format!("syncing {}", folder.display()))
}

/// An export of the store, by the server that has it open or, without one, from its directory. It
/// is read again before it counts.
async fn export(config: &Config, to: &Path) -> anyhow::Result<()> {
    let mut file = File::create(to).with_context(|| format!("can't write {}", to.display()))?;
    match Store::open(&config.store) {
        Ok(store) => {
            let (exporting, target) = (store.clone(), file.try_clone()?);
            tokio::task::spawn_blocking(move || exporting.export(target, |_| {})).await??;
            // What was exported is whole all the same, and a full disk is a good time for a backup.
            let kept = keep_last(&store, Clock::system().now_ms() / 1_000).await;
            if let Err(error) = kept.and(store.close().await) {
                eprintln!("the time of this backup could not be noted in the store: {error}");
            }
        }
        Err(error @ StoreError::InUse { .. }) => {
            let server = Remote::of(config).map_err(|cause| cause.context(error))?;
            server.download("/v1/store/export", &mut file).await?;
        }
        Err(error) => return Err(error.into()),
    }
    file.sync_all()?;
    let written = File::open(to)?;
    tokio::task::spawn_blocking(move || Store::check_export(BufReader::new(written))).await??;
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
    let records = counted(imported.written + imported.present, "record");
    println!("{records} of {}", counted(verified.sessions, "conversation"));
    ensure!(
        verified.is_sound(),
        "the store is damaged after the import: {}",
        verified.problems.join("; ")
    );
    Ok(())
}

fn holds_something(path: &Path) -> bool {
    match std::fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => path.exists(),
    }
}

/// The manifest, once every file of it was found to be as it says.
fn checked(folder: &Path) -> anyhow::Result<Manifest> {
    let path = folder.join(MANIFEST);
    let text = std::fs::read(&path)
        .with_context(|| format!("{} is no backup, or was cut off", folder.display()))?;
    let manifest: Manifest =
        serde_json::from_slice(&text).with_context(|| format!("reading {}", path.display()))?;
    ensure!(
        manifest.version <= VERSION,
        "the backup has the format {}, which frontdesk {} made and {} doesn't know; use the later release",
        manifest.version,
        manifest.frontdesk,
        env!("CARGO_PKG_VERSION")
    );
    ensure!(
        manifest.files.iter().any(|listed| listed.path == STORE),
        "{} lists no {STORE}",
        path.display()
    );
    for listed in &manifest.files {
        let inside =
            Path::new(&listed.path).components().all(|part| matches!(part, Component::Normal(_)));
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
        for entry in
            std::fs::read_dir(&next).with_context(|| format!("reading {}", next.display()))?
        {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let (bytes, sha256) = measured(&path)?;
            let below =
                path.strip_prefix(folder)?.to_str().context("a file name is not UTF-8")?.to_owned();
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

/// Copies a file or a folder, and has it on disk, for this user alone. What leaves a folder
/// meanwhile is left out, since a running server removes documents; so are links.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    if from.is_dir() {
        std::fs::create_dir_all(to).with_context(|| format!("making {}", to.display()))?;
        for entry in
            std::fs::read_dir(from).with_context(|| format!("reading {}", from.display()))?
        {
            let entry = entry?;
            if entry.file_type().is_ok_and(|kind| !kind.is_symlink()) {
                copy(&entry.path(), &to.join(entry.file_name()))?;
            }
        }
        return Ok(());
    }
    if let Some(parent) = to.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
    }
    let mut read = match File::open(from) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        read => read.with_context(|| format!("can't read {}", from.display()))?,
    };
    // Not with the permissions that it had: a copy on another medium may have lost them.
    let mut written = File::create(to).with_context(|| format!("can't write {}", to.display()))?;
    std::io::copy(&mut read, &mut written)
        .with_context(|| format!("copying {}", from.display()))?;
    Ok(written.sync_all()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_that_was_changed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("uploads")).unwrap();
        std::fs::write(folder.path().join("uploads/a.md"), "# A").unwrap();
        std::fs::write(folder.path().join(STORE), "").unwrap();
        let files = listed(folder.path()).unwrap();
        let write = |files: Vec<Listed>| {
            let manifest =
                Manifest { version: VERSION, frontdesk: "0".into(), made_at_ms: 0, files };
            std::fs::write(folder.path().join(MANIFEST), serde_json::to_vec(&manifest).unwrap())
                .unwrap();
        };
        write(files);
        assert_eq!(checked(folder.path()).unwrap().files.len(), 2);
        std::fs::write(folder.path().join("uploads/a.md"), "# B").unwrap();
        assert!(checked(folder.path()).unwrap_err().to_string().contains("was changed"));
        for outside in ["../outside", "/etc/hostname", "uploads/../../x"] {
            let of = |path: &str| Listed { path: path.into(), bytes: 0, sha256: String::new() };
            write(vec![of(outside), of(STORE)]);
            assert!(
                checked(folder.path()).unwrap_err().to_string().contains("leads out"),
                "{outside}"
            );
        }
        write(Vec::new());
        assert!(checked(folder.path()).unwrap_err().to_string().contains("lists no store.export"));
    }
}
