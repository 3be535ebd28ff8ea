//! How figures and comparisons are said, in the visitor's language. Pure.

use super::quantity::{Amount, Bound, Kind, Unit};

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
    /// A share of the amount.
    Share { result: String, share: String, amount: String, at_most: bool },
    /// So many of something against so much of another thing.
    Rate { result: String, amount: String },
    /// A bare yes or no.
    Bare,
}

/// The sentence, in the visitor's language, behind a yes or no where there is one.
pub(super) fn sentence(say: &Say, verdict: Option<bool>, language: &str) -> String {
    let body = match (language, say) {
        (_, Say::Bare) => String::new(),
        ("de", Say::Free { order, from }) => format!("Kostenlos: {order} erreichen die Grenze von {from}."),
        ("de", Say::Fee { fee, order, from, missing }) => {
            format!("{fee}: Kostenlos ist es erst ab {from}, bei {order} fehlen {missing}.")
        }
        ("de", Say::Within { amount, limit }) => format!("{amount} liegen innerhalb von {limit}."),
        ("de", Say::Over { amount, limit }) => format!("{amount} sind mehr als {limit}."),
        ("de", Say::Reaches { amount, limit }) => format!("{amount} erreichen das Minimum von {limit}."),
        ("de", Say::Below { amount, limit }) => format!("{amount} liegen unter dem Minimum von {limit}."),
        ("de", Say::Share { result, share, amount, at_most }) => {
            format!("{}{result} ({share} von {amount}).", if *at_most { "Höchstens " } else { "" })
        }
        ("de", Say::Rate { result, amount }) => format!("{amount} entsprechen {result}."),
        ("fr", Say::Free { order, from }) => format!("C'est gratuit : {order}, c'est au moins le seuil de {from}."),
        ("fr", Say::Fee { fee, order, from, missing }) => {
            format!("{fee} : c'est gratuit à partir de {from} seulement ; avec {order}, il manque {missing}.")
        }
        ("fr", Say::Within { amount, limit }) => format!("{amount}, c'est dans la limite de {limit}."),
        ("fr", Say::Over { amount, limit }) => format!("{amount}, c'est plus que {limit}."),
        ("fr", Say::Reaches { amount, limit }) => format!("{amount}, c'est au moins le minimum de {limit}."),
        ("fr", Say::Below { amount, limit }) => format!("{amount}, c'est moins que le minimum de {limit}."),
        ("fr", Say::Share { result, share, amount, at_most }) => {
            format!("{}{result} ({share} de {amount}).", if *at_most { "Au plus " } else { "" })
        }
        ("fr", Say::Rate { result, amount }) => format!("{amount} correspondent à {result}."),
        ("es", Say::Free { order, from }) => format!("Es gratis: {order} alcanza el mínimo de {from}."),
        ("es", Say::Fee { fee, order, from, missing }) => {
            format!("{fee}: solo es gratis a partir de {from}; con {order} faltan {missing}.")
        }
        ("es", Say::Within { amount, limit }) => format!("{amount} está dentro del límite de {limit}."),
        ("es", Say::Over { amount, limit }) => format!("{amount} es más que {limit}."),
        ("es", Say::Reaches { amount, limit }) => format!("{amount} alcanza el mínimo de {limit}."),
        ("es", Say::Below { amount, limit }) => format!("{amount} está por debajo del mínimo de {limit}."),
        ("es", Say::Share { result, share, amount, at_most }) => {
            format!("{}{result} ({share} de {amount}).", if *at_most { "Como máximo " } else { "" })
        }
        ("es", Say::Rate { result, amount }) => format!("{amount} equivale a {result}."),
        ("zh", Say::Free { order, from }) => format!("免费：{order}已达到 {from}的门槛。"),
        ("zh", Say::Fee { fee, order, from, missing }) => format!("{fee}：满 {from}才免费，{order}还差 {missing}。"),
        ("zh", Say::Within { amount, limit }) => format!("{amount}在 {limit}以内。"),
        ("zh", Say::Over { amount, limit }) => format!("{amount}超过 {limit}。"),
        ("zh", Say::Reaches { amount, limit }) => format!("{amount}达到最低要求 {limit}。"),
        ("zh", Say::Below { amount, limit }) => format!("{amount}低于最低要求 {limit}。"),
        ("zh", Say::Share { result, share, amount, at_most }) => {
            format!("{}{result}（{amount}的 {share}）。", if *at_most { "最多" } else { "" })
        }
        ("zh", Say::Rate { result, amount }) => format!("{amount}相当于 {result}。"),
        (_, Say::Free { order, from }) => format!("It is free: {order} reaches the minimum of {from}."),
        (_, Say::Fee { fee, order, from, missing }) => {
            format!("{fee}: it is free only from {from}, and {order} is {missing} short of that.")
        }
        (_, Say::Within { amount, limit }) => format!("{amount} is within {limit}."),
        (_, Say::Over { amount, limit }) => format!("{amount} is more than {limit}."),
        (_, Say::Reaches { amount, limit }) => format!("{amount} reaches the minimum of {limit}."),
        (_, Say::Below { amount, limit }) => format!("{amount} is below the minimum of {limit}."),
        (_, Say::Share { result, share, amount, at_most }) => {
            format!("{}{result} ({share} of {amount}).", if *at_most { "At most " } else { "" })
        }
        (_, Say::Rate { result, amount }) => format!("{amount} corresponds to {result}."),
    };
    let head = verdict.map(|yes| yes_or_no(yes, language));
    match (head, body.is_empty()) {
        (None, _) => body,
        (Some(head), true) => format!("{head}{}", if language == "zh" { "。" } else { "." }),
        (Some(head), false) => format!("{head}{}{body}", if language == "zh" { "，" } else { ": " }),
    }
}

