//! One recording of several: what a workload was seen to do in any of them.
//!
//! Cgroups and targets stand side by side, also those of one path: two recordings do not tell whether they are of one boot
//! of one machine, and cgroup ids mean nothing across boots. Losses add up. A call that was lost in one recording may be one
//! that no other shows, so no recording makes up for another's losses, with one exception: a start.
//!
//! # Covered late starts
//! Processes that ran before tracing began have made the calls of their start unseen. When another recording holds a whole
//! start of the same thing, those calls are known, and the late start no longer counts. A **whole start** is a cgroup that
//! was empty or absent when its recording began, or that was emptied and started again in it, and in which the workload
//! made a call: a container that failed while it was set up is none. It covers a late cgroup
//! - of the **same path**;
//! - of the **same container**, whose id is in both paths, in the same place below it: the cgroup driver may have changed;
//! - of a container or pod that was **named alike** as a target, when its recording knows of no late start at all and shows
//!   at least as many cgroups of it as the late recording: a pod is not covered by the start of one of its containers. A
//!   name that is the beginning of the container's id may mean another one in another recording, and does not count.
//!
//! Targets of other kinds are covered by path alone: a process id, or a cgroup above many, may hold something else next time.
//! When in doubt a late start stays a loss: whoever knows better accepts it.

use std::collections::BTreeSet;

use super::{Cgroup, Losses, Phase, Recording, Target, TargetKind, completeness};
use crate::text::escape;

/// The digits of a container's id.
const CONTAINER_ID_DIGITS: usize = 64;

/// Merges recordings; None of none.
///
/// What a recording has but one of (program, host) is the first one's, the beginning the earliest, the duration the sum.
/// The command is kept when one recording alone has one. A recording that is given twice counts once. What was derived
/// from the parts is dropped. Whether the result is complete is judged anew, with `accept_late_start`.
pub fn merge(recordings: &[Recording], accept_late_start: bool) -> Option<Recording> {
    let parts = distinct(recordings);
    let mut merged = parts.first()?.clone();
    for part in &parts[1..] {
        append(&mut merged, part);
    }
    merged.host.btf = parts.iter().all(|part| part.host.btf);
    let mut commands = parts.iter().filter_map(|part| part.command.as_ref());
    merged.command = commands.next().filter(|_| commands.next().is_none()).cloned();
    merged.late_starts = uncovered(&parts).into_iter().collect();
    let nameless: u64 = parts.iter().map(unknown_late_starts).fold(0, u64::saturating_add);
    merged.losses.late_start = nameless.saturating_add(merged.late_starts.len() as u64);
    merged.incomplete_reasons =
        completeness::reasons(&merged.losses, &merged.late_starts, accept_late_start);
    merged.incomplete_reasons.extend(parts.iter().flat_map(unexplained));
    merged.complete = merged.incomplete_reasons.is_empty();
    Some(merged)
}

/// Each recording once, without what was derived from it.
fn distinct(recordings: &[Recording]) -> Vec<Recording> {
    let mut parts: Vec<Recording> = Vec::new();
    for recording in recordings {
        let part = Recording { derived: None, ..recording.clone() };
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    parts
}

/// Puts the evidence of a part behind what is there.
fn append(merged: &mut Recording, part: &Recording) {
    let before = merged.cgroups.len();
    merged.cgroups.extend(part.cgroups.iter().cloned());
    merged.targets.extend(part.targets.iter().cloned().map(|mut target| {
        target.cgroups.iter_mut().for_each(|index| *index += before);
        target
    }));
    merged.losses = sum(&merged.losses, &part.losses);
    merged.duration_seconds += part.duration_seconds;
    if part.started < merged.started {
        merged.started.clone_from(&part.started);
    }
}

/// Every loss is taken apart here, so that a new one cannot be forgotten.
fn sum(one: &Losses, other: &Losses) -> Losses {
    let Losses {
        table_full,
        recursion_misses,
        unnamed,
        filtered,
        late_start,
        compat,
        unplaced,
        replaced,
        cut_off,
    } = *other;
    Losses {
        table_full: one.table_full.saturating_add(table_full),
        recursion_misses: one.recursion_misses.saturating_add(recursion_misses),
        unnamed: one.unnamed.saturating_add(unnamed),
        filtered: one.filtered.saturating_add(filtered),
        late_start: one.late_start.saturating_add(late_start),
        compat: one.compat.saturating_add(compat),
        unplaced: one.unplaced.saturating_add(unplaced),
        replaced: one.replaced.saturating_add(replaced),
        cut_off: one.cut_off.saturating_add(cut_off),
    }
}

/// Late starts that a recording counts and does not name: nothing covers them.
fn unknown_late_starts(recording: &Recording) -> u64 {
    recording.losses.late_start.saturating_sub(recording.late_starts.len() as u64)
}

/// Why a recording calls itself incomplete though it has no loss that this program knows: a newer one may have written it.
fn unexplained(part: &Recording) -> Vec<String> {
    if part.complete || part.losses != Losses::default() {
        return Vec::new();
    }
    let told = match part.incomplete_reasons.as_slice() {
        [] => "it does not say why".to_owned(),
        reasons => reasons.iter().map(|reason| escape(reason)).collect::<Vec<_>>().join("; "),
    };
    vec![format!(
        "the recording of {} is incomplete: {told}\nhint: record again",
        escape(&part.started)
    )]
}

/// Paths of the late starts that no other part covers.
fn uncovered(parts: &[Recording]) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for (index, part) in parts.iter().enumerate() {
        let others = || parts.iter().enumerate().filter(|(at, _)| *at != index);
        let late = part.late_starts.iter();
        let open = late.filter(|path| !others().any(|(_, other)| covers(other, part, path)));
        paths.extend(open.cloned());
    }
    paths
}

