//! Words of a question that no document has, as the words they were meant to be. For the lexical
//! half of the search: it finds nothing for a word that is misspelt by a letter.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use super::index::Index;
use crate::language::script::is_latin;
use crate::language::words::{word_indices, words};
use crate::language::{gloss, stem};
use crate::retrieval::schema::IndexError;

/// The words of the sites' passages. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Spelling {
    sites: Arc<RwLock<HashMap<String, Arc<Vocabulary>>>>,
    /// Words of the language that are right though no document has them.
    common: Arc<HashSet<String>>,
}

/// A text without its mistakes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corrected {
    /// Each unknown word replaced by what it was most likely meant to be.
    pub text: String,
    /// What some of them may have been meant to be just as well.
    pub others: String,
}

/// The words of a site's passages.
#[derive(Clone, Debug, Default)]
struct Vocabulary {
    stems: HashSet<String>,
    /// By length in letters: a word, its letters as bits, and how often it occurs.
    words: HashMap<usize, Vec<(Box<str>, u32, u32)>>,
    /// How many words there are.
    size: usize,
}

/// The words of texts, with how often each occurs; at most [`MAX_WORDS`].
fn counted<'a>(texts: impl Iterator<Item = &'a str>) -> HashMap<String, u32> {
    let mut counts: HashMap<String, u32> = HashMap::new();
    for word in texts.flat_map(words) {
        let letters = word.chars().count();
        if letters + 1 < MIN_LETTERS
            || letters > MAX_LETTERS
            || !word.chars().all(char::is_alphabetic)
        {
            continue;
        }
        let word = word.to_lowercase();
        if let Some(count) = counts.get_mut(&word) {
            *count += 1;
        } else if counts.len() < MAX_WORDS {
            counts.insert(word, 1);
        }
    }
    counts
}

/// Words that a vocabulary keeps at most; a text with more is no prose.
const MAX_WORDS: usize = 300_000;
/// Shorter words are as often right as they are wrong.
const MIN_LETTERS: usize = 4;
/// From here on a word may hold two mistakes.
const TWO_MISTAKES: usize = 8;
/// Longer ones are no words.
const MAX_LETTERS: usize = 24;
/// Words of one question that are looked into.
const MAX_UNKNOWN: usize = 8;

impl Spelling {
    /// `common` are words of the language that are right though no document has them, in lower
    /// case.
    #[must_use]
    pub fn new(common: HashSet<String>) -> Self {
        Self { sites: Arc::default(), common: Arc::new(common) }
    }

