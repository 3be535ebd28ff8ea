//! The embedded engine: Qdrant's own segments in a directory of this process.
//!
//! Facts of qdrant-edge 0.7.2 that shape this file: it is synchronous; one process may open a
//! directory; what is not flushed is lost in a crash, its write-ahead log is neither replayed nor
//! trimmed; `flush` panics on a disk error and while a write is under way; graphs are built only on
//! request. So one named thread owns all writes and flushes after each, searches run beside it on
//! the blocking pool, and panics are answered as errors.

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use qdrant_edge::external::ordered_float::OrderedFloat;
use qdrant_edge::external::uuid::Uuid;
use qdrant_edge::{
    Condition, CountRequest, CreateIndex, Distance, EdgeConfig, EdgeOptimizersConfig, EdgeShard,
    EdgeSparseVectorParams, EdgeVectorParams, FieldCondition, FieldIndexOperations, Filter,
    IntegerIndexParams, JsonPath, KeywordIndexParams, Match, Modifier, NamedQuery, NamedVectors,
    OperationError, PayloadFieldSchema, PayloadSchemaParams, PointId, PointInsertOperations,
    PointOperations, PointStruct, QueryEnum, QueryRequest, Range, Record, ScoredPoint,
    ScoringQuery, ScrollRequest, SparseVector, UpdateOperation, Vector, VectorInternal,
    VectorStructInternal, WithPayloadInterface, WithVector,
};
use serde_json::{Map, Value};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::frequencies::Frequencies;
use super::{Hit, Passage, Query, fusion};
use crate::retrieval::schema;
use crate::retrieval::schema::{
    BM25, Clause, DENSE, Dims, INTEGER_FIELD, IndexError, IndexHealth, KEYWORD_FIELDS, Lexicon,
    MULTILINGUAL, PassageId, Point, Scope, Sparse, Vectors, payload,
};
use crate::retrieval::scratch::Scratch;

/// Writes that may wait for the thread; an ingestion that is faster than the disk waits here.
const WAITING_WRITES: usize = 8;
/// Passages stored since the last optimisation after which the next one is not left to the end of
/// the ingestion.
const OPTIMIZE_AFTER: usize = 50_000;
/// Passages of a site up to which its words are counted anew after every write: milliseconds.
const COUNTED_ANEW: u32 = 2_000;
/// Points read at once where all are wanted.
const SCROLL_PAGE: usize = 1_000;
/// Marks the directory as open; holds the process id.
const LOCK_FILE: &str = "frontdesk.lock";

/// Qdrant's engine over a directory; clones share it, the last one closes it.
#[derive(Clone, Debug)]
pub struct EmbeddedIndex {
    inner: Arc<Inner>,
}

/// The engine, and its directory if that is a temporary one. The engine flushes when it goes, and
/// panics if its directory went before.
#[derive(Debug)]
struct Shard {
    engine: EdgeShard,
    _scratch: Option<Scratch>,
}

impl Deref for Shard {
    type Target = EdgeShard;

    fn deref(&self) -> &EdgeShard {
        &self.engine
    }
}

#[derive(Debug)]
struct Inner {
    dims: Dims,
    lexicon: Lexicon,
    shard: Arc<Shard>,
    /// Of each site that was searched. A std mutex: it is held for a look or an entry.
    counted: Mutex<HashMap<String, Counted>>,
    /// Writes carried out so far.
    written: AtomicU64,
    /// Gone once closed; dropping it ends the thread after the writes that wait.
    writes: Mutex<Option<mpsc::Sender<Write>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// One search per core at a time: more would only take turns.
    readers: Arc<Semaphore>,
    _lock: File,
}

/// A site's words as they were after so many writes.
#[derive(Clone, Debug)]
struct Counted {
    written: u64,
    at: Instant,
    took: Duration,
    frequencies: Arc<Frequencies>,
}

struct Write {
    what: &'static str,
    work: Work,
    reply: oneshot::Sender<Result<(), IndexError>>,
}

enum Work {
    Upsert { points: Vec<PointStruct>, outdated: Filter },
    Remove(Filter),
    Flush,
    Optimize,
}

