//! What a start takes: from exec until the programs are attached, from there to the traced
//! command's first output, and from that command's end to the written files. And how much memory
//! tracer takes meanwhile.

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
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
    /// Milliseconds from exec until tracer said that it records: the programs are attached then.
    attached: f64,
    /// Milliseconds from there until the command wrote.
    wrote: f64,
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
        "\na start, milliseconds: exec to attached {:.1}, from there to the command's first output \
         {:.1}, its end to the written files {:.1}",
        figure(|sample| sample.attached),
        figure(|sample| sample.wrote),
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
        .arg("--out")
        .arg(directory.path().join("profile.json"))
        .arg("--")
        .args(COMMAND)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("tracer can be started");
    let messages = BufReader::new(tracer.stderr.take().expect("a pipe")).lines();
    let mut messages = messages.map_while(Result::ok);
    assert!(messages.any(|line| line.starts_with("recording ")), "tracer says that it records");
    let attached = began.elapsed().as_secs_f64() * 1e3;
    let mut output = tracer.stdout.take().expect("a pipe");
    output.read_exact(&mut [0]).expect("the command writes a line");
    let wrote = began.elapsed().as_secs_f64() * 1e3 - attached;
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
    // The summary is short: it fits into the pipe.
    tracer.wait().expect("tracer ends");
    Sample { attached, wrote, ended: ending.elapsed().as_secs_f64() * 1e3, resident, peak }
}
