//! Ages of persons against the least and highest ones. Pure.

use super::super::cues::{self, Topic, has};
use super::super::quantity::{Amount, Bound, Kind, amounts, unit};
use super::super::{Lead, Question, Said, subject, subject_without};
use super::{compared, is_short};
use crate::language::words::word_indices;

/// A person's age against a least or highest one: "64" against "minimum age 62".
pub(in crate::reason) fn age(
    question: &Question<'_>,
    chosen: &[Said<'_>],
    applying: &[usize],
    beside: &[Said<'_>],
) -> Option<Lead> {
    let at = *applying.first()?;
    let said = chosen.get(at)?;
    let limits = age_limits(said);
    let [limit] = limits.as_slice() else { return None };
    let asked = cues::topics(question.text);
    let told: Vec<Topic> =
        cues::topics(said.text).into_iter().chain(cues::topics(said.about)).collect();
    if !asked.iter().all(|topic| told.contains(topic)) {
        return None;
    }
    // Another age for something else at hand leaves open which counts.
    let others = chosen
        .iter()
        .enumerate()
        .filter(|(other, _)| *other != at)
        .map(|(_, said)| said)
        .chain(beside);
    if others
        .filter(|other| other.text != said.text)
        .flat_map(age_limits)
        .any(|other| other.value != limit.value || other.bound != limit.bound)
    {
        return None;
    }
    if !is_about(question, said) {
        return None;
    }
    let amount = age_of(question)?;
    let meets = amount.meets(limit)?;
    let says = said.text.to_lowercase();
    let number = Amount { unit: limit.unit, ..amount };
    let plain = !has(&says, cues::HEDGES) && amounts_beside(said, limit) == 0 && is_short(question);
    let denied = has(&says, cues::DENIALS);
    let permitted = limit.bound == Bound::AtLeast && !denied;
    let sure = permitted && cues::wants_yes(question.text) && (plain || !meets);
    compared(question, at, &number, limit, meets, sure)
}

/// Words of age limits that tell nothing of what they are set for.
const GENERAL: &str = "minimum maximum min max age aged limit year years old older over least must be person persons people everyone entry \
    Mindestalter Höchstalter Alter beträgt liegt bei Jahre Jahren Jahr mindestens Personen ab âge l'âge l’âge d'âge minimum maximum est ans an personnes avoir \
    edad mínima máxima años persona personas tener es son mayores 最低年龄为 最小年龄为 最低年龄是 年龄要求 年满";

/// Whether an age limit is for what the question is about: it names nothing, or something that the
/// question or its heading names, also in another form ("drive", "drivers"). In another language
/// only one that names nothing is.
fn is_about(question: &Question<'_>, said: &Said<'_>) -> bool {
    let general = subject(GENERAL);
    let own = subject_without(said.text, &amounts(said.text, said.language));
    let mut own = own
        .iter()
        .filter(|word| !general.contains(*word) && !cues::FUNCTION.contains(&word.as_str()))
        .peekable();
    if own.peek().is_none() {
        return true;
    }
    let asked = subject(question.text);
    let alike = |a: &str, b: &str| {
        let shared = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
        shared >= FORM || a == b
    };
    question.language == said.language
        && own.any(|word| asked.iter().any(|asked| alike(word, asked)))
}

/// Letters that two forms of a word begin with alike.
const FORM: usize = 4;

/// Other amounts in the sentence of a limit.
fn amounts_beside(said: &Said<'_>, limit: &Amount) -> usize {
    amounts(said.text, said.language)
        .iter()
        .filter(|amount| amount.at.end <= limit.at.start || amount.at.start >= limit.at.end)
        .count()
}

/// The ages that a sentence sets as limits.
fn age_limits(said: &Said<'_>) -> Vec<Amount> {
    const LEAST: &[&str] = &[
        "minimum age",
        "min. age",
        "mindestalter",
        "âge minimum",
        "edad mínima",
        "最低年龄",
        "最小年龄",
        "minimum entry age",
    ];
    const MOST: &[&str] = &[
        "maximum age",
        "max. age",
        "höchstalter",
        "âge maximum",
        "edad máxima",
        "最大年龄",
        "最高年龄",
    ];
    const PERSON: &[&str] = &[
        "=age",
        "=aged",
        "child",
        "=kid",
        "adult",
        "person",
        "people",
        "driver",
        "participant",
        "applicant",
        "guest",
        "customer",
        "helper",
        "employee",
        "alter",
        "kind",
        "person",
        "teilnehm",
        "âge",
        "enfant",
        "adulte",
        "conducteur",
        "edad",
        "niñ",
        "persona",
        "mayores",
        "menores",
        "年龄",
        "儿童",
        "must be",
        "年满",
    ];
    let Some(age) = unit("years old") else { return Vec::new() };
    let lower = said.text.to_lowercase();
    let found = amounts(said.text, said.language);
    let mut limits: Vec<Amount> = found
        .iter()
        .filter(|amount| amount.unit.kind == Kind::Age && amount.bound != Bound::Exact)
        .cloned()
        .chain(
            found
                .iter()
                .filter(|amount| {
                    amount.unit.name == "year"
                        && !matches!(amount.bound, Bound::Exact)
                        && has(&lower, PERSON)
                })
                .map(|amount| Amount { unit: age, ..amount.clone() }),
        )
        .collect();
    if lower.len() != said.text.len() {
        return limits;
    }
    // "Minimum age of 62", "Mindestalter: 62 Jahre".
    for (bound, cues) in [(Bound::AtLeast, LEAST), (Bound::AtMost, MOST)] {
        for (at, cue) in cues.iter().flat_map(|cue| lower.match_indices(cue)) {
            let from = at + cue.len();
            let rest = lower.get(from..).unwrap_or_default();
            let gap: usize =
                rest.chars().take_while(|c| !c.is_ascii_digit()).map(char::len_utf8).sum();
            let link = rest.get(..gap).unwrap_or_default();
            let digits =
                rest.get(gap..).unwrap_or_default().bytes().take_while(u8::is_ascii_digit).count();
            let value = rest.get(gap..gap + digits).and_then(|digits| digits.parse::<u8>().ok());
            let near = link.chars().count() <= NEAR && !link.contains(['.', '。', ',', ';']);
            if let Some(value) = value.filter(|value| near && (1..=120).contains(value)) {
                let range = from + gap..from + gap + digits;
                limits.retain(|limit| limit.at.start != range.start);
                limits.push(Amount {
                    value: f64::from(value),
                    to: None,
                    unit: age,
                    bound,
                    at: range,
                    side: false,
                });
            }
        }
    }
    // "62 years or over" beside "minimum age of 62" is one limit.
    limits.dedup_by(|a, b| a.value == b.value && a.bound == b.bound);
    limits
}

/// Characters between "minimum age" and the number.
const NEAR: usize = 24;

/// Persons, of whom an age is told.
const PERSONS: &[&str] = &[
    "=i", "i'm", "=she", "=he", "=we", "wife", "husband", "mother", "father", "=mum", "=dad",
    "=son", "daughter", "partner", "friend", "child", "=kid", "grand", "brother", "sister",
    "parents", "=ich", "=sie", "=er", "frau", "mann=", "mutter", "vater", "sohn", "tochter",
    "=kind", "freund", "=je", "j'ai", "=elle", "=il", "femme", "mari=", "mère", "père", "=fils",
    "fille", "ami=", "enfant", "=yo", "=ella", "=él", "mujer", "marido", "madre", "padre", "hijo",
    "hija", "amig", "tengo", "tiene", "妈", "爸", "妻", "丈夫", "老公", "孩子", "儿子", "女儿",
    "我", "他", "她",
];

/// The age of a person that a question tells.
fn age_of(question: &Question<'_>) -> Option<Amount> {
    let age = unit("years old")?;
    let lower = question.text.to_lowercase();
    if !has(&lower, PERSONS) {
        return None;
    }
    let found = amounts(question.text, question.language);
    let told: Vec<&Amount> = found
        .iter()
        .filter(|amount| amount.unit.kind == Kind::Age && amount.bound == Bound::Exact)
        .collect();
    if let [one] = told.as_slice() {
        return Some((*one).clone());
    }
    if !told.is_empty() {
        return None;
    }
    // "My wife is 64", "sie ist 64 Jahre", "elle a 64 ans": a verb of a person, and the number.
    const VERBS: &[&str] = &[
        "i am",
        "i'm",
        "i’m",
        "she is",
        "she's",
        "he is",
        "he's",
        "aged",
        "is only",
        "is already",
        "turned",
        "turning",
        "is now",
        "is",
        "are",
        "ist",
        "bin",
        "sind",
        "wird",
        "ist erst",
        "ist schon",
        "a",
        "ai",
        "j'ai",
        "j’ai",
        "tiene",
        "tengo",
        "tienen",
    ];
    let mut ages: Vec<(f64, usize)> = Vec::new();
    for (at, word) in word_indices(&lower) {
        let Ok(value) = word.parse::<u8>() else { continue };
        let before = lower.get(..at)?.trim_end();
        let said = VERBS.iter().any(|verb| {
            before
                .strip_suffix(verb)
                .is_some_and(|rest| rest.chars().next_back().is_none_or(|c| !c.is_alphanumeric()))
        });
        let after = lower.get(at + word.len()..)?.trim_start();
        let years = ["years", "jahre", "ans", "años"].iter().any(|unit| after.starts_with(unit));
        let ends = after.is_empty()
            || after.starts_with([',', '.', '?', '!', ';', ')'])
            || ["and ", "und ", "et ", "y ", "now", "today", "can ", "may ", "kann ", "darf "]
                .iter()
                .any(|word| after.starts_with(word));
        if said && (years || ends) && (1..=110).contains(&value) {
            ages.push((f64::from(value), at));
        }
    }
    let [(value, at)] = ages.as_slice() else { return None };
    Some(Amount {
        value: *value,
        to: None,
        unit: age,
        bound: Bound::Exact,
        at: *at..*at,
        side: false,
    })
}
