//! Opening hours of a sentence, said in the visitor's language, and times of day compared with
//! them. Pure.

use super::cues::{self, has};
use super::holidays;
use super::phrasing::Say;
use super::{Lead, Question, Said, Verdict, subject};
use crate::wording::Hours;

/// What a sentence is made of, in reading order.
#[derive(Clone, Debug, PartialEq)]
enum Token {
    Day(usize),
    /// As written, `9:30`.
    Time(String),
    /// "to", "until" or a dash.
    To,
    Closed,
    Daily,
    /// What changes the hours in a way that isn't understood: a half of the day, an exception.
    Other,
}

/// A run of days with its hours.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    days: Vec<(usize, usize)>,
    from: Option<String>,
    /// `None`: closed.
    until: Option<String>,
}

/// The opening hours that an English sentence tells, in another language: "The shop is open Monday
/// to Friday from 9:00 to 17:00 and closed on Sunday" is `Montag bis Freitag 9:00–17:00, Sonntag
/// geschlossen`. `None` where it doesn't read as hours as a whole.
pub(super) fn hours(sentence: &str, words: &Hours) -> Option<String> {
    Some(told(&rows(&tokens(sentence))?, words))
}

/// Days with their hours, in a language.
fn told(rows: &[Row], words: &Hours) -> String {
    let name = |day: usize| words.days.get(day).map_or("", String::as_str);
    let said: Vec<String> = rows
        .iter()
        .map(|row| {
            let days: Vec<String> = row
                .days
                .iter()
                .map(|&(first, last)| match (first, last) {
                    (0, 6) => words.daily.clone(),
                    _ if first == last => name(first).to_owned(),
                    _ => format!("{}{}{}", name(first), words.to, name(last)),
                })
                .collect();
            let hours = match (&row.from, &row.until) {
                (Some(from), Some(until)) => format!("{from}–{until}"),
                (None, Some(until)) => format!("–{until}"),
                (_, None) => words.closed.clone(),
            };
            format!("{} {hours}", days.join(&words.comma))
        })
        .collect();
    said.join(&words.semicolon)
}

/// Words with which a sentence tells more than days and hours.
const OTHERS: &[&str] = &[
    "am",
    "pm",
    "a.m",
    "p.m",
    "noon",
    "midnight",
    "except",
    "excluding",
    "not",
    "but",
    "without",
    "unless",
    "other",
    "only",
    "holiday",
    "holidays",
    "appointment",
    "first",
    "last",
    "second",
    "third",
    "weekday",
    "weekdays",
    "weekend",
    "weekends",
];

fn tokens(sentence: &str) -> Vec<Token> {
    const DAYS: [&str; 7] =
        ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let mut found = Vec::new();
    let text = sentence.replace(['–', '—'], " - ");
    for word in text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '(' | ')')) {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '-').to_lowercase();
        let day = DAYS.iter().position(|day| word.strip_suffix('s').unwrap_or(&word) == *day);
        let clock = word.split_once(':').is_some_and(|(hour, minute)| {
            hour.parse::<u8>().is_ok_and(|hour| hour <= 24)
                && minute.len() == 2
                && minute.parse::<u8>().is_ok()
        });
        match (day, word.as_str()) {
            (Some(day), _) => found.push(Token::Day(day)),
            _ if clock => found.push(Token::Time(word)),
            (None, "to" | "until" | "till" | "-") => found.push(Token::To),
            (None, "closed") => found.push(Token::Closed),
            (None, "daily") => found.push(Token::Daily),
            _ if OTHERS.contains(&word.as_str())
                || word.starts_with(|c: char| c.is_ascii_digit()) =>
            {
                found.push(Token::Other);
            }
            _ => {}
        }
    }
    found
}

