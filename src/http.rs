//! The edge: axum, and what goes in and out over it. Session logic never sees a type of this module's wire formats.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, header};
use axum::routing::{get, post};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::agents::Agents;
use crate::gaps::Gaps;
use crate::http::auth::{Keys, Visitors};
use crate::http::body::Room;
use crate::http::console::ReadMark;
use crate::http::error::ApiError;
use crate::http::limits::ServerConfig;
use crate::insight::Insight;
use crate::intent::registry::{IntentConfig, Live};
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

pub mod admin;
pub mod assets;
pub mod auth;
pub mod body;
pub mod chat;
pub mod console;
pub mod console_page;
pub mod error;
mod extract;
pub mod gaps;
pub mod insight;
pub mod intent;
mod jwt;
pub mod knowledge;
pub mod limits;
pub mod listener;
pub mod openai;
pub mod page;
mod socket;
pub mod stream;
pub mod widget;

/// Largest request body of the public listener.
const MAX_BODY: usize = 256 * 1024;

/// What the handlers share. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// See [`App`].
pub struct Inner {
    pub config: ServerConfig,
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
    pub console: ConsoleConfig,
    /// The zero of the server's monotonic clock.
    pub started: std::time::Instant,
    /// What agents read, for their other consoles.
    pub reads: tokio::sync::broadcast::Sender<ReadMark>,
    pub keys: Keys,
    pub sites: Vec<Arc<Site>>,
    /// Origins under which this server serves its own page.
    pub own_origins: Vec<String>,
    pub metrics: Metrics,
    pub tasks: Tasks,
    /// For bodies of documents and rows.
    pub room: Room,
    pub sockets: Arc<Semaphore>,
    pub answer_timeout: std::time::Duration,
    /// The deployed models of what visitors want.
    pub intents: Live,
    pub intent: IntentConfig,
    /// What looking at a deployed model needs.
    pub scoring: crate::insight::scorer::Parts,
    /// One training at a time: it takes the processors that conversations need.
    pub training: Arc<Semaphore>,
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

    fn site(&self, id: &str) -> Option<&Arc<Site>> {
        self.sites.iter().find(|site| site.id == id)
    }

    /// A place for a visitor's connection, a socket or a stream of events, until it is dropped.
    fn connection(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        self.sockets.clone().try_acquire_owned().map_err(|_| {
            ApiError::new(ErrorCode::Overloaded, "too many visitors are connected; try again soon").retry(5_000)
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
    Router::new()
        .route("/", get(page::index))
        .route("/page.css", get(page::style))
        .route("/page.js", get(page::script))
        .route("/widget.js", get(assets::loader))
        .route("/widget/{part}", get(assets::part))
        .route("/demo", get(assets::demo))
        .route("/demo.css", get(assets::demo_style))
        .route("/demo.js", get(assets::demo_script))
        .route("/v1/sites/{site}/widget.json", get(widget::settings))
        .route("/v1/sites/{site}/logo", get(widget::logo))
        .route("/v1/chat", get(chat::upgrade))
        .route("/v1/chat/messages", post(stream::message).options(stream::preflight))
        .route(
            "/v1/chat/completions",
            post(openai::completions).layer(axum::extract::DefaultBodyLimit::max(openai::MAX_BODY)),
        )
        .route("/v1/models", get(openai::models))
        .route("/v1/models/{*id}", get(openai::model))
        .route("/v1/sites/{site}/outcomes", post(insight::outcomes))
        .route("/v1/protocol/schema.json", get(page::schema))
        .route("/v1/protocol/asyncapi.json", get(page::asyncapi))
        .route("/livez", get(admin::livez))
        .route("/readyz", get(admin::readyz))
        .merge(console::routes())
        .merge(console_page::routes())
        .merge(insight::page_routes())
        .fallback(error::not_found)
        .layer(axum::extract::DefaultBodyLimit::max(MAX_BODY))
        .merge(knowledge::public())
        .method_not_allowed_fallback(error::wrong_method)
        .with_state(app)
}

/// What operators reach, on a listener of its own.
pub fn private(app: App) -> Router {
    Router::new()
        .route("/livez", get(admin::livez))
        .route("/readyz", get(admin::readyz))
        .route("/metrics", get(admin::metrics))
        .merge(insight::page_routes())
        .route("/v1/insight/sites", get(insight::sites))
        .route("/v1/sites/{site}/insight", get(insight::report))
        .route("/v1/sites/{site}/insight/sessions", get(insight::sessions))
        .route("/v1/sites/{site}/sessions", get(admin::sessions))
        .route("/v1/sites/{site}/sessions/{session}", get(admin::session).delete(admin::erase))
        .merge(knowledge::private())
        .merge(gaps::private())
        .merge(console::private_routes())
        .route("/v1/sites/{site}/intent/{head}", get(intent::list))
        .route("/v1/sites/{site}/sessions/{session}/intent", get(intent::explain))
        .route("/v1/sites/{site}/sessions/{session}/label", post(intent::label))
        .route("/v1/sites/{site}/intent/classes/labels", get(intent::labelled))
        .route("/v1/sites/{site}/intent/purchase/watch", get(intent::watch))
        .route("/v1/sites/{site}/intent/purchase/eval", post(intent::evaluate))
        .route("/v1/sites/{site}/intent/{head}/deploy", post(intent::deploy))
        .route("/v1/sites/{site}/intent/{head}/rollback", post(intent::roll_back))
        .route("/v1/sites/{site}/intent/{head}/train", post(intent::train))
        .fallback(error::not_found)
        .layer(axum::extract::DefaultBodyLimit::max(MAX_BODY))
        .method_not_allowed_fallback(error::wrong_method)
        .with_state(app)
}

fn header_text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}
