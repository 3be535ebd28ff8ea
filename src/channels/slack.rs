//! Slack's Events API and Web API. Pure.

use serde_json::{Value, json};

use super::event::{Answered, Attachment, Batch, Body, Call, Incoming, Outcome, Reply, What};
use super::signature::form;
use super::text::Rich;

/// What a request holds: an event as JSON, or a pressed button as a form.
#[must_use]
pub(super) fn read(bytes: &[u8], body: &Value) -> Batch {
    let mut batch = Batch::default();
    if let Some(payload) = form(bytes).into_iter().find(|(name, _)| name == "payload") {
        let payload: Value = serde_json::from_str(&payload.1).unwrap_or_default();
        match pressed(&payload) {
            Some(event) => batch.events.push(event),
            None => batch.skipped.push("another kind of interaction"),
        }
        return batch;
    }
    match body["type"].as_str() {
        Some("url_verification") => {
            batch.reply =
                body["challenge"].as_str().map(|challenge| Reply::Text(challenge.to_owned()));
        }
        Some("event_callback") => match event(body) {
            Ok(event) => batch.events.push(event),
            Err(why) => batch.skipped.push(why),
        },
        _ => batch.skipped.push("another type of request"),
    }
    batch
}

fn event(body: &Value) -> Result<Incoming, &'static str> {
    let event = &body["event"];
    let key = body["event_id"].as_str().ok_or("no event id")?;
    let incoming = |key: String, message: &Value, what| {
        let user =
            message["user"].as_str().or_else(|| event["user"].as_str()).ok_or("nobody wrote it")?;
        // Streams name the reader.
        let right = body["team_id"].as_str().map(|team| format!("{team}/{user}"));
        Ok(Incoming::new(key, chat(event, message)?, user, what)
            .at(milliseconds(&event["event_ts"]))
            .with_right(right))
    };
    if event["bot_id"].is_string() || event["subtype"] == "bot_message" {
        return Err("a bot wrote it");
    }
    match (event["type"].as_str(), event["subtype"].as_str()) {
        (Some("app_mention"), _) | (Some("message"), None | Some("file_share")) => {
            let direct = event["channel_type"] == "im";
            if event["type"] == "message" && !direct {
                // A mention comes once more as `app_mention`.
                return Err("said in a channel, not to us");
            }
            let files = event["files"].as_array().into_iter().flatten();
            let attachments: Vec<Attachment> = files.map(attachment).collect();
            let text = unescaped(event["text"].as_str().unwrap_or_default());
            if text.is_empty() && attachments.is_empty() {
                return Err("an empty message");
            }
            let message = event["ts"].as_str().unwrap_or(key).to_owned();
            // The same message under two event ids is one.
            let key = format!("{}:{message}", event["channel"].as_str().unwrap_or_default());
            incoming(key, event, What::Said { message, text, attachments })
        }
        (Some("message"), Some("message_changed")) => {
            let changed = &event["message"];
            // A link that was unfolded changes a message, too.
            if changed["edited"].is_null() || changed["bot_id"].is_string() {
                return Err("a change that nobody made");
            }
            let message = changed["ts"].as_str().unwrap_or_default().to_owned();
            let text = unescaped(changed["text"].as_str().unwrap_or_default());
            incoming(key.to_owned(), changed, What::Edited { message, text })
        }
        (Some("message"), Some("message_deleted")) => {
            let message = event["deleted_ts"].as_str().unwrap_or_default().to_owned();
            incoming(key.to_owned(), &event["previous_message"], What::Deleted { message })
        }
        (Some("agent_session_stopped"), _) => incoming(key.to_owned(), event, What::Stopped),
        _ => Err("another type of event"),
    }
}

fn pressed(payload: &Value) -> Option<Incoming> {
    let action = payload["actions"].as_array()?.first()?;
    let key = format!("action:{}", action["action_ts"].as_str()?);
    let channel = payload["channel"]["id"].as_str()?;
    let thread = payload["message"]["thread_ts"].as_str();
    let chat = thread.map_or_else(|| channel.to_owned(), |thread| format!("{channel}/{thread}"));
    let text = action["value"].as_str()?.to_owned();
    let what = What::Said { message: key.clone(), text, attachments: Vec::new() };
    let (team, user) = (payload["team"]["id"].as_str(), payload["user"]["id"].as_str()?);
    Some(Incoming::new(key, chat, user, what).with_right(team.map(|team| format!("{team}/{user}"))))
}

