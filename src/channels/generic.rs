//! Any other system, over webhooks signed as Standard Webhooks says, both ways. Pure.
//!
//! In: `{"type": "message.created", "data": {"conversation", "user", "message", "text", "attachments"}}`; also
//! `message.edited`, `message.deleted`, `answer.stopped`, `conversation.left`, `conversation.returned`,
//! `conversation.held`, `conversation.released`. The header `webhook-id` is the event's key. Out: `{"type": "reply.created", "timestamp", "data": {"conversation", "reply", "text",
//! "plain"}}`, where `text` is Markdown and `reply` the same for every try.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::event::{Answered, Attachment, Batch, Body, Call, Incoming, Outcome, What};
use super::signature::form;
use super::text::Rich;
use crate::secret::webhook::WebhookKey;

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
        "conversation.held" => What::Held,
        "conversation.released" => What::Released,
        _ => {
            batch.skipped.push("another type of event");
            return batch;
        }
    };
    let user = data.user.unwrap_or_else(|| data.conversation.clone());
    batch.events.push(Incoming::new(key, data.conversation, user, what));
    batch
}

/// What a webhook of a system holds that has a body of its own: a message, where `fields` says.
#[must_use]
pub(super) fn read_fields(body: &Value, key: &str, fields: &BTreeMap<String, String>) -> Batch {
    let mut batch = Batch::default();
    let value = |field: &str| match body.pointer(fields.get(field)?)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let (Some(chat), Some(text)) = (value("conversation"), value("text").filter(|text| !text.trim().is_empty())) else {
        batch.skipped.push("no conversation or text where `fields` says");
        return batch;
    };
    let user = value("user").unwrap_or_else(|| chat.clone());
    let message = value("message").unwrap_or_else(|| key.to_owned());
    let what = What::Said { message, text, attachments: Vec::new() };
    batch.events.push(Incoming::new(key, chat, user, what));
    batch
}

/// A form as an object of its fields; the first of a name counts.
#[must_use]
pub(super) fn object_of_form(bytes: &[u8]) -> Value {
    let mut object = serde_json::Map::new();
    for (name, value) in form(bytes) {
        object.entry(name).or_insert(Value::String(value));
    }
    Value::Object(object)
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
    let signature = WebhookKey::parse(secret)?.sign(id, &at, &bytes);
    let headers = vec![("webhook-id", id.to_owned()), ("webhook-timestamp", at), ("webhook-signature", signature)];
    Some(Call::post("", headers, Body::Json(body)))
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

    #[test]
    fn bodies_of_other_systems_are_read_where_fields_say() {
        let fields = [("conversation", "/ticket/id"), ("text", "/last/body"), ("user", "/user")]
            .map(|(field, pointer)| (field.to_owned(), pointer.to_owned()));
        let read = |body: Value| read_fields(&body, "k", &BTreeMap::from(fields.clone()));
        let batch = read(json!({ "ticket": { "id": 47 }, "last": { "body": "hi" }, "user": "ann" }));
        let event = &batch.events[0];
        assert_eq!((event.chat.as_str(), event.user.as_str(), event.key.as_str()), ("47", "ann", "k"));
        for empty in
            [json!([]), json!({ "ticket": { "id": 47 } }), json!({ "ticket": { "id": {} }, "last": { "body": "hi" } })]
        {
            assert!(read(empty).events.is_empty());
        }
        assert_eq!(object_of_form(b"a=1&b=x%20y&a=2"), json!({ "a": "1", "b": "x y" }));
    }
}
