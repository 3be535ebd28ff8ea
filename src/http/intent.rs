//! The models of what visitors want, over the admin API: what there is, train, deploy, roll back; and a session's score.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::http::App;
use crate::http::admin::allowed;
use crate::http::auth::Scope;
use crate::http::error::ApiError;
use crate::intent::data::{self, Data};
use crate::intent::registry::{Head, RegistryError, Version};
use crate::intent::round;
use crate::intent::table::{Column, Conversation, Said, Table};
use crate::intent::{self, Intent, columns};
use crate::protocol::ErrorCode;
use crate::session::Event;
use crate::signals::Signal;

/// Largest body of rows to train on.
pub(super) const MAX_ROWS: usize = 64 * 1024 * 1024;
/// Reasons shown for a score.
const REASONS: usize = 8;

/// A session's state of intent.
#[derive(Debug, Serialize)]
pub(super) struct Score {
    /// The transparent sum and its reasons; what is shown while no model is deployed.
    #[serde(flatten)]
    sum: Intent,
    /// What the deployed model says.
    model: Option<ModelScore>,
    /// What the visitor's last message is about.
    class: Option<ClassScore>,
}

#[derive(Debug, Serialize)]
struct ModelScore {
    version: u32,
    /// Calibrated probability of a purchase.
    probability: f32,
    /// What moved it, in log-odds against an average visitor, strongest first.
    reasons: Vec<intent::train::Moved>,
}

#[derive(Debug, Serialize)]
struct ClassScore {
    version: u32,
    /// `None` for a message about none of the classes.
    name: Option<String>,
    probability: f32,
}

/// The score of a session as it stands, by the deployed models. One that can't score is logged and left out: the sum remains.
pub(super) async fn score(app: &App, site: &str, events: &[Event], signals: &[Signal]) -> Score {
    let conversation = conversation(events);
    let model = match model_score(app, site, &conversation).await {
        Ok(model) => model,
        Err(error) => {
            tracing::warn!(site, %error, "the purchase model could not score a session");
            None
        }
    };
    let class = match class_score(app, site, &conversation).await {
        Ok(class) => class,
        Err(error) => {
            tracing::warn!(site, %error, "the intent classes could not judge a message");
            None
        }
    };
    Score { sum: intent::score(signals), model, class }
}

async fn model_score(app: &App, site: &str, conversation: &Conversation) -> anyhow::Result<Option<ModelScore>> {
    let Some(deployed) = app.intents.purchase(site) else { return Ok(None) };
    let known: Vec<Column> = deployed.model.columns().cloned().collect();
    let table = Table::of_conversations(std::slice::from_ref(conversation), None, Some(&known));
    let lines = columns::lines(&[&table]);
    let vectors = data::vectors_by(&app.spine.retrieval.embedder, lines, &|_, _, _| {}).await?;
    let probability = deployed.model.predict(&table, &vectors)?.first().copied().unwrap_or_default();
    let mut reasons = deployed.model.explain(&table, &vectors)?;
    reasons.truncate(REASONS);
    Ok(Some(ModelScore { version: deployed.version.version, probability, reasons }))
}

async fn class_score(app: &App, site: &str, conversation: &Conversation) -> anyhow::Result<Option<ClassScore>> {
    let Some(deployed) = app.intents.classes(site) else { return Ok(None) };
    let Some(last) = conversation.turns.iter().rev().find(|said| said.role == "visitor") else { return Ok(None) };
    let vector = app.spine.retrieval.embedder.embed_query(last.text.clone()).await?;
    let guesses = deployed.model.guess(&[&last.text], &[&vector])?;
    Ok(guesses.first().map(|guess| ClassScore {
        version: deployed.version.version,
        name: guess.in_scope.then(|| deployed.model.names.get(guess.class).cloned()).flatten(),
        probability: guess.probability,
    }))
}

/// The conversation as training sees it.
fn conversation(events: &[Event]) -> Conversation {
    let said = events.iter().filter_map(|event| match event {
        Event::Said { text, .. } => Some(Said { role: "visitor".into(), text: text.clone() }),
        Event::AnswerDone { text, .. } => Some(Said { role: "agent".into(), text: text.clone() }),
        _ => None,
    });
    Conversation { turns: said.collect(), attributes: std::collections::BTreeMap::new(), label: false, at_ms: None }
}

