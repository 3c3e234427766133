//! Which files the results are written to, and what gets files of its own.

use std::{collections::BTreeMap, path::Path};

use anyhow::Result;

use super::{derivation, environment::owner, usage::usage};
use crate::{
    cli,
    output::{Destination, Directory},
    recording::{
        ContainerIdentity, Recording,
        parts::{Part, by_container, by_target},
    },
};

/// The name of the files with what was recorded so far, in a directory for many profiles.
const AUTOSAVE: &str = "unfinished";

/// The files of all profiles.
pub(super) struct Layout {
    location: Location,
    split_by: SplitBy,
    /// The files of each part, once it was derived, by its label.
    parts: BTreeMap<String, Destination>,
}

enum Location {
    /// The standard output takes one profile.
    Stdout,
    /// The files of one profile; those of its parts are in the same directory.
    Files { whole: Destination, sibling_dir: Directory },
    /// A directory for many profiles.
    Directory { directory: Directory, autosave: Destination },
}

/// What gets a profile of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SplitBy {
    Nothing,
    /// The containers, beside the profile of everything together.
    ContainersAndWhole,
    Targets,
    Containers,
}

impl SplitBy {
    /// What the arguments ask for.
    ///
    /// # Errors
    /// They contradict each other.
    fn of(out: &Path, typed: &cli::DerivationOptions, all_containers: bool) -> Result<Self> {
        let is_directory = names_directory(out);
        let split_by = match (is_directory, all_containers || typed.per_container) {
            (false, false) => Self::Nothing,
            (false, true) => Self::ContainersAndWhole,
            (true, false) => Self::Targets,
            (true, true) => Self::Containers,
        };
        if !is_directory && all_containers {
            return Err(usage(
                &"--all-containers writes a profile for each container\n\nhint: name a directory for them: --out profiles/",
            ));
        }
        if is_printed(out) && split_by != Self::Nothing {
            return Err(usage(
                &"`--out -` prints one profile, --per-container writes several\n\nhint: write to a file, for example --out profile.json",
            ));
        }
        if split_by != Self::Nothing && typed.install_localhost.is_some() {
            return Err(usage(
                &"--install-localhost installs one profile\n\nhint: leave it out, and copy the written profiles to the kubelet's directory",
            ));
        }
        Ok(split_by)
    }
}

impl Layout {
    /// Opens the directory that is written to.
    ///
    /// # Errors
    /// The arguments contradict each other, or the directory cannot be used.
    pub(super) fn prepare(
        out: &Path,
        typed: &cli::DerivationOptions,
        all_containers: bool,
    ) -> Result<Self> {
        let split_by = SplitBy::of(out, typed, all_containers)?;
        let location = if is_printed(out) {
            Location::Stdout
        } else if names_directory(out) {
            let directory = Directory::prepare(out, owner())?;
            let autosave = directory.destination(AUTOSAVE)?;
            Location::Directory { directory, autosave }
        } else {
            let whole = derivation::prepare_file(out)?;
            let sibling_dir = Directory::sibling_dir(&whole);
            Location::Files { whole, sibling_dir }
        };
        Ok(Self { location, split_by, parts: BTreeMap::new() })
    }

    /// The profile is printed.
    pub(super) fn prints(&self) -> bool {
        matches!(self.location, Location::Stdout)
    }

    /// Everything together gets a profile.
    pub(super) fn has_whole(&self) -> bool {
        matches!(self.split_by, SplitBy::Nothing | SplitBy::ContainersAndWhole)
    }

    /// The files of the profile of everything together.
    pub(super) fn whole(&self) -> Option<&Destination> {
        match &self.location {
            Location::Files { whole, .. } => Some(whole),
            Location::Stdout | Location::Directory { .. } => None,
        }
    }

    /// The same, to be changed.
    pub(super) fn whole_mut(&mut self) -> Option<&mut Destination> {
        match &mut self.location {
            Location::Files { whole, .. } => Some(whole),
            Location::Stdout | Location::Directory { .. } => None,
        }
    }

