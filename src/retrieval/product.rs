//! What a catalogue's rows sell.
//!
//! A row (of a table, or a JSON record or its `variants`) is a product if it has a name or number
//! and a price or stock. What its columns are is told by their names, in many languages
//! ([`columns`]); tables look at the cells below, too.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::columns::{self, Kind, Tax, Telling, Word};
use super::money;
use crate::language::column_name;
use crate::wording::{self, Wording};

mod line;

pub use line::{of_table, row_line};

/// Something for sale, as its row says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Product {
    /// The shop's own number for it; the name where there is none.
    pub id: String,
    pub name: String,
    /// What tells it from others of its name: `blue, M`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// A decimal with a point, as many places as the row gives: `349.90`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<String>,
    /// What it cost before a reduction, as `price`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// ISO 4217: `EUR`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// What the price is for, where it isn't one piece: `kg`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<String>,
    /// Whether the price holds the tax; unknown if the table doesn't say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<Tax>,
    /// Pieces in stock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stock: Option<u64>,
    /// Whether it can be had now; unknown if the row doesn't say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available: Option<bool>,
    /// It can't be had now, but ordered: on backorder, or not out yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub backorder: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

impl Product {
    /// The price as a number, for comparing; sums of money are not to be made from it.
    #[must_use]
    pub fn amount(&self) -> Option<f64> {
        self.price.as_ref()?.parse().ok()
    }

    /// The row as a sentence for a customer, with every figure as the row has it: `row` is its
    /// passage's text, `label: value` parts. What else it says than name, price and stock follows.
    /// `None` where the text is no such row.
    #[must_use]
    pub fn sentence(&self, row: &str, language: &str, wording: &Wording) -> Option<String> {
        let parts = labelled(row)?;
        let said = wording.product(language);
        let words = said.unwrap_or(&NEUTRAL);
        let mut name = self.name.clone();
        if let Some(variant) = self.variant.as_ref().filter(|variant| !names(&name, variant)) {
            name.push_str(&format!("{}{variant}{}", words.open, words.close));
        }
        let price = self.price.as_ref().map(|price| self.written(price, &parts));
        let price = price.map(|price| {
            match self.before.as_ref().map(|before| self.written(before, &parts)) {
                Some(before) => filled(&words.before, &[&price, &before]),
                None => price,
            }
        });
        let price = price.map(|price| match (self.tax, &words.tax) {
            (Some(Tax::Net), [net, _]) if !net.is_empty() => format!("{price} {net}"),
            (Some(Tax::Gross), [_, gross]) if !gross.is_empty() => format!("{price} {gross}"),
            _ => price,
        });
        let stock = said.and_then(|words| self.stocked(&parts, words));
        let mut text = match (price, stock) {
            (Some(price), Some(stock)) => {
                format!(
                    "{}{}{stock}{}",
                    filled(&words.costs, &[&name, &price]),
                    words.comma,
                    words.stop
                )
            }
            (Some(price), None) => {
                format!("{}{}", filled(&words.costs, &[&name, &price]), words.stop)
            }
            (None, Some(stock)) => {
                let told = match self.pieces(&parts) {
                    Some(pieces) if !words.only_pieces.is_empty() => {
                        filled(&words.only_pieces, &[&name, &pieces.to_string()])
                    }
                    _ => filled(&words.only_stock, &[&name, &stock]),
                };
                format!("{told}{}", words.stop)
            }
            (None, None)
                if said.is_none() && (self.available.is_some() || self.stock.is_some()) =>
            {
                format!("{name}{}", words.stop)
            }
            (None, None) => return None,
        };
        let mut more: Vec<String> = Vec::new();
        let mut described: Vec<&str> = Vec::new();
        for (label, value) in parts.iter().filter(|(_, value)| !value.is_empty()) {
            let column = column_name(label);
            let kind = kind(&column);
            // A word about the stock that isn't understood is told as it stands.
            let unsaid = said.is_none() || self.available.is_none() && self.stock.is_none();
            let neutral_stock = unsaid && matches!(kind, Some(Kind::Stock | Kind::Availability));
            // What it costs otherwise: without tax, for members.
            let figure = |text: &str| {
                money::money(text, None).and_then(|money| money.amount.parse::<f64>().ok())
            };
            let another = kind == Some(Kind::Price) && {
                let said = [&self.price, &self.before];
                let differs = |value: f64| {
                    said.iter().copied().flatten().all(|said| {
                        said.parse().is_ok_and(|said: f64| said.total_cmp(&value).is_ne())
                    })
                };
                // "On request" is no amount, and all that is known of the price.
                figure(value).map_or(self.price.is_none(), differs)
            };
            if kind == Some(Kind::Description) {
                described.extend(Some(*value).filter(|value| *value != self.name));
            } else if !is_told(&column) || neutral_stock || another {
                more.push(match &words.columns {
                    Some(columns) => detail(&column, value, columns),
                    None => format!("{label}: {value}"),
                });
            }
        }
        if !more.is_empty() {
            let more = more.join(&words.comma);
            let mut letters = more.trim_end_matches(['.', '。']).chars();
            text.push_str(&words.gap);
            text.extend(letters.next().into_iter().flat_map(char::to_uppercase));
            text.push_str(letters.as_str());
            text.push_str(&words.stop);
        }
        for value in described {
            text.push_str(&words.gap);
            text.push_str(value);
            if !value.ends_with(['.', '!', '?', '。', '！', '？']) {
                text.push_str(&words.stop);
            }
        }
        let of_variant = self
            .variant
            .as_ref()
            .is_some_and(|variant| self.id == format!("{} {variant}", self.name));
        // A number that visitors can read in the row: what addresses are made of isn't one.
        let numbered = parts.iter().any(|(label, value)| {
            *value == self.id && matches!(kind(&column_name(label)), Some(Kind::Number) | None)
        });
        if self.id != self.name && numbered && !of_variant && !words.number.is_empty() {
            text.push_str(&format!("{}{}{}{}", words.gap, words.number, self.id, words.stop));
        }
        // "3,90 €/St." ends its sentence by itself.
        Some(if text.contains("...") { text } else { text.replace("..", ".") })
    }

