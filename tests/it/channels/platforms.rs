//! What every platform has to hold, one table over all adapters through a running server. A row
//! that is left out says why.
//!
//! Not here: the vectors (`signatures_of_the_platforms`), Stop and streams (below, each where a
//! platform has them), how texts are cut (`channels::text`). A stop between store and send stands
//! for a kill: the outbox is on disk before a try.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as BASE64URL};
use frontdesk::secret::webhook::WebhookKey;
use frontdesk::site::channel::{ChannelConfig, Platform};
use frontdesk::turn::Mode;
use ring::signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use ring::{digest, hmac};
use serde_json::{Value, json};

use super::{Duration, Fake, LIMIT, TestServer};

/// E-mail doesn't go out by HTTP: see `email`.
const ALL: [Platform; 11] = [
    Platform::Telegram,
    Platform::Slack,
    Platform::WhatsApp,
    Platform::Messenger,
    Platform::Line,
    Platform::Twilio,
    Platform::Discord,
    Platform::WeChat,
    Platform::Teams,
    Platform::Chatwoot,
    Platform::Webhook,
];
/// The older of two secrets, which holds while they are changed.
const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW: &str = "whsec_bm90IHRoaXMgb25lIGJ1dCBhbm90aGVy";
const APP: &str = "00000000-1111-2222-3333-444444444444";
const SHIPPING: &str = "What does shipping within Ireland cost?";
const RETURNS: &str = "How long can I return unused goods?";

/// What a customer, or somebody else, does on a platform. `message` names what is said, edited or
/// deleted.
enum Did {
    Said {
        message: u64,
        text: &'static str,
    },
    Edited {
        message: u64,
        text: &'static str,
    },
    Deleted {
        message: u64,
    },
    /// Our own message, as the platform shows it to us.
    Echo,
    /// A person on the platform takes the conversation, and gives it back.
    Held,
    Released,
    Unknown,
}

fn seed() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn account(platform: Platform, fake: &str) -> ChannelConfig {
    let name = platform.name();
    // Discord's secret is a public key, which isn't known here by a name.
    let old = if platform == Platform::Discord {
        hex(seed().public_key().as_ref())
    } else {
        OLD.to_owned()
    };
    let new = if platform == Platform::Discord { hex(&[1; 32]) } else { NEW.to_owned() };
    toml::from_str(&format!(
        "platform = {name:?}\ntoken = \"123:abc\"\nsecrets = [{new:?}, {old:?}]\nbase_url = \"{fake}/{name}\"\n\
         allow_private = true\npause_ms = 250\nbot = \"shop_bot\"\nsender = \"1065\"\naccount_sid = \"AC1\"\n\
         verify_token = \"a-verify-token-of-ours\"\napp_id = {APP:?}\ntenant = \"t\"\n\
         public_url = \"https://chat.shop.example/v1/channels/shop/twilio\"\nlogin_url = \"{fake}/login\"\n\
         keys_url = \"{fake}/keys\""
    ))
    .unwrap()
}

