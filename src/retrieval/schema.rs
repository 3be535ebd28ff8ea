//! The index's schema, shared by both engines: what a point holds, what is found, and in which
//! order.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::hash::BuildHasher as _;
use std::path::PathBuf;
use std::sync::Arc;

use qdrant_edge::bm25_embed::{EdgeBm25, EdgeBm25Config};
use rustc_hash::FxBuildHasher;
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::language::unspaced::split_unspaced;
use crate::retrieval::chunk::embedding_text;
use crate::retrieval::fusion::{Candidate, Fusion};
use crate::retrieval::{Audience, Hit, Passage, Query, fusion};

/// How long the vectors of an index are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dims {
    pub dense: usize,
    /// Those of the second model, if passages have any.
    pub multilingual: Option<usize>,
}

impl From<usize> for Dims {
    fn from(dense: usize) -> Self {
        Self { dense, multilingual: None }
    }
}

/// A text's embeddings. A passage has those of [`Dims`]; a question is compared by those that it
/// has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vectors {
    /// Empty: none.
    pub dense: Vec<f32>,
    /// Empty: none.
    pub multilingual: Vec<f32>,
}

impl From<Vec<f32>> for Vectors {
    fn from(dense: Vec<f32>) -> Self {
        Self { dense, multilingual: Vec::new() }
    }
}

impl<T: AsRef<[f32]> + ?Sized> From<&T> for Vectors {
    fn from(dense: &T) -> Self {
        dense.as_ref().to_vec().into()
    }
}

impl Vectors {
    /// Those that there are, with their names.
    pub(super) fn named(&self) -> impl Iterator<Item = (&'static str, &[f32])> {
        let all = [(DENSE, &self.dense), (MULTILINGUAL, &self.multilingual)];
        all.into_iter()
            .filter(|(_, vector)| !vector.is_empty())
            .map(|(name, vector)| (name, vector.as_slice()))
    }
}

/// A document as the index knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IndexedDocument {
    pub document: String,
    /// Hash of the source its passages were made from; empty if they come from several versions,
    /// which an interrupted ingestion leaves behind, so that it equals no source and the document
    /// is taken in again.
    pub document_hash: String,
    pub passages: usize,
}

/// What an engine says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IndexHealth {
    /// `embedded` or the server's name and version.
    pub engine: String,
    pub passages: usize,
    /// Passages that a graph leads to; the others are searched one by one, which is fine up to some
    /// ten thousand.
    pub indexed: usize,
}

/// Why the index did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    #[error("the index directory {} cannot be prepared: {source}. Make it writable or set knowledge.index to another place", path.display())]
    Directory { path: PathBuf, source: std::io::Error },
    #[error(
        "the index in {} is open in another process{holder}. Stop that one first, or set knowledge.url to share a Qdrant server",
        path.display()
    )]
    InUse { path: PathBuf, holder: String },
    #[error(
        "the index in {} cannot be read: {reason}. Move the directory aside and run `frontdesk ingest` to build it again from the documents",
        path.display()
    )]
    Corrupt { path: PathBuf, reason: String },
    #[error(
        "the index in {place} holds embeddings of {found} dimensions, but the embedding model gives {wanted}. Set the earlier model again, or choose a new place and run `frontdesk ingest`"
    )]
    Dimensions { place: String, found: usize, wanted: usize },
    #[error(
        "{place} has another schema: {reason}. Set knowledge.collection to a new name and run `frontdesk ingest`"
    )]
    Schema { place: String, reason: String },
    #[error("an embedding of {found} dimensions was given to an index of {wanted}")]
    EmbeddingSize { found: usize, wanted: usize },
    #[error(
        "an embedding holds a number that is not finite; the embedding model or its input is broken"
    )]
    EmbeddingNotFinite,
    #[error(
        "the Qdrant server at {url} cannot be reached: {reason}. Check knowledge.url (its gRPC port, usually 6334) and that it runs"
    )]
    Unreachable { url: String, reason: String },
    #[error("the Qdrant server at {url} refused to {what}: {reason}")]
    Refused { url: String, what: &'static str, reason: String },
    #[error("the index failed to {what}: {reason}")]
    Engine { what: &'static str, reason: String },
    #[error(
        "point {id} is not a passage of Frontdesk: {reason}. If others write to this collection, set knowledge.collection to one of its own"
    )]
    Payload { id: String, reason: String },
    #[error("the index has been closed")]
    Closed,
}

