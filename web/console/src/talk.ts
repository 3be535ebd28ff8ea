// One conversation as this console knows it: entries and what is being written, made into what is
// shown. No socket, no page.

import type { Agent, AnswerEnd, Citation, DraftNote, Entry, FromServer, IntentReason, SuggestionId, Wish } from './protocol';
import { merge, scalars } from './text';

export interface VisitorItem { kind: 'visitor'; key: string; order: number; at: number; id: string; text: string; seq: number }
export interface AnswerItem {
  kind: 'answer';
  key: string;
  order: number;
  at: number;
  turn: number;
  text: string;
  citations: Citation[];
  confidence: number | null;
  withheld: number;
  end: AnswerEnd | null;
  place: number | null;
  rating: 'up' | 'down' | null;
  remark: string | null;
}
export interface AgentItem {
  kind: 'agent';
  key: string;
  order: number;
  at: number;
  id: string;
  agent: Agent;
  text: string;
  state: 'sent' | 'sending' | 'failed';
  problem: string | null;
  suggestion: SuggestionId | null;
  /** How far it is from the draft it was made of, 0…1. */
  distance: number | null;
}
export interface NoteItem { kind: 'note'; key: string; order: number; at: number; agent: Agent; text: string; state: 'sent' | 'sending' | 'failed' }
export interface LineItem { kind: 'line'; key: string; order: number; at: number; entry: Entry }
export type Item = VisitorItem | AnswerItem | AgentItem | NoteItem | LineItem;

export interface Draft {
  id: SuggestionId;
  wish: Wish;
  text: string;
  citations: Citation[];
  confidence: number | null;
  withheld: number;
  end: AnswerEnd | null;
  note: DraftNote | null;
  seq: number;
  decided: boolean;
}

const sameDraft = (one: SuggestionId, other: SuggestionId): boolean => one.turn === other.turn && one.version === other.version;
const LAST = Number.MAX_SAFE_INTEGER;

export class Talk {
  lastSeq = 0;
  loaded = false;
  reasons: IntentReason[] = [];
  intent = 0;
  /** Why the newest draft was given up: a code where a rewrite changed nothing, else words. */
  draftProblem: string | null = null;
  /** Replaced, never changed in place: an item that is the same object needs no drawing. */
  items: Item[] = [];
  drafts: Draft[] = [];
  #entries = new Map<number, Entry>();
  #lastVisitorSeq = 0;
  #lastAgentSeq = 0;

  constructor(readonly session: string) {}

  /** What a `watch` after a lost connection says of the answer that was being received. */
  get partial(): { turn: number; offset: number } | undefined {
    const running = this.running;
    return running ? { turn: running.turn, offset: scalars(running.text) } : undefined;
  }

  get running(): AnswerItem | null {
    return this.items.findLast((item): item is AnswerItem => item.kind === 'answer' && item.end === null) ?? null;
  }

  get lastVisitorSeq(): number {
    return this.#lastVisitorSeq;
  }

