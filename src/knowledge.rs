//! The knowledge of every site while the server runs: its folders, which are watched, and documents
//! handed in over HTTP.
//!
//! One run writes at a time; others wait in a short line, in which sites take turns piece by piece
//! (`line`). None of it is on the way of an answer:
//! the embedder lets questions go first, and the index searches while it is written.
//!
//! A document that is handed in is kept as a file under `knowledge.uploads`, so that an index can
//! be built again from what is on disk. Its id in the index starts with `api:`, and runs over
//! folders leave such documents alone.
//!
//! Folders are looked at every few seconds rather than asked of the system: notifications don't
//! come from network disks and other machines, a look costs one `stat` a file, and files that are
//! still being written show by it.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use futures_util::FutureExt as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::{Semaphore, watch};

use crate::catalogue::Catalogue;
use crate::clock::Clock;
use crate::lifecycle::Tasks;
use crate::retrieval::ingest::{
    self, Documents, Failure, Format, IngestOptions, IngestParts, IngestProgress, IngestReport,
    PassageSink, Upload,
};
use crate::retrieval::{KnowledgeConfig, Retrieval};
use crate::store::Store;
use crate::telemetry::{Metrics, seconds};

pub mod files;
mod line;
mod sink;

use line::{Line, Turn};
use sink::{Ledger, Sink, Written};

/// Runs that may wait for the one before; each is a document or a folder, so this is minutes of
/// work at the most.
const MAX_WAITING: usize = 32;
/// Errors and warnings of one document that its status keeps.
const MAX_NOTES: usize = 20;
/// Longest id of a document that is handed in, in bytes.
pub const MAX_ID: usize = 200;

/// A document that was handed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DocumentStatus {
    pub id: String,
    pub status: Status,
    /// As it was sent.
    pub content_type: String,
    pub bytes: u64,
    /// Lower-case hexadecimal SHA-256 of the content with what was said about it.
    pub hash: String,
    /// Milliseconds since the epoch.
    pub updated_at_ms: u64,
    /// What was said about it: `title`, `url`, `language`, `audience`, `valid_from`, `valid_until`.
    pub about: BTreeMap<String, String>,
    /// Documents in the index that it is: one, or as many as a table has keys.
    pub documents: usize,
    pub passages: usize,
    /// Records, or the whole, that can't be used; the first twenty.
    pub errors: Vec<Failure>,
    /// What it was taken in without.
    pub warnings: Vec<Failure>,
}

/// What became of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It can be answered from.
    Indexed,
    /// Nothing of it can be used.
    Failed,
}

/// What a hand-in did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Added,
    Replaced,
    /// The same content was there already.
    Unchanged,
    /// Nothing of it can be used; what was there before stays, unless that could show what the new
    /// one hides.
    Rejected,
}

/// Why knowledge was not changed.
#[derive(Debug, thiserror::Error)]
pub enum KnowledgeError {
    #[error("the server's disk is nearly full: no documents are taken in until there is room")]
    Full,
    #[error(
        "as many changes of the knowledge are waiting already as may ({MAX_WAITING}, of one site \
         half of them); try again in a moment"
    )]
    Overloaded,
    #[error(
        "{} files are being read to be explained already; try again in a moment",
        files::AT_ONCE
    )]
    Busy,
    #[error("{0}")]
    Wrong(String),
    #[error(
        "reading the documents panicked; what is known stays, and the log says where it happened"
    )]
    Panicked,
    #[error("{0:#}")]
    Failed(#[from] anyhow::Error),
}

/// What a run comes to; a panic in it is an error, and nothing else ends with it.
async fn caught<T>(
    run: impl Future<Output = Result<T, KnowledgeError>>,
) -> Result<T, KnowledgeError> {
    AssertUnwindSafe(run).catch_unwind().await.unwrap_or(Err(KnowledgeError::Panicked))
}

