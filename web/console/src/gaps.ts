// Knowledge gaps over HTTP: the one place that knows how the server tells them.

import { api, ApiError, sitePath } from './api';
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

/** Where a sentence of a draft was said. */
export interface Said { session: string; seq: number; agent: string; at_ms: number }

/** What asking a draft gave. `count` is null below five questions: it would tell of single visitors. */
export interface Trial { count: { answered: number; asked: number } | null; all: boolean; none: boolean; others: number; worse: number }

/** An article made of what agents replied, sentence by sentence. */
export interface Draft {
  title: string;
  text: string;
  sentences: { text: string; sources: Said[] }[];
  /** Pairs of sentences, by place, that can't both be right. */
  contradictions: { first: number; second: number; says: [string, string] }[];
  left_out: { personal: number; case: number; courtesy: number; repeated: number; too_many: number };
  trial: Trial | null;
  published: { document: string } | null;
  /** Sentences of the published article whose conversations were all erased. */
  review: string[];
}

/** The question that an agent came to write the article for. */
export const wanted: { turn: { session: string; turn: number } | null } = { turn: null };

const of = (site: string, gap: Gap, rest: string): string => sitePath(site, `/gaps/${encodeURIComponent(gap.id)}/${rest}`);

export const loadGaps = (site: string, state: GapState): Promise<GapList> => api('GET', sitePath(site, `/gaps?state=${state}`));
export const publish = (site: string, gap: Gap, article: Article): Promise<Tried> => api('POST', of(site, gap, 'article'), article);
export const withdraw = (site: string, gap: Gap): Promise<void> => api('DELETE', of(site, gap, 'article'));
export const dismiss = (site: string, gap: Gap): Promise<Gap> => api('POST', of(site, gap, 'dismiss'));
export const reopen = (site: string, gap: Gap): Promise<Gap> => api('POST', of(site, gap, 'reopen'));

const drafted = (site: string, gap: Gap, rest = ''): string => sitePath(site, `/drafts/${encodeURIComponent(gap.id)}${rest}`);

/** The gap's draft, or null where none was made. */
export async function loadDraft(site: string, gap: Gap): Promise<Draft | null> {
  try {
    return await api<Draft>('GET', drafted(site, gap));
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}
export const makeDraft = (site: string, gap: Gap): Promise<Draft> => api('POST', drafted(site, gap));
export const discardDraft = (site: string, gap: Gap): Promise<void> => api('DELETE', drafted(site, gap));
export const tryDraft = (site: string, gap: Gap, article: Article): Promise<Trial> => api('POST', drafted(site, gap, '/trial'), { title: article.title.trim(), text: article.text.trim() });
