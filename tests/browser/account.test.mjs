// An agent's own account in a browser: a second factor from its first scan to the sign-in with a
// code, what happens when it is required, and sign-ins that are ended.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { PASSWORD, accessible, account, openPage, shot, signIn, startBrowser, startServer } from './support.mjs';

let server;
let strict;
let browser;

before(async () => {
  [server, strict, browser] = await Promise.all([
    startServer({}),
    startServer({ options: { console: { second_factor: 'required' } } }),
    startBrowser(),
  ]);
  await account(server, 'mara', 'Mara Lindqvist', { default: 'admin' });
  await account(strict, 'jo', 'Jo Okafor', { default: 'agent' });
});

after(async () => {
  await browser?.close();
  await Promise.all([server?.stop(), strict?.stop()]);
});

/** The code of RFC 6238 as an app makes it: SHA-1, six digits; `step` counts from the current 30 s. */
function codeOf(secret, step = 0) {
  const bits = [...secret].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + step));
  const hash = createHmac('sha1', key).update(counter).digest();
  const at = hash[19] & 15;
  return String((hash.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

/** Goes through the setting-up; the secret and the recovery codes that are shown. */
async function setUp(page, name) {
  await page.getByRole('button', { name: 'Set up' }).click();
  await page.getByLabel('Your password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Next' }).click();
  await page.locator('.qr').waitFor();
  await accessible(page);
  await shot(page, name);
  const secret = (await page.locator('.secret').textContent()).replaceAll(' ', '');
  await page.getByLabel('Code', { exact: true }).fill('000000');
  await page.getByRole('button', { name: 'Confirm' }).click();
  await page.locator('.toast-bad', { hasText: 'code is wrong' }).first().waitFor();
  await page.getByLabel('Code', { exact: true }).fill(codeOf(secret));
  await page.getByRole('button', { name: 'Confirm' }).click();
  await page.locator('.recovery').waitFor();
  await accessible(page);
  const recovery = await page.locator('.recovery li').allTextContents();
  assert.equal(new Set(recovery).size, 10);
  await page.getByRole('button', { name: 'I have kept them' }).click();
  return { secret, recovery };
}

async function fill(page, password) {
  await page.goto(`${server.url}/console`);
  await page.fill('input[name=login]', 'mara');
  await page.fill('input[name=password]', password);
  await page.keyboard.press('Enter');
}

describe('an own account', { timeout: 300_000 }, () => {
  test('a second factor is set up, asked for, and replaced by a recovery code', async () => {
    const page = await signIn(browser, server.url, 'mara');
    const other = await signIn(browser, server.url, 'mara');
    await page.click('.rail-me');
    await page.getByRole('menuitem', { name: 'Account and settings' }).click();
    const { secret, recovery } = await setUp(page, 'console-second-factor');
    await page.getByText('Signing in takes a code').waitFor();
    await other.waitForSelector('.sign-in-card');

    await fill(other, 'not this one at all');
    await other.locator('.problem', { hasText: 'User name or password is wrong' }).waitFor();
    assert.equal(await other.locator('input[name=code]').count(), 0);
    await fill(other, PASSWORD);
    await other.locator('input[name=code]').waitFor();
    await accessible(other);
    await shot(other, 'console-sign-in-code');
    await other.keyboard.type('123456');
    await other.keyboard.press('Enter');
    await other.locator('.problem', { hasText: 'The code is wrong' }).waitFor();
    // The step that set it up is used; the next one counts, since clocks may differ by one.
    await other.fill('input[name=code]', codeOf(secret, 1));
    await other.keyboard.press('Enter');
    await other.waitForSelector('.frame');

    const third = await openPage(browser, server.url);
    await fill(third, PASSWORD);
    await third.fill('input[name=code]', recovery[0].toUpperCase());
    await third.keyboard.press('Enter');
    await third.waitForSelector('.frame');

    // All three are seen, and the two others ended.
    await page.keyboard.press('Escape');
    await page.click('.rail-me');
    await page.getByRole('menuitem', { name: 'Account and settings' }).click();
    await page.locator('.sign-ins li').nth(2).waitFor();
    assert.equal(await page.locator('.sign-ins li', { hasText: 'Chrome, Linux' }).count(), 2);
    await accessible(page);
    await shot(page, 'console-account');
    await page.getByRole('button', { name: 'End all others' }).click();
    await other.waitForSelector('.sign-in-card');
    await third.waitForSelector('.sign-in-card');
    await page.waitForFunction(() => document.querySelectorAll('.sign-ins li').length === 1);
    for (const one of [page, other, third]) await one.close();
  });

  test('where it is required, nothing else opens before', async () => {
    const page = await openPage(browser, strict.url);
    await page.goto(`${strict.url}/console`);
    await page.fill('input[name=login]', 'jo');
    await page.fill('input[name=password]', PASSWORD);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Set up a second factor' }).waitFor();
    assert.equal(await page.locator('.frame').count(), 0);
    await setUp(page, 'console-second-factor-required');
    await page.waitForSelector('.frame');
    await page.close();
  });
});
