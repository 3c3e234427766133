//! The recording equals the list of calls that were made: every ABI, threads, forks, exec, and
//! exact counts.

use std::collections::BTreeSet;

use tests::{
    Calls, Cgroup, HARMLESS, HARMLESS_I386, Outcome, Random, Running, Tracer, calls, ground_truth,
};
use tracer::syscalls::Abi::{self, I386, X32, X86_64};

tests::trials! {
    native_calls_are_recorded_exactly,
    compat_calls_of_a_64_bit_process_are_resolved_in_the_i386_table,
    x32_calls_are_recorded_without_bit_30,
    numbers_that_are_no_calls_stay_numbers_and_never_reach_the_profile,
    calls_of_threads_are_recorded,
    calls_of_forked_processes_are_recorded,
    calls_before_and_after_exec_are_recorded,
    a_million_calls_of_four_processes_are_counted_exactly,
    a_call_of_a_process_that_loads_a_filter_is_recorded_before_and_after,
    without_counts_the_set_is_the_same,
    calls_drawn_at_random_appear_when_made_and_not_otherwise,
}

const FORK: i32 = 57;
const CLONE: i32 = 56;
const EXECVE: i32 = 59;
const EXIT: i32 = 60;
const WAIT4: i32 = 61;
const EXIT_GROUP: i32 = 231;

/// Lets the program make the steps in a fresh traced cgroup.
fn record(options: &[&str], steps: &[&str]) -> (Outcome, Calls) {
    let cgroup = Cgroup::new("truth");
    let tracing = Tracer::new().cgroup(&cgroup).args(options).start();
    let hop = cgroup.hop();
    let finished = Running::start(&mut ground_truth([&[hop.as_str()], steps].concat())).finish();
    assert!(finished.status.success(), "the fixture ends well: {finished:?}");
    let outcome = tracing.stop();
    let found = calls(&outcome.recording(), cgroup.name());
    (outcome, found)
}

/// Asserts that exactly the listed calls were recorded, each as often as listed.
fn check(found: &Calls, expected: &[(Abi, i32, u64)]) {
    let expected: Calls =
        expected.iter().map(|&(abi, number, count)| ((abi, number), Some(count))).collect();
    assert_eq!(*found, expected, "left: recorded, right: made");
}

fn native_calls_are_recorded_exactly() {
    let (outcome, found) =
        record(&[], &["x86_64:getpid*3", "x86_64:fchmodat2", "x86_64:getppid*7"]);
    check(&found, &[(X86_64, 39, 3), (X86_64, 110, 7), (X86_64, 452, 1), (X86_64, EXIT_GROUP, 1)]);
    outcome.exits(0);
}

fn compat_calls_of_a_64_bit_process_are_resolved_in_the_i386_table() {
    let (outcome, found) =
        record(&[], &["i386:getpid*5", "i386:getpriority", "x86_64:gettimeofday*2"]);
    check(&found, &[(X86_64, 96, 2), (X86_64, EXIT_GROUP, 1), (I386, 20, 5), (I386, 96, 1)]);
    let outcome = outcome.exits(0);
    let recording = outcome.recording();
    let name = |abi, number| {
        let mut all = recording.cgroups.iter().flat_map(|cgroup| &cgroup.calls);
        all.find(|call| (call.abi, call.number) == (abi, number)).and_then(|call| call.name.clone())
    };
    assert_eq!(name(I386, 96).as_deref(), Some("getpriority"));
    assert_eq!(name(X86_64, 96).as_deref(), Some("gettimeofday"));
    let architectures = outcome.profile()["architectures"].clone();
    assert_eq!(architectures, serde_json::json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]));
}

fn x32_calls_are_recorded_without_bit_30() {
    let (outcome, found) = record(&[], &["x32:getpid*4", "x32:ioctl", "x86_64:getpid"]);
    check(&found, &[(X86_64, 39, 1), (X86_64, EXIT_GROUP, 1), (X32, 39, 4), (X32, 514, 1)]);
    let recording = outcome.recording();
    let mut all = recording.cgroups.iter().flat_map(|cgroup| &cgroup.calls);
    let ioctl = all.find(|call| call.abi == X32 && call.number == 514).expect("it is recorded");
    assert_eq!(ioctl.name.as_deref(), Some("ioctl"));
}

fn numbers_that_are_no_calls_stay_numbers_and_never_reach_the_profile() {
    let (outcome, found) =
        record(&[], &["raw:-1*2", "raw:1000*3", "raw:511", "raw:512", "x86_64:getpid"]);
    check(
        &found,
        &[
            (X86_64, -1, 2),
            (X86_64, 39, 1),
            (X86_64, EXIT_GROUP, 1),
            (X86_64, 511, 1),
            (X86_64, 512, 1),
            (X86_64, 1000, 3),
        ],
    );
    for call in outcome.recording().cgroups.iter().flat_map(|cgroup| &cgroup.calls) {
        let named = [39, EXIT_GROUP].contains(&call.number);
        assert_eq!(call.name.is_some(), named, "only real calls have names: {call:?}");
    }
    for name in outcome.allowed() {
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        assert!(plain && !name.contains("1000") && !name.contains("unknown"), "invented: {name}");
    }
}

