//! Tests of [`super`].

use tracer_ebpf::{
    CgroupRecord, EvidenceKey, SeenValue, architecture::abi, class, executable, kind,
};

use super::{
    super::phases::{CgroupKind, decide},
    *,
};
use crate::text::escape;

const SOCKET: i32 = 41;
const CGROUP: u64 = 7;
/// A runtime's task that makes a container, and a call of it that says so.
const SET_UP: u16 = class::INIT_PENDING
    | class::FORKED
    | class::PARENT_HOST
    | executable::INTERNAL << class::EXECUTABLE_SHIFT;
const WORKLOAD: u16 = 0;

/// The index of a call's argument in the table.
fn place(call: &str, index: u8) -> u8 {
    let is_it = |entry: &WatchedArgument| entry.call == call && entry.index == index;
    u8::try_from(tracer_ebpf::arguments::ARGUMENTS.iter().position(is_it).expect("an entry"))
        .expect("a short table")
}

fn evidence(first_seen: u64, count: u64, name: &str) -> Evidence {
    let mut command = [0; 16];
    command[..name.len()].copy_from_slice(name.as_bytes());
    Evidence { first_seen, count, command }
}

fn value(
    value: u32,
    class: u16,
    place: u8,
    first_seen: u64,
    name: &str,
) -> (ArgumentKey, Evidence) {
    let seen = SeenValue::new(value, class, place, abi::X86_64);
    (ArgumentKey { cgroup: CGROUP, seen }, evidence(first_seen, 1, name))
}

/// The entry that counts the values of a class.
fn counted(count: u64, class: u16, place: u8) -> (ArgumentKey, Evidence) {
    let seen = SeenValue::new(0, class, place, abi::X86_64).of_any();
    (ArgumentKey { cgroup: CGROUP, seen }, evidence(0, count, ""))
}

/// A container in which the runtime made the call, and the workload as well when it did.
fn of_socket(values: &[(ArgumentKey, Evidence)], by_workload: bool) -> Vec<Argument> {
    let mut record = CgroupRecord::EMPTY;
    if by_workload {
        record.container_watched[0] = 1 << place("socket", 0);
    }
    let key =
        |number| EvidenceKey { cgroup: CGROUP, number, class: SET_UP, compat: 0, reserved: 0 };
    let evidence = [(key(165), evidence(1, 1, "runc")), (key(SOCKET), evidence(2, 1, "runc"))];
    let phases = decide(&record.with_watched_calls(), &evidence, CgroupKind::Container);
    SeenValues::new(values).of_call((Abi::X86_64, SOCKET), &phases, 1_000_000_000)
}

fn numbers(argument: &Argument) -> Vec<u64> {
    argument.values.iter().map(|value| value.value).collect()
}

#[test]
fn values_are_those_of_the_phases_that_count() {
    let [domain, kind, protocol] = [0, 1, 2].map(|index| place("socket", index));
    let values = [
        value(16, SET_UP, domain, 5, "runc"),
        value(10, WORKLOAD, domain, 1_500_000_000, "late"),
        value(2, WORKLOAD, domain, 1_250_000_000, "web"),
        // The same again, in another class and earlier.
        value(10, class::STARTED, domain, 1_125_000_000, "first"),
        value(1, WORKLOAD, kind, 0, "web"),
        value(0, WORKLOAD, protocol, 0, "web"),
        counted(2, WORKLOAD, domain),
    ];
    let found = of_socket(&values, true);
    let shown: Vec<_> = found.iter().map(|one| (one.index, one.any, numbers(one))).collect();
    assert_eq!(shown, [(0, false, vec![2, 10]), (1, false, vec![1]), (2, false, vec![0])]);
    let [two, ten] = found[0].values.as_slice() else { panic!("{found:?}") };
    assert_eq!((two.first_seen_seconds, two.command.as_deref()), (Some(0.25), Some("web")));
    assert_eq!((ten.first_seen_seconds, ten.command.as_deref()), (Some(0.125), Some("first")));
    assert_eq!(found[1].values[0].first_seen_seconds, Some(0.0), "before the beginning");
}

#[test]
fn a_call_of_the_runtime_alone_has_the_runtime_s_values() {
    let places = [0, 1, 2].map(|index| place("socket", index));
    let values = places.map(|place| value(16, SET_UP, place, 5, "runc"));
    let found = of_socket(&values, false);
    assert!(found.iter().all(|one| numbers(one) == [16]), "{found:?}");
}

