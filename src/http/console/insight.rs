//! What a marketer sees, for admins of the site who are signed in to the console.

use axum::extract::State;
use axum::response::Response;

use super::private;
use crate::http::App;
use crate::http::agent::AdminOf;
use crate::http::demand::{Least, Wanted, forecast_of, stock_outs_of};
use crate::http::error::ApiError;
use crate::http::extract::Query;
use crate::http::insight::{Lines, report_of, sessions_of};
use crate::http::routes::{Access, Table};
use crate::insight::report::Range;

/// Below `/v1/console/sites/{site}`.
pub(super) fn routes() -> Table {
    Table::default()
        .get("/insight", Access::SiteAdmin, report)
        .get("/insight/sessions", Access::SiteAdmin, sessions)
        .get("/forecast", Access::SiteAdmin, forecast)
        .get("/stockouts", Access::SiteAdmin, stock_outs)
}

/// `GET …/insight?from_ms=&to_ms=`: as on the admin listener.
async fn report(
    State(app): State<App>,
    AdminOf { site, .. }: AdminOf,
    Query(range): Query<Range>,
) -> Result<Response, ApiError> {
    Ok(private(report_of(&app, &site, range).await?))
}

/// `GET …/insight/sessions`: as on the admin listener.
async fn sessions(
    State(app): State<App>,
    AdminOf { site, .. }: AdminOf,
    Query(lines): Query<Lines>,
) -> Result<Response, ApiError> {
    Ok(private(sessions_of(&app, &site, lines).await?))
}

/// `GET …/forecast?of=&days=`: as on the admin listener.
async fn forecast(
    State(app): State<App>,
    AdminOf { site, .. }: AdminOf,
    Query(wanted): Query<Wanted>,
) -> Result<Response, ApiError> {
    Ok(private(forecast_of(&app, &site, wanted).await?))
}

/// `GET …/stockouts?min=`: as on the admin listener.
async fn stock_outs(
    State(app): State<App>,
    AdminOf { site, .. }: AdminOf,
    Query(least): Query<Least>,
) -> Result<Response, ApiError> {
    Ok(private(stock_outs_of(&app, &site, least).await?))
}
