//! Drafts of help articles from knowledge gaps: made, tried, published by a person, thrown away. On
//! the admin listener with an admin key, and below the console for agents.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::gaps::kept::Draft;
use crate::gaps::trial::{self, Trial};
use crate::gaps::{Gap, draft};
use crate::http::App;
use crate::http::agent::OfSite;
use crate::http::auth::Scope;
use crate::http::error::{ApiError, unknown_site};
use crate::http::extract::{Path, Sent};
use crate::http::knowledge::to_its_end;
use crate::http::routes::{Access, Table};
use crate::knowledge::{Change, Handed};
use crate::protocol::ErrorCode;
use crate::retrieval::ingest::UPLOAD_PREFIX;
use crate::site::Site;

/// Longest title and text of an article, in Unicode scalar values: a page of a help centre has
/// 2,000 to 10,000.
pub(super) const MAX_TITLE_CHARS: usize = 200;
pub(super) const MAX_TEXT_CHARS: usize = 40_000;
/// Who publishes with a key.
const BY_KEY: &str = "key";

pub(super) fn private() -> Table {
    const ADMIN: Access = Access::Site(Scope::Admin);
    Table::default()
        .get("/v1/sites/{site}/drafts", ADMIN, list)
        .get("/v1/sites/{site}/drafts/{id}", ADMIN, show)
        .post("/v1/sites/{site}/drafts/{id}", ADMIN, make)
        .delete("/v1/sites/{site}/drafts/{id}", ADMIN, discard)
        .post("/v1/sites/{site}/drafts/{id}/trial", ADMIN, attempt)
        .post("/v1/sites/{site}/drafts/{id}/publish", ADMIN, publish)
}

/// Below `/v1/console/sites/{site}`. An agent publishes with the gap's article.
pub(super) fn console() -> Table {
    Table::default()
        .get("/drafts", Access::Agent, list_for_agent)
        .get("/drafts/{id}", Access::Agent, show_to_agent)
        .post("/drafts/{id}", Access::Agent, make_for_agent)
        .delete("/drafts/{id}", Access::Agent, discard_for_agent)
        .post("/drafts/{id}/trial", Access::Agent, attempt_for_agent)
}

/// A draft with what follows from it.
#[derive(Debug, Serialize)]
struct View {
    #[serde(flatten)]
    draft: Draft,
    /// The sentences as an article.
    text: String,
    /// Sentences of the published article whose conversations were erased.
    review: Vec<String>,
}

/// An article as a person leaves it; what is left out is the draft's own.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Edited {
    title: Option<String>,
    text: Option<String>,
}

pub(super) fn unknown_gap() -> ApiError {
    ApiError::new(
        ErrorCode::NotFound,
        "there is no such knowledge gap any more; its conversations may have been erased",
    )
}

fn unknown_draft() -> ApiError {
    ApiError::new(
        ErrorCode::NotFound,
        "there is no draft for this gap; make one first, or its conversations were erased",
    )
}

/// The id under which a gap's article is handed in: writing it again replaces it.
pub(super) fn article_id(gap: &str) -> String {
    format!("gaps/{gap}.md")
}

async fn view(app: &App, site: &str, draft: Draft) -> Result<View, ApiError> {
    let review = match &draft.published {
        Some(published) if draft.orphans() > 0 => {
            let passages = app.spine.retrieval.index.passages(site, &published.document).await;
            let passages =
                passages.map_err(|error| failed("the article can't be read now", &error))?;
            let title = passages.first().map(|passage| passage.title.clone()).unwrap_or_default();
            let text: Vec<String> =
                std::iter::once(title).chain(passages.into_iter().map(|p| p.text)).collect();
            draft.for_review(&text.join("\n"))
        }
        _ => Vec::new(),
    };
    Ok(View { text: draft::text(&draft.sentences), draft, review })
}

fn failed(text: &str, error: &dyn std::fmt::Display) -> ApiError {
    tracing::error!(%error, "{text}");
    ApiError::new(ErrorCode::AnswerFailed, text).retry(2_000)
}

fn site_of(app: &App, site: &str) -> Result<Arc<Site>, ApiError> {
    app.site(site).ok_or_else(|| unknown_site(site))
}

