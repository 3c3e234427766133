//! A drop-in for a unit of systemd: `SystemCallFilter=` and the settings beside it. What they mean:
//! [`crate::workbench::systemd`].

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use super::{
    choice::Choice,
    error::{Conditional, ConvertError},
    note::{Difference, Note, names},
    resolve::resolve,
};
use crate::{
    profile::{
        conditions::passes_for,
        oci::{Architectures, Condition, OciProfile, Rule, SeccompArch},
        policy::{CallDecision, RuleContext, Verdict, abis, by_name, default_verdict, is_name},
    },
    syscalls::errno,
    text::escape,
    workbench::systemd::architecture,
};

/// Where lists are broken.
const COLUMNS: usize = 90;

/// What the filter does.
#[derive(Default)]
struct Settings {
    /// What is refused has this answer unless it has one of its own: `SystemCallErrorNumber=`.
    refusal: String,
    /// Whether calls that are not named are refused.
    refuses: bool,
    /// Calls that pass, where the others are refused.
    allowed: BTreeSet<String>,
    /// Calls that are refused, with their answers.
    refused: BTreeMap<String, String>,
    /// Calls that are logged, or with `logs_others` calls that are not.
    logged: BTreeSet<String>,
    logs_others: bool,
}

/// Writes the drop-in.
///
/// # Errors
/// The profile contradicts itself, or systemd has no words for a part of it.
pub fn write(
    profile: &OciProfile,
    context: &RuleContext,
    choice: Choice,
) -> Result<(String, Vec<Note>), ConvertError> {
    let (resolved, mut notes) = resolve(profile, context);
    let default = default_verdict(profile);
    let decided = always(profile, by_name(profile, context)?, default, choice, &mut notes)?;
    let unknown: Vec<&str> =
        decided.keys().map(String::as_str).filter(|name| !is_name(name)).collect();
    if !unknown.is_empty() {
        notes.push(Note::other(format!("names that no ABI has are left out: {}", names(unknown))));
    }
    let decided = decided.into_iter().filter(|(name, _)| is_name(name)).collect();
    let settings = settings(profile, decided, default, &mut notes)?;
    foreign_parts(&resolved, &mut notes);
    if settings.refuses && !settings.allowed.contains("execve") {
        notes.push(Note::other(
            "execve is refused: systemd makes it under the filter, and no process of the unit starts",
        ));
    }
    Ok((text(&settings, &resolved), notes))
}

/// What happens to each call, whatever its arguments are.
fn always(
    profile: &OciProfile,
    decisions: BTreeMap<String, CallDecision>,
    default: Verdict,
    choice: Choice,
    notes: &mut Vec<Note>,
) -> Result<BTreeMap<String, Verdict>, ConvertError> {
    let (mut decided, mut faults) = (BTreeMap::new(), Vec::new());
    let mut differences: BTreeMap<Difference, Vec<String>> = BTreeMap::new();
    for (name, decision) in decisions {
        let rules = match &decision {
            CallDecision::Always(verdict) => {
                decided.insert(name, *verdict);
                continue;
            }
            CallDecision::When(rules) => rules,
        };
        let Some((verdict, difference)) = whole(rules, default, choice) else {
            faults.push(Conditional {
                rule: first_rule(profile, &name),
                passes_for: passes_for(&name, &decision).unwrap_or_default(),
                name: escape(&name),
            });
            continue;
        };
        differences.entry(difference).or_default().push(name.clone());
        decided.insert(name, verdict);
    }
    if !faults.is_empty() {
        return Err(ConvertError::Arguments(faults));
    }
    for (difference, calls) in differences {
        let calls = names(calls.iter().map(String::as_str));
        notes.push(match difference {
            Difference::Wider => Note::wider(format!("allowed with all arguments: {calls}")),
            Difference::Narrower => Note::narrower(format!("refused with all arguments: {calls}")),
            Difference::Other => Note::other(format!(
                "the same answer with all arguments, where the profile has several: {calls}"
            )),
        });
    }
    decided.retain(|_, verdict| *verdict != default);
    Ok(decided)
}

/// What happens to a call whose arguments decide, when they are not looked at; None when that is an
/// error.
fn whole(
    rules: &[(Vec<Condition>, Verdict)],
    default: Verdict,
    choice: Choice,
) -> Option<(Verdict, Difference)> {
    let all = || rules.iter().map(|(_, verdict)| *verdict).chain([default]);
    let passes = all().find(|verdict| !verdict.refuses());
    // The default's answer comes first.
    let refuses = [default].into_iter().chain(all()).find(|verdict| verdict.refuses());
    match (passes, refuses, choice) {
        (None, Some(one), _) | (Some(one), None, _) => Some((one, Difference::Other)),
        (Some(passes), _, Choice::Allow) => Some((passes, Difference::Wider)),
        (_, Some(refuses), Choice::Deny) => Some((refuses, Difference::Narrower)),
        _ => None,
    }
}

/// The first rule that is about a call, from 0.
fn first_rule(profile: &OciProfile, name: &str) -> usize {
    let is_about = |rule: &Rule| rule.names.iter().any(|other| other == name);
    profile.syscalls.iter().position(is_about).unwrap_or_default()
}