/// Days with the hours behind them; days behind "closed" are closed. "On Thursday until 20:00"
/// opens as the days before.
fn rows(tokens: &[Token]) -> Option<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    let mut days: Vec<(usize, usize)> = Vec::new();
    let mut closed = false;
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match (token, tokens.get(at + 1), tokens.get(at + 2)) {
            (Token::Day(first), Some(Token::To), Some(Token::Day(last))) if first < last => {
                days.push((*first, *last));
                at += 3;
            }
            (Token::Day(day), ..) => {
                days.push((*day, *day));
                at += 1;
            }
            (Token::Daily, ..) => {
                days.push((0, 6));
                at += 1;
            }
            (Token::Time(from), Some(Token::To), Some(Token::Time(until)))
                if !days.is_empty() && !closed =>
            {
                let (from, until) = (Some(from.clone()), Some(until.clone()));
                rows.push(Row { days: std::mem::take(&mut days), from, until });
                at += 3;
            }
            (Token::To, Some(Token::Time(until)), _) if !days.is_empty() && !closed => {
                let from = rows.last().and_then(|row| row.from.clone());
                rows.push(Row {
                    days: std::mem::take(&mut days),
                    from,
                    until: Some(until.clone()),
                });
                at += 2;
            }
            (Token::Closed, ..) => {
                // Days without hours before it: "On Sunday it is closed".
                if !days.is_empty() {
                    rows.push(Row { days: std::mem::take(&mut days), from: None, until: None });
                } else {
                    closed = true;
                }
                at += 1;
            }
            _ => return None,
        }
    }
    if closed && !days.is_empty() {
        rows.push(Row { days, from: None, until: None });
        days = Vec::new();
    }
    (days.is_empty() && !rows.is_empty()).then_some(rows)
}

/// Whether a sentence tells on which days, and at which times, something is open.
#[must_use]
pub fn tells_hours(sentence: &str) -> bool {
    rows(&tokens(sentence)).is_some()
}

/// Whether a text tells a time of day.
pub(super) fn tells_a_time(text: &str) -> bool {
    !clocks(&text.to_lowercase()).is_empty()
}

