//! What goes over sockets: version 1 of the visitor protocol.
//!
//! JSON text frames over one WebSocket at `/v1/chat`, told apart by `type`. The first client frame
//! is `hello`. Offsets and lengths count Unicode scalar values, so that every language can merge a
//! delta the same way: cut your text at `offset`, append `text`. Applying a delta twice changes
//! nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::parts::{AnswerEnd, Attributes, Citation, Rating, Source, Usage};

pub mod console;
pub mod parts;

/// Longest message text a visitor may send, in Unicode scalar values.
pub const MAX_MESSAGE_CHARS: usize = 4_000;
/// What a client may send.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ClientMessage {
    /// The first frame. Without `session` a new conversation begins; with `session`, `token` and
    /// `last_seq` one is resumed.
    Hello {
        site: String,
        /// The token of an earlier `welcome`, or a JWT that the site signed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<String>,
        /// The highest `seq` the client has seen; 0 asks for everything.
        #[serde(default)]
        last_seq: u64,
        /// The answer that was being received when the connection broke, and how much of it
        /// arrived.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        partial: Option<Partial>,
        /// Where the visitor came from; counts in a new conversation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<Box<Source>>,
        /// What the site knows of the visitor and the visitor agreed to have used.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attributes: Option<Attributes>,
        /// Language of the page that the chat is on, as its `lang` says ("de-AT"); what is too
        /// short to tell is taken for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        language: Option<String>,
    },
    /// Something the visitor says. Sending the same `id` again is harmless: it is acknowledged
    /// again.
    Message { id: String, text: String },
    /// The visitor is typing: agents are shown that, for 6 s. With `text`, what an answer to it
    /// would need is computed ahead; nobody is shown it. Neither is stored. Say it again every 3 s
    /// while it goes on; more often is passed over.
    Typing {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    /// Stop the answer `turn` at the next token.
    Cancel { turn: u64 },
    /// The visitor wants a person.
    Human {},
    /// What the visitor thinks of an answer.
    Feedback {
        turn: u64,
        rating: Rating,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    /// The visitor opened a recommended product.
    #[serde(rename = "recommendation.click")]
    RecommendationClick { id: String },
    /// The visitor ends the conversation; with `session` an earlier one of theirs, which they could
    /// not end while they were not connected. One that is over, unknown or somebody else's is
    /// passed over.
    End {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<String>,
    },
    /// The visitor wants this conversation erased, with everything made from it. `also` names
    /// earlier conversations of the same visitor, at most 32; others are passed over.
    Forget {
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        also: Vec<String>,
    },
}

/// A product that fits the conversation. It is in stock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Card {
    pub id: String,
    pub name: String,
    /// The variants in stock, in words; the cheapest alone where they are many, empty where there
    /// is only one.
    pub variant: String,
    /// Of the cheapest in stock.
    pub price: f64,
    /// Of the dearest in stock, where it costs more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_to: Option<f64>,
    pub currency: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Why it is shown, for the visitor.
    pub reason: String,
}

/// How much of a running answer a resuming client already has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Partial {
    pub turn: u64,
    /// Unicode scalar values received.
    pub offset: u64,
}

