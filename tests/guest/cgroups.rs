//! Whose calls are recorded: the target's cgroups, also those made later and gone by now, and no
//! others.

use std::collections::BTreeMap;

use tests::{Calls, Cgroup, Tracer, call_in, calls};
use tracer::syscalls::Abi::X86_64;

use crate::truth::listed;

const CANARY: i32 = 155;
/// Cgroups that are made, used and removed while the target is recorded.
const MANY: usize = 60;

/// See the module.
pub fn check() -> Result<(), String> {
    let above = Cgroup::new("cgroups");
    let target = above.child("target");
    let foreign = [above.child("sibling"), above.child("target-not")];
    let early = target.child("early");
    let tracing = Tracer::new().cgroup(&target).start();
    let mut expected: BTreeMap<String, Calls> = BTreeMap::new();
    let mut call = |cgroup: &Cgroup, number: i32| {
        call_in(cgroup, number);
        let made = [(X86_64, number, 1), (X86_64, 231, 1)];
        expected.insert(cgroup.name().to_owned(), listed(&made));
    };
    call(&target, 39);
    call(&early, 102);
    foreign.iter().chain([&above]).for_each(|cgroup| call_in(cgroup, CANARY));
    let late = target.child("late");
    let deep = late.child("deep");
    call(&late, 107);
    call(&deep, 104);
    early.remove();
    deep.remove();
    for number in 0..MANY {
        let one = target.child(&format!("many-{number}"));
        call(&one, 99);
        one.remove();
    }
    let outcome = tracing.stop().exits(0);
    let recording = outcome.recording();
    let paths = recording.cgroups.iter().map(|cgroup| cgroup.path.clone());
    let found: BTreeMap<String, Calls> =
        paths.map(|path| (path.clone(), calls(&recording, &path))).collect();
    assert_eq!(found, expected, "left: recorded, right: made");
    let allowed = outcome.allowed();
    assert!(!allowed.iter().any(|name| name == "pivot_root"), "the canary is not allowed");
    drop((late, target, foreign));
    Ok(())
}
