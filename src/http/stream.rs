//! The same conversation without a socket: one message in, Server-Sent Events out.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::time::Instant;

use crate::conversation::Event;
use crate::http::App;
use crate::http::auth::AuthError;
use crate::http::chat::{Caller, event_message, open, update_message};
use crate::http::error::{ApiError, unreadable};
use crate::http::socket::checked;
use crate::protocol::ServerMessage;
use crate::secret::random_id;
use crate::session::mailbox::Past;
use crate::session::{Command, Update};

/// How often a stream looks whether the token that the site signed has ended, and the stream with
/// it.
const LOOK: Duration = Duration::from_secs(1);

/// Body of `POST /v1/chat/messages`.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "Saying")]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    site: String,
    text: String,
    /// The client's id of the message; one is made if it is left out, and then a resend is a new
    /// message.
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    session: Option<String>,
    /// Language of the page, as in `hello`.
    #[serde(default)]
    language: Option<String>,
}

/// `POST /v1/chat/messages`: answers with the events of the turn, named as in the socket protocol,
/// until `answer.done`. Where a person has the conversation, until the person's reply, or until
/// `answers.timeout_s` is over; a later one comes with the next request or over a socket.
pub(super) async fn message(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Result<Json<Body>, JsonRejection>,
) -> Response {
    let caller = Caller::of(&app, peer, &headers, "rest");
    let response = match begin(app, &caller, body).await {
        Ok(events) => super::streamed(Sse::new(events).keep_alive(KeepAlive::default())),
        Err(error) => error.into_response(),
    };
    with_origin(caller.origin.as_deref(), response)
}

/// Browsers ask before they post JSON from another origin. The origin itself is checked with the
/// message, when its site is known.
pub(super) async fn preflight(headers: HeaderMap) -> Response {
    let origin = super::header_text(&headers, header::ORIGIN);
    let allowed = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST")),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type")),
        (header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600")),
    ];
    with_origin(
        origin,
        (StatusCode::NO_CONTENT, axum::response::AppendHeaders(allowed)).into_response(),
    )
}

/// No cookies are involved, so naming the origin lets its page read the answer and nothing more.
fn with_origin(origin: Option<&str>, mut response: Response) -> Response {
    if let Some(origin) = origin.and_then(|origin| HeaderValue::from_str(origin).ok()) {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("origin"));
    }
    response
}

async fn begin(
    app: App,
    caller: &Caller,
    body: Result<Json<Body>, JsonRejection>,
) -> Result<impl futures_util::Stream<Item = Result<SseEvent, Infallible>> + use<>, ApiError> {
    let Json(Body { site, text, id, token, session, language }) =
        body.map_err(|error| unreadable(&error, super::MAX_BODY))?;
    let id = id.unwrap_or_else(random_id);
    checked(&id, &text)?;
    if app.tasks.is_draining() {
        return Err(ApiError::draining());
    }
    let permit = app.connection()?;
    let mut caller = caller.clone();
    caller.language = language;
    let opened = open(&app, &caller, &site, token.as_deref(), session.as_deref())?;
    let (place, expires_at_ms) = (opened.place, opened.expires_at_ms);
    let clock = app.spine.clock.clone();
    let expired = move || expires_at_ms.is_some_and(|at_ms| at_ms <= clock.now_ms());
    let accepted = opened.handle.command(Command::Say { id: id.clone(), text }).await?;
    let seq = accepted.seq;
    let mut joined = opened.handle.join_whole(seq, None).await?;
    let begun = |past: &Past| matches!(past.event, Event::AnswerStarted { turn } if turn == seq);
    let patience = (!joined.missed.iter().any(begun)).then(|| Instant::now() + app.answer_timeout);
    let welcome = ServerMessage::Welcome {
        session: opened.handle.key.id.clone(),
        token: opened.token,
        last_seq: joined.last_seq,
        available: app.available(&opened.handle.key.site),
    };
    Ok(async_stream::stream! {
        let _places = (permit, place);
        yield Ok(sse(&welcome));
        yield Ok(sse(&ServerMessage::Ack { id, seq }));
        for past in joined.missed {
            let Some(message) = event_message(past) else { continue };
            let last = ends(&message, accepted.seq);
            yield Ok(sse(&message));
            if last {
                return;
            }
        }
        if let Some((turn, offset, text)) = joined.running.filter(|(.., text)| !text.is_empty()) {
            yield Ok(sse(&ServerMessage::AnswerDelta { turn, offset, text }));
        }
        loop {
            if expired() {
                yield Ok(sse(&ApiError::from(AuthError::Expired).frame(None)));
                return;
            }
            let update = tokio::select! {
                update = joined.updates.recv() => update,
                // Nobody failed: the person will answer later.
                () = until(patience) => return,
                () = tokio::time::sleep(LOOK), if expires_at_ms.is_some() => continue,
            };
            let Some(update) = update else { break };
            if matches!(*update, Update::Lost) {
                break;
            }
            let Some(message) = update_message(&update) else { continue };
            let last = ends(&message, accepted.seq);
            yield Ok(sse(&message));
            if last {
                return;
            }
        }
        yield Ok(sse(&ApiError::draining().frame(None)));
    })
}

/// At that time; never without one.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn ends(message: &ServerMessage, asked: u64) -> bool {
    match message {
        ServerMessage::AnswerDone { turn, .. } => *turn == asked,
        ServerMessage::AgentMessage { .. } | ServerMessage::Ended { .. } => true,
        _ => false,
    }
}

fn sse(message: &ServerMessage) -> SseEvent {
    let value = serde_json::to_value(message).unwrap_or_default();
    let name = value.get("type").and_then(serde_json::Value::as_str).unwrap_or("error").to_owned();
    SseEvent::default().event(name).data(value.to_string())
}
