//! Pods by what the API server reports: what made them, their labels, and whether a workload is
//! there.

use std::collections::{BTreeMap, BTreeSet};

use libtest_mimic::Trial;
use serde_json::json;
use tests::{Outcome, Stop, Tracer};
use tracer::recording::{MembershipSource, Recording};

use crate::access::{self, kubeconfig, shipped};
use crate::cases::Cases;
use crate::configuration::NODE_NAME;
use crate::daemonset::DaemonSet;
use crate::images::OTHER_TOOLS;
use crate::node::Node;
use crate::results::Results;
use crate::space::Space;
use crate::workload::{controller, pod, pod_spec, server, shell};

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    vec![
        cases.trial("api::in_the_daemonset", the_daemonset_asks),
        cases.trial("api::owners_decide_and_not_names", owners_decide_and_not_names),
        cases.trial("api::labels_by_the_api_server", labels_by_the_api_server),
        cases.trial("api::labels_by_the_runtime", labels_by_the_runtime),
        cases.trial("api::two_images_are_two_profiles", two_images_are_two_profiles),
        cases.trial("api::a_workload_that_is_not_there_or_idle", not_there_or_idle),
        cases.trial("api::deleted_while_recording", deleted_while_recording),
        cases.trial("api::a_wrong_token", a_wrong_token),
    ]
}

/// tracer in the node's network, from which the API server can be reached, without a runtime's
/// socket.
pub fn tracer(node: &Node) -> Tracer {
    let enter = node.command("unshare");
    let words = [enter.get_program()].into_iter().chain(enter.get_args());
    let alone = ["--mount", "sh", "-c", "mount -t tmpfs none /run && exec \"$0\" \"$@\""];
    Tracer::new().launcher(words).launcher(alone).program("/usr/local/bin/tracer".into())
}

fn asking(node: &Node, config: &str) -> Tracer {
    tracer(node).args(["--kubeconfig", config, "--node-name", NODE_NAME])
}

/// Who reported each pod, and what made it.
fn reported(recording: &Recording) -> BTreeMap<String, (Option<String>, MembershipSource)> {
    let containers = recording.cgroups.iter().filter_map(|cgroup| cgroup.container.as_ref());
    let reported = containers.filter_map(|one| {
        let workload = one.workload.as_ref()?;
        let owner = workload.kind.clone().zip(workload.name.clone());
        let owner = owner.map(|(kind, name)| format!("{kind}/{name}"));
        Some((one.pod.clone()?, (owner, workload.source)))
    });
    reported.collect()
}

/// The workload of the deployment `a`, and what only looks as if it were.
fn make_pods(space: &Space) -> Result<BTreeSet<String>, String> {
    let foreign = pod_spec(&[shell("server", "mkdir /tmp/foreign; exec httpd -f -h /etc")]);
    let mut looks_so = pod("a-7696745d96-4xqh6", &foreign);
    looks_so["metadata"]["labels"] = json!({ "tier": "x" });
    space.apply(&looks_so)?;
    space.apply(&controller("Deployment", "a-b", 1, &foreign))?;
    space.apply(&controller("Deployment", "a", 2, &pod_spec(&[server("server")])))?;
    space.wait_until_rolled("deployment/a")?;
    space.wait_until_rolled("deployment/a-b")?;
    space.wait_until_ready("a-7696745d96-4xqh6")?;
    let pods = space.get(&["pods", "-l", "app=a"])?;
    let pods = pods["items"].as_array().into_iter().flatten();
    Ok(pods.filter_map(|pod| Some(pod["metadata"]["name"].as_str()?.to_owned())).collect())
}

/// The two pods of `a` are recorded, and nothing else is.
fn is_a_alone(
    recording: &Recording,
    pods: &BTreeSet<String>,
    owner: Option<&str>,
    by: MembershipSource,
) {
    let reported = reported(recording);
    assert_eq!(reported.keys().cloned().collect::<BTreeSet<_>>(), *pods);
    for (pod, (made_by, source)) in reported {
        assert_eq!((made_by.as_deref(), source), (owner, by), "{pod}");
    }
}

fn owners_decide_and_not_names(node: &Node) -> Result<(), Stop> {
    let space = Space::new(node, "owners")?;
    let config = kubeconfig(&space, "reader", &shipped())?;
    let target = space.target("deployment/a");
    let arguments = ["--wait", "--per-container", "--cgroup", &target];
    let tracing = asking(node, &config).args(arguments).start();
    let pods = make_pods(&space)?;
    let outcome = tracing.stop().exits(0).says(&["complete: nothing was lost"]);
    let outcome = outcome.says(&[&format!("{target}: 2 pods, as the API server reports")]);
    let results = Results::read(outcome.directory());
    results.are_complete(&["profile", "profile.server"]);
    results.allow("profile", &["accept"], &["mkdir", "mkdirat"]);
    is_a_alone(&outcome.recording(), &pods, Some("Deployment/a"), MembershipSource::Api);
    Ok(())
}

fn labels_by_the_api_server(node: &Node) -> Result<(), Stop> {
    let space = Space::new(node, "labelled")?;
    let config = kubeconfig(&space, "reader", &shipped())?;
    let target = space.target("*");
    let arguments = ["--wait", "--cgroup", &target, "-l", "app=a,tier!=x"];
    let tracing = asking(node, &config).args(arguments).start();
    let pods = make_pods(&space)?;
    let outcome = tracing.stop().exits(0).says(&["complete: nothing was lost"]);
    let outcome =
        outcome.says(&[&format!("{target} -l app=a,tier!=x: 2 pods, as the API server reports")]);
    is_a_alone(&outcome.recording(), &pods, Some("Deployment/a"), MembershipSource::Api);
    Ok(())
}