/// Whether a recording holds a whole start of what the late cgroup of another one is.
fn covers(whole: &Recording, late: &Recording, path: &str) -> bool {
    let started = whole.cgroups.iter().filter(|cgroup| is_whole(whole, cgroup));
    let same_place = |other: &str| {
        other == path || container(path).is_some_and(|place| container(other) == Some(place))
    };
    started.into_iter().any(|cgroup| same_place(&cgroup.path))
        || targets_of(late, path).any(|target| covers_by_name(whole, late, target, path))
}

/// Whether the start of a cgroup was recorded, and went as far as the workload.
fn is_whole(recording: &Recording, cgroup: &Cgroup) -> bool {
    let pending = recording.late_starts.contains(&cgroup.path);
    let restarted = unknown_late_starts(recording) == 0;
    ran(cgroup) && !pending && (!cgroup.late_start || restarted)
}

/// The workload made a call in it.
fn ran(cgroup: &Cgroup) -> bool {
    cgroup.calls.iter().any(|call| call.phase == Phase::Workload)
}

/// The targets that a late cgroup belongs to. One that made no call is in no target's list: it belongs to the only one.
fn targets_of<'a>(late: &'a Recording, path: &'a str) -> impl Iterator<Item = &'a Target> {
    let only = late.targets.len() == 1;
    late.targets
        .iter()
        .filter(move |target| only || cgroups_of(late, target).any(|cgroup| cgroup.path == path))
}

fn cgroups_of<'a>(
    recording: &'a Recording,
    target: &'a Target,
) -> impl Iterator<Item = &'a Cgroup> {
    target.cgroups.iter().filter_map(|index| recording.cgroups.get(*index))
}

fn covers_by_name(whole: &Recording, late: &Recording, target: &Target, path: &str) -> bool {
    if !is_stable_name(target, path) || whole.losses.late_start > 0 {
        return false;
    }
    let late_paths = cgroups_of(late, target).filter(|cgroup| ran(cgroup));
    let mut known: BTreeSet<&str> = late_paths.map(|cgroup| cgroup.path.as_str()).collect();
    known.insert(path);
    let alike = |other: &&Target| other.name == target.name && other.kind == target.kind;
    whole.targets.iter().filter(alike).any(|other| {
        let started = cgroups_of(whole, other).filter(|cgroup| is_whole(whole, cgroup));
        let started: BTreeSet<&str> = started.map(|cgroup| cgroup.path.as_str()).collect();
        started.len() >= known.len()
    })
}

/// Whether the target's name means the same container or pod in every recording.
fn is_stable_name(target: &Target, path: &str) -> bool {
    let name = target.name.rsplit(':').next().unwrap_or_default();
    match target.kind {
        TargetKind::Pod => true,
        TargetKind::Container => !container(path).is_some_and(|(id, _)| id.starts_with(name)),
        TargetKind::Path | TargetKind::Process | TargetKind::Unit | TargetKind::Command => false,
    }
}

