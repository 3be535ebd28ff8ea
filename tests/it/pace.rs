//! One visitor, or one address, can't have more than its share.

use serde_json::json;

use crate::support::{ChatClient, TestServer};
use frontdesk::http::auth::{Key, Scope};
use frontdesk::protocol::parts::Rating;
use frontdesk::protocol::{ClientMessage, ErrorCode, ServerMessage};
use frontdesk::secret::{key_hash, new_key};

async fn refused(client: &mut ChatClient) -> (ErrorCode, u64) {
    client
        .until(|message| match message {
            ServerMessage::Error { code, retry_after_ms, .. } => {
                Some((*code, retry_after_ms.unwrap_or_default()))
            }
            _ => None,
        })
        .await
}

fn rate(turn: u64, text: &str) -> ClientMessage {
    ClientMessage::Feedback { turn, rating: Rating::Up, text: Some(text.into()) }
}

#[tokio::test]
async fn ratings_and_requests_are_stored_once_and_within_a_rate() {
    let server = TestServer::with(|config| config.sessions.events_per_minute = 3).await;
    let mut visitor = server.client().await.hello().await;
    visitor.say("m", "What does shipping within Ireland cost?").await;
    let turn = visitor.acked("m").await;
    visitor.done().await;

    // The same again and again is one event, however often.
    for _ in 0..100 {
        visitor.send(&rate(turn, "good")).await;
        visitor.send(&ClientMessage::Human {}).await;
    }
    let rated = visitor
        .until(|message| {
            if let ServerMessage::FeedbackReceived { seq, .. } = message {
                Some(*seq)
            } else {
                None
            }
        })
        .await;
    let asked = visitor
        .until(|message| {
            if let ServerMessage::HumanRequested { seq, .. } = message { Some(*seq) } else { None }
        })
        .await;
    // Who asks again is told where they stand.
    visitor
        .until(|message| {
            matches!(message, ServerMessage::HumanQueue { place: 1, .. }).then_some(())
        })
        .await;
    visitor.send(&rate(turn, "better")).await;
    let changed = visitor
        .until(|message| {
            if let ServerMessage::FeedbackReceived { seq, .. } = message {
                Some(*seq)
            } else {
                None
            }
        })
        .await;
    assert_eq!((asked, changed), (rated + 1, rated + 3), "the handoff comes between");

    // The fourth within the minute waits, over another connection too.
    visitor.send(&rate(turn, "best")).await;
    assert_eq!(refused(&mut visitor).await, (ErrorCode::RateLimited, 60_000));
    let mut again = visitor.resume(None).await;
    again.send(&ClientMessage::End { session: None }).await;
    assert_eq!(refused(&mut again).await.0, ErrorCode::RateLimited);
    server.clock.advance(60_000);
    again.send(&rate(turn, "best")).await;
    assert_eq!(again.next_seq().await, changed + 1);
}

#[tokio::test]
async fn messages_are_counted_by_visitor_and_not_by_conversation() {
    let server = TestServer::with(|config| {
        config.sessions.messages_per_minute = 2;
    })
    .await;
    let http = reqwest::Client::new();
    let url = server.url("/v1/chat/messages");
    let first =
        http.post(&url).json(&json!({ "site": "shop", "text": "Hello" })).send().await.unwrap();
    let events = first.text().await.unwrap();
    let welcome = events.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    let token = serde_json::from_str::<serde_json::Value>(welcome).unwrap()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    // Each of these begins a conversation of its own.
    let ask =
        || http.post(&url).json(&json!({ "site": "shop", "text": "Hello", "token": token })).send();
    assert_eq!(ask().await.unwrap().status(), 200);
    let limited = ask().await.unwrap();
    assert_eq!(limited.status(), 429);
    assert!(limited.headers().contains_key("retry-after"));
    let error: serde_json::Value = limited.json().await.unwrap();
    assert_eq!(
        (error["error"]["code"].as_str(), error["error"]["retry_after_ms"].as_u64()),
        (Some("rate_limited"), Some(60_000))
    );
    server.clock.advance(60_000);
    assert_eq!(ask().await.unwrap().status(), 200);
}

#[tokio::test]
async fn one_address_brings_so_many_new_visitors() {
    let server = TestServer::with(|config| config.sessions.newcomers_per_minute = 2).await;
    let http = reqwest::Client::new();
    let ask = |address: Option<&str>, token: Option<String>| {
        let body = json!({ "site": "shop", "text": "Hello", "token": token });
        let request = http.post(server.url("/v1/chat/messages")).json(&body);
        let request = address.map_or(request.try_clone().unwrap(), |address| {
            request.header("x-forwarded-for", address)
        });
        async move { request.send().await.unwrap() }
    };
    let far = Some("198.51.100.1, 203.0.113.7");
    let first = ask(far, None).await.text().await.unwrap();
    let welcome = first.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    let token = serde_json::from_str::<serde_json::Value>(welcome).unwrap()["token"]
        .as_str()
        .map(str::to_owned);
    assert_eq!(ask(far, None).await.status(), 200);
    assert_eq!(ask(far, None).await.status(), 429);
    assert_eq!(ask(far, token).await.status(), 200, "a known visitor");
    assert_eq!(ask(Some("203.0.113.8"), None).await.status(), 200, "another address");
    for _ in 0..5 {
        assert_eq!(ask(None, None).await.status(), 200, "a proxy nearby that names nobody");
    }
}

#[tokio::test]
async fn streams_take_the_places_of_sockets() {
    let key = new_key();
    let server = TestServer::with(|config| {
        config.server.max_sockets = 1;
        config.auth.keys.push(Key {
            name: "t".into(),
            sha256: key_hash(&key),
            scopes: vec![Scope::Chat],
            site: None,
        });
    })
    .await;
    let http = reqwest::Client::new();
    let message = || {
        http.post(server.url("/v1/chat/messages"))
            .json(&json!({ "site": "shop", "text": "Hello" }))
            .send()
    };
    let completion = |stream: bool| {
        let body = json!({ "model": "frontdesk/shop", "stream": stream, "messages": [{ "role": "user", "content": "Hi" }] });
        http.post(server.url("/v1/chat/completions")).bearer_auth(&key).json(&body).send()
    };
    let socket = server.client().await.hello().await;
    let refused = message().await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), refused.headers().contains_key("retry-after")),
        (503, true)
    );
    assert_eq!(completion(true).await.unwrap().status(), 429);
    assert_eq!(completion(false).await.unwrap().status(), 200);
    drop(socket);
    // The place is free once the server has seen the socket go, and again once a stream has ended.
    for _ in 0..2 {
        let status = loop {
            let response = message().await.unwrap();
            match response.status().as_u16() {
                503 => tokio::task::yield_now().await,
                status => {
                    response.text().await.unwrap();
                    break status;
                }
            }
        };
        assert_eq!(status, 200);
    }
}
