//! A site's rows as they are asked about: what products, kinds of goods and columns are called,
//! found again in a question. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::words::{COLOURS, Measure, Property, SIZES, goods, split};
use crate::language::stem::singular;
use crate::retrieval::product::{Product, is_option, is_told, measured, option, parts};
use crate::retrieval::{Audience, Passage};
use crate::wording::Wording;

/// The rows of a site, ready to be asked about.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    pub(super) rows: Vec<Row>,
    pub(super) columns: Vec<Column>,
    /// Stems of names and categories, and of what tells variants apart.
    names: HashSet<String>,
    options: HashSet<String>,
    /// Whole names and kinds of goods: what names and categories end with, by words with spaces
    /// between.
    whole: HashSet<String>,
    /// The last words of these.
    heads: HashSet<String>,
    /// Words of both in unspaced script.
    unspaced: BTreeSet<String>,
}

/// One thing that can be bought.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) passage: Passage,
    pub(super) product: Product,
    /// What tells it from others of its name.
    pub(super) label: Option<String>,
    name: Vec<String>,
    category: Vec<String>,
    /// Words of its category that no name in that category holds: "the Tarn 2 tent" where the row
    /// says "Tarn 2".
    also: Vec<String>,
    options: Vec<String>,
    /// Values by column.
    cells: BTreeMap<usize, String>,
}

/// A column beyond those of every product.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// In normal form, without its unit.
    pub(super) name: String,
    /// It tells variants apart.
    pub(super) option: bool,
    /// What it is called, in stems.
    pub(super) words: Vec<Vec<String>>,
}

/// The rows that some words of a question mean.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Meant {
    pub(super) rows: Vec<usize>,
    /// A kind of goods, not a product.
    pub(super) kind: bool,
    /// The words are a whole name, of a product or a kind.
    pub(super) whole: bool,
}

/// What costs less than this share of the dearest thing that the same words mean belongs to it: the
/// footprint to the tent.
pub(super) const ACCESSORY: f64 = 1.0 / 3.0;
/// Names longer than this are no names.
const MAX_NAME: usize = 120;
/// A word is looked up as a misspelt one from here on.
const MIN_MISSPELT: usize = 5;

impl Shelf {
    /// Passages without a product are passed over.
    #[must_use]
    pub fn new(mut passages: Vec<Passage>) -> Self {
        passages.sort_by(|a, b| (&a.document, a.ordinal).cmp(&(&b.document, b.ordinal)));
        let mut shelf = Self::default();
        let mut columns: HashMap<String, usize> = HashMap::new();
        for passage in passages {
            let Some(product) = passage.product.as_deref().cloned() else { continue };
            if product.name.len() > MAX_NAME {
                continue;
            }
            let mut cells = BTreeMap::new();
            let mut options: Vec<String> =
                product.variant.as_deref().map(stems).unwrap_or_default();
            // A record's own options, known by name or not.
            let mut own: Vec<String> = Vec::new();
            for (label, value) in parts(&passage.text).unwrap_or_default() {
                let of_record = option(&label) != label;
                let of_variant = of_record || is_option(&label);
                if value.is_empty() || is_told(&label) && !of_variant {
                    continue;
                }
                // "Weight (g)" is "weight_g".
                let label = option(&label).replace(['(', ')', '[', ']'], "");
                let (name, value) = measured(&label, value);
                if of_variant {
                    options.extend(stems(&value));
                }
                if of_record {
                    own.push(value.clone());
                }
                let at = *columns.entry(name.to_owned()).or_insert_with(|| {
                    shelf.columns.push(Column::new(name, of_variant));
                    shelf.columns.len() - 1
                });
                cells.insert(at, value);
            }
            let (name, category) =
                (stems(&product.name), product.category.as_deref().map(stems).unwrap_or_default());
            shelf.names.extend(name.iter().chain(&category).cloned());
            shelf.options.extend(options.iter().cloned());
            let label = if own.is_empty() { product.variant.clone() } else { Some(own.join(", ")) };
            shelf.rows.push(Row {
                label,
                passage,
                product,
                name,
                category,
                also: Vec::new(),
                options,
                cells,
            });
        }
        let mut used: HashMap<Vec<String>, HashSet<String>> = HashMap::new();
        for row in &shelf.rows {
            used.entry(row.category.clone()).or_default().extend(row.name.iter().cloned());
        }
        for row in &mut shelf.rows {
            let used = used.get(&row.category);
            let free = |word: &&String| used.is_none_or(|used| !used.contains(*word));
            row.also = row.category.iter().filter(free).cloned().collect();
        }
        for words in shelf.rows.iter().flat_map(|row| [&row.name, &row.category]) {
            shelf.whole.extend((0..words.len()).map(|from| words[from..].join(" ")));
            shelf.heads.extend(words.last().cloned());
        }
        let wide = |word: &&String| word.chars().all(super::words::unspaced);
        shelf.unspaced = shelf.names.iter().chain(&shelf.options).filter(wide).cloned().collect();
        shelf
    }

