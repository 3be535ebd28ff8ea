//! `POST /v1/responses`, which OpenAI's newer clients ask first:
//! <https://platform.openai.com/docs/api-reference/responses>.
//!
//! `previous_response_id` goes on with a conversation that this server remembers in memory, within
//! limits, until it restarts; a client that sends the whole history as `input` needs none of it.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};

use axum::Json;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::{StatusCode, header};
use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;

use super::{
    Content, MAX_BODY, MAX_MESSAGES, Piece, Wanted, bad, gathered, no_calls, pieces, place,
    rejected, site_of, take,
};
use crate::conversation::{AnswerEnd, Line, Verdict};
use crate::http::App;
use crate::http::error::OpenAiError;
use crate::secret::random_id;
use crate::turn::Ask;
use crate::turn::gate::Ticket;

#[derive(Debug, Deserialize)]
#[serde(expecting = "an object")]
struct Body {
    /// `frontdesk`, or `frontdesk/<site>`.
    model: String,
    input: Option<Input>,
    previous_response_id: Option<String>,
    stream: Option<bool>,
    store: Option<bool>,
    background: Option<bool>,
    max_output_tokens: Option<u32>,
    temperature: Option<f32>,
    top_p: Option<f32>,
    text: Option<TextOptions>,
    tool_choice: Option<Value>,
    metadata: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a string or a list of messages")]
enum Input {
    Text(String),
    Items(Vec<Item>),
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "an object")]
struct Item {
    /// A message where it is left out.
    #[serde(rename = "type")]
    kind: Option<String>,
    role: Option<String>,
    content: Option<Content>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "an object")]
struct TextOptions {
    format: Option<Value>,
}

/// A response that has a place.
struct Job {
    ask: Ask,
    ticket: Ticket,
    head: Head,
    streamed: bool,
    /// What to remember of the request, if anything.
    kept: Option<Vec<Line>>,
}

/// What every form of a response repeats.
#[derive(Clone)]
struct Head {
    id: String,
    item: String,
    created: u64,
    model: String,
    previous: Option<String>,
    max_output_tokens: Option<u32>,
    temperature: Option<f32>,
    top_p: Option<f32>,
    metadata: Value,
    store: bool,
}

/// `POST /v1/responses`. The body is read once the key is known: it may be large.
pub(super) async fn create(State(app): State<App>, request: Request) -> Response {
    let headers = request.headers().clone();
    let shown = crate::http::header_text(&headers, header::AUTHORIZATION);
    let body = match Json::<Body>::from_request(request, &()).await {
        Ok(Json(body)) => body,
        Err(rejection) => return rejected(&rejection, MAX_BODY).into_response(),
    };
    match begin(&app, shown, body) {
        Ok(job) if job.streamed => match app.connection() {
            Ok(permit) => stream(app, job, permit),
            Err(error) => OpenAiError::new(StatusCode::TOO_MANY_REQUESTS, error).into_response(),
        },
        Ok(job) => whole(app, job).await,
        Err(error) => error.into_response(),
    }
}

