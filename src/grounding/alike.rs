//! Names of things that look alike: "Tarn 2" and "Tarn 3", "Blue account" and "True Blue account",
//! a jacket and the trousers of one name. What is said of one doesn't answer a question about the
//! other. Pure.

use std::collections::{HashMap, HashSet};

use super::claims;
use crate::language::words::{bare, stretches, unicode_words};
use crate::language::{is_common_somewhere, stem};

/// Names that a site's documents and products go by.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Words, lower-cased and stemmed; the longest names first.
    names: Vec<Vec<String>>,
    /// What kinds of things have the same name: a tent and its footprint.
    kinds: Vec<(Vec<String>, Vec<String>)>,
    /// What each product is, by its name: "tarn 2" is a "tent". The longest names first.
    called: Vec<(Vec<String>, String)>,
    /// What titles begin with before a colon: "Gold Savings Account: fees".
    subjects: HashSet<Vec<String>>,
    /// Names of one word, which may be an ordinary word, too ("Down wash"), with what is called so.
    single: HashMap<String, Vec<String>>,
}

/// What is asked about, as far as names tell.
#[derive(Clone, Debug)]
pub struct About {
    /// The words that hold the names.
    pub text: String,
    /// They are what "it" is: what is about any other thing is no answer, however its name looks.
    pub nothing_else: bool,
}

/// A name of more words is a headline.
const MAX_WORDS: usize = 5;

