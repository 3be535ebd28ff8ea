//! One visitor's conversation: `apply(command) → effects`, pure. No protocol, no clock, no disk.
//!
//! The task around it ([`live`]) runs the effects in order; an `Append` is on disk before any later effect is seen by
//! anybody, which is how "acknowledged" comes to mean "stored".

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::llm::Usage;
use crate::protocol::{AnswerEnd, Citation, Rating};

pub mod live;
pub mod registry;

/// `[sessions]`: how long conversations live and how much one may say.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionsConfig {
    /// Hours without a word after which a session ends; the visitor's next message begins a new one.
    pub expire_after_h: u64,
    /// Days after which an ended session is erased from disk. 0 keeps everything.
    pub retain_days: u64,
    /// Messages a visitor may send in a minute; one more is refused with the time to wait.
    pub messages_per_minute: u32,
    /// Messages a session may hold; one more is refused and a new session is to be begun.
    pub max_messages: usize,
    /// Longest time between two checkpoints of a running answer, in milliseconds. After a crash at most this much of an
    /// answer is written again.
    pub checkpoint_ms: u64,
    /// Seconds an unused session stays in memory.
    pub idle_s: u64,
}

impl Default for SessionsConfig {
    fn default() -> Self {
        Self {
            expire_after_h: 24,
            retain_days: 365,
            messages_per_minute: 20,
            max_messages: 1_000,
            checkpoint_ms: 250,
            idle_s: 60,
        }
    }
}

/// Which conversation: a site and the session's id within it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SessionKey {
    pub site: String,
    pub id: String,
}

/// What the log holds of a session. Every event has a `seq`, 1, 2, 3, … without gaps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The first event of every session.
    Started {
        visitor: String,
        channel: String,
    },
    /// The visitor said something; its `seq` names the turn that answers it.
    Said {
        id: String,
        text: String,
    },
    AnswerStarted {
        turn: u64,
    },
    AnswerDone {
        turn: u64,
        text: String,
        citations: Vec<Citation>,
        confidence: f32,
        usage: Usage,
        end: AnswerEnd,
        /// Sentences that were written but not sent.
        withheld: u32,
    },
    HumanRequested {},
    Feedback {
        turn: u64,
        rating: Rating,
        text: Option<String>,
    },
    Ended {
        reason: String,
    },
}

/// A checkpoint of a running answer: what is new since the last one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    pub turn: u64,
    /// Unicode scalar values before `text`.
    pub offset: u64,
    pub text: String,
}

/// How a turn ended, as the turn itself reports it.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub citations: Vec<Citation>,
    pub confidence: f32,
    pub usage: Usage,
    pub end: AnswerEnd,
    pub withheld: u32,
}

/// What somebody wants of a session.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    Say {
        id: String,
        text: String,
    },
    Cancel {
        turn: u64,
    },
    RequestHuman,
    Feedback {
        turn: u64,
        rating: Rating,
        text: Option<String>,
    },
    End {
        reason: String,
    },
    /// A running turn wrote more.
    Write {
        turn: u64,
        text: String,
    },
    /// A running turn is over.
    Finish {
        turn: u64,
        verdict: Verdict,
    },
    /// Checkpoint what was written since the last time.
    Checkpoint,
    /// Go on with an answer that a crash cut.
    Resume,
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// To disk before any later effect.
    Append { seq: u64, event: Event },
    /// To disk, but nobody waits for it.
    Checkpoint(Checkpoint),
    /// To every participant.
    Tell(Update),
    /// To whom the command came from.
    Reply(Result<Accepted, Refusal>),
    /// Begin writing an answer; `written` already stands.
    StartTurn { turn: u64, question: String, written: String },
    /// Stop writing it, now.
    StopTurn { turn: u64 },
}

/// What participants of a session see.
#[derive(Clone, Debug, PartialEq)]
pub enum Update {
    /// An event that is on disk.
    Event {
        seq: u64,
        event: Event,
    },
    Queued {
        turn: u64,
        place: usize,
    },
    /// `offset` in Unicode scalar values.
    Delta {
        turn: u64,
        offset: u64,
        text: String,
    },
    Citation {
        turn: u64,
        citation: Citation,
    },
    Withheld {
        turn: u64,
        reason: String,
    },
    /// The session can't go on here; the client reconnects and resumes.
    Lost,
}

