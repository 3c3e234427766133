//! The summary at the end of a recording, or of a derivation.

use std::fmt::Write;

use super::{
    brought::Files,
    derived, doubt, late,
    outputs::{DerivedProfile, Outputs},
};
use crate::{
    cli, message,
    output::{
        Installation,
        formats::{FORMATS, PARTIAL, PROFILE, RECORDING},
    },
    profile::kubernetes,
    recording::{
        Recording,
        pods::pod_counts,
        starts::{pods, starts},
    },
    session::{Outcome, Stop},
    text::{escape, escape_path},
};

/// The most lines about many things of one kind.
const LINES: usize = 20;

/// Where the evidence came from.
pub(super) enum EvidenceOrigin<'a> {
    /// It was recorded just now.
    Session(&'a Outcome),
    /// It was read from files.
    Files(&'a Files<'a>),
}

/// Prints as much of a result as the user asked for, and in any case what makes it incomplete.
pub(super) fn print(
    choices: &cli::Derivation,
    source: &EvidenceOrigin<'_>,
    recording: &Recording,
    products: &[DerivedProfile],
    outputs: &Outputs,
) {
    let mut text = String::new();
    let whole = products.iter().find(|product| product.label.is_none());
    if !choices.quiet {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n{}", opening(source, recording));
        if let EvidenceOrigin::Files(files) = source {
            text.push_str(&files.lines());
        }
        if let Some(DerivedProfile { derivation: Ok(derivation), .. }) = whole {
            let recorded_now = matches!(source, EvidenceOrigin::Session(_));
            text.push_str(&derived::lines(recording, derivation, recorded_now, choices));
        }
        if choices.verbose
            && let EvidenceOrigin::Session(Outcome { table_fill: (used, places), .. }) = source
        {
            let _ = writeln!(text, "kernel table: {used} of {places} places taken");
        }
        text.push_str(&doubt::lines(recording));
        write_departures(&mut text, recording);
        write_pods(&mut text, recording);
        // What earlier runs saw counts as well where everything is in one file.
        write_starts(&mut text, whole.map_or(recording, |whole| &whole.recording));
        if outputs.all_containers {
            text.push_str(&late::unseen(recording));
        }
        write_files(&mut text, products, outputs);
    }
    write_completeness(&mut text, choices.quiet, products);
    match source {
        EvidenceOrigin::Session(outcome) => text.push_str(&failure(outcome)),
        EvidenceOrigin::Files(files) => {
            let derived = products.iter().filter_map(|one| one.derivation.as_ref().ok());
            let left_out = derived.flat_map(|one| &one.rare).map(String::as_str).collect();
            text.push_str(&files.culprits());
            text.push_str(&files.left_out(&left_out));
        }
    }
    if !text.is_empty() {
        message::print_err(&text);
    }
}

/// Nothing was lost of anything that was written.
pub(super) fn is_complete(products: &[DerivedProfile]) -> bool {
    products.iter().all(|product| product.recording.complete)
}

/// The files, of one profile in full, of many in short.
fn write_files(text: &mut String, products: &[DerivedProfile], outputs: &Outputs) {
    for product in products.iter().take(LINES) {
        let destination = outputs.files(product);
        let path = |format| destination.map(|one| escape_path(&one.path(format)));
        let _ = match (&product.label, &product.derivation) {
            (None, _) => {
                let others = FORMATS.iter().filter(|format| **format != PROFILE);
                std::iter::once(&PROFILE).chain(others).try_for_each(|format| {
                    path(format).map_or(Ok(()), |path| writeln!(text, "{path}: {}", format.title))
                })
            }
            (Some(label), Ok(derivation)) => {
                let allowed = derivation.profile.allowed.len();
                let profile = path(PROFILE).unwrap_or_default();
                let complete = if product.recording.complete { "complete" } else { "incomplete" };
                let pods = match pods(&product.recording) {
                    (_, 0 | 1) => String::new(),
                    (whole, all) => format!(", seen from their start in {whole} of {all} pods"),
                };
                writeln!(
                    text,
                    "{profile}: the profile of {}, {allowed} calls, {complete}{pods}",
                    escape(label)
                )
            }
            (Some(label), Err(error)) => {
                writeln!(text, "no profile of {}: {error}", escape(label))
            }
        };
    }
    write_more(text, products.len(), "profiles");
    write_old(text, products, outputs);
    if let Some(installation) = &outputs.installation {
        let path = escape_path(&installation.path());
        let _ = writeln!(text, "{path}: the profile, for pods on this node");
        text.push_str(&kubernetes::security_context(installation.profile()));
    }
}

/// The evidence of other runs that was there before.
fn write_old(text: &mut String, products: &[DerivedProfile], outputs: &Outputs) {
    let destinations = products.iter().filter_map(|product| outputs.files(product));
    let recordings = destinations.filter_map(|one| one.old_of(RECORDING));
    let partial = outputs.autosave().and_then(|one| one.old_of(PARTIAL));
    let old: Vec<_> = recordings.chain(partial).collect();
    for path in old.iter().take(LINES) {
        let _ = writeln!(text, "{}: the older evidence", escape_path(path));
    }
    write_more(text, old.len(), "older recordings");
    let lines: Vec<&str> = outputs.earlier_lines().collect();
    for line in lines.iter().take(LINES) {
        let _ = writeln!(text, "{line}");
    }
    write_more(text, lines.len(), "lines about older recordings");
}

