// The widget on a page, in a browser, against the real binary.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { ROOT, accessible, openPage, shot, startBrowser, startProxy, startServer } from './support.mjs';

/** Milliseconds for a word: long enough that an answer can be cut in the middle. */
const TOKEN_MS = 30;
const LONG = 'How long does shipping take, and what does it cost?';

const JWT_KEY = '0123456789abcdef0123456789abcdef';

const SITE = (origins) => `
contact = "help@shop.example"
origins = ${JSON.stringify(origins)}
[sites.widget]
greeting = "Hello! Ask me about sizes, shipping, returns, or which tent to take."
quick_replies = ["How long does shipping take?", "Can I return boots I wore?", "Which tent for two?"]
privacy_url = "https://shop.example/privacy"
logo = ${JSON.stringify(path.join(ROOT, 'docs/screenshots/widget-closed.png'))}
link_hosts = ["shop.example"]
draft = true
[sites.widget.translations.zh]
greeting = "您好！可以问我尺码、配送、退货，或者该选哪顶帐篷。"
quick_replies = ["配送需要多久？", "保修多长时间？"]
[sites.jwt]
algorithm = "HS256"
key = "${JWT_KEY}"
[[sites.widget.proactive]]
path = "/tents/*"
after_s = 0
text = "Not sure which tent? I can compare them."
[[sites.widget.proactive]]
path = "/tall/*"
after_s = 0
scroll_percent = 60
text = "That was a lot to read. Shall I sum it up?"
[[sites]]
id = "start"
name = "The other side"
origins = ${JSON.stringify(origins)}
[sites.widget]
position = "start"
[[sites.widget.proactive]]
path = "/tents/*"
after_s = 0
text = "Not sure which tent?"
`;

let server;
let proxy;
let browser;
/** A shop on another origin: strict policy, hostile styles, one script tag. */
let shop;

