//! What is said of a body that isn't as the API's reference has it: which field, and what it must
//! be.

use std::error::Error;

use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use serde_path_to_error::Segment;

use super::bad;
use crate::http::error::{ApiError, OpenAiError, unreadable};
use crate::protocol::ErrorCode;

/// The refusal of a body; `limit` is the bytes that one may have.
pub(super) fn rejected(rejection: &JsonRejection, limit: usize) -> OpenAiError {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return unreadable(rejection, limit).into();
    }
    let mut cause: Option<&(dyn Error + 'static)> = Some(rejection);
    let found = loop {
        let Some(error) = cause else { break None };
        // What axum's extractor reads bodies with.
        match error.downcast_ref::<serde_path_to_error::Error<serde_json::Error>>() {
            Some(found) => break Some(found),
            None => cause = error.source(),
        }
    };
    let Some(error) = found else { return unreadable(rejection, limit).into() };
    if !error.inner().is_data() {
        return ApiError::new(
            ErrorCode::BadMessage,
            format!("the body is no JSON: {}", error.inner()),
        )
        .into();
    }
    let (field, wrong) = match error.path().iter().next() {
        None => told("", &error.inner().to_string()),
        // serde reads a list as an object without names.
        Some(Segment::Seq { .. }) => (None, "must be an object".to_owned()),
        Some(_) => told(&error.path().to_string(), &error.inner().to_string()),
    };
    match field {
        Some(field) => {
            let message = format!("{field} {wrong}");
            bad(field, message)
        }
        None => ApiError::new(ErrorCode::BadMessage, format!("the body {wrong}")).into(),
    }
}

/// The field, unless it is the whole body, and what is wrong with it, from serde's path and
/// message.
fn told(path: &str, message: &str) -> (Option<String>, String) {
    let message = message.rsplit_once(" at line ").map_or(message, |(message, _)| message);
    let here = Some(path.to_owned()).filter(|path| !path.is_empty());
    let quoted = |before: &str| message.strip_prefix(before).and_then(|rest| rest.split_once('`'));
    let named =
        |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    if let Some((name, _)) = quoted("missing field `") {
        return (Some(named(name)), "is missing".into());
    }
    if let Some((name, _)) = quoted("duplicate field `") {
        return (Some(named(name)), "is given twice".into());
    }
    // `null` is a field that isn't there.
    if message.starts_with("invalid type: null") && here.is_some() {
        return (here, "is missing".into());
    }
    // Enums that take one of several shapes say what they expect and nothing else.
    let expected = message.rsplit_once(", expected ").map_or(message, |(_, expected)| expected);
    (here, format!("must be {}", in_words(expected)))
}

/// What JSON calls a type of Rust.
fn in_words(expected: &str) -> &str {
    match expected {
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "f32" | "f64" => "a number",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0 on",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_and_what_it_must_be_are_told_in_plain_words() {
        let check = |path: &str, message: &str, field: Option<&str>, wrong: &str| {
            assert_eq!(told(path, message), (field.map(str::to_owned), wrong.to_owned()));
        };
        check("", "missing field `model` at line 1 column 2", Some("model"), "is missing");
        check(
            "messages[0]",
            "missing field `role` at line 1 column 2",
            Some("messages[0].role"),
            "is missing",
        );
        check(
            "model",
            "invalid type: null, expected a string at line 1 column 9",
            Some("model"),
            "is missing",
        );
        check(
            "n",
            "invalid value: integer `-1`, expected u32 at line 1 column 9",
            Some("n"),
            "must be a whole number from 0 on",
        );
        check(
            "stream",
            "invalid type: string \"a, expected b\", expected a boolean",
            Some("stream"),
            "must be true or false",
        );
        check(
            "messages[0].content",
            "a string or a list of parts",
            Some("messages[0].content"),
            "must be a string or a list of parts",
        );
        check(
            "",
            "invalid type: sequence, expected an object at line 1 column 1",
            None,
            "must be an object",
        );
    }
}