/// What was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// `seq` of the event that stands for it; the same for a message sent twice.
    pub seq: u64,
}

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("this conversation is over; begin a new one")]
    Ended,
    #[error("no answer {turn} is running in this conversation")]
    UnknownTurn { turn: u64 },
    #[error("more than {per_minute} messages a minute; try again in {retry_after_ms} ms")]
    RateLimited { per_minute: u32, retry_after_ms: u64 },
    #[error("this conversation holds {limit} messages, the most it may; begin a new one")]
    Full { limit: usize },
    #[error("the message id {id:?} was used for another text")]
    IdReused { id: String },
}

/// An answer that is being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    pub turn: u64,
    pub text: String,
    /// Unicode scalar values of `text`.
    pub chars: u64,
    /// Bytes of `text` that are checkpointed, and how many scalar values they are.
    saved: (usize, u64),
}

/// A line of the conversation, as prompts and retrieval see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub by_visitor: bool,
    pub text: String,
}

/// The state of a conversation, made of its events.
#[derive(Clone, Debug)]
pub struct Session {
    pub key: SessionKey,
    pub visitor: String,
    /// Where the conversation comes from: `widget`, `rest`, `cli`, …
    pub channel: String,
    pub last_seq: u64,
    pub started_at_ms: u64,
    pub last_at_ms: u64,
    pub ended: bool,
    pub human_requested: bool,
    pub running: Option<Running>,
    /// Oldest first; the question that is being answered is its last line.
    pub lines: Vec<Line>,
    /// Client message id → seq and a hash of the text.
    said: HashMap<String, (u64, u64)>,
    /// Turns that are over, for feedback.
    turns: Vec<u64>,
    /// Times of the last messages, for the rate limit.
    recent_ms: std::collections::VecDeque<u64>,
    limits: Limits,
}

/// The part of [`SessionsConfig`] that decides.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub messages_per_minute: u32,
    pub max_messages: usize,
}

impl From<&SessionsConfig> for Limits {
    fn from(config: &SessionsConfig) -> Self {
        Self { messages_per_minute: config.messages_per_minute, max_messages: config.max_messages }
    }
}

impl Session {
    /// A conversation in which nothing was said yet. It is on disk from the first message on.
    #[must_use]
    pub fn new(key: SessionKey, visitor: String, channel: String, limits: Limits, now_ms: u64) -> Self {
        Self {
            key,
            visitor,
            channel,
            last_seq: 0,
            started_at_ms: now_ms,
            last_at_ms: now_ms,
            ended: false,
            human_requested: false,
            running: None,
            lines: Vec::new(),
            said: HashMap::new(),
            turns: Vec::new(),
            recent_ms: std::collections::VecDeque::new(),
            limits,
        }
    }

    /// Takes up an event that is already on disk. Events come in the order of their `seq`.
    pub fn replay(&mut self, seq: u64, at_ms: u64, event: &Event) {
        if seq == 1 {
            self.started_at_ms = at_ms;
        }
        self.last_seq = seq;
        self.last_at_ms = at_ms;
        match event {
            Event::Started { visitor, channel } => {
                self.visitor.clone_from(visitor);
                self.channel.clone_from(channel);
            }
            Event::Said { id, text } => {
                self.said.insert(id.clone(), (seq, fingerprint(text)));
                self.lines.push(Line { by_visitor: true, text: text.clone() });
            }
            Event::AnswerStarted { turn } => {
                self.running = Some(Running { turn: *turn, text: String::new(), chars: 0, saved: (0, 0) });
            }
            Event::AnswerDone { turn, text, .. } => {
                self.running = None;
                self.turns.push(*turn);
                if !text.is_empty() {
                    self.lines.push(Line { by_visitor: false, text: text.clone() });
                }
            }
            Event::HumanRequested {} => self.human_requested = true,
            Event::Feedback { .. } => {}
            Event::Ended { .. } => self.ended = true,
        }
    }

    /// Takes up a checkpoint of the running answer. One that doesn't continue the text is passed over.
    pub fn replay_checkpoint(&mut self, checkpoint: &Checkpoint) {
        let Some(running) = &mut self.running else { return };
        if running.turn == checkpoint.turn && running.chars == checkpoint.offset {
            running.push(&checkpoint.text);
            running.saved = (running.text.len(), running.chars);
        }
    }

