//! Two profiles, by what they make of each call.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ArchitectureChange, Change, ChangeKind, Comparison,
    diagram::{TooLarge, VerdictPair, outcomes},
    effect,
};
use crate::{
    profile::{
        beyond::{Beyond, beyond},
        conditions::passes_for,
        oci::{Condition, Flag, Operator},
        policy::{CallDecision, Policy, Verdict},
    },
    syscalls::{self, Abi, arguments},
    workbench::risk,
};

/// The most values of arguments that are written of a call.
const MOST_VALUES: usize = 20;

/// Where two profiles differ.
pub fn compare(before: &Policy, after: &Policy) -> Comparison {
    let defaults = [before.default_verdict(), after.default_verdict()];
    let added: Vec<Beyond> = {
        let known = beyond(before, &[]);
        beyond(after, &[]).into_iter().filter(|one| !known.contains(one)).collect()
    };
    let changes = changes(before, after, &added);
    let flags = [before, after].map(|policy| flags(policy.flags()));
    Comparison {
        allowed: [before, after].map(|policy| passing(policy, Abi::X86_64).count()),
        same: same(before, after, &changes),
        default_action: (defaults[0] != defaults[1]).then(|| defaults.map(effect)),
        default_passes: !defaults[0].lets_pass() && defaults[1].lets_pass(),
        architectures: architectures(before, after),
        flags: (flags[0] != flags[1]).then_some(flags),
        changes,
    }
}

/// The calls of an ABI that pass for some arguments.
pub fn passing(policy: &Policy, abi: Abi) -> impl Iterator<Item = &'static str> {
    let passes = move |number: u32| match policy.table(abi)?.get(&number) {
        None => Some(policy.default_verdict().lets_pass()),
        Some(CallDecision::Always(verdict)) => Some(verdict.lets_pass()),
        Some(CallDecision::When(rules)) => {
            let some = rules.iter().any(|(_, verdict)| verdict.lets_pass());
            Some(some || policy.default_verdict().lets_pass())
        }
    };
    let all = syscalls::entries(abi)
        .filter_map(|(number, name)| Some((u32::try_from(number).ok()?, name)));
    all.filter(move |(number, _)| passes(*number) == Some(true)).map(|(_, name)| name)
}

fn same(before: &Policy, after: &Policy, changes: &[Change]) -> usize {
    let differs: BTreeSet<&str> = changes
        .iter()
        .filter(|change| change.abis.contains(&Abi::X86_64) && change.kind != ChangeKind::Action)
        .map(|change| change.name)
        .collect();
    let other: BTreeSet<&str> = passing(after, Abi::X86_64).collect();
    let both = passing(before, Abi::X86_64).filter(|name| other.contains(name));
    both.filter(|name| !differs.contains(name)).count()
}

fn architectures(before: &Policy, after: &Policy) -> Vec<ArchitectureChange> {
    let change = |abi: Abi| {
        let (known, listed) = (before.table(abi).is_some(), after.table(abi).is_some());
        let by = if listed { after } else { before };
        (known != listed).then(|| {
            let allowed = passing(by, abi).count();
            ArchitectureChange { abi, added: listed, allowed }
        })
    };
    Abi::ALL.into_iter().filter_map(change).collect()
}

fn flags(flags: Option<&[Flag]>) -> String {
    match flags {
        None => "the runtime's choice".to_owned(),
        Some([]) => "none".to_owned(),
        Some(flags) => {
            let names: BTreeSet<&str> = flags.iter().map(|flag| flag.token()).collect();
            names.into_iter().collect::<Vec<_>>().join(", ")
        }
    }
}

/// What differs of one call through one ABI.
#[derive(Clone, PartialEq)]
struct Difference {
    kind: ChangeKind,
    before: String,
    after: String,
    gained: Vec<String>,
    lost: Vec<String>,
}

fn changes(before: &Policy, after: &Policy, beyond: &[Beyond]) -> Vec<Change> {
    let shared: Vec<Abi> = Abi::ALL
        .into_iter()
        .filter(|abi| before.table(*abi).is_some() && after.table(*abi).is_some())
        .collect();
    let mut found: BTreeMap<&'static str, Vec<(Difference, Vec<Abi>)>> = BTreeMap::new();
    for abi in &shared {
        for (number, name) in syscalls::entries(*abi) {
            let Ok(number) = u32::try_from(number) else { continue };
            let Some(difference) = difference(before, after, (*abi, number, name)) else {
                continue;
            };
            let known = found.entry(name).or_default();
            match known.iter_mut().find(|(other, _)| *other == difference) {
                Some((_, abis)) => abis.push(*abi),
                None => known.push((difference, vec![*abi])),
            }
        }
    }
    let all = found.into_iter().flat_map(|(name, differences)| {
        differences.into_iter().map(move |(difference, abis)| (name, difference, abis))
    });
    let change = |(name, difference, abis)| change(name, difference, abis, &shared, beyond);
    let mut changes: Vec<Change> = all.map(change).collect();
    changes.sort_by_key(|change| (change.kind, change.name));
    changes
}

