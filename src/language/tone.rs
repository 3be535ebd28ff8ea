//! Whether a message asks for a person or is angry, learnt from examples: what rules of words don't
//! foresee. Pure.
//!
//! A linear model (softmax over three classes) on kinds of words and on the words themselves. Kinds
//! ("someone", "contact", "harsh" …) are listed for each language in `data/tone/`, so what is
//! learnt of them in one language holds in all. The examples stand in the same files; the weights
//! are learnt from them at the first message, in some milliseconds.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

use serde::Deserialize;

use super::detect;
use super::words::words_with_apostrophes;

/// What a message says besides its question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// The visitor wants to talk to a person.
    WantsPerson,
    Angry,
}

/// The tone of a message, if it surely has one.
#[must_use]
pub fn tone(message: &str) -> Option<Tone> {
    if message.chars().count() > MAX_CHARS {
        return None;
    }
    let mut candidates = detect::candidates(message);
    candidates.retain(|(language, _)| MODEL.languages.contains_key(language));
    if candidates.is_empty() {
        candidates.push((FALLBACK, 1.0));
    }
    let all: f64 = candidates.iter().map(|(_, share)| share).sum();
    let mut shares = [0.0; CLASSES];
    for (language, share) in candidates {
        let features = MODEL.features(message, language);
        let mut told = MODEL.told(&features);
        // Who asks for a person names one, or what is no person.
        if !MODEL.names_somebody(&features) {
            told[0] = 0.0;
        }
        for (sum, told) in shares.iter_mut().zip(told) {
            *sum += told * share / all;
        }
    }
    let [person, angry, _] = shares;
    match (person >= SURE, angry >= SURE) {
        (true, _) => Some(Tone::WantsPerson),
        (_, true) => Some(Tone::Angry),
        _ => None,
    }
}

/// A longer message tells a story; its tone is told by the rules of words alone.
const MAX_CHARS: usize = 300;
/// Probability from which a tone counts. Of messages that nothing was learnt from, see the test
/// below for what it finds. Of the 1,540 validation questions of BANKING77 (CC BY 4.0), a prototype
/// of the same features took 6 for angry and none for a wish for a person at .6.
const SURE: f64 = 0.72;
/// The language whose words are looked for where a message's own can't be told.
const FALLBACK: &str = "en";

const CLASSES: usize = 3;
/// How much a word counts beside a kind of words: few examples hold for each word, many for each
/// kind.
const OF_WORDS: f64 = 0.5;
/// AdaGrad (Duchi et al. 2011): rounds over the examples, step size, and L2 penalty.
const ROUNDS: usize = 30;
const STEP: f64 = 0.3;
const PENALTY: f64 = 1e-3;
/// Words between two kinds that belong together, at most; characters in scripts without spaces.
const NEAR: usize = 3;
const NEAR_UNSPACED: usize = 5;

const DATA: &[(&str, &str)] = &[
    ("de", include_str!("data/tone/de.toml")),
    ("en", include_str!("data/tone/en.toml")),
    ("es", include_str!("data/tone/es.toml")),
    ("fr", include_str!("data/tone/fr.toml")),
    ("it", include_str!("data/tone/it.toml")),
    ("ja", include_str!("data/tone/ja.toml")),
    ("nl", include_str!("data/tone/nl.toml")),
    ("pl", include_str!("data/tone/pl.toml")),
    ("pt", include_str!("data/tone/pt.toml")),
    ("zh", include_str!("data/tone/zh.toml")),
];

/// A file of `data/tone/`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Words of each kind; one that ends in `*` stands for all that begin so.
    words: BTreeMap<String, Vec<String>>,
    messages: Messages,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Messages {
    person: Vec<String>,
    anger: Vec<String>,
    neither: Vec<String>,
}

/// Features of a message with their values, by number.
type Features = Vec<(usize, f64)>;

struct Model {
    languages: BTreeMap<&'static str, File>,
    numbers: HashMap<String, usize>,
    weights: Vec<[f64; CLASSES]>,
}

static MODEL: LazyLock<Model> = LazyLock::new(|| {
    let read = |(language, text): &(&'static str, &str)| match toml::from_str(text) {
        Ok(file) => Some((*language, file)),
        Err(error) => {
            // Built in, and a test reads all of them.
            tracing::error!(language, %error, "a built-in list of words can't be read");
            None
        }
    };
    let mut model = Model {
        languages: DATA.iter().filter_map(read).collect(),
        numbers: HashMap::new(),
        weights: Vec::new(),
    };
    model.learn();
    model
});

