//! LINE's Messaging API. Pure.

use serde_json::{Value, json};

use super::event::{Answered, Attachment, Batch, Body, Call, Incoming, Outcome, Verb, What};
use super::signature::hex;
use super::text::Rich;

/// What a webhook holds.
#[must_use]
pub(super) fn read(body: &Value) -> Batch {
    let mut batch = Batch::default();
    for event in body["events"].as_array().into_iter().flatten() {
        match incoming(event) {
            Ok(event) => batch.events.push(event),
            Err(why) => batch.skipped.push(why),
        }
    }
    batch
}

fn incoming(event: &Value) -> Result<Incoming, &'static str> {
    // Another module of the account answers.
    if event["mode"] == "standby" {
        return Err("another responder holds the conversation");
    }
    let source = &event["source"];
    let key = event["webhookEventId"].as_str().ok_or("no event id")?;
    let user = source["userId"].as_str();
    let chat = source["groupId"]
        .as_str()
        .or_else(|| source["roomId"].as_str())
        .or(user)
        .ok_or("nobody wrote it")?;
    let message = &event["message"];
    let id = message["id"].as_str().unwrap_or(key).to_owned();
    let what = match event["type"].as_str() {
        Some("message") => {
            let mut mentioned = message["mention"]["mentionees"].as_array().into_iter().flatten();
            if source["type"] != "user" && !mentioned.any(|mention| mention["isSelf"] == true) {
                return Err("said in a group, not to us");
            }
            let kind = match message["type"].as_str() {
                Some("text") => None,
                Some(kind @ ("image" | "video" | "audio" | "file" | "location" | "sticker")) => {
                    Some(kind)
                }
                _ => return Err("another type of message"),
            };
            let attachments = kind.map(|kind| Attachment {
                kind: kind.into(),
                name: message["fileName"].as_str().map(str::to_owned),
                bytes: message["fileSize"].as_u64(),
            });
            let text = message["text"].as_str().unwrap_or_default().to_owned();
            What::Said { message: id, text, attachments: attachments.into_iter().collect() }
        }
        Some("postback") => {
            let text = event["postback"]["data"].as_str().unwrap_or_default().to_owned();
            What::Said { message: id, text, attachments: Vec::new() }
        }
        Some("unsend") => What::Deleted {
            message: event["unsend"]["messageId"].as_str().unwrap_or_default().to_owned(),
        },
        Some("unfollow" | "leave") => What::Left,
        Some("follow" | "join") => What::Returned,
        _ => return Err("another type of event"),
    };
    let at_ms = event["timestamp"].as_u64().unwrap_or_default();
    // The token of an event that is delivered again may have been used or be too old.
    let again = event["deliveryContext"]["isRedelivery"] == true;
    let right = event["replyToken"].as_str().filter(|_| !again).map(str::to_owned);
    Ok(Incoming::new(key, chat, user.unwrap_or(chat), what).at(at_ms).with_right(right))
}

/// A message by the token of what it answers: free, once, and never tried again with the same key.
#[must_use]
pub(super) fn reply(token: &str, right: &str, part: &Rich) -> Call {
    let body =
        json!({ "replyToken": right, "messages": [{ "type": "text", "text": part.plain() }] });
    Call::post(
        "/v2/bot/message/reply",
        vec![("authorization", format!("Bearer {token}"))],
        Body::Json(body),
    )
}

/// A message, pushed: it counts against the month's quota. `id` is the same for every try, and LINE
/// takes it once.
#[must_use]
pub(super) fn send(token: &str, chat: &str, part: &Rich, id: &str) -> Call {
    let body = json!({ "to": chat, "messages": [{ "type": "text", "text": part.plain() }] });
    let headers =
        vec![("authorization", format!("Bearer {token}")), ("x-line-retry-key", uuid(id))];
    Call::post("/v2/bot/message/push", headers, Body::Json(body))
}

/// Who the token belongs to.
#[must_use]
pub(super) fn who(token: &str) -> Call {
    let headers = vec![("authorization", format!("Bearer {token}"))];
    Call { verb: Verb::Get, ..Call::post("/v2/bot/info", headers, Body::Empty) }
}

