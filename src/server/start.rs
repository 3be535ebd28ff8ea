//! The steps of a start, in their order. Each takes what the steps before it opened and gives back
//! what it opened itself; until the last one nothing is answered.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Semaphore, broadcast, mpsc};

use super::{folder, open_retrieval, spine, tasks};
use crate::actions::Actions;
use crate::agents::oidc::Oidc;
use crate::agents::{self, Agents};
use crate::audit::Audit;
use crate::channels::{self, Channels};
use crate::clock::Clock;
use crate::config::Config;
use crate::conversation::SessionKey;
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
use crate::knowledge::Knowledge;
use crate::lifecycle::Tasks;
use crate::llm::Llm;
use crate::outcomes::Outcomes;
use crate::prompt::Prompts;
use crate::qualify::{self, Decision};
use crate::secret::{self, random_id};
use crate::session::board::Board;
use crate::session::desk;
use crate::session::registry::{Parts, Registry};
use crate::signals::touched::Touched;
use crate::signals::{SignalLog, SignalParts};
use crate::site::{self, Site};
use crate::store::Store;
use crate::telemetry::Metrics;
use crate::turn::Spine;
use crate::turn::gate::TurnGate;

/// Connections that wait to be accepted, as many as tokio's own listeners let wait.
const BACKLOG: u32 = 1024;
/// Read marks that a console may be behind; one that is slower learns them when it connects again.
const READS: usize = 256;
/// HTTP connections of the admin listener at the same time.
const ADMIN_CONNECTIONS: usize = 64;

/// What every step works with.
pub(super) struct Start {
    pub(super) config: Config,
    pub(super) tasks: Tasks,
    /// Write what the others note, also while these stop.
    pub(super) writers: Tasks,
    clock: Clock,
    metrics: Metrics,
    sites: Vec<Arc<Site>>,
}

/// Ports that are taken, and on which nobody listens yet.
pub(super) struct Ports {
    public: TcpSocket,
    private: TcpSocket,
}

/// What answers are made of.
pub(super) struct Answering {
    spine: Spine,
    knowledge: Knowledge,
    gate: TurnGate,
}

/// What is kept of conversations to learn from.
pub(super) struct Learning {
    touched: Touched,
    signals: SignalLog,
    /// Sessions whose score is out of date.
    to_score: mpsc::Receiver<SessionKey>,
    gaps: Gaps,
    gap_log: GapLog,
    intents: Live,
    book: Book,
    insight: Insight,
}

/// Conversations, and who takes part in them.
pub(super) struct Sessions {
    registry: Registry,
    agents: Agents,
    channels: Channels,
    scoring: scorer::Parts,
    started: Instant,
}

/// Listeners whose connections wait until they are served.
pub(super) struct Listening {
    public: TcpListener,
    private: TcpListener,
    pub(super) addr: SocketAddr,
    pub(super) admin_addr: SocketAddr,
    sockets: usize,
    connections: usize,
    admin_connections: usize,
}

/// Who may do what, and who did.
pub(super) struct Access {
    keyring: Keyring,
    keys: Keys,
    audit: Audit,
}

/// All that the transports are handed.
pub(super) struct Opened {
    pub(super) store: Store,
    pub(super) answering: Answering,
    pub(super) learning: Learning,
    pub(super) sessions: Sessions,
    pub(super) access: Access,
}

/// What the server's own tasks work on, beside what the transports have.
pub(super) struct Work {
    channels: Channels,
    scoring: scorer::Parts,
    to_score: mpsc::Receiver<SessionKey>,
    started: Instant,
}

impl Start {
    pub(super) fn new(config: Config, clock: Clock) -> Self {
        let tasks = Tasks::default();
        let sites = config.sites.iter().cloned().map(Arc::new).collect();
        Self { writers: tasks.outlasting(), tasks, clock, metrics: Metrics::new(), sites, config }
    }

