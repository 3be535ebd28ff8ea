#!/usr/bin/env bash
# Expected: "5 ft 3 in" is a length of 63 inches, and if a library can't read it, it says so.
# Instead: Pint 0.25.3 takes a space for multiplication: 15 foot*inch, an area, without a warning.
# "2 lb 3 oz" is 6 ounce*pound, "5 h 30 min" is 150 hour*minute, and "20 C" is 20 coulomb.
# Why it matters: product data of British and American shops is full of such lengths and weights.
# A bot that compares or converts them has to check the dimension before it believes the number.
# Frontdesk: has its own units (reason/quantity/units.rs). A compound has to be a sum there or be
# left alone, never a product.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv" install --quiet --disable-pip-version-check \
  'Pint==0.25.3'
"$work/venv/bin/python" - <<'PY'
from importlib.metadata import version

import pint

units = pint.UnitRegistry()
print("Pint", version("Pint"))
expected = {
    "5 ft 3 in": "15 foot * inch",
    "2 lb 3 oz": "6 ounce * pound",
    "5 h 30 min": "150 hour * minute",
    "20 C": "20 coulomb",
}
for text, value in expected.items():
    seen = str(units(text))
    print(repr(text), "->", seen)
    assert seen == value, seen
print(units("5 ft 3 in").dimensionality)
assert dict(units("5 ft 3 in").dimensionality) == {"[length]": 2}
PY
echo "as described"
