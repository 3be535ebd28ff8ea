// Times as the visitor's own clock has them.

/** Silence after which the next message says when it came, in milliseconds. */
const PAUSE_MS = 10 * 60_000;

/** The whole moment, for a tooltip and for the transcript. */
export const moment = (at: number, language: string): string => new Date(at).toLocaleString(language, { dateStyle: 'medium', timeStyle: 'short' });

/** The time of day, with the day where that isn't today. */
export function brief(at: number, language: string, now = Date.now()): string {
  const [then, today] = [new Date(at), new Date(now)];
  if (then.toDateString() === today.toDateString()) return then.toLocaleTimeString(language, { timeStyle: 'short' });
  const year = then.getFullYear() === today.getFullYear() ? {} : { year: 'numeric' as const };
  return then.toLocaleString(language, { weekday: 'short', month: 'short', day: 'numeric', hour: 'numeric', minute: '2-digit', ...year });
}

/** True if a reader wants to be told when this was said: first of all, after a pause, on another day. */
export const stands = (at: number, before: number | null): boolean =>
  before === null || at - before > PAUSE_MS || new Date(at).toDateString() !== new Date(before).toDateString();
