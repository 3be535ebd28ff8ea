//! Text → vectors: a clone-able handle in front of the thread that owns llama.cpp's embedding
//! context.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::{LlamaContextParams, LlamaPoolingType};
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::token::LlamaToken;
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};

use super::reads;
use crate::llm::backend::backend;
use crate::llm::gguf::{self, GgufError, GgufFacts};

/// `[embedder]`: the model that turns passages and questions into vectors. Changing the model or a
/// prefix makes the vectors in the index meaningless: ingest everything again with `--force`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct EmbedderConfig {
    /// Path of an embedding GGUF.
    pub model: PathBuf,
    /// SHA-256 sums (hexadecimal) of the GGUF files that may be loaded; empty allows any. A GGUF is
    /// code: list what you trust.
    pub allowed_sha256: Vec<String>,
    /// Processor threads; 0 takes one less than this process may use, at least one: the threads
    /// wait for each other at every step, so one that has to share its processor makes all of them
    /// slow.
    pub threads: u32,
    /// Layers to put on the GPU; 0 stays on the processor, 999 takes all. Needs a build with
    /// `cuda`, `vulkan` or `metal`.
    pub gpu_layers: u32,
    /// Tokens of a text that count; what is longer is cut. At most what the model was trained with.
    /// 0 takes that.
    pub max_tokens: u32,
    /// Tokens computed at once while documents are ingested. More takes more time in all
    /// (docs/engine.md), and a visitor's question waits until the batch before it is through.
    pub batch_tokens: u32,
    /// Put before every passage; some models want it (`passage: `). Empty: what the file itself
    /// names, if anything.
    pub passage_prefix: String,
    /// Put before every question; some models want it (`query: `). Empty: what the file itself
    /// names, if anything.
    pub query_prefix: String,
    /// Questions that may wait; one more is refused at once.
    pub queue: usize,
    /// Vectors of questions and quoted sentences that are kept in memory, 1.6 KiB each with the
    /// default model; 0 keeps none. What is asked and quoted often is then computed once. Texts
    /// aren't kept, only their hashes.
    pub remembered: usize,
}

impl Default for EmbedderConfig {
    fn default() -> Self {
        Self {
            model: "models/all-minilm-l6-v2-f16.gguf".into(),
            allowed_sha256: Vec::new(),
            threads: 0,
            gpu_layers: 0,
            max_tokens: 0,
            batch_tokens: 512,
            passage_prefix: String::new(),
            query_prefix: String::new(),
            queue: 256,
            remembered: 4096,
        }
    }
}

impl EmbedderConfig {
    /// The same for another model, with its own prefixes and length.
    #[must_use]
    pub fn of_another(&self, model: &Path) -> Self {
        let model = model.to_owned();
        let (passage_prefix, query_prefix) = (String::new(), String::new());
        Self { model, passage_prefix, query_prefix, max_tokens: 0, ..self.clone() }
    }
}

/// Why there is no vector.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// The file was refused before llama.cpp saw it.
    #[error(transparent)]
    Model(#[from] GgufError),
    /// llama.cpp refused the file.
    #[error("the embedding model {path} can't be used: {reason}")]
    Load { path: PathBuf, reason: String },
    /// The queue is full.
    #[error("{waiting} questions already wait for the embedding model; try again in a moment")]
    Overloaded { waiting: usize },
    /// llama.cpp failed on a text.
    #[error("the embedding model failed: {0}")]
    Engine(String),
    /// The thread has ended.
    #[error("the embedding model is shutting down")]
    ShuttingDown,
}

/// What is loaded, for `frontdesk check`.
#[derive(Clone, Debug, Serialize)]
pub struct EmbedderFacts {
    pub path: PathBuf,
    pub model: GgufFacts,
    /// Length of a vector.
    pub dims: usize,
    /// Tokens of a text that count.
    pub max_tokens: usize,
    pub threads: u32,
    pub gpu_layers: u32,
}

