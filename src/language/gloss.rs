//! What a text of another language says, word for word in English, for models that read English
//! alone. Pure.
//!
//! A gloss is no translation: words keep their order, endings are gone, and what the lists of
//! `data/gloss/` don't hold stays as it is. It is enough for a cross-encoder to tell what is asked;
//! nobody is shown one.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization as _;

use super::is_unspaced;

/// A text in English, word for word.
#[derive(Clone, Debug, PartialEq)]
pub struct Gloss {
    pub text: String,
    /// Share of its words that the list of its language holds, or that are names or numbers, 0…1.
    pub known: f32,
}

/// The gloss of a text; `None` for a language without a list. `is_name` tells of a lower-case word
/// whether it means the same in every language: the names that a shop's own documents hold.
#[must_use]
pub fn gloss(text: &str, language: &str, is_name: impl Fn(&str) -> bool) -> Option<Gloss> {
    let lexicon = LEXICONS.get(language)?;
    let mut said = Said::default();
    let tokens = tokens(text);
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += match token {
            Token::Mark(mark) => {
                said.mark(*mark);
                1
            }
            Token::Unspaced(run) => {
                lexicon.unspaced(run, &mut said);
                1
            }
            Token::Word(word) if word.starts_with(|c: char| c.is_ascii_digit()) => {
                said.word(word, 1.0, true);
                1
            }
            Token::Word(word) => {
                let words: Vec<&str> =
                    tokens.get(at..).unwrap_or_default().iter().map_while(Token::folded).collect();
                let found = lexicon.longest(&words);
                let name = || is_name(&word.to_lowercase());
                match found {
                    // "Tarn" is no form of "tarnen"; "Woche" is one of "Woch-", whatever else the
                    // documents hold.
                    Some(found)
                        if found.entry.words.len() == 1
                            && found.rest > 0
                            && !is_inflected(word, found.rest)
                            && name() =>
                    {
                        said.word(word, 1.0, true);
                        1
                    }
                    Some(found) => {
                        let whole =
                            lexicon.compound(words.first().copied().unwrap_or_default(), &found);
                        said.word(
                            whole.as_deref().unwrap_or(&found.entry.english),
                            found.weight(),
                            true,
                        );
                        found.entry.words.len()
                    }
                    None => {
                        let parts = lexicon.parts(words.first().copied().unwrap_or_default());
                        let known = parts.is_some() || name();
                        said.word(parts.as_deref().unwrap_or(word), 1.0, known);
                        1
                    }
                }
            }
        };
    }
    Some(said.gloss())
}

/// Whether the list of a language holds a word, by itself or within a phrase; the word is right as
/// it is written.
#[must_use]
pub fn is_word(language: &str, word: &str) -> bool {
    let Some(lexicon) = LEXICONS.get(language) else { return false };
    let mut folded = String::with_capacity(word.len());
    word.nfc().for_each(|c| fold(c, &mut folded));
    let fits = |entry: &Entry| entry.words.contains(&folded);
    let in_phrase = || lexicon.spaced.values().flatten().any(fits);
    lexicon.longest(&[&folded]).is_some() || lexicon.parts(&folded).is_some() || in_phrase()
}

/// The languages of which a word of customers and shops is, as far as the lists tell; English by
/// what they say in it.
pub(super) fn languages(word: &str) -> Vec<&'static str> {
    static ENGLISH: LazyLock<HashSet<String>> = LazyLock::new(|| {
        let all = LEXICONS.values().flat_map(|lexicon| lexicon.spaced.values().flatten());
        all.flat_map(|entry| entry.english.split(' ').map(str::to_owned)).collect()
    });
    let mut folded = String::with_capacity(word.len());
    word.nfc().for_each(|c| fold(c, &mut folded));
    let of = |lexicon: &Lexicon| {
        let found = lexicon.longest(&[&folded]);
        let clear = |found: &Found<'_>| {
            found.rest == 0 || found.rest <= MAX_ENDING && folded.len() - found.rest >= MIN_STEM
        };
        found.is_some_and(|found| clear(&found)) || lexicon.parts(&folded).is_some()
    };
    let mut found: Vec<&'static str> = DATA
        .iter()
        .map(|(language, ..)| *language)
        .filter(|language| LEXICONS.get(language).is_some_and(of))
        .collect();
    let is_english = |word: &str| ENGLISH.contains(word);
    if is_english(&folded) || folded.strip_suffix('s').is_some_and(is_english) {
        found.push("en");
    }
    found
}

