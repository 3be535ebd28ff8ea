//! What the columns of tables and the fields of records mean, by their names in many languages.
//!
//! The words stand in `columns/*.txt`, one file per language; `en.txt` says how they are written. A
//! name is looked up whole, then in the parts that a bilingual one has, then by the words in it: a
//! label with a word for a price in it is a price, and one with a word for buying or suppliers is
//! never told to visitors, whatever else it says.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use super::money;

/// What a column is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    // What is sold.
    Name,
    /// The shop's own number of it.
    Number,
    /// What its variants share.
    Handle,
    /// The row that it is a variant of.
    Parent,
    Variant,
    /// What an option is called, and which one it is; by the option's place.
    OptionName(u8),
    OptionValue(u8),
    /// A column that is an option itself: a colour, a size.
    Option,
    Category,
    Brand,
    Description,
    Url,
    Image,
    // What it costs, and whether it can be had.
    Price,
    /// A price where no other is, else what the shop pays.
    Cost,
    /// A price for a while.
    Sale,
    /// What it cost before.
    Before,
    Currency,
    /// What the price is for: a kilo, a piece.
    Unit,
    Stock,
    Availability,
    // What decides how the rest is read, and is not told itself.
    Status,
    Published,
    Visibility,
    /// Whether it is no longer, or not yet, for sale: yes means no.
    Withdrawn,
    /// Whether the sale price is the price.
    OnSale,
    /// Whether stock is counted.
    Tracker,
    /// Whether it is sold beyond the stock.
    Policy,
    SaleFrom,
    SaleUntil,
    SalePeriod,
    ValidFrom,
    ValidUntil,
    /// What a variant costs more or less than its product.
    Impact,
    /// A reduction that the price doesn't hold yet.
    Discount,
    /// Simple, variable, variation.
    RowType,
    Shipping,
    /// Options and properties in one cell: `color=blue,size=M`.
    Attributes,
    Language,
    Audience,
    // Questions and answers.
    Question,
    Answer,
    /// Told under its own name.
    Property,
    /// Of the shop's own books; never told.
    Hidden,
    /// Of the shop's software; says nothing to a reader.
    Technical,
}

/// Who learns what a column says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Telling {
    Told,
    /// It decides how the row is read.
    Used,
    Never,
    /// It says nothing to a reader, or isn't understood.
    LeftOut,
}

impl Kind {
    /// Who learns what such a column says.
    #[must_use]
    pub fn telling(self) -> Telling {
        match self {
            Self::Hidden | Self::Cost => Telling::Never,
            Self::Technical => Telling::LeftOut,
            Self::Handle
            | Self::Parent
            | Self::Status
            | Self::Published
            | Self::Visibility
            | Self::Withdrawn
            | Self::OnSale
            | Self::Tracker
            | Self::Policy
            | Self::SaleFrom
            | Self::SaleUntil
            | Self::SalePeriod
            | Self::ValidFrom
            | Self::ValidUntil
            | Self::Impact
            | Self::RowType
            | Self::Shipping
            | Self::Currency
            | Self::Image
            | Self::Language
            | Self::Audience
            | Self::OptionName(_) => Telling::Used,
            _ => Telling::Told,
        }
    }

