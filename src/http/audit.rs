//! What goes into the audit log, and how it is read.

use axum::Json;
use axum::extract::State;
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use crate::audit::Deed;
use crate::http::App;
use crate::http::agent::signed_in;
use crate::http::auth::Scope;
use crate::http::error::ApiError;
use crate::http::extract::Query;
use crate::http::routes::{Access, Table};
use crate::secret::key_hash;

/// Paths that show what visitors said, or much of it at once: reading there is noted, too.
const READS: [&str; 6] = ["/sessions/{session}", "/visitors/{visitor}", "/search", "/export", "/labels", "/v1/audit"];

pub(super) fn private() -> Table {
    Table::default().get("/v1/audit", Access::Server(Scope::Admin), day)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// Days since the epoch.
    day: Option<u64>,
}

/// `GET /v1/audit?day=`: the entries of one day, as they are stored; of the oldest without `day`.
async fn day(State(app): State<App>, Query(Asked { day }): Query<Asked>) -> Result<Response, ApiError> {
    Ok(Json(app.audit.day(day).await?).into_response())
}

/// The deed that a request is, if it is one to be noted: done by somebody inside, and a change or a look at conversations.
pub(super) fn deed(app: &App, access: Access, path: &str, parts: &Parts, named: &[(String, String)]) -> Option<Deed> {
    let changes = !parts.method.is_safe();
    if !changes && !READS.iter().any(|read| path.contains(read)) {
        return None;
    }
    let who = match access {
        Access::Server(_) | Access::Site(_) | Access::OwnSite(_) => {
            let shown = super::header_text(&parts.headers, axum::http::header::AUTHORIZATION);
            format!("key {}", app.keys.name_of(shown)?)
        }
        Access::SignedIn | Access::Agent | Access::SiteAdmin => {
            format!("agent {}", signed_in(app, &parts.headers).ok()?.agent.id)
        }
        Access::Anyone
        | Access::Visitor
        | Access::Password
        | Access::Reporter
        | Access::Platform
        | Access::ItsSites(_) => return None,
    };
    let to = named.iter().map(|(name, value)| {
        // A visitor's id may be a customer number.
        let value = if name == "visitor" { key_hash(value) } else { value.clone() };
        (name.clone(), value)
    });
    Some(Deed { who, did: format!("{} {path}", method(&parts.method)), to: to.collect(), status: None })
}

fn method(method: &Method) -> &str {
    method.as_str()
}

/// Writes a deed down. A log that can't be written is told of once for each deed, and stops nobody's work.
pub(super) async fn note(app: &App, deed: Deed) {
    let did = deed.did.clone();
    if let Err(error) = app.audit.note(deed).await {
        tracing::error!(did, %error, "the audit log could not be written");
    }
}