enum Token {
    /// Folded.
    Word(String),
    Unspaced(String),
    Mark(char),
}

impl Token {
    fn folded(&self) -> Option<&str> {
        match self {
            Self::Word(word) => Some(word),
            Self::Unspaced(_) | Self::Mark(_) => None,
        }
    }
}

#[derive(Default)]
struct Said {
    text: String,
    known: f32,
    unknown: f32,
}

impl Said {
    fn word(&mut self, english: &str, weight: f32, known: bool) {
        if known {
            self.known += weight;
        } else {
            self.unknown += weight;
        }
        if !english.is_empty() {
            self.text.push_str(if self.text.is_empty() { "" } else { " " });
            self.text.push_str(english);
        }
    }

    fn mark(&mut self, mark: char) {
        let mark = match mark {
            '？' => '?',
            '！' => '!',
            '。' => '.',
            '，' | '、' => ',',
            mark => mark,
        };
        if matches!(mark, '?' | '!' | '.' | ',' | ':' | ';' | '›') && !self.text.is_empty() {
            self.text.push(mark);
        }
    }

    fn gloss(self) -> Gloss {
        let all = self.known + self.unknown;
        Gloss { text: self.text, known: if all > 0.0 { self.known / all } else { 0.0 } }
    }
}

#[derive(Debug)]
struct Entry {
    /// Folded; the last may be open, so that any ending fits.
    words: Vec<String>,
    open: bool,
    english: String,
}

/// An entry that fits a text.
struct Found<'a> {
    entry: &'a Entry,
    /// Bytes of the last word that its open end stands for.
    rest: usize,
}

impl Found<'_> {
    #[expect(clippy::cast_precision_loss, reason = "a handful of words")]
    fn weight(&self) -> f32 {
        self.entry.words.len() as f32
    }
}

struct Lexicon {
    /// By the first letter of the first word.
    spaced: HashMap<char, Vec<Entry>>,
    unspaced: HashMap<String, String>,
    /// Longest of them, in characters.
    longest: usize,
    compounds: bool,
}

impl Lexicon {
    fn read(text: &str, compounds: bool) -> Self {
        let mut lexicon =
            Self { spaced: HashMap::new(), unspaced: HashMap::new(), longest: 0, compounds };
        let rows = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split_once(':'));
        for (english, forms) in rows {
            for form in forms.split(',').map(str::trim).filter(|form| !form.is_empty()) {
                if form.starts_with(is_unspaced) {
                    lexicon.longest = lexicon.longest.max(form.chars().count());
                    lexicon
                        .unspaced
                        .entry(form.to_owned())
                        .or_insert_with(|| english.trim().to_owned());
                    continue;
                }
                let words: Vec<String> =
                    tokens(form).iter().filter_map(Token::folded).map(str::to_owned).collect();
                let Some(first) = words.first().and_then(|word| word.chars().next()) else {
                    continue;
                };
                let entry =
                    Entry { words, open: form.ends_with('*'), english: english.trim().to_owned() };
                lexicon.spaced.entry(first).or_default().push(entry);
            }
        }
        lexicon
    }

    /// The entry of most words that a text begins with; of as many, the one that fits most exactly.
    fn longest(&self, words: &[&str]) -> Option<Found<'_>> {
        let first = words.first()?.chars().next()?;
        let fitting = self.spaced.get(&first)?.iter().filter_map(|entry| {
            let (last, before) = entry.words.split_last()?;
            let begins = before.iter().zip(words).all(|(own, word)| own == word);
            let rest = words.get(before.len()).filter(|_| begins)?.strip_prefix(last.as_str())?;
            let fits = rest.is_empty() || entry.open;
            let found = Found { entry, rest: rest.len() };
            // Behind a short beginning only an ending follows; what is longer is another word, or a
            // compound.
            let word = words.first().copied().unwrap_or_default();
            let strays = || {
                last.len() < MIN_PART
                    && rest.len() > MAX_SHORT_ENDING
                    && self.compound(word, &found).is_none()
            };
            (fits && !strays()).then_some(found)
        });
        // The first of equals, as the list has it.
        fitting.reduce(|best, found| {
            let better =
                (found.entry.words.len(), best.rest) > (best.entry.words.len(), found.rest);
            if better { found } else { best }
        })
    }

    /// The English of a compound whose beginning an entry with an open end stands for:
    /// "Lederpflege".
    fn compound(&self, word: &str, found: &Found<'_>) -> Option<String> {
        if !self.compounds || found.entry.words.len() > 1 || found.rest < MIN_PART {
            return None;
        }
        let rest = word.get(word.len() - found.rest..)?;
        let tail = LINKS
            .iter()
            .filter_map(|link| rest.strip_prefix(link))
            .find_map(|rest| self.part(rest))?;
        Some(format!("{} {tail}", found.entry.english))
    }

    /// The English of a compound of two words that the list holds.
    fn parts(&self, word: &str) -> Option<String> {
        if !self.compounds {
            return None;
        }
        let cuts = word.char_indices().map(|(at, _)| at).rev();
        cuts.filter(|at| *at >= MIN_PART && word.len() - at >= MIN_PART).find_map(|at| {
            let (head, tail) = word.split_at(at);
            let head = LINKS
                .iter()
                .rev()
                .filter_map(|link| head.strip_suffix(link))
                .find_map(|head| self.part(head))?;
            Some(format!("{head} {}", self.part(tail)?))
        })
    }

    fn part(&self, word: &str) -> Option<&str> {
        let found = self
            .longest(&[word])
            .filter(|found| word.len() >= MIN_PART && found.rest <= MAX_ENDING)?;
        Some(found.entry.english.as_str()).filter(|english| !english.is_empty())
    }

    /// The longest words of a run, one after the other.
    fn unspaced(&self, run: &str, said: &mut Said) {
        let mut rest = run;
        while let Some(first) = rest.chars().next() {
            let ends: Vec<usize> =
                rest.char_indices().map(|(at, c)| at + c.len_utf8()).take(self.longest).collect();
            let found = ends
                .iter()
                .rev()
                .find_map(|end| Some((*end, self.unspaced.get(rest.get(..*end)?)?)));
            let end = match found {
                Some((end, english)) => {
                    let length = ends.iter().filter(|other| **other <= end).count();
                    said.word(
                        english,
                        CHARACTER * f32::from(u8::try_from(length).unwrap_or(u8::MAX)),
                        true,
                    );
                    end
                }
                // What no word holds says nothing to a model that reads English.
                None => {
                    said.word("", CHARACTER, false);
                    first.len_utf8()
                }
            };
            rest = rest.get(end..).unwrap_or_default();
        }
    }
}

