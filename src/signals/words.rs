//! What words tell about a message: the topics it asks about and its sentiment. Pure, transparent,
//! English and Chinese.

use serde::{Deserialize, Serialize};

use crate::language::topics::spaced;
use crate::language::words::words_with_apostrophes;

/// How the visitor stands to what is offered, told by words. A message can say several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stance {
    /// Says yes, or means to do it: "sure, I'll take it".
    Agrees,
    /// Says no, not now, or can't: "maybe later".
    Refuses,
    /// Names a sum of money: "$20 at most".
    NamesAmount,
}

impl Stance {
    /// Every one, in the order of the features.
    pub const ALL: [Self; 3] = [Self::Agrees, Self::Refuses, Self::NamesAmount];

    /// As it stands in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Agrees => "agrees",
            Self::Refuses => "refuses",
            Self::NamesAmount => "names_amount",
        }
    }
}

const AGREES: &[&str] = &[
    "yes",
    "yeah",
    "yep",
    "sure",
    "ok",
    "okay",
    "absolutely",
    "definitely",
    "of course",
    "certainly",
    "gladly",
    "happy to",
    "love to",
    "glad to",
    "willing to",
    "i will",
    "i'll",
    "i would like to",
    "i'd like to",
    "i want to",
    "i can",
    "i could",
    "i am going to",
    "i'm going to",
    "sign me up",
    "count me in",
    "let's do",
    "sounds good",
    "deal",
    "好的",
    "可以",
    "行",
    "没问题",
    "我要",
    "我买",
    "就这个",
];
const REFUSES: &[&str] = &[
    "no thanks",
    "no thank you",
    "not interested",
    "not right now",
    "not today",
    "not now",
    "maybe later",
    "another time",
    "can't afford",
    "cannot afford",
    "rather not",
    "not sure",
    "i don't",
    "i do not",
    "i can't",
    "i cannot",
    "i wouldn't",
    "i would not",
    "i won't",
    "unable",
    "sorry",
    "too expensive",
    "skeptical",
    "think about it",
    "不用",
    "不要",
    "不需要",
    "算了",
    "下次",
    "太贵",
    "再看看",
    "考虑一下",
];
const MONEY: &[&str] = &[
    "dollar", "dollars", "cent", "cents", "bucks", "euro", "euros", "pound", "pounds", "usd",
    "eur", "元", "块钱",
];

/// How a message stands to what is offered, in the order of [`Stance::ALL`].
#[must_use]
pub fn stances(text: &str) -> Vec<Stance> {
    let text = text.to_lowercase().replace('’', "'");
    let words = spaced(&text);
    let any = |phrases: &[&str]| {
        let has = |phrase: &&str| {
            if phrase.is_ascii() {
                words.contains(&format!(" {phrase} "))
            } else {
                text.contains(*phrase)
            }
        };
        phrases.iter().any(has)
    };
    let sign = |c: char| matches!(c, '$' | '€' | '£' | '¥' | '￥');
    // A sign beside a number: "$5", "5 €".
    let bare: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    let signed = bare.windows(2).any(|pair| {
        (sign(pair[0]) && pair[1].is_numeric()) || (pair[0].is_numeric() && sign(pair[1]))
    });
    let said = [any(AGREES), any(REFUSES), signed || any(MONEY)];
    Stance::ALL.into_iter().zip(said).filter(|(_, said)| *said).map(|(stance, _)| stance).collect()
}

/// How a text sounds, −1 (bad) to 1 (good); 0 where no word tells.
///
/// Each known word adds ±1 or ±2; a word that strengthens within the two words before multiplies by
/// 1.5, one that negates within the three words before turns it round at 0.7 of its weight. What
/// stands after "but" counts double, since that is what is meant. The sum s becomes s / √(s² + 8),
/// which one plain word brings to ±0.33 and two strong ones to ±0.82.
#[must_use]
pub fn sentiment(text: &str) -> f32 {
    let lower = text.to_lowercase().replace('’', "'");
    let sum = spaced_sentiment(&lower) + unspaced_sentiment(&lower);
    sum / (sum * sum + 8.0).sqrt()
}

