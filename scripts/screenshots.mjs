// Makes the pictures of docs/screenshots anew (but for insight's own page): `FRONTDESK_BIN=… node
// scripts/screenshots.mjs FOLDER`. The real binary with the default models over the sample shop,
// Debian's Chromium, and a story that shows each state once.

import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

import { ROOT, account, answered, decide, open, openPage, say, sessionOf, signIn, startBrowser, startProxy, startServer, writeRepairs } from '../tests/browser/support.mjs';

const folder = path.resolve(process.argv[2] ?? path.join(ROOT, 'docs/screenshots'));
/** `widget` or `desk` makes one half alone. */
const only = process.argv[3];
await mkdir(folder, { recursive: true });
const cache = process.env.FRONTDESK_CACHE ?? path.join(os.homedir(), '.cache/frontdesk');
const proxy = await startProxy();
const repairs = await mkdtemp(path.join(os.tmpdir(), 'frontdesk-repairs-'));
await writeRepairs(repairs);

const SITE = `
contact = "help@shop.example"
[sites.recommend]
enabled = true
holdout = 0.0
[sites.widget]
greeting = "Hello! Ask me about sizes, shipping, returns, or which tent to take."
quick_replies = ["How long does shipping take?", "Can I return boots I wore?", "Which tent for two?"]
privacy_url = "https://shop.example/privacy"
link_hosts = ["shop.example"]
[sites.widget.translations.zh]
greeting = "您好！可以问我尺码、配送、退货，或者该选哪顶帐篷。"
quick_replies = ["配送需要多久？", "保修多长时间？"]
[[sites.widget.proactive]]
path = "/demo"
after_s = 0
text = "Not sure which tent? I can compare them."
[[sites]]
id = "repairs"
name = "Hollin & Pike Repairs"
answers = "suggest"
knowledge = ${JSON.stringify(repairs)}
[sites.widget]
greeting = "Hello! Tell us what broke."
`;

const server = await startServer({
  options: {
    server: { public_origins: [proxy.url] },
    llm: { engine: 'llama', model: path.join(cache, 'models/smollm2-135m-instruct-q4_0.gguf') },
    console: { auto_routing: false },
  },
  site: SITE,
});
proxy.target = server.url;
const browser = await startBrowser();
await account(server, 'mara', 'Mara Lindqvist', { default: 'admin', repairs: 'agent' });
await account(server, 'jo', 'Jo Okafor', { default: 'agent' });
await account(server, 'nora', 'Nora Moreau', { default: 'agent' });

const shot = (page, name, options = {}) => page.screenshot({ path: path.join(folder, `${name}.png`), ...options });
/** The widget's corner of a wide page. */
const CORNER = { clip: { x: 640, y: 0, width: 460, height: 760 } };
const chat = async (address = '/demo', options = {}) => {
  const page = await openPage(browser, `${options.base ?? server.url}${address}`, { reducedMotion: 'reduce', ...options });
  await page.getByRole('button', { name: /^(Open chat|打开聊天)/ }).click();
  await page.getByRole('dialog').waitFor();
  await page.locator('.status[data-state="online"], .status[data-state="away"]').waitFor();
  // The button is not to look as if somebody pointed at it.
  await page.mouse.move(20, 20);
  return page;
};
const ask = async (page, text, n = 1) => { await say(page, text); await answered(page, n); };
const end = (page) => page.context().close();
const write = async (page, key, text) => {
  await page.keyboard.press(key);
  await page.waitForFunction(() => document.activeElement?.classList.contains('compose-text'));
  await page.keyboard.type(text);
  await page.keyboard.press('Enter');
  await page.keyboard.press('Escape');
};
const still = (page) => page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 400)));

