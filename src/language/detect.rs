//! Which language a text is in, also for messages of a few words.
//!
//! The script decides where it can. Latin letters are weighed by `lingua`'s letter statistics and
//! by the common words of `data/common/`, and what the conversation and the site say about the
//! visitor's language tips the scales between near ones. Of 52 short messages to shops in eight
//! languages, written after the lists of common words, the statistics alone tell 50, both 51.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;

use lingua::{Language, LanguageDetector, LanguageDetectorBuilder};
use quick_cache::sync::Cache;

use super::iso_639::code;
use super::script::{self, Script};
use super::words::words_with_apostrophes;
use super::{gloss, is_unspaced};

/// Probability from which a text counts as of a language by itself.
const SURE: f64 = 0.5;
/// Probability below which a message is taken to be in the language of the messages before it.
const GUESS: f64 = 0.3;
/// The same for a message of so many letters at most, which may be a name or be said in many
/// languages ("ok", "Tarn").
const GUESS_OF_WORD: f64 = 0.6;
const WORD: usize = 6;
/// How much likelier a language is for each common word of a text that no other language has; a
/// word of `n` languages counts its `n`th root.
const COMMON_WORD: f64 = 5.0;
/// The same for a word that shops and their customers use, where it is no common one.
const WORD_OF_SHOPS: f64 = 4.0;
/// How much likelier a language is that the visitor wrote before, for each message, and one that is
/// the site's. The site's says little: who writes in another has come nevertheless.
const WRITTEN_BEFORE: f64 = 4.0;
const OF_THE_SITE: f64 = 1.5;
/// The weight of the site's language at least where no statistics know it, beside 1 for all others:
/// where the words are common ones of another language, and where they aren't.
const UNKNOWN_BESIDE: f64 = 0.1;
const UNKNOWN_ALONE: f64 = 1.5;
/// Earlier messages that count.
const RECENT: usize = 3;
/// The share that a language has at least beside its common words, so that these count where the
/// statistics see none.
const LEAST: f64 = 0.01;

/// Languages with their probabilities, the likeliest first.
pub(super) type Weights = Vec<(&'static str, f64)>;

/// The languages that are weighed against each other, with their common words; one without
/// statistics is told by its words alone.
const LATIN: &[(&str, Option<Language>, &str)] = &[
    ("en", Some(Language::English), include_str!("data/common/en.txt")),
    ("de", Some(Language::German), include_str!("data/common/de.txt")),
    ("fr", Some(Language::French), include_str!("data/common/fr.txt")),
    ("es", Some(Language::Spanish), include_str!("data/common/es.txt")),
    ("it", Some(Language::Italian), include_str!("data/common/it.txt")),
    ("nl", Some(Language::Dutch), include_str!("data/common/nl.txt")),
    ("pt", Some(Language::Portuguese), include_str!("data/common/pt.txt")),
    ("pl", Some(Language::Polish), include_str!("data/common/pl.txt")),
    ("sv", None, include_str!("data/common/sv.txt")),
];

/// Letters that none of them has, and the most written language that does.
const LETTERS: &[(&str, &str)] = &[
    ("ơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ", "vi"),
    ("å", "sv"),
    ("ø", "da"),
    ("őű", "hu"),
    ("şğı", "tr"),
    ("řěů", "cs"),
    ("țșă", "ro"),
    ("đ", "hr"),
    ("þð", "is"),
];

/// ISO 639-1 code of a text's language, told by the text alone; `None` where that would be a guess.
#[must_use]
pub fn language_of(text: &str) -> Option<&'static str> {
    let weights = weights(text);
    let &(language, share) = weights.first()?;
    (share >= SURE).then_some(language)
}

/// ISO 639-1 code of a language tag ("de-AT", BCP 47) that a page or an app is marked with; `None`
/// where it names no language with such a code. "en" on a site in another language is none: page
/// templates come marked with it, and shops leave it there.
#[must_use]
pub fn marked(tag: &str, site: &str) -> Option<&'static str> {
    let first = tag.trim().split(['-', '_']).next().unwrap_or_default();
    code(&first.to_ascii_lowercase()).filter(|language| *language != "en" || site == "en")
}

