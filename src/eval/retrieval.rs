//! Whether search finds the documents that answer: by each half and fused, and as the language
//! model puts them in order.

use std::collections::HashSet;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use serde::Serialize;

use super::{Bench, Question, mean};
use crate::clock::Clock;
use crate::config::Config;
use crate::llm::Llm;
use crate::retrieval::chunk::embedding_text;
use crate::retrieval::reranker::Reranker;
use crate::retrieval::{Hit, Query};
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
    /// With the best passages judged by the cross-encoder, if so many were asked for, by the weight
    /// of its judgement.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub crossed: Vec<Crossed>,
    /// Means of the questions.
    pub search_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rerank_ms: Option<f64>,
    /// Questions without `article_ids` have none to find and are left out.
    pub left_out: usize,
    pub records: Vec<Record>,
}

/// Scores with the cross-encoder's judgement at one weight.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Crossed {
    pub weight: f32,
    #[serde(flatten)]
    pub scores: Scores,
    /// Mean of judging one question's passages.
    pub cross_ms: f64,
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
    /// Discounted cumulative gain of the first ten over the best possible, gains 0 and 1 (Järvelin,
    /// Kekäläinen, 2002).
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
    pub judged: Option<JudgedPassages>,
}

/// What the language model made of a question's passages.
#[derive(Clone, Debug, Serialize)]
pub struct JudgedPassages {
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

/// Weights of the cross-encoder's judgement that are compared; the search's score has the rest.
const WEIGHTS: [f32; 5] = [0.2, 0.4, 0.6, 0.8, 1.0];

/// How many of a question's best passages are judged.
#[derive(Clone, Copy, Debug, Default)]
pub struct Judged {
    /// By the language model.
    pub by_model: usize,
    /// By the cross-encoder.
    pub by_cross_encoder: usize,
}

/// Reads the knowledge and searches for every question, in `language` if one is named; has the best
/// passages judged.
///
/// # Errors
/// When the knowledge or the questions can't be used, or a part fails.
pub async fn run(
    config: &Config,
    knowledge: &Path,
    questions: &[Question],
    judged: Judged,
    language: &str,
    progress: Progress<'_>,
) -> anyhow::Result<Report> {
    let asked: Vec<&Question> =
        questions.iter().filter(|question| !question.article_ids.is_empty()).collect();
    ensure!(!asked.is_empty(), "no question names its documents in `article_ids`");
    let bench = Bench::open(config, knowledge, progress).await?;
    let Judged { by_model: judged, by_cross_encoder } = judged;
    let reranker = if by_cross_encoder > 1 {
        Some(
            server::open_reranker(config)?
                .context("knowledge.reranker names no file that is there")?,
        )
    } else {
        None
    };
    let (mut crossed_scores, mut cross_ms): (Vec<Vec<Scores>>, Vec<f64>) =
        (vec![Vec::new(); WEIGHTS.len()], Vec::new());
    let judge = if judged > 1 { Some(judge(config, &bench)?) } else { None };
    let mut records: Vec<Record> = Vec::with_capacity(asked.len());
    let (mut dense_scores, mut lexical_scores, mut reranked_scores) =
        (Vec::new(), Vec::new(), Vec::new());
    for (done, question) in asked.iter().enumerate() {
        progress("searching", done, asked.len());
        let since = Instant::now();
        let query =
            Query { language: language.to_owned(), ..question.query(&bench.site.id, DEPTH) };
        let mut hits = bench.retrieval.search(&query).await?;
        let search_ms = since.elapsed().as_secs_f64() * 1_000.0;
        let fused = documents(hits.iter());
        let dense = documents(by(&hits, |hit| hit.cosine));
        let lexical = documents(by(&hits, |hit| hit.bm25));
        dense_scores.push(scores(&dense, &question.article_ids));
        lexical_scores.push(scores(&lexical, &question.article_ids));
        if let Some(reranker) = &reranker {
            let since = Instant::now();
            let ranked = crossed(reranker, question, &hits, by_cross_encoder).await?;
            cross_ms.push(since.elapsed().as_secs_f64() * 1_000.0);
            for (ranked, of_weight) in ranked.iter().zip(&mut crossed_scores) {
                of_weight.push(scores(ranked, &question.article_ids));
            }
        }
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
    let cross_ms = mean(cross_ms);
    let of_weight = |(weight, scores): (f32, &Vec<Scores>)| Crossed {
        weight,
        scores: average(scores.iter().copied()),
        cross_ms,
    };
    let rerank_ms =
        records.iter().filter_map(|record| record.judged.as_ref()).map(|judged| judged.rerank_ms);
    Ok(Report {
        summary: average(records.iter().map(|record| record.scores)),
        halves: Halves { dense: average(dense_scores), lexical: average(lexical_scores) },
        crossed: reranker
            .iter()
            .flat_map(|_| WEIGHTS.into_iter().zip(&crossed_scores))
            .map(of_weight)
            .collect(),
        rerank_ms: judge.is_some().then(|| mean(rerank_ms)),
        reranked: judge.is_some().then(|| average(reranked_scores)),
        search_ms: mean(records.iter().map(|record| record.search_ms)),
        left_out: questions.len() - records.len(),
        records,
    })
}

/// The first ten documents for each of [`WEIGHTS`], the first `count` passages put in order anew by
/// the question's last message. Both scores are scaled to 0…1 within those.
async fn crossed(
    reranker: &Reranker,
    question: &Question,
    hits: &[Hit],
    count: usize,
) -> anyhow::Result<Vec<Vec<String>>> {
    let (first, rest) = hits.split_at(count.min(hits.len()));
    let texts: Vec<String> = first.iter().map(|hit| embedding_text(&hit.passage)).collect();
    let judged = unit(&reranker.score(&question.question, &texts).await?);
    let found = unit(&first.iter().map(|hit| hit.score).collect::<Vec<_>>());
    let of_weight = |weight: f32| {
        let mixed = found
            .iter()
            .zip(&judged)
            .map(|(found, judged)| (1.0 - weight) * found + weight * judged);
        let mut ranked: Vec<(f32, &Hit)> = mixed.zip(first).collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        documents(ranked.into_iter().map(|(_, hit)| hit).chain(rest))
    };
    Ok(WEIGHTS.into_iter().map(of_weight).collect())
}

/// Values scaled so that the least is 0 and the greatest 1.
fn unit(values: &[f32]) -> Vec<f32> {
    let (least, greatest) =
        values.iter().fold((f32::MAX, f32::MIN), |(a, b), value| (a.min(*value), b.max(*value)));
    let range = (greatest - least).max(f32::MIN_POSITIVE);
    values.iter().map(|value| (value - least) / range).collect()
}

/// The parts that judge passages, with the configured model.
fn judge(config: &Config, bench: &Bench) -> anyhow::Result<Spine> {
    let llm = Llm::start(&config.llm).context("the language model")?;
    server::spine(
        config,
        bench.retrieval.clone(),
        llm,
        Mode::Quote,
        Clock::system(),
        Metrics::new(),
    )
}

async fn rerank_by(
    spine: &Spine,
    question: &Question,
    hits: &mut [Hit],
    count: usize,
) -> anyhow::Result<JudgedPassages> {
    let before: Vec<String> =
        question.lines().into_iter().filter(|line| line.by_visitor).map(|line| line.text).collect();
    let before: Vec<&str> =
        before.iter().skip(before.len().saturating_sub(2)).map(String::as_str).collect();
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
    Ok(JudgedPassages { judgements, reranked: documents(hits.iter()), rerank_ms })
}

/// Hits that have this score, best first.
fn by(hits: &[Hit], score: impl Fn(&Hit) -> Option<f32>) -> impl Iterator<Item = &Hit> {
    let mut ranked: Vec<(f32, &Hit)> =
        hits.iter().filter_map(|hit| Some((score(hit)?, hit))).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    ranked.into_iter().map(|(_, hit)| hit)
}

/// The first ten documents of ranked passages.
fn documents<'a>(hits: impl Iterator<Item = &'a Hit>) -> Vec<String> {
    let mut seen = HashSet::new();
    hits.map(|hit| &hit.passage.document)
        .filter(|document| seen.insert(*document))
        .take(CUT)
        .cloned()
        .collect()
}

/// The scores of one ranking of documents, none twice.
#[expect(clippy::cast_precision_loss, reason = "ranks up to ten")]
fn scores(ranked: &[String], right: &[String]) -> Scores {
    let right: HashSet<&String> = right.iter().collect();
    let recall = |n: usize| {
        ranked.iter().take(n).filter(|id| right.contains(id)).count() as f64 / right.len() as f64
    };
    let gain = |rank: usize| 1.0 / ((rank + 2) as f64).log2();
    let best: f64 = (0..right.len().min(CUT)).map(gain).sum();
    let found = ranked.iter().take(CUT).enumerate().filter(|(_, id)| right.contains(id));
    Scores {
        recall_at_1: recall(1),
        recall_at_5: recall(5),
        recall_at_10: recall(10),
        mrr: ranked
            .iter()
            .position(|id| right.contains(id))
            .map_or(0.0, |rank| 1.0 / (rank + 1) as f64),
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
        let Scores { recall_at_1, recall_at_5, recall_at_10, mrr, ndcg_at_10 } =
            scores(&list(ranked), &list(right));
        for (found, expected) in
            [recall_at_1, recall_at_5, recall_at_10, mrr, ndcg_at_10].iter().zip(expected)
        {
            assert!(
                (found - expected).abs() < 5e-4,
                "{ranked} / {right}: {found} instead of {expected}"
            );
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
