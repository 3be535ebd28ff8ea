//! The sessions in memory: one task each, found by key, read from disk on first use.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use futures_util::{StreamExt as _, stream};
use tokio::sync::{MappedMutexGuard, MutexGuard, Notify, broadcast, mpsc, oneshot};

use super::board::Board;
use super::live::Live;
use super::pace::Pace;
use super::retention::{Look, Watch};
use super::{Command, Limits, Policy, Profile, Session, SessionsConfig};
use crate::clock::Clock;
use crate::conversation::{Checkpoint, Event, SessionKey};
use crate::gaps::GapLog;
use crate::intent;
use crate::lifecycle::Tasks;
use crate::protocol::Partial;
use crate::session::mailbox::{
    CommandError, Envelope, JoinError, Joined, MAILBOX, OpenError, Opener, Past,
};
use crate::session::refusal::{Accepted, Deed, Refusal};
use crate::session::shared::{
    Entry, InMemory, Leaving, SPOKEN_MARKS, Shared, TRIES_SPACE, TYPING_MARKS, TypingMark, event_of,
};
use crate::signals::{Signal, SignalLog};
use crate::store::{
    Record, RecordKind, SessionInfo, SessionQuery, Store, StoreError, unless_damaged,
};
use crate::telemetry::{GaugeGuard, Metrics};
use crate::turn::Spine;
use crate::turn::gate::TurnGate;

/// Sessions of a site that are put on the board when the server starts, and how many are listed at
/// once.
const BOARD: usize = 20_000;
const PAGE: usize = 256;
/// Answers that are counted at once when the server starts.
const COUNTED_AT_ONCE: usize = 256;
/// Where it is kept how far agents have read: `<site>\0<session>\0<agent>` → seq.
const READ_MARKS: &str = "read";
/// How far back sessions are looked at for having expired.
const SWEEP_BACK_MS: u64 = 7 * 86_400_000;

/// Where a session is.
enum Place {
    Taken(Entry),
    /// Not in memory.
    Free {
        /// [`InMemory::erasures`] then.
        erasures: u64,
    },
}

/// A session as the disk had it.
struct Loaded {
    /// [`InMemory::erasures`] before it was read.
    erasures: u64,
    session: Session,
    signals: Vec<Signal>,
    /// The answer that it owes was taken up by enough starts.
    gives_up: bool,
}

