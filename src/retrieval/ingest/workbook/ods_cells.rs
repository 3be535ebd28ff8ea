//! Cells of an OpenDocument sheet whose numbers say more as they are shown: amounts, shares,
//! numbers with a unit, numbers that begin with zeros. `calamine` reads their bare values.

use std::collections::HashMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{MAX_COLUMNS, decimal};

/// By the sheet's name, and by row and column from 0.
pub(super) type Shown = HashMap<String, HashMap<(u32, u32), String>>;

/// Cells that are kept; more are shown plainly.
const MAX_CELLS: usize = 2_000_000;
/// Bytes of a cell that shows a number.
const MAX_SHOWN: usize = 200;

/// A cell that is being read.
struct Cell {
    kind: String,
    value: Option<f64>,
    currency: Option<String>,
    text: String,
}

/// Reads `content.xml`. What can't be read is left out: its cells are then shown plainly.
pub(super) fn read(content: &str) -> Shown {
    let mut reader = Reader::from_str(content);
    let mut shown = Shown::new();
    let (mut sheet, mut kept) = (String::new(), 0);
    let (mut row, mut column) = (0_u32, 0_u32);
    let (mut rows, mut columns) = (1_u32, 1_u32);
    let mut cell: Option<Cell> = None;
    while kept < MAX_CELLS {
        let event = match reader.read_event() {
            Ok(Event::Eof) | Err(_) => break,
            Ok(event) => event,
        };
        let empty = matches!(event, Event::Empty(_));
        match &event {
            Event::Start(element) | Event::Empty(element) => match local(element.name().0) {
                "table" => {
                    (row, rows) = (0, 1);
                    sheet = attribute(element, "name").unwrap_or_default();
                }
                "table-row" => {
                    column = 0;
                    rows = repeated(element, "number-rows-repeated");
                    if empty {
                        row = row.saturating_add(rows);
                    }
                }
                "table-cell" | "covered-table-cell" => {
                    columns = repeated(element, "number-columns-repeated");
                    if empty {
                        column = column.saturating_add(columns);
                        continue;
                    }
                    cell = Some(Cell {
                        kind: attribute(element, "value-type").unwrap_or_default(),
                        value: attribute(element, "value").and_then(|value| value.parse().ok()),
                        currency: attribute(element, "currency"),
                        text: String::new(),
                    });
                }
                _ => {}
            },
            Event::Text(text) => {
                if let Some(cell) = cell.as_mut().filter(|cell| cell.text.len() < MAX_SHOWN) {
                    cell.text.push_str(&text.xml10_content());
                }
            }
            Event::End(element) => match local(element.name().0) {
                "table-row" => row = row.saturating_add(rows),
                "table-cell" | "covered-table-cell" => {
                    if let Some(text) = cell.take().and_then(|cell| cell.shown())
                        && column < MAX_COLUMNS
                    {
                        kept += 1;
                        shown.entry(sheet.clone()).or_default().insert((row, column), text);
                    }
                    column = column.saturating_add(columns);
                }
                _ => {}
            },
            _ => {}
        }
    }
    shown
}

impl Cell {
    /// The number with what its format adds; `None` where that is nothing.
    fn shown(&self) -> Option<String> {
        let (value, text) = (self.value?, self.text.trim());
        match self.kind.as_str() {
            "percentage" => Some(format!("{}%", decimal(value * 100.0))),
            "currency" => {
                let currency = self.currency.as_deref().filter(|currency| !currency.is_empty());
                Some(
                    currency.map_or_else(
                        || text.to_owned(),
                        |currency| format!("{value:.2} {currency}"),
                    ),
                )
            }
            "float" => {
                let adds = text
                    .chars()
                    .any(|char| !char.is_ascii_digit() && !"-+.,' \u{a0}\u{202f}’".contains(char));
                let zeros = text.len() > 1
                    && text.starts_with('0')
                    && text.bytes().all(|byte| byte.is_ascii_digit());
                // "1E+05" and "####" show less than the value.
                let less = text.contains('#') || text.contains("E+") || text.len() >= MAX_SHOWN;
                ((adds || zeros) && !less).then(|| text.to_owned())
            }
            _ => None,
        }
    }
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or_default()
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = element.attributes();
    let mut found =
        attributes.with_checks(false).flatten().filter(|attribute| local(attribute.key.0) == name);
    let found = found.next()?;
    quick_xml::escape::unescape(&found.value).ok().map(std::borrow::Cow::into_owned)
}

fn repeated(element: &BytesStart<'_>, name: &str) -> u32 {
    attribute(element, name).and_then(|count| count.parse().ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_shown() {
        let content = r#"<office:body><table:table table:name="A &amp; B"><table:table-row table:number-rows-repeated="2"/><table:table-row>
            <table:table-cell table:number-columns-repeated="3"/>
            <table:table-cell office:value-type="percentage" office:value="0.125"><text:p>12,5 %</text:p></table:table-cell>
            <table:table-cell office:value-type="currency" office:currency="EUR" office:value="1110.5"><text:p>1.110,50 €</text:p></table:table-cell>
            <table:table-cell office:value-type="float" office:value="7"><text:p>00007</text:p></table:table-cell>
            <table:table-cell office:value-type="float" office:value="0.75"><text:p>0,75 l</text:p></table:table-cell>
            <table:table-cell office:value-type="float" office:value="1250"><text:p>1.250</text:p></table:table-cell>
            </table:table-row></table:table></office:body>"#;
        let shown = read(content);
        let of = |column| shown["A & B"].get(&(2, column)).map(String::as_str);
        assert_eq!(
            [of(3), of(4), of(5), of(6)],
            [Some("12.5%"), Some("1110.50 EUR"), Some("00007"), Some("0,75 l")]
        );
        assert_eq!(of(7), None, "thousands that may be decimals");
        assert!(read("<table:table").is_empty());
    }
}
