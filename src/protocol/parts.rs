//! What frames and answers are made of, in the words of the protocol.
//!
//! Each has a counterpart in [`conversation`], which is what is stored. They are separate types, so
//! that a name may change for browsers without touching a stored conversation. The conversions
//! between both are here and nowhere else.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conversation;

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

/// What a site passes about a visitor (age, income, tier, cart value, …): at most 32 of them are
/// kept, and without consent nothing.
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
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
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
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
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

/// What it cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// How many of them were already in the KV cache.
    pub cached_tokens: u32,
    pub completion_tokens: u32,
}

impl From<NoteCode> for DraftNote {
    fn from(code: NoteCode) -> Self {
        Self::Coded { code, about: Vec::new() }
    }
}

/// Conversions both ways between a type here and its counterpart of the same shape.
macro_rules! counterpart {
    // What a later build stored is sent as `unknown`, the value that claims least.
    (unknown is $unknown:ident, enum $name:ident { $($variant:ident),+ $(,)? }) => {
        impl From<conversation::$name> for $name {
            fn from(stored: conversation::$name) -> Self {
                match stored {
                    $(conversation::$name::$variant => Self::$variant,)+
                    conversation::$name::Unknown => Self::$unknown,
                }
            }
        }

        counterpart!(to enum $name { $($variant),+ });
    };
    // No value claims nothing: what a later build stored isn't sent at all.
    (unknown is not sent, enum $name:ident { $($variant:ident),+ $(,)? }) => {
        impl $name {
            /// What is sent of a stored value; `None` for one of a later build.
            #[must_use]
            pub fn known(stored: conversation::$name) -> Option<Self> {
                Some(match stored {
                    $(conversation::$name::$variant => Self::$variant,)+
                    conversation::$name::Unknown => return None,
                })
            }
        }

        counterpart!(to enum $name { $($variant),+ });
    };
    (enum $name:ident { $($variant:ident),+ $(,)? }) => {
        impl From<conversation::$name> for $name {
            fn from(stored: conversation::$name) -> Self {
                match stored {
                    $(conversation::$name::$variant => Self::$variant,)+
                }
            }
        }

        counterpart!(to enum $name { $($variant),+ });
    };
    (to enum $name:ident { $($variant:ident),+ }) => {
        impl From<$name> for conversation::$name {
            fn from(sent: $name) -> Self {
                match sent {
                    $($name::$variant => Self::$variant,)+
                }
            }
        }
    };
    (struct $name:ident { $($field:ident),+ $(,)? }) => {
        impl From<conversation::$name> for $name {
            fn from(stored: conversation::$name) -> Self {
                let conversation::$name { $($field),+ } = stored;
                Self { $($field),+ }
            }
        }

        impl From<$name> for conversation::$name {
            fn from(sent: $name) -> Self {
                let $name { $($field),+ } = sent;
                Self { $($field),+ }
            }
        }
    };
}

counterpart!(struct Usage { prompt_tokens, cached_tokens, completion_tokens });
counterpart!(struct Citation { n, document, title, headings, quote, url, start, end, related });
counterpart!(struct Agent { id, name });
counterpart!(struct SuggestionId { turn, version });
counterpart!(struct Source { utm_source, utm_medium, utm_campaign, utm_term, utm_content, referrer });
counterpart!(unknown is not sent, enum Rating {
    Up,
    Down,
});
counterpart!(unknown is Complete, enum AnswerEnd {
    Complete,
    Length,
    Declined,
    Clarified,
    SmallTalk,
    Cancelled,
    Superseded,
    TakenOver,
    Failed,
});
counterpart!(unknown is not sent, enum HandoffReason {
    Asked,
    LowConfidence,
    Anger,
    SensitiveTopic,
    HighIntent,
    SuggestOnly,
    Agent,
    AgentGone,
});
counterpart!(
    enum Speaker {
        Visitor,
        Model,
        Agent,
    }
);
counterpart!(unknown is Queue, enum GiveTo {
    Model,
    Queue,
});
counterpart!(unknown is Answer, enum Wish {
    Answer,
    Shorter,
    Warmer,
    Translated,
});
counterpart!(unknown is not sent, enum Decision {
    Sent,
    Edited,
    Rejected,
});
counterpart!(unknown is GaveBack, enum LeaveReason {
    GaveBack,
    Assigned,
    Vanished,
    Revoked,
});
counterpart!(unknown is not sent, enum NoteCode {
    AsksForPerson,
    NoAnswer,
    AgentsOnly,
    TranslationUnchecked,
    LeftOut,
    CutShort,
    OneSentence,
    NotQualified,
    NothingKept,
});

impl From<conversation::AttributeValue> for AttributeValue {
    fn from(stored: conversation::AttributeValue) -> Self {
        match stored {
            conversation::AttributeValue::Flag(flag) => Self::Flag(flag),
            conversation::AttributeValue::Number(number) => Self::Number(number),
            conversation::AttributeValue::Name(name) => Self::Name(name),
        }
    }
}

impl From<AttributeValue> for conversation::AttributeValue {
    fn from(sent: AttributeValue) -> Self {
        match sent {
            AttributeValue::Flag(flag) => Self::Flag(flag),
            AttributeValue::Number(number) => Self::Number(number),
            AttributeValue::Name(name) => Self::Name(name),
        }
    }
}

impl From<Attributes> for conversation::Attributes {
    fn from(Attributes { consent, values }: Attributes) -> Self {
        Self {
            consent,
            values: values.into_iter().map(|(name, value)| (name, value.into())).collect(),
        }
    }
}

/// What an agent reads of a note whose code a later build brought. The draft may need the care that
/// the code asks for.
const LATER_NOTE: &str = "A later version of Frontdesk left a note on this draft that this version can't read. Check the \
                          draft before you send it.";

impl From<conversation::DraftNote> for DraftNote {
    fn from(stored: conversation::DraftNote) -> Self {
        match stored {
            conversation::DraftNote::Coded { code, about } => match NoteCode::known(code) {
                Some(code) => Self::Coded { code, about },
                None => Self::Words(LATER_NOTE.to_owned()),
            },
            conversation::DraftNote::Words(words) => Self::Words(words),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_later_build_stored_is_sent_in_words_that_readers_know() {
        assert_eq!(
            AnswerEnd::from(conversation::AnswerEnd::Unknown),
            AnswerEnd::Complete,
            "the text stands as it is"
        );
        assert_eq!(GiveTo::from(conversation::GiveTo::Unknown), GiveTo::Queue, "a person looks");
        assert_eq!(HandoffReason::known(conversation::HandoffReason::Unknown), None);
        assert_eq!(
            HandoffReason::known(conversation::HandoffReason::Anger),
            Some(HandoffReason::Anger)
        );
        assert_eq!(Rating::known(conversation::Rating::Unknown), None);
        assert_eq!(Decision::known(conversation::Decision::Unknown), None);
        let note = DraftNote::from(conversation::DraftNote::from(conversation::NoteCode::Unknown));
        assert!(matches!(note, DraftNote::Words(words) if words.contains("Check the draft")));
    }
}
