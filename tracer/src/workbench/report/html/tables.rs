//! The long tables: what was refused, what was made, and where it comes from.

use super::{
    parts::{ROWS, more, section, table},
    writer::Html,
};
use crate::{
    recording::Phase,
    syscalls::Abi,
    workbench::{
        about::SyscallGroup,
        numbers::{count, period, thousands},
        report::{
            RecordingReport,
            calls::{CallEntry, DeniedEntry, moment},
        },
    },
};

/// What a filter refused.
pub(super) fn denied(page: &mut Html, report: &RecordingReport) {
    if report.denied.is_empty() {
        return;
    }
    section(page, "Denied by a filter", |page| {
        let heads = [
            ("Syscall", ""),
            ("Answer", ""),
            ("First refused", "n"),
            ("Command", ""),
            ("Phase", ""),
            ("Times", "n"),
        ];
        table(page, true, &heads, |body| {
            for (place, entry) in report.denied.iter().enumerate() {
                refused(body, report, entry, place);
            }
        });
    });
}

fn refused(body: &mut Html, report: &RecordingReport, entry: &DeniedEntry, place: usize) {
    let doubt = if entry.doubtful { " (doubtful)" } else { "" };
    let invocation = format!("{}{}", entry.invocation, other(entry.abi));
    body.element("tr", &[], |row| {
        row.leaf("td", &[("class", "name")], &invocation);
        row.leaf("td", &[("class", "name")], &format!("{}{doubt}", entry.how));
        let time = moment(&entry.first, entry.run, report.is_of_several());
        number(row, place, &time);
        row.leaf("td", &[("class", "name")], entry.first.command.as_deref().unwrap_or_default());
        row.leaf("td", &[], entry.phase.map_or("", Phase::name));
        times(row, entry.count);
    });
}

/// Every syscall that was made.
pub(super) fn calls(page: &mut Html, report: &RecordingReport) {
    let mut heads = vec![
        ("Syscall", ""),
        ("Group", ""),
        ("Phase", ""),
        ("First seen", "n"),
        ("Command", ""),
        ("Times", "n"),
        ("Arguments", ""),
        ("Marks", ""),
    ];
    if report.is_of_several() {
        heads.push(("Recordings", "n"));
    }
    section(page, "Syscalls in the order in which they were first seen", |page| {
        table(page, true, &heads, |body| {
            for (place, call) in report.calls.iter().enumerate() {
                made(body, report, call, place);
            }
        });
    });
}

fn made(body: &mut Html, report: &RecordingReport, call: &CallEntry, place: usize) {
    body.line();
    body.element("tr", &[], |row| {
        let name = format!("{}{}", call.name, other(call.abi));
        row.leaf("th", &[("class", "name"), ("scope", "row")], &name);
        row.leaf("td", &[], call.group.map_or("", SyscallGroup::name));
        row.leaf("td", &[], call.phase.name());
        number(row, place, &moment(&call.first, call.run, report.is_of_several()));
        row.leaf("td", &[("class", "name")], call.first.command.as_deref().unwrap_or_default());
        times(row, call.count);
        row.leaf("td", &[("class", "values name")], &call.arguments.join("; "));
        let mut marks: Vec<&str> = Vec::new();
        marks.extend(call.beyond_defaults.then_some("beyond a default"));
        marks.extend(call.risk);
        row.leaf("td", &[("class", "marks warn")], &marks.join("; "));
        if report.is_of_several() {
            number(row, call.recordings, &count(call.recordings));
        }
    });
}

/// Another ABI than that of the machine.
fn other(abi: Abi) -> String {
    if abi == Abi::NATIVE { String::new() } else { format!(" ({})", abi.name()) }
}

/// A cell that is sorted by a number.
fn number(row: &mut Html, value: usize, text: &str) {
    row.leaf("td", &[("class", "n"), ("data-v", &value.to_string())], text);
}

/// How often, where that was counted.
fn times(row: &mut Html, count: Option<u64>) {
    let value = count.unwrap_or_default().to_string();
    let text = count.map(thousands).unwrap_or_default();
    row.leaf("td", &[("class", "n"), ("data-v", &value)], &text);
}

/// Targets and recordings.
pub(super) fn provenance(page: &mut Html, report: &RecordingReport) {
    section(page, "Where this comes from", |page| {
        let heads = [("Target", ""), ("Kind", ""), ("Runtime", ""), ("Image", "")];
        table(page, false, &heads, |body| {
            for target in report.targets.iter().take(ROWS) {
                body.element("tr", &[], |row| {
                    row.leaf("td", &[("class", "name")], &target.name);
                    row.leaf("td", &[], target.kind);
                    row.leaf("td", &[], target.runtime.as_deref().unwrap_or_default());
                    row.leaf(
                        "td",
                        &[("class", "name")],
                        target.image.as_deref().unwrap_or_default(),
                    );
                });
            }
        });
        page.leaf("p", &[("class", "faint")], &more(report.targets.len()));
        recordings(page, report);
        page.leaf("p", &[("class", "faint")], &more(report.runs.len()));
    });
}

fn recordings(page: &mut Html, report: &RecordingReport) {
    let heads = [
        ("Recording", ""),
        ("Began", ""),
        ("Lasted", "n"),
        ("Host", ""),
        ("tracer", ""),
        ("Command", ""),
        ("Brought", ""),
        ("Complete", ""),
    ];
    table(page, false, &heads, |body| {
        for run in report.runs.iter().take(ROWS) {
            body.element("tr", &[], |row| {
                row.leaf("td", &[("class", "name")], &run.name);
                row.leaf("td", &[], &run.started);
                row.leaf("td", &[("class", "n")], &period(run.seconds));
                row.leaf("td", &[], &run.host);
                row.leaf("td", &[], &run.tracer);
                row.leaf("td", &[("class", "name")], run.command.as_deref().unwrap_or_default());
                row.leaf("td", &[], run.brought.as_deref().unwrap_or_default());
                row.leaf("td", &[], if run.complete { "yes" } else { "no" });
            });
        }
    });
}
