//! Version 1 of the console's protocol: what agents' browsers say and hear.
//!
//! One WebSocket at `/v1/console` for everything that is live, and HTTP below `/v1/console/` for
//! sign-in, lists and settings. `docs/protocol/console.md` tells it with examples. Numbers, offsets
//! and lengths are as in the visitor protocol: offsets count Unicode scalar values, a delta that is
//! applied twice changes nothing, and what is durable has a `seq`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::parts::{
    Agent, AnswerEnd, AttributeValue, Citation, Decision, DraftNote, GiveTo, HandoffReason,
    LeaveReason, Rating, Source, Speaker, SuggestionId, Wish,
};
use super::{ErrorCode, Partial};

/// Longest reason, label or search text, in Unicode scalar values.
pub const MAX_LABEL_CHARS: usize = 400;
/// Sessions that one `inbox` or list page may ask for.
pub const MAX_PAGE: usize = 200;
/// Conversations that one socket may watch at the same time.
pub const MAX_WATCHED: usize = 16;

/// What an agent may do on a site.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Answers visitors.
    Agent,
    /// Also manages accounts and canned replies, takes sessions from others, and erases
    /// conversations.
    Admin,
}

/// Body of `POST /v1/console/sign-in`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    pub login: String,
    pub password: String,
    /// Of the authenticator app, or a recovery code; for accounts with a second factor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// How agents sign in here: the answer to `GET /v1/console/sign-in`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WaysIn {
    /// What the issuer is called at which agents may sign in, beside login and password: a browser
    /// that opens `/v1/console/oidc/sign-in` is sent there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc: Option<String>,
}

/// Why a sign-in at the issuer led nowhere: the page `/console?oidc=…` says it in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OidcProblem {
    /// Nobody signs in so here.
    Off,
    /// The issuer can't be reached.
    Unreachable,
    /// The server's `[oidc]` and the issuer don't fit each other; the server's log says how.
    Misconfigured,
    /// The issuer let nobody in, or its page was left.
    Declined,
    /// Begun in another browser, used already, or more than ten minutes ago.
    Stale,
    /// What the issuer sent can't be believed; the server's log says why.
    BadToken,
    /// Not of the e-mail domains or groups that are let in.
    NotAllowed,
    /// The issuer doesn't say that it verified the e-mail address.
    Unverified,
    /// The person has no account here.
    Unknown,
    /// The person's account was removed here.
    Removed,
    /// The account of this e-mail address belongs to another person of the issuer's.
    Bound,
    /// The issuer asked for one factor alone, and more are required.
    SecondFactor,
    /// The name that a new account would have is taken.
    LoginTaken,
    /// Too many tries from this network.
    TooMany,
    /// The server failed; its log says of what.
    Failed,
}

/// What an agent who signed in has to do before anything else is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// Choose a password of one's own: `PUT /v1/console/me/password`.
    Password,
    /// Set up the second factor, which this server requires: `POST /v1/console/me/second-factor`.
    SecondFactor,
}

/// Who is signed in: the answer to sign-in and to `GET /v1/console/me`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Me {
    pub agent: Agent,
    /// To be sent as the header `x-csrf-token` with every request that changes something, and in
    /// the socket's `hello`.
    pub csrf: String,
    /// Milliseconds since the epoch at which the sign-in ends.
    pub expires_at_ms: u64,
    /// Until it is done, the other routes answer 403.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<Need>,
    /// Whether this account signs in with a second factor.
    #[serde(default)]
    pub second_factor: bool,
    /// The sites this agent works for.
    pub sites: Vec<MySite>,
}

/// A sign-in that is good, as its agent sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SignInView {
    /// Names it; isn't good for signing in.
    pub id: String,
    pub began_at_ms: u64,
    pub expires_at_ms: u64,
    /// What the browser called itself, shortened; empty where it said nothing.
    pub browser: String,
    /// Whence it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Whether the request came with this one.
    pub current: bool,
}

/// Body of `POST /v1/console/me/second-factor`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BeginSecondFactor {
    pub password: String,
}

