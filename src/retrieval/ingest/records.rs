//! Records: what a row of a table, or an element or line of JSON, comes to. Those of tables are
//! made in [`super::tabular`], those of JSON in [`super::json`].

use std::io::{BufRead, Read};

use super::text::Meta;
use crate::retrieval::product::Product;

/// One record: a document of its own, or a row of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// From its `id` (JSON) or key column (CSV), if it has one.
    pub(super) id: Option<String>,
    /// Where in the file it stands: the sheet's name.
    pub(super) headings: Vec<String>,
    pub(super) meta: Meta,
    pub(super) text: String,
    /// Its text is a table's row: `label: value` parts.
    pub(super) is_row: bool,
    /// What a row describes at length.
    pub(super) prose: Option<String>,
    /// What it sells, if it is a catalogue's.
    pub(super) product: Option<Product>,
    /// Rows of their own within a JSON record.
    pub(super) variants: Vec<Record>,
    /// 1-based line of the file; element number in a JSON array.
    pub(super) line: usize,
}

/// A record that can't be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadRecord {
    pub(super) line: usize,
    pub(super) reason: String,
}

/// Columns and fields that hold a name to show.
pub(super) const NAMES: [&str; 10] = [
    "title",
    "name",
    "question",
    "product",
    "product_name",
    "label",
    "bezeichnung",
    "headline",
    "subject",
    "term",
];
/// Columns that say something about the row rather than being part of it.
pub(super) const META: [&str; 8] =
    ["url", "link", "language", "lang", "locale", "audience", "valid_from", "valid_until"];

/// Reads up to and with the next `\n`. A line longer than `limit` is read to its end and given as
/// `None`.
pub(super) fn next_line<R: BufRead>(
    reader: &mut R,
    limit: u64,
) -> std::io::Result<Option<Option<Vec<u8>>>> {
    let mut line = Vec::new();
    reader.by_ref().take(limit.saturating_add(1)).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.len() as u64 <= limit {
        return Ok(Some(Some(line)));
    }
    while line.last() != Some(&b'\n') {
        line.clear();
        if reader.by_ref().take(1 << 20).read_until(b'\n', &mut line)? == 0 {
            break;
        }
    }
    Ok(Some(None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_passed_over() {
        let mut input = std::io::Cursor::new(b"ab\nabcdef\ncd".to_vec());
        let mut lines = Vec::new();
        while let Some(line) = next_line(&mut input, 4).expect("memory doesn't fail") {
            lines.push(line);
        }
        assert_eq!(lines, [Some(b"ab\n".to_vec()), None, Some(b"cd".to_vec())]);
    }
}
