//! Calls that another process decides on.

use super::super::{
    finding::{Finding, LintRule, Safety, Severity},
    matrix::{METADATA, NOTIFY_BY_DEFAULT},
    meaning::ProfileMeaning,
    subject::LintSubject,
};
use crate::profile::oci::Action;

/// Another process decides by default.
pub static NOTIFY_DEFAULT: LintRule = LintRule {
    code: "notify-by-default",
    summary: "SCMP_ACT_NOTIFY is the default action: another process would have to answer every call",
    severity: Severity::Error,
};
/// `listenerMetadata` alone.
pub static METADATA_ALONE: LintRule = LintRule {
    code: "metadata-without-listener",
    summary: "listenerMetadata stands without listenerPath",
    severity: Severity::Error,
};
/// Nobody is there to decide.
pub static NO_LISTENER: LintRule = LintRule {
    code: "notify-without-listener",
    summary: "a rule has SCMP_ACT_NOTIFY, and no listenerPath says which process answers",
    severity: Severity::Warning,
};
/// The call by which the listener's descriptor is sent.
pub static NOTIFY_WRITE: LintRule = LintRule {
    code: "notify-on-write",
    summary: "SCMP_ACT_NOTIFY on write, which runc refuses: it writes itself before anybody answers",
    severity: Severity::Error,
};

/// The rules of this file.
pub const RULES: &[&LintRule] = &[&NOTIFY_DEFAULT, &METADATA_ALONE, &NO_LISTENER, &NOTIFY_WRITE];

/// Another process decides by default.
pub fn by_default(subject: &LintSubject<'_>, path: &str) -> Option<Finding> {
    subject
        .finding(&NOTIFY_DEFAULT, path)
        .remedy("write SCMP_ACT_ERRNO, and SCMP_ACT_NOTIFY in a rule about the calls that are to be decided on")
        .fix(Safety::Guess, subject.replace(path, "\"SCMP_ACT_ERRNO\""))
        .for_audience(&NOTIFY_BY_DEFAULT, subject.audience)
}

/// `listenerMetadata` alone.
pub fn metadata(subject: &LintSubject<'_>, path: &str) -> Option<Finding> {
    subject
        .finding_of_key(&METADATA_ALONE, path)
        .remedy(
            "write listenerPath, or remove listenerMetadata: the specification forbids it alone",
        )
        .fix(Safety::Safe, subject.remove(path))
        .for_audience(&METADATA, subject.audience)
}

/// Rules by which another process decides.
pub fn check(subject: &LintSubject<'_>, meaning: &ProfileMeaning, findings: &mut Vec<Finding>) {
    for (path, rule) in meaning.rules().filter(|(_, rule)| rule.action == Action::Notify) {
        let path = format!("{path}.action");
        if meaning.profile.listener_path.is_none() {
            let finding = subject.finding(&NO_LISTENER, &path);
            findings.push(finding.remedy("write listenerPath, or another action: without a process that answers, the call fails with ENOSYS"));
        }
        let runs_runc =
            subject.audience.runtimes().iter().any(|(runtime, _)| runtime.name() == "runc");
        if runs_runc && rule.names.iter().any(|name| name == "write") {
            findings
                .push(subject.finding(&NOTIFY_WRITE, &path).remedy("take write out of the rule"));
        }
    }
}
