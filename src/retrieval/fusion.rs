//! Several rankings of the same passages → one. Pure.

use std::collections::BTreeMap;

/// How the dense and the lexical half become one ranking.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fusion {
    /// `dense · cosine / best cosine + (1 − dense) · BM25 / best BM25`, BM25 being 0 where it found
    /// nothing. Scaled by the best alone, a passage's score does not hang on which candidates
    /// happen to come last.
    Convex { dense: f32 },
    /// `Σ 1 / (k + rank)` over the halves that found the passage, ranks from 1 (Cormack, Clarke,
    /// Büttcher, 2009).
    ReciprocalRank { k: f32 },
}

impl Default for Fusion {
    /// Convex with 0.7 for the dense half. Measured with all-MiniLM-L6-v2 over whole articles,
    /// nDCG@10 of the help-centre and the multi-turn questions: .93 and .89; reciprocal ranks (k
    /// 60) .89 and .88; dense alone .88 and .79, BM25 alone .81 and .82.
    fn default() -> Self {
        Self::Convex { dense: 0.7 }
    }
}

/// A passage with the scores of the halves that know it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate<Id> {
    pub id: Id,
    pub cosine: Option<f32>,
    /// Cosine by the second model.
    pub multilingual: Option<f32>,
    pub bm25: Option<f32>,
}

/// A candidate with its place in the common ranking decided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fused<Id> {
    pub id: Id,
    /// Comparable only within one result list.
    pub score: f32,
    pub cosine: Option<f32>,
    /// Cosine by the second model.
    pub multilingual: Option<f32>,
    pub bm25: Option<f32>,
}

/// The union of the halves' results, by id.
#[must_use]
pub fn merge<Id: Ord + Copy>(
    dense: &[(Id, f32)],
    multilingual: &[(Id, f32)],
    lexical: &[(Id, f32)],
) -> Vec<Candidate<Id>> {
    let mut union: BTreeMap<Id, Candidate<Id>> = BTreeMap::new();
    let mut set = |id, of: fn(&mut Candidate<Id>) -> &mut Option<f32>, score| {
        let new = Candidate { id, cosine: None, multilingual: None, bm25: None };
        *of(union.entry(id).or_insert(new)) = Some(score);
    };
    dense.iter().for_each(|&(id, score)| set(id, |of| &mut of.cosine, score));
    multilingual.iter().for_each(|&(id, score)| set(id, |of| &mut of.multilingual, score));
    lexical.iter().for_each(|&(id, score)| set(id, |of| &mut of.bm25, score));
    union.into_values().collect()
}

/// The best `limit` candidates, best first. Scores that differ by less than 1e-5 count as equal and
/// are ordered by id, so that engines that sum in another order still answer alike.
#[must_use]
pub fn fuse<Id: Ord + Copy>(
    candidates: &[Candidate<Id>],
    fusion: Fusion,
    limit: usize,
) -> Vec<Fused<Id>> {
    let scores = match fusion {
        Fusion::Convex { dense } => convex(candidates, dense),
        Fusion::ReciprocalRank { k } => reciprocal_rank(candidates, k),
    };
    let mut fused: Vec<Fused<Id>> = candidates
        .iter()
        .zip(scores)
        .map(|(&Candidate { id, cosine, multilingual, bm25 }, score)| Fused {
            id,
            score,
            cosine,
            multilingual,
            bm25,
        })
        .collect();
    fused.sort_by_key(|hit| (std::cmp::Reverse(steps(hit.score)), hit.id));
    fused.truncate(limit);
    fused
}

fn convex<Id>(candidates: &[Candidate<Id>], dense: f32) -> Vec<f32> {
    let nearness: Vec<Option<f32>> = match candidates
        .iter()
        .any(|candidate| candidate.cosine.is_some())
    {
        true => candidates.iter().map(|candidate| candidate.cosine).collect(),
        false => above_average(candidates.iter().map(|candidate| candidate.multilingual).collect()),
    };
    let bm25: Vec<Option<f32>> = candidates.iter().map(|candidate| candidate.bm25).collect();
    let scaled = |scores: &[Option<f32>]| -> Vec<f32> {
        let best = scores.iter().flatten().fold(0.0_f32, |best, score| best.max(*score));
        let scale = if best > 0.0 { best } else { 1.0 };
        scores.iter().map(|score| score.map_or(0.0, |score| score / scale)).collect()
    };
    let weighed = |(near, bm25): (f32, f32)| dense * near + (1.0 - dense) * bm25;
    scaled(&nearness).into_iter().zip(scaled(&bm25)).map(weighed).collect()
}

