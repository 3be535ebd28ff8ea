// The opened chat: heading, conversation, composer. Loaded when a visitor opens the chat for the
// first time.

import { add, composes, h, icon } from '../shared/dom.ts';
import { sayer, type Say } from '../shared/i18n.ts';
import { link, mailOnly, renderAnew, webAddress } from '../shared/prose.ts';
import type { Change } from '../shared/talk.ts';
import { MAX_CHARS, scalars, sendable } from '../shared/text.ts';
import type { Context, View } from './context.ts';
import * as icons from './icons.ts';
import { panel as english, type Panel as Texts } from './lang/en.ts';
import { Log, remark } from './log.ts';
import panelCss from './panel.css';
import { initial, picture } from './picture.ts';
import { localised } from './settings.ts';
import { chime, setSound, soundOn } from './sound.ts';
import { save, transcript } from './transcript.ts';
import { why } from './why.ts';

/** From how many characters on they are counted aloud. */
const COUNT_FROM = MAX_CHARS - 400;
/** Milliseconds after which what was announced is gone from where screen readers find it. */
const SPOKEN_MS = 10_000;
/** Pixels from the end within which the reader counts as being there. */
const PINNED_PX = 64;

export function mount(context: Context): View {
  return new Panel(context);
}

class Panel implements View {
  #c: Context;
  #say: Say<Texts>;
  #title: string;
  #greeting: string;
  #quickReplies: string[];
  #log: Log;
  #pinned = true;
  /** Of the conversation and of the window onto it, when the end was last looked for. */
  #size = '';
  #wasOnline = false;
  /** The connection was lost, and isn't back. */
  #troubleWas = false;
  /** Something to know that no event of the conversation takes back. */
  #told = '';
  /** `seq` of the last message read aloud. */
  #announced = 0;
  /** What the answers were drawn for. */
  #offers = '';
  #stop = new AbortController();
  #countdown: ReturnType<typeof setInterval>;
  #sheet: CSSStyleSheet;

  #live = h('div', { class: 'unseen', role: 'status', 'aria-live': 'polite', 'aria-atomic': 'false' });
  #face = h('span', { class: 'face', 'aria-hidden': 'true' });
  #name = h('h2', { class: 'name', id: 'fd-title' }, h('bdi'));
  #status = h('p', { class: 'status' });
  #menuButton: HTMLButtonElement;
  #menu = h('div', { class: 'menu', hidden: true });
  #banner = h('div', { class: 'banner', hidden: true });
  #scroll: HTMLElement;
  /** A person who is typing. */
  #types = h('div', { class: 'types', hidden: true });
  #replies = h('div', { class: 'replies' });
  #latest: HTMLButtonElement;
  #trouble = h('div', { class: 'trouble', hidden: true, role: 'status' });
  #troubleText = h('span', { dir: 'auto' });
  #retry: HTMLButtonElement;
  #form: HTMLFormElement;
  #text: HTMLTextAreaElement;
  #send: HTMLButtonElement;
  #stopButton: HTMLButtonElement;
  #human: HTMLButtonElement;
  /** Says that what is typed is sent, while it is. */
  #drafts = h('p', { class: 'draft', hidden: true });
  #count = h('span', { class: 'count', hidden: true });
  #dialog: HTMLDialogElement;
  #scrim = h('div', { class: 'scrim', hidden: true });
  /** Everything but the question that has to be answered first. */
  #rest: HTMLElement[];
  #panel: HTMLElement;

