//! Days of the week and of the year in texts of many languages: which days a line of opening hours
//! is about, and which day a question asks for. Pure. The words stand in `data/week.toml`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use unicode_normalization::UnicodeNormalization as _;

use super::script::is_accent;
use super::{is_common_somewhere, is_unspaced};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Words {
    days: Vec<Vec<String>>,
    short: Vec<String>,
    to: Vec<String>,
    closed: Vec<String>,
    daily: Vec<String>,
    weekdays: Vec<String>,
    weekend: Vec<String>,
    holiday: Vec<String>,
    open: Vec<String>,
    when: Vec<String>,
    passed: Vec<String>,
    near: Vec<String>,
    /// From January on, each with its abbreviations.
    months: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Feast {
    month: u8,
    day: u8,
    names: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Lists {
    #[serde(default)]
    feast: Vec<Feast>,
    #[serde(flatten)]
    languages: BTreeMap<String, Words>,
}

static LISTS: LazyLock<Lists> = LazyLock::new(|| {
    toml::from_str(include_str!("data/week.toml")).unwrap_or_else(|error| {
        // Built in, and a test reads it.
        tracing::error!(%error, "a built-in list of words can't be read");
        Lists::default()
    })
});

/// A day of the year: month and day, from 1.
pub type Date = (u8, u8);

/// What a line says of some days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stated {
    /// From Monday to Sunday.
    pub days: [bool; 7],
    pub dates: Vec<Date>,
    /// Public holidays, whichever.
    pub holidays: bool,
    /// Hours are told.
    pub open: bool,
    pub closed: bool,
}

impl Stated {
    fn is_of_days(&self) -> bool {
        self.days.contains(&true) || !self.dates.is_empty() || self.holidays
    }

    fn is_told(&self) -> bool {
        self.open || self.closed
    }
}

/// A line of opening hours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    pub stated: Vec<Stated>,
    /// Words that are neither days nor hours: "by appointment", "kitchen".
    pub others: Vec<String>,
    /// It says that something is open or closed in so many words.
    pub of_opening: bool,
}

/// Which day is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    Days([bool; 7]),
    /// A day of the year; `true` where it is a holiday that has a name.
    Date(Date, bool),
    Holidays,
    /// Today or tomorrow.
    Near,
    Always,
}

/// A question for opening hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub when: When,
    /// It can be answered by yes or no: "Are you open on Sunday?"
    pub yes_no: bool,
    /// Words that name what is open, beside the shop itself.
    pub of: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Day(usize),
    /// An abbreviation that is an ordinary word, too.
    Short(usize, String),
    To,
    Time,
    Number(u8),
    Month(u8),
    Date(Date),
    Closed,
    Daily,
    Weekdays,
    Weekend,
    Holiday,
    Open,
    Near,
    Word(String),
}

/// Lower case without accents; signs stay.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for char in text.nfkd().filter(|char| !is_accent(*char)) {
        match char {
            'ß' => plain.push_str("ss"),
            'ł' | 'Ł' => plain.push('l'),
            'ø' | 'Ø' => plain.push('o'),
            '–' | '—' | '‑' | '−' | '~' | '〜' | '～' => plain.push('-'),
            '\'' | '’' => plain.push(' '),
            char => plain.extend(char.to_lowercase()),
        }
    }
    plain.replace("-feira", "").replace("week-end", "weekend")
}

/// Phrases of one language, each as words, with what they mean; the longest first.
type Phrases = Vec<(Vec<String>, Token)>;

