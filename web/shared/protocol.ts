// Version 1 of the visitor protocol, as docs/protocol/schema.json describes it, and how frames are
// read.
//
// A reader is strict about what it uses and deaf to what it doesn't know: a frame of an unknown
// type, or with a field of the wrong kind, is passed over, so that servers may say more than this
// version knows.

import type { ServerMessage } from './protocol.gen.ts';

export type { AnswerEnd, Attributes, Card as Product, Citation, ClientMessage, Rating, ServerMessage, Source } from './protocol.gen.ts';

/** What a frame of each type carries. */
export type ServerMessages = { [K in ServerMessage['type']]: Omit<Extract<ServerMessage, { type: K }>, 'type'> };

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
