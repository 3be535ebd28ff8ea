//! All that is kept of one visitor: to be handed out, or to be erased with a receipt.

use std::convert::Infallible;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::conversation::SessionKey;
use crate::http::App;
use crate::http::auth::Scope;
use crate::http::error::ApiError;
use crate::http::extract::Path;
use crate::http::routes::{Access, Table};
use crate::protocol::ErrorCode;
use crate::secret::key_hash;
use crate::store::RecordKind;

pub(super) fn private() -> Table {
    const ADMIN: Access = Access::Site(Scope::Admin);
    const VISITOR: &str = "/v1/sites/{site}/visitors/{visitor}";
    Table::default().get(VISITOR, ADMIN, export).delete(VISITOR, ADMIN, erase)
}

/// What an erasure leaves: proof of what was done, and nothing that tells who it was to who doesn't know already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Receipt {
    pub site: String,
    /// Lower-case hexadecimal SHA-256 of the visitor's id.
    pub visitor_sha256: String,
    /// The conversations that were erased.
    pub sessions: Vec<String>,
    /// Events in them.
    pub events: u64,
    /// When it was done, in milliseconds since the epoch.
    pub erased_at_ms: u64,
}

/// The visitor's conversations. A visitor without any is unknown here.
async fn sessions(app: &App, site: &str, visitor: &str) -> Result<Vec<SessionKey>, ApiError> {
    let found = app.registry.of_visitor(site, visitor).await?;
    if found.is_empty() {
        let text = "nothing is kept of a visitor of this id on this site; one who came with a signed token has the id jwt:<sub>";
        return Err(ApiError::new(ErrorCode::NotFound, text));
    }
    Ok(found)
}

/// `GET /v1/sites/{site}/visitors/{visitor}`: one line of JSON for each conversation, with all that is stored of it.
async fn export(State(app): State<App>, Path((site, visitor)): Path<(String, String)>) -> Result<Response, ApiError> {
    let found = sessions(&app, &site, &visitor).await?;
    let lines = async_stream::stream! {
        for key in found {
            let kinds = [RecordKind::Event, RecordKind::Signal];
            let line = match app.store.read(&key.site, &key.id, 0, &kinds).await {
                Ok(records) => {
                    let records: Vec<_> = records
                        .iter()
                        .map(|record| {
                            let body: serde_json::Value = serde_json::from_slice(&record.body).unwrap_or_default();
                            json!({ "seq": record.seq, "at_ms": record.at_ms, "kind": record.kind, "body": body })
                        })
                        .collect();
                    json!({ "site": key.site, "session": key.id, "visitor": visitor, "records": records })
                }
                // Said in its place: a line that is missing would look as if there were nothing.
                Err(error) => json!({ "site": key.site, "session": key.id, "error": error.to_string() }),
            };
            yield Ok::<_, Infallible>(Bytes::from(format!("{line}\n")));
        }
    };
    let headers = [(header::CONTENT_TYPE, "application/jsonl; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(lines)).into_response())
}

/// `DELETE /v1/sites/{site}/visitors/{visitor}`: erases every conversation with what is derived from it, and gives a [`Receipt`].
async fn erase(
    State(app): State<App>,
    Path((site, visitor)): Path<(String, String)>,
) -> Result<Json<Receipt>, ApiError> {
    let mut events = 0;
    let mut erased = Vec::new();
    for key in sessions(&app, &site, &visitor).await? {
        events += app.store.session(&key.site, &key.id).await?.map_or(0, |info| info.last_seq);
        app.channels.forget(&key).await?;
        app.registry.erase(&key).await?;
        erased.push(key.id);
    }
    let visitor_sha256 = key_hash(&visitor);
    tracing::info!(site, visitor_sha256, sessions = erased.len(), events, "a visitor was erased");
    let erased_at_ms = app.spine.clock.now_ms();
    Ok(Json(Receipt { site, visitor_sha256, sessions: erased, events, erased_at_ms }))
}