async function startShop() {
  const listener = http.createServer((request, response) => {
    const chat = server.url;
    const csp = `default-src 'none'; script-src ${chat}; connect-src ${chat} ${chat.replace('http', 'ws')}; style-src 'self'; ` +
      "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'";
    const { pathname, searchParams } = new URL(request.url, 'http://shop');
    if (pathname === '/late.css') return shop.late.push(() => response.setHeader('content-type', 'text/css').end());
    if (pathname === '/hostile.css') return response.setHeader('content-type', 'text/css').end(HOSTILE_CSS);
    response.setHeader('content-security-policy', csp).setHeader('content-type', 'text/html; charset=utf-8');
    const hostile = /^\/(plain|tall)/.test(pathname) ? '' : '<link rel="stylesheet" href="/hostile.css">';
    // What a page waits for before it is whole, as it does for pictures.
    const late = pathname.startsWith('/tall') ? '<link rel="stylesheet" media="print" href="/late.css">' : '';
    response.end(`<!doctype html><html lang="en" dir="${searchParams.get('dir') ?? 'ltr'}"><head><title>A shop</title>${hostile}
      <script async src="${chat}/widget.js" data-site="${searchParams.get('site') ?? 'default'}"></script></head>
      <body><main><h1>A shop</h1><p>Words of the page.</p></main>${late}</body></html>`);
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return { url: `http://127.0.0.1:${listener.address().port}`, late: [], stop: () => listener.close() };
}

const HOSTILE_CSS = `
* { all: unset !important; display: block !important; position: static !important; color: red !important; font: 40px serif !important; transform: rotate(3deg) !important; }
frontdesk-chat, body > * { display: none !important; visibility: hidden !important; opacity: 0 !important; width: 3000px !important; z-index: -1 !important; filter: blur(9px) !important; }
button, textarea, p { background: red !important; border: 9px solid red !important; }
`;

before(async () => {
  proxy = await startProxy();
  // The shop's origin has to be known to the server, and the server's to the shop.
  shop = await startShop();
  server = await startServer({
    options: { llm: { scripted_token_ms: TOKEN_MS }, answers: { mode: 'generate' }, server: { public_origins: [proxy.url] } },
    site: SITE([shop.url]),
  });
  proxy.target = server.url;
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  proxy?.stop();
  shop?.stop();
  await server?.stop();
});

const open = async (page) => {
  await page.getByRole('button', { name: /^(Open chat|打开聊天)/ }).click();
  await page.getByRole('dialog').waitFor();
};
const say = async (page, text) => {
  await page.locator('.box textarea').fill(text);
  await page.keyboard.press('Enter');
};
const answers = (page) => page.locator('.answer:not(.writing)');
const done = (page, n = 1) => answers(page).nth(n - 1).waitFor();
/** Waits for some words of a running answer. */
const words = (page) => page.locator('.answer.writing .prose').filter({ hasText: /\S+\s+\S+/ }).last().waitFor();
const text = (locator) => locator.evaluate((node) => node.innerText.trim());

/** What was just spoken into a page has been heard, and drawn. */
const settledIn = (page) => page.evaluate(() => new Promise((resolve) => { const channel = new MessageChannel(); channel.port1.onmessage = resolve; channel.port2.postMessage(0); }));

/** Waits for something on this side of the browser. */
async function eventually(fits, what) {
  for (let i = 0; i < 200; i += 1) {
    if (await fits()) return;
    await new Promise((wake) => setTimeout(wake, 50));
  }
  assert.fail(what);
}

test('one script tag on a page of another origin, under a strict policy and a hostile style sheet', async () => {
  const page = await openPage(browser, 'about:blank');
  page.allow(shop.url);
  page.allow(server.url);
  await page.goto(`${shop.url}/`);
  const launcher = page.getByRole('button', { name: 'Open chat' });
  await launcher.waitFor();
  const box = await launcher.boundingBox();
  assert.deepEqual([Math.round(box.width), Math.round(box.height), Math.round(1100 - box.x - box.width), Math.round(760 - box.y - box.height)], [58, 58, 20, 20]);
  await open(page);
  const style = await page.locator('.hello .bubble').evaluate((node) => {
    const { color, fontSize, backgroundColor } = getComputedStyle(node);
    return { color, fontSize, backgroundColor };
  });
  assert.deepEqual([style.color, style.fontSize], ['rgb(23, 32, 29)', '15px']);
  // The logo is drawn, though no policy here allows images.
  await page.locator('.face canvas').waitFor();
  await say(page, LONG);
  await words(page);
  await done(page);
  const chip = page.locator('.chip').first();
  await chip.click();
  await page.locator('.chip[aria-expanded="true"]').waitFor();
  const quote = await text(page.locator('.source blockquote').first());
  assert.ok(quote.length > 10, quote);
  // Nothing of ours reached the page: no style sheet, no class, one element, no shift of what stood
  // there.
  const traces = await page.evaluate(() => ({
    sheets: document.adoptedStyleSheets.length,
    styles: document.querySelectorAll('style').length,
    ours: [...document.body.children].map((node) => node.localName),
    shift: performance.getEntriesByType('layout-shift').length,
  }));
  assert.deepEqual(traces, { sheets: 0, styles: 0, ours: ['main', 'frontdesk-chat'], shift: 0 });
  // No violation of the policy, no request but to the shop and the chat.
  page.problems();
});

test('an answer streams, survives a reload, and is there in another tab', async () => {
  const page = await openPage(browser, `${server.url}/demo`);
  await open(page);
  await page.getByRole('button', { name: 'How long does shipping take?' }).click();
  await words(page);
  const early = await text(page.locator('.answer .prose'));
  // In the middle of the answer.
  await page.reload();
  // It was open, and is open again.
  await page.getByRole('dialog').waitFor();
  await words(page);
  const tab = await page.context().newPage();
  await tab.goto(`${server.url}/demo`);
  await open(tab);
  await words(tab);
  await done(page);
  await done(tab);
  const whole = await text(page.locator('.answer .prose'));
  assert.ok(whole.startsWith(early.slice(0, 10)) && whole.length > early.length, `${early} / ${whole}`);
  assert.equal(await text(tab.locator('.answer .prose')), whole);
  // What one tab says is in the other, once.
  await say(tab, 'Can I return boots I wore?');
  await done(page, 2);
  assert.equal(await page.locator('.said').count(), 2);
  assert.equal(await tab.locator('.said').count(), 2);
  await shot(page, 'widget-answer');
  page.problems();
});

test('the network is lost in the middle of an answer, and nothing is lost or doubled', async () => {
  const page = await openPage(browser, `${proxy.url}/demo`);
  await open(page);
  await say(page, LONG);
  await words(page);
  proxy.cut();
  await page.locator('.status', { hasText: 'Reconnecting' }).waitFor();
  await page.getByText('The answer goes on when it is back').waitFor();
  assert.equal(await page.locator('.dots').count(), 0, 'no dots while nothing can come');
  await shot(page, 'widget-reconnecting');
  await say(page, 'And within Ireland?');
  await page.getByText('Will be sent when the connection is back').waitFor();
  proxy.mend();
  await page.getByRole('button', { name: 'Try now' }).click({ timeout: 5_000 }).catch(() => {});
  await done(page, 2);
  assert.equal(await page.locator('.said').count(), 2);
  assert.equal(await page.locator('.answer').count(), 2);
  const stored = await transcript(page);
  assert.deepEqual(await page.locator('.answer .prose').evaluateAll((all) => all.map((node) => node.innerText.replace(/\s+/g, ' ').trim())), stored.answers);
  assert.equal(stored.said.length, 2);
  page.problems();
});

/** The conversation as the server has it. */
async function transcript(page) {
  const session = await page.evaluate(() => JSON.parse(localStorage.getItem('frontdesk:default')).session);
  const response = await fetch(`${server.adminUrl}/v1/sites/default/sessions/${session}`, { headers: { authorization: `Bearer ${await server.adminKey()}` } });
  if (!response.ok) return { status: response.status };
  const events = (await response.json()).transcript.map(({ event }) => event);
  const of = (kind) => events.filter(({ event }) => event === kind);
  return {
    status: 200,
    said: of('said').map(({ text }) => text),
    answers: of('answer_done').map(({ text }) => text.replace(/\*\*/g, '').replace(/\s+/g, ' ').trim()),
    feedback: of('feedback').map(({ rating, text }) => [rating, text]),
    human: of('human_requested').length,
    ended: of('ended').map(({ reason }) => reason),
  };
}

test('the server is killed in the middle of an answer and goes on after its start', async () => {
  const page = await openPage(browser, `${server.url}/demo`);
  await open(page);
  await say(page, LONG);
  await words(page);
  await server.kill();
  await page.locator('.status', { hasText: 'Reconnecting' }).waitFor();
  await server.start();
  await done(page);
  const stored = await transcript(page);
  assert.equal(stored.answers.length, 1);
  assert.equal(await page.locator('.answer').count(), 1);
  assert.equal((await text(page.locator('.answer .prose'))).replace(/\s+/g, ' '), stored.answers[0]);
  page.problems();
});

test('the keyboard is enough', async () => {
  const page = await openPage(browser, `${server.url}/demo`);
  await page.getByRole('button', { name: 'Open chat' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  const focused = () => page.evaluate(() => {
    const node = document.querySelector('frontdesk-chat').shadowRoot.activeElement;
    return node?.getAttribute('aria-label') ?? node?.textContent.trim();
  });
  await page.waitForFunction(() => document.querySelector('frontdesk-chat').shadowRoot.activeElement?.localName === 'textarea');
  await page.keyboard.type('How long does shipping take?');
  await page.keyboard.press('Enter');
  await words(page);
  // The send button became a stop button while nothing is typed.
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'Stop answering');
  await page.keyboard.press('Enter');
  await page.getByText('Stopped.', { exact: true }).waitFor();
  await page.keyboard.type('Can I return boots I wore?');
  await page.keyboard.press('Enter');
  await done(page, 2);
  // Backwards from the composer to the answer's thumbs and its source.
  for (let i = 0; i < 30 && !/^Helpful/.test((await focused()) ?? ''); i += 1) await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Space');
  await page.getByText('Thank you!').waitFor();
  assert.equal(await focused(), 'Helpful', 'the thumb keeps the focus');
  await page.keyboard.press('Escape');
  assert.equal(await page.getByRole('dialog').count(), 0);
  assert.match(await focused(), /^Open chat/);
  page.problems();
});

test('axe-core finds nothing in any state, light, dark, right to left and Chinese', async () => {
  for (const [query, options] of [['', {}], ['?theme=dark', { colorScheme: 'dark' }], ['?dir=rtl', {}], ['?lang=zh', {}]]) {
    // What fades in has no contrast yet.
    const page = await openPage(browser, `${server.url}/demo${query}`, { reducedMotion: 'reduce', ...options });
    await page.locator('.launcher').waitFor();
    await accessible(page);
    await open(page);
    await accessible(page);
    await page.locator('.reply').first().click();
    await page.locator('.answer').waitFor();
    await done(page);
    if (await page.locator('.chip').count()) await page.locator('.chip').first().click();
    if (await page.locator('[data-key="down"]').count()) await page.locator('[data-key="down"]').first().click();
    await accessible(page);
    await page.locator('.tool').first().click();
    await accessible(page);
    page.problems();
    await page.context().close();
  }
});

test('Chinese, by the page’s language', async () => {
  const page = await openPage(browser, `${server.url}/demo?lang=zh`);
  await open(page);
  await page.getByText('您好！可以问我尺码').waitFor();
  await page.getByRole('button', { name: '配送需要多久？' }).click();
  await page.locator('.answer').waitFor();
  await done(page);
  assert.equal(await page.locator('.frame').getAttribute('lang'), 'zh');
  await shot(page, 'widget-chinese');
  page.problems();
});

test('right to left, the corner and the bubbles change sides', async () => {
  const page = await openPage(browser, `${server.url}/demo?dir=rtl`);
  await open(page);
  await say(page, LONG);
  await words(page);
  const { x } = await page.locator('.launcher').boundingBox();
  assert.ok(x < 100, `the button stands at ${x}`);
  const [said, answer] = await Promise.all(['.said .bubble', '.answer .bubble'].map((one) => page.locator(one).boundingBox()));
  assert.ok(said.x < answer.x, 'the visitor’s words stand on the left');
  await done(page);
  await shot(page, 'widget-rtl');
  page.problems();
});

test('on a phone it covers the page, and shrinks for the keyboard', async () => {
  const page = await openPage(browser, `${server.url}/demo`, { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2, reducedMotion: 'reduce' });
  await page.locator('.launcher').tap();
  await page.getByRole('dialog').waitFor();
  assert.deepEqual(await page.getByRole('dialog').boundingBox(), { x: 0, y: 0, width: 390, height: 780 });
  assert.equal(await page.getByRole('dialog').getAttribute('aria-modal'), 'true');
  assert.equal(await page.locator('.launcher').isVisible(), false);
  await page.locator('.box textarea').fill('How long does shipping take?');
  assert.equal(await page.locator('.box textarea').evaluate((node) => getComputedStyle(node).fontSize), '16px');
  // The on-screen keyboard takes the lower part.
  await page.setViewportSize({ width: 390, height: 440 });
  await page.waitForFunction(() => document.querySelector('frontdesk-chat').shadowRoot.querySelector('.panel').getBoundingClientRect().height === 440);
  const composer = await page.locator('.box').boundingBox();
  assert.ok(composer.y + composer.height <= 440, 'the composer stays in sight');
  await page.setViewportSize({ width: 390, height: 780 });
  await page.keyboard.press('Enter');
  await done(page);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.equal(wide, 390, 'nothing to scroll sideways');
  await accessible(page);
  await shot(page, 'widget-phone');
  page.problems();
});

test('at 200% zoom everything is reachable', async () => {
  // 1280 by 720 at 200% is 640 by 360 of CSS pixels.
  const page = await openPage(browser, `${server.url}/demo`, { viewport: { width: 640, height: 360 }, deviceScaleFactor: 2 });
  await open(page);
  for (const name of ['Write a message…', 'Talk to a person', 'More']) {
    const box = await page.getByLabel(name).or(page.getByRole('button', { name })).first().boundingBox();
    assert.ok(box && box.y >= 0 && box.y + box.height <= 360 && box.x + box.width <= 640, `${name}: ${JSON.stringify(box)}`);
  }
  page.problems();
});

test('feedback with a reason, a person, an end, and everything deleted', async () => {
  const page = await openPage(browser, `${server.url}/demo`);
  await open(page);
  await say(page, 'How long does shipping take?');
  await done(page);
  await page.getByRole('button', { name: 'Not helpful' }).click();
  await page.getByText('Hard to understand').click();
  await page.getByLabel('Anything else? (optional)').fill('Too many numbers');
  await page.getByRole('button', { name: 'Send feedback' }).click();
  await page.getByText('Thank you!').waitFor();
  await page.getByRole('button', { name: 'Talk to a person' }).click();
  await page.locator('.banner', { hasText: 'Nobody is there right now' }).waitFor();
  await page.locator('.banner', { hasText: 'help@shop.example' }).waitFor();

  const menu = async (name) => {
    await page.getByRole('button', { name: 'More' }).click();
    await page.getByRole('button', { name }).click();
  };
  const [download] = await Promise.all([page.waitForEvent('download'), menu('Download transcript')]);
  const saved = await readFile(await download.path(), 'utf8');
  assert.match(saved, /\n\[[^\]]+20\d\d[^\]]+\] You:\nHow long does shipping take\?\n[^]*\[[^\]]+\] AI assistant:\n/);

  await menu('End conversation');
  await page.getByRole('button', { name: 'End it' }).click();
  await page.locator('.note', { hasText: 'This conversation has ended' }).waitFor();
  const stored = await transcript(page);
  assert.deepEqual(stored.feedback, [['down', null], ['down', 'unclear: Too many numbers']]);
  assert.deepEqual([stored.human, stored.ended], [1, ['visitor']]);

  // Another conversation, in which both are erased.
  const first = await page.evaluate(() => JSON.parse(localStorage.getItem('frontdesk:default')).session);
  await say(page, 'Can I return boots I wore?');
  await page.locator('.answer').nth(1).waitFor();
  await menu('Delete my data');
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  await page.locator('.trouble', { hasText: 'Your data was deleted.' }).waitFor();
  assert.equal(await page.locator('.said').count(), 0);
  assert.equal(await page.evaluate(() => Object.keys(localStorage).join()), '');
  const status = await fetch(`${server.adminUrl}/v1/sites/default/sessions/${first}`, { headers: { authorization: `Bearer ${await server.adminKey()}` } });
  assert.equal(status.status, 404);
  page.problems();
});

