// Made of docs/protocol/console.json by `node web/build.mjs`.

export type Anything =
  | ConsoleClient
  | List
  | Filter
  | Partial
  | Action
  | GiveTo
  | SuggestionId
  | Wish
  | ConsoleServer
  | Agent
  | Role
  | Counts
  | Presence
  | ErrorCode
  | Summary
  | Holder
  | HandoffReason
  | Preview
  | Speaker
  | Entry
  | Citation
  | AnswerEnd
  | LeaveReason
  | DraftNote
  | NoteCode
  | Suggestion
  | Decision
  | Rating
  | RunningText
  | RunningDraft
  | IntentReason
  | SignIn
  | WaysIn
  | OidcProblem
  | Me
  | Need
  | MySite
  | SignInView
  | BeginSecondFactor
  | SecondFactorOffer
  | ConfirmSecondFactor
  | RecoveryCodes
  | RemoveSecondFactor
  | Account
  | NewAccount
  | NewPassword
  | Found
  | FoundSession
  | Match
  | Conversation
  | Passages
  | PassageView
  | Canned
  | Article
  | ArticleAudience
  | Tried
  | VisitorView
  | Source
  | AttributeValue
  | Statistics
  | SuggestionStatistics
  | AgentStatistics;
/**
 * What an agent's console may send.
 */
export type ConsoleClient =
  | {
      type: 'hello';
      csrf: string;
      site: string;
      /**
       * `boot` and the highest `rev` of an earlier connection: only what changed since is sent
       * again.
       */
      boot?: string | null;
      rev?: number;
    }
  | {
      type: 'availability';
      id: string;
      available: boolean;
    }
  | {
      type: 'inbox';
      id: string;
      list: List;
      filter?: Filter & {
        [k: string]: unknown;
      };
      offset?: number;
      limit?: number;
    }
  | {
      type: 'watch';
      id: string;
      session: string;
      last_seq?: number;
      /**
       * How much of the running answer is here.
       */
      partial?: Partial | null;
    }
  | {
      type: 'unwatch';
      session: string;
    }
  | {
      type: 'read';
      session: string;
      seq: number;
    }
  | {
      type: 'typing';
      session: string;
    }
  | {
      type: 'act';
      id: string;
      session: string;
      action: Action;
    };
/**
 * Which part of the inbox.
 */
export type List = 'mine' | 'waiting' | 'all' | 'ended';
/**
 * What can be done to a conversation, by socket (`act`) or as the body of
 * `POST /v1/console/sites/{site}/sessions/{session}/actions`.
 */
export type Action =
  | {
      do: 'take';
    }
  | {
      do: 'give_back';
      to?: GiveTo & string;
    }
  | {
      do: 'assign';
      agent: string;
    }
  | {
      do: 'send';
      text: string;
      /**
       * The suggestion it was made from; the difference is kept.
       */
      suggestion?: SuggestionId | null;
    }
  | {
      do: 'note';
      text: string;
    }
  | {
      do: 'suggest';
      wish?: Wish & string;
      /**
       * For `translated`: ISO 639-1 code; left out, the language of the visitor's last message.
       */
      language?: string | null;
    }
  | {
      do: 'reject';
      suggestion: SuggestionId;
      reason: string;
    }
  | {
      do: 'call_person';
    }
  | {
      do: 'end';
    };
/**
 * Where a session goes when its agent gives it back.
 */
export type GiveTo = 'model' | 'queue';
/**
 * What kind of suggestion is wanted.
 */
export type Wish = ('shorter' | 'warmer' | 'translated') | 'answer';
/**
 * What the server sends to a console.
 */
