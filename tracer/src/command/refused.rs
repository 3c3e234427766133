//! The lines of the report about calls that were denied while recording, or will be under the
//! profile.

use std::fmt::Write;

use super::denied::{self, DeniedCall};
use crate::{
    profile::{Answer, Derivation, Errno, Profile},
    recording::{DenyOutcome, Recording},
};

/// The calls that a filter denied the target before a workload made any.
pub(super) fn denied_at_the_start(recording: &Recording) -> String {
    let mut text = String::new();
    if !write_calls(&mut text, recording).is_empty() {
        text.push_str(
            "hint: `tracer verify PROFILE --wait --amend FILE --cgroup TARGET` names and adds the calls that a profile lacks for a start\n",
        );
    }
    text
}

/// The calls that a filter refused, and what may be done.
pub(super) fn write_denied(text: &mut String, recording: &Recording, derivation: &Derivation) {
    let Profile { allowed, limited, answered, .. } = &derivation.profile;
    let is_left_out = |denied: &DeniedCall| {
        let Some(name) = denied.call.name.as_deref() else { return true };
        let known = denied.call.circumstances.as_ref();
        let arguments = known.and_then(|known| known.arguments.as_ref());
        let is_allowed = match limited.get(name) {
            Some(limit) => limit.covers(arguments),
            None => allowed.contains_key(name),
        };
        !is_allowed && !answered.contains_key(name)
    };
    if write_calls(text, recording).iter().any(is_left_out) {
        text.push_str("hint: --include-denied allows those that the profile lacks\n");
    }
}

/// The denied calls, one a line; those that are sure, and may do harm.
fn write_calls(text: &mut String, recording: &Recording) -> Vec<DeniedCall> {
    let mut calls = denied::list(recording);
    if !calls.is_empty() {
        text.push_str("denied by a filter while recording:\n");
    }
    calls.retain(|denied| {
        let _ = writeln!(text, "  {}", denied.line());
        if denied.call.doubtful {
            text.push_str(
                "    doubtful: it may have been allowed: the kernel skipped runs of the tracing program\n",
            );
        } else if let Some(why) = denied.harmless() {
            let _ = writeln!(text, "    {why}");
        } else {
            return true;
        }
        false
    });
    calls
}

/// What fails under a profile that ends the caller for everything else that is not allowed.
pub(super) fn write_answered(text: &mut String, derivation: &Derivation) {
    let answered = &derivation.profile.answered;
    let lines = |recorded: bool| -> Vec<String> {
        let lines = answered.iter().filter(|(_, answer)| {
            answer.is_recorded() == recorded && (recorded || answer.is_of_a_runtime())
        });
        lines.map(|(name, answer)| answer_of(name, answer)).collect()
    };
    let (recorded, tried) = (lines(true), lines(false));
    if !recorded.is_empty() {
        let _ = writeln!(
            text,
            "these calls were denied while recording; under the profile they fail with the same error, and do not end the caller: {}",
            recorded.join(", ")
        );
    }
    if !tried.is_empty() {
        let _ = writeln!(
            text,
            "a runtime only tries these calls; under the profile they fail, and do not end the runtime: {}",
            tried.join(", ")
        );
    }
}

fn answer_of(name: &str, answer: &Answer) -> String {
    let errno = |errno: Errno| DenyOutcome::Errno(errno.get()).display();
    let others: Vec<String> = answer.others.iter().copied().map(errno).collect();
    let others =
        if others.is_empty() { String::new() } else { format!(", not {}", others.join(" or ")) };
    format!("{name} ({}{others})", errno(answer.errno))
}
