//! `frontdesk bench`: the measurements as tables, or as JSON.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum as _};

use crate::bench::{engine, ingest, insight, rerank, retrieval, sockets, store, turn, webhooks};
use crate::cli::show;
use crate::config::Config;
use crate::retrieval::embedder::{Embedder, EmbedderConfig};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  frontdesk bench store
  frontdesk bench sockets --count 10000        needs `ulimit -n 21000`
  frontdesk bench turn --json
  frontdesk bench ingest --rows 100000
  frontdesk bench insight --conversations conversations.jsonl
  frontdesk bench retrieval --articles articles.jsonl --questions questions.jsonl
  frontdesk bench rerank
  frontdesk bench engine --against http://127.0.0.1:8080/v1

Measure a release build on an otherwise idle machine. Everything is made in a scratch directory and removed.")]
pub struct BenchArgs {
    #[command(subcommand)]
    what: What,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    /// Where the scratch directory is made; the disk that is measured is the one it is on.
    #[arg(long, global = true, default_value = ".")]
    directory: PathBuf,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Our own share of a turn, without embedding, model and disk.
    Turn {
        #[arg(long, default_value_t = 500)]
        count: usize,
    },
    /// Memory per idle socket, from outside the process.
    Sockets {
        #[arg(long, default_value_t = 10_000)]
        count: usize,
    },
    /// Webhooks of platforms acknowledged while answers are made, beside the widget's messages.
    Webhooks {
        /// Messages a second.
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
        rate: u32,
        /// How long, each way.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=60))]
        seconds: u32,
    },
    /// Acknowledged messages per second, against a plain file with fsync.
    Store {
        #[arg(long, default_value_t = 5)]
        rounds: usize,
    },
    /// Reading a catalogue as shops export it, without embedding and index.
    Ingest {
        #[arg(long, default_value_t = 100_000)]
        rows: usize,
    },
    /// From the log to the features of thousands of sessions, and to the figures of the insight
    /// page.
    Insight {
        /// JSON Lines of recorded conversations, as `frontdesk demo import` reads them; replayed
        /// until there are enough.
        #[arg(long)]
        conversations: PathBuf,
        #[arg(long, default_value_t = 10_000)]
        count: usize,
    },
    /// What knowledge.reranker costs, by the length of a pair and the number of threads.
    Rerank {
        /// Texts judged for one question at once.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1_000))]
        pairs: u16,
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1_000))]
        rounds: u16,
    },
    /// The language model's engine by itself, or in turns with an OpenAI-compatible server such as
    /// llama-server.
    Engine {
        /// Only these; all without it.
        #[arg(long, value_delimiter = ',')]
        only: Vec<engine::Scenario>,
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
        rounds: u16,
        /// Texts are made from it: the same seed, the same texts.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Base URL of the other side; it should have the same GGUF. benches/llama-server builds
        /// one.
        #[arg(long)]
        against: Option<String>,
        /// Tokens of finished conversations that `sleeping` decodes beside.
        #[arg(long, default_value_t = 18_000)]
        sleeping_tokens: usize,
    },
    /// Search over growing indexes, with the question's embedding.
    Retrieval {
        /// JSON Lines of texts to make passages of (`title`, `text`).
        #[arg(long)]
        articles: PathBuf,
        /// JSON Lines of questions (`question`).
        #[arg(long)]
        questions: Option<PathBuf>,
        #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000, 100_000])]
        sizes: Vec<usize>,
    },
}

