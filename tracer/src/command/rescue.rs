//! What was recorded, kept though the results could not be written.

use std::{env, path::PathBuf};

use anyhow::Result;

use super::{outputs::Outputs, owner};
use crate::{
    message::tell,
    output::{self, FileKind},
    recording::{Recording, json},
    text::escape_path,
};

/// Keeps a recording as the partial one in its place, or else in the current folder or that for temporary files, and tells
/// where it is.
pub(super) fn keep(recording: &Recording, outputs: &Outputs) {
    let text = json::to_json(recording);
    let partial = outputs.unfinished().and_then(|destination| {
        destination.save_partial(text.as_bytes()).ok()?;
        Some(destination.path(FileKind::Partial))
    });
    let elsewhere =
        || output::keep(&[PathBuf::from("."), env::temp_dir()], owner(), text.as_bytes());
    match partial.or_else(elsewhere) {
        Some(path) => {
            let path = escape_path(&path);
            tell(&format!(
                "the whole recording is in {path}: `tracer profile {path} --out FILE` reads it"
            ));
        }
        None => tell_partial(outputs),
    }
}

/// Writes the recording alone, of which no profile can be derived because what the workload did was lost; where it is. None when
/// the profile was to be printed.
pub(super) fn write_evidence(recording: &Recording, outputs: &Outputs) -> Result<Option<PathBuf>> {
    let Some(destination) = outputs.unfinished() else { return Ok(None) };
    destination.write(&[(FileKind::Recording, json::to_json(recording).as_bytes())])?;
    Ok(Some(destination.path(FileKind::Recording)))
}

/// Tells where the recording so far is, when it was saved.
pub(super) fn tell_partial(outputs: &Outputs) {
    let partial = outputs.unfinished().map(|unfinished| unfinished.path(FileKind::Partial));
    if let Some(path) = partial.filter(|partial| partial.exists()) {
        let path = escape_path(&path);
        tell(&format!(
            "the recording until shortly before is in {path}: `tracer profile {path} --out FILE` reads it"
        ));
    }
}
