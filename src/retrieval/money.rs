//! Amounts as people write them.

/// An amount with what stands around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Money {
    /// A decimal with a point, as many places as the text gives: `349.90`.
    pub amount: String,
    /// ISO 4217.
    pub currency: Option<String>,
    /// What it is for: `kg` of `3,10 €/kg`.
    pub per: Option<String>,
}

/// Signs and names of currencies. What several countries call theirs (`kr`) has no code of its own.
const SIGNS: [(&str, &str); 45] = [
    ("€", "EUR"),
    ("US$", "USD"),
    ("CA$", "CAD"),
    ("C$", "CAD"),
    ("A$", "AUD"),
    ("AU$", "AUD"),
    ("NZ$", "NZD"),
    ("HK$", "HKD"),
    ("NT$", "TWD"),
    ("S$", "SGD"),
    ("R$", "BRL"),
    ("MX$", "MXN"),
    ("$", "USD"),
    ("£", "GBP"),
    ("￥", "CNY"),
    ("¥", "JPY"),
    ("元", "CNY"),
    ("円", "JPY"),
    ("₽", "RUB"),
    ("руб", "RUB"),
    ("грн", "UAH"),
    ("₴", "UAH"),
    ("лв", "BGN"),
    ("zł", "PLN"),
    ("zl", "PLN"),
    ("kč", "CZK"),
    ("Kč", "CZK"),
    ("Ft", "HUF"),
    ("ft", "HUF"),
    ("lei", "RON"),
    ("₺", "TRY"),
    ("TL", "TRY"),
    ("ر.س", "SAR"),
    ("د.إ", "AED"),
    ("₫", "VND"),
    ("đ", "VND"),
    ("vnđ", "VND"),
    ("VNĐ", "VND"),
    ("₹", "INR"),
    ("Rs", "INR"),
    ("₩", "KRW"),
    ("원", "KRW"),
    ("₪", "ILS"),
    ("฿", "THB"),
    ("din", "RSD"),
];

/// Codes that a text may name beside an amount.
const CODES: [&str; 46] = [
    "EUR", "USD", "GBP", "CHF", "JPY", "CNY", "RMB", "PLN", "CZK", "HUF", "RON", "BGN", "SEK",
    "NOK", "DKK", "ISK", "RUB", "UAH", "TRY", "RSD", "BAM", "MKD", "ALL", "GEL", "CAD", "AUD",
    "NZD", "HKD", "TWD", "SGD", "KRW", "INR", "THB", "VND", "IDR", "MYR", "PHP", "AED", "SAR",
    "ILS", "EGP", "ZAR", "BRL", "MXN", "ARS", "CLP",
];

/// Reads an amount. `decimal`: the sign that parts the cents, where other amounts of its column
/// show it. `None` if it is none, is less than nothing, or only says where prices begin.
#[must_use]
pub fn money(text: &str, decimal: Option<char>) -> Option<Money> {
    let text = text.trim();
    let start = text.find(|char: char| char.is_ascii_digit())?;
    let (before, rest) = text.split_at(start);
    let length = rest
        .char_indices()
        .find(|(_, char)| {
            !(char.is_ascii_digit()
                || matches!(char, '.' | ',' | ' ' | '\'' | '’' | '\u{A0}' | '\u{202F}'))
        })
        .map_or(rest.len(), |(at, _)| at);
    let written = rest[..length].trim_end_matches(|char: char| !char.is_ascii_digit());
    let after = rest[written.len()..].trim();
    let amount = decimal_of(written, decimal)?;
    let before = before.trim();
    // "2-3", "5 x 2": not one amount. "1.299,-" has no cents.
    let after = after.trim_start_matches([',', '.']).trim_start();
    let after =
        after.strip_prefix("-").or_else(|| after.strip_prefix('–')).unwrap_or(after).trim_start();
    let (after, per) = match after.split_once('/').or_else(|| split_per(after)) {
        Some((after, per)) => {
            (after.trim(), Some(per.trim()).filter(|per| !per.is_empty() && per.len() <= 24))
        }
        None => (after, None),
    };
    // "5 / 7" are two amounts.
    if per.is_some_and(|per| !per.chars().any(char::is_alphabetic)) {
        return None;
    }
    let of_before = code(before.trim_end_matches(['.', ':']));
    let of_after = code(after.trim_end_matches(['.', '*', '¹', ')', ';']));
    let bare =
        |text: &str, code: &Option<String>| text.is_empty() || code.is_some() || is_krone(text);
    if !bare(before, &of_before) || !bare(after.trim_end_matches(['.', '*', '¹']), &of_after) {
        return None;
    }
    Some(Money { amount, currency: of_before.or(of_after), per: per.map(str::to_owned) })
}

