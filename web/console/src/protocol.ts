// The console's protocol, version 1, as docs/protocol/console.md tells it. Only what this console
// reads and sends.

export type Role = 'agent' | 'admin';
export type List = 'mine' | 'waiting' | 'all' | 'ended';
export type Wish = 'answer' | 'shorter' | 'warmer' | 'translated';
export type GiveTo = 'model' | 'queue';

export interface Agent { id: string; name: string }
export interface MySite { id: string; name: string; role: Role; language: string; suggest: boolean; auto_routing: boolean; rephrases: boolean }
export interface Me { agent: Agent; csrf: string; expires_at_ms: number; sites: MySite[] }
export interface Presence { agent: Agent; role: Role; online: boolean; available: boolean; held: number; limit: number }
export interface Account { agent: Agent; login: string; roles: Record<string, Role>; limit: number; created_at_ms: number }
export interface Counts { mine: number; waiting: number; all: number; ended: number }

export type HandoffReason =
  | 'asked' | 'low_confidence' | 'anger' | 'sensitive_topic' | 'high_intent' | 'suggest_only' | 'agent' | 'agent_gone';

export type Holder =
  | { by: 'model' }
  | { by: 'queue'; place: number; since_ms: number; reason?: HandoffReason }
  | { by: 'agent'; agent: Agent; since_ms: number };

export interface Summary {
  session: string;
  channel: string;
  visitor: string;
  started_at_ms: number;
  last_at_ms: number;
  last_seq: number;
  ended: boolean;
  holder: Holder;
  messages: number;
  visitor_seq: number;
  unanswered: boolean;
  preview?: { by: 'visitor' | 'model' | 'agent'; text: string };
  intent: number;
  watchers: string[];
  /** Whether the visitor has a page open, and when the last one was closed; neither where none was seen. */
  here?: boolean;
  left_at_ms?: number;
  rev: number;
}

export interface Citation {
  n: number;
  document: string;
  title: string;
  headings: string[];
  quote: string;
  url?: string;
  start: number;
  end: number;
  /** Nothing of the answer stands there: the document only came close. */
  related?: boolean;
}

export type AnswerEnd = 'complete' | 'length' | 'declined' | 'clarified' | 'cancelled' | 'superseded' | 'taken_over' | 'failed';
/** What an agent should know of a draft; words of drafts from before there were codes. */
export type DraftNote = string | { code: string; about?: string[] };
export interface SuggestionId { turn: number; version: number }
/** `count` is 0 where `value` tells what was seen. */
export interface IntentReason { signal: string; count: number; value?: string; weight: number }

export type What =
  | { event: 'started'; visitor: string; channel: string }
  | { event: 'message'; id: string; text: string }
  | { event: 'answer.started'; turn: number }
  | { event: 'answer.done'; turn: number; text: string; citations: Citation[]; confidence: number; end: AnswerEnd; withheld: number }
  | { event: 'human.requested' }
  | { event: 'handoff'; reason: HandoffReason }
  | { event: 'agent.joined'; agent: Agent; by?: string }
  | { event: 'agent.left'; agent: Agent; to: GiveTo; reason: 'gave_back' | 'assigned' | 'vanished' | 'revoked' }
  | { event: 'agent.message'; id: string; agent: Agent; text: string; suggestion?: SuggestionId }
  | { event: 'note'; id: string; agent: Agent; text: string }
  | ({ event: 'suggestion.done'; wish: Wish; text: string; citations: Citation[]; confidence: number; end: AnswerEnd; withheld: number; note?: DraftNote } & SuggestionId)
  | ({ event: 'suggestion.decided'; agent: Agent; decision: 'sent' | 'edited' | 'rejected'; distance: number; reason?: string } & SuggestionId)
  | { event: 'feedback'; turn: number; rating: 'up' | 'down'; text?: string }
  | { event: 'ended'; reason: string };

export type Entry = { seq: number; at_ms: number } & What;

export type Action =
  | { do: 'take' }
  | { do: 'give_back'; to: GiveTo }
  | { do: 'assign'; agent: string }
  | { do: 'send'; text: string; suggestion?: SuggestionId }
  | { do: 'note'; text: string }
  | { do: 'suggest'; wish: Wish; language?: string }
  | { do: 'reject'; suggestion: SuggestionId; reason: string }
  | { do: 'call_person' }
  | { do: 'end' };

