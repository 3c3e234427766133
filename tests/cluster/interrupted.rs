//! The node's runtime hangs, is killed and started again while pods are recorded: what is made
//! afterwards is named and whole, and so is what was there.

use libtest_mimic::Trial;
use tests::{Outcome, Stop};

use crate::cases::Cases;
use crate::images::TOOLS;
use crate::node::Node;
use crate::results::Results;
use crate::space::Space;
use crate::workload::{pod, pod_spec, shell};

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    vec![cases.alone("interrupted::containerd_hangs_and_is_restarted", containerd_is_restarted)]
}

fn containerd_is_restarted(node: &Node) -> Result<(), Stop> {
    let space = Space::new(node, "interrupted")?;
    let arguments = ["--wait", "--per-container", "--cgroup", &space.target("*")];
    let tracing = node.tracer().args(arguments).start();
    start(&space, "before", "mkdir /tmp/made")?;
    node.suspend_containerd();
    let listed = node.tracer().without_out().args(["list"]).run().exits(0);
    assert!(listed.stderr.contains("CRI"), "the message says that the runtime hangs: {listed:?}");
    node.restart_containerd()?;
    // What ran goes on: it makes a call that it has not made before.
    let again = ["exec", "before", "--", "kill", "-USR1", "1"];
    space.wait("containerd executes programs", |space| space.kubectl(&again).is_ok())?;
    start(&space, "after", "sync")?;
    let outcome = tracing.stop().exits(0).says(&["complete: nothing was lost"]);
    let results = Results::read(outcome.directory());
    results.are_complete(&["profile", "profile.after", "profile.before"]);
    results.allow("profile.before", &["mkdir", "rmdir"], &["sync", "pause", "pivot_root"]);
    results.allow("profile.after", &["sync"], &["mkdir", "pause", "pivot_root"]);
    are_of_their_image(&outcome);
    Ok(())
}

fn start(space: &Space, name: &str, line: &str) -> Result<(), String> {
    let line = format!("trap 'rmdir /tmp/made' USR1; {line}; echo made; while :; do sleep 1; done");
    space.apply(&pod(name, &pod_spec(&[shell(name, &line)])))?;
    space.wait_until_it_says(name, "made")
}

/// Only the runtime knows images: it was asked before, and afterwards.
fn are_of_their_image(outcome: &Outcome) {
    for container in ["before", "after"] {
        let recording = outcome.recording();
        let identities = recording.cgroups.iter().filter_map(|cgroup| cgroup.container.as_ref());
        let mut own = identities.filter(|one| one.name.as_deref() == Some(container));
        let image = own.next().and_then(|one| one.image.clone());
        assert_eq!(image.as_deref(), Some(TOOLS), "{container}");
    }
}
