//! Two replies that can't both be right: "14 days" and "30 days", "yes" and "no". Pure.
//!
//! Two sentences contradict each other if they speak of the same thing and say another figure of
//! one unit, or the contrary. Whether they speak of the same thing is told by their words without
//! the figures, and by how near their meanings are; a sentence with a condition or a place of its
//! own speaks of something else.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::manner::{manner, plain};
use crate::language::meanings;
use crate::reason::cues::{self, has};
use crate::reason::places;
use crate::reason::quantity::{self, Amount, Bound, Kind, Order};

/// In what two sentences differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Differs {
    Number,
    YesNo,
}

/// What a sentence says, prepared for comparing.
#[derive(Clone, Debug)]
pub struct Claim {
    figures: Vec<Figure>,
    /// The sentence without its figures: what its embedding is to be of.
    pub subject: String,
    /// Words of the subject that carry meaning, in their order.
    words: Vec<String>,
    places: BTreeSet<String>,
    denies: bool,
    verdict: Option<bool>,
    /// It says so for some cases alone.
    limited: bool,
    /// ISO 639-1.
    language: String,
}

/// A figure with the words that it is told in.
#[derive(Clone, Debug)]
struct Figure {
    of: Measured,
    told: String,
}

#[derive(Clone, Debug)]
enum Measured {
    Amount(Amount),
    /// So many of something, by its stem.
    Count {
        value: f64,
        of: String,
    },
    /// Minutes since midnight.
    Clock(u32),
}

/// Cosine between two subjects from which they are the same whatever the words, and from which they
/// are where half of the words are, too. Chosen by the pairs of `eval/drafts/pairs.toml` that
/// aren't marked `check`; `frontdesk eval drafts` measures them on the others.
const NEAR: f32 = 0.65;
const NEAR_IN_WORDS: f32 = 0.46;
/// The same for a yes and a no, which need half of the words in any case.
const NEAR_CONTRARY: f32 = 0.7;
/// Share of the shorter sentence's words that are enough where nothing is known of the meanings.
const SAME_WORDS: f32 = 0.5;
/// Cosine from which two words that stand for each other are taken to mean the same.
const SAME_BUT_A_WORD: f32 = 0.9;
/// Cosine from which "Yes" and "No" answer one question.
const ONE_QUESTION: f32 = 0.45;

static CLOCK: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(\d{1,2})(?:[:.h](\d{2}))?\s?(a\.?m\b\.?|p\.?m\b\.?|uhr\b|o'clock|点)|\b(\d{1,2})[:h](\d{2})\b")
        .ok()
});
/// Denials that belong to a figure or to a turn of phrase, and deny nothing.
static NO_DENIAL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)\b(?:no|not) (?:more|less|later|longer|fewer|sooner|earlier|only|just|matter)\b(?: than)?",
        r"|\b(?:if|whether or|or) not\b|\bno (?:problem|worries|need)\b|\bwhy not\b",
        r"|\bnicht (?:mehr|weniger|später|länger|früher|nur)\b(?: als)?|\bkein problem\b|\b(?:pas|non) (?:plus|moins|seulement)\b(?: de| que)?",
        r"|\bno (?:más|menos|solo|sólo)\b(?: de| que)?|不超过|不少于|不仅|不晚于|不多于",
    ))
    .ok()
});
/// What says the contrary of another word, by language-free spelling: the first word stands for
/// both.
const CONTRARIES: [(&str, &[&str]); 23] = [
    ("possible", &["impossible"]),
    ("allowed", &["forbidden", "prohibited", "banned", "disallowed"]),
    ("included", &["excluded"]),
    ("refundable", &["nonrefundable"]),
    ("available", &["unavailable"]),
    ("able", &["unable"]),
    ("valid", &["invalid"]),
    ("accept", &["refuse", "reject"]),
    ("accepted", &["refused", "rejected"]),
    ("supported", &["unsupported"]),
    ("required", &["optional"]),
    ("limited", &["unlimited"]),
    ("always", &["never"]),
    ("möglich", &["unmöglich", "ausgeschlossen"]),
    ("erlaubt", &["verboten", "untersagt"]),
    ("kostenlos", &["kostenpflichtig"]),
    ("autorisé", &["interdit"]),
    ("gratuit", &["payant"]),
    ("posible", &["imposible"]),
    ("permitido", &["prohibido"]),
    ("incluido", &["excluido"]),
    ("免费", &["收费"]),
    ("允许", &["禁止"]),
];

