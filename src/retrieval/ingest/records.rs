//! Records: rows of a CSV or a workbook, and the lines of a JSON Lines file (or the elements of a JSON array).

use std::collections::BTreeMap;
use std::io::{BufRead, Read};

use serde_json::{Map, Value};

use super::text::{self, Meta};
use crate::language::column_name;
use crate::retrieval::ingest::extraction::Sheet;
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

/// Columns that name a row for good, best first.
const KEYS: [&str; 12] = [
    "id",
    "sku",
    "article_number",
    "article_no",
    "artikelnummer",
    "item_id",
    "product_id",
    "code",
    "handle",
    "slug",
    "key",
    "ean",
];
/// Columns and fields that hold a name to show.
const NAMES: [&str; 10] =
    ["title", "name", "question", "product", "product_name", "label", "bezeichnung", "headline", "subject", "term"];
/// Columns that say something about the row rather than being part of it.
const META: [&str; 8] = ["url", "link", "language", "lang", "locale", "audience", "valid_from", "valid_until"];

/// Reads a CSV with a header line; `,`, `;` and tab are told apart by the header. Rows that have more or fewer fields
/// than the header, or wrong values, are reported and left out.
///
/// # Errors
///
/// When there is no header.
pub(super) fn csv(content: &str) -> Result<(Vec<Record>, Vec<BadRecord>), String> {
    let header_line = content.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let count = |separator: char| header_line.matches(separator).count();
    let separator = [b',', b';', b'\t'].into_iter().max_by_key(|s| count(char::from(*s))).unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(content.as_bytes());
    let header = reader.headers().map_err(|error| format!("its header can't be read: {error}"))?.clone();
    if header.iter().all(str::is_empty) {
        return Err("it has no header line with column names".to_owned());
    }
    let columns = Columns::new(header.iter().map(str::to_owned).collect());

    let mut records = Vec::new();
    let mut bad = Vec::new();
    let mut row = csv::StringRecord::new();
    loop {
        match reader.read_record(&mut row) {
            Ok(false) => break,
            Ok(true) => {}
            Err(error) => {
                let line = error.position().map_or(0, |position| line_at(content, position));
                bad.push(BadRecord { line, reason: format!("can't be read: {error}") });
                continue;
            }
        }
        let line = row.position().map_or(0, |position| line_at(content, position));
        if row.iter().all(str::is_empty) {
            continue;
        }
        if row.len() != columns.labels.len() {
            let (found, named) = (row.len(), columns.labels.len());
            let reason = format!("it has {found} fields, but the header names {named}; is a quote missing?");
            bad.push(BadRecord { line, reason });
            continue;
        }
        match columns.record(&row.iter().collect::<Vec<_>>(), line) {
            Ok(record) => records.push(record),
            Err(wrong) => bad.push(wrong),
        }
    }
    Ok((records, bad))
}

/// A table's header, and what its columns mean.
struct Columns {
    labels: Vec<String>,
    /// The labels in lower case with `_` for gaps.
    names: Vec<String>,
    key: Option<usize>,
    name: Option<usize>,
    question_and_answer: Option<(usize, usize)>,
}

impl Columns {
    fn new(labels: Vec<String>) -> Self {
        let names: Vec<String> = labels.iter().map(|label| column_name(label)).collect();
        let column = |wanted: &[&str]| wanted.iter().find_map(|name| names.iter().position(|column| column == name));
        let (key, name) = (column(&KEYS), column(&NAMES));
        let question_and_answer = column(&["question", "frage"]).zip(column(&["answer", "antwort"]));
        Self { labels, names, key, name, question_and_answer }
    }