    /// The rows that hold now for such readers, those in their language before the same in another.
    pub(super) fn visible(&self, audience: Audience, language: &str, now_ms: u64) -> Vec<usize> {
        let holds = |row: &Row| {
            (row.passage.audience == Audience::Public || audience == Audience::Agents)
                && row.passage.valid_from_ms.is_none_or(|from| from <= now_ms)
                && row.passage.valid_until_ms.is_none_or(|until| now_ms <= until)
        };
        let mut rows: Vec<usize> =
            (0..self.rows.len()).filter(|at| holds(&self.rows[*at])).collect();
        let mut best: HashMap<&str, usize> = HashMap::new();
        for at in &rows {
            let row = &self.rows[*at];
            let kept = best.entry(row.product.id.as_str()).or_insert(*at);
            if self.rows[*kept].passage.language != language && row.passage.language == language {
                *kept = *at;
            }
        }
        // Variants without a number of their own share their product's, in one document.
        rows.retain(|at| {
            let Row { product, passage, .. } = &self.rows[*at];
            let kept = best.get(product.id.as_str()).map(|kept| &self.rows[*kept].passage);
            kept.is_some_and(|kept| kept.document == passage.document)
        });
        rows
    }

    /// Whether a stem stands in a name or category.
    pub(super) fn names(&self, stem: &str) -> bool {
        self.names.contains(stem)
    }

    /// Whether words are a whole name, or a kind of goods.
    pub(super) fn whole(&self, words: &[String]) -> bool {
        self.whole.contains(&words.join(" "))
    }

    /// Whether a stem tells variants apart.
    pub(super) fn tells(&self, stem: &str) -> bool {
        self.options.contains(stem)
    }

    /// The length of the longest word of names in unspaced script that a text begins with.
    pub(super) fn unspaced(&self, text: &str) -> usize {
        self.unspaced
            .iter()
            .filter(|word| text.starts_with(word.as_str()))
            .map(String::len)
            .max()
            .unwrap_or(0)
    }

    /// The one word of names that a misspelt one is a letter away from.
    pub(super) fn meant_by(&self, word: &str) -> Option<&str> {
        let short = |word: &str| word.chars().count() < MIN_MISSPELT;
        if short(word) || !word.chars().all(char::is_alphabetic) {
            return None;
        }
        let near =
            |known: &&String| !short(known) && strsim::osa_distance(known, singular(word)) == 1;
        let mut found = self.names.iter().filter(near);
        found.next().filter(|_| found.next().is_none()).map(String::as_str)
    }

    /// Whether words single a name out: they hold its last word, its first, or a number of it.
    /// "Tent" and "repair" don't mean a "tent pole repair sleeve".
    fn singles_out(&self, words: &[String], name: &[String]) -> bool {
        let first = name.first().filter(|first| !self.heads.contains(*first));
        let number = |word: &&String| {
            word.bytes().all(|b| b.is_ascii_digit() || b == b'.') && name.contains(word)
        };
        name.last().is_some_and(|last| words.contains(last))
            || first.is_some_and(|first| words.contains(first))
            || words.iter().any(|word| number(&word))
    }

