//! The harness itself: what it starts and makes is gone when a test ends, whatever happened.

use std::fs;
use std::path::Path;

use tests::{BOUND, Cgroup, Running, ground_truth, wait_until};

tests::trials! {
    a_dropped_cgroup_is_removed_with_what_runs_in_it,
    a_dropped_process_is_ended,
    steps_that_cannot_be_understood_end_the_program,
}

fn a_dropped_cgroup_is_removed_with_what_runs_in_it() {
    let cgroup = Cgroup::new("dropped");
    let below = cgroup.child("below");
    let directory = cgroup.directory().to_owned();
    let steps = [below.hop(), "fork:3".into(), "[".into(), "pause".into(), "]".into()];
    let mut running = Running::start(&mut ground_truth(steps.into_iter().chain(["pause".into()])));
    wait_until("four processes are in the cgroup", BOUND, || below.processes().len() == 4);
    let processes = below.processes();
    drop(cgroup);
    assert!(!directory.exists(), "the cgroup is removed with everything below");
    wait_until("the process has ended", BOUND, || !running.is_running());
    let state = |id: &i32| fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    wait_until("all processes have ended", BOUND, || {
        processes.iter().all(|id| state(id).is_empty() || state(id).contains(") Z "))
    });
}

fn a_dropped_process_is_ended() {
    let mut running = Running::start(&mut ground_truth(["say:here", "pause"]));
    running.wait_for_line("here");
    let directory = format!("/proc/{}", running.id());
    assert!(Path::new(&directory).exists(), "it runs");
    drop(running);
    assert!(!Path::new(&directory).exists(), "it has ended and was waited for");
}

fn steps_that_cannot_be_understood_end_the_program() {
    for step in
        ["getpid", "x86_64:", "x86_64:1x", "x86_64:getpidd", "i386:newfstatat", "fork:1", "exit:"]
    {
        let status = Running::start(&mut ground_truth([step])).finish().status;
        assert_eq!(status.code(), Some(90), "the step {step} is refused");
    }
}