fn begin(app: &App, shown: Option<&str>, body: Body) -> Result<Job, OpenAiError> {
    let site = site_of(app, shown, &body.model)?;
    no_calls(body.tool_choice.as_ref())?;
    let format = body
        .text
        .as_ref()
        .and_then(|text| text.format.as_ref())
        .and_then(|format| format["type"].as_str());
    if let Some(format) = format.filter(|format| *format != "text") {
        return Err(bad(
            "text.format",
            format!("text.format {format:?} is not taken; answers are text"),
        ));
    }
    if body.background == Some(true) {
        return Err(bad(
            "background",
            "background is not taken: an answer is given at once, or refused",
        ));
    }
    if body.max_output_tokens == Some(0) {
        return Err(bad("max_output_tokens", "max_output_tokens must be at least 1"));
    }
    let new = lines(body.input)?;
    let mut all = match &body.previous_response_id {
        None => Vec::new(),
        Some(id) => app.responses.conversation(id, &site.id).ok_or_else(|| {
            bad(
                "previous_response_id",
                format!(
                    "the response {id:?} is not remembered here; send the conversation as input (responses are kept in memory, \
                     with store: true, until the server restarts or newer ones take their room)"
                ),
            )
        })?,
    };
    all.extend(new.iter().cloned());
    let oldest = all.len().saturating_sub(MAX_MESSAGES);
    let all = all.split_off(oldest);
    let wanted = Wanted {
        temperature: body.temperature,
        top_p: body.top_p,
        max_tokens: body.max_output_tokens,
        ..Wanted::default()
    };
    let ask = wanted.ask(app, &site, all, "input")?;
    let store = body.store != Some(false);
    let ticket = place(app, &ask.site)?;
    Ok(Job {
        ask,
        ticket,
        streamed: body.stream == Some(true),
        kept: store.then_some(new),
        head: Head {
            id: format!("resp_{}", random_id()),
            item: format!("msg_{}", random_id()),
            created: app.spine.clock.now_ms() / 1000,
            model: body.model,
            previous: body.previous_response_id,
            max_output_tokens: body.max_output_tokens,
            temperature: body.temperature,
            top_p: body.top_p,
            metadata: body.metadata.filter(Value::is_object).unwrap_or_else(|| json!({})),
            store,
        },
    })
}

/// The messages of the input; calls of tools, their results and other models' reasoning are passed
/// over.
fn lines(input: Option<Input>) -> Result<Vec<Line>, OpenAiError> {
    let items = match input {
        None => return Err(bad("input", "input is missing: the user's question, or messages")),
        Some(Input::Text(text)) => {
            vec![Item { kind: None, role: Some("user".into()), content: Some(Content::Text(text)) }]
        }
        Some(Input::Items(items)) => items,
    };
    if items.len() > MAX_MESSAGES {
        return Err(bad("input", format!("at most {MAX_MESSAGES} items are taken")));
    }
    let mut lines = Vec::new();
    for (i, item) in items.into_iter().enumerate() {
        if item.kind.as_deref().is_some_and(|kind| kind != "message") {
            continue;
        }
        let param = || format!("input[{i}]");
        let text = match item.content {
            None => String::new(),
            Some(Content::Text(text)) => text,
            Some(Content::Parts(parts)) => {
                let mut text = String::new();
                for part in parts {
                    match (part.kind.as_str(), part.text) {
                        ("input_text" | "output_text" | "text", Some(piece)) => {
                            text.push_str(&piece)
                        }
                        ("refusal", _) => {}
                        (kind, _) => {
                            let message = format!(
                                "input[{i}]: content of type {kind:?} is not taken, only text"
                            );
                            return Err(bad(format!("input[{i}].content"), message));
                        }
                    }
                }
                text
            }
        };
        take(&mut lines, item.role.as_deref().unwrap_or_default(), text, &param)?;
    }
    Ok(lines)
}

impl Head {
    /// The response as an object; `output` is empty until its text is known.
    fn response(
        &self,
        status: &str,
        output: &Value,
        verdict: Option<&Verdict>,
        error: &Value,
    ) -> Value {
        let incomplete = match verdict {
            Some(verdict) if verdict.end == AnswerEnd::Length => {
                json!({ "reason": "max_output_tokens" })
            }
            _ => Value::Null,
        };
        let usage = verdict.map(|verdict| {
            let usage = verdict.usage;
            json!({
                "input_tokens": usage.prompt_tokens,
                // What the cache had would tell what others asked.
                "input_tokens_details": { "cached_tokens": 0 },
                "output_tokens": usage.completion_tokens,
                "output_tokens_details": { "reasoning_tokens": 0 },
                "total_tokens": usage.prompt_tokens + usage.completion_tokens,
            })
        });
        let mut response = json!({
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "status": status,
            "background": false,
            "error": error,
            "incomplete_details": incomplete,
            "instructions": null,
            "max_output_tokens": self.max_output_tokens,
            "model": self.model,
            "output": output,
            "parallel_tool_calls": true,
            "previous_response_id": self.previous,
            "reasoning": { "effort": null, "summary": null },
            "store": self.store,
            "temperature": self.temperature,
            "text": { "format": { "type": "text" } },
            "tool_choice": "auto",
            "tools": [],
            "top_p": self.top_p,
            "truncation": "disabled",
            "usage": usage,
            "user": null,
            "metadata": self.metadata,
        });
        if let Some(verdict) = verdict {
            response["citations"] = json!(verdict.citations);
            response["confidence"] = json!(verdict.confidence);
            response["end"] = json!(verdict.end);
        }
        response
    }

