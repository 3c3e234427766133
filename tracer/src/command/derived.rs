//! What the closing block says of a profile that was derived.

use std::fmt::Write;

use super::{
    arguments,
    closing::{ClosingPart, Weight},
    excluded, refused,
};
use crate::{
    cli,
    profile::{Derivation, UnnamedSyscall, defaults::DefaultsEngine, summary::Summary},
    recording::{Phase, Recording},
    syscalls::Abi,
    text::escape,
};

/// The most numbers without a name on a line: a program can make any.
const NUMBERS: usize = 3;

/// The parts; `recorded_now`: the end of the recording is the end of this run.
pub(super) fn parts(
    recording: &Recording,
    derivation: &Derivation,
    recorded_now: bool,
    choices: &cli::DerivationOptions,
) -> Vec<ClosingPart> {
    let mut parts = numbers(derivation);
    if let Some(last) = last_new_call(recording).filter(|_| recorded_now) {
        let line = format!("the last new call came {last:.1} s before the end");
        parts.push(ClosingPart::text(Weight::Note, line));
    }
    parts.extend(killed(derivation));
    parts.extend(notes(derivation, &choices.exclude));
    let recordings = std::slice::from_ref(recording);
    parts.push(arguments::beyond_defaults(&derivation.profile.policy(), recordings));
    let excluded = excluded::lines(&derivation.exclusion, &choices.exclude);
    let weight = if excluded.contains("warning: ") { Weight::Loss } else { Weight::Result };
    parts.push(ClosingPart::lines(weight, &excluded, "note"));
    parts.extend(denied(recording, derivation));
    if choices.verbose {
        parts.push(ClosingPart::text(Weight::Note, reasons(derivation)));
    }
    parts
}

/// What is to be said of certain calls; `typed` are those that the command line takes out.
pub(super) fn notes(derivation: &Derivation, typed: &[String]) -> [ClosingPart; 2] {
    let arguments = arguments::notes(derivation, &derivation.profile.policy());
    [
        ClosingPart::list(Weight::Note, of_names(derivation, typed), "note"),
        ClosingPart::lines(Weight::Note, &arguments, "note"),
    ]
}

/// The calls that were denied, and what becomes of them.
pub(super) fn denied(recording: &Recording, derivation: &Derivation) -> Vec<ClosingPart> {
    let mut parts = refused::denied(recording, derivation);
    parts.extend(refused::answered(derivation));
    parts
}

fn numbers(derivation: &Derivation) -> Vec<ClosingPart> {
    let summary = Summary::of(&derivation.profile);
    let docker = DefaultsEngine::Docker.default_profile();
    let line = format!(
        "{} of {} {} calls allowed: {} seen, {} added for runtimes, C library and start-up; Docker's default profile allows {} ({})",
        summary.allowed,
        summary.names,
        Abi::NATIVE.name(),
        summary.seen,
        summary.added,
        docker.names(),
        docker.version()
    );
    let mut parts = vec![ClosingPart::text(Weight::Always, line)];
    if summary.foreign > 0 {
        let line = format!(
            "calls of other ABIs, which {} lacks, allowed as well: {}",
            Abi::NATIVE.name(),
            summary.foreign
        );
        parts.push(ClosingPart::text(Weight::Finding, line));
    }
    if summary.inferred > 0 {
        let line = format!(
            "of those added, inferred by --alternatives and --error-paths: {}; -v gives the reasons",
            summary.inferred
        );
        parts.push(ClosingPart::text(Weight::Finding, line));
    }
    parts
}

fn killed(derivation: &Derivation) -> Option<ClosingPart> {
    let killed = Summary::of(&derivation.profile).killed;
    let names: Vec<&str> = killed.iter().map(|abi| abi.name()).collect();
    let whenever = if derivation.profile.default_action.ends_the_caller() {
        "killed, even for allowed calls"
    } else {
        "killed, not refused"
    };
    let line = format!(
        "under this profile, programs of another ABI ({}) are {whenever}; --all-arches allows them",
        names.join(", ")
    );
    (!names.is_empty()).then(|| ClosingPart::text(Weight::Note, line))
}

/// Seconds between the last new call of the workload and the end.
fn last_new_call(recording: &Recording) -> Option<f64> {
    let calls = recording.cgroups.iter().flat_map(|cgroup| &cgroup.calls);
    let times =
        calls.filter(|call| call.phase != Phase::Setup).filter_map(|call| call.first_seen_seconds);
    times.reduce(f64::max).map(|last| (recording.duration_seconds - last).max(0.0))
}

fn of_names(derivation: &Derivation, typed: &[String]) -> Vec<String> {
    let excluded = derivation.excluded_seen.iter().map(|name| {
        let who = excluded::who(name, typed);
        format!("note: {} was seen; {who} leaves it out", escape(name))
    });
    let ineffective = derivation
        .ineffective
        .iter()
        .map(|name| format!("note: {} has no effect: no listed architecture has it", escape(name)));
    let unnamed = unnamed(&derivation.unnamed);
    unnamed.into_iter().chain(excluded).chain(ineffective).collect()
}

/// The line about numbers without a name.
fn unnamed(calls: &[UnnamedSyscall]) -> Option<String> {
    let shown = calls.iter().take(NUMBERS);
    let shown = shown.map(|call| format!("{} ({})", call.number, call.abi.name()));
    let shown = shown.collect::<Vec<_>>().join(", ");
    Some(match calls.len() {
        0 => return None,
        1 => format!(
            "note: number {shown} has no name: the recording has it, and a profile cannot allow it"
        ),
        all => {
            let more = match all.saturating_sub(NUMBERS) {
                0 => String::new(),
                more => format!(" and {more} more numbers"),
            };
            format!(
                "note: numbers without a name: {shown}{more}: the recording has them, and a profile cannot allow them"
            )
        }
    })
}

fn reasons(derivation: &Derivation) -> String {
    let mut text = "added calls:".to_owned();
    for added in &derivation.added {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n  {}: {}", added.name, added.reason);
    }
    format!("{text}\n{}", arguments::values(derivation))
}
