// A thousand open conversations, made over the protocol, in one console.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { accessible, account, openPage, scrollInbox, signIn, startBrowser, startServer } from './support.mjs';

let server;
let browser;

before(async () => {
  // Nobody is given a conversation: all of them stay in line, which takes so many.
  server = await startServer({ options: { console: { auto_routing: false, waiting: 2000 } } });
  browser = await startBrowser();
  await account(server, 'mara', 'Mara Lindqvist', { default: 'admin' });
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

describe('a busy day', () => {
  const SESSIONS = 1000;

  /**
   * Conversations over the protocol, fifty at the same time, each waiting for a person. The last hundred stay connected, as
   * `window.writers` of the page that made them. Gives their ids.
   */
  const conversations = (page, count) => page.evaluate(async (count) => {
    const one = () => new Promise((resolve, reject) => {
      const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/v1/chat`);
      let session;
      socket.onerror = () => reject(new Error('the socket failed'));
      socket.onopen = () => socket.send(JSON.stringify({ type: 'hello', site: 'default' }));
      socket.onmessage = ({ data }) => {
        const message = JSON.parse(data);
        if (message.type === 'welcome') {
          ({ session } = message);
          socket.send(JSON.stringify({ type: 'human' }));
        } else if (message.type === 'human.requested') resolve({ session, socket });
        else if (message.type === 'error') reject(new Error(data));
      };
    });
    const sessions = [];
    window.writers = [];
    while (sessions.length < count) {
      const batch = await Promise.all(Array.from({ length: Math.min(50, count - sessions.length) }, one));
      sessions.push(...batch.map(({ session }) => session));
      window.writers.push(...batch.map(({ socket }) => socket));
      for (const socket of window.writers.splice(0, window.writers.length - 100)) socket.close();
    }
    return sessions;
  }, count);

  test('a thousand real conversations scroll smoothly while visitors go on writing', async (t) => {
    const makers = await openPage(browser, `${server.url}/livez`);
    const all = await conversations(makers, SESSIONS);
    const loading = performance.now();
    const page = await signIn(browser, server.url, 'mara');
    await page.click('#tab-all');
    await page.waitForFunction((count) => Number(document.querySelector('.row')?.getAttribute('aria-setsize')) >= count, SESSIONS);
    t.diagnostic(`signed in and all of them listed after ${((performance.now() - loading) / 1000).toFixed(1)} s`);

    // Wishes for a person need no answer: rows change, and no model is measured.
    await makers.evaluate(() => {
      window.sent = 0;
      window.ticking = setInterval(() => {
        window.writers[window.sent % window.writers.length].send(JSON.stringify({ type: 'human' }));
        window.sent += 1;
      }, 20);
    });
    let sent = 0;
    const frames = await scrollInbox(page, async () => {
      sent = await makers.evaluate(() => { clearInterval(window.ticking); return window.sent; });
    });
    t.diagnostic(`frames while scrolling ${SESSIONS} rows at 380 px a frame with ${sent} changes meanwhile: ${frames.told}`);
    assert.ok(sent > 0 && frames.covered, 'a row stands where the list was scrolled to');
    assert.ok(frames.each < 16, `a frame takes ${frames.each} ms`);
    assert.ok(frames.most < 60, `${frames.most} rows are in the page`);
    // The last of them is found, and opened, like the first.
    await page.keyboard.press('f');
    await page.keyboard.type(all.at(-1).slice(0, 12));
    await page.locator(`[id="row-${all.at(-1)}"]`).click();
    await page.locator('.line', { hasText: 'The visitor asked for a person' }).first().waitFor();
    await accessible(page);
    page.problems();
  });
});
