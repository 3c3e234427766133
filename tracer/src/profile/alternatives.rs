//! Calls of which one stands for another: the same function of a C library makes one or the other,
//! depending on the library, its version and the kernel.
//!
//! The table is `profiles/libraries/alternatives.json`, and embedded. Most of it is made by runs
//! (`cargo xtask alternatives`): some hundred functions of several C libraries, each traced by
//! itself. What runs on one kernel cannot show (the forms of other kernels, and of functions that
//! are not among these) comes from the sources of the libraries and is marked so. Some calls are
//! those of newer versions of programs, found by running both versions.
//!
//! Not in it: `execve` for `execveat` and `mount` for `move_mount`, which do more than the other
//! one; calls without an implementation; and 32-bit forms, which 64-bit programs lack.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

use super::oci::{self, JsonError};
use crate::syscalls::{self, Abi};

/// A call that another one stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alternative {
    /// The call that was seen.
    pub of: String,
    /// The call that may be made instead.
    pub name: String,
    /// Who makes it.
    pub evidence: String,
    /// A run shows it; else sources say so.
    pub ran: bool,
}

/// The file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The C libraries whose functions were run.
    pub libraries: Vec<Library>,
    /// The kernel that they were run on.
    pub kernel: String,
    /// What the runs show; sorted, none twice.
    pub runs: Vec<Run>,
    /// What a library makes and nothing in the calls of another one tells: only a recording with
    /// that library does.
    pub open: Vec<Open>,
    /// What newer versions of programs make.
    pub programs: Vec<ProgramChange>,
    /// What sources say: each group is forms of one call, and each call is in one group at most.
    pub forms: Vec<Forms>,
}

/// A C library.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Library {
    /// Its name and version.
    pub name: String,
    /// The package that it came from, with the version.
    pub package: String,
    /// The release of Debian that has the package.
    pub release: String,
}

/// One call in the place of another, as runs show it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The call of one library.
    pub of: String,
    /// The call of the other.
    pub call: String,
    /// Functions that show it.
    pub functions: Vec<String>,
    /// The libraries that make the one.
    pub seen_with: Vec<String>,
    /// The libraries that make the other.
    pub made_with: Vec<String>,
}

/// A call that follows from none.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// The call.
    pub call: String,
    /// The functions that make it.
    pub functions: Vec<String>,
    /// The libraries whose functions do.
    pub made_with: Vec<String>,
}

/// A call that a newer version of a program makes beside one that the older version makes as well.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramChange {
    /// The call of both.
    pub of: String,
    /// The call of the newer one.
    pub call: String,
    /// The older version.
    pub seen_with: String,
    /// The newer version.
    pub made_with: String,
    /// What it makes the call for.
    pub reason: String,
}

/// Forms of one call.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forms {
    /// The calls.
    pub calls: Vec<String>,
    /// Who says so.
    pub source: String,
}

/// Why a table cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The text is not the JSON of a table.
    #[error("the table of alternatives is not well-formed")]
    Form(#[from] JsonError),
    /// A name is no call of x86_64.
    #[error("the table of alternatives names {0:?}, which is no system call of {native}", native = Abi::NATIVE.name())]
    Name(String),
    /// The runs are not sorted, or a pair comes twice.
    #[error("the table of alternatives has {of:?} and {call:?} in the wrong place or twice")]
    Order {
        /// The one call.
        of: String,
        /// The other.
        call: String,
    },
    /// An entry does not say where it comes from.
    #[error("the table of alternatives does not say where {0:?} comes from")]
    Provenance(String),
    /// A call is in several groups, or a group has one call.
    #[error("the table of alternatives has {0:?} alone in a group of forms, or in several")]
    Group(String),
}

