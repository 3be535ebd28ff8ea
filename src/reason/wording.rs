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

/// Languages that [`sentence`] speaks.
pub(super) const LANGUAGES: &[&str] = &["de", "en", "es", "fr", "zh"];

/// The sentence, in the visitor's language, behind a yes or no where there is one.
pub(super) fn sentence(say: &Say, verdict: Option<bool>, language: &str) -> String {
    let body = match (language, say) {
        (_, Say::Bare) => String::new(),
        ("de", Say::Free { order, from }) => {
            format!("Kostenlos: {order} erreichen die Grenze von {from}.")
        }
        ("de", Say::Fee { fee, order, from, missing }) => {
            format!("{fee}: Kostenlos ist es erst ab {from}, bei {order} fehlen {missing}.")
        }
        ("de", Say::Within { amount, limit }) => format!("{amount} liegen innerhalb von {limit}."),
        ("de", Say::Over { amount, limit }) => format!("{amount} sind mehr als {limit}."),
        ("de", Say::Reaches { amount, limit }) => {
            format!("{amount} erreichen das Minimum von {limit}.")
        }
        ("de", Say::Below { amount, limit }) => {
            format!("{amount} liegen unter dem Minimum von {limit}.")
        }
        ("de", Say::Share { result, share, amount, at_most }) => {
            format!("{}{result} ({share} von {amount}).", if *at_most { "Höchstens " } else { "" })
        }
        ("de", Say::Rate { result, amount }) => format!("{amount} entsprechen {result}."),
        ("fr", Say::Free { order, from }) => {
            format!("C'est gratuit : {order}, c'est au moins le seuil de {from}.")
        }
        ("fr", Say::Fee { fee, order, from, missing }) => {
            format!(
                "{fee} : c'est gratuit à partir de {from} seulement ; avec {order}, il manque {missing}."
            )
        }
        ("fr", Say::Within { amount, limit }) => {
            format!("{amount}, c'est dans la limite de {limit}.")
        }
        ("fr", Say::Over { amount, limit }) => format!("{amount}, c'est plus que {limit}."),
        ("fr", Say::Reaches { amount, limit }) => {
            format!("{amount}, c'est au moins le minimum de {limit}.")
        }
        ("fr", Say::Below { amount, limit }) => {
            format!("{amount}, c'est moins que le minimum de {limit}.")
        }
        ("fr", Say::Share { result, share, amount, at_most }) => {
            format!("{}{result} ({share} de {amount}).", if *at_most { "Au plus " } else { "" })
        }
        ("fr", Say::Rate { result, amount }) => format!("{amount} correspondent à {result}."),
        ("es", Say::Free { order, from }) => {
            format!("Es gratis: {order} alcanza el mínimo de {from}.")
        }
        ("es", Say::Fee { fee, order, from, missing }) => {
            format!("{fee}: solo es gratis a partir de {from}; con {order} faltan {missing}.")
        }
        ("es", Say::Within { amount, limit }) => {
            format!("{amount} está dentro del límite de {limit}.")
        }
        ("es", Say::Over { amount, limit }) => format!("{amount} es más que {limit}."),
        ("es", Say::Reaches { amount, limit }) => format!("{amount} alcanza el mínimo de {limit}."),
        ("es", Say::Below { amount, limit }) => {
            format!("{amount} está por debajo del mínimo de {limit}.")
        }
        ("es", Say::Share { result, share, amount, at_most }) => {
            format!("{}{result} ({share} de {amount}).", if *at_most { "Como máximo " } else { "" })
        }
        ("es", Say::Rate { result, amount }) => format!("{amount} equivale a {result}."),
        ("zh", Say::Free { order, from }) => format!("免费：{order}已达到 {from}的门槛。"),
        ("zh", Say::Fee { fee, order, from, missing }) => {
            format!("{fee}：满 {from}才免费，{order}还差 {missing}。")
        }
        ("zh", Say::Within { amount, limit }) => format!("{amount}在 {limit}以内。"),
        ("zh", Say::Over { amount, limit }) => format!("{amount}超过 {limit}。"),
        ("zh", Say::Reaches { amount, limit }) => format!("{amount}达到最低要求 {limit}。"),
        ("zh", Say::Below { amount, limit }) => format!("{amount}低于最低要求 {limit}。"),
        ("zh", Say::Share { result, share, amount, at_most }) => {
            format!("{}{result}（{amount}的 {share}）。", if *at_most { "最多" } else { "" })
        }
        ("zh", Say::Rate { result, amount }) => format!("{amount}相当于 {result}。"),
        (_, Say::Free { order, from }) => {
            format!("It is free: {order} reaches the minimum of {from}.")
        }
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
        (Some(head), true) => {
            format!("{head}{}", if matches!(language, "ja" | "zh") { "。" } else { "." })
        }
        (Some(head), false) => {
            format!("{head}{}{body}", if language == "zh" { "，" } else { ": " })
        }
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
        ("it", true) => "Sì",
        ("ja", true) => "はい",
        ("ja", false) => "いいえ",
        ("nl" | "sv", true) => "Ja",
        ("nl", false) => "Nee",
        ("pl", true) => "Tak",
        ("pl", false) => "Nie",
        ("pt", true) => "Sim",
        ("pt", false) => "Não",
        ("sv", false) => "Nej",
        (_, true) => "Yes",
        (_, false) => "No",
    }
}

