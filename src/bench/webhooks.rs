//! How fast webhooks of platforms are acknowledged while answers to them are made, beside messages
//! of the widget at the same rate in the same run. Both are on disk by then.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::join_all;
use serde::Serialize;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::client::Client;
use crate::clock::Clock;
use crate::config::Config;
use crate::protocol::{ClientMessage, ServerMessage};
use crate::server::Server;
use crate::telemetry::{TurnEnd, TurnLabels};

/// What [`WebhooksReport::webhooks`] is to stay within at p99.
pub const TARGET_P99_MS: f64 = 50.0;
/// Messages that a person sends in a row; a platform's are one turn.
const BURST: usize = 20;
/// What is not acknowledged by then counts as refused.
const LIMIT: Duration = Duration::from_secs(15);
const SECRET: &str = "a-secret-of-the-measurement";

/// Milliseconds from when a message was due to be sent until it was acknowledged, so that one that
/// waits behind another counts with its wait.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Acknowledged {
    pub count: usize,
    /// Told to come back, or not answered in time.
    pub refused: usize,
    pub per_second: f64,
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
    /// Answers that were whole by the end.
    pub answers: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct WebhooksReport {
    /// Messages a second that were sent, each way.
    pub rate: u32,
    pub seconds: u32,
    pub webhooks: Acknowledged,
    pub widget: Acknowledged,
    /// The webhooks' p99 over the widget's.
    pub ratio_p99: f64,
    pub target_p99_ms: f64,
    pub reached: bool,
}

/// Sends `rate` messages a second for `seconds`, first as webhooks of Telegram, then by the
/// widget's sockets, to a server of its own in `directory`.
///
/// # Errors
/// When the server can't be started or a socket not be opened.
pub async fn run(
    config: &Config,
    directory: &Path,
    rate: u32,
    seconds: u32,
    progress: &dyn Fn(usize),
) -> anyhow::Result<WebhooksReport> {
    let mut config = super::scratch_config(config, directory)?;
    config.embedder.remembered = 0;
    let total = rate as usize * seconds as usize;
    config.server.max_sockets = total / BURST + 100;
    let platform = platform().await?;
    let channel = json!({ "platform": "telegram", "token": "1:a", "secrets": [SECRET],
        "base_url": format!("http://{platform}"), "allow_private": true, "pause_ms": 200 });
    let site = config.sites.first_mut().context("a site")?;
    site.channels = vec![serde_json::from_value(channel)?];
    let id = site.id.clone();
    let server = Server::start(config.clone(), Clock::system()).await?;
    server.ingest(&config, &|_| {}).await?;
    let metrics = server.metrics();

    let url = format!("http://{}/v1/channels/{id}/telegram", server.addr);
    // What is made once isn't counted: connections, caches.
    webhooks(&url, 1_000_000, 50, rate, &|_| {}).await?;
    let answers = || metrics.turns.get_or_create(&TurnLabels { end: TurnEnd::Complete }).get();
    let before = answers();
    let mut hooked = webhooks(&url, 0, total, rate, progress).await?;
    hooked.answers = answers() - before;
    // Answers to the last of them aren't to be in the other's way.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = answers();
    let mut widget = sockets(server.addr, &id, total, rate, progress).await?;
    widget.answers = answers() - before;
    server.stop().await?;
    Ok(WebhooksReport {
        rate,
        seconds,
        ratio_p99: hooked.p99_ms / widget.p99_ms.max(f64::MIN_POSITIVE),
        target_p99_ms: TARGET_P99_MS,
        reached: hooked.p99_ms <= TARGET_P99_MS && hooked.refused == 0,
        webhooks: hooked,
        widget,
    })
}

/// A platform that takes everything.
#[expect(clippy::disallowed_methods, reason = "it ends with the command")]
async fn platform() -> anyhow::Result<SocketAddr> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(take(stream));
        }
    });
    Ok(address)
}

/// Answers the server's requests of one connection.
async fn take(stream: TcpStream) -> std::io::Result<()> {
    const TAKEN: &str = r#"{"ok":true,"result":{"message_id":1}}"#;
    let mut stream = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let header = line.trim_end().to_ascii_lowercase();
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        } else if header.is_empty() {
            tokio::io::copy(&mut (&mut stream).take(length), &mut tokio::io::sink()).await?;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", TAKEN.len());
            stream.write_all(format!("{head}{TAKEN}").as_bytes()).await?;
            length = 0;
        }
    }
}

/// When the message `i` is due.
fn due(start: Instant, i: usize, rate: u32) -> Instant {
    start + Duration::from_secs(1) * u32::try_from(i).unwrap_or(u32::MAX) / rate.max(1)
}