test('what visitors are told without asking, what screen readers hear, and silence until sound is wanted', async () => {
  const page = await openPage(browser, `${server.url}/demo`);
  await page.addInitScript(() => {
    window.chimes = 0;
    const Context = window.AudioContext;
    window.AudioContext = class extends Context { constructor() { super(); window.chimes += 1; } };
  });
  await page.reload();
  await open(page);
  await page.getByText('An AI assistant answers here').waitFor();
  await page.getByRole('link', { name: 'Privacy policy' }).waitFor();
  await say(page, 'How long does shipping take?');
  await done(page);
  // The whole answer is announced once, politely; words as they stream are not.
  const live = page.locator('.unseen[aria-live="polite"]');
  const answer = (await text(answers(page).locator('.prose'))).replace(/\s+/g, ' ');
  await eventually(async () => (await live.evaluate((node) => node.textContent.replace(/\s+/g, ' '))).startsWith(answer.slice(0, 30)), 'the answer is announced');
  assert.equal(await page.locator('.scroll [aria-live]').count(), 0);
  const times = await page.locator('.log time:visible').evaluateAll((all) => all.map((one) => [one.textContent, Math.abs(Date.now() - Date.parse(one.dateTime)) < 600_000]));
  assert.equal(times.length, 1, 'one time above what was said together');
  assert.match(times[0][0], /^\d{1,2}:\d\d/);
  assert.ok(times[0][1]);
  assert.ok(await page.locator('.said .bubble').getAttribute('title'));
  assert.equal(await page.evaluate(() => window.chimes), 0);
  await page.getByRole('button', { name: 'More' }).click();
  await page.getByRole('button', { name: 'Turn sound on' }).click();
  await page.getByRole('button', { name: 'More' }).click();
  await page.getByRole('button', { name: 'Turn sound off' }).waitFor();
  page.problems();
});

