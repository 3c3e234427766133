//! What was recorded, kept though the results could not be written.

use std::{env, path::PathBuf};

use super::{outputs::Outputs, owner};
use crate::{
    message::tell,
    output::{self, FileKind},
    recording::{Recording, json},
    text::escape_path,
};

/// Keeps a recording as the partial one in its place, or else in the current folder or that for temporary files, and tells
/// where it is.
pub(super) fn keep(recording: &Recording, outputs: &mut Outputs) {
    let text = json::to_json(&outputs.so_far(recording));
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
