// What was begun and not sent, by conversation: moving through the inbox, or a reload, loses
// nothing. It is the tab's, and goes with the sign-in: another agent at the same browser reads none
// of it.

import type { SuggestionId } from './protocol';

export interface Begun { reply: string; note: string; draft: SuggestionId | null }

const KEY = 'frontdesk:begun';
let owner = '';
let all = new Map<string, Begun>();

/** Takes up what this agent left; what another one left is let go. */
export function open(agent: string): void {
  if (agent === owner) return;
  owner = agent;
  const kept = read();
  all = new Map(kept?.agent === agent ? kept.texts : []);
  keep();
}

export function clear(): void {
  owner = '';
  all = new Map();
  keep();
}

export const of = (session: string): Begun | undefined => all.get(session);

export function put(session: string, begun: Begun): void {
  if (begun.reply === '' && begun.note === '') all.delete(session);
  else all.set(session, begun);
  keep();
}

function read(): { agent: string; texts: [string, Begun][] } | null {
  try {
    const { agent, texts } = JSON.parse(sessionStorage.getItem(KEY) ?? 'null') ?? {};
    const sound = ([session, begun]: [unknown, Begun]) => typeof session === 'string' && typeof begun?.reply === 'string' && typeof begun.note === 'string';
    return typeof agent === 'string' && Array.isArray(texts) ? { agent, texts: texts.filter((one) => Array.isArray(one) && sound(one as [unknown, Begun])) } : null;
  } catch {
    return null;
  }
}

function keep(): void {
  try {
    if (all.size === 0) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, JSON.stringify({ agent: owner, texts: [...all] }));
  } catch {
    // Storage is off or full: the words last as long as the page.
  }
}
