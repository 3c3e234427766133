//! What refused calls were made with, as far as their arguments are looked at.

use std::collections::BTreeMap;

use tracer_ebpf::arguments::{MOST_VALUES, Source, WatchedArgument};

use super::argument::{Argument, ArgumentValue};
use crate::{
    syscalls::{Abi, arguments::watched},
    text::Escaped,
};

/// What one call was made with, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// The registers.
    pub arguments: Option<[u64; 6]>,
    /// The first 64 bits of what the first argument points to.
    pub pointed: Option<u64>,
}

impl Made {
    /// One argument, cut to the bits that count; None when it is not known.
    pub fn value(self, argument: &WatchedArgument) -> Option<u64> {
        let whole = match argument.source {
            Source::Register => self.arguments?.get(usize::from(argument.index)).copied(),
            Source::Memory => self.pointed,
        };
        whole.map(|whole| whole & argument.mask)
    }
}

/// What tells one denied call from another of the same name. Empty: nothing does.
pub(super) fn values(abi: Abi, name: Option<&str>, made: Made) -> Vec<u64> {
    let looked_at = watched(abi, name.unwrap_or_default());
    // No value has a bit that does not count.
    let values = looked_at.map(|argument| made.value(argument).unwrap_or(!argument.mask));
    if made.arguments.is_none() { Vec::new() } else { values.collect() }
}

/// One value of a call, for [`of_calls`].
pub(super) struct FirstSight<'a> {
    /// What it was made with.
    pub(super) made: Made,
    /// When that was first seen, in seconds since the recording began.
    pub(super) seconds: Option<f64>,
    /// By which command.
    pub(super) command: Option<&'a Escaped>,
}

/// The arguments of a call that was made with these, in the order of time.
pub(super) fn of_calls(abi: Abi, name: Option<&str>, sights: &[FirstSight<'_>]) -> Vec<Argument> {
    let argument = |argument: &WatchedArgument| {
        let mut values: BTreeMap<u64, &FirstSight<'_>> = BTreeMap::new();
        let mut any = false;
        for sight in sights {
            match sight.made.value(argument) {
                Some(value) => {
                    values.entry(value).or_insert(sight);
                }
                None => any = true,
            }
        }
        let value = |(value, first): (u64, &FirstSight<'_>)| ArgumentValue {
            value,
            first_seen_seconds: first.seconds,
            command: first.command.cloned(),
        };
        any |= values.len() > MOST_VALUES;
        let values = if any { Vec::new() } else { values.into_iter().map(value).collect() };
        Argument { index: argument.index, mask: argument.mask, values, any }
    };
    watched(abi, name.unwrap_or_default()).map(argument).collect()
}
