//! What the tables of routes don't say: what each route is for, and the types that it takes and
//! gives. A test finds a route without a note and a note without a route.

use axum::http::Method;
use schemars::{JsonSchema, SchemaGenerator};

use super::Describe;
use crate::http::Reloaded;
use crate::http::{admin, audit, console, demand, insight, intent, knowledge, stream, visitors};
use crate::insight::report::Range;
use crate::protocol::console as told;

/// Of one route.
#[derive(Clone, Copy)]
pub(super) struct Note {
    pub(super) route: &'static str,
    pub(super) summary: &'static str,
    pub(super) query: Option<Describe>,
    pub(super) body: Option<Describe>,
    pub(super) answer: Option<Describe>,
    /// Of a success.
    pub(super) status: &'static str,
    /// Of a success; empty where it has no body.
    pub(super) media: &'static str,
}

impl Note {
    pub(super) fn is_of(&self, method: &Method, path: &str) -> bool {
        self.route.split_once(' ') == Some((method.as_str(), path))
    }

    fn query<T: JsonSchema>(self) -> Self {
        Self { query: Some(T::json_schema), ..self }
    }

    fn body<T: JsonSchema>(self) -> Self {
        Self { body: Some(SchemaGenerator::subschema_for::<T>), ..self }
    }

    fn gives<T: JsonSchema>(self) -> Self {
        Self { answer: Some(SchemaGenerator::subschema_for::<T>), ..self }
    }

    fn created(self) -> Self {
        Self { status: "201", ..self }
    }
}

/// A route that answers with JSON.
fn json(route: &'static str, summary: &'static str) -> Note {
    with(route, summary, "200", "application/json")
}

/// A route that answers with text, a page or a stream of the media type.
fn text(route: &'static str, summary: &'static str, media: &'static str) -> Note {
    with(route, summary, "200", media)
}

/// A route that answers without a body.
fn done(route: &'static str, summary: &'static str) -> Note {
    with(route, summary, "204", "")
}

fn with(
    route: &'static str,
    summary: &'static str,
    status: &'static str,
    media: &'static str,
) -> Note {
    Note { route, summary, query: None, body: None, answer: None, status, media }
}

pub(super) fn notes() -> Vec<Note> {
    let parts = [pages(), visitors_and_programs(), knowledge_and_demand(), agents(), operators()];
    parts.concat()
}

fn pages() -> Vec<Note> {
    const HTML: &str = "text/html";
    const CSS: &str = "text/css";
    const SCRIPT: &str = "text/javascript";
    vec![
        text("GET /", "The page on which visitors chat", HTML),
        text("GET /page.css", "Its style", CSS),
        text("GET /page.js", "Its script", SCRIPT),
        text("GET /widget.js", "The chat for pages of a website", SCRIPT),
        text("GET /widget/{part}", "A part of it that is loaded later", SCRIPT),
        text("GET /demo", "A page that shows the widget", HTML),
        text("GET /demo.css", "Its style", CSS),
        text("GET /demo.js", "Its script", SCRIPT),
        json("GET /v1/sites/{site}/widget.json", "How the site's widget looks and what it says"),
        text("GET /v1/sites/{site}/logo", "The logo of the site's widget", "image/*"),
        text("GET /console", "The console for agents", HTML),
        text("GET /console/", "The same", HTML),
        text("GET /console/console.js", "Its script", SCRIPT),
        text("GET /console/console.css", "Its style", CSS),
        text("GET /console/{section}", "The console, opened at a section", HTML),
        text("GET /console/c/{session}", "The console, opened at a conversation", HTML),
        text("GET /console/insight", "The page for marketers", HTML),
        text("GET /console/insight.css", "Its style", CSS),
        text("GET /console/insight.js", "Its script", SCRIPT),
        json("GET /v1/protocol/schema.json", "JSON Schema of the visitors' protocol"),
        json("GET /v1/protocol/asyncapi.json", "AsyncAPI of the visitors' socket"),
        json("GET /v1/protocol/console.json", "JSON Schema of the consoles' protocol"),
        json("GET /v1/knowledge/openapi.json", "OpenAPI of handing documents in"),
        json("GET /v1/openapi.json", "This document"),
        text("GET /livez", "Whether the process runs", "text/plain"),
        json("GET /readyz", "Whether a visitor would get an answer; 503 if not"),
    ]
}

