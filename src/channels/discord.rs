//! Discord: commands and buttons in by interactions, ordinary messages by the Gateway; answers
//! through the interaction's token, later and to messages by the bot. Pure.

use serde_json::{Value, json};

use super::event::{Answered, Attachment, Batch, Body, Call, Incoming, Outcome, Reply, Verb, What};
use super::text::Rich;

/// First second of Discord's ids, in milliseconds since the Unix epoch.
const EPOCH_MS: u64 = 1_420_070_400_000;

/// What a request holds. A command is answered with "thinks" at once: within three seconds
/// something must stand there.
#[must_use]
pub(super) fn read(body: &Value) -> Batch {
    let mut batch = Batch::default();
    match (body["type"].as_u64(), &body["data"]) {
        // The address of webhook events is tried with type 0 and read without a body, that of
        // interactions with type 1.
        (Some(0), _) => batch.reply = Some(Reply::Nothing),
        (Some(1), _) if body.get("event").is_none() => {
            batch.reply = Some(Reply::Json(json!({ "type": 1 })))
        }
        (Some(1), _) => {
            batch.skipped.push("a webhook event");
            batch.reply = Some(Reply::Nothing);
        }
        (Some(2 | 3), data) => match interaction(body, data) {
            Some(event) => {
                batch.events.push(event);
                batch.reply = Some(Reply::Json(json!({ "type": 5 })));
            }
            None => {
                batch.skipped.push("a command without words");
                let content = "…";
                batch.reply = Some(Reply::Json(
                    json!({ "type": 4, "data": { "content": content, "flags": 64 } }),
                ));
            }
        },
        _ => batch.skipped.push("another type of interaction"),
    }
    batch
}

fn interaction(body: &Value, data: &Value) -> Option<Incoming> {
    let id = body["id"].as_str()?;
    let user = body["user"]["id"].as_str().or_else(|| body["member"]["user"]["id"].as_str())?;
    let channel = body["channel_id"].as_str()?;
    let options = data["options"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|option| option["value"].as_str());
    let text = match data["custom_id"].as_str() {
        Some(pressed) => pressed.to_owned(),
        None => options.collect::<Vec<_>>().join(" "),
    };
    if text.trim().is_empty() {
        return None;
    }
    // Several people give commands in one channel of a server.
    let chat =
        if body["guild_id"].is_string() { format!("{channel}/{user}") } else { channel.to_owned() };
    let at_ms = at_ms(id);
    let what = What::Said { message: id.to_owned(), text, attachments: Vec::new() };
    Some(
        Incoming::new(id, chat, user, what)
            .at(at_ms)
            .with_right(body["token"].as_str().map(str::to_owned))
            .in_language(body["locale"].as_str()),
    )
}

/// Begins what an answer to a message refers to, in the place of a command's token.
const ANSWERS: &str = "message:";

/// The token of a command, of what came with a question.
#[must_use]
pub(super) fn token(right: &str) -> Option<&str> {
    (!right.starts_with(ANSWERS)).then_some(right)
}

/// The message that is answered, of what came with a question.
#[must_use]
pub(super) fn answered(right: &str) -> Option<&str> {
    right.strip_prefix(ANSWERS)
}

/// A message of the Gateway, if it is said to us. `bot` is our own id.
///
/// # Errors
/// Why it is passed over.
pub(super) fn said(message: &Value, bot: &str) -> Result<Incoming, &'static str> {
    let (chat, user, id, text) = meant(message, bot)?;
    let files = message["attachments"].as_array().into_iter().flatten();
    let attachments: Vec<Attachment> = files
        .map(|file| Attachment {
            kind: Attachment::kind_of(file["content_type"].as_str().unwrap_or_default()),
            name: file["filename"].as_str().map(str::to_owned),
            bytes: file["size"].as_u64(),
        })
        .collect();
    if text.is_empty() && attachments.is_empty() {
        return Err("a message without words");
    }
    let what = What::Said { message: id.clone(), text, attachments };
    let right = Some(format!("{ANSWERS}{id}"));
    Ok(Incoming::new(id.clone(), chat, user, what).at(at_ms(&id)).with_right(right))
}

