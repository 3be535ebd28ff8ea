//! WhatsApp's Cloud API and Messenger: one signature, one handshake, two shapes. Pure.

use serde_json::{Value, json};

use super::choices::pressed;
use super::event::{Answered, Attachment, Batch, Body, Call, Incoming, Outcome, Verb, What};
use super::signature::meta_proof;
use super::text::Rich;

/// Version of the Graph API that requests name.
const GRAPH: &str = "v26.0";
/// What our messages bear, by which their echoes are known.
const OURS: &str = "frontdesk";

/// What requests are made with.
#[derive(Clone, Copy)]
pub(super) struct Access<'a> {
    pub(super) token: &'a str,
    /// The app's.
    pub(super) secret: &'a str,
    /// The phone number's id, or the page's.
    pub(super) sender: &'a str,
}

/// What a webhook of WhatsApp holds. `number` is the phone number's id; batches may be for several.
#[must_use]
pub(super) fn read_whatsapp(body: &Value, number: &str) -> Batch {
    let mut batch = Batch::default();
    for change in body["entry"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|entry| entry["changes"].as_array())
        .flatten()
    {
        let value = &change["value"];
        if change["field"] == "standby" {
            batch.skipped.push("another responder holds the conversation");
            continue;
        }
        if change["field"] == "messaging_handovers"
            && value["metadata"]["phone_number_id"] == number
        {
            match handover(value) {
                Some(event) => batch.events.push(event),
                None => batch.skipped.push("another kind of handover"),
            }
            continue;
        }
        if change["field"] != "messages" || value["metadata"]["phone_number_id"] != number {
            batch.skipped.push("another field or number");
            continue;
        }
        for message in value["messages"].as_array().into_iter().flatten() {
            match whatsapp(message, value) {
                Ok(event) => batch.events.push(event),
                Err(why) => batch.skipped.push(why),
            }
        }
        if value["statuses"].is_array() {
            batch.skipped.push("a message's status");
        }
    }
    batch
}

/// Passing the conversation tells its new holder, taking it the old one.
fn handover(value: &Value) -> Option<Incoming> {
    let (what, event) = match (value.get("control_passed"), value.get("control_taken")) {
        (Some(passed), _) => (What::Released, passed),
        (None, Some(taken)) => (What::Held, taken),
        (None, None) => return None,
    };
    let contact = &value["contacts"][0];
    let chat = [&event["wa_id"], &contact["wa_id"], &event["user_id"], &contact["user_id"]];
    let chat = chat.into_iter().find_map(Value::as_str)?;
    let at =
        value["timestamp"].as_str().or_else(|| event["timestamp"].as_str()).unwrap_or_default();
    Some(Incoming::new(format!("control:{chat}:{at}"), chat, chat, what))
}

fn whatsapp(message: &Value, value: &Value) -> Result<Incoming, &'static str> {
    let key = message["id"].as_str().ok_or("no message id")?.to_owned();
    let contacts = value["contacts"].as_array();
    // People with a user name and no contact within 30 days show no phone number. Their own id
    // stays when both are there.
    let person = contacts
        .and_then(|all| all.iter().find(|one| one["wa_id"] == message["from"] || all.len() == 1));
    let named = |from: &Value, field: &str| from[field].as_str().map(str::to_owned);
    let user = person
        .and_then(|person| named(person, "parent_user_id").or_else(|| named(person, "user_id")))
        .or_else(|| named(message, "from_user_id"))
        .or_else(|| named(message, "from"))
        .ok_or("nobody wrote it")?;
    // Written to by the phone number where it is known: not every kind of message can go to an id.
    let chat = named(message, "from").unwrap_or_else(|| user.clone());
    if message["group_id"].is_string() {
        return Err("said in a group, not to us");
    }
    let said = |text: Option<&str>, attachments| What::Said {
        message: key.clone(),
        text: text.unwrap_or_default().to_owned(),
        attachments,
    };
    let kind = message["type"].as_str().unwrap_or_default();
    let content = &message[kind];
    let what = match kind {
        "text" => said(content["body"].as_str(), vec![]),
        "button" => said(content["text"].as_str(), vec![]),
        "interactive" => {
            let reply = &content[content["type"].as_str().unwrap_or_default()];
            let text = reply["id"].as_str().and_then(pressed);
            said(text.or(reply["title"].as_str()), vec![])
        }
        "image" | "video" | "audio" | "document" | "sticker" | "location" | "contacts" => {
            let kind = match kind {
                "document" => "file",
                "contacts" => "contact",
                kind => kind,
            };
            let attachment = Attachment {
                kind: kind.into(),
                name: content["filename"].as_str().map(str::to_owned),
                bytes: None,
            };
            said(content["caption"].as_str(), vec![attachment])
        }
        "edit" => What::Edited {
            message: content["original_message_id"].as_str().unwrap_or_default().to_owned(),
            text: content["message"]["text"]["body"].as_str().unwrap_or_default().to_owned(),
        },
        "revoke" => What::Deleted {
            message: content["original_message_id"].as_str().unwrap_or_default().to_owned(),
        },
        _ => return Err("another type of message"),
    };
    let seconds: u64 =
        message["timestamp"].as_str().and_then(|text| text.parse().ok()).unwrap_or_default();
    Ok(Incoming::new(key, chat, user, what).at(seconds.saturating_mul(1000)))
}

