//! The console's edge: what agents may do, lists and settings over HTTP. What is live goes over
//! `socket`.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::agents::{AgentError, ChosenBy, SignedIn, SiteChange};
use crate::canned::{self, CannedError};
use crate::conversation::{Event, MAX_ID_BYTES, SessionKey};
use crate::history;
use crate::http::App;
use crate::http::agent::{AdminOf, OfSite, role};
use crate::http::auth::Scope;
use crate::http::error::{ApiError, unknown_session};
use crate::http::extract::{Path, Query, Sent};
use crate::http::routes::{Access, Table};
use crate::http::socket::checked;
use crate::protocol::ErrorCode;
use crate::protocol::console::{
    Account, Action, Canned, Conversation, Filter, Found, List, MAX_LABEL_CHARS, MAX_PAGE,
    NewAccount, NewPassword, PassageView, Passages, Role, Statistics, VisitorView,
};
use crate::retrieval::{Audience, Query as Search};
use crate::session::mailbox::Past;
use crate::session::{AgentCommand, Command};

mod account;
mod convert;
mod gaps;
mod insight;
pub(super) mod oidc;
mod socket;

/// Passages shown behind an answer.
const PASSAGES: usize = 8;
/// Other conversations shown of a visitor.
const MAX_OTHERS: usize = 20;
/// Longest search text, in Unicode scalar values.
const MAX_SEARCH_CHARS: usize = 200;

/// Something an agent has read.
#[derive(Clone, Debug)]
pub struct ReadMark {
    key: SessionKey,
    agent: String,
    seq: u64,
}

/// Where the issuer of `[oidc]` sends browsers back to.
pub use oidc::CALLBACK as OIDC_CALLBACK;

/// What agents reach on the public listener.
pub(super) fn routes() -> Table {
    use Access::{Agent, Anyone, SignedIn, SiteAdmin};
    let site = Table::default()
        .get("/sessions", Agent, sessions)
        .get("/sessions/{session}", Agent, conversation)
        .delete("/sessions/{session}", SiteAdmin, erase)
        .get("/sessions/{session}/passages", Agent, passages)
        .get("/sessions/{session}/visitor", Agent, visitor)
        .post("/sessions/{session}/actions", Agent, act)
        .get("/sessions/{session}/classes", Agent, classes)
        .post("/sessions/{session}/label", Agent, label_message)
        .get("/search", Agent, search)
        .get("/statistics", Agent, statistics)
        .get("/canned", Agent, list_canned)
        .put("/canned", Agent, put_canned)
        .delete("/canned/{id}", Agent, remove_canned)
        .get("/agents", Agent, list_agents)
        .post("/agents", SiteAdmin, add_agent)
        .put("/agents/{id}", SiteAdmin, change_agent)
        .delete("/agents/{id}", SiteAdmin, remove_agent)
        .merge(super::channels::console())
        .merge(super::knowledge::console())
        .merge(gaps::routes())
        .merge(crate::http::drafts::console())
        .merge(insight::routes());
    Table::default()
        .get("/v1/console", SignedIn, socket::upgrade)
        .merge(account::routes())
        .merge(oidc::routes())
        .get("/v1/protocol/console.json", Anyone, schema)
        .nest("/v1/console/sites/{site}", site)
}

/// What operators reach: accounts, for `frontdesk agent`. An account may have roles on any site, so
/// it takes a key for all.
pub(super) fn private_routes() -> Table {
    const SERVER: Access = Access::Server(Scope::Admin);
    Table::default()
        .get("/v1/agents", SERVER, admin_list)
        .post("/v1/agents", SERVER, admin_add)
        .delete("/v1/agents/{login}", SERVER, admin_remove)
        .put("/v1/agents/{login}/password", SERVER, admin_password)
        .delete("/v1/agents/{login}/second-factor", SERVER, admin_reset_second_factor)
        .delete("/v1/agents/{login}/oidc", SERVER, admin_unlink)
        .delete("/v1/agents/{login}/sign-ins", SERVER, admin_end_sign_ins)
}