pub(super) fn yes_or_no(yes: bool, language: &str) -> &'static str {
    match (language, yes) {
        ("de", true) => "Ja",
        ("de", false) => "Nein",
        ("fr", true) => "Oui",
        ("fr", false) => "Non",
        ("es", true) => "Sí",
        ("zh", true) => "可以",
        ("zh", false) => "不能",
        (_, true) => "Yes",
        (_, false) => "No",
    }
}

/// An amount as the visitor's language writes it, without its bound.
pub(super) fn shown(amount: &Amount, language: &str) -> String {
    let low = value(amount.value, &amount.unit, language);
    match (amount.bound, amount.to) {
        (Bound::Between, Some(to)) => {
            format!("{}–{}", number(amount.value, &amount.unit, language), value(to, &amount.unit, language))
        }
        _ => low,
    }
}

/// A value with its unit.
pub(super) fn value(value: f64, unit: &Unit, language: &str) -> String {
    let number = number(value, unit, language);
    let one = (value - 1.0).abs() < 1e-9;
    let name = match (unit.name, language) {
        ("$", _) => return format!("${number}"),
        ("years old", "zh") => return format!("{number} 岁"),
        ("years old", "de") => return format!("{number} Jahre"),
        ("years old", "fr") => return format!("{number} ans"),
        ("years old", "es") => return format!("{number} años"),
        ("years old", _) => return number,
        ("second", "de") => {
            if one {
                "Sekunde"
            } else {
                "Sekunden"
            }
        }
        ("minute", "de") => {
            if one {
                "Minute"
            } else {
                "Minuten"
            }
        }
        ("hour", "de") => {
            if one {
                "Stunde"
            } else {
                "Stunden"
            }
        }
        ("day", "de") => {
            if one {
                "Tag"
            } else {
                "Tage"
            }
        }
        ("working day", "de") => {
            if one {
                "Werktag"
            } else {
                "Werktage"
            }
        }
        ("week", "de") => {
            if one {
                "Woche"
            } else {
                "Wochen"
            }
        }
        ("month", "de") => {
            if one {
                "Monat"
            } else {
                "Monate"
            }
        }
        ("year", "de") => {
            if one {
                "Jahr"
            } else {
                "Jahre"
            }
        }
        ("second", "fr") => {
            if one {
                "seconde"
            } else {
                "secondes"
            }
        }
        ("minute", "fr") => {
            if one {
                "minute"
            } else {
                "minutes"
            }
        }
        ("hour", "fr") => {
            if one {
                "heure"
            } else {
                "heures"
            }
        }
        ("day", "fr") => {
            if one {
                "jour"
            } else {
                "jours"
            }
        }
        ("working day", "fr") => {
            if one {
                "jour ouvré"
            } else {
                "jours ouvrés"
            }
        }
        ("week", "fr") => {
            if one {
                "semaine"
            } else {
                "semaines"
            }
        }
        ("month", "fr") => "mois",
        ("year", "fr") => {
            if one {
                "an"
            } else {
                "ans"
            }
        }
        ("second", "es") => {
            if one {
                "segundo"
            } else {
                "segundos"
            }
        }
        ("minute", "es") => {
            if one {
                "minuto"
            } else {
                "minutos"
            }
        }
        ("hour", "es") => {
            if one {
                "hora"
            } else {
                "horas"
            }
        }
        ("day", "es") => {
            if one {
                "día"
            } else {
                "días"
            }
        }
        ("working day", "es") => {
            if one {
                "día laborable"
            } else {
                "días laborables"
            }
        }
        ("week", "es") => {
            if one {
                "semana"
            } else {
                "semanas"
            }
        }
        ("month", "es") => {
            if one {
                "mes"
            } else {
                "meses"
            }
        }
        ("year", "es") => {
            if one {
                "año"
            } else {
                "años"
            }
        }
        ("second", "zh") => "秒",
        ("minute", "zh") => "分钟",
        ("hour", "zh") => "小时",
        ("day", "zh") => "天",
        ("working day", "zh") => "个工作日",
        ("week", "zh") => "周",
        ("month", "zh") => "个月",
        ("year", "zh") => "年",
        ("EUR", "zh") => "欧元",
        ("CNY", "zh") => "元",
        (name, _) if matches!(unit.kind, Kind::Time | Kind::WorkingTime) && !one => return format!("{number} {name}s"),
        (name, _) => name,
    };
    format!("{number} {name}")
}

/// A number: money with two decimals unless it is whole, others with as many as they have.
fn number(value: f64, unit: &Unit, language: &str) -> String {
    let whole = (value - value.round()).abs() < 1e-9;
    let plain = if whole {
        format!("{:.0}", value.round())
    } else if unit.kind == Kind::Money {
        format!("{value:.2}")
    } else {
        let text = format!("{value:.2}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    let (digits, rest) = plain.split_once('.').map_or((plain.as_str(), None), |(digits, rest)| (digits, Some(rest)));
    let (thousands, decimal) = match language {
        "de" | "es" => (".", ","),
        "fr" => ("\u{202f}", ","),
        _ => (",", "."),
    };
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    let mut grouped = String::new();
    for (at, c) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && digits.len() > 4 {
            grouped.push_str(thousands);
        }
        grouped.push(c);
    }
    rest.map_or_else(|| format!("{sign}{grouped}"), |rest| format!("{sign}{grouped}{decimal}{rest}"))
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
            assert_eq!(value(number, &unit(name).unwrap(), language), expected);
        }
    }
}
