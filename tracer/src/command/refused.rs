//! What is told of calls that were refused while recording, or will be under the profile.

use std::fmt::Write;

use super::denied;
use crate::{
    profile::{Answer, Derivation, Errno, Profile},
    recording::{Recording, Refusal},
};

/// The calls that a filter refused, and what may be done.
pub(super) fn write_denied(text: &mut String, recording: &Recording, derivation: &Derivation) {
    let calls = denied::list(recording);
    if calls.is_empty() {
        return;
    }
    text.push_str("denied by a filter while recording:\n");
    let mut left_out = false;
    for denied in calls {
        let _ = writeln!(text, "  {}", denied.line(None));
        if denied.call.doubtful {
            text.push_str(
                "    doubtful: it may have been allowed: the kernel skipped runs of its program\n",
            );
            continue;
        }
        if let Some(why) = denied.harmless() {
            let _ = writeln!(text, "    {why}");
            continue;
        }
        let Profile { allowed, answered, .. } = &derivation.profile;
        let name = denied.call.name.as_deref();
        left_out |=
            name.is_none_or(|name| !allowed.contains_key(name) && !answered.contains_key(name));
    }
    if left_out {
        text.push_str("hint: --include-denied allows what is not in the profile of these\n");
    }
}

/// What fails under a profile that ends the caller for everything else that is not allowed.
pub(super) fn write_answered(text: &mut String, derivation: &Derivation) {
    let answered = &derivation.profile.answered;
    let told = |recorded: bool| -> Vec<String> {
        let told = answered.iter().filter(|(_, answer)| answer.is_recorded() == recorded);
        told.map(|(name, answer)| answer_of(name, answer)).collect()
    };
    let (recorded, tried) = (told(true), told(false));
    if !recorded.is_empty() {
        let _ = writeln!(
            text,
            "these calls were denied while recording; they fail under the profile as they did, and do not end the caller: {}",
            recorded.join(", ")
        );
    }
    if !tried.is_empty() {
        let _ = writeln!(
            text,
            "these calls a runtime only tries; they fail under the profile, and do not end the runtime: {}",
            tried.join(", ")
        );
    }
}

fn answer_of(name: &str, answer: &Answer) -> String {
    let errno = |errno: Errno| Refusal::Errno(errno.get()).display();
    let others: Vec<String> = answer.others.iter().copied().map(errno).collect();
    let others =
        if others.is_empty() { String::new() } else { format!(", not {}", others.join(" or ")) };
    format!("{name} ({}{others})", errno(answer.errno))
}
