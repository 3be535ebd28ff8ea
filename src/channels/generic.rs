//! Any other system, over webhooks signed as Standard Webhooks says, both ways. Pure.
//!
//! In: `{"type": "message.created", "data": {"conversation", "user", "message", "text",
//! "attachments"}}`; also `message.edited`, `message.deleted`, `answer.stopped`,
//! `conversation.left`, `conversation.returned`, `conversation.held`, `conversation.released`. The
//! header `webhook-id` is the event's key. Out: `{"type": "reply.created", "timestamp", "data":
//! {"conversation", "reply", "text", "plain", "choices", "products"}}`, where `text` is Markdown,
//! `reply` the same for every try, and `choices`, if there are any, what can be pressed: pressed, a
//! choice comes in as a message of that text. `products`, if any, stand in `text`, too.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::cards::{self, ProductCard};
use super::choices::{Choice, for_systems};
use super::event::{Answered, Attachment, Batch, Body, Call, Incoming, Outcome, What};
use super::signature::form;
use super::text::Rich;
use crate::secret::webhook::WebhookKey;

/// The types of events that are read.
const TYPES: [&str; 8] = [
    "message.created",
    "message.edited",
    "message.deleted",
    "answer.stopped",
    "conversation.left",
    "conversation.returned",
    "conversation.held",
    "conversation.released",
];

/// What a webhook holds. `key` is its `webhook-id`.
#[must_use]
pub(super) fn read(body: &Value, key: &str) -> Batch {
    let Some(kind) = body["type"].as_str() else {
        return Batch::unreadable(format!(
            "the body must be an object with a `type`: {}",
            TYPES.join(", ")
        ));
    };
    if !TYPES.contains(&kind) {
        return Batch { skipped: vec!["another type of event"], ..Batch::default() };
    }
    match event(kind, &body["data"], key) {
        Ok(event) => Batch { events: vec![event], ..Batch::default() },
        Err(why) => Batch::unreadable(why),
    }
}

/// Reads the data of an event of a known type; an error says to its sender what is wrong.
fn event(kind: &str, data: &Value, key: &str) -> Result<Incoming, String> {
    let chat = name(data, "conversation")?.ok_or("data.conversation is missing or empty")?;
    let user = name(data, "user")?.unwrap_or_else(|| chat.clone());
    let message = name(data, "message")?.unwrap_or_else(|| key.to_owned());
    let text = match &data["text"] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        _ => return Err("data.text must be a text".into()),
    };
    let attachments: Vec<Attachment> = match &data["attachments"] {
        Value::Null => Vec::new(),
        list => Vec::deserialize(list)
            .map_err(|_| "data.attachments must be a list of objects with `kind`, and `name` and `bytes` if known")?
            .into_iter()
            .map(Attachment::of_known_kind)
            .collect(),
    };
    let what = match kind {
        "message.created" if text.trim().is_empty() && attachments.is_empty() => {
            return Err("data.text is missing or empty, and there are no attachments".into());
        }
        "message.created" => What::Said { message, text, attachments },
        "message.edited" => What::Edited { message, text },
        "message.deleted" => What::Deleted { message },
        "answer.stopped" => What::Stopped,
        "conversation.left" => What::Left,
        "conversation.returned" => What::Returned,
        "conversation.held" => What::Held,
        _ => What::Released,
    };
    Ok(Incoming::new(key, chat, user, what))
}

/// What names a conversation, a person or a message: a text, or an integer as many systems number
/// them. `None` if there is none.
fn name(data: &Value, field: &str) -> Result<Option<String>, String> {
    match &data[field] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Value::Number(number) if number.is_i64() || number.is_u64() => Ok(Some(number.to_string())),
        _ => Err(format!("data.{field} must be a text or an integer")),
    }
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
    let (Some(chat), Some(text)) =
        (value("conversation"), value("text").filter(|text| !text.trim().is_empty()))
    else {
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

/// What a reply says.
#[derive(Clone, Copy)]
pub(super) struct Message<'a> {
    pub(super) part: &'a Rich,
    pub(super) markdown: &'a str,
    pub(super) choices: &'a [Choice],
    pub(super) cards: &'a [ProductCard],
}

