#!/usr/bin/env bash
# Expected: a Liquid template gives the same text with every Liquid engine; 10 divided by 4 is 2
# as in Shopify's (division of whole numbers), and 19.99 times 100 is 1999.
# Instead: liquidjs 10.30.1 computes in binary floating point: 2.5, and 1998.9999999999998 for the
# price in cents. python-liquid computes in decimals and gives 2 and 1999.0.
# Why it matters: shops' feeds and mails are made by such templates. One and the same template
# yields two catalogues; a reader that cuts at the point sells at 19.98.
# Frontdesk: an amount with many decimals is kept as it was written; a shop that feeds it from
# such a template should round there.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --no-save 'liquidjs@10.30.1' >/dev/null
python3 -m venv --without-pip venv
python3 -m pip --python venv install --quiet --disable-pip-version-check \
  'python-liquid==2.3.6'
cat > run.js <<'JS'
const { Liquid } = require("liquidjs");
const engine = new Liquid();
for (const text of ["{{ 10 | divided_by: 4 }}", '{{ "19.99" | times: 100 }}', "{{ 1.10 | plus: 2.20 }}"])
  console.log(engine.parseAndRenderSync(text));
JS
cat > run.py <<'PY'
from liquid import render

for text in ("{{ 10 | divided_by: 4 }}", '{{ "19.99" | times: 100 }}', "{{ 1.10 | plus: 2.20 }}"):
    print(render(text))
PY
echo "liquidjs 10.30.1"
node run.js | tee js.txt
echo "python-liquid 2.3.6"
venv/bin/python run.py | tee py.txt
[ "$(tr '\n' ' ' < js.txt)" = "2.5 1998.9999999999998 3.3000000000000003 " ]
[ "$(tr '\n' ' ' < py.txt)" = "2 1999.0 3.3 " ]
echo "as described"
