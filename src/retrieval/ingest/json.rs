//! Records of JSON: the lines of a JSON Lines file, the elements of arrays wherever they stand, and
//! single records.
//!
//! Which field is the question, the answer, the title or the text is told by its name, and where
//! names say nothing, by what stands in it over all records.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::records::{BadRecord, META, NAMES, Record};
use super::text::Meta;
use super::{html, inbox, text};
use crate::language::is_unspaced;
use crate::retrieval::columns;
use crate::retrieval::product::Product;

mod collect;
mod languages;
mod rich_text;
mod shops;

use collect::{Collected, Found, Place, collect, in_languages};

/// Objects within objects in which records are looked for, and fields within fields that are read.
const MAX_NESTED: usize = 4;
/// Records by which the fields' parts are told.
const SAMPLE: usize = 50;

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct Json {
    pub(super) records: Vec<Result<Record, BadRecord>>,
    /// What was left out, and why, in words.
    pub(super) notes: Vec<String>,
    /// It is an export of tickets or conversations; the fields that show it.
    pub(super) inbox: Option<String>,
}

/// Which field of a set of records is what; fields with known names need no place here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    question: Option<String>,
    answer: Option<String>,
    title: Option<String>,
    body: Option<String>,
}

/// Reads a file: an array of records, one record, an object of records by their ids, or any of
/// these under keys.
///
/// # Errors
///
/// When the file as a whole is no JSON, or holds no records.
pub(super) fn json(content: &str) -> Result<Json, String> {
    let value: Value =
        serde_json::from_str(content).map_err(|error| format!("it is no JSON: {error}"))?;
    if is_linked_data(&value) {
        let sections = html::facts(content).into_iter().zip(1..).map(|((title, text), line)| {
            let meta =
                Meta { title: Some(title).filter(|title| !title.is_empty()), ..Meta::default() };
            Ok(Record { meta, text, line, ..Record::default() })
        });
        return Ok(Json { records: sections.collect(), ..Json::default() });
    }
    let value = rich_text::plain(value);
    let mut all = Collected::default();
    let root = Place::default();
    let element = root.under("*");
    match value {
        Value::Array(elements) => {
            for (value, number) in elements.into_iter().zip(1..) {
                match value {
                    Value::Object(fields) => collect(fields, &element, number, 0, &mut all),
                    _ => {
                        all.found.push(Found { fields: None, place: element.clone(), line: number })
                    }
                }
            }
        }
        Value::Object(fields) if fields.len() > 1 && fields.values().all(Value::is_object) => {
            for (fields, number) in by_id(fields).into_iter().zip(1..) {
                collect(fields, &element, number, 0, &mut all);
            }
        }
        Value::Object(fields) => {
            collect(fields, &root, 1, 0, &mut all);
            // Elements under a key are counted as in an array.
            all.found.iter_mut().zip(1..).for_each(|(one, number)| one.line = number);
        }
        _ => return Err("it holds neither an array of records nor a record".to_owned()),
    }
    let Collected { found, left_out } = all;
    let found = in_languages(found);
    let inbox = inbox::signs(found.iter().filter_map(|one| one.fields.as_ref()));
    // Records of one place are alike; others beside them say nothing about their fields.
    let mut places: BTreeMap<&str, Vec<&Map<String, Value>>> = BTreeMap::new();
    for one in &found {
        places.entry(one.place.path.as_str()).or_default().extend(&one.fields);
    }
    let fields: BTreeMap<String, Fields> = places
        .into_iter()
        .map(|(path, records)| (path.to_owned(), Fields::of(records.into_iter())))
        .collect();
    let mut json = Json { inbox, ..Json::default() };
    if !left_out.is_empty() {
        const NAMED: usize = 8;
        let named: Vec<String> =
            left_out.iter().take(NAMED).map(|key| format!("{key:?}")).collect();
        let more = left_out.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        json.notes.push(format!(
            "fields beside the records don't read as language and were left out: {}{more}",
            named.join(", ")
        ));
    }
    let mut unpublished = 0_usize;
    for Found { fields: object, place, line } in found {
        let Some(object) = object else {
            json.records.push(Err(BadRecord { line, reason: "is no JSON object".to_owned() }));
            continue;
        };
        if is_unpublished(&object) {
            unpublished += 1;
            continue;
        }
        let fields = fields.get(&place.path).cloned().unwrap_or_default();
        let record = record(object, &fields, line)
            .map(|record| Record { headings: place.headings, ..record });
        json.records.push(record);
    }
    if unpublished > 0 {
        json.notes.push(drafts_left_out(unpublished));
    }
    Ok(json)
}

