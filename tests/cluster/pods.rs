//! Pods where no runtime can be asked, as in tracer's own pod: the pause container is nobody's
//! workload, and pods that are gone in a moment are recorded whole.

use libtest_mimic::Trial;
use serde_json::json;
use tests::Stop;

use crate::cases::Cases;
use crate::node::{BOUND, Node};
use crate::results::Results;
use crate::space::Space;
use crate::workload::{Profile, job, pod, pod_spec, server, shell, under};

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    vec![
        cases.trial("pods::twenty_short_jobs_are_complete", twenty_short_jobs_are_complete),
        cases.trial(
            "pods::a_job_of_twenty_pods_is_one_workload",
            a_job_of_twenty_pods_is_one_workload,
        ),
        cases.trial("pods::without_a_socket_unconfined", |node| is_complete(node, Profile::None)),
        cases.trial("pods::without_a_socket_under_runtime_default", |node| {
            is_complete(node, Profile::RuntimeDefault)
        }),
    ]
}

/// How many short ones are made.
const SHORT: usize = 20;

fn is_complete(node: &Node, profile: Profile) -> Result<(), Stop> {
    let space = Space::new(node, "pods")?;
    let target = space.target("web-0");
    let tracer = node.tracer_without_socket();
    let tracing = tracer.args(["--wait", "--per-container", "--cgroup", &target]).start();
    let mut spec = pod_spec(&[server("web")]);
    spec["initContainers"] = json!([shell("before", "mkdir /tmp/made")]);
    space.apply(&pod("web-0", &under(spec, profile)))?;
    space.wait_until_ready("web-0")?;
    space.delete("pod/web-0")?;
    let outcome = tracing.stop().exits(0).says(&["complete: nothing was lost"]);
    let results = Results::read(outcome.directory());
    // None of the pause container's, whose name is its id.
    results.are_complete(&["profile", "profile.before", "profile.web"]);
    results.allow("profile.before", &["mkdir"], &["accept", "pause"]);
    results.allow("profile.web", &["accept"], &["mkdir", "pause"]);
    Ok(())
}

/// An init container, and one that is gone after some milliseconds.
fn short() -> serde_json::Value {
    let mut spec = pod_spec(&[shell("c", "ln -s /tmp /tmp/link")]);
    spec["initContainers"] = json!([shell("before", "mkdir /tmp/made")]);
    spec["restartPolicy"] = json!("Never");
    spec
}

/// Each is a target and a recording of its own.
fn twenty_short_jobs_are_complete(node: &Node) -> Result<(), Stop> {
    let space = Space::new(node, "short")?;
    let names: Vec<String> = (0..SHORT).map(|number| format!("job-{number}")).collect();
    let mut tracer = node.tracer_without_socket().args(["--wait"]);
    for name in &names {
        tracer = tracer.args(["--cgroup", &space.target(&format!("{name}/c"))]);
    }
    let directory = tracer.directory().join("jobs/");
    let tracing = tracer.out(&directory).start();
    for name in &names {
        space.apply(&pod(name, &short()))?;
    }
    space.wait("all jobs are done", |space| {
        space.get(&["pods"]).is_ok_and(|pods| {
            let pods = pods["items"].as_array().into_iter().flatten();
            pods.filter(|pod| pod["status"]["phase"] == "Succeeded").count() == SHORT
        })
    })?;
    let outcome = tracing.stop().exits(0);
    let results = Results::read(&outcome.directory().join("jobs"));
    let profiles = results.profiles();
    assert_eq!(profiles.len(), SHORT, "{profiles:?}; tracer said:\n{}", outcome.stderr);
    for profile in profiles {
        assert!(results.recording(profile).complete, "{profile}:\n{}", outcome.stderr);
        results.allow(profile, &["symlink"], &["mkdir", "pause"]);
    }
    Ok(())
}

/// One profile for each of its containers.
fn a_job_of_twenty_pods_is_one_workload(node: &Node) -> Result<(), Stop> {
    let space = Space::new(node, "many")?;
    let target = space.target("job/short");
    let tracer = node.tracer_without_socket();
    let tracing = tracer.args(["--wait", "--per-container", "--cgroup", &target]).start();
    space.apply(&job("short", SHORT, &short()))?;
    let timeout = format!("--timeout={}s", BOUND.as_secs());
    space.kubectl(&["wait", "job/short", "--for=condition=complete", &timeout])?;
    let outcome = tracing.stop().exits(0).says(&["complete: nothing was lost"]);
    let results = Results::read(outcome.directory());
    results.are_complete(&["profile", "profile.before", "profile.c"]);
    results.allow("profile.before", &["mkdir"], &["symlink", "pause"]);
    results.allow("profile.c", &["symlink"], &["mkdir", "pause"]);
    let seen = format!("seen from their start in {SHORT} of {SHORT} pods");
    outcome.says(&[&seen]);
    Ok(())
}
