#!/usr/bin/env bash
# Expected: Snowball's stemmer for a language is one algorithm; words stemmed in Python and in
# Rust match.
# Instead: snowballstemmer 3.1.1 (PyPI) and rust-stemmers 1.2.0 (the one inside many Rust search
# engines) are different generations under the same names. German: "rueckgabe" is "ruckgab" in one
# and "rueckgab" in the other. Dutch was replaced altogether: "maten" and "maat" are "maat" here
# and "mat" there, "geleverd" is "lever" here and stays there. English: "organization" is
# "organiz" here and "organ" there.
# Why it matters: an index filled by a Python script and searched by a Rust server misses such
# words without any error, in two languages almost always.
# Frontdesk: indexes and searches with one stemmer. Whoever fills its Qdrant collection from
# outside must send text, not stems.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv --without-pip venv
python3 -m pip --python venv install --quiet --disable-pip-version-check 'snowballstemmer==3.1.1'
cat > words.txt <<'TXT'
german rueckgabe
dutch maten
dutch maat
dutch geleverd
english organization
swedish storlekar
TXT
venv/bin/python - > python.txt <<'PY'
import snowballstemmer

for line in open("words.txt"):
    language, word = line.split()
    print(language, word, snowballstemmer.stemmer(language).stemWord(word))
PY
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "finding"
version = "0.1.0"
edition = "2021"
[dependencies]
rust-stemmers = "=1.2.0"
TOML
cat > src/main.rs <<'RS'
use rust_stemmers::{Algorithm, Stemmer};

fn main() {
    for line in std::fs::read_to_string("words.txt").unwrap().lines() {
        let (language, word) = line.split_once(' ').unwrap();
        let algorithm = match language {
            "german" => Algorithm::German,
            "dutch" => Algorithm::Dutch,
            "english" => Algorithm::English,
            _ => Algorithm::Swedish,
        };
        println!("{language} {word} {}", Stemmer::create(algorithm).stem(word));
    }
}
RS
CARGO_TARGET_DIR="$work/target" cargo run --quiet > rust.txt
echo "language, word, snowballstemmer 3.1.1, rust-stemmers 1.2.0"
paste -d ' ' python.txt <(cut -d ' ' -f 3 rust.txt) | tee both.txt
diff both.txt - <<'TXT'
german rueckgabe ruckgab rueckgab
dutch maten maat mat
dutch maat maat mat
dutch geleverd lever geleverd
english organization organiz organ
swedish storlekar storlek storlek
TXT
echo "as described"
