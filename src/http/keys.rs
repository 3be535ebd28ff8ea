//! Changing the server's own keys, for `frontdesk rotate`.

use axum::extract::State;
use axum::http::StatusCode;

use crate::http::App;
use crate::http::auth::Scope;
use crate::http::error::ApiError;
use crate::http::routes::{Access, Table};
use crate::protocol::ErrorCode;

pub(super) fn private() -> Table {
    const SERVER: Access = Access::Server(Scope::Admin);
    Table::default().post("/v1/keys/visitors/rotate", SERVER, change_visitor_key).post(
        "/v1/keys/admin/rotate",
        SERVER,
        change_admin_key,
    )
}

/// `POST /v1/keys/visitors/rotate`
async fn change_visitor_key(State(app): State<App>) -> Result<StatusCode, ApiError> {
    app.keyring.change_visitor_key().await.map_err(|error| failed(&error))?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/keys/admin/rotate`: the new key is in `admin.key` alone, never in an answer.
async fn change_admin_key(State(app): State<App>) -> Result<StatusCode, ApiError> {
    let hash = app.keyring.change_admin_key().await.map_err(|error| failed(&error))?;
    app.keys.replace_admin(hash);
    Ok(StatusCode::NO_CONTENT)
}

fn failed(error: &anyhow::Error) -> ApiError {
    tracing::error!(error = format!("{error:#}"), "a key could not be changed");
    ApiError::new(
        ErrorCode::StorageFailed,
        "the key could not be changed, and the one before stays; the log says why",
    )
}
