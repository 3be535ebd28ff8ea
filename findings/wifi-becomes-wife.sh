#!/usr/bin/env bash
# Expected: a spell checker leaves words alone that customers write every day, and mends the plain
# slip "parcle" to "parcel".
# Instead: pyspellchecker 0.9.1 (English) makes "wife" of "wifi", "us" of "usb", "ape" of "app",
# "sky" of "sku", "shirt" of "tshirt", "goodie" of "hoodie" and "parole" of "parcle". Which of
# several words at the same distance wins is told by how often it stands in a collection of texts.
# Why it matters: in front of a search it turns "does the router have wifi" into a question about
# a wife.
# Frontdesk: corrects only words of a question that no document has, and for the search alone
# (retrieval/spelling.rs).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv" install --quiet --disable-pip-version-check 'pyspellchecker==0.9.1'
"$work/venv/bin/python" - <<'PY'
from spellchecker import SpellChecker

expected = {
    "wifi": "wife", "usb": "us", "app": "ape", "sku": "sky", "tshirt": "shirt",
    "hoodie": "goodie", "parcle": "parole", "warrenty": "warranty",
}
checker = SpellChecker()
for word, correction in expected.items():
    seen = checker.correction(word)
    print(word, "->", seen)
    assert seen == correction, seen
PY
echo "as described"
