#!/usr/bin/env bash
# Expected: the "uncased" BERT models (MiniLM, bge-small-en, ms-marco) lower-case and drop accents
# of Latin letters; other scripts pass as they are, or become unknown.
# Instead: BertNormalizer of tokenizers 0.23.3 drops every combining mark after decomposing.
# Japanese loses the marks of voiced sounds ("バス", bus, becomes "ハス", lotus), Thai its vowels and
# tones, Russian й becomes и, and Korean syllables fall apart into single letters.
# Why it matters: with such a model for search, different words of these languages are the same
# word, and no error shows it.
# Frontdesk: these models are the defaults for English; for other languages it takes
# multilingual-e5-small, which keeps the marks.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv" install --quiet --no-deps --disable-pip-version-check 'tokenizers==0.23.3'
"$work/venv/bin/python" - <<'PY'
from importlib.metadata import version

from tokenizers.normalizers import BertNormalizer

print("tokenizers", version("tokenizers"))
uncased = BertNormalizer(lowercase=True)
expected = {"Café": "cafe", "バス": "ハス", "ですか": "てすか", "สินค้า": "สนคา", "мой": "мои"}
for text, normalised in expected.items():
    seen = uncased.normalize_str(text)
    print(text, "->", seen)
    assert seen == normalised, seen
korean = uncased.normalize_str("반품")
print("two syllables of Korean ->", len(korean), "letters")
assert len(korean) == 6
assert BertNormalizer(lowercase=True, strip_accents=False).normalize_str("バス") == "バス"
PY
echo "as described"
