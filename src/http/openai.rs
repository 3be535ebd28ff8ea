//! The same turn for programs that speak OpenAI's API: `/v1/chat/completions`, stateless, to which
//! the client sends the history, and `/v1/responses`; and the models behind the search, as
//! `/v1/embeddings` and `/v1/rerank`.
//!
//! Wire format: <https://platform.openai.com/docs/api-reference/chat>. Beyond it the answer carries
//! `citations`, `confidence` and `end`; unknown request fields are passed over as that API's
//! clients expect, and `null` is a field that isn't there.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequest as _, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt as _};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::conversation::{AnswerEnd, Citation, Line, Verdict};
use crate::http::App;
use crate::http::auth::{Reach, Scope};
use crate::http::error::{ApiError, OpenAiError};
use crate::http::routes::{Access, Table};
use crate::llm::Sampling;
use crate::llm::text::TextStream;
use crate::protocol::{ErrorCode, MAX_MESSAGE_CHARS};
use crate::retrieval::{Audience, Retrieval};
use crate::secret::random_id;
use crate::site::{Answers, Site};
use crate::turn::gate::Ticket;
use crate::turn::{self, Ask, Outlet, Output, TurnError};
use rejected::rejected;

mod rejected;
mod responses;
mod vectors;

pub use responses::Remembered;
pub use vectors::AT_ONCE;

/// Largest body: as many messages as may be, as long as they may be, of characters that JSON writes
/// in six bytes.
const MAX_BODY: usize = MAX_MESSAGES * MAX_MESSAGE_CHARS * 6 + 64 * 1024;
/// Messages a request may carry.
const MAX_MESSAGES: usize = 200;
/// Stop strings a request may carry, as in OpenAI's API.
const MAX_STOPS: usize = 4;

#[derive(Debug, Deserialize)]
#[serde(expecting = "an object")]
pub(super) struct Body {
    /// `frontdesk`, or `frontdesk/<site>`.
    model: String,
    messages: Vec<InMessage>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<u32>,
    max_completion_tokens: Option<u32>,
    temperature: Option<f32>,
    top_p: Option<f32>,
    seed: Option<i64>,
    stop: Option<OneOrMany>,
    n: Option<u32>,
    tool_choice: Option<Value>,
    response_format: Option<Value>,
    logprobs: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "an object")]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "an object with role and content")]
