//! The text of a CSV → its rows of cells.

use super::Sheet;

/// Lines that tell the separator.
const SAMPLED: usize = 60;
/// Fields of a row; more are no table.
const MAX_FIELDS: usize = 2_000;

/// A CSV's rows that hold anything, by lines; the separator (`,`, `;`, tab, `|`) is the one that
/// cuts most lines alike. Rows that can't be read come with the reason.
pub(in crate::retrieval::ingest) fn csv_sheet(content: &str) -> (Sheet, Vec<(usize, String)>) {
    // Excel's own way to name the separator.
    let (named, content, skipped) = match content.split_once('\n') {
        Some((first, rest))
            if first.trim().len() == 5 && first.trim().to_ascii_lowercase().starts_with("sep=") =>
        {
            (first.trim().bytes().last(), rest, 1)
        }
        _ => (None, content, 0),
    };
    let separator = named.unwrap_or_else(|| separator(content));
    let mut reader = reader(separator, content);
    let mut sheet = Sheet::default();
    let mut bad = Vec::new();
    let mut row = csv::StringRecord::new();
    loop {
        match reader.read_record(&mut row) {
            Ok(false) => break,
            Ok(true) => {}
            Err(error) => {
                let line =
                    error.position().map_or(0, |position| line_at(content, position)) + skipped;
                bad.push((line, format!("can't be read: {error}")));
                continue;
            }
        }
        if row.iter().all(str::is_empty) {
            continue;
        }
        let line = row.position().map_or(0, |position| line_at(content, position)) + skipped;
        if row.len() > MAX_FIELDS {
            bad.push((line, format!("it has {} fields; a table has a few", row.len())));
            continue;
        }
        sheet.rows.push((line, row.iter().map(str::to_owned).collect()));
    }
    (sheet, bad)
}

/// Whether a text is a table with tabs: most of its first lines have the same number of them, and
/// several.
pub(in crate::retrieval::ingest) fn is_tabbed(content: &str) -> bool {
    let lines = content.lines().filter(|line| !line.trim().is_empty()).take(SAMPLED);
    let mut tabs: Vec<usize> = lines.map(|line| line.matches('\t').count()).collect();
    tabs.sort_unstable();
    let middle = tabs.get(tabs.len() / 2).copied().unwrap_or(0);
    tabs.len() > 1
        && middle > 1
        && tabs.iter().filter(|count| **count == middle).count() * 10 >= tabs.len() * 8
}

fn reader(separator: u8, content: &str) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .delimiter(separator)
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(content.as_bytes())
}

fn separator(content: &str) -> u8 {
    let cut = |separator: u8| {
        let mut widths: Vec<usize> = Vec::new();
        let mut reader = reader(separator, content);
        let mut row = csv::StringRecord::new();
        while widths.len() < SAMPLED && reader.read_record(&mut row).unwrap_or(false) {
            widths.push(row.len());
        }
        // Lines of the most frequent width, counted by what they are cut into.
        widths.sort_unstable();
        let alike = widths.chunk_by(|a, b| a == b).filter(|chunk| chunk[0] > 1);
        alike.map(|chunk| (chunk.len() * (chunk[0] - 1).min(6), chunk[0])).max().unwrap_or_default()
    };
    // Of equals the first: a comma is more often a separator than a part of a value.
    let candidates = [b',', b';', b'\t', b'|'].into_iter().rev();
    candidates.max_by_key(|separator| cut(*separator)).unwrap_or(b',')
}

/// The line a record begins in; the reader's position is before the blank lines above it.
fn line_at(content: &str, position: &csv::Position) -> usize {
    let start = usize::try_from(position.byte()).unwrap_or(usize::MAX);
    let blank = content
        .as_bytes()
        .get(start..)
        .unwrap_or_default()
        .iter()
        .take_while(|byte| **byte == b'\n')
        .count();
    usize::try_from(position.line()).unwrap_or(0) + blank
}
