//! Changes of a text that leave everything else in it as it was.

use std::collections::BTreeMap;

use super::{Entry, JsonNode, Span};

/// A part of a text, and what stands there afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The part. An empty one is an insertion.
    pub span: Span,
    /// What stands there afterwards.
    pub replacement: String,
}

impl Edit {
    /// Replaces a part.
    pub fn replace(span: Span, replacement: impl Into<String>) -> Self {
        Self { span, replacement: replacement.into() }
    }

    /// Takes parts out, with the commas and the blanks that belong to them. `parts` tells the place
    /// of each part, `gone` which go.
    fn remove(parts: impl Fn(usize) -> Option<Span>, gone: &[usize]) -> Vec<Self> {
        let mut edits = Vec::new();
        for run in gone.chunk_by(|one, next| one + 1 == *next) {
            let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
            let (Some(start), Some(end)) = (parts(*first), parts(*last)) else { continue };
            let before = first.checked_sub(1).and_then(&parts);
            let span = match (parts(last + 1), before) {
                (Some(next), _) => Span { start: start.start, end: next.start },
                (None, Some(before)) => Span { start: before.end, end: end.end },
                (None, None) => Span { start: start.start, end: end.end },
            };
            edits.push(Self::replace(span, ""));
        }
        edits
    }

    /// Takes entries out of an object, by their places in ascending order.
    pub fn remove_entries(object: &JsonNode, gone: &[usize]) -> Vec<Self> {
        Self::remove(|at| object.entries().get(at).map(Entry::span), gone)
    }

    /// Takes items out of a list, by their places in ascending order.
    pub fn remove_items(list: &JsonNode, gone: &[usize]) -> Vec<Self> {
        Self::remove(|at| list.items().get(at).map(|item| item.span), gone)
    }

    /// Takes an entry out of an object.
    pub fn remove_entry(object: &JsonNode, at: usize) -> Option<Self> {
        Self::remove_entries(object, &[at]).pop()
    }

    /// Takes an item out of a list.
    pub fn remove_item(list: &JsonNode, at: usize) -> Option<Self> {
        Self::remove_items(list, &[at]).pop()
    }

    /// Puts an entry into an object, after another one or at its beginning. `value` is JSON.
    pub fn insert_entry(
        text: &str,
        object: &JsonNode,
        after: Option<usize>,
        key: &str,
        value: &str,
    ) -> Self {
        let spans: Vec<Span> = object.entries().iter().map(Entry::span).collect();
        insert(text, object.span, &spans, after, &format!("\"{key}\": {value}"))
    }

    /// Puts items at the end of a list. The values are JSON.
    pub fn append(text: &str, list: &JsonNode, values: &[String]) -> Self {
        let spans: Vec<Span> = list.items().iter().map(|item| item.span).collect();
        let blank = spans.first().map_or(" ", |first| blank(text, list.span, *first));
        let values = values.join(&format!(",{blank}"));
        insert(text, list.span, &spans, spans.len().checked_sub(1), &values)
    }
}

/// Puts a part between others, with the blanks that stand before the first of them.
fn insert(text: &str, whole: Span, parts: &[Span], after: Option<usize>, part: &str) -> Edit {
    let inside = whole.start + 1;
    let Some(first) = parts.first() else {
        return Edit::replace(Span { start: inside, end: inside }, part);
    };
    let blank = blank(text, whole, *first);
    match after.and_then(|after| parts.get(after)) {
        Some(earlier) => {
            Edit::replace(Span { start: earlier.end, end: earlier.end }, format!(",{blank}{part}"))
        }
        None => {
            let at = Span { start: first.start, end: first.start };
            Edit::replace(at, format!("{part},{blank}"))
        }
    }
}

/// What stands before each part: in one line a blank, in many the line break and the indentation.
fn blank(text: &str, whole: Span, first: Span) -> &str {
    let before = &text[whole.start + 1..first.start];
    if before.contains('\n') { before } else { " " }
}

/// Applies groups of edits, the earlier one of two that overlap; a group is applied as a whole or
/// not at all. The second value says which were applied, by their place in the list.
pub fn apply(text: &str, groups: &[&[Edit]]) -> (String, Vec<usize>) {
    let mut accepted: BTreeMap<usize, &Edit> = BTreeMap::new();
    let mut applied = Vec::new();
    for (at, group) in groups.iter().enumerate() {
        let fitting = group.iter().take_while(|edit| try_accept(&mut accepted, edit, text)).count();
        if fitting == group.len() {
            applied.push(at);
        } else {
            for edit in &group[..fitting] {
                accepted.remove(&edit.span.start);
            }
        }
    }
    let (mut result, mut done) = (String::with_capacity(text.len()), 0);
    for Edit { span, replacement } in accepted.into_values() {
        result.push_str(&text[done..span.start]);
        result.push_str(replacement);
        done = span.end;
    }
    result.push_str(&text[done..]);
    (result, applied)
}