/// What the server sends. What has a `seq` and stands in the conversation's log says when it was
/// stored: `at_ms`, in milliseconds since the epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum ServerMessage {
    /// The conversation is open. `token` is to be kept and shown when resuming.
    #[serde(rename = "welcome")]
    Welcome {
        session: String,
        token: String,
        last_seq: u64,
        /// On sites where people answer: whether somebody who takes conversations is there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        available: Option<bool>,
    },
    /// The message is on disk.
    #[serde(rename = "ack")]
    Ack { id: String, seq: u64 },
    /// What the visitor said, for other tabs and after a resume.
    #[serde(rename = "message")]
    Message {
        id: String,
        seq: u64,
        #[serde(default)]
        at_ms: u64,
        text: String,
    },
    /// The answer waits; `place` counts from 1.
    #[serde(rename = "queue")]
    Queue { turn: u64, place: usize },
    /// The model thinks before it answers; what it thinks isn't shown.
    #[serde(rename = "thinking")]
    Thinking { turn: u64 },
    /// The answer to the message with seq `turn` begins.
    #[serde(rename = "answer.started")]
    AnswerStarted {
        turn: u64,
        seq: u64,
        #[serde(default)]
        at_ms: u64,
    },
    /// More of the answer: its text from `offset` on.
    #[serde(rename = "answer.delta")]
    AnswerDelta { turn: u64, offset: u64, text: String },
    /// A source of the running answer.
    #[serde(rename = "answer.citation")]
    AnswerCitation { turn: u64, citation: Citation },
    /// A sentence was not sent because the sources don't support it.
    #[serde(rename = "answer.withheld")]
    AnswerWithheld { turn: u64, reason: String },
    /// The answer ended; `text` is all of it.
    #[serde(rename = "answer.done")]
    AnswerDone {
        turn: u64,
        seq: u64,
        #[serde(default)]
        at_ms: u64,
        text: String,
        citations: Vec<Citation>,
        /// How likely the answer is right, 0…1.
        confidence: f32,
        usage: Usage,
        end: AnswerEnd,
    },
    /// The visitor's wish for a person is recorded.
    #[serde(rename = "human.requested")]
    HumanRequested {
        seq: u64,
        #[serde(default)]
        at_ms: u64,
    },
    /// A person was called.
    #[serde(rename = "handoff")]
    Handoff {
        seq: u64,
        #[serde(default)]
        at_ms: u64,
    },
    /// The conversation waits for a person; sent whenever one of these changes.
    #[serde(rename = "human.queue")]
    HumanQueue {
        /// Place in the line, from 1.
        place: usize,
        /// Whether an agent who takes conversations is there now.
        available: bool,
        /// How else a person can be reached.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        contact: Option<String>,
    },
    /// A person answers from now on.
    #[serde(rename = "agent.joined")]
    AgentJoined {
        seq: u64,
        #[serde(default)]
        at_ms: u64,
        name: String,
    },
    /// The person left. The conversation waits for another one, or the assistant answers again.
    #[serde(rename = "agent.left")]
    AgentLeft {
        seq: u64,
        #[serde(default)]
        at_ms: u64,
        name: String,
        waiting: bool,
    },
    /// A person says something.
    #[serde(rename = "agent.message")]
    AgentMessage {
        seq: u64,
        #[serde(default)]
        at_ms: u64,
        id: String,
        text: String,
        name: String,
    },
    /// The person is typing. Show it for 6 s, unless it comes again or a message, `agent.left` or
    /// `ended` comes first.
    #[serde(rename = "agent.typing")]
    AgentTyping { name: String },
    /// The feedback is recorded.
    #[serde(rename = "feedback.received")]
    FeedbackReceived {
        seq: u64,
        #[serde(default)]
        at_ms: u64,
        turn: u64,
        rating: Rating,
    },
    /// Products that fit what the visitor said, after an answer, where the site's rule allows it.
    #[serde(rename = "recommendation")]
    Recommendation { turn: u64, products: Vec<Card> },
    /// The conversation is over.
    #[serde(rename = "ended")]
    Ended {
        seq: u64,
        #[serde(default)]
        at_ms: u64,
        reason: String,
    },
    /// The conversations are erased; the connection closes.
    #[serde(rename = "forgotten")]
    Forgotten {},
    /// Something was refused; the connection stays open unless a close frame follows.
    #[serde(rename = "error")]
    Error {
        code: ErrorCode,
        message: String,
        /// When trying again may help.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
        /// The client's message that was refused, if it was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
}