impl Claim {
    /// Reads a sentence; `language` is ISO 639-1.
    #[must_use]
    pub fn read(text: &str, language: &str) -> Self {
        let (figures, ranges) = figures(text, language);
        let mut subject = String::with_capacity(text.len());
        let mut from = 0;
        for range in ranges {
            subject.push_str(text.get(from..range.start).unwrap_or_default());
            from = range.end.max(from);
        }
        subject.push_str(text.get(from..).unwrap_or_default());
        let subject = subject.split_whitespace().collect::<Vec<_>>().join(" ");
        let lower = subject.to_lowercase().replace('’', "'").replace("non-", "non");
        let told = NO_DENIAL
            .as_ref()
            .map_or_else(|| lower.clone(), |regex| regex.replace_all(&lower, " ").into_owned());
        let verdict = manner(language).and_then(|manner| manner.verdict(&plain(text)));
        // "No, it doesn't": what the first word says, the sentence says again.
        let behind = told
            .split_once([',', '.', '，'])
            .map(|(_, rest)| rest)
            .filter(|rest| !rest.trim().is_empty());
        let told =
            behind.filter(|_| verdict == Some(false)).map_or_else(|| told.clone(), str::to_owned);
        let mut denies = has(&told, cues::DENIALS)
            || told.contains("n't")
            || told.split_whitespace().any(|word| word == "without");
        let mut words = Vec::new();
        for word in meanings(&told) {
            match CONTRARIES.iter().find(|(_, contrary)| {
                contrary.iter().any(|other| crate::language::stem(other) == word)
            }) {
                Some((same, _)) => {
                    denies = !denies;
                    words.extend(meanings(same));
                }
                None => words.push(word),
            }
        }
        words.retain(|word| !has(word, cues::DENIALS));
        let limited = has(&lower, cues::HEDGES)
            || [
                "only",
                "except",
                "unless",
                "nur",
                "außer",
                "sauf",
                "seulement",
                "solo",
                "sólo",
                "salvo",
                "excepto",
            ]
            .iter()
            .any(|word| plain(&lower).split(' ').any(|own| own == *word))
            || ["只", "仅", "除"].iter().any(|word| lower.contains(word));
        let places = places::places(text)
            .into_iter()
            .flat_map(|place| place.codes.into_iter().map(|code| format!("{code:?}")));
        Self {
            figures,
            places: places.collect(),
            subject,
            words,
            denies,
            verdict,
            limited,
            language: language.to_owned(),
        }
    }

    /// Whether two claims can contradict each other at all, so that it is worth to embed them.
    #[must_use]
    pub fn may_contradict(&self, other: &Self) -> bool {
        self.denies != other.denies
            || self.verdict.is_some() && other.verdict.is_some() && self.verdict != other.verdict
            || different(&self.figures, &other.figures).is_some()
    }

    /// Whether the English embedding model reads the sentence.
    #[must_use]
    pub fn is_english(&self) -> bool {
        self.language == "en"
    }

    /// How alike two subjects are in their words: the share that the shorter one has in common with
    /// the other, and whether only a word or two stand in the place of others.
    #[must_use]
    pub fn alike(&self, other: &Self) -> (f32, bool) {
        (self.shared(other), self.is_replaced(other))
    }

