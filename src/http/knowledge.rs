//! Documents over HTTP: hand in, replace, remove, list; and runs over the folders. On the admin
//! listener with an admin or `knowledge` key; on the public one with a `knowledge` key of the site.

use std::collections::BTreeMap;
use std::path::PathBuf;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::catalogue::Listed;
use crate::http::App;
use crate::http::auth::Scope;
use crate::http::error::ApiError;
use crate::http::extract::{Path, Query, Sent};
use crate::http::routes::{Access, Table};
use crate::knowledge::files::SiteFiles;
use crate::knowledge::{Change, DocumentStatus, Handed, KnowledgeError};
use crate::protocol::ErrorCode;
use crate::retrieval::ingest::{Explained, IngestProgress, IngestReport};

/// Documents listed at once at most.
const MAX_LISTED: usize = 1_000;
/// Lines of a run's progress that may wait for its reader; more are left out, the next one counts
/// further anyway.
const PROGRESS_QUEUE: usize = 64;

/// What integrators reach with a `knowledge` key of their site.
pub(super) fn public() -> Table {
    documents(Access::OwnSite(Scope::Knowledge))
}

/// What operators reach. Runs are an admin's business, not that of who may hand documents in.
pub(super) fn private() -> Table {
    documents(Access::Site(Scope::Knowledge))
        .get("/v1/sites/{site}/products", Access::Site(Scope::Knowledge), products)
        .get("/v1/sites/{site}/files", Access::Site(Scope::Admin), files)
        .get("/v1/sites/{site}/files/{*id}", Access::Site(Scope::Admin), explain)
        .post("/v1/sites/{site}/ingest", Access::Site(Scope::Admin), ingest)
}

/// Below `/v1/console/sites/{site}`: for who keeps the documents.
pub(super) fn console() -> Table {
    Table::default().get("/files", Access::SiteAdmin, files).get(
        "/files/{*id}",
        Access::SiteAdmin,
        explain,
    )
}

fn documents(access: Access) -> Table {
    Table::default()
        .get("/v1/sites/{site}/documents", access, list)
        .put("/v1/sites/{site}/documents/{*id}", access, hand_in)
        .get("/v1/sites/{site}/documents/{*id}", access, status)
        .delete("/v1/sites/{site}/documents/{*id}", access, remove)
        .get("/v1/knowledge/openapi.json", Access::Anyone, async || Json(openapi()))
}

/// A document and what the request did to it.
#[derive(Debug, Serialize, schemars::JsonSchema)]
struct HandInAnswer {
    change: Change,
    document: DocumentStatus,
}

/// A page of documents, by id.
#[derive(Debug, Serialize, schemars::JsonSchema)]
struct ListAnswer {
    documents: Vec<DocumentStatus>,
    /// All documents that were handed in.
    total: usize,
    /// What to give as `after` for the next page, if there is one.
    next: Option<String>,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    #[serde(default)]
    after: String,
    #[serde(default = "hundred")]
    limit: usize,
}

fn hundred() -> usize {
    100
}

impl From<KnowledgeError> for ApiError {
    fn from(error: KnowledgeError) -> Self {
        let text = error.to_string();
        match error {
            KnowledgeError::Overloaded | KnowledgeError::Busy => {
                Self::new(ErrorCode::Overloaded, text).retry(2_000)
            }
            KnowledgeError::Full => Self::new(ErrorCode::StorageFailed, text).retry(60_000),
            KnowledgeError::Wrong(_) => Self::new(ErrorCode::BadMessage, text),
            KnowledgeError::Failed(_) | KnowledgeError::Panicked => {
                tracing::error!(error = text, "the knowledge could not be changed");
                Self::new(
                    ErrorCode::StorageFailed,
                    "the knowledge can't be read or changed now; try again soon",
                )
                .retry(5_000)
            }
        }
    }
}

fn failed(error: anyhow::Error) -> ApiError {
    KnowledgeError::Failed(error).into()
}

fn no_document(id: &str) -> Response {
    let message = format!("no document {id:?} was handed in here");
    (
        StatusCode::NOT_FOUND,
        Json(json!({ "error": { "code": "unknown_document", "message": message } })),
    )
        .into_response()
}

