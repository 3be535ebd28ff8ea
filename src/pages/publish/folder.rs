//! Puts built pages into a folder of their own, so that a failure leaves what was there.
//!
//! A list in the folder names the files that were written by this, with their hashes. Nothing else
//! is replaced or removed: a folder without that list must be empty, and a file that somebody
//! changed since is named in an error. All files are first written beside those in place; then they
//! take their names one by one, which needs no room on the disk, and what the site no longer has is
//! removed.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Built;

/// The list of the files that were written.
const LIST: &str = ".frontdesk-pages.json";
/// Where files are until all of them are written.
const STAGE: &str = ".frontdesk-pages.new";

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct List {
    site: String,
    /// Hexadecimal SHA-256 of each file, by its path.
    files: BTreeMap<String, String>,
}

/// What happened to the folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Change {
    pub added: usize,
    pub changed: usize,
    pub unchanged: usize,
    pub removed: usize,
}

/// Brings a folder up to what was built for a site. `force`: files that somebody changed are
/// replaced, too.
///
/// # Errors
/// When the folder isn't one of this site's pages, a file in it was changed by somebody else, or
/// the disk fails; until all files are written, nothing in place is touched.
pub fn write(folder: &Path, site: &str, built: &Built, force: bool) -> anyhow::Result<Change> {
    let before = list_of(folder, site)?;
    let mut after = List { site: site.to_owned(), files: BTreeMap::new() };
    let mut change = Change::default();
    let mut edited = Vec::new();
    let mut new: Vec<&str> = Vec::new();
    for (path, content) in &built.files {
        let hash = hex(content);
        let target = folder.join(path);
        let there = there(&target)?.map(|content| hex(&content));
        let known = before.files.get(path);
        match there {
            None => change.added += 1,
            Some(there) if there == hash => {
                change.unchanged += 1;
                after.files.insert(path.clone(), hash);
                continue;
            }
            Some(there) if known == Some(&there) || force => change.changed += 1,
            Some(_) => edited.push(path.as_str()),
        }
        after.files.insert(path.clone(), hash);
        new.push(path);
    }
    let gone: Vec<&String> =
        before.files.keys().filter(|path| !built.files.contains_key(*path)).collect();
    let mut stale: Vec<&str> = Vec::new();
    for path in gone {
        match there(&folder.join(path))?.map(|content| hex(&content)) {
            None => {}
            Some(hash) if before.files.get(path) == Some(&hash) || force => stale.push(path),
            Some(_) => edited.push(path),
        }
    }
    ensure!(
        edited.is_empty(),
        "{} changed since it was published: {}; keep it elsewhere, or use --force to give it up",
        if edited.len() == 1 { "a file".to_owned() } else { format!("{} files", edited.len()) },
        edited.join(", ")
    );
    change.removed = stale.len();
    let stage = folder.join(STAGE);
    make_folders(folder, &stage)?;
    clear(&stage)?;
    let staged = new.iter().try_for_each(|path| stage_file(&stage, path, &built.files[*path]));
    if let Err(error) = staged {
        let _ = clear(&stage);
        return Err(error);
    }
    // From here on a crash leaves a list that knows the files of both states.
    let mut both = after.clone();
    both.files.extend(
        before
            .files
            .iter()
            .filter(|(path, _)| stale.contains(&path.as_str()))
            .map(|(path, hash)| (path.clone(), hash.clone())),
    );
    write_list(folder, &both)?;
    for path in &new {
        let target = folder.join(path);
        make_folders(folder, &target)?;
        fs::rename(stage.join(path), &target)
            .with_context(|| format!("{} can't be put in place", target.display()))?;
    }
    for path in stale {
        let target = folder.join(path);
        fs::remove_file(&target)
            .with_context(|| format!("{} can't be removed", target.display()))?;
        remove_empty(folder, &target);
    }
    clear(&stage)?;
    write_list(folder, &after)?;
    Ok(change)
}

