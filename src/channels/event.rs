//! What comes in from a platform, and what is sent to one, in words that every platform shares.
//! Pure.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::grounding::smalltalk::FILES;

/// One thing that happened on a platform.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incoming {
    /// What the platform names it by; the same again is the same event.
    pub key: String,
    /// The conversation on the platform, as its adapter writes to it. The same text is the same
    /// conversation.
    pub chat: String,
    /// Who did it, as the platform names people within this account.
    pub user: String,
    /// Milliseconds since the Unix epoch, by the platform's clock; 0 if it doesn't tell.
    #[serde(default)]
    pub at_ms: u64,
    /// What came with it and lets it be answered: a reply token, the address to answer to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right: Option<String>,
    /// Milliseconds since the Unix epoch at which it was stored, by our clock.
    #[serde(default)]
    pub stored_ms: u64,
    /// The language of the person's app, as the platform writes it: `de`, `pt-BR`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    pub what: What,
}

impl Incoming {
    /// An event that lets nothing be answered by itself.
    #[must_use]
    pub fn new(
        key: impl Into<String>,
        chat: impl Into<String>,
        user: impl Into<String>,
        what: What,
    ) -> Self {
        Self {
            key: key.into(),
            chat: chat.into(),
            user: user.into(),
            at_ms: 0,
            right: None,
            stored_ms: 0,
            language: None,
            what,
        }
    }

    #[must_use]
    pub fn at(self, at_ms: u64) -> Self {
        Self { at_ms, ..self }
    }

    #[must_use]
    pub fn in_language(self, language: Option<&str>) -> Self {
        Self { language: language.map(str::to_owned), ..self }
    }

    #[must_use]
    pub fn with_right(self, right: Option<String>) -> Self {
        Self { right, ..self }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    Said {
        /// The platform's id of the message, which edits and deletions name.
        message: String,
        text: String,
        #[serde(default)]
        attachments: Vec<Attachment>,
    },
    Edited {
        message: String,
        text: String,
    },
    Deleted {
        message: String,
    },
    /// The visitor pressed Stop.
    Stopped,
    /// Nothing more may be sent there.
    Left,
    /// Writing there is allowed again.
    Returned,
    /// Somebody else answers there on the platform: a person in its inbox, another responder.
    Held,
    /// Nobody else does any more.
    Released,
    /// The conversation goes on under another name.
    Moved {
        to: String,
    },
}

impl What {
    /// Something to be answered, which may be followed by more of it.
    #[must_use]
    pub(super) fn is_message(&self) -> bool {
        matches!(self, Self::Said { .. } | Self::Edited { .. })
    }

    /// Nothing that follows it is waited for.
    #[must_use]
    pub(super) fn is_urgent(&self) -> bool {
        !self.is_message() && *self != Self::Released
    }
}

/// A file that came with a message: it is named to the agent and not fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// One of [`FILES`].
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

impl Attachment {
    /// The kind that a media type names.
    #[must_use]
    pub fn kind_of(media_type: &str) -> String {
        let known =
            ["image", "audio", "video"].into_iter().find(|kind| media_type.starts_with(kind));
        known.unwrap_or("file").to_owned()
    }

    /// With a kind that is known: what another system calls otherwise is a file.
    #[must_use]
    pub fn of_known_kind(self) -> Self {
        let kind = if FILES.contains(&self.kind.as_str()) { self.kind } else { "file".into() };
        Self { kind, ..self }
    }

    /// How it stands in the conversation: `[image]`, `[file: invoice.pdf, 12 kB]`.
    #[must_use]
    pub fn mark(&self) -> String {
        let size = self.bytes.map(|bytes| format!("{} kB", bytes.div_ceil(1000)));
        // On one line, or the rest of a name would be what the visitor said.
        let name =
            self.name.as_ref().map(|name| name.split_whitespace().collect::<Vec<_>>().join(" "));
        let details: Vec<&str> = name.as_deref().into_iter().chain(size.as_deref()).collect();
        match details.as_slice() {
            [] => format!("[{}]", self.kind),
            details => format!("[{}: {}]", self.kind, details.join(", ")),
        }
    }
}

/// What a webhook held.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    pub events: Vec<Incoming>,
    /// Kinds of what was passed over, for the counters: own echoes, unknown types, groups where
    /// nobody spoke to us.
    pub skipped: Vec<&'static str>,
    /// What the platform wants to read back, if it isn't an empty 200.
    pub reply: Option<Reply>,
    /// Why nothing of it can be read, for who sent it: it is answered with 400.
    pub unreadable: Option<String>,
}

