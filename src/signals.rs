//! What happens in conversations, as numbers and labels; docs/signals.md is their schema. Off the
//! answer path: events arrive over a bounded queue, and one that finds it full is counted and left
//! out rather than letting a reply wait. It is on disk all the same, so that its signals are made
//! up for from there once there is room, and so are those that a crash kept from the disk.
//!
//! Signals are records of the session they belong to and nowhere else, so that erasing a session
//! erases them. What is made of them ([`crate::features`], [`crate::insight`]) is computed from the
//! log and never stored.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use crate::catalogue;
use crate::catalogue::goods::{Goods, Mention};
use crate::conversation::{
    AnswerEnd, AttributeValue, Attributes, Event, HandoffReason, Rating, SessionKey, Source,
};
use crate::language::topics;
use crate::retrieval::embedder::Embedder;
use crate::signals::touched::Touched;
use crate::store::{Record, RecordKind, SessionQuery, Store, StoreError, unless_damaged};
use crate::telemetry::Metrics;

pub mod touched;
pub mod words;

use crate::language::topics::Topic;
pub use words::Stance;

/// `[signals]`: what is noted about conversations.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SignalsConfig {
    /// Switches the log of signals on. Without it there is no intent score, no insight and no
    /// recommendation.
    pub enabled: bool,
    /// Events that may wait to be read for signals; one more is counted in
    /// `frontdesk_signals_dropped_total` and read from the disk once there is room. What is no
    /// event (where a visitor came from, cards and clicks) is lost then.
    pub queue: usize,
    /// Keeps the meaning of each message (its embedding, in 8 bits a number) beside the other
    /// signals, 0.5 KiB a message. Without it, features and recommendations know counts and words
    /// only.
    pub meanings: bool,
}

impl Default for SignalsConfig {
    fn default() -> Self {
        Self { enabled: true, queue: 4096, meanings: true }
    }
}

/// One thing that happened; when, is the record's `at_ms`. The set grows; readers pass over what
/// they don't know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "signal", rename_all = "snake_case")]
pub enum Signal {
    /// The conversation began.
    Started {
        visitor: String,
        channel: String,
    },
    /// Where the visitor came from.
    Source(Source),
    /// The visitor was here before this conversation.
    Known,
    /// What the site says of the visitor, with consent.
    Attribute {
        name: String,
        value: AttributeValue,
    },
    /// The visitor wrote.
    Message {
        chars: u32,
        words: u32,
        question: bool,
        /// −1 to 1, see [`words::sentiment`].
        #[serde(default)]
        sentiment: f32,
        /// ISO 639-1 code, where the text tells it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        language: Option<String>,
    },
    /// What a message means: its embedding.
    Meaning {
        vector: Meaning,
    },
    /// The message asks about a topic.
    Topic {
        topic: Topic,
    },
    /// How the message stands to what is offered.
    Stance {
        stance: Stance,
    },
    /// The message names a product of the catalogue, or a category.
    Mention {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        product: Option<String>,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        category: String,
    },
    /// An answer ended.
    Answer {
        /// Missing where the answer was another's, as in imported conversations.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        confidence: Option<f32>,
        end: AnswerEnd,
        citations: u32,
        withheld: u32,
    },
    Feedback {
        rating: Rating,
    },
    HumanRequested,
    /// A person was called, and why.
    Handoff {
        reason: HandoffReason,
    },
    /// The visitor's page was open for so long, until now.
    Dwell {
        ms: u64,
    },
    /// Cards were due: shown, or held back from the visitors that recommendations are measured
    /// against.
    Recommended {
        products: Vec<String>,
        held_out: bool,
    },
    /// The visitor opened a card.
    Clicked {
        product: String,
    },
    /// What came of it, as the site reports it.
    Outcome(Outcome),
    /// What the message with the record's `seq` is about, as a person says it; empty takes an
    /// earlier label back. Examples for the classes, no feature.
    Label {
        intent: String,
        /// An agent's id, or `admin`.
        by: String,
    },
    Ended,
}

