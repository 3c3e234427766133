//! Processes that left the target's cgroups.
//!
//! A seccomp filter follows the process, not the cgroup. So the kernel side follows it, and its calls are the target's. Where it
//! could not, its calls are lost.

use serde::{Deserialize, Serialize};

use super::assembly::{Parts, Selection};

/// Moves of processes between two cgroups, as the kernel side saw them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// Id of the cgroup that they left.
    pub from: u64,
    /// Id of the cgroup that they were moved to.
    pub to: u64,
    /// Path of that cgroup, when the kernel told it; not escaped.
    pub path: Option<String>,
    /// Their calls belong to the target that they left.
    pub followed: bool,
    /// How many processes.
    pub processes: u64,
    /// Command name of the first one, escaped.
    pub command: String,
}

/// Processes that left the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Departure {
    /// Path of the target's cgroup that they left.
    pub from: String,
    /// Path of the cgroup that they were moved to; `?` and its id when that is not known.
    pub to: String,
    /// Command name of the first one. Escaped on output.
    pub command: String,
    /// How many processes.
    pub processes: u64,
    /// They were followed: their calls are recorded as those of `from`. Else their calls are lost.
    pub followed: bool,
}

/// Who left the target, in the order in which they did.
pub(super) fn departures(parts: &Parts<'_>) -> Vec<Departure> {
    let is_selected =
        |path: &String| parts.selections.iter().any(|selection: &Selection| selection.holds(path));
    let departure = |one: &Move| {
        let from = parts.paths.get(&one.from).filter(|path| is_selected(path))?;
        let to = parts.paths.get(&one.to).or(one.path.as_ref());
        if to.is_some_and(is_selected) {
            return None;
        }
        Some(Departure {
            from: from.clone(),
            to: to.cloned().unwrap_or_else(|| format!("?{}", one.to)),
            command: one.command.clone(),
            processes: one.processes,
            followed: one.followed,
        })
    };
    parts.moves.iter().filter_map(departure).collect()
}

/// How many processes left the target and were not followed.
pub fn left(departures: &[Departure]) -> u64 {
    let lost = departures.iter().filter(|departure| !departure.followed);
    lost.map(|departure| departure.processes).fold(0, u64::saturating_add)
}