struct InMessage {
    role: String,
    content: Option<Content>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a string or a list of parts")]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "an object with type and text")]
struct Part {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a string or a list of strings")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

pub(super) fn routes() -> Table {
    const ACCESS: Access = Access::ItsSites(Scope::Chat);
    Table::default()
        .post("/v1/chat/completions", ACCESS, completions)
        .largest_body(MAX_BODY)
        .post("/v1/responses", ACCESS, responses::create)
        .largest_body(MAX_BODY)
        .post("/v1/embeddings", ACCESS, vectors::embeddings)
        .largest_body(vectors::MAX_BODY)
        .post("/v1/rerank", ACCESS, vectors::rerank)
        .largest_body(vectors::MAX_BODY)
        .get("/v1/models", ACCESS, models)
        .get("/v1/models/{*id}", ACCESS, model)
}

/// `GET /v1/models`.
async fn models(State(app): State<App>, headers: HeaderMap) -> Response {
    let shown = super::header_text(&headers, header::AUTHORIZATION);
    let data: Vec<_> = app
        .sites
        .now()
        .iter()
        .filter(|site| site.answers == Answers::Send)
        .filter(|site| app.keys.check(shown, Scope::Chat, Reach::Site(&site.id)).is_some())
        .map(|site| described(&format!("frontdesk/{}", site.id)))
        .collect();
    Json(json!({ "object": "list", "data": data })).into_response()
}

/// `GET /v1/models/{id}`.
async fn model(State(app): State<App>, headers: HeaderMap, Path(id): Path<String>) -> Response {
    let shown = super::header_text(&headers, header::AUTHORIZATION);
    match site_of(&app, shown, &id) {
        Ok(_) => Json(described(&id)).into_response(),
        Err(error) => error.into_response(),
    }
}

fn described(id: &str) -> Value {
    json!({ "id": id, "object": "model", "created": 0, "owned_by": "frontdesk" })
}

/// `POST /v1/chat/completions`. The body is read once the key is known: it may be large.
async fn completions(State(app): State<App>, request: Request) -> Response {
    let headers = request.headers().clone();
    let shown = super::header_text(&headers, header::AUTHORIZATION);
    let body = match Json::<Body>::from_request(request, &()).await {
        Ok(Json(body)) => body,
        Err(rejection) => return rejected(&rejection, MAX_BODY).into_response(),
    };
    match begin(&app, shown, body) {
        // A stream takes a place of those for visitors' connections.
        Ok(job) if job.streamed => match app.connection() {
            Ok(permit) => stream(app, job, permit),
            Err(error) => OpenAiError::new(StatusCode::TOO_MANY_REQUESTS, error).into_response(),
        },
        Ok(job) => whole(app, job).await,
        Err(error) => error.into_response(),
    }
}

/// A completion that has a place.
struct Job {
    ask: Ask,
    ticket: Ticket,
    model: String,
    streamed: bool,
    include_usage: bool,
}

/// The site that a model's name means, if the key may use it.
fn site_of(app: &App, shown: Option<&str>, model: &str) -> Result<Arc<Site>, OpenAiError> {
    let key = app.keys.any(shown, Scope::Chat);
    let site =
        match (model.strip_prefix("frontdesk/"), key.as_ref().and_then(|key| key.site.as_ref())) {
            (Some(id), _) => app.site(id),
            // Without a site, the key's own, or the first.
            (None, Some(id)) if model == "frontdesk" => app.site(id),
            (None, None) if model == "frontdesk" => app.sites.now().first().cloned(),
            (None, _) => None,
        };
    let unknown = || {
        let message = format!(
            "there is no model {model:?}; GET /v1/models lists those that this key may use"
        );
        OpenAiError::new(StatusCode::NOT_FOUND, ApiError::new(ErrorCode::UnknownSite, message))
            .param("model")
    };
    let site =
        site.filter(|site| app.keys.check(shown, Scope::Chat, Reach::Site(&site.id)).is_some());
    let site = site.ok_or_else(unknown)?;
    if site.answers == Answers::Suggest {
        let message = format!(
            "the site {:?} sends nothing without a person (answers = \"suggest\"), so its answers aren't given here; open a \
             conversation over /v1/chat or /v1/chat/messages, and an agent answers",
            site.id
        );
        return Err(ApiError::new(ErrorCode::Forbidden, message).into());
    }
    Ok(site)
}

/// What would be passed over silently, and change what the answer means to its reader, is refused.
fn unsupported(body: &Body) -> Result<(), OpenAiError> {
    if body.n.is_some_and(|n| n != 1) {
        return Err(bad(
            "n",
            "n must be 1: an answer is what the knowledge supports, and there is one",
        ));
    }
    no_calls(body.tool_choice.as_ref())?;
    let format =
        body.response_format.as_ref().and_then(|format| format.get("type")).and_then(Value::as_str);
    if let Some(format) = format.filter(|format| *format != "text") {
        return Err(bad(
            "response_format",
            format!("response_format {format:?} is not taken; answers are text"),
        ));
    }
    if body.logprobs == Some(true) {
        return Err(bad(
            "logprobs",
            "logprobs are not given: answers may be quoted, which has no probabilities",
        ));
    }
    if body.max_completion_tokens.or(body.max_tokens) == Some(0) {
        return Err(bad("max_tokens", "max_tokens must be at least 1"));
    }
    Ok(())
}

fn begin(app: &App, shown: Option<&str>, body: Body) -> Result<Job, OpenAiError> {
    let site = site_of(app, shown, &body.model)?;
    unsupported(&body)?;
    let (model, streamed) = (body.model.clone(), body.stream == Some(true));
    let include_usage =
        body.stream_options.as_ref().is_some_and(|options| options.include_usage == Some(true));
    let ask = ask(app, &site, body)?;
    let ticket = place(app, &ask.site)?;
    Ok(Job { ask, ticket, model, streamed, include_usage })
}

/// A choice of tools that only leaves room for a call.
fn no_calls(choice: Option<&Value>) -> Result<(), OpenAiError> {
    if choice.is_some_and(|choice| choice == "required" || choice.is_object()) {
        return Err(bad(
            "tool_choice",
            "tool_choice can't ask for a call: no tools are called here; leave it out, or use \"auto\" or \"none\"",
        ));
    }
    Ok(())
}

/// A place among those of a site who are answered.
fn place(app: &App, site: &str) -> Result<Ticket, OpenAiError> {
    if app.tasks.is_draining() {
        return Err(ApiError::draining().into());
    }
    app.gate.enter(site).map_err(|full| {
        app.metrics.refused_overload.inc();
        OpenAiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            ApiError::new(ErrorCode::Overloaded, full.to_string()).retry(full.retry_after_ms),
        )
    })
}

fn ask(app: &App, site: &Site, body: Body) -> Result<Ask, OpenAiError> {
    if body.messages.len() > MAX_MESSAGES {
        return Err(bad("messages", format!("at most {MAX_MESSAGES} messages are taken")));
    }
    let mut lines = Vec::new();
    for (i, message) in body.messages.into_iter().enumerate() {
        let text = match message.content {
            None => String::new(),
            Some(Content::Text(text)) => text,
            Some(Content::Parts(parts)) => {
                let mut text = String::new();
                for part in parts {
                    match (part.kind.as_str(), part.text) {
                        ("text", Some(piece)) => text.push_str(&piece),
                        // Another model's refusal in the history answers nothing.
                        ("refusal", _) => {}
                        (kind, _) => {
                            return Err(bad(
                                format!("messages[{i}].content"),
                                format!(
                                    "messages[{i}]: content of type {kind:?} is not taken, only text"
                                ),
                            ));
                        }
                    }
                }
                text
            }
        };
        let param = || format!("messages[{i}]");
        take(&mut lines, &message.role, text, &param)?;
    }
    let stop = match body.stop {
        None => Vec::new(),
        Some(OneOrMany::One(stop)) => vec![stop],
        Some(OneOrMany::Many(stops)) => stops,
    };
    if stop.len() > MAX_STOPS || stop.iter().any(|stop| stop.is_empty() || stop.len() > 256) {
        return Err(bad(
            "stop",
            format!("stop takes at most {MAX_STOPS} strings of 1 to 256 bytes"),
        ));
    }
    let wanted = Wanted {
        temperature: body.temperature,
        top_p: body.top_p,
        seed: body.seed,
        max_tokens: body.max_completion_tokens.or(body.max_tokens),
        stop,
    };
    wanted.ask(app, site, lines, "messages")
}

/// Adds a message to the conversation, if its words are the visitor's or the assistant's.
fn take(
    lines: &mut Vec<Line>,
    role: &str,
    text: String,
    param: &dyn Fn() -> String,
) -> Result<(), OpenAiError> {
    let by_visitor = match role {
        "user" => true,
        "assistant" => false,
        // The site's own prompt decides how answers are made; instructions from outside are not
        // passed on, however long. What other programs' tools found is no knowledge of the site.
        "system" | "developer" | "tool" | "function" => return Ok(()),
        role => return Err(bad(param(), format!("{}: the role {role:?} is not taken", param()))),
    };
    if text.chars().count() > MAX_MESSAGE_CHARS {
        let message = format!("{} has more than {MAX_MESSAGE_CHARS} characters", param());
        return Err(OpenAiError::from(ApiError::new(ErrorCode::TooLarge, message)).param(param()));
    }
    // A call of a tool has no words.
    if by_visitor || !text.is_empty() {
        lines.push(Line { by_visitor, text });
    }
    Ok(())
}

/// How an answer is wanted.
#[derive(Debug, Default)]
struct Wanted {
    temperature: Option<f32>,
    top_p: Option<f32>,
    seed: Option<i64>,
    max_tokens: Option<u32>,
    stop: Vec<String>,
}

impl Wanted {
    /// The last of `lines`, asked after the others. `param` names the field that they came in.
    fn ask(
        self,
        app: &App,
        site: &Site,
        mut lines: Vec<Line>,
        param: &str,
    ) -> Result<Ask, OpenAiError> {
        let question = match lines.pop() {
            Some(Line { by_visitor: true, text }) if !text.trim().is_empty() => text,
            _ => return Err(bad(param, "the last message must be the user's question")),
        };
        let within = |name: &str, value: Option<f32>, most: f32| match value {
            Some(value) if !(0.0..=most).contains(&value) => {
                Err(bad(name, format!("{name} must be 0 to {most}")))
            }
            value => Ok(value),
        };
        let defaults = app.spine.sampling;
        let sampling = Sampling {
            temperature: within("temperature", self.temperature, 2.0)?
                .unwrap_or(defaults.temperature),
            top_p: within("top_p", self.top_p, 1.0)?.unwrap_or(defaults.top_p),
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "any 32 bits of the seed will do"
            )]
            seed: self.seed.map(|seed| seed as u32),
            ..defaults
        };
        Ok(self.whole(site, lines, question, sampling))
    }

    fn whole(self, site: &Site, history: Vec<Line>, question: String, sampling: Sampling) -> Ask {
        Ask {
            site: site.id.clone(),
            session: None,
            facts: site.facts(),
            language: site.language.clone(),
            audience: Audience::Public,
            history,
            question,
            written: String::new(),
            sampling: Some(sampling),
            max_tokens: self.max_tokens,
            stop: self.stop,
            request: None,
            beside: String::new(),
        }
    }
}

