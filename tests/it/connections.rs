//! Connections that cost the server something and give it nothing.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use frontdesk::protocol::{ClientMessage, ErrorCode, ServerMessage};
use frontdesk::store::{Record, RecordKind, Store};

use crate::support::{ChatClient, LIMIT, TestServer, answer};

async fn connected(server: &TestServer, begins: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.addr()).await.unwrap();
    stream.write_all(begins.as_bytes()).await.unwrap();
    stream
}

/// What the server says before it closes.
async fn last_words(mut stream: TcpStream) -> String {
    let mut said = Vec::new();
    // A reset is an end, too.
    let _ = timeout(LIMIT, stream.read_to_end(&mut said)).await.expect("the server closes it");
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test]
async fn requests_that_never_end_are_bounded_in_number_and_time() {
    let server = TestServer::with(|config| {
        config.server.max_connections = 4;
        config.server.request_timeout_s = 2;
    })
    .await;
    // A socket is no HTTP connection any more: it takes none of those places.
    let mut visitor = server.client().await.hello().await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(connected(&server, "GET /livez HTTP/1.1\r\nhost: x\r\nx-slow: ").await);
    }
    let refused = connected(&server, "").await;
    assert!(
        last_words(refused).await.starts_with("HTTP/1.1 503"),
        "a fifth one is refused at once"
    );
    let operators = reqwest::get(server.admin_url("/readyz")).await.unwrap();
    assert!(operators.status().is_success(), "operators get in");
    for stream in held {
        assert!(!last_words(stream).await.contains("200 OK"));
    }
    let livez = reqwest::get(server.url("/livez")).await.unwrap();
    assert!(livez.status().is_success());

    let head = "POST /v1/chat/messages HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{";
    let said = last_words(connected(&server, head).await).await;
    assert!(said.starts_with("HTTP/1.1 4"), "a body that stalls is given up: {said}");

    let (text, _) = answer(&visitor.ask("m1", "What does shipping within Ireland cost?").await);
    assert!(text.contains("4.90 EUR"), "{text}");
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_dropped_when_it_is_dead_and_not_at_the_next_ping() {
    let server = TestServer::with(|config| {
        config.server.ping_s = 120;
        config.server.dead_s = 1;
    })
    .await;
    let sockets = || server.server.as_ref().unwrap().metrics().sockets.get();
    let _silent = server.client().await.hello().await;
    assert_eq!(sockets(), 1);
    let since = Instant::now();
    while sockets() > 0 {
        assert!(since.elapsed() < LIMIT, "it is still held");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(since.elapsed() >= Duration::from_millis(900), "{:?}", since.elapsed());
}

#[tokio::test]
async fn a_response_that_nobody_reads_is_given_up() {
    let server = TestServer::with(|config| {
        config.server.max_connections = 1;
        config.server.request_timeout_s = 1;
    })
    .await;
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(1).unwrap();
    let mut deaf = socket.connect(server.addr()).await.unwrap();
    // More than the system's buffers take, asked for and never read.
    let request = b"GET /v1/protocol/schema.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1_000);
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    let asking = tokio::spawn(async move {
        let _ = deaf.write_all(&request).await;
        // Held open, and not read.
        std::future::pending::<()>().await;
        drop(deaf);
    });
    let since = Instant::now();
    let livez = async || reqwest::Client::new().get(server.url("/livez")).send().await;
    while !livez().await.is_ok_and(|response| response.status().is_success()) {
        assert!(since.elapsed() < LIMIT / 2, "the only place is still held");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    asking.abort();
}

async fn hello_again(
    server: &TestServer,
    of: &ChatClient,
    session: Option<&str>,
) -> (ChatClient, ServerMessage) {
    let mut client = server.client().await;
    let hello = ClientMessage::Hello {
        site: "shop".into(),
        token: Some(of.token.clone()),
        session: session.map(Into::into),
        last_seq: 0,
        partial: None,
        source: None,
        attributes: None,
        language: None,
    };
    client.send(&hello).await;
    let first = client.next().await;
    (client, first)
}

#[track_caller]
fn refused(message: &ServerMessage) -> (ErrorCode, bool) {
    match message {
        ServerMessage::Error { code, retry_after_ms, .. } => (*code, retry_after_ms.is_some()),
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn one_visitor_takes_so_many_places_and_connects_so_often() {
    let server = TestServer::with(|config| {
        config.server.sockets_per_visitor = 2;
        config.sessions.connections_per_minute = 5;
    })
    .await;
    let first = server.client().await.hello().await;
    let (second, welcome) = hello_again(&server, &first, Some(&first.session)).await;
    assert!(matches!(welcome, ServerMessage::Welcome { .. }));
    let (mut third, error) = hello_again(&server, &first, None).await;
    let reason = |message: &ServerMessage| match message {
        ServerMessage::Error { message, .. } => message.clone(),
        other => panic!("not refused: {other:?}"),
    };
    assert_eq!(refused(&error), (ErrorCode::RateLimited, true));
    assert!(reason(&error).contains("at the same time"), "{error:?}");
    assert_eq!(third.closed().await, Some(1008));
    drop(server.client().await.hello().await);
    drop(second);
    let sockets = || server.server.as_ref().unwrap().metrics().sockets.get();
    let only_the_first = async || {
        let since = Instant::now();
        while sockets() > 1 {
            assert!(since.elapsed() < LIMIT);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    // Refusals count, so these are the fourth time within the minute and the fifth.
    for _ in 0..2 {
        only_the_first().await;
        let (_, welcome) = hello_again(&server, &first, None).await;
        assert!(matches!(welcome, ServerMessage::Welcome { .. }), "{welcome:?}");
    }
    only_the_first().await;
    let (_, error) = hello_again(&server, &first, None).await;
    assert_eq!(refused(&error), (ErrorCode::RateLimited, true));
    assert!(
        reason(&error).contains("more than 5") && reason(&error).contains("a minute"),
        "{error:?}"
    );
    server.client().await.hello().await;
}

#[tokio::test]
async fn the_line_for_a_person_has_an_end_and_one_place_for_each_visitor() {
    let server = TestServer::with(|config| config.console.waiting = 1).await;
    let mut first = server.client().await.hello().await;
    first.send(&ClientMessage::Human {}).await;
    first.until(|message| matches!(message, ServerMessage::Handoff { .. }).then_some(())).await;

    let (mut again, _) = hello_again(&server, &first, None).await;
    again.send(&ClientMessage::Human {}).await;
    let error = again.next().await;
    assert_eq!(refused(&error), (ErrorCode::Conflict, false), "{error:?}");
    let mut second = server.client().await.hello().await;
    second.send(&ClientMessage::Human {}).await;
    assert_eq!(refused(&second.next().await), (ErrorCode::Overloaded, true));
    // Asked for in words the model goes on, too.
    let done = second
        .ask("m1", "I want to talk to a human. What does shipping within Ireland cost?")
        .await;
    assert!(matches!(done, ServerMessage::AnswerDone { .. }));

    first.send(&ClientMessage::End { session: None }).await;
    first.until(|message| matches!(message, ServerMessage::Ended { .. }).then_some(())).await;
    second.send(&ClientMessage::Human {}).await;
    second.until(|message| matches!(message, ServerMessage::Handoff { .. }).then_some(())).await;
}

#[tokio::test]
async fn a_history_of_many_pages_arrives_whole() {
    let mut server = TestServer::start().await;
    let mut client = server.client().await.hello().await;
    client.ask("m1", "What does shipping within Ireland cost?").await;
    let begun = client.last_seq;
    server.stop().await;
    let store = Store::open(&server.config.store).unwrap();
    let last = begun + 600;
    for seq in begun + 1..=last {
        let body =
            format!(r#"{{"event":"feedback","turn":2,"rating":"up","text":"{seq}"}}"#).into_bytes();
        let (site, session) = ("shop".into(), client.session.clone());
        let at_ms = server.clock.now_ms();
        store
            .append(Record { site, session, seq, at_ms, kind: RecordKind::Event, body })
            .await
            .unwrap();
    }
    store.close().await.unwrap();
    server.restart().await;
    let mut back = client.resume_at(server.addr(), 0, None).await;
    let mut seen = 0;
    while seen < last {
        let seq = back.next_seq().await;
        assert!(seq > seen, "{seq} after {seen}");
        assert!(seen < begun || seq == seen + 1, "{seq} after {seen}");
        seen = seq;
    }
}

#[tokio::test]
async fn words_that_are_being_typed_start_no_search_where_drafts_are_off() {
    let took = typed(true, LIMIT).await.expect("where they are on the answer is prepared");
    assert_eq!(typed(false, took * 3).await, None);
}

/// How long it takes until something is computed for a draft, at most `limit`.
async fn typed(drafts: bool, limit: Duration) -> Option<Duration> {
    let server = TestServer::with(|config| config.sites[0].widget.draft = drafts).await;
    let mut visitor = server.client().await.hello().await;
    visitor.ask("m1", "What does shipping within Ireland cost?").await;
    let http = reqwest::Client::new();
    let computed = async || {
        let asked = http
            .get(server.admin_url("/metrics"))
            .bearer_auth(server.admin_key())
            .send()
            .await
            .unwrap();
        let text = asked.text().await.unwrap();
        text.lines()
            .find(|line| line.contains("texts_embedded") && !line.starts_with('#'))
            .unwrap()
            .to_owned()
    };
    let before = computed().await;
    let since = Instant::now();
    visitor.send(&ClientMessage::Typing { text: Some("When will my refund arrive?".into()) }).await;
    while since.elapsed() < limit {
        if computed().await != before {
            return Some(since.elapsed());
        }
    }
    None
}

#[tokio::test]
async fn a_disk_that_is_nearly_full_lets_visitors_read_and_operators_erase() {
    let mut server = TestServer::start().await;
    let mut visitor = server.client().await.hello().await;
    visitor.ask("m1", "What does shipping within Ireland cost?").await;
    // No disk has that much room.
    let reserve_mib = std::mem::replace(&mut server.config.store.reserve_mib, 1 << 40);
    server.config.knowledge.watch_s = 1;
    std::fs::write(
        server.config.knowledge.path.join("ropes.csv"),
        "sku,name,price\nR1,Rope,12 EUR\n",
    )
    .unwrap();
    let last_seq = visitor.last_seq;
    server.restart().await;
    let mut back = visitor.resume_at(server.addr(), 0, None).await;
    while back.next_seq().await < last_seq {}
    back.say("m2", "And to Cork?").await;
    let (code, text) = back.error().await;
    assert_eq!(code, ErrorCode::StorageFailed);
    assert!(text.contains("disk is nearly full"), "{text}");
    let http = reqwest::Client::new();
    let ready = http.get(server.admin_url("/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 503);
    let parts: serde_json::Value = ready.json().await.unwrap();
    assert!(
        parts["disk"].as_str().unwrap().contains("nearly full") && parts["store"] == "ok",
        "{parts}"
    );
    let document = http
        .put(server.admin_url("/v1/sites/shop/documents/more.md"))
        .header("content-type", "text/markdown");
    let document = document.bearer_auth(server.admin_key()).body("# More").send().await.unwrap();
    assert_eq!(document.status(), 503);
    let ingest =
        http.post(server.admin_url("/v1/sites/shop/ingest")).bearer_auth(server.admin_key());
    let told = ingest.send().await.unwrap().text().await.unwrap();
    assert!(told.contains(r#""type":"failed""#) && told.contains("disk is nearly full"), "{told}");
    let products = async |server: &TestServer| {
        let asked =
            http.get(server.admin_url("/v1/sites/shop/products")).bearer_auth(server.admin_key());
        asked.send().await.unwrap().json::<serde_json::Value>().await.unwrap()["products"].clone()
    };
    // The second look, after two seconds, would read it.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(products(&server).await, serde_json::json!([]));
    let session = server.admin_url(&format!("/v1/sites/shop/sessions/{}", back.session));
    let erased = http.delete(&session).bearer_auth(server.admin_key()).send().await.unwrap();
    assert!(erased.status().is_success(), "{}", erased.status());
    assert_eq!(
        http.get(&session).bearer_auth(server.admin_key()).send().await.unwrap().status(),
        404
    );
    server.config.store.reserve_mib = reserve_mib;
    server.restart().await;
    let since = Instant::now();
    while products(&server).await == serde_json::json!([]) {
        assert!(since.elapsed() < LIMIT, "there is room again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
