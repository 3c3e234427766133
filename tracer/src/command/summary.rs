//! What is told at the end of a recording, or of a derivation.

use std::fmt::Write;

use super::denied;
use crate::{
    cli, message,
    output::{Destination, FileKind, Installation},
    profile::{
        Derivation, kubernetes,
        summary::{DOCKER_DEFAULT, Summary},
    },
    recording::{Phase, Recording},
    session::{Outcome, Stop},
    text::{escape, escape_path},
};

/// Where the evidence came from.
pub(super) enum Source<'a> {
    /// It was recorded just now.
    Session(&'a Outcome),
    /// It was read from so many files.
    Files(usize),
}

/// Tells the person as much of a result as was asked for. Whatever was asked for, they learn that it is incomplete.
pub(super) fn tell(
    choices: &cli::Derivation,
    source: &Source<'_>,
    recording: &Recording,
    derivation: &Derivation,
    destination: Option<&Destination>,
    installation: Option<&Installation>,
) {
    if !choices.quiet {
        let files = (destination, installation);
        message::tell(&render(choices.verbose, source, recording, derivation, files));
    } else if !recording.complete {
        message::tell(&incomplete(recording));
    }
}

/// The summary of a recording, its profile and the files that were written.
fn render(
    verbose: bool,
    source: &Source<'_>,
    recording: &Recording,
    derivation: &Derivation,
    (destination, installation): (Option<&Destination>, Option<&Installation>),
) -> String {
    let mut text = String::from("\n");
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}", opening(source, recording));
    write_numbers(&mut text, derivation);
    if let Source::Session(_) = source
        && let Some(last) = last_new_call(recording)
    {
        let _ = writeln!(text, "the last new call came {last:.1} s before the end");
    }
    write_killed(&mut text, derivation);
    write_notes(&mut text, derivation);
    write_denied(&mut text, recording, derivation);
    if verbose {
        write_reasons(&mut text, derivation);
        if let Source::Session(Outcome { table_fill: (used, places), .. }) = source {
            let _ = writeln!(text, "kernel table: {used} of {places} places taken");
        }
    }
    if let Some(destination) = destination {
        let path = |kind| escape_path(&destination.path(kind));
        let _ = writeln!(text, "{}: the profile", path(FileKind::Profile));
        let _ = writeln!(text, "{}: the evidence", path(FileKind::Recording));
        let _ = writeln!(text, "{}: how a pod uses the profile", path(FileKind::Kubernetes));
    }
    if let Some(installation) = installation {
        let path = escape_path(&installation.path());
        let _ = writeln!(text, "{path}: the profile, for pods on this node");
        text.push_str(&kubernetes::security_context(installation.profile()));
    }
    if recording.complete {
        text.push_str("complete: nothing was lost\n");
    } else {
        text.push_str(&incomplete(recording));
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

fn opening(source: &Source<'_>, recording: &Recording) -> String {
    match source {
        Source::Session(outcome) => ending(outcome),
        Source::Files(files) => format!(
            "derived again; recordings: {files}, cgroups: {}, seconds: {:.1}",
            recording.cgroups.len(),
            recording.duration_seconds
        ),
    }
}

pub(super) fn ending(outcome: &Outcome) -> String {
    let seconds = outcome.recording.duration_seconds;
    let why = match outcome.stop {
        Stop::Signal(stop) => format!("stopped by {}", stop.signal),
        Stop::Duration => "stopped: the time is up".to_owned(),
        Stop::Quiet => "stopped: no new call for long enough".to_owned(),
        Stop::CommandEnded => "the command ended".to_owned(),
        Stop::TargetsEnded => "the target ended".to_owned(),
    };
    let status = outcome.command.map(|status| format!(" ({status})")).unwrap_or_default();
    format!("{why}{status} after {seconds:.1} s")
}

fn write_numbers(text: &mut String, derivation: &Derivation) {
    let summary = Summary::of(&derivation.profile);
    let _ = writeln!(
        text,
        "{} of {} x86_64 calls allowed, {} of them seen, {} added for runtimes, C library and start-up; Docker's default profile allows {DOCKER_DEFAULT}",
        summary.allowed,
        summary.names,
        summary.seen.min(summary.allowed),
        summary.added
    );
    if summary.inferred > 0 {
        let _ = writeln!(
            text,
            "inferred among those added, as --alternatives and --error-paths say: {}; -v gives the reasons",
            summary.inferred
        );
    }
}

fn write_denied(text: &mut String, recording: &Recording, derivation: &Derivation) {
    let calls = denied::list(recording);
    if calls.is_empty() {
        return;
    }
    text.push_str("denied by a filter while recording:\n");
    let mut left_out = false;
    for denied in calls {
        let _ = writeln!(text, "  {}", denied.line(None));
        let name = denied.call.name.as_deref();
        left_out |= name.is_none_or(|name| !derivation.profile.allowed.contains_key(name));
    }
    if left_out {
        text.push_str("hint: --include-denied allows what is not in the profile of these\n");
    }
}

fn write_killed(text: &mut String, derivation: &Derivation) {
    let killed = Summary::of(&derivation.profile).killed;
    if !killed.is_empty() {
        let names: Vec<&str> =
            killed.iter().map(|architecture| architecture.abi().name()).collect();
        let _ = writeln!(
            text,
            "a program that calls through another ABI ({}) is killed, not refused; --all-arches changes that",
            names.join(", ")
        );
    }
}

/// Seconds between the last new call of the workload and the end.
fn last_new_call(recording: &Recording) -> Option<f64> {
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