fn visitors_and_programs() -> Vec<Note> {
    vec![
        with("GET /v1/chat", "A visitor's WebSocket; frames as schema.json has them", "101", ""),
        text(
            "POST /v1/chat/messages",
            "Say something, and read the turn as events",
            "text/event-stream",
        )
        .body::<stream::Body>(),
        done("OPTIONS /v1/chat/messages", "Which origins may ask that"),
        json("POST /v1/chat/completions", "Chat completions, as OpenAI's API has them"),
        json("POST /v1/responses", "Responses, as OpenAI's API has them"),
        json("POST /v1/embeddings", "Embeddings, as OpenAI's API has them"),
        json("POST /v1/rerank", "How well texts answer a question"),
        json("GET /v1/models", "The sites that the key is good for, as models"),
        json("GET /v1/models/{*id}", "One of them"),
        json("POST /v1/sites/{site}/outcomes", "Report what came of conversations"),
        text("GET /v1/channels/{site}/{account}", "A platform's handshake", "text/plain"),
        text("POST /v1/channels/{site}/{account}", "A platform's webhook", "text/plain"),
    ]
}

fn knowledge_and_demand() -> Vec<Note> {
    vec![
        json("GET /v1/sites/{site}/documents", "List what was handed in, by id")
            .query::<knowledge::Page>(),
        json("PUT /v1/sites/{site}/documents/{*id}", "Add or replace a document"),
        json("GET /v1/sites/{site}/documents/{*id}", "What became of a document"),
        done("DELETE /v1/sites/{site}/documents/{*id}", "Remove a document"),
        json("GET /v1/sites/{site}/products", "The products of the site's documents"),
        json(
            "GET /v1/sites/{site}/files",
            "List the files that the site's documents are read from",
        ),
        json("GET /v1/sites/{site}/files/{*id}", "How a file is understood"),
        text(
            "POST /v1/sites/{site}/ingest",
            "Read documents; lines of JSON while it runs",
            "application/x-ndjson",
        )
        .body::<knowledge::IngestRequest>(),
        json("GET /v1/sites/{site}/gaps", "Knowledge gaps, the most asked first"),
        json("POST /v1/sites/{site}/gaps/{id}/dismiss", "Take a gap off the list"),
        json("POST /v1/sites/{site}/gaps/{id}/reopen", "Put it back"),
        json("GET /v1/sites/{site}/drafts", "Articles drafted for knowledge gaps"),
        json("GET /v1/sites/{site}/drafts/{id}", "One of them, with what it rests on"),
        json("POST /v1/sites/{site}/drafts/{id}", "Have the article for a gap drafted"),
        done("DELETE /v1/sites/{site}/drafts/{id}", "Discard a draft"),
        json(
            "POST /v1/sites/{site}/drafts/{id}/trial",
            "Ask the gap's questions with the draft as a document",
        ),
        json("POST /v1/sites/{site}/drafts/{id}/publish", "Hand the draft in as a document"),
        json("GET /v1/insight/sites", "The sites that the key is good for"),
        json("GET /v1/sites/{site}/insight", "What visitors asked for and what came of it")
            .query::<Range>(),
        json("GET /v1/sites/{site}/insight/sessions", "The conversations behind a figure of it")
            .query::<insight::Lines>(),
        json("GET /v1/sites/{site}/forecast", "What will be asked for, by day")
            .query::<demand::Wanted>(),
        json("GET /v1/sites/{site}/stockouts", "Products that may run out")
            .query::<demand::Least>(),
    ]
}

