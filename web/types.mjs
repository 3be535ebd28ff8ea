// Types of both protocols for TypeScript, from the schemas that the server's own types give
// (docs/protocol). `web/build.mjs` writes and checks them.

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { compile } from 'json-schema-to-typescript';

const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');

/** File below web/ → the schema that it is made of. */
const FROM = {
  'shared/protocol.gen.ts': 'docs/protocol/schema.json',
  'console/src/protocol.gen.ts': 'docs/protocol/console.json',
};

/** Types are made of what the root reaches: every definition. */
const whole = ({ $defs }) => ({ oneOf: Object.keys($defs).map((name) => ({ $ref: `#/$defs/${name}` })), $defs });

/** Draft 2020-12 as the compiler reads it, which is draft 4: tuples, and what stands beside a reference. */
function older(schema) {
  if (Array.isArray(schema)) return schema.map(older);
  if (typeof schema !== 'object' || schema === null) return schema;
  const { $ref, prefixItems, description, ...rest } = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, older(value)]));
  const told = description === undefined ? {} : { description };
  const items = prefixItems ? { items: prefixItems } : {};
  if ($ref === undefined) return { ...told, ...rest, ...items };
  return Object.keys(rest).length > 0 ? { ...told, allOf: [{ $ref }, { ...rest, ...items }] } : { ...told, $ref };
}

/** File name → text. */
export async function types() {
  const files = {};
  for (const [file, from] of Object.entries(FROM)) {
    const schema = older(whole(JSON.parse(await readFile(path.join(ROOT, from), 'utf8'))));
    files[file] = await compile(schema, 'Anything', {
      additionalProperties: false,
      bannerComment: `// Made of ${from} by \`node web/build.mjs\`.`,
      style: { singleQuote: true, printWidth: 100 },
    });
  }
  return files;
}