export type ConsoleServer =
  | {
      type: 'welcome';
      agent: Agent;
      site: string;
      role: Role;
      boot: string;
      rev: number;
      reset: boolean;
      available: boolean;
      counts: Counts;
      presence: Presence[];
      /**
       * How far this agent has read, for open sessions: session → seq.
       */
      read: {
        [k: string]: number;
      };
    }
  | {
      type: 'ok';
      id: string;
      /**
       * `seq` of the event that stands for it, where there is one.
       */
      seq?: number | null;
    }
  | {
      type: 'error';
      id?: string | null;
      code: ErrorCode;
      message: string;
      retry_after_ms?: number | null;
    }
  | {
      type: 'inbox';
      id: string;
      list: List;
      offset: number;
      total: number;
      counts: Counts;
      rev: number;
      sessions: Summary[];
    }
  | {
      type: 'session';
      session: Summary;
      counts: Counts;
    }
  | {
      type: 'session.gone';
      session: string;
      rev: number;
      counts: Counts;
    }
  | {
      type: 'reset';
      rev: number;
      counts: Counts;
    }
  | {
      type: 'presence';
      presence: Presence[];
      available: boolean;
    }
  | {
      type: 'read';
      session: string;
      seq: number;
    }
  | {
      type: 'conversation';
      id: string;
      session: Summary;
      last_seq: number;
      /**
       * What is missing after the `last_seq` of the `watch`.
       */
      entries: Entry[];
      /**
       * The answer or suggestion that is being written.
       */
      running?: RunningText | null;
      draft?: RunningDraft | null;
      /**
       * What moved the purchase intent, strongest first.
       */
      reasons: IntentReason[];
    }
  | {
      type: 'event';
      session: string;
      entry: Entry;
    }
  | {
      type: 'queue';
      session: string;
      turn: number;
      place: number;
    }
  | {
      type: 'thinking';
      session: string;
      turn: number;
    }
  | {
      type: 'answer.delta';
      session: string;
      turn: number;
      offset: number;
      text: string;
    }
  | {
      type: 'answer.citation';
      session: string;
      turn: number;
      citation: Citation;
    }
  | {
      type: 'answer.withheld';
      session: string;
      turn: number;
      reason: string;
    }
  | {
      type: 'suggestion.started';
      session: string;
      suggestion: SuggestionId;
      wish: Wish;
    }
  | {
      type: 'suggestion.delta';
      session: string;
      suggestion: SuggestionId;
      offset: number;
      text: string;
    }
  | {
      type: 'suggestion.citation';
      session: string;
      suggestion: SuggestionId;
      citation: Citation;
    }
  | {
      type: 'suggestion.stopped';
      session: string;
      suggestion: SuggestionId;
      why?: string | null;
    }
  | {
      type: 'intent';
      session: string;
      intent: number;
      reasons: IntentReason[];
    }
  | {
      type: 'typing';
      session: string;
    }
  | {
      type: 'lost';
      session: string;
    };
/**
 * What an agent may do on a site.
 */
export type Role = 'agent' | 'admin';
/**
 * What went wrong, for programs; the message is for people.
 */
export type ErrorCode =
  | 'bad_message'
  | 'hello_expected'
  | 'too_large'
  | 'unauthorized'
  | 'code_required'
  | 'origin_refused'
  | 'unknown_site'
  | 'unknown_session'
  | 'session_ended'
  | 'unknown_turn'
  | 'unknown_agent'
  | 'not_found'
  | 'forbidden'
  | 'held'
  | 'conflict'
  | 'rate_limited'
  | 'overloaded'
  | 'too_slow'
  | 'draining'
  | 'storage_failed'
  | 'answer_failed';
/**
 * Who may answer. A session always has exactly one holder.
 */
export type Holder =
  | {
      by: 'model';
    }
  | {
      by: 'queue';
      place: number;
      since_ms: number;
      reason?: HandoffReason | null;
    }
  | {
      by: 'agent';
      agent: Agent;
      since_ms: number;
    };
/**
 * Why a person is wanted.
 */
export type HandoffReason =
  | ('anger' | 'high_intent')
  | 'asked'
  | 'low_confidence'
  | 'sensitive_topic'
  | 'suggest_only'
  | 'agent'
  | 'agent_gone';
export type Speaker = 'visitor' | 'model' | 'agent';
/**
 * One durable thing that happened in a conversation.
 */
