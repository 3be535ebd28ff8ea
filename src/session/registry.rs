//! The sessions in memory: one task each, found by key, read from disk on first use.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::board::Board;
use super::live::{CommandError, Envelope, Joined, Live, MAILBOX};
use super::{Accepted, Checkpoint, Command, Event, Limits, Policy, Refusal, Session, SessionKey, SessionsConfig};
use crate::clock::Clock;
use crate::gaps::GapLog;
use crate::http::auth::Site;
use crate::intent;
use crate::lifecycle::Tasks;
use crate::protocol::Partial;
use crate::signals::{Signal, SignalLog};
use crate::store::{RecordKind, SessionInfo, SessionQuery, Store, StoreError};
use crate::telemetry::{GaugeGuard, Metrics};
use crate::turn::Spine;
use crate::turn::gate::TurnGate;

/// Sessions put on the board when the server starts, and how many are listed at once.
const BOARD: usize = 20_000;
const PAGE: usize = 256;
/// Where it is kept how far agents have read: `<site>\0<session>\0<agent>` → seq.
const READ_MARKS: &str = "read";
/// How far back sessions are looked at for having expired.
const SWEEP_BACK_MS: u64 = 7 * 86_400_000;

/// What every session's task needs.
pub struct Shared {
    pub config: SessionsConfig,
    pub store: Store,
    pub spine: Spine,
    pub gate: TurnGate,
    pub signals: SignalLog,
    pub gaps: GapLog,
    pub metrics: Metrics,
    pub clock: Clock,
    pub tasks: Tasks,
    pub answer_timeout: Duration,
    pub sites: HashMap<String, Arc<Site>>,
    pub board: Board,
    live: Mutex<HashMap<SessionKey, Entry>>,
}

/// A session in memory.
#[derive(Clone)]
struct Entry {
    /// Who began it; no other visitor may open it.
    visitor: String,
    mailbox: mpsc::Sender<Box<Envelope>>,
}

impl Entry {
    /// The mailbox, for the visitor who began the session and for agents.
    fn opened_by(self, opener: Option<&Opener>) -> Result<mpsc::Sender<Box<Envelope>>, OpenError> {
        match opener {
            Some(opener) if opener.visitor != self.visitor => Err(OpenError::Foreign),
            _ => Ok(self.mailbox),
        }
    }
}

/// A session as the disk has it.
struct Loaded {
    session: Session,
    signals: Vec<Signal>,
}

/// Finds or starts a session's task. Cheap to clone.
#[derive(Clone)]
pub struct Registry {
    shared: Arc<Shared>,
}

/// Who opens a session, should it be new.
#[derive(Clone, Debug)]
pub struct Opener {
    pub visitor: String,
    pub channel: String,
}

/// The session can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("no site {0:?} is configured")]
    UnknownSite(String),
    /// Agents open what is there.
    #[error("there is no such session")]
    Unknown,
    /// It is somebody else's.
    #[error("the session belongs to another visitor")]
    Foreign,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What [`Shared`] is made of.
pub struct Parts {
    pub config: SessionsConfig,
    pub store: Store,
    pub spine: Spine,
    pub gate: TurnGate,
    pub signals: SignalLog,
    pub gaps: GapLog,
    pub metrics: Metrics,
    pub clock: Clock,
    pub tasks: Tasks,
    pub answer_timeout: Duration,
    pub sites: HashMap<String, Arc<Site>>,
    pub board: Board,
}

/// A session, as a client holds it.
#[derive(Clone)]
pub struct SessionHandle {
    registry: Registry,
    pub key: SessionKey,
    /// `None` for agents.
    opener: Option<Opener>,
}

