//! Messaging platforms from outside: webhooks in, requests to a platform that plays its part on
//! loopback.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse;
use frontdesk::channels::signature::{self, Rejected, Signed, form, scheme, teams, wechat};
use frontdesk::secret::webhook::WebhookKey;
use frontdesk::site::channel::{ChannelConfig, Platform, SignedAs};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::support::{LIMIT, TestServer};

mod acceptance;
mod cards;
mod desk;
mod email;
mod gateway;
mod mailbox;
mod platforms;
mod shapes;
mod whole_way;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const TELEGRAM_SECRET: &str = "a-secret-of-telegram";

/// A platform: keeps what it was sent, and answers as it is told to, else that all is well.
#[derive(Clone, Default)]
struct Fake(Arc<Inner>);

#[derive(Default)]
struct Inner {
    requests: Mutex<Vec<Seen>>,
    answers: Mutex<VecDeque<(u16, Value)>>,
    /// What it answers the next message to a conversation with, by what names that there.
    by_chat: Mutex<Vec<(String, Answer)>>,
    /// The same for what is only shown for a moment.
    streams: Mutex<Vec<(String, Answer)>>,
    /// Which requests name which number: there are many of both.
    numbers: Mutex<HashMap<String, Vec<usize>>>,
    /// Whose the server's sessions are, as far as a test asked.
    visitors: Mutex<HashMap<String, String>>,
    /// Documents by their path.
    documents: Mutex<HashMap<String, Value>>,
    /// Bodies of the messages that were taken.
    taken: Mutex<Vec<Value>>,
    /// Teams' keys can't be had.
    keys_down: Mutex<bool>,
    news: Notify,
}

/// A request to the platform.
struct Seen {
    path: String,
    body: Value,
    at: std::time::Instant,
}

/// The numbers that a text names, but no digits of a hexadecimal one.
fn numbers(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !c.is_ascii_digit() && !('a'..='f').contains(&c));
    words.filter(|word| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_digit())).collect()
}

#[derive(Clone, Debug)]
struct Answer {
    status: u16,
    /// Seconds.
    retry_after: Option<u64>,
    body: Value,
}

impl Answer {
    /// The message is taken, and no answer comes.
    const NEVER: u16 = 0;

    fn new(status: u16, body: Value) -> Self {
        Self { status, retry_after: None, body }
    }

    fn after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }
}

