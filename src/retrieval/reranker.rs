//! Question × text → how well the text answers: a clone-able handle in front of the thread that
//! owns a cross-encoder.
//!
//! A cross-encoder reads both texts at once, so it tells what an embedder can't: whether this
//! sentence answers that question. It costs a pass through the model for each pair, so only what a
//! search has found is judged.

use std::collections::VecDeque;
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
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Semaphore, oneshot};

use super::embedder::{EmbedderConfig, thread_count};
use crate::llm::backend::backend;
use crate::llm::gguf::{self, GgufError, GgufFacts};

/// Why pairs were not judged.
#[derive(Debug, thiserror::Error)]
pub enum RerankError {
    /// The file was refused before llama.cpp saw it.
    #[error(transparent)]
    Model(#[from] GgufError),
    /// llama.cpp refused the file.
    #[error("the reranker {path} can't be used: {reason}")]
    Load { path: PathBuf, reason: String },
    /// The queue is full.
    #[error("{waiting} questions already wait for the reranker; try again in a moment")]
    Overloaded { waiting: usize },
    /// llama.cpp failed on a pair.
    #[error("the reranker failed: {0}")]
    Engine(String),
    /// The thread has ended.
    #[error("the reranker is shutting down")]
    ShuttingDown,
}

/// What is loaded, for `frontdesk check`.
#[derive(Clone, Debug, Serialize)]
pub struct RerankerFacts {
    pub path: PathBuf,
    pub model: GgufFacts,
    /// Tokens of a pair that count.
    pub max_tokens: usize,
    pub threads: u32,
    pub gpu_layers: u32,
}

/// The cross-encoder. Clones share one thread, `frontdesk-rerank`, which ends with the last of
/// them.
#[derive(Clone)]
pub struct Reranker {
    inner: Arc<Inner>,
}

impl Reranker {
    /// Loads the model in a thread of its own and waits until it is ready, 0.1 s for a small one.
    /// Threads, GPU layers, the list of allowed files, the length of the queue and how much is
    /// remembered are the embedder's.
    ///
    /// # Errors
    ///
    /// When the file is missing, no GGUF, cut off, not on the list, or no cross-encoder.
    pub fn load(path: &Path, config: &EmbedderConfig) -> Result<Self, RerankError> {
        let facts = gguf::check(path, &config.allowed_sha256)?;
        let shared = Arc::new(Shared {
            queues: Mutex::default(),
            work: Condvar::new(),
            idle_slots: Semaphore::new(IDLE_JOBS),
            remembered: (config.remembered > 0).then(|| Cache::new(config.remembered)),
            computed: AtomicU64::new(0),
        });
        let facts = RerankerFacts {
            path: path.to_owned(),
            model: facts,
            max_tokens: 0,
            threads: thread_count(config.threads),
            gpu_layers: config.gpu_layers,
        };
        let (ready, is_ready) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new().name("frontdesk-rerank".into()).spawn({
            let shared = shared.clone();
            move || serve(&shared, facts, &ready)
        });
        let failed = |reason: String| RerankError::Load { path: path.to_owned(), reason };
        let thread =
            thread.map_err(|error| failed(format!("its thread could not be started: {error}")))?;
        let facts = match is_ready.recv() {
            Ok(Ok(facts)) => facts,
            Ok(Err(reason)) => return Err(failed(reason)),
            Err(_) => return Err(failed("loading it crashed; see the log".to_owned())),
        };
        Ok(Self {
            inner: Arc::new(Inner { shared, thread: Some(thread), facts, queue: config.queue }),
        })
    }

