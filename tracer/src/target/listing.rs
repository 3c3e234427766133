//! What can be traced on this host, from the cgroups alone: no runtime is asked.

use std::fs;
use std::path::Path;

use serde::Serialize;

use super::cgroup::{CgroupRoot, CgroupTree};
use super::names;
use crate::recording::TargetKind;

/// A pod, a container or a unit that holds processes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Traceable {
    /// What it is.
    pub kind: TargetKind,
    /// What `--cgroup` takes for it: a container's id, a pod's UID, a unit's name.
    pub name: String,
    /// Who made the container, as far as the name of its cgroup tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// UID of the pod that a container belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// Path of its cgroup.
    pub cgroup: String,
    /// Processes in it and below.
    pub processes: usize,
    /// The filters of its first process.
    pub seccomp: Seccomp,
}

/// What filters a process has (`proc_pid_status(5)`, `Seccomp` and `Seccomp_filters`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seccomp {
    /// None.
    Unconfined,
    /// Strict mode: read, write, exit and sigreturn only.
    Strict,
    /// So many filters; kernels before 5.9 do not tell how many.
    Filters(Option<u32>),
    /// The process is gone, or of another pid namespace.
    Unknown,
}

impl std::fmt::Display for Seccomp {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unconfined => formatter.write_str("unconfined"),
            Self::Strict => formatter.write_str("strict"),
            Self::Filters(None) => formatter.write_str("filtered"),
            Self::Filters(Some(1)) => formatter.write_str("1 filter"),
            Self::Filters(Some(count)) => write!(formatter, "{count} filters"),
            Self::Unknown => formatter.write_str("unknown"),
        }
    }
}

/// Everything that can be traced, sorted by cgroup. What ends meanwhile is left out.
pub fn traceables(tree: &CgroupTree) -> Vec<Traceable> {
    let named = tree.nodes.iter().filter_map(|node| Some((node.path.as_str(), name(&node.path)?)));
    named
        .filter_map(|(path, Name { kind, name, engine, pod })| {
            let processes = processes(tree, path);
            let first = *processes.first()?;
            let seccomp = seccomp(tree.root.proc(), first);
            let cgroup = path.to_owned();
            Some(Traceable { kind, name, engine, pod, cgroup, processes: processes.len(), seccomp })
        })
        .collect()
}

/// What the name of a cgroup says.
struct Name {
    kind: TargetKind,
    name: String,
    engine: Option<String>,
    pod: Option<String>,
}

/// None for a cgroup that is no target of its own: a slice, or one that a workload made.
fn name(path: &str) -> Option<Name> {
    let (parent, last) = names::leaf(path);
    if let Some(container) = names::container(parent, last) {
        let pod = path.split('/').rev().find_map(names::pod).map(|uid| uid.to_string());
        let engine = Some(container.engine.to_string());
        return Some(Name { kind: TargetKind::Container, name: container.id, engine, pod });
    }
    if let Some(uid) = names::pod(last) {
        return Some(Name {
            kind: TargetKind::Pod,
            name: uid.to_string(),
            engine: None,
            pod: None,
        });
    }
    let unit = names::unit(last).filter(|unit| !unit.ends_with(".slice"))?;
    Some(Name { kind: TargetKind::Unit, name: unit.to_owned(), engine: None, pod: None })
}

/// The processes at and below a cgroup, 0 for those of another pid namespace.
fn processes(tree: &CgroupTree, path: &str) -> Vec<u32> {
    let start = tree.nodes.partition_point(|node| node.path.as_str() < path);
    // Sorted by path, what is below stands behind it, next to names that only begin alike.
    let near = tree.nodes[start..].iter().take_while(|node| node.path.starts_with(path));
    let below = near.filter(|node| {
        node.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    below
        .filter(|node| node.occupied)
        .flat_map(|node| own_processes(&tree.root, &node.path))
        .collect()
}

fn own_processes(root: &CgroupRoot, path: &str) -> Vec<u32> {
    let text = root
        .directory(path)
        .ok()
        .and_then(|directory| fs::read_to_string(directory.join("cgroup.procs")).ok());
    text.unwrap_or_default().lines().filter_map(|line| line.parse().ok()).collect()
}

fn seccomp(proc: &Path, process: u32) -> Seccomp {
    let status = fs::read(proc.join(process.to_string()).join("status")).unwrap_or_default();
    seccomp_of(&String::from_utf8_lossy(&status))
}

fn seccomp_of(status: &str) -> Seccomp {
    let field = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.and_then(|value| value.trim().parse::<u32>().ok())
    };
    match field("Seccomp") {
        Some(0) => Seccomp::Unconfined,
        Some(1) => Seccomp::Strict,
        Some(2) => Seccomp::Filters(field("Seccomp_filters")),
        _ => Seccomp::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_of_a_process_are_told() {
        for (status, told) in [
            ("Name:\tx\nSeccomp:\t0\nSeccomp_filters:\t0\n", "unconfined"),
            ("Seccomp:\t1\n", "strict"),
            ("Seccomp:\t2\nSeccomp_filters:\t1\n", "1 filter"),
            ("Seccomp:\t2\nSeccomp_filters:\t3\n", "3 filters"),
            ("Seccomp:\t2\n", "filtered"),
            ("", "unknown"),
        ] {
            assert_eq!(seccomp_of(status).to_string(), told, "{status:?}");
        }
    }

    #[test]
    fn names_tell_what_can_be_traced() {
        let id = "0123456789abcdef".repeat(4);
        let uid = "123e4567-e89b-12d3-a456-426614174000";
        let pod = format!("/kubepods/burstable/pod{uid}");
        let found =
            |path: &str| name(path).map(|name| (name.kind, name.name, name.engine, name.pod));
        let some = |kind, name: &str, engine: Option<&str>, pod: Option<&str>| {
            Some((kind, name.to_owned(), engine.map(str::to_owned), pod.map(str::to_owned)))
        };
        assert_eq!(found(&pod), some(TargetKind::Pod, uid, None, None));
        let container = TargetKind::Container;
        assert_eq!(
            found(&format!("{pod}/{id}")),
            some(container, &id, Some("container"), Some(uid))
        );
        assert_eq!(found(&format!("/docker/{id}")), some(container, &id, Some("docker"), None));
        let unit = TargetKind::Unit;
        assert_eq!(found("/system.slice/x.service"), some(unit, "x.service", None, None));
        assert_eq!(found("/system.slice"), None);
        assert_eq!(found("/whatever"), None);
    }
}
