// Texts as the protocol counts them: in Unicode scalar values.

/** Longest message the server takes, in Unicode scalar values. */
export const MAX_CHARS = 4000;

/** Length in Unicode scalar values. */
export function scalars(text: string): number {
  let n = 0;
  for (const _ of text) n += 1;
  return n;
}

/** The first `n` Unicode scalar values. */
export function firstScalars(text: string, n: number): string {
  let at = 0;
  for (const one of text) {
    if (n <= 0) break;
    n -= 1;
    at += one.length;
  }
  return text.slice(0, at);
}

/** What can be sent: half a surrogate pair is no UTF-8, and control characters would swell a frame beyond its limit. */
export function sendable(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\uFFFD').replace(/[^\P{Cc}\n\t]/gu, '').trim();
}

/** 128 random bits, also where a page is no secure context. */
export function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
