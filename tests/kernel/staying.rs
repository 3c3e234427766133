//! A recording that ends by itself, in a tracer that stays until it is stopped; and snapshots at
//! intervals.

use std::fs;

use rustix::process::Signal;
use tests::{Cgroup, Running, Tracer, call_in, ground_truth, wait_until};

tests::trials! {
    the_files_are_written_and_the_status_comes_with_the_signal,
    a_recording_of_nothing_stays_as_well,
    a_signal_ends_a_recording_at_once,
    snapshots_are_written_at_intervals,
    a_snapshot_of_nothing_is_reported_once,
    what_cannot_be_meant_is_refused,
}

const STAYS: &str = "waiting for a signal to exit (--stay)";

fn the_files_are_written_and_the_status_comes_with_the_signal() {
    for late in [false, true] {
        let cgroup = Cgroup::new("stays");
        let steps = [cgroup.hop(), "say:here".into(), "pause".into()];
        let running = late.then(|| {
            let mut running = Running::start(&mut ground_truth(steps));
            running.wait_for_line("here");
            running
        });
        let tracer = Tracer::new().cgroup(&cgroup).args(["--duration", "3", "--stay", "--wait"]);
        let mut tracing = tracer.start();
        call_in(&cgroup, "getpid");
        tracing.wait_for_message(STAYS);
        assert!(tracing.directory().join("profile.json").exists(), "the files are there");
        // Nothing is left to be written.
        tracing.process.signal(Signal::USR1);
        tracing.wait_until_idle();
        assert!(tracing.process.is_running(), "it stays");
        let outcome = tracing.stop().exits(if late { 3 } else { 0 });
        outcome.says(&["stopped: the given time is up"]);
        if let Some(running) = running {
            running.signal(Signal::KILL);
            running.finish();
        }
    }
}

fn a_recording_of_nothing_stays_as_well() {
    let cgroup = Cgroup::new("stays-in-vain");
    let mut tracing =
        Tracer::new().cgroup(&cgroup).args(["--duration", "1", "--stay", "--wait"]).start();
    tracing.wait_for_message(STAYS);
    assert!(tracing.process.is_running(), "it stays");
    tracing.stop().exits(1).says(&["no call of a workload was recorded"]).writes_nothing();
}

fn a_signal_ends_a_recording_at_once() {
    let cgroup = Cgroup::new("stays-not");
    let tracing = Tracer::new().cgroup(&cgroup).args(["--stay"]).start();
    call_in(&cgroup, "getpid");
    let outcome = tracing.stop().exits(0);
    assert!(!outcome.stderr.contains(STAYS), "{}", outcome.stderr);
}

fn snapshots_are_written_at_intervals() {
    let cgroup = Cgroup::new("intervals");
    let tracing = Tracer::new().cgroup(&cgroup).args(["--snapshot-every", "1s"]).start();
    let profile = tracing.directory().join("profile.json");
    for (number, name) in [(452, "\"fchmodat2\""), (451, "\"cachestat\"")] {
        call_in(&cgroup, number);
        wait_until("the call is in a snapshot", tests::BOUND, || {
            fs::read_to_string(&profile).is_ok_and(|text| text.contains(name))
        });
    }
    let outcome = tracing.stop().exits(0).says(&["snapshot: ", "complete: nothing was lost"]);
    assert_eq!(outcome.recording().losses.unfinished, 0);
}

fn a_snapshot_of_nothing_is_reported_once() {
    let cgroup = Cgroup::new("intervals-of-nothing");
    let tracing = Tracer::new().cgroup(&cgroup).args(["--snapshot-every", "1"]);
    let tracing = tracing.args(["--duration", "4", "--wait"]).start();
    let outcome = tracing.finish().exits(1);
    let count = outcome.stderr.matches("no snapshot was written").count();
    assert_eq!(count, 1, "{}", outcome.stderr);
}

fn what_cannot_be_meant_is_refused() {
    let refused = |arguments: &[&str], parts: &[&str]| {
        let outcome = Tracer::new().args(arguments).command(["true"]).run();
        outcome.exits(2).says(parts).writes_nothing();
    };
    refused(&["--stay"], &["--stay", "cannot be used with"]);
    refused(&["--snapshot-every", "0.5"], &["once a second at most", "1s"]);
    refused(&["--snapshot-every", "-1s"], &["below zero"]);
    refused(&["--snapshot-every", "often"], &["--snapshot-every", "like 90s"]);
    let cgroup = Cgroup::new("intervals-printed");
    let printed = Tracer::new().out("-").cgroup(&cgroup).args(["--snapshot-every", "1s"]);
    printed.run().exits(2).says(&["--snapshot-every writes files", "hint: write to a file"]);
}