static PHRASES: LazyLock<BTreeMap<&'static str, Phrases>> = LazyLock::new(|| {
    let of = |words: &'static Words| {
        let mut all: Phrases = Vec::new();
        let mut add = |list: &'static [String], token: Token| {
            all.extend(list.iter().map(|entry| (pieces(entry), token.clone())));
        };
        for (day, names) in words.days.iter().enumerate() {
            add(names, Token::Day(day));
        }
        for (day, name) in words.short.iter().enumerate() {
            add(std::slice::from_ref(name), Token::Short(day, name.clone()));
        }
        add(&words.to, Token::To);
        add(&words.closed, Token::Closed);
        add(&words.daily, Token::Daily);
        add(&words.weekdays, Token::Weekdays);
        add(&words.weekend, Token::Weekend);
        add(&words.holiday, Token::Holiday);
        add(&words.near, Token::Near);
        add(&words.open, Token::Open);
        for (month, names) in (1..).zip(&words.months) {
            all.extend(names.split(' ').map(|name| (pieces(name), Token::Month(month))));
        }
        for feast in &LISTS.feast {
            let date = Token::Date((feast.month, feast.day));
            let names = feast.names.iter();
            all.extend(names.map(|name| (pieces(name), date.clone())));
        }
        all.sort_by_key(|(words, _)| std::cmp::Reverse(words.len()));
        all
    };
    LISTS.languages.iter().map(|(language, words)| (language.as_str(), of(words))).collect()
});

/// A piece of a text: a word, a number with its minutes, a sign.
fn pieces(plain: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let chars: Vec<char> = plain.chars().collect();
    let mut at = 0;
    while let Some(char) = chars.get(at) {
        let digit = |at: usize| chars.get(at).is_some_and(char::is_ascii_digit);
        let mut end = at + 1;
        if char.is_ascii_digit() {
            // "9:30", "9.30", "9h30", "26.12.", "26/12".
            while digit(end)
                || chars.get(end).is_some_and(|c| matches!(c, ':' | '.' | '/' | 'h'))
                    && digit(end + 1)
            {
                end += 1;
            }
            // "26.12."
            if chars.get(end) == Some(&'.') {
                end += 1;
            }
            // "9h", "9am"; "9 Uhr" is two pieces.
            while chars.get(end).is_some_and(|c| matches!(c, 'h' | 'a' | 'p' | 'm')) {
                end += 1;
            }
        } else if is_unspaced(*char) {
            while chars.get(end).is_some_and(|c| is_unspaced(*c)) {
                end += 1;
            }
        } else if char.is_alphabetic() {
            while chars.get(end).is_some_and(|c| c.is_alphabetic() && !is_unspaced(*c)) {
                end += 1;
            }
        }
        // "t/m"
        if !char.is_whitespace() && *char != '/' {
            pieces.extend(chars.get(at..end).map(|run| run.iter().collect::<String>()));
        }
        at = end;
    }
    pieces
}

/// What a piece that begins with a digit is.
fn figure(piece: &str, language: &str) -> Token {
    let point = piece.ends_with('.');
    let piece = piece.trim_end_matches('.');
    let bare = piece.trim_end_matches(['h', 'a', 'p', 'm']);
    let parts: Vec<&str> = bare.split([':', '.', '/', 'h']).collect();
    let number = |at: usize| parts.get(at).and_then(|part| part.parse::<u8>().ok());
    match (number(0), number(1)) {
        (Some(number), None) if parts.len() == 1 && bare.len() == piece.len() => {
            Token::Number(number)
        }
        (Some(hour), None) if hour <= 24 && parts.len() == 1 => Token::Time,
        (Some(day), Some(month)) if bare.contains('/') && month <= 12 => Token::Date((month, day)),
        // "24.12." is a day where hours are written "24:12".
        (Some(day @ 1..=31), Some(month @ 1..=12)) if point && language == "de" => {
            Token::Date((month, day))
        }
        (Some(hour), Some(minute))
            if hour <= 24 && minute < 60 && parts.len() == 2 && parts[1].len() == 2 =>
        {
            Token::Time
        }
        _ => Token::Word(piece.to_owned()),
    }
}

