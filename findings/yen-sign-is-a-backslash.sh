#!/usr/bin/env bash
# Expected: a Japanese price list in Shift JIS shows the byte 0x5C as the yen sign, as it does on
# the screen of whoever wrote it; and writing a text in an encoding that lacks a character fails
# or gives a question mark.
# Instead: encoding_rs 0.8.35 follows the web's standard. 0x5C is a backslash, so ¥1,000 reads
# \1,000. Writing ₹ in windows-1252 gives "&#8377;" (meant for HTML forms), and writing in UTF-16
# gives UTF-8, named as such in the second value only.
# Why it matters: prices lose their currency on reading. An export for a spreadsheet contains
# "&#8377;" where a price was.
# Frontdesk: puts the yen sign back where digits follow in a Shift JIS file (ingest/encoding.rs),
# and writes UTF-8 only.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "finding"
version = "0.1.0"
edition = "2021"
[dependencies]
encoding_rs = "=0.8.35"
TOML
cat > src/main.rs <<'RS'
use encoding_rs::{SHIFT_JIS, UTF_16LE, WINDOWS_1252};

fn main() {
    let (read, _, damaged) = SHIFT_JIS.decode(b"\x5c1,000");
    println!("0x5C of Shift JIS: {read}");
    assert!(read == r"\1,000" && !damaged);
    let (written, _, replaced) = WINDOWS_1252.encode("5 ₹");
    println!("rupee in windows-1252: {}", String::from_utf8_lossy(&written));
    assert!(&*written == b"5 &#8377;" && replaced);
    let (written, encoding, _) = UTF_16LE.encode("ä");
    println!("UTF-16: {written:?} as {}", encoding.name());
    assert_eq!((&*written, encoding.name()), (&b"\xc3\xa4"[..], "UTF-8"));
}
RS
CARGO_TARGET_DIR="$work/target" cargo run --quiet
echo "as described"
