//! One error type for HTTP; it alone knows status codes. And the errors of the socket protocol.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::http::auth::AuthError;
use crate::protocol::{ErrorCode, ServerMessage};
use crate::session::mailbox::{BUSY_MS, CommandError, JoinError, OpenError};
use crate::session::refusal::Refusal;
use crate::store::StoreError;

/// When to try again where the line for a person is full: people answer in minutes.
const LINE_FULL_MS: u64 = 60_000;

/// A refusal with a code for programs and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    pub code: ErrorCode,
    pub message: String,
    pub retry_after_ms: Option<u64>,
}

impl ApiError {
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after_ms: None }
    }

    #[must_use]
    pub fn retry(mut self, after_ms: u64) -> Self {
        self.retry_after_ms = Some(after_ms);
        self
    }

    /// The server restarts.
    #[must_use]
    pub fn draining() -> Self {
        Self::new(ErrorCode::Draining, "the server restarts; connect again and resume").retry(1_000)
    }

    /// The error as a frame; `id` is the client's message that was refused.
    #[must_use]
    pub fn frame(self, id: Option<String>) -> ServerMessage {
        let Self { code, message, retry_after_ms } = self;
        ServerMessage::Error { code, message, retry_after_ms, id }
    }

    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self.code {
            ErrorCode::BadMessage | ErrorCode::HelloExpected => StatusCode::BAD_REQUEST,
            ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorCode::Unauthorized | ErrorCode::CodeRequired => StatusCode::UNAUTHORIZED,
            ErrorCode::OriginRefused | ErrorCode::Forbidden => StatusCode::FORBIDDEN,
            ErrorCode::UnknownSite
            | ErrorCode::UnknownSession
            | ErrorCode::UnknownTurn
            | ErrorCode::UnknownAgent
            | ErrorCode::NotFound => StatusCode::NOT_FOUND,
            ErrorCode::SessionEnded | ErrorCode::Held | ErrorCode::Conflict => StatusCode::CONFLICT,
            ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::Overloaded
            | ErrorCode::Draining
            | ErrorCode::TooSlow
            | ErrorCode::StorageFailed => StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::AnswerFailed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The `Retry-After` header in whole seconds, where trying again may help.
    #[must_use]
    pub fn retry_after(&self) -> Option<HeaderValue> {
        self.retry_after_ms.map(|ms| HeaderValue::from(ms.div_ceil(1000)))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, retry_after) = (self.status(), self.retry_after());
        let mut response = (
            status,
            Json(serde_json::json!({ "error": {
            "code": self.code, "message": self.message, "retry_after_ms": self.retry_after_ms,
        } })),
        )
            .into_response();
        if let Some(value) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        response
    }
}

/// A refusal in the shape that OpenAI's clients read.
pub(super) struct OpenAiError {
    status: StatusCode,
    error: ApiError,
    /// The field of the request that it is about.
    param: Option<String>,
}

impl OpenAiError {
    pub(super) fn new(status: StatusCode, error: ApiError) -> Self {
        Self { status, error, param: None }
    }

    pub(super) fn param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }
}

impl From<ApiError> for OpenAiError {
    fn from(error: ApiError) -> Self {
        Self::new(error.status(), error)
    }
}

