#!/usr/bin/env bash
# Expected: a search library takes a person's words; punctuation does no harm.
# Instead: lunr 2.3.9 reads its argument as a query language. "Size: 43" raises QueryParseError
# (there is no field Size), a word after a hyphen is excluded, and a trailing "~" raises, too.
# tantivy 0.27.0 does the same for "what is your policy: returns?". Both have another way in (the
# query builder; the lenient parser), which examples rarely show.
# Why it matters: customers write "Size: 43" all day. A search that raises is answered by an error
# page, or swallowed and shown as "nothing found".
# Frontdesk: builds its searches from tokens; no visitor's text is parsed as a query.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --no-save 'lunr@2.3.9' >/dev/null
cat > run.js <<'JS'
const assert = require("assert");
const lunr = require("lunr");
console.log("lunr", lunr.version);
const index = lunr(function () {
  this.ref("id");
  this.field("text");
  this.add({ id: "1", text: "returns policy, size 43" });
});
const search = (text) => {
  try {
    return index.search(text).map((hit) => hit.ref).join() || "nothing";
  } catch (error) {
    return error.name;
  }
};
const expected = {
  "size 43": "1",
  "Size: 43": "QueryParseError",
  "returns -policy": "nothing",
  "policy ~": "QueryParseError",
};
for (const [text, result] of Object.entries(expected)) {
  console.log(text, "->", search(text));
  assert.strictEqual(search(text), result);
}
const words = index.query((query) => lunr.tokenizer("Size: 43").forEach((token) => query.term(token)));
console.log("query builder ->", words.length);
JS
node run.js
python3 -m venv --without-pip venv
python3 -m pip --python venv install --quiet --disable-pip-version-check \
  'tantivy==0.27.0'
venv/bin/python - <<'PY'
import tantivy

builder = tantivy.SchemaBuilder()
builder.add_text_field("text")
index = tantivy.Index(builder.build())
text = "what is your policy: returns?"
try:
    raise SystemExit(f"parsed: {index.parse_query(text, ['text'])}")
except ValueError as error:
    print("tantivy 0.27.0:", error)
query, errors = index.parse_query_lenient(text, ["text"])
print("lenient:", len(errors), "error noted, query built:", query is not None)
PY
echo "as described"
