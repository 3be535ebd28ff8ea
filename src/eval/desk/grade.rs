//! A reply's grade by the facts that a right one holds. Pure.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use crate::conversation::AnswerEnd;
use crate::grounding::is_refusal;
use crate::language::script::{is_dash, is_east_asian, is_han};
use crate::language::sentences;
use crate::language::words::unicode_words;

/// A message with what a right reply to it holds.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Item {
    pub id: String,
    /// ISO 639-1 code of the language that a reply has to be in.
    pub lang: String,
    /// An earlier message of the same conversation.
    #[serde(default)]
    pub first: Option<String>,
    pub text: String,
    pub behave: Behave,
    /// Each list names one fact by its alternatives, of which one has to occur.
    pub must: Vec<Vec<String>>,
    /// Facts that make a reply wrong.
    pub must_not: Vec<String>,
    /// Length of a reply to the point, in Unicode scalar values.
    pub max_chars: usize,
    /// The document that answers.
    #[serde(default)]
    pub doc: Option<String>,
    #[serde(default)]
    pub why: String,
}

/// What a good agent does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Behave {
    Answer,
    /// Nothing is known.
    Decline,
    /// Answer what is known and tell that the rest isn't.
    Partly,
    /// Ask back; declining is right, too.
    Clarify,
    /// Call a person.
    Person,
    SmallTalk,
}

/// How good a reply is. The worst that applies counts: E before F before D before C before B.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub enum Grade {
    /// Right, to the point, in the visitor's language.
    A,
    /// Right, but too long.
    B,
    /// Some of the facts are missing, none is wrong.
    C,
    /// Declined or put off, though it could be answered.
    D,
    /// A forbidden fact, none of the expected facts, or an answer where nothing is known.
    E,
    /// Not in the visitor's language.
    F,
}

/// What came back for a message.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    pub text: &'a str,
    pub end: AnswerEnd,
    /// The message called a person.
    pub person: bool,
    /// The templates' own sentences that tell that something isn't known.
    pub unknown: &'a [String],
}

/// The grade with its reason, which is empty for an [`Grade::A`].
#[must_use]
pub fn grade(item: &Item, reply: &Reply<'_>) -> (Grade, String) {
    let text = folded(reply.text);
    if text.is_empty()
        || matches!(reply.end, AnswerEnd::Failed | AnswerEnd::Cancelled | AnswerEnd::Superseded)
    {
        return (Grade::D, "no reply".into());
    }
    if let Some(fact) = item.must_not.iter().find(|fact| occurs(&folded(fact), &text)) {
        return (Grade::E, format!("says: {fact}"));
    }
    let own: Vec<String> = reply
        .unknown
        .iter()
        .map(|sentence| folded(sentence))
        .filter(|own| !own.is_empty())
        .collect();
    let unknown = is_refusal(reply.text) || own.iter().any(|own| text.contains(own));
    let declined = reply.end == AnswerEnd::Declined;
    let clarified = reply.end == AnswerEnd::Clarified;
    let answers = matches!(item.behave, Behave::Answer | Behave::Partly);
    let facts = if declined && answers { telling(reply.text, &own) } else { text.clone() };
    let found: Vec<Vec<String>> = item.must.iter().map(|group| held(group, &facts)).collect();
    let missing: Vec<String> = item
        .must
        .iter()
        .zip(&found)
        .filter(|(_, held)| held.is_empty())
        .map(|(group, _)| group.join(" / "))
        .collect();
    let full = !item.must.is_empty() && missing.is_empty();
    // A bare "no" beside another matter's facts is no part of the answer, unless nothing else is
    // expected.
    let met = full || found.iter().flatten().any(|word| !YES_NO.contains(&word.as_str()));
    let lacks = || format!("missing: {}", missing.join("; "));
    let in_language = speaks(&item.lang, reply.text);
    let told = |lacking: bool| {
        if !in_language {
            (Grade::F, format!("not in {}", item.lang))
        } else if lacking {
            (Grade::C, lacks())
        } else if reply.text.chars().count() > item.max_chars {
            (
                Grade::B,
                format!("{} characters, at most {}", reply.text.chars().count(), item.max_chars),
            )
        } else {
            (Grade::A, String::new())
        }
    };
    let put_off = |why: &str| (if in_language { Grade::D } else { Grade::F }, why.to_owned());
    match item.behave {
        Behave::Answer | Behave::Partly => {
            let evaded = declined || clarified || reply.end == AnswerEnd::SmallTalk;
            if evaded && !full && (declined || !met) {
                put_off(if declined { "declined" } else { "asked back" })
            } else if !met {
                if reply.person {
                    (Grade::D, "called a person instead".into())
                } else {
                    (Grade::E, lacks())
                }
            } else if item.behave == Behave::Partly && full && !unknown && in_language {
                (Grade::C, "doesn't tell that the rest isn't known".into())
            } else {
                told(!missing.is_empty())
            }
        }
        Behave::Decline if clarified => {
            if in_language {
                (Grade::C, "asked back".into())
            } else {
                (Grade::F, "asked back".into())
            }
        }
        Behave::Decline if declined || unknown || full || reply.person => told(false),
        Behave::Decline => (Grade::E, "answered what isn't known".into()),
        Behave::Clarify if clarified || declined || full => told(false),
        Behave::Clarify => (Grade::E, "answered something instead of asking back".into()),
        Behave::Person if full || met => told(!missing.is_empty()),
        Behave::Person if reply.person => told(!missing.is_empty() && declined),
        Behave::Person if declined || clarified => put_off("declined"),
        Behave::Person => (Grade::E, "answered instead of calling a person".into()),
        Behave::SmallTalk if full || reply.end == AnswerEnd::SmallTalk && item.must.is_empty() => {
            told(false)
        }
        Behave::SmallTalk if declined => put_off("declined"),
        Behave::SmallTalk => (Grade::E, "answered small talk".into()),
    }
}

