//! What is said of a configuration that can't be read. Values are never quoted, nor the lines they
//! stand in: any text may be a secret, also one that was written under the wrong key.

use serde::de::DeserializeOwned;
use toml::de::Error;

/// Reads TOML into options.
///
/// # Errors
/// With line, column, key and what is expected there.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let syntax = |error: &Error| {
        let at = error.span().map_or(0, |span| span.start);
        let key = key_of(text, at).map(|key| format!(", at `{key}`")).unwrap_or_default();
        format!("{}{key}: {}", position(text, at), wording(error.message()))
    };
    let deserializer = toml::Deserializer::parse(text).map_err(|error| syntax(&error))?;
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let at = error.inner().span().map_or(0, |span| span.start);
        format!(
            "{}{}: {}",
            position(text, at),
            at_key(error.path()),
            wording(error.inner().message())
        )
    })
}

/// Options of a table that the environment changed, where there are no lines to name.
///
/// # Errors
/// With the key and what is expected there.
pub(super) fn convert<T: DeserializeOwned>(table: toml::Table) -> Result<T, String> {
    serde_path_to_error::deserialize(toml::Value::Table(table)).map_err(|error| {
        format!(
            "with the environment{}: {}",
            at_key(error.path()),
            wording(error.inner().message())
        )
    })
}

/// The known key that an unknown one is nearest to.
pub(super) fn suggestion(
    unknown: &str,
    known: impl IntoIterator<Item = impl AsRef<str>>,
) -> String {
    known
        .into_iter()
        .map(|key| (strsim::jaro_winkler(unknown, key.as_ref()), key.as_ref().to_owned()))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or_else(String::new, |(_, key)| format!("; did you mean `{key}`?"))
}

fn at_key(path: &serde_path_to_error::Path) -> String {
    if path.iter().next().is_none() { String::new() } else { format!(", at `{path}`") }
}

/// Line and column of a byte, both from 1 on, the column in characters.
fn position(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let line = before.matches('\n').count() + 1;
    format!("line {line}, column {}", before.get(start..).unwrap_or_default().chars().count() + 1)
}

/// The key whose value breaks off at a byte: of the last statement that begins before it. A
/// statement begins where all that stands before it is TOML by itself, so that no line of a longer
/// text is taken for a key.
fn key_of(text: &str, at: usize) -> Option<String> {
    /// A longer list or text has its key farther above, and is looked through in vain.
    const LINES: usize = 200;
    let at = (at + 1).min(text.len());
    let upto = (at..=text.len()).find_map(|end| text.get(..end))?;
    let begins = upto.match_indices('\n').map(|(end, _)| end + 1).rev().chain([0]).take(LINES);
    let start = begins.into_iter().find(|start| text[..*start].parse::<toml::Table>().is_ok())?;
    let (key, _) = text[start..].lines().next()?.split_once('=')?;
    let key = key.trim();
    // Options are lower-case words; what is longer or otherwise may be a value that lost its key.
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.');
    (!key.is_empty() && key.len() <= 32 && key.chars().all(word)).then(|| key.to_owned())
}

/// An error's message in words of a configuration, without the value.
fn wording(message: &str) -> String {
    let message = message.trim_end();
    // The expectation comes last, and holds nothing of the value.
    let expected = message.rsplit_once(", expected ").map(|(_, expected)| in_words(expected));
    if let (Some(got), Some(expected)) = (message.strip_prefix("invalid type: "), &expected) {
        return format!("{} stands here, but {expected} is expected", kind(got));
    }
    if let (Some(got), Some(expected)) = (message.strip_prefix("invalid value: "), &expected) {
        // A number in the place of a number is no secret, and shows the slip.
        let number = got.strip_prefix("integer `").or_else(|| got.strip_prefix("floating point `"));
        let number = number.and_then(|rest| rest.split_once('`')).map(|(number, _)| number);
        let got =
            number.map_or_else(|| kind(got).to_owned(), |number| format!("the number {number}"));
        return format!("{got} stands here, but {expected} is expected");
    }
    let unknown = message.strip_prefix("unknown field `").and_then(|rest| {
        let (unknown, known) = rest.split_once('`')?;
        Some(suggestion(unknown, known.split('`').skip(1).step_by(2)))
    });
    format!("{message}{}", unknown.unwrap_or_default())
}

