//! `tracer profile`: derive again, from one recording or from many.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::{
    Exit, derivation,
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

/// Why a file is not taken as a recording.
#[derive(Debug, thiserror::Error)]
enum InputError {
    #[error(
        "{0} is a folder, not a recording\n\nhint: name the recordings in it: {0}/*.recording.json",
        escape_path(.path)
    )]
    Folder { path: PathBuf },
    #[error("the recording {} cannot be read: {problem}\n\nhint: {}", escape_path(.path), remedy(problem))]
    Unreadable { path: PathBuf, problem: io::Error },
    #[error("{}: {problem}\n\nhint: {}", escape_path(.path), advice(problem))]
    Refused { path: PathBuf, problem: RecordingError },
}

fn remedy(problem: &io::Error) -> &'static str {
    match problem.kind() {
        io::ErrorKind::PermissionDenied => "use sudo, or make it readable",
        _ => "tracer writes recordings as NAME.recording.json, beside NAME.json",
    }
}

fn advice(problem: &RecordingError) -> &'static str {
    match problem {
        RecordingError::Truncated { .. } => "copy the whole file again, or record again",
        RecordingError::NewerVersion { .. } | RecordingError::UnknownLoss { .. } => {
            "recordings are read by the tracer that wrote them, and by newer ones"
        }
        RecordingError::NotJson { .. }
        | RecordingError::NotARecording { .. }
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

/// Reads a recording. A pipe is as good as a file; one byte more than is allowed is enough to refuse it.
fn read(path: &Path) -> Result<Recording, InputError> {
    let bytes = read_bytes(path).map_err(|problem| match problem.kind() {
        io::ErrorKind::IsADirectory => InputError::Folder { path: path.to_owned() },
        _ => InputError::Unreadable { path: path.to_owned(), problem },
    })?;
    json::from_json(&bytes)
        .map_err(|problem| InputError::Refused { path: path.to_owned(), problem })
}

fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(json::MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
