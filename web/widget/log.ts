// What was said, as nodes: one entry for each item of the conversation, drawn again when the item
// changes.

import { add, h, icon } from '../shared/dom.ts';
import type { Say } from '../shared/i18n.ts';
import { allowedLinks, closed, link, noLinks, render, renderAnew, webAddress, type Links } from '../shared/prose.ts';
import type { Citation, Product, Rating } from '../shared/protocol.ts';
import type { AgentSaid, Answer, Item, Note, Said, Talk } from '../shared/talk.ts';
import * as icons from './icons.ts';
import type { Panel } from './lang/en.ts';
import { initial, picture } from './picture.ts';
import type { Settings } from './settings.ts';
import { brief, moment, stands } from './when.ts';
import { why } from './why.ts';

export interface LogContext {
  talk: Talk;
  say: Say<Panel>;
  settings: Settings;
  server: string;
  language: string;
  /** Something below the reader's eye changed. */
  grew: () => void;
}

interface Entry {
  node: HTMLElement;
  draw: () => void;
  /** Says when it was said, where that isn't plain from what stands above. */
  time: HTMLTimeElement;
  /** The moment that `time` stands for. */
  at: number | null;
}

type Drawn = Omit<Entry, 'time' | 'at'>;

/** Milliseconds after which an answer that has no word yet is called slow, and very slow. */
const SLOW_MS = 6_000;
const VERY_SLOW_MS = 20_000;
/** Ends that need words; the others speak for themselves, and so do those that a later server may know. */
const REMARKS = ['length', 'cancelled', 'superseded', 'taken_over', 'failed'] as const;
/** What is said below an answer about its end; empty where it ended as it should. */
export function remark(say: Say<Panel>, { end }: Answer): string {
  const known = REMARKS.find((one) => one === end);
  return known ? say(`end_${known}`) : '';
}

/** Acknowledged sooner, a message was never "being sent". */
const SENDING_MS = 1_200;

export class Log {
  readonly list = h('ol', { class: 'log' });
  #context: LogContext;
  #entries = new Map<Item, Entry>();
  #toDraw = new Set<Item>();
  #drawing = 0;
  #ticking: ReturnType<typeof setInterval>;

