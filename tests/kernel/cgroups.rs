//! Whose calls are recorded: the target's cgroups, also those made later and gone by now, and no
//! others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use tests::{Cgroup, HARMLESS, Outcome, Running, Tracer, call_in, calls, ground_truth};
use tracer::syscalls::Abi::X86_64;

tests::trials! {
    calls_of_siblings_and_of_the_cgroup_above_are_not_recorded,
    calls_made_before_the_start_are_not_recorded,
    a_process_that_is_born_in_the_target_is_recorded_from_its_first_call,
    a_target_inside_another_is_recorded_with_both,
    cgroups_made_below_the_target_later_are_recorded_with_their_paths,
    three_hundred_cgroups_that_are_removed_at_once_are_recorded_with_their_paths,
    two_thousand_cgroups_that_stay_are_recorded_in_little_memory,
    two_targets_are_recorded_and_nothing_between_them,
    the_target_may_be_named_as_a_directory_of_the_file_system,
}

const EXIT_GROUP: i32 = 231;
const CANARY: i32 = 452;
/// Cgroups of the test with many.
const CGROUPS: usize = 2000;
/// What tracer may take for them, in bytes.
const MEMORY: u64 = 24 << 20;

/// The native numbers of each recorded cgroup, by path.
fn recorded(outcome: &Outcome) -> BTreeMap<String, BTreeSet<i32>> {
    let recording = outcome.recording();
    let paths = recording.cgroups.iter().map(|cgroup| cgroup.path.clone());
    paths
        .map(|path| {
            let numbers = calls(&recording, &path).into_keys().map(|(_, number)| number).collect();
            (path, numbers)
        })
        .filter(|(_, numbers): &(_, BTreeSet<i32>)| !numbers.is_empty())
        .collect()
}

fn calls_of_siblings_and_of_the_cgroup_above_are_not_recorded() {
    let above = Cgroup::new("siblings");
    let target = above.child("target");
    // A name that begins like the target's must not match either.
    let sibling = above.child("target-not");
    let tracing = Tracer::new().cgroup(&target).start();
    call_in(&sibling, CANARY);
    call_in(&target, "getpid");
    call_in(&sibling, CANARY);
    call_in(&above, CANARY);
    let outcome = tracing.stop().exits(0);
    let expected = BTreeMap::from([(target.name().to_owned(), BTreeSet::from([39, EXIT_GROUP]))]);
    assert_eq!(recorded(&outcome), expected, "only the target's calls");
    let allowed = outcome.allowed();
    assert!(!allowed.iter().any(|name| name == "fchmodat2"), "the canary is not allowed");
    drop((target, sibling));
}

fn calls_made_before_the_start_are_not_recorded() {
    let target = Cgroup::new("before");
    call_in(&target, CANARY);
    target.wait_until_empty();
    let tracing = Tracer::new().cgroup(&target).start();
    call_in(&target, "getpid");
    let outcome = tracing.stop().exits(0);
    let expected = BTreeMap::from([(target.name().to_owned(), BTreeSet::from([39, EXIT_GROUP]))]);
    assert_eq!(recorded(&outcome), expected);
}

fn a_process_that_is_born_in_the_target_is_recorded_from_its_first_call() {
    let target = Cgroup::new("born");
    let tracing = Tracer::new().cgroup(&target).start();
    let into = format!("into:{}", target.directory().display());
    let steps = [&into, "[", "x86_64:getpid", "]", "wait", "x86_64:fchmodat2"];
    let finished = Running::start(&mut ground_truth(steps)).finish();
    assert!(finished.status.success(), "the fixture ends well: {finished:?}");
    let outcome = tracing.stop().exits(0);
    let found = calls(&outcome.recording(), target.name());
    let expected = [(39, 1), (EXIT_GROUP, 1)];
    let expected = expected.map(|(number, count)| ((X86_64, number), Some(count)));
    assert_eq!(found, BTreeMap::from(expected), "left: recorded, right: made");
}

fn a_target_inside_another_is_recorded_with_both() {
    let outer = Cgroup::new("outer");
    let inner = outer.child("inner");
    let tracing = Tracer::new().cgroup(&outer).cgroup(&inner).cgroup(&inner).start();
    call_in(&outer, "getpid");
    call_in(&inner, "getuid");
    let outcome = tracing.stop().exits(0);
    let expected = BTreeMap::from([
        (outer.name().to_owned(), BTreeSet::from([39, EXIT_GROUP])),
        (inner.name().to_owned(), BTreeSet::from([102, EXIT_GROUP])),
    ]);
    assert_eq!(recorded(&outcome), expected, "left: recorded, right: made");
    let recording = outcome.recording();
    let of = |name: &str| {
        let target = recording.targets.iter().find(|target| target.name == name);
        target.unwrap_or_else(|| panic!("{name} is a target: {recording:?}")).cgroups.len()
    };
    assert_eq!((of(outer.name()), of(inner.name())), (2, 1), "the outer one has both cgroups");
    drop(inner);
}

