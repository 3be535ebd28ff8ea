// Hostile text: whatever visitors, models, agents or documents say becomes a closed set of nodes,
// whole or cut at any place.
//
// A few lines stand here (from the Big List of Naughty Strings, MIT, and of our own); the full sets
// are read from FRONTDESK_EVAL_DATA, or ../shared/data beside the checkout, where they are present.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { build } from 'esbuild';

import { ROOT, startBrowser } from './support.mjs';

const HOSTILE = [
  '<script>alert(123)</script>',
  '"><img src=x onerror=alert(1)>',
  '<svg onload=alert(1)>',
  '<a href="javascript:alert(1)">x</a>',
  '[click](javascript:alert(1)) [click](data:text/html,x) [click](https://evil.example/?q=secret)',
  '![picture](https://evil.example/pixel.png)',
  '[https://shop.example/pay](https://evil.example/pay)',
  'https://shop.example@evil.example/ and https://user:pass@shop.example/',
  'see https://shop.example/returns. And https://shop.example.evil.example/x',
  '**bold** *it* `code` ***x*** ** ** **a\nb** `**` [**](https://shop.example/)',
  '# Heading\n- one\n- two\n  more\n\n1. first\n2. second\n```html\n<script>alert(1)</script>\n```\nafter',
  '```\nnever closed <img src=x onerror=alert(1)>',
  '| a | <b>b</b> |\n| --- | --- |\n| ![x](https://evil.example/) | [x](javascript:alert(1)) |\n|x|\nafter | it |',
  '\u202Etxt.exe \u0000 \uFFFE \uD800 x \u{1F468}\u200D\u{1F469}\u200D\u{1F467} é',
  '*'.repeat(300) + '`'.repeat(301) + '['.repeat(300) + '](https://',
];

let browser;
let page;
const requests = [];

before(async () => {
  const entry = `export * from ${JSON.stringify(path.join(ROOT, 'web/shared/prose.ts'))};`;
  const { outputFiles } = await build({ stdin: { contents: entry, resolveDir: ROOT }, bundle: true, write: false, format: 'iife', globalName: 'prose', target: 'chrome111' });
  browser = await startBrowser();
  page = await browser.newPage();
  page.on('request', (request) => requests.push(request.url()));
  page.on('dialog', (dialog) => { requests.push(`dialog ${dialog.message()}`); void dialog.dismiss(); });
  await page.evaluate(outputFiles[0].text + ';window.prose = prose;');
});

after(() => browser?.close());

/** Renders every prefix one after the other into one container, as streaming does, and the whole into a fresh one, as history does. */
function check(texts, every = 1) {
  return page.evaluate(({ texts, every }) => {
    const { render, closed, allowedLinks } = window.prose;
    const links = allowedLinks(['https://cited.example/a'], ['shop.example']);
    const ALLOWED = { P: [], BR: [], UL: [], OL: ['start'], LI: [], STRONG: [], EM: [], CODE: [], PRE: [], TABLE: [], TR: [], TH: [], TD: [], A: ['href', 'target', 'rel'] };
    const problems = [];
    const inspect = (box, from) => {
      for (const node of box.querySelectorAll('*')) {
        const allowed = ALLOWED[node.tagName];
        if (!allowed) problems.push(`${node.tagName} from ${from}`);
        else for (const { name } of node.attributes) if (!allowed.includes(name)) problems.push(`${node.tagName} ${name} from ${from}`);
        if (node.tagName === 'A') {
          const url = new URL(node.href);
          if (url.protocol === 'mailto:') {
            if (node.href !== `mailto:${node.textContent}`) problems.push(`${node.textContent} writes to ${node.href}`);
            continue;
          }
          if (!['shop.example', 'cited.example'].includes(url.host) || url.username) problems.push(`a link to ${node.href} from ${from}`);
          if (/[./]/.test(node.textContent) && node.textContent !== node.getAttribute('href') && new URL(node.textContent, 'x:').href !== url.href) {
            problems.push(`a link that says ${node.textContent} to ${node.href}`);
          }
        }
      }
    };
    let cuts = 0;
    for (const text of texts) {
      const streamed = document.createElement('div');
      document.body.replaceChildren(streamed);
      const scalars = Array.from(text);
      for (let n = 0; n <= scalars.length; n += every) {
        const part = scalars.slice(0, n).join('');
        render(streamed, closed(part), links);
        inspect(streamed, part);
        cuts += 1;
        if (problems.length > 5) return { problems, cuts };
      }
      render(streamed, text, links);
      const fresh = document.createElement('div');
      render(fresh, text, links);
      inspect(fresh, text);
      if (fresh.innerHTML !== streamed.innerHTML) problems.push(`streaming and history differ for ${text}`);
    }
    return { problems, cuts };
  }, { texts, every });
}

