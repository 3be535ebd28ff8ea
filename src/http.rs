//! The edge: axum, and what goes in and out over it. Session logic never sees a type of this
//! module's wire formats.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::agents::Agents;
use crate::agents::oidc::Oidc;
use crate::audit::Audit;
use crate::channels::Channels;
use crate::gaps::Gaps;
use crate::http::address::Proxies;
use crate::http::auth::{Keys, Scope, Visitors};
use crate::http::body::Room;
use crate::http::console::ReadMark;
use crate::http::error::ApiError;
use crate::http::limits::ServerConfig;
use crate::http::places::Places;
use crate::http::routes::{Access, Route, Table};
use crate::insight::Insight;
use crate::intent::registry::{IntentConfig, Live};
use crate::keyring::Keyring;
use crate::knowledge::Knowledge;
use crate::lifecycle::Tasks;
use crate::outcomes::Outcomes;
use crate::protocol::ErrorCode;
use crate::session::desk::ConsoleConfig;
use crate::session::registry::Registry;
use crate::signals::SignalLog;
use crate::site::{self, Site};
use crate::store::Store;
use crate::telemetry::Metrics;
use crate::turn::Spine;
use crate::turn::gate::TurnGate;

pub mod address;
pub mod admin;
mod agent;
pub mod assets;
mod audit;
pub mod auth;
pub mod backup;
pub mod body;
mod channels;
pub mod chat;
pub mod console;
pub mod console_page;
mod deeds;
pub mod demand;
mod drafts;
pub mod error;
mod extract;
pub mod gaps;
pub mod insight;
pub mod intent;
mod jwt;
mod keys;
pub mod knowledge;
pub mod limits;
pub mod listener;
pub mod openai;
pub mod openapi;
pub mod page;
pub mod places;
pub mod routes;
mod socket;
pub mod stream;
pub mod visitors;
pub mod widget;

/// Largest request body of the public listener.
const MAX_BODY: usize = 256 * 1024;

/// What the handlers share. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// See [`App`].
pub struct Inner {
    pub channels: Channels,
    pub config: ServerConfig,
    pub proxies: Proxies,
    pub registry: Registry,
    pub spine: Spine,
    pub knowledge: Knowledge,
    pub gaps: Gaps,
    pub gate: TurnGate,
    pub store: Store,
    pub signals: SignalLog,
    pub insight: Insight,
    pub outcomes: Outcomes,
    pub visitors: Visitors,
    pub agents: Agents,
    /// Signing in at an issuer, where one is configured.
    pub oidc: Option<Oidc>,
    pub audit: Audit,
    pub console: ConsoleConfig,
    /// The zero of the server's monotonic clock.
    pub started: std::time::Instant,
    /// What agents read, for their other consoles.
    pub reads: tokio::sync::broadcast::Sender<ReadMark>,
    pub keys: Keys,
    /// The server's own keys.
    pub keyring: Keyring,
    pub sites: Sites,
    /// To who reads the configuration anew; nobody, where there is no file.
    pub reload: OnceLock<mpsc::Sender<Reload>>,
    /// Origins under which this server serves its own page.
    pub own_origins: Vec<String>,
    pub metrics: Metrics,
    pub tasks: Tasks,
    /// For bodies of documents and rows.
    pub room: Room,
    pub sockets: Arc<Semaphore>,
    /// Connections of each visitor.
    pub places: Places,
    pub answer_timeout: std::time::Duration,
    /// One export of the store at a time.
    pub exporting: Arc<Semaphore>,
    /// Places for requests that embed or judge texts for programs.
    pub texts: Semaphore,
    /// Conversations of programs that go on by a response's id.
    pub responses: openai::Remembered,
    /// The deployed models of what visitors want.
    pub intents: Live,
    pub intent: IntentConfig,
    /// What looking at a deployed model needs.
    pub scoring: crate::insight::scorer::Parts,
    /// One training at a time: it takes the processors that conversations need.
    pub training: Arc<Semaphore>,
}

/// The sites as they are now: what a reload may change of them is changed in place of them all.
#[derive(Debug)]
pub struct Sites(RwLock<Arc<[Arc<Site>]>>);

impl Sites {
    #[must_use]
    pub fn new(sites: &[Arc<Site>]) -> Self {
        Self(RwLock::new(sites.into()))
    }

    #[must_use]
    pub fn now(&self) -> Arc<[Arc<Site>]> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn replace(&self, sites: Vec<Arc<Site>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = sites.into();
    }
}

/// Wants the configuration read anew; answered with what came of it, or what is wrong with the
/// file.
pub type Reload = oneshot::Sender<Result<Reloaded, String>>;

/// What came of reading the configuration anew: names of options, as `auth.keys`, never values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct Reloaded {
    /// Changed, and in use from now on.
    pub taken: Vec<String>,
    /// Changed, and in use after a restart.
    pub after_restart: Vec<String>,
}

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl App {
    #[must_use]
    pub fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    fn site(&self, id: &str) -> Option<Arc<Site>> {
        self.sites.now().iter().find(|site| site.id == id).cloned()
    }

    /// A place for a visitor's connection, a socket or a stream of events, until it is dropped.
    fn connection(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        self.sockets.clone().try_acquire_owned().map_err(|_| {
            ApiError::new(ErrorCode::Overloaded, "too many visitors are connected; try again soon")
                .retry(5_000)
        })
    }

    /// On a site where people answer: whether somebody who takes conversations is there.
    fn available(&self, site: &str) -> Option<bool> {
        let people = self.site(site).is_some_and(|site| site.answers == site::Answers::Suggest);
        people.then(|| self.registry.board().available(site))
    }
}

