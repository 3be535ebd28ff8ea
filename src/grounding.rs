//! Which sentences the passages support, and the answer made of quotes. Pure.
//!
//! Two ways to an answer that invents nothing: [`Gate`] lets a model's sentences through one by one, and [`quote`] chooses
//! among the passages' own.

use std::collections::HashSet;
use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation as _;

pub mod alike;
pub mod choose;
mod claims;
pub mod confidence;
mod evidence;
pub mod followup;
mod gate;
pub mod injection;
mod overview;
mod quote;
pub mod several;
pub mod smalltalk;
mod units;

pub(crate) use claims::denies;
pub use claims::is_refusal;
pub use evidence::{Evidence, Ruling, Source, unmarked};
pub use gate::Gate;
pub use overview::{general_topic, is_on, openings};
pub(crate) use quote::with_own_verdicts;
pub use quote::{
    Scored, Shape, asks_for_a_kind, asks_how, compose, explain, holds_what_is_asked, nearest, quote, shape,
};
pub use units::{Unit, row_sentence, units};

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
    // "U.S.", "a.m.", "z.B.": letters between full stops.
    let dotted = word.contains('.')
        && word.split('.').all(|part| part.chars().count() == 1 && part.chars().all(char::is_alphabetic));
    list_number
        || single
        || dotted
        || matches!(
            word.to_lowercase().as_str(),
            "mr" | "mrs"
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
        c.is_whitespace()
            || matches!(
                c,
                '|' | '，' | '。' | '（' | '）' | '：' | '、' | '；' | '<' | '>' | '(' | ')' | '[' | ']' | '"'
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

/// A link or an address in normal form, without the scheme of web pages: a browser makes a link of "shop.example", too.
fn link(word: &str) -> Option<String> {
    const SCHEMES: &[&str] = &["javascript:", "data:", "mailto:", "tel:", "sms:", "file:", "vbscript:", "blob:"];
    let lower = word.to_lowercase();
    let web = ["https://", "http://", "www."].iter().fold(lower.as_str(), |rest, start| rest.trim_start_matches(start));
    let known = web.len() < lower.len() || lower.contains("://") || lower.contains('@');
    let scheme = SCHEMES.iter().any(|scheme| lower.starts_with(scheme));
    let host = web.split(['/', '?', '#']).next().unwrap_or_default();
    let mut labels = host.rsplit('.');
    let domain = host.contains('.')
        && labels.next().is_some_and(|top| top.len() >= 2 && top.bytes().all(|b| b.is_ascii_lowercase()))
        && labels.all(|label| {
            label.len() > 1
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.bytes().all(|b| b.is_ascii_digit())
        });
    (known || scheme || domain).then(|| web.trim_end_matches('/').to_owned())
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
        .map(|word| word.strip_suffix("'s").or_else(|| word.strip_suffix("’s")).unwrap_or(word).to_lowercase())
        .filter(|word| word.chars().next().is_some_and(|c| !is_unspaced(c)) && !STOP_WORDS.contains(&word.as_str()));
    let unspaced = text
        .split(|c: char| !is_unspaced(c))
        .filter(|run| !run.is_empty())
        .flat_map(|run| pieces(run).flat_map(pairs).collect::<Vec<_>>());
    spaced.map(|word| stem(&word).to_owned()).chain(unspaced)
}

/// The words that carry meaning, with one word for all that customers and shops call the same thing by.
pub(crate) fn meanings(text: &str) -> impl Iterator<Item = String> + '_ {
    content_words(text).map(|word| {
        let group = SAME.iter().find(|group| group.iter().any(|other| stem(other) == word));
        group.and_then(|group| group.first()).map_or(word, |first| stem(first).to_owned())
    })
}

/// Groups of English words that mean the same to a shop's customers.
const SAME: &[&[&str]] = &[
    &["store", "shop", "branch"],
    &["delivery", "deliver", "deliveries", "ship", "shipping", "shipped", "shipment", "postage", "dispatch"],
    &["price", "cost", "fee", "charge"],
    &["parcel", "package"],
    &["refund", "reimburse", "reimbursement"],
    &["buy", "bought", "buying", "purchase"],
    &["phone", "telephone", "call"],
    &["warranty", "guarantee"],
    &["repair", "fix", "mend"],
    &["faulty", "broken", "damaged", "defective", "damage"],
];

/// Pairs of neighbouring characters; a character alone is a word of its own.
fn pairs(piece: &str) -> Vec<String> {
    let chars: Vec<char> = piece.chars().collect();
    chars.windows(2.min(chars.len().max(1))).map(|pair| pair.iter().collect()).collect()
}

/// What is left of a run without the function words of Chinese.
fn pieces(run: &str) -> impl Iterator<Item = &str> {
    let mut rest = run;
    std::iter::from_fn(move || {
        loop {
            let starts =
                |text: &str| CHINESE_STOP_WORDS.iter().find(|word| text.starts_with(**word)).map(|word| word.len());
            if let Some(length) = starts(rest) {
                rest = rest.get(length..)?;
                continue;
            }
            let end =
                rest.char_indices().map(|(at, _)| at).find(|&at| starts(rest.get(at..).unwrap_or_default()).is_some());
            let (piece, after) = rest.split_at(end.unwrap_or(rest.len()));
            rest = after;
            return (!piece.is_empty()).then_some(piece);
        }
    })
}

/// A question without function words, as the words that carry its meaning stand in it: what of it is looked up.
#[must_use]
pub fn without_function_words(question: &str) -> String {
    let mut text = String::new();
    for (at, run) in question.split(|c: char| !is_unspaced(c)).enumerate() {
        text.push_str(if at > 0 { " " } else { "" });
        text.push_str(&pieces(run).collect::<Vec<_>>().join(" "));
    }
    let spaced = question.unicode_words().filter(|word| !word.starts_with(is_unspaced));
    let spaced = spaced.filter(|word| !STOP_WORDS.contains(&word.to_lowercase().as_str()));
    text.split_whitespace().chain(spaced).collect::<Vec<_>>().join(" ")
}

/// Share of a question's content words that a text holds, 0…1; a character of an unspaced script counts for half a word, and is
/// held if it stands in the text beside the same neighbour. A text of another script is compared by the names that the question
/// has in its script, if there are several. 0 for a question without content words.
#[must_use]
pub fn coverage(question: &str, text: &str) -> f32 {
    let held: HashSet<String> = content_words(text).collect();
    let spaced: HashSet<String> = content_words(question).filter(|word| !word.starts_with(is_unspaced)).collect();
    let (mut all, mut found) = (0.0_f32, 0.0_f32);
    for word in &spaced {
        all += 1.0;
        found += f32::from(u8::from(held.contains(word)));
    }
    if spaced.len() < NAMES || text.contains(is_unspaced) {
        for piece in question.split(|c: char| !is_unspaced(c)).flat_map(pieces) {
            let pairs = pairs(piece);
            for at in 0..piece.chars().count() {
                let mut beside = [at.checked_sub(1), Some(at)].into_iter().flatten().filter_map(|at| pairs.get(at));
                all += 0.5;
                found += if beside.any(|pair| held.contains(pair)) { 0.5 } else { 0.0 };
            }
        }
    }
    if all > 0.0 { found / all } else { 0.0 }
}

/// Words in another script than the rest of a question that say by themselves what it is about: a product's name and number.
const NAMES: usize = 2;

fn is_unspaced(c: char) -> bool {
    matches!(u32::from(c), 0x3040..=0x30ff | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xf900..=0xfaff | 0x0e00..=0x0e7f | 0x20000..=0x2ffff)
}

/// A light stem for comparing words: plural and common verb endings go. Enough where both sides are cut the same way.
pub(crate) fn stem(word: &str) -> &str {
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
    "yours", "much", "many", "get", "don't", "i'm",
];

/// Chinese words that say nothing of what is asked, the longer of those that begin alike first.
const CHINESE_STOP_WORDS: &[&str] = &[
    "为什么",
    "怎么样",
    "怎么办",
    "怎么",
    "怎样",
    "如何",
    "什么时候",
    "什么",
    "多少钱",
    "多少",
    "多久",
    "多长",
    "多大",
    "哪里",
    "哪儿",
    "哪些",
    "哪个",
    "哪",
    "几",
    "是否",
    "能否",
    "可否",
    "可不可以",
    "能不能",
    "有没有",
    "是不是",
    "可以",
    "能够",
    "需要",
    "想要",
    "请问",
    "你们",
    "我们",
    "他们",
    "您",
    "你",
    "我",
    "它",
    "这个",
    "那个",
    "这些",
    "那些",
    "这",
    "那",
    "一下",
    "一个",
    "的",
    "了",
    "吗",
    "呢",
    "吧",
    "啊",
    "呀",
    "么",
    "是",
    "有",
    "在",
    "和",
    "与",
    "或",
    "及",
    "也",
    "都",
    "就",
    "还",
    "很",
    "要",
    "想",
    "能",
    "会",
    "请",
    "把",
    "被",
    "给",
    "对",
    "从",
    "到",
    "为",
    "以",
    "之",
    "内",
    "不",
    "没",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_is_compared_without_its_function_words() {
        let words = |text: &str| content_words(text).collect::<Vec<_>>();
        assert_eq!(words("配送需要多久？"), ["配送"]);
        assert_eq!(words("头灯充不进电怎么办？"), ["头灯", "灯充", "进电"]);
        assert_eq!(words("我的 Tarn 3 帐篷"), ["tarn", "3", "帐篷"]);
        let check = |question: &str, text: &str, expected: f32| {
            assert!((coverage(question, text) - expected).abs() < 1e-6, "{question}: {}", coverage(question, text));
        };
        check("配送需要多久？", "标准配送运费为 4.90 欧元。", 1.0);
        check("今天天气怎么样？", "周一至周五的订单当天发出。", 0.0);
        check("帐篷退回怎么操作？", "帐篷可以退回。", 4.0 / 6.0);
        check("How long is the warranty?", "The warranty lasts two years.", 0.5);
        check("怎么办？", "怎么办？", 0.0);
        check("Tarn 3 帐篷多少钱？", "Tarn 3 is a tent for three: 349.90 EUR.", 1.0);
        check("Tarn 3 帐篷多少钱？", "帐篷的保修期为 5 年。", 1.0 / 3.0);
        assert_eq!(without_function_words("Tarn 3 的帐篷需要多久才送到？"), "帐篷 才送 Tarn 3");
    }

    fn check_sentences(text: &str, expected: &[&str]) {
        let found: Vec<&str> = sentences(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn sentences_end_where_people_end_them() {
        check_sentences("It costs 4.90 EUR. Free from 75 EUR!", &["It costs 4.90 EUR.", "Free from 75 EUR!"]);
        check_sentences("Bring e.g. a stove. Mr. Pike knows.", &["Bring e.g. a stove.", "Mr. Pike knows."]);
        check_sentences("To U.S. customers at 9 a.m. sharp. Done", &["To U.S. customers at 9 a.m. sharp.", "Done"]);
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
            &["HP-3024", "3024", "shop.example/x", "help@shop.example"],
        );
        check_facts("9:30–18", &["9", "30", "18"]);
        check_facts("满75欧元免运费", &["75"]);
        check_facts("no facts here", &[]);
        check_facts("see www.shop.example or [here](javascript:alert)", &["shop.example", "javascript:alert"]);
        check_facts("shop.example/returns?x, e.g. at 3.30 p.m. in Node", &["shop.example/returns?x", "3.3"]);
    }
}
