//! A container that is recorded on a busy machine: what others do beside it is no loss of its.

use std::collections::BTreeSet;

use libtest_mimic::Trial;
use tests::{BOUND, Cgroup, Stop, Strangers, Tracer, Tracing, holds_within, names};
use tracer::recording::{Losses, Phase};

use crate::cases::Cases;
use crate::command_line::IMAGE;
use crate::engine::{Engine, succeed};
use crate::world::{Kind, World};

/// Containers of others that start and stop each second.
const PLACES: usize = 20;
/// Recordings of each kind.
const RECORDINGS: usize = 10;
/// Strangers that come and go during a recording, at least.
const BESIDE: usize = 10;

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    vec![cases.trial("strangers::docker".into(), docker)]
}

/// One container, recorded by its name and its id in turn, is complete each time.
fn docker(world: &World) -> Result<(), Stop> {
    world.root()?;
    let docker = world.command_line(Kind::Docker).map_err(Stop::Skip)?;
    let parent = Cgroup::new("beside-strangers");
    let name = format!("tracer-tests-beside-strangers-{}", std::process::id());
    let mut create = docker.command(&["create", "--network=none", "--name", &name]);
    create
        .arg(format!("--cgroup-parent={}", parent.name()))
        .arg("--security-opt=seccomp=unconfined");
    let id = succeed(create.args([IMAGE, "/program", "x86_64:getitimer"]))?.trim().to_owned();
    let strangers = Strangers::start(PLACES);
    let host = format!("--docker-host={}", docker.socket().expect("docker has a socket"));
    let targets = [name.clone(), format!("docker:{name}"), id[..12].to_owned(), id.clone()];
    for turn in 0..RECORDINGS {
        let target = &targets[turn % targets.len()];
        let tracing = Tracer::new().args([&host, "--wait", "--cgroup", target]).start();
        let before = strangers.made();
        succeed(docker.command(&["start", "--attach"]).arg(&name))?;
        is_recorded(tracing, &strangers, before)
            .map_err(|why| format!("{turn}, {target}: {why}"))?;
    }
    succeed(docker.command(&["rm", "--force"]).arg(&name))?;
    Ok(())
}

/// The recording is complete, and holds what the one container did.
fn is_recorded(tracing: Tracing, strangers: &Strangers, before: usize) -> Result<(), String> {
    if !holds_within(BOUND, || strangers.made() > before + BESIDE) {
        return Err("no stranger came".to_owned());
    }
    let outcome = tracing.stop();
    if outcome.status.code() != Some(0) {
        return Err(outcome.stderr);
    }
    let recording = outcome.recording();
    let [cgroup] = recording.cgroups.as_slice() else { return Err(format!("{recording:?}")) };
    let made = BTreeSet::from(["getitimer", "exit_group"]);
    if recording.losses != Losses::default() || names(cgroup, Phase::Workload) != made {
        return Err(format!("{recording:?}"));
    }
    Ok(())
}