impl Names {
    /// Reads names from products and from titles: what stands before a colon, and capitalised words
    /// that several titles hold.
    #[must_use]
    pub fn of<'a>(
        products: impl IntoIterator<Item = &'a str>,
        titles: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let products: Vec<&str> = products.into_iter().collect();
        let mut names: Vec<Vec<String>> = Vec::new();
        let mut kinds: Vec<(Vec<String>, Vec<String>)> = Vec::new();
        let mut single: HashMap<String, Vec<String>> = HashMap::new();
        let mut called: Vec<(Vec<String>, String)> = Vec::new();
        let listed: Vec<(&str, Vec<String>)> =
            products.iter().map(|full| (*full, words(full))).collect();
        for product in claims::products(products.iter().copied()) {
            let name = words(product.shown());
            let full = listed
                .iter()
                .find(|(_, words)| words.starts_with(&name) && words.len() > name.len());
            let full = full.map(|(full, _)| full);
            if let Some(kind) = full.and_then(|full| unicode_words(full).next_back()) {
                called.push((name.clone(), kind.to_lowercase()));
            }
            let alike =
                listed.iter().map(|(_, words)| words).filter(|full| full.starts_with(&name));
            let mut own: Vec<String> = alike
                .filter(|full| full.len() > name.len())
                .filter_map(|full| full.last().cloned())
                .collect();
            own.sort();
            own.dedup();
            if let [word] = name.as_slice() {
                single.insert(word.clone(), own.clone());
            }
            if own.len() > 1 {
                kinds.push((name.clone(), own));
            }
            names.push(name);
        }
        let mut runs: HashMap<Vec<String>, usize> = HashMap::new();
        let mut subjects = HashSet::new();
        for title in titles {
            let before = title.split_once([':', '：']).map(|(before, _)| words(before));
            let before = before.filter(|name| name.len() > 1 && name.len() <= MAX_WORDS);
            subjects.extend(before.clone());
            names.extend(before);
            for run in capitalised(title) {
                *runs.entry(run).or_default() += 1;
            }
        }
        names.extend(
            runs.into_iter()
                .filter(|(run, titles)| run.len() > 1 && *titles > 1)
                .map(|(run, _)| run),
        );
        names.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        names.dedup();
        called.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.cmp(b)));
        Self { names, kinds, called, subjects, single }
    }

    /// The names that a piece of the knowledge holds, and its words that are of none. A name of one
    /// word is one where it is written as one: with a capital, and at the beginning with the kind
    /// of thing behind it ("Ember gas stove", not "Leather dries slowly").
    fn told_beside(&self, text: &str) -> (Vec<&Vec<String>>, Vec<String>) {
        let (mut held, beside) = self.named_beside(text);
        held.retain(|name| {
            let [word] = name.as_slice() else { return true };
            let Some(kinds) = self.single.get(word) else { return true };
            let own =
                unicode_words(text).enumerate().filter(|(_, own)| words(own).first() == Some(word));
            let mut capitals = own
                .filter(|(_, own)| own.chars().next().is_some_and(char::is_uppercase))
                .peekable();
            let called = || words(text).iter().any(|other| kinds.contains(other));
            capitals.peek().is_some() && (capitals.any(|(at, _)| at > 0) || called())
        });
        (held, beside)
    }

    /// The names that a text holds; one within a longer one doesn't count.
    fn named(&self, text: &str) -> Vec<&Vec<String>> {
        self.named_beside(text).0
    }

    /// The names that a text holds, and its words that are of none.
    fn named_beside(&self, text: &str) -> (Vec<&Vec<String>>, Vec<String>) {
        let mut words: Vec<Option<String>> = words(text).into_iter().map(Some).collect();
        let mut found = Vec::new();
        for name in &self.names {
            let mut at = 0;
            while let Some(window) = words.get_mut(at..at + name.len()) {
                if window.iter().zip(name).all(|(word, own)| word.as_ref() == Some(own)) {
                    window.fill(None);
                    if !found.contains(&name) {
                        found.push(name);
                    }
                }
                at += 1;
            }
        }
        (found, words.into_iter().flatten().collect())
    }

    /// A question with what its products are in place of their names: "Can I return the Corrie 45?"
    /// as "Can I return the backpack?". What holds for everything of a kind is told without names.
    /// `None` where it names no product, or only one whose kind is unknown.
    #[must_use]
    pub fn in_general(&self, question: &str) -> Option<String> {
        // "The Skerry rain jacket" says what it is.
        self.said_otherwise(question, |kind, says| if says { "" } else { kind })
    }

    /// A text with "it" in place of the products' names; `None` where it names none whose kind is
    /// known.
    #[must_use]
    pub fn nameless(&self, text: &str) -> Option<String> {
        self.said_otherwise(text, |_, _| "it")
    }

    /// A text with something else in place of the products' names, made of a product's kind and of
    /// whether the kind follows the name.
    fn said_otherwise<'k>(
        &'k self,
        question: &str,
        said: impl Fn(&'k str, bool) -> &'k str,
    ) -> Option<String> {
        let own: Vec<(&str, String)> = unicode_words(question)
            .filter_map(|word| Some((word, words(word).into_iter().next()?)))
            .collect();
        let mut general = question.to_owned();
        let mut replaced = false;
        // Names may overlap; what is replaced is no part of another.
        let (mut at, mut free) = (own.len(), own.len());
        while at > 0 {
            at -= 1;
            let found = self.called.iter().find(|(name, _)| {
                let window = own.get(at..at + name.len()).unwrap_or_default();
                at + name.len() <= free
                    && !window.is_empty()
                    && window.iter().map(|(_, word)| word).eq(name.iter())
            });
            let Some((name, kind)) = found else { continue };
            let (Some((first, _)), Some((last, _))) = (own.get(at), own.get(at + name.len() - 1))
            else {
                continue;
            };
            let start = first.as_ptr() as usize - question.as_ptr() as usize;
            let end = last.as_ptr() as usize - question.as_ptr() as usize + last.len();
            let says = own
                .iter()
                .skip(at + name.len())
                .take(2)
                .any(|(_, word)| *word == words(kind).concat());
            general.replace_range(start..end, said(kind, says));
            (replaced, free) = (true, at);
        }
        replaced.then(|| general.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// The longest name that a text holds, as it is written there; of as long ones the last.
    #[must_use]
    pub fn spoken<'t>(&self, text: &'t str) -> Option<&'t str> {
        let own: Vec<(&str, String)> = unicode_words(text)
            .filter_map(|word| Some((word, words(word).into_iter().next()?)))
            .collect();
        self.names.iter().find_map(|name| {
            let window = own
                .windows(name.len().max(1))
                .rev()
                .find(|window| window.iter().map(|(_, word)| word).eq(name.iter()))?;
            let ((first, _), (last, _)) = (window.first()?, window.last()?);
            let start = first.as_ptr() as usize - text.as_ptr() as usize;
            text.get(start..last.as_ptr() as usize - text.as_ptr() as usize + last.len())
        })
    }

    /// What a word alone may stand for, where several things have it in their names: "gold" for the
    /// Gold Account, the Gold Plus Account and the Gold Years Account. `titles` are where they are
    /// looked for, best first; each is given as it is written there. Empty where the text names one
    /// of them in full, or says with the word what it means ("a gold card").
    #[must_use]
    pub fn several<'t>(
        &self,
        asked: &str,
        titles: impl IntoIterator<Item = &'t str>,
    ) -> Vec<&'t str> {
        if self.names(asked) {
            return Vec::new();
        }
        let bare = bare_words(asked);
        let mut found: Vec<(Vec<String>, &str)> = Vec::new();
        for title in titles {
            let Some(shown) = self.spoken(title) else { continue };
            let name = words(shown);
            let (Some(last), true) = (name.last(), name.len() > 1) else { continue };
            // The last word says what kind of thing it is.
            let has = name.iter().any(|word| word != last && bare.contains(word));
            if has && !found.iter().any(|(other, _)| *other == name) {
                found.push((name, shown));
            }
        }
        // "Gold Plus" is the "Gold Plus Account".
        let all: Vec<Vec<String>> = found.iter().map(|(name, _)| name.clone()).collect();
        let longer = |name: &[String]| {
            all.iter().any(|other| other.len() == name.len() + 1 && other.starts_with(name))
        };
        found.retain(|(name, _)| !longer(name));
        found.into_iter().map(|(_, shown)| shown).collect()
    }

    /// Whether a text names something.
    #[must_use]
    pub fn names(&self, text: &str) -> bool {
        !self.named(text).is_empty()
    }

    /// Whether a piece of the knowledge is about something else than what is asked for, of a name
    /// that looks like it. `told` is the piece, its heading, its title: the innermost that names
    /// anything tells.
    #[must_use]
    pub fn about_another(&self, about: &About, told: &[&str]) -> bool {
        let asked = about.text.as_str();
        let wanted = self.named(asked);
        let other = told.iter().find_map(|text| {
            let (held, beside) = self.told_beside(text);
            if held.is_empty() {
                return None;
            }
            let spoken = words(text);
            // "For the Corrie 30 and 45" speaks of the Corrie 45, too.
            let speaks_of = |name: &Vec<String>| {
                held.contains(&name)
                    || numbered(name) && name.iter().all(|word| spoken.contains(word))
            };
            let alike = |name: &&Vec<String>| {
                wanted.iter().any(|wanted| wanted.iter().any(|word| name.contains(word)))
            };
            // "Platinum Plus Account" and "Gold Savings Account" are accounts, and one says nothing
            // of the other.
            let of_one_kind = |name: &&Vec<String>| {
                let longer = |wanted: &Vec<String>| {
                    let full = self
                        .subjects
                        .iter()
                        .filter(|full| full.len() > wanted.len() && full.starts_with(wanted));
                    full.chain(self.subjects.get(wanted)).any(|full| full.last() == name.last())
                };
                self.subjects.contains(*name) && wanted.iter().any(|wanted| longer(wanted))
            };
            let another = about.nothing_else && !wanted.is_empty()
                || held.iter().any(|name| alike(name) || of_one_kind(name));
            // "The Corrie needs the Corrie rain cover" speaks of every Corrie.
            let of_the_series = || {
                let common =
                    wanted.iter().flat_map(|name| name.iter()).filter(|word| !is_number(word));
                common.into_iter().any(|word| {
                    beside.contains(word) && held.iter().any(|name| name.contains(word))
                })
            };
            Some(another && !wanted.iter().any(|name| speaks_of(name)) && !of_the_series())
        });
        other.unwrap_or(false) || self.of_another_kind(asked, told)
    }

    fn of_another_kind(&self, asked: &str, told: &[&str]) -> bool {
        let asked = words(asked);
        self.kinds.iter().filter(|(name, _)| holds(&asked, name)).any(|(_, kinds)| {
            let of = |words: &[String]| {
                kinds.iter().filter(|kind| words.contains(kind)).cloned().collect::<Vec<_>>()
            };
            let wanted = of(&asked);
            let held = told.iter().map(|text| of(&words(text))).find(|held| !held.is_empty());
            !wanted.is_empty()
                && held.is_some_and(|held| !held.iter().any(|kind| wanted.contains(kind)))
        })
    }
}

