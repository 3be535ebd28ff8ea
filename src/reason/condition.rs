//! Conditions of sentences compared with what the visitor says of the own case. Pure.

use std::collections::HashSet;
mod age;
mod period;
mod spending;
mod tariff;

pub(super) use age::age;
pub(super) use period::period;
pub(super) use spending::spending;
pub(super) use tariff::tariff;

use super::cues::{self, Topic, has};
use super::phrasing::{self, Say};
use super::quantity::{Amount, Bound, Kind, Order, amounts};
use super::{Lead, Question, Said, Verdict, subject_without};

/// Orders below or above the values for which something is offered: "in instalments for orders from
/// 90 EUR to 1,500 EUR".
pub(super) fn order_value(
    question: &Question<'_>,
    chosen: &[Said<'_>],
    applying: &[usize],
) -> Option<Lead> {
    let asked = cues::topics(question.text);
    let lower = question.text.to_lowercase();
    let money: Vec<Amount> = amounts(question.text, question.language)
        .into_iter()
        .filter(|amount| amount.unit.kind == Kind::Money)
        .collect();
    let [amount] = money.as_slice() else { return None };
    let usual = amount.bound == Bound::Exact && !has(&lower, cues::OTHER_MONEY);
    let offered = [Topic::Instalments, Topic::Discount];
    if !usual || asked.is_empty() || !asked.iter().all(|topic| offered.contains(topic)) {
        return None;
    }
    let at = *applying.first()?;
    let said = chosen.get(at)?;
    let told = cues::topics(said.text);
    let says = said.text.to_lowercase();
    if !asked.iter().all(|topic| told.contains(topic))
        || !has(&says, cues::ORDER)
        || has(&says, cues::DENIALS)
    {
        return None;
    }
    let limits: Vec<Amount> = bounded(said, amount);
    let [limit] = limits.as_slice() else { return None };
    let meets = amount.meets(limit)?;
    compared(question, at, amount, limit, meets, cues::is_yes_no(question.text) && !meets)
}

/// Whether a sentence names something that the question doesn't: what it says is of that thing.
/// German writes every noun large.
fn names_another(question: &Question<'_>, said: &Said<'_>) -> bool {
    let asked = question.text.to_lowercase();
    let stems = super::subject(question.text);
    let capitals = crate::language::words(said.text).skip(1);
    let mut names = capitals.filter(|word| {
        word.chars().next().is_some_and(char::is_uppercase)
            && word.chars().count() > 2
            && *word != "EUR"
    });
    // "Under Orders" names what "I ordered" speaks of.
    let spoken_of = |name: &str| {
        let mut own = super::subject(name).into_iter().peekable();
        own.peek().is_some() && own.all(|word| stems.contains(&word))
    };
    said.language != "de"
        && names.any(|name| {
            !has(&asked, &[name.to_lowercase().as_str()])
                && !has(&question.shop.to_lowercase(), &[name.to_lowercase().as_str()])
                && !spoken_of(name)
        })
}

/// Whether a question says hardly more than its amount and what it asks: nothing else may forbid
/// what is asked for.
fn is_short(question: &Question<'_>) -> bool {
    let rest = subject_without(question.text, &amounts(question.text, question.language));
    rest.iter()
        .filter(|word| !cues::is_of_topic(word) && !cues::FUNCTION.contains(&word.as_str()))
        .count()
        <= 4
}

/// What is measured, where a limit is set on it.
const MEASURES: &[(Kind, &[&str], &[&str])] = &[
    // Kind, words of a question, words of a sentence.
    (
        Kind::Mass,
        &[
            "i weigh",
            "my weight",
            "wiege",
            "mein gewicht",
            "je pèse",
            "mon poids",
            "peso",
            "体重",
            "我重",
        ],
        &[
            "body weight",
            "user weight",
            "person",
            "people",
            "rider",
            "user",
            "körpergewicht",
            "personen",
            "nutzer",
            "poids de l'utilisateur",
            "personne",
            "utilisateur",
            "peso corporal",
            "persona",
            "usuario",
            "体重",
            "使用者",
        ],
    ),
    (
        Kind::Length,
        &[
            "tall",
            "my height",
            "i am 1",
            "i'm 1",
            "groß",
            "körpergröße",
            "je mesure",
            "taille de",
            "mido",
            "altura",
            "身高",
            "我高",
        ],
        &[
            "body height",
            "people up to",
            "fits people",
            "person",
            "height",
            "tall",
            "körpergröße",
            "personen",
            "taille",
            "personne",
            "altura",
            "estatura",
            "persona",
            "身高",
        ],
    ),
    (
        Kind::Mass,
        &["parcel", "package", "paket", "sendung", "colis", "paquete", "包裹"],
        &["parcel", "package", "paket", "sendung", "colis", "paquete", "包裹"],
    ),
    (
        Kind::Mass,
        &[
            "carry",
            "load",
            "tragen",
            "last",
            "porter",
            "charge de",
            "llevar",
            "carga",
            "负重",
            "承重",
        ],
        &[
            "carr",
            "load",
            "tragkraft",
            "traglast",
            "belast",
            "charge",
            "carga",
            "capacidad",
            "负重",
            "承重",
        ],
    ),
    (
        Kind::Mass,
        &[
            "luggage", "suitcase", "gepäck", "koffer", "bagage", "valise", "equipaje", "maleta",
            "行李",
        ],
        &[
            "luggage", "suitcase", "gepäck", "koffer", "bagage", "valise", "equipaje", "maleta",
            "行李",
        ],
    ),
    (
        Kind::Temperature,
        &["charg", "aufladen", "laden", "recharg", "cargar", "充电"],
        &["charg", "aufladen", "laden", "recharg", "carga", "充电"],
    ),
    (
        Kind::Temperature,
        &[
            "work at",
            "use it at",
            "operat",
            "betreib",
            "funktionier",
            "fonctionn",
            "utilis",
            "funciona",
            "工作",
            "使用",
        ],
        &["operat", "works at", "betrieb", "fonctionn", "funciona", "工作温度", "使用温度"],
    ),
];

/// A weight, size or other measure against a limit: "60 kg" against "parcels up to 30 kg".
/// Compared, never answered by yes.
pub(super) fn limit(
    question: &Question<'_>,
    chosen: &[Said<'_>],
    applying: &[usize],
    beside: &[Said<'_>],
) -> Option<Lead> {
    let lower = question.text.to_lowercase();
    let found = amounts(question.text, question.language);
    let usable = |amount: &&Amount| {
        matches!(amount.unit.kind, Kind::Mass | Kind::Length | Kind::Temperature)
            && amount.bound == Bound::Exact
            && !amount.side
    };
    let measured: Vec<&Amount> = found.iter().filter(usable).collect();
    let [amount] = measured.as_slice() else { return None };
    let measures: Vec<_> = MEASURES
        .iter()
        .filter(|(kind, asked, _)| *kind == amount.unit.kind && has(&lower, asked))
        .collect();
    let at = *applying.first()?;
    let said = chosen.get(at)?;
    let says = format!("{} {}", said.about, said.text).to_lowercase();
    let measure = measures.iter().find(|(_, _, told)| has(&says, told))?;
    if measures.iter().any(|(_, _, told)| !has(&says, told)) {
        return None;
    }
    if has(&says, SOFT) || names_another(question, said) {
        return None;
    }
    let limits = bounded(said, amount);
    let [limit] = limits.as_slice() else { return None };
    // The same measure of something else at hand: only what is asked for by its name counts.
    let others = chosen
        .iter()
        .enumerate()
        .filter(|(other, _)| *other != at)
        .map(|(_, said)| said)
        .chain(beside);
    let rival = others.filter(|other| other.text != said.text).any(|other| {
        let text = format!("{} {}", other.about, other.text).to_lowercase();
        has(&text, measure.2) && !bounded(other, amount).is_empty()
    });
    if rival || has(&said.text.to_lowercase(), cues::DENIALS) && limit.bound != Bound::AtMost {
        return None;
    }
    let meets = amount.meets(limit)?;
    let sure = !meets && cues::wants_yes(question.text) && limit.bound == Bound::AtMost;
    compared(question, at, amount, limit, meets, sure)
}

/// Limits that are advice.
const SOFT: &[&str] = &[
    "recommend",
    "comfortabl",
    "about",
    "empfehl",
    "etwa",
    "recommand",
    "environ",
    "recomend",
    "aproximad",
    "longer",
    "shorter",
    "länger",
    "kürzer",
    "建议",
    "推荐",
    "约",
];

/// The limits in a sentence that an amount can be compared with.
fn bounded(said: &Said<'_>, amount: &Amount) -> Vec<Amount> {
    let all: Vec<Amount> = amounts(said.text, said.language)
        .into_iter()
        .filter(|limit| limit.unit.matches(&amount.unit))
        .collect();
    // Where other amounts of the kind stand beside the limit, it is unclear what is limited.
    if all.len() == 1 {
        all.into_iter().filter(|limit| limit.bound != Bound::Exact && !limit.side).collect()
    } else {
        Vec::new()
    }
}

/// The comparison in words, with a yes or no before it where that is sure.
fn compared(
    question: &Question<'_>,
    at: usize,
    amount: &Amount,
    limit: &Amount,
    meets: bool,
    sure: bool,
) -> Option<Lead> {
    let shown = phrasing::shown(amount, question.figures());
    let low = phrasing::value(limit.value, &limit.unit, question.figures());
    let say = match (limit.bound, meets) {
        (Bound::AtLeast, true) => Say::Reaches { amount: shown, limit: low },
        (Bound::AtLeast, false) => Say::Below { amount: shown, limit: low },
        (Bound::MoreThan, true) | (Bound::AtMost, false) => Say::Over { amount: shown, limit: low },
        (Bound::AtMost, true) => Say::Within { amount: shown, limit: low },
        (Bound::Between, true) => {
            Say::Within { amount: shown, limit: phrasing::shown(limit, question.figures()) }
        }
        (Bound::Between, false) if amount.order(limit.value, &limit.unit)? == Order::Less => {
            Say::Below { amount: shown, limit: low }
        }
        (Bound::Between, false) => Say::Over {
            amount: shown,
            limit: phrasing::value(limit.to?, &limit.unit, question.figures()),
        },
        (Bound::LessThan, _) | (Bound::MoreThan, false) | (Bound::Exact, _) => return None,
    };
    let verdict = sure.then_some(meets);
    Some(Lead::new(question.say(&say, verdict), kind(verdict), at))
}

fn kind(verdict: Option<bool>) -> Verdict {
    match verdict {
        Some(true) => Verdict::Yes,
        Some(false) => Verdict::No,
        None => Verdict::Comparison,
    }
}

fn meanings_of(said: &Said<'_>) -> HashSet<String> {
    super::subject(&format!("{} {}", said.about, said.text))
}
