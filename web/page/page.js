// The plain page: one conversation over one WebSocket, protocol version 1.
//
// Everything that arrives is hostile text. It becomes text nodes and a closed set of elements,
// never markup; the only links are those of citations, and only http and https.

const MAX_CHARS = 4000;
const COUNT_FROM = 3600;
/** Milliseconds: for a welcome, for an acknowledgement, and how long a connection must last to count as good. */
const WELCOME_MS = 10_000;
const ACK_MS = 20_000;
const STABLE_MS = 5_000;
const BACKOFF_MS = { first: 500, most: 20_000 };

const $ = (id) => document.getElementById(id);
const site = new URLSearchParams(location.search).get('site') || 'default';

// == Text

/** Length in Unicode scalar values, which is what offsets count. */
function scalars(text) {
  let n = 0;
  for (const _ of text) n += 1;
  return n;
}

/** The first `n` Unicode scalar values. */
const firstScalars = (text, n) => Array.from(text).slice(0, n).join('');

/** What can be sent: half a surrogate pair is no UTF-8, and control characters would swell a frame beyond its limit. */
const sendable = (text) => text.replace(/\p{Surrogate}/gu, '\uFFFD').replace(/[^\P{Cc}\n\t]/gu, '').trim();

/** An element with properties, attributes (`aria-…`, `data-…`, …) and children. Strings become text nodes. */
function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name in node && !name.includes('-')) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  svg.setAttribute('aria-hidden', 'true');
  use.setAttribute('href', `#i-${name}`);
  svg.append(use);
  return svg;
}

/** Text as blocks: paragraphs and lists. `source` is what a block was made of. */
function blocks(text) {
  const found = [];
  let open = null;
  for (const line of text.split(/\r\n?|\n/)) {
    const item = /^ {0,3}(?:([-*•])|(\d{1,4})[.)])\s+(\S.*)$/.exec(line);
    if (item) {
      const tag = item[1] ? 'ul' : 'ol';
      if (open?.tag !== tag) found.push((open = { tag, start: Number(item[2] ?? 1), parts: [], source: tag }));
      open.parts.push([item[3]]);
    } else if (line.trim() === '') {
      // A blank line ends a paragraph, but not a list whose items stand apart.
      if (open?.tag === 'p') open = null;
      else if (open) open.loose = true;
      continue;
    } else if (open && open.tag !== 'p' && !open.loose && /^\s/.test(line)) {
      open.parts.at(-1).push(line.trim());
    } else {
      if (open?.tag !== 'p') found.push((open = { tag: 'p', parts: [[]], source: 'p' }));
      open.parts[0].push(line);
    }
    open.loose = false;
    open.source += `\n${line}`;
  }
  return found;
}

const EMAIL = /(?<![\p{L}\p{N}._%+-])[\p{L}\p{N}._%+-]{1,64}@(?:[a-z0-9-]{1,63}\.){1,4}[a-z]{2,24}(?![\p{L}\p{N}@])/giu;

/** A line's texts, with its e-mail addresses as links. */
function withAddresses(line) {
  const parts = [];
  let at = 0;
  for (const match of line.matchAll(EMAIL)) {
    parts.push(line.slice(at, match.index), el('a', { href: `mailto:${match[0]}` }, match[0]));
    at = match.index + match[0].length;
  }
  return [...parts, line.slice(at)].filter((part) => part !== '');
}

/** Lines with breaks between them and **bold** within. */
function inline(node, lines) {
  const text = lines.join('\n');
  let at = 0;
  const plain = (piece, into) => {
    piece.split('\n').forEach((line, i) => into.append(...(i > 0 ? [el('br')] : []), ...withAddresses(line)));
  };
  for (;;) {
    const from = text.indexOf('**', at);
    const to = from < 0 ? -1 : text.indexOf('**', from + 2);
    if (to < 0) break;
    plain(text.slice(at, from), node);
    const bold = text.slice(from + 2, to);
    if (bold.trim() === '' || bold !== bold.trim()) {
      plain(text.slice(from, to), node);
      at = to;
      if (to + 2 >= text.length) break;
      continue;
    }
    const strong = el('strong');
    plain(bold, strong);
    node.append(strong);
    at = to + 2;
  }
  plain(text.slice(at), node);
  return node;
}

