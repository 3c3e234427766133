//! The same with crun, which a pod asks for by its runtime class: recorded, patched as tracer wrote
//! it, and enforced.

use libtest_mimic::Trial;
use serde_json::json;
use tests::{Outcome, Stop};

use crate::cases::Cases;
use crate::node::Node;
use crate::space::Space;
use crate::workload::{controller, pod_spec, server, shell};

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    vec![cases.trial("crun::a_deployment_is_recorded_and_patched", is_recorded_and_patched)]
}

/// The handler of containerd's configuration, and the class of the same name.
const CLASS: &str = "crun";
/// Below the kubelet's directory for profiles.
const FILE: &str = "profiles/crun-web.json";
const INSTALLED: &str = "/var/lib/kubelet/seccomp/profiles/crun-web.json";

fn is_recorded_and_patched(node: &Node) -> Result<(), Stop> {
    let space = Space::new(node, CLASS)?;
    space.apply(&json!({
        "apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass",
        "metadata": { "name": CLASS }, "handler": CLASS,
    }))?;
    let beside = shell("beside", "trap 'exit 0' TERM; while :; do date; sleep 1 & wait; done");
    let mut spec = pod_spec(&[server("web"), beside]);
    spec["initContainers"] = json!([shell("before", "mkdir /tmp/made")]);
    spec["runtimeClassName"] = json!(CLASS);
    let target = space.target("deployment/web");
    let arguments = ["--wait", "--cgroup", &target, "--install-localhost", FILE];
    let recorded = node.tracer_without_socket().args(arguments).start();
    space.apply(&controller("Deployment", "web", 1, &spec))?;
    space.wait_until_rolled("deployment/web")?;
    exec(&space, "mkdir")?;
    let recorded = recorded.stop().exits(0).says(&["complete: nothing was lost"]);
    is_made_by_crun(&recorded);

    let patch = recorded.directory().join("profile.kubernetes.yaml").display().to_string();
    space.kubectl(&["patch", "deployment", "web", "--patch-file", &patch])?;
    space.wait_until_rolled("deployment/web")?;
    // Nothing is enforced in the old one.
    space.wait("the old pod is gone", |space| {
        let pods = space.get(&["pods"]).unwrap_or_default();
        pods["items"].as_array().is_some_and(|pods| pods.len() == 1)
    })?;
    let verify = ["verify", INSTALLED, "--wait", "--cgroup", &target];
    let watched = node.tracer_without_socket().without_out().args(verify).spawn();
    watched.wait_for_message("verifying");
    space.kubectl(&["rollout", "restart", "deployment/web"])?;
    space.wait_until_rolled("deployment/web")?;
    assert!(exec(&space, "mkdir")?.contains("mkdir 0"), "what was recorded works");
    watched.stop().exits(0).says(&["nothing was denied"]);
    assert!(exec(&space, "symlink")?.contains("symlink 38"), "what was not is refused");
    Ok(())
}

fn exec(space: &Space, call: &str) -> Result<String, String> {
    // The first container is the one of the server.
    space.exec("deployment/web", &["/worker", "probe", call])
}

/// crun's own calls are among those of the set-up.
fn is_made_by_crun(outcome: &Outcome) {
    let recording = outcome.recording();
    let mut calls = recording.cgroups.iter().flat_map(|cgroup| &cgroup.calls);
    let is_crun = calls.any(|call| call.command.as_deref() == Some("crun"));
    assert!(is_crun, "no call is crun's: {}", outcome.read("recording.json"));
}
