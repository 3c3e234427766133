//! `tracer profile`: derive again, from one recording or from many.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{
    Exit, derivation,
    input::{self, Kind},
    outputs::Outputs,
    summary::{self, Source},
};
use crate::{
    cli::Rederive,
    recording::{
        Recording,
        json::{self, RecordingError},
        merge::merge,
    },
    text::escape_path,
};

/// A file is not taken as a recording.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}\n\nhint: {}", escape_path(.path), advice(problem))]
struct Refused {
    path: PathBuf,
    problem: RecordingError,
}

fn advice(problem: &RecordingError) -> &'static str {
    match problem {
        RecordingError::Encoding { error } => error.remedy(),
        RecordingError::Truncated { .. } => "copy the whole file again, or record again",
        RecordingError::NewerVersion { .. } | RecordingError::UnknownLoss { .. } => {
            "recordings are read by the tracer that wrote them, and by newer ones"
        }
        RecordingError::NotJson { .. }
        | RecordingError::NotARecording { .. }
        | RecordingError::NoObject { .. }
        | RecordingError::NoVersion
        | RecordingError::TooLarge { .. } => {
            "a recording is a file NAME.recording.json, which tracer writes beside the profile NAME.json"
        }
        _ => "the file was changed after tracer wrote it: record again",
    }
}

/// Merges recordings, and writes the profile of all of them.
///
/// # Errors
/// Nothing was written then.
pub fn run(typed: &Rederive) -> Result<Exit> {
    let choices = &typed.derivation;
    let options = derivation::options(choices)?;
    let recordings =
        typed.recordings.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    let mut outputs = Outputs::prepare(&typed.out, choices, options, false)?;
    let merged = merge(&recordings, choices.accept_late_start);
    let merged = merged.context("no recording was named")?;
    let products = outputs.derive(&recordings, &merged)?;
    outputs.write(&products)?;
    let source = Source::Files(recordings.len());
    summary::tell(choices, &source, &merged, &products, &outputs);
    Ok(if summary::is_complete(&products) { Exit::Complete } else { Exit::Incomplete })
}

/// Reads a recording.
fn read(path: &Path) -> Result<Recording> {
    let bytes = input::read(Kind::Recording, path, json::MAX_BYTES)?;
    let refused = |problem| Refused { path: path.to_owned(), problem };
    Ok(json::from_json(&bytes).map_err(refused)?)
}
