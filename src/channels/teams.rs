//! Microsoft Teams by the Bot Framework: activities in, activities out, streamed in chats with one
//! person. Pure.

use serde_json::{Value, json};

use super::event::{Answered, Attachment, Batch, Body, Call, Incoming, Outcome, Verb, What};
use super::signature::percent_encoded;
use super::text::Rich;

/// Where an activity wants to be answered, and on which platform it was made: what a token is
/// checked against.
#[must_use]
pub(super) fn origin(activity: &Value) -> (&str, &str) {
    let text = |name: &str| activity[name].as_str().unwrap_or_default();
    (text("serviceUrl"), text("channelId"))
}

/// What an activity holds.
#[must_use]
pub(super) fn read(activity: &Value) -> Batch {
    let mut batch = Batch::default();
    match event(activity) {
        Ok(event) => batch.events.push(event),
        Err(why) => batch.skipped.push(why),
    }
    batch
}

fn event(activity: &Value) -> Result<Incoming, &'static str> {
    let conversation = &activity["conversation"];
    let id = conversation["id"].as_str().ok_or("no conversation")?;
    // Streams are for chats with one person: the conversation tells which it is.
    let personal = conversation["conversationType"] == "personal";
    let chat = if personal { format!("1:{id}") } else { format!("n:{id}") };
    let (from, bot) = (&activity["from"], &activity["recipient"]["id"]);
    if !bot.is_null() && from["id"] == *bot {
        return Err("our own message");
    }
    let user = from["aadObjectId"].as_str().or_else(|| from["id"].as_str()).unwrap_or("nobody");
    let message = activity["id"].as_str().unwrap_or_default().to_owned();
    let (key, what) = match activity["type"].as_str() {
        Some("message") => {
            let mentions = activity["entities"].as_array().into_iter().flatten();
            let mentions: Vec<&Value> = mentions
                .filter(|entity| entity["type"] == "mention" && entity["mentioned"]["id"] == *bot)
                .collect();
            if !personal && mentions.is_empty() {
                return Err("said in a channel, not to us");
            }
            // A card that was filled in hands back its fields in place of a text.
            let filled = || {
                let fields = activity["value"].as_object()?.values();
                let words: Vec<&str> = fields.filter_map(Value::as_str).collect();
                Some(words.join(" "))
            };
            let text = activity["text"].as_str().filter(|text| !text.trim().is_empty());
            let mut text = text.map(str::to_owned).or_else(filled).unwrap_or_default();
            for mention in mentions.iter().filter_map(|mention| mention["text"].as_str()) {
                text = text.replace(mention, "");
            }
            let files = activity["attachments"].as_array().into_iter().flatten();
            let files = files.filter(|file| {
                !file["contentType"].as_str().unwrap_or_default().starts_with("text/html")
            });
            let attachments: Vec<Attachment> = files
                .map(|file| Attachment {
                    kind: Attachment::kind_of(file["contentType"].as_str().unwrap_or_default()),
                    name: file["name"].as_str().map(str::to_owned),
                    bytes: None,
                })
                .collect();
            if text.trim().is_empty() && attachments.is_empty() {
                return Err("an empty message");
            }
            (message.clone(), What::Said { message, text: text.trim().to_owned(), attachments })
        }
        Some("messageUpdate") => {
            let text = activity["text"].as_str().unwrap_or_default().to_owned();
            (format!("{message}:edit:{}", activity["timestamp"]), What::Edited { message, text })
        }
        Some("messageDelete") => (format!("{message}:delete"), What::Deleted { message }),
        Some("installationUpdate") => {
            let what = if activity["action"] == "remove" { What::Left } else { What::Returned };
            (message, what)
        }
        _ => return Err("another type of activity"),
    };
    let service = activity["serviceUrl"].as_str().map(str::to_owned);
    let event = Incoming::new(format!("{id}:{key}"), chat, user, what);
    Ok(event.with_right(service).in_language(activity["locale"].as_str()))
}

/// What activities are sent with.
#[derive(Clone, Copy)]
pub(super) struct To<'a> {
    /// The access token.
    pub(super) token: &'a str,
    /// The service URL that a verified token named.
    pub(super) service: &'a str,
    pub(super) chat: &'a str,
}

fn call(to: To<'_>, body: Value) -> Call {
    let conversation = percent_encoded(to.chat.get(2..).unwrap_or_default(), b":@");
    let headers = vec![("authorization", format!("Bearer {}", to.token))];
    Call {
        base: Some(to.service.trim_end_matches('/').to_owned()),
        ..Call::post(
            format!("/v3/conversations/{conversation}/activities"),
            headers,
            Body::Json(body),
        )
    }
}

/// A message.
#[must_use]
pub(super) fn send(to: To<'_>, part: &Rich, plain: bool) -> Call {
    call(to, message(part, plain))
}

fn message(part: &Rich, plain: bool) -> Value {
    let label = json!({ "type": "https://schema.org/Message", "@type": "Message",
        "@context": "https://schema.org", "additionalType": ["AIGeneratedContent"] });
    match plain {
        true => {
            json!({ "type": "message", "textFormat": "plain", "text": part.plain(), "entities": [label] })
        }
        false => {
            json!({ "type": "message", "textFormat": "markdown", "text": part.markdown(), "entities": [label] })
        }
    }
}

