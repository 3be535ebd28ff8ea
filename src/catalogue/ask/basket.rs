//! What several things cost together: "2 stoves and a tent, how much is that?". Strict: every word
//! has to be understood, each thing has to be one product with one price, and all prices have to be
//! in one currency.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::super::shelf::Shelf;
use super::super::words::{Measure, split};
use super::{Asked, MAX_BYTES, MAX_WORDS, RowsAnswer};
use crate::language::script::is_han;
use crate::language::stem::singular;
use crate::language::{content_words, is_common, is_unspaced};

/// Things in one question, and pieces of one, at most.
const MAX_THINGS: usize = 8;
const MAX_PIECES: u32 = 999;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    asks: Vec<String>,
    joins: Vec<String>,
    /// Those after which a thing comes with each of the things before it, where it is told without
    /// a number: "two tents with the pegs".
    with: Vec<String>,
    numbers: Vec<String>,
    /// Characters that may stand between names where words aren't spaced.
    #[serde(default)]
    passed: String,
}

static WORDS: LazyLock<BTreeMap<String, Words>> = LazyLock::new(|| {
    toml::from_str(include_str!("../../language/data/baskets.toml")).unwrap_or_else(|error| {
        // Built in, and a test reads it.
        tracing::error!(%error, "a built-in list of words can't be read");
        BTreeMap::new()
    })
});

/// One of the things that are asked for.
#[derive(Debug)]
struct Thing {
    pieces: u32,
    /// The number was said.
    counted: bool,
    /// A word between the number and the name was passed over: "glasses" of "3 glasses of honey".
    held: bool,
    words: Vec<String>,
}

impl Shelf {
    /// The sum, if the question asks for one and is wholly understood.
    #[must_use]
    pub fn basket(&self, asked: &Asked<'_>) -> Option<RowsAnswer> {
        if self.rows.is_empty() || asked.question.len() > MAX_BYTES {
            return None;
        }
        let chinese = asked.question.chars().any(is_han) && asked.language != "ja";
        let reads = if chinese { "zh" } else { asked.reads };
        let language = if chinese { "zh" } else { asked.language };
        let words = WORDS.get(reads)?;
        let things = self.things(asked.question, reads, words)?;
        if things.iter().map(|thing| thing.pieces).sum::<u32>() < 2 {
            return None;
        }
        let rows = self.visible(asked.audience, asked.language, asked.now_ms);
        let (mut lines, mut passages, mut sum, mut currency) = (Vec::new(), Vec::new(), 0.0, None);
        let mut before: Option<usize> = None;
        for thing in &things {
            // "Two Tarn 3 with the footprint": the footprint of that one.
            let row = self.one(&thing.words, &rows).or_else(|| {
                let name = &self.rows[before?].product.name;
                let words = split(name, &|_| 0, false).into_iter();
                let mut own: Vec<String> = words
                    .map(|word| singular(&word).to_owned())
                    .filter(|word| things.iter().any(|thing| thing.words.contains(word)))
                    .collect();
                own.extend(thing.words.iter().cloned());
                self.one(&own, &rows)
            })?;
            before = Some(row);
            let product = &self.rows[row].product;
            let each = product.amount().filter(|amount| *amount > 0.0)?;
            // What a kilo costs doesn't say what one of them does.
            if product.per.as_deref().is_some_and(|per| !is_piece(per, asked.question)) {
                return None;
            }
            if currency.get_or_insert(product.currency.clone()) != &product.currency {
                return None;
            }
            let cost = each * f64::from(thing.pieces);
            sum += cost;
            // Of two colours at one price none was chosen.
            let chosen = thing.words.iter().any(|word| self.tells(word) && !self.names(word));
            let label = self.rows[row].label.as_ref().filter(|_| chosen);
            let label = label.map(|label| format!(" ({label})")).unwrap_or_default();
            lines.push(format!(
                "- {} × {}{label}: {}",
                thing.pieces,
                product.name,
                money(cost, product.currency.as_deref())
            ));
            passages.push(self.rows[row].passage.clone());
        }
        let sum = money(sum, currency.flatten().as_deref());
        let before = &asked.wording.figures(language).sum;
        let text = format!("{}\n{before}{sum}", lines.join("\n"));
        passages.dedup_by(|a, b| a.document == b.document && a.ordinal == b.ordinal);
        Some(RowsAnswer { text, passages, open: false, unused: Vec::new() })
    }