/// A request's body; `None` where the platform has nothing of the kind.
fn body(platform: Platform, fake: &str, chat: u64, key: u64, did: &Did) -> Option<String> {
    let at = 1_700_000_000_u64;
    let value = match platform {
        Platform::Telegram => {
            let message = |id: u64, text: &str| {
                json!({ "message_id": id, "date": at, "edit_date": at, "text": text,
                    "from": { "id": chat, "is_bot": false }, "chat": { "id": chat, "type": "private" } })
            };
            match did {
                Did::Said { message: id, text } => {
                    json!({ "update_id": key, "message": message(*id, text) })
                }
                Did::Edited { message: id, text } => {
                    json!({ "update_id": key, "edited_message": message(*id, text) })
                }
                Did::Echo => {
                    let mut own = message(key, SHIPPING);
                    own["from"]["is_bot"] = json!(true);
                    json!({ "update_id": key, "message": own })
                }
                Did::Unknown => json!({ "update_id": key, "poll": {} }),
                // A bot isn't told of deletions, and nobody else answers in its chats.
                Did::Deleted { .. } | Did::Held | Did::Released => return None,
            }
        }
        Platform::Slack => {
            let event = match did {
                Did::Said { message, text } => {
                    json!({ "type": "message", "text": text, "user": "U1", "ts": format!("{message}.1") })
                }
                Did::Edited { message, text } => {
                    json!({ "type": "message", "subtype": "message_changed",
                    "message": { "user": "U1", "text": text, "ts": format!("{message}.1"), "edited": { "user": "U1" } } })
                }
                Did::Deleted { message } => {
                    json!({ "type": "message", "subtype": "message_deleted",
                    "deleted_ts": format!("{message}.1"), "previous_message": { "user": "U1" } })
                }
                Did::Echo => {
                    json!({ "type": "message", "bot_id": "B1", "text": SHIPPING, "ts": "1.1" })
                }
                Did::Unknown => json!({ "type": "reaction_added", "user": "U1" }),
                // Nobody else answers in a bot's chats.
                Did::Held | Did::Released => return None,
            };
            let mut event = event;
            event["channel"] = json!(format!("D{chat}"));
            event["channel_type"] = json!("im");
            json!({ "type": "event_callback", "event_id": format!("Ev{key}"), "team_id": "T1", "event": event })
        }
        Platform::WhatsApp => {
            let from = format!("1650{chat}");
            let message = |more: Value| {
                let mut message = json!({ "from": from, "id": format!("wamid.{key}"), "timestamp": at.to_string() });
                message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
                json!({ "messages": [message] })
            };
            let text = |text: &str| json!({ "type": "text", "text": { "body": text } });
            let (field, mut value) = match did {
                Did::Said { message: id, text: said } => {
                    let mut said = text(said);
                    said["id"] = json!(format!("wamid.{id}"));
                    ("messages", message(said))
                }
                Did::Edited { message: id, text: said } => (
                    "messages",
                    message(json!({ "type": "edit",
                    "edit": { "original_message_id": format!("wamid.{id}"), "message": text(said) } })),
                ),
                Did::Deleted { message: id } => (
                    "messages",
                    message(json!({ "type": "revoke",
                    "revoke": { "original_message_id": format!("wamid.{id}") } })),
                ),
                Did::Held => (
                    "messaging_handovers",
                    json!({ "control_taken": { "wa_id": from }, "timestamp": key.to_string() }),
                ),
                Did::Released => (
                    "messaging_handovers",
                    json!({ "control_passed": { "wa_id": from }, "timestamp": key.to_string() }),
                ),
                Did::Unknown => ("messages", message(json!({ "type": "hologram" }))),
                // Messages of the API aren't echoed.
                Did::Echo => return None,
            };
            value["metadata"] = json!({ "phone_number_id": "1065" });
            json!({ "entry": [{ "changes": [{ "field": field, "value": value }] }] })
        }
        Platform::Messenger => {
            let mut event = match did {
                Did::Said { message, text } => {
                    json!({ "message": { "mid": format!("m_{message}"), "text": text } })
                }
                Did::Edited { message, text } => {
                    json!({ "message_edit": { "mid": format!("m_{message}"), "text": text, "num_edit": 1 } })
                }
                Did::Echo => {
                    json!({ "message": { "mid": format!("m_{key}"), "is_echo": true, "metadata": "frontdesk", "text": SHIPPING } })
                }
                Did::Held => {
                    json!({ "message": { "mid": format!("m_{key}"), "is_echo": true, "app_id": 26, "text": "I'm here" } })
                }
                Did::Released => json!({ "pass_thread_control": { "new_owner_app_id": "1" } }),
                Did::Unknown => json!({ "hologram": {} }),
                // Not told of deletions.
                Did::Deleted { .. } => return None,
            };
            let (person, page) = (json!({ "id": format!("P{chat}") }), json!({ "id": "1065" }));
            let echo = event["message"]["is_echo"] == true;
            event["sender"] = if echo { page.clone() } else { person.clone() };
            event["recipient"] = if echo { person } else { page };
            event["timestamp"] = json!(at * 1000 + key);
            json!({ "entry": [{ "messaging": [event] }] })
        }
        Platform::Line => {
            let mut event = match did {
                Did::Said { message, text } => {
                    json!({ "type": "message", "replyToken": format!("R{key}"),
                    "message": { "id": message.to_string(), "type": "text", "text": text } })
                }
                Did::Deleted { message } => {
                    json!({ "type": "unsend", "unsend": { "messageId": message.to_string() } })
                }
                Did::Unknown => json!({ "type": "hologram" }),
                // No edits, no echoes; `standby` events name who holds a conversation, one by one.
                _ => return None,
            };
            event["webhookEventId"] = json!(format!("E{key}"));
            event["source"] = json!({ "type": "user", "userId": format!("U{chat}") });
            json!({ "events": [event] })
        }
        Platform::Twilio => {
            return match did {
                Did::Said { message, text } => Some(format!(
                    "MessageSid=SM{message}&From=%2B1{chat}&Body={}",
                    text.replace(' ', "+").replace('?', "%3F")
                )),
                Did::Unknown => Some(format!("MessageSid=SM{key}&MessageStatus=delivered")),
                // A text message is gone once it is sent.
                _ => None,
            };
        }
        Platform::Discord => match did {
            Did::Said { message, text } => {
                json!({ "type": 2, "id": message.to_string(), "token": format!("tok{message}"),
                "channel_id": format!("{chat}"), "user": { "id": "44" },
                "data": { "name": "ask", "options": [{ "name": "q", "value": text }] } })
            }
            Did::Unknown => json!({ "type": 5, "id": key.to_string() }),
            // A command can't be edited or taken back.
            _ => return None,
        },
        Platform::WeChat => {
            let kind = match did {
                Did::Said { message, text } => {
                    format!(
                        "<MsgType>text</MsgType><Content><![CDATA[{text}]]></Content><MsgId>{message}</MsgId>"
                    )
                }
                Did::Unknown => format!("<MsgType>hologram</MsgType><MsgId>{key}</MsgId>"),
                // Neither edits nor deletions are told.
                _ => return None,
            };
            return Some(format!(
                "<xml><ToUserName>gh_1</ToUserName><FromUserName>o{chat}</FromUserName>\
                 <CreateTime>{at}</CreateTime>{kind}</xml>"
            ));
        }
        Platform::Teams => {
            let mut activity = match did {
                Did::Said { message, text } => {
                    json!({ "type": "message", "id": message.to_string(), "text": text })
                }
                Did::Edited { message, text } => {
                    json!({ "type": "messageUpdate", "id": message.to_string(), "text": text, "timestamp": "t" })
                }
                Did::Deleted { message } => {
                    json!({ "type": "messageDelete", "id": message.to_string() })
                }
                Did::Echo => {
                    json!({ "type": "message", "id": key.to_string(), "text": SHIPPING, "from": { "id": "28:bot" } })
                }
                Did::Unknown => json!({ "type": "hologram", "id": key.to_string() }),
                Did::Held | Did::Released => return None,
            };
            activity["serviceUrl"] = json!(format!("{fake}/teams/"));
            activity["channelId"] = json!("msteams");
            if activity["from"].is_null() {
                activity["from"] = json!({ "id": format!("29:{chat}") });
            }
            activity["recipient"] = json!({ "id": "28:bot" });
            activity["conversation"] =
                json!({ "conversationType": "personal", "id": format!("a:{chat}") });
            activity
        }
        Platform::Chatwoot => {
            let message = |id: u64, kind: &str, text: &str| {
                json!({ "event": "message_created", "id": id, "content": text, "message_type": kind,
                    "conversation": { "id": chat, "status": "pending" }, "account": { "id": 1 } })
            };
            let status = |status: &str| {
                json!({ "event": "conversation_status_changed", "id": chat, "status": status,
                    "account": { "id": 1 }, "updated_at": key })
            };
            match did {
                Did::Said { message: id, text } => message(*id, "incoming", text),
                Did::Echo => message(key, "outgoing", SHIPPING),
                Did::Held => status("open"),
                Did::Released => status("pending"),
                Did::Unknown => json!({ "event": "hologram" }),
                // Neither edits nor deletions are told to a bot.
                Did::Edited { .. } | Did::Deleted { .. } => return None,
            }
        }
        Platform::Email => return None,
        Platform::Webhook => {
            let (kind, message, text) = match did {
                Did::Said { message, text } => ("message.created", *message, *text),
                Did::Edited { message, text } => ("message.edited", *message, *text),
                Did::Deleted { message } => ("message.deleted", *message, ""),
                Did::Held => ("conversation.held", key, ""),
                Did::Released => ("conversation.released", key, ""),
                Did::Unknown => ("hologram", key, ""),
                // Who writes the other side decides what it sends.
                Did::Echo => return None,
            };
            json!({ "type": kind, "data": { "conversation": chat.to_string(), "message": message.to_string(), "text": text } })
        }
    };
    Some(value.to_string())
}

