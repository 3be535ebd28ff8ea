//! The sessions in memory: one task each, found by key, read from disk on first use.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::live::{CommandError, Envelope, Joined, Live, MAILBOX};
use super::{Accepted, Checkpoint, Command, Event, Limits, Session, SessionKey, SessionsConfig};
use crate::clock::Clock;
use crate::http::auth::Site;
use crate::lifecycle::Tasks;
use crate::protocol::Partial;
use crate::signals::SignalLog;
use crate::store::{RecordKind, SessionQuery, Store, StoreError};
use crate::telemetry::{GaugeGuard, Metrics};
use crate::turn::Spine;
use crate::turn::gate::TurnGate;

/// How far back sessions are looked at for having expired.
const SWEEP_BACK_MS: u64 = 7 * 86_400_000;

/// What every session's task needs.
pub struct Shared {
    pub config: SessionsConfig,
    pub store: Store,
    pub spine: Spine,
    pub gate: TurnGate,
    pub signals: SignalLog,
    pub metrics: Metrics,
    pub clock: Clock,
    pub tasks: Tasks,
    pub answer_timeout: Duration,
    pub sites: HashMap<String, Arc<Site>>,
    live: Mutex<HashMap<SessionKey, Entry>>,
}

/// A session in memory.
#[derive(Clone)]
struct Entry {
    /// Who began it; nobody else may open it.
    visitor: String,
    mailbox: mpsc::Sender<Box<Envelope>>,
}

impl Entry {
    fn opened_by(self, opener: &Opener) -> Result<mpsc::Sender<Box<Envelope>>, OpenError> {
        if self.visitor == opener.visitor { Ok(self.mailbox) } else { Err(OpenError::Foreign) }
    }
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
    pub metrics: Metrics,
    pub clock: Clock,
    pub tasks: Tasks,
    pub answer_timeout: Duration,
    pub sites: HashMap<String, Arc<Site>>,
}

/// A session, as a client holds it.
#[derive(Clone)]
pub struct SessionHandle {
    registry: Registry,
    pub key: SessionKey,
    opener: Opener,
}

impl Registry {
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { config, store, spine, gate, signals, metrics, clock, tasks, answer_timeout, sites } = parts;
        let live = Mutex::default();
        Self {
            shared: Arc::new(Shared {
                config,
                store,
                spine,
                gate,
                signals,
                metrics,
                clock,
                tasks,
                answer_timeout,
                sites,
                live,
            }),
        }
    }

    /// A handle of a session that exists or will with its first message. The visitor must be the one who began it.
    #[must_use]
    pub fn handle(&self, key: SessionKey, opener: Opener) -> SessionHandle {
        SessionHandle { registry: self.clone(), key, opener }
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
            let session = match self.load(&key).await? {
                Some(session) if session.owes_answer() => session,
                _ => continue,
            };
            if let Some(site) = self.shared.sites.get(&key.site).cloned() {
                resumed += 1;
                self.spawn(session, site);
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
        for info in self.shared.store.unfinished(expired_before.saturating_sub(SWEEP_BACK_MS)).await? {
            if info.last_at_ms >= expired_before || info.last_seq == 0 {
                continue;
            }
            let key = SessionKey { site: info.site, id: info.session };
            let Some(session) = self.load(&key).await? else { continue };
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
        }
        Ok((ended, erased))
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

    async fn mailbox(&self, key: &SessionKey, opener: &Opener) -> Result<mpsc::Sender<Box<Envelope>>, OpenError> {
        let entry = self.lock().get(key).cloned();
        if let Some(entry) = entry {
            return entry.opened_by(opener);
        }
        let site = self.shared.sites.get(&key.site).cloned().ok_or_else(|| OpenError::UnknownSite(key.site.clone()))?;
        let session = match self.load(key).await? {
            Some(session) => session,
            None => {
                let limits = Limits::from(&self.shared.config);
                let Opener { visitor, channel } = opener.clone();
                Session::new(key.clone(), visitor, channel, limits, self.shared.clock.now_ms())
            }
        };
        if session.visitor != opener.visitor {
            return Err(OpenError::Foreign);
        }
        self.spawn(session, site).opened_by(opener)
    }

    /// Starts the task, unless somebody else did meanwhile.
    fn spawn(&self, session: Session, site: Arc<Site>) -> Entry {
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
        let task = Live { session, site, shared, mailbox, participants: Vec::new(), turn: None, _count: count };
        self.shared.tasks.spawn("session", task.run());
        entry
    }

    /// A session as the disk has it.
    async fn load(&self, key: &SessionKey) -> Result<Option<Session>, StoreError> {
        let records = self.shared.store.read(&key.site, &key.id, 0, &[RecordKind::Event, RecordKind::Partial]).await?;
        if records.is_empty() {
            return Ok(None);
        }
        let limits = Limits::from(&self.shared.config);
        let mut session = Session::new(key.clone(), String::new(), String::new(), limits, self.shared.clock.now_ms());
        for record in records {
            match record.kind {
                RecordKind::Event => {
                    let event: Event = serde_json::from_slice(&record.body).map_err(|error| StoreError::Corrupt {
                        what: format!("session {} seq {}: {error}", key.id, record.seq),
                    })?;
                    session.replay(record.seq, record.at_ms, &event);
                }
                RecordKind::Partial => {
                    if let Ok(checkpoint) = serde_json::from_slice::<Checkpoint>(&record.body) {
                        session.replay_checkpoint(&checkpoint);
                    }
                }
                RecordKind::Signal => {}
            }
        }
        Ok(Some(session))
    }
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
        let joined = self.ask(|reply| Envelope::Join { after, partial, reply }).await?;
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

    async fn ask<T>(&self, envelope: impl Fn(oneshot::Sender<T>) -> Envelope) -> Result<T, JoinError> {
        // A task that retires while we ask leaves the question unanswered: ask its successor.
        for _ in 0..3 {
            let mailbox = self.registry.mailbox(&self.key, &self.opener).await?;
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
