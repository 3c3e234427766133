//! Runs each function with each library under strace, and keeps the calls that it made.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    path::Path,
    process::Stdio,
    sync::Mutex,
    thread,
};

use anyhow::{Context as _, Result};

use super::libraries::Library;
use crate::{command, workspace::Workspace};

/// How often each function is run: what its threads do depends on chance.
const REPETITIONS: usize = 2;
/// Longer than any function takes, in seconds.
const BOUND: &str = "60";
/// The call that marks the beginning and the end of a function, with the argument of each.
const MARK: &str = "io_destroy";
const BEGIN: &str = "0xbe9";
/// No function: what a program does before it begins.
pub(crate) const START: &str = "start";
/// What strace of Debian 12 knows by number only.
const NEWER: [(u32, &str); 10] = [
    (451, "cachestat"),
    (452, "fchmodat2"),
    (453, "map_shadow_stack"),
    (454, "futex_wake"),
    (455, "futex_wait"),
    (456, "futex_requeue"),
    (462, "mseal"),
    (463, "setxattrat"),
    (464, "getxattrat"),
    (468, "file_getattr"),
];
/// Calls that kernels or filters may lack, so that libraries have another way; of those that strace
/// knows by name.
const MAY_BE_MISSING: [&str; 10] = [
    "clone3",
    "close_range",
    "copy_file_range",
    "epoll_pwait2",
    "faccessat2",
    "openat2",
    "preadv2",
    "pwritev2",
    "renameat2",
    "statx",
];

/// Names of calls.
pub(crate) type Calls = BTreeSet<String>;

/// What was seen.
#[derive(Default)]
pub(crate) struct Observed {
    /// By function, in the order of the libraries.
    pub(crate) calls: BTreeMap<String, Vec<Calls>>,
    /// By function, library and the call that was answered with ENOSYS.
    pub(crate) without: BTreeMap<(String, usize, String), Calls>,
}

/// The functions that there are.
pub(crate) fn functions(workspace: &Workspace, libraries: &[Library]) -> Result<Vec<String>> {
    let mut all = BTreeSet::new();
    for library in libraries {
        let names = command::output(&mut workspace.command(&library.program))?;
        all.extend(names.lines().map(str::to_owned));
    }
    Ok(all.into_iter().collect())
}

/// Runs everything.
pub(crate) fn observe(
    workspace: &Workspace,
    libraries: &[Library],
    functions: &[String],
) -> Result<Observed> {
    let directory = workspace.target().join("alternatives/runs");
    let functions: Vec<&str> =
        [START].into_iter().chain(functions.iter().map(String::as_str)).collect();
    let jobs: Vec<Job<'_>> = functions
        .iter()
        .flat_map(|function| {
            (0..libraries.len()).map(|library| Job { function, library, without: None })
        })
        .collect();
    let mut observed = Observed::default();
    for (job, calls) in perform(workspace, libraries, &directory, &jobs)? {
        let of_function = observed.calls.entry(job.function.to_owned()).or_default();
        of_function.resize(libraries.len(), Calls::new());
        of_function[job.library] = calls;
    }
    let fallbacks: Vec<Job<'_>> = jobs
        .iter()
        .flat_map(|job| {
            let calls = &observed.calls[job.function][job.library];
            let missing = MAY_BE_MISSING.iter().filter(|name| calls.contains(**name));
            missing.map(|name| Job { without: Some(name), ..*job })
        })
        .collect();
    for (job, calls) in perform(workspace, libraries, &directory, &fallbacks)? {
        let missing = job.without.context("a call is missing")?;
        observed.without.insert((job.function.to_owned(), job.library, missing.to_owned()), calls);
    }
    Ok(observed)
}

#[derive(Clone, Copy)]
struct Job<'name> {
    function: &'name str,
    library: usize,
    without: Option<&'name str>,
}

/// All jobs, on all processors; in their order.
fn perform<'name>(
    workspace: &Workspace,
    libraries: &[Library],
    directory: &Path,
    jobs: &[Job<'name>],
) -> Result<Vec<(Job<'name>, Calls)>> {
    let queue = Mutex::new(jobs.iter().enumerate());
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) * 2 {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().ok().and_then(|mut queue| queue.next());
                    let Some((index, job)) = next else { return };
                    let calls = repeated(workspace, &libraries[job.library], directory, index, job);
                    let Ok(mut results) = results.lock() else { return };
                    results.push((index, calls.map(|calls| (*job, calls))));
                }
            });
        }
    });
    let mut results = results.into_inner().map_err(|_| anyhow::anyhow!("a thread failed"))?;
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