/// Finds or starts a session's task. Cheap to clone.
#[derive(Clone)]
pub struct Registry {
    shared: Arc<Shared>,
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
    /// Conversations of a site that may wait for a person.
    pub waiting: usize,
    pub sites: HashMap<String, Arc<Profile>>,
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
        Self {
            shared: Arc::new(Shared {
                pace: Pace::new(&parts.config),
                started: Look {
                    now_ms: parts.clock.now_ms(),
                    elapsed_ms: parts.clock.elapsed_ms(),
                },
                config: parts.config,
                store: parts.store,
                spine: parts.spine,
                gate: parts.gate,
                signals: parts.signals,
                gaps: parts.gaps,
                metrics: parts.metrics,
                clock: parts.clock,
                tasks: parts.tasks,
                answer_timeout: parts.answer_timeout,
                waiting: parts.waiting,
                sites: parts.sites,
                board: parts.board,
                typing: broadcast::channel(TYPING_MARKS).0,
                spoken: broadcast::channel(SPOKEN_MARKS).0,
                live: Mutex::default(),
                erased: Notify::new(),
                watch: tokio::sync::Mutex::default(),
                swept_ms: AtomicU64::new(0),
            }),
        }
    }

    /// A handle of a session that exists or will with its first message. The visitor must be the
    /// one who began it.
    #[must_use]
    pub fn handle(&self, key: SessionKey, opener: Opener) -> SessionHandle {
        SessionHandle { registry: self.clone(), key, opener: Some(opener) }
    }

    /// A handle for agents, who see what is internal too. The session must be there already;
    /// whether the agent may is for the caller to know.
    #[must_use]
    pub fn agents_handle(&self, key: SessionKey) -> SessionHandle {
        SessionHandle { registry: self.clone(), key, opener: None }
    }

    /// The open sessions at a glance.
    #[must_use]
    pub fn board(&self) -> &Board {
        &self.shared.board
    }

    /// Visitors who type to the agents who hold their sessions.
    #[must_use]
    pub fn typing(&self) -> broadcast::Receiver<TypingMark> {
        self.shared.typing.subscribe()
    }

    /// Sessions in which an agent says something from now on.
    #[must_use]
    pub fn spoken(&self) -> broadcast::Receiver<SessionKey> {
        self.shared.spoken.subscribe()
    }

    /// Lets a new visitor in from this network address.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`] when too many came from there.
    pub fn newcomer(&self, address: IpAddr) -> Result<(), Refusal> {
        self.shared.pace.newcomer(address, self.shared.clock.now_ms())
    }

    /// Counts that a visitor connects.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`] when they did so too often.
    pub fn connects(&self, site: &str, visitor: &str) -> Result<(), Refusal> {
        self.shared.pace.visitor(site, visitor, Deed::Connect, self.shared.clock.now_ms())
    }

    /// Tells a waiting visitor where they stand, if the session is in memory; otherwise they learn
    /// it when they come back.
    pub async fn tell_waiting(&self, key: &SessionKey, place: usize, available: bool) {
        let entry = self.lock().entries.get(key).cloned();
        if let Some(Entry { mailbox, .. }) = entry {
            let _ = mailbox.send(Box::new(Envelope::Waiting { place, available })).await;
        }
    }

    /// Puts what is open on the board. Gives how many sessions that are.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn fill_board(&self) -> Result<usize, StoreError> {
        self.fill(BOARD).await
    }

    /// The newest `most` of each site.
    async fn fill(&self, most: usize) -> Result<usize, StoreError> {
        let expiry_ms = self.shared.config.expire_after_h.saturating_mul(3_600_000);
        let since_ms = self.shared.clock.now_ms().saturating_sub(expiry_ms);
        let mut filled = 0;
        for site in self.shared.sites.keys() {
            let (mut after, mut of_site) = (None, 0);
            while of_site < most {
                let limit = PAGE.min(most - of_site);
                let query =
                    SessionQuery { site: site.clone(), limit, after: after.clone(), since_ms };
                let page = self.shared.store.sessions(query).await?;
                let Some(last) = page.last() else { break };
                after = Some(last.cursor());
                for SessionInfo { site, session, .. } in page {
                    if let Some(loaded) = self.load_sound(&SessionKey { site, id: session }).await?
                    {
                        self.shared
                            .board
                            .note(&loaded.session, intent::score(&loaded.signals).score);
                        of_site += 1;
                    }
                }
            }
            filled += of_site;
        }
        self.fill_marks().await?;
        Ok(filled)
    }

    /// Forgets a conversation with everything derived from it: its records, signals among them,
    /// what waits to become signals, its place on the board, what agents have read of it, and what
    /// it left in knowledge gaps. Until this is over nobody opens it; what was read of it before is
    /// not taken up.
    ///
    /// # Errors
    /// When the store can't be read or written.
    pub async fn erase(&self, key: &SessionKey) -> Result<(), StoreError> {
        let shared = &self.shared;
        let _leaving = Leaving::begin(shared, key);
        self.stop_one(key).await;
        shared.store.erase(&key.site, &key.id).await?;
        shared.board.remove(key);
        shared.signals.forget(key);
        shared.spine.llm.forget(key);
        let marks = shared.store.scan(READ_MARKS, &mark_prefix(key)).await?;
        let changes = marks.into_iter().map(|(mark, _)| (mark, None)).collect();
        shared.store.change(READ_MARKS, changes).await?;
        shared.store.remove(TRIES_SPACE, format!("{}\0{}", key.site, key.id).as_bytes()).await?;
        shared.gaps.forget(key).await
    }

    /// Notes how far an agent has read; true if it is further than before. Nobody waits for the
    /// disk: a mark that a crash loses shows a message as unread once more.
    #[must_use]
    pub fn read(&self, key: &SessionKey, agent: &str, seq: u64) -> bool {
        let further = self.shared.board.read(key, agent, seq);
        if further {
            let mark = [mark_prefix(key).as_slice(), agent.as_bytes()].concat();
            drop(self.shared.store.put(READ_MARKS, &mark, &seq.to_be_bytes()));
        }
        further
    }

    /// Puts what agents have read on the board, and forgets it for sessions that aren't there any
    /// more.
    async fn fill_marks(&self) -> Result<(), StoreError> {
        let mut stale = Vec::new();
        for (mark, seq) in self.shared.store.scan(READ_MARKS, b"").await? {
            let parts: Vec<&str> =
                mark.split(|b| *b == 0).filter_map(|part| std::str::from_utf8(part).ok()).collect();
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
        // What an orderly stop cut has done no harm.
        self.take_up(!self.shared.store.opened().clean).await
    }

    /// As [`Registry::recover`]; after a crash it is counted which answers this start takes up.
    async fn take_up(&self, crashed: bool) -> Result<usize, StoreError> {
        let newest = self.newest().await?.unwrap_or_default();
        // Before anything new is stored: how old the last thing is tells whether the clock can be
        // right.
        drop(self.watch().await?);
        // What was running when the process ended was begun shortly before the last thing that was
        // stored.
        let longest_ms = u64::try_from(self.shared.answer_timeout.as_millis())
            .unwrap_or(u64::MAX)
            .saturating_mul(4);
        let mut owing = Vec::new();
        for info in
            self.shared.store.active_between(newest.saturating_sub(longest_ms), u64::MAX).await?
        {
            let key = SessionKey { site: info.site, id: info.session };
            if let Some(loaded) = self.load_sound(&key).await?
                && (loaded.session.owes_answer() || loaded.session.owes_draft())
            {
                owing.push(loaded);
            }
        }
        // All are counted before the first goes on: any of them may be what ends the process.
        if crashed {
            let most = self.shared.config.answer_tries;
            let answers = owing.iter_mut().filter(|loaded| loaded.session.owes_answer());
            let counting = answers.map(|loaded| async move {
                let tries = self.shared.try_again(&loaded.session).await;
                loaded.gives_up = tries.is_some_and(|tries| tries > most);
            });
            // Those that are counted together share a flush.
            stream::iter(counting).for_each_concurrent(COUNTED_AT_ONCE, |counted| counted).await;
        }
        let mut resumed = 0;
        for loaded in owing {
            if let Some(profile) = self.shared.sites.get(&loaded.session.key.site).cloned() {
                resumed += usize::from(self.spawn(loaded, profile, None).is_some());
            }
        }
        if resumed == 0 {
            // Nothing is owed: what was counted is over.
            let tries = self.shared.store.scan(TRIES_SPACE, b"").await?;
            self.shared
                .store
                .change(TRIES_SPACE, tries.into_iter().map(|(key, _)| (key, None)).collect())
                .await?;
        }
        Ok(resumed)
    }

    /// Ends what expired and erases what was kept long enough. Gives how many sessions were ended
    /// and erased.
    ///
    /// # Errors
    /// When the store can't be read or written.
    pub async fn sweep(&self) -> Result<(usize, u64), StoreError> {
        let (config, now_ms) = (&self.shared.config, self.shared.clock.now_ms());
        let expired_before = now_ms.saturating_sub(config.expire_after_h.saturating_mul(3_600_000));
        let (mut ended, mut swept_ms) = (0, expired_before);
        for info in self.expired(expired_before).await? {
            match self.end_expired(&info).await {
                Ok(did) => ended += usize::from(did),
                Err(error) => {
                    tracing::warn!(session = info.session, %error, "a session that expired could not be ended; it is tried again");
                    swept_ms = swept_ms.min(info.last_at_ms);
                }
            }
        }
        // Routing writes to a conversation that waits, and nobody says a word in it.
        for key in self.shared.board.quiet_since(expired_before) {
            match self.end_quiet(key).await {
                Ok(did) => ended += usize::from(did),
                Err(error) => {
                    tracing::warn!(%error, "a session that expired could not be ended; it is tried again")
                }
            }
        }
        self.shared.swept_ms.store(swept_ms, Ordering::Relaxed);
        let held = self.watch().await?.look(self.clocks());
        let mut erased = 0;
        match held {
            Ok(()) if config.retain_days > 0 => {
                let before = now_ms.saturating_sub(config.retain_days.saturating_mul(86_400_000));
                let most =
                    if config.erase_per_hour == 0 { u64::MAX } else { config.erase_per_hour };
                let written = UNIX_EPOCH + Duration::from_millis(before);
                self.shared.spine.llm.expire_files(written);
                for site in self.shared.sites.keys() {
                    let of_site = self.shared.store.expire_before(site, before, most).await?;
                    if of_site < most {
                        self.shared.board.expire_before(site, before);
                    } else {
                        tracing::warn!(
                            site,
                            erased = of_site,
                            "more conversations are old enough to be erased; they wait for the next look"
                        );
                    }
                    erased += of_site;
                }
            }
            Ok(()) => {}
            Err(held) => tracing::error!(%held, "conversations are not erased for their age"),
        }
        if erased > 0 {
            self.shared.gaps.forget_expired().await?;
        }
        self.shared.metrics.retention_held.set(i64::from(held.is_err()));
        Ok((ended, erased))
    }

    fn clocks(&self) -> Look {
        Look { now_ms: self.shared.clock.now_ms(), elapsed_ms: self.shared.clock.elapsed_ms() }
    }

    /// What is known of the clocks; the first look is that of the start.
    async fn watch(&self) -> Result<MappedMutexGuard<'_, Watch>, StoreError> {
        let mut watch = self.shared.watch.lock().await;
        if watch.is_none() {
            let newest_ms = self.newest().await?;
            *watch = Some(Watch::new(self.shared.started, newest_ms));
        }
        let first = self.shared.started;
        Ok(MutexGuard::map(watch, |watch| watch.get_or_insert_with(|| Watch::new(first, None))))
    }

    /// When something was stored last, on any site.
    async fn newest(&self) -> Result<Option<u64>, StoreError> {
        let mut newest = None;
        for site in self.shared.sites.keys() {
            let query = SessionQuery { site: site.clone(), limit: 1, after: None, since_ms: 0 };
            newest = self
                .shared
                .store
                .sessions(query)
                .await?
                .iter()
                .map(|info| info.last_at_ms)
                .max()
                .max(newest);
        }
        Ok(newest)
    }

    /// The sessions to look at for having expired: those that were quiet since, and were not looked
    /// at yet. What expired while the server was down for longer than [`SWEEP_BACK_MS`] ends when
    /// it is next used.
    async fn expired(&self, before_ms: u64) -> Result<Vec<SessionInfo>, StoreError> {
        let since_ms = self
            .shared
            .swept_ms
            .load(Ordering::Relaxed)
            .max(before_ms.saturating_sub(SWEEP_BACK_MS));
        self.shared.store.active_between(since_ms, before_ms).await
    }

    /// Ends a session that expired; false if it had ended before.
    async fn end_expired(&self, info: &SessionInfo) -> Result<bool, JoinError> {
        let key = SessionKey { site: info.site.clone(), id: info.session.clone() };
        // The last event mostly tells; where a note or a rating came after the end, the whole
        // conversation does.
        let last = self
            .shared
            .store
            .read(&key.site, &key.id, info.last_seq.saturating_sub(1), &[RecordKind::Event])
            .await;
        let last = last.map_err(OpenError::Store)?;
        let tells = |record: &Record| {
            matches!(serde_json::from_slice(&record.body), Ok(Event::Ended { .. }))
        };
        if last.last().is_some_and(tells) {
            return Ok(false);
        }
        self.end_quiet(key).await
    }

    /// Ends a session in which nobody has said anything for too long; false if it had ended before.
    async fn end_quiet(&self, key: SessionKey) -> Result<bool, JoinError> {
        let Some(Loaded { session, .. }) = self.load(&key).await.map_err(OpenError::Store)? else {
            return Ok(false);
        };
        if session.ended {
            return Ok(false);
        }
        let opener = Opener {
            visitor: session.visitor.clone(),
            channel: session.channel.clone(),
            language: None,
        };
        // Joining a session that expired ends it.
        self.handle(key, opener).join(u64::MAX, None).await?;
        Ok(true)
    }

    /// All stored conversations of a visitor, the latest first. Every conversation of the site is
    /// looked at: there is no index of visitors, and this is asked rarely. Beside them: how many
    /// can't be read, so that nobody can tell whose they are.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn of_visitor(
        &self,
        site: &str,
        visitor: &str,
    ) -> Result<(Vec<SessionKey>, usize), StoreError> {
        let (mut found, mut unreadable, mut after) = (Vec::new(), 0, None);
        loop {
            let query = SessionQuery { site: site.to_owned(), limit: PAGE, after, since_ms: 0 };
            let page = self.shared.store.sessions(query).await?;
            let Some(last) = page.last() else { return Ok((found, unreadable)) };
            after = Some(last.cursor());
            for SessionInfo { site, session, .. } in page {
                let first = self.shared.store.page(&site, &session, 0, 1).await;
                let first = unless_damaged(first, &site, &session)?;
                match first.records.first().map(|record| serde_json::from_slice(&record.body)) {
                    Some(Ok(Event::Started { visitor: of, .. })) => {
                        if of == visitor {
                            found.push(SessionKey { site, id: session });
                        }
                    }
                    _ => unreadable += 1,
                }
            }
        }
    }

    /// The open sessions of a site.
    #[must_use]
    pub fn open_sessions(&self, site: &str) -> Vec<SessionKey> {
        self.shared.board.open(site)
    }

    /// Tells a session what a model says of it; one that sleeps has it on the board. A session with
    /// a full mailbox has more to do: its next signal brings the next score.
    pub fn scored(&self, key: &SessionKey, intent: intent::Intent) {
        let entry = self.lock().entries.get(key).cloned();
        match entry {
            Some(Entry { mailbox, .. }) => {
                drop(mailbox.try_send(Box::new(Envelope::Scored { intent })))
            }
            None => self.shared.board.score(key, intent.score),
        }
    }

    /// Tells every session to checkpoint and end, and waits until all have, at most `limit`. True
    /// if all have: an answer of another one goes on from its last checkpoint.
    pub async fn stop(&self, limit: Duration) -> bool {
        let live: Vec<_> = self.lock().entries.values().cloned().collect();
        let stopping = live.into_iter().map(|Entry { mailbox, .. }| async move {
            let _ = mailbox.send(Box::new(Envelope::Stop)).await;
            mailbox.closed().await;
        });
        tokio::time::timeout(limit, futures_util::future::join_all(stopping)).await.is_ok()
    }

    /// Ends one session's task, if it runs; its clients are told to come back.
    pub async fn stop_one(&self, key: &SessionKey) {
        let entry = self.lock().entries.get(key).cloned();
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

    fn lock(&self) -> std::sync::MutexGuard<'_, InMemory> {
        self.shared.live()
    }

    async fn mailbox(
        &self,
        key: &SessionKey,
        opener: Option<&Opener>,
    ) -> Result<mpsc::Sender<Box<Envelope>>, OpenError> {
        let profile = self
            .shared
            .sites
            .get(&key.site)
            .cloned()
            .ok_or_else(|| OpenError::UnknownSite(key.site.clone()))?;
        loop {
            let erasures = match self.place(key).await {
                Place::Taken(entry) => return entry.opened_by(opener),
                Place::Free { erasures } => erasures,
            };
            let loaded = match (self.load(key).await?, opener) {
                (Some(loaded), Some(opener)) if loaded.session.visitor != opener.visitor => {
                    return Err(OpenError::Foreign);
                }
                (Some(loaded), _) => loaded,
                (None, None) => return Err(OpenError::Unknown),
                (None, Some(Opener { visitor, channel, .. })) => {
                    let limits = Limits::from(&self.shared.config);
                    let (visitor, channel) = (visitor.clone(), channel.clone());
                    let now_ms = self.shared.clock.now_ms();
                    let session = Session::new(
                        key.clone(),
                        visitor,
                        channel,
                        limits,
                        profile.policy.clone(),
                        now_ms,
                    );
                    Loaded { erasures, session, signals: Vec::new(), gives_up: false }
                }
            };
            let language = opener.and_then(|opener| opener.language);
            if let Some(entry) = self.spawn(loaded, profile.clone(), language) {
                return entry.opened_by(opener);
            }
        }
    }

    /// Where the session is, once nobody erases it.
    async fn place(&self, key: &SessionKey) -> Place {
        loop {
            let mut erased = std::pin::pin!(self.shared.erased.notified());
            // From here on no end of an erasure is missed.
            erased.as_mut().enable();
            {
                let live = self.lock();
                if !live.leaving.contains_key(key) {
                    return match live.entries.get(key) {
                        Some(entry) => Place::Taken(entry.clone()),
                        None => Place::Free { erasures: live.erasures },
                    };
                }
            }
            erased.await;
        }
    }

    /// Starts the task, unless somebody else did meanwhile. `None` if something was erased since
    /// the session was read: it may have been this one, and is to be read again.
    fn spawn(
        &self,
        loaded: Loaded,
        profile: Arc<Profile>,
        language: Option<&'static str>,
    ) -> Option<Entry> {
        let Loaded { erasures, session, signals, gives_up } = loaded;
        let mut live = self.lock();
        if let Some(entry) = live.entries.get(&session.key) {
            return Some(entry.clone());
        }
        if live.erasures != erasures || live.leaving.contains_key(&session.key) {
            return None;
        }
        let (sender, mailbox) = mpsc::channel(MAILBOX);
        let entry = Entry { visitor: session.visitor.clone(), mailbox: sender };
        live.entries.insert(session.key.clone(), entry.clone());
        drop(live);
        let shared = self.shared.clone();
        let count = GaugeGuard::new(&shared.metrics.sessions_live);
        let task = Box::new(Live {
            session,
            profile,
            language,
            shared,
            mailbox,
            participants: Vec::new(),
            turn: None,
            draft: None,
            gives_up,
            preparing: None,
            intent: intent::score(&signals),
            signals,
            _count: count,
        });
        self.shared.signals.score(&task.session.key);
        self.shared.tasks.spawn("session", task.run());
        Some(entry)
    }

    /// The session, unless it is damaged: the others go on.
    async fn load_sound(&self, key: &SessionKey) -> Result<Option<Loaded>, StoreError> {
        let loaded = self.load(key).await;
        if matches!(loaded, Err(StoreError::Corrupt { .. })) {
            self.shared.metrics.unreadable.inc();
        }
        unless_damaged(loaded, &key.site, &key.id)
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<Loaded>, StoreError> {
        let erasures = self.lock().erasures;
        let records = self
            .shared
            .store
            .read(&key.site, &key.id, 0, &[RecordKind::Event, RecordKind::Partial])
            .await?;
        if records.is_empty() {
            return Ok(None);
        }
        let limits = Limits::from(&self.shared.config);
        let policy = self
            .shared
            .sites
            .get(&key.site)
            .map_or_else(Policy::default, |profile| profile.policy.clone());
        let now_ms = self.shared.clock.now_ms();
        let mut session =
            Session::new(key.clone(), String::new(), String::new(), limits, policy, now_ms);
        let mut signals = Vec::new();
        for record in records {
            match record.kind {
                RecordKind::Event => match event_of(&record)? {
                    Some(event) => {
                        session.replay(record.seq, record.at_ms, &event);
                        signals.extend(self.shared.signals.of(&key.site, &event));
                    }
                    None => session.pass_over(record.seq, record.at_ms),
                },
                RecordKind::Partial => {
                    if let Ok(checkpoint) = serde_json::from_slice::<Checkpoint>(&record.body) {
                        session.replay_checkpoint(&checkpoint);
                    }
                }
                RecordKind::Signal => {}
            }
        }
        Ok(Some(Loaded { erasures, session, signals, gives_up: false }))
    }
}