    /// The answer as the response's one message.
    fn message(&self, status: &str, text: Option<&str>) -> Value {
        let content: Vec<Value> = text.map(part).into_iter().collect();
        json!({ "id": self.item, "type": "message", "status": status, "role": "assistant", "content": content })
    }

    fn finished(&self, text: &str, verdict: &Verdict) -> Value {
        let status = status(verdict);
        self.response(
            status,
            &json!([self.message(status, Some(text))]),
            Some(verdict),
            &Value::Null,
        )
    }
}

fn part(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

fn status(verdict: &Verdict) -> &'static str {
    if verdict.end == AnswerEnd::Length { "incomplete" } else { "completed" }
}

async fn whole(app: App, job: Job) -> Response {
    let Job { ask, ticket, head, kept, .. } = job;
    let site = ask.site.clone();
    match gathered(app.clone(), ask, ticket).await {
        Ok((text, verdict)) => {
            app.responses.keep(&head, &site, kept, &text);
            Json(head.finished(&text, &verdict)).into_response()
        }
        Err(error) => error.into_response(),
    }
}

fn stream(app: App, job: Job, permit: OwnedSemaphorePermit) -> Response {
    let Job { ask, ticket, head, kept, .. } = job;
    let site = ask.site.clone();
    let mut number = 0_u64;
    let mut event = move |kind: &str, mut data: Value| {
        data["type"] = json!(kind);
        data["sequence_number"] = json!(number);
        number += 1;
        SseEvent::default().event(kind).data(data.to_string())
    };
    let events = async_stream::stream! {
        let _permit = permit;
        let begun = head.response("in_progress", &json!([]), None, &Value::Null);
        let item = head.item.clone();
        let at = |mut data: Value| {
            data["item_id"] = json!(item);
            data["output_index"] = json!(0);
            data["content_index"] = json!(0);
            data
        };
        yield event("response.created", json!({ "response": begun }));
        yield event("response.in_progress", json!({ "response": begun }));
        let message = head.message("in_progress", None);
        yield event("response.output_item.added", json!({ "output_index": 0, "item": message }));
        yield event("response.content_part.added", at(json!({ "part": part("") })));
        let (mut text, mut kept) = (String::new(), kept);
        let mut pieces = std::pin::pin!(pieces(app.clone(), ask, ticket));
        while let Some(piece) = pieces.next().await {
            match piece {
                Piece::Text(more) => {
                    text.push_str(&more);
                    yield event("response.output_text.delta", at(json!({ "delta": more, "logprobs": [] })));
                }
                Piece::End(Ok(verdict)) => {
                    app.responses.keep(&head, &site, kept.take(), &text);
                    let status = status(&verdict);
                    yield event("response.output_text.done", at(json!({ "text": text, "logprobs": [] })));
                    yield event("response.content_part.done", at(json!({ "part": part(&text) })));
                    let message = head.message(status, Some(&text));
                    yield event("response.output_item.done", json!({ "output_index": 0, "item": message }));
                    let kind = if status == "completed" { "response.completed" } else { "response.incomplete" };
                    yield event(kind, json!({ "response": head.finished(&text, &verdict) }));
                }
                Piece::End(Err(error)) => {
                    let error = json!({ "code": "server_error", "message": error.message });
                    let response = head.response("failed", &json!([]), None, &error);
                    yield event("response.failed", json!({ "response": response }));
                }
            }
        }
    };
    let events = events.map(Ok::<_, Infallible>);
    crate::http::streamed(Sse::new(events).keep_alive(KeepAlive::default()))
}

