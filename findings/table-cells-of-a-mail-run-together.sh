#!/usr/bin/env bash
# Expected: the plain text made of an HTML mail keeps the cells of a table apart.
# Instead: mailparser 3.14.2 (npm) writes them without anything between: the row Tent, 2, 199.00
# becomes "Tent2199.00".
# Why it matters: confirmations of orders are tables, and customers forward or quote them.
# Quantity and price melt into one number that never was in the mail, and a check "is this figure
# in the source" can't find the real one.
# Frontdesk: its own reading of HTML ends each cell with a separator; a channel for e-mail must
# use that and not the parser's text.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --no-save 'mailparser@3.14.2' >/dev/null
cat > run.js <<'JS'
const mail = [
  "From: shop@shop.example", "Subject: order", "Content-Type: text/html", "",
  "<p>Your order</p><table><tr><td>Tent</td><td>2</td><td>199.00</td></tr></table>",
].join("\r\n");
require("mailparser").simpleParser(mail).then(({ text }) => {
  console.log("mailparser 3.14.2:", JSON.stringify(text));
  require("assert").strictEqual(text, "Your order\n\nTent2199.00");
});
JS
node run.js
echo "as described"
