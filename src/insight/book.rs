//! What is known of a site's sessions, made of the log and kept in memory only: erasing a session
//! leaves nothing of it here.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;

use crate::clock::Clock;
use crate::conversation::{Event, SessionKey};
use crate::features::State;
use crate::insight::silence::{self, Reported};
use crate::intent::classes::{Classes, Guess};
use crate::intent::registry::{Deployed, Live};
use crate::intent::table::Track;
use crate::intent::train::{Model, TrainError};
use crate::intent::{self, Intent};
use crate::signals::touched::Touched;
use crate::signals::{self, Meaning, Signal};
use crate::store::{RecordKind, SessionInfo, SessionQuery, Store, StoreError, unless_damaged};

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
    /// The purchase intent, 0…1, when the conversation ended or its outcome came: by the deployed
    /// model, or by the sum without one.
    pub score: f32,
    pub asked: Vec<Asked>,
    /// What its messages are about by the deployed classes, each once; empty without them, and for
    /// messages about none of them.
    pub classes: BTreeSet<String>,
    seen: Seen,
}

/// What an entry was read from, and the versions of the models that judged it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    last_at_ms: u64,
    last_seq: u64,
    epoch: u64,
    purchase: Option<u32>,
    classes: Option<u32>,
}

/// A session that was read and not judged yet.
struct Unjudged {
    entry: Entry,
    track: Track,
    /// The visitor's messages whose meaning is known.
    said: Vec<(String, Vec<f32>)>,
}

/// The models of a site that judge sessions.
#[derive(Clone, Default)]
struct Judges {
    purchase: Option<Arc<Deployed<Model>>>,
    classes: Option<Arc<Deployed<Classes>>>,
}

impl Entry {
    /// A session that was not read from a store.
    #[cfg(test)]
    pub(crate) fn new(id: String, state: State, score: f32) -> Self {
        Self {
            id,
            state,
            score,
            asked: Vec::new(),
            classes: BTreeSet::new(),
            seen: Seen::default(),
        }
    }
}

/// Something a visitor asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub at_ms: u64,
    pub text: String,
    pub meaning: Option<Meaning>,
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
    models: Option<Live>,
    /// A std mutex: it is held for a look. Each site has a lock of its own, since reading one takes
    /// a while.
    sites: Arc<Mutex<HashMap<String, Arc<tokio::sync::Mutex<Site>>>>>,
    /// Sessions that the store is too busy to read.
    #[cfg(test)]
    refused: Arc<Mutex<HashSet<String>>>,
    /// By site, the days after which silence counts as no purchase; and what time it is.
    patience: Option<(Arc<HashMap<String, u32>>, Clock)>,
}

impl Book {
    #[must_use]
    pub fn new(store: Store, touched: Touched) -> Self {
        Self {
            store,
            touched,
            models: None,
            patience: None,
            sites: Arc::default(),
            #[cfg(test)]
            refused: Arc::default(),
        }
    }

    /// Sessions are scored by the deployed models.
    #[must_use]
    pub fn scored_by(self, models: Live) -> Self {
        Self { models: Some(models), ..self }
    }

    /// Sessions count as not bought when nothing was reported of them for so many days
    /// ([`silence::silent`]).
    #[must_use]
    pub fn patient(self, days: HashMap<String, u32>, clock: Clock) -> Self {
        Self { patience: Some((Arc::new(days), clock)), ..self }
    }