    /// A row with a value for each column.
    fn record(&self, row: &[&str], line: usize) -> Result<Record, BadRecord> {
        let mut meta = Meta::default();
        let mut parts = Vec::with_capacity(row.len());
        for (((label, column), value), at) in self.labels.iter().zip(&self.names).zip(row).zip(0..) {
            if self.question_and_answer.is_some_and(|(question, answer)| at == question || at == answer) {
                continue;
            }
            if META.contains(&column.as_str()) {
                meta.set(column, value).map_err(|reason| BadRecord { line, reason })?;
            } else if !value.is_empty() && !label.is_empty() {
                parts.push(format!("{label}: {}", text::unbroken(value)));
            }
        }
        let cell = |at: Option<usize>| at.and_then(|at| row.get(at)).filter(|value| !value.is_empty());
        meta.title = cell(self.name).map(|name| text::one_line(name));
        let id = cell(self.key).map(|id| text::one_line(id));
        // A row is one fact, so it is one sentence: a quote of it is never torn apart.
        let mut text = if parts.is_empty() { String::new() } else { format!("{}.", parts.join("; ")) };
        if let Some((question, answer)) = self.question_and_answer {
            let value = |at: usize| row.get(at).copied().unwrap_or_default().trim();
            let pair = format!("Q: {}\n\nA: {}", value(question), value(answer));
            text = if text.is_empty() { pair } else { format!("{pair}\n\n{text}") };
        }
        let fields: Vec<(&str, &str)> = self.labels.iter().map(String::as_str).zip(row.iter().copied()).collect();
        let product = Product::read(&fields, &mut meta.warnings);
        Ok(Record { id, meta, text, product, line, ..Record::default() })
    }
}

/// Reads a sheet of a workbook. Its header is the first row with at least two cells and something below; what stands
/// above it, or a sheet without such a row, is text.
pub(super) fn sheet(sheet: &Sheet) -> (Vec<Record>, Vec<BadRecord>) {
    let filled = |cells: &[String]| cells.iter().filter(|cell| !cell.is_empty()).count();
    let header = sheet.rows.iter().position(|(_, cells)| filled(cells) > 1);
    let header = header.filter(|at| at + 1 < sheet.rows.len());
    let (above, table) = sheet.rows.split_at(header.unwrap_or(sheet.rows.len()));
    let (mut records, mut bad) = (Vec::new(), Vec::new());
    let lines: Vec<String> = above.iter().map(|(_, cells)| text::unbroken(&cells.join(" "))).collect();
    if let Some((line, _)) = above.first() {
        records.push(Record { text: lines.join("\n\n"), line: *line, ..Record::default() });
    }
    if let Some(((_, header), rows)) = table.split_first() {
        let columns = Columns::new(header.clone());
        for (line, cells) in rows {
            let row: Vec<&str> = (0..header.len()).map(|at| cells.get(at).map_or("", |cell| cell.trim())).collect();
            let beyond = cells.iter().skip(header.len()).filter(|cell| !cell.is_empty()).count();
            match columns.record(&row, *line) {
                Ok(record) if record.text.is_empty() => {}
                Ok(_) if beyond > 0 => {
                    let reason = format!("it has {beyond} cells right of the header's last");
                    bad.push(BadRecord { line: *line, reason });
                }
                Ok(record) => records.push(record),
                Err(wrong) => bad.push(wrong),
            }
        }
    }
    for record in &mut records {
        record.headings = vec![text::one_line(&sheet.name)];
    }
    (records, bad)
}

/// The line a record begins in; the reader's position is before the blank lines above it.
fn line_at(content: &str, position: &csv::Position) -> usize {
    let start = usize::try_from(position.byte()).unwrap_or(usize::MAX);
    let blank = content.as_bytes().get(start..).unwrap_or_default().iter().take_while(|byte| **byte == b'\n').count();
    usize::try_from(position.line()).unwrap_or(0) + blank
}

/// Reads a line of a JSON Lines file.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn json_line(line: &[u8], number: usize) -> Result<Record, BadRecord> {
    let bad = |reason: String| BadRecord { line: number, reason };
    let text = text::decode(line).map_err(bad)?;
    let value: Value = serde_json::from_str(&text).map_err(|error| bad(format!("is no JSON: {error}")))?;
    json_record(value, number)
}