    /// How it is said that it can be ordered though it isn't there, if that is so.
    pub(crate) fn later<'a>(&self, language: &str, wording: &'a Wording) -> Option<&'a str> {
        let words = wording.product(language).or_else(|| wording.product("en"));
        self.backorder.then(|| words.map_or("", |words| words.later.as_str()))
    }

    /// How it is said that it can't be had now, if that is so and the language has words for it.
    pub(crate) fn absence<'a>(&self, language: &str, wording: &'a Wording) -> Option<&'a str> {
        let out = || Some(wording.product(language)?.out.as_str()).filter(|out| !out.is_empty());
        let absent = self.available == Some(false);
        absent.then(|| self.later(language, wording).or_else(out)).flatten()
    }

    /// An amount as the row writes it ("349.00", not what was made of it), with its currency and
    /// what it is for.
    fn written(&self, amount: &str, parts: &[(&str, &str)]) -> String {
        let figure = |text: &str| text.parse::<f64>().ok();
        let same = |text: &str| {
            let read = money::money(text, None);
            read.as_ref().is_some_and(|money| figure(&money.amount) == figure(amount))
        };
        let of_price = parts.iter().filter(|(label, _)| is_price(&column_name(label)));
        let written = of_price.map(|(_, value)| *value).find(|value| same(value)).unwrap_or(amount);
        let read = money::money(written, None);
        let mut text = written.to_owned();
        if let (Some(currency), true) =
            (&self.currency, read.as_ref().is_none_or(|money| money.currency.is_none()))
            && written
                .bytes()
                .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b',' | b' ' | b'\''))
        {
            text.push(' ');
            text.push_str(currency);
        }
        if let (Some(per), true) = (&self.per, read.is_none_or(|money| money.per.is_none())) {
            text.push_str(" / ");
            text.push_str(per);
        }
        text
    }

    /// Whether it can be had, and how many of it.
    fn stocked(&self, parts: &[(&str, &str)], words: &wording::ProductWording) -> Option<String> {
        if self.backorder {
            return Some(words.later.clone());
        }
        if let Some(pieces) = self.pieces(parts) {
            return Some(filled(&words.pieces, &[&pieces.to_string()]));
        }
        match (self.available, self.stock.or_else(|| counted(parts))) {
            (Some(false), _) | (None, Some(0)) => Some(words.out.clone()),
            (Some(true), _) => Some(words.there.clone()),
            _ => None,
        }
    }

    /// How many of it can be had, if that is said.
    fn pieces(&self, parts: &[(&str, &str)]) -> Option<u64> {
        if self.backorder || self.available == Some(false) {
            return None;
        }
        let row = || counted(parts).filter(|_| self.available != Some(true));
        self.stock.or_else(row).filter(|pieces| *pieces > 0)
    }

    /// Reads a row, given as its columns' names and values. `None` if it sells nothing, or isn't
    /// for sale; what was not understood is noted.
    #[must_use]
    pub fn read(fields: &[(&str, &str)], warnings: &mut Vec<String>) -> Option<Self> {
        let row = Row::new(fields);
        let name = row.text(Kind::Name);
        let id = row.text(Kind::Number).or_else(|| row.text(Kind::Handle)).or(name.clone())?;
        let unsold = |kind| row.first(kind).is_some_and(|value| columns::is_unsold(kind, value));
        if [Kind::Status, Kind::Published, Kind::Withdrawn].into_iter().any(unsold) {
            return None;
        }
        let (price, before, of_price, per) = row.price(warnings);
        let (mut stock, mut available) = (row.first(Kind::Stock).and_then(stock), None);
        let mut backorder = false;
        if let Some(text) = row.first(Kind::Availability) {
            available = is_available(text);
            backorder = columns::says(Word::Later, text) || columns::says(Word::Preorder, text);
            if available.is_none() {
                warnings
                    .push(format!("its availability {text:?} is not understood; write yes or no"));
            }
        }
        if price.is_none() && stock.is_none() && available.is_none() {
            return None;
        }
        // What can be had has pieces, or nobody counts them.
        if available == Some(true) && stock == Some(0) {
            stock = None;
        }
        let address = |kind: Kind| {
            let first = row.first(kind)?.split([',', ' ', '|']).next()?;
            ["https://", "http://", "/"]
                .iter()
                .any(|start| first.starts_with(start))
                .then(|| first.to_owned())
        };
        Some(Self {
            name: name.unwrap_or_else(|| id.clone()),
            id,
            variant: row.text(Kind::Variant).or_else(|| row.options()),
            currency: row.first(Kind::Currency).and_then(currency).or(of_price),
            price,
            before,
            per: per.or_else(|| row.text(Kind::Unit)),
            tax: row.tax(),
            stock,
            available: available.or(stock.map(|pieces| pieces > 0)),
            backorder,
            category: row.text(Kind::Category),
            url: address(Kind::Url),
            image: address(Kind::Image),
        })
    }
}