/// The embedding model. Clones share one thread, `frontdesk-embed`, which ends with the last of
/// them.
#[derive(Clone)]
pub struct Embedder {
    inner: Arc<Inner>,
}

impl Embedder {
    /// Loads the model in a thread of its own and waits until it is ready, 0.1 s for a small one.
    ///
    /// # Errors
    ///
    /// When the file is missing, no GGUF, cut off, not on the list, or no embedding model.
    pub fn load(config: &EmbedderConfig) -> Result<Self, EmbedError> {
        let model = gguf::check(&config.model, &config.allowed_sha256)?;
        let prefix = |own: &String, of_the_file: &String| {
            if own.is_empty() { of_the_file } else { own }.clone()
        };
        let passage_prefix = prefix(&config.passage_prefix, &model.passage_prefix);
        let query_prefix = prefix(&config.query_prefix, &model.query_prefix);
        let shared = Arc::new(Shared {
            queues: Mutex::new(Queues::default()),
            work: Condvar::new(),
            bulk_slots: Semaphore::new(BULK_JOBS),
            remembered: (config.remembered > 0).then(|| Cache::new(config.remembered)),
            computed: AtomicU64::new(0),
        });
        let (ready, is_ready) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new().name("frontdesk-embed".into()).spawn({
            let (shared, config) = (shared.clone(), config.clone());
            move || serve(&shared, &config, model, &ready)
        });
        let failed = |reason: String| EmbedError::Load { path: config.model.clone(), reason };
        let thread =
            thread.map_err(|error| failed(format!("its thread could not be started: {error}")))?;
        let facts = match is_ready.recv() {
            Ok(Ok(facts)) => facts,
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(failed("loading it crashed; see the log".to_owned())),
        };
        Ok(Self {
            inner: Arc::new(Inner {
                shared,
                thread: Some(thread),
                facts,
                passage_prefix,
                query_prefix,
                queue: config.queue,
                readable: Mutex::default(),
            }),
        })
    }

