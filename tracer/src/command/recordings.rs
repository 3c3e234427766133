//! The recordings that people name.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::input::{self, ExpectedFile};
use crate::{
    encoding,
    profile::oci::{self, Mistaken, RecognisedFile},
    recording::{
        Recording,
        json::{self, RecordingError},
    },
};

/// A file is not taken as a recording.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecordingFileError {
    /// Something is wrong with it.
    #[error("{}: {problem}\n\nhint: {}", input::name(.path), advice(problem))]
    Faulty { path: PathBuf, problem: RecordingError },
    /// It is something else.
    #[error(
        "{}: {found}, not a recording\n\nhint: tracer writes recordings as NAME.recording.json, beside the profile NAME.json; `tracer explain` and `tracer diff` read profiles",
        input::name(.path)
    )]
    Other { path: PathBuf, found: RecognisedFile },
}

fn advice(problem: &RecordingError) -> &'static str {
    match problem {
        RecordingError::Encoding { error } => error.remedy(),
        RecordingError::Truncated { .. } => "copy the whole file again, or record again",
        RecordingError::NewerVersion { .. } | RecordingError::UnknownLoss { .. } => {
            "use the tracer that wrote the recording, or a newer one"
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

/// Reads every recording.
///
/// # Errors
/// One of them cannot be read, or is none.
pub(super) fn read_all(paths: &[PathBuf]) -> Result<Vec<Recording>> {
    paths.iter().map(|path| read(path)).collect()
}

/// The recording that tracer wrote beside a profile, if it is there and can be read.
pub(super) fn beside(profile: &Path) -> Option<Recording> {
    let stem = profile.to_str()?.strip_suffix(".json")?;
    let path = PathBuf::from(format!("{stem}.recording.json"));
    path.exists().then(|| read(&path))?.ok()
}

/// Reads a recording.
fn read(path: &Path) -> Result<Recording> {
    let bytes = input::read(ExpectedFile::Recording, path)?;
    let bytes = encoding::without_mark(&bytes);
    let refused = |problem| {
        let path = path.to_owned();
        match other(bytes, &problem) {
            Some(found) => RecordingFileError::Other { path, found },
            None => RecordingFileError::Faulty { path, problem },
        }
    };
    Ok(json::from_json(bytes).map_err(refused)?)
}

/// What a file is that is no recording at all, when that is known.
fn other(bytes: &[u8], problem: &RecordingError) -> Option<RecognisedFile> {
    let is_none = matches!(
        problem,
        RecordingError::NotJson { .. }
            | RecordingError::NotARecording { .. }
            | RecordingError::NoObject { .. }
            | RecordingError::NoVersion
    );
    let known = is_none.then(|| oci::recognise(bytes)).flatten();
    known.filter(|known| {
        !matches!(known, RecognisedFile::Other(Mistaken::Recording | Mistaken::Yaml))
    })
}
