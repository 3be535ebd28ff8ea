//! Amounts with their units, as visitors and documents write them in English, German, French,
//! Spanish and Chinese. Pure.

use std::ops::Range;

use bounds::{Link, bound, is_negative, range_link};
use number::next_number;
pub(super) use number::whole_number;
use units::{UNITS, unit_after, unit_before};

mod bounds;
mod number;
mod units;

/// What an amount measures. Only amounts of one kind are ever compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Money,
    Mass,
    Length,
    Volume,
    /// In degrees Celsius.
    Temperature,
    Time,
    /// Days on which a shop works: not comparable with days of the calendar.
    WorkingTime,
    /// Years that a person has lived.
    Age,
    Percent,
    Power,
    Energy,
}

/// A unit: its name in normal form, and what one of it is in its kind's base unit (g, mm, ml, days,
/// W, Wh).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unit {
    pub name: &'static str,
    pub kind: Kind,
    /// Least and most that one of it can be: a month has 28 to 31 days.
    low: f64,
    high: f64,
}

/// How an amount limits what it is said of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The amount itself.
    Exact,
    AtLeast,
    MoreThan,
    AtMost,
    LessThan,
    /// From the first value to the second.
    Between,
}

/// An amount in a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Amount {
    pub value: f64,
    /// The second value of a range.
    pub to: Option<f64>,
    pub unit: Unit,
    pub bound: Bound,
    /// Bytes of the text: the number or both numbers, with the unit.
    pub at: Range<usize>,
    /// One of several multiplied with each other ("52 x 30 x 20 cm"): compared with nothing.
    pub side: bool,
}

/// How one amount stands to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Less,
    Equal,
    More,
}

impl Unit {
    const fn new(name: &'static str, kind: Kind, one: f64) -> Self {
        Self { name, kind, low: one, high: one }
    }

    /// Whether it is a time of a day or more.
    #[must_use]
    pub fn is_of_days(&self) -> bool {
        matches!(self.name, "day" | "week" | "month" | "year")
    }

    /// Whether amounts of the two units can be compared: of one kind, and money of one currency.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        let dollars = |name: &str| matches!(name, "$" | "USD" | "AUD" | "CAD" | "NZD" | "SGD");
        self.kind == other.kind
            && (self.kind != Kind::Money
                || self.name == other.name
                || (self.name == "$" || other.name == "$")
                    && dollars(self.name)
                    && dollars(other.name))
    }
}

impl Amount {
    /// How the value stands to a value of another unit; `None` where the units don't match or a
    /// month's length decides.
    #[must_use]
    pub fn order(&self, value: f64, unit: &Unit) -> Option<Order> {
        compare(self.value, &self.unit, value, unit)
    }

    /// Whether the amount's value lies within the bounds of another; `None` where that can't be
    /// told. On the edge of a bound without a word for it ("5 years"), only an equal unit tells.
    #[must_use]
    pub fn meets(&self, rule: &Self) -> Option<bool> {
        let low = self.order(rule.value, &rule.unit)?;
        Some(match rule.bound {
            Bound::Exact | Bound::AtMost => low != Order::More,
            Bound::LessThan => low == Order::Less,
            Bound::AtLeast => low != Order::Less,
            Bound::MoreThan => low == Order::More,
            Bound::Between => {
                low != Order::Less && self.order(rule.to?, &rule.unit)? != Order::More
            }
        })
    }
}

/// How a value of one unit stands to a value of another.
#[must_use]
pub fn compare(a: f64, unit: &Unit, b: f64, other: &Unit) -> Option<Order> {
    if !unit.matches(other) {
        return None;
    }
    if unit.name == other.name {
        return Some(order(a, b));
    }
    if unit.kind == Kind::Temperature || unit.kind == Kind::Money {
        return Some(order(a * unit.low, b * other.low));
    }
    // Years and months, weeks and days convert exactly among themselves.
    let months = |unit: &Unit| {
        matches!(unit.name, "month" | "year").then(|| if unit.name == "year" { 12.0 } else { 1.0 })
    };
    if let (Some(one), Some(two)) = (months(unit), months(other)) {
        return Some(order(a * one, b * two));
    }
    let ((a_low, a_high), (b_low, b_high)) =
        ((a * unit.low, a * unit.high), (b * other.low, b * other.high));
    if a_high < b_low {
        Some(Order::Less)
    } else if a_low > b_high {
        Some(Order::More)
    } else if (a_low - a_high).abs() < f64::EPSILON && (b_low - b_high).abs() < f64::EPSILON {
        Some(order(a_low, b_low))
    } else {
        None
    }
}

