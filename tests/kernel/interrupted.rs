//! A signal at any moment leaves whole files or none: never a torn one, never a temporary one.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::process::Signal;
use serde_json::Value;
use tests::{
    Cgroup, GROUND_TRUTH, Outcome, Random, Running, Stop, Tracer, file_names, ground_truth,
    holds_within, kernel_tier, require, tool, written_names,
};

tests::trials! {
    a_second_signal_does_not_tear_the_files,
    a_signal_at_any_moment_leaves_whole_files_or_none,
    sigterm_at_each_operation_on_a_file_leaves_whole_files_or_none,
    sigkill_at_each_operation_on_a_file_leaves_no_torn_file,
}

/// The calls that change the directory.
const CALLS_IN_DIRECTORY: &str = "openat,renameat,renameat2,unlinkat";
/// The calls that finish a file, which nothing else makes.
const CALLS_ON_FILES: &str = "fchmod,fsync";

/// Each of the three files is whole or not there; the profile comes last; nothing temporary is
/// left.
fn check_whole_or_absent(directory: &Path) {
    check_whole(directory, &file_names(directory));
}

/// The same for those of the files.
fn check_whole(directory: &Path, found: &[String]) {
    let expected = written_names("profile");
    let unknown: Vec<_> = found.iter().filter(|name| !expected.contains(name)).collect();
    assert!(unknown.is_empty(), "left over: {unknown:?}");
    for name in found.iter().filter(|name| name.ends_with(".json")) {
        let text = fs::read_to_string(directory.join(name)).expect("the file can be read");
        let parsed: Result<Value, _> = serde_json::from_str(&text);
        assert!(parsed.is_ok(), "{name} is torn: {text}");
    }
    if found.iter().any(|name| name == "profile.json") {
        assert_eq!(*found, expected, "the profile is written last");
    }
}

fn a_second_signal_does_not_tear_the_files() {
    let cgroup = Cgroup::new("twice");
    let tracing = Tracer::new().cgroup(&cgroup).start();
    let steps = [cgroup.hop(), "x86_64:getpid".into()];
    assert!(Running::start(&mut ground_truth(steps)).finish().status.success());
    tracing.process.signal(Signal::INT);
    let outcome = tracing.stop();
    check_whole_or_absent(outcome.directory());
}

fn a_signal_at_any_moment_leaves_whole_files_or_none() {
    let mut random = Random::new();
    let busy = [GROUND_TRUTH, "fork:200", "[", "x86_64:getpid", "]", "wait", "say:done", "pause"];
    let started = Instant::now();
    let mut whole = Tracer::new().command(busy).spawn();
    whole.process.wait_for_line("done");
    let usual = started.elapsed();
    assert_eq!(
        file_names(whole.stop().directory()),
        written_names("profile"),
        "a workload that ran has its files"
    );
    let mut written = 0;
    for _ in 0..24 {
        let mut tracing = Tracer::new().command(busy).spawn();
        // A moment anywhere between the start and well into the recording.
        let moment = usual.mul_f64(random.below(2000) as f64 / 1000.0);
        holds_within(moment, || !tracing.process.is_running());
        let had_run = tracing.process.stdout().lines().any(|line| line == "done");
        let outcome = tracing.stop();
        check_whole_or_absent(outcome.directory());
        let found = file_names(outcome.directory());
        if had_run {
            assert_eq!(found, written_names("profile"), "a workload that ran has its files");
        }
        written += usize::from(!found.is_empty());
    }
    println!("{written} of 24 runs wrote their files");
}

/// Runs the tracer under strace, which looks at calls that name the directory of the files, or,
/// without `in_directory`, at all: how many others there are differs from run to run.
fn run_under_strace(strace: &Path, in_directory: bool, option: &str) -> Outcome {
    let tracer = Tracer::new();
    let directory = tracer.directory().to_owned();
    let mut launcher: Vec<&OsStr> = vec![strace.as_os_str()];
    launcher.extend(["-o", "/dev/stdout", "-e", option].map(OsStr::new));
    if in_directory {
        launcher.extend([OsStr::new("-P"), directory.as_os_str()]);
    }
    launcher.push(OsStr::new("--"));
    tracer.launcher(launcher).command([GROUND_TRUTH, "x86_64:getpid"]).run()
}

/// The calls of a whole run that change files: whether they name the directory, their name, and
/// their number among those.
fn file_operations(strace: &Path) -> Vec<(bool, String, usize)> {
    let mut found = Vec::new();
    for (in_directory, calls) in [(true, CALLS_IN_DIRECTORY), (false, CALLS_ON_FILES)] {
        let outcome = run_under_strace(strace, in_directory, &format!("trace={calls}")).exits(0);
        let mut made = BTreeMap::new();
        for line in outcome.stdout.lines() {
            if let Some((name, _)) = line.split_once('(') {
                let count: &mut usize = made.entry(name.to_owned()).or_default();
                *count += 1;
                found.push((in_directory, name.to_owned(), *count));
            }
        }
    }
    found
}

fn strace() -> Result<PathBuf, String> {
    kernel_tier()?;
    tool("strace")
}

fn sigterm_at_each_operation_on_a_file_leaves_whole_files_or_none() -> Result<(), Stop> {
    let strace = require!(strace());
    let operations = file_operations(&strace);
    assert!(operations.len() > 10, "the operations are seen: {operations:?}");
    for (in_directory, call, at) in operations {
        let inject = format!("inject={call}:signal=TERM:when={at}");
        let outcome = run_under_strace(&strace, in_directory, &inject);
        println!("SIGTERM at {call} number {at}: {:?}", file_names(outcome.directory()));
        check_whole_or_absent(outcome.directory());
    }
    Ok(())
}

fn sigkill_at_each_operation_on_a_file_leaves_no_torn_file() -> Result<(), Stop> {
    let strace = require!(strace());
    for (in_directory, call, at) in file_operations(&strace) {
        let inject = format!("inject={call}:signal=KILL:when={at}");
        let outcome = run_under_strace(&strace, in_directory, &inject);
        let names = file_names(outcome.directory());
        println!("SIGKILL at {call} number {at}: {names:?}");
        // Nothing can be removed after SIGKILL: files under temporary names may stay.
        let lasting = |name: &String| written_names("profile").contains(name);
        let names: Vec<String> = names.into_iter().filter(lasting).collect();
        check_whole(outcome.directory(), &names);
    }
    Ok(())
}