/// A secret for the authenticator app, good once a code of it was shown, for ten minutes.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SecondFactorOffer {
    /// Base32, for typing.
    pub secret: String,
    /// `otpauth://totp/…`, the same for apps.
    pub uri: String,
    /// `uri` as a QR code: modules of a side, without the quiet zone around it, and the dark ones
    /// as an SVG path of 1 by 1 squares.
    pub qr_size: usize,
    pub qr_path: String,
}

/// Body of `PUT /v1/console/me/second-factor`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmSecondFactor {
    pub code: String,
}

/// Each good once in place of a code of the app; they are shown this one time.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RecoveryCodes {
    pub recovery_codes: Vec<String>,
}

/// Body of `POST /v1/console/me/second-factor/remove`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveSecondFactor {
    pub password: String,
    pub code: String,
}

/// A site as an agent sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MySite {
    pub id: String,
    pub name: String,
    pub role: Role,
    /// ISO 639-1 code of the site's own language.
    pub language: String,
    /// True where nothing is sent without a person (`answers = "suggest"`).
    pub suggest: bool,
    /// True where waiting visitors are assigned to available agents by the server.
    pub auto_routing: bool,
    /// True where the model may phrase, and so make drafts warmer or translate them.
    #[serde(default)]
    pub rephrases: bool,
}

/// Who is there, for `presence` and for choosing whom to assign a session to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Presence {
    pub agent: Agent,
    pub role: Role,
    /// True while a console of the agent is connected.
    pub online: bool,
    /// True while the agent takes new sessions.
    pub available: bool,
    /// Sessions held now, and the most that are assigned.
    pub held: usize,
    pub limit: usize,
}

/// An account, for admins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Account {
    pub agent: Agent,
    pub login: String,
    /// Site id → role.
    pub roles: std::collections::BTreeMap<String, Role>,
    /// Sessions of one site that are assigned at most at the same time.
    pub limit: usize,
    pub created_at_ms: u64,
    /// Whether the agent has yet to choose a password of its own.
    #[serde(default)]
    pub temporary: bool,
    /// Whether it signs in with a second factor.
    #[serde(default)]
    pub second_factor: bool,
    /// Whether it belongs to a person at the issuer of `[oidc]`, who signs in there.
    #[serde(default)]
    pub oidc: bool,
}

/// Body of `POST /v1/agents` (admin listener) and of `POST /v1/console/sites/{site}/agents`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    pub login: String,
    pub name: String,
    pub password: String,
    pub roles: std::collections::BTreeMap<String, Role>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Whether the agent has to choose another password at the first sign-in.
    #[serde(default)]
    pub temporary: bool,
}

/// Body of `PUT /v1/console/me/password` and of `PUT /v1/agents/{login}/password`: the first needs
/// `current`, the second takes `temporary`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    pub password: String,
    /// Whether the agent has to choose another one at the next sign-in.
    #[serde(default)]
    pub temporary: bool,
}

/// Who may answer. A session always has exactly one holder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Holder {
    Model,
    /// A person is wanted; `place` counts from 1 among the site's waiting sessions.
    Queue {
        place: usize,
        since_ms: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<HandoffReason>,
    },
    Agent {
        agent: Agent,
        since_ms: u64,
    },
}

/// One line of the inbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    pub session: String,
    pub channel: String,
    pub visitor: String,
    pub started_at_ms: u64,
    /// When anybody last said something.
    pub last_at_ms: u64,
    pub last_seq: u64,
    pub ended: bool,
    pub holder: Holder,
    /// Messages of the visitor.
    pub messages: usize,
    /// `seq` of the visitor's last message; unread while it is above what the agent has read.
    pub visitor_seq: u64,
    /// True if the visitor's last message has no reply yet.
    pub unanswered: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<Preview>,
    /// Purchase intent, 0…1.
    pub intent: f32,
    /// Ids of the agents who have the conversation open.
    pub watchers: Vec<String>,
    /// Whether the visitor has a page with the conversation open.
    #[serde(default)]
    pub here: bool,
    /// When the last such page was closed; absent while one is open, and where none was since the
    /// server started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_at_ms: Option<u64>,
    /// Version of this line, see `welcome`.
    pub rev: u64,
}

