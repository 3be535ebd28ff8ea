//! What is known of a site's sessions, made of the log and kept in memory only: erasing a session leaves nothing of it here.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;

use crate::features::State;
use crate::intent;
use crate::session::{Event, SessionKey};
use crate::signals::{self, Meaning, Signal};
use crate::store::{RecordKind, SessionInfo, SessionQuery, Store, StoreError};

/// Sessions of a site that are known, the newest; some 4 KiB each.
pub const MAX_SESSIONS: usize = 50_000;
/// Sessions listed at once, and read at the same time.
const PAGE: usize = 500;
const READING: usize = 16;
/// Questions kept of a session, and how much of one.
const MAX_ASKED: usize = 3;
const MAX_ASKED_CHARS: usize = 160;

/// A session as insight sees it.
#[derive(Clone, Debug)]
pub struct Entry {
    pub id: String,
    pub state: State,
    /// The purchase intent, 0…1, when the conversation ended or its outcome came.
    pub score: f32,
    pub asked: Vec<Asked>,
    /// What it was read from.
    seen: (u64, u64, u64),
}

impl Entry {
    /// A session that was not read from a store.
    #[cfg(test)]
    pub(crate) fn new(id: String, state: State, score: f32) -> Self {
        Self { id, state, score, asked: Vec::new(), seen: (0, 0, 0) }
    }
}

/// Something a visitor asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub at_ms: u64,
    pub text: String,
    pub meaning: Option<Meaning>,
}

/// Sessions whose log got more than their events tell. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Touched(Arc<Mutex<Touches>>);

/// A std mutex holds it for a look or a change, never across an await.
#[derive(Debug, Default)]
struct Touches {
    keys: HashSet<SessionKey>,
    /// Counts how often there were too many to remember: then every session is to be read again.
    epoch: u64,
}

impl Touched {
    /// The session is to be read again.
    pub fn touch(&self, key: &SessionKey) {
        let mut touches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if touches.keys.len() >= MAX_SESSIONS {
            touches.keys.clear();
            touches.epoch += 1;
        }
        touches.keys.insert(key.clone());
    }

    fn take(&self, key: &SessionKey) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keys.remove(key)
    }

    fn epoch(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).epoch
    }
}

/// A site's sessions by id, and when they were last compared with the log.
#[derive(Default)]
struct Site {
    entries: HashMap<String, Arc<Entry>>,
    read_at: Option<Instant>,
}

/// The sessions of every site. Cheap to clone.
#[derive(Clone)]
pub struct Book {
    store: Store,
    touched: Touched,
    sites: Arc<tokio::sync::Mutex<HashMap<String, Site>>>,
}

impl Book {
    #[must_use]
    pub fn new(store: Store, touched: Touched) -> Self {
        Self { store, touched, sites: Arc::default() }
    }

    /// The site's sessions as the log has them now; only those that changed are read.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn read(&self, site: &str) -> Result<Vec<Arc<Entry>>, StoreError> {
        let mut sites = self.sites.lock().await;
        let Site { entries: known, read_at } = sites.entry(site.to_owned()).or_default();
        let mut listed: Vec<SessionInfo> = Vec::new();
        let mut after = None;
        while listed.len() < MAX_SESSIONS {
            let query = SessionQuery { site: site.to_owned(), limit: PAGE, after: after.take(), since_ms: 0 };
            let page = self.store.sessions(query).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.cursor());
            let whole = page.len() == PAGE;
            listed.extend(page);
            if !whole {
                break;
            }
        }
        let epoch = self.touched.epoch();
        let here: HashSet<&str> = listed.iter().map(|info| info.session.as_str()).collect();
        known.retain(|id, _| here.contains(id.as_str()));
        let changed: Vec<SessionInfo> = listed
            .iter()
            .filter(|info| {
                let touched = self.touched.take(&key(info));
                touched || known.get(&info.session).is_none_or(|entry| entry.seen != seen(info, epoch))
            })
            .cloned()
            .collect();
        let read = |info: SessionInfo| {
            let this = self.clone();
            async move { this.entry(&info, epoch).await }
        };
        let mut reading = futures_util::stream::iter(changed.into_iter().map(read)).buffered(READING);
        while let Some(entry) = reading.next().await {
            match entry? {
                Some(entry) => known.insert(entry.id.clone(), Arc::new(entry)),
                None => None,
            };
        }
        *read_at = Some(Instant::now());
        Ok(sorted(known))
    }

    /// The site's sessions as they were at most `age` ago, where a little late is as good.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn recent(&self, site: &str, age: Duration) -> Result<Vec<Arc<Entry>>, StoreError> {
        if let Some(known) = self.sites.lock().await.get(site)
            && known.read_at.is_some_and(|at| at.elapsed() < age)
        {
            return Ok(sorted(&known.entries));
        }
        self.read(site).await
    }

    /// One session as the log has it now; `None` if there is none, or nothing was noted of it.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn session(&self, key: &SessionKey) -> Result<Option<Entry>, StoreError> {
        match self.store.session(&key.site, &key.id).await? {
            Some(info) => self.entry(&info, self.touched.epoch()).await,
            None => Ok(None),
        }
    }

    async fn entry(&self, info: &SessionInfo, epoch: u64) -> Result<Option<Entry>, StoreError> {
        let kinds = [RecordKind::Event, RecordKind::Signal];
        let mut state = State::default();
        let mut before: Vec<Signal> = Vec::new();
        let mut asked: Vec<(u64, Asked)> = Vec::new();
        for record in self.store.read(&info.site, &info.session, 0, &kinds).await? {
            if record.kind == RecordKind::Event {
                if asked.len() < MAX_ASKED
                    && let Ok(Event::Said { text, .. }) = serde_json::from_slice(&record.body)
                    && text.contains(['?', '？', '吗'])
                {
                    let text = text.chars().take(MAX_ASKED_CHARS).collect();
                    asked.push((record.seq, Asked { at_ms: record.at_ms, text, meaning: None }));
                }
                continue;
            }
            for signal in signals::read(&record.body) {
                state.push(record.at_ms, &signal);
                if let (Signal::Meaning { vector }, Some((_, asked))) =
                    (&signal, asked.iter_mut().find(|(seq, _)| *seq == record.seq))
                {
                    asked.meaning = Some(vector.clone());
                }
                if state.outcomes.is_empty() {
                    before.push(signal);
                }
            }
        }
        let score = intent::score(&before).score;
        let asked = asked.into_iter().map(|(_, asked)| asked).collect();
        Ok((state.started_at_ms > 0).then(|| Entry {
            id: info.session.clone(),
            state,
            score,
            asked,
            seen: seen(info, epoch),
        }))
    }
}

/// In the order of their beginning.
fn sorted(known: &HashMap<String, Arc<Entry>>) -> Vec<Arc<Entry>> {
    let mut entries: Vec<Arc<Entry>> = known.values().cloned().collect();
    entries.sort_by(|a, b| a.state.started_at_ms.cmp(&b.state.started_at_ms).then_with(|| a.id.cmp(&b.id)));
    entries
}

fn seen(info: &SessionInfo, epoch: u64) -> (u64, u64, u64) {
    (info.last_at_ms, info.last_seq, epoch)
}

fn key(info: &SessionInfo) -> SessionKey {
    SessionKey { site: info.site.clone(), id: info.session.clone() }
}
