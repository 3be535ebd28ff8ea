#!/usr/bin/env bash
# Expected: NFKC, the normalisation of SentencePiece models (multilingual-e5, XLM-R, T5), makes
# text uniform without changing what it says.
# Instead: tokenizers 0.23.3 (as NFKC demands) writes 1½ as 11⁄2 (eleven halves) and 10³ as 103;
# what was a power or a fraction is now another number.
# Why it matters: "1½ l" and "11/2 l" are the same to the embedding, as are "10² g" and "102 g". A
# check of figures that compares normalised texts accepts a wrong one.
# Frontdesk: the embedding model sees such text, and it can't be helped; claims are compared on
# the text as it was written (grounding/claims.rs).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv" install --quiet --no-deps --disable-pip-version-check 'tokenizers==0.23.3'
"$work/venv/bin/python" - <<'PY'
from importlib.metadata import version

from tokenizers.normalizers import NFKC

print("tokenizers", version("tokenizers"))
expected = {"1½ l": "11\u20442 l", "10³": "103", "5 m²": "5 m2", "20℃": "20°C"}
for text, normalised in expected.items():
    seen = NFKC().normalize_str(text)
    print(text, "->", seen)
    assert seen == normalised, seen
PY
echo "as described"