/// Name of the dense vector.
pub(super) const DENSE: &str = "dense";
/// Name of the second model's vector.
pub(super) const MULTILINGUAL: &str = "multilingual";
/// Name of the sparse vector.
pub(super) const BM25: &str = "bm25";

/// Payload fields that are filtered by, and so indexed.
pub(super) const KEYWORD_FIELDS: [&str; 4] =
    [payload::SITE, payload::DOCUMENT, payload::LANGUAGE, payload::AUDIENCE];
pub(super) const INTEGER_FIELD: &str = payload::VALID_UNTIL;

/// How many candidates each half is asked for, to return `limit`.
pub(super) fn candidates(limit: usize) -> usize {
    limit.saturating_mul(4).clamp(40, 1_000)
}

/// A passage ready to be stored.
pub(super) struct Point {
    pub(super) id: PassageId,
    pub(super) payload: Map<String, Value>,
    pub(super) vectors: Vectors,
    pub(super) sparse: Sparse,
}

/// Sparse vector: ids of terms and their weights.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sparse {
    pub(super) indices: Vec<u32>,
    pub(super) values: Vec<f32>,
}

/// A passage's id: the same site, document and ordinal always give the same one, so storing twice
/// changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct PassageId(pub(crate) u128);

impl PassageId {
    /// The SHA-256 of the parts, each after its length, as a UUID of version 8 (RFC 9562: vendor's
    /// own hash).
    pub(super) fn of(site: &str, document: &str, ordinal: u32) -> Self {
        let mut hash = Sha256::new();
        for part in [site.as_bytes(), document.as_bytes(), &ordinal.to_be_bytes()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        let high = digest.iter().take(16).fold(0_u128, |id, byte| (id << 8) | u128::from(*byte));
        Self((high & !(0xf << 76) & !(0x3 << 62)) | (0x8 << 76) | (0x2 << 62))
    }
}

impl fmt::Display for PassageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.0;
        let part = |shift: u32, digits: u32| (id >> shift) & ((1 << (4 * digits)) - 1);
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            part(96, 8),
            part(80, 4),
            part(64, 4),
            part(48, 4),
            part(0, 12)
        )
    }
}

impl std::str::FromStr for PassageId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(&text.replace('-', ""), 16).map(Self)
    }
}

/// Which passages an operation is about.
#[derive(Clone, Debug)]
pub(super) enum Scope {
    Everything,
    Site {
        site: String,
    },
    Documents {
        site: String,
        documents: Vec<String>,
    },
    /// Passages of these documents that were made from another source than the one with this hash.
    Outdated {
        documents: Vec<Source>,
    },
    /// What a question may be answered from.
    Askable {
        site: String,
        audience: Audience,
        languages: Vec<String>,
        now_ms: u64,
    },
    /// What is for sale.
    Products {
        site: String,
    },
}

/// A document's current version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Source {
    pub(super) site: String,
    pub(super) document: String,
    pub(super) hash: String,
}

/// A condition in terms that every engine has; a list of them holds if all do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Clause {
    /// The field is one of these.
    OneOf {
        field: &'static str,
        values: Vec<String>,
    },
    /// The field is none of these.
    NoneOf {
        field: &'static str,
        values: Vec<String>,
    },
    AtLeast {
        field: &'static str,
        value: f64,
    },
    /// The field is not above this, or isn't there.
    NotAbove {
        field: &'static str,
        value: f64,
    },
    /// At least one of these lists holds.
    Either(Vec<Vec<Clause>>),
}

