//! The models of what visitors want, over the admin API: what there is, train, evaluate, deploy,
//! roll back, explain, watch; and labels.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::conversation::{Event, SessionKey};
use crate::http::App;
use crate::http::body::Held;
use crate::http::error::{ApiError, unknown_session};
use crate::http::extract::{Path, Query, Sent};
use crate::insight::scorer;
use crate::intent::columns::{self, Vectors};
use crate::intent::data::Data;
use crate::intent::labels::{self, LabelError};
use crate::intent::registry::{Deployed, Head, RegistryError, Version};
use crate::intent::round;
use crate::intent::table::Column;
use crate::intent::train::{Model, TrainError};
use crate::protocol::ErrorCode;
use crate::store::RecordKind;
use crate::training;

/// Largest body of rows to train on.
pub(crate) const MAX_ROWS: usize = 64 * 1024 * 1024;
/// What the visitor's last message is about.
#[derive(Debug, Serialize)]
pub(super) struct ClassScore {
    version: u32,
    /// `None` for a message about none of the classes.
    name: Option<String>,
    probability: f32,
}

/// The class of a session's last message by the deployed classes. A failure is logged, and there is
/// none.
pub(super) async fn class_of_last(app: &App, site: &str, events: &[Event]) -> Option<ClassScore> {
    let deployed = app.intents.classes(site)?;
    let text = events.iter().rev().find_map(|event| match event {
        Event::Said { text, .. } => Some(text.clone()),
        _ => None,
    })?;
    let guess = async {
        let vector = app.spine.retrieval.embedder.embed_query(text.clone()).await?;
        let deployed = deployed.clone();
        let guessed =
            tokio::task::spawn_blocking(move || deployed.model.guess(&[&text], &[&vector])).await?;
        anyhow::Ok(guessed?.first().copied())
    };
    let guess = guess.await.unwrap_or_else(|error| {
        tracing::warn!(site, %error, "the intent classes could not judge a message");
        None
    })?;
    let name = guess.in_scope.then(|| deployed.model.names.get(guess.class).cloned()).flatten();
    Some(ClassScore { version: deployed.version.version, name, probability: guess.probability })
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Moment {
    /// Messages of the visitor; without it every moment of the conversation is told.
    turns: Option<usize>,
}

/// Moments told at once.
const MAX_MOMENTS: usize = 200;

/// `GET /v1/sites/{site}/sessions/{session}/intent?turns=3`: the purchase intent after each of the
/// visitor's messages, or after one of them, with what moved it.
pub(super) async fn explain(
    State(app): State<App>,
    Path((site, session)): Path<(String, String)>,
    Query(moment): Query<Moment>,
) -> Result<Response, ApiError> {
    app.store.session(&site, &session).await?.ok_or_else(unknown_session)?;
    let key = SessionKey { site, id: session };
    // What was just said counts.
    app.signals.settled().await;
    let track = app.insight.book.track(&key).await?;
    let turns: Vec<usize> = match moment.turns {
        Some(turns) => vec![turns],
        None => (1..=track.messages()).take(MAX_MOMENTS).collect(),
    };
    let deployed = app.intents.purchase(&key.site);
    let told = tokio::task::spawn_blocking(move || {
        let at = |turns: usize| match &deployed {
            Some(deployed) => deployed.intent(&track, Some(turns)),
            None => Ok(crate::intent::score(track.until(Some(turns)))),
        };
        let told =
            turns.into_iter().map(|turns| Ok(json!({ "turns": turns, "intent": at(turns)? })));
        told.collect::<Result<Vec<_>, TrainError>>()
    });
    let told = told.await.map_err(|_| failed())?.map_err(|error| bad(&error.into()))?;
    Ok(Json(json!({ "moments": told })).into_response())
}

/// `GET /v1/sites/{site}/intent/{head}`: versions, and which one is deployed.
pub(super) async fn list(
    State(app): State<App>,
    Path((site, head)): Path<(String, Head)>,
) -> Result<Response, ApiError> {
    let registry = app.intents.registry(&site, head);
    let manifest = blocking(move || registry.manifest()).await?;
    Ok(Json(manifest).into_response())
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "Deployment")]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    version: u32,
    /// Also a version that did worse than the deployed one.
    #[serde(default)]
    force: bool,
}

