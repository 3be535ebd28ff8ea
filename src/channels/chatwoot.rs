//! An agent bot of Chatwoot: it answers while a conversation is `pending`; once it is opened,
//! people do. Pure.

use serde_json::{Value, json};

use super::event::{Answered, Batch, Body, Call, Incoming, Outcome, What};
use super::text::Rich;

/// What a webhook holds.
#[must_use]
pub(super) fn read(body: &Value) -> Batch {
    let mut batch = Batch::default();
    match event(body) {
        Ok(event) => {
            // The word that the conversation is ours again may come after the message that made it
            // so. One that tells no time says nothing of it: it may have been written before an
            // agent took over.
            if matches!(event.what, What::Said { .. }) && event.at_ms > 0 {
                let Incoming { key, chat, user, .. } = &event;
                let released = Incoming::new(format!("pending:{key}"), chat, user, What::Released);
                batch.events.push(released.at(event.at_ms));
            }
            batch.events.push(event);
        }
        Err(why) => batch.skipped.push(why),
    }
    batch
}

fn event(body: &Value) -> Result<Incoming, &'static str> {
    match body["event"].as_str() {
        Some("message_created") => {
            if body["message_type"] != "incoming" || body["private"] == true {
                return Err("our own message, or one among agents");
            }
            let conversation = &body["conversation"];
            if conversation["status"] != "pending" {
                return Err("another responder holds the conversation");
            }
            let chat =
                chat(&body["account"]["id"], &conversation["id"]).ok_or("no conversation")?;
            let message = body["id"].as_i64().ok_or("no message id")?.to_string();
            let text = body["content"].as_str().unwrap_or_default().to_owned();
            if text.trim().is_empty() {
                return Err("an empty message");
            }
            let user =
                body["sender"]["id"].as_i64().map_or_else(|| chat.clone(), |id| id.to_string());
            let what = What::Said { message: message.clone(), text, attachments: Vec::new() };
            Ok(Incoming::new(format!("message:{message}"), chat, user, what)
                .at(milliseconds(&conversation["updated_at"])))
        }
        Some("conversation_status_changed" | "conversation_updated") => {
            let chat = chat(&body["account"]["id"], &body["id"]).ok_or("no conversation")?;
            let status = body["status"].as_str().unwrap_or_default();
            let what = if status == "pending" { What::Released } else { What::Held };
            let key = format!("status:{chat}:{status}:{}", body["updated_at"]);
            Ok(Incoming::new(key, chat.clone(), chat, what).at(milliseconds(&body["updated_at"])))
        }
        _ => Err("another type of event"),
    }
}

/// Of a time in seconds since the Unix epoch; 0 if it is none.
fn milliseconds(seconds: &Value) -> u64 {
    let seconds =
        seconds.as_f64().filter(|seconds| (0.0..1e11).contains(seconds)).unwrap_or_default();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within bounds")]
    let milliseconds = (seconds * 1_000.0) as u64;
    milliseconds
}

/// `ACCOUNT/CONVERSATION`.
fn chat(account: &Value, conversation: &Value) -> Option<String> {
    Some(format!("{}/{}", account.as_i64()?, conversation.as_i64()?))
}

/// A message.
#[must_use]
pub(super) fn send(token: &str, chat: &str, part: &Rich, plain: bool) -> Call {
    let content = if plain { part.plain() } else { part.markdown() };
    call(token, chat, "messages", json!({ "content": content, "message_type": "outgoing" }))
}

/// Shows that an answer is being written.
#[must_use]
pub(super) fn typing(token: &str, chat: &str) -> Call {
    call(token, chat, "toggle_typing_status", json!({ "typing_status": "on" }))
}

fn call(token: &str, chat: &str, method: &str, body: Value) -> Call {
    let (account, conversation) = chat.split_once('/').unwrap_or_default();
    let path = format!("/api/v1/accounts/{account}/conversations/{conversation}/{method}");
    Call::post(path, vec![("api_access_token", token.to_owned())], Body::Json(body))
}

#[must_use]
pub(super) fn judge(answered: Answered<'_>) -> Outcome {
    let why = format!(
        "status {} {}",
        answered.status,
        answered.body["error"].as_str().unwrap_or_default()
    );
    match answered.status {
        404 => Outcome::Closed { why },
        200..=299 => Outcome::Sent(answered.body["id"].as_i64().map(|id| id.to_string())),
        _ => answered.by_status(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pending_conversations_are_answered() {
        let message = |status: &str, kind: &str| {
            json!({ "event": "message_created", "id": 98, "content": "hi", "message_type": kind,
                "conversation": { "id": 7, "status": status, "updated_at": 1_700_000_000.5 }, "account": { "id": 1 } })
        };
        let events = read(&message("pending", "incoming")).events;
        assert_eq!((events[0].chat.as_str(), &events[0].what), ("1/7", &What::Released));
        assert_eq!((events[0].at_ms, events[1].at_ms), (1_700_000_000_500, 1_700_000_000_500));
        let mut timeless = message("pending", "incoming");
        timeless["conversation"]["updated_at"] = Value::Null;
        assert_eq!(read(&timeless).events.len(), 1, "it releases nothing");
        assert_eq!((events[1].chat.as_str(), events[1].key.as_str()), ("1/7", "message:98"));
        assert!(read(&message("open", "incoming")).events.is_empty());
        assert!(read(&message("pending", "outgoing")).events.is_empty());
        let status = |status: &str| {
            let body = json!({ "event": "conversation_status_changed", "id": 7, "status": status, "account": { "id": 1 } });
            read(&body).events[0].what.clone()
        };
        assert_eq!((status("open"), status("pending")), (What::Held, What::Released));
        assert!(read(&json!([])).events.is_empty());
    }
}