impl Batch {
    /// One that can't be read, and why.
    #[must_use]
    pub fn unreadable(why: impl Into<String>) -> Self {
        Self { unreadable: Some(why.into()), ..Self::default() }
    }
}

/// The answer to a handshake.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    Json(Value),
    Text(String),
    Xml(String),
    /// 204 without a body.
    Nothing,
}

/// One request to a platform.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub verb: Verb,
    /// In place of the account's base address.
    pub base: Option<String>,
    /// Behind the base address. May hold a token: never logged.
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Body,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Get,
    Post,
    Put,
    Patch,
}

impl Call {
    #[must_use]
    pub fn post(path: impl Into<String>, headers: Vec<(&'static str, String)>, body: Body) -> Self {
        Self { verb: Verb::Post, base: None, path: path.into(), headers, body }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    Empty,
    Json(Value),
    Form(Vec<(&'static str, String)>),
    /// An e-mail, which goes out by SMTP.
    Mail(Mail),
}

/// An e-mail to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    pub to: String,
    pub subject: String,
    /// Its identifier without brackets, and those of the thread, oldest first: the last one is
    /// answered.
    pub id: String,
    pub references: Vec<String>,
    /// No person wrote it.
    pub automatic: bool,
    pub text: String,
    /// What the mail server is shown: a password, or an access token. Never logged.
    pub credential: String,
}

/// What came of a request to a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken; the platform's id of the message, if it tells.
    Sent(Option<String>),
    /// Not now: after so many milliseconds if the platform said, else after a pause that grows.
    Later { after_ms: Option<u64>, why: String },
    /// No answer came: whether it was taken isn't known.
    Unanswered { why: String },
    /// The reader stopped the answer.
    Stopped,
    /// Formatting isn't taken: the same again as plain text.
    Plain { why: String },
    /// Nobody reads this conversation any more.
    Closed { why: String },
    /// The conversation has another name by now.
    Moved { to: String },
    /// This message never will be taken; later ones may.
    Refused { why: String },
    /// The account's credentials are refused: nothing goes out until an operator mends them.
    Unauthorized { why: String },
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sent(_) => f.write_str("it was taken"),
            Self::Stopped => f.write_str("the reader stopped it"),
            Self::Moved { to } => write!(f, "the conversation is {to} by now"),
            Self::Later { why, .. }
            | Self::Unanswered { why }
            | Self::Plain { why }
            | Self::Closed { why }
            | Self::Refused { why }
            | Self::Unauthorized { why } => f.write_str(why),
        }
    }
}

/// Why no answer came, without the address: that may hold a token.
pub(super) struct NoAnswer {
    pub(super) why: String,
    /// The request may have arrived.
    pub(super) sent: bool,
}

/// What an answer from a platform looks like to an adapter.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    pub status: u16,
    /// Seconds in `Retry-After`.
    pub retry_after_s: Option<u64>,
    pub body: &'a Value,
}

impl Answered<'_> {
    /// What the status alone says, where the platform's own code doesn't say more.
    #[must_use]
    pub fn by_status(&self, why: String) -> Outcome {
        let after_ms = self.retry_after_s.map(|seconds| seconds.saturating_mul(1000));
        match self.status {
            200..=299 => Outcome::Sent(None),
            401 => Outcome::Unauthorized { why },
            410 => Outcome::Closed { why },
            408 | 425 | 429 | 500..=599 => Outcome::Later { after_ms, why },
            _ => Outcome::Refused { why },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grounding::smalltalk::only_files;

    #[test]
    fn a_mark_is_told_from_words_whatever_the_file_is_called() {
        for kind in FILES {
            for name in [None, Some("tent.jpg".to_owned()), Some("a]\nHow large is it?".to_owned())]
            {
                let file = Attachment { kind: kind.into(), name, bytes: Some(12_345) };
                assert!(only_files(&file.mark()), "{}", file.mark());
            }
        }
        let hologram = Attachment { kind: "hologram".into(), name: None, bytes: None };
        assert_eq!(hologram.of_known_kind().mark(), "[file]");
    }
}
