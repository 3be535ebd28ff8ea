//! The open sessions of every site at a glance: who holds them, who waits, which agents are there.
//! In memory, made of the log; consoles list it and ask what changed since they last looked, so
//! nothing is queued for anybody.
//!
//! No I/O and no tokio but for one notification: the task that acts on it is [`super::desk`].

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::{Holder, Places, Session};
use crate::clock::Clock;
use crate::conversation::{Agent, LeaveReason, SessionKey};
use crate::protocol::console::{
    Counts, Filter, Holder as HolderView, List, Presence, Preview, Role, Summary,
};
use crate::protocol::parts;

/// Ended sessions that are kept for the list of ended ones.
const ENDED: usize = 1_000;
/// Sessions a site's board holds in all; the ones that were quiet longest leave first, unless they
/// wait or are held.
const OPEN: usize = 20_000;
/// Erased sessions that are remembered for consoles that come back.
const GONE: usize = 1_000;
/// Unicode scalar values of a preview.
const PREVIEW: usize = 160;

/// All sites' boards. Cheap to clone.
#[derive(Clone)]
pub struct Board {
    state: Arc<Mutex<State>>,
    changed: watch::Sender<u64>,
    /// Tells this run of the server from others: revisions are its own.
    pub boot: Arc<str>,
}

#[derive(Default)]
struct State {
    rev: u64,
    sites: HashMap<String, SiteBoard>,
}

#[derive(Default)]
struct SiteBoard {
    entries: HashMap<String, Entry>,
    by_rev: BTreeMap<u64, String>,
    /// Who waits, first come first: since when, and the session.
    queue: BTreeSet<(u64, String)>,
    /// How many places in the queue each visitor has.
    waiting: HashMap<String, usize>,
    /// Open sessions that an agent holds, by agent: changes of one session mustn't cost a look at
    /// all of them.
    held: HashMap<String, BTreeSet<String>>,
    /// Open sessions that the model holds, by their last word.
    idle: BTreeSet<(u64, String)>,
    ended: BTreeSet<(u64, String)>,
    gone: VecDeque<(u64, String)>,
    /// Revisions up to this one can't be told any more.
    forgotten: u64,
    agents: HashMap<String, Attendance>,
    presence_rev: u64,
    /// Pages that visitors have open, by session; also of sessions in which nobody said anything
    /// yet.
    here: HashMap<String, usize>,
    /// Session → agent → seq.
    read: HashMap<String, HashMap<String, u64>>,
}

/// What is known of a session.
#[derive(Clone, Debug)]
struct Entry {
    channel: String,
    visitor: String,
    started_at_ms: u64,
    /// Of the last word.
    last_at_ms: u64,
    last_seq: u64,
    ended: bool,
    holder: Holder,
    since_ms: u64,
    messages: usize,
    visitor_seq: u64,
    unanswered: bool,
    preview: Option<Preview>,
    intent: f32,
    watchers: Vec<String>,
    /// When the visitor's last page went, on the wall clock; `None` while one is open, and where
    /// none was since the server started.
    left_at_ms: Option<u64>,
    rev: u64,
}

/// An agent's place on a site.
#[derive(Clone, Debug)]
struct Attendance {
    agent: Agent,
    role: Role,
    available: bool,
    limit: usize,
    /// Consoles connected.
    sockets: usize,
    /// When the last console went, on the server's own monotonic clock; its start for agents not
    /// seen yet.
    left: std::time::Duration,
}

/// What changed on a site since a revision.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    pub rev: u64,
    /// The revision asked for is too old, or of another run: everything is to be listed anew.
    pub reset: bool,
    pub sessions: Vec<Summary>,
    pub gone: Vec<(String, u64)>,
    pub presence: bool,
}

/// An agent as it is to be shown and counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Seat {
    pub agent: Agent,
    pub role: Role,
    pub available: bool,
    pub limit: usize,
}

/// What is to be done about waiting and held sessions.
#[derive(Clone, Debug, PartialEq)]
pub enum Duty {
    /// The agent is gone: back to the line.
    Release { key: SessionKey, agent: String, reason: LeaveReason },
    /// The next in line goes to this agent.
    Assign { key: SessionKey, agent: Agent },
    /// The visitor is to be told.
    Tell { key: SessionKey, place: usize, available: bool },
}

/// A connected console; dropping it is leaving.
pub struct PresenceGuard {
    board: Board,
    site: String,
    agent: String,
    clock: std::time::Instant,
}

/// A visitor's open page; dropping it is leaving.
pub struct VisitGuard {
    board: Board,
    key: SessionKey,
    clock: Clock,
}

/// How waiting sessions are given out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Routing {
    pub(super) on: bool,
    /// Milliseconds since the epoch.
    pub(super) now_ms: u64,
    /// A visitor who left longer ago doesn't count against an agent's limit.
    pub(super) gone_after_ms: u64,
}

/// Milliseconds that a visitor may be away between two pages without falling behind those who are
/// there.
const BETWEEN_PAGES_MS: u64 = 15_000;

/// An open conversation; dropping it is closing it.
pub struct WatchGuard {
    board: Board,
    key: SessionKey,
    agent: String,
}

impl Board {
    #[must_use]
    pub fn new(boot: &str) -> Self {
        let (changed, _) = watch::channel(0);
        Self { state: Arc::default(), changed, boot: boot.into() }
    }

