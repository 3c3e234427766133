//! Decides what depends on a container and a machine: for forms that cannot say it.

use super::note::{Note, names};
use crate::{
    profile::{
        oci::{Architectures, Constraint, OciProfile, Rule, SeccompArch},
        policy::{RuleContext, abis, counts},
    },
    syscalls::HOST,
};

/// The profile without conditions on capabilities, architectures and kernels, with the rules that
/// count under these facts.
pub fn resolve(profile: &OciProfile, context: &RuleContext) -> (OciProfile, Vec<Note>) {
    let mut notes = Vec::new();
    let is_conditional = |rule: &&Rule| {
        rule.includes != Constraint::default() || rule.excludes != Constraint::default()
    };
    let conditional = profile.syscalls.iter().filter(is_conditional);
    let all = conditional.clone().count();
    if all > 0 {
        let kept = conditional.filter(|rule| counts(rule, context)).count();
        notes.push(Note::other(format!(
            "includes and excludes are decided here: of {all} rules with them {kept} count"
        )));
    }
    let rules = profile.syscalls.iter().filter(|rule| counts(rule, context)).map(|rule| Rule {
        includes: Constraint::default(),
        excludes: Constraint::default(),
        comment: None,
        ..rule.clone()
    });
    let architectures = match &profile.architectures {
        listed @ Architectures::Listed(_) => listed.clone(),
        map @ Architectures::Map(_) => {
            notes.push(Note::other(format!(
                "archMap is written as the architectures of a machine of {}",
                HOST.go_name
            )));
            Architectures::Listed(abis(map).into_iter().map(SeccompArch::Ours).collect())
        }
    };
    let resolved = OciProfile {
        architectures,
        syscalls: rules.collect(),
        remarks: Vec::new(),
        ..profile.clone()
    };
    (resolved, notes)
}

/// The profile without conditions on the kernel's version, as on any kernel that runs today.
/// containers/common does not know them (`pkg/seccomp/types.go`): a rule with one would always
/// count.
pub fn without_kernels(profile: &OciProfile) -> (OciProfile, Vec<Note>) {
    let mut resolved = profile.clone();
    let asks =
        |rule: &Rule| rule.includes.min_kernel.is_some() || rule.excludes.min_kernel.is_some();
    let count = profile.syscalls.iter().filter(|rule| asks(rule)).count();
    if count == 0 {
        return (resolved, Vec::new());
    }
    // Every kernel is newer than what is asked for: such an exclusion always holds.
    resolved.syscalls.retain(|rule| rule.excludes.min_kernel.is_none());
    for rule in &mut resolved.syscalls {
        rule.includes.min_kernel = None;
    }
    let note = Note::other(format!(
        "Podman does not know minKernel: {count} rules with it are written as for kernels that are newer than it"
    ));
    (resolved, vec![note])
}

/// Notes what a form leaves out that has no effect on which calls pass: architectures of other
/// processors, and flags.
pub fn left_out(profile: &OciProfile, form: &str, notes: &mut Vec<Note>) {
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
            "flags are left out, {form} chooses its own: {}",
            names(flags.iter().map(|flag| flag.token()))
        )));
    }
}