/// Runs the turn; its output arrives in the receiver while the future is polled.
async fn run(
    app: App,
    ask: Ask,
    ticket: Ticket,
    sender: mpsc::Sender<Output>,
) -> Result<Verdict, TurnError> {
    let limit = app.answer_timeout;
    let answer = async move || {
        let mut outlet = Outlet::new(sender, app.metrics.clone());
        turn::answer(&app.spine, &ask, &mut outlet).await
    };
    ticket.run(None, limit, answer).await
}

/// Keeps an answer within `stop` and `max_tokens`, whatever it is made of: quotes and templates
/// know neither.
struct Clip {
    stops: TextStream,
    max_tokens: Option<u32>,
    retrieval: Retrieval,
    sent: String,
    cut: Option<AnswerEnd>,
}

impl Clip {
    fn new(app: &App, ask: &Ask) -> Self {
        Self {
            stops: TextStream::new(&ask.stop),
            max_tokens: ask.max_tokens,
            retrieval: app.spine.retrieval.clone(),
            sent: String::new(),
            cut: None,
        }
    }

    /// What of the text may go out.
    fn push(&mut self, text: &str) -> String {
        if self.cut.is_some() {
            return String::new();
        }
        let piece = self.stops.push(text.as_bytes());
        let kept = self.within(piece.text);
        if piece.stopped && self.cut.is_none() {
            self.cut = Some(AnswerEnd::Complete);
        }
        kept
    }

