//! For programs: every finding by itself, with its fix.

use serde::Serialize;

use super::{LintedFile, positions};
use crate::workbench::lint::finding::{Finding, Safety, Severity};

/// Everything that was found. The names of the fields are an interface.
#[derive(Debug, Serialize)]
pub struct Output {
    version: u32,
    files: Vec<File>,
}

#[derive(Debug, Serialize)]
struct File {
    path: String,
    errors: usize,
    warnings: usize,
    notes: usize,
    findings: Vec<Found>,
}

#[derive(Debug, Serialize)]
struct Found {
    rule: &'static str,
    severity: &'static str,
    confidence: &'static str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    field: String,
    message: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
    remedy: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    consumers: Vec<OfConsumer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<Fix>,
    help: String,
}

#[derive(Debug, Serialize)]
struct OfConsumer {
    consumer: &'static str,
    effect: &'static str,
}

#[derive(Debug, Serialize)]
struct Fix {
    safe: bool,
    edits: Vec<Edit>,
}

/// Bytes `start` to `end` of the file, and what stands there afterwards.
#[derive(Debug, Serialize)]
struct Edit {
    start: usize,
    end: usize,
    text: String,
}

/// Where a rule is explained.
pub(super) fn help(finding: &Finding) -> String {
    format!("docs/lint.md#{}", finding.rule.code)
}

/// What was found in some files.
pub fn output(files: &[LintedFile<'_>]) -> Output {
    Output { version: 1, files: files.iter().map(of_file).collect() }
}

fn of_file(file: &LintedFile<'_>) -> File {
    let place = positions(file);
    let found = |finding: &Finding| {
        let (start, end) = place(finding);
        let edits = |fix: &crate::workbench::lint::finding::Fix| {
            let edit = |edit: &crate::workbench::json_text::Edit| Edit {
                start: edit.span.start,
                end: edit.span.end,
                text: edit.replacement.clone(),
            };
            fix.edits.iter().map(edit).collect()
        };
        let consumers = finding.effects.iter().map(|(consumer, effect)| OfConsumer {
            consumer: consumer.name(),
            effect: effect.name(),
        });
        Found {
            rule: finding.rule.code,
            severity: finding.severity.name(),
            confidence: finding.confidence.name(),
            line: start.line,
            column: start.column,
            end_line: end.line,
            end_column: end.column,
            field: finding.path.clone(),
            message: finding.message.clone(),
            detail: finding.detail.clone(),
            remedy: finding.remedy.clone(),
            consumers: consumers.collect(),
            fix: finding
                .fix
                .as_ref()
                .map(|fix| Fix { safe: fix.safety == Safety::Safe, edits: edits(fix) }),
            help: help(finding),
        }
    };
    File {
        path: file.name.to_owned(),
        errors: file.report.count(Severity::Error),
        warnings: file.report.count(Severity::Warning),
        notes: file.report.count(Severity::Note),
        findings: file.report.findings.iter().map(found).collect(),
    }
}
