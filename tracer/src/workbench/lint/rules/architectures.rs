//! Architectures: tokens, `archMap`, and what is not listed.

use super::{
    super::{
        finding::{Finding, LintRule, Safety, Severity},
        matrix::{ARCH_MAP, BOTH_ARCHITECTURES, REFUSED},
        subject::{LintSubject, quoted},
    },
    actions,
};
use crate::{
    syscalls::Abi,
    text::escape,
    workbench::json_text::{Edit, JsonNode},
};

/// No architecture.
pub static UNKNOWN_ARCHITECTURE: LintRule = LintRule {
    code: "unknown-architecture",
    summary: "there is no such architecture",
    severity: Severity::Error,
};
/// `SCMP_ARCH_NATIVE`.
pub static NATIVE: LintRule = LintRule {
    code: "native-architecture",
    summary: "SCMP_ARCH_NATIVE, which libseccomp knows and no runtime takes",
    severity: Severity::Error,
};
/// `archMap`.
pub static ARCH_MAP_RULE: LintRule = LintRule {
    code: "arch-map",
    summary: "archMap is Docker's addition to the form",
    severity: Severity::Warning,
};
/// `architectures` and `archMap`.
pub static BOTH: LintRule = LintRule {
    code: "both-architectures",
    summary: "the profile has architectures and archMap",
    severity: Severity::Error,
};
/// No architectures.
pub static MISSING: LintRule = LintRule {
    code: "architectures-missing",
    summary: "no architectures are listed: a program that calls through another ABI than the machine's own is killed",
    severity: Severity::Note,
};
/// One that is listed twice.
pub static DUPLICATE: LintRule = LintRule {
    code: "duplicate-architecture",
    summary: "an architecture is listed twice",
    severity: Severity::Note,
};

/// The rules of this file.
pub const RULES: &[&LintRule] =
    &[&UNKNOWN_ARCHITECTURE, &NATIVE, &ARCH_MAP_RULE, &BOTH, &MISSING, &DUPLICATE];

/// No architecture. `right` is what the reader proposes: a token, or several.
pub fn unknown(subject: &LintSubject<'_>, path: &str, found: &str, right: &str) -> Option<Finding> {
    if found.eq_ignore_ascii_case("SCMP_ARCH_NATIVE") {
        let finding = subject.finding(&NATIVE, path);
        return finding
            .remedy("write SCMP_ARCH_X86_64; the machine's own is always meant as well")
            .fix(Safety::Safe, subject.replace(path, "\"SCMP_ARCH_X86_64\""))
            .for_audience(&REFUSED, subject.audience);
    }
    let finding = subject.finding(&UNKNOWN_ARCHITECTURE, path);
    let finding = finding.message(format!("`{}` is no architecture", escape(found)));
    let finding = if right.contains(' ') {
        let tokens: Vec<(&'static str, Abi)> =
            Abi::ALL.into_iter().map(|abi| (abi.seccomp_arch(), abi)).collect();
        actions::token(finding, subject, (path, found), &tokens)
    } else {
        let edit = subject.replace(path, format!("\"{right}\""));
        finding.remedy(format!("write {right}")).fix(Safety::Safe, edit)
    };
    finding.for_audience(&REFUSED, subject.audience)
}

/// `archMap` beside `architectures`.
pub fn both(subject: &LintSubject<'_>, path: &str) -> Option<Finding> {
    subject
        .finding_of_key(&BOTH, path)
        .remedy("keep `architectures`, which every consumer reads")
        .fix(Safety::Safe, subject.remove(path))
        .for_audience(&BOTH_ARCHITECTURES, subject.audience)
}

/// How the file lists its architectures.
pub fn check(subject: &LintSubject<'_>, findings: &mut Vec<Finding>) {
    let listed = subject.at("architectures");
    let listed = if listed.found { listed.node.items() } else { &[] };
    for (at, item) in listed.iter().enumerate() {
        let path = format!("architectures[{at}]");
        if item.text().is_some() && listed[..at].iter().any(|other| other.text() == item.text()) {
            let finding = subject.finding(&DUPLICATE, &path).remedy("remove it");
            findings.push(finding.fix(Safety::Safe, subject.remove(&path)));
        }
    }
    let map = subject.at("archMap");
    let map = if map.found { map.node } else { return missing(subject, listed, findings) };
    if map.items().is_empty() {
        return missing(subject, listed, findings);
    }
    if listed.is_empty() {
        let tokens = tokens(map);
        let list = format!("\"architectures\": [{}]", tokens.join(", "));
        let entry = subject.profile.entry("archMap");
        let edit = entry.map(|entry| Edit::replace(entry.span(), list));
        let finding = subject.finding_of_key(&ARCH_MAP_RULE, "archMap");
        let finding = finding
            .remedy(format!("write \"architectures\": [{}]", tokens.join(", ")))
            .fix(Safety::Safe, edit.filter(|_| !subject.at("architectures").found));
        findings.extend(finding.for_audience(&ARCH_MAP, subject.audience));
    }
}

/// All architectures of a map, as JSON: of another machine's a filter makes nothing.
fn tokens(map: &JsonNode) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    for entry in map.items() {
        let others = entry.get("subArchitectures").map(JsonNode::items).unwrap_or_default();
        for node in entry.get("architecture").into_iter().chain(others) {
            let token = quoted(node.text().unwrap_or_default());
            if !tokens.contains(&token) {
                tokens.push(token);
            }
        }
    }
    tokens
}

fn missing(subject: &LintSubject<'_>, listed: &[JsonNode], findings: &mut Vec<Finding>) {
    if listed.is_empty() {
        let finding = subject.finding_of_start(&MISSING, "");
        findings.push(finding.remedy(
            "write \"architectures\": [\"SCMP_ARCH_X86_64\"], and SCMP_ARCH_X86 and SCMP_ARCH_X32 if such programs run in the container",
        ));
    }
}
