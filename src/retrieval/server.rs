//! A Qdrant server, over gRPC; all sites share one collection and every request names its site.

use std::collections::HashMap;
use std::time::Duration;

use qdrant_client::qdrant::{
    Condition, CountPointsBuilder, CreateCollectionBuilder, CreateFieldIndexCollectionBuilder,
    DeletePointsBuilder, DenseVector, Distance, FieldType, Filter, IdfParamsBuilder,
    IntegerIndexParamsBuilder, KeywordIndexParamsBuilder, Modifier, NamedVectors,
    PayloadIncludeSelector, PointId, PointStruct, Query as Search, QueryBatchPointsBuilder,
    QueryPoints, QueryPointsBuilder, Range, ScoredPoint, ScrollPointsBuilder, SearchParamsBuilder,
    SparseVectorParamsBuilder, SparseVectorsConfigBuilder, UpsertPointsBuilder,
    Value as PayloadValue, Vector, VectorInput, VectorOutput, VectorParamsBuilder,
    VectorsConfigBuilder, VectorsSelector, point_id, vector_output, vectors_config, vectors_output,
};
use qdrant_client::{Qdrant, QdrantError};
use serde_json::{Map, Value};

use super::{Hit, KnowledgeConfig, Passage, Query, fusion};
use crate::retrieval::schema;
use crate::retrieval::schema::{
    BM25, Clause, DENSE, Dims, INTEGER_FIELD, IndexError, IndexHealth, KEYWORD_FIELDS, Lexicon,
    MULTILINGUAL, PassageId, Point, Scope, Vectors, payload,
};

/// Points in one request: with long embeddings still far below the server's 32 MiB.
const UPSERT_CHUNK: usize = 128;
/// Points read at once where all are wanted.
const SCROLL_PAGE: u32 = 1_000;
/// A write waits for its graph and disk at the server.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// A visitor waits for this; later is as good as never.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A collection on a Qdrant server; clones share the connections.
#[derive(Clone)]
pub struct ServerIndex {
    client: Qdrant,
    url: String,
    collection: String,
    dims: Dims,
    lexicon: Lexicon,
}

impl std::fmt::Debug for ServerIndex {
    /// Without the client: its configuration holds the API key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerIndex")
            .field("url", &self.url)
            .field("collection", &self.collection)
            .field("dims", &self.dims)
            .finish_non_exhaustive()
    }
}

