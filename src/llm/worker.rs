//! The thread that owns llama.cpp's context: it takes requests, lets the [`Scheduler`] plan each
//! step, computes it, and sends what was written.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, anyhow, ensure};
use llama_cpp_2::DecodeError;
use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::context::session::{LlamaStateSeqFlags, SeqState};
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::sampling::LlamaSampler;
use llama_cpp_2::token::LlamaToken;
use rustc_hash::{FxHashMap, FxHashSet};
use sha2::{Digest as _, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::asleep::SnapshotId;
use super::hibernation::{self, Found, Maker};
use super::model::Model;
use super::pace::StepTimes;
use super::prefix::{Cache, Op, Saving, Source};
use super::scheduler::{Chunk, Job, Limits, Plan, Priority, RequestId, Scheduler};
use super::text::TextStream;
use super::thoughts::Thoughts;
use super::tokens::TokenId;
use super::{
    ChatMessage, Finish, LlmConfig, LlmError, ModelFacts, Request, Sampling, Stats, Token, backend,
    judgements, sampler,
};
use crate::clock::Clock;
use crate::conversation::{SessionKey, Usage};

/// How long steps should take: that long a departed client's sequence, a new request and a shutdown
/// have to wait.
const TIMES: StepTimes = StepTimes {
    gap: Duration::from_millis(60),
    longest_gap: Duration::from_millis(150),
    unread: Duration::from_millis(500),
};
/// Tokens of a step at most.
const BATCH_TOKENS_CPU: u32 = 512;
const BATCH_TOKENS_GPU: u32 = 1024;
/// Tokens of prompts that a step has room for beside running answers.
const LEAST_PROMPT_TOKENS: u32 = 8;
/// Tokens that the marks around a thought have at most.
const MARKS_TOKENS: usize = 24;
/// Cells that finished conversations may hold while others run. Each step attends over them too, so
/// more would slow all of them down; fewer would have a conversation put to sleep and woken between
/// its turns for nothing.
const KEPT_AWAKE_TOKENS: usize = 1024;
/// So long nobody has asked anything when finished conversations are written to files: until then
/// most of them go on by themselves.
const HIBERNATE_AFTER: Duration = Duration::from_secs(2);
/// And so long they leave for somebody to ask between two of them.
const BETWEEN_FILES: Duration = Duration::from_millis(20);
/// A larger file isn't written: whoever asks meanwhile waits for it.
const MOST_FILE_BYTES: u64 = 256 << 20;
/// So long a shutdown waits for files. What isn't written then is computed again.
const LAST_FILES: Duration = Duration::from_secs(5);
/// Conversations that couldn't be written are remembered up to this many, and then tried again.
const MOST_GIVEN_UP: usize = 1000;
/// llama.cpp's limit.
const MAX_SEQUENCES: u32 = 256;
/// Without `kv_tokens`, the cache has room for so many conversations at their longest.
const FULL_CONVERSATIONS: u32 = 4;
/// llama.cpp rounds the cache's size up to a multiple of this.
const CACHE_GRAIN: u32 = 256;

/// A conversation's number: half of a hash is enough to tell those of one server apart.
fn owner_of(session: &SessionKey) -> u64 {
    let hash = Sha256::new()
        .chain_update(&session.site)
        .chain_update([0])
        .chain_update(&session.id)
        .finalize();
    hash.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// The handle in front of the thread.
pub(crate) struct Llama {
    model: Arc<Model>,
    shared: Arc<Shared>,
    /// One permit for each request that waits or runs.
    places: Arc<Semaphore>,
    limits: Limits,
    max_tokens: u32,
    thinking_tokens: u32,
    /// Where conversations have files.
    folder: Option<PathBuf>,
    next_id: AtomicU64,
    commands: Option<SyncSender<Command>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What both sides see.
#[derive(Default)]
struct Shared {
    /// Conversations whose KV is to be forgotten at the next step. A list, so that none is lost
    /// when the channel is full.
    to_forget: Mutex<Vec<u64>>,
    alive: AtomicBool,
    closing: AtomicBool,
    /// The handle is gone: end everything at the next step.
    abort: AtomicBool,
    waiting: AtomicUsize,
    running: AtomicUsize,
    kv_tokens: AtomicUsize,
    kv_used_tokens: AtomicUsize,
    kept_sequences: AtomicUsize,
    sleeping_tokens: AtomicUsize,
    sleeping_bytes: AtomicUsize,
    woken: AtomicU64,
    files: AtomicUsize,
    file_bytes: AtomicU64,
    files_written: AtomicU64,
    files_restored: AtomicU64,
    files_refused: AtomicU64,
    computed_prompt_tokens: AtomicU64,
    cached_prompt_tokens: AtomicU64,
    generated_tokens: AtomicU64,
    steps: AtomicU64,
    longest_step_us: AtomicU64,
    /// Time of steps with and without a part of a prompt.
    prompt_step_us: AtomicU64,
    answer_step_us: AtomicU64,
    prompt_steps: AtomicU64,
    /// How long answers take from start to end, averaged; for a hint when to try again.
    answer_ms: AtomicU64,
}

enum Command {
    Write(Box<Task>),
    Judge(Box<Question>),
    /// Forget the KV of all finished conversations.
    ForgetAll,
    /// Look into [`Shared::to_forget`].
    Forget,
    /// Write finished conversations to files, as long as [`LAST_FILES`], and say when that's over.
    Hibernate(oneshot::Sender<()>),
    /// Forget the conversations whose files were written before.
    ExpireFiles(SystemTime),
}

/// Files of conversations.
struct Files {
    folder: PathBuf,
    maker: Maker,
    /// Bytes of all files at most.
    capacity: u64,
    /// Whose conversation is in which file.
    owners: FxHashMap<SnapshotId, u64>,
    /// Owners and lengths of conversations that couldn't be written.
    given_up: FxHashSet<(u64, usize)>,
}

impl Files {
    /// Files in a folder, or what keeps this model from having any: then there are none, old ones
    /// neither.
    fn of(config: &LlmConfig, model: &Model, folder: &Path) -> Option<Self> {
        let facts = model.facts();
        let hindrance = if config.hibernated_mib == 0 {
            None
        } else if !model.shares_prefixes() {
            Some("it has a recurrent state or a sliding window")
        } else if facts.sha256.is_empty() {
            Some("its SHA-256 isn't known: list it in llm.allowed_sha256")
        } else {
            match hibernation::open(folder) {
                Ok(()) => {
                    return Some(Self {
                        folder: folder.to_owned(),
                        maker: Maker::of(&facts.sha256, facts.size_bytes),
                        capacity: u64::from(config.hibernated_mib) << 20,
                        owners: FxHashMap::default(),
                        given_up: FxHashSet::default(),
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "conversations can't have files");
                    return None;
                }
            }
        };
        if let Some(why) = hindrance {
            tracing::info!(model = facts.name, why, "conversations aren't hibernated");
        }
        hibernation::clear(folder);
        None
    }

    /// Owners of files that were written before, and of those that can't be looked at.
    fn written_before(&self, before: SystemTime) -> Vec<u64> {
        let is_old = |owner| {
            let path = hibernation::path_of(&self.folder, owner);
            let written = path.metadata().and_then(|metadata| metadata.modified());
            written.map_or(true, |written| written < before)
        };
        self.owners.values().copied().filter(|owner| is_old(*owner)).collect()
    }
}

/// A request on its way to the thread.
struct Task {
    job: Job,
    sampling: Sampling,
    seed: u32,
    /// Tokens of the answer that stand already.
    already: Vec<LlamaToken>,
    text: TextStream,
    thoughts: Thoughts,
    /// Tokens that it may think.
    thinking_tokens: usize,
    /// Tokens that the answer may have, without its thoughts.
    wanted: usize,
    tokens: mpsc::Sender<Result<Token, LlmError>>,
    permit: OwnedSemaphorePermit,
}

/// A prompt whose answer is a yes or no.
struct Question {
    job: Job,
    judgement: Judgement,
}

/// A yes or no that waits or is computed.
struct Judgement {
    /// Where it goes how likely yes is.
    verdict: oneshot::Sender<Result<f32, LlmError>>,
    /// Its place among those under way.
    permit: OwnedSemaphorePermit,
}

impl Llama {
    /// Loads the model and starts the thread. Blocks until it is ready to write.
    /// Finished conversations have files in `folder`, if there is one.
    pub(crate) fn start(
        config: &LlmConfig,
        clock: Clock,
        folder: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let model = Arc::new(Model::load(config, clock)?);
        let trained = model.facts().trained_context;
        if config.context_tokens > trained {
            tracing::warn!(
                trained,
                configured = config.context_tokens,
                "context_tokens is more than the model was trained on"
            );
        }
        let setup = Setup::of(config, &model)?;
        let files = folder.and_then(|folder| Files::of(config, &model, folder));
        let folder = files.as_ref().map(|files| files.folder.clone());
        let shared = Arc::new(Shared::default());
        shared.kv_tokens.store(setup.kv_tokens as usize, Ordering::Relaxed);
        let places = setup.limits.parallel + setup.limits.queue;
        // Every command but those that nobody waits long for holds a place or a permit to judge, so
        // the channel is never full of requests.
        let (commands, inbox) = sync_channel(places + judgements(config) + 4);
        let (ready, is_ready) = sync_channel(1);
        let thread = {
            let (model, shared) = (Arc::clone(&model), Arc::clone(&shared));
            std::thread::Builder::new()
                .name("frontdesk-llm".into())
                .spawn(move || run(&model, &setup, files, &inbox, &shared, &ready))
                .context("can't start the language model's thread")?
        };
        is_ready
            .recv()
            .map_err(|_| anyhow!("the language model's thread ended while it started"))??;
        Ok(Self {
            model,
            shared,
            places: Arc::new(Semaphore::new(places)),
            limits: setup.limits,
            max_tokens: config.max_tokens,
            thinking_tokens: config.thinking_tokens,
            folder,
            next_id: AtomicU64::new(1),
            commands: Some(commands),
            thread: Mutex::new(Some(thread)),
        })
    }

    pub(crate) fn facts(&self) -> &ModelFacts {
        self.model.facts()
    }

    pub(crate) fn count_tokens(&self, text: &str) -> usize {
        self.model.text_tokens(text).len()
    }

    pub(crate) fn prompt_tokens(&self, messages: &[ChatMessage]) -> Result<usize, LlmError> {
        self.model.prompt(messages, "", self.thinking_tokens).map(|(tokens, _)| tokens.len())
    }

    /// Puts a request in line, or says at once why not. What it writes comes through the channel.
    pub(crate) fn submit(
        &self,
        request: &Request,
    ) -> Result<mpsc::Receiver<Result<Token, LlmError>>, LlmError> {
        self.accepting()?;
        let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() else {
            return Err(self.overloaded());
        };
        let (prompt, thoughts) =
            self.prompt(&request.messages, &request.prefix, self.thinking_tokens)?;
        let context = self.facts().context_tokens as usize;
        let wanted = request.max_tokens.min(self.max_tokens).max(1) as usize;
        // A thought comes on top, with the marks around it.
        let thinking =
            if self.model.thinks() { self.thinking_tokens as usize + MARKS_TOKENS } else { 0 };
        let max_new = (wanted + thinking).min(context - prompt.len());
        // Room for all that can be sent: a place at most for each one in line, a start, a text per
        // token and a last one, an end.
        let (tokens, written) = mpsc::channel(self.limits.queue + max_new + 4);
        let already = if request.prefix.is_empty() {
            Vec::new()
        } else {
            self.model.text_tokens(&request.prefix)
        };
        let owner = request.session.as_ref().map(owner_of);
        let stops: Vec<String> = request.stop.iter().cloned().chain(thoughts.stops()).collect();
        let task = Task {
            job: Job {
                id: self.next_id.fetch_add(1, Ordering::Relaxed),
                prompt,
                max_new,
                priority: if request.suggestion { Priority::Suggestion } else { Priority::Visitor },
                owner,
                keep: true,
            },
            sampling: request.sampling,
            seed: request.sampling.seed.unwrap_or_else(rand::random),
            already: already.into_iter().map(LlamaToken).collect(),
            text: TextStream::new(&stops),
            thoughts,
            thinking_tokens: self.thinking_tokens as usize,
            wanted,
            tokens,
            permit,
        };
        self.send(Command::Write(Box::new(task)))?;
        Ok(written)
    }

    /// Puts a prompt in line whose answer is a yes or no, behind everything that is written. The
    /// share of yes comes through the channel; dropping that stops it.
    pub(crate) fn judge(
        &self,
        messages: &[ChatMessage],
        permit: OwnedSemaphorePermit,
    ) -> Result<oneshot::Receiver<Result<f32, LlmError>>, LlmError> {
        self.accepting()?;
        let (prompt, _) = self.prompt(messages, "", 0)?;
        let (verdict, judged) = oneshot::channel();
        let job = Job {
            id: self.next_id.fetch_add(1, Ordering::Relaxed),
            prompt,
            max_new: 1,
            priority: Priority::Judgement,
            owner: None,
            keep: true,
        };
        let judgement = Judgement { verdict, permit };
        self.send(Command::Judge(Box::new(Question { job, judgement })))?;
        Ok(judged)
    }

    fn accepting(&self) -> Result<(), LlmError> {
        if self.shared.closing.load(Ordering::Acquire) {
            return Err(LlmError::ShuttingDown);
        }
        self.health()
    }

    /// A prompt's tokens, if they leave room for an answer.
    fn prompt(
        &self,
        messages: &[ChatMessage],
        prefix: &str,
        thinking_tokens: u32,
    ) -> Result<(Vec<TokenId>, Thoughts), LlmError> {
        let (prompt, thoughts) = self.model.prompt(messages, prefix, thinking_tokens)?;
        let context = self.facts().context_tokens as usize;
        if prompt.len() >= context {
            return Err(LlmError::PromptTooLong { tokens: prompt.len(), limit: context - 1 });
        }
        Ok((prompt, thoughts))
    }

    fn send(&self, command: Command) -> Result<(), LlmError> {
        let sent = self.commands.as_ref().map(|commands| commands.try_send(command));
        if !matches!(sent, Some(Ok(()))) {
            self.health()?;
            return Err(self.overloaded());
        }
        Ok(())
    }

    /// Whether the thread still works.
    pub(crate) fn health(&self) -> Result<(), LlmError> {
        if self.shared.alive.load(Ordering::Acquire) {
            return Ok(());
        }
        Err(LlmError::Engine(
            "its thread ended; the log says why, and a restart brings it back".into(),
        ))
    }

    pub(crate) fn stats(&self) -> Stats {
        let shared = &self.shared;
        Stats {
            waiting: shared.waiting.load(Ordering::Relaxed),
            running: shared.running.load(Ordering::Relaxed),
            kv_tokens: shared.kv_tokens.load(Ordering::Relaxed),
            kv_used_tokens: shared.kv_used_tokens.load(Ordering::Relaxed),
            kept_sequences: shared.kept_sequences.load(Ordering::Relaxed),
            sleeping_tokens: shared.sleeping_tokens.load(Ordering::Relaxed),
            sleeping_bytes: shared.sleeping_bytes.load(Ordering::Relaxed),
            woken: shared.woken.load(Ordering::Relaxed),
            files: shared.files.load(Ordering::Relaxed),
            file_bytes: shared.file_bytes.load(Ordering::Relaxed),
            files_written: shared.files_written.load(Ordering::Relaxed),
            files_restored: shared.files_restored.load(Ordering::Relaxed),
            files_refused: shared.files_refused.load(Ordering::Relaxed),
            prompt_steps: shared.prompt_steps.load(Ordering::Relaxed),
            prompt_step_us: shared.prompt_step_us.load(Ordering::Relaxed),
            answer_step_us: shared.answer_step_us.load(Ordering::Relaxed),
            computed_prompt_tokens: shared.computed_prompt_tokens.load(Ordering::Relaxed),
            cached_prompt_tokens: shared.cached_prompt_tokens.load(Ordering::Relaxed),
            generated_tokens: shared.generated_tokens.load(Ordering::Relaxed),
            steps: shared.steps.load(Ordering::Relaxed),
            longest_step_ms: shared.longest_step_us.load(Ordering::Relaxed) / 1000,
        }
    }

    pub(crate) fn shutdown(&self) {
        self.shared.closing.store(true, Ordering::Release);
    }

    /// Waits until every request has ended and finished conversations have their files.
    pub(crate) async fn drained(&self) {
        let all = u32::try_from(self.limits.parallel + self.limits.queue).unwrap_or(u32::MAX);
        drop(self.places.acquire_many(all).await);
        if self.folder.is_some() {
            let (done, is_done) = oneshot::channel();
            if self.send(Command::Hibernate(done)).is_ok() {
                // An error says that the thread is gone.
                drop(is_done.await);
            }
        }
    }

    /// Forgets what is kept of all finished conversations.
    pub(crate) fn forget_all(&self) {
        self.wake(Command::ForgetAll);
    }

    /// Forgets what is kept of one conversation.
    pub(crate) fn forget(&self, session: &SessionKey) {
        let owner = owner_of(session);
        self.shared.to_forget.lock().unwrap_or_else(PoisonError::into_inner).push(owner);
        // At once, so that it is gone even if the thread never comes to it.
        if let Some(folder) = &self.folder {
            hibernation::erase(folder, owner);
        }
        self.wake(Command::Forget);
    }

    /// Forgets the conversations whose files were written before.
    pub(crate) fn expire_files(&self, before: SystemTime) {
        if self.folder.is_some() {
            self.wake(Command::ExpireFiles(before));
        }
    }

    fn wake(&self, command: Command) {
        if let Some(commands) = &self.commands {
            // Full only if one that does the same is in it.
            drop(commands.try_send(command));
        }
    }

    fn overloaded(&self) -> LlmError {
        let answer_ms = self.shared.answer_ms.load(Ordering::Relaxed).max(1000);
        LlmError::Overloaded {
            parallel: self.facts().parallel,
            queue: self.limits.queue,
            // A place in line becomes free about this often.
            retry_after_ms: (answer_ms / self.limits.parallel as u64).clamp(250, 30_000),
        }
    }
}

impl Drop for Llama {
    fn drop(&mut self) {
        self.shared.abort.store(true, Ordering::Release);
        // The thread may be waiting for a command; without a sender it wakes up and ends.
        self.commands = None;
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the language model's thread had panicked");
        }
    }
}

/// Sizes of the context.
#[derive(Clone, Copy, Debug)]
struct Setup {
    limits: Limits,
    /// Cells of the KV cache.
    kv_tokens: u32,
    sequences: u32,
    /// Tokens of snapshots at most.
    sleeping_tokens: u32,
    threads: i32,
    sharing: bool,
}

impl Setup {
    fn of(config: &LlmConfig, model: &Model) -> anyhow::Result<Self> {
        if !(1..=MAX_SEQUENCES).contains(&config.parallel) {
            return Err(anyhow!(
                "[llm] parallel is {}; llama.cpp runs 1 to {MAX_SEQUENCES} at a time",
                config.parallel
            ));
        }
        if config.context_tokens < CACHE_GRAIN {
            return Err(anyhow!(
                "[llm] context_tokens is {}; it must be at least {CACHE_GRAIN}",
                config.context_tokens
            ));
        }
        let wanted = match config.kv_tokens {
            0 => config.context_tokens.saturating_mul(config.parallel.min(FULL_CONVERSATIONS)),
            tokens => tokens.max(config.context_tokens),
        };
        let sharing = model.shares_prefixes();
        let batch = match (config.batch_tokens, config.gpu_layers) {
            (0, 0) => BATCH_TOKENS_CPU,
            (0, _) => BATCH_TOKENS_GPU,
            // A row for each answer, and some of a prompt.
            (tokens, _) if tokens < config.parallel + LEAST_PROMPT_TOKENS => {
                let least = config.parallel + LEAST_PROMPT_TOKENS;
                return Err(anyhow!(
                    "[llm] batch_tokens is {tokens}; with parallel = {} it must be at least {least}",
                    config.parallel
                ));
            }
            (tokens, _) => tokens,
        };
        Ok(Self {
            limits: Limits {
                parallel: config.parallel as usize,
                queue: config.queue,
                batch_tokens: batch.min(wanted) as usize,
                times: TIMES,
                kept_awake: KEPT_AWAKE_TOKENS,
            },
            kv_tokens: wanted.next_multiple_of(CACHE_GRAIN),
            // Without sharing no finished sequence is kept, and recurrent models pay for each one.
            sequences: if sharing {
                (config.parallel * 3).clamp(32, MAX_SEQUENCES - 1)
            } else {
                config.parallel
            },
            sleeping_tokens: config.sleeping_tokens,
            threads: i32::try_from(model.facts().threads).unwrap_or(1),
            sharing,
        })
    }

    fn params(&self) -> LlamaContextParams {
        let batch = u32::try_from(self.limits.batch_tokens).unwrap_or(BATCH_TOKENS_CPU);
        LlamaContextParams::default()
            .with_n_ctx(std::num::NonZeroU32::new(self.kv_tokens))
            .with_n_batch(batch)
            .with_n_ubatch(batch)
            .with_n_seq_max((self.sequences + 1).min(MAX_SEQUENCES))
            .with_kv_unified(true)
            .with_n_threads(threads_of_a_row(self.threads))
            .with_n_threads_batch(self.threads)
    }
}

/// Threads for a step of a single row. Of two, the second mostly waits for the first, and the
/// embedder has use for it.
fn threads_of_a_row(threads: i32) -> i32 {
    if threads == 2 { 1 } else { threads }
}

/// Says that the thread is gone, also when it panics.
struct Alive<'a>(&'a Shared);

impl Drop for Alive<'_> {
    fn drop(&mut self) {
        self.0.alive.store(false, Ordering::Release);
    }
}

fn run(
    model: &Model,
    setup: &Setup,
    files: Option<Files>,
    inbox: &Receiver<Command>,
    shared: &Shared,
    ready: &SyncSender<anyhow::Result<()>>,
) {
    shared.alive.store(true, Ordering::Release);
    let _alive = Alive(shared);
    let mut worker = match Worker::new(model, setup, files, shared) {
        Ok(worker) => worker,
        Err(error) => {
            drop(ready.send(Err(error)));
            return;
        }
    };
    if ready.send(Ok(())).is_ok() {
        worker.work(inbox);
    }
}

struct Worker<'a> {
    model: &'a Model,
    shared: &'a Shared,
    context: LlamaContext<'a>,
    batch: LlamaBatch<'static>,
    scheduler: Scheduler,
    answers: FxHashMap<RequestId, Answer>,
    judgements: FxHashMap<RequestId, Judgement>,
    snapshots: FxHashMap<SnapshotId, SeqState>,
    /// The sequence through which snapshots come and go.
    scratch: i32,
    files: Option<Files>,
}

