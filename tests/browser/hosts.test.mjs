// The widget on pages as they are: frameworks that exchange the body, scripts that are deferred,
// typed anew or bundled, input methods, and keys pressed elsewhere on the page.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { after, before, test } from 'node:test';

import { openPage, shot, startBrowser, startServer } from './support.mjs';

let server;
let browser;
let host;

/** Pages by their path; `CHAT` stands for the server's address. */
const PAGES = {
  '/head': '<head><title>One</title><script async src="CHAT/widget.js" data-site="default"></script></head><body><h1>One</h1></body>',
  '/module': '<head><title>One</title><script type="module" src="CHAT/widget.js" data-site="default"></script></head><body><h1>One</h1></body>',
  '/query': '<head><title>One</title></head><body><h1>One</h1><script>const s = document.createElement("script"); s.src = "CHAT/widget.js?site=other"; document.head.append(s)</script></body>',
  '/bundled': '<head><title>One</title></head><body><h1>One</h1><script>fetch("CHAT/widget.js").then((one) => one.text()).then((text) => { const s = document.createElement("script"); s.textContent = text; document.head.append(s); s.remove(); })</script></body>',
  '/own': '<head><title>One</title><script async src="CHAT/widget.js"></script></head><body><h1>One</h1><frontdesk-chat site="default"></frontdesk-chat></body>',
  '/field': '<head><title>One</title><script async src="CHAT/widget.js"></script></head><body><h1>One</h1><input id="field"></body>',
  '/german': '<!doctype html><html lang="de"><head><title>Eins</title><script async src="CHAT/widget.js"></script></head><body><h1>Eins</h1></body></html>',
};

