//! What of a text is one person's: names, addresses, numbers of orders and accounts, sums. Pure.
//!
//! Nothing is masked: a sentence that holds such a thing is about one customer and teaches nobody
//! else, so drafts leave it out as a whole. Where it can't be told, it counts as personal.

use std::collections::HashSet;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::manner::{Manner, manner, plain};
use crate::language::is_unspaced;
use crate::language::words::unicode_word_indices;
use crate::reason::places;
use crate::reason::quantity::{self, Bound};

/// What somebody else knows about words and texts.
pub struct Known<'a> {
    /// Whether a word in small letters is one of the language (ISO 639-1, first), or of the site's
    /// documents: then it is nobody's name just because it is unknown.
    pub is_word: &'a (dyn Fn(&str, &str) -> bool + Sync),
    /// Whether a text stands in the site's public documents, or in what the site says of itself.
    pub is_public: &'a (dyn Fn(&str) -> bool + Sync),
}

/// Kinds of personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Personal {
    Name,
    Email,
    Phone,
    Address,
    Link,
    /// Of an order, a customer, an account, a card.
    Number,
    Sum,
}

/// Digits in a row, with or without letters, from which a token is a number that somebody was
/// given.
const LONG: usize = 5;
/// Digits of a token that has letters, too.
const CODE: usize = 3;
/// Letters from which a word with a capital that nobody knows is taken for a name.
const UNKNOWN: usize = 4;
/// Digits of a telephone number.
const PHONE: usize = 7;

static NAMES: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    let lines = include_str!("data/names.txt").lines().filter(|line| !line.starts_with('#'));
    lines.flat_map(str::split_whitespace).collect()
});

/// Compiles a pattern of this file; one that can't be compiled matches nothing, and a test says so.
fn pattern(text: &str) -> Option<Regex> {
    Regex::new(text).ok()
}

static EMAIL: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"[^\s@<>,;()]+@[^\s@<>,;()]+\.\p{L}{2,}"));
static LINK: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:https?://|www\.)[^\s<>)]+|\b[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}/[^\s<>)]+",
    )
});
static PHONE_NUMBER: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"\+?\(?\d[\d ()./-]{5,}\d"));
static IP: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"\b\d{1,3}(?:\.\d{1,3}){3}\b|\b(?:[0-9a-f]{1,4}:){4,}"));
static MASKED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r"(?i)[*x•]{3,}[ -]?\d{2,}|\b(?:ending|ends)(?: in| with)? \d{2,}|尾号.{0,3}\d{3,}")
});
static HANDLE: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"(?:^|\s)@[\p{L}\d_]{2,}|\b[\p{L}\d]+_[\p{L}\d_]+\b"));
static TOKEN: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"#?[\p{L}\d]*\d[\p{L}\d]*(?:[-_/.,:][\p{L}\d]+)*"));
static DATE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"^(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|(?:19|20)\d\d[-/](?:19|20)?\d\d)$",
    )
});
static PLAIN_NUMBER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r"^(?:\d{1,3}(?:[.,]\d{3})+(?:[.,]\d{1,2})?|\d{1,4}(?:[.,:]\d{1,2})?)$")
});
static STREET: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(concat!(
        r"\b\d{1,5}[a-zA-Z]?,? (?:\p{Lu}[\p{L}.'’-]*,? ){1,4}(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Way|Place|Pl|Square|Sq|Terrace|Close|Crescent)\b",
        r"|\p{Lu}[\p{L}-]*(?:straße|strasse|str\.|gasse|platz|allee|straat|laan|weg|gatan|vägen|gata) ?\d+",
        r"|\b\d+,? (?:bis )?(?:rue|avenue|boulevard|chemin|place|quai|impasse) (?:de |du |des |la |le |l['’])*\p{Lu}",
        r"|\b(?:[Cc]alle|[Aa]venida|[Pp]aseo|[Vv]ia|[Rr]ua|[Uu]l\.|[Vv]iale|[Pp]iazza) (?:de |del |della |dos |da )*\p{Lu}[\p{L} ]*,? \d+",
        r"|\b(?:Apt|Suite|Apartment|Flat|Unit|Room)\.? ?#?\d+|\bP\.? ?O\.? Box \d+",
        r"|\b[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}\b",
        r"|[\p{Han}]{2,}(?:路|街|道|巷|弄)\d+号|\d+(?:栋|幢|单元|室)",
    ))
});

