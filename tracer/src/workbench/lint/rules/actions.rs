//! Actions: tokens, and what they make of the whole profile.

use super::super::{
    finding::{Confidence, Finding, LintRule, Safety, Severity},
    matrix::REFUSED,
    meaning::ProfileMeaning,
    subject::LintSubject,
};
use crate::{
    profile::oci::{ACTIONS, Action, closest},
    text::escape,
};

/// No action.
pub static UNKNOWN_ACTION: LintRule = LintRule {
    code: "unknown-action",
    summary: "there is no such action",
    severity: Severity::Error,
};
/// An allowlist that allows everything.
pub static DEFAULT_ALLOW: LintRule = LintRule {
    code: "default-allow",
    summary: "the profile lists what it allows, and allows everything else as well: it denies nothing",
    severity: Severity::Error,
};
/// Nothing is denied, and nothing is listed.
pub static ALLOWS_EVERYTHING: LintRule = LintRule {
    code: "allows-everything",
    summary: "the profile denies nothing",
    severity: Severity::Warning,
};
/// A list of what is denied.
pub static DENYLIST: LintRule = LintRule {
    code: "denylist",
    summary: "the profile lists what it denies, and allows every call that it does not name, also calls that newer kernels have",
    severity: Severity::Note,
};
/// The thread alone is killed.
pub static KILL_THREAD: LintRule = LintRule {
    code: "kill-thread",
    summary: "the action kills the thread alone, and leaves the other threads of the program in an unknown state",
    severity: Severity::Warning,
};
/// A tracer would have to decide.
pub static TRACE: LintRule = LintRule {
    code: "trace-without-tracer",
    summary: "SCMP_ACT_TRACE asks a process that traces the container; without one the call fails with ENOSYS",
    severity: Severity::Warning,
};

/// The rules of this file.
pub const RULES: &[&LintRule] =
    &[&UNKNOWN_ACTION, &DEFAULT_ALLOW, &ALLOWS_EVERYTHING, &DENYLIST, &KILL_THREAD, &TRACE];

/// A token that is none of a list: the likely one, and whether it is certain.
pub fn likely<T>(found: &str, tokens: &[(&'static str, T)]) -> Option<(&'static str, Safety)> {
    let same = tokens.iter().find(|(token, _)| token.eq_ignore_ascii_case(found.trim()));
    if let Some((token, _)) = same {
        return Some((token, Safety::Safe));
    }
    let tokens: Vec<&'static str> = tokens.iter().map(|(token, _)| *token).collect();
    closest(found, &tokens).map(|token| (token, Safety::Guess))
}

/// The remedy and the edit for a token.
pub fn token<T>(
    finding: Finding,
    subject: &LintSubject<'_>,
    (path, found): (&str, &str),
    tokens: &[(&'static str, T)],
) -> Finding {
    match likely(found, tokens) {
        Some((token, safety)) => {
            let edit = subject.replace(path, format!("\"{token}\""));
            let confidence =
                if safety == Safety::Safe { Confidence::Certain } else { Confidence::Likely };
            finding.remedy(format!("write {token}")).confidence(confidence).fix(safety, edit)
        }
        None => {
            let all: Vec<&str> = tokens.iter().map(|(token, _)| *token).collect();
            finding.remedy(format!("write one of {}", all.join(", ")))
        }
    }
}

/// No action.
pub fn unknown(subject: &LintSubject<'_>, path: &str, found: &str) -> Option<Finding> {
    let finding = subject.finding(&UNKNOWN_ACTION, path);
    let finding = finding.message(format!("`{}` is no action", escape(found)));
    token(finding, subject, (path, found), &ACTIONS).for_audience(&REFUSED, subject.audience)
}

/// What actions make of the whole.
pub fn check(subject: &LintSubject<'_>, meaning: &ProfileMeaning, findings: &mut Vec<Finding>) {
    let denies = |action: Action| !matches!(action, Action::Allow | Action::Log);
    let default = meaning.profile.default_action;
    let denying = meaning.profile.syscalls.iter().any(|rule| denies(rule.action));
    if !denies(default) {
        findings.push(without_denial(subject, meaning, denying));
    }
    let actions = meaning.rules().map(|(path, rule)| (format!("{path}.action"), rule.action));
    for (path, action) in std::iter::once(("defaultAction".to_owned(), default)).chain(actions) {
        let finding = match action {
            Action::KillThread => {
                let finding = subject.finding(&KILL_THREAD, &path);
                let edit = subject.replace(&path, "\"SCMP_ACT_KILL_PROCESS\"");
                finding.remedy("write SCMP_ACT_KILL_PROCESS").fix(Safety::Guess, edit)
            }
            Action::Trace => subject
                .finding(&TRACE, &path)
                .remedy("write SCMP_ACT_ERRNO, unless something traces it"),
            _ => continue,
        };
        findings.push(finding);
    }
}

/// A default action that denies nothing.
fn without_denial(subject: &LintSubject<'_>, meaning: &ProfileMeaning, denying: bool) -> Finding {
    const PLACE: &str = "defaultAction";
    if denying {
        let finding = subject.finding(&DENYLIST, PLACE);
        return finding
            .remedy("list what the program needs instead, and let the default deny the rest");
    }
    if meaning.profile.syscalls.is_empty() || meaning.profile.default_action == Action::Log {
        return subject
            .finding(&ALLOWS_EVERYTHING, PLACE)
            .remedy("good for recording and for logs; to protect anything, let the default deny and list what is needed");
    }
    let errno = match subject.at("defaultErrnoRet").found {
        true => None,
        false => subject.insert("", PLACE, "defaultErrnoRet", "38"),
    };
    let edits = subject.replace(PLACE, "\"SCMP_ACT_ERRNO\"").into_iter().chain(errno);
    subject
        .finding(&DEFAULT_ALLOW, PLACE)
        .remedy("write \"defaultAction\": \"SCMP_ACT_ERRNO\" and \"defaultErrnoRet\": 38")
        .fix(Safety::Guess, edits)
}
