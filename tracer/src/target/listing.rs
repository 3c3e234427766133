//! Lists what can be traced on this host: the cgroups, under the names that runtimes report.

use std::fs;
use std::path::Path;

use serde::Serialize;

use super::cgroup::{CgroupRoot, CgroupTree};
use super::inventory::Inventory;
use super::names;
use super::owner;
use super::pod::Pod;
use super::report::Container;
use super::territory::Territory;
use crate::cgroup_path::{CgroupPath, is_at_or_below, leaf};
use crate::recording::TargetKind;

/// A pod, a container or a unit that holds processes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Traceable {
    /// What it is.
    pub kind: TargetKind,
    /// What `--cgroup` takes for it: `NAMESPACE/POD`, `NAMESPACE/POD/CONTAINER`, the name of a
    /// container or a unit of the system, `unit:user@UID/NAME`; the id or UID when no name is
    /// known, the path of any other unit.
    pub name: String,
    /// A container's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// A container's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The pod that a container is in, or that it is: `NAMESPACE/POD`, or the UID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// UID of that pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_uid: Option<String>,
    /// The engine that made the container, as it reports itself or as the name of the cgroup says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// Path of its cgroup.
    pub cgroup: CgroupPath,
    /// Processes in it and below.
    pub processes: usize,
    /// The filters of its first process; of a pod those of its containers' first ones.
    pub seccomp: Seccomp,
}

impl Traceable {
    /// Whether no runtime reports its name.
    pub fn is_nameless(&self) -> bool {
        match self.kind {
            TargetKind::Container => self.container.is_none(),
            TargetKind::Pod => self.pod == self.pod_uid,
            _ => false,
        }
    }
}

/// What filters a process has (`proc_pid_status(5)`, `Seccomp` and `Seccomp_filters`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seccomp {
    /// None.
    Unconfined,
    /// Strict mode: read, write, exit and sigreturn only.
    Strict,
    /// So many filters; kernels before 5.9 do not show how many.
    Filters(Option<u32>),
    /// A pod of whose containers each has others.
    Mixed,
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
            Self::Mixed => formatter.write_str("mixed"),
            Self::Unknown => formatter.write_str("unknown"),
        }
    }
}

/// Everything that can be traced, sorted by cgroup. What ends meanwhile is left out, and so are the
/// containers that hold the namespaces of pods.
pub fn traceables(tree: &CgroupTree, inventory: &Inventory) -> Vec<Traceable> {
    let named = |path: &str| {
        let one = named(path, inventory)?;
        Some(with_name_of_user(one, inventory, |path| owner::territory(&tree.root, path)))
    };
    let named = tree.nodes.iter().filter_map(|node| named(&node.path)).map(|mut one| {
        let processes = processes(tree, &one.cgroup);
        one.processes = processes.len();
        let first = seccomp(tree.root.proc(), *processes.first()?);
        let of_pod = || seccomp_of_pod(tree, &one.cgroup, inventory);
        one.seccomp = if one.kind == TargetKind::Pod { of_pod() } else { first };
        Some(one)
    });
    named.flatten().collect()
}

/// What the name of a cgroup says, with what runtimes report of that; its processes are still to be
/// counted. None for a cgroup that is no target of its own: a slice, one that a workload made, a
/// pause container.
fn named(path: &str, inventory: &Inventory) -> Option<Traceable> {
    let last = leaf(path);
    let uid = path.split('/').rev().find_map(names::pod);
    let known_pod = uid.as_ref().and_then(|uid| inventory.pod(uid)).map(Pod::path);
    let mut found = Traceable {
        kind: TargetKind::Unit,
        name: String::new(),
        id: None,
        container: None,
        pod: known_pod.or_else(|| uid.as_ref().map(ToString::to_string)),
        pod_uid: uid.as_ref().map(ToString::to_string),
        runtime: None,
        cgroup: path.into(),
        processes: 0,
        seccomp: Seccomp::Unknown,
    };
    if let Some(name) = names::container(path) {
        if inventory.sandboxes.contains(&name.id) {
            return None;
        }
        let known = inventory.container(&name.id);
        let engine = known.map_or(name.engine, |container| container.engine);
        found.kind = TargetKind::Container;
        found.name = known.map_or_else(|| name.id.clone(), Container::full_name);
        found.container = known.map(|one| one.name.clone()).filter(|name| !name.is_empty());
        if let Some(pod) = known.and_then(|container| container.pod.as_ref()) {
            found.pod = Some(pod.path());
        }
        found.runtime = Some(engine.to_string());
        found.id = Some(name.id);
        return Some(found);
    }
    if names::pod(last).is_some() {
        found.kind = TargetKind::Pod;
        found.name = found.pod.clone()?;
        return Some(found);
    }
    let unit = names::unit(last).filter(|unit| !unit.ends_with(".slice"))?;
    found.name = match names::user_unit(path) {
        Some((user, _)) => format!("unit:user@{user}/{unit}"),
        None if names::is_host_unit(path) => unit.to_owned(),
        None => format!("path:{path}"),
    };
    Some(found)
}

/// The same, with the name that an engine of the user reports in whose tree it is.
fn with_name_of_user(
    mut one: Traceable,
    inventory: &Inventory,
    territory: impl Fn(&str) -> Territory,
) -> Traceable {
    let nameless =
        one.id.as_ref().filter(|_| one.is_nameless() && inventory.of_users().next().is_some());
    if let Some(id) = nameless {
        let territory = territory(&one.cgroup);
        if let Some(known) = inventory.of_user(id, &territory) {
            one.name = known.name_of_user(territory.user);
            one.container = Some(known.name.clone());
            one.runtime = Some(known.engine.to_string());
        }
    }
    one
}

