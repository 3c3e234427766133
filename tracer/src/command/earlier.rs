//! What earlier runs left where this one writes: merged with what is recorded now when that is asked for, and never replaced by
//! less.

use std::{borrow::Cow, collections::BTreeMap};

use crate::{
    output::{Destination, FileKind, Keeping},
    recording::{
        Recording,
        earlier::{difference, joined, knows_all},
        json,
    },
    text::{escape, escape_path},
};

/// The largest recording that others are merged with, in bytes: thousands of containers. Without a limit a recording that is merged
/// again and again would grow for ever.
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
    pub(super) fn find_partial(&mut self, unfinished: &mut Destination) -> Option<String> {
        let left = self.read(unfinished, FileKind::Partial);
        let line = match &left {
            Left::Found(_) => Some(format!(
                "{} is what a tracer that was killed had recorded: it is merged when it is of the same targets",
                escape_path(&unfinished.path(FileKind::Partial))
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
        unfinished: &mut Destination,
    ) -> Cow<'a, Recording> {
        let Some(left) = self.partial.take() else { return Cow::Borrowed(recording) };
        let (left, merged) = self.join(left, recording, unfinished, FileKind::Partial);
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
        let left = left.unwrap_or_else(|| self.read(destination, FileKind::Recording));
        let (left, merged) = self.join(left, recording, destination, FileKind::Recording);
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
        kind: FileKind,
    ) -> (Left, Option<Recording>) {
        let earlier = match left {
            Left::Nothing | Left::Kept => return (left, None),
            Left::Merged(earlier) => earlier,
            Left::Found(earlier) => {
                if let Some(difference) = difference(&earlier, recording) {
                    return (self.set_aside(destination, kind, &difference.to_string()), None);
                }
                self.take(destination, kind, &earlier);
                earlier
            }
        };
        let merged = joined(&earlier, recording, self.accept_late_start);
        (Left::Merged(earlier), Some(merged))
    }

    fn read(&mut self, destination: &mut Destination, kind: FileKind) -> Left {
        let too_large = || format!("it is larger than {} MiB", MAX_MERGED >> 20);
        let problem = match destination.read(kind, MAX_MERGED) {
            Ok(None) => return Left::Nothing,
            Ok(Some(bytes)) if bytes.len() > MAX_MERGED => too_large(),
            Ok(Some(bytes)) => match json::from_json(&bytes) {
                Ok(recording) => return Left::Found(Box::new(recording)),
                Err(problem) => problem.to_string(),
            },
            Err(problem) => problem.to_string(),
        };
        self.set_aside(destination, kind, &problem)
    }

    /// It stays under a name that nothing replaces.
    fn set_aside(&mut self, destination: &mut Destination, kind: FileKind, why: &str) -> Left {
        destination.keep(kind, Keeping::Numbered);
        let path = escape_path(&destination.path(kind));
        self.lines.push(format!("what {path} held is not merged, and kept: {why}"));
        Left::Kept
    }

    /// It will be in what is written.
    fn take(&mut self, destination: &mut Destination, kind: FileKind, earlier: &Recording) {
        let path = escape_path(&destination.path(kind));
        if kind == FileKind::Partial {
            destination.keep(kind, Keeping::Nothing);
        }
        let cgroups = earlier.cgroups.len();
        self.lines.push(format!(
            "merged with what {path} held: recorded from {}, cgroups: {cgroups}",
            escape(&earlier.started)
        ));
    }
}

/// Keeps what another run wrote as `.old`, but never in place of what is known to be more; a line when it is not kept.
pub(super) fn keep_the_better(destination: &mut Destination) -> Option<String> {
    let kind = FileKind::Recording;
    if destination.is_written(kind) || destination.keeping(kind) != Keeping::Old {
        return None;
    }
    let knows_all = |bytes: &[u8]| json::from_json(bytes).as_ref().is_ok_and(knows_all);
    // What cannot be read is not known to be more.
    let old = destination.read_old(kind, json::MAX_BYTES).ok()?;
    if !old.as_deref().is_some_and(knows_all) {
        return None;
    }
    let current = destination.read(kind, json::MAX_BYTES).ok()??;
    if knows_all(&current) {
        return None;
    }
    destination.keep(kind, Keeping::Nothing);
    let path = escape_path(&destination.path(kind));
    Some(format!(
        "{path}.old: complete evidence, which stays; what {path} held was not complete, and is replaced"
    ))
}
