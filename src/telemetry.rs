//! Logs and metrics. Neither ever carries message text or personal data.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64};

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use serde::{Deserialize, Serialize};

/// `[log]`: what is written to standard error.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// `error`, `warn`, `info`, `debug` or `trace`, or directives per module
    /// (`info,frontdesk::llm=debug`). The environment variable `RUST_LOG` wins.
    pub level: String,
    /// `text` for people, `json` for log collectors.
    pub format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::Text }
    }
}

impl LogConfig {
    /// # Errors
    /// When `level` has a word that is no level. `EnvFilter` takes such a word for a module and
    /// would log nothing else.
    pub fn check(&self) -> anyhow::Result<()> {
        const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
        let known = |level: &str| LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level));
        for directive in self.level.split(',').map(str::trim) {
            let level = directive.rsplit_once('=').map_or(directive, |(_, level)| level);
            // A directive with fields of spans, which have an equals sign of their own, is left to
            // the parser.
            anyhow::ensure!(
                known(level) || directive.contains('['),
                "log.level has {directive:?}; a level is one of {}, for a module \"info,frontdesk::llm=debug\"",
                LEVELS.join(", ")
            );
        }
        tracing_subscriber::EnvFilter::try_new(&self.level)
            .map(drop)
            .map_err(|error| anyhow::anyhow!("log.level can't be read: {error}"))
    }
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

/// The engines' own logs are for their developers: llama.cpp warns of a context larger than a model
/// was trained for, which is shared by many conversations here, and of models without an end token
/// of their own. Directives of the configuration come later and win.
const QUIET: &str = "llama-cpp-2=error,qdrant_edge=error";

/// Sends logs to standard error. A second call changes nothing.
pub fn init_logs(config: &LogConfig) {
    use std::io::IsTerminal as _;
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .or_else(|_| tracing_subscriber::EnvFilter::try_new(format!("{QUIET},{}", config.level)))
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let colours = std::io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours);
    // It would tell on standard error that standard error can't be written to, and panic where that
    // is a closed pipe.
    let builder = builder.log_internal_errors(false);
    let _ = match config.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}

/// How a turn ended, as a label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TurnLabels {
    pub end: TurnEnd,
}

/// See [`crate::conversation::AnswerEnd`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum TurnEnd {
    Complete,
    Length,
    Declined,
    Clarified,
    SmallTalk,
    Cancelled,
    Superseded,
    TakenOver,
    Failed,
    Unknown,
}

/// What became of a message from or to a messaging platform, as labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ChannelLabels {
    pub platform: &'static str,
    pub what: &'static str,
}

/// Which fact of the language model's engine, as a label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct EngineLabels {
    pub fact: &'static str,
}

/// Which site, as a label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SiteLabels {
    pub site: String,
}

