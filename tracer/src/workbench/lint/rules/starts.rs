//! Will it start? What container runtimes call between the load of the filter and the workload's
//! execve.

use super::super::{
    consumer::{Consumer, Version},
    finding::{Confidence, Finding, LintRule, Safety, Severity},
    meaning::{ProfileMeaning, always},
    subject::{LintSubject, listed, quoted},
};
use crate::{
    profile::{
        always_allowed::CORE,
        base::{BaseCall, OciRuntime},
        oci::Action,
        policy::{Policy, Verdict},
    },
    workbench::json_text::Edit,
};

/// No container starts.
pub static START: LintRule = LintRule {
    code: "does-not-start",
    summary: "the profile refuses what the container runtime calls under it: no container starts",
    severity: Severity::Error,
};
/// No container starts with a newer runtime.
pub static UPDATE: LintRule = LintRule {
    code: "breaks-by-update",
    summary: "the profile refuses what a newer version of the container runtime needs: the update will break it",
    severity: Severity::Warning,
};
/// A container may not start, or nothing can be executed in it.
pub static CHANCE: LintRule = LintRule {
    code: "may-not-start",
    summary: "the profile refuses what the container runtime calls now and then, for `exec`, or in some versions",
    severity: Severity::Warning,
};
/// Calls of every program.
pub static PROGRAM: LintRule = LintRule {
    code: "program-calls",
    summary: "the profile refuses calls that no program runs without",
    severity: Severity::Warning,
};

/// The rules of this file.
pub const RULES: &[&LintRule] = &[&START, &UPDATE, &CHANCE, &PROGRAM];

/// When a runtime needs a call that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// At every start of the version in question.
    Now,
    /// At every start, from a later version on.
    Later,
    /// Now and then, for `exec`, or in some versions.
    Perhaps,
}

/// What is refused and needed.
pub fn check(subject: &LintSubject<'_>, meaning: &ProfileMeaning, findings: &mut Vec<Finding>) {
    let additions = subject.audience.consumers.iter().any(|(it, _)| Consumer::reads_additions(*it));
    let policy = if additions { &meaning.policy } else { &meaning.literal };
    let Ok(policy) = policy else { return };
    let mut reported: Vec<&str> = Vec::new();
    for (runtime, version) in subject.audience.runtimes() {
        let refused: Vec<(&BaseCall, Need)> = runtime
            .base_set()
            .calls
            .iter()
            .filter(|call| is_refused(policy, &call.name))
            .filter_map(|call| Some((call, need(call, version, policy)?)))
            .collect();
        for (rule, wanted) in
            [(&START, Need::Now), (&UPDATE, Need::Later), (&CHANCE, Need::Perhaps)]
        {
            let calls: Vec<&BaseCall> =
                refused.iter().filter(|(_, need)| *need == wanted).map(|(call, _)| *call).collect();
            if !calls.is_empty() {
                findings.push(lacking(subject, meaning, rule, (runtime, version), &calls));
            }
        }
        reported.extend(refused.iter().map(|(call, _)| call.name.as_str()));
    }
    let core = CORE.iter().filter(|(name, _)| is_refused(policy, name) && !reported.contains(name));
    let core: Vec<String> = core.map(|(name, _)| (*name).to_owned()).collect();
    if !core.is_empty() {
        let finding = subject.finding_of_key(&PROGRAM, place(subject));
        findings.push(
            finding
                .message(format!("no program runs without {}", listed(&core)))
                .remedy("allow them")
                .fix(Safety::Guess, allow(subject, meaning, &core)),
        );
    }
}

fn is_refused(policy: &Policy, name: &str) -> bool {
    always(policy, name).is_some_and(Verdict::refuses)
}

