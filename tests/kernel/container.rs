//! A real container of runc: what the runtime does before the workload runs is not the workload's.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tests::{Cgroup, GROUND_TRUTH, Running, Stop, Tracer, kernel_tier, names, require, tool};
use tests::{HARMLESS, cgroup_mount, wait_until};
use tracer::recording::{Call, Phase};

tests::trials! {
    the_set_up_of_an_unconfined_container_is_not_its_workload,
    set_up_is_distinguished_from_within_namespaces_with_two_capabilities,
    the_set_up_of_a_container_under_an_allowing_filter_is_distinguished_exactly,
    a_container_that_ran_before_is_late,
    a_sandbox_in_a_container_is_workload,
    a_program_from_memory_in_a_container_is_workload,
    a_hook_that_runs_while_the_container_is_made_is_not_workload,
}

/// Calls that runc makes to build a container, and that no workload here makes.
const SET_UP: [&str; 6] = ["mount", "pivot_root", "unshare", "socketpair", "execveat", "keyctl"];

/// A bundle whose root holds the fixture program and nothing else. The container is deleted with
/// this value.
pub(super) struct Bundle {
    runc: PathBuf,
    pub(super) directory: tempfile::TempDir,
    pub(super) id: String,
}

impl Bundle {
    pub(super) fn new(runc: PathBuf, cgroups_path: &str, arguments: &[&str]) -> Self {
        let directory = tests::temporary_directory();
        let root = directory.path().join("rootfs");
        for name in ["proc", "dev", "sys", "tmp"] {
            fs::create_dir_all(root.join(name)).expect("the root's directories are made");
        }
        tests::copy_program(GROUND_TRUTH, root.join("program"));
        let made = Command::new(&runc).arg("spec").current_dir(directory.path()).status();
        assert!(made.is_ok_and(|status| status.success()), "runc spec works");
        let path = directory.path().join("config.json");
        let text = fs::read_to_string(&path).expect("runc spec wrote it");
        let mut spec: Value = serde_json::from_str(&text).expect("it is JSON");
        spec["process"]["terminal"] = json!(false);
        spec["process"]["args"] = json!([&["/program"], arguments].concat());
        spec["root"]["readonly"] = json!(false);
        spec["linux"]["cgroupsPath"] = json!(cgroups_path);
        // Limits need controllers and capabilities that the machine may not have.
        let linux = spec["linux"].as_object_mut().expect("an object");
        linux.remove("resources");
        let process = spec["process"].as_object_mut().expect("an object");
        process.remove("rlimits");
        fs::write(&path, spec.to_string()).expect("the bundle is written");
        let id = cgroups_path.trim_matches('/').replace('/', "-");
        Self { runc, directory, id }
    }

    pub(super) fn edit(&self, change: impl FnOnce(&mut Value)) {
        let path = self.directory.path().join("config.json");
        let text = fs::read_to_string(&path).expect("it is there");
        let mut spec = serde_json::from_str(&text).expect("it is JSON");
        change(&mut spec);
        fs::write(&path, spec.to_string()).expect("the bundle is written");
    }

    pub(super) fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.runc);
        command.arg("--root").arg(self.directory.path().join("state")).arg(verb);
        command
    }

    pub(super) fn run(&self) {
        let mut command = self.command("run");
        command.arg("--bundle").arg(self.directory.path()).arg(&self.id);
        let finished = Running::start(&mut command).finish();
        let said = String::from_utf8_lossy(&finished.stderr);
        assert!(finished.status.success(), "runc run: {}: {said}", finished.status);
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        // It has deleted itself after a run that ended well.
        let _ = self.command("delete").args(["--force", &self.id]).output();
    }
}

/// Whether runc can start a container here at all.
pub(super) fn runc() -> Result<PathBuf, String> {
    kernel_tier()?;
    let runc = tool("runc")?;
    let above = Cgroup::new("runc-probe");
    let bundle = Bundle::new(runc.clone(), &format!("{}/probe", above.name()), &["x86_64:getpid"]);
    let mut command = bundle.command("run");
    command.arg("--bundle").arg(bundle.directory.path()).arg(&bundle.id);
    let finished = Running::start(&mut command).finish();
    if finished.status.success() {
        Ok(runc)
    } else {
        Err(format!("runc cannot start a container: {}", String::from_utf8_lossy(&finished.stderr)))
    }
}

/// The names of the calls in each phase of the container's cgroup.
fn phases(outcome: &tests::Outcome, path: &str) -> [BTreeSet<String>; 3] {
    let recording = outcome.recording();
    let cgroup = recording.cgroups.iter().find(|cgroup| cgroup.path == path);
    let cgroup = cgroup.unwrap_or_else(|| panic!("{path} is recorded: {recording:?}"));
    let owned = |phase| names(cgroup, phase).into_iter().map(str::to_owned).collect();
    [Phase::Setup, Phase::ContainerInit, Phase::Workload].map(owned)
}

