// Knowledge gaps over HTTP: the one place that knows how the server tells them.

import { api, sitePath } from './api';
import type { Citation } from './protocol';

export type GapState = 'open' | 'closed' | 'dismissed';
export type Audience = 'public' | 'agents';

export interface Gap {
  id: string;
  state: GapState;
  question: string;
  count: number;
  last_at_ms: number;
  /** How often, by reason: `declined`, `low_confidence`, `voted_down`. */
  reasons: Record<string, number>;
  /** The latest questions, as they were asked. */
  examples: { text: string; session: string; turn: number; at_ms: number }[];
  answered_by: { document: string; title: string; headings: string[]; at_ms: number } | null;
}

/** `enabled` is false on a server that gathers none; `total` counts all of the state. */
export interface GapList { enabled: boolean; total: number; gaps: Gap[] }

/** What became of the question once the article stood. */
export interface Tried { document: string; closed: boolean; answered: boolean; by_article: boolean; text: string; citations: Citation[]; confidence: number }

export interface Article { title: string; text: string; audience: Audience }

/** The question that an agent came to write the article for. */
export const wanted: { turn: { session: string; turn: number } | null } = { turn: null };

const of = (site: string, gap: Gap, rest: string): string => sitePath(site, `/gaps/${encodeURIComponent(gap.id)}/${rest}`);

export const loadGaps = (site: string, state: GapState): Promise<GapList> => api('GET', sitePath(site, `/gaps?state=${state}`));
export const publish = (site: string, gap: Gap, article: Article): Promise<Tried> => api('POST', of(site, gap, 'article'), article);
export const withdraw = (site: string, gap: Gap): Promise<void> => api('DELETE', of(site, gap, 'article'));
export const dismiss = (site: string, gap: Gap): Promise<Gap> => api('POST', of(site, gap, 'dismiss'));
export const reopen = (site: string, gap: Gap): Promise<Gap> => api('POST', of(site, gap, 'reopen'));