    /// What is asked for, in its words; `None` if a word isn't understood, or no sum is asked for.
    fn things(&self, question: &str, language: &str, words: &Words) -> Option<Vec<Thing>> {
        let known = |rest: &str| self.unspaced(rest);
        let mut text = with_joins(question, words);
        let (mut things, mut open, mut asks): (Vec<Thing>, bool, bool) = (Vec::new(), false, false);
        for phrase in words.asks.iter().filter(|phrase| phrase.chars().all(is_unspaced)) {
            asks |= text.contains(phrase.as_str());
            text = text.replace(phrase.as_str(), " ");
        }
        let tokens = split(&text, &known, false);
        if tokens.len() > MAX_WORDS {
            return None;
        }
        let number = |token: &str| -> Option<u32> {
            let written =
                token.parse::<u32>().ok().filter(|number| (1..=MAX_PIECES).contains(number));
            written.or_else(|| {
                (1..).zip(&words.numbers).find(|(_, word)| *word == token).map(|(number, _)| number)
            })
        };
        let mut with = false;
        let named = |token: &str| self.names(singular(token)) || self.tells(singular(token));
        for (at, token) in tokens.iter().enumerate() {
            let token = token.as_str();
            let last = things.last_mut().filter(|_| open);
            if words.joins.iter().any(|join| join == token) {
                open = false;
                with = words.with.iter().any(|join| join == token);
            } else if let Some(thing) = last
                && named(token)
            {
                thing.words.push(singular(token).to_owned());
            } else if let Some(pieces) = number(token)
                && tokens[at + 1..].iter().take(3).any(|next| named(next))
            {
                // "For 2 stoves" begins anew; a second number in a name was taken for one above.
                things.push(Thing { pieces, counted: true, held: false, words: Vec::new() });
                open = true;
            } else if words.asks.iter().any(|ask| ask == token) {
                asks = true;
            } else if named(token) {
                // "With the pegs" is a set for each, "with a mallet" one for all.
                let plural = singular(token) != token;
                let each = things.last().filter(|_| with && plural).map_or(1, |last| last.pieces);
                things.push(Thing {
                    pieces: each,
                    counted: false,
                    held: false,
                    words: vec![singular(token).to_owned()],
                });
                open = true;
            } else if !is_light(token, language, words) {
                let thing = things
                    .last_mut()
                    .filter(|thing| open && thing.words.is_empty() && !thing.held)?;
                thing.held = true;
            }
        }
        things.retain(|thing| thing.counted || !thing.words.is_empty());
        let whole = things.iter().all(|thing| !thing.words.is_empty());
        (asks && whole && !things.is_empty() && things.len() <= MAX_THINGS).then_some(things)
    }

    /// The row of the one product, at one price, that these words name.
    fn one(&self, words: &[String], rows: &[usize]) -> Option<usize> {
        let meant = self.meant(words, rows)?;
        let first = *meant.rows.first()?;
        let price = |row: usize| (self.figure(Measure::Price, row), self.unit(Measure::Price, row));
        let same = meant.rows.iter().all(|row| price(*row) == price(first));
        (self.products(&meant.rows).len() == 1 && same).then_some(first)
    }
}

/// Whether a word changes nothing of what is asked.
fn is_light(token: &str, language: &str, words: &Words) -> bool {
    if token.chars().all(is_unspaced) {
        return token.chars().all(|c| words.passed.contains(c));
    }
    token == "x" || is_common(token, language) || content_words(token).next().is_none()
}

/// With commas and plus signs between things as words.
fn with_joins(question: &str, words: &Words) -> String {
    let join = words.joins.first().map_or("", String::as_str);
    let mut out = String::with_capacity(question.len() + 8);
    let mut chars = question.chars().peekable();
    while let Some(char) = chars.next() {
        let digit = chars.peek().is_some_and(char::is_ascii_digit)
            && out.ends_with(|c: char| c.is_ascii_digit());
        match char {
            '+' | '&' | ';' | '、' | '，' => out.extend([" ", join, " "]),
            ',' if !digit => out.extend([" ", join, " "]),
            '×' => out.push_str(" x "),
            char => out.push(char),
        }
    }
    out
}

/// Whether a price's unit is a piece, or what the question counts: bags where it asks for bags.
fn is_piece(per: &str, question: &str) -> bool {
    const PIECES: &[&str] = &[
        "piece", "pieces", "pc", "pcs", "each", "ea", "unit", "item", "stück", "stk", "st",
        "pièce", "unidad", "ud", "pezzo", "pz", "stuk", "stuks", "unidade", "un", "szt", "sztuka",
        "个", "件", "只", "個", "枚",
    ];
    let per = per.trim().trim_end_matches('.').to_lowercase();
    let start: String = per.chars().take(4).collect();
    PIECES.contains(&per.as_str())
        || start.chars().count() >= 3 && question.to_lowercase().contains(&start)
}

fn money(amount: f64, currency: Option<&str>) -> String {
    let text = format!("{amount:.2}");
    let text = text.strip_suffix(".00").unwrap_or(&text);
    currency.map_or_else(|| text.to_owned(), |currency| format!("{text} {currency}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_every_list() {
        for language in ["en", "de", "fr", "es", "it", "nl", "pt", "pl", "sv", "zh", "ja"] {
            let words = WORDS.get(language).unwrap_or_else(|| panic!("{language} is missing"));
            let lists = [&words.asks, &words.joins, &words.numbers];
            assert!(lists.iter().all(|list| !list.is_empty()), "{language}");
        }
    }
}
