//! Forecasts and stock-out warnings, for keys on the admin listener and admins in the console.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::json;

use crate::calendar::Calendar;
use crate::forecast::HORIZON;
use crate::http::App;
use crate::http::error::{ApiError, unknown_site};
use crate::http::extract::{Path, Query};
use crate::insight::demand::{Demand, Report};
use crate::protocol::ErrorCode;

/// What is asked of a forecast.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// `all`, `topic:…`, `class:…`, `product:…`; left out, what is asked about most.
    of: Option<String>,
    #[serde(default = "fortnight")]
    days: usize,
}

fn fortnight() -> usize {
    14
}

/// Which warnings are wanted.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Least {
    /// The chance from which on a product is named, 0 to 1.
    #[serde(default = "half")]
    min: f64,
}

fn half() -> f64 {
    0.5
}

/// `GET /v1/sites/{site}/forecast?of=&days=`: expected conversations with bands.
pub(super) async fn forecast(
    State(app): State<App>,
    Path(site): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, ApiError> {
    forecast_of(&app, &site, wanted).await
}

/// The forecast, for who may see it.
pub(super) async fn forecast_of(
    app: &App,
    site: &str,
    wanted: Wanted,
) -> Result<Response, ApiError> {
    if !(1..=HORIZON).contains(&wanted.days) {
        let text = format!("days={} can't be forecast; ask for 1 to {HORIZON}", wanted.days);
        return Err(ApiError::new(ErrorCode::BadMessage, text));
    }
    let demand = demand(app, site).await?;
    let report = blocking(move || demand.report(wanted.of.as_deref(), wanted.days)).await?;
    Ok(Json::<Report>(report).into_response())
}

/// `GET /v1/sites/{site}/stockouts?min=`: products that are likely to run out within 14 days.
pub(super) async fn stock_outs(
    State(app): State<App>,
    Path(site): Path<String>,
    Query(least): Query<Least>,
) -> Result<Response, ApiError> {
    stock_outs_of(&app, &site, least).await
}

/// The warnings, for who may see them.
pub(super) async fn stock_outs_of(
    app: &App,
    site: &str,
    least: Least,
) -> Result<Response, ApiError> {
    if !(0.0..=1.0).contains(&least.min) {
        return Err(ApiError::new(
            ErrorCode::BadMessage,
            "min is a chance between 0 and 1, such as 0.5",
        ));
    }
    let demand = demand(app, site).await?;
    let stock: HashMap<String, u64> = app.insight.stock(site);
    let known = stock.len();
    let found = blocking(move || demand.stock_outs(&stock, least.min)).await?;
    Ok(Json(json!({ "stockouts": found, "products_with_stock": known })).into_response())
}

async fn demand(app: &App, site: &str) -> Result<Demand, ApiError> {
    let known = app.site(site).ok_or_else(|| unknown_site(site))?;
    // Checked at the start; a calendar that can't be read never gets here.
    let calendar: Calendar = known.calendar.calendar().unwrap_or_default();
    Ok(app.insight.demand(site, &calendar).await?)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| {
        tracing::error!("a forecast failed");
        ApiError::new(ErrorCode::AnswerFailed, "the forecast could not be made; the log says why")
    })
}
