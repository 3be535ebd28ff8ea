//! The words of answers that are composed from figures and rows, by language: built in from
//! `prompts/wording/`, and replaced word by word by a site's own files. Pure.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};

/// The words that are built in, by ISO 639-1 code.
const BUILT_IN: &[(&str, &str)] = &[
    ("en", include_str!("../prompts/wording/en.toml")),
    ("de", include_str!("../prompts/wording/de.toml")),
    ("fr", include_str!("../prompts/wording/fr.toml")),
    ("es", include_str!("../prompts/wording/es.toml")),
    ("it", include_str!("../prompts/wording/it.toml")),
    ("nl", include_str!("../prompts/wording/nl.toml")),
    ("pt", include_str!("../prompts/wording/pt.toml")),
    ("pl", include_str!("../prompts/wording/pl.toml")),
    ("sv", include_str!("../prompts/wording/sv.toml")),
    ("zh", include_str!("../prompts/wording/zh.toml")),
    ("ja", include_str!("../prompts/wording/ja.toml")),
];

/// The language that has all words, and stands in for one that lacks a table of them.
const COMPLETE: &str = "en";

/// The words of every language. The default has none at all.
#[derive(Clone, Debug, Default)]
pub struct Wording {
    languages: BTreeMap<String, Words>,
    /// The words of [`COMPLETE`].
    figures: Figures,
    catalogue: RowsWording,
    pages: PagesWording,
}

/// The words of one language. `prompts/wording/en.toml` tells what each is for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    figures: Option<Figures>,
    product: Option<ProductWording>,
    catalogue: Option<RowsWording>,
    pages: Option<PagesWording>,
}

/// What published pages say around a site's own words; a name in braces stands for what is put in.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PagesWording {
    pub name: String,
    pub skip: String,
    pub home: String,
    pub help: String,
    pub products: String,
    pub you_are_here: String,
    pub languages: String,
    pub questions: String,
    pub intro: String,
    pub variant: String,
    pub number: String,
    pub price: String,
    pub stock: String,
    pub in_stock: String,
    pub pieces: String,
    pub out_of_stock: String,
    pub backorder: String,
    pub before: String,
    pub from: String,
    pub per: String,
    pub net: String,
    pub gross: String,
    pub category: String,
    pub in_shop: String,
    pub contact: String,
    pub about_product: String,
    pub until: String,
}

/// How figures, periods and conclusions from them are said.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    pub yes: String,
    pub no: String,
    /// Behind a yes or no that nothing follows.
    pub stop: String,
    /// Between a yes or no and what follows.
    pub then: String,
    pub at_least: String,
    pub at_most: String,
    /// What costs nothing from a value on.
    pub free_from: String,
    pub comma: String,
    /// Between groups of three digits.
    pub thousands: String,
    /// Before decimals.
    pub decimal: String,
    /// Behind an age; empty: an age is its number alone.
    pub years_old: String,
    /// Before what several things cost together.
    pub sum: String,
    /// Before the cheapest of a kind.
    pub lowest: String,
    /// Before the dearest of a kind.
    pub highest: String,
    /// Units of time by their English name: for one, for two to four, for more.
    pub times: HashMap<String, [String; 3]>,
    /// Units that the language writes in another way.
    #[serde(default)]
    pub units: HashMap<String, String>,
    pub hours: Hours,
    /// English where a language has none.
    pub conclusions: Option<Conclusions>,
}

/// How opening hours are said.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// From Monday to Sunday.
    pub days: [String; 7],
    /// Between the first and the last of several days.
    pub to: String,
    /// Between days.
    pub comma: String,
    /// Between days with their hours.
    pub semicolon: String,
    pub closed: String,
    pub daily: String,
}

/// Sentences with names in braces where the parts go.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conclusions {
    pub free: String,
    pub fee: String,
    pub within: String,
    pub over: String,
    pub reaches: String,
    pub below: String,
    /// As `below`, with what is missing.
    pub short: String,
    /// A time of day before another, and after it.
    pub earlier: String,
    pub later: String,
    pub share: String,
    pub share_at_most: String,
    pub rate: String,
}

