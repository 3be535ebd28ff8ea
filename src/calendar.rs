//! A shop's own days: its time zone, and when it is closed. A day is its number since 1 January
//! 1970 in the shop's calendar. Pure.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike as _, Days, NaiveDate, TimeZone as _, Timelike as _, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// `[sites.calendar]`: what a day is for the shop.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct CalendarConfig {
    /// IANA name, e.g. `Europe/Berlin`. Days of forecasts begin at midnight there.
    pub time_zone: String,
    /// Weekdays without business (`saturday`): they are forecast as 0 and say nothing about others.
    pub closed_weekdays: Vec<String>,
    /// Days without business, as `2026-12-25`.
    pub closed_dates: Vec<String>,
}

impl Default for CalendarConfig {
    fn default() -> Self {
        Self { time_zone: "UTC".into(), closed_weekdays: Vec::new(), closed_dates: Vec::new() }
    }
}

/// What is wrong with a calendar.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    #[error("{0:?} is no time zone; use a name like Europe/Berlin or UTC")]
    TimeZone(String),
    #[error("{0:?} is no weekday; use monday to sunday")]
    Weekday(String),
    #[error("{0:?} is no date; write it as 2026-12-25")]
    Date(String),
}

/// The days of one shop.
#[derive(Clone, Debug)]
pub struct Calendar {
    zone: Tz,
    /// Monday first.
    weekdays: [bool; 7],
    dates: BTreeSet<i64>,
}

impl CalendarConfig {
    /// # Errors
    /// When a name or date is none.
    pub fn calendar(&self) -> Result<Calendar, CalendarError> {
        let zone =
            self.time_zone.parse().map_err(|_| CalendarError::TimeZone(self.time_zone.clone()))?;
        let mut weekdays = [false; 7];
        for name in &self.closed_weekdays {
            let weekday: Weekday =
                name.parse().map_err(|_| CalendarError::Weekday(name.clone()))?;
            weekdays[weekday.num_days_from_monday() as usize] = true;
        }
        let date = |text: &String| day(text).ok_or_else(|| CalendarError::Date(text.clone()));
        let dates = self.closed_dates.iter().map(date).collect::<Result<_, _>>()?;
        Ok(Calendar { zone, weekdays, dates })
    }
}

impl Default for Calendar {
    fn default() -> Self {
        Self { zone: Tz::UTC, weekdays: [false; 7], dates: BTreeSet::new() }
    }
}

impl Calendar {
    /// The day and the hour of a moment, in milliseconds since 1970.
    #[must_use]
    pub fn day_and_hour(&self, at_ms: u64) -> (i64, usize) {
        let at = DateTime::from_timestamp_millis(i64::try_from(at_ms).unwrap_or(i64::MAX))
            .unwrap_or_default();
        let local = self.zone.from_utc_datetime(&at.naive_utc());
        (number(local.date_naive()), local.hour() as usize)
    }

    /// The day of a moment.
    #[must_use]
    pub fn day(&self, at_ms: u64) -> i64 {
        self.day_and_hour(at_ms).0
    }

    #[must_use]
    pub fn is_closed(&self, day: i64) -> bool {
        let weekday = usize::try_from((day + 3).rem_euclid(7)).unwrap_or(0);
        self.weekdays[weekday] || self.dates.contains(&day)
    }

    /// The zone's name.
    #[must_use]
    pub fn time_zone(&self) -> &'static str {
        self.zone.name()
    }
}

fn number(date: NaiveDate) -> i64 {
    i64::from(date.num_days_from_ce()) - i64::from(NaiveDate::default().num_days_from_ce())
}

/// The day that an ISO 8601 date names.
#[must_use]
pub fn day(text: &str) -> Option<i64> {
    text.trim().parse().ok().map(number)
}

/// The day with this date; `None` where the calendar has none.
#[must_use]
pub fn number_of(year: i32, month: u32, day: u32) -> Option<i64> {
    NaiveDate::from_ymd_opt(year, month, day).map(number)
}

/// Seconds since 1970 of a moment as RFC 3339 writes it; `None` also for one before that.
#[must_use]
pub fn seconds(text: &str) -> Option<u64> {
    u64::try_from(DateTime::parse_from_rfc3339(text).ok()?.timestamp()).ok()
}

/// A day as an ISO 8601 date.
#[must_use]
pub fn iso(day: i64) -> String {
    let epoch = NaiveDate::default();
    let days = Days::new(day.unsigned_abs());
    let date = if day < 0 { epoch.checked_sub_days(days) } else { epoch.checked_add_days(days) };
    date.unwrap_or(epoch).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(
        time_zone: &str,
        weekdays: &[&str],
        dates: &[&str],
    ) -> Result<Calendar, CalendarError> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let (closed_weekdays, closed_dates) = (owned(weekdays), owned(dates));
        CalendarConfig { time_zone: time_zone.into(), closed_weekdays, closed_dates }.calendar()
    }

    #[test]
    fn a_day_begins_at_the_shop_s_midnight() {
        // 30 March 2026, 22:30 UTC: after midnight in Berlin (summer time), in the evening in New
        // York.
        let at_ms = 1_774_909_800_000;
        let seen = |zone: &str| {
            let (day, hour) = calendar(zone, &[], &[]).unwrap().day_and_hour(at_ms);
            format!("{} {hour}", iso(day))
        };
        assert_eq!(seen("UTC"), "2026-03-30 22");
        assert_eq!(seen("Europe/Berlin"), "2026-03-31 0");
        assert_eq!(seen("America/New_York"), "2026-03-30 18");
    }

    #[test]
    fn closed_days_are_told() {
        let shop = calendar("Europe/London", &["saturday"], &["2011-12-26"]).unwrap();
        let closed = |date: &str| shop.is_closed(day(date).unwrap());
        assert!(closed("2011-12-24") && closed("2011-12-26") && !closed("2011-12-27"));
    }

    #[test]
    fn what_is_no_calendar_is_named() {
        let error =
            |zone, weekdays, dates| calendar(zone, weekdays, dates).unwrap_err().to_string();
        assert!(error("Berlin", &[], &[]).contains("\"Berlin\" is no time zone"));
        assert!(error("UTC", &["caturday"], &[]).contains("is no weekday"));
        assert!(error("UTC", &[], &["26.12.2026"]).contains("write it as 2026-12-25"));
        assert_eq!(day(&iso(-1)), Some(-1));
    }
}
