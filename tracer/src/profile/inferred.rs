//! Calls that nobody saw and that are allowed on request: other forms of seen calls, and calls of rare paths.
//!
//! Both follow from how C libraries are written, not from what was recorded, and so both are opt-in.

/// Calls of which one stands for another: the same function of a C library makes one or the other, depending on the
/// library, its version, the machine it was built for, and the kernel.
///
/// Sources: glibc, `sysdeps/unix/sysv/linux/` (`fstatat64.c`, `faccessat.c`, `fchmodat.c`, `clone-internal.c`, `select.c`
/// and their like try the new call and fall back to the old one on ENOSYS; `generic/` and older releases make the old one
/// at once) and `sysdeps/unix/sysv/linux/syscalls.list`; musl, `src/unistd/`, `src/stat/`, `src/fcntl/`, `src/select/`,
/// `src/linux/`, where the old form is under `#ifdef SYS_open` and its like; man pages, section 2, "VERSIONS" and "C
/// library/kernel differences". The `futex_*` and `*xattrat` calls are forms of newer kernels that libraries move to.
///
/// Every call is in one group at most. Not in any: `execve` with `execveat` and `mount` with `move_mount`, which do more than
/// the other one; calls without an implementation; those of the vDSO, which every profile allows; and 32-bit forms, which
/// 64-bit programs lack.
pub const ALTERNATIVES: &[&[&str]] = &[
    &["open", "openat", "openat2"],
    &["stat", "lstat", "fstat", "newfstatat", "statx"],
    &["access", "faccessat", "faccessat2"],
    &["readlink", "readlinkat"],
    &["getdents", "getdents64"],
    &["poll", "ppoll"],
    &["select", "pselect6"],
    &["epoll_create", "epoll_create1"],
    &["epoll_wait", "epoll_pwait", "epoll_pwait2"],
    &["eventfd", "eventfd2"],
    &["signalfd", "signalfd4"],
    &["inotify_init", "inotify_init1"],
    &["pipe", "pipe2"],
    &["dup", "dup2", "dup3"],
    &["accept", "accept4"],
    &["fork", "vfork", "clone", "clone3"],
    &["wait4", "waitid"],
    &["rename", "renameat", "renameat2"],
    &["mkdir", "mkdirat"],
    &["rmdir", "unlink", "unlinkat"],
    &["link", "linkat"],
    &["symlink", "symlinkat"],
    &["chmod", "fchmodat", "fchmodat2"],
    &["chown", "lchown", "fchownat"],
    &["mknod", "mknodat"],
    &["utime", "utimes", "futimesat", "utimensat"],
    &["getrlimit", "setrlimit", "prlimit64"],
    &["nanosleep", "clock_nanosleep"],
    &["alarm", "setitimer"],
    &["preadv", "preadv2"],
    &["pwritev", "pwritev2"],
    &["recvmsg", "recvmmsg"],
    &["sendmsg", "sendmmsg"],
    &["sendfile", "copy_file_range", "splice"],
    &["futex", "futex_wait", "futex_wake", "futex_requeue", "futex_waitv"],
    &["getxattr", "lgetxattr", "fgetxattr", "getxattrat"],
    &["setxattr", "lsetxattr", "fsetxattr", "setxattrat"],
    &["listxattr", "llistxattr", "flistxattr", "listxattrat"],
    &["removexattr", "lremovexattr", "fremovexattr", "removexattrat"],
    &["sched_setscheduler", "sched_setattr"],
    &["sched_getscheduler", "sched_getattr"],
];

/// Calls of paths that a test run hardly takes: failed assertions, shortage of memory, signals, loss of a service.
///
/// Sources: glibc, `stdlib/abort.c`, `assert/assert.c`, `sysdeps/posix/libc_fatal.c`, `misc/syslog.c`, `nptl/pthread_kill.c`,
/// `malloc/malloc.c`, `resolv/res_send.c`; musl, `src/exit/abort.c`, `src/signal/raise.c`, `src/misc/syslog.c`. Ends of
/// threads and returns from signal handlers are in every profile already.
pub const ERROR_PATHS: &[(&str, &str)] = &[
    ("connect", "reaches the system log, and name servers over TCP when UDP fails"),
    ("fdatasync", "makes data last before a program gives up, or at an orderly end"),
    ("fsync", "makes a file last before a program gives up, or at an orderly end"),
    ("ftruncate", "cuts a file back after a write that failed"),
    ("getcwd", "names the folder in a message of an error"),
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

/// The other forms of a call, each with the call.
pub(super) fn alternatives(name: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let group = ALTERNATIVES.iter().find(|group| group.contains(&name)).copied();
    let group = group.unwrap_or_default();
    let of = group.iter().copied().find(|member| *member == name);
    let others = move |of| {
        group.iter().copied().filter(move |other| *other != of).map(move |other| (other, of))
    };
    of.into_iter().flat_map(others)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::syscalls::{Abi, number};

    /// Calls that give a program power over the kernel, the machine or other programs. Calls that are dangerous with some
    /// arguments only (`socket`, `clone`) are not among them.
    const DANGEROUS: &[&[&str]] = &[
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
    const WITHOUT_IMPLEMENTATION: &[&str] = &[
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

    fn all() -> Vec<&'static str> {
        let errors = ERROR_PATHS.iter().map(|(name, _)| *name);
        ALTERNATIVES.iter().copied().flatten().copied().chain(errors).collect()
    }

    #[test]
    fn every_name_is_a_call_of_x86_64() {
        for name in all() {
            assert!(number(Abi::X86_64, name).is_some(), "{name}");
            assert!(!WITHOUT_IMPLEMENTATION.contains(&name), "{name}");
        }
    }

    #[test]
    fn none_is_dangerous() {
        for name in DANGEROUS.iter().copied().flatten() {
            assert!(number(Abi::X86_64, name).is_some(), "{name} is misspelt");
            assert!(!all().contains(name), "{name}");
        }
        assert!(!all().contains(&"execve"));
    }

    #[test]
    fn every_call_is_in_one_group() {
        let names: Vec<_> = ALTERNATIVES.iter().copied().flatten().collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        assert!(ALTERNATIVES.iter().all(|group| group.len() > 1));
        assert!(ERROR_PATHS.is_sorted_by(|one, next| one.0 < next.0), "sorted, none twice");
    }

    #[test]
    fn one_form_stands_for_the_others_alone() {
        for group in ALTERNATIVES {
            for name in *group {
                let others: Vec<_> = alternatives(name).collect();
                assert_eq!(others.len(), group.len() - 1);
                assert!(
                    others
                        .iter()
                        .all(|(other, of)| of == name && other != name && group.contains(other))
                );
            }
        }
        for name in ["execve", "mount", "read", "clock_gettime", "no_such_call"] {
            assert_eq!(alternatives(name).count(), 0, "{name}");
        }
    }
}
