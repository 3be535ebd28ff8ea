//! A clone-able handle in front of the engine that writes tokens.
//!
//! [`Llm::submit`] answers at once, with a [`Completion`] or a refusal, and never blocks. Dropping
//! a completion stops it: the thread of the `llama` engine frees its sequence at the next step, a
//! remote engine's connection is closed. [`Llm::judge`] asks for a yes or no instead of text, and
//! gives way to everything that is written.
//!
//! Inside the `llama` engine: [`scheduler`] decides what is computed next, [`prefix`] what is
//! computed already, both pure; `worker` owns llama.cpp's context and does it; [`template`] makes a
//! prompt of messages, [`text`] makes text of tokens.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::SystemTime;

use futures_util::future::try_join_all;
use futures_util::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, mpsc};

use crate::clock::Clock;
use crate::conversation::{SessionKey, Usage};

pub mod asleep;
pub(crate) mod backend;
pub mod gguf;
mod hibernation;
mod line;
mod model;
pub mod pace;
pub mod prefix;
mod remote;
mod sampler;
pub mod scheduler;
mod scripted;
pub mod template;
pub mod text;
pub mod thoughts;
pub mod tokens;
mod worker;

pub use model::instruction_sets;

/// `[llm]`: which engine phrases answers, and how much it may take.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LlmConfig {
    /// `llama` (in process, from `model`), `scripted` (deterministic, for tests and front-end
    /// work), or the base URL of an OpenAI-compatible server (`http://127.0.0.1:8080/v1`).
    pub engine: String,
    /// Path of a chat GGUF for `llama`; the model's name for a remote engine.
    pub model: String,
    /// API key for a remote engine. Prefer the environment variable `FRONTDESK_LLM_API_KEY`.
    pub api_key: String,
    /// File that the key stands in, instead.
    pub api_key_file: PathBuf,
    /// SHA-256 sums (hexadecimal) of the GGUF files that may be loaded; empty allows any. A GGUF is
    /// code: list what you trust.
    pub allowed_sha256: Vec<String>,
    /// Tokens one conversation's prompt and answer may take together. More costs memory for each
    /// running answer.
    pub context_tokens: u32,
    /// Tokens that the KV cache holds for all conversations together, running ones and finished
    /// ones that may go on; 0 takes room for four of `context_tokens`. When it is full, finished
    /// conversations go first, then new answers wait. Costs memory: 23 KB a token for a model of
    /// 135M parameters, 128 KB for one of 8B.
    pub kv_tokens: u32,
    /// Tokens of finished conversations that are kept in memory outside the KV cache, as much
    /// memory for each as in it; 0 keeps none. They don't slow running answers down as those in the
    /// cache do, and a visitor who comes back is answered without computing the conversation again.
    /// The longest unused go first.
    pub sleeping_tokens: u32,
    /// MiB of disk that finished conversations' files may take together; 0 keeps none. Written
    /// while nobody asks anything, to `hibernated` beside `store.path`, readable for the server's
    /// user alone; erased with the conversation. A visitor who comes back, also after a restart, is
    /// answered without computing the conversation again. The longest unused go first.
    pub hibernated_mib: u32,
    /// Tokens computed in one step at most; 0 takes 512 on the processor and 1,024 on a GPU. Of 64
    /// and more, ggml computes attention by another kernel, which rounds otherwise, so that where
    /// two tokens are nearly as likely an answer may depend on how many others are computed beside
    /// it. Fewer than 64 exclude that, and read long prompts at half the speed.
    pub batch_tokens: u32,
    /// Answers written at the same time; one more waits in the queue. At most 256.
    pub parallel: u32,
    /// Answers that may wait; one more is refused at once.
    pub queue: usize,
    /// Tokens an answer may have at most.
    pub max_tokens: u32,
    /// Tokens that a model which thinks may think before it answers; what is more is cut. 0: it
    /// answers at once, which visitors notice. Thoughts are shown to nobody.
    pub thinking_tokens: u32,
    /// Processor threads; 0 takes one per physical core.
    pub threads: u32,
    /// Layers to put on the GPU; 0 stays on the processor, 999 takes all. Needs a build with
    /// `cuda`, `vulkan` or `metal`.
    pub gpu_layers: u32,
    /// Sampling temperature, 0 for the likeliest token each time.
    pub temperature: f32,
    /// Nucleus sampling: the smallest set of tokens with this probability together. 1 switches it
    /// off.
    pub top_p: f32,
    /// Drops tokens less likely than this share of the likeliest. 0 switches it off.
    pub min_p: f32,
    /// Penalty for tokens that were just used, 1 for none.
    pub repeat_penalty: f32,
    /// Milliseconds that the `scripted` engine takes for each word; other engines ignore it.
    pub scripted_token_ms: u64,
}

