//! Numbers in digits and in words. Pure.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use super::Kind;
use super::units::unit_after;
use crate::language::script::is_han;

pub(super) struct Number {
    pub(super) value: f64,
    pub(super) range: Range<usize>,
    /// Written in digits.
    pub(super) digits: bool,
}

/// The whole number that a word stands for, in digits or not: "7", "seven", "a".
pub(in crate::reason) fn whole_number(word: &str, language: &str) -> Option<f64> {
    let in_words = || WORDS.get(language)?.get(word).copied().filter(|value| *value >= 1.0);
    word.parse::<u32>().ok().map(f64::from).or_else(in_words)
}

/// The next number at or behind `from`: in digits, or in words before a unit. Times of day, dates
/// and codes are none.
pub(super) fn next_number(text: &str, from: usize, language: &str) -> Option<Number> {
    let mut before = text.get(..from)?.chars().next_back();
    let mut start = from;
    while let Some(c) = text.get(start..)?.chars().next() {
        let tail = text.get(start..)?;
        if c.is_ascii_digit() {
            let length = number_length(tail);
            let joins = |c: char| matches!(c, ':' | '/' | '.' | ',');
            let inside = before
                .is_some_and(|c| c.is_alphanumeric() && !is_han(c) || matches!(c, '#' | '_'))
                || before.is_some_and(joins)
                    && text.get(..start)?.chars().rev().nth(1).is_some_and(|c| c.is_ascii_digit());
            let mut after = tail.get(length..)?.chars();
            let clock = matches!(after.next(), Some(':' | '/'))
                && after.next().is_some_and(|c| c.is_ascii_digit());
            if !inside && !clock {
                if let Some(value) = parse(tail.get(..length)?, language) {
                    return Some(Number { value, range: start..start + length, digits: true });
                }
                start += length;
            } else {
                start += tail
                    .find(|c: char| !c.is_ascii_alphanumeric() && !joins(c))
                    .unwrap_or(tail.len());
            }
            before = text.get(..start)?.chars().next_back();
            continue;
        }
        let opens = before.is_none_or(|c| !c.is_alphanumeric() || is_han(c));
        if opens && let Some((value, length)) = in_words(tail, language) {
            return Some(Number { value, range: start..start + length, digits: false });
        }
        before = Some(c);
        start += c.len_utf8();
    }
    None
}

/// Bytes of a number in digits with its marks: `1,500.00`, `1 500`, `8,90`.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut end = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    loop {
        let rest = text.get(end..).unwrap_or_default();
        let Some(mark) = rest.chars().next() else { return end };
        let digits = |from: usize| rest.bytes().skip(from).take_while(u8::is_ascii_digit).count();
        let width = mark.len_utf8();
        let next = digits(width);
        let joined = match mark {
            '.' | ',' | '\'' => next > 0,
            // A space parts thousands only: groups of three digits behind at most three.
            ' ' | '\u{a0}' | '\u{202f}' => {
                let group = text
                    .get(..end)
                    .unwrap_or_default()
                    .bytes()
                    .rev()
                    .take_while(u8::is_ascii_digit)
                    .count();
                next == 3 && group <= 3 && !text.get(..end).unwrap_or_default().starts_with('0')
            }
            _ => false,
        };
        if !joined {
            return end;
        }
        end += width + next;
    }
}

fn parse(number: &str, language: &str) -> Option<f64> {
    let plain: String =
        number.chars().filter(|c| c.is_ascii_digit() || matches!(c, '.' | ',')).collect();
    let (dot, comma) = (plain.rfind('.'), plain.rfind(','));
    let decimal = match (dot, comma) {
        (Some(dot), Some(comma)) => Some(if dot > comma { '.' } else { ',' }),
        (Some(at), None) | (None, Some(at)) => {
            let mark = if dot.is_some() { '.' } else { ',' };
            let once = plain.matches(mark).count() == 1;
            let group =
                plain.len() - at - 1 == 3 && (1..=3).contains(&at) && !plain.starts_with('0');
            // "1,500" and "1.500": what the language parts thousands with.
            let thousands = match language {
                "de" | "fr" | "es" | "it" | "nl" | "pt" => '.',
                _ => ',',
            };
            (once && !(group && mark == thousands)).then_some(mark)
        }
        (None, None) => None,
    };
    // "1.2.3" is a version.
    let whole =
        decimal.and_then(|mark| plain.rsplit_once(mark)).map_or(plain.as_str(), |(whole, _)| whole);
    if whole.split(['.', ',']).skip(1).any(|group| group.len() != 3) {
        return None;
    }
    let text: String = plain
        .chars()
        .filter_map(
            |c| if c.is_ascii_digit() { Some(c) } else { (Some(c) == decimal).then_some('.') },
        )
        .collect();
    text.parse().ok().filter(|value: &f64| *value < 1e12)
}

