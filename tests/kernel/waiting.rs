//! `--wait`: targets that do not exist yet, and those that come and go.

use std::collections::BTreeSet;

use tests::{Cgroup, HARMLESS, Outcome, Tracer, call_in, calls};
use tracer::syscalls::Abi::X86_64;

tests::trials! {
    a_container_that_does_not_exist_yet_is_recorded_each_time_it_starts,
    a_unit_and_a_path_that_do_not_exist_yet_are_recorded,
    the_end_of_the_target_ends_the_recording_only_without_wait,
    what_never_came_is_no_profile_and_without_wait_an_error,
    what_did_not_come_beside_what_came_is_reported,
    a_pod_without_its_namespace_is_not_awaited,
    a_socket_that_was_named_and_is_not_there_is_an_error,
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

/// Starts of something under a name of its own, each with a call that only it makes, next to a
/// canary.
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
    call_in(&target, "getpid");
    target.remove();
    let outcome = ending.finish().exits(0);
    assert_eq!(recorded(&outcome), BTreeSet::from([39, EXIT_GROUP]));
    let again = above.child("target");
    call_in(&again, "getuid");
    let outcome = waiting.stop().exits(0);
    assert_eq!(recorded(&outcome), BTreeSet::from([39, 102, EXIT_GROUP]));
    drop(again);
}

fn what_never_came_is_no_profile_and_without_wait_an_error() {
    let id = container_id(2);
    let tracing = Tracer::new().args(["--wait", "--cgroup", &id]).start();
    tracing.stop().exits(1).writes_nothing();
    Tracer::new().args(["--cgroup", &id]).run().exits(1).says(&["--wait"]).writes_nothing();
    for target in ["docker:no-such-name", "no-such-namespace/no-such-pod"] {
        let tracing = Tracer::new().args(["--wait", "--cgroup", target]).start();
        let name = target.strip_prefix("docker:").unwrap_or(target);
        let never = format!("{target} never appeared");
        let said = [&format!("waiting for {target}: no "), &format!("is named `{name}`"), &never];
        tracing.stop().exits(1).says(&said.map(String::as_str)).writes_nothing();
        Tracer::new().args(["--cgroup", target]).run().exits(1).says(&["--wait"]).writes_nothing();
    }
}

/// One of two came: its profile is written, and a message names the other one.
fn what_did_not_come_beside_what_came_is_reported() {
    let above = Cgroup::new("one-of-two");
    let [there, missing] = ["there", "missing"].map(|name| format!("{}/{name}", above.name()));
    let tracing = Tracer::new().args(["--wait", "--cgroup", &there, "--cgroup", &missing]).start();
    let made = starts(&above, "there", 1);
    let outcome = tracing.stop().exits(0);
    assert_eq!(recorded(&outcome), made, "left: recorded, right: made");
    let waited = [&there, &missing].map(|path| format!("waiting for {path}: there is no cgroup"));
    let outcome =
        outcome.says(&[&waited[0], &waited[1], &format!("note: {missing} never appeared")]);
    assert!(!outcome.stderr.contains(&format!("{there} never")), "{}", outcome.stderr);
}

fn a_pod_without_its_namespace_is_not_awaited() {
    for options in [&["--wait", "--cgroup", "pod:web-0"][..], &["--cgroup", "pod:web-0"]] {
        let said = ["`web-0` is a pod's name without its namespace", "write NAMESPACE/POD"];
        Tracer::new().args(options).run().exits(1).says(&said).writes_nothing();
    }
}

fn a_socket_that_was_named_and_is_not_there_is_an_error() {
    for (option, who) in
        [("--docker-host", "docker"), ("--podman-host", "podman"), ("--cri-endpoint", "CRI")]
    {
        let socket = format!("{option}=unix:///nowhere/x.sock");
        for wait in [&["--wait"][..], &[]] {
            let tracer = Tracer::new().args([&socket, "--cgroup", "no-such-name"]).args(wait);
            let said = format!("{who} at /nowhere/x.sock: not there");
            tracer.run().exits(1).says(&[&said, option]).writes_nothing();
        }
    }
    let silent = Tracer::new().args(["--cgroup", "no-such-name"]).run().exits(1);
    assert!(!silent.stderr.contains("not there"), "usual places need not be: {}", silent.stderr);
    for (variable, value, said) in [
        ("DOCKER_HOST", "unix:///nowhere/x.sock", "DOCKER_HOST: /nowhere/x.sock: not there"),
        (
            "CONTAINER_HOST",
            "ssh://a@b",
            "CONTAINER_HOST: ssh://a@b: tracer asks only sockets of this host",
        ),
        ("CONTAINER_RUNTIME_ENDPOINT", "/nowhere", "CONTAINER_RUNTIME_ENDPOINT: /nowhere: not"),
    ] {
        let tracer = || Tracer::new().environment(variable, value);
        let outcome = tracer().args(["--cgroup", "no-such-name"]).run().exits(1);
        outcome.says(&[said]).writes_nothing();
        let outcome = tracer().args(["--quiet"]).command(["true"]).run().exits(0);
        assert!(!outcome.stderr.contains(variable), "nobody is asked: {}", outcome.stderr);
    }
}
