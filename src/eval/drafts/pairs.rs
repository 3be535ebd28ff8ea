//! Pairs of sentences that contradict each other, and that don't: made of `pairs.toml`, and of
//! sentences of replies whose figures are changed. Same seed, same pairs.

use anyhow::Context as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

/// Two sentences, and whether they contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pair {
    pub first: String,
    pub second: String,
    pub contradict: bool,
    /// Not looked at while thresholds were chosen.
    pub check: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    fact: Vec<Fact>,
    polar: Vec<Polar>,
}

/// Something that has a figure.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fact {
    #[serde(default)]
    check: bool,
    topic: String,
    figures: Vec<String>,
    /// The first figure in another unit.
    also: Option<String>,
    says: Vec<String>,
}

/// Something that is so or isn't.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Polar {
    #[serde(default)]
    check: bool,
    topic: String,
    yes: Vec<String>,
    no: Vec<String>,
}

/// Draws of figures for each pair of wordings.
const DRAWS: usize = 2;
/// Pairs of unrelated things for each fact.
const UNRELATED: usize = 3;

/// Pairs of the built-in parts.
///
/// # Errors
/// When the parts can't be read.
pub fn built_in(seed: u64) -> anyhow::Result<Vec<Pair>> {
    let Parts { fact, polar } = toml::from_str(include_str!("pairs.toml")).context("pairs.toml")?;
    let mut random = StdRng::seed_from_u64(seed);
    let mut pairs = Vec::new();
    let say = |wording: &str, figure: &str| wording.replace("{n}", figure);
    for (at, one) in fact.iter().enumerate() {
        for (i, first) in one.says.iter().enumerate() {
            for second in one.says.iter().skip(i) {
                for _ in 0..DRAWS {
                    let (Some(a), Some(b)) =
                        (one.figures.choose(&mut random), one.figures.choose(&mut random))
                    else {
                        continue;
                    };
                    let pair = Pair {
                        first: say(first, a),
                        second: say(second, b),
                        contradict: a != b,
                        check: one.check,
                    };
                    pairs.push(pair);
                }
                if let (Some(figure), Some(also)) = (one.figures.first(), &one.also) {
                    let (first, second) = (say(first, figure), say(second, also));
                    pairs.push(Pair { first, second, contradict: false, check: one.check });
                }
            }
        }
        // What only sounds alike, and what has nothing to do with it.
        for other in fact.iter().skip(at + 1).filter(|other| other.topic == one.topic) {
            apart(
                &mut pairs,
                &mut random,
                (&one.says, &one.figures),
                (&other.says, &other.figures),
                one.check,
            );
        }
        for _ in 0..UNRELATED {
            let others: Vec<&Fact> = fact
                .iter()
                .filter(|other| other.topic != one.topic && other.check == one.check)
                .collect();
            if let Some(other) = others.choose(&mut random) {
                apart(
                    &mut pairs,
                    &mut random,
                    (&one.says, &one.figures),
                    (&other.says, &other.figures),
                    one.check,
                );
            }
        }
    }
    for one in &polar {
        for first in &one.yes {
            for second in &one.no {
                let pair = Pair {
                    first: first.clone(),
                    second: second.clone(),
                    contradict: true,
                    check: one.check,
                };
                pairs.push(pair);
            }
        }
        for same in [&one.yes, &one.no] {
            for (i, first) in same.iter().enumerate() {
                for second in same.iter().skip(i + 1) {
                    let pair = Pair {
                        first: first.clone(),
                        second: second.clone(),
                        contradict: false,
                        check: one.check,
                    };
                    pairs.push(pair);
                }
            }
        }
        // Another thing may well be so while this isn't.
        for other in
            polar.iter().filter(|other| other.check == one.check && !std::ptr::eq(*other, one))
        {
            if other.topic != one.topic && random.random_bool(0.5) {
                continue;
            }
            if let (Some(first), Some(second)) =
                (one.yes.choose(&mut random), other.no.choose(&mut random))
            {
                let pair = Pair {
                    first: first.clone(),
                    second: second.clone(),
                    contradict: false,
                    check: one.check,
                };
                pairs.push(pair);
            }
        }
    }
    Ok(pairs)
}

/// A pair of two facts, each with one of its figures.
fn apart(
    pairs: &mut Vec<Pair>,
    random: &mut StdRng,
    one: (&[String], &[String]),
    other: (&[String], &[String]),
    check: bool,
) {
    let mut say = |(says, figures): (&[String], &[String])| {
        Some(says.choose(random)?.replace("{n}", figures.choose(random)?))
    };
    if let (Some(first), Some(second)) = (say(one), say(other)) {
        pairs.push(Pair { first, second, contradict: false, check });
    }
}

/// Pairs of sentences of replies, by what was asked: each with a figure beside itself with another
/// figure, and beside a sentence that answers another question.
pub fn of_sentences(sentences: &[(String, String)], seed: u64) -> Vec<Pair> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut pairs = Vec::new();
    for (gap, sentence) in sentences {
        let Some(changed) = with_another_figure(sentence, &mut random) else { continue };
        pairs.push(Pair {
            first: sentence.clone(),
            second: changed,
            contradict: true,
            check: true,
        });
        let others: Vec<&(String, String)> = sentences
            .iter()
            .filter(|(other, text)| other != gap && text.bytes().any(|byte| byte.is_ascii_digit()))
            .collect();
        for _ in 0..2 {
            if let Some((_, other)) = others.choose(&mut random) {
                pairs.push(Pair {
                    first: sentence.clone(),
                    second: other.clone(),
                    contradict: false,
                    check: true,
                });
            }
        }
    }
    pairs
}

/// A sentence with its first number in digits changed; `None` if it has none.
fn with_another_figure(sentence: &str, random: &mut StdRng) -> Option<String> {
    // Of a range ("3 to 5") the end.
    let mut start = sentence.find(|c: char| c.is_ascii_digit())?;
    for link in [" to ", "–", "-", " and "] {
        let behind =
            |(at, _): (usize, &str)| (at > start && at < start + 4).then_some(at + link.len());
        let second = sentence.match_indices(link).find_map(behind);
        if let Some(second) = second.filter(|at| {
            sentence.get(*at..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        }) {
            start = second;
            break;
        }
    }
    let rest = sentence.get(start..)?;
    let length = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let value: u64 = rest.get(..length)?.parse().ok()?;
    let other = value.checked_add(random.random_range(1..=9))?;
    Some(format!("{}{other}{}", sentence.get(..start)?, rest.get(length..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_pairs() {
        let pairs = built_in(1).unwrap();
        assert_eq!(pairs, built_in(1).unwrap());
        assert_ne!(pairs, built_in(2).unwrap());
        let count = |contradict: bool, check: bool| {
            pairs.iter().filter(|pair| pair.contradict == contradict && pair.check == check).count()
        };
        for (contradict, check) in [(true, true), (true, false), (false, true), (false, false)] {
            assert!(
                count(contradict, check) >= 40,
                "{contradict} {check}: {}",
                count(contradict, check)
            );
        }
        assert!(
            pairs.iter().all(|pair| !pair.first.contains("{n}") && !pair.second.contains("{n}"))
        );
    }

    #[test]
    fn figures_of_replies_are_changed() {
        let sentences = [
            ("a".to_owned(), "It takes 5 days.".to_owned()),
            ("b".to_owned(), "It costs 2 EUR.".to_owned()),
        ];
        let pairs = of_sentences(&sentences, 3);
        assert_eq!(pairs.iter().filter(|pair| pair.contradict).count(), 2);
        assert!(pairs.iter().all(|pair| pair.first != pair.second));
    }
}
