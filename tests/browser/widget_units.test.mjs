// The widget's parts that need no page: colours, rules, languages, frames.

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';

import { build } from 'esbuild';

import { ROOT } from './support.mjs';

const MODULES = ['widget/colours', 'widget/proactive', 'shared/i18n', 'shared/text', 'shared/protocol', 'widget/lang/en', 'widget/settings', 'widget/source', 'widget/when'];
const contents = MODULES.map((name) => `export * from ${JSON.stringify(path.join(ROOT, 'web', `${name}.ts`))};`).join('\n');
const LANGUAGES = ['ar', 'de', 'es', 'fr', 'ja', 'zh'];
const others = LANGUAGES.map((code) => `export * as ${code} from ${JSON.stringify(path.join(ROOT, `web/widget/lang/${code}.ts`))};`).join('\n');
const { outputFiles } = await build({ stdin: { contents: `${contents}\n${others}`, resolveDir: ROOT }, bundle: true, write: false, format: 'esm', loader: { '.css': 'text' } });
const { arrival, brief, choose, contrast, fits, firstScalars, localised, palette, panel, launcher, read, rightToLeft, sayer, scalars, sendable, stands, ...rest } =
  await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].text).toString('base64')}`);

test('whatever accent a site chooses, words stay readable', () => {
  const steps = ['00', '40', '80', 'c0', 'ff'];
  for (const r of steps) for (const g of steps) for (const b of steps) {
    for (const dark of [false, true]) {
      const accent = `#${r}${g}${b}`;
      const { fill, ink, text } = palette(accent, dark);
      assert.ok(contrast(ink, fill) >= 4.5, `${ink} on ${fill} of ${accent}`);
      for (const surface of dark ? ['#1a1e1c', '#262c29'] : ['#ffffff', '#f2f4f3']) assert.ok(contrast(text, surface) >= 4.5, `${text} on ${surface} of ${accent}`);
      if (dark) assert.ok(contrast(fill, '#1a1e1c') >= 3, `${fill} of ${accent}`);
    }
  }
  assert.deepEqual(palette('nonsense', false), palette('#115e56', false));
});

test('rules for pages', () => {
  for (const [pattern, address, expected] of [
    ['/', '/', true], ['/', '/a', false], ['*', '/a/b', true], ['/tents/*', '/tents/tarn', true], ['/tents/*', '/tent', false],
    ['*/sale', '/en/sale', true], ['/a*b*c', '/a-b-b-c', true], ['/a*b*c', '/a-c-b', false], ['/ab*ba', '/aba', false],
  ]) assert.equal(fits(pattern, address), expected, `${pattern} ${address}`);
});

test('languages', () => {
  assert.equal(choose(['zh-Hans-CN', 'en'], ['en', 'zh']), 'zh');
  assert.equal(choose(['fr', null, 'EN-gb'], ['en', 'zh']), 'en');
  assert.equal(choose(['fr'], ['en']), null);
  assert.ok(rightToLeft('ar-EG') && rightToLeft('he') && !rightToLeft('zh') && !rightToLeft('fad'));
  const say = sayer('en', {}, { n: '{n} thing|{n} things', hi: 'Hi {name}' });
  assert.deepEqual([say('n', { n: 1 }), say('n', { n: 1200 }), say('hi', { name: '{n}' })], ['1 thing', '1,200 things', 'Hi {n}']);
  // A language says everything, and fills the same places.
  const places = (text) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort().join();
  for (const code of LANGUAGES) {
    for (const [english, other] of [[panel, rest[code].panel], [launcher, rest[code].launcher]]) {
      assert.deepEqual(Object.keys(other).sort(), Object.keys(english).sort(), code);
      for (const [name, text] of Object.entries(english)) assert.equal(places(other[name]), places(text), `${code} ${name}`);
    }
  }
  const forms = sayer('ar', {}, { n: 'one|two|few|many|more' });
  assert.deepEqual([1, 2, 3, 11, 100].map((n) => forms('n', { n })), ['one', 'two', 'few', 'many', 'more']);
});

