//! Writes a decision into the text of `tracer.toml`, and leaves the rest of it as people wrote it.

use time::Date;
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, RawString, Table, Value};

use super::{Choice, DecisionsError, date, read};

/// A decision about one syscall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewDecision<'a> {
    /// What is decided.
    pub choice: Choice,
    /// The syscall.
    pub syscall: &'a str,
    /// Why.
    pub because: &'a str,
    /// The last day on which it counts; None: without end.
    pub until: Option<Date>,
}

/// The text with the decision in it, in the place of what was decided about the syscall before.
///
/// # Errors
/// The text is not in the form of decisions.
pub fn add(text: &str, new: &NewDecision<'_>) -> Result<String, DecisionsError> {
    read(text.as_bytes())?;
    let document: Result<DocumentMut, _> = text.parse();
    let mut document = document.map_err(|error| read::not_toml(text, &error))?;
    let renewed = renew(&mut document, new);
    let mut prefix = None;
    for choice in Choice::ALL {
        let kept = renewed.filter(|_| choice == new.choice);
        let removed = remove(&mut document, choice, new.syscall, kept);
        prefix = prefix.or(removed);
    }
    if renewed.is_none() {
        insert(&mut document, new, prefix);
    }
    let written = document.to_string();
    read(written.as_bytes())?;
    Ok(written)
}

/// Changes the first table that decides the same about this syscall alone, and returns its place
/// among those of the choice; None when there is none.
fn renew(document: &mut DocumentMut, new: &NewDecision<'_>) -> Option<usize> {
    let mut tables = tables_mut(document, new.choice)?.iter_mut().enumerate();
    let is_of_it_alone = |(_, table): &(usize, &mut Table)| {
        let list = table.get("syscalls").and_then(Item::as_array);
        list.is_some_and(|list| list.len() == 1 && names(list, new.syscall))
    };
    let (place, table) = tables.find(is_of_it_alone)?;
    set(table, "because", new.because.into());
    match new.until {
        Some(until) => set(table, "until", date::to_toml(until).into()),
        None => drop(table.remove("until")),
    }
    Some(place)
}

/// Takes a syscall out of all decisions but the one at the place `kept`: of several about one
/// syscall the first counts, whatever a later one says. A table that was about this one alone goes;
/// what stands before the first such table is returned, because it may be a comment on the file.
fn remove(
    document: &mut DocumentMut,
    choice: Choice,
    syscall: &str,
    kept: Option<usize>,
) -> Option<RawString> {
    let tables = tables_mut(document, choice)?;
    for (place, table) in tables.iter_mut().enumerate() {
        if let Some(list) = table.get_mut("syscalls").and_then(Item::as_array_mut)
            && kept != Some(place)
        {
            list.retain(|value| value.as_str() != Some(syscall));
        }
    }
    let is_left = |table: &Table| {
        let list = table.get("syscalls").and_then(Item::as_array);
        list.is_none_or(|list| !list.is_empty())
    };
    let before = tables.iter().find(|table| !is_left(table));
    let before = before.and_then(|table| table.decor().prefix().cloned());
    tables.retain(is_left);
    before
}

/// Adds a table, after `prefix`.
fn insert(document: &mut DocumentMut, new: &NewDecision<'_>, prefix: Option<RawString>) {
    let mut table = Table::new();
    let list = Array::from_iter([new.syscall]);
    table.insert("syscalls", Item::Value(list.into()));
    table.insert("because", Item::Value(new.because.into()));
    if let Some(until) = new.until {
        table.insert("until", Item::Value(date::to_toml(until).into()));
    }
    if let Some(prefix) = prefix {
        table.decor_mut().set_prefix(prefix);
    } else if document.as_table().is_empty() {
        // A file of comments alone: they stay above.
        let comments = document.trailing().as_str().unwrap_or_default().to_owned();
        if !comments.is_empty() {
            table.decor_mut().set_prefix(format!("{comments}\n"));
            document.set_trailing("");
        }
    }
    if tables_mut(document, new.choice).is_none() {
        let none = Item::ArrayOfTables(ArrayOfTables::new());
        document.as_table_mut().insert(new.choice.name(), none);
    }
    if let Some(tables) = tables_mut(document, new.choice) {
        tables.push(table);
    }
}

fn tables_mut(document: &mut DocumentMut, choice: Choice) -> Option<&mut ArrayOfTables> {
    document.as_table_mut().get_mut(choice.name())?.as_array_of_tables_mut()
}

fn names(list: &Array, syscall: &str) -> bool {
    list.iter().any(|value| value.as_str() == Some(syscall))
}

/// Gives a key a value; what stands around the old one stays.
fn set(table: &mut Table, key: &str, mut new: Value) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        None => drop(table.insert(key, Item::Value(new))),
    }
}
