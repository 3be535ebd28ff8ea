#!/usr/bin/env bash
# Expected: a date parser for English finds dates in sentences that speak of dates.
# Instead: chrono-node 2.10.3 finds last Sunday in "a sun hat", Saturday in "sat nav", March in
# "march boots", 4 March in "3/4 length tights", 24 July in "open 24/7" and 11 October 2012 in
# "model 10.11.12". It has a strict mode; that one still takes the slashes for dates.
# Why it matters: products and sizes look like dates. A bot that asks "so you need it by Sunday?"
# about a hat loses the customer, and one that filters by date finds nothing.
# Frontdesk: has no general date finder over whole messages.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --no-save 'chrono-node@2.10.3' >/dev/null
cat > run.js <<'JS'
const assert = require("assert");
const chrono = require("chrono-node");
console.log("chrono-node 2.10.3");
const now = new Date("2026-11-30T10:00:00Z");
const day = (parser, text) => {
  const found = parser.parse(text, now)[0];
  if (!found) return null;
  const get = (part) => String(found.start.get(part)).padStart(2, "0");
  return `${get("year")}-${get("month")}-${get("day")}`;
};
const expected = {
  "I'm looking for a sun hat": "2026-11-29",
  "sat nav for the car": "2026-11-28",
  "march boots": "2027-03-01",
  "3/4 length tights": "2027-03-04",
  "are you open 24/7": "2026-07-24",
  "the pump model 10.11.12": "2012-10-11",
};
for (const [text, date] of Object.entries(expected)) {
  const seen = day(chrono, text);
  console.log(text, "->", seen, "strict:", day(chrono.strict, text));
  assert.strictEqual(seen, date);
}
assert.strictEqual(day(chrono.strict, "3/4 length tights"), "2027-03-04");
JS
TZ=UTC node run.js
echo "as described"
