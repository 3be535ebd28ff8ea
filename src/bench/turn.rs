//! Our own share of a turn: what is left when model, vector search's embedding and the disk's flush
//! are taken away.

use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use serde::Serialize;

use super::client::Client;
use crate::clock::Clock;
use crate::config::Config;
use crate::protocol::{ClientMessage, ServerMessage};
use crate::server::Server;

/// Milliseconds of one part of a turn.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Share {
    pub p50_ms: f64,
    pub p99_ms: f64,
}

/// Turns measured one after another over a real socket, with the scripted engine, in conversations
/// of twenty.
#[derive(Clone, Debug, Serialize)]
pub struct TurnReport {
    pub turns: usize,
    /// From sending the message to the last frame of its answer.
    pub total: Share,
    /// Waiting for the disk: the message and the answer, one flush each.
    pub disk: Share,
    /// Embedding of the question.
    pub embedding: Share,
    /// Search of a small index; its growth is the retrieval benchmark's matter.
    pub search: Share,
    /// The rest: sockets, JSON, session, prompt, gate, tasks. The client's own work is in it.
    pub own: Share,
    pub target_own_p99_ms: f64,
    pub reached: bool,
}

/// What [`TurnReport::own`] is to stay within at p99.
pub const TARGET_P99_MS: f64 = 1.0;
/// More than most conversations have; a prompt holds its whole history.
const TURNS_A_SESSION: usize = 20;

/// Runs `turns` turns against a server of its own in `directory`.
///
/// # Errors
/// When the server can't be started or a turn fails.
pub async fn run(
    config: &Config,
    directory: &Path,
    turns: usize,
    progress: &dyn Fn(usize),
) -> anyhow::Result<TurnReport> {
    let mut config = super::scratch_config(config, directory)?;
    // The questions come again and again; a visitor's is new.
    config.embedder.remembered = 0;
    let server = Server::start(config.clone(), Clock::system()).await?;
    server.ingest(&config, &|_| {}).await?;
    let metrics = server.metrics();
    let site = &config.sites.first().context("a site")?.id;
    let mut client = Client::connect(server.addr).await?;
    client.hello(site).await?;
    let (mut total, mut disk, mut embedding, mut search, mut own) =
        (vec![], vec![], vec![], vec![], vec![]);
    for i in 0..turns + turns / 10 {
        if i.is_multiple_of(TURNS_A_SESSION) {
            client = Client::connect(server.addr).await?;
            client.hello(site).await?;
        }
        let before = [&metrics.disk_us, &metrics.embedding_us, &metrics.search_us]
            .map(|counter| counter.get());
        let since = Instant::now();
        client
            .send(&ClientMessage::Message {
                id: format!("m{i}"),
                text: "What does shipping within Ireland cost?".into(),
            })
            .await?;
        loop {
            match client.next().await? {
                ServerMessage::AnswerDone { .. } => break,
                ServerMessage::Error { code, message, .. } => anyhow::bail!("{code:?}: {message}"),
                _ => {}
            }
        }
        let took = since.elapsed().as_secs_f64() * 1_000.0;
        let after = [&metrics.disk_us, &metrics.embedding_us, &metrics.search_us]
            .map(|counter| counter.get());
        // The first tenth warms up.
        if i < turns / 10 {
            continue;
        }
        #[expect(clippy::cast_precision_loss, reason = "microseconds of one turn")]
        let [on_disk, on_embedding, on_search] = std::array::from_fn(|part| {
            after.get(part).zip(before.get(part)).map_or(0.0, |(a, b)| (a - b) as f64 / 1_000.0)
        });
        total.push(took);
        disk.push(on_disk);
        embedding.push(on_embedding);
        search.push(on_search);
        own.push(took - on_disk - on_embedding - on_search);
        progress(total.len());
    }
    server.stop().await?;
    let own = share(own);
    Ok(TurnReport {
        turns,
        target_own_p99_ms: TARGET_P99_MS,
        reached: own.p99_ms <= TARGET_P99_MS,
        total: share(total),
        disk: share(disk),
        embedding: share(embedding),
        search: share(search),
        own,
    })
}

fn share(mut values: Vec<f64>) -> Share {
    values.sort_by(f64::total_cmp);
    let at = |quantile: usize| {
        values
            .get((values.len() * quantile / 100).min(values.len().saturating_sub(1)))
            .copied()
            .unwrap_or(0.0)
    };
    Share { p50_ms: at(50), p99_ms: at(99) }
}