export type Entry = {
  seq: number;
  at_ms: number;
} & Entry1;
export type Entry1 =
  | {
      event: 'started';
      visitor: string;
      channel: string;
    }
  | {
      event: 'message';
      id: string;
      text: string;
    }
  | {
      event: 'answer.started';
      turn: number;
    }
  | {
      event: 'answer.done';
      turn: number;
      text: string;
      citations: Citation[];
      confidence: number;
      end: AnswerEnd;
      /**
       * Sentences that were written but not sent.
       */
      withheld: number;
    }
  | {
      event: 'human.requested';
    }
  | {
      event: 'handoff';
      reason: HandoffReason;
    }
  | {
      event: 'agent.joined';
      agent: Agent;
      /**
       * Who assigned it: an agent's id, or `routing`.
       */
      by?: string | null;
    }
  | {
      event: 'agent.left';
      agent: Agent;
      to: GiveTo;
      reason: LeaveReason;
    }
  | {
      event: 'agent.message';
      id: string;
      agent: Agent;
      text: string;
      suggestion?: SuggestionId | null;
    }
  | {
      event: 'note';
      id: string;
      agent: Agent;
      text: string;
    }
  | (Suggestion & {
      event: 'suggestion.done';
    })
  | {
      event: 'suggestion.decided';
      turn: number;
      version: number;
      agent: Agent;
      decision: Decision;
      /**
       * Levenshtein distance between the draft and what was sent, divided by the longer one's
       * length: 0 for `sent`, 1 for `rejected`.
       */
      distance: number;
      reason?: string | null;
    }
  | {
      event: 'feedback';
      turn: number;
      rating: Rating;
      text?: string | null;
    }
  | {
      event: 'ended';
      reason: string;
    };
/**
 * Why an answer ended.
 */
export type AnswerEnd =
  | 'complete'
  | 'length'
  | 'declined'
  | 'clarified'
  | 'small_talk'
  | 'cancelled'
  | 'superseded'
  | 'taken_over'
  | 'failed';
/**
 * Why an agent no longer holds a session.
 */
export type LeaveReason = 'gave_back' | 'assigned' | 'vanished' | 'revoked';
/**
 * What an agent should know of a draft. Consoles word it.
 */
export type DraftNote =
  | {
      code: NoteCode;
      /**
       * Titles of documents, where the note is about some.
       */
      about?: string[];
    }
  | string;
/**
 * See [`DraftNote`]; some are why a rewrite was given up, and then nothing changed.
 */
export type NoteCode =
  | 'asks_for_person'
  | 'no_answer'
  | 'agents_only'
  | 'translation_unchecked'
  | 'left_out'
  | 'cut_short'
  | 'one_sentence'
  | 'not_qualified'
  | 'nothing_kept';
/**
 * What became of a suggestion.
 */
export type Decision = 'rejected' | 'sent' | 'edited';
/**
 * A visitor's verdict on an answer.
 */
export type Rating = 'up' | 'down';
/**
 * Why a sign-in at the issuer led nowhere: the page `/console?oidc=…` says it in words.
 */
export type OidcProblem =
  | 'off'
  | 'unreachable'
  | 'misconfigured'
  | 'declined'
  | 'stale'
  | 'bad_token'
  | 'not_allowed'
  | 'unverified'
  | 'unknown'
  | 'removed'
  | 'bound'
  | 'second_factor'
  | 'login_taken'
  | 'too_many'
  | 'failed';
/**
 * What an agent who signed in has to do before anything else is allowed.
 */
export type Need = 'password' | 'second_factor';
/**
 * Whom an article is for.
 */
export type ArticleAudience = 'public' | 'agents';
/**
 * Yes or no, a number, or a name of at most 200 characters.
 */
export type AttributeValue = boolean | number | string;

/**
 * Narrows a list down. Everything given must hold.
 */
export interface Filter {
  /**
   * Words that stand in the preview, or the beginning of the session's or visitor's id.
   */
  text?: string | null;
  channel?: string | null;
  /**
   * Held by this agent.
   */
  agent?: string | null;
  min_intent?: number | null;
  /**
   * Only sessions whose visitor waits for a reply.
   */
  unanswered?: boolean;
}
/**
 * How much of a running answer a resuming client already has.
 */
export interface Partial {
  turn: number;
  /**
   * Unicode scalar values received.
   */
  offset: number;
}
/**
 * Which suggestion: the visitor's message it answers, and its version, from 1.
 */
export interface SuggestionId {
  turn: number;
  version: number;
}
/**
 * An agent, as others may see one.
 */
export interface Agent {
  /**
   * Never changes and is never given twice.
   */
  id: string;
  /**
   * What visitors and colleagues read.
   */
  name: string;
}
/**
 * How many open sessions each list has.
 */
export interface Counts {
  mine: number;
  waiting: number;
  all: number;
  ended: number;
}
/**
 * Who is there, for `presence` and for choosing whom to assign a session to.
 */