  constructor(context: LogContext) {
    this.#context = context;
    // Words about waiting change with time alone.
    this.#ticking = setInterval(() => {
      for (const item of context.talk.items) {
        if ((item.kind === 'answer' && !item.end) || (item.kind === 'said' && item.seq === null)) this.changed(item);
      }
    }, 1_000);
  }

  /** Draws an item with the next frame: words come faster than anybody sees. */
  changed(item: Item): void {
    this.#toDraw.add(item);
    if (this.#drawing) return;
    // A page in the background has no frames, and needs none.
    this.#drawing = document.hidden ? setTimeout(() => this.#draw()) : requestAnimationFrame(() => this.#draw());
  }

  /** Takes everything off, or leaves it to be read without buttons that would no longer work. */
  clear(visibly: boolean): void {
    if (visibly) this.list.replaceChildren();
    else for (const button of this.list.querySelectorAll('button')) button.disabled = true;
    this.#entries.clear();
    this.#toDraw.clear();
  }

  destroy(): void {
    clearInterval(this.#ticking);
    this.list.remove();
  }

  #draw(): void {
    this.#drawing = 0;
    const { items } = this.#context.talk;
    let moved = false;
    for (const item of this.#toDraw) {
      const at = items.indexOf(item);
      if (at < 0) continue;
      let entry = this.#entries.get(item);
      if (!entry) {
        const time = h('time', { class: 'when', dir: 'auto', hidden: true });
        entry = { ...this.#make(item), time, at: null };
        entry.node.prepend(time);
        this.#entries.set(item, entry);
      }
      entry.draw();
      const next = items.slice(at + 1).map((later) => this.#entries.get(later)?.node).find((node) => node?.isConnected);
      if (!entry.node.isConnected || entry.node.nextElementSibling !== (next ?? null)) {
        if (next) next.before(entry.node);
        else this.list.append(entry.node);
        moved = true;
      }
    }
    if (moved || [...this.#toDraw].some((item) => this.#entries.get(item)?.at !== item.at)) this.#tellTimes();
    this.#toDraw.clear();
    this.#context.grew();
  }

  #tellTimes(): void {
    const { language } = this.#context;
    let before: number | null = null;
    for (const item of this.#context.talk.items) {
      const entry = this.#entries.get(item);
      if (!entry || item.at === null || !entry.node.isConnected) continue;
      const shown = stands(item.at, before);
      before = item.at;
      if (entry.time.hidden === shown) entry.time.hidden = !shown;
      if (entry.at === item.at) continue;
      entry.at = item.at;
      entry.time.dateTime = new Date(item.at).toISOString();
      entry.time.textContent = brief(item.at, language);
      const bubble = entry.node.querySelector<HTMLElement>('.bubble');
      if (bubble) bubble.title = moment(item.at, language);
    }
  }

  #make(item: Item): Drawn {
    if (item.kind === 'said') return said(this.#context, item);
    if (item.kind === 'answer') return answer(this.#context, item, () => this.changed(item));
    return item.kind === 'agent' ? agent(this.#context, item) : note(this.#context, item);
  }
}

function said({ talk, say }: LogContext, item: Said): Drawn {
  const fate = h('div', { class: 'fate' });
  const bubble = h('div', { class: 'bubble', dir: 'auto' });
  render(bubble, item.text, noLinks);
  const node = h('li', { class: 'said' }, h('span', { class: 'unseen' }, say('you_said')), bubble, fate);
  let shown = '';
  const draw = (): void => {
    const { problem } = item;
    const seconds = problem ? Math.max(0, Math.ceil((problem.at - Date.now()) / 1000)) : 0;
    const waits = item.state === 'sending' && (item.sentAt === 0 || !talk.link.online);
    const late = item.state === 'sending' && !waits && Date.now() - item.sentAt > SENDING_MS;
    const now = JSON.stringify([item.state, waits, late, seconds, problem?.text]);
    if (now === shown) return;
    shown = now;
    node.dataset.state = waits ? 'waiting' : item.state;
    if (problem) {
      const label = seconds > 0 ? say('again_in', { n: seconds }) : say('again');
      fate.replaceChildren(
        h('span', { class: 'bad', dir: 'auto' }, say('failed', { why: why(say, problem.code, problem.text) })),
        h('button', { type: 'button', class: 'small', disabled: seconds > 0, onclick: () => talk.again(item) }, label));
    } else {
      fate.replaceChildren(...(waits ? [say('unsent')] : late ? [say('sending')] : []));
    }
  };
  return { node, draw };
}

function agent({ say, settings }: LogContext, item: AgentSaid): Drawn {
  const bubble = h('div', { class: 'bubble', dir: 'auto' });
  const links = allowedLinks([], settings.link_hosts);
  const node = h('li', { class: 'agent' },
    h('span', { class: 'face', 'aria-hidden': 'true' }, initial(item.name)),
    h('div', { class: 'body' }, h('span', { class: 'unseen' }, say('person_said', { name: item.name })), h('span', { class: 'name', 'aria-hidden': 'true' }, item.name), bubble));
  return { node, draw: () => render(bubble, item.text, links) };
}

function note({ say }: LogContext, item: Note): Drawn {
  const text = say(`note_${item.what}`, { name: item.name });
  const after = item.what === 'ended' || item.what === 'expired' ? h('span', { class: 'more' }, say('over')) : null;
  const node = h('li', { class: 'note' }, h('span', { dir: 'auto' }, text), after);
  return { node, draw: () => {} };
}

/** Title and headings; a document's first heading is often its title again. */
function trail({ title, document: id, headings }: Citation): string[] {
  const name = title || id;
  return [name, ...(headings[0] === name ? headings.slice(1) : headings)];
}

function answer(context: LogContext, item: Answer, redraw: () => void): Drawn {
  const { talk, say, settings } = context;
  const waiting = h('div', { class: 'waiting' });
  const prose = h('div', { class: 'prose', dir: 'auto' });
  const bubble = h('div', { class: 'bubble' }, prose, waiting);
  const after = h('div', { class: 'after' });
  const node = h('li', { class: 'answer' }, h('span', { class: 'unseen' }, say('ai_said')), bubble, after);
  const state = { open: null as number | null, asking: false, thanked: false };
  let shownBelow = '';
  let shownWaiting = '';
  let linkable = '';

  const words = (): [string, boolean] => {
    if (!talk.link.online) return [say('held_up'), false];
    if (item.queue !== null && !item.text) return [item.queue <= 1 ? say('queued_next') : say('queued', { n: item.queue }), true];
    if (item.thinking && !item.text) return [say('thinking'), true];
    const silent = Date.now() - item.since;
    return [silent > VERY_SLOW_MS ? say('very_slow') : silent > SLOW_MS ? say('slow') : say('looking'), true];
  };

  const draw = (): void => {
    const writing = !item.end;
    node.classList.toggle('writing', writing);
    // A cited address becomes a link only once it is cited: then what stands is drawn anew.
    const urls = [...item.citations.values()].map(({ url }) => url).filter(Boolean).join(' ');
    const links: Links = allowedLinks(urls.split(' '), settings.link_hosts);
    (urls === linkable ? render : renderAnew)(prose, writing ? closed(item.text) : item.text, links);
    linkable = urls;
    bubble.hidden = !writing && item.text === '';

    waiting.hidden = !writing || (item.text !== '' && talk.link.online);
    if (!waiting.hidden) {
      const [text, moving] = words();
      const now = `${moving}${text}`;
      if (now !== shownWaiting) {
        shownWaiting = now;
        waiting.replaceChildren(...(moving ? [h('span', { class: 'dots', 'aria-hidden': 'true' }, h('i'), h('i'), h('i'))] : []), text);
        waiting.classList.toggle('held', !moving);
      }
    }
    node.classList.toggle('held', writing && !talk.link.online);

    // What stands below is drawn again only when it changed: a button that is in focus must not go.
    const below = JSON.stringify([item.end, item.withheld, item.rating, state, [...item.citations.keys()], talk.person.state, talk.link.online, talk.over, item.products.length]);
    if (below === shownBelow) return;
    shownBelow = below;
    const focused = (after.getRootNode() as ShadowRoot).activeElement;
    const key = focused instanceof HTMLElement && after.contains(focused) ? focused.dataset.key : undefined;
    const typed = after.querySelector('textarea')?.value ?? '';
    after.replaceChildren();
    add(after, ...belowIt());
    const box = after.querySelector('textarea');
    if (box) box.value = typed;
    if (key) after.querySelector<HTMLElement>(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
  };

  const change = (act: () => void): (() => void) => () => { act(); redraw(); };

  function belowIt(): (Node | null)[] {
    const parts: (Node | null)[] = [];
    if (item.citations.size > 0) parts.push(...sources());
    if (item.end && item.withheld > 0) parts.push(h('p', { class: 'remark' }, say('withheld', { n: item.withheld })));
    const remarked = REMARKS.find((end) => end === item.end);
    if (remarked) {
      const words = h('p', { class: remarked === 'failed' ? 'remark bad' : 'remark' }, remark(say, item));
      const question = talk.items.find((one) => one.kind === 'said' && one.seq === item.turn) as Said | undefined;
      if (remarked === 'failed' && question && !talk.over) {
        words.append(' ', h('button', { type: 'button', class: 'small', 'data-key': 'again', onclick: () => talk.say(question.text) }, say('ask_again')));
      }
      parts.push(words);
    }
    if (item.products.length > 0) parts.push(products(context, item.products));
    if (item.end === 'declined' && talk.person.state === 'none' && !talk.over) {
      parts.push(h('div', {}, h('button', { type: 'button', class: 'small strong', 'data-key': 'person', onclick: () => talk.human() }, icon(icons.PERSON), say('human'))));
    }
    if (item.end === 'complete' || item.end === 'length' || item.end === 'declined') parts.push(verdict());
    return parts;
  }

  function sources(): Node[] {
    const panel = `source-${item.turn}`;
    const chips = (name: string, citations: Citation[]): Node => h('ul', { class: 'sources', 'aria-label': name }, ...citations.map((citation, at) => {
      const open = state.open === citation.n;
      const [title, ...headings] = trail(citation) as [string, ...string[]];
      // Behind a place in the same document the title says nothing new.
      const named = headings.length > 0 && citations[at - 1]?.document === citation.document ? [] : [title];
      return h('li', {}, h('button', {
        type: 'button', class: 'chip', 'aria-expanded': String(open), 'aria-controls': open ? panel : null, 'data-key': `source-${citation.n}`,
        onclick: change(() => { state.open = open ? null : citation.n; }),
      }, h('span', { class: 'cut', dir: 'auto' }, [...named, ...headings.slice(-1)].join(' › '))));
    }));
    // Two passages of one place have one chip; it shows both.
    const places = new Map<string, Citation[]>();
    for (const one of [...item.citations.values()].sort((a, b) => a.n - b.n)) {
      const place = JSON.stringify([one.document, trail(one), one.related ?? false]);
      places.set(place, [...(places.get(place) ?? []), one]);
    }
    const all = [...places.values()].map(([first]) => first!);
    const related = all.filter((one) => one.related);
    const lists = [chips(say('sources'), all.filter((one) => !one.related))];
    // What only came close doesn't pass for where the answer stands.
    if (related.length > 0) lists.push(h('p', { class: 'also', 'aria-hidden': 'true' }, say('see_also')), chips(say('see_also'), related));
    const shown = state.open === null ? undefined : item.citations.get(state.open);
    if (!shown) return lists;
    const [title, ...headings] = trail(shown) as [string, ...string[]];
    const source = h('div', { class: 'source', id: panel, role: 'group', 'aria-label': title },
      h('p', { class: 'trail', dir: 'auto' }, h('b', {}, title), ...headings.map((heading) => ` › ${heading}`)));
    for (const { quote } of [...places.values()].find(([first]) => first!.n === shown.n) ?? [shown]) {
      const words = h('blockquote', { dir: 'auto' });
      render(words, quote, noLinks);
      source.append(words);
    }
    const url = webAddress(shown.url);
    if (url) {
      // The host is named: a title can say anything.
      const anchor = link(url, say('open_source', { host: url.host }));
      anchor.append(icon(icons.OUT));
      source.append(anchor);
    }
    return [...lists, source];
  }

  function verdict(): Node {
    const row = h('div', { class: 'verdict', role: 'group', 'aria-label': say('rate') });
    const thumb = (rating: Rating, label: string, drawing: string): Node => {
      const pressed = item.rating === rating;
      return h('button', {
        type: 'button', class: 'thumb', title: label, 'aria-label': label, 'aria-pressed': String(pressed), 'data-key': rating,
        disabled: !talk.link.online,
        onclick: change(() => {
          if (!pressed) state.thanked = talk.feedback(item, rating);
          state.asking = rating === 'down' && !state.asking;
        }),
      }, icon(drawing));
    };
    add(row, thumb('up', say('helpful'), icons.THUMB_UP), thumb('down', say('unhelpful'), icons.THUMB_DOWN));
    if (state.thanked && !state.asking) row.append(h('span', { class: 'thanks', role: 'status' }, say('thanks')));
    if (!state.asking) return row;
    return h('div', {}, row, reasons());
  }

  function reasons(): Node {
    const name = `why-${item.turn}`;
    const more = h('textarea', { rows: 2, maxlength: 1000, 'aria-label': say('why_more'), placeholder: say('why_more'), 'data-key': 'more', dir: 'auto' });
    const form = h('form', {
      class: 'why',
      onsubmit: ((event: SubmitEvent) => {
        event.preventDefault();
        const chosen = form.querySelector<HTMLInputElement>('input:checked')?.value;
        const text = [chosen, more.value.trim()].filter(Boolean).join(': ');
        if (text) talk.feedback(item, 'down', text);
        change(() => { state.asking = false; state.thanked = true; })();
        after.querySelector<HTMLElement>('[data-key="down"]')?.focus();
      }) as (event: never) => void,
    },
    h('fieldset', {}, h('legend', {}, say('why')), ...(['wrong', 'off', 'unclear', 'long'] as const).map((one) =>
      h('label', {}, h('input', { type: 'radio', name, value: one, class: 'unseen' }), h('span', {}, say(`why_${one}`))))),
    more,
    h('div', { class: 'row' },
      h('button', { type: 'submit', class: 'small strong', 'data-key': 'why-send' }, say('why_send')),
      h('button', { type: 'button', class: 'small', 'data-key': 'why-cancel', onclick: change(() => { state.asking = false; }) }, say('cancel'))));
    return form;
  }

  return { node, draw };
}

function products({ say, server, language, talk }: LogContext, found: Product[]): Node {
  const list = h('ul', { class: 'products', 'aria-label': say('products'), tabindex: 0 });
  for (const product of found.slice(0, 10)) {
    const tile = h('div', { class: 'tile', 'aria-hidden': 'true' }, initial(product.name));
    void picture(tile, product.image, server);
    const url = webAddress(product.url);
    const name = url ? link(url, product.name, { class: 'name', 'aria-label': `${product.name}. ${say('view', { host: url.host })}` }) : h('span', { class: 'name' }, product.name);
    name.addEventListener('click', () => talk.opened(product));
    const money = new Intl.NumberFormat(language, { style: 'currency', currency: product.currency });
    const price = product.price_to ? money.formatRange(product.price, product.price_to) : money.format(product.price);
    list.append(h('li', { class: 'product' }, tile, h('div', { class: 'facts' }, name,
      product.variant ? h('span', { class: 'variant', dir: 'auto' }, product.variant) : null,
      h('span', { class: 'price' }, price),
      product.reason ? h('span', { class: 'reason', dir: 'auto' }, product.reason) : null)));
  }
  return list;
}
