//! The values of arguments: those that were passed are recorded, and no others.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::{Command, Stdio},
};

use serde_json::Value;
use tests::{Cgroup, Outcome, Random, Running, Stop, Tracer, ground_truth, require};
use tracer::recording::{Argument, Call, Recording};
use tracer::syscalls::Abi::{self, I386, X32, X86_64};
use tracer_ebpf::arguments::{
    ARGUMENTS, MOST_VALUES, NAMESPACES, NEW_TIME, SHARING, Source, WatchedArgument,
};

use super::container::{Bundle, runc};

tests::trials! {
    values_drawn_at_random_are_recorded_and_no_others,
    classic_tracepoints_show_the_same_values,
    without_btf_the_values_of_native_calls_are_recorded,
    with_denied_calls_watched_the_values_are_recorded,
    values_in_a_mount_namespace_and_under_a_filter_are_recorded,
    one_value_too_many_makes_any_of_that_argument_alone,
    a_value_after_a_million_repetitions_of_another_is_there,
    values_of_many_processes_at_once_are_each_there_once,
    flags_of_clone3_are_read_from_memory,
    what_cannot_be_read_makes_any,
    flags_that_change_meanwhile_are_one_or_the_other,
    a_runtime_s_values_are_not_the_workload_s,
    a_namespace_that_a_command_makes_is_reported_with_its_name,
    new_values_are_reported_as_they_come,
}

const IOCTL: i32 = 16;
const CLONE3: i32 = 435;
/// `CLONE_THREAD` without `CLONE_SIGHAND`, which the kernel refuses.
const THREAD: u64 = 0x1_0000;
const SIGHAND: u64 = 0x800;
/// Values that no call takes for anything that does something.
const HARMLESS: u64 = 0x1000;

/// The values of arguments by call, index and mask; None: any.
type Values = BTreeMap<(Abi, i32, u8, u64), Option<BTreeSet<u64>>>;

/// What a recording has of the arguments in the cgroup of that path.
fn recorded(recording: &Recording, path: &str) -> Values {
    let cgroups = recording.cgroups.iter().filter(|cgroup| cgroup.path == path);
    let mut found = Values::new();
    for call in cgroups.flat_map(|cgroup| &cgroup.calls) {
        for Argument { index, mask, values, any } in &call.arguments {
            let set: BTreeSet<u64> = values.iter().map(|value| value.value).collect();
            assert_eq!(set.len(), values.len(), "each once: {call:?}");
            assert!(set.iter().all(|value| value & !mask == 0), "cut to the mask: {call:?}");
            assert_eq!(*any, values.is_empty(), "{call:?}");
            let described = values.iter().all(|value| {
                value.command.as_deref() == Some("ground_truth")
                    && value.first_seen_seconds.is_some()
            });
            assert!(described, "with command and time: {call:?}");
            let value = (!any).then_some(set);
            found.insert((call.abi, call.number, *index, *mask), value);
        }
    }
    found
}

/// Lets the program make the steps in a fresh traced cgroup, while its neighbour makes others; what
/// was recorded.
fn record(options: &[&str], steps: &[String]) -> (Outcome, Values) {
    let cgroup = Cgroup::new("arguments");
    let neighbour = Cgroup::new("neighbour");
    let tracing = Tracer::new().cgroup(&cgroup).args(options).start();
    let elsewhere = [neighbour.hop(), "call:ioctl,-1,999999".into(), "call:socket,77,78,79".into()];
    let start = |steps: &[String]| {
        let finished = Running::start(&mut ground_truth(steps)).finish();
        assert!(finished.status.success(), "the fixture ends well: {finished:?}");
    };
    start(&elsewhere);
    start(&[&[cgroup.hop()], steps].concat());
    let outcome = tracing.stop().exits(0);
    let found = recorded(&outcome.recording(), cgroup.name());
    (outcome, found)
}