impl EmbeddedIndex {
    /// Opens the directory, or makes it with an empty index.
    ///
    /// # Errors
    /// [`IndexError::InUse`], [`IndexError::Corrupt`], [`IndexError::Dimensions`] or
    /// [`IndexError::Directory`].
    pub async fn open(path: &Path, dims: impl Into<Dims>) -> Result<Self, IndexError> {
        Self::open_at(path.to_owned(), None, dims.into()).await
    }

    /// Makes an empty index in a temporary directory, which goes with the last use of the index.
    ///
    /// # Errors
    /// [`IndexError::Directory`].
    pub(super) async fn open_within(scratch: Scratch, dims: Dims) -> Result<Self, IndexError> {
        Self::open_at(scratch.path().join("index"), Some(scratch), dims).await
    }

    async fn open_at(
        path: PathBuf,
        scratch: Option<Scratch>,
        dims: Dims,
    ) -> Result<Self, IndexError> {
        let lexicon = Lexicon::new()?;
        let (opened, outcome) = oneshot::channel();
        let (writes, waiting) = mpsc::channel(WAITING_WRITES);
        let thread = thread::Builder::new()
            .name("frontdesk-index".to_owned())
            .spawn(move || match open_shard(&path, dims) {
                Ok((engine, lock)) => {
                    let shard = Arc::new(Shard { engine, _scratch: scratch });
                    if opened.send(Ok((Arc::clone(&shard), lock))).is_ok() {
                        write_until_closed(&shard, waiting);
                    }
                }
                // Nobody waits for the outcome any more: nothing to tell.
                Err(error) => drop(opened.send(Err(error))),
            })
            .map_err(|error| IndexError::Engine {
                what: "start its thread",
                reason: error.to_string(),
            })?;
        let (shard, lock) = outcome.await.map_err(|_| IndexError::Closed)??;
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            inner: Arc::new(Inner {
                dims,
                lexicon,
                shard,
                counted: Mutex::default(),
                written: AtomicU64::new(0),
                writes: Mutex::new(Some(writes)),
                thread: Mutex::new(Some(thread)),
                readers: Arc::new(Semaphore::new(cores)),
                _lock: lock,
            }),
        })
    }

    pub(super) async fn upsert(&self, passages: Vec<(Passage, Vectors)>) -> Result<(), IndexError> {
        let (points, documents) = schema::points(&self.inner.lexicon, self.inner.dims, passages)?;
        let points = points.into_iter().map(point_struct).collect::<Result<_, _>>()?;
        let outdated = filter(Scope::Outdated { documents }.clauses())?;
        self.write("store passages", Work::Upsert { points, outdated }).await
    }

    pub(super) async fn remove(&self, scope: Scope) -> Result<(), IndexError> {
        self.write("remove passages", Work::Remove(filter(scope.clauses())?)).await
    }

    pub(super) async fn flush(&self) -> Result<(), IndexError> {
        self.write("flush", Work::Flush).await
    }

    pub(super) async fn optimize(&self) -> Result<(), IndexError> {
        self.write("optimize", Work::Optimize).await
    }

    pub(super) async fn search(
        &self,
        query: &Query,
        vectors: &Vectors,
    ) -> Result<Vec<Hit>, IndexError> {
        schema::check_question(vectors, self.inner.dims)?;
        let sparse = self.frequencies(&query.site).await?.weigh(self.inner.lexicon.question(query));
        let scope = Scope::Askable {
            site: query.site.clone(),
            audience: query.audience,
            languages: query.languages.clone(),
            now_ms: query.now_ms,
        };
        let filter = filter(scope.clauses())?;
        let (vectors, limit) = (vectors.clone(), query.limit);
        self.read("search", move |shard| search(shard, &filter, &vectors, sparse, limit)).await
    }

    /// How many of the site's passages hold which word. Counted anew after writes. A large site is
    /// counted for at most a twentieth of the time: while its folder is read, the count may lag
    /// behind.
    async fn frequencies(&self, site: &str) -> Result<Arc<Frequencies>, IndexError> {
        let counted = || self.inner.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let written = self.inner.written.load(Ordering::Acquire);
        let known = counted().get(site).cloned();
        let fresh = |known: &Counted| {
            known.written == written
                || known.frequencies.passages() > COUNTED_ANEW
                    && known.at.elapsed() < known.took * 20
        };
        if let Some(known) = known.filter(fresh) {
            return Ok(known.frequencies);
        }
        let filter = filter(Scope::Site { site: site.to_owned() }.clauses())?;
        let frequencies = self.read("count words", move |shard| {
            let since = Instant::now();
            let mut frequencies = Frequencies::default();
            let mut offset = None;
            loop {
                let request = ScrollRequest {
                    offset,
                    limit: Some(SCROLL_PAGE),
                    filter: Some(filter.clone()),
                    with_payload: Some(WithPayloadInterface::Bool(false)),
                    with_vector: WithVector::Selector(vec![BM25.into()]),
                    order_by: None,
                };
                let (records, next) = shard.scroll(request).map_err(engine("count words"))?;
                records.iter().for_each(|record| frequencies.add(terms(record)));
                offset = next;
                if offset.is_none() {
                    return Ok((frequencies, since.elapsed()));
                }
            }
        });
        let (frequencies, took) = frequencies.await?;
        let frequencies = Arc::new(frequencies);
        let entry = Counted { written, at: Instant::now(), took, frequencies: frequencies.clone() };
        counted().insert(site.to_owned(), entry);
        Ok(frequencies)
    }

    /// All points of the scope by id; the named fields of their payload, or all fields if none is
    /// named.
    pub(super) async fn scroll(
        &self,
        scope: Scope,
        fields: &[&str],
    ) -> Result<Vec<(PassageId, Map<String, Value>)>, IndexError> {
        let filter = filter(scope.clauses())?;
        let fields = match fields {
            [] => WithPayloadInterface::Bool(true),
            some => WithPayloadInterface::Fields(
                some.iter().map(|field| path(field)).collect::<Result<_, _>>()?,
            ),
        };
        self.read("list passages", move |shard| {
            let mut points = Vec::new();
            let mut offset = None;
            loop {
                let (records, next) = shard
                    .scroll(ScrollRequest {
                        offset,
                        limit: Some(SCROLL_PAGE),
                        filter: Some(filter.clone()),
                        with_payload: Some(fields.clone()),
                        with_vector: WithVector::Bool(false),
                        order_by: None,
                    })
                    .map_err(engine("list passages"))?;
                for record in records {
                    points.push((
                        passage_id(record.id)?,
                        record.payload.map(|payload| payload.0).unwrap_or_default(),
                    ));
                }
                if next.is_none() {
                    return Ok(points);
                }
                offset = next;
            }
        })
        .await
    }

    /// A page of all passages with their vectors, and where the next one begins, if there is one.
    pub(super) async fn page(
        &self,
        offset: Option<PointId>,
        limit: usize,
    ) -> Result<(Vec<(Passage, Vectors)>, Option<PointId>), IndexError> {
        self.read("list passages", move |shard| {
            let request = ScrollRequest {
                offset,
                limit: Some(limit),
                filter: None,
                with_payload: Some(WithPayloadInterface::Bool(true)),
                with_vector: WithVector::Bool(true),
                order_by: None,
            };
            let (records, next) = shard.scroll(request).map_err(engine("list passages"))?;
            let mut passages = Vec::with_capacity(records.len());
            for record in records {
                let vector = |name| vector_of(&record, name).unwrap_or_default().to_vec();
                let vectors = Vectors { dense: vector(DENSE), multilingual: vector(MULTILINGUAL) };
                let fields = record.payload.map(|payload| payload.0).unwrap_or_default();
                passages.push((payload::decode(passage_id(record.id)?, fields)?, vectors));
            }
            Ok((passages, next))
        })
        .await
    }

    pub(super) async fn count(&self, scope: Scope) -> Result<usize, IndexError> {
        let filter = filter(scope.clauses())?;
        self.read("count passages", move |shard| {
            shard
                .count(CountRequest { filter: Some(filter), exact: true })
                .map_err(engine("count passages"))
        })
        .await
    }

    pub(super) fn alive(&self) -> Result<(), IndexError> {
        if self.sender().is_none_or(|writes| writes.is_closed()) {
            Err(IndexError::Closed)
        } else {
            Ok(())
        }
    }

    pub(super) async fn health(&self) -> Result<IndexHealth, IndexError> {
        self.alive()?;
        self.read("count passages", |shard| {
            let info = shard.info();
            // A vector of each half is counted by the engine; what matters is the graph of the
            // dense one.
            let indexed = info.indexed_vectors_count.min(info.points_count);
            Ok(IndexHealth { engine: "embedded".to_owned(), passages: info.points_count, indexed })
        })
        .await
    }

    pub(super) async fn close(&self) -> Result<(), IndexError> {
        let flushed = self.flush().await;
        self.inner.stop_writes();
        if let Some(thread) = self.inner.take_thread() {
            // The thread answers panics itself; if it could not, that has been reported as `Closed`
            // to who waited.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
        match flushed {
            Err(IndexError::Closed) => Ok(()),
            other => other,
        }
    }

    fn sender(&self) -> Option<mpsc::Sender<Write>> {
        self.inner.writes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn write(&self, what: &'static str, work: Work) -> Result<(), IndexError> {
        let writes = self.sender().ok_or(IndexError::Closed)?;
        let (reply, outcome) = oneshot::channel();
        writes.send(Write { what, work, reply }).await.map_err(|_| IndexError::Closed)?;
        drop(writes);
        let outcome = outcome.await.map_err(|_| IndexError::Closed)?;
        self.inner.written.fetch_add(1, Ordering::Release);
        outcome
    }

    async fn read<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce(&EdgeShard) -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, IndexError> {
        let permit = Arc::clone(&self.inner.readers)
            .acquire_owned()
            .await
            .map_err(|_| IndexError::Closed)?;
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || {
            let outcome = work(&inner.shard);
            drop(permit);
            outcome
        })
        .await
        .map_err(|error| IndexError::Engine { what, reason: error.to_string() })?
    }
}

