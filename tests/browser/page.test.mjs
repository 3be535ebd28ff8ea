// The plain page at `/`, against the real binary: a question, its answer and source; a lost
// network; a restart; keyboard; sizes.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { accessible, openPage, shot, startBrowser, startProxy, startServer } from './support.mjs';

const SHIPPING = 'What does delivery to the United Kingdom cost?';
/** Slow enough to be cut in the middle; each sentence stands in the sample shop's documents. */
const SENTENCES =
  'You can return unused items within 60 days of delivery. You can return unused items within 60 days of delivery in its box.';

let browser;
let proxy;
let server;

before(async () => {
  browser = await startBrowser();
  proxy = await startProxy();
  server = await startServer({ options: { server: { public_origins: [proxy.url] } } });
  proxy.target = server.url;
});
after(async () => {
  await browser?.close();
  proxy?.stop();
  await server?.stop();
});

const open = (options) => openPage(browser, proxy.url, options);
const close = async (page) => { page.problems(); await page.context().close(); };

async function ask(page, text) {
  await page.getByLabel('Your message').fill(text);
  await page.keyboard.press('Enter');
}

/** The newest answer, once it is whole. */
async function answered(page) {
  const answer = page.locator('.answer:not(.writing)').last();
  await answer.waitFor();
  return answer;
}

test('a visitor asks, reads the answer, and opens its source', async () => {
  const page = await open();
  await page.getByText('Connected', { exact: true }).waitFor();
  await accessible(page);
  await shot(page, 'page-welcome');
  await ask(page, SHIPPING);
  const answer = await answered(page);
  assert.match(await answer.innerText(), /12\.90 EUR/);
  await answer.locator('[data-key="source-1"]').click();
  const quote = await answer.locator('blockquote').innerText();
  assert.ok((await answer.locator('.prose').innerText()).includes(quote.split('\n')[0]), quote);
  await accessible(page);
  await shot(page, 'page-answer');
  await close(page);
});

test('what the knowledge does not hold is declined, and a person is offered', async () => {
  const page = await open();
  await ask(page, 'Who won the chess world championship in 1972?');
  const answer = await answered(page);
  await answer.getByRole('button', { name: 'Talk to a person' }).click();
  await page.getByText('A person was asked for').waitFor();
  await accessible(page);
  await close(page);
});

test('a reload and a second tab show the same conversation', async () => {
  const page = await open();
  await ask(page, SHIPPING);
  const text = await (await answered(page)).locator('.prose').innerText();
  await page.reload();
  assert.equal(await (await answered(page)).locator('.prose').innerText(), text);
  const tab = await page.context().newPage();
  await tab.goto(proxy.url);
  assert.equal(await (await answered(tab)).locator('.prose').innerText(), text);
  await ask(tab, 'How long is a gift card valid?');
  await answered(tab);
  await page.locator('.said', { hasText: 'How long is a gift card valid?' }).waitFor();
  await close(page);
});

test('what is said while the server is away is sent when it is back', async () => {
  const page = await open();
  await page.getByText('Connected', { exact: true }).waitFor();
  await server.kill();
  await page.getByText(/Reconnecting|Offline/).first().waitFor();
  await ask(page, SHIPPING);
  await page.getByText('Will be sent when the connection is back').waitFor();
  await shot(page, 'page-waiting');
  await server.start();
  await answered(page);
  assert.equal(await page.locator('.said').count(), 1);
  await close(page);
});

test('hostile text stays text', async () => {
  const page = await open();
  const attack = '<img src=x onerror="document.title=1"><script>document.title=2</script>[x](javascript:alert(1)) **b**';
  await ask(page, attack);
  await answered(page);
  assert.equal(await page.locator('.said .bubble').first().innerText(), attack);
  assert.equal(await page.title(), 'Hollin & Pike');
  assert.equal(await page.locator('#log img, #log script, #log a[href^="javascript"]').count(), 0);
  await close(page);
});

test('everything works by keyboard alone', async () => {
  const page = await open();
  await page.getByText('Connected', { exact: true }).waitFor();
  for (let i = 0; i < 10; i += 1) {
    if (await page.evaluate(() => document.activeElement?.id === 'text')) break;
    await page.keyboard.press('Tab');
  }
  await page.keyboard.type(SHIPPING);
  await page.keyboard.press('Enter');
  const answer = await answered(page);
  const source = answer.locator('[data-key="source-1"]');
  for (let i = 0; i < 12; i += 1) {
    if (await source.evaluate((node) => node === document.activeElement)) break;
    await page.keyboard.press('Shift+Tab');
  }
  await page.keyboard.press('Enter');
  await answer.locator('blockquote').waitFor();
  await close(page);
});

test('a phone, a dark room, 200 % zoom', async () => {
  for (const [name, options] of [
    ['phone', { viewport: { width: 360, height: 640 }, hasTouch: true, isMobile: true }],
    ['dark', { colorScheme: 'dark' }],
    ['zoom', { viewport: { width: 550, height: 380 }, deviceScaleFactor: 2 }],
  ]) {
    const page = await open(options);
    await ask(page, SHIPPING);
    await answered(page);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(wide <= 0, `${name}: the page is ${wide} px wider than the screen`);
    await accessible(page);
    await shot(page, `page-${name}`);
    await close(page);
  }
});

test('an answer that the network cuts goes on where it was', async () => {
  const options = {
    server: { public_origins: [proxy.url] },
    llm: { engine: 'scripted', scripted_token_ms: 250 },
    answers: { mode: 'generate' },
  };
  const slow = await startServer({ options });
  const before = proxy.target;
  proxy.target = slow.url;
  try {
    const page = await open();
    await ask(page, `[[say ${SENTENCES}]] Can I return unused items in the box?`);
    await page.locator('.answer.writing .prose', { hasText: 'delivery.' }).waitFor();
    proxy.cut();
    await page.getByText(/Reconnecting|Offline/).first().waitFor();
    proxy.mend();
    const text = await (await answered(page)).locator('.prose').innerText();
    assert.equal(text, SENTENCES);
    await close(page);
  } finally {
    proxy.target = before;
    await slow.stop();
  }
});
