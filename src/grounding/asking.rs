//! How questions begin and are joined, in each language: `language/data/questions.toml`. Pure.

use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

use serde::Deserialize;

use crate::language::{content_words, is_unspaced};

/// Words with a meaning that a clause after a comma and "and" needs, which begins like no question.
const MIN_WORDS_OF_STATEMENT: usize = 3;

/// One language's words by which questions are told apart; the file says what each list holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    openers: Vec<String>,
    before: Vec<String>,
    joints: Vec<String>,
    verbs: Vec<String>,
    within: Vec<String>,
}

/// The words of all languages: a short message needn't tell which it is in.
struct All {
    openers: HashSet<String>,
    /// Of each language by itself, with its openers: "i" stands before "vilken", not before "have".
    preceded: Vec<(HashSet<String>, HashSet<String>)>,
    joints: HashSet<String>,
    verbs: HashSet<String>,
    within: HashSet<String>,
    /// Phrases of languages without spaces between words.
    unspaced_joints: Vec<String>,
    unspaced_within: Vec<String>,
}

static WORDS: LazyLock<All> = LazyLock::new(|| {
    let list = include_str!("../language/data/questions.toml");
    let all: BTreeMap<String, Words> = toml::from_str(list).unwrap_or_else(|error| {
        // Built in, and a test reads it.
        tracing::error!(%error, "a built-in list of words can't be read");
        BTreeMap::new()
    });
    let spaced = |list: fn(&Words) -> &Vec<String>| -> HashSet<String> {
        let words = all.values().flat_map(list).filter(|word| !word.contains(is_unspaced));
        words.cloned().collect()
    };
    let unspaced = |list: fn(&Words) -> &Vec<String>| -> Vec<String> {
        all.values().flat_map(list).filter(|word| word.contains(is_unspaced)).cloned().collect()
    };
    All {
        openers: spaced(|words| &words.openers),
        preceded: all
            .values()
            .map(|words| {
                let set = |list: &[String]| list.iter().cloned().collect();
                (set(&words.before), set(&words.openers))
            })
            .collect(),
        joints: spaced(|words| &words.joints),
        verbs: spaced(|words| &words.verbs),
        within: spaced(|words| &words.within),
        unspaced_joints: unspaced(|words| &words.joints),
        unspaced_within: unspaced(|words| &words.within),
    }
});

/// Whether what follows a comma and "and" says something of its own, as a question does in
/// languages that ask by the voice alone: "… et le retour est gratuit ?".
pub(super) fn is_sentence(text: &str) -> bool {
    let verb = words(text).skip(1).any(|word| WORDS.verbs.contains(&word));
    verb && content_words(text).nth(MIN_WORDS_OF_STATEMENT - 1).is_some()
}

/// Whether a text asks, by its mark or by a word.
pub(super) fn is_question(text: &str) -> bool {
    let text = text.trim();
    let closed = text.trim_end_matches(['!', '"', '”', ')', ' ']);
    closed.ends_with(['?', '？'])
        || text.split([',', ';', '，']).any(|part| opens(unjoined(part)))
        || words(text).any(|word| WORDS.within.contains(&word))
        || WORDS.unspaced_within.iter().any(|word| text.contains(word.as_str()))
}

/// Whether a text begins as a question does: "how", "at what".
pub(super) fn opens(text: &str) -> bool {
    let mut words = words(text);
    let Some(first) = words.next() else { return false };
    WORDS.openers.contains(&first)
        || words.next().is_some_and(|second| {
            WORDS.openers.contains(&format!("{first} {second}"))
                || WORDS
                    .preceded
                    .iter()
                    .any(|(before, openers)| before.contains(&first) && openers.contains(&second))
        })
}

/// Without the word that joins it to what stood before.
pub(super) fn unjoined(text: &str) -> &str {
    let text = text.trim();
    let joint = WORDS.unspaced_joints.iter().find_map(|joint| text.strip_prefix(joint.as_str()));
    if let Some(rest) = joint {
        return rest.trim_start_matches(['，', ',', ' ']);
    }
    match text.split_once(char::is_whitespace) {
        Some((first, rest)) if words(first).any(|word| WORDS.joints.contains(&word)) => {
            rest.trim_start()
        }
        _ => text,
    }
}

/// The words of a text as the lists have them.
fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split_whitespace()
        .map(crate::language::bare)
        .map(|word| word.to_lowercase().replace('’', "'"))
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_told_by_how_they_begin() {
        for text in
            ["how late", "ab wann", "wie", "combien", "cuánto vale", "se puede", "till when"]
        {
            assert!(opens(text), "{text}");
        }
        for text in ["", "till noon", "and", "la tienda", "ou bien", "I have"] {
            assert!(!opens(text), "{text}");
        }
        assert!(is_question("c'est combien") && is_question("多少钱") && is_question("Noon?"));
        assert!(!is_question("It is late. And dark."));
        assert_eq!(unjoined("und wann"), "wann");
        assert_eq!(unjoined("另外，什么时候"), "什么时候");
    }
}