    /// The files of what has this label; None when it has none yet.
    pub(super) fn files(&self, label: Option<&str>) -> Option<&Destination> {
        match label {
            None => self.whole(),
            Some(label) => self.parts.get(label),
        }
    }

    /// Where what was recorded so far is saved.
    pub(super) fn autosave(&self) -> Option<&Destination> {
        match &self.location {
            Location::Stdout => None,
            Location::Files { whole, .. } => Some(whole),
            Location::Directory { autosave, .. } => Some(autosave),
        }
    }

    /// The same, to be changed.
    pub(super) fn autosave_mut(&mut self) -> Option<&mut Destination> {
        match &mut self.location {
            Location::Stdout => None,
            Location::Files { whole, .. } => Some(whole),
            Location::Directory { autosave, .. } => Some(autosave),
        }
    }

    /// The files of what has this label: those that it had before, or new ones. None when it is not
    /// written to a file.
    ///
    /// # Errors
    /// Something else than a regular file has one of the names.
    pub(super) fn destination(
        &mut self,
        label: Option<&str>,
        container: Option<&ContainerIdentity>,
    ) -> Result<Option<&mut Destination>> {
        let directory = match (&mut self.location, label) {
            (Location::Stdout, _) | (Location::Directory { .. }, None) => return Ok(None),
            (Location::Files { whole, .. }, None) => return Ok(Some(whole)),
            (Location::Files { sibling_dir, .. }, Some(_)) => sibling_dir,
            (Location::Directory { directory, .. }, Some(_)) => directory,
        };
        let label = label.unwrap_or_default();
        if !self.parts.contains_key(label) {
            let name = match (container, self.split_by) {
                (Some(container), SplitBy::ContainersAndWhole) => container_name(container),
                _ => file_name(label),
            };
            self.parts.insert(label.to_owned(), directory.destination(&name)?);
        }
        Ok(self.parts.get_mut(label))
    }

    /// The parts of a recording that get profiles of their own. `all_containers`: none was asked
    /// for by its name.
    pub(super) fn split(
        &self,
        recording: &Recording,
        accept_late_start: bool,
        all_containers: bool,
    ) -> Vec<Part> {
        let parts = match self.split_by {
            SplitBy::Nothing => Vec::new(),
            SplitBy::Targets => by_target(recording, accept_late_start),
            SplitBy::ContainersAndWhole | SplitBy::Containers => {
                by_container(recording, accept_late_start)
            }
        };
        // A part without calls that nobody asked for: the whole profile or the summary mentions it.
        let keeps_empty = match self.split_by {
            SplitBy::Targets => true,
            SplitBy::Containers => !all_containers,
            SplitBy::Nothing | SplitBy::ContainersAndWhole => false,
        };
        let parts = parts.into_iter().filter(|part| {
            let has_calls = part.recording.cgroups.iter().any(|cgroup| !cgroup.calls.is_empty());
            has_calls || keeps_empty
        });
        parts.collect()
    }
}

/// The profile is printed, and no file is written.
pub(super) fn is_printed(out: &Path) -> bool {
    out == Path::new("-")
}

/// A directory is meant: the path ends in a slash, or is that of one. `NAME.json` is meant for a
/// file, whatever is there.
pub(super) fn names_directory(out: &Path) -> bool {
    let is_file_name = out.extension().is_some_and(|extension| extension == "json");
    out.as_os_str().as_encoded_bytes().ends_with(b"/") || out.is_dir() && !is_file_name
}

/// The name of a container's files where its pod is known anyway.
fn container_name(container: &ContainerIdentity) -> String {
    container.name.clone().unwrap_or_else(|| container.id.clone())
}

/// The name of a target, readable as a file's: what separates its parts becomes an underscore.
fn file_name(label: &str) -> String {
    label.trim_start_matches('/').replace(['/', ':'], "_")
}
