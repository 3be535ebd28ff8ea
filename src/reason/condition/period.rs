//! How long ago something was bought against how long something lasts. Pure.

use std::collections::HashSet;

use super::super::cues::{self, Topic, has};
use super::super::phrasing::{self, Say};
use super::super::quantity::{Amount, Bound, Kind, Order, amounts, unit};
use super::super::{Lead, Question, Said, Verdict, subject, subject_without};
use super::{is_short, kind, meanings_of, names_another};

/// How long ago something was bought against how long something lasts: "after 3 years" against "a
/// 5-year warranty".
pub(in crate::reason) fn period(
    question: &Question<'_>,
    chosen: &[Said<'_>],
    applying: &[usize],
    beside: &[Said<'_>],
) -> Option<Lead> {
    let elapsed = elapsed(question)?;
    let mut asked = of_its_own(cues::topics(question.text));
    let since_bought = has(&question.text.to_lowercase(), OWNED);
    if asked.is_empty() && since_bought {
        asked.push(Topic::Warranty);
    }
    let at = *applying.first()?;
    let said = chosen.get(at)?;
    let (topic, limit) = lasts(said, true)?;
    // "I've had it for 4 years, do I have to pay for the repair?" is asked of the warranty, too.
    let fits = asked == [topic]
        || topic == Topic::Warranty
            && asked.iter().all(|topic| matches!(topic, Topic::Warranty | Topic::Repair));
    if asked.is_empty()
        || !fits
        || names_another(question, said)
        || !is_of_the_same(question, said, topic, at, chosen, beside)
    {
        return None;
    }
    let order = elapsed.amount.order(limit.value, &limit.unit)?;
    let within = match (order, elapsed.after) {
        (Order::Less, _) => true,
        (Order::More, _) | (Order::Equal, true) => false,
        (Order::Equal, false) => return None,
    };
    let says = format!("{} {}", said.text, said.about).to_lowercase();
    let plain = !has(&says, cues::HEDGES)
        && !has(&said.text.to_lowercase(), cues::DENIALS)
        && is_short(question);
    let sure = cues::wants_yes(question.text) && asked == [topic] && (plain || !within);
    let amount = phrasing::shown(&elapsed.amount, question.figures());
    let shown = phrasing::value(limit.value, &limit.unit, question.figures());
    let say = if within {
        Say::Within { amount, limit: shown }
    } else if order == Order::Equal {
        // "After 3 years" is more than the 3 years; said so it reads oddly, and the verdict says
        // it.
        return sure.then(|| Lead::new(question.say(&Say::Bare, Some(false)), Verdict::No, at));
    } else {
        Say::Over { amount, limit: shown }
    };
    // Within the time, the rest may still forbid it: a yes needs a sentence without conditions.
    // Beyond it, a no doesn't.
    let verdict = sure.then_some(within);
    Some(Lead::new(question.say(&say, verdict), kind(verdict), at))
}

/// The topics of a text without those that only serve another: its delivery is when the time begins
/// ("within 60 days of delivery"), or what is changed; the difference of a price is refunded.
fn of_its_own(mut topics: Vec<Topic>) -> Vec<Topic> {
    if topics.len() > 1 {
        topics.retain(|topic| *topic != Topic::Delivery);
    }
    if topics.contains(&Topic::PriceMatch) {
        topics.retain(|topic| *topic != Topic::Return);
    }
    topics
}

struct Elapsed {
    amount: Amount,
    /// Said of the time behind it: "after 3 years".
    after: bool,
}

/// Words of how long something has been had.
const OWNED: &[&str] = &[
    "had it",
    "had them",
    "had this",
    "have had",
    "owned",
    "bought",
    "purchased",
    "got it",
    "gekauft",
    "seit=",
    "acheté",
    "depuis=",
    "comprado",
    "compré",
    "=desde hace",
    "用了",
    "买了",
    "买的",
];

/// How long ago the visitor's case began.
fn elapsed(question: &Question<'_>) -> Option<Elapsed> {
    const BEFORE: &[&str] = &[
        "after",
        "for",
        "since",
        "nach",
        "vor",
        "seit",
        "après",
        "depuis",
        "il y a",
        "hace",
        "desde hace",
        "después de",
        "tras",
        "had it",
        "过了",
        "用了",
        "买了",
        "了",
    ];
    const AFTER: &[&str] = &[
        "ago",
        "later",
        "old",
        "alt",
        "plus tard",
        "después",
        "前",
        "之前",
        "以前",
        "后",
        "之后",
        "以后",
        "了",
    ];
    const BEHIND: &[&str] = &[
        "after",
        "nach",
        "après",
        "después de",
        "tras",
        "过了",
        "后",
        "之后",
        "以后",
        "later",
        "plus tard",
        "después",
    ];
    let mut found = amounts(question.text, question.language);
    // "My tent is 3 years old": how long it has been had.
    if let ([one], Some(year)) = (found.as_mut_slice(), unit("year"))
        && one.unit.kind == Kind::Age
        && one.bound == Bound::Exact
    {
        one.unit = year;
        return Some(Elapsed { amount: one.clone(), after: false });
    }
    let times: Vec<&Amount> =
        found.iter().filter(|amount| amount.unit.kind == Kind::Time).collect();
    let [amount] = times.as_slice() else { return None };
    if amount.bound != Bound::Exact
        || amount.to.is_some()
        || found.iter().any(|amount| amount.unit.kind == Kind::WorkingTime)
    {
        return None;
    }
    let before = question.text.get(..amount.at.start)?.to_lowercase();
    let before = before.trim_end();
    let before = [
        "about", "almost", "nearly", "only", "just", "etwa", "fast", "erst", "gut", "presque",
        "environ", "casi",
    ]
    .iter()
    .fold(before, |text, word| text.strip_suffix(word).map_or(text, str::trim_end));
    let after = question.text.get(amount.at.end..)?.to_lowercase();
    let after = after.trim_start_matches([' ', '-']);
    let ends = |words: &[&str]| {
        words.iter().any(|word| {
            before.strip_suffix(word).is_some_and(|rest| {
                rest.chars().next_back().is_none_or(|c| !c.is_alphanumeric()) || !word.is_ascii()
            })
        })
    };
    let starts = |words: &[&str]| {
        words.iter().any(|word| {
            after.strip_prefix(word).is_some_and(|rest| {
                rest.chars().next().is_none_or(|c| !c.is_alphanumeric()) || !word.is_ascii()
            })
        })
    };
    let had = has(before, OWNED);
    if !ends(BEFORE) && !starts(AFTER) && !had {
        return None;
    }
    Some(Elapsed { amount: (*amount).clone(), after: ends(BEHIND) || starts(BEHIND) })
}

/// When a period begins.
const BEGINS: &[&str] = &[
    "of delivery",
    "after delivery",
    "from delivery",
    "since delivery",
    "nach lieferung",
    "nach der lieferung",
    "ab lieferung",
    "après la livraison",
    "suivant la livraison",
    "de la livraison",
    "de la entrega",
    "desde la entrega",
    "tras la entrega",
    "of your order",
    "of the order",
    "of ordering",
    "of placing it",
    "of placing the order",
    "after your order",
    "after placing",
    "of purchase",
];

/// Words of sentences that hold in one case only: what they say of it says nothing of another.
const CONDITIONAL: &[&str] = &[
    "=if",
    "=when",
    "=only",
    "member",
    "level",
    "wenn",
    "falls=",
    "=nur",
    "mitglied",
    "=si",
    "seulement",
    "uniquement",
    "membre",
    "=solo",
    "sólo",
    "socios",
    "如果",
    "只",
    "仅",
    "会员",
];

/// Those of them that tell for whom something holds.
const WHOSE: &[&str] = &[
    "=only",
    "member",
    "level",
    "=nur",
    "mitglied",
    "seulement",
    "uniquement",
    "membre",
    "=solo",
    "sólo",
    "socios",
    "只",
    "仅",
    "会员",
];

/// How long something lasts, by a sentence or row that says it of one time alone; `strict` without
/// conditions.
fn lasts(said: &Said<'_>, strict: bool) -> Option<(Topic, Amount)> {
    const LASTING: &[Topic] = &[
        Topic::Warranty,
        Topic::Return,
        Topic::Validity,
        Topic::Cancellation,
        Topic::Change,
        Topic::PriceMatch,
        Topic::Exchange,
    ];
    // "Within 60 days of delivery": when the time begins is no topic.
    let says =
        BEGINS.iter().fold(said.text.to_lowercase(), |text, begins| text.replace(begins, " "));
    if has(&says, cues::DENIALS) {
        return None;
    }
    let own = of_its_own(cues::topics(&says));
    let topics = if own.is_empty() { of_its_own(cues::topics(said.about)) } else { own };
    let [topic] = topics.as_slice() else { return None };
    // The price that falls, or is lower elsewhere, is the case itself.
    let cases = if *topic == Topic::PriceMatch { WHOSE } else { CONDITIONAL };
    if strict && has(&says, cases) {
        return None;
    }
    if !LASTING.contains(topic) {
        return None;
    }
    let found = amounts(said.text, said.language);
    let times: Vec<&Amount> = found
        .iter()
        .filter(|amount| matches!(amount.unit.kind, Kind::Time | Kind::WorkingTime))
        .collect();
    let [limit] = times.as_slice() else { return None };
    let hours = matches!(topic, Topic::Change | Topic::Cancellation);
    let fits =
        limit.unit.kind == Kind::Time && (limit.unit.is_of_days() || hours) && limit.to.is_none();
    // "Points expire 24 months after you earned them" is a limit, "refunded 5 days after it reached
    // us" isn't.
    let within = limit.bound == Bound::AtMost
        || limit.bound == Bound::Exact && matches!(topic, Topic::Warranty | Topic::Validity);
    let waits = has(
        &says,
        &[
            "=take",
            "takes",
            "refund you",
            "we send",
            "we answer",
            "reply",
            "erstatten wir",
            "wir erstatten",
            "remboursons",
            "reembolsamos",
            "我们在",
            "start",
            "beginn",
        ],
    );
    // When the difference of a price is refunded is asked by nobody who tells when they bought.
    let waits = waits || *topic != Topic::PriceMatch && has(&says, &["we refund"]);
    (fits && within && !waits).then(|| (*topic, (*limit).clone()))
}

/// Whether a sentence is about the thing that the question is about. One that stands alone with its
/// kind of limit is; among several, it has a word of the question that the others lack.
fn is_of_the_same(
    question: &Question<'_>,
    said: &Said<'_>,
    topic: Topic,
    at: usize,
    chosen: &[Said<'_>],
    beside: &[Said<'_>],
) -> bool {
    let others = chosen
        .iter()
        .enumerate()
        .filter(|(other, _)| *other != at)
        .map(|(_, said)| said)
        .chain(beside);
    let own = lasts(said, true).map(|(_, limit)| limit);
    let rivals: Vec<&Said<'_>> = others
        .filter(|other| other.text != said.text)
        .filter(|other| match lasts(other, false) {
            Some((same, limit)) => {
                same == topic
                    && own
                        .as_ref()
                        .is_some_and(|own| limit.order(own.value, &own.unit) != Some(Order::Equal))
            }
            // Several limits in one sentence say which is whose in their own way.
            None => {
                let about = cues::topics(other.text);
                about.contains(&topic)
                    && amounts(other.text, other.language)
                        .iter()
                        .filter(|amount| amount.unit.kind == Kind::Time)
                        .count()
                        > 1
            }
        })
        .collect();
    let asked = subject_without(question.text, &amounts(question.text, question.language));
    let held = meanings_of(said);
    let shared: HashSet<&String> =
        asked.iter().filter(|word| held.contains(*word) && !cues::is_of_topic(word)).collect();
    if question.language == said.language {
        let distinct = shared
            .iter()
            .any(|word| !rivals.iter().any(|rival| meanings_of(rival).contains(*word)));
        // What is changed, or cheaper elsewhere, is any order and any thing.
        let for_all = matches!(topic, Topic::Change | Topic::PriceMatch) || is_general(said);
        let alone = rivals.is_empty() && (!shared.is_empty() || for_all);
        alone || distinct
    } else {
        // In another language only names tell which thing is meant.
        let for_all = matches!(topic, Topic::Change | Topic::PriceMatch) || is_general(said);
        rivals.is_empty() && for_all
    }
}

/// Whether a sentence sets its limit for everything: it names nothing that it would be the limit
/// of.
fn is_general(said: &Said<'_>) -> bool {
    let own = subject_without(said.text, &amounts(said.text, said.language));
    let general = subject(GENERAL);
    own.iter().all(|word| {
        cues::is_of_topic(word) || general.contains(word) || cues::FUNCTION.contains(&word.as_str())
    })
}

/// Words of limits that name no thing.
const GENERAL: &str = "item items product products purchase purchased buy order orders day date within period year month week everything \
    receipt received receiving last lasts apply applies customer customers offer offered unused start starts goods article articles parcel \
    return returned send back after before till until one every each ours \
    修期 期为 收货 货后 天内 商品 购买 可在 Artikel Waren Kauf Erhalt innerhalb article articles achat réception dans artículos compra recepción";

#[cfg(test)]
mod tests {
    use super::super::super::{Question, Said, lead};
    use crate::wording::Wording;

    #[track_caller]
    fn check(question: &str, text: &str, about: &str, expected: Option<&str>) {
        let wording = Wording::built_in();
        let question = Question { text: question, language: "en", shop: "", wording };
        let found = lead(&question, &[Said { text, about, language: "en" }], &[]);
        assert_eq!(found.map(|lead| lead.text).as_deref(), expected, "{}", question.text);
    }

    #[test]
    fn orders_are_changed_within_hours() {
        let rule = "Address and size of an order can be changed within 2 hours of placing it, \
                    under My orders.";
        let about = "Orders > Changing an order";
        check(
            "I ordered 30 min ago, can I still change the size?",
            rule,
            about,
            Some("30 minutes is within 2 hours."),
        );
        check(
            "placed my order 5 hours ago with a typo. can I still change that?",
            rule,
            about,
            Some("No: 5 hours is more than 2 hours."),
        );
        check("I ordered 30 minutes ago, is it waterproof?", rule, about, None);
    }

    #[test]
    fn a_price_that_fell_is_asked_about_within_its_time() {
        let rule = "If the price falls within 10 days of your order, we refund the difference.";
        let about = "Price promise";
        check(
            "bought a kettle 2 weeks ago and now it's cheaper, do I get the difference?",
            rule,
            about,
            Some("No: 2 weeks is more than 10 days."),
        );
        check(
            "I bought it 3 days ago and now it's 5 euros cheaper. will you refund me?",
            rule,
            about,
            Some("3 days is within 10 days."),
        );
    }
}
