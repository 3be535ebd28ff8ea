// The console in a browser, against the real binary: what an agent sees and does, and what the
// visitor sees of it.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';

import { accessible, account, openPage, PASSWORD, scrollInbox, shot, signIn as enter, startBrowser, startProxy, startServer } from './support.mjs';

/** A word takes this long, so that an answer can be cut in its middle. */
const TOKEN_MS = 20;

let server;
let browser;
/** A way to the server that can be cut. */
let proxy;
const visitors = new Set();

/** A visitor: a socket of a page of the server's own, with verbs that wait for a message. */
async function visit(url = server.url) {
  const page = await openPage(browser, `${url}/livez`);
  await page.evaluate(() => new Promise((resolve) => {
    window.heard = [];
    window.socket = new WebSocket(`${location.origin.replace('http', 'ws')}/v1/chat`);
    window.socket.onopen = () => window.socket.send(JSON.stringify({ type: 'hello', site: 'default' }));
    window.socket.onmessage = ({ data }) => {
      window.heard.push(JSON.parse(data));
      if (window.heard.length === 1) resolve();
    };
  }));
  let n = 0;
  const visitor = {
    page,
    session: await page.evaluate(() => window.heard[0].session),
    send: (message) => page.evaluate((text) => window.socket.send(text), JSON.stringify(message)),
    say: (text) => visitor.send({ type: 'message', id: `m${(n += 1)}`, text }),
    heard: (type) => page.evaluate((type) => window.heard.filter((one) => one.type === type), type),
    /** The first message of this type, from number `from` on. */
    async hears(type, from = 0) {
      await page.waitForFunction(([type, from]) => window.heard.filter((one) => one.type === type).length > from, [type, from]);
      return (await visitor.heard(type))[from];
    },
  };
  visitors.add(visitor);
  return visitor;
}

const signIn = (login, { url = server.url, ...options } = {}) => enter(browser, url, login, options);

/** Opens a conversation by its row, as a reader finds it: the list, then the row. */
async function open(page, session, list = 'all') {
  await page.click(`#tab-${list}`);
  await page.click(`[id="row-${session}"]`);
  await page.waitForSelector('.talk-head');
}

const rowOf = (page, session) => page.locator(`[id="row-${session}"]`);

before(async () => {
  proxy = await startProxy();
  [server, browser] = await Promise.all([
    startServer({ options: { server: { public_origins: [proxy.url] }, llm: { scripted_token_ms: TOKEN_MS }, answers: { mode: 'generate' }, console: { vanish_s: 2 } } }),
    startBrowser(),
  ]);
  proxy.target = server.url;
  await account(server, 'mara', 'Mara Lindqvist', { default: 'admin' });
  await account(server, 'jo', 'Jo Okafor', { default: 'agent' });
});

// No conversation and no agent of one test is there in the next.
afterEach(async () => {
  for (const visitor of visitors) {
    await visitor.send({ type: 'end' });
    await visitor.hears('ended');
  }
  visitors.clear();
  await Promise.all(browser.contexts().map((context) => context.close()));
});

after(async () => {
  await browser?.close();
  proxy?.stop();
  await server?.stop();
});

describe('signing in', () => {
  test('a wrong password is told, a right one leads to the inbox, signing out ends it', async () => {
    const page = await openPage(browser, `${server.url}/console`);
    await page.waitForSelector('.sign-in-card');
    await accessible(page);
    await page.fill('input[name=login]', 'mara');
    await page.fill('input[name=password]', 'not this one at all');
    await page.click('button[type=submit]');
    await page.waitForSelector('.problem:not(:empty)');
    assert.match(await page.textContent('.problem'), /wrong/);
    await shot(page, 'console-sign-in');
    await page.fill('input[name=password]', PASSWORD);
    await page.click('button[type=submit]');
    await page.waitForSelector('.list-tabs');
    await page.reload();
    await page.waitForSelector('.list-tabs');
    await page.click('.rail-me');
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await page.waitForSelector('.sign-in-card');
    await page.reload();
    await page.waitForSelector('.sign-in-card');
    page.problems();
  });

  test('the page is served under a strict policy', async () => {
    for (const path of ['/console', '/console/team', '/console/c/abc', '/console/console.js', '/console/console.css']) {
      const response = await fetch(server.url + path);
      assert.equal(response.status, 200, path);
      const policy = response.headers.get('content-security-policy');
      assert.match(policy, /default-src 'none'/);
      assert.doesNotMatch(policy, /unsafe|\*/);
    }
  });
});