    /// How well each text answers the question: the model's raw logits, one for each text, higher
    /// is better. With the default model a text that answers is above 0 and one about something
    /// else near −11; `1 / (1 + e^−x)` makes a number between 0 and 1 of it. A text that is too
    /// long for the model is cut at its end. Goes before all that [`Reranker::prepare`] wants;
    /// dropping the future stops the work.
    ///
    /// # Errors
    ///
    /// [`RerankError::Overloaded`] at once when the queue is full; when llama.cpp fails, or the
    /// thread has ended.
    pub async fn score(&self, question: &str, texts: &[String]) -> Result<Vec<f32>, RerankError> {
        let shared = &self.inner.shared;
        let job = match shared.job(question, texts) {
            Ok(known) => return Ok(known),
            Err(job) => job,
        };
        shared
            .push(Lane::Asked, job, self.inner.queue)?
            .await
            .unwrap_or(Err(RerankError::ShuttingDown))
    }

    /// Judges pairs that will be asked for, and remembers them. Lets every [`Reranker::score`]
    /// pass.
    ///
    /// # Errors
    ///
    /// When llama.cpp fails, or the thread has ended.
    pub async fn prepare(&self, question: &str, texts: &[String]) -> Result<(), RerankError> {
        let shared = &self.inner.shared;
        if shared.remembered.is_none() {
            return Ok(());
        }
        let Err(job) = shared.job(question, texts) else { return Ok(()) };
        let _slot = shared.idle_slots.acquire().await.map_err(|_| RerankError::ShuttingDown)?;
        let answer = shared.push(Lane::Idle, job, usize::MAX)?;
        answer.await.unwrap_or(Err(RerankError::ShuttingDown)).map(drop)
    }

    /// Pairs judged since the start; what was remembered isn't among them.
    #[must_use]
    pub fn computed(&self) -> u64 {
        self.inner.shared.computed.load(Ordering::Relaxed)
    }

    /// Whether pairs can be judged at all.
    ///
    /// # Errors
    ///
    /// [`RerankError::Engine`] once the thread has died; only a restart helps.
    pub fn health(&self) -> Result<(), RerankError> {
        // As long as there is a handle, nobody but the thread's own end closes its queues.
        if self.inner.shared.lock().closed {
            let what = "its thread ended; the log says why, and a restart brings it back";
            return Err(RerankError::Engine(what.to_owned()));
        }
        Ok(())
    }

    /// What is loaded.
    #[must_use]
    pub fn facts(&self) -> &RerankerFacts {
        &self.inner.facts
    }
}

impl std::fmt::Debug for Reranker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reranker").field("facts", &self.inner.facts).finish_non_exhaustive()
    }
}

/// Callers of [`Reranker::prepare`] whose pairs wait in memory; further ones wait before they hand
/// theirs over.
const IDLE_JOBS: usize = 2;

/// Pairs computed at once; each is a sequence of its own. llama.cpp's limit is 256.
const BATCH_PAIRS: usize = 64;

/// Tokens computed at once, save for one longer pair. Attention is computed between all tokens of a
/// batch and then masked, so its cost grows with the square; and a question that comes meanwhile
/// waits for the batch.
const BATCH_TOKENS: usize = 256;

/// A text is cut before it is tokenised: no token is longer than this many bytes on average over a
/// whole text.
const MAX_BYTES_PER_TOKEN: usize = 32;

struct Inner {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    facts: RerankerFacts,
    queue: usize,
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

type Answer = Result<Vec<f32>, RerankError>;

/// The first half of a pair's SHA-256. The same pair has the same score, whoever asks, so nothing
/// of one conversation is learnt from another's.
type Key = [u8; 16];

fn key(question: &str, text: &str) -> Key {
    let mut hash = Sha256::new();
    hash.update((question.len() as u64).to_be_bytes());
    hash.update(question);
    hash.update(text);
    let hash: [u8; 32] = hash.finalize().into();
    hash.first_chunk().copied().unwrap_or_default()
}

/// A question with the texts that nobody has judged yet.
struct Job {
    question: String,
    /// Place in `scores`, key and text.
    missing: VecDeque<(usize, Key, String)>,
    scores: Vec<f32>,
}

struct Waiting {
    job: Job,
    answer: oneshot::Sender<Answer>,
}

#[derive(Clone, Copy)]
enum Lane {
    Asked,
    Idle,
}

#[derive(Default)]
struct Queues {
    asked: VecDeque<Waiting>,
    idle: VecDeque<Waiting>,
    closed: bool,
}

impl Queues {
    fn lane(&mut self, lane: Lane) -> &mut VecDeque<Waiting> {
        match lane {
            Lane::Asked => &mut self.asked,
            Lane::Idle => &mut self.idle,
        }
    }
}

/// A std mutex: it is held for a push or a pop, never across a batch or an await.
struct Shared {
    queues: Mutex<Queues>,
    work: Condvar,
    idle_slots: Semaphore,
    remembered: Option<Cache<Key, f32>>,
    computed: AtomicU64,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, key: &Key) -> Option<f32> {
        self.remembered.as_ref()?.get(key)
    }