/// A document as it arrives.
#[derive(Clone, Debug)]
pub struct Handed {
    pub id: String,
    pub content_type: String,
    pub about: BTreeMap<String, String>,
    pub content: Vec<u8>,
}

/// What a run is to read of a site's own folder, see [`Knowledge::roots`]; empty for all of it and
/// what was handed in.
#[derive(Clone, Debug, Default)]
pub struct Roots(Vec<PathBuf>);

/// Changes what the sites know. Cheap to clone.
#[derive(Clone)]
pub struct Knowledge {
    inner: Arc<Inner>,
}

struct Inner {
    retrieval: Retrieval,
    config: KnowledgeConfig,
    /// Site and folder.
    folders: Vec<(String, PathBuf)>,
    catalogue: Catalogue,
    /// Knows how full the disk is.
    store: Store,
    metrics: Metrics,
    clock: Clock,
    line: Line,
    ledger: Ledger,
    /// Files that are read to be explained.
    explaining: Semaphore,
    /// Counts changes, so that others can act on them.
    changed: watch::Sender<u64>,
}

impl Knowledge {
    /// `folders` are the sites' ids, each with the folder of its documents and its share of the
    /// work while others wait.
    #[must_use]
    pub fn new(
        retrieval: Retrieval,
        catalogue: Catalogue,
        config: &KnowledgeConfig,
        folders: Vec<(String, PathBuf, f64)>,
        store: Store,
        metrics: Metrics,
        clock: Clock,
    ) -> Self {
        let weights = folders.iter().map(|(site, _, weight)| (site.clone(), *weight)).collect();
        let folders = folders.into_iter().map(|(site, folder, _)| (site, folder)).collect();
        Self {
            inner: Arc::new(Inner {
                retrieval,
                config: config.clone(),
                folders,
                catalogue,
                store,
                metrics,
                clock,
                line: Line::new(MAX_WAITING, weights),
                ledger: Ledger::default(),
                explaining: Semaphore::new(files::AT_ONCE),
                changed: watch::Sender::new(0),
            }),
        }
    }