/// What is said around a row's price and stock; `{}` is where the parts go.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProductWording {
    /// Name and price, without the full stop.
    pub costs: String,
    /// The price, and the one before it.
    pub before: String,
    pub pieces: String,
    pub there: String,
    pub out: String,
    /// On backorder.
    pub later: String,
    /// Name and number of pieces where there is no price; empty: as `only_stock`.
    pub only_pieces: String,
    /// Name and stock where there is no price.
    pub only_stock: String,
    /// Before an article number; empty: it isn't told.
    pub number: String,
    /// A price without tax, and with it.
    pub tax: [String; 2],
    pub open: String,
    pub close: String,
    pub comma: String,
    pub stop: String,
    /// Between sentences.
    pub gap: String,
    /// Other names of columns than their own; `None`: columns are told as they are labelled.
    pub columns: Option<HashMap<String, String>>,
}

impl Default for ProductWording {
    /// For languages without words of their own: the row's labels say the rest.
    fn default() -> Self {
        let [costs, before, only_stock] = ["{}: {}", "{} ({})", "{}: {}"].map(str::to_owned);
        let [open, close, comma, stop, gap] = [" (", ")", ", ", ".", " "].map(str::to_owned);
        let [pieces, there, out, later, only_pieces, number] = [const { String::new() }; 6];
        let tax = [const { String::new() }; 2];
        Self {
            costs,
            before,
            pieces,
            there,
            out,
            later,
            only_pieces,
            only_stock,
            number,
            tax,
            open,
            close,
            comma,
            stop,
            gap,
            columns: None,
        }
    }
}

/// What is said between the parts of an answer from several rows.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowsWording {
    /// Numbers from one on, in words.
    counted: Vec<String>,
    said: HashMap<Say, String>,
}

/// The phrases of [`RowsWording`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Say {
    Costs,
    Weighs,
    Comes,
    /// As these, of several.
    Cost,
    Weigh,
    Come,
    ItemNo,
    InStock,
    Pieces,
    OutOfStock,
    AllInStock,
    Yes,
    No,
    /// As these, of what there is.
    There,
    NotThere,
    None,
    OnStock,
    Have,
    Sell,
    More,
    MoreThan,
    /// What of a question couldn't be compared.
    Unused,
    Cheapest,
    Dearest,
    Lightest,
    Heaviest,
    Most,
    Least,
    Cheaper,
    Dearer,
    Lighter,
    Heavier,
    /// Between the figures of two products.
    Difference,
    Or,
    And,
    To,
    Product,
    Price,
    Weight,
    Stop,
    Open,
    Close,
    Comma,
    /// Between names.
    List,
    /// Between values of which a row has one each.
    Either,
    Colon,
    /// Between sentences.
    Gap,
}

impl RowsWording {
    /// The phrase, with `{}` where the parts go.
    #[must_use]
    pub fn say(&self, key: Say) -> &str {
        self.said.get(&key).map_or("", String::as_str)
    }

    /// A number of things left out, in a word: it is counted, so no row holds it. `None` where the
    /// language has no word for so many.
    #[must_use]
    pub fn counted(&self, count: usize) -> Option<&str> {
        self.counted.get(count.checked_sub(1)?).map(String::as_str)
    }
}

