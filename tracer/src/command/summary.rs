//! What is told at the end of a recording, or of a derivation.

use std::fmt::Write;

use super::{
    arguments, doubt, excluded, late,
    outputs::{Outputs, Product},
    refused,
};
use crate::{
    cli, message,
    output::{FileKind, Installation},
    profile::{Derivation, defaults::Engine, kubernetes, summary::Summary},
    recording::{
        Phase, Recording,
        starts::{pods, starts},
        told::told_pods,
    },
    session::{Outcome, Stop},
    text::{escape, escape_once, escape_path},
};

/// The most lines about numbers without a name: a program can make any.
const NUMBERS: usize = 3;

/// The most lines about many things of one kind.
const LINES: usize = 20;

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
    products: &[Product],
    outputs: &Outputs,
) {
    let mut text = String::new();
    let whole = products.iter().find(|product| product.label.is_none());
    if !choices.quiet {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n{}", opening(source, recording));
        if let Some(Product { derivation: Ok(derivation), .. }) = whole {
            write_whole(&mut text, choices.verbose, source, recording, derivation);
        }
        if choices.verbose
            && let Source::Session(Outcome { table_fill: (used, places), .. }) = source
        {
            let _ = writeln!(text, "kernel table: {used} of {places} places taken");
        }
        text.push_str(&doubt::told(recording));
        write_departures(&mut text, recording);
        write_told(&mut text, recording);
        // What earlier runs saw counts as well where everything is in one file.
        write_starts(&mut text, whole.map_or(recording, |whole| &whole.recording));
        if outputs.all_containers {
            text.push_str(&late::unseen(recording));
        }
        write_files(&mut text, products, outputs);
    }
    write_completeness(&mut text, choices.quiet, products);
    if let Source::Session(outcome) = source {
        text.push_str(&failure(outcome));
    }
    if !text.is_empty() {
        message::tell(&text);
    }
}

/// Nothing was lost of anything that was written.
pub(super) fn is_complete(products: &[Product]) -> bool {
    products.iter().all(|product| product.recording.complete)
}

/// What is told of the profile of everything together.
fn write_whole(
    text: &mut String,
    verbose: bool,
    source: &Source<'_>,
    recording: &Recording,
    derivation: &Derivation,
) {
    write_numbers(text, derivation);
    if let Source::Session(_) = source
        && let Some(last) = last_new_call(recording)
    {
        let _ = writeln!(text, "the last new call came {last:.1} s before the end");
    }
    write_killed(text, derivation);
    write_notes(text, derivation);
    let policy = derivation.profile.policy();
    text.push_str(&arguments::notes(derivation, &policy));
    text.push_str(&arguments::beyond_defaults(&policy, std::slice::from_ref(recording)));
    text.push_str(&excluded::lines(&derivation.exclusion));
    refused::write_denied(text, recording, derivation);
    refused::write_answered(text, derivation);
    if verbose {
        write_reasons(text, derivation);
    }
}