export interface Presence {
  agent: Agent;
  role: Role;
  /**
   * True while a console of the agent is connected.
   */
  online: boolean;
  /**
   * True while the agent takes new sessions.
   */
  available: boolean;
  /**
   * Sessions held now, and the most that are assigned.
   */
  held: number;
  limit: number;
}
/**
 * One line of the inbox.
 */
export interface Summary {
  session: string;
  channel: string;
  visitor: string;
  started_at_ms: number;
  /**
   * When anybody last said something.
   */
  last_at_ms: number;
  last_seq: number;
  ended: boolean;
  holder: Holder;
  /**
   * Messages of the visitor.
   */
  messages: number;
  /**
   * `seq` of the visitor's last message; unread while it is above what the agent has read.
   */
  visitor_seq: number;
  /**
   * True if the visitor's last message has no reply yet.
   */
  unanswered: boolean;
  preview?: Preview | null;
  /**
   * Purchase intent, 0…1.
   */
  intent: number;
  /**
   * Ids of the agents who have the conversation open.
   */
  watchers: string[];
  /**
   * Whether the visitor has a page with the conversation open.
   */
  here?: boolean;
  /**
   * When the last such page was closed; absent while one is open, and where none was since the
   * server started.
   */
  left_at_ms?: number | null;
  /**
   * Version of this line, see `welcome`.
   */
  rev: number;
}
/**
 * The last thing that was said.
 */
export interface Preview {
  by: Speaker;
  /**
   * At most 160 Unicode scalar values, on one line.
   */
  text: string;
}
/**
 * Where a statement of an answer stands.
 */
export interface Citation {
  /**
   * Number within the answer, from 1.
   */
  n: number;
  /**
   * The document's id.
   */
  document: string;
  title: string;
  /**
   * Headings from the outermost to the innermost.
   */
  headings: string[];
  /**
   * The document's own words.
   */
  quote: string;
  url?: string | null;
  /**
   * Bytes of the document's extracted text where the cited passage stands.
   */
  start: number;
  end: number;
  /**
   * Nothing of the answer stands there: the document came close, and the visitor may mean it.
   */
  related?: boolean;
}
/**
 * A whole suggestion.
 */
export interface Suggestion {
  turn: number;
  version: number;
  wish: Wish;
  text: string;
  citations: Citation[];
  /**
   * How likely it is right, 0…1.
   */
  confidence: number;
  end: AnswerEnd;
  /**
   * Sentences that were written but withheld because the documents don't support them.
   */
  withheld: number;
  /**
   * What the agent should know of it.
   */
  note?: DraftNote | null;
}
/**
 * An answer that is being written.
 */
export interface RunningText {
  turn: number;
  offset: number;
  text: string;
}
/**
 * A suggestion that is being written.
 */
export interface RunningDraft {
  suggestion: SuggestionId;
  wish: Wish;
  text: string;
}
/**
 * One contribution to the purchase intent.
 */
export interface IntentReason {
  signal: string;
  /**
   * How often it was seen; 0 where `value` tells.
   */
  count: number;
  /**
   * What was seen, in words: "yes", "41", "unknown". In a trained model's reasons, but for the
   * meaning of messages.
   */
  value?: string | null;
  weight: number;
}
/**
 * Body of `POST /v1/console/sign-in`.
 */
export interface SignIn {
  login: string;
  password: string;
  /**
   * Of the authenticator app, or a recovery code; for accounts with a second factor.
   */
  code?: string | null;
}
/**
 * How agents sign in here: the answer to `GET /v1/console/sign-in`.
 */
export interface WaysIn {
  /**
   * What the issuer is called at which agents may sign in, beside login and password: a browser
   * that opens `/v1/console/oidc/sign-in` is sent there.
   */
  oidc?: string | null;
}
/**
 * Who is signed in: the answer to sign-in and to `GET /v1/console/me`.
 */
export interface Me {
  agent: Agent;
  /**
   * To be sent as the header `x-csrf-token` with every request that changes something, and in
   * the socket's `hello`.
   */
  csrf: string;
  /**
   * Milliseconds since the epoch at which the sign-in ends.
   */
  expires_at_ms: number;
  /**
   * Until it is done, the other routes answer 403.
   */
  needs?: Need | null;
  /**
   * Whether this account signs in with a second factor.
   */
  second_factor?: boolean;
  /**
   * The sites this agent works for.
   */
  sites: MySite[];
}
/**
 * A site as an agent sees it.
 */
