//! Checks a text: what it is, what the reader refuses, and what the rules find.

use super::{
    LintReport,
    applying::{MOST_PASSES, apply},
    consumer::Audience,
    finding::Finding,
    meaning::ProfileMeaning,
    rules::{self, text},
    subject::LintSubject,
};
use crate::{
    profile::oci::{self, OciProfile, ReadError},
    workbench::json_text::{JsonNode, JsonText},
};

/// Finds what is wrong with a profile.
pub fn lint(bytes: &[u8], audience: &Audience) -> LintReport {
    let mut findings = match text::check(bytes) {
        Ok(text) => of_text(text, audience),
        Err(finding) => vec![*finding],
    };
    findings.sort_by(|one, other| {
        (one.span, other.severity, one.rule.code).cmp(&(other.span, one.severity, other.rule.code))
    });
    LintReport { findings }
}

fn of_text(text: &str, audience: &Audience) -> Vec<Finding> {
    let Ok(json) = JsonText::parse(text) else {
        return vec![text::not_json(text)];
    };
    let mut findings = text::slips(text, &json, audience);
    let strict = json.without_slips(text);
    let Some((profile, prefix)) = profile_in(&json.root) else {
        findings.push(text::mistaken(&strict));
        return findings;
    };
    let subject = LintSubject { text: &strict, profile, prefix, audience };
    match of_profile(&subject) {
        Ok(found) => findings.extend(found),
        Err(error) => findings.push(text::refused(&strict, &error)),
    }
    findings
}

/// The profile within a text, and where it is.
fn profile_in(root: &JsonNode) -> Option<(&JsonNode, &'static str)> {
    let holders: [(&str, &[&str], &str); 3] = [
        ("ociVersion", &["linux", "seccomp"], "linux.seccomp"),
        ("info", &["info", "runtimeSpec", "linux", "seccomp"], "info.runtimeSpec.linux.seccomp"),
        ("apiVersion", &["spec"], "spec"),
    ];
    if root.get("defaultAction").is_some() {
        return Some((root, ""));
    }
    let is_profile = |node: &&JsonNode| node.get("defaultAction").is_some();
    for (mark, path, prefix) in holders {
        if root.get(mark).is_some() {
            let found = path.iter().try_fold(root, |node, key| node.get(key));
            return found.filter(is_profile).map(|node| (node, prefix));
        }
    }
    Some((root, ""))
}

fn of_profile(subject: &LintSubject<'_>) -> Result<Vec<Finding>, ReadError> {
    let span = subject.profile.span;
    let own = subject.text.get(span.start..span.end).unwrap_or_default();
    let diagnosis = oci::diagnose(own.as_bytes())?;
    let mut findings = rules::of_the_reader(subject, &diagnosis);
    findings.extend(rules::of_the_form(subject));
    let profile = match diagnosis.profile {
        Some(profile) if diagnosis.errors.is_empty() => Some(profile),
        _ => as_if_mended(subject.text, subject.audience),
    };
    if let Some(profile) = profile {
        let rules = subject.at("syscalls").node.items().len();
        findings.extend(rules::of_the_meaning(subject, &ProfileMeaning::new(profile, rules)));
    }
    Ok(findings)
}

/// What a profile with faults seems to say: what it says when all of them are mended that can be.
fn as_if_mended(text: &str, audience: &Audience) -> Option<OciProfile> {
    let mut text = text.to_owned();
    for _ in 0..MOST_PASSES {
        let json = JsonText::parse(&text).ok()?;
        let (profile, prefix) = profile_in(&json.root)?;
        let subject = LintSubject { text: &text, profile, prefix, audience };
        let own = text.get(profile.span.start..profile.span.end)?;
        let diagnosis = oci::diagnose(own.as_bytes()).ok()?;
        if diagnosis.errors.is_empty() {
            return diagnosis.profile;
        }
        let findings = rules::of_the_reader(&subject, &diagnosis);
        let (mended, applied) = apply(&text, &findings, |_| true);
        if applied.is_empty() {
            return None;
        }
        text = mended;
    }
    None
}
