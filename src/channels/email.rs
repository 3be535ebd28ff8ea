//! E-mail as it travels (RFC 5322): what comes in is read, what goes out is described. `smtp` sends
//! it. Pure.

use std::collections::HashMap;

use mail_parser::{Address, HeaderValue, Message, MessageParser, MimeHeaders as _};
use serde::{Deserialize, Serialize};

use super::event::{Answered, Attachment, Batch, Body, Call, Incoming, Mail, Outcome, What};
use super::signature::{form, hex};
use super::text::Rich;
use crate::site::channel::mail_address as address;

mod authenticity;
mod quoted;
mod subject;

/// Longest identifier of a message that is answered with, in bytes, and of all of them: an event
/// brings 4 KiB along.
const MAX_ID: usize = 300;
const MAX_IDS: usize = 2_400;
/// Longest subject, in characters.
const MAX_SUBJECT: usize = 200;
/// Messages of one sender that are answered within an hour: two machines that don't say that they
/// are some must end.
const MAX_AN_HOUR: u32 = 10;

/// What an answer needs to stand in its thread.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Thread {
    to: String,
    subject: String,
    /// Identifiers of the thread's messages without their brackets, oldest first; the last one is
    /// answered.
    ids: Vec<String>,
}

/// What a message holds. `own` are the addresses that mail for this account comes to, in lower
/// case; `authserv_id` is the name of the mail server whose word about senders is believed, or
/// empty.
#[must_use]
pub(super) fn read(raw: &[u8], own: &[String], authserv_id: &str) -> Batch {
    let mut batch = Batch::default();
    match event(raw, own, authserv_id) {
        Ok(event) => batch.events.push(event),
        Err(why) => batch.skipped.push(why),
    }
    batch
}

fn event(raw: &[u8], own: &[String], authserv_id: &str) -> Result<Incoming, &'static str> {
    let message = MessageParser::default().parse(raw).ok_or("no e-mail")?;
    let from = first(message.from()).ok_or("no sender")?;
    let to = first(message.reply_to()).unwrap_or_else(|| from.clone());
    if own.iter().any(|own| same(own, &from) || same(own, &to)) {
        return Err("our own e-mail");
    }
    let subject =
        message.subject().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    if subject::is_automatic(&subject) {
        return Err("an automatic e-mail");
    }
    if let Some(why) = automatic(&message, &from).or_else(|| automatic(&message, &to)) {
        return Err(why);
    }
    if !is_for(&message, own) {
        return Err("an e-mail to somebody else");
    }
    // An answer would go to whoever's name was taken.
    if !authserv_id.is_empty() && authenticity::is_forged(&message, authserv_id) {
        return Err("an e-mail whose sender is forged");
    }
    let id = message
        .message_id()
        .map(str::to_owned)
        .filter(|id| !id.is_empty() && !id.contains(char::is_whitespace));
    if id.as_deref().is_some_and(|id| thread_of(id, own).is_some()) {
        return Err("our own e-mail");
    }
    let replied = ids(message.in_reply_to());
    let mut earlier = ids(message.references());
    earlier.extend(replied.into_iter().filter(|id| !earlier.contains(id)).collect::<Vec<_>>());
    // Some programs answer without saying what, and only the subject shows it.
    let marked = subject::without_reply(&subject);
    let is_reply = !earlier.is_empty() || marked.is_some();
    let words = quoted::own_words(&body(&message, is_reply), is_reply);
    let attachments: Vec<Attachment> = message.attachments().map(attachment).collect();
    // A first message's subject is often the question; a reply's is of the message that it answers.
    let text = match marked {
        _ if !earlier.is_empty() => words,
        None => format!("{subject}\n\n{words}"),
        Some(rest) if words.is_empty() && attachments.is_empty() => rest.to_owned(),
        Some(_) => words,
    };
    let text = text.trim().to_owned();
    if text.is_empty() && attachments.is_empty() {
        return Err("an empty message");
    }
    let id = id.unwrap_or_else(|| {
        format!("{}@unnamed", crate::secret::key_hash(&String::from_utf8_lossy(raw)))
    });
    // Our own identifiers name the thread; else the oldest one does.
    let ours = earlier.iter().rev().find_map(|id| thread_of(id, own));
    let thread = ours.unwrap_or_else(|| short(earlier.first().unwrap_or(&id)));
    let mut thread_ids = earlier;
    thread_ids.push(id.clone());
    let answered = Thread {
        to: to.clone(),
        subject: shortened(&subject, MAX_SUBJECT),
        ids: bounded(thread_ids),
    };
    let key = if id.len() <= MAX_ID { id } else { short(&id) };
    let what = What::Said { message: key.clone(), text, attachments };
    let right = serde_json::to_string(&answered).ok();
    Ok(Incoming::new(key, format!("{thread}/{to}"), to, what).with_right(right))
}

