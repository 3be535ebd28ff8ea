//! From the log to features and to the whole report, over thousands of sessions.

use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use serde::Serialize;

use crate::catalogue::goods::Goods;
use crate::insight::book::Book;
use crate::insight::replay::{self, Conversation, Meanings, Parts};
use crate::insight::report;
use crate::signals::Meaning;
use crate::signals::touched::Touched;
use crate::store::{Store, StoreConfig};

/// What took how long.
#[derive(Clone, Debug, Serialize)]
pub struct InsightReport {
    pub sessions: usize,
    pub messages: usize,
    /// Seconds from the store's records to every session's features; and when nothing changed
    /// since.
    pub features_s: f64,
    pub again_s: f64,
    /// Seconds for every figure of the page.
    pub report_s: f64,
}

/// Dimensions of the stand-in for an embedding: its content costs nothing, its size does.
const DIMS: usize = 384;

/// Replays recorded conversations until there are `count` sessions, then reads them.
///
/// # Errors
/// When the file holds no conversation, or the store fails.
pub async fn run(
    directory: &Path,
    file: &Path,
    count: usize,
    progress: &dyn Fn(usize),
) -> anyhow::Result<InsightReport> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("can't read {}", file.display()))?;
    let recorded = replay::read(&text, 1_700_000_000_000, replay::CONVERTED)?;
    anyhow::ensure!(!recorded.is_empty(), "{} holds no conversation", file.display());
    let store =
        Store::open(&StoreConfig { path: directory.join("store"), ..StoreConfig::default() })?;
    let conversations: Vec<Conversation> = recorded
        .iter()
        .cycle()
        .take(count)
        .enumerate()
        .map(|(i, conversation)| Conversation {
            id: format!("{}-{i}", conversation.id),
            ..conversation.clone()
        })
        .collect();
    let catalogue = Goods::default();
    let meanings = Meanings::Fixed(Meaning { scale: 0.001, values: vec![50; DIMS] });
    let parts = Parts {
        store: &store,
        site: "bench",
        channel: "bench",
        catalogue: &catalogue,
        meanings: &meanings,
    };
    let done = replay::import(&parts, &conversations, progress).await?;

    let book = Book::new(store.clone(), Touched::default());
    let since = Instant::now();
    let entries = book.read("bench").await?;
    let rows: usize = entries.iter().map(|entry| entry.state.row().len()).sum();
    let features_s = since.elapsed().as_secs_f64();
    anyhow::ensure!(
        entries.len() == done.sessions && rows > 0,
        "{} of {} sessions were read",
        entries.len(),
        done.sessions
    );
    let since = Instant::now();
    book.read("bench").await?;
    let again_s = since.elapsed().as_secs_f64();
    let since = Instant::now();
    let made = report::report(&entries, &catalogue, &report::Scorer::default());
    let report_s = since.elapsed().as_secs_f64();
    anyhow::ensure!(made.totals.sessions == entries.len(), "the report lost sessions");
    store.close().await?;
    Ok(InsightReport {
        sessions: done.sessions,
        messages: done.messages,
        features_s,
        again_s,
        report_s,
    })
}
