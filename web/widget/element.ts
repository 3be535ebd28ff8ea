// `<frontdesk-chat>`: the button in the corner, what it says by itself, and the conversation behind
// it while it is closed.

import { choose, rightToLeft, sayer, type Say } from '../shared/i18n.ts';
import { h, icon } from '../shared/dom.ts';
import { Talk, type Change, type Identity } from '../shared/talk.ts';
import { MAX_CHARS, scalars, sendable } from '../shared/text.ts';
import { palette } from './colours.ts';
import type { LanguageModule, PanelModule, View } from './context.ts';
import hostCss from './host.css';
import { CHAT, CLOSE } from './icons.ts';
import { launcher as english, type Launcher } from './lang/en.ts';
import { watch } from './proactive.ts';
import { fetchSettings, localised, Refused, type Settings } from './settings.ts';
import { source } from './source.ts';

/** Content hashes of the parts, put in by the build. */
declare const HASHES: { panel: string; languages: Record<string, string> };

/** Seconds between attempts to read the settings. */
const RETRY_S = [2, 10, 60, 300];

export type Listener = (detail: unknown) => void;

/** Everything a page may ask of the chat. */
export interface Api {
  open(): void;
  close(): void;
  toggle(): void;
  /** Says something in the visitor's name. */
  send(text: string): boolean;
  /** Who the visitor is: `token` is a JWT that the site signed, or a function that gets one. */
  identify(identity: Identity): void;
  on(event: string, listener: Listener): () => void;
  off(event: string, listener: Listener): void;
  /** Ends the conversation. */
  end(): void;
  /** Takes the chat off the page. The conversation stays. */
  destroy(): void;
}

export class FrontdeskChat extends HTMLElement implements Api {
  /** Where the script came from: the server, unless the element names another. */
  static origin = '';
  static observedAttributes = ['theme', 'dir'];
  /** The chat of this page: a page has one, whatever exchanges its body. */
  static #living: FrontdeskChat | null = null;

  /** Put on the page by the script: whoever exchanges the page's content doesn't mean the chat. */
  stays = false;
  /** Whoever takes it off by name means it. */
  #leaves = false;

  #root: ShadowRoot;
  #listeners = new Map<string, Set<Listener>>();
  #life: Life | null = null;
  #identity: Identity | null = null;
  /** What was asked for before the chat was there. */
  #waiting: ((life: Life) => void)[] = [];

  constructor() {
    super();
    this.#root = this.attachShadow({ mode: 'open' });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(hostCss);
    this.#root.adoptedStyleSheets = [sheet];
  }

  connectedCallback(): void {
    const living = FrontdeskChat.#living;
    if (living && living !== this && living.#serves(this)) {
      // Another page's own element, or a copy from a cache of pages: the conversation goes on in
      // the one that lives.
      if (living.isConnected) super.remove();
      else this.replaceWith(living);
      return;
    }
    // In the top layer no transform, filter or stacking of the page around it moves or covers the
    // chat.
    if ('showPopover' in this) {
      this.popover = 'manual';
      this.showPopover();
    }
    this.#leaves = false;
    if (this.#life) return this.#life.moved();
    const server = this.#server;
    if (server === '') {
      console.error('Frontdesk: the script can’t tell where it came from, as it is bundled or typed anew; write data-server="https://…" on its tag, or server="https://…" on <frontdesk-chat>.');
      return;
    }
    FrontdeskChat.#living = this;
    const site = this.getAttribute('site') ?? 'default';
    this.#life = new Life({ element: this, root: this.#root, server, site, identity: this.#identity, emit: (event, detail) => this.#emit(event, detail) });
    this.#life.start().then((started) => {
      if (!started || !this.#life) return;
      for (const act of this.#waiting.splice(0)) act(this.#life);
      this.#emit('ready', { site });
    });
  }

  disconnectedCallback(): void {
    // A page that moves the element puts it back at once; Turbo, htmx, Astro and the like exchange
    // the body around it.
    queueMicrotask(() => this.#back());
  }

  /** Takes it off the page, and ends it. */
  override remove(): void {
    this.#leaves = true;
    super.remove();
  }

  get #server(): string {
    return (this.getAttribute('server') ?? FrontdeskChat.origin).replace(/\/$/, '');
  }

  /** Whether another element would be the same chat. */
  #serves(other: FrontdeskChat): boolean {
    const site = (one: FrontdeskChat): string => one.getAttribute('site') ?? 'default';
    return this.#life !== null && !this.#leaves && this.#server === other.#server && site(this) === site(other);
  }

