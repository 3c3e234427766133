//! What a line is wrapped in: an object of JSON, as `journalctl -o json` and container engines
//! write it.

use std::borrow::Cow;

use crate::workbench::json_text::{JsonNode, JsonText, Value};

/// The keys that hold the line, by the journal, `dmesg --json` and container engines.
const KEYS: [&str; 4] = ["MESSAGE", "msg", "log", "message"];

/// The lines that a line holds, and itself as the last one: a kind of lines may be JSON.
pub fn unwrapped(line: &str) -> Vec<Cow<'_, str>> {
    let text = line.trim().trim_end_matches(',');
    let object = if text.starts_with('{') && text.ends_with('}') {
        Cow::Borrowed(text)
    } else if text.starts_with('"') && text.contains(':') {
        // A pretty-printed object has a line for each key.
        Cow::Owned(format!("{{{text}}}"))
    } else {
        return vec![line.into()];
    };
    let Ok(JsonText { root, .. }) = JsonText::parse(&object) else { return vec![line.into()] };
    let entries = root.entries();
    let held = KEYS.iter().filter_map(|key| entries.iter().find(|entry| entry.key == *key));
    let texts = held.filter_map(|entry| text_of(&entry.node)).map(Cow::Owned);
    texts.chain([line.into()]).collect()
}

/// Text, which the journal writes as a list of bytes where it is not printable.
fn text_of(node: &JsonNode) -> Option<String> {
    match &node.value {
        Value::Text(text) => Some(text.clone()),
        Value::List(bytes) => {
            let byte = |node: &JsonNode| match &node.value {
                Value::Number(number) => number.parse().ok(),
                _ => None,
            };
            let bytes: Option<Vec<u8>> = bytes.iter().map(byte).collect();
            Some(String::from_utf8_lossy(&bytes?).into_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_out_of_json() {
        for (line, expected) in [
            ("plain", &[""; 0][..]),
            (r#"{"_PID":"317","MESSAGE":"a \"b\""}"#, &[r#"a "b""#]),
            (r#"{"MESSAGE":[97,29,98]}"#, &["a\u{1d}b"]),
            (r#"{"MESSAGE":[97,-1]}"#, &[]),
            (r#"{"MESSAGE":null,"log":"x"}"#, &["x"]),
            (r#"  "msg": "audit: x","#, &["audit: x"]),
            (r#"    "_PID" : "317","#, &[]),
            (r#"{"_PID":"317"}"#, &[]),
            ("{not json}", &[]),
            (r#""quoted""#, &[]),
        ] {
            let mut found = unwrapped(line);
            assert_eq!(found.pop().as_deref(), Some(line), "the line itself");
            assert_eq!(found, expected, "{line}");
        }
    }
}
