//! What it costs that arguments are looked at: loops of such calls beside loops of others, inside
//! the target and outside.

use crate::{
    Variant, attach, median, ratio,
    worker::{Loop, Place, Worker, sample},
};

const VARIANTS: [(Variant, &str); 4] = [
    (Variant::Untraced, "untraced"),
    (Variant::Empty, "empty program"),
    (Variant::Tracer, "tracer"),
    (Variant::TracerClassic, "classic tracepoint"),
];
const PLACES: [(Place, &str); 3] =
    [(Place::Inside, "inside"), (Place::Contained, "container"), (Place::Outside, "outside")];

/// Prints a table: a row for each loop and what is attached, a column for each place.
pub fn bench(rounds: usize) {
    let host = attach::Group::create("arguments");
    let container = attach::Group::create("arguments-container");
    let mut workers = PLACES.map(|(place, _)| {
        let group = match place {
            Place::Inside => Some(&host),
            Place::Contained => Some(&container),
            Place::Outside => None,
        };
        Worker::start(place, 0, group.map(attach::Group::procs).as_deref())
    });
    let mut samples = vec![vec![vec![Vec::new(); PLACES.len()]; VARIANTS.len()]; Loop::ALL.len()];
    for round in 0..rounds {
        for step in 0..VARIANTS.len() {
            let variant = (step + round) % VARIANTS.len();
            let attached = attach::attach(VARIANTS[variant].0, &[&host, &container]);
            for (index, (what, _)) in Loop::ALL.iter().enumerate() {
                for (place, worker) in workers.iter_mut().enumerate() {
                    let taken = sample(std::slice::from_mut(worker), *what);
                    samples[index][variant][place].push(taken);
                }
            }
            drop(attached);
        }
    }
    print(&samples, rounds);
}

fn print(samples: &[Vec<Vec<Vec<f64>>>], rounds: usize) {
    println!(
        "nanoseconds per turn, more than with the empty program, and ratio to it; medians of {rounds} rounds\n"
    );
    print!("{:<36}", "");
    for (_, place) in PLACES {
        print!("{place:>26}");
    }
    println!();
    for ((_, name), samples) in Loop::ALL.iter().zip(samples) {
        for ((_, variant), of_variant) in VARIANTS.iter().zip(samples) {
            print!("{name:<14}{variant:<22}");
            for (own, yardstick) in of_variant.iter().zip(&samples[1]) {
                let more: Vec<f64> =
                    own.iter().zip(yardstick).map(|(own, least)| own - least).collect();
                let text = format!(
                    "{:.1} ({:+.1}, {:.3})",
                    median(own),
                    median(&more),
                    ratio(own, yardstick)
                );
                print!("{text:>26}");
            }
            println!();
        }
    }
}