/// The container that a path is in, and the path below it. The cgroups of container monitors (`conmon`) carry the id as
/// well, and are none.
fn container(path: &str) -> Option<(&str, &str)> {
    let mut below = path.trim_start_matches('/');
    while !below.is_empty() {
        let (component, rest) = below.split_once('/').unwrap_or((below, ""));
        if let Some(id) = container_id(component) {
            return Some((id, rest));
        }
        below = rest;
    }
    None
}

/// The id in `docker-ID.scope`, `cri-containerd-ID.scope`, `...:cri-containerd:ID`, `ID`.
fn container_id(component: &str) -> Option<&str> {
    let name = component.strip_suffix(".scope").unwrap_or(component);
    let (engine, id) = name.split_at_checked(name.len().checked_sub(CONTAINER_ID_DIGITS)?)?;
    let is_set_off = engine.is_empty() || engine.ends_with(['-', ':']);
    let digits = id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (is_set_off && digits && !engine.contains("conmon")).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        recording::{Call, CommandOutcome, Derived, Host, VERSION},
        syscalls::{self, Abi},
    };

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const OTHER: &str = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";

    fn call(name: &str, phase: Phase) -> Call {
        Call {
            abi: Abi::X86_64,
            number: syscalls::number(Abi::X86_64, name).expect("a call"),
            name: Some(name.to_owned()),
            phase,
            count: None,
            first_seen_seconds: None,
            command: None,
            ambiguous: false,
            refused: None,
            during: None,
        }
    }

    fn cgroup(path: &str, name: &str) -> Cgroup {
        Cgroup {
            id: 7,
            path: path.to_owned(),
            late_start: false,
            exact: true,
            ambiguous: false,
            no_new_privs: false,
            calls: vec![call(name, Phase::Workload)],
        }
    }

    fn target(kind: TargetKind, name: &str, cgroups: &[usize]) -> Target {
        let (name, cgroups) = (name.to_owned(), cgroups.to_vec());
        Target { name, kind, runtime: None, image: None, cgroups }
    }

    /// A recording of one target with these cgroups, complete.
    fn whole(kind: TargetKind, name: &str, paths: &[&str]) -> Recording {
        Recording {
            version: VERSION,
            tracer: "0.1.0".into(),
            started: "2026-01-02T03:04:05Z".into(),
            duration_seconds: 2.0,
            host: Host { kernel: "6.18.44".into(), arch: "x86_64".into(), cpus: 2, btf: true },
            targets: vec![target(kind, name, &(0..paths.len()).collect::<Vec<_>>())],
            cgroups: paths.iter().map(|path| cgroup(path, "read")).collect(),
            losses: Losses::default(),
            late_starts: Vec::new(),
            complete: true,
            incomplete_reasons: Vec::new(),
            command: None,
            derived: None,
        }
    }

    /// The same, begun late: the first cgroup's start was not seen.
    fn late(kind: TargetKind, name: &str, paths: &[&str]) -> Recording {
        let mut recording = whole(kind, name, paths);
        recording.cgroups[0].late_start = true;
        recording.late_starts = vec![paths[0].to_owned()];
        recording.losses.late_start = 1;
        recording.complete = false;
        recording.incomplete_reasons =
            completeness::reasons(&recording.losses, &recording.late_starts, false);
        recording
    }

    fn merged(parts: &[Recording]) -> Recording {
        merge(parts, false).expect("at least one")
    }

    /// Whether the second makes up for the late start of the first, in either order.
    fn is_covered(late: &Recording, whole: &Recording) -> bool {
        let result = merged(&[late.clone(), whole.clone()]);
        let turned = merged(&[whole.clone(), late.clone()]);
        assert_eq!(result.complete, turned.complete, "the order does not matter");
        assert_eq!(result.complete, result.late_starts.is_empty());
        assert_eq!(result.losses.late_start, result.late_starts.len() as u64);
        assert_eq!(result.losses, turned.losses);
        result.complete
    }

    use TargetKind::{Container, Path, Pod, Process, Unit};

    #[test]
    fn one_recording_stays_as_it_is() {
        assert_eq!(merge(&[], false), None);
        for recording in [whole(Path, "/a", &["/a", "/a/b"]), late(Path, "/a", &["/a"])] {
            assert_eq!(merged(std::slice::from_ref(&recording)), recording);
            assert_eq!(merged(&[recording.clone(), recording.clone()]), recording, "twice");
        }
    }

    #[test]
    fn three_stand_side_by_side() {
        let mut one = whole(Path, "/a", &["/a", "/a/b"]);
        let mut two = whole(Unit, "b.service", &["/b.service"]);
        let three = whole(Path, "/a", &["/a"]);
        one.losses.table_full = 1;
        two.losses = Losses { table_full: u64::MAX, compat: 2, ..Losses::default() };
        two.started = "2025-12-31T00:00:00Z".into();
        two.host.btf = false;
        let command = CommandOutcome { arguments: Vec::new(), exit_code: Some(0), signal: None };
        two.command = Some(command.clone());
        two.derived = Some(Derived::default());
        let result = merged(&[one, two.clone(), three.clone()]);
        let paths: Vec<&str> = result.cgroups.iter().map(|cgroup| cgroup.path.as_str()).collect();
        assert_eq!(paths, ["/a", "/a/b", "/b.service", "/a"], "none is joined with another");
        let indexes: Vec<_> = result.targets.iter().map(|target| target.cgroups.clone()).collect();
        assert_eq!(indexes, [vec![0, 1], vec![2], vec![3]]);
        assert_eq!((result.losses.table_full, result.losses.compat), (u64::MAX, 2));
        assert_eq!(result.started, "2025-12-31T00:00:00Z");
        assert!((result.duration_seconds - 6.0).abs() < 1e-9);
        assert!(!result.host.btf && result.host.cpus == 2);
        assert_eq!(result.command, Some(command), "the only one");
        assert_eq!(result.derived, None);
        let other = Recording { command: two.command.clone(), ..three };
        assert_eq!(merged(&[two, other]).command, None, "two commands are none");
    }

    #[test]
    fn losses_are_never_covered() {
        let mut lossy = whole(Path, "/a", &["/a"]);
        lossy.losses.filtered = 1;
        lossy.complete = false;
        let result = merged(&[lossy, whole(Path, "/a", &["/a"])]);
        assert!(!result.complete);
        assert_eq!(result.incomplete_reasons.len(), 1);
        assert!(result.incomplete_reasons[0].contains("filter"), "{result:?}");
    }

    #[test]
    fn a_reason_that_is_not_known_is_kept() {
        let mut newer = whole(Path, "/a", &["/a"]);
        newer.complete = false;
        newer.incomplete_reasons = vec!["7 calls fell\u{1b}[2J".into()];
        let result = merged(&[newer.clone(), whole(Path, "/b", &["/b"])]);
        assert!(!result.complete);
        assert!(result.incomplete_reasons[0].contains(r"7 calls fell\x1b[2J"), "{result:?}");
        newer.incomplete_reasons.clear();
        assert!(!merged(&[newer]).complete);
    }

    #[test]
    fn a_start_of_the_same_path_covers() {
        let lost = late(Path, "/a/web", &["/a/web"]);
        assert!(!merged(std::slice::from_ref(&lost)).complete);
        assert!(is_covered(&lost, &whole(Path, "/a", &["/a/other", "/a/web"])));
        assert!(!is_covered(&lost, &whole(Path, "/a", &["/a/other"])));
        assert!(!is_covered(&lost, &whole(Path, "/a", &["/a/web/below"])));
        assert!(!is_covered(&lost, &late(Path, "/a", &["/a/web"])), "late as well");
    }

    #[test]
    fn a_start_that_did_not_reach_the_workload_does_not_cover() {
        let mut failed = whole(Path, "/a", &["/a"]);
        failed.cgroups[0].calls =
            vec![call("mount", Phase::Setup), call("capset", Phase::ContainerInit)];
        assert!(!is_covered(&late(Path, "/a", &["/a"]), &failed));
    }

    #[test]
    fn a_restart_in_place_covers_unless_late_starts_are_without_name() {
        let mut restarted = whole(Path, "/a", &["/a"]);
        restarted.cgroups[0].late_start = true;
        assert!(is_covered(&late(Path, "/a", &["/a"]), &restarted));
        restarted.losses.late_start = 1;
        let result = merged(&[late(Path, "/a", &["/a"]), restarted]);
        assert!(!result.complete);
        assert_eq!((result.losses.late_start, result.late_starts.len()), (2, 1));
    }

    #[test]
    fn two_recordings_cover_each_other() {
        let one = late(Path, "/p", &["/p/a", "/p/b"]);
        let other = late(Path, "/p", &["/p/b", "/p/a"]);
        assert!(is_covered(&one, &other));
    }

    #[test]
    fn a_cgroup_that_made_no_call_is_covered_as_well() {
        let mut silent = whole(Path, "/p", &["/p/a"]);
        silent.late_starts = vec!["/p/silent".into()];
        silent.losses.late_start = 1;
        assert!(is_covered(&silent, &whole(Path, "/p", &["/p/silent"])));
        assert!(!is_covered(&silent, &whole(Path, "/p", &["/p/a"])));
    }

    #[test]
    fn the_same_container_elsewhere_covers() {
        let (scope, plain) = (format!("/system.slice/docker-{ID}.scope"), format!("/docker/{ID}"));
        let lost = late(Container, "web", &[&scope]);
        assert!(is_covered(&lost, &whole(Path, "/docker", &[&plain])));
        assert!(!is_covered(&lost, &whole(Path, "/docker", &[&format!("/docker/{OTHER}")])));
        assert!(!is_covered(&lost, &whole(Path, "/docker", &[&format!("{plain}/init.scope")])));
        let monitor = format!("/machine.slice/libpod-conmon-{ID}.scope");
        assert!(!is_covered(&lost, &whole(Path, "/machine.slice", &[&monitor])));
    }

    #[test]
    fn a_container_of_the_same_name_covers() {
        let (old, new) = (format!("/docker/{ID}"), format!("/docker/{OTHER}"));
        let lost = late(Container, "docker:web", &[&old]);
        assert!(is_covered(&lost, &whole(Container, "docker:web", &[&new])));
        assert!(!is_covered(&lost, &whole(Container, "docker:db", &[&new])));
        assert!(!is_covered(&lost, &whole(Pod, "docker:web", &[&new])));
        // The beginning of an id: two containers may share it.
        let typed = late(Container, "docker:0123", &[&old]);
        assert!(!is_covered(&typed, &whole(Container, "docker:0123", &[&new])));
        assert!(is_covered(&typed, &whole(Container, "docker:0123", &[&old])));
    }

    #[test]
    fn a_pod_is_covered_by_as_many_containers() {
        let lost = late(Pod, "shop/web", &["/pod1/a", "/pod1/b"]);
        assert!(is_covered(&lost, &whole(Pod, "shop/web", &["/pod2/a", "/pod2/b"])));
        assert!(!is_covered(&lost, &whole(Pod, "shop/web", &["/pod2/a"])));
        let half = late(Pod, "shop/web", &["/pod2/a", "/pod2/b", "/pod2/c"]);
        let result = merged(&[lost, half]);
        assert_eq!(result.late_starts, ["/pod1/a", "/pod2/a"]);
    }

    #[test]
    fn other_names_do_not_cover() {
        for kind in [Path, Process, Unit, TargetKind::Command] {
            let lost = late(kind, "pid:7", &["/a"]);
            assert!(!is_covered(&lost, &whole(kind, "pid:7", &["/b"])), "{kind:?}");
        }
    }

    #[test]
    fn a_late_start_is_accepted_on_request_only() {
        let lost = late(Path, "/a", &["/a"]);
        let result = merge(std::slice::from_ref(&lost), true).expect("one");
        assert!(result.complete && result.incomplete_reasons.is_empty());
        assert_eq!(result.losses.late_start, 1, "it is still told");
        assert!(!merged(&[result]).complete, "what was accepted once is judged anew");
        let mut lossy = lost;
        lossy.losses.table_full = 1;
        assert!(!merge(&[lossy], true).expect("one").complete, "other losses stay");
    }

    #[test]
    fn the_merge_of_merges_is_that_of_the_parts() {
        let parts = [
            late(Path, "/a", &["/a"]),
            whole(Path, "/b", &["/b"]),
            late(Path, "/c", &["/c"]),
            whole(Path, "/a", &["/a"]),
        ];
        let pairs = [merged(&parts[..2]), merged(&parts[2..])];
        assert_eq!(merged(&pairs), merged(&parts));
        assert_eq!(merged(&parts).late_starts, ["/c"]);
    }

    #[test]
    fn ids_are_found_as_engines_write_them() {
        let names = [
            format!("/docker/{ID}"),
            format!("/system.slice/docker-{ID}.scope"),
            format!("/kubepods.slice/x.slice/cri-containerd-{ID}.scope"),
            format!("/system.slice/kubepods-pod1.slice:cri-containerd:{ID}"),
        ];
        for name in names {
            assert_eq!(container(&name), Some((ID, "")), "{name}");
            assert_eq!(container(&format!("{name}/a/b")), Some((ID, "a/b")), "{name}");
        }
        for other in ["/", "", "/a/b.scope", "/é0123", &format!("/x{ID}"), &ID.to_uppercase()] {
            assert_eq!(container(other), None, "{other}");
        }
    }
}
