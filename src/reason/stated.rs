//! Figures of a sentence in another language that answer a question as they stand, said in the
//! visitor's language. Pure.

use super::cues::{self, has};
use super::hours;
use super::phrasing;
use super::quantity::{Amount, Bound, Kind, amounts};
use super::{Question, Said};

/// What a sentence states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated {
    /// In the visitor's language: `8,90 EUR, kostenlos ab 120 EUR`.
    pub figures: String,
    /// What they are said of, in the sentence's own words; may be empty.
    pub subject: String,
}

/// The figures that are asked for. `gloss` is the question in English, word for word,
/// `question.language` the one that the figures are said in. `None` where no figure is asked for,
/// or the sentence leaves open which of its figures it is.
#[must_use]
pub fn stated(question: &Question<'_>, gloss: &str, said: &Said<'_>) -> Option<Stated> {
    let words = question.wording.own_figures(question.language)?;
    if said.language != "en" {
        return None;
    }
    let lower = gloss.to_lowercase();
    let says = said.text.to_lowercase();
    // Without its condition, or without the "not" before it, a figure says something else: such a
    // sentence is quoted.
    if has(&says, cues::DENIALS) || has(&says, cues::HEDGES) {
        return None;
    }
    if hours::asked(&lower)
        && let Some(hours) = hours::hours(said.text, &words.hours)
    {
        return Some(Stated { figures: hours, subject: subject(said.text) });
    }
    let Some(asked) = asked(&lower) else {
        let codes = has(&lower, RATED).then(|| codes(said.text)).flatten()?;
        return Some(Stated { figures: codes, subject: subject(said.text) });
    };
    let all: Vec<Amount> =
        amounts(said.text, said.language).into_iter().filter(|amount| !amount.side).collect();
    // "How long" asks for the time or for the length.
    if asked.contains(&Kind::Time) && all.iter().any(|amount| amount.unit.kind == Kind::Length) {
        return None;
    }
    let of_kind: Vec<&Amount> =
        all.iter().filter(|amount| asked.contains(&amount.unit.kind)).collect();
    let (from, plain): (Vec<&Amount>, Vec<&Amount>) =
        of_kind.into_iter().partition(|amount| is_free_from(said.text, amount));
    let [amount] = plain.as_slice() else { return None };
    let open_above = |amount: &&&Amount| matches!(amount.bound, Bound::AtLeast | Bound::MoreThan);
    if from.len() > 1
        || from.first().is_some_and(|from| !open_above(&from))
        || is_rate(&says, amount, !from.is_empty())
    {
        return None;
    }
    let shown = phrasing::shown(amount, words);
    let mut figures = match amount.bound {
        Bound::AtLeast | Bound::MoreThan => words.at_least.replace("{}", &shown),
        Bound::AtMost | Bound::LessThan => words.at_most.replace("{}", &shown),
        Bound::Exact | Bound::Between => shown,
    };
    if let Some(from) = from.first() {
        let from = phrasing::shown(from, words);
        figures.push_str(&words.comma);
        figures.push_str(&words.free_from.replace("{}", &from));
    }
    Some(Stated { figures, subject: subject(said.text) })
}

/// Words of questions in English, word for word, by the kinds of figures that they ask for; the
/// first that fits counts.
const ASKED: &[(&[Kind], &[&str])] = &[
    (&[Kind::Age], &["how old", "=age"]),
    (&[Kind::Mass], &["how heavy", "weigh", "weight", "=load", "capacity"]),
    (&[Kind::Temperature], &["how warm", "how cold", "temperature"]),
    (&[Kind::Percent], &["how much discount", "discount", "interest", "exchange rate"]),
    (
        &[Kind::Time, Kind::WorkingTime],
        &["how long", "how fast", "=period", "return period", "delivery time", "how many day"],
    ),
    (&[Kind::Volume], &["litre", "volume"]),
    (&[Kind::Length], &["how high", "how wide", "height", "width", "water column"]),
    (&[Kind::Money], &["how much", "cost", "price", "=fee", "expensive", "=free"]),
    (&[Kind::Time], &["warranty"]),
];

fn asked(gloss: &str) -> Option<&'static [Kind]> {
    // What is counted is no amount.
    if has(gloss, &["how many"]) && !has(gloss, &["how many day", "how many litre"]) {
        return None;
    }
    // "What does a parcel of that weight cost" asks for the cost: what is asked for comes first.
    let named =
        ASKED.iter().filter_map(|(kinds, words)| Some((cues::first(gloss, words)?, *kinds)));
    named.min_by_key(|(at, _)| *at).map(|(_, kinds)| kinds)
}

/// Whether an amount of money is one of many: a month's, a piece's, that of some people alone.
fn is_rate(lower: &str, amount: &Amount, free_from: bool) -> bool {
    const EACH: &[&str] = &["per ", "a ", "an ", "each", "every ", "apiece", "/"];
    let behind = lower.get(amount.at.end..).unwrap_or_default().trim_start();
    let each = EACH.iter().any(|each| behind.starts_with(each));
    amount.unit.kind == Kind::Money && (each || !free_from && behind.starts_with("for "))
}

/// Words of questions that a degree of protection answers: IPX4, IP67.
const RATED: &[&str] = &["waterproof", "splash", "dustproof", "protection class"];
/// What such a degree begins with (IEC 60529 and 62262).
const DEGREES: &[&str] = &["IPX", "IP", "IK"];

