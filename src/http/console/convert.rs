//! Session events and updates as the console's protocol has them.

use crate::conversation::{Citation, DELETED, Event};
use crate::intent::Intent;
use crate::protocol::console::{ConsoleServer, Entry, IntentReason, Suggestion, What};
use crate::protocol::parts::{Decision, HandoffReason, Rating};
use crate::session::Update;
use crate::session::mailbox::Past;

/// An event as consoles see it; `None` for what this build doesn't know.
pub(super) fn entry(Past { seq, at_ms, event }: Past) -> Option<Entry> {
    Some(Entry { seq, at_ms, what: what(event)? })
}

fn what(event: Event) -> Option<What> {
    let sent = |citations: Vec<Citation>| citations.into_iter().map(Into::into).collect();
    Some(match event {
        Event::Started { visitor, channel } => What::Started { visitor, channel },
        Event::Said { id, text } => What::Message { id, text },
        Event::Deleted { id } => What::Message { id, text: DELETED.to_owned() },
        Event::AnswerStarted { turn } => What::AnswerStarted { turn },
        Event::AnswerDone { turn, text, citations, confidence, end, withheld, .. } => {
            What::AnswerDone {
                turn,
                text,
                citations: sent(citations),
                confidence,
                end: end.into(),
                withheld,
            }
        }
        Event::HumanRequested {} => What::HumanRequested {},
        Event::Handoff { reason } => What::Handoff { reason: HandoffReason::known(reason)? },
        Event::AgentJoined { agent, by } => What::AgentJoined { agent: agent.into(), by },
        Event::AgentLeft { agent, to, reason } => {
            What::AgentLeft { agent: agent.into(), to: to.into(), reason: reason.into() }
        }
        Event::AgentSaid { id, agent, text, suggestion } => What::AgentMessage {
            id,
            agent: agent.into(),
            text,
            suggestion: suggestion.map(Into::into),
        },
        Event::Note { id, agent, text } => What::Note { id, agent: agent.into(), text },
        Event::SuggestionMade {
            id,
            wish,
            text,
            citations,
            confidence,
            end,
            withheld,
            note,
            ..
        } => What::SuggestionDone(Suggestion {
            id: id.into(),
            wish: wish.into(),
            text,
            citations: sent(citations),
            confidence,
            end: end.into(),
            withheld,
            note: note.map(Into::into),
        }),
        Event::SuggestionDecided { id, agent, decision, distance, reason } => {
            What::SuggestionDecided {
                suggestion: id.into(),
                agent: agent.into(),
                decision: Decision::known(decision)?,
                distance,
                reason,
            }
        }
        Event::Feedback { turn, rating, text } => {
            What::Feedback { turn, rating: Rating::known(rating)?, text }
        }
        Event::Ended { reason } => What::Ended { reason },
        Event::Unknown => return None,
    })
}

/// What a console that watches is told of an update; `None` for what is for visitors alone.
pub(super) fn frame(session: &str, update: &Update) -> Option<ConsoleServer> {
    let session = session.to_owned();
    Some(match update.clone() {
        Update::Event { seq, at_ms, event } => {
            ConsoleServer::Event { session, entry: entry(Past { seq, at_ms, event })? }
        }
        Update::Queued { turn, place } => ConsoleServer::Queue { session, turn, place },
        Update::Thinking { turn } => ConsoleServer::Thinking { session, turn },
        Update::Delta { turn, offset, text } => {
            ConsoleServer::AnswerDelta { session, turn, offset, text }
        }
        Update::Citation { turn, citation } => {
            ConsoleServer::AnswerCitation { session, turn, citation: citation.into() }
        }
        Update::Withheld { turn, reason } => {
            ConsoleServer::AnswerWithheld { session, turn, reason }
        }
        Update::DraftStarted { id, wish } => {
            ConsoleServer::SuggestionStarted { session, suggestion: id.into(), wish: wish.into() }
        }
        Update::DraftDelta { id, offset, text } => {
            ConsoleServer::SuggestionDelta { session, suggestion: id.into(), offset, text }
        }
        Update::DraftCitation { id, citation } => ConsoleServer::SuggestionCitation {
            session,
            suggestion: id.into(),
            citation: citation.into(),
        },
        Update::DraftStopped { id, why } => {
            ConsoleServer::SuggestionStopped { session, suggestion: id.into(), why }
        }
        Update::Intent(intent) => {
            ConsoleServer::Intent { session, intent: intent.score, reasons: reasons(&intent) }
        }
        Update::VisitorTyping => ConsoleServer::Typing { session },
        Update::Lost => ConsoleServer::Lost { session },
        Update::Waiting { .. } | Update::AgentTyping { .. } => return None,
    })
}

pub(super) fn reasons(intent: &Intent) -> Vec<IntentReason> {
    let reason = |reason: &crate::intent::Reason| IntentReason {
        signal: reason.signal.clone().into_owned(),
        count: reason.count,
        value: reason.value.clone(),
        weight: reason.weight,
    };
    intent.reasons.iter().map(reason).collect()
}