fn is_krone(text: &str) -> bool {
    matches!(
        text.trim_matches('.').to_lowercase().as_str(),
        // Names that several countries give their money.
        "kr" | "sek kr"
            | "p"
            | "р"
            | "тг"
            | "dinara"
            | "rsd din"
            | "pesos"
            | "euros"
            | "euro"
            | "ريال"
            | "درهم"
            | "دينار"
            | "جنيه"
            | "ليرة"
    )
}

/// "12 EUR per piece", "3 € pro Stück".
fn split_per(text: &str) -> Option<(&str, &str)> {
    [" per ", " pro ", " je ", " par ", " al ", " por ", " za ", " the "]
        .iter()
        .find_map(|per| text.split_once(per))
}

/// Digits with signs → a decimal with a point.
fn decimal_of(written: &str, decimal: Option<char>) -> Option<String> {
    let number: String =
        written.chars().filter(|char| char.is_ascii_digit() || matches!(char, '.' | ',')).collect();
    // "1 2" isn't twelve; "1 299" is one thousand two hundred ninety-nine.
    let gaps: Vec<&str> = written.split([' ', '\u{A0}', '\u{202F}', '\'', '’']).collect();
    let grouped =
        gaps.iter().skip(1).all(|group| group.bytes().take_while(u8::is_ascii_digit).count() == 3);
    if gaps.len() > 1 && !grouped {
        return None;
    }
    // The last sign parts the cents, unless it stands more than once or parts off three digits
    // after others.
    let point = number.rfind(['.', ',']).filter(|at| {
        let sign = &number[*at..=*at];
        let whole = number[..*at].replace(['.', ','], "");
        let once = number.matches(sign).count() == 1;
        let thousands =
            number.len() - at == 4 && whole != "0" && !number[..*at].contains(['.', ',']);
        once && (!thousands || decimal.is_some_and(|decimal| sign.starts_with(decimal)))
    });
    let digits = |text: &str| text.replace(['.', ','], "");
    let whole = digits(&number[..point.unwrap_or(number.len())]);
    let cents = point.map(|at| digits(&number[at..])).unwrap_or_default();
    let amount = if cents.is_empty() { whole } else { format!("{whole}.{cents}") };
    (amount.len() <= 18).then_some(())?;
    amount.parse::<f64>().ok().filter(|amount| amount.is_finite())?;
    Some(amount)
}

/// The sign that parts the cents in these amounts, if they agree on one and some show it.
#[must_use]
pub fn decimal_sign<'a>(amounts: impl Iterator<Item = &'a str>) -> Option<char> {
    let (mut points, mut commas) = (0, 0);
    for text in amounts {
        let digits = text.trim().trim_end_matches(|char: char| !char.is_ascii_digit());
        let Some(at) = digits.rfind(['.', ',']) else { continue };
        let cents = digits.len() - at - 1;
        let other = digits[..at].contains(['.', ',']);
        if (1..=2).contains(&cents) || other {
            if digits[at..].starts_with('.') { points += 1 } else { commas += 1 }
        }
    }
    match (points, commas) {
        (0, 0) => None,
        (_, 0) => Some('.'),
        (0, _) => Some(','),
        _ => None,
    }
}

/// Whether a text is an amount of a currency, or a number with cents.
#[must_use]
pub fn is_amount(text: &str) -> bool {
    money(text, None).is_some_and(|money| {
        let cents = money.amount.split_once('.').is_some_and(|(_, cents)| cents.len() == 2);
        money.currency.is_some() || cents
    })
}

/// The ISO 4217 code of a code, sign or name that is the whole text.
#[must_use]
pub fn code(text: &str) -> Option<String> {
    let text = text.trim();
    if let Some((_, code)) =
        SIGNS.iter().find(|(sign, _)| *sign == text || sign.to_lowercase() == text.to_lowercase())
    {
        return Some((*code).to_owned());
    }
    if text.eq_ignore_ascii_case("rmb") {
        return Some("CNY".to_owned());
    }
    let name = text.to_lowercase();
    match name.as_str() {
        "euro" | "euros" => return Some("EUR".to_owned()),
        "dollar" | "dollars" => return Some("USD".to_owned()),
        "pounds" => return Some("GBP".to_owned()),
        _ => {}
    }
    let upper = text.to_ascii_uppercase();
    CODES.contains(&upper.as_str()).then_some(upper)
}