    /// Vectors of passages, one of [`Embedder::dims`] numbers and length 1 for each text. Waits in
    /// line behind other passages and lets every question pass. Dropping the future stops the work.
    ///
    /// # Errors
    ///
    /// When llama.cpp fails, or the thread has ended.
    pub async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, EmbedError> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let shared = &self.inner.shared;
        let slot = shared.bulk_slots.acquire().await.map_err(|_| EmbedError::ShuttingDown)?;
        let texts = prefixed(texts, &self.inner.passage_prefix);
        let answer = shared.push(Lane::Bulk, texts, Vec::new(), usize::MAX)?;
        finish(answer, Some(slot)).await
    }

    /// The vectors of a few short texts that somebody waits for; they go before all passages that
    /// wait.
    ///
    /// # Errors
    ///
    /// As [`Embedder::embed_query`].
    pub async fn embed_queries(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, EmbedError> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let (shared, texts) = (&self.inner.shared, prefixed(texts, &self.inner.query_prefix));
        let keys: Vec<Key> = texts.iter().map(|text| key(text)).collect();
        if let Some(vectors) = keys.iter().map(|key| shared.known(key)).collect() {
            return Ok(vectors);
        }
        finish(shared.push(Lane::Query, texts, keys, self.inner.queue)?, None).await
    }

    /// The vector of a question; goes before all passages that wait.
    ///
    /// # Errors
    ///
    /// [`EmbedError::Overloaded`] at once when the queue is full; when llama.cpp fails, or the
    /// thread has ended.
    pub async fn embed_query(&self, text: String) -> Result<Vec<f32>, EmbedError> {
        first(self.embed_queries(vec![text]).await?)
    }

    /// The vector of a question nobody waits for: it lets every other question pass.
    ///
    /// # Errors
    ///
    /// As [`Embedder::embed`].
    pub async fn embed_quietly(&self, text: String) -> Result<Vec<f32>, EmbedError> {
        let texts = prefixed(vec![text], &self.inner.query_prefix);
        // What is known needs no place in the line of passages, which may be long.
        match texts.first().and_then(|text| self.inner.shared.known(&key(text))) {
            Some(vector) => Ok(vector),
            None => first(self.quietly(texts).await?),
        }
    }

    /// Computes the vectors of questions and sentences that will be asked for, and remembers them.
    /// Lets every other question pass.
    ///
    /// # Errors
    ///
    /// As [`Embedder::embed`].
    pub async fn prepare(&self, texts: Vec<String>) -> Result<(), EmbedError> {
        let shared = &self.inner.shared;
        let mut texts = prefixed(texts, &self.inner.query_prefix);
        texts.retain(|text| shared.known(&key(text)).is_none());
        if shared.remembered.is_some() && !texts.is_empty() {
            self.quietly(texts).await?;
        }
        Ok(())
    }

    async fn quietly(&self, texts: Vec<String>) -> Answer {
        let shared = &self.inner.shared;
        let slot = shared.bulk_slots.acquire().await.map_err(|_| EmbedError::ShuttingDown)?;
        let keys: Vec<Key> = texts.iter().map(|text| key(text)).collect();
        finish(shared.push(Lane::Bulk, texts, keys, usize::MAX)?, Some(slot)).await
    }

    /// Whether the model reads the language of a text. One that can't be told counts as read. The
    /// first text of a language costs six short ones more.
    ///
    /// # Errors
    ///
    /// As [`Embedder::embed_query`].
    pub async fn reads(&self, text: &str) -> Result<bool, EmbedError> {
        match reads::stands_for(text) {
            Some(language) => self.reads_language(language).await,
            None => Ok(true),
        }
    }

    /// Whether the model reads a language (ISO 639-1); one that isn't known here counts as read.
    ///
    /// # Errors
    ///
    /// As [`Embedder::embed_query`].
    pub async fn reads_language(&self, language: &str) -> Result<bool, EmbedError> {
        let Some((language, texts)) = reads::probe(language) else { return Ok(true) };
        let known = || self.inner.readable.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reads) = known().get(language) {
            return Ok(*reads);
        }
        let reads = reads::told_apart(&self.embed_queries(texts.map(str::to_owned).into()).await?);
        if known().insert(language, reads).is_none() && !reads {
            tracing::warn!(
                language,
                model = %self.inner.facts.path.display(),
                "the embedding model doesn't read this language: its questions are answered by words alone; set embedder.model to one that does"
            );
        }
        Ok(reads)
    }

    /// Which of the languages that it can be tried on the model reads (ISO 639-1).
    ///
    /// # Errors
    ///
    /// As [`Embedder::embed_query`].
    pub async fn languages_read(&self) -> Result<Vec<&'static str>, EmbedError> {
        let mut read = Vec::new();
        for language in reads::languages() {
            if self.reads_language(language).await? {
                read.push(language);
            }
        }
        Ok(read)
    }

    /// Texts computed since the start; what was remembered isn't among them.
    #[must_use]
    pub fn computed(&self) -> u64 {
        self.inner.shared.computed.load(Ordering::Relaxed)
    }

    /// Whether texts can be embedded at all.
    ///
    /// # Errors
    /// [`EmbedError::Engine`] once the thread has died; only a restart helps.
    pub fn health(&self) -> Result<(), EmbedError> {
        // As long as there is a handle, nobody but the thread's own end closes its queues.
        if self.inner.shared.lock().closed {
            let what = "its thread ended; the log says why, and a restart brings it back";
            return Err(EmbedError::Engine(what.to_owned()));
        }
        Ok(())
    }

    /// Makes the thread panic as soon as it looks for work.
    #[cfg(test)]
    pub(crate) fn crash(&self) {
        self.inner.shared.lock().crash = true;
        self.inner.shared.work.notify_one();
    }

    /// Length of a vector.
    #[must_use]
    pub fn dims(&self) -> usize {
        self.inner.facts.dims
    }

    /// What is loaded.
    #[must_use]
    pub fn facts(&self) -> &EmbedderFacts {
        &self.inner.facts
    }
}

