//! Units and the names that they go by. Pure.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{Kind, Unit};
use crate::language::script::is_han;

/// Units with their names, longest first where a name begins with another. "Pounds" are money or
/// weight, and "kr" are the kroner of several countries: neither is known.
pub(super) const UNITS: &[(Unit, &[&str])] = &[
    (Unit::new("EUR", Kind::Money, 1.0), &["eur", "euro", "euros", "euronen", "€", "欧元", "欧"]),
    (Unit::new("USD", Kind::Money, 1.0), &["usd", "us$", "美元"]),
    (Unit::new("AUD", Kind::Money, 1.0), &["aud", "a$"]),
    (Unit::new("CAD", Kind::Money, 1.0), &["cad", "c$"]),
    (Unit::new("NZD", Kind::Money, 1.0), &["nzd", "nz$"]),
    (Unit::new("SGD", Kind::Money, 1.0), &["sgd", "s$"]),
    (Unit::new("$", Kind::Money, 1.0), &["$", "dollar", "dollars", "dólares", "bucks"]),
    (Unit::new("GBP", Kind::Money, 1.0), &["gbp", "£", "quid", "英镑"]),
    (Unit::new("CHF", Kind::Money, 1.0), &["chf", "franken", "瑞士法郎", "瑞郎"]),
    (Unit::new("CNY", Kind::Money, 1.0), &["cny", "rmb", "yuan", "元", "块", "人民币"]),
    (Unit::new("SEK", Kind::Money, 1.0), &["sek"]),
    (Unit::new("NOK", Kind::Money, 1.0), &["nok"]),
    (Unit::new("DKK", Kind::Money, 1.0), &["dkk"]),
    (Unit::new("PLN", Kind::Money, 1.0), &["pln", "zł", "zloty"]),
    (
        Unit::new("g", Kind::Mass, 1.0),
        &["g", "gram", "grams", "gramme", "grammes", "gramm", "gramo", "gramos", "克"],
    ),
    (
        Unit::new("kg", Kind::Mass, 1_000.0),
        &[
            "kg",
            "kgs",
            "kilo",
            "kilos",
            "kilogram",
            "kilograms",
            "kilogramm",
            "kilogrammes",
            "kilogramos",
            "公斤",
            "千克",
        ],
    ),
    (Unit::new("t", Kind::Mass, 1_000_000.0), &["tonnes", "tonne", "tonnen", "toneladas", "吨"]),
    (Unit::new("lb", Kind::Mass, 453.592_37), &["lb", "lbs"]),
    (Unit::new("oz", Kind::Mass, 28.349_523), &["oz", "ounce", "ounces"]),
    (Unit::new("mm", Kind::Length, 1.0), &["mm", "毫米"]),
    (
        Unit::new("cm", Kind::Length, 10.0),
        &[
            "cm",
            "centimetre",
            "centimetres",
            "centimeter",
            "centimeters",
            "zentimeter",
            "centimètres",
            "centímetros",
            "厘米",
            "公分",
        ],
    ),
    (
        Unit::new("m", Kind::Length, 1_000.0),
        &[
            "m", "metre", "metres", "meter", "meters", "metern", "mètre", "mètres", "metro",
            "metros", "米",
        ],
    ),
    (
        Unit::new("km", Kind::Length, 1_000_000.0),
        &[
            "km",
            "kilometre",
            "kilometres",
            "kilometers",
            "kilometer",
            "kilomètres",
            "kilómetros",
            "公里",
            "千米",
        ],
    ),
    (
        Unit::new("in", Kind::Length, 25.4),
        &["inch", "inches", "zoll", "pouces", "pulgadas", "英寸"],
    ),
    (Unit::new("ft", Kind::Length, 304.8), &["ft", "feet", "foot", "英尺"]),
    (Unit::new("ml", Kind::Volume, 1.0), &["ml", "毫升"]),
    (
        Unit::new("l", Kind::Volume, 1_000.0),
        &["l", "litre", "litres", "liter", "liters", "litern", "litro", "litros", "升"],
    ),
    (
        Unit::new("°C", Kind::Temperature, 1.0),
        &[
            "°c",
            "℃",
            "°",
            "degrees",
            "degree",
            "celsius",
            "grad",
            "degrés",
            "degré",
            "grados",
            "grado",
            "度",
            "摄氏度",
        ],
    ),
    (
        Unit::new("second", Kind::Time, 1.0 / 86_400.0),
        &[
            "second", "seconds", "sec", "secs", "sekunde", "sekunden", "seconde", "secondes",
            "segundo", "segundos", "秒",
        ],
    ),
    (
        Unit::new("minute", Kind::Time, 1.0 / 1_440.0),
        &["minute", "minutes", "min", "mins", "minuten", "minuto", "minutos", "分钟"],
    ),
    (
        Unit::new("hour", Kind::Time, 1.0 / 24.0),
        &[
            "hour",
            "hours",
            "h",
            "hr",
            "hrs",
            "stunde",
            "stunden",
            "heure",
            "heures",
            "hora",
            "horas",
            "个小时",
            "小时",
        ],
    ),
    (
        Unit::new("working day", Kind::WorkingTime, 1.0),
        &[
            "working day",
            "working days",
            "business day",
            "business days",
            "werktag",
            "werktage",
            "werktagen",
            "werktags",
            "arbeitstag",
            "arbeitstage",
            "arbeitstagen",
            "jour ouvré",
            "jours ouvrés",
            "jour ouvrable",
            "jours ouvrables",
            "día laborable",
            "días laborables",
            "día hábil",
            "días hábiles",
            "个工作日",
            "工作日",
        ],
    ),
    (
        Unit::new("day", Kind::Time, 1.0),
        &[
            "day",
            "days",
            "calendar day",
            "calendar days",
            "tag",
            "tage",
            "tagen",
            "jour",
            "jours",
            "día",
            "días",
            "dia",
            "dias",
            "天",
            "日",
        ],
    ),
    (
        Unit::new("week", Kind::Time, 7.0),
        &[
            "week",
            "weeks",
            "woche",
            "wochen",
            "semaine",
            "semaines",
            "semana",
            "semanas",
            "个星期",
            "星期",
            "周",
            "个礼拜",
        ],
    ),
    (
        Unit { name: "month", kind: Kind::Time, low: 28.0, high: 31.0 },
        &["month", "months", "monat", "monate", "monaten", "mois", "mes", "meses", "个月"],
    ),
    (
        Unit { name: "year", kind: Kind::Time, low: 365.0, high: 366.0 },
        &[
            "year", "years", "yr", "yrs", "jahr", "jahre", "jahren", "an", "ans", "année",
            "années", "año", "años", "anos", "年",
        ],
    ),
    (
        Unit::new("years old", Kind::Age, 1.0),
        &[
            "years old",
            "year old",
            "years of age",
            "y/o",
            "yo",
            "jahre alt",
            "jahren alt",
            "岁",
            "周岁",
        ],
    ),
    (
        Unit::new("%", Kind::Percent, 1.0),
        &["%", "percent", "per cent", "prozent", "pour cent", "por ciento"],
    ),
    (Unit::new("W", Kind::Power, 1.0), &["w", "watt", "watts", "瓦"]),
    (Unit::new("kW", Kind::Power, 1_000.0), &["kw"]),
    (Unit::new("Wh", Kind::Energy, 1.0), &["wh", "瓦时"]),
];