/// For languages without words of their own.
static NEUTRAL: LazyLock<wording::ProductWording> = LazyLock::new(wording::ProductWording::default);

/// The number of pieces that a row's parts tell.
fn counted(parts: &[(&str, &str)]) -> Option<u64> {
    let found = parts.iter().find(|(label, _)| kind(&column_name(label)) == Some(Kind::Stock));
    found.and_then(|(_, value)| stock(value))
}

/// Whether a name says which variant it is of: "Coat M" of M, but not "Mug".
fn names(name: &str, variant: &str) -> bool {
    let bound = |char: Option<char>| !char.is_some_and(|char| char.is_ascii_alphanumeric());
    name.match_indices(variant).any(|(at, _)| {
        bound(name[..at].chars().next_back()) && bound(name[at + variant.len()..].chars().next())
    })
}

/// A template with `{}` where the parts go.
fn filled(template: &str, parts: &[&str]) -> String {
    let mut parts = parts.iter();
    let mut text = String::with_capacity(template.len() + 32);
    for (number, piece) in template.split("{}").enumerate() {
        if number > 0 {
            text.push_str(parts.next().copied().unwrap_or_default());
        }
        text.push_str(piece);
    }
    text
}

/// What a column is, by its name in normal form; one of a record's `options` is an option.
fn kind(label: &str) -> Option<Kind> {
    if option(label) != label {
        return Some(Kind::Option);
    }
    columns::meaning(label).map(|meaning| meaning.kind)
}

/// A row's text as its columns' names, in normal form, and values. `None` if it is no row.
pub(crate) fn parts(row: &str) -> Option<Vec<(String, &str)>> {
    Some(labelled(row)?.into_iter().map(|(label, value)| (column_name(label), value)).collect())
}

/// The label that a part of a row begins with.
fn label(part: &str) -> Option<&str> {
    let (label, _) = part.split_once(": ")?;
    (label.len() <= 60 && !label.contains(['.', '?', '!', '\n'])).then_some(label)
}

