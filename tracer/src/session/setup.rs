//! The beginning of a session: which cgroups to watch, and the lines that say so.

use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt as _, time::Instant};

use anyhow::Result;

use super::{
    child::CommandGroup,
    config::{Purpose, SessionConfig},
    roots::Roots,
    tracker::TargetTracker,
};
use crate::{
    bpf::{
        ARGUMENT_VALUE_ENTRIES, Hook, LoadOptions, Loading, Preparation, Recorder, WatchedCgroups,
    },
    cgroup_path::CgroupPath,
    live::Live,
    recording::{Attach, TargetKind, selection::Selection},
    target::{
        cgroup::{CgroupRoot, CgroupTree, populated},
        territory::monitor_in,
    },
    text::escape,
};

/// Most cgroups of one target that are shown at the beginning.
const PLACES_SHOWN: usize = 8;

/// Cgroups that may come and go at once when every cgroup of the machine is watched, before those
/// that are no target's are dismissed.
const EXPECTED_IN_WHOLE_HIERARCHY: usize = 1 << 13;
/// Cgroups that may come below the parents of targets, beside those that are there. A command's own
/// cgroup has no siblings that are watched.
const EXPECTED_BESIDE_TARGETS: usize = 1 << 8;

/// The targets, the command's own cgroup among them.
pub(super) fn selections(config: &SessionConfig, group: Option<&CommandGroup>) -> Vec<Selection> {
    let command = group.zip(config.command.as_ref()).map(|(group, command)| Selection {
        name: command.name(),
        kind: TargetKind::Command,
        paths: vec![group.path.clone()],
        without: Vec::new(),
    });
    config.targets.selections.iter().cloned().chain(command).collect()
}

/// The cgroups of the targets that hold processes now: paths by id.
pub(super) fn populated_below(
    config: &SessionConfig,
    selections: &[Selection],
) -> Result<BTreeMap<u64, CgroupPath>> {
    let mut found = BTreeMap::new();
    for path in selections.iter().flat_map(|selection| &selection.paths) {
        if config.wait && config.root.id(path).is_err() {
            continue;
        }
        let nodes = populated(&config.root, path)?;
        found.extend(
            nodes
                .into_iter()
                .filter(|node| node.occupied && !is_monitor_below(&node.path, path))
                .map(|node| (node.id, node.path)),
        );
    }
    Ok(found)
}

/// The cgroup is that of a container's monitor, below the target's own cgroup.
fn is_monitor_below(path: &str, target: &str) -> bool {
    monitor_in(path).is_some_and(|monitor| monitor.len() > target.len())
}

/// Selects the targets' cgroups that exist by now. Returns the paths of those that hold processes,
/// by id: they may have made calls before tracing began. Containers that may be the target's are
/// among them.
pub(super) fn select_arrived(
    tracker: &mut TargetTracker,
    tree: &CgroupTree,
    now: Instant,
) -> BTreeMap<u64, CgroupPath> {
    for node in &tree.nodes {
        tracker.on_cgroup(node.id, &node.path, now);
    }
    let may_be = |path: &str| tracker.is_selected(path) || tracker.is_undecided(path);
    let populated = tree.nodes.iter().filter(|node| node.occupied && may_be(&node.path));
    populated.map(|node| (node.id, node.path.clone())).collect()
}

/// The cgroups that exist now at and above the paths of the selections: ids by path.
pub(super) fn standing(root: &CgroupRoot, selections: &[Selection]) -> BTreeMap<CgroupPath, u64> {
    let paths = selections.iter().flat_map(|selection| &selection.paths);
    let mut paths: Vec<&str> = paths.flat_map(CgroupPath::ancestors).collect();
    paths.sort_unstable();
    paths.dedup();
    paths.into_iter().filter_map(|path| Some((path.into(), root.id(path).ok()?))).collect()
}

