// Which language the console speaks, and dates and numbers in it. Another language is another file
// of `Words` and a line here.

import { recall, remember } from './desk';
import { en, type Words } from './words/en';
import { zh } from './words/zh';

export type Language = 'en' | 'zh-Hans';
export const LANGUAGES: Record<Language, Words> = { en, 'zh-Hans': zh };

const KEY = 'frontdesk:language';

function preferred(): Language {
  const kept = recall(KEY);
  if (kept && kept in LANGUAGES) return kept as Language;
  for (const language of navigator.languages) {
    if (/^zh\b/i.test(language)) return 'zh-Hans';
    if (/^en\b/i.test(language)) return 'en';
  }
  return 'en';
}

export let language: Language = preferred();
export let t: Words = LANGUAGES[language];
document.documentElement.lang = language;

export function setLanguage(wanted: Language): void {
  remember(KEY, wanted);
  language = wanted;
  t = LANGUAGES[wanted];
  document.documentElement.lang = wanted;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A span, short: 40 s, 3 min, 2 h. */
export function span(ms: number): string {
  const unit = (n: number, unit: string) => new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: 0 }).format(n);
  if (ms < MINUTE) return unit(Math.max(0, Math.round(ms / 1000)), 'second');
  if (ms < HOUR) return unit(Math.floor(ms / MINUTE), 'minute');
  if (ms < 2 * DAY) return unit(Math.floor(ms / HOUR), 'hour');
  return unit(Math.floor(ms / DAY), 'day');
}

/** How long ago, as short as it gets, for lists. */
export function ago(at: number, now: number): string {
  const ms = Math.max(0, now - at);
  const short = (n: number, unit: string) => new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'narrow', maximumFractionDigits: 0 }).format(n);
  if (ms < MINUTE) return new Intl.RelativeTimeFormat(language, { numeric: 'auto', style: 'narrow' }).format(0, 'second');
  if (ms < HOUR) return short(Math.floor(ms / MINUTE), 'minute');
  if (ms < DAY) return short(Math.floor(ms / HOUR), 'hour');
  if (ms < 7 * DAY) return short(Math.floor(ms / DAY), 'day');
  return new Intl.DateTimeFormat(language, { month: 'short', day: 'numeric' }).format(at);
}

/** A span, with the second unit where it matters: 1 min 14 s. */
export function duration(ms: number): string {
  if (ms < MINUTE || ms >= HOUR) return span(ms);
  const rest = ms % MINUTE;
  return ms < 10 * MINUTE && rest >= 1000 ? `${span(ms)} ${span(rest)}` : span(ms);
}

export const clock = (at: number): string => new Intl.DateTimeFormat(language, { timeStyle: 'short' }).format(at);

export const moment = (at: number): string => new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' }).format(at);

export const day = (at: number): string => new Intl.DateTimeFormat(language, { dateStyle: 'medium' }).format(at);

export const number = (n: number): string => new Intl.NumberFormat(language).format(n);

export const percent = (share: number): string => new Intl.NumberFormat(language, { style: 'percent', maximumFractionDigits: 0 }).format(share);

/** Visitors that the site signed in keep the name it gave them; an anonymous one gets the beginning of its id. */
export const visitorName = (visitor: string): string =>
  (visitor.startsWith('jwt:') ? visitor.slice(4, 44) : t.visitor(visitorCode(visitor)));

/** Two characters for a disc, four for a name. */
export const visitorCode = (visitor: string, length = 4): string => visitor.replace(/^jwt:/, '').replace(/[^\p{L}\p{N}]/gu, '').slice(0, length).toUpperCase();

/** What was seen of it: a number or a name, and a few words. */
export const signalValue = (value: string): string => t.signalValues[value] ?? value;

/** What a signal of the server is called; its own name in words where no translation stands. */
export const signalName = (signal: string): string => t.signals[signal] ?? signal.replace(/[_.]/g, ' ');
