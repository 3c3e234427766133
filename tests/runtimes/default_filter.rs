//! Containers under their engine's default filter, as most are: a recording is complete at the
//! first try, and its profile starts the container again.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use libtest_mimic::Trial;
use tests::{BOUND, Cgroup, Outcome, Stop, Tracer, Tracing, holds_within};
use tracer::recording::{Losses, Phase};

use crate::cases::Cases;
use crate::command_line::CommandLine;
use crate::engine::{Engine, Order, succeed};
use crate::matrix::SET_UP;
use crate::names::with_storage;
use crate::world::{Kind, World};

/// A call that every default filter refuses to who lacks the capability for it: acct, with no file.
const REFUSED: &str = "x86_64:acct";
const DENIED: &str = "acct(0x0, 0x0, 0x0, 0x0, 0x0, 0x0) = EPERM";
/// Tries that, makes a call that they allow, and stays.
const SCRIPT: &str = "/program x86_64:acct; mkdir /tmp/made && echo made; exec /program pause";
const WORDS: [&str; 4] = ["/bin/busybox", "sh", "-c", SCRIPT];

static MADE: AtomicU32 = AtomicU32::new(0);

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    vec![
        cases.trial("default_filter::docker".into(), docker),
        cases.trial("default_filter::podman".into(), podman),
        cases.trial("default_filter::cri".into(), cri),
        cases.trial("default_filter::late".into(), late),
    ]
}

/// A container that is removed whatever happens.
struct Removed<'a>(&'a CommandLine, String);

impl Removed<'_> {
    fn says(&self, text: &str) -> Result<(), String> {
        let said = || succeed(self.0.command(&["logs"]).arg(&self.1)).unwrap_or_default();
        if holds_within(BOUND, || said().lines().any(|line| line.ends_with(text))) {
            Ok(())
        } else {
            Err(format!("{text:?} is not said: {}", said()))
        }
    }
}

impl Drop for Removed<'_> {
    fn drop(&mut self) {
        let _ = self.0.command(&["rm", "--force", &self.1]).output();
    }
}

/// Starts a container of that name, under a profile or under the engine's default one.
fn start<'a>(
    engine: &'a CommandLine,
    name: &str,
    parent: &Cgroup,
    profile: Option<&Path>,
) -> Result<Removed<'a>, String> {
    let mut run = engine.command(&["run", "--detach", "--network=none", "--stop-signal=KILL"]);
    run.arg(format!("--name={name}")).arg(format!("--cgroup-parent={}", parent.name()));
    if let Some(profile) = profile {
        run.arg(format!("--security-opt=seccomp={}", profile.display()));
    }
    run.args(engine.image()).args(WORDS);
    let container = Removed(engine, name.to_owned());
    succeed(&mut run)?;
    container.says("made")?;
    Ok(container)
}

/// Nothing is missing: what the filter refused is reported, and not in the profile.
fn is_whole(tracing: Tracing, label: &str) -> Outcome {
    let started = format!("{label}: 1 start recorded whole");
    let messages = [
        "may start under a seccomp filter",
        &started,
        "denied by a filter while recording:",
        DENIED,
    ];
    let outcome = tracing.stop().says(&messages);
    // Containers of other tests, whose engines keep them where this tracer does not look, may be
    // anybody's when they end.
    let losses = outcome.recording().losses;
    assert_eq!(Losses { unresolved: 0, ..losses }, Losses::default(), "{}", outcome.stderr);
    let outcome = match losses.unresolved {
        0 => outcome.exits(0).says(&["complete: nothing was lost"]),
        _ => outcome.exits(3),
    };
    let allowed = outcome.allowed();
    assert!(allowed.iter().any(|name| name == "mkdir"), "{allowed:?}");
    assert!(!allowed.iter().any(|name| SET_UP.contains(&name.as_str())), "{allowed:?}");
    let recording = outcome.recording();
    assert!(recording.cgroups.iter().all(|cgroup| cgroup.exact && !cgroup.filtered));
    outcome
}

fn profile(outcome: &Outcome) -> std::path::PathBuf {
    outcome.directory().join("profile.json")
}

