// The console's protocol, version 1, as docs/protocol/console.md tells it.

export type {
  Account, Action, Agent, AnswerEnd, Canned, Citation, ConsoleClient as ToServer, ConsoleServer as FromServer, Counts, DraftNote, Entry, Found, FoundSession, GiveTo,
  HandoffReason, Holder, IntentReason, List, Me, MySite, OidcProblem, Passages, PassageView, Presence, RecoveryCodes, Role,
  SecondFactorOffer, SignInView, Source, Statistics, SuggestionId, SuggestionStatistics, Summary,
  VisitorView, WaysIn, Wish,
} from './protocol.gen';

/** Most sessions of one inbox window. */
export const PAGE = 200;