fn first(addresses: Option<&Address<'_>>) -> Option<String> {
    let found =
        addresses?.first()?.address.as_deref().map(|text| text.trim().to_ascii_lowercase())?;
    // It becomes the name of a conversation and an SMTP command.
    let sound = found.len() <= 254
        && found.contains('@')
        && !found.contains(|c: char| c.is_whitespace() || c.is_control());
    (sound && !found.contains(['<', '>', '/'])).then_some(found)
}

/// Whether two addresses are one mailbox: what follows a plus sign is the receiver's own (RFC
/// 5233).
fn same(own: &str, other: &str) -> bool {
    let plain = |text: &str| match text.rsplit_once('@') {
        Some((local, domain)) => {
            format!("{}@{domain}", local.split('+').next().unwrap_or_default())
        }
        None => text.to_owned(),
    };
    own == other || plain(own) == plain(other)
}

fn is_for(message: &Message<'_>, own: &[String]) -> bool {
    let named = |addresses: Option<&Address<'_>>| {
        addresses.is_some_and(|all| {
            let mut all = all.iter().filter_map(|one| one.address.as_deref());
            all.any(|one| own.iter().any(|own| same(own, &one.to_ascii_lowercase())))
        })
    };
    named(message.to()) || named(message.cc())
}

fn ids(value: &HeaderValue<'_>) -> Vec<String> {
    let all = value.as_text_list().unwrap_or_default().iter();
    let all = all.map(|id| id.trim().trim_matches(['<', '>']).to_owned());
    all.filter(|id| !id.is_empty() && !id.contains(char::is_whitespace)).collect()
}

/// The oldest identifier and as many of the newest as fit, in their order.
fn bounded(all: Vec<String>) -> Vec<String> {
    let all: Vec<String> = all.into_iter().filter(|id| id.len() <= MAX_ID).collect();
    let Some((oldest, rest)) = all.split_first() else { return all };
    let mut left = MAX_IDS - oldest.len();
    let newest = rest.iter().rev().take_while(|id| {
        let fits = id.len() <= left;
        left = left.saturating_sub(id.len());
        fits
    });
    let mut kept: Vec<String> = newest.cloned().collect();
    kept.push(oldest.clone());
    kept.reverse();
    kept
}

