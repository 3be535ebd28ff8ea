// Where this visit came from, for the site's own statistics: campaign parameters of the address,
// and the host that linked here.

import type { Source } from '../shared/protocol.ts';

const NAMES = ['utm_source', 'utm_medium', 'utm_campaign', 'utm_term', 'utm_content'] as const;
const MAX_CHARS = 200;

/** What this page's address and the browser say; null if that is nothing. Of a referrer only its origin is told. */
export function arrival(search: string, referrer: string, host: string): Source | null {
  const source: Source = {};
  const query = new URLSearchParams(search);
  for (const name of NAMES) {
    const value = query.get(name)?.trim();
    if (value) source[name] = value.slice(0, MAX_CHARS);
  }
  try {
    const from = new URL(referrer);
    if (from.host && from.host !== host) source.referrer = `${from.protocol}//${from.host}`;
  } catch {
    // The visitor typed the address, or the browser doesn't tell.
  }
  return Object.keys(source).length > 0 ? source : null;
}

/**
 * The latest arrival of this visit: the chat may be opened pages after it. `keep` reads what the visit has, and writes it with a
 * second argument.
 */
export function source(keep: (value?: string) => string | null): Source | undefined {
  const now = arrival(location.search, document.referrer, location.host);
  if (now) keep(JSON.stringify(now));
  try {
    return now ?? (JSON.parse(keep() ?? 'null') as Source | null) ?? undefined;
  } catch {
    return undefined;
  }
}
