//! What a profile is to allow so that a refused call is made: the call, or the value that it was made with.
//!
//! A profile that looks at the arguments of a call stays one: it gets the value that was refused, as one more rule with one condition.
//! Two conditions in one rule mean different things to different runtimes, and an order of numbers does to libseccomp before 2.6.1.

use std::{collections::BTreeSet, fmt};

use tracer_ebpf::arguments::{NEW_TIME, Source, WatchedArgument};

use super::{
    arguments::{CLONE, CLONE3},
    oci::{Condition, Operator},
    policy::{Decision, Policy, Verdict},
};
use crate::{
    recording::{Call, Circumstances, Refusal, arguments::Argument},
    syscalls::{self, Abi, arguments},
};

/// The calls whose arguments the defaults of Docker and containerd look at.
const OF_DEFAULTS: [&str; 3] = ["clone", "personality", "socket"];

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

/// What is to be allowed so that a refused call is made, or the one that C libraries make in its place; nothing when its number has no
/// name, or that one is allowed.
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
    if call.refused != Some(Refusal::Logged) {
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

/// Whether a refused call is to fail with ENOSYS, and not to be allowed: no filter sees the flags of `clone3`, and C libraries go on to
/// `clone`. Not when it was seen to do what `clone` cannot.
pub fn is_left_to_clone(call: &Call) -> bool {
    let made = call.circumstances.as_ref().map(Circumstances::made).unwrap_or_default();
    let needs_it = made.pointed.is_some_and(|flags| flags & NEW_TIME != 0);
    syscalls::name(call.abi, call.number) == Some(CLONE3) && !needs_it
}

/// The value that `clone` is to be allowed with in the place of a refused `clone3`: with no namespace when its flags are not known. None
/// when it is allowed.
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

/// What is to be allowed for several calls: the names, and the values of those that are not among these.
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

/// The argument by which a profile tells the calls of a name apart, or should; None when it is the name alone.
fn argument(abi: Abi, name: &str, policy: &Policy) -> Option<&'static WatchedArgument> {
    let mut watched =
        arguments::watched(abi, name).filter(|argument| argument.source == Source::Register);
    match decision(abi, name, policy) {
        Some(Decision::When(rules)) => {
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
        Some(Decision::Always(_)) => None,
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

/// The argument that the conditions are about; of several entries of the table, that with their mask.
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
fn widest(abi: Abi, name: &str, first: &'static WatchedArgument) -> &'static WatchedArgument {
    let same = arguments::watched(abi, name).filter(|other| other.index == first.index);
    same.min_by_key(|argument| argument.mask.count_ones()).unwrap_or(first)
}

/// What the profile says of a call. Of an ABI that it does not list: what it would say.
fn decision<'a>(abi: Abi, name: &str, policy: &'a Policy) -> Option<&'a Decision> {
    let listed = if policy.table(abi).is_some() { abi } else { Abi::X86_64 };
    let number = syscalls::number(listed, name).and_then(|number| u32::try_from(number).ok())?;
    policy.table(listed)?.get(&number)
}

/// Whether the profile looks at the arguments of a call of the table, of those that are asked for.
fn looks_at(policy: &Policy, is_asked: impl Fn(&str) -> bool) -> bool {
    let Some(table) = policy.table(Abi::X86_64) else { return false };
    let conditional = table.iter().filter(|(_, decision)| matches!(decision, Decision::When(_)));
    let names = conditional
        .filter_map(|(number, _)| syscalls::name(Abi::X86_64, i32::try_from(*number).ok()?));
    names.filter(|name| arguments::watched(Abi::X86_64, name).next().is_some()).any(is_asked)
}

/// Whether a profile lets a call pass that was refused: then it was not the profile that refused it. None when that depends on what is
/// not known.
pub(super) fn lets_pass(call: &Call, policy: &Policy) -> Option<bool> {
    let number = u32::try_from(call.number).ok()?;
    let Some(Decision::When(rules)) = policy.table(call.abi)?.get(&number) else { return None };
    let looked_at: BTreeSet<u8> =
        arguments::watched(call.abi, syscalls::name(call.abi, call.number)?)
            .filter(|argument| argument.source == Source::Register)
            .map(|argument| argument.index)
            .collect();
    // Calls that differ in another argument are not told apart.
    let is_told = |condition: &Condition| looked_at.contains(&condition.index);
    if !rules.iter().flat_map(|(all, _)| all).all(is_told) {
        return None;
    }
    let made = call.circumstances.as_ref()?.arguments?;
    let verdict = policy.decide(call.abi, number, &made);
    Some(verdict.lets_pass() && verdict != Verdict::Log)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        profile::{oci, policy::Host},
        recording::{Phase, arguments::ArgumentValue},
    };

    fn of_default(rules: &str, default: &str) -> Policy {
        let text = format!(
            r#"{{"defaultAction":"SCMP_ACT_{default}","architectures":["SCMP_ARCH_X86_64"],"syscalls":[{rules}]}}"#
        );
        let profile = oci::read(text.as_bytes()).expect("a profile");
        Policy::new(&profile, &Host::default()).expect("a policy")
    }

    fn policy(rules: &str) -> Policy {
        of_default(rules, "ERRNO")
    }

    fn rule(names: &str, action: &str, conditions: &[(u8, &str, u64, u64)]) -> String {
        let conditions: Vec<String> = conditions
            .iter()
            .map(|(index, operator, value, two)| {
                format!(
                    r#"{{"index":{index},"op":"SCMP_CMP_{operator}","value":{value},"valueTwo":{two}}}"#
                )
            })
            .collect();
        format!(
            r#"{{"names":["{names}"],"action":"SCMP_ACT_{action}","args":[{}]}}"#,
            conditions.join(",")
        )
    }

    fn denied(abi: Abi, name: &str, arguments: Option<[u64; 6]>) -> Call {
        let circumstances = Circumstances {
            process: 1,
            arguments,
            pointed: None,
            next: None,
            others: Vec::new(),
            untold: 0,
        };
        Call {
            abi,
            number: syscalls::number(abi, name).expect("a call"),
            name: Some(name.to_owned()),
            phase: Phase::Denied,
            other_phases: Vec::new(),
            count: Some(1),
            first_seen_seconds: None,
            command: None,
            ambiguous: false,
            refused: Some(Refusal::Errno(1)),
            during: Some(Phase::Workload),
            doubtful: false,
            circumstances: Some(circumstances),
            arguments: Vec::new(),
        }
    }

    fn widened(name: &str, arguments: [u64; 6], policy: &Policy) -> Option<(u8, u64, u64)> {
        match widenings(&denied(Abi::X86_64, name, Some(arguments)), policy)[..] {
            [Widening::Value(value)] => Some((value.index, value.mask, value.value)),
            [Widening::Call(found)] => {
                assert_eq!(found, name);
                None
            }
            ref several => panic!("{name}: {several:?}"),
        }
    }

    fn first(call: &Call, policy: &Policy) -> Option<Widening> {
        widenings(call, policy).first().copied()
    }

    const UNIX: (u8, &str, u64, u64) = (0, "EQ", 1, 0);
    const LOWER: u64 = 0xffff_ffff;

    #[test]
    fn a_call_that_is_allowed_for_some_arguments_gets_the_value() {
        let socket = policy(&rule("socket", "ALLOW", &[UNIX]));
        let vsock = [0xdead_0000_0000_0028, 1, 0, 0, 0, 0];
        assert_eq!(widened("socket", vsock, &socket), Some((0, LOWER, 40)));
        // By the argument that the profile looks at.
        let kind = policy(&rule("socket", "ALLOW", &[(1, "EQ", 1, 0)]));
        let raw = [2, 3 | 0x8_0800, 0, 0, 0, 0];
        assert_eq!(widened("socket", raw, &kind), Some((1, 0xfff7_f7ff, 3)));
        let namespaces = 0x7e02_0000;
        let docker = policy(&rule("clone", "ALLOW", &[(0, "MASKED_EQ", namespaces, 0)]));
        let unshared = [0x1000_0111, 0, 0, 0, 0, 0];
        assert_eq!(widened("clone", unshared, &docker), Some((0, namespaces, 0x1000_0000)));
        let all = namespaces | 0x8001_ef00;
        let observed = policy(&rule("clone", "ALLOW", &[(0, "MASKED_EQ", all, 0)]));
        assert_eq!(widened("clone", unshared, &observed), Some((0, all, 0x1000_0100)));
        let any_condition = policy(&rule("clone", "ALLOW", &[(0, "EQ", 0, 0)]));
        assert_eq!(widened("clone", unshared, &any_condition), Some((0, namespaces, 0x1000_0000)));
    }

    #[test]
    fn a_value_that_is_refused_by_itself_is_told() {
        let vsock = [40, 1, 0, 0, 0, 0];
        for refused in [(0, "EQ", 40, 0), (0, "MASKED_EQ", LOWER, 40)] {
            let rules = [rule("socket", "ALLOW", &[UNIX]), rule("socket", "KILL", &[refused])];
            assert_eq!(widened("socket", vsock, &policy(&rules.join(","))), Some((0, LOWER, 40)));
        }
    }

    #[test]
    fn what_no_value_tells_apart_is_allowed_by_its_name() {
        let never = [(0, "EQ", 4711, 0)];
        let kill = policy(&rule("kill", "ALLOW", &[(1, "EQ", 0, 0)]));
        assert_eq!(widened("kill", [1; 6], &kill), None, "not in the table");
        let other = policy(&rule("ioctl", "ALLOW", &[(0, "EQ", 1, 0)]));
        assert_eq!(widened("ioctl", [1; 6], &other), None, "another argument than the table's");
        for refused in [(0, "LT", 41, 0), (0, "MASKED_EQ", 0xf8, 40)] {
            let refusing = policy(&rule("socket", "KILL", &[refused]));
            assert_eq!(widened("socket", [40, 1, 0, 0, 0, 0], &refusing), None, "{refused:?}");
        }
        let without = denied(Abi::X86_64, "socket", None);
        let socket = policy(&rule("socket", "ALLOW", &never));
        assert_eq!(widenings(&without, &socket), [Widening::Call("socket")]);
        let nameless = Call { number: 9999, ..without };
        assert_eq!(widenings(&nameless, &socket), []);
    }

    #[test]
    fn a_call_that_is_absent_gets_the_value_where_the_profile_looks_at_arguments() {
        let unix = [1, 1, 0, 0, 0, 0];
        let new_user = [0x1000_0011, 0, 0, 0, 0, 0];
        let names = policy(&rule("read", "ALLOW", &[]));
        assert_eq!(widened("socket", unix, &names), None);
        assert_eq!(widened("clone", new_user, &names), None);
        // As the defaults do.
        let defaults = policy(&rule("personality", "ALLOW", &[(0, "EQ", 0, 0)]));
        assert_eq!(widened("socket", unix, &defaults), Some((0, LOWER, 1)));
        assert_eq!(widened("clone", new_user, &defaults), Some((0, 0x7e02_0000, 0x1000_0000)));
        assert_eq!(widened("ioctl", [3, 0x5401, 0, 0, 0, 0], &defaults), None);
        assert_eq!(widened("mkdir", [3; 6], &defaults), None);
        // As `observed` does.
        let observed = policy(&rule("prctl", "ALLOW", &[(0, "EQ", 15, 0)]));
        assert_eq!(widened("ioctl", [3, 0x5401, 0, 0, 0, 0], &observed), Some((1, LOWER, 0x5401)));
        assert_eq!(widened("unshare", new_user, &observed), Some((0, LOWER, 0x1000_0011)));
    }

    #[test]
    fn what_was_only_logged_gets_the_values_that_are_logged() {
        let logging = of_default(&rule("socket", "ALLOW", &[UNIX]), "LOG");
        let value = |value| ArgumentValue { value, first_seen_seconds: None, command: None };
        let seen = |values: &[u64], any| Argument {
            index: 0,
            mask: LOWER,
            values: values.iter().copied().map(value).collect(),
            any,
        };
        let logged = |arguments| {
            let call = denied(Abi::X86_64, "socket", None);
            let refused = Some(Refusal::Logged);
            widenings(&Call { circumstances: None, refused, arguments, ..call }, &logging)
        };
        let value =
            |value| Widening::Value(AddedValue { name: "socket", index: 0, mask: LOWER, value });
        assert_eq!(logged(vec![seen(&[1, 2, 40], false)]), [value(2), value(40)]);
        for unknown in [vec![], vec![seen(&[], true)], vec![seen(&[1], false)]] {
            assert_eq!(logged(unknown), [Widening::Call("socket")]);
        }
    }

    #[test]
    fn an_abi_that_is_not_listed_is_judged_as_if_it_were() {
        let socket = policy(&rule("socket", "ALLOW", &[UNIX]));
        let inet = denied(Abi::I386, "socket", Some([2, 1, 0, 0, 0, 0]));
        let value = AddedValue { name: "socket", index: 0, mask: LOWER, value: 2 };
        assert_eq!(widenings(&inet, &socket), [Widening::Value(value)]);
        assert_eq!(value.to_string(), "AF_INET");
    }

    #[test]
    fn a_name_makes_its_values_needless() {
        let socket = policy(&rule("socket", "ALLOW", &[UNIX]));
        let known = denied(Abi::X86_64, "socket", Some([2, 1, 0, 0, 0, 0]));
        let unknown = denied(Abi::X86_64, "socket", None);
        let (names, values) = all([&known], &socket);
        assert_eq!((names.len(), values.len()), (0, 1));
        let (names, values) = all([&known, &unknown], &socket);
        assert_eq!((names.len(), values.len()), (1, 0));
    }

    #[test]
    fn what_the_profile_lets_pass_was_refused_by_another_filter() {
        let socket = policy(&rule("socket", "ALLOW", &[UNIX]));
        let of = |arguments| lets_pass(&denied(Abi::X86_64, "socket", arguments), &socket);
        assert_eq!(of(Some([1, 1, 0, 0, 0, 0])), Some(true));
        assert_eq!(of(Some([2, 1, 0, 0, 0, 0])), Some(false));
        assert_eq!(of(None), None);
        let deep = policy(&rule("socket", "ALLOW", &[(4, "EQ", 0, 0)]));
        let unix = denied(Abi::X86_64, "socket", Some([1, 1, 0, 0, 0, 0]));
        assert_eq!(lets_pass(&unix, &deep), None, "another call may have had another value");
        let plain = policy(&rule("socket", "ALLOW", &[]));
        assert_eq!(lets_pass(&unix, &plain), None, "whatever the arguments are");
    }

    #[test]
    fn clone3_is_left_to_clone() {
        let clone3 = |flags| {
            let mut call = denied(Abi::X86_64, CLONE3, Some([0x1000, 88, 0, 0, 0, 0]));
            if let Some(known) = &mut call.circumstances {
                known.pointed = flags;
            }
            call
        };
        let value =
            |mask, value| Some(Widening::Value(AddedValue { name: CLONE, index: 0, mask, value }));
        let read = policy(&rule("read", "ALLOW", &[]));
        assert_eq!(first(&clone3(None), &read), value(0x7e02_0000, 0));
        assert_eq!(first(&clone3(Some(0x3d_0f00)), &read), value(0x7e02_0000, 0));
        assert_eq!(first(&clone3(Some(0x1000_0000)), &read), value(0x7e02_0000, 0x1000_0000));
        let docker = policy(&rule("clone", "ALLOW", &[(0, "MASKED_EQ", 0x7e02_0000, 0)]));
        assert_eq!(first(&clone3(Some(0x3d_0f00)), &docker), None, "clone is allowed so");
        assert_eq!(first(&clone3(Some(0x1000_0000)), &docker), value(0x7e02_0000, 0x1000_0000));
        let new_time = clone3(Some(NEW_TIME));
        assert_eq!(first(&new_time, &docker), Some(Widening::Call(CLONE3)));
        assert!(is_left_to_clone(&clone3(None)) && !is_left_to_clone(&new_time));
        let (names, _) = all([&clone3(None), &clone3(Some(0x1000_0000))], &read);
        assert!(names.is_empty(), "{names:?}");
    }
}
