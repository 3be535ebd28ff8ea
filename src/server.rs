//! One handle that wires every part. Binding returns once the listeners are live.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Semaphore;

use crate::actions::Actions;
use crate::agents::{self, Agents};
use crate::audit::Audit;
use crate::channels::{self, Channels};
use crate::clock::Clock;
use crate::config::Config;
use crate::gaps::{self, GapLog, Gaps};
use crate::http::address::Proxies;
use crate::http::auth::{Keys, Visitors};
use crate::http::body::Room;
use crate::http::listener::{Limits, divide_files, serve};
use crate::http::places::Places;
use crate::http::{self, App, Inner};
use crate::insight::book::Book;
use crate::insight::{Insight, Shelf, scorer};
use crate::intent::registry::Live;
use crate::keyring::Keyring;
use crate::knowledge::{self, Knowledge, KnowledgeError, Roots};
use crate::lifecycle::Tasks;
use crate::llm::{Llm, gguf};
use crate::outcomes::Outcomes;
use crate::permissions;
use crate::prompt::Prompts;
use crate::qualify::{self, Decision};
use crate::retrieval::embedder::Embedder;
use crate::retrieval::ingest::{IngestProgress, IngestReport};
use crate::retrieval::reranker::Reranker;
use crate::retrieval::spelling::Spelling;
use crate::retrieval::{Retrieval, refill};
use crate::secret::{self, random_id};
use crate::session::board::Board;
use crate::session::desk;
use crate::session::registry::{Parts, Registry};
use crate::signals::touched::Touched;
use crate::signals::{SignalLog, SignalParts};
use crate::site::{self, Site};
use crate::store::Store;
use crate::telemetry::Metrics;
use crate::turn::gate::TurnGate;
use crate::turn::rerank::Rerank;
use crate::turn::{Mode, Spine};

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

