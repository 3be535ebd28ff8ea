// Which language the page speaks, and numbers and dates in it. The choice is the console's, kept
// where the console keeps it. Another language is another file in lang/ and a line here.

import { choose, sayer, type Say } from '../shared/i18n';
import * as en from './lang/en';
import * as zh from './lang/zh';

const LANGUAGES = {
  en: { name: 'English', ...en, texts: en.en },
  'zh-Hans': { name: '简体中文', ...zh, texts: zh.zh },
};
export type Language = keyof typeof LANGUAGES;
export const languages = Object.entries(LANGUAGES).map(([id, { name }]) => [id as Language, name] as const);

const KEY = 'frontdesk:language';
/** The console's look, where one was chosen there. */
const THEME = 'frontdesk:theme';

function recall(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function preferred(): Language {
  return choose([recall(KEY), ...navigator.languages], Object.keys(LANGUAGES)) as Language | null ?? 'en';
}

export let language: Language;
export let say: Say<en.Words>;
let known: (typeof LANGUAGES)[Language];

function speak(wanted: Language): void {
  language = wanted;
  known = LANGUAGES[wanted];
  say = sayer(wanted, known.texts, en.en);
  document.documentElement.lang = wanted;
}

export function setLanguage(wanted: Language): void {
  try {
    localStorage.setItem(KEY, wanted);
  } catch {
    // Storage is off: the choice lasts as long as the page.
  }
  speak(wanted);
}

speak(preferred());
const theme = recall(THEME);
if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;

/** What the server names: a topic, a stage, a kind of model. */
export const named = (name: string): string => known.names[name] ?? name;
/** A feature, or a value of one. */
export const feature = (name: string): string => known.features[name.replaceAll('_', ' ')] ?? name.replaceAll('_', ' ');

/** A group by its most striking traits. */
export function group(traits: { feature: string; deviations: number }[]): string {
  const words = traits.slice(0, 2).flatMap(({ feature, deviations }) => known.traits[feature]?.[deviations > 0 ? 0 : 1] ?? []);
  return words.length > 0 ? words.join(say('words_join')) : say('average');
}

export const percent = (share: number, digits = 0): string =>
  share.toLocaleString(language, { style: 'percent', minimumFractionDigits: digits, maximumFractionDigits: digits });
export const number = (value: number): string => value.toLocaleString(language, { maximumFractionDigits: value < 10 ? 1 : 0 });
export const fixed = (value: number, digits: number): string =>
  value.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
/** With its sign, also where it is more. */
export const signed = (value: number, digits: number): string => say(value < 0 ? 'minus' : 'plus', { value: fixed(Math.abs(value), digits) });

/** Days are days of UTC, as the server counts them. */
const date = (ms: number, fields: Intl.DateTimeFormatOptions): string => new Date(ms).toLocaleDateString(language, { ...fields, timeZone: 'UTC' });
export const day = (ms: number): string => date(ms, { day: 'numeric', month: 'short', year: 'numeric' });
export const monthAndYear = (ms: number): string => date(ms, { month: 'short', year: 'numeric' });
export const weekdayAndDay = (ms: number): string => date(ms, { weekday: 'short', day: 'numeric', month: 'short' });
export const shortDay = (ms: number): string => date(ms, { day: 'numeric', month: 'short' });
export const clock = (): string => new Date().toLocaleTimeString(language, { hour: '2-digit', minute: '2-digit' });

/** Amounts, each in its currency as the language writes it; what is no currency's code stands behind its amount. */
export function money(paid: { amount: number; currency: string }[]): string {
  const one = ({ amount, currency }: { amount: number; currency: string }): string => {
    try {
      return amount.toLocaleString(language, { style: 'currency', currency });
    } catch {
      return `${fixed(amount, 2)}${currency ? ` ${currency}` : ''}`;
    }
  };
  return paid.map(one).join(' + ');
}
