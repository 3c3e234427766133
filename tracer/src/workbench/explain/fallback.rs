//! What happens where a syscall fails: what C libraries and programs do then.
//!
//! Sources: glibc 2.42
//! (`sysdeps/unix/sysv/linux/{clone-internal,faccessat,statx,fchmodat,closefrom_fallback}.c`,
//! `stdlib/arc4random.c`, `sysdeps/nptl/`), musl 1.2.5, and runs of programs of Debian 12 (glibc
//! 2.36) under filters that answer EPERM and ENOSYS.

/// What happens where a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fallback {
    /// What happens when it fails with ENOSYS.
    pub on_enosys: &'static str,
    /// What happens when it fails with another number, if that is something else.
    pub on_others: Option<&'static str>,
}

const fn any(on_enosys: &'static str) -> Fallback {
    Fallback { on_enosys, on_others: None }
}

const fn other(on_enosys: &'static str, on_others: &'static str) -> Fallback {
    Fallback { on_enosys, on_others: Some(on_others) }
}

const GOES_ON: Fallback = any("C libraries and programs go on without it");
const NONE: Fallback = any("C libraries have no other way: what needs it fails");
const PASSED_ON: Fallback =
    any("C libraries pass the error on to the program, which expects ENOSYS on older kernels");

/// Sorted by name.
const FALLBACKS: [(&str, Fallback); 31] = [
    ("access", GOES_ON),
    ("arch_prctl", any("no program in C starts: its thread pointer is not set")),
    ("clock_nanosleep", NONE),
    (
        "clone3",
        other(
            "glibc 2.34 and newer makes clone in its place",
            "glibc 2.34 and newer does not start threads and processes",
        ),
    ),
    ("close_range", any("C libraries and runtimes close the descriptors one by one")),
    ("copy_file_range", GOES_ON),
    ("epoll_create1", NONE),
    ("epoll_pwait2", PASSED_ON),
    ("execve", any("nothing starts, not even the workload")),
    ("exit_group", any("glibc ends the process with SIGSEGV in place of its own status")),
    (
        "faccessat2",
        other(
            "glibc 2.33 and newer, and musl, make faccessat in its place",
            "`test -x` of bash answers no for every file, and runc does not find the program",
        ),
    ),
    ("fchmodat2", other("C libraries make fchmodat in its place", "changing permissions fails")),
    ("futex", any("locks do not work: programs abort or spin")),
    ("futex_waitv", PASSED_ON),
    (
        "getrandom",
        other("glibc reads /dev/urandom in its place", "arc4random of glibc aborts the program"),
    ),
    ("mmap", NONE),
    ("mprotect", any("the dynamic linker stops: no dynamic program starts")),
    ("mseal", PASSED_ON),
    ("newfstatat", NONE),
    ("openat", NONE),
    ("openat2", PASSED_ON),
    ("pidfd_open", GOES_ON),
    ("prlimit64", GOES_ON),
    ("renameat2", other("mv of coreutils makes renameat in its place", "mv of coreutils fails")),
    ("restart_syscall", any("a program that was stopped while it waited hangs")),
    ("rseq", any("glibc goes on without restartable sequences")),
    ("rt_sigreturn", any("a program dies when its first signal handler returns")),
    ("sched_getaffinity", GOES_ON),
    ("set_robust_list", any("C libraries go on without robust mutexes")),
    (
        "statx",
        other(
            "glibc and musl make newfstatat in its place; runc 1.2.8 and newer does not start",
            "ls and stat fail; runc 1.2.8 and newer does not start",
        ),
    ),
    ("utimensat", NONE),
];

/// What happens where a call fails; None where that is not known.
pub fn fallback(name: &str) -> Option<Fallback> {
    FALLBACKS.iter().find(|(of, _)| *of == name).map(|(_, fallback)| *fallback)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscalls;

    #[test]
    fn every_call_exists_once_in_order() {
        assert!(FALLBACKS.is_sorted_by(|(one, _), (next, _)| one < next));
        assert!(FALLBACKS.iter().all(|(name, _)| syscalls::is_known(name)));
        assert!(fallback("statx").is_some_and(|it| it.on_others.is_some()));
        assert_eq!(fallback("read"), None);
    }
}
