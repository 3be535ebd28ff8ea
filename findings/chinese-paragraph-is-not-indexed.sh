#!/usr/bin/env bash
# Expected: a full-text index finds a document by its whole text; Chinese is at worst found only
# by whole runs of characters.
# Instead: the default tokenizer of tantivy 0.27.0 (Python package of the Rust library) drops
# words of 40 bytes and more, and a run of Chinese, Japanese or Thai is one word. A sentence of 14
# Chinese characters isn't in the index: not even the very same sentence finds it. Short runs are
# found, so a quick trial looks fine.
# Why it matters: a help centre in Chinese is empty for the search, without an error on writing or
# reading.
# Frontdesk: gives pairs of characters for scripts without spaces (src/language.rs) and has no
# limit of that kind.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv" install --quiet --disable-pip-version-check 'tantivy==0.27.0'
"$work/venv/bin/python" - <<'PY'
from importlib.metadata import version

import tantivy

print("tantivy", version("tantivy"))
builder = tantivy.SchemaBuilder()
builder.add_text_field("text", stored=True)
index = tantivy.Index(builder.build())
texts = ["退货政策", "收到商品后三十天内可以退货", "收到商品后三十天内都可以退货", "returns within thirty days"]
writer = index.writer()
for text in texts:
    writer.add_document(tantivy.Document(text=[text]))
writer.commit()
index.reload()
searcher = index.searcher()
seen = {}
for text in texts:
    found = searcher.search(index.parse_query(f'"{text}"', ["text"]), 10).hits
    seen[text] = len(found)
    print(text, len(text.encode()), "bytes ->", len(found), "found")
assert list(seen.values()) == [1, 1, 0, 1], seen
PY
echo "as described"