    fn of(word: &str, number: u8) -> Option<Self> {
        Some(match word {
            "name" => Self::Name,
            "number" => Self::Number,
            "handle" => Self::Handle,
            "parent" => Self::Parent,
            "variant" => Self::Variant,
            "optname" => Self::OptionName(number),
            "optvalue" => Self::OptionValue(number),
            "option" => Self::Option,
            "category" => Self::Category,
            "brand" => Self::Brand,
            "description" => Self::Description,
            "url" => Self::Url,
            "image" => Self::Image,
            "price" => Self::Price,
            "cost" => Self::Cost,
            "sale" => Self::Sale,
            "before" => Self::Before,
            "currency" => Self::Currency,
            "unit" => Self::Unit,
            "stock" => Self::Stock,
            "availability" => Self::Availability,
            "status" => Self::Status,
            "published" => Self::Published,
            "visibility" => Self::Visibility,
            "withdrawn" => Self::Withdrawn,
            "onsale" => Self::OnSale,
            "tracker" => Self::Tracker,
            "policy" => Self::Policy,
            "salefrom" => Self::SaleFrom,
            "saleuntil" => Self::SaleUntil,
            "saleperiod" => Self::SalePeriod,
            "validfrom" => Self::ValidFrom,
            "validuntil" => Self::ValidUntil,
            "impact" => Self::Impact,
            "discount" => Self::Discount,
            "rowtype" => Self::RowType,
            "shipping" => Self::Shipping,
            "attributes" => Self::Attributes,
            "language" => Self::Language,
            "audience" => Self::Audience,
            "question" => Self::Question,
            "answer" => Self::Answer,
            "property" => Self::Property,
            "hidden" => Self::Hidden,
            "technical" => Self::Technical,
            _ => return None,
        })
    }

    /// The kind that a person names in a file beside the document, by the word that the word lists
    /// use.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        let word = word.trim().to_lowercase();
        match word.as_str() {
            "told" => Some(Self::Property),
            "ignore" | "ignored" => Some(Self::Technical),
            _ => Self::of(&word.replace(['_', '-', ' '], ""), 1),
        }
    }
}

/// Whether a price holds the tax.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tax {
    Net,
    Gross,
}

/// What a label says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meaning {
    pub kind: Kind,
    /// Of several columns of a kind the one with the lowest rank is the one that is meant.
    pub rank: usize,
    pub tax: Option<Tax>,
    /// ISO 4217, as the label says it.
    pub currency: Option<String>,
    /// What of a price's label tells it from other prices: `seedling` of "Price seedling".
    pub rest: String,
    /// It is a price by the list's or the maker's recommendation.
    pub retail: bool,
    /// It is what members pay.
    pub member: bool,
}

/// What a value of a status, stock or policy column says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Word {
    Sold,
    Unsold,
    Yes,
    No,
    /// On backorder.
    Later,
    Preorder,
    Continue,
    Deny,
    Unit,
    /// A sum of what stands above it.
    Total,
    /// A price that holds today, beside an earlier one.
    Now,
}

#[derive(Default)]
struct Lexicon {
    whole: HashMap<String, (Kind, usize)>,
    /// A platform's own names as it writes them: in other words they mean something else.
    raw: HashMap<String, Kind>,
    ends: Vec<(String, Kind, usize)>,
    begins: Vec<(String, Kind, usize)>,
    parts: HashMap<String, Vec<String>>,
    part_ends: HashMap<String, Vec<String>>,
    values: HashMap<(Word, String), ()>,
    /// What columns without a name are called, by language and kind.
    says: HashMap<(String, String), String>,
}

const FILES: [(&str, &str); 11] = [
    ("en", include_str!("columns/en.txt")),
    ("de", include_str!("columns/de.txt")),
    ("fr", include_str!("columns/fr.txt")),
    ("es", include_str!("columns/es.txt")),
    ("it", include_str!("columns/it.txt")),
    ("nl", include_str!("columns/nl.txt")),
    ("pt", include_str!("columns/pt.txt")),
    ("pl", include_str!("columns/pl.txt")),
    ("zh", include_str!("columns/zh.txt")),
    ("ja", include_str!("columns/ja.txt")),
    ("other", include_str!("columns/other.txt")),
];

static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| {
    let mut lexicon = Lexicon::default();
    for (language, text) in FILES {
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((head, list)) = line.split_once(": ") else { continue };
            if let Some(kind) = head.strip_prefix("say ") {
                lexicon.says.insert((language.to_owned(), kind.to_owned()), list.trim().to_owned());
                continue;
            }
            for (entry, rank) in list.split(',').zip(0..) {
                lexicon.add(head, entry.trim(), rank);
            }
        }
    }
    lexicon
});

