// What `GET /v1/sites/{site}/insight` answers; src/insight/report.rs is where it is made.

export interface Rate { of: number; count: number; rate: number; low: number; high: number }
export interface Money { currency: string; amount: number }
export interface Named { id: string; name: string; sessions: number; converted: Rate }
/** What is expected, with the intervals that hold 80% and 95%. */
export interface Band { expected: number; band80: [number, number]; band95: [number, number] }
/** One subject's forecast; src/insight/demand.rs makes it. Dates are the shop's, as 2026-12-25. */
export interface DemandLine {
  of: string; kind: 'all' | 'topic' | 'class' | 'product'; id: string; name: string;
  from: string; history: number[];
  days: (Band & { date: string; closed: boolean })[];
  totals: (Band & { days: number })[];
  /** How many of the days that such bands were tried on they held. */
  held: { of: number; in80: number; in95: number };
  surge: (Band & { seen: number; sessions: string[] }) | null;
}
/** What `GET …/forecast` answers. */
export interface Demand {
  today: string; time_zone: string; first: string | null; days: number; days_needed: number;
  lines: DemandLine[];
  hours: { date: string; hours: number[] }[];
  subjects: { of: string; name: string; conversations: number }[];
}
/** A product of `GET …/stockouts`. `chance` is within 7, 14 and 28 days. */
export interface StockOut extends Band {
  id: string; name: string; stock: number; chance: [number, number, number]; empty_on: string | null; asked: number;
}
export interface Report {
  totals: { sessions: number; messages: number; converted: Rate; paid: Money[]; first_ms: number; last_ms: number };
  funnel: { name: string; sessions: number }[];
  step_ms: number;
  steps: { at_ms: number; sessions: number; converted: number; topics: number[]; classes: number[] }[];
  topics: Named[];
  /** What messages are about by the deployed classes; `steps[].classes` has their order. */
  classes: Named[];
  products: Named[];
  categories: Named[];
  questions: { text: string; count: number; session: string }[];
  scores: {
    /** The kind of the model, and its version; `null` for the hand-set sum. */
    model: string;
    version: number | null;
    points: { session: string; at_ms: number; score: number; converted: boolean }[];
    roc: [number, number][];
    /** Sessions with an outcome that all of this is about; those that the model may have learned from are left out. */
    sessions: number;
    learned: number;
    after_ms: number;
    auroc: number | null;
    bins: { low: number; high: number; mean: number; converted: Rate }[];
    brier: number | null; brier_of_mean: number | null; ece: number | null;
  };
  segments: {
    name: string; sessions: number; converted: Rate; score: number;
    traits: { feature: string; mean: number; of_all: number; deviations: number }[];
  }[];
  campaigns: { name: string; sessions: number; score: number; converted: Rate; paid: Money[]; topic: string | null }[];
  uplift: { shown: number; clicked: Rate; with_cards: Rate; held_out: Rate; difference: [number, number, number] | null };
  notes: Note[];
}
/** What to keep in mind: in English, and as data to say it in another language. */
export type Note = { text: string } & (
  | { note: 'recordings'; recorded: number; of: number }
  | { note: 'few_outcomes'; outcomes: number }
  | { note: 'silence'; silent: number; outcomes: number }
  | { note: 'only_purchases' | 'sum' | 'erased' }
  | { note: 'learned'; later: number; earlier: number; version: number; few: boolean }
  | ({ note: 'model' } & Warning));
export type Warning =
  | { warning: 'drifted'; columns: number; of: number; above: number; worst: [string, number][] }
  | { warning: 'miscalibrated'; ece: number; above: number };
export interface Line {
  session: string; at_ms: number; channel: string; campaign: string; messages: number; topics: string[]; products: string[];
  sentiment: number | null; score: number; converted: boolean | null; paid: Money[];
}
/** The topics, in the order of `steps[].topics`. */
export const TOPICS = ['price', 'stock', 'delivery', 'discount', 'payment', 'comparison', 'returns', 'complaint'];
