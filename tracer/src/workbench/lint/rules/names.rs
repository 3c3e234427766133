//! How rules name their calls: `names`, and the old `name`.

use super::super::{
    finding::{Finding, LintRule, Safety, Severity},
    matrix::{EMPTY_NAME, NAME_AND_NAMES, NO_NAMES, OLD_NAME},
    subject::{LintSubject, parent, quoted},
};
use crate::{text::escape, workbench::json_text::Edit};

/// `name` in the place of `names`.
pub static OLD_NAME_RULE: LintRule = LintRule {
    code: "old-name",
    summary: "the rule has the old form `name`, which the OCI form does not know",
    severity: Severity::Error,
};
/// `name` beside `names`.
pub static NAME_AND_NAMES_RULE: LintRule = LintRule {
    code: "name-and-names",
    summary: "the rule has `name` and `names`",
    severity: Severity::Error,
};
/// An empty list of names.
pub static NO_NAMES_RULE: LintRule = LintRule {
    code: "no-names",
    summary: "the list of names is empty: the rule is about no call",
    severity: Severity::Warning,
};
/// An empty name.
pub static EMPTY_NAME_RULE: LintRule =
    LintRule { code: "empty-name", summary: "a name is empty", severity: Severity::Error };

/// The rules of this file.
pub const RULES: &[&LintRule] =
    &[&OLD_NAME_RULE, &NAME_AND_NAMES_RULE, &NO_NAMES_RULE, &EMPTY_NAME_RULE];

/// `name` alone, or beside an empty list. `path` is the rule's.
pub fn old(subject: &LintSubject<'_>, path: &str) -> Option<Finding> {
    let path = format!("{path}.name");
    let rule = subject.at(parent(&path)).node;
    let name = rule.entry("name")?;
    let names = format!("\"names\": [{}]", quoted(name.node.text().unwrap_or_default()));
    let mut edits = vec![Edit::replace(name.span(), names)];
    // The list that is there is empty.
    edits.extend(subject.remove(&format!("{}.names", parent(&path))));
    let finding = subject.finding_of_key(&OLD_NAME_RULE, &path);
    let finding = finding
        .message("the rule says `name`, the old form")
        .remedy("write \"names\": [...], a list")
        .fix(Safety::Safe, edits);
    finding.for_audience(&OLD_NAME, subject.audience)
}

/// `name` beside a list that is not empty.
pub fn name_and_names(subject: &LintSubject<'_>, path: &str, name: &str) -> Option<Finding> {
    let list = format!("{}.names", parent(path));
    let is_listed = subject.at(&list).node.items().iter().any(|item| item.text() == Some(name));
    let added = (!is_listed).then(|| subject.append(&list, &[quoted(name)])).flatten();
    let safety = if is_listed { Safety::Safe } else { Safety::Guess };
    let edits = subject.remove(path).into_iter().chain(added);
    subject
        .finding_of_key(&NAME_AND_NAMES_RULE, path)
        .message("`name` stands beside `names`")
        .remedy(format!("put `{}` into `names`, and remove `name`", escape(name)))
        .fix(safety, edits)
        .for_audience(&NAME_AND_NAMES, subject.audience)
}

/// A list of no names. `path` is the list's.
pub fn none(subject: &LintSubject<'_>, path: &str) -> Option<Finding> {
    let finding = subject.finding(&NO_NAMES_RULE, path);
    finding
        .remedy("name a call, or remove the rule")
        .fix(Safety::Safe, subject.remove(parent(path)))
        .for_audience(&NO_NAMES, subject.audience)
}

/// An empty name.
pub fn empty(subject: &LintSubject<'_>, path: &str) -> Option<Finding> {
    let finding = subject.finding(&EMPTY_NAME_RULE, path);
    finding
        .remedy("remove it")
        .fix(Safety::Safe, subject.remove(path))
        .for_audience(&EMPTY_NAME, subject.audience)
}