/// A reply, signed. `id` is the same for every try; `now_s` is of this one.
#[must_use]
pub(super) fn send(
    secret: &str,
    chat: &str,
    message: &Message<'_>,
    id: &str,
    now_s: u64,
) -> Option<Call> {
    let Message { part, markdown, choices, cards } = *message;
    let mut body = json!({
        "type": "reply.created",
        "timestamp": now_s,
        "data": { "conversation": chat, "reply": id, "text": markdown, "plain": part.plain() },
    });
    if !cards.is_empty() {
        body["data"]["products"] = cards::for_systems(cards);
    }
    if !choices.is_empty() {
        body["data"]["choices"] = json!(for_systems(choices));
    }
    let at = now_s.to_string();
    let bytes = serde_json::to_vec(&body).ok()?;
    let signature = WebhookKey::parse(secret)?.sign(id, &at, &bytes);
    let headers = vec![
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", at),
        ("webhook-signature", signature),
    ];
    Some(Call::post("", headers, Body::Json(body)))
}

#[must_use]
pub(super) fn judge(answered: Answered<'_>) -> Outcome {
    let why = format!("the receiver answered with status {}", answered.status);
    match answered.status {
        // A redirect isn't followed: it would carry the conversation to an address that nobody
        // configured.
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
            read(&json!({ "type": kind, "data": data }), "msg_1")
                .events
                .pop()
                .map(|event| event.what)
        };
        let said = What::Said { message: "m1".into(), text: "hi".into(), attachments: Vec::new() };
        assert_eq!(what("message.created", json!({ "message": "m1", "text": "hi" })), Some(said));
        assert_eq!(
            what("message.deleted", json!({})),
            Some(What::Deleted { message: "msg_1".into() })
        );
        assert_eq!(what("answer.stopped", json!({})), Some(What::Stopped));
        assert_eq!(what("message.created", json!({ "text": " " })), None);
        assert_eq!(what("invoice.paid", json!({})), None);
        assert_eq!(what("conversation.released", json!({})), Some(What::Released));
        assert!(read(&json!({ "type": "message.created", "data": [] }), "msg_1").events.is_empty());
        assert!(TYPES.iter().all(|kind| what(kind, json!({ "text": "hi" })).is_some()));
    }

    #[test]
    fn what_cannot_be_read_says_why_and_numbers_are_names() {
        let read = |body: Value| read(&body, "msg_1");
        let created = |data: Value| read(json!({ "type": "message.created", "data": data }));
        for (batch, why) in [
            (read(Value::Null), "`type`"),
            (read(json!([])), "`type`"),
            (read(json!({ "data": { "conversation": "c" } })), "`type`"),
            (created(json!({ "text": "hi" })), "data.conversation"),
            (created(json!({ "conversation": "", "text": "hi" })), "data.conversation"),
            (created(json!({ "conversation": 1.5, "text": "hi" })), "data.conversation"),
            (created(json!({ "conversation": "c", "text": "  " })), "data.text"),
            (created(json!({ "conversation": "c", "text": 7 })), "data.text"),
            (
                created(json!({ "conversation": "c", "text": "hi", "attachments": "a" })),
                "data.attachments",
            ),
        ] {
            assert!(batch.events.is_empty() && batch.skipped.is_empty());
            assert!(
                batch.unreadable.as_deref().is_some_and(|told| told.contains(why)),
                "{why}: {batch:?}"
            );
        }
        let event = created(json!({ "conversation": 4711, "user": 7, "message": 3, "text": "hi" }))
            .events
            .remove(0);
        assert_eq!((event.chat.as_str(), event.user.as_str()), ("4711", "7"));
        assert!(matches!(event.what, What::Said { message, .. } if message == "3"));
        let unknown = read(json!({ "type": "invoice.paid" }));
        assert_eq!((unknown.skipped.len(), unknown.unreadable), (1, None));
    }

    #[test]
    fn bodies_of_other_systems_are_read_where_fields_say() {
        let fields = [("conversation", "/ticket/id"), ("text", "/last/body"), ("user", "/user")]
            .map(|(field, pointer)| (field.to_owned(), pointer.to_owned()));
        let read = |body: Value| read_fields(&body, "k", &BTreeMap::from(fields.clone()));
        let batch =
            read(json!({ "ticket": { "id": 47 }, "last": { "body": "hi" }, "user": "ann" }));
        let event = &batch.events[0];
        assert_eq!(
            (event.chat.as_str(), event.user.as_str(), event.key.as_str()),
            ("47", "ann", "k")
        );
        for empty in [
            json!([]),
            json!({ "ticket": { "id": 47 } }),
            json!({ "ticket": { "id": {} }, "last": { "body": "hi" } }),
        ] {
            assert!(read(empty).events.is_empty());
        }
        assert_eq!(object_of_form(b"a=1&b=x%20y&a=2"), json!({ "a": "1", "b": "x y" }));
    }
}