fn calls_of_threads_are_recorded() {
    let steps =
        ["thread", "[", "x86_64:gettid*3", "]", "thread", "[", "i386:getpid", "]", "x86_64:getpid"];
    let (outcome, found) = record(&[], &steps);
    check(
        &found,
        &[
            (X86_64, 39, 1),
            (X86_64, CLONE, 2),
            (X86_64, EXIT, 2),
            (X86_64, 186, 3),
            (X86_64, EXIT_GROUP, 1),
            (I386, 20, 1),
        ],
    );
    outcome.exits(0);
}

fn calls_of_forked_processes_are_recorded() {
    let steps =
        ["fork:3", "[", "x86_64:getuid", "fork:2", "[", "x86_64:geteuid", "]", "wait", "]", "wait"];
    let (outcome, found) = record(&[], &steps);
    check(
        &found,
        &[
            (X86_64, FORK, 3 + 6),
            // Each wait ends with the answer that no child is left.
            (X86_64, WAIT4, 4 + 3 * 3),
            (X86_64, 102, 3),
            (X86_64, 107, 6),
            (X86_64, EXIT_GROUP, 1 + 3 + 6),
        ],
    );
    outcome.exits(0);
}

fn calls_before_and_after_exec_are_recorded() {
    let (outcome, found) =
        record(&[], &["x86_64:getpid", "exec", "x86_64:getuid", "exec", "i386:getuid"]);
    check(
        &found,
        &[
            (X86_64, 39, 1),
            (X86_64, EXECVE, 2),
            (X86_64, 102, 1),
            (X86_64, EXIT_GROUP, 1),
            (I386, 24, 1),
        ],
    );
    outcome.exits(0);
}

fn a_million_calls_of_four_processes_are_counted_exactly() {
    let (outcome, found) = record(&[], &["fork:4", "[", "x86_64:getppid*250000", "]", "wait"]);
    check(
        &found,
        &[(X86_64, FORK, 4), (X86_64, WAIT4, 5), (X86_64, 110, 1_000_000), (X86_64, EXIT_GROUP, 5)],
    );
    outcome.exits(0);
}

fn a_call_of_a_process_that_loads_a_filter_is_recorded_before_and_after() {
    let (outcome, found) =
        record(&[], &["x86_64:getpid", "allow-all", "x86_64:getpid", "x86_64:getuid"]);
    check(
        &found,
        &[
            (X86_64, 39, 2),
            (X86_64, 102, 1),
            (X86_64, 157, 1),
            (X86_64, EXIT_GROUP, 1),
            (X86_64, 317, 1),
        ],
    );
    outcome.exits(0);
}

fn without_counts_the_set_is_the_same() {
    let (outcome, found) =
        record(&["--no-counts"], &["x86_64:getpid*3", "i386:getpid", "x32:getpid"]);
    let set: BTreeSet<_> = found.into_keys().collect();
    assert_eq!(set, BTreeSet::from([(X86_64, 39), (X86_64, EXIT_GROUP), (I386, 20), (X32, 39)]));
    outcome.exits(0);
}

fn calls_drawn_at_random_appear_when_made_and_not_otherwise() {
    let mut random = Random::new();
    for _ in 0..5 {
        let mut steps = Vec::new();
        let mut expected = vec![(X86_64, EXIT_GROUP, 1)];
        let mut made = BTreeSet::new();
        let native = HARMLESS.iter().map(|call| (X86_64, "x86_64", call));
        let compat = HARMLESS_I386.iter().map(|call| (I386, "i386", call));
        for (abi, word, &(number, name)) in native.chain(compat) {
            if random.below(3) == 0 {
                let count = 1 + random.below(40);
                steps.push(format!("{word}:{name}*{count}"));
                expected.push((abi, number, count));
                made.insert((abi, number, Some(name.to_owned())));
            }
        }
        for at in (1..steps.len()).rev() {
            steps.swap(at, usize::try_from(random.below(at as u64 + 1)).expect("it is small"));
        }
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        let (outcome, found) = record(&[], &steps);
        check(&found, &expected);

        let outcome = outcome.exits(0);
        let recording = outcome.recording();
        let all = recording.cgroups.iter().flat_map(|cgroup| &cgroup.calls);
        let named: BTreeSet<_> = all
            .filter(|call| call.number != EXIT_GROUP)
            .map(|call| (call.abi, call.number, call.name.clone()))
            .collect();
        assert_eq!(named, made, "left: recorded, right: made");
        let allowed = outcome.allowed();
        for (_, _, name) in made {
            assert!(
                allowed.contains(&name.clone().expect("every drawn call has a name")),
                "{name:?}"
            );
        }
        let drawn =
            |name: &str| steps.iter().any(|step| step.starts_with(&format!("x86_64:{name}*")));
        for name in ["mount", "pivot_root", "unshare"] {
            let is_allowed = allowed.iter().any(|allowed| allowed == name);
            assert_eq!(is_allowed, drawn(name), "{name} is allowed exactly when it was made");
        }
    }
}
