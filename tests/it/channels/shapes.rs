//! Every platform from its own side: what its webhooks look like and how they are signed, and what
//! reaches it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as BASE64URL};
use frontdesk::secret::webhook::WebhookKey;
use frontdesk::site::channel::{ChannelConfig, Platform};
use ring::signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use ring::{digest, hmac};
use serde_json::{Value, json};

pub(super) const ALL: [Platform; 13] = [
    Platform::Telegram,
    Platform::Slack,
    Platform::WhatsApp,
    Platform::Messenger,
    Platform::Instagram,
    Platform::Line,
    Platform::Twilio,
    Platform::Discord,
    Platform::WeChat,
    Platform::Teams,
    Platform::Chatwoot,
    Platform::Webhook,
    Platform::Email,
];
/// The older of two secrets, which holds while they are changed.
pub(super) const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub(super) const NEW: &str = "whsec_bm90IHRoaXMgb25lIGJ1dCBhbm90aGVy";
pub(super) const APP: &str = "00000000-1111-2222-3333-444444444444";
pub(super) const SHIPPING: &str = "What does shipping within Ireland cost?";
pub(super) const RETURNS: &str = "How long can I return unused goods?";

/// What a customer, or somebody else, does on a platform. `message` names what is said, edited or
/// deleted.
pub(super) enum Did {
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
    /// A button under a message of ours.
    Pressed {
        message: u64,
        text: &'static str,
    },
    /// Our own message, as the platform shows it to us.
    Echo,
    /// The reader pressed Stop.
    Stopped,
    /// A person on the platform takes the conversation, and gives it back.
    Held,
    Released,
    Unknown,
}

