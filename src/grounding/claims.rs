//! What a sentence claims that can be checked against a source: numbers with their units, dates,
//! names, and whether it denies something. Pure.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::language::lists::{self, List, has, stands_in};
use crate::language::script::narrow;
use crate::language::{is_unspaced, stem};

/// The words of all languages; the file says what each list holds.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lists {
    denials: List,
    within: List,
    refusals: List,
    openers: List,
}

static LISTS: LazyLock<Lists> =
    LazyLock::new(|| lists::of_all_languages(include_str!("../language/data/words/claims.toml")));

/// A number as it stands in a text, in normal form, with the unit beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Quantity {
    pub(super) number: String,
    /// In normal form; empty where none is known.
    pub(super) unit: &'static str,
    pub(super) at: usize,
}

/// A name: `Tarn 3`, `Drift Air`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// Its words as [`spelling`] gives them.
    pub(super) key: String,
    pub(super) shown: String,
    pub(super) range: Range<usize>,
}

/// Units that are money.
pub(super) const MONEY: &[&str] = &["eur", "usd", "gbp", "chf", "cny"];

/// The text with every number in ASCII digits: full-width ones, English number words, and Chinese
/// numerals before a unit.
pub(super) fn in_digits(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    if text.chars().any(|c| narrow(c) != c) {
        text = Cow::Owned(text.chars().map(narrow).collect());
    }
    if text.chars().any(|c| NUMERALS.contains(c)) {
        text = Cow::Owned(chinese(&text));
    }
    if text.split(|c: char| !c.is_ascii_alphabetic()).any(|word| value(word).is_some()) {
        text = Cow::Owned(english(&text));
    }
    text
}

const NUMERALS: &str = "零〇一二两三四五六七八九十百千万半";
/// Chinese units, longest first where one begins with another.
const CHINESE_UNITS: &[(&str, &str)] = &[
    ("个工作日", "day"),
    ("工作日", "day"),
    ("个月", "month"),
    ("个小时", "hour"),
    ("小时", "hour"),
    ("分钟", "minute"),
    ("星期", "week"),
    ("欧元", "eur"),
    ("美元", "usd"),
    ("英镑", "gbp"),
    ("公斤", "kg"),
    ("千克", "kg"),
    ("公里", "km"),
    ("千米", "km"),
    ("厘米", "cm"),
    ("毫米", "mm"),
    ("毫升", "ml"),
    ("天", "day"),
    ("日", "day"),
    ("周", "week"),
    ("月", "month"),
    ("年", "year"),
    ("秒", "second"),
    ("元", "cny"),
    ("克", "g"),
    ("米", "m"),
    ("升", "l"),
    ("件", ""),
    ("次", ""),
    ("人", ""),
    ("个", ""),
];

/// Chinese numerals before a unit as digits. A lone 一 is as often a word ("一般") as a number, and
/// stays.
fn chinese(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let run: String = rest.chars().take_while(|c| NUMERALS.contains(*c)).collect();
        let after = rest.get(run.len()..).unwrap_or_default();
        let counts = !run.is_empty()
            && run != "一"
            && CHINESE_UNITS.iter().any(|(unit, _)| after.starts_with(unit));
        match chinese_value(&run).filter(|_| counts) {
            Some(value) => {
                out.push_str(&value);
                rest = after;
            }
            None => {
                let step = if run.is_empty() { c.len_utf8() } else { run.len() };
                out.push_str(rest.get(..step).unwrap_or_default());
                rest = rest.get(step..).unwrap_or_default();
            }
        }
    }
    out
}

fn chinese_value(run: &str) -> Option<String> {
    if run == "半" {
        return Some("0.5".to_owned());
    }
    let (mut total, mut section, mut digit) = (0_u64, 0_u64, 0_u64);
    for c in run.chars() {
        let scale = match c {
            '十' => 10,
            '百' => 100,
            '千' => 1_000,
            '万' => 10_000,
            '半' => return None,
            c => {
                digit = "零一二三四五六七八九".chars().position(|d| d == c).or(match c {
                    '两' => Some(2),
                    _ => Some(0),
                })? as u64;
                continue;
            }
        };
        if scale == 10_000 {
            total = (total + section + digit).checked_mul(scale)?;
            section = 0;
        } else {
            section += digit.max(1) * scale;
        }
        digit = 0;
    }
    Some((total + section + digit).to_string())
}