impl std::fmt::Debug for Embedder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedder").field("facts", &self.inner.facts).finish_non_exhaustive()
    }
}

/// Passages of this many callers wait in memory at most; further callers wait before they hand
/// theirs over.
const BULK_JOBS: usize = 2;

/// Texts computed at once; each is a sequence of its own. llama.cpp's limit is 256.
const BATCH_TEXTS: usize = 64;

/// A text is cut before it is tokenised: no token is longer than this many bytes on average over a
/// whole text.
const MAX_BYTES_PER_TOKEN: usize = 32;

struct Inner {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    facts: EmbedderFacts,
    passage_prefix: String,
    query_prefix: String,
    queue: usize,
    /// Languages that were tried. A std mutex: it is held for a look or an entry, never across an
    /// await.
    readable: Mutex<HashMap<&'static str, bool>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.close();
        if let Some(thread) = self.thread.take() {
            // A panic in the thread was logged when it happened.
            drop(thread.join());
        }
    }
}

type Answer = Result<Vec<Vec<f32>>, EmbedError>;

/// The first half of a text's SHA-256. The same text has the same vector, whoever asks, so nothing
/// of one conversation is learnt from another's.
type Key = [u8; 16];

fn key(text: &str) -> Key {
    let hash: [u8; 32] = Sha256::digest(text).into();
    hash.first_chunk().copied().unwrap_or_default()
}

fn first(vectors: Vec<Vec<f32>>) -> Result<Vec<f32>, EmbedError> {
    vectors.into_iter().next().ok_or_else(|| EmbedError::Engine("it returned no vector".to_owned()))
}

struct Job {
    texts: VecDeque<String>,
    /// Of each text, where its vector is remembered; passages' aren't.
    keys: Vec<Key>,
    vectors: Vec<Vec<f32>>,
    answer: oneshot::Sender<Answer>,
}

enum Work {
    /// One text each, computed together.
    Questions(Vec<Job>),
    Passages(Job),
}

#[derive(Clone, Copy)]
enum Lane {
    Query,
    Bulk,
}

#[derive(Default)]
struct Queues {
    queries: VecDeque<Job>,
    bulk: VecDeque<Job>,
    closed: bool,
    #[cfg(test)]
    crash: bool,
}

/// A std mutex: it is held for a push or a pop, never across a batch or an await.
struct Shared {
    queues: Mutex<Queues>,
    work: Condvar,
    bulk_slots: Semaphore,
    remembered: Option<Cache<Key, Arc<[f32]>>>,
    computed: AtomicU64,
}

impl Shared {
    fn known(&self, key: &Key) -> Option<Vec<f32>> {
        self.remembered.as_ref()?.get(key).map(|vector| vector.to_vec())
    }

