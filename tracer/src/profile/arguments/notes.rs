//! What the summary says of arguments.

use std::collections::BTreeSet;

/// What is to be said of the arguments of a profile, by the names of calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArgumentNotes {
    /// Recorded without their arguments, so that nothing is known of them.
    pub unknown: BTreeSet<String>,
    /// More values were seen than are kept: allowed with all.
    pub any: BTreeSet<String>,
    /// The same, and some of the bits tell enough: limited by these.
    pub coarser: BTreeSet<String>,
    /// Allowed for other reasons than that they were seen, and it is not known which values these
    /// need: allowed with all.
    pub free: BTreeSet<String>,
    /// A filter has no room for the values that were seen.
    pub too_many: BTreeSet<String>,
    /// `clone3` was seen, and is not allowed: it fails with ENOSYS.
    pub hidden: bool,
}
