//! Who is in a tracked cgroup, who leaves it, and whose the calls are of those that left.
//!
//! A seccomp filter follows the process, not the cgroup: what a process does after it left the
//! target is what the target's profile must allow. So a process that leaves a target stays its
//! member, and so do its children.

use core::ptr::{addr_of_mut, write_volatile};

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    helpers::{
        bpf_get_current_pid_tgid, bpf_ktime_get_boot_ns,
        generated::{bpf_probe_read_kernel, bpf_probe_read_kernel_str},
    },
};
use tracer_ebpf::{COMMAND_SIZE, Member, MoveEvent, PATH_SIZE, PathEvent};

use crate::{
    atomic,
    maps::{
        Counter, MEMBERS, MOVE_EVENTS, MOVES_LOST, PATH_EVENTS, ROOTS, TARGETS, config, count_loss,
    },
    memory::{probe, read_word},
    task::Task,
    verdict::{self, Tracking},
    verifier::{GO_ON, STOP, barrier_var, repeat},
};

/// Most ancestors that are looked at. What lies deeper is taken for no target's, and whoever goes
/// there is followed.
const MAX_CLIMB: u32 = 128;

/// Where a cgroup stands.
mod standing {
    /// At or below a root.
    pub const TRACKED: u32 = 1;
    /// At or below a target's uppermost cgroup.
    pub const TARGET: u32 = 1 << 1;
}

/// A process was born. The current task is its parent.
#[inline(always)]
pub fn born(child: usize) {
    let (thread, process) = ids(child);
    if thread != process {
        return;
    }
    let parent = (bpf_get_current_pid_tgid() >> 32) as u32;
    // SAFETY: the value is copied at once.
    let known = unsafe { MEMBERS.get(&parent) }.copied();
    let before = match known {
        Some(member) => member,
        None if is_foreign(child) => return,
        None => Member { cgroup: 0, home: 0 },
    };
    settle(child, unknown_to_verifier(before), 0, 0);
}

/// The child is beside its parent in a cgroup that is known not to be tracked: so are most
/// processes of a machine.
#[inline(always)]
fn is_foreign(child: usize) -> bool {
    let cgroup = Task::current().cgroup();
    matches!(verdict::look_up(cgroup), Tracking::NotTracked) && id(cgroup_of(child)) == cgroup
}

/// A task, or all threads of its process, were moved to another cgroup.
#[inline(always)]
pub fn moved(task: usize, path: usize, whole: bool) {
    let (thread, process) = ids(task);
    // SAFETY: the value is copied at once.
    let known = unsafe { MEMBERS.get(&process) }.copied();
    let before = known.unwrap_or(Member { cgroup: 0, home: 0 });
    let one_of_several = !whole && thread != process;
    let one_of_several = barrier_var(u64::from(one_of_several), bpf_get_current_pid_tgid()) as u32;
    settle(task, unknown_to_verifier(before), path, one_of_several);
}

/// The same, of which the verifier knows nothing: one that is known and one that is not are the
/// same to it.
#[inline(always)]
fn unknown_to_verifier(Member { cgroup, home }: Member) -> Member {
    let unknown = bpf_get_current_pid_tgid();
    Member { cgroup: barrier_var(cgroup, unknown), home: barrier_var(home, unknown) }
}

/// A task ends. Its process does when it was the last one.
#[inline(always)]
pub fn ended() {
    let process = (bpf_get_current_pid_tgid() >> 32) as u32;
    if MEMBERS.get_ptr(&process).is_none() {
        return;
    }
    if Task::current().is_last_of_process() {
        let _ = MEMBERS.remove(&process);
    }
}

/// The home of the current process when it is in a cgroup outside its target; else 0.
#[inline(always)]
pub fn home_of_visitor(cgroup: u64) -> u64 {
    let process = (bpf_get_current_pid_tgid() >> 32) as u32;
    // SAFETY: the value is copied at once.
    match unsafe { MEMBERS.get(&process) }.copied() {
        Some(Member { home, .. }) if home != cgroup => home,
        _ => 0,
    }
}

