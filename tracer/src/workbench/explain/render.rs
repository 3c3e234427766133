//! An explanation, for people.

use super::{
    BeyondEntry, Explanation, GroupEntry, SyscallEntry,
    grade::Grade,
    one::{DecisionEntry, Explained, SightingEntry},
};
use crate::{
    profile::defaults::DefaultsEngine,
    text::escape,
    workbench::{diff::render::sighting, paragraph::wrap},
};

/// The signs behind names, and what they mean.
const LEGEND: &str = "* for some arguments alone, ! risk, ^ refused by a default";

/// A profile or a recording as a whole, in lines of at most `width` columns.
pub fn whole(explanation: &Explanation, width: usize) -> String {
    let mut lines = Vec::new();
    let line = |first: &str, text: &str, indent: usize| wrap(first, text, indent, width);
    let derived = if explanation.derived { " (the profile that is derived from it)" } else { "" };
    lines.push(line("", &format!("{}{derived}", explanation.name), 2));
    let graded = &explanation.graded;
    lines.push(line("", &format!("grade {:?}: {}", graded.grade, graded.reason), 2));
    if let Some(evidence) = &explanation.evidence {
        let state = if evidence.complete { "complete" } else { "incomplete" };
        let (syscalls, cgroups, seconds) = (evidence.syscalls, evidence.cgroups, evidence.seconds);
        let text = format!(
            "recorded: {syscalls} syscalls in {} and {seconds:.1} s, {state}",
            counted(cgroups, "cgroup")
        );
        lines.push(line("", &text, 2));
    }
    lines.push(line("", &surface(explanation), 2));
    for default in &explanation.surface.defaults {
        let text = format!(
            "{}: allows {}, {} of them refused here",
            default.engine.name(),
            default.allowed,
            default.refused_here
        );
        lines.push(line("", &text, 2));
    }
    let text = format!("without a rule a syscall {}", passive(&explanation.default_action));
    lines.push(line("", &text, 2));
    lines.push("\n".to_owned());
    if explanation.beyond_defaults.is_empty() {
        lines.push(line("", nothing_beyond(graded.grade), 2));
    } else {
        let count = explanation.beyond_defaults.len();
        lines.push(line("", &format!("beyond the defaults of container engines: {count}"), 2));
        for one in &explanation.beyond_defaults {
            lines.push(line("  ", &beyond(one), 6));
        }
    }
    for risk in &explanation.risks {
        let text = format!("risk, {} ({}): {}", risk.risk, risk.why, risk.names.join(", "));
        lines.push(line("", &text, 2));
    }
    lines.push("\n".to_owned());
    let groups = explanation.groups.iter().filter(|group| !group.syscalls.is_empty());
    for group in groups {
        lines.push(line(&heading(group), &names(group), 2));
    }
    lines.push(line("", &format!("({LEGEND})"), 2));
    lines.concat()
}

fn nothing_beyond(grade: Grade) -> &'static str {
    match grade {
        Grade::F => "beyond the defaults of container engines: all that they refuse",
        _ => "beyond the defaults of container engines: nothing",
    }
}

/// A number with its noun.
fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// An effect as a predicate: `is allowed`.
fn passive(effect: &str) -> String {
    match effect.strip_prefix("allowed") {
        Some(rest) => format!("is allowed{rest}"),
        None => effect.to_owned(),
    }
}

fn surface(explanation: &Explanation) -> String {
    let surface = &explanation.surface;
    let some = match surface.for_some_arguments {
        0 => String::new(),
        some => format!(", {some} of them for some arguments alone"),
    };
    let native = surface.allowed.first().map_or(0, |(_, allowed)| *allowed);
    let others = surface.allowed.iter().skip(1);
    let others: Vec<String> =
        others.map(|(abi, allowed)| format!("{} {allowed}", abi.name())).collect();
    let others = match others.as_slice() {
        [] => "callers of other ABIs are killed".to_owned(),
        others => others.join(", "),
    };
    format!("allowed: {native} of {} x86_64 syscalls{some}; {others}", surface.of)
}

