#!/usr/bin/env bash
# Expected: a converter from Markdown to Slack's mrkdwn puts out what the customer is to read, with
# nothing added.
# Instead: slackify-markdown 4.5.0 writes an HTML comment, <!---->, between two lists that differ in
# their mark alone (- and *, 1. and 1)), and as Slack knows no comments, it is text. It puts a
# zero-width space (U+200B) on both sides of every bold or struck piece, so a discount code in bold
# stands between characters that nobody sees.
# Why it matters: texts of models and of several authors mix such marks, and a code that is copied
# with its neighbours isn't accepted at the till.
# Frontdesk: writes mrkdwn itself, with neither (channels/text.rs).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund slackify-markdown@4.5.0
cat >check.mjs <<'JS'
import assert from 'node:assert';
import * as library from 'slackify-markdown';

const convert = library.slackifyMarkdown ?? library.default?.default ?? library.default;
const expected = {
  '- a pole\n- a cord\n\n* a cap': '•   a pole\n•   a cord\n\n<!---->\n\n•   a cap\n',
  '1. Thread it.\n\n1) Close it.': '1.  Thread it.\n\n<!---->\n\n1.  Close it.\n',
  'Use **SAVE10** today.': 'Use \u200b*SAVE10*\u200b today.\n',
  '~~19.99~~ 14.99 EUR': '\u200b~19.99~\u200b 14.99 EUR\n',
};
for (const [markdown, mrkdwn] of Object.entries(expected)) {
  const seen = convert(markdown);
  console.log(JSON.stringify(markdown), '->', JSON.stringify(seen));
  assert.equal(seen, mrkdwn);
}
JS
node check.mjs
echo "as described"
