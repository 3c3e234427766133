//! A target under a filter that somebody else loaded: what it denies is watched without being asked
//! for.

use tests::{Cgroup, Outcome, Running, Tracer, Tracing, ground_truth};
use tracer::recording::Phase;

tests::trials! {
    a_target_under_a_filter_has_its_denied_calls_watched,
    an_awaited_target_has_its_denied_calls_watched_from_its_first_one_on,
    a_target_without_a_filter_is_watched_the_cheap_way,
    a_command_is_watched_the_cheap_way,
}

const REFUSE_MKDIR: &str = "refuse:mkdir,327681";
const NOTE: &str = "under a seccomp filter";

/// A process in the cgroup that waits until its standard input ends, and then makes the steps.
fn resident(cgroup: &Cgroup, before: &[&str], after: &[&str]) -> Running {
    let mut steps = vec![cgroup.hop()];
    let words = before.iter().chain(&["say:there", "barrier"]).chain(after);
    steps.extend(words.map(|word| (*word).to_owned()));
    let mut process = Running::start(&mut ground_truth(steps));
    process.wait_for_line("there");
    process
}

/// Names of the calls that were denied.
fn denied(outcome: &Outcome) -> Vec<String> {
    let recording = outcome.recording();
    let calls = recording.cgroups.into_iter().flat_map(|cgroup| cgroup.calls);
    calls.filter(|call| call.phase == Phase::Denied).filter_map(|call| call.name).collect()
}

fn finish(mut process: Running, cgroup: &Cgroup, tracing: Tracing) -> Outcome {
    process.close_stdin();
    process.finish();
    cgroup.wait_until_empty();
    tracing.wait_until_idle();
    tracing.stop()
}

fn a_target_under_a_filter_has_its_denied_calls_watched() {
    for (option, watched) in [(None, true), (Some("--no-denied"), false)] {
        let cgroup = Cgroup::new("filtered");
        let process =
            resident(&cgroup, &[REFUSE_MKDIR], &["x86_64:getpid", "x86_64:mkdir", "x86_64:mkdir"]);
        let tracing = Tracer::new().cgroup(&cgroup).args(option).start();
        let outcome = finish(process, &cgroup, tracing).exits(3);
        let losses = outcome.recording().losses;
        assert_eq!((losses.late_start, losses.filtered), (1, u64::from(!watched)), "{losses:?}");
        assert_eq!(denied(&outcome), if watched { vec!["mkdir"] } else { vec![] });
        assert!(!outcome.allowed().contains(&"mkdir".to_owned()));
        let note = format!("{} is {NOTE}", cgroup.name());
        assert_eq!(outcome.stderr.contains(&note), watched, "{}", outcome.stderr);
        assert_eq!(outcome.stderr.contains("--no-denied turns this off"), watched);
    }
}

fn an_awaited_target_has_its_denied_calls_watched_from_its_first_one_on() {
    for (options, watched) in [(&["--wait"][..], true), (&["--wait", "--no-denied"], false)] {
        let above = Cgroup::new("awaited-filter");
        let path = format!("{}/target", above.name());
        let tracing = Tracer::new().args(options).args(["--cgroup", &path]).start();
        // The filter is loaded elsewhere, so that the first call in the cgroup is a denied one.
        let cgroup = above.child("target");
        let steps = [REFUSE_MKDIR, &cgroup.hop(), "x86_64:mkdir", "x86_64:getpid"];
        Running::start(&mut ground_truth(steps)).finish();
        cgroup.wait_until_empty();
        tracing.wait_until_idle();
        let outcome = tracing.stop().exits(if watched { 0 } else { 3 });
        assert_eq!(outcome.recording().losses.filtered, u64::from(!watched));
        assert_eq!(denied(&outcome), if watched { vec!["mkdir"] } else { vec![] });
        assert_eq!(outcome.stderr.contains("may start under a seccomp filter"), watched);
        drop(cgroup);
    }
}

fn a_target_without_a_filter_is_watched_the_cheap_way() {
    let cgroup = Cgroup::new("unfiltered");
    let process = resident(&cgroup, &[], &["x86_64:getpid"]);
    let tracing = Tracer::new().cgroup(&cgroup).args(["--accept-late-start"]).start();
    let outcome = finish(process, &cgroup, tracing).exits(0);
    assert!(!outcome.stderr.contains("seccomp filter"), "{}", outcome.stderr);
    for options in [["--denied"], ["--include-denied"]] {
        let outcome = Tracer::new().args(options).args(["--no-denied"]).command(["true"]).run();
        outcome.exits(2).says(&["cannot be used with"]).writes_nothing();
    }
}

fn a_command_is_watched_the_cheap_way() {
    let outcome = Tracer::new().command(["true"]).run().exits(0);
    assert!(!outcome.stderr.contains("seccomp filter"), "{}", outcome.stderr);
}