impl Inner {
    fn stop_writes(&self) {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn take_thread(&self) -> Option<JoinHandle<()>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Inner {
    /// The backstop of [`EmbeddedIndex::close`]: the lock file must not be free before the thread
    /// is done.
    fn drop(&mut self) {
        self.stop_writes();
        if let Some(thread) = self.take_thread() {
            let _ = thread.join();
        }
    }
}

// --- Opening ---

fn open_shard(path: &Path, dims: Dims) -> Result<(EdgeShard, File), IndexError> {
    let directory = |source| IndexError::Directory { path: path.to_owned(), source };
    fs::create_dir_all(path).map_err(directory)?;
    let lock = lock(path)?;

    let corrupt = |reason: String| IndexError::Corrupt { path: path.to_owned(), reason };
    let config = config(dims);
    let exists = match EdgeConfig::load(path) {
        None => path.join("segments").exists(),
        Some(Ok(stored)) => {
            let found = dims_of(&stored);
            let place = || path.display().to_string();
            if found.dense != dims.dense {
                return Err(IndexError::Dimensions {
                    place: place(),
                    found: found.dense,
                    wanted: dims.dense,
                });
            }
            if found.multilingual != dims.multilingual {
                let or_none = |dims: Option<usize>| dims.unwrap_or(0);
                let (found, wanted) = (or_none(found.multilingual), or_none(dims.multilingual));
                return Err(IndexError::Dimensions { place: place(), found, wanted });
            }
            true
        }
        Some(Err(error)) => return Err(corrupt(error.to_string())),
    };
    if exists {
        trim_log(&path.join("wal")).map_err(directory)?;
    }
    // A damaged file makes the engine panic in places where it has no error for it.
    let shard = catch_unwind(|| {
        let shard = if exists {
            EdgeShard::load(path, Some(config))?
        } else {
            EdgeShard::new(path, config)?
        };
        create_payload_indexes(&shard)?;
        Ok::<_, OperationError>(shard)
    })
    .map_err(|panic| corrupt(panic_text(panic.as_ref())))?
    .map_err(|error| corrupt(error.to_string()))?;
    Ok((shard, lock))
}

fn lock(path: &Path) -> Result<File, IndexError> {
    let directory = |source| IndexError::Directory { path: path.to_owned(), source };
    let file = path.join(LOCK_FILE);
    let mut lock = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(file)
        .map_err(directory)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Who holds it is a courtesy; the error stands without it.
            let _ = lock.read_to_string(&mut holder);
            let holder = holder
                .trim()
                .parse::<u32>()
                .map(|id| format!(" (process {id})"))
                .unwrap_or_default();
            return Err(IndexError::InUse { path: path.to_owned(), holder });
        }
        Err(TryLockError::Error(source)) => return Err(directory(source)),
    }
    lock.set_len(0).map_err(directory)?;
    lock.rewind().map_err(directory)?;
    writeln!(lock, "{}", std::process::id()).map_err(directory)?;
    Ok(lock)
}

