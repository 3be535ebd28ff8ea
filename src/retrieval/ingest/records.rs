//! Records: the lines of a JSON Lines file, or the elements of a JSON array. Those of tables are made in [`super::tabular`].

use std::collections::BTreeMap;
use std::io::{BufRead, Read};

use serde_json::{Map, Value};

use super::text::{self, Meta};
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
const NAMES: [&str; 10] =
    ["title", "name", "question", "product", "product_name", "label", "bezeichnung", "headline", "subject", "term"];
/// Columns that say something about the row rather than being part of it.
const META: [&str; 8] = ["url", "link", "language", "lang", "locale", "audience", "valid_from", "valid_until"];

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
