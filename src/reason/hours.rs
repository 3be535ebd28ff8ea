//! Opening hours of a sentence, said in the visitor's language. Pure.

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
    let rows = rows(&tokens(sentence))?;
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
    Some(said.join(&words.semicolon))
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

/// Whether a question in English, word for word, asks for opening hours.
pub(super) fn asked(gloss: &str) -> bool {
    gloss
        .split(|c: char| !c.is_alphanumeric())
        .any(|word| matches!(word, "open" | "opening" | "closed" | "close" | "hours"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wording::Wording;

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
