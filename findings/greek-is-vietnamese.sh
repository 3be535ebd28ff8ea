#!/usr/bin/env bash
# Expected: a language detector that doesn't know a language says so, gives a low confidence, or
# at least names one of the same script.
# Instead: whichlang 0.1.1 always names one of its 16 languages, without a confidence. Greek, Thai
# and Bengali are Vietnamese, Czech and Polish are Dutch, Danish and Finnish are Swedish,
# Ukrainian is Russian.
# Why it matters: a customer who writes Greek is answered in Vietnamese. It is fast and has no
# dependencies, so it is tempting.
# Frontdesk: uses lingua with the languages it has replies for, and the script of the letters
# before that.
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
whichlang = "=0.1.1"
TOML
cat > src/main.rs <<'RS'
use whichlang::{detect_language, Lang};

fn main() {
    let cases = [
        ("Where is my order?", Lang::Eng),
        ("Πού είναι η παραγγελία μου;", Lang::Vie),
        ("สวัสดี", Lang::Vie),
        ("আমার অর্ডার কোথায়", Lang::Vie),
        ("Kde je moje objednávka?", Lang::Nld),
        ("Gdzie jest moje zamówienie?", Lang::Nld),
        ("Missä tilaukseni on?", Lang::Swe),
        ("Де моє замовлення?", Lang::Rus),
    ];
    for (text, expected) in cases {
        let seen = detect_language(text);
        println!("{text} -> {seen:?}");
        assert_eq!(seen, expected);
    }
}
RS
CARGO_TARGET_DIR="$work/target" cargo run --quiet
echo "as described"
