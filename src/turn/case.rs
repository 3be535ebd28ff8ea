//! The visitor's own case: which piece of the knowledge decides it, where the best one says nothing
//! of it. Pure.

use std::collections::HashSet;

use super::lead::conclude;
use crate::grounding::alike::Names;
use crate::grounding::choose::{Choice, ranked};
use crate::grounding::judged::{Judged, UNJUDGED};
use crate::language::{is_common_somewhere, meanings};
use crate::prompt::SiteFacts;
use crate::reason::cues::{self, Topic, has};
use crate::reason::{plain, tells_a_case};
use crate::retrieval::Hit;
use crate::wording::Wording;

/// Pieces that are looked at for one that decides the case, and how much worse than the best they
/// may be, by their scores.
const LOOKED_AT: usize = 8;
const WORSE: f32 = 6.0;
/// How much worse an exclusion may be judged than the sentence that it limits, in logits.
const EXCLUSION: f32 = 5.0;
/// Words of a question that a sentence which forbids it must hold, of whatever kind, and beside
/// names.
const SHARED: usize = 2;
/// Confidence at least of a sentence that forbids what is asked, in its own words.
pub(super) const FORBIDDEN: f32 = 0.66;

/// A question in the wordings that conclusions are drawn from.
pub(super) struct Asked<'a> {
    /// As the visitor wrote it, and word for word in English where that is another.
    pub(super) texts: &'a [&'a str],
    /// In which the conclusion is said.
    pub(super) language: &'a str,
    pub(super) site: &'a SiteFacts,
    pub(super) wording: &'a Wording,
}

impl Asked<'_> {
    /// Whether more than a bare yes or no follows from the best pieces of a choice.
    fn is_decided(&self, choice: &Choice, hits: &[Hit]) -> bool {
        self.texts.iter().any(|text| {
            let mut units = choice.units.clone();
            conclude(text, self.language, self.site, hits, &mut units, self.wording)
                .is_some_and(|lead| plain(&lead, self.language, self.wording).is_none())
        })
    }
}

/// Chooses the best piece from which something follows for the numbers, dates and times that the
/// visitor tells, where the choice leads to nothing. Tells whether anything follows.
pub(super) fn decide(
    asked: &Asked<'_>,
    choice: &mut Choice,
    candidates: &[Judged],
    hits: &[Hit],
) -> bool {
    let Some(question) = asked.texts.last() else { return false };
    if asked.is_decided(choice, hits) {
        return true;
    }
    if !asked.texts.iter().any(|text| tells_a_case(text, asked.language)) {
        return false;
    }
    let all = ranked(question, candidates);
    let best = all.first().map_or(0.0, |(_, score)| *score);
    for (at, score) in all.into_iter().take(LOOKED_AT) {
        let Some(candidate) = candidates.get(at) else { continue };
        if score < best - WORSE || candidate.logit <= UNJUDGED {
            break;
        }
        let other =
            Choice { units: vec![candidate.scored.unit.clone()], lead: at, ..choice.clone() };
        if asked.is_decided(&other, hits) {
            *choice = other;
            return true;
        }
    }
    false
}

/// Whether a text denies or forbids something.
fn denies(text: &str) -> bool {
    has(&text.to_lowercase(), cues::DENIALS)
}

/// The words of the visitor's case: those that nearly every message to a shop has tell nothing.
fn case_words(texts: &[&str]) -> HashSet<String> {
    let all = texts.iter().flat_map(|text| meanings(text));
    all.filter(|word| !is_common_somewhere(word) && !cues::is_of_topic(word)).collect()
}

/// Puts an exclusion that names the visitor's case in place of the rule that it limits: what is
/// covered doesn't answer where what isn't names the very case. Beside a rule for covers in
/// general, what it leaves out is told as well.
pub(super) fn exclude(texts: &[&str], choice: &mut Choice, candidates: &[Judged]) {
    let Some(question) = texts.first() else { return };
    let asked = cues::topics(question);
    let covered = asked.contains(&Topic::Warranty);
    let Some(lead) = candidates.get(choice.lead) else { return };
    let rule = &lead.scored.unit;
    if asked.is_empty() || !(cues::wants_yes(question) || covered) || denies(&rule.text) {
        return;
    }
    let held: HashSet<String> = meanings(&rule.text).collect();
    let case = case_words(texts);
    let named = |text: &str| {
        let own: HashSet<String> = meanings(text).collect();
        case.iter().filter(|word| own.contains(*word) && !held.contains(*word)).count()
    };
    let exclusions = candidates.iter().enumerate().filter(|(_, other)| {
        let unit = &other.scored.unit;
        let topics = cues::topics(&format!("{} {}", unit.heading, unit.text));
        !unit.steps
            && denies(&unit.text)
            && other.logit >= lead.logit - EXCLUSION
            && topics.iter().any(|topic| asked.contains(topic))
    });
    let of = |other: &Judged| (named(&other.scored.unit.text), other.logit);
    let best = exclusions.map(|(at, other)| (at, other, of(other))).max_by(|a, b| {
        let (a, b) = (a.2, b.2);
        a.0.cmp(&b.0).then_with(|| a.1.total_cmp(&b.1))
    });
    let Some((at, other, (shared, _))) = best else { return };
    let exclusion = other.scored.unit.clone();
    if shared > 0 {
        choice.units = vec![exclusion];
        choice.lead = at;
    } else if covered
        && other.document == lead.document
        && cues::topics(&rule.text).contains(&Topic::Warranty)
        && !choice.units.contains(&exclusion)
        && !choice.units.iter().any(|unit| unit.steps || unit.row)
    {
        choice.units.push(exclusion);
    }
}