test('the page’s own code: ready, open, send, messages, unread, destroy', async () => {
  const page = await openPage(browser, `${server.url}/demo`);
  await page.waitForFunction(() => window.frontdesk.localName === 'frontdesk-chat');
  await page.evaluate(() => {
    window.heard = [];
    for (const name of ['open', 'close', 'message', 'unread']) window.frontdesk.on(name, (detail) => window.heard.push([name, detail]));
    window.frontdesk.send('How long does shipping take?');
  });
  // It was closed all the while: what came is unread, and the badge says so.
  await page.getByRole('button', { name: 'Open chat, 1 unread message' }).waitFor();
  await shot(page, 'widget-unread');
  await page.evaluate(() => window.frontdesk.open());
  await page.getByRole('dialog').waitFor();
  await page.waitForFunction(() => window.frontdesk.unread === 0);
  await page.evaluate(() => window.frontdesk.close());
  const heard = await page.evaluate(() => window.heard);
  const names = heard.map(([name, { from }]) => (from ? `${name}:${from}` : name));
  assert.deepEqual([...names].sort(), ['close', 'message:assistant', 'message:visitor', 'open', 'unread', 'unread']);
  await page.evaluate(() => window.frontdesk.destroy());
  assert.equal(await page.locator('frontdesk-chat').count(), 0);
  page.problems();
});

