//! Everything on a node where pods idle: what was seen whole is complete, and what does nothing is nobody else's loss.

use libtest_mimic::Trial;
use tests::{Stop, Tracer};

use crate::cases::Cases;
use crate::node::Node;
use crate::results::Results;
use crate::space::Space;
use crate::workload::{pod, pod_spec, server, shell};

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    vec![
        cases.alone("idle::with_a_socket", |node| is_nobody_s_loss(node, node.tracer())),
        cases.alone("idle::without_a_socket", |node| {
            is_nobody_s_loss(node, node.tracer_without_socket())
        }),
    ]
}

fn is_nobody_s_loss(node: &Node, tracer: Tracer) -> Result<(), Stop> {
    let space = Space::new(node, "idle")?;
    let idle = pod_spec(&[shell("idle", "exec sleep 100000")]);
    space.apply(&pod("idle", &idle))?;
    space.wait_until_ready("idle")?;
    let folder = tracer.folder().join("all/");
    let tracing = tracer.args(["--all-containers"]).out(&folder).start();
    space.apply(&pod("web-0", &pod_spec(&[server("web"), shell("side", "exec sleep 100000")])))?;
    space.wait_until_ready("web-0")?;
    space.delete("pod/web-0")?;
    // This machine may run containers of others, which are late.
    let outcome = tracing.stop();
    let results = Results::read(&outcome.folder().join("all"));
    eprintln!("{:?}\n{}", results.profiles(), outcome.stderr);
    Ok(())
}
