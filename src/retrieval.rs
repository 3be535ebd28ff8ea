//! Question → ranked passages.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use self::embedder::Embedder;
use self::schema::Vectors;
use crate::grounding::{self, Scored, Shape, Unit};
use crate::language;
use crate::retrieval::product::Product;
use crate::telemetry::{Metrics, micros};

pub mod beside;
pub mod chunk;
pub mod columns;
pub mod embedded;
pub mod embedder;
pub mod filling;
mod frequencies;
pub mod fusion;
pub mod index;
pub mod ingest;
pub mod money;
pub mod product;
mod reads;
pub mod refill;
pub mod reranker;
pub mod schema;
pub mod scratch;
pub mod server;
pub mod spelling;

/// `[knowledge]`: where documents come from and which Qdrant engine holds their passages.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct KnowledgeConfig {
    /// Folder of the default site's documents; `frontdesk ingest` without a path reads it.
    pub path: PathBuf,
    /// Directory of the embedded engine. One process at a time may have it open.
    pub index: PathBuf,
    /// Address of a Qdrant server's gRPC port (`http://127.0.0.1:6334`). Empty: the embedded
    /// engine.
    pub url: String,
    /// API key for that server, if it wants one. Prefer the environment variable
    /// `FRONTDESK_KNOWLEDGE_API_KEY`.
    pub api_key: String,
    /// File that the key stands in, instead.
    pub api_key_file: PathBuf,
    /// Collection on that server; all sites share it and every query filters by site.
    pub collection: String,
    /// Passage length aimed at, in tokens of `tiktoken`'s `cl100k_base`. Longer ones give more
    /// context and blur the match.
    pub passage_tokens: usize,
    /// Path of a second embedding GGUF, for questions in languages that `embedder.model` doesn't
    /// read; empty: none. The default is left out where its file isn't there.
    pub multilingual: PathBuf,
    /// Path of a cross-encoder GGUF that judges question and text together; empty: none. The
    /// default is left out where its file isn't there. Threads, GPU layers and the files allowed
    /// are those of `[embedder]`, as for `multilingual`.
    pub reranker: PathBuf,
    /// Passages that a question is answered from.
    pub passages: usize,
    /// How many of the best passages the language model judges before the answer, to put the better
    /// ones first; 0 leaves the search's order. Each costs a prompt of its length, and the answer
    /// waits for all of them.
    pub rerank: usize,
    /// Milliseconds that judging them may take; then the search's order stands.
    pub rerank_ms: u64,
    /// Largest document accepted, in MiB; a larger one is reported and left out.
    pub max_document_mib: u64,
    /// Seconds that reading one document may take; a slower one is reported and left out.
    pub read_timeout_s: u64,
    /// Memory that reading one PDF, Word or Excel document may take, in MiB. They are read by a
    /// process of their own; one that needs more is reported and left out.
    pub reader_memory_mib: u64,
    /// Directory of the documents that were handed in over HTTP.
    pub uploads: PathBuf,
    /// Seconds between looks at the folders of documents while serving; what changed is read again.
    /// 0 doesn't look.
    pub watch_s: u64,
}

impl Default for KnowledgeConfig {
    fn default() -> Self {
        Self {
            path: "knowledge".into(),
            index: "data/index".into(),
            url: String::new(),
            api_key: String::new(),
            api_key_file: PathBuf::new(),
            collection: "frontdesk".into(),
            passage_tokens: 220,
            multilingual: MULTILINGUAL.into(),
            reranker: RERANKER.into(),
            passages: 5,
            rerank: 0,
            rerank_ms: 10_000,
            max_document_mib: 32,
            read_timeout_s: 60,
            reader_memory_mib: 512,
            uploads: "data/uploads".into(),
            watch_s: 5,
        }
    }
}

/// What `scripts/models` makes.
const MULTILINGUAL: &str = "models/multilingual-e5-small-q4_0.gguf";
const RERANKER: &str = "models/ms-marco-minilm-l-12-v2-q8_0.gguf";

impl KnowledgeConfig {
    /// [`KnowledgeConfig::multilingual`], if it is to be loaded.
    #[must_use]
    pub fn multilingual(&self) -> Option<&Path> {
        wanted(&self.multilingual, MULTILINGUAL)
    }

    /// [`KnowledgeConfig::reranker`], if it is to be loaded.
    #[must_use]
    pub fn reranker(&self) -> Option<&Path> {
        wanted(&self.reranker, RERANKER)
    }
}