/// What was written, on one line.
pub(super) fn profiles(products: &[DerivedProfile], outputs: &Outputs) -> String {
    let path = |product| {
        let destination = outputs.files(product);
        let installed = || outputs.installation.as_ref().map(Installation::path);
        destination.map(|one| one.path(PROFILE)).or_else(installed)
    };
    let lines = products.iter().filter_map(|product| {
        let calls = product.derivation.as_ref().ok()?.profile.allowed.len();
        Some(format!("{} allows {calls} calls", escape_path(&path(product)?)))
    });
    let lines: Vec<String> = lines.collect();
    match lines.len() {
        0..=LINES => lines.join(", "),
        many => format!("{many} profiles were written"),
    }
}

/// Who left the target and was followed.
fn write_departures(text: &mut String, recording: &Recording) {
    let followed = || recording.departures.iter().filter(|departure| departure.followed);
    for departure in followed().take(LINES) {
        let _ = writeln!(
            text,
            "followed: processes that left {} for {}: {}, the first one {}; their calls count as the target's",
            escape(&departure.from),
            escape(&departure.to),
            departure.processes,
            departure.command
        );
    }
    write_more(text, followed().count(), "destinations");
}

/// How many pods each target has, and which source named them.
fn write_pods(text: &mut String, recording: &Recording) {
    for one in pod_counts(recording).iter().take(LINES) {
        let plural = if one.pods == 1 { "" } else { "s" };
        let (target, source) = (escape(&one.target), one.source.display());
        let _ = writeln!(text, "{target}: {} pod{plural}, {source}", one.pods);
    }
}

/// How often each container was started.
fn write_starts(text: &mut String, recording: &Recording) {
    let found = starts(recording);
    for one in found.iter().take(LINES) {
        let plural = if one.complete == 1 { "" } else { "s" };
        let late = if one.late { "; it also ran before tracing began (a late start)" } else { "" };
        let sessions =
            if one.exec_sessions { "; exec sessions or probes are among its calls" } else { "" };
        let _ = writeln!(
            text,
            "{}: {} start{plural} recorded whole{late}{sessions}",
            escape(&one.label),
            one.complete
        );
    }
    write_more(text, found.len(), "containers");
}

fn write_more(text: &mut String, count: usize, what: &str) {
    if count > LINES {
        let _ = writeln!(text, "and {} more {what}", count - LINES);
    }
}

/// What is missing, of each product that is incomplete.
fn write_completeness(text: &mut String, quiet: bool, products: &[DerivedProfile]) {
    let lacking: Vec<&DerivedProfile> =
        products.iter().filter(|product| !product.recording.complete).collect();
    if !quiet {
        write_complete(text, products, lacking.is_empty());
    }
    // What the whole one lacks, its parts lack.
    let whole = lacking.iter().any(|product| product.label.is_none());
    let incomplete_profiles =
        lacking.into_iter().filter(|product| !whole || product.label.is_none());
    let (late, incomplete_profiles) = late::apart(incomplete_profiles.collect());
    text.push_str(&late::incomplete(&late));
    for product in incomplete_profiles.iter().take(LINES) {
        match &product.label {
            None => text.push_str(&incomplete(&product.recording)),
            Some(label) => {
                for reason in &product.recording.incomplete_reasons {
                    let _ = writeln!(text, "incomplete: {}: {reason}", escape(label));
                }
            }
        }
    }
    write_more(text, incomplete_profiles.len(), "incomplete profiles");
}

/// Says that nothing was lost, or what the user accepted to be lost.
fn write_complete(text: &mut String, products: &[DerivedProfile], complete: bool) {
    let accepted: Vec<String> = products
        .iter()
        .map(|product| accepted(product.label.as_deref(), &product.recording))
        .filter(|line| !line.is_empty())
        .collect();
    if complete && accepted.is_empty() {
        text.push_str("complete: nothing was lost\n");
    }
    text.extend(accepted.iter().take(LINES).map(String::as_str));
    write_more(text, accepted.len(), "accepted late starts");
}

/// What is missing of a recording that is complete because the user said so; nothing of any other.
pub(super) fn accepted(label: Option<&str>, recording: &Recording) -> String {
    if !recording.complete || recording.losses.late_start == 0 {
        return String::new();
    }
    let label = label.map(|label| format!("{}: ", escape(label))).unwrap_or_default();
    let first = recording.late_starts.first().map_or("a cgroup", String::as_str);
    let more = match recording.losses.late_start {
        1 => String::new(),
        count => format!(" and of {} more", count - 1),
    };
    format!(
        "complete as you accepted: {label}the start of {}{more} was not seen (--accept-late-start)\n",
        escape(first)
    )
}

/// Why a recording is incomplete, and what follows.
pub(super) fn incomplete(recording: &Recording) -> String {
    let mut text = String::new();
    for reason in &recording.incomplete_reasons {
        let _ = writeln!(text, "incomplete: {reason}");
    }
    text
}

fn opening(source: &EvidenceOrigin<'_>, recording: &Recording) -> String {
    match source {
        EvidenceOrigin::Session(outcome) => ending(outcome),
        EvidenceOrigin::Files(files) => files.opening(recording),
    }
}

/// What a command that failed means for what was recorded.
pub(super) fn failure(outcome: &Outcome) -> String {
    let warning = outcome.failure().map(|status| {
        format!("warning: the command failed ({status}): the recording lacks the calls that it did not reach\n")
    });
    warning.unwrap_or_default()
}

pub(super) fn ending(outcome: &Outcome) -> String {
    let seconds = outcome.recording.duration_seconds;
    let why = match outcome.stop {
        Stop::Signal(stop) => format!("stopped by {}", stop.signal),
        Stop::Duration => "stopped: the given time is up".to_owned(),
        Stop::Quiet => "stopped: no new call for the given time".to_owned(),
        Stop::CommandEnded => "the command ended".to_owned(),
        Stop::TargetsEnded => "the target ended".to_owned(),
    };
    let status = outcome.command.map(|status| format!(" ({status})")).unwrap_or_default();
    format!("{why}{status} after {seconds:.1} s")
}
