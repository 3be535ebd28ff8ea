//! What a text of another language says, word for word in English, for models that read English
//! alone. Pure.
//!
//! A gloss is no translation: words keep their order, endings are gone, and what the lists of
//! `data/gloss/` don't hold stays as it is. It is enough for a cross-encoder to tell what is asked;
//! nobody is shown one.

use std::collections::{HashMap, HashSet};
use std::sync::{LazyLock, OnceLock};

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
    let lexicon = lexicon(language)?;
    let mut said = Said::default();
    let tokens = tokens(text);
    // In German every noun has a capital letter.
    let capitals = language != "de";
    let accents = tokens.iter().any(|token| token.word().is_some_and(Word::has_accents));
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
            Token::Word(Word { folded: word, .. })
                if word.starts_with(|c: char| c.is_ascii_digit()) =>
            {
                said.word(word, 1.0, true);
                1
            }
            // "La Luna 2" is the product of that name, not the moon.
            Token::Word(Word { folded: word, capital: true, .. })
                if capitals && is_within(&tokens, at) && is_name(word) =>
            {
                said.word(word, 1.0, true);
                1
            }
            Token::Word(Word { folded: word, .. }) => {
                let words: Vec<&Word> =
                    tokens.get(at..).unwrap_or_default().iter().map_while(Token::word).collect();
                let found = lexicon.longest(&words, accents);
                let name = || is_name(word);
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
                        let whole = lexicon.compound(word, &found);
                        said.word(
                            whole.as_deref().unwrap_or(found.entry.english),
                            found.weight(),
                            true,
                        );
                        found.entry.words.len()
                    }
                    None => {
                        let parts = lexicon.parts(word);
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

/// Whether a word stands within a sentence: a capital letter says nothing at its beginning.
fn is_within(tokens: &[Token], at: usize) -> bool {
    at.checked_sub(1).and_then(|before| tokens.get(before)).is_some_and(|before| {
        !matches!(before, Token::Mark('.' | '?' | '!' | '¿' | '¡' | ':' | '›'))
    })
}

/// Whether the list of a language holds a word, by itself or within a phrase; the word is right as
/// it is written.
#[must_use]
pub fn is_word(language: &str, word: &str) -> bool {
    let Some(lexicon) = lexicon(language) else { return false };
    let word = Word::of(word);
    lexicon.longest(&[&word], false).is_some()
        || lexicon.parts(&word.folded).is_some()
        || lexicon.is_in_phrase(&word.folded)
}

/// Reads the lists of languages with spaces between words, which takes a moment: a server does it
/// before the first message.
pub fn load() {
    DATA.iter().filter(|(.., writing)| *writing != Writing::Unspaced).for_each(|(language, ..)| {
        lexicon(language);
    });
    LazyLock::force(&ENGLISH);
}

/// English words that the lists of languages with spaces hold.
static ENGLISH: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let lists = DATA.iter().filter(|(.., writing)| *writing != Writing::Unspaced);
    let english = lists.flat_map(|(_, text, _)| rows(text)).map(|(english, _)| english);
    english.flat_map(|english| english.split(' ')).collect()
});

/// The languages of which a word of customers and shops is, as far as the lists tell; English by
/// what they say in it.
pub(super) fn languages(word: &str) -> Vec<&'static str> {
    let word = Word::of(word);
    let folded = word.folded.as_str();
    let of = |lexicon: &Lexicon| {
        let found = lexicon.longest(&[&word], false);
        let clear = |found: &Found<'_>| {
            found.rest == 0 || found.rest <= MAX_ENDING && folded.len() - found.rest >= MIN_STEM
        };
        found.is_some_and(|found| clear(&found)) || lexicon.parts(folded).is_some()
    };
    // Words in Latin letters say nothing of languages without spaces.
    let mut found: Vec<&'static str> = DATA
        .iter()
        .filter(|(.., writing)| *writing != Writing::Unspaced)
        .map(|(language, ..)| *language)
        .filter(|language| lexicon(language).is_some_and(of))
        .collect();
    let is_english = |word: &str| ENGLISH.contains(word);
    if is_english(folded) || folded.strip_suffix('s').is_some_and(is_english) {
        found.push("en");
    }
    found
}

