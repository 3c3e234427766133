//! What tracing costs, as ratios taken in one run.
//!
//! Worker processes, pinned one to a CPU, call `getppid` in a loop. A round visits every variant, in rotated order:
//! nothing attached, an empty program on the same tracepoint (the least any tracer can cost), and tracer, each
//! measured by workers inside and outside the traced cgroup, alone and on all measured CPUs at once. A sample is the
//! best of twenty slices of one worker, or the median slice of two; a figure is the median over the rounds.

mod attach;
mod worker;

use std::{env, process::ExitCode};

use worker::{Place, Worker};

/// Rounds when none are asked for.
const ROUNDS: usize = 9;
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
}

const VARIANTS: [(Variant, &str); 6] = [
    (Variant::Untraced, "untraced"),
    (Variant::Empty, "empty program"),
    (Variant::Tracer, "tracer"),
    (Variant::TracerWithoutCounts, "tracer --no-counts"),
    (Variant::TracerWithoutBtf, "tracer --no-btf"),
    (Variant::TracerDenied, "tracer --denied"),
];

/// Who is measured.
const SCENES: [(Place, usize, &str); 4] = [
    (Place::Inside, 1, "inside, one CPU"),
    (Place::Outside, 1, "outside, one CPU"),
    (Place::Inside, CPUS, "inside, two CPUs"),
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
        _ => {
            eprintln!("usage: bench [--rounds N]");
            return ExitCode::from(2);
        }
    };
    bench(rounds);
    ExitCode::SUCCESS
}

fn bench(rounds: usize) {
    let group = attach::Group::create();
    let mut inside: Vec<Worker> =
        (0..CPUS).map(|cpu| Worker::start(cpu, Some(&group.procs()))).collect();
    let mut outside: Vec<Worker> = (0..CPUS).map(|cpu| Worker::start(cpu, None)).collect();
    let mut samples = vec![vec![Vec::with_capacity(rounds); SCENES.len()]; VARIANTS.len()];
    for round in 0..rounds {
        for step in 0..VARIANTS.len() {
            let variant = (step + round) % VARIANTS.len();
            let attached = attach::attach(VARIANTS[variant].0, &group);
            for (scene, (place, count, _)) in SCENES.iter().enumerate() {
                let workers = match place {
                    Place::Inside => &mut inside,
                    Place::Outside => &mut outside,
                };
                samples[variant][scene].push(worker::sample(&mut workers[..*count]));
            }
            drop(attached);
        }
    }
    print(&samples, rounds);
}

/// The median of some samples.
fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn print(samples: &[Vec<Vec<f64>>], rounds: usize) {
    println!(
        "getppid, nanoseconds per call and ratio to the empty program; medians of {rounds} rounds\n"
    );
    print!("{:<22}", "");
    for (_, _, scene) in SCENES {
        print!("{scene:>22}");
    }
    println!();
    for (variant, (_, name)) in VARIANTS.iter().enumerate() {
        print!("{name:<22}");
        for (own, yardstick) in samples[variant].iter().zip(&samples[1]) {
            let value = median(own);
            let ratio = value / median(yardstick);
            print!("{:>22}", format!("{value:.1} ({ratio:.3})"));
        }
        println!();
    }
}
