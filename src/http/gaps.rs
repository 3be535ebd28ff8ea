//! Knowledge gaps over the admin listener: list, dismiss, open again.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use crate::gaps;
use crate::http::App;
use crate::http::auth::Scope;
use crate::http::error::ApiError;
use crate::http::extract::{Path, Query};
use crate::http::routes::{Access, Table};

/// Gaps listed at once at most.
const MAX_LISTED: usize = 1_000;

pub(super) fn private() -> Table {
    const ADMIN: Access = Access::Site(Scope::Admin);
    Table::default()
        .get("/v1/sites/{site}/gaps", ADMIN, list)
        .post("/v1/sites/{site}/gaps/{id}/dismiss", ADMIN, dismiss)
        .post("/v1/sites/{site}/gaps/{id}/reopen", ADMIN, reopen)
}

/// Which gaps, and how many.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listing {
    /// Left out: gaps of every state.
    pub(super) state: Option<gaps::State>,
    #[serde(default = "hundred")]
    pub(super) limit: usize,
}

fn hundred() -> usize {
    100
}

/// `GET /v1/sites/{site}/gaps?state=open&limit=100`: the most asked first.
async fn list(
    State(app): State<App>,
    Path(site): Path<String>,
    Query(listing): Query<Listing>,
) -> Result<Response, ApiError> {
    let mut gaps = app.gaps.list(&site, listing.state).await?;
    let total = gaps.len();
    gaps.truncate(listing.limit.clamp(1, MAX_LISTED));
    Ok(Json(json!({ "total": total, "gaps": gaps })).into_response())
}

/// `POST /v1/sites/{site}/gaps/{id}/dismiss`
async fn dismiss(
    State(app): State<App>,
    Path((site, id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    set(&app, &site, &id, gaps::State::Dismissed).await
}

/// `POST /v1/sites/{site}/gaps/{id}/reopen`
async fn reopen(
    State(app): State<App>,
    Path((site, id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    set(&app, &site, &id, gaps::State::Open).await
}

async fn set(app: &App, site: &str, id: &str, state: gaps::State) -> Result<Response, ApiError> {
    Ok(match app.gaps.set_state(site, id, state).await? {
        Some(gap) => Json(gap).into_response(),
        None => {
            let message =
                format!("no knowledge gap {id:?} is known here; `frontdesk gaps` lists them");
            let error = json!({ "error": { "code": "unknown_gap", "message": message } });
            (StatusCode::NOT_FOUND, Json(error)).into_response()
        }
    })
}
