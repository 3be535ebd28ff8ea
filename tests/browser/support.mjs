// What the browser tests share: the real binary on a scratch directory, Debian's Chromium, a
// connection that can be cut, axe-core.
//
// FRONTDESK_BIN names the binary; FRONTDESK_CACHE the folder with the models. FRONTDESK_SHOTS, if
// set, is a folder for screenshots. FRONTDESK_LIMIT_MS is the longest wait for anything, in
// milliseconds. FRONTDESK_DIST, if set, is a folder whose built files take the place of those in
// the binary: no rebuild for each change of web/.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { chromium } from 'playwright-core';

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const BIN = process.env.FRONTDESK_BIN ?? path.join(ROOT, 'target/debug/frontdesk');
const CACHE = process.env.FRONTDESK_CACHE ?? path.join(process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache'), 'frontdesk');
/** Longest wait for anything; a test that needs it has failed. */
export const LIMIT_MS = Number(process.env.FRONTDESK_LIMIT_MS ?? 60_000);

// Without these Chromium asks its maker's servers for updates, and as root it doesn't start inside
// its own sandbox.
const CHROMIUM_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Options as TOML: `{ llm: { engine: 'scripted' } }`. Sections of sections, and arrays of tables, are not needed here. */
function toml(options) {
  const sections = Object.entries(options).map(([section, values]) => {
    const lines = Object.entries(values).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
    return `[${section}]\n${lines.join('\n')}\n`;
  });
  return sections.join('\n');
}

/**
 * Starts `frontdesk serve` on free ports over the sample shop, with the real embedder and the scripted engine.
 * `options` are sections of config.toml, `site` is TOML text for the one site. Call `stop()` at the end; `kill()` is kill -9,
 * after which `start()` serves the same store on the same port.
 */
export async function startServer({ options = {}, site = '', knowledge = path.join(ROOT, 'knowledge') } = {}) {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'frontdesk-browser-'));
  const config = {
    server: { bind: '127.0.0.1:0', admin_bind: '127.0.0.1:0', ...options.server },
    sessions: { messages_per_minute: 1000, ...options.sessions },
    store: { path: path.join(directory, 'store'), ...options.store },
    knowledge: { path: knowledge, index: path.join(directory, 'index'), ...options.knowledge },
    embedder: { model: path.join(CACHE, 'models/all-minilm-l6-v2-f16.gguf'), ...options.embedder },
    llm: { engine: 'scripted', ...options.llm },
    answers: { prompts: path.join(ROOT, 'prompts'), ...options.answers },
    log: { level: 'warn' },
  };
  for (const [section, values] of Object.entries(options)) config[section] ??= values;
  const file = path.join(directory, 'config.toml');
  const write = () => writeFile(file, `${toml(config)}\n[[sites]]\nid = "default"\nname = "Hollin & Pike"\n${site}\n`);
  await write();

  const index = await preparedIndex(config, knowledge);
  if (index) await cp(index, config.knowledge.index, { recursive: true });

  const server = { directory, config: file, url: '', adminUrl: '', process: null };
  server.start = async (...args) => {
    const child = spawn(BIN, ['--config', file, 'serve', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let log = '';
    child.stderr.on('data', (chunk) => { log += chunk; });
    server.process = child;
    server.ended = once(child, 'exit');
    for await (const line of createInterface({ input: child.stdout })) {
      const found = /ready: (http:\S+?)\/ .*admin (http:\S+?)\/\)/.exec(line);
      if (!found) continue;
      [, server.url, server.adminUrl] = found;
      // A later start takes the same port again, as a restarted server would.
      config.server.bind = new URL(server.url).host;
      await write();
      return server;
    }
    throw new Error(`the server ended before it was ready: ${log}`);
  };
  server.kill = async () => { server.process.kill('SIGKILL'); await server.ended; };
  server.terminate = async () => { server.process.kill('SIGTERM'); await server.ended; };
  server.stop = async () => {
    if (server.process.exitCode === null && server.process.signalCode === null) await server.kill();
    await rm(directory, { recursive: true, force: true });
  };
  server.adminKey = async () => (await readFile(path.join(directory, 'admin.key'), 'utf8')).trim();
  return index ? server.start() : server.start('--ingest');
}

/**
 * The index over the sample shop, made once for this version of the documents and of the code that reads them: that takes longer
 * than most tests. Null for other documents or options of the knowledge.
 */