    /// Which sessions of a site count as not bought because nobody reported.
    fn silent(&self, site: &str, told: &[Reported<'_>]) -> Vec<bool> {
        let days = |(days, clock): &(Arc<HashMap<String, u32>>, Clock)| {
            Some((*days.get(site)?, clock.now_ms()))
        };
        let (after_days, now_ms) = self.patience.as_ref().and_then(days).unwrap_or_default();
        silence::silent(told, after_days, now_ms)
    }

    /// The site's sessions as the log has them now; only those that changed are read.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn read(&self, site: &str) -> Result<Vec<Arc<Entry>>, StoreError> {
        let of_site = self.site(site);
        let mut of_site = of_site.lock().await;
        let Site { entries: known, read_at } = &mut *of_site;
        let mut listed: Vec<SessionInfo> = Vec::new();
        let mut after = None;
        while listed.len() < MAX_SESSIONS {
            let query = SessionQuery {
                site: site.to_owned(),
                limit: PAGE,
                after: after.take(),
                since_ms: 0,
            };
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
        let judges = self.judges(site);
        let here: HashSet<&str> = listed.iter().map(|info| info.session.as_str()).collect();
        known.retain(|id, _| here.contains(id.as_str()));
        let changed: Vec<(SessionInfo, Option<u64>)> = listed
            .iter()
            .filter_map(|info| {
                let touch = self.touched.last(&key(info));
                let is_new = || {
                    known
                        .get(&info.session)
                        .is_none_or(|entry| entry.seen != judges.seen(info, epoch))
                };
                (touch.is_some() || is_new()).then(|| (info.clone(), touch))
            })
            .collect();
        let read = |(info, touch): (SessionInfo, Option<u64>)| {
            let this = self.clone();
            let seen = judges.seen(&info, epoch);
            async move {
                let entry =
                    unless_damaged(this.entry(&info, seen).await, &info.site, &info.session);
                (entry, touch.map(|touch| (key(&info), touch)))
            }
        };
        let mut reading =
            futures_util::stream::iter(changed.into_iter().map(read)).buffered(READING);
        let mut unjudged: Vec<Unjudged> = Vec::new();
        // A session stays touched until what was read of it is known here. A read that fails half
        // way keeps what it has; the next one goes on from there.
        let mut touches: Vec<(SessionKey, u64)> = Vec::new();
        let mut failure = None;
        loop {
            let read = reading.next().await;
            let ended = !matches!(read, Some((Ok(_), _)));
            match read {
                Some((Ok(read), touch)) => {
                    unjudged.extend(read);
                    touches.extend(touch);
                }
                Some((Err(error), _)) => failure = Some(error),
                None => {}
            }
            if ended || unjudged.len() >= PAGE {
                judges.judge(known, std::mem::take(&mut unjudged)).await?;
                for (key, touch) in touches.drain(..) {
                    self.touched.done(&key, touch);
                }
            }
            if ended {
                break;
            }
        }
        if let Some(failure) = failure {
            return Err(failure);
        }
        let silent = self.silent(
            site,
            &known.values().map(|entry| Reported::of(&entry.state)).collect::<Vec<_>>(),
        );
        for (entry, silent) in known.values_mut().zip(silent) {
            if entry.state.silent != silent {
                Arc::make_mut(entry).state.silent = silent;
            }
        }
        *read_at = Some(Instant::now());
        Ok(sorted(known))
    }

    /// The site's sessions as they were at most `age` ago, where a little late is as good.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn recent(&self, site: &str, age: Duration) -> Result<Vec<Arc<Entry>>, StoreError> {
        {
            let known = self.site(site);
            let known = known.lock().await;
            if known.read_at.is_some_and(|at| at.elapsed() < age) {
                return Ok(sorted(&known.entries));
            }
        }
        self.read(site).await
    }

    fn site(&self, id: &str) -> Arc<tokio::sync::Mutex<Site>> {
        let mut sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        sites.entry(id.to_owned()).or_default().clone()
    }