/// What of a text is personal, if anything; the first kind that is found. `language` is ISO 639-1.
#[must_use]
pub fn personal(text: &str, language: &str, known: &Known<'_>) -> Option<Personal> {
    let public = |found: &str| (known.is_public)(found);
    // What can't be looked through may be anybody's.
    let Some(manner) = manner(language) else { return Some(Personal::Name) };
    let any = |regex: &LazyLock<Option<Regex>>| {
        regex
            .as_ref()
            .is_some_and(|regex| regex.find_iter(text).any(|found| !public(found.as_str())))
    };
    if any(&EMAIL) {
        return Some(Personal::Email);
    }
    let personal_link =
        |link: &str| link.contains(['?', '#']) || link.bytes().any(|byte| byte.is_ascii_digit());
    if LINK.as_ref().is_some_and(|regex| {
        regex.find_iter(text).any(|found| personal_link(found.as_str()) && !public(found.as_str()))
    }) {
        return Some(Personal::Link);
    }
    if any(&STREET) {
        return Some(Personal::Address);
    }
    let is_phone = |found: &str| {
        let digits = found.bytes().filter(u8::is_ascii_digit).count();
        digits >= PHONE
            && !matches(&DATE, found.trim())
            && !matches(&PLAIN_NUMBER, found.trim())
            && !public(found.trim())
    };
    // Digits within a code ("W2378156") are no telephone number.
    let begins = |at: usize| {
        let before = text.get(..at).unwrap_or_default().chars().next_back();
        before.is_none_or(|c| !(c.is_alphanumeric() || matches!(c, '#' | '_')) || is_unspaced(c))
    };
    if PHONE_NUMBER.as_ref().is_some_and(|regex| {
        regex.find_iter(text).any(|found| begins(found.start()) && is_phone(found.as_str()))
    }) {
        return Some(Personal::Phone);
    }
    if any(&IP) || any(&MASKED) || any(&HANDLE) || number(text, language, manner, known) {
        return Some(Personal::Number);
    }
    if own_sum(text, language, manner) {
        return Some(Personal::Sum);
    }
    name(text, language, manner, known).then_some(Personal::Name)
}

fn matches(regex: &LazyLock<Option<Regex>>, text: &str) -> bool {
    regex.as_ref().is_some_and(|regex| regex.is_match(text))
}

/// Whether a number is one that somebody was given.
fn number(text: &str, language: &str, manner: &Manner, known: &Known<'_>) -> bool {
    let amounts = quantity::amounts(text, language);
    let measures = |start: usize, end: usize| {
        amounts.iter().any(|amount| amount.at.start <= start && end <= amount.at.end)
    };
    let tokens = TOKEN.as_ref().into_iter().flat_map(|regex| regex.find_iter(text));
    for found in tokens {
        let token = found.as_str();
        let digits = token.bytes().filter(u8::is_ascii_digit).count();
        let letters = token.chars().filter(|c| c.is_alphabetic() && !is_unspaced(*c)).count();
        let counted = token.starts_with(|c: char| c.is_ascii_digit())
            && letters <= 3
            && !token.contains(['-', '_', '/']);
        if measures(found.start(), found.end()) || matches(&DATE, token) || (known.is_public)(token)
        {
            continue;
        }
        let hash = token.starts_with('#') && digits >= 2;
        let long = digits >= LONG && !matches(&PLAIN_NUMBER, token);
        let code = letters > 0 && digits >= CODE && !counted;
        if hash || long || code {
            return true;
        }
    }
    // "Order 4711": the word before it says what it is.
    let plain = plain(text);
    let plain_amounts = quantity::amounts(&plain, language);
    manner.numbered.captures_iter(&plain).filter_map(|found| found.get(1)).any(|found| {
        let digits = found.as_str().bytes().filter(u8::is_ascii_digit).count();
        let measured = plain_amounts
            .iter()
            .any(|amount| amount.at.start <= found.start() && found.end() <= amount.at.end);
        digits >= 2 && !measured && !(known.is_public)(found.as_str())
    })
}

