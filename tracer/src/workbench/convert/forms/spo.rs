//! The `SeccompProfile` of the Security Profiles Operator
//! (`api/seccompprofile/v1/seccompprofile_types.go` of the operator).
//!
//! It is the runtime specification's profile but for three things: it has no `defaultErrnoRet`, its
//! numbers are signed, and its architectures lack `LoongArch`.

use std::{collections::BTreeSet, fmt::Write as _};

use crate::{
    profile::{
        Errno, RuntimeChoice,
        kubernetes::quoted,
        oci::{Action, Architectures, Constraint, OciProfile, Rule, SeccompArch},
        policy::{Verdict, abis, default_verdict, is_name},
    },
    recording::DenyOutcome,
    syscalls::{self, Abi},
    workbench::convert::{
        error::ConvertError,
        form::{Choices, Form, Written},
        note::{Note, names},
        resolve::resolve,
    },
};

/// A resource of the Security Profiles Operator.
pub(super) const SPO: &Form = &Form {
    name: "spo",
    runtime: RuntimeChoice::Any,
    names_a_listener: true,
    has_patch: false,
    write,
};

/// An architecture that the operator's list lacks.
const LACKING: &str = "SCMP_ARCH_LOONGARCH64";
/// Where lines of lists are broken.
const COLUMNS: usize = 90;

/// Writes the resource.
///
/// # Errors
/// A number is too large.
fn write(profile: &OciProfile, choices: &Choices<'_>) -> Result<Written, ConvertError> {
    let (mut profile, mut notes) = resolve(profile, choices.context);
    if let Verdict::Errno(errno) = default_verdict(&profile)
        && errno != Errno::EPERM.get()
    {
        notes.push(say_the_errno(&mut profile, errno));
    }
    let mut text = format!(
        "apiVersion: security-profiles-operator.x-k8s.io/v1\nkind: SeccompProfile\nmetadata:\n  name: {}\nspec:\n  defaultAction: {}\n",
        quoted(choices.name),
        profile.default_action.token()
    );
    write_architectures(&mut text, &profile, &mut notes);
    if let Some(flags) = &profile.flags {
        list(&mut text, "  flags", flags.iter().map(|flag| flag.token().to_owned()));
    }
    for (key, value) in
        [("listenerPath", &profile.listener_path), ("listenerMetadata", &profile.listener_metadata)]
    {
        if let Some(value) = value {
            line(&mut text, &format!("  {key}: {}", quoted(value)));
        }
    }
    if !profile.syscalls.is_empty() {
        text.push_str("  syscalls:\n");
    }
    for (at, rule) in profile.syscalls.iter().enumerate() {
        write_rule(&mut text, at, rule)?;
    }
    Ok((text, notes))
}

/// Adds a rule that gives the default's error number to every call that no rule is about.
fn say_the_errno(profile: &mut OciProfile, errno: u16) -> Note {
    let rules = || profile.syscalls.iter();
    let decided: BTreeSet<&str> =
        rules().flat_map(|rule| &rule.names).map(String::as_str).collect();
    let with_conditions = rules().filter(|rule| !rule.conditions.is_empty());
    let limited: BTreeSet<&str> =
        with_conditions.flat_map(|rule| &rule.names).map(String::as_str).collect();
    let abis = abis(&profile.architectures);
    let known: BTreeSet<&'static str> =
        abis.iter().flat_map(|abi| syscalls::entries(*abi)).map(|(_, name)| name).collect();
    // Calls that are reached through these have rules of their own.
    let is_entrance =
        |name: &str| abis.contains(&Abi::I386) && matches!(name, "socketcall" | "ipc");
    let said: Vec<String> = known
        .into_iter()
        .filter(|name| !decided.contains(name) && !is_entrance(name))
        .map(str::to_owned)
        .collect();
    let also = match limited.len() {
        0 => String::new(),
        _ => format!("; so do {} with arguments that no rule is about", names(limited)),
    };
    let note = Note::other(format!(
        "a SeccompProfile has no defaultErrnoRet, and its default is EPERM: a rule gives {} to the {} calls that tracer knows and the profile refuses; calls that are newer fail with EPERM{also}",
        DenyOutcome::Errno(errno).display(),
        said.len()
    ));
    if !said.is_empty() {
        profile.syscalls.push(Rule {
            names: said,
            action: Action::Errno,
            errno: Some(errno),
            conditions: Vec::new(),
            includes: Constraint::default(),
            excludes: Constraint::default(),
            comment: None,
        });
    }
    note
}

fn write_architectures(text: &mut String, profile: &OciProfile, notes: &mut Vec<Note>) {
    let Architectures::Listed(listed) = &profile.architectures else { return };
    let (lacking, listed): (Vec<SeccompArch>, Vec<SeccompArch>) =
        listed.iter().partition(|arch| arch.token() == LACKING);
    if !lacking.is_empty() {
        notes.push(Note::other(format!(
            "{LACKING} is left out: the operator does not know it, and a machine's own architecture is always meant"
        )));
    }
    if !listed.is_empty() {
        list(text, "  architectures", listed.iter().map(|arch| arch.token().to_owned()));
    }
}

fn write_rule(text: &mut String, at: usize, rule: &Rule) -> Result<(), ConvertError> {
    line(text, &format!("  - action: {}", rule.action.token()));
    if let Some(errno) = rule.errno.filter(|_| rule.action.has_number()) {
        line(text, &format!("    errnoRet: {errno}"));
    }
    let plain = |name: &String| if is_name(name) { name.clone() } else { quoted(name) };
    list(text, "    names", rule.names.iter().map(plain));
    if !rule.conditions.is_empty() {
        text.push_str("    args:\n");
    }
    for (place, condition) in rule.conditions.iter().enumerate() {
        for (key, value) in [("value", condition.value), ("valueTwo", condition.value_two)] {
            if i64::try_from(value).is_err() {
                let place = format!("syscalls[{at}].args[{place}].{key}");
                return Err(ConvertError::Large { place, value });
            }
        }
        line(
            text,
            &format!(
                "    - {{index: {}, value: {}, valueTwo: {}, op: {}}}",
                condition.index,
                condition.value,
                condition.value_two,
                condition.operator.token()
            ),
        );
    }
    Ok(())
}

/// A list in the short form, over as many lines as it takes.
fn list(text: &mut String, key: &str, items: impl Iterator<Item = String>) {
    let indent = " ".repeat(key.len() - key.trim_start().len() + 2);
    let mut current = format!("{key}: [");
    let mut is_first = true;
    for item in items {
        if !is_first {
            current.push(',');
            if current.len() + item.len() + 3 > COLUMNS {
                line(text, &current);
                current = indent.clone();
            } else {
                current.push(' ');
            }
        }
        current.push_str(&item);
        is_first = false;
    }
    current.push(']');
    line(text, &current);
}

fn line(text: &mut String, line: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}
