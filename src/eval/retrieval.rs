//! Whether search finds the documents that answer: by each half and fused, and as the language model puts them in order.

use std::collections::HashSet;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use serde::Serialize;

use super::{Bench, Question, mean};
use crate::clock::Clock;
use crate::config::Config;
use crate::llm::Llm;
use crate::retrieval::Hit;
use crate::server;
use crate::telemetry::Metrics;
use crate::training::Progress;
use crate::turn::{Mode, Spine, rerank};

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Both halves fused: what visitors get without `knowledge.rerank`.
    pub summary: Scores,
    pub halves: Halves,
    /// With the best passages judged by the language model, if so many were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reranked: Option<Scores>,
    /// Means of the questions.
    pub search_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rerank_ms: Option<f64>,
    /// Questions without `article_ids` have none to find and are left out.
    pub left_out: usize,
    pub records: Vec<Record>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct Halves {
    pub dense: Scores,
    pub lexical: Scores,
}

/// Means over the questions. A document's rank is that of its best passage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Scores {
    /// Share of a question's documents among the first one, five, ten.
    pub recall_at_1: f64,
    pub recall_at_5: f64,
    pub recall_at_10: f64,
    /// One over the rank of the first right document.
    pub mrr: f64,
    /// Discounted cumulative gain of the first ten over the best possible, gains 0 and 1 (Järvelin, Kekäläinen, 2002).
    pub ndcg_at_10: f64,
}

/// One question.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    pub id: String,
    pub question: String,
    pub article_ids: Vec<String>,
    /// The first ten documents, best first.
    pub fused: Vec<String>,
    pub dense: Vec<String>,
    pub lexical: Vec<String>,
    pub scores: Scores,
    /// Embedding the question and searching.
    pub search_ms: f64,
    #[serde(flatten)]
    pub judged: Option<Judged>,
}

/// What the language model made of a question's passages.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    /// In the search's order.
    pub judgements: Vec<Judgement>,
    /// The first ten documents in the new order.
    pub reranked: Vec<String>,
    /// All judgements together.
    pub rerank_ms: f64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Judgement {
    pub document: String,
    pub ordinal: u32,
    /// The search's own.
    pub score: f32,
    /// How likely the passage answers the question in the model's eyes, 0…1.
    pub judged: f32,
}

/// Passages asked for: all that the halves give, so that each half's own ranking is whole.
const DEPTH: usize = 2_000;
const CUT: usize = 10;

/// Reads the knowledge and searches for every question; has the model judge the best `judged` passages of each.
///
/// # Errors
/// When the knowledge or the questions can't be used, or a part fails.
pub async fn run(
    config: &Config,
    knowledge: &Path,
    questions: &[Question],
    judged: usize,
    progress: Progress<'_>,
) -> anyhow::Result<Report> {
    let asked: Vec<&Question> = questions.iter().filter(|question| !question.article_ids.is_empty()).collect();
    ensure!(!asked.is_empty(), "no question names its documents in `article_ids`");
    let bench = Bench::open(config, knowledge, progress).await?;
    let judge = if judged > 1 { Some(judge(config, &bench)?) } else { None };
    let mut records: Vec<Record> = Vec::with_capacity(asked.len());
    let (mut dense_scores, mut lexical_scores, mut reranked_scores) = (Vec::new(), Vec::new(), Vec::new());
    for (done, question) in asked.iter().enumerate() {
        progress("searching", done, asked.len());
        let since = Instant::now();
        let mut hits = bench.retrieval.search(&question.query(&bench.site.id, DEPTH)).await?;
        let search_ms = since.elapsed().as_secs_f64() * 1_000.0;
        let fused = documents(hits.iter());
        let dense = documents(by(&hits, |hit| hit.cosine));
        let lexical = documents(by(&hits, |hit| hit.bm25));
        dense_scores.push(scores(&dense, &question.article_ids));
        lexical_scores.push(scores(&lexical, &question.article_ids));
        let judged = match &judge {
            None => None,
            Some(spine) => {
                let judged = rerank_by(spine, question, &mut hits, judged).await;
                let judged = judged.with_context(|| format!("question {}", question.id))?;
                reranked_scores.push(scores(&judged.reranked, &question.article_ids));
                Some(judged)
            }
        };
        records.push(Record {
            id: question.id.clone(),
            question: question.question.clone(),
            article_ids: question.article_ids.clone(),
            scores: scores(&fused, &question.article_ids),
            fused,
            dense,
            lexical,
            search_ms,
            judged,
        });
    }
    let rerank_ms = records.iter().filter_map(|record| record.judged.as_ref()).map(|judged| judged.rerank_ms);
    Ok(Report {
        summary: average(records.iter().map(|record| record.scores)),
        halves: Halves { dense: average(dense_scores), lexical: average(lexical_scores) },
        rerank_ms: judge.is_some().then(|| mean(rerank_ms)),
        reranked: judge.is_some().then(|| average(reranked_scores)),
        search_ms: mean(records.iter().map(|record| record.search_ms)),
        left_out: questions.len() - records.len(),
        records,
    })
}

