//! Webhooks of messaging platforms, on the public listener, and what is known of their accounts, on the admin one.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::channels::event::Reply;
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
    let read = {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        app.channels.read(
            &site,
            &account,
            Request { header: &header, query: uri.query().unwrap_or_default(), body: &body },
        )
    };
    let accepted = match read {
        Ok(webhook) => app.channels.accept(webhook).await,
        Err(error) => Err(error),
    };
    match accepted {
        Ok(None) => StatusCode::OK.into_response(),
        Ok(Some(Reply::Json(value))) => Json(value).into_response(),
        Ok(Some(Reply::Text(text))) => text.into_response(),
        Ok(Some(Reply::Xml(text))) => ([(header::CONTENT_TYPE, "text/xml")], text).into_response(),
        Err(error) => refusal(error).into_response(),
    }
}

/// Meta asks once whether the address is ours: with the token that an operator wrote on both sides.
#[derive(serde::Deserialize)]
struct Handshake {
    #[serde(rename = "hub.verify_token", default)]
    token: String,
    #[serde(rename = "hub.challenge", default)]
    challenge: String,
}

/// `GET /v1/channels/{site}/{account}`.
async fn handshake(
    State(app): State<App>,
    Path((site, account)): Path<(String, String)>,
    Query(Handshake { token, challenge }): Query<Handshake>,
) -> Response {
    match app.channels.confirms(&site, &account, &token) {
        true => challenge.into_response(),
        false => ApiError::new(ErrorCode::Forbidden, "the token is not this channel's `verify_token`").into_response(),
    }
}

fn refusal(error: AcceptError) -> ApiError {
    match error {
        AcceptError::Unknown { .. } => ApiError::new(ErrorCode::NotFound, "no such channel"),
        // Why is for the operator: it stands in the account's state.
        AcceptError::Rejected(_) => ApiError::new(ErrorCode::Unauthorized, "the signature does not hold"),
        AcceptError::Store(error) => error.into(),
        AcceptError::Busy => {
            ApiError::new(ErrorCode::Overloaded, "the same event is being stored; send it again").retry(1_000)
        }
    }
}

/// `GET /v1/sites/{site}/channels`: for each account whether it is connected, and what last went wrong.
async fn accounts(State(app): State<App>, Path(site): Path<String>) -> Response {
    Json(json!({ "channels": app.channels.health(Some(&site)) })).into_response()
}