    /// How two sentences contradict each other, with what each of them says; `nearness` is the
    /// cosine between the embeddings of their subjects, `None` where only their words can tell.
    #[must_use]
    pub fn contradicts(
        &self,
        other: &Self,
        nearness: Option<f32>,
    ) -> Option<(Differs, [String; 2])> {
        if self.places != other.places {
            return None;
        }
        let shared = self.shared(other);
        let near = |least: f32, in_words: f32| {
            nearness.map_or(shared >= in_words, |nearness| nearness >= least)
        };
        let replaced = self.is_replaced(other) && !near(SAME_BUT_A_WORD, 1.1);
        let same = !replaced
            && (near(NEAR, SAME_WORDS) || shared >= 0.5 && near(NEAR_IN_WORDS, SAME_WORDS));
        if same && let Some((a, b)) = different(&self.figures, &other.figures) {
            return Some((Differs::Number, [a, b]));
        }
        let contrary = self.denies != other.denies && self.limited == other.limited;
        let asked =
            self.verdict.is_some() && other.verdict.is_some() && self.verdict != other.verdict;
        if contrary && shared >= 0.5 && near(NEAR_CONTRARY, 0.6)
            || asked && near(ONE_QUESTION, 0.3) && self.limited == other.limited
        {
            let told = |claim: &Self| {
                if claim.verdict.unwrap_or(!claim.denies) { "yes" } else { "no" }.to_owned()
            };
            let told = [told(self), told(other)];
            return (told[0] != told[1]).then_some((Differs::YesNo, told));
        }
        None
    }

    /// Share of the shorter subject's words that the other one has.
    #[expect(clippy::cast_precision_loss, reason = "counts of words")]
    fn shared(&self, other: &Self) -> f32 {
        let (a, b): (HashSet<&String>, HashSet<&String>) =
            (self.words.iter().collect(), other.words.iter().collect());
        let least = a.len().min(b.len()).max(1);
        a.intersection(&b).count() as f32 / least as f32
    }