/// A row's text as its columns' names, as they are written, and values.
fn labelled(row: &str) -> Option<Vec<(&str, &str)>> {
    let row = row.trim().strip_suffix('.')?;
    let mut parts: Vec<(&str, &str)> = Vec::new();
    let mut at = 0;
    let mut begins = 0;
    for piece in row.split("; ") {
        let end = at + piece.len();
        match (label(piece), parts.last_mut()) {
            (Some(label), _) => {
                begins = at + piece.find(": ").unwrap_or_default() + 2;
                parts.push((label, row.get(begins..end)?.trim()));
            }
            // A value with a semicolon in it.
            (None, Some(last)) => last.1 = row.get(begins..end)?.trim(),
            (None, None) => return None,
        }
        at = end + 2;
    }
    Some(parts)
}

/// Whether a column is one of those that a product is read from.
pub(crate) fn is_told(label: &str) -> bool {
    let meaning = columns::meaning(option(label));
    meaning.is_some_and(|meaning| match meaning.kind {
        Kind::Name
        | Kind::Number
        | Kind::Variant
        | Kind::Option
        | Kind::OptionValue(_)
        | Kind::Price
        | Kind::Sale
        | Kind::Before
        | Kind::Unit
        | Kind::Stock
        | Kind::Availability
        | Kind::Category
        | Kind::Url => true,
        kind => kind.telling() != Telling::Told,
    })
}

/// Whether a column tells variants apart.
pub(crate) fn is_option(label: &str) -> bool {
    matches!(kind(label), Some(Kind::Option | Kind::OptionValue(_)))
}

/// Whether a column holds what is paid, or was.
fn is_price(label: &str) -> bool {
    matches!(kind(label), Some(Kind::Price | Kind::Sale | Kind::Before))
}

/// A column that tells variants apart, without what a JSON record's structure puts before it.
pub(crate) fn option(label: &str) -> &str {
    label.strip_prefix("options_").unwrap_or(label)
}

/// What a row says beyond name, price and stock: `weight_g`, `1900` is "weight 1900 g".
fn detail(label: &str, value: &str, columns: &HashMap<String, String>) -> String {
    let (name, value) = measured(label, value);
    match columns.get(name) {
        Some(name) => format!("{name} {value}"),
        None => format!("{} {value}", name.replace('_', " ")),
    }
}

/// A column's name without its unit, and the value with it.
pub(crate) fn measured<'a>(label: &'a str, value: &str) -> (&'a str, String) {
    const UNITS: &[(&str, &str)] = &[
        ("_g", "g"),
        ("_kg", "kg"),
        ("_mm", "mm"),
        ("_cm", "cm"),
        ("_m", "m"),
        ("_ml", "ml"),
        ("_l", "l"),
        ("_wh", "Wh"),
        ("_w", "W"),
        ("_mah", "mAh"),
        ("_v", "V"),
        ("_h", "h"),
        ("_litres", "l"),
    ];
    let number = value.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b','));
    let unit = UNITS
        .iter()
        .find(|(ending, _)| number && label.len() > ending.len() && label.ends_with(ending));
    let name = unit.map_or(label, |(ending, _)| label.strip_suffix(ending).unwrap_or(label));
    (name, unit.map_or_else(|| value.to_owned(), |(_, unit)| format!("{value} {unit}")))
}

/// A row's filled fields with what their columns are.
struct Row<'a>(Vec<Field<'a>>);

struct Field<'a> {
    kind: Option<Kind>,
    rank: usize,
    meaning: Option<columns::Meaning>,
    value: &'a str,
}

impl<'a> Row<'a> {
    fn new(fields: &[(&str, &'a str)]) -> Self {
        let field = |label: &str, value: &'a str| {
            let label = column_name(label);
            let meaning = columns::meaning(option(&label));
            let rank = meaning.as_ref().map_or(usize::MAX, |meaning| meaning.rank);
            Field { kind: kind(&label), rank, meaning, value: value.trim() }
        };
        let fields = fields.iter().map(|(label, value)| field(label, value));
        Self(fields.filter(|field| !field.value.is_empty()).collect())
    }

    /// The value of the best column of a kind.
    fn first(&self, kind: Kind) -> Option<&'a str> {
        let of_kind = self.0.iter().filter(|field| field.kind == Some(kind));
        of_kind.min_by_key(|field| field.rank).map(|field| field.value)
    }

    fn text(&self, kind: Kind) -> Option<String> {
        let text = self.first(kind)?.split_whitespace().collect::<Vec<_>>().join(" ");
        Some(text[..text.floor_char_boundary(300)].to_owned()).filter(|text| !text.is_empty())
    }

