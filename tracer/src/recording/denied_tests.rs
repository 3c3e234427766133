//! Tests of [`super`].

use super::*;
use crate::{recording::testing, text::escape};

const SOCKET: (Abi, i32, DenyOutcome) = (Abi::X86_64, 41, DenyOutcome::Errno(1));

fn seen(first: u64, count: u64, arguments: Option<[u64; 6]>) -> DeniedValue {
    DeniedValue {
        first,
        last: first,
        count,
        command: escape(&format!("at{first}")),
        denied_in_phase: Phase::Workload,
        circumstances: Some(testing::circumstances(first as u32, arguments)),
        untold: false,
    }
}

fn socket(family: u64) -> Option<[u64; 6]> {
    Some([family, 1, 0, 9, 9, 9])
}

fn gathered(call: (Abi, i32, DenyOutcome), all: Vec<DeniedValue>) -> Call {
    let mut by_values = ByValues::default();
    for one in all {
        let values = made::values(call.0, syscalls::name(call.0, call.1), one.made());
        by_values.add(values, one);
    }
    by_values.call(call, false, |time| time as f64)
}

fn shown(call: &Call) -> Vec<(Option<u64>, Option<u64>, Option<String>)> {
    let family = |call: &Call| Some(call.circumstances.as_ref()?.arguments?[0]);
    by_values(call)
        .into_iter()
        .map(|one| (family(&one), one.count, one.command.map(String::from)))
        .collect()
}

#[test]
fn values_stand_in_the_order_of_time_and_counts_add_up() {
    let all = vec![seen(7, 2, socket(38)), seen(3, 1, socket(40)), seen(9, 5, socket(38))];
    let call = gathered(SOCKET, all);
    assert_eq!((call.count, call.command.as_deref()), (Some(8), Some("at3")));
    let at = |family, count, command: &str| (Some(family), Some(count), Some(command.to_owned()));
    assert_eq!(shown(&call), [at(40, 1, "at3"), at(38, 7, "at7")]);
    let families = &call.arguments[0];
    assert_eq!((families.index, families.any), (0, false));
    let values: Vec<u64> = families.values.iter().map(|one| one.value).collect();
    assert_eq!(values, [38, 40]);
    assert_eq!(families.values[0].first_seen_seconds, Some(7.0));
    assert_eq!(call.arguments.len(), 3);
    assert_eq!(call.arguments[1].values.len(), 1);
}

#[test]
fn what_does_not_count_tells_nothing_apart() {
    let garbage = Some([40 | 1 << 40, 0x8_0801, 1 << 32, 1, 2, 3]);
    let call = gathered(SOCKET, vec![seen(1, 1, socket(40)), seen(2, 1, garbage)]);
    assert_eq!(shown(&call).len(), 1);
    let mkdir = (Abi::X86_64, 83, DenyOutcome::Errno(1));
    let call = gathered(mkdir, vec![seen(1, 1, socket(1)), seen(2, 1, socket(2))]);
    assert_eq!((shown(&call).len(), call.count), (1, Some(2)));
    assert!(call.arguments.is_empty());
}

#[test]
fn values_that_are_not_told_apart_are_counted() {
    let all = (0..16).map(|at| seen(at, 1, socket(at))).collect();
    let call = gathered(SOCKET, all);
    assert_eq!((shown(&call).len(), call.arguments[0].any), (16, false));
    // More than the kernel side tells apart, or than two classes together have.
    let further = DeniedValue { untold: true, ..seen(30, 4, socket(99)) };
    let all = (0..17).map(|at| seen(at, 1, socket(at))).chain([further]).collect();
    let call = gathered(SOCKET, all);
    let shown = shown(&call);
    assert_eq!((shown.len(), &shown[16]), (17, &(None, Some(5), None)));
    assert!(call.arguments[0].any && call.arguments[0].values.is_empty());
    assert_eq!(call.count, Some(21));
    let last = by_values(&call).pop().expect("the rest");
    assert!(last.arguments.iter().all(|argument| argument.any));
}

#[test]
fn without_arguments_every_value_counts() {
    let call = gathered(SOCKET, vec![seen(1, 3, None)]);
    assert_eq!(shown(&call), [(None, Some(3), Some("at1".to_owned()))]);
    assert!(call.arguments.iter().all(|argument| argument.any));
}