    /// Takes both ports, before models are loaded for nothing. Nobody can connect until they
    /// listen.
    pub(super) async fn ports(&self) -> anyhow::Result<Ports> {
        let public = bind(&self.config.server.bind, "server.bind").await?;
        let private = bind(&self.config.server.admin_bind, "server.admin_bind").await?;
        Ok(Ports { public, private })
    }

    pub(super) fn storage(&self) -> anyhow::Result<Store> {
        let store = Store::open(&self.config.store).context("the conversation store")?;
        store.look_for_room().context("asking how full the disk of the store is")?;
        Ok(store)
    }

    /// Models, index and products, and how answers are made with them.
    pub(super) async fn knowledge(&self, store: &Store) -> anyhow::Result<Answering> {
        let Self { config, metrics, clock, .. } = self;
        let retrieval = open_retrieval(config, metrics).await?;
        let beside = config.store.path.parent().unwrap_or(&config.store.path);
        let llm = Llm::start_hibernating(&config.llm, &beside.join("hibernated"))
            .context("the language model")?;
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
        let Decision { mode, why } =
            qualify::decision(config, &retrieval.index, llm.facts(), &prompts).await?;
        let facts = llm.facts();
        let answers = config.answers.mode;
        tracing::info!(
            model = facts.name,
            engine = facts.engine,
            ?answers,
            ?mode,
            why,
            passages,
            "answers are ready"
        );
        let mut spine = spine(config, retrieval, llm, mode, clock.clone(), metrics.clone())?;
        // Only answers to visitors call anybody: what asks again, tests or measures does not.
        spine.actions = Actions::new(
            config.sites.iter().map(|site| (site.id.as_str(), site.actions.as_slice())),
        )?;
        let folders = config
            .sites
            .iter()
            .map(|site| (site.id.clone(), folder(config, site).to_owned(), site.weight))
            .collect();
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
        let weights = config.sites.iter().map(|site| (site.id.clone(), site.weight)).collect();
        let gate = TurnGate::new(config.answers.parallel, config.answers.queue, weights);
        Ok(Answering { spine, knowledge, gate })
    }

    /// Signals, knowledge gaps, scores and what marketers see. Two tasks begin to write what the
    /// others will note.
    pub(super) async fn learning(
        &self,
        store: &Store,
        answering: &Answering,
    ) -> anyhow::Result<Learning> {
        let Self { config, metrics, clock, writers, .. } = self;
        let Answering { spine, knowledge, .. } = answering;
        let touched = Touched::default();
        let (scoring, to_score) = mpsc::channel(scorer::QUEUE);
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
        let gaps = Gaps::open(store.clone(), config.gaps.clone())
            .await
            .context("the knowledge gaps in the store")?;
        let (gap_log, keeping_gaps) = GapLog::new(gaps::Parts {
            gaps: gaps.clone(),
            spine: spine.clone(),
            metrics: metrics.clone(),
            clock: clock.clone(),
            sites: config
                .sites
                .iter()
                .map(|site| (site.id.clone(), site.facts(), site.language.clone()))
                .collect(),
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
            spine.prompts.clone(),
            clock.clone(),
        );
        Ok(Learning { touched, signals, to_score, gaps, gap_log, intents, book, insight })
    }

    /// The registry with the open conversations on its board, agents' accounts and messaging
    /// platforms.
    pub(super) async fn sessions(
        &self,
        store: &Store,
        answering: &Answering,
        learning: &Learning,
    ) -> anyhow::Result<Sessions> {
        let Self { config, metrics, clock, tasks, sites, .. } = self;
        let started = Instant::now();
        let board = Board::new(&random_id());
        let registry = Registry::new(Parts {
            config: config.sessions.clone(),
            store: store.clone(),
            spine: answering.spine.clone(),
            gate: answering.gate.clone(),
            signals: learning.signals.clone(),
            gaps: learning.gap_log.clone(),
            metrics: metrics.clone(),
            clock: clock.clone(),
            tasks: tasks.clone(),
            answer_timeout: self.answer_timeout(),
            waiting: config.console.waiting,
            sites: sites
                .iter()
                .map(|site| (site.id.clone(), Arc::new(site.profile())))
                .collect::<HashMap<_, _>>(),
            board: board.clone(),
        });
        let agents = Agents::load(agents::Parts {
            store: store.clone(),
            clock: clock.clone(),
            board,
            started,
            sites: self.site_ids(),
            sign_in_h: config.console.sign_in_h,
            second_factor: config.console.second_factor,
            limit: config.console.limit,
            metrics: metrics.clone(),
        })
        .await
        .context("the agents' accounts")?;
        registry.fill_board().await.context("the open conversations")?;
        let scoring = scorer::Parts {
            book: learning.book.clone(),
            models: learning.intents.clone(),
            sessions: registry.clone(),
            sites: self.site_ids(),
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
                prompts: answering.spine.prompts.clone(),
                insight: learning.insight.clone(),
                languages: sites
                    .iter()
                    .map(|site| (site.id.clone(), site.language.clone()))
                    .collect(),
            },
        )?;
        Ok(Sessions { registry, agents, channels, scoring, started })
    }

