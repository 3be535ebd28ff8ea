#!/usr/bin/env bash
# Expected: looking up a country by its exact English name gives that country first, and everyday
# names such as Turkey or Ivory Coast are known to a "fuzzy" search.
# Instead: pycountry 26.2.16 ranks Nigeria before Niger when asked for "Niger", and raises
# LookupError for "Turkey" and "Ivory Coast": its English names are those of ISO 3166 of today,
# and "fuzzy" means "contains", not "sounds like".
# Why it matters: a question on shipping to Niger is answered for Nigeria, and one to Turkey is
# declined.
# Frontdesk: matches whole names only.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv" install --quiet --disable-pip-version-check \
  'pycountry==26.2.16'
"$work/venv/bin/python" - <<'PY'
from importlib.metadata import version

import pycountry

print("pycountry", version("pycountry"))
found = [country.name for country in pycountry.countries.search_fuzzy("Niger")]
print("Niger ->", found)
assert found == ["Nigeria", "Niger"], found
for name in ("Turkey", "Ivory Coast"):
    try:
        raise SystemExit(f"{name} is found: {pycountry.countries.search_fuzzy(name)}")
    except LookupError as error:
        print(name, "-> LookupError:", error)
PY
echo "as described"
