//! Decoded text, for people.

use std::collections::BTreeSet;

use super::{Decoded, DecodedCall, FirstLine, under::VerdictSummary};
use crate::{
    syscalls::{self, Abi},
    workbench::paragraph::wrap,
};

/// What stands where nothing is known.
const NOTHING: &str = "-";
/// What stands for the name that a number does not have.
const NO_NAME: &str = "unknown";

/// What a text names, in lines of at most `width` columns. `profile` is the one that was asked.
pub fn text(decoded: &Decoded, profile: Option<&str>, width: usize) -> String {
    let mut text = table(&decoded.calls, profile.is_some(), width);
    let mut line = |first: &str, rest: &str| text.push_str(&wrap(first, rest, 2, width));
    if decoded.calls.iter().any(|call| call.abi.is_none()) {
        line(
            "",
            "arch=: an architecture whose syscalls tracer does not know; its number is that of include/uapi/linux/audit.h",
        );
    }
    if decoded.calls.iter().any(may_be_newer) {
        line(
            "",
            "unknown: a number without a name; a kernel newer than tracer's tables may have it",
        );
    }
    for remark in &decoded.remarks {
        line("", remark);
    }
    if let Some(profile) = profile.filter(|_| !decoded.calls.is_empty()) {
        line("", &under(&decoded.calls, profile));
        if let Some(hint) = remedy(&decoded.calls) {
            line("hint: ", &hint);
        }
    }
    if decoded.left_out > 0 {
        let syscalls = counted(decoded.left_out, "syscall");
        line("", &format!("left out: {syscalls} of other commands, or of none that is known"));
    }
    let unrecognised = &decoded.unrecognised;
    if let Some(FirstLine { line: number, text }) = &unrecognised.first {
        let lines = counted(unrecognised.lines, "line");
        line("", &format!("not recognised: {lines}, first line {number}: {text}"));
    }
    for (reason, remedy) in incomplete(decoded) {
        line("incomplete: ", &reason);
        line("hint: ", remedy);
    }
    text
}

