//! WeChat's official accounts: XML in, the customer-service API out, and within five seconds the
//! response itself. Pure.

use serde_json::{Value, json};

use super::event::{Answered, Attachment, Batch, Body, Call, Incoming, Outcome, Reply, What};
use super::signature::wechat::field;

/// What a message holds, as plain XML. It is acknowledged with `success`.
#[must_use]
pub(super) fn read(xml: &str) -> Batch {
    let mut batch = Batch { reply: Some(Reply::Text("success".into())), ..Batch::default() };
    match event(xml) {
        Ok(event) => batch.events.push(event),
        Err(why) => batch.skipped.push(why),
    }
    batch
}

fn event(xml: &str) -> Result<Incoming, &'static str> {
    let value = |name: &str| field(xml.as_bytes(), name);
    let user = value("FromUserName").filter(|user| !user.is_empty()).ok_or("nobody wrote it")?;
    let seconds: u64 = value("CreateTime").and_then(|text| text.parse().ok()).unwrap_or_default();
    let kind = value("MsgType").unwrap_or_default();
    let id = value("MsgId").unwrap_or_default();
    let said = |text: String, attachments| What::Said { message: id.clone(), text, attachments };
    let what = match kind.as_str() {
        "text" => said(value("Content").unwrap_or_default(), Vec::new()),
        "image" | "voice" | "video" | "shortvideo" | "location" => {
            let kind = match kind.as_str() {
                "voice" => "audio",
                "shortvideo" => "video",
                kind => kind,
            };
            said(String::new(), vec![Attachment { kind: kind.into(), name: None, bytes: None }])
        }
        "event" => match value("Event").unwrap_or_default().as_str() {
            "unsubscribe" => What::Left,
            "subscribe" => What::Returned,
            "CLICK" => {
                let pressed = value("EventKey")
                    .filter(|key| !key.is_empty())
                    .ok_or("a menu without a key")?;
                What::Said {
                    message: format!("menu:{seconds}"),
                    text: pressed,
                    attachments: Vec::new(),
                }
            }
            _ => return Err("another type of event"),
        },
        _ => return Err("another type of message"),
    };
    let key = if id.is_empty() {
        format!("{user}:{seconds}:{}", value("Event").unwrap_or_default())
    } else {
        id
    };
    Ok(Incoming::new(key, user.clone(), user, what)
        .at(seconds.saturating_mul(1000))
        .with_right(value("ToUserName")))
}

/// The response that is an answer. `account` is our own name (`gh_…`).
#[must_use]
pub(super) fn response(chat: &str, account: &str, text: &str, now_s: u64) -> String {
    // A section can't hold its own end.
    let text = text.replace("]]>", "]]]]><![CDATA[>");
    format!(
        "<xml><ToUserName><![CDATA[{chat}]]></ToUserName><FromUserName><![CDATA[{account}]]></FromUserName>\
         <CreateTime>{now_s}</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{text}]]></Content></xml>"
    )
}

/// A message of the customer-service API. JSON is written with characters as they are: WeChat shows
/// escapes.
#[must_use]
pub(super) fn send(access: &str, chat: &str, text: &str) -> Call {
    let body = json!({ "touser": chat, "msgtype": "text", "text": { "content": text } });
    call(access, "custom/send", body)
}

/// Shows that an answer is being written.
#[must_use]
pub(super) fn typing(access: &str, chat: &str) -> Call {
    call(access, "custom/typing", json!({ "touser": chat, "command": "Typing" }))
}

fn call(access: &str, method: &str, body: Value) -> Call {
    Call::post(
        format!("/cgi-bin/message/{method}?access_token={access}"),
        Vec::new(),
        Body::Json(body),
    )
}

/// Asks for an access token; each new one ends the one before, except by this method.
#[must_use]
pub(super) fn lend(app: &str, secret: &str) -> Call {
    let body = json!({ "grant_type": "client_credential", "appid": app, "secret": secret });
    Call::post("/cgi-bin/stable_token", Vec::new(), Body::Json(body))
}

/// WeChat answers 200 to what it refuses, and says why in `errcode`.
#[must_use]
pub(super) fn judge(answered: Answered<'_>) -> Outcome {
    let code = answered.body["errcode"].as_i64();
    let why = format!(
        "{}: {}",
        code.unwrap_or_default(),
        answered.body["errmsg"].as_str().unwrap_or_default()
    );
    match code {
        Some(0) => Outcome::Sent(None),
        // Something in between may have answered in WeChat's place.
        None if (200..300).contains(&answered.status) => {
            Outcome::Unanswered { why: format!("status {} without `errcode`", answered.status) }
        }
        None => answered.by_status(format!("status {}", answered.status)),
        Some(-1) => Outcome::Later { after_ms: None, why },
        Some(45_009 | 45_011) => Outcome::Later { after_ms: Some(60_000), why },
        Some(40_001 | 40_014 | 42_001 | 40_013 | 40_125 | 40_164 | 48_001 | 41_004) => {
            Outcome::Unauthorized { why }
        }
        // Out of the window or of its quota, or nobody is there: until the person writes again.
        Some(40_003 | 43_004 | 45_015 | 45_047) => Outcome::Closed { why },
        _ => Outcome::Refused { why },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_events() {
        let xml = |more: &str| {
            format!(
                "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[oyO]]></FromUserName>\
                 <CreateTime>1790000000</CreateTime>{more}</xml>"
            )
        };
        let what = |more: &str| read(&xml(more)).events.pop().map(|event| (event.key, event.what));
        let text = "<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[你好]]></Content><MsgId>6054</MsgId>";
        let said =
            What::Said { message: "6054".into(), text: "你好".into(), attachments: Vec::new() };
        assert_eq!(what(text), Some(("6054".into(), said)));
        let left = "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[unsubscribe]]></Event>";
        assert_eq!(what(left), Some(("oyO:1790000000:unsubscribe".into(), What::Left)));
        assert_eq!(what("<MsgType>event</MsgType><Event>VIEW</Event>"), None);
        for broken in ["", "<xml>", "not xml", "<!DOCTYPE x [<!ENTITY a \"b\">]><xml>&a;</xml>"] {
            assert!(read(broken).events.is_empty());
        }
        let response = response("oyO", "gh_1", "a ]]> b", 5);
        assert_eq!(field(response.as_bytes(), "Content").as_deref(), Some("a ]]> b"));
    }

    #[test]
    fn codes() {
        let judged = |code: i64| {
            judge(Answered {
                status: 200,
                retry_after_s: None,
                body: &json!({ "errcode": code, "errmsg": "m" }),
            })
        };
        assert_eq!(judged(0), Outcome::Sent(None));
        assert!(matches!(judged(-1), Outcome::Later { .. }));
        assert!(matches!(judged(45_047), Outcome::Closed { .. }));
        assert!(matches!(judged(42_001), Outcome::Unauthorized { .. }));
        assert!(matches!(judged(45_002), Outcome::Refused { .. }));
    }
}