    /// Wakes when anything changed; the value is the newest revision.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Takes up a session as it is now. `intent` is 0…1.
    pub fn note(&self, session: &Session, intent: f32) {
        if session.last_seq == 0 {
            return;
        }
        self.change(&session.key.site, |site, rev| {
            let known = site.entries.get(&session.key.id);
            let (watchers, left_at_ms) =
                known.map(|entry| (entry.watchers.clone(), entry.left_at_ms)).unwrap_or_default();
            let entry = Entry { watchers, left_at_ms, rev, ..Entry::of(session, intent) };
            site.put(&session.key.id, entry);
            site.trim();
        });
    }

    /// Notes the purchase intent (0…1) of a session that is listed and not in memory.
    pub fn score(&self, key: &SessionKey, intent: f32) {
        self.change(&key.site, |site, rev| {
            if let Some(entry) =
                site.entries.get(&key.id).filter(|entry| entry.intent.to_bits() != intent.to_bits())
            {
                let entry = Entry { intent, rev, ..entry.clone() };
                site.put(&key.id, entry);
            }
        });
    }

    /// The listed sessions of a site that didn't end.
    #[must_use]
    pub fn open(&self, site: &str) -> Vec<SessionKey> {
        let state = self.lock();
        let open = state
            .sites
            .get(site)
            .into_iter()
            .flat_map(|site| &site.entries)
            .filter(|(_, entry)| !entry.ended);
        open.map(|(id, _)| SessionKey { site: site.to_owned(), id: id.clone() }).collect()
    }

    /// The open sessions of all sites in which nobody has said anything since then.
    #[must_use]
    pub fn quiet_since(&self, at_ms: u64) -> Vec<SessionKey> {
        let state = self.lock();
        let entries = state
            .sites
            .iter()
            .flat_map(|(site, board)| board.entries.iter().map(move |entry| (site, entry)));
        let quiet = entries.filter(|(_, (_, entry))| !entry.ended && entry.last_at_ms < at_ms);
        quiet.map(|(site, (id, _))| SessionKey { site: site.clone(), id: id.clone() }).collect()
    }

    /// Forgets an erased session.
    pub fn remove(&self, key: &SessionKey) {
        self.change(&key.site, |site, rev| site.remove(&key.id, rev));
    }

    /// Forgets a site's sessions whose last record is older, open ones too: the log has forgotten
    /// them.
    pub fn expire_before(&self, site: &str, at_ms: u64) {
        let mut state = self.lock();
        let State { rev, sites } = &mut *state;
        let Some(site) = sites.get_mut(site) else { return };
        let old: Vec<String> = site
            .entries
            .iter()
            .filter(|(_, e)| e.last_at_ms < at_ms)
            .map(|(id, _)| id.clone())
            .collect();
        for id in old {
            *rev += 1;
            site.remove(&id, *rev);
        }
        self.changed.send_replace(*rev);
    }

    /// Where a waiting session stands and whether somebody could take it; `None` if it doesn't
    /// wait.
    #[must_use]
    pub fn waiting(&self, key: &SessionKey) -> Option<(usize, bool)> {
        let state = self.lock();
        let site = state.sites.get(&key.site)?;
        let entry = site.entries.get(&key.id)?;
        let at = (entry.since_ms, key.id.clone());
        site.queue.contains(&at).then(|| (site.queue.range(..at).count() + 1, site.somebody()))
    }

    /// Whether a session that doesn't wait may begin to, with this visitor, where at most `most` of
    /// a site do.
    #[must_use]
    pub fn places(&self, key: &SessionKey, visitor: &str, most: usize) -> Places {
        let state = self.lock();
        let Some(site) = state.sites.get(&key.site) else { return Places::Open };
        if site.waiting.contains_key(visitor) {
            Places::Taken
        } else if site.queue.len() >= most {
            Places::Full { waiting: site.queue.len() }
        } else {
            Places::Open
        }
    }

    /// Whether anybody is there who takes a site's sessions.
    #[must_use]
    pub fn available(&self, site: &str) -> bool {
        self.lock().sites.get(site).is_some_and(SiteBoard::somebody)
    }

    /// A session as it is listed, or would be: old ones may not be on the board.
    #[must_use]
    pub fn summary(&self, session: &Session, intent: f32) -> Summary {
        let state = self.lock();
        let id = &session.key.id;
        let listed =
            state.sites.get(&session.key.site).and_then(|site| Some((site, site.entries.get(id)?)));
        listed.map_or_else(
            || SiteBoard::default().summary(id, &Entry::of(session, intent)),
            |(site, entry)| site.summary(id, entry),
        )
    }

    /// A visitor's conversations, the latest first, at most `limit`.
    #[must_use]
    pub fn of_visitor(&self, site: &str, visitor: &str, limit: usize) -> Vec<Summary> {
        let state = self.lock();
        let Some(site) = state.sites.get(site) else { return Vec::new() };
        let mut found: Vec<(&String, &Entry)> =
            site.entries.iter().filter(|(_, entry)| entry.visitor == visitor).collect();
        found.sort_unstable_by_key(|(id, entry)| (Reverse(entry.last_at_ms), *id));
        found.into_iter().take(limit).map(|(id, entry)| site.summary(id, entry)).collect()
    }

