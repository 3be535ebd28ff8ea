//! Workbooks (xlsx, xlsm, xls, ods) → rows of text. Runs in the child process of [`super::isolated`].

use std::collections::BTreeMap;
use std::io::Cursor;

use calamine::{Data, DataRef, ExcelDateTime, Ods, Reader, SheetVisible, Xls, Xlsx};

use crate::retrieval::ingest::extraction::{Extraction, MAX_TEXT_BYTES, Sheet, open_zip};

/// Columns that are read; what stands further right is no table for people.
const MAX_COLUMNS: u32 = 256;

/// Reads the visible sheets.
///
/// # Errors
///
/// When it is damaged, encrypted, too large or empty.
pub(super) fn read(document: &[u8]) -> Result<Extraction, String> {
    let mut extraction = Extraction::default();
    let mut hidden = 0;
    if document.starts_with(b"PK") {
        let archive = open_zip(document)?;
        if archive.index_for_name("content.xml").is_some() {
            let mut ods: Ods<_> = Ods::new(Cursor::new(document)).map_err(damaged)?;
            whole_sheets(&mut ods, &mut extraction, &mut hidden)?;
        } else {
            drop(archive);
            let mut xlsx: Xlsx<_> = Xlsx::new(Cursor::new(document)).map_err(damaged)?;
            for name in visible(&xlsx, &mut hidden) {
                // Cell by cell: a single one at the far end must not cost the memory of all between.
                let mut cells = match xlsx.worksheet_cells_reader(&name) {
                    Ok(cells) => cells,
                    // A sheet that is a chart.
                    Err(calamine::XlsxError::NotAWorksheet(_)) => continue,
                    Err(error) => return Err(damaged(error)),
                };
                let mut rows = Rows::default();
                while let Some(cell) = cells.next_cell().map_err(damaged)? {
                    let (row, column) = cell.get_position();
                    rows.add(row, column, shown(cell.get_value()))?;
                }
                extraction.sheets.push(rows.sheet(name));
            }
        }
    } else {
        let mut xls: Xls<_> = match Xls::new(Cursor::new(document)) {
            Ok(xls) => xls,
            // Its container is that of an encrypted workbook, too.
            Err(error) => {
                return Err(open_zip(document)
                    .err()
                    .filter(|why| why.contains("encrypt"))
                    .unwrap_or_else(|| damaged(error)));
            }
        };
        whole_sheets(&mut xls, &mut extraction, &mut hidden)?;
    }
    if hidden > 0 {
        extraction.warnings.push(format!("{hidden} hidden sheets were left out"));
    }
    extraction.sheets.retain(|sheet| !sheet.rows.is_empty());
    if extraction.sheets.is_empty() {
        return Err("it holds no text".to_owned());
    }
    Ok(extraction)
}

fn visible<R: Reader<Cursor<T>>, T: AsRef<[u8]>>(workbook: &R, hidden: &mut usize) -> Vec<String> {
    let (shown, other): (Vec<_>, Vec<_>) =
        workbook.sheets_metadata().iter().partition(|sheet| sheet.visible == SheetVisible::Visible);
    *hidden += other.len();
    shown.into_iter().map(|sheet| sheet.name.clone()).collect()
}

fn whole_sheets<R: Reader<Cursor<T>>, T: AsRef<[u8]>>(
    workbook: &mut R,
    extraction: &mut Extraction,
    hidden: &mut usize,
) -> Result<(), String>
where
    R::Error: std::fmt::Display,
{
    for name in visible(workbook, hidden) {
        let range = workbook.worksheet_range(&name).map_err(damaged)?;
        let (top, left) = range.start().unwrap_or_default();
        let mut rows = Rows::default();
        for (row, column, value) in range.used_cells() {
            let at = |start: u32, offset: usize| start.saturating_add(u32::try_from(offset).unwrap_or(u32::MAX));
            rows.add(at(top, row), at(left, column), shown(&borrowed(value)))?;
        }
        extraction.sheets.push(rows.sheet(name));
    }
    Ok(())
}

fn damaged(error: impl std::fmt::Display) -> String {
    format!("it is damaged or no workbook: {error}")
}

/// The cells that hold anything, by row.
#[derive(Default)]
struct Rows {
    rows: BTreeMap<u32, BTreeMap<u32, String>>,
    bytes: usize,
}

impl Rows {
    fn add(&mut self, row: u32, column: u32, text: String) -> Result<(), String> {
        if text.is_empty() || column >= MAX_COLUMNS {
            return Ok(());
        }
        self.bytes += text.len() + 16;
        if self.bytes > MAX_TEXT_BYTES {
            return Err(format!("its text is larger than {} MiB", MAX_TEXT_BYTES >> 20));
        }
        self.rows.entry(row).or_default().insert(column, text);
        Ok(())
    }

    fn sheet(self, name: String) -> Sheet {
        let rows = self.rows.into_iter().map(|(row, cells)| {
            let width = cells.last_key_value().map_or(0, |(column, _)| *column as usize + 1);
            let mut list = vec![String::new(); width];
            for (column, text) in cells {
                list[column as usize] = text;
            }
            (row as usize + 1, list)
        });
        Sheet { name, rows: rows.collect() }
    }
}

/// A cell as a person would read it. What a formula came to is shown, an error is nothing.
fn shown(value: &DataRef<'_>) -> String {
    match value {
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.trim().to_owned(),
        DataRef::SharedString(text) => text.trim().to_owned(),
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => decimal(*number),
        DataRef::Bool(flag) => flag.to_string(),
        DataRef::DateTime(time) => moment(time),
        DataRef::Error(_) | DataRef::Empty => String::new(),
    }
}

/// Excel keeps 15 digits; what stands beyond is what binary fractions leave (19.99 as 19.989999999999995).
fn decimal(number: f64) -> String {
    if !number.is_finite() {
        return String::new();
    }
    let digits = format!("{number:.14e}");
    let rounded: f64 = digits.parse().unwrap_or(number);
    rounded.to_string()
}

fn moment(time: &ExcelDateTime) -> String {
    if time.is_duration() {
        let seconds = (time.as_f64() * 86_400.0).round().max(0.0);
        let (hours, rest) = ((seconds / 3600.0).floor(), seconds % 3600.0);
        return format!("{hours}:{:02}:{:02}", (rest / 60.0).floor(), rest % 60.0);
    }
    let (year, month, day, hour, minute, _, _) = time.to_ymd_hms_milli();
    match (time.as_f64() < 1.0, hour, minute) {
        (true, ..) => format!("{hour:02}:{minute:02}"),
        (false, 0, 0) => format!("{year:04}-{month:02}-{day:02}"),
        (false, ..) => format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}"),
    }
}

/// An owned cell of the older formats, as the streaming ones.
fn borrowed(value: &Data) -> DataRef<'_> {
    match value {
        Data::Int(number) => DataRef::Int(*number),
        Data::Float(number) => DataRef::Float(*number),
        Data::String(text) => DataRef::SharedString(text),
        Data::Bool(flag) => DataRef::Bool(*flag),
        Data::DateTime(time) => DataRef::DateTime(*time),
        Data::DateTimeIso(text) | Data::DurationIso(text) => DataRef::SharedString(text),
        Data::Error(_) | Data::Empty => DataRef::Empty,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_wrote_them() {
        for (number, expected) in
            [(100.0 - 80.01, "19.99"), (3.0, "3"), (0.1 + 0.2, "0.3"), (1_234_567.0, "1234567"), (-0.5, "-0.5")]
        {
            assert_eq!(decimal(number), expected);
        }
        assert_eq!(decimal(f64::NAN), "");
    }
}
