//! Whether a visitor is angry or complains in so many words, in English, German, French, Spanish
//! and Chinese. Pure.
//!
//! Some words are angry by themselves ("fed up"). Others are so only about the shop: "you are
//! useless" is, "useless without pegs" is not, and "is this a scam?" asks.

/// True if the words are angry: abuse, threats to leave or to complain, or a message that is
/// shouted.
#[must_use]
pub(super) fn is_angry(text: &str) -> bool {
    let lower = text.to_lowercase().replace('’', "'");
    if in_chinese(&lower) {
        return true;
    }
    let asks = lower.contains('?');
    let sentences = lower.split_inclusive(['.', '!', '?', '\n']);
    let angry = sentences.clone().any(|sentence| {
        let words: Vec<&str> = words(sentence);
        let own = ANGRY
            .iter()
            .any(|phrase| holds(&words, phrase).is_some_and(|at| !is_denied(&words, at)));
        let complains = COMPLAINTS
            .iter()
            .any(|phrase| holds(&words, phrase).is_some_and(|at| !is_denied(&words, at)));
        let asked = sentence.trim_end().ends_with('?');
        let clauses = || {
            sentence
                .split([',', ';', ':'])
                .any(|clause| is_about_us(&self::words(clause), words.len() < 3))
        };
        own || complains && !asked || !asked && clauses()
    });
    angry || is_shouted(text, &words(&lower), asks)
}

fn words(text: &str) -> Vec<&str> {
    crate::language::words_with_apostrophes(text).collect()
}

/// Where a phrase stands.
fn holds(words: &[&str], phrase: &str) -> Option<usize> {
    let length = phrase.split(' ').count();
    words.windows(length).position(|window| window.iter().copied().eq(phrase.split(' ')))
}

/// "I'm not angry".
fn is_denied(words: &[&str], at: usize) -> bool {
    let before = words.get(at.saturating_sub(2)..at).unwrap_or_default();
    before.iter().any(|word| {
        [
            "not", "isn't", "aren't", "wasn't", "never", "no", "don't", "nicht", "kein", "keine",
            "pas", "ni",
        ]
        .contains(word)
    })
}

/// Angry wherever they stand.
const ANGRY: &[&str] = &[
    "unacceptable",
    "furious at",
    "furious with",
    "i'm furious",
    "i am furious",
    "absolutely furious",
    "fed up",
    "sick of this",
    "sick of you",
    "sick and tired",
    "worst service",
    "worst company",
    "worst shop",
    "worst experience",
    "worst customer service",
    "terrible service",
    "awful service",
    "horrible service",
    "appalling",
    "waste of my time",
    "wasting my time",
    "waste of time",
    "complete joke",
    "absolute joke",
    "what a joke",
    "ripped me off",
    "ripping me off",
    "ripped off by you",
    "total rip off",
    "complete rip off",
    "incompetent",
    "idiots",
    "morons",
    "scammers",
    "scammed me",
    "you scammed",
    "crooks",
    "liars",
    "you lied",
    "lied to me",
    "never buying from",
    "never buy from you",
    "never order from you",
    "never shop here",
    "never shopping here",
    "i will sue",
    "i'll sue",
    "going to sue",
    "trading standards",
    "i'm angry",
    "i am angry",
    "so angry",
    "very angry",
    "really angry",
    "pissed off",
    "what the hell",
    "the hell is",
    "the hell are",
    "wtf",
    "bullshit",
    "fuck",
    "fucking",
    "piece of shit",
    "piece of crap",
    "shitty",
    "how dare you",
    "had enough of",
    "i've had enough",
    "had it with you",
    "shut up",
    "i demand",
    "disgusted",
    "outraged",
    "give me my money back",
    "i want my money back",
    "stole my money",
    "frechheit",
    "unverschämt",
    "unverschämtheit",
    "saftladen",
    "abzocke",
    "abzocker",
    "sauerei",
    "verarschen",
    "verarscht",
    "scheiße",
    "scheiss",
    "scheiß",
    "stinksauer",
    "zum kotzen",
    "es reicht mir",
    "mir reicht es",
    "mir reicht's",
    "inakzeptabel",
    "nie wieder bestelle",
    "nie wieder bei euch",
    "bin wütend",
    "bin sauer",
    "bodenlos",
    "lächerlicher service",
    "scandaleux",
    "inadmissible",
    "inacceptable",
    "arnaqueurs",
    "escrocs",
    "honteux",
    "vous foutez",
    "foutez de moi",
    "moquez de moi",
    "ai marre",
    "en ai marre",
    "ras le bol",
    "bande de voleurs",
    "merde",
    "putain",
    "c'est une honte",
    "est une honte",
    "inaceptable",
    "estafadores",
    "ladrones",
    "sinvergüenzas",
    "estoy harto",
    "estoy harta",
    "mierda",
    "es una vergüenza",
    "tomadura de pelo",
    "pésimo servicio",
    "servicio pésimo",
    "me han estafado",
    "me habéis estafado",
    "estoy furioso",
    "estoy furiosa",
    "estoy enfadado",
    "estoy enfadada",
];

