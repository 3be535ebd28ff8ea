//! The embedded engine: Qdrant's own segments in a directory of this process.
//!
//! Facts of qdrant-edge 0.7.2 that shape this file: it is synchronous; one process may open a directory; what is not
//! flushed is lost in a crash, its write-ahead log is neither replayed nor trimmed; `flush` panics on a disk error and
//! while a write is under way; graphs are built only on request. So one named thread owns all writes and flushes after
//! each, searches run beside it on the blocking pool, and panics are answered as errors.

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use qdrant_edge::external::ordered_float::OrderedFloat;
use qdrant_edge::external::uuid::Uuid;
use qdrant_edge::{
    Condition, CountRequest, CreateIndex, Distance, EdgeConfig, EdgeOptimizersConfig, EdgeShard,
    EdgeSparseVectorParams, EdgeVectorParams, FieldCondition, FieldIndexOperations, Filter, IntegerIndexParams,
    JsonPath, KeywordIndexParams, Match, Modifier, NamedQuery, NamedVectors, OperationError, PayloadFieldSchema,
    PayloadSchemaParams, PointId, PointInsertOperations, PointOperations, PointStruct, QueryEnum, QueryRequest, Range,
    Record, ScoredPoint, ScoringQuery, ScrollRequest, SparseVector, UpdateOperation, Vector, VectorInternal,
    VectorStructInternal, WithPayloadInterface, WithVector,
};
use serde_json::{Map, Value};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::{Hit, Passage, Query, fusion};
use crate::retrieval::schema;
use crate::retrieval::schema::{
    BM25, Clause, DENSE, INTEGER_FIELD, IndexError, IndexHealth, KEYWORD_FIELDS, Lexicon, PassageId, Point, Scope,
    Sparse, payload,
};

/// Writes that may wait for the thread; an ingestion that is faster than the disk waits here.
const WAITING_WRITES: usize = 8;
/// Passages stored since the last optimisation after which the next one is not left to the end of the ingestion.
const OPTIMIZE_AFTER: usize = 50_000;
/// Points read at once where all are wanted.
const SCROLL_PAGE: usize = 1_000;
/// Marks the directory as open; holds the process id.
const LOCK_FILE: &str = "frontdesk.lock";

