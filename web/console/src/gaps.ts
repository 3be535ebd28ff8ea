// Knowledge gaps over HTTP: the one place that knows how the server tells them.

import { ApiError, api, sitePath } from './api';
import type { Citation } from './protocol';

export interface Gap {
  id: string;
  state: 'open' | 'closed' | 'dismissed';
  question: string;
  count: number;
  last_at_ms: number;
  /** The latest questions, as they were asked. */
  examples: { text: string; session: string; turn: number; at_ms: number }[];
}

/** What became of the question once the article stood. */
export interface Tried { document: string; answered: boolean; text: string; citations: Citation[]; confidence: number }

/** `null`: this server gathers no gaps. */
export async function loadGaps(site: string): Promise<Gap[] | null> {
  try {
    const { gaps } = await api<{ gaps: Gap[] }>('GET', sitePath(site, '/gaps?state=open'));
    return gaps;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

export const publish = (site: string, gap: Gap, title: string, text: string): Promise<Tried> =>
  api<Tried>('POST', sitePath(site, `/gaps/${encodeURIComponent(gap.id)}/article`), { title, text });

export const dismiss = (site: string, gap: Gap): Promise<void> =>
  api('POST', sitePath(site, `/gaps/${encodeURIComponent(gap.id)}/dismiss`));
