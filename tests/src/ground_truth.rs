//! The fixture program that makes exactly the calls that its steps name, and numbers that it can
//! make without harm.

use crate::{Cgroup, Running, cgroup_mount};
use std::ffi::OsStr;
use std::fmt::Display;
use std::process::Command;

/// The program: static, without a C library. `fixtures/ground_truth.rs` describes its language.
pub const GROUND_TRUTH: &str = env!("GROUND_TRUTH");
/// A static program with the standard library: `fixtures/worker.rs`.
pub const WORKER: &str = env!("WORKER");

/// Lets the program make one call of the native ABI in a cgroup, by its name or its number, and
/// end.
pub fn call_in(cgroup: &Cgroup, call: impl Display) {
    call_at(cgroup.name(), call);
}

/// The same, in a cgroup by its path.
pub fn call_at(path: &str, call: impl Display) {
    let processes = cgroup_mount().join(&path[1..]).join("cgroup.procs");
    let steps = [format!("hop:{}", processes.display()), format!("x86_64:{call}")];
    let finished = Running::start(&mut ground_truth(steps)).finish();
    assert!(finished.status.success(), "the fixture ends well: {finished:?}");
}

/// The program with its steps.
pub fn ground_truth(steps: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(GROUND_TRUTH);
    command.args(steps);
    command
}

/// Native calls that do nothing when every argument is 0, with their names from the kernel's table.
/// The program's own way to move and end (openat, write, close, fork, clone, wait4, execve,
/// `exit_group`) is not among them.
pub const HARMLESS: &[(i32, &str)] = &[
    (12, "brk"),
    (13, "rt_sigaction"),
    (14, "rt_sigprocmask"),
    (21, "access"),
    (24, "sched_yield"),
    (27, "mincore"),
    (28, "madvise"),
    (35, "nanosleep"),
    (36, "getitimer"),
    (37, "alarm"),
    (39, "getpid"),
    (63, "uname"),
    (79, "getcwd"),
    (82, "rename"),
    (83, "mkdir"),
    (87, "unlink"),
    (95, "umask"),
    (96, "gettimeofday"),
    (97, "getrlimit"),
    (98, "getrusage"),
    (99, "sysinfo"),
    (100, "times"),
    (102, "getuid"),
    (104, "getgid"),
    (107, "geteuid"),
    (108, "getegid"),
    (110, "getppid"),
    (111, "getpgrp"),
    (115, "getgroups"),
    (118, "getresuid"),
    (120, "getresgid"),
    (121, "getpgid"),
    (124, "getsid"),
    (140, "getpriority"),
    (145, "sched_getscheduler"),
    (146, "sched_get_priority_max"),
    (147, "sched_get_priority_min"),
    (155, "pivot_root"),
    (165, "mount"),
    (186, "gettid"),
    (201, "time"),
    (228, "clock_gettime"),
    (229, "clock_getres"),
    (272, "unshare"),
    (308, "setns"),
    (309, "getcpu"),
    (318, "getrandom"),
    (332, "statx"),
    (437, "openat2"),
    (439, "faccessat2"),
    (452, "fchmodat2"),
];

/// The same for the i386 ABI.
pub const HARMLESS_I386: &[(i32, &str)] = &[
    (13, "time"),
    (20, "getpid"),
    (24, "getuid"),
    (47, "getgid"),
    (49, "geteuid"),
    (50, "getegid"),
    (64, "getppid"),
    (65, "getpgrp"),
    (96, "getpriority"),
    (158, "sched_yield"),
    (199, "getuid32"),
    (200, "getgid32"),
    (201, "geteuid32"),
    (202, "getegid32"),
    (224, "gettid"),
];

/// Random numbers that a printed seed gives again (`SplitMix64`).
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Seeded by `TRACER_TEST_SEED`, or by the clock; says which.
    pub fn new() -> Self {
        let seed = std::env::var("TRACER_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| {
            let now = std::time::UNIX_EPOCH.elapsed().expect("the clock is past 1970");
            u64::from(now.subsec_nanos()) ^ now.as_secs() << 20
        });
        println!("TRACER_TEST_SEED={seed}");
        Self(seed)
    }

    /// Seeded by a number: the same numbers each time.
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below the limit.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }
}

impl Default for Random {
    fn default() -> Self {
        Self::new()
    }
}