/** Waits until keys go into the reply or note. */
const writing = (page) => page.waitForFunction(() => document.activeElement?.classList.contains('compose-text'));

describe('a conversation', () => {
  test('takeover in the middle of an answer, a draft that is edited and sent, and giving back', async () => {
    const visitor = await visit();
    const page = await signIn('mara');
    await visitor.say('How long does standard delivery take?');
    await page.click('#tab-all');
    await rowOf(page, visitor.session).click();
    await page.waitForSelector('.by-model .prose.writing');
    await visitor.hears('answer.delta', 2);

    // One key, and the model stops.
    await page.keyboard.press('t');
    await page.waitForSelector('.pill-agent');
    const done = await visitor.hears('answer.done');
    assert.equal(done.end, 'taken_over');
    const deltas = (await visitor.heard('answer.delta')).length;
    assert.equal((await visitor.hears('agent.joined')).name, 'Mara Lindqvist');
    assert.match(await page.textContent('.by-model .item-foot'), /took over/);

    // The next message is drafted for the agent, with its sources, and nothing of it reaches the
    // visitor.
    await visitor.say('What does express delivery within Ireland cost?');
    await page.waitForSelector('.draft.is-writing .prose');
    await page.waitForSelector('.draft.is-ready .source-chip', { timeout: 60_000 });
    await page.waitForSelector('.passage.is-cited mark');
    await accessible(page);
    await shot(page, 'console-draft');
    assert.equal((await visitor.heard('answer.delta')).length, deltas, 'no word of the model after the takeover');

    await page.keyboard.press('e');
    await page.waitForFunction(() => document.activeElement?.classList.contains('compose-text') && document.activeElement.value !== '');
    await page.keyboard.type(' Best, Mara');
    await page.keyboard.press('Enter');
    const said = await visitor.hears('agent.message');
    assert.match(said.text, / Best, Mara$/);
    await page.locator('.by-agent .item-foot', { hasText: /From the draft, \d+% changed/ }).waitFor();
    assert.equal(await page.locator('.draft').count(), 0);

    // The same key gives it back, and the assistant answers again.
    await page.keyboard.press('Escape');
    await page.keyboard.press('t');
    await visitor.hears('agent.left');
    await page.waitForSelector('.pill-model');
    await visitor.say('Which sizes does the Corrie backpack come in?');
    await visitor.hears('answer.delta', deltas);
    page.problems();
  });

  test('a draft is rejected with a reason, rewritten, and counted', async () => {
    const visitor = await visit();
    const page = await signIn('mara');
    await visitor.say('[[say Returns are free within 60 days.]] Can I return a tent?');
    await open(page, visitor.session);
    await page.keyboard.press('t');
    await page.waitForSelector('.pill-agent');
    await visitor.say('How do I wash a down sleeping bag?');
    await page.waitForSelector('.draft.is-ready');
    await page.keyboard.press('h');
    await page.waitForSelector('.versions');
    await page.waitForSelector('.draft.is-ready');
    assert.match(await page.textContent('.draft-head'), /2\/2/);
    await page.keyboard.press('x');
    await page.waitForSelector('dialog[open]');
    await accessible(page);
    await page.getByRole('button', { name: 'Incomplete' }).click();
    await page.waitForSelector('.line.is-inner');
    assert.match(await page.textContent('.line.is-inner'), /Incomplete/);
    await page.click('a[href="/console/statistics"]');
    await page.waitForSelector('.bars');
    assert.match(await page.textContent('.page'), /Incomplete/);
    await accessible(page);
    page.problems();
  });

  test('what is hostile stays text', async () => {
    const visitor = await visit();
    const page = await signIn('mara');
    await visitor.say('<img src=x onerror=alert(1)> [click](javascript:alert(1)) **bold** https://evil.example/ ');
    await open(page, visitor.session);
    await page.waitForSelector('.from-visitor .prose');
    assert.equal(await page.locator('.transcript :is(img, script, iframe, a)').count(), 0);
    assert.match(await page.textContent('.from-visitor .prose'), /<img src=x onerror=alert\(1\)>/);
    assert.equal(await page.locator('.from-visitor .prose strong').count(), 1);
    page.problems();
  });

  test('a visitor who wants a person stands in line and is taken with one key', async () => {
    const visitor = await visit();
    await visitor.say('Hello there');
    await visitor.hears('answer.done');
    const page = await signIn('jo');
    // Whoever is away is given nothing, so that the visitor stays in line.
    await page.keyboard.press('a');
    await page.waitForSelector('.rail-me .presence.away');
    await visitor.send({ type: 'human' });
    await visitor.hears('handoff');
    await page.click('#tab-waiting');
    await page.waitForSelector('.row .pill-wait');
    await page.waitForSelector('.rail-badge');
    assert.match(await page.title(), /^\(\d+\)/);
    await page.keyboard.press('g');
    await page.waitForSelector('.pill-agent');
    assert.equal((await visitor.hears('agent.joined')).name, 'Jo Okafor');
    await page.keyboard.press('a');
    await page.waitForSelector('.rail-me .presence.online');
    page.problems();
  });
});