    /// The same language, and no site's words yet.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self { sites: Arc::default(), common: Arc::clone(&self.common) }
    }

    /// Takes over the words that the index has of a site.
    ///
    /// # Errors
    /// When the index fails; the words from before stay.
    pub async fn refresh(&self, index: &Index, site: &str) -> Result<(), IndexError> {
        let texts = index.texts(site).await?;
        let vocabulary = Arc::new(Vocabulary::of(texts.iter().map(String::as_str)));
        self.sites
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(site.to_owned(), vocabulary);
        Ok(())
    }

    /// Adds the words of new passages, so that one document more isn't the reading of all. Words
    /// that are gone stay until the next [`Spelling::refresh`]. False where the site's words were
    /// never read.
    #[must_use]
    pub fn add(&self, site: &str, texts: &[String]) -> bool {
        let mut sites = self.sites.write().unwrap_or_else(PoisonError::into_inner);
        let Some(own) = sites.get_mut(site) else { return false };
        let own = Arc::make_mut(own);
        for (word, count) in counted(texts.iter().map(String::as_str)) {
            own.add(&word, count);
        }
        true
    }

    /// Whether a lower-case word is right as it is written: of the language, or of a site's
    /// documents.
    #[must_use]
    pub fn is_word(&self, site: &str, word: &str) -> bool {
        let sites = self.sites.read().unwrap_or_else(PoisonError::into_inner);
        self.common.contains(word)
            || sites.get(site).is_some_and(|own| own.stems.contains(stem(word)))
    }

    /// Whether a site's documents have a lower-case word, in whatever form. True of the shortest
    /// words, which aren't kept, and of all before the documents are read.
    #[must_use]
    pub fn is_known(&self, site: &str, word: &str) -> bool {
        if word.chars().count() + 1 < MIN_LETTERS {
            return true;
        }
        let sites = self.sites.read().unwrap_or_else(PoisonError::into_inner);
        sites.get(site).is_none_or(|own| own.stems.contains(stem(word)))
    }

    /// The text with what its unknown words were likely meant to be; a word of its `language` (ISO
    /// 639-1) isn't unknown. `None` if every word is known or like none.
    #[must_use]
    pub fn corrected(&self, site: &str, text: &str, language: &str) -> Option<Corrected> {
        let vocabulary =
            self.sites.read().unwrap_or_else(PoisonError::into_inner).get(site).cloned()?;
        let mut meant: Vec<(Range<usize>, &str)> = Vec::new();
        let mut others: Vec<&str> = Vec::new();
        let mut unknown = 0;
        let words = word_indices(text).filter(|(_, word)| word.chars().count() >= MIN_LETTERS);
        for (start, word) in words {
            let lower = word.to_lowercase();
            let holds =
                |word: &str| self.common.contains(word) || vocabulary.stems.contains(stem(word));
            let known =
                !lower.chars().all(is_latin) || holds(&lower) || gloss::is_word(language, &lower);
            if known || roots(&lower).iter().any(|root| holds(root)) {
                continue;
            }
            unknown += 1;
            if unknown > MAX_UNKNOWN {
                break;
            }
            if let [first, rest @ ..] = vocabulary.nearest(&lower).as_slice() {
                meant.push((start..start + word.len(), first));
                others.extend(rest);
            }
        }
        let mut replaced = text.to_owned();
        for (range, word) in meant.iter().rev() {
            replaced.replace_range(range.clone(), word);
        }
        (!meant.is_empty()).then(|| Corrected { text: replaced, others: others.join(" ") })
    }
}

impl Vocabulary {
    fn of<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut vocabulary = Self::default();
        for (word, count) in counted(texts) {
            vocabulary.put(&word, count);
        }
        vocabulary
    }

    /// Counts a word that may be there already.
    fn add(&mut self, word: &str, count: u32) {
        let same_length = self.words.get_mut(&word.chars().count());
        let known =
            same_length.and_then(|words| words.iter_mut().find(|(known, ..)| **known == *word));
        match known {
            Some((_, _, times)) => *times = times.saturating_add(count),
            None if self.size < MAX_WORDS => self.put(word, count),
            None => {}
        }
    }

    /// Takes a word in that isn't there.
    fn put(&mut self, word: &str, count: u32) {
        self.stems.insert(stem(word).to_owned());
        let entry = (word.into(), letters(word), count);
        self.words.entry(word.chars().count()).or_default().push(entry);
        self.size += 1;
    }

    /// The nearest word by edits (a letter missing, added, another, or two swapped), the most
    /// frequent of equals; at most two, where both are as near.
    fn nearest(&self, word: &str) -> Vec<&str> {
        let length = word.chars().count();
        if length > MAX_LETTERS {
            return Vec::new();
        }
        let limit = if length >= TWO_MISTAKES { 2 } else { 1 };
        let bits = letters(word);
        let first = word.chars().next();
        let mut found: Vec<(usize, bool, std::cmp::Reverse<u32>, &str)> = Vec::new();
        for length in length.saturating_sub(limit)..=length + limit {
            for (other, others, count) in
                self.words.get(&length).map(Vec::as_slice).unwrap_or_default()
            {
                // An edit changes two letters of the set at the most.
                if (bits ^ others).count_ones() as usize > 2 * limit {
                    continue;
                }
                let distance = strsim::osa_distance(word, other);
                if distance <= limit {
                    found.push((
                        distance,
                        other.chars().next() != first,
                        std::cmp::Reverse(*count),
                        other.as_ref(),
                    ));
                }
            }
        }
        found.sort_unstable();
        let Some(&(distance, other, ..)) = found.first() else { return Vec::new() };
        // Two edits are a guess; several guesses are noise.
        let most = if distance == 1 { 2 } else { 1 };
        found
            .into_iter()
            .filter(|near| (near.0, near.1) == (distance, other))
            .take(most)
            .map(|near| near.3)
            .collect()
    }
}