/// A request that waits or runs.
struct Answer {
    sampler: LlamaSampler,
    text: TextStream,
    thoughts: Thoughts,
    thinking_tokens: usize,
    wanted: usize,
    /// Tokens to write in the model's place: the end of a thought that took too long.
    forced: VecDeque<LlamaToken>,
    /// That it thinks was told.
    told_thinking: bool,
    usage: Usage,
    tokens: mpsc::Sender<Result<Token, LlmError>>,
    /// The place in line that was told last; 0 for none.
    place: usize,
    started: Option<Instant>,
    /// Its place among those who wait or run.
    permit: OwnedSemaphorePermit,
}

impl<'a> Worker<'a> {
    fn new(
        model: &'a Model,
        setup: &Setup,
        files: Option<Files>,
        shared: &'a Shared,
    ) -> anyhow::Result<Self> {
        let backend = backend::backend().map_err(|error| anyhow!(error))?;
        let context = model.llama().new_context(backend, setup.params()).map_err(|error| {
            anyhow!(
                "llama.cpp can't make room for {} tokens of context: {error}; lower [llm] kv_tokens, context_tokens or \
                 parallel, or free memory",
                setup.kv_tokens
            )
        })?;
        let mut cache = Cache::new(
            setup.sequences as usize,
            setup.kv_tokens as usize,
            setup.sharing,
            setup.sleeping_tokens as usize,
        );
        cache.allow_files(files.as_ref().map_or(0, |files| files.capacity));
        let mut worker = Self {
            model,
            shared,
            context,
            batch: LlamaBatch::new(setup.limits.batch_tokens, 1),
            scheduler: Scheduler::new(setup.limits, cache),
            answers: FxHashMap::default(),
            judgements: FxHashMap::default(),
            snapshots: FxHashMap::default(),
            scratch: i32::try_from(setup.sequences).unwrap_or_default(),
            files,
        };
        worker.warm_up()?;
        worker.find_files();
        worker.publish();
        Ok(worker)
    }