    /// The scores if all are remembered, else what is left to do.
    fn job(&self, question: &str, texts: &[String]) -> Result<Vec<f32>, Job> {
        let mut job = Job {
            question: question.to_owned(),
            missing: VecDeque::new(),
            scores: vec![0.0; texts.len()],
        };
        for (at, (text, score)) in texts.iter().zip(&mut job.scores).enumerate() {
            let key = key(question, text);
            match self.known(&key) {
                Some(known) => *score = known,
                None => job.missing.push_back((at, key, text.clone())),
            }
        }
        if job.missing.is_empty() { Ok(job.scores) } else { Err(job) }
    }

    fn push(
        &self,
        lane: Lane,
        job: Job,
        limit: usize,
    ) -> Result<oneshot::Receiver<Answer>, RerankError> {
        let (answer, receiver) = oneshot::channel();
        let mut queues = self.lock();
        if queues.closed {
            return Err(RerankError::ShuttingDown);
        }
        let waiting = queues.lane(lane);
        if waiting.len() >= limit {
            return Err(RerankError::Overloaded { waiting: waiting.len() });
        }
        waiting.push_back(Waiting { job, answer });
        drop(queues);
        self.work.notify_one();
        Ok(receiver)
    }

    /// The job to go on with; waits for one. `None` when closed.
    fn next(&self) -> Option<(Lane, Waiting)> {
        let mut queues = self.lock();
        loop {
            if queues.closed {
                return None;
            }
            for lane in [Lane::Asked, Lane::Idle] {
                let waiting = queues.lane(lane);
                waiting.retain(|waiting| !waiting.answer.is_closed());
                if let Some(next) = waiting.pop_front() {
                    return Some((lane, next));
                }
            }
            queues = self.work.wait(queues).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn put_back(&self, lane: Lane, waiting: Waiting) {
        let mut queues = self.lock();
        if !queues.closed {
            queues.lane(lane).push_front(waiting);
        }
    }

    fn close(&self) {
        let mut queues = self.lock();
        queues.closed = true;
        // Their senders go, so nobody waits for an answer that won't come.
        queues.asked.clear();
        queues.idle.clear();
        drop(queues);
        self.idle_slots.close();
        self.work.notify_all();
    }
}

/// The thread: load, say so, then batch by batch, asked before idle.
fn serve(
    shared: &Shared,
    facts: RerankerFacts,
    ready: &mpsc::SyncSender<Result<RerankerFacts, String>>,
) {
    /// However the thread ends, nobody waits for it any more.
    struct Closing<'a>(&'a Shared);
    impl Drop for Closing<'_> {
        fn drop(&mut self) {
            self.0.close();
        }
    }
    let _closing = Closing(shared);

    let model = match load_model(&facts) {
        Ok(model) => model,
        Err(reason) => return drop(ready.send(Err(reason))),
    };
    let mut engine = match Engine::new(&model, &facts) {
        Ok(engine) => engine,
        Err(reason) => return drop(ready.send(Err(reason))),
    };
    drop(ready.send(Ok(RerankerFacts { max_tokens: engine.max_tokens, ..facts })));

