//! Questions that the knowledge doesn't answer: declined, answered with little confidence, or voted
//! down. Those that mean the same are one gap, counted, with a few examples; it is open until a
//! document answers it, which is asked again after each change of the knowledge, by the same turn
//! that answers visitors. An agent who writes the missing article doesn't wait for that: the
//! question is asked at once.
//!
//! Off the answer path: events arrive over a bounded queue, and one that finds it full is counted
//! and left out. A gap holds visitors' words, so what a session left in it goes when the session is
//! erased or expires.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, Semaphore, mpsc, watch};

use crate::actions::Actions;
use crate::clock::Clock;
use crate::conversation::{AnswerEnd, Citation, Event, Rating, SessionKey, Verdict};
use crate::lifecycle::Tasks;
use crate::prompt::SiteFacts;
use crate::retrieval::embedder::Embedder;
use crate::retrieval::{Audience, Retrieval};
use crate::store::{RecordKind, Store, StoreError};
use crate::telemetry::Metrics;
use crate::turn::{self, Ask, Mode, Outlet, Output, Spine, TurnError};

mod answers;
pub mod compose;
pub mod contradiction;
pub mod draft;
pub mod kept;
mod manner;
pub mod personal;
pub mod trial;

use compose::{Composed, Material, compose};
use kept::{Draft, Drafts};

/// `[gaps]`: what is noted about questions without an answer.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct GapsConfig {
    /// Switches the notes on.
    pub enabled: bool,
    /// Events that may wait to be noted; one more is left out and counted in
    /// `frontdesk_gaps_dropped_total`.
    pub queue: usize,
    /// An answer whose confidence is below this counts as none. Higher finds more gaps, and more
    /// that are none.
    pub min_confidence: f32,
    /// Cosine between the embeddings of two questions from which they are one gap. Lower makes
    /// fewer, wider gaps. With all-MiniLM-L6-v2 over labelled questions of banks, assistants and
    /// homes (BANKING77, CLINC150, HWU64), what the default puts together means the same in .78,
    /// .95 and .95; at 0.6 it is .67, .91 and .91, at 0.7 .88, .98 and .96, with more gaps.
    /// `frontdesk eval gaps` tells it for yours.
    pub same_cosine: f32,
}

impl Default for GapsConfig {
    fn default() -> Self {
        Self { enabled: true, queue: 1024, min_confidence: 0.5, same_cosine: 0.65 }
    }
}

/// Why a question counts as unanswered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    Declined,
    LowConfidence,
    VotedDown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Open,
    /// A document answers it now.
    Closed,
    /// A person said that it needs no answer; further such questions are counted and change
    /// nothing.
    Dismissed,
}

/// A question that was asked, as it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    pub text: String,
    pub session: String,
    pub turn: u64,
    pub at_ms: u64,
    pub reason: Reason,
    /// Versions of documents (`document@hash`) that an answer which was voted down came from: they
    /// don't close the gap.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
}

/// What answers a closed gap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnsweredBy {
    pub document: String,
    pub title: String,
    pub headings: Vec<String>,
    pub at_ms: u64,
}

/// Questions of one meaning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    pub id: String,
    pub state: State,
    /// The first of its questions that is still known.
    pub question: String,
    /// How often it was asked, by reason.
    pub reasons: BTreeMap<Reason, u64>,
    pub count: u64,
    pub first_at_ms: u64,
    pub last_at_ms: u64,
    /// The latest questions, at most [`MAX_EXAMPLES`].
    pub examples: Vec<Example>,
    pub answered_by: Option<AnsweredBy>,
}

/// A gap as it is stored: with its question's embedding, and the model that made it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    gap: Gap,
    vector: Vec<f32>,
    model: String,
}

