//! The lines of the report about ambiguous calls: the facts do not decide whether the runtime or
//! the workload made them. The profile allows them.

use std::fmt::Write;

use crate::{
    recording::{Call, Cgroup, ContainerIdentity, Recording},
    text::escape,
};

/// The most cgroups that get a line.
const LINES: usize = 5;
/// The most calls of a cgroup that are named.
const NAMES: usize = 10;

/// A line for each cgroup with such calls, and a hint how to decide; nothing when there is none.
pub(super) fn lines(recording: &Recording) -> String {
    let mut text = String::new();
    let doubtful: Vec<(&Cgroup, Vec<String>)> = recording
        .cgroups
        .iter()
        .map(|cgroup| (cgroup, names(cgroup)))
        .filter(|(_, names)| !names.is_empty())
        .collect();
    for (cgroup, names) in doubtful.iter().take(LINES) {
        let more = match names.len().saturating_sub(NAMES) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let label =
            cgroup.container.as_ref().map_or_else(|| cgroup.path.clone(), ContainerIdentity::label);
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "in doubt, and allowed: {}{more}: the runtime or the workload of {} made them",
            names[..names.len().min(NAMES)].join(" "),
            escape(&label)
        );
    }
    if let Some(more) = doubtful.len().checked_sub(LINES).filter(|more| *more > 0) {
        let _ = writeln!(text, "in doubt, and allowed: calls of {more} more cgroups");
    }
    if !doubtful.is_empty() {
        text.push_str(
            "hint: start the container under profiles/learn.json, whose filter separates the runtime's calls from the workload's\n",
        );
    }
    text
}

fn names(cgroup: &Cgroup) -> Vec<String> {
    let name = |call: &Call| call.name.clone().unwrap_or_else(|| format!("number {}", call.number));
    cgroup.calls.iter().filter(|call| call.ambiguous).map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::json;

    const TEXT: &str = r#"{
        "version": 1, "tracer": "0", "started": "2026-01-01T00:00:00Z", "duration_seconds": 1.0,
        "host": { "kernel": "6", "arch": "x86_64", "cpus": 2, "btf": true },
        "targets": [{ "name": "path:/u", "kind": "path", "cgroups": [0] }],
        "cgroups": [{
            "id": 7, "path": "/u", "late_start": false, "exact": false, "ambiguous": true, "no_new_privs": false,
            "calls": [
                { "abi": "x86_64", "number": 46, "name": "sendmsg", "phase": "workload", "ambiguous": true },
                { "abi": "x86_64", "number": 47, "name": "recvmsg", "phase": "workload" }
            ]
        }],
        "losses": { "table_full": 0, "recursion_misses": 0, "unnamed": 0, "filtered": 0, "late_start": 0 },
        "complete": true
    }"#;

    #[test]
    fn the_line_names_the_calls_and_the_remedy() {
        let text = lines(&json::from_json(TEXT.as_bytes()).expect("a recording"));
        assert!(text.starts_with("in doubt, and allowed: sendmsg: "), "{text}");
        assert!(text.contains("hint: start the container under profiles/learn.json"), "{text}");
        let certain = TEXT.replace("\"ambiguous\": true", "\"ambiguous\": false");
        assert_eq!(lines(&json::from_json(certain.as_bytes()).expect("a recording")), "");
    }
}
