#!/usr/bin/env bash
# Expected: turning text into ASCII drops the pound sign or writes GBP, as it writes EUR for the
# euro.
# Instead: Unidecode 1.4.0 writes "PS" for the pound and "Y=" for the yen, and python-slugify
# 9.2.0 builds on the same table, so a voucher over £20 has the address "ps20-voucher". anyascii
# 0.3.3 writes GBP for the pound, but turns 1½ into 11/2, which is five and a half.
# Why it matters: such text is used as search key and in addresses of products. A search for "£20"
# or "20 GBP" finds nothing, and a length of 1½ m becomes 11/2 m.
# Frontdesk: reads amounts before any folding, and transliterates nothing.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv" install --quiet --disable-pip-version-check \
  'Unidecode==1.4.0' 'anyascii==0.3.3' 'python-slugify==9.2.0' 'text-unidecode==1.3'
"$work/venv/bin/python" - <<'PY'
from importlib.metadata import version

from anyascii import anyascii
from slugify import slugify
from unidecode import unidecode

for name in ("Unidecode", "anyascii", "python-slugify"):
    print(name, version(name))
seen = {
    "unidecode": [unidecode(text) for text in ("£20", "€20", "¥20")],
    "anyascii": [anyascii(text) for text in ("£20", "€20", "1½ m")],
    "slugify": [slugify("£20 voucher")],
}
print(seen)
assert seen["unidecode"] == ["PS20", "EUR20", "Y=20"]
assert seen["anyascii"] == ["GBP20", "EUR20", "11/2 m"]
assert seen["slugify"] == ["ps20-voucher"]
PY
echo "as described"
