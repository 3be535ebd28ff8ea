//! Whether a visitor asks for a person in so many words, in the languages of
//! `language/data/words/person.toml`. Pure.
//!
//! What asks is a verb with a person ("put me through to someone", "mit einem Menschen sprechen"),
//! or a person alone ("agent", "human please"). A verb that is denied asks for nothing, and a
//! person who is named without such a verb neither: "a travel agent", "customer service hours".

use std::sync::LazyLock;

use serde::Deserialize;

use crate::language::lists::{self, List, has, stands_in};
use crate::language::words::{bare, words_with_apostrophes};

/// The words of all languages; the file says what each list holds.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lists {
    persons: List,
    wanted: List,
    general: List,
    before: List,
    after: List,
    alone: List,
    but: List,
    denials: List,
    able: List,
    named: List,
    verbs: List,
    denying: List,
    about: List,
    whole: List,
    machines: List,
}

static LISTS: LazyLock<Lists> =
    LazyLock::new(|| lists::of_all_languages(include_str!("../language/data/words/person.toml")));

/// True if the visitor asks for a person in so many words.
#[must_use]
pub(super) fn asks_for_person(text: &str) -> bool {
    let lower = text.to_lowercase().replace('’', "'");
    if asks_without_spaces(&lower) {
        return true;
    }
    let clauses = lower.split([',', '.', ';', ':', '!', '?', '¿', '¡', '\n', '(', ')', '—', '–']);
    clauses.flat_map(|clause| split_at_but(&words(clause))).any(|clause| {
        let clause: Vec<&str> = clause.iter().map(String::as_str).collect();
        is_person_alone(&clause) || (0..clause.len()).any(|at| asks_at(&clause, at))
    })
}

fn words(clause: &str) -> Vec<String> {
    words_with_apostrophes(clause)
        .map(|word| match word.split_once('\'') {
            // "l'humain", "d'un", "qu'un": two words; "don't" and "quelqu'un" are one.
            Some((before, after)) if before.chars().count() == 1 && after.chars().count() > 1 => {
                after.to_owned()
            }
            _ => word.to_owned(),
        })
        .collect()
}

/// "Not a bot but a human" asks in its second half.
fn split_at_but(words: &[String]) -> Vec<Vec<String>> {
    words.split(|word| has(&LISTS.but, word)).map(<[_]>::to_vec).collect()
}

/// The person who is named at a place, after whatever may stand before: the place behind.
fn person(clause: &[&str], mut at: usize, persons: &[String]) -> Option<usize> {
    for _ in 0..6 {
        let named = persons.iter().filter_map(|person| {
            let length = person.split(' ').count();
            let same = person.split(' ').zip(at..).all(|(word, at)| clause.get(at) == Some(&word));
            same.then_some(at + length)
        });
        let named = named.max();
        // "Customer service representative": the last one counts.
        if let Some(end) = named {
            return person(clause, end, persons)
                .filter(|_| clause.get(end).is_some_and(|next| has(persons, next)))
                .or(Some(end));
        }
        if !clause.get(at).is_some_and(|word| has(&LISTS.before, word)) {
            return None;
        }
        at += 1;
    }
    None
}

fn is_person_alone(clause: &[&str]) -> bool {
    let start = clause.iter().take_while(|word| has(&LISTS.alone, word)).count();
    // "Support" and the like are asked for by those who say nothing else.
    let persons = if start == 0 && clause.len() < 3 { &LISTS.persons } else { &LISTS.wanted };
    let end = person(clause, start, persons)
        .filter(|_| !has(&LISTS.general, clause.get(start).unwrap_or(&"")));
    end.is_some_and(|end| clause.iter().skip(end).all(|word| has(&LISTS.alone, word)))
}