/// The steps make these native calls, whatever the runtime does.
fn workload() -> (Vec<String>, BTreeSet<&'static str>) {
    let quiet = |&&(_, name): &&(i32, &str)| !SET_UP.contains(&name);
    let steps = HARMLESS.iter().filter(quiet).map(|(_, name)| format!("x86_64:{name}")).collect();
    (steps, HARMLESS.iter().filter(quiet).map(|&(_, name)| name).collect())
}

/// Who made the workload's calls, and when: the runtime, which made many of them before, is not
/// named as their maker.
fn check_labels(outcome: &tests::Outcome, path: &str) {
    let recording = outcome.recording();
    let cgroup = recording.cgroups.iter().find(|cgroup| cgroup.path == path).expect("recorded");
    let is_execve = |call: &&Call| call.name.as_deref() == Some("execve");
    let execve = cgroup.calls.iter().find(is_execve).expect("runc executes the workload");
    assert_ne!(execve.phase, Phase::Workload, "the workload itself executes nothing");
    let workload = || cgroup.calls.iter().filter(|call| call.phase == Phase::Workload);
    for call in workload() {
        assert_eq!(call.command.as_deref(), Some("program"), "{call:?}");
        assert!(call.first_seen_seconds >= execve.first_seen_seconds, "{call:?} {execve:?}");
        assert!(!call.other_phases.contains(&Phase::Workload), "{call:?}");
    }
    let shared = workload().filter(|call| call.other_phases.contains(&Phase::Setup));
    let shared: BTreeSet<_> = shared.filter_map(|call| call.name.as_deref()).collect();
    assert!(shared.contains("rt_sigaction"), "runc makes calls of the workload: {shared:?}");
    assert!(!shared.contains("pivot_root"), "{shared:?}");
}

fn check(outcome: &tests::Outcome, path: &str, made: &BTreeSet<&str>) {
    let [set_up, _, workload] = phases(outcome, path);
    for name in SET_UP {
        assert!(!workload.contains(name), "{name} is runc's, not the workload's");
    }
    let missing: Vec<_> = made.iter().filter(|name| !workload.contains(**name)).collect();
    assert!(missing.is_empty(), "the workload's own calls are its: missing {missing:?}");
    assert!(set_up.contains("pivot_root"), "runc's set-up was seen: {set_up:?}");
    check_labels(outcome, path);
    let allowed = outcome.allowed();
    for name in SET_UP.iter().filter(|name| !["execveat"].contains(name)) {
        assert!(!allowed.iter().any(|allowed| allowed == name), "{name} is not allowed");
    }
    for name in made {
        assert!(allowed.iter().any(|allowed| allowed == name), "{name} is allowed");
    }
}

fn the_set_up_of_an_unconfined_container_is_not_its_workload() -> Result<(), Stop> {
    let runc = require!(runc());
    let above = Cgroup::new("runc");
    let path = format!("{}/container", above.name());
    let (steps, made) = workload();
    let bundle = Bundle::new(runc, &path, &steps.iter().map(String::as_str).collect::<Vec<_>>());
    let tracing = Tracer::new().cgroup(&above).start();
    bundle.run();
    let outcome = tracing.stop().exits(0);
    check(&outcome, &path, &made);
    Ok(())
}

/// As in a container: the host's processes and its mount namespace are out of sight, and ptrace(2)
/// is not permitted.
fn set_up_is_distinguished_from_within_namespaces_with_two_capabilities() -> Result<(), Stop> {
    let runc = require!(runc());
    let [unshare, setpriv] = [require!(tool("unshare")), require!(tool("setpriv"))];
    let above = Cgroup::new("runc-namespaces");
    let path = format!("{}/container", above.name());
    let (steps, made) = workload();
    let bundle = Bundle::new(runc, &path, &steps.iter().map(String::as_str).collect::<Vec<_>>());
    let tracer = Tracer::new().cgroup(&above).launcher([unshare]);
    let tracer = tracer.launcher(["--mount", "--pid", "--fork", "--mount-proc"]);
    let tracer = tracer.launcher(["--kill-child=SIGTERM", "--"]).launcher([setpriv]);
    let tracing = tracer.launcher(["--bounding-set=-all,+bpf,+perfmon", "--"]).start();
    bundle.run();
    // Ends the recording: a signal would reach the launcher alone.
    above.remove();
    let outcome = tracing.finish().exits(0);
    check(&outcome, &path, &made);
    Ok(())
}

fn the_set_up_of_a_container_under_an_allowing_filter_is_distinguished_exactly() -> Result<(), Stop>
{
    let runc = require!(runc());
    let above = Cgroup::new("runc-filter");
    let path = format!("{}/container", above.name());
    let (steps, made) = workload();
    let bundle = Bundle::new(runc, &path, &steps.iter().map(String::as_str).collect::<Vec<_>>());
    bundle.edit(|spec| {
        let architectures = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"];
        spec["linux"]["seccomp"] =
            json!({ "defaultAction": "SCMP_ACT_ALLOW", "architectures": architectures });
    });
    let tracing = Tracer::new().cgroup(&above).start();
    bundle.run();
    let outcome = tracing.stop().exits(0);
    check(&outcome, &path, &made);
    let recording = outcome.recording();
    let cgroup = recording.cgroups.iter().find(|cgroup| cgroup.path == path).expect("recorded");
    assert!(cgroup.exact, "the filter separates the set-up");
    let [_, init, workload] = phases(&outcome, &path);
    let all: BTreeSet<_> = &init | &workload;
    assert!(all.contains("execve"), "runc's execve of the workload is in the profile: {init:?}");
    Ok(())
}

