#!/usr/bin/env bash
# Expected: "0.299" is a price of 29.9 cents (fuel, cable by the metre), because no number is
# grouped as 0 and 299.
# Instead: price-parser 0.5.1 takes every separator before exactly three digits for a thousands
# separator: "0.299" is 299, and "0,999" is 999. With four digits the same separator is a decimal
# one.
# Why it matters: prices by the metre or the gram have three decimals; a thousandfold price is
# quoted.
# Frontdesk: an amount that begins with 0 is never read as grouped (retrieval/money.rs).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv" install --quiet --disable-pip-version-check \
  'price-parser==0.5.1'
"$work/venv/bin/python" - <<'PY'
from importlib.metadata import version

from price_parser import Price

print("price-parser", version("price-parser"))
expected = {"0.299": "299", "0,999 EUR": "999", "0.2990": "0.2990", "0.29": "0.29", "3,1415": "3.1415"}
for text, amount in expected.items():
    seen = str(Price.fromstring(text).amount)
    print(repr(text), "->", seen)
    assert seen == amount, (text, seen)
# A hint helps where the notation is known.
seen = str(Price.fromstring("0.299", decimal_separator=".").amount)
print("with decimal_separator:", seen)
assert seen == "0.299", seen
PY
echo "as described"
