//! Processes that left the target's cgroups.
//!
//! A seccomp filter follows the process, not the cgroup. So the kernel side follows it, and its
//! calls are the target's. Where it could not, its calls are lost.

use super::{facts::Move, input::AssemblyInput, model::Departure};
use crate::cgroup_path::{CgroupPath, UNKNOWN_NAME};

/// Who left the target, in the order in which they did.
pub(super) fn departures(input: &AssemblyInput<'_>) -> Vec<Departure> {
    let is_selected = |path: &CgroupPath| input.selects(path);
    let departure = |one: &Move| {
        let from = input.paths.get(&one.from).filter(|path| is_selected(path))?;
        let to = input.paths.get(&one.to).or(one.path.as_ref());
        if to.is_some_and(is_selected) {
            return None;
        }
        Some(Departure {
            from: from.to_string(),
            to: to.map_or_else(|| format!("{UNKNOWN_NAME}{}", one.to), ToString::to_string),
            command: one.command.clone(),
            processes: one.processes,
            followed: one.followed,
        })
    };
    input.moves.iter().filter_map(departure).collect()
}

/// How many processes left the target and were not followed.
pub fn left(departures: &[Departure]) -> u64 {
    let lost = departures.iter().filter(|departure| !departure.followed);
    lost.map(|departure| departure.processes).fold(0, u64::saturating_add)
}
