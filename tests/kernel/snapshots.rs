//! SIGUSR1: the files as they would be now, while the recording goes on.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rustix::process::Signal;
use tests::{Cgroup, Tracer, call_in, entries};
use tracer::recording::Recording;

tests::trials! {
    a_snapshot_holds_what_was_made_and_the_end_holds_everything,
    a_snapshot_of_nothing_writes_nothing_and_ends_nothing,
    a_command_does_not_get_the_signal_and_may_use_it,
}

/// fchmodat2 and cachestat: in no base set.
const FIRST: i32 = 452;
const SECOND: i32 = 451;

/// The native numbers in a recording on disk, and whether its profile allows the two calls.
fn written(directory: &Path) -> (BTreeSet<i32>, [bool; 2]) {
    let text = fs::read_to_string(directory.join("profile.recording.json")).expect("a recording");
    let recording: Recording = serde_json::from_str(&text).expect("a whole recording");
    let calls = recording.cgroups.iter().flat_map(|cgroup| &cgroup.calls);
    let profile = fs::read_to_string(directory.join("profile.json")).expect("a profile");
    serde_json::from_str::<serde_json::Value>(&profile).expect("a whole profile");
    let allowed = ["\"fchmodat2\"", "\"cachestat\""].map(|name| profile.contains(name));
    (calls.map(|call| call.number).collect(), allowed)
}

fn a_snapshot_holds_what_was_made_and_the_end_holds_everything() {
    let target = Cgroup::new("snapshot");
    let tracing = Tracer::new().cgroup(&target).start();
    call_in(&target, FIRST);
    tracing.process.signal(Signal::USR1);
    tracing.wait_for_message("the recording goes on");
    assert_eq!(written(tracing.directory()), (BTreeSet::from([FIRST, 231]), [true, false]));
    call_in(&target, SECOND);
    for _ in 0..5 {
        tracing.process.signal(Signal::USR1);
    }
    let outcome = tracing.stop().exits(0).says(&["snapshot: ", "complete: nothing was lost"]);
    assert_eq!(written(outcome.directory()), (BTreeSet::from([FIRST, SECOND, 231]), [true, true]));
}

fn a_snapshot_of_nothing_writes_nothing_and_ends_nothing() {
    let target = Cgroup::new("snapshot-of-nothing");
    let tracing = Tracer::new().cgroup(&target).start();
    tracing.process.signal(Signal::USR1);
    tracing.wait_for_message("no snapshot was written");
    assert!(entries(tracing.directory()).is_empty(), "no file is there");
    call_in(&target, FIRST);
    let outcome = tracing.stop().exits(0);
    assert_eq!(written(outcome.directory()).0, BTreeSet::from([FIRST, 231]));
}

fn a_command_does_not_get_the_signal_and_may_use_it() {
    let script = "trap 'echo own signal' USR1; kill -USR1 $PPID; kill -USR1 $$; echo end";
    let outcome = Tracer::new().command(["sh", "-c", script]).run().exits(0);
    assert!(outcome.stdout.contains("own signal\nend\n"), "{}", outcome.stdout);
}