/// A text as tokens. Days of English are known in every language: records have them as keys.
fn tokens(text: &str, language: &str) -> Vec<Token> {
    let pieces = pieces(&plain(text));
    let languages = [Some(language), (language != "en").then_some("en")];
    let phrases: Vec<&Phrases> =
        languages.into_iter().flatten().filter_map(|code| PHRASES.get(code)).collect();
    let mut tokens: Vec<Token> = Vec::new();
    let mut at = 0;
    while let Some(piece) = pieces.get(at) {
        let rest = pieces.get(at..).unwrap_or_default();
        let said = |(words, _): &&(Vec<String>, Token)| {
            rest.len() >= words.len() && rest.iter().zip(words).all(|(piece, word)| piece == word)
        };
        let found = phrases.iter().enumerate().find_map(|(at, list)| {
            // Of English beside another language only what can't be mistaken.
            let sure = |(_, token): &&(Vec<String>, Token)| {
                at == 0 || matches!(token, Token::Day(_) | Token::Short(..) | Token::Date(_))
            };
            list.iter().filter(sure).find(said)
        });
        at += found.map_or(1, |(words, _)| words.len());
        match found {
            Some((_, token)) => tokens.push(token.clone()),
            None if piece.starts_with(is_unspaced) => unspaced(piece, &phrases, &mut tokens),
            None if piece.starts_with(|c: char| c.is_ascii_digit()) => {
                tokens.push(figure(piece, language));
            }
            None if piece == "-" => tokens.push(Token::To),
            // "9 Uhr", "18 uur".
            None if matches!(piece.as_str(), "uhr" | "uur" | "h" | "hrs" | "am" | "pm" | "kl") => {
                if let Some(last @ Token::Number(_)) = tokens.last_mut() {
                    *last = Token::Time;
                }
            }
            None if piece.chars().all(char::is_alphabetic) => {
                tokens.push(Token::Word(piece.clone()));
            }
            None => {}
        }
    }
    settled(tokens)
}