    /// Decides what a command does. The session's own state already reflects the effects when this returns; if one can't be
    /// carried out, the session is to be dropped and read from disk again.
    pub fn apply(&mut self, command: Command, now_ms: u64) -> Vec<Effect> {
        let mut effects = Vec::new();
        match command {
            Command::Say { id, text } => self.say(id, text, now_ms, &mut effects),
            Command::Cancel { turn } => match &self.running {
                Some(running) if running.turn == turn => {
                    let seq = self.stop(AnswerEnd::Cancelled, now_ms, &mut effects);
                    effects.push(Effect::Reply(Ok(Accepted { seq })));
                }
                _ => effects.push(Effect::Reply(Err(Refusal::UnknownTurn { turn }))),
            },
            Command::RequestHuman if self.ended => effects.push(Effect::Reply(Err(Refusal::Ended))),
            Command::RequestHuman => {
                self.start(now_ms, &mut effects);
                let seq = self.record(Event::HumanRequested {}, now_ms, &mut effects);
                effects.push(Effect::Reply(Ok(Accepted { seq })));
            }
            Command::Feedback { turn, rating, text } => {
                if self.turns.contains(&turn) {
                    let seq = self.record(Event::Feedback { turn, rating, text }, now_ms, &mut effects);
                    effects.push(Effect::Reply(Ok(Accepted { seq })));
                } else {
                    effects.push(Effect::Reply(Err(Refusal::UnknownTurn { turn })));
                }
            }
            Command::End { reason } => {
                if self.ended {
                    effects.push(Effect::Reply(Err(Refusal::Ended)));
                } else {
                    if self.running.is_some() {
                        self.stop(AnswerEnd::Cancelled, now_ms, &mut effects);
                    }
                    self.start(now_ms, &mut effects);
                    let seq = self.record(Event::Ended { reason }, now_ms, &mut effects);
                    effects.push(Effect::Reply(Ok(Accepted { seq })));
                }
            }
            Command::Write { turn, text } => {
                if let Some(running) = self.running.as_mut().filter(|running| running.turn == turn && !text.is_empty())
                {
                    let offset = running.chars;
                    running.push(&text);
                    effects.push(Effect::Tell(Update::Delta { turn, offset, text }));
                }
            }
            Command::Finish { turn, verdict } => {
                if self.running.as_ref().is_some_and(|running| running.turn == turn) {
                    self.finish(verdict, now_ms, &mut effects);
                }
            }
            Command::Checkpoint => {
                if let Some(checkpoint) = self.running.as_mut().and_then(Running::checkpoint) {
                    effects.push(Effect::Checkpoint(checkpoint));
                }
            }
            Command::Resume => self.resume(now_ms, &mut effects),
        }
        effects
    }

    fn say(&mut self, id: String, text: String, now_ms: u64, effects: &mut Vec<Effect>) {
        if let Some(&(seq, known)) = self.said.get(&id) {
            let same = known == fingerprint(&text);
            effects.push(Effect::Reply(if same { Ok(Accepted { seq }) } else { Err(Refusal::IdReused { id }) }));
            return;
        }
        if let Err(refusal) = self.may_say(now_ms) {
            effects.push(Effect::Reply(Err(refusal)));
            return;
        }
        self.recent_ms.push_back(now_ms);
        self.start(now_ms, effects);
        if self.running.is_some() {
            self.stop(AnswerEnd::Superseded, now_ms, effects);
        }
        let seq = self.record(Event::Said { id, text: text.clone() }, now_ms, effects);
        self.record(Event::AnswerStarted { turn: seq }, now_ms, effects);
        effects.push(Effect::Reply(Ok(Accepted { seq })));
        effects.push(Effect::StartTurn { turn: seq, question: text, written: String::new() });
    }

    fn may_say(&mut self, now_ms: u64) -> Result<(), Refusal> {
        if self.ended {
            return Err(Refusal::Ended);
        }
        if self.said.len() >= self.limits.max_messages {
            return Err(Refusal::Full { limit: self.limits.max_messages });
        }
        while self.recent_ms.front().is_some_and(|&at| at + 60_000 <= now_ms) {
            self.recent_ms.pop_front();
        }
        let per_minute = self.limits.messages_per_minute;
        match self.recent_ms.front() {
            Some(&oldest) if self.recent_ms.len() >= per_minute as usize => {
                Err(Refusal::RateLimited { per_minute, retry_after_ms: oldest + 60_000 - now_ms })
            }
            _ => Ok(()),
        }
    }

    fn resume(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        if let Some(running) = &self.running {
            let question = self.lines.iter().rev().find(|line| line.by_visitor).map(|line| line.text.clone());
            effects.push(Effect::StartTurn {
                turn: running.turn,
                question: question.unwrap_or_default(),
                written: running.text.clone(),
            });
        } else if let Some((turn, question)) = self.unanswered() {
            // The crash came between the message and the start of its answer.
            self.record(Event::AnswerStarted { turn }, now_ms, effects);
            effects.push(Effect::StartTurn { turn, question, written: String::new() });
        }
    }