/// `GET /v1/sites/{site}/intent/{head}`: versions, and which one is deployed.
pub(super) async fn list(
    State(app): State<App>,
    headers: HeaderMap,
    Path((site, head)): Path<(String, Head)>,
) -> Result<Response, ApiError> {
    allowed(&app, &headers, Scope::Admin, Some(&site))?;
    let registry = app.intents.registry(&site, head);
    let manifest = blocking(move || registry.manifest()).await?;
    Ok(Json(manifest).into_response())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    version: u32,
    /// Also a version that did worse than the deployed one.
    #[serde(default)]
    force: bool,
}

/// `POST /v1/sites/{site}/intent/{head}/deploy` with `{"version": 3}`: takes a version in use, without a dropped session.
pub(super) async fn deploy(
    State(app): State<App>,
    headers: HeaderMap,
    Path((site, head)): Path<(String, Head)>,
    Json(wanted): Json<Wanted>,
) -> Result<Response, ApiError> {
    allowed(&app, &headers, Scope::Admin, Some(&site))?;
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
    headers: HeaderMap,
    Path((site, head)): Path<(String, Head)>,
) -> Result<Response, ApiError> {
    allowed(&app, &headers, Scope::Admin, Some(&site))?;
    let (registry, live) = (app.intents.registry(&site, head), app.intents.clone());
    let version: Version = blocking(move || {
        let version = registry.roll_back()?;
        live.refresh(&site)?;
        Ok(version)
    })
    .await?;
    Ok(Json(version).into_response())
}

#[derive(Debug, Deserialize)]
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

/// `POST /v1/sites/{site}/intent/{head}/train?label=…` with the rows as body: CSV (`text/csv`), or JSON Lines. Answers with the new version and
/// the comparison; deploying is a call of its own. One training at a time; it gives way to conversations, which is why it takes a minute or two.
pub(super) async fn train(
    State(app): State<App>,
    headers: HeaderMap,
    Path((site, head)): Path<(String, Head)>,
    Query(lesson): Query<Lesson>,
    body: Bytes,
) -> Result<Response, ApiError> {
    allowed(&app, &headers, Scope::Admin, Some(&site))?;
    let Ok(turn) = app.training.clone().try_acquire_owned() else {
        let text = "another model is being trained; try again when it is done";
        return Err(ApiError::new(ErrorCode::Overloaded, text).retry(30_000));
    };
    let bad = |error: anyhow::Error| ApiError::new(ErrorCode::BadMessage, format!("{error:#}"));
    let csv = super::header_text(&headers, header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/csv"));
    let registry = app.intents.registry(&site, head);
    let (config, now_ms) = (app.intent.clone(), app.spine.clock.now_ms());
    let embedder = app.spine.retrieval.embedder.clone();
    let task: tokio::task::JoinHandle<anyhow::Result<round::Round>> = match head {
        Head::Purchase => {
            let drop: Vec<String> =
                lesson.drop.split(',').filter(|name| !name.is_empty()).map(|name| name.trim().to_owned()).collect();
            let data = Data::parse(&body[..], !csv, &lesson.label, &drop, None).map_err(|error| bad(error.into()))?;
            let lines = columns::lines(&[&data.table]);
            let vectors = data::vectors_by(&embedder, lines, &|_, _, _| {}).await.map_err(bad)?;
            tokio::task::spawn_blocking(move || {
                let _turn = turn;
                round::train_purchase(&registry, &config, &data, &vectors, now_ms, &mut |_, _| {})
            })
        }
        Head::Classes => {
            let examples = data::parse_examples(&body[..]).map_err(bad)?;
            let texts: Vec<String> = examples.iter().map(|example| example.text.clone()).collect();
            let vectors = data::embed(&embedder, &texts, &|_, _, _| {}).await.map_err(bad)?;
            tokio::task::spawn_blocking(move || {
                let _turn = turn;
                round::train_classes(&registry, &config, &examples, &vectors, now_ms, &mut |_, _| {})
            })
        }
    };
    let round = task.await.map_err(|_| failed())?.map_err(bad)?;
    Ok((StatusCode::CREATED, Json(json!({ "round": round }))).into_response())
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
