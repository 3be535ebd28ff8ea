//! Random ids and tokens, and the hashes that are kept of them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use rand::RngCore as _;
use sha2::{Digest as _, Sha256};

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
