//! What a call costs after very many cgroups have come and gone, and whether the target is recorded
//! all the same.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use tests::GROUND_TRUTH;

use crate::{
    attach::Group,
    median,
    worker::{Loop, Place, Worker, sample},
};

/// Cgroups that one process visits.
const VISITS: usize = 500;
/// Samples before and after.
const SAMPLES: usize = 15;

/// Prints a row: nanoseconds per call in the target and outside it, before and after.
pub fn bench(cgroups: usize) {
    let program = env::var_os("TRACER_BIN").expect("TRACER_BIN is set");
    let directory = tempfile::tempdir().expect("a directory");
    let (target, crowd) = (Group::create("target"), Group::create("crowd"));
    let name = target.procs().parent().expect("a directory").to_owned();
    // A container that never comes: every cgroup of the machine is watched.
    let unknown = "5eed".repeat(16);
    let mut tracer = Command::new(program)
        .arg("--wait")
        .args(["--accept-late-start", "--cgroup", &unknown, "--cgroup"])
        .arg(&name)
        .current_dir(directory.path())
        .stderr(Stdio::piped())
        .spawn()
        .expect("tracer");
    let mut messages = BufReader::new(tracer.stderr.take().expect("a pipe"));
    let mut line = String::new();
    while !line.starts_with("recording") {
        line.clear();
        assert!(messages.read_line(&mut line).expect("a line") > 0, "tracer ended");
    }
    // Whoever does not read what it says makes it wait.
    let reader = std::thread::spawn(move || {
        let lines = messages.lines().map_while(Result::ok);
        let verdict = lines.skip_while(|line| !line.contains("complete: "));
        verdict.collect::<Vec<_>>().join(" ")
    });
    let mut inside = [Worker::start(Place::Inside, 0, Some(&target.procs()))];
    let mut outside = [Worker::start(Place::Outside, 0, None)];
    let mut measure = || {
        [&mut inside, &mut outside].map(|workers| {
            median(
                &(0..SAMPLES).map(|_| sample(&mut workers[..], Loop::Getppid)).collect::<Vec<_>>(),
            )
        })
    };
    let before = measure();
    for first in (0..cgroups).step_by(VISITS) {
        visit(&crowd, first);
    }
    let after = measure();
    let status = fs::read_to_string(format!("/proc/{}/status", tracer.id())).unwrap_or_default();
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    drop((inside, outside));
    kill_process(Pid::from_child(&tracer), Signal::INT).expect("tracer runs");
    let ended = tracer.wait().expect("tracer ends");
    let verdict = reader.join().unwrap_or_default();
    println!("\n{cgroups} cgroups ever seen, nanoseconds per call before and after:");
    for (place, index) in [("inside", 0), ("outside", 1)] {
        let (before, after) = (before[index], after[index]);
        println!("{place}: {before:.1}, {after:.1}, ratio {:.3}", after / before);
    }
    println!("tracer's memory: {}; it ended with {ended}: {verdict}", memory.trim());
}

/// Lets a call be made in some new cgroups, and removes them.
fn visit(crowd: &Group, first: usize) {
    let above = crowd.procs();
    let above = above.parent().expect("a directory");
    let directories: Vec<_> =
        (first..first + VISITS).map(|number| above.join(number.to_string())).collect();
    directories.iter().for_each(|directory| fs::create_dir(directory).expect("a cgroup"));
    let steps = directories.iter().flat_map(|directory| {
        [format!("hop:{}/cgroup.procs", directory.display()), "x86_64:getpid".to_owned()]
    });
    let status = Command::new(GROUND_TRUTH).args(steps).status().expect("the fixture");
    assert!(status.success(), "{status}");
    for directory in directories {
        tests::wait_until("an empty cgroup is removed", tests::BOUND, || {
            fs::remove_dir(&directory).is_ok()
        });
    }
}
