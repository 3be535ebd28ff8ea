//! What happens in conversations, as numbers and labels. Off the answer path: events arrive over a bounded queue, and one
//! that finds it full is counted and left out rather than letting a reply wait.

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::protocol::{AnswerEnd, Rating};
use crate::session::{Event, SessionKey};
use crate::store::{Record, RecordKind, Store};
use crate::telemetry::Metrics;

/// `[signals]`: what is noted about conversations.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SignalsConfig {
    /// Switches the log of signals on. Without it there is no intent score.
    pub enabled: bool,
    /// Events that may wait to be read for signals; one more is left out and counted in `frontdesk_signals_dropped_total`.
    pub queue: usize,
}

impl Default for SignalsConfig {
    fn default() -> Self {
        Self { enabled: true, queue: 4096 }
    }
}

/// What a message asks about, told by its words. A message can have several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    Price,
    Stock,
    Delivery,
    Discount,
    Payment,
    Comparison,
    Returns,
    Complaint,
}

/// One thing that happened. The set grows; readers pass over what they don't know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "signal", rename_all = "snake_case")]
pub enum Signal {
    /// The visitor wrote.
    Message {
        chars: u32,
        words: u32,
        question: bool,
    },
    /// The message asks about a topic.
    Topic {
        topic: Topic,
    },
    /// An answer ended.
    Answer {
        confidence: f32,
        end: AnswerEnd,
        citations: u32,
        withheld: u32,
    },
    Feedback {
        rating: Rating,
    },
    HumanRequested,
    Ended,
}

/// The words that show a topic, in lower case. A phrase of unspaced script is looked for anywhere, others at word borders.
const TOPICS: &[(Topic, &[&str])] = &[
    (
        Topic::Price,
        &["price", "prices", "cost", "costs", "how much", "cheap", "cheaper", "expensive", "多少钱", "价格", "费用"],
    ),
    (Topic::Stock, &["in stock", "available", "availability", "sold out", "restock", "库存", "有货", "缺货"]),
    (
        Topic::Delivery,
        &["delivery", "deliver", "shipping", "ship", "arrive", "tracking", "配送", "发货", "运费", "送到", "物流"],
    ),
    (Topic::Discount, &["discount", "coupon", "voucher", "promo", "sale", "deal", "优惠", "折扣", "打折"]),
    (
        Topic::Payment,
        &[
            "pay",
            "payment",
            "invoice",
            "paypal",
            "credit card",
            "instalments",
            "checkout",
            "order",
            "buy",
            "支付",
            "付款",
            "购买",
            "下单",
        ],
    ),
    (
        Topic::Comparison,
        &["compare", "difference", "versus", "vs", "better", "which one", "比较", "区别", "哪个好", "哪款"],
    ),
    (Topic::Returns, &["return", "returns", "refund", "exchange", "send back", "退货", "退款", "换货"]),
    (
        Topic::Complaint,
        &[
            "broken",
            "complaint",
            "complain",
            "terrible",
            "angry",
            "worst",
            "never arrived",
            "scam",
            "坏了",
            "投诉",
            "差评",
            "生气",
        ],
    ),
];

/// The signals of one event. Pure: the same event always gives the same signals.
#[must_use]
pub fn of(event: &Event) -> Vec<Signal> {
    match event {
        Event::Said { text, .. } => {
            let message = Signal::Message {
                chars: u32::try_from(text.chars().count()).unwrap_or(u32::MAX),
                words: u32::try_from(text.split_whitespace().count()).unwrap_or(u32::MAX),
                question: text.contains(['?', '？', '吗']),
            };
            let topics = topics(text).into_iter().map(|topic| Signal::Topic { topic });
            std::iter::once(message).chain(topics).collect()
        }
        Event::AnswerDone { confidence, end, citations, withheld, .. } => vec![Signal::Answer {
            confidence: *confidence,
            end: *end,
            citations: u32::try_from(citations.len()).unwrap_or(u32::MAX),
            withheld: *withheld,
        }],
        Event::Feedback { rating, .. } => vec![Signal::Feedback { rating: *rating }],
        Event::HumanRequested {} => vec![Signal::HumanRequested],
        Event::Ended { .. } => vec![Signal::Ended],
        Event::Started { .. }
        | Event::AnswerStarted { .. }
        | Event::Handoff { .. }
        | Event::AgentJoined { .. }
        | Event::AgentLeft { .. }
        | Event::AgentSaid { .. }
        | Event::Note { .. }
        | Event::SuggestionMade { .. }
        | Event::SuggestionDecided { .. } => vec![],
    }
}

fn topics(text: &str) -> Vec<Topic> {
    let text = text.to_lowercase();
    let words: String = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).fold(
        String::from(" "),
        |mut all, word| {
            all.push_str(word);
            all.push(' ');
            all
        },
    );
    let has = |phrase: &&str| {
        if phrase.is_ascii() { words.contains(&format!(" {phrase} ")) } else { text.contains(*phrase) }
    };
    TOPICS.iter().filter(|(_, phrases)| phrases.iter().any(has)).map(|(topic, _)| *topic).collect()
}

/// Hands events to the task that reads them for signals.
#[derive(Clone)]
pub struct SignalLog {
    sender: Option<mpsc::Sender<Noted>>,
    metrics: Metrics,
}

/// An event on its way to the signals.
struct Noted {
    key: SessionKey,
    seq: u64,
    at_ms: u64,
    signals: Vec<Signal>,
}

impl SignalLog {
    /// The handle, and the task to spawn: it ends when the last handle is dropped.
    pub fn new(
        config: &SignalsConfig,
        store: Store,
        metrics: Metrics,
    ) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let (sender, receiver) = mpsc::channel(config.queue.max(1));
        let log = Self { sender: config.enabled.then_some(sender), metrics: metrics.clone() };
        (log, write(receiver, store, metrics))
    }

    /// Notes an event that is on disk. Never waits.
    pub fn note(&self, key: &SessionKey, seq: u64, at_ms: u64, event: &Event) {
        let Some(sender) = &self.sender else { return };
        let signals = of(event);
        if signals.is_empty() {
            return;
        }
        if sender.try_send(Noted { key: key.clone(), seq, at_ms, signals }).is_err() {
            self.metrics.signals_dropped.inc();
        }
    }
}

async fn write(mut receiver: mpsc::Receiver<Noted>, store: Store, metrics: Metrics) {
    while let Some(noted) = receiver.recv().await {
        let Ok(body) = serde_json::to_vec(&noted.signals) else { continue };
        let record = Record {
            site: noted.key.site,
            session: noted.key.id,
            seq: noted.seq,
            at_ms: noted.at_ms,
            kind: RecordKind::Signal,
            body,
        };
        // Conversations have the disk first: a signal that finds the store busy or its session erased is left out.
        if store.append(record).await.is_err() {
            metrics.signals_dropped.inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[Topic]) {
        assert_eq!(topics(text), expected, "{text}");
    }

    #[test]
    fn topics_are_told_by_words() {
        check("How much is the Tarn 2?", &[Topic::Price]);
        check("Is it IN STOCK, and what does shipping cost?", &[Topic::Price, Topic::Stock, Topic::Delivery]);
        check("The shipment of relationships", &[]);
        check("这个帐篷多少钱？有货吗", &[Topic::Price, Topic::Stock]);
        check("", &[]);
    }
}
