//! An OpenAI-compatible server (llama-server, vLLM) as the engine, over server-sent events.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use futures_util::StreamExt as _;
use reqwest::{Response, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use tiktoken_rs::o200k_base_singleton;
use tokio::time::timeout;

use super::line::Line;
use super::text::TextStream;
use super::thoughts::Thoughts;
use super::{
    ChatMessage, Finish, LlmConfig, LlmError, ModelFacts, Request, Role, Stats, Token, TokenStream,
    yes_share,
};
use crate::conversation::Usage;

/// For a connection to the server.
const CONNECT: Duration = Duration::from_secs(5);
/// For the server's first sign of an answer: it may have a line of its own.
const FIRST: Duration = Duration::from_secs(120);
/// Between two parts of an answer.
const IDLE: Duration = Duration::from_secs(60);
/// Longer lines of an event stream are not an answer's tokens.
const LONGEST_LINE_BYTES: usize = 1 << 20;
/// Of an error's body, so much is shown.
const SHOWN_ERROR_CHARS: usize = 300;
/// When the server is busy and doesn't say for how long.
const RETRY_AFTER_MS: u64 = 2000;
/// First tokens of a yes or no that are looked at: as many as OpenAI and vLLM give.
const TOP_LOGPROBS: u32 = 20;
/// What chat formats add to each message, about.
const TOKENS_PER_MESSAGE: usize = 4;

/// Failures in a row from which the server counts as failing; a single one may be that request's
/// own.
const FAILING_FROM: u32 = 3;

/// How the last requests went.
#[derive(Debug, Default)]
struct Pulse(Mutex<Beats>);

#[derive(Debug, Default)]
struct Beats {
    failed_in_a_row: u32,
    last_error: String,
    worked_once: bool,
}

impl Pulse {
    fn note(&self, told: &Result<Token, LlmError>) {
        match told {
            Ok(Token::Done { .. }) => {
                *self.beats() = Beats { worked_once: true, ..Beats::default() }
            }
            Err(LlmError::Engine(error)) => {
                let mut beats = self.beats();
                beats.failed_in_a_row += 1;
                beats.last_error.clone_from(error);
            }
            // A busy server works.
            Ok(_) | Err(_) => {}
        }
    }

    fn failing(&self) -> Option<LlmError> {
        let beats = self.beats();
        let most = if beats.worked_once { FAILING_FROM } else { 1 };
        (beats.failed_in_a_row >= most).then(|| LlmError::Engine(beats.last_error.clone()))
    }

    /// Nothing shows that the next request will be answered.
    fn unsure(&self) -> bool {
        let beats = self.beats();
        !beats.worked_once || beats.failed_in_a_row > 0
    }

    fn beats(&self) -> MutexGuard<'_, Beats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The engine.
pub(crate) struct Remote {
    door: Door,
    url: String,
    line: Arc<Line>,
    generated: Arc<AtomicU64>,
    max_tokens: u32,
    /// That the model thinks away its tokens was said.
    thought_it_away: Arc<AtomicBool>,
    /// The server gave no probabilities once, and that was said.
    words_only: AtomicBool,
    pulse: Arc<Pulse>,
    facts: ModelFacts,
}

impl Remote {
    /// Makes a client for the base URL in `config.engine`; nothing is sent before the first
    /// request.
    pub(crate) fn start(config: &LlmConfig) -> anyhow::Result<Self> {
        // The first client of the process decides; an error means that one was there already.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            // Only the named server is called: no proxy from the environment, no redirect
            // elsewhere.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("can't make an HTTP client")?;
        let base = reqwest::Url::parse(&config.engine).context("[llm] engine is no URL")?;
        let api_key = match std::env::var("FRONTDESK_LLM_API_KEY") {
            Ok(key) if !key.is_empty() => Some(key),
            _ => Some(config.api_key.clone()).filter(|key| !key.is_empty()),
        };
        let url = format!("{}/chat/completions", base.as_str().trim_end_matches('/'));
        Ok(Self {
            door: Door { client, url: url.clone(), api_key, plain: Arc::default() },
            url,
            line: Line::new(config.parallel, config.queue),
            generated: Arc::default(),
            max_tokens: config.max_tokens,
            thought_it_away: Arc::default(),
            words_only: AtomicBool::new(false),
            pulse: Arc::default(),
            facts: ModelFacts {
                engine: base.to_string(),
                name: config.model.clone(),
                ..ModelFacts::of(config)
            },
        })
    }

    pub(crate) fn facts(&self) -> &ModelFacts {
        &self.facts
    }

    /// What the last requests met, once it can't be their own fault.
    pub(crate) fn failing(&self) -> Option<LlmError> {
        self.pulse.failing()
    }

    pub(crate) fn unsure(&self) -> bool {
        self.pulse.unsure()
    }

    pub(crate) fn line(&self) -> &Line {
        &self.line
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats {
            waiting: self.line.waiting(),
            running: self.line.running(),
            generated_tokens: self.generated.load(Ordering::Relaxed),
            ..Stats::default()
        }
    }

    /// Gets in line; the request is sent when its turn has come, and given up when the stream is
    /// dropped.
    pub(crate) fn submit(&self, request: Request) -> Result<TokenStream, LlmError> {
        let mut place = self.line.enter()?;
        let estimate = prompt_tokens(&request.messages) + count_tokens(&request.prefix);
        let limit = self.facts.context_tokens as usize;
        if estimate >= limit {
            return Err(LlmError::PromptTooLong { tokens: estimate, limit: limit - 1 });
        }
        let thinking_tokens =
            if request.prefix.is_empty() { self.facts.thinking_tokens } else { 0 };
        let body = self.body(&request, thinking_tokens);
        let (door, url) = (self.door.clone(), self.url.clone());
        let (line, generated) = (Arc::clone(&self.line), Arc::clone(&self.generated));
        let (pulse, thought_it_away) = (Arc::clone(&self.pulse), Arc::clone(&self.thought_it_away));
        let answer = async_stream::try_stream! {
            while let Some(place) = place.wait().await {
                yield Token::Queued { place };
            }
            let mut response = door.open(body, thinking_tokens > 0, &line).await?;
            yield Token::Started;

            let mut text = TextStream::new(&request.stop);
            let mut thoughts = if request.prefix.is_empty() { Thoughts::of_unknown() } else { Thoughts::none() };
            let mut thought = false;
            let mut lines = Lines::default();
            let (mut usage, mut finish, mut written) = (None, None, String::new());
            'answer: while let Some(bytes) = next_bytes(&mut response, &url).await? {
                for line in lines.push(&bytes, &url)? {
                    let chunk = match event(&line, &url)? {
                        Event::Nothing => continue,
                        Event::End => break 'answer,
                        Event::Chunk(chunk) => chunk,
                    };
                    usage = chunk.usage.or(usage);
                    let Some(choice) = chunk.choices.into_iter().next() else { continue };
                    let content = choice.delta.content.as_deref().unwrap_or_default();
                    let seen = thoughts.push(content.as_bytes(), content.as_bytes());
                    if (choice.delta.thinks() || thoughts.thinks()) && !std::mem::replace(&mut thought, true) && thinking_tokens > 0 {
                        yield Token::Thinking;
                    }
                    if !seen.is_empty() {
                        generated.fetch_add(1, Ordering::Relaxed);
                        let piece = text.push(&seen);
                        written.push_str(&piece.text);
                        if !piece.text.is_empty() {
                            yield Token::Text(piece.text);
                        }
                        if piece.stopped {
                            finish = Some(Finish::Stop);
                            break 'answer;
                        }
                    }
                    finish = choice.finish_reason.as_deref().map(finish_of).or(finish);
                }
            }
            let finish = finish.ok_or_else(|| LlmError::Engine(format!("{url} ended in the middle of an answer")))?;
            let held = text.push(&thoughts.finish());
            let rest = held.text + &text.finish();
            if thought && written.is_empty() && rest.is_empty() && !thought_it_away.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    url,
                    thinking_tokens,
                    "the server's model thought until its tokens were used up and gave no answer; raise [llm] \
                     thinking_tokens, or switch its thinking off at the server"
                );
            }
            if !rest.is_empty() {
                written.push_str(&rest);
                yield Token::Text(rest);
            }
            let usage = usage.map_or_else(
                || Usage { prompt_tokens: clamp(estimate), cached_tokens: 0, completion_tokens: clamp(count_tokens(&written)) },
                Usage::from,
            );
            drop(response);
            drop(place);
            yield Token::Done { finish, usage };
        };
        Ok(Box::pin(answer.inspect(move |told| pulse.note(told))))
    }

    /// How likely the server's model says yes rather than no, 0…1. Where the server gives no
    /// probabilities, the word itself: 1 or
    /// 0. What is sent is given up when the future is dropped.
    pub(crate) async fn judge(&self, messages: &[ChatMessage]) -> Result<f32, LlmError> {
        if self.line.closed() {
            return Err(LlmError::ShuttingDown);
        }
        let estimate = prompt_tokens(messages);
        let limit = self.facts.context_tokens as usize;
        if estimate >= limit {
            return Err(LlmError::PromptTooLong { tokens: estimate, limit: limit - 1 });
        }
        let body = json!({
            "model": self.facts.name,
            "messages": messages,
            "max_tokens": 1,
            "temperature": 0.0,
            "logprobs": true,
            "top_logprobs": TOP_LOGPROBS,
        });
        let response = self.door.open(body, false, &self.line).await?;
        let failed = |what: String| LlmError::Engine(format!("{} {what}", self.url));
        let bytes = match timeout(IDLE, response.bytes()).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) => {
                return Err(failed(format!("broke the connection: {}", causes(&error))));
            }
            Err(_) => return Err(failed(format!("went silent for {} s", IDLE.as_secs()))),
        };
        let judged: Judged = serde_json::from_slice(&bytes)
            .map_err(|error| failed(format!("sent something that is not a completion: {error}")))?;
        let Some(choice) = judged.choices.into_iter().next() else {
            return Err(failed("sent no choice".into()));
        };
        if let Some(likely) =
            choice.logprobs.and_then(|logprobs| logprobs.content?.into_iter().next())
        {
            return likely
                .yes_share()
                .ok_or_else(|| failed("finds neither yes nor no likely".into()));
        }
        if !self.words_only.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                url = self.url,
                "the server gives no probabilities (logprobs); passages are judged by its yes or no alone"
            );
        }
        match Word::of(choice.message.content.as_deref().unwrap_or_default()) {
            Some(Word::Yes) => Ok(1.0),
            Some(Word::No) => Ok(0.0),
            None => Err(failed("said neither yes nor no".into())),
        }
    }

    fn body(&self, request: &Request, thinking_tokens: u32) -> Value {
        let mut messages: Vec<Value> = request
            .messages
            .iter()
            .map(|message| json!({ "role": message.role, "content": message.content }))
            .collect();
        if !request.prefix.is_empty() {
            messages.push(json!({ "role": Role::Assistant, "content": request.prefix }));
        }
        let sampling = request.sampling;
        let mut body = json!({
            "model": self.facts.name,
            "messages": messages,
            "stream": true,
            "stream_options": { "include_usage": true },
            // Servers count thoughts as well.
            "max_tokens": request.max_tokens.min(self.max_tokens).max(1).saturating_add(thinking_tokens),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
        });
        let mut set = |key: &str, value: Value| body[key] = value;
        if !request.stop.is_empty() {
            set("stop", json!(request.stop));
        }
        if let Some(seed) = sampling.seed {
            set("seed", json!(seed));
        }
        // Not in OpenAI's own protocol, so only sent when they change something.
        if sampling.min_p > 0.0 {
            set("min_p", json!(sampling.min_p));
        }
        if (sampling.repeat_penalty - 1.0).abs() > f32::EPSILON {
            set("repeat_penalty", json!(sampling.repeat_penalty));
            set("repetition_penalty", json!(sampling.repeat_penalty));
        }
        // vLLM's way of going on with the last message; llama-server does it by itself.
        if !request.prefix.is_empty() {
            set("continue_final_message", json!(true));
            set("add_generation_prompt", json!(false));
        }
        body
    }
}

