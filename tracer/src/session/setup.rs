//! What a session begins with: which cgroups are watched, and what is said about it.

use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt as _, path::Path, time::Duration};

use anyhow::{Context, Result};
use nix::time::{ClockId, clock_gettime};

use super::{CommandGroup, Purpose, Request, ending::Roots, selecting::Selecting};
use crate::{
    kernel::{ARGUMENT_VALUE_ENTRIES, Hook, Options, Recorder},
    live::Live,
    recording::{Attach, TargetKind, assembly::Selection, phases::CgroupKind},
    target::{
        cgroup::{CgroupRoot, CgroupTree, populated},
        names::kind,
        territory::monitor_in,
    },
    text::escape,
};

/// Most cgroups of one target that are told at the beginning.
const PLACES_TOLD: usize = 8;

/// Cgroups that may come and go at once on a machine of which every cgroup is watched, before those that are no target's are dismissed.
const EXPECTED_ANYWHERE: usize = 1 << 13;

/// The targets, the command's own cgroup among them.
pub(super) fn selections(request: &Request, group: Option<&CommandGroup>) -> Vec<Selection> {
    let command = group.zip(request.command.as_ref()).map(|(group, command)| Selection {
        name: command.name(),
        kind: TargetKind::Command,
        paths: vec![group.path.clone()],
        without: Vec::new(),
    });
    request.selections.iter().cloned().chain(command).collect()
}

/// The cgroups of the targets that hold processes now: paths by id.
pub(super) fn populated_below(
    request: &Request,
    selections: &[Selection],
) -> Result<BTreeMap<u64, String>> {
    let mut found = BTreeMap::new();
    for path in selections.iter().flat_map(|selection| &selection.paths) {
        if request.wait && request.root.id(path).is_err() {
            continue;
        }
        let nodes = populated(&request.root, path)?;
        found.extend(
            nodes
                .into_iter()
                .filter(|node| node.occupied && !is_monitor_below(&node.path, path))
                .map(|node| (node.id, node.path)),
        );
    }
    Ok(found)
}

/// It is a container's monitor, below the target's own cgroup.
fn is_monitor_below(path: &str, target: &str) -> bool {
    monitor_in(path).is_some_and(|monitor| monitor.len() > target.len())
}

/// Takes the targets' cgroups that are there by now into the selections; paths of those that hold processes, by id: calls
/// of theirs may have been made before tracing began. Containers that may be the target's are among them.
pub(super) fn take_arrived(selecting: &mut Selecting, tree: &CgroupTree) -> BTreeMap<u64, String> {
    for node in &tree.nodes {
        selecting.place(node.id, &node.path);
    }
    let may_be = |path: &str| selecting.is_selected(path) || selecting.is_undecided(path);
    let populated = tree.nodes.iter().filter(|node| node.occupied && may_be(&node.path));
    populated.map(|node| (node.id, node.path.clone())).collect()
}

/// The cgroups that exist now at and above the paths of the selections: ids by path.
pub(super) fn standing(root: &CgroupRoot, selections: &[Selection]) -> BTreeMap<String, u64> {
    let paths = selections.iter().flat_map(|selection| &selection.paths);
    let above = paths.flat_map(|path| Path::new(path).ancestors().filter_map(Path::to_str));
    let mut paths: Vec<&str> = above.collect();
    paths.sort_unstable();
    paths.dedup();
    paths.into_iter().filter_map(|path| Some((path.to_owned(), root.id(path).ok()?))).collect()
}

pub(super) fn options(
    request: &Request,
    selections: &[Selection],
    roots: &Roots,
    tree: &CgroupTree,
) -> Options {
    Options {
        roots: roots.ids(),
        targets: tops(request, selections),
        btf: request.btf,
        counts: request.counts,
        denied: request.denied,
        hook: request.hook,
        fall_back: request.fall_back,
        cgroups_expected: tree.nodes.len().max(if request.anywhere {
            EXPECTED_ANYWHERE
        } else {
            0
        }),
        argument_values: ARGUMENT_VALUE_ENTRIES,
        log: request.log,
    }
}

/// Ids of the uppermost cgroups of the targets, those that are there.
pub(super) fn tops(request: &Request, selections: &[Selection]) -> Vec<u64> {
    let paths = selections.iter().flat_map(|selection| &selection.paths);
    paths.filter_map(|path| request.root.id(path).ok()).collect()
}