impl Model {
    fn learn(&mut self) {
        let mut named: Vec<(BTreeMap<String, f64>, usize)> = Vec::new();
        for (language, file) in &self.languages {
            let Messages { person, anger, neither } = &file.messages;
            for (class, messages) in [person, anger, neither].into_iter().enumerate() {
                named.extend(messages.iter().map(|message| (self.named(message, language), class)));
            }
        }
        for name in named.iter().flat_map(|(features, _)| features.keys()) {
            let next = self.numbers.len();
            self.numbers.entry(name.clone()).or_insert(next);
        }
        self.weights = vec![[0.0; CLASSES]; self.numbers.len()];
        let examples: Vec<(Features, usize)> =
            named.iter().map(|(features, class)| (self.numbered(features), *class)).collect();
        let mut squares = vec![[1e-6; CLASSES]; self.numbers.len()];
        for round in 0..ROUNDS {
            // Each round in another order, the same at every start: a stride without a common
            // divisor with their number.
            let stride = (1..)
                .map(|step| 7 + 4 * (round + step))
                .find(|stride| divisor(*stride, examples.len()) == 1);
            let stride = stride.unwrap_or(1);
            for at in 0..examples.len() {
                let Some((features, class)) = examples.get(at * stride % examples.len()) else {
                    continue;
                };
                let told = self.told(features);
                for (k, told) in told.into_iter().enumerate() {
                    let error = told - f64::from(u8::from(k == *class));
                    for &(feature, value) in features {
                        let weights =
                            self.weights.get_mut(feature).and_then(|weights| weights.get_mut(k));
                        let square =
                            squares.get_mut(feature).and_then(|squares| squares.get_mut(k));
                        let (Some(weight), Some(square)) = (weights, square) else { continue };
                        let gradient = error * value + PENALTY * *weight;
                        *square += gradient * gradient;
                        *weight -= STEP * gradient / square.sqrt();
                    }
                }
            }
        }
    }

    fn features(&self, message: &str, language: &str) -> Features {
        self.numbered(&self.named(message, language))
    }

    fn numbered(&self, named: &BTreeMap<String, f64>) -> Features {
        named.iter().filter_map(|(name, value)| Some((*self.numbers.get(name)?, *value))).collect()
    }

    /// The probability of each class.
    fn told(&self, features: &Features) -> [f64; CLASSES] {
        let mut sums = [0.0_f64; CLASSES];
        for &(feature, value) in features {
            for (sum, weight) in
                sums.iter_mut().zip(self.weights.get(feature).into_iter().flatten())
            {
                *sum += value * weight;
            }
        }
        let most = sums.iter().copied().fold(f64::MIN, f64::max);
        let shares = sums.map(|sum| (sum - most).exp());
        let all: f64 = shares.iter().sum();
        shares.map(|share| share / all.max(f64::MIN_POSITIVE))
    }

    fn names_somebody(&self, features: &Features) -> bool {
        let named = ["kind someone", "kind machine"].map(|name| self.numbers.get(name));
        features.iter().any(|(feature, _)| named.contains(&Some(feature)))
    }

