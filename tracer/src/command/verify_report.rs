//! The report of `verify` at its end.

use std::fmt::Write as _;

use super::{
    closing::{ClosingPart, Weight, in_full},
    denied::DeniedCall,
    findings::{Denied, Findings},
    profile_file::ProfileFile,
    summary,
};
use crate::{
    cli::Verify,
    profile::{advice::of_a_runtime, lacking::Lacking, policy::Policy},
    recording::{Phase, Recording, filters::FilterCoverage},
    session::SessionOutcome,
    syscalls,
    text::{escape, escape_path},
};

/// The most names of calls on one line that are no advice.
const NAMES: usize = 3;

/// The whole report.
pub(super) fn report(
    typed: &Verify,
    profile: &ProfileFile,
    outcome: &SessionOutcome,
    findings: &Findings,
    misses_logged: Option<&str>,
) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    if !typed.quiet {
        let _ = writeln!(text, "\n{}", summary::ending(outcome));
    }
    let whole = &findings.whole;
    if findings.containers.is_empty() {
        text.push_str(&denied_calls(typed, whole, outcome));
    }
    for container in &findings.containers {
        let label = container.label.as_deref().unwrap_or_default();
        let _ = writeln!(text, "{}:", escape(label));
        text.push_str(&denied_calls(typed, container, outcome));
        let is_silent = container.elsewhere.is_empty() && container.intended.is_empty();
        if container.by_profile.is_empty() && is_silent {
            text.push_str("nothing was denied\n");
        }
    }
    write_advice(&mut text, typed, profile, findings);
    let none_denied = whole.by_profile.is_empty() && findings.contradictions.is_empty();
    if none_denied && outcome.filters == FilterCoverage::All && !typed.quiet {
        text.push_str(match (whole.elsewhere.is_empty(), whole.intended.is_empty()) {
            (true, true) => "nothing was denied\n",
            (false, true) => "nothing was denied by the profile\n",
            (_, false) => "nothing else was denied by the profile\n",
        });
    }
    write_contradictions(&mut text, typed, findings);
    write_filters(&mut text, typed, &outcome.filters, none_denied && whole.elsewhere.is_empty());
    match (misses_logged, &outcome.audit) {
        (Some(missing), _) => {
            let _ = writeln!(text, "incomplete: {missing}");
        }
        (None, Some(reason)) if typed.verbose => {
            let _ = writeln!(text, "note: calls that a filter only logs may be missing: {reason}");
        }
        (None, _) => {}
    }
    let mut parts = vec![summary::incomplete(&outcome.recording)];
    if !typed.quiet {
        let accepted = summary::accepted(None, &outcome.recording);
        parts.extend(accepted.map(|line| ClosingPart::text(Weight::Result, line)));
    }
    parts.extend(summary::failure(outcome));
    text.push_str(&in_full(parts));
    write_amended(&mut text, typed, &profile.policy, findings);
    text
}

/// What a profile lacks that every runtime needs, before anything runs.
pub(super) fn missing_for_runtimes(typed: &Verify, lacking: &[Lacking]) -> String {
    let number = |one: &Lacking| {
        format!("{} of the {} calls of {}", one.calls.len(), one.of, one.runtime.name())
    };
    let numbers = lacking.iter().map(number).collect::<Vec<_>>().join(", ");
    let profile = escape_path(&typed.profile);
    let mut text = format!(
        "warning: a container may not start under {profile}: it lacks {numbers} between the load of the filter and the workload's execve\n"
    );
    if typed.verbose {
        for one in lacking {
            let _ = writeln!(text, "  {}", of_a_runtime(one));
        }
    }
    text.push_str(if typed.amend.is_some() {
        "hint: when the profile denies the runtime one of them, --amend adds all\n"
    } else {
        "hint: when the profile denies the runtime one of them, verify names all; --amend FILE adds them\n"
    });
    text
}

/// The calls, each on a line of its own; of many the first ones.
fn denied_calls(typed: &Verify, denied: &Denied, outcome: &SessionOutcome) -> String {
    let doubt = |one: &DeniedCall| doubt(one, &outcome.recording);
    let by_profile = denied.by_profile.iter();
    let by_profile = by_profile.map(|one| format!("denied: {}{}", one.line(), doubt(one)));
    let intended = denied.intended.iter();
    let intended = intended.map(|(one, why)| format!("refused: {}\n  {why}", one.line()));
    let elsewhere = denied.elsewhere.iter();
    let elsewhere = elsewhere.map(|one| format!("  {}{}", one.line(), doubt(one)));
    let mut parts = vec![
        // No file holds them.
        ClosingPart::list(Weight::Result, by_profile.collect(), "denied call").whole(),
        ClosingPart::list(Weight::Result, intended.collect(), "refused call"),
    ];
    if !denied.elsewhere.is_empty() {
        let head =
            "refused by another filter, the program's own or an outer one, and not by the profile:";
        let calls = ClosingPart::list(Weight::Result, elsewhere.collect(), "refused call");
        parts.push(calls.below(head.to_owned()));
    }
    let parts = parts.into_iter().map(|part| if typed.verbose { part.whole() } else { part });
    in_full(parts.collect())
}