    while let Some((lane, mut waiting)) = shared.next() {
        // Another caller may have had the same pair judged meanwhile.
        let Job { missing, scores, .. } = &mut waiting.job;
        missing.retain(|(at, key, _)| match (shared.known(key), scores.get_mut(*at)) {
            (Some(known), Some(score)) => {
                *score = known;
                false
            }
            _ => true,
        });
        let before = waiting.job.missing.len();
        let done = engine.batch(&mut waiting.job, |key, score| {
            if let Some(remembered) = &shared.remembered {
                remembered.insert(key, score);
            }
        });
        shared.computed.fetch_add((before - waiting.job.missing.len()) as u64, Ordering::Relaxed);
        match done {
            Ok(()) if waiting.job.missing.is_empty() => {
                drop(waiting.answer.send(Ok(waiting.job.scores)))
            }
            Ok(()) => shared.put_back(lane, waiting),
            Err(reason) => drop(waiting.answer.send(Err(RerankError::Engine(reason)))),
        }
    }
}

fn load_model(facts: &RerankerFacts) -> Result<LlamaModel, String> {
    if facts.model.causal != Some(false) {
        return Err(
            "it reads from left to right; only cross-encoders that see both ways can be used"
                .to_owned(),
        );
    }
    if facts.model.pooling != Some(LlamaPoolingType::Rank as u32) {
        return Err(
            "its header doesn't name the pooling type of a reranker; is it an embedding model?"
                .to_owned(),
        );
    }
    let params = LlamaModelParams::default().with_n_gpu_layers(facts.gpu_layers);
    let model = LlamaModel::load_from_file(backend()?, &facts.path, &params).map_err(|error| {
        format!(
            "llama.cpp refused it ({error}); is its architecture, {:?}, supported?",
            facts.model.architecture
        )
    })?;
    match model.n_cls_out() {
        1 => Ok(model),
        outputs => Err(format!("it gives {outputs} numbers for a pair instead of one")),
    }
}

struct Engine<'m> {
    model: &'m LlamaModel,
    context: LlamaContext<'m>,
    batch: LlamaBatch<'static>,
    max_tokens: usize,
    /// What a token of the text has more than the same token of the question; see
    /// `scripts/models.py`.
    segment_offset: i32,
}

impl<'m> Engine<'m> {
    fn new(model: &'m LlamaModel, facts: &RerankerFacts) -> Result<Self, String> {
        let max_tokens = model.n_ctx_train().clamp(8, 8192);
        let room = usize::try_from(max_tokens).unwrap_or(512).max(BATCH_TOKENS);
        let tokens = u32::try_from(room).unwrap_or(512);
        let threads = i32::try_from(facts.threads).unwrap_or(1);
        let params = LlamaContextParams::default()
            .with_embeddings(true)
            .with_pooling_type(LlamaPoolingType::Rank)
            .with_n_ctx(NonZeroU32::new(tokens))
            .with_n_batch(tokens)
            .with_n_ubatch(tokens)
            .with_n_seq_max(u32::try_from(BATCH_PAIRS).unwrap_or(1))
            .with_kv_unified(true)
            .with_n_threads(threads)
            .with_n_threads_batch(threads);
        let context = model.new_context(backend()?, params).map_err(|_| {
            "llama.cpp could not set up its context; is there enough memory?".to_owned()
        })?;
        let segment_offset =
            i32::try_from(facts.model.segment_offset.unwrap_or(0)).unwrap_or(i32::MAX);
        // A token beyond the vocabulary would be read past the end of the matrix.
        if segment_offset > model.n_vocab() / 2 {
            return Err(format!(
                "its segment offset, {segment_offset}, is more than half of its vocabulary"
            ));
        }
        let max_tokens = usize::try_from(max_tokens).unwrap_or(512);
        let mut engine =
            Self { model, context, batch: LlamaBatch::new(room, 1), max_tokens, segment_offset };
        let mut job = Job {
            question: "ready?".to_owned(),
            missing: VecDeque::from([(0, Key::default(), "Yes.".to_owned())]),
            scores: vec![0.0],
        };
        // A model that judges nothing fails here, not at the first visitor's question.
        engine.batch(&mut job, |_, _| {})?;
        Ok(engine)
    }

