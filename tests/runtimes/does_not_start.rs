//! A container that does not start under its profile: one watched start shows everything that its
//! runtime needs, and the amended profile starts it.

use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::Trial;
use serde_json::json;
use tests::{BOUND, Cgroup, Outcome, Stop, Tracer, holds_within, temporary_directory};
use tracer::recording::{Phase, json as recordings};

use crate::cases::Cases;
use crate::command_line::CommandLine;
use crate::engine::{Engine, Order, succeed};
use crate::names::with_storage;
use crate::world::{Kind, World};

/// Fifteen calls: what the program below makes, and some that any profile has.
const FEW: [&str; 15] = [
    "access",
    "arch_prctl",
    "brk",
    "close",
    "execve",
    "exit",
    "exit_group",
    "fstat",
    "mmap",
    "munmap",
    "newfstatat",
    "openat",
    "pause",
    "read",
    "write",
];
const STARTED: [&str; 3] = ["/program", "say:started", "pause"];

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    let mut trials = vec![
        cases.trial("does_not_start::cri".into(), cri),
        cases.trial("does_not_start::docker_recorded".into(), what_was_denied_is_recorded),
    ];
    for kind in [Kind::Docker, Kind::PodmanRunc, Kind::PodmanCrun] {
        let name = format!("does_not_start::{}", kind.name());
        trials.push(cases.trial(name, move |world| command_line(world, kind)));
    }
    trials
}

/// Writes a profile of these calls.
pub fn write_few(directory: &Path) -> PathBuf {
    let path = directory.join("few.json");
    let few = json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [{ "names": FEW, "action": "SCMP_ACT_ALLOW" }],
    });
    fs::write(&path, few.to_string()).expect("a profile");
    path
}

/// A container of an engine with Docker's command line, removed whatever happens.
struct Named<'a> {
    engine: &'a CommandLine,
    name: String,
}

impl Drop for Named<'_> {
    fn drop(&mut self) {
        // It may not have been made.
        let _ = self.engine.command(&["rm", "--force", &self.name]).output();
    }
}

impl Named<'_> {
    fn run(&self, parent: &Cgroup, profile: &Path) -> Result<String, String> {
        // What is there under the name goes first.
        let _ = self.engine.command(&["rm", "--force", &self.name]).output();
        let mut run = self.engine.command(&["run", "--detach", "--network=none"]);
        run.args([format!("--name={}", self.name), format!("--cgroup-parent={}", parent.name())]);
        run.arg(format!("--security-opt=seccomp={}", profile.display()));
        succeed(run.args(self.engine.image()).args(STARTED))
    }

    fn output(&self) -> String {
        succeed(self.engine.command(&["logs"]).arg(&self.name)).unwrap_or_default()
    }
}

/// What one watched start must show, of which runtime.
fn shows_all(outcome: Outcome, runtime: &str) -> Outcome {
    outcome.exits(4).says(&[
        "warning: a container may not start under ",
        "37 of the 48 calls of runc, 14 of the 22 calls of crun",
        "(container-init)",
        &format!("calls that {runtime} may make between the load of the filter"),
        "the profile with the denied calls allowed; calls added: ",
    ])
}

fn command_line(world: &World, kind: Kind) -> Result<(), Stop> {
    world.root()?;
    let engine = world.command_line(kind).map_err(Stop::Skip)?;
    let name = format!("tracer-tests-few-{}-{}", kind.name(), std::process::id()).replace('_', "-");
    let container = Named { engine, name };
    let parent = Cgroup::new("few");
    let directory = temporary_directory();
    let (few, amended) = (write_few(directory.path()), directory.path().join("amended.json"));
    let (launcher, options) = match engine.socket() {
        Some(socket) => (Vec::new(), vec![format!("--docker-host={socket}")]),
        None => (with_storage(engine.directory()), Vec::new()),
    };
    let verify =
        Tracer::new().without_out().launcher(&launcher).args(["verify".as_ref(), few.as_os_str()]);
    let verify = verify.args(options).args(["--wait", "--cgroup", &container.name]);
    let tracing = verify.args(["--amend".as_ref(), amended.as_os_str()]).spawn();
    tracing.wait_for_message("verifying");
    let failed = container.run(&parent, &few);
    let runs = failed.is_ok() && container.output().contains("started");
    assert!(!runs, "it cannot start under so few: {failed:?}");
    let runtime = if kind == Kind::PodmanCrun { "crun" } else { "runc" };
    let outcome = shows_all(tracing.stop(), runtime);
    println!("{}: {failed:?}\n{}", kind.name(), outcome.stderr);
    container.run(&parent, &amended)?;
    let started = holds_within(BOUND, || container.output().contains("started"));
    if started { Ok(()) } else { Err(Stop::Fail("it does not start".to_owned())) }
}