fn spaced_sentiment(lower: &str) -> f32 {
    let words: Vec<&str> = words_with_apostrophes(lower).collect();
    let turn = words.iter().rposition(|word| *word == "but" || *word == "however");
    let mut sum = 0.0;
    for (i, word) in words.iter().enumerate() {
        let Some(mut weight) = weight(word) else { continue };
        let before = &words[i.saturating_sub(3)..i];
        if before.iter().rev().take(2).any(|word| STRONGER.contains(word)) {
            weight *= 1.5;
        }
        if before.iter().any(|word| NOT.contains(word) || word.ends_with("n't")) {
            weight *= -0.7;
        }
        if turn.is_some_and(|turn| i > turn) {
            weight *= 2.0;
        }
        sum += weight;
    }
    sum
}

/// Chinese has no spaces: known phrases are counted where they stand, the longest first, so that
/// 不满意 isn't read as 满意.
fn unspaced_sentiment(text: &str) -> f32 {
    if text.is_ascii() {
        return 0.0;
    }
    let mut rest = text;
    let mut sum = 0.0;
    let (mut negated, mut stronger) = (0_u8, 0_u8);
    while let Some(first) = rest.chars().next() {
        let found = HAN
            .iter()
            .filter(|(phrase, _)| rest.starts_with(phrase))
            .max_by_key(|(phrase, _)| phrase.len())
            .map(|(phrase, weight)| (phrase.len(), *weight));
        if let Some((length, weight)) = found {
            let mut weight = f32::from(weight);
            if stronger > 0 {
                weight *= 1.5;
            }
            if negated > 0 {
                weight *= -0.7;
            }
            sum += weight;
            (negated, stronger) = (0, 0);
            rest = &rest[length..];
            continue;
        }
        // A negation reaches over three characters (不是很好), a degree over two.
        (negated, stronger) = match first {
            '不' | '没' | '无' | '别' | '未' => (4, stronger),
            '很' | '太' | '非' | '超' | '最' | '极' | '真' | '特' => {
                (negated.saturating_sub(1), 3)
            }
            '，' | '。' | '！' | '？' | ',' | '.' | ' ' => (0, 0),
            _ => (negated.saturating_sub(1), stronger.saturating_sub(1)),
        };
        rest = &rest[first.len_utf8()..];
    }
    sum
}

fn weight(word: &str) -> Option<f32> {
    let has = |list: &[&str]| list.contains(&word);
    if has(VERY_GOOD) {
        Some(2.0)
    } else if has(GOOD) {
        Some(1.0)
    } else if has(VERY_BAD) {
        Some(-2.0)
    } else if has(BAD) {
        Some(-1.0)
    } else {
        None
    }
}

const NOT: &[&str] = &[
    "not", "no", "never", "without", "hardly", "barely", "cannot", "cant", "dont", "doesnt",
    "didnt", "isnt", "wont", "nothing", "neither",
];
const STRONGER: &[&str] = &[
    "very",
    "really",
    "so",
    "extremely",
    "too",
    "absolutely",
    "totally",
    "incredibly",
    "completely",
    "highly",
    "super",
    "most",
];