/// What an English number word is worth. "One" is as often a pronoun, and is left alone.
fn value(word: &str) -> Option<u64> {
    const SMALL: [&str; 18] = [
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const TENS: [&str; 8] =
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
    if !(3..=9).contains(&word.len()) {
        return None;
    }
    let is = |other: &&str| word.eq_ignore_ascii_case(other);
    if word.eq_ignore_ascii_case("dozen") {
        return Some(12);
    }
    let small = SMALL.iter().position(&is).map(|at| at as u64 + 2);
    small.or_else(|| TENS.iter().position(&is).map(|at| (at as u64 + 2) * 10)).or_else(|| {
        [("hundred", 100), ("thousand", 1_000)]
            .iter()
            .find(|(name, _)| is(name))
            .map(|(_, value)| *value)
    })
}

/// English number words as digits: "twenty-five" is 25, "three hundred" 300.
fn english(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let gap = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(rest.len());
        out.push_str(rest.get(..gap).unwrap_or_default());
        rest = rest.get(gap..).unwrap_or_default();
        let word = |text: &str| text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
        let mut end = word(rest);
        let Some(mut total) = rest.get(..end).and_then(value) else {
            out.push_str(rest.get(..end).unwrap_or_default());
            rest = rest.get(end..).unwrap_or_default();
            continue;
        };
        // "twenty five", "two hundred", "three thousand".
        while let Some(next) = rest.get(end..).and_then(|rest| rest.strip_prefix([' ', '-'])) {
            let Some(more) = next.get(..word(next)).and_then(value) else { break };
            total = match (total, more) {
                (total, scale @ (100 | 1_000)) if total < scale => total * scale,
                (total, small) if total >= 20 && total % 10 == 0 && small < 10 => total + small,
                (total, small) if total >= 100 && total % 100 == 0 && small < 100 => total + small,
                _ => break,
            };
            end += 1 + word(next);
        }
        out.push_str(&total.to_string());
        rest = rest.get(end..).unwrap_or_default();
    }
    out
}

fn unit_of(word: &str) -> Option<&'static str> {
    const UNITS: &[(&str, &[&str])] = &[
        ("eur", &["eur", "euro", "euros", "€"]),
        ("usd", &["usd", "dollar", "dollars", "$"]),
        ("gbp", &["gbp", "pound", "pounds", "£"]),
        ("chf", &["chf", "franc", "francs"]),
        ("cny", &["cny", "rmb", "yuan", "¥", "￥"]),
        ("%", &["%", "percent"]),
        ("second", &["second", "seconds", "sekunden"]),
        ("minute", &["minute", "minutes", "min", "mins", "minuten"]),
        ("hour", &["hour", "hours", "h", "hrs", "stunden"]),
        ("day", &["day", "days", "tage", "tagen"]),
        ("week", &["week", "weeks", "wochen"]),
        ("month", &["month", "months", "monate", "monaten"]),
        ("year", &["year", "years", "yr", "yrs", "jahre", "jahren"]),
        ("g", &["g", "gram", "grams"]),
        ("kg", &["kg", "kilo", "kilos", "kilogram", "kilograms"]),
        ("mm", &["mm"]),
        ("cm", &["cm", "centimetres", "centimeters"]),
        ("m", &["m", "metre", "metres", "meter", "meters"]),
        ("km", &["km", "kilometres", "kilometers"]),
        ("ml", &["ml"]),
        ("l", &["l", "litre", "litres", "liter", "liters"]),
    ];
    let word = word.to_lowercase();
    UNITS.iter().find(|(_, names)| names.contains(&word.as_str())).map(|(unit, _)| *unit)
}

/// The numbers of a text that [`in_digits`] made.
pub(super) fn quantities(text: &str) -> Vec<Quantity> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text.get(at..).and_then(|rest| rest.find(|c: char| c.is_ascii_digit()))
    {
        let start = at + start;
        let rest = text.get(start..).unwrap_or_default();
        let length =
            rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ',').unwrap_or(rest.len());
        let whole = rest.get(..length).unwrap_or_default().trim_end_matches(['.', ',']);
        at = start + whole.len().max(1);
        let (before, after) =
            (text.get(..start).unwrap_or_default(), text.get(at..).unwrap_or_default());
        // "1 to 2 days": the first number is one of days, too.
        let unit = unit_after(after)
            .or_else(|| unit_after(range_end(after)?))
            .or_else(|| unit_before(before));
        let unit = unit.unwrap_or_default();
        found.extend(super::numbers(whole).map(|number| Quantity { number, unit, at: start }));
    }
    found
}