    /// One session as the log has it now; `None` if there is none, or nothing was noted of it.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn session(&self, key: &SessionKey) -> Result<Option<Entry>, StoreError> {
        match self.store.session(&key.site, &key.id).await? {
            Some(info) => Ok(self.entry(&info, Seen::default()).await?.map(|read| read.entry)),
            None => Ok(None),
        }
    }

    /// One session's signals as the log has them now; none for an unknown one.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn track(&self, key: &SessionKey) -> Result<Track, StoreError> {
        let records = self.store.read(&key.site, &key.id, 0, &[RecordKind::Signal]).await?;
        Ok(Track::of_log(
            records.iter().map(|record| (record.at_ms, signals::read(&record.body))).collect(),
        ))
    }

    /// Whether cards were due, shown or held back, after event `seq`.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn recommended_at(&self, key: &SessionKey, seq: u64) -> Result<bool, StoreError> {
        let records = self
            .store
            .read(&key.site, &key.id, seq.saturating_sub(1), &[RecordKind::Signal])
            .await?;
        let due = |signal: &Signal| matches!(signal, Signal::Recommended { .. });
        Ok(records
            .iter()
            .any(|record| record.seq == seq && signals::read(&record.body).iter().any(due)))
    }

    /// The newest sessions of a site, at most `limit`, with their ids.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn tracks(
        &self,
        site: &str,
        limit: usize,
    ) -> Result<Vec<(String, Track)>, StoreError> {
        let mut tracks = Vec::new();
        let mut after = None;
        while tracks.len() < limit {
            let query = SessionQuery {
                site: site.to_owned(),
                limit: PAGE.min(limit - tracks.len()),
                after: after.take(),
                since_ms: 0,
            };
            let page = self.store.sessions(query).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.cursor());
            let read = |info: SessionInfo| {
                let this = self.clone();
                async move { this.track(&key(&info)).await.map(|track| (info.session, track)) }
            };
            let mut reading =
                futures_util::stream::iter(page.into_iter().map(read)).buffered(READING);
            while let Some(track) = reading.next().await {
                tracks.push(track?);
            }
        }
        let states: Vec<State> = tracks.iter().map(|(_, track)| track.outline()).collect();
        let silent = self.silent(site, &states.iter().map(Reported::of).collect::<Vec<_>>());
        for ((_, track), _) in tracks.iter_mut().zip(silent).filter(|(_, silent)| *silent) {
            track.converted = Some(false);
        }
        Ok(tracks)
    }

    /// What is known of a session's purchase intent after the visitor's first `turns` messages, or
    /// now: by the deployed model, or by the sum. A model that can't compute is logged, and the sum
    /// remains.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn intent(
        &self,
        key: &SessionKey,
        turns: Option<usize>,
    ) -> Result<Intent, StoreError> {
        let track = self.track(key).await?;
        let Some(deployed) = self.models.as_ref().and_then(|models| models.purchase(&key.site))
        else {
            return Ok(intent::score(track.until(turns)));
        };
        let scored =
            tokio::task::spawn_blocking(move || (deployed.intent(&track, turns), track)).await;
        let Ok((scored, track)) = scored else { return Err(StoreError::Closed) };
        Ok(scored.unwrap_or_else(|error| {
            tracing::warn!(site = key.site, %error, "the purchase model could not score a session");
            intent::score(track.until(turns))
        }))
    }

    fn judges(&self, site: &str) -> Judges {
        let models = self.models.as_ref();
        Judges {
            purchase: models.and_then(|models| models.purchase(site)),
            classes: models.and_then(|models| models.classes(site)),
        }
    }

    async fn entry(&self, info: &SessionInfo, seen: Seen) -> Result<Option<Unjudged>, StoreError> {
        #[cfg(test)]
        if self.refused.lock().unwrap_or_else(PoisonError::into_inner).contains(&info.session) {
            return Err(StoreError::Overloaded { queue: 0 });
        }
        let kinds = [RecordKind::Event, RecordKind::Signal];
        let mut state = State::default();
        let mut records = Vec::new();
        let mut asked: Vec<(u64, Asked)> = Vec::new();
        let mut said: BTreeMap<u64, (String, Option<Vec<f32>>)> = BTreeMap::new();
        for record in self.store.read(&info.site, &info.session, 0, &kinds).await? {
            if record.kind == RecordKind::Event {
                let Ok(Event::Said { text, .. }) = serde_json::from_slice(&record.body) else {
                    continue;
                };
                if asked.len() < MAX_ASKED && signals::words::asks(&text) {
                    let text = text.chars().take(MAX_ASKED_CHARS).collect();
                    asked.push((record.seq, Asked { at_ms: record.at_ms, text, meaning: None }));
                }
                if seen.classes.is_some() {
                    said.insert(record.seq, (text, None));
                }
                continue;
            }
            let signals = signals::read(&record.body);
            for signal in &signals {
                state.push(record.at_ms, signal);
                let Signal::Meaning { vector } = signal else { continue };
                if let Some((_, asked)) = asked.iter_mut().find(|(seq, _)| *seq == record.seq) {
                    asked.meaning = Some(vector.clone());
                }
                if let Some((_, meaning)) = said.get_mut(&record.seq) {
                    *meaning = Some(vector.numbers().collect());
                }
            }
            records.push((record.at_ms, signals));
        }
        if state.started_at_ms == 0 {
            return Ok(None);
        }
        let track = Track { records, said: Vec::new(), converted: state.converted() };
        let score = intent::score(track.until(None)).score;
        let asked = asked.into_iter().map(|(_, asked)| asked).collect();
        let entry =
            Entry { id: info.session.clone(), state, score, asked, classes: BTreeSet::new(), seen };
        let said =
            said.into_values().filter_map(|(text, meaning)| Some((text, meaning?))).collect();
        Ok(Some(Unjudged { entry, track, said }))
    }
}

