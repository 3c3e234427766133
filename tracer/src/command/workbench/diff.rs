//! `tracer diff`: where two profiles or recordings differ.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::{
    decided::{beside, undecided, unexpected},
    input::Input,
    width::columns,
};
use crate::{
    cli::{Diff, DiffFailOn},
    command::{Exit, capabilities::CapabilityBasis, decisions::InForce, usage::usage},
    json,
    message::print,
    profile::policy::Policy,
    workbench::diff::{
        Comparison, policies,
        render::{self, ComparedNames},
        seen,
        shadow::{Shadow, shadow},
    },
};

/// Prints where two things differ.
///
/// # Errors
/// One of them cannot be read, or nothing can be printed.
pub fn run(options: &Diff) -> Result<Exit> {
    let basis = match &options.caps {
        Some(typed) => CapabilityBasis::typed(typed)?,
        None => CapabilityBasis::assumed(),
    };
    let decisions = beside(&options.decisions, options.after.first().map(PathBuf::as_path))?;
    let decisions = decisions.as_ref();
    let first = Input::read(&options.before, &basis)?;
    let others: Result<Vec<Input>> =
        options.after.iter().map(|path| Input::read(path, &basis)).collect();
    match (first, others?.as_slice()) {
        (Input::Profile { name, policy }, [Input::Profile { name: other, policy: after }]) => {
            let names = ComparedNames { before: &name, after: other, recordings: false };
            compared(options, &policies::compare(&policy, after), &names, decisions)
        }
        (
            Input::Recording { name, recording },
            [Input::Recording { name: other, recording: after }],
        ) => {
            let names = ComparedNames { before: &name, after: other, recordings: true };
            compared(options, &seen::compare(&recording, after), &names, decisions)
        }
        (Input::Profile { name, policy }, recordings) => {
            evaluate_recordings(options, (&name, &policy), recordings, decisions)
        }
        (recording, [Input::Profile { name, policy }]) => {
            evaluate_recordings(options, (name, policy), &[recording], decisions)
        }
        (Input::Recording { .. }, _) => Err(usage(
            &"more than two files can be compared only when the first is a profile and the others are recordings",
        )),
    }
}

fn compared(
    options: &Diff,
    comparison: &Comparison,
    names: &ComparedNames<'_>,
    decisions: Option<&InForce>,
) -> Result<Exit> {
    let text = match options.json {
        true => json::pretty(comparison),
        false => render::text(comparison, names, columns()),
    };
    print(&text).context("the standard output could not be written")?;
    let undecided = undecided(comparison, decisions);
    let fails = |on: &DiffFailOn| match on {
        DiffFailOn::Added => undecided.adds(),
        DiffFailOn::BeyondDefault => undecided.adds_beyond_defaults(),
        DiffFailOn::Dangerous => undecided.adds_danger(),
    };
    let differs = options.exit_code && !comparison.is_same();
    Ok(if differs || options.fail_on.iter().any(fails) { Exit::Different } else { Exit::Complete })
}

/// What a profile would have denied to recordings.
fn evaluate_recordings(
    options: &Diff,
    (name, policy): (&str, &Policy),
    recordings: &[Input],
    decisions: Option<&InForce>,
) -> Result<Exit> {
    let shadow = |input: &Input| match input {
        Input::Recording { name, recording } => Ok(shadow(policy, name, recording)),
        Input::Profile { name, .. } => Err(usage(&format!(
            "{name} is a profile: of several files the first is a profile, and the others are recordings"
        ))),
    };
    let shadows: Vec<Shadow> = recordings.iter().map(shadow).collect::<Result<_>>()?;
    let text = match options.json {
        true => json::pretty(&shadows),
        false => render::shadows(name, &shadows, columns()),
    };
    print(&text).context("the standard output could not be written")?;
    let shadows = unexpected(&shadows, decisions);
    let denied = shadows.iter().flat_map(|one| &one.denied).filter(|call| !call.doubtful);
    let is_denied = denied.clone().next().is_some();
    let fails = |on: &DiffFailOn| match on {
        DiffFailOn::Added => is_denied,
        DiffFailOn::BeyondDefault => denied.clone().any(|call| call.beyond_defaults),
        DiffFailOn::Dangerous => denied.clone().any(|call| call.risk.is_some()),
    };
    let fails = options.fail_on.iter().any(fails) || options.exit_code && is_denied;
    Ok(if fails { Exit::Different } else { Exit::Complete })
}
