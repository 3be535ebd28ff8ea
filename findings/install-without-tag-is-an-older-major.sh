#!/usr/bin/env bash
# Expected: `npm install client` and `npm install client@latest` are the same: the tag left out is
# `latest`.
# Instead: left out it is the range `*`, for which npm prefers a version whose `engines` fit the
# Node at hand. On Node 20 that is 6.4.0 where `latest` is 7.1.0 for Node 22 (npm-pick-manifest
# 10.0.0, by which npm chooses). No word is said of it.
# Why it matters: a check against the newest clients of an API ran on Node 20 with openai 6.49.0,
# though 7.59.0 was out, and said nothing of the newer one.
# Frontdesk: scripts/clients prints the version of every client that it asks with.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --no-save 'npm-pick-manifest@10.0.0' >/dev/null
cat > run.js <<'JS'
const assert = require("assert");
const pick = require("npm-pick-manifest");
const versions = {};
for (const [version, node] of [["6.4.0", ">=20"], ["7.1.0", ">=22"]]) {
  versions[version] = { name: "client", version, engines: { node }, dist: { tarball: "none" } };
}
const packument = { name: "client", "dist-tags": { latest: "7.1.0" }, versions };
const chosen = ["20.20.2", "22.22.2"].map((nodeVersion) =>
  ["", "latest"].map((wanted) => pick(packument, wanted, { nodeVersion }).version));
console.log("without a tag, with latest; on Node 20 and 22:", JSON.stringify(chosen));
assert.deepStrictEqual(chosen, [["6.4.0", "7.1.0"], ["7.1.0", "7.1.0"]]);
JS
node run.js
echo "as described"
