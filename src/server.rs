//! One handle that wires every part. Binding returns once the listeners are live.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::mpsc;

use self::start::{Opened, Start};
use crate::actions::Actions;
use crate::clock::Clock;
use crate::config::Config;
use crate::http::{App, Reload, Reloaded};
use crate::knowledge::{self, KnowledgeError, Roots};
use crate::language;
use crate::lifecycle::Tasks;
use crate::llm::{Llm, gguf};
use crate::permissions;
use crate::prompt::Prompts;
use crate::retrieval::embedder::Embedder;
use crate::retrieval::filling::Filling;
use crate::retrieval::ingest::{IngestProgress, IngestReport};
use crate::retrieval::reranker::Reranker;
use crate::retrieval::spelling::Spelling;
use crate::retrieval::{Retrieval, refill};
use crate::site::Site;
use crate::telemetry::Metrics;
use crate::turn::rerank::Rerank;
use crate::turn::{Mode, Spine};

mod start;
mod tasks;

/// A server that listens.
pub struct Server {
    pub addr: SocketAddr,
    pub admin_addr: SocketAddr,
    app: App,
    drain: Duration,
    tasks: Tasks,
    /// Write what the others note, also while these stop.
    writers: Tasks,
}

/// What a start reports on its way.
pub type Progress<'a> = &'a (dyn Fn(IngestProgress<'_>) + Sync);

/// What tasks have to end once they were told to.
const STOP: Duration = Duration::from_secs(5);

impl Server {
    /// Opens every part and binds both listeners.
    ///
    /// # Errors
    /// When a part can't be opened; the text names it and says what to do.
    pub async fn start(config: Config, clock: Clock) -> anyhow::Result<Self> {
        // Clients of remote engines need a provider; a second installation changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        permissions::check(&private_paths(&config));
        for warning in config.warnings() {
            tracing::warn!("{warning}");
        }
        // A first message would wait for the word lists; they are read while the models are.
        let words = tokio::task::spawn_blocking(language::gloss::load);
        let start = Start::new(config, clock);
        let ports = start.ports().await?;
        let store = start.storage()?;
        let answering = start.knowledge(&store).await?;
        let learning = start.learning(&store, &answering).await?;
        let sessions = start.sessions(&store, &answering, &learning).await?;
        let listening = start.listen(ports)?;
        let access = start.access(&store).await?;
        let (app, work) =
            start.app(Opened { store, answering, learning, sessions, access }, &listening)?;
        start.recover(&app).await?;
        words.await.context("reading the word lists")?;
        let (addr, admin_addr) = (listening.addr, listening.admin_addr);
        start.spawn(&app, listening, work);
        tracing::info!(%addr, %admin_addr, "listening");
        let Start { config, tasks, writers, .. } = start;
        Ok(Self {
            addr,
            admin_addr,
            app,
            drain: Duration::from_secs(config.server.drain_s),
            tasks,
            writers,
        })
    }

    /// Reads a site's documents into the index.
    ///
    /// # Errors
    /// When the index or the embedder fails; broken documents are in the report.
    pub async fn ingest(
        &self,
        config: &Config,
        progress: Progress<'_>,
    ) -> anyhow::Result<Vec<(String, IngestReport)>> {
        let mut reports = Vec::new();
        for site in &config.sites {
            match self.app.knowledge.ingest(&site.id, &Roots::default(), false, progress).await {
                Ok(report) => reports.push((site.id.clone(), report)),
                // What is known is answered from all the same, and watched folders are read later.
                Err(error @ KnowledgeError::Full) => {
                    tracing::warn!(site = site.id, %error, "the documents are not read");
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(reports)
    }

    /// What `/metrics` shows.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.app.metrics
    }

    /// Resolves when a part died; the process should then end with a failure.
    pub async fn failure(&self) {
        self.tasks.failure().await;
    }

    /// Takes over from a configuration what can change while the server runs; `running` is the one
    /// in use, and has it afterwards. Open connections keep what they were let in with.
    ///
    /// # Errors
    /// When a logo of the new configuration can't be used; nothing is changed then.
    pub fn reload(&self, running: &mut Config, new: &Config) -> anyhow::Result<Reloaded> {
        let differences = running.differences(new);
        let (taken, after_restart) =
            differences.into_iter().partition(|name| Config::is_taken(name));
        let mut changed = running.clone();
        changed.take(new);
        for site in &changed.sites {
            site.widget.check_logo().with_context(|| format!("site {:?}", site.id))?;
        }
        *running = changed;
        self.app.keys.replace(running.auth.keys.clone());
        self.app.sites.replace(running.sites.iter().cloned().map(Arc::new).collect());
        Ok(Reloaded { taken, after_restart })
    }

    /// The wishes, over the admin listener, to read the configuration anew: for one reader.
    #[must_use]
    pub fn reloads(&self) -> mpsc::Receiver<Reload> {
        let (wish, wishes) = mpsc::channel(1);
        // A second reader gets none.
        let _ = self.app.reload.set(wish);
        wishes
    }

    /// Stops: no new turns; running ones end or are checkpointed; clients are told to come back.
    /// True if every task ended by itself in its time.
    ///
    /// # Errors
    /// When the store can't be closed cleanly.
    pub async fn stop(self) -> anyhow::Result<bool> {
        self.tasks.drain();
        let ended = async {
            while self.app.registry.answering() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(self.drain, ended).await.is_err() {
            tracing::warn!("some answers didn't end in time; they go on after the next start");
        }
        let saved = self.app.registry.stop(STOP).await;
        if !saved {
            tracing::warn!(
                "some conversations didn't end in time; their answers go on from the last checkpoint"
            );
        }
        let others = self.tasks.stop(STOP).await;
        // Sessions and sockets had signals to note until their end.
        let closed = tokio::time::timeout(STOP, self.app.signals.close()).await.is_ok();
        let clean = self.writers.stop(STOP).await && closed && others && saved;
        self.app.spine.llm.shutdown();
        self.app.spine.llm.drained().await;
        self.app.store.close().await.context("closing the store")?;
        self.app.spine.retrieval.index.close().await.context("closing the knowledge index")?;
        tracing::info!(clean, "stopped");
        Ok(clean)
    }
}

/// Everything that holds conversations, documents or keys.
fn private_paths(config: &Config) -> Vec<PathBuf> {
    let beside = config.store.path.parent().unwrap_or(&config.store.path);
    let hibernated = beside.join("hibernated");
    let folders = [
        &config.store.path,
        &config.knowledge.index,
        &config.knowledge.uploads,
        &config.intent.models,
        &hibernated,
    ];
    let files = ["admin.key", "admin.addr", "visitor.keys"].map(|name| beside.join(name));
    folders.into_iter().cloned().chain(files).collect()
}

/// Everything a turn needs, as configured.
///
/// # Errors
/// When a template or the reranker can't be used.
pub fn spine(
    config: &Config,
    retrieval: Retrieval,
    llm: Llm,
    mode: Mode,
    clock: Clock,
    metrics: Metrics,
) -> anyhow::Result<Spine> {
    Ok(Spine {
        retrieval,
        llm,
        prompts: Arc::new(Prompts::load(&config.answers.prompts)?),
        mode,
        min_confidence: config.answers.min_confidence,
        passages: config.knowledge.passages,
        rerank: Rerank {
            passages: config.knowledge.rerank,
            limit: Duration::from_millis(config.knowledge.rerank_ms),
        },
        reranker: open_reranker(config)?,
        max_tokens: config.llm.max_tokens,
        sampling: config.llm.sampling(),
        catalogue: crate::catalogue::Catalogue::default(),
        actions: Actions::default(),
        clock,
        metrics,
    })
}

/// The cross-encoder, if there is to be one.
///
/// # Errors
/// When its file can't be used.
pub fn open_reranker(config: &Config) -> anyhow::Result<Option<Reranker>> {
    let Some(path) = config.knowledge.reranker() else { return Ok(None) };
    Reranker::load(path, &config.embedder).context("the reranker").map(Some)
}

/// Embedder and index, as configured.
///
/// # Errors
/// When one can't be opened.
pub async fn open_retrieval(config: &Config, metrics: &Metrics) -> anyhow::Result<Retrieval> {
    let embedder = Embedder::load(&config.embedder).context("the embedding model")?;
    let multilingual = match config.knowledge.multilingual() {
        Some(model) => {
            let config = config.embedder.of_another(model);
            Some(Embedder::load(&config).context("the multilingual embedding model")?)
        }
        None => None,
    };
    let index = refill::open(&config.knowledge, &embedder, multilingual.as_ref())
        .await
        .context("the knowledge index")?;
    let spelling = Spelling::new(
        gguf::whole_words(&config.embedder.model).context("the embedding model's vocabulary")?,
    );
    for site in &config.sites {
        // Warns now of what visitors would feel later.
        if multilingual.is_none() || site.language == "en" {
            embedder.reads_language(&site.language).await.context("the embedding model")?;
        }
        spelling.refresh(&index, &site.id).await.context("the words of the knowledge index")?;
    }
    Ok(Retrieval {
        embedder,
        multilingual,
        index,
        spelling,
        filling: Filling::default(),
        metrics: metrics.clone(),
    })
}

/// Reads files and folders into a site's part of the index; without any, the site's own folder.
///
/// # Errors
/// When the index or the embedder fails; broken documents are in the report.
pub async fn ingest_site(
    retrieval: &Retrieval,
    config: &Config,
    site: &Site,
    roots: &[PathBuf],
    force: bool,
    progress: Progress<'_>,
) -> anyhow::Result<IngestReport> {
    let own = folder(config, site);
    knowledge::ingest_all(retrieval, &config.knowledge, &site.id, own, roots, force, progress).await
}

/// The folder of a site's documents.
fn folder<'a>(config: &'a Config, site: &'a Site) -> &'a Path {
    site.knowledge.as_deref().unwrap_or(&config.knowledge.path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retrieval::embedder;

    #[tokio::test]
    async fn an_embedder_that_died_ends_the_process_and_isn_t_ready() {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.server.bind = "127.0.0.1:0".into();
        config.server.admin_bind = "127.0.0.1:0".into();
        config.store.path = directory.path().join("store");
        config.knowledge.index = directory.path().join("index");
        config.knowledge.uploads = directory.path().join("uploads");
        config.knowledge.path = directory.path().join("knowledge");
        std::fs::create_dir(&config.knowledge.path).unwrap();
        std::fs::write(config.knowledge.path.join("shop.md"), "We are open on Monday.").unwrap();
        config.knowledge.watch_s = 0;
        config.intent.models = directory.path().join("intent");
        config.embedder.model = embedder::tests::model();
        config.llm.engine = "scripted".into();
        let server = Server::start(config.clone(), Clock::system()).await.unwrap();
        server.ingest(&config, &|_| {}).await.unwrap();
        let ready = format!("http://{}/readyz", server.admin_addr);
        let ask = async || {
            let response = reqwest::get(&ready).await.unwrap();
            let status = response.status().as_u16();
            (status, response.json::<serde_json::Value>().await.unwrap()["embedder"].clone())
        };
        assert_eq!(ask().await, (200, "ok".into()));

        server.app.spine.retrieval.embedder.crash();
        server.failure().await;
        let (status, embedder) = ask().await;
        assert_eq!(status, 503);
        assert!(embedder.as_str().unwrap().contains("its thread ended"), "{embedder}");
        server.stop().await.unwrap();
    }
}