/// Examples that a gap keeps: a draft is made from their conversations and asked with them.
pub const MAX_EXAMPLES: usize = 32;
/// Gaps that a site keeps; for one more, the least asked of those that aren't open goes, then of
/// all.
const MAX_GAPS: usize = 1_000;
/// Longest question that is kept, in bytes.
const MAX_QUESTION: usize = 500;
/// Gaps that are asked again after a change of the knowledge, the most asked first. The others wait
/// for the next one.
const MAX_RECHECKED: usize = 300;
/// How long changes of the knowledge are gathered before gaps are asked again.
const GATHER: Duration = Duration::from_millis(500);
/// How often is looked whether sessions were erased or expired.
const FORGET_PERIOD: Duration = Duration::from_secs(60);
const SPACE: &str = "gaps";

/// The gaps of all sites. Cheap to clone.
#[derive(Clone)]
pub struct Gaps {
    pub config: GapsConfig,
    /// Drafts of the missing articles.
    pub kept: Drafts,
    /// One draft is tried at a time.
    pub trying: Arc<Semaphore>,
    store: Store,
    sites: Arc<Mutex<Known>>,
}

/// All gaps by site, and how many removals of sessions they have followed.
#[derive(Default)]
struct Known {
    sites: BTreeMap<String, Vec<Kept>>,
    removals: u64,
}

impl Gaps {
    /// Reads the gaps from the store.
    ///
    /// # Errors
    /// When it can't be read. What can't be understood is left where it is and passed over.
    pub async fn open(store: Store, config: GapsConfig) -> Result<Self, StoreError> {
        // Sessions that went before this may have left something.
        let mut known = Known { removals: u64::MAX, ..Known::default() };
        for (key, value) in store.scan(SPACE, b"").await? {
            let site =
                key.split(|byte| *byte == 0).next().and_then(|site| std::str::from_utf8(site).ok());
            match (site, serde_json::from_slice::<Kept>(&value)) {
                (Some(site), Ok(kept)) => {
                    known.sites.entry(site.to_owned()).or_default().push(kept)
                }
                _ => tracing::warn!(
                    "a knowledge gap in the store is not understood and was passed over"
                ),
            }
        }
        let (kept, trying) = (Drafts::new(store.clone()), Arc::new(Semaphore::new(1)));
        Ok(Self { config, kept, trying, store, sites: Arc::new(Mutex::new(known)) })
    }