/// What an index in this directory was made for; `None` if there is none that can be read.
pub(super) fn stored_dims(path: &Path) -> Option<Dims> {
    EdgeConfig::load(path)?.ok().map(|stored| dims_of(&stored))
}

fn dims_of(config: &EdgeConfig) -> Dims {
    let size = |name: &str| config.vectors.get(name).map(|vector| vector.size);
    Dims { dense: size(DENSE).unwrap_or(0), multilingual: size(MULTILINGUAL) }
}

fn config(dims: Dims) -> EdgeConfig {
    let cosine = |size| EdgeVectorParams::builder(size, Distance::Cosine).build();
    let config = EdgeConfig::builder().vector(DENSE, cosine(dims.dense));
    let config = match dims.multilingual {
        Some(size) => config.vector(MULTILINGUAL, cosine(size)),
        None => config,
    };
    config
        .sparse_vector(BM25, EdgeSparseVectorParams::builder().modifier(Modifier::None).build())
        .optimizers(EdgeOptimizersConfig {
            default_segment_number: Some(2),
            ..EdgeOptimizersConfig::default()
        })
        .build()
}

/// The engine appends every write to its log and never removes any. After a flush the log is of no
/// use but for the number of the next write, which the last closed part and the open one carry: the
/// earlier parts go.
fn trim_log(log: &Path) -> std::io::Result<()> {
    let mut closed: Vec<(u64, PathBuf)> = Vec::new();
    let entries = match fs::read_dir(log) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        let start =
            path.file_name().and_then(|name| name.to_str()?.strip_prefix("closed-")?.parse().ok());
        closed.extend(start.map(|start| (start, path)));
    }
    closed.sort();
    closed.pop();
    closed.into_iter().try_for_each(|(_, path)| fs::remove_file(path))
}

