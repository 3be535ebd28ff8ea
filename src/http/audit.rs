//! How the audit log is read. [`crate::http::deeds`] writes it.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use crate::http::App;
use crate::http::auth::Scope;
use crate::http::error::ApiError;
use crate::http::extract::Query;
use crate::http::routes::{Access, Table};

pub(super) fn private() -> Table {
    Table::default().get("/v1/audit", Access::Server(Scope::Admin), page)
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    from: Option<u64>,
}

/// `GET /v1/audit?from=`: entries as they are stored, from a number on; from the oldest without
/// one.
async fn page(
    State(app): State<App>,
    Query(Asked { from }): Query<Asked>,
) -> Result<Response, ApiError> {
    Ok(Json(app.audit.page(from).await?).into_response())
}