    /// A site's gaps in a state, or all; the most asked first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self, site: &str, state: Option<State>) -> Result<Vec<Gap>, StoreError> {
        let mut known = self.sites.lock().await;
        self.forget_gone(&mut known).await?;
        let of_site = known.sites.get(site).map(Vec::as_slice).unwrap_or_default();
        let wanted = of_site
            .iter()
            .map(|kept| &kept.gap)
            .filter(|gap| state.is_none_or(|state| gap.state == state));
        let mut gaps: Vec<Gap> = wanted.cloned().collect();
        gaps.sort_by(|a, b| (b.count, b.last_at_ms, &a.id).cmp(&(a.count, a.last_at_ms, &b.id)));
        Ok(gaps)
    }

    /// Dismisses a gap or opens it again. `None` if there is none with this id.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn set_state(
        &self,
        site: &str,
        id: &str,
        state: State,
    ) -> Result<Option<Gap>, StoreError> {
        let mut known = self.sites.lock().await;
        let Some(kept) = known
            .sites
            .get_mut(site)
            .and_then(|gaps| gaps.iter_mut().find(|kept| kept.gap.id == id))
        else {
            return Ok(None);
        };
        kept.gap.state = state;
        if state == State::Open {
            kept.gap.answered_by = None;
        }
        self.save(site, kept).await?;
        Ok(Some(kept.gap.clone()))
    }

    /// A gap; `None` if there is none with this id.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn get(&self, site: &str, id: &str) -> Result<Option<Gap>, StoreError> {
        let mut known = self.sites.lock().await;
        self.forget_gone(&mut known).await?;
        let of_site = known.sites.get(site).map(Vec::as_slice).unwrap_or_default();
        Ok(of_site.iter().find(|kept| kept.gap.id == id).map(|kept| kept.gap.clone()))
    }

    /// Closes an open gap; false if it isn't open any more.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn close(
        &self,
        site: &str,
        id: &str,
        answer: AnsweredBy,
    ) -> Result<bool, StoreError> {
        let mut known = self.sites.lock().await;
        let of_site = known.sites.get_mut(site).map(Vec::as_mut_slice).unwrap_or_default();
        let Some(kept) =
            of_site.iter_mut().find(|kept| kept.gap.id == id && kept.gap.state == State::Open)
        else {
            return Ok(false);
        };
        (kept.gap.state, kept.gap.answered_by) = (State::Closed, Some(answer));
        self.save(site, kept).await?;
        Ok(true)
    }

    /// What answers the question, if this is an answer.
    #[must_use]
    pub fn answer(&self, verdict: &Verdict, now_ms: u64) -> Option<AnsweredBy> {
        let citation = answering(verdict, self.config.min_confidence)?;
        Some(AnsweredBy {
            document: citation.document.clone(),
            title: citation.title.clone(),
            headings: citation.headings.clone(),
            at_ms: now_ms,
        })
    }

    /// Forgets what a session left; after this no gap holds its words.
    ///
    /// # Errors
    /// When the store fails.
    async fn forget(&self, site: &str, session: &str) -> Result<(), StoreError> {
        let mut known = self.sites.lock().await;
        self.drop_examples(&mut known, site, &|example| example.session == session).await?;
        drop(known);
        self.kept.forget(site, session).await
    }

    /// The same of one message of a session. Of drafts the whole session goes: a sentence of theirs
    /// may stand there for several messages.
    async fn forget_turn(&self, site: &str, session: &str, turn: u64) -> Result<(), StoreError> {
        let mut known = self.sites.lock().await;
        let own = |example: &Example| example.session == session && example.turn == turn;
        self.drop_examples(&mut known, site, &own).await?;
        drop(known);
        self.kept.forget(site, session).await
    }

    /// Forgets what is left of sessions that are gone, in gaps and drafts; after this none holds
    /// their words.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn forget_expired(&self) -> Result<(), StoreError> {
        let mut known = self.sites.lock().await;
        self.forget_gone(&mut known).await
    }

    /// A site's drafts, the latest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn drafts(&self, site: &str) -> Result<Vec<Draft>, StoreError> {
        self.forget_expired().await?;
        self.kept.list(site).await
    }

    /// The draft of a gap; `None` if there is none.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn drafted(&self, site: &str, gap: &str) -> Result<Option<Draft>, StoreError> {
        self.forget_expired().await?;
        self.kept.get(site, gap).await
    }

    /// Drafts the article that a gap misses from what people answered, and keeps it; `None` if
    /// there is no such gap. `contact` is what the site says of itself.
    ///
    /// # Errors
    /// When the store, the embedder or the index fails.
    pub async fn make_draft(
        &self,
        retrieval: &Retrieval,
        site: &str,
        language: &str,
        contact: &str,
        id: &str,
        now_ms: u64,
    ) -> anyhow::Result<Option<Draft>> {
        let Some(gap) = self.get(site, id).await? else { return Ok(None) };
        let replies = answers::replies(&self.store, retrieval, site, language, &gap).await?;
        let questions: Vec<String> =
            gap.examples.iter().map(|example| example.text.clone()).collect();
        let material =
            Material { site, language, contact, questions: &questions, replies: &replies };
        let Composed { title, collected, contradictions } = compose(retrieval, &material).await?;
        let asked = title.and_then(|at| gap.examples.get(at));
        let draft = Draft {
            gap: gap.id.clone(),
            made_at_ms: now_ms,
            title: asked.map(|example| draft::title(&example.text)).unwrap_or_default(),
            title_from: asked.map(|example| example.session.clone()),
            sentences: collected.sentences,
            contradictions,
            left_out: collected.left_out,
            trial: None,
            published: None,
        };
        self.kept.keep(site, draft).await?;
        // A conversation may have been erased between reading and keeping.
        self.kept.forget_gone().await?;
        Ok(self.kept.get(site, id).await?)
    }

    /// Forgets what is left of sessions that are gone, if any went since the last time.
    async fn forget_gone(&self, known: &mut Known) -> Result<(), StoreError> {
        let removals = self.store.removals();
        if known.removals == removals {
            return Ok(());
        }
        let sites: Vec<String> = known.sites.keys().cloned().collect();
        for site in sites {
            let of_site = known.sites.get(&site).map(Vec::as_slice).unwrap_or_default();
            let all = of_site.iter().flat_map(|kept| &kept.gap.examples);
            let sessions: HashSet<String> = all.map(|example| example.session.clone()).collect();
            let mut gone = HashSet::new();
            for session in sessions {
                if self.store.session(&site, &session).await?.is_none() {
                    gone.insert(session);
                }
            }
            self.drop_examples(known, &site, &|example| gone.contains(&example.session)).await?;
        }
        self.kept.forget_gone().await?;
        known.removals = removals;
        Ok(())
    }

    async fn drop_examples(
        &self,
        known: &mut Known,
        site: &str,
        goes: &(dyn Fn(&Example) -> bool + Sync),
    ) -> Result<(), StoreError> {
        let Some(gaps) = known.sites.get_mut(site) else { return Ok(()) };
        for kept in &mut *gaps {
            let before = kept.gap.examples.len();
            kept.gap.examples.retain(|example| !goes(example));
            let left = kept.gap.examples.len();
            if left == before {
                continue;
            }
            let Some(example) = kept.gap.examples.first() else {
                self.store.remove(SPACE, &key(site, &kept.gap.id)).await?;
                continue;
            };
            if !kept.gap.examples.iter().any(|example| example.text == kept.gap.question) {
                // The embedding was that of the question which goes; the next event makes a new
                // one.
                kept.gap.question = example.text.clone();
                kept.vector = Vec::new();
            }
            self.save(site, kept).await?;
        }
        gaps.retain(|kept| !kept.gap.examples.is_empty());
        Ok(())
    }

    async fn save(&self, site: &str, kept: &Kept) -> Result<(), StoreError> {
        let value = serde_json::to_vec(kept).unwrap_or_default();
        self.store.put(SPACE, &key(site, &kept.gap.id), &value).await
    }

    /// Adds a question to the gap that it means, or begins one.
    async fn add(
        &self,
        embedder: &Embedder,
        site: &str,
        example: Example,
    ) -> Result<(), anyhow::Error> {
        let mut known = self.sites.lock().await;
        let facts = embedder.facts();
        let model = format!("{} {} {}", facts.model.name, facts.model.size_bytes, facts.dims);
        let vector = embedder.embed_query(example.text.clone()).await?;
        let gaps = known.sites.entry(site.to_owned()).or_default();
        for kept in gaps.iter_mut().filter(|kept| kept.model != model || kept.vector.is_empty()) {
            kept.vector = embedder.embed_query(kept.gap.question.clone()).await?;
            kept.model.clone_from(&model);
        }
        let nearest = nearest(
            &vector,
            gaps.iter().map(|kept| kept.vector.as_slice()),
            self.config.same_cosine,
        );
        if let Some(kept) = nearest.and_then(|at| gaps.get_mut(at)) {
            let gap = &mut kept.gap;
            let twice =
                |other: &Example| other.session == example.session && other.turn == example.turn;
            if gap.examples.iter().any(twice) {
                return Ok(());
            }
            gap.count += 1;
            *gap.reasons.entry(example.reason).or_default() += 1;
            gap.last_at_ms = gap.last_at_ms.max(example.at_ms);
            if gap.state == State::Closed {
                (gap.state, gap.answered_by) = (State::Open, None);
            }
            if gap.examples.len() >= MAX_EXAMPLES {
                // The first stays: it is the gap's question.
                gap.examples.remove(1);
            }
            gap.examples.push(example);
            self.save(site, kept).await?;
            return Ok(());
        }
        if gaps.len() >= MAX_GAPS {
            let least = gaps.iter().enumerate();
            let least = least.min_by_key(|(_, kept)| {
                (kept.gap.state == State::Open, kept.gap.count, kept.gap.last_at_ms)
            });
            if let Some((at, _)) = least {
                let kept = gaps.swap_remove(at);
                self.store.remove(SPACE, &key(site, &kept.gap.id)).await?;
            }
        }
        let id = format!(
            "{:x}",
            Sha256::digest(format!("{site}\0{}\0{}", example.session, example.turn))
        );
        let gap = Gap {
            id: id.chars().take(16).collect(),
            state: State::Open,
            question: example.text.clone(),
            reasons: BTreeMap::from([(example.reason, 1)]),
            count: 1,
            first_at_ms: example.at_ms,
            last_at_ms: example.at_ms,
            examples: vec![example],
            answered_by: None,
        };
        let kept = Kept { gap, vector, model };
        self.save(site, &kept).await?;
        gaps.push(kept);
        Ok(())
    }
}

