//! The lines of the report about ambiguous calls: the facts do not decide whether the runtime or
//! the workload made them. The profile allows them.

use super::closing::{ClosingPart, Weight};
use crate::{
    recording::{Call, Cgroup, ContainerIdentity, Recording},
    text::escape,
};

/// The most calls of a cgroup that are named.
const NAMES: usize = 10;

/// A line for each cgroup with such calls, and a hint how to decide; nothing when there is none.
pub(super) fn parts(recording: &Recording) -> Vec<ClosingPart> {
    let lines: Vec<String> = recording.cgroups.iter().filter_map(line).collect();
    if lines.is_empty() {
        return Vec::new();
    }
    let hint = "hint: start the container under profiles/learn.json, whose filter separates the runtime's calls from the workload's";
    vec![
        ClosingPart::list(Weight::Finding, lines, "cgroup"),
        ClosingPart::text(Weight::Finding, hint),
    ]
}

/// The line of a cgroup; None when it has no such call.
fn line(cgroup: &Cgroup) -> Option<String> {
    let names = names(cgroup);
    let more = match names.len() {
        0 => return None,
        all => all.saturating_sub(NAMES),
    };
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let label =
        cgroup.container.as_ref().map_or_else(|| cgroup.path.clone(), ContainerIdentity::label);
    Some(format!(
        "in doubt, and allowed: {}{more}: the runtime or the workload of {} made them",
        names[..names.len().min(NAMES)].join(" "),
        escape(&label)
    ))
}

fn names(cgroup: &Cgroup) -> Vec<String> {
    let name = |call: &Call| call.name.clone().unwrap_or_else(|| format!("number {}", call.number));
    cgroup.calls.iter().filter(|call| call.ambiguous).map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::closing::in_full, *};
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
        let lines =
            |text: &str| in_full(parts(&json::from_json(text.as_bytes()).expect("a recording")));
        let text = lines(TEXT);
        assert!(text.starts_with("in doubt, and allowed: sendmsg: "), "{text}");
        assert!(text.contains("hint: start the container under profiles/learn.json"), "{text}");
        let certain = TEXT.replace("\"ambiguous\": true", "\"ambiguous\": false");
        assert_eq!(lines(&certain), "");
    }
}