    fn remember(&self, key: Key, vector: &[f32]) {
        if let Some(remembered) = &self.remembered {
            remembered.insert(key, vector.into());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(
        &self,
        lane: Lane,
        texts: Vec<String>,
        keys: Vec<Key>,
        limit: usize,
    ) -> Result<oneshot::Receiver<Answer>, EmbedError> {
        let (answer, receiver) = oneshot::channel();
        let mut queues = self.lock();
        if queues.closed {
            return Err(EmbedError::ShuttingDown);
        }
        let lane = match lane {
            Lane::Query => &mut queues.queries,
            Lane::Bulk => &mut queues.bulk,
        };
        if lane.len() >= limit {
            return Err(EmbedError::Overloaded { waiting: lane.len() });
        }
        lane.push_back(Job {
            vectors: Vec::with_capacity(texts.len()),
            texts: texts.into(),
            keys,
            answer,
        });
        drop(queues);
        self.work.notify_one();
        Ok(receiver)
    }

    fn close(&self) {
        let mut queues = self.lock();
        queues.closed = true;
        // Their senders go, so nobody waits for an answer that won't come.
        queues.queries.clear();
        queues.bulk.clear();
        drop(queues);
        self.bulk_slots.close();
        self.work.notify_all();
    }

    /// All questions that wait, or one job of passages; waits for work. `None` when closed.
    fn next(&self) -> Option<Work> {
        let mut queues = self.lock();
        loop {
            if queues.closed {
                return None;
            }
            #[cfg(test)]
            assert!(!queues.crash, "on purpose");
            queues.queries.retain(|job| !job.answer.is_closed());
            queues.bulk.retain(|job| !job.answer.is_closed());
            if !queues.queries.is_empty() {
                return Some(Work::Questions(queues.queries.drain(..).collect()));
            }
            if let Some(job) = queues.bulk.pop_front() {
                return Some(Work::Passages(job));
            }
            queues = self.work.wait(queues).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn put_back(&self, job: Job) {
        let mut queues = self.lock();
        if !queues.closed {
            queues.bulk.push_front(job);
        }
    }
}

/// The permit is held until the answer is here, so that a full bulk lane is felt by those who fill
/// it.
async fn finish(answer: oneshot::Receiver<Answer>, slot: Option<SemaphorePermit<'_>>) -> Answer {
    let answer = answer.await.unwrap_or(Err(EmbedError::ShuttingDown));
    drop(slot);
    answer
}

fn prefixed(mut texts: Vec<String>, prefix: &str) -> Vec<String> {
    if !prefix.is_empty() {
        texts.iter_mut().for_each(|text| text.insert_str(0, prefix));
    }
    texts
}

/// The thread: load, say so, then questions first and passages batch by batch.
fn serve(
    shared: &Shared,
    config: &EmbedderConfig,
    model_facts: GgufFacts,
    ready: &mpsc::SyncSender<Result<EmbedderFacts, EmbedError>>,
) {
    /// However the thread ends, nobody waits for it any more.
    struct Closing<'a>(&'a Shared);
    impl Drop for Closing<'_> {
        fn drop(&mut self) {
            self.0.close();
        }
    }
    let _closing = Closing(shared);

    let loaded = load_model(config, &model_facts);
    let (model, params, mut facts) = match loaded {
        Ok(loaded) => loaded,
        Err(reason) => {
            drop(ready.send(Err(EmbedError::Load { path: config.model.clone(), reason })));
            return;
        }
    };
    let context = backend().and_then(|backend| {
        model
            .new_context(backend, params)
            .map_err(|_| "llama.cpp could not set up its context; is there enough memory?".into())
    });
    let mut engine = match context
        .and_then(|context| Engine::new(&model, context, &model_facts, facts.max_tokens))
    {
        Ok(engine) => engine,
        Err(reason) => {
            drop(ready.send(Err(EmbedError::Load { path: config.model.clone(), reason })));
            return;
        }
    };
    facts.dims = engine.dims;
    facts.model = model_facts;
    drop(ready.send(Ok(facts)));

    while let Some(work) = shared.next() {
        match work {
            Work::Questions(jobs) => answer_all(&mut engine, shared, jobs),
            Work::Passages(job) => advance(&mut engine, shared, job),
        }
    }
}

/// Computes one batch of a job that nobody waits for.
fn advance(engine: &mut Engine<'_>, shared: &Shared, mut job: Job) {
    // An answer may have needed the same meanwhile.
    if let Some(vectors) = Some(&job.keys)
        .filter(|keys| !keys.is_empty())
        .and_then(|keys| keys.iter().map(|key| shared.known(key)).collect())
    {
        drop(job.answer.send(Ok(vectors)));
        return;
    }
    let before = job.texts.len();
    let done = engine.batch(&mut job.texts, &mut job.vectors);
    shared.computed.fetch_add((before - job.texts.len()) as u64, Ordering::Relaxed);
    match done {
        Ok(()) if job.texts.is_empty() => {
            for (key, vector) in job.keys.iter().zip(&job.vectors) {
                shared.remember(*key, vector);
            }
            drop(job.answer.send(Ok(job.vectors)));
        }
        Ok(()) => shared.put_back(job),
        Err(reason) => drop(job.answer.send(Err(EmbedError::Engine(reason)))),
    }
}

/// Computes the texts of several jobs together, save those that are remembered.
fn answer_all(engine: &mut Engine<'_>, shared: &Shared, jobs: Vec<Job>) {
    let mut missing: VecDeque<String> = VecDeque::new();
    let mut answers = Vec::with_capacity(jobs.len());
    for Job { texts, keys, answer, .. } in jobs {
        let known: Vec<_> = keys.iter().map(|key| (*key, shared.known(key))).collect();
        missing.extend(
            texts
                .into_iter()
                .zip(&known)
                .filter(|(_, (_, known))| known.is_none())
                .map(|(text, _)| text),
        );
        answers.push((answer, known));
    }
    let mut vectors = Vec::with_capacity(missing.len());
    let mut failure = None;
    while !missing.is_empty() && failure.is_none() {
        failure = engine.batch(&mut missing, &mut vectors).err();
    }
    shared.computed.fetch_add(vectors.len() as u64, Ordering::Relaxed);
    let mut vectors = vectors.into_iter();
    for (answer, known) in answers {
        let mut own = Vec::with_capacity(known.len());
        let mut whole = true;
        for (key, known) in known {
            let vector =
                known.or_else(|| vectors.next().inspect(|vector| shared.remember(key, vector)));
            whole &= vector.is_some();
            own.extend(vector);
        }
        let result = if whole {
            Ok(own)
        } else {
            Err(EmbedError::Engine(failure.clone().unwrap_or_default()))
        };
        drop(answer.send(result));
    }
}

fn load_model(
    config: &EmbedderConfig,
    model_facts: &GgufFacts,
) -> Result<(LlamaModel, LlamaContextParams, EmbedderFacts), String> {
    let backend = backend()?;
    let params = LlamaModelParams::default().with_n_gpu_layers(config.gpu_layers);
    let path: &Path = &config.model;
    let model = LlamaModel::load_from_file(backend, path, &params).map_err(|error| {
        format!(
            "llama.cpp refused it ({error}); is its architecture, {:?}, supported?",
            model_facts.architecture
        )
    })?;

    // A model that sees both ways computes a text in one piece, so a batch holds at least one whole
    // text.
    let trained = model.n_ctx_train().max(1);
    let max_tokens =
        if config.max_tokens == 0 { trained } else { config.max_tokens.min(trained) }.min(8192);
    let batch_tokens = config.batch_tokens.clamp(max_tokens, 16_384);
    let threads = thread_count(config.threads);
    let each = i32::try_from(threads).unwrap_or(1);
    let mut params = LlamaContextParams::default()
        .with_embeddings(true)
        .with_n_ctx(NonZeroU32::new(batch_tokens))
        .with_n_batch(batch_tokens)
        .with_n_ubatch(batch_tokens)
        .with_n_seq_max(u32::try_from(BATCH_TEXTS).unwrap_or(1))
        .with_kv_unified(true)
        .with_n_threads(each)
        .with_n_threads_batch(each);
    if matches!(model_facts.pooling, None | Some(0)) {
        params = params.with_pooling_type(LlamaPoolingType::Mean);
    }
    let facts = EmbedderFacts {
        path: config.model.clone(),
        model: GgufFacts::default(),
        dims: 0,
        max_tokens: usize::try_from(max_tokens).unwrap_or(512),
        threads,
        gpu_layers: config.gpu_layers,
    };
    Ok((model, params, facts))
}

/// What `threads` of the configuration stands for.
pub(super) fn thread_count(configured: u32) -> u32 {
    match configured {
        0 => std::thread::available_parallelism()
            .map_or(1, |count| u32::try_from(count.get().saturating_sub(1)).unwrap_or(1).max(1)),
        threads => threads.min(512),
    }
}

struct Engine<'m> {
    model: &'m LlamaModel,
    context: LlamaContext<'m>,
    batch: LlamaBatch<'static>,
    batch_tokens: usize,
    max_tokens: usize,
    dims: usize,
    /// Models without a KV cache are computed with `llama_encode`; with `llama_decode` each batch
    /// logs a warning.
    encoder: bool,
    /// Ends every text that is cut, where the model has one.
    separator: Option<LlamaToken>,
    /// A text that didn't fit into the last batch, with its tokens: most likely it begins the next.
    unfit: Option<(String, Vec<LlamaToken>)>,
}

impl<'m> Engine<'m> {
    fn new(
        model: &'m LlamaModel,
        context: LlamaContext<'m>,
        facts: &GgufFacts,
        max_tokens: usize,
    ) -> Result<Self, String> {
        let batch_tokens = usize::try_from(context.n_batch().min(context.n_ubatch())).unwrap_or(0);
        let dims = usize::try_from(model.n_embd_out()).unwrap_or(0);
        if dims == 0 || batch_tokens == 0 {
            return Err("it has no embedding output".to_owned());
        }
        let vocab = model.vocab();
        let mut engine = Self {
            model,
            batch: LlamaBatch::new(batch_tokens, 1),
            batch_tokens,
            max_tokens: max_tokens.min(batch_tokens),
            dims,
            encoder: facts.causal == Some(false),
            unfit: None,
            separator: if vocab.should_add_sep() {
                Some(vocab.sep())
            } else if vocab.should_add_eos() {
                Some(vocab.eos())
            } else {
                None
            },
            context,
        };
        // A model that isn't made for embeddings fails here, not at the first visitor's question.
        let mut vectors = Vec::new();
        engine
            .batch(&mut VecDeque::from(["ready".to_owned()]), &mut vectors)
            .map_err(|reason| format!("it is no embedding model: {reason}"))?;
        Ok(engine)
    }