/// The way to the server.
#[derive(Clone)]
struct Door {
    client: reqwest::Client,
    url: String,
    api_key: Option<String>,
    /// The server refuses what OpenAI's own API doesn't have.
    plain: Arc<AtomicBool>,
}

impl Door {
    /// Sends a request and waits for the answer's beginning. What the model's chat template calls
    /// thinking is switched by vLLM's, llama-server's and SGLang's field for it; a server that
    /// refuses the field is asked again without.
    async fn open(&self, body: Value, think: bool, line: &Line) -> Result<Response, LlmError> {
        if !self.plain.load(Ordering::Relaxed) {
            let mut switched = body.clone();
            switched[SWITCHES] = json!({ "enable_thinking": think, "thinking": think });
            match open(self.post(&switched), &self.url, line).await {
                Err(LlmError::Engine(error)) if error.contains(SWITCHES) => {
                    self.plain.store(true, Ordering::Relaxed)
                }
                opened => return opened,
            }
        }
        open(self.post(&body), &self.url, line).await
    }

    fn post(&self, body: &Value) -> reqwest::RequestBuilder {
        let post = self.client.post(&self.url).json(body);
        match &self.api_key {
            Some(key) => post.bearer_auth(key),
            None => post,
        }
    }
}

/// The field in which servers take what a chat template may be given.
const SWITCHES: &str = "chat_template_kwargs";

