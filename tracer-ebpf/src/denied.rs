//! Calls that a filter refused.
//!
//! seccomp is asked before the tracepoint at the entry, so a refused call is never seen there; the
//! one at the exit sees it (`kernel/entry/common.c`). What is kept is the state of each thread, not
//! a set of calls: a call may be both allowed and refused, by its arguments. A thread's first exit
//! never counts, because what it entered before was not seen.

use core::ptr::{addr_of_mut, read_volatile, write_volatile};

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    helpers::{bpf_get_current_pid_tgid, bpf_ktime_get_boot_ns},
};
use tracer_ebpf::{
    CgroupRecord, Denial, DenialEvent, DenialKey, OTHER_VALUES, ThreadEnd, ToldApart, Values,
    architecture::NUMBER_REGISTER,
    arguments::told_apart_key,
    known, outcome,
    task_state::{CALLS_SHIFT, INSIDE, ONE_CALL, REFUSED},
};

use crate::{
    atomic,
    evidence::{self, EXISTS},
    maps::{
        Counter, DENIAL_EVENTS, DENIALS, ENDS, PROCESSES, TASKS, TOLD_APART, config, count_loss,
    },
    memory::{load, probe, probe_user},
    passed_arguments::register,
    task::{self, Task},
    verifier::{GO_ON, STOP, barrier_var, repeat},
};

/// The largest error number (`MAX_ERRNO` in `include/linux/err.h`).
const MAX_ERRNO: i64 = 4095;
/// `ERESTARTSYS` to `ERESTART_RESTARTBLOCK`: the call is made again, and the caller gets none of
/// them (`include/linux/errno.h`).
const FIRST_RESTART: i64 = 512;
const LAST_RESTART: i64 = 516;

/// Notes that the current thread is inside a call.
#[inline(always)]
pub fn entered(cgroup: u64) {
    let ids = bpf_get_current_pid_tgid();
    match TASKS.get_ptr_mut(&(ids as u32)) {
        // SAFETY: `state` points to a value of the map, which only this thread writes.
        Some(state) => unsafe {
            write_volatile(state, read_volatile(state).wrapping_add(ONE_CALL) | INSIDE);
        },
        None => {
            remember(ids, cgroup, ONE_CALL | INSIDE);
        }
    }
}

/// Notes that the current thread is outside a call. True when it had not entered one, and is known.
#[inline(always)]
pub fn left(cgroup: u64) -> bool {
    let ids = bpf_get_current_pid_tgid();
    let Some(state) = TASKS.get_ptr_mut(&(ids as u32)) else {
        remember(ids, cgroup, 0);
        return false;
    };
    // SAFETY: `state` points to a value of the map, which only this thread writes.
    unsafe {
        let known = read_volatile(state);
        if known & INSIDE == 0 {
            return true;
        }
        write_volatile(state, known & !INSIDE);
    }
    false
}

/// Keeps a thread, and whose its process is.
#[inline(never)]
fn remember(ids: u64, cgroup: u64, state: u32) -> u32 {
    if TASKS.insert(&(ids as u32), &state, 0).is_err() {
        count_loss(Counter::Tasks);
    }
    // The least recently used one makes room.
    let _ = PROCESSES.insert(&((ids >> 32) as u32), &cgroup, 0);
    0
}

/// Forgets the current thread, which ends. True when a filter killed it.
#[inline(always)]
pub fn ended() -> bool {
    let thread = bpf_get_current_pid_tgid() as u32;
    let Some(state) = TASKS.get_ptr(&thread) else { return false };
    // SAFETY: `state` points to a value of the map.
    let state = unsafe { read_volatile(state) };
    // It was there a moment ago, and no other thread has its id.
    let _ = TASKS.remove(&thread);
    if state & REFUSED != 0 {
        note_end(thread, state);
    }
    state & INSIDE == 0 && Task::current().is_killed_by_filter()
}

