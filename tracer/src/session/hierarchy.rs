//! The cgroups that exist now, as far as following targets needs them.

use crate::target::{cgroup::CgroupRoot, owner, territory::Territory};

/// Answers about the cgroups that exist now.
pub(super) trait Hierarchy {
    /// The id of a cgroup; None when it is gone.
    fn id(&self, path: &str) -> Option<u64>;

    /// In whose part of the hierarchy a cgroup lies.
    fn territory(&self, path: &str) -> Territory;
}

impl Hierarchy for CgroupRoot {
    fn id(&self, path: &str) -> Option<u64> {
        Self::id(self, path).ok()
    }

    fn territory(&self, path: &str) -> Territory {
        owner::territory(self, path)
    }
}