fn create_payload_indexes(shard: &EdgeShard) -> Result<(), OperationError> {
    let known = shard.info().payload_schema;
    let keyword = |field: &str| {
        PayloadSchemaParams::Keyword(KeywordIndexParams {
            is_tenant: (field == payload::SITE).then_some(true),
            // Graphs of their own only per site: the other fields let most passages through.
            enable_hnsw: Some(field == payload::SITE),
            ..KeywordIndexParams::default()
        })
    };
    let integer = PayloadSchemaParams::Integer(IntegerIndexParams {
        lookup: Some(false),
        range: Some(true),
        enable_hnsw: Some(false),
        ..IntegerIndexParams::default()
    });
    let fields = KEYWORD_FIELDS
        .map(|field| (field, keyword(field)))
        .into_iter()
        .chain([(INTEGER_FIELD, integer)]);
    for (field, schema) in fields {
        let field_name = JsonPath::try_from(field).map_err(|()| {
            OperationError::validation_error(format!("{field} is no payload field"))
        })?;
        if !known.contains_key(&field_name) {
            shard.update(UpdateOperation::FieldIndexOperation(
                FieldIndexOperations::CreateIndex(CreateIndex {
                    field_name,
                    field_schema: Some(PayloadFieldSchema::FieldParams(schema)),
                }),
            ))?;
        }
    }
    shard.flush();
    Ok(())
}

// --- Writing, on its own thread ---

fn write_until_closed(shard: &EdgeShard, mut writes: mpsc::Receiver<Write>) {
    let mut since_optimized = 0;
    while let Some(Write { what, work, reply }) = writes.blocking_recv() {
        let outcome =
            catch_unwind(AssertUnwindSafe(|| carry_out(shard, work, &mut since_optimized)))
                .map_err(|panic| IndexError::Engine { what, reason: panic_text(panic.as_ref()) })
                .and_then(|outcome| outcome.map_err(engine(what)));
        // Who asked may have left; the write stands.
        let _ = reply.send(outcome);
    }
}

