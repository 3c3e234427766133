//! `--wait`: targets that do not exist yet, and those that come and go.

use std::collections::BTreeSet;

use tests::{Cgroup, HARMLESS, Outcome, Tracer, call_in, calls};
use tracer::syscalls::Abi::X86_64;

tests::trials! {
    a_container_that_does_not_exist_yet_is_recorded_each_time_it_starts,
    a_unit_and_a_path_that_do_not_exist_yet_are_recorded,
    the_end_of_the_target_ends_the_recording_only_without_wait,
    what_never_came_is_no_profile_and_without_wait_an_error,
}

const CANARY: i32 = 452;
const EXIT_GROUP: i32 = 231;

/// The native numbers of everything that was recorded.
fn recorded(outcome: &Outcome) -> BTreeSet<i32> {
    let recording = outcome.recording();
    let paths: BTreeSet<&str> =
        recording.cgroups.iter().map(|cgroup| cgroup.path.as_str()).collect();
    let numbers = |path| calls(&recording, path).into_keys();
    paths
        .into_iter()
        .flat_map(numbers)
        .inspect(|(abi, _)| assert_eq!(*abi, X86_64))
        .map(|(_, number)| number)
        .collect()
}

/// A container's id that no other test uses.
fn container_id(label: u32) -> String {
    format!("{:08x}{label:08x}", std::process::id()) + &"0123456789abcdef".repeat(3)
}

/// Starts of something under a name of its own, each with a call that only it makes, next to a canary.
fn starts(above: &Cgroup, name: &str, times: usize) -> BTreeSet<i32> {
    let sibling = above.child("sibling");
    let mut made = BTreeSet::from([EXIT_GROUP]);
    for turn in 0..times {
        let (number, _) = HARMLESS[turn % HARMLESS.len()];
        let cgroup = above.child(name);
        call_in(&cgroup, number);
        call_in(&sibling, CANARY);
        cgroup.remove();
        made.insert(number);
    }
    assert!(!made.contains(&CANARY), "the canary is not among the calls");
    made
}

fn a_container_that_does_not_exist_yet_is_recorded_each_time_it_starts() {
    let above = Cgroup::new("awaited");
    let id = container_id(1);
    let tracing = Tracer::new().args(["--wait", "--cgroup", &id[..20]]).start();
    let made = starts(&above, &format!("docker-{id}.scope"), 20);
    let outcome = tracing.stop().exits(0).says(&["complete: nothing was lost"]);
    assert_eq!(recorded(&outcome), made, "left: recorded, right: made");
    let recording = outcome.recording();
    assert_eq!(recording.targets.len(), 1);
    assert_eq!(recording.targets[0].cgroups.len(), 20, "one for each start");
}

fn a_unit_and_a_path_that_do_not_exist_yet_are_recorded() {
    let above = Cgroup::new("awaited-more");
    let slice = Cgroup::at(format!("/tracer-tests-{}-awaited.slice", std::process::id()));
    let unit = format!("tracer-test-{}.service", std::process::id());
    let path = format!("{}/deep/down", above.name());
    let tracing = Tracer::new().args(["--wait", "--cgroup", &unit, "--cgroup", &path]).start();
    let mut made = starts(&slice, &unit, 3);
    let deep = above.child("deep");
    made.extend(starts(&deep, "down", 5));
    let outcome = tracing.stop().exits(0);
    assert_eq!(recorded(&outcome), made, "left: recorded, right: made");
    drop(deep);
}

fn the_end_of_the_target_ends_the_recording_only_without_wait() {
    let above = Cgroup::new("ends");
    let target = above.child("target");
    let path = target.name().to_owned();
    let waiting = Tracer::new().args(["--wait", "--cgroup", &path]).start();
    let ending = Tracer::new().cgroup(&target).start();
    call_in(&target, 39);
    target.remove();
    let outcome = ending.finish().exits(0);
    assert_eq!(recorded(&outcome), BTreeSet::from([39, EXIT_GROUP]));
    let again = above.child("target");
    call_in(&again, 102);
    let outcome = waiting.stop().exits(0);
    assert_eq!(recorded(&outcome), BTreeSet::from([39, 102, EXIT_GROUP]));
    drop(again);
}

fn what_never_came_is_no_profile_and_without_wait_an_error() {
    let id = container_id(2);
    let tracing = Tracer::new().args(["--wait", "--cgroup", &id]).start();
    tracing.stop().exits(1).writes_nothing();
    Tracer::new().args(["--cgroup", &id]).run().exits(1).says(&["--wait"]).writes_nothing();
    let options = ["--docker-host=unix:///nowhere/docker.sock", "--wait"];
    for target in ["docker:no-such-name", "no-such-namespace/no-such-pod"] {
        let tracing = Tracer::new().args(options).args(["--cgroup", target]).start();
        tracing.stop().exits(1).writes_nothing();
        Tracer::new().args(["--cgroup", target]).run().exits(1).says(&["--wait"]).writes_nothing();
    }
}