/// Where webhooks are to go.
#[must_use]
pub(super) fn register(token: &str, address: &str) -> Call {
    let headers = vec![("authorization", format!("Bearer {token}"))];
    let body = Body::Json(json!({ "endpoint": address }));
    Call { verb: Verb::Put, ..Call::post("/v2/bot/channel/webhook/endpoint", headers, body) }
}

/// Shows that an answer is being written, for 20 s, in chats with one person.
#[must_use]
pub(super) fn typing(token: &str, chat: &str) -> Call {
    let headers = vec![("authorization", format!("Bearer {token}"))];
    let body = json!({ "chatId": chat, "loadingSeconds": 20 });
    Call::post("/v2/bot/chat/loading/start", headers, Body::Json(body))
}

/// The retry key has to look like a UUID: it is made of the id, so that it is the same for every
/// try.
fn uuid(id: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, id.as_bytes());
    let hex = hex(&digest.as_ref()[..16]);
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

#[must_use]
pub(super) fn judge(answered: Answered<'_>) -> Outcome {
    let text = answered.body["message"].as_str();
    let why = text.map_or_else(|| format!("status {}", answered.status), str::to_owned);
    match answered.status {
        // It was taken by an earlier try.
        409 => Outcome::Sent(None),
        // 429 is a rate or the month's quota, and only the text tells them apart.
        429 if why.contains("monthly limit") => Outcome::Refused { why },
        403 => Outcome::Unauthorized { why },
        404 => Outcome::Closed { why },
        200..=299 => {
            Outcome::Sent(answered.body["sentMessages"][0]["id"].as_str().map(str::to_owned))
        }
        _ => answered.by_status(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_a_batch_each_by_itself() {
        let event = |id: &str, more: Value| {
            let mut event = json!({ "webhookEventId": id, "mode": "active", "timestamp": 5,
                "source": { "type": "user", "userId": "U1" } });
            event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            event
        };
        let text =
            json!({ "type": "message", "message": { "id": "1", "type": "text", "text": "hi" } });
        let group = json!({ "type": "message", "source": { "type": "group", "groupId": "C1", "userId": "U1" },
            "message": { "id": "2", "type": "text", "text": "hi all" } });
        let mut spoken_to = group.clone();
        spoken_to["message"]["mention"] = json!({ "mentionees": [{ "isSelf": true }] });
        let mut standby = text.clone();
        standby["mode"] = json!("standby");
        let batch = read(&json!({ "events": [
            event("a", text), event("b", group), event("c", spoken_to), event("d", standby),
            event("e", json!({ "type": "unsend", "unsend": { "messageId": "1" } })),
            event("f", json!({ "type": "unfollow" })), event("g", json!({ "type": "videoPlayComplete" })),
        ] }));
        let what: Vec<_> =
            batch.events.iter().map(|event| (event.chat.as_str(), &event.what)).collect();
        let said = |id: &str, text: &str| What::Said {
            message: id.into(),
            text: text.into(),
            attachments: vec![],
        };
        assert_eq!(
            what,
            [
                ("U1", &said("1", "hi")),
                ("C1", &said("2", "hi all")),
                ("U1", &What::Deleted { message: "1".into() }),
                ("U1", &What::Left),
            ]
        );
        assert_eq!(batch.skipped.len(), 3);
        assert_eq!(read(&json!({ "destination": "U8", "events": [] })), Batch::default());
    }

    #[test]
    fn tries_of_one_message_share_a_key_and_a_taken_one_is_sent() {
        let key = |id: &str| send("t", "U1", &Rich::default(), id).headers[1].1.clone();
        assert_eq!(key("s-1-0"), key("s-1-0"));
        assert_ne!(key("s-1-0"), key("s-1-1"));
        assert_eq!(key("s-1-0").len(), 36);
        let judged =
            |status, body: Value| judge(Answered { status, retry_after_s: None, body: &body });
        assert_eq!(judged(409, json!({})), Outcome::Sent(None));
        let quota = json!({ "message": "You have reached your monthly limit." });
        assert!(matches!(judged(429, quota), Outcome::Refused { .. }));
        assert!(matches!(judged(429, json!({})), Outcome::Later { .. }));
    }
}
