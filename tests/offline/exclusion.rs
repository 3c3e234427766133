//! What comes of taking calls out of a profile.

use tracer::profile::{Profile, ProfileOptions, RuntimeChoice};
use tracer::recording::Phase;

use crate::recordings::{calls, recording};

tests::trials! {
    what_the_start_needs_is_reported_when_it_is_excluded,
}

fn what_the_start_needs_is_reported_when_it_is_excluded() {
    let recordings = [recording(vec![
        calls(Phase::Workload, &["write", "mmap"]),
        calls(Phase::ContainerInit, &["getrusage"]),
    ])];
    let exclusion = |runtime, excluded: &[&str]| {
        let mut options = ProfileOptions::default();
        options.runtime = runtime;
        let options =
            options.with_exclude(excluded.iter().map(|&name| name.to_owned())).expect("calls");
        Profile::derive(&recordings, &options).expect("a profile").exclusion
    };
    let all = exclusion(RuntimeChoice::Any, &["execve", "openat", "getrusage", "swapon"]);
    assert!(all.starts_nothing());
    assert_eq!(all.needed["execve"], ["runc", "crun"]);
    assert_eq!(all.needed["openat"], ["runc", "crun"]);
    assert_eq!(all.needed["getrusage"], ["the recorded start"]);
    assert_eq!(all.in_vain, ["swapon"]);
    let none = exclusion(RuntimeChoice::None, &["execve"]);
    assert!(none.starts_nothing() && none.needed["execve"].is_empty());
    let harmless = exclusion(RuntimeChoice::Any, &["write", "uname"]);
    assert!(!harmless.starts_nothing());
    assert!(!harmless.needed.contains_key("uname"), "{harmless:?}");
    assert_eq!(harmless.in_vain, Vec::<String>::new());
}
