//! YAML of a `SeccompProfile`, as a JSON value.
//!
//! The parser's events are taken one by one, and the values that are open are kept on a list: no
//! text nests so deeply that the stack ends. Anchors are refused, for a few lines of them stand for
//! more memory than there is.

use yaml_rust2::parser::{Event, Parser};
use yaml_rust2::scanner::{Marker, TScalarStyle};

use super::{JsonError, json_value::JsonValue};
use crate::text::escape;

/// The most levels of lists and mappings; `serde_json`'s limit for JSON.
const MOST_LEVELS: usize = 128;

/// A list or a mapping whose end was not reached.
enum Open {
    List(Vec<JsonValue>),
    /// The entries, and the key whose value comes next.
    Object(Vec<(String, JsonValue)>, Option<String>),
}

/// Reads the documents of a text.
pub(super) fn documents(text: &str) -> Result<Vec<JsonValue>, JsonError> {
    let mut parser = Parser::new_from_str(text);
    let mut open: Vec<Open> = Vec::new();
    let mut found = Vec::new();
    loop {
        let (event, marker) =
            parser.next_token().map_err(|error| refused(*error.marker(), error.info()))?;
        let value = match event {
            Event::StreamEnd => return Ok(found),
            Event::Alias(_) => return Err(refused(marker, "anchors and aliases are not read")),
            Event::Scalar(text, style, ..) => scalar(text, style),
            Event::SequenceStart(..) | Event::MappingStart(..) if open.len() == MOST_LEVELS => {
                return Err(refused(marker, "it nests too deeply"));
            }
            Event::SequenceStart(..) => {
                open.push(Open::List(Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Object(Vec::new(), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(list)) => JsonValue::List(list),
                Some(Open::Object(entries, _)) => JsonValue::Object(entries),
                None => continue,
            },
            _ => continue,
        };
        match open.last_mut() {
            None => found.push(value),
            Some(Open::List(list)) => list.push(value),
            Some(Open::Object(entries, key)) => match key.take() {
                Some(key) => entries.push((key, value)),
                None => *key = Some(text_of(value, marker)?),
            },
        }
    }
}

/// The text of a key.
fn text_of(value: JsonValue, marker: Marker) -> Result<String, JsonError> {
    match value {
        JsonValue::Text(text) => Ok(text),
        JsonValue::Number(number) => Ok(number.to_string()),
        _ => Err(refused(marker, "a key must be text")),
    }
}

/// The core schema of YAML 1.2, as far as profiles need it.
fn scalar(text: String, style: TScalarStyle) -> JsonValue {
    if style != TScalarStyle::Plain {
        return JsonValue::Text(text);
    }
    if let Ok(number) = text.parse() {
        return JsonValue::Number(number);
    }
    match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" => JsonValue::Null,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => JsonValue::Bool,
        _ if text.parse::<f64>().is_ok_and(f64::is_finite) => JsonValue::OtherNumber(text),
        _ => JsonValue::Text(text),
    }
}

fn refused(marker: Marker, message: &str) -> JsonError {
    // The parser counts lines from 1 and columns from 0.
    let (line, column) = (marker.line(), marker.col() + 1);
    JsonError { line, column, message: escape(message), truncated: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_is_read_as_the_json_that_it_stands_for() {
        let text = "a: [1, x, -1]\nb:\n- c: \"1\"\n  d: ~\n---\ntrue\n";
        let found = documents(text).expect("it is YAML");
        let object = |entries: &[(&str, JsonValue)]| {
            let owned = entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
            JsonValue::Object(owned.collect())
        };
        let text = |text: &str| JsonValue::Text(text.to_owned());
        let minus = JsonValue::OtherNumber("-1".to_owned());
        let expected = object(&[
            ("a", JsonValue::List(vec![JsonValue::Number(1), text("x"), minus])),
            ("b", JsonValue::List(vec![object(&[("c", text("1")), ("d", JsonValue::Null)])])),
        ]);
        assert_eq!(found, [expected, JsonValue::Bool]);
    }

    #[test]
    fn what_would_take_all_memory_is_refused() {
        let error = documents("a: &x [1]\nb: *x\n").expect_err("an alias");
        assert_eq!((error.line, error.message.as_str()), (2, "anchors and aliases are not read"));
        let deep = "- ".repeat(MOST_LEVELS + 1);
        let error = documents(&deep).expect_err("too deep");
        assert!(error.message.contains("deeply"), "{error:?}");
        // The parser's own limit.
        assert!(documents(&"[".repeat(100_000)).is_err());
        assert!(documents("a: [1").is_err());
    }
}