/// What an answer comes from, if it is one that closes a gap.
#[must_use]
pub fn answering(verdict: &Verdict, min_confidence: f32) -> Option<&Citation> {
    let answered = verdict.end == AnswerEnd::Complete && verdict.confidence >= min_confidence;
    verdict.citations.first().filter(|_| answered)
}

/// Which gap a question belongs to: that of the nearest question, if it is near enough. Vectors
/// have length 1.
pub(crate) fn nearest<'a>(
    vector: &[f32],
    gaps: impl Iterator<Item = &'a [f32]>,
    same_cosine: f32,
) -> Option<usize> {
    let cosine = |other: &[f32]| -> f32 { other.iter().zip(vector).map(|(a, b)| a * b).sum() };
    let nearest = gaps.map(cosine).enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
    nearest.filter(|(_, cosine)| *cosine >= same_cosine).map(|(at, _)| at)
}

fn key(site: &str, id: &str) -> Vec<u8> {
    format!("{site}\0{id}").into_bytes()
}

/// What an event says about a turn: that it went unanswered, and why.
#[must_use]
pub fn reason(event: &Event, min_confidence: f32) -> Option<(u64, Reason)> {
    match event {
        Event::AnswerDone { turn, end: AnswerEnd::Declined, .. } => Some((*turn, Reason::Declined)),
        // Without a text nothing was looked up.
        Event::SuggestionMade { id, end: AnswerEnd::Declined, text, .. } if !text.is_empty() => {
            Some((id.turn, Reason::Declined))
        }
        Event::AnswerDone {
            turn,
            end: AnswerEnd::Complete | AnswerEnd::Length,
            confidence,
            ..
        } if *confidence < min_confidence => Some((*turn, Reason::LowConfidence)),
        Event::Feedback { turn, rating: Rating::Down, .. } => Some((*turn, Reason::VotedDown)),
        _ => None,
    }
}

