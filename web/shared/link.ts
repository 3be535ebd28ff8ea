// One WebSocket that comes back: back-off with jitter, resume by whoever owns it, sleep and network
// changes noticed.

/**
 * `idle`: not wanted yet. `connecting`, `online`. `waiting` for the next try. `offline`: the device has no network. `refused`: the
 * server said no, and trying again by itself would not help.
 */
export type LinkState = 'idle' | 'connecting' | 'online' | 'waiting' | 'offline' | 'refused';
/** Why there is no connection; `refused` carries the server's own words. */
export type Why = 'lost' | 'unreachable' | 'silent' | 'gap' | 'restarting' | 'slow' | 'busy' | 'refused';

export interface LinkOptions {
  url: string;
  /** The first frame, made anew for each connection. If it fails, that counts as a failed try. */
  hello: () => Promise<object> | object;
  /** A frame arrived. The owner calls `welcome`, `lost` or `refuse` as it understands them. */
  frame: (text: string) => void;
  /** State, reason or time of the next try changed. */
  change: () => void;
}

/** Milliseconds: for a welcome, and how long a connection must last to count as good. */
const WELCOME_MS = 10_000;
const STABLE_MS = 5_000;
const BACKOFF_MS = { first: 500, most: 20_000 };
/** The server gives a silent socket up after 45 s: a page that slept for longer has lost it without knowing. */
const TICK_MS = 5_000;
const SLEPT_MS = 75_000;

export class Link {
  state: LinkState = 'idle';
  why: Why = 'lost';
  /** The server's words and code where `why` is `refused`. */
  words = '';
  code = '';
  /** `Date.now()` of the next try while `waiting`. */
  retryAt = 0;
  #options: LinkOptions;
  #socket: WebSocket | null = null;
  #attempt = 0;
  #timers = new Set<ReturnType<typeof setTimeout>>();
  #ticked = Date.now();
  #stop = new AbortController();

  constructor(options: LinkOptions) {
    this.#options = options;
    const { signal } = this.#stop;
    addEventListener('online', () => this.#wanted() && this.state !== 'online' && this.connect(), { signal });
    addEventListener('offline', () => this.#wanted() && this.lost('lost'), { signal });
    document.addEventListener('visibilitychange', () => { if (!document.hidden) this.#awake(); }, { signal });
    // A page in the back/forward cache must hold no connection.
    addEventListener('pagehide', (event) => { if (event.persisted && this.#wanted()) this.#enter('waiting', 'lost'); }, { signal });
    addEventListener('pageshow', (event) => { if (event.persisted && this.#wanted()) this.connect(); }, { signal });
    const ticking = setInterval(() => this.#awake(), TICK_MS);
    signal.addEventListener('abort', () => clearInterval(ticking));
  }

  get online(): boolean {
    return this.state === 'online';
  }

  /** Connects now, whatever was before. */
  connect(): void {
    this.#drop();
    this.#enter('connecting');
    const socket = new WebSocket(this.#options.url);
    this.#socket = socket;
    socket.onopen = async () => {
      try {
        const hello = await this.#options.hello();
        if (this.#socket === socket) socket.send(JSON.stringify(hello));
      } catch {
        if (this.#socket === socket) this.lost('silent');
      }
    };
    socket.onclose = () => this.lost(this.#attempt === 0 ? 'lost' : 'unreachable');
    socket.onmessage = ({ data }) => { if (typeof data === 'string') this.#options.frame(data); };
    this.after(WELCOME_MS, () => { if (this.state !== 'online') this.lost('silent'); });
  }

  /** The server took the hello. */
  welcome(): void {
    this.after(STABLE_MS, () => { this.#attempt = 0; });
    this.#enter('online');
  }

  /** False if there is no connection to send it over. */
  send(message: object): boolean {
    if (this.state !== 'online' || this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** The connection is gone: the next try comes after a while that doubles, with jitter so that not all come at once. */
  lost(why: Why, leastMs = 0): void {
    this.#drop();
    if (navigator.onLine === false) return this.#enter('offline', why);
    const ceiling = Math.min(BACKOFF_MS.most, BACKOFF_MS.first * 2 ** this.#attempt);
    const wait = Math.max(leastMs, ceiling * (0.5 + Math.random() / 2));
    this.#attempt += 1;
    this.retryAt = Date.now() + wait;
    this.after(wait, () => this.connect());
    this.#enter('waiting', why);
  }

  /** The server said no. */
  refuse(code: string, words: string): void {
    this.#drop();
    Object.assign(this, { code, words });
    this.#enter('refused', 'refused');
  }

  /** Lets the connection go until `connect`. */
  rest(): void {
    this.#drop();
    this.#attempt = 0;
    this.#enter('idle');
  }

  /** Something that is void once the connection is gone. */
  after(ms: number, act: () => void): void {
    const timer = setTimeout(() => { this.#timers.delete(timer); act(); }, ms);
    this.#timers.add(timer);
  }

  destroy(): void {
    this.#stop.abort();
    this.#drop();
    this.state = 'idle';
  }

  #wanted(): boolean {
    return this.state !== 'idle' && this.state !== 'refused';
  }

  #awake(): void {
    const slept = Date.now() - this.#ticked;
    this.#ticked = Date.now();
    if (this.#wanted() && slept > SLEPT_MS) this.connect();
    else if (!document.hidden && this.state === 'waiting' && this.retryAt - Date.now() > 2_000 && slept > TICK_MS * 2) this.connect();
  }

  #enter(state: LinkState, why: Why = this.why): void {
    this.state = state;
    this.why = why;
    if (state !== 'connecting' && state !== 'online') this.#close();
    this.#options.change();
  }

  #drop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#close();
  }

  #close(): void {
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }
}
