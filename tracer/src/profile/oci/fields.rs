//! Takes values out of a tree, and notes what is wrong with them under their path.

use super::{
    fault::{Fault, Problem, closest},
    remark::{Oddity, Remark},
    tree::Tree,
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
pub(super) struct Notes {
    pub(super) problems: Vec<Problem>,
    pub(super) remarks: Vec<Remark>,
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
        let any_case = IN_ANY_CASE.contains(&key);
        let is_it = |name: &str| name == key || any_case && name.eq_ignore_ascii_case(key);
        let (_, tree) = self.entries.iter().find(|(name, _)| is_it(name))?;
        (*tree != Tree::Null).then(|| Place { path: self.path(key), tree })
    }
}

impl Notes {
    /// Notes a fault.
    pub(super) fn add(&mut self, path: impl Into<String>, fault: Fault) {
        self.problems.push(Problem { path: path.into(), fault });
    }

    /// Notes something odd.
    pub(super) fn remark(&mut self, path: impl Into<String>, oddity: Oddity) {
        self.remarks.push(Remark { path: path.into(), oddity });
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
            if !old.contains(&key.as_str()) && !known.contains(&key.as_str()) {
                self.strange_key(path.clone(), key, known);
            }
            if is_twice(&entries[..at], key) {
                self.add(path, Fault::Twice);
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
            (Some(right), _) if *right != COMMENT => self.add(path, Fault::KeyCase { right }),
            (None, Some(meant)) if meant != COMMENT => {
                self.add(path, Fault::UnknownKey { meant });
            }
            _ => self.remark(path, Oddity::UnknownKey),
        }
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

/// Whether a key came before, as whoever reads it counts.
fn is_twice(earlier: &[(String, Tree)], key: &str) -> bool {
    let any_case = IN_ANY_CASE.iter().any(|known| known.eq_ignore_ascii_case(key));
    let same = |known: &str| known == key || any_case && known.eq_ignore_ascii_case(key);
    earlier.iter().any(|(known, _)| same(known))
}
