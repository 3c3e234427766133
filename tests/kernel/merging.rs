//! Recordings that were made here, merged: a late start and a start of the same thing.

use std::fs;
use std::path::Path;

use tests::{Cgroup, Outcome, Running, Tracer, ground_truth};

tests::trials! {
    a_late_recording_and_a_start_are_complete_together,
    a_start_of_another_cgroup_does_not_help,
    a_profile_alone_goes_to_standard_output,
    a_recording_is_read_from_standard_input,
    inferred_calls_are_added_while_recording_too,
}

const GETPGRP: &str = "x86_64:getpgrp";
const GETSID: &str = "x86_64:getsid";

/// A recording of the cgroup that begins when a process is in it already.
fn record_late(cgroup: &Cgroup) -> Outcome {
    let steps = [cgroup.hop(), "say:here".into(), "barrier".into(), GETPGRP.into()];
    let mut running = Running::start(&mut ground_truth(steps));
    running.wait_for_line("here");
    let tracing = Tracer::new().cgroup(cgroup).start();
    assert!(running.finish().status.success(), "the fixture ends well");
    let outcome = tracing.stop().exits(3);
    cgroup.wait_until_empty();
    outcome
}

/// A recording of the cgroup from the start of a process in it.
fn record_start(cgroup: &Cgroup) -> Outcome {
    let tracing = Tracer::new().cgroup(cgroup).start();
    let finished = Running::start(&mut ground_truth([cgroup.hop(), GETSID.into()])).finish();
    assert!(finished.status.success(), "the fixture ends well: {finished:?}");
    tracing.stop().exits(0)
}

fn file(outcome: &Outcome) -> String {
    let path = outcome.directory().join("profile.recording.json");
    path.to_str().expect("the path is text").to_owned()
}

fn allows(outcome: &Outcome, name: &str) -> bool {
    outcome.allowed().iter().any(|allowed| allowed == name)
}

fn a_late_recording_and_a_start_are_complete_together() {
    let cgroup = Cgroup::new("merged");
    let (late, start) = (record_late(&cgroup), record_start(&cgroup));
    assert!(allows(&late, "getpgrp") && !allows(&late, "getsid"), "what came later is seen");
    assert!(allows(&start, "getsid") && !allows(&start, "getpgrp"), "and here the start");

    let alone = Tracer::new().args(["profile", &file(&late)]).run().exits(3);
    let alone = alone.says(&["late start", cgroup.name(), "hint:"]);
    assert!(!alone.recording().complete);
    let accepted = ["profile", &file(&late), "--accept-late-start"];
    let accepted = Tracer::new().args(accepted).run().exits(0);
    let message = format!("complete as you accepted: the start of {} was not seen", cgroup.name());
    let accepted = accepted.says(&[&message]);
    assert!(!accepted.stderr.contains("nothing was lost"), "{}", accepted.stderr);

    let both = Tracer::new().args(["profile", &file(&late), &file(&start)]).run().exits(0);
    let both = both.says(&["merged 2 recordings", "complete: nothing was lost"]);
    assert!(both.recording().complete, "{:?}", both.recording());
    assert!(allows(&both, "getpgrp") && allows(&both, "getsid"), "the union of both");
    assert_eq!(both.recording().cgroups.len(), 2);
}

fn a_start_of_another_cgroup_does_not_help() {
    let (cgroup, other) = (Cgroup::new("mine"), Cgroup::new("another"));
    let (late, start) = (record_late(&cgroup), record_start(&other));
    let merged = Tracer::new().args(["profile", &file(&late), &file(&start)]).run().exits(3);
    assert_eq!(merged.recording().late_starts, [cgroup.name()]);
}

fn a_profile_alone_goes_to_standard_output() {
    let cgroup = Cgroup::new("printed");
    let start = record_start(&cgroup);
    let printed = Tracer::new().out("-").args(["profile", "--quiet", &file(&start)]).run().exits(0);
    let written = fs::read_to_string(start.directory().join("profile.json")).expect("the profile");
    assert_eq!(printed.stdout, written, "the same options, the same bytes");
    assert_eq!(printed.stderr, "");
    assert!(!Path::new(&file(&printed)).exists());
    printed.writes_nothing();
}

fn inferred_calls_are_added_while_recording_too() {
    let inferred = ["--alternatives", "--error-paths", "--runtime", "none"];
    let with = Tracer::new().args(inferred).command(["/bin/true"]).run().exits(0);
    let with = with.says(&["of those added, inferred by"]);
    let without = Tracer::new().args(&inferred[2..]).command(["/bin/true"]).run().exits(0);
    for name in ["openat2", "tgkill"] {
        assert!(allows(&with, name) && !allows(&without, name), "{name}");
    }
    let derived = with.recording().derived.expect("it says what was derived");
    let reason =
        derived.added.iter().find(|added| added.name == "tgkill").map(|added| &added.reason);
    assert!(reason.is_some_and(|reason| reason.starts_with("inferred")), "{reason:?}");
}

fn a_recording_is_read_from_standard_input() {
    let cgroup = Cgroup::new("standard-input");
    let start = record_start(&cgroup);
    let from = |file: &str| format!(r#"exec "$0" "$@" < {file}"#);
    let derive =
        |file: &str| Tracer::new().launcher(["sh", "-c", &from(file)]).args(["profile", "-"]).run();
    let derived = derive(&file(&start)).exits(0);
    assert_eq!(derived.profile(), start.profile());
    derive("/dev/null").exits(1).says(&["the file is empty"]).writes_nothing();
}
