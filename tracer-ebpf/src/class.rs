//! The class of a call: the facts about the task that made it, as bits of a `u16`.

/// Bits 0 and 1: the task's filter count, 3 for 3 or more.
pub const FILTERS_MASK: u16 = 0b11;
/// Bits 2 to 4: where the task's executable lives, one of [`super::executable`].
pub const EXECUTABLE_SHIFT: u32 = 2;
/// The mask of bits 2 to 4.
pub const EXECUTABLE_MASK: u16 = 0b111 << EXECUTABLE_SHIFT;
/// The init of the pid namespace for the task's children has not exec'd (or there is none yet).
pub const INIT_PENDING: u16 = 1 << 5;
/// The task is in the host's mount namespace, or in that which the cgroup was entered from.
pub const HOST: u16 = 1 << 6;
/// The task's process has not exec'd since it was forked.
pub const FORKED: u16 = 1 << 7;
/// The parent of the task's process is in one of those, or in another cgroup and about to end.
pub const PARENT_HOST: u16 = 1 << 8;
/// A task of the container had made a call in this cgroup before.
pub const STARTED: u16 = 1 << 9;
/// Only without kernel BTF: the command name is one that container runtimes use.
pub const RUNTIME_NAME: u16 = 1 << 10;
/// Only without kernel BTF: nothing else is known.
pub const UNKNOWN: u16 = 1 << 11;
/// The parent of the task's process is in another cgroup: somebody from outside put the process
/// here.
pub const PARENT_OUTSIDE: u16 = 1 << 12;
/// A task of the cgroup that was not the host's had entered another root before.
pub const ENTERED: u16 = 1 << 13;
/// The init of the pid namespace for the task's children is in one of those mount namespaces: that
/// pid namespace is the host's.
pub const HOST_PROCESSES: u16 = 1 << 14;
