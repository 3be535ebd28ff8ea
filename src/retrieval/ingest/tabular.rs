//! Tables' rows → records: documents of their own, or passages of their file's.

use super::records::{BadRecord, Record};
use super::table::{self, Context, Hints, LeftOut, Offer, Row, Understood};
use super::{html, text};
use crate::retrieval::columns::Telling;
use crate::retrieval::ingest::table::Sheet;
use crate::retrieval::product::Product;

/// What a sheet's rows and texts came to.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) rows: Vec<Record>,
    /// Titles and notes around the tables.
    pub(super) texts: Vec<Record>,
    pub(super) bad: Vec<BadRecord>,
    pub(super) understood: Vec<Understood>,
}

/// Cells that tell a sheet's language.
const SAMPLED: usize = 600;

/// Reads a sheet; `separated`: its cells were parted by separators, so a row that has too few is
/// broken.
pub(super) fn records(mut sheet: Sheet, hints: &Hints, separated: bool) -> Records {
    for cell in sheet.rows.iter_mut().flat_map(|(_, cells)| cells) {
        if let Some(text) = unescaped(cell) {
            *cell = text;
        }
        if is_html(cell) {
            *cell = plain(cell);
        }
    }
    let cells = sheet
        .rows
        .iter()
        .flat_map(|(_, cells)| cells)
        .filter(|cell| cell.chars().any(char::is_alphabetic));
    let sample: Vec<&str> = cells.take(SAMPLED).map(String::as_str).collect();
    let language = text::language_of_rows(&sample.join("\n")).unwrap_or("en");
    let name = text::one_line(&sheet.name);
    let context = Context {
        hints,
        language,
        separated,
        moment: text::moment,
        is_language: text::is_language,
    };
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    let mut take = |row: Row| {
        let line = row.line;
        match record(row) {
            Ok(record) => rows.push(record),
            Err(reason) => wrong.push((line, reason)),
        }
    };
    let table::Reading { texts, bad, understood } = table::read(sheet, &context, &mut take);
    let bad =
        bad.into_iter().chain(wrong).map(|(line, reason)| BadRecord { line, reason }).collect();
    let mut records = Records { rows, bad, understood, ..Records::default() };
    if let Some((line, _)) = texts.first() {
        let all: Vec<String> = texts.iter().map(|(_, text)| text::unbroken(text)).collect();
        records.texts.push(Record { text: all.join("\n\n"), line: *line, ..Record::default() });
    }
    if !name.is_empty() {
        for record in records.rows.iter_mut().chain(&mut records.texts) {
            record.headings.insert(0, name.clone());
        }
    }
    records
}

/// A row as a record.
///
/// # Errors
///
/// A value that is wrong, in words.
fn record(row: Row) -> Result<Record, String> {
    let mut meta =
        text::Meta { title: row.title.as_deref().map(text::one_line), ..text::Meta::default() };
    for (key, value) in &row.meta {
        meta.set(key, value)?;
    }
    meta.warnings.extend(row.warnings);
    // A price for a while, within what holds for the whole row.
    let later = |own: Option<u64>, other: Option<u64>| own.max(other);
    let earlier = |own: Option<u64>, other: Option<u64>| own.into_iter().chain(other).min();
    meta.valid_from_ms = later(meta.valid_from_ms, row.valid_from_ms);
    meta.valid_until_ms = earlier(meta.valid_until_ms, row.valid_until_ms);
    // A row is one fact, so it is one sentence: a quote of it is never torn apart.
    let parts: Vec<String> = row
        .fields
        .iter()
        .map(
            |(label, value)| {
                if label.is_empty() { value.clone() } else { format!("{label}: {value}") }
            },
        )
        .collect();
    let mut text = if parts.is_empty() { String::new() } else { format!("{}.", parts.join("; ")) };
    let is_row = row.question_and_answer.is_none();
    if let Some((question, answer)) = row.question_and_answer {
        let pair = format!("Q: {question}\n\nA: {answer}");
        text = if text.is_empty() { pair } else { format!("{pair}\n\n{text}") };
    }
    Ok(Record {
        id: row.key.as_deref().map(text::one_line),
        headings: row.headings,
        meta,
        text,
        is_row,
        prose: row.prose,
        product: row.offer.map(product),
        line: row.line,
        ..Record::default()
    })
}

