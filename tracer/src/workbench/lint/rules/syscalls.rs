//! Names of calls: those that are none, those that come twice in a rule, and those of an ABI that
//! is not listed.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{
    finding::{Confidence, Finding, LintRule, Safety, Severity},
    matrix::IGNORED,
    subject::{LintSubject, quoted},
};
use crate::{
    profile::policy,
    syscalls::{self, Abi},
    text::escape,
    workbench::json_text::JsonNode,
};

/// No call.
pub static UNKNOWN_SYSCALL: LintRule = LintRule {
    code: "unknown-syscall",
    summary: "there is no such system call",
    severity: Severity::Warning,
};
/// A name that comes twice in a rule.
pub static DUPLICATE_NAME: LintRule = LintRule {
    code: "duplicate-name",
    summary: "the rule names a call twice",
    severity: Severity::Note,
};
/// A call of an ABI that is not listed.
pub static OTHER_ABI: LintRule = LintRule {
    code: "unlisted-abi",
    summary: "x86_64 has no such call, and the architecture that has it is not listed: the name is without effect",
    severity: Severity::Note,
};

/// The rules of this file.
pub const RULES: &[&LintRule] = &[&UNKNOWN_SYSCALL, &DUPLICATE_NAME, &OTHER_ABI];

/// For how many names a likely one is looked for: each takes a comparison with all.
const MOST_LIKELY: usize = 100;

/// Names of calls, wherever they stand.
pub fn check(subject: &LintSubject<'_>, findings: &mut Vec<Finding>) {
    let native: BTreeSet<&str> = syscalls::entries(Abi::NATIVE).map(|(_, name)| name).collect();
    let others: BTreeMap<&str, Abi> = [Abi::X32, Abi::I386]
        .into_iter()
        .flat_map(|abi| syscalls::entries(abi).map(move |(_, name)| (name, abi)))
        .collect();
    let listed = listed(subject);
    let mut likely: BTreeMap<&str, Option<&'static str>> = BTreeMap::new();
    for (rule, node) in subject.at("syscalls").node.items().iter().enumerate() {
        let list = node.get("names").map(JsonNode::items).unwrap_or_default();
        let mut earlier = BTreeSet::new();
        for (at, name) in list.iter().enumerate().filter_map(|(at, item)| Some((at, item.text()?)))
        {
            let path = format!("syscalls[{rule}].names[{at}]");
            if !earlier.insert(name) {
                let finding = subject.finding(&DUPLICATE_NAME, &path).remedy("remove it");
                findings.push(finding.fix(Safety::Safe, subject.remove(&path)));
            } else if native.contains(name) || name.is_empty() {
            } else if let Some(abi) = others.get(name) {
                if !listed.contains(abi) {
                    let finding = subject.finding(&OTHER_ABI, &path);
                    findings.push(
                        finding
                            .detail(format!("{name} of {}", abi.name()))
                            .remedy("leave it, or remove it: it is without effect"),
                    );
                }
            } else if !policy::is_name(name) {
                let full = likely.len() == MOST_LIKELY && !likely.contains_key(name);
                let meant = match full {
                    true => None,
                    false => *likely.entry(name).or_insert_with(|| syscalls::closest(name)),
                };
                let is_there = meant.is_some() && list.iter().any(|item| item.text() == meant);
                findings.extend(unknown(subject, &path, name, meant, is_there));
            }
        }
    }
}

/// The ABIs of the architectures that the file lists, whether they count for everybody or not.
fn listed(subject: &LintSubject<'_>) -> BTreeSet<Abi> {
    let tokens = |key: &str| {
        let located = subject.at(key);
        let span = located.node.span;
        let text = subject.text.get(span.start..span.end).unwrap_or_default();
        if located.found { text.to_lowercase() } else { String::new() }
    };
    let text = tokens("architectures") + &tokens("archMap");
    let is_x86 = text.contains("_x86\"") || text.contains("\"x86\"") || text.contains("386\"");
    let abis = [(Abi::I386, is_x86), (Abi::X32, text.contains("x32"))];
    abis.into_iter().filter(|(_, is_listed)| *is_listed).map(|(abi, _)| abi).collect()
}

/// A name that is no call. `is_there`: the rule names the likely one already.
fn unknown(
    subject: &LintSubject<'_>,
    path: &str,
    name: &str,
    meant: Option<&'static str>,
    is_there: bool,
) -> Option<Finding> {
    let name = escape(name);
    let detail = match (meant, is_there) {
        (Some(meant), false) => format!("`{name}`: {meant} may be meant"),
        (Some(meant), true) => format!("`{name}`: {meant} may be meant, and is in the rule"),
        (None, _) => format!("`{name}`"),
    };
    let edit = match (meant, is_there) {
        (Some(meant), false) => subject.replace(path, quoted(meant)),
        (Some(_), true) => subject.remove(path),
        (None, _) => None,
    };
    subject
        .finding(&UNKNOWN_SYSCALL, path)
        .detail(detail)
        .remedy("write the name as `man 2 syscalls` lists it, or remove it")
        .confidence(if meant.is_some() { Confidence::Certain } else { Confidence::Likely })
        .fix(Safety::Guess, edit)
        .for_audience(&IGNORED, subject.audience)
}
