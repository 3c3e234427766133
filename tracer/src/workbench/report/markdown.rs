//! A report in Markdown, for a pull request: the numbers, what is missing, and what to look at.
//!
//! What recordings hold stands in code spans, in which no renderer makes a link of an address, or a
//! mention of a name behind `@`, and no character is markup.

use std::fmt::Write as _;

use super::{
    RecordingReport,
    calls::{CallEntry, DeniedEntry, moment},
};
use crate::{
    profile::defaults::DefaultsEngine,
    recording::Phase,
    syscalls::Abi,
    workbench::{
        explain::BeyondEntry,
        numbers::{count, counted, period, thousands},
    },
};

/// The most rows about recordings, and about what is beyond the defaults.
const ROWS: usize = 30;

/// Writes the report.
pub fn write(report: &RecordingReport) -> String {
    let mut text = format!("## Syscalls of {}\n\n", code(&report.title));
    // Writing to a String cannot fail.
    completeness(&mut text, report);
    figures(&mut text, report);
    beyond_defaults(&mut text, report);
    denied(&mut text, report);
    groups(&mut text, report);
    calls(&mut text, report);
    runs(&mut text, report);
    text
}

/// What is missing, first: it says how far the numbers go.
fn completeness(text: &mut String, report: &RecordingReport) {
    let completeness = &report.completeness;
    if completeness.complete {
        text.push_str("**Complete**: nothing of what was watched is missing.\n");
    } else {
        text.push_str("**Incomplete**: the profile may lack syscalls that the workload makes.\n");
    }
    if !completeness.reasons.is_empty() {
        text.push('\n');
    }
    for reason in &completeness.reasons {
        let _ = writeln!(text, "- {}", code(&reason.what));
        if let Some(remedy) = &reason.remedy {
            let _ = writeln!(text, "  - what to do: {}", code(remedy));
        }
    }
    if !completeness.lacking.is_empty() {
        let lacking = completeness.lacking.iter().take(ROWS).map(|name| code(name));
        let lacking = lacking.collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "\nBecause of {lacking}{}", more(completeness.lacking.len()));
    }
}

fn figures(text: &mut String, report: &RecordingReport) {
    let figures = &report.figures;
    let graded = &report.explanation.graded;
    let made = figures.made.map(|made| format!(" ({} calls in all phases)", thousands(made)));
    text.push_str("\n| | |\n|---|---|\n");
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "| {name} | {value} |");
    };
    row("Syscalls seen", format!("{}{}", count(figures.seen), made.unwrap_or_default()));
    row(
        "Allowed by the profile",
        format!("{} of {} on x86\\_64", count(figures.allowed), figures.of),
    );
    for default in &report.explanation.surface.defaults {
        let (allowed, refused) = (count(default.allowed), count(default.refused_here));
        row(default.engine.name(), format!("allows {allowed}, {refused} of them refused here"));
    }
    row("Beyond the defaults", count(figures.beyond_defaults));
    row("Denied by a filter", count(figures.denied));
    row("Grade", format!("{:?}: {}", graded.grade, cell(&graded.reason)));
    let recorded = format!(
        "{}, {}, {}",
        counted(figures.recordings, "recording"),
        counted(figures.cgroups, "cgroup"),
        period(figures.seconds)
    );
    row("Recorded", recorded);
    if let Some(quiet) = report.discovery.quiet_seconds() {
        row("Nothing new", format!("in the last {}", period(quiet)));
    }
}

fn beyond_defaults(text: &mut String, report: &RecordingReport) {
    let beyond = &report.explanation.beyond_defaults;
    if beyond.is_empty() {
        return;
    }
    text.push_str(
        "\n### Beyond the default profiles\n\n| Syscall | First made by | Risk | Refused by |\n|---|---|---|---|\n",
    );
    for BeyondEntry { name, value, refused_by, sighting, risk } in beyond.iter().take(ROWS) {
        let value = value.as_ref().map(|value| format!("({value})")).unwrap_or_default();
        let command = sighting.as_ref().and_then(|one| one.command.as_deref());
        let engines: Vec<&str> = refused_by.iter().copied().map(DefaultsEngine::name).collect();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            cell(&format!("{name}{value}")),
            command.map_or_else(|| "not seen".to_owned(), cell),
            risk.unwrap_or_default(),
            engines.join(", ")
        );
    }
    rest(text, beyond.len());
}