/** A text that is being written, with the bold of its last line closed, so that no asterisks flash by. */
function closed(text) {
  const marks = text.slice(text.lastIndexOf('\n') + 1).split('**');
  const whole = text.replace(/(^|[^*])\*$/, '$1').trimEnd();
  if (marks.length % 2 === 1) return whole;
  return whole.endsWith('**') ? whole.slice(0, -2) : `${whole}**`;
}

const sources = new WeakMap();

/** The one renderer, for streaming and history. Blocks that didn't change keep their nodes, and so the reader's selection. */
function render(container, text) {
  const wanted = blocks(text);
  wanted.forEach((block, i) => {
    const present = container.children[i];
    if (present && sources.get(present) === block.source) return;
    const node = el(block.tag);
    if (block.tag === 'p') inline(node, block.parts[0]);
    else for (const part of block.parts) node.append(inline(el('li'), part));
    if (block.tag === 'ol' && block.start !== 1) node.start = block.start;
    sources.set(node, block.source);
    if (present) present.replaceWith(node);
    else container.append(node);
  });
  while (container.children.length > wanted.length) container.lastElementChild.remove();
}

/** An address that may become a link, or null. */
function webAddress(text) {
  try {
    const url = new URL(text);
    return url.protocol === 'https:' || url.protocol === 'http:' ? url : null;
  } catch {
    return null;
  }
}

// == What is kept

// Session and token are the browser's: a second tab joins the conversation. What isn't acknowledged
// yet is the tab's. A reload asks for everything again (`last_seq` 0), so the log on the server is
// the only history.
const KEEP = `frontdesk:${site}`;

function kept(storage, key, fallback) {
  try {
    return JSON.parse(storage().getItem(key)) ?? fallback;
  } catch {
    return fallback;
  }
}

function keep(storage, key, value) {
  try {
    if (value === null) storage().removeItem(key);
    else storage().setItem(key, JSON.stringify(value));
  } catch {
    // Storage is off or full: the conversation lives as long as this page.
  }
}

const local = () => window.localStorage;
const tab = () => window.sessionStorage;

function keptSession() {
  const value = kept(local, KEEP, null);
  if (typeof value?.session !== 'string' || typeof value?.token !== 'string') return null;
  return { session: value.session, token: value.token };
}

function keptOutbox() {
  const value = kept(tab, `${KEEP}:unsent`, []);
  if (!Array.isArray(value)) return [];
  return value.filter((one) => typeof one?.id === 'string' && typeof one?.text === 'string');
}

// == The conversation

/**
 * What this page knows. `messages` by id, `answers` by turn; a message without `seq` is not acknowledged. The token says who
 * the visitor is and outlives a conversation. Answers up to `silentTo` are history, which is not read aloud.
 */
const talk = { token: null, ...nothing() };

function nothing() {
  return {
    id: null,
    lastSeq: 0,
    storedSeq: 0,
    silentTo: 0,
    over: false,
    human: 'no',
    messages: new Map(),
    answers: new Map(),
    items: [],
  };
}

const running = () => [...talk.answers.values()].findLast((answer) => !answer.end) ?? null;
const unsent = () => [...talk.messages.values()].filter((message) => message.seq === null);

function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  // Not a secure context: the same from random bytes.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function joinKept(kept) {
  if (kept) Object.assign(talk, { id: kept.session, token: kept.token });
}

/** Forgets the conversation. What stands on the page stays if `visibly` is false, but takes no more clicks. */
function forget({ visibly }) {
  if (visibly) $('log').replaceChildren();
  else for (const button of $('log').querySelectorAll(':is(.verdict, .fate, .remark) button')) button.disabled = true;
  Object.assign(talk, nothing());
}

function keepOutbox() {
  const waiting = unsent().map(({ id, text }) => ({ id, text }));
  keep(tab, `${KEEP}:unsent`, waiting.length > 0 ? waiting : null);
}

/** Puts an item where its `order` says: by seq, what isn't acknowledged last. */
function place(item) {
  const at = talk.items.indexOf(item);
  if (at >= 0) talk.items.splice(at, 1);
  let to = talk.items.length;
  while (to > 0 && talk.items[to - 1].order > item.order) to -= 1;
  const next = talk.items[to];
  if (at !== to || at < 0) {
    if (next) next.node.before(item.node);
    else $('log').append(item.node);
  }
  talk.items.splice(to, 0, item);
}

