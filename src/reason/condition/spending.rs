//! What somebody has spent against what a level or a benefit asks for. Pure.

use std::collections::HashSet;

use super::super::cues::{self, has};
use super::super::phrasing::{self, Say};
use super::super::quantity::{Amount, Bound, Kind, amounts};
use super::super::{Figure, Lead, Question, Said, Verdict, subject_without};
use super::kind;

/// Words of money that was spent over time.
const SPENT: &[&str] = &[
    "spend",
    "spent",
    "ausgeb",
    "ausgegeben",
    "umsatz",
    "dépens",
    "=gast",
    "gastado",
    "gasté",
    "消费",
    "花了",
    "花费",
];

/// What was spent against the threshold of the level that the question names: 450 EUR against
/// "Silver level from 300 EUR a year and Gold level from 500 EUR a year".
pub(in crate::reason) fn spending(
    question: &Question<'_>,
    chosen: &[Said<'_>],
    applying: &[usize],
) -> Option<Lead> {
    let lower = question.text.to_lowercase();
    let money: Vec<Amount> = amounts(question.text, question.language)
        .into_iter()
        .filter(|amount| amount.unit.kind == Kind::Money)
        .collect();
    let [spent] = money.as_slice() else { return None };
    if spent.bound != Bound::Exact || !has(&lower, SPENT) {
        return None;
    }
    let asked = subject_without(question.text, std::slice::from_ref(spent));
    for at in applying {
        let said = chosen.get(*at)?;
        let says = format!("{} {}", said.about, said.text).to_lowercase();
        if !has(&says, SPENT) || has(&said.text.to_lowercase(), cues::DENIALS) {
            continue;
        }
        let Some(limit) = threshold(said, &asked) else { continue };
        let meets = spent.meets(&limit)?;
        let amount = phrasing::shown(spent, question.figures());
        let shown = phrasing::value(limit.value, &limit.unit, question.figures());
        let verdict = cues::wants_yes(question.text).then_some(meets);
        if meets {
            let say = Say::Reaches { amount, limit: shown };
            return Some(Lead::new(question.say(&say, verdict), kind(verdict), *at));
        }
        let missing = phrasing::value(limit.value - spent.value, &spent.unit, question.figures());
        let figures =
            vec![Figure { shown: missing.clone(), inputs: vec![shown.clone(), amount.clone()] }];
        let text = question.say(&Say::Short { amount, limit: shown, missing }, verdict);
        let verdict = verdict.map_or(Verdict::Comparison, |_| Verdict::No);
        return Some(Lead { text, verdict, inputs: vec![*at], figures });
    }
    None
}

/// The one threshold of money in the clauses of a text that name what was asked for.
fn threshold(said: &Said<'_>, asked: &HashSet<String>) -> Option<Amount> {
    let general = |word: &String| {
        cues::is_of_topic(word)
            || cues::FUNCTION.contains(&word.as_str())
            || has(word, SPENT)
            || GENERAL.contains(&word.as_str())
    };
    let mut found: Vec<Amount> = Vec::new();
    for clause in said.text.split([';', '；', '。']).flat_map(|part| part.split(" and ")) {
        let money: Vec<Amount> = amounts(clause, said.language)
            .into_iter()
            .filter(|amount| amount.unit.kind == Kind::Money)
            .collect();
        let words = subject_without(clause, &money);
        let named = words.iter().any(|word| asked.contains(word) && !general(word));
        let [limit] = money.as_slice() else {
            if named && !money.is_empty() {
                return None;
            }
            continue;
        };
        if named && matches!(limit.bound, Bound::Exact | Bound::AtLeast | Bound::MoreThan) {
            found.push(limit.clone());
        }
    }
    let [limit] = found.as_slice() else { return None };
    let bound = if limit.bound == Bound::MoreThan { Bound::MoreThan } else { Bound::AtLeast };
    Some(Amount { bound, ..limit.clone() })
}

/// Words, as stems, that every level's sentence has.
const GENERAL: &[&str] =
    &["level", "member", "reach", "year", "tier", "status", "calendar", "programm", "customer"];

#[cfg(test)]
mod tests {
    use super::super::super::{Question, Said, Verdict, lead};
    use crate::wording::Wording;

    const LEVELS: &str = "Guests reach Copper level when they spend 250 EUR in a season and Jade level when they \
         spend 600 EUR in a season.";

    #[track_caller]
    fn check(language: &str, question: &str, text: &str, expected: Option<(&str, Verdict)>) {
        let wording = Wording::built_in();
        let question = Question { text: question, language, shop: "", wording };
        let said = Said { text, about: "Levels", language: "en" };
        let found = lead(&question, &[said], &[]);
        let found = found.as_ref().map(|lead| (lead.text.as_str(), lead.verdict));
        assert_eq!(found, expected, "{}", question.text);
    }

    #[test]
    fn what_was_spent_is_compared_with_the_level_that_is_named() {
        check(
            "en",
            "I've spent 450 euro here, am I Jade now?",
            LEVELS,
            Some((
                "No: 450 EUR is below the minimum of 600 EUR; 150 EUR are missing.",
                Verdict::No,
            )),
        );
        check(
            "en",
            "spent 450 euros so far. is that copper?",
            LEVELS,
            Some(("Yes: 450 EUR reaches the minimum of 250 EUR.", Verdict::Yes)),
        );
        check(
            "en",
            "I spent 610 EUR with you, how far is Jade level?",
            "Jade: Spend per year: from 600 EUR, Benefits: a free night",
            Some(("610 EUR reaches the minimum of 600 EUR.", Verdict::Comparison)),
        );
        check(
            "de",
            "Ich habe 450 Euro ausgegeben, bin ich jetzt Jade?",
            LEVELS,
            Some((
                "450 EUR liegen unter dem Minimum von 600 EUR, es fehlen 150 EUR.",
                Verdict::Comparison,
            )),
        );
        check("en", "I spent 450 EUR, which level is that?", LEVELS, None);
        check("en", "I spent 450 EUR on a tent, is it waterproof?", LEVELS, None);
    }
}
