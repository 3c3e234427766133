//! Calls that a filter refuses: each is recorded as denied, and nothing else is. Both sides of what
//! looks like a denial at the exit from the kernel.

use std::collections::BTreeMap;
use std::fs;

use rustix::process::Signal;
use tests::{
    BOUND, Cgroup, Outcome, Running, Tracer, ground_truth, temporary_directory, wait_until,
};
use tracer::recording::{DenyOutcome, Phase, Recording};
use tracer::syscalls::Abi::{self, I386, X86_64};

tests::trials! {
    an_errno_is_recorded_with_its_count_and_command,
    denied_calls_are_allowed_on_request,
    a_killed_process_and_a_trapped_call_are_recorded,
    a_handler_of_a_trap_is_no_denial,
    a_thread_that_is_killed_alone_is_recorded,
    a_killed_thread_is_recorded_though_its_process_ends_at_once,
    a_call_is_both_allowed_and_denied_by_its_arguments,
    an_error_of_the_kernel_is_no_denial,
    new_processes_and_threads_are_no_denials,
    a_child_that_begins_in_another_cgroup_is_no_denial,
    a_process_that_is_moved_in_is_no_denial,
    calls_in_flight_at_the_beginning_are_no_denials,
    the_first_refused_call_after_one_in_flight_counts,
    an_execve_into_another_abi_is_no_denial,
    a_filter_that_may_deny_is_a_loss_unless_denied_calls_are_watched,
    a_sibling_s_denied_calls_are_not_the_target_s,
    many_denied_calls_of_many_threads_are_counted_exactly,
}

const MKDIR: i32 = 83;
const GETPRIORITY: i32 = 140;
const EPERM: u32 = 0x0005_0000 | 1;
const TRAP: u32 = 0x0003_0000;
const KILL_PROCESS: u32 = 0x8000_0000;
const KILL_THREAD: u32 = 0;

/// The denied calls of a recording, with how often each was refused.
type Denied = BTreeMap<(Abi, i32, DenyOutcome), u64>;

fn denied(recording: &Recording) -> Denied {
    let calls = recording.cgroups.iter().flat_map(|cgroup| &cgroup.calls);
    let refused = calls.filter(|call| call.phase == Phase::Denied);
    refused
        .map(|call| {
            let how = call.outcome.expect("a denied call says how it was refused");
            ((call.abi, call.number, how), call.count.expect("denied calls are counted"))
        })
        .collect()
}

/// Lets the fixture make the steps in a cgroup that is watched from its start.
fn record(options: &[&str], steps: &[&str]) -> Outcome {
    let cgroup = Cgroup::new("denied");
    let tracing = Tracer::new().cgroup(&cgroup).args(options).start();
    Running::start(&mut ground_truth([&[cgroup.hop().as_str()], steps].concat())).finish();
    tracing.stop()
}

/// Asserts what is denied when the fixture makes the steps, and that the recording is complete.
fn check(steps: &[&str], expected: &[(Abi, i32, DenyOutcome, u64)]) -> Outcome {
    let outcome = record(&["--denied"], steps);
    let expected: Denied =
        expected.iter().map(|&(abi, number, how, count)| ((abi, number, how), count)).collect();
    let recording = outcome.recording();
    assert_eq!(denied(&recording), expected, "left: recorded, right: refused");
    assert_eq!(recording.losses.filtered, 0, "denied calls were watched");
    outcome.exits(0)
}

fn refuse(number: i32, answer: u32) -> String {
    format!("refuse:{number},{answer}")
}

