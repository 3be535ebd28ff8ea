//! A folder of documents → passages in the index, incrementally.
//!
//! Documents are read one at a time on a thread of their own, with a limit on size and time; a
//! broken one is reported and stops nothing else. What has the same hash as in the index is not
//! touched, what vanished leaves it.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::Passage;
use super::chunk::embedding_text;
use super::embedder::EmbedError;
use super::schema::Vectors;
use crate::grounding::injection::{self, is_order_to_assistant};

mod clauses;
mod docx;
mod encoding;
mod explain;
mod extraction;
mod grid;
mod html;
mod inbox;
mod isolated;
mod json;
mod markdown;
mod passages;
mod pdf;
mod read;
mod reading;
mod records;
mod table;
mod tabular;
mod text;
mod walk;
mod workbook;
mod xml;

use reading::Reading;

pub use explain::{
    Explained, FolderFile, FolderFiles, explain, explain_all, explain_file, explain_upload,
    folder_files,
};
pub use isolated::{read_document, this_program_reads};
pub use passages::{Documents, whole_documents};
pub use table::{LeftOut, Understood, UnderstoodColumn};
pub use walk::Format;

/// The text of a file in UTF-8, UTF-16 or an older encoding that can be told for sure.
///
/// # Errors
/// What is wrong and where.
pub fn text_of(bytes: &[u8]) -> Result<String, String> {
    encoding::decode(bytes, None).map(|decoded| decoded.text)
}

/// Where passages go, and the ledger of what is there.
pub trait PassageSink: Sync {
    /// All documents of a site: id, hash and number of passages.
    fn documents(
        &self,
        site: &str,
    ) -> impl Future<Output = anyhow::Result<Vec<(String, String, usize)>>> + Send;
    /// Adds passages with their vectors; whole documents, each in one call. Passages that a
    /// document had of another version leave once the new ones are in.
    fn upsert(
        &self,
        passages: Vec<(Passage, Vectors)>,
    ) -> impl Future<Output = anyhow::Result<()>> + Send;
    /// Removes all passages of these documents.
    fn remove_documents(
        &self,
        site: &str,
        documents: &[String],
    ) -> impl Future<Output = anyhow::Result<()>> + Send;
    /// Returns when everything before is on disk.
    fn flush(&self) -> impl Future<Output = anyhow::Result<()>> + Send;
    /// Called between two pieces of work, files or batches of passages: others may go first.
    fn pause(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
    /// Called once after a run that changed something.
    fn optimize(&self) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// What turns passages into vectors.
pub trait PassageEmbedder: Sync {
    /// The vectors of each text.
    fn embed(
        &self,
        texts: Vec<String>,
    ) -> impl Future<Output = Result<Vec<Vectors>, EmbedError>> + Send;
}

/// What ingestion works with.
pub struct IngestParts<'a, S, E> {
    pub index: &'a S,
    pub embedder: &'a E,
}

/// How to ingest.
#[derive(Clone, Debug)]
pub struct IngestOptions {
    /// Passage length aimed at, in tokens.
    pub passage_tokens: usize,
    /// A larger file, or a longer line of a JSON Lines file, is reported and left out. Bytes.
    pub max_document_bytes: u64,
    /// A document that takes longer to read is reported and left out.
    pub time_limit: Duration,
    /// Memory that reading a PDF, Word or Excel document may take, in MiB; one that needs more is
    /// reported and left out.
    pub reader_memory_mib: u64,
    /// The knowledge folder. A root within it keeps its place in the documents' ids, and only what
    /// is below that root can leave the index. A root outside it is taken for the site's whole
    /// knowledge.
    pub base: Option<PathBuf>,
    /// Also write documents whose hash hasn't changed; needed after a change of the embedding model
    /// or passage length.
    pub force: bool,
    /// Whether documents that this run doesn't find leave the index.
    pub prune: bool,
    /// Whether the index builds its graphs at the end; small runs leave that to a later one.
    pub optimize: bool,
}

impl IngestOptions {
    /// Takes the limits from `[knowledge]`; its folder is the base.
    #[must_use]
    pub fn from_config(config: &super::KnowledgeConfig) -> Self {
        Self {
            passage_tokens: config.passage_tokens,
            max_document_bytes: config.max_document_mib.saturating_mul(1 << 20),
            time_limit: Duration::from_secs(config.read_timeout_s.max(1)),
            reader_memory_mib: config.reader_memory_mib,
            base: Some(config.path.clone()),
            ..Self::default()
        }
    }
}

impl Default for IngestOptions {
    fn default() -> Self {
        Self {
            passage_tokens: 220,
            max_document_bytes: 32 << 20,
            time_limit: Duration::from_secs(60),
            reader_memory_mib: 512,
            base: None,
            force: false,
            prune: true,
            optimize: true,
        }
    }
}

/// A document, or a record of one, that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Failure {
    /// As in the documents' ids: below the root, with `/`.
    pub path: String,
    /// Line of a CSV or JSON Lines file, element of a JSON array; from 1.
    pub line: Option<usize>,
    pub reason: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.reason),
            None => write!(f, "{}: {}", self.path, self.reason),
        }
    }
}

