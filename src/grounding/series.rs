//! Series of documents: exports number the articles about one thing ("savings_gold_004"), and few
//! of their titles name it. What the ids of a search's documents have in common tells which things
//! there are, and which of them a question is about. Pure.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use crate::language::words::unicode_words;
use crate::language::{bare, content_words, is_common_somewhere, stem};

/// The things that numbered documents are about.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// By what a document's id is without its number.
    things: HashMap<String, Thing>,
    /// Words that all ids begin with.
    common: usize,
}

/// What a series is about: of "savings accounts gold account", "gold" is its own, "account" the
/// kind of thing it is, and the rest its category.
#[derive(Clone, Debug, Default)]
struct Thing {
    own: HashSet<String>,
    /// Empty where its name doesn't end with one.
    kind: String,
    category: Vec<String>,
    /// It holds for all of its category.
    general: bool,
}

/// The things that a question names, by their series, and the words it names them with.
#[derive(Clone, Debug, Default)]
pub struct Wanted<'s> {
    series: HashSet<&'s str>,
    named: HashSet<String>,
}

/// Series that go on differently after the words of a category, at least.
const MIN_BRANCHES: usize = 3;
/// Words of the name of a thing at most.
const MAX_NAME: usize = 4;
/// Words of an id that say that it is about no one thing.
const GENERAL: &[&str] = &["general", "common", "overview", "misc", "all", "other"];