/// Asserts that these values were recorded of a call of the table.
fn check(found: &Values, call: (Abi, i32, u8), expected: &[u64]) {
    let found: Vec<_> = found.iter().filter(|(key, _)| (key.0, key.1, key.2) == call).collect();
    let [(_, values)] = found.as_slice() else { panic!("one argument: {found:?}") };
    assert_eq!(**values, Some(expected.iter().copied().collect()), "left: recorded, right: made");
}

fn number_of(entry: &WatchedArgument, abi: Abi) -> i32 {
    match abi {
        X86_64 => entry.numbers.x86_64,
        I386 => entry.numbers.i386,
        X32 => entry.numbers.x32,
    }
}

/// The entries of the table that are of one call of an ABI, without those that are in memory.
fn calls_of(abi: Abi) -> BTreeMap<i32, Vec<&'static WatchedArgument>> {
    let mut calls: BTreeMap<i32, Vec<_>> = BTreeMap::new();
    for entry in ARGUMENTS.iter().filter(|entry| entry.source == Source::Register) {
        if number_of(entry, abi) >= 0 {
            calls.entry(number_of(entry, abi)).or_default().push(entry);
        }
    }
    calls
}

/// One call with random values in the arguments that are looked at, and garbage in the halves that
/// do not count.
fn draw(random: &mut Random, abi: Abi, call: &str) -> [i64; 3] {
    // A descriptor that is none, where one is asked for.
    let first =
        if ["ioctl", "fcntl", "fcntl64", "setsockopt", "setns"].contains(&call) { -1 } else { 0 };
    let mut arguments = [first, 0, 0];
    for entry in calls_of(abi).values().flatten().filter(|entry| entry.call == call) {
        let mut value = HARMLESS + random.below(1 << 32) % (u64::from(u32::MAX) - HARMLESS);
        if call == "clone" {
            value = (value | THREAD) & !SIGHAND;
        }
        // Of protections only one bit counts, and no others do any good.
        if entry.mask == 4 {
            value = random.below(2) * 4;
        }
        if call == "unshare" {
            value |= 1;
        }
        let garbage = if abi == I386 { 0 } else { random.below(1 << 31) << 32 };
        let negative = random.below(4) == 0;
        arguments[usize::from(entry.index)] = match (negative, entry.mask) {
            // As a C library passes a negative int.
            (true, 0xffff_ffff) if call != "unshare" => -i64::from(value as u32 >> 1) - 1,
            _ => (value | garbage).cast_signed(),
        };
    }
    arguments
}

/// Steps that draw up to sixteen values for some calls of these ABIs, and what they pass.
fn drawn(random: &mut Random, abis: &[Abi]) -> (Vec<String>, Values) {
    let (mut steps, mut expected) = (Vec::new(), Values::new());
    for &abi in abis {
        let word = match abi {
            X86_64 => "call",
            I386 => "call-i386",
            X32 => "call-x32",
        };
        for (number, entries) in calls_of(abi) {
            if random.below(4) == 0 {
                continue;
            }
            for _ in 0..=random.below(MOST_VALUES as u64) {
                let arguments = draw(random, abi, entries[0].call);
                let [first, second, third] = arguments;
                let times = 1 + random.below(3);
                steps.push(format!("{word}:{number},{first},{second},{third}*{times}"));
                for entry in &entries {
                    let value = arguments[usize::from(entry.index)].cast_unsigned() & entry.mask;
                    let known = expected
                        .entry((abi, number, entry.index, entry.mask))
                        .or_insert_with(|| Some(BTreeSet::new()));
                    known.as_mut().expect("not too many").insert(value);
                }
            }
        }
    }
    for at in (1..steps.len()).rev() {
        steps.swap(at, usize::try_from(random.below(at as u64 + 1)).expect("it is small"));
    }
    (steps, expected)
}