/// The line of the report for records that aren't published.
pub(super) fn drafts_left_out(count: usize) -> String {
    let records =
        if count == 1 { "record is a draft or isn't" } else { "records are drafts or aren't" };
    format!("{count} {records} published, and left out")
}

/// Reads a line of a JSON Lines file: a record in each language that it is written in, none if it
/// is a draft.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn json_line(
    line: &[u8],
    fields: &Fields,
    number: usize,
) -> Result<Vec<Record>, BadRecord> {
    let bad = |reason: String| BadRecord { line: number, reason };
    let text = text::decode(line).map_err(bad)?;
    let value: Value =
        serde_json::from_str(&text).map_err(|error| bad(format!("is no JSON: {error}")))?;
    let Value::Object(object) = rich_text::plain(value) else {
        return Err(bad("is no JSON object".to_owned()));
    };
    if is_unpublished(&object) {
        return Ok(Vec::new());
    }
    let parts = languages::parted(object);
    let several = parts.len() > 1;
    let read = |part: Map<String, Value>| -> Result<Record, BadRecord> {
        let language = part.get("language").and_then(Value::as_str).map(str::to_owned);
        let mut record = record(part, fields, number)?;
        if several && record.id.is_none() {
            record.id = language.map(|language| format!("{number}-{language}"));
        }
        Ok(record)
    };
    parts.into_iter().map(read).collect()
}

/// What the first lines of a JSON Lines file tell of it: the parts of its fields, and whether it is
/// an export of tickets.
pub(super) fn lines_ahead<'a>(lines: impl Iterator<Item = &'a [u8]>) -> (Fields, Option<String>) {
    let parsed =
        lines.filter_map(|line| match rich_text::plain(serde_json::from_slice(line).ok()?) {
            Value::Object(record) => Some(record),
            _ => None,
        });
    let records: Vec<Map<String, Value>> = parsed.take(SAMPLE).collect();
    let inbox = inbox::signs(records.iter());
    let parts: Vec<Map<String, Value>> = records.into_iter().flat_map(languages::parted).collect();
    (Fields::of(parts.iter()), inbox)
}

/// Whether it is in schema.org's words, as pages carry them.
fn is_linked_data(value: &Value) -> bool {
    let first = value.as_array().and_then(|items| items.first()).unwrap_or(value);
    let context = first.get("@context").map(ToString::to_string).unwrap_or_default();
    context.contains("schema.org")
}

/// Records under their ids; one that names no id of its own gets the key.
fn by_id(fields: Map<String, Value>) -> Vec<Map<String, Value>> {
    let records = fields.into_iter().filter_map(|(key, value)| {
        let Value::Object(mut record) = value else { return None };
        if !record.contains_key("id") && !record.contains_key("_id") {
            record.insert("id".to_owned(), Value::String(key));
        }
        Some(record)
    });
    records.collect()
}

/// Whether a record says that it isn't for everybody yet, or any more.
fn is_unpublished(object: &Map<String, Value>) -> bool {
    object.iter().any(|(key, value)| {
        let kind = columns::meaning(key).map(|meaning| meaning.kind);
        match (kind, value) {
            (Some(kind), Value::Bool(said)) => {
                columns::is_unsold(kind, if *said { "true" } else { "false" })
            }
            (Some(kind), Value::String(state)) => columns::is_unsold(kind, state),
            // Strapi's drafts.
            (_, Value::Null) => matches!(key.as_str(), "publishedAt" | "published_at"),
            _ => false,
        }
    })
}