impl Series {
    /// Reads the ids of documents.
    #[must_use]
    pub fn of<'a>(documents: impl IntoIterator<Item = &'a str>) -> Self {
        let mut ids: Vec<(String, Vec<String>)> = documents
            .into_iter()
            .filter_map(series)
            .map(|id| (id.to_owned(), words(id)))
            // Hashes and numbers within say nothing.
            .filter(|(_, words)| words.len() > 1 && words.iter().all(|word| is_spelt(word)))
            .collect();
        ids.sort();
        ids.dedup();
        // All of one series are told apart by nothing.
        if ids.len() < MIN_BRANCHES {
            return Self::default();
        }
        let mut branches: HashMap<&[String], HashSet<&str>> = HashMap::new();
        for (_, words) in &ids {
            for at in 0..words.len() {
                if let (Some(prefix), Some(next)) = (words.get(..at), words.get(at)) {
                    branches.entry(prefix).or_default().insert(next);
                }
            }
        }
        let category = |words: &[String]| {
            let many = |at: &usize| {
                let prefix = words.get(..*at).and_then(|prefix| branches.get(prefix));
                prefix.is_some_and(|next| next.len() >= MIN_BRANCHES)
            };
            (1..words.len()).rev().find(many).unwrap_or(0)
        };
        let mut last: HashMap<&str, usize> = HashMap::new();
        for (_, words) in &ids {
            *last.entry(words.last().map_or("", String::as_str)).or_default() += 1;
        }
        let is_kind = |word: &&String| last.get(word.as_str()).is_some_and(|count| *count > 1);
        let mut things: HashMap<String, Thing> = HashMap::new();
        for (id, words) in &ids {
            let (category, rest) = words.split_at(category(words));
            let thing = Thing {
                own: rest.iter().cloned().collect(),
                kind: rest.last().filter(is_kind).cloned().unwrap_or_default(),
                category: category.to_vec(),
                general: words.iter().any(|word| GENERAL.contains(&word.as_str())),
            };
            things.insert(id.clone(), thing);
        }
        // What says of one thing which kind it is names none.
        let class: HashSet<String> = things
            .values()
            .flat_map(|thing| thing.category.iter().chain([&thing.kind]).cloned())
            .collect();
        things.values_mut().for_each(|thing| thing.own.retain(|word| !class.contains(word)));
        let mut common = 0;
        if let Some(((_, first), rest)) = ids.split_first() {
            while first.get(common).is_some_and(|word| {
                !rest.is_empty() && rest.iter().all(|(_, other)| other.get(common) == Some(word))
            }) {
                common += 1;
            }
        }
        Self { things, common }
    }

    /// The things that a question names: those with most of its words in their own names, then in
    /// what kind of thing they are, then with the fewest others.
    #[must_use]
    pub fn wanted(&self, asked: &str) -> Wanted<'_> {
        let asked: HashSet<String> = words(asked).into_iter().collect();
        let mut wanted = Wanted::default();
        let things = || self.things.iter().filter(|(_, thing)| !thing.general);
        let mut left: HashSet<&String> =
            things().flat_map(|(_, thing)| thing.own.intersection(&asked)).collect();
        wanted.named = left.iter().copied().cloned().collect();
        while !left.is_empty() {
            let fit = |thing: &Thing| {
                let own = thing.own.iter().filter(|word| left.contains(word)).count();
                let class = thing.category.iter().chain([&thing.kind]);
                let (said, unsaid): (Vec<_>, Vec<_>) =
                    class.partition(|word| asked.contains(*word));
                let beside = thing.own.difference(&asked).count();
                (own, said.len(), Reverse(beside), Reverse(unsaid.len()))
            };
            let Some(best) = things().map(|(_, thing)| fit(thing)).max() else { break };
            let chosen: Vec<(&String, &Thing)> =
                things().filter(|(_, thing)| fit(thing) == best).collect();
            for (id, thing) in chosen {
                wanted.series.insert(id);
                left.retain(|word| !thing.own.contains(*word));
            }
        }
        wanted
    }

    /// The question before, asked of another thing: "What does the Heron cost?" and then "and the
    /// pike?". `rest` is what follows the "and"; `None` unless it says hardly more than a name.
    #[must_use]
    pub fn swapped(&self, before: &str, rest: &str) -> Option<String> {
        let named = |thing: &Thing, word: &str| !thing.general && thing.own.contains(word);
        let own = |word: &str| self.things.values().any(|thing| named(thing, word));
        let rest = bare(rest);
        let said: Vec<String> = content_words(rest).collect();
        let new = words(rest).into_iter().find(|word| own(word))?;
        let spoken: Vec<(&str, String)> = unicode_words(before)
            .filter_map(|word| Some((word, words(word).into_iter().next()?)))
            .collect();
        if said.is_empty() || said.len() > MAX_NAME || spoken.iter().any(|(_, word)| *word == new) {
            return None;
        }
        // Any other word asks something of its own.
        if !words(rest)
            .iter()
            .all(|word| own(word) || self.is_class(word) || is_common_somewhere(word))
        {
            return None;
        }
        // Of the words that name something, those of a thing of the same kind: "limit" may be the
        // name of an article, too. What follows tells which kind is meant: "gold card".
        let is_own = |at: usize| spoken.get(at).is_some_and(|(_, word)| own(word));
        let starts =
            (0..spoken.len()).filter(|at| is_own(*at) && !at.checked_sub(1).is_some_and(is_own));
        let end = |at: usize| (at..spoken.len()).find(|at| !is_own(*at)).unwrap_or(spoken.len());
        let fit = |at: &usize| {
            let next = spoken.get(end(*at)).map_or("", |(_, word)| word.as_str());
            let things = self
                .things
                .values()
                .filter(|thing| spoken.get(*at).is_some_and(|(_, word)| named(thing, word)));
            let alike = things.filter(|thing| {
                let mut others = self.things.values().filter(|other| named(other, &new));
                others.any(|other| thing.is_like(other) || thing.category == other.category)
            });
            let fits = alike.map(|thing| 1 + u8::from(thing.is_class(next)));
            fits.max().unwrap_or_default()
        };
        let first = starts.rev().max_by_key(fit)?;
        let ((first, _), (last, _)) = (spoken.get(first)?, spoken.get(end(first) - 1)?);
        let start = first.as_ptr() as usize - before.as_ptr() as usize;
        let end = last.as_ptr() as usize - before.as_ptr() as usize + last.len();
        let name: Vec<&str> =
            unicode_words(rest).filter(|word| words(word).iter().any(|word| own(word))).collect();
        let mut text = before.to_owned();
        text.replace_range(start..end, &name.join(" "));
        Some(text)
    }

    /// Whether a word is one of a kind or category.
    fn is_class(&self, word: &str) -> bool {
        self.things.values().any(|thing| thing.is_class(word))
    }

    /// Whether a document is about something else than what is asked for: a thing whose name has
    /// words of the question's, or one of the same kind.
    #[must_use]
    pub fn is_of_another(&self, wanted: &Wanted<'_>, document: &str) -> bool {
        let Some(id) = series(document).filter(|id| !wanted.series.contains(id)) else {
            return false;
        };
        let wanted_things = || wanted.series.iter().filter_map(|id| self.things.get(*id));
        self.things.get(id).is_some_and(|thing| {
            if wanted_things().any(|wanted| thing.is_of_branch(wanted)) {
                return true;
            }
            let named = || thing.own.iter().any(|word| wanted.named.contains(word));
            !thing.general
                && !thing.own.is_empty()
                && (named() || wanted_things().any(|wanted| wanted.is_like(thing)))
        })
    }

    /// What a document is about, by its id, where its title doesn't say: "savings accounts gold
    /// account".
    #[must_use]
    pub fn about(&self, document: &str, title: &str) -> Option<String> {
        let id = series(document)?;
        let thing = self.things.get(id).filter(|thing| !thing.general)?;
        let said: HashSet<String> = words(title).into_iter().collect();
        let silent = !thing.own.is_empty() && !thing.own.is_subset(&said);
        silent.then(|| {
            unicode_words(id)
                .flat_map(|word| word.split('_'))
                .skip(self.common)
                .collect::<Vec<_>>()
                .join(" ")
        })
    }
}