fn beyond(entry: &BeyondEntry) -> String {
    let value = entry.value.as_ref().map(|value| format!("({value})")).unwrap_or_default();
    let mut parts = vec![format!("{}{value}", entry.name)];
    parts.extend(entry.sighting.as_ref().and_then(sighting));
    parts.extend(entry.risk.map(|risk| format!("risk: {risk}")));
    let engines: Vec<&str> = entry.refused_by.iter().copied().map(DefaultsEngine::name).collect();
    let verb = if engines.len() == 1 { "refuses" } else { "refuse" };
    parts.push(format!("{} {verb} it", engines.join(" and ")));
    parts.join("; ")
}

fn heading(group: &GroupEntry) -> String {
    format!("{} ({}): ", group.group.name(), group.syscalls.len())
}

fn names(group: &GroupEntry) -> String {
    let name = |one: &SyscallEntry| {
        let sign = |is_so: bool, sign: &'static str| if is_so { sign } else { "" };
        let limited = sign(one.for_some_arguments, "*");
        let risk = sign(one.risk.is_some(), "!");
        let beyond = sign(one.beyond_defaults, "^");
        format!("{}{limited}{risk}{beyond}", one.name)
    };
    group.syscalls.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// One syscall, in lines of at most `width` columns.
pub fn one(file: &str, explained: &Explained, width: usize) -> String {
    let mut text = String::new();
    let mut line = |first: &str, rest: &str| text.push_str(&wrap(first, rest, 4, width));
    let group = explained.about.group.name();
    line("", &format!("{}: {} ({group})", explained.name, explained.about.does));
    let numbers: Vec<String> =
        explained.numbers.iter().map(|(abi, number)| format!("{} {number}", abi.name())).collect();
    line("numbers: ", &numbers.join(", "));
    for effect in effects(explained) {
        line(&format!("{file}: "), &effect);
    }
    for (engine, effect) in &explained.defaults {
        line(&format!("{}: ", engine.name()), effect);
    }
    if let Some((risk, why)) = explained.risk {
        line("risk: ", &format!("{risk}: {why}"));
    }
    if let Some(decision) = &explained.decision {
        line(&format!("decided in {}: ", decision.file), &decided(decision));
    }
    match &explained.sightings {
        Some(sightings) if sightings.is_empty() => line("seen: ", "never"),
        Some(sightings) => {
            for entry in sightings {
                line("seen: ", &seen(entry));
                for argument in &entry.arguments {
                    line("  with ", argument);
                }
            }
        }
        None => {}
    }
    for reason in &explained.reasons {
        line("why: ", reason);
    }
    for without in &explained.without {
        line("without it: ", without);
    }
    for alternative in &explained.alternatives {
        line("elsewhere: ", alternative);
    }
    text
}

/// What somebody decided, and why.
fn decided(decision: &DecisionEntry) -> String {
    let DecisionEntry { decided, expired, .. } = decision;
    let ended = if *expired { "; it has ended, and does not count" } else { "" };
    format!("{} ({}){ended}", decided.choice.name(), decided.reason())
}

/// What the profile makes of it: one line where all ABIs are treated alike.
fn effects(explained: &Explained) -> Vec<String> {
    let mut found: Vec<(&str, Vec<&str>)> = Vec::new();
    for (abi, effect) in &explained.effects {
        match found.iter_mut().find(|(known, _)| known == effect) {
            Some((_, abis)) => abis.push(abi.name()),
            None => found.push((effect, vec![abi.name()])),
        }
    }
    let written = |(effect, abis): (&str, Vec<&str>)| format!("{effect} ({})", abis.join(", "));
    found.into_iter().map(written).collect()
}

fn seen(entry: &SightingEntry) -> String {
    let mut parts = Vec::new();
    parts.extend(entry.count.map(|count| match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }));
    let command = entry.first.command.as_ref().map(|name| format!("by {name}"));
    let time = entry.first.seconds.map(|seconds| format!("at +{seconds:.3}s"));
    let first: Vec<String> = command.into_iter().chain(time).collect();
    if !first.is_empty() {
        parts.push(format!("first {}", first.join(" ")));
    }
    let others = entry.other_phases.iter().map(|phase| phase.name());
    let phases: Vec<&str> = [entry.phase.name()].into_iter().chain(others).collect();
    parts.push(format!("in {}", phases.join(", ")));
    parts.extend(entry.refused.as_ref().map(|refused| format!("refused: {refused}")));
    parts.push(format!("through {}", entry.abi.name()));
    parts.push(format!("cgroup {}", escape(&entry.cgroup)));
    parts.join("; ")
}