fn an_errno_is_recorded_with_its_count_and_command() {
    let outcome = check(
        &["name:bold", &refuse(MKDIR, EPERM), "x86_64:mkdir*7", "x86_64:getpid", "x86_64:mkdir"],
        &[(X86_64, MKDIR, DenyOutcome::Errno(1), 8)],
    );
    let recording = outcome.recording();
    let mut calls = recording.cgroups.iter().flat_map(|cgroup| &cgroup.calls);
    let mkdir = calls.find(|call| call.number == MKDIR).expect("it is recorded");
    assert_eq!(mkdir.command.as_deref(), Some("bold"));
    assert_eq!(mkdir.denied_in_phase, Some(Phase::Workload));
    let known = mkdir.circumstances.as_ref().expect("more is known");
    assert!(known.process > 0, "{known:?}");
    assert_eq!(known.arguments, Some([0; 6]));
    assert!(!outcome.allowed().contains(&"mkdir".to_owned()));
    outcome.says(&[
        "denied by a filter",
        "mkdir(0x0, 0x0, 0x0, 0x0, 0x0, 0x0) = EPERM  8 times  bold[",
        "(workload)  went on, ended ",
    ]);
}

fn denied_calls_are_allowed_on_request() {
    let outcome = record(&["--include-denied"], &[&refuse(MKDIR, EPERM), "x86_64:mkdir"]).exits(0);
    assert!(outcome.allowed().contains(&"mkdir".to_owned()));
    let derived = outcome.recording().derived.expect("a derivation");
    let mkdir = derived.added.iter().find(|added| added.name == "mkdir").expect("it is added");
    assert_eq!(mkdir.reason, "denied while recording: EPERM (x86_64)");
}

fn a_killed_process_and_a_trapped_call_are_recorded() {
    for answer in [KILL_PROCESS, TRAP] {
        check(
            &[&refuse(GETPRIORITY, answer), "x86_64:getpriority"],
            &[(X86_64, GETPRIORITY, DenyOutcome::Signal, 1)],
        );
    }
    // The only thread of a process takes the process along, and read has the number 0: its result
    // is 0 as well then.
    check(&[&refuse(0, KILL_THREAD), "x86_64:read"], &[(X86_64, 0, DenyOutcome::Signal, 1)]);
}

fn a_handler_of_a_trap_is_no_denial() {
    check(
        &["catch:31", &refuse(GETPRIORITY, TRAP), "x86_64:getpriority*3", "x86_64:getpid*5"],
        &[(X86_64, GETPRIORITY, DenyOutcome::Signal, 3)],
    );
}

fn a_thread_that_is_killed_alone_is_recorded() {
    check(
        &[
            &refuse(GETPRIORITY, KILL_THREAD),
            "thread",
            "[",
            "x86_64:getpriority",
            "]",
            "x86_64:getpid",
        ],
        &[(X86_64, GETPRIORITY, DenyOutcome::ThreadKilled, 1)],
    );
    // What libseccomp does with calls through an ABI that is not listed.
    check(
        &["native-only", "thread", "[", "i386:getpid", "]", "x86_64:getpid"],
        &[(I386, 20, DenyOutcome::ThreadKilled, 1)],
    );
}

/// Whoever waits for a thread may end the process before the thread has ended whole.
fn a_killed_thread_is_recorded_though_its_process_ends_at_once() {
    const TIMES: usize = 200;
    let refuse = refuse(GETPRIORITY, KILL_THREAD);
    let once = ["fork:1", "[", "thread", "[", "x86_64:getpriority", "]", "]"];
    let mut steps = vec![refuse.as_str()];
    steps.extend(once.iter().copied().cycle().take(once.len() * TIMES));
    steps.push("wait");
    check(&steps, &[(X86_64, GETPRIORITY, DenyOutcome::ThreadKilled, TIMES as u64)]);
}

fn a_call_is_both_allowed_and_denied_by_its_arguments() {
    let refuse = format!("refuse-zero:{GETPRIORITY},{EPERM}");
    let outcome = check(
        &[
            &refuse,
            "call:getpriority,1",
            "x86_64:getpriority*2",
            "call:getpriority,1",
            "x86_64:getpriority",
        ],
        &[(X86_64, GETPRIORITY, DenyOutcome::Errno(1), 3)],
    );
    let recording = outcome.recording();
    let calls = recording.cgroups.iter().flat_map(|cgroup| &cgroup.calls);
    let refused = calls.clone().filter(|call| call.outcome.is_some());
    let arguments: Vec<_> =
        refused.filter_map(|call| call.circumstances.as_ref()?.arguments).collect();
    assert_eq!(arguments, [[0; 6]], "those of the call that was refused");
    let phases: Vec<Phase> =
        calls.filter(|call| call.number == GETPRIORITY).map(|call| call.phase).collect();
    assert_eq!(phases, [Phase::Workload, Phase::Denied]);
}

