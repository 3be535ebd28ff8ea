//! Groups of visitors who behave alike: k-means over standardised features, each group described by
//! what sets it apart. The start is chosen by distance, not by chance, so the same sessions always
//! give the same groups.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Serialize;

use super::book::Entry;
use crate::features::State;
use crate::recommend::Rate;

/// A group of sessions.
#[derive(Clone, Debug, Serialize)]
pub struct Segment {
    /// In words: what most sets it apart.
    pub name: String,
    pub sessions: u32,
    pub converted: Rate,
    pub score: f64,
    /// What sets it apart, the most striking first.
    pub traits: Vec<Trait>,
}

/// A feature in which a group differs.
#[derive(Clone, Debug, Serialize)]
pub struct Trait {
    pub feature: &'static str,
    pub mean: f64,
    pub of_all: f64,
    /// Difference in standard deviations of all sessions.
    pub deviations: f64,
}

/// Sessions from which groups are worth a look, and sessions a group should have on average.
const MIN_SESSIONS: usize = 30;
const PER_GROUP: usize = 30;
const MAX_GROUPS: usize = 4;
const ROUNDS: usize = 50;
/// Beyond so many deviations a value counts no more, or one outlier would be a group.
const CLIP: f64 = 3.0;
/// Deviations from which a trait is told.
const STRIKING: f64 = 0.3;

