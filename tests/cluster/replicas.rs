//! Many replicas, rolled while they are recorded: one profile for each container, of all of them
//! together.

use libtest_mimic::Trial;
use serde_json::json;
use tests::Stop;

use crate::cases::Cases;
use crate::node::Node;
use crate::results::Results;
use crate::space::Space;
use crate::workload::{controller, pod_spec, shell};

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    vec![cases.trial("replicas::twenty_five_are_rolled", twenty_five_are_rolled)]
}

const REPLICAS: u32 = 25;

fn twenty_five_are_rolled(node: &Node) -> Result<(), Stop> {
    let space = Space::new(node, "replicas")?;
    let target = space.target("deployment/web");
    let tracer = node.tracer_without_socket();
    let tracing = tracer.args(["--wait", "--per-container", "--cgroup", &target]).start();
    let mut web = shell("web", "mkdir /tmp/made; exec httpd -f -h /etc");
    // Nothing is executed in the pod for it, and its output says that the program runs.
    web["readinessProbe"] =
        json!({ "httpGet": { "path": "/passwd", "port": 80 }, "periodSeconds": 1 });
    let spec = pod_spec(&[web]);
    space.apply(&controller("Deployment", "web", REPLICAS, &spec))?;
    space.wait_until_rolled("deployment/web")?;
    space.kubectl(&["rollout", "restart", "deployment/web"])?;
    space.wait_until_rolled("deployment/web")?;
    let outcome = tracing.stop().exits(0).says(&["complete: nothing was lost"]);
    // More than twice as many: the Deployment may begin its second round with some that it takes
    // back.
    let seen = outcome.stderr.lines().find_map(|line| {
        let (_, rest) = line.split_once("seen from their start in ")?;
        let (whole, rest) = rest.split_once(" of ")?;
        let all = rest.split(' ').next()?;
        Some((whole.parse::<u32>().ok()?, all.parse::<u32>().ok()?))
    });
    let (whole, all) = seen.unwrap_or_else(|| panic!("no number of pods: {}", outcome.stderr));
    assert!(whole == all && all >= 2 * REPLICAS, "{whole} of {all} pods: {}", outcome.stderr);
    let results = Results::read(outcome.directory());
    results.are_complete(&["profile", "profile.web"]);
    results.allow("profile.web", &["mkdir"], &["pause", "pivot_root", "mount"]);
    Ok(())
}