/// Whether the verb at a place, with what follows, asks for a person.
fn asks_at(clause: &[&str], at: usize) -> bool {
    let Some(verb) = clause.get(at).copied() else { return false };
    let is = |at: usize, words: &[&str]| clause.get(at).is_some_and(|word| words.contains(word));
    let asks = match verb {
        "talk" | "speak" | "chat" | "talking" | "speaking" | "chatting" => {
            // "Am I talking to a person?" wants to know who answers.
            let wonders = at > 1 && is(at - 1, &["i"]) && is(at - 2, &["am"]);
            !wonders && is(at + 1, &["to", "with"]) && is_asked(clause, at + 2)
        }
        "connect" | "transfer" | "put" | "pass" | "hand" | "escalate" | "switch" | "forward"
        | "redirect" | "route" | "send" => {
            let own = [
                "me",
                "us",
                "this",
                "it",
                "through",
                "over",
                "on",
                "my",
                "chat",
                "conversation",
                "call",
                "request",
            ];
            let hands =
                ["send", "pass", "hand", "forward"].contains(&verb) && !is(at + 1, &["me", "us"]);
            let to = (at + 1..clause.len()).take_while(|at| is(*at, &own)).count() + at + 1;
            !hands && is(to, &["to", "with"]) && is_asked(clause, to + 1)
                || verb == "escalate" && (to == clause.len() && to > at + 1)
        }
        "get" | "give" | "find" => is(at + 1, &["me", "us"]) && is_wanted(clause, at + 2),
        "need" | "want" | "prefer" | "wants" => is_wanted(clause, at + 1),
        "like" => {
            at > 0 && is(at - 1, &["would", "i'd", "we'd", "id"]) && is_wanted(clause, at + 1)
        }
        "there" => {
            // "Is there a person who repairs tents?" asks about the shop.
            let who = person(clause, at + 1, &LISTS.wanted)
                .filter(|end| !is(*end, &["who", "that", "for", "on"]));
            at > 0 && is(at - 1, &["is"]) && who.is_some() && is_wanted(clause, at + 1)
        }
        "can" | "could" | "let" | "have" => {
            person(clause, at + 1, &LISTS.persons).is_some_and(|end| {
                is(end, &["call", "phone", "ring", "contact"]) && is(end + 1, &["me", "us"])
                    || person(clause, at + 1, &LISTS.wanted) == Some(end)
                        && is(end, &["help", "answer", "take", "handle", "assist"])
            })
        }
        // German puts the verb at the end.
        "mit" => {
            let verbs = [
                "sprechen",
                "spreche",
                "reden",
                "rede",
                "chatten",
                "verbinden",
                "verbinde",
                "verbunden",
                "telefonieren",
                "weiterleiten",
            ];
            person(clause, at + 1, &LISTS.persons).is_some()
                && clause.iter().any(|word| verbs.contains(word))
        }
        "brauche" | "möchte" | "will" | "gerne" | "gern" => is_wanted(clause, at + 1),
        "mir" => {
            at > 0 && is(at - 1, &["geben", "gib", "sie", "holen"]) && is_wanted(clause, at + 1)
        }
        "parler" | "discuter" | "échanger" | "parle" => {
            is(at + 1, &["à", "avec", "au"])
                && (is_asked(clause, at + 2) || is_asked(clause, at + 1))
        }
        "moi" => {
            let verbs = ["passez", "passe", "mettez", "connectez", "transférez", "donnez"];
            at > 0
                && is(at - 1, &verbs)
                && (at + 1..at + 5)
                    .any(|at| is_asked(clause, at) && !is(at, &["en", "relation", "contact"]))
        }
        "veux" | "voudrais" | "souhaite" | "besoin" => {
            is_wanted(clause, at + 1) || is(at + 1, &["de"]) && is_wanted(clause, at + 2)
        }
        "hablar" | "chatear" | "comunicarme" | "contactar" | "pásame" | "páseme" | "pasarme"
        | "comuníqueme" | "conécteme" | "transfiérame" | "transfiéreme" => {
            is(at + 1, &["con", "a"]) && is_asked(clause, at + 2)
        }
        "tala" | "prata" | "snacka" | "chatta" => is(at + 1, &["med"]) && is_asked(clause, at + 2),
        "koppla" => {
            let to = (at + 1..clause.len())
                .take_while(|at| is(*at, &["mig", "oss", "vidare", "över"]))
                .count();
            to > 0 && is(at + to + 1, &["till"]) && is_asked(clause, at + to + 2)
        }
        "behöver" | "vill" => {
            is_wanted(clause, at + 1) || is(at + 1, &["ha"]) && is_wanted(clause, at + 2)
        }
        "quiero" | "necesito" | "quisiera" | "prefiero" => is_wanted(clause, at + 1),
        _ => false,
    };
    asks && !is_denied(clause, at)
}

fn is_asked(clause: &[&str], at: usize) -> bool {
    person(clause, at, &LISTS.persons).is_some()
}

fn is_wanted(clause: &[&str], at: usize) -> bool {
    person(clause, at, &LISTS.wanted)
        .is_some_and(|end| clause.get(end).is_none_or(|next| has(&LISTS.after, next)))
}

/// "I don't want to talk to …". Who can't talk to anybody wants to.
fn is_denied(clause: &[&str], verb: usize) -> bool {
    let before = clause.get(verb.saturating_sub(6)..verb).unwrap_or_default();
    before.iter().enumerate().any(|(at, word)| {
        let able = |word: Option<&&str>| word.is_some_and(|word| has(&LISTS.able, word));
        has(&LISTS.denials, word)
            && !able(before.get(at + 1))
            && !(at > 0 && able(before.get(at - 1)))
            // "Could you not just …", "no, I want …": the denial is another one's.
            && (*word != "no" || before.get(at + 1) != Some(&"i"))
    })
}

