//! The ready profiles under real container runtimes.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tests::{
    BOUND, Cgroup, Running, Stop, Tracer, cgroup_mount, names, require, temporary_directory, tool,
    wait_until,
};
use tracer::recording::{Phase, Recording};

use crate::container::{Bundle, runc, runs_program};

tests::trials! {
    learning_under_runc_is_exact,
    learning_under_crun_is_exact,
    a_container_under_the_audit_profile_runs,
    nothing_starts_under_the_profile_that_denies_all,
}

/// A ready profile.
fn ready(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../profiles").join(name);
    let text = fs::read_to_string(path).expect("the profile can be read");
    serde_json::from_str(&text).expect("it is JSON")
}

/// crun, in a mount namespace with cgroup v2 alone: it refuses a machine that has both versions.
fn crun() -> Result<(tempfile::TempDir, PathBuf), String> {
    runc()?;
    let (crun, unshare) = (tool("crun")?, tool("unshare")?);
    let directory = temporary_directory();
    let script = directory.path().join("crun");
    let text = format!(
        "#!/bin/sh
exec {} --mount --propagation private sh -c '
    umount -l /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit 99
    exec \"$@\"' sh {} \"$@\"
",
        unshare.display(),
        crun.display()
    );
    tests::write_program(&script, text);
    Ok((directory, script))
}

/// What `/proc/PID/status` says of the container's program.
fn status_of_program(processes: &Path) -> String {
    let ids = fs::read_to_string(processes).unwrap_or_default();
    let statuses = ids.lines().map(|id| fs::read_to_string(format!("/proc/{id}/status")));
    statuses.flatten().find(|status| status.contains("Name:\tprogram\n")).unwrap_or_default()
}

/// Runs a container under a profile while its parent is traced, and looks at it while it runs.
fn record(runtime: PathBuf, profile: &str, expected_exit: i32) -> (Recording, String, String) {
    let name = runtime.file_name().expect("a name").to_string_lossy().into_owned();
    let above = Cgroup::new(&format!("{name}-{}", profile.trim_end_matches(".json")));
    let path = format!("{}/container", above.name());
    let steps = ["x86_64:getpid", "i386:getpid", "x32:getuid", "barrier", "x86_64:getuid"];
    let bundle = Bundle::new(runtime, &path, &steps);
    bundle.edit(|spec| spec["linux"]["seccomp"] = ready(profile));
    let tracing = Tracer::new().cgroup(&above).start();
    let mut command = bundle.command("run");
    command.arg("--bundle").arg(bundle.directory.path()).arg(&bundle.id);
    let running = Running::start(&mut command);
    let processes = cgroup_mount().join(&path[1..]).join("cgroup.procs");
    wait_until("the container's program runs", BOUND, || runs_program(&processes));
    let status = status_of_program(&processes);
    let finished = running.finish();
    let said = String::from_utf8_lossy(&finished.stderr);
    assert!(finished.status.success(), "{name}: {}: {said}", finished.status);
    let outcome = tracing.stop().exits(expected_exit);
    (outcome.recording(), path, status)
}

/// A filter is loaded, it separates the phases exactly, and nothing is said to be hidden by it.
fn learns(runtime: PathBuf) {
    let (recording, path, status) = record(runtime, "learn.json", 0);
    assert!(
        status.contains("Seccomp:\t2\n") && status.contains("Seccomp_filters:\t1\n"),
        "{status}"
    );
    assert_eq!(recording.losses.filtered, 0, "every call is allowed");
    let cgroup = recording.cgroups.iter().find(|cgroup| cgroup.path == path).expect("recorded");
    assert!(cgroup.exact, "the filter separates the set-up");
    let workload = names(cgroup, Phase::Workload);
    for name in ["getpid", "getuid"] {
        assert!(workload.contains(name), "{name}: {workload:?}");
    }
    for name in ["mount", "pivot_root", "seccomp"] {
        assert!(!workload.contains(name), "{name} is the runtime's");
    }
}

fn learning_under_runc_is_exact() -> Result<(), Stop> {
    learns(require!(runc()));
    Ok(())
}

fn learning_under_crun_is_exact() -> Result<(), Stop> {
    let (_directory, crun) = require!(crun());
    learns(crun);
    Ok(())
}

fn a_container_under_the_audit_profile_runs() -> Result<(), Stop> {
    let (_, _, status) = record(require!(runc()), "audit.json", 3);
    assert!(status.contains("Seccomp_filters:\t1\n"), "{status}");
    let (_directory, crun) = require!(crun());
    let (_, _, status) = record(crun, "audit.json", 3);
    assert!(status.contains("Seccomp_filters:\t1\n"), "{status}");
    Ok(())
}

fn nothing_starts_under_the_profile_that_denies_all() -> Result<(), Stop> {
    let runc = require!(runc());
    let (_directory, crun) = require!(crun());
    for runtime in [runc, crun] {
        let above = Cgroup::new("deny-all");
        let bundle =
            Bundle::new(runtime, &format!("{}/container", above.name()), &["x86_64:getpid"]);
        bundle.edit(|spec| spec["linux"]["seccomp"] = ready("deny-all.json"));
        let mut command = bundle.command("run");
        command.arg("--bundle").arg(bundle.directory.path()).arg(&bundle.id);
        let finished = Running::start(&mut command).finish();
        assert!(!finished.status.success(), "it does not start: {}", finished.status);
    }
    Ok(())
}
