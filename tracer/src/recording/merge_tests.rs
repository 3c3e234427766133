//! Tests of [`super`].

use super::*;
use crate::recording::{
    Call, CommandOutcome, Derived, Phase,
    testing::{call, cgroup, recording, target},
};

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const OTHER: &str = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";

/// A recording of one target with these cgroups, complete.
fn complete(kind: TargetKind, name: &str, paths: &[&str]) -> Recording {
    let made = |path: &&str| cgroup(path, vec![call("read")]);
    let cgroups: Vec<Cgroup> = paths.iter().map(made).collect();
    let targets = vec![target(kind, name, &(0..paths.len()).collect::<Vec<_>>())];
    Recording { targets, ..recording(cgroups) }
}

/// The same, begun late: the first cgroup's start was not seen.
fn late(kind: TargetKind, name: &str, paths: &[&str]) -> Recording {
    let mut recording = complete(kind, name, paths);
    recording.cgroups[0].late_start = true;
    recording.late_starts = vec![paths[0].to_owned()];
    recording.losses.late_start = 1;
    recording.complete = false;
    recording.incomplete_reasons = completeness::reasons(
        &recording.losses,
        &recording.late_starts,
        &[],
        &[],
        false,
        &recording.host,
    );
    recording
}

fn merged(parts: &[Recording]) -> Recording {
    merge(parts, false).expect("at least one")
}

/// Whether the second makes up for the late start of the first, in either order.
fn is_covered(late: &Recording, complete: &Recording) -> bool {
    let result = merged(&[late.clone(), complete.clone()]);
    let turned = merged(&[complete.clone(), late.clone()]);
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
    for recording in [complete(Path, "/a", &["/a", "/a/b"]), late(Path, "/a", &["/a"])] {
        assert_eq!(merged(std::slice::from_ref(&recording)), recording);
        assert_eq!(merged(&[recording.clone(), recording.clone()]), recording, "twice");
    }
}

#[test]
fn three_stand_side_by_side() {
    let mut one = complete(Path, "/a", &["/a", "/a/b"]);
    let mut two = complete(Unit, "b.service", &["/b.service"]);
    let three = complete(Path, "/a", &["/a"]);
    one.losses.table_full = 1;
    two.losses = Losses { table_full: u64::MAX, compat: 2, ..Losses::default() };
    two.started = "2025-12-31T00:00:00Z".into();
    two.host.btf = false;
    let command = CommandOutcome {
        arguments: Vec::new(),
        arguments_left_out: 0,
        exit_code: Some(0),
        signal: None,
    };
    two.command = Some(command.clone());
    two.derived = Some(Derived::default());
    let result = merged(&[one, two.clone(), three.clone()]);
    let paths: Vec<&str> = result.cgroups.iter().map(|cgroup| cgroup.path.as_str()).collect();
    assert_eq!(paths, ["/a", "/a/b", "/b.service", "/a"], "none is joined with another");
    let indexes: Vec<_> = result.targets.iter().map(|target| target.cgroups.clone()).collect();
    assert_eq!(indexes, [vec![0, 1], vec![2], vec![3]]);
    assert_eq!((result.losses.table_full, result.losses.compat), (u64::MAX, 2));
    assert_eq!(result.started, "2025-12-31T00:00:00Z");
    assert!((result.duration_seconds - 7.5).abs() < 1e-9);
    assert!(!result.host.btf && result.host.cpus == 2);
    assert_eq!(result.command, Some(command), "the only one");
    assert_eq!(result.derived, None);
    let other = Recording { command: two.command.clone(), ..three };
    assert_eq!(merged(&[two, other]).command, None, "two commands are none");
}

#[test]
fn losses_are_never_covered() {
    let mut lossy = complete(Path, "/a", &["/a"]);
    lossy.losses.filtered = 1;
    lossy.complete = false;
    let result = merged(&[lossy, complete(Path, "/a", &["/a"])]);
    assert!(!result.complete);
    assert_eq!(result.incomplete_reasons.len(), 1);
    assert!(result.incomplete_reasons[0].contains("filter"), "{result:?}");
}