/// What follows the second number, if the text goes on as a range.
fn range_end(after: &str) -> Option<&str> {
    let rest = after.trim_start();
    let to = ["to ", "and ", "or ", "bis ", "-", "–", "—", "至", "到", "~", "x ", "×"];
    let rest = to.iter().find_map(|to| rest.strip_prefix(to))?.trim_start();
    let digits =
        rest.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ',')).unwrap_or(rest.len());
    rest.get(digits..).filter(|_| digits > 0)
}

fn unit_after(after: &str) -> Option<&'static str> {
    let mut rest = after.trim_start_matches(' ');
    rest = rest.strip_prefix(['-', '\u{a0}']).unwrap_or(rest);
    for _ in 0..2 {
        if let Some((_, unit)) = CHINESE_UNITS.iter().find(|(name, _)| rest.starts_with(name)) {
            return Some(*unit).filter(|unit| !unit.is_empty());
        }
        let first = rest.chars().next()?;
        if !first.is_alphabetic() {
            return unit_of(&first.to_string());
        }
        let word = rest.get(
            ..rest.find(|c: char| !c.is_alphabetic() || is_unspaced(c)).unwrap_or(rest.len()),
        )?;
        if !["working", "business", "calendar", "full", "whole"]
            .contains(&word.to_lowercase().as_str())
        {
            return unit_of(word);
        }
        rest = rest.get(word.len()..)?.trim_start();
    }
    None
}

fn unit_before(before: &str) -> Option<&'static str> {
    let before = before.trim_end();
    let last = before.chars().next_back()?;
    if !last.is_alphabetic() {
        return unit_of(&last.to_string()).filter(|unit| MONEY.contains(unit));
    }
    let word = before.rsplit(|c: char| !c.is_ascii_alphabetic()).next()?;
    unit_of(word)
        .filter(|unit| MONEY.contains(unit) && word.bytes().all(|b| b.is_ascii_uppercase()))
}

/// Months and days of the week, in normal form. Short ones that are words, too ("sun", "may"),
/// count with a date around them.
pub(super) fn dates(text: &str) -> Vec<&'static str> {
    const NAMES: &[(&str, &[&str])] = &[
        ("january", &["jan", "一月"]),
        ("february", &["feb", "二月"]),
        ("march", &[]),
        ("april", &["apr"]),
        ("may", &[]),
        ("june", &["jun"]),
        ("july", &["jul"]),
        ("august", &["aug"]),
        ("september", &["sep", "sept"]),
        ("october", &["oct"]),
        ("november", &["nov"]),
        ("december", &["dec"]),
        ("monday", &["mon", "周一", "星期一"]),
        ("tuesday", &["tue", "tues", "周二", "星期二"]),
        ("wednesday", &["wed", "周三", "星期三"]),
        ("thursday", &["thu", "thur", "thurs", "周四", "星期四"]),
        ("friday", &["fri", "周五", "星期五"]),
        ("saturday", &["周六", "星期六"]),
        ("sunday", &["周日", "星期日", "星期天", "周天"]),
    ];
    let words: Vec<&str> = crate::language::words(text).collect();
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        if !word.chars().next().is_some_and(char::is_uppercase) {
            continue;
        }
        let lower = word.to_lowercase();
        let lower = lower.strip_suffix('s').filter(|_| lower.ends_with("days")).unwrap_or(&lower);
        let beside = || {
            let near = |word: Option<&&str>| {
                word.is_some_and(|word| {
                    word.bytes().any(|b| b.is_ascii_digit())
                        || [
                            "in", "until", "by", "since", "from", "to", "end", "early", "late",
                            "mid",
                        ]
                        .contains(&word.to_lowercase().as_str())
                })
            };
            near(words.get(at + 1)) || at.checked_sub(1).is_some_and(|at| near(words.get(at)))
        };
        let name = NAMES
            .iter()
            .find(|(name, short)| *name == lower || short.contains(&lower))
            .map(|(name, _)| *name);
        found.extend(name.filter(|name| !matches!(*name, "may" | "march") || beside()));
    }
    for (name, short) in NAMES {
        if short.iter().any(|short| !short.is_ascii() && text.contains(short)) {
            found.push(*name);
        }
    }
    found
}