fn new_name(label: &str) -> String {
    format!("tracer-tests-{label}-{}", MADE.fetch_add(1, Ordering::Relaxed))
}

/// Records the first start of a container, and starts it again.
fn command_line(
    engine: &CommandLine,
    tracer: impl Fn() -> Tracer,
    label: &str,
) -> Result<(), Stop> {
    let parent = Cgroup::new(label);
    let name = new_name(label);
    let target = ["--wait", "--cgroup", &name];
    let tracing = tracer().args(target).start();
    let container = start(engine, &name, &parent, None)?;
    let outcome = is_whole(tracing, &name);
    drop(container);
    drop(start(engine, &name, &parent, Some(&profile(&outcome)))?);
    let tracing = tracer().args(target).args(["--no-denied"]).start();
    drop(start(engine, &name, &parent, None)?);
    let outcome = tracing.stop().exits(3).says(&["under a seccomp filter that may deny calls"]);
    let denied = outcome.recording().cgroups.into_iter().flat_map(|cgroup| cgroup.calls);
    assert_eq!(denied.filter(|call| call.phase == Phase::Denied).count(), 0);
    Ok(())
}

fn docker_host(docker: &CommandLine) -> String {
    format!("--docker-host={}", docker.socket().expect("docker has a socket"))
}

fn docker(world: &World) -> Result<(), Stop> {
    world.root()?;
    let docker = world.command_line(Kind::Docker).map_err(Stop::Skip)?;
    let host = docker_host(docker);
    command_line(docker, || Tracer::new().args(["-v", &host]), "default-docker")
}

fn podman(world: &World) -> Result<(), Stop> {
    world.root()?;
    let podman = world.command_line(Kind::PodmanRunc).map_err(Stop::Skip)?;
    // The place over which its storage is laid is there once it was used.
    drop(start(podman, &new_name("first"), &Cgroup::new("first"), None)?);
    let launcher = with_storage(podman.directory());
    command_line(podman, || Tracer::new().args(["-v"]).launcher(&launcher), "default-podman")
}

fn cri(world: &World) -> Result<(), Stop> {
    world.root()?;
    let containerd = world.containerd().map_err(Stop::Skip)?;
    let above = Cgroup::new("default-cri");
    let pod = containerd.pod(|uid| format!("{}/kubepods/pod{uid}", above.name()))?;
    let target = format!("{}/app", pod.path());
    let endpoint = format!("--cri-endpoint=unix://{}", containerd.socket().expect("it has one"));
    let tracing = Tracer::new().args(["-v", &endpoint, "--wait", "--cgroup", &target]).start();
    let order =
        Order { words: &WORDS, user: 0, no_new_privs: false, profile: None, parent: above.name() };
    let first = pod.create_under_default("app", 0, &order)?;
    pod.start(&first)?;
    let says = |attempt: u32| {
        if holds_within(BOUND, || pod.log("app", attempt).contains("made\n")) {
            Ok(())
        } else {
            Err(format!("it is not made: {}", pod.log("app", attempt)))
        }
    };
    says(0)?;
    let outcome = is_whole(tracing, &target);
    let profile = profile(&outcome);
    let again = pod.create("app", 1, &Order { profile: Some(&profile), ..order })?;
    pod.start(&again)?;
    says(1)?;
    Ok(())
}

/// One that runs already is late, and nothing else is missing.
fn late(world: &World) -> Result<(), Stop> {
    world.root()?;
    let docker = world.command_line(Kind::Docker).map_err(Stop::Skip)?;
    let parent = Cgroup::new("default-late");
    let name = new_name("default-late");
    let container = start(docker, &name, &parent, None)?;
    let tracing = Tracer::new().args(["-v", &docker_host(docker), "--cgroup", &name]).start();
    succeed(&mut docker.command(&["exec", &name, "/program", REFUSED]))?;
    let messages = format!("{name} is under a seccomp filter");
    let outcome = tracing.stop().exits(3).says(&[&messages, DENIED, "late start"]);
    let losses = outcome.recording().losses;
    assert_eq!((losses.late_start, losses.filtered), (1, 0), "{losses:?}");
    drop(container);
    Ok(())
}