/// The list of a folder; that of a new one is empty.
fn list_of(folder: &Path, site: &str) -> anyhow::Result<List> {
    let path = folder.join(LIST);
    match fs::read_to_string(&path) {
        Ok(text) => {
            let list: List = serde_json::from_str(&text).with_context(|| {
                format!("{} is damaged; publish into another folder", path.display())
            })?;
            ensure!(
                list.site == site,
                "{} holds the pages of the site {:?}, not of {site:?}; publish into another folder",
                folder.display(),
                list.site
            );
            // A list that somebody wrote must not lead out of the folder.
            let sound = |path: &String| {
                !path.is_empty()
                    && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
                    && !path.contains('\\')
            };
            ensure!(
                list.files.keys().all(sound),
                "{} names files outside of its folder",
                path.display()
            );
            Ok(list)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            match fs::read_dir(folder) {
                Ok(mut entries) => ensure!(
                    entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == STAGE)),
                    "{} holds files that frontdesk publish didn't write; give it a new or an empty folder",
                    folder.display()
                ),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(error)
                        .with_context(|| format!("{} can't be read", folder.display()));
                }
            }
            Ok(List::default())
        }
        Err(error) => Err(error).with_context(|| format!("{} can't be read", path.display())),
    }
}

fn there(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.is_file() => {
            bail!("{} is in the way: it is no plain file", path.display())
        }
        Ok(_) => {
            fs::read(path).map(Some).with_context(|| format!("{} can't be read", path.display()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} can't be looked at", path.display())),
    }
}

fn stage_file(stage: &Path, path: &str, content: &[u8]) -> anyhow::Result<()> {
    let target = stage.join(path);
    let write = || {
        make_folders(stage, &target)?;
        let mut file = fs::File::create(&target)?;
        file.write_all(content)?;
        readable(&target, 0o644)?;
        Ok::<(), anyhow::Error>(file.sync_all()?)
    };
    write().with_context(|| format!("{} can't be written; nothing was changed", target.display()))
}

/// The folders above a file, up to `top`. A link in their place could lead anywhere.
fn make_folders(top: &Path, file: &Path) -> anyhow::Result<()> {
    let within: Vec<PathBuf> = file
        .ancestors()
        .skip(1)
        .take_while(|folder| folder.starts_with(top))
        .map(Path::to_owned)
        .collect();
    for folder in within.iter().rev() {
        match fs::symlink_metadata(folder) {
            Ok(metadata) if metadata.is_symlink() && folder != top => {
                bail!("{} is a link; publish into a real folder", folder.display())
            }
            Ok(_) => {}
            Err(_) => {
                fs::create_dir_all(folder)
                    .with_context(|| format!("{} can't be made", folder.display()))?;
                readable(folder, 0o755)?;
            }
        }
    }
    Ok(())
}

/// Lets web servers read what is published: other files of this program are its user's alone.
#[cfg(unix)]
fn readable(path: &Path, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn readable(_: &Path, _: u32) -> std::io::Result<()> {
    Ok(())
}

fn write_list(folder: &Path, list: &List) -> anyhow::Result<()> {
    let path = folder.join(LIST);
    let partial = folder.join(format!("{LIST}.part"));
    let write = || {
        make_folders(folder, &partial)?;
        fs::write(&partial, serde_json::to_vec_pretty(list)?)?;
        Ok::<(), anyhow::Error>(fs::rename(&partial, &path)?)
    };
    write().with_context(|| format!("{} can't be written", path.display()))
}

fn clear(stage: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(stage) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} can't be cleared", stage.display()))
        }
        _ => Ok(()),
    }
}

/// Removes the folders above a removed file that hold nothing more.
fn remove_empty(top: &Path, file: &Path) {
    for folder in
        file.ancestors().skip(1).take_while(|folder| folder.starts_with(top) && *folder != top)
    {
        if fs::remove_dir(folder).is_err() {
            return;
        }
    }
}

fn hex(content: &[u8]) -> String {
    format!("{:x}", Sha256::digest(content))
}