/// Discord's key pair in place of a secret that stands for one.
fn pair(secret: &str) -> Ed25519KeyPair {
    let seed = digest::digest(&digest::SHA256, secret.as_bytes());
    Ed25519KeyPair::from_seed_unchecked(seed.as_ref()).unwrap()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// An account; `fake` is where the platform is, for e-mail the mail server.
pub(super) fn account(platform: Platform, fake: &str) -> ChannelConfig {
    let name = platform.name();
    // Discord's secrets are public keys.
    let [new, old] = [NEW, OLD].map(|secret| match platform {
        Platform::Discord => hex(pair(secret).public_key().as_ref()),
        _ => secret.to_owned(),
    });
    let (sender, base) = match platform {
        Platform::Email => ("Shop Help <help@shop.example>", fake.to_owned()),
        _ => ("1065", format!("{fake}/{name}")),
    };
    let token = if platform == Platform::Email { "a-password" } else { "123:abc" };
    toml::from_str(&format!(
        "platform = {name:?}\ntoken = {token:?}\nsecrets = [{new:?}, {old:?}]\nbase_url = {base:?}\n\
         allow_private = true\npause_ms = 250\nbot = \"shop_bot\"\nsender = {sender:?}\naccount_sid = \"AC1\"\n\
         verify_token = \"a-verify-token-of-ours\"\napp_id = {APP:?}\ntenant = \"t\"\n\
         public_url = \"https://chat.shop.example/v1/channels/shop/twilio\"\nlogin_url = \"{fake}/login\"\n\
         keys_url = \"{fake}/keys\""
    ))
    .unwrap()
}

/// A request's body; `None` where the platform has nothing of the kind.
pub(super) fn body(
    platform: Platform,
    fake: &str,
    chat: u64,
    key: u64,
    did: &Did,
) -> Option<String> {
    if let Did::Pressed { message, text } = *did {
        return pressed(platform, fake, chat, key, message, text);
    }
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
                Did::Stopped => json!({ "update_id": key,
                    "stopped_message_generation": { "chat": { "id": chat, "type": "private" }, "draft_id": 2 } }),
                // A bot isn't told of deletions, and nobody else answers in its chats.
                Did::Deleted { .. } | Did::Held | Did::Released | Did::Pressed { .. } => {
                    return None;
                }
            }
        }
        Platform::Slack => {
            let event = match did {
                Did::Said { message, text } => {
                    json!({ "type": "message", "text": text, "user": format!("U{chat}"), "ts": format!("{message}.1") })
                }
                Did::Edited { message, text } => {
                    json!({ "type": "message", "subtype": "message_changed",
                    "message": { "user": format!("U{chat}"), "text": text, "ts": format!("{message}.1"), "edited": { "user": format!("U{chat}") } } })
                }
                Did::Deleted { message } => {
                    json!({ "type": "message", "subtype": "message_deleted",
                    "deleted_ts": format!("{message}.1"), "previous_message": { "user": format!("U{chat}") } })
                }
                Did::Echo => {
                    json!({ "type": "message", "bot_id": "B1", "text": SHIPPING, "ts": "1.1" })
                }
                Did::Stopped => {
                    json!({ "type": "agent_session_stopped", "user": format!("U{chat}") })
                }
                Did::Unknown => json!({ "type": "reaction_added", "user": format!("U{chat}") }),
                // Nobody else answers in a bot's chats.
                Did::Held | Did::Released | Did::Pressed { .. } => return None,
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
                // Messages of the API aren't echoed, and answers come whole.
                Did::Echo | Did::Stopped | Did::Pressed { .. } => return None,
            };
            value["metadata"] = json!({ "phone_number_id": "1065" });
            json!({ "entry": [{ "changes": [{ "field": field, "value": value }] }] })
        }
        Platform::Messenger | Platform::Instagram => {
            let instagram = platform == Platform::Instagram;
            let mut event = match did {
                Did::Deleted { message } if instagram => {
                    json!({ "message": { "mid": format!("m_{message}"), "is_deleted": true } })
                }
                Did::Held if instagram => {
                    json!({ "take_thread_control": { "new_owner_app_id": "1" } })
                }
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
                // Not told of deletions, and answers come whole.
                Did::Deleted { .. } | Did::Stopped | Did::Pressed { .. } => return None,
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
                    json!({ "type": "message", "replyToken": format!("R{key}-{chat}"),
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
                json!({ "type": 2, "id": message.to_string(), "token": format!("tok{message}-{chat}"),
                "channel_id": format!("{chat}"), "user": { "id": format!("44{chat}") },
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
                // Stop is the connector's answer to what is streamed.
                Did::Held | Did::Released | Did::Stopped | Did::Pressed { .. } => return None,
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
                // Neither edits nor deletions are told to a bot, and answers come whole.
                Did::Edited { .. } | Did::Deleted { .. } | Did::Stopped | Did::Pressed { .. } => {
                    return None;
                }
            }
        }
        Platform::Email => {
            let own = format!("fd.{:016x}.{:016x}@shop.example", chat, key);
            let (id, more, text) = match did {
                Did::Said { message, text } => (format!("q{message}@mail.example"), "", *text),
                Did::Echo => (own, "", SHIPPING),
                // A word of a mail server's.
                Did::Unknown => {
                    (format!("q{key}@mail.example"), "Auto-Submitted: auto-generated\r\n", SHIPPING)
                }
                // Sent is sent, and a mailbox has one reader.
                _ => return None,
            };
            // One thread, begun by a message that isn't there.
            return Some(format!(
                "From: Ann <ann{chat}@mail.example>\r\nTo: help@shop.example\r\nMessage-ID: <{id}>\r\n\
                 References: <t{chat}@mail.example>\r\nSubject: Re: A question\r\n{more}\r\n{text}\r\n"
            ));
        }
        Platform::Webhook => {
            let (kind, message, text) = match did {
                Did::Said { message, text } => ("message.created", *message, *text),
                Did::Edited { message, text } => ("message.edited", *message, *text),
                Did::Deleted { message } => ("message.deleted", *message, ""),
                Did::Stopped => ("answer.stopped", key, ""),
                Did::Held => ("conversation.held", key, ""),
                Did::Released => ("conversation.released", key, ""),
                Did::Unknown => ("hologram", key, ""),
                // Who writes the other side decides what it sends.
                Did::Echo | Did::Pressed { .. } => return None,
            };
            json!({ "type": kind, "data": { "conversation": chat.to_string(), "message": message.to_string(), "text": text } })
        }
    };
    Some(value.to_string())
}

/// A pressed button's request; some platforms have the reader say what it says.
fn pressed(
    platform: Platform,
    fake: &str,
    chat: u64,
    key: u64,
    message: u64,
    text: &'static str,
) -> Option<String> {
    let said = || body(platform, fake, chat, key, &Did::Said { message, text: "Talk" });
    let changed = |place: &str, value: Value| {
        let mut whole: Value = serde_json::from_str(&said()?).ok()?;
        let (object, field) = place.rsplit_once('/')?;
        whole.pointer_mut(object)?[field] = value;
        Some(whole)
    };
    let value = match platform {
        Platform::Telegram => {
            json!({ "update_id": key, "callback_query": { "id": key.to_string(),
                "from": { "id": chat, "is_bot": false }, "data": text,
                "message": { "message_id": 1, "chat": { "id": chat, "type": "private" } } } })
        }
        Platform::Slack => {
            let payload = json!({ "type": "block_actions", "user": { "id": format!("U{chat}") },
                "team": { "id": "T1" }, "channel": { "id": format!("D{chat}") },
                "message": { "ts": "1.5" },
                "actions": [{ "action_id": "say0", "value": text, "action_ts": format!("{key}.7") }] });
            let form = [("payload", payload.to_string())];
            let url = reqwest::Url::parse_with_params("http://localhost", form).unwrap();
            return url.query().map(str::to_owned);
        }
        Platform::WhatsApp => {
            let mut whole =
                changed("/entry/0/changes/0/value/messages/0/type", json!("interactive"))?;
            whole["entry"][0]["changes"][0]["value"]["messages"][0]["interactive"] = json!({
                "type": "button_reply",
                "button_reply": { "id": format!("say:{text}"), "title": "Talk" } });
            whole
        }
        Platform::Messenger | Platform::Instagram => {
            let reply = json!({ "payload": format!("say:{text}") });
            changed("/entry/0/messaging/0/message/quick_reply", reply)?
        }
        Platform::Discord => {
            let mut whole = changed("/data", json!({ "custom_id": text, "component_type": 2 }))?;
            whole["type"] = json!(3);
            whole
        }
        Platform::Line | Platform::Teams | Platform::Webhook => {
            return body(platform, fake, chat, key, &Did::Said { message, text });
        }
        // They have none, or none that stand in every answer.
        Platform::WeChat | Platform::Chatwoot | Platform::Twilio | Platform::Email => return None,
    };
    Some(value.to_string())
}

/// Headers, and what stands behind `?`.
pub(super) type Proof = (Vec<(&'static str, String)>, String);

/// What the platform shows to prove that it sent the body.
pub(super) fn proof(platform: Platform, fake: &str, body: &str, key: u64, now_s: u64) -> Proof {
    proof_by(OLD, platform, fake, body, key, now_s)
}

pub(super) fn proof_by(
    secret: &str,
    platform: Platform,
    fake: &str,
    body: &str,
    key: u64,
    now_s: u64,
) -> Proof {
    let at = now_s.to_string();
    let mac = |algorithm, text: &str| {
        hmac::sign(&hmac::Key::new(algorithm, secret.as_bytes()), text.as_bytes())
    };
    let sha256 = |text: &str| hex(mac(hmac::HMAC_SHA256, text).as_ref());
    let headers = match platform {
        Platform::Telegram => vec![("x-telegram-bot-api-secret-token", secret.to_owned())],
        Platform::Slack => vec![
            ("x-slack-request-timestamp", at.clone()),
            ("x-slack-signature", format!("v0={}", sha256(&format!("v0:{at}:{body}")))),
        ],
        Platform::WhatsApp | Platform::Messenger | Platform::Instagram => {
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
            let signature = pair(secret).sign(format!("{at}{body}").as_bytes());
            vec![
                ("x-signature-timestamp", at.clone()),
                ("x-signature-ed25519", hex(signature.as_ref())),
            ]
        }
        Platform::WeChat => {
            let mut words = [secret, at.as_str(), "n"];
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
        Platform::Email | Platform::Webhook => {
            let id = format!("msg_{key}");
            let signature = WebhookKey::parse(secret).unwrap().sign(&id, &at, body.as_bytes());
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
pub(super) fn text(path: &str, body: &Value) -> Option<String> {
    if super::passing(path, body) {
        return None;
    }
    let places = [
        "/text/body",
        "/interactive/body/text",
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

/// The number by which a platform names a conversation in what reaches it.
pub(super) fn marker(platform: Platform, chat: u64) -> String {
    match platform {
        Platform::WhatsApp => format!("1650{chat}"),
        Platform::Twilio => format!("1{chat}"),
        _ => chat.to_string(),
    }
}