export interface MySite {
  id: string;
  name: string;
  role: Role;
  /**
   * ISO 639-1 code of the site's own language.
   */
  language: string;
  /**
   * True where nothing is sent without a person (`answers = "suggest"`).
   */
  suggest: boolean;
  /**
   * True where waiting visitors are assigned to available agents by the server.
   */
  auto_routing: boolean;
  /**
   * True where the model may phrase, and so make drafts warmer or translate them.
   */
  rephrases?: boolean;
}
/**
 * A sign-in that is good, as its agent sees it.
 */
export interface SignInView {
  /**
   * Names it; isn't good for signing in.
   */
  id: string;
  began_at_ms: number;
  expires_at_ms: number;
  /**
   * What the browser called itself, shortened; empty where it said nothing.
   */
  browser: string;
  /**
   * Whence it began.
   */
  address?: string | null;
  /**
   * Whether the request came with this one.
   */
  current: boolean;
}
/**
 * Body of `POST /v1/console/me/second-factor`.
 */
export interface BeginSecondFactor {
  password: string;
}
/**
 * A secret for the authenticator app, good once a code of it was shown, for ten minutes.
 */
export interface SecondFactorOffer {
  /**
   * Base32, for typing.
   */
  secret: string;
  /**
   * `otpauth://totp/…`, the same for apps.
   */
  uri: string;
  /**
   * `uri` as a QR code: modules of a side, without the quiet zone around it, and the dark ones
   * as an SVG path of 1 by 1 squares.
   */
  qr_size: number;
  qr_path: string;
}
/**
 * Body of `PUT /v1/console/me/second-factor`.
 */
export interface ConfirmSecondFactor {
  code: string;
}
/**
 * Each good once in place of a code of the app; they are shown this one time.
 */
export interface RecoveryCodes {
  recovery_codes: string[];
}
/**
 * Body of `POST /v1/console/me/second-factor/remove`.
 */
export interface RemoveSecondFactor {
  password: string;
  code: string;
}
/**
 * An account, for admins.
 */
export interface Account {
  agent: Agent;
  login: string;
  /**
   * Site id → role.
   */
  roles: {
    [k: string]: Role;
  };
  /**
   * Sessions of one site that are assigned at most at the same time.
   */
  limit: number;
  created_at_ms: number;
  /**
   * Whether the agent has yet to choose a password of its own.
   */
  temporary?: boolean;
  /**
   * Whether it signs in with a second factor.
   */
  second_factor?: boolean;
  /**
   * Whether it belongs to a person at the issuer of `[oidc]`, who signs in there.
   */
  oidc?: boolean;
}
/**
 * Body of `POST /v1/agents` (admin listener) and of `POST /v1/console/sites/{site}/agents`.
 */
export interface NewAccount {
  login: string;
  name: string;
  password: string;
  roles: {
    [k: string]: Role;
  };
  limit?: number | null;
  /**
   * Whether the agent has to choose another password at the first sign-in.
   */
  temporary?: boolean;
}
/**
 * Body of `PUT /v1/console/me/password` and of `PUT /v1/agents/{login}/password`: the first needs
 * `current`, the second takes `temporary`.
 */
export interface NewPassword {
  current?: string | null;
  password: string;
  /**
   * Whether the agent has to choose another one at the next sign-in.
   */
  temporary?: boolean;
}
/**
 * `GET /v1/console/sites/{site}/search`: conversations that hold the words, newest first.
 */
export interface Found {
  sessions: FoundSession[];
  /**
   * Conversations that were read for this page.
   */
  read: number;
  /**
   * Pass as `after` to go on; absent when everything was read.
   */
  next?: string | null;
}
/**
 * A conversation that was found.
 */
export interface FoundSession {
  session: string;
  channel: string;
  visitor: string;
  started_at_ms: number;
  /**
   * When anybody last said something.
   */
  last_at_ms: number;
  last_seq: number;
  ended: boolean;
  messages: number;
  /**
   * Where the words stand; at most three, each one at most 160 Unicode scalar values.
   */
  matches: Match[];
}
export interface Match {
  seq: number;
  by: Speaker;
  text: string;
}
/**
 * `GET /v1/console/sites/{site}/sessions/{session}`: everything about one conversation.
 */
