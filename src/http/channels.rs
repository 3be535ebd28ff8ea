//! Webhooks of messaging platforms, on the public listener, and what is known of their accounts, on the admin one.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::channels::event::Reply;
use crate::channels::signature::Rejected;
use crate::channels::{AcceptError, Request};
use crate::http::App;
use crate::http::auth::Scope;
use crate::http::error::ApiError;
use crate::http::routes::{Access, Table};
use crate::protocol::ErrorCode;

/// Largest webhook: WhatsApp's batches and Telegram's updates come near a mebibyte.
const MAX_WEBHOOK: usize = 1024 * 1024;

pub(super) fn public() -> Table {
    const ACCOUNT: &str = "/v1/channels/{site}/{account}";
    Table::default()
        .post(ACCOUNT, Access::Platform, webhook)
        .get(ACCOUNT, Access::Platform, handshake)
        .largest_body(MAX_WEBHOOK)
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
    body: Bytes,
) -> Response {
    if app.tasks.is_draining() {
        return ApiError::draining().into_response();
    }
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

/// `GET /v1/channels/{site}/{account}`: a platform asks once whether the address is ours.
async fn handshake(State(app): State<App>, Path((site, account)): Path<(String, String)>, uri: Uri) -> Response {
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
        AcceptError::Rejected(_) => ApiError::new(ErrorCode::Unauthorized, "the signature does not hold"),
        AcceptError::Store(error) => error.into(),
        AcceptError::NoKeys => {
            let text = "the platform's keys can't be fetched now; send it again";
            ApiError::new(ErrorCode::Overloaded, text).retry(2_000)
        }
        AcceptError::Busy => {
            ApiError::new(ErrorCode::Overloaded, "the same event is being stored; send it again").retry(1_000)
        }
    }
}

/// `GET /v1/sites/{site}/channels`, and the console's: for each account whether it is connected, and what last went wrong.
async fn accounts(State(app): State<App>, Path(site): Path<String>) -> Result<Response, ApiError> {
    Ok(Json(json!({ "channels": app.channels.state(&site).await? })).into_response())
}