async function preparedIndex({ server, store, knowledge, embedder, llm, answers }, folder) {
  if (folder !== path.join(ROOT, 'knowledge') || Object.keys(knowledge).length > 2) return null;
  const hash = createHash('sha256');
  // What decides how documents become an index stands in src/retrieval.
  for (const part of [folder, path.join(ROOT, 'src/retrieval')]) {
    const names = (await readdir(part, { recursive: true })).sort();
    for (const name of names) hash.update(name).update(await readFile(path.join(part, name)).catch(() => ''));
  }
  const base = path.join(os.tmpdir(), 'frontdesk-browser-index');
  const place = path.join(base, hash.digest('hex').slice(0, 16));
  if (await stat(place).catch(() => null)) return place;
  const work = await mkdtemp(path.join(os.tmpdir(), 'frontdesk-browser-'));
  const sections = {
    server, embedder, llm, answers,
    store: { ...store, path: path.join(work, 'store') },
    knowledge: { ...knowledge, index: path.join(work, 'index') },
  };
  await writeFile(path.join(work, 'config.toml'), `${toml(sections)}\n[[sites]]\nid = "default"\n`);
  const child = spawn(BIN, ['--config', path.join(work, 'config.toml'), 'ingest'], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.on('data', (chunk) => { log += chunk; });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`the sample shop could not be read in: ${log}`);
  await mkdir(base, { recursive: true });
  // Test files run side by side: whoever is first has made it, and the others' is the same.
  await rename(path.join(work, 'index'), place).catch(() => {});
  await rm(work, { recursive: true, force: true });
  return place;
}

/** Debian's Chromium. */
export function startBrowser(options = {}) {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: CHROMIUM_FLAGS, ...options });
}

/**
 * A page in a context of its own that notes what must not happen: requests to another origin, errors of scripts, violations of the
 * content security policy. `page.problems()` throws if any did.
 */
export async function openPage(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 760 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(LIMIT_MS);
  const problems = [];
  const allowed = [new URL(url).host];
  page.allow = (other) => allowed.push(new URL(other).host);
  page.on('request', (request) => {
    const { protocol, host } = new URL(request.url());
    if (/^(https?|wss?):$/.test(protocol) && !allowed.includes(host)) problems.push(`a request to ${request.url()}`);
  });
  page.on('pageerror', (error) => problems.push(`a script failed: ${error}`));
  page.on('console', (message) => {
    if (/Content Security Policy/i.test(message.text())) problems.push(message.text());
  });
  page.problems = () => assert.deepEqual(problems, []);
  if (process.env.FRONTDESK_DIST) await fromFolder(context, process.env.FRONTDESK_DIST);
  await page.goto(url);
  return page;
}

/** Serves the built files of a folder in place of those in the binary. */
export async function fromFolder(context, folder) {
  // Scripts and styles alone: a document that didn't come over the network may not connect to
  // loopback.
  await context.route(/\/console\/(?:console|insight)\.(?:js|css)$/, async (route) => {
    const response = await route.fetch();
    const { 'content-encoding': _, ...headers } = response.headers();
    return route.fulfill({ response, headers, body: await readFile(path.join(folder, new URL(route.request().url()).pathname.slice(9)), 'utf8') });
  });
  await context.route(/\/(?:widget|demo)(?:\.(?:js|css)|\/[a-z]+\.js)(?:\?.*)?$/, async (route) => {
    const { pathname } = new URL(route.request().url());
    const name = pathname.replace(/^\/demo/, '/widget-demo').replace('/widget/', '/widget-').slice(1);
    const file = await readFile(path.join(folder, name), 'utf8').catch(() => null);
    if (file === null) return route.continue();
    const response = await route.fetch();
    if (response.ok()) return route.fulfill({ response, body: file });
    // A part that the binary doesn't have yet.
    return route.fulfill({ body: file, contentType: 'text/javascript', headers: { 'access-control-allow-origin': '*' } });
  });
}

/** The password of every account that tests make. */
export const PASSWORD = 'correct horse battery';

/** Makes an agent's account; `roles` is site → role. */
export async function account(server, login, name, roles) {
  const response = await fetch(`${server.adminUrl}/v1/agents`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await server.adminKey()}`, 'content-type': 'application/json' },
    body: JSON.stringify({ login, name, password: PASSWORD, roles }),
  });
  assert.equal(response.status, 201, await response.text());
}

/** A console of an agent who has just signed in. */
export async function signIn(browser, url, login, { path: address = '/console', prepare, ...options } = {}) {
  const page = await openPage(browser, 'about:blank', { viewport: { width: 1440, height: 900 }, ...options });
  page.allow(url);
  await prepare?.(page.context());
  await page.goto(`${url}${address}`);
  await page.fill('input[name=login]', login);
  await page.fill('input[name=password]', PASSWORD);
  await page.keyboard.press('Enter');
  await page.waitForSelector('.frame');
  await page.waitForFunction(() => document.querySelector('.list-panel .spinner') === null);
  return page;
}

/** A visitor sends `text`. */
export async function say(page, text) {
  await page.locator('.box textarea').fill(text);
  await page.keyboard.press('Enter');
}

/** The visitor's page shows its `n`th answer whole. */
export const answered = (page, n = 1) => page.locator('.answer:not(.writing)').nth(n - 1).waitFor();

/** The session that a visitor's page talks in. */
export const sessionOf = (page, site = 'default') => page.evaluate((key) => JSON.parse(localStorage.getItem(key)).session, `frontdesk:${site}`);

/** What was just drawn hears keys once its effects ran, which is after a frame. */
export const settled = (page) => page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(resolve)))));

/** An agent opens a conversation from one of the inbox's lists. */
export async function open(page, session, list = 'all') {
  await page.click(`#tab-${list}`);
  await page.click(`[id="row-${session}"]`);
  await page.waitForSelector('.composer');
  await settled(page);
}