/// What groups are made by: name, words for much and for little of it, value.
type Feature = (&'static str, &'static str, &'static str, fn(&State) -> f64);

const FEATURES: [Feature; 9] = [
    ("messages", "long conversations", "short conversations", |state| {
        f64::from(state.messages).ln_1p()
    }),
    ("words_per_message", "wordy", "terse", |state| {
        f64::from(state.words) / f64::from(state.messages.max(1))
    }),
    ("questions_per_message", "many questions", "few questions", |state| {
        f64::from(state.questions) / f64::from(state.messages.max(1))
    }),
    ("sentiment_mean", "friendly", "critical", |state| {
        f64::from(state.sentiment.mean().unwrap_or(0.0))
    }),
    ("sentiment_least", "never cross", "cross at some point", |state| {
        f64::from(state.sentiment.least)
    }),
    (
        "asks_about_buying",
        "asks about price, stock or payment",
        "asks nothing about buying",
        |state| {
            let [price, stock, delivery, discount, payment, comparison, ..] = state.topics;
            f64::from(price + stock + delivery + discount + payment + comparison).ln_1p()
        },
    ),
    ("asks_for_help", "returns and complaints", "no complaints", |state| {
        let [.., returns, complaint] = state.topics;
        f64::from(returns + complaint).ln_1p()
    }),
    ("products_named", "names products", "names no product", |state| {
        f64::from(u32::try_from(state.products.len()).unwrap_or(u32::MAX)).ln_1p()
    }),
    ("human_requested", "wants a person", "wants no person", |state| {
        f64::from(u8::from(state.human))
    }),
];

/// The groups, the largest first; none while there are too few sessions.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of sessions")]
pub fn segments(entries: &[Arc<Entry>]) -> Vec<Segment> {
    let Some(groups) = groups(entries) else { return Vec::new() };
    let raw = |entry: &Entry, at: usize| (FEATURES[at].3)(&entry.state);
    let mean = |sessions: &mut dyn Iterator<Item = usize>, at: usize| {
        let (sum, count) =
            sessions.fold((0.0, 0), |(sum, count), i| (sum + raw(&entries[i], at), count + 1));
        sum / f64::from(count.max(1))
    };
    groups
        .iter()
        .map(|group| {
            let mut traits: Vec<(Trait, &str)> = (0..FEATURES.len())
                .map(|at| {
                    let (feature, much, little, _) = FEATURES[at];
                    let of_all = mean(&mut (0..entries.len()), at);
                    let variance =
                        entries.iter().map(|entry| (raw(entry, at) - of_all).powi(2)).sum::<f64>()
                            / entries.len() as f64;
                    let own = mean(&mut group.iter().copied(), at);
                    let deviations =
                        if variance > 0.0 { (own - of_all) / variance.sqrt() } else { 0.0 };
                    (
                        Trait { feature, mean: own, of_all, deviations },
                        if deviations > 0.0 { much } else { little },
                    )
                })
                .filter(|(found, _)| found.deviations.abs() >= STRIKING)
                .collect();
            traits.sort_by(|a, b| b.0.deviations.abs().total_cmp(&a.0.deviations.abs()));
            traits.truncate(4);
            let words: Vec<&str> = traits.iter().take(2).map(|(_, words)| *words).collect();
            let known = group.iter().filter_map(|i| entries[*i].state.converted());
            let (of, count) =
                known.fold((0, 0), |(of, count), converted| (of + 1, count + u32::from(converted)));
            Segment {
                name: if words.is_empty() { "average".into() } else { words.join(", ") },
                sessions: u32::try_from(group.len()).unwrap_or(u32::MAX),
                converted: Rate::new(count, of),
                score: group.iter().map(|i| f64::from(entries[*i].score)).sum::<f64>()
                    / group.len().max(1) as f64,
                traits: traits.into_iter().map(|(found, _)| found).collect(),
            }
        })
        .collect()
}

/// Positions of a group's sessions.
#[must_use]
pub fn members(entries: &[Arc<Entry>], group: usize) -> HashSet<usize> {
    groups(entries)
        .and_then(|groups| groups.into_iter().nth(group))
        .unwrap_or_default()
        .into_iter()
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts of sessions")]
fn groups(entries: &[Arc<Entry>]) -> Option<Vec<Vec<usize>>> {
    if entries.len() < MIN_SESSIONS {
        return None;
    }
    let n = entries.len() as f64;
    let mut points: Vec<[f64; FEATURES.len()]> = entries
        .iter()
        .map(|entry| std::array::from_fn(|at| (FEATURES[at].3)(&entry.state)))
        .collect();
    for at in 0..FEATURES.len() {
        let mean = points.iter().map(|point| point[at]).sum::<f64>() / n;
        let deviation =
            (points.iter().map(|point| (point[at] - mean).powi(2)).sum::<f64>() / n).sqrt();
        for point in &mut points {
            point[at] = if deviation > 0.0 {
                ((point[at] - mean) / deviation).clamp(-CLIP, CLIP)
            } else {
                0.0
            };
        }
    }
    let far = |point: &[f64; FEATURES.len()], centres: &[[f64; FEATURES.len()]]| {
        centres.iter().map(|centre| distance(point, centre)).fold(f64::INFINITY, f64::min)
    };
    // Begin with the middle, then always with the point furthest from every centre so far.
    let mut centres = vec![[0.0; FEATURES.len()]];
    let wanted = (entries.len() / PER_GROUP).clamp(2, MAX_GROUPS);
    while centres.len() < wanted {
        let furthest =
            points.iter().max_by(|a, b| far(a, &centres).total_cmp(&far(b, &centres)))?;
        centres.push(*furthest);
    }
    let nearest = |point: &[f64; FEATURES.len()], centres: &[[f64; FEATURES.len()]]| {
        let order = |a: &usize, b: &usize| {
            distance(point, &centres[*a]).total_cmp(&distance(point, &centres[*b]))
        };
        (0..centres.len()).min_by(order).unwrap_or_default()
    };
    let mut of: Vec<usize> = Vec::new();
    for _ in 0..ROUNDS {
        let now: Vec<usize> = points.iter().map(|point| nearest(point, &centres)).collect();
        if now == of {
            break;
        }
        of = now;
        for (group, centre) in centres.iter_mut().enumerate() {
            let own: Vec<&[f64; FEATURES.len()]> = points
                .iter()
                .zip(&of)
                .filter(|(_, of)| **of == group)
                .map(|(point, _)| point)
                .collect();
            if !own.is_empty() {
                *centre = std::array::from_fn(|at| {
                    own.iter().map(|point| point[at]).sum::<f64>() / own.len() as f64
                });
            }
        }
    }
    let mut groups: Vec<Vec<usize>> = vec![Vec::new(); centres.len()];
    for (i, group) in of.iter().enumerate() {
        groups[*group].push(i);
    }
    groups.retain(|group| !group.is_empty());
    groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    Some(groups)
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_that_differ_are_found_and_told_apart_in_words() {
        let entries: Vec<Arc<Entry>> = (0..80_u32)
            .map(|i| {
                let buyer = i % 4 == 0;
                let mut state = State {
                    messages: if buyer { 12 } else { 2 + i % 2 },
                    words: 20,
                    ..State::default()
                };
                state.topics[0] = if buyer { 4 } else { 0 };
                Arc::new(Entry::new(i.to_string(), state, 0.5))
            })
            .collect();
        let found = segments(&entries);
        assert_eq!(found.iter().map(|segment| segment.sessions).sum::<u32>(), 80);
        let buyers =
            found.iter().position(|segment| segment.name.contains("asks about price")).unwrap();
        assert_eq!(found[buyers].sessions, 20, "{found:?}");
        assert_eq!(members(&entries, buyers), (0..80).filter(|i| i % 4 == 0).collect());
        assert!(segments(&entries[..10]).is_empty(), "too few");
    }
}