/// Hands events to the task that keeps the gaps.
#[derive(Clone)]
pub struct GapLog {
    sender: Option<mpsc::Sender<Noted>>,
    gaps: Gaps,
    min_confidence: f32,
    metrics: Metrics,
}

/// A turn that went unanswered.
struct Noted {
    key: SessionKey,
    turn: u64,
    at_ms: u64,
    reason: Reason,
}

/// What the task works with.
pub struct Parts {
    pub gaps: Gaps,
    pub spine: Spine,
    pub metrics: Metrics,
    pub clock: Clock,
    /// Site, what templates may say about it, and its language.
    pub sites: Vec<(String, SiteFacts, String)>,
    /// Counts changes of the knowledge.
    pub changes: watch::Receiver<u64>,
    pub tasks: Tasks,
}

impl GapLog {
    /// The handle, and the task to spawn: it ends when its tasks drain, with everything noted by
    /// then.
    pub fn new(parts: Parts) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let (sender, receiver) = mpsc::channel(parts.gaps.config.queue.max(1));
        let log = Self {
            sender: parts.gaps.config.enabled.then_some(sender),
            gaps: parts.gaps.clone(),
            min_confidence: parts.gaps.config.min_confidence,
            metrics: parts.metrics.clone(),
        };
        (log, keep(parts, receiver))
    }

    /// Notes an event that is on disk. Never waits.
    pub fn note(&self, key: &SessionKey, at_ms: u64, event: &Event) {
        let Some(sender) = &self.sender else { return };
        let Some((turn, reason)) = reason(event, self.min_confidence) else { return };
        if sender.try_send(Noted { key: key.clone(), turn, at_ms, reason }).is_err() {
            self.metrics.gaps_dropped.inc();
        }
    }

    /// Forgets what a session left; after this no gap holds its words.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn forget(&self, key: &SessionKey) -> Result<(), StoreError> {
        self.gaps.forget(&key.site, &key.id).await
    }

    /// Forgets what one message of a session left, by its `seq`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn forget_turn(&self, key: &SessionKey, turn: u64) -> Result<(), StoreError> {
        self.gaps.forget_turn(&key.site, &key.id, turn).await
    }

    /// The same of sessions that expired.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn forget_expired(&self) -> Result<(), StoreError> {
        self.gaps.forget_expired().await
    }
}

