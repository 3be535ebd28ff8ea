//! What stands in documents and isn't meant for visitors: instructions to the shop's own staff, and
//! templates that nobody filled in. Pure.

use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

use serde::Deserialize;

use super::units::Unit;

/// True for a sentence that tells staff what to do with a customer ("Ask the customer for the
/// code"), or that has a gap in place of its value ("costs [value not available]").
fn is_internal(sentence: &str) -> bool {
    let lower = sentence.to_lowercase().replace('’', "'");
    has_gap(&lower) || is_for_staff(&lower)
}

/// Whether a title says that its document is for the shop's own people: "Internal: closing an
/// account", "Closing an account (internal)".
#[must_use]
pub fn says_internal(title: &str) -> bool {
    const FIRST: &[&str] =
        &["internal", "intern", "interne", "interno", "interna", "staff only", "内部"];
    const ANYWHERE: &[&str] = &[
        "internal use",
        "internal only",
        "staff only",
        "employees only",
        "nur intern",
        "usage interne",
        "uso interno",
        "仅限内部",
        "内部使用",
    ];
    let lower = title.to_lowercase();
    let marked = |inside: &str| FIRST.contains(&inside.trim());
    let first = lower.split_once([':', '：']).is_some_and(|(first, _)| marked(first));
    let bracketed = lower
        .split(['(', '[', '（', '【'])
        .skip(1)
        .filter_map(|rest| rest.split([')', ']', '）', '】']).next());
    first || bracketed.into_iter().any(marked) || ANYWHERE.iter().any(|mark| lower.contains(mark))
}

/// The units of a passage that visitors may be told. A section that holds a script for staff is one
/// as a whole: its other sentences go on from it.
#[must_use]
pub fn for_visitors(units: Vec<Unit>) -> Vec<Unit> {
    let scripts: HashSet<String> = units
        .iter()
        .filter(|unit| says_internal(&unit.heading) || is_script(&unit.text))
        .map(|unit| unit.heading.clone())
        .collect();
    let told = |unit: &Unit| !is_internal(&unit.text) && !scripts.contains(&unit.heading);
    units.into_iter().filter(told).collect()
}

fn is_script(text: &str) -> bool {
    let lower = text.to_lowercase().replace('’', "'");
    STAFF.values().any(|list| list.scripts.iter().any(|script| names(&lower, script)))
}

fn is_for_staff(lower: &str) -> bool {
    let text = lower.trim_start_matches(|c: char| !c.is_alphanumeric());
    STAFF.values().any(|list| {
        let begins = list.begins.iter().any(|start| {
            let unspaced = !start.is_ascii() && start.chars().all(crate::language::is_unspaced);
            let rest = text.strip_prefix(start.as_str());
            rest.is_some_and(|rest| unspaced || rest.starts_with(|c: char| !c.is_alphanumeric()))
        });
        begins && list.about.iter().any(|about| names(text, about))
            || list.scripts.iter().any(|script| names(text, script))
    })
}

/// Whether these words stand in a text; `*` at their end stands for any ending.
fn names(text: &str, words: &str) -> bool {
    let (words, open) = words.strip_suffix('*').map_or((words, false), |words| (words, true));
    text.match_indices(words).any(|(at, found)| {
        let before = text[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric());
        let after = text[at + found.len()..].chars().next().is_none_or(|c| !c.is_alphanumeric());
        !words.is_ascii() && words.chars().all(crate::language::is_unspaced)
            || before && (open || after)
    })
}