/// What the platform shows to prove that it sent the body: headers, and what stands behind `?`.
fn proof(
    platform: Platform,
    fake: &str,
    body: &str,
    key: u64,
    now_s: u64,
) -> (Vec<(&'static str, String)>, String) {
    let at = now_s.to_string();
    let mac = |algorithm, text: &str| {
        hmac::sign(&hmac::Key::new(algorithm, OLD.as_bytes()), text.as_bytes())
    };
    let sha256 = |text: &str| hex(mac(hmac::HMAC_SHA256, text).as_ref());
    let headers = match platform {
        Platform::Telegram => vec![("x-telegram-bot-api-secret-token", OLD.to_owned())],
        Platform::Slack => vec![
            ("x-slack-request-timestamp", at.clone()),
            ("x-slack-signature", format!("v0={}", sha256(&format!("v0:{at}:{body}")))),
        ],
        Platform::WhatsApp | Platform::Messenger => {
            vec![("x-hub-signature-256", format!("sha256={}", sha256(body)))]
        }
        Platform::Line => {
            vec![("x-line-signature", BASE64.encode(mac(hmac::HMAC_SHA256, body).as_ref()))]
        }
        Platform::Twilio => {
            let pairs: BTreeMap<_, _> = super::form(body.as_bytes()).into_iter().collect();
            let pairs: String =
                pairs.into_iter().map(|(name, value)| format!("{name}{value}")).collect();
            let text = format!("https://chat.shop.example/v1/channels/shop/twilio{pairs}");
            let tag = mac(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &text);
            vec![("x-twilio-signature", BASE64.encode(tag.as_ref()))]
        }
        Platform::Discord => {
            let signature = seed().sign(format!("{at}{body}").as_bytes());
            vec![
                ("x-signature-timestamp", at.clone()),
                ("x-signature-ed25519", hex(signature.as_ref())),
            ]
        }
        Platform::WeChat => {
            let mut words = [OLD, at.as_str(), "n"];
            words.sort_unstable();
            let signature =
                digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, words.concat().as_bytes());
            return (
                Vec::new(),
                format!("?signature={}&timestamp={at}&nonce=n", hex(signature.as_ref())),
            );
        }
        Platform::Teams => vec![("authorization", format!("Bearer {}", teams_token(fake, now_s)))],
        Platform::Chatwoot => vec![
            ("x-chatwoot-timestamp", at.clone()),
            ("x-chatwoot-signature", format!("sha256={}", sha256(&format!("{at}.{body}")))),
        ],
        Platform::Email => Vec::new(),
        Platform::Webhook => {
            let id = format!("msg_{key}");
            let signature = WebhookKey::parse(OLD).unwrap().sign(&id, &at, body.as_bytes());
            vec![
                ("webhook-id", id),
                ("webhook-timestamp", at.clone()),
                ("webhook-signature", signature),
            ]
        }
    };
    (headers, String::new())
}

/// A token as the Bot Framework makes it, by a key that is for tests alone.
fn teams_token(fake: &str, now_s: u64) -> String {
    let key = RsaKeyPair::from_pkcs8(include_bytes!("../files/teams_test_key.der")).unwrap();
    let part = |value: Value| BASE64URL.encode(value.to_string());
    let claims = json!({ "iss": "https://api.botframework.com", "aud": APP, "nbf": now_s - 10, "exp": now_s + 600,
        "serviceurl": format!("{fake}/teams/") });
    let signed =
        format!("{}.{}", part(json!({ "alg": "RS256", "kid": "fd-test-1" })), part(claims));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &ring::rand::SystemRandom::new(),
        signed.as_bytes(),
        &mut signature,
    )
    .unwrap();
    format!("{signed}.{}", BASE64URL.encode(signature))
}

/// The text of a message that went out, whatever the platform; `None` for what only shows that one
/// is written.
fn text(path: &str, body: &Value) -> Option<String> {
    if super::passing(path, body) {
        return None;
    }
    let places = [
        "/text/body",
        "/text/content",
        "/message/text",
        "/messages/0/text",
        "/Body",
        "/content",
        "/data/plain",
        "/text",
    ];
    let found = places.iter().find_map(|place| body.pointer(place)?.as_str());
    found.filter(|text| *text != "…").map(str::to_owned)
}

/// One platform at its server.
struct Desk<'a> {
    server: &'a TestServer,
    fake: &'a Fake,
    address: &'a str,
    platform: Platform,
    client: reqwest::Client,
    keys: std::sync::atomic::AtomicU64,
    /// Events whose response held an answer: a platform shows one to each, and asks again only
    /// where none came.
    responded: std::sync::Mutex<std::collections::HashSet<u64>>,
}

impl<'a> Desk<'a> {
    fn new(server: &'a TestServer, fake: &'a Fake, address: &'a str, platform: Platform) -> Self {
        let keys = std::sync::atomic::AtomicU64::new(1);
        let responded = std::sync::Mutex::default();
        Self { server, fake, address, platform, client: reqwest::Client::new(), keys, responded }
    }

    fn key(&self) -> u64 {
        self.keys.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    }

    /// What was sent by this platform's account, and what its requests were answered with.
    fn sent(&self) -> Vec<String> {
        let prefix = format!("/{}", self.platform.name());
        let requests = self.fake.0.requests.lock().unwrap();
        let own = requests.iter().filter(|(path, _)| path.starts_with(&prefix));
        own.filter_map(|(path, body)| text(path, body)).collect()
    }

    /// Posts it; the text that the response holds, if it is an answer.
    async fn post(&self, chat: u64, key: u64, did: &Did) -> Option<String> {
        self.post_body(key, body(self.platform, self.address, chat, key, did)?).await
    }