const VERY_GOOD: &[&str] = &[
    "amazing",
    "awesome",
    "brilliant",
    "excellent",
    "fantastic",
    "flawless",
    "fabulous",
    "incredible",
    "love",
    "loved",
    "loves",
    "outstanding",
    "perfect",
    "perfectly",
    "superb",
    "terrific",
    "wonderful",
    "best",
    "delighted",
    "thrilled",
    "exceptional",
];
const GOOD: &[&str] = &[
    "good",
    "great",
    "nice",
    "fine",
    "happy",
    "glad",
    "thanks",
    "thank",
    "helpful",
    "like",
    "liked",
    "likes",
    "enjoy",
    "enjoyed",
    "pleased",
    "satisfied",
    "recommend",
    "recommended",
    "easy",
    "easily",
    "fast",
    "quick",
    "quickly",
    "reliable",
    "solid",
    "sturdy",
    "durable",
    "comfortable",
    "beautiful",
    "beautifully",
    "clear",
    "crisp",
    "sharp",
    "impressive",
    "impressed",
    "worth",
    "works",
    "worked",
    "well",
    "better",
    "cool",
    "fun",
    "friendly",
    "useful",
    "handy",
    "convenient",
    "affordable",
    "smooth",
    "smoothly",
    "bright",
    "lightweight",
    "appreciate",
    "appreciated",
    "interested",
    "exciting",
    "excited",
    "pleasant",
    "charming",
    "cute",
    "sweet",
    "strong",
    "value",
    "bargain",
    "favorite",
    "favourite",
    "wow",
    "yay",
    "congrats",
    "welcome",
    "lovely",
    "ideal",
    "pleasure",
    "simple",
    "intuitive",
    "responsive",
    "accurate",
    "safe",
    "warm",
    "cozy",
    "clean",
    "fresh",
    "smart",
    "elegant",
    "stylish",
    "fits",
    "quiet",
    "generous",
    "kind",
    "trust",
    "hope",
    "win",
    "wins",
    "success",
    "improved",
    "improvement",
    "superior",
    "classic",
    "enjoyable",
    "gorgeous",
    "glowing",
    "lol",
    "haha",
];
const BAD: &[&str] = &[
    "bad",
    "poor",
    "poorly",
    "slow",
    "slowly",
    "expensive",
    "overpriced",
    "difficult",
    "hard",
    "problem",
    "problems",
    "issue",
    "issues",
    "unhappy",
    "sad",
    "sorry",
    "unfortunately",
    "late",
    "delay",
    "delayed",
    "missing",
    "lost",
    "wrong",
    "broken",
    "broke",
    "break",
    "breaks",
    "damaged",
    "defective",
    "faulty",
    "fail",
    "failed",
    "fails",
    "failure",
    "disappointed",
    "disappointing",
    "disappointment",
    "annoyed",
    "annoying",
    "frustrated",
    "frustrating",
    "confused",
    "confusing",
    "complain",
    "complaint",
    "complaints",
    "uncomfortable",
    "cheap",
    "cheaply",
    "flimsy",
    "weak",
    "noisy",
    "loud",
    "heavy",
    "ugly",
    "dirty",
    "stopped",
    "stuck",
    "dead",
    "dies",
    "died",
    "returned",
    "returning",
    "refund",
    "lacks",
    "lack",
    "lacking",
    "limited",
    "unreliable",
    "unable",
    "error",
    "errors",
    "crash",
    "crashes",
    "crashed",
    "freezes",
    "glitch",
    "bug",
    "bugs",
    "hassle",
    "pain",
    "tired",
    "boring",
    "dull",
    "mediocre",
    "unfair",
    "rude",
    "waste",
    "wasted",
    "worse",
    "worried",
    "concern",
    "concerned",
    "doubt",
    "skeptical",
    "avoid",
    "beware",
    "mistake",
    "regret",
    "cracked",
    "scratched",
    "scratches",
    "leaks",
    "leaking",
    "overheats",
    "drops",
    "dropped",
    "static",
    "blurry",
    "difficulty",
    "complicated",
    "upset",
    "hurt",
    "hurts",
    "sick",
    "fear",
    "afraid",
    "tiny",
    "thin",
    "stiff",
    "sloppy",
    "silly",
    "stupid",
    "lame",
    "damn",
    "crap",
    "crappy",
];
const VERY_BAD: &[&str] = &[
    "terrible",
    "horrible",
    "awful",
    "hate",
    "hated",
    "hates",
    "worst",
    "useless",
    "worthless",
    "garbage",
    "junk",
    "scam",
    "fraud",
    "disgusting",
    "disgusted",
    "furious",
    "angry",
    "outrageous",
    "unacceptable",
    "ridiculous",
    "pathetic",
    "nightmare",
    "disaster",
    "sucks",
    "sucked",
    "atrocious",
    "dreadful",
    "ripoff",
    "thieves",
    "cheated",
    "lied",
    "liar",
];

