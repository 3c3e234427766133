//! Limits as the defaults of container engines have them, widened by what was seen.

use super::{
    clone3::{CLONE, CLONE3},
    evidence::Evidence,
    limit::Limit,
    notes::ArgumentNotes,
};
use crate::profile::{Reason, defaults::Shared};

/// The values that the defaults allow, and those that were seen. None: all are.
pub(super) fn as_defaults(
    name: &str,
    shared: &Shared,
    evidence: &Evidence,
    notes: &mut ArgumentNotes,
) -> Option<Limit> {
    let mut limit = of_defaults(shared);
    if let Some(seen) = evidence.of(name) {
        if seen.unknown {
            notes.unknown.insert(name.to_owned());
        }
        match seen.values(shared.index, shared.mask) {
            Some(values) if values.any => {
                notes.any.insert(name.to_owned());
                return None;
            }
            values => values.into_iter().for_each(|values| limit.add_all(values)),
        }
    }
    if name == CLONE {
        // What cannot be read of `clone3` opens nothing: a program that probes for it passes
        // nothing at all.
        let values = evidence.of(CLONE3).and_then(|seen| seen.values(0, shared.mask));
        values.into_iter().for_each(|values| limit.add_all(values));
    }
    Some(limit)
}

/// The values that the defaults allow.
pub(super) fn of_defaults(shared: &Shared) -> Limit {
    let mut limit = Limit::new(shared.index, shared.mask);
    for value in &shared.values {
        limit.add(*value, [Reason::Default]);
    }
    limit
}