fn an_error_of_the_kernel_is_no_denial() {
    // mkdir(NULL) fails with EFAULT, 400 with ENOSYS; both were entered.
    check(&[&refuse(GETPRIORITY, EPERM), "x86_64:mkdir*3", "raw:400", "raw:-1", "i386:mkdir"], &[]);
}

fn new_processes_and_threads_are_no_denials() {
    let child = &refuse(MKDIR, EPERM);
    check(
        &[child, "fork:3", "[", "x86_64:mkdir", "]", "wait", "thread", "[", "x86_64:mkdir*2", "]"],
        &[(X86_64, MKDIR, DenyOutcome::Errno(1), 5)],
    );
}

fn a_child_that_begins_in_another_cgroup_is_no_denial() {
    let cgroup = Cgroup::new("parent");
    let inner = cgroup.child("inner");
    let tracing = Tracer::new().cgroup(&cgroup).args(["--denied"]).start();
    let into = format!("into:{}", inner.directory().display());
    let (hop, refuse) = (cgroup.hop(), refuse(MKDIR, EPERM));
    let steps = [&hop, &refuse, &into, "[", "x86_64:getpid", "x86_64:mkdir", "]", "wait"];
    Running::start(&mut ground_truth(steps)).finish();
    let recording = tracing.stop().exits(0).recording();
    let expected = Denied::from([((X86_64, MKDIR, DenyOutcome::Errno(1)), 1)]);
    assert_eq!(denied(&recording), expected);
    let holder = recording.cgroups.iter().find(|found| found.path == inner.name());
    assert!(holder.is_some_and(|found| found.calls.iter().any(|call| call.number == MKDIR)));
}

fn a_process_that_is_moved_in_is_no_denial() {
    let cgroup = Cgroup::new("moved");
    let tracing = Tracer::new().cgroup(&cgroup).args(["--denied"]).start();
    let refuse = refuse(MKDIR, EPERM);
    // It fails with ECHILD in the cgroup, and entered the call elsewhere.
    let steps =
        ["ignore:17", &refuse, "fork:1", "[", "barrier", "]", "say:ready", "wait", "x86_64:getpid"];
    let mut running = Running::start(&mut ground_truth(steps));
    running.wait_for_line("ready");
    wait_until("it waits", BOUND, || is_in_call(running.id(), 61));
    fs::write(cgroup.processes_file(), running.id().to_string()).expect("it can be moved");
    running.finish();
    assert_eq!(denied(&tracing.stop().exits(0).recording()), Denied::new());
}

/// The process is inside that call.
fn is_in_call(process: i32, number: i32) -> bool {
    let call = fs::read_to_string(format!("/proc/{process}/syscall")).unwrap_or_default();
    call.split(' ').next() == Some(number.to_string().as_str())
}

/// Lets processes be inside a call when tracing begins, then lets them leave it.
fn calls_in_flight_at_the_beginning_are_no_denials() {
    let cgroup = Cgroup::new("flight");
    let (hop, refuse) = (cgroup.hop(), refuse(MKDIR, EPERM));
    let start = |steps: &[&str], number: i32| {
        let all = [&[hop.as_str(), refuse.as_str(), "catch:12"], steps].concat();
        let running = Running::start(&mut ground_truth(all));
        wait_until("it is inside the call", BOUND, || is_in_call(running.id(), number));
        running
    };
    let read = start(&["barrier", "x86_64:getpid"], 0);
    let pause = start(&["pause", "x86_64:getpid"], 34);
    // A time of 0 is none: poll and select wait for ever.
    let select = start(&["x86_64:select", "x86_64:getpid"], 23);
    // Without a child left it fails with ECHILD.
    let wait = start(&["ignore:17", "fork:1", "[", "barrier", "]", "wait", "x86_64:getpid"], 61);
    let tracing = Tracer::new().cgroup(&cgroup).args(["--denied", "--accept-late-start"]).start();
    pause.signal(Signal::USR2);
    select.signal(Signal::USR2);
    for running in [read, pause, select, wait] {
        running.finish();
    }
    assert_eq!(denied(&tracing.stop().exits(0).recording()), Denied::new());
}

