//! The words around an amount that make a limit or a range of it. Pure.

use super::Bound;
use crate::language::script::is_han;

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Link {
    Range,
    Times,
}

/// What joins two numbers to a range, with its bytes. "And" does so only behind "between".
pub(super) fn range_link(tail: &str, before: &str, has_unit: bool) -> Option<(Link, usize)> {
    let spaces = tail.len() - tail.trim_start_matches([' ', '\u{a0}']).len();
    let rest = tail.get(spaces..)?;
    let between = ends_with_any(before.trim_end(), &["between", "zwischen", "entre", "介于"]);
    let mut links: Vec<(&str, Link)> = vec![
        ("to ", Link::Range),
        ("bis ", Link::Range),
        ("à ", Link::Range),
        ("至", Link::Range),
        ("到", Link::Range),
        ("–", Link::Range),
        ("—", Link::Range),
        ("~", Link::Range),
        ("x ", Link::Times),
        ("× ", Link::Times),
        ("*", Link::Times),
        ("×", Link::Times),
    ];
    if !has_unit {
        links.push(("-", Link::Range));
    }
    if ends_with_any(before.trim_end(), &["de", "desde", "entre"]) {
        links.push(("a ", Link::Range));
        links.push(("hasta ", Link::Range));
    }
    if between {
        links.extend([
            ("and ", Link::Range),
            ("und ", Link::Range),
            ("et ", Link::Range),
            ("y ", Link::Range),
            ("和", Link::Range),
        ]);
    }
    let (text, link) = links.into_iter().find(|(text, _)| rest.starts_with(text))?;
    let after = rest.get(text.len()..)?;
    let more = after.len() - after.trim_start_matches([' ', '\u{a0}']).len();
    Some((link, spaces + text.len() + more))
}

/// Whether what stands before a number makes it negative.
pub(super) fn is_negative(before: &str) -> bool {
    let sign = before.ends_with(['-', '−', '–'])
        && before
            .trim_end_matches(['-', '−', '–'])
            .chars()
            .next_back()
            .is_none_or(|c| !c.is_alphanumeric());
    sign || ends_with_any(before.trim_end(), &["minus", "moins", "menos", "零下"])
        && !before.trim_end().ends_with("或零下")
}

/// Words before an amount that make a bound of it. The longest that fits counts.
const BEFORE: &[(Bound, &[&str])] = &[
    (
        Bound::AtLeast,
        &[
            "at least",
            "minimum of",
            "minimum",
            "min",
            "min.",
            "no less than",
            "not less than",
            "from",
            "starting at",
            "starting from",
            "mindestens",
            "wenigstens",
            "mind.",
            "ab",
            "ab einem wert von",
            "ab einem bestellwert von",
            "mindestbestellwert von",
            "au moins",
            "au minimum",
            "minimum de",
            "à partir de",
            "a partir de",
            "dès",
            "à compter de",
            "al menos",
            "por lo menos",
            "mínimo",
            "mínimo de",
            "desde",
            "至少",
            "满",
            "最低",
            "最少",
            "不少于",
            "不低于",
            "达到",
            "达",
        ],
    ),
    (
        Bound::MoreThan,
        &[
            "over",
            "above",
            "more than",
            "exceeding",
            "exceeds",
            "exceed",
            "greater than",
            "über",
            "mehr als",
            "plus de",
            "supérieur à",
            "supérieure à",
            "supérieurs à",
            "supérieures à",
            "más de",
            "superior a",
            "superiores a",
            "超过",
            "高于",
            "大于",
            "longer than",
            "older than",
            "heavier than",
            "taller than",
            "länger als",
            "älter als",
            "schwerer als",
        ],
    ),
    (
        Bound::AtMost,
        &[
            "at most",
            "maximum of",
            "maximum",
            "max",
            "max.",
            "up to",
            "no more than",
            "not more than",
            "not exceed",
            "not exceeding",
            "does not exceed",
            "must not exceed",
            "within",
            "until",
            "no longer than",
            "limit of",
            "limited to",
            "höchstens",
            "maximal",
            "bis zu",
            "bis",
            "innerhalb von",
            "innerhalb der",
            "binnen",
            "nicht mehr als",
            "nicht über",
            "jusqu'à",
            "jusqu’à",
            "au plus",
            "au maximum",
            "maximum de",
            "dans les",
            "dans un délai de",
            "sous",
            "pas plus de",
            "hasta",
            "máximo",
            "máximo de",
            "como máximo",
            "no más de",
            "dentro de",
            "dentro de los",
            "en un plazo de",
            "最多",
            "不超过",
            "最高",
            "最大",
            "最长",
            "最重",
            "limit is",
            "limit:",
        ],
    ),
    (
        Bound::LessThan,
        &[
            "under",
            "below",
            "less than",
            "fewer than",
            "shorter than",
            "lighter than",
            "younger than",
            "unter",
            "weniger als",
            "moins de",
            "inférieur à",
            "inférieure à",
            "menos de",
            "inferior a",
            "inferiores a",
            "低于",
            "少于",
            "小于",
            "不到",
            "不足",
            "未满",
        ],
    ),
];