async fn keep(mut parts: Parts, mut receiver: mpsc::Receiver<Noted>) {
    // Asking again is no answer to anybody: it must not show in the answers' metrics, nor wait for
    // a model.
    parts.spine = Spine {
        mode: Mode::Quote,
        metrics: Metrics::new(),
        actions: Actions::default(),
        ..parts.spine
    };
    parts.spine.retrieval.metrics = parts.spine.metrics.clone();
    let mut forgetting = tokio::time::interval(FORGET_PERIOD);
    loop {
        let outcome = tokio::select! {
            () = parts.tasks.draining() => break,
            noted = receiver.recv() => match noted {
                Some(noted) => note(&parts, noted).await,
                None => return,
            },
            changed = parts.changes.changed() => {
                if changed.is_err() {
                    return;
                }
                tokio::select! {
                    () = parts.tasks.draining() => break,
                    () = tokio::time::sleep(GATHER) => {}
                }
                parts.changes.mark_unchanged();
                recheck(&parts).await
            },
            _ = forgetting.tick() => {
                let mut known = parts.gaps.sites.lock().await;
                parts.gaps.forget_gone(&mut known).await.map_err(Into::into)
            },
        };
        if let Err(error) = outcome {
            failed(&parts, &error);
        }
    }
    // What the last answers left.
    while let Ok(noted) = receiver.try_recv() {
        if let Err(error) = note(&parts, noted).await {
            failed(&parts, &error);
        }
    }
}

fn failed(parts: &Parts, error: &anyhow::Error) {
    tracing::warn!(error = format!("{error:#}"), "a knowledge gap could not be noted");
    parts.metrics.gaps_dropped.inc();
}

async fn note(parts: &Parts, noted: Noted) -> anyhow::Result<()> {
    let Noted { key, turn, at_ms, reason } = noted;
    let store = &parts.gaps.store;
    let (mut said, mut sources) = (None, Vec::new());
    for record in
        store.read(&key.site, &key.id, turn.saturating_sub(1), &[RecordKind::Event]).await?
    {
        match serde_json::from_slice(&record.body) {
            Ok(Event::Said { text, .. }) if record.seq == turn => said = Some(text),
            Ok(Event::AnswerDone { turn: of, citations, .. })
                if of == turn && reason == Reason::VotedDown =>
            {
                for citation in citations {
                    sources.extend(version(parts, &key.site, &citation.document).await);
                }
            }
            _ => {}
        }
    }
    // It was erased meanwhile.
    let Some(text) = said else { return Ok(()) };
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text[..text.floor_char_boundary(MAX_QUESTION)].to_owned();
    sources.truncate(MAX_EXAMPLES);
    let example = Example { text, session: key.id.clone(), turn, at_ms, reason, sources };
    parts.gaps.add(&parts.spine.retrieval.embedder, &key.site, example).await?;
    // It may have been erased between reading and noting.
    if store.session(&key.site, &key.id).await?.is_none() {
        parts.gaps.forget(&key.site, &key.id).await?;
    }
    Ok(())
}

