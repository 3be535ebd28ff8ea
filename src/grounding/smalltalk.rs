//! Messages that ask nothing of the knowledge: greetings, thanks, goodbyes, "ok", and questions
//! about the assistant itself. Pure.
//!
//! A message is small talk as a whole or not at all: "Hi, how much is the tent?" is a question. So
//! every word of it must belong to one of the phrases in `language/data/smalltalk/`, a file for
//! each language.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::language::script::is_picture;

/// What a message without a question is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Acknowledgement,
    Greeting,
    Thanks,
    Goodbye,
    /// Who or what answers, and what it can do.
    About,
}

/// A message that is small talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SmallTalk {
    pub kind: Kind,
    /// ISO 639-1 code, where its words are of one language only: "hi" is said in many.
    pub language: Option<&'static str>,
}

/// A longer message tells something, in Unicode scalar values.
const MAX_CHARS: usize = 80;

/// What messengers send in the visitor's name when a chat with the assistant is opened.
pub const OPENED: &str = "/start";

/// What a file may be that came with a message.
pub const FILES: [&str; 7] = ["image", "audio", "video", "file", "location", "contact", "sticker"];

/// Whether a message has no words, only marks of files that came with it: `[image: 13 kB]`, each on
/// a line of its own.
#[must_use]
pub fn only_files(message: &str) -> bool {
    let is_mark = |line: &str| {
        let inside = line.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        inside.is_some_and(|inside| FILES.contains(&inside.split(':').next().unwrap_or_default()))
    };
    !message.trim().is_empty()
        && message.lines().filter(|line| !line.trim().is_empty()).all(is_mark)
}

/// What a message is, if it is nothing but small talk.
#[must_use]
pub fn small_talk(message: &str) -> Option<SmallTalk> {
    if message.chars().count() > MAX_CHARS {
        return None;
    }
    if message.trim() == OPENED {
        return Some(SmallTalk { kind: Kind::Greeting, language: None });
    }
    let text = plain(message);
    if text.is_empty() {
        // A thumb up or a smile alone.
        let pictures = message.chars().any(is_picture) && !message.contains(['?', '？']);
        return pictures.then_some(SmallTalk { kind: Kind::Acknowledgement, language: None });
    }
    let (mut kind, mut language): (Option<Kind>, Option<&'static str>) = (None, None);
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let phrase = phrases().iter().find(|phrase| starts(rest, &phrase.text))?;
        rest = rest.get(phrase.text.len()..)?.trim_start();
        // What goes along tells the language where nothing else does.
        language = if phrase.kind.is_some() {
            phrase.language.or(language)
        } else {
            language.or(phrase.language)
        };
        kind = kind.max(phrase.kind);
    }
    kind.map(|kind| SmallTalk { kind, language })
}

/// Words in small letters, one space apart, without marks and pictures; letters drawn out ("hiiii")
/// count once.
fn plain(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    let mut run = 0;
    for c in message.chars().flat_map(char::to_lowercase) {
        let c = if c == '’' { '\'' } else { c };
        if !c.is_alphanumeric() && c != '\'' {
            if !text.ends_with(' ') && !text.is_empty() {
                text.push(' ');
            }
            run = 0;
            continue;
        }
        run = if text.ends_with(c) { run + 1 } else { 1 };
        if run > 2 && c.is_alphabetic() {
            if run == 3 {
                text.pop();
            }
            continue;
        }
        text.push(c);
    }
    text.trim_end().to_owned()
}

/// Whether a text begins with a phrase, at a border of words where its script has them.
fn starts(text: &str, phrase: &str) -> bool {
    text.strip_prefix(phrase).is_some_and(|rest| {
        phrase.ends_with(crate::language::is_unspaced)
            || !rest.starts_with(|c: char| c.is_alphanumeric() || c == '\'')
    })
}

struct Phrase {
    text: String,
    language: Option<&'static str>,
    /// None for what only goes along: "there", "for your help".
    kind: Option<Kind>,
}

