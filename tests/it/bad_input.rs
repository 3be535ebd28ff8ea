//! Promise 6: bad input gets a clear error, and the server goes on.

use tokio_tungstenite::tungstenite::Message;

use crate::support::{TestServer, answer};
use frontdesk::protocol::parts::AnswerEnd;
use frontdesk::protocol::{ClientMessage, ErrorCode, ServerMessage};

/// Sends a frame after hello; expects this error and, if the socket ends, this close code. Another
/// visitor is served after it.
async fn check(
    server: &TestServer,
    frame: Message,
    expected: ErrorCode,
    says: &str,
    close: Option<u16>,
) {
    let mut visitor = server.client().await.hello().await;
    visitor.send_raw(frame).await;
    let (code, text) = visitor.error().await;
    assert_eq!(code, expected, "{text}");
    assert!(text.contains(says), "{text}");
    match close {
        Some(_) => assert_eq!(visitor.closed().await, close),
        None => {
            let (said, _) =
                answer(&visitor.ask("after", "What does shipping within Ireland cost?").await);
            assert!(said.contains("4.90"));
        }
    }
    assert!(reqwest::get(server.url("/readyz")).await.unwrap().status().is_success());
}

#[tokio::test]
async fn frames_that_are_no_messages() {
    let server = TestServer::start().await;
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let deep_object = format!(
        "{{\"type\":\"message\",\"id\":\"a\",\"text\":{}1{}}}",
        "[".repeat(2_000),
        "]".repeat(2_000)
    );
    let cases = [
        (Message::text("not json"), "not a message"),
        (Message::text("{\"type\":\"shout\"}"), "unknown variant"),
        (Message::text("{\"type\":\"message\",\"id\":\"a\"}"), "missing field"),
        (
            Message::text("{\"type\":\"message\",\"id\":\"a\",\"text\":\"b\",\"extra\":1}"),
            "unknown field",
        ),
        (
            Message::text("{\"type\":\"message\",\"id\":\"a\",\"text\":\"\\ud800\"}"),
            "not a message",
        ),
        (Message::text(deep), "not a message"),
        (Message::text(deep_object), "not a message"),
        (Message::binary(vec![1, 2, 3]), "binary"),
        (Message::text("{\"type\":\"message\",\"id\":\"\",\"text\":\"b\"}"), "1 to 64 bytes"),
        (Message::text("{\"type\":\"message\",\"id\":\"a\",\"text\":\" \\n\"}"), "empty"),
        (Message::text("{\"type\":\"hello\",\"site\":\"shop\"}"), "already"),
    ];
    for (frame, says) in cases {
        check(&server, frame, ErrorCode::BadMessage, says, None).await;
    }
    let long =
        serde_json::json!({ "type": "message", "id": "a", "text": "x".repeat(4_001) }).to_string();
    check(&server, Message::text(long), ErrorCode::TooLarge, "4000", None).await;
    check(&server, Message::text("x".repeat(20_000)), ErrorCode::TooLarge, "16384", Some(1009))
        .await;
}

#[tokio::test]
async fn broken_utf8_is_told_and_closed() {
    use tokio_tungstenite::tungstenite::protocol::frame::Frame;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
    let server = TestServer::start().await;
    let frame = Message::Frame(Frame::message(
        vec![b'{', 0xff, 0xfe, b'}'],
        OpCode::Data(Data::Text),
        true,
    ));
    check(&server, frame, ErrorCode::BadMessage, "UTF-8", Some(1007)).await;
}

#[tokio::test]
async fn many_mistakes_close_the_socket() {
    let server = TestServer::start().await;
    let mut visitor = server.client().await.hello().await;
    for _ in 0..8 {
        visitor.send_raw(Message::text("nonsense")).await;
    }
    assert_eq!(visitor.closed().await, Some(1008));
}

#[tokio::test]
async fn hello_comes_first_and_soon() {
    let server = TestServer::with(|config| config.server.hello_timeout_s = 1).await;
    let mut visitor = server.client().await;
    visitor.send(&ClientMessage::Human {}).await;
    assert_eq!(visitor.error().await.0, ErrorCode::HelloExpected);
    assert_eq!(visitor.closed().await, Some(1008));

    let mut silent = server.client().await;
    let (code, text) = silent.error().await;
    assert_eq!(code, ErrorCode::HelloExpected);
    assert!(text.contains("1 s"), "{text}");
}

