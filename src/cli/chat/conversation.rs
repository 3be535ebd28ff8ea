//! What a client knows of its conversation: which messages stand, what of the answer arrived, and
//! how to resume. Pure.

use crate::protocol::parts::{AnswerEnd, Citation, Usage};
use crate::protocol::{ClientMessage, ErrorCode, Partial, ServerMessage};

/// A client's side of a conversation. Survives connections: [`Conversation::hello`] and
/// [`Conversation::unacknowledged`] are what a new one is opened with.
#[derive(Clone, Debug, Default)]
pub struct Conversation {
    pub site: String,
    pub token: Option<String>,
    pub session: Option<String>,
    /// The highest `seq` seen. Acknowledgements don't move it: they may overtake older events.
    pub last_seq: u64,
    pub ended: bool,
    /// Messages that the server hasn't taken yet, oldest first: id and text.
    unsent: Vec<(String, String)>,
    answer: Option<Writing>,
}

/// An answer of which something arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Writing {
    turn: u64,
    text: String,
    /// Unicode scalar values of `text`.
    chars: u64,
}

/// What a message of the server changed.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    Welcome,
    /// The message stands; `turn` will answer it.
    Taken {
        id: String,
        turn: u64,
    },
    /// The answer waits; places count from 1.
    Waiting {
        turn: u64,
        place: usize,
    },
    /// The model thinks before it answers.
    Thinking,
    Started {
        turn: u64,
    },
    /// `text` is all of the answer so far. It may be shorter than before: after a crash a server
    /// goes on from what it kept.
    Text {
        turn: u64,
        text: String,
    },
    Withheld {
        turn: u64,
        reason: String,
    },
    Done(Answer),
    PersonAsked,
    /// Something about the person who answers, or does not yet, in words.
    Person(String),
    Ended {
        reason: String,
    },
    /// Words are missing between ours and the server's: connect again and resume.
    Gap,
    Refused {
        code: ErrorCode,
        message: String,
        retry_after_ms: Option<u64>,
        id: Option<String>,
    },
    /// Nothing that matters here.
    Nothing,
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub turn: u64,
    pub text: String,
    pub citations: Vec<Citation>,
    /// How likely the answer is right, 0…1.
    pub confidence: f32,
    pub usage: Usage,
    pub end: AnswerEnd,
}

impl Conversation {
    #[must_use]
    pub fn new(site: String, token: Option<String>) -> Self {
        Self { site, token, ..Self::default() }
    }

    /// The first frame of a connection: begins the conversation, or resumes it where it was.
    #[must_use]
    pub fn hello(&self) -> ClientMessage {
        let running =
            self.answer.as_ref().filter(|answer| self.session.is_some() && answer.chars > 0);
        ClientMessage::Hello {
            site: self.site.clone(),
            token: self.token.clone(),
            session: self.session.clone(),
            last_seq: self.last_seq,
            partial: running.map(|answer| Partial { turn: answer.turn, offset: answer.chars }),
            source: None,
            attributes: None,
            language: None,
        }
    }

    /// Something to say. Until the server has taken it, it is among
    /// [`Conversation::unacknowledged`].
    pub fn say(&mut self, id: String, text: String) -> ClientMessage {
        self.unsent.push((id.clone(), text.clone()));
        ClientMessage::Message { id, text }
    }

    /// What is to be sent (again) on a new connection, with the same ids.
    pub fn unacknowledged(&self) -> impl Iterator<Item = ClientMessage> {
        self.unsent
            .iter()
            .map(|(id, text)| ClientMessage::Message { id: id.clone(), text: text.clone() })
    }

    /// The answer that is being written.
    #[must_use]
    pub fn running(&self) -> Option<u64> {
        self.answer.as_ref().map(|answer| answer.turn)
    }

    /// Leaves the conversation: the next hello begins another, as the same visitor. What wasn't
    /// taken goes along.
    pub fn leave(&mut self) {
        *self = Self {
            unsent: std::mem::take(&mut self.unsent),
            ..Self::new(self.site.clone(), self.token.take())
        };
    }

