//! What operators ask: is it alive, is it ready, what happens in a session.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::conversation::{Event, SessionKey};
use crate::http::error::{ApiError, unknown_session};
use crate::http::extract::{Path, Query};
use crate::http::{App, intent};
use crate::signals::Signal;
use crate::store::{RecordKind, SessionQuery};
use crate::telemetry::EngineLabels;

/// Sessions listed at most.
const MAX_LISTED: usize = 500;

/// `GET /livez`: the process runs.
pub(super) async fn livez() -> &'static str {
    "ok\n"
}

/// `GET /readyz` on the public listener: 200 if a visitor would get an answer, else 503. What is
/// wrong is told to operators alone.
pub(super) async fn readyz_for_visitors(State(app): State<App>) -> Response {
    let (ready, _) = readiness(&app).await;
    (status(ready), Json(json!({ "ready": ready }))).into_response()
}

/// `GET /readyz` on the admin listener: the same, and the body says what is wrong. Without a single
/// passage every answer would be that there is none.
pub(super) async fn readyz(State(app): State<App>) -> Response {
    let (ready, parts) = readiness(&app).await;
    (status(ready), Json(parts)).into_response()
}

fn status(ready: bool) -> StatusCode {
    if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// Whether a visitor would get an answer, and the state of every part.
async fn readiness(app: &App) -> (bool, Value) {
    let store = app.store.health();
    let llm = app.spine.llm.health().map_err(|error| error.to_string());
    let knowledge = app.spine.retrieval.index.health().await.map(|health| health.passages);
    let filling = app.spine.retrieval.filling.is_under_way();
    let stocked = !matches!(knowledge, Ok(0)) && !filling;
    let embedder = app.spine.retrieval.embedder.health().map_err(|error| error.to_string());
    let multilingual = app.spine.retrieval.second_health().map_err(|error| error.to_string());
    let reranker = app
        .spine
        .reranker
        .as_ref()
        .map(|reranker| reranker.health().map_err(|error| error.to_string()));
    let index = knowledge.map(|_| ()).map_err(|error| error.to_string());
    let draining = app.tasks.is_draining();
    let ready =
        store.is_ok() && llm.is_ok() && embedder.is_ok() && index.is_ok() && stocked && !draining;
    let short = app.store.is_short_of_room();
    let ready = ready && !short && multilingual.is_ok() && !matches!(reranker, Some(Err(_)));
    let say = |health: Result<(), String>| health.map_or_else(|error| error, |()| "ok".to_owned());
    // A remote model that fails costs the phrasing, not the answer: that is quoted then.
    let llm = llm.and_then(|()| {
        app.spine
            .llm
            .reachable()
            .map_err(|error| format!("failing, answers are quoted meanwhile: {error}"))
    });
    let body = json!({
        "ready": ready,
        "draining": draining,
        "store": say(store),
        "disk": if short { "nearly full: messages are refused; make room, or lower store.reserve_mib" } else { "ok" },
        "llm": say(llm),
        "embedder": say(embedder),
        "multilingual": say(multilingual),
        "reranker": reranker.map_or_else(|| "none".to_owned(), say),
        "index": say(index),
        "knowledge": match (stocked, filling) {
            (true, _) => "ok",
            (false, true) => "read for the first time",
            (false, false) => "empty",
        },
        "channels": app.channels.summary(),
    });
    (ready, body)
}

/// `GET /metrics` on the admin listener.
pub(super) async fn metrics(State(app): State<App>) -> Response {
    let (_, waiting) = app.gate.load();
    app.metrics.turns_queued.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    app.metrics
        .texts_embedded
        .set(i64::try_from(app.spine.retrieval.embedder.computed()).unwrap_or(i64::MAX));
    let llm = app.spine.llm.stats();
    let counted = |value: usize| value as u64;
    for (fact, value) in [
        ("waiting", counted(llm.waiting)),
        ("running", counted(llm.running)),
        ("cache_tokens", counted(llm.kv_tokens)),
        ("cache_used_tokens", counted(llm.kv_used_tokens)),
        ("kept_conversations", counted(llm.kept_sequences)),
        ("sleeping_tokens", counted(llm.sleeping_tokens)),
        ("sleeping_bytes", counted(llm.sleeping_bytes)),
        ("woken", llm.woken),
        ("snapshot_files", counted(llm.files)),
        ("snapshot_file_bytes", llm.file_bytes),
        ("snapshots_written", llm.files_written),
        ("snapshots_restored", llm.files_restored),
        ("snapshots_refused", llm.files_refused),
        ("prompt_tokens_computed", llm.computed_prompt_tokens),
        ("prompt_tokens_cached", llm.cached_prompt_tokens),
        ("tokens_written", llm.generated_tokens),
        ("steps", llm.steps),
        ("steps_with_prompts", llm.prompt_steps),
        ("steps_with_prompts_us", llm.prompt_step_us),
        ("steps_without_prompts_us", llm.answer_step_us),
        ("longest_step_ms", llm.longest_step_ms),
    ] {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        app.metrics.engine.get_or_create(&EngineLabels { fact }).set(value);
    }
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], app.metrics.render()).into_response()
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Listing {
    #[serde(default = "hundred")]
    limit: usize,
}

fn hundred() -> usize {
    100
}

/// `GET /v1/sites/{site}/sessions`: the sessions that were used last.
pub(super) async fn sessions(
    State(app): State<App>,
    Path(site): Path<String>,
    Query(listing): Query<Listing>,
) -> Result<Response, ApiError> {
    let query =
        SessionQuery { site, limit: listing.limit.min(MAX_LISTED), after: None, since_ms: 0 };
    let list = app.store.sessions(query).await?;
    Ok(Json(json!({ "sessions": list })).into_response())
}

/// `GET /v1/sites/{site}/sessions/{session}`: transcript, signals and purchase intent.
pub(super) async fn session(
    State(app): State<App>,
    Path((site, session)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let key = SessionKey::named(&site, &session).ok_or_else(unknown_session)?;
    let info = app.store.session(&site, &session).await?.ok_or_else(unknown_session)?;
    let mut transcript = Vec::new();
    let mut events: Vec<Event> = Vec::new();
    for record in app.store.read(&site, &session, 0, &[RecordKind::Event]).await? {
        if let Ok(event) = serde_json::from_slice::<Event>(&record.body) {
            transcript.push(json!({ "seq": record.seq, "at_ms": record.at_ms, "event": event }));
            events.push(event);
        }
    }
    // What was just said counts.
    app.signals.settled().await;
    let class = intent::class_of_last(&app, &site, &events).await;
    // A pure function of the log up to now, so that it can't differ from what training will see.
    let intent = app.insight.book.intent(&key, None).await?;
    let signals: Vec<Signal> =
        app.insight.book.track(&key).await?.records.into_iter().flat_map(|(_, all)| all).collect();
    let told = json!({ "session": info, "intent": intent, "class": class, "signals": signals, "transcript": transcript });
    Ok(Json(told).into_response())
}

/// `DELETE /v1/sites/{site}/sessions/{session}`: forgets a conversation with everything derived
/// from it.
pub(super) async fn erase(
    State(app): State<App>,
    Path((site, session)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let key = SessionKey::named(&site, &session).ok_or_else(unknown_session)?;
    if app.store.session(&key.site, &key.id).await?.is_none() {
        return Err(unknown_session());
    }
    app.channels.forget(&key).await?;
    app.registry.erase(&key).await?;
    Ok(StatusCode::NO_CONTENT)
}
