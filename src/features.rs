//! Signals as numbers to learn from: a pure function of a session's log up to a moment. The same
//! fold serves a running conversation (signal by signal) and training (the stored log), so that the
//! two can't differ, and what lies after the moment was not folded in, so that no feature sees the
//! future. Outcomes are folded too, but they are labels: no column holds anything of them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::conversation::{AnswerEnd, AttributeValue, HandoffReason, Rating, Source};
use crate::language::topics::Topic;
use crate::signals::{Outcome, Signal, Stance};

/// A pause after which the visitor counts as having come back.
const RETURN_MS: u64 = 30 * 60 * 1000;

/// What is known of a session at a moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    pub visitor: String,
    pub channel: String,
    pub started_at_ms: u64,
    pub last_at_ms: u64,
    pub source: Option<Source>,
    pub attributes: BTreeMap<String, AttributeValue>,
    pub known: bool,
    pub messages: u32,
    pub words: u32,
    pub chars: u32,
    pub questions: u32,
    pub language: Option<String>,
    pub sentiment: Spread,
    /// By [`Topic::ALL`].
    pub topics: [u32; Topic::ALL.len()],
    /// Messages with each stance, by [`Stance::ALL`], and those of the last message.
    pub stances: [u32; Stance::ALL.len()],
    pub last_stances: [bool; Stance::ALL.len()],
    pub last_words: u32,
    /// How often each product, and each category, was named.
    pub products: BTreeMap<String, u32>,
    pub categories: BTreeMap<String, u32>,
    pub answers: u32,
    pub declined: u32,
    pub failed: u32,
    pub withheld: u32,
    pub confidence: Spread,
    pub thumbs_up: u32,
    pub thumbs_down: u32,
    pub human: bool,
    /// Times that a person was called; not for a high purchase intent, or the score would be made
    /// of itself.
    pub handoffs: u32,
    pub dwell_ms: u64,
    pub returns: u32,
    /// Milliseconds between the end of an answer and the visitor's next message.
    pub reply_ms: Spread,
    /// Cards shown or due.
    pub recommended: Vec<String>,
    pub times_recommended: usize,
    pub held_out: bool,
    pub clicked: Vec<String>,
    pub ended: bool,
    /// Mean of the messages' embeddings, and the last one's.
    pub meaning: Vec<f32>,
    pub last_meaning: Vec<f32>,
    pub(crate) meanings: u32,
    pub(crate) last_message_ms: Option<u64>,
    pub(crate) last_answer_ms: Option<u64>,
    /// One for each order; a label, never a feature.
    pub outcomes: Vec<(u64, Outcome)>,
    /// Nothing was reported for so long that it counts as no purchase
    /// ([`crate::insight::silence::silent`]); a label, too.
    pub silent: bool,
}

/// An amount of one currency.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Money {
    pub currency: String,
    pub amount: f64,
}

impl Money {
    /// What was paid in orders that stand, by currency.
    pub fn sums<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> Vec<Self> {
        let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
        for outcome in outcomes.filter(|outcome| outcome.converted && outcome.amount != 0.0) {
            *sums.entry(&outcome.currency).or_default() += outcome.amount;
        }
        sums.into_iter()
            .map(|(currency, amount)| Self { currency: currency.to_owned(), amount })
            .collect()
    }
}

/// A running sum: count, mean, extremes and the last value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    pub count: u32,
    pub sum: f64,
    pub least: f32,
    pub most: f32,
    pub last: f32,
}

impl Spread {
    fn push(&mut self, value: f32) {
        self.least = if self.count == 0 { value } else { self.least.min(value) };
        self.most = if self.count == 0 { value } else { self.most.max(value) };
        self.count += 1;
        self.sum += f64::from(value);
        self.last = value;
    }

    /// The mean; `None` without a value.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "features are 32 bits")]
    pub fn mean(&self) -> Option<f32> {
        (self.count > 0).then(|| (self.sum / f64::from(self.count)) as f32)
    }
}

/// A feature's value.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// Not known, which is a fact of its own and not the same as 0.
    Missing,
    Number(f32),
    Category(String),
}

