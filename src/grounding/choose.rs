//! Which pieces of the knowledge answer a question, by what a cross-encoder says of each. Pure.

use std::sync::LazyLock;

use serde::Deserialize;

use super::quote::{Kind, Shape, holds_under_heading, list_of, says_again, says_how_much, shape};
use super::units::Unit;
use crate::grounding::judged::{Judged, Scored};
use crate::language::content_words;

/// What answers, and how sure the cross-encoder is of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// In reading order.
    pub units: Vec<Unit>,
    /// Index of the candidate that answers best.
    pub lead: usize,
    /// The best piece's logit.
    pub logit: f32,
    /// How far it stands above the best piece of another document.
    pub margin: f32,
    /// The best cosine of a piece with the question.
    pub near: f32,
    /// A price, a duration or a number is asked for, and none of the units holds a figure.
    pub lacks_kind: bool,
}

/// What a piece gains that is nearer to the question in meaning, by cosine: the cross-encoder goes
/// by words where it knows neither.
const NEAR: f32 = 5.0;
/// What a piece gains that tells of the place that is asked for: that Belgium is an "other EU
/// country" no cross-encoder of this size knows.
const PLACED: f32 = 3.0;
/// What a piece loses without the price, duration or number that is asked for.
const LACKING: f32 = 1.5;
/// How near to the best a piece of its section must come to be told with it, in logits.
const BESIDE: f32 = 2.5;
/// Pieces of an answer, and their length in Unicode scalar values without steps.
const MAX_PIECES: usize = 3;
const MAX_CHARS: usize = 420;

/// How good a candidate is.
fn score(candidate: &Judged, nearest: f32) -> f32 {
    let placed = if candidate.placed { PLACED } else { 0.0 };
    candidate.logit + NEAR * (candidate.scored.cosine - nearest) + placed
}

/// The candidates that say something, with how good each is, best first.
#[must_use]
pub fn ranked(question: &str, candidates: &[Judged]) -> Vec<(usize, f32)> {
    let nearest = nearest(candidates);
    let lacks = |candidate: &Judged| {
        let held = holds_under_heading(question, &candidate.scored.unit);
        if held { 0.0 } else { LACKING }
    };
    let scored: Vec<Scored> = candidates.iter().map(|candidate| candidate.scored.clone()).collect();
    let mut ranked: Vec<(usize, f32)> = candidates
        .iter()
        .enumerate()
        .filter(|(_, candidate)| says_something(&candidate.scored.unit, &scored))
        .map(|(at, candidate)| (at, score(candidate, nearest) - lacks(candidate)))
        .collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked
}

/// The best cosine of a candidate with the question.
fn nearest(candidates: &[Judged]) -> f32 {
    candidates.iter().map(|candidate| candidate.scored.cosine).fold(f32::MIN, f32::max)
}

