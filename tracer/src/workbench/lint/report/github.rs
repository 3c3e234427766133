//! For GitHub: workflow commands, which become remarks beside the lines of a change.

use super::{Group, LintedFile, positions};
use crate::workbench::lint::finding::Severity;

/// Writes a command for each group of equal findings: GitHub shows ten of a step.
pub fn write(file: &LintedFile<'_>) -> String {
    let place = positions(file);
    let command = |group: &Group<'_>| {
        let first = group.first();
        let (start, end) = place(first);
        let level = match first.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        let more = match group.findings.len() - 1 {
            0 => String::new(),
            more => format!(" ({more} more like it)"),
        };
        let mut message = format!("{}{more}", first.full_message());
        for part in [&first.effects_text, &first.remedy] {
            if !part.is_empty() {
                message.push('\n');
                message.push_str(part);
            }
        }
        // The columns count only where the finding is in one line.
        let columns = match start.line == end.line {
            true => format!(",col={},endColumn={}", start.column, end.column),
            false => String::new(),
        };
        format!(
            "::{level} file={},line={},endLine={}{columns},title={}::{}\n",
            property(file.name),
            start.line,
            end.line,
            property(first.rule.code),
            data(&message)
        )
    };
    Group::all(file.report).iter().map(command).collect()
}

/// Text of a command, as GitHub's toolkit escapes it (`packages/core/src/command.ts`).
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
