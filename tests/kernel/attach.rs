//! Where the kernel program is attached: what is recorded on classic tracepoints, as on kernels
//! that preempt a program on raw ones, is what is recorded on raw ones.

use std::collections::BTreeMap;

use tests::{Calls, Cgroup, Outcome, Running, Tracer, calls, ground_truth};
use tracer::recording::{Attach, DenyOutcome, Phase};
use tracer::syscalls::Abi::{I386, X32, X86_64};

tests::trials! {
    classic_tracepoints_show_the_calls_of_every_abi_and_their_counts,
    classic_tracepoints_show_denied_calls_and_no_others,
    without_btf_classic_tracepoints_show_the_same_as_raw_ones,
    the_log_says_where_the_program_is,
}

/// `SECCOMP_RET_ERRNO` with `EPERM`, and `SECCOMP_RET_KILL_THREAD`.
const EPERM: u32 = 0x0005_0000 | 1;
const KILL_THREAD: u32 = 0;

/// What the fixture's steps leave in a recording that was made on one kind of tracepoint.
fn record(hook: &str, options: &[&str], steps: &[&str]) -> (Outcome, Calls) {
    let cgroup = Cgroup::new("attach");
    let tracing = Tracer::new().cgroup(&cgroup).args(["--attach", hook]).args(options).start();
    let hop = cgroup.hop();
    Running::start(&mut ground_truth([&[hop.as_str()], steps].concat())).finish();
    let outcome = tracing.stop().exits(0);
    let found = calls(&outcome.recording(), cgroup.name());
    (outcome, found)
}

fn classic_tracepoints_show_the_calls_of_every_abi_and_their_counts() {
    let steps = [
        "fork:4",
        "[",
        "x86_64:getppid*2000",
        "i386:getpid*3",
        "x32:getpid*4",
        "raw:-1*2",
        "raw:1000",
        "]",
        "wait",
        "thread",
        "[",
        "x86_64:gettid*3",
        "]",
        "x86_64:fchmodat2",
    ];
    let (raw, on_raw) = record("raw", &[], &steps);
    let (classic, on_classic) = record("classic", &[], &steps);
    assert_eq!(on_classic, on_raw);
    for (call, count) in [
        ((X86_64, 110), 8000),
        ((I386, 20), 12),
        ((X32, 39), 16),
        ((X86_64, -1), 8),
        ((X86_64, 1000), 4),
        ((X86_64, 186), 3),
        ((X86_64, 452), 1),
    ] {
        assert_eq!(on_classic.get(&call), Some(&Some(count)), "{call:?}");
    }
    assert_eq!(raw.recording().host.attach, Some(Attach::Raw));
    assert_eq!(classic.recording().host.attach, Some(Attach::Classic));
}

fn classic_tracepoints_show_denied_calls_and_no_others() {
    let refuse = [format!("refuse:mkdir,{EPERM}"), format!("refuse:getpriority,{KILL_THREAD}")];
    let steps = [
        &refuse[0],
        "fork:3",
        "[",
        "x86_64:mkdir*5",
        "x86_64:getpid",
        "i386:mkdir",
        "]",
        "wait",
        "raw:400",
        "x86_64:rmdir*3",
        &refuse[1],
        "thread",
        "[",
        "x86_64:getpriority",
        "]",
        "x86_64:getpid",
    ];
    let (outcome, _) = record("classic", &["--denied"], &steps);
    let recording = outcome.recording();
    let calls = recording.cgroups.iter().flat_map(|cgroup| &cgroup.calls);
    let refused: BTreeMap<_, _> = calls
        .filter(|call| call.phase == Phase::Denied)
        .map(|call| ((call.abi, call.number), (call.outcome, call.count)))
        .collect();
    let expected = BTreeMap::from([
        ((X86_64, 83), (Some(DenyOutcome::Errno(1)), Some(15))),
        ((X86_64, 140), (Some(DenyOutcome::ThreadKilled), Some(1))),
    ]);
    assert_eq!(refused, expected);
}

fn without_btf_classic_tracepoints_show_the_same_as_raw_ones() {
    let steps = ["x86_64:getpid*3", "x86_64:getppid*7", "raw:600"];
    let (_, on_raw) = record("raw", &["--no-btf"], &steps);
    let (_, on_classic) = record("classic", &["--no-btf"], &steps);
    assert_eq!(on_classic, on_raw);
}

fn the_log_says_where_the_program_is() {
    for (hook, message) in
        [("raw", "attached to raw tracepoints"), ("classic", "attached to classic")]
    {
        let (outcome, _) = record(hook, &["-v"], &["x86_64:getpid"]);
        outcome.says(&[message]);
    }
}