/// Chinese phrases with their weight.
const HAN: &[(&str, i8)] = &[
    ("好评", 2),
    ("很好", 1),
    ("非常好", 2),
    ("太好了", 2),
    ("不错", 1),
    ("满意", 1),
    ("喜欢", 1),
    ("推荐", 1),
    ("值得", 1),
    ("方便", 1),
    ("舒服", 1),
    ("舒适", 1),
    ("漂亮", 1),
    ("干净", 1),
    ("热情", 1),
    ("实惠", 1),
    ("便宜", 1),
    ("划算", 1),
    ("优秀", 2),
    ("完美", 2),
    ("精彩", 2),
    ("感谢", 1),
    ("谢谢", 1),
    ("开心", 1),
    ("高兴", 1),
    ("快乐", 1),
    ("有用", 1),
    ("实用", 1),
    ("清晰", 1),
    ("流畅", 1),
    ("稳定", 1),
    ("安静", 1),
    ("周到", 1),
    ("超值", 2),
    ("支持", 1),
    ("赞", 1),
    ("棒", 2),
    ("爱", 1),
    ("好用", 1),
    ("好看", 1),
    ("好吃", 1),
    ("挺好", 1),
    ("还好", 1),
    ("感动", 1),
    ("受益", 1),
    ("经典", 1),
    ("温馨", 1),
    ("友好", 1),
    ("耐心", 1),
    ("性价比高", 2),
    ("好", 1),
    ("差评", -2),
    ("不满意", -2),
    ("不好", -1),
    ("不喜欢", -1),
    ("不推荐", -2),
    ("不值", -2),
    ("不行", -1),
    ("不方便", -1),
    ("失望", -2),
    ("垃圾", -2),
    ("糟糕", -2),
    ("太差", -2),
    ("很差", -2),
    ("差劲", -2),
    ("差", -1),
    ("贵", -1),
    ("坏了", -2),
    ("坏", -1),
    ("破", -1),
    ("脏", -1),
    ("吵", -1),
    ("慢", -1),
    ("投诉", -2),
    ("退货", -1),
    ("退款", -1),
    ("骗", -2),
    ("假货", -2),
    ("后悔", -2),
    ("生气", -2),
    ("气愤", -2),
    ("愤怒", -2),
    ("难吃", -2),
    ("难看", -1),
    ("难用", -1),
    ("难受", -1),
    ("麻烦", -1),
    ("问题", -1),
    ("缺点", -1),
    ("没用", -1),
    ("无聊", -1),
    ("无语", -2),
    ("恶心", -2),
    ("臭", -1),
    ("旧", -1),
    ("小气", -1),
    ("浪费", -2),
    ("郁闷", -1),
    ("遗憾", -1),
    ("冷漠", -1),
    ("态度恶劣", -2),
    ("恶劣", -2),
    ("死机", -2),
    ("故障", -1),
    ("噪音", -1),
    ("发热", -1),
    ("漏", -1),
    ("烂", -2),
    ("坑", -2),
    ("怀疑", -1),
    ("盗版", -2),
    ("上当", -2),
    ("不舒服", -1),
    ("不干净", -2),
    ("不知所云", -2),
    ("一般", -1),
];

/// Small talk that has the form of a question, and words that may stand around it.
const SMALL_TALK: [&str; 22] = [
    "how are you",
    "how r u",
    "how is your day",
    "how's your day",
    "hows your day",
    "how is it going",
    "how's it going",
    "hows it going",
    "how are things",
    "how do you do",
    "how have you been",
    "how about you",
    "what about you",
    "and you",
    "and yourself",
    "how about yourself",
    "are you there",
    "is anyone there",
    "is anybody there",
    "anyone there",
    "what's up",
    "whats up",
];
const AROUND: [&str; 38] = [
    "hi",
    "hello",
    "hey",
    "there",
    "dear",
    "good",
    "morning",
    "afternoon",
    "evening",
    "day",
    "today",
    "tonight",
    "this",
    "doing",
    "going",
    "so",
    "far",
    "well",
    "fine",
    "great",
    "nice",
    "i",
    "am",
    "i'm",
    "im",
    "thanks",
    "thank",
    "you",
    "ok",
    "okay",
    "oh",
    "and",
    "then",
    "now",
    "my",
    "friend",
    "very",
    "too",
];
const EMPTY: [&str; 12] =
    ["what", "really", "why", "huh", "yes", "no", "ok", "okay", "hello", "hi", "hey", "right"];
