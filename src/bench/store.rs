//! How fast messages are acknowledged, against the disk they are acknowledged on.
//!
//! Every round appends through [`Store::append`], then writes the same framed bytes to one file in
//! the same directory with an fsync after each, and with an fsync after as many as the store had
//! flushed together. The two files show what the disk itself can do; ratios are taken within a
//! round, and the median over rounds is reported.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::future::try_join_all;
use serde::Serialize;

use crate::store::{Progress, Record, RecordKind, Store, StoreConfig, framed};

/// What to measure, and where.
#[derive(Clone, Debug)]
pub struct StoreBench {
    /// Directory on the disk to measure; a directory in it is made and removed again.
    pub directory: PathBuf,
    /// Sessions that append at the same time, each waiting for its own acknowledgement; one
    /// measurement each.
    pub in_flight: Vec<usize>,
    /// Messages of a round.
    pub messages: usize,
    /// Bytes of a message's body.
    pub body_bytes: usize,
    /// Paired rounds; one more before them warms up.
    pub rounds: usize,
}

impl Default for StoreBench {
    fn default() -> Self {
        let directory = std::env::temp_dir();
        Self {
            directory,
            in_flight: vec![1, 64, 256, 512],
            messages: 20_000,
            body_bytes: 256,
            rounds: 5,
        }
    }
}

/// The measurement, one row for each number of sessions.
#[derive(Clone, Debug, Serialize)]
pub struct StoreReport {
    pub messages: usize,
    pub body_bytes: usize,
    pub rounds: usize,
    pub rows: Vec<StoreRow>,
}

/// Medians over the rounds. Rates are per second.
#[derive(Clone, Debug, Serialize)]
pub struct StoreRow {
    pub in_flight: usize,
    /// Messages acknowledged by the store.
    pub acknowledged: f64,
    /// From the call to the acknowledgement, in microseconds.
    pub p50_us: f64,
    pub p99_us: f64,
    /// Messages that one flush acknowledged, on average.
    pub group: f64,
    /// Messages written to a plain file with an fsync each.
    pub file_single: f64,
    /// Messages written to a plain file with an fsync for each group.
    pub file_grouped: f64,
    /// `acknowledged / file_single` of the same round.
    pub ratio_single: f64,
    /// `acknowledged / file_grouped` of the same round: how much of the disk's own limit the store
    /// reaches.
    pub ratio_grouped: f64,
}

/// Runs the measurement; `progress` counts rounds.
///
/// # Errors
/// If the directory can't be written, or the store refuses a message.
pub fn run(
    options: &StoreBench,
    mut progress: impl FnMut(Progress),
) -> anyhow::Result<StoreReport> {
    let scratch = Scratch::new(&options.directory)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .context("cannot start the runtime")?;
    let total = (options.in_flight.len() * (options.rounds + 1)) as u64;
    let mut done = 0;
    let mut rows = Vec::new();
    for in_flight in &options.in_flight {
        let config = StoreConfig {
            path: scratch.0.join(format!("store-{in_flight}")),
            ..StoreConfig::default()
        };
        let store = Store::open(&config)?;
        let mut rounds = Vec::new();
        for round in 0..=options.rounds {
            let measured = measure(options, &scratch.0, &runtime, &store, *in_flight, round)?;
            if round > 0 {
                rounds.push(measured);
            }
            done += 1;
            progress(Progress { done, total });
        }
        runtime.block_on(store.close())?;
        rows.push(summary(*in_flight, &rounds));
    }
    let StoreBench { messages, body_bytes, rounds, .. } = *options;
    Ok(StoreReport { messages, body_bytes, rounds, rows })
}

/// One round of all three.
struct Round {
    acknowledged: f64,
    p50_us: f64,
    p99_us: f64,
    group: f64,
    file_single: f64,
    file_grouped: f64,
}

