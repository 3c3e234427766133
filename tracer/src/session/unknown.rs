//! Containers that no runtime told of yet.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::target::cgroup::CgroupRoot;

/// How long a container may run that nobody knows before it is taken for one that nobody will tell of soon. (CRI-O tells of a container
/// only when it is made, and its first process runs by then.)
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// Answers without it until a container that has ended is given up.
pub(super) const ANSWERS: u32 = 3;

/// A container that nobody told of.
pub(super) struct Unknown {
    /// Its cgroup and those below, with their ids.
    pub(super) paths: BTreeMap<String, u64>,
    /// When it was seen first.
    pub(super) since: Instant,
    /// Answers that did not tell of it.
    pub(super) answers: u32,
    /// What hangs on its name.
    pub(super) doubt: Doubt,
}

/// What a container's name would tell, which nobody told yet.
#[derive(Clone, Copy, Default)]
pub(super) struct Doubt {
    /// Somebody may give it a name that is wanted.
    pub(super) to_ask: bool,
    /// Whether it is the target's depends on that.
    pub(super) undecided: bool,
    /// And somebody else than Docker may know that.
    pub(super) beyond_docker: bool,
}

impl Unknown {
    /// A cgroup of its is still there.
    pub(super) fn runs(&self, root: &CgroupRoot) -> bool {
        self.paths.keys().any(|path| root.id(path).is_ok())
    }
}