/// A model's path, if one is named; the default only where its file is there.
fn wanted<'a>(path: &'a Path, default: &str) -> Option<&'a Path> {
    let is_named = !path.as_os_str().is_empty();
    (is_named && (path.exists() || !path.ends_with(default))).then_some(path)
}

/// Who may be shown a document.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    #[default]
    Public,
    Agents,
}

/// A citable piece of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    pub site: String,
    /// The document's id within its site: its path below the knowledge folder, or the `id` of its
    /// JSON line.
    pub document: String,
    /// Position among the document's passages, from 0.
    pub ordinal: u32,
    pub title: String,
    /// Headings from the outermost to the innermost, without the title.
    pub headings: Vec<String>,
    /// The passage's text as plain text / light Markdown; what is quoted to visitors.
    pub text: String,
    /// Where a visitor can read the document, if anywhere.
    pub url: Option<String>,
    /// ISO 639-1 code, `und` where it could not be told.
    pub language: String,
    pub audience: Audience,
    /// Bytes `start..end` of the document's extracted text.
    pub start: u64,
    pub end: u64,
    /// Lower-case hexadecimal SHA-256 of the whole source document.
    pub document_hash: String,
    /// Milliseconds since the epoch before which the document doesn't hold yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from_ms: Option<u64>,
    /// Milliseconds since the epoch after which the document no longer holds.
    pub valid_until_ms: Option<u64>,
    /// What is for sale, if the passage is a catalogue's row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<Box<Product>>,
}

/// What is asked of the index. Every query carries its site; there is no query without one.
#[derive(Clone, Debug)]
pub struct Query {
    pub site: String,
    pub text: String,
    /// Earlier visitor messages, oldest first; they give follow-up questions their subject.
    pub history: Vec<String>,
    pub audience: Audience,
    /// The question's language (ISO 639-1), which says by which model it is searched; empty: told
    /// from the text.
    pub language: String,
    /// Only passages in these languages (ISO 639-1), or of unknown language; empty: all.
    pub languages: Vec<String>,
    /// Milliseconds since the epoch; documents not valid then, not yet or no longer, are left out.
    pub now_ms: u64,
    /// How many passages to return.
    pub limit: usize,
}

/// A passage that was found, best first in a list.
#[derive(Clone, Debug, Serialize)]
pub struct Hit {
    pub passage: Passage,
    /// Fused score, comparable only within one result list.
    pub score: f32,
    /// Cosine between the query's and the passage's embedding, −1…1.
    pub cosine: Option<f32>,
    /// The same by the second model, where the question was asked by it; unrelated texts have .7 to
    /// .8, so only its differences within one list say something.
    pub multilingual: Option<f32>,
    /// BM25 score; `None` if only the dense half found it.
    pub bm25: Option<f32>,
}

