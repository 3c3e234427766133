//! A tracer that is started again and again, as by a DaemonSet: what it recorded before is merged,
//! and never replaced by less.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use tests::{
    Cgroup, Outcome, Running, Tracer, call_in, file_names, ground_truth, temporary_directory,
    wait_until,
};
use tracer::recording::Recording;

tests::trials! {
    a_late_recording_is_made_up_for_by_the_start_that_was_there,
    each_target_and_each_container_is_merged_with_its_own,
    other_targets_are_kept_under_numbers,
    what_cannot_be_read_is_kept_under_a_number,
    when_all_numbers_are_taken_nothing_is_replaced,
    what_a_killed_tracer_left_is_merged,
    a_snapshot_holds_what_was_there_and_the_end_counts_it_once,
    without_merging_complete_evidence_is_not_replaced_by_less,
    only_files_can_be_merged,
}

/// getpgrp and getsid: which of two recordings a call is from.
const FIRST: &str = "x86_64:getpgrp";
const SECOND: &str = "x86_64:getsid";

fn merging(out: &Path, cgroup: &Cgroup) -> Tracer {
    Tracer::new().out(out).cgroup(cgroup).args(["--merge"])
}

/// A process starts in the cgroup while it is recorded.
fn record_start(tracer: Tracer, cgroup: &Cgroup, call: &str) -> Outcome {
    let tracing = tracer.start();
    let finished = Running::start(&mut ground_truth([cgroup.hop(), call.into()])).finish();
    assert!(finished.status.success(), "the fixture ends well: {finished:?}");
    tracing.stop()
}

/// A process is there before the recording, and makes a call in it.
fn record_late(tracer: Tracer, cgroup: &Cgroup, call: &str) -> Outcome {
    let steps = [cgroup.hop(), "say:here".into(), "barrier".into(), call.into()];
    let mut running = Running::start(&mut ground_truth(steps));
    running.wait_for_line("here");
    let tracing = tracer.start();
    assert!(running.finish().status.success(), "the fixture ends well");
    let outcome = tracing.stop();
    cgroup.wait_until_empty();
    outcome
}

fn recording(path: &Path) -> Recording {
    let text = fs::read_to_string(path).expect("the recording is there");
    serde_json::from_str(&text).expect("a recording")
}

fn allows(path: &Path) -> [bool; 2] {
    let profile = fs::read_to_string(path).expect("the profile is there");
    ["\"getpgrp\"", "\"getsid\""].map(|name| profile.contains(name))
}

fn beside(out: &Path, ending: &str) -> PathBuf {
    out.with_extension(ending)
}

fn a_late_recording_is_made_up_for_by_the_start_that_was_there() {
    let directory = temporary_directory();
    let out = directory.path().join("p.json");
    let cgroup = Cgroup::new("restarts");
    record_start(merging(&out, &cgroup), &cgroup, FIRST).exits(0);
    let before = recording(&beside(&out, "recording.json"));
    for _ in 0..2 {
        let late = record_late(merging(&out, &cgroup), &cgroup, SECOND).exits(0);
        late.says(&["merged with what", "p.recording.json held", "complete: nothing was lost"]);
        assert_eq!(allows(&out), [true, true], "the union of both");
    }
    let after = recording(&beside(&out, "recording.json"));
    assert!(after.complete && after.cgroups.len() > before.cgroups.len(), "{after:?}");
    assert_eq!(after.started, before.started);
    assert_eq!(after.targets.len(), 1, "{:?}", after.targets);
    let alone = record_late(Tracer::new().cgroup(&cgroup), &cgroup, SECOND).exits(3);
    alone.says(&["late start"]);
}

