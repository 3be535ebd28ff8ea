#!/usr/bin/env bash
# Expected: parsing "05/01/26" with %d/%m/%Y fails, because %Y means a year of four digits.
# Instead: chrono 0.4.45 gives 5 January of the year 26. %Y takes any number of digits on reading,
# as %d and %m take one digit.
# Why it matters: a reader that tries %Y first and falls back to %y never reaches the second.
# Prices "valid until 05/01/26" are two thousand years out of date, and the row is left out as
# expired.
# Frontdesk: whoever reads dates of a feed there has to check the number of digits first, or the
# range of the year.
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
chrono = { version = "=0.4.45", default-features = false, features = ["std", "alloc"] }
TOML
cat > src/main.rs <<'RS'
use chrono::NaiveDate;

fn main() {
    let read = |text, format| NaiveDate::parse_from_str(text, format).map(|date| date.to_string());
    let long = read("05/01/26", "%d/%m/%Y");
    let short = read("05/01/26", "%d/%m/%y");
    let single = read("2026-1-5", "%Y-%m-%d");
    println!("%Y: {long:?}, %y: {short:?}, one digit each: {single:?}");
    assert_eq!(long.as_deref(), Ok("0026-01-05"));
    assert_eq!(short.as_deref(), Ok("2026-01-05"));
    assert_eq!(single.as_deref(), Ok("2026-01-05"));
}
RS
CARGO_TARGET_DIR="$work/target" cargo run --quiet
echo "as described"
