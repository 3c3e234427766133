//! The summary at the end of a recording, or of a derivation: the closing block.

use super::{
    brought::MergedRecordings,
    closing::{Block, ClosingPart, Rest, Weight},
    derived, doubt, late,
    outputs::{DerivedProfile, Outputs},
    written,
};
use crate::{
    cli, message,
    output::formats::RECORDING,
    profile::Derivation,
    recording::{
        Departure, Recording,
        pods::{PodCount, pod_counts},
        starts::{StartCount, starts},
    },
    session::{SessionOutcome, Stop},
    text::{Escaped, escape, escape_path},
};

/// Where the evidence came from.
pub(super) enum EvidenceOrigin<'a> {
    /// It was recorded just now.
    Session(&'a SessionOutcome),
    /// It was read from files.
    Files(&'a MergedRecordings<'a>),
}

/// Prints as much of a result as the user asked for, and in any case what makes it incomplete.
/// `last`: what is said at the end.
pub(super) fn print(
    choices: &cli::DerivationOptions,
    source: &EvidenceOrigin<'_>,
    recording: &Recording,
    products: &[DerivedProfile],
    outputs: &Outputs,
    last: Vec<ClosingPart>,
) {
    if !choices.quiet {
        message::print_err("\n");
    }
    let parts = parts(choices, source, recording, products, outputs, last);
    print_block(parts, rest(products, outputs), choices.verbose);
}

/// Prints what was put together, in as many lines as a person reads.
pub(super) fn print_block(parts: Vec<ClosingPart>, rest: Rest, verbose: bool) {
    message::print_err(&Block::new(parts, rest).shown(verbose));
}

/// What is said, in the order in which it is read.
fn parts(
    choices: &cli::DerivationOptions,
    source: &EvidenceOrigin<'_>,
    recording: &Recording,
    products: &[DerivedProfile],
    outputs: &Outputs,
    last: Vec<ClosingPart>,
) -> Vec<ClosingPart> {
    let mut parts = Vec::new();
    if !choices.quiet {
        parts.extend(results(choices, source, recording, products, outputs));
    }
    parts.extend(completeness(choices.quiet, products));
    match source {
        EvidenceOrigin::Session(outcome) => parts.extend(failure(outcome)),
        EvidenceOrigin::Files(files) => {
            let derived = products.iter().filter_map(|one| one.derivation.as_ref().ok());
            let left_out = derived.flat_map(|one| &one.rare).map(String::as_str).collect();
            for line in [files.culprits(), files.left_out(&left_out)] {
                parts.push(ClosingPart::lines(Weight::Result, &line, ""));
            }
        }
    }
    parts.extend(last);
    parts
}

/// The command that shows what there is no room for.
fn rest(products: &[DerivedProfile], outputs: &Outputs) -> Rest {
    let whole = products.iter().find(|product| product.label.is_none());
    if let Some(files) = whole.and_then(|whole| outputs.files(whole)) {
        return Rest::File(format!("tracer explain {}", escape_path(&files.path(RECORDING))));
    }
    match products.iter().find_map(|product| outputs.files(product)) {
        Some(files) => {
            let all = files.path(RECORDING).with_file_name("*.recording.json");
            Rest::File(format!("tracer report {} -o -", escape_path(&all)))
        }
        None => Rest::NoFile,
    }
}

/// What was recorded, derived and written.
fn results(
    choices: &cli::DerivationOptions,
    source: &EvidenceOrigin<'_>,
    recording: &Recording,
    products: &[DerivedProfile],
    outputs: &Outputs,
) -> Vec<ClosingPart> {
    let whole = products.iter().find(|product| product.label.is_none());
    let mut parts = vec![ClosingPart::text(Weight::Always, opening(source, recording))];
    if let EvidenceOrigin::Files(files) = source {
        parts.extend(files.parts());
    }
    if let Some(DerivedProfile { derivation: Ok(derivation), .. }) = whole {
        let recorded_now = matches!(source, EvidenceOrigin::Session(_));
        parts.extend(derived::parts(recording, derivation, recorded_now, choices));
    }
    if choices.verbose
        && let EvidenceOrigin::Session(SessionOutcome { table_fill: (used, places), .. }) = source
    {
        let line = format!("kernel table: {used} of {places} places taken");
        parts.push(ClosingPart::text(Weight::Note, line));
    }
    // What earlier runs saw counts as well where everything is in one file.
    parts.extend(of_targets(recording, whole.map_or(recording, |whole| &whole.recording)));
    if outputs.all_containers {
        parts.extend(late::unseen(recording));
    }
    parts.extend(written::parts(products, outputs));
    parts
}

/// What else a recording says, besides what its profile allows.
pub(super) fn evidence(recording: &Recording, derivation: &Derivation) -> Vec<ClosingPart> {
    let mut parts = vec![incomplete(recording)];
    parts.extend(derived::notes(derivation, &[]));
    parts.extend(derived::denied(recording, derivation));
    parts.extend(of_targets(recording, recording));
    parts
}

/// What a recording says of its targets; `all`: with what earlier runs saw.
pub(super) fn of_targets(recording: &Recording, all: &Recording) -> Vec<ClosingPart> {
    let mut parts = doubt::parts(recording);
    parts.push(ClosingPart::list(Weight::Finding, departures(recording), "destination"));
    parts.push(ClosingPart::list(Weight::Finding, of_pods(recording), "target"));
    parts.push(ClosingPart::list(Weight::Finding, of_starts(all), "container"));
    parts
}