/// Why a search failed.
#[derive(Debug, thiserror::Error)]
pub enum RetrievalError {
    #[error(transparent)]
    Embed(#[from] embedder::EmbedError),
    #[error(transparent)]
    Index(#[from] schema::IndexError),
    #[error(transparent)]
    Rerank(#[from] reranker::RerankError),
}

/// Embedder and index, joined. Cheap to clone.
#[derive(Clone)]
pub struct Retrieval {
    pub embedder: embedder::Embedder,
    /// The second model, for languages that the first one doesn't read.
    pub multilingual: Option<embedder::Embedder>,
    pub index: index::Index,
    /// What misspelt words of questions were meant to be.
    pub spelling: spelling::Spelling,
    pub filling: filling::Filling,
    pub metrics: Metrics,
}

impl Retrieval {
    /// Passages for a question, best first; a follow-up is understood with the visitor's messages
    /// before it.
    ///
    /// # Errors
    /// When the embedder or the index fails.
    pub async fn search(&self, query: &Query) -> Result<Vec<Hit>, RetrievalError> {
        let since = Instant::now();
        let reader = self.reader(query).await?;
        let vectors = match reader {
            Reader::First => self.embed(&self.embedder, query).await?.into(),
            Reader::Second(model) => {
                Vectors { multilingual: self.embed(model, query).await?, ..Vectors::default() }
            }
            Reader::None => self.embed(&self.embedder, query).await?.into(),
        };
        self.metrics.embedding_us.inc_by(micros(since));
        let since = Instant::now();
        let corrected = self.spelling.corrected(&query.site, &query.text, &query.language);
        let corrected = corrected.map(|meant| Query {
            text: format!("{} {}", meant.text, meant.others),
            ..query.clone()
        });
        let query = corrected.as_ref().unwrap_or(query);
        let hits = match reader {
            Reader::First | Reader::Second(_) => self.index.search(query, vectors).await?,
            Reader::None => {
                let words = language::without_function_words(&query.text);
                by_words(self.index.search(&Query { text: words, ..query.clone() }, vectors).await?)
            }
        };
        self.metrics.search_us.inc_by(micros(since));
        Ok(hits)
    }

    /// Which model reads the question: English the first one, other languages the second if there
    /// is one, else the first if it reads them.
    async fn reader(&self, query: &Query) -> Result<Reader<'_>, RetrievalError> {
        let language = match query.language.as_str() {
            "" => reads::stands_for(&query.text),
            known => Some(known),
        };
        let Some(language) = language else { return Ok(Reader::First) };
        if let Some(model) = self.multilingual.as_ref().filter(|_| language != "en") {
            return Ok(Reader::Second(model));
        }
        let reads = self.embedder.reads_language(language).await?;
        Ok(if reads { Reader::First } else { Reader::None })
    }

    /// The question's own vector, or its mean with that of the question after the visitor's last
    /// two messages: the one alone misses what a follow-up is about, the other what it asks.
    /// nDCG@10 on the multi-turn questions of MTRAG, which it was chosen by, estimated with the
    /// same vectors outside the product: .80 alone, .78 in context, .87 the mean of both.
    async fn embed(&self, model: &Embedder, query: &Query) -> Result<Vec<f32>, RetrievalError> {
        let mut vectors = model.embed_queries(query.texts()).await?.into_iter();
        let mut mean = vectors.next().unwrap_or_default();
        let Some(context) = vectors.next() else { return Ok(mean) };
        for (own, context) in mean.iter_mut().zip(&context) {
            *own += context;
        }
        let norm = mean.iter().map(|value| value * value).sum::<f32>().sqrt();
        if norm > 0.0 {
            mean.iter_mut().for_each(|value| *value /= norm);
        }
        Ok(mean)
    }

    /// What can be quoted, in reading order, with how near each piece is to the question: of the
    /// best passages where a fact is asked for, else of the best document around its best passage.
    ///
    /// # Errors
    /// When the embedder fails.
    pub async fn score_units(
        &self,
        question: &str,
        hits: &[Hit],
    ) -> Result<Vec<Scored>, RetrievalError> {
        self.near(question, units(question, hits), hits).await
    }

    /// How near each piece is to the question, in meaning, or by words where the embedding says
    /// nothing.
    async fn near(
        &self,
        question: &str,
        units: Vec<Unit>,
        hits: &[Hit],
    ) -> Result<Vec<Scored>, RetrievalError> {
        let best = hits.first().map_or(1.0, |hit| hit.score);
        let contexts: Vec<String> = units.iter().map(in_context).collect();
        let nearness: Vec<f32> = if hits.iter().all(|hit| hit.cosine.is_none()) {
            contexts.iter().map(|text| language::coverage(question, text)).collect()
        } else {
            let texts = std::iter::once(question.to_owned()).chain(contexts).collect();
            let since = Instant::now();
            let mut vectors = self.embedder.embed_queries(texts).await?.into_iter();
            self.metrics.embedding_us.inc_by(micros(since));
            let question = vectors.next().unwrap_or_default();
            vectors.map(|vector| vector.iter().zip(&question).map(|(a, b)| a * b).sum()).collect()
        };
        Ok(units
            .into_iter()
            .zip(nearness)
            .map(|(unit, cosine)| {
                let hit = hits.get(unit.passage);
                let score = hit.map_or(0.0, |hit| hit.score);
                let opens =
                    unit.range.start == 0 && hit.is_some_and(|hit| hit.passage.ordinal == 0);
                Scored {
                    unit,
                    cosine,
                    passage_score: if best > 0.0 { score / best } else { 0.0 },
                    opens,
                }
            })
            .collect())
    }

    /// What can be quoted of the best passages, in reading order passage by passage, with how near
    /// each piece is to the question. "Yes." and "No." stay only where the question is the one that
    /// they stand under.
    ///
    /// # Errors
    /// When the embedder fails.
    pub async fn pieces(
        &self,
        question: &str,
        hits: &[Hit],
    ) -> Result<Vec<Scored>, RetrievalError> {
        let mut rows = 0;
        let judged = hits.iter().enumerate().filter(|(_, hit)| {
            rows += usize::from(hit.passage.product.is_some());
            hit.passage.product.is_none() || rows <= JUDGED_ROWS
        });
        let which: Vec<usize> = judged.map(|(at, _)| at).take(JUDGED_PASSAGES).collect();
        let mut units = units_of(which, hits);
        units.truncate(JUDGED_PIECES);
        let scored = self.near(question, units, hits).await?;
        Ok(grounding::with_own_verdicts(question, &scored))
    }

    /// Does ahead what an answer to this question will need, where nobody waits for it: its
    /// embedding, and those of the sentences that would be quoted.
    ///
    /// # Errors
    /// When the embedder or the index fails.
    pub async fn prepare(&self, query: &Query) -> Result<(), RetrievalError> {
        self.embedder.prepare(query.texts()).await?;
        let hits = self.search(query).await?;
        if hits.iter().all(|hit| hit.cosine.is_none()) {
            return Ok(());
        }
        let units = units(&query.text, &hits);
        Ok(self.embedder.prepare(units.iter().map(in_context).collect()).await?)
    }

    /// Whether the second model, if there is one, still works.
    ///
    /// # Errors
    /// As [`Embedder::health`].
    pub fn second_health(&self) -> Result<(), embedder::EmbedError> {
        self.multilingual.as_ref().map_or(Ok(()), Embedder::health)
    }

    /// Tokens of a text by `cl100k_base`.
    #[must_use]
    pub fn count_tokens(&self, text: &str) -> u32 {
        u32::try_from(chunk::tokens(text)).unwrap_or(u32::MAX)
    }
}

/// The model that a question is searched by.
enum Reader<'a> {
    First,
    Second(&'a Embedder),
    /// Words alone.
    None,
}

/// Passages whose sentences are weighed for a fact, how many bytes beyond the best passage an
/// explanation may reach (the neighbours always belong to it), and how many pieces are weighed at
/// most: each is embedded.
const QUOTED_PASSAGES: usize = 5;
const QUOTED_AROUND: usize = 600;
const QUOTED_UNITS: usize = 48;

/// Passages whose pieces the cross-encoder may judge, those of a catalogue's rows among them, and
/// their pieces.
const JUDGED_PASSAGES: usize = 14;
const JUDGED_ROWS: usize = 2;
const JUDGED_PIECES: usize = 72;

/// Ranks hits by their words alone, where the embedding says nothing.
fn by_words(mut hits: Vec<Hit>) -> Vec<Hit> {
    hits.retain(|hit| hit.bm25.is_some());
    let best = hits.iter().filter_map(|hit| hit.bm25).fold(f32::MIN_POSITIVE, f32::max);
    for hit in &mut hits {
        hit.score = hit.bm25.unwrap_or_default() / best;
        hit.cosine = None;
    }
    hits.sort_by(|a, b| b.score.total_cmp(&a.score));
    hits
}

fn units(question: &str, hits: &[Hit]) -> Vec<Unit> {
    let mut units = units_of(quotable(grounding::shape(question), hits), hits);
    units.truncate(QUOTED_UNITS);
    units
}

/// Units of some hits, each with the heading that it stands under.
fn units_of(which: Vec<usize>, hits: &[Hit]) -> Vec<Unit> {
    let mut units = Vec::new();
    for at in which {
        let Some(Hit { passage, .. }) = hits.get(at) else { continue };
        let headings = passage.headings.last().unwrap_or(&passage.title);
        let public = grounding::for_visitors(grounding::units(at, &passage.text));
        units.extend(public.into_iter().map(|unit| match unit.heading.as_str() {
            "" => Unit { heading: headings.clone(), ..unit },
            _ => unit,
        }));
    }
    units
}

/// The answer to a question for the rules as a whole: how each section of the document on them
/// begins. `None` for other questions, and where no document near the best is on it.
#[must_use]
pub fn overview(question: &str, hits: &[Hit]) -> Option<Vec<Unit>> {
    let topic = grounding::general_topic(question)?;
    let best = hits.first()?.score;
    let near = hits.iter().take_while(|hit| hit.score >= OVERVIEW_NEAR * best);
    let document =
        near.map(|hit| &hit.passage).find(|passage| grounding::is_on(&topic, &passage.title))?;
    let sections = of_document(hits, document).into_iter().map(|(_, at)| at).collect();
    grounding::openings(units_of(sections, hits))
}

/// How near to the best passage a document must come that gives an overview.
const OVERVIEW_NEAR: f32 = 0.6;

/// Which hits are of the same document, with their places in it, in reading order.
fn of_document(hits: &[Hit], passage: &Passage) -> Vec<(u32, usize)> {
    let same = hits.iter().enumerate().filter(|(_, hit)| hit.passage.document == passage.document);
    let mut all: Vec<(u32, usize)> = same.map(|(at, hit)| (hit.passage.ordinal, at)).collect();
    all.sort_unstable();
    all
}

/// A sentence is understood under its headings: "It weighs 1.9 kg" needs to know what "it" is.
fn in_context(unit: &Unit) -> String {
    format!("{}: {}", unit.heading, unit.text)
}

/// A piece as the cross-encoder judges it: under its document's title and its headings, each once.
#[must_use]
pub fn judged_text(unit: &Unit, hits: &[Hit]) -> String {
    let Some(passage) = hits.get(unit.passage).map(|hit| &hit.passage) else {
        return unit.text.clone();
    };
    let mut headings: Vec<&str> = Vec::new();
    let all = std::iter::once(&passage.title).chain(&passage.headings).chain([&unit.heading]);
    for heading in all.map(String::as_str).filter(|heading| !heading.is_empty()) {
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    format!("{}: {}", headings.join(" › "), unit.text)
}

/// Which hits are quoted from, in reading order. Only hits: the engine has checked that the asker
/// may see them.
fn quotable(shape: Shape, hits: &[Hit]) -> Vec<usize> {
    let Some(best) = hits.first().map(|hit| &hit.passage) else { return Vec::new() };
    match shape {
        Shape::Fact => (0..hits.len().min(QUOTED_PASSAGES)).collect(),
        Shape::Explanation => {
            let all = of_document(hits, best);
            // The next one on either side, and those behind it as long as what lies between is
            // short.
            let reach = |side: &mut dyn Iterator<Item = &(u32, usize)>, mut last: u32| {
                let (mut found, mut between) = (Vec::new(), 0);
                for &(ordinal, at) in side {
                    if ordinal.abs_diff(last) > 1 || !found.is_empty() && between > QUOTED_AROUND {
                        break;
                    }
                    between += hits.get(at).map_or(0, |hit| hit.passage.text.len());
                    last = ordinal;
                    found.push(at);
                }
                found
            };
            let here = all.iter().position(|(ordinal, _)| *ordinal == best.ordinal).unwrap_or(0);
            let (before, after) = all.split_at(here);
            let mut near = reach(&mut before.iter().rev(), best.ordinal);
            near.reverse();
            near.extend(after.first().map(|(_, at)| *at));
            near.extend(reach(&mut after.iter().skip(1), best.ordinal));
            near
        }
    }
}

impl Query {
    /// What is embedded: the question, and for a follow-up the question in its context.
    fn texts(&self) -> Vec<String> {
        let mut texts = vec![self.text.clone()];
        if !self.history.is_empty() {
            texts.push(self.contextual());
        }
        texts
    }

    /// The question with what gives a follow-up its subject: the last two visitor messages before
    /// it.
    fn contextual(&self) -> String {
        let last = self.history.len().saturating_sub(2);
        let mut text: String =
            self.history.iter().skip(last).map(|line| format!("{line}\n")).collect();
        text.push_str(&self.text);
        text
    }
}

impl ingest::PassageEmbedder for Retrieval {
    /// By both models at once: each has a thread of its own.
    async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vectors>, embedder::EmbedError> {
        let Some(multilingual) = &self.multilingual else {
            return Ok(self.embedder.embed(texts).await?.into_iter().map(Vectors::from).collect());
        };
        let (dense, multilingual) =
            tokio::try_join!(self.embedder.embed(texts.clone()), multilingual.embed(texts))?;
        let both = dense.into_iter().zip(multilingual);
        Ok(both.map(|(dense, multilingual)| Vectors { dense, multilingual }).collect())
    }
}

impl ingest::PassageSink for index::Index {
    async fn documents(&self, site: &str) -> anyhow::Result<Vec<(String, String, usize)>> {
        let known = index::Index::documents(self, site).await?;
        Ok(known
            .into_iter()
            .map(|known| (known.document, known.document_hash, known.passages))
            .collect())
    }

    async fn upsert(&self, passages: Vec<(Passage, Vectors)>) -> anyhow::Result<()> {
        Ok(index::Index::upsert(self, passages).await?)
    }

    async fn remove_documents(&self, site: &str, documents: &[String]) -> anyhow::Result<()> {
        Ok(index::Index::remove_documents(self, site, documents).await?)
    }

    async fn flush(&self) -> anyhow::Result<()> {
        Ok(index::Index::flush(self).await?)
    }

    async fn optimize(&self) -> anyhow::Result<()> {
        Ok(index::Index::optimize(self).await?)
    }
}
