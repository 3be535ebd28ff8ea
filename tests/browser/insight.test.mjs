// The insight page in a browser: signing in, every plot with its table, drill-down to a
// conversation, no violation that axe-core finds.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';

import { accessible, account, openPage, ROOT, shot, signIn, startBrowser, startServer } from './support.mjs';

const BIN = process.env.FRONTDESK_BIN ?? path.join(ROOT, 'target/debug/frontdesk');

/** Persuasion for Good (Apache-2.0), shortened, as often as a page needs to have something to draw. */
function conversations() {
  const said = [
    ['I have heard of it. How much do you want?', 'Great, I am happy to help'],
    ['I am skeptical of big charities. Is it a scam?', 'No thanks'],
  ];
  return Array.from({ length: 60 }, (_, i) => JSON.stringify({
    id: `201809${String(1 + (i % 28)).padStart(2, '0')}-12${String(i).padStart(2, '0')}26_live`,
    turns: said[i % 2].flatMap((text) => [{ role: 'agent', text: 'Have you heard of Save The Children?' }, { role: 'visitor', text }]),
    age: 20 + i,
    converted: i % 3 === 0,
    amount: i % 3 === 0 ? 0.5 : 0,
  })).join('\n');
}

/** A server over recorded conversations. */
async function startRecorded(t) {
  const server = await startServer();
  t.after(() => server.stop());
  await server.terminate();
  const directory = await mkdtemp(path.join(os.tmpdir(), 'frontdesk-insight-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  await writeFile(path.join(directory, 'recorded.jsonl'), conversations());
  await promisify(execFile)(BIN, ['--config', server.config, 'demo', 'import', path.join(directory, 'recorded.jsonl'), '--no-meanings']);
  return server.start();
}

test('a marketer signs in, sees every plot, and comes down to one conversation', async (t) => {
  const server = await startRecorded(t);
  const browser = await startBrowser();
  t.after(() => browser.close());

  const page = await openPage(browser, `${server.adminUrl}/console/insight`);
  await page.fill('#key', 'wrong');
  await page.click('#sign-in button');
  await page.waitForFunction(() => document.getElementById('refused').textContent !== '');
  await accessible(page);
  await page.fill('#key', await server.adminKey());
  await page.click('#sign-in button');
  await page.waitForSelector('#funnel svg');
  // All of it is from 2018: the page opens there.
  assert.deepEqual([await page.inputValue('#range'), await page.inputValue('#to')], ['dates', '2018-09-28']);
  const figures = await page.$$eval('figure', (found) => found.map((figure) => [figure.id, figure.querySelectorAll('svg').length, figure.querySelectorAll('tbody tr').length]));
  for (const id of ['funnel', 'intents', 'scatter', 'roc', 'calibration', 'segments', 'campaigns']) {
    const [, plots, rows] = figures.find(([name]) => name === id);
    assert.ok(plots > 0 && rows > 0, `${id} has ${plots} plots and ${rows} rows`);
  }
  await accessible(page);
  await shot(page, 'insight');
  await page.locator('#funnel rect').last().click();
  await page.waitForSelector('#drill table');
  assert.equal(await page.locator('#drill tbody tr').count(), 20);
  await page.locator('#drill table .link').first().click();
  await page.waitForSelector('#drill .talk');
  await accessible(page);
  const facts = await page.textContent('#drill .facts');
  for (const name of ['From', 'Outcome', 'bought', 'Intent', 'What moved it']) assert.ok(facts.includes(name), `no ${name} in ${facts}`);
  await page.locator('#drill .link').first().click();
  await page.waitForSelector('#drill table');
  assert.equal(await page.locator('#drill tbody tr').count(), 20);
  page.problems();
});

/** Texts of a part of the page that a reader of Chinese could not read: Latin words that aren't names, addresses or codes. */
async function foreign(page, selector) {
  const texts = await page.$$eval(selector, (parts) => parts.flatMap((part) => {
    const words = [];
    const walker = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const { parentElement: at, textContent: text } = walker.currentNode;
      // What visitors said, and languages in their own name.
      if (!at.closest('code, option, .questions .link, .talk p')) words.push(text);
    }
    for (const element of part.querySelectorAll('[aria-label]')) words.push(element.getAttribute('aria-label'));
    return words;
  }));
  const known = /^(?:ROC|Brier|UTC|k|Frontdesk|recorded|admin)$/;
  return texts.filter((text) => (text.match(/[A-Za-z]+/g) ?? []).some((word) => !known.test(word)));
}

test('the page speaks the language chosen in the console, and one chosen on it', async (t) => {
  const server = await startRecorded(t);
  await account(server, 'ada', 'Ada', { default: 'admin' });
  const browser = await startBrowser();
  t.after(() => browser.close());
  const page = await signIn(browser, server.url, 'ada', {
    prepare: (context) => context.addInitScript(() => {
      if (!localStorage.getItem('frontdesk:language')) {
        localStorage.setItem('frontdesk:language', 'zh-Hans');
        localStorage.setItem('frontdesk:theme', 'dark');
      }
    }),
  });
  await page.goto(`${server.url}/console/insight?site=default`);
  await page.waitForSelector('#funnel svg');
  assert.deepEqual(await page.evaluate(() => [document.documentElement.lang, document.documentElement.dataset.theme, document.title]), ['zh-Hans', 'dark', '洞察 · Frontdesk']);
  assert.equal(await page.textContent('#funnel h2'), '从第一句话到购买');
  // Numbers and dates as the language writes them.
  const kpis = await page.$$eval('.kpis li', (found) => found.map((one) => one.textContent));
  assert.ok(kpis[0].includes('2018年9月1日 至 2018年9月28日') && kpis[2].includes('33.3%'), kpis.join());
  assert.ok((await page.textContent('#intents .axes')).includes('9月1日'));
  for (const id of ['scatter', 'roc', 'calibration']) {
    const names = await page.$$eval(`#${id} .axes .name`, (found) => found.map((name) => name.textContent));
    assert.ok(names.length === 2 && names.every((name) => /[\u4e00-\u9fff]/.test(name)), `${id}: ${names}`);
  }
  for (const summary of await page.locator('summary').all()) await summary.click();
  assert.deepEqual(await foreign(page, 'header, #page'), []);
  await accessible(page);
  await shot(page, 'insight-chinese');
  await page.locator('#funnel rect').last().click();
  await page.waitForSelector('#drill table');
  await page.locator('#drill table .link').first().click();
  await page.waitForSelector('#drill .talk');
  assert.deepEqual(await foreign(page, '#drill'), []);
  await accessible(page);
  await page.click('#close');

  await page.selectOption('#language', 'en');
  assert.equal(await page.textContent('#funnel h2'), 'From the first word to the purchase');
  assert.ok((await page.textContent('.kpis')).includes('Sep 1, 2018 to Sep 28, 2018'));
  assert.ok((await foreign(page, '#page')).length > 50, 'what is looked for is found where it is');
  // The console has it, too.
  await page.goto(`${server.url}/console`);
  await page.waitForSelector('.frame');
  assert.equal(await page.evaluate(() => document.documentElement.lang), 'en');
  page.problems();
});