/// A run of an unspaced script: words are found wherever they stand in it.
fn unspaced(run: &str, phrases: &[&Phrases], tokens: &mut Vec<Token>) {
    let mut rest = run;
    let mut other = String::new();
    while let Some(first) = rest.chars().next() {
        let all = phrases.iter().flat_map(|list| list.iter());
        let found = all
            .filter(|(words, _)| words.first().is_some_and(|word| rest.starts_with(word.as_str())))
            .min_by_key(|(words, _)| std::cmp::Reverse(words.first().map_or(0, String::len)));
        let length = match found {
            Some((words, token)) => {
                if !other.is_empty() {
                    tokens.push(Token::Word(std::mem::take(&mut other)));
                }
                tokens.push(token.clone());
                words.first().map_or(1, |word| word.len())
            }
            None => {
                other.push(first);
                first.len_utf8()
            }
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    if !other.is_empty() {
        tokens.push(Token::Word(other));
    }
}

/// Tokens whose neighbours tell what they are: dates, hours without minutes, short names of days.
fn settled(mut tokens: Vec<Token>) -> Vec<Token> {
    for at in 0..tokens.len() {
        let before = at.checked_sub(1).and_then(|at| tokens.get(at)).cloned();
        let after = tokens.get(at + 1).cloned();
        let settled = match (&before, &tokens[at], &after) {
            (_, Token::Number(day), Some(Token::Month(month))) => Token::Date((*month, *day)),
            (Some(Token::Month(month)), Token::Number(day), _) if *day <= 31 => {
                Token::Date((*month, *day))
            }
            (_, Token::Short(day, name), _) => {
                let beside = |token: &Option<Token>| {
                    matches!(
                        token,
                        Some(
                            Token::To
                                | Token::Short(..)
                                | Token::Day(_)
                                | Token::Time
                                | Token::Closed
                        )
                    )
                };
                let number = matches!(after, Some(Token::Number(_)));
                if beside(&before) || beside(&after) || number {
                    Token::Day(*day)
                } else {
                    Token::Word(name.clone())
                }
            }
            _ => continue,
        };
        tokens[at] = settled;
    }
    // "24 to 27 December", "9 to 17".
    let mut settled: Vec<Token> = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match (token, tokens.get(at + 1), tokens.get(at + 2)) {
            (Token::Number(first), Some(Token::To), Some(Token::Date((month, last))))
                if first < last =>
            {
                settled.extend((*first..=*last).map(|day| Token::Date((*month, day))));
                at += 3;
            }
            (Token::Date((month, first)), Some(Token::To), Some(Token::Date((other, last))))
                if month == other && first < last =>
            {
                settled.extend((*first..=*last).map(|day| Token::Date((*month, day))));
                at += 3;
            }
            (
                Token::Number(0..=24) | Token::Time,
                Some(Token::To),
                Some(Token::Number(0..=24) | Token::Time),
            ) => {
                settled.extend([Token::Time, Token::To, Token::Time]);
                at += 3;
            }
            (Token::Month(_), ..) if matches!(settled.last(), Some(Token::Date(_))) => at += 1,
            (token, ..) => {
                settled.push(token.clone());
                at += 1;
            }
        }
    }
    settled
}

/// Reads a line of opening hours. What it says of days stands in `stated`, which is empty where it
/// says nothing of any.
#[must_use]
pub fn line(text: &str, language: &str) -> Line {
    let mut line = Line::default();
    let mut now = Stated::default();
    // "Closed on Sunday" says it before.
    let (mut open, mut closed) = (false, false);
    let tokens = tokens(text, language);
    let words = LISTS.languages.get(language);
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let of_days = matches!(
            token,
            Token::Day(_)
                | Token::Date(_)
                | Token::Daily
                | Token::Weekdays
                | Token::Weekend
                | Token::Holiday
        );
        if of_days && now.is_told() && now.is_of_days() {
            line.stated.push(std::mem::take(&mut now));
        }
        match token {
            Token::Day(first) => {
                let (mut next, mut last) = (at + 1, *first);
                while matches!(tokens.get(next), Some(Token::To)) {
                    next += 1;
                }
                if let (true, Some(Token::Day(day))) = (next > at + 1, tokens.get(next)) {
                    (last, at) = (*day, next);
                }
                // "Friday to Monday" goes over the weekend.
                let length = (last + 7 - first) % 7;
                (0..=length).for_each(|step| now.days[(first + step) % 7] = true);
            }
            Token::Daily => now.days = [true; 7],
            Token::Weekdays => now.days[..5].fill(true),
            Token::Weekend => now.days[5..].fill(true),
            Token::Date(date) => now.dates.push(*date),
            Token::Holiday => now.holidays = true,
            Token::Time if now.is_of_days() => now.open = true,
            Token::Closed if now.is_of_days() => now.closed = true,
            Token::Time => open = true,
            Token::Closed => closed = true,
            Token::Open => line.of_opening = true,
            Token::Word(word) => {
                let passed = words.is_some_and(|words| words.passed.contains(word));
                if word.chars().count() > 2 && !passed && !is_common_somewhere(word) {
                    line.others.push(word.clone());
                }
            }
            // "December only".
            Token::Month(month) => line.others.push(month.to_string()),
            Token::To | Token::Number(_) | Token::Near | Token::Short(..) => {}
        }
        at += 1;
    }
    if now.is_of_days() {
        if !now.is_told() {
            (now.open, now.closed) = (open, closed);
        }
        line.of_opening |= now.closed;
        if now.is_told() {
            line.stated.push(now);
        }
    }
    line.of_opening |= line.stated.iter().any(|stated| stated.closed);
    line
}

/// Whether a heading or title says that opening hours follow.
#[must_use]
pub fn is_of_opening(text: &str, language: &str) -> bool {
    let tokens = tokens(text, language);
    tokens.iter().any(|token| matches!(token, Token::Open | Token::Closed))
}

