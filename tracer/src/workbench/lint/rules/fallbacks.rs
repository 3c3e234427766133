//! Calls that C libraries and programs try first, and go on without only when the answer is
//! that the kernel has none.

use super::super::{
    finding::{Confidence, Finding, LintRule, Safety, Severity},
    meaning::{ProfileMeaning, always},
    subject::{LintSubject, listed},
};
use crate::profile::{Errno, oci::Action, policy::Verdict};

/// A refusal that takes the fall-back away.
pub static FALLBACK: LintRule = LintRule {
    code: "no-fallback",
    summary: "calls that programs go on without after ENOSYS alone are refused with another error",
    severity: Severity::Warning,
};

/// The rules of this file.
pub const RULES: &[&LintRule] = &[&FALLBACK];

/// The calls, and what fails without the fall-back. Read in glibc 2.42 (`clone-internal.c`,
/// `faccessat.c`, `statx.c`, `fchmodat.c`) and musl 1.2.5, and measured with glibc 2.36 and
/// coreutils 9.1.
const CALLS: [(&str, &str); 5] = [
    ("clone3", "threads are not started (glibc from 2.34 on)"),
    ("faccessat2", "`test -x` and the like answer no"),
    ("fchmodat2", "modes of symbolic links are not changed"),
    ("renameat2", "`mv` fails"),
    ("statx", "`ls -l` and `stat` fail"),
];

/// Calls that are refused with another error than ENOSYS.
pub fn check(subject: &LintSubject<'_>, meaning: &ProfileMeaning, findings: &mut Vec<Finding>) {
    let Ok(policy) = &meaning.policy else { return };
    let is_refused = |name: &str| {
        let verdict = always(policy, name);
        matches!(verdict, Some(Verdict::Errno(errno)) if errno != Errno::ENOSYS.get())
    };
    let refused: Vec<&(&str, &str)> = CALLS.iter().filter(|(name, _)| is_refused(name)).collect();
    if refused.is_empty() || meaning.profile.default_action != Action::Errno {
        return;
    }
    let names: Vec<&str> = refused.iter().map(|(name, _)| *name).collect();
    let fails: Vec<&str> = refused.iter().map(|(_, fails)| *fails).collect();
    let edit = match subject.at("defaultErrnoRet").found {
        true => subject.replace("defaultErrnoRet", "38"),
        false => subject.insert("", "defaultAction", "defaultErrnoRet", "38"),
    };
    let path = match subject.at("defaultErrnoRet").found {
        true => "defaultErrnoRet",
        false => "defaultAction",
    };
    findings.push(
        subject
            .finding(&FALLBACK, path)
            .message(format!(
                "{} would be done without after ENOSYS alone, and {} refused with another error: {}",
                listed(&names),
                if names.len() == 1 { "is" } else { "are" },
                fails.join("; ")
            ))
            .remedy("write \"defaultErrnoRet\": 38, or allow them")
            .confidence(Confidence::Likely)
            .fix(Safety::Guess, edit),
    );
}