fn cri(world: &World) -> Result<(), Stop> {
    world.root()?;
    let containerd = world.containerd().map_err(Stop::Skip)?;
    let above = Cgroup::new("few-cri");
    let pod = containerd.pod(|uid| format!("{}/kubepods/pod{uid}", above.name()))?;
    let directory = temporary_directory();
    let (few, amended) = (write_few(directory.path()), directory.path().join("amended.json"));
    let options = [format!("--cri-endpoint=unix://{}", containerd.socket().expect("it has one"))];
    let name = format!("{}/app", pod.path());
    let verify = Tracer::new().without_out().args(["verify".as_ref(), few.as_os_str()]);
    let verify = verify.args(options).args(["--wait", "--per-container", "--cgroup", &name]);
    let tracing = verify.args(["--amend".as_ref(), amended.as_os_str()]).spawn();
    tracing.wait_for_message("verifying");
    let order = |profile| Order {
        words: &STARTED,
        user: 0,
        no_new_privs: false,
        profile: Some(profile),
        parent: above.name(),
    };
    let container = pod.create("app", 0, &order(&few))?;
    let failed = pod.start(&container);
    assert!(failed.is_err(), "it cannot start under so few");
    let outcome = shows_all(tracing.stop(), "runc").says(&[&format!("{name}:")]);
    println!("cri: {failed:?}\n{}", outcome.stderr);
    pod.remove(&container)?;
    let container = pod.create("app", 1, &order(&amended))?;
    pod.start(&container)?;
    if pod.state(&container) == Some(1) {
        Ok(())
    } else {
        Err(Stop::Fail("it does not run".to_owned()))
    }
}

/// Of a container whose workload was never reached, the recording keeps what was denied.
fn what_was_denied_is_recorded(world: &World) -> Result<(), Stop> {
    world.root()?;
    let docker = world.command_line(Kind::Docker).map_err(Stop::Skip)?;
    let name = format!("tracer-tests-few-recorded-{}", std::process::id());
    let container = Named { engine: docker, name };
    let parent = Cgroup::new("few-recorded");
    let few_in = temporary_directory();
    let few = write_few(few_in.path());
    let host = format!("--docker-host={}", docker.socket().expect("docker has a socket"));
    let options = [host.as_str(), "--wait", "--include-denied", "--cgroup", &container.name];
    let tracing = Tracer::new().args(options).start();
    assert!(container.run(&parent, &few).is_err(), "it cannot start under so few");
    let outcome = tracing.stop().exits(3).says(&[
        "denied by a filter while recording:",
        "(container-init)",
        "no profile was written: no call of a workload was recorded",
        "tracer verify PROFILE --wait --amend FILE",
    ]);
    let text = outcome.read("recording.json");
    let recording = recordings::from_json(text.as_bytes()).expect("a recording");
    let calls = recording.cgroups.iter().flat_map(|cgroup| &cgroup.calls);
    let denied: Vec<_> = calls.filter(|call| call.phase == Phase::Denied).collect();
    assert!(!denied.is_empty(), "{text}");
    assert!(
        denied.iter().all(|call| call.denied_in_phase == Some(Phase::ContainerInit)),
        "{denied:?}"
    );
    assert!(!outcome.directory().join("profile.json").exists(), "no profile");
    Ok(())
}