fn values_drawn_at_random_are_recorded_and_no_others() {
    let mut random = Random::new();
    for _ in 0..3 {
        let (steps, expected) = drawn(&mut random, &[X86_64, I386, X32]);
        let (_, found) = record(&[], &steps);
        assert_eq!(found, expected, "left: recorded, right: made");
    }
}

fn classic_tracepoints_show_the_same_values() {
    let (steps, expected) = drawn(&mut Random::new(), &[X86_64, I386, X32]);
    for options in [&["--attach", "classic"][..], &["--attach", "classic", "--denied"]] {
        let (_, found) = record(options, &steps);
        assert_eq!(found, expected, "left: recorded, right: made");
    }
}

fn without_btf_the_values_of_native_calls_are_recorded() {
    let (steps, expected) = drawn(&mut Random::new(), &[X86_64, X32]);
    for hook in ["raw", "classic"] {
        let (_, found) = record(&["--no-btf", "--attach", hook], &steps);
        assert_eq!(found, expected, "left: recorded, right: made");
    }
}

fn with_denied_calls_watched_the_values_are_recorded() {
    let (steps, expected) = drawn(&mut Random::new(), &[X86_64, I386, X32]);
    let (_, found) = record(&["--denied"], &steps);
    assert_eq!(found, expected, "left: recorded, right: made");
}

/// The same as a process of a container looks: in a mount namespace of its own, with an executable
/// from there.
fn values_in_a_mount_namespace_and_under_a_filter_are_recorded() {
    let (drawn, mut expected) = drawn(&mut Random::new(), &[X86_64, I386, X32]);
    let enter = ["call:unshare,131072".to_owned(), "exec".to_owned()];
    let steps =
        [&enter, drawn.as_slice(), &["allow-all".into(), "call:ioctl,-1,42".into()]].concat();
    let mut add = |number, index, value| {
        let key = (X86_64, number, index, 0xffff_ffff);
        let known = expected.entry(key).or_insert_with(|| Some(BTreeSet::new()));
        let values = known.as_mut().expect("not too many");
        values.insert(value);
    };
    add(272, 0, 131_072);
    add(IOCTL, 1, 42);
    // What loads the filter: PR_SET_NO_NEW_PRIVS and SECCOMP_SET_MODE_FILTER.
    add(157, 0, 38);
    add(317, 0, 1);
    // Sixteen values are kept of each class, and these are of several.
    let (_, found) = record(&[], &steps);
    for (key, values) in &expected {
        let recorded = &found[key];
        let is_any = recorded.is_none();
        let too_many = values.as_ref().is_some_and(|values| values.len() > MOST_VALUES);
        assert!(recorded == values || is_any && too_many, "{key:?}: {recorded:?}, not {values:?}");
    }
    assert_eq!(found.len(), expected.len());
}

fn one_value_too_many_makes_any_of_that_argument_alone() {
    let ioctl = |value: usize| format!("call:{IOCTL},-1,{}*3", 1000 + value);
    let enough: Vec<String> = (0..MOST_VALUES).map(ioctl).collect();
    let others = ["call:fcntl,-1,5".to_owned(), "call-i386:ioctl,-1,6".to_owned()];
    let steps = [&others, enough.as_slice()].concat();
    let (_, found) = record(&[], &steps);
    let values: Vec<u64> = (0..MOST_VALUES as u64).map(|value| 1000 + value).collect();
    check(&found, (X86_64, IOCTL, 1), &values);
    let more = [steps, vec![ioctl(0), ioctl(MOST_VALUES), ioctl(MOST_VALUES + 1)]].concat();
    let (_, found) = record(&[], &more);
    assert_eq!(found[&(X86_64, IOCTL, 1, 0xffff_ffff)], None, "any");
    check(&found, (X86_64, 72, 1), &[5]);
    check(&found, (I386, 54, 1), &[6]);
}

