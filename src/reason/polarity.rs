//! A plain yes or no where one sentence decides: by where it is said to apply, or by its own
//! predicate. Pure.

use std::collections::HashSet;

use super::cues::{self, Topic, has};
use super::phrasing::Say;
use super::places;
use super::quantity::amounts;
use super::{Lead, Question, Said, Verdict, subject};
use crate::grounding::facts;
use crate::language::meanings;
use crate::language::script::is_han;
use crate::language::words::word_indices_with_apostrophes;

/// "Only within Ireland" for a question about France is no, "not outside Europe" for Mexico as
/// well; what says so decides only about what it is said of.
pub(super) fn place(
    question: &Question<'_>,
    chosen: &[Said<'_>],
    applying: &[usize],
) -> Option<Lead> {
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
    if topics.iter().any(|topic| *topic != Topic::Delivery)
        || !is_about(question, said, &place.name)
    {
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
    // "Delivery to Norway isn't free" denies something else, "no parcels over 30 kg" a part of it.
    let whole = !has(&says, cues::FREE)
        && !has(&says, cues::FEE)
        && amounts(said.text, said.language).is_empty()
        && (!denies || denies_delivery(said, question.shop));
    let no = whole && (only && !within && !denies || denies && within && !only);
    no.then(|| Lead::new(question.say(&Say::Bare, Some(false)), Verdict::No, at))
}

/// Whether a sentence speaks of what the question is about: it names nothing of its own, or
/// something that the question names.
fn is_about(question: &Question<'_>, said: &Said<'_>, place: &str) -> bool {
    let shop = subject(question.shop);
    let areas: HashSet<String> = places::places(said.text)
        .iter()
        .flat_map(|place| subject(&place.name))
        .chain(subject(place))
        .collect();
    let general = subject(GENERAL);
    let own: HashSet<String> = subject(said.text)
        .into_iter()
        .filter(|word| !general.contains(word) && !shop.contains(word) && !areas.contains(word))
        .filter(|word| cues::topics(word).is_empty() && !word.chars().any(is_han))
        .filter(|word| !cues::FUNCTION.contains(&word.as_str()) && !has(word, cues::DENIALS))
        .collect();
    if said.language == question.language {
        let asked = subject(question.text);
        // "Gas cartridges" are what "gas" asks for; "large furniture" is a part of "furniture".
        let first = meanings(said.text).find(|word| own.contains(word));
        return first.is_none_or(|word| asked.contains(&word));
    }
    own.is_empty() && said.language != "zh"
        || said.language == "zh" && general_in_chinese(said.text, question.shop)
}

/// Words of sentences about delivery that name neither goods nor a place.
const GENERAL: &str = "we country countries ship shipped ships delivery order orders parcel package within outside only standard send sent service address \
    addresses place places item items product products deliver europe eu european union world republic international internationally abroad \
    all every any currently unfortunately";

/// Whether what a sentence denies is the delivery itself.
fn denies_delivery(said: &Said<'_>, shop: &str) -> bool {
    match said.language {
        "en" => denied(&said.text.to_lowercase()).is_some_and(|(_, word)| {
            !cues::topics(&word).is_empty() || matches!(word.as_str(), "send" | "sent" | "sell")
        }),
        "zh" => general_in_chinese(said.text, shop),
        _ => {
            let own = subject(said.text);
            let areas: HashSet<String> =
                places::places(said.text).iter().flat_map(|place| subject(&place.name)).collect();
            let (general, shop) = (subject(GENERAL), subject(shop));
            own.iter().all(|word| {
                general.contains(word)
                    || areas.contains(word)
                    || shop.contains(word)
                    || cues::FUNCTION.contains(&word.as_str())
                    || !cues::topics(word).is_empty()
                    || has(word, cues::DENIALS)
            })
        }
    }
}

/// Whether a Chinese sentence about delivery names no kind of goods.
fn general_in_chinese(text: &str, shop: &str) -> bool {
    const WORDS: &[&str] = &[
        "我们", "不向", "欧洲", "欧盟", "以外", "的", "国家", "和", "地区", "发货", "因此", "不能",
        "寄到", "配送", "寄送", "只", "仅", "在", "境内", "向", "到", "、", "，", "。", "订单",
        "可以",
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
pub(super) fn predicate(
    question: &Question<'_>,
    chosen: &[Said<'_>],
    applying: &[usize],
) -> Option<Lead> {
    if question.language != "en" || !cues::wants_yes(question.text) {
        return None;
    }
    let at = *applying.first()?;
    let said = chosen
        .get(at)
        .filter(|said| said.language == "en" && !said.text.contains(['\n', ':', '?']))?;
    let last = cues::last_sentence(question.text);
    // What stands before the question tells circumstances that the sentence would have to take into
    // account.
    if last.len() + 3 < question.text.trim().len()
        || last.contains(',')
        || has(&last, &["=and", "=or", "=but"])
    {
        return None;
    }
    let asked: HashSet<String> = subject(&last)
        .into_iter()
        .filter(|word| {
            !matches!(
                word.as_str(),
                "allow" | "possibl" | "ok" | "able" | "there" | "ever" | "still" | "sell" | "own"
            )
        })
        .collect();
    if asked.len() < 2
        || !facts(&last).is_subset(&facts(said.text))
        || !amounts(&last, "en").is_empty()
    {
        return None;
    }
    let says = said.text.to_lowercase();
    let sentence = subject(&says);
    if !asked.is_subset(&sentence) {
        return None;
    }
    let told = subject(said.about);
    let others = |text: &str| {
        let general = subject(GENERAL);
        subject(text)
            .into_iter()
            .filter(|word| {
                !asked.contains(word)
                    && !general.contains(word)
                    && !told.contains(word)
                    && !has(word, cues::DENIALS)
            })
            .count()
    };
    if has(&says, cues::DENIALS) {
        let (end, denied) = denied(&says)?;
        // What stands behind the denied word adds to it or gives reasons; what stands before it is
        // what it is denied of, and has to be what was asked about, no more and no less.
        let behind = says.get(end..)?;
        let cut = [" or ", " nor ", " because ", " for ", " since ", ",", " and "]
            .iter()
            .filter_map(|link| behind.find(link))
            .min();
        let head = says.get(..end + cut.unwrap_or(behind.len()))?;
        let whole = subject(head).is_superset(&asked)
            && others(head) == 0
            && amounts(&says, "en").is_empty();
        let hits = subject(&denied).iter().any(|word| asked.contains(word));
        let open = [
            "unless",
            "except",
            "=only",
            "=if",
            "=when",
            "=but",
            "=without",
            "=until",
            "excluding",
            "others",
        ];
        return (hits && whole && !has(&says, &open))
            .then(|| Lead::new(question.say(&Say::Bare, Some(false)), Verdict::No, at));
    }
    // A yes needs the whole of a short sentence, and nothing that limits it.
    let limited = has(&says, cues::HEDGES)
        || has(&says, LIMITING)
        || !amounts(&says, "en").is_empty()
        || !facts(&says).is_empty();
    (others(&says) == 0 && !limited && says.split(',').count() == 1)
        .then(|| Lead::new(question.say(&Say::Bare, Some(true)), Verdict::Yes, at))
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

/// The first word of meaning behind the only denial of a sentence, with where it ends.
fn denied(lower: &str) -> Option<(usize, String)> {
    let words: Vec<(usize, &str)> =
        word_indices_with_apostrophes(lower).map(|(at, word)| (at + word.len(), word)).collect();
    let denies = |word: &str| {
        matches!(word, "not" | "cannot" | "never" | "no")
            || word.ends_with("n't")
            || word.ends_with("n’t")
    };
    let mut denials =
        words.iter().enumerate().filter(|(_, (_, word))| denies(word)).map(|(at, _)| at);
    let first = denials.next()?;
    if denials.next().is_some() {
        return None;
    }
    const PASSED: &[&str] = &[
        "be",
        "been",
        "currently",
        "yet",
        "a",
        "an",
        "the",
        "it",
        "any",
        "to",
        "get",
        "offer",
        "allowed",
        "possible",
        "able",
    ];
    let next = words.get(first + 1..)?.iter().find(|(_, word)| !PASSED.contains(word))?;
    Some((next.0, next.1.to_owned()))
}