impl ServerIndex {
    /// Connects, and creates the collection if there is none.
    ///
    /// # Errors
    /// [`IndexError::Unreachable`], [`IndexError::Refused`] (also for a wrong API key),
    /// [`IndexError::Dimensions`] or [`IndexError::Schema`] for a collection that is not ours.
    pub async fn open(config: &KnowledgeConfig, dims: impl Into<Dims>) -> Result<Self, IndexError> {
        let key = Some(config.api_key.clone()).filter(|key| !key.is_empty());
        let client = Qdrant::from_url(&config.url)
            .api_key(key)
            .timeout(WRITE_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            // The client would print to standard output; the schema check below says more.
            .skip_compatibility_check()
            .build()
            .map_err(|error| IndexError::Unreachable {
                url: config.url.clone(),
                reason: error.to_string(),
            })?;
        let index = Self {
            client,
            url: config.url.clone(),
            collection: config.collection.clone(),
            dims: dims.into(),
            lexicon: Lexicon::new()?,
        };
        let exists = index.client.collection_exists(&index.collection).await;
        if !exists.map_err(index.refused("look for the collection"))? {
            index.create_collection().await?;
        }
        index.check_schema().await?;
        Ok(index)
    }

    pub(super) async fn upsert(&self, passages: Vec<(Passage, Vectors)>) -> Result<(), IndexError> {
        let (points, documents) = schema::points(&self.lexicon, self.dims, passages)?;
        let mut points = points.into_iter().map(point_struct).peekable();
        while points.peek().is_some() {
            let chunk: Vec<PointStruct> = points.by_ref().take(UPSERT_CHUNK).collect();
            let request = UpsertPointsBuilder::new(&self.collection, chunk).wait(true);
            self.client.upsert_points(request).await.map_err(self.refused("store passages"))?;
        }
        self.remove(Scope::Outdated { documents }).await
    }

    pub(super) async fn remove(&self, scope: Scope) -> Result<(), IndexError> {
        let request =
            DeletePointsBuilder::new(&self.collection).points(filter(scope.clauses())).wait(true);
        self.client.delete_points(request).await.map_err(self.refused("remove passages"))?;
        Ok(())
    }

    /// All halves in one round trip, with the payload of all candidates.
    pub(super) async fn search(
        &self,
        query: &Query,
        vectors: &Vectors,
    ) -> Result<Vec<Hit>, IndexError> {
        schema::check_question(vectors, self.dims)?;
        let scope = Scope::Askable {
            site: query.site.clone(),
            audience: query.audience,
            languages: query.languages.clone(),
            now_ms: query.now_ms,
        };
        let filter = filter(scope.clauses());
        let candidates = schema::candidates(query.limit);
        let half = |name: &str, vector: VectorInput| {
            QueryPointsBuilder::new(&self.collection)
                .query(Search::new_nearest(vector))
                .using(name)
                .filter(filter.clone())
                .limit(candidates as u64)
                .with_payload(true)
        };
        let names: Vec<&'static str> = vectors.named().map(|(name, _)| name).collect();
        // What only one half finds is compared with the others' vectors here.
        let wanted = VectorsSelector { names: names.iter().map(|&name| name.to_owned()).collect() };
        let mut halves: Vec<(&str, QueryPoints)> = Vec::with_capacity(3);
        for (name, vector) in vectors.named() {
            let half = half(name, VectorInput::new_dense(vector.to_vec()));
            let half = if names.len() > 1 { half.with_vectors(wanted.clone()) } else { half };
            halves.push((name, half.into()));
        }
        let sparse = self.lexicon.question(query);
        if !sparse.indices.is_empty() {
            let vector = VectorInput::new_sparse(sparse.indices, sparse.values);
            // A server too old to know this counts over all sites.
            let of_site = self::filter(Scope::Site { site: query.site.clone() }.clauses());
            let params =
                SearchParamsBuilder::default().idf(IdfParamsBuilder::new().corpus(of_site));
            halves.push((BM25, half(BM25, vector).with_vectors(wanted).params(params).into()));
        }
        let (asked, halves): (Vec<&str>, Vec<QueryPoints>) = halves.into_iter().unzip();
        let request = QueryBatchPointsBuilder::new(&self.collection, halves)
            .timeout(SEARCH_TIMEOUT.as_secs());
        let answer = tokio::time::timeout(SEARCH_TIMEOUT, self.client.query_batch(request))
            .await
            .map_err(|_| IndexError::Unreachable {
                url: self.url.clone(),
                reason: format!("no answer to a search within {} s", SEARCH_TIMEOUT.as_secs()),
            })?
            .map_err(self.refused("search"))?;

        let mut payloads: HashMap<PassageId, HashMap<String, PayloadValue>> = HashMap::new();
        let mut nearness: HashMap<(PassageId, &str), f32> = HashMap::new();
        let mut scores: HashMap<&str, Vec<(PassageId, f32)>> = HashMap::new();
        for (asked, half) in asked.into_iter().zip(answer.result) {
            let mut found = Vec::with_capacity(half.result.len());
            for mut point in half.result {
                let id = passage_id(point.id.take())?;
                let mut named = named_vectors(&mut point);
                for (name, question) in vectors.named() {
                    if let Some(vector) = named.remove(name).and_then(dense_vector) {
                        nearness.insert((id, name), schema::cosine(question, &vector));
                    }
                }
                found.push((id, point.score));
                payloads.insert(id, point.payload);
            }
            scores.insert(asked, found);
        }
        let of_half = |name: &str| scores.get(name).map(Vec::as_slice).unwrap_or_default();
        let mut candidates = fusion::merge(of_half(DENSE), of_half(MULTILINGUAL), of_half(BM25));
        schema::complete(&mut candidates, &nearness);
        schema::rank(&candidates, query.limit, |id| {
            payloads.remove(&id).map(|fields| payload::decode(id, json(fields))).transpose()
        })
    }

    /// All points of the scope by id; the named fields of their payload, or all fields if none is
    /// named.
    pub(super) async fn scroll(
        &self,
        scope: Scope,
        fields: &[&str],
    ) -> Result<Vec<(PassageId, Map<String, Value>)>, IndexError> {
        let filter = filter(scope.clauses());
        let mut points = Vec::new();
        let mut offset: Option<PointId> = None;
        loop {
            let mut request = ScrollPointsBuilder::new(&self.collection)
                .filter(filter.clone())
                .limit(SCROLL_PAGE);
            request = match fields {
                [] => request.with_payload(true),
                some => request.with_payload(PayloadIncludeSelector {
                    fields: some.iter().map(|field| (*field).to_owned()).collect(),
                }),
            };
            if let Some(from) = offset {
                request = request.offset(from);
            }
            let page = self.client.scroll(request).await.map_err(self.refused("list passages"))?;
            for point in page.result {
                points.push((passage_id(point.id)?, json(point.payload)));
            }
            if page.next_page_offset.is_none() {
                return Ok(points);
            }
            offset = page.next_page_offset;
        }
    }

    pub(super) async fn count(&self, scope: Scope) -> Result<usize, IndexError> {
        let request =
            CountPointsBuilder::new(&self.collection).filter(filter(scope.clauses())).exact(true);
        let answer = self.client.count(request).await.map_err(self.refused("count passages"))?;
        Ok(answer.result.map_or(0, |result| usize::try_from(result.count).unwrap_or(usize::MAX)))
    }

    pub(super) async fn health(&self) -> Result<IndexHealth, IndexError> {
        let server = self.client.health_check().await.map_err(self.refused("tell its health"))?;
        let info = self
            .client
            .collection_info(&self.collection)
            .await
            .map_err(self.refused("describe the collection"))?;
        let info = info.result.unwrap_or_default();
        let size = |count: Option<u64>| usize::try_from(count.unwrap_or(0)).unwrap_or(usize::MAX);
        let passages = size(info.points_count);
        Ok(IndexHealth {
            engine: format!("{} {}", server.title, server.version),
            passages,
            indexed: size(info.indexed_vectors_count).min(passages),
        })
    }

    async fn create_collection(&self) -> Result<(), IndexError> {
        let mut dense = VectorsConfigBuilder::default();
        let cosine = |size: usize| VectorParamsBuilder::new(size as u64, Distance::Cosine);
        dense.add_named_vector_params(DENSE, cosine(self.dims.dense));
        if let Some(size) = self.dims.multilingual {
            dense.add_named_vector_params(MULTILINGUAL, cosine(size));
        }
        let mut sparse = SparseVectorsConfigBuilder::default();
        sparse.add_named_vector_params(
            BM25,
            SparseVectorParamsBuilder::default().modifier(Modifier::Idf),
        );
        let request = CreateCollectionBuilder::new(&self.collection)
            .vectors_config(dense)
            .sparse_vectors_config(sparse);
        match self.client.create_collection(request).await {
            Ok(_) => Ok(()),
            // Another process was faster; its schema is checked like any other.
            Err(QdrantError::ResponseError { status })
                if status.code() == tonic::Code::AlreadyExists =>
            {
                Ok(())
            }
            Err(error) => Err(self.refused("create the collection")(error)),
        }
    }

    /// Whether the collection is one that this engine can use; adds payload indexes that are
    /// missing.
    async fn check_schema(&self) -> Result<(), IndexError> {
        let place = || format!("collection {} on {}", self.collection, self.url);
        let schema = |reason: String| IndexError::Schema { place: place(), reason };
        let info = self
            .client
            .collection_info(&self.collection)
            .await
            .map_err(self.refused("describe the collection"))?;
        let info = info.result.unwrap_or_default();
        let params = info.config.and_then(|config| config.params).unwrap_or_default();

        let mut stored = match params.vectors_config.and_then(|vectors| vectors.config) {
            Some(vectors_config::Config::ParamsMap(map)) => map.map,
            Some(vectors_config::Config::Params(_)) | None => HashMap::new(),
        };
        let wanted = [(DENSE, Some(self.dims.dense)), (MULTILINGUAL, self.dims.multilingual)];
        for (name, wanted) in wanted.into_iter().filter_map(|(name, wanted)| Some((name, wanted?)))
        {
            let vector = stored
                .remove(name)
                .ok_or_else(|| schema(format!("it has no vector named {name}")))?;
            if vector.size != wanted as u64 {
                let found = usize::try_from(vector.size).unwrap_or(usize::MAX);
                return Err(IndexError::Dimensions { place: place(), found, wanted });
            }
            if vector.distance() != Distance::Cosine {
                let distance = vector.distance().as_str_name();
                return Err(schema(format!(
                    "vector {name} is compared by {distance}, not by cosine"
                )));
            }
        }
        let sparse = params.sparse_vectors_config.and_then(|mut sparse| sparse.map.remove(BM25));
        let sparse =
            sparse.ok_or_else(|| schema(format!("it has no sparse vector named {BM25}")))?;
        if sparse.modifier() != Modifier::Idf {
            return Err(schema(format!("sparse vector {BM25} lacks the modifier idf")));
        }

        for field in KEYWORD_FIELDS.into_iter().chain([INTEGER_FIELD]) {
            if info.payload_schema.contains_key(field) {
                continue;
            }
            let builder = |kind| {
                CreateFieldIndexCollectionBuilder::new(&self.collection, field, kind).wait(true)
            };
            let request = if field == INTEGER_FIELD {
                let params = IntegerIndexParamsBuilder::new(false, true).enable_hnsw(false);
                builder(FieldType::Integer).field_index_params(params)
            } else {
                let mut params =
                    KeywordIndexParamsBuilder::default().enable_hnsw(field == payload::SITE);
                if field == payload::SITE {
                    params = params.is_tenant(true);
                }
                builder(FieldType::Keyword).field_index_params(params)
            };
            self.client
                .create_field_index(request)
                .await
                .map_err(self.refused("index a payload field"))?;
        }
        Ok(())
    }

    /// A client's error in words: not there, or there and unwilling.
    fn refused(&self, what: &'static str) -> impl Fn(QdrantError) -> IndexError {
        let url = self.url.clone();
        move |error| {
            let url = url.clone();
            match error {
                QdrantError::ResponseError { status } => match status.code() {
                    tonic::Code::Unauthenticated | tonic::Code::PermissionDenied => {
                        IndexError::Refused {
                            url,
                            what,
                            reason: format!("{}. Check knowledge.api_key", status.message()),
                        }
                    }
                    tonic::Code::Unavailable
                    | tonic::Code::DeadlineExceeded
                    | tonic::Code::Cancelled => {
                        IndexError::Unreachable { url, reason: status.message().to_owned() }
                    }
                    // What the client makes of a connection that fails.
                    tonic::Code::Internal if status.message().starts_with("Failed to connect") => {
                        IndexError::Unreachable { url, reason: "no connection".to_owned() }
                    }
                    tonic::Code::Unknown if status.message() == "transport error" => {
                        IndexError::Unreachable { url, reason: "the connection broke".to_owned() }
                    }
                    _ => IndexError::Refused { url, what, reason: status.message().to_owned() },
                },
                other => IndexError::Refused { url, what, reason: other.to_string() },
            }
        }
    }
}

// --- Our terms in the server's ---

fn point_struct(point: Point) -> PointStruct {
    let mut vectors = NamedVectors::default()
        .add_vector(BM25, Vector::new_sparse(point.sparse.indices, point.sparse.values));
    for (name, vector) in point.vectors.named() {
        vectors = vectors.add_vector(name, Vector::from(vector.to_vec()));
    }
    PointStruct::new(point.id.to_string(), vectors, point.payload)
}

fn passage_id(id: Option<PointId>) -> Result<PassageId, IndexError> {
    match id.and_then(|id| id.point_id_options) {
        Some(point_id::PointIdOptions::Uuid(id)) => id
            .parse()
            .map_err(|_| IndexError::Payload { id, reason: "its id is no UUID".to_owned() }),
        Some(point_id::PointIdOptions::Num(id)) => Err(IndexError::Payload {
            id: id.to_string(),
            reason: "its id is a number, not a UUID".to_owned(),
        }),
        None => Err(IndexError::Payload { id: "?".to_owned(), reason: "it has no id".to_owned() }),
    }
}

fn named_vectors(point: &mut ScoredPoint) -> HashMap<String, VectorOutput> {
    match point.vectors.take().and_then(|vectors| vectors.vectors_options) {
        Some(vectors_output::VectorsOptions::Vectors(named)) => named.vectors,
        Some(vectors_output::VectorsOptions::Vector(_)) | None => HashMap::new(),
    }
}

fn dense_vector(vector: VectorOutput) -> Option<Vec<f32>> {
    match vector.into_vector() {
        vector_output::Vector::Dense(DenseVector { data }) => Some(data),
        vector_output::Vector::Sparse(_) | vector_output::Vector::MultiDense(_) => None,
    }
}

fn json(payload: HashMap<String, PayloadValue>) -> Map<String, Value> {
    payload.into_iter().map(|(field, value)| (field, value.into_json())).collect()
}

fn filter(clauses: Vec<Clause>) -> Filter {
    let mut filter = Filter::default();
    for clause in clauses {
        match clause {
            Clause::OneOf { field, values } => filter.must.push(one_of(field, values)),
            Clause::NoneOf { field, values } => filter.must_not.push(one_of(field, values)),
            Clause::AtLeast { field, value } => {
                filter
                    .must
                    .push(Condition::range(field, Range { gte: Some(value), ..Range::default() }));
            }
            Clause::NotAbove { field, value } => {
                filter
                    .must_not
                    .push(Condition::range(field, Range { gt: Some(value), ..Range::default() }));
            }
            Clause::Either(lists) => {
                filter.must.push(
                    Filter::should(lists.into_iter().map(|list| self::filter(list).into())).into(),
                );
            }
        }
    }
    filter
}

fn one_of(field: &str, mut values: Vec<String>) -> Condition {
    match values.len() {
        1 => Condition::matches(field, values.remove(0)),
        _ => Condition::matches(field, values),
    }
}