/// A document's version as the index has it.
async fn version(parts: &Parts, site: &str, document: &str) -> Option<String> {
    let passages = parts.spine.retrieval.index.passages(site, document).await.ok()?;
    passages.first().map(|passage| format!("{document}@{}", passage.document_hash))
}

/// Asks the open gaps again, and closes those that are answered.
async fn recheck(parts: &Parts) -> anyhow::Result<()> {
    for (site, facts, language) in &parts.sites {
        let open = parts.gaps.list(site, Some(State::Open)).await?;
        let asked = open.len().min(MAX_RECHECKED);
        let mut closed = 0;
        for gap in open.into_iter().take(MAX_RECHECKED) {
            if parts.tasks.is_draining() {
                return Ok(());
            }
            let ask = question(site, facts, language, Audience::Public, &gap.question);
            let Ok((_, verdict)) = attempt(&parts.spine, &ask).await else { continue };
            let Some(answer) = parts.gaps.answer(&verdict, parts.clock.now_ms()) else { continue };
            // The very document that a visitor found wanting is no answer, until it changes.
            let version = version(parts, site, &answer.document).await;
            if gap
                .examples
                .iter()
                .flat_map(|example| &example.sources)
                .any(|source| Some(source) == version.as_ref())
            {
                continue;
            }
            closed += u32::from(parts.gaps.close(site, &gap.id, answer).await?);
        }
        if asked > 0 {
            tracing::info!(site, asked, closed, "open knowledge gaps were asked again");
        }
    }
    Ok(())
}

/// A gap's question, as somebody would ask it at the beginning of a conversation.
#[must_use]
pub fn question(
    site: &str,
    facts: &SiteFacts,
    language: &str,
    audience: Audience,
    question: &str,
) -> Ask {
    Ask {
        site: site.to_owned(),
        session: None,
        facts: facts.clone(),
        language: language.to_owned(),
        audience,
        history: Vec::new(),
        question: question.to_owned(),
        written: String::new(),
        sampling: None,
        max_tokens: None,
        stop: Vec::new(),
        request: None,
        beside: String::new(),
    }
}

/// Asks, and gives the whole text with its verdict.
///
/// # Errors
/// As [`turn::answer`].
pub async fn attempt(spine: &Spine, ask: &Ask) -> Result<(String, Verdict), TurnError> {
    let (sender, mut outputs) = mpsc::channel(16);
    let mut outlet = Outlet::new(sender, spine.metrics.clone());
    let answering = async {
        let verdict = turn::answer(spine, ask, &mut outlet).await;
        drop(outlet);
        verdict
    };
    let reading = async {
        let mut text = String::new();
        while let Some(output) = outputs.recv().await {
            if let Output::Text(more) = output {
                text.push_str(&more);
            }
        }
        text
    };
    let (verdict, text) = tokio::join!(answering, reading);
    Ok((text, verdict?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::Usage;

    #[test]
    fn what_counts_as_unanswered() {
        let done = |end, confidence| Event::AnswerDone {
            turn: 3,
            text: String::new(),
            citations: Vec::new(),
            confidence,
            usage: Usage::default(),
            end,
            withheld: 0,
        };
        let vote = |rating| Event::Feedback { turn: 3, rating, text: None };
        let check = |event: &Event, expected: Option<Reason>| {
            assert_eq!(reason(event, 0.5), expected.map(|reason| (3, reason)), "{event:?}");
        };
        check(&done(AnswerEnd::Declined, 0.9), Some(Reason::Declined));
        check(&done(AnswerEnd::Complete, 0.4), Some(Reason::LowConfidence));
        check(&done(AnswerEnd::Complete, 0.6), None);
        check(&done(AnswerEnd::Cancelled, 0.1), None);
        check(&done(AnswerEnd::SmallTalk, 0.1), None);
        check(&vote(Rating::Down), Some(Reason::VotedDown));
        check(&vote(Rating::Up), None);
    }
}
