#!/usr/bin/env bash
# Expected: a fuzzy search for "the tent please" finds "Tent" among five names, or nothing.
# Instead: Fuse.js 7.5.0 finds "Trekking pole" alone. "I want a tent" and "lamp please" find
# nothing, while "tent" finds "Tent". The whole query is one pattern compared letter by letter, so
# a name much shorter than the question is far from it, and a longer one may be nearer by chance.
# Why it matters: it is the usual search of static shops and help pages. Handed a sentence instead
# of a word it answers with another article, or with nothing.
# Frontdesk: searches the words of a question in an index, and its meaning. A page that hands the
# text of its search box to the chat shouldn't show Fuse's hits for the same sentence.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --no-save 'fuse.js@7.5.0' >/dev/null
cat > run.js <<'JS'
const module_ = require("fuse.js");
const Fuse = module_.default || module_;
const fuse = new Fuse(["Tent", "Sleeping bag", "Trekking pole", "USB cable", "Lamp"]);
for (const query of ["tent", "the tent please", "I want a tent", "lamp please"])
  console.log(query + ": " + fuse.search(query).map((hit) => hit.item).join(", "));
JS
node run.js | tee seen.txt
diff seen.txt <(printf '%s\n' 'tent: Tent' 'the tent please: Trekking pole' 'I want a tent: ' 'lamp please: ')
echo "as described"