/// Accepts an edit that overlaps with no accepted one. Two insertions at one place overlap.
fn try_accept<'a>(accepted: &mut BTreeMap<usize, &'a Edit>, edit: &'a Edit, text: &str) -> bool {
    let Span { start, end } = edit.span;
    let before = accepted.range(..=start).next_back();
    let after = accepted.range(start..).next();
    let fits = text.get(start..end).is_some()
        && before.is_none_or(|(at, other)| *at < start && other.span.end <= start)
        && after.is_none_or(|(at, _)| *at >= end);
    if fits {
        accepted.insert(start, edit);
    }
    fits
}

#[cfg(test)]
mod tests {
    use super::super::JsonText;
    use super::*;

    fn edited(text: &str, edit: impl Fn(&JsonNode) -> Edit) -> String {
        let document = JsonText::parse(text).expect("JSON");
        let result = apply(text, &[&[edit(&document.root)]]).0;
        JsonText::parse(&result).expect("still JSON");
        result
    }

    #[test]
    fn parts_go_with_their_commas() {
        let remove = |text, at| edited(text, |root| Edit::remove_item(root, at).expect("an item"));
        assert_eq!(remove("[1, 2, 3]", 0), "[2, 3]");
        assert_eq!(remove("[1, 2, 3]", 1), "[1, 3]");
        assert_eq!(remove("[1, 2, 3]", 2), "[1, 2]");
        assert_eq!(remove("[ 1 ]", 0), "[  ]");
        assert_eq!(remove("[\n  1,\n  2\n]", 1), "[\n  1\n]");
        let text = "[1, 2, 3, 4]";
        let list = JsonText::parse(text).expect("JSON");
        let edits = Edit::remove_items(&list.root, &[0, 2, 3]);
        assert_eq!(apply(text, &[&edits]).0, "[2]");
        let entry = |text, at| edited(text, |root| Edit::remove_entry(root, at).expect("an entry"));
        assert_eq!(entry("{\"a\": 1, \"b\": 2}", 1), "{\"a\": 1}");
    }

    #[test]
    fn parts_come_as_the_others_stand() {
        let text = "{\n  \"a\": 1,\n  \"b\": 2\n}";
        let after = edited(text, |root| Edit::insert_entry(text, root, Some(0), "x", "[3]"));
        assert_eq!(after, "{\n  \"a\": 1,\n  \"x\": [3],\n  \"b\": 2\n}");
        let first = edited(text, |root| Edit::insert_entry(text, root, None, "x", "3"));
        assert_eq!(first, "{\n  \"x\": 3,\n  \"a\": 1,\n  \"b\": 2\n}");
        let line = "{\"a\": 1}";
        let after = edited(line, |root| Edit::insert_entry(line, root, Some(0), "x", "3"));
        assert_eq!(after, "{\"a\": 1, \"x\": 3}");
        assert_eq!(
            edited("{}", |root| Edit::insert_entry("{}", root, None, "x", "3")),
            "{\"x\": 3}"
        );
        assert_eq!(
            edited("[1, 2]", |root| Edit::append(
                "[1, 2]",
                root,
                &["3".to_owned(), "4".to_owned()]
            )),
            "[1, 2, 3, 4]"
        );
        assert_eq!(edited("[]", |root| Edit::append("[]", root, &["3".to_owned()])), "[3]");
    }

    #[test]
    fn overlapping_edits_wait() {
        let edit = |start, end, text: &str| Edit::replace(Span { start, end }, text);
        let (first, both) = (edit(4, 6, "EF"), [edit(0, 2, "AB"), edit(5, 6, "--")]);
        let groups: [&[Edit]; 5] = [
            &[first],
            &both,
            &[edit(0, 2, "AB")],
            &[edit(2, 2, "-"), edit(6, 7, "G")],
            &[edit(9, 99, "no")],
        ];
        assert_eq!(apply("abcdefg", &groups), ("AB-cdEFG".to_owned(), vec![0, 2, 3]));
    }
}