impl Scope {
    pub(super) fn clauses(self) -> Vec<Clause> {
        let is = |field, value| Clause::OneOf { field, values: vec![value] };
        match self {
            Self::Everything => Vec::new(),
            Self::Site { site } => vec![is(payload::SITE, site)],
            Self::Documents { site, documents } => {
                vec![
                    is(payload::SITE, site),
                    Clause::OneOf { field: payload::DOCUMENT, values: documents },
                ]
            }
            Self::Outdated { documents } => vec![Clause::Either(
                documents
                    .into_iter()
                    .map(|Source { site, document, hash }| {
                        vec![
                            is(payload::SITE, site),
                            is(payload::DOCUMENT, document),
                            Clause::NoneOf { field: payload::DOCUMENT_HASH, values: vec![hash] },
                        ]
                    })
                    .collect(),
            )],
            Self::Products { site } => {
                vec![is(payload::SITE, site), is(payload::KIND, payload::PRODUCT_KIND.to_owned())]
            }
            Self::Askable { site, audience, mut languages, now_ms } => {
                let mut clauses = vec![is(payload::SITE, site)];
                match audience {
                    Audience::Public => {
                        clauses.push(is(payload::AUDIENCE, payload::PUBLIC.to_owned()))
                    }
                    Audience::Agents => {}
                }
                if !languages.is_empty() {
                    languages.push(payload::UNKNOWN_LANGUAGE.to_owned());
                    clauses.push(Clause::OneOf { field: payload::LANGUAGE, values: languages });
                }
                #[expect(clippy::cast_precision_loss, reason = "exact for the next 285,000 years")]
                let now = now_ms as f64;
                clauses.push(Clause::AtLeast { field: payload::VALID_UNTIL, value: now });
                clauses.push(Clause::NotAbove { field: payload::VALID_FROM, value: now });
                clauses
            }
        }
    }
}

/// Points for these passages, and the documents they belong to.
pub(super) fn points(
    lexicon: &Lexicon,
    dims: Dims,
    passages: Vec<(Passage, Vectors)>,
) -> Result<(Vec<Point>, Vec<Source>), IndexError> {
    let mut points = Vec::with_capacity(passages.len());
    let mut documents = Vec::new();
    for (passage, vectors) in passages {
        check_embedding(&vectors.dense, dims.dense)?;
        check_embedding(&vectors.multilingual, dims.multilingual.unwrap_or(0))?;
        let Passage { site, document, document_hash: hash, .. } = passage.clone();
        documents.push(Source { site, document, hash });
        let id = PassageId::of(&passage.site, &passage.document, passage.ordinal);
        let sparse = lexicon.document(&passage);
        points.push(Point { id, payload: payload::encode(id, &passage)?, vectors, sparse });
    }
    documents.sort();
    documents.dedup();
    Ok((points, documents))
}

/// Whether these are what a question may be compared by.
pub(super) fn check_question(vectors: &Vectors, dims: Dims) -> Result<(), IndexError> {
    if vectors.multilingual.is_empty() || !vectors.dense.is_empty() {
        check_embedding(&vectors.dense, dims.dense)?;
    }
    if !vectors.multilingual.is_empty() {
        check_embedding(&vectors.multilingual, dims.multilingual.unwrap_or(0))?;
    }
    Ok(())
}

/// Gives candidates that only another half found how near they are all the same. `nearness` by
/// names of vectors.
pub(super) fn complete(
    candidates: &mut [Candidate<PassageId>],
    nearness: &HashMap<(PassageId, &str), f32>,
) {
    for candidate in candidates {
        let of = |name| nearness.get(&(candidate.id, name)).copied();
        candidate.cosine = candidate.cosine.or_else(|| of(DENSE));
        candidate.multilingual = candidate.multilingual.or_else(|| of(MULTILINGUAL));
    }
}