impl Default for LlmConfig {
    fn default() -> Self {
        Self {
            engine: "llama".into(),
            model: "models/smollm2-135m-instruct-q4_0.gguf".into(),
            api_key: String::new(),
            api_key_file: PathBuf::new(),
            allowed_sha256: Vec::new(),
            context_tokens: 4096,
            kv_tokens: 0,
            sleeping_tokens: 16_384,
            hibernated_mib: 512,
            batch_tokens: 0,
            parallel: 16,
            queue: 64,
            max_tokens: 400,
            thinking_tokens: 0,
            threads: 0,
            gpu_layers: 0,
            temperature: 0.2,
            top_p: 0.9,
            min_p: 0.05,
            repeat_penalty: 1.1,
            scripted_token_ms: 0,
        }
    }
}

impl LlmConfig {
    /// # Errors
    /// When `engine` names none.
    pub fn check_engine(&self) -> anyhow::Result<()> {
        match self.engine.as_str() {
            "llama" | "scripted" => Ok(()),
            // A URL may hold a password, and isn't quoted.
            url if url.starts_with("http://") || url.starts_with("https://") => {
                match reqwest::Url::parse(url) {
                    Ok(_) => Ok(()),
                    Err(error) => anyhow::bail!(
                        "llm.engine is no URL ({error}); write http://127.0.0.1:8000/v1"
                    ),
                }
            }
            other => {
                anyhow::bail!(
                    "[llm] engine is {other:?}; it can be \"llama\", \"scripted\" or a server's base URL"
                )
            }
        }
    }

    /// The configured sampling, with a fresh seed each time.
    #[must_use]
    pub fn sampling(&self) -> Sampling {
        Sampling {
            temperature: self.temperature,
            top_p: self.top_p,
            min_p: self.min_p,
            repeat_penalty: self.repeat_penalty,
            seed: None,
        }
    }
}

/// Who said a message of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    System,
    User,
    Assistant,
}

/// One message of a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMessage {
    pub role: Role,
    pub content: String,
}

/// Per-request sampling; defaults come from [`LlmConfig`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    pub temperature: f32,
    pub top_p: f32,
    pub min_p: f32,
    pub repeat_penalty: f32,
    /// `None`: a fresh random seed.
    pub seed: Option<u32>,
}

/// One completion to write.
#[derive(Clone, Debug)]
pub struct Request {
    pub messages: Vec<ChatMessage>,
    /// Whose conversation it is, so that [`Llm::forget`] can erase what is kept of it alone. What
    /// is kept without a session goes whenever any is forgotten.
    pub session: Option<SessionKey>,
    /// It is a draft for an agent: answers to visitors go first.
    pub suggestion: bool,
    /// Text of the answer that already stands and is to be continued; empty for a new answer.
    pub prefix: String,
    pub sampling: Sampling,
    pub max_tokens: u32,
    /// Generation ends before any of these strings; none of it is emitted.
    pub stop: Vec<String>,
}

/// Why a completion ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The model ended its turn, or a stop string came.
    Stop,
    /// `max_tokens` or the context window was reached.
    Length,
}