    /// The products of the sites.
    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        &self.inner.catalogue
    }

    /// Resolves its receivers after each run that changed something.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changed.subscribe()
    }

    /// Largest document, in bytes.
    #[must_use]
    pub fn max_bytes(&self) -> usize {
        usize::try_from(self.inner.config.max_document_mib.saturating_mul(1 << 20))
            .unwrap_or(usize::MAX)
    }

    /// How documents are read.
    #[must_use]
    pub fn options(&self) -> IngestOptions {
        IngestOptions::from_config(&self.inner.config)
    }

    /// Takes over the products that the index has.
    ///
    /// # Errors
    /// When the index fails.
    pub async fn load(&self) -> anyhow::Result<()> {
        for (site, _) in &self.inner.folders {
            let products = self.inner.catalogue.refresh(&self.inner.retrieval.index, site).await?;
            if products > 0 {
                tracing::info!(site, products, "the catalogue is loaded");
            }
        }
        Ok(())
    }

    /// Files and folders to read, from paths in the site's own folder or absolute ones. Links count
    /// as where they lead.
    ///
    /// # Errors
    /// [`KnowledgeError::Wrong`] when the site is not known, or a path is missing or leads out of
    /// its folder.
    pub fn roots(&self, site: &str, paths: &[PathBuf]) -> Result<Roots, KnowledgeError> {
        let folder = self.folder(site)?;
        let own = std::fs::canonicalize(folder).ok();
        let inside = |path: &PathBuf| {
            let real = std::fs::canonicalize(folder.join(path)).ok();
            // Whether there is something outside is nobody's business.
            real.filter(|real| own.as_ref().is_some_and(|own| real.starts_with(own))).ok_or_else(|| {
                KnowledgeError::Wrong(format!(
                    "{} is nothing in the site's own folder of documents, and only what is there is read by its path \
                     (\"faq/returns.md\" counts from there); copy it there, or hand it in with \
                     PUT /v1/sites/{site}/documents/…",
                    path.display()
                ))
            })
        };
        paths.iter().map(inside).collect::<Result<_, _>>().map(Roots)
    }

    fn folder(&self, site: &str) -> Result<&Path, KnowledgeError> {
        let folder = self
            .inner
            .folders
            .iter()
            .find(|(id, _)| id == site)
            .map(|(_, folder)| folder.as_path());
        folder.ok_or_else(|| no_site(site))
    }

    /// Reads a site's folder and what was handed in into the index; or only `roots`, if there are
    /// any.
    ///
    /// # Errors
    /// When it is not known, too many wait, the disk is nearly full, or index or embedder fail;
    /// broken documents are in the report.
    pub async fn ingest(
        &self,
        site: &str,
        Roots(roots): &Roots,
        force: bool,
        progress: &(dyn Fn(IngestProgress<'_>) + Sync),
    ) -> Result<IngestReport, KnowledgeError> {
        self.has_room()?;
        let folder = self.folder(site)?;
        let place = self.inner.line.enter(site).ok_or(KnowledgeError::Overloaded)?;
        let turn = place.turn().await.ok_or_else(|| no_site(site))?;
        let inner = &*self.inner;
        let since = Instant::now();
        let empty = inner.retrieval.index.count(None).await.context("counting passages")? == 0;
        let _filling = empty.then(|| inner.retrieval.filling.begin());
        let sink = Sink::new(&inner.retrieval.index, &turn, &inner.ledger, site, None);
        let parts = IngestParts { index: &sink, embedder: &inner.retrieval };
        let report = ingest_into(&parts, &inner.config, site, folder, roots, force, progress).await;
        inner.ledger.forget(site);
        inner.metrics.knowledge_seconds.observe(seconds(since));
        if report.is_err() {
            inner.metrics.knowledge_failed_runs.inc();
        }
        let report = report?;
        self.after(site, report.changed().then_some(News::Anything)).await?;
        if roots.is_empty() {
            let failed = i64::try_from(report.failed.len()).unwrap_or(i64::MAX);
            inner.metrics.knowledge_left_out.set(failed);
        }
        Ok(report)
    }

    /// Takes a document in. The same content again changes nothing.
    ///
    /// # Errors
    /// When its id, its kind or what is said about it isn't understood, too many wait, or disk,
    /// index or embedder fail, or the disk is nearly full. A document that can't be read is no
    /// error but [`Change::Rejected`].
    pub async fn put(
        &self,
        site: &str,
        handed: Handed,
    ) -> Result<(Change, DocumentStatus), KnowledgeError> {
        self.has_room()?;
        self.folder(site)?;
        let line = self.inner.line.enter(site).ok_or(KnowledgeError::Overloaded)?;
        check_id(&handed.id).map_err(KnowledgeError::Wrong)?;
        let format = Format::of_content(&handed.content_type, &handed.id).ok_or_else(|| {
            KnowledgeError::Wrong(format!(
                "the content type {:?} is none that can be read; send Markdown, HTML, plain text, PDF, .docx, .xlsx, CSV, JSON or JSON Lines",
                handed.content_type
            ))
        })?;
        let about = said(handed.about.clone(), &handed.content_type);
        ingest::check_about(&about).map_err(KnowledgeError::Wrong)?;

        let turn = line.turn().await.ok_or_else(|| no_site(site))?;
        let since = Instant::now();
        let place = Place::of(&self.inner.config.uploads, site, &handed.id);
        let hash = content_hash(&handed);
        let before = place.status().await?;
        if let Some(before) = &before
            && before.hash == hash
            && before.status == Status::Indexed
        {
            return Ok((Change::Unchanged, before.clone()));
        }
        place.write(&place.incoming, &handed.content).await?;
        let upload = Upload { id: handed.id.clone(), path: place.incoming.clone(), format, about };
        let options =
            IngestOptions { optimize: false, ..IngestOptions::from_config(&self.inner.config) };
        let replaces = !self.held_documents(site, &handed.id).await?.is_empty();
        let (report, written) = self.write_one(site, &turn, &upload, &options).await?;
        let (documents, passages) = self.held(site, &handed.id).await?;
        let taken = report.added + report.updated + report.unchanged > 0;
        let status = DocumentStatus {
            status: if taken { Status::Indexed } else { Status::Failed },
            content_type: handed.content_type,
            bytes: handed.content.len() as u64,
            hash,
            updated_at_ms: self.inner.clock.now_ms(),
            about: handed.about,
            documents,
            passages,
            errors: named(&handed.id, report.failed.iter()),
            warnings: named(&handed.id, report.warnings.iter()),
            id: handed.id,
        };
        // What was there before may have been products, and no longer is.
        let products = replaces || written.products;
        let news = report.changed().then_some(News::Words { texts: written.texts, products });
        self.after(site, news).await?;
        self.inner.metrics.knowledge_seconds.observe(seconds(since));
        // The old version is still what is answered from: the next run must find it.
        if !taken && before.is_some() && documents > 0 {
            place.discard(&place.incoming).await?;
            return Ok((Change::Rejected, status));
        }
        if taken || before.is_some() {
            place.keep(&status).await?;
        } else {
            place.discard(&place.incoming).await?;
        }
        let change = match (taken, before) {
            (false, _) => Change::Rejected,
            (true, Some(_)) => Change::Replaced,
            (true, None) => Change::Added,
        };
        tracing::info!(
            site,
            document = status.id,
            ?change,
            documents,
            passages,
            "a document was handed in"
        );
        Ok((change, status))
    }

    /// The index and the uploads mostly share the disk with the store.
    fn has_room(&self) -> Result<(), KnowledgeError> {
        if self.inner.store.is_short_of_room() { Err(KnowledgeError::Full) } else { Ok(()) }
    }

    /// Forgets a document that was handed in; false if there is none.
    ///
    /// # Errors
    /// When too many wait, or disk or index fail.
    pub async fn remove(&self, site: &str, id: &str) -> Result<bool, KnowledgeError> {
        self.folder(site)?;
        let line = self.inner.line.enter(site).ok_or(KnowledgeError::Overloaded)?;
        let turn = line.turn().await.ok_or_else(|| no_site(site))?;
        let place = Place::of(&self.inner.config.uploads, site, id);
        let index =
            Sink::new(&self.inner.retrieval.index, &turn, &self.inner.ledger, site, Some(id));
        // What goes has to go whole, whatever became of a change that was cut off.
        self.inner.ledger.forget(site);
        let held: Vec<String> = self
            .held_documents(site, id)
            .await?
            .into_iter()
            .map(|(document, _)| document)
            .collect();
        let known = place.status().await?.is_some() || !held.is_empty();
        // The files first: a run after a crash between the two finishes the work.
        for file in [&place.status, &place.content, &place.incoming] {
            place.discard(file).await?;
        }
        index.remove_documents(site, &held).await.context("removing it from the index")?;
        index.flush().await.context("removing it from the index")?;
        self.after(site, (!held.is_empty()).then_some(News::Anything)).await?;
        if known {
            tracing::info!(site, document = id, "a document was removed");
        }
        Ok(known)
    }

    /// A document that was handed in.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn document(&self, site: &str, id: &str) -> anyhow::Result<Option<DocumentStatus>> {
        Place::of(&self.inner.config.uploads, site, id).status().await
    }

    /// All documents of a site that were handed in, by id.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn documents(&self, site: &str) -> anyhow::Result<Vec<DocumentStatus>> {
        let folder = self.inner.config.uploads.join(site);
        tokio::task::spawn_blocking(move || statuses(&folder))
            .await
            .context("reading the uploads crashed")?
    }

    /// Looks at the folders until the server drains, and reads what changed.
    pub async fn watch(self, tasks: Tasks) {
        if self.inner.config.watch_s == 0 {
            return;
        }
        let period = Duration::from_secs(self.inner.config.watch_s);
        let watched = |(site, folder): &(String, PathBuf)| {
            let (site, folder) = (site.clone(), folder.clone());
            Watched { site, folder, read: None, seen: None, waits: false, crashed: false }
        };
        let mut watched: Vec<Watched> = self.inner.folders.iter().map(watched).collect();
        loop {
            tokio::select! {
                () = tasks.draining() => return,
                () = tokio::time::sleep(period) => {}
            }
            for watched in &mut watched {
                let now = look(&watched.folder).await;
                // A change is read once it stood still from one look to the next: nobody writes any
                // more.
                let settled = watched.seen.as_ref() == Some(&now);
                watched.seen = Some(now.clone());
                if watched.read.as_ref() == Some(&now) || !settled {
                    continue;
                }
                // What changed while no server ran is read after the start.
                let first = watched.read.is_none();
                let Some(files) = &now else {
                    let folder = watched.folder.display();
                    tracing::warn!(site = watched.site, %folder, "there is no folder of documents; what is known stays");
                    watched.read = Some(now);
                    continue;
                };
                if !first && !watched.waits {
                    tracing::info!(
                        site = watched.site,
                        files = files.count,
                        "the folder of documents changed"
                    );
                    self.inner.metrics.knowledge_changes_seen.inc();
                }
                let everything = Roots::default();
                let run = tokio::select! {
                    () = tasks.draining() => return,
                    run = caught(self.ingest(&watched.site, &everything, false, &|_| {})) => run,
                };
                let waited = std::mem::take(&mut watched.waits);
                match run {
                    Ok(_) => {
                        watched.read = Some(now);
                        watched.crashed = false;
                    }
                    // Once more, in case something of the moment was to blame; then what is there
                    // is given up until it changes.
                    Err(KnowledgeError::Panicked) if !watched.crashed => {
                        watched.crashed = true;
                        continue;
                    }
                    Err(error @ (KnowledgeError::Overloaded | KnowledgeError::Full)) => {
                        watched.waits = true;
                        if !waited {
                            tracing::warn!(site = watched.site, %error, "the changed documents wait; they are read once that is over");
                        }
                    }
                    Err(error) => {
                        tracing::error!(site = watched.site, %error, "the changed documents could not be read");
                        watched.read = Some(now);
                        watched.crashed = false;
                    }
                }
            }
        }
    }

    /// Brings one document into the index, and tells what of it was written.
    async fn write_one(
        &self,
        site: &str,
        turn: &Turn,
        upload: &Upload,
        options: &IngestOptions,
    ) -> anyhow::Result<(IngestReport, Written)> {
        let Inner { retrieval, ledger, .. } = &*self.inner;
        let sink = Sink::new(&retrieval.index, turn, ledger, site, Some(&upload.id));
        let parts = IngestParts { index: &sink, embedder: retrieval };
        let one = std::slice::from_ref(upload);
        let report = ingest::ingest_uploads(parts, site, one, false, options, &|_| {}).await?;
        Ok((report, sink.written()))
    }

    /// What the index has of an upload: documents and passages.
    async fn held(&self, site: &str, id: &str) -> anyhow::Result<(usize, usize)> {
        let held = self.held_documents(site, id).await?;
        Ok((held.len(), held.iter().map(|(_, passages)| passages).sum()))
    }

    async fn held_documents(&self, site: &str, id: &str) -> anyhow::Result<Vec<(String, usize)>> {
        let Inner { retrieval, ledger, .. } = &*self.inner;
        let held = ledger
            .of(&retrieval.index, site, id)
            .await
            .context("asking the index for its documents")?;
        Ok(held.into_iter().map(|(document, _, passages)| (document, passages)).collect())
    }

    /// After each run.
    async fn after(&self, site: &str, news: Option<News>) -> anyhow::Result<()> {
        let inner = &*self.inner;
        let passages = inner.retrieval.index.count(None).await.context("counting passages")?;
        inner.metrics.passages.set(i64::try_from(passages).unwrap_or(i64::MAX));
        inner.metrics.knowledge_runs.inc();
        let Some(news) = news else { return Ok(()) };
        let Retrieval { spelling, index, .. } = &inner.retrieval;
        let (words, products) = match news {
            News::Anything => (false, true),
            News::Words { texts, products } => (spelling.add(site, &texts), products),
        };
        if !words {
            spelling.refresh(index, site).await.context("reading the index's words")?;
        }
        if products {
            inner.catalogue.refresh(index, site).await.context("reading the catalogue")?;
        }
        inner.changed.send_modify(|count| *count += 1);
        Ok(())
    }
}