fn measure(
    options: &StoreBench,
    scratch: &Path,
    runtime: &tokio::runtime::Runtime,
    store: &Store,
    in_flight: usize,
    round: usize,
) -> anyhow::Result<Round> {
    // Each session alone pays a whole flush for each message.
    let each = (options.messages / in_flight.max(1)).clamp(1, 2_000);
    let records: Vec<Vec<Record>> = (0..in_flight)
        .map(|session| {
            (1..=each).map(|seq| message(round, session, seq, options.body_bytes)).collect()
        })
        .collect();
    let framed: Vec<Vec<u8>> =
        (0..each).flat_map(|at| records.iter().map(move |own| framed(&own[at]))).collect();
    let before = store.stats();
    let began = Instant::now();
    let sessions = records.into_iter().map(|own| async move {
        let mut latencies = Vec::with_capacity(own.len());
        for record in own {
            let asked = Instant::now();
            store.append(record).await?;
            latencies.push(asked.elapsed());
        }
        anyhow::Ok(latencies)
    });
    let mut latencies: Vec<Duration> =
        runtime.block_on(try_join_all(sessions))?.into_iter().flatten().collect();
    let took = began.elapsed();
    let after = store.stats();
    latencies.sort_unstable();
    let percentile = |share: f64| {
        let at = ((latencies.len() - 1) as f64 * share).round() as usize;
        latencies[at].as_secs_f64() * 1e6
    };
    let group =
        (after.records - before.records) as f64 / (after.groups - before.groups).max(1) as f64;
    Ok(Round {
        acknowledged: latencies.len() as f64 / took.as_secs_f64(),
        p50_us: percentile(0.50),
        p99_us: percentile(0.99),
        group,
        file_single: plain_file(scratch, &framed[..framed.len().min(500)], 1)?,
        file_grouped: plain_file(scratch, &framed, (group.round() as usize).max(1))?,
    })
}

/// Writes `frames` to a new file, `group` of them before each fsync; messages per second.
fn plain_file(scratch: &Path, frames: &[Vec<u8>], group: usize) -> anyhow::Result<f64> {
    let path = scratch.join("plain");
    let mut file =
        File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    let began = Instant::now();
    for frames in frames.chunks(group) {
        file.write_all(&frames.concat())?;
        file.sync_all()?;
    }
    let rate = frames.len() as f64 / began.elapsed().as_secs_f64();
    std::fs::remove_file(&path)?;
    Ok(rate)
}

/// Text that compresses about as well as people's messages do.
fn message(round: usize, session: usize, seq: usize, bytes: usize) -> Record {
    const WORDS: [&str; 16] = [
        "where", "is", "my", "order", "number", "please", "return", "the", "blue", "jacket",
        "size", "refund", "when", "delivery", "thanks", "price",
    ];
    let mut state = (round as u64) << 40 ^ (session as u64) << 20 ^ seq as u64;
    let mut body = String::with_capacity(bytes + 16);
    while body.len() < bytes {
        // splitmix64: the same messages in every run.
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^= word >> 31;
        body.push_str(WORDS[(word % 16) as usize]);
        body.push_str(&format!(" {:x} ", (word >> 8) & 0xFFF));
    }
    body.truncate(bytes);
    let session = format!("{round:08x}{session:024x}");
    Record {
        site: "bench".into(),
        session,
        seq: seq as u64,
        at_ms: 1_700_000_000_000 + seq as u64,
        kind: RecordKind::Event,
        body: body.into_bytes(),
    }
}

fn summary(in_flight: usize, rounds: &[Round]) -> StoreRow {
    let of = |value: fn(&Round) -> f64| median(rounds.iter().map(value).collect());
    StoreRow {
        in_flight,
        acknowledged: of(|round| round.acknowledged),
        p50_us: of(|round| round.p50_us),
        p99_us: of(|round| round.p99_us),
        group: of(|round| round.group),
        file_single: of(|round| round.file_single),
        file_grouped: of(|round| round.file_grouped),
        ratio_single: of(|round| round.acknowledged / round.file_single),
        ratio_grouped: of(|round| round.acknowledged / round.file_grouped),
    }
}

/// The middle value, or the mean of the two in the middle; 0 of nothing.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        len if len % 2 == 1 => values[len / 2],
        len => f64::midpoint(values[len / 2 - 1], values[len / 2]),
    }
}

/// A directory that goes when the measurement ends, however it ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(directory: &Path) -> anyhow::Result<Self> {
        let path = directory.join(format!("frontdesk-bench-store-{}", std::process::id()));
        std::fs::create_dir_all(&path)
            .with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        fn check(values: &[f64], expected: f64) {
            assert!((median(values.to_vec()) - expected).abs() < 1e-9, "{values:?}");
        }
        check(&[], 0.0);
        check(&[3.0, 1.0, 2.0], 2.0);
        check(&[4.0, 1.0, 2.0, 3.0], 2.5);
    }

    #[test]
    fn a_small_run_reports_every_row() {
        let directory = std::env::temp_dir();
        let options = StoreBench {
            directory,
            in_flight: vec![1, 8],
            messages: 32,
            body_bytes: 64,
            rounds: 1,
        };
        let mut steps = 0;
        let report = run(&options, |progress| steps = progress.done).unwrap();
        assert_eq!((report.rows.len(), steps), (2, 4));
        assert!(
            report
                .rows
                .iter()
                .all(|row| row.acknowledged > 0.0 && row.file_single > 0.0 && row.p99_us > 0.0)
        );
        assert!(
            !options
                .directory
                .join(format!("frontdesk-bench-store-{}", std::process::id()))
                .exists()
        );
    }
}