fn key(site: &str, session: &str) -> Result<SessionKey, ApiError> {
    SessionKey::named(site, session).ok_or_else(unknown_session)
}

fn label(what: &str, text: &str) -> Result<(), ApiError> {
    if text.trim().is_empty() || text.chars().count() > MAX_LABEL_CHARS {
        return Err(ApiError::new(
            ErrorCode::BadMessage,
            format!("{what} has 1 to {MAX_LABEL_CHARS} characters"),
        ));
    }
    Ok(())
}

/// Never to be kept by anybody on the way.
fn private(response: impl IntoResponse) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], response).into_response()
}

/// `GET /v1/protocol/console.json`.
async fn schema() -> Response {
    Json(crate::protocol::console::json_schema()).into_response()
}

/// The query of `GET …/sessions`.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Listing {
    list: List,
    #[serde(default)]
    offset: usize,
    #[serde(default = "fifty")]
    limit: usize,
    text: Option<String>,
    channel: Option<String>,
    agent: Option<String>,
    min_intent: Option<f32>,
    #[serde(default)]
    unanswered: bool,
}

fn fifty() -> usize {
    50
}

async fn sessions(
    State(app): State<App>,
    OfSite { who, site, .. }: OfSite,
    Query(Listing { list, offset, limit, text, channel, agent, min_intent, unanswered }): Query<
        Listing,
    >,
) -> Result<Response, ApiError> {
    let filter = Filter { text, channel, agent, min_intent, unanswered };
    let board = app.registry.board();
    let (sessions, total, counts, rev) =
        board.list(&site, &who.agent.id, list, &filter, offset, limit.clamp(1, MAX_PAGE));
    Ok(private(Json(json!({ "sessions": sessions, "total": total, "counts": counts, "rev": rev }))))
}