/// `CHANNEL`, or `CHANNEL/THREAD`: in a channel the thread is the conversation, and a mention
/// begins one.
fn chat(event: &Value, message: &Value) -> Result<String, &'static str> {
    let channel = event["channel"].as_str().ok_or("no channel")?;
    let thread = message["thread_ts"].as_str().or_else(|| event["thread_ts"].as_str());
    let direct = event["channel_type"] == "im" || channel.starts_with('D');
    let begins = (!direct).then(|| message["ts"].as_str()).flatten();
    Ok(match thread.or(begins) {
        Some(thread) => format!("{channel}/{thread}"),
        None => channel.to_owned(),
    })
}

fn attachment(file: &Value) -> Attachment {
    let kind = Attachment::kind_of(file["mimetype"].as_str().unwrap_or_default());
    Attachment {
        kind,
        name: file["name"].as_str().map(str::to_owned),
        bytes: file["size"].as_u64(),
    }
}

fn milliseconds(stamp: &Value) -> u64 {
    let seconds: f64 = stamp.as_str().and_then(|text| text.parse().ok()).unwrap_or_default();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a time since 1970"
    )]
    let milliseconds = (seconds.max(0.0) * 1000.0) as u64;
    milliseconds
}

/// A text without mentions, its links as their addresses, its escapes undone.
fn unescaped(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(start) = rest.find('<') {
        let Some(end) = rest[start..].find('>').map(|end| start + end) else { break };
        out.push_str(&rest[..start]);
        let inside = &rest[start + 1..end];
        if !inside.starts_with(['@', '!']) {
            out.push_str(inside.split('|').next().unwrap_or_default().trim_start_matches('#'));
        }
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    out.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").trim().to_owned()
}

/// A message that stays.
#[must_use]
pub(super) fn send(token: &str, chat: &str, part: &Rich, plain: bool) -> Call {
    let text = if plain { part.plain() } else { part.mrkdwn() };
    let mut body = place(chat);
    body["text"] = json!(text);
    body["mrkdwn"] = json!(!plain);
    body["unfurl_links"] = json!(false);
    call(token, "chat.postMessage", body)
}

/// What a message stands in: the channel and its thread.
fn place(chat: &str) -> Value {
    match chat.split_once('/') {
        Some((channel, thread)) => json!({ "channel": channel, "thread_ts": thread }),
        None => json!({ "channel": chat }),
    }
}

/// Puts a text in place of a message of ours.
#[must_use]
pub(super) fn update(token: &str, chat: &str, ts: &str, text: &str) -> Call {
    let mut body = json!({ "ts": ts, "text": text });
    body["channel"] = place(chat)["channel"].take();
    call(token, "chat.update", body)
}

/// Begins a stream, in a thread alone. `reader` is `TEAM/USER`.
#[must_use]
pub(super) fn start_stream(token: &str, chat: &str, reader: Option<&str>, text: &str) -> Call {
    let mut body = place(chat);
    body["markdown_text"] = json!(text);
    if let Some((team, user)) = reader.and_then(|reader| reader.split_once('/')) {
        body["recipient_team_id"] = json!(team);
        body["recipient_user_id"] = json!(user);
    }
    call(token, "chat.startStream", body)
}

/// Adds to a stream what is new.
#[must_use]
pub(super) fn append_stream(token: &str, chat: &str, ts: &str, more: &str) -> Call {
    let mut body = json!({ "ts": ts, "markdown_text": more });
    body["channel"] = place(chat)["channel"].take();
    call(token, "chat.appendStream", body)
}

/// Ends a stream with the rest.
#[must_use]
pub(super) fn stop_stream(token: &str, chat: &str, ts: &str, rest: &str) -> Call {
    let mut body = json!({ "ts": ts });
    body["channel"] = place(chat)["channel"].take();
    if !rest.is_empty() {
        body["markdown_text"] = json!(rest);
    }
    call(token, "chat.stopStream", body)
}

/// Who the token belongs to.
#[must_use]
pub(super) fn who(token: &str) -> Call {
    call(token, "auth.test", json!({}))
}

fn call(token: &str, method: &str, body: Value) -> Call {
    let headers = vec![("authorization", format!("Bearer {token}"))];
    Call::post(format!("/api/{method}"), headers, Body::Json(body))
}

/// Slack answers 200 to what it refuses, and says why in `error`.
#[must_use]
pub(super) fn judge(answered: Answered<'_>) -> Outcome {
    let body = answered.body;
    if body["ok"] == true {
        return Outcome::Sent(body["ts"].as_str().map(str::to_owned));
    }
    let Some(error) = body["error"].as_str() else {
        if (200..300).contains(&answered.status) {
            // Something in between may have answered in Slack's place.
            return Outcome::Unanswered {
                why: format!("status {} without \"ok\": true", answered.status),
            };
        }
        return answered.by_status(format!("status {}", answered.status));
    };
    let why = error.to_owned();
    match error {
        "ratelimited" | "rate_limited" => {
            let after_ms = answered.retry_after_s.unwrap_or(1).saturating_mul(1000);
            Outcome::Later { after_ms: Some(after_ms), why }
        }
        "internal_error"
        | "fatal_error"
        | "service_unavailable"
        | "request_timeout"
        | "team_added_to_org" => Outcome::Later { after_ms: None, why },
        "invalid_auth" | "not_authed" | "account_inactive" | "token_revoked" | "token_expired"
        | "missing_scope" => Outcome::Unauthorized { why },
        "channel_not_found"
        | "not_in_channel"
        | "is_archived"
        | "cannot_reply_to_message"
        | "user_not_found" => Outcome::Closed { why },
        // Plain text is shorter: nothing of it is escaped or marked.
        "msg_too_long" | "invalid_blocks" | "invalid_arguments" => Outcome::Plain { why },
        _ => Outcome::Refused { why },
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::needless_pass_by_value, reason = "data of tests is written where it is used")]

    use super::*;

    fn check(event: Value, expected: Result<(&str, What), &'static str>) {
        let body = json!({ "type": "event_callback", "event_id": "Ev1", "event": event });
        let batch = read(b"{}", &body);
        match expected {
            Ok((chat, what)) => {
                let event = batch.events.first().unwrap_or_else(|| panic!("{:?}", batch.skipped));
                assert_eq!((event.chat.as_str(), &event.what), (chat, &what));
            }
            Err(why) => assert_eq!((batch.events, batch.skipped), (vec![], vec![why])),
        }
    }

    fn said(text: &str) -> What {
        What::Said {
            message: "1790000000.000100".into(),
            text: text.into(),
            attachments: Vec::new(),
        }
    }

    fn message(more: Value) -> Value {
        let mut event = json!({ "type": "message", "channel": "D1", "channel_type": "im", "user": "U1",
            "ts": "1790000000.000100", "event_ts": "1790000000.000100" });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    }

    #[test]
    fn events() {
        check(
            message(json!({ "text": "is 5 &lt; 6 <https://a.example|a>?" })),
            Ok(("D1", said("is 5 < 6 https://a.example?"))),
        );
        let mention = json!({ "type": "app_mention", "channel": "C1", "channel_type": "channel", "text": "<@UBOT> help" });
        check(message(mention), Ok(("C1/1790000000.000100", said("help"))));
        let channel = json!({ "channel": "C1", "channel_type": "channel", "text": "<@UBOT> help" });
        check(message(channel), Err("said in a channel, not to us"));
        check(message(json!({ "text": "own", "bot_id": "B1" })), Err("a bot wrote it"));
        let edited = json!({ "subtype": "message_changed",
            "message": { "user": "U1", "ts": "1.2", "text": "new", "edited": { "user": "U1" } } });
        check(
            message(edited),
            Ok(("D1", What::Edited { message: "1.2".into(), text: "new".into() })),
        );
        let unfolded = json!({ "subtype": "message_changed", "message": { "user": "U1", "ts": "1.2", "text": "x" } });
        check(message(unfolded), Err("a change that nobody made"));
        let deleted = json!({ "subtype": "message_deleted", "deleted_ts": "1.2", "previous_message": { "user": "U1" } });
        check(message(deleted), Ok(("D1", What::Deleted { message: "1.2".into() })));
        check(json!({ "type": "reaction_added" }), Err("another type of event"));
    }

    #[test]
    fn the_address_is_confirmed_and_a_mention_under_two_ids_is_one_message() {
        let verify = read(b"{}", &json!({ "type": "url_verification", "challenge": "3eZ" }));
        assert_eq!(verify.reply, Some(Reply::Text("3eZ".into())));
        let key = |kind: &str, id: &str| {
            let event = message(json!({ "type": kind, "text": "hi" }));
            read(b"{}", &json!({ "type": "event_callback", "event_id": id, "event": event })).events
                [0]
            .key
            .clone()
        };
        assert_eq!(key("message", "Ev1"), key("app_mention", "Ev2"));
    }

    #[test]
    fn a_refusal_hides_in_a_200() {
        let judged = |error: &str| {
            judge(Answered {
                status: 200,
                retry_after_s: Some(7),
                body: &json!({ "ok": false, "error": error }),
            })
        };
        assert!(matches!(judged("ratelimited"), Outcome::Later { after_ms: Some(7_000), .. }));
        assert!(matches!(judged("token_revoked"), Outcome::Unauthorized { .. }));
        assert!(matches!(judged("is_archived"), Outcome::Closed { .. }));
        assert!(matches!(judged("msg_too_long"), Outcome::Plain { .. }));
        let empty = judge(Answered { status: 200, retry_after_s: None, body: &Value::Null });
        assert!(matches!(empty, Outcome::Unanswered { .. }));
    }
}
