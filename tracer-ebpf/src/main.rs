//! The kernel side of tracer: one program on `raw_syscalls/sys_enter` that records facts and judges
//! nothing. Two more, on `sys_exit` and `sched_process_exit`, are loaded only when denied calls are
//! watched. Three know who is in a tracked cgroup: they run when a process is born, moved or ends,
//! and cost a call nothing.
//!
//! Each program on a system call exists twice, with the same instructions: for the raw tracepoint,
//! and for the classic one. From Linux 7.2 on the kernel no longer disables preemption around the
//! former, and skips a program on a CPU while another task is preempted in it.
//!
//! The hot path, for a call that was seen before: the task's cgroup id by direct loads, one look-up
//! of the verdict on that cgroup, one bit test, one per-CPU count. Everything else is cold: it runs
//! when a cgroup or a call is new.

#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]
#![expect(missing_docs, reason = "the program's attribute makes a second item without one")]
#![expect(
    unsafe_code,
    reason = "a kernel program reads kernel memory through raw pointers; the verifier checks each read"
)]

mod announcements;
mod argument_values;
mod atomic;
mod denied;
mod evidence;
mod host;
mod maps;
mod members;
mod memory;
mod passed_arguments;
mod task;
mod verdict;
mod verifier;

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext,
    macros::{raw_tracepoint, tracepoint},
    programs::{RawTracePointContext, TracePointContext},
};
use aya_log_ebpf::{info, warn};
use tracer_ebpf::{CgroupRecord, NATIVE_NUMBERS};

use crate::{
    maps::{Counter, config, count_loss},
    passed_arguments::Context,
    task::Task,
    verdict::{Found, Tracking},
    verifier::barrier_var,
};

/// Records the call that the current task is entering.
#[raw_tracepoint(tracepoint = "sys_enter")]
#[expect(clippy::needless_pass_by_value, reason = "the signature that the attribute asks for")]
pub fn sys_enter(context: RawTracePointContext) -> i32 {
    enter(&context)
}

/// The same on the classic tracepoint.
#[tracepoint(category = "raw_syscalls", name = "sys_enter")]
#[expect(clippy::needless_pass_by_value, reason = "the signature that the attribute asks for")]
pub fn classic_enter(context: TracePointContext) -> u32 {
    enter(&context) as u32
}

/// Records the call when denied calls are watched: also notes that the task is inside a call.
#[raw_tracepoint(tracepoint = "sys_enter")]
#[expect(clippy::needless_pass_by_value, reason = "the signature that the attribute asks for")]
pub fn sys_enter_tracking(context: RawTracePointContext) -> i32 {
    record_call::<true, _>(&context, Task::current())
}

/// The same on the classic tracepoint.
#[tracepoint(category = "raw_syscalls", name = "sys_enter")]
#[expect(clippy::needless_pass_by_value, reason = "the signature that the attribute asks for")]
pub fn classic_tracking(context: TracePointContext) -> u32 {
    record_call::<true, _>(&context, Task::current()) as u32
}

#[inline(always)]
fn enter(context: &impl Context) -> i32 {
    // One of the two is dead code for the verifier, and removed.
    if config!(btf) == 0 {
        record_call::<false, _>(context, Task::without_btf())
    } else {
        record_call::<false, _>(context, Task::with_btf())
    }
}

/// The call's number is at byte 8 of both contexts (`include/trace/events/syscalls.h`): the raw one
/// holds the tracepoint's arguments `struct pt_regs *regs, long id`, the classic one eight bytes
/// that every event begins with, and the field `id`.
#[inline(always)]
fn record_call<const TRACK_IN_SYSCALL: bool, C: Context>(context: &C, task: Task) -> i32 {
    let Some((record, cgroup)) = record(context, &task) else { return 0 };
    if TRACK_IN_SYSCALL {
        denied::entered(cgroup);
    }
    // Not before: a value that is kept over the calls above would have to be put on the stack.
    let number = word(context, 1);
    let compat = task.is_compat();
    if compat && !task.has_facts() {
        count_loss(Counter::Compat);
        return 0;
    }
    if compat || number >= NATIVE_NUMBERS as u64 {
        evidence::note_unusual::<C>(context.as_ptr(), record, cgroup, number as i32, compat);
        return 0;
    }
    evidence::note_native::<C>(context.as_ptr(), record, cgroup, number as u32, &task);
    evidence::count(record, number as u32);
    0
}

/// Notes that the current task is leaving a call, and records the call when it was never entered.
///
/// The arguments are those of the tracepoint: `struct pt_regs *regs, long ret`
/// (`include/trace/events/syscalls.h`).
#[raw_tracepoint(tracepoint = "sys_exit")]
#[expect(clippy::needless_pass_by_value, reason = "the signature that the attribute asks for")]
pub fn sys_exit(context: RawTracePointContext) -> i32 {
    leave(&context, || denied::number_of(word(&context, 0)), word(&context, 1))
}

/// The same on the classic tracepoint, whose fields are `id` and `ret`.
#[tracepoint(category = "raw_syscalls", name = "sys_exit")]
#[expect(clippy::needless_pass_by_value, reason = "the signature that the attribute asks for")]
pub fn classic_exit(context: TracePointContext) -> u32 {
    leave(&context, || Some(word(&context, 1) as i32), word(&context, 2)) as u32
}