export type ToServer =
  | { type: 'hello'; csrf: string; site: string; boot?: string; rev: number }
  | { type: 'availability'; id: string; available: boolean }
  | { type: 'inbox'; id: string; list: List; offset: number; limit: number }
  | { type: 'watch'; id: string; session: string; last_seq: number; partial?: { turn: number; offset: number } }
  | { type: 'unwatch'; session: string }
  | { type: 'read'; session: string; seq: number }
  | { type: 'typing'; session: string }
  | { type: 'act'; id: string; session: string; action: Action };

export type FromServer =
  | { type: 'welcome'; agent: Agent; site: string; role: Role; boot: string; rev: number; reset: boolean; available: boolean; counts: Counts; presence: Presence[]; read: Record<string, number> }
  | { type: 'ok'; id: string; seq?: number }
  | { type: 'error'; id?: string; code: string; message: string; retry_after_ms?: number }
  | { type: 'inbox'; id: string; list: List; offset: number; total: number; counts: Counts; rev: number; sessions: Summary[] }
  | { type: 'session'; session: Summary; counts: Counts }
  | { type: 'session.gone'; session: string; rev: number; counts: Counts }
  | { type: 'reset'; rev: number; counts: Counts }
  | { type: 'presence'; presence: Presence[]; available: boolean }
  | { type: 'read'; session: string; seq: number }
  | { type: 'conversation'; id: string; session: Summary; last_seq: number; entries: Entry[]; running?: { turn: number; offset: number; text: string }; draft?: { suggestion: SuggestionId; wish: Wish; text: string }; reasons: IntentReason[] }
  | { type: 'event'; session: string; entry: Entry }
  | { type: 'queue'; session: string; turn: number; place: number }
  | { type: 'thinking'; session: string; turn: number }
  | { type: 'answer.delta'; session: string; turn: number; offset: number; text: string }
  | { type: 'answer.citation'; session: string; turn: number; citation: Citation }
  | { type: 'answer.withheld'; session: string; turn: number; reason: string }
  | { type: 'suggestion.started'; session: string; suggestion: SuggestionId; wish: Wish }
  | { type: 'suggestion.delta'; session: string; suggestion: SuggestionId; offset: number; text: string }
  | { type: 'suggestion.citation'; session: string; suggestion: SuggestionId; citation: Citation }
  | { type: 'suggestion.stopped'; session: string; suggestion: SuggestionId; why?: string }
  | { type: 'intent'; session: string; intent: number; reasons: IntentReason[] }
  | { type: 'typing'; session: string }
  | { type: 'lost'; session: string };

export interface FoundSession {
  session: string;
  channel: string;
  visitor: string;
  started_at_ms: number;
  last_at_ms: number;
  last_seq: number;
  ended: boolean;
  messages: number;
  matches: { seq: number; by: 'visitor' | 'model' | 'agent'; text: string }[];
}
export interface Found { sessions: FoundSession[]; read: number; next?: string }

export interface PassageView {
  document: string;
  title: string;
  headings: string[];
  text: string;
  url?: string;
  agents_only: boolean;
  cosine?: number;
  cited: boolean;
}
export interface Passages { turn: number; question: string; passages: PassageView[] }

export interface Source { utm_source?: string; utm_medium?: string; utm_campaign?: string; utm_term?: string; utm_content?: string; referrer?: string }
export interface VisitorView {
  visitor: string;
  language?: string;
  known: boolean;
  source?: Source;
  attributes: Record<string, string | number | boolean>;
  conversations: Summary[];
}

export interface Canned { id: string; shortcut: string; title: string; text: string; language: string }

export interface SuggestionStatistics {
  made: number;
  sent: number;
  edited: number;
  rejected: number;
  acceptance_rate?: number;
  mean_edit_distance?: number;
  reject_reasons: [string, number][];
}
export interface Statistics {
  since_ms: number;
  sessions: number;
  complete: boolean;
  suggestions: SuggestionStatistics;
  agents: { agent: Agent; sessions: number; messages: number; suggestions: SuggestionStatistics }[];
  handoffs: Record<string, number>;
  median_wait_ms?: number;
  median_reply_ms?: number;
}

/** Most sessions of one inbox window. */
export const PAGE = 200;
