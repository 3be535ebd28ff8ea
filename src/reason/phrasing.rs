//! How figures and comparisons are said, in the visitor's language. Pure.

use super::quantity::{Amount, Bound, Kind, Unit};
use crate::wording::{Figures, Wording};

/// What is said before a quote.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Say {
    /// It costs nothing from a value on, and the order reaches it.
    Free { order: String, from: String },
    /// What it costs below the value from which it is free.
    Fee { fee: String, order: String, from: String, missing: String },
    /// The amount lies within the limit.
    Within { amount: String, limit: String },
    /// The amount is more than the limit.
    Over { amount: String, limit: String },
    /// The amount reaches the least that is asked for.
    Reaches { amount: String, limit: String },
    /// The amount is less than the least that is asked for.
    Below { amount: String, limit: String },
    /// As [`Say::Below`], with what the amount lacks.
    Short { amount: String, limit: String, missing: String },
    /// A time of day before another.
    Earlier { amount: String, limit: String },
    /// A time of day after another.
    Later { amount: String, limit: String },
    /// Hours or a figure, as they are said.
    Plain { said: String },
    /// A share of the amount.
    Share { result: String, share: String, amount: String, at_most: bool },
    /// So many of something against so much of another thing.
    Rate { result: String, amount: String },
    /// A bare yes or no.
    Bare,
}

/// Languages in which questions are read well enough for a conclusion.
pub(super) const LANGUAGES: &[&str] = &["de", "en", "es", "fr", "zh"];

/// The sentence, in a language, behind a yes or no where there is one.
pub(super) fn sentence(
    say: &Say,
    verdict: Option<bool>,
    language: &str,
    wording: &Wording,
) -> String {
    let (figures, said) = (wording.figures(language), wording.conclusions(language));
    let body = match say {
        Say::Bare => String::new(),
        Say::Free { order, from } => fill(&said.free, &[("order", order), ("from", from)]),
        Say::Fee { fee, order, from, missing } => {
            fill(&said.fee, &[("fee", fee), ("order", order), ("from", from), ("missing", missing)])
        }
        Say::Within { amount, limit } => {
            fill(&said.within, &[("amount", amount), ("limit", limit)])
        }
        Say::Over { amount, limit } => fill(&said.over, &[("amount", amount), ("limit", limit)]),
        Say::Reaches { amount, limit } => {
            fill(&said.reaches, &[("amount", amount), ("limit", limit)])
        }
        Say::Below { amount, limit } => fill(&said.below, &[("amount", amount), ("limit", limit)]),
        Say::Short { amount, limit, missing } => {
            fill(&said.short, &[("amount", amount), ("limit", limit), ("missing", missing)])
        }
        Say::Earlier { amount, limit } => {
            fill(&said.earlier, &[("amount", amount), ("limit", limit)])
        }
        Say::Later { amount, limit } => fill(&said.later, &[("amount", amount), ("limit", limit)]),
        Say::Plain { said } => format!("{said}{}", figures.stop),
        Say::Share { result, share, amount, at_most } => {
            let template = if *at_most { &said.share_at_most } else { &said.share };
            fill(template, &[("result", result), ("share", share), ("amount", amount)])
        }
        Say::Rate { result, amount } => fill(&said.rate, &[("amount", amount), ("result", result)]),
    };
    let head = verdict.map(|yes| if yes { &figures.yes } else { &figures.no });
    match (head, body.is_empty()) {
        (None, _) => body,
        (Some(head), true) => format!("{head}{}", figures.stop),
        (Some(head), false) => format!("{head}{}{body}", figures.then),
    }
}

/// A template with its parts in the places of their names, `{from}`.
fn fill(template: &str, parts: &[(&str, &str)]) -> String {
    let mut pieces = template.split('{');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once('}').unwrap_or((piece, ""));
        text.push_str(parts.iter().find(|(own, _)| *own == name).map_or("", |(_, part)| part));
        text.push_str(rest);
    }
    text
}

/// An amount as a language writes it, without its bound.
pub(super) fn shown(amount: &Amount, figures: &Figures) -> String {
    let low = value(amount.value, &amount.unit, figures);
    match (amount.bound, amount.to) {
        (Bound::Between, Some(to)) => {
            format!(
                "{}–{}",
                number(amount.value, &amount.unit, figures),
                value(to, &amount.unit, figures)
            )
        }
        _ => low,
    }
}

/// A value with its unit.
pub(super) fn value(value: f64, unit: &Unit, figures: &Figures) -> String {
    let number = number(value, unit, figures);
    let one = (value - 1.0).abs() < 1e-9;
    let named = figures.times.get(unit.name).map(|[single, few, many]| {
        let whole = (value - value.round()).abs() < 1e-9;
        let last = value.round().abs() % 10.0;
        let teens = (12.0..=14.0).contains(&(value.round().abs() % 100.0));
        let is_few = whole && (2.0..=4.0).contains(&last) && !teens;
        match (one, is_few) {
            (true, _) => single,
            (_, true) => few,
            _ => many,
        }
    });
    let name: &str = match unit.name {
        "$" => return format!("${number}"),
        "years old" if figures.years_old.is_empty() => return number,
        "years old" => &figures.years_old,
        name => match (figures.units.get(name), named) {
            (Some(written), _) => written,
            (None, Some(named)) => named,
            (None, None) if matches!(unit.kind, Kind::Time | Kind::WorkingTime) && !one => {
                return format!("{number} {name}s");
            }
            (None, None) => name,
        },
    };
    format!("{number} {name}")
}

/// A number: money with two decimals unless it is whole, others with as many as they have.
fn number(value: f64, unit: &Unit, figures: &Figures) -> String {
    let whole = (value - value.round()).abs() < 1e-9;
    let plain = if whole {
        format!("{:.0}", value.round())
    } else if unit.kind == Kind::Money {
        format!("{value:.2}")
    } else {
        let text = format!("{value:.2}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    let (digits, rest) =
        plain.split_once('.').map_or((plain.as_str(), None), |(digits, rest)| (digits, Some(rest)));
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    let mut grouped = String::new();
    for (at, c) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && digits.len() > 4 {
            grouped.push_str(&figures.thousands);
        }
        grouped.push(c);
    }
    rest.map_or_else(
        || format!("{sign}{grouped}"),
        |rest| format!("{sign}{grouped}{}{rest}", figures.decimal),
    )
}

#[cfg(test)]
mod tests {
    use super::super::quantity::unit;
    use super::*;

    #[test]
    fn values_are_written_as_the_language_writes_them() {
        for (number, name, language, expected) in [
            (8.9, "EUR", "en", "8.90 EUR"),
            (8.9, "EUR", "de", "8,90 EUR"),
            (15_000.0, "EUR", "en", "15,000 EUR"),
            (15_000.5, "EUR", "de", "15.000,50 EUR"),
            (1.0, "year", "en", "1 year"),
            (3.0, "year", "de", "3 Jahre"),
            (0.95, "kg", "fr", "0,95 kg"),
            (6.0, "year", "zh", "6 年"),
            (5_000.0, "$", "en", "$5000"),
            (-7.0, "°C", "es", "-7 °C"),
        ] {
            let figures = Wording::built_in().figures(language);
            assert_eq!(value(number, &unit(name).unwrap(), figures), expected);
        }
    }
}
