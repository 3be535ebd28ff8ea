//! A plain yes or no where one sentence decides: by where it is said to apply, or by its own
//! predicate. Pure.

use std::collections::HashSet;

use super::cues::{self, Topic, has};
use super::places;
use super::quantity::amounts;
use super::wording::{self, Say};
use super::{Lead, Question, Said, Verdict, subject};
use crate::grounding::facts;

/// "Only within Ireland" for a question about France is no, "not outside Europe" for Mexico as
/// well; what says so decides only about what it is said of.
pub(super) fn place(question: &Question<'_>, chosen: &[Said<'_>], applying: &[usize]) -> Option<Lead> {
    let place = places::destination(question.text)?;
    if cues::topics(question.text) != [Topic::Delivery]
        || !cues::is_yes_no(question.text)
        || has(&question.text.to_lowercase(), cues::HOW_LONG)
    {
        return None;
    }
    let at = *applying.first()?;
    let said = chosen.get(at)?;
    let says = said.text.to_lowercase();
    let topics = cues::topics(said.text);
    if !topics.contains(&Topic::Delivery)
        && !has(&says, &["=send", "=sent", "=schicken", "envoy", "mandamos", "寄", "发"])
    {
        return None;
    }
    if topics.iter().any(|topic| *topic != Topic::Delivery) || !is_about(question, said, &place.name) {
        return None;
    }
    let within = places::lies_within(&place, said.text)?;
    let only = has(
        &says,
        &[
            "=only",
            "exclusively",
            "=nur",
            "ausschließlich",
            "seulement",
            "uniquement",
            "que dans",
            "solo=",
            "sólo",
            "únicamente",
            "只",
            "仅",
        ],
    );
    let denies = has(&says, cues::DENIALS);
    let no = only && !within && !denies || denies && within && !only;
    no.then(|| Lead::new(wording::sentence(&Say::Bare, Some(false), question.language), Verdict::No, at))
}

/// Whether a sentence speaks of what the question is about: it names nothing of its own, or
/// something that the question names.
fn is_about(question: &Question<'_>, said: &Said<'_>, place: &str) -> bool {
    let shop = subject(question.shop);
    let areas: HashSet<String> =
        places::places(said.text).iter().flat_map(|place| subject(&place.name)).chain(subject(place)).collect();
    let general = subject(GENERAL);
    let own: HashSet<String> = subject(said.text)
        .into_iter()
        .filter(|word| !general.contains(word) && !shop.contains(word) && !areas.contains(word))
        .filter(|word| cues::topics(word).is_empty() && !word.chars().any(super::quantity::is_han))
        .collect();
    if said.language == question.language {
        let asked = subject(question.text);
        return own.is_empty() || own.iter().any(|word| asked.contains(word));
    }
    own.is_empty() && said.language != "zh" || said.language == "zh" && general_in_chinese(said.text, question.shop)
}

/// Words of sentences about delivery that name neither goods nor a place.
const GENERAL: &str = "we country countries ship shipped ships delivery order orders parcel package within outside only standard send sent service address \
    addresses place places item items product products deliver europe eu european union world republic international internationally abroad \
    all every any currently unfortunately";

/// Whether a Chinese sentence about delivery names no kind of goods.
fn general_in_chinese(text: &str, shop: &str) -> bool {
    const WORDS: &[&str] = &[
        "我们", "不向", "欧洲", "欧盟", "以外", "的", "国家", "和", "地区", "发货", "因此", "不能", "寄到", "配送",
        "寄送", "只", "仅", "在", "境内", "向", "到", "、", "，", "。", "订单", "可以",
    ];
    let mut rest = text.replace(shop, "");
    for place in places::places(text) {
        rest = rest.replace(&place.name, "");
    }
    for word in WORDS {
        rest = rest.replace(word, "");
    }
    rest.chars().filter(|c| c.is_alphanumeric()).count() == 0
}

