#!/usr/bin/env bash
# Expected: an XML parser gives the text of an element; at most 129.50 becomes a number.
# Instead: fast-xml-parser 5.12.1 turns whatever looks like a number in JavaScript into one, by
# default: the article number 1E3 is 1000, 0x1F is 31, the GTIN 0012345678905 loses its zeros, the
# telephone number +49301234 its plus, and the size 12.0 its decimal.
# Why it matters: feeds of products pass through such a parser on their way (Node is usual in
# shops' back ends). The bot is then asked for article 1E3 and knows only 1000.
# Frontdesk: keeps a field of an XML feed as text and reads numbers only in columns of amounts.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --no-save 'fast-xml-parser@5.12.1' >/dev/null
cat > run.js <<'JS'
const assert = require("assert");
const { XMLParser } = require("fast-xml-parser");
console.log("fast-xml-parser 5.12.1");
const fields = { sku: "1E3", mpn: "0x1F", gtin: "0012345678905", tel: "+49301234", size: "12.0" };
const elements = Object.entries(fields).map(([name, value]) => `<${name}>${value}</${name}>`);
const xml = `<item>${elements.join("")}</item>`;
const seen = new XMLParser().parse(xml).item;
console.log(seen);
assert.deepStrictEqual(seen, { sku: 1000, mpn: 31, gtin: 12345678905, tel: 49301234, size: 12 });
const plain = new XMLParser({ parseTagValue: false }).parse(xml).item;
console.log(plain);
assert.deepStrictEqual(plain, fields);
JS
node run.js
echo "as described"
