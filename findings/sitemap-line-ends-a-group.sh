#!/usr/bin/env bash
# Expected: robots.txt is settled by RFC 9309, so parsers agree on a file of five lines. The RFC
# says in so many words that a Sitemap record must not end a group.
# Instead: with a Sitemap line between two User-agent lines, robots-parser 3.0.1 (Node) gives the
# rules to the second agent alone; the first may fetch everything. Protego 0.7.0 (the parser of
# Scrapy) applies them to both.
# Why it matters: two crawlers of one shop read different pages, and what the shop took out of
# search is in one of the two indexes.
# Frontdesk: its check of pages reads robots.txt as robots-parser does, because Lighthouse uses that
# (src/pages/robots.rs); its crawl verdicts on such a file are therefore not the RFC's.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --no-save 'robots-parser@3.0.1' >/dev/null
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv" install --quiet --disable-pip-version-check 'protego==0.7.0'
printf '%s\n' 'User-agent: shopbot' 'Sitemap: https://shop.example/sitemap.xml' \
  'User-agent: otherbot' 'Disallow: /internal' > robots.txt
cat > run.js <<'JS'
const text = require("fs").readFileSync("robots.txt", "utf8");
const robots = require("robots-parser")("https://shop.example/robots.txt", text);
for (const agent of ["shopbot", "otherbot"])
  console.log(agent, robots.isAllowed("https://shop.example/internal", agent) ? "may" : "may not");
JS
cat > run.py <<'PY'
from protego import Protego

robots = Protego.parse(open("robots.txt").read())
for agent in ("shopbot", "otherbot"):
    print(agent, "may" if robots.can_fetch("https://shop.example/internal", agent) else "may not")
PY
echo "robots-parser 3.0.1"
node run.js | tee js.txt
echo "protego 0.7.0"
venv/bin/python run.py | tee py.txt
diff js.txt <(printf '%s\n' 'shopbot may' 'otherbot may not')
diff py.txt <(printf '%s\n' 'shopbot may not' 'otherbot may not')
echo "as described"