/// Words behind an amount that make a bound of it.
const BEHIND: &[(Bound, &[&str])] = &[
    (
        Bound::AtLeast,
        &[
            "or more",
            "or over",
            "or above",
            "or older",
            "or longer",
            "or heavier",
            "and over",
            "and above",
            "and older",
            "and more",
            "and up",
            "upwards",
            "minimum",
            "oder mehr",
            "und mehr",
            "oder älter",
            "und älter",
            "oder länger",
            "aufwärts",
            "ou plus",
            "et plus",
            "minimum",
            "o más",
            "y más",
            "en adelante",
            "或以上",
            "及以上",
            "以上",
            "起",
            "+",
        ],
    ),
    (
        Bound::AtMost,
        &[
            "or less",
            "or under",
            "or below",
            "or younger",
            "or shorter",
            "and under",
            "and below",
            "and younger",
            "maximum",
            "max",
            "at most",
            "oder weniger",
            "und jünger",
            "oder jünger",
            "ou moins",
            "et moins",
            "o menos",
            "或以下",
            "及以下",
            "以下",
            "以内",
            "之内",
            "内",
        ],
    ),
];

pub(super) fn bound(before: &str, after: &str) -> Bound {
    let before = before.trim_end_matches([' ', '\u{a0}', ':', '(', '：']);
    let after = after.trim_start_matches([' ', '\u{a0}', ')']);
    let longest = |table: &[(Bound, &[&'static str])], fits: &dyn Fn(&str) -> bool| {
        table
            .iter()
            .flat_map(|(bound, words)| words.iter().map(move |word| (*bound, *word)))
            .filter(|(_, word)| fits(word))
            .max_by_key(|(_, word)| word.len())
            .map(|(bound, _)| bound)
    };
    let denied = |bound: Bound| match bound {
        // "Not over 20 kg", "nicht unter 18 Jahren".
        Bound::MoreThan => Bound::AtMost,
        Bound::LessThan => Bound::AtLeast,
        other => other,
    };
    if let Some(bound) = longest(BEFORE, &|word| ends_with_word(before, word)) {
        let words = BEFORE
            .iter()
            .flat_map(|(_, words)| words.iter())
            .filter(|word| ends_with_word(before, word));
        let length = words.map(|word| word.len()).max().unwrap_or(0);
        let rest = before.get(..before.len() - length).unwrap_or_default().trim_end();
        let not = ends_with_any(
            rest,
            &["not", "no", "nicht", "pas", "ne pas", "no sea", "不得", "不能", "不"],
        );
        return if not { denied(bound) } else { bound };
    }
    longest(BEHIND, &|word| starts_with_word(after, word)).unwrap_or(Bound::Exact)
}

fn ends_with_word(text: &str, word: &str) -> bool {
    text.strip_suffix(word).is_some_and(|rest| {
        word.starts_with(is_han) || rest.chars().next_back().is_none_or(|c| !c.is_alphanumeric())
    })
}

fn starts_with_word(text: &str, word: &str) -> bool {
    text.strip_prefix(word).is_some_and(|rest| {
        word.ends_with(|c: char| is_han(c) || !c.is_alphanumeric())
            || rest.chars().next().is_none_or(|c| !c.is_alphanumeric())
    })
}

fn ends_with_any(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| ends_with_word(text, word))
}
