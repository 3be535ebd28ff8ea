//! Public holidays by their names: what is said of public holidays holds for the one that a visitor
//! names. Pure.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization as _;

use super::cues::has;
use crate::language::script::is_han;
use crate::language::words::word_indices_with_apostrophes;

/// A public holiday that a text names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holiday {
    /// Month and day, where it is the same day every year.
    pub day: Option<(u8, u8)>,
    /// Bytes of its name in the text.
    pub at: Range<usize>,
}

struct Calendar {
    /// Words of a name, folded, with its day.
    names: HashMap<Vec<String>, Option<(u8, u8)>>,
    /// Names without spaces between words.
    unspaced: Vec<(&'static str, Option<(u8, u8)>)>,
    /// Words of the longest name.
    longest: usize,
}

static CALENDAR: LazyLock<Calendar> = LazyLock::new(|| {
    let mut calendar = Calendar { names: HashMap::new(), unspaced: Vec::new(), longest: 0 };
    let lines = include_str!("data/holidays.tsv").lines().filter(|line| !line.starts_with('#'));
    for (day, names) in lines.filter_map(|line| line.split_once('\t')) {
        let day = day
            .split_once('-')
            .and_then(|(month, day)| Some((month.parse::<u8>().ok()?, day.parse::<u8>().ok()?)));
        for name in names.split('|') {
            if name.contains(is_han) {
                calendar.unspaced.push((name, day));
                continue;
            }
            let words: Vec<String> = words(name).into_iter().map(|(word, _)| word).collect();
            calendar.longest = calendar.longest.max(words.len());
            calendar.names.entry(words).or_insert(day);
        }
    }
    calendar
});

/// Words behind which a holiday is an occasion or a date to be ready by, no day that is asked
/// about: "before Christmas", "a present for Easter".
const OCCASIONS: &[&str] = &[
    "before", "by", "until", "till", "for", "after", "since", "vor", "bis", "nach", "für", "avant",
    "après", "pour", "antes", "hasta", "para",
];

/// The first public holiday that a text names as a day that it is about.
#[must_use]
pub fn holiday(text: &str) -> Option<Holiday> {
    let calendar = &*CALENDAR;
    if let Some((at, name, day)) = calendar
        .unspaced
        .iter()
        .filter_map(|(name, day)| Some((text.find(name)?, *name, *day)))
        .min_by_key(|(at, ..)| *at)
    {
        return Some(Holiday { day, at: at..at + name.len() });
    }
    let words = words(text);
    for from in 0..words.len() {
        for count in (1..=calendar.longest.min(words.len() - from)).rev() {
            let Some(run) = words.get(from..from + count) else { continue };
            let name: Vec<String> = run.iter().map(|(word, _)| word.clone()).collect();
            let Some(day) = calendar.names.get(&name) else { continue };
            let before = from.checked_sub(1).and_then(|at| words.get(at));
            if before.is_some_and(|(word, _)| OCCASIONS.contains(&word.as_str())) {
                return None;
            }
            let (first, last) = (run.first()?, run.last()?);
            return Some(Holiday { day: *day, at: first.1.start..last.1.end });
        }
    }
    None
}

/// A text in English in which the holiday that it names is said to be one, with its date; `None`
/// where it names none.
#[must_use]
pub fn explained(text: &str) -> Option<String> {
    let Holiday { day, at } = holiday(text)?;
    let date = day.and_then(|(month, day)| {
        let month = MONTHS.get(usize::from(month).checked_sub(1)?)?.first()?;
        Some(format!("{day} {month}, "))
    });
    let (head, rest) = (text.get(..at.end)?, text.get(at.end..)?);
    Some(format!("{head} ({}a public holiday){rest}", date.unwrap_or_default()))
}

/// A text with the name of a holiday replaced by what it is, in English; `None` where it names
/// none.
#[must_use]
pub fn in_english(text: &str) -> Option<String> {
    let Holiday { at, .. } = holiday(text)?;
    Some(format!("{} public holiday {}", text.get(..at.start)?, text.get(at.end..)?))
}

/// How a text tells of a holiday, the best last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tells {
    /// Neither of it nor of holidays.
    Nothing,
    /// Of public holidays in general.
    OfHolidays,
    /// Of its date.
    OfTheDay,
}

/// Whether a text of the knowledge tells of public holidays.
#[must_use]
pub fn is_of_holidays(text: &str) -> bool {
    has(&text.to_lowercase(), HOLIDAYS)
}

/// Whether a text of the knowledge tells of a holiday.
#[must_use]
pub fn tells(holiday: &Holiday, text: &str) -> Tells {
    let lower = text.to_lowercase();
    if holiday.day.is_some_and(|(month, day)| names_day(&lower, month, day)) {
        Tells::OfTheDay
    } else if is_of_holidays(text) {
        Tells::OfHolidays
    } else {
        Tells::Nothing
    }
}