/// The alternatives of a fact that occur in a folded text.
fn held(group: &[String], text: &str) -> Vec<String> {
    group.iter().map(|fact| folded(fact)).filter(|fact| occurs(fact, text)).collect()
}

/// Words that say yes or no, and nothing of what.
const YES_NO: &[&str] = &[
    "no", "not", "yes", "only", "can't", "cannot", "don't", "doesn't", "nein", "nicht", "kein",
    "keine", "ja", "nur", "non", "pas", "oui", "ne", "sí", "solo", "不", "不能", "不可", "能",
    "可以",
];

/// A text, folded, without its sentences that only tell that something isn't known.
fn telling(text: &str, own: &[String]) -> String {
    let all = sentences(text).into_iter().filter_map(|range| text.get(range));
    let kept = all.filter(|sentence| {
        let plain = folded(sentence);
        !is_refusal(sentence) && !own.iter().any(|own| own.contains(&plain))
    });
    folded(&kept.collect::<Vec<_>>().join(" "))
}

/// One spelling for what means the same: case, width, spaces, dashes, quotes, marks of emphasis,
/// and forms of numbers ("1,500", "1.500" and "1 500" are "1500", "8,90" is "8.9", "5 °C" is
/// "5°C").
#[must_use]
pub fn folded(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.nfkc().flat_map(char::to_lowercase) {
        match c {
            c if is_dash(c) => plain.push('-'),
            '\u{2018}' | '\u{2019}' | '\u{2bc}' => plain.push('\''),
            'ß' => plain.push_str("ss"),
            '*' | '_' | '`' => {}
            c if c.is_whitespace() => {
                if !plain.ends_with(' ') {
                    plain.push(' ');
                }
            }
            c => plain.push(c),
        }
    }
    joined_units(&plain_numbers(plain.trim()))
}

/// Without the space between a figure and its unit or currency.
fn joined_units(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at =
        |index: Option<usize>| index.and_then(|index| chars.get(index)).copied().unwrap_or(' ');
    let is_currency = |c: char| matches!(c, '€' | '$' | '£');
    let joins = |index: usize| {
        let (before, after) = (at(index.checked_sub(1)), at(index.checked_add(1)));
        before.is_ascii_digit()
            && (after.is_alphabetic() || matches!(after, '°' | '%') || is_currency(after))
            || is_currency(before) && after.is_ascii_digit()
    };
    chars
        .iter()
        .enumerate()
        .filter(|(index, c)| **c != ' ' || !joins(*index))
        .map(|(_, c)| *c)
        .collect()
}

