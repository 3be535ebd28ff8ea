//! Tokens, origins and keys over the wire.

use crate::support::{ChatClient, TestServer};
use frontdesk::protocol::{ClientMessage, ErrorCode, ServerMessage};
use frontdesk::site::{JwtAlgorithm, JwtConfig};

fn hello(token: Option<&str>, session: Option<&str>, last_seq: u64) -> ClientMessage {
    ClientMessage::Hello {
        site: "shop".into(),
        token: token.map(Into::into),
        session: session.map(Into::into),
        last_seq,
        partial: None,
        source: None,
        attributes: None,
        language: None,
    }
}

async fn check(client: &mut ChatClient, hello: &ClientMessage, expected: ErrorCode) {
    client.send(hello).await;
    assert_eq!(client.error().await.0, expected);
    assert_eq!(client.closed().await, Some(1008));
}

#[tokio::test]
async fn a_session_opens_for_its_own_visitor_alone() {
    let server = TestServer::start().await;
    let mut mine = server.client().await.hello().await;
    mine.ask("m1", "What does shipping cost?").await;
    let other = server.client().await.hello().await;

    check(
        &mut server.client().await,
        &hello(Some(&other.token), Some(&mine.session), 0),
        ErrorCode::UnknownSession,
    )
    .await;
    check(
        &mut server.client().await,
        &hello(None, Some(&mine.session), 0),
        ErrorCode::Unauthorized,
    )
    .await;
    check(
        &mut server.client().await,
        &hello(Some("v1.forged.token"), Some(&mine.session), 0),
        ErrorCode::Unauthorized,
    )
    .await;
    let unknown = ClientMessage::Hello {
        site: "nowhere".into(),
        token: None,
        session: None,
        last_seq: 0,
        partial: None,
        source: None,
        attributes: None,
        language: None,
    };
    check(&mut server.client().await, &unknown, ErrorCode::UnknownSite).await;
    check(
        &mut server.client().await,
        &hello(Some(&mine.token), Some("no-such-session"), 7),
        ErrorCode::UnknownSession,
    )
    .await;
    // A name that no session can have, whoever asks.
    check(
        &mut server.client().await,
        &hello(Some(&mine.token), Some("a\0b"), 0),
        ErrorCode::UnknownSession,
    )
    .await;
    let http = reqwest::Client::new();
    let body =
        serde_json::json!({ "site": "shop", "text": "hi", "token": mine.token, "session": "a\0b" });
    let response = http.post(server.url("/v1/chat/messages")).json(&body).send().await.unwrap();
    assert_eq!(response.status(), 404);
    let url = server.admin_url("/v1/sites/shop/sessions/a%00b");
    for request in [http.get(&url), http.delete(&url)] {
        assert_eq!(request.bearer_auth(server.admin_key()).send().await.unwrap().status(), 404);
    }
    let also = vec!["a\0b".to_owned()];
    mine.send(&ClientMessage::Forget { also }).await;
    mine.until(|message| matches!(message, ServerMessage::Forgotten {}).then_some(())).await;
}

#[tokio::test]
async fn pages_of_other_origins_stay_outside() {
    let server =
        TestServer::with(|config| config.sites[0].origins = vec!["https://shop.example".into()])
            .await;
    let mut allowed = ChatClient::connect_from(server.addr(), Some("https://shop.example"))
        .await
        .unwrap()
        .hello()
        .await;
    allowed.ask("m1", "What does shipping cost?").await;
    let own = format!("http://127.0.0.1:{}", server.addr().port());
    ChatClient::connect_from(server.addr(), Some(&own)).await.unwrap().hello().await;

    let mut evil =
        ChatClient::connect_from(server.addr(), Some("https://evil.example")).await.unwrap();
    check(&mut evil, &hello(None, None, 0), ErrorCode::OriginRefused).await;
    // A token stolen from the allowed page is no use elsewhere.
    let mut thief = server.client().await;
    check(
        &mut thief,
        &hello(Some(&allowed.token), Some(&allowed.session), 0),
        ErrorCode::Unauthorized,
    )
    .await;
}

