//! Which sentences the passages support, and the answer made of quotes. Pure.
//!
//! Two ways to an answer that invents nothing: [`Gate`] lets a model's sentences through one by one, and [`quote`] chooses
//! among the passages' own.

use std::collections::HashSet;
use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation as _;

pub mod confidence;
pub mod injection;
mod quote;
mod units;

pub use quote::{Scored, Shape, compose, nearest, quote, shape};
pub use units::{Unit, units};

/// What a sentence may lean on.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// Facts in normal form.
    facts: HashSet<String>,
    /// Content words of each source, stemmed.
    sources: Vec<HashSet<String>>,
}

/// What became of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It is supported; `source` is the index of the source that supports it most, if a source does.
    Send { text: String, source: Option<usize> },
    /// It is not; `reason` names what it lacks.
    Withhold { text: String, reason: String },
}

/// Share of a sentence's content words that one source must hold.
const SUPPORT: f32 = 0.6;

impl Evidence {
    /// Evidence from passages (which can be cited, in this order) and from the conversation (which can't).
    #[must_use]
    pub fn new<'a>(
        passages: impl IntoIterator<Item = &'a str>,
        conversation: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut evidence = Self::default();
        for passage in passages {
            evidence.facts.extend(facts(passage));
            evidence.sources.push(content_words(passage).collect());
        }
        for line in conversation {
            evidence.facts.extend(facts(line));
        }
        evidence
    }

    /// Decides about one sentence.
    #[must_use]
    pub fn rule(&self, sentence: &str) -> Ruling {
        let text = sentence.to_owned();
        if let Some(invented) = facts(sentence).into_iter().find(|fact| !self.facts.contains(fact)) {
            return Ruling::Withhold { text, reason: format!("{invented:?} stands in no source") };
        }
        let words: Vec<String> = content_words(sentence).collect();
        if words.is_empty() {
            return Ruling::Send { text, source: None };
        }
        let held = |source: &HashSet<String>| words.iter().filter(|word| source.contains(*word)).count();
        let best = self
            .sources
            .iter()
            .enumerate()
            .map(|(i, source)| (held(source), i))
            .max_by_key(|(n, i)| (*n, usize::MAX - i));
        match best {
            #[expect(clippy::cast_precision_loss, reason = "word counts are small")]
            Some((n, source)) if n as f32 >= SUPPORT * words.len() as f32 => {
                Ruling::Send { text, source: Some(source) }
            }
            _ => Ruling::Withhold { text, reason: "no source says so".into() },
        }
    }
}

/// Lets text through sentence by sentence, as it is written.
#[derive(Debug)]
pub struct Gate {
    evidence: Evidence,
    pending: String,
}

impl Gate {
    #[must_use]
    pub fn new(evidence: Evidence) -> Self {
        Self { evidence, pending: String::new() }
    }

    /// Takes more text; rules on the sentences that are now whole.
    pub fn push(&mut self, text: &str) -> Vec<Ruling> {
        self.pending.push_str(text);
        let mut rulings = Vec::new();
        while let Some(end) = sentence_end(&self.pending) {
            let sentence: String = self.pending.drain(..end).collect();
            rulings.push(self.evidence.rule(&sentence));
        }
        rulings
    }

    /// Rules on what is left when the writer ended. A sentence cut in the middle is withheld where `cut` says so.
    pub fn finish(&mut self, cut: bool) -> Option<Ruling> {
        let rest = std::mem::take(&mut self.pending);
        if rest.trim().is_empty() {
            return None;
        }
        if cut {
            return Some(Ruling::Withhold { text: rest, reason: "the sentence was cut off".into() });
        }
        Some(self.evidence.rule(&rest))
    }
}

/// Where the first whole sentence ends: behind its closing mark and the white space after it, or behind a line break.
fn sentence_end(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let after = at + c.len_utf8();
        match c {
            '\n' if !text.get(..at).unwrap_or_default().trim().is_empty() => return Some(after),
            '。' | '！' | '？' => return Some(after),
            '.' | '!' | '?' => {
                // A whole sentence shows by the white space behind it; "4.90", "e.g." and "1." go on.
                let &(_, next) = chars.peek()?;
                let closes = matches!(next, '"' | '\'' | ')' | '”' | '’' | ']' | '*');
                let mut rest = text.get(after..).unwrap_or_default().chars().skip(usize::from(closes));
                let space = rest.next()?;
                if space.is_whitespace() && !is_abbreviation(text.get(..at).unwrap_or_default()) {
                    let end = after + if closes { next.len_utf8() } else { 0 } + space.len_utf8();
                    return Some(end);
                }
            }
            _ => {}
        }
    }
    None
}