    /// Takes in what the server says.
    pub fn apply(&mut self, message: ServerMessage) -> News {
        self.last_seq = self.last_seq.max(event_seq(&message));
        match message {
            ServerMessage::Welcome { session, token, .. } => {
                self.session = Some(session);
                self.token = Some(token);
                News::Welcome
            }
            ServerMessage::Ack { id, seq } | ServerMessage::Message { id, seq, .. } => {
                self.taken(id, seq)
            }
            ServerMessage::Queue { turn, place } => News::Waiting { turn, place },
            ServerMessage::Thinking { .. } => News::Thinking,
            ServerMessage::AnswerStarted { turn, .. } => {
                self.writing(turn);
                News::Started { turn }
            }
            ServerMessage::AnswerDelta { turn, offset, text } => self.merge(turn, offset, &text),
            ServerMessage::AnswerWithheld { turn, reason } => News::Withheld { turn, reason },
            ServerMessage::AnswerDone { turn, text, citations, confidence, usage, end, .. } => {
                self.answer.take_if(|answer| answer.turn == turn);
                News::Done(Answer { turn, text, citations, confidence, usage, end })
            }
            ServerMessage::HumanRequested { .. } => News::PersonAsked,
            ServerMessage::Handoff { .. } => News::Nothing,
            ServerMessage::HumanQueue { place, available: true, .. } => {
                News::Person(format!("you are number {place} in the line for a person"))
            }
            ServerMessage::HumanQueue { contact, .. } => {
                let instead = contact.map_or(String::new(), |contact| {
                    format!("; you can also reach us at {contact}")
                });
                News::Person(format!("nobody is there right now; you stay in the line{instead}"))
            }
            ServerMessage::AgentJoined { name, .. } => {
                News::Person(format!("{name} has joined and answers from now on"))
            }
            ServerMessage::AgentLeft { name, waiting: true, .. } => {
                News::Person(format!("{name} has left; you are in the line for another person"))
            }
            ServerMessage::AgentLeft { name, .. } => {
                News::Person(format!("{name} has left; the assistant answers again"))
            }
            ServerMessage::AgentMessage { name, text, .. } => {
                News::Person(format!("{name}: {text}"))
            }
            ServerMessage::Ended { reason, .. } => {
                self.ended = true;
                News::Ended { reason }
            }
            ServerMessage::Error { code, message, retry_after_ms, id } => {
                // A restarting server didn't take the message; the next one will.
                if code != ErrorCode::Draining && code != ErrorCode::SessionEnded {
                    self.unsent.retain(|(unsent, _)| Some(unsent) != id.as_ref());
                }
                News::Refused { code, message, retry_after_ms, id }
            }
            // A terminal shows no cards.
            ServerMessage::AnswerCitation { .. }
            | ServerMessage::AgentTyping { .. }
            | ServerMessage::FeedbackReceived { .. }
            | ServerMessage::Forgotten {}
            | ServerMessage::Recommendation { .. } => News::Nothing,
        }
    }

    fn taken(&mut self, id: String, turn: u64) -> News {
        let before = self.unsent.len();
        self.unsent.retain(|(unsent, _)| *unsent != id);
        if self.unsent.len() < before { News::Taken { id, turn } } else { News::Nothing }
    }

    fn writing(&mut self, turn: u64) -> &mut Writing {
        self.answer.take_if(|answer| answer.turn != turn);
        self.answer.get_or_insert_with(|| Writing { turn, text: String::new(), chars: 0 })
    }

    /// Cuts the text at `offset` and appends, so that a delta that arrives twice changes nothing.
    fn merge(&mut self, turn: u64, offset: u64, new: &str) -> News {
        let answer = self.writing(turn);
        if offset > answer.chars {
            return News::Gap;
        }
        if offset < answer.chars {
            let kept = usize::try_from(offset).unwrap_or(usize::MAX);
            let cut = answer.text.char_indices().nth(kept).map_or(answer.text.len(), |(at, _)| at);
            answer.text.truncate(cut);
        }
        answer.text.push_str(new);
        answer.chars = offset + new.chars().count() as u64;
        News::Text { turn, text: answer.text.clone() }
    }
}

