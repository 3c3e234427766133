//! Keys that nobody knows, that are spelt in another way, or that come twice.

use super::super::{
    finding::{Confidence, Finding, LintRule, Safety, Severity},
    matrix::{IGNORED, KEY_CASE, KEY_CASE_OF_ADDITIONS},
    subject::{LintSubject, last_key},
};
use crate::workbench::json_text::{Edit, Entry, JsonNode, JsonStep};

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
pub fn unknown(subject: &LintSubject<'_>, path: &str) -> Option<Finding> {
    let finding = subject.finding_of_key(&UNKNOWN_KEY, path);
    let finding = finding
        .message(format!("no consumer knows the field `{}`", last_key(path)))
        .remedy("leave it where it is a remark for people");
    finding.for_audience(&IGNORED, subject.audience)
}

/// A key that is like a known one.
pub fn misspelt(subject: &LintSubject<'_>, path: &str, meant: &str) -> Option<Finding> {
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
pub fn case(subject: &LintSubject<'_>, path: &str, right: &str) -> Option<Finding> {
    in_other_letters(subject, path, right).for_audience(&KEY_CASE, subject.audience)
}

/// The same of one that only readers written in Go know.
pub fn case_of_additions(subject: &LintSubject<'_>, path: &str, right: &str) -> Option<Finding> {
    let finding = in_other_letters(subject, path, right).severity(Severity::Note);
    let finding = finding.for_audience(&KEY_CASE_OF_ADDITIONS, subject.audience)?;
    Some(finding.severity(Severity::Note))
}

fn in_other_letters(subject: &LintSubject<'_>, path: &str, right: &str) -> Finding {
    subject
        .finding_of_key(&KEY_CASE_RULE, path)
        .message(format!("`{}` is written `{right}`", last_key(path)))
        .remedy(format!("write `{right}`"))
        .fix(Safety::Safe, subject.rename(path, right))
}

/// A key that comes twice, or more often.
pub fn twice(subject: &LintSubject<'_>, path: &str) -> Option<Finding> {
    let located = subject.at(path);
    let edits = match located.parents.last() {
        Some((object, JsonStep::Entry(at))) => without_repetitions(subject, object, *at),
        _ => Vec::new(),
    };
    Some(
        subject
            .finding_of_key(&DUPLICATE_KEY, path)
            .message(format!("`{}` comes twice", last_key(path)))
            .remedy("keep one of them")
            .fix(Safety::Safe, edits),
    )
}

/// Where all values of a key are the same, the first one is enough.
fn without_repetitions(subject: &LintSubject<'_>, object: &JsonNode, at: usize) -> Vec<Edit> {
    let entries = object.entries();
    let Some(entry) = entries.get(at) else { return Vec::new() };
    let value = |entry: &Entry| subject.text.get(span_of(entry.node.span)).unwrap_or_default();
    let of_key = entries.iter().enumerate().filter(|(_, other)| other.key == entry.key);
    let (places, values): (Vec<usize>, Vec<&str>) =
        of_key.map(|(place, other)| (place, value(other))).unzip();
    match places.split_first() {
        Some((_, repeated)) if values.iter().all(|one| *one == value(entry)) => {
            Edit::remove_entries(object, repeated)
        }
        _ => Vec::new(),
    }
}

fn span_of(span: crate::workbench::json_text::Span) -> std::ops::Range<usize> {
    span.start..span.end
}

#[cfg(test)]
mod tests {
    use crate::workbench::lint::{
        consumer::Audience,
        fixing::{Extent, fix},
        lint,
    };

    fn fixed(text: &str) -> Option<String> {
        fix(text.as_bytes(), &Audience::default(), Extent::Safe).map(|fixed| fixed.text)
    }

    #[test]
    fn a_key_that_comes_often_is_found_once_and_stays_once() {
        let often = "\"defaultErrnoRet\": 38, ".repeat(500);
        let text = format!("{{\"defaultAction\": \"SCMP_ACT_ERRNO\", {often}\"syscalls\": []}}");
        let report = lint(text.as_bytes(), &Audience::default());
        let found = report.findings.iter().filter(|it| it.rule.code == "duplicate-key");
        assert_eq!(found.count(), 1);
        let fixed = fixed(&text).expect("it is corrected");
        assert_eq!(fixed.matches("defaultErrnoRet").count(), 1, "{fixed}");
    }

    #[test]
    fn values_that_differ_are_left_to_people() {
        let text = "{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrnoRet\": 1, \"defaultErrnoRet\": 38, \"defaultErrnoRet\": 1}";
        assert_eq!(fixed(text), None);
    }
}
