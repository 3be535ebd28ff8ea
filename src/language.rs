//! What a text is made of: its language, its sentences and the words that carry its meaning. Pure.

use std::collections::HashSet;
use std::ops::Range;

pub mod detect;
pub mod gloss;
mod iso_639;
pub mod lists;
pub mod script;
pub mod shorthand;
pub mod stem;
pub mod synonyms;
pub mod tone;
pub mod topics;
pub mod unspaced;
pub mod week;
pub mod words;

pub use detect::{is_common, is_common_somewhere, language_of};
pub use iso_639::is_iso_639_1;
pub use script::is_unspaced;
pub(crate) use stem::stem;
pub use words::{bare, has_word, words};

/// Where the first whole sentence ends: behind its closing mark and the white space after it, or
/// behind a line break.
pub(crate) fn sentence_end(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let after = at + c.len_utf8();
        match c {
            '\n' if !text.get(..at).unwrap_or_default().trim().is_empty() => return Some(after),
            '。' | '！' | '？' => return Some(after),
            '.' | '!' | '?' => {
                // A whole sentence shows by the white space behind it; "4.90", "e.g." and "1." go
                // on.
                let &(_, next) = chars.peek()?;
                let closes = matches!(next, '"' | '\'' | ')' | '”' | '’' | ']' | '*');
                let mut rest =
                    text.get(after..).unwrap_or_default().chars().skip(usize::from(closes));
                let space = rest.next()?;
                let before = text.get(..at).unwrap_or_default();
                // "24.12. bis 26.12. geschlossen"
                let mut date =
                    || is_day_and_month(before) && rest.next().is_some_and(char::is_lowercase);
                if space.is_whitespace() && !is_abbreviation(before) && !date() {
                    let end = after + if closes { next.len_utf8() } else { 0 } + space.len_utf8();
                    return Some(end);
                }
            }
            _ => {}
        }
    }
    None
}

/// Whether what stands before a full stop ends with a day and a month: `24.12`.
fn is_day_and_month(before: &str) -> bool {
    let word = before.rsplit(char::is_whitespace).next().unwrap_or_default();
    let number = |part: &str, most: u8| part.parse::<u8>().is_ok_and(|n| (1..=most).contains(&n));
    word.split_once('.').is_some_and(|(day, month)| number(day, 31) && number(month, 12))
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
        && word
            .split('.')
            .all(|part| part.chars().count() == 1 && part.chars().all(char::is_alphabetic));
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

/// The sentences of a text, as byte ranges without the white space around them. Lines end sentences
/// too.
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

/// Words that carry meaning, lower-cased and cut to a stem. Unspaced scripts give pairs of
/// characters.
pub fn content_words(text: &str) -> impl Iterator<Item = String> + '_ {
    let spaced = words::unicode_words(text)
        .flat_map(parted)
        .map(|word| {
            word.strip_suffix("'s")
                .or_else(|| word.strip_suffix("’s"))
                .unwrap_or(word)
                .to_lowercase()
        })
        .filter(|word| {
            word.chars().next().is_some_and(|c| !is_unspaced(c))
                && !STOP_WORDS.contains(&word.as_str())
        });
    let unspaced = text
        .split(|c: char| !is_unspaced(c))
        .filter(|run| !run.is_empty())
        .flat_map(|run| pieces(run).flat_map(pairs).collect::<Vec<_>>());
    spaced.map(|word| stem(&word).to_owned()).chain(unspaced)
}

/// A word by Unicode's rules, cut at a colon or a full stop that nobody put a space behind:
/// "Colour:Blue", "shipping.When". Words that have such a sign within them go on in small letters
/// ("k:a", "shop.example").
fn parted(word: &str) -> impl Iterator<Item = &str> {
    let cuts = word.char_indices().filter(|(at, c)| {
        let (before, after) =
            (word.get(..*at).unwrap_or_default(), word.get(at + 1..).unwrap_or_default());
        matches!(c, ':' | '.')
            && before.ends_with(char::is_lowercase)
            && after.starts_with(char::is_uppercase)
    });
    let mut cuts: Vec<usize> = cuts.map(|(at, _)| at).collect();
    cuts.push(word.len());
    let mut start = 0;
    cuts.into_iter().filter_map(move |end| {
        let part = word.get(start..end);
        start = end + 1;
        part
    })
}

/// The words that carry meaning, with one word for all that customers and shops call the same thing
/// by.
pub(crate) fn meanings(text: &str) -> impl Iterator<Item = String> + '_ {
    content_words(text).map(|word| {
        let group = SAME.iter().find(|group| group.iter().any(|other| stem(other) == word));
        group.and_then(|group| group.first()).map_or(word, |first| stem(first).to_owned())
    })
}

