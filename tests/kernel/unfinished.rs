//! What a recording says of itself while it goes on, and after its tracer was killed.

use std::path::Path;

use rustix::process::Signal;
use tests::{BOUND, Cgroup, Outcome, Tracer, call_in, entries, file_names, wait_until};
use tracer::recording::Recording;

tests::trials! {
    what_a_killed_tracer_left_says_that_it_is_unfinished,
    it_is_derived_from_as_incomplete_and_stays,
    a_snapshot_says_that_the_recording_goes_on_and_the_end_that_it_does_not,
}

const PARTIAL: &str = "profile.recording.json.partial";

fn read(path: &Path) -> Recording {
    let text = std::fs::read(path).expect("a recording");
    tracer::recording::json::from_json(&text).expect("a whole recording")
}

/// The tracer is killed soon after a call was made.
fn killed(cgroup: &Cgroup) -> Outcome {
    let tracing = Tracer::new().cgroup(cgroup).start();
    call_in(cgroup, "fchmodat2");
    let partial = tracing.directory().join(PARTIAL);
    wait_until("the recording so far is saved", BOUND, || partial.exists());
    tracing.stop_by(Signal::KILL)
}

fn what_a_killed_tracer_left_says_that_it_is_unfinished() {
    let cgroup = Cgroup::new("killed-while-recording");
    let left = killed(&cgroup);
    assert_eq!(file_names(left.directory()), [PARTIAL]);
    let recording = read(&left.directory().join(PARTIAL));
    assert_eq!(recording.losses.unfinished, 1);
    assert!(!recording.complete, "{:?}", recording.incomplete_reasons);
}

fn it_is_derived_from_as_incomplete_and_stays() {
    let left = killed(&Cgroup::new("derived-from-partial"));
    let before = entries(left.directory());
    let partial = left.directory().join(PARTIAL);
    let out = left.directory().join("profile.json");
    let typed = ["profile".as_ref(), partial.as_os_str()];
    let derived = Tracer::new().args(typed).out(&out).run().exits(3);
    let derived = derived.says(&["incomplete: unfinished recordings, which lack later calls"]);
    assert!(!derived.stderr.contains("nothing was lost"), "{}", derived.stderr);
    assert!(entries(left.directory()).contains(&before[0]), "what was read stays as it was");
    assert!(!derived.recording().complete);
}

fn a_snapshot_says_that_the_recording_goes_on_and_the_end_that_it_does_not() {
    let cgroup = Cgroup::new("snapshot-unfinished");
    let tracing = Tracer::new().cgroup(&cgroup).start();
    call_in(&cgroup, "fchmodat2");
    tracing.process.signal(Signal::USR1);
    tracing.wait_for_message("the recording goes on");
    let snapshot = read(&tracing.directory().join("profile.recording.json"));
    assert_eq!((snapshot.losses.unfinished, snapshot.complete), (1, false));
    let outcome = tracing.stop().exits(0);
    let recording = outcome.recording();
    assert_eq!((recording.losses.unfinished, recording.complete), (0, true));
}
