//! The values of arguments that were seen.

use std::collections::{BTreeMap, BTreeSet};

use tracer_ebpf::{
    ArgumentKey, Evidence,
    arguments::{MOST_VALUES, WatchedArgument},
};

use super::{
    Phase,
    argument::{Argument, ArgumentValue},
    facts::seconds_between,
    limits::{MAX_SECONDS, MAX_TEXT},
    phases::Phases,
};
use crate::{syscalls::Abi, text::escape_c_string};

/// What the kernel side saw of one argument: its index in the table, and the ABI.
type Place = (Abi, usize);

/// The values that the kernel side saw in one cgroup, by argument.
#[derive(Default)]
pub(super) struct SeenValues(BTreeMap<Place, Vec<(ArgumentKey, Evidence)>>);

impl SeenValues {
    /// Those of a cgroup; `values` are of no other.
    pub(super) fn new(values: &[(ArgumentKey, Evidence)]) -> Self {
        let mut seen = Self::default();
        for (key, evidence) in values {
            let place = (abi(key.seen.abi()), key.seen.argument());
            seen.0.entry(place).or_default().push((*key, *evidence));
        }
        seen
    }

    /// What was seen of the arguments of a call that was made, in the phases that count: times are
    /// counted from `began`, in nanoseconds since boot.
    pub(super) fn of_call(&self, call: (Abi, i32), phases: &Phases, began: u64) -> Vec<Argument> {
        let Some(decision) = phases.calls.get(&call) else { return Vec::new() };
        let counts = |class: u16| {
            let phase = phases.decision(class).phase;
            phase == decision.phase || is_allowed(phase) && is_allowed(decision.phase)
        };
        let (abi, number) = call;
        let entries = WatchedArgument::of_call(abi as usize, number);
        let argument = |(place, entry): (usize, &WatchedArgument)| {
            let seen = self.0.get(&(abi, place)).into_iter().flatten();
            let seen = seen.filter(|(key, _)| counts(key.seen.class()));
            argument(entry, seen, began)
        };
        entries.map(argument).collect()
    }
}

/// A profile allows what was seen in this phase.
fn is_allowed(phase: Phase) -> bool {
    matches!(phase, Phase::ContainerInit | Phase::Workload)
}

fn argument<'a>(
    entry: &WatchedArgument,
    seen: impl Iterator<Item = &'a (ArgumentKey, Evidence)>,
    began: u64,
) -> Argument {
    let mut first: BTreeMap<u64, &Evidence> = BTreeMap::new();
    let mut any = false;
    for (key, evidence) in seen {
        if key.seen.is_any() {
            any |= evidence.count > MOST_VALUES as u64;
            continue;
        }
        let known = first.entry(u64::from(key.seen.value())).or_insert(evidence);
        if evidence.first_seen < known.first_seen {
            *known = evidence;
        }
    }
    // The call was made, and what it passed found no place.
    any |= first.is_empty();
    let value = |(value, evidence): (u64, &Evidence)| ArgumentValue {
        value,
        // What was seen while the program was being attached was seen at the beginning.
        first_seen_seconds: Some(seconds_between(began, evidence.first_seen).max(0.0)),
        command: Some(escape_c_string(&evidence.command)),
    };
    let values = if any { Vec::new() } else { first.into_iter().map(value).collect() };
    Argument { index: entry.index, mask: entry.mask, values, any }
}

fn abi(of: u8) -> Abi {
    let known = Abi::ALL.into_iter().find(|abi| abi.description().argument_kind == of);
    known.unwrap_or(Abi::NATIVE)
}

/// How many arguments a call has.
const ARGUMENTS: u8 = 6;

/// What is wrong with what a file says of a call's arguments; None when it is as it is written.
pub(super) fn mistaken(arguments: &[Argument]) -> Option<&'static str> {
    let mut seen = BTreeSet::new();
    for Argument { index, mask, values, any } in arguments {
        if *index >= ARGUMENTS {
            return Some("an \"index\" is above 5");
        }
        if !seen.insert((index, mask)) {
            return Some("an \"index\" comes twice with one \"mask\"");
        }
        if *any != values.is_empty() {
            return Some("one has neither \"values\" nor \"any\", or both");
        }
        if values.iter().any(|value| value.value & !mask != 0) {
            return Some("a value has bits that its \"mask\" does not");
        }
        let is_time = |seconds: &f64| (0.0..=MAX_SECONDS).contains(seconds);
        if values.iter().any(|value| !value.first_seen_seconds.iter().all(is_time)) {
            return Some("a \"first_seen_seconds\" is no time that a recording takes");
        }
        if values
            .iter()
            .any(|value| value.command.as_ref().is_some_and(|name| name.len() > MAX_TEXT))
        {
            return Some("a \"command\" is longer than a recording allows");
        }
        if !values.is_sorted_by(|one, next| one.value < next.value) {
            return Some("\"values\" are not sorted, or one comes twice");
        }
    }
    None
}

#[cfg(test)]
#[path = "arguments_tests.rs"]
mod tests;