describe('several consoles', () => {
  test('two agents: one holds, the other sees it live and can only note', async () => {
    const visitor = await visit();
    const [mara, jo] = [await signIn('mara'), await signIn('jo')];
    await visitor.say('Is anybody there?');
    await open(mara, visitor.session);
    await open(jo, visitor.session);
    await mara.waitForSelector('.talk-head .row-watchers');
    assert.match(await mara.textContent('.talk-head .row-watchers'), /Jo Okafor/);
    await mara.keyboard.press('t');
    await jo.waitForSelector('.composer-why');
    assert.match(await jo.textContent('.composer-why'), /Mara Lindqvist holds/);
    assert.equal(await jo.isDisabled('.talk-actions .is-primary'), true);
    await jo.keyboard.press('n');
    await writing(jo);
    await jo.keyboard.type('They called yesterday, too.');
    await jo.keyboard.press('Enter');
    await mara.waitForSelector('.note');
    assert.match(await mara.textContent('.note'), /called yesterday/);
    await mara.keyboard.press('r');
    await writing(mara);
    await mara.keyboard.type('Yes, I am here.');
    await mara.keyboard.press('Enter');
    await jo.waitForSelector('.by-agent');
    assert.match(await jo.textContent('.by-agent'), /Yes, I am here/);
    const heard = await visitor.page.evaluate(() => JSON.stringify(window.heard));
    assert.match(heard, /Yes, I am here/);
    assert.doesNotMatch(heard, /called yesterday/, 'a note is no word to the visitor');
    mara.problems();
    jo.problems();
  });

  test('two tabs of one agent share what was read', async () => {
    const visitor = await visit();
    const first = await signIn('mara');
    const second = await first.context().newPage();
    await second.goto(`${server.url}/console`);
    await visitor.say('A question for two tabs');
    await open(first, visitor.session);
    await first.keyboard.press('t');
    await second.click('#tab-mine');
    await rowOf(second, visitor.session).waitFor();
    await rowOf(second, visitor.session).locator('.row-in:not(.is-unread)').waitFor();
    // With the conversation closed in the first tab, the next message is unread in both until one
    // of them opens it.
    await first.click('a[href="/console/search"]');
    await visitor.say('And another one');
    await rowOf(second, visitor.session).locator('.is-unread').waitFor();
    await first.click('a[href="/console"]');
    await open(first, visitor.session, 'mine');
    await rowOf(second, visitor.session).locator('.row-in:not(.is-unread)').waitFor();
    first.problems();
  });

  test('a lost connection is told, and what happened meanwhile arrives once', async () => {
    const visitor = await visit();
    await visitor.say('Does the Glint head torch charge by USB?');
    await visitor.hears('answer.started');
    const page = await signIn('mara', { url: proxy.url });
    await open(page, visitor.session);
    await page.waitForSelector('.from-visitor');
    proxy.cut();
    await page.waitForSelector('.connection');
    await visitor.say('Still there?');
    await visitor.hears('ack', 1);
    proxy.mend();
    await page.getByRole('button', { name: 'Try now' }).click({ timeout: 2_000 }).catch(() => {});
    await page.waitForFunction(() => document.querySelectorAll('.from-visitor').length === 2);
    await page.waitForFunction(() => document.querySelector('.connection') === null);
    assert.deepEqual(await page.locator('.from-visitor .prose').allTextContents(), ['Does the Glint head torch charge by USB?', 'Still there?']);
    page.problems();
  });
});

