//! Values of another kind than expected, and fields that are not there.

use super::super::{
    finding::{Confidence, Finding, LintRule, Safety, Severity},
    matrix::{NAMES_MISSING, NO_DEFAULT, REFUSED, ZERO},
    subject::{LintSubject, last_key, parent, quoted},
};
use crate::{text::escape, workbench::json_text::Value};

/// Another kind of value.
pub static WRONG_TYPE: LintRule = LintRule {
    code: "wrong-type",
    summary: "a value is of another kind than the field",
    severity: Severity::Error,
};
/// No `defaultAction`.
pub static DEFAULT_ACTION_MISSING: LintRule = LintRule {
    code: "default-action-missing",
    summary: "the profile has no defaultAction",
    severity: Severity::Error,
};
/// A rule without an action.
pub static ACTION_MISSING: LintRule = LintRule {
    code: "action-missing",
    summary: "the rule has no action",
    severity: Severity::Error,
};
/// A rule without names.
pub static NAMES_MISSING_RULE: LintRule = LintRule {
    code: "names-missing",
    summary: "the rule names no call",
    severity: Severity::Error,
};
/// A condition on an argument, or an entry of `archMap`, that is not whole.
pub static FIELD_MISSING: LintRule = LintRule {
    code: "field-missing",
    summary: "a field that must be there is not",
    severity: Severity::Error,
};

/// The rules of this file.
pub const RULES: &[&LintRule] =
    &[&WRONG_TYPE, &DEFAULT_ACTION_MISSING, &ACTION_MISSING, &NAMES_MISSING_RULE, &FIELD_MISSING];

/// Another kind of value is expected.
pub fn wrong_type(
    subject: &LintSubject<'_>,
    path: &str,
    expected: &str,
    found: &str,
) -> Option<Finding> {
    let is_list = expected == "a list";
    let located = subject.at(path);
    let right = match &located.node.value {
        Value::Text(text) if expected.contains("whole number") => {
            let is_number = text.parse::<u64>().is_ok();
            is_number.then(|| text.trim_start_matches('+').to_owned())
        }
        Value::Text(text) if is_list => Some(format!("[{}]", quoted(text))),
        Value::Object(_) if is_list => {
            let span = located.node.span;
            subject.text.get(span.start..span.end).map(|text| format!("[{text}]"))
        }
        _ => None,
    };
    let edit = right.and_then(|json| subject.replace(path, json));
    let finding = subject
        .finding(&WRONG_TYPE, path)
        .message(format!(
            "`{}` must be {expected}, and is {}",
            escape(last_key(path)),
            escape(found)
        ))
        .remedy(format!("write {expected}"))
        .fix(Safety::Safe, edit);
    finding.for_audience(&REFUSED, subject.audience)
}

/// A field is not there.
pub fn missing(subject: &LintSubject<'_>, path: &str) -> Option<Finding> {
    let above = parent(path);
    match last_key(path) {
        "defaultAction" => {
            let edit = subject.insert("", "", "defaultAction", "\"SCMP_ACT_ERRNO\"");
            let finding = subject.finding(&DEFAULT_ACTION_MISSING, path);
            let finding = finding
                .remedy("write \"defaultAction\": \"SCMP_ACT_ERRNO\"")
                .confidence(Confidence::Certain)
                .fix(Safety::Guess, edit);
            finding.for_audience(&NO_DEFAULT, subject.audience)
        }
        "action" => {
            let edit = subject.insert_last(above, "action", "\"SCMP_ACT_ALLOW\"");
            let finding = subject.finding(&ACTION_MISSING, path);
            let finding =
                finding.remedy("write \"action\": \"SCMP_ACT_ALLOW\"").fix(Safety::Guess, edit);
            finding.for_audience(&REFUSED, subject.audience)
        }
        "names" => {
            let finding = subject.finding(&NAMES_MISSING_RULE, path);
            finding
                .remedy("write \"names\": [\"read\"], or remove the rule")
                .for_audience(&NAMES_MISSING, subject.audience)
        }
        key => {
            let (json, feature) = match key {
                "op" => ("\"SCMP_CMP_EQ\"", &REFUSED),
                "index" | "value" => ("0", &ZERO),
                _ => ("\"SCMP_ARCH_X86_64\"", &super::super::matrix::IGNORED),
            };
            let safety = if json == "0" { Safety::Safe } else { Safety::Guess };
            subject
                .finding(&FIELD_MISSING, path)
                .message(format!("`{key}` is missing"))
                .remedy(format!("write \"{key}\": {json}, or what is meant"))
                .fix(safety, subject.insert_last(above, key, json))
                .for_audience(feature, subject.audience)
        }
    }
}