fn product(offer: Offer) -> Product {
    let Offer {
        id,
        name,
        variant,
        price,
        before,
        currency,
        per,
        tax,
        stock,
        available,
        backorder,
        ..
    } = offer;
    let Offer { category, url, image, .. } = offer;
    Product {
        id,
        name,
        variant,
        price,
        before,
        currency,
        per,
        tax,
        stock,
        available,
        backorder,
        category,
        url,
        image,
    }
}

/// Whether a cell holds markup.
fn is_html(cell: &str) -> bool {
    let tag = |at: usize| {
        let rest = cell[at + 1..].trim_start_matches('/');
        rest.starts_with(|char: char| char.is_ascii_alphabetic()) && rest.contains('>')
    };
    let tags = cell.match_indices('<').take(3).any(|(at, _)| tag(at));
    tags || cell.contains("&nbsp;") || cell.contains("&amp;") || cell.contains("&#")
}

/// A text whose line breaks and commas were written with backslashes, as WooCommerce's export does.
/// `None`: it has none of these, or backslashes mean something else in it.
fn unescaped(cell: &str) -> Option<String> {
    if !cell.contains('\\') {
        return None;
    }
    let mut text = String::with_capacity(cell.len());
    let mut chars = cell.chars().peekable();
    while let Some(char) = chars.next() {
        if char != '\\' {
            text.push(char);
            continue;
        }
        // A path has them before any letter, and after a drive's colon.
        let mut before = text.chars().rev();
        let drive = before.next() == Some(':')
            && before.next().is_some_and(|char| char.is_ascii_alphabetic())
            && !before.next().is_some_and(char::is_alphanumeric);
        match chars.next().filter(|_| !drive) {
            Some('n' | 'r') => text.push('\n'),
            Some('t') => text.push(' '),
            Some(',') => text.push(','),
            _ => return None,
        }
    }
    Some(text)
}

/// The text of a cell's markup, its paragraphs and items as sentences.
fn plain(cell: &str) -> String {
    let markdown = html::text_of_fragment(cell);
    let mut text = String::with_capacity(markdown.len());
    let mut after_item = false;
    for line in markdown.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let item = line.strip_prefix("- ").or_else(|| line.strip_prefix("* "));
        let line = item.unwrap_or(line).trim_start_matches('#').trim_start();
        let line = line.replace("**", "").replace("\\", "");
        if line.chars().all(|char| "-|*_ ".contains(char)) {
            continue;
        }
        if !text.is_empty() {
            let ends = text.ends_with(['.', '!', '?', ':', ';', ',', '。', '！', '？', '：']);
            text.push_str(match (ends, item.is_some() && after_item) {
                (true, _) => " ",
                (false, true) => ", ",
                (false, false) => ". ",
            });
        }
        text.push_str(&line);
        after_item = item.is_some();
    }
    text
}