#[test]
fn too_many_values_of_one_class_are_any() {
    let [domain, kind, protocol] = [0, 1, 2].map(|index| place("socket", index));
    let most = MOST_VALUES as u64;
    let mut values: Vec<_> =
        (0..=MOST_VALUES as u32).map(|one| value(one, WORKLOAD, domain, 9, "web")).collect();
    values.extend([
        counted(most + 1, WORKLOAD, domain),
        value(1, WORKLOAD, kind, 9, "web"),
        counted(most, WORKLOAD, kind),
        value(0, WORKLOAD, protocol, 9, "web"),
        // The runtime's are none of the workload's.
        counted(most + 1, SET_UP, protocol),
    ]);
    let found = of_socket(&values, true);
    let shown: Vec<_> = found.iter().map(|one| (one.any, numbers(one))).collect();
    assert_eq!(shown, [(true, vec![]), (false, vec![1]), (false, vec![0])]);
    let unreadable =
        [value(1, WORKLOAD, kind, 9, "web"), counted(kind::UNREADABLE | 1, WORKLOAD, kind)];
    assert!(of_socket(&unreadable, true)[1].any);
}

#[test]
fn what_found_no_place_is_any() {
    assert!(of_socket(&[], true).iter().all(|one| one.any && one.values.is_empty()));
}

#[test]
fn other_calls_have_no_arguments() {
    let phases = decide(&CgroupRecord::EMPTY, &[], CgroupKind::Unknown);
    let found = SeenValues::default().of_call((Abi::X86_64, SOCKET), &phases, 0);
    assert!(found.is_empty(), "not made: {found:?}");
    for (abi, number) in [(0, 0), (0, -1), (0, i32::MAX), (0, 1023), (1, 41), (2, 16)] {
        assert_eq!(WatchedArgument::of_call(abi, number).count(), 0, "{abi} {number}");
    }
}

/// Every entry is found by its number in each ABI, whose tables know the call by that name.
#[test]
fn the_table_is_that_of_the_kernel() {
    for (index, entry) in tracer_ebpf::arguments::ARGUMENTS.iter().enumerate() {
        for abi in Abi::ALL {
            let number = match abi {
                Abi::X86_64 => entry.numbers.x86_64,
                Abi::I386 => entry.numbers.i386,
                Abi::X32 => entry.numbers.x32,
            };
            // The mmap of i386 takes its arguments from memory.
            let named = crate::syscalls::number(abi, entry.call)
                .filter(|_| (abi, entry.call) != (Abi::I386, "mmap"));
            assert_eq!(named.unwrap_or(-1), number, "{} of {}", entry.call, abi.name());
            let mut of_call = WatchedArgument::of_call(abi as usize, number);
            assert_eq!(of_call.any(|(found, _)| found == index), number >= 0, "{entry:?}");
        }
    }
}

#[test]
fn what_is_never_written_is_told() {
    let value = |value| ArgumentValue { value, first_seen_seconds: Some(0.5), command: None };
    let late = ArgumentValue { first_seen_seconds: Some(-1.0), ..value(1) };
    let long = ArgumentValue { command: Some(escape(&"x".repeat(MAX_TEXT + 1))), ..value(1) };
    let good = Argument { index: 5, mask: 7, values: vec![value(1), value(4)], any: false };
    let any = Argument { index: 5, mask: 3, values: Vec::new(), any: true };
    assert_eq!(mistaken(&[good.clone(), any.clone()]), None);
    let wrong = [
        vec![Argument { index: 6, ..good.clone() }],
        vec![good.clone(), Argument { mask: 7, ..any.clone() }],
        vec![Argument { any: true, ..good.clone() }],
        vec![Argument { any: false, ..any }],
        vec![Argument { values: vec![value(8)], ..good.clone() }],
        vec![Argument { values: vec![late], ..good.clone() }],
        vec![Argument { values: vec![long], ..good.clone() }],
        vec![Argument { values: vec![value(4), value(1)], ..good.clone() }],
        vec![Argument { values: vec![value(4), value(4)], ..good }],
    ];
    for arguments in wrong {
        assert!(mistaken(&arguments).is_some(), "{arguments:?}");
    }
}
