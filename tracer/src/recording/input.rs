//! What a recording is put together from.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    ContainerIdentity, Host, TargetKind,
    facts::{Logged, Move, Snapshot},
    labels::Labels,
    phases::CgroupKind,
    selection::Selection,
};
use crate::cgroup_path::CgroupPath;

/// What a recording is made of.
pub struct AssemblyInput<'a> {
    /// What the kernel side recorded.
    pub snapshot: &'a Snapshot,
    /// Path of each known cgroup, by id.
    pub paths: &'a HashMap<u64, CgroupPath>,
    /// What the user named.
    pub selections: &'a [Selection],
    /// First sights.
    pub labels: &'a Labels,
    /// Ids of cgroups that held processes when recording began.
    pub late: &'a BTreeSet<u64>,
    /// Paths of late cgroups of which a complete start was recorded since.
    pub restarted: &'a BTreeSet<CgroupPath>,
    /// What each path's last component says of it.
    pub kind_of: &'a dyn Fn(&str) -> CgroupKind,
    /// The container that a cgroup is in, by its path.
    pub identity: &'a dyn Fn(&str) -> Option<ContainerIdentity>,
    /// Whether a cgroup that is not selected may be a target's all the same, because its place is
    /// not known.
    pub may_be_a_targets: &'a dyn Fn(u64) -> bool,
    /// Containers that may be the target's and whose names no runtime reported.
    pub unresolved: u64,
    /// Cgroups that carry the name of a target's container or pod, and of which none can be shown
    /// to be it: paths by that name.
    pub contested: &'a BTreeMap<String, Vec<CgroupPath>>,
    /// The machine.
    pub host: Host,
    /// RFC 3339.
    pub started: String,
    /// Nanoseconds since boot, when recording began.
    pub started_boot: u64,
    /// How long it lasted.
    pub duration_seconds: f64,
    /// Processes that were moved from one cgroup to another.
    pub moves: &'a [Move],
    /// Moves that were lost: processes may have left the target unseen.
    pub moves_lost: u64,
    /// Roots that were removed and made again.
    pub replaced: u64,
    /// Processes of the command that still ran, or were killed, at the end.
    pub cut_off: u64,
    /// The recording goes on.
    pub unfinished: bool,
    /// Denied calls were watched, and none can have escaped.
    pub every_denial_seen: bool,
    /// Calls that a filter logged, by the kernel's audit records.
    pub logged: &'a [Logged],
    /// The user takes a late start for complete.
    pub accept_late_start: bool,
}

impl AssemblyInput<'_> {
    /// The cgroup of that path is a target's.
    pub(super) fn selects(&self, path: &str) -> bool {
        self.selections.iter().any(|selection| selection.holds(path))
    }

    /// What the target says of its cgroups, before their names do.
    pub(super) fn kind(&self, path: &str) -> CgroupKind {
        let command =
            |selection: &Selection| selection.kind == TargetKind::Command && selection.holds(path);
        if self.selections.iter().any(command) {
            return CgroupKind::Host;
        }
        (self.kind_of)(path)
    }
}