/// `POST /v1/sites/{site}/intent/{head}/deploy` with `{"version": 3}`: takes a version in use,
/// without a dropped session.
pub(super) async fn deploy(
    State(app): State<App>,
    Path((site, head)): Path<(String, Head)>,
    Sent(wanted): Sent<Wanted>,
) -> Result<Response, ApiError> {
    let (registry, live) = (app.intents.registry(&site, head), app.intents.clone());
    let version = blocking(move || {
        let version = registry.deploy(wanted.version, wanted.force)?;
        live.refresh(&site)?;
        Ok(version)
    });
    Ok(Json(version.await?).into_response())
}

/// `POST /v1/sites/{site}/intent/{head}/rollback`: takes the version before in use again.
pub(super) async fn roll_back(
    State(app): State<App>,
    Path((site, head)): Path<(String, Head)>,
) -> Result<Response, ApiError> {
    let (registry, live) = (app.intents.registry(&site, head), app.intents.clone());
    let version: Version = blocking(move || {
        let version = registry.roll_back()?;
        live.refresh(&site)?;
        Ok(version)
    })
    .await?;
    Ok(Json(version).into_response())
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Lesson {
    #[serde(default = "converted")]
    label: String,
    /// Names of columns to leave out, with commas between them.
    #[serde(default)]
    drop: String,
}

fn converted() -> String {
    "converted".into()
}

/// `POST /v1/sites/{site}/intent/{head}/train?label=…` with the rows as body: CSV (`text/csv`), or
/// JSON Lines; without a body it learns from the site's own conversations, their reported outcomes
/// and their labels. Answers with the new version and the comparison; deploying is a call of its
/// own. One training at a time; it gives way to conversations, which is why it takes a minute or
/// two.
pub(super) async fn train(
    State(app): State<App>,
    headers: HeaderMap,
    Path((site, head)): Path<(String, Head)>,
    Query(lesson): Query<Lesson>,
    body: Body,
) -> Result<Response, ApiError> {
    let body = app.room.read(body, MAX_ROWS, "").await?;
    let Ok(turn) = app.training.clone().try_acquire_owned() else {
        let text = "another model is being trained; try again when it is done";
        return Err(ApiError::new(ErrorCode::Overloaded, text).retry(30_000));
    };
    let registry = app.intents.registry(&site, head);
    let (config, now_ms) = (app.intent.clone(), app.spine.clock.now_ms());
    let task: tokio::task::JoinHandle<anyhow::Result<round::Round>> = match head {
        Head::Purchase => {
            let (data, vectors) = rows(&app, &site, &headers, lesson, None, body).await?;
            tokio::task::spawn_blocking(move || {
                let _turn = turn;
                round::train_purchase(&registry, &config, &data, &vectors, now_ms, &mut |_, _| {})
            })
        }
        Head::Classes => {
            let examples = if body.is_empty() {
                labels::examples(&app.store, &site).await.map_err(|error| bad(&error))?
            } else {
                parsed(body, |rows| training::parse_examples(rows)).await?
            };
            let embedder = app.spine.retrieval.embedder.clone();
            let lessons = training::lessons(&embedder, &examples, &|_, _, _| {}).await;
            let (vectors, called) = lessons.map_err(|error| bad(&error))?;
            tokio::task::spawn_blocking(move || {
                let _turn = turn;
                round::train_classes(
                    &registry,
                    &config,
                    &examples,
                    &vectors,
                    &called,
                    now_ms,
                    &mut |_, _| {},
                )
            })
        }
    };
    let round = task.await.map_err(|_| failed())?.map_err(|error| bad(&error))?;
    Ok((StatusCode::CREATED, Json(json!({ "round": round }))).into_response())
}

/// Rows to learn from or to measure on: those of the body, or the site's own conversations.
async fn rows(
    app: &App,
    site: &str,
    headers: &HeaderMap,
    lesson: Lesson,
    like: Option<Vec<Column>>,
    body: Held,
) -> Result<(Data, Vectors), ApiError> {
    if body.is_empty() {
        let data = training::stored(&app.insight.book, site, like.as_deref())
            .await
            .map_err(|error| bad(&error))?;
        return Ok((data, Vectors::default()));
    }
    let csv = super::header_text(headers, header::CONTENT_TYPE)
        .is_some_and(|kind| kind.starts_with("text/csv"));
    let (data, lines) = parsed(body, move |rows| {
        let drop: Vec<String> = lesson
            .drop
            .split(',')
            .filter(|name| !name.is_empty())
            .map(|name| name.trim().to_owned())
            .collect();
        let data = training::parse(rows, !csv, &lesson.label, &drop, like.as_deref())?;
        let lines = columns::lines(&[&data.table]);
        Ok((data, lines))
    })
    .await?;
    let embedder = &app.spine.retrieval.embedder;
    let vectors =
        training::vectors_by(embedder, lines, &|_, _, _| {}).await.map_err(|error| bad(&error))?;
    Ok((data, vectors))
}

/// Reads rows off the async threads: 64 MiB of them take seconds.
async fn parsed<T: Send + 'static>(
    body: Held,
    parse: impl FnOnce(&[u8]) -> anyhow::Result<T> + Send + 'static,
) -> Result<T, ApiError> {
    let parsed = tokio::task::spawn_blocking(move || {
        let (rows, _room) = body.parts();
        parse(&rows)
    });
    parsed.await.map_err(|_| failed())?.map_err(|error| bad(&error))
}

