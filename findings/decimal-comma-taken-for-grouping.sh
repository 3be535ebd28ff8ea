#!/usr/bin/env bash
# Expected: a number in the wrong locale's notation is refused, or read as what it shows.
# Instead: parse_decimal of Babel 2.19.0 drops group separators wherever they stand, so "1,5" in
# English is 15 and "1.50" in German is 150. Only strict=True refuses it. The minus sign U+2212,
# which browsers write in Swedish, isn't read at all.
# Why it matters: a feed of a shop mixes notations. "1,5 kg" becomes 15 kg and nothing is
# reported.
# Frontdesk: judges a separator by the digits behind it and by the other amounts of its column
# (retrieval/money.rs).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv" install --quiet --disable-pip-version-check \
  'babel==2.19.0'
minus=$(node -p 'new Intl.NumberFormat("sv").format(-5)')
"$work/venv/bin/python" - "$minus" <<'PY'
import sys
from importlib.metadata import version

from babel.numbers import NumberFormatError, parse_decimal

print("babel", version("babel"))
for text, locale, expected in [("1,5", "en", "15"), ("1.50", "de", "150"), ("1,23,456", "en", "123456")]:
    seen = str(parse_decimal(text, locale=locale))
    print(repr(text), locale, "->", seen)
    assert seen == expected, seen
    try:
        parse_decimal(text, locale=locale, strict=True)
        raise SystemExit(f"strict reading took {text!r}")
    except NumberFormatError as error:
        print("  strict:", error)

written = sys.argv[1]
print("a browser writes", ascii(written), "in Swedish")
assert written == "\u22125", ascii(written)
try:
    parse_decimal(written, locale="sv")
    raise SystemExit("Babel reads that minus sign now")
except NumberFormatError as error:
    print("and Babel doesn't read it:", ascii(str(error)))
PY
echo "as described"