before(async () => {
  const listener = http.createServer((request, response) => {
    const page = PAGES[new URL(request.url, 'http://host').pathname] ?? '<h1>?</h1>';
    response.setHeader('content-type', 'text/html; charset=utf-8').end(`<!doctype html>${page.replaceAll('CHAT', server.url)}`);
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  host = { url: `http://127.0.0.1:${listener.address().port}`, stop: () => listener.close() };
  server = await startServer({
    options: { llm: { scripted_token_ms: 30 }, answers: { mode: 'generate' } },
    site: `contact = "help@shop.example"\norigins = ${JSON.stringify([host.url])}\n[[sites]]\nid = "other"\nname = "The other"\norigins = ${JSON.stringify([host.url])}\n`,
  });
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  host?.stop();
  await server?.stop();
});

async function visit(path, options = {}) {
  const page = await openPage(browser, 'about:blank', options);
  page.allow(host.url);
  page.allow(server.url);
  const sockets = [];
  page.on('websocket', (socket) => sockets.push(socket));
  page.sockets = () => sockets.filter((one) => !one.isClosed()).length;
  await page.goto(`${host.url}${path}`);
  return page;
}

const open = async (page) => {
  await page.locator('.launcher').click();
  await page.getByRole('dialog').waitFor();
};
const say = async (page, text) => {
  await page.locator('.box textarea').fill(text);
  await page.keyboard.press('Enter');
};
const done = (page, n = 1) => page.locator('.answer:not(.writing)').nth(n - 1).waitFor();
const writing = (page) => page.locator('.answer.writing .prose').filter({ hasText: /\S+\s+\S+/ }).last().waitFor();
const state = (page) => page.evaluate(() => ({
  elements: document.querySelectorAll('frontdesk-chat').length,
  living: window.frontdesk.isConnected,
  opened: window.frontdesk.opened,
}));

/** How frameworks change pages; each runs in the page. */
const EXCHANGES = {
  // Turbo, Astro, Swup and view transitions put another body in the place of the old one.
  'another body': () => {
    const body = document.createElement('body');
    body.innerHTML = '<h1>Two</h1>';
    document.documentElement.replaceChild(body, document.body);
  },
  // htmx and pjax with the body as their target.
  'another content of the body': () => { document.body.innerHTML = '<h1>Two</h1>'; },
  // Turbo restores a copy of the page that it took before; the copy has a copy of the element.
  'a copy of the body': () => { document.documentElement.replaceChild(document.body.cloneNode(true), document.body); },
};

for (const [name, exchange] of Object.entries(EXCHANGES)) {
  test(`${name} in the middle of an answer: one chat, one socket, and the answer goes on`, async () => {
    const page = await visit('/head');
    await open(page);
    await say(page, 'How long does shipping take, and what does it cost?');
    await writing(page);
    await page.evaluate(exchange);
    await page.getByRole('dialog').waitFor();
    await done(page);
    assert.deepEqual(await state(page), { elements: 1, living: true, opened: true });
    assert.equal(page.sockets(), 1);
    assert.equal(await page.locator('.answer').count(), 1);
    await say(page, 'Can I return boots I wore?');
    await done(page, 2);
    page.problems();
  });
}

test('the page’s own element is the same chat on the next page; what is taken off stays off', async () => {
  const page = await visit('/own');
  await open(page);
  await say(page, 'How long does shipping take?');
  await done(page);
  await page.evaluate(() => {
    const body = document.createElement('body');
    body.innerHTML = '<h1>Two</h1><frontdesk-chat site="default"></frontdesk-chat>';
    document.documentElement.replaceChild(body, document.body);
  });
  await page.getByRole('dialog').waitFor();
  assert.deepEqual(await state(page), { elements: 1, living: true, opened: true });
  assert.equal(page.sockets(), 1);
  await page.evaluate(() => window.frontdesk.remove());
  await page.waitForFunction(() => document.querySelectorAll('frontdesk-chat').length === 0);
  assert.equal((await state(page)).elements, 0);
});

test('as a module, from a tag manager without attributes, and bundled with a line that says what is missing', async () => {
  const module = await visit('/module');
  await open(module);
  const query = await visit('/query');
  await query.locator('.launcher').waitFor();
  assert.equal(await query.locator('frontdesk-chat').getAttribute('site'), 'other');
  const bundled = await visit('/bundled');
  const line = await bundled.waitForEvent('console', { predicate: (message) => message.type() === 'error' && message.text().includes('Frontdesk'), timeout: 10_000 }).catch(() => null);
  // It may have been written before anybody listened.
  if (line) assert.match(line.text(), /data-server=/);
});

/** What an input method in Safari does: the composition ends before the Enter that ends it. */
const halfWritten = (root) => {
  const area = root.querySelector('textarea');
  area.focus();
  area.value = '配送はいくら';
  area.dispatchEvent(new InputEvent('input', { bubbles: true, composed: true }));
  area.dispatchEvent(new CompositionEvent('compositionend', { bubbles: true, composed: true }));
  area.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', code: 'Enter', keyCode: 229, which: 229, bubbles: true, composed: true, cancelable: true }));
  return area.value;
};

test('Enter that ends a composition sends nothing; the next one does', async () => {
  const page = await visit('/head');
  await open(page);
  assert.equal(await page.evaluate(`(${halfWritten})(document.querySelector('frontdesk-chat').shadowRoot)`), '配送はいくら');
  assert.equal(await page.locator('.said').count(), 0);
  await page.keyboard.press('Enter');
  await page.locator('.said').waitFor();
  const plain = await openPage(browser, `${server.url}/`);
  assert.equal(await plain.evaluate(`(${halfWritten})(document)`), '配送はいくら');
});

test('Escape closes the chat from anywhere on the page', async () => {
  const page = await visit('/field');
  await open(page);
  await page.locator('#field').focus();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  await open(page);
  await page.locator('.launcher').focus();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
});

test('a banner that comes leaves the last answer in sight', async () => {
  for (const viewport of [{ width: 1280, height: 800 }, { width: 390, height: 844 }]) {
    const page = await visit('/head', { viewport });
    await open(page);
    await say(page, 'How long does shipping take, and what does it cost?');
    await done(page);
    for (const [question, n] of [['How can I pay?', 2], ['What does the Tarn 2 cost?', 3]]) {
      await say(page, question);
      await done(page, n);
    }
    await page.locator('.under').getByRole('button', { name: 'Talk to a person' }).click();
    await page.locator('.banner').waitFor();
    await page.waitForTimeout(300);
    const rest = await page.locator('.scroll').evaluate((box) => box.scrollHeight - box.scrollTop - box.clientHeight);
    assert.ok(rest < 4, `the end is ${rest} pixels below`);
    assert.ok(await page.locator('.latest').isHidden());
    assert.equal(await page.locator('.banner a').getAttribute('href'), 'mailto:help@shop.example');
  }
});

test('German, French, Spanish, Japanese and Arabic', async () => {
  for (const language of ['de', 'fr', 'es', 'ja', 'ar']) {
    const page = await openPage(browser, `${server.url}/demo?lang=${language}`);
    await open(page);
    assert.equal(await page.locator('.frame').getAttribute('lang'), language);
    assert.equal(await page.locator('.frame').getAttribute('dir'), language === 'ar' ? 'rtl' : 'ltr');
    await say(page, 'How long does shipping take?');
    await done(page);
    await page.locator('.under').getByRole('button').first().click();
    await page.locator('.banner').waitFor();
    await shot(page, `widget-${language}`);
  }
});
