//! What the sockets of visitors and of agents share: how often, how long, and how they end.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use tokio::time::{Instant, timeout};

use crate::conversation::MAX_ID_BYTES;
use crate::http::error::ApiError;
use crate::protocol::{ErrorCode, MAX_MESSAGE_CHARS};

/// Longest time one write may take; a reader that is slower is cut off.
pub(super) const WRITE_LIMIT: Duration = Duration::from_secs(5);
/// How long a client may take to answer our close.
const LINGER: Duration = Duration::from_secs(1);

/// Signs of typing within this time are passed on once; clients give one every 3 s.
const TYPING_PAUSE: Duration = Duration::from_secs(2);

/// Lets one thing through in a while.
pub(super) struct Throttle {
    pause: Duration,
    passed: Option<Instant>,
}

impl Throttle {
    /// For signs that somebody is typing.
    pub(super) fn of_typing() -> Self {
        Self::new(TYPING_PAUSE)
    }

    pub(super) fn new(pause: Duration) -> Self {
        Self { pause, passed: None }
    }

    pub(super) fn passes(&mut self) -> bool {
        let free = self.passed.is_none_or(|passed| passed.elapsed() >= self.pause);
        if free {
            self.passed = Some(Instant::now());
        }
        free
    }

    /// The next one passes.
    pub(super) fn reset(&mut self) {
        self.passed = None;
    }
}

/// Says why a socket is closed, so that the client hears it.
pub(super) async fn farewell(socket: &mut WebSocket, code: u16, reason: &'static str) {
    let frame = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
    if let Ok(Ok(())) = timeout(WRITE_LIMIT, socket.send(frame)).await {
        // The client has a moment to answer the close, so that it sees our last words before the
        // connection ends. A frame that was refused can't be read to its end, and a socket that is
        // closed with something unread is reset, last words and all: then we only wait.
        let answered = async {
            loop {
                match socket.recv().await {
                    Some(Ok(Message::Close(_))) => return,
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => std::future::pending().await,
                }
            }
        };
        let _ = timeout(LINGER, answered).await;
    }
}

/// # Errors
/// When id or text are empty or too long.
pub(super) fn checked(id: &str, text: &str) -> Result<(), ApiError> {
    if id.is_empty() || id.len() > MAX_ID_BYTES {
        return Err(ApiError::new(
            ErrorCode::BadMessage,
            format!("a message id has 1 to {MAX_ID_BYTES} bytes"),
        ));
    }
    if text.trim().is_empty() {
        return Err(ApiError::new(ErrorCode::BadMessage, "the message is empty"));
    }
    if text.chars().count() > MAX_MESSAGE_CHARS { Err(too_long(text)) } else { Ok(()) }
}

pub(super) fn too_long(text: &str) -> ApiError {
    let chars = text.chars().count();
    ApiError::new(
        ErrorCode::TooLarge,
        format!("the text has {chars} characters; at most {MAX_MESSAGE_CHARS} are taken"),
    )
}