/// What a running completion reports, in order: any number of `Queued`, one `Started`, perhaps one
/// `Thinking`, any number of `Text`, one `Done`.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// Place in line, from 1.
    Queued {
        place: usize,
    },
    Started,
    /// The model thinks before it answers. Once, before any text.
    Thinking,
    /// Whole UTF-8, never empty; may hold several tokens' text.
    Text(String),
    Done {
        finish: Finish,
        usage: Usage,
    },
}

/// Why a completion isn't written.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LlmError {
    /// The queue is full.
    #[error(
        "all {parallel} answer slots are busy and {queue} wait; try again in {retry_after_ms} ms"
    )]
    Overloaded { parallel: u32, queue: usize, retry_after_ms: u64 },
    /// System prompt, passages and question alone don't fit.
    #[error("the prompt has {tokens} tokens but the context holds {limit}")]
    PromptTooLong { tokens: usize, limit: usize },
    /// The engine failed; the text says how.
    #[error("the language model failed: {0}")]
    Engine(String),
    /// The server is shutting down.
    #[error("the language model is shutting down")]
    ShuttingDown,
}

/// What is loaded, for the start-up log and `frontdesk check`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ModelFacts {
    pub engine: String,
    pub name: String,
    pub parameters: u64,
    pub size_bytes: u64,
    pub quantisation: String,
    /// Lower-case hexadecimal SHA-256 of the GGUF; empty for other engines, and for files over 2
    /// GiB unless `allowed_sha256` lists sums.
    pub sha256: String,
    pub trained_context: u32,
    pub context_tokens: u32,
    /// Tokens that it may think before it answers.
    pub thinking_tokens: u32,
    pub parallel: u32,
    pub threads: u32,
    pub gpu_layers: u32,
}

impl ModelFacts {
    /// What the configuration alone says.
    fn of(config: &LlmConfig) -> Self {
        Self {
            context_tokens: config.context_tokens,
            thinking_tokens: config.thinking_tokens,
            parallel: config.parallel,
            ..Self::default()
        }
    }
}

/// Counters and gauges for `/metrics`. Engines leave at 0 what they don't know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Answers in line.
    pub waiting: usize,
    /// Answers being written.
    pub running: usize,
    /// Tokens that the KV cache has room for.
    pub kv_tokens: usize,
    /// Tokens in it, of running and of kept conversations.
    pub kv_used_tokens: usize,
    /// Finished conversations that are kept in the cache for their next turn.
    pub kept_sequences: usize,
    /// Tokens and bytes of finished conversations that are kept outside the cache.
    pub sleeping_tokens: usize,
    pub sleeping_bytes: usize,
    /// How often a conversation was put back, from memory or a file.
    pub woken: u64,
    /// Conversations that have files, and the files' bytes.
    pub files: usize,
    pub file_bytes: u64,
    /// Files that were written, put back, and refused as damaged or foreign, since the start.
    pub files_written: u64,
    pub files_restored: u64,
    pub files_refused: u64,
    /// Prompt tokens computed since the start.
    pub computed_prompt_tokens: u64,
    /// Prompt tokens that were in the cache and not computed again.
    pub cached_prompt_tokens: u64,
    /// Tokens of answers since the start.
    pub generated_tokens: u64,
    /// Steps of the model since the start, and those of them that computed a part of a prompt.
    pub steps: u64,
    pub prompt_steps: u64,
    /// How long those took, and the others.
    pub prompt_step_us: u64,
    pub answer_step_us: u64,
    /// The longest of them.
    pub longest_step_ms: u64,
}

/// A stream of what a completion reports.
type TokenStream = Pin<Box<dyn Stream<Item = Result<Token, LlmError>> + Send>>;

/// The engine, shared by everyone who holds a clone.
#[derive(Clone)]
pub struct Llm {
    engine: Arc<Engine>,
    /// One permit for each judgement under way.
    judging: Arc<Semaphore>,
}

enum Engine {
    Llama(worker::Llama),
    Scripted(scripted::Scripted),
    Remote(Box<remote::Remote>),
}

impl Llm {
    /// Loads the configured engine and says in the log what it is. Blocks while a model is read,
    /// from less than a second to minutes, so call it outside of async code.
    ///
    /// # Errors
    /// What is wrong with the configuration, the file or the machine, and what to do about it.
    pub fn start(config: &LlmConfig) -> anyhow::Result<Self> {
        Self::start_with(config, None)
    }

