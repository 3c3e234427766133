//! What recordings show of the arguments of calls.

use std::collections::{BTreeMap, BTreeSet};

use tracer_ebpf::arguments::{ARGUMENTS, WatchedArgument};

use crate::{profile::Reason, recording::Call};

/// What is known of the arguments of calls, by name.
#[derive(Default)]
pub(in crate::profile) struct Evidence {
    calls: BTreeMap<&'static str, CallEvidence>,
}

/// What is known of the arguments of one call.
#[derive(Default)]
pub(in crate::profile) struct CallEvidence {
    /// A recording has the call without arguments: it is older than they are.
    pub(super) unknown: bool,
    arguments: BTreeMap<(u8, u64), Values>,
}

/// The values of one argument.
#[derive(Default)]
pub(super) struct Values {
    /// Every value counts as seen.
    pub(super) any: bool,
    /// Those that were seen, each with the reasons to allow it.
    pub(super) seen: BTreeMap<u64, BTreeSet<Reason>>,
}

impl Evidence {
    /// Adds what a recorded call shows.
    pub(in crate::profile) fn add(&mut self, name: &'static str, reason: Reason, call: &Call) {
        if watched(name).next().is_none() {
            return;
        }
        let entry = self.calls.entry(name).or_default();
        entry.unknown |= call.arguments.is_empty();
        for argument in &call.arguments {
            let values = entry.arguments.entry((argument.index, argument.mask)).or_default();
            values.any |= argument.any;
            for value in &argument.values {
                values.seen.entry(value.value & argument.mask).or_default().insert(reason);
            }
        }
    }

    /// What is known of a call; None when it was not recorded.
    pub(super) fn of(&self, name: &str) -> Option<&CallEvidence> {
        self.calls.get(name)
    }
}

impl CallEvidence {
    /// What is known of the bits of an argument: by the entry with this mask, else by the one with
    /// the fewest more bits. None when nothing is.
    pub(super) fn values(&self, index: u8, mask: u64) -> Option<Values> {
        let covers = |found: u64| found & mask == mask;
        let all = self.arguments.iter().filter(|((at, found), _)| *at == index && covers(*found));
        // One that counts every value as seen says less than one that does not.
        let ((_, found), values) =
            all.min_by_key(|((_, found), values)| (values.any, found.count_ones()))?;
        let mut cut = Values { any: values.any, seen: BTreeMap::new() };
        for (value, reasons) in &values.seen {
            debug_assert_eq!(value & found, *value);
            cut.seen.entry(value & mask).or_default().extend(reasons);
        }
        Some(cut)
    }
}

/// The entries of the table for a call.
pub(in crate::profile) fn watched(name: &str) -> impl Iterator<Item = &'static WatchedArgument> {
    ARGUMENTS.iter().filter(move |entry| entry.call == name)
}