function saidMessage(id, text, seq) {
  let message = talk.messages.get(id);
  if (!message) {
    const fate = el('div', { className: 'fate' });
    const bubble = el('div', { className: 'bubble', dir: 'auto' }, text);
    const node = el('li', { className: 'said' }, el('span', { className: 'unseen' }, 'You: '), bubble, fate);
    message = { id, text, seq: null, state: 'sending', problem: null, sentAt: 0, order: 0, node, fate };
    talk.messages.set(id, message);
  }
  if (seq !== null) Object.assign(message, { seq, state: 'sent', problem: null });
  message.order = seq ?? Number.MAX_SAFE_INTEGER;
  place(message);
  showMessage(message);
  return message;
}

function answerTo(turn) {
  let answer = talk.answers.get(turn);
  if (!answer) {
    const waiting = el('div', { className: 'waiting' });
    const prose = el('div', { className: 'prose', dir: 'auto' });
    const after = el('div', { className: 'after' });
    const name = el('span', { className: 'unseen' }, 'Answer: ');
    const mark = el('span', { className: 'mark' }, icon('bell'));
    const body = el('div', {}, name, waiting, prose, after);
    const node = el('li', { className: 'answer writing' }, mark, body);
    answer = {
      turn,
      text: '',
      chars: 0,
      citations: new Map(),
      withheld: 0,
      queue: null,
      end: null,
      rating: null,
      thanked: false,
      open: null,
      stopping: false,
      order: turn + 0.5,
      node,
      waiting,
      prose,
      after,
    };
    talk.answers.set(turn, answer);
    place(answer);
  }
  return answer;
}

function addNote(order, text) {
  if (talk.items.some((item) => item.order === order && item.note === text)) return;
  place({ order, note: text, node: el('li', { className: 'note' }, el('span', { dir: 'auto' }, text)) });
}

// == Showing it

let pinned = true;
let drawing = false;
const toDraw = new Set();

/** Draws an answer with the next frame: words come faster than anybody sees. */
function draw(answer) {
  toDraw.add(answer);
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    for (const one of toDraw) showAnswer(one);
    toDraw.clear();
    follow();
  });
}

function follow() {
  const box = $('scroll');
  if (pinned) box.scrollTop = box.scrollHeight;
  $('latest').hidden = pinned;
}

const announce = (text) => { $('announce').textContent = text; };

/** A button that asks for a while of patience first, if it must. */
function retryButton(label, at, act) {
  const button = el('button', { type: 'button', className: 'small' }, label);
  button.addEventListener('click', act);
  const tick = () => {
    const seconds = Math.ceil((at - Date.now()) / 1000);
    button.disabled = seconds > 0;
    button.textContent = seconds > 0 ? `${label} in ${seconds} s` : label;
    if (seconds > 0) setTimeout(() => button.isConnected && tick(), 500);
  };
  if (at) tick();
  return button;
}

function showMessage(message) {
  message.node.dataset.state = message.state;
  const { problem } = message;
  if (message.state === 'failed') {
    const again = retryButton('Send again', problem.at, () => {
      Object.assign(message, { state: 'sending', problem: null });
      showMessage(message);
      transmit(message);
    });
    message.fate.replaceChildren(el('span', { dir: 'auto' }, `Not sent: ${problem.text}`), again);
  } else if (message.state === 'sending' && state.name !== 'online') {
    message.fate.replaceChildren('Will be sent when the connection is back');
  } else {
    message.fate.replaceChildren();
  }
}

const ENDS = {
  length: 'The answer reached its greatest length.',
  cancelled: 'Stopped.',
  superseded: 'Stopped for your next message.',
  failed: 'Something went wrong, and this answer is not complete.',
};

