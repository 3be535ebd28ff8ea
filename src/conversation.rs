//! The vocabulary of conversations: what is stored of one and what its parts mean, below the store and every protocol.
//!
//! The log keeps these types as JSON. A protocol has types of its own and converts, so that a field may be renamed for browsers
//! without touching a stored conversation. Nothing here does I/O or knows a clock.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What it cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// How many of them were already in the KV cache.
    pub cached_tokens: u32,
    pub completion_tokens: u32,
}

/// Longest id a client may give a message, in bytes.
pub const MAX_ID_BYTES: usize = 64;

/// Where a visitor came from. Of the referrer only the host is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Source {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utm_source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utm_medium: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utm_campaign: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utm_term: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utm_content: Option<String>,
    /// Address of the page that led here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub referrer: Option<String>,
}

/// What a site passes about a visitor (age, income, tier, cart value, …): at most 32 of them are kept, and without consent nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Attributes {
    /// The visitor agreed that these are used.
    pub consent: bool,
    pub values: BTreeMap<String, AttributeValue>,
}

/// Yes or no, a number, or a name of at most 200 characters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum AttributeValue {
    Flag(bool),
    Number(f64),
    Name(String),
}

/// A visitor's verdict on an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rating {
    Up,
    Down,
}

/// Where a statement of an answer stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Citation {
    /// Number within the answer, from 1.
    pub n: u32,
    /// The document's id.
    pub document: String,
    pub title: String,
    /// Headings from the outermost to the innermost.
    pub headings: Vec<String>,
    /// The document's own words.
    pub quote: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Bytes of the document's extracted text where the cited passage stands.
    pub start: u64,
    pub end: u64,
    /// Nothing of the answer stands there: the document came close, and the visitor may mean it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub related: bool,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AnswerEnd {
    /// The answer is whole.
    Complete,
    /// The length limit was reached.
    Length,
    /// The knowledge doesn't hold an answer, and the text says so.
    Declined,
    /// The question can mean several things, and the text asks which.
    Clarified,
    /// The message was a greeting, thanks or the like; nothing was looked up.
    SmallTalk,
    /// The visitor stopped it.
    Cancelled,
    /// The visitor said something new.
    Superseded,
    /// A person took the conversation.
    TakenOver,
    /// Something broke; the text is what had been sent.
    Failed,
}

/// An agent, as others may see one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Agent {
    /// Never changes and is never given twice.
    pub id: String,
    /// What visitors and colleagues read.
    pub name: String,
}

/// Why a person is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HandoffReason {
    /// The visitor asked for a person.
    Asked,
    /// Answers in a row were declined or unsure.
    LowConfidence,
    Anger,
    /// A topic that the site wants people to handle.
    SensitiveTopic,
    HighIntent,
    /// The site sends nothing without a person.
    SuggestOnly,
    /// An agent gave it back to the line, or assigned it away.
    Agent,
    /// The agent who held it is gone.
    AgentGone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    Visitor,
    Model,
    Agent,
}

/// Where a session goes when its agent gives it back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GiveTo {
    #[default]
    Model,
    Queue,
}

/// Which suggestion: the visitor's message it answers, and its version, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuggestionId {
    pub turn: u64,
    pub version: u32,
}

/// What kind of suggestion is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    /// An answer of its own, from the documents.
    #[default]
    Answer,
    Shorter,
    Warmer,
    Translated,
}

/// What became of a suggestion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// As it was drafted.
    Sent,
    /// With changes.
    Edited,
    Rejected,
}

/// Why an agent no longer holds a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeaveReason {
    GaveBack,
    /// Another agent has it now.
    Assigned,
    /// No console of the agent was connected for too long.
    Vanished,
    /// The account was removed or lost its role.
    Revoked,
}

/// What an agent should know of a draft. Consoles word it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum DraftNote {
    Coded {
        code: NoteCode,
        /// Titles of documents, where the note is about some.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        about: Vec<String>,
    },
    /// English words; of drafts that were stored before notes had codes.
    Words(String),
}

/// See [`DraftNote`]; some are why a rewrite was given up, and then nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoteCode {
    /// The visitor asks for a person; there was nothing to look up.
    AsksForPerson,
    /// The documents hold no answer, and the text says so.
    NoAnswer,
    /// Made from documents for agents only, named in `about`.
    AgentsOnly,
    /// Numbers, links and codes of the translation were checked, the words were not.
    TranslationUnchecked,
    /// Sentences of the rewrite that the draft doesn't support were left out.
    LeftOut,
    /// Shortened by leaving out the last sentences: the model has not qualified for rephrasing.
    CutShort,
    /// Given up: the draft is one sentence, and the model has not qualified for rephrasing.
    OneSentence,
    /// Given up: the model has not qualified for phrasing on this site's documents.
    NotQualified,
    /// Given up: every sentence of the rewrite said something that the draft doesn't.
    NothingKept,
}

