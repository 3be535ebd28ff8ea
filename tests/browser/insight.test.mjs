// The insight page in a browser: signing in, every plot with its table, drill-down to a conversation, no violation that axe-core finds.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';

import { accessible, openPage, ROOT, shot, startBrowser, startServer } from './support.mjs';

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

test('a marketer signs in, sees every plot, and comes down to one conversation', async (t) => {
  const server = await startServer();
  t.after(() => server.stop());
  await server.terminate();
  const directory = await mkdtemp(path.join(os.tmpdir(), 'frontdesk-insight-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  await writeFile(path.join(directory, 'recorded.jsonl'), conversations());
  await promisify(execFile)(BIN, ['--config', server.config, 'demo', 'import', path.join(directory, 'recorded.jsonl'), '--no-meanings']);
  await server.start();
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
