//! The summary's lines about a profile that was derived.

use std::fmt::Write;

use super::{arguments, excluded, refused};
use crate::{
    cli,
    profile::{Derivation, defaults::Engine, summary::Summary},
    recording::{Phase, Recording},
    syscalls::Abi,
    text::escape,
};

/// The most lines about numbers without a name: a program can make any.
const NUMBERS: usize = 3;

/// The lines; `recorded_now`: the end of the recording is the end of this run.
pub(super) fn lines(
    recording: &Recording,
    derivation: &Derivation,
    recorded_now: bool,
    choices: &cli::Derivation,
) -> String {
    let mut lines = String::new();
    let text = &mut lines;
    write_numbers(text, derivation);
    if let Some(last) = last_new_call(recording).filter(|_| recorded_now) {
        let _ = writeln!(text, "the last new call came {last:.1} s before the end");
    }
    write_killed(text, derivation);
    write_notes(text, derivation, &choices.exclude);
    let policy = derivation.profile.policy();
    text.push_str(&arguments::notes(derivation, &policy));
    text.push_str(&arguments::beyond_defaults(&policy, std::slice::from_ref(recording)));
    text.push_str(&excluded::lines(&derivation.exclusion, &choices.exclude));
    refused::write_denied(text, recording, derivation);
    refused::write_answered(text, derivation);
    if choices.verbose {
        write_reasons(text, derivation);
    }
    lines
}

fn write_numbers(text: &mut String, derivation: &Derivation) {
    let summary = Summary::of(&derivation.profile);
    let docker = Engine::Docker.default_profile();
    let _ = writeln!(
        text,
        "{} of {} {} calls allowed: {} seen, {} added for runtimes, C library and start-up; Docker's default profile allows {} ({})",
        summary.allowed,
        summary.names,
        Abi::NATIVE.name(),
        summary.seen,
        summary.added,
        docker.names(),
        docker.version()
    );
    if summary.foreign > 0 {
        let _ = writeln!(
            text,
            "calls of other ABIs, which {} lacks, allowed as well: {}",
            Abi::NATIVE.name(),
            summary.foreign
        );
    }
    if summary.inferred > 0 {
        let _ = writeln!(
            text,
            "of those added, inferred by --alternatives and --error-paths: {}; -v gives the reasons",
            summary.inferred
        );
    }
}

fn write_killed(text: &mut String, derivation: &Derivation) {
    let killed = Summary::of(&derivation.profile).killed;
    if !killed.is_empty() {
        let names: Vec<&str> = killed.iter().map(|abi| abi.name()).collect();
        let whenever = if derivation.profile.default_action.ends_the_caller() {
            "killed, even for allowed calls"
        } else {
            "killed, not refused"
        };
        let _ = writeln!(
            text,
            "under this profile, programs of another ABI ({}) are {whenever}; --all-arches allows them",
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

fn write_notes(text: &mut String, derivation: &Derivation, typed: &[String]) {
    for call in derivation.unnamed.iter().take(NUMBERS) {
        let _ = writeln!(
            text,
            "note: number {} ({}) has no name: the recording has it, and a profile cannot allow it",
            call.number,
            call.abi.name()
        );
    }
    if let Some(more) = derivation.unnamed.len().checked_sub(NUMBERS).filter(|more| *more > 0) {
        let _ = writeln!(text, "note: and {more} more numbers without a name");
    }
    for name in &derivation.excluded_seen {
        let who = excluded::who(name, typed);
        let _ = writeln!(text, "note: {} was seen; {who} leaves it out", escape(name));
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
