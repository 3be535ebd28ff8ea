//! From which cosine on two questions are one gap: labelled questions go through the grouping that
//! serves, at one threshold after the other.

use std::collections::HashMap;
use std::path::Path;

use anyhow::ensure;
use serde::Serialize;

use crate::config::Config;
use crate::gaps::nearest;
use crate::intent::classes::{Example, is_out_of_scope};
use crate::retrieval::embedder::Embedder;
use crate::training::{Progress, embed, examples};

/// The measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// At the configured `gaps.same_cosine`.
    pub summary: Scores,
    pub thresholds: Vec<Scores>,
    pub questions: usize,
    pub classes: usize,
}

/// How well one threshold groups. Means over the questions (B-cubed; Bagga, Baldwin, 1998).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Scores {
    pub same_cosine: f32,
    pub gaps: usize,
    /// Share of a question's gap that means the same as it.
    pub precision: f64,
    /// Share of what means the same as a question that is in its gap.
    pub recall: f64,
    pub f1: f64,
    /// F-measure that counts precision twice: a question hidden in a wrong gap is lost, one gap
    /// listed twice is a nuisance.
    pub f_half: f64,
}

/// Groups questions labelled with what they mean (`text`, `intent`), in an order that mixes them;
/// at most `per_class` of each.
///
/// # Errors
/// When the file isn't what it should be, or the embedder fails.
pub async fn run(
    config: &Config,
    path: &Path,
    per_class: usize,
    progress: Progress<'_>,
) -> anyhow::Result<Report> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    let mut rows: Vec<(usize, Example)> = Vec::new();
    for row in examples(path)?.into_iter().filter(|row| !is_out_of_scope(&row.intent)) {
        let count = counts.entry(row.intent.clone()).or_default();
        *count += 1;
        if *count <= per_class {
            rows.push((*count, row));
        }
    }
    ensure!(!rows.is_empty(), "{} holds no labelled questions", path.display());
    // Round by round over the classes: as visitors ask, not one meaning after the other.
    rows.sort_by_key(|(round, _)| *round);
    let texts: Vec<String> = rows.iter().map(|(_, row)| row.text.clone()).collect();
    let labels: Vec<&str> = rows.iter().map(|(_, row)| row.intent.as_str()).collect();
    let embedder = Embedder::load(&config.embedder)?;
    let vectors = embed(&embedder, &texts, progress).await?;
    let own = config.gaps.same_cosine;
    let thresholds: Vec<Scores> = (10..19)
        .map(|step| scores(&vectors, &labels, f32::from(i16::try_from(step).unwrap_or(0)) * 0.05))
        .collect();
    Ok(Report {
        summary: scores(&vectors, &labels, own),
        thresholds,
        questions: rows.len(),
        classes: counts.len(),
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts of questions")]
fn scores(vectors: &[Vec<f32>], labels: &[&str], same_cosine: f32) -> Scores {
    let mut first: Vec<&[f32]> = Vec::new();
    let mut gap_of = Vec::with_capacity(vectors.len());
    for vector in vectors {
        gap_of.push(nearest(vector, first.iter().copied(), same_cosine).unwrap_or_else(|| {
            first.push(vector);
            first.len() - 1
        }));
    }
    let mut sizes: HashMap<usize, usize> = HashMap::new();
    let mut classes: HashMap<&str, usize> = HashMap::new();
    let mut both: HashMap<(usize, &str), usize> = HashMap::new();
    for (gap, label) in gap_of.iter().zip(labels) {
        *sizes.entry(*gap).or_default() += 1;
        *classes.entry(label).or_default() += 1;
        *both.entry((*gap, label)).or_default() += 1;
    }
    let (mut precision, mut recall) = (0.0, 0.0);
    for ((gap, label), common) in &both {
        let common = *common as f64;
        precision += common * common / sizes[gap] as f64;
        recall += common * common / classes[label] as f64;
    }
    let count = labels.len().max(1) as f64;
    let (precision, recall) = (precision / count, recall / count);
    let f = |beta: f64| {
        let below = beta * beta * precision + recall;
        if below > 0.0 { (1.0 + beta * beta) * precision * recall / below } else { 0.0 }
    };
    Scores { same_cosine, gaps: first.len(), precision, recall, f1: f(1.0), f_half: f(0.5) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_scored_by_the_textbook() {
        let vectors = vec![vec![1.0, 0.0], vec![0.0, 1.0], vec![0.8, 0.6], vec![0.0, 1.0]];
        let labels = ["a", "b", "a", "b"];
        let at = |threshold| {
            let found = scores(&vectors, &labels, threshold);
            (found.gaps, (found.precision * 100.0).round(), (found.recall * 100.0).round())
        };
        assert_eq!(at(0.7), (2, 100.0, 100.0));
        assert_eq!(at(0.9), (3, 100.0, 75.0));
        assert_eq!(at(-1.0), (1, 50.0, 100.0));
    }
}