    /// Takes as many texts as fit into a batch and appends their vectors.
    fn batch(
        &mut self,
        texts: &mut VecDeque<String>,
        vectors: &mut Vec<Vec<f32>>,
    ) -> Result<(), String> {
        self.batch.clear();
        let mut used = 0;
        // `None` for a text without tokens: its vector is all zeros and resembles nothing.
        let mut sequences: Vec<Option<i32>> = Vec::new();
        let mut next = 0_i32;
        while let Some(text) = texts.front() {
            if sequences.len() == BATCH_TEXTS {
                break;
            }
            let tokens = match self.unfit.take() {
                Some((of, tokens)) if of == *text => tokens,
                _ => self.tokenize(text),
            };
            if used + tokens.len() > self.batch_tokens {
                self.unfit = Some((text.clone(), tokens));
                break;
            }
            used += tokens.len();
            texts.pop_front();
            if tokens.is_empty() {
                sequences.push(None);
                continue;
            }
            for (position, token) in (0_i32..).zip(tokens) {
                // One sequence id per token: `LlamaBatch::add` doesn't check that there is room for
                // more.
                self.batch
                    .add(token, position, &[next], true)
                    .map_err(|error| error.to_string())?;
            }
            sequences.push(Some(next));
            next += 1;
        }
        if next > 0 {
            if self.encoder {
                self.context.encode(&mut self.batch).map_err(|error| error.to_string())?;
            } else {
                self.context.clear_kv_cache();
                self.context.decode(&mut self.batch).map_err(|error| error.to_string())?;
            }
        }
        for sequence in sequences {
            let vector = match sequence {
                Some(sequence) => {
                    let raw = self
                        .context
                        .embeddings_seq_ith(sequence)
                        .map_err(|error| error.to_string())?;
                    normalised(raw)?
                }
                None => vec![0.0; self.dims],
            };
            vectors.push(vector);
        }
        Ok(())
    }