enum Token {
    Word(Word),
    Unspaced(String),
    Mark(char),
}

impl Token {
    fn word(&self) -> Option<&Word> {
        match self {
            Self::Word(word) => Some(word),
            Self::Unspaced(_) | Self::Mark(_) => None,
        }
    }
}

/// A word as it is compared and as it is written, both in lower case: many visitors leave accents
/// out, but who writes them tells "fermé" (closed) from "ferme" (farm).
#[derive(Debug)]
struct Word {
    folded: String,
    /// As it is written, where that is something else.
    accented: Option<Box<str>>,
    capital: bool,
}

impl Word {
    fn of(text: &str) -> Self {
        let mut folded = String::with_capacity(text.len());
        text.nfc().for_each(|c| fold(c, &mut folded));
        let written: String = text.nfc().flat_map(char::to_lowercase).collect();
        let accented = (written != folded).then(|| written.into_boxed_str());
        Self { folded, accented, capital: text.starts_with(char::is_uppercase) }
    }

    fn has_accents(&self) -> bool {
        self.accented.is_some()
    }

    fn written(&self) -> &str {
        self.accented.as_deref().unwrap_or(&self.folded)
    }

    /// Whether it begins with the letters of another as they are written.
    fn begins_as(&self, other: &Self) -> bool {
        self.written().starts_with(other.written())
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
    /// The last may be open, so that any ending fits.
    words: Vec<Word>,
    open: bool,
    english: &'static str,
    /// Its place in the list: the first of equals counts.
    at: usize,
}

/// A form as the list has it.
#[derive(Debug)]
struct Form {
    text: &'static str,
    english: &'static str,
    at: usize,
}

/// Forms whose first words begin alike. They are taken apart when they are asked for: the lists are
/// long, and a message needs a few of them.
#[derive(Default)]
struct Bucket {
    forms: Vec<Form>,
    entries: OnceLock<Vec<Entry>>,
}

impl Bucket {
    fn entries(&self) -> &[Entry] {
        self.entries.get_or_init(|| {
            let entry = |form: &Form| Entry {
                words: words(form.text),
                open: form.text.ends_with('*'),
                english: form.english,
                at: form.at,
            };
            self.forms.iter().map(entry).collect()
        })
    }
}

fn words(form: &str) -> Vec<Word> {
    let word = |token| match token {
        Token::Word(word) => Some(word),
        Token::Unspaced(_) | Token::Mark(_) => None,
    };
    tokens(form).into_iter().filter_map(word).collect()
}

/// The beginning of a word that finds its bucket: at most [`HEAD`] folded characters.
type Head = [char; HEAD];

/// The longest head of a form as the list has it.
fn head_of(form: &str) -> Option<Head> {
    let mut head = Head::default();
    // Most are plain letters, and there are many.
    let mut plain = 0;
    for (byte, place) in form.bytes().zip(&mut head) {
        if !byte.is_ascii_alphanumeric() {
            break;
        }
        *place = char::from(byte.to_ascii_lowercase());
        plain += 1;
    }
    // An accent may stand as a character of its own, behind the last of them, too.
    let next = form.as_bytes().get(plain);
    if plain > 0 && next.is_none_or(u8::is_ascii) {
        return Some(head);
    }
    let letters: String = form.chars().take_while(|c| !c.is_whitespace()).take(2 * HEAD).collect();
    let mut first = String::with_capacity(2 * HEAD);
    letters.nfc().take_while(|c| c.is_alphanumeric()).for_each(|c| fold(c, &mut first));
    heads(&first).last()
}

/// The heads of a folded text's first word, from its first character to all that count.
fn heads(folded: &str) -> impl Iterator<Item = Head> {
    let mut head = Head::default();
    folded.chars().take(HEAD).enumerate().map(move |(at, c)| {
        if let Some(place) = head.get_mut(at) {
            *place = c;
        }
        head
    })
}

/// An entry that fits a text.
struct Found<'a> {
    entry: &'a Entry,
    /// Bytes of the last word that its open end stands for.
    rest: usize,
    /// A word has other accents than the entry's, in a text that has some.
    other_accents: bool,
}