/// Which version to measure; the deployed one, if it is left out.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Measured {
    version: Option<u32>,
    #[serde(default = "converted")]
    label: String,
}

/// `POST /v1/sites/{site}/intent/purchase/eval?label=…&version=…` with rows as for training, or
/// without a body over the site's own conversations that it did not learn from: how the deployed
/// model does on them, with drift and calibration.
pub(super) async fn evaluate(
    State(app): State<App>,
    headers: HeaderMap,
    Path(site): Path<String>,
    Query(Measured { version, label }): Query<Measured>,
    body: Body,
) -> Result<Response, ApiError> {
    let body = app.room.read(body, MAX_ROWS, "").await?;
    let lesson = Lesson { label, drop: String::new() };
    let deployed = match version {
        None => deployed(&app, &site)?,
        Some(version) => {
            let registry = app.intents.registry(&site, Head::Purchase);
            Arc::new(blocking(move || registry.version(version)).await?)
        }
    };
    let columns: Vec<Column> = deployed.model.columns().cloned().collect();
    let (data, vectors) = if body.is_empty() {
        let data = training::unseen(&app.insight.book, &site, &deployed.version, &columns).await;
        (data.map_err(|error| bad(&error))?, Vectors::default())
    } else {
        rows(&app, &site, &headers, lesson, Some(columns), body).await?
    };
    let config = app.intent.clone();
    let task = tokio::task::spawn_blocking(move || {
        round::evaluate(&config, &deployed.version, &deployed.model, &data, &vectors)
    });
    let evaluation = task.await.map_err(|_| failed())?.map_err(|error| bad(&error))?;
    Ok(Json(evaluation).into_response())
}

/// `GET /v1/sites/{site}/intent/purchase/watch`: how the deployed model does on conversations since
/// its training. The last regular look; `?now=true` looks again.
pub(super) async fn watch(
    State(app): State<App>,
    Path(site): Path<String>,
    Query(look): Query<Look>,
) -> Result<Response, ApiError> {
    deployed(&app, &site)?;
    if look.now || app.intents.watch(&site).is_none() {
        scorer::look(&app.scoring, &site).await.map_err(|error| bad(&error))?;
    }
    let watch = app.intents.watch(&site).ok_or_else(failed)?;
    Ok(Json(&*watch).into_response())
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Look {
    #[serde(default)]
    now: bool,
}

/// Body of a label: which message of the visitor, and what it is about; empty takes the label back.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Label {
    seq: u64,
    intent: String,
}

/// `POST /v1/sites/{site}/sessions/{session}/label` with `{"seq": 2, "intent": "refund"}`.
pub(super) async fn label(
    State(app): State<App>,
    Path((site, session)): Path<(String, String)>,
    Sent(wanted): Sent<Label>,
) -> Result<StatusCode, ApiError> {
    put_label(&app, &SessionKey { site, id: session }, &wanted, "admin").await
}

pub(super) async fn put_label(
    app: &App,
    key: &SessionKey,
    wanted: &Label,
    by: &str,
) -> Result<StatusCode, ApiError> {
    app.store.session(&key.site, &key.id).await?.ok_or_else(unknown_session)?;
    let noted =
        labels::put(&app.store, key, wanted.seq, &wanted.intent, by, app.spine.clock.now_ms())
            .await;
    noted.map(|()| StatusCode::NO_CONTENT).map_err(|error| match error {
        LabelError::Store(error) => error.into(),
        LabelError::NoMessage(_) => ApiError::new(ErrorCode::UnknownTurn, error.to_string()),
        LabelError::Name => ApiError::new(ErrorCode::BadMessage, error.to_string()),
    })
}

