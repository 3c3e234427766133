//! A thread that no ordinary task preempts.

use std::mem::zeroed;

/// While this lives, no ordinary task preempts the thread.
///
/// While a task is preempted in a bpf(2) call on a map, the kernel skips the programs on classic
/// tracepoints of its processor (`kernel/bpf/syscall.c`, `bpf_disable_instrumentation`;
/// `kernel/trace/bpf_trace.c`, `trace_call_bpf`): tracer itself would make it miss calls. The
/// thread needs `CAP_SYS_NICE` for this; without it, the skipped runs are still counted.
pub struct RealTime(bool);

impl RealTime {
    /// Makes the thread a real-time one, when programs are on classic tracepoints.
    pub fn begin(is_classic: bool) -> Self {
        Self(is_classic && set_scheduler(libc::SCHED_FIFO, 1))
    }
}

impl Drop for RealTime {
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
    // SAFETY: the kernel reads the parameters, which outlive the call. The C library's function of
    // that name fails with musl.
    let result =
        unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, policy, &raw const parameters) };
    result == 0
}
