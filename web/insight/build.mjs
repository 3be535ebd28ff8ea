// Builds the insight page into web/dist: `node web/insight/build.mjs`. `--check` fails if what is there is not current.
import { readFile, writeFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

const here = path.dirname(fileURLToPath(import.meta.url));
const dist = path.join(here, '../dist');
const made = await build({ entryPoints: [path.join(here, 'main.ts')], bundle: true, minify: true, format: 'esm', target: 'es2022', charset: 'utf8', write: false });
const style = await build({ entryPoints: [path.join(here, 'insight.css')], minify: true, write: false });
const files = { 'insight.js': made.outputFiles[0].text, 'insight.css': style.outputFiles[0].text, 'insight.html': await readFile(path.join(here, 'index.html'), 'utf8') };
await mkdir(dist, { recursive: true });
for (const [name, text] of Object.entries(files)) {
  const file = path.join(dist, name);
  if (process.argv.includes('--check')) {
    if (await readFile(file, 'utf8').catch(() => '') !== text) throw new Error(`${name} is not current; run node web/insight/build.mjs`);
  } else {
    await writeFile(file, text);
  }
}
