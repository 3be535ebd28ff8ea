//! How likely a purchase is. Until a model is deployed the score is a transparent sum; a trained
//! model takes its place behind the same [`Intent`].

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::language::topics::Topic;
use crate::signals::Signal;

pub mod calibrate;
pub mod classes;
pub mod columns;
pub mod data;
pub mod discriminant;
pub mod labels;
mod margins;
pub mod metrics;
pub mod network;
pub mod registry;
pub mod round;
pub mod table;
pub mod train;
pub mod trees;
pub(crate) mod watch;

/// The purchase intent of a session, a pure function of its signals and of the deployed model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// 0…1: a model's calibrated probability, or without one a logistic curve over the sum of
    /// `reasons`, which is ordered but no probability.
    pub score: f32,
    /// What moved the score, strongest first.
    pub reasons: Vec<Reason>,
    /// Version of the model that made it; `None` for the sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

/// One contribution to the score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// A kind of signal, or a feature's name in words.
    pub signal: Cow<'static, str>,
    /// How often it was seen; 0 in a model's reasons, where `value` tells.
    pub count: u32,
    /// The feature's value in words ("yes", "41", "unknown"), in a model's reasons only and not for
    /// the meaning of messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What it adds to the sum, or to a model's log-odds compared with an average conversation.
    pub weight: f32,
}

/// Reasons of a model that are told.
const MAX_REASONS: usize = 8;
/// Contributions below this aren't worth a line.
const MIN_WEIGHT: f32 = 0.02;

impl Intent {
    /// What a model says of a row: its probability, and what moved it. `value` tells a column's
    /// value in words.
    #[must_use]
    pub fn of_model(
        version: u32,
        probability: f32,
        moved: Vec<train::Moved>,
        value: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let told =
            moved.into_iter().filter(|moved| moved.log_odds.abs() >= MIN_WEIGHT).take(MAX_REASONS);
        let reasons = told.map(|moved| {
            let words =
                moved.column.strip_prefix("attribute.").unwrap_or(&moved.column).replace('_', " ");
            Reason {
                signal: words.into(),
                count: 0,
                value: value(&moved.column),
                weight: moved.log_odds,
            }
        });
        Self { score: probability, reasons: reasons.collect(), version: Some(version) }
    }
}

/// What makes the score while no model is deployed.
pub const SUM: &str = "hand-set sum";

/// Where a session starts without any signal: logistic(−2) ≈ 0.12.
const BIAS: f32 = -2.0;

/// The score of everything that was seen so far. A signal counts in full once and with diminishing
/// weight when repeated.
pub fn score<'a>(signals: impl IntoIterator<Item = &'a Signal>) -> Intent {
    let mut counts: Vec<(&'static str, f32, u32)> = Vec::new();
    for signal in signals {
        let Some((name, weight)) = weight(signal) else { continue };
        match counts.iter_mut().find(|(known, ..)| *known == name) {
            Some((.., count)) => *count += 1,
            None => counts.push((name, weight, 1)),
        }
    }
    let mut reasons: Vec<Reason> = counts
        .into_iter()
        .map(|(signal, weight, count)| {
            let times: f32 =
                (0..count.min(8)).map(|n| 0.5_f32.powi(i32::try_from(n).unwrap_or(8))).sum();
            Reason { signal: signal.into(), count, value: None, weight: weight * times }
        })
        .collect();
    reasons.sort_by(|a, b| {
        b.weight.abs().total_cmp(&a.weight.abs()).then_with(|| a.signal.cmp(&b.signal))
    });
    let sum: f32 = BIAS + reasons.iter().map(|reason| reason.weight).sum::<f32>();
    Intent { score: 1.0 / (1.0 + (-sum).exp()), reasons, version: None }
}

/// Hand-set weights: interest in price, stock, delivery and payment speaks for a purchase, trouble
/// with one against it.
fn weight(signal: &Signal) -> Option<(&'static str, f32)> {
    Some(match signal {
        Signal::Topic { topic } => match topic {
            Topic::Price => ("price", 0.7),
            Topic::Stock => ("stock", 0.9),
            Topic::Delivery => ("delivery", 0.6),
            Topic::Discount => ("discount", 0.6),
            Topic::Payment => ("payment", 0.8),
            Topic::Comparison => ("comparison", 0.6),
            Topic::Returns => ("returns", -0.4),
            Topic::Complaint => ("complaint", -0.9),
        },
        Signal::Message { .. } => ("message", 0.1),
        Signal::Feedback { rating: crate::conversation::Rating::Up } => ("thumbs up", 0.4),
        Signal::Feedback { rating: crate::conversation::Rating::Down } => ("thumbs down", -0.4),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(topic: Topic) -> Signal {
        Signal::Topic { topic }
    }

    #[test]
    fn interest_raises_and_trouble_lowers_the_score() {
        let none = score(&[]).score;
        let asks = score(&[topic(Topic::Price), topic(Topic::Stock)]).score;
        let trouble = score(&[topic(Topic::Complaint), topic(Topic::Returns)]).score;
        assert!(trouble < none && none < asks, "{trouble} {none} {asks}");
    }

    #[test]
    fn repeating_counts_less_each_time_and_the_reasons_say_so() {
        let once = score(&[topic(Topic::Price)]);
        let often = score(&vec![topic(Topic::Price); 50]);
        assert!(often.reasons[0].weight < 2.0 * once.reasons[0].weight);
        assert_eq!((&*often.reasons[0].signal, often.reasons[0].count), ("price", 50));
    }
}
