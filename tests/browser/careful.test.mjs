// What must not happen by accident: words lost, sent or said to be done that aren't. Both faces
// against the real binary.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';

import {
  accessible, account, answered, fromFolder, open, openPage, PASSWORD, say, sessionOf, settled, shot, signIn, startBrowser, startProxy, startServer, writeRepairs,
} from './support.mjs';

let server;
let browser;
let proxy;
let documents;

before(async () => {
  proxy = await startProxy();
  documents = await mkdtemp(path.join(os.tmpdir(), 'frontdesk-careful-'));
  await writeRepairs(path.join(documents, 'repairs'));
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

describe('what an agent is shown', () => {
  test('no draft to send where the documents hold no answer, but the way to the missing article', async () => {
    const question = 'Who won the chess world championship in 1972?';
    const { visitor, mara } = await held(question);
    const card = mara.locator('.draft.is-declined', { hasText: 'The documents don’t answer this.' });
    await card.waitFor();
    assert.equal(await mara.locator('.draft').getByRole('button', { name: 'Send' }).count(), 0);
    await settled(mara);
    for (const key of ['s', 'e', 'h']) await mara.keyboard.press(key);
    await settled(mara);
    assert.equal(await mara.locator('.by-agent').count(), 0);
    assert.equal(await mara.locator('.compose-text').inputValue(), '');
    await accessible(mara);
    await shot(mara, 'console-declined');
    // Gaps are noted beside the draft.
    for (const until = Date.now() + 30_000; ;) {
      assert.ok(Date.now() < until, 'the gap is noted');
      const { gaps } = await (await fetch(`${server.adminUrl}/v1/sites/default/gaps`, { headers: { authorization: `Bearer ${await server.adminKey()}` } })).json();
      if (gaps.some((gap) => gap.question === question)) break;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await card.getByRole('button', { name: 'Write the article' }).click();
    await mara.locator('.gap', { hasText: question }).getByLabel('Title').waitFor();
    mara.problems();
    visitor.problems();
  });

  test('a model that may not reword says so, and what did not change is no version', async () => {
    const { visitor, mara } = await held();
    await mara.waitForSelector('.draft.is-ready .source-chip');
    const warmer = mara.locator('.draft').getByRole('button', { name: 'Warmer' });
    assert.equal(await warmer.isDisabled(), true);
    assert.match(await warmer.getAttribute('title'), /not trusted to reword/);
    assert.equal(await mara.locator('.draft').getByRole('button', { name: 'Translate' }).isDisabled(), true);
    assert.doesNotMatch(await mara.locator('.draft .confidence').innerText(), /100/);
    await settled(mara);
    await mara.keyboard.press('w');
    await mara.locator('.toast', { hasText: 'not trusted to reword' }).getByRole('button', { name: 'Close' }).click();
    await mara.locator('.toast').waitFor({ state: 'detached' });
    const confidence = await mara.locator('.draft .confidence').innerText();
    // Shorter works by leaving out, until one sentence is left.
    for (let left = 9; (await mara.locator('.draft-note', { hasText: 'one sentence' }).count()) === 0; left -= 1) {
      assert.ok(left > 0);
      const before = await mara.locator('.versions').allInnerTexts();
      await mara.keyboard.press('h');
      await mara.waitForFunction((was) => document.querySelector('.draft.is-ready')
        && ([...document.querySelectorAll('.draft-note')].some((one) => one.textContent.includes('one sentence')) || JSON.stringify([...document.querySelectorAll('.versions')].map((one) => one.innerText)) !== was), JSON.stringify(before));
    }
    assert.equal(await mara.locator('.draft .confidence').innerText(), confidence, 'what was left out makes nothing likelier');
    await accessible(mara);
    await shot(mara, 'console-not-qualified');
    mara.problems();
    visitor.problems();
  });

  test('whether the visitor is still there, who holds it, and passages as they are read', async () => {
    const { visitor, mara, session } = await held();
    await mara.waitForSelector('.draft.is-ready .source-chip');
    await mara.locator(`[id="row-${session}"] .presence.online`).waitFor();
    await mara.locator('.talk-there', { hasText: 'Here now' }).waitFor();
    const facts = await mara.locator('.details dl.facts').first().innerText();
    assert.match(facts, /Held by\s+You/);
    await mara.locator('.passage-text').first().waitFor();
    const passages = await mara.locator('.passage-text').allInnerTexts();
    assert.ok(passages.every((text) => !/^#|\*\*/m.test(text)), passages.join('\n'));
    const all = mara.getByRole('button', { name: 'Show all' }).first();
    if (await all.count()) await all.click();
    await accessible(mara);
    await shot(mara, 'console-presence');
    visitor.problems();
    await visitor.context().close();
    await mara.locator('.talk-there', { hasText: /^Left .* ago$/ }).waitFor();
    await mara.locator(`[id="row-${session}"] .presence.offline`).waitFor();
    for (const colorScheme of ['light', 'dark']) {
      await mara.emulateMedia({ colorScheme });
      await mara.setViewportSize({ width: 390, height: 780 });
      const heading = mara.locator('.talk-head h2');
      await heading.waitFor();
      assert.ok(await heading.evaluate((node) => node.scrollWidth <= node.clientWidth), 'the name is whole');
      assert.equal(await mara.locator('.rail').isVisible(), false);
      await mara.waitForFunction(() => document.querySelector('.details')?.checkVisibility() !== false);
      if (await mara.locator('.details-head').isVisible()) await mara.locator('.details').getByRole('button', { name: 'Hide details' }).click();
      await accessible(mara);
      await shot(mara, `console-phone-${colorScheme}`);
      await mara.getByRole('button', { name: 'Back to the list' }).click();
      await mara.locator('.rail').waitFor();
      await shot(mara, `console-phone-list-${colorScheme}`);
      await mara.click(`[id="row-${session}"]`);
    }
    mara.problems();
  });
});

describe('a visitor’s words', () => {
  /** How the log of a conversation ends. */
  const ended = async (session) => {
    for (const until = Date.now() + 30_000; ;) {
      assert.ok(Date.now() < until, `${session} never ended`);
      const response = await fetch(`${server.adminUrl}/v1/sites/default/sessions/${session}`, { headers: { authorization: `Bearer ${await server.adminKey()}` } });
      const { transcript } = await response.json();
      if (transcript.at(-1).event.event === 'ended') return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  const menu = async (page, names, item, yes) => {
    await page.getByRole('button', { name: names, exact: true }).click();
    await page.getByRole('button', { name: item, exact: true }).click();
    await page.getByRole('button', { name: yes, exact: true }).click();
  };

  test('a conversation ended without a connection ends once it is back', async () => {
    const page = await chat(`${proxy.url}/demo`);
    page.allow(server.url);
    await say(page, 'How long does standard delivery take?');
    await answered(page);
    const first = await sessionOf(page);
    proxy.cut();
    await page.locator('.trouble', { hasText: 'Next try' }).waitFor();
    await menu(page, 'More', 'End conversation', 'End it');
    await page.locator('.trouble', { hasText: 'The conversation you ended is closed as soon as the connection is back.' }).waitFor();
    await accessible(page);
    await shot(page, 'widget-end-due');
    proxy.mend();
    await page.locator('.note', { hasText: 'This conversation has ended' }).waitFor();
    await ended(first);
    assert.equal(await page.evaluate(() => localStorage.getItem('frontdesk:default:ends')), null);

    // Another one, left for a new one; and the page is loaded anew before the connection is back.
    await say(page, 'How do I wash a down sleeping bag?');
    await answered(page, 2);
    const second = await sessionOf(page);
    assert.notEqual(second, first);
    proxy.cut();
    await page.locator('.trouble', { hasText: 'Next try' }).waitFor();
    await menu(page, 'More', 'New conversation', 'Begin');
    await page.locator('.trouble', { hasText: 'The conversation you ended' }).waitFor();
    assert.equal(await page.locator('.said').count(), 0);
    proxy.mend();
    await page.reload();
    await ended(second);
    page.problems();
  });

  test('the same in Chinese', async () => {
    const page = await chat(`${proxy.url}/demo?lang=zh`);
    await say(page, '配送需要多久？');
    await answered(page);
    proxy.cut();
    await page.locator('.trouble').waitFor();
    await menu(page, '更多', '结束对话', '结束');
    await page.locator('.trouble', { hasText: '您结束的对话会在网络恢复后关闭。' }).waitFor();
    proxy.mend();
    await page.locator('.note', { hasText: '对话已结束' }).waitFor();
    page.problems();
  });

  test('what is refused is said in the visitor’s language, and stands at its message', async () => {
    const tell = { rate_limited: 56_712, storage_failed: 2_000, something_new: 0 };
    for (const [lang, said, code] of [
      ['en', 'Not sent: That was a lot at once.', 'rate_limited'],
      ['zh', '未发送：服务器暂时无法保存。', 'storage_failed'],
      ['en', 'Not sent: the words of a later server', 'something_new'],
    ]) {
      const context = await browser.newContext();
      const page = await context.newPage();
      await page.routeWebSocket(/\/v1\/chat$/, (socket) => {
        const far = socket.connectToServer();
        socket.onMessage((frame) => {
          const { type, id } = JSON.parse(frame);
          if (type !== 'message') return far.send(frame);
          socket.send(JSON.stringify({ type: 'error', code, message: 'the words of a later server', id, ...(tell[code] ? { retry_after_ms: tell[code] } : {}) }));
        });
      });
      if (process.env.FRONTDESK_DIST) await fromFolder(context, process.env.FRONTDESK_DIST);
      await page.goto(`${server.url}/demo?lang=${lang}`);
      await page.getByRole('button', { name: /^(Open chat|打开聊天)/ }).click();
      await say(page, 'A rather long message that fills more than one line of the chat, so that its bubble has a width of its own.');
      const fate = page.locator('.fate', { hasText: said });
      await fate.waitFor();
      assert.doesNotMatch(await fate.innerText(), / ms/);
      const [bubble, words] = [await page.locator('.said .bubble').boundingBox(), await fate.boundingBox()];
      assert.ok(Math.abs(bubble.x + bubble.width - words.x - words.width) < 1, JSON.stringify([bubble, words]));
      await accessible(page);
      await shot(page, `widget-refused-${code}`);
    }
  });

  test('a half-typed question outlives a reload, and goes once it is sent or ended', async () => {
    const page = await chat();
    const box = page.locator('.box textarea');
    const kept = () => page.evaluate(() => sessionStorage.getItem('frontdesk:default:begun'));
    await box.fill('How long does standard deliv');
    await page.reload();
    await page.waitForFunction(() => document.querySelector('frontdesk-chat')?.shadowRoot.querySelector('.box textarea')?.value === 'How long does standard deliv');
    await box.press('End');
    await page.keyboard.type('ery take?');
    await page.keyboard.press('Enter');
    await answered(page);
    assert.equal(await kept(), null);
    await box.fill('And another thing');
    assert.notEqual(await kept(), null);
    await menu(page, 'More', 'End conversation', 'End it');
    await page.locator('.note', { hasText: 'This conversation has ended' }).waitFor();
    assert.equal(await kept(), null);
    assert.equal(await box.inputValue(), '');
    page.problems();
  });

  test('where people answer, the heading says whether somebody is there', async () => {
    const site = await openPage(browser, `${server.url}/demo`);
    await site.waitForFunction(() => window.frontdesk?.localName);
    await site.evaluate(() => {
      window.frontdesk.destroy();
      const own = document.createElement('frontdesk-chat');
      own.setAttribute('site', 'repairs');
      document.body.append(own);
    });
    await site.getByRole('button', { name: 'Open chat' }).click();
    const status = site.locator('.status');
    await site.locator('.status', { hasText: 'Away, answers later' }).waitFor();
    assert.equal(await status.getAttribute('data-state'), 'away');
    await accessible(site);
    await shot(site, 'widget-away');
    const mara = await signIn(browser, server.url, 'mara');
    await mara.click('.rail-me');
    await mara.getByRole('menuitemradio', { name: 'Hollin & Pike Repairs' }).click();
    await say(site, 'What does the repair of a tent pole cost?');
    await site.locator('.banner', { hasText: /next in line/ }).waitFor();
    await site.locator('.status', { hasText: 'People answer here' }).waitFor();
    assert.equal(await status.getAttribute('data-state'), 'online');
    mara.problems();
    site.problems();
  });
});

describe('for every reader', () => {
  for (const colorScheme of ['light', 'dark']) {
    test(`hints in fields can be read, ${colorScheme}`, async () => {
      const page = await chat(`${server.url}/demo`, { colorScheme });
      await say(page, 'How long does standard delivery take?');
      await answered(page);
      await page.getByRole('button', { name: 'Not helpful' }).click();
      await page.locator('.why textarea').waitFor();
      const contrasts = await page.evaluate(() => {
        const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
        const rgb = (colour, under) => {
          canvas.fillStyle = under ?? '#fff';
          canvas.fillRect(0, 0, 1, 1);
          canvas.fillStyle = colour;
          canvas.fillRect(0, 0, 1, 1);
          return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
        };
        const luminance = (c) => c.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
        const css = (c) => `rgb(${c.join(' ')})`;
        const behind = (node) => {
          const chain = [];
          for (let at = node; at; at = at.parentElement ?? at.getRootNode().host) chain.unshift(getComputedStyle(at).backgroundColor);
          return chain.reduce((under, colour) => rgb(colour, css(under)), [255, 255, 255]);
        };
        return [...document.querySelector('frontdesk-chat').shadowRoot.querySelectorAll('textarea')].map((box) => {
          const under = behind(box);
          const style = getComputedStyle(box, '::placeholder');
          const [a, b] = [luminance(rgb(style.color, css(under))), luminance(under)].sort((x, y) => y - x);
          return { of: box.placeholder, ratio: (a + 0.05) / (b + 0.05), opacity: style.opacity };
        });
      });
      assert.equal(contrasts.length, 2);
      for (const { of, ratio, opacity } of contrasts) assert.ok(ratio >= 4.5 && opacity === '1', `${of}: ${ratio}, ${opacity}`);
      await shot(page, `widget-why-${colorScheme}`);
      page.problems();
    });
  }

  test('times read as they are said on a page from right to left, and two announcements at once are both there', async () => {
    const page = await chat(`${server.url}/demo?dir=rtl`);
    await page.evaluate(() => document.querySelector('frontdesk-chat').setAttribute('dir', 'rtl'));
    await say(page, 'How long does standard delivery take?');
    await answered(page);
    const time = page.locator('.log time.when').first();
    assert.equal(await time.evaluate((node) => getComputedStyle(node).direction), 'ltr');
    // Asking for a person says two things: that it was asked, and where one stands in line.
    await page.locator('.under').getByRole('button', { name: 'Talk to a person' }).click();
    await page.locator('.banner').waitFor();
    await page.waitForFunction(() => document.querySelector('frontdesk-chat').shadowRoot.querySelectorAll('.unseen[role=status] p').length >= 2);
    const spoken = await page.locator('.unseen[role=status] p').allInnerTexts();
    assert.ok(spoken.some((text) => text.includes('You asked for a person')) && spoken.some((text) => text.includes('Nobody is there')), spoken.join(' | '));
    await shot(page, 'widget-rtl');
    page.problems();
  });
});