/// What a webhook of Messenger or Instagram holds. `echoes_tell`: what is echoed without our mark
/// was written by a person. Instagram's echoes don't carry it.
#[must_use]
pub(super) fn read_messenger(body: &Value, echoes_tell: bool) -> Batch {
    let mut batch = Batch::default();
    for entry in body["entry"].as_array().into_iter().flatten() {
        if entry["standby"].is_array() {
            batch.skipped.push("another responder holds the conversation");
        }
        for event in entry["messaging"].as_array().into_iter().flatten() {
            match messenger(event, echoes_tell) {
                Ok(event) => batch.events.push(event),
                Err(why) => batch.skipped.push(why),
            }
        }
    }
    batch
}

fn messenger(event: &Value, echoes_tell: bool) -> Result<Incoming, &'static str> {
    let user = event["sender"]["id"].as_str().ok_or("nobody wrote it")?.to_owned();
    let at_ms = event["timestamp"].as_u64().unwrap_or_default();
    let (key, what) = if let Some(message) = event.get("message") {
        if message["is_echo"] == true {
            // What we send bears our mark; whatever else goes out was written by a person in the
            // page's inbox.
            if !echoes_tell || message["metadata"] == OURS || event["recipient"]["id"].is_null() {
                return Err("our own message");
            }
            let to = event["recipient"]["id"].as_str().unwrap_or_default().to_owned();
            let key = message["mid"].as_str().ok_or("no message id")?;
            return Ok(Incoming::new(key, to.clone(), to, What::Held).at(at_ms));
        }
        let key = message["mid"].as_str().ok_or("no message id")?.to_owned();
        if message["is_deleted"] == true {
            let what = What::Deleted { message: key.clone() };
            return Ok(Incoming::new(format!("{key}:deleted"), user.clone(), user, what).at(at_ms));
        }
        let files = message["attachments"].as_array().into_iter().flatten();
        let attachments = files.map(|file| Attachment {
            kind: match file["type"].as_str() {
                Some(kind @ ("image" | "audio" | "video" | "location")) => kind.into(),
                _ => "file".into(),
            },
            name: None,
            bytes: None,
        });
        let own = message["quick_reply"]["payload"].as_str().and_then(pressed);
        let text = own.or(message["text"].as_str()).unwrap_or_default().to_owned();
        (key.clone(), What::Said { message: key, text, attachments: attachments.collect() })
    } else if let Some(pressed) = event.get("postback") {
        let key = pressed["mid"]
            .as_str()
            .map_or_else(|| format!("postback:{user}:{at_ms}"), str::to_owned);
        let text = pressed["title"].as_str().unwrap_or_default().to_owned();
        (key.clone(), What::Said { message: key, text, attachments: Vec::new() })
    } else if let Some(edited) = event.get("message_edit") {
        let message = edited["mid"].as_str().ok_or("no message id")?.to_owned();
        let text = edited["text"].as_str().unwrap_or_default().to_owned();
        (format!("{message}:edit:{}", edited["num_edit"]), What::Edited { message, text })
    } else if event.get("pass_thread_control").is_some()
        || event.get("take_thread_control").is_some()
    {
        // Only who holds the conversation from now on is told of it otherwise: passing tells the
        // new holder, taking the old.
        let what =
            if event.get("take_thread_control").is_some() { What::Held } else { What::Released };
        (format!("control:{user}:{at_ms}"), what)
    } else {
        return Err("another type of event");
    };
    Ok(Incoming::new(key, user.clone(), user, what).at(at_ms))
}