    /// The rows among `of` that words of a question mean. `None` if they mean nothing here.
    pub(super) fn meant(&self, words: &[String], of: &[usize]) -> Option<Meant> {
        let row = |at: &usize| &self.rows[*at];
        // A kind of goods: what names end with, or a category.
        let ends = |at: &usize| row(at).name.ends_with(words);
        let mut kept: BTreeSet<usize> = of.iter().copied().filter(|at| ends(at)).collect();
        let categories: BTreeSet<&[String]> = of
            .iter()
            .map(|at| row(at).category.as_slice())
            .filter(|category| category.ends_with(words))
            .collect();
        for category in categories {
            let own: Vec<usize> =
                of.iter().copied().filter(|at| row(at).category == category).collect();
            if own.iter().any(ends) {
                kept.extend(self.without_accessories(own));
            } else {
                kept.extend(own);
            }
        }
        if !kept.is_empty() {
            let rows: Vec<usize> = kept.into_iter().collect();
            let product = rows.iter().all(|at| row(at).name == words);
            return Some(Meant { rows, kind: !product, whole: true });
        }
        // A product, by what it shares with no other.
        let mut best = (0, Vec::new());
        for at in of {
            let Row { name, also, options, .. } = row(at);
            let all = words
                .iter()
                .all(|word| name.contains(word) || also.contains(word) || options.contains(word));
            let held = words.iter().filter(|word| name.contains(word)).count();
            if !all || held == 0 || held < best.0 || !self.singles_out(words, name) {
                continue;
            }
            if held > best.0 {
                best = (held, Vec::new());
            }
            best.1.push(*at);
        }
        let (_, rows) = best;
        if rows.is_empty() {
            return None;
        }
        let of_name = |at: &usize| words.iter().filter(|word| row(at).name.contains(word)).count();
        let whole = rows.iter().all(|at| of_name(at) == row(at).name.len());
        let rows = if whole { rows } else { self.without_accessories(rows) };
        // "Long" is the length of one thing and in the name of another.
        let option = |word: &String| of.iter().any(|at| row(at).options.contains(word));
        let vague = words.len() == 1 && !whole && words.iter().all(option);
        (!vague).then_some(Meant { rows, kind: false, whole })
    }

    /// The rows among `of` that words narrow down by what tells variants apart; all words have to.
    pub(super) fn narrowed(&self, words: &[String], of: &[usize]) -> Option<Vec<usize>> {
        let tells = |at: &usize| words.iter().all(|word| self.rows[*at].options.contains(word));
        let rows: Vec<usize> = of.iter().copied().filter(tells).collect();
        (!rows.is_empty()).then_some(rows)
    }

    fn without_accessories(&self, rows: Vec<usize>) -> Vec<usize> {
        let amount = |at: &usize| self.rows[*at].product.amount();
        let dearest = rows.iter().filter_map(amount).fold(0.0, f64::max);
        rows.into_iter()
            .filter(|at| amount(at).is_none_or(|amount| amount >= ACCESSORY * dearest))
            .collect()
    }

    /// Rows by product, in order.
    pub(super) fn products(&self, rows: &[usize]) -> Vec<Vec<usize>> {
        let mut products: Vec<Vec<usize>> = Vec::new();
        let mut known: HashMap<&str, usize> = HashMap::new();
        for at in rows {
            let product = *known.entry(self.rows[*at].product.name.as_str()).or_insert_with(|| {
                products.push(Vec::new());
                products.len() - 1
            });
            products[product].push(*at);
        }
        products
    }

    /// The products whose whole name a text holds, as rows among `of`.
    pub(super) fn named_in(&self, text: &str, of: &[usize]) -> Vec<usize> {
        of.iter()
            .copied()
            .filter(|at| text.contains(self.rows[*at].product.name.as_str()))
            .collect()
    }

    /// The column of a measure that any of the rows has.
    fn column_of(&self, measure: Measure, rows: &[usize]) -> Option<usize> {
        let named = |column: &Column| measure.columns().contains(&column.name.as_str());
        let mut columns = (0..self.columns.len()).filter(|at| named(&self.columns[*at]));
        columns.find(|at| rows.iter().any(|row| self.rows[*row].cells.contains_key(at)))
    }

    /// The columns that answer what is asked, the first that the rows have.
    pub(super) fn column(&self, property: Property, rows: &[usize]) -> Option<usize> {
        let called = |names: &[&str]| {
            let named = |column: &Column| names.contains(&column.name.as_str());
            let mut columns = (0..self.columns.len()).filter(|at| named(&self.columns[*at]));
            columns.find(|at| rows.iter().any(|row| self.rows[*row].cells.contains_key(at)))
        };
        match property {
            Property::Weight => self.column_of(Measure::Weight, rows),
            Property::Colours => called(&["colour", "color", "farbe", "couleur", "颜色"]),
            Property::Sizes => called(&["size", "größe", "taille", "talla", "尺码"]),
            Property::Column(at) => {
                rows.iter().any(|row| self.rows[*row].cells.contains_key(&at)).then_some(at)
            }
            _ => None,
        }
    }

