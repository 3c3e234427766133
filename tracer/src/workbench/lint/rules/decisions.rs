//! Decisions about syscalls (`tracer.toml`): those that have ended, that name no syscall, that
//! change nothing, and that a profile does not follow.

use time::Date;

use super::super::finding::{Finding, LintRule, Severity};
use crate::{
    profile::{Derivation, policy::Policy},
    syscalls::{self, Abi},
    text::escape,
    workbench::{
        decisions::{Choice, Decision, Decisions, DecisionsError, Name},
        diff::policies::passing,
    },
};

/// A file in another form.
pub static MALFORMED: LintRule = LintRule {
    code: "decisions-malformed",
    summary: "the file of decisions cannot be read",
    severity: Severity::Error,
};
/// A decision that is over.
pub static EXPIRED: LintRule = LintRule {
    code: "decision-expired",
    summary: "the last day of the decision is over: it does not count any more",
    severity: Severity::Warning,
};
/// A decision about no syscall.
pub static UNKNOWN: LintRule = LintRule {
    code: "decision-unknown-syscall",
    summary: "the decision names what is no system call: it does not count",
    severity: Severity::Warning,
};
/// A decision that changes nothing.
pub static UNUSED: LintRule = LintRule {
    code: "decision-unused",
    summary: "the decision changes nothing: the evidence decides the same without it",
    severity: Severity::Warning,
};
/// A profile that does something else.
pub static NOT_FOLLOWED: LintRule = LintRule {
    code: "decision-not-followed",
    summary: "the profile does something else than was decided",
    severity: Severity::Error,
};

/// The rules of this file.
pub const RULES: &[&LintRule] = &[&MALFORMED, &EXPIRED, &UNKNOWN, &UNUSED, &NOT_FOLLOWED];

/// A profile that decisions are about.
#[derive(Debug)]
pub struct DecidedProfile<'a> {
    /// What it is called; escaped.
    pub name: &'a str,
    /// What it means; None where it cannot be read.
    pub policy: Option<&'a Policy>,
    /// What its evidence says without any decision; None without evidence.
    pub derivation: Option<&'a Derivation>,
}

/// Reports a file that cannot be read.
pub fn malformed(error: &DecisionsError) -> Finding {
    let finding = Finding::new(&MALFORMED, "", error.span);
    finding.message(error.problem.to_string()).remedy(error.problem.remedy())
}

/// Checks decisions, by the profiles that they are about.
pub fn check(decisions: &Decisions, today: Date, profiles: &[DecidedProfile<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, entry) in decisions.entries.iter().enumerate() {
        let before = decisions.entries.iter().take(at);
        let index = before.filter(|other| other.choice == entry.choice).count();
        let path = format!("{}[{index}]", entry.choice.name());
        if let Some(until) = entry.until.filter(|_| entry.is_expired(today)) {
            let finding = Finding::new(&EXPIRED, format!("{path}.until"), until.span);
            findings.push(expired(finding, entry));
        }
        for (at, name) in entry.syscalls.iter().enumerate() {
            let path = format!("{path}.syscalls[{at}]");
            if !name.is_known() {
                findings.push(unknown(&path, name));
            } else if !entry.is_expired(today) {
                findings.extend(of_name(&path, entry.choice, name, profiles));
            }
        }
    }
    findings
}

fn expired(finding: Finding, entry: &Decision) -> Finding {
    let date = entry.until.map(|until| until.date.to_string()).unwrap_or_default();
    let what = entry.choice.name();
    finding
        .message(format!("{what} {}: its last day was {date}", entry.names()))
        .remedy("decide again, for longer, or remove the decision")
}

fn unknown(path: &str, name: &Name) -> Finding {
    let finding = Finding::new(&UNKNOWN, path, name.span);
    let shown = escape(&name.text);
    finding.message(format!("no system call is named {shown}")).remedy(
        match syscalls::closest(&name.text) {
            Some(meant) => format!("is {meant} meant?"),
            None => "write it as the kernel does, for example newfstatat or prlimit64".to_owned(),
        },
    )
}