    /// Columns that tell variants apart. Shopify calls the only variant of a product "Default
    /// Title".
    fn options(&self) -> Option<String> {
        let tells = |field: &&Field<'a>| {
            matches!(field.kind, Some(Kind::Option | Kind::OptionValue(_)))
                && field.value != "Default Title"
        };
        let all: Vec<&str> = self.0.iter().filter(tells).map(|field| field.value).collect();
        (!all.is_empty()).then(|| all.join(", "))
    }

    fn tax(&self) -> Option<Tax> {
        self.0
            .iter()
            .find(|field| field.kind == Some(Kind::Price))
            .and_then(|field| field.meaning.as_ref()?.tax)
    }

    /// Price, the price before, the price's currency, and what it is for.
    fn price(
        &self,
        warnings: &mut Vec<String>,
    ) -> (Option<String>, Option<String>, Option<String>, Option<String>) {
        // Prices for a while, where the record doesn't say for which, hold.
        let dated = [Kind::SaleFrom, Kind::SaleUntil, Kind::SalePeriod]
            .iter()
            .any(|kind| self.first(*kind).is_some());
        let mut read = |kind: Kind| {
            let mut fields: Vec<&Field<'a>> =
                self.0.iter().filter(|field| field.kind == Some(kind)).collect();
            // What everybody pays comes before what members do.
            let member = |field: &Field<'_>| field.meaning.as_ref().is_some_and(|m| m.member);
            fields.sort_by_key(|field| (member(field), field.rank));
            for field in fields {
                match money::money(field.value, None) {
                    // 0 says that there is no price.
                    Some(money) if money.amount.parse::<f64>().is_ok_and(|amount| amount > 0.0) => {
                        let currency =
                            money.currency.or_else(|| field.meaning.as_ref()?.currency.clone());
                        return Some((money.amount, currency, money.per));
                    }
                    Some(_) => {}
                    None if kind == Kind::Price => {
                        let value = field.value;
                        warnings.push(format!(
                            "its price {value:?} is not understood; write it as 349.90"
                        ));
                    }
                    None => {}
                }
            }
            None
        };
        let (regular, sale, before) =
            (read(Kind::Price), read(Kind::Sale).filter(|_| !dated), read(Kind::Before));
        let figure = |amount: &str| amount.parse::<f64>().unwrap_or(0.0);
        let (price, before) = match (regular, sale) {
            (Some(regular), Some(sale)) if figure(&sale.0) < figure(&regular.0) => {
                (Some(sale), Some(regular))
            }
            (None, sale @ Some(_)) => (sale, before),
            (regular, _) => (regular, before),
        };
        let Some((amount, currency, per)) = price else { return (None, None, None, None) };
        let before =
            before.map(|(before, ..)| before).filter(|before| figure(before) > figure(&amount));
        (Some(amount), before, currency, per)
    }
}

/// The ISO 4217 code of a code or sign.
pub(crate) fn currency(text: &str) -> Option<String> {
    let text = text.trim();
    let code = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    money::code(text).or_else(|| code.then(|| text.to_uppercase()))
}

pub(crate) fn stock(text: &str) -> Option<u64> {
    let whole = text.split(['.', ',']).next().unwrap_or(text);
    whole.parse().ok().or_else(|| text.starts_with('-').then_some(0))
}