describe('by keyboard alone', () => {
  test('from signing in to a reply with a canned text', async () => {
    const visitor = await visit();
    await visitor.say('Keyboard question');
    const page = await signIn('jo');
    await page.keyboard.press('3');
    await page.keyboard.press('j');
    await page.waitForSelector('.talk-head');
    const wanted = visitor.session;
    for (let n = 0; n < 30 && !page.url().endsWith(wanted); n += 1) await page.keyboard.press('j');
    for (let n = 0; n < 30 && !page.url().endsWith(wanted); n += 1) await page.keyboard.press('k');
    assert.ok(page.url().endsWith(wanted));
    await page.keyboard.press('t');
    await page.waitForSelector('.pill-agent');
    await page.keyboard.press('?');
    await page.waitForSelector('dialog[open]');
    await accessible(page);
    await shot(page, 'console-shortcuts');
    await page.keyboard.press('Escape');
    await page.waitForFunction(() => document.querySelector('dialog[open]') === null);
    await page.keyboard.press('r');
    await writing(page);
    await page.keyboard.type('Thank you /');
    await page.waitForSelector('.canned-pop');
    await page.keyboard.press('Escape');
    await page.keyboard.press('Backspace');
    await page.keyboard.type('for asking.');
    await page.keyboard.press('Enter');
    assert.equal((await visitor.hears('agent.message')).text, 'Thank you for asking.');
    await page.keyboard.press('Escape');
    await page.keyboard.press('i');
    await page.keyboard.press('t');
    await visitor.hears('agent.left');

    // Everything that can be reached by Tab shows that it is reached.
    await page.keyboard.press('/');
    await page.waitForFunction(() => document.activeElement?.closest('.search-bar'));
    await page.keyboard.type('keyboard');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.found-link mark');
    await accessible(page);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    assert.ok(await page.evaluate(() => document.activeElement.closest('.found-link, .search-bar') !== null));
    page.problems();
  });

  test('single keys can be switched off, and then work with Alt', async () => {
    const page = await signIn('jo');
    await page.keyboard.press('?');
    await page.waitForSelector('dialog[open]');
    await page.click('.switch-line input');
    await page.keyboard.press('Escape');
    await page.keyboard.press('/');
    assert.equal(await page.locator('.search-bar').count(), 0);
    await page.keyboard.press('Alt+4');
    await page.waitForSelector('#tab-ended[aria-selected=true]');
  });
});

