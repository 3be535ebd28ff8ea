// One visitor's conversation as a page knows it: what was said, what is being said, what isn't
// acknowledged yet.
//
// The log on the server is the only history: a page that loads asks for everything (`last_seq` 0),
// a connection that comes back for what it missed. Everything is merged by id, turn and seq, so
// that hearing it twice changes nothing.

import { Link } from './link.ts';
import { isCount, isText, read, type AnswerEnd, type Attributes, type Citation, type ClientMessage, type Product, type Rating, type ServerMessages, type Source } from './protocol.ts';
import { firstScalars, newId, scalars } from './text.ts';

/** Something the visitor said. Without `seq` it is not acknowledged. */
export interface Said {
  kind: 'said';
  order: number;
  id: string;
  text: string;
  seq: number | null;
  state: 'sending' | 'sent' | 'failed';
  /** When it was said, in milliseconds since the epoch: by this browser's clock until the server's log is read. */
  at: number | null;
  /** Why it was refused, and `Date.now()` from which on sending again may help; 0 is at once. */
  problem: { code: string; text: string; at: number } | null;
  sentAt: number;
}

/** An answer to the message with seq `turn`, whole once it has an `end`. */
export interface Answer {
  kind: 'answer';
  order: number;
  turn: number;
  text: string;
  /** Of the event that ended it. */
  seq: number;
  at: number | null;
  /** Unicode scalar values of `text`. */
  chars: number;
  citations: Map<number, Citation>;
  withheld: number;
  queue: number | null;
  /** The model thinks before it answers. */
  thinking: boolean;
  end: AnswerEnd | null;
  rating: Rating | null;
  stopping: boolean;
  /** `Date.now()` when it was begun, and of the last sign of it. */
  since: number;
  newsAt: number;
  products: Product[];
}

/** Something a person of the site said. */
export interface AgentSaid {
  kind: 'agent';
  order: number;
  seq: number;
  at: number | null;
  text: string;
  name: string;
}

/** Something that happened, worth a line between messages. */
export interface Note {
  kind: 'note';
  order: number;
  at: number | null;
  what: 'human' | 'handoff' | 'joined' | 'left' | 'left_waiting' | 'ended' | 'expired';
  name: string;
}

export type Item = Said | Answer | AgentSaid | Note;

/** Who answers, and how far a wish for a person has come. */
export interface Person {
  state: 'none' | 'asked' | 'waiting' | 'here';
  name: string;
  /** Place in the line, from 1; null where the server didn't say. */
  place: number | null;
  /** Whether somebody who takes conversations is there now. */
  available: boolean | null;
  contact: string;
  /** Whether the person who is here is typing, as far as was heard lately. */
  typing: boolean;
}

/**
 * What changed. `item`: one is new or different; `fresh` if it was said just now and not before this page came. `cleared`: the
 * conversation is another one. `state`: connection, person, over.
 */
export type Change =
  | { type: 'item'; item: Item; fresh: boolean }
  | { type: 'cleared'; visibly: boolean }
  | { type: 'forgotten' }
  | { type: 'error'; code: string; message: string }
  | { type: 'state' };

export interface TalkOptions {
  site: string;
  /** Address of the socket. */
  url: string;
  /** Where the visitor came from, told with a new conversation. */
  source?: Source | undefined;
  /** The page's language, as its `lang` says. */
  page?: string | undefined;
  change: (change: Change) => void;
}

/** Who the visitor is, as the site says. `token` is signed by the site; a function is asked again for each connection. */
export interface Identity {
  token?: string | (() => string | Promise<string>);
  attributes?: Attributes;
}

/** Milliseconds: for an acknowledgement; of silence during an answer after which the connection is tried. */
const ACK_MS = 20_000;
const SILENCE_MS = 25_000;
/** Conversations remembered so that they can be erased together. */
const MAX_EARLIER = 31;
const TYPING_MS = 400;
/** How often it is said that somebody types, and how long a word of it holds: one that is lost goes unnoticed. */
const TYPING_SIGN_MS = 3_000;
const TYPING_SHOWN_MS = 6_000;

