//! What the kernel keeps of a task's filters.

use tracer_ebpf::architecture::SIGSYS;

use super::Task;
use crate::{
    maps::config,
    memory::{load, read_word},
};

/// The largest bitmap of allowed numbers that is looked at.
const MAX_FILTER_WORDS: u32 = 16;

impl Task {
    /// The task's newest filter does not allow every native number.
    ///
    /// The kernel keeps a bitmap of the numbers that a filter and all filters below it always allow
    /// (`kernel/seccomp.c`, `seccomp_cache_prepare`). Its last word is filled from bit 0 up to the
    /// kernel's last number.
    #[inline(always)]
    pub fn filter_may_deny(&self) -> bool {
        let words = config!(filter_allow_native_words);
        let filter: usize = load(self.address, config!(task_filter));
        if filter == 0 {
            return false;
        }
        if words == 0 {
            return true;
        }
        let bitmap = config!(filter_allow_native);
        for index in 0..MAX_FILTER_WORDS {
            if index >= words {
                break;
            }
            let allowed: u64 = load(filter, bitmap + index * 8);
            let last = index + 1 == words;
            let full = if last {
                allowed != 0 && allowed & allowed.wrapping_add(1) == 0
            } else {
                allowed == u64::MAX
            };
            if !full {
                return true;
            }
        }
        false
    }

    /// The task's filters allow this native number whatever its arguments are, by the same bitmap.
    /// A filter that is loaded later only takes calls away: what is allowed now was allowed before.
    #[inline(always)]
    pub fn filters_always_allow(&self, number: u32) -> bool {
        let word = number / 64;
        if !self.btf || word >= config!(filter_allow_native_words) {
            return false;
        }
        let filter: usize = load(self.address, config!(task_filter));
        if filter == 0 {
            return false;
        }
        let bitmap = filter + config!(filter_allow_native) as usize;
        let allowed = read_word(bitmap + word as usize * 8);
        allowed & 1 << (number % 64) != 0
    }

    /// SIGSYS waits for the task: the filter's answer to the call that it is leaving. Always true
    /// without BTF.
    #[inline(always)]
    pub fn has_bad_call_signal(&self) -> bool {
        !self.btf
            || load::<u64>(self.address, config!(task_pending_signals)) & 1 << (SIGSYS - 1) != 0
    }
}
