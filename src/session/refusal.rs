//! What becomes of a command: taken, or refused and why.

use std::fmt;

/// What was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// `seq` of the event that stands for it; the same for a message sent twice.
    pub seq: u64,
}

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("this conversation is over; begin a new one")]
    Ended,
    #[error("no answer {turn} is running in this conversation")]
    UnknownTurn { turn: u64 },
    #[error("more than {per_minute} {what} a minute; try again in {} s", retry_after_ms.div_ceil(1000))]
    RateLimited { what: Deed, per_minute: u32, retry_after_ms: u64 },
    #[error("this conversation holds {limit} messages, the most it may; begin a new one")]
    Full { limit: usize },
    #[error("the message id {id:?} was used for another text")]
    IdReused { id: String },
    #[error("{name} holds this conversation")]
    Held { name: String },
    #[error("you don't hold this conversation; take it first")]
    NotHolder,
    #[error("there is no such suggestion, or it is too old")]
    UnknownSuggestion,
    #[error("the visitor has not said anything yet that a reply could be drafted for")]
    NothingToAnswer,
    #[error("this conversation waits for a person already, or has one")]
    HasPerson,
    #[error("{waiting} conversations wait for a person already; try again later")]
    LineFull { waiting: usize },
    #[error("you wait for a person in another conversation already; go on there, or end it first")]
    WaitsElsewhere,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    Message,
    /// What else of a visitor's is stored.
    Event,
    /// A visitor comes for the first time.
    Visit,
    /// A visitor connects, for the first time or again.
    Connect,
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Message => "messages",
            Self::Event => "ratings, clicks and requests",
            Self::Visit => "new visitors from one network address",
            Self::Connect => "connections",
        })
    }
}