    /// The last message, if it is the session's last event.
    fn unanswered(&self) -> Option<(u64, String)> {
        if self.ended {
            return None;
        }
        let (&turn, _) = self.said.values().map(|(seq, text)| (seq, text)).find(|(seq, _)| **seq == self.last_seq)?;
        let question = self.lines.last().filter(|line| line.by_visitor)?;
        Some((turn, question.text.clone()))
    }

    /// True if a message with this id was taken.
    #[must_use]
    pub fn knows(&self, id: &str) -> bool {
        self.said.contains_key(id)
    }

    /// The checkpoint was not taken; its text belongs to the next one.
    pub fn checkpoint_refused(&mut self, checkpoint: &Checkpoint) {
        if let Some(running) = self.running.as_mut().filter(|running| running.turn == checkpoint.turn) {
            let (bytes, _) = running.saved;
            running.saved = (bytes.saturating_sub(checkpoint.text.len()), checkpoint.offset);
        }
    }

    /// True if an answer is running or owed; such a session is taken up again after a crash.
    #[must_use]
    pub fn owes_answer(&self) -> bool {
        self.running.is_some() || self.unanswered().is_some()
    }

    fn start(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        if self.last_seq == 0 {
            let (visitor, channel) = (self.visitor.clone(), self.channel.clone());
            self.record(Event::Started { visitor, channel }, now_ms, effects);
        }
    }

    fn stop(&mut self, end: AnswerEnd, now_ms: u64, effects: &mut Vec<Effect>) -> u64 {
        if let Some(running) = &self.running {
            effects.push(Effect::StopTurn { turn: running.turn });
        }
        let verdict = Verdict { citations: Vec::new(), confidence: 0.0, usage: Usage::default(), end, withheld: 0 };
        self.finish(verdict, now_ms, effects)
    }

    fn finish(&mut self, verdict: Verdict, now_ms: u64, effects: &mut Vec<Effect>) -> u64 {
        let Some(running) = self.running.take() else { return self.last_seq };
        let Verdict { citations, confidence, usage, end, withheld } = verdict;
        let done =
            Event::AnswerDone { turn: running.turn, text: running.text, citations, confidence, usage, end, withheld };
        self.record(done, now_ms, effects)
    }

    fn record(&mut self, event: Event, now_ms: u64, effects: &mut Vec<Effect>) -> u64 {
        let seq = self.last_seq + 1;
        self.replay(seq, now_ms, &event);
        effects.push(Effect::Append { seq, event: event.clone() });
        effects.push(Effect::Tell(Update::Event { seq, event }));
        seq
    }
}

impl Running {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.chars += text.chars().count() as u64;
    }

    /// What was written since the last checkpoint, if anything.
    fn checkpoint(&mut self) -> Option<Checkpoint> {
        let (bytes, chars) = self.saved;
        let new = self.text.get(bytes..).filter(|new| !new.is_empty())?;
        let checkpoint = Checkpoint { turn: self.turn, offset: chars, text: new.to_owned() };
        self.saved = (self.text.len(), self.chars);
        Some(checkpoint)
    }
}

