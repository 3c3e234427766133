//! The two kinds of tracepoint that a program can be attached to.

use tracer_ebpf::{EXIT, KernelProgram, TASK_EXIT};

use super::tracefs::TracepointIds;

/// Where the programs on system calls are attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// To raw tracepoints, which cost the least. From Linux 7.2 on a task may be preempted in a
    /// program, and the kernel skips the program on that CPU until the task goes on.
    Raw,
    /// To the classic tracepoints of these numbers, by perf events: the kernel disables preemption
    /// around them.
    Classic(TracepointIds),
}

impl Hook {
    /// The number of a program's classic tracepoint, and the program's name there.
    pub(super) fn classic(self, program: KernelProgram) -> Option<(&'static str, u64)> {
        let Self::Classic(ids) = self else { return None };
        let classic = program.classic?;
        let id = match program.tracepoint {
            tracepoint if tracepoint == EXIT.tracepoint => ids.exit,
            tracepoint if tracepoint == TASK_EXIT.tracepoint => ids.task_exit,
            _ => ids.enter,
        };
        Some((classic.name, id))
    }

    /// The name of a program at this place.
    pub(super) fn name_of(self, program: KernelProgram) -> &'static str {
        self.classic(program).map_or(program.name, |(name, _)| name)
    }
}
