//! Telegram's Bot API, as of version 10.3: updates in, `sendMessage` and `sendMessageDraft` out.
//! Pure.

use serde_json::{Value, json};

use super::event::{Answered, Attachment, Batch, Body, Call, Incoming, Outcome, Reply, What};
use super::text::Rich;
use crate::grounding::smalltalk::OPENED;

/// Updates that are asked for; Telegram leaves others out.
pub(super) const UPDATES: [&str; 5] =
    ["message", "edited_message", "callback_query", "my_chat_member", "stopped_message_generation"];

/// What an update holds. `bot` is the bot's user name without `@`, by which groups speak to it.
#[must_use]
pub(super) fn read(update: &Value, bot: &str) -> Batch {
    let mut batch = Batch::default();
    let Some(id) = update["update_id"].as_u64() else {
        batch.skipped.push("no update id");
        return batch;
    };
    if let Some(pressed) = update["callback_query"]["id"].as_str() {
        // Until this is answered the button shows that something is loading.
        let done = json!({ "method": "answerCallbackQuery", "callback_query_id": pressed });
        batch.reply = Some(Reply::Json(done));
    }
    match event(update, bot) {
        Ok((chat, user, at_ms, what)) => {
            let event = Incoming::new(id.to_string(), chat, user, what).at(at_ms);
            batch.events.push(event.in_language(language(update)));
        }
        Err(why) => batch.skipped.push(why),
    }
    batch
}

/// The language of the app of who did it.
fn language(update: &Value) -> Option<&str> {
    let kinds = ["message", "edited_message", "callback_query"];
    kinds.into_iter().find_map(|kind| update[kind]["from"]["language_code"].as_str())
}

type Found = (String, String, u64, What);

fn event(update: &Value, bot: &str) -> Result<Found, &'static str> {
    if let Some(message) = update.get("message") {
        // A group that became a supergroup has another id from then on.
        if let Some(to) = message["migrate_to_chat_id"].as_i64() {
            let (chat, what) = (chat(message)?, What::Moved { to: to.to_string() });
            return Ok((chat.clone(), chat, seconds(message, "date"), what));
        }
        let said = |text, attachments| What::Said { message: id(message), text, attachments };
        let (text, attachments) = contents(message, bot)?;
        return Ok((
            chat(message)?,
            user(message)?,
            seconds(message, "date"),
            said(text, attachments),
        ));
    }
    if let Some(message) = update.get("edited_message") {
        let (text, _) = contents(message, bot)?;
        let what = What::Edited { message: id(message), text };
        return Ok((chat(message)?, user(message)?, seconds(message, "edit_date"), what));
    }
    if let Some(pressed) = update.get("callback_query") {
        let text = pressed["data"].as_str().ok_or("a button without data")?.to_owned();
        let message = format!("button:{}", pressed["id"].as_str().unwrap_or_default());
        let what = What::Said { message, text, attachments: Vec::new() };
        return Ok((chat(&pressed["message"])?, user(pressed)?, 0, what));
    }
    if let Some(member) = update.get("my_chat_member") {
        let what = match member["new_chat_member"]["status"].as_str() {
            Some("kicked" | "left") => What::Left,
            Some("member" | "administrator") => What::Returned,
            _ => return Err("a change of membership"),
        };
        return Ok((chat(member)?, user(member)?, seconds(member, "date"), what));
    }
    if let Some(stopped) = update.get("stopped_message_generation") {
        let chat = chat(stopped)?;
        return Ok((chat.clone(), chat, 0, What::Stopped));
    }
    Err("another kind of update")
}

fn id(message: &Value) -> String {
    message["message_id"].to_string()
}

fn seconds(message: &Value, field: &str) -> u64 {
    message[field].as_u64().unwrap_or_default().saturating_mul(1000)
}

/// `CHAT` or `CHAT/THREAD`. Ids have up to 52 bits and are negative for groups.
fn chat(message: &Value) -> Result<String, &'static str> {
    let chat = message["chat"]["id"].as_i64().ok_or("no chat")?;
    Ok(match message["message_thread_id"].as_i64() {
        Some(thread) if message["is_topic_message"] == true => format!("{chat}/{thread}"),
        _ => chat.to_string(),
    })
}

