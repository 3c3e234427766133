//! Which cgroups belong to a target, by their paths.

use super::TargetKind;
use crate::cgroup_path::{CgroupPath, is_at_or_below};

/// A target, and where its cgroups are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// As the user typed it.
    pub name: String,
    /// What kind of thing it is.
    pub kind: TargetKind,
    /// Paths of cgroups; everything at or below them is the target's.
    pub paths: Vec<CgroupPath>,
    /// But what is at or below these: pause containers.
    pub without: Vec<CgroupPath>,
}

impl Selection {
    /// The cgroup of that path is the target's.
    pub fn holds(&self, path: &str) -> bool {
        let is_below = |roots: &[CgroupPath]| roots.iter().any(|root| is_at_or_below(path, root));
        is_below(&self.paths) && !is_below(&self.without)
    }
}
