//! Any other system, over webhooks signed as Standard Webhooks says, both ways. Pure.
//!
//! In: `{"type": "message.created", "data": {"conversation", "user", "message", "text", "attachments"}}`; also
//! `message.edited`, `message.deleted`, `answer.stopped`, `conversation.left`, `conversation.returned`. The header
//! `webhook-id` is the event's key. Out: `{"type": "reply.created", "timestamp", "data": {"conversation", "reply", "text",
//! "plain"}}`, where `text` is Markdown and `reply` the same for every try.

use serde::Deserialize;
use serde_json::{Value, json};

use super::event::{Answered, Attachment, Batch, Body, Call, Incoming, Outcome, What};
use super::signature::sign_standard;
use super::text::Rich;

#[derive(Deserialize)]
struct Data {
    conversation: String,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    text: String,
    #[serde(default)]
    attachments: Vec<Attachment>,
}

/// What a webhook holds. `key` is its `webhook-id`.
#[must_use]
pub(super) fn read(body: &Value, key: &str) -> Batch {
    let mut batch = Batch::default();
    let Ok(data) = Data::deserialize(&body["data"]) else {
        batch.skipped.push("data without a conversation");
        return batch;
    };
    let message = data.message.unwrap_or_else(|| key.to_owned());
    let what = match body["type"].as_str().unwrap_or_default() {
        "message.created" if data.text.trim().is_empty() && data.attachments.is_empty() => {
            batch.skipped.push("an empty message");
            return batch;
        }
        "message.created" => What::Said { message, text: data.text, attachments: data.attachments },
        "message.edited" => What::Edited { message, text: data.text },
        "message.deleted" => What::Deleted { message },
        "answer.stopped" => What::Stopped,
        "conversation.left" => What::Left,
        "conversation.returned" => What::Returned,
        _ => {
            batch.skipped.push("another type of event");
            return batch;
        }
    };
    let user = data.user.unwrap_or_else(|| data.conversation.clone());
    batch.events.push(Incoming { key: key.to_owned(), chat: data.conversation, user, at_ms: 0, what });
    batch
}

/// A reply, signed. `id` is the same for every try; `now_s` is of this one.
#[must_use]
pub(super) fn send(secret: &str, chat: &str, part: &Rich, markdown: &str, id: &str, now_s: u64) -> Option<Call> {
    let body = json!({
        "type": "reply.created",
        "timestamp": now_s,
        "data": { "conversation": chat, "reply": id, "text": markdown, "plain": part.plain() },
    });
    let at = now_s.to_string();
    let bytes = serde_json::to_vec(&body).ok()?;
    let signature = sign_standard(secret, id, &at, &bytes)?;
    let headers = vec![
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", at),
        ("webhook-signature", format!("v1,{signature}")),
    ];
    Some(Call { path: String::new(), headers, body: Body::Json(body) })
}

#[must_use]
pub(super) fn judge(answered: Answered<'_>) -> Outcome {
    let why = format!("the receiver answered with status {}", answered.status);
    match answered.status {
        // A redirect isn't followed: it would carry the conversation to an address that nobody configured.
        300..=399 => Outcome::Refused { why },
        _ => answered.by_status(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_every_type() {
        let what = |kind: &str, more: Value| {
            let mut data = json!({ "conversation": "c1" });
            data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            read(&json!({ "type": kind, "data": data }), "msg_1").events.pop().map(|event| event.what)
        };
        let said = What::Said { message: "m1".into(), text: "hi".into(), attachments: Vec::new() };
        assert_eq!(what("message.created", json!({ "message": "m1", "text": "hi" })), Some(said));
        assert_eq!(what("message.deleted", json!({})), Some(What::Deleted { message: "msg_1".into() }));
        assert_eq!(what("answer.stopped", json!({})), Some(What::Stopped));
        assert_eq!(what("message.created", json!({ "text": " " })), None);
        assert_eq!(what("invoice.paid", json!({})), None);
        assert!(read(&json!({ "type": "message.created", "data": [] }), "msg_1").events.is_empty());
    }
}
