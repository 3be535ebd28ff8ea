#!/usr/bin/env bash
# Expected: a document that contains the word asked for scores higher than one that doesn't.
# Instead: with rank-bm25 0.2.2 (BM25Okapi) a word in one of two documents weighs log(1) = 0: both
# documents score 0. A word in more than half of the documents weighs a quarter of the average
# weight, whatever it is, so it weighs something again: with "tent" in two of three documents it
# finds them.
# Why it matters: small catalogues and test data are exactly that size. A test with two documents
# "proves" that the search doesn't work, or that an equal score is a tie.
# Frontdesk: uses the form log(1 + (N - n + 0.5) / (n + 0.5)), which is never zero or less.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv" install --quiet --disable-pip-version-check 'rank-bm25==0.2.2' 'numpy==2.4.6'
"$work/venv/bin/python" - <<'PY'
from importlib.metadata import version

from rank_bm25 import BM25Okapi, BM25Plus

print("rank-bm25", version("rank-bm25"))


def scores(kind, *documents):
    return [round(float(score), 4) for score in kind([text.split() for text in documents]).get_scores(["tent"])]


two = scores(BM25Okapi, "tent green", "stove gas")
three = scores(BM25Okapi, "tent green", "tent red", "stove gas")
plus = scores(BM25Plus, "tent green", "stove gas")
print("one of two:", two, "two of three:", three, "BM25Plus, one of two:", plus)
assert two == [0.0, 0.0]
assert three == [0.0766, 0.0766, 0.0]
assert plus[0] > plus[1]
PY
echo "as described"
