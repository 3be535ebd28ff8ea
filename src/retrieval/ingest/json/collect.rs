//! Where the records of a JSON file stand, and what stands beside them.

use serde_json::{Map, Value};

use super::{ANSWERS, BODIES, MAX_NESTED, QUESTIONS, by_id, languages};
use crate::retrieval::ingest::records::{META, NAMES};
use crate::retrieval::ingest::{inbox, text};

/// Each record in each language that it is written in.
pub(super) fn in_languages(found: Vec<Found>) -> Vec<Found> {
    let mut all = Vec::with_capacity(found.len());
    let mut parted = false;
    for Found { fields, place, line } in found {
        let Some(object) = fields else {
            all.push(Found { fields, place, line });
            continue;
        };
        let parts = languages::parted(object);
        parted |= parts.len() > 1;
        all.extend(parts.into_iter().map(|part| Found {
            fields: Some(part),
            place: place.clone(),
            line,
        }));
    }
    // A record without an id is known by its number.
    if parted {
        all.iter_mut().zip(1..).for_each(|(one, number)| one.line = number);
    }
    all
}

/// A record, before its fields' parts are known.
pub(super) struct Found {
    /// `None`: an element that is no object.
    pub(super) fields: Option<Map<String, Value>>,
    pub(super) place: Place,
    pub(super) line: usize,
}

/// Where records stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The keys that lead there.
    pub(super) path: String,
    pub(super) headings: Vec<String>,
}

impl Place {
    pub(super) fn under(&self, key: &str) -> Self {
        Self { path: format!("{}/{key}", self.path), headings: self.headings.clone() }
    }

    /// Below a key that says what stands there.
    fn headed(&self, key: &str) -> Self {
        let mut place = self.under(key);
        place.headings.push(text::one_line(&key.replace(['_', '-'], " ")));
        place
    }
}

/// The records of a file, and the keys beside them of what is none.
#[derive(Default)]
pub(super) struct Collected {
    pub(super) found: Vec<Found>,
    pub(super) left_out: Vec<String>,
}

/// Takes in an object as a record, or what it wraps.
pub(super) fn collect(
    mut object: Map<String, Value>,
    place: &Place,
    line: usize,
    depth: usize,
    all: &mut Collected,
) {
    let text =
        |key: &str| object.get(key).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    let speaks = BODIES.iter().chain(&QUESTIONS).chain(&ANSWERS).any(|key| text(key).is_some())
        || object.contains_key("price")
        || object.contains_key("variants")
        || inbox::signs(std::iter::once(&object)).is_some();
    let is_record = |value: &Value| {
        let named = value.as_object().is_some_and(|inner| {
            inner.len() > 1
                && NAMES
                    .iter()
                    .chain(&QUESTIONS)
                    .any(|key| inner.get(*key).is_some_and(Value::is_string))
        });
        named || says_something(value)
    };
    let holds_records = |value: &Value| match value {
        Value::Array(items) => {
            !items.is_empty() && items.iter().all(Value::is_object) && items.iter().any(&is_record)
        }
        Value::Object(inner) => inner.values().any(|value| match value {
            Value::Object(_) => is_record(value),
            Value::Array(items) => items.iter().any(&is_record),
            _ => false,
        }),
        _ => false,
    };
    let wraps =
        |(key, value): &(&String, &Value)| !PARTS.contains(&key.as_str()) && holds_records(value);
    let keys: Vec<String> = object.iter().filter(wraps).map(|(key, _)| key.clone()).collect();
    // What a file as a whole says at length stands beside its records.
    let at_root = place.path.is_empty();
    let prose =
        object.values().filter_map(Value::as_str).any(|text| text.split_whitespace().count() > 12);
    let questions: Vec<String> = object
        .iter()
        .filter(|(key, value)| value.is_string() && asks(key))
        .map(|(key, _)| key.clone())
        .collect();
    // A file of facts: hours, an address, a list of services with what each costs.
    let lists = |(key, value): (&String, &Value)| {
        let items = value.as_array().filter(|items| items.len() > 1);
        !PARTS.contains(&key.as_str())
            && items.is_some_and(|items| {
                items.iter().all(|item| item.is_object() && has_words(item, 0))
            })
    };
    let facts = at_root && object.iter().any(lists);
    let none = keys.is_empty() && questions.is_empty() && !facts;
    if speaks || prose && !at_root || none || depth >= MAX_NESTED {
        all.found.push(Found { fields: Some(object), place: place.clone(), line });
        return;
    }
    // A group's name heads what is in it.
    let mut place = place.clone();
    let name = NAMES.iter().chain(&GROUPS).find_map(|key| text(key));
    place.headings.extend(name.map(text::one_line));
    // Questions as keys, with their answers.
    for question in questions {
        let Some(answer) = object.remove(&question) else { continue };
        let pair =
            [("question".to_owned(), Value::String(question)), ("answer".to_owned(), answer)];
        all.found.push(Found {
            fields: Some(pair.into_iter().collect()),
            place: place.under("?"),
            line,
        });
    }
    let in_languages = keys.len() > 1 && keys.iter().all(|key| languages::is_code(key));
    // What a list is priced in, its records are.
    let currency = object.get("currency").filter(|value| {
        value.as_str().is_some_and(|code| crate::retrieval::money::code(code).is_some())
    });
    let currency = currency.cloned();
    if currency.is_some() {
        object.remove("currency");
    }
    for key in keys {
        let inside = place.under(&key);
        let language = in_languages.then(|| languages::code(&key));
        let said = |mut inner: Map<String, Value>| {
            if let Some(currency) = &currency {
                inner.entry("currency").or_insert_with(|| currency.clone());
            }
            if let Some(language) = &language {
                inner.entry("language").or_insert_with(|| Value::String(language.clone()));
            }
            inner
        };
        match object.remove(&key) {
            Some(Value::Array(items)) => {
                for item in items {
                    if let Value::Object(inner) = item {
                        collect(said(inner), &inside, line, depth + 1, all);
                    }
                }
            }
            Some(Value::Object(inner)) if inner.values().all(Value::is_object) => {
                for inner in by_id(inner) {
                    collect(said(inner), &inside, line, depth + 1, all);
                }
            }
            Some(Value::Object(inner)) => collect(said(inner), &inside, line, depth + 1, all),
            _ => {}
        }
    }
    beside(object, &place, line, depth, all);
}