fn settings(
    profile: &OciProfile,
    decided: BTreeMap<String, Verdict>,
    default: Verdict,
    notes: &mut Vec<Note>,
) -> Result<Settings, ConvertError> {
    let mut settings = Settings { refuses: default.refuses(), ..Settings::default() };
    let mut killed = BTreeSet::new();
    let mut answers: Vec<(String, String)> = Vec::new();
    for (name, verdict) in decided {
        let place = || format!("syscalls[{}].action", first_rule(profile, &name));
        match verdict {
            Verdict::Allow if default == Verdict::Log => {
                settings.logged.insert(name);
            }
            Verdict::Allow => {
                settings.allowed.insert(name);
            }
            Verdict::Log => {
                settings.logged.insert(name.clone());
                settings.allowed.insert(name);
            }
            refusal => {
                if matches!(refusal, Verdict::KillThread | Verdict::Trap) {
                    killed.insert(name.clone());
                }
                answers.push((name.clone(), answer(refusal, place)?));
            }
        }
    }
    let whole = || "defaultAction".to_owned();
    settings.refusal = match default {
        Verdict::Allow | Verdict::Log => commonest(&answers),
        refusal => answer(refusal, whole)?,
    };
    if matches!(default, Verdict::KillThread | Verdict::Trap) {
        killed.insert("every call that no rule is about".to_owned());
    }
    if !killed.is_empty() {
        notes.push(Note::narrower(format!(
            "systemd kills the process, where the profile kills the thread or sends SIGSYS: {}",
            names(killed.iter().map(String::as_str))
        )));
    }
    settings.logs_others = default == Verdict::Log;
    if settings.logs_others && settings.logged.is_empty() {
        // An empty list would log nothing.
        settings.logs_others = false;
        settings.logged.insert("@known".to_owned());
        notes.push(Note::other(
            "SystemCallLog= names every call that systemd knows: newer ones pass without a record",
        ));
    }
    // A rule that repeats the default is one that libseccomp refuses: the unit would not start.
    let repeats = |answer: &String| settings.refuses && *answer == settings.refusal;
    answers.retain(|(_, answer)| !repeats(answer));
    settings.refused.extend(answers);
    Ok(settings)
}

/// The answer that most calls have.
fn commonest(answers: &[(String, String)]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, answer) in answers {
        *counts.entry(answer).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map_or_else(|| "EPERM".to_owned(), |(answer, _)| answer.to_owned())
}

/// systemd's word for what a refused call gets.
fn answer(verdict: Verdict, place: impl Fn() -> String) -> Result<String, ConvertError> {
    match verdict {
        Verdict::Errno(0) => Err(ConvertError::ErrnoZero { place: place() }),
        Verdict::Errno(number) => {
            Ok(errno::name(number).map_or_else(|| number.to_string(), str::to_owned))
        }
        Verdict::Trace(_) => Err(ConvertError::Action { place: place(), action: "SCMP_ACT_TRACE" }),
        _ => Ok("kill".to_owned()),
    }
}

/// What the drop-in leaves out that has no effect on which calls pass.
fn foreign_parts(profile: &OciProfile, notes: &mut Vec<Note>) {
    if let Architectures::Listed(listed) = &profile.architectures {
        let foreign = listed.iter().filter_map(|arch| match arch {
            SeccompArch::Foreign(token) => Some(*token),
            SeccompArch::Ours(_) => None,
        });
        let foreign: Vec<&str> = foreign.collect();
        if !foreign.is_empty() {
            notes.push(Note::other(format!(
                "architectures of other processors are left out: {}",
                names(foreign)
            )));
        }
    }
    if let Some(flags) = profile.flags.as_ref().filter(|flags| !flags.is_empty()) {
        notes.push(Note::other(format!(
            "flags are left out, systemd chooses its own: {}",
            names(flags.iter().map(|flag| flag.token()))
        )));
    }
}

fn text(settings: &Settings, profile: &OciProfile) -> String {
    let mut text = String::from(
        "# A seccomp filter, written by tracer. Save it as /etc/systemd/system/UNIT.d/seccomp.conf, then:\n#   systemctl daemon-reload && systemctl restart UNIT\n[Service]\n# What the unit says of its filter otherwise is forgotten.\nSystemCallFilter=\nSystemCallLog=\nSystemCallArchitectures=\n",
    );
    let architectures: Vec<&str> =
        abis(&profile.architectures).into_iter().map(architecture::word).collect();
    line(&mut text, &format!("SystemCallArchitectures={}", architectures.join(" ")));
    line(&mut text, &format!("SystemCallErrorNumber={}", settings.refusal));
    if settings.refuses {
        text.push_str(
            "# An allowlist begins with @default, which differs from version to version: it is taken away, and\n# what follows is the whole list.\nSystemCallFilter=@default\nSystemCallFilter=~@default\n",
        );
        list(&mut text, "SystemCallFilter=", settings.allowed.iter().cloned());
    }
    let refused = settings.refused.iter().map(|(name, answer)| {
        let own = settings.refuses || *answer != settings.refusal;
        if own { format!("{name}:{answer}") } else { name.clone() }
    });
    list(&mut text, "SystemCallFilter=~", refused);
    let logged = if settings.logs_others { "SystemCallLog=~" } else { "SystemCallLog=" };
    list(&mut text, logged, settings.logged.iter().cloned());
    text
}

/// Assignments of a list, as many as it takes: systemd merges them.
fn list(text: &mut String, key: &str, items: impl Iterator<Item = String>) {
    let mut current = String::new();
    for item in items {
        if !current.is_empty() && key.len() + current.len() + item.len() + 1 > COLUMNS {
            line(text, &format!("{key}{current}"));
            current.clear();
        }
        if !current.is_empty() {
            current.push(' ');
        }
        current.push_str(&item);
    }
    if !current.is_empty() {
        line(text, &format!("{key}{current}"));
    }
}

fn line(text: &mut String, line: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}