/// The one degree of protection that a sentence tells behind its subject.
fn codes(text: &str) -> Option<String> {
    let subject = subject(text);
    let told = text.get(text.find(&subject)? + subject.len()..)?;
    let words = crate::language::words(told).filter(|word| {
        let degree = DEGREES.iter().find_map(|degree| word.strip_prefix(degree));
        degree
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
    });
    let mut codes: Vec<&str> = words.collect();
    codes.dedup();
    let [code] = codes.as_slice() else { return None };
    Some((*code).to_owned())
}

/// Whether an amount is the one from which something costs nothing.
fn is_free_from(text: &str, amount: &Amount) -> bool {
    let before = text.get(..amount.at.start).unwrap_or_default().to_lowercase();
    let label = before.rsplit([',', ';', '.', '|']).next().unwrap_or_default();
    let label = if label.len() < 2 { before.as_str() } else { label };
    has(label, cues::FREE)
}

/// What the figures are said of: the first cell of a row, the words before a sentence's verb.
fn subject(text: &str) -> String {
    const VERBS: &[&str] = &[
        " costs ",
        " cost ",
        " takes ",
        " take ",
        " has ",
        " have ",
        " is ",
        " are ",
        " weighs ",
        " weigh ",
        " lasts ",
        " brings ",
        " bring ",
        " arrives ",
        " arrive ",
        " can ",
        " must ",
    ];
    let head = match text.split_once(": ") {
        Some((head, _)) => head,
        None => {
            let end = VERBS.iter().filter_map(|verb| text.find(verb)).min();
            end.and_then(|end| text.get(..end)).unwrap_or_default()
        }
    };
    let head = head.trim_start_matches(['-', '*', '|', ' ']).trim();
    let head = ["The ", "A ", "An ", "Our ", "All "]
        .iter()
        .find_map(|article| head.strip_prefix(article))
        .unwrap_or(head);
    let clause = ["If ", "When ", "Where ", "While "].iter().any(|word| head.starts_with(word));
    let tells =
        !clause && head.chars().count() <= MAX_SUBJECT && head.split_whitespace().count() > 1;
    if tells { head.to_owned() } else { String::new() }
}

/// A longer beginning of a sentence is a clause.
const MAX_SUBJECT: usize = 70;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wording::Wording;

    #[track_caller]
    fn check(gloss: &str, sentence: &str, language: &str, expected: Option<(&str, &str)>) {
        let wording = Wording::built_in();
        let question = Question { text: "", language, shop: "", wording };
        let found = stated(&question, gloss, &Said { text: sentence, about: "", language: "en" });
        let found = found.as_ref().map(|stated| (stated.figures.as_str(), stated.subject.as_str()));
        assert_eq!(found, expected, "{gloss}: {sentence}");
    }

    #[test]
    fn the_figure_that_is_asked_for_is_said() {
        let tariff = "Parcel post to Malta costs 8.90 EUR and is free for orders from 120 EUR.";
        check(
            "how much does cost shipping?",
            tariff,
            "de",
            Some(("8,90 EUR, kostenlos ab 120 EUR", "Parcel post to Malta")),
        );
        check(
            "how much does cost shipping?",
            tariff,
            "fr",
            Some(("8,90 EUR, gratuit à partir de 120 EUR", "Parcel post to Malta")),
        );
        check("how long warranty?", "Desks have a 5-year warranty.", "es", Some(("5 años", "")));
        check(
            "how long take delivery",
            "Delivery by post takes 3 to 5 working days.",
            "it",
            Some(("3–5 giorni lavorativi", "Delivery by post")),
        );
        check(
            "how heavy is it",
            "The bench weighs 12.5 kg and costs 80 EUR.",
            "nl",
            Some(("12,5 kg", "")),
        );
        check(
            "how many branch do you have free of charge",
            "It is free and costs 0 EUR.",
            "de",
            None,
        );
        // Which of them is it?
        check("how much does cost", "A small one costs 3 EUR, a large one 5 EUR.", "de", None);
        check("is it waterproof", "The jacket costs 90 EUR.", "de", None);
        check("how much does cost", "It costs 90 EUR.", "xx", None);
        // A parcel's weight tells which parcel, not what is asked.
        let parcel = "Parcels up to 10 kg cost 8.90 EUR.";
        check(
            "what cost a parcel with 5 kg weight",
            parcel,
            "de",
            Some(("8,90 EUR", "Parcels up to 10 kg")),
        );
    }

    #[test]
    fn what_hangs_on_more_is_no_figure_alone() {
        let cost = "how much does cost";
        check(cost, "The account costs 4 EUR a month.", "de", None);
        check(cost, "Rental costs 0.80 EUR per km.", "de", None);
        check(cost, "Delivery costs 2 EUR for members.", "de", None);
        check(cost, "A withdrawal costs 2 EUR, free up to 200 EUR.", "de", None);
        check("how heavy may be parcel", "A parcel must not weigh more than 10 kg.", "de", None);
        check("how long is tent", "It is 220 cm long and pitched in 5 minutes.", "de", None);
        check("how long may I return", "You can return unused items within 30 days.", "fr", None);
    }

    #[test]
    fn ratings_are_said() {
        check("is lamp waterproof", "The Beam 2 is rated IPX6.", "fr", Some(("IPX6", "Beam 2")));
        check("is lamp waterproof", "The lamp has no rating.", "fr", None);
        check("is lamp waterproof", "The lamp is not rated IPX4.", "fr", None);
        check("is lamp waterproof", "The lamp takes an E27 bulb.", "fr", None);
    }

    #[test]
    fn opening_hours_are_said() {
        let sentence = "The Malmö branch is open Monday to Friday from 9:00 to 16:30.";
        check(
            "when open in Malmö",
            sentence,
            "de",
            Some(("Montag bis Freitag 9:00–16:30", "Malmö branch")),
        );
    }
}
