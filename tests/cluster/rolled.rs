//! docs/kubernetes.md's recipe on a `Deployment` of three replicas that runs already and is rolled
//! while it is recorded: complete, one profile for each container, under no filter, under
//! `profiles/learn.json`, and under the runtime's default.

use std::fs;

use libtest_mimic::Trial;
use tests::Stop;

use crate::cases::Cases;
use crate::daemonset::DaemonSet;
use crate::node::Node;
use crate::space::Space;
use crate::workload::{Profile, controller, pod_spec, server, shell, under};

/// A profile that allows everything: what runs under it is recorded exactly.
const LEARN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../profiles/learn.json");
const SEEN_BY_KUBELET: &str = "/var/lib/kubelet/seccomp";

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    let learn = Profile::Localhost("profiles/learn.json");
    vec![
        cases.trial("rolled::unconfined", |node| is_recorded(node, "unconfined", Profile::None)),
        cases.trial("rolled::under_learn_json", move |node| is_recorded(node, "learn", learn)),
        cases.trial("rolled::under_runtime_default", |node| {
            is_recorded(node, "default", Profile::RuntimeDefault)
        }),
    ]
}

fn is_recorded(node: &Node, label: &str, profile: Profile<'static>) -> Result<(), Stop> {
    let directory = node.path(SEEN_BY_KUBELET).join("profiles");
    fs::copy(LEARN, directory.join("learn.json")).expect("the profile is copied");
    let space = Space::new(node, label)?;
    let beside =
        shell("beside", "trap 'exit 0' TERM; while :; do mkdir -p /tmp/seen; sleep 1 & wait; done");
    let spec = under(pod_spec(&[server("web"), beside]), profile);
    space.apply(&controller("Deployment", "web", 3, &spec))?;
    space.wait_until_rolled("deployment/web")?;
    let target = space.target("deployment/web");
    let tracing = DaemonSet::start(node, &target, &["--per-container"])?;
    space.kubectl(&["rollout", "restart", "deployment/web"])?;
    space.wait_until_rolled("deployment/web")?;
    let recorded = tracing.delete()?.exits(0).says(&["complete"]);
    let results = recorded.results;
    results.are_complete(&["profile", "profile.beside", "profile.web"]);
    // What the runtime does before the filter is loaded is in none.
    results.allow("profile.web", &["accept"], &["rt_sigsuspend", "mount", "pivot_root"]);
    results.allow("profile.beside", &["rt_sigsuspend"], &["accept", "mount", "pivot_root"]);
    Ok(())
}