  constructor(context: Context) {
    this.#c = context;
    const { talk, settings, language, server } = context;
    const say = (this.#say = sayer(language, context.texts ?? {}, english));
    const words = localised(settings, language);
    this.#title = words.title;
    this.#greeting = words.greeting || say('greeting');
    this.#quickReplies = words.quickReplies;

    this.#sheet = new CSSStyleSheet();
    this.#sheet.replaceSync(panelCss);
    context.root.adoptedStyleSheets = [...context.root.adoptedStyleSheets, this.#sheet];

    const button = (name: string, label: string, drawing: string, act: () => void): HTMLButtonElement =>
      h('button', { class: name, type: 'button', 'aria-label': label, title: label, onclick: act }, icon(drawing));
    this.#menuButton = button('tool', say('menu'), icons.DOTS, () => this.#toggleMenu(this.#menu.hidden === true));
    this.#menuButton.setAttribute('aria-expanded', 'false');
    const header = h('div', { class: 'head' }, this.#face, h('div', { class: 'who' }, this.#name, this.#status),
      this.#menuButton, button('tool', say('minimise'), icons.DOWN, () => context.close()), this.#menu);

    this.#log = new Log({
      talk, say, settings, server, language,
      grew: () => this.#follow(),
    });
    this.#log.list.setAttribute('aria-label', say('log'));
    const notice = h('p', { class: 'notice' }, icon(icons.SPARK), h('bdi', {}, say(settings.suggest ? 'notice_people' : 'notice', { title: this.#title }), ' '));
    const privacy = webAddress(settings.privacy_url);
    if (privacy) notice.lastElementChild!.append(link(privacy, say('privacy')));
    const hello = h('div', { class: 'bubble', dir: 'auto' }, this.#greeting);
    this.#scroll = h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': say('log') },
      notice, h('div', { class: 'hello' }, hello), this.#log.list, this.#types, this.#replies);
    this.#latest = h('button', { class: 'latest', type: 'button', hidden: true, onclick: () => { this.#pinned = true; this.#follow(); } }, icon(icons.LATEST), say('latest'));

    this.#retry = h('button', { class: 'small', type: 'button', onclick: () => talk.link.connect() }, say('try_now'));
    this.#trouble.append(this.#troubleText, this.#retry);

    this.#text = h('textarea', { rows: 1, 'aria-label': say('write'), placeholder: say('write'), dir: 'auto', enterkeyhint: 'send', autocomplete: 'off' });
    this.#drafts.append(say('draft_notice'));
    this.#send = h('button', { class: 'round', type: 'submit', 'aria-label': say('send'), title: say('send') }, icon(icons.SEND));
    this.#stopButton = button('round stop', say('stop'), icons.STOP, () => this.#stopAnswer());
    this.#stopButton.hidden = true;
    this.#human = h('button', { class: 'link', type: 'button', onclick: () => talk.human() }, icon(icons.PERSON), h('span', {}, say('human')));
    this.#form = h('form', { class: 'compose', onsubmit: ((event: Event) => { event.preventDefault(); this.#submit(); }) as (event: never) => void },
      this.#drafts,
      h('div', { class: 'box' }, this.#text, this.#stopButton, this.#send),
      h('div', { class: 'under' }, this.#human, this.#count));

    this.#dialog = h('dialog', { class: 'sheet', 'aria-labelledby': 'fd-sheet' });
    this.#dialog.addEventListener('close', () => this.#quieten(false));
    this.#rest = [header, this.#banner, h('div', { class: 'middle' }, this.#scroll, this.#latest), this.#trouble, this.#form];
    this.#panel = h('section', { class: 'panel', role: 'dialog', 'aria-labelledby': 'fd-title', tabindex: -1, hidden: true },
      ...this.#rest, this.#scrim, this.#dialog, this.#live);
    context.frame.prepend(this.#panel);
    this.#drawFace();
    this.#listen();
    for (const item of talk.items) this.#log.changed(item);
    this.#text.value = talk.begun;
    this.#draw();
    this.#countdown = setInterval(() => this.#drawTrouble(), 500);
  }

  // == What the loader calls

  show(focus: boolean): void {
    this.#panel.hidden = false;
    this.#fit();
    this.#pinned = true;
    this.#follow();
    this.#resized();
    this.#draw();
    if (!focus) return;
    // On a phone the keyboard would cover what the visitor came to read.
    if (this.#covers) this.#panel.focus({ preventScroll: true });
    else this.#text.focus({ preventScroll: true });
  }

  hide(): void {
    this.#panel.hidden = true;
    this.#toggleMenu(false);
    this.#dialog.close();
  }

  changed(change: Change): void {
    const { talk } = this.#c;
    if (change.type === 'item') {
      const { item, fresh } = change;
      this.#log.changed(item);
      if (item.kind === 'said' && item.seq === null) this.#pinned = true;
      if (fresh && (item.kind === 'agent' || (item.kind === 'answer' && item.end)) && item.seq > this.#announced) {
        this.#announced = item.seq;
        // What the log shows: an answer that was stopped says that it was.
        this.#announce(item.kind === 'agent' ? `${this.#say('person_said', { name: item.name })} ${item.text}` : [item.text, remark(this.#say, item)].filter(Boolean).join(' '));
        if (soundOn() && (document.hidden || this.#panel.hidden || item.kind === 'agent')) chime();
      } else if (item.kind === 'note' && fresh) {
        this.#announce(this.#say(`note_${item.what}`, { name: item.name }));
      }
    } else if (change.type === 'cleared') {
      this.#log.clear(change.visibly);
      this.#announced = 0;
    } else if (change.type === 'forgotten') {
      this.#tellTrouble(this.#say('forgotten'));
      this.#announce(this.#say('forgotten'));
      this.#emptied();
    } else if (change.type === 'error' && talk.link.online) {
      this.#tellTrouble(why(this.#say, change.code, change.message));
    }
    this.#draw();
  }

  destroy(): void {
    this.#stop.abort();
    clearInterval(this.#countdown);
    this.#log.destroy();
    this.#panel.remove();
    const { root } = this.#c;
    root.adoptedStyleSheets = root.adoptedStyleSheets.filter((sheet) => sheet !== this.#sheet);
  }

  // == Events

  #listen(): void {
    const { signal } = this.#stop;
    const { talk } = this.#c;
    this.#text.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && !event.shiftKey && !composes(event)) {
        event.preventDefault();
        this.#submit();
      }
    });
    this.#text.addEventListener('input', () => {
      talk.begun = this.#text.value;
      this.#resized();
      if (!talk.over) talk.typing(this.#text.value, this.#sendsDrafts);
    });
    this.#panel.addEventListener('keydown', (event) => this.#key(event));
    // Keys pressed here are no shortcuts of the page.
    for (const type of ['keydown', 'keyup', 'keypress']) this.#panel.addEventListener(type, (event) => event.stopPropagation());
    // From the page, too, unless it has a use of its own for the key.
    document.addEventListener('keydown', (event) => {
      const used = event.defaultPrevented || document.querySelector('dialog:modal') !== null;
      if (event.key === 'Escape' && !composes(event) && !used && !this.#panel.hidden) this.#key(event);
    }, { signal });
    this.#scroll.addEventListener('scroll', () => {
      // A banner that takes room scrolls, too: only where nothing was laid out anew did the visitor
      // leave the end.
      if (this.#pinned && this.#laidOutAnew()) return this.#follow();
      this.#pinned = this.#scroll.scrollHeight - this.#scroll.scrollTop - this.#scroll.clientHeight < PINNED_PX;
      this.#latest.hidden = this.#pinned;
    }, { passive: true });
    const watcher = new ResizeObserver(() => this.#follow());
    watcher.observe(this.#scroll);
    signal.addEventListener('abort', () => watcher.disconnect());
    this.#menu.addEventListener('focusout', ({ relatedTarget }) => {
      if (!this.#menu.contains(relatedTarget as Node | null) && relatedTarget !== this.#menuButton) this.#toggleMenu(false);
    });
    this.#panel.addEventListener('pointerdown', (event) => {
      const path = event.composedPath();
      if (!path.includes(this.#menu) && !path.includes(this.#menuButton)) this.#toggleMenu(false);
    });
    for (const [target, types] of [[visualViewport, ['resize', 'scroll']], [window, ['resize', 'orientationchange']]] as const) {
      for (const type of types) target?.addEventListener(type, () => this.#fit(), { signal, passive: true });
    }
  }

  #key(event: KeyboardEvent): void {
    if (event.key === 'Escape' && !composes(event)) {
      event.preventDefault();
      if (this.#dialog.open) this.#answered(null, this.#menuButton);
      else if (!this.#menu.hidden) {
        this.#toggleMenu(false);
        this.#menuButton.focus();
      } else this.#c.close();
    }
    // Where the chat covers the page, the page behind it is out of reach for the keyboard too.
    if (event.key === 'Tab' && (this.#covers || this.#dialog.open)) {
      const all = [...(this.#dialog.open ? this.#dialog : this.#panel).querySelectorAll<HTMLElement>('a[href], button, textarea, input, [tabindex="0"]')]
        .filter((one) => !one.matches(':disabled') && one.getClientRects().length > 0);
      const active = this.#c.root.activeElement;
      const edge = event.shiftKey ? all[0] : all.at(-1);
      if (active === edge || active === this.#panel) {
        if (active === this.#panel && !event.shiftKey) return;
        event.preventDefault();
        (event.shiftKey ? all.at(-1) : all[0])?.focus();
      }
    }
  }

  /** True where the panel is as large as the screen. */
  get #covers(): boolean {
    return matchMedia('(max-width: 480px), (max-height: 520px)').matches;
  }

  /** Whether what is typed goes out before it is sent: not once a person answers, or nobody. */
  get #sendsDrafts(): boolean {
    const { settings, talk } = this.#c;
    return settings.draft && talk.person.state === 'none' && !talk.over;
  }

  /** With the on-screen keyboard open, the panel is as large as what is left to see. */
  #fit(): void {
    const { style } = this.#panel;
    this.#panel.setAttribute('aria-modal', String(this.#covers));
    if (!this.#covers || !visualViewport || visualViewport.scale > 1.01) {
      style.removeProperty('--height');
      style.removeProperty('--top');
      return;
    }
    style.setProperty('--height', `${visualViewport.height}px`);
    style.setProperty('--top', `${visualViewport.offsetTop}px`);
  }

  #submit(): void {
    const words = sendable(this.#text.value);
    if (words === '' || scalars(words) > MAX_CHARS || this.#c.talk.link.state === 'refused') return;
    this.#emptied();
    this.#speak(words);
    this.#text.focus();
  }

  #emptied(): void {
    this.#text.value = this.#c.talk.begun = '';
    this.#resized();
  }

  #speak(words: string): void {
    this.#pinned = true;
    this.#tellTrouble('');
    this.#c.talk.say(words);
  }

  #stopAnswer(): void {
    // The button goes with the answer; the keyboard's place must not go with it.
    this.#text.focus();
    this.#c.talk.stop();
  }

  #resized(): void {
    this.#text.style.height = 'auto';
    this.#text.style.height = `${this.#text.scrollHeight}px`;
    this.#drawComposer();
  }

  // == Menu and questions

  #toggleMenu(open: boolean): void {
    this.#menu.hidden = !open;
    this.#menuButton.setAttribute('aria-expanded', String(open));
    if (!open) return;
    const { talk } = this.#c;
    const said = talk.items.length > 0;
    const item = (label: string, drawing: string, act: () => void, kind = ''): HTMLElement =>
      h('button', { type: 'button', class: `item ${kind}`, onclick: () => { this.#toggleMenu(false); this.#menuButton.focus(); act(); } }, icon(drawing), label);
    const say = this.#say;
    this.#menu.replaceChildren();
    add(this.#menu,
      item(soundOn() ? say('sound_off') : say('sound_on'), soundOn() ? icons.MUTE : icons.SOUND, () => setSound(!soundOn())),
      said && item(say('transcript'), icons.SAVE, () => this.#save()),
      said && item(say('restart'), icons.NEW, () => (talk.over ? this.#startOver() : this.#ask('restart', () => this.#startOver()))),
      said && !talk.over && item(say('end'), icons.END, () => this.#ask('end', () => { this.#emptied(); if (!talk.end()) this.#announce(say('end_due')); })),
      talk.known && item(say('forget'), icons.BIN, () => this.#ask('forget', () => {
        if (!talk.forget()) this.#tellTrouble(say('not_forgotten'));
      }), 'bad'));
    this.#menu.querySelector('button')?.focus();
  }

  #startOver(): void {
    this.#emptied();
    if (!this.#c.talk.startOver()) this.#announce(this.#say('end_due'));
    this.#text.focus();
  }

  #save(): void {
    const { talk, language, settings } = this.#c;
    const text = transcript(talk.items, this.#say, this.#title, language);
    save(`chat-${settings.site}-${new Date().toISOString().slice(0, 10)}.txt`, text);
  }

  #ask(what: 'end' | 'forget' | 'restart', act: () => void): void {
    const say = this.#say;
    const yes = h('button', { type: 'button', class: what === 'forget' ? 'small danger' : 'small strong', onclick: () => this.#answered(act, this.#text) }, say(`confirm_yes_${what}`));
    const no = h('button', { type: 'button', class: 'small', onclick: () => this.#answered(null, this.#menuButton) }, say('cancel'));
    this.#dialog.replaceChildren(h('h3', { id: 'fd-sheet' }, say(`confirm_${what}`)), h('p', {}, say(`confirm_${what}_text`)), h('div', { class: 'row' }, yes, no));
    // Modal within the chat alone: the page around it stays usable.
    this.#quieten(true);
    this.#dialog.show();
    no.focus();
  }

  #answered(act: (() => void) | null, focus: HTMLElement): void {
    this.#dialog.close();
    this.#quieten(false);
    act?.();
    focus.focus();
  }

  #quieten(quiet: boolean): void {
    this.#scrim.hidden = !quiet;
    for (const part of this.#rest) part.inert = quiet;
  }

  // == Drawing

  #drawFace(): void {
    const { settings, server, talk } = this.#c;
    const here = talk.person.state === 'here';
    const who = here ? talk.person.name : this.#title;
    if (this.#face.dataset.who === who) return;
    this.#face.dataset.who = who;
    this.#face.classList.toggle('round', here);
    this.#face.replaceChildren(initial(who));
    if (!here) void picture(this.#face, settings.logo, server);
  }

  #draw(): void {
    const { talk } = this.#c;
    const say = this.#say;
    const { link: connection, person } = talk;
    this.#drawFace();
    this.#name.firstElementChild!.textContent = person.state === 'here' ? person.name : this.#title;
    const { suggest } = this.#c.settings;
    const away = suggest === true && person.state !== 'here' && talk.available === false;
    const kind = person.state === 'here' ? say('person_here') : suggest ? say(away ? 'people_away' : 'people') : `${say('assistant')} · ${say('online')}`;
    const states: Partial<Record<typeof connection.state, string>> = {
      connecting: this.#wasOnline || connection.why !== 'lost' ? say('reconnecting') : say('connecting'), waiting: say('reconnecting'), offline: say('offline'), refused: say('refused'),
    };
    const status = states[connection.state] ?? kind;
    if (this.#status.textContent !== status) this.#status.textContent = status;
    this.#status.dataset.state = away && connection.online ? 'away' : connection.state;
    this.#panel.dataset.state = connection.state;

    if (connection.online && !this.#wasOnline && this.#troubleWas) this.#announce(say('back'));
    if (connection.online) this.#troubleWas = false;
    this.#wasOnline = connection.online;

    // What an answer offers below it depends on who is there: a person, the connection.
    const offers = `${person.state} ${connection.online} ${talk.over}`;
    if (offers !== this.#offers) for (const answer of talk.answers) this.#log.changed(answer);
    this.#offers = offers;
    this.#drawTypes();
    this.#drawBanner();
    this.#drawTrouble();
    this.#drawReplies();
    this.#drawComposer();
  }

  #drawTypes(): void {
    const { typing, name } = this.#c.talk.person;
    if (this.#types.hidden === !typing) return;
    this.#types.hidden = !typing;
    const text = this.#say('person_types', { name });
    this.#types.replaceChildren(...(typing ? [
      h('span', { class: 'face', 'aria-hidden': 'true' }, initial(name)),
      h('div', { class: 'bubble' }, h('span', { class: 'dots', 'aria-hidden': 'true' }, h('i'), h('i'), h('i'))),
      h('span', { class: 'by', dir: 'auto' }, text),
    ] : []));
    if (typing) this.#announce(text);
    this.#follow();
  }

  #drawBanner(): void {
    const { person } = this.#c.talk;
    const say = this.#say;
    const parts: string[] = [];
    if (person.state === 'waiting') {
      if (person.place === null) parts.push(say('wait_plain'));
      else if (person.available === false) parts.push(say('wait_away'));
      else parts.push(person.place <= 1 ? say('wait_next') : say('wait_place', { n: person.place }));
      const contact = person.contact || this.#c.settings.contact;
      if (contact && person.available !== true) parts.push(say('contact', { contact }));
    }
    const text = parts.join(' ');
    this.#banner.hidden = text === '';
    if (this.#banner.dataset.text === text) return;
    this.#banner.dataset.text = text;
    const words = h('div', { class: 'words', dir: 'auto' });
    renderAnew(words, text, mailOnly);
    this.#banner.replaceChildren(...(text ? [icon(icons.PERSON), words] : []));
    if (text && !this.#panel.hidden) this.#announce(text);
  }

  /** Words that stay until the visitor goes on. */
  #tellTrouble(text: string): void {
    this.#told = text;
    this.#drawTrouble();
  }

  #drawTrouble(): void {
    const { link: connection } = this.#c.talk;
    const say = this.#say;
    let text = '';
    let retry = false;
    if (connection.state === 'offline') text = say('device_offline');
    else if (connection.state === 'refused') [text, retry] = [why(say, connection.code, connection.words), true];
    else if (connection.state === 'waiting' || (connection.state === 'connecting' && this.#troubleWas)) {
      const reasons = { lost: 'lost', unreachable: 'unreachable', silent: 'silent', gap: 'gap', restarting: 'restarting', slow: 'too_slow', busy: 'busy', refused: 'lost' } as const;
      const seconds = Math.max(1, Math.ceil((connection.retryAt - Date.now()) / 1000));
      text = `${say(reasons[connection.why])} ${connection.state === 'waiting' ? say('next_try', { n: seconds }) : say('trying')}`;
      retry = connection.state === 'waiting';
    } else text = this.#told;
    if (this.#c.talk.ending && text) text += ` ${say('end_due')}`;
    if (connection.state === 'waiting' || connection.state === 'offline') this.#troubleWas = true;
    this.#trouble.hidden = text === '';
    this.#trouble.dataset.state = connection.online || connection.state === 'idle' ? 'told' : connection.state;
    if (this.#troubleText.textContent !== text) this.#troubleText.textContent = text;
    // Seconds that count down are for the eye alone.
    this.#trouble.setAttribute('aria-live', connection.state === 'waiting' ? 'off' : 'polite');
    this.#retry.hidden = !retry;
  }

  #drawReplies(): void {
    const { talk } = this.#c;
    const wanted = talk.items.length === 0 && talk.link.state !== 'refused' ? this.#quickReplies : [];
    if (this.#replies.childElementCount === wanted.length) return;
    this.#replies.replaceChildren(...wanted.map((reply) =>
      h('button', { type: 'button', class: 'reply', dir: 'auto', onclick: () => { this.#text.focus({ preventScroll: true }); this.#speak(reply); } }, reply)));
    if (wanted.length > 0) {
      this.#replies.setAttribute('role', 'group');
      this.#replies.setAttribute('aria-label', this.#say('suggestions'));
    }
  }

  #drawComposer(): void {
    const { talk } = this.#c;
    const say = this.#say;
    const { person, running } = talk;
    const { suggest } = this.#c.settings;
    const text = this.#text.value;
    // UTF-16 units are never fewer than scalar values: short texts need no counting.
    const chars = text.length >= COUNT_FROM ? scalars(text.trim()) : 0;
    const over = chars > MAX_CHARS;
    this.#count.hidden = chars < COUNT_FROM;
    this.#count.textContent = `${say('count', { n: chars, most: MAX_CHARS })}${over ? ` ${say('too_long')}` : ''}`;
    this.#count.classList.toggle('bad', over);
    this.#text.setAttribute('aria-invalid', String(over));
    this.#text.placeholder = person.state === 'here' ? say('write_to', { name: person.name }) : say('write');
    this.#drafts.hidden = !this.#sendsDrafts;
    const empty = text.trim() === '';
    this.#stopButton.hidden = !running || !empty;
    this.#stopButton.disabled = !talk.link.online || running?.stopping === true;
    this.#send.hidden = !this.#stopButton.hidden;
    this.#send.disabled = empty || over || talk.link.state === 'refused';
    // Where people answer anyway there is nobody else to ask for.
    this.#human.hidden = person.state === 'here' || suggest === true;
    this.#human.disabled = person.state !== 'none';
    const label = { none: say('human'), asked: say('human_asked'), waiting: say('human_waiting'), here: '' }[person.state];
    if (this.#human.lastElementChild!.textContent !== label) this.#human.lastElementChild!.textContent = label;
  }

  #follow(): void {
    this.#laidOutAnew();
    if (this.#pinned) this.#scroll.scrollTop = this.#scroll.scrollHeight;
    this.#latest.hidden = this.#pinned;
  }

  /** Whether the conversation or its window has another size than when this was last asked. */
  #laidOutAnew(): boolean {
    const { scrollHeight, clientHeight } = this.#scroll;
    const size = `${scrollHeight} ${clientHeight}`;
    const anew = size !== this.#size;
    this.#size = size;
    return anew;
  }

  /** Without the marks of formatting, which would be read out. */
  #announce(text: string): void {
    const line = h('p', {}, text.replace(/\*\*|`/g, ''));
    // A paragraph each: two within one frame are both read.
    this.#live.append(line);
    setTimeout(() => line.remove(), SPOKEN_MS);
  }
}