fn doubt(denied: &DeniedCall, recording: &Recording) -> String {
    if !denied.call.doubtful {
        return String::new();
    }
    let skipped = recording.losses.recursion_misses;
    format!(
        "  doubtful: it may have been allowed: the kernel skipped {skipped} runs of the tracing program"
    )
}

fn write_advice(text: &mut String, typed: &Verify, profile: &ProfileFile, findings: &Findings) {
    let advice = findings.whole.advice(&profile.policy);
    for line in &advice {
        let _ = writeln!(text, "hint: {line}");
    }
    if !advice.is_empty() && typed.amend.is_none() {
        text.push_str("hint: --amend FILE writes the profile with all of this\n");
    }
    let all = || findings.whole.by_profile.iter().chain(&findings.whole.elsewhere);
    let is_without = |denied: &DeniedCall| {
        let known = denied.call.circumstances.as_ref();
        known.is_some_and(|known| known.arguments.is_none())
    };
    if all().any(is_without) {
        text.push_str(
            "note: arguments are not shown: tracer needs the kernel's type information to read them\n",
        );
    }
    let init = |denied: &DeniedCall| denied.call.denied_in_phase == Some(Phase::ContainerInit);
    if !findings.whole.elsewhere.is_empty() && all().any(init) && typed.verbose {
        text.push_str("note: a runtime whose libseccomp does not know a call refuses it though the profile allows it\n");
    }
}

/// The target runs under another profile: what proves it, and what to do.
fn write_contradictions(text: &mut String, typed: &Verify, findings: &Findings) {
    if findings.contradictions.is_empty() {
        return;
    }
    let profile = escape_path(&typed.profile);
    for (path, calls) in &findings.contradictions {
        let shown = calls.iter().take(NAMES).map(|call| {
            let name = syscalls::name(call.abi, call.number);
            let name = name.map_or_else(|| format!("number {}", call.number), str::to_owned);
            let by = call.command.as_ref().map(|command| format!(" by {command}"));
            let abi = match call.abi {
                syscalls::Abi::NATIVE => String::new(),
                abi => format!(" ({})", abi.name()),
            };
            format!("{name}{abi}{}", by.unwrap_or_default())
        });
        let shown = shown.collect::<Vec<_>>().join(", ");
        let more = match calls.len().saturating_sub(NAMES) {
            0 => String::new(),
            more => format!(" and {more} other calls"),
        };
        let _ = writeln!(
            text,
            "error: {} runs under another filter than {profile}: {profile} refuses calls that were made under that filter: {shown}{more}",
            escape(path)
        );
    }
    let _ = writeln!(
        text,
        "\nhint: start it under the profile, for example docker run --security-opt seccomp={profile}; docker inspect and podman inspect \
         show what a container was started with (HostConfig.SecurityOpt)"
    );
}

fn write_filters(text: &mut String, typed: &Verify, filters: &FilterCoverage, none_denied: bool) {
    match filters {
        FilterCoverage::None if none_denied => {
            let _ = writeln!(
                text,
                "error: nothing is enforced: the target was started without a seccomp filter\n\nhint: start it under the profile, for example docker run --security-opt seccomp={}",
                escape_path(&typed.profile)
            );
        }
        FilterCoverage::NoCalls => text.push_str(
            "incomplete: no call of the target was seen, so that nothing was verified\nhint: let the target work while verify watches it\n",
        ),
        FilterCoverage::Unknown => text.push_str(
            "incomplete: without kernel BTF tracer cannot see whether a filter is loaded\n",
        ),
        FilterCoverage::Partly(paths) => {
            let line = |path| format!("incomplete: nothing is enforced in {}", escape(path));
            let lines = paths.iter().map(|path| line(path)).collect();
            text.push_str(&in_full(vec![ClosingPart::list(Weight::Result, lines, "cgroup").whole()]));
        }
        FilterCoverage::None | FilterCoverage::All => {}
    }
}

fn write_amended(text: &mut String, typed: &Verify, policy: &Policy, findings: &Findings) {
    let Some(path) = &typed.amend else { return };
    let path = escape_path(path);
    let _ = if findings.contradictions.is_empty() {
        let (names, values) = findings.missing(policy);
        let added = names.len() + findings.answered().len();
        let values = match values.len() {
            0 => String::new(),
            values => format!(", values of arguments added: {values}"),
        };
        writeln!(
            text,
            "{path}: the profile with the denied calls allowed; calls added: {added}{values}"
        )
    } else {
        writeln!(text, "{path} was not written: only another filter denied calls")
    };
}