/** The visitor asks, and the agent who holds the conversation sends, edits or rejects the draft. */
export async function decide(visitor, agent, question, decision) {
  await say(visitor, question);
  await agent.waitForSelector('.draft.is-ready .source-chip');
  await settled(agent);
  if (decision === 'send') await agent.keyboard.press('s');
  if (decision === 'edit') {
    await agent.keyboard.press('e');
    await agent.waitForFunction(() => document.activeElement?.value?.length > 10);
    await agent.keyboard.type(' I hope that helps. Mara');
    await agent.keyboard.press('Enter');
    await agent.keyboard.press('Escape');
  }
  if (decision === 'reject') {
    await agent.keyboard.press('x');
    await agent.getByRole('button', { name: 'Wrong tone' }).click();
  }
  await agent.waitForFunction(() => document.querySelector('.draft.is-ready') === null);
}

/**
 * Scrolls the inbox by 380 px a frame, 180 times, while `ending` ends what goes on beside it. `each` is processor time of the page's
 * own thread in a frame (script, style and layout), in ms: what else the machine does has no part in it. `told` says it in words.
 */
export async function scrollInbox(page, ending = async () => {}) {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Performance.enable', { timeDomain: 'threadTicks' });
  const busy = async () => {
    const { metrics } = await devtools.send('Performance.getMetrics');
    return metrics.filter(({ name }) => ['ScriptDuration', 'LayoutDuration', 'RecalcStyleDuration'].includes(name)).reduce((sum, { value }) => sum + value * 1000, 0);
  };
  const before = await busy();
  const { times, most, covered } = await page.evaluate(async () => {
    const list = document.querySelector('.virtual');
    const times = [];
    let most = 0;
    let last = performance.now();
    for (let n = 0; n < 180; n += 1) {
      list.scrollTop += 380;
      await new Promise((resolve) => requestAnimationFrame(resolve));
      const now = performance.now();
      times.push(now - last);
      last = now;
      most = Math.max(most, document.querySelectorAll('.row').length);
    }
    const box = list.getBoundingClientRect();
    const seen = document.elementFromPoint(box.left + 40, box.top + box.height / 2);
    return { times: times.sort((a, b) => a - b), most, covered: seen?.closest('.row') !== null };
  });
  await ending();
  const each = (await busy() - before) / times.length;
  const at = (share) => times[Math.floor(times.length * share)].toFixed(1);
  const told = `${each.toFixed(1)} ms of script, style and layout each; between frames median ${at(0.5)} ms, p95 ${at(0.95)} ms; ${most} rows in the page at most`;
  return { each, most, covered, told };
}

/** Writes the one article of a site for repairs. */
export async function writeRepairs(folder) {
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'poles.md'), '# Tent poles\n\n## Repair\n\nA broken tent pole is repaired within 5 working days. The repair of a tent pole costs 12 EUR.\n');
}

/** No violation of WCAG 2.2 A and AA that axe-core can find. */
export async function accessible(page) {
  const source = await readFile(path.join(ROOT, 'tests/browser/node_modules/axe-core/axe.min.js'), 'utf8');
  // What fades in has less contrast until it is there.
  await page.evaluate(() => {
    const ends = document.getAnimations().filter((one) => one.effect.getComputedTiming().endTime !== Infinity);
    return Promise.allSettled(ends.map((one) => one.finished)).then(() => undefined);
  });
  // Evaluated by the debugger, which no content security policy of the page concerns.
  await page.evaluate(source);
  const violations = await page.evaluate(async () => {
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
    const found = await window.axe.run(document, { runOnly: tags });
    return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(' ')).join(', ')}`);
  });
  assert.deepEqual(violations, []);
}

/** Takes a screenshot into the folder FRONTDESK_SHOTS, if it is set. */
export async function shot(page, name) {
  if (process.env.FRONTDESK_SHOTS) await page.screenshot({ path: path.join(process.env.FRONTDESK_SHOTS, `${name}.png`) });
}

/**
 * A TCP proxy on loopback whose connections can be cut. Start it first, name its `url` in the server's `public_origins`, then set
 * `target` to the server's address.
 */
export async function startProxy() {
  const sockets = new Set();
  let open = true;
  const listener = net.createServer((near) => {
    if (!open) return near.destroy();
    const { hostname: host, port } = new URL(proxy.target);
    const far = net.connect({ host, port: Number(port) });
    for (const [one, other] of [[near, far], [far, near]]) {
      sockets.add(one);
      one.on('error', () => {}).on('close', () => { sockets.delete(one); other.destroy(); });
      one.pipe(other);
    }
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const proxy = {
    url: `http://127.0.0.1:${listener.address().port}`,
    target: '',
    /** Ends every connection and takes no new one. */
    cut() {
      open = false;
      for (const socket of sockets) socket.destroy();
    },
    mend() { open = true; },
    stop() {
      proxy.cut();
      listener.close();
    },
  };
  return proxy;
}