/// Number words by language, up to ninety-nine and a hundred.
static WORDS: LazyLock<HashMap<&'static str, HashMap<String, f64>>> = LazyLock::new(|| {
    const EN: &[&str] = &[
        "zero",
        "one",
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
    const EN_TENS: &[&str] =
        &["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
    const DE: &[&str] = &[
        "null",
        "ein",
        "zwei",
        "drei",
        "vier",
        "fünf",
        "sechs",
        "sieben",
        "acht",
        "neun",
        "zehn",
        "elf",
        "zwölf",
        "dreizehn",
        "vierzehn",
        "fünfzehn",
        "sechzehn",
        "siebzehn",
        "achtzehn",
        "neunzehn",
    ];
    const DE_TENS: &[&str] =
        &["zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig"];
    const FR: &[&str] = &[
        "zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix",
        "onze", "douze", "treize", "quatorze", "quinze", "seize", "dix-sept", "dix-huit",
        "dix-neuf",
    ];
    const FR_TENS: &[&str] = &["vingt", "trente", "quarante", "cinquante", "soixante"];
    const ES: &[&str] = &[
        "cero",
        "un",
        "dos",
        "tres",
        "cuatro",
        "cinco",
        "seis",
        "siete",
        "ocho",
        "nueve",
        "diez",
        "once",
        "doce",
        "trece",
        "catorce",
        "quince",
        "dieciséis",
        "diecisiete",
        "dieciocho",
        "diecinueve",
        "veinte",
        "veintiún",
        "veintidós",
        "veintitrés",
        "veinticuatro",
        "veinticinco",
        "veintiséis",
        "veintisiete",
        "veintiocho",
        "veintinueve",
    ];
    const ES_TENS: &[&str] =
        &["treinta", "cuarenta", "cincuenta", "sesenta", "setenta", "ochenta", "noventa"];
    let numbered = |words: &[&str]| -> HashMap<String, f64> {
        words
            .iter()
            .zip(0_u32..)
            .map(|(word, value)| ((*word).to_owned(), f64::from(value)))
            .collect()
    };
    let mut en = numbered(EN);
    en.extend(
        [
            ("a", 1.0),
            ("an", 1.0),
            ("hundred", 100.0),
            ("a hundred", 100.0),
            ("half a", 0.5),
            ("a couple of", 2.0),
        ]
        .map(|(word, value)| (word.to_owned(), value)),
    );
    let mut de = numbered(DE);
    de.extend(["eine", "einem", "einen", "einer", "eines"].map(|word| (word.to_owned(), 1.0)));
    de.extend(
        [
            ("hundert", 100.0),
            ("einhundert", 100.0),
            ("zweihundert", 200.0),
            ("ein halbes", 0.5),
            ("eineinhalb", 1.5),
            ("anderthalb", 1.5),
        ]
        .map(|(word, value)| (word.to_owned(), value)),
    );
    let mut fr = numbered(FR);
    fr.extend(
        [("une", 1.0), ("cent", 100.0), ("deux cents", 200.0), ("quatre-vingts", 80.0)]
            .map(|(word, value)| (word.to_owned(), value)),
    );
    let mut es = numbered(ES);
    es.extend(
        [
            ("una", 1.0),
            ("uno", 1.0),
            ("cien", 100.0),
            ("doscientos", 200.0),
            ("medio", 0.5),
            ("veintidos", 22.0),
            ("dieciseis", 16.0),
        ]
        .map(|(word, value)| (word.to_owned(), value)),
    );
    for (at, tens) in (0_u32..).zip(EN_TENS) {
        let value = f64::from(at * 10 + 20);
        en.insert((*tens).to_owned(), value);
        for (small, word) in (1_u32..).zip(EN.iter().skip(1).take(9)) {
            en.insert(format!("{tens}-{word}"), value + f64::from(small));
            en.insert(format!("{tens} {word}"), value + f64::from(small));
        }
    }
    for (at, tens) in (0_u32..).zip(DE_TENS) {
        let value = f64::from(at * 10 + 20);
        de.insert((*tens).to_owned(), value);
        for (small, word) in (1_u32..).zip(DE.iter().skip(1).take(9)) {
            de.insert(format!("{word}und{tens}"), value + f64::from(small));
        }
    }
    for (at, tens) in (0_u32..).zip(FR_TENS) {
        let value = f64::from(at * 10 + 20);
        fr.insert((*tens).to_owned(), value);
        fr.insert(format!("{tens} et un"), value + 1.0);
        let last = if *tens == "soixante" { 19 } else { 9 };
        for (small, word) in (2_u32..).zip(FR.iter().skip(2).take(last - 1)) {
            fr.insert(format!("{tens}-{word}"), value + f64::from(small));
        }
    }
    for (small, word) in (1_u32..).zip(FR.iter().skip(1).take(19)) {
        fr.insert(format!("quatre-vingt-{word}"), 80.0 + f64::from(small));
    }
    for (at, tens) in (0_u32..).zip(ES_TENS) {
        let value = f64::from(at * 10 + 30);
        es.insert((*tens).to_owned(), value);
        for (small, word) in (1_u32..).zip(ES.iter().skip(1).take(9)) {
            es.insert(format!("{tens} y {word}"), value + f64::from(small));
        }
    }
    HashMap::from([("en", en), ("de", de), ("fr", fr), ("es", es)])
});

