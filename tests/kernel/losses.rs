//! What could not be recorded is counted, said, and makes the result incomplete.

use tests::{Cgroup, GROUND_TRUTH, Outcome, Running, Stop, Tracer, ground_truth, require};
use tests::{calls, tool};
use tracer::syscalls::Abi::X86_64;

tests::trials! {
    more_numbers_than_the_kernel_table_holds_are_a_counted_loss,
    a_number_that_a_newer_kernel_may_know_is_a_loss,
    a_filter_that_denies_hides_calls_and_that_is_said,
    a_filter_that_the_workload_loads_itself_is_its_own,
    a_filter_that_allows_everything_hides_nothing,
    a_storm_of_forks_loses_nothing,
    the_kernel_reports_no_missed_run,
    a_loss_that_leaves_nothing_is_reported_and_the_evidence_written,
}

/// The result is incomplete, and the file and the messages say why.
fn check_incomplete(outcome: Outcome) -> Outcome {
    let outcome = outcome.exits(3);
    let recording = outcome.recording();
    assert!(!recording.complete, "the recording says that it is incomplete");
    assert!(!recording.incomplete_reasons.is_empty(), "the recording says why");
    for reason in &recording.incomplete_reasons {
        assert!(outcome.stderr.contains(reason), "{reason:?} is said: {}", outcome.stderr);
    }
    outcome
}

fn more_numbers_than_the_kernel_table_holds_are_a_counted_loss() {
    let cgroup = Cgroup::new("flood");
    let tracing = Tracer::new().cgroup(&cgroup).start();
    let steps = [cgroup.hop(), "sweep:1000..91000".into(), "x86_64:getpid".into()];
    assert!(Running::start(&mut ground_truth(steps)).finish().status.success());
    let outcome = check_incomplete(tracing.stop());
    let recording = outcome.recording();
    let found = calls(&recording, cgroup.name());
    let recorded = found.keys().filter(|(_, number)| *number >= 1000).count() as u64;
    let lost = recording.losses.evidence_full;
    assert!(lost > 0, "the table was full: {:?}", recording.losses);
    assert_eq!(recording.losses.table_full, 0, "{:?}", recording.losses);
    let notes = outcome.stderr.lines().filter(|line| line.starts_with("note: "));
    let notes: Vec<&str> = notes.collect();
    assert_eq!(notes.len(), 1, "{}", outcome.stderr);
    let numbers = "note: numbers without a name: 1000 (x86_64), 1001 (x86_64), 1002 (x86_64) and ";
    assert!(notes[0].starts_with(numbers) && notes[0].contains(" more numbers: "), "{notes:?}");
    assert!(outcome.stderr.contains("most of which are no syscalls"), "the remedy fits");
    assert_eq!(recorded + lost, 90_000, "every call is recorded or counted as lost");
    assert!(found.contains_key(&(X86_64, 39)), "native calls are recorded all the same");
}

fn a_number_that_a_newer_kernel_may_know_is_a_loss() {
    let outcome = Tracer::new().command([GROUND_TRUTH, "raw:500*2", "x86_64:getpid"]).run();
    let outcome = check_incomplete(outcome);
    assert_eq!(outcome.recording().losses.unnamed, 1, "one call has no name");
    assert!(outcome.stderr.contains("500"), "the number is said: {}", outcome.stderr);
}

fn a_filter_that_denies_hides_calls_and_that_is_said() {
    let cgroup = Cgroup::new("filtered");
    let tracing = Tracer::new().cgroup(&cgroup).start();
    let steps = ["deny:getuid", &cgroup.hop(), "x86_64:getuid", "x86_64:getpid"];
    assert!(Running::start(&mut ground_truth(steps)).finish().status.success());
    let outcome = check_incomplete(tracing.stop());
    let recording = outcome.recording();
    assert_eq!(recording.losses.filtered, 1, "one cgroup is under such a filter");
    let denied = recording.cgroups.iter().flat_map(|cgroup| &cgroup.calls);
    assert_eq!(denied.filter(|call| call.number == 102).count(), 0, "the kernel does not show it");
}

fn a_filter_that_the_workload_loads_itself_is_its_own() {
    let steps = [GROUND_TRUTH, "x86_64:getpid", "deny:getuid", "x86_64:getuid"];
    let outcome = Tracer::new().command(steps).run().exits(0);
    assert_eq!(outcome.recording().losses.filtered, 0);
}

fn a_filter_that_allows_everything_hides_nothing() {
    let steps = [GROUND_TRUTH, "allow-all", "x86_64:getuid"];
    let outcome = Tracer::new().command(steps).run().exits(0);
    assert_eq!(outcome.recording().losses.filtered, 0);
}

fn a_storm_of_forks_loses_nothing() {
    let cgroup = Cgroup::new("storm");
    let tracing = Tracer::new().cgroup(&cgroup).start();
    let steps = ["fork:40", "[", "fork:50", "[", "x86_64:getppid*10", "]", "wait", "]", "wait"];
    let hop = cgroup.hop();
    let mut command = ground_truth([&[hop.as_str()][..], &steps].concat());
    assert!(Running::start(&mut command).finish().status.success());
    let outcome = tracing.stop().exits(0);
    let found = calls(&outcome.recording(), cgroup.name());
    assert_eq!(found.get(&(X86_64, 110)), Some(&Some(40 * 50 * 10)), "getppid: {found:?}");
    assert_eq!(found.get(&(X86_64, 57)), Some(&Some(40 + 40 * 50)), "fork: {found:?}");
    assert_eq!(found.get(&(X86_64, 231)), Some(&Some(1 + 40 + 40 * 50)), "exit_group: {found:?}");
}

fn the_kernel_reports_no_missed_run() -> Result<(), Stop> {
    let stress = require!(tool("sh"));
    let script = "i=0; while [ $i -lt 200 ]; do /bin/true & i=$((i+1)); done; wait";
    let stress = stress.to_str().expect("the path is text");
    let outcome = Tracer::new().command([stress, "-c", script]).run().exits(0);
    let losses = outcome.recording().losses;
    assert_eq!((losses.recursion_misses, losses.table_full), (0, 0), "{losses:?}");
    Ok(())
}

fn a_loss_that_leaves_nothing_is_reported_and_the_evidence_written() {
    let cgroup = Cgroup::new("nothing");
    // Without the kernel's types 32-bit calls are lost, and this process makes no others.
    let tracing = Tracer::new().cgroup(&cgroup).args(["--no-btf"]).start();
    let steps = [cgroup.hop(), "i386:getpid*3".into(), "i386:exit_group".into()];
    assert!(Running::start(&mut ground_truth(steps)).finish().status.success());
    let outcome = tracing.stop().exits(3).says(&["32-bit calls", ": 4", "no profile was written"]);
    let recording = outcome.recording();
    assert_eq!(recording.losses.compat, 4);
    assert!(!recording.complete);
    assert!(!outcome.directory().join("profile.json").exists(), "there is nothing to allow");
}
