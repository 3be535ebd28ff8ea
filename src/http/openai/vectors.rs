//! The models behind the search, for programs that have documents of their own: `/v1/embeddings` as
//! OpenAI describes it, and `/v1/rerank` as Jina, Cohere and others do. Visitors' questions go
//! before either.

use axum::Json;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use serde::Deserialize;
use serde_json::{Value, json};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::{bad, rejected, site_of};
use crate::http::App;
use crate::http::error::{ApiError, OpenAiError};
use crate::lifecycle::Tasks;
use crate::protocol::ErrorCode;

/// Largest body, in bytes.
pub(super) const MAX_BODY: usize = 4 << 20;
/// Texts of one request, and characters of each. Longer texts are cut by the model anyway.
const MAX_TEXTS: usize = 256;
const MAX_CHARS: usize = 16_000;
/// Requests that are computed at once; more are refused. Visitors' questions go first, so these can
/// take long.
pub const AT_ONCE: usize = 4;
/// When to try again after such a refusal.
const BUSY_MS: u64 = 2_000;

#[derive(Debug, Deserialize)]
#[serde(expecting = "an object")]
struct EmbedBody {
    model: String,
    input: Input,
    encoding_format: Option<String>,
    dimensions: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a string or a list of strings")]
enum Input {
    One(String),
    Many(Vec<String>),
    /// Numbers of tokens, which are another model's.
    Tokens(Vec<Value>),
}

/// `POST /v1/embeddings`.
pub(super) async fn embeddings(State(app): State<App>, request: Request) -> Response {
    let headers = request.headers().clone();
    let shown = crate::http::header_text(&headers, header::AUTHORIZATION);
    let body = match Json::<EmbedBody>::from_request(request, &()).await {
        Ok(Json(body)) => body,
        Err(rejection) => return rejected(&rejection, MAX_BODY).into_response(),
    };
    embed(&app, shown, body).await.unwrap_or_else(IntoResponse::into_response)
}

async fn embed(app: &App, shown: Option<&str>, body: EmbedBody) -> Result<Response, OpenAiError> {
    site_of(app, shown, &body.model)?;
    let texts = match body.input {
        Input::One(text) => vec![text],
        Input::Many(texts) => texts,
        Input::Tokens(tokens) => {
            let message = format!(
                "input takes a text or a list of texts; these {} values are something else, such as another model's tokens",
                tokens.len()
            );
            return Err(bad("input", message));
        }
    };
    within(&texts, "input")?;
    let as_text = match body.encoding_format.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(format) => {
            return Err(bad(
                "encoding_format",
                format!("encoding_format {format:?} is not taken; write float or base64"),
            ));
        }
    };
    let embedder = &app.spine.retrieval.embedder;
    if body.dimensions.is_some_and(|wanted| wanted != embedder.dims()) {
        return Err(bad(
            "dimensions",
            format!("the model has {} dimensions, no others", embedder.dims()),
        ));
    }
    let _place = place(&app.tasks, &app.texts)?;
    let tokens: u32 = texts.iter().map(|text| app.spine.retrieval.count_tokens(text)).sum();
    let vectors = embedder.embed(texts).await.map_err(|error| unavailable(&error))?;
    let data: Vec<Value> = vectors
        .into_iter()
        .enumerate()
        .map(|(index, vector)| {
            let embedding = if as_text {
                let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
                json!(base64::engine::general_purpose::STANDARD.encode(bytes))
            } else {
                json!(vector)
            };
            json!({ "object": "embedding", "index": index, "embedding": embedding })
        })
        .collect();
    let usage = json!({ "prompt_tokens": tokens, "total_tokens": tokens });
    Ok(Json(json!({ "object": "list", "data": data, "model": body.model, "usage": usage }))
        .into_response())
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "an object")]
struct RerankBody {
    model: String,
    query: String,
    documents: Vec<Document>,
    top_n: Option<usize>,
    return_documents: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a string or an object with the string text")]
enum Document {
    Text(String),
    Object { text: String },
}

/// `POST /v1/rerank`.
pub(super) async fn rerank(State(app): State<App>, request: Request) -> Response {
    let headers = request.headers().clone();
    let shown = crate::http::header_text(&headers, header::AUTHORIZATION);
    let body = match Json::<RerankBody>::from_request(request, &()).await {
        Ok(Json(body)) => body,
        Err(rejection) => return rejected(&rejection, MAX_BODY).into_response(),
    };
    judge(&app, shown, body).await.unwrap_or_else(IntoResponse::into_response)
}

async fn judge(app: &App, shown: Option<&str>, body: RerankBody) -> Result<Response, OpenAiError> {
    site_of(app, shown, &body.model)?;
    let Some(reranker) = &app.spine.reranker else {
        let message =
            "no cross-encoder is configured here (knowledge.reranker), so nothing is reranked";
        return Err(OpenAiError::new(
            StatusCode::NOT_FOUND,
            ApiError::new(ErrorCode::NotFound, message),
        ));
    };
    let documents = body.documents.into_iter();
    let texts: Vec<String> = documents
        .map(|document| match document {
            Document::Text(text) | Document::Object { text } => text,
        })
        .collect();
    within(&texts, "documents")?;
    within(std::slice::from_ref(&body.query), "query")?;
    let _place = place(&app.tasks, &app.texts)?;
    let logits = reranker.score(&body.query, &texts).await.map_err(|error| unavailable(&error))?;
    let mut ranked: Vec<(usize, f32)> = logits.into_iter().enumerate().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let results: Vec<Value> = ranked
        .into_iter()
        .take(body.top_n.unwrap_or(usize::MAX))
        .map(|(index, logit)| {
            // The probability that the model was trained to give.
            let mut result =
                json!({ "index": index, "relevance_score": 1.0 / (1.0 + (-logit).exp()) });
            if body.return_documents == Some(true) {
                result["document"] = json!({ "text": texts.get(index) });
            }
            result
        })
        .collect();
    let tokens = texts
        .iter()
        .chain([&body.query])
        .map(|text| app.spine.retrieval.count_tokens(text))
        .sum::<u32>();
    Ok(Json(json!({
        "id": format!("rerank-{}", crate::secret::random_id()),
        "object": "list",
        "model": body.model,
        "results": results,
        "usage": { "total_tokens": tokens },
        // Where clients of Cohere's API look for it; some refuse an answer without.
        "meta": { "tokens": { "input_tokens": tokens } },
    }))
    .into_response())
}

/// A place among the requests that are computed.
fn place<'a>(tasks: &Tasks, texts: &'a Semaphore) -> Result<SemaphorePermit<'a>, ApiError> {
    if tasks.is_draining() {
        return Err(ApiError::draining());
    }
    texts.try_acquire().map_err(|_| {
        let message = format!(
            "{AT_ONCE} requests for embeddings or reranking are computed already; try again soon"
        );
        ApiError::new(ErrorCode::Overloaded, message).retry(BUSY_MS)
    })
}