pub(super) fn check_embedding(embedding: &[f32], dims: usize) -> Result<(), IndexError> {
    if embedding.len() != dims {
        return Err(IndexError::EmbeddingSize { found: embedding.len(), wanted: dims });
    }
    if embedding.iter().any(|value| !value.is_finite()) {
        return Err(IndexError::EmbeddingNotFinite);
    }
    Ok(())
}

/// Cosine between two vectors of one length; 0 where one of them is zero.
pub(super) fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let (mut dot, mut aa, mut bb) = (0.0_f32, 0.0_f32, 0.0_f32);
    for (x, y) in a.iter().zip(b) {
        dot += x * y;
        aa += x * x;
        bb += y * y;
    }
    let norm = (aa * bb).sqrt();
    if norm > 0.0 { dot / norm } else { 0.0 }
}

/// Both halves' results in one ranking; `passage` is asked for the winners only.
pub(super) fn rank(
    candidates: &[Candidate<PassageId>],
    limit: usize,
    mut passage: impl FnMut(PassageId) -> Result<Option<Passage>, IndexError>,
) -> Result<Vec<Hit>, IndexError> {
    let mut hits: Vec<Hit> = Vec::with_capacity(limit.min(candidates.len()));
    let mut told: Vec<HashSet<u64>> = Vec::new();
    for fused in fusion::fuse(candidates, Fusion::default(), candidates.len()) {
        if hits.len() >= limit {
            break;
        }
        // Removed between the search and now: not an answer any more.
        let Some(passage) = passage(fused.id)? else { continue };
        if told.len() < TOLD {
            let words = shingles(&passage.text);
            if told.iter().any(|other| alike(other, &words)) {
                continue;
            }
            told.push(words);
        }
        let fusion::Fused { score, cosine, multilingual, bm25, .. } = fused;
        hits.push(Hit { passage, score, cosine, multilingual, bm25 });
    }
    Ok(hits)
}

/// Passages from the top that are compared with each other; further down a repetition does no harm.
pub(super) const TOLD: usize = 20;
/// Share of common word triples from which one of two passages is left out. Versions of a product
/// differ by more.
const ALIKE: f32 = 0.95;

/// A text's word triples, as hashes.
fn shingles(text: &str) -> HashSet<u64> {
    let lower = split_unspaced(text).to_lowercase();
    let words: Vec<&str> = crate::language::words(&lower).collect();
    words.windows(3).map(|three| FxBuildHasher.hash_one(three)).collect()
}

/// Whether two texts say the same but for a word or two (Jaccard index).
pub(super) fn alike(a: &HashSet<u64>, b: &HashSet<u64>) -> bool {
    if a.len().min(b.len()) < 8 || a.len().abs_diff(b.len()) * 10 > a.len().max(b.len()) {
        return false;
    }
    let common = a.intersection(b).count();
    #[expect(clippy::cast_precision_loss, reason = "counts of words")]
    let alike = common as f32 >= ALIKE * (a.len() + b.len() - common) as f32;
    alike
}

/// A passage as payload, and back.
pub(super) mod payload {
    use serde_json::{Map, Value};

    use super::{IndexError, PassageId};
    use crate::retrieval::Passage;

    pub(in crate::retrieval) const SITE: &str = "site";
    pub(in crate::retrieval) const DOCUMENT: &str = "document";
    pub(in crate::retrieval) const DOCUMENT_HASH: &str = "document_hash";
    pub(in crate::retrieval) const LANGUAGE: &str = "language";
    pub(in crate::retrieval) const AUDIENCE: &str = "audience";
    pub(in crate::retrieval) const VALID_UNTIL: &str = "valid_until";
    pub(in crate::retrieval) const VALID_FROM: &str = "valid_from_ms";
    /// What a passage is besides text.
    pub(in crate::retrieval) const KIND: &str = "kind";
    pub(in crate::retrieval) const PRODUCT_KIND: &str = "product";
    pub(in crate::retrieval) const UNKNOWN_LANGUAGE: &str = "und";
    /// What [`crate::retrieval::Audience::Public`] is stored as.
    pub(in crate::retrieval) const PUBLIC: &str = "public";