impl Judges {
    fn seen(&self, info: &SessionInfo, epoch: u64) -> Seen {
        Seen {
            last_at_ms: info.last_at_ms,
            last_seq: info.last_seq,
            epoch,
            purchase: self.purchase.as_ref().map(|deployed| deployed.version.version),
            classes: self.classes.as_ref().map(|deployed| deployed.version.version),
        }
    }

    /// Takes sessions up with what the models say of them; one that can't compute is logged, and
    /// the sum remains.
    async fn judge(
        &self,
        known: &mut HashMap<String, Arc<Entry>>,
        read: Vec<Unjudged>,
    ) -> Result<(), StoreError> {
        let this = self.clone();
        let judged = tokio::task::spawn_blocking(move || this.judged(read))
            .await
            .map_err(|_| StoreError::Closed)?;
        known.extend(judged.into_iter().map(|entry| (entry.id.clone(), Arc::new(entry))));
        Ok(())
    }

    fn judged(&self, read: Vec<Unjudged>) -> Vec<Entry> {
        let mut scores = Vec::new();
        if let Some(deployed) = self.purchase.as_ref().filter(|_| !read.is_empty()) {
            let rows = read.iter().map(|read| deployed.row(&read.track)).collect();
            scores = or_nothing(|| deployed.scores(rows));
        }
        let mut guesses = Vec::new();
        if let Some(deployed) = &self.classes {
            let said = || read.iter().flat_map(|read| &read.said);
            let texts: Vec<&str> = said().map(|(text, _)| text.as_str()).collect();
            let vectors: Vec<&[f32]> = said().map(|(_, vector)| vector.as_slice()).collect();
            guesses = or_nothing(|| deployed.model.guess(&texts, &vectors));
        }
        let mut guesses = guesses.into_iter();
        let mut entries = Vec::with_capacity(read.len());
        for (at, Unjudged { mut entry, said, .. }) in read.into_iter().enumerate() {
            entry.score = scores.get(at).copied().unwrap_or(entry.score);
            let mine = guesses.by_ref().take(said.len()).filter(|guess| guess.in_scope);
            let name = |guess: Guess| self.classes.as_ref()?.model.names.get(guess.class).cloned();
            entry.classes = mine.filter_map(name).collect();
            entries.push(entry);
        }
        entries
    }
}

/// What a model says, or nothing if it can't compute. A panic must not take the sessions with it
/// that were to be judged.
fn or_nothing<T>(judge: impl FnOnce() -> Result<Vec<T>, TrainError>) -> Vec<T> {
    match std::panic::catch_unwind(AssertUnwindSafe(judge)) {
        Ok(Ok(said)) => said,
        Ok(Err(error)) => {
            tracing::warn!(%error, "an intent model could not judge sessions");
            Vec::new()
        }
        Err(_) => {
            tracing::error!("an intent model crashed over sessions");
            Vec::new()
        }
    }
}

/// In the order of their beginning.
fn sorted(known: &HashMap<String, Arc<Entry>>) -> Vec<Arc<Entry>> {
    let mut entries: Vec<Arc<Entry>> = known.values().cloned().collect();
    entries.sort_by(|a, b| {
        a.state.started_at_ms.cmp(&b.state.started_at_ms).then_with(|| a.id.cmp(&b.id))
    });
    entries
}

