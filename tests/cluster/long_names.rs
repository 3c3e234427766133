//! The longest names that Kubernetes takes: of a namespace and a container 63 characters, of a pod
//! 253.

use libtest_mimic::Trial;
use tests::{Outcome, Stop, Tracer};

use crate::cases::Cases;
use crate::node::Node;
use crate::results::Results;
use crate::space::Space;
use crate::workload::{pod, pod_spec, shell};

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    vec![
        cases.trial("long_names::with_a_socket", |node| {
            let (outcome, container) = record(node, "s", node.tracer())?;
            let profile = format!("profile.{container}");
            let results = Results::read(outcome.directory());
            results.are_complete(&["profile", &profile]);
            results.allow(&profile, &["mkdir"], &["pause", "pivot_root"]);
            Ok(())
        }),
        // The kubelet cuts the names of its links to 255 characters: what is cut off is the
        // container's name and id.
        cases.trial("long_names::without_a_socket", |node| {
            let (outcome, container) = record(node, "n", node.tracer_without_socket())?;
            let results = Results::read(outcome.directory());
            let profiles = results.profiles();
            results.are_complete(&profiles);
            assert!(!profiles.iter().any(|profile| profile.contains(&container)), "{profiles:?}");
            results.allow("profile", &["mkdir"], &["pivot_root"]);
            Ok(())
        }),
    ]
}

/// The longest of a namespace and a container: a label of DNS.
const LABEL: usize = 63;
/// The longest of a pod in a namespace of that length that a kubelet starts: it makes a directory
/// `NAMESPACE_POD_UID` for the logs, which may have 255 characters.
const POD: usize = 255 - LABEL - 36 - 2;

/// What was recorded of a pod with such names, and the name of its container.
fn record(node: &Node, letter: &str, tracer: Tracer) -> Result<(Outcome, String), Stop> {
    let space = Space::named(node, &letter.repeat(LABEL))?;
    let (name, container) = (letter.repeat(POD), letter.repeat(LABEL));
    let target = space.target(&name);
    let tracing = tracer.args(["--wait", "--per-container", "--cgroup", &target]).start();
    let spec = pod_spec(&[shell(&container, "mkdir /tmp/made; echo made; exec sleep 100000")]);
    space.apply(&pod(&name, &spec))?;
    space.wait_until_it_says(&name, "made")?;
    let listed = node.tracer().without_out().args(["list"]).run().exits(0);
    assert!(listed.stdout.contains(&target), "{}", listed.stdout);
    Ok((tracing.stop().exits(0).says(&["complete: nothing was lost"]), container))
}
