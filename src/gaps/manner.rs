//! How people who answer customers write: what only keeps the conversation up, and what is about
//! one customer's case. From `data/`, a file for each language. Pure.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;

/// The patterns of one language, over [`plain`] text.
pub(super) struct Manner {
    courtesy: Regex,
    own: Regex,
    own_general: Regex,
    case: Regex,
    condition: Regex,
    sum: Regex,
    yes: Regex,
    no: Regex,
    salutation: Regex,
    /// Captures what follows a word for a customer's number.
    pub(super) numbered: Regex,
    /// Captures the word after a title.
    pub(super) titled: Regex,
    /// Captures the word after "my name is" and the like.
    pub(super) called: Regex,
    /// Whether its script puts spaces between words.
    pub(super) spaced: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Data {
    courtesy: Vec<String>,
    own: Vec<String>,
    own_general: Vec<String>,
    case: Vec<String>,
    condition: Vec<String>,
    numbered: Vec<String>,
    sum: Vec<String>,
    title: Vec<String>,
    salutation: Vec<String>,
    called: Vec<String>,
    yes: Vec<String>,
    no: Vec<String>,
}

const DATA: [(&str, &str); 11] = [
    ("de", include_str!("data/de.toml")),
    ("en", include_str!("data/en.toml")),
    ("es", include_str!("data/es.toml")),
    ("fr", include_str!("data/fr.toml")),
    ("it", include_str!("data/it.toml")),
    ("ja", include_str!("data/ja.toml")),
    ("nl", include_str!("data/nl.toml")),
    ("pl", include_str!("data/pl.toml")),
    ("pt", include_str!("data/pt.toml")),
    ("sv", include_str!("data/sv.toml")),
    ("zh", include_str!("data/zh.toml")),
];

/// Which part of a language's file is empty where a language has no file: nothing matches it.
const NOTHING: &str = "[^\\s\\S]";

static MANNERS: LazyLock<BTreeMap<&'static str, Manner>> = LazyLock::new(|| {
    let read = |(language, text): &(&'static str, &str)| {
        Some((*language, Manner::of(language, text).ok()?))
    };
    DATA.iter().filter_map(read).collect()
});

/// How people write in a language (ISO 639-1); English for one that has no file.
pub(super) fn manner(language: &str) -> Option<&'static Manner> {
    MANNERS.get(language).or_else(|| MANNERS.get("en"))
}

/// A sentence in small letters, its words one space apart, without marks and apostrophes.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() || matches!(c, '_' | '#' | '*') {
            out.push(c);
        } else if !out.ends_with(' ') && !out.is_empty() {
            out.push(' ');
        }
    }
    out.truncate(out.trim_end().len());
    out
}

impl Manner {
    fn of(language: &str, text: &str) -> anyhow::Result<Self> {
        let data: Data = toml::from_str(text)?;
        let spaced = !matches!(language, "zh" | "ja");
        let any = |patterns: &[String]| {
            let joined = patterns.join("|");
            if joined.is_empty() { NOTHING.to_owned() } else { format!("(?:{joined})") }
        };
        let (open, close) = if spaced { ("(?:^| )", "(?: |$)") } else { ("", "") };
        let within = |patterns: &[String]| Regex::new(&format!("{open}{}{close}", any(patterns)));
        let begins = |patterns: &[String]| {
            let start = if spaced { "^" } else { "" };
            Regex::new(&format!("{start}{}{close}", any(patterns)))
        };
        let numbered = if spaced {
            let between = "(?: (?:number|numbers|no|nr|id|code|is|was|numéro|número|numero|nummer|est|es|è|ist|is))*";
            format!("(?:^| )(?:{}){between} (#?[\\w#]*\\d[\\w]*)", any(&data.numbered))
        } else {
            format!(
                "{}(?:号|号码|编号|番号|是|为|は|が|：| )*([\\w]*\\d[\\w]*)",
                any(&data.numbered)
            )
        };
        let titled = if spaced {
            format!("(?:^| ){} (\\w+)", any(&data.title))
        } else {
            format!("([\\p{{Han}}\\p{{Hiragana}}\\p{{Katakana}}]){}", any(&data.title))
        };
        let called = if spaced {
            format!("(?:^| ){} (\\w+)", any(&data.called))
        } else {
            format!("{} ?([\\p{{Han}}\\p{{Katakana}}]{{1,4}})", any(&data.called))
        };
        // "Hi Anna," and "Dear Ms Smith:": up to the mark that ends it.
        let salutation = format!(
            "(?i)^\\s*{}(?:[ ]+[\\p{{L}}.'’-]+){{0,4}}\\s*(?:[,!:，！：、]|\\n|[-–—] )\\s*",
            any(&data.salutation)
        );
        Ok(Self {
            courtesy: begins(&data.courtesy)?,
            own: within(&data.own)?,
            own_general: begins(&data.own_general)?,
            case: within(&data.case)?,
            condition: within(&data.condition)?,
            sum: within(&data.sum)?,
            yes: begins(&data.yes)?,
            no: begins(&data.no)?,
            salutation: Regex::new(&salutation)?,
            numbered: Regex::new(&numbered)?,
            titled: Regex::new(&titled)?,
            called: Regex::new(&called)?,
            spaced,
        })
    }