fn order(a: f64, b: f64) -> Order {
    if (a - b).abs() <= 1e-9 * a.abs().max(b.abs()) {
        Order::Equal
    } else if a < b {
        Order::Less
    } else {
        Order::More
    }
}

/// The unit of a name in normal form.
#[must_use]
pub fn unit(name: &str) -> Option<Unit> {
    UNITS.iter().find(|(unit, _)| unit.name == name).map(|(unit, _)| *unit)
}

/// The numbers of a text, whatever they count, with their bytes, in reading order. Numbers in words
/// count before a unit alone; times of day, dates and codes don't.
#[must_use]
pub fn numbers(text: &str, language: &str) -> Vec<(f64, Range<usize>)> {
    let text = lower(text);
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(number) = next_number(&text, at, language) {
        at = number.range.end;
        found.push((number.value, number.range));
    }
    found
}

/// The amounts of a text with their units and bounds, in reading order. `language` (ISO 639-1)
/// tells which mark parts thousands where the digits leave it open.
#[must_use]
pub fn amounts(text: &str, language: &str) -> Vec<Amount> {
    let text = lower(text);
    let text = text.as_str();
    let mut found: Vec<Amount> = Vec::new();
    let mut at = 0;
    while let Some(number) = next_number(text, at, language) {
        at = number.range.end;
        let after = text.get(at..).unwrap_or_default();
        let before = text.get(..number.range.start).unwrap_or_default();
        let (mut end, mut to, mut side) = (at, None, false);
        let mut unit = unit_after(after).map(|(unit, length)| {
            end = at + length;
            unit
        });
        // "20–25 kg", "from 10 EUR to 500 EUR", "52 x 30 x 20 cm".
        let tail = text.get(end..).unwrap_or_default();
        if let Some((link, length)) = range_link(tail, before, unit.is_some())
            && let Some(second) = next_number(text, end + length, language)
            && second.range.start == end + length
        {
            let after = text.get(second.range.end..).unwrap_or_default();
            let own = unit_after(after);
            match (link, unit, own) {
                (Link::Range, None, Some((last, length))) => {
                    (unit, to, end) = (Some(last), Some(second.value), second.range.end + length);
                }
                (Link::Range, Some(first), Some((last, length))) if first.name == last.name => {
                    (to, end) = (Some(second.value), second.range.end + length);
                }
                (Link::Times, ..) => side = true,
                _ => {}
            }
            if to.is_some() {
                at = end;
            }
        }
        side |= before.trim_end().ends_with(['×', '*']) || before.ends_with(" x ");
        let mut start = number.range.start;
        if unit.is_none()
            && number.digits
            && let Some((sign, length)) = unit_before(before)
        {
            unit = Some(sign);
            start -= length;
        }
        let Some(unit) = unit.filter(|_| number.value.is_finite()) else { continue };
        let negative =
            unit.kind == Kind::Temperature && is_negative(text.get(..start).unwrap_or_default());
        let value = if negative { -number.value } else { number.value };
        let bound = match to {
            Some(to) if to >= value => Bound::Between,
            Some(_) => continue,
            None => {
                bound(text.get(..start).unwrap_or_default(), text.get(end..).unwrap_or_default())
            }
        };
        at = at.max(end);
        found.push(Amount { value, to, unit, bound, at: start..end, side });
    }
    found
}