/// The last thing that was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Preview {
    pub by: Speaker,
    /// At most 160 Unicode scalar values, on one line.
    pub text: String,
}

/// Which part of the inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum List {
    /// Held by the agent who asks; the latest activity first.
    Mine,
    /// Waiting for a person; the first in line first.
    Waiting,
    /// Everything open; the latest activity first.
    All,
    /// Ended in this server's memory of late; older ones are found by search.
    Ended,
}

/// How many open sessions each list has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    pub mine: usize,
    pub waiting: usize,
    pub all: usize,
    pub ended: usize,
}

/// Narrows a list down. Everything given must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Words that stand in the preview, or the beginning of the session's or visitor's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Held by this agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_intent: Option<f32>,
    /// Only sessions whose visitor waits for a reply.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unanswered: bool,
}

/// What an agent's console may send.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", deny_unknown_fields)]
pub enum ConsoleClient {
    /// The first frame.
    #[serde(rename = "hello")]
    Hello {
        csrf: String,
        site: String,
        /// `boot` and the highest `rev` of an earlier connection: only what changed since is sent
        /// again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        boot: Option<String>,
        #[serde(default)]
        rev: u64,
    },
    /// Whether the agent takes new sessions. Kept over restarts.
    #[serde(rename = "availability")]
    Availability { id: String, available: bool },
    /// A window of the inbox. Changes of any open session then arrive as `session`.
    #[serde(rename = "inbox")]
    Inbox {
        id: String,
        list: List,
        #[serde(default)]
        filter: Filter,
        #[serde(default)]
        offset: usize,
        #[serde(default = "page")]
        limit: usize,
    },
    /// Opens a conversation. With the highest `seq` known, only what is missing is sent.
    #[serde(rename = "watch")]
    Watch {
        id: String,
        session: String,
        #[serde(default)]
        last_seq: u64,
        /// How much of the running answer is here.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        partial: Option<Partial>,
    },
    #[serde(rename = "unwatch")]
    Unwatch { session: String },
    /// The agent has read the conversation up to `seq`.
    #[serde(rename = "read")]
    Read { session: String, seq: u64 },
    /// The agent types a reply in a conversation that is open here: the visitor is shown that, if
    /// the agent holds it. Say it again every 3 s while it goes on; more often is passed over.
    #[serde(rename = "typing")]
    Typing { session: String },
    /// Does something to a conversation. Sending the same `id` again is harmless.
    #[serde(rename = "act")]
    Act { id: String, session: String, action: Action },
}

fn page() -> usize {
    50
}

/// What can be done to a conversation, by socket (`act`) or as the body of
/// `POST /v1/console/sites/{site}/sessions/{session}/actions`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Takes the session. A running answer stops before its next word.
    Take {},
    /// Gives the session back: to the model, or to the line. On a site that only suggests it always
    /// goes to the line.
    GiveBack {
        #[serde(default)]
        to: GiveTo,
    },
    /// Gives the session to an agent. For the agent who holds it, for anybody while nobody does,
    /// and for admins.
    Assign { agent: String },
    /// Says something to the visitor. Takes the session if nobody holds it.
    Send {
        text: String,
        /// The suggestion it was made from; the difference is kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        suggestion: Option<SuggestionId>,
    },
    /// A note for colleagues. No visitor ever sees it.
    Note { text: String },
    /// Has a reply to the visitor's last message drafted, or the newest draft rewritten.
    Suggest {
        #[serde(default)]
        wish: Wish,
        /// For `translated`: ISO 639-1 code; left out, the language of the visitor's last message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        language: Option<String>,
    },
    /// The suggestion is no use.
    Reject { suggestion: SuggestionId, reason: String },
    /// Puts a session that nobody holds into the line.
    CallPerson {},
    /// Ends the conversation.
    End {},
}