    /// What was held back as the possible beginning of a stop string, at the end.
    fn finish(&mut self) -> String {
        let held = std::mem::take(&mut self.stops).finish();
        if self.cut.is_some() { String::new() } else { self.within(held) }
    }

    fn within(&mut self, mut text: String) -> String {
        let Some(most) = self.max_tokens else {
            self.sent.push_str(&text);
            return text;
        };
        let tokens = |text: &str| self.retrieval.count_tokens(text);
        let before = self.sent.len();
        let whole = std::mem::take(&mut self.sent) + &text;
        if tokens(&whole) > most {
            self.cut = Some(AnswerEnd::Length);
            let ends: Vec<usize> =
                whole.char_indices().map(|(at, _)| at).filter(|at| *at >= before).collect();
            // More text has no fewer tokens, or hardly ever.
            let fit =
                ends.partition_point(|&end| tokens(whole.get(..end).unwrap_or_default()) <= most);
            let end = fit.checked_sub(1).and_then(|last| ends.get(last)).copied().unwrap_or(before);
            text.truncate(end - before);
        }
        self.sent = whole.get(..before).unwrap_or_default().to_owned() + &text;
        text
    }

    /// The verdict on what went out.
    fn verdict(&self, verdict: Verdict) -> Verdict {
        let Some(end) = self.cut else { return verdict };
        let usage = crate::conversation::Usage {
            completion_tokens: self.retrieval.count_tokens(&self.sent),
            ..verdict.usage
        };
        Verdict { end, usage, ..verdict }
    }
}

/// Of an answer as it is made.
enum Piece {
    /// Text that may go out; never empty.
    Text(String),
    /// The last one.
    End(Result<Verdict, ApiError>),
}

/// The answer, within `stop` and `max_tokens`. Dropping the stream stops it.
fn pieces(app: App, ask: Ask, ticket: Ticket) -> impl Stream<Item = Piece> {
    async_stream::stream! {
        let mut clip = Clip::new(&app, &ask);
        let (sender, mut outputs) = mpsc::channel(32);
        let mut work = std::pin::pin!(run(app, ask, ticket, sender));
        let mut ended = None;
        let result = loop {
            let output = tokio::select! {
                biased;
                output = outputs.recv() => output,
                result = &mut work, if ended.is_none() => {
                    ended = Some(result);
                    continue;
                }
            };
            match output {
                Some(Output::Text(text)) => {
                    let text = clip.push(&text);
                    if !text.is_empty() {
                        yield Piece::Text(text);
                    }
                }
                Some(_) => {}
                None => break match ended.take() {
                    Some(result) => result,
                    None => (&mut work).await,
                },
            }
        };
        let rest = clip.finish();
        if !rest.is_empty() {
            yield Piece::Text(rest);
        }
        yield Piece::End(result.map(|verdict| clip.verdict(verdict)).map_err(|error| failed(&error)));
    }
}