/// Whether a folded word is a beginning of a list with an ordinary ending of `rest` bytes behind
/// it.
fn is_inflected(word: &str, rest: usize) -> bool {
    const ENDINGS: &[&str] = &[
        "a", "ado", "ados", "an", "ant", "ar", "as", "e", "ee", "ees", "em", "en", "ent", "er",
        "es", "est", "et", "ez", "ir", "is", "it", "n", "o", "os", "r", "s", "st", "t", "te",
        "ten", "ung", "ungen",
    ];
    let stem = word.len() - rest.min(word.len());
    stem >= MIN_PART && word.get(stem..).is_some_and(|ending| ENDINGS.contains(&ending))
}

/// Shortest part of a compound, and longest ending of a form that isn't a compound, in bytes.
const MIN_PART: usize = 4;
const MAX_ENDING: usize = 3;
/// Longest ending behind a beginning that is shorter than a part, in bytes.
const MAX_SHORT_ENDING: usize = 4;
/// Shortest beginning by which a word is told to be of a language.
const MIN_STEM: usize = 5;
/// What stands between the parts of a compound; nothing first.
const LINKS: &[&str] = &["", "s", "n", "e", "en", "es", "er"];
/// What a character counts beside a word.
const CHARACTER: f32 = 0.5;

static LEXICONS: LazyLock<HashMap<&'static str, Lexicon>> = LazyLock::new(|| {
    let read = |(language, text, compounds): &(&'static str, &str, bool)| {
        (*language, Lexicon::read(text, *compounds))
    };
    DATA.iter().map(read).collect()
});

/// Lists by language, and whether it writes compounds as one word.
const DATA: &[(&str, &str, bool)] = &[
    ("de", include_str!("data/gloss/de.txt"), true),
    ("es", include_str!("data/gloss/es.txt"), false),
    ("fr", include_str!("data/gloss/fr.txt"), false),
    ("it", include_str!("data/gloss/it.txt"), false),
    ("ja", include_str!("data/gloss/ja.txt"), false),
    ("nl", include_str!("data/gloss/nl.txt"), true),
    ("pl", include_str!("data/gloss/pl.txt"), false),
    ("pt", include_str!("data/gloss/pt.txt"), false),
    ("sv", include_str!("data/gloss/sv.txt"), true),
    ("zh", include_str!("data/gloss/zh.txt"), false),
];