/// An edit of a message, if it is said to us. What only got a preview of its links isn't one.
///
/// # Errors
/// Why it is passed over.
pub(super) fn edited(message: &Value, bot: &str) -> Result<Incoming, &'static str> {
    let at = message["edited_timestamp"].as_str().ok_or("a preview of links")?;
    let (chat, user, id, text) = meant(message, bot)?;
    Ok(Incoming::new(format!("{id}:edit:{at}"), chat, user, What::Edited { message: id, text }))
}

/// Conversation, person, id and words of a message that is meant for us: every one in a private
/// chat, in a server one that mentions us or answers us.
fn meant(message: &Value, bot: &str) -> Result<(String, String, String, String), &'static str> {
    let author = &message["author"];
    let user = author["id"].as_str().ok_or("nobody wrote it")?;
    if user == bot || author["bot"] == true || message["webhook_id"].is_string() {
        return Err("a bot wrote it");
    }
    // 0 is a message, 19 an answer to one.
    if !matches!(message["type"].as_u64(), Some(0 | 19) | None) {
        return Err("a service message");
    }
    let id = message["id"].as_str().ok_or("no message id")?;
    let channel = message["channel_id"].as_str().ok_or("no channel")?;
    let in_server = message["guild_id"].is_string();
    let mut mentioned = message["mentions"].as_array().into_iter().flatten();
    let ours = mentioned.any(|person| person["id"] == *bot)
        || message["referenced_message"]["author"]["id"] == *bot;
    if in_server && !ours {
        return Err("said in a channel, not to us");
    }
    let mut text = message["content"].as_str().unwrap_or_default().to_owned();
    for name in [format!("<@{bot}>"), format!("<@!{bot}>")] {
        text = text.replace(&name, "");
    }
    let chat = if in_server { format!("{channel}/{user}") } else { channel.to_owned() };
    Ok((chat, user.to_owned(), id.to_owned(), text.trim().to_owned()))
}

/// When something with this id was made, in milliseconds since the Unix epoch.
fn at_ms(id: &str) -> u64 {
    id.parse::<u64>().map_or(0, |id| (id >> 22) + EPOCH_MS)
}

/// Where the Gateway is, and how often it may be begun with.
#[must_use]
pub(super) fn gateway(bot: &str) -> Call {
    let mut headers = agent();
    headers.push(("authorization", format!("Bot {bot}")));
    Call { verb: Verb::Get, ..Call::post("/api/v10/gateway/bot", headers, Body::Empty) }
}

/// Shows that an answer is being written, for 10 s.
#[must_use]
pub(super) fn typing(bot: &str, chat: &str) -> Call {
    let channel = chat.split('/').next().unwrap_or_default();
    let mut headers = agent();
    headers.push(("authorization", format!("Bot {bot}")));
    Call::post(format!("/api/v10/channels/{channel}/typing"), headers, Body::Empty)
}

/// Where a message goes.
#[derive(Clone, Copy)]
pub(super) enum To<'a> {
    /// In place of "thinks".
    Thinking { app: &'a str, token: &'a str },
    /// Behind an answer to a command.
    FollowUp { app: &'a str, token: &'a str },
    /// A message of the bot's own.
    Channel { bot: &'a str, chat: &'a str, answered: Option<&'a str> },
}