fn within(texts: &[String], param: &str) -> Result<(), OpenAiError> {
    if texts.is_empty() || texts.len() > MAX_TEXTS {
        return Err(bad(param, format!("{param} takes 1 to {MAX_TEXTS} texts")));
    }
    let bad_text = |text: &String| text.trim().is_empty() || text.chars().count() > MAX_CHARS;
    if texts.iter().any(bad_text) {
        return Err(bad(param, format!("{param} takes texts of 1 to {MAX_CHARS} characters")));
    }
    Ok(())
}

fn unavailable(error: &dyn std::fmt::Display) -> OpenAiError {
    tracing::warn!(%error, "texts could not be embedded or judged for a program");
    let error = ApiError::new(ErrorCode::Overloaded, "the model is busy or failed; try again soon")
        .retry(1_000);
    OpenAiError::new(StatusCode::SERVICE_UNAVAILABLE, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_computed_at_once_and_none_while_the_server_ends() {
        let (tasks, texts) = (Tasks::default(), Semaphore::new(AT_ONCE));
        let mut held: Vec<_> = (0..AT_ONCE).map(|_| place(&tasks, &texts).unwrap()).collect();
        let refused = |code: ErrorCode| {
            let error = place(&tasks, &texts).unwrap_err();
            assert_eq!(error.code, code);
            let response = OpenAiError::from(error).into_response();
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert!(response.headers().contains_key(header::RETRY_AFTER));
        };
        refused(ErrorCode::Overloaded);
        held.pop();
        drop(place(&tasks, &texts).unwrap());
        tasks.drain();
        refused(ErrorCode::Draining);
    }
}