fn mark_prefix(key: &SessionKey) -> Vec<u8> {
    format!("{}\0{}\0", key.site, key.id).into_bytes()
}

impl SessionHandle {
    /// Joins as a participant that has seen everything up to `after`.
    ///
    /// # Errors
    /// When the session is somebody else's or the disk fails.
    pub async fn join(&self, after: u64, partial: Option<Partial>) -> Result<Joined, JoinError> {
        let agent = self.opener.is_none();
        let language = self.opener.as_ref().and_then(|opener| opener.language);
        let join = |reply| Envelope::Join { agent, after, partial, language, reply };
        Ok(self.ask(join).await??)
    }

    /// The next page of what a participant missed, and after which `seq` another one begins, if
    /// there is one. Only who has joined may ask: whether the session is theirs isn't looked at
    /// again.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn missed(
        &self,
        after: u64,
        through: u64,
    ) -> Result<(Vec<Past>, Option<u64>), JoinError> {
        let missed =
            self.registry.shared.missed(&self.key, self.opener.is_none(), after, through).await;
        Ok(missed.map_err(OpenError::Store)?)
    }

    /// As [`SessionHandle::join`], with all that was missed.
    ///
    /// # Errors
    /// As [`SessionHandle::join`].
    pub async fn join_whole(
        &self,
        after: u64,
        partial: Option<Partial>,
    ) -> Result<Joined, JoinError> {
        let mut joined = self.join(after, partial).await?;
        while let Some(after) = joined.rest_after {
            let (page, rest_after) = self.missed(after, joined.last_seq).await?;
            joined.missed.extend(page);
            joined.rest_after = rest_after;
        }
        Ok(joined)
    }

    /// Has a command carried out; what is accepted is on disk.
    ///
    /// # Errors
    /// When it is refused, or can't be stored.
    pub async fn command(&self, command: Command) -> Result<Accepted, JoinError> {
        let accepted =
            self.ask(|reply| Envelope::Command { command: command.clone(), reply }).await?;
        Ok(accepted?)
    }

    /// Has the answer to what is being typed prepared, if the session is in memory and not busy.
    pub fn typed(&self, text: String) {
        self.mention(Envelope::Typed { text });
    }

    /// Has it passed on that the visitor is typing, or the agent of this id.
    pub fn types(&self, agent: Option<String>) {
        self.mention(Envelope::Typing { agent });
    }

    /// Tells a session that is in memory. One with a full mailbox has better things to do.
    fn mention(&self, envelope: Envelope) {
        let entry = self.registry.lock().entries.get(&self.key).cloned();
        if let Some(Entry { mailbox, .. }) = entry {
            let _ = mailbox.try_send(Box::new(envelope));
        }
    }

    /// Counts something that the visitor does beside commands and that is stored.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`]: it is not to be done.
    pub fn count_event(&self) -> Result<(), Refusal> {
        let Some(Opener { visitor, .. }) = &self.opener else { return Ok(()) };
        let shared = &self.registry.shared;
        shared.pace.visitor(&self.key.site, visitor, Deed::Event, shared.clock.now_ms())
    }

    /// Another conversation of the same visitor.
    #[must_use]
    pub fn sibling(&self, key: SessionKey) -> Self {
        Self { key, ..self.clone() }
    }

    /// Ends the conversation for its visitor; one that isn't there or is over stays as it is.
    ///
    /// # Errors
    /// When the session is somebody else's or the disk fails.
    pub async fn end_if_open(&self) -> Result<(), JoinError> {
        // Ending begins what was never begun.
        if self
            .registry
            .shared
            .store
            .session(&self.key.site, &self.key.id)
            .await
            .map_err(OpenError::Store)?
            .is_none()
        {
            return Ok(());
        }
        match self.command(Command::End { reason: "visitor".into() }).await {
            Ok(_) | Err(JoinError::Command(CommandError::Refused(Refusal::Ended))) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Erases the conversation with everything derived from it; who takes part is told to come
    /// back, and finds nothing.
    ///
    /// # Errors
    /// When the session is somebody else's or the disk fails.
    pub async fn erase(&self) -> Result<(), JoinError> {
        // What isn't on disk needs no task just to find that out.
        let stored = self
            .registry
            .shared
            .store
            .session(&self.key.site, &self.key.id)
            .await
            .map_err(OpenError::Store)?;
        if stored.is_none() {
            self.registry.shared.signals.forget(&self.key);
            return Ok(());
        }
        self.join(u64::MAX, None).await?;
        Ok(self.registry.erase(&self.key).await.map_err(OpenError::Store)?)
    }

    async fn ask<T>(
        &self,
        envelope: impl Fn(oneshot::Sender<T>) -> Envelope,
    ) -> Result<T, JoinError> {
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

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use futures_util::FutureExt as _;

    use super::*;
    use crate::config::Config;
    use crate::conversation::{Agent, AnswerEnd, LeaveReason};
    use crate::gaps::Gaps;
    use crate::llm::Llm;
    use crate::protocol::console::{Filter, List};
    use crate::server;
    use crate::session::{AgentCommand, Update};
    use crate::signals::SignalParts;
    use crate::signals::touched::Touched;
    use crate::site::Site;
    use crate::store::PAGE_RECORDS;
    use crate::turn::Mode;

    /// A registry over a store of its own, with the scripted engine, the real embedder and nothing
    /// to answer from.
    struct OpenRegistry {
        registry: Registry,
        store: Store,
        clock: Clock,
        gaps: Gaps,
        /// The task that keeps the gaps lives as long as this.
        _changes: tokio::sync::watch::Sender<u64>,
        /// Outlives the test: parts that are dropped with the runtime still write there.
        _directory: PathBuf,
    }

    const NOW_MS: u64 = 1_700_000_000_000;
    const HOUR_MS: u64 = 3_600_000;

    fn models() -> PathBuf {
        let of = |name| std::env::var_os(name).map(PathBuf::from);
        let cache = of("FRONTDESK_CACHE").unwrap_or_else(|| {
            of("XDG_CACHE_HOME")
                .unwrap_or_else(|| of("HOME").expect("HOME is set").join(".cache"))
                .join("frontdesk")
        });
        cache.join("models")
    }

    async fn desk() -> OpenRegistry {
        desk_with(|_| {}).await
    }

    async fn desk_with(change: impl FnOnce(&mut Config)) -> OpenRegistry {
        let prefix = format!("frontdesk-test-{}-", std::process::id());
        let directory = tempfile::Builder::new().prefix(&prefix).tempdir().unwrap().keep();
        let mut config = Config::default();
        config.store.path = directory.join("store");
        config.knowledge.index = directory.join("index");
        config.embedder.model = models().join("all-minilm-l6-v2-f16.gguf");
        config.llm.engine = "scripted".into();
        config.llm.model = String::new();
        config.answers.prompts = Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts");
        config.sites =
            ["shop", "bank"].map(|id| Site { id: id.into(), ..Site::default() }).to_vec();
        change(&mut config);
        let (clock, tasks, metrics) = (Clock::manual(NOW_MS), Tasks::default(), Metrics::new());
        let store = Store::open(&config.store).unwrap();
        let retrieval = server::open_retrieval(&config, &metrics).await.unwrap();
        let llm = Llm::start(&config.llm).unwrap();
        let spine =
            server::spine(&config, retrieval, llm, Mode::Quote, clock.clone(), metrics.clone())
                .unwrap();
        let parts = SignalParts {
            store: store.clone(),
            metrics: metrics.clone(),
            embedder: None,
            products: spine.catalogue.clone(),
            touched: Touched::default(),
            scoring: None,
        };
        let (signals, writing) = SignalLog::new(&config.signals, parts);
        tasks.spawn("signals", writing);
        let gaps = Gaps::open(store.clone(), config.gaps.clone()).await.unwrap();
        let (changes, seen) = tokio::sync::watch::channel(0);
        let (gap_log, keeping) = GapLog::new(crate::gaps::Parts {
            gaps: gaps.clone(),
            spine: spine.clone(),
            metrics: metrics.clone(),
            clock: clock.clone(),
            sites: config
                .sites
                .iter()
                .map(|site| (site.id.clone(), site.facts(), site.language.clone()))
                .collect(),
            changes: seen,
            tasks: tasks.clone(),
        });
        tasks.spawn("knowledge gaps", keeping);
        let registry = Registry::new(Parts {
            config: config.sessions.clone(),
            store: store.clone(),
            spine,
            gate: TurnGate::new(4, 4, HashMap::new()),
            signals,
            gaps: gap_log,
            metrics,
            clock: clock.clone(),
            tasks,
            waiting: 500,
            answer_timeout: Duration::from_secs(30),
            sites: config
                .sites
                .iter()
                .map(|site| (site.id.clone(), Arc::new(site.profile())))
                .collect(),
            board: Board::new("boot"),
        });
        OpenRegistry { registry, store, clock, gaps, _changes: changes, _directory: directory }
    }

    fn key(site: &str, id: &str) -> SessionKey {
        SessionKey { site: site.into(), id: id.into() }
    }

    fn say(id: &str) -> Command {
        Command::Say { id: id.into(), text: "How much is shipping?".into() }
    }

    impl OpenRegistry {
        fn visitor(&self, key: SessionKey) -> SessionHandle {
            self.registry.handle(
                key,
                Opener { visitor: "v".into(), channel: "widget".into(), language: None },
            )
        }

        /// Writes an event's bytes as they are.
        async fn write(&self, key: &SessionKey, seq: u64, at_ms: u64, body: &str) {
            let (site, session, kind) = (key.site.clone(), key.id.clone(), RecordKind::Event);
            self.store
                .append(Record { site, session, seq, at_ms, kind, body: body.into() })
                .await
                .unwrap();
        }
    }

    const STARTED: &str = r#"{"event":"started","visitor":"v","channel":"widget"}"#;
    const ENDED: &str = r#"{"event":"ended","reason":"visitor"}"#;

    #[tokio::test]
    async fn an_event_of_a_later_build_is_kept_and_passed_over() {
        const LATER: &str = r#"{"event":"hologram","shape":"cube"}"#;
        let desk = desk().await;
        let known = key("shop", "s");
        desk.write(&known, 1, NOW_MS, STARTED).await;
        desk.write(&known, 2, NOW_MS, LATER).await;
        let handle = desk.visitor(known.clone());
        let joined = handle.join(0, None).await.unwrap();
        assert_eq!((joined.last_seq, joined.ended), (2, false));
        assert_eq!(handle.command(say("a")).await.unwrap().seq, 3, "it counts");
        let kept = desk.store.read("shop", "s", 1, &[RecordKind::Event]).await.unwrap();
        assert_eq!(kept.first().map(|record| record.body.as_slice()), Some(LATER.as_bytes()));
    }

    #[tokio::test]
    async fn a_long_history_comes_in_pages_and_whole_all_the_same() {
        let desk = desk().await;
        let key = key("shop", "long");
        desk.write(&key, 1, NOW_MS, STARTED).await;
        let last = 700;
        for seq in 2..=last {
            let said = format!(
                r#"{{"event":"note","id":"n{seq}","agent":{{"id":"a","name":"A"}},"text":"x"}}"#
            );
            desk.write(&key, seq, NOW_MS, &said).await;
        }
        let agents = desk.registry.agents_handle(key.clone());
        let first = agents.join(0, None).await.unwrap();
        assert_eq!(
            (first.missed.len(), first.rest_after),
            (PAGE_RECORDS, Some(PAGE_RECORDS as u64))
        );
        let whole = agents.join_whole(3, None).await.unwrap();
        assert!(whole.missed.iter().map(|past| past.seq).eq(4..=last), "gapless and in order");
        // What is internal takes no place in a visitor's answer, and ends no page early for good.
        let visitors = desk.visitor(key).join_whole(0, None).await.unwrap();
        assert_eq!(
            (visitors.last_seq, visitors.missed.len(), visitors.rest_after),
            (last, 1, None)
        );
    }

    #[tokio::test]
    async fn a_cut_answer_is_taken_up_twice_unless_it_gets_further() {
        let desk = desk().await;
        let key = key("shop", "s");
        desk.write(&key, 1, NOW_MS, STARTED).await;
        desk.write(&key, 2, NOW_MS, r#"{"event":"said","id":"a","text":"Hi"}"#).await;
        desk.write(&key, 3, NOW_MS, r#"{"event":"answer_started","turn":2}"#).await;
        let mut session = desk.registry.load(&key).await.unwrap().unwrap().session;
        for expected in [1, 2, 3] {
            assert_eq!(desk.registry.shared.try_again(&session).await, Some(expected));
        }
        session.apply(Command::Write { turn: 2, text: "Further".into() }, NOW_MS);
        assert_eq!(desk.registry.shared.try_again(&session).await, Some(1));
        // What is erased leaves nothing, and what is owed nowhere is counted nowhere.
        desk.registry.erase(&key).await.unwrap();
        assert_eq!(desk.store.scan(TRIES_SPACE, b"").await.unwrap(), []);
    }

    #[tokio::test]
    async fn a_start_counts_each_answer_once_and_no_draft() {
        let desk = desk_with(|config| config.sessions.answer_tries = 1).await;
        let (answer, tried, draft) =
            (key("shop", "answer"), key("shop", "tried"), key("bank", "draft"));
        for key in [&answer, &tried, &draft] {
            desk.write(key, 1, NOW_MS, STARTED).await;
        }
        let taken = r#"{"event":"agent_joined","agent":{"id":"mara","name":"Mara"},"by":null}"#;
        desk.write(&draft, 2, NOW_MS, taken).await;
        desk.write(&draft, 3, NOW_MS, r#"{"event":"said","id":"a","text":"Hi"}"#).await;
        for key in [&answer, &tried] {
            desk.write(key, 2, NOW_MS, r#"{"event":"said","id":"a","text":"Hi"}"#).await;
            desk.write(key, 3, NOW_MS, r#"{"event":"answer_started","turn":2}"#).await;
        }
        let session = desk.registry.load(&tried).await.unwrap().unwrap().session;
        assert_eq!(desk.registry.shared.try_again(&session).await, Some(1));
        let drafted = desk.registry.load(&draft).await.unwrap().unwrap().session;
        assert!(drafted.owes_draft() && !drafted.owes_answer());

        assert_eq!(desk.registry.take_up(true).await.unwrap(), 3);
        let tries = async || {
            let kept = desk.store.scan(TRIES_SPACE, b"").await.unwrap();
            let tries = |(key, value): (Vec<u8>, Vec<u8>)| {
                let (_, tries) = serde_json::from_slice::<([u64; 2], u32)>(&value).unwrap();
                (String::from_utf8(key).unwrap(), tries)
            };
            kept.into_iter().map(tries).collect::<Vec<_>>()
        };
        let counted = [("shop\0answer".to_owned(), 1), ("shop\0tried".to_owned(), 2)];
        assert_eq!(tries().await, counted);
        let end = async |key: &SessionKey| loop {
            let joined = desk.visitor(key.clone()).join(0, None).await.unwrap();
            let done = joined.missed.into_iter().find_map(|past| match past.event {
                Event::AnswerDone { end, .. } => Some(end),
                _ => None,
            });
            if let Some(end) = done {
                break end;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(end(&tried).await, AnswerEnd::Failed, "enough starts took it up");
        assert_ne!(end(&answer).await, AnswerEnd::Failed);
        // Who comes back has it loaded again, which is no start.
        desk.registry.stop_one(&answer).await;
        desk.visitor(answer.clone()).join(0, None).await.unwrap();
        assert_eq!(tries().await, counted);
    }

    #[tokio::test]
    async fn a_nearly_full_disk_takes_repeats_and_lets_a_person_take_over() {
        let desk = desk_with(|config| config.store.reserve_mib = 1 << 40).await;
        let key = key("shop", "s");
        let visitor = desk.visitor(key.clone());
        let said = visitor.command(say("a")).await.unwrap();
        desk.store.look_for_room().unwrap();
        assert_eq!(visitor.command(say("a")).await.unwrap(), said);
        let full = |answer: Result<Accepted, JoinError>| {
            assert!(matches!(answer, Err(JoinError::Command(CommandError::Full))), "{answer:?}");
        };
        full(visitor.command(say("b")).await);
        let agents = desk.registry.agents_handle(key);
        let mara = Agent { id: "mara".into(), name: "Mara".into() };
        let take = AgentCommand::Take { agent: mara.clone(), by: None };
        agents.command(Command::Agent(take)).await.unwrap();
        let (id, text) = ("n".into(), "x".into());
        full(agents.command(Command::Agent(AgentCommand::Note { id, agent: mara, text })).await);
        let release = AgentCommand::Release { agent: "mara".into(), reason: LeaveReason::Vanished };
        agents.command(Command::Agent(release)).await.unwrap();
    }

    #[tokio::test]
    async fn no_limit_erases_all_and_each_site_leaves_the_board_by_itself() {
        let erase = async |erase_per_hour| {
            let desk = desk_with(|config| config.sessions.erase_per_hour = erase_per_hour).await;
            for (site, id) in [("shop", "a"), ("shop", "b"), ("shop", "c"), ("bank", "d")] {
                desk.write(&key(site, id), 1, NOW_MS, STARTED).await;
                desk.write(&key(site, id), 2, NOW_MS, ENDED).await;
            }
            desk.registry.fill(BOARD).await.unwrap();
            assert_eq!(desk.registry.recover().await.unwrap(), 0);
            let listed = |site| {
                desk.registry.board().list(site, "a", List::Ended, &Filter::default(), 0, 5).1
            };
            let before = (listed("shop"), listed("bank"));
            // By the clock that nobody sets, too.
            desk.clock.advance(400 * 24 * HOUR_MS);
            let erased = desk.registry.sweep().await.unwrap().1;
            assert_eq!(before, (3, 1), "they were listed");
            (erased, listed("shop"), listed("bank"))
        };
        assert_eq!(erase(0).await, (4, 0, 0));
        let (erased, _, of_bank) = erase(2).await;
        assert_eq!((erased, of_bank), (3, 0), "the other site's limit is none of its business");
    }

    #[tokio::test]
    async fn stopping_waits_so_long_for_a_session_and_no_longer() {
        let desk = desk().await;
        let handle = desk.visitor(key("shop", "s"));
        handle.join(0, None).await.unwrap();
        assert!(desk.registry.stop(Duration::from_secs(20)).await);
        // One that never reads its mailbox.
        let (mailbox, _unread) = mpsc::channel(1);
        desk.registry
            .lock()
            .entries
            .insert(key("shop", "stuck"), Entry { visitor: "v".into(), mailbox });
        assert!(!desk.registry.stop(Duration::from_millis(50)).await);
    }

    #[tokio::test]
    async fn a_clock_that_jumps_erases_nothing_and_one_look_erases_so_many() {
        let desk = desk().await;
        for at in 0..3 {
            desk.write(&key("shop", &format!("s{at}")), 1, NOW_MS + at, STARTED).await;
        }
        assert_eq!(desk.registry.recover().await.unwrap(), 0);
        let stored = async |desk: &OpenRegistry| {
            let query = SessionQuery { site: "shop".into(), limit: 10, after: None, since_ms: 0 };
            desk.store.sessions(query).await.unwrap().len()
        };
        desk.clock.set_forward(400 * 24 * HOUR_MS);
        assert_eq!(desk.registry.sweep().await.unwrap().1, 0);
        desk.clock.advance(23 * HOUR_MS);
        assert_eq!((desk.registry.sweep().await.unwrap().1, stored(&desk).await), (0, 3));
        assert_eq!(desk.registry.shared.metrics.retention_held.get(), 1);
        // Time that passed is another thing.
        desk.clock.advance(400 * 24 * HOUR_MS);
        assert_eq!((desk.registry.sweep().await.unwrap().1, stored(&desk).await), (3, 0));
        assert_eq!(desk.registry.shared.metrics.retention_held.get(), 0);
        for at in 0..3 {
            desk.write(&key("shop", &format!("t{at}")), 1, NOW_MS + at, STARTED).await;
        }
        let before = desk.clock.now_ms();
        assert_eq!(desk.store.expire_before("shop", before, 2).await.unwrap(), 2);
        assert_eq!(stored(&desk).await, 1);
    }

    #[tokio::test]
    async fn a_full_line_of_reads_refuses_who_joins_and_nobody_else() {
        let desk = desk().await;
        let handle = desk.visitor(key("shop", "s"));
        let mut first = handle.join(0, None).await.unwrap();
        handle.command(say("a")).await.unwrap();
        while !matches!(
            &*first.updates.recv().await.unwrap(),
            Update::Event { event: Event::AnswerDone { .. }, .. }
        ) {}

        let held = desk.store.hold_reads();
        let mut line = Vec::new();
        loop {
            let mut read = Box::pin(desk.store.session("shop", "other"));
            match (&mut read).now_or_never() {
                Some(Err(StoreError::Overloaded { .. })) => break,
                Some(answer) => panic!("{answer:?} while reads are held"),
                None => line.push(read),
            }
        }
        match handle.join(0, None).await {
            Err(JoinError::Command(CommandError::Overloaded { retry_after_ms })) => {
                assert!(retry_after_ms > 0)
            }
            other => panic!("{other:?}"),
        }
        drop(held);
        for read in line {
            assert_eq!(read.await.unwrap(), None);
        }
        assert!(handle.join(0, None).await.unwrap().last_seq > 0);
        handle.command(say("b")).await.unwrap();
        loop {
            match &*first.updates.recv().await.expect("the one who was there stays") {
                Update::Lost => panic!("the conversation was given up"),
                Update::Event { event: Event::Said { id, .. }, .. } if id == "b" => break,
                _ => {}
            }
        }
    }

    #[tokio::test]
    async fn every_site_has_its_newest_on_the_board() {
        let desk = desk().await;
        for site in ["shop", "bank"] {
            for at in 0..3 {
                desk.write(&key(site, &format!("s{at}")), 1, NOW_MS + at, STARTED).await;
            }
        }
        assert_eq!(desk.registry.fill(2).await.unwrap(), 4);
        for site in ["shop", "bank"] {
            let mut open = desk.registry.open_sessions(site);
            open.sort();
            assert_eq!(open, [key(site, "s1"), key(site, "s2")]);
        }
    }

    #[tokio::test]
    async fn what_has_ended_is_not_read_again_and_what_was_swept_not_looked_at() {
        let desk = desk().await;
        let (quiet, ended, rated, odd) =
            (key("shop", "quiet"), key("bank", "ended"), key("shop", "rated"), key("shop", "odd"));
        desk.write(&quiet, 1, NOW_MS, STARTED).await;
        // Reading the whole of this one would fail.
        desk.write(&ended, 1, NOW_MS + 1, "nothing").await;
        desk.write(&ended, 2, NOW_MS + 1, ENDED).await;
        desk.write(&rated, 1, NOW_MS + 2, STARTED).await;
        desk.write(&rated, 2, NOW_MS + 2, ENDED).await;
        desk.write(
            &rated,
            3,
            NOW_MS + 2,
            r#"{"event":"feedback","turn":1,"rating":"up","text":null}"#,
        )
        .await;
        desk.clock.advance(25 * HOUR_MS);
        assert_eq!(desk.registry.sweep().await.unwrap(), (1, 0));
        let last = desk.store.session("shop", "quiet").await.unwrap().unwrap();
        assert_eq!((last.last_seq, last.last_at_ms), (2, NOW_MS + 25 * HOUR_MS));
        assert_eq!(desk.registry.expired(NOW_MS + HOUR_MS).await.unwrap(), []);

        // One that can't be read stops nobody else, and is looked at again.
        desk.write(&odd, 1, NOW_MS + HOUR_MS, "nothing").await;
        desk.write(&key("shop", "late"), 1, NOW_MS + HOUR_MS + 1, STARTED).await;
        desk.clock.advance(HOUR_MS);
        assert_eq!(desk.registry.sweep().await.unwrap(), (1, 0));
        let again = desk.registry.expired(NOW_MS + 2 * HOUR_MS).await.unwrap();
        assert_eq!(again.iter().map(|info| info.session.as_str()).collect::<Vec<_>>(), ["odd"]);
    }

    /// Whoever read the session before it was erased, a message over HTTP for one, must not bring
    /// it back.
    #[tokio::test]
    async fn what_was_read_before_an_erasure_is_not_taken_up_after_it() {
        let desk = desk().await;
        let key = key("shop", "s");
        desk.visitor(key.clone()).command(say("a")).await.unwrap();
        desk.registry.stop_one(&key).await;
        let loaded = desk.registry.load(&key).await.unwrap().unwrap();
        desk.registry.erase(&key).await.unwrap();
        let site = desk.registry.shared.sites["shop"].clone();
        assert!(desk.registry.spawn(loaded, site, None).is_none());
        assert_eq!(desk.registry.open_sessions("shop"), []);
        assert_eq!(desk.visitor(key.clone()).join(0, None).await.unwrap().last_seq, 0);
        assert_eq!(desk.store.session("shop", "s").await.unwrap(), None);
    }

    #[tokio::test]
    async fn nobody_opens_a_session_while_it_is_erased() {
        let desk = desk().await;
        let key = key("shop", "s");
        let handle = desk.visitor(key.clone());
        for round in 0..10 {
            handle.command(say("a")).await.unwrap();
            let erasing = async {
                handle.erase().await.unwrap();
                desk.store.session("shop", "s").await.unwrap()
            };
            let (after, joined) = tokio::join!(erasing, handle.join(0, None));
            assert_eq!(after, None, "round {round}");
            // Before it or after it, never a session of which a part is gone.
            let joined = joined.unwrap();
            assert!(
                joined.last_seq == 0 || joined.missed.len() as u64 == joined.last_seq,
                "{joined:?}"
            );
            assert_eq!(desk.registry.open_sessions("shop"), [], "round {round}");
        }
        assert!(desk.registry.lock().leaving.is_empty());
    }

    #[tokio::test]
    async fn an_erasure_takes_the_gaps_and_marks_of_its_session_along() {
        let desk = desk().await;
        let key = key("shop", "s");
        let handle = desk.visitor(key.clone());
        let mut joined = handle.join(0, None).await.unwrap();
        handle.command(say("a")).await.unwrap();
        // There is nothing to answer from: it is declined, and a gap.
        while !matches!(
            &*joined.updates.recv().await.unwrap(),
            Update::Event { event: Event::AnswerDone { .. }, .. }
        ) {}
        while desk.gaps.list("shop", None).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        assert!(desk.registry.read(&key, "mara", 2));
        handle.erase().await.unwrap();
        let kept = desk.store.scan("gaps", b"").await.unwrap();
        assert!(
            kept.is_empty() && desk.gaps.list("shop", None).await.unwrap().is_empty(),
            "{kept:?}"
        );
        assert_eq!(desk.store.scan(READ_MARKS, b"").await.unwrap(), []);
    }
}
