//! The passages' index: one schema, two engines that answer alike.
//!
//! A point is a passage: its fields as payload, its embedding as the dense vector `dense` (cosine),
//! that of the second model as `multilingual` if there is one, and its words as the sparse vector
//! `bm25`. What a word of a question weighs is counted over the site's own passages. All vectors
//! are made on our side, so a Qdrant server needs no inference. What is found is decided in
//! [`super::schema`], ranked in [`super::fusion`].

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::embedded::EmbeddedIndex;
use super::server::ServerIndex;
use super::{Audience, Hit, KnowledgeConfig, Passage, Query};
use crate::retrieval::schema::{
    Dims, IndexError, IndexHealth, IndexedDocument, Scope, Vectors, payload,
};

/// The engine that holds the passages; clones share it.
#[derive(Clone, Debug)]
pub enum Index {
    Embedded(EmbeddedIndex),
    Server(ServerIndex),
}

/// Runs the same call on whichever engine it is.
macro_rules! on_engine {
    ($index:expr, $engine:ident => $call:expr) => {
        match $index {
            Index::Embedded($engine) => $call.await,
            Index::Server($engine) => $call.await,
        }
    };
}

impl Index {
    /// Opens the engine that the configuration names, and makes the index if there is none.
    ///
    /// # Errors
    /// [`IndexError`] with what to do: in use, unreadable, made for another embedding model,
    /// unreachable.
    pub async fn open(config: &KnowledgeConfig, dims: impl Into<Dims>) -> Result<Self, IndexError> {
        let dims = dims.into();
        if config.url.is_empty() {
            Ok(Self::Embedded(EmbeddedIndex::open(&config.index, dims).await?))
        } else {
            Ok(Self::Server(ServerIndex::open(config, dims).await?))
        }
    }

    /// Stores passages with their embeddings. A passage replaces the one with the same site,
    /// document and ordinal, and passages of the same documents that were made from another source
    /// hash are removed afterwards, so a changed document is found throughout. On disk when it
    /// returns. A few hundred at a time is a good batch.
    ///
    /// # Errors
    /// [`IndexError`]; what was stored before it stays, and the call may be repeated.
    pub async fn upsert<V: Into<Vectors>>(
        &self,
        passages: Vec<(Passage, V)>,
    ) -> Result<(), IndexError> {
        if passages.is_empty() {
            return Ok(());
        }
        let passages =
            passages.into_iter().map(|(passage, vectors)| (passage, vectors.into())).collect();
        on_engine!(self, engine => engine.upsert(passages))
    }

    /// Removes these documents of the site; unknown ones are no error.
    ///
    /// # Errors
    /// [`IndexError`] where the engine fails.
    pub async fn remove_documents(
        &self,
        site: &str,
        documents: &[String],
    ) -> Result<(), IndexError> {
        if documents.is_empty() {
            return Ok(());
        }
        let scope = Scope::Documents { site: site.to_owned(), documents: documents.to_vec() };
        on_engine!(self, engine => engine.remove(scope))
    }

    /// What the site's index holds, by document id.
    ///
    /// # Errors
    /// [`IndexError`] where the engine fails.
    pub async fn documents(&self, site: &str) -> Result<Vec<IndexedDocument>, IndexError> {
        let scope = Scope::Site { site: site.to_owned() };
        let points = on_engine!(self, engine => engine.scroll(scope, &[payload::DOCUMENT, payload::DOCUMENT_HASH]))?;
        let mut documents: BTreeMap<String, IndexedDocument> = BTreeMap::new();
        for (_, mut fields) in points {
            let document = payload::text(&mut fields, payload::DOCUMENT);
            let document_hash = payload::text(&mut fields, payload::DOCUMENT_HASH);
            let known = documents.entry(document.clone()).or_insert_with(|| IndexedDocument {
                document,
                document_hash: document_hash.clone(),
                passages: 0,
            });
            known.passages += 1;
            if known.document_hash != document_hash {
                known.document_hash.clear();
            }
        }
        Ok(documents.into_values().collect())
    }

    /// A document's passages in their order.
    ///
    /// # Errors
    /// [`IndexError`] where the engine fails.
    pub async fn passages(&self, site: &str, document: &str) -> Result<Vec<Passage>, IndexError> {
        let scope =
            Scope::Documents { site: site.to_owned(), documents: vec![document.to_owned()] };
        let points = on_engine!(self, engine => engine.scroll(scope, &[]))?;
        let mut passages: Vec<Passage> = points
            .into_iter()
            .map(|(id, fields)| payload::decode(id, fields))
            .collect::<Result<_, _>>()?;
        passages.sort_by_key(|passage| passage.ordinal);
        Ok(passages)
    }

