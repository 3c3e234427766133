//! Pods as slow and unusual kubelets make them: a pause container that is reported late, and pods
//! without cgroups of their own.

use std::fs;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use tests::{Cgroup, Outcome, Stop, Tracer, temporary_directory, tool};

use crate::cases::Cases;
use crate::engine::{Engine, Order};
use crate::world::World;

/// How long the runtime takes: longer than tracer waits for the name of a container that runs (5
/// s).
const DELAY: Duration = Duration::from_secs(8);

/// Lets the start of a pause container return late. containerd reports a pod when its pause
/// container was started, and the shim's directory is that of the first container's bundle.
const SLOW: &str = r#"#!/bin/sh
for id; do :; done
RUNTIME "$@" || exit
case " $* " in
*" start "*) if grep -q '"io.kubernetes.cri.container-type":"sandbox"' "../$id/config.json"; then sleep DELAY; fi ;;
esac
"#;

/// All cases but [`alone`].
pub fn trials(cases: &Cases) -> Vec<Trial> {
    vec![cases.trial("kubelets::tracer_started_again".into(), tracer_started_again)]
}

/// The cases that nothing else may run beside. A tracer beside them counts their containers as a
/// possible loss: one makes pods with an engine that no other case asks; the other makes containers
/// outside the cgroup of any pod, which may be anyone's, and removes them at once, which no kubelet
/// does.
pub fn alone(cases: &Cases) -> Vec<Trial> {
    vec![
        cases.trial("kubelets::pause_reported_late".into(), reported_late),
        cases.trial("kubelets::pods_without_cgroups".into(), without_cgroups),
    ]
}

fn reported_late(world: &World) -> Result<(), Stop> {
    world.root()?;
    let directory = temporary_directory();
    let program = directory.path().join("runc");
    let script = SLOW
        .replace("RUNTIME", &tool("runc").map_err(Stop::Skip)?.display().to_string())
        .replace("DELAY", &DELAY.as_secs().to_string());
    tests::write_program(&program, script);
    let containerd = world.containerd_with(&program).map_err(Stop::Skip)?;
    let above = Cgroup::new("reported-late");
    let endpoint = format!("--cri-endpoint=unix://{}", containerd.socket().expect("it has one"));
    let path = "tracer-tests/reported-late-0";
    // A pause container under a filter would be a loss, were it taken for the workload.
    let tracer = Tracer::new().args([&endpoint, "--wait", "--no-denied", "--cgroup", path]);
    let tracing = tracer.start();
    let began = Instant::now();
    let pod = containerd.pod_under_default("reported-late", "0", |uid| {
        format!("{}/kubepods/pod{uid}", above.name())
    })?;
    assert!(began.elapsed() >= DELAY, "the runtime was late");
    let container = pod.create("app", 0, &order(&above))?;
    pod.run_to_its_end(&container)?;
    let outcome = tracing.stop().exits(0);
    is_of(&outcome, &container, pod.sandbox());
    Ok(())
}

/// The container's own call, and one that is executed in it later.
const WORDS: [&str; 2] = ["/program", "x86_64:sched_get_priority_min"];
const LATER: [&str; 2] = ["/program", "x86_64:times"];

fn order(above: &Cgroup) -> Order<'_> {
    Order { words: &WORDS, user: 0, no_new_privs: false, profile: None, parent: above.name() }
}

/// It is a whole recording of the container, and of nothing that its pod's pause container did.
fn is_of(outcome: &Outcome, container: &str, pause: &str) {
    let recording = outcome.recording();
    let of = |id: &str| recording.cgroups.iter().any(|cgroup| cgroup.path.contains(id));
    assert!(of(container), "{}", outcome.stderr);
    assert!(!of(pause), "{}", outcome.read("recording.json"));
    assert!(recording.complete, "{:?}", recording.incomplete_reasons);
    assert!(!outcome.stderr.contains(pause), "{}", outcome.stderr);
}

/// `cgroupsPerQOS: false`: no cgroup of a pod is above the container's, and no other pod was there
/// before that would show it.
fn without_cgroups(world: &World) -> Result<(), Stop> {
    world.root()?;
    let containerd = world.containerd().map_err(Stop::Skip)?;
    let unused = Cgroup::new("without-cgroups");
    let place = tests::cgroup_mount().join("k8s.io");
    let was_there = place.exists();
    let endpoint = format!("--cri-endpoint=unix://{}", containerd.socket().expect("it has one"));
    let tracer = |target: &str| Tracer::new().args([&endpoint, "--wait", "--cgroup", target]);
    let tracing = tracer("tracer-tests/without-cgroups-0").start();
    let pod = containerd.pod_of("without-cgroups", "0", |_| String::new())?;
    let container = pod.create("app", 0, &order(&unused))?;
    pod.run_to_its_end(&container)?;
    let outcome = tracing.stop().exits(0);
    is_of(&outcome, &container, pod.sandbox());
    let path = &outcome.recording().cgroups[0].path;
    assert!(path.starts_with("/k8s.io/"), "{path}");
    let by_uid = tracer(pod.uid()).start();
    let again = pod.create("app", 1, &order(&unused))?;
    pod.run_to_its_end(&again)?;
    is_of(&by_uid.stop().exits(0), &again, pod.sandbox());
    drop(pod);
    if !was_there {
        // containerd leaves it, empty.
        let _ = fs::remove_dir(&place);
    }
    Ok(())
}

/// As Kubernetes does with the pod of a DaemonSet: the second tracer sees a container that runs,
/// and the first one's evidence counts.
fn tracer_started_again(world: &World) -> Result<(), Stop> {
    world.root()?;
    let containerd = world.containerd().map_err(Stop::Skip)?;
    let above = Cgroup::new("started-again");
    let endpoint = format!("--cri-endpoint=unix://{}", containerd.socket().expect("it has one"));
    let results = temporary_directory();
    let out = results.path().join("p.json");
    let target = "tracer-tests/sts/started-again";
    let tracer = || {
        let tracer = Tracer::new().out(&out).args([&endpoint, "--wait", "--merge"]);
        tracer.args(["-v", "--per-container", "--cgroup", target]).start()
    };
    let tracing = tracer();
    let pod = containerd
        .pod_of("started-again", "0", |uid| format!("{}/kubepods/pod{uid}", above.name()))?;
    let words = [WORDS[0], WORDS[1], "say:ready", "pause"];
    let container = pod.create("app", 0, &Order { words: &words, ..order(&above) })?;
    pod.start(&container)?;
    tests::wait_until("the container works", tests::BOUND, || pod.log("app", 0).contains("ready"));
    tracing.stop().exits(0);
    for _ in 0..2 {
        let tracing = tracer();
        pod.exec(&container, &LATER)?;
        let outcome = tracing.stop().exits(0);
        outcome.says(&["merged with what ", "complete: nothing was lost"]);
    }
    for profile in [out.clone(), out.with_extension("app.json")] {
        let text = fs::read_to_string(&profile).expect("a profile");
        for name in ["\"sched_get_priority_min\"", "\"times\""] {
            assert!(text.contains(name), "{}: {name}", profile.display());
        }
    }
    let patch = fs::read_to_string(out.with_extension("app.kubernetes.yaml")).expect("a patch");
    let command = "kubectl --namespace tracer-tests patch statefulset started-again --patch-file p.app.kubernetes.yaml";
    assert!(patch.contains(command), "{patch}");
    Ok(())
}
