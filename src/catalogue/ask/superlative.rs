//! The cheapest or the dearest of a kind, in the languages of `data/superlatives.toml`: "quel est
//! votre fromage le moins cher ?". Strict: every word has to be understood, what is asked about has
//! to be a kind of goods (or everything there is), and all prices have to be in one currency, for
//! one unit.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::super::shelf::Shelf;
use super::super::words::{Measure, split};
use super::{Asked, MAX_BYTES, MAX_VALUES, RowsAnswer};
use crate::language::stem::singular;
use crate::language::{content_words, is_common, is_unspaced};
use crate::retrieval::product;

/// Words of such a question, at most.
const MAX_WORDS: usize = 14;
/// Letters of the common words that change nothing, at most: articles and prepositions.
const MAX_COMMON: usize = 3;
/// Letters of a word that others may be forms of, at least, and of what these add to it, at most.
const MIN_STEM: usize = 4;
const MAX_ENDING: usize = 3;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    cheapest: Vec<String>,
    dearest: Vec<String>,
    things: Vec<String>,
    asks: Vec<String>,
    #[serde(default)]
    passed: String,
}

static WORDS: LazyLock<BTreeMap<String, Words>> = LazyLock::new(|| {
    let list = include_str!("../../language/data/superlatives.toml");
    toml::from_str(list).unwrap_or_else(|error| {
        // Built in, and a test reads it.
        tracing::error!(%error, "a built-in list of words can't be read");
        BTreeMap::new()
    })
});

impl Shelf {
    /// The cheapest or dearest of what a question names, if that is all it asks.
    pub(super) fn superlative(&self, asked: &Asked<'_>) -> Option<RowsAnswer> {
        if asked.question.len() > MAX_BYTES {
            return None;
        }
        let words = WORDS.get(asked.reads)?;
        let (most, kind) = kind(asked.question, asked.reads, words)?;
        let all = self.visible(asked.audience, asked.language, asked.now_ms);
        // After other things were talked about, "the cheapest" is one of these.
        let of = match kind.is_empty() {
            true if asked.history.iter().any(|line| line.by_visitor) => return None,
            true => all,
            false => self.of_kind(&kind, &all)?,
        };
        let figure = |row: &usize| self.figure(Measure::Price, *row).filter(|figure| *figure > 0.0);
        let priced: Vec<usize> = of.into_iter().filter(|row| figure(row).is_some()).collect();
        let unit = self.unit(Measure::Price, *priced.first()?)?;
        let several = self.products(&priced).len() > 1;
        if !several
            || priced.iter().any(|row| self.unit(Measure::Price, *row).as_ref() != Some(&unit))
        {
            return None;
        }
        let best = |rows: &[usize]| -> Vec<usize> {
            let figures = rows.iter().filter_map(figure);
            let limit = figures.reduce(|a, b| if most { a.max(b) } else { a.min(b) });
            let is_best = |row: &&usize| {
                figure(row)
                    .zip(limit)
                    .is_some_and(|(figure, limit)| figure.total_cmp(&limit).is_eq())
            };
            rows.iter().filter(is_best).copied().collect()
        };
        let mut told = best(&priced);
        let out = |row: &usize| self.rows[*row].out_of_stock();
        if told.iter().all(out) {
            let left: Vec<usize> = priced.iter().copied().filter(|row| !out(row)).collect();
            told.extend(best(&left));
        }
        if told.len() > MAX_VALUES {
            return None;
        }
        let lines: Option<Vec<String>> = told.iter().map(|row| self.line_of(*row, asked)).collect();
        let figures = asked.wording.figures(asked.language);
        let lead = if most { &figures.highest } else { &figures.lowest };
        let text = match lines?.as_slice() {
            [line] => format!("{lead}{line}"),
            lines => format!("{}\n- {}", lead.trim_end(), lines.join("\n- ")),
        };
        let passages = told.iter().map(|row| self.rows[*row].passage.clone()).collect();
        Some(RowsAnswer { text, passages, open: false, unused: Vec::new() })
    }

    /// "Lavender (2 l): 8.50 EUR (out of stock)".
    fn line_of(&self, row: usize, asked: &Asked<'_>) -> Option<String> {
        let row = &self.rows[row];
        let label = row.label.as_ref().filter(|label| !row.product.name.contains(label.as_str()));
        let label = label.map(|label| format!(" ({label})")).unwrap_or_default();
        let out = row
            .product
            .absence(asked.language, asked.wording)
            .map(|out| format!(" ({out})"))
            .unwrap_or_default();
        Some(format!("{}{label}: {}{out}", row.product.name, row.price()?))
    }

