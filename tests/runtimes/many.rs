//! A profile for each container: of a pod, and of everything that runs.

use std::fs;
use std::path::Path;
use std::time::Duration;

use libtest_mimic::Trial;
use serde_json::Value;
use tests::{Cgroup, Tracer, file_names};
use tracer::recording::Recording;

use crate::cases::Cases;
use crate::engine::{Engine, Order};
use crate::world::{Kind, World};
use tests::Stop;

/// How long tracer may take to have looked at everything.
const SETTLING: Duration = Duration::from_secs(5);

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    vec![
        cases.trial("many::per_container".into(), a_profile_for_each_container_of_a_pod),
        cases.trial("many::all_containers".into(), a_profile_for_everything_that_starts),
    ]
}

fn order<'a>(words: &'a [&'a str], above: &'a Cgroup) -> Order<'a> {
    Order { words, user: 0, no_new_privs: false, profile: None, parent: above.name() }
}

fn allowed(profile: &Path) -> Vec<String> {
    let text = fs::read_to_string(profile)
        .unwrap_or_else(|error| panic!("{}: {error}", profile.display()));
    let profile: Value = serde_json::from_str(&text).expect("JSON");
    tests::allowed(&profile)
}

/// Which of the two calls a profile allows.
fn which(profile: &Path) -> [bool; 2] {
    let allowed = allowed(profile);
    ["times", "sched_get_priority_min"].map(|call| allowed.iter().any(|name| name == call))
}

fn a_profile_for_each_container_of_a_pod(world: &World) -> Result<(), Stop> {
    world.root()?;
    let containerd = world.containerd().map_err(Stop::Skip)?;
    let above = Cgroup::new("per-container");
    let pod = containerd.pod(|uid| format!("{}/kubepods/pod{uid}", above.name()))?;
    let endpoint = format!("--cri-endpoint=unix://{}", containerd.socket().expect("it has one"));
    let path = pod.path();
    let tracer = Tracer::new().args([&endpoint, "--wait", "--per-container", "--cgroup", &path]);
    let tracing = tracer.start();
    for (name, call) in [("set-up", "x86_64:times"), ("app", "x86_64:sched_get_priority_min")] {
        let container = pod.create(name, 0, &order(&["/program", call], &above))?;
        pod.run_to_its_end(&container)?;
    }
    let outcome = tracing.stop().exits(0);
    let file = |name: &str| outcome.directory().join(name);
    assert_eq!(which(&file("profile.json")), [true, true]);
    assert_eq!(which(&file("profile.set-up.json")), [true, false]);
    assert_eq!(which(&file("profile.app.json")), [false, true]);
    let patch = fs::read_to_string(file("profile.app.kubernetes.yaml")).expect("it is there");
    for part in [r#"- name: "app""#, r#"localhostProfile: "profiles/profile.app.json""#] {
        assert!(patch.contains(part), "{part}: {patch}");
    }
    let text = fs::read_to_string(file("profile.app.recording.json")).expect("it is there");
    let recording: Recording = serde_json::from_str(&text).expect("a recording");
    assert_eq!(recording.targets[0].name, format!("{path}/app"));
    assert!(recording.complete && recording.cgroups.len() == 1, "{text}");
    assert_eq!(file_names(outcome.directory()).len(), 9, "three files each, and nothing else");
    Ok(())
}

/// Other tests start containers as well: they are among those that are recorded.
fn a_profile_for_everything_that_starts(world: &World) -> Result<(), Stop> {
    world.root()?;
    let docker = world.command_line(Kind::Docker).map_err(Stop::Skip)?;
    let containerd = world.containerd().map_err(Stop::Skip)?;
    let above = Cgroup::new("all-containers");
    let results = tests::temporary_directory();
    let options = [
        format!("--docker-host={}", docker.socket().expect("docker has a socket")),
        format!("--cri-endpoint=unix://{}", containerd.socket().expect("containerd has one")),
    ];
    let directory = results.path().join("profiles/");
    let tracer = Tracer::new().args(&options).args(["--all-containers"]).out(&directory);
    let tracing = tracer.start();
    let container = docker.start(&order(&["/program", "x86_64:times", "pause"], &above))?;
    let name = container.name().expect("docker names its containers").to_owned();
    let pod = containerd.pod(|uid| format!("{}/kubepods/pod{uid}", above.name()))?;
    for attempt in 0..2 {
        let words = ["/program", "x86_64:sched_get_priority_min"];
        let container = pod.create("app", attempt, &order(&words, &above))?;
        pod.run_to_its_end(&container)?;
    }
    // Other tests may keep tracer busy for good.
    tests::holds_within(SETTLING, || tracing.is_idle());
    // What other tests ran is late, or was not seen to end.
    let outcome = tracing.stop();
    assert!(matches!(outcome.status.code(), Some(0 | 3)), "{}", outcome.stderr);
    assert_eq!(which(&directory.join(format!("{name}.json"))), [true, false]);
    let app = format!("{}_app", pod.path().replace('/', "_"));
    assert_eq!(which(&directory.join(format!("{app}.json"))), [false, true]);
    let text = fs::read_to_string(directory.join(format!("{app}.recording.json"))).expect("it");
    let recording: Recording = serde_json::from_str(&text).expect("a recording");
    assert_eq!(recording.cgroups.len(), 2, "both starts, and not the pause container");
    let files = file_names(&directory);
    assert!(!files.iter().any(|file| file.contains(pod.sandbox())), "{files:?}");
    assert!(!files.iter().any(|file| file.ends_with(".partial")), "{files:?}");
    Ok(())
}
