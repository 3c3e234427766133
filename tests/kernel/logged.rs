//! `tracer verify` and calls that a profile only logs: the kernel's audit records show them.

use std::process::Command;

use serde_json::Value;
use tests::{Cgroup, GROUND_TRUTH, Running, Tracer, ground_truth, temporary_directory};

use crate::verify::{profile, verify, watch, write};

tests::trials! {
    a_logged_call_is_reported_by_the_audit_log,
    without_the_audit_log_a_profile_that_logs_is_incomplete,
    records_that_find_no_room_are_counted_and_make_it_incomplete,
    records_without_end_of_others_do_not_keep_it,
}

/// `SECCOMP_RET_LOG`
const LOG: u32 = 0x7ffc_0000;
/// More records than the socket has room for.
const MANY: u32 = 20_000;

fn a_logged_call_is_reported_by_the_audit_log() {
    // Also of a process that has ended by the time its record is read.
    let steps = ["fork:20", "[", "x86_64:getpriority*5", "]", "wait", "x86_64:getpid"];
    verify(&[], &profile("SCMP_ACT_LOG", &["getpid"]), &steps)
        .exits(4)
        .says(&["getpriority = logged  100 times  ground_truth"]);
    verify(&[], &profile("SCMP_ACT_LOG", &["getpid"]), &["x86_64:getpid"]).exits(0);
}

fn without_the_audit_log_a_profile_that_logs_is_incomplete() {
    let directory = temporary_directory();
    let run = |default: &str| {
        let path = write(directory.path(), &profile(default, &["getpid"]));
        let without = ["setpriv", "--bounding-set=-audit_read", "--inh-caps=-all"];
        Tracer::new()
            .launcher(without)
            .without_out()
            .args(["verify", &path])
            .command([GROUND_TRUTH, "x86_64:getpid"])
            .run()
    };
    run("SCMP_ACT_LOG")
        .exits(3)
        .says(&["incomplete: calls that the profile logs", "CAP_AUDIT_READ"]);
    run("SCMP_ACT_ERRNO").exits(0);
}

fn records_that_find_no_room_are_counted_and_make_it_incomplete() {
    let directory = temporary_directory();
    for (default, code) in [("SCMP_ACT_LOG", 3), ("SCMP_ACT_ERRNO", 0)] {
        let path = write(directory.path(), &profile(default, &["getpid"]));
        let cgroup = Cgroup::new("lost");
        let tracing = watch(&cgroup, &path, &["--json"]);
        let steps = [&cgroup.hop(), "allow-all", "x86_64:getpid"];
        Running::start(&mut ground_truth(steps)).finish();
        tracing.suspend();
        let finished = Running::start(&mut ground_truth(logged(MANY))).finish();
        assert!(finished.status.success(), "{finished:?}");
        tracing.go_on();
        let outcome = tracing.stop().exits(code);
        let result: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
        let reasons = result["incomplete_reasons"].as_array().expect("a list");
        if code == 0 {
            assert!(reasons.is_empty() && !outcome.stderr.contains("audit"), "{}", outcome.stderr);
            continue;
        }
        let [reason] = &reasons[..] else { panic!("{reasons:?}") };
        let reason = reason.as_str().expect("text");
        assert!(outcome.stderr.contains(&format!("\nincomplete: {reason}\n")), "{reason}");
        let lost = reason.strip_prefix("calls that the profile logs may be missing: ");
        let lost = lost
            .and_then(|lost| lost.strip_suffix(" audit records were lost: there were too many"));
        let lost: u32 = lost.expect("what was lost").parse().expect("a number");
        assert!(lost > 0, "{reason}");
    }
}

fn records_without_end_of_others_do_not_keep_it() {
    let directory = temporary_directory();
    let path = write(directory.path(), &profile("SCMP_ACT_LOG", &["getpid"]));
    let cgroup = Cgroup::new("busy");
    let tracing = watch(&cgroup, &path, &[]);
    // One after the other, so that nothing is lost.
    let mut others = Command::new("sh");
    others.args(["-c", "while \"$@\"; do :; done", "sh", GROUND_TRUTH]).args(logged(1));
    let _others = Running::start(&mut others);
    let steps = [&cgroup.hop(), "allow-all", "x86_64:getpid"];
    Running::start(&mut ground_truth(steps)).finish();
    let outcome = tracing.stop().says(&["nothing was denied"]);
    assert!(!outcome.stderr.contains("came to the end"), "{}", outcome.stderr);
    // Another test may make more than there is room for.
    let lost = outcome.stderr.contains(" audit records were lost: ");
    outcome.exits(if lost { 3 } else { 0 });
}

/// The steps of a process of no target, whose calls are logged.
fn logged(calls: u32) -> [String; 2] {
    [format!("refuse:mkdir,{LOG}"), format!("x86_64:mkdir*{calls}")]
}