/// Said of the visitor's own doing; asked about, they are a question for the documents.
const COMPLAINTS: &[&str] = &[
    "want to complain",
    "like to complain",
    "going to complain",
    "will complain",
    "want to make a complaint",
    "like to make a complaint",
    "want to file a complaint",
    "like to file a complaint",
    "filing a complaint",
    "making a complaint",
    "file a formal complaint",
    "formal complaint",
    "lodge a complaint",
    "i have a complaint",
    "report you to",
    "mich beschweren",
    "beschwerde einreichen",
    "beschwerde einlegen",
    "porter plainte",
    "faire une réclamation",
    "me plaindre",
    "poner una queja",
    "presentar una queja",
    "poner una reclamación",
    "presentar una reclamación",
    "denunciarles",
    "quiero quejarme",
    "betrüger",
];

/// Angry about us alone: "this is ridiculous", "ridiculous service".
const HARSH: &[&str] = &[
    "ridiculous",
    "outrageous",
    "disgusting",
    "useless",
    "idiot",
    "pathetic",
    "scam",
    "joke",
    "rubbish",
    "garbage",
    "crap",
    "terrible",
    "awful",
    "horrible",
    "disgrace",
    "disgraceful",
    "shameful",
    "sucks",
    "suck",
    "thieves",
    "nonsense",
    "insulting",
    "stupid",
    "dumb",
    "unfassbar",
    "nutzlos",
    "lächerlich",
    "betrug",
    "mist",
    "arnaque",
    "nul",
    "nuls",
    "lamentable",
    "inútil",
    "inútiles",
    "estafa",
    "vergonzoso",
    "ridículo",
    "pésimo",
];
const US: &[&str] = &[
    "you",
    "you're",
    "youre",
    "this",
    "that",
    "it's",
    "that's",
    "service",
    "support",
    "company",
    "shop",
    "store",
    "bot",
    "chat",
    "chatbot",
    "staff",
    "people",
    "everyone",
    "experience",
    "website",
    "how",
    "ihr",
    "euer",
    "sie",
    "das",
    "dieser",
    "vous",
    "c'est",
    "ce",
    "cette",
    "su",
    "esto",
    "ustedes",
    "sois",
    "son",
    "servicio",
];
const BETWEEN: &[&str] = &[
    "is",
    "are",
    "was",
    "were",
    "has",
    "have",
    "been",
    "a",
    "an",
    "all",
    "guys",
    "so",
    "such",
    "just",
    "really",
    "absolutely",
    "completely",
    "totally",
    "utterly",
    "beyond",
    "fucking",
    "simply",
    "bloody",
    "very",
    "frankly",
    "total",
    "complete",
    "absolute",
    "utter",
    "ist",
    "sind",
    "seid",
    "ein",
    "eine",
    "einfach",
    "absolut",
    "total",
    "est",
    "êtes",
    "une",
    "un",
    "vraiment",
    "es",
    "una",
    "muy",
    "totalmente",
    "customer",
    "whole",
    "company",
    "service",
    "support",
];

fn is_about_us(words: &[&str], alone: bool) -> bool {
    (0..words.len()).filter(|at| words.get(*at).is_some_and(|word| HARSH.contains(word))).any(
        |at| {
            let before = words.get(..at).unwrap_or_default().iter().rev();
            let between = before.clone().take_while(|word| BETWEEN.contains(word)).count();
            let subject = at.checked_sub(between + 1).and_then(|at| words.get(at));
            let of_us = subject.is_some_and(|word| US.contains(word))
                || before
                    .take(between)
                    .any(|word| ["service", "support", "company"].contains(word));
            // "This terrible smell" is about something else.
            let ends = words.get(at + 1).is_none_or(|next| {
                US.contains(next)
                    || [
                        "and", "i", "we", "customer", "now", "at", "i've", "we've", "what", "und",
                        "et", "y",
                    ]
                    .contains(next)
            });
            let ours = words.get(at + 1..).unwrap_or_default().iter().take(2).any(|next| {
                ["service", "company", "support", "shop", "experience", "people", "servicio"]
                    .contains(next)
            });
            (of_us && ends || ours || alone) && !is_denied(words, at)
        },
    )
}