/// How far each lies above the average of all, 0 where it lies below. The cosines of a model that
/// was trained with a low temperature lie close together and far from 0, between .7 and .9 for
/// multilingual-e5-small, so that their ratio to the best says next to nothing.
fn above_average(cosines: Vec<Option<f32>>) -> Vec<Option<f32>> {
    let known: Vec<f32> = cosines.iter().flatten().copied().collect();
    #[expect(clippy::cast_precision_loss, reason = "a few thousand candidates")]
    let mean = known.iter().sum::<f32>() / known.len().max(1) as f32;
    match known.len() {
        // With nothing to compare it with, the only one is the best.
        1 => cosines,
        _ => cosines
            .into_iter()
            .map(|cosine| cosine.map(|cosine| (cosine - mean).max(0.0)))
            .collect(),
    }
}

fn reciprocal_rank<Id: Ord + Copy>(candidates: &[Candidate<Id>], k: f32) -> Vec<f32> {
    let mut scores = vec![0.0; candidates.len()];
    type Half<Id> = fn(&Candidate<Id>) -> Option<f32>;
    let halves: [Half<Id>; 3] = [
        |candidate| candidate.cosine,
        |candidate| candidate.multilingual,
        |candidate| candidate.bm25,
    ];
    for score in halves {
        let mut ranked: Vec<(usize, f32)> = candidates
            .iter()
            .enumerate()
            .filter_map(|(at, candidate)| Some((at, score(candidate)?)))
            .collect();
        ranked.sort_by_key(|&(at, score)| (std::cmp::Reverse(steps(score)), candidates[at].id));
        for (place, (at, _)) in ranked.into_iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "a rank is far below 2^23")]
            let rank = (place + 1) as f32;
            scores[at] += 1.0 / (k + rank);
        }
    }
    scores
}

/// A score in steps of 1e-5.
#[expect(clippy::cast_possible_truncation, reason = "a float's conversion to an integer saturates")]
fn steps(score: f32) -> i64 {
    (f64::from(score) * 1e5).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranked(
        dense: &[(u32, f32)],
        lexical: &[(u32, f32)],
        fusion: Fusion,
        limit: usize,
    ) -> Vec<u32> {
        fuse(&merge(dense, &[], lexical), fusion, limit).into_iter().map(|hit| hit.id).collect()
    }

    #[test]
    fn orders_by_both_halves() {
        #[track_caller]
        fn check(dense: &[(u32, f32)], lexical: &[(u32, f32)], expected: &[u32]) {
            assert_eq!(ranked(dense, lexical, Fusion::default(), 10), expected);
        }
        check(&[], &[], &[]);
        check(&[(1, 0.9), (2, 0.5)], &[], &[1, 2]);
        check(&[(1, -0.9), (2, -0.5), (3, 0.0)], &[], &[3, 2, 1]);
        check(&[], &[(1, 3.0), (2, 7.0)], &[2, 1]);
        // The words decide between two that mean nearly the same.
        check(&[(1, 0.80), (2, 0.79), (3, 0.1)], &[(2, 9.0)], &[2, 1, 3]);
        // The words alone don't beat a much better meaning.
        check(&[(1, 0.9), (2, 0.2)], &[(2, 9.0)], &[1, 2]);
        // Equal scores go by id, whichever half names them first.
        check(&[(7, 0.5), (3, 0.5), (5, 0.5)], &[], &[3, 5, 7]);
        check(&[(7, 0.500_000_1), (3, 0.5), (9, 0.1)], &[], &[3, 7, 9]);
    }

    #[test]
    fn reciprocal_ranks_ignore_distances() {
        let rrf = Fusion::ReciprocalRank { k: 60.0 };
        assert_eq!(ranked(&[(1, 0.9), (2, 0.1)], &[(2, 9.0), (1, 8.9)], rrf, 10), [1, 2]);
        assert_eq!(ranked(&[(1, 0.9), (2, 0.8)], &[(2, 9.0)], rrf, 10), [2, 1]);
    }

    #[test]
    fn keeps_the_scores_and_the_limit() {
        let fused = fuse(&merge(&[(1, 0.9), (2, 0.4)], &[], &[(2, 5.0)]), Fusion::default(), 1);
        assert_eq!(
            fused,
            [Fused { id: 1, score: 0.7, cosine: Some(0.9), multilingual: None, bm25: None }]
        );
    }

    #[test]
    fn cosines_that_lie_close_together_are_told_apart() {
        let ranked = |multilingual: &[(u32, f32)], lexical: &[(u32, f32)]| -> Vec<(u32, f32)> {
            let fused = fuse(&merge(&[], multilingual, lexical), Fusion::default(), 10);
            fused.into_iter().map(|hit| (hit.id, (hit.score * 100.0).round() / 100.0)).collect()
        };
        assert_eq!(ranked(&[(1, 0.88), (2, 0.80), (3, 0.78)], &[]), [(1, 0.7), (2, 0.0), (3, 0.0)]);
        assert_eq!(
            ranked(&[(1, 0.86), (2, 0.85), (3, 0.75)], &[(2, 4.0)]),
            [(2, 0.83), (1, 0.7), (3, 0.0)]
        );
        assert_eq!(ranked(&[(1, 0.86)], &[]), [(1, 0.7)]);
        assert_eq!(ranked(&[], &[(1, 4.0)]), [(1, 0.3)]);
    }
}
