//! Whose cgroup it is, with real runtimes: a user who names a cgroup after somebody's container
//! adds nothing to its profile.

use std::collections::BTreeSet;

use libtest_mimic::Trial;
use tests::{Cgroup, Outcome, Stop, Tracer, call_at, call_in, names};
use tracer::recording::{Losses, Phase};

use crate::cases::Cases;
use crate::command_line::{CommandLine, IMAGE};
use crate::engine::{Engine, Order, succeed};
use crate::world::{Kind, World};

/// `nobody`
const USER: u32 = 65534;
/// The call of the containers, and the one that must be in no profile of theirs.
const OWN: (&str, &str) = ("x86_64:sched_get_priority_min", "sched_get_priority_min");
const FOREIGN: (i32, &str) = (452, "fchmodat2");

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    vec![
        cases.trial("whose::docker".into(), docker),
        cases.trial("whose::docker_stopped".into(), a_container_that_does_not_run),
        cases.trial("whose::cri".into(), pod),
    ]
}

/// A container that is made and not started; removed whatever happens.
struct Created<'a> {
    docker: &'a CommandLine,
    name: String,
    id: String,
}

impl<'a> Created<'a> {
    fn new(docker: &'a CommandLine, parent: &Cgroup, label: &str) -> Result<Self, Stop> {
        let name = format!("tracer-tests-whose-{label}-{}", std::process::id());
        let mut create = docker.command(&["create"]);
        create
            .args([format!("--name={name}"), format!("--cgroup-parent={}", parent.name())])
            .args(["--network=none", "--security-opt=seccomp=unconfined"])
            .args([IMAGE, "/program", OWN.0]);
        let id = succeed(&mut create)?.trim().to_owned();
        Ok(Self { docker, name, id })
    }

    /// Its name as a target, and where the daemon is asked.
    fn options(&self) -> [String; 4] {
        let socket = self.docker.socket().expect("docker has a socket");
        let host = format!("--docker-host={socket}");
        [host, "--wait".into(), "--cgroup".into(), format!("docker:{}", self.name)]
    }
}

impl Drop for Created<'_> {
    fn drop(&mut self) {
        // It may be gone by itself.
        let _ = self.docker.command(&["rm", "--force", &self.name]).output();
    }
}

/// The container's own calls are in the profile, the user's are not, and nothing was lost.
fn is_its_own(outcome: &Outcome, made_up: &str) {
    let recording = outcome.recording();
    assert_eq!(recording.losses, Losses::default());
    let calls: BTreeSet<&str> =
        recording.cgroups.iter().flat_map(|cgroup| names(cgroup, Phase::Workload)).collect();
    assert!(calls.contains(OWN.1), "{calls:?}");
    let allowed = outcome.allowed();
    assert!(!allowed.iter().any(|name| name == FOREIGN.1), "{allowed:?}");
    assert!(recording.cgroups.iter().all(|cgroup| cgroup.path != made_up));
}

fn docker(world: &World) -> Result<(), Stop> {
    world.root()?;
    let docker = world.command_line(Kind::Docker).map_err(Stop::Skip)?;
    let (parent, tree) =
        (Cgroup::new("whose-docker"), Cgroup::delegated("whose-docker-user", USER));
    let victim = Created::new(docker, &parent, "victim")?;
    let tracing = Tracer::new().args(victim.options()).start();
    // Before the container has a cgroup, and after it.
    let made_up = tree.child_of_user(USER, &victim.id);
    call_at(&made_up, FOREIGN.0);
    succeed(docker.command(&["start", "--attach"]).arg(&victim.name))?;
    call_at(&made_up, FOREIGN.0);
    is_its_own(&tracing.stop().exits(0), &made_up);
    Ok(())
}

/// Docker makes no containers in the tree of a user: none is there because a user says so.
fn a_container_that_does_not_run(world: &World) -> Result<(), Stop> {
    world.root()?;
    let docker = world.command_line(Kind::Docker).map_err(Stop::Skip)?;
    let [parent, sure] = ["whose-stopped", "whose-stopped-sure"].map(Cgroup::new);
    let tree = Cgroup::delegated("whose-stopped-user", USER);
    let victim = Created::new(docker, &parent, "stopped")?;
    let tracing = Tracer::new().cgroup(&sure).args(victim.options()).start();
    let made_up = tree.child_of_user(USER, &victim.id);
    call_at(&made_up, FOREIGN.0);
    call_in(&sure, "getpid");
    let outcome = tracing.stop().exits(3).says(&[&made_up, "and none for certain"]);
    assert_eq!(outcome.recording().contested, [made_up]);
    let allowed = outcome.allowed();
    assert!(!allowed.iter().any(|name| name == FOREIGN.1), "{allowed:?}");
    Ok(())
}

fn pod(world: &World) -> Result<(), Stop> {
    world.root()?;
    let containerd = world.containerd().map_err(Stop::Skip)?;
    let (above, tree) = (Cgroup::new("whose-cri"), Cgroup::delegated("whose-cri-user", USER));
    let pod = containerd.pod(|uid| format!("{}/kubepods/pod{uid}", above.name()))?;
    let socket = containerd.socket().expect("it has one");
    let endpoint = format!("--cri-endpoint=unix://{socket}");
    let targets = [pod.path(), pod.uid().to_owned(), format!("{}/app", pod.path())];
    let tracings = targets
        .map(|target| Tracer::new().args([&endpoint, "--wait", "--cgroup", &target]).start());
    let made_up = tree.child_of_user(USER, &format!("pod{}", pod.uid()));
    call_at(&made_up, FOREIGN.0);
    let order = Order {
        words: &["/program", OWN.0],
        user: 0,
        no_new_privs: false,
        profile: None,
        parent: above.name(),
    };
    let container = pod.create("app", 0, &order)?;
    let own = tree.child_of_user(USER, &container);
    call_at(&own, FOREIGN.0);
    pod.run_to_its_end(&container)?;
    for tracing in tracings {
        is_its_own(&tracing.stop().exits(0), &made_up);
    }
    Ok(())
}
