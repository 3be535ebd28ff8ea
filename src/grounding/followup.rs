//! Follow-up questions, said in full: "Is it waterproof?" after "I look at the Corrie 45" asks
//! about the Corrie 45. Pure.

use std::collections::HashSet;

use super::claims;
use crate::language::{content_words, is_common_somewhere};

/// A line of the conversation before a question.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    pub by_visitor: bool,
    pub text: &'a str,
}

/// A question in the words that it leaves to the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InFull {
    pub text: String,
    /// Whether the question can't be understood without: it says "it", and one product was spoken
    /// of. Else both may be meant.
    pub certain: bool,
}

/// A story is no follow-up, and what follows one would be lost in it.
const MAX_BYTES: usize = 600;
/// A longer question brings its subject with it.
const MAX_WORDS: usize = 5;
/// Of a question that neither points nor goes on: it says too little to stand alone.
const MAX_BARE_WORDS: usize = 2;
/// Lines that a subject is looked for in, from the last on.
const LINES: usize = 6;

/// Whether a question may need what was said before it: it points at something, goes on from it, or
/// says too little alone.
#[must_use]
pub fn leans_on_what_was_said(question: &str) -> bool {
    points_back(question)
        || goes_on(question)
        || content_words(question).nth(MAX_BARE_WORDS).is_none()
}

/// What a question means in its conversation, oldest line first; `None` if it stands for itself.
/// `names` are the products that the site sells.
#[must_use]
pub fn in_full<'a>(
    question: &str,
    before: &[Said<'_>],
    names: impl IntoIterator<Item = &'a str>,
) -> Option<InFull> {
    let previous = before.iter().rev().find(|line| line.by_visitor)?.text.trim();
    if question.len() + previous.len() > MAX_BYTES {
        return None;
    }
    let asked: HashSet<String> = content_words(question).collect();
    let (points, goes_on) = (points_back(question), goes_on(question));
    if asked.len() > MAX_WORDS || !points && !goes_on && asked.len() > MAX_BARE_WORDS {
        return None;
    }
    let names: Vec<&str> = names.into_iter().collect();
    let products = claims::products(names.iter().copied());
    let after_previous = |certain| Some(InFull { text: format!("{previous} {question}"), certain });
    let own = claims::named(question, &products);
    if !own.is_empty() {
        let named: HashSet<String> =
            own.iter().flat_map(|product| content_words(product.shown())).collect();
        // "And the Tarn 3?" asks what was asked before.
        return if asked.is_subset(&named) { after_previous(goes_on) } else { None };
    }
    if let Some(text) = goes_on.then(|| swapped(previous, question)).flatten() {
        return Some(InFull { text, certain: true });
    }
    match subject(before, &products) {
        Some(subject) => {
            let text = match pronoun(question).filter(|found| found.replaced) {
                Some(Pronoun { start, end, .. }) => {
                    let (head, tail) = (question.get(..start)?, question.get(end..)?);
                    format!(
                        "{head}{}{tail}",
                        if head.is_empty() { subject.to_owned() } else { spaced(head, subject) }
                    )
                }
                None => format!("{subject}: {question}"),
            };
            Some(InFull {
                text,
                certain: points || asked.len() <= 1 && asks_for_a_property(question),
            })
        }
        None if asked.len() <= MAX_BARE_WORDS || points || goes_on => after_previous(false),
        None => None,
    }
}

/// "What does the Gold account cost?" and then "and gold plus?": the question before, asked of what
/// shares a word with what it was about.
fn swapped(previous: &str, question: &str) -> Option<String> {
    let rest =
        without_opening(question)?.trim_end_matches(|c: char| !c.is_alphanumeric() && c != ')');
    let content: HashSet<String> = content_words(rest).collect();
    let says = |word: &str| content.contains(word) && !is_common_somewhere(word);
    let (start, shared) = words(rest).find(|(_, word)| says(&word.to_lowercase()))?;
    let other = rest.get(start..)?;
    let said = previous.to_lowercase().contains(&other.to_lowercase());
    // "And gold?" after gold says nothing new, and more words than a name has ask something of
    // their own.
    if said || content.len() > MAX_NAME_WORDS || words(other).count() < 2 {
        return None;
    }
    let mut before =
        words(previous).skip_while(|(_, word)| word.to_lowercase() != shared.to_lowercase());
    let (at, word) = before.next()?;
    // "Plan A" is swapped whole.
    let marks = before.take_while(|(_, word)| {
        word.chars().count() == 1 || word.chars().all(|c| c.is_ascii_digit())
    });
    let end = marks.last().map_or(at + word.len(), |(at, word)| at + word.len());
    let mut text = previous.to_owned();
    text.replace_range(at..end, other);
    Some(text)
}

