//! Twilio's SMS and MMS. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::event::{Answered, Attachment, Batch, Body, Call, Incoming, Outcome, Reply, Verb, What};
use super::signature::form;
use super::text::Rich;

/// A text message of one of these words is a wish to get no more, or to get some again, for Twilio
/// and by law (its list of English opt-out words). YES, which starts again too, answers too many
/// questions.
const STOPS: [&str; 8] =
    ["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"];
const STARTS: [&str; 2] = ["START", "UNSTOP"];

/// What a webhook holds. The answer is an empty document: replies go out by the API.
#[must_use]
pub(super) fn read(bytes: &[u8]) -> Batch {
    let pairs = form(bytes);
    let field =
        |name: &str| pairs.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
    let mut batch = Batch { reply: Some(Reply::Xml("<Response/>".into())), ..Batch::default() };
    if field("MessageStatus").is_some() && field("Body").is_none() {
        batch.skipped.push("a message's status");
        return batch;
    }
    let (Some(key), Some(from)) = (field("MessageSid"), field("From")) else {
        batch.skipped.push("no message id");
        return batch;
    };
    let count: usize = field("NumMedia").and_then(|count| count.parse().ok()).unwrap_or_default();
    let attachments = (0..count.min(10)).map(|i| {
        let kind = Attachment::kind_of(field(&format!("MediaContentType{i}")).unwrap_or_default());
        Attachment { kind, name: None, bytes: None }
    });
    let text = field("ButtonText").or_else(|| field("Body")).unwrap_or_default().to_owned();
    // Twilio itself answers these words, and sends nothing more to who said STOP. Only messaging
    // services with Advanced Opt-Out tell so in a field of its own.
    let alone = count == 0 && !from.starts_with("whatsapp:");
    let is_one_of =
        |words: &[&str]| alone && words.iter().any(|own| text.trim().eq_ignore_ascii_case(own));
    let what = match field("OptOutType") {
        Some("STOP") => What::Left,
        Some("START") => What::Returned,
        None if is_one_of(&STOPS) => What::Left,
        None if is_one_of(&STARTS) => What::Returned,
        Some(_) => {
            batch.skipped.push("a word that the platform answers");
            return batch;
        }
        None => What::Said { message: key.to_owned(), text, attachments: attachments.collect() },
    };
    batch.events.push(Incoming::new(key, from, from, what));
    batch
}

/// A message. `account` is the account's SID, `from` the number or messaging service that it goes
/// out by.
#[must_use]
pub(super) fn send(token: &str, account: &str, from: &str, chat: &str, part: &Rich) -> Call {
    let sender = if from.starts_with("MG") { "MessagingServiceSid" } else { "From" };
    let pairs = vec![
        ("To", chat.to_owned()),
        (sender, from.to_owned()),
        ("Body", plain_quotes(&part.plain())),
    ];
    let authorization = format!("Basic {}", BASE64.encode(format!("{account}:{token}")));
    let path = format!("/2010-04-01/Accounts/{account}/Messages.json");
    Call::post(path, vec![("authorization", authorization)], Body::Form(pairs))
}

/// Whose account it is.
#[must_use]
pub(super) fn who(token: &str, account: &str) -> Call {
    let authorization = format!("Basic {}", BASE64.encode(format!("{account}:{token}")));
    let headers = vec![("authorization", authorization)];
    Call {
        verb: Verb::Get,
        ..Call::post(format!("/2010-04-01/Accounts/{account}.json"), headers, Body::Empty)
    }
}

/// Typographic marks aren't in GSM-7: one of them makes a message cost two to three times as many
/// segments.
fn plain_quotes(text: &str) -> String {
    text.replace(['“', '”', '„'], "\"")
        .replace(['‘', '’', '‚'], "'")
        .replace(['–', '—'], "-")
        .replace('…', "...")
        .replace('•', "-")
        .replace('\u{a0}', " ")
}

#[must_use]
pub(super) fn judge(answered: Answered<'_>) -> Outcome {
    let code = answered.body["code"].as_i64().or_else(|| answered.body["error_code"].as_i64());
    let why = format!(
        "{}: {}",
        code.unwrap_or_default(),
        answered.body["message"].as_str().unwrap_or_default()
    );
    match code {
        Some(21_610 | 21_211 | 21_614 | 21_408 | 30_003..=30_006) => Outcome::Closed { why },
        Some(20_003 | 20_404 | 21_606 | 30_034) => Outcome::Unauthorized { why },
        Some(20_429 | 14_107 | 30_001 | 30_008) => Outcome::Later {
            after_ms: answered.retry_after_s.map(|seconds| seconds.saturating_mul(1000)),
            why,
        },
        _ if (200..300).contains(&answered.status) => {
            Outcome::Sent(answered.body["sid"].as_str().map(str::to_owned))
        }
        _ => answered.by_status(why),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn messages_opt_outs_and_statuses() {
        let what = |form: &str| read(form.as_bytes()).events.pop().map(|event| event.what);
        let body = "MessageSid=SM1&From=%2B15005550006&To=%2B15005550001&Body=Gr%C3%BC%C3%9Fe&NumMedia=1&MediaContentType0=image%2Fjpeg";
        let image = Attachment { kind: "image".into(), name: None, bytes: None };
        let said =
            What::Said { message: "SM1".into(), text: "Grüße".into(), attachments: vec![image] };
        assert_eq!(what(body), Some(said));
        assert_eq!(what("MessageSid=SM1&From=%2B1&Body=stop&OptOutType=STOP"), Some(What::Left));
        assert_eq!(
            what("MessageSid=SM1&From=%2B1&Body=start&OptOutType=START"),
            Some(What::Returned)
        );
        assert_eq!(what("MessageSid=SM1&From=%2B1&Body=help&OptOutType=HELP"), None);
        assert_eq!(what("MessageSid=SM1&From=%2B1&Body=+Stop%0A"), Some(What::Left));
        assert_eq!(what("MessageSid=SM1&From=%2B1&Body=unstop"), Some(What::Returned));
        assert!(matches!(
            what("MessageSid=SM1&From=%2B1&Body=stop+my+order"),
            Some(What::Said { .. })
        ));
        assert_eq!(what("MessageSid=SM1&MessageStatus=delivered"), None);
        assert_eq!(what("%%%&=&"), None);
    }

    #[test]
    fn codes() {
        let judged = |status, code: i64| {
            judge(Answered {
                status,
                retry_after_s: None,
                body: &json!({ "code": code, "message": "m" }),
            })
        };
        assert!(matches!(judged(400, 21_610), Outcome::Closed { .. }));
        assert!(matches!(judged(401, 20_003), Outcome::Unauthorized { .. }));
        assert!(matches!(judged(429, 20_429), Outcome::Later { .. }));
        let taken = json!({ "sid": "SM9", "error_code": null });
        assert_eq!(
            judge(Answered { status: 201, retry_after_s: None, body: &taken }),
            Outcome::Sent(Some("SM9".into()))
        );
    }
}
