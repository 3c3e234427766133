//! The kernel side of tracer: one program on `raw_syscalls/sys_enter` that records facts and judges nothing. Two more, on
//! `sys_exit` and `sched_process_exit`, are loaded only when denied calls are watched.
//!
//! The hot path, for a call that was seen before: the task's cgroup id by direct loads, one look-up of the verdict on
//! that cgroup, one bit test, one per-CPU count. Everything else is cold: it runs when a cgroup or a call is new.

#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]
#![expect(missing_docs, reason = "the program's attribute makes a second item without one")]
#![expect(
    unsafe_code,
    reason = "a kernel program reads kernel memory through raw pointers; the verifier checks each read"
)]

mod atomic;
mod denied;
mod evidence;
mod host;
mod maps;
mod task;
mod verdict;
mod verifier;

use core::ffi::c_void;

use aya_ebpf::{EbpfContext, macros::raw_tracepoint, programs::RawTracePointContext};
use aya_log_ebpf::{info, warn};
use tracer_ebpf::{CgroupRecord, NATIVE_NUMBERS};

use crate::{
    maps::{Counter, config, count_loss},
    task::Task,
    verdict::{Found, Verdict},
};

/// Records the call that the current task is entering.
#[raw_tracepoint(tracepoint = "sys_enter")]
#[expect(clippy::needless_pass_by_value, reason = "the signature that the attribute asks for")]
pub fn sys_enter(context: RawTracePointContext) -> i32 {
    // One of the two is dead code for the verifier, and removed.
    if config!(btf) == 0 {
        enter::<false>(&context, Task::without_btf())
    } else {
        enter::<false>(&context, Task::with_btf())
    }
}

/// The same, when denied calls are watched: also notes that the task is inside a call.
#[raw_tracepoint(tracepoint = "sys_enter")]
#[expect(clippy::needless_pass_by_value, reason = "the signature that the attribute asks for")]
pub fn sys_enter_noting(context: RawTracePointContext) -> i32 {
    enter::<true>(&context, Task::current())
}

/// The arguments are those of the tracepoint: `struct pt_regs *regs, long id` (`include/trace/events/syscalls.h`).
#[inline(always)]
fn enter<const NOTING: bool>(context: &RawTracePointContext, task: Task) -> i32 {
    // SAFETY: the tracepoint has two arguments of 64 bits each; the verifier checks the bound.
    let number = unsafe { *context.as_ptr().cast::<u64>().add(1) };
    let cgroup = task.cgroup();
    let Some(record) = record(context, cgroup, &task) else { return 0 };
    if NOTING {
        denied::entered(cgroup);
    }
    let compat = task.is_compat();
    if compat && !task.has_facts() {
        count_loss(Counter::Compat);
        return 0;
    }
    if compat || number >= NATIVE_NUMBERS as u64 {
        evidence::note_unusual(record, cgroup, number as i32, compat);
        return 0;
    }
    evidence::note_native(record, cgroup, number as u32, &task);
    evidence::count(record, number as u32);
    0
}

/// Notes that the current task is leaving a call, and records the call when it was never entered.
///
/// The arguments are those of the tracepoint: `struct pt_regs *regs, long ret` (`include/trace/events/syscalls.h`).
#[raw_tracepoint(tracepoint = "sys_exit")]
#[expect(clippy::needless_pass_by_value, reason = "the signature that the attribute asks for")]
pub fn sys_exit(context: RawTracePointContext) -> i32 {
    let arguments = context.as_ptr().cast::<u64>();
    // SAFETY: the tracepoint has two arguments of 64 bits each; the verifier checks the bound.
    let (registers, result) = unsafe { (*arguments, *arguments.add(1) as i64) };
    let task = Task::current();
    let cgroup = task.cgroup();
    let Some(record) = record(&context, cgroup, &task) else { return 0 };
    if denied::left(cgroup) {
        denied::note_refused(record, cgroup, registers, result);
    }
    0
}

/// Forgets a thread that ends, and records the call that a filter killed it for.
#[raw_tracepoint(tracepoint = "sched_process_exit")]
#[expect(clippy::needless_pass_by_value, reason = "the signature that the attribute asks for")]
pub fn task_exit(context: RawTracePointContext) -> i32 {
    if !denied::ended() {
        return 0;
    }
    let task = Task::current();
    let cgroup = task.cgroup();
    let Some(record) = record(&context, cgroup, &task) else { return 0 };
    denied::note_killed(record, cgroup);
    0
}

/// Inode number of the host's mount namespace, for the configuration of the others; 0 when it cannot be told. The loader
/// runs it by itself (`BPF_PROG_TEST_RUN`), and only when there is BTF.
///
/// Without the attribute of the others: its result is what they do not have.
#[unsafe(no_mangle)]
#[unsafe(link_section = "raw_tp/sys_enter")]
pub extern "C" fn host_namespace(_: *mut c_void) -> u32 {
    host::mount_namespace(&Task::with_btf())
}

/// A cgroup's record. None: the cgroup is not tracked, or lost.
#[inline(always)]
fn record(context: &RawTracePointContext, cgroup: u64, task: &Task) -> Option<*mut CgroupRecord> {
    match verdict::look_up(cgroup) {
        Verdict::NotTracked => None,
        Verdict::Tracked(record) => Some(record),
        Verdict::Unknown => {
            let found = verdict::resolve(cgroup);
            report(context, found, cgroup);
            if found.is_new() {
                evidence::note_outer(found, task);
            }
            found.record()
        }
    }
}

/// Logs what happened on the first sight of a cgroup, for `-v`.
#[inline(never)]
fn report(context: &RawTracePointContext, found: Found, cgroup: u64) {
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