/// One durable thing that happened in a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    pub seq: u64,
    pub at_ms: u64,
    #[serde(flatten)]
    pub what: What,
}

/// See [`Entry`]. The names are the visitor protocol's where the visitor sees it too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event")]
pub enum What {
    #[serde(rename = "started")]
    Started { visitor: String, channel: String },
    /// The visitor said something.
    #[serde(rename = "message")]
    Message { id: String, text: String },
    #[serde(rename = "answer.started")]
    AnswerStarted { turn: u64 },
    #[serde(rename = "answer.done")]
    AnswerDone {
        turn: u64,
        text: String,
        citations: Vec<Citation>,
        confidence: f32,
        end: AnswerEnd,
        /// Sentences that were written but not sent.
        withheld: u32,
    },
    #[serde(rename = "human.requested")]
    HumanRequested {},
    /// A person is wanted: the session waits in the line.
    #[serde(rename = "handoff")]
    Handoff { reason: HandoffReason },
    #[serde(rename = "agent.joined")]
    AgentJoined {
        agent: Agent,
        /// Who assigned it: an agent's id, or `routing`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    #[serde(rename = "agent.left")]
    AgentLeft { agent: Agent, to: GiveTo, reason: LeaveReason },
    #[serde(rename = "agent.message")]
    AgentMessage {
        id: String,
        agent: Agent,
        text: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        suggestion: Option<SuggestionId>,
    },
    /// For colleagues only.
    #[serde(rename = "note")]
    Note { id: String, agent: Agent, text: String },
    /// For colleagues only.
    #[serde(rename = "suggestion.done")]
    SuggestionDone(Suggestion),
    /// For colleagues only.
    #[serde(rename = "suggestion.decided")]
    SuggestionDecided {
        #[serde(flatten)]
        suggestion: SuggestionId,
        agent: Agent,
        decision: Decision,
        /// Levenshtein distance between the draft and what was sent, divided by the longer one's
        /// length: 0 for `sent`, 1 for `rejected`.
        distance: f32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    #[serde(rename = "feedback")]
    Feedback {
        turn: u64,
        rating: Rating,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    #[serde(rename = "ended")]
    Ended { reason: String },
}

/// A whole suggestion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Suggestion {
    #[serde(flatten)]
    pub id: SuggestionId,
    pub wish: Wish,
    pub text: String,
    pub citations: Vec<Citation>,
    /// How likely it is right, 0…1.
    pub confidence: f32,
    pub end: AnswerEnd,
    /// Sentences that were written but withheld because the documents don't support them.
    pub withheld: u32,
    /// What the agent should know of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<DraftNote>,
}

/// What the server sends to a console.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum ConsoleServer {
    /// The console is connected. `session` frames follow for what changed since the `rev` of the
    /// hello; if `reset` is true, the lists are to be asked for again.
    #[serde(rename = "welcome")]
    Welcome {
        agent: Agent,
        site: String,
        role: Role,
        boot: String,
        rev: u64,
        reset: bool,
        available: bool,
        counts: Counts,
        presence: Vec<Presence>,
        /// How far this agent has read, for open sessions: session → seq.
        read: std::collections::BTreeMap<String, u64>,
    },
    /// What was asked under this `id` is done and on disk.
    #[serde(rename = "ok")]
    Ok {
        id: String,
        /// `seq` of the event that stands for it, where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seq: Option<u64>,
    },
    #[serde(rename = "error")]
    Error {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        code: ErrorCode,
        message: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    /// The window that was asked for. `total` counts the whole filtered list.
    #[serde(rename = "inbox")]
    Inbox {
        id: String,
        list: List,
        offset: usize,
        total: usize,
        counts: Counts,
        rev: u64,
        sessions: Vec<Summary>,
    },
    /// An open session is new or changed. Keep the one with the higher `rev`.
    #[serde(rename = "session")]
    Session { session: Summary, counts: Counts },
    /// The session was erased.
    #[serde(rename = "session.gone")]
    SessionGone { session: String, rev: u64, counts: Counts },
    /// The console fell behind: ask for the inbox again.
    #[serde(rename = "reset")]
    Reset { rev: u64, counts: Counts },
    /// Who is there now; the whole list.
    #[serde(rename = "presence")]
    Presence { presence: Vec<Presence>, available: bool },
    /// The agent has read a session on another console.
    #[serde(rename = "read")]
    Read { session: String, seq: u64 },
    /// The answer to `watch`.
    #[serde(rename = "conversation")]
    Conversation {
        id: String,
        session: Summary,
        last_seq: u64,
        /// What is missing after the `last_seq` of the `watch`.
        entries: Vec<Entry>,
        /// The answer or suggestion that is being written.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        running: Option<RunningText>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        draft: Option<RunningDraft>,
        /// What moved the purchase intent, strongest first.
        reasons: Vec<IntentReason>,
    },
    /// Something durable happened in a watched conversation.
    #[serde(rename = "event")]
    Event { session: String, entry: Entry },
    /// The answer waits for its place; `place` counts from 1.
    #[serde(rename = "queue")]
    Queue { session: String, turn: u64, place: usize },
    /// The model thinks before it answers; what it thinks isn't shown.
    #[serde(rename = "thinking")]
    Thinking { session: String, turn: u64 },
    #[serde(rename = "answer.delta")]
    AnswerDelta { session: String, turn: u64, offset: u64, text: String },
    #[serde(rename = "answer.citation")]
    AnswerCitation { session: String, turn: u64, citation: Citation },
    #[serde(rename = "answer.withheld")]
    AnswerWithheld { session: String, turn: u64, reason: String },
    /// A suggestion begins; `suggestion.delta` follow, and the event `suggestion.done` ends it.
    #[serde(rename = "suggestion.started")]
    SuggestionStarted { session: String, suggestion: SuggestionId, wish: Wish },
    #[serde(rename = "suggestion.delta")]
    SuggestionDelta { session: String, suggestion: SuggestionId, offset: u64, text: String },
    #[serde(rename = "suggestion.citation")]
    SuggestionCitation { session: String, suggestion: SuggestionId, citation: Citation },
    /// It was given up: for a newer one, because the agent wrote without it, or because it failed,
    /// and then `why` says so.
    #[serde(rename = "suggestion.stopped")]
    SuggestionStopped {
        session: String,
        suggestion: SuggestionId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// What the conversation is worth changed.
    #[serde(rename = "intent")]
    Intent { session: String, intent: f32, reasons: Vec<IntentReason> },
    /// The visitor is typing, in a conversation that is open here or that the agent holds. Show it
    /// for 6 s, unless it comes again or the message comes first.
    #[serde(rename = "typing")]
    Typing { session: String },
    /// The watched conversation can't go on here: watch it again.
    #[serde(rename = "lost")]
    Lost { session: String },
}

/// An answer that is being written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunningText {
    pub turn: u64,
    pub offset: u64,
    pub text: String,
}

/// A suggestion that is being written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunningDraft {
    pub suggestion: SuggestionId,
    pub wish: Wish,
    pub text: String,
}

/// One contribution to the purchase intent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IntentReason {
    pub signal: String,
    /// How often it was seen; 0 where `value` tells.
    pub count: u32,
    /// What was seen, in words: "yes", "41", "unknown". In a trained model's reasons, but for the
    /// meaning of messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    pub weight: f32,
}

