//! A process that leaves the target's cgroup stays the target's, as a seccomp filter stays on it;
//! and one that comes back is no start.

use std::fs;

use tests::{BOUND, Cgroup, Outcome, Running, Tracer, Tracing, calls, ground_truth, wait_until};
use tracer::recording::{Departure, Recording};
use tracer::syscalls::Abi::X86_64;

tests::trials! {
    a_process_that_leaves_the_target_is_followed,
    children_of_a_process_that_left_are_followed,
    a_process_that_leaves_for_a_watched_neighbour_is_followed,
    a_process_that_somebody_else_moves_is_followed,
    a_process_that_comes_back_is_counted_once,
    a_process_that_leaves_a_target_which_was_awaited_is_followed,
    what_left_and_still_runs_when_the_command_ends_is_cut_off,
    a_command_that_leaves_its_cgroup_runs_under_its_profile,
    a_late_process_that_leaves_and_comes_back_is_no_start,
    an_older_process_that_is_moved_in_is_no_start,
    unreported_moves_of_others_are_no_loss_of_the_target,
    unreported_moves_to_silent_cgroups_that_are_gone_are_no_loss_of_the_target,
    unreported_moves_of_the_target_are_a_loss,
}

const CANARY: i32 = 452;

fn run(steps: impl IntoIterator<Item = String>) {
    let finished = Running::start(&mut ground_truth(steps)).finish();
    assert!(finished.status.success(), "the fixture ends well: {finished:?}");
}

/// How often a native call is recorded in a cgroup.
fn count(recording: &Recording, cgroup: &Cgroup, number: i32) -> u64 {
    let found = calls(recording, cgroup.name());
    found.get(&(X86_64, number)).copied().flatten().unwrap_or_default()
}

/// The one departure.
fn departure(outcome: &Outcome) -> Departure {
    let recording = outcome.recording();
    let [departure] = recording.departures.as_slice() else {
        panic!("one departure: {:?}", recording.departures)
    };
    departure.clone()
}

fn a_process_that_leaves_the_target_is_followed() {
    let (target, elsewhere) = (Cgroup::new("left"), Cgroup::new("elsewhere"));
    let tracing = Tracer::new().cgroup(&target).start();
    run([target.hop(), "x86_64:getpid*5".into(), elsewhere.hop(), format!("x86_64:{CANARY}*3")]);
    run([elsewhere.hop(), "x86_64:pivot_root".into()]);
    let outcome = tracing.stop().exits(0);
    let recording = outcome.recording();
    assert_eq!(count(&recording, &target, 39), 5);
    assert_eq!(count(&recording, &target, CANARY), 3, "what it did elsewhere is the target's");
    assert_eq!(count(&recording, &target, 231), 1, "its end as well");
    assert_eq!(count(&recording, &target, 155), 0, "what others do there is not");
    assert!(recording.cgroups.iter().all(|cgroup| cgroup.path == target.name()));
    let departure = departure(&outcome);
    assert!(departure.followed, "{departure:?}");
    assert_eq!((departure.from.as_str(), departure.to.as_str()), (target.name(), elsewhere.name()));
    assert_eq!(departure.processes, 1);
}

fn children_of_a_process_that_left_are_followed() {
    let (target, elsewhere) = (Cgroup::new("parents"), Cgroup::new("nursery"));
    let tracing = Tracer::new().cgroup(&target).start();
    let fork = [
        "fork:3",
        "[",
        "x86_64:getpid*10",
        "fork:2",
        "[",
        "x86_64:getuid*5",
        "]",
        "wait",
        "]",
        "wait",
    ];
    let steps = [target.hop(), elsewhere.hop()].into_iter().chain(fork.map(str::to_owned));
    run(steps);
    let recording = tracing.stop().exits(0).recording();
    assert_eq!(count(&recording, &target, 39), 30, "of three children");
    assert_eq!(count(&recording, &target, 102), 30, "of six grandchildren");
}

fn a_process_that_leaves_for_a_watched_neighbour_is_followed() {
    // What is watched is the cgroup above, so that the neighbour's calls are seen as well.
    let above = Cgroup::new("above");
    let (target, neighbour) = (above.child("target"), above.child("neighbour"));
    let tracing = Tracer::new().cgroup(&target).start();
    run([neighbour.hop(), "x86_64:pivot_root".into()]);
    run([target.hop(), neighbour.hop(), format!("x86_64:{CANARY}*2")]);
    run([neighbour.hop(), "x86_64:mount".into()]);
    let recording = tracing.stop().exits(0).recording();
    assert_eq!(count(&recording, &target, CANARY), 2);
    for number in [155, 165] {
        assert_eq!(count(&recording, &target, number), 0, "the neighbour's own call {number}");
    }
    drop((target, neighbour));
}

