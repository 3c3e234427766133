//! What earlier runs left where this one writes: merged with what is recorded now when that is
//! asked for, and never replaced by less.

use std::{borrow::Cow, collections::BTreeMap};

use crate::{
    output::{
        Destination, Format, Keeping,
        formats::{PARTIAL, RECORDING},
    },
    recording::{
        Recording,
        earlier::{difference, joined, knows_all},
        json,
    },
    text::{escape, escape_path},
};

/// The largest recording that others are merged with, in bytes: thousands of containers. Without a
/// limit a recording that is merged again and again would grow for ever.
const MAX_MERGED: usize = 16 << 20;

/// What earlier runs left.
#[derive(Default)]
pub(super) struct Earlier {
    /// By the label of what it is of; None for everything together.
    recordings: BTreeMap<Option<String>, Left>,
    /// What a run that was killed had saved.
    partial: Option<Left>,
    /// Whether a late start that is merged counts.
    accept_late_start: bool,
    /// What is to be said of it at the end.
    lines: Vec<String>,
}

/// What is there under one name.
enum Left {
    Nothing,
    /// Not yet compared with what is recorded now.
    Found(Box<Recording>),
    /// Merged with it.
    Merged(Box<Recording>),
    /// Kept under another name.
    Kept,
}

impl Earlier {
    /// Nothing was looked at yet.
    pub(super) fn new(accept_late_start: bool) -> Self {
        Self { accept_late_start, ..Self::default() }
    }

    /// Reads what a run that was killed had saved; a line that says so.
    pub(super) fn find_partial(&mut self, autosave: &mut Destination) -> Option<String> {
        let left = self.read(autosave, PARTIAL);
        let line = match &left {
            Left::Found(_) => Some(format!(
                "{} holds the recording of a tracer that was killed: it is merged when it is of the same targets",
                escape_path(&autosave.path(PARTIAL))
            )),
            _ => None,
        };
        self.partial = Some(left);
        line
    }

    /// What is recorded now, and what a run that was killed had saved of the same.
    pub(super) fn with_partial<'a>(
        &mut self,
        recording: &'a Recording,
        autosave: &mut Destination,
    ) -> Cow<'a, Recording> {
        let Some(left) = self.partial.take() else { return Cow::Borrowed(recording) };
        let (left, merged) = self.join(left, recording, autosave, PARTIAL);
        self.partial = Some(left);
        merged.map_or(Cow::Borrowed(recording), Cow::Owned)
    }

    /// What was saved of a run that was killed is in what was written.
    pub(super) fn has_taken_partial(&self) -> bool {
        matches!(self.partial, Some(Left::Merged(_)))
    }

    /// What is recorded now, and what the file of that name holds of the same.
    pub(super) fn merged(
        &mut self,
        label: Option<&str>,
        recording: &Recording,
        destination: &mut Destination,
    ) -> Option<Recording> {
        let label = label.map(str::to_owned);
        let left = self.recordings.remove(&label);
        let left = left.unwrap_or_else(|| self.read(destination, RECORDING));
        let (left, merged) = self.join(left, recording, destination, RECORDING);
        self.recordings.insert(label, left);
        merged
    }

    /// What is to be said of what was merged, and of what was not.
    pub(super) fn lines(&self) -> &[String] {
        &self.lines
    }

    fn join(
        &mut self,
        left: Left,
        recording: &Recording,
        destination: &mut Destination,
        format: &'static Format,
    ) -> (Left, Option<Recording>) {
        let earlier = match left {
            Left::Nothing | Left::Kept => return (left, None),
            Left::Merged(earlier) => earlier,
            Left::Found(earlier) => {
                if let Some(difference) = difference(&earlier, recording) {
                    return (self.set_aside(destination, format, &difference.to_string()), None);
                }
                self.merge_in(destination, format, &earlier);
                earlier
            }
        };
        let merged = joined(&earlier, recording, self.accept_late_start);
        (Left::Merged(earlier), Some(merged))
    }

    fn read(&mut self, destination: &mut Destination, format: &'static Format) -> Left {
        let too_large = || format!("it is larger than {} MiB", MAX_MERGED >> 20);
        let problem = match destination.read(format, MAX_MERGED) {
            Ok(None) => return Left::Nothing,
            Ok(Some(bytes)) if bytes.len() > MAX_MERGED => too_large(),
            Ok(Some(bytes)) => match json::from_json(&bytes) {
                Ok(recording) => return Left::Found(Box::new(recording)),
                Err(problem) => problem.to_string(),
            },
            Err(problem) => problem.to_string(),
        };
        self.set_aside(destination, format, &problem)
    }

    /// It stays under a name that nothing replaces.
    fn set_aside(
        &mut self,
        destination: &mut Destination,
        format: &'static Format,
        why: &str,
    ) -> Left {
        destination.keep(format, Keeping::Numbered);
        let path = escape_path(&destination.path(format));
        self.lines.push(format!("what {path} held is not merged, and kept: {why}"));
        Left::Kept
    }

    /// It will be in what is written.
    fn merge_in(
        &mut self,
        destination: &mut Destination,
        format: &'static Format,
        earlier: &Recording,
    ) {
        let path = escape_path(&destination.path(format));
        if format == PARTIAL {
            destination.keep(format, Keeping::Nothing);
        }
        let cgroups = earlier.cgroups.len();
        self.lines.push(format!(
            "merged with what {path} held: recorded from {}, cgroups: {cgroups}",
            escape(&earlier.started)
        ));
    }
}

/// Keeps what another run wrote as `.old`, but never in place of what is known to be more; a line
/// when it is not kept.
pub(super) fn keep_the_better(destination: &mut Destination) -> Option<String> {
    let format = RECORDING;
    if destination.is_written(format) || destination.keeping(format) != Keeping::Old {
        return None;
    }
    let knows_all = |bytes: &[u8]| json::from_json(bytes).as_ref().is_ok_and(knows_all);
    // What cannot be read is not known to be more.
    let old = destination.read_old(format, json::MAX_BYTES).ok()?;
    if !old.as_deref().is_some_and(knows_all) {
        return None;
    }
    let current = destination.read(format, json::MAX_BYTES).ok()??;
    if knows_all(&current) {
        return None;
    }
    destination.keep(format, Keeping::Nothing);
    let path = escape_path(&destination.path(format));
    Some(format!(
        "{path}.old: complete evidence, which stays; the recording in {path} was incomplete, and is replaced"
    ))
}
