//! XML of records (Google Merchant feeds, Heureka, Yandex, Ceneo, an export of a shop) → rows of
//! cells. Runs in the child process of [`super::isolated`].
//!
//! The records are the elements that repeat and hold others, or that carry attributes as columns
//! would. Their children's names are the columns, without the part that says whose names they are
//! (`g:price`). Entities that the file itself defines are never expanded.

use std::collections::{BTreeSet, HashMap};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::encoding;
use super::extraction::{Extraction, MAX_TEXT_BYTES};
use crate::retrieval::ingest::table::Sheet;

/// Elements within elements.
const MAX_DEPTH: usize = 64;
/// Columns that records may come to, and records.
const MAX_COLUMNS: usize = 512;
const MAX_RECORDS: usize = 1_000_000;

/// Reads the records.
///
/// # Errors
///
/// When it is no XML, is too deep or too large, or holds no records.
pub(super) fn read(document: &[u8]) -> Result<Extraction, String> {
    let content = encoding::decode(document, encoding::declared(document).as_deref())?.text;
    let name = record_name(&content)?;
    let Some(name) = name else {
        return Err(
            "it is XML, but no records that repeat were found in it; save it as CSV, or as a page"
                .to_owned(),
        );
    };
    let (sheet, left_out) = records(&content, &name)?;
    if sheet.rows.len() < 2 {
        return Err(format!("its records <{name}> hold no text"));
    }
    let named: Vec<String> = left_out.iter().map(|name| format!("<{name}>")).collect();
    let warnings = if named.is_empty() {
        Vec::new()
    } else {
        vec![format!("fields within these fields of a record were left out: {}", named.join(", "))]
    };
    Ok(Extraction { sheets: vec![sheet], warnings, ..Extraction::default() })
}

fn broken(error: impl std::fmt::Display) -> String {
    format!("its XML is broken: {error}")
}

/// A name without its prefix.
fn local(start: &BytesStart<'_>) -> String {
    start.local_name().as_ref().to_owned()
}

fn reader(content: &str) -> Reader<&[u8]> {
    let mut reader = Reader::from_str(content);
    let config = reader.config_mut();
    config.expand_empty_elements = true;
    config.check_end_names = true;
    reader
}

/// The element that repeats most among those that look like records.
fn record_name(content: &str) -> Result<Option<String>, String> {
    #[derive(Default)]
    struct Seen {
        count: usize,
        /// Children and attributes, over all.
        fields: usize,
        depth: usize,
    }
    let mut seen: HashMap<String, Seen> = HashMap::new();
    let mut path: Vec<String> = Vec::new();
    let mut reader = reader(content);
    loop {
        match reader.read_event().map_err(broken)? {
            Event::Start(start) => {
                if path.len() >= MAX_DEPTH {
                    return Err(format!("it is nested more than {MAX_DEPTH} deep"));
                }
                let name = local(&start);
                if path.is_empty() && matches!(name.as_str(), "urlset" | "sitemapindex") {
                    return Err(
                        "it is a sitemap: addresses of pages, which say nothing by themselves"
                            .to_owned(),
                    );
                }
                if path.is_empty() && matches!(name.as_str(), "svg" | "html") {
                    return Err(format!(
                        "it is <{name}> by its first element; give its name that ending"
                    ));
                }
                if seen.len() > 10_000 {
                    return Err("it has more than 10000 different elements".to_owned());
                }
                if let Some(parent) = path.last().and_then(|parent| seen.get_mut(parent)) {
                    parent.fields += 1;
                }
                let depth = path.len();
                let own = seen.entry(name.clone()).or_default();
                own.count += 1;
                own.depth = depth;
                own.fields += start
                    .attributes()
                    .flatten()
                    .filter(|attribute| !attribute.key.as_ref().starts_with("xmlns"))
                    .count();
                path.push(name);
            }
            Event::End(_) => {
                path.pop();
            }
            Event::Eof => break,
            _ => {}
        }
    }
    if !path.is_empty() {
        return Err("it ends in the middle of an element".to_owned());
    }
    // Records have several fields each; the outermost of such elements.
    let records = seen.iter().filter(|(_, seen)| seen.depth > 0 && seen.fields >= 2 * seen.count);
    let known = |name: &str| {
        matches!(
            name.to_lowercase().as_str(),
            "item"
                | "entry"
                | "product"
                | "offer"
                | "shopitem"
                | "o"
                | "article"
                | "record"
                | "row"
        )
    };
    let best = records.max_by_key(|(name, seen)| {
        (known(name), seen.count > 1, std::cmp::Reverse(seen.depth), seen.count)
    });
    Ok(best.map(|(name, _)| name.clone()))
}

/// What the column is called that says what delivering costs.
const SHIPPING_COSTS: &str = "shipping costs";
/// Fields that were left out and are named.
const MAX_NAMED: usize = 12;