/// Whether a sum is one customer's: "your refund of 34.90 EUR". A limit ("up to 500 EUR") is
/// everybody's.
fn own_sum(text: &str, language: &str, manner: &Manner) -> bool {
    let money = quantity::amounts(text, language)
        .into_iter()
        .any(|amount| amount.unit.kind == quantity::Kind::Money && amount.bound == Bound::Exact);
    money && manner.tells_own_sum(&plain(text))
}

/// Whether a person is named.
fn name(text: &str, language: &str, manner: &Manner, known: &Known<'_>) -> bool {
    let lower = plain(text);
    let is_word = |word: &str| (known.is_word)(language, word);
    if !manner.spaced {
        // "お客様" and "皆様" are everybody, "客户经理" is a post.
        let somebody =
            |before: &str| !matches!(before, "客" | "皆" | "奥" | "神" | "户" | "的" | "位" | "各");
        let titled = manner.titled.captures_iter(&lower).filter_map(|found| found.get(1));
        return titled.into_iter().any(|before| somebody(before.as_str()))
            || manner.called.is_match(&lower);
    }
    let capitalised = capitalised(text);
    let is_capitalised =
        |word: &str| capitalised.iter().any(|(_, other)| other.to_lowercase() == word);
    let behind = |regex: &Regex| -> Vec<String> {
        regex
            .captures_iter(&lower)
            .filter_map(|found| Some(found.get(1)?.as_str().to_owned()))
            .collect()
    };
    if behind(&manner.titled).iter().any(|word| is_capitalised(word)) {
        return true;
    }
    let introduced =
        |word: &String| NAMES.contains(word.as_str()) || is_capitalised(word) && !is_word(word);
    if behind(&manner.called).iter().any(introduced) {
        return true;
    }
    let placed: Vec<String> =
        places::places(text).into_iter().map(|place| place.name.to_lowercase()).collect();
    capitalised.iter().any(|(opens, word)| {
        let lower = word.to_lowercase();
        if placed.iter().any(|place| place.split_whitespace().any(|part| part == lower)) {
            return false;
        }
        if NAMES.contains(lower.as_str()) {
            return !(known.is_public)(word);
        }
        // Where nouns have capitals, they say nothing; nor do they at the beginning of a sentence.
        // No list of words has all of the shortest.
        let is_word = |word: &str| is_word(word) || word.strip_prefix("un").is_some_and(is_word);
        !opens
            && lower.chars().count() >= UNKNOWN
            && language != "de"
            && !is_brand(word)
            && !is_word(&lower)
            && !(known.is_public)(word)
    })
}

/// Words that begin with a capital and go on in small letters, with whether they open a sentence.
fn capitalised(text: &str) -> Vec<(bool, &str)> {
    let mut found = Vec::new();
    for (at, word) in unicode_word_indices(text) {
        let word = word.strip_suffix("'s").or_else(|| word.strip_suffix("’s")).unwrap_or(word);
        let mut chars = word.chars();
        let first = chars.next().is_some_and(char::is_uppercase);
        let rest = chars.as_str();
        // "PIN" is an abbreviation, "ANNA" a name that somebody shouts.
        let shouted = rest.chars().all(|c| !c.is_lowercase())
            && !NAMES.contains(word.to_lowercase().as_str());
        if !first
            || rest.is_empty()
            || shouted
            || !word.chars().all(|c| c.is_alphabetic() || matches!(c, '\'' | '’'))
        {
            continue;
        }
        let before = text.get(..at).unwrap_or_default().trim_end();
        let opens = before.is_empty()
            || before.ends_with([
                '.', '!', '?', ':', '\n', '"', '“', '„', '«', '>', '•', '*', '(', '¿', '¡',
            ])
            || before
                .lines()
                .next_back()
                .is_none_or(|line| line.trim_matches(['-', ' ', '–']).is_empty());
        found.push((opens, word));
    }
    found
}

