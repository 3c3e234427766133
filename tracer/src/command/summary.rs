//! What is told at the end of a recording.

use std::fmt::Write;

use crate::{
    output::{Destination, FileKind},
    profile::{
        Derivation,
        summary::{DOCKER_DEFAULT, Summary},
    },
    recording::{Phase, Recording},
    session::{Outcome, Stop},
    text::{escape, escape_path},
};

/// The summary of a recording, its profile and the files that were written.
pub(super) fn render(
    outcome: &Outcome,
    derivation: &Derivation,
    destination: Option<&Destination>,
    verbose: bool,
) -> String {
    let mut text = String::from("\n");
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}", ending(outcome));
    write_numbers(&mut text, derivation, outcome);
    write_notes(&mut text, derivation);
    if verbose {
        write_reasons(&mut text, derivation);
        let (used, places) = outcome.table_fill;
        let _ = writeln!(text, "kernel table: {used} of {places} places taken");
    }
    if let Some(destination) = destination {
        let path = |kind| escape_path(&destination.path(kind));
        let _ = writeln!(text, "{}: the profile", path(FileKind::Profile));
        let _ = writeln!(text, "{}: the evidence", path(FileKind::Recording));
        let _ = writeln!(text, "{}: how a pod uses the profile", path(FileKind::Kubernetes));
    }
    if outcome.recording.complete {
        text.push_str("complete: nothing was lost\n");
    } else {
        text.push_str(&incomplete(&outcome.recording));
    }
    text
}

/// Why a recording is incomplete, and what follows.
pub(super) fn incomplete(recording: &Recording) -> String {
    let mut text = String::new();
    for reason in &recording.incomplete_reasons {
        let _ = writeln!(text, "incomplete: {reason}");
    }
    text
}

fn ending(outcome: &Outcome) -> String {
    let seconds = outcome.recording.duration_seconds;
    let why = match outcome.stop {
        Stop::Signal(signal) => format!("stopped by {signal}"),
        Stop::Duration => "stopped: the time is up".to_owned(),
        Stop::Quiet => "stopped: no new call for long enough".to_owned(),
        Stop::CommandEnded => "the command ended".to_owned(),
        Stop::TargetsEnded => "the target ended".to_owned(),
    };
    let status = outcome.command.map(|status| format!(" ({status})")).unwrap_or_default();
    format!("{why}{status} after {seconds:.1} s")
}

fn write_numbers(text: &mut String, derivation: &Derivation, outcome: &Outcome) {
    let summary = Summary::of(&derivation.profile);
    let _ = writeln!(
        text,
        "{} of {} x86_64 calls allowed, {} of them seen, {} added for runtimes, C library and start-up; Docker's default profile allows {DOCKER_DEFAULT}",
        summary.allowed,
        summary.names,
        summary.seen.min(summary.allowed),
        summary.added
    );
    if let Some(last) = last_new_call(outcome) {
        let _ = writeln!(text, "the last new call came {last:.1} s before the end");
    }
    if !summary.killed.is_empty() {
        let names: Vec<String> = summary
            .killed
            .iter()
            .map(|architecture| architecture.abi().name().to_owned())
            .collect();
        let _ = writeln!(
            text,
            "a program that calls through another ABI ({}) is killed, not refused; --all-arches changes that",
            names.join(", ")
        );
    }
}

/// Seconds between the last new call of the workload and the end.
fn last_new_call(outcome: &Outcome) -> Option<f64> {
    let recording = &outcome.recording;
    let calls = recording.cgroups.iter().flat_map(|cgroup| &cgroup.calls);
    let times =
        calls.filter(|call| call.phase != Phase::Setup).filter_map(|call| call.first_seen_seconds);
    times.reduce(f64::max).map(|last| (recording.duration_seconds - last).max(0.0))
}

fn write_notes(text: &mut String, derivation: &Derivation) {
    for call in &derivation.unexpressible {
        let _ = writeln!(
            text,
            "note: number {} ({}) has no name: it is in the recording, and cannot be in a profile",
            call.number,
            call.abi.name()
        );
    }
    for name in &derivation.excluded_seen {
        let _ =
            writeln!(text, "note: {} was seen and is left out, as --exclude says", escape(name));
    }
    for name in &derivation.ineffective {
        let _ =
            writeln!(text, "note: {} has no effect: no listed architecture has it", escape(name));
    }
}

fn write_reasons(text: &mut String, derivation: &Derivation) {
    text.push_str("added calls:\n");
    for added in &derivation.added {
        let _ = writeln!(text, "  {}: {}", added.name, added.reason);
    }
}