/// What can be said about a document, as query parameters.
const ABOUT: [&str; 6] = ["title", "url", "language", "audience", "valid_from", "valid_until"];

/// `PUT /v1/sites/{site}/documents/{id}`: 201 for a new document, 200 for a changed or the same
/// one, 422 for one of which nothing can be used.
async fn hand_in(
    State(app): State<App>,
    headers: HeaderMap,
    Path((site, id)): Path<(String, String)>,
    Query(about): Query<BTreeMap<String, String>>,
    body: Body,
) -> Result<Response, ApiError> {
    if let Some(unknown) = about.keys().find(|key| !ABOUT.contains(&key.as_str())) {
        let text =
            format!("{unknown:?} can't be said about a document; known are {}", ABOUT.join(", "));
        return Err(ApiError::new(ErrorCode::BadMessage, text));
    }
    let content_type =
        super::header_text(&headers, header::CONTENT_TYPE).unwrap_or_default().to_owned();
    let (limit, option) = (app.knowledge.max_bytes(), " (knowledge.max_document_mib)");
    let content = app.room.read(body, limit, option).await?;
    let knowledge = app.knowledge.clone();
    let (change, document) = to_its_end(&app, "hand-in", async move {
        let (content, _room) = content.parts();
        knowledge.put(&site, Handed { id, content_type, about, content }).await
    })
    .await?;
    let status = match change {
        Change::Added => StatusCode::CREATED,
        Change::Replaced | Change::Unchanged => StatusCode::OK,
        Change::Rejected => StatusCode::UNPROCESSABLE_ENTITY,
    };
    Ok((status, Json(HandInAnswer { change, document })).into_response())
}

/// Carries a change out though its client leaves: a document half taken in or half removed would go
/// on being answered from.
pub(super) async fn to_its_end<T: Send + 'static>(
    app: &App,
    name: &'static str,
    change: impl Future<Output = Result<T, KnowledgeError>> + Send + 'static,
) -> Result<T, ApiError> {
    let (sender, outcome) = oneshot::channel();
    app.tasks.spawn(name, async move {
        let _ = sender.send(change.await);
    });
    Ok(outcome.await.map_err(|_| ApiError::draining())??)
}

