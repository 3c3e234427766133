//! Two recordings, or groups of them, by what was seen.

use std::collections::{BTreeMap, BTreeSet};

use super::{Change, ChangeKind, Comparison};
use crate::{
    profile::{
        beyond::FirstSeen,
        defaults::{DefaultProfile, DefaultsEngine},
        policy::Verdict,
    },
    recording::{Call, Phase, Recording},
    syscalls::{self, Abi, arguments},
    workbench::risk,
};

/// A call of an ABI, by its name.
type Key = (Abi, &'static str);

/// What was seen of a call.
#[derive(Clone, Debug, Default)]
struct Seen {
    sighting: FirstSeen,
    /// By index and mask of the argument; None where every value counts as seen.
    values: BTreeMap<(u8, u64), Option<BTreeMap<u64, FirstSeen>>>,
}

/// Where two recordings differ. What a runtime did before its filter was loaded, and what a filter
/// refused, does not count: no profile is made of it.
pub fn compare(before: &Recording, after: &Recording) -> Comparison {
    let sides = [before, after].map(gather);
    let all: BTreeSet<Key> = sides.iter().flat_map(|side| side.keys().copied()).collect();
    let mut changes: Vec<Change> = Vec::new();
    for key in all {
        let Some(change) = change(key, sides[0].get(&key), sides[1].get(&key)) else { continue };
        let is_same = |known: &&mut Change| known.name == change.name && known.kind == change.kind;
        match changes.iter_mut().find(is_same) {
            Some(known) => known.abis.extend(change.abis),
            None => changes.push(change),
        }
    }
    for change in &mut changes {
        change.some_abis = change.abis != [Abi::X86_64];
    }
    changes.sort_by_key(|change| (change.kind, change.name));
    let native =
        |side: &BTreeMap<Key, Seen>| side.keys().filter(|(abi, _)| *abi == Abi::X86_64).count();
    let differs = |(abi, name): &Key| {
        changes.iter().any(|change| change.name == *name && change.abis.contains(abi))
    };
    let both = sides[0].keys().filter(|(abi, name)| {
        *abi == Abi::X86_64 && sides[1].contains_key(&(*abi, *name)) && !differs(&(*abi, *name))
    });
    let same = both.count();
    Comparison {
        allowed: [native(&sides[0]), native(&sides[1])],
        same,
        changes,
        ..Comparison::default()
    }
}

/// The calls of a recording that a profile is made of, each with where it was made.
pub(in crate::workbench) fn calls(recording: &Recording) -> impl Iterator<Item = (&str, &Call)> {
    let counts = |call: &&Call| matches!(call.phase, Phase::Workload | Phase::ContainerInit);
    let cgroups = recording.cgroups.iter();
    cgroups.flat_map(move |one| one.calls.iter().filter(counts).map(|it| (one.path.as_str(), it)))
}

fn gather(recording: &Recording) -> BTreeMap<Key, Seen> {
    let mut found: BTreeMap<Key, Seen> = BTreeMap::new();
    for (_, call) in calls(recording) {
        let Some(name) = syscalls::name(call.abi, call.number) else { continue };
        let seen = found.entry((call.abi, name)).or_default();
        seen.sighting.keep_first(sighting(call));
        for argument in &call.arguments {
            let values = seen.values.entry((argument.index, argument.mask));
            let values = values.or_insert_with(|| Some(BTreeMap::new()));
            if argument.any {
                *values = None;
            }
            let Some(known) = values else { continue };
            for value in &argument.values {
                let (command, seconds) = (value.command.clone(), value.first_seen_seconds);
                known.entry(value.value).or_default().keep_first(FirstSeen { command, seconds });
            }
        }
    }
    found
}

pub(super) fn sighting(call: &Call) -> FirstSeen {
    FirstSeen { command: call.command.clone(), seconds: call.first_seen_seconds }
}

fn change((abi, name): Key, before: Option<&Seen>, after: Option<&Seen>) -> Option<Change> {
    let (kind, gained, lost, first) = match (before, after) {
        (None, Some(after)) => (ChangeKind::Added, Vec::new(), Vec::new(), Some(&after.sighting)),
        (Some(_), None) => (ChangeKind::Removed, Vec::new(), Vec::new(), None),
        (Some(before), Some(after)) => {
            let gained = values(name, before, after);
            let lost = values(name, after, before);
            let first = gained.first().map(|(_, sighting)| *sighting);
            let kind = match (gained.is_empty(), lost.is_empty()) {
                (true, true) => return None,
                (false, true) => ChangeKind::Wider,
                (true, false) => ChangeKind::Narrower,
                (false, false) => ChangeKind::OtherArguments,
            };
            let names = |list: Vec<(String, &FirstSeen)>| {
                list.into_iter().map(|(name, _)| name).collect::<Vec<String>>()
            };
            (kind, names(gained), names(lost), first)
        }
        (None, None) => return None,
    };
    let word = |seen: Option<&Seen>| match seen {
        Some(_) => "made".to_owned(),
        None => "not made".to_owned(),
    };
    let number = syscalls::number(abi, name).and_then(|number| u32::try_from(number).ok());
    let refuses = |default: &DefaultProfile| {
        let always = number.and_then(|number| default.policy().always(abi, number));
        always.is_some_and(Verdict::refuses)
    };
    let refused_by = DefaultsEngine::ALL.into_iter().filter(|one| refuses(one.default_profile()));
    Some(Change {
        name,
        abis: vec![abi],
        some_abis: false,
        kind,
        before: word(before),
        after: word(after),
        gained,
        lost,
        refused_by: refused_by.filter(|_| kind == ChangeKind::Added).collect(),
        risk: risk::dangerous(name).filter(|_| kind.adds()).map(|risk| risk.name),
        sighting: first.filter(|_| kind.adds()).cloned(),
    })
}

/// The values that the second saw and the first did not, as people read them.
fn values<'a>(name: &str, known: &Seen, other: &'a Seen) -> Vec<(String, &'a FirstSeen)> {
    let mut found = Vec::new();
    for ((index, mask), values) in &other.values {
        let Some(Some(known)) = known.values.get(&(*index, *mask)) else { continue };
        let Some(values) = values else {
            found.push(("more values than are kept".to_owned(), &other.sighting));
            continue;
        };
        for (value, sighting) in values.iter().filter(|(value, _)| !known.contains_key(value)) {
            let written = arguments::value(name, *index, *value);
            if !found.iter().any(|(other, _)| *other == written) {
                found.push((written, sighting));
            }
        }
    }
    found
}
