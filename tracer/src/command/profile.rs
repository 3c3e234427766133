//! `tracer profile`: derive again, from one recording or from many.

use std::{collections::BTreeSet, slice};

use anyhow::{Context, Result};

use super::{
    brought::MergedRecordings,
    decisions, derivation,
    exit::Exit,
    outputs::Outputs,
    recordings,
    summary::{self, EvidenceOrigin},
    usage::usage,
};
use crate::{
    cli::Rederive,
    profile::DeriveError,
    recording::{contribution::Contributions, merge::merge},
};

/// Merges recordings, and writes the profile of all of them.
///
/// # Errors
/// Nothing was written then.
pub fn run(typed: &Rederive) -> Result<Exit> {
    let choices = &typed.derivation;
    let options = derivation::options(choices)?;
    let recordings = recordings::read_all(&typed.recordings)?;
    let contributions = Contributions::of(&recordings, choices.accept_late_start);
    let mut options = decisions::apply(&typed.out, choices, options)?;
    options.rare = rare(typed.min_runs, &contributions)?;
    let mut outputs = Outputs::prepare(&typed.out, choices, options, false)?;
    let merged = merge(&recordings, choices.accept_late_start);
    let merged = merged.context("no recording was named")?;
    // The merged recording has all of them; of many, two copies need much memory.
    drop(recordings);
    let products =
        outputs.derive(slice::from_ref(&merged), &merged).map_err(|error| match error {
            DeriveError::NoWorkload { cgroups, .. } => {
                DeriveError::NoWorkload { recordings: typed.recordings.len(), cgroups }
            }
        })?;
    outputs.write(&products)?;
    let files =
        MergedRecordings { paths: &typed.recordings, contributions, min_runs: typed.min_runs };
    let source = EvidenceOrigin::Files(&files);
    summary::print(choices, &source, &merged, &products, &outputs, Vec::new());
    Ok(if summary::is_complete(&products) { Exit::Complete } else { Exit::Incomplete })
}

/// The calls that too few recordings have.
fn rare(min_runs: Option<u32>, contributions: &Contributions) -> Result<BTreeSet<String>> {
    let Some(min_runs) = min_runs else { return Ok(BTreeSet::new()) };
    let (least, recordings) = (min_runs as usize, contributions.recordings());
    if least > recordings {
        return Err(usage(&format!(
            "--min-runs {least}: no call can be in so many recordings, because {recordings} different ones were named\n\nhint: name more recordings, or give --min-runs at most {recordings}"
        )));
    }
    Ok(contributions.rarer_than(least).map(|(name, _)| name.to_owned()).collect())
}