/// Everything `/metrics` shows. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    pub sockets: Gauge,
    pub consoles: Gauge,
    pub sessions_live: Gauge,
    pub messages: Counter,
    pub turns: Family<TurnLabels, Counter>,
    pub turns_running: Gauge,
    pub drafts_running: Gauge,
    pub turns_queued: Gauge,
    pub refused_overload: Counter,
    pub withheld_sentences: Counter,
    pub answers_without_model: Counter,
    pub signals_dropped: Counter,
    /// Of the purchase model in use: the largest stability index of a column, the calibration
    /// error, and the warnings that stand.
    pub intent_drift: Family<SiteLabels, Gauge<f64, AtomicU64>>,
    pub intent_calibration_error: Family<SiteLabels, Gauge<f64, AtomicU64>>,
    pub intent_warnings: Family<SiteLabels, Gauge>,
    pub gaps_dropped: Counter,
    pub channel_messages: Family<ChannelLabels, Counter>,
    pub channel_skipped: Family<ChannelLabels, Counter>,
    pub slow_readers: Counter,
    pub unreadable: Counter,
    /// 1 while nothing is erased for its age, because the clock can't be trusted.
    pub retention_held: Gauge,
    pub disk_free_bytes: Gauge,
    /// When the last backup's export of the store ended, in seconds since the epoch; 0 if there was
    /// none.
    pub last_backup: Gauge,
    pub sign_in_failures: Counter,
    pub first_text_seconds: Histogram,
    pub turn_seconds: Histogram,
    pub draft_seconds: Histogram,
    pub retrieval_seconds: Histogram,
    pub rerank_seconds: Histogram,
    pub append_seconds: Histogram,
    /// Microseconds that turns waited for the disk, the embedder and the index, all together.
    pub disk_us: Counter,
    pub embedding_us: Counter,
    pub search_us: Counter,
    pub prompt_tokens: Counter,
    pub cached_tokens: Counter,
    pub completion_tokens: Counter,
    /// Texts whose vectors were computed since the start, not remembered.
    pub texts_embedded: Gauge<i64, AtomicI64>,
    /// What the language model's engine does and did, by fact.
    pub engine: Family<EngineLabels, Gauge<i64, AtomicI64>>,
    pub passages: Gauge<i64, AtomicI64>,
    pub knowledge_runs: Counter,
    pub knowledge_failed_runs: Counter,
    pub knowledge_changes_seen: Counter,
    pub knowledge_left_out: Gauge,
    pub knowledge_seconds: Histogram,
    registry: Arc<Registry>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    #[must_use]
    pub fn new() -> Self {
        let seconds = || Histogram::new(exponential_buckets(0.0005, 2.0, 16));
        let mut registry = Registry::with_prefix("frontdesk");
        let mut metrics = Self {
            sockets: Gauge::default(),
            consoles: Gauge::default(),
            sessions_live: Gauge::default(),
            messages: Counter::default(),
            turns: Family::default(),
            turns_running: Gauge::default(),
            drafts_running: Gauge::default(),
            turns_queued: Gauge::default(),
            refused_overload: Counter::default(),
            withheld_sentences: Counter::default(),
            answers_without_model: Counter::default(),
            signals_dropped: Counter::default(),
            intent_drift: Family::default(),
            intent_calibration_error: Family::default(),
            intent_warnings: Family::default(),
            gaps_dropped: Counter::default(),
            channel_messages: Family::default(),
            channel_skipped: Family::default(),
            slow_readers: Counter::default(),
            unreadable: Counter::default(),
            retention_held: Gauge::default(),
            disk_free_bytes: Gauge::default(),
            last_backup: Gauge::default(),
            sign_in_failures: Counter::default(),
            first_text_seconds: seconds(),
            turn_seconds: seconds(),
            draft_seconds: seconds(),
            retrieval_seconds: seconds(),
            rerank_seconds: seconds(),
            append_seconds: seconds(),
            disk_us: Counter::default(),
            embedding_us: Counter::default(),
            search_us: Counter::default(),
            prompt_tokens: Counter::<u64, AtomicU64>::default(),
            cached_tokens: Counter::default(),
            completion_tokens: Counter::default(),
            texts_embedded: Gauge::default(),
            engine: Family::default(),
            passages: Gauge::default(),
            knowledge_runs: Counter::default(),
            knowledge_failed_runs: Counter::default(),
            knowledge_changes_seen: Counter::default(),
            knowledge_left_out: Gauge::default(),
            knowledge_seconds: Histogram::new(exponential_buckets(0.01, 3.0, 12)),
            registry: Arc::default(),
        };
        let m = &metrics;
        registry.register("sockets", "Open visitor sockets", m.sockets.clone());
        registry.register("consoles", "Open console sockets", m.consoles.clone());
        registry.register("sessions_live", "Sessions in memory", m.sessions_live.clone());
        registry.register("messages", "Visitor messages stored", m.messages.clone());
        registry.register("turns", "Answers by how they ended", m.turns.clone());
        registry.register("turns_running", "Answers being written", m.turns_running.clone());
        registry.register(
            "drafts_running",
            "Drafts for agents being written",
            m.drafts_running.clone(),
        );
        registry.register(
            "draft_seconds",
            "From a wish for a draft to its end",
            m.draft_seconds.clone(),
        );
        registry.register("turns_queued", "Answers waiting for a place", m.turns_queued.clone());
        registry.register(
            "refused_overload",
            "Messages refused because every place was taken",
            m.refused_overload.clone(),
        );
        registry.register(
            "withheld_sentences",
            "Sentences written by the model and not sent",
            m.withheld_sentences.clone(),
        );
        registry.register(
            "answers_without_model",
            "Answers that the model should have phrased and that were quoted, since it failed",
            m.answers_without_model.clone(),
        );
        registry.register(
            "signals_dropped",
            "Events left out of the signal log",
            m.signals_dropped.clone(),
        );
        registry.register(
            "intent_drift",
            "Largest stability index of a feature since the purchase model in use was trained",
            m.intent_drift.clone(),
        );
        registry.register(
            "intent_calibration_error",
            "Mean gap between the purchase model's probabilities and what came of them",
            m.intent_calibration_error.clone(),
        );
        registry.register(
            "intent_warnings",
            "Warnings about the purchase model in use",
            m.intent_warnings.clone(),
        );
        registry.register(
            "gaps_dropped",
            "Unanswered questions that were not noted",
            m.gaps_dropped.clone(),
        );
        registry.register(
            "channel_messages",
            "Messages to platforms: sent, given_up, stopped with their conversation, or unsure whether they were sent twice",
            m.channel_messages.clone(),
        );
        registry.register(
            "channel_skipped",
            "Events of platforms that were passed over, by why",
            m.channel_skipped.clone(),
        );
        registry.register(
            "slow_readers",
            "Sockets closed because they read too slowly",
            m.slow_readers.clone(),
        );
        registry.register(
            "unreadable",
            "Damaged conversations and accounts that were passed over",
            m.unreadable.clone(),
        );
        registry.register(
            "retention_held",
            "1 while nothing is erased for its age, because the clock can't be trusted",
            m.retention_held.clone(),
        );
        registry.register(
            "disk_free_bytes",
            "Free space on the disk of the store",
            m.disk_free_bytes.clone(),
        );
        registry.register(
            "last_backup_timestamp_seconds",
            "When the store was exported last; 0 if it never was",
            m.last_backup.clone(),
        );
        registry.register(
            "sign_in_failures",
            "Sign-ins of agents that failed",
            m.sign_in_failures.clone(),
        );
        registry.register(
            "first_text_seconds",
            "From a stored message to its answer's first text",
            m.first_text_seconds.clone(),
        );
        registry.register(
            "turn_seconds",
            "From a stored message to its answer's end",
            m.turn_seconds.clone(),
        );
        registry.register(
            "retrieval_seconds",
            "Embedding and search of a question",
            m.retrieval_seconds.clone(),
        );
        registry.register(
            "rerank_seconds",
            "Judging the passages of a question",
            m.rerank_seconds.clone(),
        );
        registry.register(
            "append_seconds",
            "From handing an event to the store to its acknowledgement",
            m.append_seconds.clone(),
        );
        registry.register(
            "disk_us",
            "Microseconds that sessions waited for the disk",
            m.disk_us.clone(),
        );
        registry.register(
            "embedding_us",
            "Microseconds that turns waited for the embedding of a question",
            m.embedding_us.clone(),
        );
        registry.register(
            "search_us",
            "Microseconds that turns waited for the search",
            m.search_us.clone(),
        );
        registry.register("prompt_tokens", "Prompt tokens of all answers", m.prompt_tokens.clone());
        registry.register(
            "cached_tokens",
            "Prompt tokens found in the KV cache",
            m.cached_tokens.clone(),
        );
        registry.register("completion_tokens", "Tokens written", m.completion_tokens.clone());
        registry.register(
            "texts_embedded",
            "Texts whose vectors were computed since the start, not remembered",
            m.texts_embedded.clone(),
        );
        registry.register(
            "engine",
            "The language model in this process: tokens in its cache and asleep outside it, steps and microseconds, since the start",
            m.engine.clone(),
        );
        registry.register("passages", "Passages in the index", m.passages.clone());
        registry.register(
            "knowledge_runs",
            "Runs that brought documents in",
            m.knowledge_runs.clone(),
        );
        registry.register(
            "knowledge_failed_runs",
            "Runs that a failure ended",
            m.knowledge_failed_runs.clone(),
        );
        registry.register(
            "knowledge_changes_seen",
            "Changes of watched folders that were read",
            m.knowledge_changes_seen.clone(),
        );
        registry.register(
            "knowledge_left_out",
            "Documents and records that the last run over a folder left out",
            m.knowledge_left_out.clone(),
        );
        registry.register("knowledge_seconds", "How long runs took", m.knowledge_seconds.clone());
        metrics.registry = Arc::new(registry);
        metrics
    }

    /// Counts an event that was passed over.
    pub fn channel_skipped(&self, platform: &'static str, what: &'static str) {
        self.channel_skipped.get_or_create(&ChannelLabels { platform, what }).inc();
    }

    /// Counts a message to a platform: `sent`, `given_up`, `stopped` or `unsure`.
    pub fn channel_message(&self, platform: &'static str, what: &'static str) {
        self.channel_messages.get_or_create(&ChannelLabels { platform, what }).inc();
    }

    /// The text that Prometheus scrapes (OpenMetrics).
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a String can't fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

/// Counts something up while it lives.
pub struct GaugeGuard(Gauge);

impl GaugeGuard {
    #[must_use]
    pub fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A histogram's value in seconds.
#[must_use]
pub fn seconds(since: std::time::Instant) -> f64 {
    since.elapsed().as_secs_f64()
}

/// Whole microseconds since then.
#[must_use]
pub fn micros(since: std::time::Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}
