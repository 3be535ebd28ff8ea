//! Columns of a table → numbers for the models. What is learned here (edges, names, means) comes
//! from training rows alone and is kept with the model, so that serving does exactly what training
//! did. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::intent::table::{Column, Kind, Table, Value};

/// Vectors of texts' lines, by line; what the embedder made of [`lines`].
pub type Vectors = FxHashMap<String, Vec<f32>>;

/// Two views of a row. Models of weights take the first, trees the second.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Encoder {
    columns: Vec<Encoding>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Encoding {
    column: Column,
    /// For a ratio, the columns of what is summed up and of how often; it is no column of a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ratio: Option<(String, String)>,
    form: Form,
    /// Rows of the training table per bin, against which drift is measured; the last bin counts
    /// missing values.
    seen: Vec<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Form {
    /// Rising edges of quantile bins, and whole numbers that stand for something (a region, a
    /// browser), if the column looks like it.
    Number { edges: Vec<f32>, codes: Vec<i32> },
    /// Known names with the log-odds of a purchase in training, drawn towards the mean of all by
    /// [`PRIOR_ROWS`].
    Category { names: Vec<String>, odds: Vec<f32>, unknown: f32 },
    /// The mean of the lines' vectors, shifted and divided so that a training row's length is about
    /// 1.
    Text { mean: Vec<f32>, scale: f32 },
}

/// Bins of a number at most. More follow a curve more closely and need more rows.
const BINS: usize = 12;
/// Whole numbers of up to this many distinct values are names as well as numbers.
const CODES: usize = 24;
/// Rows that have a name, at least, for the model to keep it. A name that one visitor brought would
/// stay in the model after that visitor was erased, and is worth next to nothing for others.
const LEAST_ROWS: usize = 3;
/// A name's share of purchases counts as if this many rows more had behaved like all.
const PRIOR_ROWS: f32 = 20.0;

impl Encoder {
    /// Learns from training rows. Columns with one value tell nothing and are passed over.
    #[must_use]
    pub fn fit(table: &Table, vectors: &Vectors) -> Self {
        Self::fit_from(table, vectors, LEAST_ROWS)
    }

    /// As [`Self::fit`], with names that at least so many rows have.
    fn fit_from(table: &Table, vectors: &Vectors, least: usize) -> Self {
        let own = (0..table.columns.len())
            .filter_map(|at| Encoding::fit(table, Place::At(at), vectors, least));
        let ratios = ratios(&table.columns).into_iter();
        let ratios = ratios.filter_map(|(sum, count)| {
            Encoding::fit(table, Place::Ratio(sum, count), vectors, least)
        });
        Self { columns: own.chain(ratios).collect() }
    }

    /// The columns of a table that it looks at.
    pub fn inputs(&self) -> impl Iterator<Item = &Column> {
        self.columns
            .iter()
            .filter(|encoding| encoding.ratio.is_none())
            .map(|encoding| &encoding.column)
    }

    /// What counts: those, and ratios of them.
    pub fn columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().map(|encoding| &encoding.column)
    }

    /// Which column each number of the first view comes from, as an index into [`Self::columns`].
    #[must_use]
    pub fn owners(&self) -> Vec<usize> {
        self.columns
            .iter()
            .enumerate()
            .flat_map(|(i, encoding)| std::iter::repeat_n(i, encoding.width()))
            .collect()
    }

    /// Numbers of a row in the first view.
    #[must_use]
    pub fn width(&self) -> usize {
        self.columns.iter().map(Encoding::width).sum()
    }

    /// The first view, row after row: piecewise-linear codes of numbers (Gorishniy et al. 2022: one
    /// number per quantile bin, 0 below it, 1 above it, in between the share of it that is passed),
    /// one-of-n codes of names, and texts as vectors. Missing is all zeros and a flag. A network's
    /// first layer makes embeddings of the one-of-n codes.
    #[must_use]
    pub fn dense(&self, table: &Table, vectors: &Vectors) -> Vec<f32> {
        let places = self.places(table);
        let mut numbers = Vec::with_capacity(table.len() * self.width());
        for row in &table.rows {
            for (encoding, place) in self.columns.iter().zip(&places) {
                encoding.dense(&place.value(row), vectors, &mut numbers);
            }
        }
        numbers
    }

    /// The second view, column after column, one per column that isn't text: numbers as they are,
    /// names as their log-odds, `NaN` for missing.
    #[must_use]
    pub fn plain(&self, table: &Table) -> Vec<f64> {
        let places = self.places(table);
        let mut numbers = Vec::with_capacity(table.len() * self.columns.len());
        for (encoding, place) in self.columns.iter().zip(&places) {
            if !matches!(encoding.form, Form::Text { .. }) {
                numbers.extend(table.rows.iter().map(|row| encoding.plain(&place.value(row))));
            }
        }
        numbers
    }

    /// Which column each of the second view's is, as an index into [`Self::columns`].
    #[must_use]
    pub fn plain_owners(&self) -> Vec<usize> {
        let plain = self
            .columns
            .iter()
            .enumerate()
            .filter(|(_, encoding)| !matches!(encoding.form, Form::Text { .. }));
        plain.map(|(i, _)| i).collect()
    }

    /// Whether a text column counts.
    #[must_use]
    pub fn has_text(&self) -> bool {
        self.columns.iter().any(|encoding| matches!(encoding.form, Form::Text { .. }))
    }

    /// For every column that isn't text, the rows in each bin in training and in `table`.
    #[must_use]
    pub fn shifts(&self, table: &Table) -> BTreeMap<String, (Vec<u64>, Vec<u64>)> {
        let places = self.places(table);
        let mut shifts = BTreeMap::new();
        for (encoding, place) in
            self.columns.iter().zip(&places).filter(|(encoding, _)| !encoding.seen.is_empty())
        {
            let mut counts = vec![0; encoding.seen.len()];
            for row in &table.rows {
                counts[encoding.bin(&place.value(row))] += 1;
            }
            shifts.insert(encoding.column.name.clone(), (encoding.seen.clone(), counts));
        }
        shifts
    }

    /// Where each column stands in a table; a column that the table lacks is missing in every row.
    fn places(&self, table: &Table) -> Vec<Place> {
        let at = |name: &str| table.columns.iter().position(|known| known.name == name);
        let place = |encoding: &Encoding| match &encoding.ratio {
            Some((sum, count)) => at(sum)
                .zip(at(count))
                .map_or(Place::Nowhere, |(sum, count)| Place::Ratio(sum, count)),
            None => at(&encoding.column.name).map_or(Place::Nowhere, Place::At),
        };
        self.columns.iter().map(place).collect()
    }
}