impl State {
    /// Folds signals in the order of the log, up to and with a moment.
    pub fn at<'a>(signals: impl IntoIterator<Item = (u64, &'a Signal)>, moment_ms: u64) -> Self {
        let mut state = Self::default();
        for (at_ms, signal) in signals.into_iter().filter(|(at_ms, _)| *at_ms <= moment_ms) {
            state.push(at_ms, signal);
        }
        state
    }

    /// Takes up one more signal. A session's signals come in the order of its log.
    pub fn push(&mut self, at_ms: u64, signal: &Signal) {
        // Outcomes and labels can come long after the conversation: they are no part of its time.
        if !matches!(signal, Signal::Outcome(_) | Signal::Label { .. }) {
            if self.started_at_ms == 0 {
                self.started_at_ms = at_ms;
            }
            self.last_at_ms = self.last_at_ms.max(at_ms);
        }
        match signal {
            Signal::Started { visitor, channel } => {
                self.visitor.clone_from(visitor);
                self.channel.clone_from(channel);
            }
            Signal::Source(source) => self.source = Some(source.clone()),
            Signal::Known => self.known = true,
            Signal::Attribute { name, value } => {
                self.attributes.insert(name.clone(), value.clone());
            }
            Signal::Message { chars, words, question, sentiment, language } => {
                self.messages += 1;
                self.chars = self.chars.saturating_add(*chars);
                self.words = self.words.saturating_add(*words);
                self.questions += u32::from(*question);
                self.sentiment.push(*sentiment);
                self.last_words = *words;
                self.last_stances = [false; Stance::ALL.len()];
                if language.is_some() {
                    self.language.clone_from(language);
                }
                self.replied(at_ms);
            }
            Signal::Meaning { vector } => self.means(vector.numbers()),
            Signal::Topic { topic } => {
                let at = Topic::ALL.iter().position(|known| known == topic).unwrap_or_default();
                self.topics[at] += 1;
            }
            Signal::Stance { stance } => {
                let at = Stance::ALL.iter().position(|known| known == stance).unwrap_or_default();
                self.stances[at] += 1;
                self.last_stances[at] = true;
            }
            Signal::Mention { product, category } => {
                if let Some(product) = product {
                    *self.products.entry(product.clone()).or_default() += 1;
                }
                if !category.is_empty() {
                    *self.categories.entry(category.clone()).or_default() += 1;
                }
            }
            Signal::Answer { confidence, end, withheld, .. } => {
                self.answers += 1;
                self.declined += u32::from(*end == AnswerEnd::Declined);
                self.failed += u32::from(*end == AnswerEnd::Failed);
                self.withheld += withheld;
                if let Some(confidence) = confidence {
                    self.confidence.push(*confidence);
                }
                self.last_answer_ms = Some(at_ms);
            }
            Signal::Feedback { rating: Rating::Up } => self.thumbs_up += 1,
            Signal::Feedback { rating: Rating::Down } => self.thumbs_down += 1,
            Signal::Feedback { rating: Rating::Unknown } => {}
            Signal::HumanRequested => self.human = true,
            Signal::Handoff { reason } => {
                self.handoffs += u32::from(*reason != HandoffReason::HighIntent)
            }
            Signal::Dwell { ms } => self.dwell_ms = self.dwell_ms.saturating_add(*ms),
            Signal::Recommended { products, held_out } => {
                self.times_recommended += 1;
                self.recommended.extend(products.iter().cloned());
                self.held_out |= *held_out;
            }
            Signal::Clicked { product } => self.clicked.push(product.clone()),
            Signal::Outcome(outcome) => {
                match self.outcomes.iter_mut().find(|(_, known)| known.order == outcome.order) {
                    Some(known) => *known = (at_ms, outcome.clone()),
                    None => self.outcomes.push((at_ms, outcome.clone())),
                }
            }
            Signal::Ended => self.ended = true,
            Signal::Label { .. } => {}
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a conversation")]
    fn replied(&mut self, at_ms: u64) {
        if let Some(answered) = self.last_answer_ms.take().filter(|answered| *answered < at_ms) {
            self.reply_ms.push((at_ms - answered) as f32);
        }
        if self.last_message_ms.is_some_and(|last| last + RETURN_MS <= at_ms) {
            self.returns += 1;
        }
        self.last_message_ms = Some(at_ms);
    }

    #[expect(clippy::cast_precision_loss, reason = "messages of a session")]
    fn means(&mut self, vector: impl ExactSizeIterator<Item = f32>) {
        self.last_meaning = vector.collect();
        self.meanings += 1;
        if self.meaning.len() != self.last_meaning.len() {
            self.meaning = vec![0.0; self.last_meaning.len()];
            self.meanings = 1;
        }
        let share = 1.0 / self.meanings as f32;
        for (mean, value) in self.meaning.iter_mut().zip(&self.last_meaning) {
            *mean += (value - *mean) * share;
        }
    }

    /// Whether it came to a purchase, as far as it was reported or silence tells; `None` if nobody
    /// knows.
    #[must_use]
    pub fn converted(&self) -> Option<bool> {
        if self.outcomes.is_empty() {
            return self.silent.then_some(false);
        }
        Some(self.outcomes.iter().any(|(_, outcome)| outcome.converted))
    }

    /// True for a recording that was imported, see [`crate::insight::replay`].
    #[must_use]
    pub fn recorded(&self) -> bool {
        self.visitor.starts_with("replay:")
    }

    /// What was paid, by currency in alphabetical order; amounts of several are never one sum. The
    /// currency is empty where nobody named it.
    #[must_use]
    pub fn paid(&self) -> Vec<Money> {
        Money::sums(self.outcomes.iter().map(|(_, outcome)| outcome))
    }

    /// The features, by name. The names of a site's attributes follow as `attribute.<name>`;
    /// everything else is [`COLUMNS`].
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts and milliseconds of a session")]
    pub fn row(&self) -> Vec<(String, Value)> {
        let count = |value: u32| Value::Number(value as f32);
        let known = |value: Option<f32>| value.map_or(Value::Missing, Value::Number);
        let flag = |value: bool| Value::Number(f32::from(u8::from(value)));
        let name = |value: Option<&str>| {
            value.map_or(Value::Missing, |value| Value::Category(value.to_owned()))
        };
        let spread = |spread: &Spread, value: f32| {
            if spread.count > 0 { Value::Number(value) } else { Value::Missing }
        };
        let per_message = |value: u32| value as f32 / self.messages.max(1) as f32;
        let source = self.source.as_ref();
        let top_category =
            self.categories.iter().max_by_key(|(_, count)| **count).map(|(name, _)| name.as_str());
        let mut row: Vec<(String, Value)> =
            Vec::with_capacity(COLUMNS.len() + self.attributes.len());
        let values = [
            name(Some(&self.channel).filter(|channel| !channel.is_empty()).map(String::as_str)),
            name(source.and_then(|source| source.utm_source.as_deref())),
            name(source.and_then(|source| source.utm_medium.as_deref())),
            name(source.and_then(|source| source.utm_campaign.as_deref())),
            name(source.and_then(|source| source.referrer.as_deref())),
            flag(self.known),
            name(self.language.as_deref()),
            count(self.messages),
            count(self.words),
            Value::Number(per_message(self.words)),
            Value::Number(per_message(self.questions)),
            known(self.sentiment.mean()),
            spread(&self.sentiment, self.sentiment.least),
            spread(&self.sentiment, self.sentiment.last),
        ];
        let after_topics = [
            count(u32::try_from(self.products.len()).unwrap_or(u32::MAX)),
            count(self.products.values().sum()),
            name(top_category),
            count(self.answers),
            count(self.declined),
            count(self.failed),
            count(self.withheld),
            known(self.confidence.mean()),
            spread(&self.confidence, self.confidence.least),
            count(self.thumbs_up),
            count(self.thumbs_down),
            flag(self.human),
            count(self.handoffs),
            Value::Number(self.last_at_ms.saturating_sub(self.started_at_ms) as f32 / 1000.0),
            Value::Number(self.dwell_ms as f32 / 1000.0),
            count(self.returns),
            known(self.reply_ms.mean().map(|ms| ms / 1000.0)),
            count(u32::try_from(self.clicked.len()).unwrap_or(u32::MAX)),
        ];
        let topics = self.topics.iter().map(|topic| count(*topic));
        let stances = self.stances.iter().map(|stance| count(*stance));
        let last =
            self.last_stances.iter().map(|stance| flag(*stance)).chain([count(self.last_words)]);
        let values =
            values.into_iter().chain(topics).chain(stances).chain(last).chain(after_topics);
        row.extend(COLUMNS.iter().map(|column| (*column).to_owned()).zip(values));
        row.extend(self.attributes.iter().map(|(name, value)| {
            let value = match value {
                AttributeValue::Flag(value) => flag(*value),
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "a feature needs no more than 7 digits"
                )]
                AttributeValue::Number(value) => Value::Number(*value as f32),
                AttributeValue::Name(value) => Value::Category(value.clone()),
            };
            (format!("attribute.{name}"), value)
        }));
        row
    }
}