pub(super) async fn run(config: &Config, args: BenchArgs) -> anyhow::Result<ExitCode> {
    let scratch = Scratch::new(&args.directory)?;
    let bar = show::progress("");
    let show = |done: usize| bar.set_position(done as u64);
    match args.what {
        What::Turn { count } => {
            bar.set_length(count as u64);
            let report = turn::run(config, &scratch.0, count, &show).await?;
            bar.finish_and_clear();
            let rows = [
                ("whole turn", report.total),
                ("disk", report.disk),
                ("embedding", report.embedding),
                ("search", report.search),
                ("own share", report.own),
            ];
            let rows = rows.map(|(name, share)| {
                // The target is for what is ours.
                let judged = name == "own share";
                let target =
                    if judged { format!("{:.0}", report.target_own_p99_ms) } else { String::new() };
                let reached = if judged { yes_or_no(report.reached) } else { "" };
                let (p50, p99) = (format!("{:.3}", share.p50_ms), format!("{:.3}", share.p99_ms));
                vec![name.into(), p50, p99, target, reached.into()]
            });
            show::report(
                &report,
                args.json,
                &["part", "p50 ms", "p99 ms", "target p99 ms", "reached"],
                rows,
            )
        }
        What::Webhooks { rate, seconds } => {
            bar.set_length(u64::from(rate) * u64::from(seconds));
            let report = webhooks::run(config, &scratch.0, rate, seconds, &show).await?;
            bar.finish_and_clear();
            let row = |name: &str, one: webhooks::Acknowledged, more: [String; 3]| {
                let figures = [one.per_second, one.p50_ms, one.p95_ms, one.p99_ms];
                let counts = [one.refused as u64, one.answers].map(|count| count.to_string());
                let figures = figures.map(|figure| format!("{figure:.1}"));
                [vec![name.to_owned()], figures.to_vec(), counts.to_vec(), more.to_vec()].concat()
            };
            let judged = [
                format!("{:.0}", report.target_p99_ms),
                yes_or_no(report.reached).to_owned(),
                format!("{:.2}", report.ratio_p99),
            ];
            let rows = [
                row("webhooks", report.webhooks, judged),
                row("widget", report.widget, std::array::from_fn(|_| String::new())),
            ];
            let header = [
                "way",
                "acked/s",
                "p50 ms",
                "p95 ms",
                "p99 ms",
                "refused",
                "answers",
                "target p99 ms",
                "reached",
                "p99 × widget",
            ];
            show::report(&report, args.json, &header, rows)
        }
        What::Ingest { rows } => {
            bar.set_length(rows as u64);
            let report = ingest::run(&scratch.0, rows, &show).await?;
            bar.finish_and_clear();
            let row = |name: &str, value: f64, target: f64| {
                vec![
                    name.to_owned(),
                    format!("{value:.1}"),
                    format!("{target:.0}"),
                    yes_or_no(value <= target).to_owned(),
                ]
            };
            let rows = [
                row("seconds", report.seconds, report.target_seconds),
                row("peak MiB", report.peak_mib, report.target_mib),
            ];
            show::report(
                &report,
                args.json,
                &["measure", "value", "target at 100,000 rows", "reached"],
                rows,
            )
        }
        What::Sockets { count } => {
            bar.set_length(count as u64);
            let report = sockets::run(config, &scratch.0, count, &show).await?;
            bar.finish_and_clear();
            let row = vec![
                report.sockets.to_string(),
                report.before_kib.to_string(),
                report.after_kib.to_string(),
                format!("{:.2}", report.kib_per_socket),
            ];
            show::report(
                &report,
                args.json,
                &["idle sockets", "before KiB", "after KiB", "KiB a socket"],
                [row],
            )
        }
        What::Insight { conversations, count } => {
            bar.set_length(count as u64);
            let report = insight::run(&scratch.0, &conversations, count, &show).await?;
            bar.finish_and_clear();
            let row = vec![
                report.sessions.to_string(),
                report.messages.to_string(),
                format!("{:.2}", report.features_s),
                format!("{:.3}", report.again_s),
                format!("{:.2}", report.report_s),
            ];
            show::report(
                &report,
                args.json,
                &["sessions", "messages", "features s", "unchanged s", "report s"],
                [row],
            )
        }
        What::Store { rounds } => {
            let options = store::StoreBench {
                directory: scratch.0.clone(),
                rounds,
                ..store::StoreBench::default()
            };
            let report = tokio::task::block_in_place(|| {
                store::run(&options, |progress| {
                    bar.set_length(progress.total);
                    bar.set_position(progress.done);
                })
            })?;
            bar.finish_and_clear();
            let rows: Vec<_> = report
                .rows
                .iter()
                .map(|row| {
                    vec![
                        row.in_flight.to_string(),
                        format!("{:.0}", row.acknowledged),
                        format!("{:.2}", row.p50_us / 1_000.0),
                        format!("{:.2}", row.p99_us / 1_000.0),
                        format!("{:.0}", row.file_single),
                        format!("{:.0}", row.file_grouped),
                        format!("{:.2}", row.ratio_single),
                        format!("{:.2}", row.ratio_grouped),
                    ]
                })
                .collect();
            let header = [
                "in flight",
                "acked/s",
                "p50 ms",
                "p99 ms",
                "file, one by one/s",
                "file, same groups/s",
                "× one by one",
                "× same groups",
            ];
            show::report(&report, args.json, &header, rows)
        }
        What::Rerank { pairs, rounds } => {
            let show = |done, total| show::step(&bar, "judging", done, total);
            let report = rerank::run(
                &config.knowledge,
                &config.embedder,
                pairs.into(),
                rounds.into(),
                &show,
            )
            .await?;
            bar.finish_and_clear();
            let rows: Vec<_> = report
                .rows
                .iter()
                .map(|row| {
                    vec![
                        row.threads.to_string(),
                        row.tokens.to_string(),
                        row.pairs.to_string(),
                        format!("{:.2}", row.pair_ms),
                        format!("{:.0}", row.all_p50_ms),
                        format!("{:.0}", row.all_p95_ms),
                    ]
                })
                .collect();
            let header =
                ["threads", "tokens a pair", "pairs", "ms a pair", "all p50 ms", "all p95 ms"];
            show::report(&report, args.json, &header, rows)
        }
        What::Engine { only, rounds, seed, against, sleeping_tokens } => {
            let show = |what: &str, done, total| show::step(&bar, what, done, total);
            let bench =
                engine::EngineBench { only, rounds: rounds.into(), seed, against, sleeping_tokens };
            let report = engine::run(config, &bench, &show).await?;
            bar.finish_and_clear();
            let rows: Vec<_> = report.rows.iter().map(engine_row).collect();
            let header = [
                "scenario", "measure", "unit", "ours", "p95", "p99", "theirs", "p95", "p99",
                "ahead",
            ];
            show::report(&report, args.json, &header, rows)
        }
        What::Retrieval { articles, questions, sizes } => {
            // Each question is asked several times; a visitor's is new.
            let embedder =
                Embedder::load(&EmbedderConfig { remembered: 0, ..config.embedder.clone() })?;
            let runtime = tokio::runtime::Handle::current();
            let embed = |text: &str| Ok(runtime.block_on(embedder.embed_query(text.to_owned()))?);
            let options = retrieval::RetrievalOptions {
                questions,
                sizes,
                embed: Some(&embed),
                ..retrieval::RetrievalOptions::new(articles)
            };
            let mut tell = |step: &str, done, total| show::step(&bar, step, done, total);
            let report = retrieval::run(&options, &mut tell).await?;
            bar.finish_and_clear();
            let rows: Vec<_> = report
                .sizes
                .iter()
                .map(|size| {
                    vec![
                        size.passages.to_string(),
                        format!("{:.1}", size.embed_ms.p50),
                        format!("{:.1}", size.search_ms.p50),
                        format!("{:.1}", size.search_ms.p95),
                        format!("{:.1}", size.total_ms.p50),
                        format!("{:.1}", size.total_ms.p95),
                        format!("{:.0}", size.target_total_p95_ms),
                        yes_or_no(size.reached).into(),
                        format!("{:.0}", size.disk_mib),
                    ]
                })
                .collect();
            let header = [
                "passages",
                "embed p50 ms",
                "search p50 ms",
                "search p95 ms",
                "both p50 ms",
                "both p95 ms",
                "target both p95 ms",
                "reached",
                "disk MiB",
            ];
            show::report(&report, args.json, &header, rows)
        }
    }
}

fn engine_row(row: &engine::Row) -> Vec<String> {
    let figure =
        |value: f64| if value < 10.0 { format!("{value:.3}") } else { format!("{value:.0}") };
    let scenario = row
        .scenario
        .to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned());
    let mut cells = vec![scenario, row.measure.into(), row.unit.into()];
    for side in [Some(row.ours), row.theirs] {
        match side {
            Some(side) => cells.extend([side.median, side.p95, side.p99].map(figure)),
            None => cells.extend(["", "", ""].map(String::from)),
        }
    }
    let ahead = |ratio: engine::Ratio| {
        format!("{:.2} ({:.2} to {:.2})", ratio.median, ratio.lowest, ratio.highest)
    };
    cells.push(row.ahead.map_or_else(String::new, ahead));
    cells
}

fn yes_or_no(reached: bool) -> &'static str {
    if reached { "yes" } else { "no" }
}

/// A directory that goes when the measurement ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(base: &std::path::Path) -> anyhow::Result<Self> {
        let path = base.join(format!("frontdesk-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path)
            .with_context(|| format!("can't write in {}", base.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