async function alone() {
  // == The page at the root
  let page = await openPage(browser, server.url);
  await page.getByText('Connected', { exact: true }).waitFor();
  await page.getByLabel('Your message').fill('How long can I return unused items?');
  await page.keyboard.press('Enter');
  const first = page.locator('.answer:not(.writing)').last();
  await first.waitFor();
  await first.locator('[data-key="source-1"]').click();
  await still(page);
  await shot(page, 'page-answer');
  await end(page);

  // == The widget
  page = await openPage(browser, `${server.url}/demo`, { reducedMotion: 'reduce' });
  await page.locator('.teaser').waitFor();
  await shot(page, 'widget-closed', { clip: { x: 640, y: 420, width: 460, height: 340 } });
  await end(page);

  page = await chat();
  await shot(page, 'widget-greeting', CORNER);
  await page.getByRole('button', { name: 'How long does shipping take?' }).click();
  await answered(page);
  await page.locator('.chip').first().click();
  await page.locator('.scroll').evaluate((node) => node.scrollTo(0, node.scrollHeight));
  await still(page);
  await shot(page, 'widget-citation');
  await end(page);

  // An answer that is being written: what comes after its first half is held back.
  page = await openPage(browser, 'about:blank', { reducedMotion: 'reduce' });
  page.allow(server.url);
  let pieces = 0;
  await page.routeWebSocket(/\/v1\/chat$/, (socket) => {
    const far = socket.connectToServer();
    socket.onMessage((message) => far.send(message));
    far.onMessage((message) => {
      if (!/"answer\.(delta|done|citation)"/.test(message)) return socket.send(message);
      const frame = JSON.parse(message);
      if (frame.type !== 'answer.delta' || pieces++ > 0) return undefined;
      const words = frame.text.split(/(?<= )/);
      return socket.send(JSON.stringify({ ...frame, text: words.slice(0, Math.max(9, Math.ceil(words.length / 2))).join('').trimEnd() }));
    });
  });
  await page.goto(`${server.url}/demo`);
  await page.getByRole('button', { name: 'Open chat' }).click();
  await say(page, 'How do I wash a down sleeping bag?');
  await page.locator('.answer.writing .prose', { hasText: /\S/ }).waitFor();
  await still(page);
  await shot(page, 'widget-streaming', CORNER);
  await end(page);

  page = await chat();
  await ask(page, 'Which tent for two people do you have, and what does it cost?');
  await page.locator('.product').first().waitFor();
  await page.locator('.scroll').evaluate((node) => node.scrollTo(0, node.scrollHeight));
  await still(page);
  await shot(page, 'widget-products', CORNER);
  await end(page);

  page = await chat('/demo?theme=dark');
  await ask(page, 'How long can I return unused items?');
  await page.locator('.chip').first().click();
  await page.locator('.scroll').evaluate((node) => node.scrollTo(0, node.scrollHeight));
  await still(page);
  await shot(page, 'widget-dark', CORNER);
  await end(page);

  page = await chat('/demo?dir=rtl');
  await ask(page, 'How long does standard delivery take?');
  await still(page);
  await shot(page, 'widget-rtl', { clip: { x: 0, y: 0, width: 460, height: 760 } });
  await end(page);

  page = await chat('/demo?lang=zh');
  await ask(page, '你好');
  await still(page);
  await shot(page, 'widget-chinese', CORNER);
  await end(page);

  page = await chat('/demo', { viewport: { width: 390, height: 780 }, deviceScaleFactor: 1.5, isMobile: true, hasTouch: true });
  await ask(page, 'How long can I return unused items?');
  await still(page);
  await shot(page, 'widget-phone');
  await end(page);

  page = await chat('/demo', { base: proxy.url });
  await ask(page, 'What does express delivery within Ireland cost?');
  proxy.cut();
  await page.locator('.trouble:not([hidden])').waitFor();
  await say(page, 'And to the Aran Islands?');
  await page.locator('.said[data-state="waiting"]').waitFor();
  await still(page);
  await shot(page, 'widget-offline', CORNER);
  await end(page);

}

