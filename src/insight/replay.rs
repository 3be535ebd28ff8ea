//! Recorded conversations as sessions of the real store: their words, their time, their outcome,
//! and nothing made up. The time within a conversation is unknown, so all of one stands at its
//! beginning; answers are others', so they have no confidence.

use anyhow::Context as _;
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::catalogue::goods::Goods;
use crate::conversation::{AnswerEnd, AttributeValue, Event, SessionKey, Usage};
use crate::intent::table::Track;
use crate::retrieval::embedder::Embedder;
use crate::signals::{self, Meaning, Outcome, Signal};
use crate::store::{Record, RecordKind, Store};

/// A recorded conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversation {
    /// Of the data set; a hash of the words where it has none.
    pub id: String,
    pub at_ms: u64,
    /// True for the visitor's words.
    pub turns: Vec<(bool, String)>,
    pub attributes: Vec<(String, AttributeValue)>,
    pub outcome: Option<Outcome>,
}

/// What an import needs.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    pub store: &'a Store,
    pub site: &'a str,
    pub channel: &'a str,
    pub catalogue: &'a Goods,
    pub meanings: &'a Meanings,
}

/// Where the meaning of a message comes from.
#[derive(Clone, Debug)]
pub enum Meanings {
    None,
    Embedder(Embedder),
    /// The same for every message, for measurements.
    Fixed(Meaning),
}

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReplayReport {
    pub sessions: usize,
    pub messages: usize,
    pub outcomes: usize,
    /// Conversations that were there already.
    pub present: usize,
}

/// Longest text that is taken over, in Unicode scalar values; what the visitor protocol allows.
const MAX_CHARS: usize = crate::protocol::MAX_MESSAGE_CHARS;

/// Conversations written at the same time, and records of one that wait for the disk: together half
/// of the store's queue as it comes.
const AT_ONCE: usize = 32;
const WAITING: usize = 64;

/// Reads one conversation a line, in either form that `frontdesk demo import --help` describes.
/// `otherwise_ms` is the time of those that tell none; `label` names the field that says what came
/// of it.
///
/// # Errors
/// With the number of the line that is no conversation.
pub fn read(text: &str, otherwise_ms: u64, label: &str) -> anyhow::Result<Vec<Conversation>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(i, line)| {
            parse(line, otherwise_ms, label).with_context(|| format!("line {}", i + 1))
        })
        .collect()
}

/// The field that says what came of a conversation.
pub const CONVERTED: &str = "converted";
/// What is told after the fact, and so is no attribute: it would give the outcome away.
const OUTCOMES: [&str; 3] = [CONVERTED, "amount", "outcome"];

fn parse(line: &str, otherwise_ms: u64, label: &str) -> anyhow::Result<Conversation> {
    #[derive(Deserialize)]
    struct Turn {
        role: String,
        text: String,
    }
    let mut fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line)?;
    let turns: Vec<(bool, String)> = if let Some(display) = fields.remove("messages_display") {
        displayed(display.as_str().context("`messages_display` is no text")?)
    } else {
        let turns =
            fields.remove("turns").context("it has neither `turns` nor `messages_display`")?;
        let turns: Vec<Turn> = serde_json::from_value(turns).context("in `turns`")?;
        turns
            .into_iter()
            .map(|turn| (matches!(turn.role.as_str(), "visitor" | "user"), turn.text))
            .collect()
    };
    anyhow::ensure!(turns.iter().any(|(visitor, _)| *visitor), "the visitor says nothing");
    let id = fields
        .remove("id")
        .and_then(|id| id.as_str().map(str::to_owned))
        .unwrap_or_else(|| fingerprint(&turns));
    let at_ms = fields
        .remove("at_ms")
        .and_then(|at| at.as_u64())
        .or_else(|| stamped(&id))
        .unwrap_or(otherwise_ms);
    let converted = match fields.remove(label) {
        Some(serde_json::Value::Bool(converted)) => Some(converted),
        Some(serde_json::Value::Number(number)) => Some(number.as_f64() != Some(0.0)),
        None | Some(serde_json::Value::Null) => None,
        Some(other) => anyhow::bail!("its {label:?} is {other}; use true or false"),
    };
    let amount = fields.remove("amount").and_then(|value| value.as_f64()).unwrap_or(0.0);
    let outcome = converted.map(|converted| Outcome {
        order: id.clone(),
        converted,
        amount,
        ..Outcome::default()
    });
    let attributes = fields
        .into_iter()
        .filter(|(name, _)| !OUTCOMES.contains(&name.as_str()))
        .filter_map(|(name, value)| {
            let value = match value {
                serde_json::Value::Bool(flag) => AttributeValue::Flag(flag),
                serde_json::Value::Number(number) => AttributeValue::Number(number.as_f64()?),
                serde_json::Value::String(text) if !text.is_empty() => AttributeValue::Name(text),
                _ => return None,
            };
            Some((name, value))
        })
        .collect();
    Ok(Conversation { id, at_ms, turns, attributes, outcome })
}