impl Lexicon {
    fn add(&mut self, head: &str, entry: &str, rank: usize) {
        if let Some(part) = head.strip_prefix("part ") {
            let (list, word) = match entry.strip_prefix('…') {
                Some(ending) => (&mut self.part_ends, ending),
                None => (&mut self.parts, entry),
            };
            list.entry(part.to_owned()).or_default().push(folded(word));
        } else if let Some(word) = head.strip_prefix("value ") {
            let word = match word {
                "sold" => Word::Sold,
                "unsold" => Word::Unsold,
                "yes" => Word::Yes,
                "no" => Word::No,
                "later" => Word::Later,
                "preorder" => Word::Preorder,
                "continue" => Word::Continue,
                "deny" => Word::Deny,
                "total" => Word::Total,
                "now" => Word::Now,
                _ => Word::Unit,
            };
            self.values.insert((word, value_form(entry)), ());
        } else if let Some(kind) = head.strip_prefix("raw ").and_then(|head| Kind::of(head, 0)) {
            self.raw.insert(entry.to_owned(), kind);
        } else if let Some(kind) = Kind::of(head, 0) {
            if let Some(ending) = entry.strip_prefix('…') {
                self.ends.push((folded(ending), kind, rank));
            } else if let Some(beginning) = entry.strip_suffix('…') {
                self.begins.push((folded(beginning), kind, rank));
            } else {
                self.whole.entry(folded(entry)).or_insert((kind, rank));
            }
        }
    }

    /// A whole label in folded form.
    fn whole(&self, label: &str) -> Option<(Kind, usize)> {
        let number = label.bytes().find(u8::is_ascii_digit).map_or(0, |digit| digit - b'0');
        let found =
            self.whole.get(label).or_else(|| self.whole.get(hashed(label).as_str())).copied();
        let found = found.or_else(|| {
            let begins =
                self.begins.iter().find(|(beginning, ..)| label.starts_with(beginning.as_str()));
            let ends = self.ends.iter().find(|(ending, ..)| label.ends_with(ending.as_str()));
            begins.or(ends).map(|(_, kind, rank)| (*kind, *rank))
        });
        found.map(|(kind, rank)| match kind {
            Kind::OptionName(_) => (Kind::OptionName(number), rank),
            Kind::OptionValue(_) => (Kind::OptionValue(number), rank),
            kind => (kind, rank),
        })
    }

    /// Whether a word is one of those that count wherever they stand.
    fn is_part(&self, part: &str, word: &str) -> bool {
        let whole = self.parts.get(part).is_some_and(|words| words.iter().any(|own| own == word));
        let unspaced = word.chars().any(is_unspaced);
        whole
            || self.part_ends.get(part).is_some_and(|ends| {
                ends.iter().any(|end| word.len() > end.len() && word.ends_with(end.as_str()))
            })
            || unspaced
                && self.parts.get(part).is_some_and(|words| {
                    words
                        .iter()
                        .any(|own| own.chars().all(is_unspaced) && word.contains(own.as_str()))
                })
    }

    fn has(&self, part: &str, words: &[&str]) -> bool {
        words.iter().any(|word| self.is_part(part, word))
            // "Price list", "ikke på lager": several words in a row.
            || self.parts.get(part).is_some_and(|parts| {
                parts.iter().filter(|own| own.contains(' ')).any(|own| words.join(" ").contains(own.as_str()))
            })
    }
}

/// Longer labels are sentences.
const MAX_LABEL: usize = 80;

