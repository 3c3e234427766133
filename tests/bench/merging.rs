//! What `tracer profile` takes for many recordings of one workload.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tracer::syscalls::{self, Abi};

use crate::median;

/// Recordings.
const RECORDINGS: usize = 1000;
/// Syscalls in each: about as many as a web server makes.
const CALLS: usize = 110;
/// Runs, of which the figure is the median.
const RUNS: usize = 5;
/// How often the memory is looked at: its peak is known until the program ends.
const INTERVAL: Duration = Duration::from_millis(1);

/// Prints a row.
pub fn bench() {
    let directory = tempfile::tempdir().expect("a directory");
    for index in 0..RECORDINGS {
        let path = directory.path().join(format!("{index:04}.recording.json"));
        fs::write(path, recording(index).to_string()).expect("a recording can be written");
    }
    let samples: Vec<(f64, f64)> = (0..RUNS).map(|_| run(directory.path())).collect();
    let (seconds, peaks): (Vec<f64>, Vec<f64>) = samples.into_iter().unzip();
    println!(
        "\ntracer profile of {RECORDINGS} recordings: {:.2} s, at most {:.0} MiB of memory",
        median(&seconds),
        median(&peaks)
    );
}

/// The seconds that one run takes, and the most MiB of resident memory.
fn run(directory: &Path) -> (f64, f64) {
    let mut command = Command::new(env::var_os("TRACER_BIN").expect("TRACER_BIN is set"));
    command.args(["profile", "--out"]).arg(directory.join("profile.json"));
    for index in 0..RECORDINGS {
        command.arg(directory.join(format!("{index:04}.recording.json")));
    }
    let began = Instant::now();
    let mut tracer =
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("tracer can be started");
    let mut peak = 0.0;
    let status = loop {
        // What is gone has no status.
        if let Ok(text) = fs::read_to_string(format!("/proc/{}/status", tracer.id())) {
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kibibytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
            peak = kibibytes.map_or(peak, |kibibytes: f64| kibibytes / 1024.0);
        }
        match tracer.try_wait().expect("tracer can be awaited") {
            Some(status) => break status,
            None => thread::sleep(INTERVAL),
        }
    };
    assert!(status.success(), "tracer profile: {status}");
    (began.elapsed().as_secs_f64(), peak)
}

/// A recording of a container: all have most syscalls, and each has one of few.
fn recording(index: usize) -> Value {
    let mut names: Vec<(i32, &str)> = syscalls::entries(Abi::X86_64).take(CALLS).collect();
    names.extend(syscalls::entries(Abi::X86_64).nth(CALLS + index % 50));
    let calls: Vec<Value> = names
        .into_iter()
        .map(|(number, name)| {
            json!({
                "abi": "x86_64", "number": number, "name": name, "phase": "workload",
                "count": 12, "first_seen_seconds": 0.01, "command": "server",
            })
        })
        .collect();
    let id = format!("{index:064x}");
    json!({
        "version": 1,
        "tracer": "0.1.0",
        "started": format!("2026-01-02T03:{:02}:{:02}Z", index / 60, index % 60),
        "duration_seconds": 12.5,
        "host": { "kernel": "6.18.44", "arch": "x86_64", "cpus": 2, "btf": true },
        "targets": [{ "name": "docker:web", "kind": "container", "cgroups": [0] }],
        "cgroups": [{
            "id": index, "path": format!("/docker/{id}"), "late_start": false, "exact": true,
            "no_new_privs": false, "calls": calls,
        }],
        "losses": {
            "table_full": 0, "recursion_misses": 0, "unnamed": 0, "filtered": 0, "late_start": 0,
        },
        "complete": true,
    })
}
