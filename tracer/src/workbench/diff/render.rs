//! A comparison, for people.

use std::fmt::Write as _;

use super::{
    Change, ChangeKind, Comparison,
    shadow::{Shadow, ShadowDenial},
};
use crate::{
    profile::{beyond::FirstSeen, defaults::DefaultsEngine},
    syscalls::{Abi, HOST},
    workbench::paragraph::wrap,
};

/// What is compared, as it is called in the text.
#[derive(Clone, Copy, Debug)]
pub struct ComparedNames<'a> {
    /// The first side.
    pub before: &'a str,
    /// The second side.
    pub after: &'a str,
    /// Both sides are recordings.
    pub recordings: bool,
}

/// A section of the text: the kind, its title for profiles and for recordings, and the sign before
/// each line.
const SECTIONS: [(ChangeKind, &str, &str, &str); 7] = [
    (ChangeKind::Added, "added", "made by the second alone", "+"),
    (ChangeKind::Wider, "allowed for more arguments", "made with more arguments", "+"),
    (ChangeKind::OtherArguments, "allowed for other arguments", "made with other arguments", "~"),
    (ChangeKind::Narrower, "allowed for fewer arguments", "made with fewer arguments", "-"),
    (ChangeKind::Removed, "removed", "made by the first alone", "-"),
    (ChangeKind::Action, "another action", "another action", "~"),
    (ChangeKind::Unknown, "too many conditions to compare", "too many values to compare", "?"),
];

/// The text, in lines of at most `width` columns.
pub fn text(comparison: &Comparison, names: &ComparedNames<'_>, width: usize) -> String {
    let mut text = wrap("", &format!("{} -> {}", names.before, names.after), 2, width);
    if comparison.is_same() {
        text.push_str(&wrap("", &sameness(comparison, names), 2, width));
        return text;
    }
    text.push_str(&wrap("", &numbers(comparison, names), 2, width));
    for line in outline(comparison) {
        text.push_str(&wrap("", &line, 2, width));
    }
    for (kind, of_profiles, of_recordings, sign) in SECTIONS {
        let title = if names.recordings { of_recordings } else { of_profiles };
        let changes = comparison.changes.iter().filter(|change| change.kind == kind);
        section(&mut text, (title, sign), &changes.collect::<Vec<_>>(), width);
    }
    text
}

fn sameness(comparison: &Comparison, names: &ComparedNames<'_>) -> String {
    let [allowed, _] = comparison.allowed;
    if names.recordings {
        return format!("the same: both show the same {allowed} x86_64 syscalls");
    }
    format!(
        "the same: both allow the same {allowed} of {} x86_64 syscalls, for the same arguments",
        HOST.native_names
    )
}

fn numbers(comparison: &Comparison, names: &ComparedNames<'_>) -> String {
    let Comparison { allowed: [before, after], same, .. } = comparison;
    if names.recordings {
        return format!("x86_64 syscalls made: {before} -> {after}, the same in both: {same}");
    }
    format!(
        "x86_64 syscalls allowed: {before} -> {after} of {}, the same in both: {same}",
        HOST.native_names
    )
}

/// What differs besides single calls.
fn outline(comparison: &Comparison) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some([before, after]) = &comparison.default_action {
        lines.push(format!("default action: {before} -> {after}"));
    }
    for one in &comparison.architectures {
        let (abi, allowed) = (one.abi.name(), one.allowed);
        lines.push(if one.added {
            format!("architecture {abi}: kills every caller -> allows {allowed} syscalls")
        } else {
            format!("architecture {abi}: allows {allowed} syscalls -> kills every caller")
        });
    }
    if let Some([before, after]) = &comparison.flags {
        lines.push(format!("flags: {before} -> {after}"));
    }
    lines
}

/// Lines for what needs one, and one list of the other names.
fn section(text: &mut String, (title, sign): (&str, &str), changes: &[&Change], width: usize) {
    if changes.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{title}: {}", changes.len());
    let (plain, detailed): (Vec<&Change>, Vec<&Change>) =
        changes.iter().copied().partition(|change| details(change).is_empty());
    for change in detailed {
        let line = format!("{}: {}", change.name, details(change));
        text.push_str(&wrap(&format!("  {sign} "), &line, 6, width));
    }
    if !plain.is_empty() {
        let names: Vec<&str> = plain.iter().map(|change| change.name).collect();
        text.push_str(&wrap(&format!("  {sign} "), &names.join(", "), 4, width));
    }
}