impl Fake {
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    async fn start() -> (Self, String) {
        let fake = Self::default();
        let router = Router::new().fallback(Self::take).with_state(fake.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (fake, address)
    }

    async fn take(State(fake): State<Self>, uri: Uri, body: String) -> impl IntoResponse {
        let form = || {
            form(body.as_bytes()).into_iter().map(|(name, value)| (name, json!(value))).collect()
        };
        let body: Value = serde_json::from_str(&body).unwrap_or_else(|_| Value::Object(form()));
        let path = uri.path().to_owned();
        // What is only shown for a moment is always taken, and so is what is no message.
        let passing = passing(&path, &body);
        let scripted = match passing {
            true => next_of(&fake.0.streams, &path, &body),
            false => fake.scripted(&path, &body),
        };
        if !passing && scripted.as_ref().is_none_or(|answer| answer.status < 300) {
            fake.0.taken.lock().unwrap().push(body.clone());
        }
        fake.note(path.clone(), body);
        let keys = || serde_json::from_str(include_str!("files/teams_test_keys.json")).unwrap();
        let down = *fake.0.keys_down.lock().unwrap();
        let document = fake.0.documents.lock().unwrap().get(&path).cloned();
        let answer = scripted.unwrap_or_else(|| match (document, path.ends_with("/keys")) {
            (Some(document), _) => Answer::new(200, document),
            (None, true) if down => Answer::new(500, Value::Null),
            (None, true) => Answer::new(200, keys()),
            (None, false) => Answer::new(200, taken()),
        });
        if answer.status == Answer::NEVER {
            std::future::pending::<()>().await;
        }
        let text = match answer.body {
            // A page and no JSON.
            Value::String(page) => page,
            body => body.to_string(),
        };
        let mut response = (StatusCode::from_u16(answer.status).unwrap(), text).into_response();
        if let Some(seconds) = answer.retry_after {
            response.headers_mut().insert("retry-after", seconds.into());
        }
        response
    }

    fn scripted(&self, path: &str, body: &Value) -> Option<Answer> {
        next_of(&self.0.by_chat, path, body).or_else(|| {
            let (status, body) = self.0.answers.lock().unwrap().pop_front()?;
            Some(Answer::new(status, body))
        })
    }

    fn note(&self, path: String, body: Value) {
        let at = std::time::Instant::now();
        let mut requests = self.0.requests.lock().unwrap();
        let mut named = self.0.numbers.lock().unwrap();
        for number in numbers(&format!("{path} {body}")) {
            let own = named.entry(number.to_owned()).or_default();
            if own.last() != Some(&requests.len()) {
                own.push(requests.len());
            }
        }
        requests.push(Seen { path, body, at });
        self.0.news.notify_waiters();
    }

    /// What names this number, looked at.
    fn about<T>(&self, number: &str, look: impl Fn(&Seen) -> Option<T>) -> Vec<T> {
        let requests = self.0.requests.lock().unwrap();
        let named = self.0.numbers.lock().unwrap();
        let own = named.get(number).into_iter().flatten();
        own.filter_map(|i| look(&requests[*i])).collect()
    }

    /// Paths and bodies of the messages that name this number.
    fn messages_to(&self, number: &str) -> Vec<(String, Value)> {
        self.about(number, |request| {
            shapes::text(&request.path, &request.body)?;
            Some((request.path.clone(), request.body.clone()))
        })
    }

    /// Answers the next message to a conversation so, one after another.
    fn answer_to(&self, marker: &str, answer: Answer) {
        self.0.by_chat.lock().unwrap().push((marker.to_owned(), answer));
    }

    fn answer(&self, status: u16, body: Value) {
        self.0.answers.lock().unwrap().push_back((status, body));
    }

    /// Bodies of requests to paths that end so.
    fn all(&self, end: &str) -> Vec<Value> {
        let requests = self.0.requests.lock().unwrap();
        requests
            .iter()
            .filter(|request| request.path.ends_with(end))
            .map(|request| request.body.clone())
            .collect()
    }

    /// Waits until there were so many requests to paths that end so.
    async fn wait(&self, end: &str, count: usize) -> Vec<Value> {
        let found = async {
            loop {
                let news = self.0.news.notified();
                let found = self.all(end);
                if found.len() >= count {
                    return found;
                }
                let _ = tokio::time::timeout(Duration::from_millis(200), news).await;
            }
        };
        let sent = tokio::time::timeout(LIMIT, found).await;
        sent.unwrap_or_else(|_| {
            let all = self.0.requests.lock().unwrap();
            let all: Vec<_> = all.iter().map(|request| (&request.path, &request.body)).collect();
            panic!("fewer than {count} requests to …{end}: {all:?}")
        })
    }
}

/// Takes the first answer that is for the conversation that a request names.
fn next_of(answers: &Mutex<Vec<(String, Answer)>>, path: &str, body: &Value) -> Option<Answer> {
    let mut answers = answers.lock().unwrap();
    if answers.is_empty() {
        return None;
    }
    let text = format!("{path} {body}");
    let named = numbers(&text);
    let own = answers.iter().position(|(number, _)| named.contains(&number.as_str()))?;
    Some(answers.remove(own).1)
}

/// An answer that every platform's adapter reads as "taken", with an access token for those that
/// ask for one.
fn taken() -> Value {
    json!({ "ok": true, "result": { "message_id": 1 }, "ts": "1.5", "id": "S1", "errcode": 0,
        "access_token": "lent", "expires_in": 7_200 })
}

fn passing(path: &str, body: &Value) -> bool {
    let ends = [
        "sendChatAction",
        "sendMessageDraft",
        "custom/typing",
        "loading/start",
        "toggle_typing_status",
    ];
    ends.iter().any(|end| path.ends_with(end))
        || path.ends_with("/keys")
        || path.ends_with("/token")
        || path.ends_with("stable_token")
        || body["type"] == "typing"
        || body["sender_action"].is_string()
        // Stands there until an answer takes its place.
        || body["text"] == "…"
}

fn channel(platform: Platform, base_url: &str) -> ChannelConfig {
    let (token, secret) = match platform {
        Platform::Telegram => ("123:abc", TELEGRAM_SECRET),
        _ => ("", SECRET),
    };
    toml::from_str(&format!(
        "platform = {:?}\ntoken = {token:?}\nsecrets = [{secret:?}]\nbase_url = {base_url:?}\nbot = \"shop_bot\"\nallow_private = true\npause_ms = 40",
        platform.name()
    ))
    .unwrap()
}

async fn started() -> (TestServer, Fake) {
    let (fake, address) = Fake::start().await;
    let server = TestServer::with(|config| {
        config.sites[0].channels = vec![
            channel(Platform::Telegram, &address),
            channel(Platform::Webhook, &format!("{address}/hook")),
        ];
    })
    .await;
    (server, fake)
}

async fn update(server: &TestServer, update: &Value) -> StatusCode {
    let request = reqwest::Client::new()
        .post(server.url("/v1/channels/shop/telegram"))
        .header("x-telegram-bot-api-secret-token", TELEGRAM_SECRET)
        .json(update);
    StatusCode::from_u16(request.send().await.unwrap().status().as_u16()).unwrap()
}

fn message(id: u64, chat: i64, text: &str) -> Value {
    json!({ "update_id": id, "message": { "message_id": id, "date": 1_700_000_000, "text": text,
        "from": { "id": chat, "is_bot": false }, "chat": { "id": chat, "type": "private" } } })
}

/// Requests signed by the platforms' own libraries or taken from their documentation, and some that
/// must not pass.
#[test]
fn signatures_of_the_platforms() {
    #[derive(serde::Deserialize)]
    struct Case {
        id: String,
        scheme: String,
        secret: String,
        headers: std::collections::HashMap<String, String>,
        /// Twilio's address, Teams' service URL.
        #[serde(default)]
        url: String,
        #[serde(default)]
        query: String,
        body: String,
        now_s: u64,
        holds: bool,
        /// WeChat's, for encrypted messages.
        #[serde(default)]
        key: String,
        #[serde(default)]
        app: String,
        /// What comes of it, where something does.
        #[serde(default)]
        plain: String,
        #[serde(default)]
        reply: Value,
        /// Teams' key set.
        #[serde(default)]
        keys: Value,
    }
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("files/webhook_signatures.json")).unwrap();
    assert!(cases.len() >= 43);
    for case in cases {
        let header = |name: &str| {
            let found = case.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.as_str())
        };
        let signed = Signed {
            header: &header,
            query: &case.query,
            body: case.body.as_bytes(),
            now_s: case.now_s,
        };
        // The one that counts is the older of two, as while secrets are changed.
        let secrets = ["whsec_bm90IHRoaXMgb25lIGJ1dCBhbm90aGVy".to_owned(), case.secret.clone()];
        let other = |scheme| scheme::verify(scheme, signed, &secrets);
        let result = match case.scheme.as_str() {
            "telegram" => signature::telegram(signed, &secrets),
            "slack" => signature::slack(signed, &secrets),
            "line" => signature::line(signed, &secrets),
            "meta" => signature::meta(signed, &secrets),
            "twilio" => signature::twilio(signed, &case.url, &secrets),
            "standard" => other(SignedAs::Standard),
            "discord" => signature::discord(signed, &secrets),
            "zendesk" => other(SignedAs::Zendesk),
            "intercom" => other(SignedAs::Intercom),
            "chatwoot" => other(SignedAs::Chatwoot),
            "mailgun" => other(SignedAs::Mailgun),
            "sendgrid" => other(SignedAs::Sendgrid),
            "zoom" => {
                let body: Value = serde_json::from_str(&case.body).unwrap();
                assert_eq!(scheme::zoom_validation(&body, &case.secret), Some(case.reply.clone()));
                other(SignedAs::Zoom)
            }
            "wechat" => wechat::verify(signed.query, &secrets, signed.now_s),
            "wechat-aes" => {
                let crypt = wechat::Crypt::new(&case.key, &case.app).unwrap();
                let text = crypt.open(signed.query, signed.body, &secrets, signed.now_s);
                text.map(|text| assert_eq!(text, case.plain))
            }
            "teams" => {
                let keys = teams::keys(&case.keys);
                let expected = teams::Expected {
                    app: &case.secret,
                    service_url: &case.url,
                    channel: "msteams",
                    now_s: case.now_s,
                };
                teams::verify(header("authorization"), &keys, &expected)
            }
            "meta-proof" => {
                assert_eq!(signature::meta_proof(&case.secret, &case.body), case.plain);
                Ok(())
            }
            other => panic!("{other}"),
        };
        assert_eq!(result.is_ok(), case.holds, "{}: {result:?}", case.id);
    }
}

