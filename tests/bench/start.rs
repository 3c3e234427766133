//! What a start takes: from exec to the traced command's first output, and from that command's end
//! to the written files. And how much memory tracer takes meanwhile.

use std::{
    env, fs,
    io::{Read as _, Write as _},
    process::{Command, Stdio},
    time::Instant,
};

use crate::median;

/// Runs, of which each figure is the median.
const RUNS: usize = 21;
/// A command that says when it was started, and ends when it is told to.
const COMMAND: [&str; 3] = ["sh", "-c", "echo; read line"];

/// What one run took.
struct Sample {
    /// Milliseconds from exec until the command wrote: it is started once the programs are
    /// attached.
    started: f64,
    /// Milliseconds from the command's last input until tracer ended: its files are written then.
    ended: f64,
    /// MiB of resident memory while the command runs.
    resident: f64,
    /// The most MiB until then.
    peak: f64,
}

/// Prints a row.
pub fn bench() {
    let samples: Vec<Sample> = (0..RUNS).map(|_| sample()).collect();
    let figure = |of: fn(&Sample) -> f64| median(&samples.iter().map(of).collect::<Vec<_>>());
    println!(
        "\na start, milliseconds: exec to the command's first output {:.1}, \
         its end to the written files {:.1}",
        figure(|sample| sample.started),
        figure(|sample| sample.ended)
    );
    println!(
        "resident memory, MiB: {:.1}, at most {:.1} until then",
        figure(|sample| sample.resident),
        figure(|sample| sample.peak)
    );
}

fn sample() -> Sample {
    let program = env::var_os("TRACER_BIN").expect("TRACER_BIN is set");
    let directory = tempfile::tempdir().expect("a directory");
    let began = Instant::now();
    let mut tracer = Command::new(program)
        .args(["--quiet", "--out"])
        .arg(directory.path().join("profile.json"))
        .arg("--")
        .args(COMMAND)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("tracer can be started");
    let mut output = tracer.stdout.take().expect("a pipe");
    output.read_exact(&mut [0]).expect("the command writes a line");
    let started = began.elapsed().as_secs_f64() * 1e3;
    let status = fs::read_to_string(format!("/proc/{}/status", tracer.id())).expect("its status");
    let mebibytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
        let kibibytes = line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number");
        kibibytes / 1024.0
    };
    let (resident, peak) = (mebibytes("VmRSS:"), mebibytes("VmHWM:"));
    let mut input = tracer.stdin.take().expect("a pipe");
    let ending = Instant::now();
    input.write_all(b"\n").expect("the command reads a line");
    tracer.wait().expect("tracer ends");
    Sample { started, ended: ending.elapsed().as_secs_f64() * 1e3, resident, peak }
}
