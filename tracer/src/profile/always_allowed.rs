//! The calls that every profile allows, whatever was recorded: a recording shows one host, one run.

use tracer_ebpf::arguments::EXECUTABLE;

/// Calls that no program runs without, and that a recording easily misses.
pub const CORE: [(&str, &str); 5] = [
    ("execve", "starts the workload, after the filter is loaded"),
    ("exit", "ends a thread"),
    ("exit_group", "ends a process; a server may never end while it is recorded"),
    ("restart_syscall", "the kernel enters it when a wait goes on after a stop"),
    ("rt_sigreturn", "returns from a signal handler; no signal may arrive while it is recorded"),
];

/// Calls that the vDSO answers in user space, so that they enter the kernel on some hosts only
/// (`vdso(7)`; `getrandom` since Linux 6.11). They are system calls where the clock source is not
/// readable from user space, and for some clocks.
pub const VDSO: [&str; 6] =
    ["clock_getres", "clock_gettime", "getcpu", "getrandom", "gettimeofday", "time"];

/// Calls of a program's start: those that depend on the processor, the kernel or the version of the
/// C library, and those without which no program in C starts that is executed in the container of a
/// program in another language. Seen with `sh` and `echo` of glibc, static and dynamic, that were
/// executed in the container of a static Go server.
pub const START_UP: [(&str, &str); 17] = [
    ("access", "the dynamic linker looks for /etc/ld.so.preload"),
    (
        "arch_prctl",
        "sets the thread pointer, and asks for processor features such as shadow stacks",
    ),
    ("brk", "the C library takes memory for its heap"),
    ("getegid", "asks for the group that the program runs as, as shells do"),
    ("geteuid", "asks for the user that the program runs as, as shells do"),
    ("map_shadow_stack", "makes the shadow stack of a thread where the processor has them"),
    ("membarrier", "registers for memory barriers across threads where the kernel offers them"),
    ("mprotect", "makes relocated data read-only"),
    ("pread64", "the dynamic linker reads the headers of libraries"),
    ("prlimit64", "reads the limit of the stack's size"),
    ("readlink", "a static program asks where it lies: /proc/self/exe"),
    ("rseq", "registers restartable sequences; C libraries since glibc 2.35"),
    ("sched_getaffinity", "counts the processors for thread pools and allocators"),
    ("set_robust_list", "registers the robust mutexes of a thread"),
    ("set_tid_address", "tells the kernel where a thread's id is cleared when it ends"),
    ("sysinfo", "reads the size of the memory"),
    ("uname", "reads the kernel's version"),
];

/// The values with which the calls of [`START_UP`] are made whose arguments are looked at: the
/// call, which argument, the values. `arch_prctl`: `ARCH_SET_FS`, `ARCH_CET_STATUS` of glibc before
/// 2.39, and the `ARCH_SHSTK` codes of later ones (`arch/x86/include/uapi/asm/prctl.h`).
/// `prlimit64`: `RLIMIT_STACK`. `mprotect`: not executable.
const VALUES: [(&str, u8, &[u64]); 3] = [
    ("arch_prctl", 0, &[0x1002, 0x3001, 0x5001, 0x5002, 0x5003, 0x5005]),
    ("mprotect", 2, &[0]),
    ("prlimit64", 1, &[3]),
];

/// The values of an argument with which a program's start makes a call; None when they are not
/// known.
pub fn values(name: &str, index: u8) -> Option<&'static [u64]> {
    let found = VALUES.iter().find(|(call, at, _)| *call == name && *at == index);
    found.map(|(_, _, values)| *values)
}

/// The value of an argument with which the dynamic linker makes a call, and why.
pub fn linker_values(name: &str, index: u8) -> Option<(u64, &'static str)> {
    let is_mapping = matches!(name, "mmap" | "mmap2") && index == 2;
    is_mapping.then_some((EXECUTABLE, "the dynamic linker maps the code of libraries"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscalls::{Abi, number};

    #[test]
    fn every_name_is_a_call() {
        let names = CORE.iter().chain(&START_UP).map(|(name, _)| *name).chain(VDSO);
        for name in names {
            assert!(number(Abi::X86_64, name).is_some(), "{name}");
        }
        for abi in Abi::ALL {
            for name in abi.description().own_vdso {
                assert_eq!(number(Abi::NATIVE, name), None, "{name}");
                assert!(number(abi, name).is_some(), "{name}");
            }
        }
    }

    #[test]
    fn calls_that_need_evidence_are_not_added() {
        let added: Vec<&str> = START_UP.iter().map(|(name, _)| *name).collect();
        let evidence =
            ["pkey_alloc", "pkey_free", "pkey_mprotect", "get_mempolicy", "set_thread_area"];
        for name in evidence {
            assert!(!added.contains(&name), "{name}");
        }
    }
}
