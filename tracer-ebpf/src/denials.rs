//! Denied calls, as they cross.

use crate::{COMMAND_SIZE, EvidenceKey};

/// What [`crate::TASKS`] knows of a thread: bits, and above them how many calls it entered.
pub mod task_state {
    /// It has entered a call, and not left it yet.
    pub const INSIDE: u32 = 1;
    /// A call was refused to it.
    pub const REFUSED: u32 = 1 << 1;
    /// The lowest bit of the number of calls that it entered, which begins anew after 2^30.
    pub const ONE_CALL: u32 = 1 << 2;
    /// Where that number is.
    pub const CALLS_SHIFT: u32 = 2;
}

/// What [`crate::DENIALS`] tells apart.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DenialKey {
    /// The call.
    pub call: EvidenceKey,
    /// The error number that the caller got, or one of [`verdict`].
    pub verdict: u32,
    /// Always 0.
    pub reserved: u32,
}

/// The calls of one [`DenialKey`]: the first one, and who was the last to make one.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Nanoseconds since boot.
    pub first_seen: u64,
    /// How many calls were counted under this key.
    pub count: u64,
    /// Command name of the task that was refused first.
    pub command: [u8; COMMAND_SIZE],
    /// Its arguments, as they were in the registers.
    pub arguments: [u64; 6],
    /// Its process id in the initial pid namespace.
    pub pid: u32,
    /// 1: the arguments could be read.
    pub has_arguments: u32,
    /// When the last one was refused: nanoseconds since boot.
    pub last_seen: u64,
    /// The thread that it was refused to in the lower half, and how many calls that one had entered before in the upper: one
    /// word, so that the two belong together.
    pub last_thread: u64,
}

/// How a thread ended.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadEnd {
    /// Nanoseconds since boot.
    pub time: u64,
    /// How many calls it entered.
    pub calls: u32,
    /// Its status, as wait(2) gives that of a process.
    pub status: u32,
    /// 1: its process ended with it.
    pub whole: u32,
    /// Always 0.
    pub reserved: u32,
}

/// How a call was refused, when not by an error number. Error numbers are below these.
pub mod verdict {
    /// The caller got SIGSYS: it was killed with its process, or a handler was run.
    pub const SIGNAL: u32 = 1 << 16;
    /// The thread was killed, and its process goes on.
    pub const THREAD_KILLED: u32 = (1 << 16) + 1;
}

/// The first sight of a denied call.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct DenialEvent {
    /// Nanoseconds since boot.
    pub time: u64,
    /// What was seen.
    pub key: DenialKey,
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// Always 0.
    pub reserved: u32,
    /// Command name of the task.
    pub command: [u8; COMMAND_SIZE],
}