/// What is said of a call besides its name.
fn details(change: &Change) -> String {
    let mut parts = Vec::new();
    let is_whole = matches!(change.kind, ChangeKind::Added | ChangeKind::Removed);
    let list = |values: &[String], word: &str| {
        (!values.is_empty()).then(|| format!("{word} {}", values.join(", ")))
    };
    if is_whole {
        // The other side refuses it.
        let passing = if change.kind == ChangeKind::Added { &change.after } else { &change.before };
        parts.extend((passing != "allowed" && passing != "made").then(|| passing.clone()));
    } else {
        let lists = [list(&change.gained, "now"), list(&change.lost, "no longer")];
        let lists: Vec<String> = lists.into_iter().flatten().collect();
        let whole = [&change.before, &change.after]
            .iter()
            .any(|one| !one.starts_with("for ") && *one != "made");
        if lists.is_empty() || whole {
            parts.push(format!("{} -> {}", change.before, change.after));
        } else {
            parts.extend(lists);
        }
    }
    if change.some_abis {
        let abis: Vec<&str> = change.abis.iter().map(|abi| abi.name()).collect();
        parts.push(format!("{} alone", abis.join(" and ")));
    }
    parts.extend(change.sighting.as_ref().and_then(sighting));
    parts.extend(change.risk.map(|risk| format!("risk: {risk}")));
    if !change.refused_by.is_empty() {
        let engines: Vec<&str> =
            change.refused_by.iter().copied().map(DefaultsEngine::name).collect();
        let verb = if engines.len() == 1 { "refuses" } else { "refuse" };
        parts.push(format!("{} {verb} it", engines.join(" and ")));
    }
    parts.join("; ")
}

/// How often a call was made.
fn times(count: u64) -> String {
    match count {
        1 => "made once".to_owned(),
        count => format!("made {count} times"),
    }
}

/// Who made a call first, and when: `first by nginx at +0.100s`.
pub fn sighting(sighting: &FirstSeen) -> Option<String> {
    let command = sighting.command.as_ref().map(|name| format!("by {name}"));
    let time = sighting.seconds.map(|seconds| format!("at +{seconds:.3}s"));
    let parts: Vec<String> = command.into_iter().chain(time).collect();
    (!parts.is_empty()).then(|| format!("first {}", parts.join(" ")))
}

/// What a profile would have denied to recordings, for people, in lines of at most `width` columns.
pub fn shadows(profile: &str, shadows: &[Shadow], width: usize) -> String {
    let mut text = wrap("", &format!("{profile}: what it would have denied"), 2, width);
    for shadow in shadows {
        text.push('\n');
        text.push_str(&wrap("", &heading(shadow), 2, width));
        for call in &shadow.denied {
            let sign = if call.doubtful { "  ? " } else { "  - " };
            text.push_str(&wrap(sign, &denied(call), 6, width));
        }
    }
    let with = shadows.iter().filter(|shadow| shadow.is_denied()).count();
    if shadows.len() > 1 {
        let _ = writeln!(text, "\nrecordings with denied syscalls: {with} of {}", shadows.len());
    }
    text
}

fn heading(shadow: &Shadow) -> String {
    let Shadow { recording, complete, denied, calls } = shadow;
    let certain = denied.iter().filter(|call| !call.doubtful).count();
    let perhaps = denied.len() - certain;
    let mut parts = vec![match certain {
        0 => format!("none of {calls} syscalls"),
        some => format!("{some} of {calls} syscalls"),
    }];
    if perhaps > 0 {
        parts.push(format!(
            "{perhaps} perhaps (?): the profile looks at arguments that were not recorded"
        ));
    }
    if !complete {
        parts.push("the recording is incomplete, so that there may be more".to_owned());
    }
    format!("{recording}: {}", parts.join("; "))
}

fn denied(call: &ShadowDenial) -> String {
    let name = call.name.map_or_else(|| format!("number {}", call.number), str::to_owned);
    let values = match call.values.as_slice() {
        [] => String::new(),
        values => format!(" with {}", values.join(", ")),
    };
    let abi = match call.abi {
        Abi::X86_64 => String::new(),
        other => format!(" ({})", other.name()),
    };
    let mut parts = vec![format!("{name}{abi}{values} {}", call.effect)];
    parts.extend(sighting(&call.first));
    parts.push(format!("in {}", call.phase.name()));
    // The count is of all values.
    let count = call.count.filter(|_| call.values.is_empty());
    parts.extend(count.map(times));
    parts.extend(call.risk.map(|risk| format!("risk: {risk}")));
    parts.join("; ")
}