/// What a run did, in documents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct IngestReport {
    pub added: usize,
    pub updated: usize,
    pub removed: usize,
    pub unchanged: usize,
    /// Passages that were embedded and written.
    pub passages: usize,
    /// Files of a kind that holds no knowledge (pictures, say); they are no failures.
    pub skipped: usize,
    /// Parts of documents that were taken in without them: an unreadable page, a link that is none,
    /// a sentence that gives the assistant orders.
    pub warnings: Vec<Failure>,
    pub failed: Vec<Failure>,
}

impl IngestReport {
    /// Whether the index says something else than before.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.added + self.updated + self.removed > 0
    }

    /// Takes in what another run did.
    pub fn add(&mut self, other: Self) {
        let Self { added, updated, removed, unchanged, passages, skipped, warnings, failed } =
            other;
        self.added += added;
        self.updated += updated;
        self.removed += removed;
        self.unchanged += unchanged;
        self.passages += passages;
        self.skipped += skipped;
        self.warnings.extend(warnings);
        self.failed.extend(failed);
    }
}

/// How far a run is; for a progress bar.
#[derive(Clone, Debug)]
pub enum IngestProgress<'a> {
    /// The folders were walked.
    Found { files: usize },
    /// Reading a file, the `number`-th from 1.
    File { path: &'a str, number: usize },
    /// Passages written so far.
    Written { passages: usize },
}