/// What a column is by its name. `None` if no language knows it.
#[must_use]
pub fn meaning(label: &str) -> Option<Meaning> {
    let label = label.trim();
    if label.is_empty() || label.chars().count() > MAX_LABEL {
        return None;
    }
    let lexicon = &*LEXICON;
    let mut full = folded(label);
    if lexicon.whole(&full).is_none() {
        full = folded(&apart(label));
    }
    let plain = |kind, rank| {
        let tax = tax(&full);
        Some(Meaning {
            kind,
            rank,
            tax,
            currency: money::code_in(label),
            rest: String::new(),
            retail: false,
            member: false,
        })
    };
    if let Some(kind) = lexicon.raw.get(label) {
        return plain(*kind, 0);
    }
    if let Some((kind, rank)) = lexicon.whole(&full) {
        let mut meaning = plain(kind, rank)?;
        let words: Vec<&str> = full.split(' ').collect();
        meaning.retail = lexicon.has("retail", &words);
        meaning.member = lexicon.has("member", &words);
        return Some(meaning);
    }
    // A shop's own fields are called by their name and where the platform keeps them.
    if full.contains("product metafields") {
        return plain(Kind::Property, 50);
    }
    // Without what stands in brackets (a unit, a currency) or a currency.
    let bare = folded(&money::without_currency(&without_brackets(label)));
    let words: Vec<&str> = full.split(' ').filter(|word| !word.is_empty()).collect();
    // What is never told comes before what it is otherwise. "Adult" of a feed says for whom a thing
    // is, "Adult EUR" what adults pay.
    let known = lexicon.whole(&bare).filter(|(kind, _)| {
        !bare.is_empty() && (*kind != Kind::Technical || money::code_in(label).is_none())
    });
    if let Some((kind, rank)) = known {
        let mut meaning = plain(kind, rank + 1)?;
        meaning.retail = lexicon.has("retail", &words);
        meaning.member = lexicon.has("member", &words);
        return Some(meaning);
    }
    let parts = parts(label);
    for part in &parts {
        // "Zone 1 (DE)" names a country, whatever its letters are a word for.
        let code = part.trim().len() == 2 && part.trim().bytes().all(|b| b.is_ascii_uppercase());
        if let Some((kind, rank)) = lexicon.whole(&folded(part)).filter(|_| !code) {
            let mut meaning = plain(kind, rank + 2)?;
            // "Price / United States" is one market's price.
            if let (Kind::Price | Kind::Sale | Kind::Before, Some(market)) =
                (kind, market(lexicon, part, &parts))
            {
                meaning.rest = market;
                meaning.rank += 40;
            }
            return Some(meaning);
        }
    }
    by_words(lexicon, label, &words)
}

/// What stands beside a price in a label, where it is neither the price in another language nor
/// what the price is for.
fn market(lexicon: &Lexicon, price: &str, parts: &[String]) -> Option<String> {
    let [other] = &parts.iter().filter(|part| *part != price).collect::<Vec<_>>()[..] else {
        return None;
    };
    let folded = folded(other);
    let words: Vec<&str> = folded.split(' ').filter(|word| !word.is_empty()).collect();
    let counted = words.iter().any(|word| {
        says(Word::Unit, word)
            || lexicon.is_part("per", word)
            || lexicon.is_part("time", word)
            || is_tax_word(word)
    });
    let known =
        lexicon.whole(&folded).is_some() || lexicon.has("price", &words) || tax(&folded).is_some();
    let names = words.iter().any(|word| word.chars().count() > 2);
    (names && !counted && !known && money::code_in(other).is_none())
        .then(|| other.trim().to_owned())
}

/// `purchasePrices` in words.
fn apart(label: &str) -> String {
    let mut out = String::with_capacity(label.len() + 4);
    let mut before = ' ';
    for char in label.chars() {
        if before.is_lowercase() && char.is_uppercase() {
            out.push(' ');
        }
        out.push(char);
        before = char;
    }
    out
}

/// Whether a value of a column of this kind says that what it is about isn't for everybody, or not
/// for sale.
#[must_use]
pub fn is_unsold(kind: Kind, value: &str) -> bool {
    match kind {
        Kind::Status | Kind::Published | Kind::Visibility => {
            says(Word::Unsold, value) && !says(Word::Sold, value)
        }
        // Some shops write when.
        Kind::Withdrawn => says(Word::Yes, value) || value.starts_with("20") && value.len() >= 10,
        _ => false,
    }
}

