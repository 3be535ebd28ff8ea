#!/usr/bin/env bash
# Expected: types made of a JSON Schema have every field that the schema requires.
# Instead: json-schema-to-typescript 16.0.0 reads a schema of 2020-12 by the rules of draft 4,
# whatever `$schema` says, and without a warning. Where properties stand beside `$ref`, the
# reference is dropped: of a message that is an answer and has a tag, the answer's required fields
# are gone. A tuple (`prefixItems`) is `[unknown, unknown]`. A validator of the same draft, ajv
# 8.20.0, asks for both.
# Why it matters: schemas that Rust's schemars makes are of 2020-12 and have both: a tagged enum
# around a struct is `$ref` beside its tag, a pair is `prefixItems`. The browser's code compiles,
# and the field isn't there.
# Frontdesk: `web/types.mjs` writes both in the older form before types are made.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --no-save \
  'json-schema-to-typescript@16.0.0' 'ajv@8.20.0' >/dev/null
cat > run.mjs <<'JS'
import { Ajv2020 } from 'ajv/dist/2020.js';
import { compile } from 'json-schema-to-typescript';

const Answer = { type: 'object', properties: { turn: { type: 'integer' } }, required: ['turn'] };
const done = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  $ref: '#/$defs/Answer',
  properties: { event: { const: 'done' } },
  required: ['event'],
  $defs: { Answer },
};
const pair = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'array',
  prefixItems: [{ type: 'string' }, { type: 'integer' }],
  minItems: 2,
  maxItems: 2,
};
const shown = async (schema, name) => {
  const options = { bannerComment: '', additionalProperties: false };
  const text = await compile(schema, name, options);
  return text.replace(/\/\*[^]*?\*\//g, '').replace(/\s+/g, ' ').trim();
};
const valid = (schema, value) => new Ajv2020().compile(schema)(value);
console.log(await shown(structuredClone(done), 'Done'));
console.log('without the turn:', valid(done, { event: 'done' }));
console.log('with it:', valid(done, { event: 'done', turn: 3 }));
console.log(await shown(structuredClone(pair), 'Pair'));
console.log('two numbers:', valid(pair, [1, 2]));
JS
node run.mjs | tee seen.txt
diff seen.txt - <<'TXT'
export interface Done { event: "done"; }
without the turn: false
with it: true
export type Pair = [unknown, unknown];
two numbers: false
TXT
echo "as described"