/// What went wrong, for programs; the message is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The frame is no message of this protocol.
    BadMessage,
    /// The first frame was not `hello`, or came too late.
    HelloExpected,
    /// Frame or text too long.
    TooLarge,
    /// The token is wrong, expired or belongs elsewhere.
    Unauthorized,
    /// The password is right, and a code of the authenticator app is needed besides.
    CodeRequired,
    /// The page's origin is not allowed for this site.
    OriginRefused,
    /// No such site.
    UnknownSite,
    /// No such session, or it was forgotten.
    UnknownSession,
    /// The session is over.
    SessionEnded,
    /// No such turn, or it is over.
    UnknownTurn,
    /// No such agent.
    UnknownAgent,
    /// Nothing of this name is here.
    NotFound,
    /// Signed in, but not allowed to do this.
    Forbidden,
    /// Another agent holds the conversation.
    Held,
    /// The name is taken.
    Conflict,
    /// More messages than allowed in this time.
    RateLimited,
    /// Every place in line is taken.
    Overloaded,
    /// The client reads too slowly; reconnect and resume.
    TooSlow,
    /// The server restarts; reconnect and resume.
    Draining,
    /// The conversation can't be stored now; the message was not taken.
    StorageFailed,
    /// The answer could not be made.
    AnswerFailed,
}

/// The protocol's JSON Schema, generated from the types.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    serde_json::json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Frontdesk visitor protocol, version 1",
        "oneOf": [{ "$ref": "#/$defs/ClientMessage" }, { "$ref": "#/$defs/ServerMessage" }],
        "$defs": defs(),
    })
}

/// The protocol as AsyncAPI 3.0: one channel, what the client sends and what it receives.
#[must_use]
pub fn asyncapi() -> serde_json::Value {
    serde_json::json!({
        "asyncapi": "3.0.0",
        "info": { "title": "Frontdesk visitor protocol", "version": "1", "license": { "name": "Apache-2.0" } },
        "defaultContentType": "application/json",
        "channels": { "chat": {
            "address": "/v1/chat",
            "messages": {
                "client": { "payload": { "$ref": "#/components/schemas/ClientMessage" } },
                "server": { "payload": { "$ref": "#/components/schemas/ServerMessage" } },
            },
        } },
        "operations": {
            "receiveFromClient": { "action": "receive", "channel": { "$ref": "#/channels/chat" },
                "messages": [{ "$ref": "#/channels/chat/messages/client" }] },
            "sendToClient": { "action": "send", "channel": { "$ref": "#/channels/chat" },
                "messages": [{ "$ref": "#/channels/chat/messages/server" }] },
        },
        "components": { "schemas": serde_json::from_str::<serde_json::Value>(
            &defs().to_string().replace("#/$defs/", "#/components/schemas/")).unwrap_or_default() },
    })
}

fn defs() -> serde_json::Value {
    let mut generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
    generator.subschema_for::<ClientMessage>();
    generator.subschema_for::<ServerMessage>();
    serde_json::Value::Object(generator.take_definitions(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: &ClientMessage) {
        assert_eq!(&serde_json::from_str::<ClientMessage>(json).unwrap(), expected, "{json}");
    }

    #[test]
    fn client_messages_read_as_documented() {
        check(
            r#"{"type":"hello","site":"shop"}"#,
            &ClientMessage::Hello {
                site: "shop".into(),
                token: None,
                session: None,
                last_seq: 0,
                partial: None,
                source: None,
                attributes: None,
                language: None,
            },
        );
        check(r#"{"type":"human"}"#, &ClientMessage::Human {});
        check(r#"{"type":"cancel","turn":7}"#, &ClientMessage::Cancel { turn: 7 });
    }

    #[test]
    fn unknown_types_and_fields_are_refused() {
        for json in [
            r#"{"type":"shout"}"#,
            r#"{"type":"cancel","turn":1,"x":2}"#,
            "[]",
            "null",
            r#"{"type":"cancel","turn":-1}"#,
        ] {
            assert!(serde_json::from_str::<ClientMessage>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn the_schemas_name_every_message() {
        for text in [json_schema().to_string(), asyncapi().to_string()] {
            for name in ["hello", "answer.delta", "answer.done", "retry_after_ms", "Citation"] {
                assert!(text.contains(name), "{name}");
            }
        }
    }
}
