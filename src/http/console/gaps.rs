//! Knowledge gaps for agents: what visitors asked and the documents don't answer, and the article
//! that is missing.
//!
//! An article goes the way of every document that is handed in. Then the gap's question is asked as
//! a visitor would ask it, so that the agent sees what visitors hear from now on, and a gap that is
//! answered closes.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::private;
use crate::actions::Actions;
use crate::gaps::{self, Gap};
use crate::http::App;
use crate::http::agent::OfSite;
use crate::http::drafts::{article_id, hand_in, note_published, sound, unknown_gap};
use crate::http::error::{ApiError, unknown_site};
use crate::http::extract::{Path, Query, Sent};
use crate::http::gaps::Listing;
use crate::http::knowledge::to_its_end;
use crate::http::routes::{Access, Table};
use crate::protocol::ErrorCode;
use crate::protocol::console::{Article, ArticleAudience, Tried};
use crate::retrieval::Audience;
use crate::telemetry::Metrics;
use crate::turn::Spine;

/// Gaps listed at once at most.
const MAX_LISTED: usize = 200;
/// Below `/v1/console/sites/{site}`.
pub(super) fn routes() -> Table {
    Table::default()
        .get("/gaps", Access::Agent, list)
        .post("/gaps/{id}/dismiss", Access::Agent, dismiss)
        .post("/gaps/{id}/reopen", Access::Agent, reopen)
        .post("/gaps/{id}/article", Access::Agent, publish)
        .delete("/gaps/{id}/article", Access::Agent, withdraw)
}

/// `GET …/gaps?state=open&limit=100`: the most asked first.
async fn list(
    State(app): State<App>,
    OfSite { site, .. }: OfSite,
    Query(Listing { state, limit }): Query<Listing>,
) -> Result<Response, ApiError> {
    let mut gaps = app.gaps.list(&site, state).await?;
    let total = gaps.len();
    gaps.truncate(limit.clamp(1, MAX_LISTED));
    Ok(private(Json(json!({ "enabled": app.gaps.config.enabled, "total": total, "gaps": gaps }))))
}

/// `POST …/gaps/{id}/dismiss`
async fn dismiss(
    State(app): State<App>,
    agent: OfSite,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    set(&app, &agent, &id, gaps::State::Dismissed).await
}

/// `POST …/gaps/{id}/reopen`
async fn reopen(
    State(app): State<App>,
    agent: OfSite,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    set(&app, &agent, &id, gaps::State::Open).await
}

async fn set(
    app: &App,
    OfSite { who, site, .. }: &OfSite,
    id: &str,
    state: gaps::State,
) -> Result<Response, ApiError> {
    let gap = app.gaps.set_state(site, id, state).await?.ok_or_else(unknown_gap)?;
    tracing::info!(agent = who.agent.id, site, gap = id, ?state, "a knowledge gap was changed");
    Ok(private(Json(gap)))
}

/// `POST …/gaps/{id}/article`: hands the article in, asks the question again, and closes the gap if
/// that answers it.
async fn publish(
    State(app): State<App>,
    OfSite { who, site, .. }: OfSite,
    Path((_, id)): Path<(String, String)>,
    Sent(Article { title, text, audience }): Sent<Article>,
) -> Result<Response, ApiError> {
    let (title, text) = (title.trim().to_owned(), text.trim().to_owned());
    sound(&title, &text)?;
    let gap = app.gaps.get(&site, &id).await?.ok_or_else(unknown_gap)?;
    let name = match audience {
        ArticleAudience::Public => "public",
        ArticleAudience::Agents => "agents",
    };
    let document = hand_in(&app, &site, &id, &title, &text, name).await?;
    note_published(&app, &site, &id, &document, (&title, &text), &who.agent.id).await?;
    tracing::info!(
        agent = who.agent.id,
        site,
        gap = id,
        document,
        audience = name,
        "an article was written for a knowledge gap"
    );
    let tried = ask(&app, &site, &gap, audience, &document).await?;
    Ok(private(Json(tried)))
}

/// What the question is answered with now, from all that may be shown to whom the article is for.
async fn ask(
    app: &App,
    site: &str,
    gap: &Gap,
    audience: ArticleAudience,
    document: &str,
) -> Result<Tried, ApiError> {
    let known = app.site(site).ok_or_else(|| unknown_site(site))?;
    let may_see = match audience {
        ArticleAudience::Public => Audience::Public,
        ArticleAudience::Agents => Audience::Agents,
    };
    let question = gaps::question(site, &known.facts(), &known.language, may_see, &gap.question);
    let ticket = app.gate.enter(site).map_err(|full| {
        let text = "the article is taken in, but every place for answers is taken; the gap closes by itself once the question was asked";
        ApiError::new(ErrorCode::Overloaded, text).retry(full.retry_after_ms)
    })?;
    // No visitor hears this answer: it must not show in what is measured of theirs.
    let mut spine =
        Spine { metrics: Metrics::new(), actions: Actions::default(), ..app.spine.clone() };
    spine.retrieval.metrics = spine.metrics.clone();
    let failed = || {
        let text = "the article is taken in, but the question could not be asked now; the gap closes by itself once it was";
        ApiError::new(ErrorCode::AnswerFailed, text).retry(2_000)
    };
    let asked =
        ticket.run(None, app.answer_timeout, async || gaps::attempt(&spine, &question).await).await;
    let (text, verdict) = asked.map_err(|error| {
        tracing::error!(%error, site, "a knowledge gap could not be asked again");
        failed()
    })?;
    let answer = app.gaps.answer(&verdict, app.spine.clock.now_ms());
    let answered = answer.is_some();
    let by_article = verdict.citations.iter().any(|citation| citation.document == document);
    // An article for agents answers no visitor.
    if let Some(answer) = answer.filter(|_| audience == ArticleAudience::Public) {
        if gap.state != gaps::State::Open {
            app.gaps.set_state(site, &gap.id, gaps::State::Open).await?;
        }
        app.gaps.close(site, &gap.id, answer).await?;
    }
    let gap = app.gaps.get(site, &gap.id).await?.ok_or_else(unknown_gap)?;
    Ok(Tried {
        document: document.to_owned(),
        closed: gap.state == gaps::State::Closed,
        answered,
        by_article,
        text,
        citations: verdict.citations.into_iter().map(Into::into).collect(),
        confidence: verdict.confidence,
    })
}

/// `DELETE …/gaps/{id}/article`: takes the article back and opens the gap again.
async fn withdraw(
    State(app): State<App>,
    OfSite { who, site, .. }: OfSite,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    app.gaps.get(&site, &id).await?.ok_or_else(unknown_gap)?;
    let (knowledge, of_site, article) = (app.knowledge.clone(), site.clone(), article_id(&id));
    let removed =
        to_its_end(&app, "removal", async move { knowledge.remove(&of_site, &article).await });
    if !removed.await? {
        return Err(ApiError::new(ErrorCode::NotFound, "no article was written for this gap"));
    }
    app.gaps.set_state(&site, &id, gaps::State::Open).await?;
    tracing::info!(
        agent = who.agent.id,
        site,
        gap = id,
        "an article of a knowledge gap was taken back"
    );
    Ok(StatusCode::NO_CONTENT.into_response())
}