/// Keeps where a process is now. `before` is where it, or its parent, was.
#[inline(never)]
fn settle(task: usize, before: Member, path: usize, one_of_several: u32) -> u32 {
    let cgroup = cgroup_of(task);
    let id = id(cgroup);
    let (_, process) = ids(task);
    let unchanged = id == before.cgroup;
    if unchanged {
        // A child beside its parent. One that was moved to where it is changes nothing.
        keep(process, &before);
        return 0;
    }
    let standing = climb(cgroup);
    let home = if standing & standing::TARGET != 0 { id } else { before.home };
    let now = Member { cgroup: id, home };
    let tracked = standing & standing::TRACKED;
    let mut change = Move { now, tracked, path, thread: 0 };
    if one_of_several != 0 {
        // The others stay where they are: the thread is not followed.
        change.now.home = 0;
        change.thread = 1;
    } else if home == 0 && tracked == 0 {
        if before.cgroup == 0 {
            return 0;
        }
        let _ = MEMBERS.remove(&process);
    } else {
        keep(process, &now);
        if home != 0 && home != id {
            verdict::note_visited(id);
        }
    }
    // What became of it is the same to the verifier.
    change.now.home = barrier_var(change.now.home, id);
    change.thread = barrier_var(change.thread.into(), id) as u32;
    announce(task, &before, &change);
    0
}

#[inline(always)]
fn keep(process: u32, member: &Member) {
    keep_member(process.into(), member.cgroup, member.home);
}

/// The same, as a function that the verifier checks once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn keep_member(process: u64, cgroup: u64, home: u64) -> u64 {
    if cgroup != 0 && MEMBERS.insert(&(process as u32), &Member { cgroup, home }, 0).is_err() {
        count_loss(Counter::Members);
    }
    0
}

/// Where a cgroup stands, by its ancestors.
#[inline(never)]
fn climb(cgroup: usize) -> u32 {
    let mut climb = Climb { at: cgroup, found: 0 };
    repeat(MAX_CLIMB, look_at, &mut climb);
    climb.found as u32
}

/// The way from a cgroup to the hierarchy's root.
struct Climb {
    /// The address of the next cgroup.
    at: usize,
    /// Bits of [`standing`].
    found: u64,
}

/// Looks at the next cgroup.
extern "C" fn look_at(_: u32, climb: *mut Climb) -> i64 {
    // SAFETY: the caller's climb.
    let climb = unsafe { &mut *climb };
    let id = id(climb.at);
    // SAFETY: the values are not looked at.
    unsafe {
        if TARGETS.get(&id).is_some() {
            climb.found = u64::from(standing::TARGET | standing::TRACKED);
            return STOP;
        }
        if ROOTS.get(&id).is_some() {
            climb.found = u64::from(standing::TRACKED);
        }
    }
    climb.found = barrier_var(climb.found, id);
    // The parent's `self`, at the same offset of its `struct cgroup`.
    let parent = read(climb.at, config!(cgroup_parent));
    if parent == 0 {
        return STOP;
    }
    climb.at = (parent as usize).wrapping_sub(config!(cgroup_self) as usize);
    GO_ON
}

/// A word of the kernel's; 0 when it cannot be read.
#[inline(always)]
fn read(base: usize, offset: u32) -> u64 {
    read_word(base + offset as usize)
}

/// The cgroup of a task in the v2 hierarchy.
#[inline(always)]
fn cgroup_of(task: usize) -> usize {
    let set = read(task, config!(task_cgroups));
    read(set as usize, config!(css_set_default_cgroup)) as usize
}

/// The id of a cgroup.
#[inline(always)]
fn id(cgroup: usize) -> u64 {
    let node = read(cgroup, config!(cgroup_node));
    read(node as usize, config!(node_id))
}

/// Thread and process id of a task, in the initial pid namespace.
#[inline(always)]
fn ids(task: usize) -> (u32, u32) {
    (read(task, config!(task_thread_id)) as u32, read(task, config!(task_process_id)) as u32)
}

