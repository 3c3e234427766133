//! Denied calls, as they cross.

use crate::{COMMAND_SIZE, EvidenceKey, arguments::MOST_VALUES};

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

/// [`DenialKey::place`] of all values behind the first [`MOST_VALUES`].
pub const OTHER_VALUES: u32 = MOST_VALUES as u32;

/// What [`crate::DENIALS`] tells apart.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DenialKey {
    /// The call.
    pub call: EvidenceKey,
    /// The error number that the caller got, or one of [`outcome`].
    pub outcome: u32,
    /// Which of the values of the arguments that are looked at ([`crate::arguments`]), in the order
    /// in which they were first seen; [`OTHER_VALUES`]: any other ones. 0 of a call without such
    /// arguments.
    pub place: u32,
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
    /// What it was called with.
    pub values: Values,
    /// When the last one was refused: nanoseconds since boot.
    pub last_seen: u64,
    /// The thread that it was refused to in the lower half, and how many calls that one had entered
    /// before in the upper: one word, so that the two belong together.
    pub last_thread: u64,
}

/// Bits of [`Values::known`].
pub mod known {
    /// [`Values::arguments`](super::Values::arguments).
    pub const ARGUMENTS: u32 = 1;
    /// [`Values::pointed`](super::Values::pointed).
    pub const POINTED: u32 = 1 << 1;
}

/// What tells the values of a refused call apart: bits that count.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ToldApart {
    /// Of its first three arguments. None of the others is looked at.
    pub masks: [u64; 3],
    /// Of what its first argument points to.
    pub pointed: u64,
}

impl ToldApart {
    /// Whether two calls have the same values, as far as they count.
    #[inline(always)]
    pub fn are_same(&self, one: &Values, other: &Values) -> bool {
        let mut differing = (one.known ^ other.known) as u64;
        for (at, mask) in self.masks.iter().enumerate() {
            differing |= (one.arguments[at] ^ other.arguments[at]) & mask;
        }
        differing | (one.pointed ^ other.pointed) & self.pointed == 0
    }
}

/// The values of one call.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Values {
    /// The arguments, as they were in the registers.
    pub arguments: [u64; 6],
    /// The first 64 bits of what the first argument points to, of a call of which that is looked
    /// at.
    pub pointed: u64,
    /// Bits of [`known`].
    pub known: u32,
    /// The process id of the caller, in the initial pid namespace.
    pub pid: u32,
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
pub mod outcome {
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
    /// What it was called with.
    pub values: Values,
    /// Command name of the task.
    pub command: [u8; COMMAND_SIZE],
}
