//! What a profile allows that the defaults of container engines refuse, to a container with the
//! default capabilities.
//!
//! Both are judged at points: the values of arguments at which one of them changes its mind, and
//! those that were recorded. Whatever a profile allows at a point is what the kernel makes of the
//! call.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use tracer_ebpf::arguments::{LOWER_HALF, NAMESPACES, WatchedArgument};

use super::{
    arguments::{CLONE, CLONE3, watched},
    defaults::DefaultsEngine,
    oci::Condition,
    policy::{CallDecision, Policy, Verdict},
};
use crate::{
    recording::{Call, Phase, Recording},
    syscalls::{self, Abi},
    text::Escaped,
};

/// A call that a profile allows and a default refuses.
#[derive(Clone, Debug, PartialEq)]
pub struct Beyond {
    /// The call.
    pub name: &'static str,
    /// The value of an argument: which argument, and the bits of it that count. None: it is refused
    /// whatever the arguments are, and no value of them is known.
    pub value: Option<(u8, u64)>,
    /// The profile allows the call with every other value as well.
    pub and_any: bool,
    /// The engines whose defaults refuse it.
    pub refused_by: BTreeSet<DefaultsEngine>,
    /// When it was recorded; None when it was not.
    pub sighting: Option<FirstSeen>,
}

/// The first time that something was recorded.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FirstSeen {
    /// The command that did it, when it is known.
    pub command: Option<Escaped>,
    /// In seconds since that recording began, when it is known.
    pub seconds: Option<f64>,
}

/// What a profile allows that a default refuses, by what recordings show of it; sorted by name and
/// value.
pub fn beyond(policy: &Policy, recordings: &[Recording]) -> Vec<Beyond> {
    let seen = RecordedValues::of(recordings);
    let mut found: BTreeMap<&'static str, Found> = BTreeMap::new();
    for abi in Abi::ALL {
        for (number, name) in syscalls::entries(abi) {
            let Ok(number) = u32::try_from(number) else { continue };
            if may_pass(policy, abi, number) {
                found.entry(name).or_default().add(policy, (abi, number, name), &seen);
            }
        }
    }
    found.into_iter().flat_map(|(name, found)| found.list(name, &seen)).collect()
}

/// The profile lets the call pass with some arguments. What it only logs, it would refuse
/// otherwise.
fn passes(policy: &Policy, verdict: Verdict) -> bool {
    let only_logs = policy.default_verdict() == Verdict::Log && verdict == Verdict::Log;
    !verdict.refuses() && !only_logs
}

fn may_pass(policy: &Policy, abi: Abi, number: u32) -> bool {
    policy.always(abi, number).is_none_or(|verdict| passes(policy, verdict))
}

/// What was found of one call.
#[derive(Default)]
struct Found {
    /// The values at which a default refuses, and the profile does not.
    values: BTreeMap<u64, BTreeSet<DefaultsEngine>>,
    /// The argument that they are of.
    index: u8,
    /// The profile does not look at arguments.
    and_any: bool,
    /// The engines that refuse the call whatever its arguments are.
    whole: BTreeSet<DefaultsEngine>,
}

impl Found {
    fn add(
        &mut self,
        policy: &Policy,
        (abi, number, name): (Abi, u32, &str),
        seen: &RecordedValues<'_>,
    ) {
        let index = watched(name).next().map_or(0, |entry| entry.index);
        // Values that differ in other bits are one: of `clone`, the namespaces count.
        let mask = coarsest(name).map_or(LOWER_HALF, |entry| entry.mask);
        self.index = index;
        self.and_any |= policy.always(abi, number).is_some();
        for engine in DefaultsEngine::ALL {
            let default = engine.default_profile();
            if default.policy().always(abi, number).is_some_and(Verdict::refuses) {
                self.whole.insert(engine);
            }
            for value in points(policy, (abi, number, name), index, seen) {
                let mut registers = [0; 6];
                registers[usize::from(index)] = value;
                let passes = passes(policy, policy.decide(abi, number, &registers));
                if passes && default.refuses(abi, number, &registers) {
                    self.values.entry(value & mask).or_default().insert(engine);
                }
            }
        }
    }