    /// The figure by which rows are ordered.
    pub(super) fn figure(&self, measure: Measure, row: usize) -> Option<f64> {
        let of = &self.rows[row];
        if measure == Measure::Price {
            return of.product.amount();
        }
        let column = self.column_of(measure, &[row])?;
        let value = of.cells.get(&column)?;
        let number: String =
            value.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        number.parse().ok()
    }

    /// What a figure is of: rows are compared only where it is the same.
    pub(super) fn unit(&self, measure: Measure, row: usize) -> Option<String> {
        let of = &self.rows[row];
        if measure == Measure::Price {
            // What a kilo costs says nothing about what a piece does.
            let per = of.product.per.as_ref().map(|per| format!(" / {per}")).unwrap_or_default();
            return Some(format!("{}{per}", of.product.currency.as_deref().unwrap_or_default()));
        }
        let value = of.cells.get(&self.column_of(measure, &[row])?)?;
        Some(value.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').trim().to_owned())
    }
}

impl Row {
    /// The stems of its category; none where it has no category.
    pub(super) fn category(&self) -> &[String] {
        &self.category
    }

    pub(super) fn cell(&self, column: usize) -> Option<&str> {
        self.cells.get(&column).map(String::as_str)
    }

    pub(super) fn out_of_stock(&self) -> bool {
        self.product.available == Some(false)
    }

    /// `349 EUR`.
    pub(super) fn price(&self) -> Option<String> {
        let price = self.product.price.as_deref()?;
        let price = price
            .split_once('.')
            .filter(|(_, cents)| cents.bytes().all(|b| b == b'0'))
            .map_or(price, |(whole, _)| whole);
        let currency = self.product.currency.as_ref();
        let price =
            currency.map_or_else(|| price.to_owned(), |currency| format!("{price} {currency}"));
        Some(
            self.product
                .per
                .as_ref()
                .map_or_else(|| price.clone(), |per| format!("{price} / {per}")),
        )
    }

    /// Its label is a colour.
    pub(super) fn is_coloured(&self) -> bool {
        let words =
            self.label.as_deref().map(|label| split(label, &|_| 0, true)).unwrap_or_default();
        words.iter().any(|word| COLOURS.contains(&word.as_str()))
    }

    /// Its label is a size.
    pub(super) fn is_sized(&self) -> bool {
        let words =
            self.label.as_deref().map(|label| split(label, &|_| 0, true)).unwrap_or_default();
        words.iter().any(|word| SIZES.contains(&word.as_str()))
    }

    /// The stem that its name begins with.
    pub(super) fn first_word(&self) -> Option<&str> {
        self.name.first().map(String::as_str)
    }

    /// Both names begin with one word.
    pub(super) fn begins_like(&self, other: &Self) -> bool {
        self.name.first() == other.name.first()
    }
}

impl Column {
    fn new(name: &str, option: bool) -> Self {
        let chinese = Wording::built_in().column(name, "zh").map(|own| vec![own.to_owned()]);
        let own = split(&name.replace('_', " "), &|_| 0, true)
            .iter()
            .map(|word| singular(word).to_owned())
            .collect();
        Self { name: name.to_owned(), option, words: std::iter::once(own).chain(chinese).collect() }
    }

    /// What it is called in an answer.
    pub(super) fn label(&self, language: &str, wording: &Wording) -> String {
        let own = wording.column(&self.name, language);
        own.map_or_else(|| self.name.replace('_', " "), str::to_owned)
    }
}

/// The stems of a name.
fn stems(text: &str) -> Vec<String> {
    let known = |rest: &str| {
        goods().filter(|name| rest.starts_with(**name)).map(|name| name.len()).max().unwrap_or(0)
    };
    let words = split(text, &known, true);
    // Function words are asked about with others, or not at all.
    const BETWEEN: &[&str] = &["for", "with", "of", "and", "in", "to", "the", "a", "x", "&"];
    words
        .iter()
        .filter(|word| !BETWEEN.contains(&word.as_str()))
        .map(|word| singular(word).to_owned())
        .collect()
}
