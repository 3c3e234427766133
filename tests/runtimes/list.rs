//! `tracer list` where containers of several runtimes run.

use std::path::Path;
use std::process::Command;

use libtest_mimic::Trial;
use serde_json::Value;
use tests::{Cgroup, Running, tracer_program};

use crate::cases::Cases;
use crate::engine::{Engine, Order};
use crate::names::with_storage;
use crate::world::{Kind, World};
use tests::Stop;

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    vec![cases.trial("list::all_runtimes".into(), each_container_is_listed_once)]
}

fn listed(launcher: &[String], options: &[String]) -> (Vec<Value>, String) {
    let mut words: Vec<&Path> = launcher.iter().map(Path::new).collect();
    let program = tracer_program();
    words.push(&program);
    let run = |more: &[&str]| {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg("list").args(options).args(more);
        let finished = Running::start(&mut command).finish();
        assert!(finished.status.success(), "{finished:?}");
        String::from_utf8(finished.stdout).expect("text")
    };
    let json = serde_json::from_str(&run(&["--json"])).expect("JSON");
    (json, run(&[]))
}

fn each_container_is_listed_once(world: &World) -> Result<(), Stop> {
    world.root()?;
    let docker = world.command_line(Kind::Docker).map_err(Stop::Skip)?;
    let podman = world.command_line(Kind::PodmanRunc).map_err(Stop::Skip)?;
    let containerd = world.containerd().map_err(Stop::Skip)?;
    let above = Cgroup::new("listed");
    let words = ["/program", "pause"];
    let order =
        Order { words: &words, user: 0, no_new_privs: false, profile: None, parent: above.name() };
    let (by_docker, by_podman) = (docker.start(&order)?, podman.start(&order)?);
    let pod = containerd.pod(|uid| format!("{}/kubepods/pod{uid}", above.name()))?;
    let container = pod.create("app", 0, &order)?;
    pod.start(&container)?;
    let options = [
        format!("--docker-host={}", docker.socket().expect("docker has a socket")),
        format!("--cri-endpoint=unix://{}", containerd.socket().expect("containerd has one")),
    ];
    let (json, table) = listed(&with_storage(podman.directory()), &options);
    let here = json.iter().filter(|one| {
        one["cgroup"].as_str().expect("a path").starts_with(&format!("{}/", above.name()))
    });
    let mut found: Vec<[&str; 4]> = here
        .map(|one| {
            assert_eq!(one["seccomp"], "unconfined", "{one}");
            assert_eq!(one["processes"], 1 + usize::from(one["kind"] == "pod"), "{one}");
            ["kind", "name", "runtime", "pod"].map(|key| one[key].as_str().unwrap_or_default())
        })
        .collect();
    found.sort_unstable();
    let (name, path) =
        (|one: &dyn crate::engine::Container| one.name().map(str::to_owned), pod.path());
    let (docker_name, podman_name) =
        (name(&*by_docker).expect("it"), name(&*by_podman).expect("it"));
    let app = format!("{path}/app");
    let mut expected = vec![
        ["container", &docker_name, "docker", ""],
        ["container", &podman_name, "podman", ""],
        ["container", &app, "containerd", &path],
        ["pod", &path, "", &path],
    ];
    expected.sort_unstable();
    assert_eq!(found, expected, "each once, without the pause container");
    for name in [&docker_name, &podman_name, &app, &path] {
        let lines = table.lines().filter(|line| line.split_whitespace().nth(1) == Some(name));
        assert_eq!(lines.count(), 1, "{name}: {table}");
    }
    Ok(())
}
