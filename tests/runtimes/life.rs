//! Targets that end and start again, and that do not exist yet: every start is recorded, under the
//! name that it had.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use libtest_mimic::Trial;
use serde_json::Value;
use tests::{BOUND, Cgroup, Outcome, Tracer, Tracing, holds_within, names};
use tracer::recording::{Losses, Phase};

use crate::cases::Cases;
use crate::command_line::{CommandLine, IMAGE};
use crate::cri::{Containerd, Pod};
use crate::engine::{Engine, Order, succeed};
use crate::matrix::SET_UP;
use crate::world::{Kind, World};
use tests::Stop;

/// Calls that no runtime makes, nor the shell of the workload: one for each run.
const MARKERS: [(i32, &str); 6] = [
    (36, "getitimer"),
    (37, "alarm"),
    (100, "times"),
    (120, "getresgid"),
    (124, "getsid"),
    (147, "sched_get_priority_min"),
];
/// How often a container is started again.
const RESTARTS: usize = 5;
/// Starts of a container that makes one call and ends.
const STARTS: usize = 100;
/// How many containers that have ended are still there.
const KEPT: usize = 10;

/// Counts its runs in a file, and makes the call of that run.
const COUNTED: &str = r#"
n=$(cat /tmp/runs || echo 0)
echo $((n + 1)) > /tmp/runs
set -- 36 37 100 120 124 147
shift $n
exec /program x86_64:$1 "say:run $n" pause
"#;

static MADE: AtomicU32 = AtomicU32::new(0);

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    vec![
        cases.trial("life::docker_hundred_starts".into(), hundred_starts_of_docker),
        cases.trial("life::cri_hundred_starts".into(), hundred_starts_of_cri),
        cases.trial("life::docker_restarts".into(), docker_restarts),
        cases.trial("life::cri_again".into(), a_container_of_a_pod_is_made_again),
        cases.trial("life::docker_late_and_again".into(), a_late_container_of_docker_is_made_again),
        cases.trial("life::cri_late_and_again".into(), a_late_container_of_a_pod_is_made_again),
        cases.trial("life::cri_rollout".into(), replicas_are_one_workload),
        cases.trial("life::docker_removed".into(), a_container_that_is_removed_ends_the_recording),
    ]
}

fn new_name(label: &str) -> String {
    format!("tracer-tests-{label}-{}", MADE.fetch_add(1, Ordering::Relaxed))
}

/// A container of docker that is removed whatever happens.
struct Removed<'a>(&'a CommandLine, String);

impl Drop for Removed<'_> {
    fn drop(&mut self) {
        // It may be gone by itself.
        let _ = self.0.command(&["rm", "--force", &self.1]).output();
    }
}

/// The options of `docker run` and `docker create`.
fn options(parent: &Cgroup, name: &str) -> [String; 5] {
    [
        format!("--name={name}"),
        format!("--cgroup-parent={}", parent.name()),
        "--network=none".into(),
        "--stop-signal=KILL".into(),
        "--security-opt=seccomp=unconfined".into(),
    ]
}

fn docker_host(docker: &CommandLine) -> String {
    format!("--docker-host={}", docker.socket().expect("docker has a socket"))
}

fn cri_endpoint(containerd: &Containerd) -> String {
    format!("--cri-endpoint=unix://{}", containerd.socket().expect("it has one"))
}

/// Every call of every run is allowed, nothing of the runtimes' is, and nothing was lost.
fn is_whole(outcome: &Outcome) {
    let recording = outcome.recording();
    assert_eq!(recording.losses, Losses::default());
    let allowed = outcome.allowed();
    for (_, marker) in MARKERS {
        assert!(allowed.iter().any(|name| name == marker), "{marker}: {allowed:?}");
    }
    assert!(!allowed.iter().any(|name| SET_UP.contains(&name.as_str())), "{allowed:?}");
}

