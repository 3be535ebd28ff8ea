// What this console knows: who is signed in, the inbox, the conversations that are open. Pages show
// it, actions change it.

import { ApiError, api, session as signIn, sitePath } from './api';
import * as begun from './begun';
import { Cell } from './cell';
import { Link, type LinkState, Refused } from './link';
import { type Action, type Counts, type FromServer, type List, type Me, type MySite, PAGE, type Presence, type Summary } from './protocol';
import { Talk } from './talk';
import { newId } from './text';

export interface Filter {
  text: string;
  channel: string;
  agent: string;
  unanswered: boolean;
  intent: boolean;
}

export const NO_FILTER: Filter = { text: '', channel: '', agent: '', unanswered: false, intent: false };
/** Purchase intent from which on a conversation counts as hot. */
export const HOT = 0.6;

/** How often it is said that the agent types, and how long a word of the visitor's typing holds: one that is lost goes unnoticed. */
const TYPING_SIGN_MS = 3_000;
const TYPING_SHOWN_MS = 6_000;

export interface Toast { id: string; text: string; tone: 'plain' | 'bad' | 'good'; action?: { label: string; act: () => void } }

/** Something an open page may want to tell of: the desktop notifications listen. */
export type News = { kind: 'waiting' | 'message'; summary: Summary };

class Desk extends Cell {
  /** `undefined` until the server has said. */
  me: Me | null | undefined = undefined;
  signInProblem: string | null = null;
  site: MySite | null = null;
  state: LinkState = { name: 'connecting' };
  sessions = new Map<string, Summary>();
  /** True once everything open has been loaded. */
  complete = false;
  counts: Counts = { mine: 0, waiting: 0, all: 0, ended: 0 };
  presence: Presence[] = [];
  available = false;
  read = new Map<string, number>();
  talks = new Map<string, Talk>();
  toasts: Toast[] = [];
  list: List = 'mine';
  filter: Filter = NO_FILTER;
  /** Raised whenever `sessions` or what they are sorted by changes. */
  inboxVersion = 0;
  onNews: (news: News) => void = () => {};

  #link: Link | null = null;
  /** Visitors who are typing, each until its timer. */
  #typing = new Map<string, ReturnType<typeof setTimeout>>();
  /** What was last said of this agent's own typing. */
  #typed = { session: '', at: 0 };
  #boot: string | undefined;
  #rev = 0;
  #watched = new Set<string>();
  #loading = new Set<List>();
  #sorted = new Map<string, { version: number; filter: Filter; sessions: Summary[] }>();

  get id(): string {
    return this.me?.agent.id ?? '';
  }

  get admin(): boolean {
    return this.site?.role === 'admin';
  }

  get online(): boolean {
    return this.state.name === 'online';
  }

  // == Signing in

