//! What a profile is to allow so that a refused call is made: the call, or the value that it was
//! made with.
//!
//! A profile that looks at the arguments of a call stays one: it gets the value that was refused,
//! as one more rule with one condition. Two conditions in one rule mean different things to
//! different runtimes, and an order of numbers does to libseccomp before 2.6.1.

use std::{collections::BTreeSet, fmt};

use tracer_ebpf::arguments::{NEW_TIME, Source, WatchedArgument};

use super::{
    arguments::{CLONE, CLONE3},
    deciding_argument::{argument, widest},
    oci::Condition,
    policy::{CallDecision, Policy, Verdict},
};
use crate::{
    recording::{Argument, Call, Circumstances, DenyOutcome},
    syscalls::{self, arguments},
};

/// A value that a call is to be allowed with: `argument & mask == value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AddedValue {
    /// The call.
    pub name: &'static str,
    /// Which argument, from 0.
    pub index: u8,
    /// The bits of it that count.
    pub mask: u64,
    /// The value, cut to these.
    pub value: u64,
}

impl fmt::Display for AddedValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&arguments::value(self.name, self.index, self.value))
    }
}

/// What is to be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Widening {
    /// The call, whatever its arguments are.
    Call(&'static str),
    /// The call with this value.
    Value(AddedValue),
}

impl Widening {
    /// The value, when it is one.
    pub(super) fn value(self) -> Option<AddedValue> {
        match self {
            Self::Value(value) => Some(value),
            Self::Call(_) => None,
        }
    }
}

/// What is to be allowed so that a refused call is made, or the one that C libraries make in its
/// place; nothing when its number has no name, or that one is allowed.
pub fn widenings(call: &Call, policy: &Policy) -> Vec<Widening> {
    let Some(name) = syscalls::name(call.abi, call.number) else { return Vec::new() };
    if is_left_to_clone(call) {
        return clone_instead(call, policy).map(Widening::Value).into_iter().collect();
    }
    let values = argument(call.abi, name, policy).map(|argument| {
        let value = |value| {
            Widening::Value(AddedValue { name, index: argument.index, mask: argument.mask, value })
        };
        values(call, argument, policy).into_iter().map(value).collect::<Vec<_>>()
    });
    let values = values.unwrap_or_default();
    if values.is_empty() { vec![Widening::Call(name)] } else { values }
}

/// The values of an argument that a call was refused with; nothing when they are not known.
fn values(call: &Call, argument: &WatchedArgument, policy: &Policy) -> Vec<u64> {
    let made = call.circumstances.as_ref().map(Circumstances::made).unwrap_or_default();
    if let Some(value) = made.value(argument) {
        return vec![value];
    }
    if call.outcome != Some(DenyOutcome::Logged) {
        return Vec::new();
    }
    // It was made, perhaps with values of which nothing is logged as well.
    let number = u32::try_from(call.number).unwrap_or(u32::MAX);
    let is_logged = |value: &u64| {
        let mut arguments = [0; 6];
        arguments[usize::from(argument.index)] = *value;
        policy.decide(call.abi, number, &arguments) == Verdict::Log
    };
    let is_same = |seen: &&Argument| seen.index == argument.index && seen.mask == argument.mask;
    let seen = call.arguments.iter().filter(is_same).flat_map(|seen| &seen.values);
    seen.map(|seen| seen.value).filter(is_logged).collect()
}

/// Whether a refused call is to fail with ENOSYS, and not to be allowed: no filter sees the flags
/// of `clone3`, and C libraries go on to `clone`. Not when it was seen to do what `clone` cannot.
pub fn is_left_to_clone(call: &Call) -> bool {
    let made = call.circumstances.as_ref().map(Circumstances::made).unwrap_or_default();
    let needs_it = made.pointed.is_some_and(|flags| flags & NEW_TIME != 0);
    syscalls::name(call.abi, call.number) == Some(CLONE3) && !needs_it
}

/// The value that `clone` is to be allowed with in the place of a refused `clone3`: with no
/// namespace when its flags are not known. None when it is allowed.
fn clone_instead(call: &Call, policy: &Policy) -> Option<AddedValue> {
    let made = call.circumstances.as_ref().map(Circumstances::made).unwrap_or_default();
    let flags = made.pointed.unwrap_or(0);
    let number = syscalls::number(call.abi, CLONE).and_then(|number| u32::try_from(number).ok())?;
    if policy.decide(call.abi, number, &[flags, 0, 0, 0, 0, 0]).lets_pass() {
        return None;
    }
    let first = arguments::watched(call.abi, CLONE).next()?;
    let argument = argument(call.abi, CLONE, policy);
    let argument = argument.unwrap_or_else(|| widest(call.abi, CLONE, first));
    let WatchedArgument { index, mask, .. } = *argument;
    Some(AddedValue { name: CLONE, index, mask, value: flags & mask })
}

/// What is to be allowed for several calls: the names, and the values of those that are not among
/// these.
pub fn all<'a>(
    calls: impl IntoIterator<Item = &'a Call>,
    policy: &Policy,
) -> (BTreeSet<&'static str>, BTreeSet<AddedValue>) {
    let (mut names, mut values) = (BTreeSet::new(), BTreeSet::new());
    for widening in calls.into_iter().flat_map(|call| widenings(call, policy)) {
        match widening {
            Widening::Call(name) => {
                names.insert(name);
            }
            Widening::Value(value) => {
                values.insert(value);
            }
        }
    }
    values.retain(|value| !names.contains(value.name));
    (names, values)
}

/// Whether a profile lets a call pass that was refused: then it was not the profile that refused
/// it. None when that depends on what is not known.
pub(super) fn lets_pass(call: &Call, policy: &Policy) -> Option<bool> {
    let number = u32::try_from(call.number).ok()?;
    let Some(CallDecision::When(rules)) = policy.table(call.abi)?.get(&number) else { return None };
    let looked_at: BTreeSet<u8> =
        arguments::watched(call.abi, syscalls::name(call.abi, call.number)?)
            .filter(|argument| argument.source == Source::Register)
            .map(|argument| argument.index)
            .collect();
    // Calls that differ in another argument are not distinguished.
    let is_told = |condition: &Condition| looked_at.contains(&condition.index);
    if !rules.iter().flat_map(|(all, _)| all).all(is_told) {
        return None;
    }
    let made = call.circumstances.as_ref()?.arguments?;
    let verdict = policy.decide(call.abi, number, &made);
    Some(verdict.lets_pass() && verdict != Verdict::Log)
}

#[cfg(test)]
#[path = "widening_tests.rs"]
mod tests;