impl Wording {
    /// The built-in words.
    #[must_use]
    pub fn built_in() -> &'static Self {
        // They are compiled in, and a test reads every one.
        static BUILT_IN: LazyLock<Wording> =
            LazyLock::new(|| Wording::with([]).unwrap_or_default());
        &BUILT_IN
    }

    /// The built-in words with those that files replace or add: pairs of a language, ISO 639-1, and
    /// the file's text.
    ///
    /// # Errors
    /// When a file is no TOML, has a word that isn't known or lacks a part, or lacks words of a
    /// table that it adds to its language; the text names the language and the word.
    pub fn with(files: impl IntoIterator<Item = (String, String)>) -> anyhow::Result<Self> {
        let mut tables: BTreeMap<String, toml::Table> = BTreeMap::new();
        let built_in = BUILT_IN.iter().map(|(language, file)| (language.to_string(), *file));
        for (language, file) in built_in {
            tables.insert(language, file.parse()?);
        }
        let complete = tables.get(COMPLETE).cloned().unwrap_or_default();
        for (language, file) in files {
            let own = || format!("wording/{language}.toml");
            let table: toml::Table = file.parse().with_context(own)?;
            parts_of(&table, &complete, "").with_context(own)?;
            merge(tables.entry(language).or_default(), table);
        }
        let mut all = Self::default();
        for (language, table) in tables {
            let own = || format!("wording/{language}.toml");
            let words: Words = table.try_into().with_context(own)?;
            all.languages.insert(language, words);
        }
        if let Some(Words { figures, catalogue, pages, .. }) = all.languages.get(COMPLETE) {
            all.figures = figures.clone().unwrap_or_default();
            all.catalogue = catalogue.clone().unwrap_or_default();
            all.pages = pages.clone().unwrap_or_default();
        }
        for (language, words) in &all.languages {
            let Some(catalogue) = &words.catalogue else { continue };
            let lacks = |key: &&Say| !catalogue.said.contains_key(*key);
            if let Some(key) = all.catalogue.said.keys().find(lacks) {
                bail!("wording/{language}.toml: [catalogue.said] lacks {key:?}");
            }
        }
        Ok(all)
    }

    /// How a language says figures; English where it has no words for them.
    #[must_use]
    pub fn figures(&self, language: &str) -> &Figures {
        self.own_figures(language).unwrap_or(&self.figures)
    }

    /// How a language says figures, if it has words for them.
    #[must_use]
    pub fn own_figures(&self, language: &str) -> Option<&Figures> {
        self.languages.get(language)?.figures.as_ref()
    }

    /// How a language says conclusions; English where it has no words for them.
    #[must_use]
    pub fn conclusions(&self, language: &str) -> &Conclusions {
        static NONE: LazyLock<Conclusions> = LazyLock::new(Conclusions::default);
        let own = self.own_figures(language).and_then(|figures| figures.conclusions.as_ref());
        own.or(self.figures.conclusions.as_ref()).unwrap_or(&NONE)
    }

    /// How a language tells a row, if it has words for that.
    #[must_use]
    pub fn product(&self, language: &str) -> Option<&ProductWording> {
        self.languages.get(language)?.product.as_ref()
    }

    /// How a language answers from several rows; English where it has no words for that.
    #[must_use]
    pub fn catalogue(&self, language: &str) -> &RowsWording {
        let own = self.languages.get(language).and_then(|words| words.catalogue.as_ref());
        own.unwrap_or(&self.catalogue)
    }

    /// What pages say in a language; English where it has no words for that.
    #[must_use]
    pub fn pages(&self, language: &str) -> &PagesWording {
        self.own_pages(language).unwrap_or(&self.pages)
    }

    /// What pages say in a language, if it has words for that.
    #[must_use]
    pub fn own_pages(&self, language: &str) -> Option<&PagesWording> {
        self.languages.get(language)?.pages.as_ref()
    }

    /// What a language calls a column, by its name in normal form, if otherwise than its own name.
    #[must_use]
    pub fn column(&self, name: &str, language: &str) -> Option<&str> {
        self.product(language)?.columns.as_ref()?.get(name).map(String::as_str)
    }
}

/// Takes up a table, in place of what has the same names.
fn merge(into: &mut toml::Table, table: toml::Table) {
    for (name, value) in table {
        match (into.get_mut(&name), value) {
            (Some(toml::Value::Table(own)), toml::Value::Table(table)) => merge(own, table),
            (_, value) => {
                into.insert(name, value);
            }
        }
    }
}

/// Whether every text has the parts of the English one, however often and in whichever order.
///
/// # Errors
/// When one hasn't.
fn parts_of(table: &toml::Table, complete: &toml::Table, above: &str) -> anyhow::Result<()> {
    for (name, value) in table {
        let path = format!("{above}{name}");
        match (value, complete.get(name)) {
            (toml::Value::Table(table), Some(toml::Value::Table(complete))) => {
                parts_of(table, complete, &format!("{path}."))?;
            }
            (toml::Value::String(text), Some(toml::Value::String(english))) => {
                let (own, needed) = (parts(text), parts(english));
                let optional = text.is_empty() || english.is_empty();
                ensure!(optional || own == needed, "{path} = {text:?} needs the parts {needed:?}");
            }
            _ => {}
        }
    }
    Ok(())
}

