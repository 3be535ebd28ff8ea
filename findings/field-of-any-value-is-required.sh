#!/usr/bin/env bash
# Expected: a field whose schema is z.any() may hold anything, so it may be missing, as it may with
# Zod 3.
# Instead: with Zod 4.6.7 z.object({ meta: z.any() }) refuses {} and takes { meta: undefined }; the
# same line by "zod/v3" of the same package takes both. z.unknown() does as z.any() does.
# Why it matters: the AI SDK 7.0.173 reads a reranker's answer by such a schema
# (@ai-sdk/cohere 4.0.52). A server whose answer has all results, but no `meta`, gives "Invalid JSON
# response", which names no field.
# Frontdesk: /v1/rerank answers with `meta` beside `usage`. A schema for answers of others marks
# what may be missing with .optional(), z.any() too.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --no-save \
  'zod@4.6.7' 'ai@7.0.173' '@ai-sdk/cohere@4.0.52' >/dev/null
cat > run.mjs <<'JS'
import assert from "node:assert/strict";
import { createCohere } from "@ai-sdk/cohere";
import { rerank } from "ai";
import { z as z3 } from "zod/v3";
import { z as z4 } from "zod/v4";

const seen = [];
for (const z of [z3, z4]) {
  for (const value of [{}, { meta: undefined }]) {
    seen.push([z.any(), z.unknown()].map((any) => z.object({ meta: any }).safeParse(value).success));
  }
}
console.log("missing, undefined with v3; with v4:", JSON.stringify(seen));
assert.deepEqual(seen, [[true, true], [true, true], [false, false], [true, true]]);

const asked = async (answer) => {
  // No request leaves this process.
  const fetch = async () => new Response(JSON.stringify(answer), { headers: { "content-type": "application/json" } });
  const model = createCohere({ apiKey: "k", baseURL: "http://127.0.0.1/v1", fetch }).reranking("m");
  try {
    const { ranking } = await rerank({ model, query: "q", documents: ["a", "b"], maxRetries: 0 });
    return ranking.map(({ originalIndex }) => originalIndex);
  } catch (error) {
    return error.message;
  }
};
const results = [{ index: 1, relevance_score: 0.9 }, { index: 0, relevance_score: 0.1 }];
const told = [await asked({ results }), await asked({ results, meta: null })];
console.log("reranked without meta; with null:", JSON.stringify(told));
assert.deepEqual(told, ["Invalid JSON response", [1, 0]]);
JS
node run.mjs
echo "as described"
