//! A signal at any moment leaves whole files or none: never a torn one, never a temporary one.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::Value;
use tests::{
    Cgroup, GROUND_TRUTH, Outcome, Random, Running, Stop, Tracer, file_names, ground_truth,
    kernel_tier, require, tool,
};

tests::trials! {
    a_second_signal_does_not_tear_the_files,
    a_signal_at_any_moment_leaves_whole_files_or_none,
    sigterm_at_each_operation_on_a_file_leaves_whole_files_or_none,
    sigkill_at_each_operation_on_a_file_leaves_no_torn_file,
}

const FILES: [&str; 3] = ["profile.json", "profile.kubernetes.yaml", "profile.recording.json"];
/// The calls that change the folder.
const CALLS_IN_FOLDER: &str = "openat,renameat,renameat2,unlinkat";
/// The calls that finish a file, which nothing else makes.
const CALLS_ON_FILES: &str = "fchmod,fsync";

/// Each of the three files is whole or not there; the profile comes last; nothing temporary is left.
fn check_whole_or_absent(folder: &Path) {
    check_whole(folder, &file_names(folder));
}

/// The same for those of the files.
fn check_whole(folder: &Path, found: &[String]) {
    let unknown: Vec<_> = found.iter().filter(|name| !FILES.contains(&name.as_str())).collect();
    assert!(unknown.is_empty(), "left over: {unknown:?}");
    for name in found.iter().filter(|name| name.ends_with(".json")) {
        let text = fs::read_to_string(folder.join(name)).expect("the file can be read");
        let parsed: Result<Value, _> = serde_json::from_str(&text);
        assert!(parsed.is_ok(), "{name} is torn: {text}");
    }
    if found.iter().any(|name| name == "profile.json") {
        assert_eq!(*found, FILES, "the profile is written last");
    }
}

fn a_second_signal_does_not_tear_the_files() {
    let cgroup = Cgroup::new("twice");
    let tracing = Tracer::new().cgroup(&cgroup).start();
    let steps = [cgroup.hop(), "x86_64:39".into()];
    assert!(Running::start(&mut ground_truth(steps)).finish().status.success());
    tracing.process.signal(Signal::INT);
    let outcome = tracing.stop();
    check_whole_or_absent(outcome.folder());
}

fn a_signal_at_any_moment_leaves_whole_files_or_none() {
    let mut random = Random::new();
    let busy = [GROUND_TRUTH, "fork:200", "[", "x86_64:39", "]", "wait", "say:done", "pause"];
    let mut written = 0;
    for _ in 0..24 {
        let mut tracing = Tracer::new().command(busy).spawn();
        // A moment anywhere between the start and well into the recording, by counting looks at the process.
        for _ in 0..random.below(120_000) {
            if !tracing.process.is_running() {
                break;
            }
        }
        let outcome = tracing.stop();
        check_whole_or_absent(outcome.folder());
        written += usize::from(!file_names(outcome.folder()).is_empty());
    }
    println!("{written} of 24 runs wrote their files");
}

/// Runs the tracer under strace, which looks at calls that name the folder of the files, or, without `in_folder`, at
/// all: how many others there are differs from run to run.
fn run_under_strace(strace: &Path, in_folder: bool, option: &str) -> Outcome {
    let tracer = Tracer::new();
    let folder = tracer.folder().to_owned();
    let mut launcher: Vec<&OsStr> = vec![strace.as_os_str()];
    launcher.extend(["-o", "/dev/stdout", "-e", option].map(OsStr::new));
    if in_folder {
        launcher.extend([OsStr::new("-P"), folder.as_os_str()]);
    }
    launcher.push(OsStr::new("--"));
    tracer.launcher(launcher).command([GROUND_TRUTH, "x86_64:39"]).run()
}

/// The calls of a whole run that change files: whether they name the folder, their name, and their number among those.
fn file_operations(strace: &Path) -> Vec<(bool, String, usize)> {
    let mut found = Vec::new();
    for (in_folder, calls) in [(true, CALLS_IN_FOLDER), (false, CALLS_ON_FILES)] {
        let outcome = run_under_strace(strace, in_folder, &format!("trace={calls}")).exits(0);
        let mut made = BTreeMap::new();
        for line in outcome.stdout.lines() {
            if let Some((name, _)) = line.split_once('(') {
                let count: &mut usize = made.entry(name.to_owned()).or_default();
                *count += 1;
                found.push((in_folder, name.to_owned(), *count));
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
    for (in_folder, call, at) in operations {
        let inject = format!("inject={call}:signal=TERM:when={at}");
        let outcome = run_under_strace(&strace, in_folder, &inject);
        println!("SIGTERM at {call} number {at}: {:?}", file_names(outcome.folder()));
        check_whole_or_absent(outcome.folder());
    }
    Ok(())
}

fn sigkill_at_each_operation_on_a_file_leaves_no_torn_file() -> Result<(), Stop> {
    let strace = require!(strace());
    for (in_folder, call, at) in file_operations(&strace) {
        let inject = format!("inject={call}:signal=KILL:when={at}");
        let outcome = run_under_strace(&strace, in_folder, &inject);
        let names = file_names(outcome.folder());
        println!("SIGKILL at {call} number {at}: {names:?}");
        // Nothing can be removed after SIGKILL: files under temporary names may stay.
        let lasting = |name: &String| FILES.contains(&name.as_str());
        let names: Vec<String> = names.into_iter().filter(lasting).collect();
        check_whole(outcome.folder(), &names);
    }
    Ok(())
}