    /// A window of a list and the length of the whole; `agent` is who asks.
    #[must_use]
    pub fn list(
        &self,
        site: &str,
        agent: &str,
        list: List,
        filter: &Filter,
        offset: usize,
        limit: usize,
    ) -> (Vec<Summary>, usize, Counts, u64) {
        let state = self.lock();
        let rev = state.rev;
        let Some(site) = state.sites.get(site) else {
            return (Vec::new(), 0, Counts::default(), rev);
        };
        let matching = Matching::new(filter);
        let mut found: Vec<(&String, &Entry)> = site
            .entries
            .iter()
            .filter(|(id, entry)| {
                let listed = match list {
                    List::Mine => !entry.ended && entry.held_by() == Some(agent),
                    List::Waiting => !entry.ended && matches!(entry.holder, Holder::Queue { .. }),
                    List::All => !entry.ended,
                    List::Ended => entry.ended,
                };
                listed && matching.fits(id, entry)
            })
            .collect();
        let total = found.len();
        match list {
            List::Waiting => found.sort_unstable_by_key(|(id, entry)| (entry.since_ms, *id)),
            _ => found.sort_unstable_by_key(|(id, entry)| (Reverse(entry.last_at_ms), *id)),
        }
        let window = found
            .into_iter()
            .skip(offset)
            .take(limit)
            .map(|(id, entry)| site.summary(id, entry))
            .collect();
        (window, total, site.counts(agent), rev)
    }

    #[must_use]
    pub fn counts(&self, site: &str, agent: &str) -> Counts {
        self.lock().sites.get(site).map(|site| site.counts(agent)).unwrap_or_default()
    }

    /// What changed on a site after a revision, at most `limit` sessions; `presence` if the agents
    /// did.
    #[must_use]
    pub fn since(&self, site: &str, rev: u64, limit: usize) -> Changes {
        let state = self.lock();
        let Some(site) = state.sites.get(site) else {
            return Changes { rev: state.rev, ..Changes::default() };
        };
        let presence = site.presence_rev > rev;
        if rev < site.forgotten || rev > state.rev {
            return Changes { rev: state.rev, reset: true, presence: true, ..Changes::default() };
        }
        let changed: Vec<&String> =
            site.by_rev.range(rev + 1..).map(|(_, id)| id).take(limit + 1).collect();
        if changed.len() > limit {
            return Changes { rev: state.rev, reset: true, presence, ..Changes::default() };
        }
        let sessions = changed
            .into_iter()
            .filter_map(|id| site.entries.get(id).map(|entry| site.summary(id, entry)))
            .collect();
        let gone = site
            .gone
            .iter()
            .filter(|(at, _)| *at > rev)
            .map(|(at, id)| (id.clone(), *at))
            .collect();
        Changes { rev: state.rev, reset: false, sessions, gone, presence }
    }

    /// The agents of a site, by name.
    #[must_use]
    pub fn presence(&self, site: &str) -> Vec<Presence> {
        let state = self.lock();
        let Some(site) = state.sites.get(site) else { return Vec::new() };
        let held = site.held(|_, _| true);
        let mut all: Vec<Presence> = site
            .agents
            .values()
            .map(|desk| Presence {
                agent: desk.agent.clone().into(),
                role: desk.role,
                online: desk.sockets > 0,
                available: desk.available,
                held: held.get(desk.agent.id.as_str()).copied().unwrap_or(0),
                limit: desk.limit,
            })
            .collect();
        all.sort_unstable_by(|a, b| {
            (&a.agent.name, &a.agent.id).cmp(&(&b.agent.name, &b.agent.id))
        });
        all
    }

    /// Makes a site's agents be these.
    pub fn staff(&self, site: &str, seats: Vec<Seat>, now: std::time::Duration) {
        self.change(site, |site, rev| {
            let mut agents = HashMap::new();
            for Seat { agent, role, available, limit } in seats {
                let (sockets, left) =
                    site.agents.get(&agent.id).map_or((0, now), |desk| (desk.sockets, desk.left));
                let desk =
                    Attendance { agent: agent.clone(), role, available, limit, sockets, left };
                agents.insert(agent.id, desk);
            }
            site.agents = agents;
            site.presence_rev = rev;
        });
    }

    /// Notes a console of an agent until the guard is dropped. `started` is the zero of the
    /// server's monotonic clock.
    #[must_use]
    pub fn enter(&self, site: &str, agent: &str, started: std::time::Instant) -> PresenceGuard {
        self.change(site, |site, rev| {
            if let Some(desk) = site.agents.get_mut(agent) {
                desk.sockets += 1;
            }
            site.presence_rev = rev;
        });
        PresenceGuard {
            board: self.clone(),
            site: site.to_owned(),
            agent: agent.to_owned(),
            clock: started,
        }
    }

    /// Notes that an agent has a conversation open until the guard is dropped.
    #[must_use]
    pub fn watch(&self, key: &SessionKey, agent: &str) -> WatchGuard {
        self.watchers(key, |watchers| watchers.push(agent.to_owned()));
        WatchGuard { board: self.clone(), key: key.clone(), agent: agent.to_owned() }
    }