/// What a run changed.
enum News {
    Anything,
    /// One document, of which these are the words.
    Words {
        texts: Vec<String>,
        /// Whether products came or may have gone.
        products: bool,
    },
}

fn no_site(site: &str) -> KnowledgeError {
    KnowledgeError::Wrong(format!("no site {site:?} is configured here"))
}

/// Reads a site's folder and what was handed in into the index; or only `roots`, if there are any.
///
/// # Errors
/// When index or embedder fail; broken documents are in the report.
pub async fn ingest_all(
    retrieval: &Retrieval,
    config: &KnowledgeConfig,
    site: &str,
    folder: &Path,
    roots: &[PathBuf],
    force: bool,
    progress: &(dyn Fn(IngestProgress<'_>) + Sync),
) -> anyhow::Result<IngestReport> {
    let parts = IngestParts { index: &retrieval.index, embedder: retrieval };
    ingest_into(&parts, config, site, folder, roots, force, progress).await
}

async fn ingest_into<S: PassageSink>(
    parts: &IngestParts<'_, S, Retrieval>,
    config: &KnowledgeConfig,
    site: &str,
    folder: &Path,
    roots: &[PathBuf],
    force: bool,
    progress: &(dyn Fn(IngestProgress<'_>) + Sync),
) -> anyhow::Result<IngestReport> {
    let options = IngestOptions {
        base: Some(folder.to_owned()),
        force,
        ..IngestOptions::from_config(config)
    };
    let parts = || IngestParts { index: parts.index, embedder: parts.embedder };
    if !roots.is_empty() {
        return ingest::ingest(parts(), site, roots, &options, progress).await;
    }
    let uploads = config.uploads.join(site);
    let listed = {
        let uploads = uploads.clone();
        tokio::task::spawn_blocking(move || statuses(&uploads))
            .await
            .context("reading the uploads crashed")??
    };
    let mut report = IngestReport::default();
    // A site may live of what is handed in alone.
    if listed.is_empty() || folder.exists() {
        report = ingest::ingest(parts(), site, &[folder.to_owned()], &options, progress).await?;
    }
    let uploads: Vec<Upload> =
        listed.into_iter().filter_map(|status| upload_of(&config.uploads, site, status)).collect();
    report.add(ingest::ingest_uploads(parts(), site, &uploads, true, &options, progress).await?);
    Ok(report)
}

/// Everything that a site knows, read from its folder and what was handed in, a passage for each
/// section. The index isn't asked, so a running server is no hindrance.
///
/// # Errors
/// When the disk fails; broken documents are in what is returned.
pub async fn documents_of(
    config: &KnowledgeConfig,
    site: &str,
    folder: &Path,
    progress: &(dyn Fn(IngestProgress<'_>) + Sync),
) -> anyhow::Result<Documents> {
    let options =
        IngestOptions { base: Some(folder.to_owned()), ..IngestOptions::from_config(config) };
    let uploads = config.uploads.join(site);
    let listed = tokio::task::spawn_blocking(move || statuses(&uploads))
        .await
        .context("reading the uploads crashed")??;
    let taken = listed.into_iter().filter(|status| status.status == Status::Indexed);
    let uploads: Vec<Upload> =
        taken.filter_map(|status| upload_of(&config.uploads, site, status)).collect();
    ingest::whole_documents(site, folder, &uploads, &options, progress).await
}

/// What is kept of a document that was handed in, as it is read; none if it was of a kind that is
/// read no more.
fn upload_of(uploads: &Path, site: &str, status: DocumentStatus) -> Option<Upload> {
    let path = Place::of(uploads, site, &status.id).content;
    let format = Format::of_content(&status.content_type, &status.id)?;
    Some(Upload { id: status.id, path, format, about: said(status.about, &status.content_type) })
}

/// What is said about a document, with the encoding that its content type names.
fn said(about: BTreeMap<String, String>, content_type: &str) -> Vec<(String, String)> {
    let parameters =
        content_type.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let charset = parameters
        .map(|(name, value)| (name.trim(), value.trim().trim_matches('"')))
        .find(|(name, value)| {
            name.eq_ignore_ascii_case("charset") && !value.eq_ignore_ascii_case("utf-8")
        })
        .map(|(_, value)| ("charset".to_owned(), value.to_owned()));
    // What is said of it goes before how it was sent.
    let named = about.contains_key("charset");
    about.into_iter().chain(charset.filter(|_| !named)).collect()
}

/// Ids are shown, cited and part of addresses.
fn check_id(id: &str) -> Result<(), String> {
    let sound = !id.is_empty()
        && id.len() <= MAX_ID
        && !id.contains(|char: char| char.is_control() || char == '#')
        && !id.starts_with('/')
        && id.trim() == id;
    sound.then_some(()).ok_or_else(|| {
        format!("{id:?} can't be a document's id; use 1 to {MAX_ID} bytes without # and control characters")
    })
}

fn content_hash(handed: &Handed) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{:?} {:?} ", handed.content_type, handed.about));
    hash.update(&handed.content);
    format!("{:x}", hash.finalize())
}

/// The failures of one document, under its own id.
fn named<'a>(id: &str, failures: impl Iterator<Item = &'a Failure>) -> Vec<Failure> {
    failures
        .take(MAX_NOTES)
        .map(|failure| Failure { path: id.to_owned(), ..failure.clone() })
        .collect()
}

/// Where a document that was handed in is kept. Its id may hold anything, so files are named by its
/// hash.
struct Place {
    folder: PathBuf,
    status: PathBuf,
    content: PathBuf,
    /// Content that isn't taken yet.
    incoming: PathBuf,
}

impl Place {
    fn of(uploads: &Path, site: &str, id: &str) -> Self {
        let folder = uploads.join(site);
        let name = format!("{:x}", Sha256::digest(id.as_bytes()));
        let file = |extension: &str| folder.join(format!("{name}.{extension}"));
        Self { status: file("json"), content: file("content"), incoming: file("incoming"), folder }
    }

    async fn status(&self) -> anyhow::Result<Option<DocumentStatus>> {
        let text = match tokio::fs::read(&self.status).await {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("reading {}", self.status.display()));
            }
        };
        serde_json::from_slice(&text)
            .map(Some)
            .with_context(|| format!("{} is damaged", self.status.display()))
    }

    /// On disk when it returns, whole or not at all, with all that was renamed in the folder
    /// before.
    async fn write(&self, path: &Path, content: &[u8]) -> anyhow::Result<()> {
        let write = async {
            use tokio::io::AsyncWriteExt as _;
            if !tokio::fs::try_exists(&self.folder).await? {
                tokio::fs::create_dir_all(&self.folder).await?;
                // The site's folder, and that of all uploads.
                for folder in self.folder.ancestors().skip(1).take(2) {
                    sync_folder(folder).await?;
                }
            }
            let partial = path.with_extension("part");
            let mut file = tokio::fs::File::create(&partial).await?;
            file.write_all(content).await?;
            file.sync_all().await?;
            tokio::fs::rename(&partial, path).await?;
            sync_folder(&self.folder).await
        };
        write.await.with_context(|| {
            format!("writing {}; check knowledge.uploads and the disk", path.display())
        })
    }

    /// Makes what came in the document's content.
    async fn keep(&self, status: &DocumentStatus) -> anyhow::Result<()> {
        let renamed = tokio::fs::rename(&self.incoming, &self.content).await;
        renamed.with_context(|| format!("writing {}", self.content.display()))?;
        self.write(&self.status, &serde_json::to_vec_pretty(status)?).await
    }

    async fn discard(&self, path: &Path) -> anyhow::Result<()> {
        match tokio::fs::remove_file(path).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("removing {}", path.display()))
            }
            _ => Ok(()),
        }
    }
}