/// `GET /v1/sites/{site}/intent/classes/labels`: what people said that messages are about, the
/// oldest first; the rows that training without a body learns from.
pub(super) async fn labelled(
    State(app): State<App>,
    Path(site): Path<String>,
) -> Result<Response, ApiError> {
    let labels = labels::of_site(&app.store, &site).await?;
    Ok(Json(json!({ "labels": labels })).into_response())
}

/// What each of the visitor's messages is about: by the deployed classes, and as people said.
#[derive(Debug, Serialize)]
pub(super) struct Meant {
    seq: u64,
    /// The classes' guess; `None` for a message about none of them, or without deployed classes.
    guess: Option<String>,
    probability: Option<f32>,
    label: Option<String>,
}

/// The messages of a session with guesses and labels, and the names there are.
pub(super) async fn meant(
    app: &App,
    key: &SessionKey,
) -> Result<(Vec<String>, Vec<Meant>), ApiError> {
    let records = app.store.read(&key.site, &key.id, 0, &[RecordKind::Event]).await?;
    let said: Vec<(u64, String)> = records
        .iter()
        .filter_map(|record| match serde_json::from_slice(&record.body) {
            Ok(Event::Said { text, .. }) => Some((record.seq, text)),
            _ => None,
        })
        .collect();
    let labels = labels::of_session(&app.store, key).await?;
    let deployed = app.intents.classes(&key.site);
    let mut guesses = Vec::new();
    if let Some(deployed) = &deployed {
        let texts: Vec<String> = said.iter().map(|(_, text)| text.clone()).collect();
        let embedder = &app.spine.retrieval.embedder;
        let vectors =
            training::embed(embedder, &texts, &|_, _, _| {}).await.map_err(|error| bad(&error))?;
        let deployed = deployed.clone();
        let guessed = tokio::task::spawn_blocking(move || {
            let (texts, vectors): (Vec<&str>, Vec<&[f32]>) = texts
                .iter()
                .zip(&vectors)
                .map(|(text, vector)| (text.as_str(), vector.as_slice()))
                .unzip();
            deployed.model.guess(&texts, &vectors)
        });
        guesses = guessed.await.map_err(|_| failed())?.map_err(|error| bad(&error.into()))?;
    }
    let names = deployed.as_ref().map(|deployed| deployed.model.names.clone()).unwrap_or_default();
    let meant = said.iter().enumerate().map(|(at, (seq, _))| {
        let guess = guesses.get(at);
        Meant {
            seq: *seq,
            guess: guess
                .filter(|guess| guess.in_scope)
                .and_then(|guess| names.get(guess.class).cloned()),
            probability: guess.map(|guess| guess.probability),
            label: labels.iter().find(|label| label.seq == *seq).map(|label| label.intent.clone()),
        }
    });
    let meant = meant.collect();
    Ok((names, meant))
}

fn deployed(app: &App, site: &str) -> Result<Arc<Deployed<Model>>, ApiError> {
    let none = || bad(&RegistryError::NothingDeployed { head: Head::Purchase.name() }.into());
    app.intents.purchase(site).ok_or_else(none)
}

fn bad(error: &anyhow::Error) -> ApiError {
    ApiError::new(ErrorCode::BadMessage, format!("{error:#}"))
}

/// Runs file work off the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RegistryError> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => {
            let code = match &error {
                RegistryError::NoVersion { .. }
                | RegistryError::Refused { .. }
                | RegistryError::NothingBefore { .. }
                | RegistryError::NothingDeployed { .. } => ErrorCode::BadMessage,
                RegistryError::Io { .. }
                | RegistryError::Foreign { .. }
                | RegistryError::Changed { .. }
                | RegistryError::Manifest { .. } => {
                    tracing::error!(%error, "the registry of intent models failed");
                    ErrorCode::StorageFailed
                }
            };
            Err(ApiError::new(code, error.to_string()))
        }
        Err(_) => Err(failed()),
    }
}

fn failed() -> ApiError {
    ApiError::new(ErrorCode::AnswerFailed, "it crashed; see the log")
}
