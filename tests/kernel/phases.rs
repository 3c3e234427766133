//! Workloads that look like a container runtime at work are workloads all the same.

use std::collections::BTreeSet;

use tests::{GROUND_TRUTH, Tracer, names};
use tracer::recording::Phase;

tests::trials! {
    a_workload_that_takes_the_name_of_the_runtimes_init,
    a_workload_that_makes_a_mount_namespace_of_its_own,
    a_workload_that_executes_from_memory,
    a_workload_that_loads_a_filter_for_itself,
}

/// The new mount namespace of unshare(2).
const UNSHARE_MOUNTS: &str = "call:unshare,131072";

/// The names that the steps of a command give, all of them workload.
fn check(steps: &[&str], expected: &[&str]) {
    let command = [&[GROUND_TRUTH], steps].concat();
    let outcome = Tracer::new().command(command).run().exits(0);
    let recording = outcome.recording();
    let [cgroup] = recording.cgroups.as_slice() else {
        panic!("one cgroup: {:?}", recording.cgroups)
    };
    let mut all: BTreeSet<&str> = expected.iter().copied().collect();
    all.extend(["execve", "exit_group"]);
    assert_eq!(names(cgroup, Phase::Workload), all, "left: recorded as workload, right: made");
}

fn a_workload_that_takes_the_name_of_the_runtimes_init() {
    check(
        &["name:runc:[2:INIT]", "x86_64:mount", "x86_64:pivot_root", "name:crun", "x86_64:getpid"],
        &["prctl", "mount", "pivot_root", "getpid"],
    );
}

fn a_workload_that_makes_a_mount_namespace_of_its_own() {
    check(
        &[
            UNSHARE_MOUNTS,
            "x86_64:mount",
            "exec",
            "x86_64:pivot_root",
            "fork:1",
            "[",
            "x86_64:getpid",
            "]",
            "wait",
        ],
        &["unshare", "mount", "pivot_root", "fork", "getpid", "wait4"],
    );
}

fn a_workload_that_executes_from_memory() {
    check(
        &["exec-memfd", "x86_64:mount", "x86_64:getpid", UNSHARE_MOUNTS, "x86_64:getuid"],
        &["openat", "memfd_create", "sendfile", "execveat", "mount", "getpid", "unshare", "getuid"],
    );
}

fn a_workload_that_loads_a_filter_for_itself() {
    check(
        &[
            "x86_64:mount",
            "allow-all",
            "x86_64:getpid",
            "fork:1",
            "[",
            "x86_64:getuid",
            "]",
            "wait",
        ],
        &["mount", "prctl", "seccomp", "getpid", "fork", "getuid", "wait4"],
    );
}
