//! What the kernel side and user space share: names of maps and programs, sizes, and the layout of
//! every value that crosses.
//!
//! This library has no dependencies, so that both sides can compile it. Every type here is
//! `#[repr(C)]` without implicit padding; the assertions at the end fix the sizes that the two
//! sides rely on.

#![no_std]

pub mod arguments;
mod config;
mod denials;
mod moves;
mod programs;
mod values;
pub mod x86;

pub use config::Config;
pub use denials::{
    Denial, DenialEvent, DenialKey, OTHER_VALUES, ThreadEnd, ToldApart, Values, known, outcome,
    task_state,
};
pub use moves::{Member, MoveEvent, PATH_SIZE, PathEvent};
pub use programs::{
    Classic, ENTER, ENTER_TRACKING, EXIT, HOST_NAMESPACE, KernelProgram, MEMBER_EXIT, MEMBER_FORK,
    MEMBER_MOVE, TASK_EXIT,
};
pub use values::{ArgumentKey, KNOWN_VALUES_LOG2, KnownValue, SeenValue, kind};
/// The architecture that the program is built for.
pub use x86 as architecture;

/// ARRAY of [`CgroupRecord`], memory-mapped: what is known of each cgroup that made a call. The
/// verdict is in the record, so that one look-up gives both.
pub const RECORDS: &str = "RECORDS";
/// PERCPU_ARRAY of [`Counts`]; the index is [`CgroupRecord::count_slot`], and 0 is nobody's.
pub const COUNTS: &str = "COUNTS";
/// HASH from cgroup id to `u8`: the roots below which everything is tracked. Filled before the
/// program is attached.
pub const ROOTS: &str = "ROOTS";
/// HASH from cgroup id to `u8`: the uppermost cgroups of the targets. What leaves them is followed:
/// its calls stay the target's. Filled before the programs are attached, and when a target's cgroup
/// is made.
pub const TARGETS: &str = "TARGETS";
/// HASH from process id to [`Member`]: the processes in tracked cgroups, and those that left a
/// target.
pub const MEMBERS: &str = "MEMBERS";
/// HASH from cgroup id to `u8`: cgroups outside the targets that hold processes which left a
/// target.
pub const VISITED: &str = "VISITED";
/// RINGBUF of [`MoveEvent`]: processes that were moved into a tracked cgroup or out of one.
pub const MOVE_EVENTS: &str = "MOVE_EVENTS";
/// HASH from cgroup id to `u64`: moves that found no room in [`MOVE_EVENTS`], by the target's
/// cgroup whose process was moved; of others by each tracked cgroup that it left or came to.
pub const MOVES_LOST: &str = "MOVES_LOST";
/// RINGBUF of [`PathEvent`]: the paths of the tracked cgroups in [`MOVES_LOST`] that a process came
/// to, one for each.
pub const PATH_EVENTS: &str = "PATH_EVENTS";
/// HASH from cgroup id to `u64`: calls of tracked cgroups that found no place in [`RECORDS`].
pub const CALLS_LOST: &str = "CALLS_LOST";
/// QUEUE of `u32`: places of [`COUNTS`] that were given back.
pub const FREE_COUNTS: &str = "FREE_COUNTS";
/// HASH from [`EvidenceKey`] to [`Evidence`]: calls with an unusual origin, of another ABI, or out
/// of range.
pub const EVIDENCE: &str = "EVIDENCE";
/// HASH from [`ArgumentKey`] to [`Evidence`]: the values of arguments that were seen.
pub const ARGUMENT_VALUES: &str = "ARGUMENT_VALUES";
/// ARRAY of `u64`, memory-mapped: [`KnownValue`]s that need not be looked for in
/// [`ARGUMENT_VALUES`]. Each stands at one of two places.
pub const KNOWN_VALUES: &str = "KNOWN_VALUES";
/// RINGBUF of [`CgroupEvent`]: one for each tracked cgroup, sent when its first call is seen.
pub const CGROUP_EVENTS: &str = "CGROUP_EVENTS";
/// RINGBUF of [`CallEvent`]: the first sight of each call and of each value of its arguments, for
/// people who watch. Losing one changes no result.
pub const CALL_EVENTS: &str = "CALL_EVENTS";
/// HASH from thread id to `u32`, one of [`task_state`]: the threads that were seen in a tracked
/// cgroup.
pub const TASKS: &str = "TASKS";
/// `LRU_HASH` from process id to cgroup id: whose a process was, also after its end.
pub const PROCESSES: &str = "PROCESSES";
/// HASH from [`DenialKey`] to [`Denial`]: the calls that a filter refused.
pub const DENIALS: &str = "DENIALS";
/// HASH from [`arguments::told_apart_key`] to [`ToldApart`]: the calls of [`arguments::ARGUMENTS`].
/// User space fills it.
pub const TOLD_APART: &str = "TOLD_APART";
/// `LRU_HASH` from thread id to [`ThreadEnd`]: how threads ended that a call was refused to.
pub const ENDS: &str = "ENDS";
/// RINGBUF of [`DenialEvent`]: the first sight of each denied call. Losing one changes no result.
pub const DENIAL_EVENTS: &str = "DENIAL_EVENTS";
/// ARRAY with one [`Stats`], memory-mapped.
pub const STATS: &str = "STATS";