/// Takes in what stands beside records: opening hours, rates, a telephone number.
fn beside(
    object: Map<String, Value>,
    place: &Place,
    line: usize,
    depth: usize,
    all: &mut Collected,
) {
    let mut facts = Map::new();
    for (key, value) in object {
        let known = NAMES.contains(&key.as_str())
            || GROUPS.contains(&key.as_str())
            || META.contains(&key.as_str());
        if known || matches!(key.as_str(), "id" | "_id" | "slug" | "@context" | "@type" | "$schema")
        {
            continue;
        }
        match value {
            Value::Object(inner)
                if !PARTS.contains(&key.as_str())
                    && inner.values().any(|value| has_words(value, 1)) =>
            {
                let inside = place.headed(&key);
                if inner.keys().any(|key| asks(key)) {
                    collect(inner, &inside, line, depth + 1, all);
                } else {
                    all.found.push(Found { fields: Some(inner), place: inside, line });
                }
            }
            Value::Array(items)
                if !PARTS.contains(&key.as_str())
                    && !items.is_empty()
                    && items.iter().all(|item| item.is_object() && has_words(item, 0)) =>
            {
                let inside = place.headed(&key);
                let records = items.into_iter().filter_map(|item| match item {
                    Value::Object(inner) => {
                        Some(Found { fields: Some(inner), place: inside.clone(), line })
                    }
                    _ => None,
                });
                all.found.extend(records);
            }
            Value::String(text) if reads(&text) => {
                facts.insert(key, Value::String(text));
            }
            Value::Array(items)
                if items.iter().all(Value::is_string)
                    && items.iter().any(|item| has_words(item, 0)) =>
            {
                facts.insert(key, Value::Array(items));
            }
            // Counts, pages, flags and addresses are the software's.
            value if has_words(&value, 0) => all.left_out.push(key),
            _ => {}
        }
    }
    if !facts.is_empty() {
        all.found.push(Found { fields: Some(facts), place: place.under("*"), line });
    }
}

/// What belongs to a record isn't one.
pub(super) const PARTS: [&str; 18] = [
    "images",
    "image",
    "media",
    "photos",
    "pictures",
    "options",
    "tags",
    "attributes",
    "properties",
    "links",
    "meta",
    "prices",
    "related",
    "related_products",
    "recommendations",
    "reviews",
    "breadcrumbs",
    "history",
];
/// Fields that name a group of records, beside those that name a record.
const GROUPS: [&str; 3] = ["category", "section", "group"];

/// Whether a key is a question itself.
fn asks(key: &str) -> bool {
    key.trim_end().ends_with(['?', '？', '؟']) && key.chars().any(char::is_alphabetic)
}

/// Whether some text of it isn't an address or a date of the software's.
fn has_words(value: &Value, depth: usize) -> bool {
    match value {
        Value::String(text) => {
            let text = text.trim();
            let told = text.chars().any(char::is_alphanumeric)
                && !text.contains("://")
                && !text.starts_with(['/', '#']);
            told && text::moment(text, false).is_none()
        }
        Value::Array(items) if depth < MAX_NESTED => {
            items.iter().any(|item| has_words(item, depth + 1))
        }
        Value::Object(inner) if depth < MAX_NESTED => {
            inner.values().any(|value| has_words(value, depth + 1))
        }
        _ => false,
    }
}

/// Whether a text says something by itself: several words, a mail address, a telephone number.
fn reads(text: &str) -> bool {
    let unspaced = text
        .chars()
        .filter(|char| matches!(char, '\u{3040}'..='\u{9FFF}' | '\u{0E00}'..='\u{0E7F}'))
        .count();
    let several = text.split_whitespace().count() > 1 || unspaced > 3;
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    has_words(&Value::String(text.to_owned()), 0)
        && (several || text.contains('@') || digits > 5 && text.starts_with('+'))
}

/// An object with a text of several words somewhere in it.
fn says_something(value: &Value) -> bool {
    fn words(value: &Value, depth: usize) -> bool {
        match value {
            Value::String(text) => {
                text.split_whitespace().count() > 2
                    || text.chars().filter(|c| !c.is_ascii()).count() > 5
            }
            Value::Array(items) if depth < MAX_NESTED => {
                items.iter().any(|item| words(item, depth + 1))
            }
            Value::Object(inner) if depth < MAX_NESTED => {
                inner.values().any(|value| words(value, depth + 1))
            }
            _ => false,
        }
    }
    value.is_object() && words(value, 0)
}