/// Reads a JSON array of records, one record, or an object whose values are all records, by their ids.
///
/// # Errors
///
/// When the file as a whole is no JSON.
pub(super) fn json(content: &str) -> Result<Vec<Result<Record, BadRecord>>, String> {
    let value: Value = serde_json::from_str(content).map_err(|error| format!("it is no JSON: {error}"))?;
    let elements = match value {
        Value::Array(elements) => elements,
        Value::Object(fields) if fields.len() > 1 && fields.values().all(Value::is_object) => by_id(fields),
        record @ Value::Object(_) => vec![record],
        _ => return Err("it holds neither an array of records nor a record".to_owned()),
    };
    Ok(elements.into_iter().zip(1..).map(|(value, number)| json_record(value, number)).collect())
}

/// Records under their ids; one that names no id of its own gets the key.
fn by_id(fields: Map<String, Value>) -> Vec<Value> {
    let records = fields.into_iter().map(|(key, mut value)| {
        if let Value::Object(record) = &mut value
            && !record.contains_key("id")
            && !record.contains_key("_id")
        {
            record.insert("id".to_owned(), Value::String(key));
        }
        value
    });
    records.collect()
}

fn json_record(value: Value, line: usize) -> Result<Record, BadRecord> {
    let bad = |reason: String| BadRecord { line, reason };
    let Value::Object(mut fields) = value else {
        return Err(bad("is no JSON object".to_owned()));
    };
    let variants = match fields.remove("variants") {
        Some(Value::Array(variants)) => variants,
        Some(Value::Object(variants)) if variants.values().all(Value::is_object) => by_id(variants),
        Some(other) => {
            fields.insert("variants".to_owned(), other);
            Vec::new()
        }
        None => Vec::new(),
    };
    let mut record = plain_record(&fields, line).map_err(bad)?;
    for variant in variants {
        let Value::Object(mut variant) = variant else {
            return Err(bad("has a variant that is no JSON object".to_owned()));
        };
        // A variant is called what its product is called, and may be seen by whom the product may be seen.
        for (key, value) in &fields {
            if (NAMES.contains(&key.as_str()) || META.contains(&key.as_str()) || key == "category" || key == "currency")
                && !variant.contains_key(key)
            {
                variant.insert(key.clone(), value.clone());
            }
        }
        if variant.contains_key("item_id") || variant.contains_key("sku") {
            variant.remove("id");
        }
        record.variants.push(plain_record(&variant, line).map_err(bad)?);
    }
    if record.text.trim().is_empty() && record.variants.is_empty() {
        return Err(bad("has neither `text` nor `content`".to_owned()));
    }
    Ok(record)
}

/// A record without variants; its text may be empty.
fn plain_record(fields: &Map<String, Value>, line: usize) -> Result<Record, String> {
    let mut meta = Meta::default();
    for key in META {
        if let Some(value) = fields.get(key).and_then(scalar) {
            meta.set(key, &value)?;
        }
    }
    let string = |key: &str| fields.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let id = ["id", "_id"].iter().find_map(|key| fields.get(*key).and_then(scalar)).filter(|id| !id.is_empty());
    meta.title = NAMES.iter().find_map(|name| string(name)).map(text::one_line);
    let body = ["text", "content", "body"].iter().find_map(|key| string(key)).map(str::to_owned);
    let flat = flattened(fields);
    let has_text = body.is_some();
    let text = match (body, string("question"), string("answer")) {
        (Some(body), ..) => body,
        (None, Some(question), Some(answer)) => format!("Q: {question}\n\nA: {answer}"),
        _ => sentence(&flat),
    };
    let pairs: Vec<(&str, &str)> = flat.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    // An article with a price in a field is an article.
    let product = if has_text { None } else { Product::read(&pairs, &mut meta.warnings) };
    Ok(Record { id, meta, text, product, line, ..Record::default() })
}

/// Fields within fields that are looked at.
const MAX_NESTED: usize = 4;

/// The fields in a readable form: `{"size": {"width": 3}}` is `size width: 3`.
fn flattened(fields: &Map<String, Value>) -> BTreeMap<String, String> {
    fn collect(path: &str, fields: &Map<String, Value>, depth: usize, flat: &mut BTreeMap<String, String>) {
        for (key, value) in fields {
            let path = if path.is_empty() { key.clone() } else { format!("{path} {key}") };
            match value {
                Value::Object(inner) if depth < MAX_NESTED => collect(&path, inner, depth + 1, flat),
                value => {
                    if let Some(text) = scalar(value).filter(|text| !text.is_empty()) {
                        flat.insert(path, text);
                    }
                }
            }
        }
    }
    let mut flat = BTreeMap::new();
    collect("", fields, 0, &mut flat);
    flat
}