/// Every number in one form.
fn plain_numbers(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let digit = |index: usize| chars.get(index).is_some_and(char::is_ascii_digit);
    let mut plain = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        if !c.is_ascii_digit() {
            plain.push(c);
            at += 1;
            continue;
        }
        // Groups of digits with the mark before each; the first has none.
        let mut groups: Vec<(char, String)> = vec![(' ', String::new())];
        let start = at;
        while let Some(&c) = chars.get(at) {
            if c.is_ascii_digit() {
                if let Some((_, group)) = groups.last_mut() {
                    group.push(c);
                }
            } else if matches!(c, '.' | ',' | ':') && digit(at + 1) {
                groups.push((c, String::new()));
            } else {
                break;
            }
            at += 1;
        }
        let apart = start
            .checked_sub(1)
            .and_then(|before| chars.get(before))
            .is_none_or(|c| !matches!(*c, '+' | '.' | ','))
            && !(start >= 2 && digit(start - 2) && chars.get(start - 1) == Some(&' '));
        if groups.len() == 1 && apart {
            at = spaced_thousands(&chars, at, &mut groups);
        }
        plain.push_str(&number(&groups));
    }
    plain
}

/// Takes up groups of three digits that spaces set off ("1 500"), unless other digits follow: then
/// it is a telephone number.
fn spaced_thousands(chars: &[char], from: usize, groups: &mut Vec<(char, String)>) -> usize {
    let first = groups.first().map_or(0, |(_, group)| group.len());
    let (mut at, mut found) = (from, Vec::new());
    while chars.get(at) == Some(&' ') {
        let group: String = chars
            .get(at + 1..)
            .unwrap_or_default()
            .iter()
            .take_while(|c| c.is_ascii_digit())
            .collect();
        if group.is_empty() {
            break;
        }
        at += 1 + group.len();
        found.push((' ', group));
    }
    if (1..=3).contains(&first)
        && !found.is_empty()
        && found.iter().all(|(_, group)| group.len() == 3)
    {
        groups.extend(found);
        return at;
    }
    from
}

/// A number's groups as one figure; what is no number (a time, a version) as it stands.
fn number(groups: &[(char, String)]) -> String {
    let as_written = || {
        groups.iter().enumerate().fold(String::new(), |mut text, (at, (mark, group))| {
            text.extend((at > 0).then_some(*mark));
            text.push_str(group);
            text
        })
    };
    let Some(((_, first), rest)) = groups.split_first() else { return String::new() };
    let Some((last_mark, last)) = rest.last() else { return first.clone() };
    if rest.iter().any(|(mark, _)| *mark == ':') {
        return as_written();
    }
    let before = rest.get(..rest.len() - 1).unwrap_or_default();
    let thousands = |groups: &[(char, String)], mark: char| {
        first.len() <= 3
            && !first.starts_with('0')
            && groups.iter().all(|(own, group)| *own == mark && group.len() == 3)
    };
    if thousands(rest, *last_mark) {
        return groups.iter().map(|(_, group)| group.as_str()).collect();
    }
    let other = before.first().map_or(*last_mark, |(mark, _)| *mark);
    if *last_mark == ' '
        || last.len() > 2
        || !before.is_empty() && (other == *last_mark || !thousands(before, other))
    {
        return as_written();
    }
    let whole: String =
        groups.iter().take(groups.len() - 1).map(|(_, group)| group.as_str()).collect();
    let decimals = last.trim_end_matches('0');
    if decimals.is_empty() { whole } else { format!("{whole}.{decimals}") }
}

fn is_latin(c: char) -> bool {
    c.is_alphabetic() && !is_east_asian(c)
}

/// Whether a fact occurs in a text, both folded: a number not within a longer one, a word from its
/// beginning, and a single word of up to three letters only by itself.
#[must_use]
pub fn occurs(fact: &str, text: &str) -> bool {
    let (Some(first), Some(last)) = (fact.chars().next(), fact.chars().next_back()) else {
        return false;
    };
    let whole = fact.chars().count() <= 3 && fact.chars().all(is_latin);
    text.match_indices(fact).any(|(at, _)| {
        let (before, after) =
            (text.get(..at).unwrap_or_default(), text.get(at + fact.len()..).unwrap_or_default());
        let previous = before.chars().next_back();
        let next = after.chars().next();
        let starts = if first.is_ascii_digit() {
            let mut back = before.chars().rev();
            match back.next() {
                Some(c) if c.is_ascii_digit() => false,
                Some('.' | ',' | ':') => !back.next().is_some_and(|c| c.is_ascii_digit()),
                _ => true,
            }
        } else {
            !is_latin(first) || !previous.is_some_and(is_latin)
        };
        let ends = !last.is_ascii_digit() || {
            let mut ahead = after.chars();
            match ahead.next() {
                Some(c) if c.is_ascii_digit() => false,
                Some('.' | ',' | ':') => !ahead.next().is_some_and(|c| c.is_ascii_digit()),
                _ => true,
            }
        };
        starts && ends && !(whole && next.is_some_and(is_latin))
    })
}