/// When a call is needed by a version; None when it never is.
fn need(call: &BaseCall, version: Option<&Version>, policy: &Policy) -> Option<Need> {
    let parse = |releases: &[String]| releases.iter().filter_map(|it| it.parse().ok()).collect();
    let (since, only): (Vec<Version>, Vec<Version>) = (parse(&call.since), parse(&call.only));
    // Whatever is called at all ends its caller.
    let always = call.required || policy.default_verdict().ends_the_caller();
    if !always {
        return Some(Need::Perhaps);
    }
    if !only.is_empty() {
        return match version {
            Some(version) if only.contains(version) => Some(Need::Now),
            Some(version) if only.iter().any(|release| version < release) => Some(Need::Later),
            Some(_) => None,
            None => Some(Need::Perhaps),
        };
    }
    match version {
        Some(version) if !since.is_empty() && !version.has_change_of(&since) => Some(Need::Later),
        _ => Some(Need::Now),
    }
}

/// A runtime's calls that are refused.
fn lacking(
    subject: &LintSubject<'_>,
    meaning: &ProfileMeaning,
    rule: &'static LintRule,
    (runtime, version): (OciRuntime, Option<&Version>),
    calls: &[&BaseCall],
) -> Finding {
    let names: Vec<String> = calls.iter().map(|call| shown(call, version)).collect();
    let bare: Vec<String> = calls.iter().map(|call| call.name.clone()).collect();
    let who = match version {
        Some(version) => format!("{} {version}", runtime.name()),
        None => runtime.name().to_owned(),
    };
    let names = listed(&names);
    let message = if *rule == START {
        format!("{who} starts no container: it needs {names}")
    } else if *rule == UPDATE {
        format!("an update of {who} will break it: newer versions need {names}")
    } else {
        format!("{who} calls {names} now and then, for exec, or in some versions")
    };
    let confidence = if *rule == CHANCE { Confidence::Likely } else { Confidence::Certain };
    subject
        .finding_of_key(rule, place(subject))
        .message(message)
        .remedy("allow them")
        .confidence(confidence)
        .fix(Safety::Guess, allow(subject, meaning, &bare))
}

/// A call, with the versions that need it where these are not all.
fn shown(call: &BaseCall, version: Option<&Version>) -> String {
    let releases = |list: &[String]| listed(list);
    match (call.since.as_slice(), call.only.as_slice(), version) {
        ([], [], _) => call.name.clone(),
        ([], only, _) => format!("{} ({} alone)", call.name, releases(only)),
        (since, _, None | Some(_)) => format!("{} (from {} on)", call.name, releases(since)),
    }
}

/// Where a profile says what it allows.
fn place(subject: &LintSubject<'_>) -> &'static str {
    if subject.at("syscalls").found { "syscalls" } else { "defaultAction" }
}

/// A rule with so many names is a list, to which names are added; else a rule is.
const A_LIST: usize = 5;

/// Allows calls: in the longest rule that allows calls whatever their arguments are, else in a new
/// one.
fn allow(subject: &LintSubject<'_>, meaning: &ProfileMeaning, names: &[String]) -> Option<Edit> {
    let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    let lists = meaning.rules().filter(|(path, rule)| {
        let conditional =
            rule.includes != Default::default() || rule.excludes != Default::default();
        let is_list = rule.names.len() >= A_LIST && subject.at(&format!("{path}.names")).found;
        rule.action == Action::Allow && rule.conditions.is_empty() && !conditional && is_list
    });
    if let Some((path, _)) = lists.max_by_key(|(_, rule)| rule.names.len()) {
        return subject.append(&format!("{path}.names"), &names);
    }
    let rule = format!("{{ \"names\": [{}], \"action\": \"SCMP_ACT_ALLOW\" }}", names.join(", "));
    match subject.at("syscalls") {
        list if list.found && !list.node.is_null() => subject.append("syscalls", &[rule]),
        list if list.found => subject.replace("syscalls", format!("[{rule}]")),
        _ => subject.insert_last("", "syscalls", &format!("[{rule}]")),
    }
}