/// Conversations that clients go on with by a response's id. In memory: the oldest go first when
/// there are too many.
#[derive(Debug, Default)]
pub struct Remembered(Mutex<Turns>);

#[derive(Debug, Default)]
struct Turns {
    by_id: HashMap<String, Turn>,
    order: VecDeque<String>,
    bytes: usize,
}

/// What one request brought, and its answer.
#[derive(Debug)]
struct Turn {
    site: String,
    previous: Option<String>,
    lines: Vec<Line>,
}

impl Turn {
    fn bytes(&self) -> usize {
        let text: usize = self.lines.iter().map(|line| line.text.len()).sum();
        text + 256
    }
}

impl Remembered {
    /// Bytes of all conversations together.
    const MAX_BYTES: usize = 32 << 20;

    fn keep(&self, head: &Head, site: &str, lines: Option<Vec<Line>>, answer: &str) {
        let Some(mut lines) = lines else { return };
        lines.push(Line { by_visitor: false, text: answer.to_owned() });
        let turn = Turn { site: site.to_owned(), previous: head.previous.clone(), lines };
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.bytes += turn.bytes();
        turns.order.push_back(head.id.clone());
        turns.by_id.insert(head.id.clone(), turn);
        while turns.bytes > Self::MAX_BYTES
            && let Some(oldest) = turns.order.pop_front()
        {
            let gone = turns.by_id.remove(&oldest).map_or(0, |turn| turn.bytes());
            turns.bytes = turns.bytes.saturating_sub(gone);
        }
    }

    /// What was said until a response, oldest first, as far back as it is remembered. `None` if the
    /// response isn't, or is another site's.
    fn conversation(&self, id: &str, site: &str) -> Option<Vec<Line>> {
        let turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut turn = turns.by_id.get(id).filter(|turn| turn.site == site)?;
        let mut back: Vec<&[Line]> = vec![&turn.lines];
        let mut count = turn.lines.len();
        while count < MAX_MESSAGES
            && let Some(before) = turn.previous.as_ref().and_then(|id| turns.by_id.get(id))
        {
            count += before.lines.len();
            back.push(&before.lines);
            turn = before;
        }
        Some(back.into_iter().rev().flatten().cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(id: &str, previous: Option<&str>) -> Head {
        Head {
            id: id.into(),
            item: String::new(),
            created: 0,
            model: String::new(),
            previous: previous.map(str::to_owned),
            max_output_tokens: None,
            temperature: None,
            top_p: None,
            metadata: json!({}),
            store: true,
        }
    }

    #[test]
    fn a_conversation_is_remembered_as_far_back_as_there_is_room() {
        let remembered = Remembered::default();
        let said = |text: &str| Some(vec![Line { by_visitor: true, text: text.to_owned() }]);
        let texts = |id: &str, site: &str| -> Option<Vec<String>> {
            Some(remembered.conversation(id, site)?.into_iter().map(|line| line.text).collect())
        };
        remembered.keep(&head("a", None), "shop", said("one"), "first");
        remembered.keep(&head("b", Some("a")), "shop", said("two"), "second");
        assert_eq!(texts("b", "shop").unwrap(), ["one", "first", "two", "second"]);
        assert_eq!(texts("b", "other"), None);
        remembered.keep(&head("c", None), "shop", None, "not stored");
        assert_eq!(texts("c", "shop"), None);
        remembered.keep(
            &head("d", None),
            "shop",
            said(&"x".repeat(Remembered::MAX_BYTES - 700)),
            "",
        );
        assert_eq!((texts("a", "shop"), texts("b", "shop").unwrap().len()), (None, 2));
    }
}
