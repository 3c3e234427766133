//! Names of what processes ask about themselves and share with each other: `clone` and its kin,
//! `personality`, `prctl`, `prlimit64`, `kcmp`, `seccomp`, `arch_prctl`.

use super::names::{Names, bits, named, one};

/// The bits of `clone3`, `unshare` and `setns`.
pub(super) fn clone_bits(value: u64) -> String {
    bits(CLONE, value)
}

/// The flags of `clone`: the lowest byte is the signal that the parent gets when the child ends.
pub(super) fn clone_flags(value: u64) -> String {
    let (flags, signal) = (value & !SIGNAL, value & SIGNAL);
    match (flags, signal) {
        (_, 0) => bits(CLONE, flags),
        (0, _) => one(SIGNALS, signal),
        _ => format!("{}|{}", bits(CLONE, flags), one(SIGNALS, signal)),
    }
}

/// `CSIGNAL` (`linux/sched.h`).
const SIGNAL: u64 = 0xff;

/// What `personality` sets; the value that only asks for the present one stays a number.
pub(super) fn personality(value: u64) -> String {
    if value == 0xffff_ffff {
        return format!("{value:#x}");
    }
    let (kind, flags) = (one(PERSONALITIES, value & 0xff), value & !0xff);
    if flags == 0 { kind } else { format!("{kind}|{}", bits(PERSONALITY_FLAGS, flags)) }
}

/// An option of `prctl`.
pub(super) fn prctl(value: u64) -> String {
    one(OPTIONS, value)
}

/// A resource of `prlimit64`.
pub(super) fn resource(value: u64) -> String {
    one(RESOURCES, value)
}

/// What `kcmp` compares.
pub(super) fn kcmp(value: u64) -> String {
    one(COMPARED, value)
}

/// An operation of `seccomp`.
pub(super) fn seccomp(value: u64) -> String {
    one(SECCOMP, value)
}

/// A code of `arch_prctl`.
pub(super) fn arch_prctl(value: u64) -> String {
    one(ARCH_CODES, value)
}

/// The lowest byte of a personality (`linux/personality.h`).
const PERSONALITIES: Names = &[
    (0x00, "PER_LINUX"),
    (0x01, "PER_SVR4"),
    (0x02, "PER_SVR3"),
    (0x03, "PER_SCOSVR3"),
    (0x04, "PER_WYSEV386"),
    (0x05, "PER_ISCR4"),
    (0x06, "PER_BSD"),
    (0x07, "PER_XENIX"),
    (0x08, "PER_LINUX32"),
    (0x09, "PER_IRIX32"),
    (0x0a, "PER_IRIXN32"),
    (0x0b, "PER_IRIX64"),
    (0x0c, "PER_RISCOS"),
    (0x0d, "PER_SOLARIS"),
    (0x0e, "PER_UW7"),
    (0x0f, "PER_OSF4"),
    (0x10, "PER_HPUX"),
];

/// The other bytes of a personality (`linux/personality.h`).
const PERSONALITY_FLAGS: Names = &[
    (0x002_0000, "UNAME26"),
    (0x004_0000, "ADDR_NO_RANDOMIZE"),
    (0x008_0000, "FDPIC_FUNCPTRS"),
    (0x010_0000, "MMAP_PAGE_ZERO"),
    (0x020_0000, "ADDR_COMPAT_LAYOUT"),
    (0x040_0000, "READ_IMPLIES_EXEC"),
    (0x080_0000, "ADDR_LIMIT_32BIT"),
    (0x100_0000, "SHORT_INODE"),
    (0x200_0000, "WHOLE_SECONDS"),
    (0x400_0000, "STICKY_TIMEOUTS"),
    (0x800_0000, "ADDR_LIMIT_3GB"),
];

/// What `kcmp` compares (`linux/kcmp.h`).
const COMPARED: Names = &[
    (0, "KCMP_FILE"),
    (1, "KCMP_VM"),
    (2, "KCMP_FILES"),
    (3, "KCMP_FS"),
    (4, "KCMP_SIGHAND"),
    (5, "KCMP_IO"),
    (6, "KCMP_SYSVSEM"),
    (7, "KCMP_EPOLL_TFD"),
];

/// Operations of `seccomp` (`linux/seccomp.h`).
const SECCOMP: Names = &[
    (0, "SECCOMP_SET_MODE_STRICT"),
    (1, "SECCOMP_SET_MODE_FILTER"),
    (2, "SECCOMP_GET_ACTION_AVAIL"),
    (3, "SECCOMP_GET_NOTIF_SIZES"),
];

/// Codes of `arch_prctl` (`asm/prctl.h`).
const ARCH_CODES: Names = &[
    (0x1001, "ARCH_SET_GS"),
    (0x1002, "ARCH_SET_FS"),
    (0x1003, "ARCH_GET_FS"),
    (0x1004, "ARCH_GET_GS"),
    (0x1011, "ARCH_GET_CPUID"),
    (0x1012, "ARCH_SET_CPUID"),
    (0x1021, "ARCH_GET_XCOMP_SUPP"),
    (0x1022, "ARCH_GET_XCOMP_PERM"),
    (0x1023, "ARCH_REQ_XCOMP_PERM"),
    (0x1024, "ARCH_GET_XCOMP_GUEST_PERM"),
    (0x1025, "ARCH_REQ_XCOMP_GUEST_PERM"),
    (0x2001, "ARCH_MAP_VDSO_X32"),
    (0x2002, "ARCH_MAP_VDSO_32"),
    (0x2003, "ARCH_MAP_VDSO_64"),
    // The C library asked for this before the kernel had shadow stacks:
    // `sysdeps/unix/sysv/linux/x86/include/asm/prctl.h` of glibc.
    (0x3001, "ARCH_CET_STATUS"),
    (0x4001, "ARCH_GET_UNTAG_MASK"),
    (0x4002, "ARCH_ENABLE_TAGGED_ADDR"),
    (0x4003, "ARCH_GET_MAX_TAG_BITS"),
    (0x4004, "ARCH_FORCE_TAGGED_SVA"),
    (0x5001, "ARCH_SHSTK_ENABLE"),
    (0x5002, "ARCH_SHSTK_DISABLE"),
    (0x5003, "ARCH_SHSTK_LOCK"),
    (0x5004, "ARCH_SHSTK_UNLOCK"),
    (0x5005, "ARCH_SHSTK_STATUS"),
];