    fn tokenize(&self, text: &str) -> Vec<LlamaToken> {
        let text =
            &text[..text.floor_char_boundary(self.max_tokens.saturating_mul(MAX_BYTES_PER_TOKEN))];
        // Special tokens in a text are plain text: nobody can write "[SEP]" into a passage and mean
        // it.
        let mut tokens = self.model.vocab().tokenize(text.as_bytes(), true, false);
        if tokens.len() > self.max_tokens {
            tokens.truncate(self.max_tokens);
            if let (Some(separator), Some(last)) = (self.separator, tokens.last_mut()) {
                *last = separator;
            }
        }
        tokens
    }
}

/// The vector at length 1.
fn normalised(raw: &[f32]) -> Result<Vec<f32>, String> {
    let length = raw.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
    if !length.is_finite() {
        return Err("it returned a vector that is not a number".to_owned());
    }
    if length == 0.0 {
        return Ok(raw.to_vec());
    }
    #[expect(clippy::cast_possible_truncation, reason = "f32 is what the index stores")]
    Ok(raw.iter().map(|x| (f64::from(*x) / length) as f32).collect())
}

#[cfg(test)]
pub(crate) mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    /// Where `scripts/models` puts the model.
    pub(crate) fn model() -> PathBuf {
        let of = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let user = || {
            of("XDG_CACHE_HOME")
                .or_else(|| Some(of("HOME")?.join(".cache")))
                .map(|of| of.join("frontdesk"))
        };
        let cache = of("FRONTDESK_CACHE").or_else(user).expect("HOME is set");
        cache.join("models/all-minilm-l6-v2-f16.gguf")
    }