  /** Puts itself on the page again, if it was the page that changed. */
  #back(): void {
    if (this.isConnected) return;
    if (this.#leaves || !this.stays) return this.#end();
    if (document.body) document.body.append(this);
    else new MutationObserver((_, watcher) => {
      if (!document.body) return;
      watcher.disconnect();
      if (!this.isConnected) document.body.append(this);
    }).observe(document, { childList: true, subtree: true });
  }

  attributeChangedCallback(): void {
    this.#life?.restyle();
  }

  get opened(): boolean {
    return this.#life?.opened ?? false;
  }

  get unread(): number {
    return this.#life?.talk?.unread ?? 0;
  }

  open(): void {
    this.#when((life) => void life.open(true));
  }

  close(): void {
    this.#when((life) => life.close());
  }

  toggle(): void {
    this.#when((life) => (life.opened ? life.close() : void life.open(true)));
  }

  send(text: string): boolean {
    const words = sendable(String(text));
    if (words === '' || scalars(words) > MAX_CHARS) return false;
    this.#when((life) => life.talk?.say(words));
    return true;
  }

  identify(identity: Identity): void {
    this.#identity = { ...this.#identity, ...identity };
    this.#life?.talk?.identify(identity);
    if (this.#life) this.#life.identity = this.#identity;
  }

  on(event: string, listener: Listener): () => void {
    const known = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, known.add(listener));
    return () => this.off(event, listener);
  }

  off(event: string, listener: Listener): void {
    this.#listeners.get(event)?.delete(listener);
  }

  end(): void {
    this.#when((life) => life.talk?.end());
  }

  destroy(): void {
    this.#end();
    this.remove();
  }

  #when(act: (life: Life) => void): void {
    if (this.#life?.talk) act(this.#life);
    else this.#waiting.push(act);
  }

  #end(): void {
    if (FrontdeskChat.#living === this) FrontdeskChat.#living = null;
    this.#life?.stop();
    this.#life = null;
    this.#waiting = [];
  }

  #emit(event: string, detail: unknown): void {
    for (const listener of this.#listeners.get(event) ?? []) {
      try {
        listener(detail);
      } catch (error) {
        // The page's mistake must not become ours.
        console.error(error);
      }
    }
    this.dispatchEvent(new CustomEvent(`frontdesk:${event}`, { detail, bubbles: true, composed: true }));
  }
}

interface Surroundings {
  element: HTMLElement;
  root: ShadowRoot;
  /** Origin of the chat's server. */
  server: string;
  site: string;
  identity: Identity | null;
  /** Tells the page's own code. */
  emit: (event: string, detail: unknown) => void;
}

/** From the element's arrival on a page until it leaves. */
class Life {
  talk: Talk | null = null;
  opened = false;
  identity: Identity | null;
  #element: HTMLElement;
  #root: ShadowRoot;
  #server: string;
  #site: string;
  #emit: (event: string, detail: unknown) => void;
  #settings!: Settings;
  #language = 'en';
  #texts: LanguageModule | null = null;
  #say!: Say<Launcher>;
  #frame = h('div', { class: 'frame' });
  #button = h('button', { class: 'launcher', type: 'button', 'aria-expanded': 'false' });
  #badge = h('span', { class: 'badge', 'aria-hidden': 'true', hidden: true });
  #teaser: HTMLElement | null = null;
  #view: View | null = null;
  #loading: Promise<View> | null = null;
  #unread = 0;
  #focused = false;
  #emitted = 0;
  #stop = new AbortController();
  #stopWatching = (): void => {};

  constructor({ element, root, server, site, identity, emit }: Surroundings) {
    this.#element = element;
    this.#root = root;
    this.#server = server;
    this.#site = site;
    this.#emit = emit;
    this.identity = identity;
  }