function showAnswer(answer) {
  const writing = !answer.end;
  answer.node.classList.toggle('writing', writing);
  render(answer.prose, writing ? closed(answer.text) : answer.text);
  answer.waiting.hidden = !writing || answer.text !== '';
  if (!answer.waiting.hidden) {
    const dots = el('span', { className: 'dots', 'aria-hidden': 'true' }, el('i'), el('i'), el('i'));
    const { queue } = answer;
    const line = queue === 1 ? 'You are next in line' : `Waiting: place ${queue} in line`;
    const words = queue === null ? 'Looking it up' : line;
    if (answer.waiting.dataset.words !== words) {
      answer.waiting.dataset.words = words;
      answer.waiting.replaceChildren(dots, words);
    }
  }
  // What stands below an answer is drawn again only when it changed: a button that is in focus must
  // not go.
  const { end, withheld, rating, thanked, open, citations: { size } } = answer;
  const below = JSON.stringify([end, withheld, rating, thanked, open, size, talk.human, state.name === 'online']);
  if (answer.below === below) return;
  answer.below = below;
  const focused = answer.after.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  answer.after.replaceChildren(...belowAnswer(answer));
  if (focused) answer.after.querySelector(`[data-key="${focused}"]`)?.focus({ preventScroll: true });
}

function belowAnswer(answer) {
  const parts = [];
  if (answer.citations.size > 0) parts.push(...citations(answer));
  if (answer.withheld > 0) {
    const what = answer.withheld === 1 ? 'One sentence was' : `${answer.withheld} sentences were`;
    parts.push(el('p', { className: 'remark' }, `${what} left out because the sources don’t support it.`));
  }
  if (ENDS[answer.end]) {
    const remark = el('p', { className: answer.end === 'failed' ? 'remark bad' : 'remark' }, ENDS[answer.end]);
    const question = [...talk.messages.values()].find((message) => message.seq === answer.turn);
    if (answer.end === 'failed' && question) {
      const again = retryButton('Ask again', 0, () => { again.disabled = true; say(question.text); });
      again.dataset.key = 'again';
      remark.append(again);
    }
    parts.push(remark);
  }
  if (answer.end === 'declined' && talk.human === 'no' && !talk.over) {
    const person = el('button', { type: 'button', className: 'small', 'data-key': 'person' }, 'Talk to a person');
    person.disabled = state.name !== 'online';
    person.addEventListener('click', askForPerson);
    parts.push(el('div', { className: 'remark' }, person));
  }
  if (answer.end === 'complete' || answer.end === 'length' || answer.end === 'declined') parts.push(verdict(answer));
  return parts;
}

/** Title and headings; a document's first heading is often its title again. */
function trail({ title, document: id, headings }) {
  const name = title || id;
  return [name, ...(headings[0] === name ? headings.slice(1) : headings)];
}

function citations(answer) {
  const panel = `source-${answer.turn}`;
  const lists = [el('ul', { className: 'sources', 'aria-label': 'Sources' })];
  let before = null;
  const named = new Map();
  for (const citation of [...answer.citations.values()].sort((a, b) => Number(a.related ?? false) - Number(b.related ?? false) || a.n - b.n)) {
    // What only came close doesn't pass for where the answer stands.
    if (citation.related && lists.length === 1) {
      lists.push(el('p', { className: 'also', 'aria-hidden': 'true' }, 'See also'), el('ul', { className: 'sources', 'aria-label': 'See also' }));
    }
    // Two passages of one place have one chip; it shows both.
    const place = JSON.stringify([citation.document, trail(citation), citation.related ?? false]);
    if (named.has(place)) {
      named.get(place).push(citation);
      continue;
    }
    named.set(place, [citation]);
    const open = answer.open === citation.n;
    const [title, ...headings] = trail(citation);
    // Behind a place in the same document the title says nothing new.
    const said = headings.length > 0 && before?.document === citation.document ? [] : [title];
    before = citation;
    const name = [...said, ...headings.slice(-1)].join(' › ');
    const chip = el('button', { type: 'button', className: 'chip', 'aria-expanded': String(open) }, el('span', {}, name));
    chip.dataset.key = `source-${citation.n}`;
    if (open) chip.setAttribute('aria-controls', panel);
    chip.addEventListener('click', () => {
      answer.open = open ? null : citation.n;
      draw(answer);
    });
    lists.at(-1).append(el('li', {}, chip));
  }
  const shown = answer.citations.get(answer.open);
  if (!shown) return lists;
  const [title, ...headings] = trail(shown);
  const path = headings.map((heading) => ` › ${heading}`);
  const where = el('p', { className: 'trail', dir: 'auto' }, el('b', {}, title), ...path);
  const source = el('div', { className: 'source', id: panel, role: 'group', 'aria-label': `Source ${shown.n}` }, where);
  const quotes = [...named.values()].find((all) => all[0].n === shown.n) ?? [shown];
  for (const { quote } of quotes) source.append(el('blockquote', { dir: 'auto' }, quote));
  const url = webAddress(shown.url);
  if (url) {
    // The host is named beside the link: a title can say anything.
    const props = { href: url.href, target: '_blank', rel: 'noopener noreferrer nofollow' };
    source.append(el('a', props, `Open on ${url.host}`, icon('out')));
  }
  return [...lists, source];
}