    async fn post_body(&self, key: u64, body: String) -> Option<String> {
        let now_s = self.server.clock.now_ms() / 1000;
        let (headers, query) = proof(self.platform, self.address, &body, key, now_s);
        let url = self.server.url(&format!("/v1/channels/shop/{}{query}", self.platform.name()));
        let mut request = self.client.post(url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let response = request.body(body).send().await.unwrap();
        let status = response.status();
        assert!(status.is_success(), "{}: {status}", self.platform.name());
        let text = response.text().await.unwrap();
        let content = text.split("<Content><![CDATA[").nth(1)?.split("]]>").next()?.to_owned();
        // It counts as sent, as if the platform had been called.
        if self.responded.lock().unwrap().insert(key) {
            let path = format!("/{}/response", self.platform.name());
            self.fake.0.requests.lock().unwrap().push((path, json!({ "content": content })));
        }
        Some(content)
    }

    /// Posts them shortly after one another, as people write; none waits for the other's response.
    async fn post_all(&self, chat: u64, all: Vec<(u64, Did)>) {
        let posts = all.into_iter().enumerate().map(|(i, (key, did))| async move {
            tokio::time::sleep(Duration::from_millis(30 * i as u64)).await;
            self.post(chat, key, &did).await;
        });
        futures_util::future::join_all(posts).await;
    }

    async fn say(&self, chat: u64, text: &'static str) {
        let key = self.key();
        self.post(chat, key, &Did::Said { message: key, text }).await;
    }

    /// Waits until so many messages went out.
    async fn wait(&self, count: usize) -> Vec<String> {
        let found = async {
            loop {
                let sent = self.sent();
                if sent.len() >= count {
                    return sent;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let sent = tokio::time::timeout(LIMIT, found).await;
        sent.unwrap_or_else(|_| {
            panic!("{}: fewer than {count} messages: {:?}", self.platform.name(), self.sent())
        })
    }

    fn has(&self, did: &Did) -> bool {
        body(self.platform, self.address, 1, 1, did).is_some()
    }
}

/// (b) (n) (j) (l): each event counts once, what isn't understood is a 200, our own words aren't
/// answered, and the older of two secrets holds.
async fn redelivered_unknown_and_own(desk: &Desk<'_>) -> usize {
    let key = desk.key();
    let said = Did::Said { message: key, text: SHIPPING };
    for _ in 0..3 {
        desk.post(11, key, &said).await;
    }
    let sent = desk.wait(1).await;
    assert!(sent[0].contains("4.90 EUR"), "{sent:?}");
    for did in [Did::Unknown, Did::Echo] {
        let key = desk.key();
        desk.post(11, key, &did).await;
    }
    1
}

/// (d) (e): messages that follow each other are one turn; what was edited or deleted before it
/// began counts as it stands.
async fn barge_in_edits_and_deletions(desk: &Desk<'_>, mut count: usize) -> usize {
    let [a, b, c] = [desk.key(), desk.key(), desk.key()];
    let said = |message, text| (message, Did::Said { message, text });
    desk.post_all(12, vec![said(a, "Hello there"), said(b, "Good morning"), said(c, SHIPPING)])
        .await;
    count += 1;
    let sent = desk.wait(count).await;
    assert!(sent[count - 1].contains("4.90 EUR"), "{sent:?}");
    let [a, b, c] = [desk.key(), desk.key(), desk.key()];
    if desk.has(&Did::Edited { message: 1, text: "" }) {
        desk.post_all(13, vec![said(a, SHIPPING), (b, Did::Edited { message: a, text: RETURNS })])
            .await;
        count += 1;
        let sent = desk.wait(count).await;
        let last = &sent[count - 1];
        assert!(last.contains("60 days") && !last.contains("4.90 EUR"), "{sent:?}");
    }
    let [d, e] = [desk.key(), desk.key()];
    if desk.has(&Did::Deleted { message: 1 }) {
        desk.post_all(
            14,
            vec![said(c, RETURNS), (d, Did::Deleted { message: c }), said(e, SHIPPING)],
        )
        .await;
        count += 1;
        let sent = desk.wait(count).await;
        let last = &sent[count - 1];
        assert!(last.contains("4.90 EUR") && !last.contains("60 days"), "{sent:?}");
    }
    count
}

/// (k): while somebody else holds the conversation, not a word.
async fn held(desk: &Desk<'_>, count: usize) -> usize {
    if !desk.has(&Did::Held) {
        return count;
    }
    let key = desk.key();
    desk.post(15, key, &Did::Held).await;
    desk.say(15, RETURNS).await;
    // Time enough for an answer, had there been one.
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(desk.sent().len(), count, "{}", desk.platform.name());
    let key = desk.key();
    desk.post(15, key, &Did::Released).await;
    desk.say(15, SHIPPING).await;
    let sent = desk.wait(count + 1).await;
    assert!(sent[count].contains("4.90 EUR"), "{sent:?}");
    count + 1
}

/// (g) (h): a refusal for now is tried again and nothing is lost; one for good ends the
/// conversation, and no other.
async fn refusals(desk: &Desk<'_>, mut count: usize) -> usize {
    let (slow, closed) = match desk.platform {
        Platform::Telegram => (
            (429, json!({ "ok": false, "error_code": 429, "parameters": { "retry_after": 0 } })),
            (
                403,
                json!({ "ok": false, "error_code": 403, "description": "Forbidden: bot was blocked by the user" }),
            ),
        ),
        Platform::Slack => (
            (429, json!({ "ok": false, "error": "ratelimited" })),
            (200, json!({ "ok": false, "error": "is_archived" })),
        ),
        Platform::WhatsApp => (
            (400, json!({ "error": { "code": 131_056 } })),
            (400, json!({ "error": { "code": 131_047, "message": "window" } })),
        ),
        Platform::Messenger => (
            (400, json!({ "error": { "code": 613 } })),
            (400, json!({ "error": { "code": 551, "message": "unavailable" } })),
        ),
        Platform::Line => {
            ((429, json!({ "message": "slow" })), (404, json!({ "message": "gone" })))
        }
        Platform::Twilio => ((429, json!({ "code": 20_429 })), (400, json!({ "code": 21_610 }))),
        Platform::Discord => (
            (429, json!({ "message": "slow", "retry_after": 0.1 })),
            (403, json!({ "code": 50_007, "message": "no" })),
        ),
        Platform::Teams => ((429, json!({})), (403, json!({ "error": { "code": "Blocked" } }))),
        Platform::Chatwoot => ((429, json!({})), (404, json!({}))),
        Platform::Webhook => ((429, json!({})), (410, json!({}))),
        // Its answers are responses; the customer-service API comes later (see the test of its
        // own).
        Platform::WeChat | Platform::Email => return count,
    };
    desk.fake.answer(slow.0, slow.1);
    desk.say(16, SHIPPING).await;
    // The try that was refused, and the one that was not.
    count += 2;
    let sent = desk.wait(count).await;
    assert_eq!(sent[count - 1], sent[count - 2], "{}", desk.platform.name());
    desk.fake.answer(closed.0, closed.1);
    desk.say(17, RETURNS).await;
    count += 1;
    desk.wait(count).await;
    // Who writes again is answered again.
    desk.say(17, RETURNS).await;
    count += 1;
    let sent = desk.wait(count).await;
    assert!(sent[count - 1].contains("60 days"), "{}: {sent:?}", desk.platform.name());
    desk.say(18, SHIPPING).await;
    count += 1;
    let sent = desk.wait(count).await;
    assert!(sent[count - 1].contains("4.90 EUR"), "{}: {sent:?}", desk.platform.name());
    assert_eq!(sent.len(), count, "{}: {sent:?}", desk.platform.name());
    count
}

#[tokio::test]
async fn every_platform_holds_what_all_have_to() {
    let (fake, address) = Fake::start().await;
    let mut server = TestServer::with(|config| {
        config.sites[0].channels = ALL.map(|platform| account(platform, &address)).to_vec();
    })
    .await;
    for platform in ALL {
        let desk = Desk::new(&server, &fake, &address, platform);
        let count = redelivered_unknown_and_own(&desk).await;
        let count = barge_in_edits_and_deletions(&desk, count).await;
        let count = held(&desk, count).await;
        let count = refusals(&desk, count).await;
        assert_eq!(desk.sent().len(), count, "{}: {:?}", platform.name(), desk.sent());
    }
    server.stop().await;
}

#[tokio::test]
async fn the_address_is_confirmed_to_who_asks_with_what_both_sides_know() {
    let (_fake, address) = Fake::start().await;
    let mut server = TestServer::with(|config| {
        config.sites[0].channels = ALL.map(|platform| account(platform, &address)).to_vec();
    })
    .await;
    let get = async |path: &str| {
        let response = reqwest::get(server.url(path)).await.unwrap();
        (StatusCode::from_u16(response.status().as_u16()).unwrap(), response.text().await.unwrap())
    };
    let meta = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token";
    let (status, said) =
        get(&format!("/v1/channels/shop/whatsapp?{meta}=a-verify-token-of-ours")).await;
    assert_eq!((status, said.as_str()), (StatusCode::OK, "1158201444"));
    assert_eq!(
        get(&format!("/v1/channels/shop/messenger?{meta}=another")).await.0,
        StatusCode::FORBIDDEN
    );
    let (_, query) = proof(Platform::WeChat, &address, "", 1, server.clock.now_ms() / 1000);
    let (status, said) = get(&format!("/v1/channels/shop/wechat{query}&echostr=5939713184")).await;
    assert_eq!((status, said.as_str()), (StatusCode::OK, "5939713184"));
    let wrong = query.replace("nonce=n", "nonce=m");
    assert_eq!(
        get(&format!("/v1/channels/shop/wechat{wrong}&echostr=1")).await.0,
        StatusCode::FORBIDDEN
    );
    assert_eq!(get("/v1/channels/shop/telegram").await.0, StatusCode::FORBIDDEN);
    server.stop().await;
}

async fn metrics(server: &TestServer) -> String {
    let request =
        reqwest::Client::new().get(server.admin_url("/metrics")).bearer_auth(server.admin_key());
    request.send().await.unwrap().text().await.unwrap()
}

/// A stop between two tries: the message goes out once more after the start, and that it may be the
/// second is said only where the first may have been taken.
#[tokio::test]
async fn a_message_that_was_refused_before_a_restart_is_sent_after_it() {
    let (fake, address) = Fake::start().await;
    let mut server = TestServer::with(|config| {
        config.sites[0].channels = vec![account(Platform::Telegram, &address)]
    })
    .await;
    let wait_long =
        json!({ "ok": false, "error_code": 429, "parameters": { "retry_after": 3_000 } });
    fake.answer(429, wait_long);
    let desk = Desk::new(&server, &fake, &address, Platform::Telegram);
    desk.say(1, SHIPPING).await;
    desk.wait(1).await;
    server.restart().await;
    let desk = Desk::new(&server, &fake, &address, Platform::Telegram);
    let sent = desk.wait(2).await;
    assert_eq!(sent[0], sent[1]);
    // Another one follows it, and nothing came twice.
    desk.keys.store(100, std::sync::atomic::Ordering::Relaxed);
    desk.say(1, RETURNS).await;
    let sent = desk.wait(3).await;
    assert!(sent.len() == 3 && sent[2].contains("60 days"), "{sent:?}");
    let metrics = metrics(&server).await;
    assert!(metrics.contains("what=\"sent\"") && !metrics.contains("what=\"unsure\""), "{metrics}");
    server.stop().await;
}

/// A connection that ends after the request: the message may have been taken, so the next try says
/// that it may be double. WhatsApp is sent nothing but messages, so the first connection carries
/// one.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
async fn a_message_whose_answer_never_came_is_sent_again_and_said_to_be_perhaps_double() {
    use tokio::io::AsyncReadExt as _;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (fake, served) = Fake::start().await;
    let to = served.trim_start_matches("http://").to_owned();
    let swallowed = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (to, swallowed) = (to.clone(), swallowed.clone());
            tokio::spawn(async move {
                let mut start = vec![0; 4_096];
                let count = stream.read(&mut start).await.unwrap_or_default();
                let message = String::from_utf8_lossy(&start[..count]).contains("/messages");
                if message && !swallowed.swap(true, std::sync::atomic::Ordering::Relaxed) {
                    return;
                }
                let mut onward = tokio::net::TcpStream::connect(to).await.unwrap();
                tokio::io::AsyncWriteExt::write_all(&mut onward, &start[..count]).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut onward).await;
            });
        }
    });
    let mut server = TestServer::with(|config| {
        config.sites[0].channels = vec![account(Platform::WhatsApp, &address)]
    })
    .await;
    let desk = Desk::new(&server, &fake, &address, Platform::WhatsApp);
    desk.say(1, SHIPPING).await;
    let sent = desk.wait(1).await;
    assert!(sent[0].contains("4.90 EUR"), "{sent:?}");
    let metrics = metrics(&server).await;
    assert!(metrics.contains("what=\"unsure\""), "{metrics}");
    server.stop().await;
}