/// A label that is only understood by words in it.
fn by_words(lexicon: &Lexicon, label: &str, words: &[&str]) -> Option<Meaning> {
    // "€", "£ / pack", "EUR/kg": nothing but money, and what it is for.
    let rest = money::without_currency(label);
    let unit = |word: &str| says(Word::Unit, word) || lexicon.is_part("per", &folded(word));
    if money::code_in(label).is_some()
        && rest.split_whitespace().all(|word| unit(word.trim_matches(['(', ')', '.'])))
    {
        let currency = money::code_in(label);
        return Some(Meaning {
            kind: Kind::Price,
            rank: 30,
            tax: None,
            currency,
            rest: String::new(),
            retail: false,
            member: lexicon.has("member", words),
        });
    }
    let meant = |kind: Kind, rest: String| {
        let (tax, currency) = (tax(&words.join(" ")), money::code_in(label));
        let (retail, member) = (lexicon.has("retail", words), lexicon.has("member", words));
        Some(Meaning { kind, rank: 20, tax, currency, rest, retail, member })
    };
    let price = lexicon.has("price", words);
    let has = |part: &str| lexicon.has(part, words);
    if has("hidden") && (price || words.len() <= 4) {
        return meant(Kind::Hidden, String::new());
    }
    if price && has("date") {
        let until = words
            .iter()
            .rev()
            .find(|word| lexicon.is_part("until", word) || lexicon.is_part("from", word));
        return match until {
            Some(word) if lexicon.is_part("from", word) => meant(Kind::SaleFrom, String::new()),
            Some(_) => meant(Kind::SaleUntil, String::new()),
            None => meant(Kind::Technical, String::new()),
        };
    }
    if !price || has("no") || words.len() > 8 {
        return None;
    }
    // What is left of the label beside the words that every price's has.
    const COMMON: [&str; 8] = ["price", "sale", "before", "retail", "net", "gross", "per", "from"];
    let told = without_brackets(&money::without_currency(label));
    let rest: Vec<&str> = told
        .split_whitespace()
        .filter(|word| {
            let word = folded(word);
            !word.is_empty()
                && !COMMON.iter().any(|part| lexicon.is_part(part, &word))
                && !is_tax_word(&word)
        })
        .collect();
    let rest = rest.join(" ");
    if has("before") {
        return meant(Kind::Before, rest);
    }
    if has("sale") {
        return meant(Kind::Sale, rest);
    }
    meant(Kind::Price, rest)
}

fn is_tax_word(word: &str) -> bool {
    const TAXES: [&str; 16] = [
        "vat", "tax", "iva", "tva", "mwst", "btw", "ust", "gst", "dph", "ndc", "moms", "mva",
        "afa", "ндс", "пдв", "kdv",
    ];
    TAXES.contains(&word)
}

/// Whether a label says that its price holds the tax, or not.
fn tax(folded: &str) -> Option<Tax> {
    let lexicon = &*LEXICON;
    let words: Vec<&str> = folded.split(' ').collect();
    let with_tax = words.iter().any(|word| is_tax_word(word));
    // "With" and "without" say something about taxes only.
    let says = |part: &str| {
        words.iter().any(|word| {
            const VAGUE: [&str; 12] = [
                "with", "without", "mit", "ohne", "con", "sin", "com", "sem", "cu", "fara", "bez",
                "ex",
            ];
            lexicon.is_part(part, word) && (with_tax || !VAGUE.contains(word))
        })
    };
    match (says("net"), says("gross")) {
        (true, _) => Some(Tax::Net),
        (false, true) => Some(Tax::Gross),
        _ => None,
    }
}

/// Whether a word stands before the least of several amounts: "from", "ab", "dès".
#[must_use]
pub fn is_from(word: &str) -> bool {
    LEXICON.is_part("from", &folded(word))
}

/// Whether a word of a label, in folded form, names a time: "day", "Wochen".
#[must_use]
pub fn is_time(word: &str) -> bool {
    LEXICON.is_part("time", word)
}