#[tokio::test]
async fn the_site_s_own_tokens_let_its_visitors_in() {
    let secret = "0123456789abcdef0123456789abcdef";
    let jwt = JwtConfig::new(JwtAlgorithm::HS256, secret);
    let server = TestServer::with(|config| config.sites[0].jwt = Some(jwt)).await;
    let sign = |audience: &str| {
        let now = server.clock.now_ms() / 1000;
        let claims = serde_json::json!({ "sub": "customer-7", "aud": audience, "iat": now, "exp": now + 600 });
        let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
        jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap()
    };
    let mut client = server.client().await;
    client.send(&hello(Some(&sign("shop")), None, 0)).await;
    assert!(matches!(client.next().await, ServerMessage::Welcome { .. }));
    check(
        &mut server.client().await,
        &hello(Some(&sign("bank")), None, 0),
        ErrorCode::Unauthorized,
    )
    .await;
    server.clock.advance(700_000);
    server.clock.advance(0);
    let stale = {
        let now = server.clock.now_ms() / 1000 - 700;
        let claims =
            serde_json::json!({ "sub": "customer-7", "aud": "shop", "iat": now, "exp": now + 600 });
        jsonwebtoken::encode(
            &jsonwebtoken::Header::default(),
            &claims,
            &jsonwebtoken::EncodingKey::from_secret(secret.as_bytes()),
        )
        .unwrap()
    };
    check(&mut server.client().await, &hello(Some(&stale), None, 0), ErrorCode::Unauthorized).await;
}

/// A pair made for this test.
const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIL1nTjqrbNFt/ZP6Y6lAdzpQ0SVg3O2eFJHg1Tx8WED9\n-----END PRIVATE KEY-----";
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAAuCQ6MQV36nAlpqXqDK2GEuQDH2YzxFaS6iULnNyPK8=\n-----END PUBLIC KEY-----";

#[tokio::test]
async fn a_signed_token_holds_for_its_own_time_alone() {
    let jwt = JwtConfig::new(JwtAlgorithm::EdDSA, PUBLIC);
    let server = TestServer::with(|config| config.sites[0].jwt = Some(jwt)).await;
    let now = server.clock.now_ms() / 1000;
    let sign = |times: serde_json::Value| {
        let mut claims =
            serde_json::json!({ "sub": "customer-7", "aud": "shop", "exp": now + 600 });
        claims.as_object_mut().unwrap().extend(times.as_object().unwrap().clone());
        let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::EdDSA);
        let key = jsonwebtoken::EncodingKey::from_ed_pem(PRIVATE.as_bytes()).unwrap();
        jsonwebtoken::encode(&header, &claims, &key).unwrap()
    };
    for times in [
        serde_json::json!({}),
        serde_json::json!({ "iat": now }),
        // Clocks differ a little.
        serde_json::json!({ "iat": now + 20, "nbf": now + 20 }),
        serde_json::json!({ "iat": now - 200, "nbf": now - 200 }),
    ] {
        let mut client = server.client().await;
        client.send(&hello(Some(&sign(times.clone())), None, 0)).await;
        assert!(matches!(client.next().await, ServerMessage::Welcome { .. }), "{times}");
    }
    for times in [
        serde_json::json!({ "nbf": now + 500 }),
        serde_json::json!({ "iat": now + 500 }),
        serde_json::json!({ "iat": now + 400_000, "exp": now + 400_600 }),
        serde_json::json!({ "iat": now, "exp": now + 1_000 }),
        serde_json::json!({ "iat": now, "exp": u64::MAX }),
        serde_json::json!({ "iat": now - 800, "exp": now - 60 }),
    ] {
        check(
            &mut server.client().await,
            &hello(Some(&sign(times)), None, 0),
            ErrorCode::Unauthorized,
        )
        .await;
    }
    // A token that names another algorithm, signed with what everybody knows.
    let claims =
        serde_json::json!({ "sub": "customer-7", "aud": "shop", "iat": now, "exp": now + 600 });
    let known = jsonwebtoken::EncodingKey::from_secret(PUBLIC.as_bytes());
    let forged = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &known).unwrap();
    check(&mut server.client().await, &hello(Some(&forged), None, 0), ErrorCode::Unauthorized)
        .await;
}