/// What stands there, from serde's word for it.
fn kind(unexpected: &str) -> &'static str {
    match unexpected {
        text if text.starts_with("string") || text.starts_with("character") => "a text in quotes",
        number if number.starts_with("integer") || number.starts_with("floating point") => {
            "a number"
        }
        truth if truth.starts_with("boolean") => "true or false",
        list if list.starts_with("sequence") => "a list in [brackets]",
        table if table.starts_with("map") => "a table",
        _ => "something else",
    }
}

/// What is expected, from serde's words for it.
fn in_words(expected: &str) -> String {
    match expected {
        "a string" | "string" | "path string" | "a borrowed string" => "a text in quotes".into(),
        "a sequence" => "a list in [brackets]".into(),
        "a boolean" => "true or false".into(),
        "f32" | "f64" => "a number".into(),
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0 on".into(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".into(),
        table
            if table == "a map"
                || table.starts_with("struct ")
                || table.starts_with("internally tagged") =>
        {
            "a table".into()
        }
        choice if choice.starts_with("enum ") => "one of its words in quotes".into(),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    /// `SECRET` stands in every value that must not be told.
    #[track_caller]
    fn check(text: &str, expected: &str) {
        let error = format!("{:#}", Config::parse(text, []).unwrap_err());
        assert!(!error.contains("SECRET"), "{error}");
        assert_eq!(error, expected);
    }

    #[test]
    fn a_mistake_is_told_by_its_place_and_never_by_the_value() {
        check(
            "[llm]\napi_key = [\"sk-SECRET\"]",
            "line 2, column 11, at `llm.api_key`: a list in [brackets] stands here, but a text in quotes is expected",
        );
        check(
            "[llm]\napi_key = \"sk-SECRET",
            "line 2, column 21, at `api_key`: invalid basic string, expected `\"`",
        );
        check(
            "[[sites]]\nid = \"a\"\n[[sites.channels]]\nplatform = \"telegram\"\nsecrets = \"SECRET, expected x\"",
            "line 5, column 11, at `sites[0].channels[0].secrets`: a text in quotes stands here, but a list in \
             [brackets] is expected",
        );
        check(
            "[llm]\napi_key = 7531",
            "line 2, column 11, at `llm.api_key`: a number stands here, but a text in quotes is expected",
        );
        check(
            "[llm]\nparallel = -3",
            "line 2, column 12, at `llm.parallel`: the number -3 stands here, but a whole number from 0 on is expected",
        );
        check(
            "[llm]\napi_key = sk-SECRET",
            "line 2, column 11, at `api_key`: string values must be quoted, expected literal string",
        );
        check("[llm]\nsk-SECRET", "line 2, column 10: key with no value, expected `=`");
        check(
            "[answers]\nmode = \"guess\"",
            "line 2, column 8, at `answers.mode`: unknown variant `guess`, expected one of `auto`, `quote`, `generate`",
        );
    }

    #[test]
    fn a_line_of_a_longer_text_is_no_key() {
        let text =
            "[[sites]]\nid = \"a\"\n[sites.jwt]\nalgorithm = \"EdDSA\"\nkey = \"\"\"\nsecretabc=\n";
        let error = Config::parse(text, []).unwrap_err().to_string();
        assert!(error.contains("at `key`") && !error.contains("secretabc"), "{error}");
    }

    #[test]
    fn what_the_environment_sets_is_not_quoted_either() {
        let text = "[[sites]]\nid = \"shop\"";
        let environment = [("FRONTDESK_SITES_SHOP_ORIGINS".to_owned(), "SECRET".to_owned())];
        let error = format!("{:#}", Config::parse(text, environment).unwrap_err());
        let expected = "with the environment, at `sites[0].origins`: a text in quotes stands here, but a list in \
                        [brackets] is expected";
        assert_eq!(error, expected);
    }
}
