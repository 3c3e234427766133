//! Without the kernel's types: native calls are exact, compat calls are a counted loss.

use tracer::syscalls::Abi::{X32, X86_64};

use crate::truth::{all_calls, listed, record};

/// See the module.
pub fn check() -> Result<(), String> {
    let steps = [
        "x86_64:getpid*3",
        "x86_64:getuid*2",
        "thread",
        "[",
        "x86_64:gettid*3",
        "]",
        "fork:4",
        "[",
        "x86_64:getppid*25000",
        "]",
        "wait",
    ];
    let outcome = record(&["--no-btf"], &steps).exits(0);
    let made = [
        (39, 3),
        (56, 1),
        (57, 4),
        (59, 1),
        (60, 1),
        (61, 5),
        (102, 2),
        (110, 100_000),
        (186, 3),
        (231, 5),
    ];
    let made = made.map(|(number, count)| (X86_64, number, count));
    assert_eq!(all_calls(&outcome.recording()), listed(&made), "left: recorded, right: made");

    let outcome = record(&["--no-btf"], &["x86_64:getpid", "i386:getpid*3", "x32:getpid"]).exits(3);
    let recording = outcome.recording();
    assert_eq!(recording.losses.compat, 3, "three calls were not resolved");
    let made = [(X86_64, 39, 1), (X86_64, 59, 1), (X86_64, 231, 1), (X32, 39, 1)];
    assert_eq!(all_calls(&recording), listed(&made), "left: recorded, right: made");
    Ok(())
}
