//! Webhooks of messaging platforms, on the public listener, and what is known of their accounts, on
//! the admin one.

use axum::Json;
use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use crate::channels::event::Reply;
use crate::channels::signature::Rejected;
use crate::channels::{AcceptError, Request};
use crate::http::App;
use crate::http::auth::Scope;
use crate::http::error::ApiError;
use crate::http::routes::{Access, Table};
use crate::protocol::ErrorCode;

/// What is larger takes its room among large bodies: e-mails with files.
const MAX_SMALL: usize = 1024 * 1024;

pub(super) fn public() -> Table {
    const ACCOUNT: &str = "/v1/channels/{site}/{account}";
    Table::default().post(ACCOUNT, Access::Platform, webhook).get(
        ACCOUNT,
        Access::Platform,
        handshake,
    )
}

/// Below `/v1/console/sites/{site}`.
pub(super) fn console() -> Table {
    Table::default().get("/channels", Access::SiteAdmin, accounts)
}

pub(super) fn private() -> Table {
    Table::default().get("/v1/sites/{site}/channels", Access::Site(Scope::Admin), accounts)
}

/// `POST /v1/channels/{site}/{account}`.
async fn webhook(
    State(app): State<App>,
    Path((site, account)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if app.tasks.is_draining() {
        return ApiError::draining().into_response();
    }
    // The room is held until the event is stored.
    let (body, _room) = match read_body(&app, app.channels.largest(&site, &account), body).await {
        Ok(read) => read,
        Err(error) => return error.into_response(),
    };
    let read = || {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let query = uri.query().unwrap_or_default();
        app.channels.read(&site, &account, Request { header: &header, query, body: &body })
    };
    app.channels.prepare(&site, &account, false).await;
    let mut webhook = read();
    if matches!(webhook, Err(AcceptError::Rejected(Rejected::UnknownKey)))
        && app.channels.prepare(&site, &account, true).await
    {
        webhook = read();
    }
    let accepted = match webhook {
        Ok(webhook) => app.channels.accept(webhook).await,
        Err(error) => Err(error),
    };
    match accepted {
        Ok(None) => StatusCode::OK.into_response(),
        Ok(Some(Reply::Json(value))) => Json(value).into_response(),
        Ok(Some(Reply::Nothing)) => StatusCode::NO_CONTENT.into_response(),
        Ok(Some(Reply::Text(text))) => text.into_response(),
        Ok(Some(Reply::Xml(text))) => ([(header::CONTENT_TYPE, "text/xml")], text).into_response(),
        Err(error) => refusal(error).into_response(),
    }
}

async fn read_body(
    app: &App,
    largest: usize,
    body: Body,
) -> Result<(Bytes, Option<OwnedSemaphorePermit>), ApiError> {
    let told = body.size_hint().exact().unwrap_or(u64::MAX);
    if largest > MAX_SMALL && told > MAX_SMALL as u64 {
        let (bytes, room) = app.room.read(body, largest, "").await?.parts();
        return Ok((bytes.into(), Some(room)));
    }
    let bytes = axum::body::to_bytes(body, MAX_SMALL).await;
    let text = format!("a webhook may have {MAX_SMALL} bytes here");
    Ok((bytes.map_err(|_| ApiError::new(ErrorCode::TooLarge, text))?, None))
}

/// `GET /v1/channels/{site}/{account}`: a platform asks once whether the address is ours.
async fn handshake(
    State(app): State<App>,
    Path((site, account)): Path<(String, String)>,
    uri: Uri,
) -> Response {
    match app.channels.handshake(&site, &account, uri.query().unwrap_or_default()) {
        Some(answer) => answer.into_response(),
        None => {
            let text = "neither this channel's `verify_token` nor a signature of its secrets";
            ApiError::new(ErrorCode::Forbidden, text).into_response()
        }
    }
}

fn refusal(error: AcceptError) -> ApiError {
    match error {
        AcceptError::Unknown { .. } => ApiError::new(ErrorCode::NotFound, "no such channel"),
        // Why is for the operator: it stands in the account's state.
        AcceptError::Rejected(_) => {
            ApiError::new(ErrorCode::Unauthorized, "the signature does not hold")
        }
        AcceptError::Unreadable(why) => ApiError::new(ErrorCode::BadMessage, why),
        AcceptError::Store(error) => error.into(),
        AcceptError::NoKeys => {
            let text = "the platform's keys can't be fetched now; send it again";
            ApiError::new(ErrorCode::Overloaded, text).retry(2_000)
        }
        AcceptError::Busy => {
            ApiError::new(ErrorCode::Overloaded, "the same event is being stored; send it again")
                .retry(1_000)
        }
    }
}

/// `GET /v1/sites/{site}/channels`, and the console's: for each account whether it is connected,
/// and what last went wrong.
async fn accounts(State(app): State<App>, Path(site): Path<String>) -> Result<Response, ApiError> {
    Ok(Json(json!({ "channels": app.channels.state(&site).await? })).into_response())
}