    /// One token, so that the first visitor doesn't wait for the model's pages to be read.
    fn warm_up(&mut self) -> anyhow::Result<()> {
        self.batch.clear();
        self.batch.add(LlamaToken(0), 0, &[0], true)?;
        self.context.decode(&mut self.batch).context("llama.cpp can't run this model")?;
        self.context.synchronize();
        self.context.clear_kv_cache();
        Ok(())
    }

    fn work(&mut self, inbox: &Receiver<Command>) {
        loop {
            if self.scheduler.is_idle() {
                match self.wait(inbox) {
                    Some(command) => self.take(command),
                    None => return,
                }
            }
            while let Ok(command) = inbox.try_recv() {
                self.take(command);
            }
            if self.shared.abort.load(Ordering::Acquire) {
                for (_, answer) in self.answers.drain() {
                    answer.send(Err(LlmError::ShuttingDown));
                }
                // Dropping the channel tells callers of pending judgements.
                return;
            }
            self.drop_departed();
            self.step();
            self.publish();
        }
    }

    /// Waits for a command, and writes conversations to files meanwhile. `None` at the end.
    fn wait(&mut self, inbox: &Receiver<Command>) -> Option<Command> {
        let mut patience = HIBERNATE_AFTER;
        while let Some(saving) = self.unsaved() {
            match inbox.recv_timeout(patience) {
                Ok(command) => return Some(command),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => self.hibernate(saving),
            }
            patience = BETWEEN_FILES;
        }
        inbox.recv().ok()
    }

