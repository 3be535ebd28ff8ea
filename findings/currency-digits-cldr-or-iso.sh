#!/usr/bin/env bash
# Expected: how many decimals a currency has is one fact, so every library says the same.
# Instead: Babel 2.19.0 follows CLDR (what people write today), iso4217 1.16 follows ISO 4217 (the
# minor unit of payment systems). They differ for the Hungarian forint (0 and 2), the Iraqi dinar
# (0 and 3), the Indonesian rupiah (0 and 2), the Colombian peso (0 and 2) and others.
# Why it matters: shops' interfaces give amounts in minor units. 129900 for HUF is 1,299 forint by
# ISO; divided by the digits of CLDR it becomes 129,900. A bot then quotes a hundred times the
# price.
# Frontdesk: reads prices as the feed writes them and never converts minor units. Whoever adds a
# source in minor units has to take ISO 4217's digits.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv" install --quiet --disable-pip-version-check \
  'babel==2.19.0' 'iso4217==1.16.20260101'
"$work/venv/bin/python" - <<'PY'
from importlib.metadata import version

from babel.numbers import format_currency, get_currency_precision
from iso4217 import Currency

print("babel", version("babel"), "iso4217", version("iso4217"))
expected = {"EUR": (2, 2), "JPY": (0, 0), "HUF": (0, 2), "IQD": (0, 3), "IDR": (0, 2), "COP": (0, 2)}
for code, pair in expected.items():
    seen = (get_currency_precision(code), Currency(code).exponent)
    print(code, "CLDR", seen[0], "ISO", seen[1])
    assert seen == pair, (code, seen)

shown = format_currency(129900 / 10 ** Currency("HUF").exponent, "HUF", locale="en")
print("129900 minor units of HUF:", shown)
assert shown == "HUF1,299", shown
PY
echo "as described"