    /// What the report lists of it: what was seen, and the values that are allowed though they were
    /// not.
    fn list(self, name: &'static str, seen: &RecordedValues<'_>) -> Vec<Beyond> {
        if self.values.is_empty() {
            return Vec::new();
        }
        let one = |value, refused_by, sighting| Beyond {
            name,
            value,
            and_any: self.and_any && value.is_some(),
            refused_by,
            sighting,
        };
        let mut list: Vec<Beyond> = Vec::new();
        for (value, refused_by) in &self.values {
            let sighting = seen.values.get(&(name, *value)).cloned();
            if sighting.is_some() || !self.and_any {
                list.push(one(Some((self.index, *value)), refused_by.clone(), sighting));
            }
        }
        if list.is_empty() {
            let refused_by = match self.whole.is_empty() {
                true => self.values.into_values().flatten().collect(),
                false => self.whole,
            };
            list.push(one(None, refused_by, seen.calls.get(name).cloned()));
        }
        list
    }
}

/// The values of an argument that tell a profile and the defaults apart.
fn points(
    policy: &Policy,
    (abi, number, name): (Abi, u32, &str),
    index: u8,
    seen: &RecordedValues<'_>,
) -> BTreeSet<u64> {
    let mut points = BTreeSet::from([0]);
    let defaults = DefaultsEngine::ALL.map(|engine| engine.default_profile().policy());
    for policy in [policy].into_iter().chain(defaults) {
        let Some(CallDecision::When(rules)) = policy.table(abi).and_then(|it| it.get(&number))
        else {
            continue;
        };
        let conditions = rules.iter().flat_map(|(conditions, _)| conditions);
        let conditions = conditions.filter(|condition| condition.index == index);
        points.extend(conditions.flat_map(around));
    }
    if let Some(entry) = coarsest(name).filter(|entry| entry.mask & NAMESPACES == NAMESPACES) {
        let bits = (0..u64::BITS).map(|bit| 1 << bit);
        points.extend(bits.filter(|bit| entry.mask & NAMESPACES & bit != 0));
    }
    let of_call = seen.values.range((name, 0)..=(name, u64::MAX));
    points.extend(of_call.map(|((_, value), _)| *value));
    points
}

/// The values at which a condition changes its mind.
fn around(condition: &Condition) -> [u64; 4] {
    let Condition { value, value_two, .. } = *condition;
    [value.saturating_sub(1), value, value.saturating_add(1), value_two]
}

/// Of the entries of the table for the first argument of a call, the one with the fewest bits.
fn coarsest(name: &str) -> Option<&'static WatchedArgument> {
    let first = watched(name).next()?.index;
    watched(name).filter(|entry| entry.index == first).min_by_key(|entry| entry.mask.count_ones())
}

/// What recordings show.
struct RecordedValues<'a> {
    calls: BTreeMap<&'a str, FirstSeen>,
    /// The values of the first argument that the table has of a call.
    values: BTreeMap<(&'a str, u64), FirstSeen>,
}

impl RecordedValues<'_> {
    fn of(recordings: &[Recording]) -> Self {
        let mut seen = Self { calls: BTreeMap::new(), values: BTreeMap::new() };
        let cgroups = recordings.iter().flat_map(|recording| &recording.cgroups);
        let calls = cgroups.flat_map(|cgroup| &cgroup.calls);
        for call in calls.filter(|call| call.phase != Phase::Setup) {
            if let Some(name) = syscalls::name(call.abi, call.number) {
                seen.add(name, call);
            }
        }
        seen
    }

    fn add(&mut self, name: &'static str, call: &Call) {
        let sighting =
            FirstSeen { command: call.command.clone(), seconds: call.first_seen_seconds };
        self.calls.entry(name).or_default().keep_first(sighting);
        let Some(entry) = coarsest(name) else { return };
        let of_entry = |index, mask| (index, mask) == (entry.index, entry.mask);
        let argument = call.arguments.iter().find(|it| of_entry(it.index, it.mask));
        for value in argument.into_iter().flat_map(|argument| &argument.values) {
            let (command, seconds) = (value.command.clone(), value.first_seen_seconds);
            let sighting = FirstSeen { command, seconds };
            if name == CLONE3 {
                // What `clone` is allowed with in its place.
                let known = self.values.entry((CLONE, value.value & NAMESPACES)).or_default();
                known.keep_first(sighting.clone());
            }
            self.values.entry((name, value.value)).or_default().keep_first(sighting);
        }
    }
}