#[inline(always)]
fn leave(context: &impl EbpfContext, number: impl FnOnce() -> Option<i32>, result: u64) -> i32 {
    let task = Task::current();
    let Some((record, cgroup)) = record(context, &task) else { return 0 };
    if denied::left(cgroup)
        && let Some(number) = number()
    {
        denied::note_refused(record, cgroup, number, result as i64);
    }
    0
}

/// A word of 64 bits of the context.
#[inline(always)]
fn word(context: &impl EbpfContext, index: usize) -> u64 {
    // SAFETY: the contexts of these tracepoints have as many words as are asked for; the verifier
    // checks the bound.
    unsafe { *context.as_ptr().cast::<u64>().add(index) }
}

/// Forgets a thread that ends, and records the call that a filter killed it for.
#[raw_tracepoint(tracepoint = "sched_process_exit")]
#[expect(clippy::needless_pass_by_value, reason = "the signature that the attribute asks for")]
pub fn task_exit(context: RawTracePointContext) -> i32 {
    end_task(&context)
}

/// The same on the classic tracepoint.
#[tracepoint(category = "sched", name = "sched_process_exit")]
#[expect(clippy::needless_pass_by_value, reason = "the signature that the attribute asks for")]
pub fn classic_task_exit(context: TracePointContext) -> u32 {
    end_task(&context) as u32
}

#[inline(always)]
fn end_task(context: &impl EbpfContext) -> i32 {
    if !denied::ended() {
        return 0;
    }
    let task = Task::current();
    let Some((record, cgroup)) = record(context, &task) else { return 0 };
    denied::note_killed(record, cgroup);
    0
}

/// A process or thread was born: the current task, which is its parent, wakes it for the first
/// time. The argument is that of the tracepoint: `struct task_struct *p`
/// (`include/trace/events/sched.h`).
#[raw_tracepoint(tracepoint = "sched_wakeup_new")]
#[expect(clippy::needless_pass_by_value, reason = "the signature that the attribute asks for")]
pub fn member_fork(context: RawTracePointContext) -> i32 {
    members::born(word(&context, 0) as usize);
    0
}

/// A task was moved to another cgroup. The arguments are those of the tracepoint: `struct cgroup
/// *dst_cgrp, const char *path, struct task_struct *task, bool threadgroup`
/// (`include/trace/events/cgroup.h`).
#[raw_tracepoint(tracepoint = "cgroup_attach_task")]
#[expect(clippy::needless_pass_by_value, reason = "the signature that the attribute asks for")]
pub fn member_move(context: RawTracePointContext) -> i32 {
    let arguments = context.as_ptr().cast::<usize>();
    // SAFETY: the tracepoint has four arguments of 64 bits each; the verifier checks the bound.
    let (path, task, whole) =
        unsafe { (*arguments.add(1), *arguments.add(2), *arguments.add(3) & 0xff != 0) };
    members::moved(task, path, whole);
    0
}

/// A task ends.
#[raw_tracepoint(tracepoint = "sched_process_exit")]
pub fn member_exit(_: RawTracePointContext) -> i32 {
    members::ended();
    0
}

/// The same on the classic tracepoint.
#[tracepoint(category = "sched", name = "sched_process_exit")]
pub fn classic_member_exit(_: TracePointContext) -> u32 {
    members::ended();
    0
}

/// Inode number of the host's mount namespace, for the configuration of the others; 0 when it
/// is not known. The loader runs it by itself (`BPF_PROG_TEST_RUN`), and only when there is BTF.
///
/// Without the attribute of the others: its result is what they do not have.
#[unsafe(no_mangle)]
#[unsafe(link_section = "raw_tp/sys_enter")]
pub extern "C" fn host_namespace(_: *mut c_void) -> u32 {
    host::mount_namespace()
}

/// The record that the current task's calls belong to, and the id of its cgroup: that of the task,
/// or of the target that the task left. None: the cgroup is not tracked, or lost.
#[inline(always)]
fn record(context: &impl EbpfContext, task: &Task) -> Option<(*mut CgroupRecord, u64)> {
    let cgroup = task.cgroup();
    match verdict::look_up(cgroup) {
        Tracking::NotTracked => None,
        Tracking::Tracked(record) => Some((record, cgroup)),
        Tracking::Unknown => {
            let found = verdict::resolve(cgroup);
            report(context, found, cgroup);
            if found.is_new() {
                evidence::record_runtime_namespace(found);
            }
            let record = found.record()?;
            // As unknown to the verifier as on the hot path, so that it follows both once.
            Some((record, barrier_var(verdict::cgroup_of(record), verdict::unknown(record))))
        }
    }
}

/// Logs what happened on the first sight of a cgroup, for `-v`.
#[inline(never)]
fn report(context: &impl EbpfContext, found: Found, cgroup: u64) {
    if found.is_new() {
        info!(context, "new cgroup {}", cgroup);
    } else if found.is_lost() {
        warn!(context, "verdict table full: a call of cgroup {} is lost", cgroup);
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    // The verifier rejects a program that can reach an endless loop, so no panic is ever reachable.
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