/// Words (folded but for those of unspaced scripts, numbers in one piece), runs of unspaced
/// scripts, and marks.
fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut word = String::new();
    let mut run = String::new();
    let chars: Vec<char> = text.nfc().collect();
    for (at, &c) in chars.iter().enumerate() {
        let in_number = matches!(c, '.' | ',' | ':')
            && word.ends_with(|c: char| c.is_ascii_digit())
            && chars.get(at + 1).is_some_and(char::is_ascii_digit);
        if c.is_alphanumeric() && is_unspaced(c) {
            end(&mut tokens, &mut word, Token::Word);
            run.push(c);
            continue;
        }
        end(&mut tokens, &mut run, Token::Unspaced);
        if c.is_alphanumeric() || in_number {
            fold(c, &mut word);
            continue;
        }
        end(&mut tokens, &mut word, Token::Word);
        // "Est-ce que", "d'achat": words all the same.
        if !c.is_whitespace() && !matches!(c, '-' | '\'' | '’') {
            tokens.push(Token::Mark(c));
        }
    }
    end(&mut tokens, &mut run, Token::Unspaced);
    end(&mut tokens, &mut word, Token::Word);
    tokens
}

fn end(tokens: &mut Vec<Token>, text: &mut String, kind: fn(String) -> Token) {
    if !text.is_empty() {
        tokens.push(kind(std::mem::take(text)));
    }
}

/// A letter in lower case without its accent, as many visitors type it.
fn fold(c: char, word: &mut String) {
    match c {
        'ß' => word.push_str("ss"),
        'ł' | 'Ł' => word.push('l'),
        'ø' | 'Ø' => word.push('o'),
        c => word.extend(
            c.to_lowercase().nfkd().filter(|c| c.is_alphanumeric() || matches!(c, '.' | ',' | ':')),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(language: &str, text: &str, expected: &str) {
        let found = gloss(text, language, |word| word == "corrie").map(|gloss| gloss.text);
        assert_eq!(found.as_deref(), Some(expected), "{text}");
    }

    #[test]
    fn words_are_said_in_english_in_their_order() {
        check("de", "Wie lange dauert die Lieferung?", "how long take time delivery?");
        check(
            "de",
            "Sind Lederschuhe vom Umtausch ausgeschlossen?",
            "are leather shoe footwear from return except?",
        );
        check(
            "fr",
            "Quels sont les frais d'envoi du sac à dos ?",
            "which are delivery cost backpack?",
        );
        check("es", "¿Cuánto cuesta la Corrie 45?", "how much does cost corrie 45?");
        check("nl", "Is de regenjas waterdicht", "is rain jacket waterproof");
        check("zh", "睡袋可以机洗吗？", "sleeping bag can washing machine?");
        check("ja", "返品の送料はいくらですか", "return shipping cost how much");
    }

    #[test]
    fn forms_are_no_names_because_documents_hold_them() {
        let held = |text: &str, language: &str| gloss(text, language, |_| true).unwrap().text;
        assert_eq!(held("diese Woche", "de"), "this week");
        assert_eq!(held("deux semaines", "fr"), "deux week");
        // What stands behind the beginning is no ending: a name that begins as a word does.
        assert_eq!(held("Zeltamor", "de"), "zeltamor");
    }

    #[test]
    fn words_of_the_lists_are_right() {
        let all = [
            ("de", "zelt", true),
            ("de", "Lederschuhe", true),
            ("fr", "puis", true),
            ("fr", "qeul", false),
        ];
        for (language, word, right) in
            all.into_iter().chain([("da", "telt", false), ("es", "cuanto", true)])
        {
            assert_eq!(is_word(language, word), right, "{word}");
        }
    }

    #[test]
    fn no_form_stands_twice_in_a_list() {
        for (language, text, _) in DATA {
            let rows = text.lines().filter(|line| !line.starts_with('#'));
            let mut seen = HashSet::new();
            for row in rows {
                let (_, forms) = row.split_once(':').unwrap_or_else(|| panic!("{language}: {row}"));
                for form in forms.split(',').map(str::trim) {
                    assert!(
                        !form.is_empty() && seen.insert(form),
                        "{language}: {form:?} in {row:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_not_known_is_told() {
        let known = |text: &str, language: &str| gloss(text, language, |_| false).unwrap().known;
        assert!((known("Was kostet das?", "de") - 1.0).abs() < 1e-6);
        assert!(known("Quorx blimt das?", "de") < 0.5);
        assert!(known("龘龘龘", "zh") < 0.5);
        assert_eq!(gloss("Hvad koster det?", "da", |_| true), None);
    }
}