/// `user: …`, `assistant: …`, `tool: …`, each until the next. Calls of tools, their results and
/// markers of the simulation are nobody's words.
fn displayed(text: &str) -> Vec<(bool, String)> {
    let mut turns: Vec<(Option<bool>, String)> = Vec::new();
    for line in text.lines() {
        let begun = [("user: ", Some(true)), ("assistant: ", Some(false)), ("tool: ", None)]
            .into_iter()
            .find_map(|(mark, role)| Some((role, line.strip_prefix(mark)?)));
        match (begun, turns.last_mut()) {
            (Some((role, rest)), _) => turns.push((role, rest.to_owned())),
            (None, Some((_, text))) => {
                text.push('\n');
                text.push_str(line);
            }
            (None, None) => {}
        }
    }
    turns
        .into_iter()
        .filter_map(|(role, text)| Some((role?, text.replace("###STOP###", "").trim().to_owned())))
        .filter(|(_, text)| !text.is_empty() && text != "None")
        .collect()
}

/// The time in an id such as `20180904-024226_703_live`, taken as UTC.
fn stamped(id: &str) -> Option<u64> {
    let start = id.char_indices().find(|(_, c)| c.is_ascii_digit())?.0;
    let stamp = id.get(start..start + 15)?;
    let (day, time) = stamp.split_once('-')?;
    let number = |text: &str| {
        text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten()
    };
    let (year, month, day) =
        (number(day.get(..4)?)?, number(day.get(4..6)?)?, number(day.get(6..8)?)?);
    let (hour, minute, second) =
        (number(time.get(..2)?)?, number(time.get(2..4)?)?, number(time.get(4..6)?)?);
    if !(1970..3000).contains(&year)
        || !(1..=12).contains(&month)
        || !(1..=31).contains(&day)
        || hour > 23
        || minute > 59
    {
        return None;
    }
    // Days since the epoch in the Gregorian calendar, with the year beginning in March (Howard
    // Hinnant, "chrono-compatible date algorithms").
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    Some(((days * 24 + hour) * 60 + minute) * 60_000 + second * 1000)
}