/// Goes on with the preparation of a session: the kernel side is loaded in the background, until
/// [`super::record`] attaches it.
pub fn load(config: &SessionConfig, preparation: Preparation) -> Loading {
    let targets = &config.targets;
    let expected = match (targets.watch_whole_hierarchy, targets.selections.is_empty()) {
        (true, _) => EXPECTED_IN_WHOLE_HIERARCHY,
        (false, false) => EXPECTED_BESIDE_TARGETS,
        (false, true) => 0,
    };
    preparation.load(LoadOptions {
        counts: config.counts,
        denied: config.denied,
        hook: config.hook,
        fall_back: config.fall_back,
        cgroups_expected: config.root.count().unwrap_or_default().max(expected),
        argument_values: ARGUMENT_VALUE_ENTRIES,
        log: config.log,
    })
}

/// What the kernel side watches.
pub(super) fn cgroups_to_watch(
    config: &SessionConfig,
    selections: &[Selection],
    roots: &Roots,
) -> WatchedCgroups {
    WatchedCgroups { roots: roots.ids(), targets: tops(config, selections) }
}

/// Ids of the uppermost cgroups of the targets, those that are there.
fn tops(config: &SessionConfig, selections: &[Selection]) -> Vec<u64> {
    let paths = selections.iter().flat_map(|selection| &selection.paths);
    paths.filter_map(|path| config.root.id(path).ok()).collect()
}

/// The processes that are in a cgroup, or below it, now, each with its cgroup's id. None when
/// tracer is not in the initial pid namespace, whose process ids the kernel side uses.
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

/// Shows how the recording begins: what the kernel refused, where the targets are, and that it
/// runs.
pub(super) fn announce(
    recorder: &Recorder,
    config: &SessionConfig,
    selections: &[Selection],
    live: &Live,
) {
    if let Err(reason) = recorder.btf() {
        live.line(&format!("warning: no kernel BTF: {reason}; command names decide the phases, and 32-bit calls are lost"));
    }
    show_attached(recorder, config, live);
    for line in places(selections) {
        live.line(&line);
    }
    for line in &config.targets.notes {
        live.line(line);
    }
    live.line(&announcement(config, selections));
}

/// Shows what the kernel refused, and with the log also where the programs are attached.
fn show_attached(recorder: &Recorder, config: &SessionConfig, live: &Live) {
    let lost = recorder.attached() == Attach::Raw && config.hook != Hook::Raw;
    for refusal in recorder.refusals().iter().filter(|_| lost || config.log) {
        live.line(&format!("warning: {}", escape(refusal)));
    }
    if config.log {
        live.line(match recorder.attached() {
            Attach::Raw => "attached to raw tracepoints",
            Attach::Classic => "attached to classic tracepoints",
        });
    }
}

/// A line for each cgroup of the targets that are not paths themselves.
fn places(selections: &[Selection]) -> Vec<String> {
    let is_found = |selection: &&Selection| {
        matches!(selection.kind, TargetKind::Pod | TargetKind::Container | TargetKind::Unit)
            && selection.paths.len() <= PLACES_SHOWN
    };
    let line = |selection: &Selection, path: &str| {
        format!("{} is {}", escape(&selection.name), escape(path))
    };
    let found = selections.iter().filter(is_found);
    found.flat_map(|one| one.paths.iter().map(move |path| line(one, path))).collect()
}

fn announcement(config: &SessionConfig, selections: &[Selection]) -> String {
    let names: Vec<_> = selections.iter().map(|selection| escape(&selection.name)).collect();
    let names = names.join(", ");
    match (config.purpose, &config.command) {
        (Purpose::Record, Some(_)) => format!("recording {names}"),
        (Purpose::Record, None) => {
            format!("recording {names}; press Ctrl-C to stop and write the profile")
        }
        (Purpose::Verify, Some(_)) => format!("verifying {names}"),
        (Purpose::Verify, None) => format!("verifying {names}; press Ctrl-C to stop"),
    }
}
