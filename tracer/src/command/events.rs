//! `--events`: a line of JSON for each call that is seen, or refused, for the first time.

use std::path::Path;

use anyhow::Result;

use super::{environment::owner, usage::usage};
use crate::{
    message::print_err,
    output::{Destination, OutputError, Stream, formats},
    recording::{event::NewCall, json},
    text::escape_path,
};

/// The file for events, up to the first failure: what came behind half a line could not be read.
pub(super) struct EventsFile {
    stream: Stream,
    problem: Option<OutputError>,
}

impl EventsFile {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, problem: None }
    }

    /// Writes the event of a new call.
    pub(super) fn write(&mut self, call: &NewCall) {
        if self.problem.is_some() {
            return;
        }
        if let Err(problem) = self.stream.write(json::event_line(call).as_bytes()) {
            print_err(&format!("warning: events could not be written: {problem}"));
            self.problem = Some(problem);
        }
    }

    /// Why some are missing.
    pub(super) fn problem(self) -> Option<OutputError> {
        self.problem
    }
}

/// The file for events, which must not be one of the others.
pub(super) fn prepare(path: &Path, destination: Option<&Destination>) -> Result<Stream> {
    let taken = |destination: &Destination| {
        formats::all().any(|format| destination.path(format).file_name() == path.file_name())
    };
    if path == Path::new("-") || destination.is_some_and(taken) {
        return Err(usage(&format!(
            "--events {} cannot be written\n\nhint: name another file, for example events.jsonl",
            escape_path(path)
        )));
    }
    Ok(Stream::prepare(path, owner())?)
}