    /// The rows of a kind of goods: by category, by what their table calls such things, or by their
    /// names.
    fn of_kind(&self, kind: &[String], all: &[usize]) -> Option<Vec<usize>> {
        let holds = |text: &str| {
            let words = split(text, &|_| 0, false);
            kind.iter().all(|wanted| {
                let unspaced = wanted.chars().all(is_unspaced);
                unspaced && text.contains(wanted.as_str())
                    || words.iter().any(|word| is_form_of(word, wanted))
            })
        };
        let called = |row: &usize| {
            let Some(parts) = product::parts(&self.rows[*row].passage.text) else { return false };
            let name = &self.rows[*row].product.name;
            parts.iter().any(|(label, value)| *value == name.as_str() && holds(label))
        };
        let category =
            |row: &usize| self.rows[*row].product.category.as_deref().is_some_and(&holds);
        let named = |row: &usize| holds(&self.rows[*row].product.name);
        let rows = |test: &dyn Fn(&usize) -> bool| -> Option<Vec<usize>> {
            let rows: Vec<usize> = all.iter().copied().filter(test).collect();
            (self.products(&rows).len() > 1).then_some(rows)
        };
        rows(&category).or_else(|| rows(&called)).or_else(|| rows(&named))
    }
}

/// Whether two words are forms of one: "plant" and "planten", "vino" and "vini".
fn is_form_of(one: &str, other: &str) -> bool {
    if singular(one) == singular(other) {
        return true;
    }
    let (short, long) = if one.len() < other.len() { (one, other) } else { (other, one) };
    let more = long.strip_prefix(short).map(|ending| ending.chars().count());
    if short.chars().count() >= MIN_STEM {
        return more.is_some_and(|more| more <= MAX_ENDING) || vowels_apart(short, long);
    }
    false
}

/// "Vino" and "vini": only the vowel at the end is another.
fn vowels_apart(one: &str, other: &str) -> bool {
    let vowel = |word: &str| word.char_indices().next_back().filter(|(_, c)| "aeiou".contains(*c));
    match (vowel(one), vowel(other)) {
        (Some((at, _)), Some((end, _))) => one[..at] == other[..end],
        _ => false,
    }
}

/// Whether the most is asked for, and of what kind, in its words; `None` if it is another question,
/// or a word isn't understood.
fn kind(question: &str, language: &str, words: &Words) -> Option<(bool, Vec<String>)> {
    let mut text = format!(" {} ", split(question, &|_| 0, false).join(" "));
    let unspaced = words.cheapest.iter().all(|phrase| phrase.chars().all(is_unspaced));
    if unspaced {
        text = question.split_whitespace().collect();
    }
    let mut take = |phrases: &[String]| {
        let mut found = false;
        for phrase in phrases {
            let phrase = if unspaced { phrase.clone() } else { format!(" {phrase} ") };
            found |= text.contains(&phrase);
            text = text.replace(&phrase, " ");
        }
        found
    };
    let (least, most) = (take(&words.cheapest), take(&words.dearest));
    if least == most {
        return None;
    }
    take(&words.things);
    take(&words.asks);
    let mut kind: Vec<String> = Vec::new();
    if unspaced {
        // Particles stand around the name of a kind, and some of their letters within it.
        let rest = crate::language::words(&text)
            .map(|rest| rest.trim_matches(|c| words.passed.contains(c)));
        kind.extend(rest.filter(|rest| !rest.is_empty()).map(str::to_owned));
    } else {
        for token in text.split_whitespace() {
            let short = token.chars().count() <= MAX_COMMON && is_common(token, language);
            if !short && content_words(token).next().is_some() {
                kind.push(token.to_owned());
            }
        }
    }
    (kind.len() <= 3 && text.split_whitespace().count() <= MAX_WORDS).then_some((most, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_told_from_what_is_not_understood() {
        #[track_caller]
        fn check(question: &str, language: &str, expected: Option<(bool, &[&str])>) {
            let words = &WORDS[language];
            let found = kind(question, language, words);
            let found = found.as_ref().map(|(most, kind)| (*most, kind.join(" ")));
            assert_eq!(found, expected.map(|(most, kind)| (most, kind.join(" "))), "{question}");
        }
        check("Welke is de goedkoopste fiets?", "nl", Some((false, &["fiets"])));
        check("qual è il formaggio più caro?", "it", Some((true, &["formaggio"])));
        check("quel est le produit le moins cher ?", "fr", Some((false, &[])));
        check("一番安い部屋はどれですか", "ja", Some((false, &["部屋"])));
        check("which lamp is cheapest and which is most expensive?", "en", None);
        check("hoeveel kost de fiets?", "nl", None);
        check("what is the cheapest delivery?", "en", Some((false, &["delivery"])));
    }

    #[test]
    fn forms_of_a_word_are_known() {
        assert!(is_form_of("planten", "plant") && is_form_of("vini", "vino"));
        assert!(is_form_of("fromages", "fromage") && is_form_of("käse", "käse"));
        assert!(!is_form_of("plank", "plant") && !is_form_of("tent", "tea"));
    }

    #[test]
    fn every_language_has_every_list() {
        for language in ["en", "de", "fr", "es", "it", "nl", "pt", "pl", "sv", "zh", "ja"] {
            let words = WORDS.get(language).unwrap_or_else(|| panic!("{language} is missing"));
            let lists = [&words.cheapest, &words.dearest, &words.things, &words.asks];
            assert!(lists.iter().all(|list| !list.is_empty()), "{language}");
        }
    }
}
