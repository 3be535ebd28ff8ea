#!/usr/bin/env bash
# Expected: splitting "Size:Large" or "shipping.When" into words by the Unicode standard gives two
# words each.
# Instead: unicode-segmentation 1.13.3 (UAX 29) gives one: a colon or a full stop between letters
# joins them (for Swedish abbreviations such as "k:a", and "e.g"). Between letters and digits it
# parts: "Size:43" is two words, and so is "SKU:123".
# Why it matters: specifications are written "Colour:Blue", and people on phones forget the space
# after a full stop. A search for "blue" doesn't find the first, and "when" isn't seen in the
# second.
# Frontdesk: splits with the same crate (src/language.rs, content_words) and parts words itself at
# a colon or a full stop that is followed by a capital letter.
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
unicode-segmentation = "=1.13.3"
TOML
cat > src/main.rs <<'RS'
use unicode_segmentation::UnicodeSegmentation;

fn main() {
    let cases: [(&str, &[&str]); 5] = [
        ("Size:Large", &["Size:Large"]),
        ("shipping.When", &["shipping.When"]),
        ("Size:43", &["Size", "43"]),
        ("A4-paper", &["A4", "paper"]),
        ("1.5l", &["1.5l"]),
    ];
    for (text, expected) in cases {
        let words: Vec<&str> = text.unicode_words().collect();
        println!("{text:?} -> {words:?}");
        assert_eq!(words, expected);
    }
}
RS
CARGO_TARGET_DIR="$work/target" cargo run --quiet
echo "as described"