#[test]
fn a_reason_that_is_not_known_is_kept() {
    let mut newer = complete(Path, "/a", &["/a"]);
    newer.complete = false;
    newer.incomplete_reasons = vec!["7 calls fell\u{1b}[2J".into()];
    let result = merged(&[newer.clone(), complete(Path, "/b", &["/b"])]);
    assert!(!result.complete);
    assert!(result.incomplete_reasons[0].contains(r"7 calls fell\x1b[2J"), "{result:?}");
    newer.incomplete_reasons.clear();
    assert!(!merged(&[newer]).complete);
}

#[test]
fn a_start_of_the_same_path_covers() {
    let lost = late(Path, "/a/web", &["/a/web"]);
    assert!(!merged(std::slice::from_ref(&lost)).complete);
    assert!(is_covered(&lost, &complete(Path, "/a", &["/a/other", "/a/web"])));
    assert!(!is_covered(&lost, &complete(Path, "/a", &["/a/other"])));
    assert!(!is_covered(&lost, &complete(Path, "/a", &["/a/web/below"])));
    assert!(!is_covered(&lost, &late(Path, "/a", &["/a/web"])), "late as well");
}

#[test]
fn a_start_that_did_not_reach_the_workload_does_not_cover() {
    let mut failed = complete(Path, "/a", &["/a"]);
    failed.cgroups[0].calls = [("mount", Phase::Setup), ("capset", Phase::ContainerInit)]
        .map(|(name, phase)| Call { phase, ..call(name) })
        .into();
    assert!(!is_covered(&late(Path, "/a", &["/a"]), &failed));
}

#[test]
fn a_restart_in_place_covers_unless_late_starts_are_without_name() {
    let mut restarted = complete(Path, "/a", &["/a"]);
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
    let mut silent = complete(Path, "/p", &["/p/a"]);
    silent.late_starts = vec!["/p/silent".into()];
    silent.losses.late_start = 1;
    assert!(is_covered(&silent, &complete(Path, "/p", &["/p/silent"])));
    assert!(!is_covered(&silent, &complete(Path, "/p", &["/p/a"])));
}

#[test]
fn the_same_container_elsewhere_covers() {
    let (scope, plain) = (format!("/system.slice/docker-{ID}.scope"), format!("/docker/{ID}"));
    let lost = late(Container, "web", &[&scope]);
    assert!(is_covered(&lost, &complete(Path, "/docker", &[&plain])));
    assert!(!is_covered(&lost, &complete(Path, "/docker", &[&format!("/docker/{OTHER}")])));
    assert!(!is_covered(&lost, &complete(Path, "/docker", &[&format!("{plain}/init.scope")])));
    let monitor = format!("/machine.slice/libpod-conmon-{ID}.scope");
    assert!(!is_covered(&lost, &complete(Path, "/machine.slice", &[&monitor])));
    let pod = format!("/libpod_parent/{ID}");
    for path in [pod.clone(), format!("{pod}/conmon")] {
        assert!(!is_covered(&lost, &complete(Path, "/libpod_parent", &[&path])), "{path}");
    }
    let in_pod = format!("/libpod_parent/{OTHER}/libpod-{ID}");
    assert!(is_covered(&lost, &complete(Path, "/libpod_parent", &[&in_pod])));
}

#[test]
fn a_container_of_the_same_name_covers() {
    let (old, new) = (format!("/docker/{ID}"), format!("/docker/{OTHER}"));
    let lost = late(Container, "docker:web", &[&old]);
    assert!(is_covered(&lost, &complete(Container, "docker:web", &[&new])));
    assert!(!is_covered(&lost, &complete(Container, "docker:db", &[&new])));
    assert!(!is_covered(&lost, &complete(Pod, "docker:web", &[&new])));
    // The beginning of an id: two containers may share it.
    let typed = late(Container, "docker:0123", &[&old]);
    assert!(!is_covered(&typed, &complete(Container, "docker:0123", &[&new])));
    assert!(is_covered(&typed, &complete(Container, "docker:0123", &[&old])));
}

