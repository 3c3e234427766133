//! Limits by what was seen alone.
//!
//! A call of several arguments is limited by the first one of the table: which values came together
//! was not recorded, and one condition for each value is what all who read profiles agree on.

use std::collections::BTreeSet;

use tracer_ebpf::arguments::{Source, WatchedArgument};

use super::{
    as_defaults::as_defaults,
    clone3::{CLONE, CLONE3},
    evidence::{CallEvidence, Evidence, Values, watched},
    limit::Limit,
    notes::ArgumentNotes,
};
use crate::profile::{Reason, always_allowed, defaults::shared};

/// The limit of a call that is allowed for these reasons. None: it is allowed with all values.
pub(super) fn limit(
    name: &str,
    reasons: &BTreeSet<Reason>,
    evidence: &Evidence,
    notes: &mut ArgumentNotes,
) -> Option<Limit> {
    let registers = || watched(name).filter(|entry| entry.source == Source::Register);
    let index = registers().next()?.index;
    let as_defaults = |notes: &mut ArgumentNotes| {
        shared().get(name).and_then(|shared| as_defaults(name, shared, evidence, notes))
    };
    let Some(needed) = needed(name, index, reasons) else {
        if !shared().contains_key(name) {
            notes.free.insert(name.to_owned());
        }
        return as_defaults(notes);
    };
    let seen = reasons.iter().any(|reason| comes_with_values(name, *reason));
    let sources: Vec<&CallEvidence> =
        sources(name).filter_map(|source| evidence.of(source)).collect();
    if seen && (sources.is_empty() || sources.iter().any(|source| source.unknown)) {
        notes.unknown.insert(name.to_owned());
        return as_defaults(notes);
    }
    let entries: Vec<_> = registers().filter(|entry| entry.index == index).collect();
    for (at, entry) in entries.iter().enumerate() {
        if let Some(mut limit) = by(entry, &sources) {
            needed.iter().for_each(|(value, reason)| limit.add(*value, [*reason]));
            if at > 0 {
                notes.coarser.insert(name.to_owned());
            }
            return Some(limit);
        }
    }
    if !shared().contains_key(name) {
        notes.any.insert(name.to_owned());
    }
    as_defaults(notes)
}

/// The limit by one entry of the table; None when more values were seen than are kept.
fn by(entry: &WatchedArgument, sources: &[&CallEvidence]) -> Option<Limit> {
    let mut limit = Limit::new(entry.index, entry.mask);
    for source in sources {
        match source.values(entry.index, entry.mask) {
            Some(Values { any: false, seen }) => {
                limit.add_all(Values { any: false, seen });
            }
            _ => return None,
        }
    }
    Some(limit)
}

/// The calls whose recorded values are a call's: those of `clone3` are what `clone` is called with
/// in its place.
fn sources(name: &str) -> impl Iterator<Item = &str> {
    [name].into_iter().chain((name == CLONE).then_some(CLONE3))
}

/// Whether the recording tells the values for this reason.
fn comes_with_values(name: &str, reason: Reason) -> bool {
    match reason {
        Reason::Seen { .. } | Reason::Denied { .. } => true,
        Reason::Fallback(of) => name == CLONE && of == CLONE3,
        _ => false,
    }
}

/// The values that are needed for reasons besides that the call was seen; None when they are not
/// known of each of them.
fn needed(name: &str, index: u8, reasons: &BTreeSet<Reason>) -> Option<Vec<(u64, Reason)>> {
    let mut needed = Vec::new();
    for reason in reasons.iter().filter(|reason| !comes_with_values(name, **reason)) {
        let values = match reason {
            Reason::Base { runtime, .. } => runtime.base_set().values(name, index)?,
            Reason::StartUp(_) => always_allowed::values(name, index)?,
            _ => return None,
        };
        needed.extend(values.iter().map(|value| (*value, *reason)));
    }
    // Whatever is executed may be linked dynamically, though what was recorded is not.
    let linker = always_allowed::linker_values(name, index);
    needed.extend(linker.map(|(value, why)| (value, Reason::StartUp(why))));
    Some(needed)
}