async fn webhooks(
    url: &str,
    first: usize,
    total: usize,
    rate: u32,
    progress: &dyn Fn(usize),
) -> anyhow::Result<Acknowledged> {
    let client = reqwest::Client::builder().timeout(LIMIT).build()?;
    let start = Instant::now() + Duration::from_millis(100);
    let done = AtomicU64::new(0);
    let all = (0..total).map(|i| {
        let (client, done) = (&client, &done);
        async move {
            let (id, person) = (first + i + 1, first + i / BURST + 1);
            let at = due(start, i, rate);
            tokio::time::sleep_until(at).await;
            let update = json!({ "update_id": id, "message": { "message_id": id, "date": 1_700_000_000,
                "text": format!("What does shipping within Ireland cost? ({i})"),
                "from": { "id": person, "is_bot": false }, "chat": { "id": person, "type": "private" } } });
            let request = client
                .post(url)
                .header("x-telegram-bot-api-secret-token", SECRET)
                .header("content-type", "application/json")
                .body(update.to_string());
            let answered = request.send().await.is_ok_and(|answered| answered.status().is_success());
            let count = done.fetch_add(1, Ordering::Relaxed) + 1;
            progress(usize::try_from(count).unwrap_or(usize::MAX));
            answered.then(|| at.elapsed())
        }
    });
    let took = join_all(all).await;
    Ok(summary(took, start))
}

async fn sockets(
    addr: SocketAddr,
    site: &str,
    total: usize,
    rate: u32,
    progress: &dyn Fn(usize),
) -> anyhow::Result<Acknowledged> {
    let mut clients = Vec::new();
    for _ in 0..total.div_ceil(BURST) {
        let mut client = Client::connect(addr).await?;
        client.hello(site).await?;
        clients.push(client);
    }
    let start = Instant::now() + Duration::from_millis(100);
    let done = AtomicU64::new(0);
    let all = clients.into_iter().enumerate().map(|(person, client)| {
        let own: Vec<usize> = (person * BURST..((person + 1) * BURST).min(total)).collect();
        let done = &done;
        async move {
            let took = burst(client, own, start, rate).await;
            let count = done.fetch_add(took.len() as u64, Ordering::Relaxed) + took.len() as u64;
            progress(usize::try_from(count).unwrap_or(usize::MAX));
            took
        }
    });
    let took = join_all(all).await.into_iter().flatten().collect();
    Ok(summary(took, start))
}

/// Sends one person's messages when they are due, and takes the time until each is acknowledged.
async fn burst(
    mut client: Client,
    own: Vec<usize>,
    start: Instant,
    rate: u32,
) -> Vec<Option<Duration>> {
    let mut open: HashMap<String, Instant> = HashMap::new();
    let mut took = Vec::new();
    let count = own.len();
    let mut next = own.into_iter().peekable();
    let last = due(start, next.peek().copied().unwrap_or_default() + count, rate);
    while took.len() < count {
        let at = next.peek().map(|i| due(start, *i, rate));
        tokio::select! {
            () = tokio::time::sleep_until(at.unwrap_or(last)), if at.is_some() => {
                let (Some(i), Some(at)) = (next.next(), at) else { break };
                let text = format!("What does shipping within Ireland cost? ({i})");
                let id = format!("m{i}");
                if client.send(&ClientMessage::Message { id: id.clone(), text }).await.is_err() {
                    break;
                }
                open.insert(id, at);
            }
            frame = client.next() => match frame {
                Ok(ServerMessage::Ack { id, .. }) => {
                    took.extend(open.remove(&id).map(|at| Some(at.elapsed())));
                }
                Ok(ServerMessage::Error { .. }) => took.push(None),
                Ok(_) => {}
                Err(_) => break,
            },
            () = tokio::time::sleep_until(last + LIMIT) => break,
        }
    }
    took.resize(count, None);
    took
}

fn summary(took: Vec<Option<Duration>>, start: Instant) -> Acknowledged {
    let refused = took.iter().filter(|one| one.is_none()).count();
    let mut all: Vec<f64> =
        took.into_iter().flatten().map(|took| took.as_secs_f64() * 1_000.0).collect();
    all.sort_by(f64::total_cmp);
    let at = |quantile: usize| {
        let place = (all.len() * quantile / 100).min(all.len().saturating_sub(1));
        all.get(place).copied().unwrap_or(0.0)
    };
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let per_second = all.len() as f64 / start.elapsed().as_secs_f64();
    Acknowledged {
        count: all.len(),
        refused,
        per_second,
        p50_ms: at(50),
        p95_ms: at(95),
        p99_ms: at(99),
        answers: 0,
    }
}