#[test]
fn a_pod_is_covered_by_as_many_containers() {
    let lost = late(Pod, "shop/web", &["/pod1/a", "/pod1/b"]);
    assert!(is_covered(&lost, &complete(Pod, "shop/web", &["/pod2/a", "/pod2/b"])));
    assert!(!is_covered(&lost, &complete(Pod, "shop/web", &["/pod2/a"])));
    // However often it was started since.
    let restarted = late(Pod, "shop/web", &["/pod1/a", "/pod2/a", "/pod3/a"]);
    assert!(is_covered(&restarted, &complete(Pod, "shop/web", &["/pod4/a"])));
    let half = late(Pod, "shop/web", &["/pod2/a", "/pod2/b", "/pod2/c"]);
    let result = merged(&[lost, half]);
    assert_eq!(result.late_starts, ["/pod1/a", "/pod2/a"]);
}

#[test]
fn other_names_do_not_cover() {
    for kind in [Path, Process, Unit, TargetKind::Command] {
        let lost = late(kind, "pid:7", &["/a"]);
        assert!(!is_covered(&lost, &complete(kind, "pid:7", &["/b"])), "{kind:?}");
    }
}

#[test]
fn a_late_start_is_accepted_on_request_only() {
    let lost = late(Path, "/a", &["/a"]);
    let result = merge(std::slice::from_ref(&lost), true).expect("one");
    assert!(result.complete && result.incomplete_reasons.is_empty());
    assert_eq!(result.losses.late_start, 1, "it still counts");
    assert!(!merged(&[result]).complete, "what was accepted once is judged anew");
    let mut lossy = lost;
    lossy.losses.table_full = 1;
    assert!(!merge(&[lossy], true).expect("one").complete, "other losses stay");
}

#[test]
fn the_merge_of_merges_is_that_of_the_parts() {
    let parts = [
        late(Path, "/a", &["/a"]),
        complete(Path, "/b", &["/b"]),
        late(Path, "/c", &["/c"]),
        complete(Path, "/a", &["/a"]),
    ];
    let pairs = [merged(&parts[..2]), merged(&parts[2..])];
    assert_eq!(merged(&pairs), merged(&parts));
    assert_eq!(merged(&parts).late_starts, ["/c"]);
}

/// What a killed tracer left.
fn broken_off(kind: TargetKind, name: &str, paths: &[&str]) -> Recording {
    let mut recording = complete(kind, name, paths);
    recording.losses.unfinished = 1;
    recording.complete = false;
    recording.incomplete_reasons = vec!["it broke off".into()];
    recording
}

#[test]
fn a_recording_that_broke_off_is_made_up_for_by_a_later_one_from_start_to_end() {
    let left = broken_off(Path, "/a", &["/a/x", "/a/y"]);
    let again = |paths: &[&str], started: &str| {
        let mut again = complete(Path, "/a", paths);
        again.started = started.to_owned();
        let merged = merge(&[left.clone(), again], false).expect("one");
        (merged.losses.unfinished, merged.complete)
    };
    let later = "2026-01-03T00:00:00Z";
    assert_eq!(again(&["/a/x", "/a/y", "/a/z"], later), (0, true));
    assert_eq!(again(&["/a/x"], later), (1, false), "one of them was not started again");
    assert_eq!(again(&["/a/x", "/a/y"], "2026-01-01T00:00:00Z"), (1, false), "before it");
    let mut late = late(Path, "/a", &["/a/x", "/a/y"]);
    late.started = later.to_owned();
    let merged = merge(&[left.clone(), late], false).expect("one");
    assert_eq!((merged.losses.unfinished, merged.complete), (1, false), "it went on meanwhile");
    let mut broken = broken_off(Path, "/a", &["/a/x", "/a/y"]);
    broken.started = later.to_owned();
    assert_eq!(merge(&[left, broken], false).expect("one").losses.unfinished, 2);
}