#[tokio::test]
async fn http_bodies() {
    let server = TestServer::start().await;
    let client = reqwest::Client::new();
    let cases: [(&str, &str, u16, &str); 6] = [
        ("/v1/chat/messages", "{", 400, "bad_message"),
        ("/v1/chat/messages", "{\"site\":\"shop\",\"text\":\"\"}", 400, "bad_message"),
        ("/v1/chat/messages", "{\"site\":\"nowhere\",\"text\":\"hi\"}", 404, "unknown_site"),
        (
            "/v1/chat/messages",
            "{\"site\":\"shop\",\"text\":\"hi\",\"session\":\"x\"}",
            401,
            "unauthorized",
        ),
        ("/v1/chat/completions", "{}", 401, "unauthorized"),
        ("/nothing", "{}", 404, "not_found"),
    ];
    for (path, body, status, code) in cases {
        let response = client
            .post(server.url(path))
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), status, "{path} {body}");
        let error: serde_json::Value = response.json().await.unwrap();
        assert_eq!(error["error"]["code"], code, "{path} {body}");
        assert!(error["error"]["message"].as_str().unwrap().len() > 10);
    }
    let large = format!("{{\"site\":\"shop\",\"text\":\"{}\"}}", "x".repeat(300_000));
    let response = client
        .post(server.url("/v1/chat/messages"))
        .header("content-type", "application/json")
        .body(large)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(response.json::<serde_json::Value>().await.unwrap()["error"]["code"], "too_large");
}

/// What operators' tools and integrators send wrong is told in the shape that every other error
/// has.
#[tokio::test]
async fn queries_paths_and_bodies_that_are_not_understood() {
    let server = TestServer::start().await;
    let client = reqwest::Client::new();
    let cases = [
        ("GET", server.admin_url("/v1/sites/shop/sessions?limit=many"), "", 400, "bad_message"),
        ("GET", server.admin_url("/v1/sites/shop/gaps?state=shut"), "", 400, "bad_message"),
        ("GET", server.admin_url("/v1/sites/shop/insight?from_ms=soon"), "", 400, "bad_message"),
        (
            "GET",
            server.admin_url("/v1/sites/shop/insight/sessions?form_ms=1"),
            "",
            400,
            "bad_message",
        ),
        ("GET", server.admin_url("/v1/sites/shop/intent/taste"), "", 400, "bad_message"),
        ("GET", server.admin_url("/v1/sites/%ff/gaps"), "", 400, "bad_message"),
        (
            "POST",
            server.admin_url("/v1/sites/shop/intent/purchase/deploy"),
            "{",
            400,
            "bad_message",
        ),
        (
            "POST",
            server.admin_url("/v1/sites/shop/intent/purchase/deploy"),
            "{\"version\":\"new\"}",
            400,
            "bad_message",
        ),
        ("POST", server.admin_url("/v1/sites/shop/ingest"), "{\"paths\":7}", 400, "bad_message"),
        ("POST", server.admin_url("/v1/agents"), "[]", 400, "bad_message"),
        ("POST", server.url("/v1/sites/shop/outcomes"), "{", 400, "bad_message"),
    ];
    let refused = async |method: &str, url: String, body: String, status: u16, code: &str| {
        let request = client.request(method.parse().unwrap(), &url).bearer_auth(server.admin_key());
        let response =
            request.header("content-type", "application/json").body(body).send().await.unwrap();
        assert_eq!(response.status(), status, "{url}");
        let error: serde_json::Value = response.json().await.unwrap();
        assert_eq!(error["error"]["code"], code, "{url}: {error}");
        assert!(error["error"]["message"].as_str().unwrap().len() > 10, "{url}: {error}");
    };
    for (method, url, body, status, code) in cases {
        refused(method, url, body.to_owned(), status, code).await;
    }
    let large = format!("[\"{}\"]", "x".repeat(300_000));
    for url in [server.admin_url("/v1/agents"), server.url("/v1/sites/shop/outcomes")] {
        refused("POST", url, large.clone(), 413, "too_large").await;
    }
}

#[tokio::test]
async fn a_reader_that_never_reads_is_cut_off_and_harms_nobody() {
    let server = TestServer::with(|config| {
        config.sessions.max_messages = 100_000;
        config.sessions.messages_per_minute = 100_000;
    })
    .await;
    let mut other = server.client().await.hello().await;
    let mut slow = other.resume_slowly().await;
    // More than socket buffers and the participant's queue hold, and the slow one reads none of it.
    let text = "水".repeat(4_000);
    let cut_off = || server.server.as_ref().unwrap().metrics().slow_readers.get() > 0;
    let mut sent = 0;
    while !cut_off() {
        assert!(sent < 3_000, "it was never cut off");
        other.say(&format!("m{sent}"), &text).await;
        other.acked(&format!("m{sent}")).await;
        sent += 1;
    }
    other.say("after", "What does shipping within Ireland cost?").await;
    let asked = other.acked("after").await;
    let answered = |message: &ServerMessage| match message {
        ServerMessage::AnswerDone { turn, end, .. } if *turn == asked => Some(*end),
        _ => None,
    };
    let end = other.until(answered).await;
    assert!(
        matches!(end, AnswerEnd::Complete | AnswerEnd::Declined),
        "the session goes on: {end:?}"
    );

    // What had left the server still arrives, then the socket ends, and resuming gives exactly the
    // rest.
    while slow.try_next().await.is_some() {}
    assert!(slow.last_seq < other.last_seq);
    let mut again = slow.resume(None).await;
    assert_eq!(again.next_seq().await, slow.last_seq + 1);
}