/// Whether a reply is in a language, by its script and its function words. One that shows neither,
/// a price or a name, fits any; so does a language whose function words aren't known here.
fn speaks(language: &str, text: &str) -> bool {
    let han = text.chars().filter(|c| is_han(*c)).count();
    let letters = text.chars().filter(|c| is_latin(*c)).count();
    if language == "zh" {
        return han >= 4 && han * 4 >= letters || letters < 12;
    }
    // Kanji and hanja are theirs, too.
    if !matches!(language, "ja" | "ko") && han * 3 > letters {
        return false;
    }
    let lower = text.to_lowercase();
    let words: Vec<&str> = unicode_words(&lower).collect();
    let count = |known: &[&str]| {
        let elsewhere = |word: &&str| {
            FUNCTION_WORDS.iter().filter(|(_, words)| words.contains(word)).count() > 1
        };
        words.iter().filter(|word| known.contains(*word) && !elsewhere(word)).count()
    };
    let Some((_, known)) = FUNCTION_WORDS.iter().find(|(name, _)| *name == language) else {
        return true;
    };
    let own = count(known);
    let other = FUNCTION_WORDS
        .iter()
        .filter(|(name, _)| *name != language)
        .map(|(_, words)| count(words))
        .max();
    other.is_none_or(|other| other < 2 || other <= own)
}

/// Frequent function words; those of two languages tell neither.
const FUNCTION_WORDS: &[(&str, &[&str])] = &[
    (
        "en",
        &[
            "the", "and", "of", "to", "with", "you", "your", "we", "our", "this", "that", "is",
            "are", "can", "cannot", "for", "from", "have", "has", "it", "not", "be", "if", "by",
            "at", "when", "do", "does", "which", "within",
        ],
    ),
    (
        "de",
        &[
            "der", "die", "das", "und", "ist", "sind", "nicht", "mit", "für", "sie", "ihre", "wir",
            "eine", "einen", "auf", "im", "von", "kann", "können", "oder", "wenn", "wird",
            "werden", "nach", "aus", "bei", "zum", "zur",
        ],
    ),
    (
        "fr",
        &[
            "le", "les", "des", "du", "et", "est", "sont", "vous", "votre", "vos", "nous", "une",
            "pas", "pour", "dans", "avec", "sur", "que", "qui", "ou", "peut", "pouvez", "au",
            "aux", "cette", "il", "chez", "être",
        ],
    ),
    (
        "es",
        &[
            "el", "los", "las", "su", "usted", "una", "para", "con", "del", "por", "puede", "lo",
            "más", "como", "nuestra", "nuestro", "desde", "hasta", "son", "cuesta", "días", "sin",
            "pero", "tiene", "y",
        ],
    ),
];