/// Tokens in the vocabulary of recent OpenAI models: an estimate for other ones.
pub(crate) fn count_tokens(text: &str) -> usize {
    o200k_base_singleton().count_ordinary(text)
}

/// An estimate of a prompt's tokens.
pub(crate) fn prompt_tokens(messages: &[ChatMessage]) -> usize {
    messages.iter().map(|message| count_tokens(&message.content) + TOKENS_PER_MESSAGE).sum()
}

async fn open(post: reqwest::RequestBuilder, url: &str, line: &Line) -> Result<Response, LlmError> {
    let response = match timeout(FIRST, post.send()).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            return Err(LlmError::Engine(format!("no answer from {url}: {}", causes(&error))));
        }
        Err(_) => {
            return Err(LlmError::Engine(format!(
                "no answer from {url} within {} s",
                FIRST.as_secs()
            )));
        }
    };
    match response.status() {
        StatusCode::OK => Ok(response),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            let seconds = response
                .headers()
                .get(header::RETRY_AFTER)
                .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
            Err(line
                .overloaded(seconds.map_or(RETRY_AFTER_MS, |seconds| seconds.saturating_mul(1000))))
        }
        status => {
            let body = timeout(CONNECT, response.bytes())
                .await
                .ok()
                .and_then(Result::ok)
                .unwrap_or_default();
            Err(LlmError::Engine(format!("{url} answered {status}: {}", error_message(&body))))
        }
    }
}

