//! Rules that are about the same call, or about nothing.

use std::collections::BTreeMap;

use super::super::{
    finding::{Finding, LintRule, Safety, Severity},
    meaning::ProfileMeaning,
    subject::LintSubject,
};
use crate::{
    profile::{
        Errno, filter,
        oci::{Action, Rule},
        policy::PolicyError,
    },
    text::escape,
};

/// Two rules want different things.
pub static CONTRADICTION: LintRule = LintRule {
    code: "contradicting-rules",
    summary: "two rules want different things of one call",
    severity: Severity::Error,
};
/// Conditions that do not count.
pub static SHADOWED: LintRule = LintRule {
    code: "shadowed-conditions",
    summary: "another rule is about the call whatever its arguments are: the conditions do not count",
    severity: Severity::Error,
};
/// A rule that does what happens anyway.
pub static REDUNDANT: LintRule = LintRule {
    code: "redundant-rule",
    summary: "the rule does what happens by default: every runtime skips it",
    severity: Severity::Note,
};
/// Two rules that do the same.
pub static TWICE: LintRule = LintRule {
    code: "name-in-two-rules",
    summary: "two rules do the same with a call",
    severity: Severity::Note,
};
/// clone3 beside a limited clone.
pub static CLONE3: LintRule = LintRule {
    code: "clone3-bypass",
    summary: "clone is limited by its flags and clone3 is not: its flags lie in memory, where no filter looks",
    severity: Severity::Warning,
};
/// No room for the filter.
pub static TOO_LARGE: LintRule = LintRule {
    code: "filter-too-large",
    summary: "the kernel takes filters of 4096 instructions, and the profile makes a longer one",
    severity: Severity::Error,
};

/// The rules of this file.
pub const RULES: &[&LintRule] =
    &[&CONTRADICTION, &SHADOWED, &REDUNDANT, &TWICE, &CLONE3, &TOO_LARGE];

/// What a rule does.
type Does = (Action, Option<u16>);

fn does(rule: &Rule) -> Does {
    let number = rule.errno.unwrap_or(Errno::EPERM.get());
    (rule.action, rule.action.has_number().then_some(number))
}

/// Rules that are about the same call, or about nothing.
pub fn check(subject: &LintSubject<'_>, meaning: &ProfileMeaning, findings: &mut Vec<Finding>) {
    let profile = &meaning.profile;
    let number = profile.default_errno.unwrap_or(Errno::EPERM.get());
    let default = (profile.default_action, profile.default_action.has_number().then_some(number));
    let lets_pass = |action: Action| matches!(action, Action::Allow | Action::Log);
    // The first rule that is about a call whatever its arguments are, wherever it stands.
    let mut whole: BTreeMap<&str, (usize, Does)> = BTreeMap::new();
    let counting: Vec<(usize, String, &Rule)> = meaning
        .rules()
        .enumerate()
        .map(|(at, (path, rule))| (at, path, rule))
        .filter(|(_, _, rule)| is_unconditional(rule))
        .collect();
    for (at, path, rule) in &counting {
        if does(rule) == default {
            // An allowlist whose default allows is a slip of another kind, and ENOSYS is often an
            // answer that shall stay when the default is changed.
            let is_answer = rule.errno == Some(Errno::ENOSYS.get());
            if !lets_pass(profile.default_action) && !is_answer {
                let finding = subject.finding_of_start(&REDUNDANT, path).remedy("remove the rule");
                findings.push(finding.fix(Safety::Safe, subject.remove(path)));
            }
            continue;
        }
        for (item, name) in rule.names.iter().enumerate().filter(|_| rule.conditions.is_empty()) {
            match whole.get(name.as_str()) {
                None => drop(whole.insert(name, (*at, does(rule)))),
                Some((first, _)) if first == at => {}
                Some((first, other)) => {
                    let path = format!("{path}.names[{item}]");
                    findings.push(again(subject, &path, name, *first, *other == does(rule)));
                }
            }
        }
    }
    for (_, path, rule) in counting.iter().filter(|(_, _, rule)| !rule.conditions.is_empty()) {
        for (item, name) in rule.names.iter().enumerate() {
            if let Some((first, other)) = whole.get(name.as_str()).filter(|_| does(rule) != default)
            {
                let path = format!("{path}.names[{item}]");
                findings.push(shadowed(subject, &path, name, *first, *other == does(rule)));
            }
        }
    }
    findings.extend(clone3(subject, meaning, &whole));
    findings.extend(of_the_whole(subject, meaning));
}