/// The processes at and below a cgroup, 0 for those of another pid namespace.
fn processes(tree: &CgroupTree, path: &str) -> Vec<u32> {
    let start = tree.nodes.partition_point(|node| node.path.as_str() < path);
    // Sorted by path, what is below stands behind it, next to names that only begin alike.
    let near = tree.nodes[start..].iter().take_while(|node| node.path.starts_with(path));
    let below = near.filter(|node| is_at_or_below(&node.path, path));
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

/// Whether a process is under a filter, of those in the cgroups for which `holds` is true. None
/// when there are none, or when some cannot be looked up and none of the others is.
pub fn is_filtered(tree: &CgroupTree, holds: impl Fn(&str) -> bool) -> Option<bool> {
    let nodes = tree.nodes.iter().filter(|node| node.occupied && holds(&node.path));
    let processes = nodes.flat_map(|node| own_processes(&tree.root, &node.path));
    let (mut is_any, mut is_unknown) = (false, false);
    for process in processes {
        is_any = true;
        match seccomp(tree.root.proc(), process) {
            Seccomp::Filters(_) | Seccomp::Strict => return Some(true),
            Seccomp::Unconfined => {}
            // Gone, or of another pid namespace.
            Seccomp::Mixed | Seccomp::Unknown => is_unknown = true,
        }
    }
    (is_any && !is_unknown).then_some(false)
}

/// What the containers of a pod have, but for the one that holds its namespaces.
fn seccomp_of_pod(tree: &CgroupTree, path: &str, inventory: &Inventory) -> Seccomp {
    let below = tree.nodes.iter().filter(|node| is_at_or_below(&node.path, path));
    let containers = below.filter(|node| {
        names::container(&node.path).is_some_and(|name| !inventory.sandboxes.contains(&name.id))
    });
    let first = |path: &str| processes(tree, path).first().copied();
    let mut found: Vec<Seccomp> = containers
        .filter_map(|node| first(&node.path))
        .map(|process| seccomp(tree.root.proc(), process))
        .collect();
    found.dedup();
    match found.as_slice() {
        [] => Seccomp::Unknown,
        [one] => *one,
        _ => Seccomp::Mixed,
    }
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
    use super::super::names::{Engine, PodUid};
    use super::super::report::{ContainerState, RuntimeReport};
    use super::*;

    #[test]
    fn the_filters_of_a_process_are_read() {
        for (status, shown) in [
            ("Name:\tx\nSeccomp:\t0\nSeccomp_filters:\t0\n", "unconfined"),
            ("Seccomp:\t1\n", "strict"),
            ("Seccomp:\t2\nSeccomp_filters:\t1\n", "1 filter"),
            ("Seccomp:\t2\nSeccomp_filters:\t3\n", "3 filters"),
            ("Seccomp:\t2\n", "filtered"),
            ("", "unknown"),
        ] {
            assert_eq!(seccomp_of(status).to_string(), shown, "{status:?}");
        }
    }

    #[test]
    fn what_can_be_traced_is_listed_by_name() {
        let id = "0123456789abcdef".repeat(4);
        let uid = "123e4567-e89b-12d3-a456-426614174000";
        let pod = format!("/kubepods/burstable/pod{uid}");
        let listed = |path: &str, inventory: &Inventory| {
            let one = named(path, inventory)?;
            Some((
                one.kind,
                one.name.clone(),
                one.runtime.clone(),
                one.pod.clone(),
                one.is_nameless(),
            ))
        };
        let empty = Inventory::default();
        let some = |kind, name: &str, runtime: Option<&str>, pod: Option<&str>, nameless| {
            let owned = |text: Option<&str>| text.map(str::to_owned);
            Some((kind, name.to_owned(), owned(runtime), owned(pod), nameless))
        };
        let (container, unit) = (TargetKind::Container, TargetKind::Unit);
        let inside = format!("{pod}/{id}");
        assert_eq!(listed(&pod, &empty), some(TargetKind::Pod, uid, None, Some(uid), true));
        assert_eq!(
            listed(&inside, &empty),
            some(container, &id, Some("container"), Some(uid), true)
        );
        let docker = format!("/docker/{id}");
        assert_eq!(listed(&docker, &empty), some(container, &id, Some("docker"), None, true));
        let service = "/system.slice/x.service";
        assert_eq!(listed(service, &empty), some(unit, "x.service", None, None, false));
        let manager = "/user.slice/user-1000.slice/user@1000.service";
        for (path, name) in [
            (format!("{manager}/app.slice/x.service"), "unit:user@1000/x.service".to_owned()),
            (format!("{service}/x.service"), format!("path:{service}/x.service")),
        ] {
            assert_eq!(listed(&path, &empty), some(unit, &name, None, None, false));
        }
        assert_eq!(listed("/system.slice", &empty), None);
        assert_eq!(listed("/whatever", &empty), None);
        let known = Pod { namespace: "shop".into(), name: "web-0".into(), uid: PodUid::parse(uid) };
        let mut inventory = Inventory::default();
        inventory.add(RuntimeReport {
            containers: vec![Container {
                engine: Engine::Containerd,
                id: id.clone(),
                name: "app".into(),
                state: ContainerState::Running,
                pod: Some(known.clone()),
                image: None,
            }],
            pods: vec![known],
            sandboxes: vec!["f".repeat(64)],
            ..RuntimeReport::default()
        });
        let web = Some("shop/web-0");
        assert_eq!(listed(&pod, &inventory), some(TargetKind::Pod, "shop/web-0", None, web, false));
        assert_eq!(
            listed(&inside, &inventory),
            some(container, "shop/web-0/app", Some("containerd"), web, false)
        );
        assert_eq!(
            listed(&format!("{pod}/{}", "f".repeat(64)), &inventory),
            None,
            "a pause container"
        );
    }
}
