//! What somebody decided: it counts for the profile of a recording, and a difference that was
//! decided about is no failure.

use std::path::Path;

use anyhow::Result;

use crate::{
    cli,
    command::decisions::{InForce, directory_of},
    message::print_err,
    text::escape_path,
    workbench::{
        decisions::Choice,
        diff::{Comparison, shadow::Shadow},
    },
};

/// The decisions that count for what is beside a file.
///
/// # Errors
/// They cannot be read.
pub(super) fn beside(typed: &cli::DecisionOptions, file: Option<&Path>) -> Result<Option<InForce>> {
    // Standard input and the defaults of engines are nowhere.
    let file = file.filter(|file| file.exists());
    InForce::load(typed, file.map(directory_of))
}

/// Says which decisions count for a profile, and which do not.
pub(super) fn tell(decisions: &InForce) {
    print_err(&decisions.warnings());
    print_err(&decisions.provenance(None));
}

/// What of a comparison nobody decided to allow.
pub(super) fn undecided(comparison: &Comparison, decisions: Option<&InForce>) -> Comparison {
    let mut left = comparison.clone();
    let Some(decisions) = decisions else { return left };
    left.changes.retain(|change| {
        if !change.kind.adds() {
            return true;
        }
        for choice in Choice::ALL {
            if let Some(reason) = decisions.reason(choice, change.name) {
                note(decisions, choice, change.name, &reason);
                return choice == Choice::Deny;
            }
        }
        true
    });
    left
}

/// What of the refusals nobody decided.
pub(super) fn unexpected(shadows: &[Shadow], decisions: Option<&InForce>) -> Vec<Shadow> {
    let mut left = shadows.to_vec();
    let Some(decisions) = decisions else { return left };
    let mut named: Vec<&str> = Vec::new();
    for shadow in &mut left {
        shadow.denied.retain(|call| {
            let Some(name) = call.name else { return true };
            let Some(reason) = decisions.reason(Choice::Deny, name) else { return true };
            if !named.contains(&name) {
                note(decisions, Choice::Deny, name, &reason);
                named.push(name);
            }
            false
        });
    }
    left
}

fn note(decisions: &InForce, choice: Choice, name: &str, reason: &str) {
    let path = escape_path(&decisions.path);
    print_err(&format!("note: decided in {path}: {} {name} ({reason})", choice.name()));
}