/// A message of WhatsApp. A conversation that is no phone number is addressed by the person's id.
#[must_use]
pub(super) fn send_whatsapp(access: Access<'_>, chat: &str, part: &Rich, plain: bool) -> Call {
    let text = if plain { part.plain() } else { part.whatsapp() };
    let mut body = json!({ "messaging_product": "whatsapp", "recipient_type": "individual", "type": "text",
        "text": { "body": text, "preview_url": false } });
    let field = if chat.bytes().all(|byte| byte.is_ascii_digit()) { "to" } else { "recipient" };
    body[field] = json!(chat);
    call(access, body)
}

/// A message of Messenger.
#[must_use]
pub(super) fn send_messenger(access: Access<'_>, chat: &str, part: &Rich) -> Call {
    let body = json!({ "recipient": { "id": chat }, "messaging_type": "RESPONSE",
        "message": { "text": part.plain(), "metadata": OURS } });
    call(access, body)
}

/// Shows that an answer is being written, in Messenger.
#[must_use]
pub(super) fn typing_messenger(access: Access<'_>, chat: &str) -> Call {
    call(access, json!({ "recipient": { "id": chat }, "sender_action": "typing_on" }))
}

/// Requests prove that who holds the token also holds the app's secret, as apps can be set to ask
/// for.
fn call(access: Access<'_>, body: Value) -> Call {
    let Access { token, secret, sender } = access;
    let headers = vec![("authorization", format!("Bearer {token}"))];
    let proof = meta_proof(secret, token);
    Call::post(
        format!("/{GRAPH}/{sender}/messages?appsecret_proof={proof}"),
        headers,
        Body::Json(body),
    )
}

/// Whose number or page it is.
#[must_use]
pub(super) fn who(access: Access<'_>, fields: &str) -> Call {
    let Access { token, secret, sender } = access;
    let headers = vec![("authorization", format!("Bearer {token}"))];
    let path =
        format!("/{GRAPH}/{sender}?fields={fields}&appsecret_proof={}", meta_proof(secret, token));
    Call { verb: Verb::Get, ..Call::post(path, headers, Body::Empty) }
}

