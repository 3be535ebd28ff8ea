// What must not happen by accident: words lost, sent or said to be done that aren't. Both faces against the real binary.

import assert from 'node:assert/strict';
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';

import { accessible, account, openPage, PASSWORD, shot, signIn, startBrowser, startProxy, startServer } from './support.mjs';

let server;
let browser;
let proxy;
let documents;

before(async () => {
  proxy = await startProxy();
  documents = await mkdtemp(path.join(os.tmpdir(), 'frontdesk-careful-'));
  await mkdir(path.join(documents, 'repairs'));
  await writeFile(path.join(documents, 'repairs/poles.md'), '# Tent poles\n\n## Repair\n\nA broken tent pole is repaired within 5 working days. The repair of a tent pole costs 12 EUR.\n');
  server = await startServer({
    options: { server: { public_origins: [proxy.url] }, answers: { mode: 'quote' }, console: { auto_routing: false } },
    site: `[[sites]]
id = "repairs"
name = "Hollin & Pike Repairs"
answers = "suggest"
knowledge = ${JSON.stringify(path.join(documents, 'repairs'))}
`,
  });
  proxy.target = server.url;
  browser = await startBrowser();
  await account(server, 'mara', 'Mara Lindqvist', { default: 'admin', repairs: 'agent' });
  await account(server, 'jo', 'Jo Okafor', { default: 'agent' });
});

afterEach(async () => {
  await Promise.all(browser.contexts().map((context) => context.close()));
});

after(async () => {
  await browser?.close();
  proxy?.stop();
  await server?.stop();
  await rm(documents, { recursive: true, force: true });
});

async function chat(address = `${server.url}/demo`, options = {}) {
  const page = await openPage(browser, address, { reducedMotion: 'reduce', ...options });
  await page.getByRole('button', { name: /^(Open chat|打开聊天)/ }).click();
  await page.getByRole('dialog').waitFor();
  return page;
}

const say = async (page, text) => {
  await page.locator('.box textarea').fill(text);
  await page.keyboard.press('Enter');
};
const answered = (page, n = 1) => page.locator('.answer:not(.writing)').nth(n - 1).waitFor();
const sessionOf = (page, site = 'default') => page.evaluate((key) => JSON.parse(localStorage.getItem(key)).session, `frontdesk:${site}`);
const settled = (page) => page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(resolve)))));
const open = async (page, session, list = 'all') => {
  await page.click(`#tab-${list}`);
  await page.click(`[id="row-${session}"]`);
  await page.waitForSelector('.composer');
  await settled(page);
};

/** A conversation that Mara holds, with a draft to its question. */
async function held(question = 'How do I wash a down sleeping bag?') {
  const visitor = await chat();
  await say(visitor, 'How long does standard delivery take?');
  await answered(visitor);
  const mara = await signIn(browser, server.url, 'mara');
  const session = await sessionOf(visitor);
  await open(mara, session);
  await mara.keyboard.press('t');
  await mara.waitForSelector('.pill-agent');
  await say(visitor, question);
  return { visitor, mara, session };
}

describe('an agent’s words', () => {
  test('Alt in a text is the keyboard’s; what was begun outlives the draft, a reload and another’s sign-in', async () => {
    const { visitor, mara, session } = await held();
    await mara.waitForSelector('.draft.is-ready .source-chip');
    const reply = mara.getByLabel('Your reply to the visitor');
    await reply.fill('Dear visitor, as for boots');
    await reply.focus();
    for (const key of ['Alt+s', 'Alt+e', 'Alt+x', 'Alt+t']) await mara.keyboard.press(key);
    await settled(mara);
    assert.match(await reply.inputValue(), /^Dear visitor, as for boots/, 'the text stays');
    assert.equal(await mara.locator('.by-agent').count(), 0, 'no draft was sent');
    assert.equal(await mara.locator('dialog[open]').count(), 0);
    assert.equal(await mara.locator('.talk-head .pill-agent').count(), 1, 'nothing was given back');

    // The draft takes the place of what was begun, and gives it back.
    await reply.fill('Dear visitor, as for boots');
    await mara.locator('.draft').getByRole('button', { name: 'Edit' }).click();
    await mara.locator('.toast', { hasText: 'put aside' }).waitFor();
    assert.notEqual(await reply.inputValue(), 'Dear visitor, as for boots');
    await shot(mara, 'console-put-aside');
    await mara.locator('.toast').getByRole('button', { name: 'Undo' }).click();
    await mara.waitForFunction(() => document.querySelector('.compose-text').value === 'Dear visitor, as for boots');
    await mara.waitForSelector('.draft.is-ready');

    await mara.reload();
    await mara.waitForSelector('.composer');
    assert.equal(await reply.inputValue(), 'Dear visitor, as for boots');

    // Outside a text Alt is a shortcut, also with single keys off.
    await mara.evaluate(() => localStorage.setItem('frontdesk:single-keys', 'off'));
    await mara.reload();
    await mara.waitForSelector('.draft.is-ready');
    await settled(mara);
    await mara.locator('.talk-head h2').click();
    await mara.keyboard.press('x');
    assert.equal(await mara.locator('dialog[open]').count(), 0);
    await mara.keyboard.press('Alt+x');
    await mara.locator('dialog[open]').waitFor();
    await mara.keyboard.press('Escape');

    // Signing out lets go of it.
    await mara.click('.rail-me');
    await mara.getByRole('menuitem', { name: 'Sign out' }).click();
    await mara.waitForSelector('.sign-in-card');
    assert.equal(await mara.evaluate(() => sessionStorage.getItem('frontdesk:begun')), null);
    await mara.fill('input[name=login]', 'jo');
    await mara.fill('input[name=password]', PASSWORD);
    await mara.keyboard.press('Enter');
    await mara.waitForSelector('.frame');
    await open(mara, session);
    assert.equal(await mara.locator('.compose-text').inputValue(), '');
    mara.problems();
    visitor.problems();
  });
});
