//! What runs in a virtual machine: its first process, and the checks that its kernel must pass.
//!
//! The kernel starts it as `/init CHECK...`. It makes a system of what the initial file system
//! holds, starts itself again for the checks, and switches the machine off. Outside of a machine it
//! has one use: `guest files` lists the programs that it needs at the places where they are.

mod boot;
mod bundle;
mod capabilities;
mod cgroups;
mod checks;
mod containers;
mod denied;
mod enforce;
mod no_btf;
mod refused;
mod storm;
mod strace;
mod truth;
mod verify;

use std::env;
use std::process::{self, ExitCode};

use tests::{GROUND_TRUTH, WORKER};

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    if process::id() == 1 {
        boot::run(&words);
    }
    match words.split_first() {
        Some((first, [])) if first == "files" => println!("{GROUND_TRUTH}\n{WORKER}"),
        Some((first, names)) if first == "checks" => checks::run(names),
        _ => {
            eprintln!("guest: it is started by the kernel of a virtual machine");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