    /// Judges as many of the job's texts as fit into a batch.
    fn batch(&mut self, job: &mut Job, mut remember: impl FnMut(Key, f32)) -> Result<(), String> {
        self.batch.clear();
        let mut used = 0;
        let mut places = Vec::new();
        let question = self.question(&job.question);
        while let Some((at, key, text)) = job.missing.front() {
            let pair = self.pair(&question, text);
            let is_full = used + pair.len() > BATCH_TOKENS || places.len() == BATCH_PAIRS;
            if is_full && !places.is_empty() {
                break;
            }
            used += pair.len();
            let sequence = i32::try_from(places.len()).unwrap_or_default();
            for (position, token) in (0_i32..).zip(pair) {
                // One sequence id per token: `LlamaBatch::add` doesn't check that there is room for
                // more.
                self.batch
                    .add(token, position, &[sequence], true)
                    .map_err(|error| error.to_string())?;
            }
            places.push((*at, *key));
            job.missing.pop_front();
        }
        if places.is_empty() {
            return Ok(());
        }
        self.context.encode(&mut self.batch).map_err(|error| error.to_string())?;
        for (sequence, (at, key)) in (0_i32..).zip(places) {
            let score =
                self.context.embeddings_seq_ith(sequence).map_err(|error| error.to_string())?;
            let score = score.first().copied().filter(|score| score.is_finite());
            let score = score.ok_or("it returned a score that is not a number")?;
            if let Some(place) = job.scores.get_mut(at) {
                *place = score;
            }
            remember(key, score);
        }
        Ok(())
    }

    /// The question's tokens with what stands before and after it, at most half of what a pair may
    /// have.
    fn question(&self, question: &str) -> Vec<LlamaToken> {
        let vocab = self.model.vocab();
        let mut tokens = Vec::new();
        if vocab.should_add_bos() {
            tokens.push(vocab.bos());
        }
        tokens.extend(self.plain(question));
        tokens.truncate((self.max_tokens / 2).saturating_sub(2));
        if vocab.should_add_eos() {
            tokens.push(vocab.eos());
        }
        if vocab.should_add_sep() {
            tokens.push(vocab.sep());
        }
        tokens
    }

    /// Question and text as the model was trained on pairs: `[CLS] question [SEP] text [SEP]`, or
    /// `<s> question </s></s> text </s>`.
    fn pair(&self, question: &[LlamaToken], text: &str) -> Vec<LlamaToken> {
        let vocab = self.model.vocab();
        let mut tokens = question.to_vec();
        let end = if vocab.should_add_eos() {
            Some(vocab.eos())
        } else {
            vocab.should_add_sep().then(|| vocab.sep())
        };
        tokens.extend(self.plain(text));
        tokens.truncate(self.max_tokens - usize::from(end.is_some()));
        tokens.extend(end);
        for token in tokens.iter_mut().skip(question.len()) {
            token.0 += self.segment_offset;
        }
        tokens
    }

    /// A text's tokens. Special tokens in it are plain text: nobody can write "[SEP]" into a
    /// passage and mean it.
    fn plain(&self, text: &str) -> Vec<LlamaToken> {
        let text =
            &text[..text.floor_char_boundary(self.max_tokens.saturating_mul(MAX_BYTES_PER_TOKEN))];
        let mut tokens = self.model.vocab().tokenize(text.as_bytes(), false, false);
        if self.segment_offset > 0 {
            // The second half of the vocabulary is never a text's.
            tokens.retain(|token| (0..self.segment_offset).contains(&token.0));
        }
        tokens
    }
}