/// Connections that wait to be accepted, as many as tokio's own listeners let wait.
const BACKLOG: u32 = 1024;
/// Read marks that a console may be behind; one that is slower learns them when it connects again.
const READS: usize = 256;
/// Hours between looking for sessions that expired.
const SWEEP: Duration = Duration::from_secs(3600);
/// Between two looks how full the disk is.
const ROOM: Duration = Duration::from_secs(5);
/// Between two looks for newly deployed intent models.
const INTENTS: Duration = Duration::from_secs(3);
/// Between two requests to a remote model whose last one failed.
const PROBE: Duration = Duration::from_secs(20);
/// HTTP connections of the admin listener at the same time.
const ADMIN_CONNECTIONS: usize = 64;
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
        let tasks = Tasks::default();
        let writers = tasks.outlasting();
        let metrics = Metrics::new();
        permissions::check(&private_paths(&config));
        for warning in config.warnings() {
            tracing::warn!("{warning}");
        }
        // Before models are loaded for nothing. Nobody can connect until they listen.
        let public = bind(&config.server.bind, "server.bind").await?;
        let private = bind(&config.server.admin_bind, "server.admin_bind").await?;
        let store = Store::open(&config.store).context("the conversation store")?;
        store.look_for_room().context("asking how full the disk of the store is")?;
        let retrieval = open_retrieval(&config, &metrics).await?;
        let llm = Llm::start(&config.llm).context("the language model")?;
        let passages = retrieval.index.count(None).await.context("the knowledge index")?;
        metrics.passages.set(i64::try_from(passages).unwrap_or(i64::MAX));
        if passages == 0 {
            tracing::warn!(
                "the knowledge index is empty; every question will be declined until `frontdesk ingest` has run"
            );
        }

        for site in &config.sites {
            site.widget.check_logo().with_context(|| format!("site {:?}", site.id))?;
        }
        let prompts = Prompts::load(&config.answers.prompts)?.revision()?;
        let Decision { mode, why } = qualify::decision(&config, &retrieval.index, llm.facts(), &prompts).await?;
        let facts = llm.facts();
        let answers = config.answers.mode;
        tracing::info!(model = facts.name, engine = facts.engine, ?answers, ?mode, why, passages, "answers are ready");
        let mut spine = spine(&config, retrieval, llm, mode, clock.clone(), metrics.clone())?;
        // Only answers to visitors call anybody: what asks again, tests or measures does not.
        spine.actions = Actions::new(config.sites.iter().map(|site| (site.id.as_str(), site.actions.as_slice())))?;
        let folders = config.sites.iter().map(|site| (site.id.clone(), folder(&config, site).to_owned())).collect();
        let knowledge = Knowledge::new(
            spine.retrieval.clone(),
            spine.catalogue.clone(),
            &config.knowledge,
            folders,
            store.clone(),
            metrics.clone(),
            clock.clone(),
        );
        knowledge.load().await.context("the products in the knowledge index")?;
        let gate = TurnGate::new(config.answers.parallel, config.answers.queue);
        let answer_timeout = Duration::from_secs(config.answers.timeout_s);
        let touched = Touched::default();
        let (scoring, to_score) = tokio::sync::mpsc::channel(scorer::QUEUE);
        let (signals, writing_signals) = SignalLog::new(
            &config.signals,
            SignalParts {
                store: store.clone(),
                metrics: metrics.clone(),
                embedder: config.signals.meanings.then(|| spine.retrieval.embedder.clone()),
                products: knowledge.catalogue().clone(),
                touched: touched.clone(),
                scoring: Some(scoring),
            },
        );
        writers.spawn("signals", writing_signals);
        let gaps = Gaps::open(store.clone(), config.gaps.clone()).await.context("the knowledge gaps in the store")?;
        let (gap_log, keeping_gaps) = GapLog::new(gaps::Parts {
            gaps: gaps.clone(),
            spine: spine.clone(),
            metrics: metrics.clone(),
            clock: clock.clone(),
            sites: config.sites.iter().map(|site| (site.id.clone(), site.facts(), site.language.clone())).collect(),
            changes: knowledge.changes(),
            tasks: writers.clone(),
        });
        writers.spawn("knowledge gaps", keeping_gaps);
        let intents = Live::new(&config.intent.models);
        let book = Book::new(store.clone(), touched.clone())
            .scored_by(intents.clone())
            .patient(site::patience(&config.sites), clock.clone());
        let shelf = |site: &Site| (site.id.clone(), Shelf::new(site.recommend.clone()));
        let insight = Insight::new(
            book.clone(),
            signals.clone(),
            spine.retrieval.embedder.clone(),
            config.sites.iter().map(shelf).collect(),
            knowledge.catalogue().clone(),
            clock.clone(),
        );
        let sites: Vec<Arc<Site>> = config.sites.iter().cloned().map(Arc::new).collect();
        let started = std::time::Instant::now();
        let board = Board::new(&random_id());
        let registry = Registry::new(Parts {
            config: config.sessions.clone(),
            store: store.clone(),
            spine: spine.clone(),
            gate: gate.clone(),
            signals: signals.clone(),
            gaps: gap_log,
            metrics: metrics.clone(),
            clock: clock.clone(),
            tasks: tasks.clone(),
            answer_timeout,
            waiting: config.console.waiting,
            sites: sites.iter().map(|site| (site.id.clone(), Arc::new(site.profile()))).collect::<HashMap<_, _>>(),
            board: board.clone(),
        });
        let agents = Agents::load(agents::Parts {
            store: store.clone(),
            clock: clock.clone(),
            board,
            started,
            sites: sites.iter().map(|site| site.id.clone()).collect(),
            sign_in_h: config.console.sign_in_h,
            limit: config.console.limit,
            metrics: metrics.clone(),
        })
        .await
        .context("the agents' accounts")?;
        registry.fill_board().await.context("the open conversations")?;

        let (sockets, connections, admin_connections) =
            divide_files(config.server.max_sockets, config.server.max_connections, ADMIN_CONNECTIONS);
        let listener = listen(public, "server.bind")?;
        let admin_listener = listen(private, "server.admin_bind")?;
        let (addr, admin_addr) = (listener.local_addr()?, admin_listener.local_addr()?);
        // Where commands of this machine find a server whose port was free to choose.
        let address = config.store.path.parent().unwrap_or(&config.store.path).join("admin.addr");
        secret::write_file(&address, &admin_addr.to_string())
            .with_context(|| format!("writing {}", address.display()))?;
        let keyring = Keyring::open(store.clone(), &config.store.path).await.context("the server's own keys")?;
        let keys = Keys::new(config.auth.keys.clone());
        keys.replace_admin(keyring.admin_hash().await?);
        let own = ["127.0.0.1", "localhost", "[::1]"].map(|host| format!("http://{host}:{}", addr.port()));
        let watched = scorer::Parts {
            book: book.clone(),
            models: intents.clone(),
            sessions: registry.clone(),
            sites: sites.iter().map(|site| site.id.clone()).collect(),
            config: config.intent.clone(),
            metrics: metrics.clone(),
            clock: clock.clone(),
            tasks: tasks.clone(),
        };
        let channels = Channels::new(
            sites.iter().map(|site| (site.id.as_str(), site.channels.as_slice())),
            channels::Parts {
                store: store.clone(),
                registry: registry.clone(),
                clock: clock.clone(),
                tasks: tasks.clone(),
                metrics: metrics.clone(),
            },
        )?;
        let last_backup = http::backup::last(&store).await.context("when the last backup was made")?;
        metrics.last_backup.set(i64::try_from(last_backup).unwrap_or(i64::MAX));
        let audit = Audit::open(store.clone(), clock.clone()).await.context("the audit log")?;
        let app = App::new(Inner {
            channels: channels.clone(),
            scoring: watched.clone(),
            own_origins: own.into_iter().chain(config.server.public_origins.iter().cloned()).collect(),
            room: Room::new(knowledge.max_bytes().max(http::intent::MAX_ROWS)),
            sockets: Arc::new(Semaphore::new(sockets)),
            exporting: Arc::new(Semaphore::new(1)),
            texts: Semaphore::new(http::openai::AT_ONCE),
            places: Places::new(config.server.sockets_per_visitor),
            proxies: Proxies::new(&config.server)?,
            config: config.server.clone(),
            registry: registry.clone(),
            spine,
            knowledge: knowledge.clone(),
            gaps,
            gate,
            outcomes: Outcomes::new(store.clone(), book.clone(), touched),
            insight,
            signals,
            store,
            visitors: Visitors::new(keyring.visitors().clone(), clock),
            agents,
            audit,
            console: config.console.clone(),
            started,
            reads: tokio::sync::broadcast::channel(READS).0,
            keys,
            keyring,
            sites,
            metrics,
            tasks: tasks.clone(),
            answer_timeout,
            responses: crate::http::openai::Remembered::default(),
            intents: intents.clone(),
            intent: config.intent.clone(),
            training: Arc::new(Semaphore::new(1)),
        });
        refresh_intents(&app).await;
        let site_ids: Vec<String> = app.sites.iter().map(|site| site.id.clone()).collect();
        let lost = app.signals.recover(&app.store, &site_ids).await.context("signals that the last stop cut")?;
        if lost > 0 {
            tracing::info!(lost, "events whose signals the last stop kept from the disk are read again");
        }
        let resumed = registry.recover().await.context("answers cut by the last stop")?;
        if resumed > 0 {
            tracing::info!(resumed, "answers that the last stop cut go on");
        }
        let unfinished = channels.recover().await.context("conversations of messaging platforms")?;
        if unfinished > 0 {
            tracing::info!(unfinished, "conversations of messaging platforms go on");
        }
        let patience = Duration::from_secs(config.server.request_timeout_s);
        let visitors = Limits { connections, patience };
        let operators = Limits { connections: admin_connections, patience };
        tasks.spawn("public listener", serve(listener, http::public(app.clone()), visitors, tasks.clone()));
        tasks.spawn("admin listener", serve(admin_listener, http::private(app.clone()), operators, tasks.clone()));
        tasks.spawn("knowledge watch", knowledge.watch(tasks.clone()));
        tasks.spawn(
            "desk",
            desk::run(registry.clone(), config.console.clone(), app.spine.clock.clone(), started, tasks.clone()),
        );
        channels.read_mailboxes();
        tasks.spawn("channels", channels.follow());
        tasks.spawn("room on the disk", look_for_room(app.store.clone(), app.metrics.clone(), tasks.clone()));
        tasks.spawn("sweeper", sweep(registry.clone(), tasks.clone()));
        tasks.spawn("watchdog", watch(app.clone()));
        tasks.spawn("language model probe", probe(app.clone()));
        tasks.spawn("intent models", follow_intents(app.clone()));
        tasks.spawn("intent scores", scorer::run(watched.clone(), to_score));
        tasks.spawn("intent watch", scorer::watch(watched));
        tracing::info!(%addr, %admin_addr, "listening");
        Ok(Self { addr, admin_addr, app, drain: Duration::from_secs(config.server.drain_s), tasks, writers })
    }

    /// Reads a site's documents into the index.
    ///
    /// # Errors
    /// When the index or the embedder fails; broken documents are in the report.
    pub async fn ingest(&self, config: &Config, progress: Progress<'_>) -> anyhow::Result<Vec<(String, IngestReport)>> {
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

    /// Stops: no new turns; running ones end or are checkpointed; clients are told to come back. True if every task ended by itself
    /// in its time.
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
            tracing::warn!("some conversations didn't end in time; their answers go on from the last checkpoint");
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
    let folders = [&config.store.path, &config.knowledge.index, &config.knowledge.uploads, &config.intent.models];
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
        rerank: Rerank { passages: config.knowledge.rerank, limit: Duration::from_millis(config.knowledge.rerank_ms) },
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
    let index =
        refill::open(&config.knowledge, &embedder, multilingual.as_ref()).await.context("the knowledge index")?;
    let spelling =
        Spelling::new(gguf::whole_words(&config.embedder.model).context("the embedding model's vocabulary")?);
    for site in &config.sites {
        // Warns now of what visitors would feel later.
        embedder.reads_language(&site.language).await.context("the embedding model")?;
        spelling.refresh(&index, &site.id).await.context("the words of the knowledge index")?;
    }
    Ok(Retrieval { embedder, multilingual, index, spelling, metrics: metrics.clone() })
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

/// Takes a port without listening yet: of the addresses that a name has, the first that is free.
///
/// # Errors
/// When the name has no address, or another process listens there.
async fn bind(address: &str, option: &str) -> anyhow::Result<TcpSocket> {
    let take = async {
        let mut refused = std::io::Error::other("the name has no address");
        for address in tokio::net::lookup_host(address).await? {
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            // As tokio's own listeners have it: connections of a server that just stopped don't hold the port.
            socket.set_reuseaddr(true)?;
            match socket.bind(address) {
                Ok(()) => return Ok(socket),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    };
    take.await.with_context(|| {
        format!("can't listen on {address} ({option}); is another server running, or the port below 1024?")
    })
}

fn listen(socket: TcpSocket, option: &str) -> anyhow::Result<TcpListener> {
    let address = socket.local_addr()?;
    socket.listen(BACKLOG).with_context(|| {
        format!("can't listen on {address} ({option}); another server has taken it while this one started")
    })
}

/// Looks how full the disk is.
async fn look_for_room(store: Store, metrics: Metrics, tasks: Tasks) {
    loop {
        if let Ok(free) = store.look_for_room() {
            metrics.disk_free_bytes.set(i64::try_from(free).unwrap_or(i64::MAX));
        }
        tokio::select! {
            () = tasks.draining() => return,
            () = tokio::time::sleep(ROOM) => {}
        }
    }
}

async fn sweep(registry: Registry, tasks: Tasks) {
    loop {
        tokio::select! {
            () = tasks.draining() => return,
            () = tokio::time::sleep(SWEEP) => {}
        }
        match registry.sweep().await {
            Ok((ended, erased)) => tracing::info!(ended, erased, "looked for sessions that expired"),
            Err(error) => tracing::error!(%error, "could not look for sessions that expired"),
        }
    }
}

/// Takes in models that `frontdesk intent deploy` deployed meanwhile.
async fn follow_intents(app: App) {
    loop {
        tokio::select! {
            () = app.tasks.draining() => return,
            () = tokio::time::sleep(INTENTS) => refresh_intents(&app).await,
        }
    }
}

/// A model that can't be read is reported once and the one before stays in use: conversations don't wait for it.
async fn refresh_intents(app: &App) {
    for site in &app.sites {
        let (live, id) = (app.intents.clone(), site.id.clone());
        match tokio::task::spawn_blocking(move || live.refresh(&id)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(site = site.id, %error, "a deployed intent model can't be used"),
            Err(error) => tracing::error!(site = site.id, %error, "looking for intent models crashed"),
        }
    }
}

/// Ends the process when a part without which there are no answers died.
async fn watch(app: App) {
    loop {
        tokio::select! {
            () = app.tasks.draining() => return,
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
        for (what, health) in [
            ("store", app.store.health()),
            ("language model", app.spine.llm.health().map_err(|error| error.to_string())),
            ("embedding model", app.spine.retrieval.embedder.health().map_err(|error| error.to_string())),
            (
                "reranker",
                app.spine.reranker.as_ref().map_or(Ok(()), Reranker::health).map_err(|error| error.to_string()),
            ),
            ("multilingual model", app.spine.retrieval.second_health().map_err(|error| error.to_string())),
            ("knowledge index", app.spine.retrieval.index.alive().map_err(|error| error.to_string())),
        ] {
            if let Err(error) = health {
                tracing::error!(what, error, "a part failed");
                app.tasks.fail(what);
                return;
            }
        }
    }
}

/// Learns that a remote model is gone, or back, when no visitor asks.
async fn probe(app: App) {
    if app.spine.mode != Mode::Generate {
        return;
    }
    loop {
        tokio::select! {
            () = app.tasks.draining() => return,
            () = app.spine.llm.probe() => {}
        }
        tokio::select! {
            () = app.tasks.draining() => return,
            () = tokio::time::sleep(PROBE) => {}
        }
    }
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