/// Where a value stands in a row.
#[derive(Clone, Copy, Debug)]
enum Place {
    Nowhere,
    At(usize),
    /// The sum's column and the count's.
    Ratio(usize, usize),
}

impl Place {
    fn value(self, row: &[Value]) -> Cow<'_, Value> {
        match self {
            Self::Nowhere => Cow::Owned(Value::Missing),
            Self::At(at) => row.get(at).map_or(Cow::Owned(Value::Missing), Cow::Borrowed),
            Self::Ratio(sum, count) => Cow::Owned(match (row.get(sum), row.get(count)) {
                (Some(Value::Number(sum)), Some(Value::Number(count))) if *count > 0.0 => {
                    Value::Number(sum / count)
                }
                _ => Value::Missing,
            }),
        }
    }
}

/// What the second column of a pair sums up over the things that the first counts, by the end of
/// its name: `pages` and `pages_duration`.
const SUMS: [&str; 10] =
    ["duration", "time", "seconds", "minutes", "ms", "s", "amount", "value", "total", "sum"];

/// Pairs of columns of which one counts things and the other sums something up over the same
/// things, as their names tell: the sum for each thing is what neither trees nor straight lines
/// make of the two by themselves. Sum first.
fn ratios(columns: &[Column]) -> Vec<(usize, usize)> {
    let numbers = || columns.iter().enumerate().filter(|(_, column)| column.kind == Kind::Number);
    let sums_up = |sum: &Column, count: &Column| {
        let rest = sum.name.strip_prefix(count.name.as_str()).unwrap_or_default();
        let bare = rest.trim_start_matches(['_', ' ', '-', '.']);
        !count.name.is_empty()
            && bare.len() < rest.len()
            && SUMS.contains(&bare.to_lowercase().as_str())
    };
    let pairs = numbers().flat_map(|(sum, column)| {
        let counts = numbers().filter(move |(_, count)| sums_up(column, count));
        counts.map(move |(count, _)| (sum, count))
    });
    pairs.collect()
}