fn user(message: &Value) -> Result<String, &'static str> {
    match &message["from"] {
        from if from["is_bot"] == true => Err("a bot wrote it"),
        from => from["id"].as_i64().map(|id| id.to_string()).ok_or("nobody wrote it"),
    }
}

/// Text and attachments; an error where it isn't said to us.
fn contents(message: &Value, bot: &str) -> Result<(String, Vec<Attachment>), &'static str> {
    let text = message["text"].as_str().or_else(|| message["caption"].as_str()).unwrap_or_default();
    let private = message["chat"]["type"] == "private";
    let name = format!("@{bot}");
    let names_us = !bot.is_empty() && text.to_lowercase().contains(&name.to_lowercase());
    let replies =
        message["reply_to_message"]["from"]["username"].as_str().is_some_and(|to| to == bot);
    if !private && !names_us && !replies {
        return Err("said in a group, not to us");
    }
    let mut text = text.to_owned();
    if !private && names_us {
        text = without(&text, &name);
    }
    // `/start PAYLOAD` opens a chat, `/start@BOT` in a group; other commands are words like any
    // other.
    let command = text.split_whitespace().next().unwrap_or_default();
    let (command, to) = command.split_once('@').unwrap_or((command, bot));
    if command == OPENED && (bot.is_empty() || to.eq_ignore_ascii_case(bot)) {
        text = OPENED.to_owned();
    }
    let attachments = attachments(message);
    if text.trim().is_empty() && attachments.is_empty() {
        return Err("a service message");
    }
    Ok((text.trim().to_owned(), attachments))
}

fn without(text: &str, name: &str) -> String {
    let lower = text.to_lowercase();
    match lower.find(&name.to_lowercase()) {
        Some(at) if lower.len() == text.len() && text.is_char_boundary(at + name.len()) => {
            format!("{}{}", &text[..at], &text[at + name.len()..])
        }
        _ => text.replace(name, ""),
    }
}

fn attachments(message: &Value) -> Vec<Attachment> {
    const KINDS: [(&str, &str); 10] = [
        ("photo", "image"),
        ("animation", "image"),
        ("document", "file"),
        ("voice", "audio"),
        ("audio", "audio"),
        ("video", "video"),
        ("video_note", "video"),
        ("sticker", "sticker"),
        ("location", "location"),
        ("contact", "contact"),
    ];
    let found = KINDS.iter().find_map(|(field, kind)| {
        // The last photo is the largest.
        let file = match message.get(*field)? {
            Value::Array(sizes) => sizes.last()?,
            file => file,
        };
        let name = file["file_name"].as_str().map(str::to_owned);
        Some(Attachment { kind: (*kind).into(), name, bytes: file["file_size"].as_u64() })
    });
    found.into_iter().collect()
}

fn target(chat: &str) -> Value {
    let (chat, thread) =
        chat.split_once('/').map_or((chat, None), |(chat, thread)| (chat, Some(thread)));
    let number =
        |text: &str| text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number));
    let mut target = json!({ "chat_id": number(chat) });
    if let Some(thread) = thread {
        target["message_thread_id"] = number(thread);
    }
    target
}

fn call(token: &str, method: &str, body: Value) -> Call {
    Call::post(format!("/bot{token}/{method}"), Vec::new(), Body::Json(body))
}

/// A message that stays.
#[must_use]
pub(super) fn send(token: &str, chat: &str, part: &Rich, plain: bool) -> Call {
    let mut body = target(chat);
    body["text"] = json!(if plain { part.plain() } else { part.text.clone() });
    if !plain {
        body["entities"] = json!(part.telegram_entities());
    }
    body["link_preview_options"] = json!({ "is_disabled": true });
    call(token, "sendMessage", body)
}