test('it speaks up by itself where the site says so, once a visit', async () => {
  const page = await openPage(browser, `${shop.url}/plain`);
  await page.goto(`${shop.url}/tents/plain`);
  const teaser = page.getByRole('button', { name: /Not sure which tent/ });
  await teaser.waitFor();
  await page.getByRole('button', { name: 'Dismiss message' }).click();
  await page.reload();
  await page.getByRole('button', { name: 'Open chat' }).waitFor();
  assert.equal(await teaser.count(), 0);
});

test('it waits until a page was read so far, and does not take a page that is still loading for a short one', async () => {
  const page = await openPage(browser, 'about:blank');
  for (const one of [shop.url, server.url]) page.allow(one);
  const teaser = page.getByRole('button', { name: /Shall I sum it up/ });
  const scrolled = (share) => page.evaluate((part) => new Promise((resolve) => {
    const { scrollHeight, clientHeight } = document.documentElement;
    addEventListener('scroll', () => requestAnimationFrame(() => setTimeout(resolve)), { once: true });
    scrollTo(0, (scrollHeight - clientHeight) * part);
  }), share);
  await page.goto(`${shop.url}/tall/guide`, { waitUntil: 'commit' });
  // The chat is there before the page is whole.
  await page.getByRole('button', { name: 'Open chat' }).waitFor();
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 100)));
  assert.ok(await page.evaluate(() => document.readyState !== 'complete' && document.documentElement.scrollHeight <= innerHeight));
  assert.equal(await teaser.count(), 0, 'short because it is not whole');
  await page.locator('main').evaluate((main) => { main.style.height = '4000px'; });
  for (const end of shop.late.splice(0)) end();
  await page.waitForLoadState('load');
  for (const share of [0.3, 0.58]) {
    await scrolled(share);
    assert.equal(await teaser.count(), 0, `at ${share * 100} percent`);
  }
  await scrolled(0.62);
  await teaser.waitFor();
  // Elsewhere on the site another rule or none holds.
  await page.evaluate(() => sessionStorage.clear());
  await page.goto(`${shop.url}/plain`);
  await page.getByRole('button', { name: 'Open chat' }).waitFor();
  assert.equal(await teaser.count(), 0);
  page.problems();
});

