#!/usr/bin/env bash
# Expected: {"multipleOf": 0.01} means two decimals, and 19.99 meets it; or, if binary floating
# point spoils it, it does so with every validator.
# Instead: jsonschema 4.26.0 (Python) and ajv 8.20.0 refuse 19.99 and take 1.10; jsonschema-rs
# 0.61.2 and fastjsonschema 2.22.3 take both.
# Why it matters: a feed that passes the check in one place is refused in the other, for some prices
# only, so tests with 1.10 or 10.00 show nothing. A model held to such a schema is asked again and
# again for a price that is right.
# Frontdesk: an integration that checks answers or feeds by a schema should have prices as text with
# a pattern, or as whole cents.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --no-save 'ajv@8.20.0' >/dev/null
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv" install --quiet --disable-pip-version-check \
  'jsonschema==4.26.0' 'jsonschema-rs==0.61.2' 'fastjsonschema==2.22.3'
cat > run.js <<'JS'
const Ajv = require("ajv").default;
const valid = new Ajv().compile({ type: "number", multipleOf: 0.01 });
for (const price of [19.99, 4.35, 1.1]) console.log(valid(price) ? "True" : "False");
JS
cat > run.py <<'PY'
import fastjsonschema
import jsonschema
import jsonschema_rs

SCHEMA = {"type": "number", "multipleOf": 0.01}


def fast(price):
    try:
        fastjsonschema.compile(SCHEMA)(price)
        return True
    except fastjsonschema.JsonSchemaValueException:
        return False


for price in (19.99, 4.35, 1.1):
    plain = jsonschema.Draft202012Validator(SCHEMA).is_valid(price)
    print(price, plain, jsonschema_rs.is_valid(SCHEMA, price), fast(price))
PY
echo "price, jsonschema, jsonschema-rs, fastjsonschema, ajv"
paste -d ' ' <(venv/bin/python run.py) <(node run.js) | tee seen.txt
diff seen.txt - <<'TXT'
19.99 False True True False
4.35 False True True False
1.1 True True True True
TXT
echo "as described"