/// What a question for opening hours asks. `None` for another question.
#[must_use]
pub fn asked(question: &str, language: &str) -> Option<Asked> {
    let words = LISTS.languages.get(language)?;
    let tokens = tokens(question, language);
    if tokens.len() > MAX_TOKENS {
        return None;
    }
    let mut asks = false;
    let mut closed = false;
    let (mut days, mut date, mut holidays, mut near) = ([false; 7], None, false, false);
    let mut exact = true;
    let mut of = Vec::new();
    for token in &tokens {
        match token {
            Token::Open => asks = true,
            Token::Closed => (asks, closed) = (true, true),
            Token::Day(day) => days[*day] = true,
            Token::Weekend => days[5..].fill(true),
            Token::Weekdays => days[..5].fill(true),
            Token::Date(day) => date = Some(*day),
            Token::Holiday => holidays = true,
            Token::Near => near = true,
            Token::Time | Token::Number(_) => exact = false,
            Token::Word(word) => {
                let passed = words.passed.contains(word)
                    || words.when.iter().any(|when| when.split(' ').any(|own| own == word));
                if word.starts_with(is_unspaced) {
                    exact &= passed || word.chars().count() < 3;
                } else if word.chars().count() > 2 && !passed && !is_common_somewhere(word) {
                    of.push(word.clone());
                }
            }
            Token::To | Token::Short(..) | Token::Month(_) | Token::Daily => {}
        }
    }
    if !asks {
        return None;
    }
    let whens = asks_when(question, words);
    let when = match (date, holidays, days.contains(&true), near) {
        (Some(date), ..) => {
            let named = LISTS.feast.iter().any(|feast| (feast.month, feast.day) == date);
            When::Date(date, named)
        }
        (None, true, ..) => When::Holidays,
        (None, false, true, _) => When::Days(days),
        (None, false, false, true) => When::Near,
        (None, false, false, false) => When::Always,
    };
    Some(Asked { when, yes_no: !whens && !closed && exact, of })
}

/// The days that a question names, every day where it asks when something is; `None` where it
/// does neither.
#[must_use]
pub fn days_asked(question: &str, language: &str) -> Option<[bool; 7]> {
    let words = LISTS.languages.get(language)?;
    let tokens = tokens(question, language);
    let mut days = [false; 7];
    for token in &tokens {
        match token {
            Token::Day(day) => days[*day] = true,
            Token::Weekend => days[5..].fill(true),
            _ => {}
        }
    }
    if days.contains(&true) {
        return Some(days);
    }
    asks_when(question, words).then_some([true; 7])
}

fn asks_when(question: &str, words: &Words) -> bool {
    let plain = format!(" {} ", pieces(&plain(question)).join(" "));
    words.when.iter().any(|when| match when.contains(is_unspaced) {
        true => plain.contains(when.as_str()),
        false => plain.contains(&format!(" {when} ")),
    })
}

/// Which day of the week a label names, if that is all it says.
#[must_use]
pub fn day(label: &str, language: &str) -> Option<usize> {
    match tokens(label, language).as_slice() {
        [Token::Day(day) | Token::Short(day, _)] => Some(*day),
        _ => None,
    }
}