/// What else posts signed webhooks: no other body, no other secret, and none that is an hour old
/// where a time is signed.
#[test]
fn other_systems_signatures_hold_for_what_they_were_made_for_alone() {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("files/webhook_signatures.json")).unwrap();
    let mut seen = 0;
    for case in &cases {
        let scheme = match case["scheme"].as_str().unwrap() {
            "zendesk" => SignedAs::Zendesk,
            "intercom" => SignedAs::Intercom,
            "chatwoot" => SignedAs::Chatwoot,
            "zoom" => SignedAs::Zoom,
            "mailgun" => SignedAs::Mailgun,
            "sendgrid" => SignedAs::Sendgrid,
            _ => continue,
        };
        seen += 1;
        let (body, secret) = (case["body"].as_str().unwrap(), case["secret"].as_str().unwrap());
        let now_s = case["now_s"].as_u64().unwrap();
        let shown: Vec<(&str, &str)> = case["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect();
        let verify = |shown: &[(&str, &str)], body: &str, secret: &str, now_s: u64| {
            let header = |name: &str| {
                shown
                    .iter()
                    .find(|(own, _)| own.eq_ignore_ascii_case(name))
                    .map(|(_, value)| *value)
            };
            let signed = Signed { header: &header, query: "", body: body.as_bytes(), now_s };
            scheme::verify(scheme, signed, &[secret.to_owned()])
        };
        let id = &case["id"];
        assert_eq!(verify(&shown, body, secret, now_s), Ok(()), "{id}");
        assert_eq!(
            verify(&shown, body, "another-secret-of-some-length", now_s),
            Err(Rejected::Forged),
            "{id}"
        );
        // Mailgun's signature covers a token in the body alone, which therefore counts once; it is
        // what is altered here.
        let forged = if scheme == SignedAs::Mailgun {
            body.replace("token=", "token=0")
        } else {
            format!("{body} ")
        };
        assert_eq!(verify(&shown, &forged, secret, now_s), Err(Rejected::Forged), "{id}");
        let later = if scheme == SignedAs::Intercom { Ok(()) } else { Err(Rejected::Stale) };
        assert_eq!(verify(&shown, body, secret, now_s + 3_600), later, "{id}");
        if scheme != SignedAs::Mailgun {
            assert_eq!(verify(&[], body, secret, now_s), Err(Rejected::Unsigned), "{id}");
        }
        // The time that is signed is the one that counts.
        let fresher: Vec<(&str, &str)> = shown
            .iter()
            .map(|(name, value)| match *name {
                _ if *value == "1790000000" => (*name, "1790003600"),
                _ if value.ends_with("19:30:00Z") => (*name, "2026-11-29T20:30:00Z"),
                _ => (*name, *value),
            })
            .collect();
        if fresher != shown {
            assert_eq!(
                verify(&fresher, body, secret, now_s + 3_600),
                Err(Rejected::Forged),
                "{id}"
            );
        }
        // An id that isn't signed doesn't make another event of it.
        let named = |name: &str| {
            name.contains("delivery")
                .then_some("other")
                .or(name.contains("invocation").then_some("other"))
        };
        let signed = Signed { header: &named, query: "", body: body.as_bytes(), now_s };
        assert!(scheme::key(scheme, signed).is_none_or(|key| body.contains(&key)), "{id}");
    }
    assert_eq!(seen, 6);
}

