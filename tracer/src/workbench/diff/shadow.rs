//! What a profile would have denied to what was recorded, without running anything.
//!
//! The profile decides on each recorded call with what is known of its arguments. A condition on
//! bits that no recording keeps may hold or not: then the call may have been denied, and is listed
//! apart.

use std::collections::BTreeMap;

use serde::Serialize;
use tracer_ebpf::arguments::{LOWER_HALF, Source};

use super::{
    effect,
    seen::{calls, sighting},
};
use crate::{
    profile::{
        beyond::FirstSeen,
        defaults::DefaultsEngine,
        oci::{Condition, Operator},
        policy::{CallDecision, Policy, Verdict},
    },
    recording::{Call, Phase, Recording},
    syscalls::{self, Abi, arguments},
    workbench::risk,
};

/// A recorded call that a profile would have denied.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShadowDenial {
    /// The ABI it was made through.
    pub abi: Abi,
    /// Its number there.
    pub number: i32,
    /// Its name; absent where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'static str>,
    /// The values of an argument that are denied, as people read them; none where all are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// What would have happened to it.
    pub effect: String,
    /// It is not known: the profile looks at what was not recorded.
    pub doubtful: bool,
    /// How often it was made, over all phases; absent when that was not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// The phase in which it was made first.
    pub phase: Phase,
    /// The first who made it, and when.
    pub first: FirstSeen,
    /// The cgroup in which it was made first.
    pub cgroup: String,
    /// A default of a container engine refuses it, whatever its arguments are.
    pub beyond_defaults: bool,
    /// The kind of harm that can be done with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk: Option<&'static str>,
}

/// What a profile would have denied to one recording.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Shadow {
    /// The recording's name.
    pub recording: String,
    /// The recording misses nothing.
    pub complete: bool,
    /// The calls, in the order in which they were made first.
    pub denied: Vec<ShadowDenial>,
    /// How many calls it shows, of all ABIs.
    pub calls: usize,
}

impl Shadow {
    /// Something would have been denied for certain.
    pub fn is_denied(&self) -> bool {
        self.denied.iter().any(|call| !call.doubtful)
    }
}

/// Asks a profile what it would have denied.
pub fn shadow(policy: &Policy, name: &str, recording: &Recording) -> Shadow {
    let mut denied: BTreeMap<(Abi, i32), ShadowDenial> = BTreeMap::new();
    let mut made = std::collections::BTreeSet::new();
    for (path, call) in calls(recording) {
        made.insert((call.abi, call.number));
        let Some(denial) = would_deny(policy, call) else { continue };
        let one = denied_call(path, call, denial);
        match denied.get_mut(&(call.abi, call.number)) {
            Some(known) => known.add(one),
            None => drop(denied.insert((call.abi, call.number), one)),
        }
    }
    let mut denied: Vec<ShadowDenial> = denied.into_values().collect();
    let time = |one: &ShadowDenial| one.first.seconds.unwrap_or(f64::MAX);
    denied.sort_by(|one, other| time(one).total_cmp(&time(other)));
    Shadow { recording: name.to_owned(), complete: recording.complete, denied, calls: made.len() }
}

impl ShadowDenial {
    fn add(&mut self, other: Self) {
        self.count = match (self.count, other.count) {
            (Some(one), Some(more)) => Some(one.saturating_add(more)),
            (one, more) => one.or(more),
        };
        if self.doubtful && !other.doubtful {
            self.effect = other.effect;
        }
        // What is sure anywhere is sure.
        self.doubtful &= other.doubtful;
        for value in other.values {
            if !self.values.contains(&value) {
                self.values.push(value);
            }
        }
        let time = |first: &FirstSeen| first.seconds.unwrap_or(f64::MAX);
        if time(&other.first) < time(&self.first) {
            (self.first, self.phase, self.cgroup) = (other.first, other.phase, other.cgroup);
        }
    }
}

fn is_beyond_defaults(call: &Call) -> bool {
    let Ok(number) = u32::try_from(call.number) else { return false };
    let always =
        DefaultsEngine::ALL.map(|one| one.default_profile().policy().always(call.abi, number));
    always.into_iter().flatten().any(Verdict::refuses)
}

/// What a profile makes of a recorded call.
struct ExpectedDenial {
    verdict: Verdict,
    doubtful: bool,
    values: Vec<String>,
    /// The first who made it with one of the values.
    first: Option<FirstSeen>,
}

fn denied_call(path: &str, call: &Call, denial: ExpectedDenial) -> ShadowDenial {
    let name = syscalls::name(call.abi, call.number);
    ShadowDenial {
        abi: call.abi,
        number: call.number,
        name,
        values: denial.values,
        effect: effect(denial.verdict),
        doubtful: denial.doubtful,
        count: call.count,
        phase: call.phase,
        first: denial.first.unwrap_or_else(|| sighting(call)),
        cgroup: path.to_owned(),
        beyond_defaults: is_beyond_defaults(call),
        risk: name.and_then(risk::dangerous).map(|risk| risk.name),
    }
}

