//! JSON as commands print it and files hold it.

use serde::Serialize;

/// A value as JSON on one line, with a newline at the end.
pub fn line(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string(value).expect("what is printed has a JSON form");
    text.push('\n');
    text
}

/// A value as JSON for people and programs: indented, a newline at the end; the same text for the
/// same value.
pub fn pretty(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("what is printed has a JSON form");
    text.push('\n');
    text
}