/// `{}` as often as it stands in a text, and each name in braces.
fn parts(text: &str) -> Vec<&str> {
    let behind = text.split('{').skip(1);
    let mut parts: Vec<&str> = behind.filter_map(|piece| Some(piece.split_once('}')?.0)).collect();
    parts.sort_unstable();
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(language: &str, file: &str) -> anyhow::Result<Wording> {
        Wording::with([(language.to_owned(), file.to_owned())])
    }

    #[test]
    fn every_language_has_every_word() {
        let all = Wording::with([]).unwrap();
        let complete: toml::Table = BUILT_IN[0].1.parse().unwrap();
        for (language, file) in BUILT_IN {
            let table: toml::Table = file.parse().unwrap();
            parts_of(&table, &complete, "").unwrap_or_else(|error| panic!("{language}: {error}"));
        }
        // What the languages lack is named here, so that a new one is added on purpose.
        let mut lacking = Vec::new();
        for (language, words) in &all.languages {
            let figures = words.figures.as_ref().unwrap();
            assert_eq!(figures.times.len(), all.figures.times.len(), "{language}");
            for (name, lacks) in [
                ("conclusions", figures.conclusions.is_none()),
                ("product", words.product.is_none()),
                ("catalogue", words.catalogue.is_none()),
                ("pages", words.pages.is_none()),
            ] {
                lacking.extend(lacks.then(|| format!("{language} lacks {name}")));
            }
            if let Some(catalogue) = &words.catalogue {
                assert!(catalogue.counted.len() >= 12, "{language}");
            }
        }
        insta::assert_snapshot!(lacking.join("\n"), @r"
        it lacks conclusions
        it lacks catalogue
        ja lacks conclusions
        ja lacks catalogue
        nl lacks conclusions
        nl lacks catalogue
        pl lacks conclusions
        pl lacks catalogue
        pt lacks conclusions
        pt lacks catalogue
        sv lacks conclusions
        sv lacks product
        sv lacks catalogue
        ");
    }

    #[test]
    fn english_says_everything() {
        for key in [
            Say::Costs,
            Say::Weighs,
            Say::Comes,
            Say::Cost,
            Say::Weigh,
            Say::Come,
            Say::ItemNo,
            Say::InStock,
            Say::Pieces,
            Say::OutOfStock,
            Say::AllInStock,
            Say::Yes,
            Say::No,
            Say::There,
            Say::NotThere,
            Say::None,
            Say::OnStock,
            Say::Have,
            Say::Sell,
            Say::More,
            Say::MoreThan,
            Say::Unused,
            Say::Cheapest,
            Say::Dearest,
            Say::Lightest,
            Say::Heaviest,
            Say::Most,
            Say::Least,
            Say::Cheaper,
            Say::Dearer,
            Say::Lighter,
            Say::Heavier,
            Say::Difference,
            Say::Or,
            Say::And,
            Say::To,
            Say::Product,
            Say::Price,
            Say::Weight,
            Say::Stop,
            Say::Open,
            Say::Close,
            Say::Comma,
            Say::List,
            Say::Either,
            Say::Colon,
            Say::Gap,
        ] {
            assert!(!Wording::built_in().catalogue(COMPLETE).say(key).is_empty(), "{key:?}");
        }
    }

    #[test]
    fn a_site_changes_words_and_adds_languages() {
        let wording = with("de", "[figures]\nno = \"Nö\"\n[product]\nout = \"weg\"").unwrap();
        let figures = wording.figures("de");
        assert_eq!((figures.yes.as_str(), figures.no.as_str()), ("Ja", "Nö"));
        assert_eq!(wording.product("de").unwrap().out, "weg");
        assert_eq!(wording.figures("da").no, "No");
        let danish = with("da", "[product]\ncosts = \"{} koster {}\"").unwrap();
        assert_eq!(danish.product("da").unwrap().costs, "{} koster {}");
        assert_eq!(danish.figures("da").no, "No");
    }

    #[test]
    fn wrong_words_are_refused() {
        for (language, file, expected) in [
            ("de", "[figures]\nnope = \"x\"", "unknown field `nope`"),
            ("de", "[figures]\nat_least = \"wenig\"", "at_least"),
            ("de", "[figures.conclusions]\nrate = \"{result}\"", "amount"),
            ("it", "[catalogue]\ncounted = []\n[catalogue.said]\n", "lacks"),
            ("de", "[pages]\npieces = \"da\"", "count"),
            ("da", "[figures]\nyes = \"Ja\"", "missing field"),
            ("da", "[figures", "wording/da.toml"),
        ] {
            let error = format!("{:#}", with(language, file).unwrap_err());
            assert!(error.contains(expected), "{file}: {error}");
        }
    }
}