    /// Listens on both ports, and writes where, for commands of this machine.
    pub(super) fn listen(&self, ports: Ports) -> anyhow::Result<Listening> {
        let config = &self.config;
        let (sockets, connections, admin_connections) = divide_files(
            config.server.max_sockets,
            config.server.max_connections,
            ADMIN_CONNECTIONS,
        );
        let public = listen(ports.public, "server.bind")?;
        let private = listen(ports.private, "server.admin_bind")?;
        let (addr, admin_addr) = (public.local_addr()?, private.local_addr()?);
        // Where they find a server whose port was free to choose.
        let address = config.store.path.parent().unwrap_or(&config.store.path).join("admin.addr");
        secret::write_file(&address, &admin_addr.to_string())
            .with_context(|| format!("writing {}", address.display()))?;
        Ok(Listening { public, private, addr, admin_addr, sockets, connections, admin_connections })
    }

    /// The server's own keys, operators' keys and the audit log.
    pub(super) async fn access(&self, store: &Store) -> anyhow::Result<Access> {
        let keyring = Keyring::open(store.clone(), &self.config.store.path)
            .await
            .context("the server's own keys")?;
        let keys = Keys::new(self.config.auth.keys.clone());
        keys.replace_admin(keyring.admin_hash().await?);
        let last_backup =
            http::backup::last(store).await.context("when the last backup was made")?;
        self.metrics.last_backup.set(i64::try_from(last_backup).unwrap_or(i64::MAX));
        let audit =
            Audit::open(store.clone(), self.clock.clone()).await.context("the audit log")?;
        Ok(Access { keyring, keys, audit })
    }

    /// What the transports are handed, and what the server's own tasks have beside that.
    pub(super) fn app(&self, opened: Opened, listening: &Listening) -> anyhow::Result<(App, Work)> {
        let Opened { store, answering, learning, sessions, access } = opened;
        let Answering { spine, knowledge, gate } = answering;
        let Sessions { registry, agents, channels, scoring, started } = sessions;
        let config = &self.config;
        let own = ["127.0.0.1", "localhost", "[::1]"]
            .map(|host| format!("http://{host}:{}", listening.addr.port()));
        let redirect_uri = config.oidc.redirect_uri(
            &config.server.public_origins,
            listening.addr.port(),
            http::console::OIDC_CALLBACK,
        );
        let app = App::new(Inner {
            oidc: Oidc::new(&config.oidc, redirect_uri, self.clock.clone())
                .context("signing in at the issuer of [oidc]")?,
            channels: channels.clone(),
            scoring: scoring.clone(),
            own_origins: own
                .into_iter()
                .chain(config.server.public_origins.iter().cloned())
                .collect(),
            room: Room::new(knowledge.max_bytes().max(http::intent::MAX_ROWS)),
            sockets: Arc::new(Semaphore::new(listening.sockets)),
            exporting: Arc::new(Semaphore::new(1)),
            texts: Semaphore::new(http::openai::AT_ONCE),
            places: Places::new(config.server.sockets_per_visitor),
            proxies: Proxies::new(&config.server)?,
            config: config.server.clone(),
            registry,
            spine,
            knowledge,
            gaps: learning.gaps,
            gate,
            outcomes: Outcomes::new(store.clone(), learning.book, learning.touched),
            insight: learning.insight,
            signals: learning.signals,
            store,
            visitors: Visitors::new(access.keyring.visitors().clone(), self.clock.clone()),
            agents,
            audit: access.audit,
            console: config.console.clone(),
            started,
            reads: broadcast::channel(READS).0,
            keys: access.keys,
            keyring: access.keyring,
            sites: http::Sites::new(&self.sites),
            reload: OnceLock::new(),
            metrics: self.metrics.clone(),
            tasks: self.tasks.clone(),
            answer_timeout: self.answer_timeout(),
            responses: http::openai::Remembered::default(),
            intents: learning.intents,
            intent: config.intent.clone(),
            training: Arc::new(Semaphore::new(1)),
        });
        Ok((app, Work { channels, scoring, to_score: learning.to_score, started }))
    }