/// A socket goes no further than its token.
#[tokio::test]
async fn a_socket_ends_with_its_token() {
    let secret = "0123456789abcdef0123456789abcdef";
    let jwt = JwtConfig::new(JwtAlgorithm::HS256, secret);
    let server = TestServer::with(|config| config.sites[0].jwt = Some(jwt)).await;
    let now = server.clock.now_ms() / 1000;
    let claims =
        serde_json::json!({ "sub": "customer-7", "aud": "shop", "iat": now, "exp": now + 600 });
    let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
    let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap();
    let mut signed = server.client().await;
    signed.send(&hello(Some(&token), None, 0)).await;
    assert!(matches!(signed.next().await, ServerMessage::Welcome { .. }));
    let mut anonymous = server.client().await.hello().await;

    server.clock.advance(620_000);
    signed.ask("m1", "What does shipping cost?").await;
    // Now the leeway for clocks is over, too.
    server.clock.advance(11_000);
    signed.say("m2", "And to Cork?").await;
    assert_eq!(signed.closed().await, Some(1008));
    anonymous.ask("m1", "What does shipping cost?").await;
}

/// So does an answer that is streamed over HTTP, while a person is waited for.
#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let secret = "0123456789abcdef0123456789abcdef";
    let jwt = JwtConfig::new(JwtAlgorithm::HS256, secret);
    let server = TestServer::with(|config| {
        config.sites[0].jwt = Some(jwt);
        config.sites[0].answers = frontdesk::site::Answers::Suggest;
    })
    .await;
    let now = server.clock.now_ms() / 1000;
    let claims =
        serde_json::json!({ "sub": "customer-7", "aud": "shop", "iat": now, "exp": now + 600 });
    let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
    let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap();
    let body =
        serde_json::json!({ "site": "shop", "text": "What does shipping cost?", "token": token });
    let mut response = reqwest::Client::new()
        .post(server.url("/v1/chat/messages"))
        .json(&body)
        .send()
        .await
        .unwrap();
    let mut said = String::new();
    while !said.contains("event: ack") {
        said.push_str(std::str::from_utf8(&response.chunk().await.unwrap().unwrap()).unwrap());
    }
    server.clock.advance(631_000);
    while let Some(chunk) = response.chunk().await.unwrap() {
        said.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    let last = said.rsplit("event: ").next().unwrap();
    assert!(last.starts_with("error") && last.contains("the token has expired"), "{said}");
}

#[tokio::test]
async fn visitors_learn_nothing_of_the_server_and_of_others() {
    let server = TestServer::start().await;
    let public: serde_json::Value =
        reqwest::get(server.url("/readyz")).await.unwrap().json().await.unwrap();
    assert_eq!(public, serde_json::json!({ "ready": true }));
    let private: serde_json::Value =
        reqwest::get(server.admin_url("/readyz")).await.unwrap().json().await.unwrap();
    assert_eq!(private["store"], "ok");
}

#[tokio::test]
async fn sockets_are_limited() {
    let server = TestServer::with(|config| config.server.max_sockets = 1).await;
    let _first = server.client().await.hello().await;
    let refused = ChatClient::connect_from(server.addr(), None).await;
    let Err(tokio_tungstenite::tungstenite::Error::Http(response)) = refused else {
        panic!("it was let in")
    };
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn the_page_has_a_strict_policy() {
    let server = TestServer::start().await;
    for path in ["/", "/page.css", "/page.js"] {
        let response = reqwest::get(server.url(path)).await.unwrap();
        assert_eq!(response.status(), 200);
        let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    }
    let html = reqwest::get(server.url("/")).await.unwrap().text().await.unwrap();
    assert!(!html.contains("style=") && !html.contains("onclick"), "nothing inline");
}