/// What the program reports of a move.
struct Move {
    /// Where the process belongs now.
    now: Member,
    /// Not 0: that cgroup is tracked.
    tracked: u32,
    /// Address of its path; 0 when the kernel does not tell it.
    path: usize,
    /// 1: one thread of several was moved.
    thread: u32,
}

/// Tells user space of a move.
#[inline(always)]
fn announce(task: usize, before: &Member, change: &Move) {
    let Move { now, path, thread, .. } = change;
    let (path, thread) = (*path, *thread);
    let Some(mut entry) = MOVE_EVENTS.reserve::<MoveEvent>(0) else {
        lose(before, change);
        return;
    };
    let event = entry.as_mut_ptr();
    let started = probe(task + config!(task_started) as usize).unwrap_or(0);
    let command = (task + config!(task_command) as usize) as *const _;
    // SAFETY: `event` points to the reserved entry; every field is written before it is submitted,
    // but for the bytes of `path` behind the NUL, which nobody reads. The helpers check their
    // sources.
    unsafe {
        write_volatile(addr_of_mut!((*event).time), bpf_ktime_get_boot_ns());
        write_volatile(addr_of_mut!((*event).started), started);
        write_volatile(addr_of_mut!((*event).from), before.cgroup);
        write_volatile(addr_of_mut!((*event).to), now.cgroup);
        write_volatile(addr_of_mut!((*event).home), now.home);
        write_volatile(addr_of_mut!((*event).pid), ids(task).1);
        write_volatile(addr_of_mut!((*event).thread), thread);
        bpf_probe_read_kernel(addr_of_mut!((*event).command).cast(), COMMAND_SIZE as u32, command);
        write_volatile(addr_of_mut!((*event).path[0]), 0);
        if path != 0 {
            bpf_probe_read_kernel_str(
                addr_of_mut!((*event).path).cast(),
                PATH_SIZE as u32,
                path as *const _,
            );
        }
    }
    entry.submit(0);
}

/// Counts a move that is not reported to user space: against the target whose process it is, else
/// against every cgroup that may turn out to be a target's.
#[inline(never)]
fn lose(before: &Member, change: &Move) -> u32 {
    let home = if before.home != 0 { before.home } else { change.now.home };
    if home != 0 {
        count_lost(home);
        return 0;
    }
    if before.cgroup != 0 {
        count_lost(before.cgroup);
    }
    if change.tracked != 0 && count_lost(change.now.cgroup) {
        announce_path(change.now.cgroup, change.path);
    }
    0
}

/// Counts a lost move of a cgroup. True: it is the first one.
#[inline(always)]
fn count_lost(cgroup: u64) -> bool {
    // Another CPU may enter the cgroup at this moment.
    // A variable: a constant would lie in one more map of constants.
    let none = 0;
    let is_first = MOVES_LOST.insert(&cgroup, &none, BPF_NOEXIST as u64).is_ok();
    match MOVES_LOST.get_ptr_mut(&cgroup) {
        // SAFETY: `count` points to a value of the map.
        Some(count) => unsafe { atomic::add(count, 1) },
        None => count_loss(Counter::MoveEvents),
    }
    is_first
}

/// Tells user space the path of a cgroup, in which perhaps nobody makes a call: without a name, it
/// may be a target's. Where there is no room for the path, that doubt stays.
#[inline(always)]
fn announce_path(cgroup: u64, path: usize) {
    if path == 0 {
        return;
    }
    let Some(mut entry) = PATH_EVENTS.reserve::<PathEvent>(0) else { return };
    let event = entry.as_mut_ptr();
    // SAFETY: as in `announce`.
    unsafe {
        write_volatile(addr_of_mut!((*event).cgroup), cgroup);
        write_volatile(addr_of_mut!((*event).path[0]), 0);
        let place = addr_of_mut!((*event).path).cast();
        bpf_probe_read_kernel_str(place, PATH_SIZE as u32, path as *const _);
    }
    entry.submit(0);
}