/// The parts that judge passages, with the configured model.
fn judge(config: &Config, bench: &Bench) -> anyhow::Result<Spine> {
    let llm = Llm::start(&config.llm).context("the language model")?;
    server::spine(config, bench.retrieval.clone(), llm, Mode::Quote, Clock::system(), Metrics::new())
}

async fn rerank_by(spine: &Spine, question: &Question, hits: &mut [Hit], count: usize) -> anyhow::Result<Judged> {
    let before: Vec<String> =
        question.lines().into_iter().filter(|line| line.by_visitor).map(|line| line.text).collect();
    let before: Vec<&str> = before.iter().skip(before.len().saturating_sub(2)).map(String::as_str).collect();
    let count = count.min(hits.len());
    let first = hits.get_mut(..count).unwrap_or_default();
    let since = Instant::now();
    let judged = rerank::judge(spine, &question.question, &before, first).await?;
    let rerank_ms = since.elapsed().as_secs_f64() * 1_000.0;
    let judgement = |(hit, &judged): (&Hit, &f32)| Judgement {
        document: hit.passage.document.clone(),
        ordinal: hit.passage.ordinal,
        score: hit.score,
        judged,
    };
    let judgements = first.iter().zip(&judged).map(judgement).collect();
    rerank::reorder(first, &judged);
    Ok(Judged { judgements, reranked: documents(hits.iter()), rerank_ms })
}

/// Hits that have this score, best first.
fn by(hits: &[Hit], score: impl Fn(&Hit) -> Option<f32>) -> impl Iterator<Item = &Hit> {
    let mut ranked: Vec<(f32, &Hit)> = hits.iter().filter_map(|hit| Some((score(hit)?, hit))).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    ranked.into_iter().map(|(_, hit)| hit)
}

/// The first ten documents of ranked passages.
fn documents<'a>(hits: impl Iterator<Item = &'a Hit>) -> Vec<String> {
    let mut seen = HashSet::new();
    hits.map(|hit| &hit.passage.document).filter(|document| seen.insert(*document)).take(CUT).cloned().collect()
}

/// The scores of one ranking of documents, none twice.
#[expect(clippy::cast_precision_loss, reason = "ranks up to ten")]
fn scores(ranked: &[String], right: &[String]) -> Scores {
    let right: HashSet<&String> = right.iter().collect();
    let recall = |n: usize| ranked.iter().take(n).filter(|id| right.contains(id)).count() as f64 / right.len() as f64;
    let gain = |rank: usize| 1.0 / ((rank + 2) as f64).log2();
    let best: f64 = (0..right.len().min(CUT)).map(gain).sum();
    let found = ranked.iter().take(CUT).enumerate().filter(|(_, id)| right.contains(id));
    Scores {
        recall_at_1: recall(1),
        recall_at_5: recall(5),
        recall_at_10: recall(10),
        mrr: ranked.iter().position(|id| right.contains(id)).map_or(0.0, |rank| 1.0 / (rank + 1) as f64),
        ndcg_at_10: found.map(|(rank, _)| gain(rank)).sum::<f64>() / best,
    }
}

fn average(scores: impl IntoIterator<Item = Scores>) -> Scores {
    let scores: Vec<Scores> = scores.into_iter().collect();
    let of = |field: fn(&Scores) -> f64| mean(scores.iter().map(field));
    Scores {
        recall_at_1: of(|scores| scores.recall_at_1),
        recall_at_5: of(|scores| scores.recall_at_5),
        recall_at_10: of(|scores| scores.recall_at_10),
        mrr: of(|scores| scores.mrr),
        ndcg_at_10: of(|scores| scores.ndcg_at_10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ranked: &str, right: &str, expected: [f64; 5]) {
        let list = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let Scores { recall_at_1, recall_at_5, recall_at_10, mrr, ndcg_at_10 } = scores(&list(ranked), &list(right));
        for (found, expected) in [recall_at_1, recall_at_5, recall_at_10, mrr, ndcg_at_10].iter().zip(expected) {
            assert!((found - expected).abs() < 5e-4, "{ranked} / {right}: {found} instead of {expected}");
        }
    }

    #[test]
    fn rankings_are_scored_by_the_textbook() {
        check("a b c", "a", [1.0, 1.0, 1.0, 1.0, 1.0]);
        check("b a c", "a", [0.0, 1.0, 1.0, 0.5, 0.6309]);
        check("a x b", "a b", [0.5, 1.0, 1.0, 1.0, 0.9197]);
        check("1 2 3 4 5 a", "a", [0.0, 0.0, 1.0, 1.0 / 6.0, 0.3562]);
        check("x y", "a", [0.0; 5]);
        check("", "a a", [0.0; 5]);
    }
}