const BODIES: [&str; 4] = ["text", "content", "body", "html"];
/// Names of questions and answers in the languages of sites, and the letters that stand for them.
const QUESTIONS: [&str; 17] = [
    "question",
    "q",
    "frage",
    "pregunta",
    "domanda",
    "pergunta",
    "vraag",
    "pytanie",
    "вопрос",
    "питання",
    "question_text",
    "spørsmål",
    "fråga",
    "質問",
    "问题",
    "問題",
    "질문",
];
const ANSWERS: [&str; 19] = [
    "answer",
    "a",
    "antwort",
    "respuesta",
    "risposta",
    "resposta",
    "réponse",
    "reponse",
    "antwoord",
    "odpowiedź",
    "odpowiedz",
    "ответ",
    "відповідь",
    "answer_text",
    "svar",
    "回答",
    "答案",
    "答え",
    "답변",
];

impl Fields {
    fn of<'a>(records: impl Iterator<Item = &'a Map<String, Value>>) -> Self {
        let records: Vec<&Map<String, Value>> = records.take(SAMPLE).collect();
        let mut texts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for record in &records {
            for (key, value) in *record {
                if let Some(text) = value.as_str().map(str::trim).filter(|text| !text.is_empty()) {
                    texts.entry(key).or_default().push(text);
                }
            }
        }
        // A field that few records have says nothing about the rest.
        texts.retain(|key, values| {
            values.len() * 2 >= records.len()
                && !META.contains(key)
                && !matches!(*key, "id" | "_id" | "slug" | "sku")
        });
        let asks = |text: &&&str| text.ends_with(['?', '？', '؟']) || text.starts_with('¿');
        let share =
            |values: &Vec<&str>| values.iter().filter(asks).count() * 10 / values.len().max(1);
        let words = |text: &str| {
            let unspaced = text.chars().filter(|char| is_unspaced(*char)).count();
            text.split_whitespace().count() + unspaced / 2
        };
        let length = |values: &Vec<&str>| {
            values.iter().map(|text| words(text)).sum::<usize>() / values.len().max(1)
        };
        let named = |names: &[&str]| {
            texts
                .keys()
                .find(|key| names.contains(&key.to_lowercase().as_str()))
                .map(|key| (*key).to_owned())
        };
        let question = named(&QUESTIONS).or_else(|| {
            let asking = texts
                .iter()
                .filter(|(_, values)| share(values) >= 6)
                .max_by_key(|(_, values)| share(values));
            asking.map(|(key, _)| (*key).to_owned())
        });
        let other = |key: &&&str| question.as_deref() != Some(**key);
        let longest = |least: usize| {
            let long = texts.iter().filter(|(key, values)| {
                other(key) && length(values) >= least && !is_address(values)
            });
            long.max_by_key(|(_, values)| length(values)).map(|(key, _)| (*key).to_owned())
        };
        let answer = question.as_ref().and_then(|_| named(&ANSWERS).or_else(|| longest(1)));
        let has_known_body = texts.keys().any(|key| BODIES.contains(key));
        let body = if has_known_body || question.is_some() && answer.is_some() {
            None
        } else {
            longest(8)
        };
        let title = body.as_ref().and_then(|body| {
            if texts.keys().any(|key| NAMES.contains(key)) {
                return None;
            }
            let short = texts.iter().filter(|(key, values)| {
                let mut unique: Vec<&&str> = values.iter().collect();
                unique.sort_unstable();
                unique.dedup();
                *key != body
                    && (1..=12).contains(&length(values))
                    && unique.len() * 10 >= values.len() * 9
                    && !is_address(values)
            });
            short.max_by_key(|(_, values)| length(values)).map(|(key, _)| (*key).to_owned())
        });
        // A title that asks, with a text below it, is a question with its answer either way.
        Self { question, answer, title, body }
    }
}

/// Links, codes and dates are no text.
fn is_address(values: &[&str]) -> bool {
    let plain = |text: &&&str| {
        !text.contains(char::is_whitespace)
            && text.contains(['/', '@', '_', '.', ':'])
            && text.is_ascii()
    };
    values.iter().filter(plain).count() * 2 > values.len()
}