fn fingerprint(turns: &[(bool, String)]) -> String {
    let mut hash = Sha256::new();
    for (visitor, text) in turns {
        hash.update([u8::from(*visitor)]);
        hash.update(text);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Writes conversations into the store as sessions; those that are there already are passed over.
///
/// # Errors
/// When the store can't be written.
pub async fn import(
    parts: &Parts<'_>,
    conversations: &[Conversation],
    progress: impl Fn(usize),
) -> anyhow::Result<ReplayReport> {
    let mut report = ReplayReport::default();
    // Several at once share the store's flushes, which is what an import waits for.
    let mut writing = futures_util::stream::iter(
        conversations.iter().map(|conversation| one(parts, conversation)),
    )
    .buffered(AT_ONCE);
    let mut done = 0;
    while let Some(written) = writing.next().await {
        let ReplayReport { sessions, messages, outcomes, present } = written?;
        report.sessions += sessions;
        report.messages += messages;
        report.outcomes += outcomes;
        report.present += present;
        done += 1;
        progress(done);
    }
    Ok(report)
}

async fn one(parts: &Parts<'_>, conversation: &Conversation) -> anyhow::Result<ReplayReport> {
    let digest = fingerprint(&[(true, format!("{}/{}", parts.channel, conversation.id))]);
    let key = SessionKey { site: parts.site.to_owned(), id: format!("replay-{digest}") };
    if parts.store.session(&key.site, &key.id).await?.is_some() {
        return Ok(ReplayReport { present: 1, ..ReplayReport::default() });
    }
    write(parts, &key, conversation).await?;
    Ok(ReplayReport {
        sessions: 1,
        messages: conversation.turns.iter().filter(|(visitor, _)| *visitor).count(),
        outcomes: usize::from(conversation.outcome.is_some()),
        present: 0,
    })
}

impl Conversation {
    fn said(&self) -> impl Iterator<Item = &str> {
        self.turns.iter().filter(|(by_visitor, _)| *by_visitor).map(|(_, text)| text.as_str())
    }

    /// The events that it would have been.
    fn events(&self, channel: &str) -> Vec<Event> {
        let visitor = format!("replay:{}", self.id);
        let mut events = vec![Event::Started { visitor, channel: channel.to_owned() }];
        let mut said = 0;
        for (by_visitor, text) in &self.turns {
            let text: String = text.chars().take(MAX_CHARS).collect();
            if *by_visitor {
                said = events.len() as u64 + 1;
                events.push(Event::Said { id: format!("m{said}"), text });
            } else {
                events.push(Event::AnswerDone {
                    turn: said,
                    text,
                    citations: Vec::new(),
                    confidence: 0.0,
                    usage: Usage::default(),
                    end: AnswerEnd::Complete,
                    withheld: 0,
                });
            }
        }
        events.push(Event::Ended { reason: "imported".into() });
        events
    }

    /// The signals of one of its events, without the meaning of a message.
    fn signals_of(&self, event: &Event, catalogue: &Goods) -> Vec<Signal> {
        let mut signals = signals::of(event, catalogue);
        for signal in &mut signals {
            if let Signal::Answer { confidence, .. } = signal {
                *confidence = None;
            }
        }
        if matches!(event, Event::Started { .. }) {
            let attribute = |(name, value): &(String, AttributeValue)| Signal::Attribute {
                name: name.clone(),
                value: value.clone(),
            };
            signals.extend(self.attributes.iter().map(attribute));
        }
        signals
    }

    /// What training sees of it: the signals that it would have left, and its words instead of
    /// their meanings.
    #[must_use]
    pub fn track(&self) -> Track {
        let none = Goods::default();
        Track {
            records: self
                .events("")
                .iter()
                .map(|event| (self.at_ms, self.signals_of(event, &none)))
                .collect(),
            said: self.said().map(str::to_owned).collect(),
            converted: self.outcome.as_ref().map(|outcome| outcome.converted),
        }
    }
}

async fn write(
    parts: &Parts<'_>,
    key: &SessionKey,
    conversation: &Conversation,
) -> anyhow::Result<()> {
    let events = conversation.events(parts.channel);
    let at_ms = conversation.at_ms.max(1);
    let mut pending = Vec::new();
    for (i, event) in events.iter().enumerate() {
        let seq = i as u64 + 1;
        let mut signals = conversation.signals_of(event, parts.catalogue);
        if let Event::Said { text, .. } = event {
            match parts.meanings {
                Meanings::None => {}
                Meanings::Embedder(embedder) => {
                    signals.extend(signals::meaning(Some(embedder), text).await)
                }
                Meanings::Fixed(vector) => signals.push(Signal::Meaning { vector: vector.clone() }),
            }
        }
        let (site, session) = (key.site.clone(), key.id.clone());
        let body = serde_json::to_vec(event)?;
        pending.push(parts.store.append(Record {
            site,
            session,
            seq,
            at_ms,
            kind: RecordKind::Event,
            body,
        }));
        if !signals.is_empty() {
            let (site, session) = (key.site.clone(), key.id.clone());
            let body = serde_json::to_vec(&signals)?;
            pending.push(parts.store.append(Record {
                site,
                session,
                seq,
                at_ms,
                kind: RecordKind::Signal,
                body,
            }));
        }
        if pending.len() >= WAITING {
            for append in pending.drain(..) {
                append.await?;
            }
        }
    }
    for append in pending {
        append.await?;
    }
    if let Some(outcome) = &conversation.outcome {
        let outcome = Signal::Outcome(outcome.clone());
        signals::append(parts.store, key, events.len() as u64, at_ms, &[outcome]).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        let text = concat!(
            r#"{"id": "20180904-024226_703_live", "turns": [{"role": "agent", "text": "Hi"}, {"role": "visitor", "text": "Hello"}], "age": 28.0, "job": "", "converted": true, "amount": 0.05}"#,
            "\n\n",
            r####"{"messages_display": "user: Hi,\nwho are you?\nassistant: None\ntool: {}\nassistant: A shop.\nuser: Bye ###STOP###"}"####
        );
        let found = read(text, 7, CONVERTED).unwrap();
        assert_eq!(found[0].at_ms, 1_536_028_946_000);
        assert_eq!(found[0].attributes, [("age".to_owned(), AttributeValue::Number(28.0))]);
        assert_eq!(
            found[0].outcome.as_ref().map(|outcome| (outcome.converted, outcome.amount)),
            Some((true, 0.05))
        );
        let words: Vec<(bool, &str)> =
            found[1].turns.iter().map(|(visitor, text)| (*visitor, text.as_str())).collect();
        assert_eq!(words, [(true, "Hi,\nwho are you?"), (false, "A shop."), (true, "Bye")]);
        assert_eq!((found[1].at_ms, found[1].outcome.is_none()), (7, true));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, expected) in [
            ("{\"turns\": []}", "line 1: the visitor says nothing"),
            ("\n{}", "line 2: it has neither"),
            ("{\"turns\": 3}", "line 1: in `turns`"),
            ("x", "line 1: "),
            (
                "{\"turns\": [{\"role\": \"visitor\", \"text\": \"a\"}], \"converted\": \"maybe\"}",
                "line 1: its \"converted\"",
            ),
        ] {
            let error = format!("{:#}", read(text, 0, CONVERTED).unwrap_err());
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn times_are_read_from_ids_that_have_one() {
        assert_eq!(stamped("BAD_20180827-043450_786_live"), Some(1_535_344_490_000));
        for none in ["", "live", "20181304-000000", "2018é904-024226", "20180904_024226"] {
            assert_eq!(stamped(none), None, "{none}");
        }
    }
}
