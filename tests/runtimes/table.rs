//! How often containers started, and programs were executed in them, for people: one row for each
//! engine and version.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Mutex;

/// What succeeded and what was tried.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Starts that succeeded.
    pub started: u32,
    /// Starts.
    pub starts: u32,
    /// Executions that succeeded.
    pub executed: u32,
    /// Executions.
    pub executions: u32,
}

/// All of them so far, by the engine with its version and by the workload.
#[derive(Debug, Default)]
pub struct Table(Mutex<BTreeMap<(String, String), Tally>>);

impl Table {
    /// Adds what was counted.
    pub fn add(&self, engine: &str, workload: &str, counted: Tally) {
        let mut cells = self.0.lock().expect("no holder panics");
        let sum = cells.entry((engine.to_owned(), workload.to_owned())).or_default();
        sum.started += counted.started;
        sum.starts += counted.starts;
        sum.executed += counted.executed;
        sum.executions += counted.executions;
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells = self.0.lock().expect("no holder panics");
        if cells.is_empty() {
            return Ok(());
        }
        let engines: BTreeSet<&str> = cells.keys().map(|(engine, _)| engine.as_str()).collect();
        let workloads: BTreeSet<&str> =
            cells.keys().map(|(_, workload)| workload.as_str()).collect();
        let line = |words: Vec<String>| format!("| {} |", words.join(" | "));
        let head = ["starts, executions"].iter().chain(&workloads).map(ToString::to_string);
        writeln!(formatter, "{}", line(head.collect()))?;
        writeln!(formatter, "|{}", "---|".repeat(workloads.len() + 1))?;
        for engine in engines {
            let cell = |workload: &&str| {
                let key = (engine.to_owned(), (*workload).to_owned());
                cells.get(&key).map_or_else(|| "-".to_owned(), ToString::to_string)
            };
            let row = [engine.to_owned()].into_iter().chain(workloads.iter().map(cell));
            writeln!(formatter, "{}", line(row.collect()))?;
        }
        Ok(())
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { started, starts, executed, executions } = self;
        write!(formatter, "{started}/{starts}, {executed}/{executions}")
    }
}