    fn take(&mut self, command: Command) {
        let task = match command {
            Command::Write(task) => *task,
            Command::Judge(question) => return self.take_question(*question),
            Command::ForgetAll => {
                // What a client has just left is finished, too.
                self.drop_departed();
                self.scheduler.forget_kept();
                return;
            }
            Command::Hibernate(done) => {
                let begun = Instant::now();
                let ops = self.scheduler.take_ops();
                self.apply(&ops);
                while begun.elapsed() < LAST_FILES
                    && let Some(saving) = self.unsaved()
                {
                    self.hibernate(saving);
                }
                if done.send(()).is_err() {
                    tracing::debug!("nobody waits for the files any more");
                }
                return;
            }
            Command::ExpireFiles(before) => {
                let Some(files) = &self.files else { return };
                // Whole: what is awake would be written again.
                for owner in files.written_before(before) {
                    self.scheduler.forget(owner);
                }
                return;
            }
            Command::Forget => {
                self.drop_departed();
                let owners = std::mem::take(
                    &mut *self.shared.to_forget.lock().unwrap_or_else(PoisonError::into_inner),
                );
                owners.into_iter().for_each(|owner| self.scheduler.forget(owner));
                return;
            }
        };
        let answer = Answer {
            sampler: sampler::chain(
                &task.sampling,
                self.model.llama().n_vocab(),
                task.seed,
                &task.already,
            ),
            text: task.text,
            thoughts: task.thoughts,
            thinking_tokens: task.thinking_tokens,
            wanted: task.wanted,
            forced: VecDeque::new(),
            told_thinking: false,
            usage: Usage { prompt_tokens: count(task.job.prompt.len()), ..Usage::default() },
            tokens: task.tokens,
            place: 0,
            started: None,
            permit: task.permit,
        };
        let id = task.job.id;
        match self.scheduler.enqueue(task.job) {
            Ok(()) => drop(self.answers.insert(id, answer)),
            // Permits and the check against the context keep this from happening.
            Err(job) => answer.send(Err(LlmError::Engine(format!(
                "no room for a prompt of {} tokens",
                job.prompt.len()
            )))),
        }
    }

