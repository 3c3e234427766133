//! Tests with real container runtimes: a learned profile starts the container again, and nothing
//! more is allowed.

mod bundle;
mod cases;
mod command_line;
mod conditions;
mod converted;
mod corrected;
mod counter;
mod cri;
mod cri_api;
mod cri_containers;
mod cri_files;
mod default_filter;
mod desk;
mod does_not_start;
mod engine;
mod executed;
mod image;
mod kill;
mod kubelets;
mod learned;
mod life;
mod list;
mod lxc;
mod many;
mod matrix;
mod names;
mod namespace;
mod nested;
mod observed;
mod phases;
mod podman_pods;
mod refused;
mod releases;
mod root;
mod starts;
mod startup_errors;
mod strangers;
mod table;
mod typed;
mod user_namespaces;
mod verify;
mod watched;
mod whose;
mod why;
mod workloads;
mod world;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::Arguments;

use crate::cases::Cases;
use crate::world::World;

/// Containers wait much of the time.
const THREADS: usize = 4;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let world = Arc::new(World::new());
    let cases = Cases::new(&world);
    // The longest first.
    let mut trials = kill::trials(&cases);
    trials.extend(starts::trials(&cases, &world));
    trials.extend(life::trials(&cases));
    trials.extend(podman_pods::trials(&cases, &world));
    trials.extend(whose::trials(&cases));
    trials.extend(matrix::trials(&cases));
    trials.extend(phases::trials(&cases));
    trials.extend(kubelets::trials(&cases));
    trials.extend(user_namespaces::trials(&cases));
    trials.extend(counter::trials(&cases));
    trials.extend(nested::trials(&cases));
    trials.extend(observed::trials(&cases));
    trials.extend(verify::trials(&cases));
    trials.extend(watched::trials(&cases));
    trials.extend(conditions::trials(&cases));
    trials.extend(does_not_start::trials(&cases));
    trials.extend(names::trials(&cases));
    trials.extend(default_filter::trials(&cases));
    trials.extend(list::trials(&cases));
    trials.extend(many::trials(&cases));
    trials.extend(image::trials(&cases));
    trials.extend(learned::trials(&cases));
    trials.extend(strangers::trials(&cases));
    trials.extend(why::trials(&cases));
    trials.extend(executed::trials(&cases));
    trials.extend(refused::trials(&cases));
    trials.extend(startup_errors::trials(&cases));
    trials.extend(corrected::trials(&cases));
    trials.extend(lxc::trials(&cases));
    trials.extend(converted::trials(&cases));
    let together = libtest_mimic::run(&arguments, trials);
    arguments.test_threads = Some(1);
    let mut trials = kubelets::alone(&cases);
    trials.extend(typed::alone(&cases));
    let alone = libtest_mimic::run(&arguments, trials);
    print!("{}", world.table);
    drop(cases);
    drop(world);
    if together.has_failed() { together.exit_code() } else { alone.exit_code() }
}