/// Codes of the Graph API, WhatsApp's and Messenger's.
#[must_use]
pub(super) fn judge(answered: Answered<'_>) -> Outcome {
    let error = &answered.body["error"];
    let Some(code) = error["code"].as_i64() else {
        if (200..300).contains(&answered.status) {
            let id = answered.body["messages"][0]["id"]
                .as_str()
                .or_else(|| answered.body["message_id"].as_str());
            return Outcome::Sent(id.map(str::to_owned));
        }
        return answered.by_status(format!("status {}", answered.status));
    };
    let details = error["error_data"]["details"]
        .as_str()
        .or_else(|| error["message"].as_str())
        .unwrap_or_default();
    let why = format!("{code}: {details}");
    let after_ms = answered.retry_after_s.map(|seconds| seconds.saturating_mul(1000));
    match code {
        1 | 2 | 4 | 17 | 32 | 613 | 1_200 | 80_007 | 130_429 | 131_000 | 131_016 | 131_056
        | 131_057 | 133_016 | 135_000 => Outcome::Later { after_ms, why },
        // Outside the window, or nobody to reach: until the person writes again.
        551 | 131_021 | 131_026 | 131_030 | 131_047 | 131_049 | 131_050 | 131_062 | 130_472 => {
            Outcome::Closed { why }
        }
        10 if error["error_subcode"] == 2_018_278 => Outcome::Closed { why },
        100 if error["error_subcode"] == 2_018_001 => Outcome::Closed { why },
        0 | 3 | 10 | 190 | 200..=299 | 368 | 130_497 | 131_005 | 131_031 | 131_042 | 131_045 => {
            Outcome::Unauthorized { why }
        }
        _ => Outcome::Refused { why },
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::needless_pass_by_value, reason = "data of tests is written where it is used")]

    use super::*;

    fn whatsapp_batch(message: Value, contact: Value) -> Batch {
        let value = json!({ "metadata": { "phone_number_id": "1065" }, "contacts": [contact], "messages": [message] });
        read_whatsapp(
            &json!({ "entry": [{ "changes": [{ "field": "messages", "value": value }] }] }),
            "1065",
        )
    }

    #[test]
    fn people_without_a_phone_number_are_people() {
        let text = json!({ "id": "wamid.X", "from_user_id": "US.1349", "timestamp": "1790000000", "type": "text",
            "text": { "body": "hi" } });
        let event = &whatsapp_batch(text, json!({ "user_id": "US.1349" })).events[0];
        assert_eq!((event.chat.as_str(), event.user.as_str()), ("US.1349", "US.1349"));
        let Body::Json(body) = send_whatsapp(
            Access { token: "t", secret: "s", sender: "1065" },
            &event.chat,
            &Rich::default(),
            false,
        )
        .body
        else {
            panic!()
        };
        assert_eq!((body["recipient"].as_str(), body.get("to")), (Some("US.1349"), None));
        let known = json!({ "id": "wamid.Y", "from": "16505551234", "type": "text", "text": { "body": "hi" } });
        let contact = json!({ "wa_id": "16505551234", "user_id": "US.1349" });
        let event = &whatsapp_batch(known, contact).events[0];
        assert_eq!((event.chat.as_str(), event.user.as_str()), ("16505551234", "US.1349"));
    }

    #[test]
    fn kinds_of_messages() {
        let what = |kind: &str, content: Value| {
            let message = json!({ "id": "wamid.X", "from": "1650", "type": kind, kind: content });
            whatsapp_batch(message, json!({ "wa_id": "1650" })).events.pop().map(|event| event.what)
        };
        let said = |text: &str| {
            Some(What::Said { message: "wamid.X".into(), text: text.into(), attachments: vec![] })
        };
        assert_eq!(what("button", json!({ "payload": "p", "text": "Yes" })), said("Yes"));
        let pressed =
            json!({ "type": "button_reply", "button_reply": { "id": "1", "title": "No" } });
        assert_eq!(what("interactive", pressed), said("No"));
        assert_eq!(
            what("revoke", json!({ "original_message_id": "wamid.W" })),
            Some(What::Deleted { message: "wamid.W".into() })
        );
        assert_eq!(what("reaction", json!({ "message_id": "wamid.W", "emoji": "👍" })), None);
    }

    #[test]
    fn messenger_events() {
        let read = |event: Value| {
            let mut event = event;
            event["sender"] = json!({ "id": "P1" });
            event["timestamp"] = json!(5);
            read_messenger(&json!({ "entry": [{ "messaging": [event] }] }), true)
        };
        assert_eq!(
            read(json!({ "message": { "mid": "m_1", "is_echo": true, "text": "x" } })).skipped,
            ["our own message"]
        );
        assert_eq!(read(json!({ "read": { "watermark": 1 } })).skipped, ["another type of event"]);
        let event = &read(json!({ "message": { "mid": "m_1", "text": "hi" } })).events[0];
        assert_eq!((event.key.as_str(), event.chat.as_str()), ("m_1", "P1"));
    }

    #[test]
    fn codes() {
        let judged = |code: i64, subcode: i64| {
            let body =
                json!({ "error": { "code": code, "error_subcode": subcode, "message": "m" } });
            judge(Answered { status: 400, retry_after_s: None, body: &body })
        };
        assert!(matches!(judged(131_047, 0), Outcome::Closed { .. }));
        assert!(matches!(judged(10, 2_018_278), Outcome::Closed { .. }));
        assert!(matches!(judged(10, 0), Outcome::Unauthorized { .. }));
        assert!(matches!(judged(190, 0), Outcome::Unauthorized { .. }));
        assert!(matches!(judged(130_429, 0), Outcome::Later { .. }));
        assert!(matches!(judged(131_009, 0), Outcome::Refused { .. }));
    }
}