    /// The same with files of finished conversations in a folder of its own, which no other process
    /// uses. Without anything to read them, as with another engine, they are removed.
    ///
    /// # Errors
    /// As [`Llm::start`].
    pub fn start_hibernating(config: &LlmConfig, folder: &Path) -> anyhow::Result<Self> {
        if config.engine != "llama" {
            hibernation::clear(folder);
        }
        Self::start_with(config, Some(folder))
    }

    fn start_with(config: &LlmConfig, folder: Option<&Path>) -> anyhow::Result<Self> {
        config.check_engine()?;
        let engine = match config.engine.as_str() {
            "llama" => Engine::Llama(worker::Llama::start(config, Clock::system(), folder)?),
            "scripted" => Engine::Scripted(scripted::Scripted::start(config)),
            _ => Engine::Remote(Box::new(remote::Remote::start(config)?)),
        };
        let llm = Self {
            engine: Arc::new(engine),
            judging: Arc::new(Semaphore::new(judgements(config))),
        };
        llm.log_start();
        Ok(llm)
    }

    /// Puts a request in line and returns at once. On the `llama` engine this tokenises the prompt:
    /// about a millisecond.
    ///
    /// # Errors
    /// [`LlmError::Overloaded`] if the line is full, [`LlmError::PromptTooLong`],
    /// [`LlmError::ShuttingDown`], or [`LlmError::Engine`] if the engine is dead or its template
    /// refuses the messages.
    pub fn submit(&self, request: Request) -> Result<Completion, LlmError> {
        let source = match &*self.engine {
            Engine::Llama(llama) => Source::Channel(llama.submit(&request)?),
            Engine::Scripted(scripted) => Source::Stream(scripted.submit(request)?),
            Engine::Remote(remote) => Source::Stream(remote.submit(request)?),
        };
        Ok(Completion { source, ended: false })
    }

    /// How likely the model's first word after each of these prompts is yes rather than no, 0…1, in
    /// the prompts' order: P(yes) / (P(yes) + P(no)), as monoT5 scores relevance (Nogueira, Jiang,
    /// Pradeep, Lin, 2020). They are computed side by side, share what they begin with, and give
    /// way to every answer. Dropping the future stops them.
    ///
    /// # Errors
    /// The first one that any of them meets, as [`Llm::submit`] and [`Completion`] name them; the
    /// others stop then.
    pub async fn judge(&self, prompts: &[Vec<ChatMessage>]) -> Result<Vec<f32>, LlmError> {
        let judged = prompts.iter().map(async |messages| {
            // Who waits here is bounded by the turns that run.
            let permit = Arc::clone(&self.judging)
                .acquire_owned()
                .await
                .map_err(|_| LlmError::ShuttingDown)?;
            match &*self.engine {
                Engine::Llama(llama) => {
                    llama.judge(messages, permit)?.await.unwrap_or(Err(LlmError::ShuttingDown))
                }
                Engine::Scripted(scripted) => scripted.judge(messages).await,
                Engine::Remote(remote) => remote.judge(messages).await,
            }
        });
        try_join_all(judged).await
    }

    /// Tokens of a text, as the engine counts them. A remote engine's are estimated.
    #[must_use]
    pub fn count_tokens(&self, text: &str) -> usize {
        match &*self.engine {
            Engine::Llama(llama) => llama.count_tokens(text),
            Engine::Scripted(_) => scripted::count_tokens(text),
            Engine::Remote(_) => remote::count_tokens(text),
        }
    }

    /// Tokens of a whole prompt, with everything that the model's template adds.
    #[must_use]
    pub fn prompt_tokens(&self, messages: &[ChatMessage]) -> usize {
        match &*self.engine {
            Engine::Llama(llama) => llama.prompt_tokens(messages).unwrap_or_else(|_| {
                messages.iter().map(|message| llama.count_tokens(&message.content)).sum()
            }),
            Engine::Scripted(_) => scripted::prompt_tokens(messages),
            Engine::Remote(_) => remote::prompt_tokens(messages),
        }
    }

