//! The seccomp policy of LXC, version 2, which a container names as `lxc.seccomp.profile`.
//!
//! The sources: `src/lxc/seccomp.c` of liblxc 5.0.2 (`parse_config_v2` and what it calls), and
//! lxc.container.conf(5), "SECCOMP CONFIGURATION".
//!
//! - The first line is the version, the second the style and the default action. A line that begins
//!   with `#` is a comment from the third line on.
//! - A line has a syscall, an action, and conditions. liblxc takes what follows the first space as
//!   the action: a line with conditions needs one.
//! - A condition is `[argument,value,operator]`, or with a mask
//!   `[argument,value,SCMP_CMP_MASKED_EQ,mask]`.
//! - A section such as `[x86_64]` only says on which processors its lines count. On `x86_64`, liblxc
//!   adds every line to the filters of `x86_64`, x86 and x32.
//! - A name that libseccomp does not know is skipped. So are, for x86 alone, the syscalls that i386
//!   programs make through `socketcall` or `ipc`: libseccomp 2.5 has no number for them there.
//! - liblxc starts no container with a rule that libseccomp refuses: one that repeats the default
//!   action (`seccomp_rule_add_exact_array`).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use crate::{
    profile::{
        RuntimeChoice,
        multiplexed::is_multiplexed,
        oci::{Condition, OciProfile, Operator, SeccompArch},
        policy::{CallDecision, Verdict, abis, by_name, default_verdict, is_name},
    },
    syscalls::Abi,
    workbench::convert::{
        conditional::{first_rule, without_arguments},
        error::ConvertError,
        form::{Choices, Form, Written},
        note::{Note, names},
        resolve::{left_out, resolve},
    },
};

/// A policy of LXC.
pub(super) const LXC: &Form = &Form {
    name: "lxc",
    runtime: RuntimeChoice::Any,
    names_a_listener: false,
    has_patch: false,
    write,
};

/// Why the conditions on some calls cannot be written.
const WHY: &str = "LXC starts no container with these conditions";

/// Writes the policy.
///
/// # Errors
/// The profile contradicts itself, or LXC has no words for a part of it.
fn write(profile: &OciProfile, choices: &Choices<'_>) -> Result<Written, ConvertError> {
    let (resolved, mut notes) = resolve(profile, choices.context);
    let default = default_verdict(profile);
    let default_action = action(default, || "defaultAction".to_owned())?;
    let mut decisions = by_name(profile, choices.context)?;
    leave_out_unknown_names(&mut decisions, &mut notes);
    let (without, mut decisions): (BTreeMap<_, _>, BTreeMap<_, _>) =
        decisions.into_iter().partition(|(_, decision)| is_partly(decision, &default_action));
    let choice = (choices.conditional, WHY);
    let whole = without_arguments(profile, without, default, choice, &mut notes)?;
    decisions.extend(whole.into_iter().map(|(name, it)| (name, CallDecision::Always(it))));
    let mut lines = Vec::new();
    for (name, decision) in &decisions {
        let place = || format!("syscalls[{}].action", first_rule(profile, name));
        for (conditions, verdict) in rules(decision) {
            let own = action(verdict, place)?;
            if own == default_action {
                // libseccomp refuses the line, and the container does not start.
                continue;
            }
            lines.push(line(name, &own, conditions, default));
        }
    }
    if !default.refuses() && !lines.is_empty() {
        notes.push(Note::other(
            "of what the policy refuses, a call passes that the container's libseccomp does not know",
        ));
    }
    remark(&decisions, default, &mut notes);
    abis_that_are_not_listed(&resolved, &mut notes);
    sockets_of_i386(&resolved, &decisions, default, &mut notes);
    left_out(&resolved, "LXC", &mut notes);
    Ok((text(&default_action, default, &lines), notes))
}

fn leave_out_unknown_names(decisions: &mut BTreeMap<String, CallDecision>, notes: &mut Vec<Note>) {
    let unknown: Vec<&str> =
        decisions.keys().map(String::as_str).filter(|name| !is_name(name)).collect();
    if !unknown.is_empty() {
        notes.push(Note::other(format!("names that no ABI has are left out: {}", names(unknown))));
    }
    decisions.retain(|name, _| is_name(name));
}

/// The rules about a call, each with its conditions.
fn rules(decision: &CallDecision) -> Vec<(&[Condition], Verdict)> {
    match decision {
        CallDecision::Always(verdict) => vec![(&[], *verdict)],
        CallDecision::When(rules) => {
            rules.iter().map(|(conditions, verdict)| (conditions.as_slice(), *verdict)).collect()
        }
    }
}

/// Whether LXC's word for some of the rules is that for the default: these cannot be written, and
/// the others would decide in their place.
fn is_partly(decision: &CallDecision, default_action: &str) -> bool {
    let repeats = |verdict| word(verdict).is_some_and(|word| word == default_action);
    let repeats: Vec<bool> =
        rules(decision).into_iter().map(|(_, verdict)| repeats(verdict)).collect();
    repeats.contains(&true) && repeats.contains(&false)
}