/// What visitors and integrators reach.
pub fn public(app: App) -> Router {
    served(public_table(), app)
}

/// What operators reach, on a listener of its own.
pub fn private(app: App) -> Router {
    served(private_table(), app)
}

/// Every way in over the public listener.
#[must_use]
pub fn public_routes() -> Vec<Route> {
    public_table().routes()
}

/// Every way in over the admin listener.
#[must_use]
pub fn private_routes() -> Vec<Route> {
    private_table().routes()
}

fn served(table: Table, app: App) -> Router {
    table
        .router()
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::wrong_method)
        .with_state(app)
}

fn public_table() -> Table {
    use Access::{Anyone, Reporter, Visitor};
    Table::default()
        .get("/", Anyone, page::index)
        .get("/page.css", Anyone, page::style)
        .get("/page.js", Anyone, page::script)
        .get("/widget.js", Anyone, assets::loader)
        .get("/widget/{part}", Anyone, assets::part)
        .get("/demo", Anyone, assets::demo)
        .get("/demo.css", Anyone, assets::demo_style)
        .get("/demo.js", Anyone, assets::demo_script)
        .get("/v1/sites/{site}/widget.json", Anyone, widget::settings)
        .get("/v1/sites/{site}/logo", Anyone, widget::logo)
        .get("/v1/chat", Visitor, chat::upgrade)
        .post("/v1/chat/messages", Visitor, stream::message)
        .options("/v1/chat/messages", Anyone, stream::preflight)
        .merge(openai::routes())
        .post("/v1/sites/{site}/outcomes", Reporter, insight::outcomes)
        .get("/v1/protocol/schema.json", Anyone, page::schema)
        .get("/v1/protocol/asyncapi.json", Anyone, page::asyncapi)
        .get("/v1/openapi.json", Anyone, async || Json(openapi::public()))
        .get("/livez", Anyone, admin::livez)
        .get("/readyz", Anyone, admin::readyz_for_visitors)
        .merge(console::routes())
        .merge(console_page::routes())
        .merge(insight::page_routes())
        .largest_body(MAX_BODY)
        .merge(knowledge::public())
        .merge(channels::public())
}

fn private_table() -> Table {
    const ADMIN: Access = Access::Site(Scope::Admin);
    Table::default()
        .get("/livez", Access::Anyone, admin::livez)
        .get("/readyz", Access::Anyone, admin::readyz)
        .get("/metrics", Access::Server(Scope::Metrics), admin::metrics)
        .get("/v1/openapi.json", Access::Anyone, async || Json(openapi::private()))
        .merge(insight::page_routes())
        .get("/v1/insight/sites", Access::ItsSites(Scope::Admin), insight::sites)
        .get("/v1/sites/{site}/insight", ADMIN, insight::report)
        .get("/v1/sites/{site}/insight/sessions", ADMIN, insight::sessions)
        .get("/v1/sites/{site}/forecast", ADMIN, demand::forecast)
        .get("/v1/sites/{site}/stockouts", ADMIN, demand::stock_outs)
        .get("/v1/sites/{site}/sessions", ADMIN, admin::sessions)
        .get("/v1/sites/{site}/sessions/{session}", ADMIN, admin::session)
        .delete("/v1/sites/{site}/sessions/{session}", ADMIN, admin::erase)
        .merge(knowledge::private())
        .merge(channels::private())
        .merge(gaps::private())
        .merge(drafts::private())
        .merge(console::private_routes())
        .merge(keys::private())
        .merge(audit::private())
        .merge(backup::private())
        .merge(visitors::private())
        .get("/v1/sites/{site}/intent/{head}", ADMIN, intent::list)
        .get("/v1/sites/{site}/sessions/{session}/intent", ADMIN, intent::explain)
        .post("/v1/sites/{site}/sessions/{session}/label", ADMIN, intent::label)
        .get("/v1/sites/{site}/intent/classes/labels", ADMIN, intent::labelled)
        .get("/v1/sites/{site}/intent/purchase/watch", ADMIN, intent::watch)
        .post("/v1/sites/{site}/intent/purchase/eval", ADMIN, intent::evaluate)
        .post("/v1/sites/{site}/intent/{head}/deploy", ADMIN, intent::deploy)
        .post("/v1/sites/{site}/intent/{head}/rollback", ADMIN, intent::roll_back)
        .post("/v1/sites/{site}/intent/{head}/train", ADMIN, intent::train)
        .largest_body(MAX_BODY)
}

/// A stream, with what keeps proxies from holding it back or changing it.
fn streamed(response: impl IntoResponse) -> Response {
    let headers = [
        (HeaderName::from_static("x-accel-buffering"), "no"),
        (header::CACHE_CONTROL, "no-cache, no-transform"),
    ];
    let mut response = response.into_response();
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn header_text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}