test('at the start of the line or at its end, in both directions of writing', async () => {
  const page = await openPage(browser, 'about:blank', { reducedMotion: 'reduce' });
  for (const one of [shop.url, server.url]) page.allow(one);
  const width = 1100;
  for (const [site, dir, side] of [['default', 'ltr', 'right'], ['default', 'rtl', 'left'], ['start', 'ltr', 'left'], ['start', 'rtl', 'right']]) {
    await page.goto(`${shop.url}/tents/plain?site=${site}&dir=${dir}`);
    const launcher = page.getByRole('button', { name: 'Open chat' });
    await launcher.waitFor();
    const at = async (locator) => {
      const box = await locator.boundingBox();
      return Math.round(side === 'left' ? box.x : width - box.x - box.width);
    };
    assert.equal(await at(launcher), 20, `the button: ${site}, ${dir}`);
    await page.locator('.teaser').waitFor();
    assert.equal(await at(page.locator('.teaser')), 20, `what it says by itself: ${site}, ${dir}`);
    await open(page);
    assert.equal(await at(page.getByRole('dialog')), 20, `the chat: ${site}, ${dir}`);
    await page.evaluate(() => { sessionStorage.clear(); localStorage.clear(); });
  }
  page.problems();
});

/** A page whose socket the test can speak into. */
async function spokenInto(query = '', options = {}) {
  let speak;
  const sent = [];
  /** `passes` says which frames of the server arrive. */
  const line = { passes: () => true, sockets: 0 };
  const page = await openPage(browser, 'about:blank', { reducedMotion: 'reduce', ...options });
  page.allow(server.url);
  await page.routeWebSocket(/\/v1\/chat$/, (socket) => {
    const far = socket.connectToServer();
    line.sockets += 1;
    // A server that recommends nothing knows no clicks on what it recommended.
    socket.onMessage((message) => { sent.push(JSON.parse(message)); if (!/recommendation/.test(message)) far.send(message); });
    far.onMessage((message) => { if (line.passes(message)) socket.send(message); });
    speak = (message) => socket.send(JSON.stringify(message));
  });
  await page.goto(`${server.url}/demo${query}`);
  return { page, sent, line, speak: (message) => speak(message) };
}

test('a person: the place in line, who joins, what they say, and that they left', async () => {
  const { page, speak } = await spokenInto();
  await open(page);
  await say(page, 'My tent pole broke on the second night.');
  await done(page);
  await page.locator('.under').getByRole('button', { name: 'Talk to a person' }).click();
  await page.locator('.banner').waitFor();
  speak({ type: 'human.queue', place: 2, available: true });
  await page.locator('.banner', { hasText: 'You are number 2 in line for a person.' }).waitFor();
  await shot(page, 'widget-queue');
  speak({ type: 'human.queue', place: 1, available: false, contact: 'help@shop.example' });
  await page.locator('.banner', { hasText: 'Nobody is there right now.' }).waitFor();
  speak({ type: 'agent.joined', seq: 900, name: 'Maya' });
  await page.getByRole('heading', { name: 'Maya' }).waitFor();
  await page.getByText('A person is with you').waitFor();
  speak({ type: 'agent.message', seq: 901, id: 'a1', text: 'Hi, Maya here. Send me your order number and I will have a new pole sent to you today.', name: 'Maya' });
  speak({ type: 'agent.message', seq: 901, id: 'a1', text: 'Hi, Maya here. Send me your order number and I will have a new pole sent to you today.', name: 'Maya' });
  speak({ type: 'something.new', seq: 902 });
  await page.locator('.agent').waitFor();
  assert.equal(await page.locator('.agent').count(), 1);
  assert.equal(await page.locator('.box textarea').getAttribute('placeholder'), 'Write to Maya…');
  await accessible(page);
  await shot(page, 'widget-agent');
  speak({ type: 'agent.left', seq: 903, name: 'Maya', waiting: false });
  await page.locator('.note', { hasText: 'Maya left. The assistant answers again' }).waitFor();
  page.problems();
});