fn is_available(text: &str) -> Option<bool> {
    let says = |word| columns::says(word, text);
    if says(Word::Later) || says(Word::Preorder) || says(Word::No) {
        return Some(false);
    }
    if says(Word::Yes) { Some(true) } else { stock(text).map(|pieces| pieces > 0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_read_as_people_write_them() {
        let check = |text: &str, expected: Option<(&str, Option<&str>)>| {
            let actual = money::money(text, None);
            let actual =
                actual.as_ref().map(|money| (money.amount.as_str(), money.currency.as_deref()));
            assert_eq!(actual, expected, "{text}");
        };
        check("349.90", Some(("349.90", None)));
        check("99,90", Some(("99.90", None)));
        check("1.299,00 €", Some(("1299.00", Some("EUR"))));
        check("$1,299.00", Some(("1299.00", Some("USD"))));
        check("EUR 12", Some(("12", Some("EUR"))));
        check("12 EUR / piece", Some(("12", Some("EUR"))));
        check("1,299", Some(("1299", None)));
        check("1.234.567", Some(("1234567", None)));
        check("0.125", Some(("0.125", None)));
        check("1 299,5 zł", Some(("1299.5", Some("PLN"))));
        check("50.88", Some(("50.88", None)));
        for wrong in ["", "on request", "-5", "12 to 15"] {
            check(wrong, None);
        }
    }

    #[test]
    fn a_row_reads_like_a_sentence_and_keeps_its_figures() {
        #[track_caller]
        fn check(row: &str, language: &str, expected: Option<&str>) {
            let fields = parts(row).unwrap_or_default();
            let fields: Vec<(&str, &str)> =
                fields.iter().map(|(label, value)| (label.as_str(), *value)).collect();
            let product = Product::read(&fields, &mut Vec::new());
            let sentence =
                product.and_then(|product| product.sentence(row, language, Wording::built_in()));
            assert_eq!(sentence.as_deref(), expected, "{row}");
            let facts = crate::grounding::facts;
            for fact in sentence.iter().flat_map(|sentence| facts(sentence)) {
                assert!(facts(row).contains(&fact), "{fact} is not in {row}");
            }
        }
        check(
            "sku: M-S; name: Mug Set; size: S; price_eur: 9.00.",
            "en",
            Some("Mug Set (S) costs 9.00 EUR. Item no. M-S."),
        );
        let tent = "sku: HP-1013; name: Tarn 3 tent; category: Tents; variant: Moss; price_eur: 429.00; stock: 9; weight_g: 2400.";
        check(
            tent,
            "en",
            Some(
                "Tarn 3 tent (Moss) costs 429.00 EUR, 9 in stock. Weight 2400 g. Item no. HP-1013.",
            ),
        );
        check(
            tent,
            "zh",
            Some("Tarn 3 tent（Moss）售价 429.00 EUR，库存 9 件。重量 2400 g。货号：HP-1013。"),
        );
        check(
            "sku: B; name: Bag; price_eur: 309.00; stock: 0.",
            "en",
            Some("Bag costs 309.00 EUR, out of stock. Item no. B."),
        );
        check(
            "Name: Coat; Price: 99,90 €; Care: cold; by hand.",
            "en",
            Some("Coat costs 99,90 €. Care cold; by hand."),
        );
        check("name: Mug; stock: 3.", "en", Some("Mug is in stock (3)."));
        check("name: Mug; stock: 3.", "zh", Some("Mug库存 3 件。"));
        check(
            "available: false; item_id: b; name: Tee; options color: red; price: 9.5.",
            "en",
            Some("Tee (red) costs 9.5, out of stock. Item no. b."),
        );
        check("Returns are free.", "en", None);
        check("", "en", None);
    }

    #[test]
    fn rows_of_many_shops_are_products() {
        let check = |fields: &[(&str, &str)], expected: Option<Product>| {
            assert_eq!(Product::read(fields, &mut Vec::new()), expected, "{fields:?}");
        };
        let text = |text: &str| Some(text.to_owned());
        check(
            &[
                ("SKU", "T2"),
                ("Name", "Tarn 2"),
                ("Colour", "red"),
                ("Price (EUR)", "349,90"),
                ("Stock", "3"),
            ],
            Some(Product {
                id: "T2".into(),
                name: "Tarn 2".into(),
                variant: text("red"),
                price: text("349.90"),
                currency: text("EUR"),
                stock: Some(3),
                available: Some(true),
                ..Product::default()
            }),
        );
        check(
            &[
                ("id", "7"),
                ("title", "Hat"),
                ("link", "https://shop.example/hat"),
                ("image_link", "https://shop.example/hat.jpg"),
                ("availability", "out_of_stock"),
                ("price", "15.00 USD"),
                ("product_type", "Hats"),
            ],
            Some(Product {
                id: "7".into(),
                name: "Hat".into(),
                price: text("15.00"),
                currency: text("USD"),
                available: Some(false),
                category: text("Hats"),
                url: text("https://shop.example/hat"),
                image: text("https://shop.example/hat.jpg"),
                ..Product::default()
            }),
        );
        check(
            &[
                ("Handle", "tee"),
                ("Title", "Tee"),
                ("Option1 Value", "Default Title"),
                ("Variant SKU", "TEE-1"),
                ("Variant Inventory Qty", "0"),
                ("Variant Price", "9.5"),
            ],
            Some(Product {
                id: "TEE-1".into(),
                name: "Tee".into(),
                price: text("9.5"),
                stock: Some(0),
                available: Some(false),
                ..Product::default()
            }),
        );
        check(&[("Country", "Spain"), ("Price", "9.90")], None);
        check(&[("id", "a"), ("name", "Text"), ("text", "No price.")], None);
        let mut warnings = Vec::new();
        assert_eq!(Product::read(&[("sku", "a"), ("price", "on request")], &mut warnings), None);
        assert_eq!(warnings.len(), 1);
    }
}