/// None: it would have passed.
fn would_deny(policy: &Policy, call: &Call) -> Option<ExpectedDenial> {
    let number = u32::try_from(call.number).ok()?;
    let whole = |verdict: Verdict, doubtful| {
        Some(ExpectedDenial { verdict, doubtful, values: Vec::new(), first: None })
    };
    if let Some(verdict) = policy.always(call.abi, number) {
        return verdict.refuses().then(|| whole(verdict, false)).flatten();
    }
    let Some(CallDecision::When(rules)) = policy.table(call.abi)?.get(&number) else { return None };
    let rules: &Rules = rules;
    let default = policy.default_verdict();
    let index = rules.iter().flat_map(|(all, _)| all).map(|one| one.index).min()?;
    let looked_at = rules.iter().flat_map(|(all, _)| all).filter(|one| one.index == index);
    let looked_at = looked_at.fold(0, |bits, one| bits | looked_at_bits(one));
    // Of several entries for one argument, the one that keeps what the profile looks at, or else
    // the most.
    let in_register =
        |it: &&crate::recording::argument::Argument| it.index == index && !is_memory(call, index);
    let kept = call.arguments.iter().filter(in_register);
    let argument = kept.min_by_key(|it| ((looked_at & !it.mask).count_ones(), it.any));
    let Some(argument) = argument.filter(|argument| !argument.any) else {
        let possible = possible(rules, default, call.abi, &[Known::default(); 6]);
        let refused = possible.iter().find(|verdict| verdict.refuses())?;
        return whole(*refused, possible.iter().any(|verdict| !verdict.refuses()));
    };
    let mut found: Option<ExpectedDenial> = None;
    let name = syscalls::name(call.abi, call.number).unwrap_or_default();
    for value in &argument.values {
        let mut known = [Known::default(); 6];
        known[usize::from(index)] = Known { bits: argument.mask | !LOWER_HALF, value: value.value };
        let possible = possible(rules, default, call.abi, &known);
        let Some(refused) = possible.iter().find(|verdict| verdict.refuses()) else { continue };
        let doubtful = possible.iter().any(|verdict| !verdict.refuses());
        let written = arguments::value(name, index, value.value);
        let first = FirstSeen { command: value.command.clone(), seconds: value.first_seen_seconds };
        match &mut found {
            None => {
                let (verdict, values) = (*refused, vec![written]);
                found = Some(ExpectedDenial { verdict, doubtful, values, first: Some(first) });
            }
            Some(known) => {
                known.doubtful &= doubtful;
                known.values.push(written);
                known.first.get_or_insert_default().keep_first(first);
            }
        }
    }
    found
}

/// The table has the argument, and finds its value in memory, where no filter sees it.
fn is_memory(call: &Call, index: u8) -> bool {
    let name = syscalls::name(call.abi, call.number).unwrap_or_default();
    let mut watched = arguments::watched(call.abi, name).filter(|one| one.index == index);
    watched.any(|one| one.source == Source::Memory)
}

type Rules = [(Vec<Condition>, Verdict)];

/// What is known of a register: which bits, and what they are.
#[derive(Clone, Copy, Default)]
struct Known {
    bits: u64,
    value: u64,
}

/// The bits that a condition looks at.
fn looked_at_bits(condition: &Condition) -> u64 {
    match condition.operator {
        Operator::MaskedEqual => condition.value,
        _ => LOWER_HALF,
    }
}

/// Everything that may happen, by what is known of the registers.
fn possible(rules: &Rules, default: Verdict, abi: Abi, known: &[Known; 6]) -> Vec<Verdict> {
    let mut found = Vec::new();
    for (conditions, verdict) in rules {
        let holds = |it: &Condition| holds(it, abi, known[usize::from(it.index)]);
        let all: Vec<Option<bool>> = conditions.iter().map(holds).collect();
        if all.contains(&Some(false)) {
            continue;
        }
        found.push(*verdict);
        if all.iter().all(|one| *one == Some(true)) {
            return found;
        }
    }
    found.push(default);
    found
}

/// Whether a condition holds; None when what is known does not decide it.
fn holds(condition: &Condition, abi: Abi, known: Known) -> Option<bool> {
    let width = if abi == Abi::X86_64 { u64::MAX } else { LOWER_HALF };
    let bits = known.bits & width;
    let lowest = known.value & bits;
    let highest = lowest | (width & !bits);
    let value = condition.value & width;
    let between = |is_sure: bool, is_excluded: bool| match (is_sure, is_excluded) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    };
    let equal = |mask: u64, wanted: u64| {
        let differs = (lowest ^ wanted) & mask & bits != 0;
        between(!differs && mask & !bits & width == 0, differs)
    };
    match condition.operator {
        Operator::Equal => equal(width, value),
        Operator::NotEqual => equal(width, value).map(|holds| !holds),
        Operator::MaskedEqual => equal(value, condition.value_two & value),
        Operator::Less => between(highest < value, lowest >= value),
        Operator::LessOrEqual => between(highest <= value, lowest > value),
        Operator::GreaterOrEqual => between(lowest >= value, highest < value),
        Operator::Greater => between(lowest > value, highest <= value),
    }
}