async fn next_bytes(response: &mut Response, url: &str) -> Result<Option<bytes::Bytes>, LlmError> {
    match timeout(IDLE, response.chunk()).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => {
            Err(LlmError::Engine(format!("the connection to {url} broke: {}", causes(&error))))
        }
        Err(_) => Err(LlmError::Engine(format!(
            "{url} went silent for {} s in the middle of an answer",
            IDLE.as_secs()
        ))),
    }
}

/// Lines of an event stream, put together from however the bytes come.
#[derive(Debug, Default)]
struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    fn push(&mut self, bytes: &[u8], url: &str) -> Result<Vec<String>, LlmError> {
        self.rest.extend_from_slice(bytes);
        let mut lines = Vec::new();
        while let Some(end) = self.rest.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            lines.push(String::from_utf8_lossy(&line).trim_end().to_string());
        }
        if self.rest.len() > LONGEST_LINE_BYTES {
            return Err(LlmError::Engine(format!(
                "{url} sent a line of more than {LONGEST_LINE_BYTES} bytes"
            )));
        }
        Ok(lines)
    }
}

#[derive(Debug, PartialEq)]
enum Event {
    Nothing,
    Chunk(Chunk),
    End,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<ChunkUsage>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Choice {
    #[serde(default)]
    delta: Delta,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
struct Delta {
    #[serde(default)]
    content: Option<String>,
    /// Thoughts, as llama-server, SGLang and DeepSeek send them.
    #[serde(default)]
    reasoning_content: Option<Value>,
    /// The same from vLLM and OpenRouter.
    #[serde(default)]
    reasoning: Option<Value>,
}

impl Delta {
    fn thinks(&self) -> bool {
        let text = |field: &Option<Value>| {
            field.as_ref().and_then(Value::as_str).is_some_and(|text| !text.is_empty())
        };
        text(&self.reasoning_content) || text(&self.reasoning)
    }
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
struct ChunkUsage {
    #[serde(default)]
    prompt_tokens: u32,
    #[serde(default)]
    completion_tokens: u32,
    #[serde(default)]
    prompt_tokens_details: Option<PromptDetails>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: Option<u32>,
}

impl From<ChunkUsage> for Usage {
    fn from(usage: ChunkUsage) -> Self {
        Self {
            prompt_tokens: usage.prompt_tokens,
            cached_tokens: usage
                .prompt_tokens_details
                .and_then(|details| details.cached_tokens)
                .unwrap_or(0),
            completion_tokens: usage.completion_tokens,
        }
    }
}

/// A completion that isn't streamed, as far as a yes or no goes.
#[derive(Debug, Deserialize)]
struct Judged {
    #[serde(default)]
    choices: Vec<JudgedChoice>,
}

#[derive(Debug, Deserialize)]
struct JudgedChoice {
    #[serde(default)]
    message: Delta,
    #[serde(default)]
    logprobs: Option<Logprobs>,
}

#[derive(Debug, Deserialize)]
struct Logprobs {
    /// One for each token of the answer.
    #[serde(default)]
    content: Option<Vec<Likely>>,
}

/// The likeliest tokens at a place.
#[derive(Debug, Deserialize)]
struct Likely {
    top_logprobs: Vec<Logprob>,
}

#[derive(Debug, Deserialize)]
struct Logprob {
    token: String,
    logprob: f32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Word {
    Yes,
    No,
}

impl Word {
    fn of(text: &str) -> Option<Self> {
        // Some servers show how a vocabulary writes the space before a word.
        let word = text
            .trim_matches(|c: char| !c.is_alphabetic() || matches!(c, 'Ġ' | '▁'))
            .to_lowercase();
        match word.as_str() {
            "yes" => Some(Self::Yes),
            "no" => Some(Self::No),
            _ => None,
        }
    }
}

impl Likely {
    /// A word that isn't among the likeliest counts as likely as the last of them, which it can't
    /// exceed.
    fn yes_share(&self) -> Option<f32> {
        let of = |word: Word| -> Vec<f32> {
            let said =
                self.top_logprobs.iter().filter(|likely| Word::of(&likely.token) == Some(word));
            said.map(|likely| likely.logprob).collect()
        };
        let (yes, no) = (of(Word::Yes), of(Word::No));
        if yes.is_empty() && no.is_empty() {
            return None;
        }
        let least =
            self.top_logprobs.iter().map(|likely| likely.logprob).fold(f32::INFINITY, f32::min);
        let or_least = |scores: Vec<f32>| if scores.is_empty() { vec![least] } else { scores };
        yes_share(or_least(yes), or_least(no))
    }
}

/// One line of the stream. Comments, event names and blank lines say nothing.
fn event(line: &str, url: &str) -> Result<Event, LlmError> {
    let Some(data) = line.strip_prefix("data:").map(str::trim) else { return Ok(Event::Nothing) };
    if data == "[DONE]" {
        return Ok(Event::End);
    }
    let value: Value = serde_json::from_str(data).map_err(|error| {
        LlmError::Engine(format!("{url} sent an event that is not JSON: {error}"))
    })?;
    if value.get("error").is_some_and(|error| !error.is_null()) {
        return Err(LlmError::Engine(format!(
            "{url} failed in the middle of an answer: {}",
            error_message(data.as_bytes())
        )));
    }
    serde_json::from_value(value).map(Event::Chunk).map_err(|error| {
        LlmError::Engine(format!("{url} sent an event that is not a completion: {error}"))
    })
}

fn finish_of(reason: &str) -> Finish {
    if reason == "length" { Finish::Length } else { Finish::Stop }
}

/// What an error's body says, shortened: `{"error": {"message": ..}}`, `{"error": ".."}`, or the
/// text itself.
fn error_message(body: &[u8]) -> String {
    let text = match serde_json::from_slice::<Value>(body) {
        Ok(value) => {
            let error = value.get("error").unwrap_or(&value);
            let message = error.get("message").unwrap_or(error);
            message.as_str().map_or_else(|| message.to_string(), ToString::to_string)
        }
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    text.chars().take(SHOWN_ERROR_CHARS).collect()
}

/// An error with its causes, in one line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn clamp(tokens: usize) -> u32 {
    u32::try_from(tokens).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_together() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(b"data: a\r\nda", "u").unwrap(), ["data: a"]);
        assert_eq!(lines.push(b"ta: \xc3", "u").unwrap(), [""; 0]);
        assert_eq!(lines.push(b"\xa9\n\n", "u").unwrap(), ["data: \u{e9}", ""]);
        assert!(lines.push(&vec![b'x'; LONGEST_LINE_BYTES + 1], "u").is_err());
    }

    #[track_caller]
    fn check_error(line: &str, expected: &str) {
        let error = event(line, "http://x").unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn events_are_read() {
        assert_eq!(event("", "u").unwrap(), Event::Nothing);
        assert_eq!(event(": comment", "u").unwrap(), Event::Nothing);
        assert_eq!(event("data: [DONE]", "u").unwrap(), Event::End);
        let Event::Chunk(chunk) =
            event(r#"data: {"choices":[{"delta":{"content":"Hi"}}],"usage":null}"#, "u").unwrap()
        else {
            panic!("not a chunk")
        };
        assert_eq!(chunk.choices[0].delta.content.as_deref(), Some("Hi"));
        check_error("data: {", "not JSON");
        check_error(r#"data: {"error":{"message":"out of memory"}}"#, "out of memory");
        check_error(r#"data: {"choices":7}"#, "not a completion");
    }
}