/// Keeps how the current thread ends, to which a call was refused.
#[inline(never)]
fn note_end(thread: u32, state: u32) -> u32 {
    if config!(btf) == 0 {
        return 0;
    }
    let task = Task::current();
    let end = ThreadEnd {
        // SAFETY: a helper without arguments.
        time: unsafe { bpf_ktime_get_boot_ns() },
        calls: state >> CALLS_SHIFT,
        status: task.exit_status(),
        whole: task.ends_with_process() as u32,
        reserved: 0,
    };
    // The least recently used one makes room.
    let _ = ENDS.insert(&thread, &end, 0);
    0
}

/// The current thread, and how many calls it entered: [`Denial::last_thread`]. Keeps that a call
/// was refused to it.
#[inline(always)]
fn refused_thread() -> u64 {
    let thread = bpf_get_current_pid_tgid() as u32;
    let Some(state) = TASKS.get_ptr_mut(&thread) else { return u64::from(thread) };
    // SAFETY: `state` points to a value of the map, which only this thread writes.
    let calls = unsafe {
        let known = read_volatile(state);
        write_volatile(state, known | REFUSED);
        known >> CALLS_SHIFT
    };
    u64::from(calls) << 32 | u64::from(thread)
}

/// The number of the call that is left, from the address of the task's registers. None: they cannot
/// be read.
#[inline(always)]
pub fn number_of(registers: u64) -> Option<i32> {
    probe::<u64>(registers as usize + NUMBER_REGISTER as usize).map(|number| number as i32)
}

/// Records a call that was left and not entered, when a filter refused it.
///
/// What is no refusal: a number below 0 (after a signal handler), a result of 0 (a new thread, an
/// execve into another ABI, a supervisor's answer), a restart, and whatever a task without a filter
/// does (a debugger skipped the call).
#[inline(never)]
pub fn note_refused(record: *mut CgroupRecord, cgroup: u64, number: i32, result: i64) -> u32 {
    let task = Task::current();
    if number < 0 || config!(btf) != 0 && task.filter_level() == 0 {
        return 0;
    }
    // The kernel skipped the run at the entry.
    if !task.is_compat() && task.filters_always_allow(number as u32) {
        return 0;
    }
    let error = result.wrapping_neg();
    let outcome = if result == number as i64 && task.has_bad_call_signal() {
        // The registers were rolled back.
        outcome::SIGNAL
    } else if (1..=MAX_ERRNO).contains(&error) && !(FIRST_RESTART..=LAST_RESTART).contains(&error) {
        error as u32
    } else {
        return 0;
    };
    note(record, cgroup, &task, number, outcome)
}

/// Records the call that a filter killed the current thread for.
#[inline(never)]
pub fn note_killed(record: *mut CgroupRecord, cgroup: u64) -> u32 {
    if config!(btf) == 0 {
        return 0;
    }
    let task = Task::current();
    let number = load::<u64>(task.registers(), NUMBER_REGISTER) as i32;
    note(record, cgroup, &task, number, outcome::THREAD_KILLED)
}

/// Counts a denied call, or adds it: once for each of its values that are kept apart, as far as
/// there is room.
#[inline(always)]
fn note(record: *mut CgroupRecord, cgroup: u64, task: &Task, number: i32, outcome: u32) -> u32 {
    let compat = task.is_compat();
    if compat && config!(btf) == 0 {
        count_loss(Counter::Compat);
        return 0;
    }
    // Of what is known of these, the verifier would follow each to the end.
    let compat = barrier_var(compat.into(), cgroup) & 1 != 0;
    let outcome = barrier_var(outcome.into(), cgroup) as u32;
    let facts = Task::facts(evidence::runtime_namespace_now(record)) | task.filter_level() as u16;
    let call = evidence::key(record, cgroup, number, facts, compat);
    let key = DenialKey { call, outcome, place: 0 };
    let apart = told_apart(number, compat);
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_ktime_get_boot_ns() };
    let denial = Denial {
        first_seen: now,
        count: 1,
        command: task::command(),
        values: values(task, compat, &apart, cgroup),
        last_seen: now,
        last_thread: refused_thread(),
    };
    let mut search = PlaceSearch { key, denial, apart, place: 0, is_noted: 0 };
    // Another CPU may take the place that was free a moment ago: it is looked at once more.
    repeat(2 * OTHER_VALUES + 2, look_at_place, &mut search);
    if search.is_noted == 0 {
        count_loss(Counter::Denials);
    }
    0
}