/// What came of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The site's own id of the order; reporting one twice changes nothing.
    pub order: String,
    pub converted: bool,
    /// In `currency`; 0 where nothing was paid.
    #[serde(default)]
    pub amount: f64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub currency: String,
    /// Ids of the products bought.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<String>,
}

/// Attributes a visitor may have, and how long names and values may be, in Unicode scalar values.
const MAX_ATTRIBUTES: usize = 32;
const MAX_NAME: usize = 64;
const MAX_VALUE: usize = 200;

impl Source {
    /// What is kept: short values, and of the referrer its host.
    #[must_use]
    pub fn kept(&self) -> Option<Self> {
        let short = |value: &Option<String>| {
            let value: String = value.as_deref()?.trim().chars().take(MAX_VALUE).collect();
            (!value.is_empty()).then_some(value)
        };
        let kept = Self {
            utm_source: short(&self.utm_source),
            utm_medium: short(&self.utm_medium),
            utm_campaign: short(&self.utm_campaign),
            utm_term: short(&self.utm_term),
            utm_content: short(&self.utm_content),
            referrer: short(&self.referrer.as_deref().and_then(host)),
        };
        (kept != Self::default()).then_some(kept)
    }

    /// The campaign, or the next best name of where the visitor came from.
    #[must_use]
    pub fn campaign(&self) -> Option<&str> {
        self.utm_campaign.as_deref().or(self.utm_source.as_deref()).or(self.referrer.as_deref())
    }
}

/// The host of an address; paths and queries can hold personal data.
fn host(address: &str) -> Option<String> {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next()?.rsplit('@').next()?;
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

impl Attributes {
    /// What is kept: with consent, the first 32 in the order of their names whose name and value
    /// aren't too long.
    fn kept(self) -> impl Iterator<Item = Signal> {
        let fits = |(name, value): &(String, AttributeValue)| {
            let sound = match value {
                AttributeValue::Name(text) => !text.is_empty() && text.chars().count() <= MAX_VALUE,
                AttributeValue::Number(number) => number.is_finite(),
                AttributeValue::Flag(_) => true,
            };
            !name.is_empty() && name.chars().count() <= MAX_NAME && sound
        };
        let values = if self.consent { self.values } else { BTreeMap::new() };
        values
            .into_iter()
            .filter(fits)
            .take(MAX_ATTRIBUTES)
            .map(|(name, value)| Signal::Attribute { name, value })
    }
}

/// An embedding of length 1 in 8 bits a number, as base64 of 4 bytes scale (little-endian f32) and
/// a signed byte per dimension. The cosine with the original is above 0.9999.
#[derive(Clone, Debug, PartialEq)]
pub struct Meaning {
    pub scale: f32,
    pub values: Vec<i8>,
}

impl Meaning {
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "at most 127 by the scale")]
    pub fn of(vector: &[f32]) -> Self {
        let largest = vector.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
        Self { scale, values: vector.iter().map(|value| (value / scale).round() as i8).collect() }
    }

    /// The numbers again.
    pub fn numbers(&self) -> impl ExactSizeIterator<Item = f32> + '_ {
        self.values.iter().map(|value| f32::from(*value) * self.scale)
    }
}