test('a person who types is shown as typing, and never for ever', async () => {
  const { page, speak, line } = await spokenInto();
  await page.clock.install();
  await page.reload();
  await open(page);
  await page.locator('.status', { hasText: 'Answers at once' }).waitFor();
  const types = page.locator('.types', { hasText: 'Maya is typing' });
  const gone = () => types.waitFor({ state: 'hidden' });
  // Nobody has joined: a frame that comes out of order shows nothing.
  speak({ type: 'agent.typing', name: 'Maya' });
  speak({ type: 'agent.joined', seq: 900, name: 'Maya' });
  await page.getByRole('heading', { name: 'Maya' }).waitFor();
  assert.equal(await types.count(), 0);

  speak({ type: 'agent.typing', name: 'Maya' });
  await types.waitFor();
  await accessible(page);
  await page.clock.runFor(4_000);
  speak({ type: 'agent.typing', name: 'Maya' });
  await settledIn(page);
  await page.clock.runFor(4_000);
  assert.ok(await types.isVisible(), 'it was said again');
  await page.clock.runFor(2_500);
  await gone();

  speak({ type: 'agent.typing', name: 'Maya' });
  await types.waitFor();
  speak({ type: 'agent.message', seq: 901, id: 'a1', text: 'Hi, Maya here.', name: 'Maya' });
  await page.locator('.agent', { hasText: 'Hi, Maya here.' }).waitFor();
  await gone();

  speak({ type: 'agent.typing', name: 'Maya' });
  await types.waitFor();
  speak({ type: 'agent.left', seq: 902, name: 'Maya', waiting: false });
  await gone();

  speak({ type: 'agent.joined', seq: 903, name: 'Maya' });
  speak({ type: 'agent.typing', name: 'Maya' });
  await types.waitFor();
  // With the connection goes what was known.
  const { sockets } = line;
  await page.evaluate(() => dispatchEvent(new Event('offline')));
  await gone();
  await page.clock.runFor(30_000);
  assert.ok(line.sockets > sockets);
  page.problems();
});

test('products: price, link, and never a picture from elsewhere', async () => {
  const { page, speak, sent } = await spokenInto();
  await open(page);
  await say(page, 'Which tent for two?');
  await done(page);
  const products = [
    { id: 'HP-1011', name: 'Tarn 2 tent', variant: 'Moss', price: 349, currency: 'EUR', url: 'https://shop.example/products/tarn-tent', image: 'https://tracker.example/pixel.png', reason: 'Sleeps two, 1.9 kg' },
    { id: 'HP-1013', name: 'Tarn 3 tent', variant: 'Moss', price: 429, currency: 'EUR', url: 'javascript:alert(1)', reason: 'Room for the dog' },
    { id: 'HP-1014', name: 'Tarn 2 footprint', variant: '', price: 39, currency: 'EUR', url: 'https://shop.example/products/tarn-tent', reason: 'Keeps the floor whole' },
  ];
  speak({ type: 'recommendation', products });
  await page.locator('.product').nth(2).waitFor();
  assert.equal(await page.locator('.product').first().locator('.price').innerText(), '€349.00');
  assert.equal(await page.locator('.product a').count(), 2, 'an address that is no web address is no link');
  await accessible(page);
  await page.locator('.scroll').evaluate((node) => node.scrollTo(0, node.scrollHeight));
  await shot(page, 'widget-products');
  await page.context().route('https://shop.example/**', (route) => route.fulfill({ body: '' }));
  page.allow('https://shop.example');
  await page.locator('.product a').first().click();
  await eventually(() => sent.some(({ type, id }) => type === 'recommendation.click' && id === 'HP-1011'), 'the click is told');
  page.problems();
});

test('an answer that asks back, and one that ends in a way this version does not know, are answers', async () => {
  const { page, speak } = await spokenInto();
  await open(page);
  await say(page, 'How long does shipping take?');
  await done(page);
  for (const [turn, end] of [[800, 'clarified'], [810, 'something_new']]) {
    speak({ type: 'answer.started', turn, seq: turn + 1, at_ms: Date.now() });
    speak({ type: 'answer.done', turn, seq: turn + 2, at_ms: Date.now(), text: `Do you mean the tent or the torch? (${end})`, citations: [], confidence: 0.5, usage: {}, end });
    await page.locator('.answer:not(.writing)', { hasText: `(${end})` }).waitFor();
  }
  assert.equal(await page.locator('.answer', { hasText: 'Do you mean the tent' }).locator('.remark').count(), 0);
  await say(page, 'Can I return boots I wore?');
  await done(page, 4);
  page.problems();
});