/// A message. `id` is the same for every try; Discord takes it once within some minutes.
#[must_use]
pub(super) fn send(to: To<'_>, text: &str, id: &str) -> Call {
    let mut body = json!({ "content": text, "allowed_mentions": { "parse": [] } });
    match to {
        To::Thinking { app, token } => {
            let path = format!("/api/v10/webhooks/{app}/{token}/messages/@original");
            Call { verb: Verb::Patch, ..Call::post(path, agent(), Body::Json(body)) }
        }
        To::FollowUp { app, token } => {
            Call::post(format!("/api/v10/webhooks/{app}/{token}"), agent(), Body::Json(body))
        }
        To::Channel { bot, chat, answered } => {
            if let Some(message) = answered {
                body["message_reference"] =
                    json!({ "message_id": message, "fail_if_not_exists": false });
            }
            // The nonce has room for 25 characters.
            body["nonce"] = json!(crate::secret::key_hash(id)[..24]);
            body["enforce_nonce"] = json!(true);
            let channel = chat.split('/').next().unwrap_or_default();
            let mut headers = agent();
            headers.push(("authorization", format!("Bot {bot}")));
            Call::post(format!("/api/v10/channels/{channel}/messages"), headers, Body::Json(body))
        }
    }
}

/// Requests of another agent are stopped before they reach Discord.
fn agent() -> Vec<(&'static str, String)> {
    vec![(
        "user-agent",
        format!("DiscordBot (https://frontdesk.invalid, {})", env!("CARGO_PKG_VERSION")),
    )]
}

/// Who the token belongs to.
#[must_use]
pub(super) fn who(bot: &str) -> Call {
    let mut headers = agent();
    headers.push(("authorization", format!("Bot {bot}")));
    Call { verb: Verb::Get, ..Call::post("/api/v10/users/@me", headers, Body::Empty) }
}

/// The command that people ask with, and where commands are to go.
#[must_use]
pub(super) fn register(bot: &str, app: &str, address: &str) -> [Call; 2] {
    let headers = || {
        let mut headers = agent();
        headers.push(("authorization", format!("Bot {bot}")));
        headers
    };
    let option =
        json!({ "type": 3, "name": "question", "description": "Your question", "required": true });
    let commands =
        json!([{ "name": "ask", "description": "Ask us a question", "options": [option] }]);
    let put = Call::post(
        format!("/api/v10/applications/{app}/commands"),
        headers(),
        Body::Json(commands),
    );
    let address = json!({ "interactions_endpoint_url": address });
    [
        Call { verb: Verb::Put, ..put },
        Call {
            verb: Verb::Patch,
            ..Call::post("/api/v10/applications/@me", headers(), Body::Json(address))
        },
    ]
}

/// The text as Discord reads it.
#[must_use]
pub(super) fn text(part: &Rich, plain: bool) -> String {
    if plain { part.plain() } else { part.markdown() }
}