async function together() {
  let page;
  // == Both faces. First the inbox is filled: visitors who ask, and stay.
  const questions = [
    'Do you have a store in Dublin?', 'How do I dry my tent before storing it?', 'What volume do I need for a day walk?',
    'A zip slider broke, what does a new one cost?', 'Can I pay by invoice?', 'How do I store a down sleeping bag?',
    'What does it cost to rent snowshoes for a weekend?', 'Is the Ember Solo stove in stock?', 'How warm is the Hush 0 sleeping bag?',
  ];
  const others = [];
  for (const question of questions) {
    const other = await chat();
    await ask(other, question);
    others.push(other);
  }
  const mara = await signIn(browser, server.url, 'mara', { reducedMotion: 'reduce' });
  const jo = await signIn(browser, server.url, 'jo', { reducedMotion: 'reduce' });

  const second = await chat();
  const visitor = await chat();
  await ask(visitor, 'Is the Tarn 2 tent in stock, and what does it cost?');
  await visitor.locator('.verdict button').first().click();
  await ask(visitor, 'How long does standard delivery take?', 2);
  await visitor.locator('.under').getByRole('button', { name: 'Talk to a person' }).click();
  await visitor.locator('.banner').waitFor();
  await ask(second, 'My tent pole broke on the second night.');
  await second.locator('.under').getByRole('button', { name: 'Talk to a person' }).click();
  await second.locator('.banner', { hasText: 'number 2' }).waitFor();
  await second.locator('.scroll').evaluate((node) => node.scrollTo(0, node.scrollHeight));
  await still(second);
  await shot(second, 'widget-queue', CORNER);

  const session = await sessionOf(visitor);
  await open(mara, session);
  await open(jo, session);
  await mara.keyboard.press('t');
  await mara.waitForSelector('.pill-agent');
  await write(jo, 'n', 'They also asked about **the Corrie backpack** last week.');
  await write(mara, 'r', 'Hello, this is Mara. I have just looked: there are some left, and one is set aside for you until tonight.');
  await visitor.locator('.agent').first().waitFor();
  await say(visitor, 'Thank you! And if the tent leaks after a year, does the warranty cover that?');
  await mara.waitForSelector('.draft.is-ready .source-chip');
  // A message and a person who types, on either side.
  await mara.keyboard.press('r');
  await mara.waitForFunction(() => document.activeElement?.classList.contains('compose-text'));
  await mara.keyboard.type('Yes');
  await visitor.locator('.types').waitFor();
  await visitor.locator('.scroll').evaluate((node) => node.scrollTo(0, node.scrollHeight));
  await still(visitor);
  await shot(visitor, 'widget-agent', CORNER);
  await mara.keyboard.press('ControlOrMeta+a');
  await mara.keyboard.press('Delete');
  await mara.keyboard.press('Escape');
  // Others whom Mara holds, with something unread.
  for (const at of [6, 7]) {
    const held = await sessionOf(others[at]);
    await open(mara, held);
    await mara.keyboard.press('t');
    await mara.waitForSelector('.talk-head .pill-agent');
  }
  await open(mara, session);
  await say(others[7], 'Can you keep one for me?');
  await mara.locator('.rail .badge, .rail-badge, .count-badge').first().waitFor({ timeout: 3_000 }).catch(() => {});
  await others[7].locator('.box textarea').pressSequentially('I could come');
  await mara.waitForSelector('.draft.is-ready .source-chip');
  await mara.locator('.row-preview.is-typing').waitFor();
  await still(mara);
  await shot(mara, 'console-conversation');
  await mara.keyboard.press('?');
  await mara.waitForSelector('dialog[open]');
  await still(mara);
  await shot(mara, 'console-shortcuts');
  await mara.keyboard.press('Escape');
  await mara.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
  await still(mara);
  await shot(mara, 'console-dark');
  await mara.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
  await mara.setViewportSize({ width: 834, height: 1112 });
  await still(mara);
  if (await mara.locator('.details').isVisible()) await mara.keyboard.press('i');
  await still(mara);
  await shot(mara, 'console-tablet');
  await mara.setViewportSize({ width: 1200, height: 750 });

  // Drafts that were decided, for the figures.
  await mara.keyboard.press('s');
  await mara.waitForFunction(() => document.querySelector('.draft.is-ready') === null);
  await decide(visitor, mara, 'What does express delivery within Ireland cost?', 'edit');
  await decide(visitor, mara, 'How long can unused items be returned?', 'send');
  await decide(visitor, mara, 'How do I wash a down sleeping bag?', 'reject');
  await open(jo, await sessionOf(second), 'waiting');
  await jo.keyboard.press('t');
  await jo.waitForSelector('.talk-head .pill-agent');
  await write(jo, 'r', 'Hello, Jo here. I will have a new pole sent to you today.');
  await mara.click('a[href="/console/statistics"]');
  await mara.waitForSelector('.figures');
  await still(mara);
  await shot(mara, 'console-statistics');
  await mara.click('a[href="/console/team"]');
  await mara.waitForFunction(() => document.querySelector('#main table, #main .people, #main li') && !document.querySelector('.spinner'));
  await still(mara);
  await shot(mara, 'console-team');

  // A gap, and the article that closes it.
  await mara.click('a[href="/console/gaps"]');
  const gap = mara.getByRole('button', { name: /rent snowshoes/ });
  await gap.waitFor();
  await gap.click();
  await mara.getByLabel('Title').fill('Snowshoe rental');
  await mara.getByLabel('Article', { exact: true }).fill('We rent out snowshoes for a weekend. A pair costs 18 EUR, poles included.\n\n- Collect them on Friday from 15:00.\n- Bring them back by Monday noon.');
  await mara.getByRole('button', { name: 'Publish and try' }).click();
  await mara.locator('.gap-answer').waitFor();
  await still(mara);
  await shot(mara, 'console-gaps');

  // Where a visitor came from.
  const guest = await openPage(browser, 'about:blank', { reducedMotion: 'reduce' });
  guest.allow(server.url);
  await guest.goto(`${server.url}/demo?utm_source=letter&utm_campaign=spring-tents`, { referer: 'https://blog.example/best-tents' });
  await guest.waitForFunction(() => window.frontdesk?.localName === 'frontdesk-chat');
  await guest.evaluate(() => window.frontdesk.identify({ attributes: { consent: true, values: { tier: 'gold', cart_value: 129.5 } } }));
  await guest.getByRole('button', { name: /^Open chat/ }).click();
  await ask(guest, 'How long does standard delivery take?');
  await guest.evaluate(() => window.frontdesk.end());
  await guest.locator('.note', { hasText: 'This conversation has ended' }).waitFor();
  await ask(guest, 'Wie lange dauert die Lieferung nach Deutschland, und was kostet sie?', 2);
  await mara.click('a[href="/console"]');
  await open(mara, await sessionOf(guest));
  if (!(await mara.locator('.details').isVisible())) await mara.keyboard.press('i');
  await mara.locator('.details').getByText('spring-tents · letter').waitFor();
  await still(mara);
  await shot(mara, 'console-visitor');

  // In Chinese, on a phone, at the door.
  page = await signIn(browser, server.url, 'mara', { viewport: { width: 1200, height: 750 }, locale: 'zh-CN', reducedMotion: 'reduce' });
  await page.click('#tab-all');
  await page.click(`[id="row-${session}"]`);
  await page.waitForSelector('.composer');
  await still(page);
  await shot(page, 'console-chinese');
  await end(page);

  page = await signIn(browser, server.url, 'mara', { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true, reducedMotion: 'reduce' });
  await page.locator('#tab-all').tap();
  await page.locator(`[id="row-${session}"]`).tap();
  await page.waitForSelector('.composer');
  await say(visitor, 'How do I care for a down sleeping bag?');
  await page.waitForSelector('.draft.is-ready .source-chip');
  await still(page);
  await shot(page, 'console-phone');
  await end(page);

  page = await openPage(browser, `${server.url}/console`, { viewport: { width: 1280, height: 800 } });
  await page.waitForSelector('.sign-in-card');
  await still(page);
  await shot(page, 'console-sign-in');
  await end(page);

  // Where nothing is sent without a person.
  page = await openPage(browser, `${server.url}/demo`, { viewport: { width: 1100, height: 740 }, reducedMotion: 'reduce' });
  await page.evaluate(() => { document.querySelector('frontdesk-chat')?.remove(); });
  await page.evaluate(() => {
    const one = document.createElement('frontdesk-chat');
    one.setAttribute('site', 'repairs');
    document.body.append(one);
  });
  await page.getByRole('button', { name: /^Open chat/ }).click();
  await page.getByRole('dialog').waitFor();
  await say(page, 'What does the repair of a tent pole cost?');
  await page.locator('.banner').waitFor();
  await still(page);
  await shot(page, 'widget-people', { clip: { x: 620, y: 0, width: 480, height: 740 } });
}

try {
  if (only !== 'desk') await alone();
  if (only !== 'widget') await together();
} finally {
  await browser.close();
  proxy.stop();
  await server.stop();
  await rm(repairs, { recursive: true, force: true });
}