async fn conversation(
    State(app): State<App>,
    OfSite { site, .. }: OfSite,
    Path((_, session)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let joined = app.registry.agents_handle(key(&site, &session)?).join_whole(0, None).await?;
    let entries = joined.missed.into_iter().filter_map(convert::entry).collect();
    let reasons = convert::reasons(&joined.intent);
    Ok(private(Json(Conversation { session: joined.summary, entries, reasons })))
}

async fn erase(
    State(app): State<App>,
    AdminOf { who, site }: AdminOf,
    Path((_, session)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let key = key(&site, &session)?;
    if app.store.session(&key.site, &key.id).await?.is_none() {
        return Err(unknown_session());
    }
    app.channels.forget(&key).await?;
    app.registry.erase(&key).await?;
    tracing::info!(agent = who.agent.id, session = key.id, "a conversation was erased");
    Ok(StatusCode::NO_CONTENT)
}

/// `GET …/sessions/{session}/visitor`.
async fn visitor(
    State(app): State<App>,
    OfSite { site, .. }: OfSite,
    Path((_, session)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let key = key(&site, &session)?;
    let joined = app.registry.agents_handle(key.clone()).join(u64::MAX, None).await?;
    let visitor = joined.summary.visitor;
    // Without signals nothing more is known.
    let state = app.insight.book.session(&key).await?.map(|entry| entry.state).unwrap_or_default();
    let mut conversations = app.registry.board().of_visitor(&site, &visitor, MAX_OTHERS + 1);
    conversations.retain(|other| other.session != session);
    conversations.truncate(MAX_OTHERS);
    let (language, known, source, attributes) =
        (state.language, state.known, state.source, state.attributes);
    let source = source.map(Into::into);
    let attributes = attributes.into_iter().map(|(name, value)| (name, value.into())).collect();
    Ok(private(Json(VisitorView { visitor, language, known, source, attributes, conversations })))
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Turn {
    turn: u64,
}

async fn passages(
    State(app): State<App>,
    OfSite { site, .. }: OfSite,
    Path((_, session)): Path<(String, String)>,
    Query(Turn { turn }): Query<Turn>,
) -> Result<Response, ApiError> {
    let joined = app.registry.agents_handle(key(&site, &session)?).join_whole(0, None).await?;
    let (mut history, mut question, mut cited) = (Vec::new(), None, Vec::new());
    for Past { seq, event, .. } in joined.missed {
        match event {
            Event::Said { text, .. } if seq < turn => history.push(text),
            Event::Said { text, .. } if seq == turn => question = Some(text),
            Event::AnswerDone { turn: of, citations, .. } if of == turn => cited.extend(citations),
            Event::SuggestionMade { id, citations, .. } if id.turn == turn => {
                cited.extend(citations)
            }
            _ => {}
        }
    }
    // What only came close is named beside an answer, not cited by it.
    cited.retain(|citation| !citation.related);
    let Some(question) = question else {
        return Err(ApiError::new(
            ErrorCode::UnknownTurn,
            format!("no message of the visitor has seq {turn}"),
        ));
    };
    let search = Search {
        site,
        text: question.clone(),
        history,
        audience: Audience::Agents,
        language: String::new(),
        languages: Vec::new(),
        now_ms: app.spine.clock.now_ms(),
        limit: PASSAGES,
    };
    let hits = app.spine.retrieval.search(&search).await.map_err(|error| {
        tracing::error!(%error, "a search for the console failed");
        ApiError::new(
            ErrorCode::AnswerFailed,
            "the knowledge can't be searched now; try again soon",
        )
        .retry(2_000)
    })?;
    let passages = hits.into_iter().map(|hit| {
        let passage = hit.passage;
        let (document, start, end) = (&passage.document, passage.start, passage.end);
        let is_cited =
            cited.iter().any(|c| c.document == *document && c.start < end && start < c.end);
        PassageView {
            document: passage.document,
            title: passage.title,
            headings: passage.headings,
            text: passage.text,
            url: passage.url,
            agents_only: passage.audience == Audience::Agents,
            cosine: hit.cosine,
            cited: is_cited,
        }
    });
    Ok(private(Json(Passages { turn, question, passages: passages.collect() })))
}

/// `GET …/sessions/{session}/classes`: what the visitor's messages are about, by the deployed
/// classes and by people's labels.
async fn classes(
    State(app): State<App>,
    OfSite { site, .. }: OfSite,
    Path((_, session)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let key = key(&site, &session)?;
    if app.store.session(&key.site, &key.id).await?.is_none() {
        return Err(unknown_session());
    }
    let (names, messages) = super::intent::meant(&app, &key).await?;
    Ok(private(Json(json!({ "names": names, "messages": messages }))))
}

/// `POST …/sessions/{session}/label` with `{"seq": 2, "intent": "refund"}`: an agent says, or
/// corrects, what a message is about.
async fn label_message(
    State(app): State<App>,
    OfSite { who, site, .. }: OfSite,
    Path((_, session)): Path<(String, String)>,
    Sent(wanted): Sent<super::intent::Label>,
) -> Result<StatusCode, ApiError> {
    super::intent::put_label(&app, &key(&site, &session)?, &wanted, &who.agent.id).await
}

/// Body of `POST …/actions`.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Act {
    id: String,
    action: Action,
}

async fn act(
    State(app): State<App>,
    OfSite { who, site, .. }: OfSite,
    Path((_, session)): Path<(String, String)>,
    Sent(Act { id, action }): Sent<Act>,
) -> Result<Response, ApiError> {
    let command = command(&app, &who, &site, id, action)?;
    let accepted = app.registry.agents_handle(key(&site, &session)?).command(command).await?;
    Ok(private(Json(json!({ "seq": accepted.seq }))))
}

/// What an agent wants, as the session understands it.
fn command(
    app: &App,
    who: &SignedIn,
    site: &str,
    id: String,
    action: Action,
) -> Result<Command, ApiError> {
    let role = role(who, site)?;
    let agent = who.agent.clone();
    if id.is_empty() || id.len() > MAX_ID_BYTES {
        return Err(ApiError::new(
            ErrorCode::BadMessage,
            format!("an id has 1 to {MAX_ID_BYTES} bytes"),
        ));
    }
    Ok(Command::Agent(match action {
        Action::Take {} => AgentCommand::Take { agent, by: None },
        Action::GiveBack { to } => AgentCommand::GiveBack { agent, to: to.into() },
        Action::Assign { agent: to } => {
            let to = app.agents.colleague(site, &to).ok_or_else(unknown_agent)?;
            AgentCommand::Assign { by: agent, to, force: role == Role::Admin }
        }
        Action::Send { text, suggestion } => {
            checked(&id, &text)?;
            AgentCommand::Say { id, agent, text, suggestion: suggestion.map(Into::into) }
        }
        Action::Note { text } => {
            checked(&id, &text)?;
            AgentCommand::Note { id, agent, text }
        }
        Action::Suggest { wish, language } => {
            if language.as_ref().is_some_and(|code| {
                code.len() != 2 || !code.bytes().all(|b| b.is_ascii_lowercase())
            }) {
                return Err(ApiError::new(
                    ErrorCode::BadMessage,
                    "a language is two letters, as ISO 639-1 has them",
                ));
            }
            AgentCommand::Suggest { wish: wish.into(), language }
        }
        Action::Reject { suggestion, reason } => {
            label("a reason", &reason)?;
            AgentCommand::Reject { agent, suggestion: suggestion.into(), reason }
        }
        Action::CallPerson {} => {
            AgentCommand::CallPerson { reason: crate::conversation::HandoffReason::Agent }
        }
        Action::End {} => AgentCommand::End { agent },
    }))
}

fn unknown_agent() -> ApiError {
    ApiError::new(ErrorCode::UnknownAgent, "no agent of this site has that id")
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Searching {
    q: String,
    after: Option<String>,
    #[serde(default = "twenty")]
    limit: usize,
}

fn twenty() -> usize {
    20
}

async fn search(
    State(app): State<App>,
    OfSite { site, .. }: OfSite,
    Query(Searching { q, after, limit }): Query<Searching>,
) -> Result<Response, ApiError> {
    if q.trim().is_empty() || q.chars().count() > MAX_SEARCH_CHARS {
        let text = format!("q has 1 to {MAX_SEARCH_CHARS} characters");
        return Err(ApiError::new(ErrorCode::BadMessage, text));
    }
    let after = after.filter(|after| !after.is_empty());
    let found: Found =
        history::search(&app.store, &site, &q, after.as_deref(), limit.clamp(1, 100)).await?;
    Ok(private(Json(found)))
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Days {
    #[serde(default = "thirty")]
    days: u64,
}

fn thirty() -> u64 {
    30
}

async fn statistics(
    State(app): State<App>,
    OfSite { site, .. }: OfSite,
    Query(Days { days }): Query<Days>,
) -> Result<Response, ApiError> {
    let since_ms = app.spine.clock.now_ms().saturating_sub(days.clamp(1, 366) * 86_400_000);
    let report: Statistics = history::statistics(&app.store, &site, since_ms).await?;
    Ok(private(Json(report)))
}

async fn list_canned(
    State(app): State<App>,
    OfSite { site, .. }: OfSite,
) -> Result<Response, ApiError> {
    Ok(private(Json(json!({ "canned": canned::list(&app.store, &site).await? }))))
}

async fn put_canned(
    State(app): State<App>,
    OfSite { site, .. }: OfSite,
    Sent(reply): Sent<Canned>,
) -> Result<Response, ApiError> {
    Ok(private(Json(canned::put(&app.store, &site, reply).await?)))
}

async fn remove_canned(
    State(app): State<App>,
    OfSite { site, .. }: OfSite,
    Path((_, id)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    canned::remove(&app.store, &site, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Answer of `GET …/agents`.
#[derive(Serialize)]
struct Staff {
    presence: Vec<crate::protocol::console::Presence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accounts: Option<Vec<Account>>,
}

async fn list_agents(
    State(app): State<App>,
    OfSite { site, role, .. }: OfSite,
) -> Result<Response, ApiError> {
    let accounts = (role == Role::Admin).then(|| app.agents.accounts_of(&site));
    Ok(private(Json(Staff { presence: app.registry.board().presence(&site), accounts })))
}

async fn add_agent(
    State(app): State<App>,
    AdminOf { who, site }: AdminOf,
    Sent(new): Sent<NewAccount>,
) -> Result<Response, ApiError> {
    if new.roles.keys().any(|of| *of != site) {
        return Err(ApiError::new(
            ErrorCode::Forbidden,
            "an admin gives roles on the own site alone",
        ));
    }
    // Logins are the whole server's: who may try any number finds out which ones other sites have.
    Ok(private((StatusCode::CREATED, Json(app.agents.add_by(&who.agent.id, new).await?))))
}

/// Body of `PUT …/agents/{id}`.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AgentChange {
    role: Option<Role>,
    limit: Option<usize>,
    name: Option<String>,
}

async fn change_agent(
    State(app): State<App>,
    AdminOf { who, site }: AdminOf,
    Path((_, id)): Path<(String, String)>,
    Sent(AgentChange { role, limit, name }): Sent<AgentChange>,
) -> Result<Response, ApiError> {
    let account =
        app.agents.change(&id, &site, SiteChange { role, limit, name }, &who.roles).await?;
    Ok(private(Json(account)))
}

async fn remove_agent(
    State(app): State<App>,
    AdminOf { who, site }: AdminOf,
    Path((_, id)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    app.agents.remove(&id, Some(&site)).await?;
    tracing::info!(agent = who.agent.id, removed = id, site, "an agent was removed from a site");
    Ok(StatusCode::NO_CONTENT)
}

async fn admin_list(State(app): State<App>) -> Result<Response, ApiError> {
    Ok(private(Json(json!({ "accounts": app.agents.accounts() }))))
}

async fn admin_add(
    State(app): State<App>,
    Sent(new): Sent<NewAccount>,
) -> Result<Response, ApiError> {
    let account = app.agents.add(new).await?;
    Ok(private((StatusCode::CREATED, Json(account))))
}

async fn admin_remove(
    State(app): State<App>,
    Path(login): Path<String>,
) -> Result<StatusCode, ApiError> {
    let id = app.agents.id_of(&login).ok_or(AgentError::Unknown)?;
    app.agents.remove(&id, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn admin_password(
    State(app): State<App>,
    Path(login): Path<String>,
    Sent(new): Sent<NewPassword>,
) -> Result<StatusCode, ApiError> {
    let id = app.agents.id_of(&login).ok_or(AgentError::Unknown)?;
    let by = ChosenBy::Operator { temporary: new.temporary };
    app.agents.set_password(&id, by, new.password, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn admin_reset_second_factor(
    State(app): State<App>,
    Path(login): Path<String>,
) -> Result<StatusCode, ApiError> {
    let id = app.agents.id_of(&login).ok_or(AgentError::Unknown)?;
    app.agents.reset_second_factor(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn admin_unlink(
    State(app): State<App>,
    Path(login): Path<String>,
) -> Result<StatusCode, ApiError> {
    let id = app.agents.id_of(&login).ok_or(AgentError::Unknown)?;
    app.agents.unlink(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn admin_end_sign_ins(
    State(app): State<App>,
    Path(login): Path<String>,
) -> Result<StatusCode, ApiError> {
    let id = app.agents.id_of(&login).ok_or(AgentError::Unknown)?;
    app.agents.end_sign_ins(&id, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<CannedError> for ApiError {
    fn from(error: CannedError) -> Self {
        let message = error.to_string();
        match error {
            CannedError::Invalid(_) => Self::new(ErrorCode::BadMessage, message),
            CannedError::Taken(_) => Self::new(ErrorCode::Conflict, message),
            CannedError::Unknown => Self::new(ErrorCode::NotFound, message),
            CannedError::Store(error) => error.into(),
        }
    }
}