    /// Notes that a visitor has the conversation open until the guard is dropped.
    #[must_use]
    pub fn visit(&self, key: &SessionKey, clock: &Clock) -> VisitGuard {
        self.visits(key, true, None);
        VisitGuard { board: self.clone(), key: key.clone(), clock: clock.clone() }
    }

    /// One page more or less. Consoles are told when a visitor comes or goes, not of each page.
    fn visits(&self, key: &SessionKey, comes: bool, left_at_ms: Option<u64>) {
        let mut state = self.lock();
        let site = state.sites.entry(key.site.clone()).or_default();
        let pages = site.here.entry(key.id.clone()).or_default();
        let before = *pages;
        *pages = if comes { before + 1 } else { before.saturating_sub(1) };
        let after = *pages;
        if after == 0 {
            site.here.remove(&key.id);
        }
        let listed = site.entries.contains_key(&key.id);
        drop(state);
        if listed && (before == 0) != (after == 0) {
            self.entry(key, |entry| entry.left_at_ms = left_at_ms);
        }
    }

    /// How far an agent has read; true if it is further than before.
    pub fn read(&self, key: &SessionKey, agent: &str, seq: u64) -> bool {
        let mut state = self.lock();
        let Some(site) = state.sites.get_mut(&key.site) else { return false };
        if !site.entries.contains_key(&key.id) {
            return false;
        }
        let known =
            site.read.entry(key.id.clone()).or_default().entry(agent.to_owned()).or_default();
        let further = seq > *known;
        *known = seq.max(*known);
        further
    }

    /// How far an agent has read, by session.
    #[must_use]
    pub fn reads(&self, site: &str, agent: &str) -> BTreeMap<String, u64> {
        let state = self.lock();
        let reads = state.sites.get(site).map(|site| &site.read);
        let of_agent = |(id, by): (&String, &HashMap<String, u64>)| {
            by.get(agent).map(|seq| (id.clone(), *seq))
        };
        reads.into_iter().flatten().filter_map(of_agent).collect()
    }

    /// What is to be done now. `now` counts on the server's monotonic clock; `told` holds what
    /// visitors know and is brought up to date.
    pub(super) fn duties(
        &self,
        now: std::time::Duration,
        vanish: std::time::Duration,
        routing: Routing,
        told: &mut HashMap<SessionKey, (usize, bool)>,
    ) -> Vec<Duty> {
        let state = self.lock();
        let mut duties = Vec::new();
        let mut waiting = HashMap::new();
        for (site_id, site) in &state.sites {
            let key = |id: &str| SessionKey { site: site_id.clone(), id: id.to_owned() };
            let (mut held, mut all) = (
                site.held(|id, entry| !site.left_for(id, entry, routing, routing.gone_after_ms)),
                site.held(|_, _| true),
            );
            for (agent, id) in
                site.held.iter().flat_map(|(agent, ids)| ids.iter().map(move |id| (agent, id)))
            {
                // Who no longer works here is gone at once.
                let reason = match site.agents.get(agent.as_str()) {
                    None => LeaveReason::Revoked,
                    Some(desk) if desk.sockets == 0 && now >= desk.left + vanish => {
                        LeaveReason::Vanished
                    }
                    Some(_) => continue,
                };
                duties.push(Duty::Release { key: key(id), agent: agent.clone(), reason });
            }
            if routing.on {
                let left = |id: &String, after_ms| {
                    site.entries
                        .get(id)
                        .is_some_and(|entry| site.left_for(id, entry, routing, after_ms))
                };
                let mut line: Vec<&String> = site.queue.iter().map(|(_, id)| id).collect();
                // Stable: within both halves it is first come, first served.
                line.sort_by_key(|id| left(id, BETWEEN_PAGES_MS));
                for id in line {
                    // What costs no place must not pile up on one agent either.
                    let counts = if left(id, routing.gone_after_ms) { &all } else { &held };
                    let free =
                        site.agents.values().filter(|desk| desk.takes()).filter_map(|desk| {
                            let has = counts.get(desk.agent.id.as_str()).copied().unwrap_or(0);
                            (has < desk.limit).then_some((has, &desk.agent))
                        });
                    let Some((_, agent)) = free.min_by(|a, b| (a.0, &a.1.id).cmp(&(b.0, &b.1.id)))
                    else {
                        continue;
                    };
                    *held.entry(agent.id.as_str()).or_default() += 1;
                    *all.entry(agent.id.as_str()).or_default() += 1;
                    duties.push(Duty::Assign { key: key(id), agent: agent.clone() });
                }
            }
            let available = site.somebody();
            for (i, (_, id)) in site.queue.iter().enumerate() {
                let (key, place) = (key(id), i + 1);
                if told.get(&key) != Some(&(place, available)) {
                    duties.push(Duty::Tell { key: key.clone(), place, available });
                }
                waiting.insert(key, (place, available));
            }
        }
        *told = waiting;
        duties
    }

    fn watchers(&self, key: &SessionKey, change: impl FnOnce(&mut Vec<String>)) {
        self.entry(key, |entry| change(&mut entry.watchers));
    }

    /// Changes what no list is sorted by.
    fn entry(&self, key: &SessionKey, change: impl FnOnce(&mut Entry)) {
        self.change(&key.site, |site, rev| {
            let Some(entry) = site.entries.get_mut(&key.id) else { return };
            change(entry);
            site.by_rev.remove(&entry.rev);
            entry.rev = rev;
            site.by_rev.insert(rev, key.id.clone());
        });
    }