    /// Tokens that a prompt and its answer may take together.
    #[must_use]
    pub fn context_tokens(&self) -> usize {
        self.facts().context_tokens as usize
    }

    /// What is loaded.
    #[must_use]
    pub fn facts(&self) -> &ModelFacts {
        match &*self.engine {
            Engine::Llama(llama) => llama.facts(),
            Engine::Scripted(scripted) => scripted.facts(),
            Engine::Remote(remote) => remote.facts(),
        }
    }

    /// What it does right now, and did so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        match &*self.engine {
            Engine::Llama(llama) => llama.stats(),
            Engine::Scripted(scripted) => scripted.stats(),
            Engine::Remote(remote) => remote.stats(),
        }
    }

    /// Whether requests can be answered at all.
    ///
    /// # Errors
    /// [`LlmError::Engine`] once the thread that computes has died; only a restart helps.
    pub fn health(&self) -> Result<(), LlmError> {
        match &*self.engine {
            Engine::Llama(llama) => llama.health(),
            Engine::Scripted(_) | Engine::Remote(_) => Ok(()),
        }
    }

    /// Whether the last requests were answered. Unlike [`Llm::health`] it can change by itself: it
    /// tells of another machine.
    ///
    /// # Errors
    /// What a remote engine's last requests met, once several in a row failed or none ever worked.
    pub fn reachable(&self) -> Result<(), LlmError> {
        match &*self.engine {
            Engine::Remote(remote) => remote.failing().map_or(Ok(()), Err),
            Engine::Llama(_) | Engine::Scripted(_) => Ok(()),
        }
    }

    /// Asks a remote engine for one token if its last request failed or there was none yet, so that
    /// [`Llm::reachable`] is true of now. Other engines are left in peace.
    pub async fn probe(&self) {
        let Engine::Remote(remote) = &*self.engine else { return };
        if !remote.unsure() {
            return;
        }
        let messages = vec![ChatMessage { role: Role::User, content: "Hello".into() }];
        let sampling =
            Sampling { temperature: 0.0, top_p: 1.0, min_p: 0.0, repeat_penalty: 1.0, seed: None };
        let request = Request {
            messages,
            session: None,
            suggestion: false,
            prefix: String::new(),
            sampling,
            max_tokens: 1,
            stop: Vec::new(),
        };
        // What it meets is noted on the way.
        if let Ok(mut completion) = self.submit(request) {
            while let Some(Ok(_)) = completion.next().await {}
        }
    }

    /// Takes no new requests; those in line and running go on to their end.
    pub fn shutdown(&self) {
        match &*self.engine {
            Engine::Llama(llama) => llama.shutdown(),
            Engine::Scripted(scripted) => scripted.line().close(),
            Engine::Remote(remote) => remote.line().close(),
        }
    }

    /// Waits until no request is in line or running, and until finished conversations are in their
    /// files, where they have any: 5 seconds at most. Call it after [`Llm::shutdown`]: before, new
    /// requests may be refused while it waits.
    pub async fn drained(&self) {
        match &*self.engine {
            Engine::Llama(llama) => llama.drained().await,
            Engine::Scripted(scripted) => scripted.line().drained().await,
            Engine::Remote(remote) => remote.line().drained().await,
        }
    }

    /// Forgets what is kept of all finished conversations, at the next step.
    pub fn forget_finished(&self) {
        if let Engine::Llama(llama) = &*self.engine {
            llama.forget_all();
        }
    }

    /// Forgets what is kept of one conversation, in the KV cache and outside of it, at the next
    /// step, and removes its file: for its erasure. Others keep theirs, save what is kept of no
    /// known session.
    pub fn forget(&self, session: &SessionKey) {
        if let Engine::Llama(llama) = &*self.engine {
            llama.forget(session);
        }
    }

    /// Forgets, at the next step, the conversations whose files were written before: they don't
    /// outlive what is erased for its age.
    pub fn expire_files(&self, before: SystemTime) {
        if let Engine::Llama(llama) = &*self.engine {
            llama.expire_files(before);
        }
    }

    fn log_start(&self) {
        let facts = self.facts();
        if matches!(*self.engine, Engine::Llama(_)) {
            tracing::info!(
                model = facts.name,
                quantisation = facts.quantisation,
                parameters = facts.parameters,
                size_bytes = facts.size_bytes,
                sha256 = facts.sha256,
                context_tokens = facts.context_tokens,
                kv_tokens = self.stats().kv_tokens,
                parallel = facts.parallel,
                threads = facts.threads,
                gpu_layers = facts.gpu_layers,
                instructions = instruction_sets(),
                "language model loaded"
            );
        } else {
            tracing::info!(
                engine = facts.engine,
                model = facts.name,
                parallel = facts.parallel,
                "language model engine set"
            );
        }
    }
}