/// What templates have in place of a value. Code that a page explains is none.
fn has_gap(lower: &str) -> bool {
    let lower = &lower.split('`').step_by(2).collect::<Vec<_>>().join(" ");
    const GAPS: &[&str] = &["{{", "${", "lorem ipsum", "<insert", "<placeholder"];
    const IN_BRACKETS: &[&str] = &[
        "not available",
        "insert",
        "placeholder",
        "todo",
        "tbd",
        "to be ",
        "n/a",
        "your ",
        "fill in",
        "…",
        "...",
    ];
    let bracketed = lower.match_indices('[').any(|(at, _)| {
        let Some((inside, rest)) = lower[at + 1..].split_once(']') else { return false };
        // "[your account](https://…)" is a link.
        !rest.starts_with('(')
            && inside.len() < 60
            && IN_BRACKETS.iter().any(|gap| inside.contains(gap))
    });
    // "[xxx]" is a gap, "[XXL]" a size.
    let crossed = lower
        .split(['[', ']'])
        .skip(1)
        .step_by(2)
        .any(|text| text.len() > 1 && text.bytes().all(|b| b == b'x'));
    let undecided = crate::language::has_word(lower, &["tbd", "tbc"]);
    bracketed || crossed || undecided || GAPS.iter().any(|gap| lower.contains(gap))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Staff {
    begins: Vec<String>,
    about: Vec<String>,
    /// What stands in scripts for staff alone, wherever in a sentence.
    #[serde(default)]
    scripts: Vec<String>,
}

static STAFF: LazyLock<BTreeMap<String, Staff>> = LazyLock::new(|| {
    toml::from_str(include_str!("../language/data/staff.toml")).unwrap_or_else(|error| {
        // Built in, and a test reads it.
        tracing::error!(%error, "a built-in list of words can't be read");
        BTreeMap::new()
    })
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_staff_is_told_from_what_is_for_customers() {
        for internal in [
            "Acknowledge receipt of the code and inform the customer that you go on.",
            "Ask the client for the order number.",
            "1. Check if customer is on the list. 2. If the customer says yes, close the ticket.",
            "Follow the internal protocol for lost keys.",
            "- Don't tell the customer the internal price.",
            "Fragen Sie den Kunden nach der Bestellnummer.",
            "Informez le client du délai.",
            "Pida al cliente el número de pedido.",
            "告知客户需要三天。",
            "Late fees may total 3 × $[value not available].",
            "The fee is TBD.",
            "Dear {{name}}, your parcel is on its way.",
            "It costs [xxx].",
        ] {
            assert!(is_internal(internal), "{internal}");
        }
        for public in [
            "The seller informs the customer of the delivery date.",
            "Ask us for the order number.",
            "We will notify the customer by e-mail.",
            "Tell the courier where to leave it.",
            "Confirm your order by e-mail.",
            "Open [your account](https://shop.example/account).",
            "Fragen Sie uns nach der Bestellnummer.",
            "The customer pays the return.",
            "Write `{{ customer.name }}` into the template.",
            "It comes in [XXL].",
            "客户可以在三天内退货。",
        ] {
            assert!(!is_internal(public), "{public}");
        }
    }

    #[test]
    fn a_section_with_a_script_is_for_staff_as_a_whole() {
        let text = "Keys open the gate.\n\n### Lost keys\n\nLook at the register first. If the \
                    customer says no, call the warden.\n\n### Fees\n\nA key costs 5 EUR.";
        let told: Vec<String> = for_visitors(crate::grounding::units(0, text))
            .into_iter()
            .map(|unit| unit.text)
            .collect();
        assert_eq!(told, ["Keys open the gate.", "A key costs 5 EUR."]);
    }

    #[test]
    fn every_language_of_staff_has_both_lists() {
        assert!(STAFF.len() >= 9);
        for (language, list) in &*STAFF {
            assert!(!list.begins.is_empty() && !list.about.is_empty(), "{language}");
        }
    }

    #[test]
    fn titles_say_what_is_internal() {
        for title in [
            "Internal: closing an account",
            "Closing an account (Internal)",
            "[intern] Rabatte",
            "Price list – for internal use",
            "退款流程（内部）",
        ] {
            assert!(says_internal(title), "{title}");
        }
        for title in [
            "Internal combustion engines: care",
            "International shipping",
            "Interne Speicher: 64 GB",
        ] {
            assert!(!says_internal(title), "{title}");
        }
    }
}
