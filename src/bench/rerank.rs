//! What the cross-encoder costs: milliseconds per pair, by the pair's length and the number of
//! threads.

use std::time::Instant;

use anyhow::Context as _;
use serde::Serialize;

use crate::retrieval::KnowledgeConfig;
use crate::retrieval::embedder::EmbedderConfig;
use crate::retrieval::reranker::Reranker;

/// Pairs of one length, judged with one number of threads.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub threads: u32,
    /// About this many in a pair, question and marks among them.
    pub tokens: usize,
    /// Judged for one question at once, as an answer does.
    pub pairs: usize,
    /// All of them; half of the rounds were faster.
    pub all_p50_ms: f64,
    pub all_p95_ms: f64,
    /// Of the median round.
    pub pair_ms: f64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub model: String,
    pub rows: Vec<Row>,
}

/// Each a word of English that a vocabulary holds whole, so that tokens can be counted without the
/// model.
const WORDS: [&str; 16] = [
    "order", "price", "water", "house", "summer", "letter", "number", "green", "table", "river",
    "market", "garden", "window", "paper", "music", "street",
];
const QUESTION: &str = "what does the blue garden table cost";
/// `[CLS]` and two `[SEP]`.
const MARKS: usize = 3;

/// Judges `pairs` texts of one question, `rounds` times for each length and number of threads. No
/// pair comes twice.
///
/// # Errors
/// When there is no reranker or it fails.
pub async fn run(
    knowledge: &KnowledgeConfig,
    embedder: &EmbedderConfig,
    pairs: usize,
    rounds: usize,
    progress: &dyn Fn(usize, usize),
) -> anyhow::Result<Report> {
    let path = knowledge.reranker().context("knowledge.reranker names no file that is there")?;
    let cases = [(1, 40), (1, 80), (2, 40), (2, 80)];
    let mut report = Report { model: String::new(), rows: Vec::with_capacity(cases.len()) };
    let mut asked = 0;
    for (done, (threads, tokens)) in cases.into_iter().enumerate() {
        let reranker =
            Reranker::load(path, &EmbedderConfig { threads, remembered: 0, ..embedder.clone() })?;
        report.model.clone_from(&reranker.facts().model.name);
        let words = tokens - MARKS - QUESTION.split(' ').count();
        let mut took = Vec::with_capacity(rounds);
        for round in 0..=rounds {
            progress(done * rounds + round.min(rounds), cases.len() * rounds);
            let texts: Vec<String> = (0..pairs)
                .map(|_| {
                    asked += 1;
                    // The number of the pair, in words.
                    let word = |at: usize| WORDS[((asked >> (4 * (at % 4))) + at) % WORDS.len()];
                    (0..words).map(word).collect::<Vec<_>>().join(" ")
                })
                .collect();
            let since = Instant::now();
            reranker.score(QUESTION, &texts).await?;
            // The first round touches the memory for the first time.
            if round > 0 {
                took.push(since.elapsed().as_secs_f64() * 1_000.0);
            }
        }
        took.sort_by(f64::total_cmp);
        let at = |percent: usize| {
            took.get(took.len() * percent / 100).or(took.last()).copied().unwrap_or(0.0)
        };
        let (all_p50_ms, all_p95_ms) = (at(50), at(95));
        #[expect(clippy::cast_precision_loss, reason = "a few pairs")]
        let pair_ms = all_p50_ms / pairs.max(1) as f64;
        report.rows.push(Row { threads, tokens, pairs, all_p50_ms, all_p95_ms, pair_ms });
    }
    Ok(report)
}
