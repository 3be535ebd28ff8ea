// The page of documents in a browser, against the real binary: how each file was understood, and
// what was left out.

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';

import { accessible, account, shot, signIn, startBrowser, startServer } from './support.mjs';

let server;
let browser;
let folder;

/** Two lines of letterhead, a header, a column for the shop alone, a column of no name, a price that is none. */
const PRICES = `Hollin & Pike,,,,
Price list 2026,,,,
No.,Article,Price EUR,Cost price,
T2,Tarn 2 tent,349.00,190.00,x1
T3,Tarn 3 tent,429.00,251.00,x1
T4,Tarn 4 tent,ask us,300.00,x2
`;

before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'frontdesk-files-'));
  await mkdir(path.join(folder, 'lists'));
  await writeFile(path.join(folder, 'lists/prices & more #1.csv'), PRICES);
  await writeFile(path.join(folder, 'lists/plan.dwg'), '?');
  await writeFile(path.join(folder, 'delivery.md'), '# Delivery\n\nStandard delivery within Ireland costs 4.90 EUR.\n');
  [server, browser] = await Promise.all([startServer({ knowledge: folder }), startBrowser()]);
  await account(server, 'mara', 'Mara Lindqvist', { default: 'admin' });
  await account(server, 'jo', 'Jo Okafor', { default: 'agent' });
  const handedIn = await fetch(`${server.adminUrl}/v1/sites/default/documents/help/hours.md`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${await server.adminKey()}`, 'content-type': 'text/markdown' },
    body: '# Hours\n\nThe shop is open from 9:00 to 18:00.\n',
  });
  assert.equal(handedIn.status, 201);
});

afterEach(() => Promise.all(browser.contexts().map((context) => context.close())));

after(async () => {
  await browser?.close();
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('documents', () => {
  test('an admin sees how each file was understood', async () => {
    const page = await signIn(browser, server.url, 'mara');
    await page.click('a[href="/console/files"]');
    await page.locator('.file').first().waitFor();
    assert.deepEqual(await page.locator('.file-head .file-name').allTextContents(), ['delivery.md', 'lists/prices & more #1.csv', 'help/hours.md']);
    await page.getByText('lists/plan.dwg').waitFor();
    assert.match(await page.locator('.file-beside').innerText(), /no kind that is read/);

    await page.getByRole('button', { name: /prices & more #1/ }).click();
    await page.locator('.file-table').waitFor();
    const told = await page.locator('.file-body').innerText();
    assert.match(told, /4 documents · 4 passages · 2 products/);
    assert.match(told, /header in line 3 · 3 rows · 2 products/);
    assert.match(told, /Line 6 its price "ask us" is no amount/);
    const rows = await page.locator('.file-table tbody tr').evaluateAll((all) => all.map((row) => [...row.children].slice(0, 3).map((cell) => cell.innerText)));
    assert.deepEqual(rows.slice(0, 4), [
      ['No.', 'article number', 'are told'],
      ['Article', 'name', 'are told'],
      ['Price EUR', 'price', 'are told'],
      ['Cost price', 'internal', 'are never told'],
    ]);
    assert.doesNotMatch(told, /251/);
    await shot(page, 'console-files');

    await page.getByRole('button', { name: /help\/hours\.md/ }).click();
    await page.getByText('open from 9:00').waitFor();
    await page.getByRole('searchbox').fill('DELIV');
    await page.waitForFunction(() => document.querySelectorAll('.file').length === 1);
    await page.getByRole('searchbox').fill('nothing');
    await page.getByText('No document has this in its name.').waitFor();
    page.problems();
  });

  test('an agent finds no way there', async () => {
    const page = await signIn(browser, server.url, 'jo');
    assert.equal(await page.locator('a[href="/console/files"]').count(), 0);
    const status = await page.evaluate(async () => (await fetch('/v1/console/sites/default/files')).status);
    assert.equal(status, 403);
  });

  for (const [name, options] of Object.entries({
    wide: {},
    dark: { colorScheme: 'dark' },
    narrow: { viewport: { width: 390, height: 780 } },
    chinese: { locale: 'zh-CN' },
  })) {
    test(`the page stands up to axe: ${name}`, async () => {
      const page = await signIn(browser, server.url, 'mara', { path: '/console/files', reducedMotion: 'reduce', ...options });
      await page.getByRole('button', { name: /prices & more/ }).click();
      await page.locator('.file-table').waitFor();
      if (name === 'chinese') await page.getByText('表头在第 3 行').first().waitFor();
      await accessible(page);
      const { inner, whole } = await page.evaluate(() => ({ inner: innerWidth, whole: document.documentElement.scrollWidth }));
      assert.ok(whole <= inner, `${whole} pixels of ${inner}`);
      await shot(page, `console-files-${name}`);
      page.problems();
    });
  }
});