  async start(): Promise<void> {
    signIn.onSignedOut(() => this.#forget());
    try {
      this.#begin(await api<Me>('GET', '/me'));
    } catch (error) {
      this.me = null;
      if (error instanceof ApiError && error.status !== 401) this.signInProblem = error.message;
    }
    this.changed();
  }

  /** `code`: of the second factor, where the account has one. */
  async signIn(login: string, password: string, code: string): Promise<void> {
    const me = await api<Me>('POST', '/sign-in', { login, password, ...(code ? { code } : {}) });
    try {
      await api<Me>('GET', '/me');
    } catch (error) {
      // The password was right, and yet the server doesn't know us: the browser has not kept the
      // cookie.
      if (error instanceof ApiError && error.status === 401) throw new ApiError(0, 'cookie', '', null);
      throw error;
    }
    this.#begin(me);
    this.changed();
  }

  /** Asks anew who is signed in: after a change of the account. */
  async refresh(): Promise<void> {
    try {
      const me = await api<Me>('GET', '/me');
      // What is open stays open.
      if (this.site) this.me = me;
      else this.#begin(me);
    } catch (error) {
      this.fail(error);
    }
    this.changed();
  }

  async signOut(): Promise<void> {
    try {
      await api('POST', '/sign-out');
    } catch {
      // The cookie stays, but this page forgets all the same.
    }
    begun.clear();
    this.#forget();
  }

  choose(site: MySite): void {
    this.#link?.close();
    Object.assign(this, { site, sessions: new Map(), complete: false, talks: new Map(), presence: [], read: new Map() });
    this.#boot = undefined;
    this.#rev = 0;
    this.#watched.clear();
    this.#loading.clear();
    this.inboxVersion += 1;
    remember('frontdesk:site', site.id);
    this.#link = new Link({
      hello: () => ({ type: 'hello', csrf: signIn.csrf, site: site.id, ...(this.#boot ? { boot: this.#boot } : {}), rev: this.#rev }),
      state: (state) => {
        this.state = state;
        // Whether somebody still types is not known any more.
        if (state.name !== 'online') for (const session of [...this.#typing.keys()]) this.#typesNoMore(session);
        this.changed();
      },
      message: (message) => { this.#hear(message); this.changed(); },
      signedOut: () => this.#forget(),
    });
    this.#link.open();
    this.changed();
  }

  reconnect(): void {
    this.#link?.open();
  }

  #begin(me: Me): void {
    signIn.begin(me);
    if (me.needs) {
      this.me = me;
      return;
    }
    // The page of insight sent its reader here to sign in.
    if (new URLSearchParams(location.search).get('to') === 'insight') return location.replace('/console/insight');
    begun.open(me.agent.id);
    this.me = me;
    this.signInProblem = null;
    const wanted = recall('frontdesk:site');
    const site = me.sites.find(({ id }) => id === wanted) ?? me.sites[0];
    if (site) this.choose(site);
  }

  #forget(): void {
    this.#link?.close();
    this.#link = null;
    Object.assign(this, { me: null, site: null, sessions: new Map(), talks: new Map(), presence: [], read: new Map(), complete: false });
    this.inboxVersion += 1;
    this.changed();
  }

  // == What the server says

  #hear(message: FromServer): void {
    switch (message.type) {
      case 'welcome':
        this.#boot = message.boot;
        this.presence = message.presence;
        this.available = message.available;
        this.counts = message.counts;
        if (this.site) this.site = { ...this.site, role: message.role };
        for (const [session, seq] of Object.entries(message.read)) this.#hasRead(session, seq);
        if (message.reset || !this.complete) void this.#reload(message.rev);
        for (const session of this.#watched) void this.#watch(session);
        break;
      case 'reset':
        this.counts = message.counts;
        void this.#reload(message.rev);
        break;
      case 'inbox':
        this.counts = message.counts;
        for (const summary of message.sessions) this.#keep(summary, false);
        break;
      case 'session':
        this.counts = message.counts;
        this.#keep(message.session, true);
        break;
      case 'session.gone':
        this.#rev = Math.max(this.#rev, message.rev);
        this.counts = message.counts;
        this.sessions.delete(message.session);
        this.talks.delete(message.session);
        this.#watched.delete(message.session);
        this.inboxVersion += 1;
        break;
      case 'presence':
        this.presence = message.presence;
        this.available = message.available;
        break;
      case 'read':
        this.#hasRead(message.session, message.seq);
        break;
      case 'conversation':
        this.#keep(message.session, true);
        this.talks.get(message.session.session)?.apply(message);
        break;
      case 'lost':
        void this.#watch(message.session);
        break;
      case 'typing':
        this.#types(message.session);
        break;
      case 'ok':
      case 'error':
        break;
      case 'event':
        if (message.entry.event === 'message' || message.entry.event === 'ended') this.#typesNoMore(message.session);
        this.talks.get(message.session)?.apply(message);
        break;
      default:
        this.talks.get(message.session)?.apply(message);
    }
  }

  #keep(summary: Summary, fresh: boolean): void {
    if (fresh) this.#rev = Math.max(this.#rev, summary.rev);
    const known = this.sessions.get(summary.session);
    if (known && known.rev >= summary.rev) return;
    this.sessions.set(summary.session, summary);
    this.inboxVersion += 1;
    // A conversation that is open here has told of its message already, and perhaps of the next one
    // being typed.
    const said = summary.visitor_seq > (known?.visitor_seq ?? 0) && !this.#watched.has(summary.session);
    if (said || summary.ended || !summary.here) this.#typesNoMore(summary.session);
    if (!fresh || !this.complete) return;
    if (summary.holder.by === 'queue' && known?.holder.by !== 'queue') this.onNews({ kind: 'waiting', summary });
    else if (this.mine(summary) && summary.visitor_seq > (known?.visitor_seq ?? 0)) this.onNews({ kind: 'message', summary });
  }

  #types(session: string): void {
    // The list draws its rows anew: a subscription for each of them would cost every frame of
    // scrolling.
    if (!this.#typing.has(session)) this.inboxVersion += 1;
    clearTimeout(this.#typing.get(session));
    this.#typing.set(session, setTimeout(() => { this.#typesNoMore(session); this.changed(); }, TYPING_SHOWN_MS));
  }

  #typesNoMore(session: string): void {
    clearTimeout(this.#typing.get(session));
    if (this.#typing.delete(session)) this.inboxVersion += 1;
  }

  /** Whether the visitor is typing, as far as was heard lately. */
  visitorTypes(session: string): boolean {
    return this.#typing.has(session);
  }

  #hasRead(session: string, seq: number): void {
    if (seq <= (this.read.get(session) ?? 0)) return;
    this.read.set(session, seq);
    this.inboxVersion += 1;
  }

  /** Asks for everything open, page by page; what is no longer there goes at the end. */
  async #reload(rev: number): Promise<void> {
    const link = this.#link;
    const seen = new Set<string>();
    this.#loading.delete('ended');
    try {
      for (let offset = 0; ;) {
        const page = await link?.ask<FromServer & { type: 'inbox' }>((id) => ({ type: 'inbox', id, list: 'all', offset, limit: PAGE }));
        if (!page || link !== this.#link) return;
        for (const { session } of page.sessions) seen.add(session);
        offset += page.sessions.length;
        if (page.sessions.length === 0 || offset >= page.total) break;
      }
    } catch {
      return; // The next welcome begins again.
    }
    for (const [id, summary] of this.sessions) {
      if (!seen.has(id) && !summary.ended && summary.rev <= rev && !this.#watched.has(id)) this.sessions.delete(id);
    }
    this.#rev = Math.max(this.#rev, rev);
    this.complete = true;
    if (this.list === 'ended') void this.loadEnded();
    this.inboxVersion += 1;
    this.changed();
  }

  /** Ended conversations are loaded when somebody looks. */
  async loadEnded(): Promise<void> {
    if (this.#loading.has('ended')) return;
    this.#loading.add('ended');
    try {
      for (let offset = 0; ;) {
        const page = await this.#link?.ask<FromServer & { type: 'inbox' }>((id) => ({ type: 'inbox', id, list: 'ended', offset, limit: PAGE }));
        if (!page) return;
        offset += page.sessions.length;
        if (page.sessions.length === 0 || offset >= page.total) break;
      }
    } catch {
      this.#loading.delete('ended');
    }
  }

  // == The inbox

  mine(summary: Summary): boolean {
    return summary.holder.by === 'agent' && summary.holder.agent.id === this.id;
  }

  /** Something of the visitor that this agent should read and hasn't. */
  unread(summary: Summary): boolean {
    if (summary.ended) return false;
    const read = this.read.get(summary.session) ?? 0;
    if (summary.visitor_seq <= read) return false;
    // A conversation that the assistant leads concerns an agent only once they have looked into it.
    return this.mine(summary) || summary.holder.by === 'queue' || (summary.holder.by === 'model' && read > 0);
  }

  /** The sessions of a list that pass the filter, in its order. */
  inbox(list: List, filter: Filter): Summary[] {
    // What is counted and what is shown are kept apart: one filter must not drive out the other
    // with every frame.
    const key = filter === NO_FILTER ? list : `${list} filtered`;
    const kept = this.#sorted.get(key);
    if (kept && kept.version === this.inboxVersion && kept.filter === filter) return kept.sessions;
    const text = filter.text.trim().toLowerCase();
    const sessions = [...this.sessions.values()].filter((summary) => {
      if (list === 'ended' ? !summary.ended : summary.ended) return false;
      if (list === 'mine' && !this.mine(summary)) return false;
      if (list === 'waiting' && summary.holder.by !== 'queue') return false;
      if (filter.channel && summary.channel !== filter.channel) return false;
      if (filter.agent && !(summary.holder.by === 'agent' && summary.holder.agent.id === filter.agent)) return false;
      if (filter.unanswered && !summary.unanswered) return false;
      if (filter.intent && summary.intent < HOT) return false;
      if (!text) return true;
      if (summary.session.toLowerCase().startsWith(text) || summary.visitor.toLowerCase().startsWith(text)) return true;
      const preview = summary.preview?.text.toLowerCase() ?? '';
      return text.split(/\s+/).every((word) => preview.includes(word));
    });
    // Ids have an order of bytes; one of a language would take longer than all the rest.
    const byId = (a: Summary, b: Summary) => (a.session < b.session ? -1 : 1);
    const since = ({ holder }: Summary) => (holder.by === 'queue' ? holder.since_ms : 0);
    sessions.sort(list === 'waiting'
      ? (a, b) => since(a) - since(b) || byId(a, b)
      : (a, b) => b.last_at_ms - a.last_at_ms || byId(a, b));
    this.#sorted.set(key, { version: this.inboxVersion, filter, sessions });
    return sessions;
  }

  /** How many each list has: from what is loaded, as soon as everything is. */
  count(list: List): number {
    return list === 'ended' || !this.complete ? this.counts[list] : this.inbox(list, NO_FILTER).length;
  }

  unreadCount(): number {
    if (!this.complete) return 0;
    return this.inbox('mine', NO_FILTER).filter((summary) => this.unread(summary)).length + this.inbox('waiting', NO_FILTER).length;
  }

  /** Place in line, from 1, as it is now. */
  place(summary: Summary): number {
    const at = this.inbox('waiting', NO_FILTER).findIndex(({ session }) => session === summary.session);
    return at < 0 && summary.holder.by === 'queue' ? summary.holder.place : at + 1;
  }

  channels(): string[] {
    return [...new Set([...this.sessions.values()].map(({ channel }) => channel))].sort();
  }

  setList(list: List): void {
    this.list = list;
    if (list === 'ended') void this.loadEnded();
    this.changed();
  }

  setFilter(change: Partial<Filter>): void {
    this.filter = { ...this.filter, ...change };
    this.changed();
  }

  // == Conversations

  /** Opens a conversation; the returned function closes it. */
  watch(session: string): () => void {
    this.#watched.add(session);
    if (!this.talks.has(session)) this.talks.set(session, new Talk(session));
    void this.#watch(session);
    return () => {
      this.#watched.delete(session);
      this.#link?.say({ type: 'unwatch', session });
      // The text is kept for coming back quickly, for a few conversations.
      const spare = [...this.talks.keys()].filter((id) => !this.#watched.has(id));
      for (const id of spare.slice(0, Math.max(0, spare.length - 8))) this.talks.delete(id);
    };
  }

  async #watch(session: string): Promise<void> {
    const talk = this.talks.get(session);
    if (!talk || !this.#link?.online) return;
    try {
      await this.#link.ask((id) => {
        const { partial } = talk;
        return { type: 'watch', id, session, last_seq: talk.lastSeq, ...(partial ? { partial } : {}) };
      });
    } catch (error) {
      if (error instanceof Refused && error.code !== 'disconnected') {
        this.talks.delete(session);
        this.#watched.delete(session);
        this.fail(error);
      }
    }
  }

  markRead(session: string, seq: number): void {
    if (seq <= (this.read.get(session) ?? 0) || !this.online) return;
    this.#hasRead(session, seq);
    this.#link?.say({ type: 'read', session, seq });
    this.changed();
  }

  /** This agent types a reply. */
  types(session: string): void {
    const { session: before, at } = this.#typed;
    const summary = this.sessions.get(session);
    if (!summary || !this.mine(summary) || (before === session && Date.now() - at < TYPING_SIGN_MS)) return;
    this.#typed = { session, at: Date.now() };
    this.#link?.say({ type: 'typing', session });
  }

  /** True if it was done; a refusal is told in a toast. */
  async act(session: string, action: Action): Promise<boolean> {
    try {
      await this.#link?.act(session, action);
      return true;
    } catch (error) {
      this.fail(error);
      return false;
    }
  }

  /** Says or notes something: shown at once, marked once the server has it. */
  async write(session: string, kind: 'agent' | 'note', text: string, suggestion?: { turn: number; version: number }): Promise<boolean> {
    const talk = this.talks.get(session);
    const agent = this.me?.agent;
    if (!talk || !agent || !this.#link) return false;
    const id = newId();
    this.#typed.at = 0;
    talk.pending(kind, id, agent, text);
    this.changed();
    try {
      await this.#link.act(session, kind === 'note' ? { do: 'note', text } : { do: 'send', text, ...(suggestion ? { suggestion } : {}) }, id);
      return true;
    } catch (error) {
      talk.failed(kind, id, null);
      this.fail(error);
      return false;
    }
  }

  async setAvailable(available: boolean): Promise<void> {
    try {
      await this.#link?.ask((id) => ({ type: 'availability', id, available }));
      this.available = available;
    } catch (error) {
      this.fail(error);
    }
    this.changed();
  }

  async erase(session: string): Promise<boolean> {
    if (!this.site) return false;
    try {
      await api('DELETE', sitePath(this.site.id, `/sessions/${encodeURIComponent(session)}`));
      return true;
    } catch (error) {
      this.fail(error);
      return false;
    }
  }

  // == Toasts

  toast(text: string, tone: Toast['tone'] = 'plain', action?: Toast['action']): void {
    const toast: Toast = { id: newId(), text, tone, ...(action ? { action } : {}) };
    this.toasts = [...this.toasts.slice(-2), toast];
    this.changed();
    setTimeout(() => this.dismiss(toast.id), action ? 12_000 : 6_000);
  }

  dismiss(id: string): void {
    this.toasts = this.toasts.filter((toast) => toast.id !== id);
    this.changed();
  }

  /** What was refused, in words. Set by the page, which knows the reader's language. */
  describe: (code: string, message: string) => string = (_, message) => message;

  fail(error: unknown): void {
    if (error instanceof Refused || error instanceof ApiError) this.toast(this.describe(error.code, error.message), 'bad');
    else throw error;
  }
}

export function recall(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Storage is off: the choice lasts as long as the page.
  }
}

export const desk = new Desk();
