//! Who may trace: the two capabilities that are enough, and the message to a user without them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tempfile::TempDir;
use tests::{
    Cgroup, Outcome, Running, Stop, Tracer, calls, ground_truth, require, temporary_directory,
    tool, tracer_program,
};
use tracer::syscalls::Abi::X86_64;

tests::trials! {
    a_user_without_capabilities_is_reported_which_and_how,
    root_without_perfmon_is_reported_which,
    bpf_and_perfmon_are_enough_to_trace_a_cgroup,
    a_filter_that_refuses_bpf_is_named,
}

/// A copy of the tracer that every user can execute.
fn program_for_all() -> (TempDir, PathBuf) {
    let directory = temporary_directory();
    let copy = directory.path().join("tracer");
    tests::copy_program(tracer_program(), &copy);
    (directory, copy)
}

/// Runs a copy of the tracer as another user would.
fn run_as_nobody(command: &[&str]) -> Result<Outcome, String> {
    let setpriv = tool("setpriv")?;
    let (_directory, program) = program_for_all();
    let words = [setpriv.to_str().expect("the path is text"), "--reuid=65534", "--regid=65534"];
    let tracer = Tracer::new().launcher(words).launcher(["--clear-groups", "--"]);
    // The directory is not what is in the way.
    fs::set_permissions(tracer.directory(), fs::Permissions::from_mode(0o777))
        .expect("mode is set");
    Ok(tracer.program(program).command(command).run())
}

fn a_user_without_capabilities_is_reported_which_and_how() -> Result<(), Stop> {
    let outcome = require!(run_as_nobody(&["/bin/true"]));
    outcome.exits(1).says(&["error:", "CAP_BPF", "CAP_PERFMON", "hint:", "sudo"]).writes_nothing();
    Ok(())
}

fn root_without_perfmon_is_reported_which() -> Result<(), Stop> {
    let setpriv = require!(tool("setpriv"));
    let cgroup = Cgroup::new("perfmon");
    let launcher = [setpriv.to_str().expect("the path is text"), "--bounding-set=-all,+bpf", "--"];
    let tracer = Tracer::new().launcher(launcher).cgroup(&cgroup);
    let outcome = tracer.run().exits(1).says(&["error:", "CAP_PERFMON"]).writes_nothing();
    let error = outcome.stderr.lines().find(|line| line.starts_with("error:")).expect("it errs");
    assert!(!error.contains("CAP_BPF"), "CAP_BPF is there: {error}");
    Ok(())
}

fn bpf_and_perfmon_are_enough_to_trace_a_cgroup() -> Result<(), Stop> {
    let setpriv = require!(tool("setpriv"));
    let cgroup = Cgroup::new("two-capabilities");
    let setpriv = setpriv.to_str().expect("the path is text");
    let launcher = [setpriv, "--bounding-set=-all,+bpf,+perfmon", "--"];
    let tracing = Tracer::new().launcher(launcher).cgroup(&cgroup).start();
    let steps = [cgroup.hop(), "x86_64:getpid".into()];
    assert!(Running::start(&mut ground_truth(steps)).finish().status.success());
    let outcome = tracing.stop().exits(0);
    let found = calls(&outcome.recording(), cgroup.name());
    assert!(found.contains_key(&(X86_64, 39)), "it records: {found:?}");
    Ok(())
}

fn a_filter_that_refuses_bpf_is_named() {
    let cgroup = Cgroup::new("filtered");
    let directory = temporary_directory();
    let profile = directory.path().join("filter.json");
    let rules = r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],
        "syscalls":[{"names":["CALL"],"action":"SCMP_ACT_ERRNO"}]}"#;
    let under = |call: &str| {
        fs::write(&profile, rules.replace("CALL", call)).expect("the profile is written");
        let enforce = [tracer_program(), "enforce".into(), "--profile".into(), profile.clone()];
        Tracer::new().launcher(enforce).launcher(["--"]).cgroup(&cgroup)
    };
    under("bpf").run().exits(1).says(&["error:", "bpf(2)", "seccomp", "hint:"]).writes_nothing();
    // Another filter is not in the way: the recording ends because nothing happens.
    let other = under("mkdir").args(["--duration=1ms"]).run();
    assert!(!other.stderr.contains("bpf(2)"), "{}", other.stderr);
    assert!(other.stderr.lines().any(|line| line.starts_with("recording")), "{}", other.stderr);
}
