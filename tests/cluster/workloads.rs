//! Workloads by their names, where Kubernetes makes up those of the pods.

use libtest_mimic::Trial;
use tests::{Stop, Tracer};

use crate::cases::Cases;
use crate::node::Node;
use crate::results::Results;
use crate::space::Space;
use crate::workload::{controller, pod_spec, server};

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    let trial = |name: &str, target: &'static str, with_socket: bool| {
        cases.trial(&format!("workloads::{name}"), move |node| {
            let tracer = if with_socket { node.tracer() } else { node.tracer_without_socket() };
            is_recorded(node, tracer, target)
        })
    };
    vec![
        trial("a_deployment_with_a_socket", "deployment/web", true),
        trial("a_deployment_without_a_socket", "deployment/web", false),
        trial("pods_whose_names_begin_so", "web-*", false),
        cases.trial("workloads::a_name_that_nothing_has_is_reported", nothing_has_it),
    ]
}

/// Two replicas, made while tracer waits, beside a workload whose name begins alike.
fn is_recorded(node: &Node, tracer: Tracer, target: &str) -> Result<(), Stop> {
    let space = Space::new(node, "named")?;
    let target = space.target(target);
    let tracing = tracer.args(["--wait", "--per-container", "--cgroup", &target]).start();
    let spec = pod_spec(&[server("server")]);
    space.apply(&controller("Deployment", "web", 2, &spec))?;
    space.apply(&controller("Deployment", "website", 1, &pod_spec(&[server("foreign")])))?;
    space.wait_until_rolled("deployment/web")?;
    space.wait_until_rolled("deployment/website")?;
    let outcome = tracing.stop().exits(0).says(&["complete: nothing was lost"]);
    let outcome = outcome.says(&["seen from their start in 2 of 2 pods"]);
    let results = Results::read(outcome.directory());
    results.are_complete(&["profile", "profile.server"]);
    results.allow("profile.server", &["accept"], &["pivot_root"]);
    Ok(())
}

fn nothing_has_it(node: &Node) -> Result<(), Stop> {
    let space = Space::new(node, "unnamed")?;
    let (slip, bare) = (space.target("deployment/wbe"), space.target("web"));
    let tracing = [&slip, &bare].map(|target| {
        let tracer = node.tracer_without_socket();
        (target, tracer.args(["--wait", "--cgroup", target]).start())
    });
    space.apply(&controller("Deployment", "web", 1, &pod_spec(&[server("server")])))?;
    space.wait_until_rolled("deployment/web")?;
    let meant = space.target("deployment/web");
    for (target, tracing) in tracing {
        let outcome = tracing.stop().exits(1).writes_nothing();
        let hint = format!("hint: not {target}, but there was {meant}");
        outcome.says(&[&format!("{target} never appeared: no call of a workload"), &hint]);
    }
    // The message that names what was meant comes before anything is recorded, too.
    for target in [&slip, &bare] {
        let outcome = node.tracer().args(["--cgroup", target]).run().exits(1).writes_nothing();
        outcome.says(&[&format!("; there is {meant}")]);
    }
    Ok(())
}
