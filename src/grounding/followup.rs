//! Follow-up questions, said in full: "Is it waterproof?" after "I look at the Corrie 45" asks
//! about the Corrie 45. Pure.

use std::collections::HashSet;
use std::ops::Range;

use super::asking::opens;
use super::claims;
use crate::language::{content_words, is_common_somewhere, without_function_words};

mod family;
mod words;

pub use family::Sold;
use words::{Pronoun, asks_for_a_property, pronoun, tokens};

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
    /// Whether it is a question that needs nothing of the conversation any more.
    pub whole: bool,
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
        || without_opening(question).is_some()
        || content_words(question).nth(MAX_BARE_WORDS).is_none()
}

/// What a question means in its conversation, oldest line first; `None` if it stands for itself.
/// `sold` are the products of the site. `glossed` is the question in English, where it is of
/// another language.
#[must_use]
pub fn in_full(
    question: &str,
    glossed: Option<&str>,
    before: &[Said<'_>],
    sold: &[Sold<'_>],
) -> Option<InFull> {
    let last = before.iter().rposition(|line| line.by_visitor)?;
    let previous = before.get(last)?.text.trim();
    if question.len() + previous.len() > MAX_BYTES {
        return None;
    }
    let products = claims::products(sold.iter().map(|sold| sold.name));
    if let Some(text) = of_the_family(question, glossed, before, sold, &products) {
        return Some(InFull { text, certain: true, whole: true });
    }
    let asked: HashSet<String> = content_words(question).collect();
    let (points, goes_on) = (points_back(question), without_opening(question).is_some());
    if asked.len() > MAX_WORDS || !points && !goes_on && asked.len() > MAX_BARE_WORDS {
        return None;
    }
    let after_previous =
        |certain| Some(InFull { text: after(previous, question), certain, whole: false });
    let own = claims::named(question, &products);
    if !own.is_empty() {
        let named: HashSet<String> =
            own.iter().flat_map(|product| content_words(product.shown())).collect();
        // "And the Tarn 3?" asks what was asked before.
        return if asked.is_subset(&named) { after_previous(goes_on) } else { None };
    }
    if let Some(text) = goes_on.then(|| swapped(previous, question)).flatten() {
        return Some(InFull { text, certain: true, whole: true });
    }
    match subject(before, &products) {
        Some(subject) => {
            let subject = &with_kind(before, subject, sold);
            let text = match pronoun(question).filter(|found| found.replaced) {
                Some(Pronoun { at, .. }) => {
                    let (head, tail) = (question.get(..at.start)?, question.get(at.end..)?);
                    format!(
                        "{head}{}{tail}",
                        if head.is_empty() { subject.clone() } else { spaced(head, subject) }
                    )
                }
                None => format!("{subject}: {}", without_opening(question).unwrap_or(question)),
            };
            // Before they are stemmed, since no list has stems.
            let rest = without_opening(question).unwrap_or(question);
            let told: Vec<&str> = rest.split_whitespace().filter(|word| !opens(word)).collect();
            let properties = content_words(&told.join(" ")).collect::<HashSet<_>>().len();
            let certain = points || properties <= 1 && asks_for_a_property(question);
            Some(InFull { text, certain, whole: false })
        }
        None if asked.len() <= MAX_BARE_WORDS || points || goes_on => after_previous(false),
        None => None,
    }
}

/// A question behind what was spoken of: the words of the one before that have a meaning, as what
/// that asked isn't asked again. Behind the whole one where it asks nothing by itself: "in July as
/// well?".
fn after(previous: &str, question: &str) -> String {
    let rest = without_opening(question).unwrap_or(question);
    let topic: Vec<String> = without_function_words(previous)
        .split_whitespace()
        .filter(|word| !opens(word))
        .map(str::to_owned)
        .collect();
    let topic = topic.join(" ");
    match asks_by_itself(question) && !topic.is_empty() {
        true => format!("{topic}: {rest}"),
        false => format!("{previous} {question}"),
    }
}

/// Whether a follow-up asks something of its own, not what was asked before of something else.
#[must_use]
pub fn asks_by_itself(question: &str) -> bool {
    opens(without_opening(question).unwrap_or(question))
}

/// The product that a message names by a part of its name: the "Tarn 3" by "the 3 model". `None`
/// where it names one in full, or several may be meant.
#[must_use]
pub fn named_by_part<'a>(message: &str, sold: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let products = claims::products(sold);
    if !claims::named(message, &products).is_empty() {
        return None;
    }
    family::named_by_part(message, &products).map(str::to_owned)
}

/// A question about another member of the family that was spoken of, or about another variant, with
/// its name; where it asks nothing of its own, what was asked before is asked of that.
fn of_the_family(
    question: &str,
    glossed: Option<&str>,
    before: &[Said<'_>],
    sold: &[Sold<'_>],
    products: &[claims::ProductName],
) -> Option<String> {
    let spoken = subject(before, products)?;
    let family = family::family(spoken, products);
    let own = claims::named(question, products);
    let named = || {
        let mut others = family.iter().filter(|name| **name != spoken);
        let name = others.find(|name| own.iter().any(|own| own.shown() == **name))?;
        let at = find(question, name)?;
        Some((at, *name))
    };
    let meant = match own.is_empty() {
        true => family::meant(question, spoken, &family),
        false => named(),
    };
    let previous = || said_in_full(before, sold);
    if let Some((at, member)) = meant {
        let (head, tail) = (question.get(..at.start)?, question.get(at.end..)?);
        let rest = format!("{head} {tail}");
        // Nothing but which one it is.
        if content_words(without_opening(&rest).unwrap_or(&rest)).next().is_none() {
            return renamed(&previous()?, spoken, member);
        }
        if !own.is_empty() {
            return None;
        }
        let english = question.get(at).is_some_and(|part| part.to_lowercase().starts_with("the "));
        let shown = if english { format!("the {member}") } else { member.to_owned() };
        let text = format!("{head}{shown}{tail}");
        return Some(without_opening(&text).map_or_else(|| text.clone(), str::to_owned));
    }
    if !own.is_empty() || without_opening(question).is_none() {
        return None;
    }
    family::other_variant(question, glossed, &previous()?, spoken, sold)
}

/// The visitor's last message with what it leaves to those before it.
fn said_in_full(before: &[Said<'_>], sold: &[Sold<'_>]) -> Option<String> {
    let last = before.iter().rposition(|line| line.by_visitor)?;
    let text = before.get(last)?.text.trim();
    let full = in_full(text, None, before.get(..last)?, sold).filter(|full| full.certain);
    Some(full.map_or_else(|| text.to_owned(), |full| full.text))
}

/// A question with another name in place of one that it holds.
fn renamed(question: &str, name: &str, other: &str) -> Option<String> {
    let mut text = question.to_owned();
    text.replace_range(find(question, name)?, other);
    Some(text)
}

/// Where a text holds a name, however its words are parted and spelt.
fn find(text: &str, name: &str) -> Option<Range<usize>> {
    let wanted: Vec<String> = tokens(name).into_iter().map(|(_, word)| word).collect();
    let own = tokens(text);
    let at = own
        .windows(wanted.len().max(1))
        .position(|window| window.iter().map(|(_, word)| word).eq(wanted.iter()))?;
    Some(own.get(at)?.0.start..own.get(at + wanted.len().checked_sub(1)?)?.0.end)
}

/// "What does the Gold account cost?" and then "and gold plus?": the question before, asked of what
/// shares a word with what it was about.
fn swapped(previous: &str, question: &str) -> Option<String> {
    let rest =
        without_opening(question)?.trim_end_matches(|c: char| !c.is_alphanumeric() && c != ')');
    let content: HashSet<String> = content_words(rest).collect();
    let says = |word: &str| content.contains(word) && !is_common_somewhere(word);
    let (shared, word) = tokens(rest).into_iter().find(|(_, word)| says(word))?;
    let other = rest.get(shared.start..)?;
    let said = previous.to_lowercase().contains(&other.to_lowercase());
    // "And gold?" after gold says nothing new, and more words than a name has ask something of
    // their own.
    if said || content.len() > MAX_NAME_WORDS || tokens(other).len() < 2 {
        return None;
    }
    let mut before = tokens(previous).into_iter().skip_while(|(_, own)| *own != word);
    let (at, _) = before.next()?;
    // "Plan A" is swapped whole.
    let marks = before.take_while(|(_, word)| {
        word.chars().count() == 1 || word.chars().all(|c| c.is_ascii_digit())
    });
    let end = marks.last().map_or(at.end, |(mark, _)| mark.end);
    let mut text = previous.to_owned();
    text.replace_range(at.start..end, other);
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

/// The name of what was spoken of with what it is, where things of several kinds have the name and
/// one was said: "Skerry jacket" of "What does the Skerry jacket cost?".
fn with_kind(before: &[Said<'_>], name: &str, sold: &[Sold<'_>]) -> String {
    let length = tokens(name).len();
    let tail = |full: &str| -> Option<Vec<String>> {
        let at = find(full, name).filter(|at| at.start == 0)?;
        Some(tokens(full.get(at.end..)?).into_iter().map(|(_, word)| word).collect())
    };
    let tails: Vec<Vec<String>> = sold.iter().filter_map(|sold| tail(sold.name)).collect();
    let kind = |tail: &Vec<String>| tail.last().cloned();
    if length == 0 || tails.iter().all(|tail| kind(tail) == tails.first().and_then(kind)) {
        return name.to_owned();
    }
    let said = before.iter().rev().take(LINES).find_map(|line| {
        let at = find(line.text, name)?;
        let behind = line.text.get(at.end..)?;
        let own: Vec<(Range<usize>, String)> = tokens(behind)
            .into_iter()
            .take_while(|(_, word)| tails.iter().any(|tail| tail.contains(word)))
            .collect();
        let (end, last) = own.last()?;
        // Only what says which kind it is.
        tails.iter().any(|tail| tail.last() == Some(last)).then(|| behind.get(..end.end))?
    });
    format!("{name}{}", said.unwrap_or_default())
}

/// Whether a question points at something that was spoken of.
pub(super) fn points_back(question: &str) -> bool {
    pronoun(question).is_some()
}

/// Whether a question points at something that it doesn't name itself: "it" after a comma may be
/// what stands before that.
#[must_use]
pub fn leaves_its_subject(question: &str) -> bool {
    let said = |Pronoun { at, .. }| question.get(..at.start).unwrap_or_default();
    pronoun(question).is_some_and(|found| !said(found).contains([',', '.', ';', '!', '?']))
}

/// What follows the words by which a question goes on from what was said: "Cork?" of "And what
/// about Cork?". `None` where it doesn't.
#[must_use]
pub fn without_opening(question: &str) -> Option<&str> {
    words::without_opening(question)
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
        let sold: Vec<Sold<'_>> = NAMES.iter().map(|name| Sold { name, variant: None }).collect();
        let found = in_full(question, None, &said, &sold);
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
        check(&corrie, "And how heavy?", Some(("Corrie 45: how heavy?", true)));
        // The visitor goes on to something else.
        check(&corrie, "How long does delivery to Germany take by express?", None);
        check(&corrie, "Is the Tarn 2 waterproof?", None);
        // One that the answer named.
        let found = [("v", "Which tent for two people?"), ("a", "The Tarn 2 tent costs 349 EUR.")];
        check(&found, "How much does it weigh?", Some(("How much does the Tarn 2 weigh?", true)));
        let several = [("v", "Which tents?"), ("a", "The Tarn 2 and the Tarn 3.")];
        check(&several, "Is it dry inside?", Some(("tents: Is it dry inside?", false)));
        check(&several, "in July as well?", Some(("Which tents? in July as well?", false)));
    }

    #[test]
    fn a_bare_name_asks_again() {
        let before = [("v", "How much does the Tarn 2 weigh?"), ("a", "1,900 g.")];
        check(&before, "And the Tarn 3?", Some(("How much does the Tarn 3 weigh?", true)));
        let then = [before.as_slice(), &[("v", "And the Tarn 3?"), ("a", "2,400 g.")]].concat();
        check(&then, "and the other one?", Some(("How much does the Tarn 2 weigh?", true)));
        check(&then, "und der kleinere?", Some(("How much does the Tarn 2 weigh?", true)));
        check(&then, "what does the 2 cost?", Some(("what does the Tarn 2 cost?", true)));
        check(&then, "ok, is the other one dry?", Some(("is the Tarn 2 dry?", true)));
        check(&then, "and what does the Ember stove cost?", None);
    }

    #[test]
    fn what_several_kinds_are_called_is_said_with_its_kind() {
        let named = |before: &str, name: &str| {
            let sold = ["Fell wool hat", "Fell wool glove", "Moor hat"];
            let sold = sold.map(|name| Sold { name, variant: None });
            with_kind(&[Said { by_visitor: true, text: before }], name, &sold)
        };
        assert_eq!(named("What does the fell glove cost?", "Fell"), "Fell glove");
        assert_eq!(named("Is the Fell wool hat warm?", "Fell"), "Fell wool hat");
        assert_eq!(named("Is the Fell warm?", "Fell"), "Fell");
        assert_eq!(named("Is the Moor hat warm?", "Moor"), "Moor");
    }

    #[test]
    fn a_pronoun_of_another_language_leaves_the_question_as_it_is() {
        let before = [("v", "Was kostet der Corrie 45?"), ("a", "159 EUR.")];
        check(&before, "und wie schwer ist er?", Some(("Corrie 45: wie schwer ist er?", true)));
        let before = [("v", "¿Cuánto cuesta el Corrie 45?"), ("a", "159 EUR.")];
        check(&before, "¿y cuánto pesa?", Some(("Corrie 45: cuánto pesa?", true)));
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
            Some(("return tent pitched: how long do I have?", false)),
        );
        check(&[], "Is it waterproof?", None);
        check(&[("a", "Hello")], "Is it waterproof?", None);
    }
}