fn denied(text: &mut String, report: &RecordingReport) {
    if report.denied.is_empty() {
        return;
    }
    text.push_str(
        "\n### Denied by a filter\n\n| Syscall | Answer | First refused | Command | Phase | Times |\n|---|---|--:|---|---|--:|\n",
    );
    for entry in report.denied.iter().take(ROWS) {
        let DeniedEntry { invocation, abi, how, phase, run, first, count, doubtful } = entry;
        let doubt = if *doubtful { " (doubtful)" } else { "" };
        let _ = writeln!(
            text,
            "| {} | {how}{doubt} | {} | {} | {} | {} |",
            cell(&format!("{invocation}{}", other(*abi))),
            moment(first, *run, report.is_of_several()),
            first.command.as_deref().map(cell).unwrap_or_default(),
            phase.map_or("", Phase::name),
            count.map(thousands).unwrap_or_default()
        );
    }
    rest(text, report.denied.len());
}

fn groups(text: &mut String, report: &RecordingReport) {
    text.push_str("\n### Allowed, by group\n\n| Group | | Syscalls |\n|---|--:|---|\n");
    for group in report.explanation.groups.iter().filter(|group| !group.syscalls.is_empty()) {
        let names: Vec<&str> = group.syscalls.iter().map(|one| one.name).collect();
        let (name, number) = (group.group.name(), group.syscalls.len());
        let _ = writeln!(text, "| {name} | {number} | {} |", cell(&names.join(", ")));
    }
}

/// Every syscall that was made: folded, for it is long.
fn calls(text: &mut String, report: &RecordingReport) {
    let number = report.calls.len();
    let _ = writeln!(
        text,
        "\n<details>\n<summary>Every syscall, in the order in which they were first seen ({number})</summary>\n\n| Syscall | Phase | First seen | Command | Times | Arguments |\n|---|---|--:|---|--:|---|"
    );
    for CallEntry { name, abi, phase, run, first, count, arguments, .. } in &report.calls {
        let arguments = arguments.join("; ");
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            cell(&format!("{name}{}", other(*abi))),
            phase.name(),
            moment(first, *run, report.is_of_several()),
            first.command.as_deref().map(cell).unwrap_or_default(),
            count.map(thousands).unwrap_or_default(),
            cell(&arguments)
        );
    }
    text.push_str("\n</details>\n");
}

fn runs(text: &mut String, report: &RecordingReport) {
    text.push_str(
        "\n<details>\n<summary>Where this comes from</summary>\n\n| Recording | Began | Lasted | Host | tracer | Complete |\n|---|---|--:|---|---|---|\n",
    );
    for run in report.runs.iter().take(ROWS) {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            cell(&run.name),
            cell(&run.started),
            period(run.seconds),
            cell(&run.host),
            cell(&run.tracer),
            if run.complete { "yes" } else { "no" }
        );
    }
    rest(text, report.runs.len());
    text.push('\n');
    for target in report.targets.iter().take(ROWS) {
        let image = target.image.as_deref().map(|image| format!(", image {}", code(image)));
        let _ =
            writeln!(text, "- {} {}{}", target.kind, code(&target.name), image.unwrap_or_default());
    }
    text.push_str("\n</details>\n");
}

/// Another ABI than that of the machine.
fn other(abi: Abi) -> String {
    if abi == Abi::NATIVE { String::new() } else { format!(" ({})", abi.name()) }
}

fn more(all: usize) -> String {
    match all.checked_sub(ROWS) {
        None | Some(0) => String::new(),
        Some(rest) => format!(" and {} more", count(rest)),
    }
}

/// A line behind a table that was cut.
fn rest(text: &mut String, all: usize) {
    let more = more(all);
    if !more.is_empty() {
        let _ = writeln!(text, "\n{}.", more.trim_start());
    }
}

/// Text as a code span: between more backticks than stand in it side by side (`CommonMark` 0.31,
/// section 6.1).
fn code(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    let needs_space = text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']);
    let space = if needs_space { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

/// The same in a cell of a table, where a vertical line ends a cell even in a code span, unless a
/// backslash stands before it. Behind another backslash that would not help: there it is written as
/// an escape.
fn cell(text: &str) -> String {
    code(&text.replace("\\|", "\\\\x7c").replace('|', "\\|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_a_code_span_whatever_it_holds() {
        for (text, written) in [
            ("nginx", "`nginx`"),
            ("@root [x](http://example.com) <b>*", "`@root [x](http://example.com) <b>*`"),
            ("a`b", "``a`b``"),
            ("``", "``` `` ```"),
            (" ", "`   `"),
            ("", ""),
        ] {
            assert_eq!(code(text), written);
        }
        assert_eq!(cell("a|b"), "`a\\|b`");
        assert_eq!(cell("a\\|b|"), "`a\\\\x7cb\\|`");
    }
}