/// The answer so far, with a Stop button: a preview of 30 s, in private chats alone. `draft` isn't
/// 0.
#[must_use]
pub(super) fn draft(token: &str, chat: &str, draft: u64, text: &str) -> Call {
    let mut body = target(chat);
    body["draft_id"] = json!(draft);
    body["text"] = json!(text);
    body["can_stop"] = json!(true);
    call(token, "sendMessageDraft", body)
}

/// Shows that an answer is being written, for 5 s.
#[must_use]
pub(super) fn typing(token: &str, chat: &str) -> Call {
    let mut body = target(chat);
    body["action"] = json!("typing");
    call(token, "sendChatAction", body)
}

/// Where updates are to go.
#[must_use]
pub(super) fn register(token: &str, address: &str, secret: &str) -> Call {
    let body = json!({ "url": address, "secret_token": secret, "allowed_updates": UPDATES });
    call(token, "setWebhook", body)
}

/// Who the token belongs to.
#[must_use]
pub(super) fn who(token: &str) -> Call {
    call(token, "getMe", json!({}))
}

/// Where updates go now.
#[must_use]
pub(super) fn registered(token: &str) -> Call {
    call(token, "getWebhookInfo", json!({}))
}

#[must_use]
pub(super) fn judge(answered: Answered<'_>) -> Outcome {
    let body = answered.body;
    if body["ok"] == true {
        return Outcome::Sent(body["result"]["message_id"].as_i64().map(|id| id.to_string()));
    }
    let why = body["description"]
        .as_str()
        .map_or_else(|| format!("status {}", answered.status), str::to_owned);
    let says = |text: &str| why.contains(text);
    let after_ms =
        body["parameters"]["retry_after"].as_u64().map(|seconds| seconds.saturating_mul(1000));
    match body["error_code"].as_u64().unwrap_or(u64::from(answered.status)) {
        429 => Outcome::Later { after_ms: after_ms.or(Some(5_000)), why },
        403 => Outcome::Closed { why },
        400 if body["parameters"]["migrate_to_chat_id"].is_i64() => {
            Outcome::Moved { to: body["parameters"]["migrate_to_chat_id"].to_string() }
        }
        400 if says("chat not found") || says("upgraded to a supergroup") => {
            Outcome::Closed { why }
        }
        400 if says("message is not modified") => Outcome::Sent(None),
        400 if says("can't parse entities") || says("ENTITY") => Outcome::Plain { why },
        404 => Outcome::Unauthorized {
            why: format!("{why}: Telegram answers so where the token isn't a bot's"),
        },
        // Something in between may have answered in Telegram's place.
        200..=299 => Outcome::Unanswered { why: format!("{why} without \"ok\": true") },
        _ => answered.by_status(why),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::needless_pass_by_value, reason = "data of tests is written where it is used")]

    use super::*;

    fn said(text: &str, attachments: Vec<Attachment>) -> What {
        What::Said { message: "5".into(), text: text.into(), attachments }
    }

    fn check(message: Value, expected: Result<What, &'static str>) {
        let batch = read(&json!({ "update_id": 7, "message": message }), "shop_bot");
        match expected {
            Ok(what) => {
                let event = Incoming::new("7", "11", "11", what).at(1_790_000_000_000);
                assert_eq!(batch, Batch { events: vec![event], ..Batch::default() });
            }
            Err(why) => assert_eq!(batch, Batch { skipped: vec![why], ..Batch::default() }),
        }
    }

    fn private(more: Value) -> Value {
        let mut message = json!({
            "message_id": 5, "date": 1_790_000_000, "from": { "id": 11, "is_bot": false },
            "chat": { "id": 11, "type": "private" },
        });
        message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        message
    }

    #[test]
    fn messages_of_a_private_chat() {
        check(private(json!({ "text": " hi " })), Ok(said("hi", vec![])));
        for start in [
            "/start",
            "/start from_page",
            "/start@Shop_Bot",
            "/start@shop_bot from_page",
            "/start\nx",
        ] {
            check(private(json!({ "text": start })), Ok(said("/start", vec![])));
        }
        for words in ["/starting", "/start@other_bot", "/help"] {
            check(private(json!({ "text": words })), Ok(said(words, vec![])));
        }
        let image = Attachment { kind: "image".into(), name: None, bytes: Some(9_000) };
        let photo =
            json!({ "photo": [{ "file_size": 100 }, { "file_size": 9_000 }], "caption": "broken" });
        check(private(photo), Ok(said("broken", vec![image])));
        check(private(json!({ "pinned_message": {} })), Err("a service message"));
        check(
            private(json!({ "text": "hi", "from": { "id": 1, "is_bot": true } })),
            Err("a bot wrote it"),
        );
        check(private(json!({ "text": "hi", "from": null })), Err("nobody wrote it"));
    }

    #[test]
    fn groups_are_answered_when_they_speak_to_us() {
        let group = |more: Value| {
            let mut message = private(more);
            message["chat"] = json!({ "id": 11, "type": "supergroup" });
            message
        };
        check(group(json!({ "text": "hi all" })), Err("said in a group, not to us"));
        check(group(json!({ "text": "@Shop_Bot is it open?" })), Ok(said("is it open?", vec![])));
        check(group(json!({ "text": "/start@shop_bot from_page" })), Ok(said("/start", vec![])));
        let reply = json!({ "text": "and now?", "reply_to_message": { "from": { "username": "shop_bot" } } });
        check(group(reply), Ok(said("and now?", vec![])));
    }

    #[test]
    fn other_updates() {
        let what = |update: Value| read(&update, "shop_bot").events.pop().map(|event| event.what);
        let edited = json!({ "update_id": 8, "edited_message": private(json!({ "text": "new", "edit_date": 2 })) });
        assert_eq!(what(edited), Some(What::Edited { message: "5".into(), text: "new".into() }));
        let member = |status: &str| {
            json!({ "update_id": 9, "my_chat_member": { "chat": { "id": 1 }, "from": { "id": 1 },
                "new_chat_member": { "status": status } } })
        };
        assert_eq!(what(member("kicked")), Some(What::Left));
        assert_eq!(what(member("member")), Some(What::Returned));
        let stop = json!({ "update_id": 1, "stopped_message_generation": { "chat": { "id": 1 }, "draft_id": 7 } });
        assert_eq!(what(stop), Some(What::Stopped));
        assert_eq!(
            read(&json!({ "update_id": 2, "poll": {} }), "b").skipped,
            ["another kind of update"]
        );
        for broken in [
            json!([]),
            json!(null),
            json!({ "update_id": "x" }),
            json!({ "update_id": 3, "message": 5 }),
        ] {
            assert!(read(&broken, "b").events.is_empty(), "{broken}");
        }
    }

    #[test]
    fn what_refusals_mean() {
        let judged =
            |status: u16, body: Value| judge(Answered { status, retry_after_s: None, body: &body });
        let error =
            |code: u16, text: &str| json!({ "ok": false, "error_code": code, "description": text });
        assert_eq!(
            judged(200, json!({ "ok": true, "result": { "message_id": 9 } })),
            Outcome::Sent(Some("9".into()))
        );
        let mut slow = error(429, "Too Many Requests: retry after 5");
        slow["parameters"] = json!({ "retry_after": 5 });
        assert!(matches!(judged(429, slow), Outcome::Later { after_ms: Some(5_000), .. }));
        assert!(matches!(
            judged(403, error(403, "Forbidden: bot was blocked by the user")),
            Outcome::Closed { .. }
        ));
        assert!(matches!(
            judged(400, error(400, "Bad Request: chat not found")),
            Outcome::Closed { .. }
        ));
        assert!(matches!(judged(401, error(401, "Unauthorized")), Outcome::Unauthorized { .. }));
        assert!(matches!(
            judged(400, error(400, "Bad Request: message is too long")),
            Outcome::Refused { .. }
        ));
        assert!(matches!(judged(502, json!(null)), Outcome::Later { after_ms: None, .. }));
        for unsure in
            [json!(null), json!({}), json!([]), json!({ "ok": "true" }), json!({ "ok": false })]
        {
            assert!(matches!(judged(200, unsure.clone()), Outcome::Unanswered { .. }), "{unsure}");
        }
    }
}
