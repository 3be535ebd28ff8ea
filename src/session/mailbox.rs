//! What a session's task is asked, and what it answers.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::conversation::Event;
use crate::intent::Intent;
use crate::protocol::Partial;
use crate::protocol::console::Summary;
use crate::session::refusal::{Accepted, Refusal};
use crate::session::{Command, Draft, Update};
use crate::store::StoreError;

/// Commands that wait for one session; senders wait beyond that.
pub(super) const MAILBOX: usize = 32;
/// When to try again after the store had no place for a read: its whole line is read within a
/// second or so.
pub const BUSY_MS: u64 = 1_000;

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("every place is taken; try again in {retry_after_ms} ms")]
    Overloaded { retry_after_ms: u64 },
    #[error("the conversation can't be stored now")]
    Storage,
    #[error(
        "the server's disk is nearly full: nothing new can be said for now; what was said can be read"
    )]
    Full,
    #[error("the server restarts; reconnect and resume")]
    Draining,
}

/// What a participant gets when it joins: all it missed, and then updates.
#[derive(Debug)]
pub struct Joined {
    pub last_seq: u64,
    pub ended: bool,
    /// The first of what it missed, at most one page of the store's.
    pub missed: Vec<Past>,
    /// `seq` after which the rest of what it missed begins, up to `last_seq`; see
    /// `SessionHandle::missed`.
    pub rest_after: Option<u64>,
    /// The running answer from the offset on that the participant has: turn, offset and text.
    pub running: Option<(u64, u64, String)>,
    /// The running draft, for agents.
    pub draft: Option<Draft>,
    pub summary: Summary,
    pub intent: Intent,
    pub updates: mpsc::Receiver<Arc<Update>>,
}

/// An event that a participant missed.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    pub seq: u64,
    pub at_ms: u64,
    pub event: Event,
}

/// What arrives in a session's mailbox.
pub(super) enum Envelope {
    Join {
        /// An agent, who also sees what is internal.
        agent: bool,
        after: u64,
        partial: Option<Partial>,
        language: Option<&'static str>,
        reply: oneshot::Sender<Result<Joined, CommandError>>,
    },
    Command {
        command: Command,
        reply: oneshot::Sender<Result<Accepted, CommandError>>,
    },
    /// Where the session's visitor stands in the line for a person.
    Waiting {
        place: usize,
        available: bool,
    },
    /// What stands in the visitor's composer.
    Typed {
        text: String,
    },
    /// Somebody is typing: the visitor, or the agent of this id.
    Typing {
        agent: Option<String>,
    },
    /// What the deployed model says of the session as its log is, or the sum again after the model
    /// went.
    Scored {
        intent: Intent,
    },
    /// Checkpoint and end; the running answer is continued by the next start.
    Stop,
}

/// Who opens a session, should it be new.
#[derive(Clone, Debug)]
pub struct Opener {
    pub visitor: String,
    pub channel: String,
    /// ISO 639-1 code of the language that the page or the app around the chat is in, if it says
    /// so. It counts as the site's own while the visitor is there, and isn't stored.
    pub language: Option<&'static str>,
}

/// The session can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("no site {0:?} is configured")]
    UnknownSite(String),
    /// Agents open what is there.
    #[error("there is no such session")]
    Unknown,
    /// It is somebody else's.
    #[error("the session belongs to another visitor")]
    Foreign,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a session didn't take what was asked.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Command(#[from] CommandError),
}
