//! What an order costs that is free from a value on. Pure.

use super::super::cues::{self, Topic, has};
use super::super::phrasing::{self, Say};
use super::super::places;
use super::super::quantity::{Amount, Bound, Kind, amounts};
use super::super::{Figure, Lead, Question, Said, Verdict, subject_without};
use super::meanings_of;

/// What an order costs that is free from a value on: "8.90 EUR, free from 120 EUR".
pub(in crate::reason) fn tariff(
    question: &Question<'_>,
    chosen: &[Said<'_>],
    applying: &[usize],
) -> Option<Lead> {
    let lower = question.text.to_lowercase();
    let order = order_amount(question)?;
    let asked = cues::topics(question.text);
    let for_price = has(&lower, cues::FREE)
        || has(&lower, cues::FEE)
        || has(&lower, PRICE_ASKED)
        || lower.contains(['?', '？']);
    if asked != [Topic::Delivery] && !(asked.is_empty() && has(&lower, cues::FREE))
        || !for_price
        || has(&lower, cues::HOW_LONG)
    {
        return None;
    }
    let place = places::destination(question.text);
    let told = |at: &usize| chosen.get(*at).and_then(Tariff::of).map(|tariff| (*at, tariff));
    let fitting: Vec<(usize, Tariff)> = applying
        .iter()
        .filter(|at| {
            place.as_ref().is_none_or(|place| {
                chosen
                    .get(**at)
                    .is_some_and(|said| places::fit(place, said.text) > places::Fit::Unsaid)
            })
        })
        .filter_map(told)
        .collect();
    let (at, tariff) = fitting.first()?;
    let agrees = |other: &Tariff| {
        other.from == tariff.from
            && (other.fee.is_none() || tariff.fee.is_none() || other.fee == tariff.fee)
    };
    if !fitting.iter().all(|(_, other)| agrees(other)) {
        return None;
    }
    // What a fast service costs follows from no other one's tariff.
    let fast = |text: &str| has(&text.to_lowercase(), EXPRESS);
    let said = chosen.get(*at)?;
    if fast(question.text) && !fast(said.text) && !fast(said.about) {
        return None;
    }
    // Another sentence that holds a word of the question which this one lacks is about what was
    // asked ("express").
    let asked_for = subject_without(question.text, std::slice::from_ref(&order));
    let held = meanings_of(said);
    let closer = chosen.iter().enumerate().any(|(other, said)| {
        other != *at && !fitting.iter().any(|(own, _)| *own == other) && {
            let own = meanings_of(said);
            asked_for.iter().any(|word| own.contains(word) && !held.contains(word))
        }
    });
    if closer {
        return None;
    }
    let fee = fitting.iter().find_map(|(_, tariff)| tariff.fee.clone());
    let order_shown = phrasing::shown(&order, question.figures());
    let from = phrasing::value(tariff.from.value, &tariff.from.unit, question.figures());
    let mut inputs: Vec<usize> = fitting.iter().map(|(at, _)| *at).collect();
    inputs.dedup();
    let reaches = order.meets(&tariff.from)?;
    if reaches {
        let text = question.say(&Say::Free { order: order_shown, from }, None);
        return Some(Lead { text, verdict: Verdict::Figure, inputs, figures: Vec::new() });
    }
    let missing = phrasing::value(tariff.from.value - order.value, &order.unit, question.figures());
    let figures =
        vec![Figure { shown: missing.clone(), inputs: vec![from.clone(), order_shown.clone()] }];
    let Some(fee) = fee else {
        let text = question.say(&Say::Below { amount: order_shown, limit: from }, None);
        return Some(Lead { text, verdict: Verdict::Comparison, inputs, figures: Vec::new() });
    };
    let fee = phrasing::value(fee.value, &fee.unit, question.figures());
    let text = question.say(&Say::Fee { fee, order: order_shown, from, missing }, None);
    Some(Lead { text, verdict: Verdict::Figure, inputs, figures })
}

/// Services that are faster than the usual one.
const EXPRESS: &[&str] = &[
    "express",
    "exprès",
    "exprés",
    "next day",
    "next-day",
    "overnight",
    "same day",
    "same-day",
    "eilversand",
    "eilzustellung",
    "über nacht",
    "chronopost",
    "urgente",
    "加急",
    "特快",
    "次日",
];

const PRICE_ASKED: &[&str] = &[
    "how much",
    "=pay",
    "wie viel",
    "was kostet",
    "zahl",
    "combien",
    "payer",
    "cuánto",
    "pagar",
    "多少",
    "要付",
    "免",
];

/// A fee that falls away from a value on.
#[derive(Clone, Debug, PartialEq)]
struct Tariff {
    fee: Option<Amount>,
    from: Amount,
}

impl Tariff {
    fn of(said: &Said<'_>) -> Option<Self> {
        let lower = said.text.to_lowercase();
        let topics = cues::topics(said.text);
        let about = cues::topics(said.about);
        // A row stands under its heading; a sentence says itself what it is about.
        let row = said.text.matches([':', '：']).count() > 1;
        let delivery = topics.contains(&Topic::Delivery)
            || row && topics.is_empty() && about.contains(&Topic::Delivery);
        let other = topics
            .iter()
            .any(|topic| matches!(topic, Topic::Return | Topic::Exchange | Topic::Repair));
        if !delivery || other || has(&lower, MEMBERS) {
            return None;
        }
        let money: Vec<Amount> = amounts(said.text, said.language)
            .into_iter()
            .filter(|amount| amount.unit.kind == Kind::Money)
            .collect();
        let (mut from, mut fees) = (None, Vec::new());
        for amount in &money {
            if is_threshold(said.text, amount) {
                if from.replace(amount.clone()).is_some() {
                    return None;
                }
            } else {
                fees.push(amount.clone());
            }
        }
        let mut from = from?;
        // A column called "free from" needs no word for its bound.
        if from.bound == Bound::Exact {
            from.bound = Bound::AtLeast;
        }
        let plain = |fee: &Amount| fee.bound == Bound::Exact && fee.unit.matches(&from.unit);
        match fees.as_slice() {
            [] => Some(Self { fee: None, from }),
            [fee] if plain(fee) => Some(Self { fee: Some(fee.clone()), from }),
            _ => None,
        }
    }
}

/// Tariffs of customers that not everybody is.
const MEMBERS: &[&str] = &[
    "per year",
    "a year",
    "=level",
    "im jahr",
    "pro jahr",
    "par an",
    "al año",
    "每年",
    "member",
    "mitglied",
    "membre",
    "socio",
    "subscriber",
    "abonnent",
    "会员",
];

/// Whether an amount is the one from which something is free.
fn is_threshold(text: &str, amount: &Amount) -> bool {
    let before = text.get(..amount.at.start).unwrap_or_default();
    let label = before.rsplit([',', '，', ';', '；', '。', '、', '|']).next().unwrap_or_default();
    // A mark of thousands or decimals parts no label.
    let label = if before.ends_with(label) && label.len() < 2 { before } else { label };
    let after: String = text.get(amount.at.end..).unwrap_or_default().chars().take(AFTER).collect();
    let after = after.split(['.', ';', '。', '；']).next().unwrap_or_default().to_lowercase();
    let at_least = matches!(amount.bound, Bound::AtLeast | Bound::MoreThan);
    let free = has(&label.to_lowercase(), cues::FREE);
    free && (at_least || label.trim_end().ends_with([':', '：']))
        || at_least && has(&after, cues::FREE)
}

/// Characters behind an amount in which it is told what is free from it on.
const AFTER: usize = 40;

/// The value of the order that a question tells.
fn order_amount(question: &Question<'_>) -> Option<Amount> {
    let lower = question.text.to_lowercase();
    let money: Vec<Amount> = amounts(question.text, question.language)
        .into_iter()
        .filter(|amount| amount.unit.kind == Kind::Money)
        .collect();
    let [order] = money.as_slice() else { return None };
    let plain = order.bound == Bound::Exact && order.to.is_none() && order.value > 0.0;
    (plain && has(&lower, cues::ORDER) && !has(&lower, cues::OTHER_MONEY)).then(|| order.clone())
}