impl Serialize for Meaning {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = self.scale.to_le_bytes().to_vec();
        bytes.extend(self.values.iter().map(|value| value.to_le_bytes()[0]));
        serializer.serialize_str(&BASE64.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for Meaning {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64.decode(text).map_err(serde::de::Error::custom)?;
        let (scale, values) =
            bytes.split_first_chunk::<4>().ok_or_else(|| serde::de::Error::custom("too short"))?;
        Ok(Self {
            scale: f32::from_le_bytes(*scale),
            values: values.iter().map(|byte| i8::from_le_bytes([*byte])).collect(),
        })
    }
}

/// The signals of one event. Pure: the same event and catalogue always give the same signals.
#[must_use]
pub fn of(event: &Event, catalogue: &Goods) -> Vec<Signal> {
    match event {
        Event::Started { visitor, channel, .. } => {
            vec![Signal::Started { visitor: visitor.clone(), channel: channel.clone() }]
        }
        Event::Said { text, .. } => {
            let message = Signal::Message {
                chars: u32::try_from(text.chars().count()).unwrap_or(u32::MAX),
                words: u32::try_from(text.split_whitespace().count()).unwrap_or(u32::MAX),
                question: text.contains(['?', '？', '吗']),
                sentiment: words::sentiment(text),
                language: crate::language::language_of(text).map(str::to_owned),
            };
            let topics = topics::topics(text).into_iter().map(|topic| Signal::Topic { topic });
            let mentions = catalogue.mentions(text).into_iter();
            let mentions =
                mentions.map(|Mention { product, category }| Signal::Mention { product, category });
            let stances = words::stances(text).into_iter().map(|stance| Signal::Stance { stance });
            std::iter::once(message).chain(topics).chain(stances).chain(mentions).collect()
        }
        Event::AnswerDone { confidence, end, citations, withheld, .. } => vec![Signal::Answer {
            confidence: Some(*confidence),
            end: *end,
            citations: u32::try_from(citations.len()).unwrap_or(u32::MAX),
            withheld: *withheld,
        }],
        Event::Feedback { rating: Rating::Unknown, .. } => vec![],
        Event::Feedback { rating, .. } => vec![Signal::Feedback { rating: *rating }],
        Event::HumanRequested {} => vec![Signal::HumanRequested],
        Event::Handoff { reason } => vec![Signal::Handoff { reason: *reason }],
        Event::Ended { .. } => vec![Signal::Ended],
        Event::AnswerStarted { .. }
        | Event::Deleted { .. }
        | Event::AgentJoined { .. }
        | Event::AgentLeft { .. }
        | Event::AgentSaid { .. }
        | Event::Note { .. }
        | Event::SuggestionMade { .. }
        | Event::SuggestionDecided { .. }
        | Event::Unknown => vec![],
    }
}

/// The signals of a record; what a newer version wrote and this one doesn't know is passed over.
#[must_use]
pub fn read(body: &[u8]) -> Vec<Signal> {
    serde_json::from_slice(body).unwrap_or_else(|_| {
        let values: Vec<serde_json::Value> = serde_json::from_slice(body).unwrap_or_default();
        values.into_iter().filter_map(|value| serde_json::from_value(value).ok()).collect()
    })
}

/// What a visitor brings along at the beginning.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arrival {
    pub source: Option<Source>,
    pub attributes: Option<Attributes>,
    /// True for a visitor who had a conversation before.
    pub known: bool,
}

impl Arrival {
    /// What is kept of it.
    #[must_use]
    pub fn signals(self) -> Vec<Signal> {
        let mut signals = Vec::new();
        signals.extend(self.known.then_some(Signal::Known));
        signals.extend(self.source.and_then(|source| source.kept()).map(Signal::Source));
        signals.extend(self.attributes.into_iter().flat_map(Attributes::kept));
        signals
    }
}

/// Hands events to the task that reads them for signals.
#[derive(Clone)]
pub struct SignalLog {
    sender: Option<mpsc::Sender<Noted>>,
    products: catalogue::Catalogue,
    scoring: Option<mpsc::Sender<SessionKey>>,
    metrics: Metrics,
    missed: Missed,
    closing: Arc<AtomicBool>,
}

/// Sessions with events that found no room, each with the last such event's number; at most
/// [`MAX_MISSED`].
type Missed = Arc<Mutex<HashMap<SessionKey, u64>>>;

/// How long a stop waits for the meanings of the last messages: each costs an embedding.
const LAST: Duration = Duration::from_secs(3);

/// What is beyond that stays lost: a session takes under 200 bytes.
const MAX_MISSED: usize = 10_000;

/// Sessions that are looked at for signals that a crash kept from the disk: the newest of a site,
/// used in the hour before its last event. More than the queue ever held.
const RECENT: usize = 500;
const RECENT_MS: u64 = 3_600_000;