/// The longest first: "thank you for your help" before "thank you".
fn phrases() -> &'static [Phrase] {
    static PHRASES_BY_LENGTH: LazyLock<Vec<Phrase>> = LazyLock::new(|| {
        let mut known: BTreeMap<String, Phrase> = BTreeMap::new();
        for (language, text) in DATA {
            // Built in, and a test reads all of them.
            let mut lists = read(text).unwrap_or_default();
            let language = (*language != "any").then_some(*language);
            for (list, kind) in LISTS {
                for text in lists.remove(*list).unwrap_or_default() {
                    match known.get_mut(&text) {
                        // Said in several languages; small talk in one of them is small talk.
                        Some(phrase) => {
                            phrase.language = None;
                            phrase.kind = phrase.kind.max(*kind);
                        }
                        None => {
                            known.insert(text.clone(), Phrase { text, language, kind: *kind });
                        }
                    }
                }
            }
        }
        let mut phrases: Vec<Phrase> = known.into_values().collect();
        phrases.sort_by_key(|phrase| std::cmp::Reverse(phrase.text.len()));
        phrases
    });
    &PHRASES_BY_LENGTH
}

/// Phrases by language, `any` for what several use: as [`plain`] leaves them, by kind, and `along`
/// for what only goes with one.
const DATA: &[(&str, &str)] = &[
    ("any", include_str!("../language/data/smalltalk/any.toml")),
    ("de", include_str!("../language/data/smalltalk/de.toml")),
    ("en", include_str!("../language/data/smalltalk/en.toml")),
    ("es", include_str!("../language/data/smalltalk/es.toml")),
    ("fr", include_str!("../language/data/smalltalk/fr.toml")),
    ("it", include_str!("../language/data/smalltalk/it.toml")),
    ("ja", include_str!("../language/data/smalltalk/ja.toml")),
    ("nl", include_str!("../language/data/smalltalk/nl.toml")),
    ("pl", include_str!("../language/data/smalltalk/pl.toml")),
    ("sv", include_str!("../language/data/smalltalk/sv.toml")),
    ("pt", include_str!("../language/data/smalltalk/pt.toml")),
    ("zh", include_str!("../language/data/smalltalk/zh.toml")),
];

/// What the lists of a file are called, and the kind of their phrases.
const LISTS: &[(&str, Option<Kind>)] = &[
    ("greeting", Some(Kind::Greeting)),
    ("acknowledged", Some(Kind::Acknowledgement)),
    ("thanks", Some(Kind::Thanks)),
    ("goodbye", Some(Kind::Goodbye)),
    ("about", Some(Kind::About)),
    ("along", None),
];

