#!/usr/bin/env bash
# Expected: a struck-out price is marked or left out when a page becomes Markdown or text.
# Instead: turndown 7.2.5 and html-to-text 10.0.1 drop <del> and <s> and keep their text: the old
# and the new price stand side by side, alike. node-html-markdown 2.0.0 writes ~~249~~. And all
# three make "1999" of 19<sup>99</sup>, the usual way to print cents.
# Why it matters: "249 199" has lost which of the two holds, and 19.99 has become 1999. The model
# states one of them, and the source seems to confirm it.
# Frontdesk: reads HTML itself and leaves out what is struck out
# (retrieval/ingest/html/shape.rs). It can't where a converter has been at the page before.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --no-save 'turndown@7.2.5' 'html-to-text@10.0.1' \
  'node-html-markdown@2.0.0' >/dev/null
cat > run.js <<'JS'
const Turndown = require("turndown");
const { convert } = require("html-to-text");
const { NodeHtmlMarkdown } = require("node-html-markdown");
for (const page of ["<p><del>249</del> 199</p>", "<p><s>249</s> 199</p>", "<p>19<sup>99</sup></p>"])
  console.log([new Turndown().turndown(page), convert(page), NodeHtmlMarkdown.translate(page)].join(" | "));
JS
echo "turndown | html-to-text | node-html-markdown"
node run.js | tee seen.txt
diff seen.txt - <<'TXT'
249 199 | 249 199 | ~~249~~ 199
249 199 | 249 199 | ~~249~~ 199
1999 | 1999 | 1999
TXT
echo "as described"
