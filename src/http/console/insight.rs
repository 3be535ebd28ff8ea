//! What a marketer sees, for admins of the site who are signed in to the console.

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;

use super::{AdminOf, private, query};
use crate::http::App;
use crate::http::error::ApiError;
use crate::http::insight::{Lines, report_of, sessions_of};
use crate::insight::report::Range;

/// Below `/v1/console/sites/{site}`.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/insight", get(report)).route("/insight/sessions", get(sessions))
}

/// `GET …/insight?from_ms=&to_ms=`: as on the admin listener.
async fn report(
    State(app): State<App>,
    AdminOf { site, .. }: AdminOf,
    range: Result<Query<Range>, QueryRejection>,
) -> Result<Response, ApiError> {
    Ok(private(report_of(&app, &site, query(range)?).await?))
}

/// `GET …/insight/sessions`: as on the admin listener.
async fn sessions(
    State(app): State<App>,
    AdminOf { site, .. }: AdminOf,
    lines: Result<Query<Lines>, QueryRejection>,
) -> Result<Response, ApiError> {
    Ok(private(sessions_of(&app, &site, query(lines)?).await?))
}
