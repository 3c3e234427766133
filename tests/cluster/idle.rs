//! Everything on a node where pods idle: what was seen whole is complete, and what does nothing is
//! nobody else's loss.

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
    let directory = tracer.directory().join("all/");
    let tracing = tracer.args(["--all-containers"]).out(&directory).start();
    space.apply(&pod("web-0", &pod_spec(&[server("web"), shell("side", "exec sleep 100000")])))?;
    space.wait_until_ready("web-0")?;
    space.delete("pod/web-0")?;
    // This machine may run containers of others: they have profiles as well, and may be late.
    let outcome = tracing.stop().says(&[&space.target("idle/idle")]);
    let results = Results::read(&outcome.directory().join("all"));
    let own = |name: &&str| name.starts_with(&space.name);
    let profiles: Vec<&str> = results.profiles().into_iter().filter(own).collect();
    let expected = ["side", "web"].map(|name| format!("{}_web-0_{name}", space.name));
    assert_eq!(profiles, expected, "tracer said:\n{}", outcome.stderr);
    for profile in profiles {
        let recording = results.recording(profile);
        assert!(recording.complete, "{profile}: {:?}", recording.incomplete_reasons);
    }
    results.allow(&expected[1], &["accept"], &["pivot_root", "pause"]);
    Ok(())
}