fn a_process_that_somebody_else_moves_is_followed() {
    let (target, elsewhere) = (Cgroup::new("moved"), Cgroup::new("away"));
    let tracing = Tracer::new().cgroup(&target).start();
    let steps = [target.hop(), "say:here".into(), "barrier".into(), format!("x86_64:{CANARY}")];
    let mut running = Running::start(&mut ground_truth(steps));
    running.wait_for_line("here");
    fs::write(elsewhere.processes_file(), running.id().to_string()).expect("it is moved");
    assert!(running.finish().status.success(), "the fixture ends well");
    let outcome = tracing.stop().exits(0);
    assert_eq!(count(&outcome.recording(), &target, CANARY), 1);
    assert!(departure(&outcome).followed);
}

fn a_process_that_comes_back_is_counted_once() {
    let (target, elsewhere) = (Cgroup::new("home"), Cgroup::new("trip"));
    let tracing = Tracer::new().cgroup(&target).start();
    let steps = [
        target.hop(),
        elsewhere.hop(),
        "x86_64:getpid*7".into(),
        target.hop(),
        "x86_64:getpid*4".into(),
        elsewhere.hop(),
        "x86_64:getpid*2".into(),
    ];
    run(steps);
    let recording = tracing.stop().exits(0).recording();
    assert_eq!(count(&recording, &target, 39), 13);
}

fn a_process_that_leaves_a_target_which_was_awaited_is_followed() {
    let (above, elsewhere) = (Cgroup::new("awaited"), Cgroup::new("beyond"));
    let name = format!("{}/target", above.name());
    let tracing = Tracer::new().args(["--wait", "--cgroup", &name]).start();
    let target = above.child("target");
    // Once it has made a call there, tracer learns of the cgroup, and then whom to follow.
    let steps = [
        target.hop(),
        "x86_64:getpid".into(),
        "say:here".into(),
        "barrier".into(),
        elsewhere.hop(),
        format!("x86_64:{CANARY}"),
    ];
    let mut running = Running::start(&mut ground_truth(steps));
    running.wait_for_line("here");
    tracing.wait_until_idle();
    assert!(running.finish().status.success(), "the fixture ends well");
    let outcome = tracing.stop().exits(0);
    assert_eq!(count(&outcome.recording(), &target, CANARY), 1);
    assert!(departure(&outcome).followed);
    drop(target);
}

fn what_left_and_still_runs_when_the_command_ends_is_cut_off() {
    let elsewhere = Cgroup::new("survivor");
    let (program, hop) = (tests::GROUND_TRUTH, elsewhere.hop());
    let script = format!("{program} '{hop}' pause </dev/null >/dev/null 2>&1 &");
    let words = ["sh", "-c", &script];
    let outcome = Tracer::new().command(words).run().exits(3).says(&["still ran"]);
    assert_eq!(outcome.recording().losses.cut_off, 1);
}

fn a_command_that_leaves_its_cgroup_runs_under_its_profile() {
    let elsewhere = Cgroup::new("session");
    let words = [
        tests::GROUND_TRUTH.to_owned(),
        elsewhere.hop(),
        format!("x86_64:{CANARY}"),
        "x86_64:unshare".into(),
    ];
    let outcome = Tracer::new().command(words).run().exits(0);
    let allowed = outcome.allowed();
    for name in ["fchmodat2", "unshare"] {
        assert!(allowed.iter().any(|one| one == name), "{name} is allowed: {allowed:?}");
    }
}

/// A process that waits in the cgroup.
fn late_in(cgroup: &Cgroup) -> Running {
    let steps = [cgroup.hop(), "say:here".into(), "barrier".into(), "x86_64:getuid".into()];
    let mut running = Running::start(&mut ground_truth(steps));
    running.wait_for_line("here");
    running
}

fn is_populated(cgroup: &Cgroup) -> bool {
    let events = fs::read_to_string(cgroup.directory().join("cgroup.events")).unwrap_or_default();
    events.lines().any(|line| line == "populated 1")
}

