//! What the manifest gives, each thing taken away: tracer says what is missing.

use libtest_mimic::Trial;
use tests::deployment::DAEMONSET;
use tests::{Stop, holds_when_asked_each};

use crate::access::{Right, kubeconfig, shipped};
use crate::api::tracer;
use crate::cases::Cases;
use crate::node::{BOUND, Node, PAUSE};
use crate::space::Space;

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    let mut trials: Vec<Trial> = shipped()
        .into_iter()
        .map(|right| {
            let name = format!("rights::without_{}_of_{}", right.verb, right.resource);
            cases.trial(&name, move |node| is_needed(node, &right))
        })
        .collect();
    trials.push(cases.trial("rights::daemonset_without_bpf", |node| {
        daemonset_lacks(node, ("add: [BPF, PERFMON]", "add: [PERFMON]"), "CAP_BPF")
    }));
    trials.push(cases.trial("rights::daemonset_without_perfmon", |node| {
        daemonset_lacks(node, ("add: [BPF, PERFMON]", "add: [BPF]"), "CAP_PERFMON")
    }));
    trials.push(cases.trial("rights::daemonset_without_watch", |node| {
        let message = "does not allow tracer to watch pods";
        daemonset_lacks(node, ("verbs: [list, watch]", "verbs: [list]"), message)
    }));
    trials.push(cases.trial("rights::daemonset_without_a_token", |node| {
        let token = "automountServiceAccountToken: ";
        let (with, without) = (format!("      {token}true"), format!("      {token}false"));
        daemonset_lacks(
            node,
            (with.as_str(), without.as_str()),
            "the address of the API server is unknown",
        )
    }));
    trials
}

/// A target for which this right is needed.
fn target(right: &Right) -> String {
    match right.resource.as_str() {
        "pods" => "*".to_owned(),
        "replicasets" => "deployment/web".to_owned(),
        "jobs" => "cronjob/web".to_owned(),
        workloads => format!("{}/web", workloads.trim_end_matches('s')),
    }
}

fn is_needed(node: &Node, missing: &Right) -> Result<(), Stop> {
    let space = Space::new(node, "rights")?;
    let rights: Vec<Right> = shipped().into_iter().filter(|right| right != missing).collect();
    let (all, fewer) =
        (kubeconfig(&space, "all", &shipped())?, kubeconfig(&space, "fewer", &rights)?);
    let Right { verb, group, resource } = missing;
    let resource = if group.is_empty() { resource.clone() } else { format!("{resource}.{group}") };
    let target = space.target(&target(missing));
    let asking =
        |config: &str| tracer(node).args(["--wait", "--kubeconfig", config, "--cgroup", &target]);
    let outcome = asking(&fewer).run().exits(1).writes_nothing();
    let message = format!(
        "the API server does not allow tracer to {verb} {resource} in the namespace {}",
        space.name
    );
    let check = format!("`kubectl auth can-i {verb} {resource} -n {}` checks it", space.name);
    outcome.says(&[&message, &check]);
    // With it, nothing is in the way.
    asking(&all).start().stop().exits(1).says(&["never appeared"]);
    Ok(())
}

/// The manifest with one thing changed is applied, and tracer says so.
fn daemonset_lacks(node: &Node, (with, without): (&str, &str), message: &str) -> Result<(), Stop> {
    let _turn = node.daemonset.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    assert_eq!(DAEMONSET.matches(with).count(), 1, "{with:?} is in the manifest once");
    let manifest =
        DAEMONSET.replace(with, without).replace("NAMESPACE/POD", "default/deployment/web");
    let applied = Applied { node, manifest: &manifest };
    node.kubectl_reading(&["apply", "--filename=-"], &manifest)?;
    let logs = ["--namespace", "tracer", "logs", "daemonset/tracer"];
    let mut said = String::new();
    let says = holds_when_asked_each(PAUSE, BOUND, || {
        said = node.kubectl(&logs).unwrap_or_else(|story| story);
        said.contains(message)
    });
    drop(applied);
    if says {
        return Ok(());
    }
    Err(Stop::Fail(format!("no {message:?} in what tracer said: {said}")))
}

/// Deletes it.
struct Applied<'a> {
    node: &'a Node,
    manifest: &'a str,
}

impl Drop for Applied<'_> {
    fn drop(&mut self) {
        if let Err(story) = self.node.kubectl_reading(&["delete", "--filename=-"], self.manifest) {
            eprintln!("{story}");
        }
    }
}
