//! A target that already runs: its start was not seen, and the result says so until a start was.

use std::fs;

use tests::{Cgroup, Outcome, Running, Tracer, calls, ground_truth};
use tracer::syscalls::Abi::X86_64;

tests::trials! {
    attaching_to_a_running_program_is_incomplete_and_says_so,
    accept_late_start_makes_it_complete,
    a_start_in_the_emptied_cgroup_makes_it_complete,
    a_start_that_ends_at_once_makes_it_complete_too,
    freezing_and_thawing_a_late_target_is_no_start,
    a_start_in_a_new_cgroup_of_the_same_path_makes_it_complete,
    a_new_cgroup_of_the_same_path_below_the_target_makes_it_complete,
    a_start_while_the_first_process_still_runs_leaves_it_incomplete,
    a_running_neighbour_does_not_make_the_target_late,
}

const EXIT_GROUP: i32 = 231;

/// A process in the cgroup that waits until its standard input ends, then makes a call and ends.
fn running_in(cgroup: &Cgroup) -> Running {
    let steps = [cgroup.hop(), "say:here".into(), "barrier".into(), "x86_64:getuid".into()];
    let mut running = Running::start(&mut ground_truth(steps));
    running.wait_for_line("here");
    running
}

fn run_in(cgroup: &Cgroup) {
    let finished =
        Running::start(&mut ground_truth([cgroup.hop(), "x86_64:getpid".into()])).finish();
    assert!(finished.status.success(), "the fixture ends well: {finished:?}");
}

fn is_late(outcome: &Outcome, cgroup: &str) -> bool {
    let recording = outcome.recording();
    let found = recording.cgroups.iter().find(|found| found.path == cgroup);
    found.unwrap_or_else(|| panic!("{cgroup} is recorded: {recording:?}")).late_start
}

fn attaching_to_a_running_program_is_incomplete_and_says_so() {
    let cgroup = Cgroup::new("late");
    let running = running_in(&cgroup);
    let tracing = Tracer::new().cgroup(&cgroup).start();
    assert!(running.finish().status.success(), "the fixture ends well");
    let outcome = tracing.stop().exits(3).says(&["late start", "hint:", "merge a recording"]);
    let recording = outcome.recording();
    assert!(!recording.complete, "the recording says it is incomplete");
    assert_eq!(recording.losses.late_start, 1, "the loss is counted: {:?}", recording.losses);
    assert!(!recording.incomplete_reasons.is_empty(), "the recording says why");
    assert!(is_late(&outcome, cgroup.name()), "the cgroup is marked");
    let found = calls(&recording, cgroup.name());
    assert!(found.contains_key(&(X86_64, 102)), "what came later is recorded: {found:?}");
    assert!(found.contains_key(&(X86_64, EXIT_GROUP)), "what came later is recorded: {found:?}");
    assert!(!outcome.allowed().is_empty(), "a profile is written all the same");
}

fn accept_late_start_makes_it_complete() {
    let cgroup = Cgroup::new("accepted");
    let running = running_in(&cgroup);
    let tracing = Tracer::new().cgroup(&cgroup).args(["--accept-late-start"]).start();
    assert!(running.finish().status.success(), "the fixture ends well");
    let message = format!("complete as you accepted: the start of {} was not seen", cgroup.name());
    let outcome = tracing.stop().exits(0).says(&[&message]);
    assert!(!outcome.stderr.contains("nothing was lost"), "{}", outcome.stderr);
}

fn a_start_in_the_emptied_cgroup_makes_it_complete() {
    let cgroup = Cgroup::new("emptied");
    let running = running_in(&cgroup);
    let tracing = Tracer::new().cgroup(&cgroup).start();
    assert!(running.finish().status.success(), "the fixture ends well");
    cgroup.wait_until_empty();
    tracing.wait_until_idle();
    let again = running_in(&cgroup);
    tracing.wait_until_idle();
    assert!(again.finish().status.success(), "the fixture ends well");
    tracing.stop().exits(0);
}

fn a_start_that_ends_at_once_makes_it_complete_too() {
    let cgroup = Cgroup::new("short");
    let running = running_in(&cgroup);
    let tracing = Tracer::new().cgroup(&cgroup).start();
    assert!(running.finish().status.success(), "the fixture ends well");
    cgroup.wait_until_empty();
    // The tracer has seen it empty: the kernel reports changes, not each of two quick ones.
    tracing.wait_until_idle();
    run_in(&cgroup);
    tracing.wait_until_idle();
    tracing.stop().exits(0);
}

fn freezing_and_thawing_a_late_target_is_no_start() {
    let cgroup = Cgroup::new("frozen");
    let running = running_in(&cgroup);
    let tracing = Tracer::new().cgroup(&cgroup).start();
    let freezer = cgroup.directory().join("cgroup.freeze");
    for _ in 0..50 {
        fs::write(&freezer, "1").expect("it is frozen");
        fs::write(&freezer, "0").expect("it is thawed");
    }
    tracing.wait_until_idle();
    assert!(running.finish().status.success(), "the fixture ends well");
    tracing.stop().exits(3);
}

fn a_start_in_a_new_cgroup_of_the_same_path_makes_it_complete() {
    let above = Cgroup::new("again");
    let cgroup = above.child("container");
    let running = running_in(&cgroup);
    let tracing = Tracer::new().cgroup(&cgroup).start();
    assert!(running.finish().status.success(), "the fixture ends well");
    cgroup.remove();
    let again = above.child("container");
    run_in(&again);
    let outcome = tracing.stop().exits(0);
    let found = calls(&outcome.recording(), again.name());
    assert!(found.contains_key(&(X86_64, 39)), "the new start is recorded: {found:?}");
    drop(again);
}

fn a_new_cgroup_of_the_same_path_below_the_target_makes_it_complete() {
    let above = Cgroup::new("below");
    let cgroup = above.child("container");
    let running = running_in(&cgroup);
    let tracing = Tracer::new().cgroup(&above).start();
    assert!(running.finish().status.success(), "the fixture ends well");
    cgroup.remove();
    let again = above.child("container");
    run_in(&again);
    tracing.stop().exits(0);
    drop(again);
}

fn a_start_while_the_first_process_still_runs_leaves_it_incomplete() {
    let cgroup = Cgroup::new("both");
    let running = running_in(&cgroup);
    let tracing = Tracer::new().cgroup(&cgroup).start();
    run_in(&cgroup);
    tracing.stop().exits(3);
    assert!(running.finish().status.success(), "the fixture ends well");
}

fn a_running_neighbour_does_not_make_the_target_late() {
    let above = Cgroup::new("neighbour");
    let neighbour = above.child("neighbour");
    let target = above.child("target");
    let running = running_in(&neighbour);
    let tracing = Tracer::new().cgroup(&target).start();
    run_in(&target);
    tracing.stop().exits(0);
    assert!(running.finish().status.success(), "the fixture ends well");
    drop((neighbour, target));
}
