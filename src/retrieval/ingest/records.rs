//! Records: a CSV's rows and the lines of a JSON Lines file (or the elements of a JSON array).

use std::collections::BTreeMap;
use std::io::{BufRead, Read};

use serde_json::{Map, Value};

use super::text::{self, Meta};

/// One record: a document of its own, or a row of one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// From its `id` (JSON) or key column (CSV), if it has one.
    pub(super) id: Option<String>,
    pub(super) meta: Meta,
    pub(super) text: String,
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
const META: [&str; 7] = ["url", "link", "language", "lang", "locale", "audience", "valid_until"];

fn normal(name: &str) -> String {
    name.trim().to_lowercase().replace(['-', ' ', '.'], "_")
}

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
    let columns: Vec<String> = header.iter().map(normal).collect();
    let column = |names: &[&str]| names.iter().find_map(|name| columns.iter().position(|column| column == name));
    let key = column(&KEYS);
    let name = column(&NAMES);
    let question_and_answer = column(&["question", "frage"]).zip(column(&["answer", "antwort"]));

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
        if row.len() != columns.len() {
            let reason =
                format!("it has {} fields, but the header names {}; is a quote missing?", row.len(), columns.len());
            bad.push(BadRecord { line, reason });
            continue;
        }
        let mut meta = Meta::default();
        let mut failure = None;
        let mut parts = Vec::with_capacity(columns.len());
        for (((label, column), value), at) in header.iter().zip(&columns).zip(&row).zip(0..) {
            if question_and_answer.is_some_and(|(question, answer)| at == question || at == answer) {
                continue;
            }
            if META.contains(&column.as_str()) {
                failure = failure.or(meta.set(column, value).err());
            } else if !value.is_empty() && !label.is_empty() {
                parts.push(format!("{label}: {}", text::unbroken(value)));
            }
        }
        if let Some(reason) = failure {
            bad.push(BadRecord { line, reason });
            continue;
        }
        meta.title = name.and_then(|at| row.get(at)).filter(|name| !name.is_empty()).map(text::one_line);
        let id = key.and_then(|at| row.get(at)).filter(|id| !id.is_empty()).map(text::one_line);
        // A row is one fact, so it is one sentence: a quote of it is never torn apart.
        let mut text = if parts.is_empty() { String::new() } else { format!("{}.", parts.join("; ")) };
        if let Some((question, answer)) = question_and_answer {
            let pair = format!("Q: {}\n\nA: {}", row[question].trim(), row[answer].trim());
            text = if text.is_empty() { pair } else { format!("{pair}\n\n{text}") };
        }
        records.push(Record { id, meta, text, line });
    }
    Ok((records, bad))
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

/// Reads a JSON array of records, or one record.
///
/// # Errors
///
/// When the file as a whole is no JSON.
pub(super) fn json(content: &str) -> Result<Vec<Result<Record, BadRecord>>, String> {
    let value: Value = serde_json::from_str(content).map_err(|error| format!("it is no JSON: {error}"))?;
    let elements = match value {
        Value::Array(elements) => elements,
        record @ Value::Object(_) => vec![record],
        _ => return Err("it holds neither an array of records nor a record".to_owned()),
    };
    Ok(elements.into_iter().zip(1..).map(|(value, number)| json_record(value, number)).collect())
}

fn json_record(value: Value, line: usize) -> Result<Record, BadRecord> {
    let bad = |reason: String| BadRecord { line, reason };
    let Value::Object(fields) = value else {
        return Err(bad("is no JSON object".to_owned()));
    };
    let mut meta = Meta::default();
    for key in META {
        if let Some(value) = fields.get(key).and_then(scalar) {
            meta.set(key, &value).map_err(bad)?;
        }
    }
    let string = |key: &str| fields.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let id = ["id", "_id"].iter().find_map(|key| fields.get(*key).and_then(scalar)).filter(|id| !id.is_empty());
    meta.title = NAMES.iter().find_map(|name| string(name)).map(text::one_line);
    let body = ["text", "content", "body"].iter().find_map(|key| string(key)).map(str::to_owned);
    let text = match (body, string("question"), string("answer")) {
        (Some(body), ..) => body,
        (None, Some(question), Some(answer)) => format!("Q: {question}\n\nA: {answer}"),
        _ => sentence(&fields),
    };
    if text.trim().is_empty() {
        return Err(bad("has neither `text` nor `content`".to_owned()));
    }
    Ok(Record { id, meta, text, line })
}

/// A record without a text (a product, say): its fields in a readable form.
fn sentence(fields: &Map<String, Value>) -> String {
    let ordered: BTreeMap<&String, String> = fields
        .iter()
        .filter(|(key, _)| !META.contains(&key.as_str()))
        .filter_map(|(key, value)| Some((key, scalar(value).filter(|text| !text.is_empty())?)))
        .collect();
    if ordered.keys().all(|key| matches!(key.as_str(), "id" | "_id" | "title")) {
        return String::new();
    }
    let parts: Vec<String> = ordered.iter().map(|(key, value)| format!("{key}: {}", text::unbroken(value))).collect();
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
