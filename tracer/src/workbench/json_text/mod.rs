//! JSON in which every value knows its place in the text.
//!
//! The reader of profiles takes values out of JSON and forgets where they stood. Whoever names
//! lines and columns, or changes one value and leaves the rest of a file as a person wrote it,
//! needs the places.

mod edit;
mod parse;

pub use self::{
    edit::{Edit, apply},
    parse::{JsonText, ParseError, Slip, SlipKind},
};
use crate::text;

/// A part of a text, in bytes from its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
}

/// A place for people: both numbers begin at 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// A text whose lines are counted.
#[derive(Clone, Debug)]
pub struct LineIndex<'a> {
    text: &'a str,
    /// The first byte of each line.
    begins: Vec<usize>,
    is_ascii: bool,
}

impl<'a> LineIndex<'a> {
    /// Counts the lines.
    pub fn new(text: &'a str) -> Self {
        let begins = text.match_indices('\n').map(|(at, _)| at + 1);
        let begins = std::iter::once(0).chain(begins).collect();
        Self { text, begins, is_ascii: text.is_ascii() }
    }

    /// The position of a byte.
    pub fn position(&self, offset: usize) -> Position {
        let line = self.begins.partition_point(|begin| *begin <= offset);
        let begin = self.begins[line.saturating_sub(1)];
        let before = self.text.get(begin..offset).unwrap_or_default();
        let column = if self.is_ascii { before.len() } else { before.chars().count() };
        Position { line, column: column + 1 }
    }
}

/// The byte at a line and a column in bytes, as serde counts them; the end of the text when it has
/// no such place.
pub fn offset(text: &str, line: usize, column: usize) -> usize {
    let begins = text.match_indices('\n').map(|(at, _)| at + 1);
    let begin = std::iter::once(0).chain(begins).nth(line.saturating_sub(1));
    let mut at = (begin.unwrap_or(text.len()) + column.saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonNode {
    /// The place of the whole value.
    pub span: Span,
    /// The value.
    pub value: Value,
}

/// A JSON value. Objects keep the order of their keys, and keys that come twice.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it is written.
    Number(String),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<JsonNode>),
    /// An object.
    Object(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The place of the key, with its quotation marks.
    pub key_span: Span,
    /// The value.
    pub node: JsonNode,
}

impl Entry {
    /// The place of the key and the value.
    pub fn span(&self) -> Span {
        Span { start: self.key_span.start, end: self.node.span.end }
    }
}

impl JsonNode {
    /// The entries of an object; none of anything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Object(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none of anything else.
    pub fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The first entry of a key.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The first value of a key.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// It is `null`.
    pub fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// The text, when it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What lies at a path such as `syscalls[3].action`: the nearest value above it where there is
    /// none. Keys stand in the path as they are shown to people.
    pub fn locate(&self, path: &str) -> Located<'_> {
        let mut located = Located { node: self, parents: Vec::new(), key: None, found: true };
        let mut rest = path;
        while !rest.is_empty() {
            let Some((step, key, after)) = step(located.node, rest) else {
                located.found = false;
                break;
            };
            located.parents.push((located.node, step));
            located.node = match step {
                JsonStep::Entry(at) => &located.node.entries()[at].node,
                JsonStep::Item(at) => &located.node.items()[at],
            };
            located.key = key;
            rest = after;
        }
        located
    }
}

/// Which part of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonStep {
    /// The entry of an object, by its place.
    Entry(usize),
    /// The item of a list.
    Item(usize),
}

/// What lies at a path.
#[derive(Clone, Debug)]
pub struct Located<'a> {
    /// The value.
    pub node: &'a JsonNode,
    /// The values above it, from the outermost, each with the part that was entered.
    pub parents: Vec<(&'a JsonNode, JsonStep)>,
    /// The place of the value's key.
    pub key: Option<Span>,
    /// The whole path is there.
    pub found: bool,
}

/// The part of a value that the path begins with, the place of its key, and the rest of the path.
fn step<'p>(node: &JsonNode, path: &'p str) -> Option<(JsonStep, Option<Span>, &'p str)> {
    if let Some(inside) = path.strip_prefix('[') {
        let (number, after) = inside.split_once(']')?;
        let at: usize = number.parse().ok()?;
        node.items().get(at)?;
        return Some((JsonStep::Item(at), None, after.strip_prefix('.').unwrap_or(after)));
    }
    // Of a key that comes twice the last one: it is what the first one is reported about.
    let entries = node.entries().iter().enumerate().rev();
    // Most keys are plain, and stand in no path but their own.
    let is_other =
        |key: &str| key.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !path.starts_with(key);
    let candidates = entries.filter(|(_, entry)| !is_other(&entry.key));
    let matching = candidates.filter_map(|(at, entry)| {
        let shown = text::escape(&entry.key);
        let after = path.strip_prefix(shown.as_str())?;
        let ends = after.is_empty() || after.starts_with(['.', '[']);
        ends.then(|| (shown.len(), at, entry.key_span, after.strip_prefix('.').unwrap_or(after)))
    });
    // Of two keys that fit, the longer one: a key may hold a dot.
    let longest = matching.reduce(|one, other| if other.0 > one.0 { other } else { one })?;
    Some((JsonStep::Entry(longest.1), Some(longest.2), longest.3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> JsonText {
        JsonText::parse(text).expect("JSON")
    }

    #[test]
    fn positions_count_characters_from_one() {
        let text = "{\n \"\u{e9}\": 1}";
        let position = |offset| LineIndex::new(text).position(offset);
        assert_eq!(position(0), Position { line: 1, column: 1 });
        assert_eq!(position(3), Position { line: 2, column: 2 });
        assert_eq!(position(6), Position { line: 2, column: 4 });
        assert_eq!(offset(text, 2, 2), 3);
        assert_eq!(offset(text, 2, 4), 4, "in the middle of a character: its beginning");
        assert_eq!(offset(text, 9, 9), text.len());
    }

    #[test]
    fn a_path_leads_to_a_place() {
        let text = r#"{"a": [{"b": 1}, {"b": 2, "b.c": 3, "b": 4}]}"#;
        let document = parsed(text);
        let shown = |path: &str| {
            let located = document.root.locate(path);
            (&text[located.node.span.start..located.node.span.end], located.found)
        };
        assert_eq!(shown("a[0].b"), ("1", true));
        assert_eq!(shown("a[1].b"), ("4", true), "the last of two");
        assert_eq!(shown("a[1].b.c"), ("3", true));
        assert_eq!(shown("a[0].c"), (r#"{"b": 1}"#, false));
        assert_eq!(shown("a[7]"), (r#"[{"b": 1}, {"b": 2, "b.c": 3, "b": 4}]"#, false));
        assert_eq!(shown(""), (text, true));
        let located = document.root.locate("a[0].b");
        assert_eq!(located.parents.len(), 3);
        assert_eq!(located.key.map(|key| &text[key.start..key.end]), Some("\"b\""));
    }
}