#[tokio::test]
async fn a_question_on_telegram_is_answered_once_however_often_it_is_delivered() {
    let (mut server, fake) = started().await;
    let question = message(1, 11, "What does shipping within Ireland cost?");
    for _ in 0..3 {
        assert_eq!(update(&server, &question).await, StatusCode::OK);
    }
    let sent = fake.wait("/bot123:abc/sendMessage", 1).await;
    assert_eq!(sent[0]["chat_id"], 11);
    assert!(sent[0]["text"].as_str().unwrap().contains("4.90 EUR"), "{sent:?}");
    assert!(!fake.all("/sendChatAction").is_empty(), "the visitor sees that somebody writes");
    // The same after a restart: what was seen stays seen.
    server.restart().await;
    assert_eq!(update(&server, &question).await, StatusCode::OK);
    update(&server, &message(2, 11, "How long can I return unused goods?")).await;
    let sent = fake.wait("/sendMessage", 2).await;
    assert_eq!(sent.len(), 2);
    assert!(sent[1]["text"].as_str().unwrap().contains("60 days"), "{sent:?}");
    server.stop().await;
}

#[tokio::test]
async fn messages_that_follow_each_other_are_one_turn_and_a_deleted_one_is_none() {
    let (mut server, fake) = started().await;
    update(&server, &message(1, 11, "Hello there")).await;
    update(&server, &message(2, 11, "What does shipping within Ireland cost?")).await;
    let sent = fake.wait("/sendMessage", 1).await;
    assert!(sent[0]["text"].as_str().unwrap().contains("4.90 EUR"), "{sent:?}");
    let event = |kind: &str, data: Value| json!({ "type": kind, "data": data });
    let said = json!({ "conversation": "c1", "message": "m1", "text": "How long can I return unused goods?" });
    assert_eq!(hook(&server, "e1", &event("message.created", said), SECRET).await, StatusCode::OK);
    let taken_back = json!({ "conversation": "c1", "message": "m1" });
    hook(&server, "e2", &event("message.deleted", taken_back), SECRET).await;
    let other = json!({ "conversation": "c1", "message": "m2", "text": "What does shipping within Ireland cost?" });
    hook(&server, "e3", &event("message.created", other), SECRET).await;
    let replies = fake.wait("/hook", 1).await;
    assert_eq!(replies.len(), 1);
    let text = replies[0]["data"]["text"].as_str().unwrap();
    assert!(text.contains("4.90 EUR") && !text.contains("60 days"), "{text}");
    server.stop().await;
}