fn each_target_and_each_container_is_merged_with_its_own() {
    let directory = temporary_directory();
    let many = directory.path().join("many/");
    let above = Cgroup::new("restarts-containers");
    let id = format!("{:08x}", std::process::id()) + &"0a1b2c3d".repeat(7);
    let container = above.child(&id);
    let out = directory.path().join("p.json");
    let both = |out: &Path| merging(out, &above).args(["--per-container"]);
    for out in [&out, &many] {
        record_start(both(out), &container, FIRST).exits(0);
        record_late(both(out), &container, SECOND).exits(0).says(&["merged with what"]);
    }
    let part = directory.path().join(format!("p.{id}.json"));
    for profile in [&out, &part, &many.join(format!("{id}.json"))] {
        assert_eq!(allows(profile), [true, true], "{}", profile.display());
        assert!(recording(&beside(profile, "recording.json")).complete, "{}", profile.display());
    }
}

fn other_targets_are_kept_under_numbers() {
    let directory = temporary_directory();
    let out = directory.path().join("p.json");
    let evidence = beside(&out, "recording.json");
    let [one, other] = ["restarts-one", "restarts-other"].map(Cgroup::new);
    let mut texts = Vec::new();
    for (cgroup, number) in [(&one, None), (&other, Some(1)), (&one, Some(2))] {
        let outcome = record_start(merging(&out, cgroup), cgroup, FIRST).exits(0);
        if let Some(number) = number {
            let kept = format!("p.recording.json.{number}: the older evidence");
            let outcome = outcome.says(&[&kept, "is not merged, and kept: it is of "]);
            outcome.says(&[one.name(), other.name()]);
        }
        texts.push(fs::read(&evidence).expect("the evidence"));
    }
    for (text, number) in texts.iter().zip(1..=2) {
        let kept = fs::read(beside(&out, &format!("recording.json.{number}"))).expect("kept");
        assert_eq!(kept, *text, "as it was");
    }
    assert!(!file_names(directory.path()).iter().any(|name| name.ends_with(".old")));
}

fn what_cannot_be_read_is_kept_under_a_number() {
    let directory = temporary_directory();
    let out = directory.path().join("p.json");
    fs::write(beside(&out, "recording.json"), "{ precious").expect("written");
    let cgroup = Cgroup::new("restarts-unreadable");
    let outcome = record_start(merging(&out, &cgroup), &cgroup, FIRST).exits(0);
    outcome.says(&["p.recording.json held is not merged, and kept: ", "p.recording.json.1: "]);
    let kept = fs::read_to_string(beside(&out, "recording.json.1")).expect("kept");
    assert_eq!(kept, "{ precious");
}

fn when_all_numbers_are_taken_nothing_is_replaced() {
    let directory = temporary_directory();
    let out = directory.path().join("p.json");
    fs::write(beside(&out, "recording.json"), "{ precious").expect("written");
    for number in 1..=99 {
        fs::write(beside(&out, &format!("recording.json.{number}")), "old").expect("written");
    }
    let cgroup = Cgroup::new("restarts-full");
    let outcome = record_start(merging(&out, &cgroup), &cgroup, FIRST).exits(1);
    let parts = ["99 older files of that name are kept already", "hint: move them elsewhere"];
    outcome.says(&parts).says(&["the whole recording is in ", "p.recording.json.partial"]);
    let text = fs::read_to_string(beside(&out, "recording.json")).expect("it is there");
    assert_eq!(text, "{ precious");
    // And what was recorded is merged when there is room again.
    fs::remove_file(beside(&out, "recording.json")).expect("removed");
    record_start(merging(&out, &cgroup), &cgroup, SECOND).exits(0);
    assert_eq!(allows(&out), [true, true]);
}