    /// Goes on with what the last stop cut.
    pub(super) async fn recover(&self, app: &App) -> anyhow::Result<()> {
        tasks::refresh_intents(app).await;
        let lost = app
            .signals
            .recover(&app.store, &self.site_ids())
            .await
            .context("signals that the last stop cut")?;
        if lost > 0 {
            tracing::info!(
                lost,
                "events whose signals the last stop kept from the disk are read again"
            );
        }
        let resumed = app.registry.recover().await.context("answers cut by the last stop")?;
        if resumed > 0 {
            tracing::info!(resumed, "answers that the last stop cut go on");
        }
        let unfinished =
            app.channels.recover().await.context("conversations of messaging platforms")?;
        if unfinished > 0 {
            tracing::info!(unfinished, "conversations of messaging platforms go on");
        }
        Ok(())
    }

    /// Serves both listeners, and begins what the server does by itself.
    pub(super) fn spawn(&self, app: &App, listening: Listening, work: Work) {
        let Self { config, tasks, .. } = self;
        let Work { channels, scoring, to_score, started } = work;
        let patience = Duration::from_secs(config.server.request_timeout_s);
        let visitors = Limits { connections: listening.connections, patience };
        let operators = Limits { connections: listening.admin_connections, patience };
        let public = serve(listening.public, http::public(app.clone()), visitors, tasks.clone());
        tasks.spawn("public listener", public);
        let private =
            serve(listening.private, http::private(app.clone()), operators, tasks.clone());
        tasks.spawn("admin listener", private);
        tasks.spawn("knowledge watch", app.knowledge.clone().watch(tasks.clone()));
        let console = config.console.clone();
        let desk = desk::run(
            app.registry.clone(),
            console,
            app.spine.clock.clone(),
            started,
            tasks.clone(),
        );
        tasks.spawn("desk", desk);
        channels.listen();
        tasks.spawn("channels", channels.follow());
        let room = tasks::look_for_room(app.store.clone(), app.metrics.clone(), tasks.clone());
        tasks.spawn("room on the disk", room);
        tasks.spawn("sweeper", tasks::sweep(app.registry.clone(), tasks.clone()));
        tasks.spawn("watchdog", tasks::watch(app.clone()));
        tasks.spawn("language model probe", tasks::probe(app.clone()));
        tasks.spawn("intent models", tasks::follow_intents(app.clone()));
        tasks.spawn("intent scores", scorer::run(scoring.clone(), to_score));
        tasks.spawn("intent watch", scorer::watch(scoring));
    }

    fn site_ids(&self) -> Vec<String> {
        self.sites.iter().map(|site| site.id.clone()).collect()
    }

    fn answer_timeout(&self) -> Duration {
        Duration::from_secs(self.config.answers.timeout_s)
    }
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
            // As tokio's own listeners have it: connections of a server that just stopped don't
            // hold the port.
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