/// The files, of one profile in full, of many in short.
fn write_files(text: &mut String, products: &[Product], outputs: &Outputs) {
    for product in products.iter().take(LINES) {
        let destination = outputs.files(product);
        let path = |kind| destination.map(|one| escape_path(&one.path(kind))).unwrap_or_default();
        let _ = match (&product.label, &product.derivation) {
            (None, _) if destination.is_none() => Ok(()),
            (None, _) => writeln!(
                text,
                "{}: the profile\n{}: the evidence\n{}: the patch for what makes its pods",
                path(FileKind::Profile),
                path(FileKind::Recording),
                path(FileKind::Kubernetes)
            ),
            (Some(label), Ok(derivation)) => {
                let allowed = derivation.profile.allowed.len();
                let profile = path(FileKind::Profile);
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
fn write_old(text: &mut String, products: &[Product], outputs: &Outputs) {
    let destinations = products.iter().filter_map(|product| outputs.files(product));
    let recordings = destinations.filter_map(|one| one.old_of(FileKind::Recording));
    let partial = outputs.unfinished().and_then(|one| one.old_of(FileKind::Partial));
    let old: Vec<_> = recordings.chain(partial).collect();
    for path in old.iter().take(LINES) {
        let _ = writeln!(text, "{}: the evidence that was there before", escape_path(path));
    }
    write_more(text, old.len(), "older recordings");
    let lines: Vec<&str> = outputs.earlier_lines().collect();
    for line in lines.iter().take(LINES) {
        let _ = writeln!(text, "{line}");
    }
    write_more(text, lines.len(), "lines about older recordings");
}

/// What was written, on one line.
pub(super) fn profiles(products: &[Product], outputs: &Outputs) -> String {
    let path = |product| {
        let destination = outputs.files(product);
        let installed = || outputs.installation.as_ref().map(Installation::path);
        destination.map(|one| one.path(FileKind::Profile)).or_else(installed)
    };
    let told = products.iter().filter_map(|product| {
        let calls = product.derivation.as_ref().ok()?.profile.allowed.len();
        Some(format!("{} allows {calls} calls", escape_path(&path(product)?)))
    });
    let told: Vec<String> = told.collect();
    match told.len() {
        0..=LINES => told.join(", "),
        many => format!("{many} profiles were written"),
    }
}

/// Who left the target and was followed.
fn write_departures(text: &mut String, recording: &Recording) {
    let followed = || recording.departures.iter().filter(|departure| departure.followed);
    for departure in followed().take(LINES) {
        let _ = writeln!(
            text,
            "followed: processes that left {} for {}: {}, the first one {}; their calls are recorded as the target's",
            escape(&departure.from),
            escape(&departure.to),
            departure.processes,
            escape_once(&departure.command)
        );
    }
    write_more(text, followed().count(), "destinations");
}

/// By what it was told which pods are a target's.
fn write_told(text: &mut String, recording: &Recording) {
    for one in told_pods(recording).iter().take(LINES) {
        let plural = if one.pods == 1 { "" } else { "s" };
        let (target, told_by) = (escape(&one.target), one.told_by.display());
        let _ = writeln!(text, "{target}: {} pod{plural}, {told_by}", one.pods);
    }
}

/// How often each container was started.
fn write_starts(text: &mut String, recording: &Recording) {
    let found = starts(recording);
    for one in found.iter().take(LINES) {
        let plural = if one.whole == 1 { "" } else { "s" };
        let late = if one.late { ", and a late one" } else { "" };
        let sessions =
            if one.exec_sessions { "; exec sessions or probes are among its calls" } else { "" };
        let _ = writeln!(
            text,
            "{}: {} start{plural} recorded whole{late}{sessions}",
            escape(&one.label),
            one.whole
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
fn write_completeness(text: &mut String, quiet: bool, products: &[Product]) {
    let lacking: Vec<&Product> =
        products.iter().filter(|product| !product.recording.complete).collect();
    if !quiet {
        write_complete(text, products, lacking.is_empty());
    }
    // What the whole one lacks, its parts lack.
    let whole = lacking.iter().any(|product| product.label.is_none());
    let told = lacking.into_iter().filter(|product| !whole || product.label.is_none());
    let (late, told) = late::apart(told.collect());
    text.push_str(&late::incomplete(&late));
    for product in told.iter().take(LINES) {
        match &product.label {
            None => text.push_str(&incomplete(&product.recording)),
            Some(label) => {
                for reason in &product.recording.incomplete_reasons {
                    let _ = writeln!(text, "incomplete: {}: {reason}", escape(label));
                }
            }
        }
    }
    write_more(text, told.len(), "incomplete profiles");
}

/// Says that nothing was lost, or what the user accepted to be lost.
fn write_complete(text: &mut String, products: &[Product], complete: bool) {
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

/// What a command that failed means for what was recorded.
pub(super) fn failure(outcome: &Outcome) -> String {
    let told = outcome.failure().map(|status| {
        format!("warning: the command failed ({status}): what it did not reach is not recorded\n")
    });
    told.unwrap_or_default()
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
    let docker = Engine::Docker.default_profile();
    let _ = writeln!(
        text,
        "{} of {} x86_64 calls allowed, {} of them seen, {} added for runtimes, C library and start-up; Docker's default profile allows {} ({})",
        summary.allowed,
        summary.names,
        summary.seen,
        summary.added,
        docker.names(),
        docker.version()
    );
    if summary.foreign > 0 {
        let _ = writeln!(
            text,
            "calls of other ABIs that x86_64 has not, allowed as well: {}",
            summary.foreign
        );
    }
    if summary.inferred > 0 {
        let _ = writeln!(
            text,
            "inferred among those added, as --alternatives and --error-paths say: {}; -v gives the reasons",
            summary.inferred
        );
    }
}

fn write_killed(text: &mut String, derivation: &Derivation) {
    let killed = Summary::of(&derivation.profile).killed;
    if !killed.is_empty() {
        let names: Vec<&str> =
            killed.iter().map(|architecture| architecture.abi().name()).collect();
        let whenever = if derivation.profile.default_action.ends_the_caller() {
            "killed, also for what is allowed"
        } else {
            "killed, not refused"
        };
        let _ = writeln!(
            text,
            "a program that calls through another ABI ({}) is {whenever}; --all-arches changes that",
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
    for call in derivation.unexpressible.iter().take(NUMBERS) {
        let _ = writeln!(
            text,
            "note: number {} ({}) has no name: it is in the recording, and cannot be in a profile",
            call.number,
            call.abi.name()
        );
    }
    if let Some(more) = derivation.unexpressible.len().checked_sub(NUMBERS).filter(|more| *more > 0)
    {
        let _ = writeln!(text, "note: and {more} more numbers without a name");
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
    text.push_str(&arguments::values(derivation));
}
