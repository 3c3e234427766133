//! The measured processes.

use std::{
    fs,
    hint::black_box,
    io::{BufRead, BufReader, Write, stdin, stdout},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Instant,
};

use rustix::{process::getppid, thread};

/// First argument of a worker process.
pub const ROLE: &str = "worker";
/// Slices of a sample.
const SLICES: usize = 20;
/// Calls of a slice.
const CALLS: u32 = 20_000;

/// Where a worker runs.
#[derive(Clone, Copy)]
pub enum Place {
    /// In the traced cgroup.
    Inside,
    /// In the cgroup of the benchmark.
    Outside,
}

/// A worker process, waiting for the word to take a sample.
pub struct Worker {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    /// Starts a worker on a CPU, in a cgroup when one is given.
    pub fn start(cpu: usize, procs: Option<&Path>) -> Self {
        let mut process = Command::new("/proc/self/exe")
            .args([ROLE, &cpu.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a worker");
        if let Some(procs) = procs {
            fs::write(procs, process.id().to_string()).expect("moving the worker");
        }
        let orders = process.stdin.take().expect("a pipe");
        let answers = BufReader::new(process.stdout.take().expect("a pipe"));
        Self { process, orders, answers }
    }

    fn order(&mut self) {
        writeln!(self.orders, "go").expect("the worker listens");
    }

    fn answer(&mut self) -> Vec<f64> {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the worker answers");
        line.split_whitespace().map(|value| value.parse().expect("a number")).collect()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Nanoseconds per call: of one worker the best slice, of several, at once, the median of all slices.
pub fn sample(workers: &mut [Worker]) -> f64 {
    workers.iter_mut().for_each(Worker::order);
    let mut slices: Vec<f64> = workers.iter_mut().flat_map(Worker::answer).collect();
    slices.sort_by(f64::total_cmp);
    if workers.len() == 1 { slices[0] } else { slices[slices.len() / 2] }
}

/// A worker's life: a sample for each line on standard input.
pub fn run(cpu: usize) {
    let mut set = thread::CpuSet::new();
    set.set(cpu);
    thread::sched_setaffinity(None, &set).expect("pinning to a CPU");
    for _ in stdin().lines() {
        let slices: Vec<String> = (0..SLICES).map(|_| format!("{:.2}", slice())).collect();
        println!("{}", slices.join(" "));
        stdout().flush().expect("the benchmark listens");
    }
}

fn slice() -> f64 {
    let start = Instant::now();
    for _ in 0..CALLS {
        black_box(getppid());
    }
    start.elapsed().as_nanos() as f64 / f64::from(CALLS)
}
