//! Conditions on the machine and the container: `includes` and `excludes`.

use super::super::{
    finding::{Confidence, Finding, LintRule, Safety, Severity},
    matrix::{MACHINE, MACHINE_UNKNOWN, MIN_KERNEL, MIN_KERNEL_UNKNOWN},
    meaning::{self, ProfileMeaning},
    subject::{LintSubject, listed},
};
use crate::{
    profile::{
        capability::Capability,
        oci::{Action, Constraint, Rule},
        policy,
    },
    syscalls::{self, HOST},
    text::escape,
    workbench::json_text::Edit,
};

/// A rule that counts under conditions.
pub static CONDITIONAL: LintRule = LintRule {
    code: "conditional-rule",
    summary: "the rule counts under conditions, which containerd, runc and crun read over",
    severity: Severity::Error,
};
/// A rule that counts from a kernel on.
pub static KERNEL: LintRule = LintRule {
    code: "min-kernel",
    summary: "the rule counts from a kernel version on, which Docker alone looks at",
    severity: Severity::Error,
};
/// No capability.
pub static UNKNOWN_CAPABILITY: LintRule = LintRule {
    code: "unknown-capability",
    summary: "there is no such capability",
    severity: Severity::Error,
};
/// A token in the place of Go's name.
pub static MACHINE_ARCHITECTURE: LintRule = LintRule {
    code: "machine-architecture",
    summary: "conditions name architectures as Go does, not by tokens",
    severity: Severity::Error,
};
/// No version.
pub static KERNEL_FORM: LintRule = LintRule {
    code: "min-kernel-form",
    summary: "minKernel is a version of two numbers",
    severity: Severity::Error,
};

/// The rules of this file.
pub const RULES: &[&LintRule] =
    &[&CONDITIONAL, &KERNEL, &UNKNOWN_CAPABILITY, &MACHINE_ARCHITECTURE, &KERNEL_FORM];

/// No capability.
pub fn unknown_capability(subject: &LintSubject<'_>, path: &str, found: &str) -> Option<Finding> {
    let meant = Capability::from_typed(found);
    let remedy = match meant {
        Some(meant) => format!("write {meant}"),
        None => "write a capability as CAP_SYS_ADMIN".to_owned(),
    };
    let edit = meant.and_then(|meant| subject.replace(path, format!("\"{meant}\"")));
    subject
        .finding(&UNKNOWN_CAPABILITY, path)
        .message(format!("`{}` is no capability", escape(found)))
        .remedy(remedy)
        .fix(Safety::Guess, edit)
        .for_audience(&MACHINE_UNKNOWN, subject.audience)
}

/// A token in the place of Go's name.
pub fn unknown_architecture(subject: &LintSubject<'_>, path: &str, found: &str) -> Option<Finding> {
    let meant = match found {
        "SCMP_ARCH_X86_64" | "x86_64" => Some("amd64"),
        "SCMP_ARCH_X86" | "i386" => Some("x86"),
        "SCMP_ARCH_X32" => Some("x32"),
        "SCMP_ARCH_AARCH64" | "aarch64" => Some("arm64"),
        "SCMP_ARCH_ARM" => Some("arm"),
        "SCMP_ARCH_S390X" => Some("s390x"),
        "SCMP_ARCH_PPC64LE" => Some("ppc64le"),
        "SCMP_ARCH_RISCV64" => Some("riscv64"),
        _ => None,
    };
    let edit = meant.and_then(|meant| subject.replace(path, format!("\"{meant}\"")));
    subject
        .finding(&MACHINE_ARCHITECTURE, path)
        .message(format!("`{}` is no name of an architecture here", escape(found)))
        .remedy(format!("write Go's name, as {}", meant.unwrap_or("amd64")))
        .fix(Safety::Guess, edit)
        .for_audience(&MACHINE_UNKNOWN, subject.audience)
}

/// No version.
pub fn unknown_kernel(subject: &LintSubject<'_>, path: &str, found: &str) -> Option<Finding> {
    subject
        .finding(&KERNEL_FORM, path)
        .message(format!("`{}` is no kernel version of two numbers", escape(found)))
        .remedy("write it as \"5.8\"")
        .for_audience(&MIN_KERNEL_UNKNOWN, subject.audience)
}

/// Rules that count under conditions.
pub fn check(subject: &LintSubject<'_>, meaning: &ProfileMeaning, findings: &mut Vec<Finding>) {
    let without = Constraint::default();
    for (path, rule) in meaning.rules() {
        let conditional = rule.includes != without || rule.excludes != without;
        if conditional && !is_harmless(rule) {
            findings.extend(of_rule(subject, &path, rule));
        }
    }
}

/// On this processor it is the same whether the condition is read or not.
fn is_harmless(rule: &Rule) -> bool {
    let Constraint { capabilities, architectures, min_kernel } = &rule.includes;
    let includes_this = architectures.iter().any(|name| name == HOST.go_name);
    let by_architecture_alone =
        capabilities.is_empty() && min_kernel.is_none() && rule.excludes == Constraint::default();
    let foreign = rule.names.iter().all(|name| syscalls::is_foreign(name));
    by_architecture_alone && (includes_this || foreign)
}

fn of_rule(subject: &LintSubject<'_>, path: &str, rule: &Rule) -> Option<Finding> {
    let of_kernel_alone = [&rule.includes, &rule.excludes].iter().all(|constraint| {
        constraint.capabilities.is_empty() && constraint.architectures.is_empty()
    });
    let (kind, feature) =
        if of_kernel_alone { (&KERNEL, &MIN_KERNEL) } else { (&CONDITIONAL, &MACHINE) };
    let key = if rule.includes == Constraint::default() { "excludes" } else { "includes" };
    let counts = policy::counts(rule, &meaning::context());
    let edits: Vec<Edit> = match counts {
        true => subject.remove_fields(path, &["includes", "excludes"]),
        false => subject.remove(path).into_iter().collect(),
    };
    let instead = match counts {
        true => "leave the condition out",
        false => "leave the rule out",
    };
    let finding = subject
        .finding_of_key(kind, &format!("{path}.{key}"))
        .detail(format!("{}: {instead}", conditions(rule)))
        .remedy("decide for one kind of container, here one with Docker's default capabilities")
        .fix(Safety::Guess, edits)
        .for_audience(feature, subject.audience)?;
    // A rule that denies more than it should breaks the program; one that allows more is a hole.
    let denies = !matches!(rule.action, Action::Allow | Action::Log);
    let finding = finding.confidence(Confidence::Certain);
    Some(if denies { finding.severity(Severity::Warning) } else { finding })
}

/// When a rule counts.
fn conditions(rule: &Rule) -> String {
    let part = |word: &str, names: Vec<String>| {
        (!names.is_empty()).then(|| format!("{word} {}", listed(&names)))
    };
    let capabilities =
        |constraint: &Constraint| constraint.capabilities.iter().map(ToString::to_string).collect();
    let architectures = |constraint: &Constraint| {
        constraint.architectures.iter().map(|name| escape(name).into()).collect()
    };
    let kernel = |constraint: &Constraint| {
        let (one, two) = constraint.min_kernel?;
        Some(vec![format!("Linux {one}.{two}")])
    };
    let (includes, excludes) = (&rule.includes, &rule.excludes);
    let parts = [
        part("only with", capabilities(includes)),
        part("not with", capabilities(excludes)),
        part("only on", architectures(includes)),
        part("not on", architectures(excludes)),
        part("from", kernel(includes).unwrap_or_default()),
        part("before", kernel(excludes).unwrap_or_default()),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