/// A constant of this value or above stands for a field of [`Config`], the first one for the first:
/// the loader puts the field's value in its place (`BPF_ALU64 | BPF_MOV | BPF_K`). A constant costs
/// nothing; a read of a global costs three instructions on every call of the machine.
pub const CONST_PLACEHOLDER: i32 = 0x7ACE_0000;
/// The same for the offset of a load (`BPF_LDX | BPF_MEM`).
pub const OFFSET_PLACEHOLDER: i16 = 0x7100;

/// Bit of [`CgroupRecord::verdict`]: the cgroup lies below a root.
pub const TRACKED: u64 = 1 << 63;
/// Bit of [`CgroupRecord::verdict`]: the cgroup is in [`VISITED`], so that it depends on the
/// process whose a call is.
pub const VISITED_BIT: u64 = 1 << 62;
/// Bit of [`CgroupRecord::verdict`], without [`TRACKED`]: user space found that the cgroup is no
/// target's. Its record may still be written to by calls that are being recorded at that moment, so
/// that its place is not free yet.
pub const DISMISSED: u64 = 1 << 61;
/// The cgroup's id in [`CgroupRecord::verdict`].
pub const ID_MASK: u64 = (1 << 61) - 1;
/// How many places are looked at for one cgroup id before the table counts as full.
pub const PROBES: u32 = 16;
/// How many ancestors of a new cgroup are reported, from the hierarchy's root.
pub const MAX_DEPTH: u32 = 32;
/// The deepest level that a root may be at, by its path. A cgroup namespace may hide as many levels
/// again.
pub const MAX_ROOT_LEVEL: u32 = 100;
/// System call numbers of the native ABI that have a bit of their own: 0 to 511.
pub const NATIVE_NUMBERS: usize = 512;
/// Words of 64 bits that hold [`NATIVE_NUMBERS`] bits.
pub const WORDS: usize = NATIVE_NUMBERS / 64;
/// Filter counts that are kept apart: 0, 1, 2, and 3 or more.
pub const FILTER_LEVELS: usize = 4;
/// Longest cgroup name, the terminating NUL included (`NAME_MAX` + 1).
pub const NAME_SIZE: usize = 256;
/// Length of a command name, the terminating NUL included (`TASK_COMM_LEN`).
pub const COMMAND_SIZE: usize = 16;

/// A set of native system call numbers, for each filter count.
pub type NativeSets = [[u64; WORDS]; FILTER_LEVELS];

/// [`CgroupRecord::runtime_namespace`] is filled in.
pub const RUNTIME_NAMESPACE_KNOWN: u64 = 1 << 32;

/// The verdict on a cgroup, and the evidence of one that is tracked.
///
/// What every call reads comes first, and shares a cache line.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CgroupRecord {
    /// The cgroup's id, with [`TRACKED`], [`VISITED_BIT`] and [`DISMISSED`] where they hold; 0 when
    /// the place was never taken. Id and verdict are one word, so that there is no half-written
    /// state. A place without [`TRACKED`] and [`DISMISSED`] holds no evidence, and is given to
    /// another cgroup when no other is left.
    pub verdict: u64,
    /// Index into [`COUNTS`]; 0 before the first call, `u64::MAX` when all places were taken or
    /// nothing is counted.
    pub count_slot: u64,
    /// Bits of [`flags`].
    pub flags: u64,
    /// The mount namespace that the cgroup was entered from, by its inode number, when it is not
    /// the host's: that of the first task's parent, if that parent belongs to the host otherwise. A
    /// runtime that works in a mount namespace of its own (a rootless one, a service with private
    /// mounts) is as much outside as one of the host. Else none. With [`RUNTIME_NAMESPACE_KNOWN`]
    /// once it is filled in, a moment after the record is claimed.
    pub runtime_namespace: u64,
    /// Calls of tasks in a container: outside the host's mount namespace, with an executable of
    /// their own mount namespace, in a pid namespace whose init has exec'd.
    pub container: NativeSets,
    /// Calls of tasks in the host's mount namespace, or in [`CgroupRecord::runtime_namespace`].
    pub host: NativeSets,
    /// When the first call was seen at each filter count: nanoseconds since boot, 0 for never.
    pub first_seen: [u64; FILTER_LEVELS],
    /// What [`Self::container`] lacks: the calls whose arguments are looked at, by the index of the
    /// first entry in [`ARGUMENTS`](arguments::ARGUMENTS). They stay out of the sets that the hot
    /// path tests, so that it hands over each of them.
    pub container_watched: [u64; FILTER_LEVELS],
    /// The same of [`Self::host`].
    pub host_watched: [u64; FILTER_LEVELS],
}