/// Judgements under way at the same time: half as many as answers, so that these find a slot.
fn judgements(config: &LlmConfig) -> usize {
    (config.parallel as usize / 2).max(1)
}

/// P(yes) / (P(yes) + P(no)) of the scores that a model gives to the tokens of both words: logits,
/// or logarithms of probabilities. `None` if that's not a number, as without any token.
fn yes_share(yes: impl IntoIterator<Item = f32>, no: impl IntoIterator<Item = f32>) -> Option<f32> {
    let (yes, no): (Vec<f32>, Vec<f32>) = (yes.into_iter().collect(), no.into_iter().collect());
    // The largest exponent is 0 then: nothing overflows.
    let best = yes.iter().chain(&no).copied().fold(f32::NEG_INFINITY, f32::max);
    let sum = |scores: &[f32]| scores.iter().map(|score| (score - best).exp()).sum::<f32>();
    let (yes, no) = (sum(&yes), sum(&no));
    Some(yes / (yes + no)).filter(|share| share.is_finite())
}

/// One answer as it is written. Dropping it stops the writing and frees what it held.
pub struct Completion {
    source: Source,
    ended: bool,
}

enum Source {
    Channel(mpsc::Receiver<Result<Token, LlmError>>),
    Stream(TokenStream),
}

impl Completion {
    /// The next report; `None` after [`Token::Done`] or an error. Cancelling the wait loses
    /// nothing.
    pub async fn next(&mut self) -> Option<Result<Token, LlmError>> {
        StreamExt::next(self).await
    }
}

impl Stream for Completion {
    type Item = Result<Token, LlmError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let polled = match &mut self.source {
            Source::Channel(channel) => channel.poll_recv(context),
            Source::Stream(stream) => stream.poll_next_unpin(context),
        };
        let Poll::Ready(report) = polled else { return Poll::Pending };
        let report = report.unwrap_or_else(|| {
            Err(LlmError::Engine("the engine stopped in the middle of an answer".into()))
        });
        self.ended = matches!(report, Err(_) | Ok(Token::Done { .. }));
        Poll::Ready(Some(report))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_yes_is_weighed_against_a_no() {
        #[track_caller]
        fn check(yes: &[f32], no: &[f32], expected: Option<f32>) {
            let share = yes_share(yes.iter().copied(), no.iter().copied());
            let near =
                share.zip(expected).is_none_or(|(share, expected)| (share - expected).abs() < 1e-6);
            assert!(near && share.is_some() == expected.is_some(), "{yes:?} {no:?}: {share:?}");
        }
        check(&[0.0], &[0.0], Some(0.5));
        check(&[3.0_f32.ln()], &[1.0_f32.ln()], Some(0.75));
        // Spellings of a word count together.
        check(&[1.0_f32.ln(), 2.0_f32.ln()], &[1.0_f32.ln()], Some(0.75));
        check(&[900.0], &[-900.0], Some(1.0));
        check(&[-900.0], &[900.0], Some(0.0));
        check(&[f32::NEG_INFINITY], &[-3.0], Some(0.0));
        check(&[], &[], None);
        check(&[f32::NAN], &[1.0], None);
    }
}