/// Brings a site's part of the index up to what stands under `roots` (folders or files).
///
/// A file is a document named by its path below the root; a row of a CSV with a key column (`sku`,
/// `id`, …) is `file.csv#key`, and rows with one key are passages of one document; a CSV without
/// such a column is one document with a passage per row. A JSON record is a document named by its
/// `id`, or `file.jsonl#line` if it has none.
///
/// A file that can't be read keeps what the index has of it. One whose audience or dates can't be
/// understood leaves the index: the old version could say what the new one was to hide.
///
/// # Errors
///
/// When a root is missing, holds no documents at all though the index does, or index or embedding
/// model fail. What was written until then stays, and the next run goes on from there.
pub async fn ingest<S: PassageSink, E: PassageEmbedder>(
    parts: IngestParts<'_, S, E>,
    site: &str,
    roots: &[PathBuf],
    options: &IngestOptions,
    progress: &(dyn Fn(IngestProgress<'_>) + Sync),
) -> anyhow::Result<IngestReport> {
    let (walk_roots, base) = (roots.to_vec(), options.base.clone());
    let walked = tokio::task::spawn_blocking(move || walk::walk(&walk_roots, base.as_deref()))
        .await
        .context("walking the folders crashed; see the log")??;
    let known = known(parts.index, site, |document| !is_upload(document)).await?;
    if walked.files.is_empty()
        && options.prune
        && known.keys().any(|document| in_scope(&walked.scopes, document))
    {
        let names: Vec<String> = roots.iter().map(|root| root.display().to_string()).collect();
        bail!(
            "{} holds no documents, but the index does; nothing was removed, in case the folder isn't mounted. To empty the index, delete its directory",
            names.join(", ")
        );
    }
    run(parts, site, walked, known, options, progress).await
}

/// A document that was handed in rather than found in a folder.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Its id, without [`UPLOAD_PREFIX`].
    pub id: String,
    /// Where its bytes are.
    pub path: PathBuf,
    pub format: Format,
    /// What was said about it: `title`, `url`, `language`, `audience`, `valid_from`, `valid_until`.
    pub about: Vec<(String, String)>,
}

/// Ids of documents that were handed in start with this; a folder's runs never touch them, nor the
/// other way round.
pub const UPLOAD_PREFIX: &str = "api:";

/// Whether a document, by its id in the index, was handed in.
#[must_use]
pub fn is_upload(document: &str) -> bool {
    document.starts_with(UPLOAD_PREFIX)
}

/// Brings documents that were handed in into the index. `all`: these are all there are, others
/// leave it.
///
/// # Errors
///
/// When index or embedding model fail, or what is said about a document isn't understood.
pub async fn ingest_uploads<S: PassageSink, E: PassageEmbedder>(
    parts: IngestParts<'_, S, E>,
    site: &str,
    uploads: &[Upload],
    all: bool,
    options: &IngestOptions,
    progress: &(dyn Fn(IngestProgress<'_>) + Sync),
) -> anyhow::Result<IngestReport> {
    let mut walked = walk::Walked::default();
    for upload in uploads {
        let id = format!("{UPLOAD_PREFIX}{}", upload.id);
        walked.scopes.push(walk::Scope::File(id.clone()));
        match handed_in(upload) {
            Ok(file) => walked.files.push(file),
            Err(failure) => walked.failed.push(failure),
        }
    }
    if all {
        walked.scopes = vec![walk::Scope::Everything];
    }
    let known = known(parts.index, site, is_upload).await?;
    run(parts, site, walked, known, options, progress).await
}

/// The file that an upload is.
fn handed_in(upload: &Upload) -> Result<walk::File, Failure> {
    let id = format!("{UPLOAD_PREFIX}{}", upload.id);
    match defaults(&upload.about) {
        Ok(defaults) => Ok(walk::File {
            path: upload.path.clone(),
            id,
            format: upload.format,
            about: Vec::new(),
            defaults,
            handed_in: true,
        }),
        Err(reason) => Err(Failure { path: id, line: None, reason }),
    }
}

/// Reads what is said about a document.
fn defaults(about: &[(String, String)]) -> Result<text::Meta, String> {
    let mut meta = text::Meta::default();
    about.iter().try_for_each(|(key, value)| meta.set(key, value)).map(|()| meta)
}

/// Checks what is said about a document, before it is taken.
///
/// # Errors
///
/// The value that isn't understood, in words. A link or a language counts, too.
pub fn check_about(about: &[(String, String)]) -> Result<(), String> {
    let mut meta = defaults(about)?;
    meta.warnings.pop().map_or(Ok(()), Err)
}

async fn known<S: PassageSink>(
    index: &S,
    site: &str,
    wanted: impl Fn(&str) -> bool,
) -> anyhow::Result<HashMap<String, String>> {
    let known =
        index.documents(site).await.context("the index can't say which documents it holds")?;
    let known = known.into_iter().filter(|(document, ..)| wanted(document));
    Ok(known.map(|(document, hash, _)| (document, hash)).collect())
}

async fn run<S: PassageSink, E: PassageEmbedder>(
    parts: IngestParts<'_, S, E>,
    site: &str,
    walked: walk::Walked,
    known: HashMap<String, String>,
    options: &IngestOptions,
    progress: &(dyn Fn(IngestProgress<'_>) + Sync),
) -> anyhow::Result<IngestReport> {
    progress(IngestProgress::Found { files: walked.files.len() });
    let mut run = Run {
        parts,
        site,
        known: Arc::new(known),
        seen: HashSet::new(),
        pending: Vec::new(),
        pending_passages: 0,
        report: IngestReport {
            skipped: walked.skipped,
            warnings: unknown_kinds(&walked.unknown),
            failed: walked.failed,
            ..IngestReport::default()
        },
        progress,
    };
    let mut kept = Kept::default();
    for failure in &run.report.failed {
        kept.sources.insert(failure.path.clone());
    }
    for (file, number) in walked.files.iter().zip(1..) {
        if number > 1 {
            run.parts.index.pause().await;
        }
        progress(IngestProgress::File { path: &file.id, number });
        run.file(file, options, &mut kept).await?;
    }
    run.write().await?;
    if options.prune {
        run.prune(&walked.scopes, &kept).await?;
    }
    let report = run.report;
    if options.optimize && report.changed() {
        parts_optimize(run.parts.index).await?;
    }
    if report.changed() || !report.failed.is_empty() {
        tracing::info!(
            site,
            added = report.added,
            updated = report.updated,
            removed = report.removed,
            unchanged = report.unchanged,
            failed = report.failed.len(),
            passages = report.passages,
            "knowledge ingested"
        );
    }
    Ok(report)
}

/// Files of kinds that aren't read, by name: a line for each kind.
fn unknown_kinds(files: &[String]) -> Vec<Failure> {
    const NAMED: usize = 5;
    let mut kinds: std::collections::BTreeMap<String, Vec<&String>> =
        std::collections::BTreeMap::new();
    for file in files {
        let name = file.rsplit('/').next().unwrap_or(file);
        let kind = name
            .rsplit_once('.')
            .map_or_else(String::new, |(_, ending)| format!(".{}", ending.to_lowercase()));
        kinds.entry(kind).or_default().push(file);
    }
    let line = |(kind, files): (String, Vec<&String>)| {
        let kind = if kind.is_empty() {
            "files without an ending".to_owned()
        } else {
            format!("{kind} files")
        };
        let named: Vec<&str> = files.iter().skip(1).take(NAMED).map(|file| file.as_str()).collect();
        let more = files.len().saturating_sub(NAMED + 1);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let others = if named.is_empty() {
            String::new()
        } else {
            format!(", nor {}{more}", named.join(", "))
        };
        let reason = format!("{kind} are of no kind that is read, so it was left out{others}");
        Failure {
            path: files.first().map_or_else(String::new, |file| (*file).clone()),
            line: None,
            reason,
        }
    };
    kinds.into_iter().map(line).collect()
}

async fn parts_optimize<S: PassageSink>(index: &S) -> anyhow::Result<()> {
    index.optimize().await.context("the index could not be optimised")
}

/// Passages embedded and written together. A document is never split: after a crash it is there
/// whole or not at all.
const WRITE_PASSAGES: usize = 256;
/// Kinds of what is wrong with records of one file that are told, and records of a kind that are
/// named one by one.
const MAX_KINDS: usize = 100;
const MAX_ALIKE: usize = 3;
/// Warnings of one run that are kept.
const MAX_WARNINGS: usize = 1_000;
/// Sentences of a document that speak to the assistant and are named one by one, and how much of
/// each is shown, in characters.
const MAX_ORDERS_NAMED: usize = 5;
const ORDER_CHARS: usize = 80;

/// What the reading thread finds in a file.
#[derive(Debug)]
enum Found {
    Unchanged {
        id: String,
    },
    Document(Extracted),
    /// The encoding that its bytes were read in.
    Encoding(&'static str),
    /// How one of its tables was understood.
    Table(Understood),
    /// How texts of it begin that are in no passage; only for who explains it.
    LeftOut(Vec<String>),
    /// A record that can't be used.
    Bad {
        line: Option<usize>,
        reason: String,
    },
    /// The document is taken in, without this.
    Incomplete {
        line: Option<usize>,
        reason: String,
    },
    /// The file as a whole can't be used; `withdraw`: nor may its old version.
    Broken {
        reason: String,
        withdraw: bool,
    },
}

/// What a kind of note is told by, the notes with their lines, and how many there are.
type NotesOfKind = (String, Vec<(Option<usize>, String)>, usize);

/// What is said of a file's records, by kind: what differs in figures and quoted words alone is one
/// kind.
#[derive(Default)]
struct Kinds {
    kinds: Vec<NotesOfKind>,
    index: HashMap<String, usize>,
    more: usize,
}

impl Kinds {
    fn add(&mut self, line: Option<usize>, reason: String) {
        let mut kind = String::with_capacity(reason.len());
        for (at, piece) in reason.split('"').enumerate() {
            if at % 2 == 0 {
                kind.extend(piece.chars().filter(|char| !char.is_ascii_digit()));
            }
        }
        let at = match self.index.get(&kind) {
            Some(at) => *at,
            None if self.kinds.len() < MAX_KINDS => {
                self.kinds.push((kind.clone(), Vec::new(), 0));
                self.index.insert(kind, self.kinds.len() - 1);
                self.kinds.len() - 1
            }
            None => {
                self.more += 1;
                return;
            }
        };
        let (_, told, count) = &mut self.kinds[at];
        *count += 1;
        if told.len() < MAX_ALIKE {
            told.push((line, reason));
        }
    }

    /// Up to [`MAX_ALIKE`] of a kind one by one, more as one line; `what` they are called beyond
    /// [`MAX_KINDS`].
    fn lines(self, what: &str) -> Vec<(Option<usize>, String)> {
        let mut lines = Vec::new();
        for (_, mut told, count) in self.kinds {
            if count <= MAX_ALIKE {
                lines.append(&mut told);
                continue;
            }
            let others: Vec<String> = told
                .iter()
                .skip(1)
                .filter_map(|(line, _)| Some(line.as_ref()?.to_string()))
                .collect();
            if let Some((line, reason)) = told.into_iter().next() {
                let others = if others.is_empty() {
                    String::new()
                } else {
                    format!(", lines {}, …", others.join(", "))
                };
                lines
                    .push((line, format!("{reason} (and {} more of the kind{others})", count - 1)));
            }
        }
        if self.more > 0 {
            lines.push((None, format!("{} more {what}", self.more)));
        }
        lines
    }
}

/// A document that is new or changed.
#[derive(Debug)]
struct Extracted {
    id: String,
    passages: Vec<Passage>,
}

/// Which documents stay though this run didn't find them.
#[derive(Debug, Default)]
struct Kept {
    /// Paths of files that couldn't be read.
    sources: HashSet<String>,
    /// A file of records that carry their own ids couldn't be read: any such document could be one
    /// of them.
    named_records: bool,
}

impl Kept {
    fn keeps(&self, document: &str) -> bool {
        let source = document.split_once('#').map_or(document, |(source, _)| source);
        self.sources.contains(source) || self.named_records && !walk::is_document_path(source)
    }
}

fn in_scope(scopes: &[walk::Scope], document: &str) -> bool {
    scopes.iter().any(|scope| scope.covers(document))
}

struct Run<'a, S, E> {
    parts: IngestParts<'a, S, E>,
    site: &'a str,
    known: Arc<HashMap<String, String>>,
    seen: HashSet<String>,
    pending: Vec<Extracted>,
    pending_passages: usize,
    report: IngestReport,
    progress: &'a (dyn Fn(IngestProgress<'_>) + Sync),
}

impl<S: PassageSink, E: PassageEmbedder> Run<'_, S, E> {
    async fn file(
        &mut self,
        file: &walk::File,
        options: &IngestOptions,
        kept: &mut Kept,
    ) -> anyhow::Result<()> {
        let known = if options.force { Arc::default() } else { self.known.clone() };
        let mut reading = Reading::begin(self.site, file, options, known, false)?;
        let (mut bad, mut incomplete) = (Kinds::default(), Kinds::default());
        loop {
            let found = match reading.next().await {
                Ok(Some(found)) => found,
                Ok(None) => break,
                Err(late) => {
                    self.broken(file, late, kept);
                    return Ok(());
                }
            };
            match found {
                Found::Unchanged { id } => {
                    if self.first_of(file, &id) {
                        self.report.unchanged += 1;
                    }
                }
                Found::Document(mut document) => {
                    if self.first_of(file, &document.id) {
                        self.note_orders(&mut document);
                        self.pending_passages += document.passages.len();
                        self.pending.push(document);
                        if self.pending_passages >= WRITE_PASSAGES {
                            self.write().await?;
                        }
                    }
                }
                // What `explain` shows.
                Found::Encoding(_) | Found::Table(_) | Found::LeftOut(_) => {}
                Found::Bad { line, reason } => bad.add(line, reason),
                Found::Incomplete { line, reason } => incomplete.add(line, reason),
                Found::Broken { reason, withdraw: true } => self.fail(&file.id, None, reason),
                Found::Broken { reason, withdraw: false } => self.broken(file, reason, kept),
            }
        }
        for (line, reason) in bad.lines("records can't be used") {
            self.fail(&file.id, line, reason);
        }
        for (line, reason) in incomplete.lines("remarks") {
            if self.report.warnings.len() < MAX_WARNINGS {
                self.report.warnings.push(Failure { path: file.id.clone(), line, reason });
            }
        }
        if reading.has_crashed() {
            self.broken(
                file,
                "reading it crashed; see the log, and please report the document".to_owned(),
                kept,
            );
        }
        Ok(())
    }

    fn first_of(&mut self, file: &walk::File, id: &str) -> bool {
        if is_upload(id) != file.handed_in {
            self.fail(
                &file.id,
                None,
                format!("the id {id:?} begins as those of documents handed in over HTTP do"),
            );
            return false;
        }
        let first = self.seen.insert(id.to_owned());
        if !first {
            self.fail(
                &file.id,
                None,
                format!(
                    "the id {id:?} was already used in this run; the second document was left out"
                ),
            );
        }
        first
    }

    /// Names what of a document speaks to the assistant instead of its readers. Sentences stay in
    /// the index and are left out wherever they would be read; titles and headings, which stand
    /// above answers, go now.
    fn note_orders(&mut self, document: &mut Extracted) {
        let mut orders: Vec<String> = Vec::new();
        let mut note = |text: &str| {
            if !orders.iter().any(|known| known == text) {
                orders.push(text.to_owned());
            }
        };
        for passage in &mut document.passages {
            if is_order_to_assistant(&passage.title) {
                note(&passage.title);
                passage.title.clone_from(&passage.document);
            }
            passage.headings.retain(|heading| {
                let orders = is_order_to_assistant(heading);
                if orders {
                    note(heading);
                }
                !orders
            });
            injection::orders(&passage.text)
                .into_iter()
                .for_each(|order| note(passage.text.get(order).unwrap_or_default()));
        }
        if orders.is_empty() {
            return;
        }
        tracing::warn!(
            site = self.site,
            document = document.id,
            sentences = orders.len(),
            "it gives the assistant orders"
        );
        let more = orders.len().saturating_sub(MAX_ORDERS_NAMED);
        let named = orders.iter().take(MAX_ORDERS_NAMED).map(|order| {
            let start: String = order
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
                .chars()
                .take(ORDER_CHARS)
                .collect();
            format!("{start:?} speaks to the assistant and is never quoted")
        });
        let more = (more > 0)
            .then(|| format!("{more} more sentences speak to the assistant and are never quoted"));
        for reason in named.chain(more) {
            if self.report.warnings.len() < MAX_WARNINGS {
                self.report.warnings.push(Failure {
                    path: document.id.clone(),
                    line: None,
                    reason,
                });
            }
        }
    }

    fn broken(&mut self, file: &walk::File, reason: String, kept: &mut Kept) {
        kept.sources.insert(file.id.clone());
        kept.named_records |= file.format.names_its_records() && !file.handed_in;
        self.fail(&file.id, None, reason);
    }

    fn fail(&mut self, path: &str, line: Option<usize>, reason: String) {
        let failure = Failure { path: path.to_owned(), line, reason };
        let what = if line.is_some() { "row" } else { "document" };
        tracing::warn!(site = self.site, "{what} left out: {failure}");
        self.report.failed.push(failure);
    }

    /// Embeds and writes what is pending, and waits until it is on disk.
    async fn write(&mut self) -> anyhow::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        if self.report.passages > 0 {
            self.parts.index.pause().await;
        }
        let documents = std::mem::take(&mut self.pending);
        self.pending_passages = 0;
        let updated: Vec<String> = documents
            .iter()
            .map(|document| document.id.clone())
            .filter(|id| self.known.contains_key(id))
            .collect();
        // Read again though nothing changed: another passage length may leave fewer passages, and
        // nothing tells old from new.
        let read_again = |document: &&Extracted| {
            let hash = document.passages.first().map(|passage| &passage.document_hash);
            hash.is_some() && self.known.get(&document.id) == hash
        };
        let read_again: Vec<String> =
            documents.iter().filter(read_again).map(|document| document.id.clone()).collect();
        let count = documents.len();
        let passages: Vec<Passage> =
            documents.into_iter().flat_map(|document| document.passages).collect();
        let texts = passages.iter().map(embedding_text).collect();
        let vectors =
            self.parts.embedder.embed(texts).await.context("passages could not be embedded")?;
        if vectors.len() != passages.len() {
            bail!(
                "the embedding model returned {} vectors for {} passages",
                vectors.len(),
                passages.len()
            );
        }
        let written = passages.len();
        let index = self.parts.index;
        if !read_again.is_empty() {
            index
                .remove_documents(self.site, &read_again)
                .await
                .context("old passages could not be removed from the index")?;
        }
        index
            .upsert(passages.into_iter().zip(vectors).collect())
            .await
            .context("passages could not be written to the index")?;
        index.flush().await.context("the index could not be flushed")?;
        self.report.updated += updated.len();
        self.report.added += count - updated.len();
        self.report.passages += written;
        (self.progress)(IngestProgress::Written { passages: self.report.passages });
        Ok(())
    }

    /// Removes what is in scope and wasn't found.
    async fn prune(&mut self, scopes: &[walk::Scope], kept: &Kept) -> anyhow::Result<()> {
        let mut gone: Vec<String> = self
            .known
            .keys()
            .filter(|document| {
                !self.seen.contains(*document)
                    && in_scope(scopes, document)
                    && !kept.keeps(document)
            })
            .cloned()
            .collect();
        if gone.is_empty() {
            return Ok(());
        }
        gone.sort_unstable();
        let index = self.parts.index;
        for batch in gone.chunks(WRITE_PASSAGES) {
            index
                .remove_documents(self.site, batch)
                .await
                .context("vanished documents could not be removed from the index")?;
        }
        index.flush().await.context("the index could not be flushed")?;
        self.report.removed = gone.len();
        Ok(())
    }
}

/// A path below a root as an id: `/` between its parts on every system.
fn relative_id(path: &Path, root: &Path) -> Option<String> {
    let relative = path.strip_prefix(root).ok()?;
    let parts: Option<Vec<&str>> =
        relative.components().map(|part| part.as_os_str().to_str()).collect();
    parts.map(|parts| parts.join("/"))
}