/// The records as rows under one header, and the fields whose own fields were left out.
fn records(content: &str, record: &str) -> Result<(Sheet, BTreeSet<String>), String> {
    let mut columns: Vec<String> = Vec::new();
    let mut index: HashMap<String, usize> = HashMap::new();
    let mut sheet = Sheet::default();
    let mut bytes = 0;
    let mut reader = reader(content);
    // Names of the elements within the record, the innermost last.
    let mut within: Vec<String> = Vec::new();
    let mut row: Option<Vec<String>> = None;
    let mut text = String::new();
    // `<PARAM><PARAM_NAME>Colour</PARAM_NAME><VAL>red</VAL></PARAM>`, `<param
    // name="Colour">red</param>`.
    let mut pair: (Option<String>, Option<String>) = (None, None);
    let mut named: Option<String> = None;
    // What delivering costs where, one part after the other.
    let mut delivery: Vec<String> = Vec::new();
    let mut left_out: BTreeSet<String> = BTreeSet::new();
    // `<price currency="EUR">79.00</price>`.
    let mut currency: Option<String> = None;
    loop {
        let event = reader.read_event().map_err(broken)?;
        match event {
            Event::Start(start) => {
                let name = local(&start);
                if row.is_none() {
                    if name == record {
                        let mut cells = Vec::new();
                        for attribute in start.attributes().flatten().take(64) {
                            let key = attribute.key.as_ref();
                            if !key.starts_with("xmlns")
                                && let Ok(value) =
                                    attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0)
                            {
                                put(
                                    &mut cells,
                                    &mut columns,
                                    &mut index,
                                    key.rsplit(':').next().unwrap_or(key),
                                    &value,
                                );
                            }
                        }
                        row = Some(cells);
                        within.clear();
                    }
                    continue;
                }
                text.clear();
                let of_attribute = |wanted: &str| {
                    let found = start
                        .attributes()
                        .flatten()
                        .find(|attribute| attribute.key.as_ref().eq_ignore_ascii_case(wanted));
                    let value = found?.normalized_value(quick_xml::XmlVersion::Implicit1_0).ok()?;
                    Some(value.into_owned()).filter(|value| value.len() <= 60 && !value.is_empty())
                };
                if within.is_empty() {
                    pair = (None, None);
                    named = is_pair(&name).then(|| of_attribute("name")).flatten();
                    currency = of_attribute("currency").filter(|code| code.len() == 3);
                }
                // An Atom link is its address.
                if within.is_empty()
                    && name == "link"
                    && let (Some(cells), Some(address)) = (row.as_mut(), of_attribute("href"))
                {
                    put(cells, &mut columns, &mut index, "link", &address);
                }
                within.push(name);
                if within.len() > MAX_DEPTH {
                    return Err(format!("it is nested more than {MAX_DEPTH} deep"));
                }
            }
            Event::Text(piece) if row.is_some() => text.push_str(&piece.xml10_content()),
            Event::CData(piece) if row.is_some() => text.push_str(&piece.xml10_content()),
            Event::GeneralRef(reference) if row.is_some() => {
                if let Ok(Some(char)) = reference.resolve_char_ref() {
                    text.push(char);
                } else if let Some(known) =
                    quick_xml::escape::resolve_predefined_entity(&reference.xml10_content())
                {
                    text.push_str(known);
                }
            }
            Event::End(_) => {
                let Some(cells) = row.as_mut() else { continue };
                if within.is_empty() {
                    bytes += cells.iter().map(|cell| cell.len() + 24).sum::<usize>();
                    if bytes > MAX_TEXT_BYTES || sheet.rows.len() >= MAX_RECORDS {
                        return Err(format!(
                            "its records are larger than {} MiB",
                            MAX_TEXT_BYTES >> 20
                        ));
                    }
                    let cells = row.take().unwrap_or_default();
                    if cells.iter().any(|cell| !cell.is_empty()) {
                        let number = sheet.rows.len() + 1;
                        sheet.rows.push((number, cells));
                    }
                    continue;
                }
                let name = within.pop().unwrap_or_default();
                let value = text.trim();
                match within.as_slice() {
                    [] => {
                        if !delivery.is_empty() {
                            let said = std::mem::take(&mut delivery).join(" ");
                            put(cells, &mut columns, &mut index, SHIPPING_COSTS, &said);
                        }
                        let label = named.take().unwrap_or(name);
                        match std::mem::take(&mut pair) {
                            (Some(label), Some(value)) => {
                                put(cells, &mut columns, &mut index, &label, &value)
                            }
                            _ if !value.is_empty() => {
                                let bare = value.ends_with(|char: char| char.is_ascii_digit());
                                let value = match currency.take().filter(|_| bare) {
                                    Some(currency) => format!("{value} {currency}"),
                                    None => value.to_owned(),
                                };
                                put(cells, &mut columns, &mut index, &label, &value)
                            }
                            _ => {}
                        }
                    }
                    [parent] if is_pair(parent) => {
                        let lower = name.to_lowercase();
                        if lower.contains("name") {
                            pair.0 = Some(value.to_owned())
                                .filter(|name| !name.is_empty() && name.len() <= 60);
                        } else {
                            pair.1 = Some(value.to_owned()).filter(|value| !value.is_empty());
                        }
                    }
                    // `<g:shipping><g:country>DE</g:country><g:price>4.90 EUR</g:price>`.
                    [parent] if parent.eq_ignore_ascii_case("shipping") => {
                        delivery.extend((!value.is_empty()).then(|| value.to_owned()));
                    }
                    // A list of one kind (`<categories><category>`).
                    [parent] if is_list(parent, &name) && !value.is_empty() => {
                        put(cells, &mut columns, &mut index, &name, value);
                    }
                    [parent, ..] if !value.is_empty() && left_out.len() < MAX_NAMED => {
                        left_out.insert(parent.clone());
                    }
                    _ => {}
                }
                text.clear();
            }
            Event::Eof => break,
            _ => {}
        }
        if columns.len() > MAX_COLUMNS {
            return Err(format!("its records have more than {MAX_COLUMNS} different fields"));
        }
    }
    for (_, cells) in &mut sheet.rows {
        cells.resize(columns.len(), String::new());
    }
    for (line, _) in &mut sheet.rows {
        *line += 1;
    }
    sheet.rows.insert(0, (1, columns));
    Ok((sheet, left_out))
}