impl FirstSeen {
    /// Keeps the earlier of the two.
    pub(crate) fn keep_first(&mut self, other: Self) {
        let is_earlier = match (self.seconds, other.seconds) {
            (Some(known), Some(other)) => other < known,
            (None, other) => other.is_some() || self.command.is_none(),
            (Some(_), None) => false,
        };
        if is_earlier {
            *self = other;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{oci, policy::RuleContext};

    fn policy(text: &str) -> Policy {
        let profile = oci::read(text.as_bytes()).expect("a profile");
        Policy::new(&profile, &RuleContext::default()).expect("a policy")
    }

    /// The call, the index and value of its argument, and whether other values are allowed as well.
    type Reported = (&'static str, Option<(u8, u64)>, bool);

    fn found(text: &str) -> Vec<Reported> {
        let all = beyond(&policy(text), &[]).into_iter();
        all.map(|one| (one.name, one.value, one.and_any)).collect()
    }

    #[test]
    fn what_no_default_refuses_is_not_told() {
        let text = r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
            {"names":["read","chroot","ptrace"],"action":"SCMP_ACT_ALLOW"},
            {"names":["socket"],"action":"SCMP_ACT_ALLOW",
             "args":[{"index":0,"value":4294967295,"valueTwo":1,"op":"SCMP_CMP_MASKED_EQ"}]}]}"#;
        assert_eq!(found(text), []);
        assert_eq!(
            found(r#"{"defaultAction":"SCMP_ACT_LOG"}"#),
            [],
            "it says what it would refuse"
        );
    }

    #[test]
    fn calls_and_values_are_told() {
        let text = r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
            {"names":["unshare","clone"],"action":"SCMP_ACT_ALLOW"},
            {"names":["socket"],"action":"SCMP_ACT_ALLOW",
             "args":[{"index":0,"value":4294967295,"valueTwo":38,"op":"SCMP_CMP_MASKED_EQ"}]}]}"#;
        let expected =
            [("clone", None, false), ("socket", Some((0, 38)), false), ("unshare", None, false)];
        assert_eq!(found(text), expected);
        let all = beyond(&policy(r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#), &[]);
        assert!(all.len() > 70 && all.iter().any(|one| one.name == "bpf"), "{}", all.len());
        let lsm = all.iter().find(|one| one.name == "lsm_list_modules").expect("it is there");
        assert_eq!(lsm.refused_by, BTreeSet::from([DefaultsEngine::Docker]));
    }

    #[test]
    fn a_value_is_told_once_whatever_its_other_bits_are() {
        let rule = |name: &str, mask: u64, value: u64| {
            format!(
                r#"{{"names":["{name}"],"action":"SCMP_ACT_ALLOW","args":[{{"index":0,"value":{mask},"valueTwo":{value},"op":"SCMP_CMP_MASKED_EQ"}}]}}"#
            )
        };
        let sharing = NAMESPACES | 0x8001_ef00;
        let rules = [
            rule("bpf", LOWER_HALF, 0),
            rule("bpf", LOWER_HALF, 5),
            rule("clone", sharing, 0x1000_0000),
            rule("clone", sharing, 0x1000_0100),
        ];
        let text =
            format!(r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{}]}}"#, rules.join(","));
        let expected = [("bpf", 0), ("bpf", 5), ("clone", 0x1000_0000)];
        assert_eq!(found(&text), expected.map(|(name, value)| (name, Some((0, value)), false)));
    }
}