fn the_first_refused_call_after_one_in_flight_counts() {
    let cgroup = Cgroup::new("flight");
    let (hop, refuse) = (cgroup.hop(), refuse(MKDIR, EPERM));
    let mut running = Running::start(&mut ground_truth([&hop, &refuse, "barrier", "x86_64:mkdir"]));
    wait_until("it is inside the call", BOUND, || is_in_call(running.id(), 0));
    let tracing = Tracer::new().cgroup(&cgroup).args(["--denied", "--accept-late-start"]).start();
    running.close_stdin();
    running.finish();
    let expected = Denied::from([((X86_64, MKDIR, DenyOutcome::Errno(1)), 1)]);
    assert_eq!(denied(&tracing.stop().exits(0).recording()), expected);
}

fn an_execve_into_another_abi_is_no_denial() {
    let directory = temporary_directory();
    let program = directory.path().join("small");
    tests::write_program(&program, i386_program());
    let exec = format!("exec-file:{}", program.display());
    check(&[&refuse(MKDIR, EPERM), &exec], &[]);
}

/// An ELF file for i386 that calls `exit(0)`.
fn i386_program() -> Vec<u8> {
    const BASE: u32 = 0x0804_8000;
    let code = [0xb8, 1, 0, 0, 0, 0x31, 0xdb, 0xcd, 0x80];
    let size = 84 + code.len() as u32;
    let mut file = vec![0x7f, b'E', b'L', b'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let halves = |file: &mut Vec<u8>, values: &[u16]| {
        file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    };
    let words = |file: &mut Vec<u8>, values: &[u32]| {
        file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    };
    halves(&mut file, &[2, 3]);
    words(&mut file, &[1, BASE + 84, 52, 0, 0]);
    halves(&mut file, &[52, 32, 1, 0, 0, 0]);
    words(&mut file, &[1, 0, BASE, BASE, size, size, 5, 0x1000]);
    file.extend(code);
    file
}

fn a_filter_that_may_deny_is_a_loss_unless_denied_calls_are_watched() {
    let refuse = refuse(MKDIR, EPERM);
    let under_filter = |options: &[&str]| {
        let cgroup = Cgroup::new("filtered");
        let tracing = Tracer::new().cgroup(&cgroup).args(options).start();
        Running::start(&mut ground_truth([&refuse, &cgroup.hop(), "x86_64:getpid"])).finish();
        tracing.stop()
    };
    let outcome = under_filter(&[]).exits(3).says(&["filter", "--denied"]);
    assert_eq!(outcome.recording().losses.filtered, 1);
    assert_eq!(under_filter(&["--denied"]).exits(0).recording().losses.filtered, 0);
    let harmless = record(&[], &["allow-all", "x86_64:getpid"]).exits(0);
    assert_eq!(harmless.recording().losses.filtered, 0);
}

fn a_sibling_s_denied_calls_are_not_the_target_s() {
    let (cgroup, sibling) = (Cgroup::new("target"), Cgroup::new("sibling"));
    let tracing = Tracer::new().cgroup(&cgroup).args(["--denied"]).start();
    let refuse = refuse(MKDIR, EPERM);
    Running::start(&mut ground_truth([&sibling.hop(), &refuse, "x86_64:mkdir"])).finish();
    Running::start(&mut ground_truth([&cgroup.hop(), &refuse, "x86_64:getpid"])).finish();
    assert_eq!(denied(&tracing.stop().exits(0).recording()), Denied::new());
}

fn many_denied_calls_of_many_threads_are_counted_exactly() {
    let block = ["fork:50", "[", "x86_64:mkdir*200", "]"];
    let refuse = refuse(MKDIR, EPERM);
    let steps: Vec<&str> = [&[refuse.as_str()], &block[..], &["wait"]].concat();
    check(&steps, &[(X86_64, MKDIR, DenyOutcome::Errno(1), 10_000)]);
}
