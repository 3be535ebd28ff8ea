// What the console makes of the protocol's messages, without a browser: nothing twice, nothing
// lost, however it was cut.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';

import * as esbuild from 'esbuild';

import { ROOT } from './support.mjs';

let directory;
let Talk;
let text;

before(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), 'frontdesk-talk-'));
  const load = async (name) => {
    const outfile = path.join(directory, `${name}.mjs`);
    await esbuild.build({ entryPoints: [path.join(ROOT, `web/console/src/${name}.ts`)], bundle: true, format: 'esm', outfile, logLevel: 'error' });
    return import(pathToFileURL(outfile).href);
  };
  ({ Talk } = await load('talk'));
  text = await load('text');
});

after(() => rm(directory, { recursive: true, force: true }));

const entry = (seq, what) => ({ type: 'event', session: 's', entry: { seq, at_ms: seq * 1000, ...what } });
const agent = { id: 'a_1', name: 'Mara' };
const message = (seq, words = `message ${seq}`) => entry(seq, { event: 'message', id: `m${seq}`, text: words });
const suggestion = (seq, turn, version, more = {}) => entry(seq, {
  event: 'suggestion.done', turn, version, wish: 'answer', text: 'A draft', citations: [], confidence: 0.8, end: 'complete', withheld: 0, ...more,
});

function heard(...messages) {
  const talk = new Talk('s');
  for (const one of messages) talk.apply(one);
  return talk;
}

test('deltas that overlap, repeat and come late make the same text, cut at every position', () => {
  const whole = 'Ja, 👋🏽 „ganz“ sicher\n- 一二三 **fett**';
  const chars = Array.from(whole);
  for (let cut = 0; cut <= chars.length; cut += 1) {
    for (const overlap of [0, 1, 3]) {
      const from = Math.max(0, cut - overlap);
      const delta = (offset, words) => ({ type: 'answer.delta', session: 's', turn: 1, offset, text: words });
      const [first, second] = [delta(0, chars.slice(0, cut).join('')), delta(from, chars.slice(from).join(''))];
      const talk = heard(message(1), entry(2, { event: 'answer.started', turn: 1 }), first, first, second, second);
      assert.equal(talk.running.text, whole);
      assert.deepEqual(talk.partial, { turn: 1, offset: chars.length });
      const done = { event: 'answer.done', turn: 1, text: whole, citations: [], confidence: 1, end: 'complete', withheld: 0 };
      talk.apply(entry(3, done));
      talk.apply(delta(2, 'late'));
      assert.equal(talk.items.at(-1).text, whole);
      assert.equal(talk.running, null);
    }
  }
});

test('entries come once and in order, whatever order they arrive in', () => {
  const talk = heard(message(4), message(2), message(4), entry(3, { event: 'note', id: 'n', agent, text: 'between' }));
  assert.deepEqual(talk.items.map(({ key }) => key), ['v2', 'nn', 'v4']);
  assert.equal(talk.lastSeq, 4);
});

test('an answer stands below the message it answers, also after later messages', () => {
  const talk = heard(message(1), message(2), entry(3, { event: 'answer.started', turn: 1 }));
  assert.deepEqual(talk.items.map(({ kind }) => kind), ['visitor', 'answer', 'visitor']);
});

test('what was said is shown at once, and stands once when the server tells it', () => {
  const talk = heard(message(1));
  talk.pending('agent', 'x', agent, 'Hello');
  assert.equal(talk.items.at(-1).state, 'sending');
  talk.apply(message(2));
  assert.equal(talk.items.at(-1).text, 'Hello', 'what is not acknowledged stands last');
  talk.apply(entry(3, { event: 'agent.message', id: 'x', agent, text: 'Hello' }));
  assert.deepEqual(talk.items.map(({ key, state }) => [key, state]), [['v1', undefined], ['v2', undefined], ['mx', 'sent']]);
  talk.pending('agent', 'y', agent, 'Refused');
  talk.failed('agent', 'y', null);
  assert.equal(talk.items.length, 3);
});