/// The search for the place of a denied call's values.
struct PlaceSearch {
    key: DenialKey,
    denial: Denial,
    apart: ToldApart,
    /// The place that is looked at next.
    place: u64,
    /// Not 0: the call was counted or added.
    is_noted: u64,
}

/// Looks at the next place: counts the call where its values are, or takes a free one.
extern "C" fn look_at_place(_: u32, search: *mut PlaceSearch) -> i64 {
    // SAFETY: the caller's search.
    let search = unsafe { &mut *search };
    search.key.place = search.place as u32;
    let (key, denial) = (&search.key, &search.denial);
    if let Some(found) = DENIALS.get_ptr_mut(key) {
        // SAFETY: `found` points to a value of the map; the values are written before the entry can
        // be found.
        let known = unsafe { &(*found).values };
        if search.place >= u64::from(OTHER_VALUES) || search.apart.are_same(known, &denial.values) {
            count(found, denial);
            search.is_noted = 1;
            return STOP;
        }
        search.place = barrier_var(search.place + 1, denial.first_seen);
        return GO_ON;
    }
    match DENIALS.insert(key, denial, BPF_NOEXIST as u64) {
        Ok(()) => {
            announce(key, denial);
            search.is_noted = 1;
            STOP
        }
        Err(EXISTS) => GO_ON,
        Err(_) => STOP,
    }
}

/// What tells the values of a call apart; nothing of one that the table does not have.
#[inline(always)]
fn told_apart(number: i32, compat: bool) -> ToldApart {
    // SAFETY: no entry is changed after the program was loaded.
    let known = unsafe { TOLD_APART.get(&told_apart_key(number, compat)) };
    known.copied().unwrap_or_default()
}

/// What the call was made with that the task is in: its arguments as they are in the registers,
/// none without BTF, and what the first one points to where that counts. `unknown` is for
/// [`barrier_var`].
#[inline(always)]
fn values(task: &Task, compat: bool, apart: &ToldApart, unknown: u64) -> Values {
    let pid = (bpf_get_current_pid_tgid() >> 32) as u32;
    let mut values = Values { arguments: [0; 6], pointed: 0, known: 0, pid };
    if config!(btf) == 0 {
        return values;
    }
    let registers = task.registers();
    values.arguments = [0, 1, 2, 3, 4, 5].map(|index| register(registers, index, compat));
    values.known = known::ARGUMENTS;
    if apart.pointed != 0
        && let Some(pointed) = probe_user(values.arguments[0] as usize)
    {
        values.pointed = pointed;
        values.known |= known::POINTED;
    }
    values.known = barrier_var(values.known.into(), unknown) as u32;
    values.pointed = barrier_var(values.pointed, unknown);
    values
}

/// Counts a call at its place.
#[inline(always)]
fn count(found: *mut Denial, denial: &Denial) {
    // SAFETY: `found` points to a value of the map.
    unsafe {
        atomic::add(addr_of_mut!((*found).count), 1);
        write_volatile(addr_of_mut!((*found).last_seen), denial.last_seen);
        write_volatile(addr_of_mut!((*found).last_thread), denial.last_thread);
    }
}

/// Tells whoever watches that a call was denied for the first time.
#[inline(always)]
fn announce(key: &DenialKey, denial: &Denial) {
    let Some(mut entry) = DENIAL_EVENTS.reserve::<DenialEvent>(0) else {
        count_loss(Counter::DenialEvents);
        return;
    };
    let Denial { first_seen: time, values, command, .. } = *denial;
    entry.write(DenialEvent { time, key: *key, values, command });
    entry.submit(0);
}