    fn take_question(&mut self, Question { job, judgement }: Question) {
        let id = job.id;
        match self.scheduler.enqueue(job) {
            Ok(()) => drop(self.judgements.insert(id, judgement)),
            // Permits and the check against the context keep this from happening.
            Err(job) => {
                judgement.send(Err(LlmError::Engine(format!(
                    "no room for a prompt of {} tokens",
                    job.prompt.len()
                ))));
            }
        }
    }

    /// Stops writing for clients who left. What was computed is kept as long as there is room:
    /// often a next question of the same visitor is why the client left this one.
    fn drop_departed(&mut self) {
        let departed: Vec<RequestId> = self
            .answers
            .iter()
            .filter(|(_, answer)| answer.tokens.is_closed())
            .map(|(&id, _)| id)
            .collect();
        for id in departed {
            self.answers.remove(&id);
            self.scheduler.finish(id);
            self.scheduler.cancel(id);
        }
        let scheduler = &mut self.scheduler;
        self.judgements.retain(|&id, judgement| {
            let wanted = !judgement.verdict.is_closed();
            if !wanted {
                scheduler.cancel(id);
            }
            wanted
        });
    }

    fn step(&mut self) {
        let plan = self.scheduler.plan();
        let whole = self.apply(&plan.ops);
        self.tell_progress(&plan);
        // Without a part of the cache that it relies on, the step is planned anew.
        if plan.chunks.is_empty() || !whole {
            return;
        }
        let begun = Instant::now();
        let decoded = self.decode(&plan);
        let took = begun.elapsed();
        match decoded {
            Ok(draws) => {
                self.scheduler.done(&plan, took);
                self.count_step(&plan, took);
                for (id, index) in draws {
                    self.draw(id, index);
                }
                // Ended sequences are cleared now, not when the next request comes.
                let ops = self.scheduler.take_ops();
                self.apply(&ops);
            }
            Err(DecodeError::NoKvCacheSlot) => self.make_room(&plan),
            Err(error) => self.fail(&plan, &error),
        }
    }