    /// The passages that answer best, best first, at most `query.limit`. Only those of the query's
    /// site that its audience may see and that still hold at `query.now_ms`; the engine filters
    /// them while it searches.
    ///
    /// # Errors
    /// [`IndexError`] where the embedding has another length or the engine fails.
    pub async fn search(
        &self,
        query: &Query,
        vectors: impl Into<Vectors>,
    ) -> Result<Vec<Hit>, IndexError> {
        if query.limit == 0 {
            return Ok(Vec::new());
        }
        let vectors = vectors.into();
        let mut hits = on_engine!(self, engine => engine.search(query, &vectors))?;
        let found = hits.len();
        hits.retain(|hit| hit.passage.site == query.site);
        if hits.len() < found {
            tracing::error!(site = %query.site, dropped = found - hits.len(), "the index returned passages of another site");
        }
        Ok(hits)
    }

    /// The site's passages as the lexical half reads them, in no order: titles, headings and text.
    ///
    /// # Errors
    /// [`IndexError`] where the engine fails.
    pub async fn texts(&self, site: &str) -> Result<Vec<String>, IndexError> {
        let scope = Scope::Site { site: site.to_owned() };
        let points =
            on_engine!(self, engine => engine.scroll(scope, &["title", "headings", "text"]))?;
        Ok(points.into_iter().map(|(_, fields)| whole_text(fields)).collect())
    }

    /// The same of those that visitors may be shown.
    ///
    /// # Errors
    /// [`IndexError`] where the engine fails.
    pub async fn public_texts(&self, site: &str) -> Result<Vec<String>, IndexError> {
        let scope = Scope::Site { site: site.to_owned() };
        let points = on_engine!(self, engine => engine.scroll(scope, &["title", "headings", "text", "audience"]))?;
        let public = serde_json::to_value(Audience::Public).unwrap_or_default();
        let shown =
            points.into_iter().filter(|(_, fields)| fields.get("audience") == Some(&public));
        Ok(shown.map(|(_, fields)| whole_text(fields)).collect())
    }

    /// The passages of a site that are products, in no order.
    ///
    /// # Errors
    /// [`IndexError`] where the engine fails.
    pub async fn products(&self, site: &str) -> Result<Vec<Passage>, IndexError> {
        let scope = Scope::Products { site: site.to_owned() };
        let points = on_engine!(self, engine => engine.scroll(scope, &[]))?;
        points.into_iter().map(|(id, fields)| payload::decode(id, fields)).collect()
    }

    /// How many passages there are, of one site or of all.
    ///
    /// # Errors
    /// [`IndexError`] where the engine fails.
    pub async fn count(&self, site: Option<&str>) -> Result<usize, IndexError> {
        let scope = site.map_or(Scope::Everything, |site| Scope::Site { site: site.to_owned() });
        on_engine!(self, engine => engine.count(scope))
    }

    /// Brings everything to disk. Writes have done so already; a server does it by itself.
    ///
    /// # Errors
    /// [`IndexError`] where the disk fails.
    pub async fn flush(&self) -> Result<(), IndexError> {
        match self {
            Self::Embedded(engine) => engine.flush().await,
            Self::Server(_) => Ok(()),
        }
    }

    /// Builds the graphs for what came in since the last time; call it at the end of an ingestion.
    /// Searches go on meanwhile, writes wait. A server does it by itself.
    ///
    /// # Errors
    /// [`IndexError`] where the engine fails.
    pub async fn optimize(&self) -> Result<(), IndexError> {
        match self {
            Self::Embedded(engine) => engine.optimize().await,
            Self::Server(_) => Ok(()),
        }
    }

    /// Whether a restart is the only thing that helps. A server that is away may come back, so it
    /// is never lost.
    ///
    /// # Errors
    /// [`IndexError::Closed`] once the engine in this process has ended.
    pub fn alive(&self) -> Result<(), IndexError> {
        match self {
            Self::Embedded(engine) => engine.alive(),
            Self::Server(_) => Ok(()),
        }
    }

    /// Whether the engine answers, and what it holds.
    ///
    /// # Errors
    /// [`IndexError`] where it does not.
    pub async fn health(&self) -> Result<IndexHealth, IndexError> {
        on_engine!(self, engine => engine.health())
    }

    /// Finishes the writes under way and lets go of the directory once the searches under way are
    /// done. Later calls answer [`IndexError::Closed`].
    ///
    /// # Errors
    /// [`IndexError`] where the last flush fails.
    pub async fn close(&self) -> Result<(), IndexError> {
        match self {
            Self::Embedded(engine) => engine.close().await,
            Self::Server(_) => Ok(()),
        }
    }
}

/// A passage as its words are read: title, headings and text.
fn whole_text(mut fields: Map<String, Value>) -> String {
    let headings = match fields.remove("headings") {
        Some(Value::Array(headings)) => headings,
        _ => Vec::new(),
    };
    let headings = headings.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ");
    format!(
        "{} {headings} {}",
        payload::text(&mut fields, "title"),
        payload::text(&mut fields, "text")
    )
}