/// Chooses what answers: the best piece, and what comes near it in its section. `None` without
/// candidates.
#[must_use]
pub fn choose(question: &str, candidates: &[Judged]) -> Option<Choice> {
    let shape = shape(question);
    let nearest = nearest(candidates);
    let scored: Vec<Scored> = candidates.iter().map(|candidate| candidate.scored.clone()).collect();
    let ranked = ranked(question, candidates);
    let &(lead, best) = ranked.first()?;
    let first = candidates.get(lead)?;
    let beside = |unit: &Unit| {
        (unit.passage, &unit.heading) == (first.scored.unit.passage, &first.scored.unit.heading)
    };
    let mut chosen: Vec<&Unit> = vec![&first.scored.unit];
    let mut chars = first.scored.unit.text.chars().count();
    for &(at, score) in ranked.iter().skip(1) {
        let Some(unit) = candidates.get(at).map(|candidate| &candidate.scored.unit) else {
            continue;
        };
        let longer = chars + unit.text.chars().count();
        let steps = unit.steps && shape == Shape::Explanation;
        if score < best - BESIDE
            || !beside(unit)
            || chosen.len() == MAX_PIECES
            || longer > MAX_CHARS && !steps
        {
            continue;
        }
        if unit.steps && !steps || says_again(unit, chosen.iter().copied()) {
            continue;
        }
        chars = longer;
        chosen.push(unit);
    }
    let units = list_of(&scored, &chosen).unwrap_or_else(|| {
        let mut units: Vec<Unit> = chosen.into_iter().cloned().collect();
        // Steps without the line that leads them in may be anybody's.
        let lead_in = |unit: &Unit| {
            let at = scored.iter().position(|scored| scored.unit == *unit)?.checked_sub(1)?;
            let before = &scored.get(at)?.unit;
            (Kind::of(before) == Kind::Lead
                && (before.passage, &before.heading) == (unit.passage, &unit.heading))
                .then(|| before.clone())
        };
        let leads: Vec<Unit> = units.iter().filter(|unit| unit.steps).filter_map(lead_in).collect();
        units.extend(leads);
        units.sort_by_key(|unit| unit.range.start);
        units.dedup();
        units
    });
    let other = ranked.iter().filter_map(|&(at, score)| {
        let document = candidates.get(at).map(|candidate| &candidate.document)?;
        (*document != first.document).then_some(score)
    });
    let margin = best - other.fold(f32::MIN, f32::max).max(best - MAX_MARGIN);
    let logit = first.logit + if first.placed { PLACED } else { 0.0 };
    // Tables often leave the currency to their letterhead: any figure will do.
    let held = |unit: &Unit| holds_under_heading(question, unit) || says_how_much(&unit.text);
    let lacks_kind = !units.iter().any(held);
    Some(Choice { units, lead, logit, margin, near: nearest, lacks_kind })
}

#[derive(Deserialize)]
struct LeadIns {
    words: Vec<String>,
}

static LEAD_INS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let list = include_str!("../language/data/lead_ins.toml");
    toml::from_str(list).map_or_else(
        |error| {
            // Built in, and a test reads it.
            tracing::error!(%error, "a built-in list of words can't be read");
            Vec::new()
        },
        |LeadIns { words }| words,
    )
});

/// Whether a sentence only leads in what follows it, as help pages begin: "Whatever happened, we're
/// here to help." One with a figure tells something.
fn leads_in(text: &str) -> bool {
    if text.contains(char::is_numeric) {
        return false;
    }
    let lower = text.to_lowercase().replace('’', "'");
    LEAD_INS.iter().any(|words| lower.contains(words.as_str()))
}

/// Whether a piece answers by itself. A question doesn't, nor does a label ("Returns"), and the
/// single word of a list ("Amazon") says something only under the line that leads its list in.
fn says_something(unit: &Unit, all: &[Scored]) -> bool {
    let text = unit.text.trim_end();
    if text.ends_with(['?', '？']) || leads_in(text) {
        return false;
    }
    let bare = content_words(text).nth(1).is_none() && !text.contains(char::is_numeric);
    let closed = text.ends_with(['.', '!', '。', '！']);
    match unit.item {
        true => !bare || list_of(all, &[unit]).is_some(),
        false => !bare || closed || unit.row || unit.steps,
    }
}