impl Table {
    /// Reads a table.
    pub fn parse(text: &str) -> Result<Self, TableError> {
        let table: Self = oci::parse(text.as_bytes())?;
        let named = table.runs.iter().flat_map(|run| [&run.of, &run.call]);
        let named = named.chain(table.programs.iter().flat_map(|one| [&one.of, &one.call]));
        let named = named.chain(table.open.iter().map(|open| &open.call));
        for name in named.chain(table.forms.iter().flat_map(|forms| &forms.calls)) {
            if syscalls::number(Abi::NATIVE, name).is_none() {
                return Err(TableError::Name(name.clone()));
            }
        }
        let ordered = |one: &Run, next: &Run| (&one.of, &one.call) < (&next.of, &next.call);
        let misplaced = table.runs.windows(2).find(|pair| !ordered(&pair[0], &pair[1]));
        let itself = table.runs.iter().find(|run| run.of == run.call);
        if let Some(run) = misplaced.map(|pair| &pair[1]).or(itself) {
            return Err(TableError::Order { of: run.of.clone(), call: run.call.clone() });
        }
        let unproven = |run: &&Run| {
            run.functions.is_empty() || run.seen_with.is_empty() || run.made_with.is_empty()
        };
        if let Some(run) = table.runs.iter().find(unproven) {
            return Err(TableError::Provenance(run.call.clone()));
        }
        if let Some(program) = table.programs.iter().find(|one| one.reason.trim().is_empty()) {
            return Err(TableError::Provenance(program.call.clone()));
        }
        let mut grouped: BTreeMap<&str, usize> = BTreeMap::new();
        for forms in &table.forms {
            if forms.source.trim().is_empty() {
                return Err(TableError::Provenance(forms.calls.concat()));
            }
            for call in &forms.calls {
                *grouped.entry(call).or_default() += 1;
                if grouped[call.as_str()] > 1 || forms.calls.len() < 2 {
                    return Err(TableError::Group(call.clone()));
                }
            }
        }
        Ok(table)
    }

    /// The table that is part of this program.
    pub fn embedded() -> &'static Self {
        static TABLE: LazyLock<Table> = LazyLock::new(|| {
            Table::parse(EMBEDDED)
                .expect("the embedded table is well-formed, as a unit test proves")
        });
        &TABLE
    }

    /// Every pair, by the call that was seen.
    fn by_call(&self) -> BTreeMap<&str, Vec<Alternative>> {
        let mut pairs: BTreeMap<(&str, &str), (String, bool)> = BTreeMap::new();
        for forms in &self.forms {
            for (of, name) in every_two(&forms.calls) {
                pairs.insert(
                    (of, name),
                    ("another form of it, by the sources of C libraries".into(), false),
                );
            }
        }
        for program in &self.programs {
            let evidence = format!("{} makes it: {}", program.made_with, program.reason);
            pairs.insert((&program.of, &program.call), (evidence, true));
        }
        for run in &self.runs {
            pairs.insert((&run.of, &run.call), (evidence(run), true));
        }
        let mut by_call: BTreeMap<&str, Vec<Alternative>> = BTreeMap::new();
        for ((of, name), (evidence, ran)) in pairs {
            let alternative = Alternative { of: of.into(), name: name.into(), evidence, ran };
            by_call.entry(of).or_default().push(alternative);
        }
        by_call
    }
}

/// No function: what a program does before it begins.
const START: &str = "start";
const EMBEDDED: &str = include_str!("../../../profiles/libraries/alternatives.json");

/// The calls that may be made where the named one was seen.
pub fn alternatives(name: &str) -> &'static [Alternative] {
    static ALL: LazyLock<BTreeMap<&'static str, Vec<Alternative>>> =
        LazyLock::new(|| Table::embedded().by_call());
    ALL.get(name).map(Vec::as_slice).unwrap_or_default()
}

fn every_two(calls: &[String]) -> impl Iterator<Item = (&str, &str)> {
    calls
        .iter()
        .flat_map(move |of| calls.iter().map(move |name| (of.as_str(), name.as_str())))
        .filter(|(of, name)| of != name)
}

/// The first function and library are enough for people: the file has more.
fn evidence(run: &Run) -> String {
    let first = |of: &[String]| of.first().cloned().unwrap_or_default();
    let (function, library) = (first(&run.functions), first(&run.made_with));
    if function == START {
        format!("{library} makes it when a program starts")
    } else {
        format!("{library} makes it in the function {function}")
    }
}

#[cfg(test)]
#[path = "alternatives_tests.rs"]
mod tests;