/// Where words have no borders, a verb close before a person asks.
fn asks_without_spaces(lower: &str) -> bool {
    let text = LISTS.machines.iter().fold(lower.to_owned(), |text, name| text.replace(name, ""));
    let whole = bare(&text).trim_start_matches('请').trim_end_matches(['吧', '谢', '，']);
    if has(&LISTS.whole, whole) {
        return true;
    }
    LISTS.named.iter().flat_map(|person| text.match_indices(person.as_str())).any(|(at, person)| {
        let before: Vec<char> = text.get(..at).unwrap_or_default().chars().collect();
        let near: String =
            before.get(before.len().saturating_sub(6)..).unwrap_or_default().iter().collect();
        let near =
            near.rsplit(['，', '。', '！', '？', ',', '.']).next().unwrap_or_default().to_owned();
        let wider: String =
            before.get(before.len().saturating_sub(9)..).unwrap_or_default().iter().collect();
        let wider =
            wider.rsplit(['，', '。', '！', '？', ',', '.']).next().unwrap_or_default().to_owned();
        let rest: String =
            text.get(at + person.len()..).unwrap_or_default().chars().take(8).collect();
        let close = LISTS.verbs.iter().any(|verb| {
            near.rsplit_once(verb.as_str()).is_some_and(|(_, between)| between.chars().count() <= 3)
        });
        close && !stands_in(&LISTS.denying, &wider) && !stands_in(&LISTS.about, &rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asking_for_a_person_is_understood() {
        for text in [
            "Can I talk to a human?",
            "human please",
            "Can I speak with a human?",
            "I want to speak to a representative",
            "get me a real human",
            "agent",
            "Agent!",
            "operator please",
            "connect me to support",
            "I want to speak with customer service",
            "customer service",
            "I need to talk to a real person",
            "Let me speak to your manager",
            "please transfer me to a live agent",
            "put me through to someone",
            "I need a human",
            "Is there a human I can talk to?",
            "I don't want a bot but a human",
            "I don't want to talk to a bot, I want a human",
            "Why can't I talk to a person?",
            "Could someone call me?",
            "please escalate this",
            "Can I chat with a customer service representative?",
            "Kann ich mit einem Menschen sprechen?",
            "Ich möchte mit einem Mitarbeiter reden",
            "Bitte verbinden Sie mich mit dem Kundenservice",
            "Ich brauche einen echten Menschen",
            "Mitarbeiter bitte",
            "Puis-je parler à un humain ?",
            "Je voudrais parler avec un conseiller",
            "Passez-moi un conseiller",
            "Quiero hablar con una persona",
            "¿Puedo hablar con un agente?",
            "Páseme con alguien",
            "agente por favor",
            "Tala med en människa",
            "Kan jag få prata med en riktig människa?",
            "Koppla mig till kundtjänst tack",
            "Jag vill ha en handläggare",
            "请转人工",
            "人工客服",
            "我要找真人",
            "有没有人工客服？",
            "我想和客服聊聊",
        ] {
            assert!(asks_for_person(text), "{text}");
        }
    }

    #[test]
    fn naming_a_person_is_not_asking_for_one() {
        for text in [
            "I don't want to talk to a human, just tell me the price",
            "I do not need an agent",
            "Jag vill inte prata med en människa",
            "När har kundtjänst öppet?",
            "Hur många personer får plats i tältet?",
            "No need to transfer me to a person",
            "Can I ask without talking to anyone?",
            "Are you a human?",
            "Am I talking to a real person?",
            "Can you act like a real person?",
            "Is this a real person?",
            "Is the jacket for a tall person?",
            "I need a jacket for a tall person",
            "Do you work with a travel agent?",
            "I booked through a travel agent",
            "When is customer service open?",
            "What are the customer service hours?",
            "customer service hours",
            "is this made by human hands",
            "I need a human hair wig",
            "How do I connect the tent to the support pole?",
            "Which tent for two people?",
            "Is there a person who repairs tents in Dublin?",
            "How many people fit in?",
            "Does the sales team get the discount?",
            "Is the support good on these boots?",
            "Can I send it to someone as a gift?",
            "Ich möchte nicht mit einem Menschen sprechen",
            "Wann ist der Kundenservice erreichbar?",
            "Für wie viele Personen ist das Zelt?",
            "Je ne veux pas parler à un humain",
            "Quels sont les horaires du service client ?",
            "No quiero hablar con una persona",
            "¿Cuál es el horario de atención al cliente?",
            "人工客服几点上班？",
            "我不想转人工",
            "你是人工智能吗",
            "客服电话是多少？",
            "",
        ] {
            assert!(!asks_for_person(text), "{text}");
        }
    }
}