/// True if what stands before a full stop is an abbreviation, an initial or a list number.
fn is_abbreviation(before: &str) -> bool {
    let word = before.rsplit(|c: char| c.is_whitespace() || c == '(').next().unwrap_or_default();
    let list_number = !word.is_empty()
        && word.len() <= 2
        && word.bytes().all(|b| b.is_ascii_digit())
        && before.trim_end_matches(word).chars().next_back().is_none_or(|c| c == '\n');
    let single = word.chars().count() == 1 && word.chars().all(char::is_uppercase);
    list_number
        || single
        || matches!(
            word.to_lowercase().as_str(),
            "e.g"
                | "i.e"
                | "mr"
                | "mrs"
                | "ms"
                | "dr"
                | "st"
                | "no"
                | "nr"
                | "approx"
                | "ca"
                | "etc"
                | "vs"
                | "incl"
                | "excl"
                | "min"
                | "max"
                | "tel"
        )
}

/// The sentences of a text, as byte ranges without the white space around them. Lines end sentences too.
#[must_use]
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let rest = text.get(start..).unwrap_or_default();
        let end = sentence_end(rest).unwrap_or(rest.len());
        let piece = rest.get(..end).unwrap_or_default();
        let trimmed = piece.trim();
        if !trimmed.is_empty() {
            let from = start + (piece.len() - piece.trim_start().len());
            ranges.push(from..from + trimmed.len());
        }
        start += end;
    }
    ranges
}

/// Statements that can be checked letter by letter: numbers, prices, dates, links, addresses and codes, in normal form.
#[must_use]
pub fn facts(text: &str) -> HashSet<String> {
    let mut facts = HashSet::new();
    for word in text.split(|c: char| {
        c.is_whitespace() || matches!(c, '|' | '，' | '。' | '（' | '）' | '：' | '、' | '；' | '<' | '>')
    }) {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '/' | '@'));
        if word.contains("://") || word.starts_with("www.") || word.contains('@') {
            facts.insert(word.trim_end_matches('/').to_lowercase());
        } else if word.bytes().any(|b| b.is_ascii_digit()) {
            if word.bytes().any(|b| b.is_ascii_uppercase()) && word.is_ascii() && word.len() > 2 {
                facts.insert(word.to_uppercase());
            }
            facts.extend(numbers(word));
        }
    }
    facts
}

/// The numbers inside a word: thousands separators and trailing zeros of decimals don't count, so "1,900" is "1900" and "349.00" is "349".
fn numbers(word: &str) -> impl Iterator<Item = String> + '_ {
    word.split(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ','))
        .map(|number| number.trim_matches(['.', ',']))
        .filter(|number| !number.is_empty())
        .map(|number| {
            let thousands =
                number.split(',').skip(1).all(|group| group.split('.').next().is_some_and(|whole| whole.len() == 3));
            let plain = if thousands { number.replace(',', "") } else { number.replace(',', ".") };
            match plain.split_once('.') {
                Some((whole, decimals)) if !decimals.contains('.') => {
                    let decimals = decimals.trim_end_matches('0');
                    if decimals.is_empty() { whole.to_owned() } else { format!("{whole}.{decimals}") }
                }
                _ => plain,
            }
        })
}

/// Words that carry meaning, lower-cased and cut to a stem. Unspaced scripts give pairs of characters.
pub fn content_words(text: &str) -> impl Iterator<Item = String> + '_ {
    let spaced = text
        .unicode_words()
        .map(str::to_lowercase)
        .filter(|word| word.chars().next().is_some_and(|c| !is_unspaced(c)) && !STOP_WORDS.contains(&word.as_str()));
    let unspaced = text.split(|c: char| !is_unspaced(c)).flat_map(|run| {
        let chars: Vec<char> = run.chars().collect();
        chars.windows(2).map(|pair| pair.iter().collect::<String>()).collect::<Vec<_>>()
    });
    spaced.map(|word| stem(&word).to_owned()).chain(unspaced)
}

fn is_unspaced(c: char) -> bool {
    matches!(u32::from(c), 0x3040..=0x30ff | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xf900..=0xfaff | 0x0e00..=0x0e7f | 0x20000..=0x2ffff)
}

