//! Work on maps that no other task interrupts.

use std::mem::zeroed;

/// While this lives, the thread is preempted by no ordinary task.
///
/// While a task is preempted in a bpf(2) call on a map, the kernel skips the programs on classic tracepoints of its processor
/// (`kernel/bpf/syscall.c`, `bpf_disable_instrumentation`; `kernel/trace/bpf_trace.c`, `trace_call_bpf`), so that tracer itself would
/// make calls go unseen. Where the thread may not become a real-time one (`CAP_SYS_NICE`), what is skipped is counted all the same.
pub(super) struct Undisturbed(bool);

impl Undisturbed {
    /// Begins, when programs are on classic tracepoints.
    pub(super) fn begin(is_classic: bool) -> Self {
        Self(is_classic && set_scheduler(libc::SCHED_FIFO, 1))
    }
}

impl Drop for Undisturbed {
    fn drop(&mut self) {
        if self.0 {
            set_scheduler(libc::SCHED_OTHER, 0);
        }
    }
}

/// Sets the scheduling policy of this thread (`sched_setscheduler(2)`); whether it could be.
fn set_scheduler(policy: i32, priority: i32) -> bool {
    // SAFETY: a structure of integers, all of which may be 0.
    let mut parameters: libc::sched_param = unsafe { zeroed() };
    parameters.sched_priority = priority;
    // SAFETY: the kernel reads the parameters, which outlive the call. The C library's function of that name fails with musl.
    let result =
        unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, policy, &raw const parameters) };
    result == 0
}