impl Found<'_> {
    /// How badly it fits, beside others of as many words.
    fn cost(&self) -> usize {
        self.rest + if self.other_accents { OTHER_ACCENTS } else { 0 }
    }

    #[expect(clippy::cast_precision_loss, reason = "a handful of words")]
    fn weight(&self) -> f32 {
        self.entry.words.len() as f32
    }
}

struct Lexicon {
    spaced: HashMap<Head, Bucket>,
    unspaced: HashMap<&'static str, &'static str>,
    /// Longest of them, in characters.
    longest: usize,
    compounds: bool,
    in_phrases: OnceLock<HashSet<String>>,
}

impl Lexicon {
    fn read(text: &'static str, compounds: bool) -> Self {
        let (mut spaced, mut unspaced) = (HashMap::<Head, Bucket>::new(), HashMap::new());
        let mut longest = 0;
        for (at, (english, text)) in forms(text).enumerate() {
            if text.starts_with(is_unspaced) {
                longest = longest.max(text.chars().count());
                unspaced.entry(text).or_insert(english);
                continue;
            }
            if let Some(head) = head_of(text) {
                spaced.entry(head).or_default().forms.push(Form { text, english, at });
            }
        }
        Self { spaced, unspaced, longest, compounds, in_phrases: OnceLock::new() }
    }

    /// Whether a folded word is one of a phrase.
    fn is_in_phrase(&self, word: &str) -> bool {
        let phrases = || {
            let forms = self.spaced.values().flat_map(|bucket| &bucket.forms);
            let of_several = forms.filter(|form| form.text.contains([' ', '-', '\'', '’']));
            of_several.flat_map(|form| words(form.text)).map(|word| word.folded).collect()
        };
        self.in_phrases.get_or_init(phrases).contains(word)
    }

    /// The entry of most words that a text begins with; of as many, the one that fits most exactly.
    /// `accents` tells whether the text has any: only then do they tell words apart.
    fn longest(&self, words: &[&Word], accents: bool) -> Option<Found<'_>> {
        let whole = words.first()?.folded.as_str();
        let near = heads(whole).filter_map(|head| self.spaced.get(&head));
        let near = near.flat_map(Bucket::entries);
        let fitting = near.filter_map(|entry| {
            let (last, before) = entry.words.split_last()?;
            let begins = before.iter().zip(words).all(|(own, word)| own.folded == word.folded);
            let end = words.get(before.len()).filter(|_| begins)?;
            let rest = end.folded.strip_prefix(last.folded.as_str())?;
            let fits = rest.is_empty() || entry.open;
            let other_accents =
                accents && entry.words.iter().zip(words).any(|(own, word)| !word.begins_as(own));
            let found = Found { entry, rest: rest.len(), other_accents };
            // Behind a short beginning only an ending follows; what is longer is another word, or a
            // compound.
            let strays = || {
                last.folded.len() < MIN_PART
                    && rest.len() > MAX_SHORT_ENDING
                    && self.compound(whole, &found).is_none()
            };
            (fits && !strays()).then_some(found)
        });
        fitting.reduce(|best, found| {
            let better = (found.entry.words.len(), best.cost(), best.entry.at)
                > (best.entry.words.len(), found.cost(), found.entry.at);
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
        // Its accents are gone with the cut.
        let part = Word { folded: word.to_owned(), accented: None, capital: false };
        let found = self
            .longest(&[&part], false)
            .filter(|found| word.len() >= MIN_PART && found.rest <= MAX_ENDING)?;
        Some(found.entry.english).filter(|english| !english.is_empty())
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
/// Characters of its first word by which an entry is looked up.
const HEAD: usize = 4;
/// Longest ending behind a beginning that is shorter than a part, in bytes.
const MAX_SHORT_ENDING: usize = 4;
/// What other accents count, in bytes of an ending.
const OTHER_ACCENTS: usize = 2;
/// Shortest beginning by which a word is told to be of a language.
const MIN_STEM: usize = 5;
/// What stands between the parts of a compound; nothing first.
const LINKS: &[&str] = &["", "s", "n", "e", "en", "es", "er"];
/// What a character counts beside a word.
const CHARACTER: f32 = 0.5;

/// Lists that were read, in the order of [`DATA`].
static LEXICONS: [OnceLock<Lexicon>; DATA.len()] = [const { OnceLock::new() }; DATA.len()];

/// The list of a language, read when it is first asked for.
fn lexicon(language: &str) -> Option<&'static Lexicon> {
    let at = DATA.iter().position(|(own, ..)| *own == language)?;
    let (_, text, writing) = DATA.get(at)?;
    let read = || Lexicon::read(text, *writing == Writing::Compounds);
    Some(LEXICONS.get(at)?.get_or_init(read))
}

/// How a language writes its words.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Writing {
    Spaced,
    /// With spaces, but compounds as one word.
    Compounds,
    Unspaced,
}

/// The lines of a list: English, and the forms.
fn rows(text: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(':')).map(|(english, forms)| (english.trim(), forms))
}

