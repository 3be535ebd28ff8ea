//! The number formats of a workbook of Office 97: `calamine` reads its cells without them.
//!
//! Records by [MS-XLS] 2.4: FORMAT, XF and BOUNDSHEET of the globals, NUMBER, RK, MULRK and FORMULA
//! of the sheets.

use std::collections::HashMap;
use std::io::{Cursor, Read};

/// Format codes by sheet, in the order of the workbook, and by row and column from 0. Cells in the
/// general format have none.
pub(super) type Formats = Vec<HashMap<(u32, u32), String>>;

/// Cells whose format is kept; those of more are shown plainly.
const MAX_CELLS: usize = 2_000_000;
/// Largest stream that is read, in bytes.
const MAX_STREAM: u64 = 256 << 20;

/// Reads the formats. Empty where the file is older than Office 97 or damaged: its cells are then
/// shown plainly.
pub(super) fn read(document: &[u8]) -> Formats {
    stream(document).and_then(|stream| formats(&stream)).unwrap_or_default()
}

fn stream(document: &[u8]) -> Option<Vec<u8>> {
    let mut file = cfb::CompoundFile::open(Cursor::new(document)).ok()?;
    let stream = file.open_stream("/Workbook").ok()?;
    let mut bytes = Vec::new();
    stream.take(MAX_STREAM).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// A record's type and data, and where the next one begins.
fn record(stream: &[u8], at: usize) -> Option<(u16, &[u8], usize)> {
    let head = stream.get(at..at.checked_add(4)?)?;
    let length = usize::from(number(head, 2)?);
    let end = at + 4 + length;
    Some((number(head, 0)?, stream.get(at + 4..end)?, end))
}

fn number(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(data.get(at..at + 2)?.try_into().ok()?))
}

fn formats(stream: &[u8]) -> Option<Formats> {
    const BOF: u16 = 0x0809;
    const EOF: u16 = 0x000A;
    const BIFF8: u16 = 0x0600;
    let (first, data, mut at) = record(stream, 0)?;
    if first != BOF || number(data, 0)? != BIFF8 {
        return None;
    }
    let (mut codes, mut cells, mut sheets): (HashMap<u16, String>, Vec<u16>, Vec<usize>) =
        Default::default();
    while let Some((kind, data, next)) = record(stream, at) {
        match kind {
            0x041E => codes.extend(Some(number(data, 0)?).zip(text(data.get(2..)?))),
            0x00E0 => cells.push(number(data, 2)?),
            0x0085 => sheets
                .push(usize::try_from(u32::from_le_bytes(data.get(..4)?.try_into().ok()?)).ok()?),
            EOF => break,
            _ => {}
        }
        at = next;
    }
    let code = |cell: u16| -> Option<String> {
        let format = *cells.get(usize::from(cell))?;
        codes.get(&format).cloned().or_else(|| built_in(format).map(str::to_owned))
    };
    let mut left = MAX_CELLS;
    let mut all = Formats::new();
    for start in sheets {
        let mut sheet = HashMap::new();
        let (mut at, mut depth) = (start, 0_usize);
        while let Some((kind, data, next)) = record(stream, at) {
            let mut note = |row: u16, column: u16, cell: u16| {
                if let Some(code) = code(cell).filter(|code| !code.eq_ignore_ascii_case("general"))
                    && left > 0
                {
                    left -= 1;
                    sheet.insert((u32::from(row), u32::from(column)), code);
                }
            };
            match kind {
                BOF => depth += 1,
                EOF if depth <= 1 => break,
                EOF => depth -= 1,
                // A sheet's own cells, not those of a chart in it.
                0x0203 | 0x027E | 0x0006 if depth == 1 && data.len() >= 6 => {
                    note(number(data, 0)?, number(data, 2)?, number(data, 4)?);
                }
                0x00BD if depth == 1 && data.len() >= 6 => {
                    let (row, first) = (number(data, 0)?, number(data, 2)?);
                    let inner = data.get(4..data.len() - 2)?;
                    for (column, cell) in (first..=u16::MAX).zip(inner.chunks_exact(6)) {
                        note(row, column, number(cell, 0)?);
                    }
                }
                _ => {}
            }
            at = next;
        }
        all.push(sheet);
    }
    Some(all)
}

/// An XLUnicodeString: characters, a flag for their width, and they.
fn text(data: &[u8]) -> Option<String> {
    let count = usize::from(number(data, 0)?);
    let wide = data.get(2)? & 1 == 1;
    let bytes = data.get(3..)?;
    Some(if wide {
        let units: Vec<u16> = bytes
            .chunks_exact(2)
            .take(count)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .collect();
        String::from_utf16_lossy(&units)
    } else {
        bytes.iter().take(count).map(|byte| char::from(*byte)).collect()
    })
}

/// Formats that no file lists ([MS-XLS] 2.4.126), as far as they mean the same everywhere.
fn built_in(format: u16) -> Option<&'static str> {
    Some(match format {
        1 => "0",
        2 => "0.00",
        3 => "#,##0",
        4 => "#,##0.00",
        9 => "0%",
        10 => "0.00%",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(stream: &mut Vec<u8>, kind: u16, data: &[u8]) {
        stream.extend(kind.to_le_bytes());
        stream.extend(u16::try_from(data.len()).unwrap().to_le_bytes());
        stream.extend(data);
    }

    #[test]
    fn cells_have_the_formats_of_their_records() {
        let mut stream = Vec::new();
        put(&mut stream, 0x0809, &[0, 6, 5, 0]);
        put(&mut stream, 0x041E, b"\xA4\x00\x06\x00\x000.0\" l");
        put(&mut stream, 0x00E0, &[0, 0, 0, 0]);
        put(&mut stream, 0x00E0, &[0, 0, 0xA4, 0]);
        put(&mut stream, 0x00E0, &[0, 0, 10, 0]);
        let start = u32::try_from(stream.len() + 8 + 4 + 4).unwrap();
        put(&mut stream, 0x0085, &[start.to_le_bytes(), [0; 4]].concat());
        put(&mut stream, 0x000A, &[]);
        stream.truncate(usize::try_from(start).unwrap());
        put(&mut stream, 0x0809, &[0, 6, 16, 0]);
        put(&mut stream, 0x0203, &[1, 0, 2, 0, 1, 0, 0, 0]);
        put(&mut stream, 0x00BD, &[3, 0, 1, 0, 0, 0, 9, 9, 9, 9, 2, 0, 9, 9, 9, 9, 2, 0]);
        put(&mut stream, 0x000A, &[]);
        let formats = formats(&stream).unwrap();
        let of = |row, column| formats[0].get(&(row, column)).map(String::as_str);
        assert_eq!((of(1, 2), of(3, 1), of(3, 2)), (Some("0.0\" l"), None, Some("0.00%")));
    }

    #[test]
    fn cut_streams_are_no_workbook() {
        assert!(read(b"\xD0\xCF\x11\xE0").is_empty());
        assert!(formats(&[9, 8, 4, 0, 0, 6]).is_none());
        assert_eq!(formats(&[9, 8, 4, 0, 0, 6, 5, 0, 0x1E, 4, 200, 0]), Some(Vec::new()));
    }
}
