//! What tracing costs, as ratios taken in one run.
//!
//! Worker processes, pinned one to a CPU, call `getppid` in a loop. A round visits every variant,
//! in rotated order: nothing attached, an empty program on the same tracepoint (the least any
//! tracer can cost), and tracer, each measured by workers inside a traced cgroup (a process of the
//! host, and one in a mount namespace of its own as in a container) and outside, alone and on all
//! measured CPUs at once. A sample is the best of eight slices of a worker, or the mean of two
//! workers' best; a figure is the median over the rounds, a ratio the median of the rounds' ratios.
//!
//! Two rows are tracer on classic tracepoints, as it attaches from Linux 7.2 on; their ratio is to
//! the same empty program.
//!
//! Then what a process costs that is born and ends, inside and outside the target. `--crowd N`
//! measures calls before and after so many cgroups have come and gone, and nothing else.
//!
//! `--arguments N` measures so many rounds of calls whose arguments are looked at, beside ones that
//! are not, and nothing else.
//!
//! At the end, what `tracer list` and questions to files take, against a start of the same program
//! that does nothing else; what a recording takes to start and to end, with its memory; and what
//! `tracer profile` takes for a thousand recordings. `--questions`, `--start` and `--merge` measure
//! one of these and nothing else.

mod arguments;
mod attach;
mod crowd;
mod forks;
mod listing;
mod merging;
mod questions;
mod start;
mod worker;

use std::{env, process::ExitCode};

use worker::{Loop, Place, Worker};

/// Rounds when none are asked for.
const ROUNDS: usize = 31;
/// Measured at once.
const CPUS: usize = 2;

/// What is attached while a sample is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Variant {
    Untraced,
    Empty,
    Tracer,
    TracerWithoutCounts,
    TracerWithoutBtf,
    TracerDenied,
    TracerClassic,
    TracerClassicDenied,
}

const VARIANTS: [(Variant, &str); 8] = [
    (Variant::Untraced, "untraced"),
    (Variant::Empty, "empty program"),
    (Variant::Tracer, "tracer"),
    (Variant::TracerWithoutCounts, "tracer --no-counts"),
    (Variant::TracerWithoutBtf, "tracer --no-btf"),
    (Variant::TracerDenied, "tracer --denied"),
    (Variant::TracerClassic, "classic tracepoint"),
    (Variant::TracerClassicDenied, "classic, --denied"),
];

/// Who is measured.
const SCENES: [(Place, usize, &str); 6] = [
    (Place::Inside, 1, "inside, one CPU"),
    (Place::Contained, 1, "container, one CPU"),
    (Place::Outside, 1, "outside, one CPU"),
    (Place::Inside, CPUS, "inside, two CPUs"),
    (Place::Contained, CPUS, "container, two CPUs"),
    (Place::Outside, CPUS, "outside, two CPUs"),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [role, cpu] = arguments.as_slice()
        && role == worker::ROLE
    {
        worker::run(cpu.parse().expect("a CPU number"));
        return ExitCode::SUCCESS;
    }
    let rounds = match arguments.as_slice() {
        [] => ROUNDS,
        [flag, rounds] if flag == "--rounds" => rounds.parse().expect("a number of rounds"),
        [flag, rounds] if flag == "--arguments" => {
            arguments::bench(rounds.parse().expect("a number of rounds"));
            return ExitCode::SUCCESS;
        }
        [flag, cgroups] if flag == "--crowd" => {
            crowd::bench(cgroups.parse().expect("a number of cgroups"));
            return ExitCode::SUCCESS;
        }
        [flag] if flag == "--questions" => {
            questions::bench();
            return ExitCode::SUCCESS;
        }
        [flag] if flag == "--start" => {
            start::bench();
            return ExitCode::SUCCESS;
        }
        [flag] if flag == "--merge" => {
            merging::bench();
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!(
                "usage: bench [--rounds N | --arguments N | --crowd CGROUPS | --questions | --start | --merge]"
            );
            return ExitCode::from(2);
        }
    };
    bench(rounds);
    forks::bench(rounds);
    listing::bench();
    questions::bench();
    start::bench();
    merging::bench();
    ExitCode::SUCCESS
}

fn bench(rounds: usize) {
    let host = attach::Group::create("host");
    let container = attach::Group::create("container");
    let workers = |place, group: Option<&attach::Group>| -> Vec<Worker> {
        let procs = group.map(attach::Group::procs);
        (0..CPUS).map(|cpu| Worker::start(place, cpu, procs.as_deref())).collect()
    };
    let mut inside = workers(Place::Inside, Some(&host));
    let mut contained = workers(Place::Contained, Some(&container));
    let mut outside = workers(Place::Outside, None);
    let mut samples = vec![vec![Vec::with_capacity(rounds); SCENES.len()]; VARIANTS.len()];
    for round in 0..rounds {
        for step in 0..VARIANTS.len() {
            let variant = (step + round) % VARIANTS.len();
            let attached = attach::attach(VARIANTS[variant].0, &[&host, &container]);
            for (scene, (place, count, _)) in SCENES.iter().enumerate() {
                let workers = match place {
                    Place::Inside => &mut inside,
                    Place::Contained => &mut contained,
                    Place::Outside => &mut outside,
                };
                let sample = worker::sample(&mut workers[..*count], Loop::Getppid);
                samples[variant][scene].push(sample);
            }
            drop(attached);
        }
    }
    print(&samples, rounds);
}

/// The median of some samples.
pub fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// The median over the rounds of a sample's ratio to the empty program's of the same round: what
/// else goes on in the machine, and the speed that its host lends it, change between rounds more
/// than within one.
fn ratio(own: &[f64], yardstick: &[f64]) -> f64 {
    let ratios: Vec<f64> = own.iter().zip(yardstick).map(|(own, empty)| own / empty).collect();
    median(&ratios)
}

fn print(samples: &[Vec<Vec<f64>>], rounds: usize) {
    println!("getppid, nanoseconds per call and ratio to the empty program of the same round;");
    println!("medians of {rounds} rounds\n");
    print!("{:<22}", "");
    for (_, _, scene) in SCENES {
        print!("{scene:>22}");
    }
    println!();
    for (variant, (_, name)) in VARIANTS.iter().enumerate() {
        print!("{name:<22}");
        for (own, yardstick) in samples[variant].iter().zip(&samples[1]) {
            let (value, ratio) = (median(own), ratio(own, yardstick));
            print!("{:>22}", format!("{value:.1} ({ratio:.3})"));
        }
        println!();
    }
}
