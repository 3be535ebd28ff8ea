//! What holds in general: "What is your return policy?" is answered by how each section of the
//! document on returns begins. Pure.

use std::collections::HashSet;
use std::sync::LazyLock;

use serde::Deserialize;

use super::facts;
use super::units::Unit;
use crate::language::lists::{self, List};
use crate::language::{content_words, is_unspaced};

/// The words of all languages; the file says what each list holds.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lists {
    rules: List,
    within: List,
}

static LISTS: LazyLock<Lists> =
    LazyLock::new(|| lists::of_all_languages(include_str!("../language/data/words/overview.toml")));

/// A question of more words asks for something in particular.
const MAX_TOPIC_WORDS: usize = 3;
/// Sentences of an overview, and their length in Unicode scalar values.
const MAX_SENTENCES: usize = 6;
const MAX_CHARS: usize = 700;

/// What the rules that are asked for are about, if a question asks for rules as a whole: the
/// question without the words for rules.
#[must_use]
pub fn general_topic(question: &str) -> Option<String> {
    let lower = question.to_lowercase();
    let is_general =
        |word: &str| LISTS.rules.iter().any(|general| word.starts_with(general.as_str()));
    let mut asked = false;
    let mut topic = String::new();
    for word in lower.split_whitespace() {
        let found = LISTS.within.iter().find(|general| word.contains(general.as_str()));
        asked |= is_general(word) || found.is_some();
        if !is_general(word) {
            topic.push_str(
                &found
                    .map_or_else(|| word.to_owned(), |general| word.replace(general.as_str(), " ")),
            );
            topic.push(' ');
        }
    }
    let words: HashSet<String> = content_words(&topic).collect();
    let particular = words.len() > MAX_TOPIC_WORDS && !topic.contains(is_unspaced)
        || !facts(question).is_empty();
    (asked && !words.is_empty() && !particular).then_some(topic)
}

/// Whether a document of this title is about all of the topic.
#[must_use]
pub fn is_on(topic: &str, title: &str) -> bool {
    let held: HashSet<String> = content_words(title).collect();
    content_words(topic).all(|word| held.contains(&word))
}

/// How each section begins, in the order of `units`, which is that of the document; sections that
/// are a list, a table or steps have their own question. `None` where that is no more than one
/// section.
#[must_use]
pub fn openings(units: Vec<Unit>) -> Option<Vec<Unit>> {
    let mut chosen: Vec<Unit> = Vec::new();
    let mut seen: HashSet<String> = HashSet::new();
    let mut chars = 0;
    for unit in units {
        if !seen.insert(unit.heading.clone())
            || unit.steps
            || unit.row
            || unit.item
            || unit.text.ends_with([':', '：'])
        {
            continue;
        }
        chars += unit.text.chars().count();
        if chosen.len() == MAX_SENTENCES || chars > MAX_CHARS {
            break;
        }
        chosen.push(unit);
    }
    (chosen.len() > 1).then_some(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grounding::units;

    #[test]
    fn rules_as_a_whole_are_told_from_what_is_asked_in_particular() {
        #[track_caller]
        fn check(question: &str, title: &str, expected: bool) {
            assert_eq!(
                general_topic(question).is_some_and(|topic| is_on(&topic, title)),
                expected,
                "{question}"
            );
        }
        check("What's your return policy?", "Returns and refunds", true);
        check("return policy", "Returns and refunds", true);
        check("What are the rules for returns?", "Returns and refunds", true);
        check("退货政策是什么？", "退货与退款", true);
        check("What is your return policy?", "Gift cards", false);
        check("How long can I return something?", "Returns and refunds", false);
        check(
            "Does the return policy cover boots I wore outdoors in winter?",
            "Returns and refunds",
            false,
        );
        check("Is the 60-day return policy true?", "Returns and refunds", false);
        check("policy", "Returns and refunds", false);
    }

    #[test]
    fn an_overview_is_how_the_sections_begin() {
        let text = "### How long?\n\nYou have 60 days. Sale items too.\n\n### Steps\n\n1. Open the page.\n2. Print.\n\n### What not?\n\n- Used filters.\n\n\
                    ### What does it cost?\n\nIt is free.\n\nStores take it back.\n";
        let chosen = openings(units(0, text)).unwrap();
        assert_eq!(
            chosen.iter().map(|unit| unit.text.as_str()).collect::<Vec<_>>(),
            ["You have 60 days.", "It is free."]
        );
        assert_eq!(openings(units(0, "### How long?\n\nYou have 60 days.\n")), None);
    }
}