    /// Whether one word or two stand where the other sentence has others, and all else is the same:
    /// "Standard delivery takes …" and "Express delivery takes …".
    fn is_replaced(&self, other: &Self) -> bool {
        let (a, b) = (&self.words, &other.words);
        let before = a.iter().zip(b).take_while(|(a, b)| a == b).count();
        let most = a.len().min(b.len()) - before;
        let behind =
            a.iter().rev().zip(b.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
        let same = before + behind;
        let (left, right) = (a.len() - same, b.len() - same);
        same >= 1 && (1..=2).contains(&left) && (1..=2).contains(&right)
    }
}

/// The figures of a text, and the bytes of them all.
fn figures(text: &str, language: &str) -> (Vec<Figure>, Vec<Range<usize>>) {
    let mut found = Vec::new();
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let told = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default().trim().to_owned();
    for clock in CLOCK.as_ref().into_iter().flat_map(|regex| regex.captures_iter(text)) {
        let Some(all) = clock.get(0) else { continue };
        let number = |at: usize| clock.get(at).and_then(|part| part.as_str().parse::<u32>().ok());
        let hours = number(1).or_else(|| number(4)).unwrap_or_default();
        let minutes = number(2).or_else(|| number(5)).unwrap_or_default();
        let half = clock.get(3).map(|part| part.as_str().to_lowercase()).unwrap_or_default();
        let hours = match half.chars().next() {
            Some('p') if hours < 12 => hours + 12,
            Some('a') if hours == 12 => 0,
            _ => hours,
        };
        if hours <= 24 && minutes < 60 {
            found.push(Figure {
                of: Measured::Clock(hours * 60 + minutes),
                told: told(&all.range()).trim_end_matches('.').to_owned(),
            });
            ranges.push(all.range());
        }
    }
    let taken = |ranges: &[Range<usize>], range: &Range<usize>| {
        ranges.iter().any(|other| other.start < range.end && range.start < other.end)
    };
    for amount in quantity::amounts(text, language) {
        let range = amount.at.clone();
        if !amount.side
            && !taken(&ranges, &range)
            && text.is_char_boundary(range.start)
            && text.is_char_boundary(range.end)
        {
            found.push(Figure { told: told(&range), of: Measured::Amount(amount) });
            ranges.push(range);
        }
    }
    for (value, range) in quantity::numbers(text, language) {
        if taken(&ranges, &range)
            || !text.is_char_boundary(range.start)
            || !text.is_char_boundary(range.end)
        {
            continue;
        }
        let behind = text.get(range.end..).unwrap_or_default();
        let Some(of) =
            meanings(behind.get(..behind.floor_char_boundary(40)).unwrap_or_default()).next()
        else {
            continue;
        };
        found.push(Figure { of: Measured::Count { value, of }, told: told(&range) });
        ranges.push(range);
    }
    ranges.sort_by_key(|range| range.start);
    (found, ranges)
}

/// The first figures of one kind that differ between two sentences, unless one sentence has the
/// figure of the other beside its own.
fn different(ours: &[Figure], theirs: &[Figure]) -> Option<(String, String)> {
    let equal = |a: &Figure, b: &Figure| comparison(&a.of, &b.of) == Some(true);
    // What both say isn't what they differ in.
    let rest = |own: &[Figure], others: &[Figure]| -> Vec<Figure> {
        own.iter()
            .filter(|figure| !others.iter().any(|other| equal(figure, other)))
            .cloned()
            .collect()
    };
    let (a, b) = (rest(ours, theirs), rest(theirs, ours));
    let pairs = a.iter().flat_map(|one| b.iter().map(move |other| (one, other)));
    let mut differing = pairs.filter(|(one, other)| comparison(&one.of, &other.of) == Some(false));
    differing.next().map(|(one, other)| (one.told.clone(), other.told.clone()))
}

/// Whether two figures say the same; `None` where they don't measure the same thing.
fn comparison(a: &Measured, b: &Measured) -> Option<bool> {
    match (a, b) {
        (Measured::Clock(a), Measured::Clock(b)) => Some(a == b),
        (Measured::Count { value: a, of }, Measured::Count { value: b, of: other }) => {
            (of == other).then(|| (a - b).abs() < 1e-9)
        }
        (Measured::Amount(a), Measured::Amount(b)) => agree(a, b),
        _ => None,
    }
}

/// Whether two amounts agree: the same value, or a value within the other's range.
fn agree(a: &Amount, b: &Amount) -> Option<bool> {
    let working = |amount: &Amount| amount.unit.kind == Kind::WorkingTime;
    if working(a) != working(b) {
        return apart_in_days(a, b).then_some(false);
    }
    let low = a.order(b.value, &b.unit)?;
    let high = |amount: &Amount| amount.to.unwrap_or(amount.value);
    if a.to.is_none() && b.to.is_none() {
        // "At least 3" and "at most 10" bear each other.
        let bounds = i32::from(side(a.bound)) * i32::from(side(b.bound));
        let bear = match low {
            Order::Equal => true,
            Order::Less => bounds < 0 && side(a.bound) > 0,
            Order::More => bounds < 0 && side(b.bound) > 0,
        };
        return Some(bear);
    }
    let last = quantity::compare(high(a), &a.unit, high(b), &b.unit)?;
    if low == Order::Equal && last == Order::Equal {
        return Some(true);
    }
    // A single figure within the range, or a bound that the range keeps, is no contradiction.
    let inside = |one: &Amount, range: &Amount| {
        one.to.is_none()
            && one.order(range.value, &range.unit) != Some(Order::Less)
            && quantity::compare(one.value, &one.unit, high(range), &range.unit)
                != Some(Order::More)
    };
    Some(inside(a, b) || inside(b, a))
}

/// Whether working days and a time by the calendar are apart whatever holidays come: so many
/// working days are at most twice as many days and two.
fn apart_in_days(a: &Amount, b: &Amount) -> bool {
    let working = |amount: &Amount| amount.unit.kind == Kind::WorkingTime;
    let (work, time) = if working(a) { (a, b) } else { (b, a) };
    let (Some(day), true) = (quantity::unit("day"), time.unit.kind == Kind::Time) else {
        return false;
    };
    let (least, most) = (work.value, 2.0 * work.to.unwrap_or(work.value) + 2.0);
    let last = quantity::compare(time.to.unwrap_or(time.value), &time.unit, least, &day);
    let first = quantity::compare(time.value, &time.unit, most, &day);
    last == Some(Order::Less) || first == Some(Order::More)
}

fn side(bound: Bound) -> i8 {
    match bound {
        Bound::AtLeast | Bound::MoreThan => 1,
        Bound::AtMost | Bound::LessThan => -1,
        Bound::Exact | Bound::Between => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(
        language: &str,
        a: &str,
        b: &str,
        nearness: f32,
        expected: Option<(Differs, &str, &str)>,
    ) {
        let (one, other) = (Claim::read(a, language), Claim::read(b, language));
        let found = one.contradicts(&other, (language == "en").then_some(nearness));
        let found =
            found.as_ref().map(|(differs, told)| (*differs, told[0].as_str(), told[1].as_str()));
        assert_eq!(found, expected, "{a} / {b}\n{one:?}\n{other:?}");
    }

    #[test]
    fn figures_of_one_unit_that_differ_contradict() {
        let number = |a, b| Some((Differs::Number, a, b));
        check(
            "en",
            "Returns are free within 14 days.",
            "Returns are free within 30 days.",
            0.99,
            number("14 days", "30 days"),
        );
        check("en", "A refund takes 2 weeks.", "A refund takes 14 days.", 0.99, None);
        check("en", "You can have 3 cards.", "You can have 5 cards.", 0.99, number("3", "5"));
        check("en", "We close at 6 pm.", "We close at 20:00.", 0.95, number("6 pm", "20:00"));
        check("en", "We close at 6 pm.", "We close at 18:00.", 0.95, None);
        check(
            "en",
            "A refund takes 3 to 5 working days.",
            "A refund takes 4 working days.",
            0.99,
            None,
        );
        check("en", "Standard delivery takes 3 days.", "Express delivery takes 1 day.", 0.7, None);
        check(
            "en",
            "Delivery to France takes 3 days.",
            "Delivery to Spain takes 5 days.",
            0.9,
            None,
        );
        check("en", "A refund takes 5 days.", "The warranty holds for 2 years.", 0.2, None);
        check(
            "de",
            "Die Rückgabe ist 14 Tage lang möglich.",
            "Die Rückgabe ist 30 Tage lang möglich.",
            0.99,
            number("14 Tage", "30 Tage"),
        );
        check("zh", "退货期限为 14 天。", "退货期限为 30 天。", 0.99, number("14 天", "30 天"));
    }

    #[test]
    fn yes_and_no_contradict() {
        let yes_no = |a, b| Some((Differs::YesNo, a, b));
        check(
            "en",
            "Gas cartridges may fly.",
            "Gas cartridges may not fly.",
            0.95,
            yes_no("yes", "no"),
        );
        check("en", "Yes, it can be washed.", "No, it only takes a cloth.", 0.6, None);
        check("en", "Yes, it can be washed.", "No, use a damp cloth.", 0.6, yes_no("yes", "no"));
        check(
            "en",
            "Exchanges are possible.",
            "Exchanges are impossible.",
            0.9,
            yes_no("yes", "no"),
        );
        check("en", "It takes no more than 5 days.", "It takes up to 5 days.", 0.95, None);
        check("en", "The tent isn't waterproof.", "The stove is light.", 0.3, None);
        check(
            "de",
            "Der Versand ist kostenlos.",
            "Der Versand ist nicht kostenlos.",
            0.95,
            yes_no("yes", "no"),
        );
    }
}
