//! Pods of every kind at once, in one recording: the three classes of quality of service, a
//! container that ends and is started again and again, and pods that share namespaces with the host
//! or among their containers.

use std::{cell::RefCell, collections::BTreeSet};

use libtest_mimic::Trial;
use serde_json::{Value, json};
use tests::{Outcome, Stop, Tracer};

use crate::cases::Cases;
use crate::node::Node;
use crate::results::Results;
use crate::space::Space;
use crate::workload::{pod, pod_spec, shell};

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    vec![
        cases.trial("kinds::with_a_socket", |node| are_recorded(node, node.tracer())),
        cases.trial("kinds::without_a_socket", |node| {
            are_recorded(node, node.tracer_without_socket())
        }),
    ]
}

/// The pods: names of the pod and of its container, a line that makes a call, and this call, which
/// no other one makes.
const PODS: [(&str, &str, &str); 7] = [
    ("guaranteed", "mkdir /tmp/made", "mkdir"),
    ("burstable", "ln -s /tmp /tmp/made", "symlink"),
    ("besteffort", "sync", "sync"),
    ("crash", "mkfifo /tmp/made", "mknodat"),
    ("host-pid", "touch /tmp/a; ln /tmp/a /tmp/b", "link"),
    ("host-network", "touch /tmp/a; mv /tmp/a /tmp/b", "rename"),
    ("shared-pid", "touch /tmp/a; chmod 600 /tmp/a", "chmod"),
];
/// Where each class of pods has its cgroups, below those of all pods.
const PLACES: [(&str, &str); 3] = [
    ("guaranteed", "/kubepods/pod"),
    ("burstable", "/burstable/pod"),
    ("besteffort", "/besteffort/pod"),
];
/// How often the one that ends is started: the kubelet waits ten seconds before the third time.
const STARTS: u64 = 3;

fn spec(name: &str, line: &str) -> Value {
    let line = match name {
        "crash" => format!("{line}; exit 1"),
        _ => format!("{line}; echo made; exec sleep 100000"),
    };
    let mut container = shell(name, &line);
    match name {
        "guaranteed" => {
            container["resources"]["limits"] = json!({ "cpu": "100m", "memory": "64Mi" });
        }
        "burstable" => container["resources"]["requests"] = json!({ "cpu": "10m" }),
        _ => {}
    }
    let mut spec = pod_spec(&[container]);
    match name {
        "host-pid" => spec["hostPID"] = json!(true),
        "host-network" => spec["hostNetwork"] = json!(true),
        "shared-pid" => spec["shareProcessNamespace"] = json!(true),
        _ => {}
    }
    spec
}

fn are_recorded(node: &Node, tracer: Tracer) -> Result<(), Stop> {
    let space = Space::new(node, "kinds")?;
    let target = space.target("*");
    // With -v the summary counts the starts of all.
    let tracing = tracer.args(["-v", "--wait", "--per-container", "--cgroup", &target]).start();
    for (name, line, _) in PODS {
        space.apply(&pod(name, &spec(name, line)))?;
    }
    for (name, ..) in PODS.iter().filter(|(name, ..)| *name != "crash") {
        space.wait_until_it_says(name, "made")?;
    }
    let ended = RefCell::new(BTreeSet::new());
    space.wait("a container is started again and again", |space| {
        // A new one is counted before it has run: what counts is how many have ended.
        let pod = space.get(&["pod", "crash"]).unwrap_or_default();
        let status = &pod["status"]["containerStatuses"][0];
        let states =
            ["state", "lastState"].map(|state| &status[state]["terminated"]["containerID"]);
        let mut ended = ended.borrow_mut();
        ended.extend(states.into_iter().filter_map(|id| id.as_str()).map(ToOwned::to_owned));
        ended.len() as u64 >= STARTS
    })?;
    space.delete("pod/crash")?;
    let outcome = tracing.stop().exits(0).says(&["complete: nothing was lost"]);
    learns_all(&space, &outcome);
    let results = Results::read(outcome.directory());
    let mut profiles: Vec<String> = PODS.map(|(name, ..)| format!("profile.{name}")).into();
    profiles.push("profile".to_owned());
    profiles.sort();
    results.are_complete(&profiles.iter().map(String::as_str).collect::<Vec<_>>());
    let calls = PODS.map(|(.., call)| call);
    for (name, _, own) in PODS {
        let mut others = vec!["mount", "pivot_root", "sethostname", "pause"];
        others.extend(calls.iter().copied().filter(|call| *call != own));
        results.allow(&format!("profile.{name}"), &[own], &others);
    }
    results.allow("profile", &calls, &["mount", "pivot_root", "pause"]);
    are_in_their_places(&outcome);
    Ok(())
}

/// Each container by its name, with as many starts as it had.
fn learns_all(space: &Space, outcome: &Outcome) {
    for (name, ..) in PODS {
        let label = space.target(&format!("{name}/{name}: "));
        let mut lines = outcome.stderr.lines();
        let line = lines.find(|line| line.contains(&label) && line.contains("recorded whole"));
        let line = line.unwrap_or_else(|| panic!("no start of {label}: {}", outcome.stderr));
        let starts: u64 = line
            .split_once(&label)
            .and_then(|(_, rest)| rest.split_once(' ')?.0.parse().ok())
            .unwrap_or_else(|| panic!("{line}"));
        if name == "crash" {
            // It may be started once more before it is deleted.
            assert!(starts >= STARTS, "{line}");
        } else {
            assert_eq!(starts, 1, "{line}");
        }
        assert!(!line.contains("late"), "{line}");
    }
}

fn are_in_their_places(outcome: &Outcome) {
    for (name, place) in PLACES {
        let recording = outcome.recording();
        let own = recording.cgroups.iter().filter(|cgroup| {
            cgroup.container.as_ref().and_then(|one| one.pod.as_deref()) == Some(name)
        });
        let paths: BTreeSet<String> = own.map(|cgroup| cgroup.path.clone()).collect();
        assert_eq!(paths.len(), 1, "{name}: {paths:?}");
        assert!(paths.iter().all(|path| path.contains(place)), "{name}: {paths:?}");
    }
}