fn shortened(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

fn short(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    hex(&digest.as_ref()[..8])
}

/// `fd.THREAD.PART@domain`, without brackets.
fn id_of(thread: &str, part: &str, sender: &str) -> String {
    let domain = address(sender);
    let domain = domain.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    format!("fd.{thread}.{}@{domain}", short(part))
}

/// The thread that one of our own identifiers names.
fn thread_of(id: &str, own: &[String]) -> Option<String> {
    let (local, domain) = id.rsplit_once('@')?;
    let ours = own
        .iter()
        .any(|own| own.rsplit_once('@').is_some_and(|(_, own)| own.eq_ignore_ascii_case(domain)));
    let (thread, part) = local.strip_prefix("fd.")?.split_once('.')?;
    let is_short =
        |text: &str| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (ours && is_short(thread) && is_short(part)).then(|| thread.to_ascii_lowercase())
}

/// Why a message must not be answered (RFC 3834): a machine wrote it, or it went to many.
fn automatic(message: &Message<'_>, sender: &str) -> Option<&'static str> {
    /// Mailboxes behind which nobody reads (RFC 2142, RFC 5321 and custom), without their
    /// punctuation.
    const NOBODY: [&str; 6] =
        ["mailerdaemon", "postmaster", "noreply", "donotreply", "bounce", "bounces"];
    let header = |name: &'static str| {
        message.header_raw(name).map(|value| value.trim().to_ascii_lowercase())
    };
    let word = |value: String| value.split([';', ' ', '(']).next().unwrap_or_default().to_owned();
    if header("Auto-Submitted").is_some_and(|value| word(value) != "no")
        || ["X-Autoreply", "X-Autorespond", "X-Auto-Reply"]
            .into_iter()
            .any(|name| header(name).is_some())
    {
        return Some("an automatic e-mail");
    }
    let suppressed = header("X-Auto-Response-Suppress").unwrap_or_default();
    if suppressed.split(',').any(|word| ["all", "autoreply"].contains(&word.trim())) {
        return Some("an e-mail that wants no automatic answer");
    }
    let to_many = ["bulk", "list", "junk", "auto_reply"];
    if header("Precedence").is_some_and(|value| to_many.contains(&word(value).as_str()))
        || message.headers_raw().any(|(name, _)| name.to_ascii_lowercase().starts_with("list-"))
    {
        return Some("an e-mail to many");
    }
    let report = message.content_type().is_some_and(|kind| {
        kind.ctype().eq_ignore_ascii_case("multipart")
            && kind.subtype().is_some_and(|sub| sub.eq_ignore_ascii_case("report"))
    });
    let local = sender.split(['@', '+']).next().unwrap_or_default().replace(['-', '_', '.'], "");
    if report
        || header("Return-Path").is_some_and(|path| path == "<>")
        || NOBODY.contains(&local.as_str())
    {
        return Some("an e-mail from nobody");
    }
    None
}

/// The text of a message, of HTML where there is no other. In replies, what mail programs mark as
/// quoted in HTML is left out.
fn body(message: &Message<'_>, is_reply: bool) -> String {
    let mut texts = Vec::new();
    for part in message.text_bodies() {
        match &part.body {
            mail_parser::PartType::Text(text) => {
                let flowed = part.content_type().and_then(|kind| {
                    let flowed = kind.attribute("format")?.eq_ignore_ascii_case("flowed");
                    let joined = kind
                        .attribute("delsp")
                        .is_some_and(|value| value.eq_ignore_ascii_case("yes"));
                    flowed.then_some(joined)
                });
                texts.push(
                    flowed
                        .map_or_else(|| text.to_string(), |joined| quoted::unflowed(text, joined)),
                );
            }
            mail_parser::PartType::Html(html) => texts.push(quoted::text_of_html(html, is_reply)),
            _ => {}
        }
    }
    texts.join("\n")
}

fn attachment(part: &mail_parser::MessagePart<'_>) -> Attachment {
    let kind = part.content_type().map(mail_parser::ContentType::ctype).unwrap_or_default();
    Attachment {
        kind: Attachment::kind_of(&kind.to_ascii_lowercase()),
        name: part.attachment_name().map(str::to_owned),
        bytes: u64::try_from(part.len()).ok(),
    }
}

/// An answer in its thread; `None` if nobody wrote there yet. `id` is the same for every try.
#[must_use]
pub(super) fn send(
    sender: &str,
    chat: &str,
    right: Option<&str>,
    part: &Rich,
    id: &str,
    by_agent: bool,
    credential: &str,
) -> Option<Call> {
    let Thread { to, subject, ids } = serde_json::from_str(right?).ok()?;
    let subject =
        if subject::without_reply(&subject).is_some() { subject } else { format!("Re: {subject}") };
    let thread = chat.split('/').next().unwrap_or_default();
    let id = id_of(thread, id, sender);
    let mail = Mail {
        to,
        subject: subject.trim().to_owned(),
        id,
        references: ids,
        automatic: !by_agent,
        text: part.plain(),
        credential: credential.to_owned(),
    };
    Some(Call::post("", Vec::new(), Body::Mail(mail)))
}

/// What a mail server's answer says (RFC 5321, RFC 3463). The status is SMTP's.
#[must_use]
pub(super) fn judge(answered: Answered<'_>) -> Outcome {
    let text = answered.body["message"].as_str().unwrap_or_default();
    let why = format!("{}: {text}", answered.status);
    let nobody = text.starts_with("5.1.") || text.starts_with("5.2.1");
    match answered.status {
        200..=299 => Outcome::Sent(None),
        530 | 534 | 535 | 538 => Outcome::Unauthorized { why },
        550 | 551 | 553 if nobody => Outcome::Closed { why },
        400..=499 => Outcome::Later { after_ms: None, why },
        _ => Outcome::Refused { why },
    }
}

/// The fields of Mailgun's request: a form, or a multipart document where `content_type` says so.
pub(super) fn fields(content_type: &str, body: &[u8]) -> Vec<(String, Vec<u8>)> {
    if !content_type.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("multipart/")) {
        return form(body).into_iter().map(|(name, value)| (name, value.into_bytes())).collect();
    }
    // A form of several parts (RFC 7578) is a MIME document without its head.
    let document = [b"Content-Type: ", content_type.as_bytes(), b"\r\n\r\n", body].concat();
    let Some(parsed) = MessageParser::default().parse(&document) else { return Vec::new() };
    let named = parsed.parts.iter().filter_map(|part| {
        let name = part.content_disposition()?.attribute("name")?.to_owned();
        Some((name, part.contents().to_vec()))
    });
    named.collect()
}