/// Those of [`COLUMNS`] that hold names; the others are numbers.
pub const NAMED: [&str; 7] =
    ["channel", "utm_source", "utm_medium", "utm_campaign", "referrer", "language", "top_category"];

/// Those of [`COLUMNS`] that are 1 or 0.
pub const FLAGS: [&str; 5] =
    ["known_visitor", "agrees_last", "refuses_last", "names_amount_last", "human_requested"];

/// The columns that every session has, in their order.
pub const COLUMNS: [&str; 47] = [
    "channel",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "referrer",
    "known_visitor",
    "language",
    "messages",
    "words",
    "words_per_message",
    "questions_per_message",
    "sentiment_mean",
    "sentiment_least",
    "sentiment_last",
    "asks_price",
    "asks_stock",
    "asks_delivery",
    "asks_discount",
    "asks_payment",
    "asks_comparison",
    "asks_returns",
    "asks_complaint",
    "agrees",
    "refuses",
    "names_amount",
    "agrees_last",
    "refuses_last",
    "names_amount_last",
    "words_last",
    "products_named",
    "product_mentions",
    "top_category",
    "answers",
    "answers_declined",
    "answers_failed",
    "sentences_withheld",
    "confidence_mean",
    "confidence_least",
    "thumbs_up",
    "thumbs_down",
    "human_requested",
    "handoffs",
    "duration_s",
    "dwell_s",
    "returns",
    "reply_s_mean",
    "cards_clicked",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::Meaning;

    fn message(words: u32) -> Signal {
        Signal::Message {
            chars: words * 5,
            words,
            question: words.is_multiple_of(2),
            sentiment: 0.5,
            language: Some("en".into()),
        }
    }

    fn log() -> Vec<(u64, Signal)> {
        vec![
            (1_000, Signal::Started { visitor: "v".into(), channel: "widget".into() }),
            (1_000, Signal::Attribute { name: "age".into(), value: AttributeValue::Number(41.0) }),
            (1_000, message(4)),
            (1_000, Signal::Topic { topic: Topic::Price }),
            (1_000, Signal::Meaning { vector: Meaning::of(&[1.0, 0.0]) }),
            (
                2_000,
                Signal::Answer {
                    confidence: Some(0.8),
                    end: AnswerEnd::Complete,
                    citations: 1,
                    withheld: 0,
                },
            ),
            (9_000, message(7)),
            (9_000, Signal::Meaning { vector: Meaning::of(&[0.0, 1.0]) }),
            (
                9_500,
                Signal::Outcome(Outcome {
                    order: "o".into(),
                    converted: true,
                    amount: 9.0,
                    ..Outcome::default()
                }),
            ),
        ]
    }

    fn value(state: &State, name: &str) -> Value {
        state
            .row()
            .into_iter()
            .find(|(known, _)| known == name)
            .unwrap_or_else(|| panic!("no {name}"))
            .1
    }

    #[test]
    fn rows_have_every_column_and_know_their_values() {
        let log = log();
        let state = State::at(log.iter().map(|(at, signal)| (*at, signal)), u64::MAX);
        let names: Vec<String> = state.row().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), COLUMNS.len() + 1);
        assert_eq!(value(&state, "asks_price"), Value::Number(1.0));
        assert_eq!(value(&state, "asks_complaint"), Value::Number(0.0));
        assert_eq!(value(&state, "products_named"), Value::Number(0.0));
        assert_eq!(value(&state, "words_per_message"), Value::Number(5.5));
        assert_eq!(value(&state, "reply_s_mean"), Value::Number(7.0));
        assert_eq!(value(&state, "cards_clicked"), Value::Number(0.0));
        assert_eq!(value(&state, "attribute.age"), Value::Number(41.0));
        assert_eq!(value(&state, "utm_source"), Value::Missing);
        assert!((state.meaning[0] - 0.5).abs() < 0.01 && (state.meaning[1] - 0.5).abs() < 0.01);
    }

    #[test]
    fn what_comes_later_changes_nothing_at_a_moment() {
        let log = log();
        let signals = || log.iter().map(|(at, signal)| (*at, signal));
        let early = State::at(signals(), 2_000);
        let cut = State::at(signals().take(6), u64::MAX);
        assert_eq!(early, cut);
        assert_eq!(early.converted(), None);
    }

    #[test]
    fn an_outcome_is_in_no_column() {
        let log = log();
        let with = State::at(log.iter().map(|(at, signal)| (*at, signal)), u64::MAX);
        let without = State::at(log.iter().take(8).map(|(at, signal)| (*at, signal)), u64::MAX);
        assert_eq!(with.row(), without.row());
        assert_eq!(
            (with.converted(), with.paid()),
            (Some(true), vec![Money { currency: String::new(), amount: 9.0 }])
        );
    }
}