/// `GET /v1/sites/{site}/documents/{id}`
async fn status(
    State(app): State<App>,
    Path((site, id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let document = app.knowledge.document(&site, &id).await.map_err(failed)?;
    Ok(document.map_or_else(|| no_document(&id), |document| Json(document).into_response()))
}

/// `DELETE /v1/sites/{site}/documents/{id}`
async fn remove(
    State(app): State<App>,
    Path((site, id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let (knowledge, of) = (app.knowledge.clone(), id.clone());
    let removed =
        to_its_end(&app, "removal", async move { knowledge.remove(&site, &of).await }).await?;
    Ok(if removed { StatusCode::NO_CONTENT.into_response() } else { no_document(&id) })
}

/// `GET /v1/sites/{site}/documents?after=&limit=`
async fn list(
    State(app): State<App>,
    Path(site): Path<String>,
    Query(page): Query<Page>,
) -> Result<Response, ApiError> {
    let all = app.knowledge.documents(&site).await.map_err(failed)?;
    let total = all.len();
    let limit = page.limit.clamp(1, MAX_LISTED);
    let mut documents: Vec<_> =
        all.into_iter().filter(|document| document.id > page.after).take(limit + 1).collect();
    let more = documents.len() > limit;
    documents.truncate(limit);
    let next = documents.last().filter(|_| more).map(|document| document.id.clone());
    Ok(Json(ListAnswer { documents, total, next }).into_response())
}

/// `GET /v1/sites/{site}/products`
async fn products(State(app): State<App>, Path(site): Path<String>) -> Response {
    let products = app.knowledge.catalogue().products(&site);
    let products: Vec<&Listed> = products.iter().collect();
    Json(json!({ "products": products })).into_response()
}

/// `GET /v1/sites/{site}/files`, and the console's: what the site's documents are read from.
async fn files(
    State(app): State<App>,
    Path(site): Path<String>,
) -> Result<Json<SiteFiles>, ApiError> {
    Ok(Json(app.knowledge.files(&site).await?))
}

/// `GET /v1/sites/{site}/files/{id}`, and the console's: how one of them is understood.
async fn explain(
    State(app): State<App>,
    Path((site, id)): Path<(String, String)>,
) -> Result<Json<Explained>, ApiError> {
    let unknown = ApiError::new(
        ErrorCode::NotFound,
        format!("{id:?} is none of the site's files; GET /v1/sites/{site}/files lists them"),
    );
    let knowledge = app.knowledge.clone();
    // A client that leaves must not make room for the next while its file is still being read.
    let explained =
        to_its_end(&app, "explanation", async move { knowledge.explain(&site, &id).await }).await?;
    explained.map(Json).ok_or(unknown)
}

/// What a run over the folders is to read.
#[derive(Debug, Default, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IngestRequest {
    /// Files and folders in the site's own folder of documents; none reads that folder and what was
    /// handed in.
    pub paths: Vec<PathBuf>,
    /// Read again what hasn't changed, too.
    pub force: bool,
}

/// A line of a run's answer.
#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum IngestLine {
    Found { files: usize },
    File { path: String, number: usize },
    Written { passages: usize },
    Done { report: IngestReport },
    Failed { message: String },
}

/// `POST /v1/sites/{site}/ingest`: lines of JSON while it runs, the last one `done` or `failed`.
async fn ingest(
    State(app): State<App>,
    Path(site): Path<String>,
    request: Option<Sent<IngestRequest>>,
) -> Result<Response, ApiError> {
    let request = request.map(|Sent(request)| request).unwrap_or_default();
    let roots = app.knowledge.roots(&site, &request.paths)?;
    let (sender, mut lines) = mpsc::channel(PROGRESS_QUEUE);
    let knowledge = app.knowledge.clone();
    let run = async move {
        let progress = |progress: IngestProgress<'_>| {
            let line = match progress {
                IngestProgress::Found { files } => IngestLine::Found { files },
                IngestProgress::File { path, number } => {
                    IngestLine::File { path: path.to_owned(), number }
                }
                IngestProgress::Written { passages } => IngestLine::Written { passages },
            };
            let _ = sender.try_send(line);
        };
        let last = match knowledge.ingest(&site, &roots, request.force, &progress).await {
            Ok(report) => IngestLine::Done { report },
            Err(error) => IngestLine::Failed { message: error.to_string() },
        };
        // Who left before the end doesn't need it.
        let _ = sender.send(last).await;
    };
    app.tasks.spawn("ingest", run);
    let body = async_stream::stream! {
        while let Some(line) = lines.recv().await {
            let mut text = serde_json::to_vec(&line).unwrap_or_default();
            text.push(b'\n');
            yield Ok::<_, std::convert::Infallible>(text);
        }
    };
    Ok(super::streamed(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(body))))
}