/// A light stem for comparing words: plural and common verb endings go. Enough where both sides are cut the same way.
fn stem(word: &str) -> &str {
    for ending in ["ing", "ed", "es", "s"] {
        if let Some(stem) = word.strip_suffix(ending).filter(|stem| stem.chars().count() >= 3 && stem.is_ascii()) {
            return stem.strip_suffix('e').unwrap_or(stem);
        }
    }
    word.strip_suffix('e').filter(|stem| stem.len() >= 3).unwrap_or(word)
}

/// English function words; other languages have fewer hits here and are judged by more of their words.
const STOP_WORDS: &[&str] = &[
    "a", "about", "after", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be", "been", "but", "by",
    "can", "could", "did", "do", "does", "for", "from", "had", "has", "have", "here", "how", "i", "if", "in", "into",
    "is", "it", "its", "just", "me", "may", "my", "no", "not", "of", "on", "or", "our", "please", "should", "so",
    "some", "than", "that", "the", "their", "them", "then", "there", "these", "they", "this", "to", "too", "up", "us",
    "was", "we", "were", "what", "when", "where", "which", "who", "why", "will", "with", "would", "you", "your", "yes",
    "yours", "much", "many", "get", "there's", "it's", "don't", "i'm",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check_sentences(text: &str, expected: &[&str]) {
        let found: Vec<&str> = sentences(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn sentences_end_where_people_end_them() {
        check_sentences("It costs 4.90 EUR. Free from 75 EUR!", &["It costs 4.90 EUR.", "Free from 75 EUR!"]);
        check_sentences("Bring e.g. a stove. Mr. Pike knows.", &["Bring e.g. a stove.", "Mr. Pike knows."]);
        check_sentences("免费退货。60天内有效！", &["免费退货。", "60天内有效！"]);
        check_sentences("1. Open it.\n2. Close it.", &["1. Open it.", "2. Close it."]);
        check_sentences("He said \"no.\" Then left", &["He said \"no.\"", "Then left"]);
        check_sentences("  \n ", &[]);
    }

    fn check_facts(text: &str, expected: &[&str]) {
        let expected: HashSet<String> = expected.iter().map(|fact| (*fact).to_owned()).collect();
        assert_eq!(facts(text), expected, "{text}");
    }

    #[test]
    fn facts_have_one_form() {
        check_facts("349.00 EUR", &["349"]);
        check_facts("€1,900.50", &["1900.5"]);
        check_facts("12,5 kg", &["12.5"]);
        check_facts(
            "Order HP-3024 at https://shop.example/x/ or help@shop.example.",
            &["HP-3024", "3024", "https://shop.example/x", "help@shop.example"],
        );
        check_facts("9:30–18", &["9", "30", "18"]);
        check_facts("满75欧元免运费", &["75"]);
        check_facts("no facts here", &[]);
    }

    fn check_rule(sentence: &str, sent: bool) {
        let evidence = Evidence::new(
            ["Shipping to Ireland costs 4.90 EUR. Shipping is free from 75 EUR.", "Returns are free within 60 days."],
            ["My order number is 8812."],
        );
        assert_eq!(matches!(evidence.rule(sentence), Ruling::Send { .. }), sent, "{sentence}");
    }

    #[test]
    fn only_what_a_source_says_is_sent() {
        check_rule("Shipping to Ireland costs 4.90 EUR.", true);
        check_rule("Shipping to Ireland costs 5.90 EUR.", false);
        check_rule("Your returns are free within 60 days.", true);
        check_rule("Unicorns graze peacefully near waterfalls.", false);
        check_rule("Yes!", true);
        check_rule("Shipping of order 8812 is free.", false);
    }

    #[test]
    fn the_gate_gives_the_same_rulings_however_the_text_is_cut() {
        let text = "Shipping costs 4.90 EUR. It takes 99 days. Returns are free.\nDone";
        let whole = |cut: usize| {
            let evidence = Evidence::new(["Shipping costs 4.90 EUR. Returns are free."], []);
            let mut gate = Gate::new(evidence);
            let mut rulings = gate.push(&text[..cut]);
            rulings.extend(gate.push(&text[cut..]));
            rulings.extend(gate.finish(false));
            rulings
        };
        let expected = whole(0);
        assert_eq!(expected.iter().filter(|ruling| matches!(ruling, Ruling::Send { .. })).count(), 2);
        for cut in 0..=text.len() {
            assert_eq!(whole(cut), expected, "cut at {cut}");
        }
    }
}