fn key(info: &SessionInfo) -> SessionKey {
    SessionKey { site: info.site.clone(), id: info.session.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::Outcome;
    use crate::store::{Record, StoreConfig};

    async fn append(store: &Store, key: &SessionKey, seq: u64, signals: &[Signal]) {
        signals::append(store, key, seq, 1_000, signals).await.unwrap();
    }

    async fn begin(store: &Store, key: &SessionKey) {
        let event = Event::Started { visitor: "v".into(), channel: "c".into() };
        let (site, session) = (key.site.clone(), key.id.clone());
        let body = serde_json::to_vec(&event).unwrap();
        store
            .append(Record { site, session, seq: 1, at_ms: 1_000, kind: RecordKind::Event, body })
            .await
            .unwrap();
        append(store, key, 1, &[Signal::Started { visitor: "v".into(), channel: "c".into() }])
            .await;
    }

    #[tokio::test]
    async fn the_log_tells_which_answer_had_its_cards() {
        let directory = tempfile::tempdir().unwrap();
        let config = StoreConfig { path: directory.path().join("store"), ..StoreConfig::default() };
        let (store, touched) = (Store::open(&config).unwrap(), Touched::default());
        let book = Book::new(store.clone(), touched);
        let key = SessionKey { site: "shop".into(), id: "s".into() };
        begin(&store, &key).await;
        assert!(!book.recommended_at(&key, 1).await.unwrap());
        append(
            &store,
            &key,
            1,
            &[Signal::Recommended { products: vec!["T2".into()], held_out: true }],
        )
        .await;
        let due = [0, 1, 2].map(|seq| book.recommended_at(&key, seq));
        assert_eq!(futures_util::future::try_join_all(due).await.unwrap(), [false, true, false]);
        store.close().await.unwrap();
    }

    #[tokio::test]
    async fn a_read_that_fails_half_way_forgets_no_change() {
        let directory = tempfile::tempdir().unwrap();
        let config = StoreConfig { path: directory.path().join("store"), ..StoreConfig::default() };
        let (store, touched) = (Store::open(&config).unwrap(), Touched::default());
        let book = Book::new(store.clone(), touched.clone());
        let keys: Vec<_> =
            (0..40).map(|i| SessionKey { site: "shop".into(), id: format!("s{i}") }).collect();
        for key in &keys {
            begin(&store, key).await;
        }
        assert_eq!(book.read("shop").await.unwrap().len(), keys.len());

        for key in &keys {
            // Of the same moment as what was there: only the mark tells of it.
            let order = Outcome { order: key.id.clone(), ..Outcome::default() };
            append(&store, key, 1, &[Signal::Outcome(order)]).await;
            touched.touch(key);
        }
        book.refused.lock().unwrap().insert("s20".into());
        assert!(matches!(book.read("shop").await, Err(StoreError::Overloaded { .. })));
        assert!(touched.last(&keys[20]).is_some(), "it wasn't read");
        book.refused.lock().unwrap().clear();
        for entry in book.read("shop").await.unwrap() {
            assert_eq!(entry.state.outcomes.len(), 1, "{}", entry.id);
        }
        assert_eq!(
            keys.iter().find(|key| touched.last(key).is_some()),
            None,
            "what was read is no change any more"
        );
        store.close().await.unwrap();
    }

    #[tokio::test]
    async fn one_site_s_reading_holds_up_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let config = StoreConfig { path: directory.path().join("store"), ..StoreConfig::default() };
        let store = Store::open(&config).unwrap();
        let book = Book::new(store.clone(), Touched::default());
        let shop = book.site("shop");
        let _reading = shop.lock().await;
        let other = tokio::time::timeout(Duration::from_secs(30), book.read("bank")).await;
        assert_eq!(other.expect("it doesn't wait").unwrap().len(), 0);
        store.close().await.unwrap();
    }

    #[test]
    fn a_touch_while_a_session_is_read_counts() {
        let (touched, key) =
            (Touched::default(), SessionKey { site: "shop".into(), id: "s".into() });
        touched.touch(&key);
        let before = touched.last(&key).unwrap();
        touched.touch(&key);
        touched.done(&key, before);
        let after = touched.last(&key).unwrap();
        touched.done(&key, after);
        assert_eq!(touched.last(&key), None);
    }

    #[test]
    fn a_model_that_crashes_says_nothing() {
        assert_eq!(or_nothing(|| Ok(vec![1])), [1]);
        assert!(or_nothing::<u8>(|| panic!("on purpose")).is_empty());
    }
}