test('a draft is open until it is decided, answered otherwise, or overtaken', () => {
  const open = (...messages) => heard(...messages).open.map(({ id }) => id.version);
  const decided = (seq, version, decision) => entry(seq, { event: 'suggestion.decided', turn: 1, version, agent, decision, distance: 0 });
  const answer = (seq) => entry(seq, { event: 'agent.message', id: `x${seq}`, agent, text: 'By hand' });
  assert.deepEqual(open(message(1), suggestion(2, 1, 1)), [1]);
  assert.deepEqual(open(message(1), suggestion(2, 1, 1), suggestion(3, 1, 2)), [1, 2]);
  assert.deepEqual(open(message(1), suggestion(2, 1, 1), decided(3, 1, 'rejected')), []);
  assert.deepEqual(open(message(1), suggestion(2, 1, 1), answer(3)), []);
  assert.deepEqual(open(message(1), answer(2), suggestion(3, 1, 1)), [1], 'asked for after the reply');
  assert.deepEqual(open(message(1), suggestion(2, 1, 1), message(3)), []);
});

test('a draft streams, survives a lost connection, and ends in its entry', () => {
  const id = { turn: 1, version: 1 };
  const talk = heard(message(1), { type: 'suggestion.started', session: 's', suggestion: id, wish: 'answer' });
  talk.apply({ type: 'suggestion.delta', session: 's', suggestion: id, offset: 0, text: 'Dear' });
  assert.equal(talk.open[0].text, 'Dear');
  const summary = { session: 's', intent: 0.4 };
  talk.apply({ type: 'conversation', id: 'w', session: summary, last_seq: 1, entries: [], draft: { suggestion: id, wish: 'answer', text: 'Dear vis' }, reasons: [] });
  assert.equal(talk.open[0].text, 'Dear vis');
  talk.apply(suggestion(2, 1, 1, { text: 'Dear visitor' }));
  talk.apply({ type: 'suggestion.delta', session: 's', suggestion: id, offset: 0, text: 'late' });
  assert.deepEqual(talk.open.map((one) => [one.text, one.end]), [['Dear visitor', 'complete']]);
  talk.apply({ type: 'suggestion.started', session: 's', suggestion: { turn: 1, version: 2 }, wish: 'shorter' });
  talk.apply({ type: 'suggestion.stopped', session: 's', suggestion: { turn: 1, version: 2 }, why: 'the model is busy' });
  assert.equal(talk.open.length, 1);
  assert.equal(talk.draftProblem, 'the model is busy');
});

test('the distance of what was sent is known, whichever entry comes first', () => {
  const said = entry(3, { event: 'agent.message', id: 'x', agent, text: 'Edited', suggestion: { turn: 1, version: 1 } });
  const decided = entry(4, { event: 'suggestion.decided', turn: 1, version: 1, agent, decision: 'edited', distance: 0.25 });
  for (const order of [[said, decided], [decided, said]]) {
    const talk = heard(message(1), suggestion(2, 1, 1), ...order);
    assert.equal(talk.items.find(({ kind }) => kind === 'agent').distance, 0.25);
  }
});

test('quotes are found across lines, and marks never overlap', () => {
  const check = (words, quote, expected) => {
    const found = text.findQuote(words, quote);
    assert.equal(found && words.slice(...found), expected);
  };
  check('One.\nTwo  words\nhere. Three.', 'Two words here.', 'Two  words\nhere.');
  check('Costs (about) $5+', 'Costs (about) $5+', 'Costs (about) $5+');
  check('Nothing', 'of it', null);
  check('Nothing', '  ', null);
  const parts = text.highlight('abcdef', [[1, 3], [2, 4], [4, 5]]);
  assert.deepEqual(parts.map((part) => [part.text, part.marked]), [['a', false], ['bc', true], ['d', true], ['e', true], ['f', false]]);
  assert.equal(parts.map((part) => part.text).join(''), 'abcdef');
});