const SMALL_TALK_ZH: [&str; 7] = ["好吗", "你好吗", "您好吗", "最近好吗", "在吗", "有人吗", "你呢"];

/// True if a text asks something, and more than "And you?": of the questions of a day the ones
/// worth reading.
#[must_use]
pub fn asks(text: &str) -> bool {
    let sentences = text.split_inclusive(['.', '!', '?', '\n', '。', '！', '？']);
    sentences
        .filter(|sentence| sentence.contains(['?', '？', '吗']))
        .any(|sentence| !small_talk(sentence))
}

fn small_talk(sentence: &str) -> bool {
    let lower = sentence.to_lowercase().replace('’', "'");
    let words: Vec<&str> = words_with_apostrophes(&lower).collect();
    let text = words.join(" ");
    let greeted = words.concat();
    let greeted =
        greeted.trim_start_matches("你好").trim_start_matches("您好").trim_start_matches('，');
    if words.is_empty()
        || SMALL_TALK_ZH.contains(&words.concat().as_str())
        || SMALL_TALK_ZH.contains(&greeted)
    {
        return true;
    }
    if words.len() == 1 {
        return EMPTY.contains(&text.as_str());
    }
    let padded = format!(" {text} ");
    SMALL_TALK.iter().any(|phrase| {
        let found = padded.split_once(&format!(" {phrase} "));
        found.is_some_and(|(before, after)| {
            before
                .split_whitespace()
                .chain(after.split_whitespace())
                .all(|word| AROUND.contains(&word))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stances_are_told_by_words() {
        let check = |text: &str, expected: &[Stance]| assert_eq!(stances(text), expected, "{text}");
        check("Sure, I’ll take the red one", &[Stance::Agrees]);
        check("No thanks, maybe later.", &[Stance::Refuses]);
        check("I could do 5 € or fifty cents", &[Stance::Agrees, Stance::NamesAmount]);
        check("太贵了，再看看", &[Stance::Refuses]);
        check("What is the assurance worth?", &[]);
    }

    #[test]
    fn sentiment_has_a_sign_and_a_strength() {
        let bad = sentiment("This is a terrible, useless product!");
        let poor = sentiment("The zip is a bit slow.");
        let good = sentiment("It works well, thanks.");
        let perfect = sentiment("I absolutely love it, perfect fit");
        assert!(
            bad < poor && poor < 0.0 && 0.0 < good && good < perfect,
            "{bad} {poor} {good} {perfect}"
        );
        for (text, sign) in [
            ("it is not good", -1),
            ("I don't like the colour", -1),
            ("no problems so far", 1),
            ("The colour is nice, but the zip broke", -1),
            ("质量很好，非常满意", 1),
            ("不满意，太差了", -1),
            ("这个不是很好", -1),
            ("Where is my parcel?", 0),
            ("", 0),
        ] {
            let score = sentiment(text);
            assert!((-1.0..=1.0).contains(&score));
            assert_eq!(
                if score == 0.0 { 0 } else { score.signum() as i32 },
                sign,
                "{text}: {score}"
            );
        }
    }

    #[test]
    fn small_talk_is_no_question() {
        for text in [
            "I'm good. How is your day going?",
            "Hi there how are you?",
            "I am fine. And you?",
            "How’s it going today?",
            "Hello?",
            "Really?!",
            "你好吗？",
            "在吗",
            "What a day!",
            "?",
        ] {
            assert!(!asks(text), "{text}");
        }
        for text in [
            "How are you shipping it?",
            "I'm fine, and you? How much is the tent?",
            "Price?",
            "Maybe, what kind of charity is that?",
            "What about you guys repairing it?",
            "有货吗",
            "你好，这个帐篷有货吗？",
        ] {
            assert!(asks(text), "{text}");
        }
    }
}
