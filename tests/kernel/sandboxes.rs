//! Pause containers, where no runtime reports them: they are nobody's workload, and their filter
//! hides no call of the pod's.

use std::fs::{self, File};
use std::path::Path;

use tempfile::TempDir;
use tests::{Cgroup, Outcome, Running, Stop, Tracer, call_in, ground_truth, temporary_directory};
use tests::{require, tool};
use tracer::recording::Losses;

tests::trials! {
    a_pause_container_is_nobody_s_workload,
}

/// One after the other: pods that nobody reports may be the target of each.
fn a_pause_container_is_nobody_s_workload() -> Result<(), Stop> {
    the_pause_container_of_a_pod_is_known_by_the_log_files()?;
    a_pause_container_that_ran_before_is_no_late_start()?;
    without_a_log_file_no_container_is_taken_for_a_pause_container()
}

/// The call of the pod's container, and the one that must be in no recording of it.
const OWN: i32 = 39;
const FOREIGN: i32 = 452;

/// A pod: its cgroup, and what the kubelet has in `/var/log`.
struct Pod {
    name: String,
    logs: TempDir,
    pause: Cgroup,
    container: Cgroup,
    container_id: String,
    _above: Cgroup,
    _pod: Cgroup,
}

impl Pod {
    fn new(label: &str) -> Self {
        let number = std::process::id();
        // No two tests have labels of one length.
        let own = label.len();
        let uid = format!("{number:08x}-e89b-12d3-a456-{own:012x}");
        let id = |digits: &str| format!("{number:08x}{own:08x}") + &digits.repeat(6);
        let above = Cgroup::new(&format!("{label}-kubepods"));
        let pod = above.child(&format!("kubepods/pod{uid}"));
        let [pause, container] = ["0badcafe", "deadbeef"].map(id);
        let container_id = container.clone();
        let [pause, container] = [pause, container].map(|id| pod.child(&id));
        let logs = temporary_directory();
        let name = format!("{label}-{number}");
        fs::create_dir_all(logs.path().join("pods").join(format!("tests_{name}_{uid}")))
            .expect("a directory");
        fs::create_dir(logs.path().join("containers")).expect("a directory");
        Self { name, logs, pause, container, container_id, _above: above, _pod: pod }
    }

    /// The kubelet makes the link when the container has started.
    fn log(&self) {
        let link = format!("{}_tests_app-{}.log", self.name, self.container_id);
        File::create(self.logs.path().join("containers").join(link)).expect("a file");
    }

    /// Where the sockets of runtimes are not, as in a pod of tracer's own.
    fn tracer(&self) -> Result<Tracer, Stop> {
        let unshare = require!(tool("unshare"));
        let without_sockets =
            "mount -t tmpfs none /run && mount --bind \"$0\" /var/log && exec \"$@\"";
        let target = format!("tests/{}", self.name);
        Ok(Tracer::new()
            .launcher([unshare.as_path(), Path::new("--mount"), Path::new("sh"), Path::new("-c")])
            .launcher([Path::new(without_sockets), self.logs.path()])
            .args(["--wait", "--no-denied", "--cgroup", &target]))
    }

    /// What a pause container does: its filter is the default one of the runtime.
    fn pause(&self) {
        let steps = ["deny:getuid", &self.pause.hop(), &format!("x86_64:{FOREIGN}")];
        assert!(Running::start(&mut ground_truth(steps)).finish().status.success());
    }
}

fn is_the_pod_s_alone(outcome: &Outcome, pod: &Pod) {
    let recording = outcome.recording();
    // Pods that other tests make meanwhile may be anybody's.
    let losses = Losses { unresolved: 0, ..recording.losses };
    assert_eq!(losses, Losses::default(), "{}", outcome.stderr);
    let paths: Vec<&str> = recording.cgroups.iter().map(|cgroup| cgroup.path.as_str()).collect();
    assert_eq!(paths, [pod.container.name()]);
    let made: Vec<i32> = recording.cgroups[0].calls.iter().map(|call| call.number).collect();
    assert!(made.contains(&OWN) && !made.contains(&FOREIGN), "{made:?}");
}

fn the_pause_container_of_a_pod_is_known_by_the_log_files() -> Result<(), Stop> {
    let pod = Pod::new("pause");
    let tracing = pod.tracer()?.start();
    pod.pause();
    pod.log();
    call_in(&pod.container, OWN);
    is_the_pod_s_alone(&tracing.stop(), &pod);
    Ok(())
}

fn a_pause_container_that_ran_before_is_no_late_start() -> Result<(), Stop> {
    let pod = Pod::new("late-pause");
    pod.log();
    let mut idle = Running::start(&mut ground_truth([&pod.pause.hop(), "say:idle", "pause"]));
    idle.wait_for_line("idle");
    let tracing = pod.tracer()?.start();
    call_in(&pod.container, OWN);
    is_the_pod_s_alone(&tracing.stop(), &pod);
    drop(idle);
    Ok(())
}

fn without_a_log_file_no_container_is_taken_for_a_pause_container() -> Result<(), Stop> {
    let pod = Pod::new("no-log");
    let tracing = pod.tracer()?.start();
    pod.pause();
    call_in(&pod.container, OWN);
    let outcome = tracing.stop().exits(3);
    let recording = outcome.recording();
    assert_eq!(recording.cgroups.len(), 2, "both may be the pod's");
    assert_eq!(recording.losses.filtered, 1);
    Ok(())
}