/// Whether a lower-case text names a day of the year: "25 december", "december 25", "25.12.".
fn names_day(lower: &str, month: u8, day: u8) -> bool {
    let names = usize::from(month).checked_sub(1).and_then(|at| MONTHS.get(at));
    let words: Vec<&str> = crate::language::words(lower).collect();
    let is_day = |word: &str| {
        let digits = word.trim_end_matches(|c: char| c.is_alphabetic());
        !digits.is_empty() && digits.parse() == Ok(day)
    };
    let is_month = |word: &str| {
        names.is_some_and(|names| names.iter().any(|name| name.to_lowercase() == word))
    };
    let near = |at: usize| {
        let after = words.iter().skip(at + 1).take(2);
        let mut around = after.chain(at.checked_sub(1).and_then(|at| words.get(at)));
        around.any(|word| is_month(word))
    };
    words.iter().enumerate().any(|(at, word)| is_day(word) && near(at))
        || lower.contains(&format!("{day}.{month}."))
        || lower.contains(&format!("{month}月{day}日"))
        || lower.contains(&format!("{month} 月 {day} 日"))
}

/// Words of sentences about public holidays.
const HOLIDAYS: &[&str] = &[
    "public holiday",
    "bank holiday",
    "national holiday",
    "statutory holiday",
    "feiertag",
    "jour férié",
    "jours fériés",
    "festivo",
    "feriado",
    "节假日",
    "法定假日",
    "公共假日",
    "公众假期",
];

/// The months in English, German, French and Spanish.
const MONTHS: &[&[&str]] = &[
    &["January", "Januar", "Jänner", "janvier", "enero"],
    &["February", "Februar", "février", "febrero"],
    &["March", "März", "mars", "marzo"],
    &["April", "avril", "abril"],
    &["May", "Mai", "mayo"],
    &["June", "Juni", "juin", "junio"],
    &["July", "Juli", "juillet", "julio"],
    &["August", "août", "agosto"],
    &["September", "septembre", "septiembre"],
    &["October", "Oktober", "octobre", "octubre"],
    &["November", "novembre", "noviembre"],
    &["December", "Dezember", "décembre", "diciembre"],
];

/// Words as they are compared: lower-case, without accents, "St" for "Saint" and without the
/// possessive's ending, which few write.
fn words(text: &str) -> Vec<(String, Range<usize>)> {
    word_indices_with_apostrophes(text)
        .map(|(at, word)| (at, word.trim_end_matches(['\'', '’'])))
        .filter(|(_, word)| !word.is_empty())
        .map(|(at, word)| (folded(word), at..at + word.len()))
        .collect()
}

fn folded(word: &str) -> String {
    let plain: String =
        word.nfd().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    match plain.as_str() {
        "saint" => "st".to_owned(),
        // "Patricks", "Patrick's" and "Patrick" are one; "Christmas" has its s.
        name if name.len() > MIN_POSSESSIVE && name.ends_with('s') && !name.ends_with("as") => {
            plain.trim_end_matches('s').to_owned()
        }
        _ => plain,
    }
}

/// Letters of a word whose last s may be a possessive's.
const MIN_POSSESSIVE: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, Option<(u8, u8)>)>) {
        let found = holiday(text);
        let found = found.map(|holiday| (&text[holiday.at], holiday.day));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn holidays_are_found_by_their_names() {
        check("Are you open on St. Stephen's Day?", Some(("St. Stephen's Day", Some((12, 26)))));
        check("open new years day??", Some(("new years day", Some((1, 1)))));
        check("Haben Sie am Karfreitag offen?", Some(("Karfreitag", None)));
        check("Ouvert le lundi de Pâques ?", Some(("lundi de Pâques", None)));
        check("¿Abren en Navidad?", Some(("Navidad", Some((12, 25)))));
        check("元旦开门吗", Some(("元旦", Some((1, 1)))));
        check("Will it arrive before Christmas?", None);
        check("I want a present for Easter", None);
        check("When are you open on Monday?", None);
        check("", None);
    }

    #[test]
    fn a_holiday_is_explained_with_its_date() {
        let text = "open on may day or not";
        let expected = "open on may day (1 May, a public holiday) or not";
        assert_eq!(explained(text).as_deref(), Some(expected));
        assert_eq!(explained("open on monday"), None);
        assert_eq!(
            in_english("Am Karfreitag offen?").as_deref(),
            Some("Am  public holiday  offen?")
        );
    }

    #[test]
    fn texts_tell_of_the_day_or_of_holidays() {
        let told = |question: &str, text: &str| tells(&holiday(question).unwrap(), text);
        let closed = "We are closed on 1 January and on December 25.";
        assert_eq!(told("open on New Year's Day?", closed), Tells::OfTheDay);
        assert_eq!(told("open at Christmas?", closed), Tells::OfTheDay);
        assert_eq!(told("open on Good Friday?", closed), Tells::Nothing);
        assert_eq!(told("open on May Day?", "Bank holidays: 10:00 to 14:00"), Tells::OfHolidays);
        assert_eq!(told("open on Boxing Day?", "Open from 9:26 to 12:00."), Tells::Nothing);
    }
}