fn carry_out(
    shard: &EdgeShard,
    work: Work,
    since_optimized: &mut usize,
) -> Result<(), OperationError> {
    match work {
        Work::Upsert { points, outdated } => {
            *since_optimized += points.len();
            let points = points.into_iter().map(Into::into).collect();
            shard.update(UpdateOperation::PointOperation(PointOperations::UpsertPoints(
                PointInsertOperations::PointsList(points),
            )))?;
            shard.update(UpdateOperation::PointOperation(
                PointOperations::DeletePointsByFilter(outdated),
            ))?;
            if *since_optimized >= OPTIMIZE_AFTER {
                optimize(shard, since_optimized)?;
            }
        }
        Work::Remove(filter) => {
            shard.update(UpdateOperation::PointOperation(
                PointOperations::DeletePointsByFilter(filter),
            ))?;
        }
        Work::Flush => {}
        Work::Optimize => optimize(shard, since_optimized)?,
    }
    shard.flush();
    Ok(())
}

fn optimize(shard: &EdgeShard, since_optimized: &mut usize) -> Result<(), OperationError> {
    let started = Instant::now();
    let changed = shard.optimize()?;
    if changed {
        let info = shard.info();
        tracing::info!(
            passages = info.points_count,
            segments = info.segments_count,
            took_ms = started.elapsed().as_millis(),
            "index optimised"
        );
    }
    *since_optimized = 0;
    Ok(())
}

// --- Searching, on the blocking pool ---

fn search(
    shard: &EdgeShard,
    filter: &Filter,
    vectors: &Vectors,
    sparse: Sparse,
    limit: usize,
) -> Result<Vec<Hit>, IndexError> {
    let candidates = schema::candidates(limit);
    let half = |name: &str, query: VectorInternal| -> Result<Vec<(PassageId, f32)>, IndexError> {
        let query = QueryEnum::Nearest(NamedQuery { query, using: Some(name.into()) });
        let found = shard
            .query(QueryRequest {
                prefetches: Vec::new(),
                query: Some(ScoringQuery::Vector(query)),
                filter: Some(filter.clone()),
                score_threshold: None,
                limit: candidates,
                offset: 0,
                params: None,
                with_vector: WithVector::Bool(false),
                with_payload: WithPayloadInterface::Bool(false),
            })
            .map_err(engine("search"))?;
        found
            .into_iter()
            .map(|ScoredPoint { id, score, .. }| Ok((passage_id(id)?, score)))
            .collect()
    };
    let near = |name: &str, vector: &[f32]| match vector {
        [] => Ok(Vec::new()),
        vector => half(name, VectorInternal::Dense(vector.to_vec())),
    };
    let dense = near(DENSE, &vectors.dense)?;
    let multilingual = near(MULTILINGUAL, &vectors.multilingual)?;
    let lexical = match sparse {
        Sparse { indices, .. } if indices.is_empty() => Vec::new(),
        Sparse { indices, values } => {
            half(BM25, VectorInternal::Sparse(SparseVector { indices, values }))?
        }
    };

    let mut candidates = fusion::merge(&dense, &multilingual, &lexical);
    let incomplete: Vec<PointId> = candidates
        .iter()
        .filter(|candidate| {
            candidate.cosine.is_none() && !vectors.dense.is_empty()
                || candidate.multilingual.is_none() && !vectors.multilingual.is_empty()
        })
        .map(|candidate| point_id(candidate.id))
        .collect();
    let names = vectors.named().map(|(name, _)| name.into()).collect();
    let records = shard
        .retrieve(
            &incomplete,
            Some(WithPayloadInterface::Bool(false)),
            Some(WithVector::Selector(names)),
        )
        .map_err(engine("search"))?;
    let mut nearness = HashMap::new();
    for record in &records {
        for (name, question) in vectors.named() {
            if let Some(vector) = vector_of(record, name) {
                nearness.insert((passage_id(record.id)?, name), schema::cosine(question, vector));
            }
        }
    }
    schema::complete(&mut candidates, &nearness);

    schema::rank(&candidates, limit, |id| {
        let records = shard
            .retrieve(
                &[point_id(id)],
                Some(WithPayloadInterface::Bool(true)),
                Some(WithVector::Bool(false)),
            )
            .map_err(engine("search"))?;
        let payload = records.into_iter().next().and_then(|record| record.payload);
        payload.map(|fields| payload::decode(id, fields.0)).transpose()
    })
}