/// `GET /v1/console/sites/{site}/search`: conversations that hold the words, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Found {
    pub sessions: Vec<FoundSession>,
    /// Conversations that were read for this page.
    pub read: usize,
    /// Pass as `after` to go on; absent when everything was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A conversation that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FoundSession {
    pub session: String,
    pub channel: String,
    pub visitor: String,
    pub started_at_ms: u64,
    /// When anybody last said something.
    pub last_at_ms: u64,
    pub last_seq: u64,
    pub ended: bool,
    pub messages: usize,
    /// Where the words stand; at most three, each one at most 160 Unicode scalar values.
    pub matches: Vec<Match>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Match {
    pub seq: u64,
    pub by: Speaker,
    pub text: String,
}

/// `GET /v1/console/sites/{site}/sessions/{session}`: everything about one conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Conversation {
    pub session: Summary,
    pub entries: Vec<Entry>,
    pub reasons: Vec<IntentReason>,
}

/// `GET /v1/console/sites/{site}/sessions/{session}/passages?turn=N`: what the knowledge holds on
/// that message now, best first. Searched anew with the documents for agents included, so it can
/// differ from what the answer was made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Passages {
    pub turn: u64,
    pub question: String,
    pub passages: Vec<PassageView>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PassageView {
    pub document: String,
    pub title: String,
    pub headings: Vec<String>,
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// True if visitors must not see it.
    pub agents_only: bool,
    /// Cosine with the question, −1…1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cosine: Option<f32>,
    /// True if the answer cites it.
    pub cited: bool,
}

