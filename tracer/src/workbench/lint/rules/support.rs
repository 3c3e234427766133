//! What older runtimes and libraries do not know: flags, and calls newer than libseccomp.

use super::{
    super::{
        consumer::Version,
        finding::{Finding, LintRule, Severity},
        matrix::{FLAGS, REFUSED},
        subject::{LintSubject, listed},
    },
    actions,
};
use crate::{
    profile::oci::FLAGS as KNOWN_FLAGS,
    syscalls::{self, Abi},
    text::escape,
    workbench::json_text::JsonNode,
};

/// No flag.
pub static UNKNOWN_FLAG: LintRule =
    LintRule { code: "unknown-flag", summary: "there is no such flag", severity: Severity::Error };
/// A list of flags.
pub static FLAGS_OF_OLD_RUNC: LintRule = LintRule {
    code: "flags-unsupported",
    summary: "runc before 1.2 refuses a profile with flags",
    severity: Severity::Error,
};
/// An empty list of flags.
pub static EMPTY_FLAGS: LintRule = LintRule {
    code: "empty-flags",
    summary: "an empty list of flags is not the same as none: without one, runc from 1.2 on and crun set SPEC_ALLOW",
    severity: Severity::Note,
};
/// Calls that libseccomp may not know.
pub static TOO_NEW: LintRule = LintRule {
    code: "libseccomp-too-old",
    summary: "an older libseccomp does not know the call, and the runtime leaves its rule out silently",
    severity: Severity::Warning,
};

/// The rules of this file.
pub const RULES: &[&LintRule] = &[&UNKNOWN_FLAG, &FLAGS_OF_OLD_RUNC, &EMPTY_FLAGS, &TOO_NEW];

/// The newest call of x86_64 that releases of libseccomp know (`src/syscalls.csv` of each tag).
/// Distributions patch: Debian 12's 2.5.4 knows 456.
const NEWEST: [(&str, i32); 7] = [
    ("2.5.1", 439),
    ("2.5.2", 447),
    ("2.5.3", 448),
    ("2.5.4", 450),
    ("2.5.5", 456),
    ("2.5.6", 466),
    ("2.6.1", 471),
];

/// No flag.
pub fn unknown_flag(subject: &LintSubject<'_>, path: &str, found: &str) -> Option<Finding> {
    let finding = subject.finding(&UNKNOWN_FLAG, path);
    let finding = finding.message(format!("`{}` is no flag", escape(found)));
    actions::token(finding, subject, (path, found), &KNOWN_FLAGS)
        .for_audience(&REFUSED, subject.audience)
}

/// Flags and calls that are too new.
pub fn check(subject: &LintSubject<'_>, findings: &mut Vec<Finding>) {
    let flags = subject.at("flags");
    if flags.found && flags.node.items().is_empty() && !flags.node.is_null() {
        let finding = subject.finding_of_key(&EMPTY_FLAGS, "flags");
        findings.push(finding.remedy(
            "leave `flags` out, unless the mitigation of Speculative Store Bypass is wanted",
        ));
    } else if flags.found && !flags.node.items().is_empty() {
        let finding = subject.finding_of_key(&FLAGS_OF_OLD_RUNC, "flags");
        let finding = finding.remedy("leave `flags` out").for_audience(&FLAGS, subject.audience);
        findings.extend(finding);
    }
    too_new(subject, findings);
}

/// Calls that libseccomp may not know: a finding for each release.
fn too_new(subject: &LintSubject<'_>, findings: &mut Vec<Finding>) {
    let installed = subject.audience.libseccomp.as_ref();
    let mut older = 0;
    for (release, newest) in NEWEST {
        let numbers = older + 1..=newest;
        older = newest;
        let is_known = match (installed, release.parse::<Version>()) {
            (Some(installed), Ok(release)) => *installed >= release,
            // Every system that is still maintained has this one.
            (None, Ok(_)) => release == "2.5.1",
            (_, Err(())) => true,
        };
        if is_known {
            continue;
        }
        let (names, first) = named(subject, |number| numbers.contains(&number));
        let Some(first) = first else { continue };
        let severity = if installed.is_some() { Severity::Warning } else { Severity::Note };
        findings.push(
            subject
                .finding(&TOO_NEW, &first)
                .message(format!("libseccomp before {release} does not know {}", listed(&names)))
                .remedy(format!(
                    "where libseccomp is older the default action applies to {}: update it, or do not count on the rule",
                    if names.len() == 1 { "it" } else { "them" }
                ))
                .severity(severity),
        );
    }
}

/// The names whose numbers are wanted, and the path of the first one.
fn named(
    subject: &LintSubject<'_>,
    wanted: impl Fn(i32) -> bool,
) -> (Vec<&'static str>, Option<String>) {
    let (mut names, mut first) = (Vec::new(), None);
    let entries: Vec<_> =
        syscalls::entries(Abi::NATIVE).filter(|(number, _)| wanted(*number)).collect();
    for (rule, node) in subject.at("syscalls").node.items().iter().enumerate() {
        let items = node.get("names").map(JsonNode::items).unwrap_or_default();
        for (at, item) in items.iter().enumerate() {
            let known = entries.iter().find(|(_, name)| item.text() == Some(*name));
            if let Some((_, name)) = known.filter(|(_, name)| !names.contains(name)) {
                names.push(*name);
                first.get_or_insert_with(|| format!("syscalls[{rule}].names[{at}]"));
            }
        }
    }
    (names, first)
}
