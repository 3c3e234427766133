//! Calls of rare paths, which nobody saw and which are allowed on request: they follow from how C
//! libraries are written, not from what was recorded.

/// Calls of paths that a test run hardly takes: failed assertions, shortage of memory, signals,
/// loss of a service.
///
/// Sources: glibc, `stdlib/abort.c`, `assert/assert.c`, `sysdeps/posix/libc_fatal.c`,
/// `misc/syslog.c`, `nptl/pthread_kill.c`, `malloc/malloc.c`, `resolv/res_send.c`; musl,
/// `src/exit/abort.c`, `src/signal/raise.c`, `src/misc/syslog.c`. Ends of threads and returns from
/// signal handlers are in every profile already.
pub const ERROR_PATHS: &[(&str, &str)] = &[
    ("connect", "reaches the system log, and name servers over TCP when UDP fails"),
    ("fdatasync", "makes data last before a program gives up, or at an orderly end"),
    ("fsync", "makes a file last before a program gives up, or at an orderly end"),
    ("ftruncate", "cuts a file back after a write that failed"),
    ("getcwd", "names the directory in a message of an error"),
    ("getpid", "abort() and raise() address a signal to their own process"),
    ("gettid", "abort() and raise() address a signal to their own thread"),
    ("kill", "ends other processes when one of them failed, or passes a signal on"),
    ("madvise", "gives memory back when it is short"),
    ("mremap", "grows or shrinks a large piece of memory"),
    ("munmap", "gives memory back when it is short, or at the end of a thread"),
    ("pause", "waits for a signal that ends the process"),
    ("rt_sigaction", "abort() takes the program's own handler away"),
    ("rt_sigprocmask", "abort() and raise() let the signal through, or hold others back"),
    ("rt_sigtimedwait", "takes a signal that came while signals were held back"),
    ("sched_yield", "lets others run when a lock is contended"),
    ("sendto", "writes to the system log, and asks name servers again"),
    ("sigaltstack", "gives the handler of a crash a stack of its own"),
    ("socket", "opens the system log, and asks name servers again"),
    ("tgkill", "glibc's abort() and raise() send the signal to their own thread"),
    ("tkill", "musl's abort() and raise() send the signal to their own thread"),
    ("uname", "names the machine in a message of an error"),
    ("wait4", "collects a helper that ended before its time"),
    ("writev", "writes the message of a failed assertion, and of glibc's own fatal errors"),
];

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::syscalls::{Abi, number};

    /// Calls that give a program power over the kernel, the machine or other programs. Calls that
    /// are dangerous with some arguments only (`socket`, `clone`) are not among them.
    pub(in super::super) const DANGEROUS: &[&[&str]] = &[
        &["init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "bpf"],
        &[
            "unshare",
            "setns",
            "mount",
            "umount2",
            "pivot_root",
            "move_mount",
            "open_tree",
            "chroot",
        ],
        &["open_tree_attr", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr"],
        &["ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd"],
        &["kcmp", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register"],
        &["perf_event_open", "add_key", "request_key", "keyctl", "modify_ldt", "remap_file_pages"],
        &["vmsplice", "iopl", "ioperm", "reboot", "swapon", "swapoff", "acct", "quotactl"],
        &["quotactl_fd", "syslog", "vhangup", "nfsservctl", "settimeofday", "clock_settime"],
        &["clock_adjtime", "adjtimex", "open_by_handle_at", "name_to_handle_at", "sethostname"],
        &[
            "setdomainname",
            "mbind",
            "set_mempolicy",
            "get_mempolicy",
            "migrate_pages",
            "move_pages",
        ],
        &["set_mempolicy_home_node", "execveat", "memfd_create", "personality"],
    ];

    /// In the table, and without an implementation in any kernel that tracer runs on.
    pub(in super::super) const WITHOUT_IMPLEMENTATION: &[&str] = &[
        "_sysctl",
        "afs_syscall",
        "create_module",
        "epoll_ctl_old",
        "epoll_wait_old",
        "get_kernel_syms",
        "getpmsg",
        "lookup_dcookie",
        "nfsservctl",
        "putpmsg",
        "query_module",
        "security",
        "sysfs",
        "tuxcall",
        "uselib",
        "vserver",
    ];

    #[test]
    fn every_name_is_a_call_of_x86_64() {
        for (name, _) in ERROR_PATHS {
            assert!(number(Abi::X86_64, name).is_some(), "{name}");
            assert!(!WITHOUT_IMPLEMENTATION.contains(name), "{name}");
        }
    }

    #[test]
    fn none_is_dangerous() {
        for name in DANGEROUS.iter().copied().flatten() {
            assert!(number(Abi::X86_64, name).is_some(), "{name} is misspelt");
            assert!(!ERROR_PATHS.iter().any(|(path, _)| path == name), "{name}");
        }
    }

    #[test]
    fn they_are_sorted() {
        assert!(ERROR_PATHS.is_sorted_by(|one, next| one.0 < next.0), "sorted, none twice");
    }
}
