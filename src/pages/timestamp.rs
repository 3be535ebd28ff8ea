//! Dates as browsers read them (`Date.parse`), for the robots directive `unavailable_after`.
//!
//! Formats: ECMA-262 §21.4.1.32 (ISO 8601), and the looser ones that V8 reads beside it (`25 Jun
//! 2010 15:00:00 PST`, `25-Aug-2007`, `6/25/2010`). A time without a zone counts as UTC.

use crate::calendar;

/// Milliseconds since 1970; `None` where a browser says that it is no date.
pub(super) fn parse(text: &str) -> Option<i64> {
    let text = text.trim().to_lowercase();
    iso(&text).or_else(|| loose(&text))
}

fn iso(text: &str) -> Option<i64> {
    let (date, time) = text.split_once('t').map_or((text, None), |(date, time)| (date, Some(time)));
    let mut parts = date.split('-');
    let exact = |part: &str, length: usize| {
        (part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| part.parse::<u32>().ok())?
    };
    let year = exact(parts.next()?, 4)?;
    let month = parts.next().map_or(Some(1), |part| exact(part, 2))?;
    let day = parts.next().map_or(Some(1), |part| exact(part, 2))?;
    if parts.next().is_some() {
        return None;
    }
    let days = calendar::number_of(i32::try_from(year).ok()?, month, day)?;
    let Some(time) = time else { return Some(days * 86_400_000) };
    let zone = time.find(['z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at(zone);
    let mut fields = clock.splitn(3, ':');
    let (hour, minute) = (exact(fields.next()?, 2)?, exact(fields.next()?, 2)?);
    let seconds = fields.next().map_or(Some(0.0), |text| text.parse::<f64>().ok())?;
    let offset = match zone.strip_prefix(['+', '-']) {
        Some(rest) => {
            let (hours, minutes) = rest.split_once(':')?;
            let minutes = i64::from(exact(hours, 2)? * 60 + exact(minutes, 2)?);
            if zone.starts_with('-') { -minutes } else { minutes }
        }
        None => 0,
    };
    if hour > 24 || minute > 59 || !(0.0..60.0).contains(&seconds) {
        return None;
    }
    let minutes = days * 1440 + i64::from(hour * 60 + minute) - offset;
    Some(minutes * 60_000 + (seconds * 1000.0) as i64)
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
/// Hours from UTC.
const ZONES: [(&str, i64); 11] = [
    ("utc", 0),
    ("ut", 0),
    ("gmt", 0),
    ("z", 0),
    ("est", -5),
    ("edt", -4),
    ("cst", -6),
    ("cdt", -5),
    ("mst", -7),
    ("mdt", -6),
    ("pst", -8),
];

/// What is read so far of a date written for people.
#[derive(Default)]
struct Loose {
    /// Numbers that are a day, month or year.
    days: Vec<i64>,
    month: Option<i64>,
    /// Hours, minutes, seconds.
    time: Vec<i64>,
    afternoon: Option<bool>,
    /// Minutes from UTC.
    zone: Option<i64>,
}

fn loose(text: &str) -> Option<i64> {
    let mut read = Loose::default();
    let mut rest = text;
    let mut any_number = false;
    while let Some(first) = rest.chars().next() {
        if first.is_ascii_digit() {
            let (number, after) = number(rest)?;
            any_number = true;
            rest = read.number(number, after)?;
        } else if first.is_alphabetic() {
            let length = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
            let (word, after) = rest.split_at(length);
            if !read.word(word) && (any_number || after.starts_with(|c: char| c.is_ascii_digit())) {
                return None;
            }
            rest =
                if read.month.is_some() { after.strip_prefix('-').unwrap_or(after) } else { after };
        } else if matches!(first, '+' | '-') && !read.time.is_empty() {
            let (digits, after) =
                number(&rest[1..]).map_or((0, &rest[1..]), |(number, after)| (number, after));
            let length = rest.len() - 1 - after.len();
            let (minutes, after) = match after.strip_prefix(':').and_then(number) {
                Some((minutes, after)) => (digits * 60 + minutes, after),
                None if length <= 2 => (digits * 60, after),
                None => (digits / 100 * 60 + digits % 100, after),
            };
            read.zone = Some(if first == '-' { -minutes } else { minutes });
            rest = after;
        } else if first == '(' {
            rest = rest.split_once(')').map_or("", |(_, after)| after);
        } else if any_number && matches!(first, '+' | '-' | ')') {
            return None;
        } else {
            rest = &rest[first.len_utf8()..];
        }
    }
    read.finish()
}

fn number(text: &str) -> Option<(i64, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, after) = text.split_at(length);
    Some((digits.parse().ok()?, after))
}

impl Loose {
    /// Takes a number in; returns what follows it. `None`: it can't stand here.
    fn number<'a>(&mut self, number: i64, after: &'a str) -> Option<&'a str> {
        if let Some(after) = after.strip_prefix(':') {
            self.time.push(number);
            return (!after.starts_with(':') && self.time.len() <= 3).then_some(after);
        }
        if (1..=2).contains(&self.time.len()) {
            self.time.push(number);
            // Fractions of a second make no difference of a day.
            let after = after
                .strip_prefix('.')
                .map_or(after, |rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
            let ends = after.is_empty()
                || after.starts_with(|c: char| c.is_whitespace() || matches!(c, 'z' | '+' | '-'));
            return ends.then_some(after);
        }
        self.days.push(number);
        (self.days.len() <= 3).then(|| after.strip_prefix('-').unwrap_or(after))
    }

    /// Whether the word says something.
    fn word(&mut self, word: &str) -> bool {
        let month = word.get(..3).and_then(|start| MONTHS.iter().position(|month| *month == start));
        if let Some(month) = month {
            self.month = i64::try_from(month + 1).ok();
            return true;
        }
        if matches!(word, "am" | "pm") && !self.time.is_empty() {
            self.afternoon = Some(word == "pm");
            return true;
        }
        let known = !self.days.is_empty() || !self.time.is_empty();
        let zone = ZONES.iter().chain([&("pdt", -7)]).find(|(name, _)| *name == word && known);
        if let Some((_, hours)) = zone {
            self.zone = Some(hours * 60);
        }
        zone.is_some()
    }

    fn finish(self) -> Option<i64> {
        let is_day = |number: i64| (1..=31).contains(&number);
        let at = |index: usize| self.days.get(index).copied();
        // Browsers put 2001 where no year stands.
        let no_year = 2001;
        let first = at(0)?;
        let (year, month, day) = match self.month {
            None if self.days.len() == 3 && !is_day(first) => (first, at(1)?, at(2)?),
            None => (at(2).unwrap_or(no_year), first, at(1).unwrap_or(1)),
            Some(month) if !is_day(first) => (first, month, at(1).unwrap_or(1)),
            Some(month) if self.days.len() == 1 => (no_year, month, first),
            Some(month) => (at(1)?, month, first),
        };
        let year = match year {
            0..=49 => year + 2000,
            50..=99 => year + 1900,
            year => year,
        };
        let (month, day) = (u32::try_from(month).ok()?, u32::try_from(day).ok()?);
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        // 31 June is read as 1 July.
        let days = calendar::number_of(i32::try_from(year).ok()?, month, 1)? + i64::from(day) - 1;
        let mut time = self.time.into_iter();
        let mut hour = time.next().unwrap_or(0);
        let (minute, second) = (time.next().unwrap_or(0), time.next().unwrap_or(0));
        match self.afternoon {
            Some(_) if !(1..=12).contains(&hour) => return None,
            Some(afternoon) => hour = hour % 12 + if afternoon { 12 } else { 0 },
            None => {}
        }
        if hour > 24 || minute > 59 || second > 59 {
            return None;
        }
        let minutes = days * 1440 + hour * 60 + minute - self.zone.unwrap_or(0);
        Some((minutes * 60 + second) * 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn dates_are_read_as_browsers_read_them() {
        let day =
            |text: &str| parse(text).map(|ms| crate::calendar::iso(ms.div_euclid(86_400_000)));
        for (text, expected) in [
            (" 25 jun 2010 15:00:00 pst", Some("2010-06-25")),
            ("25-Aug-2007 15:00:00 EST", Some("2007-08-25")),
            ("2010-06-25", Some("2010-06-25")),
            ("2010-06-25T23:30:00-05:00", Some("2010-06-26")),
            ("6/25/2010", Some("2010-06-25")),
            ("June 25, 2010", Some("2010-06-25")),
            ("Fri Jun 25 2010 15:00:00 GMT+0200 (CEST)", Some("2010-06-25")),
            ("25 Jun 99", Some("1999-06-25")),
            ("31 Jun 2010", Some("2010-07-01")),
            ("Jun 2010", Some("2010-06-01")),
            ("2010-6-5", Some("2010-06-05")),
            ("25.06.2010", None),
            ("25 Jun 2010 25:00", None),
            ("1 Jan 2010 11:30 pm PST", Some("2010-01-02")),
            ("tomorrow", None),
            ("25 Juno Jupiter 2010", None),
            ("2010-13-45", None),
            ("", None),
        ] {
            assert_eq!(day(text).as_deref(), expected, "{text}");
        }
    }
}