const nobody = (): Person => ({ state: 'none', name: '', place: null, available: null, contact: '', typing: false });

export class Talk {
  readonly link: Link;
  items: Item[] = [];
  person = nobody();
  /** Whether somebody who takes conversations is there, as the server said last; null while it hasn't. */
  available: boolean | null = null;
  /** The conversation has ended; the next message begins another one. */
  over = false;
  lastSeq = 0;
  /** What the visitor has seen, in this tab or another one. */
  readSeq = 0;
  session: string | null = null;
  #token: string | null = null;
  #identity: Identity = {};
  #options: TalkOptions;
  #keep: string;
  /** Events up to here are history. */
  #silentTo = 0;
  #restarted = false;
  #earlier: string[] = [];
  /** Conversations that are to end. */
  #ends: string[] = [];
  #forgetting = false;
  /** Another tab ended the conversation this one was connected to. */
  #resting = false;
  #typed = { text: '', at: 0, timer: 0 as ReturnType<typeof setTimeout> | 0 };
  #typingEnds: ReturnType<typeof setTimeout> | 0 = 0;
  #stop = new AbortController();

  constructor(options: TalkOptions) {
    this.#options = options;
    this.#keep = `frontdesk:${options.site}`;
    this.link = new Link({
      url: options.url,
      hello: () => this.#hello(),
      frame: (text) => this.#receive(text),
      change: () => this.#linkChanged(),
    });
    this.#join(this.#kept());
    this.readSeq = Number(keptItem(local, `${this.#keep}:read`, 0)) || 0;
    const { sessions, token } = keptItem(local, `${this.#keep}:ends`, {}) as { sessions?: unknown; token?: unknown };
    if (Array.isArray(sessions)) this.#ends = sessions.filter(isText);
    // Only whose they are can end them: where no conversation remembers who that is, they do.
    if (this.session === null && this.#ends.length > 0) {
      this.#token = typeof token === 'string' ? token : null;
      this.#earlier = this.#ends;
    }
    for (const { id, text } of this.#keptOutbox()) this.#saidItem(id, text, null);
    addEventListener('storage', (event) => this.#otherTab(event), { signal: this.#stop.signal });
    const watching = setInterval(() => this.#watch(), 5_000);
    this.#stop.signal.addEventListener('abort', () => clearInterval(watching));
  }

  /**
   * True if this browser has a conversation that can be gone on with, or words that are still to be sent. One of a visitor whom the
   * site signs in waits until the site says who it is.
   */
  get known(): boolean {
    return (this.session !== null && (this.#token ?? this.#identity.token) != null) || this.unsent.length > 0 || this.#ends.length > 0;
  }

  /** The conversation is over, or will be as soon as the server hears of it. */
  get #gone(): boolean {
    return this.over || (this.session !== null && this.#ends.includes(this.session));
  }

  /** What stands in the composer: the tab's, until it is sent. */
  get begun(): string {
    const text = keptItem(tab, `${this.#keep}:begun`, '');
    return typeof text === 'string' ? text : '';
  }

  set begun(text: string) {
    keepItem(tab, `${this.#keep}:begun`, text || null);
  }

  get answers(): Answer[] {
    return this.items.filter((item) => item.kind === 'answer');
  }

  get running(): Answer | null {
    return this.answers.findLast((answer) => !answer.end) ?? null;
  }

  get unsent(): Said[] {
    return this.items.filter((item) => item.kind === 'said' && item.seq === null) as Said[];
  }

  /** Whole answers and people's messages that were not seen yet. */
  get unread(): number {
    return this.items.filter((item) => seqOf(item) > this.readSeq).length;
  }

  connect(): void {
    if (this.link.state === 'idle') this.link.connect();
  }

  /** Everything up to now was seen. */
  markRead(): void {
    const seen = this.items.reduce((most, item) => Math.max(most, seqOf(item)), 0);
    if (seen <= this.readSeq) return;
    this.readSeq = seen;
    keepItem(local, `${this.#keep}:read`, seen);
    this.#changed();
  }

  /** Who the visitor is. Takes effect at once: another visitor has another conversation. */
  identify(identity: Identity): void {
    const other = identity.token !== undefined && this.#identity.token === undefined;
    this.#identity = { ...this.#identity, ...identity };
    if (other && this.#token) {
      // The anonymous conversation stays with the anonymous visitor.
      this.#token = null;
      this.#clear(true);
      keepItem(local, this.#keep, null);
    }
    if (this.link.state !== 'idle' || this.known) this.link.connect();
  }

  say(text: string): void {
    if (this.#gone) this.#begin();
    const said = this.#saidItem(newId(), text, null);
    this.#keepOutbox();
    Object.assign(this.#typed, { text: '', at: 0 });
    if (this.link.state === 'idle') this.link.connect();
    else this.#transmit(said);
  }

  /** Sends a refused message again. */
  again(said: Said): void {
    said.state = 'sending';
    said.problem = null;
    this.#tell(said);
    this.#transmit(said);
  }

  /** What stands in the composer: says that somebody types, and with `withText` the words as a draft, too. */
  typing(text: string, withText: boolean): void {
    const { timer, at } = this.#typed;
    if (timer) clearTimeout(timer);
    if (text.trim() && Date.now() - at >= TYPING_SIGN_MS && this.#send({ type: 'typing' })) this.#typed.at = Date.now();
    if (!withText) return;
    this.#typed.timer = setTimeout(() => {
      if (text === this.#typed.text) return;
      this.#typed.text = text;
      this.#send({ type: 'typing', text });
    }, TYPING_MS);
  }

  stop(): void {
    const answer = this.running;
    if (!answer || answer.stopping || !this.#send({ type: 'cancel', turn: answer.turn })) return;
    answer.stopping = true;
    this.#tell(answer);
  }

  /** Asks for a person; once the connection is there, if it isn't. */
  human(): void {
    if (this.#gone) this.#begin();
    if (this.person.state !== 'none') return;
    this.person.state = 'asked';
    if (this.link.state === 'idle') this.link.connect();
    else this.#send({ type: 'human' });
    this.#changed();
  }

  feedback(answer: Answer, rating: Rating, text?: string): boolean {
    return this.#send(text ? { type: 'feedback', turn: answer.turn, rating, text } : { type: 'feedback', turn: answer.turn, rating });
  }

  opened(product: Product): void {
    this.#send({ type: 'recommendation.click', id: product.id });
  }

  /** True while a conversation is to end once there is a connection. */
  get ending(): boolean {
    return this.#ends.length > 0 && !this.link.online;
  }

  /** Ends the conversation; what was said stays on the page. False if it ends only once there is a connection. */
  end(): boolean {
    return this.over || !this.session || this.#end(this.session);
  }

  /** Begins another conversation on an empty page. False if the old one ends only once there is a connection. */
  startOver(): boolean {
    const ended = this.over || this.lastSeq === 0 || !this.session || this.#end(this.session);
    this.#clear(true);
    this.#keepSession();
    this.#keepOutbox();
    this.link.connect();
    return ended;
  }

  /** Erases this conversation and earlier ones of this browser, here and on the server. False without a connection. */
  forget(): boolean {
    const also = this.#earlier.filter((id) => id !== this.session);
    this.#forgetting = this.#send(also.length > 0 ? { type: 'forget', also } : { type: 'forget' });
    return this.#forgetting;
  }

  destroy(): void {
    this.#stop.abort();
    clearTimeout(this.#typed.timer);
    clearTimeout(this.#typingEnds);
    this.link.destroy();
  }

  // == Connection

  async #hello(): Promise<ClientMessage> {
    const { token, attributes } = this.#identity;
    const signed = typeof token === 'function' ? await token() : token;
    const shown = signed ?? this.#token;
    const answer = this.running;
    return {
      type: 'hello',
      site: this.#options.site,
      last_seq: this.lastSeq,
      ...(shown ? { token: shown } : {}),
      ...(this.session && shown ? { session: this.session } : {}),
      ...(this.session && shown && answer && answer.chars > 0 ? { partial: { turn: answer.turn, offset: answer.chars } } : {}),
      ...(this.#options.source && !(this.session && shown) ? { source: this.#options.source } : {}),
      ...(attributes ? { attributes } : {}),
      ...(this.#options.page ? { language: this.#options.page } : {}),
    };
  }

  #linkChanged(): void {
    // Whether somebody still types is not known any more.
    if (!this.link.online) this.person.typing = false;
    if (this.link.state === 'waiting' || this.link.state === 'offline') {
      for (const said of this.unsent) said.sentAt = 0;
      for (const answer of this.answers) answer.stopping = false;
    }
    for (const item of this.items) {
      if ((item.kind === 'answer' && !item.end) || (item.kind === 'said' && item.seq === null)) this.#tell(item);
    }
    this.#changed();
  }

  /** No sign of an answer for long: either it takes long, or the connection is dead and nobody said so. Coming back tells. */
  #watch(): void {
    const answer = this.running;
    if (!answer || !this.link.online || Date.now() - answer.newsAt < SILENCE_MS) return;
    answer.newsAt = Date.now();
    this.link.connect();
  }

  /** A connection may be dead without anybody knowing: what is to end is remembered until that is heard of, or was said anew. */
  #end(session: string): boolean {
    this.#keepEnds([...this.#ends.filter((id) => id !== session), session]);
    const sent = this.#send({ type: 'end' });
    if (!sent) this.#changed();
    return sent;
  }

  #keepEnds(ends: string[]): void {
    this.#ends = ends.slice(-MAX_EARLIER);
    const token = this.#identity.token ? null : this.#token;
    keepItem(local, `${this.#keep}:ends`, ends.length > 0 ? { sessions: this.#ends, token } : null);
  }

  #send(message: ClientMessage): boolean {
    return this.link.send(message);
  }

  /** Sends a message that isn't acknowledged. No word of it for long means that the connection is dead. */
  #transmit(said: Said): void {
    if (!this.#send({ type: 'message', id: said.id, text: said.text })) return this.#tell(said);
    const sentAt = Date.now();
    said.sentAt = sentAt;
    this.#tell(said);
    this.link.after(ACK_MS, () => { if (said.state === 'sending' && said.sentAt === sentAt) this.link.lost('silent'); });
  }

  // == What is kept in the browser

  #kept(): { session: string; token: string | null; earlier: string[] } | null {
    const value = keptItem(local, this.#keep, null) as Record<string, unknown> | null;
    if (!value || typeof value.session !== 'string') return null;
    const earlier = Array.isArray(value.earlier) ? value.earlier.filter((id) => typeof id === 'string') : [];
    return { session: value.session, token: typeof value.token === 'string' ? value.token : null, earlier };
  }

  #join(kept: { session: string; token: string | null; earlier: string[] } | null): void {
    if (!kept) return;
    this.session = kept.session;
    this.#token = kept.token;
    this.#earlier = kept.earlier;
  }

  /** Session and token are the browser's: a second tab joins. A signed token is the site's to keep. */
  #keepSession(): void {
    const token = this.#identity.token ? null : this.#token;
    keepItem(local, this.#keep, this.session ? { session: this.session, token, earlier: this.#earlier } : null);
  }

  /** What isn't acknowledged is the tab's, and outlives a reload. */
  #keepOutbox(): void {
    const waiting = this.unsent.map(({ id, text }) => ({ id, text }));
    keepItem(tab, `${this.#keep}:unsent`, waiting.length > 0 ? waiting : null);
  }

  #keptOutbox(): { id: string; text: string }[] {
    const value = keptItem(tab, `${this.#keep}:unsent`, []);
    return Array.isArray(value) ? value.filter((one) => isText(one?.id) && isText(one?.text)) : [];
  }

  #otherTab({ key, newValue }: StorageEvent): void {
    if (key === `${this.#keep}:read`) {
      this.readSeq = Math.max(this.readSeq, Number(newValue) || 0);
      return this.#changed();
    }
    if (key !== this.#keep && key !== null) return;
    const other = this.#kept();
    if (other?.session === this.session) return;
    // Another tab began another conversation, or forgot this one. One that has words of its own on
    // the way goes on.
    if (other ? this.lastSeq > 0 && !this.over : this.unsent.length > 0) return;
    const connected = this.link.state !== 'idle' || this.#resting;
    this.#clear(true);
    this.#token = null;
    this.#join(other);
    // Nobody has to be known again just because a tab is open: without a conversation, the next
    // word or the next one's begin it.
    this.#resting = connected && other === null;
    if (this.#resting) this.link.rest();
    else if (connected) this.link.connect();
  }

  // == Items

  #clear(visibly: boolean): void {
    if (this.session) this.#earlier = [...new Set([...this.#earlier, this.session])].slice(-MAX_EARLIER);
    this.session = null;
    this.lastSeq = this.#silentTo = 0;
    this.over = false;
    this.person = nobody();
    this.items = [];
    this.readSeq = 0;
    keepItem(local, `${this.#keep}:read`, null);
    this.#options.change({ type: 'cleared', visibly });
    this.#changed();
  }

  /** Another conversation, with the words that came too late for the old one: the one another tab began meanwhile, if it did. */
  #begin(): void {
    const other = this.#kept();
    const old = this.session;
    const waiting = this.unsent;
    this.#clear(false);
    if (other && other.session !== old) this.#join(other);
    this.#keepSession();
    for (const said of waiting) this.#place(said);
    this.link.connect();
  }

  #place<T extends Item>(item: T): T {
    const at = this.items.indexOf(item);
    if (at >= 0) this.items.splice(at, 1);
    let to = this.items.length;
    while (to > 0 && this.items[to - 1]!.order > item.order) to -= 1;
    this.items.splice(to, 0, item);
    this.#tell(item);
    return item;
  }

  #tell(item: Item): void {
    this.#options.change({ type: 'item', item, fresh: when(item) > this.#silentTo });
  }

  #changed(): void {
    this.#options.change({ type: 'state' });
  }

  #saidItem(id: string, text: string, seq: number | null, at?: number): Said {
    let said = this.items.find((item) => item.kind === 'said' && item.id === id) as Said | undefined;
    said ??= { kind: 'said', order: 0, id, text, seq: null, state: 'sending', at: Date.now(), problem: null, sentAt: 0 };
    if (at) said.at = at;
    if (seq !== null) Object.assign(said, { seq, state: 'sent', problem: null });
    said.order = seq ?? Number.MAX_SAFE_INTEGER;
    return this.#place(said);
  }

  #answer(turn: number): Answer {
    const present = this.items.find((item) => item.kind === 'answer' && item.turn === turn) as Answer | undefined;
    if (present) {
      present.newsAt = Date.now();
      return present;
    }
    const now = Date.now();
    return this.#place<Answer>({
      kind: 'answer',
      order: turn + 0.5,
      turn,
      text: '',
      seq: 0,
      at: null,
      chars: 0,
      citations: new Map(),
      withheld: 0,
      queue: null,
      thinking: false,
      end: null,
      rating: null,
      stopping: false,
      since: now,
      newsAt: now,
      products: [],
    });
  }

  #note({ seq: order, at_ms: at = 0 }: { seq: number; at_ms?: number }, what: Note['what'], name = ''): void {
    if (this.items.some((item) => item.kind === 'note' && item.order === order)) return;
    this.#place({ kind: 'note', order, at: at || null, what, name });
  }

  // == What the server says

  #receive(frame: string): void {
    const message = read(frame);
    if (!message) return;
    // An acknowledgement may overtake older events, so only events move this on.
    if (message.type !== 'ack' && 'seq' in message && isCount(message.seq)) this.lastSeq = Math.max(this.lastSeq, message.seq);
    if (message.type === 'unknown') return;
    (this.#heard[message.type] as (message: unknown) => void)(message);
    this.#changed();
  }

  #heard: { [K in keyof ServerMessages]: (message: ServerMessages[K]) => void } = {
    welcome: ({ session, token, last_seq: storedSeq, available }) => {
      const other = this.#kept();
      if (!this.session && other && other.session !== session && other.token) {
        // Two tabs began at once: one conversation is enough.
        this.#join(other);
        return this.link.connect();
      }
      if (this.#identity.token === undefined) this.#token = token;
      this.available = available ?? null;
      this.session = session;
      if (this.lastSeq === 0) this.#silentTo = storedSeq;
      this.#keepSession();
      this.#restarted = false;
      this.link.welcome();
      for (const said of this.unsent) if (said.state === 'sending') this.#transmit(said);
      if (this.person.state === 'asked') this.#send({ type: 'human' });
      for (const id of this.#ends) this.#send(id === session ? { type: 'end' } : { type: 'end', session: id });
      // Of this conversation's end the log will tell.
      this.#keepEnds(this.#ends.filter((id) => id === session));
    },

    ack: ({ id, seq }) => {
      const said = this.items.find((item) => item.kind === 'said' && item.id === id) as Said | undefined;
      if (said) this.#saidItem(id, said.text, seq);
      this.#keepOutbox();
    },

    message: ({ id, seq, text, at_ms: at }) => {
      this.#saidItem(id, text, seq, at);
      this.#keepOutbox();
    },

    queue: ({ turn, place }) => {
      const answer = this.#answer(turn);
      answer.queue = place;
      this.#tell(answer);
    },

    thinking: ({ turn }) => {
      const answer = this.#answer(turn);
      answer.queue = null;
      answer.thinking = true;
      this.#tell(answer);
    },

    'answer.started': ({ turn, at_ms: at }) => {
      const answer = this.#answer(turn);
      answer.at = at || null;
      this.#tell(answer);
    },

    'answer.delta': ({ turn, offset, text }) => {
      const answer = this.#answer(turn);
      if (answer.end) return;
      // Words are missing between ours and these: ask for them again.
      if (offset > answer.chars) return this.link.lost('gap');
      if (offset < answer.chars) answer.text = firstScalars(answer.text, offset);
      answer.text += text;
      answer.chars = offset + scalars(text);
      this.#tell(answer);
    },

    'answer.citation': ({ turn, citation }) => {
      const answer = this.#answer(turn);
      answer.citations.set(citation.n, citation);
      this.#tell(answer);
    },

    'answer.withheld': ({ turn }) => {
      const answer = this.#answer(turn);
      answer.withheld += 1;
      this.#tell(answer);
    },

    'answer.done': ({ turn, seq, text, citations, end, at_ms: at }) => {
      const answer = this.#answer(turn);
      Object.assign(answer, { text, seq, chars: scalars(text), end, at: answer.at ?? (at || null) });
      // An answer that was stopped comes without its citations; those that arrived still say where
      // its words are from.
      if (citations.length > 0 || end === 'complete') answer.citations = new Map(citations.map((one) => [one.n, one]));
      this.#tell(answer);
    },

    'human.requested': (event) => {
      if (this.person.state !== 'here') this.person.state = 'waiting';
      this.#note(event, 'human');
    },

    handoff: (event) => {
      // One that follows the visitor's own wish says nothing new.
      if (this.person.state === 'none') this.#note(event, 'handoff');
      if (this.person.state !== 'here') this.person.state = 'waiting';
    },

    'human.queue': ({ place, available, contact }) => {
      this.available = available;
      this.person = { ...this.person, state: 'waiting', place, available, contact: contact ?? '' };
    },

    'agent.joined': (event) => {
      const { name } = event;
      this.available = true;
      this.person = { ...nobody(), state: 'here', name };
      this.#note(event, 'joined', name);
    },

    'agent.left': (event) => {
      const { name, waiting } = event;
      this.person = { ...nobody(), state: waiting ? 'waiting' : 'none' };
      this.#note(event, waiting ? 'left_waiting' : 'left', name);
    },

    'agent.typing': ({ name }) => {
      if (this.person.state !== 'here' || this.person.name !== name) return;
      this.person.typing = true;
      clearTimeout(this.#typingEnds);
      this.#typingEnds = setTimeout(() => {
        this.person.typing = false;
        this.#changed();
      }, TYPING_SHOWN_MS);
    },

    'agent.message': ({ seq, text, name, at_ms: at }) => {
      this.person.typing = false;
      if (this.items.some((item) => item.kind === 'agent' && item.seq === seq)) return;
      this.#place({ kind: 'agent', order: seq, seq, at: at || null, text, name });
    },

    recommendation: ({ turn, products }) => {
      const answer = turn === undefined ? this.answers.at(-1) : this.#answer(turn);
      if (!answer) return;
      answer.products = products;
      this.#tell(answer);
    },

    'feedback.received': ({ turn, rating }) => {
      const answer = this.answers.find((one) => one.turn === turn);
      if (!answer) return;
      answer.rating = rating;
      this.#tell(answer);
    },

    ended: (event) => {
      this.over = true;
      this.#keepEnds(this.#ends.filter((id) => id !== this.session));
      this.person = nobody();
      this.#note(event, event.reason === 'expired' ? 'expired' : 'ended');
      // What came too late for the old conversation opens the new one.
      if (this.unsent.some((said) => said.state === 'sending')) this.#begin();
    },

    forgotten: () => {
      this.#forgetting = false;
      this.#clear(true);
      this.#token = null;
      this.#earlier = [];
      this.#keepEnds([]);
      this.#options.source = undefined;
      this.#keepSession();
      this.#keepOutbox();
      this.link.rest();
      this.#options.change({ type: 'forgotten' });
    },

    error: ({ code, message: text, retry_after_ms: wait, id }) => {
      const patience = wait ?? 0;
      const said = id ? (this.items.find((item) => item.kind === 'said' && item.id === id) as Said | undefined) : undefined;
      if (!this.link.online) return this.#helloRefused(code, text, patience);
      // A session that has events was ended meanwhile; a fresh one that says so would say so for
      // ever.
      if (code === 'session_ended' && said && this.lastSeq > 0) return this.#begin();
      // Our own wish to be forgotten sends everybody away, us among them.
      if (code === 'draining') return this.#forgetting ? undefined : this.link.lost('restarting', patience);
      if (code === 'too_slow') return this.link.lost('slow', patience);
      if (said) {
        Object.assign(said, { state: 'failed', problem: { code, text, at: patience ? Date.now() + patience : 0 } });
        return this.#tell(said);
      }
      // A stop that came too late needs no words.
      if (code === 'unknown_turn') return;
      this.#forgetting = false;
      if (this.person.state === 'asked') this.person.state = 'none';
      this.#options.change({ type: 'error', code, message: text });
    },
  };

  /** The server said no to our hello. */
  #helloRefused(code: string, text: string, patience: number): void {
    if (code === 'draining' || code === 'storage_failed') return this.link.lost('restarting', patience);
    if (code === 'overloaded' || code === 'rate_limited') return this.link.lost('busy', patience);
    const shown = this.#token ?? this.#identity.token;
    if ((code === 'unknown_session' || code === 'unauthorized') && shown && !this.#restarted) {
      this.#restarted = true;
      if (code === 'unauthorized' || !this.#identity.token) this.#token = null;
      if (code === 'unknown_session') this.#earlier = this.#earlier.filter((one) => one !== this.session);
      return this.#begin();
    }
    this.#options.change({ type: 'error', code, message: text });
    this.link.refuse(code, text);
  }
}

/** `seq` of what a visitor may have missed: a whole answer, a person's message. Others count as seen. */
function seqOf(item: Item): number {
  if (item.kind === 'agent') return item.seq;
  return item.kind === 'answer' && item.end && item.text ? item.seq : 0;
}

/** `seq` of the event that an item stands for; what is not on disk yet comes after everything that is. */
function when(item: Item): number {
  if (item.kind === 'note') return item.order;
  return item.seq || Number.MAX_SAFE_INTEGER;
}

const local = (): Storage => window.localStorage;
const tab = (): Storage => window.sessionStorage;

function keptItem(storage: () => Storage, key: string, fallback: unknown): unknown {
  try {
    return JSON.parse(storage().getItem(key) ?? 'null') ?? fallback;
  } catch {
    return fallback;
  }
}

function keepItem(storage: () => Storage, key: string, value: unknown): void {
  try {
    if (value === null) storage().removeItem(key);
    else storage().setItem(key, JSON.stringify(value));
  } catch {
    // Storage is off or full: the conversation lives as long as this page.
  }
}