/// LXC's word for what happens to a call.
///
/// # Errors
/// It has none.
fn action(verdict: Verdict, place: impl Fn() -> String) -> Result<String, ConvertError> {
    let action = "SCMP_ACT_TRACE";
    word(verdict).ok_or_else(|| ConvertError::Action { place: place(), action, form: "LXC" })
}

fn word(verdict: Verdict) -> Option<String> {
    Some(match verdict {
        Verdict::Allow | Verdict::Log => "allow".to_owned(),
        Verdict::Errno(number) => format!("errno {number}"),
        Verdict::Trap => "trap".to_owned(),
        Verdict::KillThread | Verdict::KillProcess => "kill".to_owned(),
        Verdict::Trace(_) => return None,
    })
}

/// What LXC says otherwise than the profile.
fn remark(decisions: &BTreeMap<String, CallDecision>, default: Verdict, notes: &mut Vec<Note>) {
    let with = |wanted: Verdict| -> BTreeSet<&str> {
        let has =
            |decision: &CallDecision| rules(decision).iter().any(|(_, verdict)| *verdict == wanted);
        let named = decisions.iter().filter(|(_, decision)| has(decision));
        let named = named.map(|(name, _)| name.as_str());
        named.chain((default == wanted).then_some("every call that no rule is about")).collect()
    };
    let logged = with(Verdict::Log);
    if !logged.is_empty() {
        notes.push(Note::other(format!(
            "LXC has no SCMP_ACT_LOG: these calls pass without a record: {}",
            names(logged)
        )));
    }
    let killed = with(Verdict::KillProcess);
    if !killed.is_empty() {
        notes.push(Note::other(format!(
            "LXC kills the thread, where the profile kills the process: {}",
            names(killed)
        )));
    }
    let execve = decisions.get("execve");
    let passes = execve.map_or(!default.refuses(), |decision| {
        rules(decision).iter().any(|(_, verdict)| !verdict.refuses())
    });
    if !passes {
        notes.push(Note::other(
            "execve is refused: LXC makes it under the filter, and no container starts",
        ));
    }
}

/// Each line counts for all ABIs of a machine.
fn abis_that_are_not_listed(profile: &OciProfile, notes: &mut Vec<Note>) {
    let listed = abis(&profile.architectures);
    let others = Abi::ALL.into_iter().filter(|abi| !listed.contains(abi));
    let others: Vec<&str> = others.map(|abi| SeccompArch::Ours(abi).token()).collect();
    if !others.is_empty() {
        notes.push(Note::wider(format!(
            "LXC has one list for all ABIs: what passes through one that the profile lists passes through {} as well",
            others.join(" and ")
        )));
    }
}

/// The lines on these calls do not count for i386 programs.
fn sockets_of_i386(
    profile: &OciProfile,
    decisions: &BTreeMap<String, CallDecision>,
    default: Verdict,
    notes: &mut Vec<Note>,
) {
    let listed = abis(&profile.architectures);
    if !listed.iter().any(|abi| abi.description().multiplexes) {
        return;
    }
    let differs = |decision: &CallDecision| {
        rules(decision).iter().any(|(_, verdict)| verdict.refuses() != default.refuses())
    };
    let calls = decisions.iter().filter(|(name, it)| is_multiplexed(name) && differs(it));
    let calls: Vec<&str> = calls.map(|(name, _)| name.as_str()).collect();
    if calls.is_empty() {
        return;
    }
    let what = |passes: &str| {
        format!(
            "LXC {passes} syscalls that i386 programs make through socketcall or ipc: {}",
            names(calls.iter().copied())
        )
    };
    notes.push(match default.refuses() {
        true => Note::narrower(what("allows no")),
        false => Note::wider(what("refuses no")),
    });
}

/// The line of a rule. An allowlist needs no word for what it is about.
fn line(name: &str, action: &str, conditions: &[Condition], default: Verdict) -> String {
    if action == "allow" && conditions.is_empty() && default.refuses() {
        return name.to_owned();
    }
    let conditions: Vec<String> = conditions.iter().map(condition).collect();
    let space = if conditions.is_empty() { "" } else { " " };
    format!("{name} {action}{space}{}", conditions.concat())
}

fn condition(condition: &Condition) -> String {
    let Condition { index, value, value_two, operator } = condition;
    let token = operator.token();
    match operator {
        Operator::MaskedEqual => format!("[{index},{value_two},{token},{value}]"),
        _ => format!("[{index},{value},{token}]"),
    }
}

fn text(default_action: &str, default: Verdict, lines: &[String]) -> String {
    let style = if default.refuses() { "allowlist" } else { "denylist" };
    let mut text = format!(
        "2\n{style} {default_action}\n# A seccomp policy of LXC, written by tracer. The container's configuration names it:\n#   lxc.seccomp.profile = FILE\n[all]\n"
    );
    for line in lines {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{line}");
    }
    text
}