impl Thing {
    /// Whether it is of a special branch of the other's category: what is said of "business
    /// accounts" doesn't hold for one of the "accounts".
    fn is_of_branch(&self, other: &Self) -> bool {
        self.category.len() > other.category.len()
            && other.category.iter().all(|word| self.category.contains(word))
    }

    /// Whether a word says what kind of thing it is.
    fn is_class(&self, word: &str) -> bool {
        self.kind == word || self.category.iter().any(|own| own == word)
    }

    /// Whether both are of one kind.
    fn is_like(&self, other: &Self) -> bool {
        self.kind == other.kind && (!self.kind.is_empty() || self.category == other.category)
    }
}

impl Wanted<'_> {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// Whether a document is about a thing that is asked for.
    #[must_use]
    pub fn holds(&self, document: &str) -> bool {
        series(document).is_some_and(|id| self.series.contains(id))
    }
}

/// A document's id without its closing number; `None` where it has none.
fn series(document: &str) -> Option<&str> {
    let id = document.rsplit(['#', '/']).next().unwrap_or(document);
    let bare = id.trim_end_matches(|c: char| c.is_ascii_digit());
    let separated = bare.trim_end_matches(['_', '-', '.', ' ']);
    (bare.len() < id.len() && separated.len() < bare.len()).then_some(separated)
}

fn is_spelt(word: &str) -> bool {
    word.chars().all(char::is_alphabetic)
}