/// "Gift cards cannot be returned" for "Can I return gift cards?" is no. The sentence holds nearly
/// all that is asked, and what it denies or says is what was asked.
pub(super) fn predicate(question: &Question<'_>, chosen: &[Said<'_>], applying: &[usize]) -> Option<Lead> {
    if question.language != "en" || !cues::wants_yes(question.text) {
        return None;
    }
    let at = *applying.first()?;
    let said = chosen.get(at).filter(|said| said.language == "en" && !said.text.contains(['\n', ':', '?']))?;
    let last = cues::last_sentence(question.text);
    // What stands before the question tells circumstances that the sentence would have to take into
    // account.
    if last.len() + 3 < question.text.trim().len() || last.contains(',') || has(&last, &["=and", "=or", "=but"]) {
        return None;
    }
    let asked: HashSet<String> = subject(&last)
        .into_iter()
        .filter(|word| {
            !matches!(word.as_str(), "allow" | "possibl" | "ok" | "able" | "there" | "ever" | "still" | "sell" | "own")
        })
        .collect();
    if asked.len() < 2 || !facts(&last).is_subset(&facts(said.text)) || !amounts(&last, "en").is_empty() {
        return None;
    }
    let says = said.text.to_lowercase();
    let sentence = subject(&says);
    if !asked.is_subset(&sentence) {
        return None;
    }
    if has(&says, cues::DENIALS) {
        let denied = denied(&says)?;
        // What is denied is what was asked for; "unless" and "only" leave cases in which it isn't
        // so.
        let about = subject(&denied);
        let hits = about.iter().any(|word| asked.contains(word));
        return (hits
            && !has(&says, &["unless", "except", "=only", "=if", "=when", "=but", "=without", "=until", "excluding"]))
        .then(|| Lead::new(wording::sentence(&Say::Bare, Some(false), question.language), Verdict::No, at));
    }
    // A yes needs the whole of a short sentence, nothing that limits it, and the question's words
    // side by side in it.
    let more = sentence.difference(&asked).count();
    let limited = has(&says, cues::HEDGES)
        || has(&says, LIMITING)
        || !amounts(&says, "en").is_empty()
        || !facts(&says).is_empty();
    (more <= 2 && !limited && says.split(',').count() == 1)
        .then(|| Lead::new(wording::sentence(&Say::Bare, Some(true), question.language), Verdict::Yes, at))
}

/// Words after which a sentence holds for some cases, or for the contrary of what it seems to say.
const LIMITING: &[&str] = &[
    "without",
    "but=",
    "until",
    "until",
    "within",
    "outside",
    "instead",
    "another",
    "other than",
    "rather",
    "hardly",
    "rarely",
    "seldom",
    "almost",
    "nearly",
    "partly",
    "less",
    "fail",
    "avoid",
    "before",
    "after",
    "than",
    "un",
    "refuse",
    "reject",
    "lose",
    "stop",
    "prevent",
    "forbid",
    "prohibit",
    "exclud",
    "too",
    "no longer",
    "most",
    "usually",
    "often",
    "sometimes",
    "can be",
    "extra",
    "separately",
    "should",
    "could",
    "would",
    "might",
];

/// The first word of meaning behind the only denial of a sentence, with what follows in its clause.
fn denied(lower: &str) -> Option<String> {
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’').filter(|word| !word.is_empty()).collect();
    let denies = |word: &str| {
        matches!(word, "not" | "cannot" | "never" | "no") || word.ends_with("n't") || word.ends_with("n’t")
    };
    let mut at = words.iter().enumerate().filter(|(_, word)| denies(word)).map(|(at, _)| at);
    let first = at.next()?;
    if at.next().is_some() {
        return None;
    }
    let passed = |word: &&&str| {
        matches!(
            **word,
            "be" | "been"
                | "currently"
                | "yet"
                | "a"
                | "an"
                | "the"
                | "it"
                | "any"
                | "to"
                | "get"
                | "offer"
                | "allowed"
                | "possible"
                | "able"
        )
    };
    let next = words.get(first + 1..)?.iter().find(|word| !passed(word))?;
    Some((*next).to_owned())
}