/// What of a table wants to be said in a report: what was left out, and how to mend it. A line
/// each, without the file's name.
pub(super) fn notes(understood: &Understood, meta_file: &str) -> Vec<String> {
    let mut notes = Vec::new();
    let at = if understood.sheet.is_empty() {
        String::new()
    } else {
        format!("sheet {:?}: ", understood.sheet)
    };
    if understood.header.is_empty() && understood.rows > 0 {
        let taken: Vec<String> = understood
            .columns
            .iter()
            .zip(1..)
            .filter_map(|(column, number)| {
                Some(format!("{number} is {:?}", column.kind?).to_lowercase())
            })
            .collect();
        let taken = if taken.is_empty() {
            "none of its columns is understood".to_owned()
        } else {
            taken.join(", ")
        };
        notes.push(format!(
            "{at}it has no line of column names; by what stands below, column {taken}. {meta_file} can say \
             columns: 1=name, 2=price, or header_row: 3"
        ));
    }
    let dark = |column: &&table::UnderstoodColumn| {
        column.kind.is_none() && column.telling == Telling::LeftOut && column.why != "it is empty"
    };
    let unknown: Vec<String> = understood
        .columns
        .iter()
        .filter(dark)
        .filter(|column| !column.name.is_empty())
        .map(|column| format!("{:?}", text::one_line(&column.name)))
        .collect();
    if !unknown.is_empty() {
        let more = unknown.len().saturating_sub(8);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        notes.push(format!(
            "{at}columns that aren't understood are not told: {}{more}; {meta_file} can say columns: NAME=told",
            unknown[..unknown.len().min(8)].join(", ")
        ));
    }
    for LeftOut { reason, rows, line } in &understood.left_out {
        // Pictures are no loss, and broken rows are named by themselves.
        if reason.starts_with("it isn't for sale") {
            let more =
                if *rows > 1 { format!(" and {} more rows", rows - 1) } else { String::new() };
            notes.push(format!("{at}line {line}{more}: {reason}"));
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retrieval::ingest::table::csv_sheet;

    fn csv(content: &str) -> Records {
        let (sheet, bad) = csv_sheet(content);
        assert_eq!(bad, []);
        records(sheet, &Hints::default(), true)
    }

    #[test]
    fn a_row_is_a_sentence() {
        let Records { rows, bad, .. } = csv(
            "sku;Name;Price (EUR);url\nA1;Coat;\"99,90\";https://x.example/a1\n\nA2;Hat\nA3;;5;\n",
        );
        let actual: Vec<_> = rows
            .iter()
            .map(|r| {
                (
                    r.id.as_deref(),
                    r.meta.title.as_deref(),
                    r.meta.url.as_deref(),
                    r.text.as_str(),
                    r.line,
                )
            })
            .collect();
        assert_eq!(
            actual,
            [
                (
                    Some("A1"),
                    Some("Coat"),
                    Some("https://x.example/a1"),
                    "sku: A1; Name: Coat; Price (EUR): 99,90.",
                    2
                ),
                (Some("A3"), None, None, "sku: A3; Price (EUR): 5.", 5),
            ]
        );
        assert_eq!(bad.len(), 1);
        assert!(
            bad[0].line == 4 && bad[0].reason.contains("2 fields, but the header names 4"),
            "{bad:?}"
        );
        let records = csv("question,answer,topic\nWhy?,\"So, and so.\",life\n").rows;
        assert_eq!(records[0].text, "Q: Why?\n\nA: So, and so.\n\ntopic: life.");
        assert_eq!(records[0].meta.title.as_deref(), Some("Why?"));
        assert!(csv("").rows.is_empty());
    }

    #[test]
    fn line_breaks_written_with_a_backslash_are_line_breaks() {
        let rows =
            csv("Name,Price,Description\nBag,9.00,\"Made of felt\\nWashes at 30°C\\, by hand\"\n")
                .rows;
        assert_eq!(
            rows[0].text,
            "Name: Bag; Price: 9.00; Description: Made of felt Washes at 30°C, by hand."
        );
        assert_eq!(
            unescaped("<p>320 g/m²\\n<br>Wool</p>").as_deref().map(plain).as_deref(),
            Some("320 g/m². Wool")
        );
        assert_eq!(unescaped(r"C:\new\files"), None);
    }

    #[test]
    fn markup_in_a_cell_becomes_text() {
        assert!(
            is_html("<p>Made of <b>steel</b></p>")
                && is_html("oil &amp; salt")
                && !is_html("3 < 5, a > b")
        );
        assert_eq!(
            plain(
                "<p><meta charset=\"utf-8\"><span data-x=\"1\">Made of <strong>steel</strong>.</span></p><ul><li>1.2 litres</li><li>For gas &amp; induction</li></ul>"
            ),
            "Made of steel. 1.2 litres, For gas & induction"
        );
    }
}