/// One line for each syscall: a table where it fits.
fn table(calls: &[DecodedCall], is_judged: bool, width: usize) -> String {
    let mut rows = vec![
        ["count", "syscall", "number", "abi", "action", "command", "errors", "profile"]
            .map(str::to_owned),
    ];
    rows.extend(calls.iter().map(cells));
    let shown = if is_judged { 8 } else { 7 };
    let widths: Vec<usize> = (0..shown)
        .map(|at| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or_default())
        .collect();
    let line = |row: &[String; 8]| {
        let cell = |(at, width): (usize, &usize)| match at {
            0 | 2 => format!("{:>width$}", row[at]),
            _ => format!("{:width$}", row[at]),
        };
        let cells: Vec<String> = widths.iter().enumerate().map(cell).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    let lines: Vec<String> = rows.iter().map(line).collect();
    match lines.iter().any(|line| line.chars().count() > width + 1) {
        _ if calls.is_empty() => String::new(),
        true => calls.iter().map(|call| sentence(call, true, width)).collect(),
        false => lines.concat(),
    }
}

fn cells(call: &DecodedCall) -> [String; 8] {
    let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
    let effect = call.profile.as_ref().map(|evaluation| evaluation.effect.clone());
    [
        call.count.to_string(),
        call.name.unwrap_or(NO_NAME).to_owned(),
        call.number.to_string(),
        abi(call),
        or_nothing(call.action.map(|action| action.to_string())),
        or_nothing(call.command.as_ref().map(ToString::to_string)),
        or_nothing(failures(call)),
        or_nothing(effect),
    ]
}

/// A syscall as it happens, in lines of at most `width` columns.
pub fn one(call: &DecodedCall, width: usize) -> String {
    sentence(call, false, width)
}

/// The same where a table does not fit.
fn sentence(call: &DecodedCall, is_counted: bool, width: usize) -> String {
    let [count, name, number, abi, action, command, errors, effect] = cells(call);
    let often = if call.count == 1 { "once".to_owned() } else { format!("{count} times") };
    let often = if is_counted { often } else { NOTHING.to_owned() };
    let parts =
        [("", often), ("", action), ("by ", command), ("errors ", errors), ("profile: ", effect)];
    let known = parts.into_iter().filter(|(_, known)| known != NOTHING);
    let known: Vec<String> = known.map(|(before, known)| format!("{before}{known}")).collect();
    wrap("", &format!("{name} ({abi} {number}): {}", known.join("; ")), 4, width)
}

fn abi(call: &DecodedCall) -> String {
    match (call.abi, &call.arch) {
        (Some(abi), _) => abi.name().to_owned(),
        (None, arch) => format!("arch={}", arch.as_deref().unwrap_or_default()),
    }
}

/// `13 ENOENT`, or how often it failed where no number is known.
fn failures(call: &DecodedCall) -> Option<String> {
    let named: u64 = call.errnos.values().sum();
    let nameless = call.failed.saturating_sub(named);
    let names = call.errnos.iter().map(|(name, count)| format!("{count} {name}"));
    let all: Vec<String> =
        names.chain((nameless > 0).then(|| format!("{nameless} failed"))).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

fn may_be_newer(call: &DecodedCall) -> bool {
    let number = i32::try_from(call.number);
    call.abi.is_some() && call.name.is_none() && number.is_ok_and(syscalls::may_be_newer)
}

/// How to allow what a profile refuses; None when it refuses nothing that has a name.
fn remedy(calls: &[DecodedCall]) -> Option<String> {
    let refused = calls.iter().filter(|call| answer(call) == Some(VerdictSummary::Refused));
    let names: BTreeSet<&str> = refused.clone().filter_map(|call| call.name).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let of_others = refused.clone().any(|call| call.abi != Some(Abi::NATIVE));
    let names = (!names.is_empty()).then(|| names.join(","))?;
    Some(if of_others {
        format!(
            "to allow them: tracer profile NAME.recording.json --include {names} --all-arches --out NEW.json"
        )
    } else {
        format!(
            "to allow them: tracer profile NAME.recording.json --include {names} --out NEW.json"
        )
    })
}

fn answer(call: &DecodedCall) -> Option<VerdictSummary> {
    call.profile.as_ref().map(|evaluation| evaluation.verdict)
}

fn under(calls: &[DecodedCall], profile: &str) -> String {
    let of = |wanted: Option<VerdictSummary>| {
        let those = calls.iter().filter(|call| answer(call) == wanted);
        let distinct: BTreeSet<_> = those.map(|call| (call.abi, &call.arch, call.number)).collect();
        distinct.len()
    };
    let mut parts = vec![format!("{} allowed", of(Some(VerdictSummary::Allowed)))];
    for (answer, what) in [
        (Some(VerdictSummary::ForSomeArguments), "allowed for some arguments"),
        (Some(VerdictSummary::Tracer), "left to a tracer"),
        (Some(VerdictSummary::Refused), "refused"),
        (None, "not decided"),
    ] {
        match of(answer) {
            0 => {}
            count => parts.push(format!("{count} {what}")),
        }
    }
    format!("under {profile}: {}", parts.join(", "))
}

/// What is missing, and what to do about it.
fn incomplete(decoded: &Decoded) -> Vec<(String, &'static str)> {
    let mut reasons = Vec::new();
    let missing = decoded.missing;
    if missing.lines > 0 {
        let lines = counted(missing.lines, "line");
        let says = if missing.lines == 1 { "says" } else { "say" };
        let records = match missing.records {
            0 => "records are missing".to_owned(),
            1 => "at least 1 record is missing".to_owned(),
            many => format!("at least {many} records are missing"),
        };
        reasons.push((
            format!("{lines} of the log {says} that {records}"),
            "set `sysctl kernel.printk_ratelimit=0` while the workload runs, or let auditd keep the records (auditctl -b 8192 -r 0)",
        ));
    }
    if decoded.damaged > 0 {
        let records = counted(decoded.damaged, "audit record");
        reasons.push((
            format!("{records} cannot be read as a whole: cut off, or in words"),
            "paste whole lines as the log has them (ausearch --raw)",
        ));
    }
    reasons
}

/// A number with its noun.
fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
