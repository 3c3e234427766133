//! A drop-in for a unit of systemd: `SystemCallFilter=` and the settings beside it. What they mean:
//! [`crate::workbench::systemd`].

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use crate::{
    profile::{
        RuntimeChoice,
        oci::OciProfile,
        policy::{Verdict, abis, by_name, default_verdict, is_name},
    },
    syscalls::errno,
    workbench::{
        convert::{
            conditional::{first_rule, without_arguments},
            error::ConvertError,
            form::{Choices, Form, Written},
            note::{Note, names},
            resolve::{left_out, resolve},
        },
        systemd::architecture,
    },
};

/// A drop-in for a unit. No container runtime starts one.
pub(super) const SYSTEMD: &Form = &Form {
    name: "systemd",
    runtime: RuntimeChoice::None,
    names_a_listener: false,
    has_patch: false,
    write,
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
fn write(profile: &OciProfile, choices: &Choices<'_>) -> Result<Written, ConvertError> {
    let (resolved, mut notes) = resolve(profile, choices.context);
    let default = default_verdict(profile);
    let choice = (choices.conditional, "systemd's filter looks at no arguments");
    let decisions = by_name(profile, choices.context)?;
    let decided = without_arguments(profile, decisions, default, choice, &mut notes)?;
    let unknown: Vec<&str> =
        decided.keys().map(String::as_str).filter(|name| !is_name(name)).collect();
    if !unknown.is_empty() {
        notes.push(Note::other(format!("names that no ABI has are left out: {}", names(unknown))));
    }
    let decided = decided.into_iter().filter(|(name, _)| is_name(name)).collect();
    let settings = settings(profile, decided, default, &mut notes)?;
    left_out(&resolved, SYSTEMD.name, &mut notes);
    if settings.refuses && !settings.allowed.contains("execve") {
        notes.push(Note::other(
            "execve is refused: systemd makes it under the filter, and no process of the unit starts",
        ));
    }
    Ok((text(&settings, &resolved), notes))
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
        Verdict::Trace(_) => Err(ConvertError::Action {
            place: place(),
            action: "SCMP_ACT_TRACE",
            form: SYSTEMD.name,
        }),
        _ => Ok("kill".to_owned()),
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