/// A canned reply. `{visitor}`-style placeholders are not known: it is sent as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Canned {
    /// Made by the server when left out.
    #[serde(default)]
    pub id: String,
    /// What agents type to find it, without the slash: 1 to 40 of a-z, 0-9, - and _.
    pub shortcut: String,
    pub title: String,
    pub text: String,
    /// ISO 639-1 code; empty for any.
    #[serde(default)]
    pub language: String,
}

/// Body of `POST /v1/console/sites/{site}/gaps/{id}/article`: what the documents lack, written by
/// an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Article {
    /// One line, 1 to 200 Unicode scalar values.
    pub title: String,
    /// Markdown, 1 to 40,000 Unicode scalar values.
    pub text: String,
    #[serde(default)]
    pub audience: ArticleAudience,
}

/// Whom an article is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ArticleAudience {
    #[default]
    Public,
    /// Drafts are made of it, answers to visitors never are. It closes no gap.
    Agents,
}

/// What became of the question once the article stood.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tried {
    /// The article's id in the knowledge.
    pub document: String,
    /// True if the gap is closed now.
    pub closed: bool,
    /// True if the question is answered with enough confidence.
    pub answered: bool,
    /// True if the answer cites the article.
    pub by_article: bool,
    /// What whoever asks now is told.
    pub text: String,
    pub citations: Vec<Citation>,
    pub confidence: f32,
}

/// `GET /v1/console/sites/{site}/sessions/{session}/visitor`: what is known of a visitor beside
/// what was said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VisitorView {
    pub visitor: String,
    /// ISO 639-1 code of what the visitor writes, where the words tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// True for a visitor who had a conversation before.
    pub known: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// What the site passed with the visitor's consent.
    pub attributes: std::collections::BTreeMap<String, AttributeValue>,
    /// The visitor's other conversations that are in the server's memory, the latest first, at most
    /// 20.
    pub conversations: Vec<Summary>,
}

/// `GET /v1/console/sites/{site}/statistics?days=N`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Statistics {
    pub since_ms: u64,
    pub sessions: usize,
    /// False if there were more sessions than are read for one report; the newest were read.
    pub complete: bool,
    pub suggestions: SuggestionStatistics,
    pub agents: Vec<AgentStatistics>,
    /// How often each reason called a person.
    pub handoffs: std::collections::BTreeMap<String, usize>,
    /// From a handoff to the agent's joining, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median_wait_ms: Option<u64>,
    /// From a visitor's message to the agent's reply, while an agent holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median_reply_ms: Option<u64>,
}

/// What became of drafts. Rates are absent while nothing was decided.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SuggestionStatistics {
    pub made: usize,
    pub sent: usize,
    pub edited: usize,
    pub rejected: usize,
    /// (sent + edited) / (sent + edited + rejected).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acceptance_rate: Option<f32>,
    /// Mean of the normalised edit distance over sent and edited ones, 0…1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_edit_distance: Option<f32>,
    /// Reasons of rejected ones, most frequent first.
    pub reject_reasons: Vec<(String, usize)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentStatistics {
    pub agent: Agent,
    pub sessions: usize,
    pub messages: usize,
    pub suggestions: SuggestionStatistics,
}