/// An amount as the visitor's language writes it, without its bound.
pub(super) fn shown(amount: &Amount, language: &str) -> String {
    let low = value(amount.value, &amount.unit, language);
    match (amount.bound, amount.to) {
        (Bound::Between, Some(to)) => {
            format!(
                "{}–{}",
                number(amount.value, &amount.unit, language),
                value(to, &amount.unit, language)
            )
        }
        _ => low,
    }
}

/// A value with its unit.
pub(super) fn value(value: f64, unit: &Unit, language: &str) -> String {
    let number = number(value, unit, language);
    let one = (value - 1.0).abs() < 1e-9;
    let named = TIMES.iter().find(|(own, _)| *own == language).and_then(|(_, names)| {
        let at = TIME_UNITS.iter().position(|name| *name == unit.name)?;
        let [single, few, many] = names.get(at)?;
        let whole = (value - value.round()).abs() < 1e-9;
        let last = value.round().abs() % 10.0;
        let teens = (12.0..=14.0).contains(&(value.round().abs() % 100.0));
        let is_few = whole && (2.0..=4.0).contains(&last) && !teens;
        Some(if one {
            single
        } else if is_few {
            few
        } else {
            many
        })
    });
    let name = match (unit.name, language) {
        ("$", _) => return format!("${number}"),
        ("years old", "en") => return number,
        ("years old", _) => match AGES.iter().find(|(own, _)| *own == language) {
            Some((_, name)) => name,
            None => return number,
        },
        ("EUR", "zh") => "欧元",
        ("EUR", "ja") => "ユーロ",
        ("CNY", "zh") => "元",
        (name, _) => match named {
            Some(named) => named,
            None if matches!(unit.kind, Kind::Time | Kind::WorkingTime) && !one => {
                return format!("{number} {name}s");
            }
            None => name,
        },
    };
    format!("{number} {name}")
}

/// What is counted in years of age.
const AGES: &[(&str, &str)] = &[
    ("de", "Jahre"),
    ("es", "años"),
    ("fr", "ans"),
    ("it", "anni"),
    ("ja", "歳"),
    ("nl", "jaar"),
    ("pl", "lat"),
    ("pt", "anos"),
    ("sv", "år"),
    ("zh", "岁"),
];

const TIME_UNITS: [&str; 8] =
    ["second", "minute", "hour", "day", "working day", "week", "month", "year"];