/// Every distinct line of every text: what [`Vectors`] must hold.
#[must_use]
pub fn lines(tables: &[&Table]) -> Vec<String> {
    let mut seen = rustc_hash::FxHashSet::default();
    for value in tables.iter().flat_map(|table| &table.rows).flatten() {
        if let Value::Text(text) = value {
            seen.extend(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned));
        }
    }
    let mut lines: Vec<String> = seen.into_iter().collect();
    lines.sort_unstable();
    lines
}

/// The mean of the lines' vectors; nothing if none is known.
fn mean_vector(value: &Value, vectors: &Vectors) -> Option<Vec<f32>> {
    let text = match value {
        Value::Text(text) => text,
        Value::Vector(vector) => return Some(vector.clone()),
        _ => return None,
    };
    let mut sum: Vec<f32> = Vec::new();
    let mut count = 0.0;
    for vector in text.lines().filter_map(|line| vectors.get(line)) {
        sum.resize(vector.len(), 0.0);
        sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += x);
        count += 1.0;
    }
    sum.iter_mut().for_each(|x| *x /= count);
    (count > 0.0).then_some(sum)
}

impl Encoding {
    fn fit(table: &Table, place: Place, vectors: &Vectors, least: usize) -> Option<Self> {
        let (column, ratio) = match place {
            Place::Nowhere => return None,
            Place::At(at) => (table.columns[at].clone(), None),
            Place::Ratio(sum, count) => {
                let (sum, count) =
                    (table.columns[sum].name.clone(), table.columns[count].name.clone());
                (
                    Column { name: format!("{sum} per {count}"), kind: Kind::Number },
                    Some((sum, count)),
                )
            }
        };
        let values: Vec<Cow<'_, Value>> = table.rows.iter().map(|row| place.value(row)).collect();
        let values = || values.iter().map(AsRef::as_ref);
        let form = match column.kind {
            Kind::Number => number_form(values().filter_map(|value| match value {
                Value::Number(number) => Some(*number),
                _ => None,
            }))?,
            Kind::Category => category_form(values(), &table.labels, least)?,
            Kind::Text => text_form(values(), vectors)?,
        };
        let mut encoding = Self { column, ratio, form, seen: Vec::new() };
        let bins = match &encoding.form {
            Form::Number { edges, .. } => edges.len() + 1,
            Form::Category { names, .. } => names.len() + 1,
            Form::Text { .. } => 0,
        };
        if bins > 0 {
            encoding.seen = vec![0; bins + 1];
            for value in values() {
                let bin = encoding.bin(value);
                encoding.seen[bin] += 1;
            }
        }
        Some(encoding)
    }

    fn width(&self) -> usize {
        match &self.form {
            Form::Number { edges, codes } => edges.len() - 1 + codes.len() + 1,
            Form::Category { names, .. } => names.len() + 1,
            Form::Text { mean, .. } => mean.len(),
        }
    }

    fn dense(&self, value: &Value, vectors: &Vectors, numbers: &mut Vec<f32>) {
        match (&self.form, value) {
            (Form::Number { edges, codes }, Value::Number(number)) => {
                let parts = edges
                    .windows(2)
                    .map(|edge| ((number - edge[0]) / (edge[1] - edge[0])).clamp(0.0, 1.0));
                numbers.extend(parts);
                numbers.extend(
                    codes.iter().map(|code| f32::from(u8::from(whole(*number) == Some(*code)))),
                );
                numbers.push(0.0);
            }
            (Form::Category { names, .. }, Value::Category(name)) => {
                let known = names.binary_search(name).ok();
                numbers.extend((0..names.len()).map(|i| f32::from(u8::from(Some(i) == known))));
                numbers.push(f32::from(u8::from(known.is_none())));
            }
            // Vectors of another embedding model tell nothing.
            (Form::Text { mean, scale }, value) => {
                match mean_vector(value, vectors).filter(|v| v.len() == mean.len()) {
                    Some(vector) => {
                        numbers.extend(vector.iter().zip(mean).map(|(x, mean)| (x - mean) * scale))
                    }
                    None => numbers.extend(std::iter::repeat_n(0.0, mean.len())),
                }
            }
            _ => {
                numbers.extend(std::iter::repeat_n(0.0, self.width() - 1));
                numbers.push(1.0);
            }
        }
    }