function verdict(answer) {
  const row = el('div', { className: 'verdict', role: 'group', 'aria-label': 'Was this answer helpful?' });
  for (const [rating, label] of [['up', 'Helpful'], ['down', 'Not helpful']]) {
    const pressed = answer.rating === rating;
    const props = { type: 'button', className: 'thumb', title: label, 'aria-label': label, 'aria-pressed': String(pressed) };
    const thumb = el('button', props, icon(rating));
    thumb.dataset.key = rating;
    thumb.disabled = state.name !== 'online';
    thumb.addEventListener('click', () => !pressed && send({ type: 'feedback', turn: answer.turn, rating }));
    row.append(thumb);
  }
  if (answer.thanked) row.append(el('span', { className: 'thanks' }, 'Thank you'));
  return row;
}

/** Everything around the conversation. */
function showFrame() {
  const online = state.name === 'online';
  const answer = running();
  $('welcome').hidden = $('log').childElementCount > 0 || talk.storedSeq > 0 || state.first;
  $('new').hidden = $('log').childElementCount === 0;
  $('human').disabled = !online || talk.human !== 'no';
  $('human-text').textContent = { no: 'Talk to a person', asked: 'Asking…', yes: 'A person was asked for' }[talk.human];
  $('stop').hidden = !answer;
  $('stop').disabled = !online || answer?.stopping === true;
  showComposer();
}

function showComposer() {
  const text = $('text').value;
  // UTF-16 units are never fewer than scalar values: short texts need no counting.
  const chars = text.length >= COUNT_FROM ? scalars(text.trim()) : 0;
  $('count').hidden = chars < COUNT_FROM;
  $('count').textContent = `${chars.toLocaleString('en')} of ${MAX_CHARS.toLocaleString('en')} characters`;
  $('count').classList.toggle('over', chars > MAX_CHARS);
  $('text').setAttribute('aria-invalid', String(chars > MAX_CHARS));
  $('send').disabled = text.trim() === '' || chars > MAX_CHARS || state.name === 'refused';
}

function fitComposer() {
  const box = $('text');
  box.style.height = 'auto';
  box.style.height = `${box.scrollHeight}px`;
}

/** The page bears the shop's name; until that is known, or if it can't be asked for, the product's. */
async function nameShop() {
  try {
    const response = await fetch(`/v1/sites/${encodeURIComponent(site)}/widget.json`, { credentials: 'omit' });
    const { title } = response.ok ? await response.json() : {};
    if (typeof title !== 'string' || title.trim() === '') return;
    document.title = title;
    $('brand').textContent = title;
    $('site').textContent = '';
  } catch {
    // The connection says what is wrong.
  }
}

// == The connection

/** `name`: connecting, online, waiting (for the next try), offline, refused. `first` until the first welcome or failure. */
const state = { name: 'connecting', first: true };
const link = { socket: null, attempt: 0, timers: new Set(), retryAt: 0, why: '', restarted: false };

const LABELS = {
  connecting: 'Connecting',
  online: 'Connected',
  waiting: 'Reconnecting',
  offline: 'Offline',
  refused: 'Not connected',
};

function enter(name) {
  const before = state.name;
  state.name = name;
  if (name !== 'connecting') state.first = false;
  document.body.dataset.state = name;
  $('state').dataset.state = name;
  $('state-text').textContent = name === 'waiting' && !talk.id ? LABELS.refused : LABELS[name];
  showNotice();
  if (before !== name) {
    if (name === 'online' && link.lostOnce) announce('Connected again.');
    if (name !== 'online' && before === 'online') { link.lostOnce = true; announce('The connection is lost.'); }
    for (const answer of talk.answers.values()) draw(answer);
    for (const message of unsent()) showMessage(message);
  }
  showFrame();
}