/// What is to be said of a decision about a known syscall.
fn of_name(
    path: &str,
    choice: Choice,
    name: &Name,
    profiles: &[DecidedProfile<'_>],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if is_unused(choice, &name.text, profiles) {
        let finding = Finding::new(&UNUSED, path, name.span);
        findings.push(match choice {
            Choice::Allow => finding
                .message(format!("{} is in the profile without this decision", name.text))
                .remedy("remove the decision"),
            Choice::Deny => finding
                .message(format!("{} was never seen, and nothing else allows it", name.text))
                .remedy("remove the decision, or keep it against what may be seen later"),
        });
    }
    let read = profiles.iter().filter_map(|one| Some((one.name, one.policy?)));
    for (profile, policy) in read {
        let passes = passes(policy, &name.text);
        let finding = || Finding::new(&NOT_FOLLOWED, path, name.span);
        match choice {
            Choice::Allow if !passes => findings.push(
                finding()
                    .severity(Severity::Warning)
                    .message(format!("{profile} refuses {}, which is to be allowed", name.text))
                    .remedy("derive the profile again from its recording"),
            ),
            Choice::Deny if passes => findings.push(
                finding()
                    .message(format!("{profile} allows {}, which is to be denied", name.text))
                    .remedy("derive the profile again from its recording"),
            ),
            Choice::Allow | Choice::Deny => {}
        }
    }
    findings
}

/// The evidence of every profile decides the same. Without evidence nobody knows.
fn is_unused(choice: Choice, name: &str, profiles: &[DecidedProfile<'_>]) -> bool {
    let decides_the_same = |one: &DecidedProfile<'_>| {
        one.derivation.is_some_and(|derivation| {
            derivation.profile.allowed.contains_key(name) == (choice == Choice::Allow)
        })
    };
    !profiles.is_empty() && profiles.iter().all(decides_the_same)
}

/// A syscall passes, for some arguments at least, through some ABI that the profile lists.
fn passes(policy: &Policy, name: &str) -> bool {
    Abi::ALL.into_iter().any(|abi| passing(policy, abi).any(|passing| passing == name))
}

#[cfg(test)]
mod tests {
    use time::Month;

    use super::*;
    use crate::{
        profile::{oci, policy::RuleContext},
        workbench::decisions::read,
    };

    fn policy(names: &str) -> Policy {
        let text = format!(
            r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{{"names":[{names}],"action":"SCMP_ACT_ALLOW"}}]}}"#
        );
        let profile = oci::read(text.as_bytes()).expect("a profile");
        Policy::new(&profile, &RuleContext::default()).expect("a policy")
    }

    fn found(text: &str, policy: &Policy) -> Vec<(&'static str, Severity, String)> {
        let decisions = read(text.as_bytes()).expect("decisions");
        let today = Date::from_calendar_date(2026, Month::May, 1).expect("a day");
        let decided = DecidedProfile { name: "web.json", policy: Some(policy), derivation: None };
        let findings = check(&decisions, today, &[decided]).into_iter();
        findings.map(|one| (one.rule.code, one.severity, one.message)).collect()
    }

    fn entry(choice: &str, names: &str, more: &str) -> String {
        format!("[[{choice}]]\nsyscalls = [{names}]\nbecause = \"x\"\n{more}\n")
    }

    #[test]
    fn a_decision_that_the_profile_follows_is_no_finding() {
        let text = entry("allow", "\"bpf\"", "") + &entry("deny", "\"mount\"", "");
        assert_eq!(found(&text, &policy("\"bpf\", \"read\"")), []);
    }

    #[test]
    fn what_a_profile_does_not_follow_is_found() {
        let text = entry("allow", "\"bpf\"", "") + &entry("deny", "\"mount\"", "");
        let found = found(&text, &policy("\"mount\""));
        let [allow, deny] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((allow.0, allow.1), ("decision-not-followed", Severity::Warning));
        assert!(allow.2.contains("web.json refuses bpf"), "{}", allow.2);
        assert_eq!((deny.0, deny.1), ("decision-not-followed", Severity::Error));
        assert!(deny.2.contains("web.json allows mount"), "{}", deny.2);
    }

    #[test]
    fn what_has_ended_and_what_is_no_syscall_is_found_and_not_judged() {
        let text = entry("deny", "\"mount\"", "until = 2026-04-30")
            + &entry("allow", "\"opnat\"", "until = 2026-05-01");
        let found = found(&text, &policy("\"mount\""));
        let codes: Vec<&str> = found.iter().map(|one| one.0).collect();
        assert_eq!(codes, ["decision-expired", "decision-unknown-syscall"]);
        assert!(found[0].2.contains("2026-04-30"), "{}", found[0].2);
    }
}