/// Something on its way to the signals.
enum Noted {
    Event {
        key: SessionKey,
        seq: u64,
        at_ms: u64,
        event: Event,
    },
    /// Signals that are no event: with `seq` 0, of a conversation that is on disk from its first
    /// message on.
    Signals {
        key: SessionKey,
        seq: u64,
        at_ms: u64,
        signals: Vec<Signal>,
    },
    /// The session was erased.
    Forgotten {
        key: SessionKey,
    },
    /// Everything before it is on disk, or was left out.
    Settled(oneshot::Sender<()>),
    /// Nothing more comes.
    Close,
}

/// What the task needs beside the store.
#[derive(Clone)]
pub struct SignalParts {
    pub store: Store,
    pub metrics: Metrics,
    /// For the meaning of messages; `None` leaves it out.
    pub embedder: Option<Embedder>,
    /// What the sites sell.
    pub products: catalogue::Catalogue,
    /// Told which sessions got signals.
    pub touched: Touched,
    /// Takes the sessions whose signals are on disk, to score them. One that finds it full is left
    /// out: its next signal comes, too.
    pub scoring: Option<mpsc::Sender<SessionKey>>,
}

/// Visitors who arrived and said nothing yet, whose arrival is remembered; beyond that the oldest
/// are forgotten. An arrival takes under 1 KiB, at most some 12 KiB.
const MAX_ARRIVALS: usize = 4096;

impl SignalLog {
    /// The handle, and the task to spawn: it ends after [`Self::close`], and when the last handle
    /// is dropped.
    pub fn new(
        config: &SignalsConfig,
        parts: SignalParts,
    ) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let (sender, receiver) = mpsc::channel(config.queue.max(1));
        let products = parts.products.clone();
        let (scoring, metrics) = (parts.scoring.clone(), parts.metrics.clone());
        let (missed, closing) = (Missed::default(), Arc::<AtomicBool>::default());
        let writing = write(receiver, parts, missed.clone(), closing.clone());
        let sender = config.enabled.then_some(sender);
        (Self { sender, products, scoring, metrics, missed, closing }, writing)
    }

    /// The signals of an event, as they will be logged but for its meaning.
    #[must_use]
    pub fn of(&self, site: &str, event: &Event) -> Vec<Signal> {
        of(event, &self.products.goods(site))
    }

    /// Notes an event that is on disk. Never waits.
    pub fn note(&self, key: &SessionKey, seq: u64, at_ms: u64, event: &Event) {
        // Only the end of an answer tells something, and its text is long: it stays behind.
        let event = match event {
            // What isn't known leaves no signal, and can't be written again.
            Event::AnswerStarted { .. } | Event::Unknown => return,
            Event::AnswerDone { turn, citations, confidence, usage, end, withheld, .. } => {
                Event::AnswerDone {
                    turn: *turn,
                    text: String::new(),
                    citations: citations.clone(),
                    confidence: *confidence,
                    usage: *usage,
                    end: *end,
                    withheld: *withheld,
                }
            }
            event => event.clone(),
        };
        self.send(Noted::Event { key: key.clone(), seq, at_ms, event });
    }

    /// Notes what no event tells; `seq` is the last of the session, 0 before its first message.
    /// Never waits.
    pub fn add(&self, key: &SessionKey, seq: u64, at_ms: u64, signals: Vec<Signal>) {
        if !signals.is_empty() {
            self.send(Noted::Signals { key: key.clone(), seq, at_ms, signals });
        }
    }

    /// Forgets what came with a visitor who said nothing yet; what was said is forgotten with the
    /// log. Never waits.
    pub fn forget(&self, key: &SessionKey) {
        self.send(Noted::Forgotten { key: key.clone() });
    }

    /// Asks for a score of the session as its log is. Never waits.
    pub fn score(&self, key: &SessionKey) {
        if let Some(scoring) = &self.scoring {
            let _ = scoring.try_send(key.clone());
        }
    }

    /// Waits until everything noted so far is on disk. Nothing on the answer path does.
    pub async fn settled(&self) {
        let Some(sender) = &self.sender else { return };
        let (done, settled) = oneshot::channel();
        if sender.send(Noted::Settled(done)).await.is_ok() {
            let _ = settled.await;
        }
    }

    /// Takes nothing more; the task ends when what was noted so far is on disk, except messages
    /// whose meaning couldn't be computed within three seconds: [`Self::recover`] finds these at
    /// the next start.
    pub async fn close(&self) {
        self.closing.store(true, Ordering::Release);
        if let Some(sender) = &self.sender {
            // Without the task there is nothing to end.
            let _ = sender.send(Noted::Close).await;
        }
    }

    /// Notes what the last run left behind: events of recent conversations whose signals a crash
    /// kept from the disk. Call it before anything new happens. Gives how many events that were.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn recover(&self, store: &Store, sites: &[String]) -> Result<usize, StoreError> {
        let Some(sender) = &self.sender else { return Ok(0) };
        let mut recovered = 0;
        for site in sites {
            let query =
                SessionQuery { site: site.clone(), limit: RECENT, after: None, since_ms: 0 };
            let listed = store.sessions(query).await?;
            let since_ms =
                listed.first().map_or(0, |info| info.last_at_ms.saturating_sub(RECENT_MS));
            // The one that was used last comes last, as it happened.
            for info in listed.into_iter().rev().filter(|info| info.last_at_ms >= since_ms) {
                let key = SessionKey { site: info.site, id: info.session };
                let lost = lost(store, &key, &self.products.goods(site)).await;
                for (seq, at_ms, event) in unless_damaged(lost, &key.site, &key.id)? {
                    recovered += 1;
                    // At a start there is time to wait for room.
                    if sender
                        .send(Noted::Event { key: key.clone(), seq, at_ms, event })
                        .await
                        .is_err()
                    {
                        return Ok(recovered);
                    }
                }
            }
        }
        Ok(recovered)
    }

    fn send(&self, noted: Noted) {
        let Some(sender) = &self.sender else { return };
        if let Err(TrySendError::Full(noted) | TrySendError::Closed(noted)) = sender.try_send(noted)
        {
            self.metrics.signals_dropped.inc();
            if let Noted::Event { key, seq, .. } = noted {
                miss(&self.missed, key, seq);
            }
        }
    }
}