fn agents() -> Vec<Note> {
    vec![
        with(
            "GET /v1/console",
            "A console's WebSocket; frames as console.json has them",
            "101",
            "",
        ),
        json("POST /v1/console/sign-in", "Sign in").body::<told::SignIn>().gives::<told::Me>(),
        json("GET /v1/console/sign-in", "How agents sign in here").gives::<told::WaysIn>(),
        with(
            "GET /v1/console/oidc/sign-in",
            "Leave for the issuer: a page for browsers, which redirects",
            "303",
            "",
        )
        .query::<console::oidc::Leaving>(),
        with(
            "GET /v1/console/oidc/callback",
            "Come back from the issuer: redirects to the console, signed in or with a reason",
            "303",
            "",
        )
        .query::<console::oidc::Back>(),
        done("POST /v1/console/sign-out", "Sign out"),
        json("GET /v1/console/me", "Who is signed in").gives::<told::Me>(),
        done("PUT /v1/console/me/password", "Change the own password").body::<told::NewPassword>(),
        json("POST /v1/console/me/second-factor", "Ask for the secret of a second factor")
            .body::<told::BeginSecondFactor>()
            .gives::<told::SecondFactorOffer>(),
        json("PUT /v1/console/me/second-factor", "Set the second factor up with a first code")
            .body::<told::ConfirmSecondFactor>()
            .gives::<told::RecoveryCodes>(),
        done("POST /v1/console/me/second-factor/remove", "Remove the second factor")
            .body::<told::RemoveSecondFactor>(),
        json("GET /v1/console/me/sign-ins", "The own sign-ins"),
        done("DELETE /v1/console/me/sign-ins", "End all other sign-ins"),
        done("DELETE /v1/console/me/sign-ins/{id}", "End a sign-in"),
        json("GET /v1/console/sites/{site}/sessions", "A window of a list of conversations")
            .query::<console::Listing>(),
        json("GET /v1/console/sites/{site}/sessions/{session}", "A conversation")
            .gives::<told::Conversation>(),
        done("DELETE /v1/console/sites/{site}/sessions/{session}", "Erase a conversation"),
        json(
            "GET /v1/console/sites/{site}/sessions/{session}/passages",
            "The passages behind an answer",
        )
        .query::<console::Turn>()
        .gives::<told::Passages>(),
        json(
            "GET /v1/console/sites/{site}/sessions/{session}/visitor",
            "What is known of the visitor",
        )
        .gives::<told::VisitorView>(),
        json(
            "POST /v1/console/sites/{site}/sessions/{session}/actions",
            "Do something to a conversation",
        )
        .body::<console::Act>(),
        json(
            "GET /v1/console/sites/{site}/sessions/{session}/classes",
            "What the visitor's messages are about",
        ),
        done(
            "POST /v1/console/sites/{site}/sessions/{session}/label",
            "Say what a message is about",
        )
        .body::<intent::Label>(),
        json("GET /v1/console/sites/{site}/search", "Conversations with these words")
            .query::<console::Searching>()
            .gives::<told::Found>(),
        json("GET /v1/console/sites/{site}/statistics", "What became of drafts and handoffs")
            .query::<console::Days>()
            .gives::<told::Statistics>(),
        json("GET /v1/console/sites/{site}/canned", "Canned replies"),
        json("PUT /v1/console/sites/{site}/canned", "Add or change a canned reply")
            .body::<told::Canned>()
            .gives::<told::Canned>(),
        done("DELETE /v1/console/sites/{site}/canned/{id}", "Remove a canned reply"),
        json("GET /v1/console/sites/{site}/agents", "Who is there; for admins the accounts, too"),
        json("POST /v1/console/sites/{site}/agents", "Add an account")
            .body::<told::NewAccount>()
            .gives::<told::Account>()
            .created(),
        json("PUT /v1/console/sites/{site}/agents/{id}", "Change an account's role, limit or name")
            .body::<console::AgentChange>()
            .gives::<told::Account>(),
        done("DELETE /v1/console/sites/{site}/agents/{id}", "Take an account's role on the site"),
        json(
            "GET /v1/console/sites/{site}/channels",
            "The site's messaging accounts and how they are",
        ),
        json(
            "GET /v1/console/sites/{site}/files",
            "List the files that the site's documents are read from",
        ),
        json("GET /v1/console/sites/{site}/files/{*id}", "How a file is understood"),
        json("GET /v1/console/sites/{site}/gaps", "Knowledge gaps, the most asked first"),
        json("POST /v1/console/sites/{site}/gaps/{id}/dismiss", "Take a gap off the list"),
        json("POST /v1/console/sites/{site}/gaps/{id}/reopen", "Put it back"),
        json(
            "POST /v1/console/sites/{site}/gaps/{id}/article",
            "Write the article that a gap lacks",
        )
        .body::<told::Article>()
        .gives::<told::Tried>(),
        json("DELETE /v1/console/sites/{site}/gaps/{id}/article", "Take it back"),
        json("GET /v1/console/sites/{site}/drafts", "Articles drafted for knowledge gaps"),
        json("GET /v1/console/sites/{site}/drafts/{id}", "One of them, with what it rests on"),
        json("POST /v1/console/sites/{site}/drafts/{id}", "Have the article for a gap drafted"),
        done("DELETE /v1/console/sites/{site}/drafts/{id}", "Discard a draft"),
        json(
            "POST /v1/console/sites/{site}/drafts/{id}/trial",
            "Ask the gap's questions with the draft as a document",
        ),
        json("GET /v1/console/sites/{site}/insight", "As on the admin listener").query::<Range>(),
        json("GET /v1/console/sites/{site}/insight/sessions", "As on the admin listener")
            .query::<insight::Lines>(),
        json("GET /v1/console/sites/{site}/forecast", "As on the admin listener")
            .query::<demand::Wanted>(),
        json("GET /v1/console/sites/{site}/stockouts", "As on the admin listener")
            .query::<demand::Least>(),
    ]
}

