//! Workbooks (xlsx, xlsm, xls, ods) → rows of text. Runs in the child process of
//! [`super::isolated`].

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;

use calamine::{Data, DataRef, Dimensions, ExcelDateTime, Ods, Reader, SheetVisible, Xls, Xlsx};

use crate::retrieval::ingest::extraction::{Extraction, MAX_TEXT_BYTES, open_zip, zip_text};
use crate::retrieval::ingest::table::Sheet;

mod ods_cells;
mod xls_formats;

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
        let mut archive = open_zip(document)?;
        if archive.index_for_name("content.xml").is_some() {
            let cells = ods_cells::read(&zip_text(&mut archive, "content.xml")?);
            let mut ods: Ods<_> = Ods::new(Cursor::new(document)).map_err(damaged)?;
            let as_shown = |sheet: &str, at: (u32, u32), _: &DataRef<'_>| {
                cells.get(sheet).and_then(|cells| cells.get(&at)).cloned()
            };
            whole_sheets(&mut ods, &as_shown, &mut extraction, &mut hidden)?;
        } else {
            let uncomputed = is_uncomputed(&zip_text(&mut archive, "xl/workbook.xml")?);
            drop(archive);
            let mut xlsx: Xlsx<_> = Xlsx::new(Cursor::new(document)).map_err(damaged)?;
            for name in visible(&xlsx, &mut hidden) {
                let placeholders =
                    if uncomputed { formulas(&mut xlsx, &name)? } else { BTreeSet::new() };
                // Cell by cell: a single one at the far end must not cost the memory of all
                // between.
                let mut cells = match xlsx.worksheet_cells_reader(&name) {
                    Ok(cells) => cells,
                    // A sheet that is a chart.
                    Err(calamine::XlsxError::NotAWorksheet(_)) => continue,
                    Err(error) => return Err(damaged(error)),
                };
                let mut rows = Rows::default();
                while let Some((cell, style)) = cells.next_cell_with_style_id().map_err(damaged)? {
                    let (row, column) = cell.get_position();
                    let value = cell.get_value();
                    if matches!(value, DataRef::Int(0) | DataRef::Float(0.0))
                        && placeholders.contains(&(row, column))
                    {
                        continue;
                    }
                    let style =
                        cells.styles().get(style).and_then(|style| style.number_format.as_ref());
                    let format = style.map_or("", |format| format.format_code.as_str());
                    rows.add(row, column, as_formatted(value, format))?;
                }
                drop(cells);
                let empty = formulas_without_results(&mut xlsx, &name, &rows)?;
                if empty > 0 {
                    extraction.warnings.push(format!(
                        "sheet {name:?}: {empty} formulas have no stored result and were left out; open it in a spreadsheet \
                         program and save it"
                    ));
                }
                rows.fill(&xlsx.merge_cells_by_sheet_name(&name).map_err(damaged)?)?;
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
        let formats = xls_formats::read(document);
        let names: Vec<String> =
            xls.sheets_metadata().iter().map(|sheet| sheet.name.clone()).collect();
        let as_shown = |sheet: &str, at: (u32, u32), value: &DataRef<'_>| {
            let number = names.iter().position(|name| name == sheet)?;
            Some(as_formatted(value, formats.get(number)?.get(&at)?))
        };
        whole_sheets(&mut xls, &as_shown, &mut extraction, &mut hidden)?;
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

/// A cell of a sheet (by name), at a row and a column, as the workbook shows it; `None` where its
/// number format adds nothing.
type AsShown<'a> = dyn Fn(&str, (u32, u32), &DataRef<'_>) -> Option<String> + 'a;