fn read(text: &str) -> Result<BTreeMap<String, Vec<String>>, toml::de::Error> {
    toml::from_str(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &str, expected: impl Into<Option<(Kind, Option<&'static str>)>>) {
        let found = small_talk(message).map(|talk| (talk.kind, talk.language));
        assert_eq!(found, expected.into(), "{message}");
    }

    #[test]
    fn an_opened_chat_is_a_greeting_and_files_alone_are_no_words() {
        check("/start", (Kind::Greeting, None));
        check("/start the engine", None);
        for files in ["[image]", "[image: 13 kB]", " [file: a [b].pdf, 2 kB]\n\n[sticker]\n"] {
            assert!(only_files(files), "{files}");
        }
        for words in
            ["", "[image: 13 kB]\nIs this broken?", "[tent]", "image", "[image] and [file]?"]
        {
            assert!(!only_files(words), "{words}");
        }
    }

    #[test]
    fn small_talk_is_told_by_every_word_of_a_message() {
        use Kind::{About, Acknowledgement, Goodbye, Greeting, Thanks};
        for (message, kind, language) in [
            ("Hi", Greeting, None),
            ("hello there!", Greeting, Some("en")),
            ("Hiiii", Greeting, None),
            ("How are you?", Greeting, Some("en")),
            ("hey, can you help me?", Greeting, Some("en")),
            ("Thanks, that helped!", Thanks, Some("en")),
            ("ok thanks a lot 🙏", Thanks, Some("en")),
            ("Thank you so much for your help!!", Thanks, Some("en")),
            ("ok", Acknowledgement, None),
            ("lol", Acknowledgement, None),
            ("👍", Acknowledgement, None),
            ("bye", Goodbye, None),
            ("Thanks, have a nice day", Goodbye, Some("en")),
            ("Are you a bot?", About, Some("en")),
            ("Hi, are you a real person?", About, Some("en")),
            ("What can you help me with?", About, Some("en")),
            ("Who are you?", About, Some("en")),
            ("Guten Tag!", Greeting, Some("de")),
            ("Vielen Dank, das hat geholfen", Thanks, Some("de")),
            ("Bist du ein Roboter?", About, Some("de")),
            ("Tschüss", Goodbye, Some("de")),
            ("Bonjour", Greeting, Some("fr")),
            ("Êtes-vous un robot ?", About, Some("fr")),
            ("Merci beaucoup et bonne journée", Goodbye, Some("fr")),
            ("¡Hola! ¿Qué tal?", Greeting, Some("es")),
            ("Muchas gracias", Thanks, Some("es")),
            ("¿Eres un robot?", About, Some("es")),
            ("你好", Greeting, Some("zh")),
            ("好的，谢谢！", Thanks, Some("zh")),
            ("你是机器人吗？", About, Some("zh")),
            ("再见", Goodbye, Some("zh")),
            ("Buongiorno!", Greeting, Some("it")),
            ("Grazie mille, buona giornata", Goodbye, Some("it")),
            ("Dank u wel!", Thanks, Some("nl")),
            ("Ben je een robot?", About, Some("nl")),
            ("Olá, bom dia!", Greeting, Some("pt")),
            ("Dziękuję bardzo", Thanks, Some("pl")),
            ("Do widzenia", Goodbye, Some("pl")),
            ("Tack så mycket!", Thanks, Some("sv")),
            ("こんにちは", Greeting, Some("ja")),
            ("ありがとうございます！", Thanks, Some("ja")),
        ] {
            check(message, (kind, language));
        }
    }

    #[test]
    fn every_language_has_every_kind_of_small_talk() {
        let lacking: Vec<String> = DATA
            .iter()
            .filter(|(language, _)| *language != "any")
            .flat_map(|(language, text)| {
                let lists = read(text).unwrap_or_else(|error| panic!("{language}: {error}"));
                let missing = |list: &&str| lists.get(*list).is_none_or(Vec::is_empty);
                LISTS
                    .iter()
                    .map(|(list, _)| *list)
                    .filter(missing)
                    .map(|list| format!("{language} lacks {list}"))
                    .collect::<Vec<_>>()
            })
            .collect();
        assert!(lacking.is_empty(), "{}", lacking.join("\n"));
        for phrase in phrases() {
            assert_eq!(plain(&phrase.text), phrase.text, "a phrase that no message can hold");
        }
    }

    #[test]
    fn a_question_with_a_greeting_is_a_question() {
        for message in [
            "Hi, how much is the Tarn 2?",
            "Thanks! And what about shipping?",
            "ok, and the bigger one?",
            "What can you tell me about the Tarn 2?",
            "Are you a member of the association?",
            "Are you open on Sunday?",
            "What do you do with old tents?",
            "Good sleeping bag?",
            "Hello kitty backpack",
            "you",
            "please",
            "yes",
            "no",
            "and now?",
            "?",
            "...",
            "",
            "你好，帐篷多少钱？",
            "谢谢，可以退货吗",
            "Danke, und was kostet der Versand?",
            "Merci, et la livraison ?",
            "Hola, ¿cuánto cuesta?",
            "help with my order",
            "hitch",
        ] {
            check(message, None);
        }
        check(&"hi ".repeat(60), None);
    }
}
