//! What the tests share: cgroups, the tracer under test, the program that makes known calls, and
//! guards that leave nothing behind when a test fails.

mod bpf;
mod case;
mod cgroup;
mod ci;
mod container;
pub mod deployment;
mod files;
pub mod fuzz;
mod ground_truth;
mod image;
mod process;
mod recorded;
pub mod schema;
mod strangers;
mod terminal;
mod tracer;
pub mod typed;
pub mod virtual_machine;

use std::env;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

pub use self::tracer::{Outcome, Tracer, Tracing, tracer_program};
pub use bpf::{Loaded, loaded, loaded_by};
pub use case::{Ending, Stop, function_trial, trial};
pub use cgroup::{Cgroup, cgroup_mount, cgroup_v1_directory};
pub use container::CONTAINER_CAPABILITIES;
pub use files::{
    Mount, copy_program, entries, file_names, temporary_directory, write_program, written_names,
};
pub use ground_truth::{
    GROUND_TRUTH, HARMLESS, HARMLESS_I386, Random, WORKER, call_at, call_in, ground_truth,
};
pub use image::image_archive;
pub use process::{Finished, Running, succeed};
pub use recorded::{Calls, allowed, calls, names};
pub use strangers::Strangers;
pub use terminal::Terminal;

/// How long a test waits for something that happens soon or never.
pub const BOUND: Duration = Duration::from_secs(60);

/// Waits until the condition holds; panics with the description when the bound is over.
pub fn wait_until(what: &str, bound: Duration, condition: impl FnMut() -> bool) {
    assert!(holds_within(bound, condition), "waited {bound:?} in vain: {what}");
}

/// Whether the condition holds before the bound is over.
pub fn holds_within(bound: Duration, condition: impl FnMut() -> bool) -> bool {
    holds_when_asked_each(Duration::from_millis(2), bound, condition)
}

/// The same for a condition that costs something to ask for. The only place that sleeps.
pub fn holds_when_asked_each(
    pause: Duration,
    bound: Duration,
    mut condition: impl FnMut() -> bool,
) -> bool {
    let end = Instant::now() + bound;
    while !condition() {
        if Instant::now() > end {
            return false;
        }
        thread::sleep(pause);
    }
    true
}

/// Whether tests on the running kernel can be made here.
pub fn kernel_tier() -> Result<(), String> {
    if env::var_os("TRACER_BIN").is_none() {
        return Err("TRACER_BIN does not name the tracer to test: run `cargo xtask test`".into());
    }
    if !rustix::process::geteuid().is_root() {
        return Err("needs root: run `cargo xtask test`".into());
    }
    Ok(())
}

/// The path of a program that a test needs besides the tracer.
pub fn tool(name: &str) -> Result<PathBuf, String> {
    let mut path = env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    which::which_in_global(name, Some(path))
        .ok()
        .and_then(|mut found| found.next())
        .ok_or_else(|| format!("needs the program {name}, which is not installed"))
}