fn a_container_that_ran_before_is_late() -> Result<(), Stop> {
    let runc = require!(runc());
    let above = Cgroup::new("runc-late");
    let path = format!("{}/container", above.name());
    let bundle = Bundle::new(runc, &path, &["x86_64:getpid", "barrier", "x86_64:getuid"]);
    let mut command = bundle.command("run");
    command.arg("--bundle").arg(bundle.directory.path()).arg(&bundle.id);
    let running = Running::start(&mut command);
    let processes = cgroup_mount().join(&path[1..]).join("cgroup.procs");
    wait_until("the container's program runs", tests::BOUND, || runs_program(&processes));
    let tracing = Tracer::new().args(["--cgroup", &path]).start();
    assert!(running.finish().status.success(), "the container ends well");
    tracing.stop().exits(3).says(&["late start", "hint:", "merge a recording"]);
    Ok(())
}

/// Runs the steps in a container that may make namespaces; they give the names, all of them
/// workload, and runc's own calls are not among them.
fn check_steps(label: &str, filter: bool, steps: &[&str], expected: &[&str]) -> Result<(), Stop> {
    let runc = require!(runc());
    let above = Cgroup::new(label);
    let path = format!("{}/container", above.name());
    let bundle = Bundle::new(runc, &path, steps);
    bundle.edit(|spec| {
        let sets = spec["process"]["capabilities"].as_object_mut().expect("capabilities");
        for set in sets.values_mut() {
            set.as_array_mut().expect("a set").push(json!("CAP_SYS_ADMIN"));
        }
        if filter {
            spec["linux"]["seccomp"] = json!({ "defaultAction": "SCMP_ACT_ALLOW" });
        }
    });
    let tracing = Tracer::new().cgroup(&above).start();
    bundle.run();
    let outcome = tracing.stop().exits(0);
    let [_, _, workload] = phases(&outcome, &path);
    let missing: Vec<_> = expected.iter().filter(|name| !workload.contains(**name)).collect();
    assert!(missing.is_empty(), "workload, but not recorded as such: {missing:?} of {workload:?}");
    for name in ["pivot_root", "socketpair", "keyctl", "sethostname", "mkdirat"] {
        assert!(!workload.contains(name), "{name} is runc's, not the workload's: {workload:?}");
    }
    Ok(())
}

fn a_sandbox_in_a_container_is_workload() -> Result<(), Stop> {
    let steps = ["x86_64:getpid", "call:unshare,131072", "x86_64:mount", "exec", "x86_64:getuid"];
    let expected = ["getpid", "unshare", "mount", "execve", "getuid", "exit_group"];
    check_steps("sandbox", false, &steps, &expected)?;
    check_steps("sandbox-filter", true, &steps, &expected)
}

fn a_program_from_memory_in_a_container_is_workload() -> Result<(), Stop> {
    let steps = ["exec-memfd", "x86_64:mount", "name:runc:[2:INIT]", "x86_64:getuid"];
    let expected = ["memfd_create", "execveat", "mount", "prctl", "getuid", "exit_group"];
    check_steps("memory", false, &steps, &expected)?;
    check_steps("memory-filter", true, &steps, &expected)
}

fn a_hook_that_runs_while_the_container_is_made_is_not_workload() -> Result<(), Stop> {
    let runc = require!(runc());
    let above = Cgroup::new("hook");
    let path = format!("{}/container", above.name());
    let bundle = Bundle::new(runc, &path, &["x86_64:getpid"]);
    bundle.edit(|spec| {
        let hook =
            json!([{ "path": GROUND_TRUTH, "args": ["hook", "x86_64:fchmodat2", "x86_64:mount"] }]);
        spec["hooks"] = json!({ "createRuntime": hook, "createContainer": hook });
    });
    let tracing = Tracer::new().cgroup(&above).start();
    bundle.run();
    let outcome = tracing.stop().exits(0);
    let [set_up, _, workload] = phases(&outcome, &path);
    assert!(set_up.contains("fchmodat2"), "the hook was seen: {set_up:?}");
    assert!(!workload.contains("fchmodat2"), "the hook is not the workload: {workload:?}");
    assert!(workload.contains("getpid"), "the workload is: {workload:?}");
    Ok(())
}

/// Whether a process of the cgroup executes the fixture program.
pub(super) fn runs_program(processes: &Path) -> bool {
    let ids = fs::read_to_string(processes).unwrap_or_default();
    ids.lines().any(|id| {
        fs::read_link(format!("/proc/{id}/exe")).is_ok_and(|program| program.ends_with("program"))
    })
}