fn record(
    mut object: Map<String, Value>,
    fields: &Fields,
    line: usize,
) -> Result<Record, BadRecord> {
    let bad = |reason: String| BadRecord { line, reason };
    let variants = match object.remove("variants") {
        Some(Value::Array(variants)) => variants,
        Some(Value::Object(variants)) if variants.values().all(Value::is_object) => {
            by_id(variants).into_iter().map(Value::Object).collect()
        }
        Some(other) => {
            object.insert("variants".to_owned(), other);
            Vec::new()
        }
        None => Vec::new(),
    };
    let mut record = plain_record(&object, fields, line).map_err(bad)?;
    for variant in variants {
        let Value::Object(mut variant) = variant else {
            return Err(bad("has a variant that is no JSON object".to_owned()));
        };
        // A variant is called what its product is called, and may be seen by whom the product may
        // be seen.
        for (key, value) in &object {
            if (NAMES.contains(&key.as_str())
                || META.contains(&key.as_str())
                || key == "category"
                || key == "currency")
                && !variant.contains_key(key)
            {
                variant.insert(key.clone(), value.clone());
            }
        }
        // Shopify and others call a variant by its options alone.
        let own = variant.get("title").and_then(Value::as_str).map(str::to_owned);
        let of_product = object.get("title").and_then(Value::as_str);
        if let (Some(own), Some(title)) = (own, of_product)
            && !own.contains(title)
        {
            variant.insert("title".to_owned(), Value::String(title.to_owned()));
            if own != "Default Title" {
                variant.insert("variant".to_owned(), Value::String(own));
            }
            for option in ["option1", "option2", "option3"] {
                variant.remove(option);
            }
        }
        if variant.contains_key("item_id") || variant.contains_key("sku") {
            variant.remove("id");
        }
        record.variants.push(plain_record(&variant, fields, line).map_err(bad)?);
    }
    if record.text.trim().is_empty() && record.variants.is_empty() {
        let names: Vec<&str> = object.keys().take(8).map(String::as_str).collect();
        return Err(bad(format!(
            "has neither `text` nor `content`, and none of its fields reads as one ({}); name the one that holds the text `text`",
            names.join(", ")
        )));
    }
    Ok(record)
}

/// A record without variants; its text may be empty.
fn plain_record(
    object: &Map<String, Value>,
    fields: &Fields,
    line: usize,
) -> Result<Record, String> {
    let mut meta = Meta::default();
    for key in META {
        if let Some(value) = object.get(key).and_then(scalar) {
            meta.set(key, &value)?;
        }
    }
    if object.contains_key(shops::UNCLEAR) {
        meta.warnings.push(
            "its price is left out: nothing says whether it is in the smallest unit of its \
             currency; write it as `\"price\": \"349.90\"`"
                .to_owned(),
        );
    }
    let string = |key: &str| {
        let found = object.get(key).and_then(Value::as_str).map(str::trim);
        found.filter(|text| !text.is_empty()).map(plain)
    };
    let of = |field: &Option<String>| field.as_deref().and_then(string);
    let id = ["id", "_id"]
        .iter()
        .find_map(|key| object.get(*key).and_then(scalar))
        .filter(|id| !id.is_empty());
    let named = NAMES.iter().find_map(|name| string(name));
    meta.title = named
        .or_else(|| of(&fields.question))
        .or_else(|| of(&fields.title))
        .map(|title| text::one_line(&title));
    let body = BODIES.iter().find_map(|key| string(key)).or_else(|| of(&fields.body));
    let flat = flattened(object);
    let has_text = body.is_some();
    let question = of(&fields.question).or_else(|| string("question"));
    let answer = of(&fields.answer).or_else(|| string("answer"));
    let text = match (body, question, answer) {
        (Some(body), ..) => body,
        (None, Some(question), Some(answer)) => format!("Q: {question}\n\nA: {answer}"),
        _ => sentence(&flat),
    };
    let pairs: Vec<(&str, &str)> =
        flat.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    // An article with a price in a field is an article.
    let product = if has_text { None } else { Product::read(&pairs, &mut meta.warnings) };
    Ok(Record { id, meta, text, product, line, ..Record::default() })
}

/// A text of a field: what is written in HTML becomes Markdown.
fn plain(text: &str) -> String {
    let is_html = ["</", "<p>", "<br", "<li>"].iter().any(|tag| text.contains(tag));
    if !is_html && !text.contains("&nbsp;") && !text.contains("&amp;") {
        return text.to_owned();
    }
    let plain = html::text_of_fragment(text);
    if plain.trim().is_empty() { text.to_owned() } else { plain }
}