/// A longer question tells a story.
const MAX_TOKENS: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    /// Days from Monday on: `o` open, `x` closed, `-` unsaid.
    #[track_caller]
    fn check(text: &str, language: &str, expected: &str) {
        let line = line(text, language);
        let of = |day: usize| {
            let mut all = line.stated.iter().filter(|stated| stated.days[day]);
            match (all.clone().any(|stated| stated.open), all.any(|stated| stated.closed)) {
                (true, true) => '?',
                (true, false) => 'o',
                (false, true) => 'x',
                (false, false) => '-',
            }
        };
        assert_eq!((0..7).map(of).collect::<String>(), expected, "{text}: {line:?}");
    }

    #[test]
    fn lines_of_hours_are_read() {
        check("Mon: closed", "en", "x------");
        check("Tue–Fri: 9.30–17.30", "en", "-oooo--");
        check("Sun: 11.00–15.00 (December only)", "en", "------o");
        check("Monday to Friday 9 to 5, Saturday 10am to 2pm, Sunday closed", "en", "oooooox");
        check("We are closed on Sunday", "en", "------x");
        check("Mo-Fr 9:00-18:00 Uhr", "de", "ooooo--");
        check("Montag Ruhetag", "de", "x------");
        check("Di bis Sa von 10 bis 19 Uhr", "de", "-ooooo-");
        check("Maandag t/m donderdag: 9.00 - 18.00 uur", "nl", "oooo---");
        check("Lunes a jueves: Mañana: 9:30 - 14:00, Tarde: 16:30 - 20:30", "es", "oooo---");
        check("Domingo y festivos: cerrado", "es", "------x");
        check("Pranzo: da martedì a domenica 12.15 - 14.30", "it", "-oooooo");
        check("Du mardi au samedi : 9h - 12h30 et 14h - 19h", "fr", "-ooooo-");
        check("Poniedziałek - piątek: 8:00 - 16:00", "pl", "ooooo--");
        check("Måndag–fredag 10–18, lördag 10–15", "sv", "oooooo-");
        check("Todos os dias das 9h às 18h", "pt", "ooooooo");
        check("水曜日: 定休日", "ja", "--x----");
        check("土・日 10:00〜18:00", "ja", "-----oo");
        check("De segunda-feira a sexta-feira: 9h - 18h", "pt", "ooooo--");
        check("营业时间: 11:00-22:00，周一休息", "zh", "x------");
        check("tu-fr: 10:00-18:00", "en", "-oooo--");
        check("Friday to Monday 10:00-16:00", "en", "o---ooo");
        // No hours.
        check("Delivered on Tuesday", "en", "-------");
        check("Do we go?", "en", "-------");
    }

    #[test]
    fn dates_are_read() {
        let dates = |text: &str, language: &str| -> Vec<Date> {
            line(text, language).stated.into_iter().flat_map(|stated| stated.dates).collect()
        };
        assert_eq!(dates("24 december: 9.00 - 16.00 uur", "nl"), [(12, 24)]);
        assert_eq!(dates("Eerste kerstdag (25 december): gesloten", "nl"), [(12, 25), (12, 25)]);
        assert_eq!(dates("Tweede kerstdag: 11.00 - 17.00 uur", "nl"), [(12, 26)]);
        assert_eq!(dates("Ferie: dal 24 al 26 dicembre", "it"), [(12, 24), (12, 25), (12, 26)]);
        assert_eq!(dates("December 31: closed", "en"), [(12, 31)]);
        assert_eq!(dates("Heiligabend geschlossen", "de"), [(12, 24)]);
        assert_eq!(dates("24.12. bis 26.12. geschlossen", "de"), [(12, 24), (12, 25), (12, 26)]);
    }

    #[test]
    fn questions_for_hours_are_read() {
        let when = |text: &str, language: &str| asked(text, language).map(|asked| asked.when);
        let days = |on: &[usize]| {
            let mut days = [false; 7];
            on.iter().for_each(|day| days[*day] = true);
            Some(When::Days(days))
        };
        assert_eq!(when("are you open on sundays?", "en"), days(&[6]));
        assert_eq!(when("Habt ihr am Samstag offen?", "de"), days(&[5]));
        assert_eq!(when("tot hoe laat open vrijdag", "nl"), days(&[4]));
        assert_eq!(when("abren los viernes por la tarde?", "es"), days(&[4]));
        assert_eq!(when("周一开门吗", "zh"), days(&[0]));
        assert_eq!(when("are you open on 26 December", "en"), Some(When::Date((12, 26), true)));
        assert_eq!(when("zijn jullie open op 2e kerstdag", "nl"), Some(When::Date((12, 26), true)));
        assert_eq!(when("are you open tomorrow at 7", "en"), Some(When::Near));
        assert_eq!(when("Quels sont vos horaires ?", "fr"), Some(When::Always));
        assert_eq!(when("do you deliver on sundays?", "en"), None);
        assert_eq!(asked("is the kitchen open on sunday", "en").unwrap().of, ["kitchen"]);
        assert!(asked("are you open on sunday", "en").unwrap().yes_no);
        assert!(!asked("are you closed on sunday", "en").unwrap().yes_no);
        assert!(!asked("what time do you open on sunday", "en").unwrap().yes_no);
        assert!(!asked("are you open sunday at 7", "en").unwrap().yes_no);
    }
}