    /// The passage's own name for `VALID_UNTIL`.
    const VALID_UNTIL_MS: &str = "valid_until_ms";
    /// Stored as the end of what holds for ever (the last millisecond of the year 9999), so that
    /// one comparison decides.
    const FOR_EVER: u64 = 253_402_300_799_999;

    pub(in crate::retrieval) fn encode(
        id: PassageId,
        passage: &Passage,
    ) -> Result<Map<String, Value>, IndexError> {
        let fields = serde_json::to_value(passage).map_err(|error| IndexError::Payload {
            id: id.to_string(),
            reason: error.to_string(),
        })?;
        let Value::Object(mut fields) = fields else {
            return Err(IndexError::Payload {
                id: id.to_string(),
                reason: "not an object".to_owned(),
            });
        };
        fields.remove(VALID_UNTIL_MS);
        let until = passage.valid_until_ms.map_or(FOR_EVER, |until| until.min(FOR_EVER));
        fields.insert(VALID_UNTIL.to_owned(), until.into());
        if passage.product.is_some() {
            fields.insert(KIND.to_owned(), PRODUCT_KIND.into());
        }
        Ok(fields)
    }

    pub(in crate::retrieval) fn decode(
        id: PassageId,
        mut fields: Map<String, Value>,
    ) -> Result<Passage, IndexError> {
        let until = fields
            .remove(VALID_UNTIL)
            .and_then(|until| until.as_u64())
            .filter(|until| *until < FOR_EVER);
        fields.insert(VALID_UNTIL_MS.to_owned(), until.into());
        serde_json::from_value(Value::Object(fields))
            .map_err(|error| IndexError::Payload { id: id.to_string(), reason: error.to_string() })
    }

    /// A text field, taken out; empty where there is none.
    pub(in crate::retrieval) fn text(fields: &mut Map<String, Value>, field: &str) -> String {
        match fields.remove(field) {
            Some(Value::String(text)) => text,
            _ => String::new(),
        }
    }
}

/// Words → sparse vectors; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Lexicon(Arc<EdgeBm25>);

impl Lexicon {
    /// The tokeniser, stop words and stemmer of a Qdrant server's own `qdrant/bm25`, so the term
    /// ids are the same.
    pub(super) fn new() -> Result<Self, IndexError> {
        EdgeBm25::new(EdgeBm25Config::default())
            .map(|bm25| Self(Arc::new(bm25)))
            .map_err(|error| IndexError::Engine { what: "set up BM25", reason: error.to_string() })
    }

    /// Terms of the title, the headings and the text, weighted by how often they occur.
    pub(super) fn document(&self, passage: &Passage) -> Sparse {
        let text = embedding_text(passage);
        let vector = self.0.embed_document(&split_unspaced(&text));
        Sparse { indices: vector.indices, values: vector.values }
    }

