//! Keeps a recording whose results could not be written.

use std::{env, path::PathBuf};

use super::{environment::owner, outputs::Outputs};
use crate::{
    message::print_err,
    output::{self, formats::PARTIAL},
    recording::{Recording, json},
    text::escape_path,
};

/// Keeps a recording as the partial one in its place, or else in the current directory or in that
/// for temporary files, and says where it is.
pub(super) fn keep(recording: &Recording, outputs: &mut Outputs) {
    let text = json::to_json(&outputs.so_far(recording));
    let partial = outputs.autosave().and_then(|destination| {
        destination.save_partial(text.as_bytes()).ok()?;
        Some(destination.path(PARTIAL))
    });
    let elsewhere =
        || output::keep(&[PathBuf::from("."), env::temp_dir()], owner(), text.as_bytes());
    match partial.or_else(elsewhere) {
        Some(path) => {
            let path = escape_path(&path);
            print_err(&format!(
                "the whole recording is in {path}: `tracer profile {path} --out FILE` reads it"
            ));
        }
        None => report_partial(outputs),
    }
}

/// Says where the recording so far is, when it was saved.
pub(super) fn report_partial(outputs: &Outputs) {
    let partial = outputs.autosave().map(|autosave| autosave.path(PARTIAL));
    if let Some(path) = partial.filter(|partial| partial.exists()) {
        let path = escape_path(&path);
        print_err(&format!(
            "the recording up to the last save is in {path}: `tracer profile {path} --out FILE` reads it"
        ));
    }
}