/// Whether the chosen sentence forbids what is asked in the question's own words: "never in a
/// cellar" for "may I store it in the cellar?".
pub(super) fn forbids(question: &str, choice: &Choice, names: &Names) -> bool {
    let Some(unit) = choice.units.first().filter(|unit| !unit.row && !unit.steps) else {
        return false;
    };
    let lower = unit.text.to_lowercase();
    if !cues::wants_yes(question) || !has(&lower, cues::DENIALS) {
        return false;
    }
    let own: HashSet<String> = meanings(&unit.text).collect();
    let shared: Vec<String> =
        case_words(&[question]).into_iter().filter(|word| own.contains(word)).collect();
    shared.len() >= SHARED && shared.iter().any(|word| !names.names(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grounding::judged::Scored;
    use crate::grounding::{choose, units};

    fn chosen(question: &str, text: &str, logits: &[f32]) -> (Choice, Vec<Judged>) {
        let units = units(0, text).into_iter().zip(logits);
        let candidates: Vec<Judged> = units
            .map(|(unit, logit)| Judged {
                scored: Scored { unit, cosine: 0.5, passage_score: 1.0, opens: false },
                logit: *logit,
                document: "a".into(),
                placed: false,
            })
            .collect();
        (choose::choose(question, &candidates).unwrap(), candidates)
    }

    const COVER: &str = "### What is covered?\n\nThe guarantee covers faults of the material.\n\n\
                         ### What is left out?\n\nThe guarantee does not cover rust, scratches or \
                         damage by lightning.";

    #[track_caller]
    fn check(question: &str, text: &str, logits: &[f32], expected: &[&str]) {
        let (mut choice, candidates) = chosen(question, text, logits);
        exclude(&[question], &mut choice, &candidates);
        let texts: Vec<&str> = choice.units.iter().map(|unit| unit.text.as_str()).collect();
        assert_eq!(texts, expected, "{question}");
    }

    #[test]
    fn an_exclusion_that_names_the_case_answers() {
        let (rule, exclusion) = (
            "The guarantee covers faults of the material.",
            "The guarantee does not cover rust, scratches or damage by lightning.",
        );
        check("Lightning struck my pump, is that covered?", COVER, &[4.0, 2.0], &[exclusion]);
        check("My pump hums, is that covered?", COVER, &[4.0, 2.0], &[rule, exclusion]);
        check("How much is the pump?", COVER, &[4.0, 2.0], &[rule]);
        let returns = "You can return mowers within 20 days. Mowers with fuel in the tank cannot \
                       be returned.";
        let limit = "Mowers with fuel in the tank cannot be returned.";
        check("There is fuel in it, can I return my mower?", returns, &[5.0, 1.0], &[limit]);
        let rule = "You can return mowers within 20 days.";
        check("Can I return my mower?", returns, &[5.0, 1.0], &[rule]);
    }

    #[test]
    fn a_sentence_forbids_in_the_words_of_the_question() {
        let names = Names::of(["Gorse mower"].iter().copied(), []);
        let forbidden = |question: &str, text: &str| {
            forbids(question, &chosen(question, text, &[0.0]).0, &names)
        };
        let rule = "Never start the Gorse in a garage or cellar: its exhaust is poisonous.";
        assert!(forbidden("Can I start the Gorse in the cellar if it snows?", rule));
        assert!(!forbidden("Can I paint the Gorse?", rule));
        assert!(!forbidden("How do I start the Gorse in a cellar?", rule));
        assert!(!forbidden("Can I start it in a cellar?", "Start it in a garage or cellar."));
    }
}
