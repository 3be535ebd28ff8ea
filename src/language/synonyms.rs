//! A question in the words of the knowledge: who asks for a torch finds the flashlights. Search and
//! models know some of these words, and judge much higher what uses the question's own. Pure.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use super::words::{unicode_word_indices, unicode_words};

/// A term as it may be written, in the words of its line. Terms of several words are found by their
/// first.
static TERMS: LazyLock<HashMap<&'static str, Vec<Term>>> = LazyLock::new(|| {
    let lines = include_str!("data/synonyms.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut terms: HashMap<&'static str, Vec<Term>> = HashMap::new();
    for line in lines {
        let split = |list: &'static str| list.split(',').map(str::trim).collect::<Vec<_>>();
        let (meant, written) = match line.split_once('>') {
            Some((kinds, names)) => (split(kinds), split(names)),
            None => (split(line), split(line)),
        };
        for term in written {
            let words: Vec<&'static str> = unicode_words(term).collect();
            if let Some(first) = words.first() {
                terms.entry(first).or_default().push(Term { words, meant: meant.clone() });
            }
        }
    }
    // The longest counts: "cash machine" is no "cash".
    terms
        .values_mut()
        .for_each(|terms| terms.sort_by_key(|term| std::cmp::Reverse(term.words.len())));
    terms
});

struct Term {
    words: Vec<&'static str>,
    /// What may be said for it, itself among them unless it is a name.
    meant: Vec<&'static str>,
}

/// An English text with the words that the knowledge doesn't have said as it says them, where it
/// does. `has` tells whether the knowledge has a lower-case word, in whatever form.
#[must_use]
pub fn in_known_words(text: &str, has: impl Fn(&str) -> bool) -> Cow<'_, str> {
    let words: Vec<(usize, &str)> = unicode_word_indices(text).collect();
    let lower: Vec<String> = words.iter().map(|(_, word)| word.to_lowercase()).collect();
    let has_all = |term: &str| unicode_words(term).all(&has);
    let mut said = String::new();
    let (mut at, mut copied) = (0, 0);
    while at < words.len() {
        let found = found(lower.get(at..).unwrap_or_default());
        let (taken, known) = match found {
            Some((term, plural)) if !term.words.iter().all(|word| has(word)) => (
                term.words.len(),
                term.meant.iter().find(|meant| has_all(meant)).map(|meant| (*meant, plural)),
            ),
            Some((term, _)) => (term.words.len(), None),
            None => (1, None),
        };
        if let Some((meant, plural)) = known
            && let (Some((start, _)), Some((last, word))) =
                (words.get(at), words.get(at + taken - 1))
        {
            said.push_str(text.get(copied..*start).unwrap_or_default());
            said.push_str(meant);
            if plural && !meant.ends_with('s') {
                said.push('s');
            }
            copied = last + word.len();
        }
        at += taken;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    said.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(said)
}

/// The term that the words begin with, and whether it stands there in the plural.
fn found(words: &[String]) -> Option<(&'static Term, bool)> {
    let first = words.first()?;
    let singular =
        |word: &str| word.strip_suffix('s').filter(|bare| bare.len() > 2).map(str::to_owned);
    let begins = [Some(first.clone()), singular(first)];
    let candidates =
        begins.iter().flatten().filter_map(|first| TERMS.get(first.as_str())).flatten();
    let fits = |term: &&'static Term| {
        let last = term.words.len() - 1;
        let fits = |(at, own): (usize, &&str)| {
            words.get(at).is_some_and(|word| {
                word == own || at == last && singular(word).as_deref() == Some(*own)
            })
        };
        term.words.iter().enumerate().all(fits)
    };
    let term = candidates.filter(fits).max_by_key(|term| term.words.len())?;
    let last = term.words.len() - 1;
    let plural = words.get(last).zip(term.words.get(last)).is_some_and(|(word, own)| word != own);
    Some((term, plural))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[track_caller]
    fn check(text: &str, knowledge: &[&str], expected: &str) {
        assert_eq!(in_known_words(text, |word| knowledge.contains(&word)), expected);
    }

    #[test]
    fn a_question_is_said_in_the_words_of_the_knowledge() {
        let knowledge = ["zipper", "backpack", "zip", "code", "atm", "flashlight"];
        check("Do rucksacks have two?", &knowledge, "Do backpacks have two?");
        check("Which postcode? My torch.", &knowledge, "Which zip code? My flashlight.");
        check("Is there a cash machine?", &knowledge, "Is there a atm?");
        check("Cash machines: where?", &knowledge, "atms: where?");
        // Its own words stay, as do those that no line has, or whose line the knowledge has nothing
        // of.
        check("The zip of the sofa sticks", &knowledge, "The zip of the sofa sticks");
        check("", &knowledge, "");
    }

    #[test]
    fn a_name_that_is_unknown_is_said_as_what_it_is() {
        check("Is it cheaper on eBay?", &["marketplace"], "Is it cheaper on marketplace?");
        check("Is it cheaper on eBay?", &["marketplace", "ebay"], "Is it cheaper on eBay?");
        // What holds for one of them needn't hold for another.
        check("Is it on the marketplace?", &["ebay"], "Is it on the marketplace?");
    }

    #[test]
    fn a_term_stands_in_one_line() {
        let mut seen = HashSet::new();
        let lines = include_str!("data/synonyms.txt").lines().filter(|line| !line.starts_with('#'));
        let written = lines.map(|line| line.split_once('>').map_or(line, |(_, names)| names));
        for term in
            written.flat_map(|line| line.split(',')).map(str::trim).filter(|term| !term.is_empty())
        {
            assert!(seen.insert(term) && term == term.to_lowercase(), "{term}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_said(text in "(mats?|cash |machine|zip|İ|ß| |\\PC){0,20}") {
            let said = in_known_words(&text, |word| word.len() % 2 == 0).into_owned();
            proptest::prop_assert!(said.is_empty() == text.is_empty());
        }
    }
}