/// A word of a text, and whether a sentence begins with it.
struct Word<'a> {
    text: &'a str,
    at: usize,
    opens: bool,
    /// Follows the word before it after nothing but a space.
    joined: bool,
}

fn words(text: &str) -> Vec<Word<'_>> {
    let mut found: Vec<Word<'_>> = Vec::new();
    let is_word = |c: char| c.is_alphanumeric() && !is_unspaced(c);
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    let (mut at, mut end) = (0, 0);
    while let Some(&(start, c)) = chars.get(at) {
        if !is_word(c) {
            at += 1;
            continue;
        }
        let mut last = at;
        while let Some(&(_, next)) = chars.get(last + 1) {
            let inner = matches!(next, '-' | '\'' | '’' | '&' | '+' | '.' | ',');
            let goes_on =
                is_word(next) || inner && chars.get(last + 2).is_some_and(|(_, c)| is_word(*c));
            // "4.90" is a word, "account.To" is two.
            let glued = matches!(next, '.' | ',')
                && !(chars.get(last).is_some_and(|(_, c)| c.is_ascii_digit())
                    && chars.get(last + 2).is_some_and(|(_, c)| c.is_ascii_digit()));
            if !goes_on || glued {
                break;
            }
            last += 1;
        }
        let stop = chars.get(last + 1).map_or(text.len(), |(at, _)| *at);
        let between = text.get(end..start).unwrap_or_default();
        let opens = found.is_empty()
            || between.contains(['.', '!', '?', ':', '\n', '|', '。', '！', '？', '：', '•'])
            || between.trim_start().starts_with(['"', '“']);
        let joined = !found.is_empty() && matches!(between, " " | "\u{a0}");
        found.push(Word {
            text: text.get(start..stop).unwrap_or_default(),
            at: start,
            opens,
            joined,
        });
        end = stop;
        at = last + 1;
    }
    found
}

/// The words of a text, stemmed and lower-cased, each between spaces: what is looked for in it is
/// put between spaces, too.
pub(super) fn spelling(text: &str) -> String {
    let mut spelling = String::from(" ");
    for word in words(text) {
        let word = word.text.to_lowercase();
        spelling.push_str(stem(word.trim_end_matches("'s").trim_end_matches("’s")));
        spelling.push(' ');
    }
    spelling
}

/// Names in a text: two or more words of which each begins with a capital or is a number, the first
/// of them a word.
pub(super) fn names(text: &str) -> Vec<Name> {
    let words = words(text);
    let capital = |word: &Word<'_>| word.text.chars().next().is_some_and(char::is_uppercase);
    // A number that counts something is no part of a name: "Weight 2400 g".
    let counts: Vec<usize> = quantities(text)
        .into_iter()
        .filter(|found| !found.unit.is_empty())
        .map(|found| found.at)
        .collect();
    let number = |word: &Word<'_>| {
        word.text.len() <= 5
            && word.text.bytes().all(|b| b.is_ascii_digit())
            && !counts.contains(&word.at)
    };
    let mut found = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let begins = words
            .get(at)
            .is_some_and(|word| capital(word) && word.text.chars().count() > 1 && !is_aside(word));
        if !begins {
            at += 1;
            continue;
        }
        let goes_on =
            |word: &&Word<'_>| word.joined && !is_aside(word) && (capital(word) || number(word));
        let more = words.get(at + 1..).unwrap_or_default().iter().take_while(goes_on).count();
        let run = words.get(at..=at + more).unwrap_or_default();
        at += more + 1;
        let run = match run.split_first() {
            Some((first, rest)) if first.opens && is_opener(first.text) => rest,
            _ => run,
        };
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        if run.len() < 2 || !capital(first) {
            continue;
        }
        let range = first.at..last.at + last.text.len();
        let shown = text.get(range.clone()).unwrap_or_default().to_owned();
        found.push(Name { key: spelling(&shown), shown, range });
    }
    found
}

