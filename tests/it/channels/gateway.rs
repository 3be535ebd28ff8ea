//! Discord's Gateway: a WebSocket that plays its part on loopback.

use frontdesk::site::channel::{ChannelConfig, Platform};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::shapes::account;
use super::{Duration, Fake, LIMIT, TestServer};

/// An interval of heartbeats within which a loaded machine makes an answer.
const LONG_MS: u64 = 40_000;

/// One connection of the bot's, which has heard Hello.
struct Gateway(WebSocketStream<TcpStream>);

impl Gateway {
    async fn accept(listener: &TcpListener, interval_ms: u64) -> Self {
        let accepted = tokio::time::timeout(LIMIT, listener.accept()).await;
        let (stream, _) = accepted.expect("a connection in time").unwrap();
        let mut this = Self(tokio_tungstenite::accept_async(stream).await.unwrap());
        this.send(json!({ "op": 10, "d": { "heartbeat_interval": interval_ms } })).await;
        this
    }

    async fn send(&mut self, what: Value) {
        self.0.send(Message::Text(what.to_string().into())).await.unwrap();
    }

    /// The next thing that the bot says; heartbeats are answered where they aren't wanted.
    async fn heard(&mut self, op: u64) -> Value {
        loop {
            let frame = tokio::time::timeout(LIMIT, self.0.next()).await.expect("a word in time");
            let Message::Text(text) = frame.unwrap().unwrap() else { continue };
            let said: Value = serde_json::from_str(&text).unwrap();
            if said["op"] == 1 {
                self.send(json!({ "op": 11 })).await;
            }
            if said["op"] == op {
                return said;
            }
        }
    }

    async fn event(&mut self, seq: u64, kind: &str, data: Value) {
        self.send(json!({ "op": 0, "s": seq, "t": kind, "d": data })).await;
    }

    async fn close(mut self, code: u16) {
        let frame = CloseFrame { code: code.into(), reason: "closed by the test".into() };
        self.0.send(Message::Close(Some(frame))).await.unwrap();
    }
}

fn message(id: u64, text: &str, more: &Value) -> Value {
    let mut message = json!({ "id": id.to_string(), "channel_id": "6001", "type": 0,
        "content": text, "author": { "id": "7001", "username": "ann" }, "mentions": [],
        "attachments": [] });
    message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    message
}

#[tokio::test]
async fn messages_to_the_bot_are_answered_once_over_every_end_of_a_connection() {
    let (fake, address) = Fake::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let found = json!({ "url": url, "session_start_limit": { "remaining": 5 } });
    fake.0.documents.lock().unwrap().insert("/discord/api/v10/gateway/bot".into(), found);
    let own = ChannelConfig {
        gateway: true,
        secrets: Vec::new(),
        ..account(Platform::Discord, &address)
    };
    assert!(own.validate().is_ok(), "without interactions there is nothing to sign");
    let mut server = TestServer::with(|config| config.sites[0].channels = vec![own]).await;

    let mut first = Gateway::accept(&listener, LONG_MS).await;
    let identify = first.heard(2).await;
    assert_eq!(identify["d"]["intents"], (1 << 9) | (1 << 12));
    assert_eq!(identify["d"]["token"], "123:abc");
    let ready = json!({ "session_id": "s1", "resume_gateway_url": url, "user": { "id": "9" } });
    first.event(1, "READY", ready.clone()).await;
    // Not a word of another bot's, of our own, or between people.
    let to_others = json!({ "guild_id": "33" });
    first.event(2, "MESSAGE_CREATE", message(1, "hi all", &to_others)).await;
    let bot = json!({ "author": { "id": "9", "bot": true } });
    first.event(3, "MESSAGE_CREATE", message(2, "What does shipping cost?", &bot)).await;
    let shipping = "What does shipping within Ireland cost?";
    first.event(4, "MESSAGE_CREATE", message(3, shipping, &json!({}))).await;
    let sent = fake.wait("/channels/6001/messages", 1).await;
    assert!(sent[0]["content"].as_str().unwrap().contains("4.90 EUR"), "{sent:?}");
    assert_eq!(sent[0]["message_reference"]["message_id"], "3");

    // The connection breaks: the session is taken up behind the last event, and what comes again
    // is known.
    first.close(4_000).await;
    let mut second = Gateway::accept(&listener, LONG_MS).await;
    let resume = second.heard(6).await;
    assert_eq!((&resume["d"]["session_id"], &resume["d"]["seq"]), (&json!("s1"), &json!(4)));
    second.event(4, "MESSAGE_CREATE", message(3, shipping, &json!({}))).await;
    second.event(5, "RESUMED", json!({})).await;
    let asked = json!({ "guild_id": "33", "channel_id": "6002", "mentions": [{ "id": "9" }] });
    let text = "<@9> How long can I return unused goods?";
    second.event(6, "MESSAGE_CREATE", message(4, text, &asked)).await;
    let sent = fake.wait("/channels/6002/messages", 1).await;
    assert!(sent[0]["content"].as_str().unwrap().contains("60 days"), "{sent:?}");

    // Over a restart, too, until Discord knows the session no more.
    server.stop().await;
    drop(second);
    server.restart().await;
    let mut third = Gateway::accept(&listener, LONG_MS).await;
    assert_eq!(third.heard(6).await["d"]["seq"], 6);
    third.send(json!({ "op": 9, "d": false })).await;
    let mut fourth = Gateway::accept(&listener, LONG_MS).await;
    fourth.heard(2).await;
    fourth.event(1, "READY", ready).await;
    // A deletion before the answer: nothing is said.
    fourth.event(2, "MESSAGE_CREATE", message(5, shipping, &json!({}))).await;
    let deleted = json!({ "id": "5", "channel_id": "6001" });
    fourth.event(3, "MESSAGE_DELETE", deleted).await;
    fourth.close(4_014).await;

    // What an operator has to mend is told.
    let told = async {
        loop {
            let request = reqwest::Client::new().get(server.admin_url("/v1/sites/shop/channels"));
            let answer = request.bearer_auth(server.admin_key()).send().await.unwrap();
            let listed: Value = answer.json().await.unwrap();
            if let Some(why) = listed["channels"][0]["unread"].as_str()
                && why.contains("4014")
            {
                return why.to_owned();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let why = tokio::time::timeout(LIMIT, told).await.unwrap();
    assert!(why.contains("intents"), "{why}");
    assert_eq!(fake.all("/channels/6001/messages").len(), 1);
    assert_eq!(fake.all("/channels/6002/messages").len(), 1);
    server.stop().await;
}

/// A Gateway that answers no heartbeat is left for another connection.
#[tokio::test]
async fn a_connection_that_is_silent_is_given_up() {
    let (fake, address) = Fake::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    fake.0
        .documents
        .lock()
        .unwrap()
        .insert("/discord/api/v10/gateway/bot".into(), json!({ "url": url }));
    let own = ChannelConfig { gateway: true, ..account(Platform::Discord, &address) };
    let mut server = TestServer::with(|config| config.sites[0].channels = vec![own]).await;
    let mut first = Gateway::accept(&listener, 150).await;
    first.heard(2).await;
    let ready = json!({ "session_id": "s1", "resume_gateway_url": url, "user": { "id": "9" } });
    first.event(1, "READY", ready).await;
    let mut second = Gateway::accept(&listener, 60_000).await;
    assert_eq!(second.heard(6).await["d"]["session_id"], "s1");
    server.stop().await;
}
