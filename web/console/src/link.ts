// The socket: hello, resume, and patience. What is asked is answered by the same id, or fails when
// the connection ends.

import type { Action, FromServer, ToServer } from './protocol';
import { newId } from './text';

const WELCOME_MS = 10_000;
const ANSWER_MS = 20_000;
/** A connection that lasts this long was a good one: the next loss is met with a short wait again. */
const STABLE_MS = 5_000;
const BACKOFF_MS = { first: 400, most: 15_000 };

export type LinkState =
  | { name: 'connecting' }
  | { name: 'online' }
  | { name: 'waiting'; until: number }
  | { name: 'refused'; message: string };

export class Refused extends Error {
  constructor(readonly code: string, message: string) {
    super(message);
  }
}

interface Asked {
  frame: ToServer;
  /** May be sent again over a new connection: its id makes that harmless. */
  again: boolean;
  resolve: (value: FromServer) => void;
  reject: (error: Refused) => void;
  timer: ReturnType<typeof setTimeout> | null;
}

export interface LinkEvents {
  hello: () => ToServer;
  state: (state: LinkState) => void;
  message: (message: FromServer) => void;
  /** The server no longer knows the sign-in. */
  signedOut: () => void;
}

export class Link {
  #socket: WebSocket | null = null;
  #state: LinkState = { name: 'connecting' };
  #asked = new Map<string, Asked>();
  #delay = BACKOFF_MS.first;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #closed = false;
  #refusal: FromServer & { type: 'error' } | null = null;

  constructor(readonly events: LinkEvents) {
    addEventListener('online', this.#wake);
    document.addEventListener('visibilitychange', this.#wake);
  }

  get online(): boolean {
    return this.#state.name === 'online';
  }

  open(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#set({ name: 'connecting' });
    const url = new URL('/v1/console', location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const before = this.#socket;
    const socket = new WebSocket(url);
    this.#socket = socket;
    before?.close();
    this.#refusal = null;
    const opened = Date.now();
    const patience = setTimeout(() => socket.close(), WELCOME_MS);
    socket.onopen = () => socket.send(JSON.stringify(this.events.hello()));
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return;
      let message: FromServer;
      try {
        message = JSON.parse(String(data));
      } catch {
        return;
      }
      if (message.type === 'welcome') {
        clearTimeout(patience);
        this.#set({ name: 'online' });
        this.events.message(message);
        for (const [id, asked] of this.#asked) this.#transmit(id, asked);
        return;
      }
      if (message.type === 'error' && !this.online) this.#refusal = message;
      const id = 'id' in message ? message.id ?? undefined : undefined;
      const asked = id === undefined ? undefined : this.#asked.get(id);
      // The state first, then whoever waits for it.
      this.events.message(message);
      if (id !== undefined && asked) {
        this.#asked.delete(id);
        if (asked.timer) clearTimeout(asked.timer);
        if (message.type === 'error') asked.reject(new Refused(message.code, message.message));
        else asked.resolve(message);
      }
    };
    socket.onclose = ({ code }) => {
      clearTimeout(patience);
      if (socket !== this.#socket) return;
      this.#socket = null;
      for (const [id, asked] of this.#asked) {
        if (asked.timer) clearTimeout(asked.timer);
        asked.timer = null;
        if (asked.again) continue;
        this.#asked.delete(id);
        asked.reject(new Refused('disconnected', ''));
      }
      if (this.#closed) return;
      if (code === 1008) {
        const refusal = this.#refusal as (FromServer & { type: 'error' }) | null;
        if (!refusal || refusal.code === 'unauthorized' || refusal.code === 'forbidden') return this.events.signedOut();
        return this.#set({ name: 'refused', message: refusal.message });
      }
      if (Date.now() - opened > STABLE_MS) this.#delay = BACKOFF_MS.first;
      // Everybody who lost the same server must not come back in the same moment.
      const wait = this.#delay * (0.6 + Math.random() * 0.8);
      this.#delay = Math.min(this.#delay * 2, BACKOFF_MS.most);
      this.#set({ name: 'waiting', until: Date.now() + wait });
      this.#timer = setTimeout(() => this.open(), wait);
    };
  }

  close(): void {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
    removeEventListener('online', this.#wake);
    document.removeEventListener('visibilitychange', this.#wake);
    this.#socket?.close();
    for (const asked of this.#asked.values()) asked.reject(new Refused('disconnected', ''));
    this.#asked.clear();
  }

  /** Sends and forgets; without a connection nothing happens. */
  say(frame: ToServer): void {
    if (this.online) this.#socket?.send(JSON.stringify(frame));
  }

  /** Sends, and waits for the answer of the same id. Throws [`Refused`]. */
  ask<T extends FromServer>(make: (id: string) => ToServer, { id = newId(), again = false } = {}): Promise<T> {
    return new Promise((resolve, reject) => {
      const asked: Asked = { frame: make(id), again, resolve: resolve as (value: FromServer) => void, reject, timer: null };
      if (!this.online && !again) return reject(new Refused('disconnected', ''));
      this.#asked.set(id, asked);
      if (this.online) this.#transmit(id, asked);
    });
  }

  act(session: string, action: Action, id = newId()): Promise<FromServer> {
    const again = action.do === 'send' || action.do === 'note';
    return this.ask((id) => ({ type: 'act', id, session, action }), { id, again });
  }

  #transmit(id: string, asked: Asked): void {
    this.#socket?.send(JSON.stringify(asked.frame));
    asked.timer = setTimeout(() => {
      // No answer in this time means that the connection is dead, whatever the browser thinks.
      if (this.#asked.has(id)) this.#socket?.close();
    }, ANSWER_MS);
  }

  #set(state: LinkState): void {
    this.#state = state;
    this.events.state(state);
  }

  #wake = (): void => {
    if (this.#state.name === 'waiting' && !document.hidden) this.open();
  };
}
