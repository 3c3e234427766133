//! How much the maps of the kernel side hold.

use std::{fs, sync::OnceLock};

/// Least entries of the verdict table.
pub(super) const MIN_VERDICTS: usize = 1 << 14;
/// Most entries of the verdict table: 1 Mi.
pub(super) const MAX_VERDICTS: usize = 1 << 20;
/// Places of the table for each cgroup that is expected, so that few collide.
pub(super) const VERDICTS_PER_CGROUP: usize = 4;
/// Entries of the evidence map.
pub(super) const EVIDENCE_ENTRIES: u32 = 1 << 16;
/// Values of arguments: a container that runc starts has some 150.
pub const ARGUMENT_VALUE_ENTRIES: u32 = 1 << 16;
/// Bytes of per-CPU memory, over all CPUs, that counting may take.
pub(super) const COUNTS_BUDGET: usize = 32 << 20;
/// Most cgroups that are counted.
pub(super) const MAX_COUNT_SLOTS: usize = 1024;
/// So many are counted on every host, as far as the memory allows.
pub(super) const MIN_COUNT_SLOTS: usize = 256;
/// Places of counters for each cgroup that is expected.
pub(super) const COUNT_SLOTS_PER_CGROUP: usize = 4;
/// Bytes of the ring buffer of new cgroups.
pub(super) const CGROUP_EVENTS_SIZE: u32 = 4 << 20;
/// Cgroups of targets whose leavers are followed.
pub(super) const TARGET_ENTRIES: u32 = 1 << 14;
/// Most processes in tracked cgroups, and those that left a target, at once; fewer where the kernel
/// does not let so many be.
const MAX_MEMBERS: u32 = 1 << 17;
/// Fewest: processes that end at this moment are among them.
const MIN_MEMBERS: u32 = 1 << 14;
/// How many processes can be in tracked cgroups at once: the kernel has no more ids for them
/// (`proc_sys_kernel(5)`, `pid_max`).
///
/// The answer stays the same, whatever becomes of that limit: two who make the map must agree.
pub(super) fn members() -> u32 {
    static MEMBERS: OnceLock<u32> = OnceLock::new();
    *MEMBERS.get_or_init(|| {
        let most = fs::read_to_string("/proc/sys/kernel/pid_max").ok();
        let most = most.and_then(|most| most.trim().parse().ok());
        most.unwrap_or(MAX_MEMBERS).clamp(MIN_MEMBERS, MAX_MEMBERS)
    })
}

/// Cgroups outside the targets that hold processes which left one.
pub(super) const VISITED_ENTRIES: u32 = 1 << 13;
/// Bytes of the ring buffer of processes that were moved: some 12,000. Session managers and
/// runtimes move many at once.
pub(super) const MOVE_EVENTS_SIZE: u32 = 4 << 20;
/// Cgroups whose lost moves are counted by themselves.
pub(super) const MOVES_LOST_ENTRIES: u32 = 1 << 13;
/// Bytes of the ring buffer of paths of such cgroups: some 900.
pub(super) const PATH_EVENTS_SIZE: u32 = 256 << 10;
/// Cgroups whose lost calls are counted by themselves.
pub(super) const CALLS_LOST_ENTRIES: u32 = 1 << 10;
/// Bytes of the ring buffer of first-seen calls.
pub(super) const CALL_EVENTS_SIZE: u32 = 1 << 20;
/// Threads whose calls are watched for denials at once.
pub(super) const TASK_ENTRIES: u32 = 1 << 17;
/// Processes whose cgroup is kept, those that ended among them.
pub(super) const PROCESS_ENTRIES: u32 = 1 << 16;
/// Entries of the map of denied calls.
pub(super) const DENIAL_ENTRIES: u32 = 1 << 15;
/// Entries of the map of calls whose arguments are looked at: in three ABIs.
pub(super) const TOLD_APART_ENTRIES: u32 = 1 << 7;
/// Threads that a call was refused to and that ended.
pub(super) const END_ENTRIES: u32 = 1 << 13;
/// Bytes of the ring buffer of denied calls.
pub(super) const DENIAL_EVENTS_SIZE: u32 = 1 << 20;
