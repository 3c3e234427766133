//! Pods of Podman's, and the monitors of containers (`conmon`): a pod is no container, a monitor no
//! workload. The trees are made as Podman 6 makes them, without systemd and with it.

use std::collections::BTreeSet;
use std::fs;

use tests::{
    Cgroup, Outcome, Running, Tracer, call_in, file_names, ground_truth, temporary_directory,
};
use tracer::recording::Recording;

tests::trials! {
    a_monitor_beside_a_container_is_no_workload,
    a_monitor_that_ran_before_is_no_late_start,
    a_monitor_that_is_the_target_is_recorded,
    a_cgroup_inside_a_container_is_no_monitor_whatever_its_name,
    containers_of_a_pod_have_profiles_of_their_own,
}

/// The call of the container, that of its monitor, and how each of them ends.
const OWN: i32 = 39;
const MONITORS: i32 = 452;
const EXIT_GROUP: i32 = 231;

/// An id that no other test uses.
fn id(label: u32) -> String {
    format!("{:08x}{label:08x}", std::process::id()) + &"0a1b2c3d4e5f6978".repeat(3)
}

/// A pod with one container: the cgroups of the pod, the container and its monitor.
struct Pod {
    // Dropped in this order: the innermost first.
    monitor: Cgroup,
    container: Cgroup,
    pod: Cgroup,
    above: Cgroup,
    _top: Cgroup,
}

impl Pod {
    fn without_systemd(label: &str, number: u32) -> Self {
        let top = Cgroup::new(label);
        let above = top.child("libpod_parent");
        let pod = above.child(&id(number));
        let container = pod.child(&format!("libpod-{}", id(number + 1)));
        let monitor = pod.child("conmon");
        Self { monitor, container, pod, above, _top: top }
    }

    fn with_systemd(label: &str, number: u32) -> Self {
        let top = Cgroup::new(label);
        let above = top.child("machine.slice");
        let pod = above.child(&format!("machine-libpod_pod_{}.slice", id(number)));
        let container = pod.child(&format!("libpod-{}.scope", id(number + 1)));
        let monitor = pod.child(&format!("libpod-conmon-{}.scope", id(number + 1)));
        Self { monitor, container, pod, above, _top: top }
    }

    fn of_crio(label: &str, number: u32) -> Self {
        let top = Cgroup::new(label);
        let above = top.child("kubepods.slice");
        let pod = above.child("kubepods-pod1.slice");
        let container = pod.child(&format!("crio-{}.scope", id(number + 1)));
        let monitor = pod.child(&format!("crio-conmon-{}.scope", id(number + 1)));
        Self { monitor, container, pod, above, _top: top }
    }

    fn work(&self) {
        call_in(&self.monitor, MONITORS);
        call_in(&self.container, OWN);
    }
}

fn numbers(recording: &Recording) -> BTreeSet<i32> {
    recording.cgroups.iter().flat_map(|cgroup| &cgroup.calls).map(|call| call.number).collect()
}

/// The container's calls are there, its monitor's are not, and nothing was lost.
fn is_of_the_container(outcome: &Outcome) {
    let recording = outcome.recording();
    assert_eq!(numbers(&recording), BTreeSet::from([OWN, EXIT_GROUP]), "{}", outcome.stderr);
    assert!(recording.complete, "{:?}", recording.incomplete_reasons);
    let allowed = outcome.allowed();
    assert!(!allowed.iter().any(|name| name == "fchmodat2"), "{allowed:?}");
}

fn a_monitor_beside_a_container_is_no_workload() {
    let pods = [
        Pod::without_systemd("pods", 10),
        Pod::with_systemd("pods-systemd", 20),
        Pod::of_crio("pods-crio", 30),
    ];
    for pod in &pods {
        for target in [pod.above.name(), pod.pod.name()] {
            let tracing = Tracer::new().args(["--cgroup", target]).start();
            pod.work();
            is_of_the_container(&tracing.stop().exits(0));
        }
    }
    // Podman names a pod's cgroup by its id; with systemd it is a unit.
    let tracing = Tracer::new().args(["--wait", "--cgroup", &id(10)]).start();
    pods[0].work();
    is_of_the_container(&tracing.stop().exits(0));
    let tracing = Tracer::new().args(["--wait", "--cgroup", &id(11)]).start();
    pods[0].work();
    is_of_the_container(&tracing.stop().exits(0));
}

fn a_monitor_that_ran_before_is_no_late_start() {
    let pod = Pod::without_systemd("pods-late", 40);
    let steps = [pod.monitor.hop(), "say:ready".to_owned(), "pause".to_owned()];
    let mut monitor = Running::start(&mut ground_truth(steps));
    monitor.wait_for_line("ready");
    for target in [pod.above.name(), &id(40)] {
        let tracing = Tracer::new().args(["--wait", "--cgroup", target]).start();
        pod.work();
        is_of_the_container(&tracing.stop().exits(0));
    }
}

fn a_monitor_that_is_the_target_is_recorded() {
    let pod = Pod::without_systemd("pods-monitor", 50);
    let tracing = Tracer::new().cgroup(&pod.monitor).start();
    pod.work();
    let outcome = tracing.stop().exits(0);
    assert_eq!(numbers(&outcome.recording()), BTreeSet::from([MONITORS, EXIT_GROUP]));
}

fn a_cgroup_inside_a_container_is_no_monitor_whatever_its_name() {
    let pod = Pod::without_systemd("pods-inside", 60);
    let inside = ["conmon", &format!("libpod-conmon-{}.scope", id(62))];
    let inside = inside.map(|name| pod.container.child(name));
    for target in [pod.above.name(), pod.pod.name(), &id(61)] {
        let tracing = Tracer::new().args(["--wait", "--cgroup", target]).start();
        pod.work();
        inside.iter().for_each(|cgroup| call_in(cgroup, "getuid"));
        let outcome = tracing.stop().exits(0);
        let found = numbers(&outcome.recording());
        assert_eq!(found, BTreeSet::from([OWN, 102, EXIT_GROUP]), "{target}: {}", outcome.stderr);
    }
}

fn containers_of_a_pod_have_profiles_of_their_own() {
    let pod = Pod::without_systemd("pods-all", 70);
    let second = pod.pod.child(&format!("libpod-{}", id(72)));
    let results = temporary_directory();
    let directory = results.path().join("profiles/");
    let tracing = Tracer::new().args(["--all-containers"]).out(&directory).start();
    pod.work();
    call_in(&second, "getuid");
    let outcome = tracing.stop();
    // Containers of others may run on the machine, and be late.
    assert!(matches!(outcome.status.code(), Some(0 | 3)), "{}", outcome.stderr);
    for (container, number) in [(id(71), OWN), (id(72), 102)] {
        let path = directory.join(format!("{container}.recording.json"));
        let text = fs::read_to_string(path).expect("each container has a recording");
        let recording: Recording = serde_json::from_str(&text).expect("a recording");
        assert_eq!(numbers(&recording), BTreeSet::from([number, EXIT_GROUP]), "{text}");
        assert!(recording.complete, "{text}");
    }
    let files = file_names(&directory);
    assert!(!files.iter().any(|name| name.contains(&id(70))), "the pod is none: {files:?}");
}