/// The fields in a readable form: `{"size": {"width": 3}}` is `size width: 3`.
fn flattened(fields: &Map<String, Value>) -> BTreeMap<String, String> {
    fn collect(
        path: &str,
        fields: &Map<String, Value>,
        depth: usize,
        flat: &mut BTreeMap<String, String>,
    ) {
        for (key, value) in fields {
            let path = if path.is_empty() { key.clone() } else { format!("{path} {key}") };
            match value {
                Value::Object(inner) if depth < MAX_NESTED => {
                    collect(&path, inner, depth + 1, flat)
                }
                Value::Array(items)
                    if items.iter().any(|item| item.is_object() || item.is_array()) =>
                {
                    let told = !collect::PARTS.contains(&key.as_str()) && columns::is_told(key);
                    let text = if told { listed(items, depth + 1) } else { String::new() };
                    if !text.is_empty() {
                        flat.insert(path, text);
                    }
                }
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

/// Characters of a text that may name a thing of a list.
const MAX_NAME: usize = 60;

/// A list of things in one line, each by its name: `Helmet (fee 4), Child seat (fee 6)`.
fn listed(items: &[Value], depth: usize) -> String {
    let item = |value: &Value| -> Option<String> {
        match value {
            Value::Object(fields) => {
                let short =
                    |value: &&str| value.chars().count() <= MAX_NAME && !is_address(&[*value]);
                let name = NAMES
                    .iter()
                    .find_map(|key| fields.get(*key).and_then(Value::as_str))
                    .or_else(|| fields.values().filter_map(Value::as_str).find(short));
                let told = fields.iter().filter(|(key, value)| {
                    (name.is_none() || value.as_str() != name)
                        && !matches!(key.as_str(), "id" | "_id")
                        && is_told(key)
                });
                let rest: Vec<String> = told
                    .filter_map(|(key, value)| {
                        let text = match value {
                            Value::Array(inner) if depth < MAX_NESTED => listed(inner, depth + 1),
                            Value::Object(_) if depth < MAX_NESTED => {
                                listed(std::slice::from_ref(value), depth + 1)
                            }
                            value => scalar(value)?,
                        };
                        let text = text::unbroken(&plain(&text));
                        (!text.is_empty()).then(|| format!("{} {text}", key.replace('_', " ")))
                    })
                    .collect();
                match (name, rest.is_empty()) {
                    (Some(name), true) => Some(text::unbroken(name)),
                    (Some(name), false) => {
                        Some(format!("{} ({})", text::unbroken(name), rest.join(", ")))
                    }
                    (None, true) => None,
                    (None, false) => Some(rest.join(", ")),
                }
            }
            Value::Array(inner) if depth < MAX_NESTED => {
                Some(listed(inner, depth + 1)).filter(|text| !text.is_empty())
            }
            value => scalar(value).filter(|text| !text.is_empty()),
        }
    };
    items.iter().filter_map(item).collect::<Vec<_>>().join(", ")
}

/// What only the shop knows or its software needs is told no more than a table's.
fn is_told(key: &str) -> bool {
    const TIMES: &[&str] = &["created_at", "updated_at", "published_at", "deleted_at", "synced_at"];
    let of_software = TIMES.contains(&key)
        || key.ends_with("_id") && key != "product_id" && key != "item_id"
        || key == "handle";
    !META.contains(&key) && !of_software && !key.starts_with('@') && columns::is_told(key)
}

/// A record without a text (a product, say) as one sentence.
fn sentence(flat: &BTreeMap<String, String>) -> String {
    let shown: Vec<(&String, &String)> = flat.iter().filter(|(key, _)| is_told(key)).collect();
    // Names and numbers alone say nothing about what they name.
    if shown
        .iter()
        .all(|(key, _)| matches!(key.as_str(), "id" | "_id" | "title" | "name" | "product_id"))
    {
        return String::new();
    }
    let parts: Vec<String> = shown
        .iter()
        .map(|(key, value)| format!("{key}: {}", text::unbroken(&plain(value))))
        .collect();
    format!("{}.", parts.join("; "))
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Array(items) => {
            let items: Option<Vec<String>> =
                items.iter().filter(|item| !item.is_array()).map(scalar).collect();
            items.map(|items| items.join(", "))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_line_is_a_record() {
        let check = |line: &str, expected: Result<(Option<&str>, Option<&str>, &str), &str>| match (
            json_line(line.as_bytes(), &Fields::default(), 7),
            expected,
        ) {
            (Ok(records), Ok(expected)) => {
                let [r] = records.as_slice() else { panic!("{records:?}") };
                assert_eq!((r.id.as_deref(), r.meta.title.as_deref(), r.text.as_str()), expected)
            }
            (Err(bad), Err(expected)) => {
                assert!(bad.line == 7 && bad.reason.contains(expected), "{bad:?}")
            }
            (actual, expected) => panic!("{actual:?} instead of {expected:?}"),
        };
        check(r#"{"id":"a","title":"T","text":"x"}"#, Ok((Some("a"), Some("T"), "x")));
        check(r#"{"id":7,"content":"x"}"#, Ok((Some("7"), None, "x")));
        check(
            r#"{"question":"Why?","answer":"So."}"#,
            Ok((None, Some("Why?"), "Q: Why?\n\nA: So.")),
        );
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

    fn texts(content: &str) -> Vec<(Option<String>, Vec<String>, String)> {
        let json = json(content).expect("sound");
        json.records
            .into_iter()
            .flatten()
            .map(|record| (record.meta.title, record.headings, record.text))
            .collect()
    }

    #[test]
    fn records_are_found_under_keys() {
        let check = |content: &str, expected: &[(&str, &[&str], &str)]| {
            let expected: Vec<_> = expected
                .iter()
                .map(|(title, headings, text)| {
                    (
                        Some((*title).to_owned()),
                        headings.iter().map(|h| (*h).to_owned()).collect(),
                        (*text).to_owned(),
                    )
                })
                .collect();
            assert_eq!(texts(content), expected);
        };
        check(
            r#"{"count":2,"page":{"items":[{"title":"Bikes","body":"<p>Bikes travel <b>free</b>.</p>"},{"title":"Old","body":"x y z","draft":true}]}}"#,
            &[("Bikes", &[], "Bikes travel **free**.")],
        );
        check(
            r#"{"categories":[{"name":"Boats","questions":[{"p":"¿Hay barcos?","r":"Sí, dos."},{"p":"¿Y en mayo?","r":"No, en junio."}]}]}"#,
            &[
                ("¿Hay barcos?", &["Boats"], "Q: ¿Hay barcos?\n\nA: Sí, dos."),
                ("¿Y en mayo?", &["Boats"], "Q: ¿Y en mayo?\n\nA: No, en junio."),
            ],
        );
        check(
            r#"[{"thema":"Fahrräder","inhalt":"Fahrräder fahren auf allen Schiffen kostenlos mit, solange Platz ist."},
                {"thema":"Hunde","inhalt":"Hunde dürfen an Deck mitfahren, wenn sie an der Leine geführt werden."}]"#,
            &[
                (
                    "Fahrräder",
                    &[],
                    "Fahrräder fahren auf allen Schiffen kostenlos mit, solange Platz ist.",
                ),
                (
                    "Hunde",
                    &[],
                    "Hunde dürfen an Deck mitfahren, wenn sie an der Leine geführt werden.",
                ),
            ],
        );
    }

    #[test]
    fn products_and_linked_data_are_found_too() {
        let found = texts(
            r#"{"products":[{"title":"Coat","sku":"A1","images":[{"src":"x","alt":"A coat on a hook"}]},{"title":"Hat","sku":"B2"}]}"#,
        );
        assert_eq!(
            found.iter().filter_map(|(title, ..)| title.as_deref()).collect::<Vec<_>>(),
            ["Coat", "Hat"]
        );
        let found = texts(
            r#"{"@context":"https://schema.org","@type":"FAQPage","mainEntity":[{"@type":"Question","name":"Is it far?","acceptedAnswer":{"text":"Two miles."}}]}"#,
        );
        assert_eq!(found, [(Some("Is it far?".to_owned()), Vec::new(), "Two miles.".to_owned())]);
    }

    #[test]
    fn what_stands_beside_records_is_read_or_named() {
        let read = json(
            r#"{"shop":{"faq":[{"f_de":"Wo ist das Lager?","r_de":"Am Hafen.","f_en":"Where is the store?","r_en":"At the port."}],
                "hours":{"sat":"8-12","sun":null},"mail":"hello@port.example","build":"c4f1","page":{"next":"https://x.example/2"},
                "fees":[{"island":"Mull","gbp":7.5},{"island":"Skye","gbp":9}]}}"#,
        )
        .expect("sound");
        let records: Vec<Record> = read.records.into_iter().flatten().collect();
        let told: Vec<(&[String], &str, Option<&str>)> = records
            .iter()
            .map(|record| {
                (record.headings.as_slice(), record.text.as_str(), record.meta.language.as_deref())
            })
            .collect();
        let (none, fees, hours): (&[String], _, _) =
            (&[], ["fees".to_owned()], ["hours".to_owned()]);
        assert_eq!(
            told,
            [
                (none, "Q: Wo ist das Lager?\n\nA: Am Hafen.", Some("de")),
                (none, "Q: Where is the store?\n\nA: At the port.", Some("en")),
                (&fees[..], "gbp: 7.5; island: Mull.", None),
                (&fees[..], "gbp: 9; island: Skye.", None),
                (&hours[..], "sat: 8-12.", None),
                (none, "mail: hello@port.example.", None),
            ]
        );
        assert_eq!(
            read.notes,
            ["fields beside the records don't read as language and were left out: \"build\""]
        );
    }

    #[test]
    fn lists_within_a_record_are_told_and_lists_of_a_file_are_records() {
        let told = texts(
            r#"{"name":"Punt hire","price":30,"extras":[{"label":"Hamper","fee":12},{"label":"Rug","fee":0}],"seats":[["2","4"],["6"]],"reviews":[{"by":"A","text":"Nice"}]}"#,
        );
        assert_eq!(
            told[0].2,
            "extras: Hamper (fee 12), Rug (fee 0); name: Punt hire; price: 30; seats: 2, 4, 6."
        );
        let told = texts(
            r#"{"hours":{"sat":"9-12"},"treatments":[{"treatment":"Massage","minutes":30,"eur":45},{"treatment":"Bath","minutes":20,"eur":15}]}"#,
        );
        let lines: Vec<&str> = told.iter().map(|(_, _, text)| text.as_str()).collect();
        assert_eq!(
            lines,
            [
                "sat: 9-12.",
                "eur: 45; minutes: 30; treatment: Massage.",
                "eur: 15; minutes: 20; treatment: Bath."
            ]
        );
    }

    #[test]
    fn questions_may_be_keys_and_languages_may_hold_records() {
        let told = |content: &str| -> Vec<(Vec<String>, String)> {
            texts(content).into_iter().map(|(_, headings, text)| (headings, text)).collect()
        };
        assert_eq!(
            told(r#"{"Is it far?":"Two miles.","Boats":{"How many?":"Six, all of them small."}}"#),
            [
                (Vec::new(), "Q: Is it far?\n\nA: Two miles.".to_owned()),
                (vec!["Boats".to_owned()], "Q: How many?\n\nA: Six, all of them small.".to_owned()),
            ]
        );
        let read = json(
            r#"{"fr":[{"question":"Où ?","answer":"Au quai numéro trois."}],"en":[{"question":"Where?","answer":"At the third quay."}]}"#,
        )
        .expect("sound");
        let mut languages: Vec<Option<String>> =
            read.records.into_iter().flatten().map(|record| record.meta.language).collect();
        languages.sort();
        assert_eq!(languages, [Some("en".to_owned()), Some("fr".to_owned())]);
    }

    #[test]
    fn drafts_and_inboxes_are_named() {
        let read =
            json(r#"{"articles":[{"title":"A","body":"Some words here.","status":"draft"}]}"#)
                .expect("sound");
        assert!(
            read.records.is_empty() && read.notes[0].contains("1 record is a draft"),
            "{read:?}"
        );
        let read =
            json(r#"[{"subject":"Broken zip","customer":{"email":"x@y.example"},"status":"open","body":"It broke."}]"#)
                .expect("sound");
        assert_eq!(read.inbox.as_deref(), Some("customer.email, status"));
    }
}