/// Nothing was lost of anything that was written.
pub(super) fn is_complete(products: &[DerivedProfile]) -> bool {
    products.iter().all(|product| product.recording.complete)
}

/// Who left the target and was followed.
fn departures(recording: &Recording) -> Vec<String> {
    let followed = recording.departures.iter().filter(|departure| departure.followed);
    let line = |departure: &Departure| {
        format!(
            "followed: processes that left {} for {}: {}, the first one {}; their calls count as the target's",
            escape(&departure.from),
            escape(&departure.to),
            departure.processes,
            departure.command
        )
    };
    followed.map(line).collect()
}

/// How many pods each target has, and which source named them.
fn of_pods(recording: &Recording) -> Vec<String> {
    let line = |one: &PodCount| {
        let plural = if one.pods == 1 { "" } else { "s" };
        let (target, source) = (escape(&one.target), one.source.display());
        format!("{target}: {} pod{plural}, {source}", one.pods)
    };
    pod_counts(recording).iter().map(line).collect()
}

/// How often each container was started.
fn of_starts(recording: &Recording) -> Vec<String> {
    let line = |one: &StartCount| {
        let plural = if one.complete == 1 { "" } else { "s" };
        let late = if one.late { "; it also ran before tracing began (a late start)" } else { "" };
        let sessions =
            if one.exec_sessions { "; exec sessions or probes are among its calls" } else { "" };
        let label = escape(&one.label);
        format!("{label}: {} start{plural} recorded whole{late}{sessions}", one.complete)
    };
    starts(recording).iter().map(line).collect()
}

/// What is missing, of each product that is incomplete.
fn completeness(quiet: bool, products: &[DerivedProfile]) -> Vec<ClosingPart> {
    let lacking: Vec<&DerivedProfile> =
        products.iter().filter(|product| !product.recording.complete).collect();
    let mut parts = Vec::new();
    if !quiet {
        parts.push(complete(products, lacking.is_empty()));
    }
    // What the whole one lacks, its parts lack.
    let whole = lacking.iter().find(|product| product.label.is_none());
    if let Some(whole) = whole {
        parts.push(incomplete(&whole.recording));
        return parts;
    }
    let (late, incomplete_profiles) = late::apart(lacking);
    let of_labels = incomplete_profiles.iter().flat_map(|product| {
        let label = product.label.as_deref().unwrap_or_default();
        let reasons = product.recording.incomplete_reasons.iter();
        reasons.map(move |reason| format!("incomplete: {}: {}", escape(label), printable(reason)))
    });
    let reasons = late::incomplete(&late).into_iter().chain(of_labels).collect();
    parts.push(ClosingPart::list(Weight::Loss, reasons, "reason"));
    parts
}

/// Says that nothing was lost, or what the user accepted to be lost.
fn complete(products: &[DerivedProfile], complete: bool) -> ClosingPart {
    let accepted: Vec<String> = products
        .iter()
        .filter_map(|product| accepted(product.label.as_deref(), &product.recording))
        .collect();
    if complete && accepted.is_empty() {
        return ClosingPart::text(Weight::Result, "complete: nothing was lost");
    }
    ClosingPart::list(Weight::Loss, accepted, "accepted late start")
}

/// What is missing of a recording that is complete because the user said so; nothing of any other.
pub(super) fn accepted(label: Option<&str>, recording: &Recording) -> Option<String> {
    if !recording.complete || recording.losses.late_start == 0 {
        return None;
    }
    let label = label.map(|label| format!("{}: ", escape(label))).unwrap_or_default();
    let first = recording.late_starts.first().map_or("a cgroup", String::as_str);
    let more = match recording.losses.late_start {
        1 => String::new(),
        count => format!(" and of {} more", count - 1),
    };
    Some(format!(
        "complete as you accepted: {label}the start of {}{more} was not seen (--accept-late-start)",
        escape(first)
    ))
}

/// Why a recording is incomplete, and what follows; what matters most comes first.
pub(super) fn incomplete(recording: &Recording) -> ClosingPart {
    let reasons = recording.incomplete_reasons.iter();
    let reasons = reasons.map(|reason| format!("incomplete: {}", printable(reason))).collect();
    ClosingPart::list(Weight::Loss, reasons, "kind of loss")
}

/// A reason, which a file may hold; its remedy stands on a line of its own.
fn printable(reason: &str) -> String {
    let safe = Escaped::joined;
    match reason.split_once("\nhint: ") {
        Some((reason, hint)) => format!("{}\nhint: {}", safe(reason), safe(hint)),
        None => safe(reason).to_string(),
    }
}

fn opening(source: &EvidenceOrigin<'_>, recording: &Recording) -> String {
    match source {
        EvidenceOrigin::Session(outcome) => ending(outcome),
        EvidenceOrigin::Files(files) => files.opening(recording),
    }
}

/// What a command that failed means for what was recorded.
pub(super) fn failure(outcome: &SessionOutcome) -> Option<ClosingPart> {
    let line = outcome.failure().map(|status| {
        format!("warning: the command failed ({status}): the recording lacks the calls that it did not reach")
    });
    line.map(|line| ClosingPart::text(Weight::Loss, line))
}

pub(super) fn ending(outcome: &SessionOutcome) -> String {
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

#[cfg(test)]
#[path = "summary_tests.rs"]
mod tests;
