//! The words by which messages go on from what was said: `language/data/followups.toml`. Pure.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::language::is_unspaced;
use crate::language::words::word_indices;

/// One language's words; the file says what each list holds.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    openings: Vec<String>,
    phrases: Vec<String>,
    first: Vec<String>,
    idioms: Vec<String>,
    pronouns: Vec<String>,
    pointing: Vec<String>,
    articles: Vec<String>,
    other: Vec<String>,
    larger: Vec<String>,
    smaller: Vec<String>,
    differing: Vec<String>,
    closing: Vec<String>,
    sizes: Vec<String>,
}

static WORDS: LazyLock<BTreeMap<String, Words>> = LazyLock::new(|| {
    toml::from_str(include_str!("../../language/data/followups.toml")).unwrap_or_else(|error| {
        // Built in, and a test reads it.
        tracing::error!(%error, "a built-in list of words can't be read");
        BTreeMap::new()
    })
});

/// Which of a family a message means that doesn't name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// "The other one", "the warmer one": of two things the one that wasn't spoken of.
    Other,
    Larger,
    Smaller,
}

/// A word with its place in a text, in lower case.
pub(super) fn tokens(text: &str) -> Vec<(Range<usize>, String)> {
    word_indices(text).map(|(at, word)| (at..at + word.len(), word.to_lowercase())).collect()
}

fn every<'a>(
    list: impl Fn(&'a Words) -> &'a Vec<String> + 'a,
) -> impl Iterator<Item = &'a str> + 'a {
    WORDS.values().flat_map(list).map(String::as_str)
}

fn holds<'a>(list: impl Fn(&'a Words) -> &'a Vec<String> + 'a, word: &str) -> bool {
    every(list).any(|own| own == word)
}

/// What follows the first of `phrases` that a text begins with, without the marks between.
fn behind(text: &str, phrases: impl Iterator<Item = &'static str>) -> Option<&str> {
    let mut longest: Option<&str> = None;
    for phrase in phrases {
        let (Some(head), Some(tail)) = (text.get(..phrase.len()), text.get(phrase.len()..)) else {
            continue;
        };
        let ends = phrase.contains(is_unspaced) || !tail.starts_with(char::is_alphanumeric);
        if ends
            && head.to_lowercase() == phrase
            && longest.is_none_or(|other| tail.len() < other.len())
        {
            longest = Some(tail);
        }
    }
    longest.map(|tail| tail.trim_start_matches([' ', ',', ':', '.', '…', '，', '、']))
}

/// What follows the words by which a question goes on from what was said: "Cork?" of "And what
/// about Cork?". `None` where it doesn't.
pub(super) fn without_opening(question: &str) -> Option<&str> {
    let mut rest = question.trim_start_matches(|c: char| c.is_whitespace() || c == '¿');
    let mut opened = false;
    while let Some(tail) =
        behind(rest, every(|words| &words.openings).chain(every(|words| &words.phrases)))
    {
        (rest, opened) = (tail.trim_start_matches('¿'), true);
    }
    opened.then_some(rest)
}

/// Whether a question asks for a property of something that it doesn't name: "Which colours?",
/// "In what sizes?".
pub(super) fn asks_for_a_property(question: &str) -> bool {
    let question = without_opening(question).unwrap_or(question);
    let Some((_, first)) = tokens(question).into_iter().next() else { return false };
    let begins = |own: &str| match own.contains(is_unspaced) {
        true => first.starts_with(own),
        false => first == own,
    };
    every(|words| &words.first).any(begins)
}

/// A word that points at what was spoken of.
pub(super) struct Pronoun {
    pub(super) at: Range<usize>,
    /// Whether a name may stand in its place.
    pub(super) replaced: bool,
}

/// The first word that points at what was spoken of.
pub(super) fn pronoun(question: &str) -> Option<Pronoun> {
    let unspaced = every(|words| &words.pronouns)
        .filter(|word| word.contains(is_unspaced))
        .find_map(|word| Some((question.find(word)?, word)));
    if let Some((at, word)) = unspaced {
        return Some(Pronoun { at: at..at + word.len(), replaced: true });
    }
    let lower = question.to_lowercase();
    let idiom = every(|words| &words.idioms).any(|idiom| lower.contains(idiom));
    // A pronoun of a language in whose idioms it stands for nothing, too, isn't replaced: only what
    // it says counts.
    tokens(question).into_iter().find_map(|(at, word)| {
        let english = WORDS.get("en").is_some_and(|words| words.pronouns.contains(&word));
        let stands = english || !idiom && holds(|words| &words.pronouns, &word);
        let points = stands || holds(|words| &words.pointing, &word);
        points.then_some(Pronoun { at, replaced: english })
    })
}

