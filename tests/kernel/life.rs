//! How a recording ends, and that nothing stays behind.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use aya::programs::loaded_programs;
use rustix::process::Signal;
use tests::{
    BOUND, Cgroup, GROUND_TRUTH, Loaded, Outcome, Running, Stop, Tracer, Tracing, calls,
    cgroup_mount, file_names, ground_truth, loaded, loaded_by, require, tool, wait_until,
    written_names,
};
use tracer::syscalls::Abi::X86_64;

tests::trials! {
    each_signal_that_stops_it_writes_the_files,
    a_hangup_that_was_inherited_as_ignored_stays_ignored,
    a_duration_ends_it,
    quiet_ends_it,
    a_signal_while_the_command_runs_ends_both,
    the_cgroup_of_a_command_is_removed,
    one_program_is_attached_to_calls_while_tracing,
    nothing_stays_loaded_after_the_end,
    nothing_stays_loaded_after_kill_9,
    the_cgroup_of_a_command_is_removed_after_kill_9,
}

fn call_in(cgroup: &Cgroup) {
    let finished =
        Running::start(&mut ground_truth([cgroup.hop(), "x86_64:getpid".into()])).finish();
    assert!(finished.status.success(), "the fixture ends well: {finished:?}");
}

/// Everything was written: three whole files and nothing else.
fn check_files(outcome: &Outcome, cgroup: &Cgroup) {
    assert_eq!(file_names(outcome.directory()), written_names("profile"));
    let found = calls(&outcome.recording(), cgroup.name());
    assert!(found.contains_key(&(X86_64, 39)), "the call is recorded: {found:?}");
    assert!(outcome.allowed().iter().any(|name| name == "getpid"), "the call is allowed");
}

fn each_signal_that_stops_it_writes_the_files() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let cgroup = Cgroup::new("signal");
        let tracing = Tracer::new().cgroup(&cgroup).start();
        call_in(&cgroup);
        check_files(&tracing.stop_by(signal).exits(0), &cgroup);
    }
}

fn a_hangup_that_was_inherited_as_ignored_stays_ignored() -> Result<(), Stop> {
    let nohup = require!(tool("nohup"));
    let cgroup = Cgroup::new("hangup");
    let tracing = Tracer::new().launcher([nohup]).cgroup(&cgroup).start();
    let status = fs::read_to_string(format!("/proc/{}/status", tracing.process.id()))
        .expect("the tracer runs");
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("SigIgn");
    let ignored = u64::from_str_radix(ignored.trim(), 16).expect("a mask");
    assert_eq!(ignored & 1, 1, "SIGHUP is still ignored");
    tracing.process.signal(Signal::HUP);
    call_in(&cgroup);
    check_files(&tracing.stop().exits(0), &cgroup);
    Ok(())
}

fn a_duration_ends_it() {
    let cgroup = Cgroup::new("duration");
    let tracing = Tracer::new().cgroup(&cgroup).args(["--duration", "4s"]).start();
    call_in(&cgroup);
    check_files(&tracing.finish().exits(0), &cgroup);
}

fn quiet_ends_it() {
    let cgroup = Cgroup::new("quiet");
    let tracing = Tracer::new().cgroup(&cgroup).args(["--until-quiet", "4s"]).start();
    call_in(&cgroup);
    check_files(&tracing.finish().exits(0), &cgroup);
}

fn a_signal_while_the_command_runs_ends_both() {
    let command = [GROUND_TRUTH, "x86_64:getpid", "say:here", "pause"];
    let mut tracing = Tracer::new().command(command).start();
    tracing.process.wait_for_line("here");
    let outcome = tracing.stop();
    assert_eq!(
        file_names(outcome.directory()),
        written_names("profile"),
        "said: {}",
        outcome.stderr
    );
    check_command_is_gone(&outcome);
}

/// The cgroup that the tracer made for its command is gone, and so is every process of it.
fn check_command_is_gone(outcome: &Outcome) {
    for cgroup in outcome.recording().cgroups {
        let directory = cgroup_mount().join(&cgroup.path[1..]);
        wait_until(&format!("{} is removed", cgroup.path), BOUND, || !directory.exists());
    }
}