fn docker_restarts(world: &World) -> Result<(), Stop> {
    world.root()?;
    let docker = world.command_line(Kind::Docker).map_err(Stop::Skip)?;
    let parent = Cgroup::new("restarts");
    let name = new_name("restarts");
    let mut create = docker.command(&["create"]);
    create.args(options(&parent, &name)).args([IMAGE, "/bin/busybox", "sh", "-c", COUNTED]);
    let container = Removed(docker, name.clone());
    succeed(&mut create)?;
    let tracer = Tracer::new().args([&docker_host(docker), "--wait", "--cgroup", &name]);
    let tracing = tracer.start();
    for run in 0..=RESTARTS {
        let verb: &[&str] = if run == 0 { &["start"] } else { &["restart", "--time=0"] };
        succeed(docker.command(verb).arg(&name))?;
        let said = || succeed(docker.command(&["logs"]).arg(&name)).unwrap_or_default();
        let line = format!("run {run}");
        if !holds_within(BOUND, || said().lines().any(|said| said == line)) {
            return Err(Stop::Fail(format!("{line} is not said: {}", said())));
        }
    }
    let outcome = tracing.stop().exits(0).says(&["complete: nothing was lost"]);
    is_whole(&outcome);
    let message = format!("{name}: {} starts recorded whole", RESTARTS + 1);
    outcome.says(&[&message]);
    drop(container);
    Ok(())
}

/// One that can be started again does not, as long as its start was not seen.
fn a_container_that_is_removed_ends_the_recording(world: &World) -> Result<(), Stop> {
    world.root()?;
    let docker = world.command_line(Kind::Docker).map_err(Stop::Skip)?;
    let parent = Cgroup::new("removed");
    let [for_good, again] = ["for-good", "again"].map(new_name);
    let mut run = docker.command(&["run", "--detach", "--rm"]);
    let id = succeed(run.args(options(&parent, &for_good)).args([IMAGE, "/program", "pause"]))?;
    let kept = Removed(docker, again.clone());
    let mut run = docker.command(&["run", "--detach"]);
    succeed(run.args(options(&parent, &again)).args([IMAGE, "/program", "pause"]))?;
    let host = docker_host(docker);
    let trace = |target: &str| Tracer::new().args([&host, "--cgroup", target]).start();
    let [by_name, by_id, awaited] = [&for_good, id.trim(), &again].map(trace);
    let container = Removed(docker, for_good.clone());
    for name in [&for_good, &again] {
        succeed(&mut docker.command(&["exec", name, "/program", "x86_64:sched_get_priority_min"]))?;
        succeed(&mut docker.command(&["kill", name]))?;
    }
    for tracing in [by_name, by_id] {
        let outcome = tracing.finish().exits(3).says(&["will not start again", "late start"]);
        assert!(outcome.allowed().iter().any(|name| name == "sched_get_priority_min"));
    }
    drop(container);
    awaited.wait_for_message("waiting for it to start again");
    succeed(&mut docker.command(&["start", &again]))?;
    succeed(&mut docker.command(&["kill", &again]))?;
    let outcome = awaited.finish().exits(0).says(&["complete: nothing was lost"]);
    assert!(!outcome.stderr.contains("will not start again"), "{}", outcome.stderr);
    drop(kept);
    Ok(())
}

/// The same name, and another id and cgroup each time.
fn a_container_of_a_pod_is_made_again(world: &World) -> Result<(), Stop> {
    world.root()?;
    let containerd = world.containerd().map_err(Stop::Skip)?;
    let above = Cgroup::new("again");
    let pod = containerd.pod(|uid| format!("{}/kubepods/pod{uid}", above.name()))?;
    let trace = |target: &str| {
        let options = [&cri_endpoint(containerd), "--wait", "--cgroup", target];
        Tracer::new().args(options).start()
    };
    let tracings = [pod.path(), pod.uid().to_owned(), format!("{}/app", pod.path())];
    let tracings = tracings.map(|target| trace(&target));
    for (attempt, (number, _)) in (0..).zip(MARKERS) {
        let call = format!("x86_64:{number}");
        run(&pod, "app", attempt, &["/program", &call], &above)?;
        run(&pod, "other", attempt, &["/program", "x86_64:fchmodat2"], &above)?;
    }
    let [by_name, by_uid, app] = tracings.map(|tracing| tracing.stop().exits(0));
    for outcome in [&by_name, &by_uid, &app] {
        is_whole(outcome);
    }
    let others = [&by_name, &by_uid, &app]
        .map(|outcome| outcome.allowed().iter().filter(|name| *name == "fchmodat2").count());
    assert_eq!(others, [1, 1, 0], "the other container is the pod's, and not the one");
    let message = format!("{}/app: {} starts recorded whole", pod.path(), MARKERS.len());
    app.says(&[&message]);
    by_name.says(&[&message, &format!("{}/other: 6 starts recorded whole", pod.path())]);
    Ok(())
}

fn run(pod: &Pod, name: &str, attempt: u32, words: &[&str], above: &Cgroup) -> Result<(), String> {
    let order = Order { words, user: 0, no_new_privs: false, profile: None, parent: above.name() };
    let container = pod.create(name, attempt, &order)?;
    pod.run_to_its_end(&container)
}