fn miss(missed: &Missed, key: SessionKey, seq: u64) {
    let mut missed = missed.lock().unwrap_or_else(PoisonError::into_inner);
    if missed.len() < MAX_MISSED || missed.contains_key(&key) {
        missed.insert(key, seq);
    }
}

async fn write(
    mut receiver: mpsc::Receiver<Noted>,
    parts: SignalParts,
    missed: Missed,
    closing: Arc<AtomicBool>,
) {
    let mut arrivals = Arrivals::default();
    while let Some(noted) = receiver.recv().await {
        let mut settled = None;
        match noted {
            Noted::Settled(done) => settled = Some(done),
            Noted::Signals { key, seq: 0, signals, .. } => arrivals.remember(key, signals),
            Noted::Signals { key, seq, at_ms, signals } => {
                if parts.write(&key, seq, at_ms, &signals).await.is_err() {
                    parts.metrics.signals_dropped.inc();
                }
            }
            Noted::Close => receiver.close(),
            Noted::Forgotten { key } => drop(arrivals.take(&key)),
            // While the server stops, what waits for no model goes first: what no event tells can't
            // be written at the next start.
            Noted::Event { key, seq, event: Event::Said { .. }, .. }
                if parts.embedder.is_some() && closing.load(Ordering::Acquire) =>
            {
                miss(&missed, key, seq);
            }
            Noted::Event { key, seq, at_ms, event } => {
                let arrival = if let Event::Started { .. } = event {
                    arrivals.take(&key)
                } else {
                    Vec::new()
                };
                // Conversations have the disk first: a signal that finds the store busy comes
                // later.
                match parts.event(&key, seq, at_ms, &event, &arrival).await {
                    Err(StoreError::Overloaded { .. }) => {
                        if !arrival.is_empty() {
                            arrivals.remember(key.clone(), arrival);
                        }
                        miss(&missed, key, seq);
                    }
                    Err(_) => drop(parts.metrics.signals_dropped.inc()),
                    Ok(()) => {}
                }
            }
        }
        // All that was noted before an event that found no room is through when the queue is empty:
        // what has no signals now won't get any.
        if receiver.is_empty() && !closing.load(Ordering::Acquire) {
            let due = std::mem::take(&mut *missed.lock().unwrap_or_else(PoisonError::into_inner));
            for (key, seq) in due {
                parts.make_up(&key, seq, &mut arrivals).await;
            }
        }
        if let Some(done) = settled {
            let _ = done.send(());
        }
    }
    let until = tokio::time::Instant::now() + LAST;
    let mut due =
        std::mem::take(&mut *missed.lock().unwrap_or_else(PoisonError::into_inner)).into_iter();
    while let Some((key, seq)) = due.next() {
        if tokio::time::timeout_at(until, parts.make_up(&key, seq, &mut arrivals)).await.is_err() {
            let conversations = due.len() + 1;
            tracing::info!(
                conversations,
                "the signals of their last messages are written at the next start"
            );
            return;
        }
    }
}