    /// Terms of the question, each once. Those of the message before it count half: estimated
    /// outside the product on the multi-turn questions that it was chosen by, nDCG@10 of BM25 is
    /// .83 instead of .76.
    pub(super) fn question(&self, query: &Query) -> Sparse {
        let terms = |text: &str| self.0.embed_query(&split_unspaced(text)).indices;
        let own = terms(&query.text);
        let mut weights: BTreeMap<u32, f32> = BTreeMap::new();
        if let Some(before) = query.history.last() {
            weights.extend(terms(before).into_iter().map(|term| (term, 0.5)));
        }
        weights.extend(own.into_iter().map(|term| (term, 1.0)));
        let (indices, values) = weights.into_iter().unzip();
        Sparse { indices, values }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passage() -> Passage {
        Passage {
            site: "shop".into(),
            document: "returns.md".into(),
            ordinal: 3,
            title: "Returns".into(),
            headings: vec!["How long".into()],
            text: "You may send goods back within 30 days.".into(),
            url: None,
            language: "en".into(),
            audience: Audience::Agents,
            start: 10,
            end: 49,
            document_hash: "abc".into(),
            valid_from_ms: None,
            valid_until_ms: None,
            product: None,
        }
    }

    #[test]
    fn words_become_terms() {
        let lexicon = Lexicon::new().unwrap();
        let after = |history: &[&str], text: &str| {
            lexicon.question(&Query {
                site: "shop".into(),
                text: text.into(),
                history: history.iter().map(|text| (*text).into()).collect(),
                audience: Audience::Public,
                language: String::new(),
                languages: Vec::new(),
                now_ms: 0,
                limit: 5,
            })
        };
        let question = |text: &str| after(&[], text);
        assert_eq!(question("?!… — ¿"), Sparse::default());
        assert_eq!(question("退货政策").indices.len(), 3);
        // Stemmed, without stop words, and each term once.
        assert_eq!(question("Return the returns, returning").indices.len(), 1);
        // A question leans on the message before it.
        let mut weights = after(&["ignored", "red shoes"], "price of shoes").values;
        weights.sort_by(f32::total_cmp);
        assert_eq!(weights, [0.5, 1.0, 1.0]);
        let document = lexicon.document(&passage());
        for term in question("days return long").indices {
            assert!(
                document.indices.contains(&term),
                "the title, the headings and the text are all searched"
            );
        }
    }

    #[test]
    fn repetitions_are_known_and_versions_are_not() {
        #[track_caller]
        fn check(a: &str, b: &str, expected: bool) {
            assert_eq!(alike(&shingles(a), &shingles(b)), expected, "{a} / {b}");
        }
        let text = "You may send goods back within 30 days of the day on which they came to you. The label is free.";
        check(text, &text.to_uppercase(), true);
        check(text, &text.replace("30", "60"), false);
        check("Out of stock.", "Out of stock.", false);
    }

    #[test]
    fn ids_are_stable_and_tell_parts_apart() {
        let id = PassageId::of("shop", "returns.md", 3);
        assert_eq!(id.to_string(), "6464a810-64aa-8a71-91bb-168c8acb2b41");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_ne!(PassageId::of("a", "bc", 0), PassageId::of("ab", "c", 0));
        assert_ne!(PassageId::of("a", "b", 0), PassageId::of("a", "b", 1));
    }

    #[test]
    fn passages_survive_the_payload() {
        for valid_until_ms in [None, Some(0), Some(1_764_000_000_000)] {
            let passage = Passage { valid_until_ms, ..passage() };
            let id = PassageId::of(&passage.site, &passage.document, passage.ordinal);
            let fields = payload::encode(id, &passage).unwrap();
            assert_eq!(fields["audience"], "agents");
            assert_eq!(payload::decode(id, fields).unwrap(), passage);
        }
    }

    #[test]
    fn a_question_sees_its_site_its_audience_and_what_holds() {
        let clauses = |audience| {
            Scope::Askable { site: "shop".into(), audience, languages: vec![], now_ms: 5 }.clauses()
        };
        let is = |field, value: &str| Clause::OneOf { field, values: vec![value.into()] };
        let until = Clause::AtLeast { field: "valid_until", value: 5.0 };
        let from = Clause::NotAbove { field: "valid_from_ms", value: 5.0 };
        let public = is("audience", "public");
        assert_eq!(
            clauses(Audience::Public),
            [is("site", "shop"), public, until.clone(), from.clone()]
        );
        assert_eq!(clauses(Audience::Agents), [is("site", "shop"), until, from]);
        let languages = Scope::Askable {
            site: "shop".into(),
            audience: Audience::Agents,
            languages: vec!["de".into()],
            now_ms: 5,
        };
        let spoken = Clause::OneOf { field: "language", values: vec!["de".into(), "und".into()] };
        assert!(languages.clauses().contains(&spoken));
    }
}