/// The `seq` of an event; 0 for what is none.
fn event_seq(message: &ServerMessage) -> u64 {
    match *message {
        ServerMessage::Message { seq, .. }
        | ServerMessage::AnswerStarted { seq, .. }
        | ServerMessage::AnswerDone { seq, .. }
        | ServerMessage::HumanRequested { seq, .. }
        | ServerMessage::Handoff { seq, .. }
        | ServerMessage::AgentJoined { seq, .. }
        | ServerMessage::AgentLeft { seq, .. }
        | ServerMessage::AgentMessage { seq, .. }
        | ServerMessage::FeedbackReceived { seq, .. }
        | ServerMessage::Ended { seq, .. } => seq,
        ServerMessage::Welcome { .. }
        | ServerMessage::Ack { .. }
        | ServerMessage::Queue { .. }
        | ServerMessage::Thinking { .. }
        | ServerMessage::AnswerDelta { .. }
        | ServerMessage::AnswerCitation { .. }
        | ServerMessage::AnswerWithheld { .. }
        | ServerMessage::AgentTyping { .. }
        | ServerMessage::Forgotten {}
        | ServerMessage::HumanQueue { .. }
        | ServerMessage::Recommendation { .. }
        | ServerMessage::Error { .. } => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> Conversation {
        let mut conversation = Conversation::new("shop".into(), None);
        conversation.apply(ServerMessage::Welcome {
            session: "s".into(),
            token: "t".into(),
            last_seq: 0,
            available: None,
        });
        conversation
    }

    fn done(turn: u64, seq: u64, text: &str) -> ServerMessage {
        let (citations, usage, end) = (Vec::new(), Usage::default(), AnswerEnd::Complete);
        ServerMessage::AnswerDone {
            turn,
            seq,
            at_ms: 0,
            text: text.into(),
            citations,
            confidence: 1.0,
            usage,
            end,
        }
    }

    fn check_merge(deltas: &[(u64, &str)], expected: &str, partial: u64) {
        let mut conversation = open();
        let mut text = String::new();
        for &(offset, new) in deltas {
            match conversation.apply(ServerMessage::AnswerDelta {
                turn: 2,
                offset,
                text: new.into(),
            }) {
                News::Text { text: all, .. } => text = all,
                news => text = format!("{news:?}"),
            }
        }
        assert_eq!(text, expected, "{deltas:?}");
        let ClientMessage::Hello { partial: found, .. } = conversation.hello() else {
            panic!("no hello")
        };
        assert_eq!(found, Some(Partial { turn: 2, offset: partial }), "{deltas:?}");
    }

    #[test]
    fn deltas_merge_by_scalar_values_and_twice_is_once() {
        check_merge(&[(0, "Hé"), (2, "llo")], "Héllo", 5);
        check_merge(&[(0, "Hé"), (2, "llo"), (2, "llo")], "Héllo", 5);
        check_merge(&[(0, "🏕️ 家"), (4, "!")], "🏕️ 家!", 5);
        // After a crash the server goes on from its last checkpoint, and may say something else.
        check_merge(&[(0, "Half an answ"), (7, "")], "Half an", 7);
        check_merge(&[(0, "Half an answ"), (7, " hour")], "Half an hour", 12);
        check_merge(&[(0, "Half"), (5, "lost")], "Gap", 4);
    }

    fn check_last_seq(messages: &[ServerMessage], expected: u64) {
        let mut conversation = open();
        for message in messages {
            conversation.apply(message.clone());
        }
        assert_eq!(conversation.last_seq, expected, "{messages:?}");
    }

    #[test]
    fn only_events_move_last_seq() {
        check_last_seq(&[ServerMessage::Ack { id: "a".into(), seq: 5 }], 0);
        check_last_seq(
            &[
                ServerMessage::Ack { id: "a".into(), seq: 2 },
                ServerMessage::AnswerStarted { turn: 2, seq: 3, at_ms: 0 },
            ],
            3,
        );
        check_last_seq(
            &[
                done(2, 4, "yes"),
                ServerMessage::Message { id: "a".into(), seq: 2, at_ms: 0, text: "?".into() },
            ],
            4,
        );
    }

    fn check_unsent(answers: &[ServerMessage], expected: &[&str]) {
        let mut conversation = open();
        conversation.say("a".into(), "one".into());
        conversation.say("b".into(), "two".into());
        for answer in answers {
            conversation.apply(answer.clone());
        }
        let unsent: Vec<ClientMessage> = conversation.unacknowledged().collect();
        let expected: Vec<ClientMessage> = expected
            .iter()
            .map(|id| ClientMessage::Message {
                id: (*id).into(),
                text: if *id == "a" { "one" } else { "two" }.into(),
            })
            .collect();
        assert_eq!(unsent, expected, "{answers:?}");
    }

    fn refusal(code: ErrorCode, id: &str) -> ServerMessage {
        ServerMessage::Error {
            code,
            message: String::new(),
            retry_after_ms: None,
            id: Some(id.into()),
        }
    }

    #[test]
    fn a_message_is_sent_again_until_it_is_taken_or_refused() {
        check_unsent(&[], &["a", "b"]);
        check_unsent(&[ServerMessage::Ack { id: "a".into(), seq: 2 }], &["b"]);
        // The acknowledgement was lost with the connection; the replay stands for it.
        check_unsent(
            &[ServerMessage::Message { id: "b".into(), seq: 2, at_ms: 0, text: "two".into() }],
            &["a"],
        );
        check_unsent(&[refusal(ErrorCode::RateLimited, "b")], &["a"]);
        check_unsent(&[refusal(ErrorCode::Draining, "b")], &["a", "b"]);
        check_unsent(&[refusal(ErrorCode::SessionEnded, "a")], &["a", "b"]);
    }

    #[test]
    fn an_answer_that_ended_is_not_asked_for_again() {
        let mut conversation = open();
        conversation.apply(ServerMessage::AnswerDelta { turn: 2, offset: 0, text: "yes".into() });
        assert_eq!(conversation.running(), Some(2));
        conversation.apply(done(2, 4, "yes"));
        assert_eq!(conversation.running(), None);
        let token = Some("t".to_owned());
        let resumed = ClientMessage::Hello {
            site: "shop".into(),
            token: token.clone(),
            session: Some("s".into()),
            last_seq: 4,
            partial: None,
            source: None,
            attributes: None,
            language: None,
        };
        assert_eq!(conversation.hello(), resumed);
        conversation.leave();
        let anew = ClientMessage::Hello {
            site: "shop".into(),
            token,
            session: None,
            last_seq: 0,
            partial: None,
            source: None,
            attributes: None,
            language: None,
        };
        assert_eq!(conversation.hello(), anew);
    }
}