test('a site’s own words, in the visitor’s language or not at all', () => {
  const settings = { language: 'en', title: 'Shop', greeting: 'Hello', quick_replies: ['One?'], translations: { zh: { title: '', greeting: '您好', quick_replies: [] } } };
  assert.deepEqual(localised(settings, 'en'), { title: 'Shop', greeting: 'Hello', quickReplies: ['One?'] });
  assert.deepEqual(localised(settings, 'zh'), { title: 'Shop', greeting: '您好', quickReplies: [] });
  assert.deepEqual(localised(settings, 'de'), { title: 'Shop', greeting: '', quickReplies: [] });
});

test('text is counted and cut as the protocol counts it', () => {
  const family = '👨‍👩‍👧é中';
  assert.equal(scalars(family), Array.from(family).length);
  for (let n = 0; n <= 8; n += 1) assert.equal(firstScalars(family, n), Array.from(family).slice(0, n).join(''));
  assert.equal(sendable(' a\uD800b\u0000c\n '), 'a\uFFFDbc');
});

test('frames that are not understood are passed over', () => {
  for (const [frame, expected] of [
    ['{"type":"ack","id":"a","seq":2}', 'ack'], ['{"type":"ack","id":"a","seq":-1}', null], ['{"type":"ack","id":"a","seq":1.5}', null],
    ['{"type":"something.new","seq":7}', 'unknown'], ['{"type":"something.new"}', null], ['{"type":"constructor","seq":1}', 'unknown'],
    ['[]', null], ['null', null], ['{', null], ['"ack"', null],
    ['{"type":"answer.delta","turn":2,"offset":0,"text":5}', null],
    ['{"type":"answer.done","turn":2,"seq":4,"text":"x","citations":[{"n":1}],"end":"complete"}', null],
    ['{"type":"recommendation","products":[{"id":"a","name":"b","variant":"","price":"9","currency":"EUR"}]}', null],
    ['{"type":"recommendation","products":[{"id":"a","name":"b","variant":"","price":9,"currency":"<b>"}]}', null],
    ['{"type":"recommendation","products":[{"id":"a","name":"b","variant":"","price":9,"currency":"EUR"}]}', 'recommendation'],
  ]) assert.equal(read(frame)?.type ?? null, expected, frame);
});

test('where a visit came from', () => {
  for (const [search, referrer, expected] of [
    ['', '', null],
    ['?utm_campaign=&gclid=7', 'https://shop.example/tents', null],
    ['?utm_campaign=spring&utm_source=letter', '', { utm_campaign: 'spring', utm_source: 'letter' }],
    ['', 'https://blog.example/best-tents?reader=7', { referrer: 'https://blog.example' }],
    ['?utm_medium=%20mail%20', 'no address', { utm_medium: 'mail' }],
    [`?utm_term=${'x'.repeat(300)}`, 'android-app://com.example/', { utm_term: 'x'.repeat(200), referrer: 'android-app://com.example' }],
  ]) assert.deepEqual(arrival(search, referrer, 'shop.example'), expected, `${search} ${referrer}`);
});

test('when something was said', () => {
  const now = new Date(2026, 10, 25, 14, 32).getTime();
  const minutes = (n) => now - n * 60_000;
  assert.match(brief(minutes(5), 'en', now), /^2:27.PM$/);
  assert.match(brief(minutes(24 * 60), 'en', now), /Tue.*Nov 24.*2:32.PM/);
  assert.match(brief(minutes(400 * 24 * 60), 'en', now), /2025/);
  for (const [at, before, expected] of [
    [now, null, true], [now, minutes(1), false], [now, minutes(11), true],
    [new Date(2026, 10, 25, 0, 1).getTime(), new Date(2026, 10, 24, 23, 59).getTime(), true],
  ]) assert.equal(stands(at, before), expected);
});
