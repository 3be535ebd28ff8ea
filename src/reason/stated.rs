//! Figures of a sentence in another language that answer a question as they stand, said in the visitor's language. Pure.

use super::cues::{self, has};
use super::hours;
use super::quantity::{Amount, Bound, Kind, amounts};
use super::wording::{self, Words};
use super::{Question, Said};

/// What a sentence states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated {
    /// In the visitor's language: `8,90 EUR, kostenlos ab 120 EUR`.
    pub figures: String,
    /// What they are said of, in the sentence's own words; may be empty.
    pub subject: String,
}

/// The figures that are asked for. `gloss` is the question in English, word for word, `question.language` the one that the figures
/// are said in. `None` where no figure is asked for, or the sentence leaves open which of its figures it is.
#[must_use]
pub fn stated(question: &Question<'_>, gloss: &str, said: &Said<'_>) -> Option<Stated> {
    let words = Words::of(question.language)?;
    if said.language != "en" {
        return None;
    }
    let lower = gloss.to_lowercase();
    if hours::asked(&lower)
        && let Some(hours) = hours::hours(said.text, question.language)
    {
        return Some(Stated { figures: hours, subject: subject(said.text) });
    }
    if has(&lower, RATED)
        && let Some(codes) = codes(said.text)
    {
        return Some(Stated { figures: codes, subject: subject(said.text) });
    }
    let asked = asked(&lower)?;
    let all: Vec<Amount> = amounts(said.text, said.language).into_iter().filter(|amount| !amount.side).collect();
    let of_kind: Vec<&Amount> = all.iter().filter(|amount| asked.contains(&amount.unit.kind)).collect();
    let (from, plain): (Vec<&Amount>, Vec<&Amount>) =
        of_kind.into_iter().partition(|amount| is_free_from(said.text, amount));
    let [amount] = plain.as_slice() else { return None };
    if from.len() > 1 {
        return None;
    }
    let shown = wording::shown(amount, question.language);
    let mut figures = match amount.bound {
        Bound::AtLeast | Bound::MoreThan => words.at_least.replace("{}", &shown),
        Bound::AtMost | Bound::LessThan => words.at_most.replace("{}", &shown),
        Bound::Exact | Bound::Between => shown,
    };
    if let Some(from) = from.first() {
        let from = wording::shown(from, question.language);
        figures.push_str(words.comma);
        figures.push_str(&words.free_from.replace("{}", &from));
    }
    Some(Stated { figures, subject: subject(said.text) })
}

/// Words of questions in English, word for word, by the kinds of figures that they ask for; the first that fits counts.
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
    ASKED.iter().find(|(_, words)| has(gloss, words)).map(|(kinds, _)| *kinds)
}

/// Words of questions that a rating answers: IPX4, S3, A++.
const RATED: &[&str] =
    &["waterproof", "splash", "dustproof", "rating", "rated", "standard", "protection class", "certif"];

/// The one code that a sentence tells behind its subject: capitals with a digit at the end.
fn codes(text: &str) -> Option<String> {
    let subject = subject(text);
    let told = text.get(text.find(&subject)? + subject.len()..)?;
    let words = told.split(|c: char| !c.is_alphanumeric()).filter(|word| {
        let letters = word.chars().take_while(char::is_ascii_uppercase).count();
        (1..=4).contains(&letters) && word.len() > letters && word.chars().skip(letters).all(|c| c.is_ascii_digit())
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
        " last ",
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
    let head =
        ["The ", "A ", "An ", "Our ", "All "].iter().find_map(|article| head.strip_prefix(article)).unwrap_or(head);
    let tells = head.chars().count() <= MAX_SUBJECT && head.split_whitespace().count() > 1;
    if tells { head.to_owned() } else { String::new() }
}

/// A longer beginning of a sentence is a clause.
const MAX_SUBJECT: usize = 70;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(gloss: &str, sentence: &str, language: &str, expected: Option<(&str, &str)>) {
        let question = Question { text: "", language, shop: "" };
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
        check("how heavy is it", "The bench weighs 12.5 kg and costs 80 EUR.", "nl", Some(("12,5 kg", "")));
        check("how many branch do you have free of charge", "It is free and costs 0 EUR.", "de", None);
        // Which of them is it?
        check("how much does cost", "A small one costs 3 EUR, a large one 5 EUR.", "de", None);
        check("is it waterproof", "The jacket costs 90 EUR.", "de", None);
        check("how much does cost", "It costs 90 EUR.", "xx", None);
    }

    #[test]
    fn ratings_are_said() {
        check("is lamp waterproof", "The Beam 2 is rated IPX6.", "fr", Some(("IPX6", "Beam 2")));
        check("is lamp waterproof", "The lamp has no rating.", "fr", None);
    }

    #[test]
    fn opening_hours_are_said() {
        let sentence = "The Malmö branch is open Monday to Friday from 9:00 to 16:30.";
        check("when open in Malmö", sentence, "de", Some(("Montag bis Freitag 9:00–16:30", "Malmö branch")));
    }
}