fn in_chinese(lower: &str) -> bool {
    const ANGRY: &[&str] = &[
        "太差了",
        "太差劲",
        "差劲",
        "骗子",
        "骗人",
        "坑人",
        "气死",
        "忍无可忍",
        "投诉你",
        "我要投诉",
        "要去投诉",
        "欺骗消费者",
        "恶心人",
        "什么破",
        "滚蛋",
        "太过分",
        "无语了",
        "浪费我的时间",
        "浪费时间",
        "不要脸",
        "黑店",
        "奸商",
        "垃圾服务",
        "垃圾客服",
        "垃圾公司",
        "垃圾店",
        "真垃圾",
        "太垃圾",
        "是垃圾",
        "垃圾东西",
        "垃圾平台",
    ];
    let whole = crate::language::bare(&lower);
    whole == "垃圾" || ANGRY.iter().any(|phrase| lower.contains(phrase))
}

/// Four words or more, nearly all letters capitals, and a word or mark of impatience: some people
/// write so always.
fn is_shouted(text: &str, words: &[&str], asks: bool) -> bool {
    const IMPATIENT: &[&str] = &[
        "still",
        "nobody",
        "why",
        "never",
        "waiting",
        "waited",
        "again",
        "now",
        "immediately",
        "money",
        "bloody",
        "damn",
        "enough",
        "late",
        "answer",
        "weeks",
        "broken",
        "wrong",
    ];
    let (mut upper, mut lower) = (0_usize, 0_usize);
    for c in text.chars() {
        upper += usize::from(c.is_uppercase());
        lower += usize::from(c.is_lowercase());
    }
    let capitals = upper >= 12 && lower * 9 <= upper && words.len() >= 4;
    capitals
        && (text.contains('!')
            || text.contains("??")
            || words.iter().any(|word| IMPATIENT.contains(word)) && !(asks && words.len() > 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anger_and_complaints_are_heard() {
        for text in [
            "This is ridiculous!",
            "This is ridiculous, nobody helps me",
            "You guys are idiots, where the hell is my parcel??",
            "You are completely useless",
            "Your support sucks",
            "What a terrible service",
            "I'm fed up with this",
            "I've had enough, give me my money back",
            "This company is a scam.",
            "I want to file a complaint",
            "I will never buy from you again",
            "WHERE IS MY BLOODY PARCEL",
            "I HAVE BEEN WAITING FOR THREE WEEKS",
            "Useless!",
            "Das ist eine Frechheit",
            "Ich möchte mich beschweren",
            "C'est inadmissible !",
            "J'en ai marre",
            "Esto es una estafa",
            "Quiero poner una queja",
            "你们是骗子吧",
            "垃圾客服",
            "我要投诉",
        ] {
            assert!(is_angry(text), "{text}");
        }
    }

    #[test]
    fn harsh_words_about_other_things_are_none() {
        for text in [
            "Is the stove useless at altitude?",
            "The tent is useless without pegs, do you sell them?",
            "My bottle has a disgusting smell, how do I clean it?",
            "This terrible smell in the tent, how do I get rid of it?",
            "Can the tag rip off?",
            "Is this a scam?",
            "How do I recognise scam mails in your name?",
            "I'm not angry, I just want to know when it comes",
            "How do I make a complaint?",
            "How can I file a complaint?",
            "DO YOU SHIP TO GERMANY",
            "HOW MUCH IS THE TARN 3",
            "Do you ship to the UK? I need an XL TARN 2.",
            "Is the Scamper jacket in stock?",
            "Where do I put rubbish at the store?",
            "This jacket is ridiculously light",
            "The weather was awful, does the tent stand wind?",
            "Do you sell garbage bags?",
            "Kann ich den Mist im Zelt vermeiden?",
            "垃圾袋多少钱？",
            "怎么做垃圾分类？",
            "",
        ] {
            assert!(!is_angry(text), "{text}");
        }
    }
}