/// The processes that are in a cgroup, or below it, now, each with its cgroup's id; none when their ids are not those of the initial pid
/// namespace, which the kernel side knows them by.
pub(super) fn processes_below(root: &CgroupRoot, path: &str) -> Vec<(u32, u64)> {
    if !is_initial_pid_namespace() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for node in populated(root, path).unwrap_or_default() {
        let Ok(directory) = root.directory(&node.path) else { continue };
        let processes = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
        found.extend(processes.lines().filter_map(|id| Some((id.parse().ok()?, node.id))));
    }
    found
}

/// Its inode number is fixed: `PROC_PID_INIT_INO` (`include/linux/proc_ns.h`).
fn is_initial_pid_namespace() -> bool {
    const INITIAL: u64 = 0xEFFF_FFFC;
    fs::metadata("/proc/self/ns/pid").is_ok_and(|metadata| metadata.ino() == INITIAL)
}

/// The cgroup to watch for a target: its parent, so that a target that is removed and made again is seen as well. The
/// root of the hierarchy is too much for that, and a command's own cgroup is made only once.
pub(super) fn root_of(path: &str, kind: TargetKind) -> String {
    let parent = Path::new(path).parent().and_then(Path::to_str).filter(|parent| *parent != "/");
    match (kind, parent) {
        (TargetKind::Command, _) | (_, None) => path.to_owned(),
        (_, Some(parent)) => parent.to_owned(),
    }
}

/// What the names in a path say of the cgroup.
pub(super) fn cgroup_kind(path: &str) -> CgroupKind {
    match kind(path) {
        TargetKind::Container | TargetKind::Pod => CgroupKind::Container,
        TargetKind::Unit => CgroupKind::Host,
        TargetKind::Path | TargetKind::Process | TargetKind::Command => CgroupKind::Unknown,
    }
}

/// What the kernel refused; where the programs are attached, when the log is wanted.
pub(super) fn tell_attached(recorder: &Recorder, request: &Request, live: &mut Live) {
    let lost = recorder.attached() == Attach::Raw && request.hook != Hook::Raw;
    for refusal in recorder.refusals().iter().filter(|_| lost || request.log) {
        live.line(&format!("warning: {}", escape(refusal)));
    }
    if request.log {
        live.line(match recorder.attached() {
            Attach::Raw => "attached to raw tracepoints",
            Attach::Classic => "attached to classic tracepoints",
        });
    }
}

/// Which cgroups the targets are that are not paths themselves.
pub(super) fn places(selections: &[Selection]) -> Vec<String> {
    let is_found = |selection: &&Selection| {
        matches!(selection.kind, TargetKind::Pod | TargetKind::Container | TargetKind::Unit)
            && selection.paths.len() <= PLACES_TOLD
    };
    let line = |selection: &Selection, path: &str| {
        format!("{} is {}", escape(&selection.name), escape(path))
    };
    let found = selections.iter().filter(is_found);
    found.flat_map(|one| one.paths.iter().map(move |path| line(one, path))).collect()
}

pub(super) fn announcement(request: &Request, selections: &[Selection]) -> String {
    let names: Vec<String> = selections.iter().map(|selection| escape(&selection.name)).collect();
    let names = names.join(", ");
    match (request.purpose, &request.command) {
        (Purpose::Record, Some(_)) => format!("recording {names}"),
        (Purpose::Record, None) => {
            format!("recording {names}; press Ctrl-C to stop and write the profile")
        }
        (Purpose::Verify, Some(_)) => format!("verifying {names}"),
        (Purpose::Verify, None) => format!("verifying {names}; press Ctrl-C to stop"),
    }
}

/// Nanoseconds since boot, on the clock of the kernel side's `bpf_ktime_get_boot_ns`.
pub(super) fn boot_time() -> Result<u64> {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).context("clock_gettime")?;
    Ok(Duration::from(now).as_nanos() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_watched_from_its_parent_unless_that_is_everything() {
        assert_eq!(root_of("/system.slice/nginx.service", TargetKind::Unit), "/system.slice");
        assert_eq!(root_of("/top", TargetKind::Path), "/top");
        assert_eq!(root_of("/", TargetKind::Path), "/");
        assert_eq!(root_of("/a/tracer-1", TargetKind::Command), "/a/tracer-1");
    }
}