  /** False if the server won't have us. */
  async start(): Promise<boolean> {
    for (const wait of [...RETRY_S, null]) {
      try {
        this.#settings = await fetchSettings(this.#server, this.#site);
        break;
      } catch (error) {
        if (error instanceof Refused || wait === null) {
          console.warn(`Frontdesk: ${(error as Error).message}`);
          this.#emit('error', { code: 'refused', message: (error as Error).message });
          return false;
        }
        await new Promise((wake) => setTimeout(wake, wait * 1000));
      }
      if (this.#stop.signal.aborted) return false;
    }
    await this.#chooseLanguage();
    if (this.#stop.signal.aborted) return false;

    this.#button.append(icon(CHAT), icon(CLOSE), this.#badge);
    this.#button.children[0]!.setAttribute('class', 'chat');
    this.#button.children[1]!.setAttribute('class', 'x');
    this.#button.addEventListener('click', () => (this.opened ? this.close() : void this.open(true)));
    this.#button.hidden = !this.#settings.launcher;
    this.#frame.toggleAttribute('data-bare', this.#button.hidden);
    // Loading begins when a visitor is about to click, so that opening feels immediate.
    for (const hint of ['pointerenter', 'focus', 'touchstart']) {
      this.#button.addEventListener(hint, () => void this.#panel().catch(() => {}), { once: true, passive: true });
    }
    this.#frame.append(this.#button);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#style(), { signal: this.#stop.signal });
    this.#style();
    this.#root.append(this.#frame);
    // Leaving with the page's old body takes the focus without a word; `focusout` is only heard
    // where it went elsewhere.
    this.#frame.addEventListener('focusin', () => { this.#focused = true; });
    this.#frame.addEventListener('focusout', () => { this.#focused = !this.#element.isConnected; });

    this.talk = new Talk({
      site: this.#site,
      url: `${this.#server.replace(/^http/, 'ws')}/v1/chat`,
      change: (change) => this.#changed(change),
      source: source((value) => session(`${this.#site}:source`, value)),
      page: this.#element.lang || document.documentElement.lang || undefined,
    });
    if (this.identity) this.talk.identify(this.identity);
    document.addEventListener('visibilitychange', () => this.#seen(), { signal: this.#stop.signal });
    this.#label();
    // Who has a conversation gets its news, also while the chat is closed. Nobody else holds a
    // connection.
    if (this.talk.known) this.talk.connect();
    const open = session(`${this.#site}:open`) === '1' || this.#element.hasAttribute('open');
    if (open) void this.open(false);
    else this.#watchPage();
    return true;
  }

  stop(): void {
    this.#stop.abort();
    this.#stopWatching();
    this.#view?.destroy();
    this.talk?.destroy();
    this.#frame.remove();
  }

  async open(focus: boolean): Promise<void> {
    if (this.opened) return;
    this.opened = true;
    this.#stopWatching();
    this.#teaser?.remove();
    session(`${this.#site}:open`, '1');
    this.#label();
    this.#button.setAttribute('aria-busy', 'true');
    try {
      const view = await this.#panel();
      if (!this.opened) return;
      view.show(focus);
      this.talk?.connect();
      this.#seen();
      this.#emit('open', {});
    } catch {
      this.opened = false;
      this.#loading = null;
      session(`${this.#site}:open`, null);
      this.#label();
      this.#trouble();
    } finally {
      this.#button.removeAttribute('aria-busy');
    }
  }

  close(): void {
    if (!this.opened) return;
    this.opened = false;
    session(`${this.#site}:open`, null);
    this.#view?.hide();
    this.#label();
    if (!this.#button.hidden && this.#root.activeElement !== this.#button) this.#button.focus();
    this.#emit('close', {});
  }

  /** It stands on another page now. */
  moved(): void {
    if (!this.talk) return;
    this.#style();
    if (this.opened && this.#view) {
      this.#view.show(this.#focused);
      this.#seen();
    } else this.#watchPage();
  }

  /** Speaks up by itself where a rule of this page says so. */
  #watchPage(): void {
    this.#stopWatching();
    if (this.talk?.known || session(`${this.#site}:spoke`) !== null) return;
    this.#stopWatching = watch(this.#settings.proactive, (rule) => {
      session(`${this.#site}:spoke`, '1');
      this.#speak(rule.texts?.[this.#language] || rule.text);
    });
  }

  /** The element's attributes changed. */
  restyle(): void {
    if (this.#frame.isConnected) this.#style();
  }

  /** The panel, loaded once. */
  #panel(): Promise<View> {
    this.#loading ??= (async () => {
      const module = (await import(`${this.#server}/widget/panel.js?${HASHES.panel}`)) as PanelModule;
      this.#view = module.mount({
        root: this.#root,
        frame: this.#frame,
        server: this.#server,
        language: this.#language,
        texts: this.#texts?.panel ?? null,
        settings: this.#settings,
        talk: this.talk!,
        close: () => this.close(),
        emit: this.#emit,
      });
      return this.#view;
    })();
    this.#loading.catch(() => { this.#loading = null; });
    return this.#loading;
  }

  async #chooseLanguage(): Promise<void> {
    const known = ['en', ...Object.keys(HASHES.languages)];
    const offered = this.#settings.languages.length > 0 ? known.filter((one) => this.#settings.languages.includes(one)) : known;
    const page = this.#element.lang || document.documentElement.lang;
    // The page's own language before the browser's: a chat in another language than its page looks
    // broken.
    this.#language = choose([page, ...(page ? [] : navigator.languages), this.#settings.languages[0], this.#settings.language], offered) ?? 'en';
    const hash = HASHES.languages[this.#language];
    if (hash) {
      try {
        this.#texts = (await import(`${this.#server}/widget/${this.#language}.js?${hash}`)) as LanguageModule;
      } catch {
        this.#language = 'en';
      }
    }
    this.#say = sayer(this.#language, this.#texts?.launcher ?? {}, english);
  }

  #style(): void {
    const theme = this.#element.getAttribute('theme') ?? this.#settings.theme;
    const dark = theme === 'dark' || (theme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
    const { fill, ink, text } = palette(this.#settings.accent, dark);
    const page = getComputedStyle(document.documentElement).direction;
    this.#frame.lang = this.#language;
    this.#frame.dir = this.#element.getAttribute('dir') ?? (rightToLeft(this.#language) ? 'rtl' : page);
    this.#frame.dataset.theme = dark ? 'dark' : 'light';
    this.#frame.dataset.position = this.#settings.position;
    // Through the object model, which no policy on inline styles concerns.
    for (const [name, value] of [['--accent', fill], ['--accent-ink', ink], ['--accent-text', text]] as const) this.#frame.style.setProperty(name, value);
  }

  #label(): void {
    const unread = this.opened ? 0 : (this.talk?.unread ?? 0);
    this.#badge.hidden = unread === 0;
    this.#badge.textContent = unread > 9 ? '9+' : String(unread);
    this.#button.setAttribute('aria-expanded', String(this.opened));
    this.#button.setAttribute('aria-label', this.opened ? this.#say('close') : unread > 0 ? this.#say('open_unread', { n: unread }) : this.#say('open'));
    this.#frame.classList.toggle('opened', this.opened);
  }

  #changed(change: Change): void {
    this.#view?.changed(change);
    if (change.type === 'item' && change.fresh) {
      const { item } = change;
      const seq = item.kind === 'agent' || item.kind === 'answer' ? item.seq : item.kind === 'said' ? (item.seq ?? 0) : 0;
      if (seq > this.#emitted && (item.kind !== 'answer' || item.end)) {
        this.#emitted = seq;
        if (item.kind !== 'note') this.#emit('message', { from: { said: 'visitor', answer: 'assistant', agent: 'agent' }[item.kind], text: item.text });
      }
    }
    if (change.type === 'item' && change.item.kind === 'note') {
      const { what, name } = change.item;
      if (what === 'joined' && change.fresh) this.#emit('agent', { name });
      if (what === 'ended' || what === 'expired') this.#emit('ended', { reason: what });
    }
    if (change.type === 'cleared') this.#emitted = 0;
    if (change.type === 'forgotten') session(`${this.#site}:source`, null);
    if (change.type === 'error') this.#emit('error', change);
    this.#seen();
    const unread = this.talk?.unread ?? 0;
    if (unread !== this.#unread) {
      this.#unread = unread;
      this.#emit('unread', { count: unread });
    }
    if (this.talk) this.#label();
  }

  #seen(): void {
    if (this.opened && this.#view && !document.hidden) this.talk?.markRead();
  }

  #speak(text: string): void {
    if (this.opened) return;
    const { title } = localised(this.#settings, this.#language);
    const teaser = h('section', { class: 'teaser', 'aria-label': this.#say('teaser', { title }) },
      h('button', { class: 'words', type: 'button', onclick: () => void this.open(true) }, h('b', {}, title), h('span', { dir: 'auto' }, text)),
      h('button', { class: 'away', type: 'button', 'aria-label': this.#say('dismiss'), onclick: () => { teaser.remove(); this.#button.focus(); } }, icon(CLOSE)));
    this.#teaser = teaser;
    this.#frame.prepend(teaser);
    this.#emit('proactive', { text });
  }

  #trouble(): void {
    this.#teaser?.remove();
    this.#teaser = h('div', { class: 'teaser unloaded', role: 'alert' }, this.#say('failed'));
    this.#frame.prepend(this.#teaser);
  }
}

/** Reads, or with a value writes, what lasts as long as the tab. */
function session(key: string, value?: string | null): string | null {
  try {
    const name = `frontdesk:${key}`;
    if (value === undefined) return sessionStorage.getItem(name);
    if (value === null) sessionStorage.removeItem(name);
    else sessionStorage.setItem(name, value);
  } catch {
    // Storage is off: the chat opens closed on the next page.
  }
  return null;
}