fn the_cgroup_of_a_command_is_removed() {
    let outcome = Tracer::new().command([GROUND_TRUTH, "x86_64:getpid"]).run().exits(0);
    check_command_is_gone(&outcome);
}

/// The tracer at work on a cgroup, and what of eBPF it holds.
fn tracing_with_objects(cgroup: &Cgroup) -> (Tracing, Loaded) {
    let tracing = Tracer::new().cgroup(cgroup).start();
    let held = loaded_by(tracing.process.id());
    (tracing, held)
}

fn one_program_is_attached_to_calls_while_tracing() {
    let cgroup = Cgroup::new("objects");
    let (tracing, held) = tracing_with_objects(&cgroup);
    assert_eq!(held.links.len(), held.programs.len(), "a link each: {held:?}");
    let programs = loaded_programs().flatten();
    let programs = programs.filter(|program| held.programs.contains(&program.id()));
    let programs: BTreeMap<String, String> = programs
        .map(|program| {
            let name = program.name_as_str().unwrap_or_default().to_owned();
            (name, format!("{:?}", program.program_type()))
        })
        .collect();
    // The others run when a process is born, moved or ends.
    let names: Vec<&str> = programs.keys().map(String::as_str).collect();
    assert_eq!(names, ["member_exit", "member_fork", "member_move", "sys_enter"]);
    let kind = "BPF_PROG_TYPE_RAW_TRACEPOINT";
    assert!(programs.values().all(|found| found == kind), "{programs:?}");
    drop(tracing);
}

/// Nothing of what was held is loaded any more.
fn check_unloaded(held: &Loaded) {
    let mut left = held.clone();
    let nothing = Loaded::default();
    let gone = tests::holds_within(BOUND, || {
        left = loaded().common(held);
        left == nothing
    });
    assert!(gone, "still loaded: {left:?}");
}

fn nothing_stays_loaded_after_the_end() {
    let cgroup = Cgroup::new("ended");
    let (tracing, held) = tracing_with_objects(&cgroup);
    assert!(!held.maps.is_empty(), "maps are seen by their descriptors: {held:?}");
    call_in(&cgroup);
    tracing.stop().exits(0);
    check_unloaded(&held);
}

fn nothing_stays_loaded_after_kill_9() {
    let cgroup = Cgroup::new("killed");
    let (tracing, held) = tracing_with_objects(&cgroup);
    call_in(&cgroup);
    let outcome = tracing.stop_by(Signal::KILL);
    assert_eq!(outcome.status.code(), None, "killed: {}", outcome.status);
    check_unloaded(&held);
    let files = file_names(outcome.directory());
    let partial = |name: &String| name.ends_with(".partial");
    assert!(files.iter().all(partial), "only an autosave may be left: {files:?}");
}

fn the_cgroup_of_a_command_is_removed_after_kill_9() {
    let command = [GROUND_TRUTH, "x86_64:getpid", "say:here", "barrier"];
    let mut tracing = Tracer::new().command(command).start();
    tracing.process.wait_for_line("here");
    let own = fs::read_to_string(format!("/proc/{}/task/{0}/children", tracing.process.id()));
    let children = own.expect("the kernel lists children");
    let paths: Vec<_> = children
        .split_whitespace()
        .filter_map(|child| fs::read_to_string(format!("/proc/{child}/cgroup")).ok())
        .filter_map(|lines| {
            lines.lines().find_map(|line| Some(line.strip_prefix("0::")?.to_owned()))
        })
        .filter(|path| path != "/")
        .collect();
    assert!(!paths.is_empty(), "the command runs in a cgroup of its own: {children:?}");
    tracing.stop_by(Signal::KILL);
    for path in paths {
        let directory = cgroup_mount().join(&path[1..]);
        wait_until(&format!("{path} is removed"), Duration::from_secs(30), || !directory.exists());
    }
}
