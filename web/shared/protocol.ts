// Version 1 of the visitor protocol, as docs/protocol/schema.json describes it, and how frames are
// read.
//
// A reader is strict about what it uses and deaf to what it doesn't know: a frame of an unknown
// type, or with a field of the wrong kind, is passed over, so that servers may say more than this
// version knows.

export type Rating = 'up' | 'down';
export type AnswerEnd = 'complete' | 'length' | 'declined' | 'clarified' | 'small_talk' | 'cancelled' | 'superseded' | 'taken_over' | 'failed';

/** Where a statement of an answer stands. */
export interface Citation {
  n: number;
  document: string;
  title: string;
  headings: string[];
  quote: string;
  url?: string | null;
  /** Nothing of the answer stands there: the document only came close. */
  related?: boolean | null;
}

/** A product of the shop that fits the conversation. */
export interface Product {
  id: string;
  name: string;
  variant: string;
  price: number;
  price_to?: number | null;
  currency: string;
  url?: string | null;
  image?: string | null;
  reason?: string | null;
}

/** Where a visitor came from; counts in a new conversation. */
export interface Source { utm_source?: string; utm_medium?: string; utm_campaign?: string; utm_term?: string; utm_content?: string; referrer?: string }

export type Attributes = { consent: boolean; values: Record<string, string | number | boolean> };

export type ClientMessage =
  | { type: 'hello'; site: string; token?: string; session?: string; last_seq: number; partial?: { turn: number; offset: number }; source?: Source; attributes?: Attributes; language?: string }
  | { type: 'message'; id: string; text: string }
  | { type: 'typing'; text?: string }
  | { type: 'cancel'; turn: number }
  | { type: 'human' }
  | { type: 'feedback'; turn: number; rating: Rating; text?: string }
  | { type: 'recommendation.click'; id: string }
  | { type: 'end'; session?: string }
  | { type: 'forget'; also?: string[] };

/** When it was stored, in milliseconds since the epoch; servers of before this field don't say. */
type Timed = { at_ms?: number };

export interface ServerMessages {
  welcome: { session: string; token: string; last_seq: number; available?: boolean | null };
  ack: { id: string; seq: number };
  message: { id: string; seq: number; text: string } & Timed;
  queue: { turn: number; place: number };
  thinking: { turn: number };
  'answer.started': { turn: number; seq: number } & Timed;
  'answer.delta': { turn: number; offset: number; text: string };
  'answer.citation': { turn: number; citation: Citation };
  'answer.withheld': { turn: number };
  'answer.done': { turn: number; seq: number; text: string; citations: Citation[]; end: AnswerEnd } & Timed;
  'human.requested': { seq: number } & Timed;
  handoff: { seq: number } & Timed;
  'human.queue': { place: number; available: boolean; contact?: string | null };
  'agent.joined': { seq: number; name: string } & Timed;
  'agent.left': { seq: number; name: string; waiting?: boolean } & Timed;
  'agent.message': { seq: number; id?: string; text: string; name: string } & Timed;
  'agent.typing': { name: string };
  recommendation: { turn?: number; products: Product[] };
  'feedback.received': { seq: number; turn: number; rating: Rating };
  ended: { seq: number; reason: string } & Timed;
  forgotten: Record<never, never>;
  error: { code: string; message: string; retry_after_ms?: number | null; id?: string | null };
}

export type ServerMessage = { [K in keyof ServerMessages]: { type: K } & ServerMessages[K] }[keyof ServerMessages];

type Fits = (value: unknown) => boolean;

export const isCount: Fits = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
export const isText: Fits = (value) => typeof value === 'string';
const isFlag: Fits = (value) => typeof value === 'boolean';
const maybe = (fits: Fits): Fits => (value) => value === undefined || value === null || fits(value);
const listOf = (fits: Fits): Fits => (value) => Array.isArray(value) && value.every(fits);
const shaped = (shape: Record<string, Fits>): Fits => (value) =>
  typeof value === 'object' && value !== null && Object.entries(shape).every(([field, fits]) => fits((value as Record<string, unknown>)[field]));

const isCitation = shaped({ n: isCount, document: isText, title: isText, headings: listOf(isText), quote: isText, url: maybe(isText), related: maybe(isFlag) });
const isProduct = shaped({
  id: isText,
  name: isText,
  variant: isText,
  price: Number.isFinite,
  price_to: maybe(Number.isFinite),
  currency: (value) => isText(value) && /^[A-Z]{3}$/.test(value as string),
  url: maybe(isText),
  image: maybe(isText),
  reason: maybe(isText),
});

/** What a frame must carry to be heard. */
const SHAPES: { [K in keyof ServerMessages]: Fits } = {
  welcome: shaped({ session: isText, token: isText, last_seq: isCount, available: maybe(isFlag) }),
  ack: shaped({ id: isText, seq: isCount }),
  message: shaped({ at_ms: maybe(isCount), id: isText, seq: isCount, text: isText }),
  queue: shaped({ turn: isCount, place: isCount }),
  thinking: shaped({ turn: isCount }),
  'answer.started': shaped({ at_ms: maybe(isCount), turn: isCount, seq: isCount }),
  'answer.delta': shaped({ turn: isCount, offset: isCount, text: isText }),
  'answer.citation': shaped({ turn: isCount, citation: isCitation }),
  'answer.withheld': shaped({ turn: isCount }),
  'answer.done': shaped({ at_ms: maybe(isCount), turn: isCount, seq: isCount, text: isText, citations: listOf(isCitation), end: isText }),
  'human.requested': shaped({ at_ms: maybe(isCount), seq: isCount }),
  handoff: shaped({ at_ms: maybe(isCount), seq: isCount }),
  'human.queue': shaped({ place: isCount, available: isFlag, contact: maybe(isText) }),
  'agent.joined': shaped({ at_ms: maybe(isCount), seq: isCount, name: isText }),
  'agent.left': shaped({ at_ms: maybe(isCount), seq: isCount, name: isText, waiting: maybe(isFlag) }),
  'agent.message': shaped({ at_ms: maybe(isCount), seq: isCount, id: maybe(isText), text: isText, name: isText }),
  'agent.typing': shaped({ name: isText }),
  recommendation: shaped({ turn: maybe(isCount), products: listOf(isProduct) }),
  'feedback.received': shaped({ seq: isCount, turn: isCount, rating: (value) => value === 'up' || value === 'down' }),
  ended: shaped({ at_ms: maybe(isCount), seq: isCount, reason: isText }),
  forgotten: shaped({}),
  error: shaped({ code: isText, message: isText, retry_after_ms: maybe(isCount), id: maybe(isText) }),
};

/** A frame as a message; `{ seq }` for one that is not understood but counts as seen; null for what is no message at all. */
export function read(frame: string): ServerMessage | { type: 'unknown'; seq: number } | null {
  let value: unknown;
  try {
    value = JSON.parse(frame);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const { type, seq } = value as { type?: unknown; seq?: unknown };
  if (typeof type === 'string' && Object.hasOwn(SHAPES, type)) {
    return SHAPES[type as keyof ServerMessages](value) ? (value as ServerMessage) : null;
  }
  return isCount(seq) ? { type: 'unknown', seq: seq as number } : null;
}