fn a_late_process_that_leaves_and_comes_back_is_no_start() {
    let (target, elsewhere) = (Cgroup::new("returning"), Cgroup::new("outing"));
    let late = late_in(&target);
    let tracing = Tracer::new().cgroup(&target).start();
    for _ in 0..3 {
        fs::write(elsewhere.processes_file(), late.id().to_string()).expect("it leaves");
        wait_until("the target is empty", BOUND, || !is_populated(&target));
        tracing.wait_until_idle();
        fs::write(target.processes_file(), late.id().to_string()).expect("it comes back");
        wait_until("the target is populated", BOUND, || is_populated(&target));
        tracing.wait_until_idle();
    }
    assert!(late.finish().status.success(), "the fixture ends well");
    let outcome = tracing.stop().exits(3).says(&["late start"]);
    assert_eq!(outcome.recording().losses.late_start, 1);
}

fn an_older_process_that_is_moved_in_is_no_start() {
    let (target, elsewhere) = (Cgroup::new("replaced"), Cgroup::new("older"));
    let (late, older) = (late_in(&target), late_in(&elsewhere));
    let tracing = Tracer::new().cgroup(&target).start();
    assert!(late.finish().status.success(), "the fixture ends well");
    target.wait_until_empty();
    tracing.wait_until_idle();
    fs::write(target.processes_file(), older.id().to_string()).expect("it is moved in");
    tracing.wait_until_idle();
    assert!(older.finish().status.success(), "the fixture ends well");
    tracing.stop().exits(3).says(&["late start"]);
}

/// More moves than the kernel side keeps for a tracer that does not take them.
const MOVES: usize = 20_000;

/// Records `target`, and something that may appear anywhere.
fn record_everywhere(target: &Cgroup) -> Tracing {
    let unknown = "5eed".repeat(16);
    Tracer::new().cgroup(target).args(["--wait", "--cgroup", &unknown]).start()
}

fn move_between(process: &Running, cgroups: [&Cgroup; 2], times: usize) {
    let id = process.id().to_string();
    for at in 1..=times {
        fs::write(cgroups[at % 2].processes_file(), &id).expect("it is moved");
    }
}

/// Lets the tracer go on, makes a call in the target, and ends the recording. A process that enters
/// the target before the tracer took what the kernel side keeps would be one more unreported move.
fn gone_on(tracing: Tracing, target: &Cgroup) -> Outcome {
    tracing.resume();
    run([target.hop(), format!("x86_64:{CANARY}")]);
    tracing.stop()
}

/// Lets a process be moved between two cgroups more often than the kernel side can report.
fn moved_unseen(target: &Cgroup, between: [&Cgroup; 2]) -> Outcome {
    let tracing = record_everywhere(target);
    let moved = late_in(between[0]);
    tracing.suspend();
    move_between(&moved, between, MOVES);
    assert!(moved.finish().status.success(), "the fixture ends well");
    gone_on(tracing, target)
}

fn unreported_moves_of_others_are_no_loss_of_the_target() {
    let [target, here, there] = ["quiet", "restless", "restless-too"].map(Cgroup::new);
    let recording = moved_unseen(&target, [&here, &there]).exits(0).recording();
    assert_eq!(recording.losses.left, 0);
    assert_eq!(count(&recording, &target, CANARY), 1);
}

fn unreported_moves_to_silent_cgroups_that_are_gone_are_no_loss_of_the_target() {
    let [target, here] = ["silent-target", "silent-here"].map(Cgroup::new);
    let tracing = record_everywhere(&target);
    let moved = late_in(&here);
    tracing.suspend();
    // Nobody makes a call in these: one is seen by moves that are reported, one by lost ones alone.
    let [seen, unseen] = ["silent-seen", "silent-unseen"].map(Cgroup::new);
    move_between(&moved, [&here, &seen], MOVES);
    move_between(&moved, [&here, &unseen], 100);
    assert!(moved.finish().status.success(), "the fixture ends well");
    drop((seen, unseen));
    let recording = gone_on(tracing, &target).exits(0).recording();
    assert_eq!(recording.losses.left, 0);
    assert_eq!(count(&recording, &target, CANARY), 1);
}

fn unreported_moves_of_the_target_are_a_loss() {
    let [target, there] = ["restless-target", "restless-elsewhere"].map(Cgroup::new);
    let outcome = moved_unseen(&target, [&target, &there]).exits(3);
    let outcome = outcome.says(&["processes that left the target and could not be followed"]);
    let left = outcome.recording().losses.left;
    assert!((1..MOVES as u64).contains(&left), "those that were not reported to it: {left}");
}
