//! Tables: sheets of workbooks, CSV files and feeds → rows that say what they say, and what they
//! sell.
//!
//! `exports` rewrites what shop platforms write, `cells` tells what a cell looks like, `header`
//! finds the tables in a sheet, `sections` the headings among their rows, `kinds` what their
//! columns are, `rows` makes records of their rows. Pure; what was understood and why goes along in
//! [`Understood`].

use serde::{Deserialize, Serialize};

use crate::retrieval::columns::{Kind, Tax, Telling};
use crate::retrieval::money;

mod cells;
pub(super) mod combinations;
mod exports;
mod grid;
mod header;
mod kinds;
mod rows;
mod sections;

pub(super) use grid::{csv_sheet, is_tabbed};
pub(super) use rows::{Offer, Row};

/// What a file beside the table says about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hints {
    /// The line of the file that is the header; 0 says that there is none.
    pub(super) header_row: Option<usize>,
    /// Kinds by the columns' names or numbers (from 1).
    pub(super) columns: Vec<(String, Kind)>,
    pub(super) currency: Option<String>,
    pub(super) tax: Option<Tax>,
}

impl Hints {
    /// Takes one key: `header_row: 5`, `columns: VK=price, EK=hidden, 3=name`, `currency: EUR`,
    /// `tax: net`.
    ///
    /// # Errors
    ///
    /// A value that isn't understood, in words.
    pub(super) fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "header_row" => {
                let row = value.parse().map_err(|_| {
                    format!("header_row is {value:?}; write the line's number, or 0")
                })?;
                self.header_row = Some(row);
            }
            "columns" => {
                for pair in value.split(',') {
                    let named = pair
                        .rsplit_once('=')
                        .and_then(|(name, kind)| Some((name, Kind::named(kind)?)));
                    let Some((name, kind)) = named else {
                        return Err(format!(
                            "columns has {:?}; write a column's name or number and what it is, as VK=price: name, price, \
                             sale, before, stock, category, description, told, hidden, ignore",
                            pair.trim()
                        ));
                    };
                    self.columns.push((name.trim().to_owned(), kind));
                }
            }
            "currency" => {
                let code = money::code(value);
                self.currency =
                    Some(code.ok_or_else(|| {
                        format!("currency is {value:?}; write a code such as EUR")
                    })?);
            }
            _ => {
                self.tax = Some(match value.to_lowercase().as_str() {
                    "net" | "excluded" => Tax::Net,
                    "gross" | "included" => Tax::Gross,
                    _ => return Err(format!("tax is {value:?}; write net or gross")),
                });
            }
        }
        Ok(())
    }

    /// What these say, and for the rest what `others` say.
    pub(super) fn over(mut self, others: Self) -> Self {
        self.header_row = self.header_row.or(others.header_row);
        self.columns.extend(others.columns);
        self.currency = self.currency.or(others.currency);
        self.tax = self.tax.or(others.tax);
        self
    }
}

/// Cells of the longest row.
fn width(rows: &[Line]) -> usize {
    rows.iter()
        .map(|row| row.cells.iter().rposition(|cell| !cell.is_empty()).map_or(0, |at| at + 1))
        .max()
        .unwrap_or(0)
}

/// A row of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Line {
    line: usize,
    cells: Vec<String>,
    /// The heading within the table that it stands under.
    section: Option<Section>,
}

/// A row of a table that only names what the rows below it are of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Section {
    name: String,
    /// It looks like a heading by itself: in capitals, below a gap, ending with a colon, or in a
    /// column of figures.
    marked: bool,
}

impl Line {
    fn filled(&self) -> usize {
        self.cells.iter().filter(|cell| !cell.is_empty()).count()
    }

    /// Whether it holds one text, in one cell or in merged ones.
    fn is_single(&self) -> bool {
        let mut filled = self.cells.iter().filter(|cell| !cell.is_empty());
        let Some(first) = filled.next() else { return true };
        let merged = first.chars().any(char::is_alphabetic) && first.chars().count() > 1;
        filled.all(|cell| merged && cell == first)
    }

    /// Its cells one after the other, merged ones once.
    fn text(&self) -> String {
        let mut cells: Vec<&str> =
            self.cells.iter().map(|cell| cell.trim()).filter(|cell| !cell.is_empty()).collect();
        cells.dedup();
        cells.join(" ")
    }
}

/// A table of a sheet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Table {
    sheet: String,
    /// Lines of its header; empty if it has none.
    header: Vec<usize>,
    labels: Vec<String>,
    /// Cells that the header's lines have, empty ones as well.
    width: usize,
    rows: Vec<Line>,
    /// Texts above the header and below the last row, with their lines.
    above: Vec<(usize, String)>,
    notes: Vec<(usize, String)>,
}

/// How a table was understood.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Understood {
    /// The sheet's name; empty for a file that is one table.
    pub sheet: String,
    /// Lines of the file that are its header; none if it has no header.
    pub header: Vec<usize>,
    pub columns: Vec<UnderstoodColumn>,
    pub rows: usize,
    pub products: usize,
    /// Rows that were left out, by reason.
    pub left_out: Vec<LeftOut>,
}

/// What a column was taken for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct UnderstoodColumn {
    /// As the header names it; empty if it doesn't.
    pub name: String,
    /// `None`: not understood.
    pub kind: Option<Kind>,
    pub telling: Telling,
    /// By what it was understood, in words.
    pub why: String,
}

/// Rows that were left out for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LeftOut {
    pub reason: String,
    pub rows: usize,
    /// The first one's line.
    pub line: usize,
}

/// What became of a sheet.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Titles, sections without rows, and notes, with their lines.
    pub(super) texts: Vec<(usize, String)>,
    /// Rows that can't be used.
    pub(super) bad: Vec<(usize, String)>,
    pub(super) understood: Vec<Understood>,
}

/// What reading a sheet depends on beside its cells.
pub(super) struct Context<'a> {
    pub(super) hints: &'a Hints,
    /// Words for columns without a name are of this language.
    pub(super) language: &'a str,
    /// A row with fewer cells than the header is broken: it was written with separators.
    pub(super) separated: bool,
    /// A date's moment in milliseconds; the end of the day if asked for.
    pub(super) moment: fn(&str, bool) -> Option<u64>,
    /// Whether a text is the code or the name of a language.
    pub(super) is_language: fn(&str) -> bool,
}

/// Reads a sheet. Its rows are handed to `take` one by one: all of them at once need several times
/// the file's room.
pub(super) fn read(mut sheet: Sheet, context: &Context<'_>, take: &mut dyn FnMut(Row)) -> Reading {
    let mut reading = Reading::default();
    exports::rewrite(&mut sheet);
    for table in header::tables(sheet, context.hints) {
        let texts =
            table.above.iter().chain(&table.notes).map(|(line, text)| (*line, text.clone()));
        reading.texts.extend(texts.filter(|(_, text)| text.chars().any(char::is_alphabetic)));
        if table.rows.is_empty() && table.labels.is_empty() {
            continue;
        }
        let columns = kinds::columns(&table, context);
        rows::read(&table, columns, context, &mut reading, take);
    }
    reading.texts.sort_by_key(|(line, _)| *line);
    reading
}

#[cfg(test)]
mod tests;

/// A sheet's rows that hold anything.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sheet {
    pub(super) name: String,
    /// 1-based row number, and the cells from the first column on.
    pub(super) rows: Vec<(usize, Vec<String>)>,
}
