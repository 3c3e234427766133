//! The lines of the report about calls that were denied while recording, or will be under the
//! profile.

use super::{
    closing::{ClosingPart, Weight},
    denied::{self, DeniedCall},
};
use crate::{
    profile::{Derivation, Errno, ErrnoAnswer, Profile},
    recording::{DenyOutcome, Recording},
};

/// The calls that a filter denied the target before a workload made any.
pub(super) fn denied_at_the_start(recording: &Recording) -> Vec<ClosingPart> {
    let (mut parts, harmful) = calls(recording);
    if !harmful.is_empty() {
        parts.push(ClosingPart::text(
            Weight::Result,
            "hint: `tracer verify PROFILE --wait --amend FILE --cgroup TARGET` names and adds the calls that a profile lacks for a start",
        ));
    }
    parts
}

/// The calls that a filter refused, and what may be done.
pub(super) fn denied(recording: &Recording, derivation: &Derivation) -> Vec<ClosingPart> {
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
    let (mut parts, harmful) = calls(recording);
    if harmful.iter().any(is_left_out) {
        let hint = "hint: --include-denied allows those that the profile lacks";
        parts.push(ClosingPart::text(Weight::Note, hint));
    }
    parts
}

/// The denied calls, those first that are sure and may do harm; and these.
fn calls(recording: &Recording) -> (Vec<ClosingPart>, Vec<DeniedCall>) {
    let (mut harmful, mut others) = (Vec::new(), Vec::new());
    for denied in denied::list(recording) {
        let line = format!("  {}", denied.line());
        if denied.call.doubtful {
            others.push(format!(
                "{line}\n    doubtful: it may have been allowed: the kernel skipped runs of the tracing program"
            ));
        } else if let Some(why) = denied.harmless() {
            others.push(format!("{line}\n    {why}"));
        } else {
            harmful.push((line, denied));
        }
    }
    let (mut lines, harmful): (Vec<String>, Vec<DeniedCall>) = harmful.into_iter().unzip();
    lines.append(&mut others);
    if lines.is_empty() {
        return (Vec::new(), harmful);
    }
    let head = format!("denied by a filter while recording: {}", lines.len());
    (vec![ClosingPart::list(Weight::Finding, lines, "").below(head)], harmful)
}

/// What fails under a profile that ends the caller for everything else that is not allowed.
pub(super) fn answered(derivation: &Derivation) -> Vec<ClosingPart> {
    let answered = &derivation.profile.answered;
    let names = |recorded: bool| -> Vec<String> {
        let names = answered.iter().filter(|(_, answer)| {
            answer.is_recorded() == recorded && (recorded || answer.is_of_a_runtime())
        });
        names.map(|(name, answer)| answer_of(name, answer)).collect()
    };
    let kinds = [
        (
            names(true),
            "these calls were denied while recording; under the profile they fail with the same error, and do not end the caller",
        ),
        (
            names(false),
            "a runtime only tries these calls; under the profile they fail, and do not end the runtime",
        ),
    ];
    let kinds = kinds.into_iter().filter(|(names, _)| !names.is_empty());
    let line = |(names, what): (Vec<String>, &str)| format!("{what}: {}", names.join(", "));
    kinds.map(line).map(|line| ClosingPart::text(Weight::Note, line)).collect()
}

fn answer_of(name: &str, answer: &ErrnoAnswer) -> String {
    let errno = |errno: Errno| DenyOutcome::Errno(errno.get()).display();
    let others: Vec<String> = answer.others.iter().copied().map(errno).collect();
    let others =
        if others.is_empty() { String::new() } else { format!(", not {}", others.join(" or ")) };
    format!("{name} ({}{others})", errno(answer.errno))
}
