//! Changing the server's own keys, for `frontdesk rotate`, and reading the configuration anew, for
//! `frontdesk config reload`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use tokio::sync::oneshot;

use crate::http::auth::Scope;
use crate::http::error::ApiError;
use crate::http::routes::{Access, Table};
use crate::http::{App, Reloaded};
use crate::protocol::ErrorCode;

pub(super) fn private() -> Table {
    const SERVER: Access = Access::Server(Scope::Admin);
    Table::default()
        .post("/v1/keys/visitors/rotate", SERVER, change_visitor_key)
        .post("/v1/keys/admin/rotate", SERVER, change_admin_key)
        .post("/v1/config/reload", SERVER, reload)
}

/// `POST /v1/config/reload`
async fn reload(State(app): State<App>) -> Result<Json<Reloaded>, ApiError> {
    let (reply, answer) = oneshot::channel();
    let gone = || {
        ApiError::new(ErrorCode::NotFound, "this server was started without a configuration file")
    };
    app.reload.get().ok_or_else(gone)?.send(reply).await.map_err(|_| gone())?;
    match answer.await.map_err(|_| gone())? {
        Ok(reloaded) => Ok(Json(reloaded)),
        Err(problem) => Err(ApiError::new(ErrorCode::BadMessage, problem)),
    }
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