async fn hook(server: &TestServer, id: &str, body: &Value, secret: &str) -> StatusCode {
    hook_bytes(server, id, &serde_json::to_vec(body).unwrap(), secret).await.0
}

/// The status of a webhook, and what it was answered with.
async fn hook_bytes(
    server: &TestServer,
    id: &str,
    bytes: &[u8],
    secret: &str,
) -> (StatusCode, String) {
    let at = (server.clock.now_ms() / 1000).to_string();
    let signature = WebhookKey::parse(secret).unwrap().sign(id, &at, bytes);
    let request = reqwest::Client::new()
        .post(server.url("/v1/channels/shop/webhook"))
        .header("webhook-id", id)
        .header("webhook-timestamp", at)
        .header("webhook-signature", signature)
        .body(bytes.to_vec());
    let response = request.send().await.unwrap();
    let status = StatusCode::from_u16(response.status().as_u16()).unwrap();
    (status, response.text().await.unwrap())
}

#[tokio::test]
async fn what_the_platform_did_not_sign_changes_nothing() {
    let (mut server, fake) = started().await;
    let body = json!({ "type": "message.created", "data": { "conversation": "c1", "text": "hi" } });
    assert_eq!(
        hook(&server, "e1", &body, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").await,
        StatusCode::UNAUTHORIZED
    );
    let client = reqwest::Client::new();
    let unsigned =
        client.post(server.url("/v1/channels/shop/telegram")).json(&message(1, 11, "hi"));
    assert_eq!(unsigned.send().await.unwrap().status().as_u16(), 401);
    let nowhere = client.post(server.url("/v1/channels/shop/nothing")).body("{}");
    assert_eq!(nowhere.send().await.unwrap().status().as_u16(), 404);
    // What isn't understood is no error: a platform would switch the hook off.
    for strange in
        [json!({ "update_id": 7, "poll": {} }), json!([]), json!({ "update_id": 8, "message": 5 })]
    {
        assert_eq!(update(&server, &strange).await, StatusCode::OK);
    }
    let listed =
        client.get(server.admin_url("/v1/sites/shop/channels")).bearer_auth(server.admin_key());
    let listed: Value = listed.send().await.unwrap().json().await.unwrap();
    let rejected: Vec<u64> = listed["channels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|account| account["rejected"].as_u64().unwrap())
        .collect();
    assert_eq!(rejected, [1, 1], "{listed}");
    assert!(fake.all("/sendMessage").is_empty());
    server.stop().await;
}

#[tokio::test]
async fn a_message_that_is_refused_for_now_is_sent_later_and_a_blocked_chat_waits_for_its_person() {
    let (mut server, fake) = started().await;
    fake.answer(429, json!({ "ok": false, "error_code": 429, "parameters": { "retry_after": 0 } }));
    fake.answer(502, json!(null));
    update(&server, &message(1, 11, "What does shipping within Ireland cost?")).await;
    let tries = fake.wait("/sendMessage", 3).await;
    assert_eq!(tries[0]["text"], tries[2]["text"]);
    fake.answer(
        403,
        json!({ "ok": false, "error_code": 403, "description": "Forbidden: bot was blocked by the user" }),
    );
    update(&server, &message(2, 11, "How long can I return unused goods?")).await;
    fake.wait("/sendMessage", 4).await;
    // Another conversation goes on.
    update(&server, &message(4, 12, "What does shipping within Ireland cost?")).await;
    let sent = fake.wait("/sendMessage", 5).await;
    assert_eq!(sent[4]["chat_id"], 12);
    // Whoever blocked the bot unblocked it: he writes.
    update(&server, &message(5, 11, "How long can I return unused goods?")).await;
    let sent = fake.wait("/sendMessage", 6).await;
    assert!(
        sent[5]["chat_id"] == 11 && sent[5]["text"].as_str().unwrap().contains("60 days"),
        "{sent:?}"
    );
    server.stop().await;
}

/// Each way in which a conversation is stopped: what stays unsent is counted, and the next message
/// of that person opens it.
#[tokio::test]
async fn a_stopped_conversation_tells_what_it_does_not_send_and_opens_with_the_next_message() {
    let (mut server, fake) = started().await;
    fake.answer(
        400,
        json!({ "ok": false, "error_code": 400, "description": "Bad Request: chat not found" }),
    );
    update(&server, &message(1, 11, "What does shipping within Ireland cost?")).await;
    counted(&server, "telegram", "stopped", 1).await;
    update(&server, &message(2, 11, "How long can I return unused goods?")).await;
    let sent = fake.wait("/sendMessage", 2).await;
    assert!(sent[1]["text"].as_str().unwrap().contains("60 days"), "{sent:?}");

    let event = |kind: &str, text: &str| json!({ "type": kind, "data": { "conversation": 4711, "text": text } });
    fake.answer(410, json!({}));
    let first = event("message.created", "What does shipping within Ireland cost?");
    assert_eq!(hook(&server, "e1", &first, SECRET).await, StatusCode::OK);
    counted(&server, "webhook", "stopped", 1).await;
    let second = event("message.created", "How long can I return unused goods?");
    assert_eq!(hook(&server, "e2", &second, SECRET).await, StatusCode::OK);
    let replies = fake.wait("/hook", 2).await;
    assert_eq!(replies[1]["data"]["conversation"], "4711");
    assert!(replies[1]["data"]["text"].as_str().unwrap().contains("60 days"), "{replies:?}");

    // Who left by saying so is back when that is said: a message alone is no consent.
    hook(&server, "e3", &first, SECRET).await;
    fake.wait("/hook", 3).await;
    hook(&server, "e4", &event("conversation.left", ""), SECRET).await;
    hook(&server, "e5", &second, SECRET).await;
    counted(&server, "webhook", "stopped", 2).await;
    hook(&server, "e6", &event("conversation.returned", ""), SECRET).await;
    hook(&server, "e7", &first, SECRET).await;
    let replies = fake.wait("/hook", 4).await;
    assert_eq!(replies.len(), 4, "{replies:?}");
    assert!(replies[3]["data"]["text"].as_str().unwrap().contains("4.90 EUR"), "{replies:?}");
    server.stop().await;
}

async fn metrics(server: &TestServer) -> String {
    let request =
        reqwest::Client::new().get(server.admin_url("/metrics")).bearer_auth(server.admin_key());
    request.send().await.unwrap().text().await.unwrap()
}

/// Waits until so many messages to a platform came to this end.
async fn counted(server: &TestServer, platform: &str, what: &str, count: u64) {
    let line =
        format!("channel_messages_total{{platform=\"{platform}\",what=\"{what}\"}} {count}\n");
    let found = async {
        loop {
            if metrics(server).await.contains(&line) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let found = tokio::time::timeout(LIMIT, found).await;
    found.unwrap_or_else(|_| panic!("no {line}"));
}

#[tokio::test]
async fn a_signed_webhook_that_cannot_be_read_is_refused_with_the_reason() {
    let (mut server, fake) = started().await;
    let said = |data: Value| json!({ "type": "message.created", "data": data });
    for (id, body, why) in [
        ("e1", json!([]).to_string(), "`type`"),
        ("e2", "not json".to_owned(), "isn't JSON"),
        ("e3", said(json!({ "text": "hi" })).to_string(), "data.conversation"),
        ("e4", said(json!({ "conversation": "c1", "text": "" })).to_string(), "data.text"),
        (
            "e5",
            said(json!({ "conversation": "c".repeat(400), "text": "hi" })).to_string(),
            "conversation",
        ),
    ] {
        let (status, told) = hook_bytes(&server, id, body.as_bytes(), SECRET).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert!(told.contains(why), "{body}: {told}");
    }
    // What is meant for somebody else is none of our business.
    assert_eq!(
        hook(&server, "e6", &json!({ "type": "invoice.paid" }), SECRET).await,
        StatusCode::OK
    );
    let cut_short = reqwest::Client::new()
        .post(server.url("/v1/channels/shop/telegram"))
        .header("x-telegram-bot-api-secret-token", TELEGRAM_SECRET)
        .body(r#"{"update_id": 7, "mess"#);
    assert_eq!(cut_short.send().await.unwrap().status().as_u16(), 400);
    // Systems number their conversations, people and messages.
    let numbered = said(
        json!({ "conversation": 47, "user": 5, "message": 9, "text": "What does shipping within Ireland cost?" }),
    );
    assert_eq!(hook(&server, "e7", &numbered, SECRET).await, StatusCode::OK);
    assert_eq!(fake.wait("/hook", 1).await[0]["data"]["conversation"], "47");
    server.stop().await;
}

/// What isn't a question is answered as what it is: no search, no gap, no unsure answer.
#[tokio::test]
async fn an_opened_chat_is_greeted_and_files_alone_are_answered_honestly() {
    let (mut server, fake) = started().await;
    update(&server, &message(1, 11, "/start from_page")).await;
    let mut voice = message(2, 12, "");
    voice["message"]["voice"] = json!({ "file_size": 13_000 });
    update(&server, &voice).await;
    let mut photo = message(3, 13, "");
    photo["message"]["photo"] = json!([{ "file_size": 13_000 }]);
    update(&server, &photo).await;
    let sent = fake.wait("/sendMessage", 3).await;
    let to = |chat: u64| {
        sent.iter().find(|body| body["chat_id"] == chat).unwrap()["text"].as_str().unwrap()
    };
    assert!(to(11).starts_with("Hello!"), "{sent:?}");
    for chat in [12, 13] {
        assert!(
            to(chat).contains("can't look at pictures") && to(chat).contains("a person"),
            "{sent:?}"
        );
    }
    let client = reqwest::Client::new();
    let get = async |path: &str| {
        let response = client
            .get(server.admin_url(path))
            .bearer_auth(server.admin_key())
            .send()
            .await
            .unwrap();
        response.json::<Value>().await.unwrap()
    };
    for session in get("/v1/sites/shop/sessions").await["sessions"].as_array().unwrap() {
        let id = session["session"].as_str().unwrap();
        let session = get(&format!("/v1/sites/shop/sessions/{id}")).await;
        let ends: Vec<&Value> = session["transcript"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| &line["event"]["end"])
            .collect();
        assert!(ends.iter().any(|end| **end == "small_talk"), "{session}");
    }
    // A file with words is a question.
    let mut asked = message(4, 13, "");
    asked["message"].as_object_mut().unwrap().remove("text");
    asked["message"]["photo"] = json!([{ "file_size": 13_000 }]);
    asked["message"]["caption"] = json!("What does shipping within Ireland cost?");
    update(&server, &asked).await;
    let sent = fake.wait("/sendMessage", 4).await;
    assert!(sent[3]["text"].as_str().unwrap().contains("4.90 EUR"), "{sent:?}");
    server.stop().await;
}

/// Files of secrets count from the folder of the configuration, wherever the command is started.
#[tokio::test]
async fn the_command_reads_files_from_the_folder_of_the_configuration_and_writes_to_one_account() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "123:abc\n").unwrap();
    std::fs::write(folder.path().join("secrets"), format!("{TELEGRAM_SECRET}\n")).unwrap();
    let config = |more: &str| {
        let text = format!(
            "[[sites]]\nid = \"shop\"\n[[sites.channels]]\nplatform = \"telegram\"\ntoken_file = \"token\"\n\
             secrets_file = \"secrets\"\n{more}"
        );
        std::fs::write(folder.path().join("config.toml"), text).unwrap();
    };
    let command = async |arguments: &[&str]| {
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_frontdesk"))
            .arg("--config")
            .arg(folder.path().join("config.toml"))
            .arg("channels")
            .args(arguments)
            .current_dir("/")
            .output()
            .await
            .unwrap();
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        (output.status.success(), text)
    };
    config("");
    let (well, text) = command(&["list"]).await;
    assert!(well && text.contains("shop/telegram"), "{text}");
    // A platform that is told by hand, and a second account.
    config(
        "[[sites.channels]]\nplatform = \"webhook\"\nsecrets = [\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"]\n\
         base_url = \"https://crm.example/hook\"\n",
    );
    let (well, text) = command(&["register", "--channel", "webhook"]).await;
    assert!(well && text.contains("nothing to do here"), "{text}");
    let (well, text) = command(&["send", "--to", "1", "A test"]).await;
    assert!(
        !well && text.contains("shop/telegram, shop/webhook") && text.contains("--channel"),
        "{text}"
    );
    let (well, text) = command(&["send", "--channel", "webhook", "--to", "1", " "]).await;
    assert!(!well && text.contains("the text is empty"), "{text}");
    config("token = \"456:def\"\n");
    let (well, text) = command(&["list"]).await;
    assert!(!well && text.contains("token and token_file are both set"), "{text}");
}

#[tokio::test]
async fn erasing_the_conversation_finds_its_place_on_the_platform() {
    let (mut server, fake) = started().await;
    update(&server, &message(1, 11, "What does shipping within Ireland cost?")).await;
    fake.wait("/sendMessage", 1).await;
    let client = reqwest::Client::new();
    let sessions =
        client.get(server.admin_url("/v1/sites/shop/sessions")).bearer_auth(server.admin_key());
    let sessions: Value = sessions.send().await.unwrap().json().await.unwrap();
    let id = sessions["sessions"][0]["session"].as_str().unwrap().to_owned();
    let path = format!("/v1/sites/shop/sessions/{id}");
    let session = client.get(server.admin_url(&path)).bearer_auth(server.admin_key());
    let session: Value = session.send().await.unwrap().json().await.unwrap();
    assert_eq!(session["transcript"][0]["event"]["channel"], "telegram", "{session}");
    let erased = client
        .delete(server.admin_url(&path))
        .bearer_auth(server.admin_key())
        .send()
        .await
        .unwrap();
    assert_eq!(erased.status().as_u16(), 204);
    // What comes next is another conversation.
    update(&server, &message(2, 11, "How long can I return unused goods?")).await;
    fake.wait("/sendMessage", 2).await;
    let gone =
        client.get(server.admin_url(&path)).bearer_auth(server.admin_key()).send().await.unwrap();
    assert_eq!(gone.status().as_u16(), 404);
    server.stop().await;
}

#[tokio::test]
async fn a_platform_in_a_private_network_is_not_called_unless_the_configuration_says_so() {
    let (fake, address) = Fake::start().await;
    // The name and the address itself: one is refused as it is looked up, the other before.
    let named = address.replace("127.0.0.1", "localhost").replace("http://", "https://");
    let mut server = TestServer::with(|config| {
        config.sites[0].channels =
            [("telegram", named), ("literal", address.replace("http://", "https://"))]
                .map(|(id, url)| {
                    let channel = channel(Platform::Telegram, &url);
                    ChannelConfig { id: id.into(), allow_private: false, ..channel }
                })
                .to_vec();
    })
    .await;
    update(&server, &message(1, 11, "What does shipping within Ireland cost?")).await;
    let literal = reqwest::Client::new()
        .post(server.url("/v1/channels/shop/literal"))
        .header("x-telegram-bot-api-secret-token", TELEGRAM_SECRET)
        .json(&message(1, 11, "What does shipping within Ireland cost?"));
    assert_eq!(literal.send().await.unwrap().status().as_u16(), 200);
    let said = async {
        loop {
            let ready: Value =
                reqwest::get(server.admin_url("/readyz")).await.unwrap().json().await.unwrap();
            if ready["channels"]["failing"] == 2 {
                return ready;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let ready = tokio::time::timeout(LIMIT, said).await.unwrap();
    assert_eq!(ready["ready"], true, "visitors of the widget get answers all the same");
    assert!(!ready.to_string().contains("telegram"), "{ready}");
    let listed = reqwest::Client::new()
        .get(server.admin_url("/v1/sites/shop/channels"))
        .bearer_auth(server.admin_key());
    let listed: Value = listed.send().await.unwrap().json().await.unwrap();
    for account in listed["channels"].as_array().unwrap() {
        assert!(account["failing"].as_str().unwrap().contains("no public address"), "{listed}");
    }
    assert!(fake.all("").is_empty());
    server.stop().await;
}

/// A hundred conversations at a platform that delivers twice and out of order, is too busy most of
/// the time and broken some of it: every question is answered once, and each conversation's answers
/// come in the order of its questions.
#[tokio::test]
async fn a_platform_that_fails_and_repeats_itself_loses_and_doubles_nothing() {
    const CHATS: i64 = 100;
    let (mut server, fake) = started().await;
    let busy =
        || (429, json!({ "ok": false, "error_code": 429, "parameters": { "retry_after": 0 } }));
    let by_chat = || {
        let mut texts: std::collections::BTreeMap<i64, Vec<String>> =
            std::collections::BTreeMap::new();
        for body in fake.0.taken.lock().unwrap().iter() {
            let text = body["text"].as_str().unwrap().to_owned();
            texts.entry(body["chat_id"].as_i64().unwrap()).or_default().push(text);
        }
        texts
    };
    let questions =
        ["What does shipping within Ireland cost?", "How long can I return unused goods?"];
    for (round, question) in questions.into_iter().enumerate() {
        for i in 0..60 {
            // Five failures in a row would count as an outage.
            let (status, body) = if i % 20 == 7 { (500, json!(null)) } else { busy() };
            fake.answer(status, body);
        }
        let id = |chat: i64| u64::try_from(chat).unwrap() + 1_000 * (round as u64 + 1);
        let once = (1..=CHATS).rev().chain((1..=CHATS).filter(|chat| chat % 3 == 0));
        for chat in once {
            let status = update(&server, &message(id(chat), chat, question)).await;
            // The same event at the same moment is to be sent again.
            assert!(
                status == StatusCode::OK || status == StatusCode::SERVICE_UNAVAILABLE,
                "{status}"
            );
        }
        let all = async {
            while by_chat().values().filter(|texts| texts.len() > round).count()
                < usize::try_from(CHATS).unwrap()
            {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let done = tokio::time::timeout(LIMIT, all).await;
        assert!(done.is_ok(), "{} of {CHATS} answered in round {round}", by_chat().len());
    }
    for (chat, texts) in by_chat() {
        assert_eq!(texts.len(), 2, "{chat}: {texts:?}");
        assert!(texts[0].contains("4.90 EUR") && texts[1].contains("60 days"), "{chat}: {texts:?}");
    }
    server.stop().await;
}