/// More distance to the next document says no more.
const MAX_MARGIN: f32 = 10.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grounding::units;

    fn judged(text: &str, logits: &[f32]) -> Vec<Judged> {
        let units = units(0, text).into_iter().zip(logits);
        units
            .map(|(unit, logit)| Judged {
                scored: Scored { unit, cosine: 0.5, passage_score: 1.0, opens: false },
                logit: *logit,
                document: "a".into(),
                placed: false,
            })
            .collect()
    }

    #[track_caller]
    fn check(question: &str, candidates: &[Judged], expected: &[&str]) {
        let choice = choose(question, candidates);
        let texts: Vec<&str> =
            choice.iter().flat_map(|choice| &choice.units).map(|unit| unit.text.as_str()).collect();
        assert_eq!(texts, expected);
    }

    #[test]
    fn the_best_piece_answers_with_what_comes_near_it_in_its_section() {
        let text = "### Cost\n\nStandard delivery costs 4.90 EUR. Express delivery costs 9.90 EUR. We use boxes of paper.\n\n\
                    ### Time\n\nDelivery takes two days.";
        let near = judged(text, &[5.0, 3.5, -4.0, 4.0]);
        let both = ["Standard delivery costs 4.90 EUR.", "Express delivery costs 9.90 EUR."];
        check("What does delivery cost?", &near, &both);
        check(
            "Is delivery fast?",
            &judged(text, &[-5.0, -6.5, -8.0, 4.9]),
            &["Delivery takes two days."],
        );
        check("Is delivery fast?", &[], &[]);
        // Where a price is asked for, one without loses.
        check(
            "What does delivery cost?",
            &judged(text, &[3.0, -1.0, -9.0, 4.0]),
            &["Standard delivery costs 4.90 EUR."],
        );
    }

    #[test]
    fn steps_come_with_a_problem_and_not_with_a_fact() {
        let text =
            "### The zip is stuck\n\nDo not use oil.\n\n1. Stop pulling.\n2. Look for fabric.\n";
        let candidates = judged(text, &[6.0, 5.0]);
        check(
            "My zip is stuck",
            &candidates,
            &["Do not use oil.", "1. Stop pulling.\n2. Look for fabric."],
        );
        check("Is oil allowed?", &candidates, &["Do not use oil."]);
    }

    #[test]
    fn an_answer_without_the_figure_that_is_asked_for_lacks_it() {
        let lacks = |question: &str, text: &str| {
            choose(question, &judged(text, &[5.0])).unwrap().lacks_kind
        };
        assert!(lacks(
            "How fast do I have to report it?",
            "How quickly you report it affects what you pay."
        ));
        assert!(!lacks("How fast do I have to report it?", "Report it within two days."));
        assert!(!lacks("How much is delivery?", "Delivery is free."));
        assert!(!lacks("How much is delivery?", "Delivery: abroad 12.50"));
        assert!(!lacks("Do you deliver?", "We deliver to every place."));
    }

    #[test]
    fn questions_and_labels_answer_nothing() {
        let text = "Which shops are left out?\n\nOverview\n\nThese shops earn no points:\n\n- Orchard\n- Mill\n\nThe rest earns points.";
        let logits = [9.0, 8.0, 1.0, 7.0, 0.0, 0.5];
        let told = ["These shops earn no points:", "Orchard", "Mill"];
        check("Does the Orchard earn points?", &judged(text, &logits), &told);
        check(
            "What does the rest earn?",
            &judged(text, &[9.0, 8.0, 1.0, 0.0, 0.0, 5.0]),
            &["The rest earns points."],
        );
    }

    #[test]
    fn what_only_leads_in_answers_nothing() {
        let text = "Whether your boat leaks or drifts, we’re here to help. Tie it to the pier.";
        check("My boat leaks", &judged(text, &[8.0, 1.0]), &["Tie it to the pier."]);
        let text = "We are happy to help from 9:00 to 17:00. Tie it to the pier.";
        let told = ["We are happy to help from 9:00 to 17:00."];
        check("When can I reach you?", &judged(text, &[8.0, 1.0]), &told);
        // What shops sell are articles, too, and comfort may come with a rule.
        let told = ["This article is washed at home."];
        check("Can I wash it?", &judged("This article is washed at home.", &[8.0]), &told);
        let text = "Don't worry: the address can be changed until the parcel leaves.";
        check("Wrong address, help!", &judged(text, &[8.0]), &[text]);
        assert!(!LEAD_INS.is_empty());
    }

    #[test]
    fn what_tells_of_the_place_wins() {
        let text = "To Switzerland it costs 18.90 EUR. To other EU countries it costs 8.90 EUR.";
        let mut candidates = judged(text, &[2.0, 0.5]);
        candidates[1].placed = true;
        assert_eq!(choose("What does it cost to Belgium?", &candidates).unwrap().lead, 1);
    }
}