/// A name that was made or moved is on disk once its folder is.
async fn sync_folder(folder: &Path) -> std::io::Result<()> {
    // The parent of a relative path's first part is the working directory.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    tokio::fs::File::open(folder).await?.sync_all().await
}

fn statuses(folder: &Path) -> anyhow::Result<Vec<DocumentStatus>> {
    let mut statuses = Vec::new();
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(statuses),
        Err(error) => return Err(error).with_context(|| format!("reading {}", folder.display())),
    };
    for entry in entries {
        let path = entry.with_context(|| format!("reading {}", folder.display()))?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text =
                std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
            let status = serde_json::from_slice::<DocumentStatus>(&text);
            statuses.push(status.with_context(|| format!("{} is damaged", path.display()))?);
        }
    }
    statuses.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(statuses)
}

/// A folder that is watched.
struct Watched {
    site: String,
    folder: PathBuf,
    /// What the last run read; `None` before the first.
    read: Option<Option<Look>>,
    /// What the last look saw.
    seen: Option<Option<Look>>,
    /// What changed can't be read yet.
    waits: bool,
    /// The last run of it panicked.
    crashed: bool,
}

/// What a folder looks like from outside: it changes when a file does.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Look {
    count: usize,
    digest: [u8; 32],
}

/// Looks at a folder on a thread that may block; `None` if it isn't there.
async fn look(folder: &Path) -> Option<Look> {
    let folder = folder.to_owned();
    tokio::task::spawn_blocking(move || {
        let mut files = Vec::new();
        collect(&folder, 0, &mut files).ok()?;
        files.sort_unstable();
        let digest = Sha256::digest(format!("{files:?}")).into();
        Some(Look { count: files.len(), digest })
    })
    .await
    .ok()
    .flatten()
}