/// Words of the name of a thing at most.
const MAX_NAME_WORDS: usize = 3;

/// "the Tarn 2" in English, the name alone elsewhere.
fn spaced(head: &str, subject: &str) -> String {
    let latin = head.chars().next_back().is_some_and(char::is_whitespace);
    if latin && head.is_ascii() { format!("the {subject}") } else { subject.to_owned() }
}

/// The product that was spoken of last: the last one that the visitor named, or the only one that
/// an answer named.
fn subject<'a>(before: &[Said<'_>], products: &'a [claims::ProductName]) -> Option<&'a str> {
    before.iter().rev().take(LINES).find_map(|line| {
        let named = claims::named(line.text, products);
        match (line.by_visitor, named.as_slice()) {
            (_, [one]) => Some(one.shown()),
            // "Tarn 2" also stands in "Tarn 2 footprint": the longest name is meant; several are
            // not one.
            (true, [_, ..]) => {
                named.iter().map(|product| product.shown()).max_by_key(|name| name.len())
            }
            _ => None,
        }
    })
}

struct Pronoun {
    start: usize,
    end: usize,
    /// Whether a name may stand in its place.
    replaced: bool,
}

/// Whether a question points at something that was spoken of.
pub(super) fn points_back(question: &str) -> bool {
    pronoun(question).is_some()
}

/// The first word that points at what was spoken of.
fn pronoun(question: &str) -> Option<Pronoun> {
    const REPLACED: &[&str] = &["it", "they", "them"];
    const POINTING: &[&str] = &[
        "its", "their", "one", "ones", "that", "this", "these", "those", "davon", "dafür", "damit",
    ];
    const CHINESE: &[&str] = &["它们", "它", "这款", "那款", "这个", "那个", "该产品"];
    if let Some((start, found)) = CHINESE.iter().find_map(|word| Some((question.find(word)?, word)))
    {
        return Some(Pronoun { start, end: start + found.len(), replaced: true });
    }
    let mut words = words(question);
    words.find_map(|(start, word)| {
        let lower = word.to_lowercase();
        let replaced = REPLACED.contains(&lower.as_str());
        (replaced || POINTING.contains(&lower.as_str())).then(|| Pronoun {
            start,
            end: start + word.len(),
            replaced,
        })
    })
}

/// "Which colours?", "In what sizes?": of something that it doesn't name.
fn asks_for_a_property(question: &str) -> bool {
    const FIRST: &[&str] = &["which", "what", "how", "in", "with"];
    let first = words(question).next().map(|(_, word)| word.to_lowercase()).unwrap_or_default();
    FIRST.contains(&first.as_str())
        || ["哪", "什么", "多"].iter().any(|word| first.starts_with(word))
}

/// Words that a question begins with which goes on from what was said.
const OPENINGS: &[&str] =
    &["and", "but", "or", "so", "ok", "okay", "also", "then", "und", "oder", "et", "y"];
const OPENING_PHRASES: &[&str] =
    &["what about", "how about", "was ist mit", "wie sieht es mit", "qué tal"];

/// Whether a question begins as one that goes on from what was said.
fn goes_on(question: &str) -> bool {
    const CHINESE: &[&str] = &["那么", "那", "还有", "另外"];
    CHINESE.iter().any(|word| question.trim_start().starts_with(word))
        || without_opening(question).is_some()
}

/// What follows the words by which a question goes on from what was said: "Cork?" of "And what
/// about Cork?". `None` where it doesn't.
#[must_use]
pub fn without_opening(question: &str) -> Option<&str> {
    let mut rest = question.trim_start();
    let mut opened = false;
    loop {
        let behind = |opening: &str| {
            let (head, tail) = (rest.get(..opening.len())?, rest.get(opening.len()..)?);
            let ends = !tail.starts_with(char::is_alphanumeric);
            (ends && head.to_lowercase() == opening)
                .then(|| tail.trim_start_matches([' ', ',', ':', '.', '…']))
        };
        match OPENINGS.iter().chain(OPENING_PHRASES).find_map(|opening| behind(opening)) {
            Some(tail) => (rest, opened) = (tail, true),
            None => return opened.then_some(rest),
        }
    }
}

fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let start = text.as_ptr() as usize;
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(move |word| (word.as_ptr() as usize - start, word))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &[&str] =
        &["Corrie 45 backpack", "Tarn 2 tent", "Tarn 3 tent", "Hush 0 sleeping bag", "Ember stove"];

    #[track_caller]
    fn check(before: &[(&str, &str)], question: &str, expected: Option<(&str, bool)>) {
        let said: Vec<Said<'_>> =
            before.iter().map(|(who, text)| Said { by_visitor: *who == "v", text }).collect();
        let found = in_full(question, &said, NAMES.iter().copied());
        assert_eq!(
            found.as_ref().map(|full| (full.text.as_str(), full.certain)),
            expected,
            "{question}"
        );
    }

    #[test]
    fn a_pronoun_means_what_was_named() {
        let corrie = [("v", "I'm looking at the Corrie 45."), ("a", "It carries 14 kg.")];
        check(&corrie, "Is it waterproof?", Some(("Is the Corrie 45 waterproof?", true)));
        check(
            &corrie,
            "What does its frame weigh?",
            Some(("Corrie 45: What does its frame weigh?", true)),
        );
        check(&corrie, "它防水吗？", Some(("Corrie 45防水吗？", true)));
        check(&corrie, "which colours?", Some(("Corrie 45: which colours?", true)));
        check(&corrie, "And how heavy?", Some(("Corrie 45: And how heavy?", false)));
        // The visitor goes on to something else.
        check(&corrie, "How long does delivery to Germany take by express?", None);
        check(&corrie, "Is the Tarn 2 waterproof?", None);
        // One that the answer named.
        let found = [("v", "Which tent for two people?"), ("a", "The Tarn 2 tent costs 349 EUR.")];
        check(&found, "How much does it weigh?", Some(("How much does the Tarn 2 weigh?", true)));
        let several = [("v", "Which tents?"), ("a", "The Tarn 2 and the Tarn 3.")];
        check(&several, "Is it dry inside?", Some(("Which tents? Is it dry inside?", false)));
    }

    #[test]
    fn a_bare_name_asks_again() {
        let before = [("v", "How much does the Tarn 2 weigh?"), ("a", "1,900 g.")];
        check(
            &before,
            "And the Tarn 3?",
            Some(("How much does the Tarn 2 weigh? And the Tarn 3?", true)),
        );
    }

    #[test]
    fn a_bare_thing_of_the_same_kind_is_asked_the_same() {
        let asked = |before: &str, question: &str, expected: Option<&str>| {
            check(&[("v", before)], question, expected.map(|text| (text, true)));
        };
        asked(
            "What is the minimum balance for the Platinum savings account?",
            "and platinum plus?",
            Some("What is the minimum balance for the platinum plus savings account?"),
        );
        asked(
            "Wie viel Zinsen bringt das Gold Sparkonto?",
            "und das Gold Plus?",
            Some("Wie viel Zinsen bringt das Gold Plus Sparkonto?"),
        );
        asked("What is in plan A?", "And what about plan B?", Some("What is in plan B?"));
        assert_eq!(swapped("What does the gold card cost?", "and gold?"), None);
        assert_eq!(swapped("What does the gold card cost?", "and how do I close it?"), None);
    }

    #[test]
    fn openings_are_taken_off() {
        assert_eq!(without_opening("And what about Cork?"), Some("Cork?"));
        assert_eq!(without_opening("ok, and the Tarn 3?"), Some("the Tarn 3?"));
        assert_eq!(without_opening("Android phones?"), None);
        assert_eq!(without_opening(""), None);
    }

    #[test]
    fn a_fragment_means_the_question_before() {
        let before = [("v", "Can I return a tent I pitched?"), ("a", "Yes.")];
        check(
            &before,
            "ok and how long do I have?",
            Some(("Can I return a tent I pitched? ok and how long do I have?", false)),
        );
        check(&[], "Is it waterproof?", None);
        check(&[("a", "Hello")], "Is it waterproof?", None);
    }
}