/// `linux/sched.h`.
#[rustfmt::skip]
const CLONE: Names = named![general:
    CLONE_VM CLONE_FS CLONE_FILES CLONE_SIGHAND CLONE_PIDFD CLONE_PTRACE CLONE_VFORK CLONE_PARENT CLONE_THREAD CLONE_NEWNS
    CLONE_SYSVSEM CLONE_SETTLS CLONE_PARENT_SETTID CLONE_CHILD_CLEARTID CLONE_DETACHED CLONE_UNTRACED CLONE_CHILD_SETTID
    CLONE_NEWCGROUP CLONE_NEWUTS CLONE_NEWIPC CLONE_NEWUSER CLONE_NEWPID CLONE_NEWNET CLONE_IO CLONE_CLEAR_SIGHAND CLONE_INTO_CGROUP
    CLONE_NEWTIME
];

/// `asm-generic/signal.h`.
#[rustfmt::skip]
const SIGNALS: Names = named![general:
    SIGHUP SIGINT SIGQUIT SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE SIGKILL SIGUSR1 SIGSEGV SIGUSR2 SIGPIPE SIGALRM SIGTERM SIGSTKFLT
    SIGCHLD SIGCONT SIGSTOP SIGTSTP SIGTTIN SIGTTOU SIGURG SIGXCPU SIGXFSZ SIGVTALRM SIGPROF SIGWINCH SIGIO SIGPWR SIGSYS
];

/// `linux/prctl.h`.
#[rustfmt::skip]
const OPTIONS: Names = named![prctl:
    PR_SET_PDEATHSIG PR_GET_PDEATHSIG PR_GET_DUMPABLE PR_SET_DUMPABLE PR_GET_UNALIGN PR_SET_UNALIGN PR_GET_KEEPCAPS PR_SET_KEEPCAPS
    PR_GET_FPEMU PR_SET_FPEMU PR_GET_FPEXC PR_SET_FPEXC PR_GET_TIMING PR_SET_TIMING PR_SET_NAME PR_GET_NAME PR_GET_ENDIAN
    PR_SET_ENDIAN PR_GET_SECCOMP PR_SET_SECCOMP PR_CAPBSET_READ PR_CAPBSET_DROP PR_GET_TSC PR_SET_TSC PR_GET_SECUREBITS
    PR_SET_SECUREBITS PR_SET_TIMERSLACK PR_GET_TIMERSLACK PR_TASK_PERF_EVENTS_DISABLE PR_TASK_PERF_EVENTS_ENABLE PR_MCE_KILL
    PR_SET_MM PR_SET_PTRACER PR_SET_CHILD_SUBREAPER PR_GET_CHILD_SUBREAPER PR_SET_NO_NEW_PRIVS PR_GET_NO_NEW_PRIVS
    PR_GET_TID_ADDRESS PR_SET_THP_DISABLE PR_GET_THP_DISABLE PR_MPX_ENABLE_MANAGEMENT PR_MPX_DISABLE_MANAGEMENT PR_SET_FP_MODE
    PR_GET_FP_MODE PR_CAP_AMBIENT PR_SVE_SET_VL PR_SVE_GET_VL PR_GET_SPECULATION_CTRL PR_SET_SPECULATION_CTRL PR_PAC_RESET_KEYS
    PR_SET_TAGGED_ADDR_CTRL PR_GET_TAGGED_ADDR_CTRL PR_SET_IO_FLUSHER PR_GET_IO_FLUSHER PR_SET_SYSCALL_USER_DISPATCH
    PR_PAC_SET_ENABLED_KEYS PR_PAC_GET_ENABLED_KEYS PR_SCHED_CORE PR_SME_SET_VL PR_SME_GET_VL PR_SET_MDWE PR_GET_MDWE PR_SET_VMA
    PR_GET_AUXV PR_SET_MEMORY_MERGE PR_GET_MEMORY_MERGE PR_RISCV_V_SET_CONTROL PR_RISCV_V_GET_CONTROL PR_RISCV_SET_ICACHE_FLUSH_CTX
    PR_PPC_GET_DEXCR PR_PPC_SET_DEXCR PR_GET_SHADOW_STACK_STATUS PR_SET_SHADOW_STACK_STATUS PR_LOCK_SHADOW_STACK_STATUS
    PR_TIMER_CREATE_RESTORE_IDS PR_FUTEX_HASH
];

/// `asm-generic/resource.h`.
#[rustfmt::skip]
const RESOURCES: Names = named![general:
    RLIMIT_CPU RLIMIT_FSIZE RLIMIT_DATA RLIMIT_STACK RLIMIT_CORE RLIMIT_RSS RLIMIT_NPROC RLIMIT_NOFILE RLIMIT_MEMLOCK RLIMIT_AS
    RLIMIT_LOCKS RLIMIT_SIGPENDING RLIMIT_MSGQUEUE RLIMIT_NICE RLIMIT_RTPRIO RLIMIT_RTTIME
];