test('e-mail addresses are links to what they show', async () => {
  const links = (text) => page.evaluate((one) => {
    const box = document.createElement('div');
    window.prose.render(box, one, window.prose.allowedLinks([], []));
    return [...box.querySelectorAll('a')].map((node) => [node.textContent, node.getAttribute('href')]);
  }, text);
  const help = ['help@shop.example', 'mailto:help@shop.example'];
  assert.deepEqual(await links('Write to help@shop.example. Or **help@shop.example**'), [help]);
  assert.deepEqual(await links('[us](mailto:help@shop.example?cc=x@evil.example)'), [help]);
  assert.deepEqual(await links('a@b, @shop.example, help@shop, x@@shop.example, https://help@shop.example/'), []);
});

test('hostile text cut at every position becomes harmless nodes', async () => {
  const { problems, cuts } = await check(HOSTILE);
  assert.deepEqual(problems, []);
  assert.ok(cuts > 1_500, String(cuts));
  assert.deepEqual(requests, []);
});

test('the full sets of attacks, where they are present', async (t) => {
  const folder = path.join(process.env.FRONTDESK_EVAL_DATA ?? path.join(ROOT, '../shared/data'), 'attacks');
  const read = (name) => readFile(path.join(folder, name), 'utf8').catch(() => null);
  const [naughty, jailbreaks, injections] = await Promise.all(['naughty_strings.json', 'jailbreaks.jsonl', 'indirect_injection_contexts.jsonl'].map(read));
  if (naughty === null) return t.skip(`${folder} is not there`);
  const strings = JSON.parse(naughty).map(String);
  assert.ok(strings.length > 400);
  assert.deepEqual((await check(strings)).problems, []);
  // Long texts: every position of the first ones, and coarser cuts of the rest.
  const lines = [...jailbreaks.trim().split('\n'), ...injections.trim().split('\n')].map((line) => Object.values(JSON.parse(line)).filter((value) => typeof value === 'string').join('\n'));
  assert.deepEqual((await check(lines.slice(0, 5).map((line) => line.slice(0, 1_500)))).problems, []);
  assert.deepEqual((await check(lines.slice(0, 400), 997)).problems, []);
  assert.deepEqual(requests, []);
});

test('what is meant as formatting is formatted', async () => {
  const html = (text) => page.evaluate((text) => {
    const box = document.createElement('div');
    window.prose.render(box, text, window.prose.allowedLinks([], ['shop.example']));
    return box.innerHTML.replaceAll(' target="_blank" rel="noopener noreferrer nofollow ugc"', '');
  }, text);
  for (const [text, expected] of [
    ['one\ntwo\n\nthree', '<p>one<br>two</p><p>three</p>'],
    ['**Prices**\n- 349 EUR\n- *429* EUR', '<p><strong>Prices</strong></p><ul><li>349 EUR</li><li><em>429</em> EUR</li></ul>'],
    ['3. c\n4. d', '<ol start="3"><li>c</li><li>d</li></ol>'],
    ['## Sizes\nS, M', '<p><strong>Sizes</strong></p><p>S, M</p>'],
    ['| To | Cost |\n| --- | ---: |\n| Ireland | **4.90** EUR |\nAfter', '<table><tr><th>To</th><th>Cost</th></tr><tr><td>Ireland</td><td><strong>4.90</strong> EUR</td></tr></table><p>After</p>'],
    ['2 * 3 * 4 and snake*case*x', '<p>2 * 3 * 4 and snake*case*x</p>'],
    ['`a**b**` <b>', '<p><code>a**b**</code> &lt;b&gt;</p>'],
    ['See https://shop.example/a.', '<p>See <a href="https://shop.example/a">https://shop.example/a</a>.</p>'],
    ['[Returns](https://shop.example/r)', '<p><a href="https://shop.example/r">Returns</a></p>'],
    ['[Returns](https://evil.example/r)', '<p>Returns (https://evil.example/r)</p>'],
  ]) assert.equal(await html(text), expected, text);
});

test('no text makes it slow', async () => {
  const ms = await page.evaluate(() => {
    const texts = ['*'.repeat(20_000), '['.repeat(20_000), '`'.repeat(20_001), '**a '.repeat(5_000), '[a]('.repeat(5_000), 'https://'.repeat(2_500), '*a '.repeat(7_000), '- '.repeat(10_000), '|'.repeat(20_000), '|-'.repeat(10_000), '|--'.repeat(7_000)];
    const begun = performance.now();
    for (const text of texts) window.prose.render(document.createElement('div'), text);
    return performance.now() - begun;
  });
  assert.ok(ms < 3_000, `${ms} ms`);
});

test('blocks that did not change keep their nodes', async () => {
  const kept = await page.evaluate(() => {
    const box = document.createElement('div');
    window.prose.render(box, 'First.\n\nSecond');
    const first = box.firstElementChild;
    window.prose.render(box, 'First.\n\nSecond, longer.\n\nThird');
    return box.firstElementChild === first && box.children.length === 3;
  });
  assert.ok(kept);
});
