//! Whether a visitor is angry or complains in so many words, in the languages of
//! `language/data/words/anger.toml`. Pure.
//!
//! Some words are angry by themselves ("fed up"). Others are so only about the shop: "you are
//! useless" is, "useless without pegs" is not, and "is this a scam?" asks.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::language::lists::{self, List, has, stands_in};
use crate::language::words::{bare, words_with_apostrophes};

/// The words of all languages; the file says what each list holds.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lists {
    angry: List,
    complaints: List,
    harsh: List,
    us: List,
    between: List,
    within: List,
    denials: List,
    behind: List,
    ours: List,
    impatient: List,
    phrases: List,
    whole: List,
}

static LISTS: LazyLock<Lists> =
    LazyLock::new(|| lists::of_all_languages(include_str!("../language/data/words/anger.toml")));

/// True if the words are angry: abuse, threats to leave or to complain, or a message that is
/// shouted.
#[must_use]
pub(super) fn is_angry(text: &str) -> bool {
    let lower = text.to_lowercase().replace('’', "'");
    if without_spaces(&lower) {
        return true;
    }
    let asks = lower.contains('?');
    let sentences = lower.split_inclusive(['.', '!', '?', '\n']);
    let angry = sentences.clone().any(|sentence| {
        let words: Vec<&str> = words(sentence);
        let own = LISTS
            .angry
            .iter()
            .any(|phrase| holds(&words, phrase).is_some_and(|at| !is_denied(&words, at)));
        let complains = LISTS
            .complaints
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
    words_with_apostrophes(text).collect()
}

/// Where a phrase stands.
fn holds(words: &[&str], phrase: &str) -> Option<usize> {
    let length = phrase.split(' ').count();
    words.windows(length).position(|window| window.iter().copied().eq(phrase.split(' ')))
}

/// "I'm not angry".
fn is_denied(words: &[&str], at: usize) -> bool {
    let before = words.get(at.saturating_sub(2)..at).unwrap_or_default();
    before.iter().any(|word| has(&LISTS.denials, word))
}

fn is_about_us(words: &[&str], alone: bool) -> bool {
    (0..words.len()).filter(|at| words.get(*at).is_some_and(|word| has(&LISTS.harsh, word))).any(
        |at| {
            let before = words.get(..at).unwrap_or_default().iter().rev();
            let between = before.clone().take_while(|word| has(&LISTS.between, word)).count();
            let subject = at.checked_sub(between + 1).and_then(|at| words.get(at));
            let of_us = subject.is_some_and(|word| has(&LISTS.us, word))
                || before.take(between).any(|word| has(&LISTS.within, word));
            // "This terrible smell" is about something else.
            let ends = words
                .get(at + 1)
                .is_none_or(|next| has(&LISTS.us, next) || has(&LISTS.behind, next));
            let ours = words
                .get(at + 1..)
                .unwrap_or_default()
                .iter()
                .take(2)
                .any(|next| has(&LISTS.ours, next));
            (of_us && ends || ours || alone) && !is_denied(words, at)
        },
    )
}

fn without_spaces(lower: &str) -> bool {
    has(&LISTS.whole, bare(lower)) || stands_in(&LISTS.phrases, lower)
}

/// Four words or more, nearly all letters capitals, and a word or mark of impatience: some people
/// write so always.
fn is_shouted(text: &str, words: &[&str], asks: bool) -> bool {
    let (mut upper, mut lower) = (0_usize, 0_usize);
    for c in text.chars() {
        upper += usize::from(c.is_uppercase());
        lower += usize::from(c.is_lowercase());
    }
    let capitals = upper >= 12 && lower * 9 <= upper && words.len() >= 4;
    capitals
        && (text.contains('!')
            || text.contains("??")
            || words.iter().any(|word| has(&LISTS.impatient, word)) && !(asks && words.len() > 20))
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
