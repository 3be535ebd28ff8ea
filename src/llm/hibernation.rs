//! Files of finished conversations: what the KV cache held of them, so that a visitor who comes
//! back after a restart isn't computed again.
//!
//! A conversation has one file, named after its owner's number, so that erasing a conversation
//! needs nothing but its name. llama.cpp writes the beginning of the file: its mark, the tokens and
//! the state. Behind that stands who wrote it, a checksum of all before, the length of the facts,
//! and a mark. The tokens alone are read at the start; the checksum is compared before llama.cpp
//! reads a file, whose parser trusts what it is given.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::tokens::TokenId;

/// Raised when what stands in a file changes.
const FORMAT: u32 = 1;
/// Whose parser reads the state: of another version nothing is read.
const ENGINE: &str = "llama-cpp-2 0.1.160";
const MARK: &[u8; 8] = b"FDHIBER1";
const DIGEST_BYTES: usize = 32;
/// Checksum, length of the facts, mark.
const TAIL_BYTES: usize = DIGEST_BYTES + 4 + MARK.len();
/// Longer facts aren't ours.
const FACTS_BYTES: usize = 4096;
/// llama.cpp's mark, version and number of tokens.
const HEAD_BYTES: u64 = 12;

/// Who can read a file again: the same model in the same engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Maker {
    format: u32,
    engine: String,
    model_sha256: String,
    model_bytes: u64,
}

impl Maker {
    pub(super) fn of(model_sha256: &str, model_bytes: u64) -> Self {
        let model_sha256 = model_sha256.to_owned();
        Self { format: FORMAT, engine: ENGINE.to_owned(), model_sha256, model_bytes }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Facts {
    maker: Maker,
    owner: u64,
    /// The state begins at this position of the conversation.
    from: usize,
}

/// A file that may be of use.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) owner: u64,
    pub(super) from: usize,
    pub(super) tokens: Vec<TokenId>,
    pub(super) bytes: u64,
}

pub(super) fn path_of(folder: &Path, owner: u64) -> PathBuf {
    folder.join(format!("{owner:016x}.kv"))
}

/// An empty file that nobody else may read, for llama.cpp to write into.
pub(super) fn begin(folder: &Path, owner: u64) -> io::Result<PathBuf> {
    let path = folder.join(format!("{owner:016x}.tmp"));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(&path)?;
    Ok(path)
}

/// Says in a file that llama.cpp has written who wrote it, and puts it in the place of the
/// conversation's last one. Returns its size. A crash in between leaves a file that is refused.
pub(super) fn seal(
    folder: &Path,
    written: &Path,
    maker: &Maker,
    owner: u64,
    from: usize,
) -> anyhow::Result<u64> {
    let facts = serde_json::to_vec(&Facts { maker: maker.clone(), owner, from })?;
    let mut file = OpenOptions::new().read(true).append(true).open(written)?;
    file.write_all(&facts)?;
    let whole = file.metadata()?.len();
    file.seek(SeekFrom::Start(0))?;
    let digest = digest_of(&mut file, whole)?;
    file.write_all(&digest)?;
    file.write_all(&u32::try_from(facts.len())?.to_le_bytes())?;
    file.write_all(MARK)?;
    let bytes = file.metadata()?.len();
    fs::rename(written, path_of(folder, owner))?;
    Ok(bytes)
}

/// Compares a file with its checksum.
///
/// # Errors
/// Why it must not be read.
pub(super) fn verify(folder: &Path, owner: u64, maker: &Maker) -> anyhow::Result<()> {
    let mut file = File::open(path_of(folder, owner))?;
    let (facts, summed, digest) = facts_of(&mut file)?;
    ensure!(facts.maker == *maker && facts.owner == owner, "another model, version or owner");
    file.seek(SeekFrom::Start(0))?;
    ensure!(digest_of(&mut file, summed)? == digest, "its checksum is wrong");
    Ok(())
}

/// The files of a folder, the oldest first. What can't be used is removed and counted.
pub(super) fn scan(folder: &Path, maker: &Maker) -> io::Result<(Vec<Found>, u64)> {
    let (mut found, mut refused) = (Vec::new(), 0);
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("kv") => {}
            Some("tmp") => {
                drop(fs::remove_file(&path));
                continue;
            }
            _ => continue,
        }
        match read(&path, folder, maker) {
            Ok(file) => found.push(file),
            Err(error) => {
                refused += 1;
                tracing::warn!(
                    refused,
                    error = format!("{error:#}"),
                    "the file of a hibernated conversation is of no use and removed"
                );
                drop(fs::remove_file(&path));
            }
        }
    }
    found.sort_by_key(|(written, file)| (*written, file.owner));
    Ok((found.into_iter().map(|(_, file)| file).collect(), refused))
}

/// Removes a conversation's file, if there is one.
pub(super) fn erase(folder: &Path, owner: u64) {
    let removed = fs::remove_file(path_of(folder, owner));
    if let Err(error) = removed
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::error!(%error, "the file of a hibernated conversation can't be removed");
    }
}

/// Removes all of them: nobody will read them again.
pub(super) fn clear(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| extension == "kv" || extension == "tmp") {
            drop(fs::remove_file(path));
        }
    }
}

/// The folder, which nobody else may enter.
pub(super) fn open(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(folder)
}

