//! Takes values out of a tree, and notes what is wrong with them under their path.

use super::{
    json_value::JsonValue,
    profile_error::{ErrorKind, ProfileError, closest},
    remark::{Oddity, Remark},
};

/// Keys that only readers written in Go know, which take a key in any case.
const IN_ANY_CASE: [&str; 8] = [
    "archMap",
    "architecture",
    "subArchitectures",
    "includes",
    "excludes",
    "caps",
    "arches",
    "minKernel",
];
/// A key for people, whatever is like it.
const COMMENT: &str = "comment";

/// What is wrong so far, and what is odd.
#[derive(Default)]
pub(super) struct Diagnostics {
    pub(super) errors: Vec<ProfileError>,
    pub(super) remarks: Vec<Remark>,
}

/// A value and its path.
#[derive(Clone)]
pub(super) struct Node<'a> {
    pub(super) path: String,
    pub(super) value: &'a JsonValue,
}

/// The fields of an object.
pub(super) struct Fields<'a> {
    path: String,
    entries: &'a [(String, JsonValue)],
}

impl<'a> Fields<'a> {
    /// The path of a field.
    pub(super) fn path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The field, unless it is missing or null: Go reads both alike.
    pub(super) fn get(&self, key: &str) -> Option<Node<'a>> {
        let any_case = IN_ANY_CASE.contains(&key);
        let is_it = |name: &str| name == key || any_case && name.eq_ignore_ascii_case(key);
        let (_, value) = self.entries.iter().find(|(name, _)| is_it(name))?;
        (*value != JsonValue::Null).then(|| Node { path: self.path(key), value })
    }
}

impl Diagnostics {
    /// Adds an error.
    pub(super) fn add(&mut self, path: impl Into<String>, kind: ErrorKind) {
        self.errors.push(ProfileError { path: path.into(), kind });
    }

    /// Adds something odd.
    pub(super) fn remark(&mut self, path: impl Into<String>, oddity: Oddity) {
        self.remarks.push(Remark { path: path.into(), oddity });
    }

    fn kind<T>(&mut self, node: &Node<'_>, expected: &'static str) -> Option<T> {
        self.add(node.path.clone(), ErrorKind::Kind { expected, found: node.value.kind() });
        None
    }

    /// The fields of an object. `known` are all that it may have; `old` are those that somebody
    /// else notes.
    pub(super) fn fields<'a>(
        &mut self,
        node: &Node<'a>,
        known: &[&'static str],
        old: &[&str],
    ) -> Option<Fields<'a>> {
        let JsonValue::Object(entries) = node.value else { return self.kind(node, "an object") };
        let fields = Fields { path: node.path.clone(), entries };
        for (at, (key, _)) in entries.iter().enumerate() {
            let path = fields.path(&crate::text::escape(key));
            if !old.contains(&key.as_str()) && !known.contains(&key.as_str()) {
                self.strange_key(path.clone(), key, known);
            }
            if is_twice(&entries[..at], key) {
                self.add(path, ErrorKind::Twice);
            }
        }
        Some(fields)
    }

    fn strange_key(&mut self, path: String, key: &str, known: &[&'static str]) {
        let in_other_letters = known.iter().find(|known| known.eq_ignore_ascii_case(key));
        match (in_other_letters, closest(key, known)) {
            (Some(right), _) if IN_ANY_CASE.contains(right) => {
                self.remark(path, Oddity::KeyCase { right });
            }
            (Some(right), _) if *right != COMMENT => self.add(path, ErrorKind::KeyCase { right }),
            (None, Some(meant)) if meant != COMMENT => {
                self.add(path, ErrorKind::UnknownKey { meant });
            }
            _ => self.remark(path, Oddity::UnknownKey),
        }
    }

    /// The items of a list.
    pub(super) fn list<'a>(&mut self, node: &Node<'a>) -> Vec<Node<'a>> {
        let JsonValue::List(items) = node.value else {
            self.kind::<()>(node, "a list");
            return Vec::new();
        };
        let item = |(at, value)| Node { path: format!("{}[{at}]", node.path), value };
        items.iter().enumerate().map(item).collect()
    }

    /// Text.
    pub(super) fn text<'a>(&mut self, node: &Node<'a>) -> Option<&'a str> {
        match node.value {
            JsonValue::Text(text) => Some(text),
            _ => self.kind(node, "text"),
        }
    }

    /// A whole number from 0 to 2^64 - 1.
    pub(super) fn number(&mut self, node: &Node<'_>) -> Option<u64> {
        match node.value {
            JsonValue::Number(number) => Some(*number),
            _ => self.kind(node, "a whole number from 0 to 18446744073709551615"),
        }
    }
}

/// Whether a key came before, as whoever reads it counts.
fn is_twice(earlier: &[(String, JsonValue)], key: &str) -> bool {
    let any_case = IN_ANY_CASE.iter().any(|known| known.eq_ignore_ascii_case(key));
    let same = |known: &str| known == key || any_case && known.eq_ignore_ascii_case(key);
    earlier.iter().any(|(known, _)| same(known))
}
