//! All that is kept of one visitor: to be handed out, or to be erased with a receipt.

use std::convert::Infallible;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::oneshot;

use crate::http::App;
use crate::http::auth::Scope;
use crate::http::error::ApiError;
use crate::http::extract::Path;
use crate::http::routes::{Access, Table};
use crate::protocol::ErrorCode;
use crate::secret::key_hash;
use crate::store::RecordKind;

/// How often the visitor's conversations are looked for: one who is there begins others meanwhile.
const PASSES: usize = 3;

pub(super) fn private() -> Table {
    const ADMIN: Access = Access::Site(Scope::Admin);
    const VISITOR: &str = "/v1/sites/{site}/visitors/{visitor}";
    Table::default().get(VISITOR, ADMIN, export).delete(VISITOR, ADMIN, erase)
}

/// What an erasure leaves: proof of what was done, and nothing that tells who it was to who doesn't
/// know already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Receipt {
    pub site: String,
    /// Lower-case hexadecimal SHA-256 of the visitor's id.
    pub visitor_sha256: String,
    /// The conversations that were erased.
    pub sessions: Vec<String>,
    /// Events in them.
    pub events: u64,
    /// Conversations of the site that are damaged, so that nobody can tell whose they are. They are
    /// not erased; `frontdesk verify` names them.
    pub unreadable: usize,
    /// When it was done, in milliseconds since the epoch.
    pub erased_at_ms: u64,
}

fn unknown() -> ApiError {
    let text = "nothing is kept of a visitor of this id on this site; one who came with a signed token has the id jwt:<sub>";
    ApiError::new(ErrorCode::NotFound, text)
}

/// `GET /v1/sites/{site}/visitors/{visitor}`: one line of JSON for each conversation, with all that
/// is stored of it.
async fn export(
    State(app): State<App>,
    Path((site, visitor)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let (found, _) = app.registry.of_visitor(&site, &visitor).await?;
    if found.is_empty() {
        return Err(unknown());
    }
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
    let headers = [
        (header::CONTENT_TYPE, "application/jsonl; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::from_stream(lines)).into_response())
}

/// `DELETE /v1/sites/{site}/visitors/{visitor}`: erases every conversation with what is derived
/// from it, and gives a [`Receipt`]. Goes on to its end when the request's sender leaves; where it
/// broke off, the same request goes on with it.
async fn erase(
    State(app): State<App>,
    Path((site, visitor)): Path<(String, String)>,
) -> Result<Json<Receipt>, ApiError> {
    let (sender, receipt) = oneshot::channel();
    let of = app.clone();
    app.tasks.spawn("erasure", async move {
        // Nobody may listen any more; the log tells of it, too.
        let _ = sender.send(erase_all(&of, site, &visitor).await);
    });
    Ok(Json(receipt.await.map_err(|_| ApiError::draining())??))
}

async fn erase_all(app: &App, site: String, visitor: &str) -> Result<Receipt, ApiError> {
    let (mut sessions, mut events, mut unreadable) = (Vec::new(), 0, 0);
    for _ in 0..PASSES {
        let found = app.registry.of_visitor(&site, visitor).await?;
        unreadable = found.1;
        if found.0.is_empty() {
            break;
        }
        for key in found.0 {
            events += app.store.session(&key.site, &key.id).await?.map_or(0, |info| info.last_seq);
            // The conversation leads to what platforms are still to be sent, so that goes first;
            // and again, since the conversation went on until it was erased.
            app.channels.forget(&key).await?;
            app.registry.erase(&key).await?;
            app.channels.forget(&key).await?;
            sessions.push(key.id);
        }
    }
    if sessions.is_empty() {
        return Err(unknown());
    }
    let visitor_sha256 = key_hash(visitor);
    tracing::info!(site, visitor_sha256, sessions = sessions.len(), events, "a visitor was erased");
    let erased_at_ms = app.spine.clock.now_ms();
    Ok(Receipt { site, visitor_sha256, sessions, events, unreadable, erased_at_ms })
}
