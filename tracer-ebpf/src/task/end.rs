//! How a task ends.

use tracer_ebpf::{SIGNAL_GROUP_EXIT, SIGNAL_MASK, architecture::SIGSYS};

use super::Task;
use crate::{maps::config, memory::load};

impl Task {
    /// The thread ends by SIGSYS and its process does not: a filter killed it (`kernel/seccomp.c`,
    /// `__seccomp_filter`, calls `do_exit(SIGSYS)`). False without BTF.
    ///
    /// The process may end for another reason meanwhile: before Linux 6.16 whoever joins the thread
    /// wakes up before this tracepoint. What the signal of a process ends is in the code that
    /// all its threads get then.
    #[inline(always)]
    pub fn is_killed_by_filter(&self) -> bool {
        if !self.btf || load::<u32>(self.address, config!(task_exit_code)) != SIGSYS {
            return false;
        }
        let signal: usize = load(self.address, config!(task_signal));
        if signal == 0 {
            return false;
        }
        if load::<u32>(signal, config!(signal_flags)) & SIGNAL_GROUP_EXIT == 0 {
            return true;
        }
        config!(signal_group_exit_code) != 0
            && load::<u32>(signal, config!(signal_group_exit_code)) & SIGNAL_MASK != SIGSYS
    }

    /// How it ends, as wait(2) tells it of a process. Only with BTF.
    #[inline(always)]
    pub fn exit_status(&self) -> u32 {
        load(self.address, config!(task_exit_code))
    }

    /// Its process ends as well: it is the last thread, or all were ordered to end. Only with BTF.
    #[inline(always)]
    pub fn ends_with_process(&self) -> bool {
        let signal: usize = load(self.address, config!(task_signal));
        signal == 0
            || load::<u32>(signal, config!(signal_flags)) & SIGNAL_GROUP_EXIT != 0
            || load::<u32>(signal, config!(signal_live)) == 0
    }

    /// No other thread of its process lives (`kernel/exit.c`, `do_exit`, counts itself off before
    /// the tracepoint). Only with BTF.
    #[inline(always)]
    pub fn is_last_of_process(&self) -> bool {
        let signal: usize = load(self.address, config!(task_signal));
        signal == 0 || load::<u32>(signal, config!(signal_live)) == 0
    }
}