/// A record without a text (a product, say) as one sentence.
fn sentence(flat: &BTreeMap<String, String>) -> String {
    let shown: Vec<(&String, &String)> = flat.iter().filter(|(key, _)| !META.contains(&key.as_str())).collect();
    // Names and numbers alone say nothing about what they name.
    if shown.iter().all(|(key, _)| matches!(key.as_str(), "id" | "_id" | "title" | "name" | "product_id")) {
        return String::new();
    }
    let parts: Vec<String> = shown.iter().map(|(key, value)| format!("{key}: {}", text::unbroken(value))).collect();
    format!("{}.", parts.join("; "))
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Array(items) => {
            let items: Option<Vec<String>> = items.iter().filter(|item| !item.is_array()).map(scalar).collect();
            items.map(|items| items.join(", "))
        }
        _ => None,
    }
}

/// Reads up to and with the next `\n`. A line longer than `limit` is read to its end and given as `None`.
pub(super) fn next_line<R: BufRead>(reader: &mut R, limit: u64) -> std::io::Result<Option<Option<Vec<u8>>>> {
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
    fn a_row_is_a_sentence() {
        let (records, bad) =
            csv("sku;Name;Price (EUR);url\nA1;Coat;\"99,90\";https://x.example/a1\n\nA2;Hat\nA3;;5;\n")
                .expect("a header");
        let actual: Vec<_> = records
            .iter()
            .map(|r| (r.id.as_deref(), r.meta.title.as_deref(), r.meta.url.as_deref(), r.text.as_str(), r.line))
            .collect();
        assert_eq!(
            actual,
            [
                (Some("A1"), Some("Coat"), Some("https://x.example/a1"), "sku: A1; Name: Coat; Price (EUR): 99,90.", 2),
                (Some("A3"), None, None, "sku: A3; Price (EUR): 5.", 5),
            ]
        );
        assert_eq!(bad.len(), 1);
        assert!(bad[0].line == 4 && bad[0].reason.contains("2 fields, but the header names 4"), "{bad:?}");
        let (records, _) = csv("question,answer,topic\nWhy?,\"So, and so.\",life\n").expect("a header");
        assert_eq!(records[0].text, "Q: Why?\n\nA: So, and so.\n\ntopic: life.");
        assert_eq!(records[0].meta.title.as_deref(), Some("Why?"));
        assert!(csv("").is_err());
    }

    #[test]
    fn a_json_line_is_a_record() {
        let check = |line: &str, expected: Result<(Option<&str>, Option<&str>, &str), &str>| match (
            json_line(line.as_bytes(), 7),
            expected,
        ) {
            (Ok(r), Ok(expected)) => assert_eq!((r.id.as_deref(), r.meta.title.as_deref(), r.text.as_str()), expected),
            (Err(bad), Err(expected)) => assert!(bad.line == 7 && bad.reason.contains(expected), "{bad:?}"),
            (actual, expected) => panic!("{actual:?} instead of {expected:?}"),
        };
        check(r#"{"id":"a","title":"T","text":"x"}"#, Ok((Some("a"), Some("T"), "x")));
        check(r#"{"id":7,"content":"x"}"#, Ok((Some("7"), None, "x")));
        check(r#"{"question":"Why?","answer":"So."}"#, Ok((None, Some("Why?"), "Q: Why?\n\nA: So.")));
        check(
            r#"{"name":"Hat","price":5.5,"tags":["a","b"]}"#,
            Ok((None, Some("Hat"), "name: Hat; price: 5.5; tags: a, b.")),
        );
        check(r#"{"id":"a"}"#, Err("neither `text` nor `content`"));
        check(r#"{"text":"x","audience":"all"}"#, Err("audience"));
        check("[1]", Err("is no JSON object"));
        check("{", Err("is no JSON"));
        check(&"[".repeat(100_000), Err("is no JSON"));
    }

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