/// A number in words at the beginning of a text, with its bytes; only before a unit, since "one"
/// and "ein" are words, too.
fn in_words(text: &str, language: &str) -> Option<(f64, usize)> {
    if text.starts_with(is_han) {
        let run: String = text.chars().take_while(|c| NUMERALS.contains(*c)).collect();
        let (unit, _) = unit_after(text.get(run.len()..)?)?;
        // 二月一日 is a date, 一般 a word, 周一 a weekday.
        let plain = !run.is_empty() && unit.kind != Kind::Temperature;
        return plain.then(|| chinese(&run)).flatten().map(|value| (value, run.len()));
    }
    let known = WORDS.get(language).or_else(|| WORDS.get("en"))?;
    let mut end = 0;
    let mut best = None;
    for _ in 0..3 {
        let word = text.get(end..)?;
        let length = word.find(|c: char| !c.is_alphabetic() && c != '-').unwrap_or(word.len());
        let mut length = length;
        // "five-year": the unit follows a hyphen.
        loop {
            let run = word.get(..length)?;
            let key = text.get(..end + length)?;
            if let Some(value) = known.get(key)
                && let Some((unit, _)) = text.get(end + length..).and_then(unit_after)
                && (*value > 1.0 || matches!(unit.kind, Kind::Time | Kind::WorkingTime))
            {
                best = Some((*value, end + length));
                break;
            }
            match run.rfind('-') {
                Some(at) if at > 0 => length = at,
                _ => break,
            }
        }
        let length = word.find(|c: char| !c.is_alphabetic() && c != '-').unwrap_or(word.len());
        end += length;
        if !text.get(end..)?.starts_with(' ') {
            break;
        }
        end += 1;
    }
    best
}

const NUMERALS: &str = "〇零一二两三四五六七八九十百千万半";

fn chinese(run: &str) -> Option<f64> {
    if run == "半" {
        return Some(0.5);
    }
    let (mut total, mut section, mut digit) = (0_u64, 0_u64, None::<u64>);
    for c in run.chars() {
        let scale = match c {
            '十' => 10,
            '百' => 100,
            '千' => 1_000,
            '万' => 10_000,
            '半' => return None,
            '两' => {
                digit = Some(2);
                continue;
            }
            c => {
                let value = "零一二三四五六七八九"
                    .chars()
                    .zip(0..)
                    .find(|(digit, _)| *digit == c)
                    .map(|(_, value)| value)?;
                digit = Some(value);
                continue;
            }
        };
        let count = digit.take();
        if scale == 10_000 {
            total = (total + section + count.unwrap_or(0)).checked_mul(scale)?;
            section = 0;
        } else {
            section += count.unwrap_or(1) * scale;
        }
    }
    let value = total + section + digit.unwrap_or(0);
    u32::try_from(value).ok().map(f64::from)
}