/// Qdrant's engine over a directory; clones share it, the last one closes it.
#[derive(Clone, Debug)]
pub struct EmbeddedIndex {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    dims: usize,
    lexicon: Lexicon,
    shard: Arc<EdgeShard>,
    /// Gone once closed; dropping it ends the thread after the writes that wait.
    writes: Mutex<Option<mpsc::Sender<Write>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// One search per core at a time: more would only take turns.
    readers: Arc<Semaphore>,
    _lock: File,
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
    /// Opens the directory, or makes it with an empty index for embeddings of `dims` dimensions.
    ///
    /// # Errors
    /// [`IndexError::InUse`], [`IndexError::Corrupt`], [`IndexError::Dimensions`] or [`IndexError::Directory`].
    pub async fn open(path: &Path, dims: usize) -> Result<Self, IndexError> {
        let path = path.to_owned();
        let lexicon = Lexicon::new()?;
        let (opened, outcome) = oneshot::channel();
        let (writes, waiting) = mpsc::channel(WAITING_WRITES);
        let thread = thread::Builder::new()
            .name("frontdesk-index".to_owned())
            .spawn(move || match open_shard(&path, dims) {
                Ok((shard, lock)) => {
                    let shard = Arc::new(shard);
                    if opened.send(Ok((Arc::clone(&shard), lock))).is_ok() {
                        write_until_closed(&shard, waiting);
                    }
                }
                // Nobody waits for the outcome any more: nothing to tell.
                Err(error) => drop(opened.send(Err(error))),
            })
            .map_err(|error| IndexError::Engine { what: "start its thread", reason: error.to_string() })?;
        let (shard, lock) = outcome.await.map_err(|_| IndexError::Closed)??;
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            inner: Arc::new(Inner {
                dims,
                lexicon,
                shard,
                writes: Mutex::new(Some(writes)),
                thread: Mutex::new(Some(thread)),
                readers: Arc::new(Semaphore::new(cores)),
                _lock: lock,
            }),
        })
    }

    pub(super) async fn upsert(&self, passages: Vec<(Passage, Vec<f32>)>) -> Result<(), IndexError> {
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

    pub(super) async fn search(&self, query: &Query, embedding: &[f32]) -> Result<Vec<Hit>, IndexError> {
        schema::check_embedding(embedding, self.inner.dims)?;
        let sparse = self.inner.lexicon.question(query);
        let scope = Scope::Askable {
            site: query.site.clone(),
            audience: query.audience,
            languages: query.languages.clone(),
            now_ms: query.now_ms,
        };
        let filter = filter(scope.clauses())?;
        let (embedding, limit) = (embedding.to_vec(), query.limit);
        self.read("search", move |shard| search(shard, &filter, &embedding, sparse, limit)).await
    }

    /// All points of the scope by id; the named fields of their payload, or all fields if none is named.
    pub(super) async fn scroll(
        &self,
        scope: Scope,
        fields: &[&str],
    ) -> Result<Vec<(PassageId, Map<String, Value>)>, IndexError> {
        let filter = filter(scope.clauses())?;
        let fields = match fields {
            [] => WithPayloadInterface::Bool(true),
            some => WithPayloadInterface::Fields(some.iter().map(|field| path(field)).collect::<Result<_, _>>()?),
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
                    points.push((passage_id(record.id)?, record.payload.map(|payload| payload.0).unwrap_or_default()));
                }
                if next.is_none() {
                    return Ok(points);
                }
                offset = next;
            }
        })
        .await
    }

    pub(super) async fn count(&self, scope: Scope) -> Result<usize, IndexError> {
        let filter = filter(scope.clauses())?;
        self.read("count passages", move |shard| {
            shard.count(CountRequest { filter: Some(filter), exact: true }).map_err(engine("count passages"))
        })
        .await
    }

    pub(super) fn alive(&self) -> Result<(), IndexError> {
        if self.sender().is_none_or(|writes| writes.is_closed()) { Err(IndexError::Closed) } else { Ok(()) }
    }

    pub(super) async fn health(&self) -> Result<IndexHealth, IndexError> {
        self.alive()?;
        self.read("count passages", |shard| {
            let info = shard.info();
            // A vector of each half is counted by the engine; what matters is the graph of the dense one.
            let indexed = info.indexed_vectors_count.min(info.points_count);
            Ok(IndexHealth { engine: "embedded".to_owned(), passages: info.points_count, indexed })
        })
        .await
    }

    pub(super) async fn close(&self) -> Result<(), IndexError> {
        let flushed = self.flush().await;
        self.inner.stop_writes();
        if let Some(thread) = self.inner.take_thread() {
            // The thread answers panics itself; if it could not, that has been reported as `Closed` to who waited.
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
        outcome.await.map_err(|_| IndexError::Closed)?
    }

    async fn read<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce(&EdgeShard) -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, IndexError> {
        let permit = Arc::clone(&self.inner.readers).acquire_owned().await.map_err(|_| IndexError::Closed)?;
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
    /// The backstop of [`EmbeddedIndex::close`]: the lock file must not be free before the thread is done.
    fn drop(&mut self) {
        self.stop_writes();
        if let Some(thread) = self.take_thread() {
            let _ = thread.join();
        }
    }
}

// --- Opening ---

fn open_shard(path: &Path, dims: usize) -> Result<(EdgeShard, File), IndexError> {
    let directory = |source| IndexError::Directory { path: path.to_owned(), source };
    fs::create_dir_all(path).map_err(directory)?;
    let lock = lock(path)?;

    let corrupt = |reason: String| IndexError::Corrupt { path: path.to_owned(), reason };
    let config = config(dims);
    let exists = match EdgeConfig::load(path) {
        None => path.join("segments").exists(),
        Some(Ok(stored)) => {
            let found = stored.vectors.get(DENSE).map_or(0, |vector| vector.size);
            if found != dims {
                return Err(IndexError::Dimensions { place: path.display().to_string(), found, wanted: dims });
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
        let shard = if exists { EdgeShard::load(path, Some(config))? } else { EdgeShard::new(path, config)? };
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
    let mut lock = File::options().read(true).write(true).create(true).truncate(false).open(file).map_err(directory)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Who holds it is a courtesy; the error stands without it.
            let _ = lock.read_to_string(&mut holder);
            let holder = holder.trim().parse::<u32>().map(|id| format!(" (process {id})")).unwrap_or_default();
            return Err(IndexError::InUse { path: path.to_owned(), holder });
        }
        Err(TryLockError::Error(source)) => return Err(directory(source)),
    }
    lock.set_len(0).map_err(directory)?;
    lock.rewind().map_err(directory)?;
    writeln!(lock, "{}", std::process::id()).map_err(directory)?;
    Ok(lock)
}

fn config(dims: usize) -> EdgeConfig {
    EdgeConfig::builder()
        .vector(DENSE, EdgeVectorParams::builder(dims, Distance::Cosine).build())
        .sparse_vector(BM25, EdgeSparseVectorParams::builder().modifier(Modifier::Idf).build())
        .optimizers(EdgeOptimizersConfig { default_segment_number: Some(2), ..EdgeOptimizersConfig::default() })
        .build()
}

/// The engine appends every write to its log and never removes any. After a flush the log is of no use but for the number
/// of the next write, which the last closed part and the open one carry: the earlier parts go.
fn trim_log(log: &Path) -> std::io::Result<()> {
    let mut closed: Vec<(u64, PathBuf)> = Vec::new();
    let entries = match fs::read_dir(log) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        let start = path.file_name().and_then(|name| name.to_str()?.strip_prefix("closed-")?.parse().ok());
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
    let fields = KEYWORD_FIELDS.map(|field| (field, keyword(field))).into_iter().chain([(INTEGER_FIELD, integer)]);
    for (field, schema) in fields {
        let field_name = JsonPath::try_from(field)
            .map_err(|()| OperationError::validation_error(format!("{field} is no payload field")))?;
        if !known.contains_key(&field_name) {
            shard.update(UpdateOperation::FieldIndexOperation(FieldIndexOperations::CreateIndex(CreateIndex {
                field_name,
                field_schema: Some(PayloadFieldSchema::FieldParams(schema)),
            })))?;
        }
    }
    shard.flush();
    Ok(())
}

// --- Writing, on its own thread ---

fn write_until_closed(shard: &EdgeShard, mut writes: mpsc::Receiver<Write>) {
    let mut since_optimized = 0;
    while let Some(Write { what, work, reply }) = writes.blocking_recv() {
        let outcome = catch_unwind(AssertUnwindSafe(|| carry_out(shard, work, &mut since_optimized)))
            .map_err(|panic| IndexError::Engine { what, reason: panic_text(panic.as_ref()) })
            .and_then(|outcome| outcome.map_err(engine(what)));
        // Who asked may have left; the write stands.
        let _ = reply.send(outcome);
    }
}

fn carry_out(shard: &EdgeShard, work: Work, since_optimized: &mut usize) -> Result<(), OperationError> {
    match work {
        Work::Upsert { points, outdated } => {
            *since_optimized += points.len();
            let points = points.into_iter().map(Into::into).collect();
            shard.update(UpdateOperation::PointOperation(PointOperations::UpsertPoints(
                PointInsertOperations::PointsList(points),
            )))?;
            shard.update(UpdateOperation::PointOperation(PointOperations::DeletePointsByFilter(outdated)))?;
            if *since_optimized >= OPTIMIZE_AFTER {
                optimize(shard, since_optimized)?;
            }
        }
        Work::Remove(filter) => {
            shard.update(UpdateOperation::PointOperation(PointOperations::DeletePointsByFilter(filter)))?;
        }
        Work::Flush => {}
        Work::Optimize => optimize(shard, since_optimized)?,
    }
    shard.flush();
    Ok(())
}

fn optimize(shard: &EdgeShard, since_optimized: &mut usize) -> Result<(), OperationError> {
    let started = std::time::Instant::now();
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
    embedding: &[f32],
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
        found.into_iter().map(|ScoredPoint { id, score, .. }| Ok((passage_id(id)?, score))).collect()
    };
    let dense = half(DENSE, VectorInternal::Dense(embedding.to_vec()))?;
    let lexical = match sparse {
        Sparse { indices, .. } if indices.is_empty() => Vec::new(),
        Sparse { indices, values } => half(BM25, VectorInternal::Sparse(SparseVector { indices, values }))?,
    };

    let mut candidates = fusion::merge(&dense, &lexical);
    let only_lexical: Vec<PointId> = candidates
        .iter()
        .filter(|candidate| candidate.cosine.is_none())
        .map(|candidate| point_id(candidate.id))
        .collect();
    let vectors: HashMap<PassageId, f32> = shard
        .retrieve(
            &only_lexical,
            Some(WithPayloadInterface::Bool(false)),
            Some(WithVector::Selector(vec![DENSE.into()])),
        )
        .map_err(engine("search"))?
        .iter()
        .filter_map(|record| Some((passage_id(record.id).ok()?, schema::cosine(embedding, dense_vector(record)?))))
        .collect();
    for candidate in &mut candidates {
        candidate.cosine = candidate.cosine.or_else(|| vectors.get(&candidate.id).copied());
    }

    schema::rank(&candidates, limit, |id| {
        let records = shard
            .retrieve(&[point_id(id)], Some(WithPayloadInterface::Bool(true)), Some(WithVector::Bool(false)))
            .map_err(engine("search"))?;
        let payload = records.into_iter().next().and_then(|record| record.payload);
        payload.map(|fields| payload::decode(id, fields.0)).transpose()
    })
}

fn dense_vector(record: &Record) -> Option<&[f32]> {
    match record.vector.as_ref()? {
        VectorStructInternal::Named(vectors) => match vectors.get(DENSE)? {
            VectorInternal::Dense(vector) => Some(vector),
            VectorInternal::Sparse(_) | VectorInternal::MultiDense(_) => None,
        },
        VectorStructInternal::Single(_) | VectorStructInternal::MultiDense(_) => None,
    }
}

// --- Our terms in the engine's ---

fn point_struct(point: Point) -> Result<PointStruct, IndexError> {
    let sparse = Vector::new_sparse(point.sparse.indices, point.sparse.values).map_err(engine("store passages"))?;
    let vectors = NamedVectors::default().add_vector(DENSE, point.dense).add_vector(BM25, sparse);
    Ok(PointStruct::new(point_id(point.id), vectors, Value::Object(point.payload)))
}

fn point_id(id: PassageId) -> PointId {
    PointId::Uuid(Uuid::from_u128(id.0))
}

fn passage_id(id: PointId) -> Result<PassageId, IndexError> {
    match id {
        PointId::Uuid(id) => Ok(PassageId(id.as_u128())),
        PointId::NumId(id) => {
            Err(IndexError::Payload { id: id.to_string(), reason: "its id is a number, not a UUID".to_owned() })
        }
    }
}

fn filter(clauses: Vec<Clause>) -> Result<Filter, IndexError> {
    let mut must = Vec::with_capacity(clauses.len());
    let mut must_not = Vec::new();
    for clause in clauses {
        match clause {
            Clause::OneOf { field, values } => {
                must.push(Condition::Field(FieldCondition::new_match(path(field)?, one_of(values))));
            }
            Clause::NoneOf { field, values } => {
                must_not.push(Condition::Field(FieldCondition::new_match(path(field)?, one_of(values))));
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
                let either = Filter { should: Some(lists.collect::<Result<_, IndexError>>()?), ..Filter::new() };
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
    JsonPath::try_from(field)
        .map_err(|()| IndexError::Engine { what: "filter", reason: format!("{field} is no payload field") })
}

fn engine(what: &'static str) -> impl Fn(OperationError) -> IndexError {
    move |error| IndexError::Engine { what, reason: error.to_string() }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it panicked".to_owned())
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
        let mut left: Vec<_> =
            fs::read_dir(log.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        left.sort();
        assert_eq!(left, ["closed-120", "first-index", "open-4", "open-5"]);
        trim_log(&log.path().join("missing")).unwrap();
    }
}
