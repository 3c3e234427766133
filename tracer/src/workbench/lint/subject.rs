//! A profile in its text: where its fields stand, and the changes that rules propose.

use super::{
    consumer::Audience,
    finding::{Finding, LintRule},
};
use crate::workbench::json_text::{Edit, JsonNode, JsonStep, Located, Span};

/// A profile in its text.
#[derive(Clone, Copy, Debug)]
pub struct LintSubject<'a> {
    /// The whole text; comments and commas too many are blanks.
    pub text: &'a str,
    /// The profile.
    pub profile: &'a JsonNode,
    /// Where the profile is in the text: `linux.seccomp`; empty for the whole.
    pub prefix: &'a str,
    /// The consumers for which it is checked.
    pub audience: &'a Audience,
}

impl<'a> LintSubject<'a> {
    /// What lies at a path of the profile.
    pub fn at(&self, path: &str) -> Located<'a> {
        self.profile.locate(path)
    }

    /// The path in the whole text.
    fn full(&self, path: &str) -> String {
        match (self.prefix, path) {
            ("", path) => path.to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, path) => format!("{prefix}.{path}"),
        }
    }

    /// A finding about the value at a path; about what is nearest above where there is none.
    pub fn finding(&self, rule: &'static LintRule, path: &str) -> Finding {
        let Located { node, found, .. } = self.at(path);
        let start = node.span.start;
        let span = if found { node.span } else { Span { start, end: start + 1 } };
        Finding::new(rule, self.full(path), span)
    }

    /// A finding about the key at a path.
    pub fn finding_of_key(&self, rule: &'static LintRule, path: &str) -> Finding {
        let finding = self.finding(rule, path);
        let key = self.at(path).key;
        Finding { span: key.unwrap_or(finding.span), ..finding }
    }

    /// A finding about the beginning of the value at a path.
    pub fn finding_of_start(&self, rule: &'static LintRule, path: &str) -> Finding {
        let finding = self.finding(rule, path);
        let start = finding.span.start;
        Finding { span: Span { start, end: start + 1 }, ..finding }
    }

    /// Puts JSON in the place of the value at a path.
    pub fn replace(&self, path: &str, json: impl Into<String>) -> Option<Edit> {
        let located = self.at(path);
        located.found.then(|| Edit::replace(located.node.span, json))
    }

    /// Gives the key at a path another name.
    pub fn rename(&self, path: &str, key: &str) -> Option<Edit> {
        self.at(path).key.map(|span| Edit::replace(span, format!("\"{key}\"")))
    }

    /// Takes out the value at a path, with its key.
    pub fn remove(&self, path: &str) -> Option<Edit> {
        let located = self.at(path);
        match *located.parents.last().filter(|_| located.found)? {
            (object, JsonStep::Entry(at)) => Edit::remove_entry(object, at),
            (list, JsonStep::Item(at)) => Edit::remove_item(list, at),
        }
    }

    /// Takes fields out of the object at a path.
    pub fn remove_fields(&self, path: &str, keys: &[&str]) -> Vec<Edit> {
        let object = self.at(path).node;
        let entries = object.entries().iter().enumerate();
        let gone = entries.filter(|(_, entry)| keys.contains(&entry.key.as_str()));
        Edit::remove_entries(object, &gone.map(|(at, _)| at).collect::<Vec<_>>())
    }

    /// Puts a field into the object at a path, after another one; at its beginning when that one is
    /// not there.
    pub fn insert(&self, path: &str, after: &str, key: &str, json: &str) -> Option<Edit> {
        let located = self.at(path);
        let place = located.node.entries().iter().position(|entry| entry.key == after);
        located.found.then(|| Edit::insert_entry(self.text, located.node, place, key, json))
    }

    /// Puts a field at the end of the object at a path.
    pub fn insert_last(&self, path: &str, key: &str, json: &str) -> Option<Edit> {
        let located = self.at(path);
        let last = located.node.entries().len().checked_sub(1);
        located.found.then(|| Edit::insert_entry(self.text, located.node, last, key, json))
    }

    /// Puts values at the end of the list at a path.
    pub fn append(&self, path: &str, json: &[String]) -> Option<Edit> {
        let located = self.at(path);
        located.found.then(|| Edit::append(self.text, located.node, json))
    }
}

/// The last key of a path, without its place in a list.
pub fn last_key(path: &str) -> &str {
    let key = path.rsplit('.').next().unwrap_or(path);
    key.split('[').next().unwrap_or(key)
}

/// The path without its last part.
pub fn parent(path: &str) -> &str {
    let at = path.rfind(['.', '[']).unwrap_or(0);
    &path[..at]
}

/// Text as JSON.
pub fn quoted(text: &str) -> String {
    let escaped: String = text
        .chars()
        .flat_map(|char| match char {
            '"' | '\\' => vec!['\\', char],
            _ => vec![char],
        })
        .collect();
    format!("\"{escaped}\"")
}

/// A list with `and` before its last item.
pub fn listed(items: &[impl AsRef<str>]) -> String {
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    match items.as_slice() {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