    /// Bytes of a greeting with a name that a message begins with.
    pub(super) fn greeting(&self, text: &str) -> usize {
        self.salutation.find(text).map_or(0, |found| found.end())
    }

    /// Whether a sentence, in [`plain`] words, only keeps the conversation up.
    pub(super) fn is_courtesy(&self, plain: &str) -> bool {
        self.courtesy.is_match(plain)
    }

    /// Whether a sentence tells of one customer's case, or of what was done in it.
    pub(super) fn is_case(&self, plain: &str) -> bool {
        self.own.is_match(plain) && !self.own_general.is_match(plain)
            || self.case.is_match(plain) && !self.condition.is_match(plain)
    }

    /// Whether a sentence speaks of one customer's money.
    pub(super) fn tells_own_sum(&self, plain: &str) -> bool {
        self.sum.is_match(plain)
    }

    /// The yes or no that a sentence begins with.
    pub(super) fn verdict(&self, plain: &str) -> Option<bool> {
        let (yes, no) = (self.yes.is_match(plain), self.no.is_match(plain));
        (yes != no).then_some(yes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_read() {
        for (language, text) in DATA {
            assert!(
                Manner::of(language, text).is_ok(),
                "{language}: {:?}",
                Manner::of(language, text).err()
            );
        }
    }

    #[track_caller]
    fn check(language: &str, text: &str, courtesy: bool, case: bool) {
        let (manner, plain) = (manner(language).unwrap(), plain(text));
        assert_eq!(
            (manner.is_courtesy(&plain), manner.is_case(&plain)),
            (courtesy, case),
            "{text} ({plain})"
        );
    }

    #[test]
    fn courtesy_and_cases_are_told_from_what_holds_for_all() {
        check("en", "Thanks for getting in touch!", true, false);
        check("en", "You're welcome, have a nice day.", true, false);
        check("en", "I've refunded it for you.", false, true);
        check("en", "Your parcel was handed to the courier.", false, true);
        check("en", "If your parcel was damaged, send a photo.", false, false);
        check("en", "I'm afraid gas cartridges may not fly.", false, false);
        check("en", "A refund takes up to 5 working days.", false, false);
        check("en", "You can freeze the card in the app.", false, false);
        check("de", "Vielen Dank für Ihre Nachricht.", true, false);
        check("de", "Ich habe das Paket gestern losgeschickt.", false, true);
        check("de", "Die Erstattung dauert bis zu fünf Werktage.", false, false);
        check("fr", "N'hésitez pas à nous écrire.", true, false);
        check("fr", "Je viens de vérifier votre dossier.", false, true);
        check("es", "Su pedido fue enviado.", false, true);
        check("zh", "感谢您的咨询。", true, false);
        check("zh", "您的订单已发货。", false, true);
        check("zh", "退款需要 3 至 5 个工作日。", false, false);
        check("ja", "お問い合わせいただきありがとうございます。", true, false);
        check("ja", "返品は30日以内に可能です。", false, false);
    }

    #[test]
    fn greetings_end_where_the_answer_begins() {
        let rest = |text: &'static str| &text[manner("en").unwrap().greeting(text)..];
        assert_eq!(rest("Hi Anna, gas may not fly."), "gas may not fly.");
        assert_eq!(rest("Dear Ms. Smith-Jones: it takes 5 days."), "it takes 5 days.");
        assert_eq!(rest("Hello! It takes 5 days."), "It takes 5 days.");
        assert_eq!(rest("Gas may not fly, sorry."), "Gas may not fly, sorry.");
    }
}