    /// Computes a step. Returns who draws a token from which place in the batch.
    fn decode(&mut self, plan: &Plan) -> Result<Vec<(RequestId, i32)>, DecodeError> {
        self.batch.clear();
        let mut draws = Vec::new();
        for Chunk { id, seq, start, tokens, sample, .. } in &plan.chunks {
            let seq = i32::try_from(*seq).map_err(|_| DecodeError::Unknown(-1))?;
            for (at, &token) in tokens.iter().enumerate() {
                let position = i32::try_from(start + at).map_err(|_| DecodeError::Unknown(-1))?;
                let last = *sample && at + 1 == tokens.len();
                if last {
                    draws.push((*id, self.batch.n_tokens()));
                }
                // One sequence id for each token, as the batch was made for: `add` doesn't check.
                self.batch
                    .add(LlamaToken(token), position, &[seq], last)
                    .map_err(|_| DecodeError::Unknown(-1))?;
            }
        }
        self.context.decode(&mut self.batch)?;
        self.context.synchronize();
        Ok(draws)
    }

    /// Draws the next token of an answer and sends its text.
    fn draw(&mut self, id: RequestId, index: i32) {
        if let Some(judgement) = self.judgements.remove(&id) {
            // Nobody asks it again, but the next ones begin as it did: the last one is kept for
            // them as long as there is room.
            if self.judgements.is_empty() {
                self.scheduler.finish(id);
            } else {
                self.scheduler.cancel(id);
            }
            let share = self.model.yes_share(self.context.get_logits_ith(index));
            return judgement.send(
                share.ok_or_else(|| LlmError::Engine("it weighs neither yes nor no".into())),
            );
        }
        let Some(answer) = self.answers.get_mut(&id) else { return };
        let mut forced = answer.forced.pop_front();
        let sampled = forced.unwrap_or_else(|| answer.sampler.sample(&self.context, index));
        if forced.is_none() && self.model.ends(sampled) {
            // Who ends in the middle of a thought has an answer yet to give.
            answer.forced = self.model.ending(&answer.thoughts);
            forced = answer.forced.pop_front();
            if forced.is_none() {
                return self.finish(id, Finish::Stop);
            }
        }
        let token = forced.unwrap_or(sampled);
        if let Some(token) = forced {
            answer.sampler.accept(token);
        }
        answer.usage.completion_tokens += 1;
        self.shared.generated_tokens.fetch_add(1, Ordering::Relaxed);
        let bytes =
            answer.thoughts.push(&self.model.marked_bytes_of(token), &self.model.bytes_of(token));
        let piece = answer.text.push(&bytes);
        if !piece.text.is_empty() {
            answer.send(Ok(Token::Text(piece.text)));
        }
        if piece.stopped {
            return self.finish(id, Finish::Stop);
        }
        if answer.thoughts.thinks() {
            if answer.thinking_tokens > 0 && !std::mem::replace(&mut answer.told_thinking, true) {
                answer.send(Ok(Token::Thinking));
            }
            if answer.forced.is_empty() && answer.thoughts.tokens() >= answer.thinking_tokens {
                answer.forced = self.model.ending(&answer.thoughts);
            }
        }
        let said = answer.usage.completion_tokens as usize - answer.thoughts.tokens();
        if !self.scheduler.push(id, token.0) || said >= answer.wanted {
            self.finish(id, Finish::Length);
        }
    }

    fn finish(&mut self, id: RequestId, finish: Finish) {
        self.scheduler.finish(id);
        let Some(mut answer) = self.answers.remove(&id) else { return };
        let held = answer.thoughts.finish();
        let piece = answer.text.push(&held);
        let rest = piece.text + &std::mem::take(&mut answer.text).finish();
        if !rest.is_empty() {
            answer.send(Ok(Token::Text(rest)));
        }
        if let Some(started) = answer.started {
            let took = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            let before = self.shared.answer_ms.load(Ordering::Relaxed);
            let average =
                if before == 0 { took } else { before.saturating_mul(7).saturating_add(took) / 8 };
            self.shared.answer_ms.store(average, Ordering::Relaxed);
        }
        // The place is free before the client hears of the end, so that its next request finds it.
        let Answer { tokens, usage, permit, .. } = answer;
        drop(permit);
        drop(tokens.try_send(Ok(Token::Done { finish, usage })));
    }

    /// llama.cpp found no room although the books say that there is some: give up what is kept,
    /// then what came last.
    fn make_room(&mut self, plan: &Plan) {
        tracing::warn!(tokens = plan.tokens(), "the KV cache has no room for a step; making some");
        if !self.scheduler.forget_kept() && !self.scheduler.requeue_last() {
            self.fail(plan, &DecodeError::NoKvCacheSlot);
        }
        let ops = self.scheduler.take_ops();
        self.apply(&ops);
    }