export interface Conversation {
  session: Summary;
  entries: Entry[];
  reasons: IntentReason[];
}
/**
 * `GET /v1/console/sites/{site}/sessions/{session}/passages?turn=N`: what the knowledge holds on
 * that message now, best first. Searched anew with the documents for agents included, so it can
 * differ from what the answer was made of.
 */
export interface Passages {
  turn: number;
  question: string;
  passages: PassageView[];
}
export interface PassageView {
  document: string;
  title: string;
  headings: string[];
  text: string;
  url?: string | null;
  /**
   * True if visitors must not see it.
   */
  agents_only: boolean;
  /**
   * Cosine with the question, −1…1.
   */
  cosine?: number | null;
  /**
   * True if the answer cites it.
   */
  cited: boolean;
}
/**
 * A canned reply. `{visitor}`-style placeholders are not known: it is sent as it stands.
 */
export interface Canned {
  /**
   * Made by the server when left out.
   */
  id?: string;
  /**
   * What agents type to find it, without the slash: 1 to 40 of a-z, 0-9, - and _.
   */
  shortcut: string;
  title: string;
  text: string;
  /**
   * ISO 639-1 code; empty for any.
   */
  language?: string;
}
/**
 * Body of `POST /v1/console/sites/{site}/gaps/{id}/article`: what the documents lack, written by
 * an agent.
 */
export interface Article {
  /**
   * One line, 1 to 200 Unicode scalar values.
   */
  title: string;
  /**
   * Markdown, 1 to 40,000 Unicode scalar values.
   */
  text: string;
  audience?: ArticleAudience & string;
}
/**
 * What became of the question once the article stood.
 */
export interface Tried {
  /**
   * The article's id in the knowledge.
   */
  document: string;
  /**
   * True if the gap is closed now.
   */
  closed: boolean;
  /**
   * True if the question is answered with enough confidence.
   */
  answered: boolean;
  /**
   * True if the answer cites the article.
   */
  by_article: boolean;
  /**
   * What whoever asks now is told.
   */
  text: string;
  citations: Citation[];
  confidence: number;
}
/**
 * `GET /v1/console/sites/{site}/sessions/{session}/visitor`: what is known of a visitor beside
 * what was said.
 */
export interface VisitorView {
  visitor: string;
  /**
   * ISO 639-1 code of what the visitor writes, where the words tell it.
   */
  language?: string | null;
  /**
   * True for a visitor who had a conversation before.
   */
  known: boolean;
  source?: Source | null;
  /**
   * What the site passed with the visitor's consent.
   */
  attributes: {
    [k: string]: AttributeValue;
  };
  /**
   * The visitor's other conversations that are in the server's memory, the latest first, at most
   * 20.
   */
  conversations: Summary[];
}
/**
 * Where a visitor came from. Of the referrer only the host is kept.
 */
export interface Source {
  utm_source?: string | null;
  utm_medium?: string | null;
  utm_campaign?: string | null;
  utm_term?: string | null;
  utm_content?: string | null;
  /**
   * Address of the page that led here.
   */
  referrer?: string | null;
}
/**
 * `GET /v1/console/sites/{site}/statistics?days=N`.
 */
export interface Statistics {
  since_ms: number;
  sessions: number;
  /**
   * False if there were more sessions than are read for one report; the newest were read.
   */
  complete: boolean;
  suggestions: SuggestionStatistics;
  agents: AgentStatistics[];
  /**
   * How often each reason called a person.
   */
  handoffs: {
    [k: string]: number;
  };
  /**
   * From a handoff to the agent's joining, in milliseconds.
   */
  median_wait_ms?: number | null;
  /**
   * From a visitor's message to the agent's reply, while an agent holds.
   */
  median_reply_ms?: number | null;
}
/**
 * What became of drafts. Rates are absent while nothing was decided.
 */
export interface SuggestionStatistics {
  made: number;
  sent: number;
  edited: number;
  rejected: number;
  /**
   * (sent + edited) / (sent + edited + rejected).
   */
  acceptance_rate?: number | null;
  /**
   * Mean of the normalised edit distance over sent and edited ones, 0…1.
   */
  mean_edit_distance?: number | null;
  /**
   * Reasons of rejected ones, most frequent first.
   */
  reject_reasons: [string, number][];
}
export interface AgentStatistics {
  agent: Agent;
  sessions: number;
  messages: number;
  suggestions: SuggestionStatistics;
}
