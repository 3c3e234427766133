//! The recording equals the list of calls that were made: every ABI, threads, forks, filters, exec.

use tests::{Calls, GROUND_TRUTH, Outcome, Tracer, calls};
use tracer::recording::Recording;
use tracer::syscalls::Abi::{self, I386, X32, X86_64};

/// ABI, number and count of a call.
pub type Made = (Abi, i32, u64);

/// Records the fixture program with its steps.
pub fn record(options: &[&str], steps: &[&str]) -> Outcome {
    Tracer::new().args(options).command([&[GROUND_TRUTH], steps].concat()).run()
}

/// The calls of all cgroups.
pub fn all_calls(recording: &Recording) -> Calls {
    let mut paths: Vec<&str> =
        recording.cgroups.iter().map(|cgroup| cgroup.path.as_str()).collect();
    paths.dedup();
    paths.iter().flat_map(|path| calls(recording, path)).collect()
}

/// The calls, each as often as listed.
pub fn listed(made: &[Made]) -> Calls {
    made.iter().map(|&(abi, number, count)| ((abi, number), Some(count))).collect()
}

fn exact(steps: &[&str], made: &[Made]) -> Outcome {
    let outcome = record(&[], steps).exits(0);
    assert_eq!(all_calls(&outcome.recording()), listed(made), "left: recorded, right: made");
    outcome
}

/// See the module.
pub fn check() -> Result<(), String> {
    everything_at_once();
    exact(
        &["x86_64:getpid", "allow-all", "x86_64:getpid", "x86_64:getuid"],
        &[
            (X86_64, 39, 2),
            (X86_64, 59, 1),
            (X86_64, 102, 1),
            (X86_64, 157, 1),
            (X86_64, 231, 1),
            (X86_64, 317, 1),
        ],
    );
    exact(
        &["x86_64:getpid", "exec", "x86_64:getuid", "exec", "i386:getuid"],
        &[(X86_64, 39, 1), (X86_64, 59, 3), (X86_64, 102, 1), (X86_64, 231, 1), (I386, 24, 1)],
    );
    let outcome = exact(
        &["x86_64:getpid*3", "x86_64:mkdir"],
        &[(X86_64, 39, 3), (X86_64, 59, 1), (X86_64, 83, 1), (X86_64, 231, 1)],
    );
    let allowed = outcome.allowed();
    assert!(allowed.iter().any(|name| name == "mkdir"), "mkdir was made: {allowed:?}");
    assert!(!allowed.iter().any(|name| name == "pivot_root"), "pivot_root was not: {allowed:?}");
    Ok(())
}

fn everything_at_once() {
    let steps = [
        "x86_64:getpid*3",
        "x86_64:getuid*2",
        "x86_64:sched_yield*5",
        "x86_64:fchmodat2",
        "raw:1000",
        "i386:getpid",
        "i386:getppid*4",
        "x32:getpid",
        "x32:ioctl*2",
        "thread",
        "[",
        "x86_64:gettid*3",
        "]",
        "x86_64:gettid",
        "fork:4",
        "[",
        "x86_64:getppid*25000",
        "]",
        "wait",
    ];
    let made = [
        (X86_64, 24, 5),
        (X86_64, 39, 3),
        (X86_64, 56, 1),
        (X86_64, 57, 4),
        (X86_64, 59, 1),
        (X86_64, 60, 1),
        (X86_64, 61, 5),
        (X86_64, 102, 2),
        (X86_64, 110, 100_000),
        (X86_64, 186, 4),
        (X86_64, 231, 5),
        (X86_64, 452, 1),
        (X86_64, 1000, 1),
        (I386, 20, 1),
        (I386, 64, 4),
        (X32, 39, 1),
        (X32, 514, 2),
    ];
    let outcome = exact(&steps, &made);
    let architectures = outcome.profile()["architectures"].clone();
    let all = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"];
    assert_eq!(architectures, serde_json::json!(all));
}