fn words(text: &str) -> Vec<String> {
    let parts = unicode_words(text).flat_map(|word| word.split('_'));
    parts
        .filter(|word| !word.is_empty())
        .map(|word| stem(&word.to_lowercase()).to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENTS: &[&str] = &[
        "kb#doc_cottages_heron_cottage_001",
        "kb#doc_cottages_heron_cottage_002",
        "kb#doc_cottages_heron_lodge_001",
        "kb#doc_cottages_otter_cottage_001",
        "kb#doc_cottages_sea_otter_cottage_001",
        "kb#doc_cottages_cottages_(general)_001",
        "kb#doc_boats_heron_boat_001",
        "kb#doc_boats_pike_boat_001",
        "kb#doc_boats_carp_boat_001",
        "kb#doc_boats_boat_rental_logistics_001",
    ];

    #[track_caller]
    fn check(asked: &str, others: &[&str]) {
        let series = Series::of(DOCUMENTS.iter().copied());
        let wanted = series.wanted(asked);
        let found: Vec<&str> = DOCUMENTS
            .iter()
            .filter(|document| series.is_of_another(&wanted, document))
            .map(|document| document.trim_start_matches("kb#doc_"))
            .collect();
        assert_eq!(found, others, "{asked}");
    }

    #[test]
    fn a_question_is_about_the_thing_whose_name_fits_best() {
        const HERON: [&str; 2] = ["cottages_heron_cottage_001", "cottages_heron_cottage_002"];
        let sea = "cottages_sea_otter_cottage_001";
        check("Has otter cottage a bath?", &[HERON[0], HERON[1], sea]);
        check("Has the sea otter a bath?", &[HERON[0], HERON[1], "cottages_otter_cottage_001"]);
        let boats = ["cottages_heron_lodge_001", "boats_pike_boat_001", "boats_carp_boat_001"];
        check("Is the heron boat dry?", &[HERON[0], HERON[1], boats[0], boats[1], boats[2]]);
        let beside = [HERON[0], HERON[1], sea, "boats_heron_boat_001"];
        check("Heron lodge or otter cottage?", &beside);
        check("What does a cottage cost?", &[]);
        check("Do you have kayaks?", &[]);
    }

    #[test]
    fn the_question_before_is_asked_of_another_thing() {
        let series = Series::of(DOCUMENTS.iter().copied());
        let swapped = |before: &str, rest: &str| series.swapped(before, rest);
        let asked = "What does the sea otter cottage cost in May?";
        assert_eq!(
            swapped(asked, "the heron?").as_deref(),
            Some("What does the heron cottage cost in May?")
        );
        assert_eq!(
            swapped("Is the pike boat dry?", "the carp boat?").as_deref(),
            Some("Is the carp boat dry?")
        );
        // "Logistics" is a word of an article's name, and no boat.
        assert_eq!(
            swapped("What are the logistics of the pike boat?", "the carp?").as_deref(),
            Some("What are the logistics of the carp boat?")
        );
        // Both a cottage and a boat are called so, and a boat is what is asked for.
        assert_eq!(
            swapped("Is there a bed in the heron cottage as in the pike boat?", "the carp?")
                .as_deref(),
            Some("Is there a bed in the heron cottage as in the carp boat?")
        );
        assert_eq!(swapped(asked, "in August?"), None);
        assert_eq!(swapped(asked, "has the heron a garden?"), None);
        assert_eq!(swapped(asked, "the otter?"), None);
    }

    #[test]
    fn what_is_said_of_a_special_branch_holds_for_that_alone() {
        let ids = [
            "kb_boats_heron_01",
            "kb_boats_pike_01",
            "kb_boats_carp_01",
            "kb_racing_boats_swift_01",
            "kb_racing_boats_eel_01",
            "kb_racing_boats_general_01",
        ];
        let series = Series::of(ids);
        let of_another = |asked: &str, id: &str| series.is_of_another(&series.wanted(asked), id);
        assert!(of_another("May I row the heron alone?", ids[5]));
        assert!(!of_another("May I row the eel alone?", ids[5]));
        assert!(!of_another("May I row alone?", ids[5]));
    }

    #[test]
    fn a_document_whose_title_names_nothing_is_of_its_series() {
        let series = Series::of(DOCUMENTS.iter().copied());
        let about = |document: &str, title: &str| series.about(document, title);
        assert_eq!(about("kb#doc_boats_pike_boat_001", "Fees").as_deref(), Some("boats pike boat"));
        assert_eq!(about("kb#doc_boats_pike_boat_001", "Pike boat: fees"), None);
        assert_eq!(about("help/fees.md", "Fees"), None);
        let one = Series::of(["help_article_001", "help_article_002", "b7_c09_001"]);
        assert_eq!(one.about("help_article_001", "Fees"), None);
        assert_eq!(about("kb#doc_cottages_cottages_(general)_001", "Fees"), None);
    }
}
