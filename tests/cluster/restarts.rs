//! A workload that ran before is completed by a restart, as the hint says: of a `StatefulSet`, of a
//! `Deployment`, and of a container in its pod; whether a runtime can be asked or not.

use libtest_mimic::Trial;
use tests::{Stop, Tracer};

use crate::cases::Cases;
use crate::node::Node;
use crate::results::Results;
use crate::space::Space;
use crate::workload::{controller, pod, pod_spec, server, shell};

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    vec![
        cases.trial("restarts::a_stateful_set_with_a_socket", |node| {
            a_stateful_set(node, node.tracer())
        }),
        cases.trial("restarts::a_stateful_set_without_a_socket", |node| {
            a_stateful_set(node, node.tracer_without_socket())
        }),
        cases.trial("restarts::in_place_with_a_socket", |node| in_place(node, node.tracer())),
        cases.trial("restarts::in_place_without_a_socket", |node| {
            in_place(node, node.tracer_without_socket())
        }),
        cases.trial("restarts::without_one_a_late_start_stays_incomplete", without_one),
    ]
}

/// Its pods keep their names, and are other pods after each restart.
fn a_stateful_set(node: &Node, tracer: Tracer) -> Result<(), Stop> {
    let space = Space::new(node, "stateful")?;
    space.apply(&controller("StatefulSet", "web", 2, &pod_spec(&[server("web")])))?;
    space.wait_until_rolled("statefulset/web")?;
    let target = space.target("web-0");
    let tracing = tracer.args(["--wait", "--per-container", "--cgroup", &target]).start();
    for _ in 0..2 {
        space.kubectl(&["rollout", "restart", "statefulset/web"])?;
        space.wait_until_rolled("statefulset/web")?;
    }
    let outcome = tracing.stop().exits(0).says(&["complete: nothing was lost"]);
    let outcome = outcome.says(&["web-0/web: 2 starts recorded whole"]);
    let results = Results::read(outcome.directory());
    results.are_complete(&["profile", "profile.web"]);
    results.allow("profile.web", &["accept"], &["pivot_root"]);
    Ok(())
}

/// The container is another one, in the same pod.
fn in_place(node: &Node, tracer: Tracer) -> Result<(), Stop> {
    let space = Space::new(node, "in-place")?;
    let side =
        shell("side", "trap 'exit 0' TERM; while :; do mkdir -p /tmp/seen; sleep 1 & wait; done");
    space.apply(&pod("web-0", &pod_spec(&[server("web"), side])))?;
    space.wait_until_ready("web-0")?;
    let target = space.target("web-0/side");
    let tracing = tracer.args(["--wait", "--cgroup", &target]).start();
    // The program that is executed may be killed with the container, and its status say so.
    let _ = space.kubectl(&["exec", "web-0", "--container=side", "--", "kill", "-TERM", "1"]);
    space.wait("the container was restarted", |space| space.restarts("web-0") == 1)?;
    // It counts as restarted, and as ready, before its program is executed: on a busy machine long
    // before.
    let made = ["exec", "web-0", "--container=side", "--", "test", "-d", "/tmp/seen"];
    space.wait("its program runs", |space| space.kubectl(&made).is_ok())?;
    let outcome = tracing.stop().exits(0).says(&["complete: nothing was lost"]);
    let outcome = outcome.says(&["web-0/side: 1 start recorded whole"]);
    let recording = outcome.recording();
    assert!(recording.complete, "{:?}", recording.incomplete_reasons);
    Ok(())
}

/// The other side: what runs already and is not restarted is not complete.
fn without_one(node: &Node) -> Result<(), Stop> {
    let space = Space::new(node, "late")?;
    space.apply(&pod("web-0", &pod_spec(&[server("web")])))?;
    space.wait_until_ready("web-0")?;
    let tracing = node.tracer().args(["--cgroup", &space.target("web-0")]).start();
    space.kubectl(&["exec", "web-0", "--", "id"])?;
    tracing.stop().exits(3).says(&["late start", "restart the workload while tracing"]);
    Ok(())
}