/// The protocol's JSON Schema, generated from the types.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    let mut generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
    generator.subschema_for::<ConsoleClient>();
    generator.subschema_for::<ConsoleServer>();
    generator.subschema_for::<SignIn>();
    generator.subschema_for::<WaysIn>();
    generator.subschema_for::<OidcProblem>();
    generator.subschema_for::<Me>();
    generator.subschema_for::<SignInView>();
    generator.subschema_for::<BeginSecondFactor>();
    generator.subschema_for::<SecondFactorOffer>();
    generator.subschema_for::<ConfirmSecondFactor>();
    generator.subschema_for::<RecoveryCodes>();
    generator.subschema_for::<RemoveSecondFactor>();
    generator.subschema_for::<Account>();
    generator.subschema_for::<NewAccount>();
    generator.subschema_for::<NewPassword>();
    generator.subschema_for::<Found>();
    generator.subschema_for::<Conversation>();
    generator.subschema_for::<Passages>();
    generator.subschema_for::<Canned>();
    generator.subschema_for::<Article>();
    generator.subschema_for::<Tried>();
    generator.subschema_for::<VisitorView>();
    generator.subschema_for::<Statistics>();
    serde_json::json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Frontdesk console protocol, version 1",
        "oneOf": [{ "$ref": "#/$defs/ConsoleClient" }, { "$ref": "#/$defs/ConsoleServer" }],
        "$defs": generator.take_definitions(true),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation;
    use crate::protocol::parts::NoteCode;

    fn check(json: &str, expected: &ConsoleClient) {
        assert_eq!(&serde_json::from_str::<ConsoleClient>(json).unwrap(), expected, "{json}");
    }

    #[test]
    fn frames_read_as_documented() {
        let hello =
            ConsoleClient::Hello { csrf: "c".into(), site: "shop".into(), boot: None, rev: 0 };
        check(r#"{"type":"hello","csrf":"c","site":"shop"}"#, &hello);
        let act = |action| ConsoleClient::Act { id: "a1".into(), session: "s".into(), action };
        check(
            r#"{"type":"act","id":"a1","session":"s","action":{"do":"take"}}"#,
            &act(Action::Take {}),
        );
        check(
            r#"{"type":"act","id":"a1","session":"s","action":{"do":"send","text":"Hi","suggestion":{"turn":4,"version":1}}}"#,
            &act(Action::Send {
                text: "Hi".into(),
                suggestion: Some(SuggestionId { turn: 4, version: 1 }),
            }),
        );
        check(
            r#"{"type":"act","id":"a1","session":"s","action":{"do":"suggest","wish":"shorter"}}"#,
            &act(Action::Suggest { wish: Wish::Shorter, language: None }),
        );
    }

    #[test]
    fn entries_are_flat() {
        let id = SuggestionId { turn: 4, version: 1 };
        let done = Suggestion {
            id,
            wish: Wish::Answer,
            text: "Hi".into(),
            citations: vec![],
            confidence: 0.5,
            end: AnswerEnd::Complete,
            withheld: 0,
            note: None,
        };
        // What was stored before there were codes is still read.
        let note = |json: &str| serde_json::from_str::<DraftNote>(json).unwrap();
        assert_eq!(note("\"old words\""), DraftNote::Words("old words".into()));
        for code in [NoteCode::AgentsOnly, NoteCode::NotQualified] {
            assert_eq!(
                note(&format!(r#"{{"code":"{}"}}"#, conversation::NoteCode::from(code).name())),
                code.into()
            );
        }
        let entry = Entry { seq: 7, at_ms: 9, what: What::SuggestionDone(done) };
        let json = serde_json::to_value(&entry).unwrap();
        assert_eq!(json["event"], "suggestion.done");
        assert_eq!(
            (json["seq"].as_u64(), json["turn"].as_u64(), json["version"].as_u64()),
            (Some(7), Some(4), Some(1))
        );
        assert_eq!(serde_json::from_value::<Entry>(json).unwrap(), entry);
    }
}