function showNotice() {
  const notice = $('notice');
  // While a later attempt is under way the words stay, so that nothing flickers.
  if (state.name === 'connecting' && link.attempt > 0) {
    $('notice-text').textContent = `${link.why} Trying now…`;
    $('retry').disabled = true;
    return;
  }
  notice.hidden = state.name === 'online' || state.name === 'connecting';
  notice.dataset.state = state.name;
  $('retry').disabled = false;
  $('retry').textContent = state.name === 'refused' ? 'Try again' : 'Try now';
  if (state.name === 'waiting') {
    const seconds = Math.max(1, Math.ceil((link.retryAt - Date.now()) / 1000));
    $('notice-text').textContent = `${link.why} Next try in ${seconds} s.`;
  } else if (state.name === 'offline') {
    $('notice-text').textContent = 'This device is offline. The conversation goes on when the network is back.';
  } else if (state.name === 'refused') {
    $('notice-text').textContent = link.why;
  }
}

function after(ms, act) {
  const timer = setTimeout(() => { link.timers.delete(timer); act(); }, ms);
  link.timers.add(timer);
}

/** Lets go of the socket and of everything that waits for it. */
function drop() {
  for (const timer of link.timers) clearTimeout(timer);
  link.timers.clear();
  const { socket } = link;
  link.socket = null;
  if (!socket) return;
  socket.onopen = socket.onmessage = socket.onclose = null;
  socket.close();
}