/// All of an answer's text, and how it ended.
async fn gathered(app: App, ask: Ask, ticket: Ticket) -> Result<(String, Verdict), OpenAiError> {
    let mut pieces = std::pin::pin!(pieces(app, ask, ticket));
    let mut text = String::new();
    while let Some(piece) = pieces.next().await {
        match piece {
            Piece::Text(more) => text.push_str(&more),
            Piece::End(result) => return Ok((text, result?)),
        }
    }
    Err(ApiError::new(ErrorCode::AnswerFailed, "the answer broke off").into())
}

async fn whole(app: App, job: Job) -> Response {
    let created = app.spine.clock.now_ms() / 1000;
    match gathered(app, job.ask, job.ticket).await {
        Ok((text, verdict)) => Json(json!({
            "id": format!("chatcmpl-{}", random_id()),
            "object": "chat.completion",
            "created": created,
            "model": job.model,
            "choices": [{
                "index": 0,
                "message": { "role": "assistant", "content": text, "refusal": null },
                "logprobs": null,
                "finish_reason": finish_reason(verdict.end),
            }],
            "usage": usage(&verdict),
            "citations": verdict.citations,
            "confidence": verdict.confidence,
            "end": verdict.end,
        }))
        .into_response(),
        Err(error) => error.into_response(),
    }
}

fn stream(app: App, job: Job, permit: OwnedSemaphorePermit) -> Response {
    let Job { ask, ticket, model, include_usage, .. } = job;
    let (id, created) = (format!("chatcmpl-{}", random_id()), app.spine.clock.now_ms() / 1000);
    let chunk = move |delta: Value, finish: Option<&str>| {
        let choices =
            json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish }]);
        json!({ "id": id, "object": "chat.completion.chunk", "created": created, "model": model, "choices": choices })
    };
    let events = async_stream::stream! {
        let _permit = permit;
        yield chunk(json!({ "role": "assistant", "content": "" }), None).to_string();
        let mut pieces = std::pin::pin!(pieces(app, ask, ticket));
        while let Some(piece) = pieces.next().await {
            match piece {
                Piece::Text(text) => yield chunk(json!({ "content": text }), None).to_string(),
                Piece::End(Ok(verdict)) => {
                    let mut last = chunk(json!({}), Some(finish_reason(verdict.end)));
                    last["citations"] = json!(verdict.citations as Vec<Citation>);
                    last["confidence"] = json!(verdict.confidence);
                    last["end"] = json!(verdict.end);
                    yield last.to_string();
                    if include_usage {
                        let mut usage_chunk = chunk(json!({}), None);
                        usage_chunk["choices"] = json!([]);
                        usage_chunk["usage"] = usage_of(verdict.usage);
                        yield usage_chunk.to_string();
                    }
                }
                Piece::End(Err(error)) => {
                    yield json!({ "error": { "message": error.message, "type": "server_error", "code": error.code } }).to_string();
                }
            }
        }
        yield "[DONE]".to_owned();
    };
    let events = events.map(|data| Ok::<_, Infallible>(SseEvent::default().data(data)));
    super::streamed(Sse::new(events).keep_alive(KeepAlive::default()))
}

fn usage(verdict: &Verdict) -> Value {
    usage_of(verdict.usage)
}

fn usage_of(usage: crate::conversation::Usage) -> Value {
    json!({
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        // What the cache had would tell what others asked.
        "prompt_tokens_details": { "cached_tokens": 0 },
    })
}

fn finish_reason(end: AnswerEnd) -> &'static str {
    if end == AnswerEnd::Length { "length" } else { "stop" }
}

fn failed(error: &TurnError) -> ApiError {
    if let TurnError::Llm(crate::llm::LlmError::Overloaded { retry_after_ms, .. }) = error {
        return ApiError::new(ErrorCode::Overloaded, error.to_string()).retry(*retry_after_ms);
    }
    tracing::error!(%error, "a completion failed");
    if let TurnError::TimedOut { .. } = error {
        return ApiError::new(
            ErrorCode::AnswerFailed,
            format!("the answer could not be made: {error}"),
        );
    }
    ApiError::new(
        ErrorCode::AnswerFailed,
        "the answer could not be made; the server's log says why",
    )
}

fn bad(param: impl Into<String>, message: impl Into<String>) -> OpenAiError {
    OpenAiError::from(ApiError::new(ErrorCode::BadMessage, message)).param(param)
}
