//! The sections of the page, from the top.

use super::{
    chart,
    parts::{ROWS, more, section, table},
    tables::{calls, denied, provenance},
    writer::Html,
};
use crate::{
    profile::defaults::DefaultsEngine,
    workbench::{
        explain::{BeyondEntry, SyscallEntry},
        numbers::{count, counted, period, thousands},
        report::RecordingReport,
    },
};

/// Writes everything that is seen.
pub(super) fn write(page: &mut Html, report: &RecordingReport) {
    page.element("header", &[], |header| head(header, report));
    page.element("main", &[], |main| {
        completeness(main, report);
        discovery(main, report);
        phases(main, report);
        defaults(main, report);
        groups(main, report);
        denied(main, report);
        calls(main, report);
        provenance(main, report);
    });
    page.element("footer", &[], |footer| {
        footer.text("Written by tracer ");
        footer.text(env!("CARGO_PKG_VERSION"));
        footer.text(". The profile is the one that tracer profile derives without options.");
    });
    page.line();
}

/// The title and the numbers.
fn head(page: &mut Html, report: &RecordingReport) {
    let figures = &report.figures;
    page.leaf("h1", &[], &format!("Syscalls of {}", report.title));
    page.element("p", &[("class", "faint")], |p| {
        let recordings = counted(figures.recordings, "recording");
        let (cgroups, seconds) = (counted(figures.cgroups, "cgroup"), period(figures.seconds));
        p.text(&format!("{recordings}, {cgroups}, {seconds}"));
    });
    let graded = &report.explanation.graded;
    page.element("dl", &[("class", "figures")], |list| {
        let seen = match figures.made {
            Some(made) => format!("{} calls in all phases", thousands(made)),
            None => "not counted".to_owned(),
        };
        figure(list, "seen", "syscalls seen", &count(figures.seen), &seen);
        let of = format!("of {} on x86_64; what runtimes need is added", figures.of);
        figure(list, "allowed", "allowed by the profile", &count(figures.allowed), &of);
        let names = DefaultsEngine::ALL.map(DefaultsEngine::name).join(" or ");
        let beyond = format!("{names} refuse them");
        let number = count(figures.beyond_defaults);
        figure(list, "beyond", "beyond the defaults", &number, &beyond);
        figure(list, "denied", "denied", &count(figures.denied), "syscalls that a filter refused");
        figure(list, "grade", "grade", &format!("{:?}", graded.grade), &graded.reason);
    });
}

/// One number with what it is.
fn figure(list: &mut Html, id: &str, name: &str, number: &str, more: &str) {
    list.element("div", &[], |item| {
        item.leaf("dt", &[], name);
        item.element("dd", &[], |dd| {
            dd.leaf("span", &[("id", &format!("figure-{id}"))], number);
            dd.leaf("small", &[], more);
        });
    });
}

fn completeness(page: &mut Html, report: &RecordingReport) {
    let completeness = &report.completeness;
    section(page, "Completeness", |page| {
        if completeness.complete {
            page.leaf("p", &[("class", "state good"), ("id", "state")], "Complete");
            page.leaf("p", &[], "Nothing of what was watched is missing.");
        } else {
            page.leaf("p", &[("class", "state bad"), ("id", "state")], "Incomplete");
            page.leaf("p", &[], "The profile may lack syscalls that the workload makes.");
        }
        if !completeness.reasons.is_empty() {
            page.element("ul", &[("class", "reasons")], |list| {
                for reason in &completeness.reasons {
                    list.element("li", &[], |item| {
                        item.text(&reason.what);
                        if let Some(remedy) = &reason.remedy {
                            item.element("p", &[("class", "faint")], |p| {
                                p.text("What to do: ");
                                p.text(remedy);
                            });
                        }
                    });
                }
            });
        }
        if !completeness.lacking.is_empty() {
            page.element("p", &[], |p| {
                p.text("Because of ");
                for (index, name) in completeness.lacking.iter().take(ROWS).enumerate() {
                    p.text(if index == 0 { "" } else { ", " });
                    p.leaf("code", &[], name);
                }
                p.text(&more(completeness.lacking.len()));
            });
        }
        starts(page, report);
    });
}

/// How often each container was started.
fn starts(page: &mut Html, report: &RecordingReport) {
    if report.starts.is_empty() {
        return;
    }
    table(page, false, &[("Container", ""), ("Starts recorded whole", "n"), ("", "")], |body| {
        for start in report.starts.iter().take(ROWS) {
            let late = if start.late { "it also ran before tracing began" } else { "" };
            let sessions = if start.exec_sessions {
                "exec sessions or probes are among its calls"
            } else {
                ""
            };
            let notes: Vec<&str> =
                [late, sessions].into_iter().filter(|it| !it.is_empty()).collect();
            body.element("tr", &[], |row| {
                row.leaf("td", &[("class", "name")], &start.label);
                row.leaf("td", &[("class", "n")], &count(start.complete));
                row.leaf("td", &[], &notes.join("; "));
            });
        }
    });
    page.leaf("p", &[("class", "faint")], &more(report.starts.len()));
}

