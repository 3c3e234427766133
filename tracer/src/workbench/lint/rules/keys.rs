//! Keys that nobody knows, that are spelt in another way, or that come twice.

use super::super::{
    finding::{Confidence, Finding, LintRule, Safety, Severity},
    matrix::{IGNORED, KEY_CASE, KEY_CASE_OF_ADDITIONS},
    subject::{Subject, last_key},
};
use crate::workbench::json_text::{Edit, Step};

/// A key that nobody knows.
pub static UNKNOWN_KEY: LintRule = LintRule {
    code: "unknown-key",
    summary: "no consumer knows this field",
    severity: Severity::Note,
};
/// A key that is like a known one.
pub static MISSPELT_KEY: LintRule = LintRule {
    code: "misspelt-key",
    summary: "the field is misspelt, and ignored silently",
    severity: Severity::Error,
};
/// A key in other letters.
pub static KEY_CASE_RULE: LintRule = LintRule {
    code: "key-case",
    summary: "the field is written in other letters, capital or small",
    severity: Severity::Warning,
};
/// A key that comes twice.
pub static DUPLICATE_KEY: LintRule = LintRule {
    code: "duplicate-key",
    summary: "a field comes twice, and the consumers do not agree on which one counts",
    severity: Severity::Error,
};

/// The rules of this file.
pub const RULES: &[&LintRule] = &[&UNKNOWN_KEY, &MISSPELT_KEY, &KEY_CASE_RULE, &DUPLICATE_KEY];

/// A key that nobody knows, and that is like none.
pub fn unknown(subject: &Subject<'_>, path: &str) -> Option<Finding> {
    let finding = subject.finding_of_key(&UNKNOWN_KEY, path);
    let finding = finding
        .message(format!("no consumer knows the field `{}`", last_key(path)))
        .remedy("leave it where it is a remark for people");
    finding.for_audience(&IGNORED, subject.audience)
}

/// A key that is like a known one.
pub fn misspelt(subject: &Subject<'_>, path: &str, meant: &str) -> Option<Finding> {
    let finding = subject.finding_of_key(&MISSPELT_KEY, path);
    let finding = finding
        .message(format!("there is no field `{}`", last_key(path)))
        .remedy(format!("write `{meant}`, if that is meant"))
        .confidence(Confidence::Likely)
        .fix(Safety::Guess, subject.rename(path, meant));
    let finding = finding.for_audience(&IGNORED, subject.audience)?;
    Some(finding.severity(Severity::Error))
}

/// A key in other letters.
pub fn case(subject: &Subject<'_>, path: &str, right: &str) -> Option<Finding> {
    in_other_letters(subject, path, right).for_audience(&KEY_CASE, subject.audience)
}

/// The same of one that only readers written in Go know.
pub fn case_of_additions(subject: &Subject<'_>, path: &str, right: &str) -> Option<Finding> {
    let finding = in_other_letters(subject, path, right).severity(Severity::Note);
    let finding = finding.for_audience(&KEY_CASE_OF_ADDITIONS, subject.audience)?;
    Some(finding.severity(Severity::Note))
}

fn in_other_letters(subject: &Subject<'_>, path: &str, right: &str) -> Finding {
    subject
        .finding_of_key(&KEY_CASE_RULE, path)
        .message(format!("`{}` is written `{right}`", last_key(path)))
        .remedy(format!("write `{right}`"))
        .fix(Safety::Safe, subject.rename(path, right))
}

/// A key that comes twice.
pub fn twice(subject: &Subject<'_>, path: &str) -> Option<Finding> {
    let located = subject.at(path);
    // Where both say the same, one of them can go.
    let edit = located.parents.last().and_then(|(object, step)| {
        let Step::Entry(at) = *step else { return None };
        let entries = object.entries();
        let entry = entries.get(at)?;
        let value = |span| subject.text.get(span_of(span)).unwrap_or_default();
        let mut earlier = entries[..at].iter().filter(|other| other.key == entry.key);
        let same = earlier.any(|other| value(other.node.span) == value(entry.node.span));
        if same { Edit::remove_entry(object, at) } else { None }
    });
    Some(
        subject
            .finding_of_key(&DUPLICATE_KEY, path)
            .message(format!("`{}` comes twice", last_key(path)))
            .remedy("keep one of them")
            .fix(Safety::Safe, edit),
    )
}

fn span_of(span: crate::workbench::json_text::Span) -> std::ops::Range<usize> {
    span.start..span.end
}
