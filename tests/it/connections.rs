//! Connections that cost the server something and give it nothing.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{LIMIT, TestServer, answer};

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
    assert!(last_words(refused).await.starts_with("HTTP/1.1 503"), "a fifth one is refused at once");
    let operators = reqwest::get(server.admin_url("/readyz")).await.unwrap();
    assert!(operators.status().is_success(), "operators get in");
    for stream in held {
        assert!(!last_words(stream).await.contains("200 OK"));
    }
    let livez = reqwest::get(server.url("/livez")).await.unwrap();
    assert!(livez.status().is_success());

    let head =
        "POST /v1/chat/messages HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{";
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
