//! Takes values out of a tree, and notes what is wrong with them under their path.

use super::{
    fault::{Fault, Problem, closest},
    tree::Tree,
};

/// What is wrong so far.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) problems: Vec<Problem>,
}

/// A value and its path.
#[derive(Clone)]
pub(super) struct Place<'a> {
    pub(super) path: String,
    pub(super) tree: &'a Tree,
}

/// The fields of an object.
pub(super) struct Fields<'a> {
    path: String,
    entries: &'a [(String, Tree)],
}

impl<'a> Fields<'a> {
    /// The path of a field.
    pub(super) fn path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The field, unless it is missing or null: Go reads both alike.
    pub(super) fn get(&self, key: &str) -> Option<Place<'a>> {
        let (_, tree) = self.entries.iter().find(|(name, _)| name == key)?;
        (*tree != Tree::Null).then(|| Place { path: self.path(key), tree })
    }
}

impl Notes {
    /// Notes a fault.
    pub(super) fn add(&mut self, path: impl Into<String>, fault: Fault) {
        self.problems.push(Problem { path: path.into(), fault });
    }

    fn kind<T>(&mut self, place: &Place<'_>, expected: &'static str) -> Option<T> {
        self.add(place.path.clone(), Fault::Kind { expected, found: place.tree.kind() });
        None
    }

    /// The fields of an object. `known` are all that it may have; `old` are those that somebody else notes.
    pub(super) fn fields<'a>(
        &mut self,
        place: &Place<'a>,
        known: &[&'static str],
        old: &[&str],
    ) -> Option<Fields<'a>> {
        let Tree::Object(entries) = place.tree else { return self.kind(place, "an object") };
        let fields = Fields { path: place.path.clone(), entries };
        for (at, (key, _)) in entries.iter().enumerate() {
            let path = fields.path(&crate::text::escape(key));
            let right = known.iter().find(|known| known.eq_ignore_ascii_case(key));
            if entries[..at].iter().any(|(earlier, _)| earlier == key) {
                self.add(path, Fault::Twice);
            } else if old.contains(&key.as_str()) || known.contains(&key.as_str()) {
                // Known by this name.
            } else if let Some(right) = right {
                self.add(path, Fault::KeyCase { right });
            } else {
                self.add(path, Fault::UnknownKey { meant: closest(key, known) });
            }
        }
        Some(fields)
    }

    /// The items of a list.
    pub(super) fn list<'a>(&mut self, place: &Place<'a>) -> Vec<Place<'a>> {
        let Tree::List(items) = place.tree else {
            self.kind::<()>(place, "a list");
            return Vec::new();
        };
        let item = |(at, tree)| Place { path: format!("{}[{at}]", place.path), tree };
        items.iter().enumerate().map(item).collect()
    }

    /// Text.
    pub(super) fn text<'a>(&mut self, place: &Place<'a>) -> Option<&'a str> {
        match place.tree {
            Tree::Text(text) => Some(text),
            _ => self.kind(place, "text"),
        }
    }

    /// A whole number from 0 to 2^64 - 1.
    pub(super) fn number(&mut self, place: &Place<'_>) -> Option<u64> {
        match place.tree {
            Tree::Number(number) => Some(*number),
            _ => self.kind(place, "a whole number from 0 to 18446744073709551615"),
        }
    }
}