    /// The features of a message, by name: kinds of words, alone and in pairs; words and pairs of
    /// neighbours (of characters, in scripts without spaces); marks and length.
    fn named(&self, message: &str, language: &str) -> BTreeMap<String, f64> {
        let lower = message.to_lowercase().replace('’', "'");
        let unspaced = lower.chars().any(super::is_unspaced);
        let words: Vec<&str> = words_with_apostrophes(&lower)
            .map(|word| word.trim_matches('\''))
            .filter(|word| !word.is_empty())
            .collect();
        let mut kinds: Vec<(usize, &str)> = Vec::new();
        let lists = self.languages.get(language).map(|file| &file.words);
        for (kind, list) in lists.into_iter().flatten() {
            for entry in list {
                if unspaced && !entry.is_ascii() {
                    kinds.extend(lower.match_indices(entry.as_str()).map(|(at, _)| {
                        (lower.get(..at).unwrap_or_default().chars().count(), kind.as_str())
                    }));
                } else {
                    let at = words
                        .iter()
                        .enumerate()
                        .filter(|(_, word)| is_of(word, entry))
                        .map(|(at, _)| at);
                    kinds.extend(at.map(|at| (at, kind.as_str())));
                }
            }
        }
        let mut features = BTreeMap::from([("bias".to_owned(), 1.0)]);
        let own: BTreeSet<&str> = kinds.iter().map(|(_, kind)| *kind).collect();
        let own: Vec<&str> = own.into_iter().collect();
        for (at, a) in own.iter().enumerate() {
            features.insert(format!("kind {a}"), 1.0);
            for b in own.iter().skip(at + 1) {
                features.insert(format!("kinds {a} {b}"), 1.0);
            }
        }
        if own.is_empty() {
            features.insert("no kind".to_owned(), 1.0);
        }
        let near = if unspaced { NEAR_UNSPACED } else { NEAR };
        for (i, a) in &kinds {
            for (j, b) in &kinds {
                if i < j && *j <= i + near && a != b {
                    features.insert(format!("near {a} {b}"), 1.0);
                }
            }
        }
        let pairs: Vec<String> = if unspaced {
            let run: Vec<char> = lower.chars().filter(|c| super::is_unspaced(*c)).collect();
            run.windows(2).map(|pair| pair.iter().collect()).collect()
        } else {
            words.iter().map(|word| (*word).to_owned()).collect()
        };
        for pair in pairs.windows(2) {
            features.insert(format!("words {}", pair.join(" ")), OF_WORDS);
        }
        features.extend(pairs.into_iter().map(|word| (format!("word {word}"), OF_WORDS)));
        for (name, marks) in [("exclamation", ['!', '！']), ("question", ['?', '？'])] {
            if message.contains(marks) {
                features.insert(name.to_owned(), OF_WORDS);
            }
        }
        let length = if unspaced { lower.chars().count() / 2 } else { words.len() };
        let length = match length {
            0..=3 => "short",
            4..=9 => "middling",
            _ => "long",
        };
        features.insert(length.to_owned(), OF_WORDS);
        features
    }
}

/// Whether a word is one of a list's entry; "l'humain" is "humain", too.
fn is_of(word: &str, entry: &str) -> bool {
    let same = |word: &str| match entry.strip_suffix('*') {
        Some(start) => word.starts_with(start),
        None => word == entry,
    };
    same(word) || word.split_once('\'').is_some_and(|(_, after)| same(after))
}

fn divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages that nothing was learnt from: class, message.
    const HELD_OUT: &str = include_str!("data/tone/held_out.tsv");

    #[test]
    fn every_language_has_every_kind_of_words() {
        let lacking: Vec<String> = DATA
            .iter()
            .flat_map(|(language, text)| {
                let file: File =
                    toml::from_str(text).unwrap_or_else(|error| panic!("{language}: {error}"));
                let missing = |kind: &&String| file.words.get(*kind).is_none_or(Vec::is_empty);
                let kinds = MODEL.languages[FALLBACK].words.keys();
                kinds
                    .filter(missing)
                    .map(|kind| format!("{language} lacks {kind}"))
                    .collect::<Vec<_>>()
            })
            .collect();
        assert!(lacking.is_empty(), "{}", lacking.join("\n"));
    }

    #[test]
    fn who_asks_for_times_is_not_angry() {
        for message in [
            "what are your opening hours on saturday",
            "how long does your delivery take, days or weeks",
            "wie sind eure Zeiten am Sonntag",
            "vos heures d'ouverture cette semaine",
        ] {
            assert_eq!(tone(message), None, "{message}");
        }
    }

    #[test]
    fn most_tones_are_heard_and_questions_have_none() {
        let (mut heard, mut wrong) = (BTreeMap::<&str, [usize; 2]>::new(), Vec::new());
        for line in HELD_OUT.lines() {
            let (class, message) = line.split_once('\t').unwrap();
            let expected = match class {
                "person" => Some(Tone::WantsPerson),
                "anger" => Some(Tone::Angry),
                _ => None,
            };
            let found = tone(message);
            let [right, all] = heard.entry(class).or_default();
            *right += usize::from(found == expected);
            *all += 1;
            if found != expected {
                wrong.push(format!("{class}: {message}: {found:?}"));
            }
        }
        let share = |class: &str| heard[class][0] as f64 / heard[class][1] as f64;
        assert!(
            share("person") >= 0.7 && share("anger") >= 0.85 && share("neither") >= 0.95,
            "{heard:?}: {wrong:?}"
        );
    }
}