/// Words of a question that stand for a thing by themselves: no word with a meaning of its own
/// follows, as in "the fee for gold" and "does gold have a fee?".
fn bare_words(asked: &str) -> Vec<String> {
    let mut bare = Vec::new();
    for part in stretches(asked) {
        let own: Vec<&str> = part.split_whitespace().collect();
        for (at, word) in own.iter().enumerate() {
            let followed =
                own.get(at + 1).is_some_and(|next| !is_common_somewhere(&next.to_lowercase()));
            if !followed && !is_common_somewhere(&word.to_lowercase()) {
                bare.extend(words(word));
            }
        }
    }
    bare
}

fn numbered(name: &[String]) -> bool {
    name.iter().any(|word| is_number(word))
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_digit())
}

fn holds(words: &[String], name: &[String]) -> bool {
    words.windows(name.len().max(1)).any(|window| window == name)
}

fn words(text: &str) -> Vec<String> {
    unicode_words(text)
        .map(|word| {
            let word = word.to_lowercase();
            stem(word.strip_suffix("'s").or_else(|| word.strip_suffix("’s")).unwrap_or(&word))
                .to_owned()
        })
        .collect()
}

/// Runs of capitalised words and numbers, and the runs within them.
fn capitalised(title: &str) -> Vec<Vec<String>> {
    let mut runs: Vec<Vec<String>> = Vec::new();
    let mut current: Vec<String> = Vec::new();
    for word in title.split_whitespace() {
        let bare = bare(word);
        let tells = bare.chars().next().is_some_and(|c| c.is_uppercase() || c.is_ascii_digit());
        if tells {
            current.extend(words(bare));
        }
        if !tells || bare.len() < word.len() && !word.ends_with(bare) {
            runs.push(std::mem::take(&mut current));
        }
    }
    runs.push(current);
    let parts = |run: &Vec<String>| {
        let length = run.len().min(MAX_WORDS);
        (2..=length)
            .flat_map(|size| run.windows(size).map(<[String]>::to_vec).collect::<Vec<_>>())
            .collect::<Vec<_>>()
    };
    runs.iter().flat_map(parts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_several_names_hold_may_mean_each() {
        let titles = [
            "Reed Account: fees",
            "Reed Plus Account: fees",
            "Moor Account: fees",
            "Reed Years Account: fees",
            "What is a reed?",
        ];
        let names = Names::of([], titles);
        let several = |asked: &str| names.several(asked, titles);
        let reeds = ["Reed Account", "Reed Plus Account", "Reed Years Account"];
        assert_eq!(several("What is the fee for reed?"), reeds);
        assert_eq!(several("Does reed have a fee?"), reeds);
        // It says which.
        assert!(several("What is the fee for the Reed Account?").is_empty());
        assert!(several("Is there a reed deposit?").is_empty());
        assert!(several("What does an account cost?").is_empty());
        assert_eq!(names.spoken("is the reed plus account free?"), Some("reed plus account"));
        assert_eq!(names.spoken("is it free?"), None);
    }

    #[test]
    fn things_of_one_kind_that_titles_begin_with_are_told_apart() {
        let titles = [
            "Reed Plus Account: fees",
            "Moor Savings Account: fees",
            "Moor Savings Account: limits",
            "Lost cards: what to do",
        ];
        let names = Names::of([], titles);
        let another = |asked: &str, title: &str| {
            let about = About { text: asked.to_owned(), nothing_else: false };
            names.about_another(&about, &["10 EUR a month.", "", title])
        };
        assert!(another("What does the Reed Plus Account cost?", "Moor Savings Account: fees"));
        assert!(!another("What does the Reed Plus Account cost?", "Reed Plus Account: fees"));
        assert!(!another(
            "What do I do when I lost the card of my Reed Plus Account?",
            "Lost cards: what to do"
        ));
        assert!(!another("What does an account cost?", "Moor Savings Account: fees"));
    }

    #[track_caller]
    fn check(names: &Names, asked: &str, told: &[&str], expected: bool) {
        let about = About { text: asked.to_owned(), nothing_else: false };
        assert_eq!(names.about_another(&about, told), expected, "{asked} {told:?}");
    }

    #[test]
    fn products_with_names_alike_are_told_apart() {
        let names = Names::of(
            [
                "Tarn 2 tent",
                "Tarn 3 tent",
                "Tarn 2 footprint",
                "Skerry rain jacket",
                "Skerry rain trousers",
                "Rill filter",
            ],
            [],
        );
        check(&names, "How heavy is the Tarn 3?", &["The Tarn 2 weighs 1.9 kg."], true);
        check(
            &names,
            "How heavy is the tarn 3",
            &["The Tarn 2 weighs 1.9 kg, the Tarn 3 2.4 kg."],
            false,
        );
        check(
            &names,
            "How heavy is the Tarn 3?",
            &["It weighs 1.9 kg.", "Weight", "Tarn 2 tent"],
            true,
        );
        check(&names, "How heavy is the Tarn 3?", &["Guy lines for the Tarn 2 and 3."], false);
        check(&names, "How heavy is a tent?", &["The Tarn 2 weighs 1.9 kg."], false);
        check(
            &names,
            "Has the Tarn 3 a porch?",
            &["Each Tarn has one, unless the Tarn 2 footprint lies below."],
            false,
        );
        check(
            &names,
            "Is the Skerry jacket there in black?",
            &["The Skerry trousers come in black."],
            true,
        );
        check(
            &names,
            "Is the Skerry there in black?",
            &["The Skerry trousers come in black."],
            false,
        );
        check(&names, "How heavy is the Tarn 3?", &["The Rill filters a litre a minute."], false);
    }

    #[test]
    fn what_it_is_is_nothing_else() {
        let names = Names::of(["Corrie 45 backpack", "Glint 350 head torch"], []);
        let about = |nothing_else| About {
            text: "What does the Corrie 45 cost? Waterproof?".into(),
            nothing_else,
        };
        let told = ["The Glint 350 is splash-proof.", "Water", "Head torches"];
        assert!(names.about_another(&about(true), &told));
        assert!(!names.about_another(&about(false), &told));
        assert!(
            !names.about_another(&about(true), &["Delivery takes two days.", "Time", "Delivery"])
        );
    }

    #[test]
    fn a_question_is_asked_of_the_kind() {
        let names =
            Names::of(["Corrie 45 backpack", "Skerry rain jacket", "Hush 0 sleeping bag"], []);
        let check = |question: &str, expected: Option<&str>| {
            assert_eq!(names.in_general(question).as_deref(), expected, "{question}");
        };
        check("My Corrie 45 came late", Some("My backpack came late"));
        check("Can I return the Skerry jacket?", Some("Can I return the jacket?"));
        check("is a hush 0 ok", Some("is a bag ok"));
        check("Can I return a jacket?", None);
        assert_eq!(
            names.nameless("Is the Corrie 45 backpack dry?").as_deref(),
            Some("Is the it backpack dry?")
        );
        assert_eq!(names.nameless("Is it dry?"), None);
        let names = Names::of(["Summit Trail tent", "Trail 30 bag"], []);
        assert_eq!(
            names.in_general("Is the Summit Trail 30 ok?").as_deref(),
            Some("Is the Summit bag ok?")
        );
    }

    #[test]
    fn an_ordinary_word_is_no_name() {
        let names =
            Names::of(["Hush 0 sleeping bag", "Down wash", "Leather wax", "Ember stove"], []);
        let about =
            About { text: "How much is the Hush 0? Zip on the left?".into(), nothing_else: true };
        for (told, expected) in [
            (["Its zip is on the left.", "Zip", "Hush down sleeping bag"], false),
            (["Leather dries slowly.", "Care", "Care"], false),
            (["It boils fast.", "Use", "Ember gas stove"], true),
            (["Wash it with the Ember.", "Use", "Care"], true),
            (["Rinse out the Down wash.", "Use", "Care"], true),
        ] {
            assert_eq!(names.about_another(&about, &told), expected, "{told:?}");
        }
    }

    #[test]
    fn a_name_within_a_longer_one_is_another() {
        let titles = [
            "Blue Account: Fees",
            "True Blue Account: Fees",
            "Blue Account: Wires",
            "Wires for Gold Plus Savers",
            "Gold Plus at a glance",
        ];
        let names = Names::of([], titles);
        check(
            &names,
            "What does the blue account cost?",
            &["No fee.", "Fees", "True Blue Account: Fees"],
            true,
        );
        check(
            &names,
            "What does the blue account cost?",
            &["No fee.", "Fees", "Blue Account: Fees"],
            false,
        );
        check(
            &names,
            "What does the True Blue account cost?",
            &["No fee.", "Fees", "Blue Account: Fees"],
            true,
        );
        check(&names, "What does a wire cost?", &["No fee.", "Fees", "Blue Account: Fees"], false);
    }
}