/// Asserts that every start is there, under its name, with its call in the workload and the
/// runtime's outside.
fn all_are_there(outcome: &Outcome, label: &str) {
    let recording = outcome.recording();
    assert_eq!(recording.losses, Losses::default());
    assert_eq!(recording.cgroups.len(), STARTS, "one cgroup for each start");
    let mut starts: Vec<(&tracer::recording::Cgroup, BTreeSet<&str>)> = Vec::new();
    for cgroup in &recording.cgroups {
        let identity = cgroup.container.as_ref().expect("it is a container");
        assert_eq!(identity.label(), label, "{}", cgroup.path);
        assert!(!cgroup.late_start && !cgroup.exec_sessions, "{}", cgroup.path);
        let setup = names(cgroup, Phase::Setup);
        assert!(setup.contains("mount") && setup.contains("pivot_root"), "{setup:?}");
        starts.push((cgroup, names(cgroup, Phase::Workload)));
    }
    // Ids of cgroups grow.
    starts.sort_by_key(|(cgroup, _)| cgroup.id);
    for (turn, (cgroup, workload)) in starts.iter().enumerate() {
        let (_, marker) = MARKERS[turn % MARKERS.len()];
        let made = BTreeSet::from([marker, "exit_group"]);
        assert_eq!(*workload, made, "start {turn}: {cgroup:#?}");
    }
}

fn hundred_starts_of_docker(world: &World) -> Result<(), Stop> {
    world.root()?;
    let docker = world.command_line(Kind::Docker).map_err(Stop::Skip)?;
    let parent = Cgroup::new("hundred");
    let name = new_name("hundred");
    let target = format!("docker:{name}");
    let options = options(&parent, &name);
    let tracing = Tracer::new().args([&docker_host(docker), "--wait", "--cgroup", &target]).start();
    let container = Removed(docker, name.clone());
    for turn in 0..STARTS {
        let call = format!("x86_64:{}", MARKERS[turn % MARKERS.len()].0);
        let mut run = docker.command(&["run", "--rm"]);
        succeed(run.args(&options).args([IMAGE, "/program", &call]))?;
    }
    drop(container);
    all_are_there(&tracing.stop().exits(0), &name);
    Ok(())
}

fn hundred_starts_of_cri(world: &World) -> Result<(), Stop> {
    world.root()?;
    let containerd = world.containerd().map_err(Stop::Skip)?;
    let above = Cgroup::new("hundred-pods");
    let pod = containerd.pod(|uid| format!("{}/kubepods/pod{uid}", above.name()))?;
    let target = format!("{}/app", pod.path());
    let tracing =
        Tracer::new().args([&cri_endpoint(containerd), "--wait", "--cgroup", &target]).start();
    let mut ended = VecDeque::new();
    for turn in 0..STARTS {
        let call = format!("x86_64:{}", MARKERS[turn % MARKERS.len()].0);
        let words = ["/program", call.as_str()];
        let order = Order {
            words: &words,
            user: 0,
            no_new_privs: false,
            profile: None,
            parent: above.name(),
        };
        let container = pod.create("app", turn as u32, &order)?;
        pod.run(&container)?;
        ended.push_back(container);
        // The kubelet removes containers that have ended once a minute, all but the last one of a
        // name (`ContainerGCPeriod` and `maximum-dead-containers-per-container`).
        if ended.len() > KEPT {
            pod.remove(&ended.pop_front().expect("one more than is kept"))?;
        }
    }
    all_are_there(&tracing.stop().exits(0), &target);
    Ok(())
}

/// What ran before tracing began (and makes no call any more), and is made again while tracing: the
/// same name, and another id and cgroup.
fn is_made_up_for(
    options: &[&str],
    make_again: impl FnOnce() -> Result<(), Stop>,
) -> Result<(), Stop> {
    let trace = || Tracer::new().args(options).start();
    let (before, during) = (trace(), trace());
    let remedy = "restart the workload while tracing";
    before.stop().exits(1).says(&["late start: ", remedy]);
    make_again()?;
    let outcome = during.stop().exits(0).says(&[": 1 start recorded whole\n"]);
    let recording = outcome.recording();
    assert_eq!(recording.losses, Losses::default());
    assert!(
        recording.cgroups.iter().any(|cgroup| cgroup.late_start),
        "it was late: {recording:#?}"
    );
    Ok(())
}

