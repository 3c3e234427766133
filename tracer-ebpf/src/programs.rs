//! The programs of the object, and the tracepoints that they attach to.

/// A program of the object, and the tracepoint that it attaches to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelProgram {
    /// The name of the program for the raw tracepoint.
    pub name: &'static str,
    /// The same program for the classic tracepoint; None when there is only the raw one.
    pub classic: Option<Classic>,
    /// The tracepoint (`include/trace/events/{syscalls,sched}.h`).
    pub tracepoint: &'static str,
}

/// A program of the object for a classic tracepoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Classic {
    /// The name of the program.
    pub name: &'static str,
    /// Where the tracepoint is, below `events` of tracefs.
    pub category: &'static str,
}

const fn on_calls(name: &'static str) -> Option<Classic> {
    Some(Classic { name, category: "raw_syscalls" })
}

const fn on_tasks(name: &'static str) -> Option<Classic> {
    Some(Classic { name, category: "sched" })
}

/// The one program when denied calls are not watched.
pub const ENTER: KernelProgram = KernelProgram {
    name: "sys_enter",
    classic: on_calls("classic_enter"),
    tracepoint: "sys_enter",
};
/// The same, which also notes which tasks are inside a call. Loaded in the place of [`ENTER`] when
/// denied calls are watched, so that the other has no instruction for it.
pub const ENTER_TRACKING: KernelProgram = KernelProgram {
    name: "sys_enter_tracking",
    classic: on_calls("classic_tracking"),
    tracepoint: "sys_enter",
};
/// Sees the calls that leave the kernel without having been entered.
pub const EXIT: KernelProgram =
    KernelProgram { name: "sys_exit", classic: on_calls("classic_exit"), tracepoint: "sys_exit" };
/// Forgets tasks, and sees those that a filter killed. Needs the helper `bpf_task_pt_regs` (kernel
/// 5.15).
pub const TASK_EXIT: KernelProgram = KernelProgram {
    name: "task_exit",
    classic: on_tasks("classic_task_exit"),
    tracepoint: "sched_process_exit",
};
/// Sees who is born in a tracked cgroup. It, [`MEMBER_MOVE`] and [`MEMBER_EXIT`] know the members
/// of tracked cgroups.
///
/// The kernel has interrupts off there (`kernel/sched/core.c`, `wake_up_new_task`), so that no task
/// is preempted in the program; at `sched_process_fork` one may be, from Linux 7.2 on, and what
/// comes meanwhile is not seen.
pub const MEMBER_FORK: KernelProgram =
    KernelProgram { name: "member_fork", classic: None, tracepoint: "sched_wakeup_new" };
/// Sees who is moved into a cgroup, and out of one. The kernel has interrupts off there as well
/// (`TRACE_CGROUP_PATH` of `kernel/cgroup/cgroup-internal.h`), except with `PREEMPT_RT`; a run that
/// is skipped is counted.
pub const MEMBER_MOVE: KernelProgram =
    KernelProgram { name: "member_move", classic: None, tracepoint: "cgroup_attach_task" };
/// Forgets processes that end.
pub const MEMBER_EXIT: KernelProgram = KernelProgram {
    name: "member_exit",
    classic: on_tasks("classic_member_exit"),
    tracepoint: "sched_process_exit",
};
/// Tells the host's mount namespace. Run once before the others are loaded, and never attached.
pub const HOST_NAMESPACE: KernelProgram =
    KernelProgram { name: "host_namespace", classic: None, tracepoint: "sys_enter" };