/// Whether a text speaks of bringing or fetching goods: there a price of 0 says that it is free.
#[must_use]
pub fn is_delivery(text: &str) -> bool {
    LEXICON.has("delivery", &folded(text).split(' ').collect::<Vec<_>>())
}

/// Whether a value is a word of this meaning.
#[must_use]
pub fn says(word: Word, value: &str) -> bool {
    if value.len() > 60 {
        return false;
    }
    LEXICON.values.contains_key(&(word, value_form(value)))
}

/// What a column without a name is called in a language, English where it has no word.
#[must_use]
pub fn named_in(kind: &str, language: &str) -> &'static str {
    let says = &LEXICON.says;
    let word = |language: &str| says.get(&(language.to_owned(), kind.to_owned()));
    word(language).or_else(|| word("en")).map_or("", String::as_str)
}

/// Whether a label's column may be read out by what it is called; unknown ones may.
#[must_use]
pub fn is_told(label: &str) -> bool {
    meaning(label).is_none_or(|meaning| meaning.kind.telling() == Telling::Told)
}

/// Lower case without accents, with single spaces for everything that is neither letter nor digit.
#[must_use]
pub fn folded(text: &str) -> String {
    let text = text.strip_prefix("g:").or_else(|| text.strip_prefix("c:")).unwrap_or(text);
    let mut folded = String::with_capacity(text.len());
    for char in text.nfkd().filter(|char| !matches!(u32::from(*char), 0x300..=0x36f)) {
        if char.is_alphanumeric() || matches!(u32::from(char), 0x3099 | 0x309a) || char == '#' {
            match char {
                'ß' => folded.push_str("ss"),
                'ł' | 'Ł' => folded.push('l'),
                'đ' | 'Đ' => folded.push('d'),
                'ø' | 'Ø' => folded.push('o'),
                'æ' | 'Æ' => folded.push_str("ae"),
                'ı' | 'İ' => folded.push('i'),
                'ς' => folded.push('σ'),
                char => folded.extend(char.to_lowercase()),
            }
        } else if char == '_' && folded.is_empty() {
            folded.push('_');
        } else if !folded.ends_with(' ') && !folded.is_empty() {
            folded.push(' ');
        }
    }
    folded.truncate(folded.trim_end().len());
    folded
}

fn value_form(value: &str) -> String {
    if value.trim() == "-1" { "-1".to_owned() } else { folded(value) }
}

/// With `#` for each number.
fn hashed(label: &str) -> String {
    let mut out = String::with_capacity(label.len());
    for char in label.chars() {
        if !char.is_ascii_digit() {
            out.push(char);
        } else if !out.ends_with('#') {
            out.push('#');
        }
    }
    out
}

fn without_brackets(label: &str) -> String {
    let mut out = String::with_capacity(label.len());
    let mut depth = 0_usize;
    for char in label.chars() {
        match char {
            '(' | '[' | '（' | '【' => depth += 1,
            ')' | ']' | '）' | '】' => depth = depth.saturating_sub(1),
            char if depth == 0 => out.push(char),
            _ => {}
        }
    }
    out
}

/// The parts of a label in two languages: at slashes and line ends, and where one script meets
/// another.
fn parts(label: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for piece in label.split(['/', '\n', '|', '(', ')', '（', '）', ':', '：']) {
        let mut part = String::new();
        let mut before = None;
        for char in piece.chars() {
            let script = char.is_alphabetic().then(|| is_unspaced(char));
            if let (Some(before), Some(script)) = (before, script)
                && before != script
            {
                parts.push(std::mem::take(&mut part));
            }
            before = script.or(before);
            part.push(char);
        }
        parts.push(part);
    }
    parts.retain(|part| part.chars().any(char::is_alphabetic) && part.trim() != label.trim());
    parts
}

