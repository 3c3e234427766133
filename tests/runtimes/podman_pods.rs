//! Pods of Podman's: what a pod's containers do is learned, of the pod and of each container, and
//! nothing of their monitors and runtimes. It starts again in a pod under what was learned.

use std::fs;

use libtest_mimic::Trial;
use serde_json::Value;
use tests::{
    BOUND, Cgroup, Outcome, Stop, Tracer, Tracing, file_names, holds_within, temporary_directory,
};

use crate::cases::Cases;
use crate::command_line::CommandLine;
use crate::engine::{DONE, succeed};
use crate::starts::{Candidate, NEVER, candidates};
use crate::table::Tally;
use crate::world::{Kind, World};

/// All cases: this machine's podman, and those of other releases that were given.
pub fn trials(cases: &Cases, world: &World) -> Vec<Trial> {
    let here = Candidate::here(Kind::PodmanRunc);
    let others = candidates(world).into_iter().filter(|one| {
        one.release.is_some() && matches!(one.kind, Kind::PodmanRunc | Kind::PodmanCrun)
    });
    let trial = |candidate: Candidate| {
        let name = format!("podman_pods::{}", candidate.label(world));
        cases.trial(name, move |world| holds(world, candidate))
    };
    [here].into_iter().chain(others).map(trial).collect()
}

/// A pod; it goes with this value.
struct Pod<'a> {
    podman: &'a CommandLine,
    id: String,
    parent: Cgroup,
}

impl<'a> Pod<'a> {
    /// In a cgroup of the kind that Podman makes by itself, in one of the test's own.
    fn new(podman: &'a CommandLine) -> Result<Self, String> {
        let parent = Cgroup::new("podman-pods");
        let mut command = podman.command(&[
            "pod",
            "create",
            "--network=none",
            "--security-opt=seccomp=unconfined",
        ]);
        command.arg(format!("--cgroup-parent={}/libpod_parent", parent.name()));
        let id = succeed(&mut command)?.trim().to_owned();
        Ok(Self { podman, id, parent })
    }

    /// Starts a container that works, waits until it has, executes a program in it, and removes it;
    /// its id.
    fn run(&self, profile: &str, counted: &mut Tally) -> Result<String, String> {
        let mut command = self.podman.command(&["run", "--detach"]);
        command.arg(format!("--pod={}", self.id)).arg("--stop-signal=KILL");
        command.arg(format!("--security-opt=seccomp={profile}"));
        counted.starts += 1;
        let id = succeed(command.args(self.podman.image()).args(["/worker", "work"]))?;
        let id = id.trim().to_owned();
        let logs = || {
            let said = succeed(self.podman.command(&["logs"]).arg(&id));
            said.is_ok_and(|said| said.contains(DONE))
        };
        if !holds_within(BOUND, logs) {
            return Err(format!("the container {id} does not do its work under {profile}"));
        }
        counted.started += 1;
        counted.executions += 1;
        succeed(self.podman.command(&["exec"]).arg(&id).args(["/worker", "probe"]))?;
        counted.executed += 1;
        succeed(self.podman.command(&["rm", "--force", "--time=0"]).arg(&id))?;
        Ok(id)
    }
}

impl Drop for Pod<'_> {
    fn drop(&mut self) {
        if let Err(error) =
            succeed(self.podman.command(&["pod", "rm", "--force", "--time=0"]).arg(&self.id))
        {
            eprintln!("{error}");
        }
    }
}

fn holds(world: &World, candidate: Candidate) -> Result<(), Stop> {
    let podman = candidate.command_line(world).map_err(Stop::Skip)?;
    let pod = Pod::new(podman)?;
    let results = temporary_directory();
    let directory = results.path().join("profiles/");
    let of_all = Tracer::new().args(["--all-containers"]).out(&directory).start();
    let of_pod = Tracer::new().args(["--wait", "--cgroup", &pod.id]).start();
    let above = format!("path:{}", pod.parent.name());
    let of_parent = Tracer::new().args(["--wait", "--cgroup", &above]).start();
    let mut counted = Tally::default();
    let ran = pod.run("unconfined", &mut counted);
    let of_all = of_all.stop();
    let [of_pod, of_parent] = [of_pod, of_parent].map(Tracing::stop);
    let container = ran?;
    for outcome in [&of_pod, &of_parent] {
        is_of_the_container(outcome, &container)?;
    }
    assert!(matches!(of_all.status.code(), Some(0 | 3)), "{}", of_all.stderr);
    let text = fs::read_to_string(directory.join(format!("{container}.json")));
    let text = text.map_err(|error| format!("no profile of {container}: {error}"))?;
    let profile: Value = serde_json::from_str(&text).expect("a profile");
    tight(&profile)?;
    let files = file_names(&directory);
    assert!(!files.iter().any(|name| name.contains(&pod.id)), "the pod is none: {files:?}");
    let profile = of_pod.directory().join("profile.json");
    let again = pod.run(&profile.display().to_string(), &mut counted);
    world.table.add(&candidate.description(world)?, "in a pod", counted);
    Ok(again.map(drop)?)
}

/// The cgroups are those of containers, the pod's own that holds its namespaces among them; its
/// profile is tight.
fn is_of_the_container(outcome: &Outcome, container: &str) -> Result<(), String> {
    assert_eq!(outcome.status.code(), Some(0), "{}", outcome.stderr);
    let recording = outcome.recording();
    let paths: Vec<&str> = recording.cgroups.iter().map(|cgroup| cgroup.path.as_str()).collect();
    let is_in = |path: &&str, name: &str| path.split('/').any(|part| part.starts_with(name));
    let own = format!("libpod-{container}");
    if !paths.iter().all(|path| is_in(path, "libpod-"))
        || !paths.iter().any(|path| is_in(path, &own))
    {
        return Err(format!("not the containers: {paths:?}"));
    }
    tight(&outcome.profile())
}

fn tight(profile: &Value) -> Result<(), String> {
    let text = profile["syscalls"].to_string();
    let held: Vec<_> = NEVER.iter().filter(|name| text.contains(&format!("\"{name}\""))).collect();
    if held.is_empty() { Ok(()) } else { Err(format!("the profile holds {held:?}: {text}")) }
}