/// The rule counts in every container and on every machine.
fn is_unconditional(rule: &Rule) -> bool {
    rule.includes == Default::default() && rule.excludes == Default::default()
}

/// A call that an earlier rule is about.
fn again(subject: &LintSubject<'_>, path: &str, name: &str, first: usize, same: bool) -> Finding {
    let name = escape(name);
    if same {
        let finding = subject.finding(&TWICE, path);
        return finding
            .detail(format!("{name}, as in syscalls[{first}]"))
            .remedy("remove the name from one of them")
            .fix(Safety::Safe, subject.remove(path));
    }
    let finding = subject.finding(&CONTRADICTION, path);
    finding
        .message(format!("syscalls[{first}] wants something else of {name}, and comes first"))
        .remedy("remove the name from one of the two rules")
}

/// A call under conditions that another rule is about without.
fn shadowed(
    subject: &LintSubject<'_>,
    path: &str,
    name: &str,
    whole: usize,
    same: bool,
) -> Finding {
    let severity = if same { Severity::Warning } else { Severity::Error };
    subject
        .finding(&SHADOWED, path)
        .message(format!(
            "syscalls[{whole}] is about {} whatever its arguments are: the conditions here do not count",
            escape(name)
        ))
        .remedy(format!("take the name out of syscalls[{whole}], or remove this rule"))
        .severity(severity)
}

/// clone3 is allowed, and clone for some flags alone.
fn clone3(
    subject: &LintSubject<'_>,
    meaning: &ProfileMeaning,
    whole: &BTreeMap<&str, (usize, Does)>,
) -> Option<Finding> {
    let (at, (action, _)) = whole.get("clone3")?;
    let limited = !whole.contains_key("clone")
        && meaning.rules().any(|(_, rule)| {
            !rule.conditions.is_empty() && rule.names.iter().any(|name| name == "clone")
        });
    (limited && *action == Action::Allow).then(|| {
        let rule = meaning.profile.syscalls.get(*at);
        let item = rule.and_then(|rule| rule.names.iter().position(|name| name == "clone3"));
        let path = format!("syscalls[{at}].names[{}]", item.unwrap_or_default());
        let finding = subject.finding(&CLONE3, &path);
        finding.remedy("answer clone3 with ENOSYS (38): C libraries take clone then")
    })
}

/// What the rules make together.
fn of_the_whole(subject: &LintSubject<'_>, meaning: &ProfileMeaning) -> Option<Finding> {
    let in_place = meaning.rules().next().is_some();
    match &meaning.policy {
        Ok(policy) => {
            let filter::FilterError::TooLong { instructions } = filter::compile(policy).err()?
            else {
                return None;
            };
            let finding = subject.finding_of_key(&TOO_LARGE, "syscalls");
            Some(
                finding
                    .message(format!(
                        "the filter has {instructions} instructions, and the kernel takes 4096"
                    ))
                    .remedy("list fewer architectures, or fewer rules with conditions"),
            )
        }
        Err(PolicyError::Conflict { rule, name }) if in_place => {
            let finding = subject.finding_of_start(&CONTRADICTION, &format!("syscalls[{rule}]"));
            Some(
                finding
                    .message(format!(
                        "an earlier rule does something else with {} under the same or wider conditions: no runtime loads both",
                        escape(name)
                    ))
                    .remedy("remove one of the two rules"),
            )
        }
        Err(PolicyError::TooMany { rule, name }) if in_place => {
            let finding = subject.finding_of_start(&TOO_LARGE, &format!("syscalls[{rule}]"));
            let message = format!(
                "more rules with conditions are about {} than a filter has room for",
                escape(name)
            );
            Some(finding.message(message).remedy("allow the call without conditions"))
        }
        Err(_) => None,
    }
}
