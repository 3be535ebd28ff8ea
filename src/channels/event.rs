//! What comes in from a platform, and what is sent to one, in words that every platform shares. Pure.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One thing that happened on a platform.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incoming {
    /// What the platform names it by; the same again is the same event.
    pub key: String,
    /// The conversation on the platform, as its adapter writes to it. The same text is the same conversation.
    pub chat: String,
    /// Who did it, as the platform names people within this account.
    pub user: String,
    /// Milliseconds since the Unix epoch, by the platform's clock; 0 if it doesn't tell.
    #[serde(default)]
    pub at_ms: u64,
    pub what: What,
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
}

/// A file that came with a message: it is named to the agent and not fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// `image`, `audio`, `video`, `file`, `location`, `contact` or `sticker`.
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

impl Attachment {
    /// How it stands in the conversation: `[image]`, `[file: invoice.pdf, 12 kB]`.
    #[must_use]
    pub fn mark(&self) -> String {
        let size = self.bytes.map(|bytes| format!("{} kB", bytes.div_ceil(1000)));
        let details: Vec<&str> = self.name.as_deref().into_iter().chain(size.as_deref()).collect();
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
    /// Kinds of what was passed over, for the counters: own echoes, unknown types, groups where nobody spoke to us.
    pub skipped: Vec<&'static str>,
    /// What the platform wants to read back, if it isn't an empty 200.
    pub reply: Option<Reply>,
}

/// The answer to a handshake.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    Json(Value),
    Text(String),
    Xml(String),
}

/// One request to a platform.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Behind the account's base address. May hold a token: never logged.
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Body,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    Json(Value),
    Form(Vec<(&'static str, String)>),
}

/// What came of a request to a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken; the platform's id of the message, if it tells.
    Sent(Option<String>),
    /// Not now: after so many milliseconds if the platform said, else after a pause that grows.
    Later { after_ms: Option<u64>, why: String },
    /// Formatting isn't taken: the same again as plain text.
    Plain { why: String },
    /// Nobody reads this conversation any more.
    Closed { why: String },
    /// This message never will be taken; later ones may.
    Refused { why: String },
    /// The account's credentials are refused: nothing goes out until an operator mends them.
    Unauthorized { why: String },
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
