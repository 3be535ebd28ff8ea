//! Random ids and tokens, the hashes that are kept of them, and secrets that stand in files of
//! their own.

use std::path::Path;

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use rand::RngCore as _;
use sha2::{Digest as _, Sha256};

pub mod jws;
pub mod webhook;

/// Lower-case hexadecimal SHA-256 of a key.
#[must_use]
pub fn key_hash(key: &str) -> String {
    Sha256::digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 128 random bits, 22 characters.
#[must_use]
pub fn random_id() -> String {
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes);
    BASE64.encode(bytes)
}

/// 256 random bits.
#[must_use]
pub fn random_secret() -> [u8; 32] {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

/// 256 random bits, 43 characters.
#[must_use]
pub fn random_token() -> String {
    BASE64.encode(random_secret())
}

/// A new key for a program, 256 random bits.
#[must_use]
pub fn new_key() -> String {
    format!("fd_{}", random_token())
}

/// Longest secret of a file, in bytes; a PEM key has some hundred.
const MAX_SECRET: usize = 16 * 1024;

/// A secret that stands in a file of its own, as container platforms hand them out. A line break at
/// its end is none of it.
///
/// # Errors
/// When the file can't be read, is empty, or can't be a secret.
pub fn read_file(path: &Path) -> anyhow::Result<String> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    ensure!(!secret.is_empty(), "{} is empty", path.display());
    ensure!(
        secret.len() <= MAX_SECRET,
        "{} has {} bytes; a secret has at most {MAX_SECRET}",
        path.display(),
        text.len()
    );
    Ok(secret.to_owned())
}

/// Puts what stands in the file into the secret, if a file is named.
///
/// # Errors
/// As [`read_file`], and when there is a secret already: it would be unclear which one counts.
pub fn fill(secret: &mut String, file: &Path, option: &str) -> anyhow::Result<()> {
    if file.as_os_str().is_empty() {
        return Ok(());
    }
    ensure!(secret.is_empty(), "{option} and {option}_file are both set; leave one of them out");
    *secret = read_file(file).with_context(|| format!("{option}_file"))?;
    Ok(())
}

/// Writes a file that only the user of the process can read, with a line break at its end: whole or
/// not at all, and on disk when it returns.
///
/// # Errors
/// When it can't be written.
pub fn write_file(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut partial = path.as_os_str().to_owned();
    partial.push(".part");
    // One that an interrupted write left may have other permissions.
    let _ = std::fs::remove_file(&partial);
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    std::fs::rename(&partial, path)?;
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder)?.sync_all()
}