test('drafts are sent where the site wants them, and the visitor is told', async () => {
  const { page, sent } = await spokenInto();
  await open(page);
  await page.getByText('Sent as you type').waitFor();
  await page.locator('.box textarea').pressSequentially('How long does');
  await eventually(() => sent.some(({ type, text: draft }) => type === 'typing' && draft === 'How long does'), 'the draft is sent');
});

test('a slow answer is called slow, a silent line is tried, and no dots go on for ever', async () => {
  const { page, line } = await spokenInto();
  await page.clock.install();
  await page.reload();
  await open(page);
  await page.locator('.status', { hasText: 'Answers at once' }).waitFor();
  // The answer was begun, and then nothing more of it arrives.
  line.passes = (message) => !/"answer\.(delta|done|citation|withheld)"/.test(message);
  await say(page, LONG);
  await page.locator('.waiting', { hasText: 'Looking it up' }).waitFor();
  await page.clock.runFor(7_000);
  await page.locator('.waiting', { hasText: 'Still working on it' }).waitFor();
  await page.clock.runFor(15_000);
  await page.locator('.waiting', { hasText: 'This takes longer than usual' }).waitFor();
  const { sockets } = line;
  await page.clock.runFor(20_000);
  assert.ok(line.sockets > sockets, 'it came back to ask what it missed');
  line.passes = () => true;
  await page.clock.runFor(60_000);
  await page.clock.resume();
  await done(page);
  assert.equal(await page.locator('.answer').count(), 1);
  page.problems();
});

test('a computer that slept comes back at once', async () => {
  const { page, line } = await spokenInto();
  await page.clock.install();
  await page.reload();
  await open(page);
  await page.locator('.status', { hasText: 'Answers at once' }).waitFor();
  await page.clock.runFor(20_000);
  const { sockets } = line;
  // As a closed lid does: time jumps, timers fire once.
  await page.clock.fastForward('10:00');
  await page.locator('.status', { hasText: 'Answers at once' }).waitFor();
  assert.equal(line.sockets, sockets + 1);
  page.problems();
});

test('visitors whom the site signed in', async () => {
  const { page, sent } = await spokenInto();
  const now = Math.floor(Date.now() / 1000);
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const body = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: '42', aud: 'default', iat: now, exp: now + 600 })}`;
  const token = `${body}.${createHmac('sha256', JWT_KEY).update(body).digest('base64url')}`;
  await page.waitForFunction(() => window.frontdesk.localName);
  await page.evaluate((jwt) => window.frontdesk.identify({ token: () => jwt }), token);
  await open(page);
  await say(page, 'How long does shipping take?');
  await page.locator('.answer').waitFor();
  assert.equal(sent[0].token, token);
  assert.ok(!(await page.evaluate(() => JSON.stringify({ ...localStorage }))).includes(token), 'the site’s token is not kept');
  // The next page says again who it is, and the conversation is there.
  await page.reload();
  await page.waitForFunction(() => window.frontdesk.localName);
  await page.evaluate((jwt) => window.frontdesk.identify({ token: jwt }), token);
  await page.locator('.said').waitFor();
  page.problems();
});

test('what one tab forgets is gone from the other', async () => {
  const page = await openPage(browser, `${server.url}/demo`);
  await open(page);
  await say(page, 'How long does shipping take?');
  await done(page);
  const tab = await page.context().newPage();
  await tab.goto(`${server.url}/demo`);
  await open(tab);
  await done(tab);
  await page.getByRole('button', { name: 'More' }).click();
  await page.getByRole('button', { name: 'Delete my data' }).click();
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  await page.locator('.trouble', { hasText: 'Your data was deleted.' }).waitFor();
  await tab.locator('.said').waitFor({ state: 'detached' });
  // The next word begins another conversation, in both.
  await say(tab, 'Can I return boots I wore?');
  await done(tab);
  await say(page, 'Which tent for two?');
  await done(page);
  assert.equal((await transcript(tab)).status, 200);
  page.problems();
});

test('a chat that can’t be loaded says so, and can be tried again', async () => {
  const page = await openPage(browser, `${server.url}/demo`);
  await page.route(/panel\.js/, (route) => route.abort());
  await page.getByRole('button', { name: 'Open chat' }).click();
  await page.getByText('The chat can’t be loaded now.').waitFor();
  await page.unroute(/panel\.js/);
  await page.reload();
  await open(page);
  page.problems();
});