/// Something in between answers 200 with a page of its own: whether the platform has the message
/// isn't known.
#[tokio::test]
async fn a_message_that_a_stranger_acknowledged_is_sent_again_and_said_to_be_perhaps_double() {
    for platform in [Platform::Telegram, Platform::Slack, Platform::Twilio] {
        let (fake, address) = Fake::start().await;
        let mut server =
            TestServer::with(|config| config.sites[0].channels = vec![account(platform, &address)])
                .await;
        // The fake sends texts that aren't JSON as they are.
        fake.answer(200, json!("<html>Please sign in to the network</html>"));
        let desk = Desk::new(&server, &fake, &address, platform);
        desk.say(1, SHIPPING).await;
        let sent = desk.wait(2).await;
        assert_eq!(sent[0], sent[1], "{}", platform.name());
        let metrics = metrics(&server).await;
        assert!(metrics.contains("what=\"unsure\""), "{}: {metrics}", platform.name());
        server.stop().await;
    }
}

/// Microsoft's keys can't be fetched: what comes is refused for now and not for good, and works
/// once they can be.
#[tokio::test]
async fn teams_is_told_to_come_back_while_its_keys_are_out_of_reach() {
    let (fake, address) = Fake::start().await;
    let mut server = TestServer::with(|config| {
        config.sites[0].channels = vec![account(Platform::Teams, &address)]
    })
    .await;
    *fake.0.keys_down.lock().unwrap() = true;
    let body =
        body(Platform::Teams, &address, 1, 1, &Did::Said { message: 1, text: SHIPPING }).unwrap();
    let post = async || {
        let (headers, _) = proof(Platform::Teams, &address, &body, 1, server.clock.now_ms() / 1000);
        let mut request =
            reqwest::Client::new().post(server.url("/v1/channels/shop/teams")).body(body.clone());
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(futures_util::future::join3(post(), post(), post()).await, (503, 503, 503));
    assert_eq!(fake.all("/keys").len(), 1, "one asks for all");
    *fake.0.keys_down.lock().unwrap() = false;
    server.clock.advance(2_500);
    assert_eq!(post().await, 200);
    server.stop().await;
}

/// A message that was written before an agent took over, and comes after it, doesn't give the
/// conversation back; one that was written after the agent let go does, even where the word of it
/// comes later.
#[tokio::test]
async fn chatwoot_s_words_count_in_the_order_of_its_clock() {
    let (fake, address) = Fake::start().await;
    let mut server = TestServer::with(|config| {
        config.sites[0].channels = vec![account(Platform::Chatwoot, &address)]
    })
    .await;
    let desk = Desk::new(&server, &fake, &address, Platform::Chatwoot);
    let post = async |body: Value| {
        let body = body.to_string();
        let (headers, _) =
            proof(Platform::Chatwoot, &address, &body, 1, server.clock.now_ms() / 1000);
        let mut request =
            reqwest::Client::new().post(server.url("/v1/channels/shop/chatwoot")).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        assert!(request.send().await.unwrap().status().is_success());
    };
    let message = |id: u64, text: &str, at: f64| {
        json!({ "event": "message_created", "id": id, "content": text, "message_type": "incoming",
            "conversation": { "id": 7, "status": "pending", "updated_at": at }, "account": { "id": 1 } })
    };
    post(json!({ "event": "conversation_status_changed", "id": 7, "status": "open", "account": { "id": 1 },
        "updated_at": 1_700_000_010.5 }))
    .await;
    post(message(1, RETURNS, 1_700_000_009.0)).await;
    // Time enough for an answer, had there been one.
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert!(desk.sent().is_empty(), "{:?}", desk.sent());
    post(message(2, SHIPPING, 1_700_000_020.0)).await;
    let sent = desk.wait(1).await;
    assert!(sent[0].contains("4.90 EUR"), "{sent:?}");
    server.stop().await;
}

/// A reply token answers for free while it holds; later a message is pushed, which counts against
/// the quota.
#[tokio::test]
async fn line_answers_by_the_reply_token_while_it_holds() {
    let (fake, address) = Fake::start().await;
    let mut server = TestServer::with(|config| {
        config.sites[0].channels = vec![account(Platform::Line, &address)]
    })
    .await;
    let desk = Desk::new(&server, &fake, &address, Platform::Line);
    desk.say(1, SHIPPING).await;
    let replied = fake.wait("/message/reply", 1).await;
    assert_eq!(replied[0]["replyToken"], "R1");
    // The token is refused, as after its time: the same answer is pushed.
    fake.answer(400, json!({ "message": "Invalid reply token" }));
    desk.say(1, RETURNS).await;
    let pushed = fake.wait("/message/push", 1).await;
    assert!(pushed[0]["messages"][0]["text"].as_str().unwrap().contains("60 days"), "{pushed:?}");
    // A pause that is longer than the token holds, on the server's clock.
    let key = desk.key();
    desk.post(2, key, &Did::Said { message: key, text: SHIPPING }).await;
    server.clock.advance(31_000);
    let pushed = fake.wait("/message/push", 2).await;
    assert_eq!(pushed[1]["to"], "U2");
    server.stop().await;
}

/// The response to WeChat's request is the answer if it is ready within five seconds; the
/// customer-service API brings what comes later, with a token that is asked for once.
#[tokio::test]
async fn wechat_is_answered_in_the_response_and_later_by_its_api() {
    let (fake, address) = Fake::start().await;
    let mut server = TestServer::with(|config| {
        let slow = ChannelConfig {
            id: "slow".into(),
            pause_ms: 5_000,
            ..account(Platform::WeChat, &address)
        };
        config.sites[0].channels = vec![account(Platform::WeChat, &address), slow];
    })
    .await;
    let desk = Desk::new(&server, &fake, &address, Platform::WeChat);
    let answer = desk.post(1, 1, &Did::Said { message: 1, text: SHIPPING }).await.unwrap();
    assert!(answer.contains("4.90 EUR"), "{answer}");
    assert!(fake.all("custom/send").is_empty());
    // WeChat asks again where the response didn't reach it.
    let again = desk.post(1, 1, &Did::Said { message: 1, text: SHIPPING }).await;
    assert_eq!(again.as_deref(), Some(answer.as_str()));
    let now_s = server.clock.now_ms() / 1000;
    let said =
        body(Platform::WeChat, &address, 2, 2, &Did::Said { message: 2, text: RETURNS }).unwrap();
    let (_, query) = proof(Platform::WeChat, &address, &said, 2, now_s);
    let request =
        desk.client.post(server.url(&format!("/v1/channels/shop/slow{query}"))).body(said);
    assert_eq!(request.send().await.unwrap().text().await.unwrap(), "success");
    let sent = fake.wait("custom/send", 1).await;
    assert!(sent[0]["text"]["content"].as_str().unwrap().contains("60 days"), "{sent:?}");
    // Each account asks once, whatever it shows and sends.
    assert!(fake.all("stable_token").len() <= 2);
    server.stop().await;
}

/// Discord's three seconds are met by the response; the answer takes its place, and later ones are
/// the bot's own.
#[tokio::test]
async fn discord_thinks_and_then_answers_in_the_same_place() {
    let (fake, address) = Fake::start().await;
    let mut server = TestServer::with(|config| {
        config.sites[0].channels = vec![account(Platform::Discord, &address)]
    })
    .await;
    let body = body(Platform::Discord, &address, 22, 1, &Did::Said { message: 1, text: SHIPPING })
        .unwrap();
    let (headers, _) = proof(Platform::Discord, &address, &body, 1, server.clock.now_ms() / 1000);
    let mut request =
        reqwest::Client::new().post(server.url("/v1/channels/shop/discord")).body(body);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let response: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(response, json!({ "type": 5 }));
    let answered = fake.wait("/tok1/messages/@original", 1).await;
    assert!(answered[0]["content"].as_str().unwrap().contains("4.90 EUR"), "{answered:?}");
    assert_eq!(answered[0]["allowed_mentions"], json!({ "parse": [] }));
    server.stop().await;
}

/// Long enough to be seen growing, and to be stopped.
const LONG: &str = "[[say Orders of 75 EUR or more ship free within Ireland. Shipping within Ireland costs 4.90 EUR. \
                    A parcel within Ireland arrives after 1 to 2 working days.]] shipping within Ireland costs";

/// (c): two messages in one request, or in two, the later one first: they count in the order in
/// which they were written.
#[tokio::test]
async fn messages_that_come_in_the_wrong_order_count_in_the_right_one() {
    // What holds a request's events, and where each says when it happened. Telegram delivers a
    // chat's messages one after another; Twilio, Discord and other systems' webhooks don't say
    // when; the others post one event at a time in order.
    const ROWS: [(Platform, &str, &str); 4] = [
        (Platform::WhatsApp, "/entry", "/entry/0/changes/0/value/messages/0/timestamp"),
        (Platform::Messenger, "/entry", "/entry/0/messaging/0/timestamp"),
        (Platform::Line, "/events", "/events/0/timestamp"),
        (Platform::Slack, "", "/event/event_ts"),
    ];
    let (fake, address) = Fake::start().await;
    let mut server = TestServer::with(|config| {
        config.sites[0].channels = ROWS.map(|(platform, ..)| account(platform, &address)).to_vec();
    })
    .await;
    for (platform, events, time) in ROWS {
        let desk = Desk::new(&server, &fake, &address, platform);
        let request = |key: u64, text: &'static str, seconds: u64| {
            let said = Did::Said { message: key, text };
            let mut body: Value =
                serde_json::from_str(&body(platform, &address, 21, key, &said).unwrap()).unwrap();
            let at = match platform {
                Platform::WhatsApp => json!(seconds.to_string()),
                Platform::Slack => json!(format!("{seconds}.000100")),
                _ => json!(seconds * 1000),
            };
            match body.pointer_mut(time) {
                Some(place) => *place = at,
                None => {
                    let (object, field) = time.rsplit_once('/').unwrap();
                    body.pointer_mut(object).unwrap()[field] = at;
                }
            }
            body
        };
        let (earlier, mut later) =
            (request(1, "Hello there", 1_700_000_000), request(2, SHIPPING, 1_700_000_005));
        if events.is_empty() {
            desk.post_body(2, later.to_string()).await;
            desk.post_body(1, earlier.to_string()).await;
        } else {
            let all = later.pointer_mut(events).unwrap().as_array_mut().unwrap();
            all.extend(earlier.pointer(events).unwrap().as_array().unwrap().clone());
            desk.post_body(2, later.to_string()).await;
        }
        let sent = desk.wait(1).await;
        assert!(sent[0].contains("4.90 EUR"), "{sent:?}");
    }
    let client = reqwest::Client::new();
    let get = async |path: &str| -> Value {
        let request = client.get(server.admin_url(path)).bearer_auth(server.admin_key());
        request.send().await.unwrap().json().await.unwrap()
    };
    let sessions = get("/v1/sites/shop/sessions").await;
    let sessions = sessions["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), ROWS.len(), "{sessions:?}");
    for session in sessions {
        let path = format!("/v1/sites/shop/sessions/{}", session["session"].as_str().unwrap());
        let whole = get(&path).await.to_string();
        assert!(whole.contains("Hello there\\nWhat does shipping"), "{whole}");
    }
    server.stop().await;
}

/// (e): a question that is edited while its answer is made is answered as it reads then; one that
/// is deleted isn't. Of the answer to what it was before, nothing is sent as a message.
#[tokio::test]
async fn a_question_that_changes_while_it_is_answered_counts_as_it_is_then() {
    const EDITED: &str =
        "[[say Unused goods can be returned within 60 days.]] return unused goods within days";
    const NEXT: &str =
        "[[say Shipping within Ireland costs 4.90 EUR.]] shipping within Ireland costs";
    // Those that tell of edits or deletions and show nothing of an answer that is made, so that
    // each text is a message; Slack shows it in a message, which the next answer takes over.
    const ROWS: [Platform; 5] = [
        Platform::WhatsApp,
        Platform::Messenger,
        Platform::Line,
        Platform::Webhook,
        Platform::Slack,
    ];
    let (fake, address) = Fake::start().await;
    let mut server = TestServer::with(|config| {
        config.answers.mode = Mode::Generate;
        config.llm.scripted_token_ms = 250;
        config.sites[0].channels = ROWS.map(|platform| account(platform, &address)).to_vec();
    })
    .await;
    // An answer of 30 words takes more than 7 s.
    let begun = || tokio::time::sleep(Duration::from_millis(1_500));
    for platform in ROWS {
        let desk = Desk::new(&server, &fake, &address, platform);
        let ends = async |chat: u64, said: &str| {
            let whole = async {
                while desk.sent().last().is_none_or(|last| !last.contains(said)) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            let ended = tokio::time::timeout(LIMIT, whole).await;
            let sent = desk.sent();
            assert!(ended.is_ok(), "{} {chat}: {sent:?}", platform.name());
            assert!(
                !sent.last().unwrap().contains("Orders of 75"),
                "{} {chat}: {sent:?}",
                platform.name()
            );
            sent.len()
        };
        let mut count = 0;
        if desk.has(&Did::Edited { message: 1, text: "" }) {
            let [said, edited] = [desk.key(), desk.key()];
            desk.post(31, said, &Did::Said { message: said, text: LONG }).await;
            begun().await;
            desk.post(31, edited, &Did::Edited { message: said, text: EDITED }).await;
            let sent = ends(31, "within 60 days.").await;
            assert!(
                platform == Platform::Slack || sent == 1,
                "{}: {:?}",
                platform.name(),
                desk.sent()
            );
            count = sent;
        }
        if desk.has(&Did::Deleted { message: 1 }) {
            let [said, deleted, next] = [desk.key(), desk.key(), desk.key()];
            desk.post(32, said, &Did::Said { message: said, text: LONG }).await;
            begun().await;
            desk.post(32, deleted, &Did::Deleted { message: said }).await;
            begun().await;
            desk.post(32, next, &Did::Said { message: next, text: NEXT }).await;
            let sent = ends(32, "costs 4.90 EUR.").await;
            assert!(
                platform == Platform::Slack || sent == count + 1,
                "{}: {:?}",
                platform.name(),
                desk.sent()
            );
        }
    }
    server.stop().await;
}

async fn slow(word_ms: u64, channel: ChannelConfig) -> TestServer {
    TestServer::with(|config| {
        config.answers.mode = Mode::Generate;
        config.llm.scripted_token_ms = word_ms;
        config.sites[0].channels = vec![channel];
    })
    .await
}

/// A direct message of Slack's has no stream: an ellipsis stands there in time, and the answer
/// takes its place.
#[tokio::test]
async fn slack_shows_that_an_answer_comes_and_then_the_answer_in_its_place() {
    let (fake, address) = Fake::start().await;
    let mut server = slow(350, account(Platform::Slack, &address)).await;
    let desk = Desk::new(&server, &fake, &address, Platform::Slack);
    desk.say(1, LONG).await;
    let placed = fake.wait("chat.postMessage", 1).await;
    assert_eq!(
        (placed[0]["channel"].as_str(), placed[0]["text"].as_str()),
        (Some("D1"), Some("…"))
    );
    let whole = async {
        loop {
            let written = fake.all("chat.update");
            if written
                .last()
                .is_some_and(|last| last["text"].as_str().unwrap().contains("working days"))
            {
                return written;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let written = tokio::time::timeout(LIMIT, whole).await.unwrap();
    assert!(written.iter().all(|update| update["ts"] == "1.5"), "{written:?}");
    assert_eq!(fake.all("chat.postMessage").len(), 1);
    server.stop().await;
}

/// In a thread the answer streams; Stop ends the model, and what there is stays.
#[tokio::test]
async fn slack_streams_into_a_thread_until_it_is_stopped() {
    let (fake, address) = Fake::start().await;
    let mut server =
        slow(250, ChannelConfig { stream: true, ..account(Platform::Slack, &address) }).await;
    let event = async |id: &str, event: Value| {
        let body =
            json!({ "type": "event_callback", "event_id": id, "team_id": "T1", "event": event })
                .to_string();
        let (headers, _) = proof(Platform::Slack, &address, &body, 1, server.clock.now_ms() / 1000);
        let mut request =
            reqwest::Client::new().post(server.url("/v1/channels/shop/slack")).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        assert!(request.send().await.unwrap().status().is_success());
    };
    let mention = json!({ "type": "app_mention", "channel": "C1", "channel_type": "channel", "user": "U1",
        "ts": "7.1", "text": format!("<@UBOT> {LONG}") });
    event("Ev1", mention).await;
    let started = fake.wait("chat.startStream", 1).await;
    assert_eq!(started[0]["thread_ts"], "7.1");
    assert_eq!(
        (started[0]["recipient_team_id"].as_str(), started[0]["recipient_user_id"].as_str()),
        (Some("T1"), Some("U1"))
    );
    let stop = json!({ "type": "agent_session_stopped", "channel": "C1", "user": "U1", "thread_ts": "7.1" });
    event("Ev2", stop).await;
    let stopped = fake.wait("chat.stopStream", 1).await;
    assert_eq!(stopped[0]["ts"], "1.5");
    let text = |body: &Value| body["markdown_text"].as_str().unwrap_or_default().to_owned();
    let all: String =
        [started, fake.all("chat.appendStream"), stopped].concat().iter().map(text).collect();
    assert!(all.starts_with("Orders of 75 EUR") && !all.contains("working days"), "{all}");
    assert!(fake.all("chat.postMessage").is_empty());
    server.stop().await;
}

/// A stream of Teams' begins with a word that one comes, grows, and ends in a message with the same
/// id.
#[tokio::test]
async fn teams_streams_to_one_person() {
    let (fake, address) = Fake::start().await;
    let mut server = slow(250, account(Platform::Teams, &address)).await;
    let desk = Desk::new(&server, &fake, &address, Platform::Teams);
    desk.say(1, LONG).await;
    let last = desk.wait(1).await;
    assert!(last[0].contains("working days"), "{last:?}");
    let sent = fake.all("/activities");
    let info = |body: &Value| {
        let entities = body["entities"].as_array().unwrap();
        entities.iter().find(|one| one["type"] == "streaminfo").unwrap().clone()
    };
    assert_eq!(
        info(&sent[0]),
        json!({ "type": "streaminfo", "streamType": "informative", "streamSequence": 1 })
    );
    let end = info(sent.last().unwrap());
    assert_eq!(end, json!({ "type": "streaminfo", "streamId": "S1", "streamType": "final" }));
    let mut before = String::new();
    for (i, body) in sent[1..sent.len() - 1].iter().enumerate() {
        let (info, text) = (info(body), body["text"].as_str().unwrap());
        assert_eq!(
            (info["streamId"].as_str(), info["streamSequence"].as_u64()),
            (Some("S1"), Some(i as u64 + 2))
        );
        assert!(text.starts_with(&before), "{text:?} after {before:?}");
        text.clone_into(&mut before);
    }
    assert!(sent.len() > 2, "{sent:?}");
    assert_eq!(fake.all("/token").len(), 1);
    server.stop().await;
}