fn fingerprint(text: &str) -> u64 {
    use std::hash::{Hash, Hasher};
    let mut hasher = rustc_hash::FxHasher::default();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        let key = SessionKey { site: "shop".into(), id: "s".into() };
        Session::new(key, "v".into(), "widget".into(), Limits { messages_per_minute: 3, max_messages: 5 }, 0)
    }

    fn say(session: &mut Session, id: &str, now_ms: u64) -> Vec<Effect> {
        session.apply(Command::Say { id: id.into(), text: format!("text of {id}") }, now_ms)
    }

    fn check(effects: &[Effect], expected: &[&str]) {
        let short: Vec<String> = effects
            .iter()
            .map(|effect| match effect {
                Effect::Append { seq, event } => format!("append {seq} {}", name(event)),
                Effect::Tell(Update::Event { seq, .. }) => format!("tell {seq}"),
                Effect::Tell(Update::Delta { offset, text, .. }) => format!("delta {offset} {text}"),
                Effect::Tell(update) => format!("tell {update:?}"),
                Effect::Reply(Ok(accepted)) => format!("ok {}", accepted.seq),
                Effect::Reply(Err(refusal)) => format!("no: {refusal}"),
                Effect::StartTurn { turn, written, .. } => format!("start {turn} after {written:?}"),
                Effect::StopTurn { turn } => format!("stop {turn}"),
                Effect::Checkpoint(checkpoint) => format!("save {} {}", checkpoint.offset, checkpoint.text),
            })
            .collect();
        assert_eq!(short, expected);
    }

    fn name(event: &Event) -> String {
        serde_json::to_value(event).unwrap()["event"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_message_is_stored_acknowledged_and_answered() {
        let mut session = session();
        check(
            &say(&mut session, "a", 0),
            &[
                "append 1 started",
                "tell 1",
                "append 2 said",
                "tell 2",
                "append 3 answer_started",
                "tell 3",
                "ok 2",
                "start 2 after \"\"",
            ],
        );
        check(&session.apply(Command::Write { turn: 2, text: "Hé".into() }, 1), &["delta 0 Hé"]);
        check(&session.apply(Command::Write { turn: 2, text: "llo".into() }, 1), &["delta 2 llo"]);
        check(&session.apply(Command::Checkpoint, 2), &["save 0 Héllo"]);
        check(&session.apply(Command::Checkpoint, 3), &[]);
        check(&session.apply(Command::Write { turn: 2, text: "!".into() }, 3), &["delta 5 !"]);
        check(&session.apply(Command::Checkpoint, 4), &["save 5 !"]);
        let verdict = Verdict {
            citations: vec![],
            confidence: 1.0,
            usage: Usage::default(),
            end: AnswerEnd::Complete,
            withheld: 0,
        };
        check(&session.apply(Command::Finish { turn: 2, verdict }, 5), &["append 4 answer_done", "tell 4"]);
        assert_eq!(session.lines.last().unwrap().text, "Héllo!");
    }

    #[test]
    fn sending_again_is_harmless_and_a_new_message_stops_the_answer() {
        let mut session = session();
        say(&mut session, "a", 0);
        check(&say(&mut session, "a", 1), &["ok 2"]);
        check(
            &session.apply(Command::Say { id: "a".into(), text: "other".into() }, 1),
            &["no: the message id \"a\" was used for another text"],
        );
        check(
            &say(&mut session, "b", 2),
            &[
                "stop 2",
                "append 4 answer_done",
                "tell 4",
                "append 5 said",
                "tell 5",
                "append 6 answer_started",
                "tell 6",
                "ok 5",
                "start 5 after \"\"",
            ],
        );
        // A word of the stopped turn that was under way goes nowhere.
        check(&session.apply(Command::Write { turn: 2, text: "late".into() }, 3), &[]);
    }

    #[test]
    fn limits_are_told_with_the_time_to_wait() {
        let mut session = session();
        for id in ["a", "b", "c"] {
            say(&mut session, id, 1_000);
        }
        check(&say(&mut session, "d", 21_000), &["no: more than 3 messages a minute; try again in 40000 ms"]);
        say(&mut session, "d", 61_000);
        say(&mut session, "e", 61_000);
        check(
            &say(&mut session, "f", 200_000),
            &["no: this conversation holds 5 messages, the most it may; begin a new one"],
        );
        session.apply(Command::End { reason: "visitor".into() }, 200_000);
        check(&say(&mut session, "g", 200_000), &["no: this conversation is over; begin a new one"]);
    }

    #[test]
    fn what_a_crash_cut_goes_on_where_it_was() {
        let mut before = session();
        let mut log = Vec::new();
        for effect in say(&mut before, "a", 0) {
            if let Effect::Append { seq, event } = effect {
                log.push((seq, event));
            }
        }
        let mut after = session();
        for (seq, event) in &log {
            after.replay(*seq, 0, event);
        }
        after.replay_checkpoint(&Checkpoint { turn: 2, offset: 0, text: "Half an".into() });
        after.replay_checkpoint(&Checkpoint { turn: 2, offset: 0, text: "Half an".into() });
        assert!(after.owes_answer());
        check(&after.apply(Command::Resume, 1), &["start 2 after \"Half an\""]);
        check(&after.apply(Command::Write { turn: 2, text: " answer".into() }, 1), &["delta 7  answer"]);

        let mut between = session();
        for (seq, event) in &log[..2] {
            between.replay(*seq, 0, event);
        }
        assert!(between.owes_answer());
        check(&between.apply(Command::Resume, 1), &["append 3 answer_started", "tell 3", "start 2 after \"\""]);
    }
}