/// The forms of a list with their English.
fn forms(text: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let all = rows(text)
        .flat_map(|(english, forms)| forms.split(',').map(move |form| (english, form.trim())));
    all.filter(|(_, form)| !form.is_empty())
}

/// Lists by language.
const DATA: &[(&str, &str, Writing)] = &[
    ("de", include_str!("data/gloss/de.txt"), Writing::Compounds),
    ("es", include_str!("data/gloss/es.txt"), Writing::Spaced),
    ("fr", include_str!("data/gloss/fr.txt"), Writing::Spaced),
    ("it", include_str!("data/gloss/it.txt"), Writing::Spaced),
    ("ja", include_str!("data/gloss/ja.txt"), Writing::Unspaced),
    ("nl", include_str!("data/gloss/nl.txt"), Writing::Compounds),
    ("pl", include_str!("data/gloss/pl.txt"), Writing::Spaced),
    ("pt", include_str!("data/gloss/pt.txt"), Writing::Spaced),
    ("sv", include_str!("data/gloss/sv.txt"), Writing::Compounds),
    ("zh", include_str!("data/gloss/zh.txt"), Writing::Unspaced),
];

/// Words (numbers in one piece), runs of unspaced scripts, and marks.
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
            end(&mut tokens, &mut word, |word| Token::Word(Word::of(&word)));
            run.push(c);
            continue;
        }
        end(&mut tokens, &mut run, Token::Unspaced);
        if c.is_alphanumeric() || in_number {
            word.push(c);
            continue;
        }
        end(&mut tokens, &mut word, |word| Token::Word(Word::of(&word)));
        // "Est-ce que", "d'achat": words all the same.
        if !c.is_whitespace() && !matches!(c, '-' | '\'' | '’') {
            tokens.push(Token::Mark(c));
        }
    }
    end(&mut tokens, &mut run, Token::Unspaced);
    end(&mut tokens, &mut word, |word| Token::Word(Word::of(&word)));
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
            "what are the fees shipping backpack?",
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
        assert_eq!(held("deux semaines", "fr"), "two week");
        // A capital letter within a sentence, too.
        assert_eq!(held("¿Cuánto pesa la Luna 2?", "es"), "how heavy luna 2?");
        assert_eq!(held("cuánto pesa la luna", "es"), "how heavy moon");
        // What stands behind the beginning is no ending: a name that begins as a word does.
        assert_eq!(held("Zeltamor", "de"), "zeltamor");
    }

    #[test]
    fn who_writes_accents_is_understood_by_them() {
        let list = "farm: ferme*\nclosed: fermé*\nclose: ferm*\nalready: schon\nnice: schön*\n";
        let lexicon = Lexicon::read(list, false);
        let meant = |text: &str, accents: bool| {
            lexicon.longest(&[&Word::of(text)], accents).map(|found| found.entry.english)
        };
        for (text, accents, expected) in [
            ("fermés", true, "closed"),
            ("fermes", true, "farm"),
            ("Schöne", true, "nice"),
            ("schon", true, "already"),
            // Nothing tells which is meant: as the list has it.
            ("fermes", false, "farm"),
            ("schone", false, "nice"),
        ] {
            assert_eq!(meant(text, accents), Some(expected), "{text} {accents}");
        }
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