fn operators() -> Vec<Note> {
    vec![
        text("GET /metrics", "Metrics for Prometheus", "text/plain"),
        json("GET /v1/sites/{site}/sessions", "The conversations that were used last")
            .query::<admin::Listing>(),
        json(
            "GET /v1/sites/{site}/sessions/{session}",
            "A conversation with signals and purchase intent",
        ),
        done("DELETE /v1/sites/{site}/sessions/{session}", "Erase a conversation"),
        json("GET /v1/sites/{site}/channels", "The site's messaging accounts and how they are"),
        json("GET /v1/agents", "The agents' accounts"),
        json("POST /v1/agents", "Add an account")
            .body::<told::NewAccount>()
            .gives::<told::Account>()
            .created(),
        done("DELETE /v1/agents/{login}", "Remove an account"),
        done("DELETE /v1/agents/{login}/second-factor", "Remove an account's second factor"),
        done("DELETE /v1/agents/{login}/oidc", "Part an account from its person at the issuer"),
        done("DELETE /v1/agents/{login}/sign-ins", "End an account's sign-ins"),
        done("PUT /v1/agents/{login}/password", "Set an account's password")
            .body::<told::NewPassword>(),
        json("POST /v1/config/reload", "Read the configuration anew").gives::<Reloaded>(),
        done("POST /v1/keys/visitors/rotate", "Change the key that signs visitors' tokens"),
        done("POST /v1/keys/admin/rotate", "Change the key in data/admin.key"),
        json("GET /v1/audit", "Who did what, from an entry on").query::<audit::Asked>(),
        text(
            "GET /v1/store/export",
            "All conversations, as `frontdesk import` reads them",
            "application/octet-stream",
        ),
        done("POST /v1/store/compact", "Write the store anew without the bytes of what was erased"),
        text(
            "GET /v1/sites/{site}/visitors/{visitor}",
            "All that is kept of a visitor",
            "application/x-ndjson",
        ),
        json("DELETE /v1/sites/{site}/visitors/{visitor}", "Erase all that is kept of a visitor")
            .gives::<visitors::Receipt>(),
        json("GET /v1/sites/{site}/intent/{head}", "A model's versions, and which is deployed"),
        json("POST /v1/sites/{site}/intent/{head}/deploy", "Take a version in use")
            .body::<intent::Wanted>(),
        json(
            "POST /v1/sites/{site}/intent/{head}/rollback",
            "Take the version before in use again",
        ),
        json(
            "POST /v1/sites/{site}/intent/{head}/train",
            "Train on rows, or on the site's own conversations",
        )
        .query::<intent::Lesson>(),
        json(
            "POST /v1/sites/{site}/intent/purchase/eval",
            "Measure a version on rows, or on new conversations",
        )
        .query::<intent::Measured>(),
        json(
            "GET /v1/sites/{site}/intent/purchase/watch",
            "How the deployed model does since its training",
        )
        .query::<intent::Look>(),
        json(
            "GET /v1/sites/{site}/intent/classes/labels",
            "What people said that messages are about",
        ),
        json(
            "GET /v1/sites/{site}/sessions/{session}/intent",
            "The purchase intent and what moved it",
        )
        .query::<intent::Moment>(),
        done("POST /v1/sites/{site}/sessions/{session}/label", "Say what a message is about")
            .body::<intent::Label>(),
    ]
}