    #[tokio::test]
    async fn what_is_known_does_not_wait_behind_passages() {
        let embedder =
            Embedder::load(&EmbedderConfig { model: model(), ..EmbedderConfig::default() })
                .unwrap();
        let known = embedder.embed_query("What does shipping cost?".into()).await.unwrap();
        let passages: Vec<String> =
            (0..2_000).map(|i| format!("Passage {i} of a long document.")).collect();
        let mut ingesting: Vec<_> =
            (0..BULK_JOBS).map(|_| Box::pin(embedder.embed(passages.clone()))).collect();
        for passages in &mut ingesting {
            assert!(passages.now_or_never().is_none());
        }
        assert_eq!(embedder.inner.shared.bulk_slots.available_permits(), 0);
        let again = embedder.embed_quietly("What does shipping cost?".into()).now_or_never();
        assert_eq!(again.expect("it doesn't wait").unwrap(), known);
    }

    #[test]
    fn a_file_that_is_no_model_is_an_error() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let check = |name: &str, content: Option<&[u8]>, expected: &str| {
            let model = directory.path().join(name);
            if let Some(content) = content {
                std::fs::write(&model, content).expect("written");
            }
            let error = Embedder::load(&EmbedderConfig { model, ..EmbedderConfig::default() })
                .expect_err(expected);
            assert!(error.to_string().contains(expected), "{error}");
        };
        check("missing.gguf", None, "cannot read the model file");
        check("empty.gguf", Some(b""), "is not a GGUF file");
        check("page.gguf", Some(b"<html>404</html>"), "is not a GGUF file");
        check("cut.gguf", Some(b"GGUF\x03\x00\x00\x00\x01\x00"), "is cut off");
    }

    #[test]
    fn vectors_have_length_one() {
        assert_eq!(normalised(&[3.0, 4.0]), Ok(vec![0.6, 0.8]));
        assert_eq!(normalised(&[0.0, 0.0]), Ok(vec![0.0, 0.0]));
        assert!(normalised(&[f32::NAN]).is_err());
    }
}