fn labels_by_the_runtime(node: &Node) -> Result<(), Stop> {
    let space = Space::new(node, "runtime")?;
    let target = space.target("*");
    let tracing = node.tracer().args(["--wait", "--cgroup", &target, "-l", "app=a"]).start();
    let pods = make_pods(&space)?;
    let outcome = tracing.stop().exits(0).says(&["complete: nothing was lost"]);
    let message =
        format!("{target} -l app=a: 2 pods, by the labels that the container runtime reports");
    is_a_alone(&outcome.says(&[&message]).recording(), &pods, None, MembershipSource::Labels);
    Ok(())
}

fn two_images_are_two_profiles(node: &Node) -> Result<(), Stop> {
    let space = Space::new(node, "images")?;
    let target = space.target("deployment/web");
    let tracing = node.tracer().args(["--wait", "--per-container", "--cgroup", &target]).start();
    space.apply(&controller("Deployment", "web", 1, &pod_spec(&[server("web")])))?;
    space.wait_until_rolled("deployment/web")?;
    space.kubectl(&["set", "image", "deployment/web", &format!("web={OTHER_TOOLS}")])?;
    space.wait_until_rolled("deployment/web")?;
    let outcome = tracing.stop().exits(0);
    let label = space.target("web/web");
    let outcome = outcome
        .says(&[&format!("{label} of localhost/tools:1"), &format!("{label} of {OTHER_TOOLS}")]);
    let profiles = Results::read(outcome.directory()).profiles().len();
    assert_eq!(profiles, 3, "the whole, and one for each image");
    Ok(())
}

fn not_there_or_idle(node: &Node) -> Result<(), Stop> {
    let space = Space::new(node, "idle")?;
    let config = kubeconfig(&space, "reader", &shipped())?;
    for kind in ["Deployment", "StatefulSet"] {
        space.apply(&controller(kind, "web", 0, &pod_spec(&[server("web")])))?;
    }
    let run = |target: &str| asking(node, &config).args(["--cgroup", &space.target(target)]).run();
    for kind in ["deployment", "statefulset"] {
        let none = run(&format!("{kind}/wbe")).exits(1).writes_nothing();
        none.says(&[
            &format!("there is no {kind} `wbe`"),
            &space.target(&format!("{kind}/web")),
            "hint: ",
        ]);
        let idle = run(&format!("{kind}/web")).exits(1).writes_nothing();
        idle.says(&[&format!("the {kind} `web`"), "wants no pods", "--wait"]);
    }
    run("cronjob/web").exits(1).says(&["there is no cronjob `web`"]);
    // It is awaited, and the message says so.
    let target = space.target("deployment/web");
    let tracing = asking(node, &config).args(["--wait", "--cgroup", &target]).start();
    tracing.wait_for_message("wants no pods");
    space.kubectl(&["scale", "deployment/web", "--replicas=1"])?;
    space.wait_until_rolled("deployment/web")?;
    tracing.stop().exits(0).says(&["1 pod, as the API server reports"]);
    Ok(())
}

fn deleted_while_recording(node: &Node) -> Result<(), Stop> {
    let space = Space::new(node, "deleted")?;
    let config = kubeconfig(&space, "reader", &shipped())?;
    let target = space.target("deployment/web");
    let tracing = asking(node, &config).args(["--wait", "--cgroup", &target]).start();
    space.apply(&controller("Deployment", "web", 1, &pod_spec(&[server("web")])))?;
    space.wait_until_rolled("deployment/web")?;
    space.kubectl(&["scale", "deployment/web", "--replicas=0"])?;
    tracing.wait_for_message("was scaled to 0 or suspended");
    space.kubectl(&["scale", "deployment/web", "--replicas=1"])?;
    space.wait_until_rolled("deployment/web")?;
    space.apply(&controller("Deployment", "webs", 0, &pod_spec(&[server("web")])))?;
    space.delete("deployment/web")?;
    tracing.wait_for_message(
        "was deleted while it was recorded, or has another name now; there is webs",
    );
    let outcome: Outcome = tracing.stop().exits(0);
    outcome.says(&["2 pods, as the API server reports"]);
    Ok(())
}

fn a_wrong_token(node: &Node) -> Result<(), Stop> {
    let space = Space::new(node, "token")?;
    let config = access::write(node, &space.name, "wrong", "no-such-token", None)?;
    let target = space.target("deployment/web");
    let outcome = asking(node, &config).args(["--wait", "--cgroup", &target]).run().exits(1);
    let outcome = outcome.says(&[
        "does not accept tracer's credentials (401",
        "kubectl auth can-i list deployments.apps",
    ]);
    assert!(!outcome.stderr.contains("no-such-token"), "{}", outcome.stderr);
    Ok(())
}

fn the_daemonset_asks(node: &Node) -> Result<(), Stop> {
    let space = Space::new(node, "asked")?;
    let target = space.target("deployment/a");
    let tracing = DaemonSet::start(node, &target, &["--per-container"])?;
    let pods = make_pods(&space)?;
    let message = format!("{target}: 2 pods, as the API server reports");
    let recorded = tracing.delete()?.exits(0).says(&["complete", &message]);
    recorded.results.are_complete(&["profile", "profile.server"]);
    is_a_alone(
        &recorded.results.recording("profile"),
        &pods,
        Some("Deployment/a"),
        MembershipSource::Api,
    );
    Ok(())
}