impl Registry {
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { config, store, spine, gate, signals, gaps, metrics, clock, tasks, answer_timeout, sites, board } =
            parts;
        let live = Mutex::default();
        Self {
            shared: Arc::new(Shared {
                config,
                store,
                spine,
                gate,
                signals,
                gaps,
                metrics,
                clock,
                tasks,
                answer_timeout,
                sites,
                board,
                live,
            }),
        }
    }

    /// A handle of a session that exists or will with its first message. The visitor must be the one who began it.
    #[must_use]
    pub fn handle(&self, key: SessionKey, opener: Opener) -> SessionHandle {
        SessionHandle { registry: self.clone(), key, opener: Some(opener) }
    }

    /// A handle for agents, who see what is internal too. The session must be there already; whether the agent may is for the
    /// caller to know.
    #[must_use]
    pub fn agents_handle(&self, key: SessionKey) -> SessionHandle {
        SessionHandle { registry: self.clone(), key, opener: None }
    }

    /// The open sessions at a glance.
    #[must_use]
    pub fn board(&self) -> &Board {
        &self.shared.board
    }

    /// Tells a waiting visitor where they stand, if the session is in memory; otherwise they learn it when they come back.
    pub async fn tell_waiting(&self, key: &SessionKey, place: usize, available: bool) {
        let entry = self.lock().get(key).cloned();
        if let Some(Entry { mailbox, .. }) = entry {
            let _ = mailbox.send(Box::new(Envelope::Waiting { place, available })).await;
        }
    }

    /// Puts what is open on the board. Gives how many sessions that are.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn fill_board(&self) -> Result<usize, StoreError> {
        let expiry_ms = self.shared.config.expire_after_h.saturating_mul(3_600_000);
        let since_ms = self.shared.clock.now_ms().saturating_sub(expiry_ms);
        let mut filled = 0;
        for site in self.shared.sites.keys() {
            let mut after = None;
            while filled < BOARD {
                let query = SessionQuery { site: site.clone(), limit: PAGE, after: after.clone(), since_ms };
                let page = self.shared.store.sessions(query).await?;
                let Some(last) = page.last() else { break };
                after = Some(last.cursor());
                for SessionInfo { site, session, .. } in page {
                    if let Some(loaded) = self.load(&SessionKey { site, id: session }).await? {
                        self.shared.board.note(&loaded.session, intent::score(&loaded.signals).score);
                        filled += 1;
                    }
                }
            }
        }
        self.fill_marks().await?;
        Ok(filled)
    }

    /// Forgets a conversation with everything derived from it.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn erase(&self, key: &SessionKey) -> Result<(), StoreError> {
        self.stop_one(key).await;
        self.shared.store.erase(&key.site, &key.id).await?;
        self.shared.board.remove(key);
        let marks = self.shared.store.scan(READ_MARKS, &mark_prefix(key)).await?;
        let changes = marks.into_iter().map(|(mark, _)| (mark, None)).collect();
        self.shared.store.change(READ_MARKS, changes).await
    }

    /// Notes how far an agent has read; true if it is further than before. Nobody waits for the disk: a mark that a crash
    /// loses shows a message as unread once more.
    #[must_use]
    pub fn read(&self, key: &SessionKey, agent: &str, seq: u64) -> bool {
        let further = self.shared.board.read(key, agent, seq);
        if further {
            let mark = [mark_prefix(key).as_slice(), agent.as_bytes()].concat();
            drop(self.shared.store.put(READ_MARKS, &mark, &seq.to_be_bytes()));
        }
        further
    }

    /// Puts what agents have read on the board, and forgets it for sessions that aren't there any more.
    async fn fill_marks(&self) -> Result<(), StoreError> {
        let mut stale = Vec::new();
        for (mark, seq) in self.shared.store.scan(READ_MARKS, b"").await? {
            let parts: Vec<&str> = mark.split(|b| *b == 0).filter_map(|part| std::str::from_utf8(part).ok()).collect();
            let known = match (parts.as_slice(), seq.as_slice().try_into()) {
                ([site, id, agent], Ok(seq)) => {
                    let key = SessionKey { site: (*site).to_owned(), id: (*id).to_owned() };
                    self.shared.board.read(&key, agent, u64::from_be_bytes(seq))
                }
                _ => false,
            };
            if !known {
                stale.push((mark, None));
            }
        }
        self.shared.store.change(READ_MARKS, stale).await
    }

    /// Takes up answers that a crash or a restart cut. Gives how many.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn recover(&self) -> Result<usize, StoreError> {
        let mut newest = 0;
        for site in self.shared.sites.keys() {
            let query = SessionQuery { site: site.clone(), limit: 1, after: None, since_ms: 0 };
            newest = self.shared.store.sessions(query).await?.iter().map(|info| info.last_at_ms).fold(newest, u64::max);
        }
        // What was running when the process ended was begun shortly before the last thing that was stored.
        let longest_ms = u64::try_from(self.shared.answer_timeout.as_millis()).unwrap_or(u64::MAX).saturating_mul(4);
        let mut resumed = 0;
        for info in self.shared.store.unfinished(newest.saturating_sub(longest_ms)).await? {
            let key = SessionKey { site: info.site, id: info.session };
            let loaded = match self.load(&key).await? {
                Some(loaded) if loaded.session.owes_answer() => loaded,
                _ => continue,
            };
            if let Some(site) = self.shared.sites.get(&key.site).cloned() {
                resumed += 1;
                self.spawn(loaded, site);
            }
        }
        Ok(resumed)
    }

    /// Ends what expired and erases what was kept long enough. Gives how many sessions were ended and erased.
    ///
    /// # Errors
    /// When the store can't be read or written.
    pub async fn sweep(&self) -> Result<(usize, u64), StoreError> {
        let (config, now_ms) = (&self.shared.config, self.shared.clock.now_ms());
        let expired_before = now_ms.saturating_sub(config.expire_after_h.saturating_mul(3_600_000));
        let mut ended = 0;
        // Sessions that expired while the server was down for longer than this end when they are next used.
        let stored = self.shared.store.unfinished(expired_before.saturating_sub(SWEEP_BACK_MS)).await?;
        let stored = stored.into_iter().filter(|info| info.last_at_ms < expired_before && info.last_seq > 0);
        let mut quiet: BTreeSet<SessionKey> =
            stored.map(|info| SessionKey { site: info.site, id: info.session }).collect();
        // Routing writes to a conversation that waits, and nobody says a word in it.
        quiet.extend(self.shared.board.quiet_since(expired_before));
        for key in quiet {
            let Some(Loaded { session, .. }) = self.load(&key).await? else { continue };
            if session.ended {
                continue;
            }
            let opener = Opener { visitor: session.visitor.clone(), channel: session.channel.clone() };
            // Joining a session that expired ends it.
            if self.handle(key, opener).join(u64::MAX, None).await.is_ok() {
                ended += 1;
            }
        }
        let mut erased = 0;
        if config.retain_days > 0 {
            let before = now_ms.saturating_sub(config.retain_days.saturating_mul(86_400_000));
            for site in self.shared.sites.keys() {
                erased += self.shared.store.expire_before(site, before).await?;
            }
            self.shared.board.expire_before(before);
        }
        Ok((ended, erased))
    }

    /// The open sessions of a site.
    #[must_use]
    pub fn open_sessions(&self, site: &str) -> Vec<SessionKey> {
        self.shared.board.open(site)
    }

    /// Tells a session what a model says of it; one that sleeps has it on the board. A session with a full mailbox has more to do: its next
    /// signal brings the next score.
    pub fn scored(&self, key: &SessionKey, intent: intent::Intent) {
        let entry = self.lock().get(key).cloned();
        match entry {
            Some(Entry { mailbox, .. }) => drop(mailbox.try_send(Box::new(Envelope::Scored { intent }))),
            None => self.shared.board.score(key, intent.score),
        }
    }

    /// Tells every session to checkpoint and end, and waits until all have.
    pub async fn stop(&self) {
        let live: Vec<_> = self.lock().values().cloned().collect();
        for Entry { mailbox, .. } in live {
            let _ = mailbox.send(Box::new(Envelope::Stop)).await;
            mailbox.closed().await;
        }
    }

    /// Ends one session's task, if it runs; its clients are told to come back.
    pub async fn stop_one(&self, key: &SessionKey) {
        let entry = self.lock().get(key).cloned();
        if let Some(Entry { mailbox, .. }) = entry {
            let _ = mailbox.send(Box::new(Envelope::Stop)).await;
            mailbox.closed().await;
        }
    }

    /// True while any answer is being written.
    #[must_use]
    pub fn answering(&self) -> bool {
        self.shared.gate.load() != (0, 0)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionKey, Entry>> {
        self.shared.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn mailbox(
        &self,
        key: &SessionKey,
        opener: Option<&Opener>,
    ) -> Result<mpsc::Sender<Box<Envelope>>, OpenError> {
        let entry = self.lock().get(key).cloned();
        if let Some(entry) = entry {
            return entry.opened_by(opener);
        }
        let site = self.shared.sites.get(&key.site).cloned().ok_or_else(|| OpenError::UnknownSite(key.site.clone()))?;
        let loaded = match (self.load(key).await?, opener) {
            (Some(loaded), Some(opener)) if loaded.session.visitor != opener.visitor => return Err(OpenError::Foreign),
            (Some(loaded), _) => loaded,
            (None, None) => return Err(OpenError::Unknown),
            (None, Some(Opener { visitor, channel })) => {
                let limits = Limits::from(&self.shared.config);
                let (visitor, channel) = (visitor.clone(), channel.clone());
                let now_ms = self.shared.clock.now_ms();
                let session = Session::new(key.clone(), visitor, channel, limits, site.policy(), now_ms);
                Loaded { session, signals: Vec::new() }
            }
        };
        self.spawn(loaded, site).opened_by(opener)
    }

    /// Starts the task, unless somebody else did meanwhile.
    fn spawn(&self, loaded: Loaded, site: Arc<Site>) -> Entry {
        let Loaded { session, signals } = loaded;
        let mut live = self.lock();
        if let Some(entry) = live.get(&session.key) {
            return entry.clone();
        }
        let (sender, mailbox) = mpsc::channel(MAILBOX);
        let entry = Entry { visitor: session.visitor.clone(), mailbox: sender };
        live.insert(session.key.clone(), entry.clone());
        drop(live);
        let shared = self.shared.clone();
        let count = GaugeGuard::new(&shared.metrics.sessions_live);
        let task = Box::new(Live {
            session,
            site,
            shared,
            mailbox,
            participants: Vec::new(),
            turn: None,
            draft: None,
            preparing: None,
            intent: intent::score(&signals),
            signals,
            _count: count,
        });
        self.shared.signals.score(&task.session.key);
        self.shared.tasks.spawn("session", task.run());
        entry
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<Loaded>, StoreError> {
        let records = self.shared.store.read(&key.site, &key.id, 0, &[RecordKind::Event, RecordKind::Partial]).await?;
        if records.is_empty() {
            return Ok(None);
        }
        let limits = Limits::from(&self.shared.config);
        let policy = self.shared.sites.get(&key.site).map_or_else(Policy::default, |site| site.policy());
        let now_ms = self.shared.clock.now_ms();
        let mut session = Session::new(key.clone(), String::new(), String::new(), limits, policy, now_ms);
        let mut signals = Vec::new();
        for record in records {
            match record.kind {
                RecordKind::Event => {
                    let event: Event = serde_json::from_slice(&record.body).map_err(|error| StoreError::Corrupt {
                        what: format!("session {} seq {}: {error}", key.id, record.seq),
                    })?;
                    session.replay(record.seq, record.at_ms, &event);
                    signals.extend(self.shared.signals.of(&key.site, &event));
                }
                RecordKind::Partial => {
                    if let Ok(checkpoint) = serde_json::from_slice::<Checkpoint>(&record.body) {
                        session.replay_checkpoint(&checkpoint);
                    }
                }
                RecordKind::Signal => {}
            }
        }
        Ok(Some(Loaded { session, signals }))
    }
}

fn mark_prefix(key: &SessionKey) -> Vec<u8> {
    format!("{}\0{}\0", key.site, key.id).into_bytes()
}

impl Shared {
    /// Takes an ended task off the map.
    pub(super) fn forget(&self, key: &SessionKey) {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Takes an unused task off the map, unless mail came meanwhile. Whoever got hold of the mailbox before sees it closed and
    /// opens the session again.
    pub(super) fn retire(&self, key: &SessionKey, mailbox: &mut mpsc::Receiver<Box<Envelope>>) -> bool {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        if !mailbox.is_empty() {
            return false;
        }
        mailbox.close();
        live.remove(key);
        true
    }
}

impl SessionHandle {
    /// Joins as a participant that has seen everything up to `after`.
    ///
    /// # Errors
    /// When the session is somebody else's or the disk fails.
    pub async fn join(&self, after: u64, partial: Option<Partial>) -> Result<Joined, JoinError> {
        let agent = self.opener.is_none();
        let joined = self.ask(|reply| Envelope::Join { agent, after, partial, reply }).await?;
        Ok(joined?)
    }

    /// Has a command carried out; what is accepted is on disk.
    ///
    /// # Errors
    /// When it is refused, or can't be stored.
    pub async fn command(&self, command: Command) -> Result<Accepted, JoinError> {
        let accepted = self.ask(|reply| Envelope::Command { command: command.clone(), reply }).await?;
        Ok(accepted?)
    }

    /// Has the answer to what is being typed prepared, if the session is in memory and not busy.
    pub fn typed(&self, text: String) {
        let entry = self.registry.lock().get(&self.key).cloned();
        if let Some(Entry { mailbox, .. }) = entry {
            // A session with a full mailbox has better things to do.
            let _ = mailbox.try_send(Box::new(Envelope::Typed { text }));
        }
    }

    /// Another conversation of the same visitor.
    #[must_use]
    pub fn sibling(&self, id: String) -> Self {
        Self { key: SessionKey { site: self.key.site.clone(), id }, ..self.clone() }
    }

    /// Ends the conversation for its visitor; one that isn't there or is over stays as it is.
    ///
    /// # Errors
    /// When the session is somebody else's or the disk fails.
    pub async fn end_if_open(&self) -> Result<(), JoinError> {
        // Ending begins what was never begun.
        if self.registry.shared.store.session(&self.key.site, &self.key.id).await.map_err(OpenError::Store)?.is_none() {
            return Ok(());
        }
        match self.command(Command::End { reason: "visitor".into() }).await {
            Ok(_) | Err(JoinError::Command(CommandError::Refused(Refusal::Ended))) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Erases the conversation with everything derived from it; who takes part is told to come back, and finds nothing.
    ///
    /// # Errors
    /// When the session is somebody else's or the disk fails.
    pub async fn erase(&self) -> Result<(), JoinError> {
        // What isn't on disk needs no task just to find that out.
        if self.registry.shared.store.session(&self.key.site, &self.key.id).await.map_err(OpenError::Store)?.is_none() {
            return Ok(());
        }
        self.join(u64::MAX, None).await?;
        // Twice: somebody who came back in between read what is gone by now, and could write it again.
        for _ in 0..2 {
            self.registry.erase(&self.key).await.map_err(OpenError::Store)?;
        }
        Ok(())
    }

    async fn ask<T>(&self, envelope: impl Fn(oneshot::Sender<T>) -> Envelope) -> Result<T, JoinError> {
        // A task that retires while we ask leaves the question unanswered: ask its successor.
        for _ in 0..3 {
            let mailbox = self.registry.mailbox(&self.key, self.opener.as_ref()).await?;
            let (sender, answer) = oneshot::channel();
            if mailbox.send(Box::new(envelope(sender))).await.is_ok()
                && let Ok(answer) = answer.await
            {
                return Ok(answer);
            }
        }
        Err(JoinError::Command(CommandError::Draining))
    }
}

/// Why a session didn't take what was asked.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Command(#[from] CommandError),
}