    fn plain(&self, value: &Value) -> f64 {
        match (&self.form, value) {
            (Form::Number { .. }, Value::Number(number)) => f64::from(*number),
            (Form::Category { names, odds, unknown }, Value::Category(name)) => f64::from(
                names
                    .binary_search(name)
                    .ok()
                    .and_then(|i| odds.get(i))
                    .copied()
                    .unwrap_or(*unknown),
            ),
            _ => f64::NAN,
        }
    }

    /// The bin of [`Self::seen`].
    fn bin(&self, value: &Value) -> usize {
        match (&self.form, value) {
            (Form::Number { edges, .. }, Value::Number(number)) => {
                edges.partition_point(|edge| edge <= number)
            }
            (Form::Category { names, .. }, Value::Category(name)) => {
                names.binary_search(name).unwrap_or(names.len())
            }
            _ => self.seen.len() - 1,
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "ranks of rows"
)]
fn number_form(values: impl Iterator<Item = f32>) -> Option<Form> {
    let mut sorted: Vec<f32> = values.collect();
    sorted.sort_by(f32::total_cmp);
    let mut distinct = sorted.clone();
    distinct.dedup();
    if distinct.len() < 2 {
        return None;
    }
    let mut edges: Vec<f32> = if distinct.len() <= BINS {
        distinct.clone()
    } else {
        (0..=BINS)
            .map(|i| sorted[(i as f32 / BINS as f32 * (sorted.len() - 1) as f32).round() as usize])
            .collect()
    };
    edges.dedup();
    if edges.len() < 2 {
        // Nearly all rows hold one value; what differs is the information.
        edges = vec![distinct[0], distinct[distinct.len() / 2], distinct[distinct.len() - 1]];
        edges.dedup();
    }
    let codes: Vec<i32> = distinct.iter().map_while(|number| whole(*number)).collect();
    let named = (3..=CODES).contains(&distinct.len()) && codes.len() == distinct.len();
    Some(Form::Number { edges, codes: if named { codes } else { Vec::new() } })
}

#[expect(clippy::cast_possible_truncation, reason = "checked")]
fn whole(number: f32) -> Option<i32> {
    (number.fract() == 0.0 && number.abs() < 1e6).then_some(number as i32)
}

#[expect(clippy::cast_precision_loss, reason = "rows")]
fn category_form<'a>(
    values: impl Iterator<Item = &'a Value>,
    labels: &[bool],
    least: usize,
) -> Option<Form> {
    let mut counts: BTreeMap<&str, (f32, f32)> = BTreeMap::new();
    let (mut all, mut bought) = (0.0, 0.0);
    for (value, label) in values.zip(labels) {
        let label = f32::from(u8::from(*label));
        all += 1.0;
        bought += label;
        if let Value::Category(name) = value {
            let count = counts.entry(name).or_default();
            *count = (count.0 + 1.0, count.1 + label);
        }
    }
    if counts.len() < 2 {
        return None;
    }
    counts.retain(|_, (rows, _)| *rows >= least as f32);
    if counts.is_empty() {
        return None;
    }
    let mean = bought / all;
    let odds = |rows: f32, bought: f32| {
        super::calibrate::logit((bought + PRIOR_ROWS * mean) / (rows + PRIOR_ROWS))
    };
    Some(Form::Category {
        names: counts.keys().map(|name| (*name).to_owned()).collect(),
        odds: counts.values().map(|(rows, bought)| odds(*rows, *bought)).collect(),
        unknown: odds(0.0, 0.0),
    })
}