/// Capitalised words that end a name: currencies, dates, and what is written large anyway.
fn is_aside(word: &Word<'_>) -> bool {
    let text = word.text;
    matches!(text, "I" | "EUR" | "USD" | "GBP" | "CHF" | "CNY" | "FAQ" | "ID" | "OK" | "Yes" | "No")
        || !dates(&format!("in {text} 1")).is_empty()
}

/// Words that sentences begin with and that are no part of the name after them.
fn is_opener(word: &str) -> bool {
    let lower = word.to_lowercase();
    has(&LISTS.openers, &lower) || crate::language::STOP_WORDS.contains(&lower.as_str())
}

/// What tells a product of a catalogue: its name up to the last capitalised word or number, `Tarn
/// 3` of `Tarn 3 tent`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProductName {
    key: String,
    shown: String,
    /// A single word counts only where it is capitalised: "Ember" is a stove, an ember isn't.
    single: bool,
}

/// The distinctive names of products. One that begins with an ordinary word of the catalogue tells
/// nothing.
pub(super) fn products<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<ProductName> {
    let names: Vec<&str> = names.into_iter().collect();
    let ordinary: std::collections::HashSet<&str> = names
        .iter()
        .flat_map(|name| crate::language::words(name))
        .filter(|word| word.chars().next().is_some_and(char::is_lowercase))
        .collect();
    let mut found: Vec<ProductName> = Vec::new();
    for name in names {
        let tells = |word: &Word<'_>| {
            word.text.chars().next().is_some_and(char::is_uppercase)
                || word.text.bytes().all(|b| b.is_ascii_digit())
        };
        let words = words(name);
        let count = words
            .iter()
            .enumerate()
            .take_while(|(at, word)| tells(word) && (*at == 0 || word.joined))
            .count();
        let (Some(first), Some(last)) =
            (words.first(), count.checked_sub(1).and_then(|at| words.get(at)))
        else {
            continue;
        };
        let single = count == 1;
        if single
            && (ordinary.contains(first.text.to_lowercase().as_str())
                || first.text.chars().count() < 3)
        {
            continue;
        }
        let shown = name.get(first.at..last.at + last.text.len()).unwrap_or_default().to_owned();
        let product = ProductName { key: spelling(&shown), shown, single };
        if !found.contains(&product) {
            found.push(product);
        }
    }
    found
}

/// Products of the catalogue that a text names.
pub(super) fn named<'a>(text: &str, products: &'a [ProductName]) -> Vec<&'a ProductName> {
    if products.is_empty() {
        return Vec::new();
    }
    let all = spelling(text);
    let words = words(text);
    // At the beginning of a sentence every word is capitalised.
    let capitalised = |product: &ProductName| {
        words.iter().any(|word| word.text == product.shown && (!word.opens || words.len() > 3))
    };
    products
        .iter()
        .filter(|product| all.contains(&product.key) && (!product.single || capitalised(product)))
        .collect()
}

impl ProductName {
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    pub(super) fn shown(&self) -> &str {
        &self.shown
    }
}

/// True if the text denies something.
pub(crate) fn denies(text: &str) -> bool {
    if stands_in(&LISTS.within, text) {
        return true;
    }
    words(text).iter().any(|word| {
        let lower = word.text.to_lowercase().replace('’', "'");
        // "Item no. HP-1013" counts, it doesn't deny.
        let counts = lower == "no"
            && text.get(word.at + word.text.len()..).is_some_and(|rest| rest.starts_with('.'));
        (has(&LISTS.denials, &lower) || lower.ends_with("n't")) && !counts
    })
}

