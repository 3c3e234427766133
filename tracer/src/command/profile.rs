//! `tracer profile`: derive again, from one recording or from many.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::{
    Exit, derivation,
    summary::{self, Source},
};
use crate::{
    cli::Rederive,
    profile::Profile,
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
        RecordingError::NewerVersion { .. } => {
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
    let destination = derivation::prepare(&typed.out)?;
    let destination = destination.as_ref();
    let installation = derivation::prepare_installation(choices)?;
    let installation = installation.as_ref();
    let derivation = Profile::derive(&recordings, &options)?;
    let merged = merge(&recordings, choices.accept_late_start);
    let mut merged = merged.context("no recording was named")?;
    merged.derived = Some(derivation.derived());
    derivation::write(destination, installation, &merged, &derivation)?;
    let source = Source::Files(recordings.len());
    summary::tell(choices, &source, &merged, &derivation, destination, installation);
    Ok(if merged.complete { Exit::Complete } else { Exit::Incomplete })
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