    /// A step failed: so do the requests in it. The others go on.
    fn fail(&mut self, plan: &Plan, error: &DecodeError) {
        tracing::error!(%error, requests = plan.chunks.len(), tokens = plan.tokens(), "a step of the language model failed");
        for chunk in &plan.chunks {
            self.scheduler.cancel(chunk.id);
            let error = || LlmError::Engine(format!("llama.cpp couldn't compute a step: {error}"));
            if let Some(answer) = self.answers.remove(&chunk.id) {
                answer.send(Err(error()));
            }
            if let Some(judgement) = self.judgements.remove(&chunk.id) {
                judgement.send(Err(error()));
            }
        }
        let ops = self.scheduler.take_ops();
        self.apply(&ops);
    }

    /// Carries operations on the KV cache out. Returns false if a snapshot couldn't be put back;
    /// its request begins again.
    fn apply(&mut self, ops: &[Op]) -> bool {
        let mut whole = true;
        for (at, op) in ops.iter().enumerate() {
            let Err(error) = self.apply_one(*op) else { continue };
            tracing::warn!(
                error = format!("{error:#}"),
                ?op,
                files_refused = self.shared.files_refused.load(Ordering::Relaxed),
                "an operation on the KV cache failed"
            );
            whole &= !self.scheduler.restart(ops, at);
        }
        whole
    }

    fn apply_one(&mut self, op: Op) -> anyhow::Result<()> {
        let (context, scratch) = (&mut self.context, self.scratch);
        match op {
            Op::Share { from, to, tokens } => {
                context.kv_cache_seq_cp(
                    i32::try_from(from)?,
                    i32::try_from(to)?,
                    Some(0),
                    Some(u32::try_from(tokens)?),
                )?;
            }
            Op::Clear { seq } => {
                context.clear_kv_cache_seq(Some(u32::try_from(seq)?), None, None)?;
            }
            Op::Sleep { seq, from, id } => {
                let from = u32::try_from(from)?;
                let copied =
                    context.kv_cache_seq_cp(i32::try_from(seq)?, scratch, Some(from), None);
                let state =
                    copied.map(|()| context.state_seq_get(scratch, LlamaStateSeqFlags::empty()));
                // Whatever went wrong, the next snapshot finds it empty.
                context.clear_kv_cache_seq(Some(u32::try_from(scratch)?), None, None)?;
                self.snapshots.insert(id, state??);
            }
            Op::Wake { id, seq, from, to } => {
                let (target, from, to) =
                    (i32::try_from(seq)?, u32::try_from(from)?, u32::try_from(to)?);
                let restored: anyhow::Result<()> = match self.snapshots.get(&id) {
                    Some(state) => context.state_seq_set(state, scratch).map_err(Into::into),
                    None => self.read_file(id),
                };
                let context = &mut self.context;
                let copied = restored
                    .map(|()| context.kv_cache_seq_cp(scratch, target, Some(from), Some(to)));
                // Whatever went wrong, the next snapshot finds it empty.
                context.clear_kv_cache_seq(Some(u32::try_from(scratch)?), None, None)?;
                copied??;
            }
            Op::Drop { id } => {
                self.snapshots.remove(&id);
                if let Some(files) = &mut self.files
                    && let Some(owner) = files.owners.remove(&id)
                {
                    hibernation::erase(&files.folder, owner);
                }
            }
        }
        Ok(())
    }