fn discovery(page: &mut Html, report: &RecordingReport) {
    let discovery = &report.discovery;
    section(page, "Discovery over time", |page| {
        page.element("figure", &[], |figure| {
            figure.element("div", &[("class", "axis")], |axis| {
                axis.leaf("span", &[], &counted(discovery.total(), "syscall"));
            });
            chart::discovery(figure, discovery);
            figure.element("div", &[("class", "axis")], |axis| {
                axis.leaf("span", &[], "0");
                axis.leaf("span", &[], &period(discovery.seconds / 2.0));
                axis.leaf("span", &[], &period(discovery.seconds));
            });
            figure.element("figcaption", &[], |caption| {
                caption.text("How many different syscalls had been seen at each time.");
                if report.is_of_several() {
                    caption.text(" The recordings stand one behind another.");
                }
                if let Some(quiet) = discovery.quiet_seconds() {
                    caption.text(&format!(" Nothing new came in the last {}.", period(quiet)));
                }
                if discovery.untimed > 0 {
                    caption.text(&format!(
                        " The times of {} are unknown: they stand at the end.",
                        count(discovery.untimed)
                    ));
                }
            });
        });
    });
}

fn phases(page: &mut Html, report: &RecordingReport) {
    section(page, "Phases", |page| {
        let heads = [("Phase", ""), ("Who", ""), ("Syscalls", "n"), ("In the profile", "")];
        table(page, false, &heads, |body| {
            for entry in &report.phases {
                body.element("tr", &[], |row| {
                    row.leaf("td", &[("class", "name")], entry.phase.name());
                    row.leaf("td", &[], entry.what);
                    row.leaf("td", &[("class", "n")], &count(entry.syscalls));
                    row.leaf("td", &[], entry.in_profile);
                });
            }
        });
    });
}

/// The profile beside the defaults of container engines.
fn defaults(page: &mut Html, report: &RecordingReport) {
    let explanation = &report.explanation;
    section(page, "Beside the default profiles", |page| {
        let heads = [("Profile", ""), ("Allows", "n"), ("Refused here", "n")];
        table(page, false, &heads, |body| {
            for default in &explanation.surface.defaults {
                body.element("tr", &[], |row| {
                    row.leaf("td", &[], default.engine.name());
                    row.leaf("td", &[("class", "n")], &count(default.allowed));
                    row.leaf("td", &[("class", "n")], &count(default.refused_here));
                });
            }
        });
        if explanation.beyond_defaults.is_empty() {
            page.leaf("p", &[], "Nothing is allowed that they refuse.");
        } else {
            page.leaf("p", &[], "Allowed here, and refused by a default:");
            let heads = [("Syscall", ""), ("First made by", ""), ("Risk", ""), ("Refused by", "")];
            table(page, true, &heads, |body| {
                for entry in &explanation.beyond_defaults {
                    beyond(body, entry);
                }
            });
        }
        for risk in &explanation.risks {
            page.element("p", &[], |p| {
                p.leaf("span", &[("class", "warn state")], &format!("Risk, {}", risk.risk));
                p.text(&format!(" ({}): ", risk.why));
                p.leaf("code", &[], &risk.names.join(", "));
            });
        }
    });
}

fn beyond(body: &mut Html, entry: &BeyondEntry) {
    let value = entry.value.as_ref().map(|value| format!("({value})")).unwrap_or_default();
    let engines: Vec<&str> = entry.refused_by.iter().copied().map(DefaultsEngine::name).collect();
    let command = entry.sighting.as_ref().and_then(|one| one.command.as_deref());
    body.element("tr", &[], |row| {
        row.leaf("td", &[("class", "name")], &format!("{}{value}", entry.name));
        row.leaf("td", &[("class", "name")], command.unwrap_or("not seen"));
        row.leaf("td", &[("class", "warn")], entry.risk.unwrap_or_default());
        row.leaf("td", &[], &engines.join(", "));
    });
}

fn groups(page: &mut Html, report: &RecordingReport) {
    let groups = || report.explanation.groups.iter().filter(|group| !group.syscalls.is_empty());
    let most = groups().map(|group| group.syscalls.len()).max().unwrap_or_default();
    section(page, "What the profile allows, by group", |page| {
        let heads = [("Group", ""), ("Syscalls", "n"), ("", ""), ("Names", "")];
        table(page, false, &heads, |body| {
            for group in groups() {
                body.element("tr", &[], |row| {
                    row.leaf("td", &[], group.group.name());
                    row.leaf("td", &[("class", "n")], &count(group.syscalls.len()));
                    row.element("td", &[], |td| chart::bar(td, group.syscalls.len(), most));
                    row.element("td", &[("class", "list name")], |td| {
                        for (index, one) in group.syscalls.iter().enumerate() {
                            td.text(if index == 0 { "" } else { ", " });
                            named(td, one);
                        }
                    });
                });
            }
        });
        page.leaf(
            "p",
            &[("class", "faint")],
            "* for some arguments alone, ! risk, ^ refused by a default, + not seen: runtimes or C libraries need it",
        );
    });
}

/// A name with its signs.
fn named(page: &mut Html, one: &SyscallEntry) {
    let signs = [
        (one.for_some_arguments, "*"),
        (one.risk.is_some(), "!"),
        (one.beyond_defaults, "^"),
        (one.seen == Some(false), "+"),
    ];
    let signs: String = signs.into_iter().filter(|(is, _)| *is).map(|(_, sign)| sign).collect();
    let class = match one {
        _ if one.risk.is_some() || one.beyond_defaults => "warn",
        _ if one.seen == Some(false) => "faint",
        _ => "",
    };
    page.leaf("span", &[("class", class)], &format!("{}{signs}", one.name));
}