fn a_value_after_a_million_repetitions_of_another_is_there() {
    let steps = ["call:ioctl,-1,21523*1000000", "call:ioctl,-1,21524", "call:ioctl,-1,21523*10"];
    let (_, found) = record(&[], &steps.map(str::to_owned));
    check(&found, (X86_64, IOCTL, 1), &[21_523, 21_524]);
}

fn values_of_many_processes_at_once_are_each_there_once() {
    let each: Vec<String> =
        (0..MOST_VALUES).map(|value| format!("call:ioctl,-1,{}*300", 5000 + value)).collect();
    let block =
        |count: usize| [&["fork:1".into(), "[".into()], &each[count..], &["]".into()]].concat();
    let steps = [(0..6).flat_map(block).collect(), vec!["wait".to_owned()]].concat();
    for _ in 0..5 {
        let (_, found) = record(&[], &steps);
        let values: Vec<u64> = (0..MOST_VALUES as u64).map(|value| 5000 + value).collect();
        check(&found, (X86_64, IOCTL, 1), &values);
    }
}

/// What is recorded of clone3 with these flags.
fn flags_of(flags: &[u64]) -> [Option<BTreeSet<u64>>; 2] {
    let cut = |mask: u64| Some(flags.iter().map(|flags| flags & mask).collect());
    [cut(NAMESPACES | NEW_TIME), cut(NAMESPACES | NEW_TIME | SHARING)]
}

fn found_of_clone3(found: &Values, abi: Abi) -> [Option<BTreeSet<u64>>; 2] {
    let narrow = NAMESPACES | NEW_TIME;
    [narrow, narrow | SHARING].map(|mask| found[&(abi, CLONE3, 0, mask)].clone())
}

fn flags_of_clone3_are_read_from_memory() {
    // CLONE_NEWUSER, CLONE_NEWTIME, a thread's, and CLONE_INTO_CGROUP, which is none of the bits
    // that count.
    let flags = [0x1000_0000_u64, 0x80, 0x3d_0f00, 0x2_0000_0000, 0x1000_0000];
    let native = flags.map(|flags| format!("clone3:{flags}"));
    let compat = [format!("clone3-i386:{}", 0x4000_0000), "call:clone3,0,0".into()];
    let (_, found) = record(&[], &[native.as_slice(), &compat].concat());
    // The kernel refuses a size of 0 whatever is there.
    assert_eq!(found_of_clone3(&found, X86_64), flags_of(&[&flags[..], &[0]].concat()));
    assert_eq!(found_of_clone3(&found, I386), flags_of(&[0x4000_0000]));
    let (_, found) = record(&[], &["call:clone3,0,0".to_owned(), "call:clone3,1,8192".to_owned()]);
    assert_eq!(found_of_clone3(&found, X86_64), flags_of(&[0]));
}

fn what_cannot_be_read_makes_any() {
    let (_, found) = record(&[], &["clone3:128".to_owned(), "call:clone3,16,88".to_owned()]);
    assert_eq!(found_of_clone3(&found, X86_64), [None, None]);
}

fn flags_that_change_meanwhile_are_one_or_the_other() {
    let flags = [0x1000_0000_u64, 0x0002_0000];
    let step = format!("flicker:{},{}*300000", flags[0], flags[1]);
    let (_, found) = record(&[], &[step]);
    let [Some(narrow), Some(_)] = found_of_clone3(&found, X86_64) else { panic!("{found:?}") };
    let both: BTreeSet<u64> = flags.into_iter().collect();
    assert!(!narrow.is_empty() && narrow.is_subset(&both), "{narrow:x?}");
}

fn a_namespace_that_a_command_makes_is_reported_with_its_name() {
    let outcome = Tracer::new().command(["unshare", "-Ur", "true"]).run().exits(0);
    let recording = outcome.recording();
    let mut calls = recording.cgroups.iter().flat_map(|cgroup| &cgroup.calls);
    let call = calls.find(|call| call.name.as_deref() == Some("unshare")).expect("it is made");
    let [argument] = call.arguments.as_slice() else { panic!("{call:?}") };
    let [value] = argument.values.as_slice() else { panic!("{call:?}") };
    assert_eq!((value.value, value.command.as_deref()), (0x1000_0000, Some("unshare")));
}