impl CgroupRecord {
    /// A place that was never taken.
    pub const EMPTY: Self = Self {
        verdict: 0,
        count_slot: 0,
        flags: 0,
        runtime_namespace: 0,
        container: [[0; WORDS]; FILTER_LEVELS],
        host: [[0; WORDS]; FILTER_LEVELS],
        first_seen: [0; FILTER_LEVELS],
        container_watched: [0; FILTER_LEVELS],
        host_watched: [0; FILTER_LEVELS],
    };

    /// The same with the calls whose arguments are looked at in the sets, where all others are.
    pub fn with_watched_calls(mut self) -> Self {
        for (number, place) in arguments::PLACES[0].iter().enumerate().take(NATIVE_NUMBERS) {
            if *place == 0 {
                continue;
            }
            let watched = 1 << (*place & ((1 << arguments::COUNT_SHIFT) - 1));
            for level in 0..FILTER_LEVELS {
                let bit = 1 << (number % 64);
                if self.container_watched[level] & watched != 0 {
                    self.container[level][number / 64] |= bit;
                }
                if self.host_watched[level] & watched != 0 {
                    self.host[level][number / 64] |= bit;
                }
            }
        }
        self
    }
}

/// Bits of [`CgroupRecord::flags`].
pub mod flags {
    /// A task of the container made a call: the container has started.
    pub const STARTED: u64 = 1;
    /// A task with `no_new_privs` made a call that set a bit of a set.
    pub const NO_NEW_PRIVS: u64 = 1 << 1;
    /// A task without `no_new_privs` made a call that set a bit of a set.
    pub const NEW_PRIVS: u64 = 1 << 2;
    /// A task that was not the host's entered another root: `pivot_root`, `chroot` or `move_mount`.
    pub const ENTERED: u64 = 1 << 3;
    /// A value of an argument found no place in [`ARGUMENT_VALUES`](super::ARGUMENT_VALUES).
    pub const VALUES_LOST: u64 = 1 << 4;
    /// A task made a call under a filter that does not allow every native number: denied calls are
    /// hidden. Shifted left by the task's filter count.
    pub const FILTER_MAY_DENY: u64 = 1 << 8;
}

/// Counts of one cgroup on one CPU, by native number.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Counts(pub [u64; NATIVE_NUMBERS]);

/// What [`EVIDENCE`] tells apart.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EvidenceKey {
    /// Id of the cgroup.
    pub cgroup: u64,
    /// The number as the tracepoint shows it, cut to 32 bits.
    pub number: i32,
    /// The class of the call: see [`class`].
    pub class: u16,
    /// 0: called through the native entry, 1: through the compat entry.
    pub compat: u8,
    /// Always 0.
    pub reserved: u8,
}

/// First sight and number of the calls of one [`EvidenceKey`].
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Nanoseconds since boot.
    pub first_seen: u64,
    /// How many calls were counted under this key.
    pub count: u64,
    /// Command name of the task that was seen first.
    pub command: [u8; COMMAND_SIZE],
}

pub mod class;

/// Where an executable lives, by the mount namespace of its mount.
pub mod executable {
    /// In the task's own mount namespace.
    pub const INSIDE: u16 = 0;
    /// In the host's mount namespace or in that which the cgroup was entered from, and the task is
    /// not.
    pub const HOST: u16 = 1;
    /// In the mount namespace of the init of the task's pid namespace, and the task is in another.
    pub const INIT: u16 = 2;
    /// In a mount that the kernel made for itself: a memfd.
    pub const INTERNAL: u16 = 3;
    /// In another mount namespace, or a detached mount.
    pub const OTHER: u16 = 4;
    /// No executable (a kernel thread), or it could not be read.
    pub const NONE: u16 = 5;
}