/// The language that a visitor writes: what a message itself says, weighed with the messages before
/// it (the latest first) and the site's language. `None` where none of the messages says anything.
#[must_use]
pub fn spoken<'a>(
    message: &str,
    before: impl IntoIterator<Item = &'a str>,
    site: &str,
) -> Option<&'static str> {
    let mut weights = weights(message);
    let before: Vec<&'static str> =
        before.into_iter().take(RECENT).filter_map(language_of).collect();
    // A site in a language that no statistics know is visited by those who write it, and the
    // statistics take that for its nearest neighbour. Two common words of another language tell
    // that it is another.
    let unknown = !LATIN.iter().any(|(code, statistics, _)| *code == site && statistics.is_some());
    if unknown
        && weights.iter().any(|(language, _)| *language == LATIN[0].0)
        && let Some(site) = code(site)
    {
        let lower = message.to_lowercase();
        let words: Vec<&str> = super::words(&lower).collect();
        let common = |language: &str| words.iter().filter(|word| is_common(word, language)).count();
        let own = common(site);
        let least = if weights.iter().any(|(other, _)| *other != site && common(other) >= own + 2) {
            UNKNOWN_BESIDE
        } else {
            UNKNOWN_ALONE
        };
        match weights.iter_mut().find(|(language, _)| *language == site) {
            Some((_, weight)) => *weight = weight.max(least),
            None => weights.push((site, least)),
        }
    }
    for (language, weight) in &mut weights {
        for _ in before.iter().filter(|other| *other == language) {
            *weight *= WRITTEN_BEFORE;
        }
        if site == *language {
            *weight *= OF_THE_SITE;
        }
    }
    let all: f64 = weights.iter().map(|(_, weight)| weight).sum();
    let likeliest = weights.into_iter().max_by(|a, b| a.1.total_cmp(&b.1));
    let is_word = message.chars().filter(|c| c.is_alphabetic()).count() <= WORD;
    let least = if is_word { GUESS_OF_WORD } else { GUESS };
    let told = likeliest.filter(|(_, weight)| *weight >= least * all).map(|(language, _)| language);
    told.or_else(|| before.first().copied())
}

/// The languages that a text may well be in, with their probabilities, the likeliest first.
pub(super) fn candidates(text: &str) -> Weights {
    let mut weights = weights(text);
    weights.retain(|(_, share)| *share >= 0.05);
    weights
}

/// The languages that a text may be in with their probabilities, the likeliest first; none for a
/// text that shows no language. A turn asks this of the same text several times: the last answers
/// are remembered under hashes.
fn weights(text: &str) -> Weights {
    static KNOWN: LazyLock<(RandomState, Cache<u64, Weights>)> =
        LazyLock::new(|| (RandomState::new(), Cache::new(1_024)));
    let (hasher, known) = &*KNOWN;
    let key = hasher.hash_one(text);
    known.get(&key).unwrap_or_else(|| {
        let weights = weigh(text);
        known.insert(key, weights.clone());
        weights
    })
}

fn weigh(text: &str) -> Weights {
    let words = telling(text);
    match script::of(&words) {
        None => Vec::new(),
        Some(Script::Latin) => latin(&words),
        Some(Script::Han) if text.chars().any(script::is_kana) => vec![("ja", 1.0)],
        // Japanese words are written in Chinese characters alone, too: 返金.
        Some(Script::Han) => vec![("zh", 0.75), ("ja", 0.25)],
        Some(Script::Cyrillic) if words.contains(['і', 'ї', 'є', 'ґ', 'І', 'Ї', 'Є']) => {
            vec![("uk", 1.0)]
        }
        Some(script) => vec![(script.language(), 1.0)],
    }
}

/// A text without what is the same in every language: links, addresses, codes, and names that stand
/// within a sentence.
fn telling(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    let is_name = |word: &str| {
        let coded = word.chars().any(|c| c.is_ascii_digit()) && !word.contains(is_unspaced);
        coded || word.contains('@') || word.contains("://") || word.contains("www.")
    };
    for word in text.split_whitespace().filter(|word| !is_name(word)) {
        words.push_str(word);
        words.push(' ');
    }
    words
}

fn latin(text: &str) -> Weights {
    static DETECTOR: LazyLock<LanguageDetector> = LazyLock::new(|| {
        let languages: Vec<Language> =
            LATIN.iter().filter_map(|(_, language, _)| *language).collect();
        LanguageDetectorBuilder::from_languages(&languages).build()
    });
    let lower = text.to_lowercase();
    if let Some((_, language)) =
        LETTERS.iter().find(|(letters, _)| lower.contains(|c| letters.contains(c)))
    {
        return vec![(language, 1.0)];
    }
    let mut weights: Weights = LATIN.iter().map(|(code, ..)| (*code, LEAST)).collect();
    for (language, share) in DETECTOR.compute_language_confidence_values(&lower) {
        let known = LATIN.iter().position(|(_, other, _)| *other == Some(language));
        if let Some((_, weight)) = known.and_then(|at| weights.get_mut(at)) {
            *weight += share;
        }
    }
    for word in words_with_apostrophes(&lower) {
        let word = word.replace('’', "'");
        // "l'ordine" and "dov'è": by their halves, too.
        let halves = word.split('\'').filter(|half| *half != word);
        let mut languages: Vec<usize> = halves
            .chain([word.as_str()])
            .filter_map(|part| COMMON.get(part))
            .flatten()
            .copied()
            .collect();
        languages.sort_unstable();
        languages.dedup();
        let factor = if languages.is_empty() { WORD_OF_SHOPS } else { COMMON_WORD };
        if languages.is_empty() {
            let known = gloss::languages(&word);
            languages = (0..)
                .zip(LATIN)
                .filter(|(_, (code, ..))| known.contains(code))
                .map(|(at, _)| at)
                .collect();
        }
        let boost = factor.powf(1.0 / (languages.len().max(1)) as f64);
        for at in languages {
            if let Some((_, weight)) = weights.get_mut(at) {
                *weight *= boost;
            }
        }
    }
    let all: f64 = weights.iter().map(|(_, weight)| weight).sum();
    weights.iter_mut().for_each(|(_, weight)| *weight /= all);
    weights.sort_by(|a, b| b.1.total_cmp(&a.1));
    weights
}