fn a_late_container_of_docker_is_made_again(world: &World) -> Result<(), Stop> {
    world.root()?;
    let docker = world.command_line(Kind::Docker).map_err(Stop::Skip)?;
    let parent = Cgroup::new("late-and-again");
    let name = new_name("late-and-again");
    let run = |words: &[&str]| {
        let mut run = docker.command(&["run"]);
        succeed(run.args(options(&parent, &name)).args(words))
    };
    let container = Removed(docker, name.clone());
    run(&["--detach", IMAGE, "/program", "pause"])?;
    let target = format!("docker:{name}");
    is_made_up_for(&[&docker_host(docker), "--wait", "--cgroup", &target], || {
        succeed(docker.command(&["rm", "--force"]).arg(&name))?;
        run(&["--rm", IMAGE, "/program", "x86_64:getitimer"])?;
        Ok(())
    })?;
    drop(container);
    Ok(())
}

fn a_late_container_of_a_pod_is_made_again(world: &World) -> Result<(), Stop> {
    world.root()?;
    let containerd = world.containerd().map_err(Stop::Skip)?;
    let above = Cgroup::new("late-pods");
    let pod = containerd.pod(|uid| format!("{}/kubepods/pod{uid}", above.name()))?;
    let words = ["/program", "pause"];
    let order =
        Order { words: &words, user: 0, no_new_privs: false, profile: None, parent: above.name() };
    let late = pod.create("app", 0, &order)?;
    pod.start(&late)?;
    let target = format!("{}/app", pod.path());
    is_made_up_for(&[&cri_endpoint(containerd), "--wait", "--cgroup", &target], || {
        pod.remove(&late)?;
        run(&pod, "app", 1, &["/program", "x86_64:getitimer"], &above)?;
        Ok(())
    })
}

/// A Deployment that is rolled while it is traced: a replica that ran before, and new ones of
/// another `ReplicaSet`.
fn replicas_are_one_workload(world: &World) -> Result<(), Stop> {
    world.root()?;
    let containerd = world.containerd().map_err(Stop::Skip)?;
    let above = Cgroup::new("rollout");
    let workload = new_name("rollout");
    let replica = |of: &str, suffix: &str| {
        let parent = |uid: &str| format!("{}/kubepods/pod{uid}", above.name());
        containerd.pod_of(of, suffix, parent)
    };
    let before = replica(&workload, "7696745d96-4xqh6")?;
    let words = ["/program", "pause"];
    let order =
        Order { words: &words, user: 0, no_new_privs: false, profile: None, parent: above.name() };
    let late = before.create("app", 0, &order)?;
    before.start(&late)?;
    let namespace = before.path();
    let namespace = namespace.split('/').next().unwrap_or_default();
    let targets =
        [format!("{namespace}/deployment/{workload}"), format!("{namespace}/{workload}-*")];
    let tracings = targets.map(|target| {
        let options = [&cri_endpoint(containerd), "--wait", "--per-container", "--cgroup", &target];
        Tracer::new().args(options).start()
    });
    // Another Deployment, whose name begins alike.
    let other = replica(&format!("{workload}-api"), "5d9c8b7f4-zz2xw")?;
    run(&other, "app", 0, &["/program", "x86_64:fchmodat2"], &above)?;
    let rolled = ["69b7d4c6f8-x7k2p", "69b7d4c6f8-9v5kc"];
    for (suffix, (number, _)) in rolled.iter().zip(MARKERS) {
        let pod = replica(&workload, suffix)?;
        run(&pod, "app", 0, &["/program", &format!("x86_64:{number}")], &above)?;
    }
    let [by_kind, by_beginning] = tracings.map(Tracing::stop);
    for (outcome, with_other) in [(by_kind.exits(0), false), (by_beginning.exits(0), true)] {
        assert_eq!(outcome.recording().losses, Losses::default());
        let message = format!(": the profile of {namespace}/{workload}/app, ");
        let mut lines = outcome.stderr.lines();
        let file = lines.find_map(|line| Some(line.split_once(&message)?.0)).expect("a profile");
        let text = fs::read_to_string(file).expect("the file is there");
        let profile: Value = serde_json::from_str(&text).expect("JSON");
        let names = profile["syscalls"][0]["names"].to_string();
        for (_, marker) in &MARKERS[..rolled.len()] {
            assert!(names.contains(&format!("{marker:?}")), "{marker}: {names}");
        }
        assert!(!names.contains("fchmodat2"), "{names}");
        assert_eq!(outcome.allowed().iter().any(|name| name == "fchmodat2"), with_other);
    }
    Ok(())
}