/// Names of units, lower-case.
static NAMES: LazyLock<HashMap<&'static str, Unit>> = LazyLock::new(|| {
    UNITS.iter().flat_map(|(unit, names)| names.iter().map(move |name| (*name, *unit))).collect()
});

/// The unit that a text begins with, behind a space or a hyphen, with its bytes.
pub(super) fn unit_after(after: &str) -> Option<(Unit, usize)> {
    let rest = after.trim_start_matches([' ', '\u{a0}', '\u{202f}']);
    let rest = rest.strip_prefix('-').unwrap_or(rest);
    let skipped = after.len() - rest.len();
    let first = rest.chars().next()?;
    if is_han(first) {
        let longest = UNITS
            .iter()
            .flat_map(|(unit, names)| names.iter().map(move |name| (*unit, *name)))
            .filter(|(_, name)| rest.starts_with(name))
            .max_by_key(|(_, name)| name.len())?;
        // 年 also begins 年级 and 月 alone is a date; 3 日 after a month is a date, too.
        let dated = longest.1 == "日" && after_month(after);
        return (!dated).then_some((longest.0, skipped + longest.1.len()));
    }
    let mut end = 0;
    let mut found = None;
    for _ in 0..3 {
        let word = rest.get(end..)?;
        let first = word.chars().next()?;
        let length = if first.is_alphabetic() && !is_han(first) {
            let length = word
                .find(|c: char| !c.is_alphabetic() && !matches!(c, '$' | '/') || is_han(c))
                .unwrap_or(word.len());
            if word.get(..length).is_some_and(|word| word.ends_with('/')) {
                length - 1
            } else {
                length
            }
        } else if first == '°' && word.get(2..).is_some_and(|rest| rest.starts_with('c')) {
            3
        } else {
            first.len_utf8()
        };
        end += length;
        let name = rest.get(..end)?.replace('-', " ");
        if let Some(unit) = NAMES.get(name.as_str()) {
            found = Some((*unit, skipped + end));
        }
        let gap = rest.get(end..)?;
        if !gap.starts_with([' ', '-', '\u{a0}']) {
            break;
        }
        end += gap.chars().next()?.len_utf8();
    }
    // "km/h", "g/m²" and "m²" are other units.
    let (unit, length) = found?;
    let next = after.get(length..)?.chars().next();
    (!next.is_some_and(|c| matches!(c, '/' | '²' | '³' | '\'') || c.is_ascii_digit()))
        .then_some((unit, length))
}

fn after_month(after: &str) -> bool {
    let after = after.trim_start();
    after.starts_with('日') && after.chars().nth(1).is_none_or(|c| !matches!(c, '内' | '以' | '之'))
}

/// A currency before a number, with its bytes.
pub(super) fn unit_before(before: &str) -> Option<(Unit, usize)> {
    let text = before.trim_end_matches([' ', '\u{a0}']);
    let last = text.chars().next_back()?;
    let start = if last.is_alphabetic() {
        text.rfind(|c: char| !c.is_ascii_alphabetic()).map_or(0, |at| {
            at + text.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8)
        })
    } else {
        let sign = text.len() - last.len_utf8();
        let country = text.get(..sign)?.bytes().rev().take_while(u8::is_ascii_alphabetic).count();
        if last == '$' && country <= 2 { sign - country } else { sign }
    };
    let name = text.get(start..)?;
    let unit = NAMES.get(name).filter(|unit| unit.kind == Kind::Money)?;
    // Codes and signs alone: "20 euro 5" isn't five euros.
    let code = name.len() == 3 && name.eq_ignore_ascii_case(unit.name)
        || !name.chars().all(char::is_alphabetic);
    code.then_some((*unit, before.len() - start))
}