/// Words that say which of a family is meant, and which it is: "the other one".
pub(super) fn which(question: &str) -> Option<(Range<usize>, Which)> {
    let unspaced = |phrases: &mut dyn Iterator<Item = &'static str>, which: Which| {
        phrases.filter(|phrase| phrase.contains(is_unspaced)).find_map(|phrase| {
            let at = question.find(phrase)?;
            Some((at..at + phrase.len(), which))
        })
    };
    let found = unspaced(&mut every(|words| &words.other), Which::Other)
        .or_else(|| unspaced(&mut every(|words| &words.larger), Which::Larger))
        .or_else(|| unspaced(&mut every(|words| &words.smaller), Which::Smaller))
        .or_else(|| unspaced(&mut every(|words| &words.differing), Which::Other));
    if found.is_some() {
        return found;
    }
    let own = tokens(question);
    WORDS.values().find_map(|words| {
        own.iter().enumerate().find_map(|(at, (article, word))| {
            if !words.articles.contains(word) {
                return None;
            }
            let lists = [
                (&words.other, Which::Other),
                (&words.larger, Which::Larger),
                (&words.smaller, Which::Smaller),
                (&words.differing, Which::Other),
            ];
            let (length, which) = lists.into_iter().find_map(|(list, which)| {
                let said = |phrase: &&String| {
                    let mut rest = own.iter().skip(at + 1).map(|(_, word)| word.as_str());
                    phrase.split(' ').all(|word| rest.next() == Some(word))
                };
                list.iter().find(said).map(|phrase| (phrase.split(' ').count(), which))
            })?;
            let last = at + length;
            let after = own.get(last + 1);
            let closes = after.is_some_and(|(_, word)| words.closing.contains(word));
            // "The bigger size" is no thing of its own.
            if after.is_some_and(|(_, word)| words.sizes.contains(word)) && !closes {
                return None;
            }
            let (end, _) = own.get(if closes { last + 1 } else { last })?;
            Some((article.start..end.end, which))
        })
    })
}

/// Whether a word stands before a part of a name: "the" of "the 60".
pub(super) fn is_article(word: &str) -> bool {
    holds(|words| &words.articles, word)
}

/// Whether a word closes what says which of a family is meant: "one" of "the blue one".
pub(super) fn closes(word: &str) -> bool {
    holds(|words| &words.closing, word)
}

/// Whether a word says what a variant is a variant in: "size".
pub(super) fn is_size(word: &str) -> bool {
    holds(|words| &words.sizes, word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_its_words() {
        assert_eq!(WORDS.len(), 11);
        assert!(WORDS.values().all(|words| !words.openings.is_empty() && !words.other.is_empty()));
        let lower = |word: &str| word.to_lowercase() == word;
        assert!(every(|words| &words.differing).all(lower));
    }

    #[test]
    fn what_says_which_is_found_with_all_that_belongs_to_it() {
        #[track_caller]
        fn check(question: &str, expected: Option<(&str, Which)>) {
            let found = which(question);
            let shown = found.as_ref().map(|(at, which)| (&question[at.clone()], *which));
            assert_eq!(shown, expected, "{question}");
        }
        check("how wide is the other one?", Some(("the other one", Which::Other)));
        check("and the other?", Some(("the other", Which::Other)));
        check("Wie hoch ist der größere?", Some(("der größere", Which::Larger)));
        check("combien pèse l'autre modèle ?", Some(("l'autre modèle", Which::Other)));
        check("¿y la más pequeña?", Some(("la más pequeña", Which::Smaller)));
        check("另一款多少钱？", Some(("另一款", Which::Other)));
        check("Does the bigger size cost more?", None);
        check("Is there another colour?", None);
        check("Which is lighter?", None);
    }
}