/// The words of a passage, each once.
fn terms(record: &Record) -> &[u32] {
    match record.vector.as_ref() {
        Some(VectorStructInternal::Named(vectors)) => match vectors.get(BM25) {
            Some(VectorInternal::Sparse(vector)) => &vector.indices,
            _ => &[],
        },
        _ => &[],
    }
}

fn vector_of<'a>(record: &'a Record, name: &str) -> Option<&'a [f32]> {
    match record.vector.as_ref()? {
        VectorStructInternal::Named(vectors) => match vectors.get(name)? {
            VectorInternal::Dense(vector) => Some(vector),
            VectorInternal::Sparse(_) | VectorInternal::MultiDense(_) => None,
        },
        VectorStructInternal::Single(_) | VectorStructInternal::MultiDense(_) => None,
    }
}

// --- Our terms in the engine's ---

fn point_struct(point: Point) -> Result<PointStruct, IndexError> {
    let sparse = Vector::new_sparse(point.sparse.indices, point.sparse.values)
        .map_err(engine("store passages"))?;
    let mut vectors = NamedVectors::default().add_vector(BM25, sparse);
    for (name, vector) in point.vectors.named() {
        vectors = vectors.add_vector(name, vector.to_vec());
    }
    Ok(PointStruct::new(point_id(point.id), vectors, Value::Object(point.payload)))
}

fn point_id(id: PassageId) -> PointId {
    PointId::Uuid(Uuid::from_u128(id.0))
}

fn passage_id(id: PointId) -> Result<PassageId, IndexError> {
    match id {
        PointId::Uuid(id) => Ok(PassageId(id.as_u128())),
        PointId::NumId(id) => Err(IndexError::Payload {
            id: id.to_string(),
            reason: "its id is a number, not a UUID".to_owned(),
        }),
    }
}

fn filter(clauses: Vec<Clause>) -> Result<Filter, IndexError> {
    let mut must = Vec::with_capacity(clauses.len());
    let mut must_not = Vec::new();
    for clause in clauses {
        match clause {
            Clause::OneOf { field, values } => {
                must.push(Condition::Field(FieldCondition::new_match(
                    path(field)?,
                    one_of(values),
                )));
            }
            Clause::NoneOf { field, values } => {
                must_not.push(Condition::Field(FieldCondition::new_match(
                    path(field)?,
                    one_of(values),
                )));
            }
            Clause::AtLeast { field, value } => {
                let range = Range { lt: None, gt: None, gte: Some(OrderedFloat(value)), lte: None };
                must.push(Condition::Field(FieldCondition::new_range(path(field)?, range)));
            }
            Clause::NotAbove { field, value } => {
                let range = Range { lt: None, gt: Some(OrderedFloat(value)), gte: None, lte: None };
                must_not.push(Condition::Field(FieldCondition::new_range(path(field)?, range)));
            }
            Clause::Either(lists) => {
                let lists = lists.into_iter().map(|list| Ok(Condition::Filter(filter(list)?)));
                let either = Filter {
                    should: Some(lists.collect::<Result<_, IndexError>>()?),
                    ..Filter::new()
                };
                must.push(Condition::Filter(either));
            }
        }
    }
    let some = |conditions: Vec<Condition>| (!conditions.is_empty()).then_some(conditions);
    Ok(Filter { must: some(must), must_not: some(must_not), ..Filter::new() })
}

fn one_of(mut values: Vec<String>) -> Match {
    match values.len() {
        1 => Match::from(values.remove(0)),
        _ => Match::from(values),
    }
}

fn path(field: &str) -> Result<JsonPath, IndexError> {
    JsonPath::try_from(field).map_err(|()| IndexError::Engine {
        what: "filter",
        reason: format!("{field} is no payload field"),
    })
}

fn engine(what: &'static str) -> impl Fn(OperationError) -> IndexError {
    move |error| IndexError::Engine { what, reason: error.to_string() }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it panicked".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trims_all_of_the_log_but_its_end() {
        let log = tempfile::tempdir().unwrap();
        for part in ["closed-0", "closed-9", "closed-120", "open-4", "open-5", "first-index"] {
            fs::write(log.path().join(part), "").unwrap();
        }
        trim_log(log.path()).unwrap();
        let mut left: Vec<_> = fs::read_dir(log.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["closed-120", "first-index", "open-4", "open-5"]);
        trim_log(&log.path().join("missing")).unwrap();
    }
}
