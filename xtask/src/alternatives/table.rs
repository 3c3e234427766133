//! The table as a file.

use std::collections::BTreeSet;

use anyhow::Result;
use serde::{Deserialize, Serialize};

/// What tracer embeds. `runs` and `open` are made by this tool, `programs` and `forms` are written
/// by people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    /// What was run.
    pub(crate) libraries: Vec<Named>,
    /// The kernel that it was run on.
    pub(crate) kernel: String,
    /// A call that was seen, and one that another library makes in its place.
    pub(crate) runs: Vec<Pair>,
    /// What a library makes and nothing in the other's calls shows.
    pub(crate) open: Vec<Open>,
    /// What newer versions of programs make.
    pub(crate) programs: Vec<ProgramChange>,
    /// Forms of one call, by the sources of libraries.
    pub(crate) forms: Vec<Forms>,
}

/// A library with the version of its package.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) package: String,
    pub(crate) release: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pair {
    pub(crate) of: String,
    pub(crate) call: String,
    /// Some of the functions that show it.
    pub(crate) functions: Vec<String>,
    pub(crate) seen_with: Vec<String>,
    pub(crate) made_with: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Open {
    pub(crate) call: String,
    pub(crate) functions: Vec<String>,
    pub(crate) made_with: Vec<String>,
}

/// A call that a newer version of a program makes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProgramChange {
    pub(crate) of: String,
    pub(crate) call: String,
    pub(crate) seen_with: String,
    pub(crate) made_with: String,
    pub(crate) reason: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Forms {
    pub(crate) calls: Vec<String>,
    pub(crate) source: String,
}

impl Table {
    /// The pairs that runs show.
    pub(crate) fn pairs(&self) -> BTreeSet<(&str, &str)> {
        self.runs.iter().map(|pair| (pair.of.as_str(), pair.call.as_str())).collect()
    }
}

/// The file: one line for each entry, so that a change can be read.
pub(crate) fn text(table: &Table) -> Result<String> {
    fn list<T: Serialize>(entries: &[T]) -> Result<String> {
        let lines: Vec<String> = entries
            .iter()
            .map(|entry| Ok(format!("    {}", serde_json::to_string(entry)?)))
            .collect::<Result<_>>()?;
        Ok(format!("[\n{}\n  ]", lines.join(",\n")))
    }
    let fields = [
        ("libraries", list(&table.libraries)?),
        ("kernel", serde_json::to_string(&table.kernel)?),
        ("runs", list(&table.runs)?),
        ("open", list(&table.open)?),
        ("programs", list(&table.programs)?),
        ("forms", list(&table.forms)?),
    ];
    let lines: Vec<String> =
        fields.iter().map(|(name, value)| format!("  \"{name}\": {value}")).collect();
    Ok(format!("{{\n{}\n}}\n", lines.join(",\n")))
}
