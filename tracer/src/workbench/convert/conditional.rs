//! What becomes of calls whose arguments decide, in a form that does not look at them.

use std::collections::BTreeMap;

use super::{
    choice::ConditionalHandling,
    error::{ConditionalCall, ConvertError},
    note::{Difference, Note, names},
};
use crate::{
    profile::{
        conditions::passes_for,
        oci::{Condition, OciProfile, Rule},
        policy::{CallDecision, Verdict},
    },
    text::escape,
};

/// What happens to each call, whatever its arguments are. `why` says for people what the form does
/// not look at.
///
/// # Errors
/// Arguments decide, and the user did not choose what becomes of such calls.
pub(super) fn without_arguments(
    profile: &OciProfile,
    decisions: BTreeMap<String, CallDecision>,
    default: Verdict,
    (choice, why): (ConditionalHandling, &'static str),
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
            faults.push(ConditionalCall {
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
        return Err(ConvertError::Arguments { why, calls: faults });
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
    choice: ConditionalHandling,
) -> Option<(Verdict, Difference)> {
    let all = || rules.iter().map(|(_, verdict)| *verdict).chain([default]);
    let passes = all().find(|verdict| !verdict.refuses());
    // The default's answer comes first.
    let refuses = [default].into_iter().chain(all()).find(|verdict| verdict.refuses());
    match (passes, refuses, choice) {
        (None, Some(one), _) | (Some(one), None, _) => Some((one, Difference::Other)),
        (Some(passes), _, ConditionalHandling::Allow) => Some((passes, Difference::Wider)),
        (_, Some(refuses), ConditionalHandling::Deny) => Some((refuses, Difference::Narrower)),
        _ => None,
    }
}

/// The first rule that is about a call, from 0.
pub(super) fn first_rule(profile: &OciProfile, name: &str) -> usize {
    let is_about = |rule: &Rule| rule.names.iter().any(|other| other == name);
    profile.syscalls.iter().position(is_about).unwrap_or_default()
}