#[expect(clippy::cast_precision_loss, reason = "rows")]
fn text_form<'a>(values: impl Iterator<Item = &'a Value>, vectors: &Vectors) -> Option<Form> {
    let rows: Vec<Vec<f32>> = values.filter_map(|value| mean_vector(value, vectors)).collect();
    let mut mean = vec![0.0; rows.first()?.len()];
    for row in &rows {
        mean.iter_mut().zip(row).for_each(|(mean, x)| *mean += x / rows.len() as f32);
    }
    let spread = rows
        .iter()
        .flat_map(|row| row.iter().zip(&mean))
        .map(|(x, mean)| (x - mean).powi(2))
        .sum::<f32>();
    let length = (spread / rows.len() as f32).sqrt();
    (length > 1e-6).then(|| Form::Text { mean, scale: length.recip() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let row = |pages: Value, month: &str, note: &str| {
            vec![pages, Value::Category(month.into()), Value::Text(note.into()), Value::Number(7.0)]
        };
        let column = |name: &str, kind| Column { name: name.into(), kind };
        Table {
            columns: vec![
                column("pages", Kind::Number),
                column("month", Kind::Category),
                column("note", Kind::Text),
                column("always", Kind::Number),
            ],
            rows: vec![
                row(Value::Number(0.0), "May", "a\nb"),
                row(Value::Number(4.0), "Nov", "b"),
                row(Value::Missing, "Nov", "c"),
            ],
            labels: vec![false, true, true],
            at_ms: None,
        }
    }

    fn vectors() -> Vectors {
        [("a", [1.0, 0.0]), ("b", [0.0, 1.0])]
            .map(|(line, vector)| (line.to_owned(), vector.to_vec()))
            .into_iter()
            .collect()
    }

    #[test]
    fn rows_become_numbers_that_say_where_they_come_from() {
        let table = table();
        assert_eq!(lines(&[&table]), ["a", "b", "c"]);
        let encoder = Encoder::fit_from(&table, &vectors(), 1);
        assert_eq!(
            encoder.columns().map(|column| column.name.as_str()).collect::<Vec<_>>(),
            ["pages", "month", "note"]
        );
        assert_eq!(encoder.owners(), [0, 0, 1, 1, 1, 2, 2]);
        let dense = encoder.dense(&table, &vectors());
        assert_eq!(dense.len(), 3 * encoder.width());
        assert_eq!(dense[..5], [0.0, 0.0, 1.0, 0.0, 0.0], "no pages, not missing, May");
        assert_eq!(
            dense[14..],
            [0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0],
            "missing, Nov, a line without a vector"
        );
        let plain = encoder.plain(&table);
        assert!(plain[2].is_nan() && plain[3] < plain[4], "{plain:?}");
    }

    #[test]
    fn a_sum_is_also_seen_for_each_thing_that_it_sums_up() {
        let column = |name: &str| Column { name: name.into(), kind: Kind::Number };
        let row = |pages: f32, seconds: f32, paid: f32| {
            [pages, seconds, paid].map(Value::Number).to_vec()
        };
        let table = Table {
            columns: ["pages", "pages_duration", "pagespaid"].map(column).to_vec(),
            rows: vec![row(2.0, 30.0, 1.0), row(0.0, 0.0, 2.0), row(5.0, 10.0, 3.0)],
            labels: vec![true, false, true],
            at_ms: None,
        };
        let encoder = Encoder::fit(&table, &Vectors::default());
        let names: Vec<&str> = encoder.columns().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["pages", "pages_duration", "pagespaid", "pages_duration per pages"]);
        assert_eq!(encoder.inputs().count(), 3);
        let plain = encoder.plain(&table);
        assert_eq!(plain[9], 15.0);
        assert!(plain[10].is_nan(), "nothing for no thing");
        assert_eq!(plain[11], 2.0);
    }

    /// What a single visitor brought is in no model, by name.
    #[test]
    fn names_that_few_rows_have_are_not_kept() {
        let (common, rare) = ("May", "Xylander");
        let names = [common, common, rare, common, rare, "Nov", "Nov", "Nov"];
        let table = Table {
            columns: vec![Column { name: "month".into(), kind: Kind::Category }],
            rows: names.iter().map(|name| vec![Value::Category((*name).into())]).collect(),
            labels: names.iter().map(|name| *name == rare).collect(),
            at_ms: None,
        };
        let kept = serde_json::to_string(&Encoder::fit(&table, &Vectors::default())).unwrap();
        assert!(kept.contains("May") && kept.contains("Nov") && !kept.contains(rare), "{kept}");
    }

    #[test]
    fn unknown_values_and_missing_columns_are_no_error() {
        let encoder = Encoder::fit_from(&table(), &vectors(), 1);
        let other = Table {
            columns: vec![Column { name: "month".into(), kind: Kind::Category }],
            rows: vec![vec![Value::Category("Dec".into())]],
            labels: vec![false],
            at_ms: None,
        };
        assert_eq!(encoder.dense(&other, &vectors()), [0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
        let shifts = encoder.shifts(&other);
        assert_eq!(shifts["month"], (vec![1, 2, 0, 0], vec![0, 0, 1, 0]));
        assert_eq!(shifts["pages"].1.last(), Some(&1));
    }
}
