//! Error numbers: as numbers, by name, and of actions that return none.

use super::super::{
    finding::{Confidence, Finding, LintRule, Safety, Severity},
    matrix::{ERRNO_CONTRADICTS, ERRNO_NAME, ERRNO_OF_ACTION, ERRNO_RANGE, ERRNO_UNKNOWN, REFUSED},
    subject::{LintSubject, last_key},
};
use crate::{syscalls::errno, text::escape, workbench::json_text::Edit};

/// A name where a number is expected.
pub static ERRNO_TEXT_RULE: LintRule = LintRule {
    code: "errno-text",
    summary: "an error number is written as text",
    severity: Severity::Error,
};
/// An error by its name alone.
pub static ERRNO_NAME_RULE: LintRule = LintRule {
    code: "errno-by-name",
    summary: "an error is written by its name, which Podman and CRI-O alone read",
    severity: Severity::Warning,
};
/// An error by its name, beside the same number.
pub static ERRNO_REDUNDANT: LintRule = LintRule {
    code: "errno-twice",
    summary: "an error is written by its name beside the same number",
    severity: Severity::Note,
};
/// No error.
pub static ERRNO_UNKNOWN_RULE: LintRule = LintRule {
    code: "errno-unknown",
    summary: "there is no error of this name",
    severity: Severity::Error,
};
/// A name and another number.
pub static ERRNO_CONTRADICTS_RULE: LintRule = LintRule {
    code: "errno-contradiction",
    summary: "the name of an error and the number beside it differ",
    severity: Severity::Error,
};
/// No number of an error.
pub static ERRNO_RANGE_RULE: LintRule = LintRule {
    code: "errno-range",
    summary: "the number is no error number: these go from 0 to 4095",
    severity: Severity::Error,
};
/// An error number of an action that returns none.
pub static ERRNO_OF_ACTION_RULE: LintRule = LintRule {
    code: "errno-of-action",
    summary: "an error number stands beside an action that returns none",
    severity: Severity::Error,
};

/// The rules of this file.
pub const RULES: &[&LintRule] = &[
    &ERRNO_TEXT_RULE,
    &ERRNO_NAME_RULE,
    &ERRNO_REDUNDANT,
    &ERRNO_UNKNOWN_RULE,
    &ERRNO_CONTRADICTS_RULE,
    &ERRNO_RANGE_RULE,
    &ERRNO_OF_ACTION_RULE,
];

/// Text where a number is expected.
pub fn text(subject: &LintSubject<'_>, path: &str, found: &str) -> Option<Finding> {
    let number = errno::number(found).or_else(|| found.parse().ok());
    let remedy = match number {
        Some(number) => format!("write {number}"),
        None => "write a number".to_owned(),
    };
    let edit = number.and_then(|number| subject.replace(path, number.to_string()));
    subject
        .finding(&ERRNO_TEXT_RULE, path)
        .message(format!(
            "`{}` must be a number, and is the text `{}`",
            last_key(path),
            escape(found)
        ))
        .remedy(remedy)
        .fix(Safety::Safe, edit)
        .for_audience(&REFUSED, subject.audience)
}

/// The field for numbers beside the field for names.
fn number_field(path: &str) -> &'static str {
    if last_key(path) == "defaultErrno" { "defaultErrnoRet" } else { "errnoRet" }
}

/// An error by its name alone.
pub fn named_alone(
    subject: &LintSubject<'_>,
    path: &str,
    name: &str,
    number: u16,
) -> Option<Finding> {
    let field = number_field(path);
    let located = subject.at(path);
    let span = located.key.map(|key| crate::workbench::json_text::Span {
        start: key.start,
        end: located.node.span.end,
    });
    let edit = span.map(|span| Edit::replace(span, format!("\"{field}\": {number}")));
    subject
        .finding(&ERRNO_NAME_RULE, path)
        .message(format!("the error is written by its name, {}", escape(name)))
        .remedy(format!("write \"{field}\": {number}"))
        .fix(Safety::Safe, edit)
        .for_audience(&ERRNO_NAME, subject.audience)
}

/// An error by its name, beside the same number.
pub fn named_as_well(subject: &LintSubject<'_>, path: &str) -> Option<Finding> {
    let finding = subject.finding_of_key(&ERRNO_REDUNDANT, path);
    Some(
        finding
            .message(format!("`{}` says what the number beside it says", last_key(path)))
            .remedy(format!("remove `{}`: every consumer reads the number", last_key(path)))
            .fix(Safety::Safe, subject.remove(path)),
    )
}

/// No error has this name.
pub fn unknown(subject: &LintSubject<'_>, path: &str, found: &str) -> Option<Finding> {
    let meant = errno::closest(found);
    let remedy = match meant {
        Some(meant) => format!("write {meant}, if that is meant"),
        None => "write the name of an error, as ENOSYS, or the number".to_owned(),
    };
    let edit = meant.and_then(|meant| subject.replace(path, format!("\"{meant}\"")));
    subject
        .finding(&ERRNO_UNKNOWN_RULE, path)
        .message(format!("`{}` is no name of an error", escape(found)))
        .remedy(remedy)
        .confidence(Confidence::Likely)
        .fix(Safety::Guess, edit)
        .for_audience(&ERRNO_UNKNOWN, subject.audience)
}

/// The name and the number differ.
pub fn contradicts(
    subject: &LintSubject<'_>,
    path: &str,
    (name, meant): (&str, u16),
    (field, number): (&str, u16),
) -> Option<Finding> {
    subject
        .finding(&ERRNO_CONTRADICTS_RULE, path)
        .message(format!("{} is {meant}, and `{field}` says {number}", escape(name)))
        .remedy(format!("decide, and keep `{field}` alone"))
        .for_audience(&ERRNO_CONTRADICTS, subject.audience)
        .map(|finding| finding.severity(Severity::Error))
}

/// No number of an error.
pub fn range(subject: &LintSubject<'_>, path: &str, found: u64) -> Option<Finding> {
    subject
        .finding(&ERRNO_RANGE_RULE, path)
        .message(format!("{found} is no error number"))
        .remedy("write a number from 0 to 4095, the largest that the kernel returns")
        .for_audience(&ERRNO_RANGE, subject.audience)
}

/// An action that returns no error.
pub fn of_action(subject: &LintSubject<'_>, path: &str, action: &str) -> Option<Finding> {
    subject
        .finding_of_key(&ERRNO_OF_ACTION_RULE, path)
        .message(format!("{action} returns no error number"))
        .remedy(format!("remove `{}`", last_key(path)))
        .fix(Safety::Safe, subject.remove(path))
        .for_audience(&ERRNO_OF_ACTION, subject.audience)
}