describe('other pages', () => {
  test('canned replies are made, used and removed', async () => {
    const page = await signIn('mara', { path: '/console/canned' });
    await page.getByRole('button', { name: 'New canned reply' }).click();
    await accessible(page);
    await page.getByLabel('Shortcut').fill('label');
    await page.getByLabel('Title', { exact: true }).fill('Return label');
    await page.getByLabel('Text', { exact: true }).fill('The label is on its way to your e-mail address.');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.waitForSelector('.canned-card');
    await accessible(page);
    const visitor = await visit();
    await visitor.say('I need a label');
    await page.click('a[href="/console"]');
    await open(page, visitor.session);
    await page.keyboard.press('r');
    await writing(page);
    await page.keyboard.type('/lab');
    await page.waitForSelector('.canned-option');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Enter');
    assert.equal((await visitor.hears('agent.message')).text, 'The label is on its way to your e-mail address.');
    await page.keyboard.press('Escape');
    await page.click('a[href="/console/canned"]');
    await page.getByRole('button', { name: 'Remove: Return label' }).click();
    await page.getByRole('button', { name: 'Remove', exact: true }).click();
    await page.waitForSelector('.empty');
    page.problems();
  });

  test('an admin adds an agent, changes the role, and removes them; an agent can do none of it', async () => {
    const page = await signIn('mara', { path: '/console/team' });
    await page.waitForSelector('tbody tr');
    await accessible(page);
    await page.getByRole('button', { name: 'Add agent' }).click();
    await page.getByLabel('Name', { exact: true }).fill('Wei Chen');
    await page.getByLabel('User name').fill('wei');
    await page.getByLabel('Password').fill(PASSWORD);
    await accessible(page);
    await page.locator('dialog button[type=submit]').click();
    await page.getByRole('row', { name: /Wei Chen/ }).waitFor();
    await shot(page, 'console-team');
    await page.getByLabel('Role: Wei Chen').selectOption('admin');
    await page.waitForSelector('.toast-good');
    // The admin chose the password, so the agent replaces it first of all.
    const other = await openPage(browser, server.url, { viewport: { width: 1440, height: 900 } });
    await other.goto(`${server.url}/console/team`);
    await other.fill('input[name=login]', 'wei');
    await other.fill('input[name=password]', PASSWORD);
    await other.keyboard.press('Enter');
    await other.getByLabel('Current password').fill(PASSWORD);
    await other.getByLabel('New password').fill('a better battery staple');
    await accessible(other);
    await shot(other, 'console-first-password');
    await other.getByRole('button', { name: 'Change password' }).click();
    await other.getByRole('button', { name: 'Add agent' }).waitFor();
    await page.getByRole('button', { name: 'Remove: Wei Chen' }).click();
    await page.getByRole('button', { name: 'Remove', exact: true }).click();
    await other.waitForSelector('.sign-in-card');
    await page.waitForFunction(() => !document.querySelector('.table')?.textContent.includes('Wei Chen'));
    const jo = await signIn('jo', { path: '/console/team' });
    await jo.waitForSelector('tbody tr');
    assert.equal(await jo.getByRole('button', { name: 'Add agent' }).count(), 0);
    page.problems();
  });

  test('every page stands up to axe, in light and dark, wide and narrow', async () => {
    const page = await signIn('mara');
    const visitor = await visit();
    await visitor.say('Is the Tarn tent good in wind?');
    await visitor.hears('answer.done');
    await open(page, visitor.session);
    for (const theme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
      for (const path of [`/console/c/${visitor.session}`, '/console', '/console/search', '/console/gaps', '/console/canned', '/console/statistics', '/console/team']) {
        await page.goto(server.url + path);
        await page.waitForSelector('#main');
        await page.waitForFunction(() => document.querySelector('.spinner') === null);
        await accessible(page);
      }
    }
    await page.click('.rail-me');
    await page.waitForSelector('.menu');
    await accessible(page);
    await page.getByRole('menuitem', { name: 'Account and settings' }).click();
    await page.waitForSelector('dialog[open]');
    await accessible(page);
    await page.keyboard.press('Escape');
    for (const viewport of [{ width: 1280, height: 800 }, { width: 1112, height: 834 }, { width: 834, height: 1112 }]) {
      await page.setViewportSize(viewport);
      await page.goto(`${server.url}/console/c/${visitor.session}`);
      await page.waitForSelector('.composer');
      await accessible(page);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing stands out at the side');
    }
    page.problems();
  });

  test('Chinese', async () => {
    const page = await signIn('jo', { locale: 'zh-CN' });
    assert.equal(await page.getAttribute('html', 'lang'), 'zh-Hans');
    assert.match(await page.textContent('#tab-waiting'), /等待中/);
    for (const path of ['/console', '/console/search', '/console/gaps', '/console/canned', '/console/statistics', '/console/team']) {
      await page.goto(server.url + path);
      await page.waitForSelector('#main');
      await page.waitForFunction(() => document.querySelector('.spinner') === null);
      // Names, ids, numbers and what visitors asked aside, nothing is left in English.
      const left = await page.evaluate(() => [...document.querySelectorAll('#main h1, #main h2, #main button, #main .empty, .rail-name')]
        .filter((node) => !node.querySelector('.gap-question') && !node.closest('.gap-head'))
        .map((node) => node.textContent.trim()).filter((text) => /[A-Za-z]{4,}/.test(text) && !/Jo Okafor|Mara|Visitor/.test(text)));
      assert.deepEqual(left, [], path);
      await accessible(page);
    }
    page.problems();
  });

  test('a thousand open conversations', async (t) => {
    const page = await openPage(browser, `${server.url}/console`, { viewport: { width: 1440, height: 900 } });
    const agent = { id: 'a_1', name: 'Mara' };
    const now = Date.now();
    const sessions = Array.from({ length: 1000 }, (_, n) => ({
      session: `s${String(n).padStart(4, '0')}`, channel: 'widget', visitor: `v${n}x`, started_at_ms: now - n * 1000, last_at_ms: now - n * 1000, last_seq: 3, ended: false,
      holder: { by: 'model' }, messages: 1, visitor_seq: 2, unanswered: false, preview: { by: 'visitor', text: `Question number ${n}` }, intent: 0.3, watchers: [], rev: n + 1,
    }));
    const counts = { mine: 0, waiting: 0, all: 1000, ended: 0 };
    // The server's part is played here: a thousand real conversations would measure the server, and
    // take minutes.
    await page.routeWebSocket(/\/v1\/console$/, (socket) => {
      const say = (message) => socket.send(JSON.stringify(message));
      socket.onMessage((text) => {
        const message = JSON.parse(text);
        if (message.type === 'hello') say({ type: 'welcome', agent, site: 'default', role: 'admin', boot: 'b', rev: 1000, reset: true, available: true, counts, presence: [], read: {} });
        if (message.type === 'inbox') say({ type: 'inbox', id: message.id, list: message.list, offset: message.offset, total: 1000, counts, rev: 1000, sessions: sessions.slice(message.offset, message.offset + message.limit) });
      });
      // Changes keep coming, as in a busy shop.
      let rev = 1000;
      const timer = setInterval(() => {
        const one = sessions[Math.floor((rev * 37) % 1000)];
        rev += 1;
        say({ type: 'session', session: { ...one, rev, last_at_ms: Date.now() }, counts });
      }, 20);
      socket.onClose(() => clearInterval(timer));
    });
    await page.fill('input[name=login]', 'mara');
    await page.fill('input[name=password]', PASSWORD);
    await page.keyboard.press('Enter');
    await page.click('#tab-all');
    await page.waitForSelector('.row');
    await page.waitForFunction(() => document.querySelector('.row')?.getAttribute('aria-setsize') === '1000');
    const frames = await scrollInbox(page);
    t.diagnostic(`frames while scrolling 1,000 rows at 380 px a frame, 50 changes a second: ${frames.told}`);
    assert.ok(frames.each < 12, `a frame takes ${frames.each} ms`);
    assert.ok(frames.most < 60, `${frames.most} rows are in the page`);
    assert.ok(frames.covered, 'a row stands where the list was scrolled to');
    await page.keyboard.press('f');
    await page.keyboard.type('number 777');
    await page.waitForFunction(() => document.querySelector('.row')?.getAttribute('aria-setsize') === '1');
    page.problems();
  });
});
