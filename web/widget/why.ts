// Why the server refused something, for the visitor.

import type { Say } from '../shared/i18n.ts';
import type { Panel } from './lang/en.ts';

/** What the server may say no with. What only the site's owner can mend is said alike: the page hears the server's own words (`on('error')`). */
const KNOWN: Record<string, keyof Panel> = {
  rate_limited: 'err_rate_limited',
  overloaded: 'busy',
  too_large: 'err_too_large',
  storage_failed: 'err_storage_failed',
  session_ended: 'err_session_ended',
  answer_failed: 'end_failed',
  unauthorized: 'err_unavailable',
  origin_refused: 'err_unavailable',
  unknown_site: 'err_unavailable',
};

/** In the visitor's language; the server's words where the code is not known. */
export function why(say: Say<Panel>, code: string, words: string): string {
  const name = Object.hasOwn(KNOWN, code) ? KNOWN[code] : undefined;
  return name ? say(name) : words;
}
