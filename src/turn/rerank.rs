//! The language model judges the best passages of a search, and they are put in order anew.
//!
//! Each passage is judged by itself: how likely the model says yes when it is asked whether the
//! passage answers the question. The judgement moves passages within the order that the search gave
//! them, as far as its weight lets it. It comes last: what the search says about whether there is
//! an answer at all ([`super::Signs`]) and whether to ask back is decided before, on the search's
//! own order, by which both were measured.

use std::time::{Duration, Instant};

use super::{Ask, Spine, TurnError};
use crate::retrieval::Hit;
use crate::telemetry::seconds;

/// How many of the best passages are judged, and how long that may take.
#[derive(Clone, Copy, Debug)]
pub struct Rerank {
    /// 0 or 1: none, the search's order stands.
    pub passages: usize,
    pub limit: Duration,
}

/// Weight of the judgement against the search's score, both 0…1. Chosen on the 55 help-centre
/// questions, ten passages each, where the search alone has an nDCG@10 of .917. The default model
/// tells passages that answer from others no better than a coin (area under the ROC curve .49), and
/// what it says moves by some hundredths with how a prompt is cut into steps: that costs .006 and
/// .014 in two runs. A judgement without any mistake would gain .054. At 0.3 these are .015, .015
/// and .069.
const WEIGHT: f32 = 0.15;

/// How likely each of these passages answers the question in the model's eyes, 0…1. `before` is
/// what the visitor said just before.
///
/// # Errors
/// When a template or the engine fails, or a passage is too long for the model's context.
pub async fn judge(
    spine: &Spine,
    question: &str,
    before: &[&str],
    hits: &[Hit],
) -> Result<Vec<f32>, TurnError> {
    let prompts: anyhow::Result<Vec<_>> =
        hits.iter().map(|hit| spine.prompts.judge(question, before, &hit.passage)).collect();
    Ok(spine.llm.judge(&prompts.map_err(TurnError::Prompt)?).await?)
}

/// Puts judged passages in order: by `(1 − WEIGHT) · score / best score + WEIGHT · judgement`,
/// those that come out alike as the search had them. A model that can't tell passages apart gives
/// all of them about the same, and so changes little. The scores stay where they are, by rank: how
/// near one must come to the best to be cited or asked back about is measured on the search's.
pub fn reorder(hits: &mut [Hit], judged: &[f32]) {
    let scores: Vec<f32> = hits.iter().map(|hit| hit.score).collect();
    let best = scores.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    let blended = |(score, judged): (&f32, &f32)| (1.0 - WEIGHT) * score / best + WEIGHT * judged;
    let mut ranked: Vec<(f32, Hit)> =
        scores.iter().zip(judged).map(blended).zip(hits.iter().cloned()).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    for ((place, score), (_, hit)) in hits.iter_mut().zip(scores).zip(ranked) {
        *place = Hit { score, ..hit };
    }
}

/// Has the first passages judged and puts them in order. If that fails or takes too long, the
/// search's order stands.
pub async fn rerank(spine: &Spine, ask: &Ask, hits: &mut [Hit]) {
    let judged = hits.len().min(spine.rerank.passages);
    let Some(hits) = hits.get_mut(..judged).filter(|hits| hits.len() > 1) else { return };
    let since = Instant::now();
    let before = ask.just_before();
    match tokio::time::timeout(spine.rerank.limit, judge(spine, &ask.question, &before, hits)).await
    {
        Ok(Ok(judged)) => reorder(hits, &judged),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the model couldn't judge the passages; they stay as the search has them")
        }
        Err(_) => tracing::warn!(
            passages = hits.len(),
            limit_ms = spine.rerank.limit.as_millis(),
            "the model took too long to judge the passages; they stay as the search has them"
        ),
    }
    spine.metrics.rerank_seconds.observe(seconds(since));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Passages with these scores are named a, b, c, …; `expected` is their order after the
    /// judgement.
    #[track_caller]
    fn check(scores: &[f32], judged: &[f32], expected: &str) {
        let hit = |(at, &score): (u8, &f32)| Hit {
            score,
            ..crate::prompt::tests::hit(&char::from(b'a' + at).to_string())
        };
        let mut hits: Vec<Hit> = (0..).zip(scores).map(hit).collect();
        reorder(&mut hits, judged);
        let order: String = hits.iter().map(|hit| hit.passage.text.as_str()).collect();
        assert_eq!(order, expected, "{scores:?} {judged:?}");
        assert_eq!(
            hits.iter().map(|hit| hit.score).collect::<Vec<_>>(),
            scores,
            "scores stay by rank"
        );
    }

    #[test]
    fn the_judgement_moves_passages_within_the_order_of_the_search() {
        check(&[1.0, 0.9, 0.8], &[0.0, 1.0, 0.0], "bac");
        check(&[1.0, 0.9, 0.8], &[0.5, 0.5, 0.5], "abc");
        // One that hardly tells them apart changes nothing.
        check(&[1.0, 0.9, 0.8], &[0.50, 0.52, 0.55], "abc");
        // What the search finds far behind stays behind, whatever the model says.
        check(&[1.0, 0.9, 0.3], &[0.4, 0.4, 1.0], "abc");
        // What comes out alike, as scores below nothing, stays as it was.
        check(&[0.0, 0.0, -0.0], &[0.2, 0.2, 0.9], "cab");
        check(&[-0.5, -0.5], &[1.0, 1.0], "ab");
        check(&[], &[], "");
    }
}