    /// Notes the files that are there from before.
    fn find_files(&mut self) {
        let Some(files) = &mut self.files else { return };
        let (found, refused) = match hibernation::scan(&files.folder, &files.maker) {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "the files of hibernated conversations can't be listed");
                return;
            }
        };
        self.shared.files_refused.fetch_add(refused, Ordering::Relaxed);
        for Found { owner, from, tokens, bytes } in found {
            if self.scheduler.make_file_room(bytes) {
                let id = self.scheduler.find_file(owner, tokens, from, bytes);
                files.owners.insert(id, owner);
            } else {
                hibernation::erase(&files.folder, owner);
            }
        }
        let ops = self.scheduler.take_ops();
        self.apply(&ops);
    }

    /// A finished conversation that is to have a file.
    fn unsaved(&self) -> Option<Saving> {
        let files = self.files.as_ref()?;
        self.scheduler.unsaved(|owner, tokens| files.given_up.contains(&(owner, tokens)))
    }

    /// Writes a finished conversation to its file. One that can't be written isn't tried again.
    fn hibernate(&mut self, saving: Saving) {
        let (owner, tokens) = (saving.owner, saving.tokens.len());
        let written = self.write(&saving);
        let Some(files) = &mut self.files else { return };
        match written {
            Ok(bytes) => {
                // Its last file, if any, was replaced.
                files.owners.retain(|_, other| *other != owner);
                files.owners.insert(self.scheduler.add_file(saving, bytes), owner);
                self.shared.files_written.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                tracing::warn!(
                    tokens,
                    error = format!("{error:#}"),
                    "a conversation isn't hibernated"
                );
                if files.given_up.len() >= MOST_GIVEN_UP {
                    files.given_up.clear();
                }
                files.given_up.insert((owner, tokens));
            }
        }
        self.publish();
    }

    fn write(&mut self, saving: &Saving) -> anyhow::Result<u64> {
        let (id, base) = match saving.source {
            Source::Sequence(seq) => return self.write_sequence(i32::try_from(seq)?, saving),
            Source::Snapshot { id, base } => (id, base),
        };
        let (context, scratch) = (&mut self.context, self.scratch);
        let state = self.snapshots.get(&id).context("the snapshot is gone")?;
        let restored = context.state_seq_set(state, scratch).map_err(anyhow::Error::from);
        let whole = restored.and_then(|()| {
            if let Some((seq, tokens)) = base {
                let (seq, tokens) = (i32::try_from(seq)?, u32::try_from(tokens)?);
                context.kv_cache_seq_cp(seq, scratch, Some(0), Some(tokens))?;
            }
            Ok(())
        });
        let written = whole.and_then(|()| self.write_sequence(scratch, saving));
        // Whatever went wrong, the next snapshot finds it empty.
        self.context.clear_kv_cache_seq(Some(u32::try_from(scratch)?), None, None)?;
        written
    }

    /// Writes a sequence to its conversation's file. Returns the file's size.
    fn write_sequence(&mut self, seq: i32, saving: &Saving) -> anyhow::Result<u64> {
        let state = self.context.state_seq_get_size_ext(seq, LlamaStateSeqFlags::empty());
        let tokens: Vec<LlamaToken> = saving.tokens.iter().copied().map(LlamaToken).collect();
        let bytes = (state + size_of_val(&tokens[..])) as u64;
        ensure!(bytes <= MOST_FILE_BYTES, "its file would have {bytes} bytes");
        ensure!(self.scheduler.make_file_room(bytes), "it is more than llm.hibernated_mib");
        let ops = self.scheduler.take_ops();
        self.apply(&ops);
        let files = self.files.as_ref().context("there are no files")?;
        let written = hibernation::begin(&files.folder, saving.owner)?;
        let saved = self.context.state_seq_save_file(&written, seq, &tokens);
        let sealed = saved.map_err(anyhow::Error::from).and_then(|_| {
            hibernation::seal(&files.folder, &written, &files.maker, saving.owner, saving.from)
        });
        if sealed.is_err() {
            drop(std::fs::remove_file(&written));
        }
        sealed
    }

    /// Puts a conversation's file into the scratch sequence.
    fn read_file(&mut self, id: SnapshotId) -> anyhow::Result<()> {
        let files = self.files.as_ref().context("the snapshot is gone")?;
        let owner = *files.owners.get(&id).context("the snapshot is gone")?;
        let verified = hibernation::verify(&files.folder, owner, &files.maker);
        let path = hibernation::path_of(&files.folder, owner);
        let read = verified.and_then(|()| {
            let most = self.context.n_ctx() as usize;
            Ok(self.context.state_seq_load_file(path, self.scratch, most)?)
        });
        let counted = match read {
            Ok(_) => &self.shared.files_restored,
            Err(_) => &self.shared.files_refused,
        };
        counted.fetch_add(1, Ordering::Relaxed);
        read.map(drop)
    }

    /// Tells requests that they started, or their place in line if it changed.
    fn tell_progress(&mut self, plan: &Plan) {
        for id in &plan.started {
            let cached = self.scheduler.cached_tokens(*id);
            if let Some(answer) = self.answers.get_mut(id)
                && answer.started.is_none()
            {
                answer.started = Some(Instant::now());
                answer.usage.cached_tokens = count(cached);
                answer.send(Ok(Token::Started));
            }
        }
        // A request that waited for another one's prompt learns only now what it shares.
        for chunk in plan.chunks.iter().filter(|chunk| chunk.prompt) {
            let cached = self.scheduler.cached_tokens(chunk.id);
            if let Some(answer) = self.answers.get_mut(&chunk.id)
                && answer.usage.completion_tokens == 0
                && answer.usage.cached_tokens != count(cached)
            {
                answer.usage.cached_tokens = count(cached);
            }
        }
        for (at, id) in self.scheduler.line().enumerate() {
            if let Some(answer) = self.answers.get_mut(&id)
                && answer.started.is_none()
                && answer.place != at + 1
            {
                answer.place = at + 1;
                answer.send(Ok(Token::Queued { place: at + 1 }));
            }
        }
    }

    fn count_step(&self, plan: &Plan, took: Duration) {
        let shared = self.shared;
        let prompt: usize =
            plan.chunks.iter().filter(|chunk| chunk.prompt).map(|chunk| chunk.tokens.len()).sum();
        shared.computed_prompt_tokens.fetch_add(prompt as u64, Ordering::Relaxed);
        shared.steps.fetch_add(1, Ordering::Relaxed);
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        shared.longest_step_us.fetch_max(took_us, Ordering::Relaxed);
        if prompt > 0 {
            shared.prompt_steps.fetch_add(1, Ordering::Relaxed);
            shared.prompt_step_us.fetch_add(took_us, Ordering::Relaxed);
        } else {
            shared.answer_step_us.fetch_add(took_us, Ordering::Relaxed);
        }
        for chunk in plan.chunks.iter().filter(|chunk| chunk.prompt && chunk.sample) {
            shared
                .cached_prompt_tokens
                .fetch_add(self.scheduler.cached_tokens(chunk.id) as u64, Ordering::Relaxed);
        }
    }

    fn publish(&self) {
        let (shared, cache) = (self.shared, self.scheduler.cache());
        shared.waiting.store(self.scheduler.waiting(), Ordering::Relaxed);
        shared.running.store(self.scheduler.running(), Ordering::Relaxed);
        shared.kv_used_tokens.store(cache.used(), Ordering::Relaxed);
        shared.kept_sequences.store(cache.kept_sequences(), Ordering::Relaxed);
        shared.sleeping_tokens.store(cache.asleep().tokens(), Ordering::Relaxed);
        let bytes = self.snapshots.values().map(SeqState::byte_len).sum();
        shared.sleeping_bytes.store(bytes, Ordering::Relaxed);
        shared.woken.store(cache.asleep().put_back(), Ordering::Relaxed);
        let (files, file_bytes) = cache.asleep().files();
        shared.files.store(files, Ordering::Relaxed);
        shared.file_bytes.store(file_bytes, Ordering::Relaxed);
    }
}

impl Judgement {
    /// The place is free before anybody hears of the end, so that the next one finds it. Who
    /// doesn't wait any more needs no verdict.
    fn send(self, share: Result<f32, LlmError>) {
        drop(self.permit);
        drop(self.verdict.send(share));
    }
}

impl Answer {
    /// The channel has room for everything that an answer can send; a client who left is noticed at
    /// the next step.
    fn send(&self, token: Result<Token, LlmError>) {
        drop(self.tokens.try_send(token));
    }
}

fn count(tokens: usize) -> u32 {
    u32::try_from(tokens).unwrap_or(u32::MAX)
}
