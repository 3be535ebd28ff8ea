//! Which sentences the passages support, and the answer made of quotes. Pure.
//!
//! Two ways to an answer that invents nothing: [`Gate`] lets a model's sentences through one by
//! one, and [`quote`] chooses among the passages' own.

use std::collections::HashSet;

pub mod alike;
mod asking;
pub mod choose;
mod claims;
pub mod confidence;
mod evidence;
pub mod followup;
mod gate;
mod glue;
pub mod injection;
mod internal;
pub mod judged;
mod overview;
mod quote;
pub mod series;
pub mod several;
pub mod smalltalk;
mod units;

pub(crate) use claims::denies;
pub use claims::is_refusal;
pub use evidence::{Computed, Evidence, Ruling, Source, unmarked};
pub use gate::Gate;
pub use internal::{for_visitors, says_internal};
pub use judged::Scored;
pub use overview::{general_topic, is_on, openings};
pub(crate) use quote::with_own_verdicts;
pub use quote::{
    Shape, asks_for_a_kind, asks_how, compose, denies_below, explain, holds_what_is_asked,
    instruct, nearest, quote, say_denial, say_heading, shape, tells_a_problem,
};
pub use units::{Unit, keep_asked_items, keep_asked_rows, row_sentence, units};

/// Statements that can be checked letter by letter: numbers, prices, dates, links, addresses and
/// codes, in normal form.
#[must_use]
pub fn facts(text: &str) -> HashSet<String> {
    let mut facts = HashSet::new();
    for word in text.split(|c: char| {
        c.is_whitespace()
            || matches!(
                c,
                '|' | '，'
                    | '。'
                    | '（'
                    | '）'
                    | '：'
                    | '、'
                    | '；'
                    | '<'
                    | '>'
                    | '('
                    | ')'
                    | '['
                    | ']'
                    | '"'
            )
    }) {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '/' | '@'));
        if let Some(link) = link(word) {
            facts.insert(link);
        } else if word.bytes().any(|b| b.is_ascii_digit()) {
            if word.bytes().any(|b| b.is_ascii_uppercase()) && word.is_ascii() && word.len() > 2 {
                facts.insert(word.to_uppercase());
            }
            facts.extend(numbers(word));
        }
    }
    facts
}

/// A link or an address in normal form, without the scheme of web pages: a browser makes a link of
/// "shop.example", too.
fn link(word: &str) -> Option<String> {
    const SCHEMES: &[&str] =
        &["javascript:", "data:", "mailto:", "tel:", "sms:", "file:", "vbscript:", "blob:"];
    let lower = word.to_lowercase();
    let web = ["https://", "http://", "www."]
        .iter()
        .fold(lower.as_str(), |rest, start| rest.trim_start_matches(start));
    let known = web.len() < lower.len() || lower.contains("://") || lower.contains('@');
    let scheme = SCHEMES.iter().any(|scheme| lower.starts_with(scheme));
    let host = web.split(['/', '?', '#']).next().unwrap_or_default();
    let mut labels = host.rsplit('.');
    let domain = host.contains('.')
        && labels
            .next()
            .is_some_and(|top| top.len() >= 2 && top.bytes().all(|b| b.is_ascii_lowercase()))
        && labels.all(|label| {
            label.len() > 1
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.bytes().all(|b| b.is_ascii_digit())
        });
    (known || scheme || domain).then(|| web.trim_end_matches('/').to_owned())
}

/// The numbers inside a word: thousands separators and trailing zeros of decimals don't count, so
/// "1,900" is "1900" and "349.00" is "349".
fn numbers(word: &str) -> impl Iterator<Item = String> + '_ {
    word.split(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ','))
        .map(|number| number.trim_matches(['.', ',']))
        .filter(|number| !number.is_empty())
        .map(|number| {
            let thousands = number
                .split(',')
                .skip(1)
                .all(|group| group.split('.').next().is_some_and(|whole| whole.len() == 3));
            let plain = if thousands { number.replace(',', "") } else { number.replace(',', ".") };
            match plain.split_once('.') {
                Some((whole, decimals)) if !decimals.contains('.') => {
                    let decimals = decimals.trim_end_matches('0');
                    if decimals.is_empty() {
                        whole.to_owned()
                    } else {
                        format!("{whole}.{decimals}")
                    }
                }
                _ => plain,
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

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
            &["HP-3024", "3024", "shop.example/x", "help@shop.example"],
        );
        check_facts("9:30–18", &["9", "30", "18"]);
        check_facts("满75欧元免运费", &["75"]);
        check_facts("no facts here", &[]);
        check_facts(
            "see www.shop.example or [here](javascript:alert)",
            &["shop.example", "javascript:alert"],
        );
        check_facts(
            "shop.example/returns?x, e.g. at 3.30 p.m. in Node",
            &["shop.example/returns?x", "3.3"],
        );
    }
}