/// Whether a word is a common one of any language. Lists: `data/common/`.
#[must_use]
pub fn is_common_somewhere(word: &str) -> bool {
    COMMON.contains_key(word)
}

/// Whether a word is a common one of a language.
#[must_use]
pub fn is_common(word: &str, language: &str) -> bool {
    let places = COMMON.get(word).map(Vec::as_slice).unwrap_or_default();
    places.iter().any(|at| LATIN.get(*at).is_some_and(|(code, ..)| *code == language))
}

/// The languages that have a common word, as places in [`LATIN`].
static COMMON: LazyLock<HashMap<&'static str, Vec<usize>>> = LazyLock::new(|| {
    let mut common: HashMap<&'static str, Vec<usize>> = HashMap::new();
    for (at, (.., words)) in LATIN.iter().enumerate() {
        for word in words.split_whitespace() {
            let languages = common.entry(word).or_default();
            if !languages.contains(&at) {
                languages.push(at);
            }
        }
    }
    common
});

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Short messages to shops: language, message.
    const MESSAGES: &str = include_str!("data/messages.tsv");

    #[test]
    fn short_messages_are_told() {
        let mut told: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
        let mut wrong = Vec::new();
        for (language, message) in MESSAGES.lines().filter_map(|line| line.split_once('\t')) {
            let found = spoken(message, [], "en");
            let [right, all] = told.entry(language).or_default();
            *right += usize::from(found == Some(language));
            *all += 1;
            if found != Some(language) {
                wrong.push(format!("{language}: {message}: {found:?}"));
            }
        }
        let right: usize = told.values().map(|[right, _]| right).sum();
        let all: usize = told.values().map(|[_, all]| all).sum();
        assert!(all >= 150 && right * 100 >= all * 96, "{right} of {all}: {wrong:?}");
    }

    #[test]
    fn the_conversation_decides_between_near_languages() {
        #[track_caller]
        fn check(message: &str, before: &[&str], site: &str, expected: Option<&str>) {
            assert_eq!(spoken(message, before.iter().copied(), site), expected, "{message}");
        }
        check("quanto pesa", &["la Tarn 2 è impermeabile?"], "en", Some("it"));
        check("quanto pesa", &["a Tarn 2 é impermeável?"], "en", Some("pt"));
        check("返金", &["荷物はどこですか"], "en", Some("ja"));
        check("返金", &[], "ja", Some("zh"));
        check("42", &["Wo ist mein Paket?"], "en", Some("de"));
        check("42", &[], "en", None);
        check("买3个送1个吗", &[], "en", Some("zh"));
        check("ok", &[], "en", None);
        check("ok", &["Wo ist mein Paket?"], "en", Some("de"));
        // Sites in languages without statistics.
        check("vad kostar en herrklippning", &[], "sv", Some("sv"));
        check("kan man betala kontant", &[], "sv", Some("sv"));
        check("hvad koster levering", &[], "da", Some("da"));
        check("What does delivery to Denmark cost?", &[], "da", Some("en"));
        check("Was kostet der Versand in die Schweiz?", &[], "da", Some("de"));
        // Who changes the language is answered in the new one.
        check("Where is my parcel?", &["Wo ist mein Paket?"], "de", Some("en"));
    }

    #[test]
    fn a_page_is_marked_with_its_language() {
        #[track_caller]
        fn check(tag: &str, site: &str, expected: Option<&str>) {
            assert_eq!(marked(tag, site), expected, "{tag}");
        }
        check("de-AT", "en", Some("de"));
        check("pt_BR", "en", Some("pt"));
        check(" FR ", "en", Some("fr"));
        check("zh-Hant-TW", "en", Some("zh"));
        check("en-US", "en", Some("en"));
        // What templates are marked with says nothing of a German shop.
        check("en", "de", None);
        check("", "en", None);
        check("x-klingon", "en", None);
    }

    #[test]
    fn what_shows_no_language_has_none() {
        for text in ["", "12 €", "https://shop.example/a", "🙂", "HP-1013"] {
            assert_eq!(language_of(text), None, "{text}");
        }
    }
}