/// How many messages of whom were read within the hour.
#[derive(Default)]
pub(super) struct Pace(HashMap<String, (u64, u32)>);

impl Pace {
    /// Whether one more of a sender is to be answered.
    pub(super) fn allows(&mut self, sender: &str, now_ms: u64) -> bool {
        const HOUR_MS: u64 = 3_600_000;
        self.0.retain(|_, (since_ms, _)| now_ms.saturating_sub(*since_ms) < HOUR_MS);
        let (_, count) = self.0.entry(sender.to_owned()).or_insert((now_ms, 0));
        *count = count.saturating_add(1);
        *count <= MAX_AN_HOUR
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn own() -> Vec<String> {
        vec!["help@shop.example".to_owned()]
    }

    fn mail(head: &str, body: &str) -> Batch {
        read(
            format!("{head}\n\n{body}").replace('\n', "\r\n").as_bytes(),
            &own(),
            "mx.shop.example",
        )
    }

    const HEAD: &str = "From: Ann Smith <Ann@mail.example>\nTo: Shop <help@shop.example>\nMessage-ID: <q1@mail.example>";

    #[test]
    fn a_question_and_the_reply_to_its_answer_are_one_thread() {
        let batch = mail(
            &format!("{HEAD}\nSubject: =?utf-8?q?Gr=C3=B6=C3=9Fe?="),
            "How large is it?\n-- \nAnn",
        );
        let event = batch.events[0].clone();
        let What::Said { text, message, .. } = &event.what else { panic!("{event:?}") };
        assert_eq!(
            (text.as_str(), message.as_str()),
            ("Größe\n\nHow large is it?", "q1@mail.example")
        );
        assert_eq!(
            (event.user.as_str(), event.key.as_str()),
            ("ann@mail.example", "q1@mail.example")
        );

        let part = Rich::of_markdown("**Two** metres.");
        let call = send(
            "Shop <help@shop.example>",
            &event.chat,
            event.right.as_deref(),
            &part,
            "s-1-0",
            false,
            "a-password",
        )
        .unwrap();
        let Body::Mail(sent) = call.body else { panic!() };
        assert_eq!((sent.to.as_str(), sent.subject.as_str()), ("ann@mail.example", "Re: Größe"));
        assert_eq!(
            (sent.references.as_slice(), sent.text.as_str()),
            (&["q1@mail.example".to_owned()][..], "Two metres.")
        );
        assert!(sent.automatic);

        // Some programs name only the message that they answer.
        let reply = format!(
            "From: ann@mail.example\nTo: help@shop.example\nMessage-ID: <q2@mail.example>\nSubject: Re: x\nIn-Reply-To: <{}>",
            sent.id
        );
        let reply = mail(
            &reply,
            "And how heavy?\n\nOn Mon, Nov 3, 2025 at 10:12 AM Shop <help@shop.example> wrote:\n> Two metres.",
        );
        assert_eq!(reply.events[0].chat, event.chat);
        assert!(
            matches!(&reply.events[0].what, What::Said { text, .. } if text == "And how heavy?")
        );
        // Whoever learns the identifier gets a conversation of their own.
        let other = format!(
            "From: eve@mail.example\nTo: help@shop.example\nMessage-ID: <e@mail.example>\nIn-Reply-To: <{}>",
            sent.id
        );
        assert_ne!(mail(&other, "What did they ask?").events[0].chat, event.chat);
    }

    #[test]
    fn machines_lists_and_our_own_are_never_answered() {
        for more in [
            "Auto-Submitted: auto-replied",
            "Auto-Submitted: auto-generated; owner-email=x",
            "Precedence: bulk",
            "List-Id: <news.mail.example>",
            "List-Unsubscribe: <https://mail.example/u>",
            "X-Auto-Response-Suppress: OOF, AutoReply",
            "Return-Path: <>",
            "X-Autoreply: yes",
            "Content-Type: multipart/report; boundary=b",
            "Reply-To: help+x@shop.example",
            "Reply-To: no-reply@mail.example",
            "Authentication-Results: mx.shop.example; dmarc=fail",
        ] {
            let batch = mail(&format!("{HEAD}\n{more}"), "Thank you for your message");
            assert!(batch.events.is_empty() && batch.skipped.len() == 1, "{more}");
        }
        for from in [
            "MAILER-DAEMON@mail.example",
            "no-reply@mail.example",
            "help@shop.example",
            "a b@c",
            "x/y@c.example",
        ] {
            let head = format!("From: {from}\nTo: help@shop.example\nMessage-ID: <1@mail.example>");
            assert!(mail(&head, "hi").events.is_empty(), "{from}");
        }
        let ours = "From: ann@mail.example\nTo: help@shop.example\nMessage-ID: <fd.0123456789abcdef.0123456789abcdef@shop.example>";
        assert!(mail(ours, "hi").events.is_empty(), "it came round");
        let blind = "From: ann@mail.example\nTo: else@shop.example\nMessage-ID: <1@mail.example>";
        assert!(mail(blind, "hi").events.is_empty());
        let person =
            mail(&format!("{HEAD}\nAuto-Submitted: no\nX-Auto-Response-Suppress: DR"), "hi");
        assert_eq!(person.events.len(), 1);
    }

    #[test]
    fn every_kind_of_nonsense_is_read_without_harm() {
        for raw in [
            &b""[..],
            b"\0\xff\xfe",
            b"From:",
            b"From: <>\r\n\r\n",
            b"Content-Type: multipart/mixed\r\n\r\n--",
        ] {
            assert!(read(raw, &own(), "").events.is_empty());
        }
        let long: Vec<String> =
            (0..500).map(|i| format!("<{i}-{}@mail.example>", "x".repeat(40))).collect();
        let batch = mail(&format!("{HEAD}\nReferences: {}", long.join("\n ")), "hi");
        let right = batch.events[0].right.clone().unwrap();
        assert!(
            right.len() < 4_000 && right.contains("\"0-xxx") && right.contains("q1@mail.example"),
            "{right}"
        );
    }

    #[test]
    fn files_are_named() {
        let batch = mail(
            &format!("{HEAD}\nContent-Type: multipart/mixed; boundary=b"),
            "--b\nContent-Type: text/html\n\n<div>Is this</div><div>broken?</div>\n--b\nContent-Type: image/jpeg; name=tent.jpg\n\
             Content-Disposition: attachment\nContent-Transfer-Encoding: base64\n\nAAAA\n--b--",
        );
        let What::Said { text, attachments, .. } = &batch.events[0].what else { panic!() };
        assert_eq!(text, "Is this\nbroken?");
        assert_eq!(
            attachments[0],
            Attachment { kind: "image".into(), name: Some("tent.jpg".into()), bytes: Some(3) }
        );
    }

    #[test]
    fn mailgun_s_requests_are_forms_of_either_kind() {
        let found = |content_type, body: &str| fields(content_type, body.as_bytes());
        let expected = vec![
            ("token".to_owned(), b"t".to_vec()),
            ("body-mime".to_owned(), b"From: a\r\n\r\nhi".to_vec()),
        ];
        assert_eq!(
            found("application/x-www-form-urlencoded", "token=t&body-mime=From%3A+a%0D%0A%0D%0Ahi"),
            expected
        );
        let parts = "--b\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\nt\r\n--b\r\n\
                     Content-Disposition: form-data; name=\"body-mime\"\r\n\r\nFrom: a\r\n\r\nhi\r\n--b--\r\n";
        assert_eq!(found("multipart/form-data; boundary=b", parts), expected);
    }

    #[test]
    fn answers_of_mail_servers() {
        let judged = |status, text: &str| {
            judge(Answered { status, retry_after_s: None, body: &json!({ "message": text }) })
        };
        assert_eq!(judged(250, "2.0.0 queued"), Outcome::Sent(None));
        assert!(matches!(judged(451, "4.7.1 greylisted"), Outcome::Later { .. }));
        assert!(matches!(judged(535, "5.7.8 bad password"), Outcome::Unauthorized { .. }));
        assert!(matches!(judged(550, "5.1.1 no such user"), Outcome::Closed { .. }));
        assert!(matches!(judged(550, "5.7.1 policy"), Outcome::Refused { .. }));
    }

    #[test]
    fn who_writes_too_much_gets_no_answers_for_an_hour() {
        let mut pace = Pace::default();
        let allowed = (0..20).filter(|_| pace.allows("a", 1_000)).count();
        assert_eq!(allowed, MAX_AN_HOUR as usize);
        assert!(pace.allows("b", 1_000) && pace.allows("a", 3_700_000));
    }
}