impl SignalParts {
    async fn event(
        &self,
        key: &SessionKey,
        seq: u64,
        at_ms: u64,
        event: &Event,
        arrival: &[Signal],
    ) -> Result<(), StoreError> {
        let mut signals = of(event, &self.products.goods(&key.site));
        signals.extend_from_slice(arrival);
        if let Event::Said { text, .. } = event {
            signals.extend(meaning(self.embedder.as_ref(), text).await);
        }
        self.write(key, seq, at_ms, &signals).await
    }

    async fn write(
        &self,
        key: &SessionKey,
        seq: u64,
        at_ms: u64,
        signals: &[Signal],
    ) -> Result<(), StoreError> {
        append(&self.store, key, seq, at_ms, signals).await?;
        self.touched.touch(key);
        if let Some(scoring) = &self.scoring {
            let _ = scoring.try_send(key.clone());
        }
        Ok(())
    }

    /// Writes the signals that the session's events up to `upto` lack. What finds the store busy a
    /// second time is lost.
    async fn make_up(&self, key: &SessionKey, upto: u64, arrivals: &mut Arrivals) {
        let Ok(lost) = lost(&self.store, key, &self.products.goods(&key.site)).await else {
            return;
        };
        for (seq, at_ms, event) in lost.into_iter().filter(|(seq, ..)| *seq <= upto) {
            let arrival =
                if let Event::Started { .. } = event { arrivals.take(key) } else { Vec::new() };
            if self.event(key, seq, at_ms, &event, &arrival).await.is_err() {
                return;
            }
        }
    }
}

/// A session's events that should have left signals and didn't, in their order. Events and signals
/// are told apart by number and kind, so that doing it again finds nothing.
async fn lost(
    store: &Store,
    key: &SessionKey,
    catalogue: &Goods,
) -> Result<Vec<(u64, u64, Event)>, StoreError> {
    let records =
        store.read(&key.site, &key.id, 0, &[RecordKind::Event, RecordKind::Signal]).await?;
    let mut noted = HashSet::new();
    for record in records.iter().filter(|record| record.kind == RecordKind::Signal) {
        noted.extend(
            read(&record.body).iter().map(|signal| (record.seq, std::mem::discriminant(signal))),
        );
    }
    let events = records.iter().filter(|record| record.kind == RecordKind::Event);
    Ok(events
        .filter_map(|record| {
            let event: Event = serde_json::from_slice(&record.body).ok()?;
            let first = std::mem::discriminant(of(&event, catalogue).first()?);
            (!noted.contains(&(record.seq, first))).then_some((record.seq, record.at_ms, event))
        })
        .collect())
}

/// Writes signals into a session's log; ready once they are on disk.
///
/// # Errors
/// As [`Store::append`]; a session that was erased or has no event yet is a conflict.
pub async fn append(
    store: &Store,
    key: &SessionKey,
    seq: u64,
    at_ms: u64,
    signals: &[Signal],
) -> Result<(), StoreError> {
    if signals.is_empty() {
        return Ok(());
    }
    // Signals are plain data: they always serialise.
    let body = serde_json::to_vec(signals).unwrap_or_default();
    let (site, session) = (key.site.clone(), key.id.clone());
    store.append(Record { site, session, seq, at_ms, kind: RecordKind::Signal, body }).await
}