fn cgroups_made_below_the_target_later_are_recorded_with_their_paths() {
    let target = Cgroup::new("nested");
    let tracing = Tracer::new().cgroup(&target).start();
    let mut expected = BTreeMap::new();
    let mut chain = vec![target.child("level-0")];
    for level in 1..12 {
        let deeper = chain[level - 1].child(&format!("level-{level}"));
        chain.push(deeper);
    }
    for (cgroup, &(number, _)) in chain.iter().zip(HARMLESS) {
        call_in(cgroup, number);
        expected.insert(cgroup.name().to_owned(), BTreeSet::from([number, EXIT_GROUP]));
    }
    let outcome = tracing.stop().exits(0);
    assert_eq!(recorded(&outcome), expected, "left: recorded, right: made");
    // The deepest first.
    while chain.pop().is_some() {}
}

fn three_hundred_cgroups_that_are_removed_at_once_are_recorded_with_their_paths() {
    let target = Cgroup::new("churn");
    let tracing = Tracer::new().cgroup(&target).start();
    let mut expected = BTreeMap::new();
    for turn in 0..300 {
        let (number, _) = HARMLESS[turn % HARMLESS.len()];
        let cgroup = target.child(&format!("container-{turn}"));
        call_in(&cgroup, number);
        expected.insert(cgroup.name().to_owned(), BTreeSet::from([number, EXIT_GROUP]));
        cgroup.remove();
    }
    let outcome = tracing.stop().exits(0);
    assert_eq!(recorded(&outcome), expected, "left: recorded, right: made");
}

/// A container a cgroup, on a big node.
fn two_thousand_cgroups_that_stay_are_recorded_in_little_memory() {
    let target = Cgroup::new("many");
    let mut tracing = Tracer::new().cgroup(&target).args(["-v"]).start();
    let mut expected = BTreeMap::new();
    let mut cgroups = Vec::new();
    for turn in 0..CGROUPS {
        let (number, _) = HARMLESS[turn % HARMLESS.len()];
        let cgroup = target.child(&format!("container-{turn}"));
        call_in(&cgroup, number);
        expected.insert(cgroup.name().to_owned(), BTreeSet::from([number, EXIT_GROUP]));
        cgroups.push(cgroup);
    }
    assert!(tracing.process.is_running(), "tracer runs until it is stopped");
    let most = most_memory(tracing.process.id());
    let outcome = tracing.stop().exits(0).says(&["kernel table: ", "complete: nothing was lost"]);
    assert_eq!(recorded(&outcome), expected, "left: recorded, right: made");
    assert!(most < MEMORY, "tracer took {} KiB at most, {} are allowed", most >> 10, MEMORY >> 10);
    println!("{CGROUPS} cgroups: {} KiB at most", most >> 10);
    drop(cgroups);
}

/// The most memory that a process has had at once, in bytes, without the pages of its program,
/// which grow with the program and not with the work (`proc_pid_status(5)`: `VmHWM`, `RssFile`).
fn most_memory(process: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let kibibytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect(name);
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number")
    };
    (kibibytes("VmHWM:") - kibibytes("RssFile:")) << 10
}

fn two_targets_are_recorded_and_nothing_between_them() {
    let above = Cgroup::new("two");
    let [first, between, last] = ["a", "b", "c"].map(|name| above.child(name));
    let tracing = Tracer::new().cgroup(&first).cgroup(&last).start();
    call_in(&first, "getpid");
    call_in(&between, CANARY);
    call_in(&last, "getuid");
    let outcome = tracing.stop().exits(0);
    let expected = BTreeMap::from([
        (first.name().to_owned(), BTreeSet::from([39, EXIT_GROUP])),
        (last.name().to_owned(), BTreeSet::from([102, EXIT_GROUP])),
    ]);
    assert_eq!(recorded(&outcome), expected, "left: recorded, right: made");
    drop((first, between, last));
}

fn the_target_may_be_named_as_a_directory_of_the_file_system() {
    let target = Cgroup::new("directory");
    let directory = target.directory().to_str().expect("the path is text");
    let tracing = Tracer::new().args(["--cgroup", directory]).start();
    call_in(&target, "getpid");
    let outcome = tracing.stop().exits(0);
    let expected = BTreeMap::from([(target.name().to_owned(), BTreeSet::from([39, EXIT_GROUP]))]);
    assert_eq!(recorded(&outcome), expected);
}