/// The interface as OpenAPI 3.1; its schemas come from the types.
#[must_use]
pub fn openapi() -> Value {
    let mut generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
    generator.subschema_for::<HandInAnswer>();
    generator.subschema_for::<ListAnswer>();
    generator.subschema_for::<SiteFiles>();
    generator.subschema_for::<Explained>();
    let schemas = Value::Object(generator.take_definitions(true)).to_string();
    let schemas = schemas.replace("#/$defs/", "#/components/schemas/");
    let mut schemas: Value = serde_json::from_str(&schemas).unwrap_or_default();
    schemas["Error"] = json!({ "type": "object", "properties": { "error": { "type": "object", "properties": {
        "code": { "type": "string" }, "message": { "type": "string" }, "retry_after_ms": { "type": ["integer", "null"] },
    }, "required": ["code", "message"] } }, "required": ["error"] });
    let answer = |description: &str, schema: &str| {
        let content = json!({ "schema": { "$ref": format!("#/components/schemas/{schema}") } });
        json!({ "description": description, "content": { "application/json": content } })
    };
    let path = |name: &str, description: &str| json!({ "name": name, "in": "path", "required": true, "description": description, "schema": { "type": "string" } });
    let query = |name: &str, description: &str| json!({ "name": name, "in": "query", "description": description, "schema": { "type": "string" } });
    let site = path("site", "The site's id.");
    let id = path("id", "The document's id: 1 to 200 bytes, slashes allowed, no #.");
    let about = [
        query("title", "What the document is called; its own title if left out."),
        query("url", "Where a visitor can read it: https://… or a path of the site."),
        query("language", "ISO 639-1; told by the text if left out."),
        query("audience", "`public` (the default) or `agents`."),
        query(
            "valid_from",
            "2026-12-01 or 2026-12-01T08:00:00Z; before it, the document isn't used.",
        ),
        query(
            "valid_until",
            "2026-12-31 (to its end) or a moment; after it, the document isn't used.",
        ),
    ];
    let binary = json!({ "schema": { "type": "string", "format": "binary" } });
    let content: BTreeMap<&str, Value> = [
        "text/markdown",
        "text/html",
        "text/plain",
        "text/csv",
        "application/json",
        "application/x-ndjson",
        "application/pdf",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ]
    .into_iter()
    .map(|content_type| (content_type, binary.clone()))
    .collect();
    let refused = answer("No key, or one without the scope or for another site.", "Error");
    let busy = answer("Too many changes are waiting; try again after `Retry-After`.", "Error");
    let unknown = answer("No such document was handed in.", "Error");
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Frontdesk knowledge", "version": "1", "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            "description": "Documents that a site hands in. Handing in the same content again changes nothing. Runs over the site's folder never touch these documents, nor the other way round; citations show their ids with `api:` before them.",
        },
        "security": [{ "key": [] }],
        "paths": {
            "/v1/sites/{site}/documents": { "get": {
                "summary": "List what was handed in, by id",
                "parameters": [site, query("after", "Go on after this id."), query("limit", "1 to 1000; 100 if left out.")],
                "responses": { "200": answer("A page.", "ListAnswer"), "401": refused },
            } },
            "/v1/sites/{site}/documents/{id}": {
                "parameters": [site, id],
                "put": {
                    "summary": "Add or replace a document",
                    "parameters": about,
                    "requestBody": { "required": true, "content": content },
                    "responses": {
                        "200": answer("Replaced, or unchanged.", "HandInAnswer"),
                        "201": answer("Added.", "HandInAnswer"),
                        "400": answer("The id, the content type or a parameter isn't understood.", "Error"),
                        "401": refused,
                        "413": answer("Larger than knowledge.max_document_mib.", "Error"),
                        "422": answer("Nothing of it can be used; the errors say why. An earlier version stays.", "HandInAnswer"),
                        "503": busy,
                    },
                },
                "get": { "summary": "What became of a document", "responses": {
                    "200": answer("Its state.", "DocumentStatus"), "401": refused, "404": unknown } },
                "delete": { "summary": "Remove a document", "responses": {
                    "204": { "description": "It is gone." }, "401": refused, "404": unknown, "503": busy } },
            },
            "/v1/sites/{site}/files": { "get": {
                "summary": "List the files that the site's documents are read from; with an admin key, on the admin listener",
                "parameters": [site],
                "responses": { "200": answer("Those of the folder, and those handed in.", "SiteFiles"), "401": refused },
            } },
            "/v1/sites/{site}/files/{id}": { "get": {
                "summary": "How a file is understood: header, columns, products, what is left out; with an admin key, on the admin listener",
                "parameters": [site, path("id", "As the list has it: the path below the site's folder, or `api:` and the id.")],
                "responses": {
                    "200": answer("How it is understood.", "Explained"), "401": refused,
                    "404": answer("None of the site's files; nothing else is read.", "Error"),
                    "503": answer("Other files are being read; try again after `Retry-After`.", "Error"),
                },
            } },
        },
        "components": {
            "securitySchemes": { "key": { "type": "http", "scheme": "bearer",
                "description": "On the public listener a key with the scope `knowledge` and a site (`frontdesk key --scope knowledge --site …`); on the admin listener an admin key, too." } },
            "schemas": schemas,
        },
    })
}