/// Lower-case letter by letter where that keeps the length in bytes, so that ranges are those of
/// the text; full-width digits stay, which no shop writes beside a unit.
fn lower(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '’' => c,
            '\u{a0}' | '\u{202f}' => c,
            c => {
                let mut lower = c.to_lowercase();
                match (lower.next(), lower.next()) {
                    (Some(one), None) if one.len_utf8() == c.len_utf8() => one,
                    _ => c,
                }
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, language: &str) -> Vec<String> {
        amounts(text, language)
            .into_iter()
            .map(|amount| {
                let to = amount.to.map_or(String::new(), |to| format!("..{to}"));
                let side = if amount.side { " side" } else { "" };
                format!("{:?} {}{to} {}{side}", amount.bound, amount.value, amount.unit.name)
            })
            .collect()
    }

    #[track_caller]
    fn check(text: &str, language: &str, expected: &[&str]) {
        assert_eq!(shown(text, language), expected, "{text}");
    }

    #[test]
    fn money_is_read_in_every_writing() {
        check("My basket is 110 euro", "en", &["Exact 110 EUR"]);
        check(
            "€110 or 110€ or EUR 110.50",
            "en",
            &["Exact 110 EUR", "Exact 110 EUR", "Exact 110.5 EUR"],
        );
        check("8.90 EUR, free from 120 EUR", "en", &["Exact 8.9 EUR", "AtLeast 120 EUR"]);
        check("1.500,00 €", "de", &["Exact 1500 EUR"]);
        check("1.500 € und 8,90 Euro", "de", &["Exact 1500 EUR", "Exact 8.9 EUR"]);
        check("1,500 EUR and 1,500.25 EUR", "en", &["Exact 1500 EUR", "Exact 1500.25 EUR"]);
        check("1 500 € ou 1\u{202f}500 €", "fr", &["Exact 1500 EUR", "Exact 1500 EUR"]);
        check("a limit of $5,000 a day", "en", &["AtMost 5000 $", "Exact 1 day"]);
        check("A$1,000 or more", "en", &["AtLeast 1000 AUD"]);
        check("a partir de 120 euros", "es", &["AtLeast 120 EUR"]);
        check("ab 120 EUR", "de", &["AtLeast 120 EUR"]);
        check("dès 120 € d'achat", "fr", &["AtLeast 120 EUR"]);
        check(
            "订单满 120 欧元免运费，运费为 8.90 欧元",
            "zh",
            &["AtLeast 120 EUR", "Exact 8.9 EUR"],
        );
        check("我买了100欧的东西", "zh", &["Exact 100 EUR"]);
        check("from 10 EUR to 500 EUR", "en", &["Between 10..500 EUR"]);
        check("de 10 à 500 EUR", "fr", &["Between 10..500 EUR"]);
        check("is 120 kr ok, or 20 pounds?", "en", &[]);
    }

    #[test]
    fn sizes_and_weights_have_ranges_and_bounds() {
        check(
            "20–25 kg, 20-25 kg, 20 to 25 kg",
            "en",
            &["Between 20..25 kg", "Between 20..25 kg", "Between 20..25 kg"],
        );
        check("zwischen 20 und 25 kg", "de", &["Between 20..25 kg"]);
        check("loads up to 14 kg", "en", &["AtMost 14 kg"]);
        check("no more than 2,400 g", "en", &["AtMost 2400 g"]);
        check("nicht über 30 kg", "de", &["AtMost 30 kg"]);
        check("not under 1.5 l", "en", &["AtLeast 1.5 l"]);
        check("52 x 30 x 20 cm", "en", &["Exact 20 cm side"]);
        check("I'm 190 cm tall, 1.9 m", "en", &["Exact 190 cm", "Exact 1.9 m"]);
        check(
            "comfort temperature of -7 °C, or 0 to 5 °C",
            "en",
            &["Exact -7 °C", "Between 0..5 °C"],
        );
        check("2,5 litros", "es", &["Exact 2.5 l"]);
        check("体重超过 100 公斤", "zh", &["MoreThan 100 kg"]);
        check("80 km/h, 200 g/m²", "en", &[]);
        check("30 lbs", "en", &["Exact 30 lb"]);
        check("Order HP-1013 at 9:30 on 12/05/2026, item 5kg", "en", &["Exact 5 kg"]);
    }

    #[test]
    fn durations_and_ages_are_read() {
        check("a 5-year warranty", "en", &["Exact 5 year"]);
        check("after three years, within a week", "en", &["Exact 3 year", "AtMost 1 week"]);
        check("a five-year warranty, twenty-five days", "en", &["Exact 5 year", "Exact 25 day"]);
        check("within 60 days of delivery", "en", &["AtMost 60 day"]);
        check("3 to 5 working days", "en", &["Between 3..5 working day"]);
        check("vor drei Wochen, nach einem Jahr", "de", &["Exact 3 week", "Exact 1 year"]);
        check("innerhalb von 14 Tagen", "de", &["AtMost 14 day"]);
        check("il y a deux semaines, dans les 30 jours", "fr", &["Exact 2 week", "AtMost 30 day"]);
        check("hace treinta y cinco días", "es", &["Exact 35 day"]);
        check("5 jours ouvrés, 5 días laborables, 5 Werktage", "fr", &["Exact 5 working day"; 3]);
        check("用了六年，收货后 60 天内", "zh", &["Exact 6 year", "AtMost 60 day"]);
        check("两周前买的，3 至 5 个工作日", "zh", &["Exact 2 week", "Between 3..5 working day"]);
        check(
            "she is 64 years old; 18 years of age or older",
            "en",
            &["Exact 64 years old", "AtLeast 18 years old"],
        );
        check("年满18岁以上", "zh", &["AtLeast 18 years old"]);
        check("12 月 3 日", "zh", &[]);
        check("one of them, a tent, on average", "en", &[]);
        check("", "en", &[]);
        check("9999999999999999999999 kg 1.2.3.4 € or 2 €", "en", &["Exact 2 EUR"]);
    }

    #[test]
    fn units_convert_and_others_do_not_compare() {
        let one = |text: &str| amounts(text, "en").remove(0);
        #[track_caller]
        fn check(a: &Amount, b: &Amount, expected: Option<Order>) {
            assert_eq!(a.order(b.value, &b.unit), expected, "{a:?} {b:?}");
        }
        check(&one("1.9 kg"), &one("1,900 g"), Some(Order::Equal));
        check(&one("1.90 m"), &one("198 cm"), Some(Order::Less));
        check(&one("3 weeks"), &one("60 days"), Some(Order::Less));
        check(&one("12 months"), &one("1 year"), Some(Order::Equal));
        check(&one("2 months"), &one("60 days"), None);
        check(&one("3 months"), &one("60 days"), Some(Order::More));
        check(&one("2 days"), &one("48 hours"), Some(Order::Equal));
        check(&one("5 working days"), &one("7 days"), None);
        check(&one("5 kg"), &one("5 l"), None);
        check(&one("100 GBP"), &one("110 EUR"), None);
        check(&one("$100"), &one("120 AUD"), Some(Order::Less));
        check(&one("100 USD"), &one("120 AUD"), None);
    }

    #[test]
    fn bounds_are_met_or_not() {
        let one = |text: &str| amounts(text, "en").remove(0);
        for (amount, rule, expected) in [
            ("110 EUR", "from 120 EUR", Some(false)),
            ("120 EUR", "from 120 EUR", Some(true)),
            ("120 EUR", "over 120 EUR", Some(false)),
            ("3 years", "5 years", Some(true)),
            ("6 years", "5 years", Some(false)),
            ("80 EUR", "90 EUR to 1,500 EUR", Some(false)),
            ("90 EUR", "90 EUR to 1,500 EUR", Some(true)),
            ("2 months", "within 60 days", None),
            ("15 kg", "up to 14 kg", Some(false)),
            ("14 kg", "under 14 kg", Some(false)),
        ] {
            assert_eq!(one(amount).meets(&one(rule)), expected, "{amount} {rule}");
        }
    }
}