/// Whether it is open on the day, and at the time, that the question names: "open on Sunday at 5
/// pm?" against "on Sunday from 12:00 to 16:00" is no.
pub(super) fn on_the_day(
    question: &Question<'_>,
    chosen: &[Said<'_>],
    applying: &[usize],
) -> Option<Lead> {
    let lower = question.text.to_lowercase();
    if !has(&lower, OPEN)
        || !cues::wants_yes(question.text)
        || holidays::holiday(question.text).is_some()
    {
        return None;
    }
    let words = &question.figures().hours;
    let english = &question.wording.figures("en").hours;
    let days: Vec<usize> = (0..7)
        .filter(|day| {
            let names = [words, english].into_iter().filter_map(|hours| hours.days.get(*day));
            names.map(|name| name.to_lowercase()).any(|name| has(&lower, &[name.as_str()]))
        })
        .collect();
    let ([day], clocks) = (days.as_slice(), clocks(&lower)) else { return None };
    let at = *applying.first()?;
    let said = chosen.get(at)?;
    if holidays::is_of_holidays(said.text) {
        return None;
    }
    let rows = rows(&tokens(said.text))?;
    // What is said last of a day holds: "Monday to Saturday until 18:00, on Thursday until 20:00".
    let row = rows
        .iter()
        .rev()
        .find(|row| row.days.iter().any(|(first, last)| (first..=last).contains(&day)))?;
    let minutes = |time: &Option<String>| time.as_deref().and_then(minutes_of);
    let open = match (minutes(&row.from), minutes(&row.until), clocks.as_slice()) {
        (_, None, _) => false,
        (_, _, []) => true,
        (Some(from), Some(until), [clock]) => (from..until).contains(&clock.0),
        _ => return None,
    };
    let one = Row { days: vec![(*day, *day)], ..row.clone() };
    let text = question.say(&Say::Plain { said: told(&[one], words) }, Some(open));
    Some(Lead::new(text, if open { Verdict::Yes } else { Verdict::No }, at))
}

/// A time of day against the one until which something holds: "3 pm" against "when you order before
/// 14:00".
pub(super) fn by_the_hour(
    question: &Question<'_>,
    chosen: &[Said<'_>],
    applying: &[usize],
) -> Option<Lead> {
    const UNTIL: &[&str] = &[
        "before",
        "by",
        "until",
        "till",
        "vor",
        "bis",
        "avant",
        "jusqu'à",
        "antes de las",
        "hasta las",
        "antes de",
        "hasta",
    ];
    let lower = question.text.to_lowercase();
    // Whoever wants a time for something doesn't ask whether one is early enough.
    if has(&lower, BOOKED) {
        return None;
    }
    let asked = clocks(&lower);
    let [(own, at)] = asked.as_slice() else { return None };
    let shown = question.text.get(at.clone()).unwrap_or_default();
    let shown = if shown.contains(':') { shown.to_owned() } else { clock_text(*own) };
    let input = *applying.first()?;
    let said = chosen.get(input)?;
    let says = said.text.to_lowercase();
    let told = clocks(&says);
    let [(limit, place)] = told.as_slice() else { return None };
    let before = says.get(..place.start)?.trim_end();
    if !UNTIL.iter().any(|word| before.ends_with(word)) || has(&says, cues::DENIALS) {
        return None;
    }
    // They speak of the same: an order, a delivery.
    let words = subject(question.text);
    let same = subject(&format!("{} {}", said.about, said.text))
        .into_iter()
        .any(|word| words.contains(&word) && !word.starts_with(|c: char| c.is_ascii_digit()));
    if !same || own == limit {
        return None;
    }
    let (amount, limit_shown) = (shown, clock_text(*limit));
    let say = if own < limit {
        Say::Earlier { amount, limit: limit_shown }
    } else {
        Say::Later { amount, limit: limit_shown }
    };
    Some(Lead::new(question.say(&say, None), Verdict::Comparison, input))
}

/// Words of wishes for an appointment, a table or a room.
const BOOKED: &[&str] = &[
    "book me",
    "book us",
    "book a",
    "book an",
    "book in",
    "booking",
    "reserve",
    "reservation",
    "appointment",
    "schedule",
    "termin",
    "buchen",
    "reservier",
    "réserver",
    "réservation",
    "rendez-vous",
    "reservar",
    "reserva",
    "=cita",
    "预约",
    "预订",
];

/// Words of questions whether something is open.
const OPEN: &[&str] = &[
    "=open",
    "opening",
    "=closed",
    "geöffnet",
    "=offen",
    "geschlossen",
    "ouvert",
    "fermé",
    "abiert",
    "=abre",
    "=abren",
    "cerrad",
    "开门",
    "营业",
    "开吗",
];

fn clock_text(minutes: u16) -> String {
    format!("{}:{:02}", minutes / 60, minutes % 60)
}

/// Minutes since midnight of `9:30`.
fn minutes_of(time: &str) -> Option<u16> {
    let (hour, minute) = time.split_once(':')?;
    let (hour, minute) = (hour.parse::<u16>().ok()?, minute.parse::<u16>().ok()?);
    (hour <= 24 && minute < 60).then_some(hour * 60 + minute)
}

/// The times of day in a lower-case text, in minutes since midnight, with their bytes: "14:00",
/// "3 pm", "15h", "17 uhr".
fn clocks(lower: &str) -> Vec<(u16, std::ops::Range<usize>)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = lower.get(at..).and_then(|rest| rest.find(|c: char| c.is_ascii_digit()))
    {
        let start = at + start;
        let rest = lower.get(start..).unwrap_or_default();
        let length = rest.find(|c: char| !c.is_ascii_digit() && c != ':').unwrap_or(rest.len());
        let digits = rest.get(..length).unwrap_or_default().trim_end_matches(':');
        at = start + length;
        let alone = lower
            .get(..start)
            .and_then(|before| before.chars().next_back())
            .is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '.' | ',' | '-' | '/'));
        let after = lower.get(start + digits.len()..).unwrap_or_default();
        let (gap, word) = (after.len() - after.trim_start().len(), after.trim_start());
        let suffix = ["p.m.", "a.m.", "pm", "am", "uhr", "h", "点"].iter().find(|suffix| {
            word.strip_prefix(**suffix)
                .is_some_and(|rest| rest.chars().next().is_none_or(|c| !c.is_alphanumeric()))
        });
        let time = match (digits.contains(':'), suffix) {
            (true, _) => minutes_of(digits),
            (false, Some(_)) => {
                digits.parse::<u16>().ok().filter(|hour| *hour < 24).map(|hour| hour * 60)
            }
            (false, None) => None,
        };
        let Some(mut time) = time.filter(|_| alone) else { continue };
        match suffix {
            Some(&("pm" | "p.m.")) if time < 720 => time += 720,
            Some(&("am" | "a.m.")) if time >= 720 => time -= 720,
            // "Within 24 h" is a time that passes.
            Some(&"h") if gap > 0 => continue,
            _ => {}
        }
        let end = start + digits.len() + suffix.map_or(0, |suffix| gap + suffix.len());
        found.push((time, start..end));
        at = at.max(end);
    }
    found
}

