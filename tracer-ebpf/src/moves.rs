//! Processes that belong to a target, and those that are moved, as they cross.

use crate::COMMAND_SIZE;

/// Where a process belongs.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Id of the cgroup that it is in.
    pub cgroup: u64,
    /// Id of the target's cgroup that its calls belong to: the one that it is in, or the last one
    /// that it was in before it left the target. 0: of none.
    pub home: u64,
}

/// Longest path of a cgroup in a [`MoveEvent`], the terminating NUL included.
pub const PATH_SIZE: usize = 256;

/// A process was moved into a tracked cgroup, out of one, or both; or was born in another cgroup
/// than its parent's.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct MoveEvent {
    /// Nanoseconds since boot.
    pub time: u64,
    /// Nanoseconds since boot when the process was started.
    pub started: u64,
    /// Id of the cgroup that it was in; 0 when it was in no tracked one.
    pub from: u64,
    /// Id of the cgroup that it is in now.
    pub to: u64,
    /// [`Member::home`] from now on.
    pub home: u64,
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// 1: one thread of several was moved, and the others were not.
    pub thread: u32,
    /// Command name of the process.
    pub command: [u8; COMMAND_SIZE],
    /// Path of the cgroup that it is in now, ended by a NUL; empty when the kernel did not tell it.
    pub path: [u8; PATH_SIZE],
}

/// The path of a cgroup that a process was moved to by a move that was not reported.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PathEvent {
    /// Id of the cgroup.
    pub cgroup: u64,
    /// Its path, ended by a NUL.
    pub path: [u8; PATH_SIZE],
}