fn new_values_are_reported_as_they_come() {
    let cgroup = Cgroup::new("described");
    let tracing = Tracer::new().cgroup(&cgroup).args(["-v", "--events", "events.jsonl"]).start();
    let steps = ["call:socket,16,5,7*3", "call:socket,17,5,7", "call:clone,65536"];
    let steps = steps.map(str::to_owned);
    Running::start(&mut ground_truth([&[cgroup.hop()], steps.as_slice()].concat())).finish();
    let outcome = tracing.stop().exits(0);
    let events = fs::read_to_string(outcome.directory().join("events.jsonl")).expect("events");
    let events: Vec<Value> =
        events.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of_socket = events.iter().filter(|event| event["name"] == "socket");
    let values: Vec<Value> = of_socket.map(|event| event["argument"].clone()).collect();
    let value = |index: u8, mask: u64, value: u64| serde_json::json!({ "index": index, "mask": mask, "value": value });
    let (whole, kind) = (0xffff_ffff, 0xfff7_f7ff_u64);
    let expected = [
        Value::Null,
        value(0, whole, 16),
        value(1, kind, 5),
        value(2, whole, 7),
        value(0, whole, 17),
    ];
    assert_eq!(values, expected, "the call itself, then its values");
    outcome.says(&["  socket  ground_truth[", "  socket(", "  socket(_, ", "  socket(_, _, "]);
}

/// What runc passes while it makes the container, and while it enters it, is not the workload's.
fn a_runtime_s_values_are_not_the_workload_s() -> Result<(), Stop> {
    let runc = require!(runc());
    let above = Cgroup::new("arguments-runc");
    let path = format!("{}/container", above.name());
    let steps = ["call:prctl,4242", "call:socket,5000,6000,7000", "call:fcntl,-1,4343", "pause"];
    let bundle = Bundle::new(runc, &path, &steps);
    let tracing = Tracer::new().cgroup(&above).start();
    let succeed = |command: &mut Command| {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let status = command.status().expect("runc is run");
        assert!(status.success(), "{command:?}: {status}");
    };
    let mut run = bundle.command("run");
    run.arg("--detach").arg("--bundle").arg(bundle.directory.path()).arg(&bundle.id);
    succeed(&mut run);
    for value in [4242, 4444] {
        let step = format!("call:prctl,{value}");
        succeed(bundle.command("exec").args([bundle.id.as_str(), "/program", &step]));
    }
    succeed(bundle.command("kill").args([bundle.id.as_str(), "KILL"]));
    let outcome = tracing.stop().exits(0);
    let recording = outcome.recording();
    let cgroup = recording.cgroups.iter().find(|cgroup| cgroup.path == path).expect("recorded");
    let values = |name: &str| -> Vec<Vec<u64>> {
        let is_it = |call: &&Call| call.name.as_deref() == Some(name) && call.abi == X86_64;
        let call = cgroup.calls.iter().find(is_it).expect("it was made");
        assert!(call.arguments.iter().all(|argument| !argument.any), "{call:?}");
        let values = call.arguments.iter().map(|argument| &argument.values);
        values.map(|values| values.iter().map(|value| value.value).collect()).collect()
    };
    assert_eq!(values("prctl"), [[4242, 4444]], "runc's own, as PR_SET_NAME, are not there");
    assert_eq!(values("socket"), [[5000], [6000], [7000]]);
    assert_eq!(values("fcntl"), [[4343]]);
    // What only the runtime makes has the values of its phase.
    assert!(values("unshare").concat().iter().any(|flags| flags & NAMESPACES != 0));
    Ok(())
}