function connect() {
  drop();
  enter('connecting');
  const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/v1/chat`);
  link.socket = socket;
  socket.onopen = () => socket.send(JSON.stringify(hello()));
  socket.onclose = () => lost(talk.id ? 'The connection is lost.' : 'The server can’t be reached.');
  socket.onmessage = ({ data }) => {
    let message = null;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    if (typeof message === 'object' && message !== null) receive(message);
  };
  after(WELCOME_MS, () => state.name !== 'online' && lost('The server doesn’t answer.'));
}

function hello() {
  const greeting = { type: 'hello', site, last_seq: talk.lastSeq };
  if (talk.token) greeting.token = talk.token;
  if (talk.id) greeting.session = talk.id;
  const answer = running();
  if (talk.id && answer && answer.chars > 0) greeting.partial = { turn: answer.turn, offset: answer.chars };
  return greeting;
}

/** The connection is gone: the next try comes after a while that doubles, with jitter so that not all come at once. */
function lost(why, least = 0) {
  drop();
  link.why = why;
  if (talk.human === 'asked') talk.human = 'no';
  for (const message of unsent()) message.sentAt = 0;
  for (const answer of talk.answers.values()) answer.stopping = false;
  if (navigator.onLine === false) return enter('offline');
  const ceiling = Math.min(BACKOFF_MS.most, BACKOFF_MS.first * 2 ** link.attempt);
  const wait = Math.max(least, ceiling * (0.5 + Math.random() / 2));
  link.attempt += 1;
  link.retryAt = Date.now() + wait;
  enter('waiting');
  const tick = () => { showNotice(); after(500, tick); };
  after(500, tick);
  after(wait, connect);
}

function send(message) {
  if (state.name !== 'online' || link.socket?.readyState !== WebSocket.OPEN) return false;
  link.socket.send(JSON.stringify(message));
  return true;
}

/** Sends a message that isn't acknowledged. No word of it for long means that the connection is dead. */
function transmit(message) {
  if (!send({ type: 'message', id: message.id, text: message.text })) return;
  const sentAt = Date.now();
  message.sentAt = sentAt;
  after(ACK_MS, () => message.state === 'sending' && message.sentAt === sentAt && lost('The server doesn’t answer.'));
}

/** Begins another conversation: the one another tab began meanwhile, if it did. */
function begin() {
  const other = keptSession();
  const old = talk.id;
  const waiting = unsent();
  forget({ visibly: false });
  keep(local, KEEP, null);
  if (other?.session !== old) joinKept(other);
  for (const message of waiting) {
    talk.messages.set(message.id, message);
    place(message);
    showMessage(message);
  }
  link.attempt = 0;
  connect();
}

// == What the server says

const isCount = (value) => Number.isSafeInteger(value) && value >= 0;
const isText = (value) => typeof value === 'string';

const isList = (fits) => (value) => Array.isArray(value) && value.every(fits);

function isCitation(value) {
  const texts = [value?.document, value?.title, value?.quote, value?.url ?? ''];
  return isCount(value?.n) && texts.every(isText) && isList(isText)(value.headings);
}

/** What a message must carry to be heard. */
const SHAPES = {
  welcome: { session: isText, token: isText, last_seq: isCount },
  ack: { id: isText, seq: isCount },
  message: { id: isText, seq: isCount, text: isText },
  queue: { turn: isCount, place: isCount },
  'answer.started': { turn: isCount, seq: isCount },
  'answer.delta': { turn: isCount, offset: isCount, text: isText },
  'answer.citation': { turn: isCount, citation: isCitation },
  'answer.withheld': { turn: isCount },
  'answer.done': { turn: isCount, seq: isCount, text: isText, citations: isList(isCitation), end: isText },
  'human.requested': { seq: isCount },
  'feedback.received': { seq: isCount, turn: isCount, rating: (value) => value === 'up' || value === 'down' },
  ended: { seq: isCount, reason: isText },
  error: { code: isText, message: isText },
};

function receive(message) {
  const shape = Object.hasOwn(SHAPES, message.type) ? SHAPES[message.type] : null;
  if (!shape || !Object.entries(shape).every(([field, fits]) => fits(message[field]))) return;
  // An acknowledgement may overtake older events, so only events move this on.
  if (isCount(message.seq) && message.type !== 'ack') talk.lastSeq = Math.max(talk.lastSeq, message.seq);
  heard[message.type](message);
  showFrame();
  if (message.type !== 'answer.delta') follow();
}

const heard = {
  welcome({ session, token, last_seq: storedSeq }) {
    Object.assign(talk, { id: session, token, storedSeq });
    if (talk.lastSeq === 0) talk.silentTo = storedSeq;
    keep(local, KEEP, { session, token });
    link.restarted = false;
    after(STABLE_MS, () => { link.attempt = 0; });
    enter('online');
    for (const message of unsent()) if (message.state === 'sending') transmit(message);
    if (talk.human === 'asked') send({ type: 'human' });
  },

  ack({ id, seq }) {
    const message = talk.messages.get(id);
    if (message) saidMessage(id, message.text, seq);
    keepOutbox();
  },

  message({ id, seq, text }) {
    saidMessage(id, text, seq);
    keepOutbox();
  },

  queue({ turn, place: queue }) {
    const answer = answerTo(turn);
    answer.queue = queue;
    draw(answer);
  },

  'answer.started'({ turn }) {
    draw(answerTo(turn));
  },

  'answer.delta'({ turn, offset, text }) {
    const answer = answerTo(turn);
    if (answer.end) return;
    // Words are missing between ours and these: ask for them again.
    if (offset > answer.chars) return lost('Part of the answer got lost.');
    if (offset < answer.chars) answer.text = firstScalars(answer.text, offset);
    answer.text += text;
    answer.chars = offset + scalars(text);
    draw(answer);
  },

  'answer.citation'({ turn, citation }) {
    const answer = answerTo(turn);
    answer.citations.set(citation.n, citation);
    draw(answer);
  },

  'answer.withheld'({ turn }) {
    const answer = answerTo(turn);
    answer.withheld += 1;
    draw(answer);
  },

  'answer.done'({ turn, seq, text, citations: cited, end }) {
    const answer = answerTo(turn);
    Object.assign(answer, { text, chars: scalars(text), end });
    // An answer that was stopped comes without its citations; those that arrived still say where
    // its words are from.
    if (cited.length > 0 || end === 'complete') answer.citations = new Map(cited.map((one) => [one.n, one]));
    draw(answer);
    if (seq > talk.silentTo) announce(text || ENDS[end] || '');
  },

  'human.requested'({ seq }) {
    talk.human = 'yes';
    for (const answer of talk.answers.values()) draw(answer);
    addNote(seq, 'Your wish to talk to a person is noted. You can go on asking meanwhile.');
  },

  'feedback.received'({ turn, rating }) {
    const answer = talk.answers.get(turn);
    if (!answer) return;
    answer.thanked = answer.rating !== rating;
    answer.rating = rating;
    draw(answer);
  },

  ended({ seq, reason }) {
    talk.over = true;
    const why = reason === 'expired' ? 'This conversation ended after a long silence.' : 'This conversation has ended.';
    addNote(seq, `${why} Your next message begins a new one.`);
    // What came too late for the old conversation opens the new one.
    if (unsent().some((message) => message.state === 'sending')) begin();
  },

  error({ code, message: text, retry_after_ms: wait, id }) {
    const patience = isCount(wait) ? wait : 0;
    const message = isText(id) ? talk.messages.get(id) : null;
    if (state.name !== 'online') return refusedHello(code, text, patience);
    // A session that has events was ended meanwhile; a fresh one that says so would say so for
    // ever.
    if (code === 'session_ended' && message && talk.lastSeq > 0) return begin();
    if (code === 'draining') return lost('The server restarts.', patience);
    if (code === 'too_slow') return lost('The connection is too slow.', patience);
    if (message) {
      Object.assign(message, { state: 'failed', problem: { text, at: patience ? Date.now() + patience : 0 } });
      showMessage(message);
      announce(`Your message was not sent: ${text}`);
      return;
    }
    // A stop that came too late needs no words.
    if (code === 'unknown_turn') return;
    if (talk.human === 'asked') talk.human = 'no';
    addNote(talk.lastSeq + 0.9, text);
  },
};

/** The server said no to our hello. */
function refusedHello(code, text, patience) {
  if (code === 'draining' || code === 'overloaded' || code === 'storage_failed') return lost(text, patience);
  if ((code === 'unknown_session' || code === 'unauthorized') && talk.token && !link.restarted) {
    link.restarted = true;
    talk.token = null;
    return begin();
  }
  drop();
  link.why = text;
  enter('refused');
}

// == What the visitor does

function say(text) {
  if (talk.over) begin();
  const message = saidMessage(newId(), text, null);
  keepOutbox();
  pinned = true;
  transmit(message);
  showFrame();
  follow();
}

function submit() {
  const text = sendable($('text').value);
  if (text === '' || scalars(text) > MAX_CHARS || state.name === 'refused') return;
  $('text').value = '';
  fitComposer();
  say(text);
}

function stop() {
  const answer = running();
  if (!answer || answer.stopping || !send({ type: 'cancel', turn: answer.turn })) return;
  answer.stopping = true;
  // The button goes with the answer; the keyboard's place must not go with it.
  if (document.activeElement === $('stop')) $('text').focus();
  showFrame();
}

function askForPerson() {
  if (talk.over) begin();
  else if (!send({ type: 'human' })) return;
  talk.human = 'asked';
  showFrame();
}

function startOver() {
  send({ type: 'end' });
  keep(local, KEEP, null);
  forget({ visibly: true });
  keepOutbox();
  link.attempt = 0;
  pinned = true;
  connect();
  $('text').focus();
}

$('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  submit();
  $('text').focus();
});
/** A key of an input method. Safari ends the composition before the key that ends it, and says so by 229 alone. */
const composes = (event) => event.isComposing || event.keyCode === 229;

$('text').addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && !event.shiftKey && !composes(event)) {
    event.preventDefault();
    submit();
  }
});
$('text').addEventListener('input', () => {
  fitComposer();
  showComposer();
});
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && !$('confirm').open && !composes(event)) stop();
});
$('stop').addEventListener('click', stop);
$('human').addEventListener('click', askForPerson);
$('new').addEventListener('click', () => (talk.over ? startOver() : $('confirm').showModal()));
$('confirm-no').addEventListener('click', () => $('confirm').close());
$('confirm-yes').addEventListener('click', () => {
  $('confirm').close();
  startOver();
});
$('retry').addEventListener('click', () => {
  link.restarted = false;
  connect();
});
$('latest').addEventListener('click', () => {
  pinned = true;
  follow();
});
$('scroll').addEventListener('scroll', () => {
  const box = $('scroll');
  pinned = box.scrollHeight - box.scrollTop - box.clientHeight < 48;
  $('latest').hidden = pinned;
}, { passive: true });
new ResizeObserver(follow).observe($('scroll'));
window.addEventListener('online', () => state.name !== 'online' && state.name !== 'refused' && connect());
window.addEventListener('offline', () => state.name !== 'refused' && lost('The connection is lost.'));
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible' && state.name === 'waiting') connect();
});

$('site').textContent = site === 'default' ? '' : site;
nameShop();
joinKept(keptSession());
for (const { id, text } of keptOutbox()) saidMessage(id, text, null);
connect();
if (matchMedia('(pointer: fine)').matches) $('text').focus();
