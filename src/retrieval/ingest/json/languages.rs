//! Records that say the same in several languages → one record for each: `frage_de` and `frage_en`,
//! `{"title": {"de": …}}`.

use serde_json::{Map, Value};

use crate::retrieval::ingest::text;

/// A record's fields by languages; a single one where it has none of these.
///
/// What belongs to no language belongs to each. Catalogues stay as they are: an article is one
/// article.
pub(super) fn parted(object: Map<String, Value>) -> Vec<Map<String, Value>> {
    if ["price", "sku", "variants"].iter().any(|key| object.contains_key(*key)) {
        return vec![object];
    }
    let mut fields: Vec<(String, String, String, Value)> = Vec::new();
    for (key, value) in &object {
        if let Some(inner) = by_languages(value) {
            let said = inner
                .iter()
                .map(|(language, value)| (key.clone(), key.clone(), code(language), value.clone()));
            fields.extend(said);
        } else if let (Some((base, language)), true) = (in_language(key), value.is_string()) {
            fields.push((key.clone(), base, language, value.clone()));
        }
    }
    // A field in one language alone may just end like one: `user_id`.
    let languages_of = |base: &str| {
        let mut languages: Vec<&str> = fields
            .iter()
            .filter(|(_, own, ..)| own == base)
            .map(|(_, _, language, _)| language.as_str())
            .collect();
        languages.sort_unstable();
        languages.dedup();
        languages.len()
    };
    let several: Vec<bool> = fields.iter().map(|(_, base, ..)| languages_of(base) > 1).collect();
    let mut languages: Vec<String> = Vec::new();
    for ((_, _, language, _), _) in fields.iter().zip(&several).filter(|(_, several)| **several) {
        if !languages.contains(language) {
            languages.push(language.clone());
        }
    }
    if languages.is_empty() {
        return vec![object];
    }
    // With others in these languages, one that stands in a single of them belongs to it.
    let told: Vec<&(String, String, String, Value)> = fields
        .iter()
        .zip(&several)
        .filter(|((_, base, language, _), several)| {
            **several || languages.contains(language) && !object.contains_key(base)
        })
        .map(|(field, _)| field)
        .collect();
    let shared: Map<String, Value> = object
        .iter()
        .filter(|(key, _)| !told.iter().any(|(own, ..)| own == *key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let of = |language: &String| {
        let mut one = shared.clone();
        let own = told.iter().filter(|(_, _, own, _)| own == language);
        one.extend(own.map(|(_, base, _, value)| (base.clone(), value.clone())));
        one.insert("language".to_owned(), Value::String(language.clone()));
        for key in ["id", "_id"] {
            let id = one.get(key).and_then(|id| {
                id.as_str().map(str::to_owned).or_else(|| Some(id.as_u64()?.to_string()))
            });
            if let Some(id) = id {
                one.insert(key.to_owned(), Value::String(format!("{id}-{language}")));
            }
        }
        one
    };
    languages.iter().map(of).collect()
}

/// An object of texts whose keys are languages.
fn by_languages(value: &Value) -> Option<&Map<String, Value>> {
    let inner = value.as_object().filter(|inner| inner.len() > 1)?;
    inner.iter().all(|(key, value)| is_code(key) && value.is_string()).then_some(inner)
}

/// A key's name without the language that it ends or begins with: `q_de`, `answer-en`, `titleFr`,
/// `pt_BR_text`.
fn in_language(key: &str) -> Option<(String, String)> {
    let signs = ['_', '-', '.', ' ', ':'];
    let ends = || {
        let at = key.rfind(signs)?;
        let (base, last) = (&key[..at], &key[at + 1..]);
        // "q_pt_BR": a country stands behind the language.
        if last.len() == 2
            && let Some(before) = base.rfind(signs)
            && is_code(&base[before + 1..])
        {
            return Some((base[..before].to_owned(), code(&base[before + 1..])));
        }
        (is_code(last) && !base.is_empty()).then(|| (base.to_owned(), code(last)))
    };
    let begins = || {
        let (first, base) = key.split_once(signs)?;
        (is_code(first) && !base.is_empty()).then(|| (base.to_owned(), code(first)))
    };
    let camel = || {
        let at = key.len().checked_sub(2).filter(|at| *at > 0 && key.is_char_boundary(*at))?;
        let (base, last) = key.split_at(at);
        let parted = base.ends_with(|char: char| char.is_ascii_lowercase())
            && last.starts_with(|char: char| char.is_ascii_uppercase());
        (parted && is_code(last)).then(|| (base.to_owned(), code(last)))
    };
    ends().or_else(begins).or_else(camel)
}

/// `de`, `EN`, `pt-BR`: letters that stand for a language.
pub(super) fn is_code(key: &str) -> bool {
    let short = key.len() == 2 || key.len() == 5 && key.contains(['-', '_']);
    short && key.is_ascii() && text::is_language(key)
}

pub(super) fn code(key: &str) -> String {
    key.split(['-', '_']).next().unwrap_or(key).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_in_several_languages_is_one_in_each() {
        #[track_caller]
        fn check(record: &str, expected: &[&str]) {
            let object: Map<String, Value> = serde_json::from_str(record).expect("sound");
            let sorted = |part: Map<String, Value>| {
                part.into_iter().collect::<std::collections::BTreeMap<_, _>>()
            };
            let parts = parted(object).into_iter().map(sorted);
            let parts: Vec<String> =
                parts.map(|part| serde_json::json!(part).to_string()).collect();
            assert_eq!(parts, expected);
        }
        check(
            r#"{"f_de":"Wo?","f_en":"Where?","r_de":"Hier.","r_en":"Here.","id":7}"#,
            &[
                r#"{"f":"Wo?","id":"7-de","language":"de","r":"Hier."}"#,
                r#"{"f":"Where?","id":"7-en","language":"en","r":"Here."}"#,
            ],
        );
        check(
            r#"{"title":{"fr":"Quai","pt-BR":"Cais"},"area":"B"}"#,
            &[
                r#"{"area":"B","language":"fr","title":"Quai"}"#,
                r#"{"area":"B","language":"pt","title":"Cais"}"#,
            ],
        );
        check(
            r#"{"textDe":"Ja","textEn":"Yes","noteEn":"Only here"}"#,
            &[
                r#"{"language":"de","text":"Ja"}"#,
                r#"{"language":"en","note":"Only here","text":"Yes"}"#,
            ],
        );
        // An id is no language, and an article is one article.
        check(r#"{"user_id":"9","text":"So."}"#, &[r#"{"text":"So.","user_id":"9"}"#]);
        check(
            r#"{"name_de":"Tee","name_en":"Tea","price":4}"#,
            &[r#"{"name_de":"Tee","name_en":"Tea","price":4}"#],
        );
    }
}