/// The answer so far, whole: the first call begins the stream, later ones name it. `sequence` rises
/// from 1.
#[must_use]
pub(super) fn stream(to: To<'_>, stream: Option<&str>, sequence: u64, text: &str) -> Call {
    let kind = if stream.is_none() { "informative" } else { "streaming" };
    let mut info = json!({ "type": "streaminfo", "streamType": kind, "streamSequence": sequence });
    if let Some(stream) = stream {
        info["streamId"] = json!(stream);
    }
    call(to, json!({ "type": "typing", "text": text, "entities": [info] }))
}

/// The whole answer at the end of a stream.
#[must_use]
pub(super) fn end(to: To<'_>, stream: &str, part: &Rich, plain: bool) -> Call {
    let mut body = message(part, plain);
    let info = json!({ "type": "streaminfo", "streamId": stream, "streamType": "final" });
    if let Some(entities) = body["entities"].as_array_mut() {
        entities.push(info);
    }
    call(to, body)
}

/// Shows that an answer is being written.
#[must_use]
pub(super) fn typing(to: To<'_>) -> Call {
    call(to, json!({ "type": "typing" }))
}

/// Asks for an access token.
#[must_use]
pub(super) fn lend(login: &str, tenant: &str, app: &str, secret: &str) -> Call {
    let form = vec![
        ("grant_type", "client_credentials".to_owned()),
        ("client_id", app.to_owned()),
        ("client_secret", secret.to_owned()),
        ("scope", "https://api.botframework.com/.default".to_owned()),
    ];
    let path = format!("/{tenant}/oauth2/v2.0/token");
    Call {
        base: Some(login.trim_end_matches('/').to_owned()),
        ..Call::post(path, Vec::new(), Body::Form(form))
    }
}

/// Asks for the keys that the Bot Framework signs with.
#[must_use]
pub(super) fn keys(address: &str) -> Call {
    Call {
        verb: Verb::Get,
        base: Some(address.to_owned()),
        ..Call::post("", Vec::new(), Body::Empty)
    }
}

#[must_use]
pub(super) fn judge(answered: Answered<'_>) -> Outcome {
    let error = &answered.body["error"];
    let text =
        error["message"].as_str().or_else(|| answered.body["message"].as_str()).unwrap_or_default();
    let why =
        format!("status {} {} {text}", answered.status, error["code"].as_str().unwrap_or_default());
    let after_ms = answered.retry_after_s.map(|seconds| seconds.saturating_mul(1000));
    match answered.status {
        200..=299 => Outcome::Sent(answered.body["id"].as_str().map(str::to_owned)),
        403 if text.contains("cancelled by user") => Outcome::Stopped,
        // The stream is over or isn't possible here: an ordinary message is.
        403 if error["code"] == "ContentStreamNotAllowed" => Outcome::Refused { why },
        403 | 404 => Outcome::Closed { why },
        412 | 429 | 502 | 504 => Outcome::Later { after_ms, why },
        413 => Outcome::Refused { why },
        _ => answered.by_status(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn activity(kind: &str, more: &Value) -> Value {
        let mut activity = json!({ "type": kind, "id": "1790", "serviceUrl": "https://smba.example/emea/",
            "channelId": "msteams", "from": { "id": "29:1x", "aadObjectId": "a" }, "recipient": { "id": "28:bot" },
            "conversation": { "conversationType": "personal", "id": "a:1" } });
        activity.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        activity
    }

    #[test]
    fn activities() {
        let what = |kind: &str, more: Value| {
            read(&activity(kind, &more)).events.pop().map(|event| event.what)
        };
        let said = |text: &str| {
            Some(What::Said { message: "1790".into(), text: text.into(), attachments: vec![] })
        };
        assert_eq!(what("message", json!({ "text": "hi" })), said("hi"));
        let channel = json!({ "conversationType": "channel", "id": "19:x;messageid=1" });
        assert_eq!(what("message", json!({ "text": "hi", "conversation": channel })), None);
        let mention =
            json!([{ "type": "mention", "mentioned": { "id": "28:bot" }, "text": "<at>Bot</at>" }]);
        let spoken =
            json!({ "text": "<at>Bot</at> hi", "conversation": channel, "entities": mention });
        assert_eq!(what("message", spoken), said("hi"));
        assert_eq!(
            what("messageDelete", json!({})),
            Some(What::Deleted { message: "1790".into() })
        );
        assert_eq!(what("message", json!({ "text": "x", "from": { "id": "28:bot" } })), None);
        assert_eq!(what("conversationUpdate", json!({})), None);
        assert!(read(&json!([])).events.is_empty());
    }

    #[test]
    fn a_stream_and_what_ends_it() {
        let to = To { token: "t", service: "https://smba.example/emea/", chat: "1:a:1/2" };
        let call = stream(to, None, 1, "…");
        assert_eq!(call.path, "/v3/conversations/a:1%2F2/activities");
        assert_eq!(call.base.as_deref(), Some("https://smba.example/emea"));
        let judged =
            |status, body: Value| judge(Answered { status, retry_after_s: None, body: &body });
        let error =
            |text: &str| json!({ "error": { "code": "ContentStreamNotAllowed", "message": text } });
        assert_eq!(judged(403, error("Content stream was cancelled by user")), Outcome::Stopped);
        assert!(matches!(judged(403, error("exceeded streaming time")), Outcome::Refused { .. }));
        assert!(matches!(judged(403, json!({})), Outcome::Closed { .. }));
        assert_eq!(judged(201, json!({ "id": "S" })), Outcome::Sent(Some("S".into())));
    }
}
