//! Targets by the names that runtimes give them.

use std::fs;

use libtest_mimic::Trial;
use tests::{Cgroup, Tracer, Tracing};

use crate::case::{Cases, Stop};
use crate::engine::Order;
use crate::matrix::SOMEBODY;
use crate::workloads::Workload;
use crate::world::{Kind, World};

/// A call that the workload does not make.
const EXECUTED: &str = "mkdir";

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    vec![cases.trial("names::docker".into(), docker_containers_are_found_by_name)]
}

/// By its name, by the beginning of its id, and by its cgroup: the same container, and not the other one.
fn docker_containers_are_found_by_name(world: &World) -> Result<(), Stop> {
    let docker = world.engine(Kind::Docker).map_err(Stop::Skip)?;
    let (words, user) = Workload::named("busybox").order(world.root()?).map_err(Stop::Skip)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let [parent, elsewhere] = ["named", "not-named"].map(Cgroup::new);
    let order =
        Order { words: &words, user, no_new_privs: false, profile: None, parent: parent.name() };
    let container = docker.start(&order)?;
    let other = docker.start(&Order { parent: elsewhere.name(), ..order })?;
    let name = container.name().expect("docker names its containers");
    let socket = docker.socket().expect("docker has a socket");
    let id = only_child(&parent);
    let trace = |target: &str| -> Tracing {
        let host = format!("--docker-host={socket}");
        Tracer::new().args([&host, "--accept-late-start", "--cgroup", target]).start()
    };
    let path = format!("{}/{id}", parent.name());
    let targets = [name.to_owned(), format!("docker:{name}"), id[..12].to_owned(), path.clone()];
    let tracings = targets.each_ref().map(|target| trace(target));
    container.exec(Some(SOMEBODY), &["/worker", "probe", EXECUTED])?;
    other.exec(Some(SOMEBODY), &["/worker", "probe", "symlink"])?;
    for (tracing, target) in tracings.into_iter().zip(&targets) {
        let outcome = tracing.stop().exits(0);
        let allowed = outcome.allowed();
        let has = |call: &str| allowed.iter().any(|name| name == call);
        if !has(EXECUTED) || has("symlink") {
            return Err(Stop::Fail(format!("{target}: {allowed:?}")));
        }
        let recording = outcome.recording();
        assert_eq!(recording.targets[0].name, *target);
        assert!(recording.cgroups.iter().all(|cgroup| cgroup.path.starts_with(&path)), "{target}");
    }
    let misspelt = format!("docker:{name}x");
    let host = format!("--docker-host={socket}");
    let failed = Tracer::new().args([&host, "--cgroup", &misspelt]).run().exits(1);
    failed.says(&["no container is named", name]).writes_nothing();
    Ok(())
}

/// The name of the one cgroup below another.
fn only_child(parent: &Cgroup) -> String {
    let entries = fs::read_dir(parent.folder()).expect("the cgroup is there");
    let folders = entries.filter_map(|entry| {
        let entry = entry.expect("an entry");
        entry.path().is_dir().then(|| entry.file_name().into_string().expect("text"))
    });
    let names: Vec<String> = folders.collect();
    assert_eq!(names.len(), 1, "{names:?}");
    names.into_iter().next().expect("one")
}
