//! The x32 table, from `arch/x86/entry/syscalls/syscall_64.tbl`.
//!
//! x32 shares the "common" numbers with x86_64. Calls whose arguments differ in layout have numbers
//! of their own from 512 on, and the x86_64 numbers marked "64" do not exist in x32.

use super::table;

/// One past the last number.
pub(super) const END: i32 = FIRST as i32 + OWN.len() as i32;

/// The number of the first call of [`OWN`].
const FIRST: usize = 512;

/// Calls with a number of their own.
const OWN: [&str; 36] = [
    "rt_sigaction",
    "rt_sigreturn",
    "ioctl",
    "readv",
    "writev",
    "recvfrom",
    "sendmsg",
    "recvmsg",
    "execve",
    "ptrace",
    "rt_sigpending",
    "rt_sigtimedwait",
    "rt_sigqueueinfo",
    "sigaltstack",
    "timer_create",
    "mq_notify",
    "kexec_load",
    "waitid",
    "set_robust_list",
    "get_robust_list",
    "vmsplice",
    "move_pages",
    "preadv",
    "pwritev",
    "rt_tgsigqueueinfo",
    "recvmmsg",
    "sendmmsg",
    "process_vm_readv",
    "process_vm_writev",
    "setsockopt",
    "getsockopt",
    "io_setup",
    "io_submit",
    "execveat",
    "preadv2",
    "pwritev2",
];

/// Calls of x86_64 alone that x32 has in no form: obsolete before x32 came.
const ABSENT: [&str; 11] = [
    "uselib",
    "_sysctl",
    "create_module",
    "get_kernel_syms",
    "query_module",
    "nfsservctl",
    "set_thread_area",
    "get_thread_area",
    "epoll_ctl_old",
    "epoll_wait_old",
    "vserver",
];

/// The name of an x32 number, bit 30 taken off.
pub(super) fn name(number: usize) -> Option<&'static str> {
    if let Some(index) = number.checked_sub(FIRST) {
        return OWN.get(index).copied();
    }
    table::x86_64(number).filter(|name| !OWN.contains(name) && !ABSENT.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscalls::{Abi, entries, number};

    #[test]
    fn own_numbers_replace_those_of_x86_64() {
        assert_eq!(number(Abi::X32, "rt_sigaction"), Some(512));
        assert_eq!(number(Abi::X32, "execve"), Some(520));
        assert_eq!(number(Abi::X32, "pwritev2"), Some(547));
        assert_eq!(END, 548);
        for name in OWN {
            assert!(number(Abi::X86_64, name).is_some(), "{name} is a call of x86_64 as well");
        }
    }

    #[test]
    fn common_numbers_are_those_of_x86_64() {
        assert_eq!(number(Abi::X32, "getpriority"), Some(140));
        assert_eq!(number(Abi::X32, "clone3"), Some(435));
        assert_eq!(number(Abi::X32, "rseq_slice_yield"), Some(471));
    }

    #[test]
    fn calls_of_x86_64_alone_are_absent() {
        for name in ABSENT {
            assert!(number(Abi::X86_64, name).is_some(), "{name}");
            assert_eq!(number(Abi::X32, name), None, "{name}");
        }
        assert_eq!(entries(Abi::X32).count(), entries(Abi::X86_64).count() - ABSENT.len());
    }
}