#[must_use]
pub(super) fn judge(answered: Answered<'_>) -> Outcome {
    let body = answered.body;
    let code = body["code"].as_i64();
    let why =
        format!("{}: {}", code.unwrap_or_default(), body["message"].as_str().unwrap_or_default());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a wait of seconds"
    )]
    let told =
        body["retry_after"].as_f64().map(|seconds| (seconds.clamp(0.0, 86_400.0) * 1000.0) as u64);
    let after_ms = told.or(answered.retry_after_s.map(|seconds| seconds.saturating_mul(1000)));
    match (answered.status, code) {
        (429, _) | (_, Some(20_016 | 20_028 | 20_029)) => {
            Outcome::Later { after_ms: after_ms.or(Some(1_000)), why }
        }
        (200..=299, _) => Outcome::Sent(body["id"].as_str().map(str::to_owned)),
        // It was answered already.
        (_, Some(40_060)) => Outcome::Sent(None),
        (_, Some(50_007 | 50_278 | 10_003 | 10_013)) => Outcome::Closed { why },
        // The token is gone: the bot's own message may still arrive.
        (_, Some(10_008 | 10_015 | 10_062 | 50_027)) => Outcome::Refused { why },
        (_, Some(50_035 | 40_005 | 50_006)) => Outcome::Plain { why },
        (_, Some(50_001 | 50_013 | 160_002)) => Outcome::Closed { why },
        // Sending is switched off for a while.
        (_, Some(40_004)) => Outcome::Later { after_ms, why },
        _ => answered.by_status(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_buttons_and_the_two_pings() {
        assert_eq!(read(&json!({ "type": 0, "version": 1 })).reply, Some(Reply::Nothing));
        assert_eq!(read(&json!({ "type": 1 })).reply, Some(Reply::Json(json!({ "type": 1 }))));
        let ask = json!({ "id": "2", "type": 2, "token": "tok", "channel_id": "22", "guild_id": "33",
            "member": { "user": { "id": "44" } }, "data": { "name": "ask", "options": [{ "name": "q", "value": "where" }] } });
        let batch = read(&ask);
        let event = &batch.events[0];
        assert_eq!((event.chat.as_str(), event.right.as_deref()), ("22/44", Some("tok")));
        assert_eq!(batch.reply, Some(Reply::Json(json!({ "type": 5 }))));
        let pressed = json!({ "id": "3", "type": 3, "token": "t", "channel_id": "22", "user": { "id": "44" },
            "data": { "custom_id": "ho:agent" } });
        assert_eq!(read(&pressed).events[0].chat, "22");
        for broken in [json!([]), json!({ "type": 2 }), json!({ "type": "2" })] {
            assert!(read(&broken).events.is_empty());
        }
    }

    #[test]
    fn messages_of_the_gateway_that_are_meant_for_us() {
        let message = |more: Value| {
            let mut message = json!({ "id": "11", "channel_id": "22", "type": 0, "content": "hi",
                "author": { "id": "44" }, "mentions": [], "attachments": [] });
            message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            message
        };
        let event = said(&message(json!({})), "9").unwrap();
        assert_eq!((event.chat.as_str(), event.right.as_deref()), ("22", Some("message:11")));
        let said_there = |more: Value| {
            let mut more = more;
            more["guild_id"] = json!("33");
            said(&message(more), "9").map(|event| match event.what {
                What::Said { text, .. } => (event.chat, text),
                other => panic!("{other:?}"),
            })
        };
        assert_eq!(said_there(json!({})), Err("said in a channel, not to us"));
        let to_us = json!({ "content": "<@9> is it open?", "mentions": [{ "id": "9" }] });
        assert_eq!(said_there(to_us), Ok(("22/44".into(), "is it open?".into())));
        let answer = json!({ "type": 19, "referenced_message": { "author": { "id": "9" } } });
        assert_eq!(said_there(answer), Ok(("22/44".into(), "hi".into())));
        for (more, why) in [
            (json!({ "author": { "id": "9" } }), "a bot wrote it"),
            (json!({ "author": { "id": "5", "bot": true } }), "a bot wrote it"),
            (json!({ "type": 7 }), "a service message"),
            (json!({ "content": "" }), "a message without words"),
        ] {
            assert_eq!(said(&message(more), "9"), Err(why));
        }
        assert!(edited(&message(json!({ "edited_timestamp": null })), "9").is_err());
        let changed = edited(&message(json!({ "edited_timestamp": "2026-11-30" })), "9").unwrap();
        assert_eq!(changed.what, What::Edited { message: "11".into(), text: "hi".into() });
    }

    #[test]
    fn codes() {
        let judged =
            |status, body: Value| judge(Answered { status, retry_after_s: Some(9), body: &body });
        let slow = json!({ "message": "slow", "retry_after": 0.5, "global": false });
        assert!(matches!(judged(429, slow), Outcome::Later { after_ms: Some(500), .. }));
        assert!(matches!(judged(403, json!({ "code": 50_007 })), Outcome::Closed { .. }));
        assert!(matches!(judged(404, json!({ "code": 10_062 })), Outcome::Refused { .. }));
        assert!(matches!(judged(401, json!({ "code": 0 })), Outcome::Unauthorized { .. }));
        assert_eq!(judged(200, json!({ "id": "7" })), Outcome::Sent(Some("7".into())));
    }
}
