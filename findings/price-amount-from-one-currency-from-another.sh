#!/usr/bin/env bash
# Expected: amount and currency of one result belong together; a minus sign makes a negative
# amount; a text without a price gives none.
# Instead: price-parser 0.5.1 takes the first number and the first currency sign wherever they
# stand. "2 for £5" is 2 pounds, "12 x 3,99 €" is 12 euro, "-5 EUR" is 5, and "free" is 0.
# Why it matters: offers on several pieces and refunds are usual in a shop's texts, and the wrong
# amount looks entirely valid (number and currency are both there).
# Frontdesk: takes the number that stands next to the currency, and nothing from "free"
# (retrieval/money.rs).
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
expected = {
    "2 for £5": ("2", "£"),
    "12 x 3,99 €": ("12", "€"),
    "-5 EUR": ("5", "EUR"),
    "free": ("0", None),
}
for text, pair in expected.items():
    price = Price.fromstring(text)
    seen = (str(price.amount), price.currency)
    print(repr(text), "->", seen)
    assert seen == pair, (text, seen)
PY
echo "as described"