impl NoteCode {
    /// As it stands in a frame.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AsksForPerson => "asks_for_person",
            Self::NoAnswer => "no_answer",
            Self::AgentsOnly => "agents_only",
            Self::TranslationUnchecked => "translation_unchecked",
            Self::LeftOut => "left_out",
            Self::CutShort => "cut_short",
            Self::OneSentence => "one_sentence",
            Self::NotQualified => "not_qualified",
            Self::NothingKept => "nothing_kept",
        }
    }
}

impl From<NoteCode> for DraftNote {
    fn from(code: NoteCode) -> Self {
        Self::Coded { code, about: Vec::new() }
    }
}

/// Which conversation: a site and the session's id within it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SessionKey {
    pub site: String,
    pub id: String,
}

impl SessionKey {
    /// The key of a session whose id came from outside; `None` if no session can have it: ids have 1 to [`MAX_ID_BYTES`] bytes and no NUL,
    /// which ends names in the store.
    #[must_use]
    pub fn named(site: &str, id: &str) -> Option<Self> {
        let sound = !id.is_empty() && id.len() <= MAX_ID_BYTES && !id.contains('\0');
        sound.then(|| Self { site: site.to_owned(), id: id.to_owned() })
    }
}

/// What the log holds of a session. Every event has a `seq`, 1, 2, 3, … without gaps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The first event of every session.
    Started {
        visitor: String,
        channel: String,
    },
    /// The visitor said something; its `seq` names the turn that answers it.
    Said {
        id: String,
        text: String,
    },
    AnswerStarted {
        turn: u64,
    },
    AnswerDone {
        turn: u64,
        text: String,
        citations: Vec<Citation>,
        confidence: f32,
        usage: Usage,
        end: AnswerEnd,
        /// Sentences that were written but not sent.
        withheld: u32,
    },
    HumanRequested {},
    /// A person is wanted: the session waits in the line.
    Handoff {
        reason: HandoffReason,
    },
    /// From here on this agent answers.
    AgentJoined {
        agent: Agent,
        /// Who assigned it, if it wasn't the agent's own doing: an agent's id, or `routing`.
        #[serde(default)]
        by: Option<String>,
    },
    AgentLeft {
        agent: Agent,
        to: GiveTo,
        reason: LeaveReason,
    },
    AgentSaid {
        id: String,
        agent: Agent,
        text: String,
        /// The draft it was made from.
        #[serde(default)]
        suggestion: Option<SuggestionId>,
    },
    /// For colleagues only.
    Note {
        id: String,
        agent: Agent,
        text: String,
    },
    /// For colleagues only.
    SuggestionMade {
        id: SuggestionId,
        wish: Wish,
        text: String,
        citations: Vec<Citation>,
        confidence: f32,
        usage: Usage,
        end: AnswerEnd,
        withheld: u32,
        #[serde(default)]
        note: Option<DraftNote>,
    },
    /// For colleagues only. `distance` is the Levenshtein distance between draft and reply over the longer one's length.
    SuggestionDecided {
        id: SuggestionId,
        agent: Agent,
        decision: Decision,
        distance: f32,
        #[serde(default)]
        reason: Option<String>,
    },
    Feedback {
        turn: u64,
        rating: Rating,
        text: Option<String>,
    },
    Ended {
        reason: String,
    },
}

impl Event {
    /// True for what no visitor may ever see.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        matches!(self, Self::Note { .. } | Self::SuggestionMade { .. } | Self::SuggestionDecided { .. })
    }

    /// True if the visitor reads or wrote words by it: what comes and goes beside them makes no conversation younger.
    #[must_use]
    pub fn is_word(&self) -> bool {
        match self {
            Self::Said { .. } | Self::AgentSaid { .. } => true,
            Self::AnswerDone { text, .. } => !text.is_empty(),
            _ => false,
        }
    }
}

/// A checkpoint of a running answer: what is new since the last one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    pub turn: u64,
    /// Unicode scalar values before `text`.
    pub offset: u64,
    pub text: String,
}

/// How a turn ended, as the turn itself reports it.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub citations: Vec<Citation>,
    pub confidence: f32,
    pub usage: Usage,
    pub end: AnswerEnd,
    pub withheld: u32,
}

/// A draft that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    pub id: SuggestionId,
    pub text: String,
    pub citations: Vec<Citation>,
    pub confidence: f32,
    pub(crate) decided: bool,
}

/// A line of the conversation, as prompts and retrieval see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub by_visitor: bool,
    pub text: String,
}