/// "PayPal": capitals within a word make a brand, unless it is a name with a prefix.
fn is_brand(word: &str) -> bool {
    const PREFIXES: [&str; 6] = ["Mc", "Mac", "De", "Di", "O'", "O’"];
    let inner = word.char_indices().skip(1).find(|(_, c)| c.is_uppercase()).map(|(at, _)| at);
    inner.is_some_and(|at| !PREFIXES.contains(&word.get(..at).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(language: &str, text: &str, expected: Option<Personal>) {
        let words: HashSet<&str> =
            "the app settings cards apple pay google profile please can transfers are free freeze it in \
             open help then visa card our shop for orders from to gas cartridges may not fly monday"
                .split_whitespace()
                .collect();
        let known = Known {
            is_word: &|_, word| words.contains(word),
            is_public: &|text| ["help@shop.example", "HP-1013", "+353 1 555 0100"].contains(&text),
        };
        assert_eq!(personal(text, language, &known), expected, "{text}");
    }

    #[test]
    fn patterns_compile() {
        for regex in [
            &EMAIL,
            &LINK,
            &PHONE_NUMBER,
            &IP,
            &MASKED,
            &HANDLE,
            &TOKEN,
            &DATE,
            &PLAIN_NUMBER,
            &STREET,
        ] {
            assert!(regex.is_some());
        }
    }

    #[test]
    fn what_is_one_customers_is_found() {
        use Personal::{Address, Email, Link, Name, Number, Phone, Sum};
        check("en", "Write to anna.smith@mail.example for it.", Some(Email));
        check("en", "Call 0494 92 82 32 for that.", Some(Phone));
        check("en", "It goes to 12 Long Meadow Lane then.", Some(Address));
        check("de", "Es geht an die Gartenstraße 5.", Some(Address));
        check("en", "The order #W2378156 can be returned.", Some(Number));
        check("en", "The order number is 4711.", Some(Number));
        check("en", "The card ending in 1234 is blocked.", Some(Number));
        check("en", "User sara_doe_496 can log in.", Some(Number));
        check("en", "The tracking code is AB123456789CD.", Some(Number));
        check("en", "See https://shop.example/track?id=abc for that.", Some(Link));
        check("en", "Your refund of 34.90 EUR comes soon.", Some(Sum));
        check("en", "Please tell Szabina that it works.", Some(Name));
        check("en", "Please tell Anna Smith that it works.", Some(Name));
        check("en", "Mr Stone can pick it up.", Some(Name));
        check("zh", "请王先生到店取货。", Some(Name));
        check("zh", "订单号 8837 可以退货。", Some(Number));
        check("de", "Frau Stein kann es abholen.", Some(Name));
    }

    #[test]
    fn what_holds_for_everybody_stays() {
        for text in [
            "Open Settings, then Cards, and freeze it.",
            "Transfers to Germany are free from 10,000 EUR on.",
            "A refund takes 3 to 5 working days.",
            "You can use Apple Pay and PayPal with a Visa card.",
            "We are open 9:00 to 18:00, and until 2026-12-31 on Monday, too.",
            "Write to help@shop.example or call +353 1 555 0100.",
            "The HP-1013 has 500ml, 128GB and 1080p.",
            "Refunds are limited: your refund can be up to 500 EUR.",
            "The ATM asks for a PIN of 4 digits.",
        ] {
            check("en", text, None);
        }
        check("de", "Die Erstattung dauert bis zu fünf Werktage.", None);
        check("zh", "退款需要 3 至 5 个工作日。", None);
        check("ja", "お客様の返品は30日以内に可能です。", None);
    }
}
