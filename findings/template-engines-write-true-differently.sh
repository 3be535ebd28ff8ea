#!/usr/bin/env bash
# Expected: a chat template gives the same prompt wherever it is rendered.
# Instead: @huggingface/jinja 0.5.11 (the engine of transformers.js and other JavaScript runtimes)
# writes true, nothing and 1 where Jinja2 3.1.6 writes True, None and 1.0; a dict has double
# quotes instead of single ones; -7 % 3 is -1 instead of 2; and joining a text with none raises.
# Why it matters: templates print arguments of tools and flags directly. A prompt checked in the
# browser isn't the one of the server, and a cache of prefixes shared by both never hits.
# Frontdesk: renders on the server only, with minijinja, which writes True and None as Python
# does.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --no-save '@huggingface/jinja@0.5.11' >/dev/null
python3 -m venv --without-pip venv
python3 -m pip --python venv install --quiet --disable-pip-version-check 'jinja2==3.1.6'
cat > templates.txt <<'TXT'
{{ flag }}|{{ nothing }}|{{ one }}|{{ tool }}
{{ -7 % 3 }}
{{ "a" ~ nothing }}
TXT
cat > run.mjs <<'JS'
import fs from "node:fs";
import { Template } from "@huggingface/jinja";
const values = { flag: true, nothing: null, one: 1.0, tool: { name: "order" } };
for (const text of fs.readFileSync("templates.txt", "utf8").trim().split("\n")) {
  try {
    console.log(new Template(text).render(values));
  } catch (error) {
    console.log("raises");
  }
}
JS
cat > run.py <<'PY'
from jinja2 import Environment

values = {"flag": True, "nothing": None, "one": 1.0, "tool": {"name": "order"}}
for text in open("templates.txt").read().strip().split("\n"):
    print(Environment().from_string(text).render(values))
PY
echo "@huggingface/jinja 0.5.11"
node run.mjs | tee js.txt
echo "jinja2 3.1.6"
venv/bin/python run.py | tee py.txt
diff js.txt <(printf '%s\n' 'true||1|{"name": "order"}' '-1' 'raises')
diff py.txt <(printf '%s\n' "True|None|1.0|{'name': 'order'}" '2' 'aNone')
echo "as described"
