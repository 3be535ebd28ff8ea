//! When a person should step in, as far as the conversation alone shows it. Pure.

use serde::{Deserialize, Serialize};

use crate::conversation::{AnswerEnd, HandoffReason};
use crate::grounding::smalltalk::small_talk;
use crate::language::tone::{Tone, tone};

mod anger;
mod person;

/// True if the visitor asks for a person: in so many words, or in words like those of others who
/// did.
#[must_use]
pub fn asks_for_person(text: &str) -> bool {
    person::asks_for_person(text) || heard(text) == Some(Tone::WantsPerson)
}

/// True if the visitor is angry: in so many words, or in words like those of others who were.
#[must_use]
pub fn is_angry(text: &str) -> bool {
    anger::is_angry(text) || heard(text) == Some(Tone::Angry)
}

/// The tone of a message that is more than small talk: "are you a robot?" only wonders.
fn heard(text: &str) -> Option<Tone> {
    tone(text).filter(|_| small_talk(text).is_none())
}

/// `[sites.handoff]`: when a person is called, and what happens until one comes.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct HandoffConfig {
    /// Call a person when the visitor asks for one in so many words. The widget's button always
    /// does.
    pub asked: bool,
    /// Call a person after so many answers in a row that were declined, failed or less sure than
    /// `confidence_below`; 0 never.
    pub low_confidence: u32,
    /// Confidence (0…1) below which an answer counts as unsure.
    pub confidence_below: f32,
    /// Call a person when the visitor is angry.
    pub anger: bool,
    /// Words and phrases that people handle ("lawyer", "data breach", "退款纠纷"); a message with one
    /// of them calls a person.
    pub topics: Vec<String>,
    /// Call a person when the purchase intent (0…1) reaches this; 0 never.
    pub intent_from: f32,
    /// Whether the assistant goes on answering until a person takes over. Where it doesn't,
    /// messages wait, each with a drafted reply for the agent.
    pub answer_while_waiting: bool,
}

impl Default for HandoffConfig {
    fn default() -> Self {
        Self {
            asked: true,
            low_confidence: 2,
            confidence_below: 0.5,
            anger: true,
            topics: Vec::new(),
            intent_from: 0.0,
            answer_while_waiting: true,
        }
    }
}

/// What the rules remember of a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Answers in a row that were unsure.
    unsure: u32,
    /// A person was called for a high intent; once is enough.
    intent_called: bool,
}

impl HandoffConfig {
    /// # Errors
    /// When an option makes no sense.
    pub fn validate(&self) -> anyhow::Result<()> {
        for (name, value) in
            [("confidence_below", self.confidence_below), ("intent_from", self.intent_from)]
        {
            anyhow::ensure!(
                (0.0..=1.0).contains(&value),
                "handoff.{name} is {value}; it must be 0 to 1"
            );
        }
        anyhow::ensure!(
            self.topics.iter().all(|topic| !topic.trim().is_empty()),
            "handoff.topics has an empty topic, which every message would hold"
        );
        Ok(())
    }

    /// Whether a message calls a person; the reason that matters most if several do.
    #[must_use]
    pub fn on_message(&self, text: &str) -> Option<HandoffReason> {
        if self.asked && asks_for_person(text) {
            Some(HandoffReason::Asked)
        } else if self.topics.iter().any(|topic| holds(text, topic)) {
            Some(HandoffReason::SensitiveTopic)
        } else if self.anger && is_angry(text) {
            Some(HandoffReason::Anger)
        } else {
            None
        }
    }

    /// Whether an answer that ended calls a person.
    #[must_use]
    pub fn on_answer(&self, memory: Memory) -> Option<HandoffReason> {
        (self.low_confidence > 0 && memory.unsure >= self.low_confidence)
            .then_some(HandoffReason::LowConfidence)
    }

    /// Whether a purchase intent of `score` calls a person.
    #[must_use]
    pub fn on_intent(&self, memory: Memory, score: f32) -> Option<HandoffReason> {
        (self.intent_from > 0.0 && score >= self.intent_from && !memory.intent_called)
            .then_some(HandoffReason::HighIntent)
    }

    /// Takes up how an answer ended. One that somebody stopped says nothing.
    pub fn remember(&self, memory: &mut Memory, end: AnswerEnd, confidence: f32) {
        match end {
            AnswerEnd::Declined | AnswerEnd::Failed => memory.unsure += 1,
            AnswerEnd::Complete | AnswerEnd::Length if confidence < self.confidence_below => {
                memory.unsure += 1
            }
            AnswerEnd::Complete | AnswerEnd::Length => memory.unsure = 0,
            // Asking back is no failure, and no answer either; nor is a greeting.
            AnswerEnd::Clarified
            | AnswerEnd::SmallTalk
            | AnswerEnd::Cancelled
            | AnswerEnd::Superseded
            | AnswerEnd::TakenOver
            | AnswerEnd::Unknown => {}
        }
    }
}

