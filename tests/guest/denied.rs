//! Calls that a filter refuses: each is recorded as denied, and nothing else is.

use std::collections::BTreeMap;

use tests::{Cgroup, Outcome, Running, Tracer, ground_truth};
use tracer::recording::{DenyOutcome, Phase, Recording};
use tracer::syscalls::Abi::{self, I386, X86_64};

use crate::truth::{all_calls, listed};

/// The denied calls of a recording, with how often each was refused.
pub type Denied = BTreeMap<(Abi, i32, DenyOutcome), u64>;

/// The denied calls of a recording.
pub fn denied(recording: &Recording) -> Denied {
    let calls = recording.cgroups.iter().flat_map(|cgroup| &cgroup.calls);
    let refused = calls.filter_map(|call| Some((call, call.outcome?)));
    refused.map(|(call, how)| ((call.abi, call.number, how), call.count.unwrap_or(0))).collect()
}

fn record(options: &[&str], before: &[&str], steps: &[&str]) -> Outcome {
    let cgroup = Cgroup::new("denied");
    let tracing = Tracer::new().cgroup(&cgroup).args(options).start();
    let hop = cgroup.hop();
    Running::start(&mut ground_truth([before, &[hop.as_str()], steps].concat())).finish();
    tracing.stop()
}

/// See the module.
pub fn check() -> Result<(), String> {
    a_filter_is_a_loss_unless_it_is_watched();
    what_is_refused_is_recorded();
    nothing_else_is_denied();
    threads_that_are_killed_are_seen_though_their_processes_end_at_once();
    what_skipped_entries_make_look_denied_is_doubtful();
    Ok(())
}

fn a_filter_is_a_loss_unless_it_is_watched() {
    let outcome = record(&[], &["deny:getuid"], &["x86_64:getuid*2", "x86_64:getpid"]).exits(3);
    assert_eq!(outcome.recording().losses.filtered, 1, "its filter may deny");
    record(&[], &["allow-all"], &["x86_64:getuid*2", "x86_64:getpid"]).exits(0);
}

fn what_is_refused_is_recorded() {
    let outcome =
        record(&["--denied"], &["deny:getuid"], &["x86_64:getuid*2", "x86_64:getpid"]).exits(0);
    let recording = outcome.recording();
    let expected = Denied::from([((X86_64, 102, DenyOutcome::Errno(38)), 2)]);
    assert_eq!(denied(&recording), expected, "left: recorded, right: refused");
    let calls = recording.cgroups.iter().flat_map(|cgroup| &cgroup.calls);
    let made: Vec<i32> =
        calls.filter(|call| call.phase != Phase::Denied).map(|call| call.number).collect();
    assert_eq!(made, [39, 231], "what is not refused is no denial");

    let steps = ["thread", "[", "native-only", "i386:getpid", "]", "x86_64:getpid"];
    let outcome = record(&["--denied"], &[], &steps).exits(0);
    let expected = Denied::from([((I386, 20, DenyOutcome::ThreadKilled), 1)]);
    assert_eq!(denied(&outcome.recording()), expected, "a thread that is killed alone");
}

fn nothing_else_is_denied() {
    let block =
        ["fork:4", "[", "x86_64:getppid*5000", "thread", "[", "x86_64:gettid*3", "]", "]", "wait"];
    let outcome = record(&["--denied"], &[], &block).exits(0);
    let recording = outcome.recording();
    assert_eq!(denied(&recording), Denied::new(), "no filter, nothing denied");
    let made = [(56, 4), (57, 4), (60, 4), (61, 5), (110, 20_000), (186, 12), (231, 5)];
    let made = made.map(|(number, count)| (X86_64, number, count));
    assert_eq!(all_calls(&recording), listed(&made), "left: recorded, right: made");
    // Calls that fail by themselves, under a filter that allows them.
    let steps = ["fork:4", "[", "x86_64:mkdir*2000", "x86_64:getppid*1000", "]", "wait"];
    let outcome = record(&["--denied"], &["allow-all"], &steps).exits(0);
    assert_eq!(denied(&outcome.recording()), Denied::new(), "a filter that allows denies nothing");
}

/// Whoever waits for a thread may end the process before the thread has ended whole.
fn threads_that_are_killed_are_seen_though_their_processes_end_at_once() {
    const TIMES: usize = 60;
    let once = ["fork:1", "[", "thread", "[", "native-only", "i386:getpid", "]", "]"];
    let mut steps: Vec<&str> = once.iter().copied().cycle().take(once.len() * TIMES).collect();
    steps.push("wait");
    let outcome = record(&["--denied"], &[], &steps).exits(0);
    let expected = Denied::from([((I386, 20, DenyOutcome::ThreadKilled), TIMES as u64)]);
    assert_eq!(denied(&outcome.recording()), expected, "left: recorded, right: killed");
}

/// On raw tracepoints, which Linux 7.2 and newer preempt, entries are skipped: a call whose exit
/// alone was seen looks refused.
fn what_skipped_entries_make_look_denied_is_doubtful() {
    let block = ["fork:16", "[", "x86_64:getppid*20000", "]", "wait"];
    let outcome = record(&["--denied", "--attach", "raw"], &[], &block);
    let recording = outcome.recording();
    let skipped = recording.losses.recursion_misses;
    outcome.exits(if skipped > 0 { 3 } else { 0 });
    let calls = recording.cgroups.iter().flat_map(|cgroup| &cgroup.calls);
    let sure: Vec<i32> = calls
        .filter(|call| call.phase == Phase::Denied && !call.doubtful)
        .map(|call| call.number)
        .collect();
    assert_eq!(
        sure,
        Vec::<i32>::new(),
        "nothing was denied; runs that the kernel skipped: {skipped}"
    );
}
