//! Whether a text or number is of a kind that a property takes.

use serde_json::Value;

use super::{term_of, text_of};
use crate::pages::quoted;
use crate::pages::vocabulary::{NUMBERS, Property, TEXTS, TIMES, terms};

/// What is wrong with a value, and what to do; `None` if nothing is.
pub(super) fn fault(term: &str, property: &Property, value: &Value) -> Option<(String, String)> {
    let text = text_of(value);
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    match term {
        "price" | "lowPrice" | "highPrice" | "minPrice" | "maxPrice" => return price(term, text),
        "priceCurrency" | "currency" => return currency(term, text),
        _ => {}
    }
    let takes = |kinds: &[&str]| property.takes.iter().any(|takes| kinds.contains(takes));
    let enumerations: Vec<&str> =
        property.takes.iter().copied().filter(|takes| terms().is_enumeration(takes)).collect();
    if !enumerations.is_empty() {
        let only = enumerations.len() == property.takes.len();
        return member(term, text, &enumerations, only);
    }
    if let Some(name) = vocabulary_address(text)
        && !(terms().is_type(name)
            || terms().property(name).is_some()
            || terms().enumerations(name).is_some())
    {
        let told = format!("schema.org has no term {}.", quoted(name));
        return Some((told, format!("Correct the address {text}.")));
    }
    // Every property may have a text in place of a thing; what takes no things and no texts is told
    // more of.
    let literal = |name: &&str| {
        TEXTS.contains(name) || NUMBERS.contains(name) || TIMES.contains(name) || *name == "Boolean"
    };
    if !property.takes.iter().all(literal)
        || takes(&["Text", "CssSelectorType", "XPathType", "PronounceableText"])
    {
        return None;
    }
    let fits = takes(&NUMBERS) && is_number(text)
        || takes(&TIMES) && is_time(text)
        || takes(&["Boolean"]) && matches!(term_of(&text.to_lowercase()), Some("true" | "false"))
        || takes(&["URL"]) && !text.contains(char::is_whitespace);
    (!fits).then(|| {
        let told = format!("\"{term}\" doesn't take {}.", quoted(text));
        (
            told,
            format!(
                "Write a {}{}.",
                property.takes.join(" or "),
                if takes(&TIMES) { " as ISO 8601 has it, e.g. 2026-12-31" } else { "" }
            ),
        )
    })
}

/// The name of a term that an address of schema.org stands for.
fn vocabulary_address(text: &str) -> Option<&str> {
    let name = term_of(text).filter(|_| text.starts_with("http"))?;
    // Pages of documentation are no terms.
    (!name.is_empty() && name.chars().all(char::is_alphanumeric)).then_some(name)
}

/// A member of an enumeration, by its name or its address. `only`: the property takes nothing else.
fn member(term: &str, text: &str, enumerations: &[&str], only: bool) -> Option<(String, String)> {
    let schema = term_of(text);
    // Values of other lists, by their addresses, aren't judged.
    let name = schema?;
    let known = terms().enumerations(name);
    let belongs = known
        .as_ref()
        .is_some_and(|known| enumerations.iter().any(|wanted| known.contains(wanted)));
    let is_subtype = terms().with_ancestors(name).iter().any(|of| enumerations.contains(of));
    let addressed = name != text;
    if belongs || is_subtype || !(only || addressed) {
        return None;
    }
    let told = format!("\"{term}\" has no value {}.", quoted(name));
    let remedy = match terms().member_like(name, enumerations) {
        Some(like) => format!("Write \"https://schema.org/{like}\", if that is meant."),
        None => format!("Write one of {}.", terms().examples(enumerations).join(", ")),
    };
    Some((told, remedy))
}

fn price(term: &str, text: &str) -> Option<(String, String)> {
    let fault = |remedy: &str| {
        Some((format!("\"{term}\" is no number: {}.", quoted(text)), remedy.to_owned()))
    };
    match text.parse::<f64>() {
        Ok(number) if number < 0.0 => {
            Some((format!("\"{term}\" is below zero: {text}."), "Write what a buyer pays.".into()))
        }
        Ok(number) if number.is_finite() && is_number(text) => None,
        _ => fault(
            "Write the number alone, with a point before the cents (1299.90); the currency has its own property.",
        ),
    }
}

fn currency(term: &str, text: &str) -> Option<(String, String)> {
    (!CURRENCIES.split_whitespace().any(|code| code == text)).then(|| {
        let told = format!("\"{term}\" is no currency's code: {}.", quoted(text));
        (told, "Write its three letters of ISO 4217, e.g. EUR, USD, CHF.".into())
    })
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let begins = digits.starts_with(|char: char| char.is_ascii_digit() || char == '.');
    begins && text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// A date, time or both, as ISO 8601 has them; a year or month alone counts.
fn is_time(text: &str) -> bool {
    let digits = |part: &str, lengths: &[usize]| {
        lengths.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let within = |part: &str, most: u32| part.parse::<u32>().is_ok_and(|number| number <= most);
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (Some(date), Some(time)),
        None if text.contains(':') => (None, Some(text)),
        None => (Some(text), None),
    };
    let is_date = |date: &str| {
        // From Z on, and before year 0.
        let parts: Vec<&str> =
            date.trim_start_matches('-').trim_end_matches('Z').split('-').collect();
        match parts.as_slice() {
            [whole] => digits(whole, &[4, 8]),
            [year, month] => digits(year, &[4]) && (digits(month, &[2]) && within(month, 12)),
            [year, month, day] => {
                digits(year, &[4])
                    && digits(month, &[2])
                    && within(month, 12)
                    && digits(day, &[2])
                    && within(day, 31)
            }
            _ => false,
        }
    };
    let is_clock = |time: &str| {
        let (clock, zone) = time.split_at(time.find(['Z', '+', '-']).unwrap_or(time.len()));
        let clock = clock.split('.').next().unwrap_or_default();
        let parts: Vec<&str> = clock.split(':').collect();
        let fine =
            (1..=3).contains(&parts.len()) && parts.iter().all(|part| digits(part, &[2, 4, 6]));
        fine && (matches!(zone, "" | "Z") || zone[1..].split(':').all(|part| digits(part, &[2, 4])))
    };
    date.is_none_or(is_date) && time.is_none_or(|time| is_clock(time.trim()))
}

/// Codes of ISO 4217 in use, and those that left it since 2020; two of coins that schema.org names
/// beside them.
const CURRENCIES: &str = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD \
    CAD CDF CHF CLF CLP CNY COP CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL \
    HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD \
    MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD \
    SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND \
    VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG ZWL BTC ETH";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_numbers_are_told() {
        for text in [
            "2026-12-31",
            "2026",
            "2026-12",
            "2026-12-31T10:00",
            "2026-12-31T10:00:00.5+01:00",
            "10:30",
            "19:30:00-07:00",
            "2015-10-07T00:00:00Z",
        ] {
            assert!(is_time(text), "{text}");
        }
        for text in
            ["tomorrow", "31.12.2026", "12/31/2026", "2026-13-01", "2026-1-5", "10 o'clock", ""]
        {
            assert!(!is_time(text), "{text}");
        }
        for text in ["1299.90", "0", "-3", "1e3", ".5"] {
            assert!(is_number(text), "{text}");
        }
        for text in ["1.299,90", "12 €", "inf", "NaN", "", "1,5"] {
            assert!(!is_number(text), "{text}");
        }
    }
}
