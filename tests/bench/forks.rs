//! What knowing the members of tracked cgroups costs a process that is born, and ends.

use std::{process::Command, time::Instant};

use tests::GROUND_TRUTH;

use crate::{
    Variant,
    attach::{Group, attach},
    median,
};

/// Processes of a sample.
const PROCESSES: u32 = 1000;

/// Prints a row: nanoseconds for a process, without and with tracer, in the target and outside it.
pub fn bench(rounds: usize) {
    let group = Group::create("forks");
    let hop = format!("hop:{}", group.procs().display());
    let sample = |steps: &[&str]| {
        let began = Instant::now();
        let status = Command::new(GROUND_TRUTH).args(steps).status().expect("the fixture");
        assert!(status.success(), "{status}");
        began.elapsed().as_nanos() as f64 / f64::from(PROCESSES)
    };
    let fork = format!("fork:{PROCESSES}");
    let outside = [fork.as_str(), "[", "]", "wait"];
    let inside = [hop.as_str(), fork.as_str(), "[", "]", "wait"];
    let scenes: [(&str, Variant, &[&str]); 4] = [
        ("inside, untraced", Variant::Untraced, &inside),
        ("inside, traced", Variant::Tracer, &inside),
        ("outside, untraced", Variant::Untraced, &outside),
        ("outside, traced", Variant::Tracer, &outside),
    ];
    let mut samples = vec![Vec::with_capacity(rounds); scenes.len()];
    for _ in 0..rounds {
        for (index, (_, variant, steps)) in scenes.iter().enumerate() {
            let attached = attach(*variant, &[&group]);
            samples[index].push(sample(steps));
            drop(attached);
        }
    }
    println!(
        "\na process that is born, makes one call and ends, nanoseconds; medians of {rounds} rounds"
    );
    for pair in [0, 2] {
        let [untraced, traced] = [pair, pair + 1].map(|index| median(&samples[index]));
        println!(
            "{}: {untraced:.0}, {}: {traced:.0}, ratio {:.3}",
            scenes[pair].0,
            scenes[pair + 1].0,
            traced / untraced
        );
    }
}
