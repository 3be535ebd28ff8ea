// Builds what the binary serves, from web/ into web/dist. The output depends on the sources and the
// pinned tools alone.
//
//   node web/build.mjs            writes web/dist, and the protocols' types (*.gen.ts)
//   node web/build.mjs --check    fails if web/dist isn't what the sources give, or a part is larger than it may be
//   node web/build.mjs --watch    writes web/dist whenever a source changes

import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, watch, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

import * as esbuild from 'esbuild';

import { types } from './types.mjs';

const WEB = path.dirname(fileURLToPath(import.meta.url));
const DIST = path.join(WEB, 'dist');
/** Bytes, gzipped: what a page loads before the chat is opened, and all of it. */
const BUDGET = { before: 15 * 1024, all: 40 * 1024 };

/** A style sheet imported from a script is its text, minified. */
const styles = {
  name: 'styles',
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path: file }) => {
      const { code } = await esbuild.transform(await readFile(file, 'utf8'), { loader: 'css', minify: true, target: TARGET });
      return { contents: code.trim(), loader: 'text' };
    });
  },
};

// Browsers of the last three years: constructable style sheets, private fields, `:dir()`,
// `color-mix()`.
const TARGET = ['chrome111', 'firefox113', 'safari16.4'];
// What agents use is kept up to date: `light-dark()`.
const AGENTS_TARGET = ['chrome123', 'firefox120', 'safari17.5'];

async function bundle(entry, { format = 'esm', define = {} } = {}) {
  const { outputFiles } = await esbuild.build({
    absWorkingDir: WEB,
    entryPoints: [entry],
    bundle: true,
    write: false,
    format,
    define,
    minify: true,
    charset: 'utf8',
    legalComments: 'none',
    target: TARGET,
    plugins: [styles],
    logLevel: 'warning',
    jsx: 'automatic',
    jsxImportSource: 'preact',
  });
  return outputFiles[0].text;
}

/** As the server computes it. */
const hash = (text) => createHash('sha256').update(text).digest('hex').slice(0, 16);

/** File name → text. */
async function widget() {
  const files = { 'widget-panel.js': await bundle('widget/panel.ts') };
  const languages = {};
  for (const file of (await readdir(path.join(WEB, 'widget/lang'))).sort()) {
    const language = path.basename(file, '.ts');
    if (language === 'en') continue;
    const text = await bundle(`widget/lang/${file}`);
    files[`widget-${language}.js`] = text;
    languages[language] = hash(text);
  }
  const hashes = { panel: hash(files['widget-panel.js']), languages };
  files['widget.js'] = await bundle('widget/loader.ts', { format: 'iife', define: { HASHES: JSON.stringify(hashes) } });
  files['widget-demo.html'] = await readFile(path.join(WEB, 'demo/index.html'), 'utf8');
  files['widget-demo.css'] = `${(await esbuild.transform(await readFile(path.join(WEB, 'demo/demo.css'), 'utf8'), { loader: 'css', minify: true, target: TARGET })).code.trim()}\n`;
  files['widget-demo.js'] = await bundle('demo/demo.ts', { format: 'iife' });
  return files;
}

async function consolePage() {
  const style = await readFile(path.join(WEB, 'console/src/console.css'), 'utf8');
  return {
    'console.html': await readFile(path.join(WEB, 'console/index.html'), 'utf8'),
    'console.js': await bundle('console/src/main.tsx'),
    'console.css': (await esbuild.transform(style, { loader: 'css', minify: true, target: AGENTS_TARGET })).code,
  };
}

async function insightPage() {
  const style = await readFile(path.join(WEB, 'insight/insight.css'), 'utf8');
  return {
    'insight.html': await readFile(path.join(WEB, 'insight/index.html'), 'utf8'),
    'insight.js': await bundle('insight/main.ts'),
    'insight.css': (await esbuild.transform(style, { loader: 'css', minify: true, target: AGENTS_TARGET })).code,
  };
}

/** Every bundle there is; each returns file names with their texts. */
const BUNDLES = [widget, consolePage, insightPage];

function sizes(files) {
  const size = (name) => gzipSync(files[name], { level: 9 }).length;
  const before = size('widget.js');
  const languages = Object.keys(files).filter((name) => /^widget-[a-z]{2}\.js$/.test(name)).map(size);
  const all = before + size('widget-panel.js') + Math.max(0, ...languages);
  console.error(`widget, gzipped: ${before} bytes before it is opened (at most ${BUDGET.before}), ${all} in all with its largest language (at most ${BUDGET.all})`);
  return before + Math.max(0, ...languages) <= BUDGET.before && all <= BUDGET.all;
}

async function build() {
  const files = Object.assign({}, ...(await Promise.all(BUNDLES.map((one) => one()))));
  const fits = sizes(files);
  return { files, fits };
}

async function write() {
  for (const [name, text] of Object.entries(await types())) await writeFile(path.join(WEB, name), text);
  const { files, fits } = await build();
  await mkdir(DIST, { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(path.join(DIST, name), text);
  return fits;
}

async function check() {
  const { files, fits } = await build();
  const stale = [];
  for (const [name, text] of Object.entries(await types())) {
    if ((await readFile(path.join(WEB, name), 'utf8').catch(() => '')) !== text) stale.push(`web/${name}`);
  }
  for (const [name, text] of Object.entries(files)) {
    if ((await readFile(path.join(DIST, name), 'utf8').catch(() => '')) !== text) stale.push(name);
  }
  for (const name of await readdir(DIST).catch(() => [])) if (!(name in files)) stale.push(`${name} (nothing builds it)`);
  if (stale.length > 0) console.error(`web/ is not built of its sources; run \`node web/build.mjs\`: ${stale.join(', ')}`);
  return fits && stale.length === 0;
}

if (process.argv.includes('--check')) {
  process.exitCode = (await check()) ? 0 : 1;
} else if (process.argv.includes('--watch')) {
  const attempt = () => write().catch((error) => console.error(error.message));
  await attempt();
  for await (const { filename } of watch(WEB, { recursive: true })) {
    if (!/^(dist|node_modules)|\.gen\.ts$/.test(filename ?? '')) await attempt();
  }
} else {
  process.exitCode = (await write()) ? 0 : 1;
}
