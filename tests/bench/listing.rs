//! What `tracer list` takes, with whatever runs on the machine.

use std::{
    env,
    process::{Command, Stdio},
    time::Instant,
};

use crate::median;

/// Runs of each.
const RUNS: usize = 21;

/// Prints a row: milliseconds, and the ratio to `tracer --version`.
pub fn bench() {
    let program = env::var_os("TRACER_BIN").expect("TRACER_BIN is set");
    let milliseconds = |argument: &str| {
        let mut command = Command::new(&program);
        command.arg(argument).stdout(Stdio::null()).stderr(Stdio::null());
        let began = Instant::now();
        let status = command.status().expect("tracer can be started");
        assert!(status.success(), "tracer {argument}: {status}");
        began.elapsed().as_secs_f64() * 1e3
    };
    let (mut lists, mut ratios) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let (list, nothing) = (milliseconds("list"), milliseconds("--version"));
        lists.push(list);
        ratios.push(list / nothing);
    }
    println!(
        "\ntracer list, milliseconds and ratio to `tracer --version`: {:.1} ({:.2})",
        median(&lists),
        median(&ratios)
    );
}