/// Groups of English words that mean the same to a shop's customers.
pub(crate) const SAME: &[&[&str]] = &[
    &["store", "shop", "branch"],
    &[
        "delivery",
        "deliver",
        "deliveries",
        "ship",
        "shipping",
        "shipped",
        "shipment",
        "postage",
        "dispatch",
    ],
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
pub(crate) fn pairs(piece: &str) -> Vec<String> {
    let chars: Vec<char> = piece.chars().collect();
    chars.windows(2.min(chars.len().max(1))).map(|pair| pair.iter().collect()).collect()
}

/// What is left of a run without the function words of Chinese.
pub(crate) fn pieces(run: &str) -> impl Iterator<Item = &str> {
    let mut rest = run;
    std::iter::from_fn(move || {
        loop {
            let starts = |text: &str| {
                CHINESE_STOP_WORDS
                    .iter()
                    .find(|word| text.starts_with(**word))
                    .map(|word| word.len())
            };
            if let Some(length) = starts(rest) {
                rest = rest.get(length..)?;
                continue;
            }
            let end = rest
                .char_indices()
                .map(|(at, _)| at)
                .find(|&at| starts(rest.get(at..).unwrap_or_default()).is_some());
            let (piece, after) = rest.split_at(end.unwrap_or(rest.len()));
            rest = after;
            return (!piece.is_empty()).then_some(piece);
        }
    })
}

/// A question without function words, as the words that carry its meaning stand in it: what of it
/// is looked up.
#[must_use]
pub fn without_function_words(question: &str) -> String {
    let mut text = String::new();
    for (at, run) in question.split(|c: char| !is_unspaced(c)).enumerate() {
        text.push_str(if at > 0 { " " } else { "" });
        text.push_str(&pieces(run).collect::<Vec<_>>().join(" "));
    }
    let spaced = words::unicode_words(question).filter(|word| !word.starts_with(is_unspaced));
    let spaced = spaced.filter(|word| !STOP_WORDS.contains(&word.to_lowercase().as_str()));
    text.split_whitespace().chain(spaced).collect::<Vec<_>>().join(" ")
}

/// Share of a question's content words that a text holds, 0…1; a character of an unspaced script
/// counts for half a word, and is held if it stands in the text beside the same neighbour. A text
/// of another script is compared by the names that the question has in its script, if there are
/// several. 0 for a question without content words.
#[must_use]
pub fn coverage(question: &str, text: &str) -> f32 {
    let held: HashSet<String> = content_words(text).collect();
    let spaced: HashSet<String> =
        content_words(question).filter(|word| !word.starts_with(is_unspaced)).collect();
    let (mut all, mut found) = (0.0_f32, 0.0_f32);
    for word in &spaced {
        all += 1.0;
        found += f32::from(u8::from(held.contains(word)));
    }
    if spaced.len() < NAMES || text.contains(is_unspaced) {
        for piece in question.split(|c: char| !is_unspaced(c)).flat_map(pieces) {
            let pairs = pairs(piece);
            for at in 0..piece.chars().count() {
                let mut beside = [at.checked_sub(1), Some(at)]
                    .into_iter()
                    .flatten()
                    .filter_map(|at| pairs.get(at));
                all += 0.5;
                found += if beside.any(|pair| held.contains(pair)) { 0.5 } else { 0.0 };
            }
        }
    }
    if all > 0.0 { found / all } else { 0.0 }
}

/// Words in another script than the rest of a question that say by themselves what it is about: a
/// product's name and number.
pub(crate) const NAMES: usize = 2;

/// English function words; other languages have fewer hits here and are judged by more of their
/// words.
pub(crate) const STOP_WORDS: &[&str] = &[
    "a", "about", "after", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be",
    "been", "but", "by", "can", "could", "did", "do", "does", "for", "from", "had", "has", "have",
    "here", "how", "i", "if", "in", "into", "is", "it", "its", "just", "me", "may", "my", "no",
    "not", "of", "on", "or", "our", "please", "should", "so", "some", "than", "that", "the",
    "their", "them", "then", "there", "these", "they", "this", "to", "too", "up", "us", "was",
    "we", "were", "what", "when", "where", "which", "who", "why", "will", "with", "would", "you",
    "your", "yes", "yours", "much", "many", "get", "don't", "i'm",
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

/// A column's name in lower case with `_` for gaps.
#[must_use]
pub fn column_name(name: &str) -> String {
    name.trim().to_lowercase().replace(['-', ' ', '.'], "_")
}

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
            assert!(
                (coverage(question, text) - expected).abs() < 1e-6,
                "{question}: {}",
                coverage(question, text)
            );
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

    #[test]
    fn words_come_apart_where_a_space_is_forgotten() {
        let words = |text: &str| content_words(text).collect::<Vec<_>>();
        assert_eq!(words("Colour:Blue, Size:XL"), words("Colour: Blue, Size: XL"));
        assert_eq!(words("Free shipping.When?"), words("Free shipping. When?"));
        assert_eq!(words("shop.of k:a"), ["shop.of", "k:a"]);
    }

    fn check_sentences(text: &str, expected: &[&str]) {
        let found: Vec<&str> = sentences(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn sentences_end_where_people_end_them() {
        check_sentences(
            "It costs 4.90 EUR. Free from 75 EUR!",
            &["It costs 4.90 EUR.", "Free from 75 EUR!"],
        );
        check_sentences(
            "Bring e.g. a stove. Mr. Pike knows.",
            &["Bring e.g. a stove.", "Mr. Pike knows."],
        );
        check_sentences(
            "To U.S. customers at 9 a.m. sharp. Done",
            &["To U.S. customers at 9 a.m. sharp.", "Done"],
        );
        check_sentences(
            "Vom 24.12. bis 2.1. geschlossen. Danach offen.",
            &["Vom 24.12. bis 2.1. geschlossen.", "Danach offen."],
        );
        check_sentences("免费退货。60天内有效！", &["免费退货。", "60天内有效！"]);
        check_sentences("1. Open it.\n2. Close it.", &["1. Open it.", "2. Close it."]);
        check_sentences("He said \"no.\" Then left", &["He said \"no.\"", "Then left"]);
        check_sentences("  \n ", &[]);
    }
}