impl IntoResponse for OpenAiError {
    fn into_response(self) -> Response {
        let Self { status, error, param } = self;
        let kind = match status {
            StatusCode::UNAUTHORIZED => "authentication_error",
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
            status if status.is_server_error() => "server_error",
            _ => "invalid_request_error",
        };
        let retry_after = error.retry_after();
        let body = serde_json::json!({ "error": { "message": error.message, "type": kind, "param": param, "code": error.code } });
        let mut response = (status, Json(body)).into_response();
        if let Some(value) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        response
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        Self::new(ErrorCode::Unauthorized, error.to_string())
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        if let StoreError::Overloaded { .. } = error {
            return Self::new(ErrorCode::Overloaded, error.to_string()).retry(BUSY_MS);
        }
        tracing::error!(%error, "the store failed");
        if let StoreError::Corrupt { .. } = error {
            // Trying again would change nothing. Clients that hear this begin anew.
            let text = "this conversation can't be read any more; begin a new one";
            return Self::new(ErrorCode::UnknownSession, text);
        }
        Self::new(
            ErrorCode::StorageFailed,
            "conversations can't be read or stored now; try again soon",
        )
        .retry(2_000)
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            Refusal::Ended | Refusal::Full { .. } => Self::new(ErrorCode::SessionEnded, message),
            Refusal::UnknownTurn { .. } => Self::new(ErrorCode::UnknownTurn, message),
            Refusal::RateLimited { retry_after_ms, .. } => {
                Self::new(ErrorCode::RateLimited, message).retry(retry_after_ms)
            }
            Refusal::IdReused { .. } => Self::new(ErrorCode::BadMessage, message),
            Refusal::Held { .. } => Self::new(ErrorCode::Held, message),
            Refusal::NotHolder => Self::new(ErrorCode::Forbidden, message),
            Refusal::UnknownSuggestion => Self::new(ErrorCode::NotFound, message),
            Refusal::LineFull { .. } => {
                Self::new(ErrorCode::Overloaded, message).retry(LINE_FULL_MS)
            }
            Refusal::NothingToAnswer | Refusal::HasPerson | Refusal::WaitsElsewhere => {
                Self::new(ErrorCode::Conflict, message)
            }
        }
    }
}

impl From<JoinError> for ApiError {
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::Open(OpenError::UnknownSite(site)) => unknown_site(&site),
            // Whether the session exists is nobody's business but its visitor's.
            JoinError::Open(OpenError::Foreign | OpenError::Unknown) => unknown_session(),
            JoinError::Open(OpenError::Store(error)) => error.into(),
            JoinError::Command(CommandError::Refused(refusal)) => refusal.into(),
            JoinError::Command(error @ CommandError::Overloaded { retry_after_ms }) => {
                Self::new(ErrorCode::Overloaded, error.to_string()).retry(retry_after_ms)
            }
            JoinError::Command(error @ CommandError::Full) => {
                Self::new(ErrorCode::StorageFailed, error.to_string()).retry(LINE_FULL_MS)
            }
            JoinError::Command(CommandError::Storage) => Self::new(
                ErrorCode::StorageFailed,
                "the message could not be stored; send it again",
            )
            .retry(2_000),
            JoinError::Command(CommandError::Draining) => Self::draining(),
        }
    }
}

/// # Errors
/// Never; it is one.
#[must_use]
pub fn unknown_site(site: &str) -> ApiError {
    ApiError::new(ErrorCode::UnknownSite, format!("no site {site:?} is configured here"))
}

#[must_use]
pub fn unknown_session() -> ApiError {
    ApiError::new(
        ErrorCode::UnknownSession,
        "there is no such conversation, or it was forgotten; begin a new one",
    )
}

/// A JSON body that can't be taken; `limit` is the bytes that one may have.
pub(super) fn unreadable(rejection: &JsonRejection, limit: usize) -> ApiError {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return too_large(limit);
    }
    ApiError::new(ErrorCode::BadMessage, rejection.body_text())
}

/// A body of more than `limit` bytes.
pub(super) fn too_large(limit: usize) -> ApiError {
    ApiError::new(ErrorCode::TooLarge, format!("the body has more than {limit} bytes"))
}

/// Clients of OpenAI's API look for `type` and `param` in every error.
fn plain(status: StatusCode, code: &str, message: &str) -> Response {
    let error = serde_json::json!({ "message": message, "type": "invalid_request_error", "param": null, "code": code });
    (status, Json(serde_json::json!({ "error": error }))).into_response()
}

/// What is served here answers to other methods only; the `Allow` header names them.
pub(super) async fn wrong_method(method: axum::http::Method, uri: axum::http::Uri) -> Response {
    let message =
        format!("{} doesn't answer {method}; the Allow header names what it does", uri.path());
    plain(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", &message)
}

/// A plain request where a WebSocket begins.
pub(super) fn upgrade_required(why: &str) -> Response {
    let message = format!(
        "this address speaks WebSocket ({why}); POST /v1/chat/messages answers plain requests"
    );
    let mut response = plain(StatusCode::UPGRADE_REQUIRED, "upgrade_required", &message);
    response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    response
}

pub(super) async fn not_found(uri: axum::http::Uri) -> Response {
    let message = format!("nothing is served at {}; see the README for the addresses", uri.path());
    plain(StatusCode::NOT_FOUND, "not_found", &message)
}
