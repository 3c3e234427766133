//! The measured processes.

use std::{
    env, fs,
    hint::black_box,
    io::{BufRead, BufReader, Write, stdin, stdout},
    os::unix::net::UnixDatagram,
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::atomic::AtomicU32,
    time::Instant,
};

use rustix::{
    process::getppid,
    termios::tcgetwinsize,
    thread::{self, futex},
};

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

/// What a worker does again and again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Loop {
    /// A call whose arguments nobody looks at.
    Getppid,
    /// Another one, as programs with threads make it.
    Futex,
    /// A request that is no terminal's to answer: one value.
    Ioctl,
    /// mmap and munmap, of which the first is looked at.
    Mmap,
    /// socket and close, of which the first is looked at: three values.
    Socket,
}

impl Loop {
    /// Every one, with its name.
    pub const ALL: [(Self, &str); 5] = [
        (Self::Getppid, "getppid"),
        (Self::Futex, "futex"),
        (Self::Ioctl, "ioctl"),
        (Self::Mmap, "mmap+munmap"),
        (Self::Socket, "socket+close"),
    ];

    fn turn(self) {
        match self {
            Self::Getppid => {
                black_box(getppid());
            }
            Self::Futex => {
                black_box(futex::wake(&AtomicU32::new(0), futex::Flags::PRIVATE, 1)).ok();
            }
            Self::Ioctl => {
                black_box(tcgetwinsize(stdin())).ok();
            }
            // More than the allocator ever keeps, and never touched.
            Self::Mmap => drop(black_box(Vec::<u8>::with_capacity(64 << 20))),
            Self::Socket => {
                black_box(UnixDatagram::unbound()).ok();
            }
        }
    }
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

    fn order(&mut self, what: Loop) {
        let name = Loop::ALL.iter().find(|(known, _)| *known == what).map_or("", |(_, name)| name);
        writeln!(self.orders, "{name}").expect("the worker listens");
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

/// Nanoseconds per turn: the best slice of each worker, and the mean of them. The workers run at
/// once.
pub fn sample(workers: &mut [Worker], what: Loop) -> f64 {
    workers.iter_mut().for_each(|worker| worker.order(what));
    let best = |worker: &mut Worker| worker.answer().into_iter().fold(f64::INFINITY, f64::min);
    let total: f64 = workers.iter_mut().map(best).sum();
    total / workers.len() as f64
}

/// A worker's life: a sample for each line on standard input.
pub fn run(cpu: usize) {
    let mut set = thread::CpuSet::new();
    set.set(cpu);
    thread::sched_setaffinity(None, &set).expect("pinning to a CPU");
    for order in stdin().lines() {
        let order = order.expect("the benchmark speaks");
        let what = Loop::ALL.iter().find(|(_, name)| *name == order).expect("a loop").0;
        let slices: Vec<String> = (0..SLICES).map(|_| format!("{:.2}", slice(what))).collect();
        println!("{}", slices.join(" "));
        stdout().flush().expect("the benchmark listens");
    }
}

fn slice(what: Loop) -> f64 {
    let start = Instant::now();
    for _ in 0..CALLS {
        what.turn();
    }
    start.elapsed().as_nanos() as f64 / f64::from(CALLS)
}