/// Whether a question in English, word for word, asks for opening hours.
pub(super) fn asked(gloss: &str) -> bool {
    crate::language::has_word(gloss, &["open", "opening", "closed", "close", "hours"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wording::Wording;

    fn led(language: &str, question: &str, text: &str) -> Option<String> {
        let wording = Wording::built_in();
        let question = Question { text: question, language, shop: "", wording };
        let said = Said { text, about: "", language: "en" };
        super::super::lead(&question, &[said], &[]).map(|lead| lead.text)
    }

    #[test]
    fn a_day_and_a_time_are_compared_with_the_hours() {
        let hours = "The Turku branch is open Monday to Saturday from 9:00 to 17:00, on Thursday until 19:00 and is closed on Sunday.";
        let check = |language: &str, question: &str, expected: Option<&str>| {
            assert_eq!(led(language, question, hours).as_deref(), expected, "{question}");
        };
        check("en", "are you open on Sunday?", Some("No: Sunday closed."));
        check("en", "Are you open on tuesday at 6pm?", Some("No: Tuesday 9:00–17:00."));
        check("en", "Is it open Thursday at 6:30 pm?", Some("Yes: Thursday 9:00–19:00."));
        check("de", "Ist am Samstag geöffnet?", Some("Ja: Samstag 9:00–17:00."));
        check("fr", "Est-ce ouvert le dimanche ?", Some("Non: dimanche fermé."));
        check("en", "when do you open on tuesday?", None);
        check("en", "are you open on Monday or Tuesday?", None);
        check("en", "are you open on Boxing Day, a Friday?", None);
    }

    #[test]
    fn an_hour_is_compared_with_the_last_one() {
        let rule = "Parcels leave on the same day when you order before 13:00.";
        let check = |question: &str, expected: Option<&str>| {
            assert_eq!(led("en", question, rule).as_deref(), expected, "{question}");
        };
        check("I'd order at 3 pm, when does the parcel leave?", Some("15:00 is after 13:00."));
        check("order placed 11:45, will it leave today?", Some("11:45 is before 13:00."));
        check("does the order leave within 24 h?", None);
        check("can I call you at 3 pm?", None);
        check("I'd like to book a pick-up of my order at 3 pm", None);
    }

    #[test]
    fn times_of_day_are_read() {
        let times =
            |text: &str| -> Vec<u16> { clocks(text).into_iter().map(|(time, _)| time).collect() };
        assert_eq!(times("12:30, 3pm, 3 p.m., 12am, 17 uhr, à 15h"), [750, 900, 900, 0, 1020, 900]);
        assert_eq!(times("48 h, 1.5 pm, item-3 pm, 25:00, 3 people, x9"), [0_u16; 0]);
    }

    #[test]
    fn hours_are_said_in_the_visitors_language() {
        #[track_caller]
        fn check(sentence: &str, language: &str, expected: Option<&str>) {
            let words = &Wording::built_in().figures(language).hours;
            assert_eq!(hours(sentence, words).as_deref(), expected, "{sentence}");
        }
        let shop = "The shop is open Monday to Friday from 9:00 to 17:00, on Saturday from 9:30 to 13:00 and is closed on Sunday.";
        check(
            shop,
            "de",
            Some("Montag bis Freitag 9:00–17:00, Samstag 9:30–13:00, Sonntag geschlossen"),
        );
        check(shop, "zh", Some("周一至周五 9:00–17:00；周六 9:30–13:00；周日 不营业"));
        check("It is open daily 8:00–20:00.", "fr", Some("tous les jours 8:00–20:00"));
        check(
            "Open Monday to Saturday from 9:30 to 18:00, on Thursday until 20:00.",
            "es",
            Some("lunes a sábado 9:30–18:00, jueves 9:30–20:00"),
        );
        check("Open Monday to Friday from 9:00 am to 5:00 pm.", "de", None);
        check("Open Monday to Friday from 9 to 17.", "de", None);
        check("Open Monday to Friday, except Wednesday, 9:00 to 17:00.", "de", None);
        check(
            "Open on Monday from 9:00 to 17:00, not on Wednesday from 12:00 to 13:00.",
            "de",
            None,
        );
        check("On the first Thursday it is open from 18:00 to 20:00.", "de", None);
        check("We are closed on Sunday.", "nl", Some("zondag gesloten"));
        check("Orders placed on Friday arrive on Monday.", "de", None);
        check("The shop has a car park.", "de", None);
        check("Call us until 17:00.", "de", None);
        check("We are open Monday to Friday.", "xx", None);
    }
}
