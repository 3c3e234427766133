//! The whole way of a profile: recorded of a pod, put where the kubelet finds it, and enforced on
//! the next start of the pod.

use std::time::Duration;

use libtest_mimic::Trial;
use serde_json::json;
use tests::{Outcome, Stop, holds_when_asked_each};

use crate::cases::Cases;
use crate::node::{Node, PAUSE};
use crate::space::Space;
use crate::workload::{Profile, pod, pod_spec, server, shell, under};

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    vec![cases.trial("learned::a_pod_runs_under_what_was_recorded_of_it", |node| {
        a_pod_runs_under_what_was_recorded_of_it(node)
    })]
}

/// Below the kubelet's directory for profiles.
const FILE: &str = "profiles/learned-web.json";
const INSTALLED: &str = "/var/lib/kubelet/seccomp/profiles/learned-web.json";
/// What the administrator executes in a container: calls that the recording sees, and one that it
/// does not.
const SEEN: [&str; 3] = ["/worker", "probe", "mkdir"];
const UNSEEN: [&str; 3] = ["/worker", "probe", "symlink"];
/// Long enough for some probes.
const PROBED: Duration = Duration::from_secs(3);

fn a_pod_runs_under_what_was_recorded_of_it(node: &Node) -> Result<(), Stop> {
    let space = Space::new(node, "learned")?;
    let target = space.target("web-0");
    let recorded = node.tracer().args(["--wait", "--cgroup", &target, "--install-localhost", FILE]);
    let recorded = recorded.start();
    run(&space, Profile::None)?;
    space.delete("pod/web-0")?;
    let recorded = recorded.stop().exits(0).says(&["complete"]);
    let fragment = recorded.read("kubernetes.yaml");
    assert!(fragment.contains(&format!("localhostProfile: {FILE:?}")), "{fragment}");

    let verify = ["verify", INSTALLED, "--cgroup", &target];
    let watched = node.tracer().without_out().args(verify).args(["--wait"]).spawn();
    watched.wait_for_message("verifying");
    run(&space, Profile::Localhost(FILE))?;
    watched.stop().exits(0);

    let watched = node.tracer().without_out().args(verify).spawn();
    watched.wait_for_message("verifying");
    let said = exec(&space, &UNSEEN)?;
    assert!(said.contains("symlink 38"), "the profile answers ENOSYS: {said}");
    let denied: Outcome = watched.stop().exits(4);
    let printed = format!("{}{}", denied.stdout, denied.stderr);
    assert!(printed.contains("symlink") && !printed.contains("mkdir"), "{printed}");
    Ok(())
}

/// The pod, until it is ready and a program was executed in it.
fn run(space: &Space, profile: Profile) -> Result<(), String> {
    let beside = "trap 'exit 0' TERM; while :; do date; sleep 1 & wait; done";
    let mut spec = pod_spec(&[server("web"), shell("beside", beside)]);
    spec["initContainers"] =
        json!([shell("before", "mkdir /tmp/made; ln /worker /tmp/made/worker")]);
    space.apply(&pod("web-0", &under(spec, profile)))?;
    space.wait_until_ready("web-0")?;
    let said = exec(space, &SEEN)?;
    assert!(said.contains("mkdir 0"), "the call is made: {said}");
    // The probe goes on: the pod stays ready.
    let ready = || space.is_ready("web-0");
    assert!(
        !holds_when_asked_each(PAUSE, PROBED, || !ready()),
        "the pod is ready no longer under {profile:?}"
    );
    assert_eq!(space.restarts("web-0"), 0, "a container ended under {profile:?}");
    Ok(())
}

fn exec(space: &Space, words: &[&str]) -> Result<String, String> {
    space.kubectl(&[&["exec", "web-0", "--container=web", "--"], words].concat())
}