/// Reads sheets that are read as a whole; `as_shown`: a cell with what its number format adds, by
/// sheet, row and column.
fn whole_sheets<R: Reader<Cursor<T>>, T: AsRef<[u8]>>(
    workbook: &mut R,
    as_shown: &AsShown<'_>,
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
            let at = |start: u32, offset: usize| {
                start.saturating_add(u32::try_from(offset).unwrap_or(u32::MAX))
            };
            let (row, column, value) = (at(top, row), at(left, column), borrowed(value));
            let text = as_shown(&name, (row, column), &value).unwrap_or_else(|| shown(&value));
            rows.add(row, column, text)?;
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

    /// Cells that are merged downwards hold in each of their rows what the first one does.
    fn fill(&mut self, merged: &[Dimensions]) -> Result<(), String> {
        const MAX_FILLED: u32 = 200_000;
        let mut filled = 0;
        for region in merged {
            let ((top, left), (bottom, _)) = (region.start, region.end);
            let Some(text) = self.rows.get(&top).and_then(|cells| cells.get(&left)).cloned() else {
                continue;
            };
            for row in top.saturating_add(1)..=bottom {
                // Only rows that hold something: a region may reach down to the sheet's end.
                if filled >= MAX_FILLED {
                    return Ok(());
                }
                if self.rows.contains_key(&row) {
                    self.add(row, left, text.clone())?;
                    filled += 1;
                } else if row > self.rows.last_key_value().map_or(0, |(last, _)| *last) {
                    break;
                }
            }
        }
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

/// Whether the workbook asks whoever opens it to compute everything anew (`fullCalcOnLoad`):
/// programs that don't calculate write that, and 0 as the result of each formula. ECMA-376 part 1,
/// 18.2.2.
fn is_uncomputed(workbook: &str) -> bool {
    let mut elements = workbook.split('<').filter_map(|text| text.split('>').next());
    let properties = elements.find(|element| element.split_whitespace().next() == Some("calcPr"));
    let asked = |value: &str| {
        properties.is_some_and(|element| element.contains(&format!("fullCalcOnLoad={value}")))
    };
    ["\"1\"", "\"true\"", "'1'", "'true'"].into_iter().any(asked)
}

/// Where a sheet has formulas.
fn formulas<T: AsRef<[u8]>>(
    xlsx: &mut Xlsx<Cursor<T>>,
    name: &str,
) -> Result<BTreeSet<(u32, u32)>, String> {
    let mut cells = match xlsx.worksheet_cells_reader(name) {
        Ok(cells) => cells,
        Err(calamine::XlsxError::NotAWorksheet(_)) => return Ok(BTreeSet::new()),
        Err(error) => return Err(damaged(error)),
    };
    let mut found = BTreeSet::new();
    while let Some(cell) = cells.next_formula().map_err(damaged)? {
        if !cell.get_value().is_empty() && cell.get_position().1 < MAX_COLUMNS {
            found.insert(cell.get_position());
        }
    }
    Ok(found)
}

/// Formulas whose result the file doesn't hold: those of programs that don't calculate.
fn formulas_without_results<T: AsRef<[u8]>>(
    xlsx: &mut Xlsx<Cursor<T>>,
    name: &str,
    rows: &Rows,
) -> Result<usize, String> {
    let mut cells = xlsx.worksheet_cells_reader(name).map_err(damaged)?;
    let mut empty = 0;
    while let Some(cell) = cells.next_formula().map_err(damaged)? {
        let (row, column) = cell.get_position();
        let held = rows.rows.get(&row).is_some_and(|cells| cells.contains_key(&column));
        // An empty text is a result, too: `=IF(A1="", "", …)`.
        let formula = cell.get_value();
        if !formula.is_empty() && !held && column < MAX_COLUMNS && !formula.contains("\"\"") {
            empty += 1;
        }
    }
    Ok(empty)
}

/// A cell as its number format shows it: `7.5%`, `1234.50 €`, `00100`. Thousands aren't parted, so
/// that no sign has two meanings.
fn as_formatted(value: &DataRef<'_>, format: &str) -> String {
    let number = match value {
        #[expect(clippy::cast_precision_loss, reason = "cells hold doubles")]
        DataRef::Int(number) => *number as f64,
        DataRef::Float(number) => *number,
        _ => return shown(value),
    };
    formatted(number, format).unwrap_or_else(|| shown(value))
}

/// A number by a format code of Office Open XML (ECMA-376 part 1, 18.8.31). `None` for the general
/// format, fractions, exponents, and whatever else isn't plain digits with text around them.
fn formatted(number: f64, format: &str) -> Option<String> {
    if format.is_empty() || format.eq_ignore_ascii_case("general") || !number.is_finite() {
        return None;
    }
    let (mut before, mut digits, mut after) = (String::new(), String::new(), String::new());
    let mut percent = false;
    let mut chars = format.chars();
    while let Some(char) = chars.next() {
        let more = after.trim().is_empty();
        let text = if digits.is_empty() { &mut before } else { &mut after };
        match char {
            '"' => text.extend(chars.by_ref().take_while(|char| *char != '"')),
            '\\' => text.extend(chars.next()),
            '_' | '*' => {
                chars.next();
                text.push(' ');
            }
            '[' => {
                let code: String = chars.by_ref().take_while(|char| *char != ']').collect();
                if let Some(currency) = code.strip_prefix('$') {
                    text.push_str(currency.split('-').next().unwrap_or_default());
                }
            }
            ';' => break,
            '%' => {
                percent = true;
                text.push('%');
            }
            '0' | '#' | '?' | ',' | '.' if more => digits.push(char),
            ' ' | '(' | ')' | '-' | '+' | ':' => text.push(char),
            char if !char.is_ascii() || char == '$' => text.push(char),
            // Letters without quotes are dates, exponents or names of colours.
            _ => return None,
        }
    }
    if digits.is_empty() || digits.ends_with(',') {
        return None;
    }
    let (whole, places) = digits.split_once('.').unwrap_or((&digits, ""));
    let wanted = places.len();
    let least = places.chars().filter(|char| *char == '0').count();
    let value = if percent { number * 100.0 } else { number };
    // As a spreadsheet rounds: by the 15 digits that it keeps.
    let value: f64 = format!("{value:.14e}").parse().ok()?;
    let mut text = format!("{:.wanted$}", value.abs());
    while wanted > least
        && text.ends_with('0')
        && text.split_once('.').is_some_and(|(_, cents)| cents.len() > least)
    {
        text.pop();
    }
    let text = text.trim_end_matches('.');
    let width = whole.chars().filter(|char| *char == '0').count();
    let cents = text.find('.').map_or("", |at| &text[at..]);
    let padded = format!("{:0>width$}{cents}", &text[..text.len() - cents.len()]);
    let sign = if value < 0.0 { "-" } else { "" };
    let gap = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (before, after) = (gap(&before), gap(&after));
    let space = |text: &str| if text.is_empty() || text.starts_with('%') { "" } else { " " };
    let lead = if before.chars().any(char::is_alphabetic) { " " } else { "" };
    Some(format!("{before}{lead}{sign}{padded}{}{after}", space(&after)))
}

/// A cell as a person would read it. What a formula came to is shown, an error is nothing.
fn shown(value: &DataRef<'_>) -> String {
    match value {
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
            text.trim().to_owned()
        }
        DataRef::SharedString(text) => text.trim().to_owned(),
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => decimal(*number),
        DataRef::Bool(flag) => flag.to_string(),
        DataRef::DateTime(time) => moment(time),
        DataRef::Error(_) | DataRef::Empty => String::new(),
    }
}

/// Excel keeps 15 digits; what stands beyond is what binary fractions leave (19.99 as
/// 19.989999999999995).
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
        for (number, expected) in [
            (100.0 - 80.01, "19.99"),
            (3.0, "3"),
            (0.1 + 0.2, "0.3"),
            (1_234_567.0, "1234567"),
            (-0.5, "-0.5"),
        ] {
            assert_eq!(decimal(number), expected);
        }
        assert_eq!(decimal(f64::NAN), "");
    }

    #[test]
    fn number_formats_are_kept() {
        for (number, format, expected) in [
            (0.075, "0.0%", Some("7.5%")),
            (1234.5, "#,##0.00 €", Some("1234.50 €")),
            (19.9, "0.00 \"CHF\"", Some("19.90 CHF")),
            (100.0, "00000", Some("00100")),
            (12.0, "#,##0.00 [$€-407]", Some("12.00 €")),
            (12.5, "_($* #,##0.00_);_($* (#,##0.00)", Some("$12.50")),
            (7.0, "[$EUR] 0.00", Some("EUR 7.00")),
            (0.5, "0.##", Some("0.5")),
            (3.0, "0.##", Some("3")),
            (-4.0, "0.00;[Red]-0.00", Some("-4.00")),
            (2.675, "0.00", Some("2.67")),
            (5.0, "General", None),
            (5.0, "# ?/?", None),
            (5.0, "0.00E+00", None),
        ] {
            assert_eq!(formatted(number, format).as_deref(), expected, "{format}");
        }
    }
}