impl Memory {
    /// A person is there: what went before no longer counts.
    pub fn reset(&mut self) {
        self.unsure = 0;
    }

    /// A person was called.
    pub fn called(&mut self, reason: HandoffReason) {
        self.intent_called |= reason == HandoffReason::HighIntent;
    }
}

/// Whether a text holds a phrase: at word borders for spaced scripts, anywhere for others. Case
/// doesn't count.
fn holds(text: &str, phrase: &str) -> bool {
    if !phrase.is_ascii() {
        return text.to_lowercase().contains(&phrase.to_lowercase());
    }
    let plain = |text: &str| {
        let words = crate::language::words(text);
        words.fold(String::from(" "), |all, word| all + &word.to_lowercase() + " ")
    };
    let phrase = plain(phrase);
    phrase.len() > 1 && plain(text).contains(&phrase)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut HandoffConfig), text: &str, expected: Option<HandoffReason>) {
        let mut rules = HandoffConfig::default();
        change(&mut rules);
        assert_eq!(rules.on_message(text), expected, "{text}");
    }

    #[test]
    fn messages_call_a_person_by_rule() {
        let topics =
            |rules: &mut HandoffConfig| rules.topics = vec!["lawyer".into(), "退款纠纷".into()];
        check(|_| {}, "I want to speak to a human", Some(HandoffReason::Asked));
        check(|rules| rules.asked = false, "I want to speak to a human", None);
        check(topics, "My Lawyer will write to you.", Some(HandoffReason::SensitiveTopic));
        check(topics, "Are you lawyers?", None);
        check(topics, "我有退款纠纷", Some(HandoffReason::SensitiveTopic));
        check(|_| {}, "This is ridiculous!", Some(HandoffReason::Anger));
        check(|_| {}, "WHERE IS MY BLOODY PARCEL", Some(HandoffReason::Anger));
        check(|_| {}, "你们是骗子吧", Some(HandoffReason::Anger));
        check(|rules| rules.anger = false, "This is ridiculous!", None);
        check(|_| {}, "Do you ship to the UK? I need an XL TARN 2.", None);
        check(|_| {}, "Is the Scamper jacket in stock?", None);
        check(|_| {}, "is there anybody real there?", Some(HandoffReason::Asked));
        check(|_| {}, "which of your coats have no hood", None);
        check(|_| {}, "", None);
    }

    #[test]
    fn unsure_answers_in_a_row_call_a_person() {
        let rules = HandoffConfig::default();
        let after = |ends: &[(AnswerEnd, f32)]| {
            let mut memory = Memory::default();
            for (end, confidence) in ends {
                rules.remember(&mut memory, *end, *confidence);
            }
            rules.on_answer(memory)
        };
        let low = Some(HandoffReason::LowConfidence);
        assert_eq!(after(&[(AnswerEnd::Declined, 0.9)]), None);
        assert_eq!(after(&[(AnswerEnd::Declined, 0.9), (AnswerEnd::Complete, 0.4)]), low);
        assert_eq!(
            after(&[
                (AnswerEnd::Declined, 0.9),
                (AnswerEnd::Complete, 0.9),
                (AnswerEnd::Declined, 0.9)
            ]),
            None
        );
        assert_eq!(
            after(&[
                (AnswerEnd::Declined, 0.9),
                (AnswerEnd::Superseded, 0.0),
                (AnswerEnd::Failed, 0.0)
            ]),
            low
        );
        let talk = (AnswerEnd::SmallTalk, 1.0);
        assert_eq!(after(&[talk, talk, (AnswerEnd::Declined, 0.9), talk]), None);
        assert_eq!(
            after(&[(AnswerEnd::Declined, 0.9), talk, (AnswerEnd::Declined, 0.9)]),
            low,
            "it resets nothing"
        );
        let never = HandoffConfig { low_confidence: 0, ..rules };
        assert_eq!(never.on_answer(Memory { unsure: 9, ..Memory::default() }), None);
    }

    #[test]
    fn high_intent_calls_a_person_where_asked_for() {
        let mut memory = Memory::default();
        assert_eq!(HandoffConfig::default().on_intent(memory, 1.0), None);
        let rules = HandoffConfig { intent_from: 0.7, ..HandoffConfig::default() };
        assert_eq!(rules.on_intent(memory, 0.69), None);
        assert_eq!(rules.on_intent(memory, 0.7), Some(HandoffReason::HighIntent));
        memory.called(HandoffReason::HighIntent);
        assert_eq!(rules.on_intent(memory, 0.9), None, "once is enough");
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(HandoffConfig { intent_from: 7.0, ..HandoffConfig::default() }.validate().is_err());
        assert!(
            HandoffConfig { topics: vec![" ".into()], ..HandoffConfig::default() }
                .validate()
                .is_err()
        );
        assert!(HandoffConfig::default().validate().is_ok());
    }
}