/// Units of time for one, for two to four (as Polish counts) and for more, in the order of
/// [`TIME_UNITS`].
type Times = [[&'static str; 3]; 8];

const TIMES: &[(&str, Times)] = &[
    (
        "de",
        [
            ["Sekunde", "Sekunden", "Sekunden"],
            ["Minute", "Minuten", "Minuten"],
            ["Stunde", "Stunden", "Stunden"],
            ["Tag", "Tage", "Tage"],
            ["Werktag", "Werktage", "Werktage"],
            ["Woche", "Wochen", "Wochen"],
            ["Monat", "Monate", "Monate"],
            ["Jahr", "Jahre", "Jahre"],
        ],
    ),
    (
        "es",
        [
            ["segundo", "segundos", "segundos"],
            ["minuto", "minutos", "minutos"],
            ["hora", "horas", "horas"],
            ["día", "días", "días"],
            ["día laborable", "días laborables", "días laborables"],
            ["semana", "semanas", "semanas"],
            ["mes", "meses", "meses"],
            ["año", "años", "años"],
        ],
    ),
    (
        "fr",
        [
            ["seconde", "secondes", "secondes"],
            ["minute", "minutes", "minutes"],
            ["heure", "heures", "heures"],
            ["jour", "jours", "jours"],
            ["jour ouvré", "jours ouvrés", "jours ouvrés"],
            ["semaine", "semaines", "semaines"],
            ["mois", "mois", "mois"],
            ["an", "ans", "ans"],
        ],
    ),
    (
        "it",
        [
            ["secondo", "secondi", "secondi"],
            ["minuto", "minuti", "minuti"],
            ["ora", "ore", "ore"],
            ["giorno", "giorni", "giorni"],
            ["giorno lavorativo", "giorni lavorativi", "giorni lavorativi"],
            ["settimana", "settimane", "settimane"],
            ["mese", "mesi", "mesi"],
            ["anno", "anni", "anni"],
        ],
    ),
    (
        "ja",
        [
            ["秒", "秒", "秒"],
            ["分", "分", "分"],
            ["時間", "時間", "時間"],
            ["日", "日", "日"],
            ["営業日", "営業日", "営業日"],
            ["週間", "週間", "週間"],
            ["か月", "か月", "か月"],
            ["年", "年", "年"],
        ],
    ),
    (
        "nl",
        [
            ["seconde", "seconden", "seconden"],
            ["minuut", "minuten", "minuten"],
            ["uur", "uur", "uur"],
            ["dag", "dagen", "dagen"],
            ["werkdag", "werkdagen", "werkdagen"],
            ["week", "weken", "weken"],
            ["maand", "maanden", "maanden"],
            ["jaar", "jaar", "jaar"],
        ],
    ),
    (
        "pl",
        [
            ["sekunda", "sekundy", "sekund"],
            ["minuta", "minuty", "minut"],
            ["godzina", "godziny", "godzin"],
            ["dzień", "dni", "dni"],
            ["dzień roboczy", "dni robocze", "dni roboczych"],
            ["tydzień", "tygodnie", "tygodni"],
            ["miesiąc", "miesiące", "miesięcy"],
            ["rok", "lata", "lat"],
        ],
    ),
    (
        "pt",
        [
            ["segundo", "segundos", "segundos"],
            ["minuto", "minutos", "minutos"],
            ["hora", "horas", "horas"],
            ["dia", "dias", "dias"],
            ["dia útil", "dias úteis", "dias úteis"],
            ["semana", "semanas", "semanas"],
            ["mês", "meses", "meses"],
            ["ano", "anos", "anos"],
        ],
    ),
    (
        "sv",
        [
            ["sekund", "sekunder", "sekunder"],
            ["minut", "minuter", "minuter"],
            ["timme", "timmar", "timmar"],
            ["dag", "dagar", "dagar"],
            ["arbetsdag", "arbetsdagar", "arbetsdagar"],
            ["vecka", "veckor", "veckor"],
            ["månad", "månader", "månader"],
            ["år", "år", "år"],
        ],
    ),
    (
        "zh",
        [
            ["秒", "秒", "秒"],
            ["分钟", "分钟", "分钟"],
            ["小时", "小时", "小时"],
            ["天", "天", "天"],
            ["个工作日", "个工作日", "个工作日"],
            ["周", "周", "周"],
            ["个月", "个月", "个月"],
            ["年", "年", "年"],
        ],
    ),
];

/// How bounds are said; `{}` stands for the amount.
pub(super) struct Words {
    pub(super) at_least: &'static str,
    pub(super) at_most: &'static str,
    /// What costs nothing from a value on.
    pub(super) free_from: &'static str,
    pub(super) comma: &'static str,
}

impl Words {
    /// `None` for a language without them.
    pub(super) fn of(language: &str) -> Option<Self> {
        let [at_least, at_most, free_from] = match language {
            "en" => ["at least {}", "up to {}", "free from {}"],
            "de" => ["mindestens {}", "bis zu {}", "kostenlos ab {}"],
            "es" => ["al menos {}", "hasta {}", "gratis a partir de {}"],
            "fr" => ["au moins {}", "jusqu'à {}", "gratuit à partir de {}"],
            "it" => ["almeno {}", "fino a {}", "gratis a partire da {}"],
            "ja" => ["{}以上", "最大{}", "{}以上で無料"],
            "nl" => ["minstens {}", "tot {}", "gratis vanaf {}"],
            "pl" => ["co najmniej {}", "do {}", "bezpłatnie od {}"],
            "pt" => ["pelo menos {}", "até {}", "grátis a partir de {}"],
            "sv" => ["minst {}", "upp till {}", "fritt från {}"],
            "zh" => ["至少 {}", "最多 {}", "满 {}免费"],
            _ => return None,
        };
        let comma = match language {
            "zh" => "，",
            "ja" => "、",
            _ => ", ",
        };
        Some(Self { at_least, at_most, free_from, comma })
    }
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
    let (digits, rest) =
        plain.split_once('.').map_or((plain.as_str(), None), |(digits, rest)| (digits, Some(rest)));
    let (thousands, decimal) = match language {
        "de" | "es" | "it" | "nl" | "pt" => (".", ","),
        "fr" | "pl" | "sv" => ("\u{202f}", ","),
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
    rest.map_or_else(
        || format!("{sign}{grouped}"),
        |rest| format!("{sign}{grouped}{decimal}{rest}"),
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
            assert_eq!(value(number, &unit(name).unwrap(), language), expected);
        }
    }
}