/// The first call of a tracked cgroup.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CgroupEvent {
    /// Nanoseconds since boot.
    pub time: u64,
    /// Id of the cgroup.
    pub cgroup: u64,
    /// Ids from the hierarchy's root (index 0) to the cgroup itself; 0 behind it.
    pub ancestors: [u64; MAX_DEPTH as usize],
    /// The cgroup's own name, ended by a NUL. Empty when it could not be read.
    pub name: [u8; NAME_SIZE],
}

/// The first sight of a call, or of a value of one of its arguments.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CallEvent {
    /// Nanoseconds since boot.
    pub time: u64,
    /// What was seen.
    pub key: EvidenceKey,
    /// Of a value: what was seen; its class is the key's. 0 of a call.
    pub seen: SeenValue,
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// Always 0.
    pub reserved: u32,
    /// Command name of the task.
    pub command: [u8; COMMAND_SIZE],
}

/// Counters that the kernel side keeps. Losses, but for those that say otherwise.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Calls of tracked cgroups that found no place in [`RECORDS`], and none in [`CALLS_LOST`]
    /// either.
    pub calls_lost: u64,
    /// Calls that found no place in [`EVIDENCE`].
    pub evidence_lost: u64,
    /// Compat calls that could not be distinguished from native ones (no kernel BTF).
    pub compat_lost: u64,
    /// [`CgroupEvent`]s that found no place in their ring buffer.
    pub cgroup_events_lost: u64,
    /// [`CallEvent`]s that found no place in their ring buffer: harmless.
    pub call_events_lost: u64,
    /// Places of [`COUNTS`] that were asked for.
    pub count_slots: u64,
    /// Times that a thread found no place in [`TASKS`]: a denied call of it may be missing.
    pub tasks_lost: u64,
    /// Denied calls that found no place in [`DENIALS`].
    pub denials_lost: u64,
    /// [`DenialEvent`]s that found no place in their ring buffer: harmless.
    pub denial_events_lost: u64,
    /// Processes that found no place in [`MEMBERS`], or cgroups in [`VISITED`]: who left the target
    /// may be unknown.
    pub members_lost: u64,
    /// [`MoveEvent`]s that found no place in their ring buffer, nor in [`MOVES_LOST`].
    pub move_events_lost: u64,
    /// Tracked cgroups that took a place in [`RECORDS`]: no loss.
    pub claims: u64,
    /// Entries that were put into [`ARGUMENT_VALUES`]: no loss.
    pub values: u64,
}

/// `PF_FORKNOEXEC`: forked but not exec'd (`include/linux/sched.h`).
pub const PF_FORKNOEXEC: u32 = 0x40;
/// `PFA_NO_NEW_PRIVS` as a mask (`include/linux/sched.h`).
pub const NO_NEW_PRIVS: u64 = 1;
/// `SIGNAL_GROUP_EXIT`: the whole process ends (`include/linux/sched/signal.h`).
pub const SIGNAL_GROUP_EXIT: u32 = 0x4;
/// The part of an exit code that tells the signal (`wait(2)`).
pub const SIGNAL_MASK: u32 = 0x7f;

/// The place where the search for a cgroup id begins, in a table of `1 << log2` words.
#[inline(always)]
pub const fn verdict_index(id: u64, log2: u32) -> u32 {
    (id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - log2)) as u32
}

const _: () = {
    assert!(size_of::<CgroupRecord>() == 32 + 2 * 256 + 32 + 2 * 32);
    assert!(size_of::<ArgumentKey>() == 16);
    assert!(size_of::<Counts>() == 4096);
    assert!(size_of::<EvidenceKey>() == 16);
    assert!(size_of::<Evidence>() == 32);
    assert!(size_of::<CgroupEvent>() == 16 + 256 + 256);
    assert!(size_of::<CallEvent>() == 56);
    assert!(size_of::<DenialKey>() == 24);
    assert!(size_of::<DenialEvent>() == 112);
    assert!(size_of::<Denial>() == 112);
    assert!(size_of::<Values>() == 64);
    assert!(size_of::<ToldApart>() == 32);
    assert!(size_of::<ThreadEnd>() == 24);
    assert!(size_of::<Stats>() == 104);
    assert!(size_of::<Member>() == 16);
    assert!(size_of::<MoveEvent>() == 48 + 16 + 256);
    assert!(size_of::<Config>() == 40 * 4);
};
