//! What every session's task needs, and which sessions are in memory.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, broadcast, mpsc};

use crate::clock::Clock;
use crate::conversation::{Event, SessionKey};
use crate::gaps::GapLog;
use crate::lifecycle::Tasks;
use crate::session::board::Board;
use crate::session::mailbox::{Envelope, OpenError, Opener, Past};
use crate::session::pace::Pace;
use crate::session::retention::{Look, Watch};
use crate::session::{Profile, Session, SessionsConfig};
use crate::signals::SignalLog;
use crate::store::{Page, Record, Store, StoreError};
use crate::telemetry::Metrics;
use crate::turn::Spine;
use crate::turn::gate::TurnGate;

/// How often cut answers were taken up: `<site>\0<session>` → where the answer stood, and tries.
pub(super) const TRIES_SPACE: &str = "local:tries";
/// Marks that a console may be behind: they come every few seconds from each visitor whom a person
/// answers, and one that is lost is a dot that isn't shown.
pub(super) const TYPING_MARKS: usize = 64;
/// Who is behind by more than this many replies of agents looks at every session instead.
pub(super) const SPOKEN_MARKS: usize = 256;

/// The visitor of a session types to the agent who holds it.
#[derive(Clone, Debug)]
pub struct TypingMark {
    pub key: SessionKey,
    /// The agent's id.
    pub agent: String,
}

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
    /// Conversations of a site that may wait for a person.
    pub waiting: usize,
    pub sites: HashMap<String, Arc<Profile>>,
    pub board: Board,
    pub pace: Pace,
    /// For agents who hold a session and look at another one.
    pub typing: broadcast::Sender<TypingMark>,
    /// Sessions in which an agent said something, for those who carry it to where the visitor is.
    pub spoken: broadcast::Sender<SessionKey>,
    pub(super) live: Mutex<InMemory>,
    /// Wakes when an erasure is over.
    pub(super) erased: Notify,
    /// The clocks at the start.
    pub(super) started: Look,
    /// Whether the clock may be erased by; `None` before the first look.
    pub(super) watch: tokio::sync::Mutex<Option<Watch>>,
    /// Sessions whose last activity was before this, in milliseconds since the epoch, were looked
    /// at for having expired.
    pub(super) swept_ms: AtomicU64,
}

/// The sessions in memory, and those that must not come there.
#[derive(Default)]
pub(super) struct InMemory {
    pub(super) entries: HashMap<SessionKey, Entry>,
    /// Sessions that are being erased, each as often as somebody does it.
    pub(super) leaving: HashMap<SessionKey, usize>,
    /// Erasures begun so far: what was read from disk before one may be gone.
    pub(super) erasures: u64,
}

/// The mark of an erasure; dropping it ends it.
pub(super) struct Leaving<'a> {
    shared: &'a Shared,
    key: &'a SessionKey,
}

impl<'a> Leaving<'a> {
    pub(super) fn begin(shared: &'a Shared, key: &'a SessionKey) -> Self {
        let mut live = shared.live();
        live.erasures += 1;
        *live.leaving.entry(key.clone()).or_default() += 1;
        Self { shared, key }
    }
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        let mut live = self.shared.live();
        if let Some(count) = live.leaving.get_mut(self.key) {
            *count -= 1;
            if *count == 0 {
                live.leaving.remove(self.key);
            }
        }
        drop(live);
        self.shared.erased.notify_waiters();
    }
}

/// A session in memory.
#[derive(Clone)]
pub(super) struct Entry {
    /// Who began it; no other visitor may open it.
    pub(super) visitor: String,
    pub(super) mailbox: mpsc::Sender<Box<Envelope>>,
}

impl Entry {
    /// The mailbox, for the visitor who began the session and for agents.
    pub(super) fn opened_by(
        self,
        opener: Option<&Opener>,
    ) -> Result<mpsc::Sender<Box<Envelope>>, OpenError> {
        match opener {
            Some(opener) if opener.visitor != self.visitor => Err(OpenError::Foreign),
            _ => Ok(self.mailbox),
        }
    }
}

impl Shared {
    pub(super) fn live(&self) -> MutexGuard<'_, InMemory> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A page of what a participant missed, and after which `seq` the next one begins, if there is
    /// one.
    pub(super) async fn missed(
        &self,
        key: &SessionKey,
        agent: bool,
        after: u64,
        through: u64,
    ) -> Result<(Vec<Past>, Option<u64>), StoreError> {
        let Page { records, more } = self.store.page(&key.site, &key.id, after, through).await?;
        let rest_after = records.last().map(|record| record.seq).filter(|_| more);
        let mut missed = Vec::with_capacity(records.len());
        for record in records {
            if let Some(event) = event_of(&record)?
                && (agent || !event.is_internal())
            {
                missed.push(Past { seq: record.seq, at_ms: record.at_ms, event });
            }
        }
        Ok((missed, rest_after))
    }

    /// Counts that a start takes up a session's cut answer after a crash: how many starts in a row
    /// did so without it getting any further. `None` where the count can't be kept.
    pub(super) async fn try_again(&self, session: &Session) -> Option<u32> {
        let SessionKey { site, id } = &session.key;
        let key = format!("{site}\0{id}");
        let stands =
            [session.last_said(), session.running.as_ref().map_or(0, |running| running.chars)];
        let before = self.store.get(TRIES_SPACE, key.as_bytes()).await.ok()?;
        let before =
            before.and_then(|value| serde_json::from_slice::<([u64; 2], u32)>(&value).ok());
        let tries = before.filter(|(stood, _)| *stood == stands).map_or(0, |(_, tries)| tries) + 1;
        let value = serde_json::to_vec(&(stands, tries)).ok()?;
        self.store.put(TRIES_SPACE, key.as_bytes(), &value).await.ok()?;
        Some(tries)
    }

    /// Takes an ended task off the map.
    pub(super) fn forget(&self, key: &SessionKey) {
        self.live().entries.remove(key);
    }

    /// Takes an unused task off the map, unless mail came meanwhile. Whoever got hold of the
    /// mailbox before sees it closed and opens the session again.
    pub(super) fn retire(
        &self,
        key: &SessionKey,
        mailbox: &mut mpsc::Receiver<Box<Envelope>>,
    ) -> bool {
        let mut live = self.live();
        if !mailbox.is_empty() {
            return false;
        }
        mailbox.close();
        live.entries.remove(key);
        true
    }
}

/// The event of a record; `None` for one of a newer release.
pub(super) fn event_of(record: &Record) -> Result<Option<Event>, StoreError> {
    Event::read(&record.body).map_err(|error| StoreError::Corrupt {
        what: format!(
            "event {} of the session {}/{} is not understood: {error}",
            record.seq, record.site, record.session
        ),
    })
}
