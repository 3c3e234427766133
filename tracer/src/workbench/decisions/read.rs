//! From the text of `tracer.toml` to decisions.

use std::{collections::BTreeMap, ops::Range};

use toml_edit::{Document, Item, Key, Table, TomlError};

use super::{Choice, Decision, Decisions, DecisionsError, MAX_BYTES, Name, Problem, Until, date};
use crate::{
    encoding::{self, EncodingError},
    profile::oci::{self, Mistaken, RecognisedFile},
    text::escape,
    workbench::json_text::{LineIndex, Span},
};

/// The longest reason, in bytes: recordings and profiles repeat it.
const MAX_BECAUSE: usize = 4 << 10;

/// Reads decisions.
///
/// # Errors
/// The file is in another form, or decides both ways about a syscall.
pub fn read(bytes: &[u8]) -> Result<Decisions, DecisionsError> {
    if bytes.len() > MAX_BYTES {
        return Err(Reader::new("").wrong(None, Problem::TooLarge { limit: MAX_BYTES }));
    }
    if encoding::check(bytes) == Err(EncodingError::Utf16) {
        return Err(Reader::new("").wrong(None, Problem::Utf16));
    }
    let text = match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let (valid, _) = bytes.split_at(error.valid_up_to());
            let valid = String::from_utf8_lossy(valid);
            let end = valid.len();
            return Err(Reader::new(&valid).wrong(Some(end..end), Problem::NotUtf8));
        }
    };
    let reader = Reader::new(text);
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => return Err(mistaken(text).unwrap_or_else(|| not_toml(text, &error))),
    };
    let mut entries = Vec::new();
    for (key, item) in document.as_table() {
        let Some(choice) = Choice::ALL.into_iter().find(|choice| choice.name() == key) else {
            let span = of_key(document.as_table(), key, item);
            return Err(reader.wrong(span, Problem::UnknownKey { key: key.to_owned() }));
        };
        let Some(tables) = item.as_array_of_tables() else {
            let problem = Problem::NotTables { key: choice.name(), found: item.type_name() };
            return Err(reader.wrong(of_key(document.as_table(), key, item), problem));
        };
        for table in tables {
            let start = table.span().map_or(0, |span| span.start);
            entries.push((start, reader.decision(choice, table)?));
        }
    }
    entries.sort_by_key(|(start, _)| *start);
    let entries = entries.into_iter().map(|(_, entry)| entry).collect();
    let decisions = Decisions { entries };
    reader.check_contradictions(&decisions)?;
    Ok(decisions)
}

/// A file of another kind that people name by mistake; None when it is none that is known.
fn mistaken(text: &str) -> Option<DecisionsError> {
    let what = match oci::recognise(encoding::without_mark(text.as_bytes()))? {
        // Text in a form that nobody intended may be YAML.
        RecognisedFile::Other(Mistaken::Yaml) => return None,
        known => known.to_string(),
    };
    Some(Reader::new(text).wrong(None, Problem::Mistaken { what }))
}

/// What the parser found wrong.
pub(super) fn not_toml(text: &str, error: &TomlError) -> DecisionsError {
    let message = error.message().trim().replace('\n', ", ");
    let problem = Problem::NotToml { message: escape(&message).into() };
    Reader::new(text).wrong(error.span(), problem)
}

/// A text that is read.
struct Reader<'a> {
    lines: LineIndex<'a>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Self { lines: LineIndex::new(text) }
    }

    /// Something is wrong at a place; without one, at the beginning.
    fn wrong(&self, span: Option<Range<usize>>, problem: Problem) -> DecisionsError {
        let span = to_span(span);
        DecisionsError { span, position: self.lines.position(span.start), problem }
    }

    fn decision(&self, choice: Choice, table: &Table) -> Result<Decision, DecisionsError> {
        for (key, item) in table {
            if !["syscalls", "because", "until"].contains(&key) {
                let problem = Problem::UnknownKey { key: key.to_owned() };
                return Err(self.wrong(of_key(table, key, item), problem));
            }
        }
        Ok(Decision {
            choice,
            syscalls: self.names(table)?,
            because: self.because(table)?,
            until: self.until(table)?,
        })
    }

    fn required<'t>(
        &self,
        table: &'t Table,
        key: &'static str,
    ) -> Result<&'t Item, DecisionsError> {
        let missing = || self.wrong(table.span(), Problem::Missing { key });
        table.get(key).ok_or_else(missing)
    }

    fn names(&self, table: &Table) -> Result<Vec<Name>, DecisionsError> {
        const KEY: &str = "syscalls";
        let item = self.required(table, KEY)?;
        let kind = |found| Problem::Kind { key: KEY, expected: "a list of names", found };
        let Some(list) = item.as_array() else {
            return Err(self.wrong(item.span(), kind(item.type_name())));
        };
        if list.is_empty() {
            return Err(self.wrong(item.span(), Problem::Empty { key: KEY }));
        }
        let name = |value: &toml_edit::Value| match value.as_str() {
            Some(text) => Ok(Name { text: text.to_owned(), span: to_span(value.span()) }),
            None => Err(self.wrong(value.span(), kind(value.type_name()))),
        };
        list.iter().map(name).collect()
    }

    fn because(&self, table: &Table) -> Result<String, DecisionsError> {
        const KEY: &str = "because";
        let item = self.required(table, KEY)?;
        let Some(because) = item.as_str() else {
            let problem = Problem::Kind { key: KEY, expected: "text", found: item.type_name() };
            return Err(self.wrong(item.span(), problem));
        };
        match because.trim() {
            "" => Err(self.wrong(item.span(), Problem::Empty { key: KEY })),
            because if because.len() > MAX_BECAUSE => {
                let problem = Problem::Long { key: KEY, bytes: because.len(), limit: MAX_BECAUSE };
                Err(self.wrong(item.span(), problem))
            }
            because => Ok(because.to_owned()),
        }
    }

    fn until(&self, table: &Table) -> Result<Option<Until>, DecisionsError> {
        let Some(item) = table.get("until") else { return Ok(None) };
        let Some(value) = item.as_datetime() else {
            let found = item.type_name();
            let problem = Problem::Kind { key: "until", expected: "a date", found };
            return Err(self.wrong(item.span(), problem));
        };
        match date::of_toml(value) {
            Some(date) => Ok(Some(Until { date, span: to_span(item.span()) })),
            None => Err(self.wrong(item.span(), Problem::NotADate)),
        }
    }

    /// No syscall may be both allowed and denied, also where one of the two has ended: on some day
    /// both counted.
    fn check_contradictions(&self, decisions: &Decisions) -> Result<(), DecisionsError> {
        let mut known: BTreeMap<&str, (Choice, Span)> = BTreeMap::new();
        for entry in &decisions.entries {
            for Name { text: name, span } in &entry.syscalls {
                let first = *known.entry(name).or_insert((entry.choice, *span));
                if first.0 != entry.choice {
                    let other = self.lines.position(first.1.start);
                    let (name, choice) = (name.clone(), entry.choice);
                    let problem = Problem::Contradiction { name, choice, other };
                    return Err(self.wrong(Some(span.start..span.end), problem));
                }
            }
        }
        Ok(())
    }
}

/// The place of a key.
fn of_key(table: &Table, key: &str, item: &Item) -> Option<Range<usize>> {
    table.key(key).and_then(Key::span).or_else(|| item.span())
}

fn to_span(span: Option<Range<usize>>) -> Span {
    span.map_or_else(Span::default, |Range { start, end }| Span { start, end })
}