/// The one currency that a label names: `Price (EUR)`, `price_eur`, `Cena zł`.
#[must_use]
pub fn code_in(label: &str) -> Option<String> {
    let words = label.split(|char: char| char.is_whitespace() || "()[]_-,;:/".contains(char));
    let words = words.map(|word| word.trim_matches('.'));
    let mut found: Vec<String> = words.filter(|word| is_code(word)).filter_map(code).collect();
    found.dedup();
    let [code] = found.as_slice() else { return None };
    Some(code.clone())
}

/// A code in capitals or a sign: "all" is no currency, "ALL" is.
fn is_code(word: &str) -> bool {
    let sign = SIGNS.iter().any(|(sign, _)| *sign == word);
    let common = ["eur", "usd", "gbp", "chf", "pln", "czk", "euro", "euros", "sek", "nok", "dkk"]
        .contains(&word.to_lowercase().as_str());
    sign || common || CODES.contains(&word.trim_matches('.'))
}

/// The one currency that a text names beside an amount or by its sign; for what stands above a
/// table.
#[must_use]
pub fn named_once<'a>(texts: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut found: Vec<String> = Vec::new();
    for text in texts {
        for word in text.split(|char: char| {
            char.is_whitespace() || char.is_ascii_digit() || "()[],;:/".contains(char)
        }) {
            let word = word.trim_matches('.');
            if let Some(code) = Some(word).filter(|word| is_code(word)).and_then(code)
                && !found.contains(&code)
            {
                found.push(code);
            }
        }
    }
    let [code] = found.as_slice() else { return None };
    Some(code.clone())
}

/// A label without the currency in it.
#[must_use]
pub fn without_currency(label: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    for word in label.split(|char: char| char.is_whitespace() || "_-/".contains(char)) {
        let bare = word.trim_matches(|char: char| "()[],.;:".contains(char));
        if !(is_code(bare) || word.is_empty()) {
            words.push(word);
        }
    }
    // "in €", "en euros" leave their preposition behind.
    if words
        .last()
        .is_some_and(|word| ["in", "en", "em", "w"].contains(&word.to_lowercase().as_str()))
    {
        words.pop();
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_people_write_them() {
        #[track_caller]
        fn check(text: &str, expected: Option<(&str, Option<&str>, Option<&str>)>) {
            let actual = money(text, None);
            let actual = actual
                .as_ref()
                .map(|m| (m.amount.as_str(), m.currency.as_deref(), m.per.as_deref()));
            assert_eq!(actual, expected, "{text}");
        }
        check("349.90", Some(("349.90", None, None)));
        check("1.299,00 €", Some(("1299.00", Some("EUR"), None)));
        check("$1,299.00", Some(("1299.00", Some("USD"), None)));
        check("2,40 €/kg", Some(("2.40", Some("EUR"), Some("kg"))));
        check("EUR 3.50/100 g", Some(("3.50", Some("EUR"), Some("100 g"))));
        check("12 EUR / piece", Some(("12", Some("EUR"), Some("piece"))));
        check("1.299,-", Some(("1299", None, None)));
        check("￥45.00", Some(("45.00", Some("CNY"), None)));
        check("4500円", Some(("4500", Some("JPY"), None)));
        check("1 299,5 zł", Some(("1299.5", Some("PLN"), None)));
        check("Rs. 450", Some(("450", Some("INR"), None)));
        check("149 kr", Some(("149", None, None)));
        check("48 €*", Some(("48", Some("EUR"), None)));
        for wrong in [
            "",
            "on request",
            "-5",
            "12 to 15",
            "ab 12 €",
            "2-3",
            "5 / 7",
            "12 Monate",
            "3 x 4",
            "IP65",
        ] {
            check(wrong, None);
        }
        assert_eq!(money("1.250", Some('.')).map(|money| money.amount).as_deref(), Some("1.250"));
        assert_eq!(decimal_sign(["1,20", "3"].into_iter()), Some(','));
    }
}