fn read(path: &Path, folder: &Path, maker: &Maker) -> anyhow::Result<(SystemTime, Found)> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    let (facts, summed, _) = facts_of(&mut file)?;
    ensure!(facts.maker == *maker, "another model or version wrote it");
    ensure!(path_of(folder, facts.owner) == path, "it has another conversation's name");
    file.seek(SeekFrom::Start(HEAD_BYTES - 4))?;
    let mut count = [0; 4];
    file.read_exact(&mut count)?;
    let count = u32::from_le_bytes(count) as usize;
    let room = usize::try_from(summed.saturating_sub(HEAD_BYTES))? / size_of::<TokenId>();
    ensure!(facts.from < count && count <= room, "it names more tokens than it holds");
    let mut tokens = vec![0; count * size_of::<TokenId>()];
    file.read_exact(&mut tokens)?;
    let (tokens, _) = tokens.as_chunks::<{ size_of::<TokenId>() }>();
    let tokens = tokens.iter().map(|token| TokenId::from_le_bytes(*token)).collect();
    let found = Found { owner: facts.owner, from: facts.from, tokens, bytes: metadata.len() };
    Ok((metadata.modified()?, found))
}

/// What stands behind the state: the facts, how many bytes the checksum is of, and the checksum.
fn facts_of(file: &mut File) -> anyhow::Result<(Facts, u64, [u8; DIGEST_BYTES])> {
    let bytes = file.metadata()?.len();
    let summed = bytes.checked_sub(TAIL_BYTES as u64).context("it is cut off")?;
    file.seek(SeekFrom::Start(summed))?;
    let mut tail = [0; TAIL_BYTES];
    file.read_exact(&mut tail)?;
    let (digest, rest) = tail.split_at(DIGEST_BYTES);
    let (length, mark) = rest.split_at(4);
    ensure!(mark == MARK, "its end is missing, or of another format");
    let length = u32::from_le_bytes(length.try_into()?) as usize;
    ensure!(length <= FACTS_BYTES && length as u64 <= summed, "its facts are too long");
    file.seek(SeekFrom::Start(summed - length as u64))?;
    let mut facts = vec![0; length];
    file.read_exact(&mut facts)?;
    let facts = serde_json::from_slice(&facts).context("its facts can't be read")?;
    Ok((facts, summed, digest.try_into()?))
}

fn digest_of(file: &mut File, bytes: u64) -> io::Result<[u8; DIGEST_BYTES]> {
    let (mut hasher, mut left) = (Sha256::new(), file.take(bytes));
    let mut buffer = vec![0; 1 << 20];
    loop {
        match left.read(&mut buffer)? {
            0 => return Ok(hasher.finalize().into()),
            read => hasher.update(&buffer[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(tokens: &[TokenId]) -> Vec<u8> {
        let mut bytes = vec![0; 8];
        bytes.extend(u32::try_from(tokens.len()).unwrap().to_le_bytes());
        bytes.extend(tokens.iter().flat_map(|token| token.to_le_bytes()));
        bytes.extend([7; 3000]);
        bytes
    }

    fn save(folder: &Path, maker: &Maker, owner: u64) -> u64 {
        let written = begin(folder, owner).unwrap();
        fs::write(&written, state(&[5, 6, 7])).unwrap();
        seal(folder, &written, maker, owner, 1).unwrap()
    }

    #[test]
    fn a_file_is_found_again_and_nobody_else_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let (folder, maker) = (folder.path(), Maker::of("abc", 9));
        let bytes = save(folder, &maker, 3);
        let (found, refused) = scan(folder, &maker).unwrap();
        let expected = Found { owner: 3, from: 1, tokens: vec![5, 6, 7], bytes };
        assert_eq!((found, refused), (vec![expected], 0));
        verify(folder, 3, &maker).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(path_of(folder, 3)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        erase(folder, 3);
        assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
    }

    #[test]
    fn what_is_damaged_or_foreign_is_refused() {
        #[track_caller]
        fn check(change: impl Fn(&mut Vec<u8>), seen_at_start: bool) {
            let folder = tempfile::tempdir().unwrap();
            let (folder, maker) = (folder.path(), Maker::of("abc", 9));
            save(folder, &maker, 3);
            let path = path_of(folder, 3);
            let mut bytes = fs::read(&path).unwrap();
            change(&mut bytes);
            fs::write(&path, bytes).unwrap();
            assert!(verify(folder, 3, &maker).is_err());
            let (found, refused) = scan(folder, &maker).unwrap();
            assert_eq!((found.len(), refused), if seen_at_start { (0, 1) } else { (1, 0) });
            assert_eq!(path.exists(), !seen_at_start);
        }
        check(|bytes| bytes.truncate(2000), true);
        check(Vec::clear, true);
        check(|bytes| bytes[1000] ^= 1, false);
        // More tokens than there is room for; a few more are found by the checksum.
        check(|bytes| bytes[9] = 255, true);
        check(|bytes| bytes[8] = 255, false);
        check(|bytes| *bytes.last_mut().unwrap() = b'0', true);
        let maker = |from: &str, to: &str, bytes: &mut Vec<u8>| {
            let at = bytes.windows(from.len()).position(|part| part == from.as_bytes()).unwrap();
            bytes.splice(at..at + from.len(), to.bytes());
        };
        check(|bytes| maker("\"abc\"", "\"xyz\"", bytes), true);
        check(|bytes| maker("\"format\":1", "\"format\":0", bytes), true);
        check(|bytes| maker("0.1.160", "0.1.159", bytes), true);
        check(|bytes| maker("\"owner\":3", "\"owner\":4", bytes), true);
    }

    #[test]
    fn the_engine_is_the_one_that_is_built_in() {
        let version = ENGINE.rsplit(' ').next().unwrap();
        let line = format!("llama-cpp-2 = {{ version = \"={version}\"");
        assert!(include_str!("../../Cargo.toml").contains(&line), "FORMAT and ENGINE go with it");
    }
}