    fn change(&self, site: &str, change: impl FnOnce(&mut SiteBoard, u64)) {
        let mut state = self.lock();
        state.rev += 1;
        let rev = state.rev;
        change(state.sites.entry(site.to_owned()).or_default(), rev);
        drop(state);
        self.changed.send_if_modified(|newest| {
            *newest = rev.max(*newest);
            true
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SiteBoard {
    fn put(&mut self, id: &str, entry: Entry) {
        self.unlist(id);
        self.by_rev.insert(entry.rev, id.to_owned());
        if entry.ended {
            self.ended.insert((entry.last_at_ms, id.to_owned()));
        } else {
            match &entry.holder {
                Holder::Model => drop(self.idle.insert((entry.last_at_ms, id.to_owned()))),
                Holder::Queue { .. } => {
                    self.queue.insert((entry.since_ms, id.to_owned()));
                    *self.waiting.entry(entry.visitor.clone()).or_default() += 1;
                }
                Holder::Agent(agent) => {
                    self.held.entry(agent.id.clone()).or_default().insert(id.to_owned());
                }
            }
        }
        // Who holds how many is part of the presence.
        if self.entries.get(id).and_then(Entry::load) != entry.load() {
            self.presence_rev = entry.rev;
        }
        self.entries.insert(id.to_owned(), entry);
    }

    fn unlist(&mut self, id: &str) {
        if let Some(entry) = self.entries.get(id) {
            self.by_rev.remove(&entry.rev);
            self.idle.remove(&(entry.last_at_ms, id.to_owned()));
            self.ended.remove(&(entry.last_at_ms, id.to_owned()));
            if self.queue.remove(&(entry.since_ms, id.to_owned()))
                && let Some(places) = self.waiting.get_mut(&entry.visitor)
            {
                *places -= 1;
                if *places == 0 {
                    self.waiting.remove(&entry.visitor);
                }
            }
            if let Some(agent) = entry.held_by()
                && let Some(ids) = self.held.get_mut(agent)
            {
                ids.remove(id);
                if ids.is_empty() {
                    self.held.remove(agent);
                }
            }
        }
    }

    fn remove(&mut self, id: &str, rev: u64) {
        self.unlist(id);
        self.read.remove(id);
        if self.entries.remove(id).is_none() {
            return;
        }
        self.gone.push_back((rev, id.to_owned()));
        if self.gone.len() > GONE
            && let Some((rev, _)) = self.gone.pop_front()
        {
            self.forgotten = rev;
        }
    }

    /// Lets go of what is quiet longest.
    fn trim(&mut self) {
        while self.ended.len() > ENDED
            && let Some((_, id)) = self.ended.first().cloned()
        {
            self.drop_quietly(&id);
        }
        if self.entries.len() > OPEN + ENDED
            && let Some((_, id)) = self.idle.first().cloned()
        {
            self.drop_quietly(&id);
        }
    }

    /// Leaves the board without being erased: consoles may keep showing it.
    fn drop_quietly(&mut self, id: &str) {
        self.unlist(id);
        self.entries.remove(id);
        self.read.remove(id);
    }

    fn summary(&self, id: &str, entry: &Entry) -> Summary {
        let holder = match &entry.holder {
            Holder::Model => HolderView::Model,
            Holder::Queue { reason } => HolderView::Queue {
                place: self.queue.range(..(entry.since_ms, id.to_owned())).count() + 1,
                since_ms: entry.since_ms,
                reason: parts::HandoffReason::known(*reason),
            },
            Holder::Agent(agent) => {
                HolderView::Agent { agent: agent.clone().into(), since_ms: entry.since_ms }
            }
        };
        Summary {
            session: id.to_owned(),
            channel: entry.channel.clone(),
            visitor: entry.visitor.clone(),
            started_at_ms: entry.started_at_ms,
            last_at_ms: entry.last_at_ms,
            last_seq: entry.last_seq,
            ended: entry.ended,
            holder,
            messages: entry.messages,
            visitor_seq: entry.visitor_seq,
            unanswered: entry.unanswered,
            preview: entry.preview.clone(),
            intent: entry.intent,
            // Several consoles of one agent are one agent who watches.
            watchers: entry.watchers.iter().collect::<BTreeSet<_>>().into_iter().cloned().collect(),
            here: self.here.contains_key(id),
            left_at_ms: entry.left_at_ms,
            rev: entry.rev,
        }
    }

    fn counts(&self, agent: &str) -> Counts {
        let ended = self.ended.len();
        let mine = self.held.get(agent).map_or(0, BTreeSet::len);
        Counts { mine, waiting: self.queue.len(), all: self.entries.len() - ended, ended }
    }

    /// Open sessions that count, by the agent who holds them.
    fn held(&self, counts: impl Fn(&str, &Entry) -> bool) -> HashMap<&str, usize> {
        let counted = |ids: &BTreeSet<String>| {
            ids.iter()
                .filter(|id| self.entries.get(*id).is_some_and(|entry| counts(id, entry)))
                .count()
        };
        self.held.iter().map(|(agent, ids)| (agent.as_str(), counted(ids))).collect()
    }

    /// Whether the visitor is known to have left longer ago. Where no page was seen, as on channels
    /// without one, nobody left.
    fn left_for(&self, id: &str, entry: &Entry, routing: Routing, after_ms: u64) -> bool {
        !self.here.contains_key(id)
            && entry.left_at_ms.is_some_and(|left| left.saturating_add(after_ms) <= routing.now_ms)
    }

    /// Whether anybody is there who takes sessions.
    fn somebody(&self) -> bool {
        self.agents.values().any(Attendance::takes)
    }
}

impl Entry {
    fn of(session: &Session, intent: f32) -> Self {
        let preview = session
            .lines
            .last()
            .map(|line| Preview { by: session.last_by.into(), text: one_line(&line.text) });
        Self {
            channel: session.channel.clone(),
            visitor: session.visitor.clone(),
            started_at_ms: session.started_at_ms,
            last_at_ms: session.last_word_at_ms,
            last_seq: session.last_seq,
            ended: session.ended,
            holder: session.holder.clone(),
            since_ms: session.held_since_ms,
            messages: session.messages(),
            visitor_seq: session.last_said(),
            unanswered: session.unanswered(),
            preview,
            intent,
            watchers: Vec::new(),
            left_at_ms: None,
            rev: 0,
        }
    }

    fn held_by(&self) -> Option<&str> {
        if let Holder::Agent(agent) = &self.holder { Some(&agent.id) } else { None }
    }

    /// Whose load it is part of.
    fn load(&self) -> Option<&str> {
        self.held_by().filter(|_| !self.ended)
    }
}

impl Attendance {
    fn takes(&self) -> bool {
        self.sockets > 0 && self.available
    }
}

/// A filter, ready to be applied.
struct Matching<'a> {
    filter: &'a Filter,
    words: Vec<String>,
}

impl<'a> Matching<'a> {
    fn new(filter: &'a Filter) -> Self {
        let words = filter
            .text
            .as_deref()
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_lowercase)
            .collect();
        Self { filter, words }
    }

    fn fits(&self, id: &str, entry: &Entry) -> bool {
        let Filter { channel, agent, min_intent, unanswered, .. } = self.filter;
        let preview = || {
            entry.preview.as_ref().map(|preview| preview.text.to_lowercase()).unwrap_or_default()
        };
        channel.as_ref().is_none_or(|channel| *channel == entry.channel)
            && agent.as_ref().is_none_or(|agent| entry.held_by() == Some(agent))
            && min_intent.is_none_or(|least| entry.intent >= least)
            && (!unanswered || entry.unanswered)
            && (self.words.is_empty() || {
                let preview = preview();
                let begins = |word: &String| {
                    id.to_lowercase().starts_with(word)
                        || entry.visitor.to_lowercase().starts_with(word)
                };
                self.words.iter().all(|word| preview.contains(word) || begins(word))
            })
    }
}

impl Drop for PresenceGuard {
    fn drop(&mut self) {
        let now = self.clock.elapsed();
        self.board.change(&self.site, |site, rev| {
            if let Some(desk) = site.agents.get_mut(&self.agent) {
                desk.sockets = desk.sockets.saturating_sub(1);
                desk.left = now;
            }
            site.presence_rev = rev;
        });
    }
}

impl Drop for VisitGuard {
    fn drop(&mut self) {
        self.board.visits(&self.key, false, Some(self.clock.now_ms()));
    }
}

impl Drop for WatchGuard {
    fn drop(&mut self) {
        self.board.watchers(&self.key, |watchers| {
            if let Some(at) = watchers.iter().position(|agent| *agent == self.agent) {
                watchers.remove(at);
            }
        });
    }
}

/// The beginning of a text, on one line.
pub fn one_line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut short: String = words.chars().take(PREVIEW).collect();
    if short.len() < words.len() {
        short.pop();
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{AgentCommand, Command, Limits, Policy};
    use super::*;
    use crate::protocol::parts::Speaker;

    const ZERO: Duration = Duration::ZERO;
    const MINUTE: Duration = Duration::from_secs(60);
    const ROUTED: Routing = Routing { on: true, now_ms: 0, gone_after_ms: 600_000 };

    fn key(id: &str) -> SessionKey {
        SessionKey { site: "shop".into(), id: id.into() }
    }

    /// A session whose visitor said something at `at_ms`.
    fn session(id: &str, at_ms: u64) -> Session {
        let limits = Limits { max_messages: 1_000 };
        let mut session = Session::new(
            key(id),
            format!("visitor of {id}"),
            "widget".into(),
            limits,
            Policy::default(),
            at_ms,
        );
        session.apply(
            Command::Say { id: "m".into(), text: format!("Question of {id}\nand more") },
            at_ms,
        );
        session
    }

    fn agent(id: &str) -> Agent {
        Agent { id: id.into(), name: id.to_uppercase() }
    }

    fn seat(id: &str, limit: usize) -> Seat {
        Seat { agent: agent(id), role: Role::Agent, available: true, limit }
    }

    fn wait(board: &Board, session: &mut Session, at_ms: u64) {
        session.apply(Command::RequestHuman, at_ms);
        board.note(session, 0.5);
    }

    #[test]
    fn a_thousand_sessions_are_listed_in_windows_and_told_by_revision() {
        let board = Board::new("boot");
        let mut sessions: Vec<Session> =
            (0..1_000).map(|i| session(&format!("s{i:04}"), i)).collect();
        for session in &sessions {
            board.note(session, 0.1);
        }
        let filter = Filter::default();
        let (window, total, counts, rev) = board.list("shop", "a", List::All, &filter, 10, 50);
        assert_eq!((window.len(), total, counts.all, counts.waiting), (50, 1_000, 1_000, 0));
        assert_eq!(window[0].session, "s0989", "the newest first");
        let preview = window[0].preview.as_ref().unwrap();
        assert_eq!(
            (preview.by, preview.text.as_str()),
            (Speaker::Visitor, "Question of s0989 and more")
        );
        assert!(board.list("shop", "a", List::All, &filter, 1_000, 50).0.is_empty());
        assert!(board.list("bank", "a", List::All, &filter, 0, 50).0.is_empty(), "another site's");

        let named = Filter { text: Some("question S0007".into()), ..Filter::default() };
        assert_eq!(board.list("shop", "a", List::All, &named, 0, 50).1, 1);
        let rich = Filter { min_intent: Some(0.4), ..Filter::default() };
        assert_eq!(board.list("shop", "a", List::All, &rich, 0, 50).1, 0);

        wait(&board, &mut sessions[3], 5_000);
        wait(&board, &mut sessions[1], 5_001);
        let changes = board.since("shop", rev, 10);
        let changed: Vec<&str> =
            changes.sessions.iter().map(|session| session.session.as_str()).collect();
        assert_eq!((changed, changes.reset), (vec!["s0003", "s0001"], false));
        let waiting = board.list("shop", "a", List::Waiting, &filter, 0, 50).0;
        let places: Vec<(&str, bool)> = waiting
            .iter()
            .zip(1..)
            .map(|(s, n)| {
                (
                    s.session.as_str(),
                    matches!(s.holder, HolderView::Queue { place, .. } if place == n),
                )
            })
            .collect();
        assert_eq!(places, [("s0003", true), ("s0001", true)]);

        board.remove(&key("s0003"));
        let changes = board.since("shop", rev, 10);
        assert_eq!(changes.gone.len(), 1);
        assert_eq!(board.waiting(&key("s0001")), Some((1, false)));
        assert!(board.since("shop", 0, 10).reset, "more changed than is told one by one");
        assert!(board.since("shop", u64::MAX, 10).reset, "a revision of another run");
        assert_eq!(board.since("shop", changes.rev, 10).sessions, []);
    }

    #[test]
    fn ended_sessions_leave_the_oldest_first() {
        let board = Board::new("boot");
        for i in 0..ENDED as u64 + 5 {
            let mut session = session(&format!("s{i:05}"), i);
            session.apply(Command::End { reason: "visitor".into() }, i);
            board.note(&session, 0.0);
        }
        let (window, total, counts, _) =
            board.list("shop", "a", List::Ended, &Filter::default(), ENDED - 1, 5);
        assert_eq!((total, counts.ended, counts.all), (ENDED, ENDED, 0));
        assert_eq!(window[0].session, "s00005");
    }

    #[test]
    fn what_the_log_has_forgotten_leaves_open_or_not() {
        let board = Board::new("boot");
        let mut ended = session("ended", 5);
        ended.apply(Command::End { reason: "visitor".into() }, 5);
        for session in [&session("open", 5), &ended, &session("young", 10)] {
            board.note(session, 0.0);
        }
        board.expire_before("shop", 10);
        assert_eq!(board.open("shop"), [key("young")]);
        let (.., counts, rev) = board.list("shop", "a", List::All, &Filter::default(), 0, 5);
        assert_eq!((counts.all, counts.ended), (1, 0));
        assert_eq!(board.since("shop", rev - 1, 5).gone.len(), 1, "consoles are told of each");
    }

    #[test]
    fn the_line_goes_to_those_who_are_there_within_their_limits() {
        let board = Board::new("boot");
        board.staff("shop", vec![seat("mara", 2), seat("jo", 1), seat("off", 9)], ZERO);
        let mut sessions: Vec<Session> = (0..5).map(|i| session(&format!("s{i}"), i)).collect();
        for (i, session) in sessions.iter_mut().enumerate() {
            wait(&board, session, 100 + i as u64);
        }
        let started = std::time::Instant::now();
        let mut told = HashMap::new();
        let assigned = |duties: &[Duty]| -> Vec<(String, String)> {
            duties
                .iter()
                .filter_map(|duty| match duty {
                    Duty::Assign { key, agent } => Some((key.id.clone(), agent.id.clone())),
                    _ => None,
                })
                .collect()
        };
        let pair = |id: &str, agent: &str| (id.to_owned(), agent.to_owned());
        // Nobody is there: everybody is told so, once.
        let duties = board.duties(ZERO, MINUTE, ROUTED, &mut told);
        assert_eq!(assigned(&duties), []);
        let tells = duties
            .iter()
            .filter(|duty| matches!(duty, Duty::Tell { available: false, .. }))
            .count();
        assert_eq!(tells, 5);
        assert_eq!(board.duties(ZERO, MINUTE, ROUTED, &mut told), []);

        let _mara = board.enter("shop", "mara", started);
        let jo = board.enter("shop", "jo", started);
        let duties = board.duties(ZERO, MINUTE, ROUTED, &mut told);
        assert_eq!(assigned(&duties), [pair("s0", "jo"), pair("s1", "mara"), pair("s2", "mara")]);
        assert_eq!(
            assigned(&board.duties(ZERO, MINUTE, Routing { on: false, ..ROUTED }, &mut told)),
            [],
            "agents choose"
        );
        for (session, holder) in sessions.iter_mut().zip(["jo", "mara", "mara"]) {
            session
                .apply(Command::Agent(AgentCommand::Take { agent: agent(holder), by: None }), 200);
            board.note(session, 0.5);
        }
        let duties = board.duties(ZERO, MINUTE, ROUTED, &mut told);
        assert_eq!(assigned(&duties), []);
        assert_eq!(board.waiting(&key("s3")), Some((1, true)));

        // Jo goes: a minute later what Jo held is due, and so is the next in line for nobody.
        drop(jo);
        let left = started.elapsed();
        assert_eq!(board.duties(left, MINUTE, ROUTED, &mut told), []);
        let release = |reason| Duty::Release { key: key("s0"), agent: "jo".into(), reason };
        let duties = board.duties(left + MINUTE, MINUTE, ROUTED, &mut told);
        assert_eq!(duties, [release(LeaveReason::Vanished)]);
        board.staff("shop", vec![seat("mara", 2)], left);
        assert_eq!(board.duties(left, MINUTE, ROUTED, &mut told), [release(LeaveReason::Revoked)]);
    }

    #[test]
    fn visitors_who_are_there_go_first_and_those_long_gone_take_no_place() {
        let board = Board::new("boot");
        board.staff("shop", vec![seat("mara", 1)], ZERO);
        let _mara = board.enter("shop", "mara", std::time::Instant::now());
        let clock = Clock::manual(1_000);
        let mut told = HashMap::new();
        let mut next = |now_ms| -> Vec<String> {
            let duties = board.duties(ZERO, MINUTE, Routing { now_ms, ..ROUTED }, &mut told);
            let ids = duties.into_iter().filter_map(|duty| match duty {
                Duty::Assign { key, .. } => Some(key.id),
                _ => None,
            });
            ids.collect()
        };
        let view = |id: &str| {
            let all = board.list("shop", "mara", List::All, &Filter::default(), 0, 9).0;
            all.into_iter().find(|one| one.session == id).map(|one| (one.here, one.left_at_ms))
        };
        // A page that is open before anything is said counts; a second one changes nothing.
        let first = board.visit(&key("first"), &clock);
        let _second = board.visit(&key("second"), &clock);
        let mut sessions = [session("first", 1), session("second", 2), session("third", 3)];
        for (session, at_ms) in sessions.iter_mut().zip(10..) {
            wait(&board, session, at_ms);
        }
        let tab = board.visit(&key("first"), &clock);
        drop(tab);
        assert_eq!(view("first"), Some((true, None)));
        assert_eq!(view("third"), Some((false, None)), "no page of it was ever seen");
        assert_eq!(next(1_000), ["first"]);
        drop(first);
        assert_eq!(view("first"), Some((false, Some(1_000))));
        assert_eq!(next(2_000), ["first"], "between two pages");
        assert_eq!(next(1_000 + BETWEEN_PAGES_MS), ["second"]);

        sessions[0]
            .apply(Command::Agent(AgentCommand::Take { agent: agent("mara"), by: None }), 3_000);
        board.note(&sessions[0], 0.5);
        assert_eq!(
            view("first"),
            Some((false, Some(1_000))),
            "news of the session don't bring its visitor back"
        );
        assert_eq!(next(300_000), [""; 0], "mara has one, and may have one");
        assert_eq!(next(601_000), ["second"], "whose visitor is gone for ten minutes");
        let _back = board.visit(&key("first"), &clock);
        assert_eq!(next(601_000), [""; 0]);
    }

    #[test]
    fn marks_and_watchers_are_per_agent_and_go_with_the_session() {
        let board = Board::new("boot");
        board.note(&session("s", 1), 0.0);
        assert!(board.read(&key("s"), "mara", 4));
        assert!(!board.read(&key("s"), "mara", 3), "reading goes forward");
        assert!(!board.read(&key("other"), "mara", 4));
        assert_eq!(board.reads("shop", "mara").get("s"), Some(&4));
        assert!(board.reads("shop", "jo").is_empty());
        let watchers = || {
            board.list("shop", "mara", List::All, &Filter::default(), 0, 1).0[0].watchers.clone()
        };
        let first = board.watch(&key("s"), "mara");
        let second = board.watch(&key("s"), "mara");
        drop(first);
        assert_eq!(watchers(), ["mara"]);
        drop(second);
        assert!(watchers().is_empty());
        board.remove(&key("s"));
        assert!(board.reads("shop", "mara").is_empty());
    }

    #[test]
    fn previews_are_short_and_on_one_line() {
        assert_eq!(one_line(" a\n\tb "), "a b");
        let long = one_line(&"äb".repeat(200));
        assert_eq!((long.chars().count(), long.chars().last()), (PREVIEW, Some('…')));
        assert_eq!(one_line(&"x".repeat(PREVIEW)).len(), PREVIEW);
    }
}