/// `GET …/drafts`: the latest first.
async fn list(State(app): State<App>, Path(site): Path<String>) -> Result<Response, ApiError> {
    let mut drafts = Vec::new();
    for draft in app.gaps.drafts(&site).await? {
        drafts.push(view(&app, &site, draft).await?);
    }
    Ok(Json(json!({ "drafts": drafts })).into_response())
}

/// `GET …/drafts/{gap}`
async fn show(
    State(app): State<App>,
    Path((site, id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let draft = app.gaps.drafted(&site, &id).await?.ok_or_else(unknown_draft)?;
    Ok(Json(view(&app, &site, draft).await?).into_response())
}

/// `POST …/drafts/{gap}`: makes it anew from what the conversations hold now.
async fn make(
    State(app): State<App>,
    Path((site, id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let known = site_of(&app, &site)?;
    let made = app
        .gaps
        .make_draft(
            &app.spine.retrieval,
            &site,
            &known.language,
            &known.facts().contact,
            &id,
            app.spine.clock.now_ms(),
        )
        .await;
    let made = made.map_err(|error| failed("the draft can't be made now; try again", &error))?;
    Ok(Json(view(&app, &site, made.ok_or_else(unknown_gap)?).await?).into_response())
}

/// `DELETE …/drafts/{gap}`
async fn discard(
    State(app): State<App>,
    Path((site, id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    if app.gaps.kept.discard(&site, &id).await? {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(unknown_draft())
    }
}

/// The gap and its draft with what a person changed: title and text.
async fn edited(
    app: &App,
    site: &str,
    id: &str,
    edited: Edited,
) -> Result<(Gap, String, String), ApiError> {
    let gap = app.gaps.get(site, id).await?.ok_or_else(unknown_gap)?;
    let draft = app.gaps.drafted(site, id).await?.ok_or_else(unknown_draft)?;
    let title = edited.title.unwrap_or(draft.title).trim().to_owned();
    let text = edited.text.unwrap_or_else(|| draft::text(&draft.sentences)).trim().to_owned();
    sound(&title, &text)?;
    Ok((gap, title, text))
}

/// Checks an article's title and text.
///
/// # Errors
/// When one is empty, too long, or holds control characters.
pub(super) fn sound(title: &str, text: &str) -> Result<(), ApiError> {
    sized("the title", title, MAX_TITLE_CHARS)?;
    sized("the text", text, MAX_TEXT_CHARS)?;
    if title.contains(char::is_control)
        || text.contains(|char: char| char.is_control() && !matches!(char, '\n' | '\r' | '\t'))
    {
        return Err(ApiError::new(
            ErrorCode::BadMessage,
            "title and text have no control characters, and the title is one line",
        ));
    }
    Ok(())
}

fn sized(what: &str, text: &str, most: usize) -> Result<(), ApiError> {
    let chars = text.chars().count();
    if (1..=most).contains(&chars) {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorCode::BadMessage,
        format!("{what} has {chars} characters; write 1 to {most}"),
    ))
}

/// An article as it is handed in.
pub(super) fn article(title: &str, text: &str) -> String {
    format!("# {title}\n\n{text}\n")
}

/// `POST …/drafts/{gap}/trial`: asks the gap's questions, and others that were answered lately, as
/// if the article stood.
async fn attempt(
    State(app): State<App>,
    Path((site, id)): Path<(String, String)>,
    Sent(changed): Sent<Edited>,
) -> Result<Response, ApiError> {
    let (gap, title, text) = edited(&app, &site, &id, changed).await?;
    let trial = run_trial(&app, &site, &gap, &title, &text).await?;
    app.gaps.kept.tried(&site, &id, trial.clone()).await?;
    Ok(Json(trial).into_response())
}

async fn run_trial(
    app: &App,
    site: &str,
    gap: &Gap,
    title: &str,
    text: &str,
) -> Result<Trial, ApiError> {
    // One at a time: each holds a copy of the index.
    let _place = app.gaps.trying.try_acquire().map_err(|_| {
        ApiError::new(ErrorCode::Overloaded, "another draft is tried now; try again in a moment")
            .retry(5_000)
    })?;
    let known = site_of(app, site)?;
    let options = app.knowledge.options();
    let facts = known.facts();
    let min_confidence = app.gaps.config.min_confidence;
    let bench = trial::Bench {
        spine: &app.spine,
        gate: &app.gate,
        timeout: app.answer_timeout,
        options: &options,
        site,
        facts: &facts,
        language: &known.language,
        min_confidence,
    };
    let questions: Vec<String> = gap.examples.iter().map(|example| example.text.clone()).collect();
    let trial = async {
        let others = trial::answered_lately(&app.store, site, min_confidence).await?;
        bench.run(&article_id(&gap.id), &article(title, text), &questions, &others).await
    };
    trial
        .await
        .map_err(|error| failed("the draft can't be tried now; try again", &format!("{error:#}")))
}

/// `POST …/drafts/{gap}/publish`: hands the article in for visitors. An open gap closes once its
/// question is answered.
async fn publish(
    State(app): State<App>,
    Path((site, id)): Path<(String, String)>,
    Sent(changed): Sent<Edited>,
) -> Result<Response, ApiError> {
    let (_, title, text) = edited(&app, &site, &id, changed).await?;
    let document = hand_in(&app, &site, &id, &title, &text, "public").await?;
    note_published(&app, &site, &id, &document, (&title, &text), BY_KEY).await?;
    tracing::info!(site, gap = id, document, "a draft was published");
    Ok(Json(json!({ "document": document })).into_response())
}

/// Hands a gap's article in; gives its id in the knowledge.
///
/// # Errors
/// When the server drains, or the knowledge doesn't take it.
pub(super) async fn hand_in(
    app: &App,
    site: &str,
    gap: &str,
    title: &str,
    text: &str,
    audience: &str,
) -> Result<String, ApiError> {
    if app.tasks.is_draining() {
        return Err(ApiError::draining());
    }
    let about = [("title", title), ("audience", audience)];
    let handed = Handed {
        id: article_id(gap),
        content_type: "text/markdown".into(),
        about: about.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        content: article(title, text).into_bytes(),
    };
    let document = format!("{UPLOAD_PREFIX}{}", handed.id);
    let (knowledge, of_site) = (app.knowledge.clone(), site.to_owned());
    let taken = to_its_end(app, "article", async move { knowledge.put(&of_site, handed).await });
    let (change, status) = taken.await?;
    if change == Change::Rejected {
        let why = status
            .errors
            .first()
            .map_or_else(|| "nothing of it can be used".to_owned(), |error| error.reason.clone());
        return Err(ApiError::new(
            ErrorCode::BadMessage,
            format!("the article was not taken in: {why}"),
        ));
    }
    Ok(document)
}

/// Notes in a gap's draft, if there is one, which sentences of the article were said where.
///
/// # Errors
/// When the store fails.
pub(super) async fn note_published(
    app: &App,
    site: &str,
    gap: &str,
    document: &str,
    (title, text): (&str, &str),
    by: &str,
) -> Result<(), ApiError> {
    let now_ms = app.spine.clock.now_ms();
    Ok(app.gaps.kept.published(site, gap, document, &article(title, text), now_ms, by).await?)
}

async fn list_for_agent(
    state: State<App>,
    OfSite { site, .. }: OfSite,
) -> Result<Response, ApiError> {
    list(state, Path(site)).await
}

async fn show_to_agent(
    state: State<App>,
    OfSite { site, .. }: OfSite,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    show(state, Path((site, id))).await
}

async fn make_for_agent(
    state: State<App>,
    OfSite { who, site, .. }: OfSite,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    tracing::info!(agent = who.agent.id, site, gap = id, "a draft is made");
    make(state, Path((site, id))).await
}

async fn discard_for_agent(
    state: State<App>,
    OfSite { site, .. }: OfSite,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    discard(state, Path((site, id))).await
}

async fn attempt_for_agent(
    state: State<App>,
    OfSite { site, .. }: OfSite,
    Path((_, id)): Path<(String, String)>,
    changed: Sent<Edited>,
) -> Result<Response, ApiError> {
    attempt(state, Path((site, id)), changed).await
}