/// True if the sentence says that it doesn't know.
#[must_use]
pub fn is_refusal(sentence: &str) -> bool {
    let lower = sentence.to_lowercase().replace('’', "'");
    stands_in(&LISTS.refusals, &lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_numbers_however_they_are_written() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            assert_eq!(in_digits(text), expected);
        }
        check("within ten days", "within 10 days");
        check("Twenty-five euros or two hundred fifty", "25 euros or 250");
        check("three thousand", "3000");
        check("two three", "2 3");
        check("One of them is often right", "One of them is often right");
        check("a tenth, the weight, someone", "a tenth, the weight, someone");
        check("保修五年，二十四小时内，三百欧元", "保修5年，24小时内，300欧元");
        check("十二个月，两万元，半年", "12个月，20000元，0.5年");
        check("一般来说，周一到周五", "一般来说，周一到周五");
        check("价格３４９．５０ EUR", "价格349.50 EUR");
        check("", "");
    }

    #[test]
    fn numbers_carry_their_unit() {
        #[track_caller]
        fn check(text: &str, expected: &[(&str, &str)]) {
            let text = in_digits(text);
            let found: Vec<(String, &str)> =
                quantities(&text).into_iter().map(|q| (q.number, q.unit)).collect();
            let expected: Vec<(String, &str)> =
                expected.iter().map(|(n, u)| ((*n).to_owned(), *u)).collect();
            assert_eq!(found, expected, "{text}");
        }
        check("349.00 EUR or €45 or EUR 12", &[("349", "eur"), ("45", "eur"), ("12", "eur")]);
        check("a 5-year warranty, 230g, 15 %", &[("5", "year"), ("230", "g"), ("15", "%")]);
        check(
            "3 to 5 working days, 10–12 cm",
            &[("3", "day"), ("5", "day"), ("10", "cm"), ("12", "cm")],
        );
        check(
            "60 天内，满 75 欧元，3 至 5 个工作日",
            &[("60", "day"), ("75", "eur"), ("3", "day"), ("5", "day")],
        );
        check("Order 8812. It came", &[("8812", "")]);
        check("1,900 g at 9:30.", &[("1900", "g"), ("9", ""), ("30", "")]);
    }

    #[test]
    fn dates_are_told_from_words() {
        #[track_caller]
        fn check(text: &str, expected: &[&str]) {
            assert_eq!(dates(text), expected, "{text}");
        }
        check("Monday to Fri", &["monday", "friday"]);
        check("You may march on", &[]);
        check("May I? On 3 May, until March", &["may", "march"]);
        check("closed on Sundays in December", &["sunday", "december"]);
        check("周一至周五", &["monday", "friday"]);
        check("The sun", &[]);
    }

    #[test]
    fn names_are_found_in_sentences() {
        #[track_caller]
        fn check(text: &str, expected: &[&str]) {
            assert_eq!(
                names(text).into_iter().map(|name| name.shown).collect::<Vec<_>>(),
                expected,
                "{text}"
            );
        }
        check("The Tarn 3 costs 429 EUR.", &["Tarn 3"]);
        check("Tarn 3 costs 429 EUR.", &["Tarn 3"]);
        check(
            "Choose Express Delivery or the Hush Minus 7.",
            &["Express Delivery", "Hush Minus 7"],
        );
        check("Summit Tent is light.", &["Summit Tent"]);
        check("Weight 2400 g. Standard 4 days", &[]);
        check("Shipping costs 4.90 EUR. Returns are free.", &[]);
        check("Open Monday 10:00 in Galway", &[]);
        check("Glint 350充满电要2.5小时", &["Glint 350"]);
        check("- **Drift Air**: 119 EUR", &["Drift Air"]);
        check("", &[]);
    }

    #[test]
    fn products_are_known_by_what_tells_them_apart() {
        let products = products([
            "Tarn 2 tent",
            "Tarn 3 tent",
            "Gannet hammock",
            "Tent pole repair sleeve",
            "8 pegs",
        ]);
        let shown: Vec<&str> = products.iter().map(ProductName::shown).collect();
        assert_eq!(shown, ["Tarn 2", "Tarn 3", "Gannet"]);
        #[track_caller]
        fn check(text: &str, products: &[ProductName], expected: &[&str]) {
            assert_eq!(
                named(text, products).into_iter().map(ProductName::shown).collect::<Vec<_>>(),
                expected,
                "{text}"
            );
        }
        check("the tarn 2 sleeps two", &products, &["Tarn 2"]);
        check("We also have the Gannet.", &products, &["Gannet"]);
        check("a gannet is a bird", &products, &[]);
    }

    #[test]
    fn denials_and_refusals_are_told() {
        for (text, expected) in [
            ("It is not allowed.", true),
            ("You can’t wash it.", true),
            ("Item no. HP-1013", false),
            ("Notable", false),
            ("不能退货", true),
            ("可以退货", false),
        ] {
            assert_eq!(denies(text), expected, "{text}");
        }
        assert!(is_refusal("I’m sorry, I don’t know that."));
        assert!(is_refusal("资料中没有提到这一点。"));
        assert!(!is_refusal("Returns are free."));
    }
}
