//! Readers with random input: one trial for each target of `tests::fuzz`, for as long as
//! `TRACER_FUZZ_SECONDS` says.
//!
//! A target runs in a process of its own, whose memory is limited, so that nothing that an input
//! does ends the trial without the input being known: a panic, an abort, too much memory, a stack
//! that ends, or a loop without end.

mod child;

use std::env;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use libtest_mimic::Arguments;
use tests::fuzz::{TARGETS, Target, keep};
use tests::{BOUND, function_trial, holds_when_asked_each, temporary_directory};

/// How long a target runs when nobody says so.
const SECONDS: u64 = 60;
/// How much is shown of what a broken target said, in bytes.
const SHOWN: usize = 4000;
/// How often a target is looked at.
const PAUSE: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    if let Some(code) = child::as_child() {
        return code;
    }
    let trial = |target: &'static Target| {
        function_trial("fuzz::targets", target.name, move || fuzz(target))
    };
    let trials = TARGETS.iter().map(trial).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A number of the environment.
fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().and_then(|value| value.parse().ok())
}

fn seed() -> u64 {
    number("TRACER_TEST_SEED").unwrap_or_else(|| {
        let now = UNIX_EPOCH.elapsed().expect("the clock is past 1970");
        now.as_secs() << 20 ^ u64::from(now.subsec_nanos())
    })
}

/// Runs a target to its end.
fn fuzz(target: &'static Target) {
    let (seed, seconds) = (seed(), number("TRACER_FUZZ_SECONDS").unwrap_or(SECONDS));
    let directory = temporary_directory();
    let [input, said] = ["input", "said"].map(|name| directory.path().join(name));
    let output = File::create(&said).expect("a file can be made");
    let messages = output.try_clone().expect("a file can be shared");
    let mut command = Command::new(env::current_exe().expect("the path of this program"));
    command.env(child::TARGET, target.name).env(child::INPUT, &input);
    command.env(child::SEED, seed.to_string()).env(child::SECONDS, seconds.to_string());
    command.stdin(Stdio::null()).stdout(output).stderr(messages);
    let mut process = command.spawn().expect("this program can be started");
    let bound = Duration::from_secs(seconds) + BOUND;
    let mut status = None;
    let ended = holds_when_asked_each(PAUSE, bound, || {
        status = process.try_wait().expect("the target can be awaited");
        status.is_some()
    });
    if !ended {
        process.kill().expect("the target can be ended");
        process.wait().expect("the target can be awaited");
    }
    let said = last(&fs::read(&said).expect("what was said can be read"));
    if status.is_some_and(|status| status.success()) {
        println!("{}: {}", target.name, said.trim_end());
        return;
    }
    let input = fs::read(&input).expect("the last input can be read");
    let kept = keep(Path::new(env!("CARGO_TARGET_TMPDIR")), target, &input);
    let status = status.map_or_else(|| "did not end".to_owned(), |status| status.to_string());
    panic!(
        "{}: {status} with the input {}; it said:\n{said}\nTRACER_TEST_SEED={seed} makes it again; once it is mended, it belongs into {}",
        target.name,
        kept.display(),
        target.corpus().display()
    );
}

/// The last part of a text.
fn last(text: &[u8]) -> String {
    String::from_utf8_lossy(&text[text.len().saturating_sub(SHOWN)..]).into_owned()
}
