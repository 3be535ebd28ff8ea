#!/usr/bin/env bash
# Expected: an index with whole words ("strict") finds order 1234567 by 1234567 only.
# Instead: flexsearch 0.8.212 cuts numbers into groups of three digits from the left. A search for
# 456 finds order 1234567, and so does 7; and since letters that repeat are folded, "bela" is
# found by "bella".
# Why it matters: order and article numbers are what a customer asks by. A visitor who types three
# digits sees another one's line in a list of suggestions.
# Frontdesk: compares numbers as whole tokens.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --no-save 'flexsearch@0.8.212' >/dev/null
cat > run.js <<'JS'
const assert = require("assert");
const { Index, Encoder } = require("flexsearch");
console.log("flexsearch 0.8.212");
const filled = (options) => {
  const index = new Index({ tokenize: "strict", ...options });
  index.add(1, "order 1234567 shipped");
  index.add(2, "order 9990001 open");
  return index;
};
const usual = filled({});
const whole = filled({ encoder: new Encoder({ numeric: false }) });
for (const [text, found] of [["1234567", [1]], ["456", [1]], ["7", [1]]]) {
  console.log(text, "->", usual.search(text), "with numeric: false ->", whole.search(text));
  assert.deepStrictEqual(usual.search(text), found);
}
assert.deepStrictEqual(whole.search("456"), []);
JS
node run.js
echo "as described"
