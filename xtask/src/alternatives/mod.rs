//! Makes the table of calls of which one stands for another, by runs: the same functions of several
//! C libraries.
//!
//! [`libraries`] fetches and compiles, [`runs`] traces, [`pairs`] compares, [`table`] reads and
//! writes the table.

mod libraries;
mod pairs;
mod runs;
mod table;

use std::{collections::BTreeSet, fs};

use anyhow::{Context as _, Result};

use crate::workspace::Workspace;
use table::Table;

/// The table, which is part of tracer.
const TABLE: &str = "profiles/libraries/alternatives.json";

/// Options of the subcommand.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Fail when the table would change, and leave it as it is
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let path = workspace.root().join(TABLE);
    let text =
        fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
    let old: Table = serde_json::from_str(&text)
        .with_context(|| format!("{} is no table of alternatives", path.display()))?;
    let libraries = libraries::prepare(workspace)?;
    let functions = runs::functions(workspace, &libraries)?;
    println!("{} functions of {} libraries", functions.len(), libraries.len());
    let observed = runs::observe(workspace, &libraries, &functions)?;
    let new = pairs::table(&libraries, &observed, &old);
    print!("{}", changes(&old, &new));
    if options.check {
        anyhow::ensure!(
            old.pairs() == new.pairs(),
            "{TABLE} is not what runs show\n\nhint: cargo xtask alternatives writes it again"
        );
        return Ok(());
    }
    let text = table::text(&new)?;
    fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))?;
    println!("{TABLE}: {} pairs, {} calls that follow from none", new.runs.len(), new.open.len());
    Ok(())
}

/// A line for each pair that came or went.
fn changes(old: &Table, new: &Table) -> String {
    let (old, new) = (old.pairs(), new.pairs());
    let lines = |sign, pairs: BTreeSet<_>| -> String {
        pairs.iter().map(|(of, call)| format!("{sign} {of} -> {call}\n")).collect()
    };
    let gone = lines('-', old.difference(&new).copied().collect());
    let came = lines('+', new.difference(&old).copied().collect());
    if gone.is_empty() && came.is_empty() { "no pair changed\n".to_owned() } else { gone + &came }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_listed_by_pair() {
        let table = |of: &str, call: &str| -> Table {
            let text = format!(
                r#"{{"libraries":[],"kernel":"6","forms":[],"programs":[],"open":[],"runs":[{{"of":"{of}",
                "call":"{call}","functions":[],"seen_with":[],"made_with":[]}}]}}"#
            );
            serde_json::from_str(&text).expect("a table")
        };
        let (old, new) = (table("read", "readv"), table("write", "writev"));
        assert_eq!(changes(&old, &old), "no pair changed\n");
        assert_eq!(changes(&old, &new), "- read -> readv\n+ write -> writev\n");
    }
}
