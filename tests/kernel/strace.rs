//! One execution, watched by strace and by the tracer: both saw the same calls.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use tests::{Cgroup, GROUND_TRUTH, Running, Stop, Tracer, calls, require, tool};
use tracer::syscalls::Abi::X86_64;

tests::trials! {
    ls,
    cp,
    tar,
    grep,
    sort,
    find,
    pipeline,
    signals,
    stopped_and_continued,
    python,
    python_with_threads,
    static_program,
}

/// Runs the command in a traced cgroup under strace, and compares from the moment on when it had
/// joined.
fn check(program: &str, arguments: &[&str]) -> Result<(), Stop> {
    let strace = require!(tool("strace"));
    if !program.contains('/') {
        require!(tool(program));
    }
    let cgroup = Cgroup::new("strace");
    let tracing = Tracer::new().cgroup(&cgroup).start();
    let log = tracing.directory().join("strace.log");
    let processes_file = cgroup.processes_file();
    let mut command = Command::new(strace);
    command
        .args(["-f", "-n", "-y", "-s", "0", "-o"])
        .arg(&log)
        .args(["sh", "-c", r#"echo 0 >"$1"; shift; exec "$@""#, "sh"])
        .arg(&processes_file)
        .arg(program)
        .args(arguments)
        .current_dir(tracing.directory());
    let finished = Running::start(&mut command).finish();
    assert!(finished.status.success(), "the command ends well under strace: {finished:?}");

    let text = fs::read_to_string(&log).expect("strace wrote its log");
    let joined = format!("<{}>", processes_file.display());
    let outcome = tracing.stop().exits(0);
    let recorded = calls(&outcome.recording(), cgroup.name());
    let Seen { calls: mut seen, cut_short } = calls_after_joining(&text, &joined);
    assert!(seen.len() > 3, "strace saw the command: {text}");
    let recorded: BTreeMap<i32, u64> = recorded
        .into_iter()
        .map(|((abi, number), count)| {
            assert_eq!(abi, X86_64, "only native programs run here");
            (number, count.expect("calls are counted"))
        })
        .collect();
    // Not entered, where the thread was stopped for strace when its process ended.
    for (number, times) in cut_short {
        let made = recorded.get(&number).copied().unwrap_or_default();
        let at_most = seen.get(&number).copied().unwrap_or_default();
        if (at_most.saturating_sub(times)..at_most).contains(&made) {
            seen.insert(number, made);
        }
    }
    seen.retain(|_, times| *times > 0);
    let only = |some: &BTreeMap<i32, u64>, others: &BTreeMap<i32, u64>| {
        let differing = some.iter().filter(|(number, count)| others.get(number) != Some(count));
        differing.map(|(number, count)| format!("{number} x {count}")).collect::<Vec<_>>()
    };
    assert_eq!(
        recorded,
        seen,
        "differing in the recording: {:?}, in strace: {:?}",
        only(&recorded, &seen),
        only(&seen, &recorded),
    );
    Ok(())
}

/// What strace saw.
struct Seen {
    /// How often each number was called.
    calls: BTreeMap<i32, u64>,
    /// How often each did not return because its thread was killed: strace sees the call before the
    /// kernel enters it, and a thread that is killed between the two never does
    /// (`syscall_trace_enter`). Those that end a thread are not among them.
    cut_short: BTreeMap<i32, u64>,
}

/// `exit` and `exit_group`.
const ENDS: [i32; 2] = [60, 231];

/// What was called after the write that moved the shell. A call is a line `PID [NUMBER] NAME(...`;
/// in the place of the name stand `<...` where an interrupted line goes on, `---` for a signal,
/// `+++` for an end.
fn calls_after_joining(log: &str, joined: &str) -> Seen {
    let mut lines = log.lines();
    let write = lines.find(|line| line.contains("write(") && line.contains(joined));
    assert!(write.is_some(), "the shell joins the cgroup: {log}");
    let mut seen = Seen { calls: BTreeMap::new(), cut_short: BTreeMap::new() };
    for line in lines {
        let bracketed = line.split_once('[').and_then(|(_, rest)| rest.split_once("] "));
        if let Some((number, event)) = bracketed
            && let Ok(number) = number.trim().parse::<i32>()
        {
            if event.starts_with(char::is_alphabetic) {
                *seen.calls.entry(number).or_default() += 1;
            }
            if event.ends_with("= ?") && !ENDS.contains(&number) {
                *seen.cut_short.entry(number).or_default() += 1;
            }
        }
    }
    seen
}

fn ls() -> Result<(), Stop> {
    check("ls", &["-l", "/"])
}

fn cp() -> Result<(), Stop> {
    check("cp", &["-a", "/etc/passwd", "copy"])
}

fn tar() -> Result<(), Stop> {
    check("tar", &["-czf", "archive.tar.gz", "-C", "/etc", "passwd", "hosts"])
}

fn grep() -> Result<(), Stop> {
    check("grep", &["-r", "root", "/etc/passwd", "/etc/group"])
}

fn sort() -> Result<(), Stop> {
    check("sort", &["-r", "/etc/passwd"])
}

fn find() -> Result<(), Stop> {
    check("find", &["/etc", "-maxdepth", "1", "-name", "host*"])
}

fn pipeline() -> Result<(), Stop> {
    check("sh", &["-c", "ls / | sort -r | tr a-z A-Z >list; test -s list && cat list | wc -l"])
}

fn signals() -> Result<(), Stop> {
    check("sh", &["-c", "trap 'echo caught' USR1; kill -USR1 $$; (exit 3) || sleep 0.01"])
}

fn stopped_and_continued() -> Result<(), Stop> {
    let script = "sleep 0.2 & kill -STOP $!; kill -CONT $!; wait; timeout 5 sleep 0.05";
    check("sh", &["-c", script])
}

fn python() -> Result<(), Stop> {
    check("python3", &["-c", "import json, os; print(json.dumps(sorted(os.listdir('/'))))"])
}

fn python_with_threads() -> Result<(), Stop> {
    let script = "import threading, time
threads = [threading.Thread(target=time.sleep, args=(0.01,)) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()";
    check("python3", &["-c", script])
}

fn static_program() -> Result<(), Stop> {
    let steps = [
        "fork:3",
        "[",
        "thread",
        "[",
        "x86_64:gettid",
        "]",
        "x86_64:getpid*10",
        "]",
        "wait",
        "raw:1000",
    ];
    check(GROUND_TRUTH, &steps)
}
