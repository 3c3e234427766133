//! The argument by which a profile tells the calls of one name apart.

use tracer_ebpf::arguments::{Source, WatchedArgument};

use super::{
    oci::{Condition, Operator},
    policy::{CallDecision, Policy, Verdict},
};
use crate::syscalls::{self, Abi, arguments};

/// The calls whose arguments the defaults of Docker and containerd look at.
const OF_DEFAULTS: [&str; 3] = ["clone", "personality", "socket"];

/// The argument by which a profile tells the calls of a name apart, or should; None when it is the
/// name alone.
pub(super) fn argument(abi: Abi, name: &str, policy: &Policy) -> Option<&'static WatchedArgument> {
    let mut watched =
        arguments::watched(abi, name).filter(|argument| argument.source == Source::Register);
    match decision(abi, name, policy) {
        Some(CallDecision::When(rules)) => {
            let conditions: Vec<&Condition> = rules.iter().flat_map(|(all, _)| all).collect();
            let argument = by_conditions(watched, &conditions)?;
            // What refuses more than one value cannot be taken out for one.
            let mut refusing = rules.iter().filter(|(_, verdict)| verdict.refuses());
            let is_one = |(all, _): &(Vec<Condition>, Verdict)| match all.as_slice() {
                [one] => refuses_one_value(one, argument),
                _ => false,
            };
            refusing.all(is_one).then_some(argument)
        }
        Some(CallDecision::Always(_)) => None,
        None if matches!(policy.default_verdict(), Verdict::Allow | Verdict::Trace(_)) => None,
        // A profile that looks at more than the defaults do looks at all that was seen.
        None if looks_at(policy, |other| !OF_DEFAULTS.contains(&other)) => watched.next(),
        None if looks_at(policy, |other| OF_DEFAULTS.contains(&other)) => {
            watched.find(|_| OF_DEFAULTS.contains(&name)).map(|first| widest(abi, name, first))
        }
        None => None,
    }
}

/// Whether a condition is about one value of the argument.
fn refuses_one_value(condition: &Condition, argument: &WatchedArgument) -> bool {
    let mask = match condition.operator {
        Operator::Equal => u64::MAX,
        Operator::MaskedEqual => condition.value,
        _ => 0,
    };
    condition.index == argument.index && mask & argument.mask == argument.mask
}

/// The argument that the conditions are about; of several entries of the table, that with their
/// mask.
fn by_conditions(
    watched: impl Iterator<Item = &'static WatchedArgument>,
    conditions: &[&Condition],
) -> Option<&'static WatchedArgument> {
    let about = |argument: &WatchedArgument| {
        conditions.iter().any(|condition| condition.index == argument.index)
    };
    let has_mask = |argument: &WatchedArgument| {
        conditions.iter().any(|condition| {
            condition.index == argument.index
                && condition.operator == Operator::MaskedEqual
                && condition.value == argument.mask
        })
    };
    let about: Vec<_> = watched.filter(|argument| about(argument)).collect();
    let first = about.first()?;
    let same = about.iter().filter(|argument| argument.index == first.index);
    same.clone().find(|argument| has_mask(argument)).or_else(|| same.clone().next_back()).copied()
}

/// Of the entries of the table about one argument that with the fewest bits.
pub(super) fn widest(
    abi: Abi,
    name: &str,
    first: &'static WatchedArgument,
) -> &'static WatchedArgument {
    let same = arguments::watched(abi, name).filter(|other| other.index == first.index);
    same.min_by_key(|argument| argument.mask.count_ones()).unwrap_or(first)
}

/// What the profile says of a call. Of an ABI that it does not list: what it would say.
fn decision<'a>(abi: Abi, name: &str, policy: &'a Policy) -> Option<&'a CallDecision> {
    let listed = if policy.table(abi).is_some() { abi } else { Abi::NATIVE };
    let number = syscalls::number(listed, name).and_then(|number| u32::try_from(number).ok())?;
    policy.table(listed)?.get(&number)
}

/// Whether the profile looks at the arguments of a call of the table, of those that are asked for.
fn looks_at(policy: &Policy, is_asked: impl Fn(&str) -> bool) -> bool {
    let Some(table) = policy.table(Abi::NATIVE) else { return false };
    let conditional =
        table.iter().filter(|(_, decision)| matches!(decision, CallDecision::When(_)));
    let names = conditional
        .filter_map(|(number, _)| syscalls::name(Abi::NATIVE, i32::try_from(*number).ok()?));
    names.filter(|name| arguments::watched(Abi::NATIVE, name).next().is_some()).any(is_asked)
}