  /** The versions of the draft that stands open, oldest first; empty if none does. */
  get open(): Draft[] {
    const newest = this.drafts.at(-1);
    if (!newest) return [];
    const { turn } = newest.id;
    if (turn < this.#lastVisitorSeq) return [];
    const versions = this.drafts.filter((draft) => draft.id.turn === turn);
    if (versions.some((draft) => draft.decided && draft.id.version === newest.id.version)) return [];
    // What an agent wrote without the draft has answered the message, unless the draft was asked
    // for later.
    if (newest.end !== null && newest.seq < this.#lastAgentSeq) return [];
    return versions.filter((draft) => !draft.decided);
  }

  get entries(): Entry[] {
    return [...this.#entries.values()].sort((a, b) => a.seq - b.seq);
  }

  apply(message: FromServer): void {
    switch (message.type) {
      case 'conversation': {
        this.loaded = true;
        this.reasons = message.reasons;
        this.intent = message.session.intent;
        for (const entry of message.entries) this.add(entry);
        this.lastSeq = Math.max(this.lastSeq, message.last_seq);
        const { running, draft } = message;
        if (running) this.#write(running.turn, running.offset, running.text);
        // A draft that is being written is told whole; one that isn't any more has ended in an
        // entry, or was given up.
        this.drafts = this.drafts.filter((one) => one.end !== null);
        if (draft) this.#draft(draft.suggestion, { wish: draft.wish, text: draft.text });
        break;
      }
      case 'event':
        this.add(message.entry);
        break;
      case 'queue':
        this.#answer(message.turn, { place: message.place });
        break;
      case 'answer.delta':
        this.#write(message.turn, message.offset, message.text);
        break;
      case 'answer.citation': {
        const { citations } = this.#found(message.turn);
        if (!citations.some((one) => one.n === message.citation.n)) this.#answer(message.turn, { citations: [...citations, message.citation] });
        break;
      }
      case 'answer.withheld':
        this.#answer(message.turn, { withheld: this.#found(message.turn).withheld + 1 });
        break;
      case 'suggestion.started':
        this.draftProblem = null;
        this.#draft(message.suggestion, { wish: message.wish, text: '' });
        break;
      case 'suggestion.delta': {
        const draft = this.drafts.find((one) => sameDraft(one.id, message.suggestion));
        if (draft?.end) break;
        this.#draft(message.suggestion, { text: merge(draft?.text ?? '', message.offset, message.text) });
        break;
      }
      case 'suggestion.citation': {
        const citations = this.drafts.find((one) => sameDraft(one.id, message.suggestion))?.citations ?? [];
        if (!citations.some((one) => one.n === message.citation.n)) this.#draft(message.suggestion, { citations: [...citations, message.citation] });
        break;
      }
      case 'suggestion.stopped':
        this.drafts = this.drafts.filter((one) => one.end !== null || !sameDraft(one.id, message.suggestion));
        this.draftProblem = message.why ?? null;
        break;
      case 'intent':
        this.intent = message.intent;
        this.reasons = message.reasons;
        break;
    }
  }

  add(entry: Entry): void {
    const known = this.#entries.get(entry.seq);
    // What the visitor deleted comes once more, without its words.
    const amended = known?.event === 'message' && entry.event === 'message' && known.text !== entry.text;
    if (known && !amended) return;
    if (amended) entry = { ...entry, at_ms: known.at_ms };
    this.#entries.set(entry.seq, entry);
    this.lastSeq = Math.max(this.lastSeq, entry.seq);
    const base = { order: entry.seq, at: entry.at_ms };
    switch (entry.event) {
      case 'message':
        this.#lastVisitorSeq = Math.max(this.#lastVisitorSeq, entry.seq);
        this.#put({ kind: 'visitor', key: `v${entry.seq}`, ...base, id: entry.id, text: entry.text, seq: entry.seq });
        break;
      case 'answer.started':
        this.#answer(entry.turn, { at: entry.at_ms });
        break;
      case 'answer.done': {
        const { text, citations, confidence, end, withheld } = entry;
        this.#answer(entry.turn, { at: entry.at_ms, text, citations, confidence, end, withheld, place: null });
        break;
      }
      case 'agent.message': {
        this.#lastAgentSeq = Math.max(this.#lastAgentSeq, entry.seq);
        const { id, agent, text } = entry;
        const distance = this.#decision(entry.suggestion);
        this.#put({ kind: 'agent', key: `m${id}`, ...base, id, agent, text, state: 'sent', problem: null, suggestion: entry.suggestion ?? null, distance });
        break;
      }
      case 'note':
        this.#put({ kind: 'note', key: `n${entry.id}`, ...base, agent: entry.agent, text: entry.text, state: 'sent' });
        break;
      case 'suggestion.done': {
        const { turn, version, wish, text, citations, confidence, end, withheld, note } = entry;
        this.#draft({ turn, version }, { wish, text, citations, confidence, end, withheld, note: note ?? null, seq: entry.seq });
        break;
      }
      case 'suggestion.decided': {
        const id = { turn: entry.turn, version: entry.version };
        this.#draft(id, { decided: true });
        if (entry.decision === 'rejected') this.#put({ kind: 'line', key: `l${entry.seq}`, ...base, entry });
        const message = this.items.find((item) => item.kind === 'agent' && item.suggestion && sameDraft(item.suggestion, id));
        if (message) this.#put({ ...message, distance: entry.distance } as AgentItem);
        break;
      }
      case 'feedback':
        this.#answer(entry.turn, { rating: entry.rating, remark: entry.text ?? null });
        break;
      default:
        this.#put({ kind: 'line', key: `l${entry.seq}`, ...base, entry });
    }
  }

  /** Shows what this agent says before the server has it. */
  pending(kind: 'agent' | 'note', id: string, agent: Agent, text: string): void {
    const base = { order: LAST, at: Date.now(), agent, text, state: 'sending' as const };
    if (kind === 'note') this.#put({ kind, key: `n${id}`, ...base });
    else this.#put({ kind, key: `m${id}`, id, ...base, problem: null, suggestion: null, distance: null });
  }

  /** `null` takes it away again. */
  failed(kind: 'agent' | 'note', id: string, problem: string | null): void {
    const key = `${kind === 'note' ? 'n' : 'm'}${id}`;
    const item = this.items.find((one) => one.key === key);
    if (!item || (item.kind !== 'agent' && item.kind !== 'note') || item.state === 'sent') return;
    if (problem === null) this.items = this.items.filter((one) => one !== item);
    else this.#put({ ...item, state: 'failed', problem } as Item);
  }

  #decision(suggestion: SuggestionId | null | undefined): number | null {
    if (!suggestion) return null;
    for (const entry of this.#entries.values()) {
      if (entry.event === 'suggestion.decided' && entry.turn === suggestion.turn && entry.version === suggestion.version) return entry.distance;
    }
    return null;
  }

  #found(turn: number): AnswerItem {
    const item = this.items.findLast((one): one is AnswerItem => one.kind === 'answer' && one.turn === turn);
    return item ?? {
      kind: 'answer', key: `a${turn}`, order: turn + 0.5, at: 0, turn, text: '', citations: [], confidence: null, withheld: 0,
      end: null, place: null, rating: null, remark: null,
    };
  }

  #answer(turn: number, change: Partial<AnswerItem>): void {
    this.#put({ ...this.#found(turn), ...change });
  }

  #write(turn: number, offset: number, text: string): void {
    const found = this.#found(turn);
    // A late delta of an answer that is over has nothing to add: `answer.done` repeats all of it.
    if (found.end === null) this.#answer(turn, { text: merge(found.text, offset, text), place: null });
  }

  #draft(id: SuggestionId, change: Partial<Draft>): void {
    const at = this.drafts.findIndex((one) => sameDraft(one.id, id));
    const fresh: Draft = { id, wish: 'answer', text: '', citations: [], confidence: null, withheld: 0, end: null, note: null, seq: LAST, decided: false };
    if (at < 0) this.drafts = [...this.drafts, { ...fresh, ...change }].sort((a, b) => a.id.turn - b.id.turn || a.id.version - b.id.version);
    else this.drafts = this.drafts.with(at, { ...this.drafts[at] as Draft, ...change });
  }

  /** Puts an item where its `order` says, in place of the one with the same key. */
  #put(item: Item): void {
    const items = this.items.filter((one) => one.key !== item.key);
    let to = items.length;
    while (to > 0 && (items[to - 1] as Item).order > item.order) to -= 1;
    items.splice(to, 0, item);
    this.items = items;
  }
}
