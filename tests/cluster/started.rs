//! The node itself: a pod is made, found and recorded.

use libtest_mimic::Trial;
use tests::Stop;

use crate::cases::Cases;
use crate::node::Node;
use crate::space::Space;
use crate::workload::{pod, pod_spec, server};

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    vec![cases.trial("started::a_pod_is_recorded_on_the_node", a_pod_is_recorded_on_the_node)]
}

fn a_pod_is_recorded_on_the_node(node: &Node) -> Result<(), Stop> {
    let space = Space::new(node, "started")?;
    let tracing = node.tracer().args(["--wait", "--cgroup", &space.target("web-0")]).start();
    space.apply(&pod("web-0", &pod_spec(&[server("web")])))?;
    space.wait_until_ready("web-0")?;
    space.delete("pod/web-0")?;
    let outcome = tracing.stop().exits(0).says(&["complete"]);
    let allowed = outcome.allowed();
    assert!(allowed.iter().any(|name| name == "accept4" || name == "accept"), "{allowed:?}");
    Ok(())
}