fn what_a_killed_tracer_left_is_merged() {
    let directory = temporary_directory();
    let out = directory.path().join("p.json");
    let partial = beside(&out, "recording.json.partial");
    let cgroup = Cgroup::new("restarts-killed");
    let kill_after = |call: &str| {
        let tracing = merging(&out, &cgroup).start();
        let finished = Running::start(&mut ground_truth([cgroup.hop(), call.into()])).finish();
        assert!(finished.status.success(), "{finished:?}");
        let name = call.rsplit(':').next().expect("a name");
        wait_until("what was recorded is saved", tests::BOUND, || {
            let text = fs::read_to_string(&partial).unwrap_or_default();
            let saved = serde_json::from_str::<Recording>(&text);
            saved.is_ok_and(|saved| {
                let mut calls = saved.cgroups.iter().flat_map(|cgroup| &cgroup.calls);
                calls.any(|call| call.name.as_deref() == Some(name))
            })
        });
        tracing.stop_by(Signal::KILL);
    };
    kill_after(FIRST);
    kill_after(SECOND);
    // What the first one left is in what the second one left.
    assert_eq!(allows_in(&recording(&partial)), [true, true]);
    // It went on while nothing was recorded, and was not started again since.
    let steps = [cgroup.hop(), "say:here".into(), "barrier".into(), FIRST.into()];
    let mut running = Running::start(&mut ground_truth(steps));
    running.wait_for_line("here");
    let tracing = merging(&out, &cgroup).start();
    assert!(running.finish().status.success());
    let late = tracing.stop().exits(3).says(&["holds the recording of a tracer that was killed"]);
    late.says(&["unfinished recordings"]);
    assert!(!partial.exists(), "it is in what was written");
    assert_eq!(allows(&out), [true, true]);
    cgroup.wait_until_empty();
    // From its start to an end.
    let again = record_start(merging(&out, &cgroup), &cgroup, FIRST).exits(0);
    again.says(&["complete: nothing was lost"]);
    assert_eq!(allows(&out), [true, true]);
}

fn allows_in(recording: &Recording) -> [bool; 2] {
    let calls = || recording.cgroups.iter().flat_map(|cgroup| &cgroup.calls);
    [111, 124].map(|number| calls().any(|call| call.number == number))
}

fn a_snapshot_holds_what_was_there_and_the_end_counts_it_once() {
    let directory = temporary_directory();
    let out = directory.path().join("p.json");
    let cgroup = Cgroup::new("restarts-snapshot");
    record_start(merging(&out, &cgroup), &cgroup, FIRST).exits(0);
    let evidence = beside(&out, "recording.json");
    let before = recording(&evidence).cgroups.len();
    let tracing = merging(&out, &cgroup).start();
    call_in(&cgroup, "getsid");
    tracing.process.signal(Signal::USR1);
    tracing.wait_for_message("the recording goes on");
    assert_eq!(allows(&out), [true, true]);
    let snapshot = recording(&evidence);
    assert_eq!((snapshot.losses.unfinished, snapshot.cgroups.len()), (1, before + 1));
    tracing.stop().exits(0);
    let end = recording(&evidence);
    assert_eq!((end.losses.unfinished, end.cgroups.len()), (0, before + 1));
}

fn without_merging_complete_evidence_is_not_replaced_by_less() {
    let directory = temporary_directory();
    let out = directory.path().join("p.json");
    let [evidence, old] = ["recording.json", "recording.json.old"].map(|end| beside(&out, end));
    let cgroup = Cgroup::new("restarts-old");
    let tracer = || Tracer::new().out(&out).cgroup(&cgroup);
    record_start(tracer(), &cgroup, FIRST).exits(0);
    let good = fs::read(&evidence).expect("the evidence");
    let second = record_late(tracer(), &cgroup, SECOND).exits(3);
    second.says(&["p.recording.json.old: the older evidence"]);
    assert_eq!(fs::read(&old).expect("kept"), good);
    let third = record_late(tracer(), &cgroup, SECOND).exits(3);
    third.says(&["p.recording.json.old: complete evidence, which stays; "]);
    assert_eq!(fs::read(&old).expect("kept"), good, "more is not replaced by less");
    record_start(tracer(), &cgroup, SECOND).exits(0);
    let better = fs::read(&evidence).expect("the evidence");
    assert_eq!(fs::read(&old).expect("kept"), good);
    record_late(tracer(), &cgroup, SECOND).exits(3);
    assert_eq!(fs::read(&old).expect("kept"), better, "complete for complete");
}

fn only_files_can_be_merged() {
    let cgroup = Cgroup::new("restarts-printed");
    let printed = Tracer::new().out("-").cgroup(&cgroup).args(["--merge"]).run().exits(2);
    printed.says(&["`--out -` writes no recording", "hint: write to a file"]);
}
