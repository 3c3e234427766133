//! The measured processes.

use std::{
    env, fs,
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
const SLICES: usize = 8;
/// Calls of a slice.
const CALLS: u32 = 10_000;

/// Where a worker runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In a traced cgroup, as a process of the host: a service, a command.
    Inside,
    /// In a traced cgroup, in a mount namespace of its own: a container.
    Contained,
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
    pub fn start(place: Place, cpu: usize, procs: Option<&Path>) -> Self {
        let program = env::current_exe().expect("the benchmark's path");
        let mut command = match place {
            Place::Contained => {
                let mut command = Command::new("unshare");
                command.args(["--mount", "--"]).arg(program);
                command
            }
            Place::Inside | Place::Outside => Command::new(program),
        };
        let mut process = command
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

/// Nanoseconds per call: the best slice of each worker, and the mean of them. The workers run at once.
pub fn sample(workers: &mut [Worker]) -> f64 {
    workers.iter_mut().for_each(Worker::order);
    let best = |worker: &mut Worker| worker.answer().into_iter().fold(f64::INFINITY, f64::min);
    let total: f64 = workers.iter_mut().map(best).sum();
    total / workers.len() as f64
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