fn is_pair(name: &str) -> bool {
    matches!(
        name.to_lowercase().as_str(),
        "param" | "params" | "attribute" | "attr" | "a" | "product_detail" | "property" | "feature"
    )
}

fn is_list(parent: &str, name: &str) -> bool {
    let (parent, name) = (parent.to_lowercase(), name.to_lowercase());
    parent.len() > name.len() && parent.starts_with(name.trim_end_matches('y'))
}

/// Sets a column's cell; what comes again is added.
fn put(
    cells: &mut Vec<String>,
    columns: &mut Vec<String>,
    index: &mut HashMap<String, usize>,
    label: &str,
    value: &str,
) {
    let at = *index.entry(label.to_owned()).or_insert_with(|| {
        columns.push(label.to_owned());
        columns.len() - 1
    });
    if at >= MAX_COLUMNS {
        return;
    }
    if cells.len() <= at {
        cells.resize(at + 1, String::new());
    }
    let cell = &mut cells[at];
    if !cell.is_empty() {
        cell.push_str(", ");
    }
    cell.push_str(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(xml: &str) -> Result<Vec<String>, String> {
        let sheets = read(xml.as_bytes())?.sheets;
        Ok(sheets
            .into_iter()
            .flat_map(|sheet| sheet.rows)
            .map(|(_, cells)| cells.join("|"))
            .collect())
    }

    #[test]
    fn feeds_become_rows() {
        let google = r#"<?xml version="1.0"?><rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel><title>Shop</title>
            <item><g:id>T1</g:id><title><![CDATA[Tea & <b>pot</b>]]></title><g:price>29.00 EUR</g:price>
            <g:shipping><g:country>DE</g:country><g:price>4.90 EUR</g:price></g:shipping></item>
            <item><g:id>T2</g:id><title>Cup &amp; saucer</title><g:price>9.00 EUR</g:price></item></channel></rss>"#;
        assert_eq!(
            rows(google).as_deref(),
            Ok([
                "id|title|price|shipping costs",
                "T1|Tea & <b>pot</b>|29.00 EUR|DE 4.90 EUR",
                "T2|Cup & saucer|9.00 EUR|"
            ]
            .map(str::to_owned)
            .as_slice())
        );
        let heureka = "<SHOP><SHOPITEM><ITEM_ID>1</ITEM_ID><PRODUCTNAME>Stan</PRODUCTNAME><PARAM><PARAM_NAME>Barva</PARAM_NAME>\
            <VAL>zelená</VAL></PARAM></SHOPITEM><SHOPITEM><ITEM_ID>2</ITEM_ID><PRODUCTNAME>Spacák</PRODUCTNAME></SHOPITEM></SHOP>";
        assert_eq!(
            rows(heureka).as_deref(),
            Ok(["ITEM_ID|PRODUCTNAME|Barva", "1|Stan|zelená", "2|Spacák|"]
                .map(str::to_owned)
                .as_slice())
        );
        let yandex = r#"<yml_catalog><shop><offers><offer id="7" available="true"><name>Чай</name><price>350</price>
            <param name="Вес">100 г</param></offer></offers></shop></yml_catalog>"#;
        assert_eq!(
            rows(yandex).as_deref(),
            Ok(["id|available|name|price|Вес", "7|true|Чай|350|100 г"]
                .map(str::to_owned)
                .as_slice())
        );
    }

    #[test]
    fn hostile_xml_is_refused() {
        let entities = r#"<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><x><r><n>&b;</n><p>1</p></r></x>"#;
        let read = rows(entities).unwrap_or_default().join("\n");
        assert!(!read.contains("aaa"), "{read}");
        assert!(rows(&"<a>".repeat(100_000)).is_err());
        assert!(rows("<a><b>").is_err());
        assert!(rows("<urlset><url><loc>x</loc></url></urlset>").unwrap_err().contains("sitemap"));
        assert!(rows("no xml").is_err());
    }
}
