//! Targets by every name that runtimes give them: each means the same container, and no other one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use libtest_mimic::Trial;
use tests::{BOUND, Cgroup, Outcome, Running, Tracer, Tracing, holds_within, names};
use tracer::recording::Phase;

use crate::cases::Cases;
use crate::command_line::IMAGE;
use crate::engine::{Engine, Order, succeed};
use crate::matrix::SOMEBODY;
use crate::world::{Kind, World};
use tests::Stop;

/// The main program of the containers: it does nothing any more.
const IDLE: [&str; 2] = ["/program", "pause"];
/// What is executed in the container that is meant.
const EXECUTED: [&str; 4] =
    ["/program", "x86_64:sched_get_priority_min", "x86_64:alarm", "i386:getpid"];
/// The calls that it makes itself: executing it was the runtime's.
const EXECUTED_CALLS: [&str; 4] = ["alarm", "exit_group", "getpid", "sched_get_priority_min"];
/// What is executed in the other one.
const ELSEWHERE: [&str; 2] = ["/program", "x86_64:times"];
/// The calls that no recording may have: those of the other one, and of runtimes that enter a
/// container.
const FOREIGN: [&str; 4] = ["times", "setns", "mount", "pivot_root"];

/// Lays a directory over `/var/lib/containers`, which need not be there, for one program only.
const WITH_STORAGE: &str = r#"mount -t tmpfs tmpfs /var/lib && mkdir /var/lib/containers && mount --bind "$1" /var/lib/containers && shift && exec "$@""#;
/// The same, and a socket at podman's usual place. On a busy machine podman may take longer to
/// answer than tracer waits, which then reads the storage.
const WITH_SOCKET: &str = r#"mount -t tmpfs tmpfs /run && mkdir /run/podman && ln -s "$1/podman.sock" /run/podman/podman.sock && mount -t tmpfs tmpfs /var/lib && mkdir /var/lib/containers && mount --bind "$1" /var/lib/containers && shift && exec "$@""#;

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    vec![
        cases.trial("names::docker".into(), docker),
        cases.trial("names::podman".into(), podman),
        cases.trial("names::pods".into(), pods),
        cases.trial("names::two_containers".into(), two_containers_of_a_pod),
    ]
}

/// How a container is named to the tracer.
struct Name<'a> {
    launcher: Vec<&'a str>,
    options: Vec<String>,
    target: String,
}

impl Name<'_> {
    fn new(options: &[String], target: impl Into<String>) -> Self {
        Self { launcher: Vec::new(), options: options.to_vec(), target: target.into() }
    }

    fn trace(&self) -> Tracing {
        let tracer = Tracer::new().launcher(&self.launcher).args(&self.options);
        tracer.args(["--accept-late-start", "--cgroup", &self.target]).start()
    }
}

/// What launches a program that sees podman's containers in their usual place.
pub fn with_storage(directory: &Path) -> Vec<String> {
    seen_from(WITH_STORAGE, directory)
}

fn seen_from(script: &str, place: &Path) -> Vec<String> {
    let words = ["unshare", "--mount", "--propagation=private", "sh", "-ec", script, "sh"];
    words.map(str::to_owned).into_iter().chain([place.display().to_string()]).collect()
}

fn order_of<'a>(parent: &'a Cgroup, words: &'a [&'a str]) -> Order<'a> {
    Order { words, user: 0, no_new_privs: false, profile: None, parent: parent.name() }
}