/// Letters of scripts that are written without spaces.
fn is_unspaced(char: char) -> bool {
    matches!(u32::from(char), 0x3040..=0x30ff | 0x3400..=0x9fff | 0xf900..=0xfaff | 0xac00..=0xd7af)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_many_languages_are_understood() {
        #[track_caller]
        fn check(kind: Kind, labels: &[&str]) {
            for label in labels {
                assert_eq!(meaning(label).map(|meaning| meaning.kind), Some(kind), "{label}");
            }
        }
        check(
            Kind::Name,
            &[
                "Title",
                "Artikelbezeichnung",
                "DESIGNATION",
                "Désignation",
                "Nombre",
                "商品名稱",
                "品名",
            ],
        );
        check(
            Kind::Price,
            &[
                "Price (EUR)",
                "Prezzo",
                "Retail price",
                "Price tax excluded",
                "Preis in €",
                "PRIX PUBLIC TTC",
            ],
        );
        check(
            Kind::Price,
            &[
                "Cena brutto",
                "価格（税込）",
                "Цена, руб.",
                "Price €",
                "price_eur",
                "g:price",
                "Verkaufspreis inkl. MwSt.",
            ],
        );
        check(
            Kind::Sale,
            &["PRIX PROMO TTC", "sale_price", "Angebotspreis", "Precio rebajado", "促销价"],
        );
        check(
            Kind::Before,
            &["Variant Compare At Price", "Compare-at price", "Alter Preis", "Prix barré"],
        );
        check(
            Kind::Hidden,
            &[
                "Cost per item",
                "Wholesale price",
                "EK netto",
                "Prix d'achat HT",
                "Lieferant",
                "进货价",
                "仕入価格",
            ],
        );
        check(
            Kind::Hidden,
            &[
                "Supplier reference #",
                "Our purchase price",
                "Marge %",
                "Закупочная цена",
                "Dealer price USD",
            ],
        );
        check(
            Kind::OptionValue(2),
            &["Option2 Value", "Attribute 2 value(s)", "Wert(e) des Attributs 2"],
        );
        check(Kind::Question, &["問題Question", "Frage / Question", "Pregunta"]);
        check(
            Kind::Technical,
            &["Google Shopping / MPN", "Meta: _yoast_wpseo_title", "use_config_manage_stock"],
        );
        check(Kind::SaleFrom, &["Date sale price starts", "special_price_from_date"]);
        check(
            Kind::Published,
            &[
                "Published",
                "Veröffentlicht",
                "product_online",
                "sale_ok",
                "Product Visible?",
                "isLive",
            ],
        );
        check(Kind::Withdrawn, &["Archived", "is_archived", "Discontinued", "Auslaufartikel"]);
        check(Kind::Hidden, &["purchasePrices.net", "default_cost", "Default Unit Cost"]);
        // Odoo's own name of what the shop pays.
        check(Kind::Cost, &["standard_price"]);
        check(Kind::Price, &["Standard price", "Brutto-VK"]);
        check(
            Kind::Property,
            &["Material (product.metafields.custom.material)", "Prix au kilo", "Weight (kg)"],
        );
        for label in ["Price list of June", "Garantie der Marke X", "", "Zone 3"] {
            assert_eq!(meaning(label).map(|meaning| meaning.kind), None, "{label}");
        }
    }

    #[test]
    fn a_price_says_what_it_holds() {
        let check = |label: &str, tax: Option<Tax>, currency: Option<&str>, rest: &str| {
            let meaning = meaning(label).expect(label);
            assert_eq!(
                (meaning.tax, meaning.currency.as_deref(), meaning.rest.as_str()),
                (tax, currency, rest),
                "{label}"
            );
        };
        check("Price tax excluded", Some(Tax::Net), None, "");
        check("PRIX PROMO TTC", Some(Tax::Gross), None, "");
        check("Price seedling", None, None, "seedling");
        check("Price CHF", None, Some("CHF"), "");
        check("Price / United States", None, None, "United States");
        check("Price / kg", None, None, "");
        check("Price / Preis", None, None, "");
        check("Preis mit Montage (€)", None, Some("EUR"), "Montage");
    }
}