fn repeated(
    workspace: &Workspace,
    library: &Library,
    directory: &Path,
    index: usize,
    job: &Job<'_>,
) -> Result<Calls> {
    let mut calls = Calls::new();
    for _ in 0..REPETITIONS {
        let directory = directory.join(index.to_string());
        let trace = traced(workspace, library, &directory, job)
            .with_context(|| format!("{} of {}", job.function, library.named.name))?;
        calls.extend(parse(&trace, job.function == START)?);
        fs::remove_dir_all(&directory).context("failed to remove the directory of a run")?;
    }
    Ok(calls)
}

/// What strace writes of one run.
fn traced(
    workspace: &Workspace,
    library: &Library,
    directory: &Path,
    job: &Job<'_>,
) -> Result<String> {
    // What a run that was interrupted left.
    let _ = fs::remove_dir_all(directory);
    let work = directory.join("work");
    fs::create_dir_all(&work).context("failed to create the directory of a run")?;
    for path in [work.join("file"), directory.join("input")] {
        fs::write(path, "a line of text\nand another\n").context("failed to write an input")?;
    }
    let trace = directory.join("trace");
    let mut strace = workspace.command("timeout");
    strace.args(["--kill-after=5", BOUND, "strace", "-f", "-qq", "-o"]).arg(&trace);
    if let Some(missing) = job.without {
        strace.arg(format!("--inject={missing}:error=ENOSYS"));
    }
    strace.arg(&library.program).arg(job.function).current_dir(&work);
    strace.stdin(File::open(directory.join("input")).context("failed to open the input")?);
    strace.stdout(File::create(directory.join("output")).context("failed to create the output")?);
    // The status is the function's, which may end as it likes.
    strace.stderr(Stdio::null()).status().context("failed to start strace")?;
    let bytes = fs::read(&trace).context("strace wrote nothing: is it installed?")?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The calls between the marks, or before the first; without those of programs that were executed.
fn parse(trace: &str, before: bool) -> Result<Calls> {
    let mut calls = Calls::new();
    let mut others = BTreeSet::new();
    let mut first = true;
    let mut counts = before;
    for line in trace.lines() {
        let Some((process, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        let executed = rest.starts_with("execve(") || rest.starts_with("<... execve resumed>");
        if executed && rest.ends_with("= 0") && !std::mem::take(&mut first) {
            others.insert(process);
        }
        let Some((name, arguments)) = rest.split_once('(') else { continue };
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            continue;
        }
        if name == MARK {
            if before {
                break;
            }
            counts = arguments.starts_with(BEGIN);
            if counts {
                calls.clear();
            }
        } else if counts && !others.contains(process) {
            calls.insert(named(name)?);
        }
    }
    if before {
        // The end of the program that calls no function.
        calls.remove("exit_group");
    }
    Ok(calls)
}

fn named(name: &str) -> Result<String> {
    let Some(number) = name.strip_prefix("syscall_0x") else { return Ok(name.to_owned()) };
    let number = u32::from_str_radix(number, 16)?;
    let known = NEWER.iter().find(|(newer, _)| *newer == number);
    known
        .map(|(_, name)| (*name).to_owned())
        .with_context(|| format!("strace does not know the call of number {number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "\
7 execve(\"p\", [\"p\"], 0x1 /* 2 vars */) = 0
7 brk(NULL) = 0x1
7 io_destroy(0xbe9) = -1 EINVAL (Invalid argument)
7 clone3({flags=CLONE_VM}, 88 <unfinished ...>
8 syscall_0x1c4(0x1, 0x2) = 0
8 execve(\"sh\", [\"sh\"], 0x1 /* 2 vars */ <unfinished ...>
7 <... clone3 resumed>) = 8
8 <... execve resumed>) = 0
8 openat(AT_FDCWD, \"x\", O_RDONLY) = 3
7 --- SIGCHLD {si_signo=SIGCHLD} ---
7 io_destroy(0xe4d) = -1 EINVAL (Invalid argument)
7 exit_group(0) = ?
";

    fn names(trace: &str, before: bool) -> Vec<String> {
        parse(trace, before).expect("a trace").into_iter().collect()
    }

    #[test]
    fn calls_between_the_marks_count() {
        assert_eq!(names(TRACE, false), ["clone3", "execve", "fchmodat2"]);
        assert_eq!(names(TRACE, true), ["brk", "execve"]);
        assert!(parse("7 io_destroy(0xbe9) = -1\n7 syscall_0x3ff() = 0", false).is_err());
    }

    #[test]
    fn a_mark_that_was_interrupted_counts() {
        let trace = "7 io_destroy(0xbe9 <unfinished ...>\n8 pause() = ?\n";
        assert_eq!(names(trace, false), ["pause"]);
    }
}
