//! For people: what is wrong, where, for whom, and what to do; equal findings together.

use super::{Group, LintedFile, counted, positions};
use crate::workbench::lint::finding::{Confidence, Finding, Safety, Severity};

/// How many places of equal findings are shown.
const SHOWN: usize = 3;
/// The same where each has something to add.
const SHOWN_WITH_DETAILS: usize = 10;
/// How many groups of one rule are shown.
const SHOWN_OF_A_RULE: usize = 10;

/// Writes what was found in a file, in lines of so many columns at most, where words allow it.
pub fn write(file: &LintedFile<'_>, columns: usize) -> String {
    let report = file.report;
    if report.findings.is_empty() {
        return format!("{}: nothing is wrong\n", file.name);
    }
    let mut text = String::new();
    let groups = Group::all(report);
    let mut of_a_rule = std::collections::BTreeMap::new();
    for group in &groups {
        let shown = of_a_rule.entry(group.first().rule.code).or_insert(0);
        *shown += 1;
        if *shown <= SHOWN_OF_A_RULE {
            write_group(&mut text, file, group, columns);
        }
    }
    for (code, count) in of_a_rule.into_iter().filter(|(_, count)| *count > SHOWN_OF_A_RULE) {
        let more = count - SHOWN_OF_A_RULE;
        text.push_str(&format!("and {more} more of {code}; --json shows all\n\n"));
    }
    text.push_str(&summary(file, columns));
    text
}

fn write_group(text: &mut String, file: &LintedFile<'_>, group: &Group<'_>, columns: usize) {
    let first = group.first();
    let place = positions(file);
    let head = format!("{}: {} [{}]", first.severity.name(), first.message, first.rule.code);
    wrap(text, &head, "", "    ", columns);
    let line = |text: &mut String, finding: &Finding| {
        let start = place(finding).0;
        let parts = [&finding.path, &finding.detail];
        let parts: Vec<&str> =
            parts.into_iter().filter(|part| !part.is_empty()).map(String::as_str).collect();
        let parts = parts.join(": ");
        let place = format!("{}:{}:{}  {parts}", file.name, start.line, start.column);
        wrap(text, place.trim_end(), "  ", "    ", columns);
    };
    let most = if first.detail.is_empty() { SHOWN } else { SHOWN_WITH_DETAILS };
    // A line that says "one more" is no shorter than the one.
    let shown = if group.findings.len() == most + 1 { most + 1 } else { most };
    for finding in group.findings.iter().take(shown) {
        line(text, finding);
    }
    if let Some(last) = group.findings.last().filter(|_| group.findings.len() > shown) {
        let more = group.findings.len() - shown;
        text.push_str(&format!("  and {more} more, to line {}\n", place(last).0.line));
    }
    if !first.effects_text.is_empty() {
        wrap(text, &first.effects_text, "  ", "    ", columns);
    }
    if !first.remedy.is_empty() {
        wrap(text, &format!("{}{}", first.remedy, switch(first)), "  help: ", "    ", columns);
    }
    text.push('\n');
}

/// Which option makes the change.
fn switch(finding: &Finding) -> &'static str {
    match finding.fix.as_ref().map(|fix| fix.safety) {
        Some(Safety::Safe) => " (--fix)",
        Some(Safety::Guess) => " (--fix=all)",
        None if finding.confidence == Confidence::Possible => " (perhaps)",
        None => "",
    }
}

/// How many there are, and how many can be put right.
fn summary(file: &LintedFile<'_>, columns: usize) -> String {
    let severities = [Severity::Error, Severity::Warning, Severity::Note];
    let counts = severities.map(|severity| (file.report.count(severity), severity.name()));
    let counts: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| counted(count, name))
        .collect();
    let fixable = |safety: Option<Safety>| {
        let fixes = file.report.findings.iter().filter_map(|finding| finding.fix.as_ref());
        fixes.filter(|fix| safety.is_none_or(|safety| fix.safety == safety)).count()
    };
    let (safe, all) = (fixable(Some(Safety::Safe)), fixable(None));
    let fixes = match (safe, all) {
        (_, 0) => String::new(),
        (0, all) => format!("; --fix=all mends {all}"),
        (safe, all) if safe == all => format!("; --fix mends {safe}"),
        (safe, all) => format!("; --fix mends {safe}, --fix=all {all}"),
    };
    let mut text = String::new();
    wrap(&mut text, &format!("{}: {}{fixes}", file.name, counts.join(", ")), "", "  ", columns);
    text
}

/// Breaks a line between words.
fn wrap(text: &mut String, line: &str, first: &str, next: &str, columns: usize) {
    let mut current = first.to_owned();
    let mut is_empty = true;
    for word in line.split(' ') {
        let width = current.chars().count() + usize::from(!is_empty) + word.chars().count();
        if !is_empty && width > columns {
            text.push_str(&current);
            text.push('\n');
            current = next.to_owned();
            is_empty = true;
        }
        if !is_empty {
            current.push(' ');
        }
        current.push_str(word);
        is_empty = false;
    }
    text.push_str(&current);
    text.push('\n');
}