/// The first fault of a set of messages: what would make every reply right or none.
///
/// # Errors
/// Names the message and what is wrong with it.
pub fn validate(items: &[Item]) -> anyhow::Result<()> {
    let mut known = HashSet::new();
    for item in items {
        let id = &item.id;
        anyhow::ensure!(known.insert(id), "the message {id} stands twice");
        anyhow::ensure!(!item.text.trim().is_empty(), "the message {id} has no text");
        anyhow::ensure!(
            item.max_chars > 0,
            "max_chars of the message {id} is 0; it must be 1 or more"
        );
        let answers = matches!(item.behave, Behave::Answer | Behave::Partly);
        anyhow::ensure!(
            !answers || !item.must.is_empty(),
            "the message {id} is to be answered, but names no fact (must)"
        );
        let blank = |facts: &[String]| facts.iter().any(|fact| fact.trim().is_empty());
        anyhow::ensure!(
            !item.must.iter().any(|group| group.is_empty() || blank(group))
                && !blank(&item.must_not),
            "the message {id} has an empty fact"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(behave: Behave, must: &[&[&str]], must_not: &[&str]) -> Item {
        let owned =
            |facts: &[&str]| facts.iter().map(|fact| (*fact).to_owned()).collect::<Vec<_>>();
        Item {
            id: "1".into(),
            lang: "en".into(),
            first: None,
            text: "How much?".into(),
            behave,
            must: must.iter().map(|group| owned(group)).collect(),
            must_not: owned(must_not),
            max_chars: 60,
            doc: None,
            why: String::new(),
        }
    }

    #[test]
    fn numbers_have_one_form() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            assert_eq!(folded(text), expected, "{text}");
        }
        check("1,500 EUR, 1.500 EUR, 1 500 EUR", "1500eur, 1500eur, 1500eur");
        check("8,90 €, 8.90 €", "8.9€, 8.9€");
        check("€ 5.00, −5 °C", "€5, -5°c");
        check("10:00–18:30", "10:00-18:30");
        check("+353 20 915 0142", "+353 20 915 0142");
        check("1.234,50", "1234.5");
        check("v1.2.3, ２０ **kg**", "v1.2.3, 20kg");
    }

    #[test]
    fn facts_are_found_as_wholes() {
        #[track_caller]
        fn check(fact: &str, text: &str, expected: bool) {
            assert_eq!(occurs(&folded(fact), &folded(text)), expected, "{fact} in {text}");
        }
        check("8.90", "It costs 18.90 EUR.", false);
        check("8,90", "It costs 8.90 EUR.", true);
        check("refund", "You are refunded.", true);
        check("fund", "You are refunded.", false);
        check("no", "It is not.", false);
        check("no", "No.", true);
        check("不能", "我们不能退货", true);
        check("12", "12:30", false);
    }

    #[test]
    fn the_worst_that_applies_counts() {
        #[track_caller]
        fn check(item: &Item, text: &str, end: AnswerEnd, expected: Grade) {
            let unknown = ["I can't find that.".to_owned()];
            let (grade, reason) =
                grade(item, &Reply { text, end, person: false, unknown: &unknown });
            assert_eq!(grade, expected, "{text}: {reason}");
        }
        let price = item(Behave::Answer, &[&["8.90"], &["120"]], &["18.90"]);
        check(&price, "It costs 8,90 EUR, free from 120 EUR.", AnswerEnd::Complete, Grade::A);
        check(&price, "It costs 8.90 EUR.", AnswerEnd::Complete, Grade::C);
        check(
            &price,
            "It costs 8.90 EUR, from 120 EUR on. To Norway it is 18.90 EUR.",
            AnswerEnd::Complete,
            Grade::E,
        );
        check(&price, "It costs a little.", AnswerEnd::Complete, Grade::E);
        check(&price, "I can't find that.", AnswerEnd::Declined, Grade::D);
        check(
            &price,
            "Es kostet 8,90 EUR, und wir liefern ab 120 EUR frei.",
            AnswerEnd::Complete,
            Grade::F,
        );
        let long = format!("It costs 8.90 EUR, free from 120 EUR. {}", "Indeed. ".repeat(9));
        check(&price, &long, AnswerEnd::Complete, Grade::B);
        let nothing = item(Behave::Decline, &[], &[]);
        check(&nothing, "We have red ones.", AnswerEnd::Complete, Grade::E);
        check(&nothing, "I can't find that.", AnswerEnd::Declined, Grade::A);
        check(&item(Behave::Clarify, &[], &[]), "Which one?", AnswerEnd::Clarified, Grade::A);
        check(
            &item(Behave::Person, &[&["noted"]], &[]),
            "I can't find that.",
            AnswerEnd::Declined,
            Grade::D,
        );
        let partly = item(Behave::Partly, &[&["12:00"]], &[]);
        check(&partly, "From 12:00.", AnswerEnd::Complete, Grade::C);
        check(&partly, "From 12:00. I can't find that.", AnswerEnd::Complete, Grade::A);
    }

    #[test]
    fn sets_that_cannot_be_right_are_refused() {
        assert!(validate(&[item(Behave::Answer, &[], &[])]).is_err());
        assert!(validate(&[item(Behave::Answer, &[&[]], &[])]).is_err());
        assert!(
            validate(&[item(Behave::Decline, &[], &[]), item(Behave::Decline, &[], &[])]).is_err()
        );
        assert!(validate(&[item(Behave::Decline, &[], &[])]).is_ok());
    }
}