/// What an English adjective in its second or third degree may come from: "cheapest" from "cheap",
/// "largest" from "large", "heaviest" from "heavy", "biggest" from "big". Mended, it would ask for
/// something else.
fn roots(word: &str) -> Vec<String> {
    let Some(root) =
        word.strip_suffix("est").or_else(|| word.strip_suffix("er")).filter(|root| root.len() > 2)
    else {
        return Vec::new();
    };
    let mut roots = vec![root.to_owned(), format!("{root}e")];
    roots.extend(root.strip_suffix('i').map(|root| format!("{root}y")));
    let mut letters = root.chars().rev();
    if letters.next() == letters.next() {
        roots.extend(
            root.char_indices().next_back().and_then(|(at, _)| root.get(..at)).map(str::to_owned),
        );
    }
    roots
}

/// Which letters a word holds, as bits.
fn letters(word: &str) -> u32 {
    word.chars().fold(0, |bits, c| bits | 1 << (u32::from(c) % 32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelling() -> Spelling {
        let spelling = Spelling::new(HashSet::from(["rent".to_owned(), "husband".to_owned()]));
        let texts = [
            "The warranty on tents is five years. Delivery to Switzerland costs 18.90 EUR. Refunds arrive soon.",
            "A refund is sent within 5 days. Tent poles are delivered. 退货政策",
        ];
        let vocabulary = Arc::new(Vocabulary::of(texts.into_iter()));
        spelling.sites.write().unwrap().insert("shop".into(), vocabulary);
        spelling
    }

    #[test]
    fn words_of_one_document_more_are_known_at_once() {
        let spelling = spelling();
        let corrected = |text: &str| spelling.corrected("shop", text, "en").map(|found| found.text);
        assert_eq!(corrected("bivouack"), None);
        assert!(spelling.add("shop", &["A bivouac, and a tent.".into()]));
        assert_eq!(corrected("bivouack").as_deref(), Some("bivouac"));
        let counts = |spelling: &Spelling| {
            let sites = spelling.sites.read().unwrap();
            let words = sites["shop"].words.values().flatten();
            (sites["shop"].size, words.filter(|(word, ..)| **word == *"bivouac").count())
        };
        let (size, _) = counts(&spelling);
        assert!(spelling.add("shop", &["The bivouac.".into()]));
        assert_eq!(counts(&spelling), (size, 1), "no word is there twice");
        assert!(!spelling.add("other", &["A bivouac.".into()]));
    }

    #[test]
    fn unknown_words_are_read_as_the_nearest_known_ones() {
        #[track_caller]
        fn check(text: &str, expected: Option<&str>) {
            let found = spelling().corrected("shop", text, "en");
            let meant = found.map(|meant| format!("{} {}", meant.text, meant.others));
            assert_eq!(meant.as_deref().map(str::trim), expected, "{text}");
        }
        check("warrenty on tants", Some("warranty on tents"));
        check("Delivry to Switzrland?", Some("delivery to switzerland?"));
        check("refound", Some("refund"));
        check("wraranti", Some("warranty"));
        check("warranty on a tent", None);
        check("Can I rent it for my husband?", None);
        // "Soonest" is no mistake for "sooner".
        check("soonest refund", None);
        check("xyzzyx HP3024 退货", None);
        check("", None);
        assert_eq!(spelling().corrected("other", "warrenty", "en"), None);
    }
}
