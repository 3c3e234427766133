//! The forms that 64-bit calls have for 32-bit programs.
//!
//! The i386 table began with 16-bit ids, 32-bit sizes and 32-bit times, and got another call
//! wherever these became too small. A C library for i386 makes the newer one, an older library the
//! older one, which has the name of the 64-bit call.
//!
//! Sources: `arch/x86/entry/syscalls/syscall_32.tbl` of the kernel, where the two are beside each
//! other, with the same entry point as the 64-bit call or `sys_..._time32` for the older one;
//! glibc, `sysdeps/unix/sysv/linux/i386/` and `sysdeps/unix/sysv/linux/generic/wordsize-32/`; man
//! pages, section 2, "C library/kernel differences".

/// A 64-bit call, and what a 32-bit program makes in its place. Sorted.
const FORMS: [(&str, &str); 57] = [
    ("arch_prctl", "set_thread_area"),
    ("chown", "chown32"),
    ("clock_adjtime", "clock_adjtime64"),
    ("clock_getres", "clock_getres_time64"),
    ("clock_gettime", "clock_gettime64"),
    ("clock_nanosleep", "clock_nanosleep_time64"),
    ("clock_settime", "clock_settime64"),
    ("fadvise64", "fadvise64_64"),
    ("fchown", "fchown32"),
    ("fcntl", "fcntl64"),
    ("fstat", "fstat64"),
    ("fstatfs", "fstatfs64"),
    ("ftruncate", "ftruncate64"),
    ("futex", "futex_time64"),
    ("getegid", "getegid32"),
    ("geteuid", "geteuid32"),
    ("getgid", "getgid32"),
    ("getgroups", "getgroups32"),
    ("getresgid", "getresgid32"),
    ("getresuid", "getresuid32"),
    ("getrlimit", "ugetrlimit"),
    ("getuid", "getuid32"),
    ("io_pgetevents", "io_pgetevents_time64"),
    ("lchown", "lchown32"),
    ("lseek", "_llseek"),
    ("lstat", "lstat64"),
    ("mmap", "mmap2"),
    ("mq_timedreceive", "mq_timedreceive_time64"),
    ("mq_timedsend", "mq_timedsend_time64"),
    ("newfstatat", "fstatat64"),
    ("ppoll", "ppoll_time64"),
    ("prlimit64", "ugetrlimit"),
    ("pselect6", "pselect6_time64"),
    ("recvmmsg", "recvmmsg_time64"),
    ("rt_sigreturn", "sigreturn"),
    ("rt_sigtimedwait", "rt_sigtimedwait_time64"),
    ("sched_rr_get_interval", "sched_rr_get_interval_time64"),
    ("select", "_newselect"),
    ("semtimedop", "semtimedop_time64"),
    ("sendfile", "sendfile64"),
    ("setfsgid", "setfsgid32"),
    ("setfsuid", "setfsuid32"),
    ("setgid", "setgid32"),
    ("setgroups", "setgroups32"),
    ("setregid", "setregid32"),
    ("setresgid", "setresgid32"),
    ("setresuid", "setresuid32"),
    ("setreuid", "setreuid32"),
    ("setuid", "setuid32"),
    ("stat", "stat64"),
    ("statfs", "statfs64"),
    ("timer_gettime", "timer_gettime64"),
    ("timer_settime", "timer_settime64"),
    ("timerfd_gettime", "timerfd_gettime64"),
    ("timerfd_settime", "timerfd_settime64"),
    ("truncate", "truncate64"),
    ("utimensat", "utimensat_time64"),
];

/// A 64-bit call, and what a 32-bit program makes in its place, besides the call of that name.
pub(super) fn form_of_i386(name: &str) -> Option<(&'static str, &'static str)> {
    FORMS.iter().find(|(of, _)| *of == name).copied()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::syscalls::{Abi, entries, number};

    /// Calls that only i386 has and that are no form of another: of the first kernels, or several
    /// calls in one.
    const OTHERS: &[&str] = &[
        "bdflush",
        "break",
        "ftime",
        "gtty",
        "idle",
        "ipc",
        "lock",
        "mpx",
        "nice",
        "oldfstat",
        "oldlstat",
        "oldolduname",
        "oldstat",
        "olduname",
        "prof",
        "profil",
        "readdir",
        "sgetmask",
        "sigaction",
        "signal",
        "sigpending",
        "sigprocmask",
        "sigsuspend",
        "socketcall",
        "ssetmask",
        "stime",
        "stty",
        "ulimit",
        "umount",
        "vm86",
        "vm86old",
        "waitpid",
    ];
    /// A form that x86_64 knows by its name, and does not offer.
    const KNOWN: &str = "set_thread_area";

    #[test]
    fn every_form_is_a_call_of_i386_in_the_place_of_one_of_x86_64() {
        assert!(FORMS.is_sorted_by(|one, next| one.0 < next.0), "sorted, none twice");
        for (of, form) in FORMS {
            assert!(number(Abi::X86_64, of).is_some(), "{of}");
            assert!(number(Abi::I386, form).is_some(), "{form}");
            assert!(form == KNOWN || number(Abi::X86_64, form).is_none(), "{form}");
        }
    }

    #[test]
    fn every_call_that_only_i386_has_is_accounted_for() {
        let forms: BTreeSet<&str> = FORMS.iter().map(|(_, form)| *form).collect();
        for (_, name) in entries(Abi::I386) {
            let only = number(Abi::X86_64, name).is_none();
            let known = forms.contains(name) || OTHERS.contains(&name);
            assert_eq!(only, known && name != KNOWN, "{name}");
        }
    }

    #[test]
    fn forms_are_found_by_the_64_bit_call() {
        assert_eq!(form_of_i386("setgid"), Some(("setgid", "setgid32")));
        assert_eq!(form_of_i386("newfstatat"), Some(("newfstatat", "fstatat64")));
        assert_eq!(form_of_i386("setgid32"), None);
        assert_eq!(form_of_i386("read"), None);
    }
}