fn change(
    name: &'static str,
    difference: Difference,
    abis: Vec<Abi>,
    shared: &[Abi],
    beyond: &[Beyond],
) -> Change {
    let Difference { kind, before, after, gained, lost } = difference;
    let has = |abi: &&Abi| syscalls::number(**abi, name).is_some();
    let beyond = beyond.iter().filter(|one| kind.adds() && one.name == name);
    let values = beyond.clone().filter_map(|one| one.value);
    let of_values = values.clone().find_map(|(index, value)| risk::of_value(name, index, value));
    let risk = risk::dangerous(name).filter(|_| kind.adds()).map(|risk| risk.name);
    Change {
        name,
        some_abis: shared.iter().filter(has).count() != abis.len(),
        abis,
        kind,
        before,
        after,
        gained,
        lost,
        refused_by: beyond.flat_map(|one| one.refused_by.iter().copied()).collect(),
        risk: risk.or(of_values),
        sighting: None,
    }
}

fn difference(
    before: &Policy,
    after: &Policy,
    (abi, number, name): (Abi, u32, &str),
) -> Option<Difference> {
    let sides = [before, after].map(|policy| {
        let default = policy.default_verdict();
        let decision = policy.table(abi).and_then(|table| table.get(&number)).cloned();
        (decision.unwrap_or(CallDecision::Always(default)), default)
    });
    if sides[0] == sides[1] {
        return None;
    }
    let [one, other] = &sides;
    let written = |(decision, _): &(CallDecision, Verdict)| match decision {
        CallDecision::Always(verdict) => effect(*verdict),
        CallDecision::When(_) => format!("for {}", passes_for(name, decision).unwrap_or_default()),
    };
    let texts = (written(one), written(other));
    let found = outcomes((abi, name), (&one.0, one.1), (&other.0, other.1));
    let found = match found {
        Ok(found) => found,
        Err(TooLarge) => {
            let (gained, lost) = (Vec::new(), Vec::new());
            return Some(Difference {
                kind: ChangeKind::Unknown,
                before: texts.0,
                after: texts.1,
                gained,
                lost,
            });
        }
    };
    let kind = kind(&found, (one.1, other.1))?;
    let (gained, lost) = values(name, abi, (before, after, number), &found);
    Some(Difference { kind, before: texts.0, after: texts.1, gained, lost })
}

/// How a call differs, by all that may happen to it; None when nothing but the default action does.
fn kind(found: &[VerdictPair], defaults: (Verdict, Verdict)) -> Option<ChangeKind> {
    let differ = || {
        let by_a_rule = |one: &&VerdictPair| (one.before, one.after) != defaults;
        found.iter().filter(|one| one.before != one.after).filter(by_a_rule)
    };
    differ().next()?;
    let passed = found.iter().any(|one| one.before.lets_pass());
    let passes = found.iter().any(|one| one.after.lets_pass());
    let gains = differ().any(|one| !one.before.lets_pass() && one.after.lets_pass());
    let loses = differ().any(|one| one.before.lets_pass() && !one.after.lets_pass());
    Some(match (gains, loses) {
        (true, _) if !passed => ChangeKind::Added,
        (_, true) if !passes => ChangeKind::Removed,
        (true, true) => ChangeKind::OtherArguments,
        (true, false) => ChangeKind::Wider,
        (false, true) => ChangeKind::Narrower,
        (false, false) => ChangeKind::Action,
    })
}

/// The values of the one argument that both look at, for which a call passes under one of the two
/// alone: gained, and lost.
fn values(
    name: &str,
    abi: Abi,
    (before, after, number): (&Policy, &Policy, u32),
    found: &[VerdictPair],
) -> (Vec<String>, Vec<String>) {
    let conditions: Vec<&Condition> = [before, after]
        .into_iter()
        .filter_map(|policy| policy.table(abi)?.get(&number))
        .filter_map(|decision| match decision {
            CallDecision::When(rules) => Some(rules),
            CallDecision::Always(_) => None,
        })
        .flat_map(|rules| rules.iter().flat_map(|(conditions, _)| conditions))
        .collect();
    let indexes: BTreeSet<u8> = conditions.iter().map(|condition| condition.index).collect();
    let mut lists = (BTreeSet::new(), BTreeSet::new());
    let Some(index) = indexes.first().copied().filter(|_| indexes.len() == 1) else {
        return (Vec::new(), Vec::new());
    };
    let named = conditions.iter().map(|one| match one.operator {
        Operator::MaskedEqual => one.value_two & one.value,
        _ => one.value,
    });
    let examples = found.iter().map(|one| one.arguments[usize::from(index)]);
    for value in named.chain(examples) {
        let mut registers = [0; 6];
        registers[usize::from(index)] = value;
        let verdict = |policy: &Policy| policy.decide(abi, number, &registers).lets_pass();
        match (verdict(before), verdict(after)) {
            (false, true) => lists.0.insert(value),
            (true, false) => lists.1.insert(value),
            _ => false,
        };
    }
    let written = |values: BTreeSet<u64>| {
        let written = values.into_iter().take(MOST_VALUES);
        written.map(|value| arguments::value(name, index, value)).collect()
    };
    (written(lists.0), written(lists.1))
}