/// A message's embedding. It waits behind all questions; its answer has mostly computed it by then,
/// or finds it remembered.
pub async fn meaning(embedder: Option<&Embedder>, text: &str) -> Option<Signal> {
    let vector = embedder?.embed_quietly(text.to_owned()).await.ok()?;
    Some(Signal::Meaning { vector: Meaning::of(&vector) })
}

/// Arrivals whose conversation isn't on disk yet.
#[derive(Default)]
struct Arrivals {
    waiting: HashMap<SessionKey, Vec<Signal>>,
    order: VecDeque<SessionKey>,
}

impl Arrivals {
    fn remember(&mut self, key: SessionKey, signals: Vec<Signal>) {
        if self.waiting.insert(key.clone(), signals).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > MAX_ARRIVALS {
            if let Some(oldest) = self.order.pop_front() {
                self.waiting.remove(&oldest);
            }
        }
    }

    fn take(&mut self, key: &SessionKey) -> Vec<Signal> {
        self.waiting.remove(key).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meaning_survives_its_bytes() {
        let vector: Vec<f32> = (0_u8..200).map(|i| (f32::from(i) * 0.7).sin() / 10.0).collect();
        let text = serde_json::to_string(&Meaning::of(&vector)).unwrap();
        let back: Meaning = serde_json::from_str(&text).unwrap();
        let dot: f32 = back.numbers().zip(&vector).map(|(a, b)| a * b).sum();
        let norm = |values: &mut dyn Iterator<Item = f32>| {
            values.map(|value| value * value).sum::<f32>().sqrt()
        };
        let cosine = dot / norm(&mut back.numbers()) / norm(&mut vector.iter().copied());
        assert!(cosine > 0.9999, "{cosine}");
        for broken in ["\"\"", "\"AA\"", "\"?\"", "3"] {
            assert!(serde_json::from_str::<Meaning>(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn of_the_referrer_only_the_host_is_kept_and_attributes_need_consent() {
        let source = Source {
            utm_campaign: Some(" spring ".into()),
            utm_term: Some(String::new()),
            referrer: Some("https://user:pw@News.example/a?email=x@y.z".into()),
            ..Source::default()
        };
        let values = BTreeMap::from([
            ("age".to_owned(), AttributeValue::Number(41.0)),
            ("note".to_owned(), AttributeValue::Name("x".repeat(500))),
        ]);
        let arrival = |consent| Arrival {
            source: Some(source.clone()),
            attributes: Some(Attributes { consent, values: values.clone() }),
            known: false,
        };
        let kept = Source {
            utm_campaign: Some("spring".into()),
            referrer: Some("news.example".into()),
            ..Source::default()
        };
        assert_eq!(arrival(false).signals(), [Signal::Source(kept.clone())]);
        let age = Signal::Attribute { name: "age".into(), value: AttributeValue::Number(41.0) };
        assert_eq!(arrival(true).signals(), [Signal::Source(kept), age]);
    }

    #[test]
    fn what_a_newer_version_wrote_is_passed_over() {
        let body = br#"[{"signal":"ended"},{"signal":"teleported","to":"moon"},{"signal":"human_requested"}]"#;
        assert_eq!(read(body), [Signal::Ended, Signal::HumanRequested]);
        assert_eq!(read(b"not json"), []);
    }

    #[test]
    fn arrivals_are_bounded() {
        let mut arrivals = Arrivals::default();
        let key = |id: usize| SessionKey { site: "shop".into(), id: id.to_string() };
        for id in 0..=MAX_ARRIVALS {
            arrivals.remember(key(id), vec![Signal::Known]);
        }
        assert_eq!(arrivals.take(&key(0)), []);
        assert_eq!(arrivals.take(&key(1)), [Signal::Known]);
    }
}