/// Traces by all names at once while programs are executed. The recordings are of the one
/// container, and alike.
fn compare(
    names_of_one: &[Name],
    path: &str,
    execute: impl FnOnce() -> Result<(), String>,
) -> Result<Vec<Outcome>, Stop> {
    let tracings: Vec<Tracing> = names_of_one.iter().map(Name::trace).collect();
    execute()?;
    let mut outcomes = Vec::new();
    for (tracing, name) in tracings.into_iter().zip(names_of_one) {
        let outcome = tracing.stop().exits(0);
        let recording = outcome.recording();
        assert_eq!(recording.targets[0].name, name.target);
        for cgroup in &recording.cgroups {
            assert!(cgroup.path.starts_with(path), "{}: {}", name.target, cgroup.path);
            assert!(cgroup.exec_sessions, "{}: it was entered", name.target);
        }
        let workload: BTreeSet<&str> =
            recording.cgroups.iter().flat_map(|cgroup| names(cgroup, Phase::Workload)).collect();
        let text = outcome.read("recording.json");
        assert_eq!(workload, BTreeSet::from(EXECUTED_CALLS), "{}\n{text}", name.target);
        let allowed = outcome.allowed();
        assert!(!allowed.iter().any(|name| FOREIGN.contains(&name.as_str())), "{allowed:?}");
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// The names of the directories below a cgroup.
fn children(cgroup: &Path) -> Vec<String> {
    let entries = fs::read_dir(cgroup).expect("the cgroup is there").flatten();
    let directories = entries.filter(|entry| entry.path().is_dir());
    directories.map(|entry| entry.file_name().into_string().expect("text")).collect()
}

/// The one container below a cgroup, and a process of it.
fn only_container(parent: &Cgroup) -> (String, i32) {
    let found = children(parent.directory());
    let containers: Vec<&String> = found.iter().filter(|name| !name.contains("conmon")).collect();
    assert_eq!(containers.len(), 1, "{found:?}");
    (containers[0].clone(), process_in(&parent.directory().join(containers[0])))
}

fn process_in(cgroup: &Path) -> i32 {
    let processes = fs::read_to_string(cgroup.join("cgroup.procs")).expect("the cgroup is there");
    processes.lines().next().expect("it runs").parse().expect("a number")
}

fn docker(world: &World) -> Result<(), Stop> {
    world.root()?;
    let docker = world.command_line(Kind::Docker).map_err(Stop::Skip)?;
    let [parent, elsewhere] = ["named", "not-named"].map(Cgroup::new);
    let container = docker.start(&order_of(&parent, &IDLE))?;
    let other = docker.start(&order_of(&elsewhere, &IDLE))?;
    let name = container.name().expect("docker names its containers");
    let socket = docker.socket().expect("docker has a socket");
    let (id, process) = only_container(&parent);
    let path = format!("{}/{id}", parent.name());
    let options = [format!("--docker-host={socket}")];
    let targets = [
        name.to_owned(),
        format!("docker:{name}"),
        format!("docker://{id}"),
        id[..12].to_owned(),
        format!("docker:{id}"),
        format!("pid:{process}"),
        path.clone(),
    ];
    let found = compare(&targets.map(|target| Name::new(&options, target)), &path, || {
        container.exec(Some(SOMEBODY), &EXECUTED)?;
        other.exec(Some(SOMEBODY), &ELSEWHERE).map(drop)
    })?;
    let recording = found[0].recording();
    let identity = recording.cgroups[0].container.as_ref().expect("it is a container");
    assert_eq!((identity.name.as_deref(), &identity.id), (Some(name), &id));
    let by_environment = Tracer::new().environment("DOCKER_HOST", socket);
    let target = ["--accept-late-start", "--cgroup", &format!("docker:{name}")];
    by_environment.args(target).start().stop().says(&[&format!("docker:{name} is {path}")]);
    let misspelt = format!("docker:{name}x");
    let failed = Tracer::new().args(&options).args(["--cgroup", &misspelt]).run().exits(1);
    failed.says(&["no container is named", name]).writes_nothing();
    let created = format!("{name}-created");
    let mut create = docker.command(&["create", "--name", &created, IMAGE]);
    succeed(&mut create)?;
    let failed = Tracer::new().args(&options).args(["--cgroup", &created]).run().exits(1);
    succeed(docker.command(&["rm"]).arg(&created))?;
    failed.says(&["was created and never started", "--wait"]).writes_nothing();
    let nowhere = Tracer::new().args(["--docker-host=unix:///nowhere/docker.sock"]);
    let failed = nowhere.args(["--cgroup", &format!("docker:{name}")]).run().exits(1);
    failed.says(&["docker at /nowhere/docker.sock: not there"]).writes_nothing();
    Ok(())
}

fn podman(world: &World) -> Result<(), Stop> {
    world.root()?;
    let podman = world.command_line(Kind::PodmanRunc).map_err(Stop::Skip)?;
    let [parent, elsewhere] = ["named-podman", "not-named-podman"].map(Cgroup::new);
    let container = podman.start(&order_of(&parent, &IDLE))?;
    let other = podman.start(&order_of(&elsewhere, &IDLE))?;
    let name = container.name().expect("podman names its containers");
    let (cgroup, process) = only_container(&parent);
    let id =
        cgroup.strip_prefix("libpod-").expect("podman's").trim_end_matches(".scope").to_owned();
    let path = format!("{}/{cgroup}", parent.name());
    let socket = podman.directory().join("podman.sock");
    let address = format!("unix://{}", socket.display());
    let service = Running::start(&mut podman.command(&["system", "service", "--time=0", &address]));
    // Its first answer may take longer than tracer waits.
    let answers = || {
        let mut ask = Command::new("podman");
        succeed(ask.args(["--remote", "--url", &address, "ps"])).is_ok()
    };
    assert!(holds_within(BOUND, answers), "podman serves: {}", service.stderr());
    let storage = with_storage(podman.directory());
    let serving = seen_from(WITH_SOCKET, podman.directory());
    let of = |launcher: &'_ [String], target: String| -> (Vec<String>, String) {
        (launcher.to_vec(), target)
    };
    let wanted = [
        of(&storage, name.to_owned()),
        of(&storage, format!("podman:{name}")),
        of(&serving, format!("podman:{name}")),
        of(&serving, name.to_owned()),
        of(&[], id[..12].to_owned()),
        of(&[], format!("podman:{id}")),
        of(&[], format!("pid:{process}")),
        of(&[], path.clone()),
    ];
    let names: Vec<Name> = wanted
        .iter()
        .map(|(launcher, target)| Name {
            launcher: launcher.iter().map(String::as_str).collect(),
            options: Vec::new(),
            target: target.clone(),
        })
        .collect();
    compare(&names, &path, || {
        container.exec(Some(SOMEBODY), &EXECUTED)?;
        other.exec(Some(SOMEBODY), &ELSEWHERE).map(drop)
    })?;
    service.signal(rustix::process::Signal::TERM);
    service.finish();
    Ok(())
}

/// By namespace and name, UID, the container's name, its id, a process, and cgroups.
fn pods(world: &World) -> Result<(), Stop> {
    world.root()?;
    let containerd = world.containerd().map_err(Stop::Skip)?;
    let above = Cgroup::new("pods");
    let cgroup = |uid: &str| format!("{}/kubepods/besteffort/pod{uid}", above.name());
    let pod = containerd.pod(cgroup)?;
    let other = containerd.pod(cgroup)?;
    let order = order_of(&above, &IDLE);
    let container = pod.create("app", 0, &order)?;
    pod.start(&container)?;
    let elsewhere = other.create("app", 0, &order)?;
    other.start(&elsewhere)?;
    let path = format!("{}/{container}", cgroup(pod.uid()));
    let directory = tests::cgroup_mount().join(&path[1..]);
    let socket = containerd.socket().expect("it has one");
    let options = [format!("--cri-endpoint=unix://{socket}")];
    let targets = [
        pod.path(),
        format!("pod:{}", pod.path()),
        pod.uid().to_owned(),
        format!("{}/app", pod.path()),
        format!("cri:{}/app", pod.path()),
        container[..12].to_owned(),
        format!("containerd://{container}"),
        format!("cri:{container}"),
        format!("pid:{}", process_in(&directory)),
        path.clone(),
    ];
    let found = compare(&targets.map(|target| Name::new(&options, target)), &path, || {
        pod.exec(&container, &EXECUTED)?;
        other.exec(&elsewhere, &ELSEWHERE).map(drop)
    })?;
    let identity = found[0].recording().cgroups[0].container.clone().expect("it is a container");
    assert_eq!(identity.label(), format!("{}/app", pod.path()));
    assert_eq!(identity.engine.as_deref(), Some("containerd"));
    assert_eq!(identity.image.as_deref(), Some(IMAGE), "by its name, though it was made by its id");
    let tracer = || Tracer::new().args(&options).args(["--cgroup", "cri:app"]);
    tracer().run().exits(1).says(&["is ambiguous", &pod.path(), &other.path()]).writes_nothing();
    let missing = format!("{}x", pod.path());
    let failed = Tracer::new().args(&options).args(["--cgroup", &missing]).run().exits(1);
    failed.says(&["no pod is named", &pod.path()]).writes_nothing();
    let bare = pod.path().rsplit('/').next().expect("it has a name").to_owned();
    for target in [bare.clone(), format!("pod:{bare}"), format!("pod/{bare}"), path[1..].to_owned()]
    {
        let failed = Tracer::new().args(&options).args(["--cgroup", &target]).run();
        let offered = if target.contains("kubepods") { path.clone() } else { pod.path() };
        failed.says(&[&offered]).writes_nothing();
    }
    let awaited = Tracer::new().args(&options).args(["--wait", "--cgroup", &missing]).start();
    let awaited = awaited.stop().exits(1);
    let waiting =
        format!("waiting for {missing}: no pod is named `{missing}`; there is {}", pod.path());
    awaited.says(&[&waiting, &format!("{missing} never appeared")]).writes_nothing();
    // A pod without containers is there: what comes is recorded from its start.
    let empty = containerd.pod(cgroup)?;
    let tracing = Tracer::new().args(&options).args(["--cgroup", &empty.path()]).start();
    let first = empty.create(
        "first",
        0,
        &order_of(&above, &["/program", "x86_64:sched_get_priority_min"]),
    )?;
    empty.run_to_its_end(&first)?;
    let outcome = tracing.stop().exits(0);
    outcome.says(&[&format!("{}/first: 1 start recorded whole", empty.path())]);
    Ok(())
}

/// Both are the pod's; each alone is itself; the pause container is neither.
fn two_containers_of_a_pod(world: &World) -> Result<(), Stop> {
    world.root()?;
    let containerd = world.containerd().map_err(Stop::Skip)?;
    let above = Cgroup::new("two-containers");
    let pod = containerd.pod(|uid| format!("{}/kubepods/pod{uid}", above.name()))?;
    let order = order_of(&above, &IDLE);
    let containers = [pod.create("one", 0, &order)?, pod.create("two", 0, &order)?];
    for container in &containers {
        pod.start(container)?;
    }
    let options = [format!("--cri-endpoint=unix://{}", containerd.socket().expect("it has one"))];
    let tracings = [pod.path(), format!("{}/one", pod.path()), format!("{}/two", pod.path())]
        .map(|target| Name::new(&options, target).trace());
    pod.exec(&containers[0], &["/program", "x86_64:sched_get_priority_min"])?;
    pod.exec(&containers[1], &["/program", "x86_64:times"])?;
    let [both, one, two] = tracings.map(|tracing| tracing.stop().exits(0));
    let calls = |outcome: &Outcome| -> [bool; 2] {
        let allowed = outcome.allowed();
        ["sched_get_priority_min", "times"].map(|call| allowed.iter().any(|name| name == call))
    };
    assert_eq!([&both, &one, &two].map(calls), [[true, true], [true, false], [false, true]]);
    let recording = both.recording();
    let found: BTreeSet<&str> = recording
        .cgroups
        .iter()
        .filter_map(|cgroup| cgroup.container.as_ref()?.name.as_deref())
        .collect();
    assert_eq!(found, BTreeSet::from(["one", "two"]));
    assert!(!recording.late_starts.iter().any(|path| path.contains(pod.sandbox())));
    Ok(())
}