/// Path, size and time of change of every file that isn't hidden.
fn collect(
    folder: &Path,
    depth: usize,
    files: &mut Vec<(PathBuf, u64, Option<SystemTime>)>,
) -> std::io::Result<()> {
    /// As deep as ingestion goes.
    const MAX_DEPTH: usize = 64;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // Of a link's target: that is what is read. One that leads nowhere has nothing to change.
        let Ok(metadata) = std::fs::metadata(entry.path()) else { continue };
        let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        if metadata.is_file() {
            files.push((entry.path(), metadata.len(), metadata.modified().ok()));
        } else if metadata.is_dir() && !is_link && depth < MAX_DEPTH {
            // A folder that vanishes meanwhile is seen at the next look.
            let _ = collect(&entry.path(), depth + 1, files);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_checked() {
        for sound in ["a", "help/shipping.md", "价格", "a b"] {
            assert_eq!(check_id(sound), Ok(()));
        }
        for wrong in ["", " a", "a#b", "/a", "a\n", &"x".repeat(201)] {
            assert!(check_id(wrong).is_err(), "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn a_folder_looks_different_after_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.md");
        assert_eq!(look(&folder.path().join("missing")).await, None);
        let empty = look(folder.path()).await;
        std::fs::write(&file, "One.").unwrap();
        let one = look(folder.path()).await;
        assert!(empty != one && one == look(folder.path()).await);
        std::fs::write(&file, "Two, longer.").unwrap();
        assert_ne!(one, look(folder.path()).await);
        std::fs::write(folder.path().join(".hidden"), "x").unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(empty, look(folder.path()).await);
    }
}
