//! The files of one profile: an open folder and the names in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::place::{Content, Kept, Place, Readers, folder_of};
use super::staged::{Durability, Staged};
use super::{NAME_MAX, OutputError, Owner};

/// What comes after the name of a file that is kept.
const OLD: &str = ".old";

/// What comes after the `X` of a file's name before `.json`, when it is a recording.
const RECORDING: &str = ".recording";

/// One of the files that belong to an output name `X.json`. Their order is the order of writing: the profile comes
/// last, so that whoever sees a new profile finds its evidence beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// `X.recording.json.partial`, while recording.
    Partial,
    /// `X.recording.json`.
    Recording,
    /// `X.kubernetes.yaml`.
    Kubernetes,
    /// `X.json`.
    Profile,
}

impl FileKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Partial, Self::Recording, Self::Kubernetes, Self::Profile];

    /// What comes after the `X`.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Partial => ".recording.json.partial",
            Self::Recording => ".recording.json",
            Self::Kubernetes => ".kubernetes.yaml",
            Self::Profile => ".json",
        }
    }

    /// Recordings are evidence of how somebody's workload runs; profiles are read by whoever enforces them.
    fn readers(self) -> Readers {
        match self {
            Self::Partial | Self::Recording => Readers::Owner,
            Self::Kubernetes | Self::Profile => Readers::AsTheUmaskSays,
        }
    }
}

/// Where the results go: an open folder and the names in it.
#[derive(Debug)]
pub struct Destination {
    place: Arc<Place>,
    stem: String,
    /// How what another run wrote is kept; what is not named here is replaced.
    kept: BTreeMap<FileKind, Keeping>,
}

/// How what another run wrote is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// As `NAME.old`, in place of what has that name.
    Old,
    /// As `NAME.1`, or the first number that is free: nothing is replaced.
    Numbered,
    /// Not at all: it is replaced.
    Nothing,
}

impl Destination {
    /// Opens the folder of `path`, which must end in `.json`, and finds out what would make writing fail: before
    /// tracing begins rather than after it. Nothing is changed.
    ///
    /// The files will belong to `owner` when the folder does and this process is root.
    ///
    /// # Errors
    /// The name or the folder cannot be used, or something else than a regular file has one of the names.
    pub fn prepare(path: &Path, owner: Option<Owner>) -> Result<Self, OutputError> {
        let stem = stem(path)?;
        let folder =
            folder_of(path).ok_or_else(|| OutputError::NotAJsonName { path: path.to_owned() })?;
        let destination = Self::new(Arc::new(Place::open(&folder, owner, "--out")?), stem)?;
        destination.place.check_writable()?;
        Ok(destination)
    }

    /// Names in an open folder. What is there already must be regular files.
    pub(super) fn new(place: Arc<Place>, stem: String) -> Result<Self, OutputError> {
        let kept = [FileKind::Partial, FileKind::Recording].map(|kind| (kind, Keeping::Old));
        let kept = BTreeMap::from(kept);
        let destination = Self { place, stem, kept };
        for kind in FileKind::ALL {
            destination.check(kind)?;
        }
        Ok(destination)
    }

    /// The same, with a profile of another run kept as `X.json.old`.
    ///
    /// # Errors
    /// Something else than a regular file has that name.
    pub fn keeping_profiles(mut self) -> Result<Self, OutputError> {
        self.keep(FileKind::Profile, Keeping::Old);
        self.check(FileKind::Profile)?;
        Ok(self)
    }

    fn check(&self, kind: FileKind) -> Result<(), OutputError> {
        self.place.check_target(&self.name(kind))?;
        self.old(kind).map_or(Ok(()), |old| self.place.check_target(&old))
    }

    /// Decides how what another run wrote is kept, unless this run wrote since.
    pub fn keep(&mut self, kind: FileKind, keeping: Keeping) {
        self.kept.insert(kind, keeping);
    }

    /// How it is kept.
    pub fn keeping(&self, kind: FileKind) -> Keeping {
        self.kept.get(&kind).copied().unwrap_or(Keeping::Nothing)
    }

    /// What another run wrote under the name of a file, and where it is kept since; None when there was nothing.
    pub fn old_of(&self, kind: FileKind) -> Option<PathBuf> {
        let kept = self.place.written().get(&self.name(kind)).cloned().flatten();
        kept.map(|old| self.place.path_of(&old))
    }

    /// Reads what another run wrote, at most `limit` bytes and one more; None when there is nothing, or this run wrote it.
    ///
    /// # Errors
    /// It cannot be read, or is no regular file.
    pub fn read(&self, kind: FileKind, limit: usize) -> Result<Option<Vec<u8>>, OutputError> {
        self.place.read(&self.name(kind), limit)
    }

    /// The same of what is kept as `.old`.
    ///
    /// # Errors
    /// It cannot be read, or is no regular file.
    pub fn read_old(&self, kind: FileKind, limit: usize) -> Result<Option<Vec<u8>>, OutputError> {
        self.place.read(&format!("{}{OLD}", self.name(kind)), limit)
    }

    /// This run wrote the file.
    pub fn is_written(&self, kind: FileKind) -> bool {
        self.place.written().contains_key(&self.name(kind))
    }

    /// The open folder, and the `X` of the names in it.
    pub(super) fn parts(&self) -> (&Arc<Place>, &str) {
        (&self.place, &self.stem)
    }

    /// The path of a file, for messages.
    pub fn path(&self, kind: FileKind) -> PathBuf {
        self.place.path_of(&self.name(kind))
    }

    /// Writes the files, in the order of [`FileKind`] whatever the order here; old ones are replaced.
    ///
    /// All are written and synced under other names before the first is renamed: when the disk is full, the old files
    /// are as they were. A recording that another run wrote is kept: [`Destination::old_of`].
    ///
    /// # Errors
    /// As [`Destination::stage`] and [`Staged::commit`].
    pub fn write(&self, files: &[(FileKind, &[u8])]) -> Result<(), OutputError> {
        self.stage(files)?.commit()
    }

    /// The first half of [`Destination::write`]: everything that may well fail.
    ///
    /// # Errors
    /// A file could not be written, or may not have its name: all old ones are as they were.
    pub fn stage(&self, files: &[(FileKind, &[u8])]) -> Result<Staged, OutputError> {
        let mut files = files.to_vec();
        files.sort_by_key(|(kind, _)| *kind);
        // What is saved now and then while recording must not wait for the disk.
        let is_partial = files.iter().all(|(kind, _)| *kind == FileKind::Partial);
        let content = |(kind, bytes): (FileKind, _)| Content {
            name: self.name(kind),
            bytes,
            readers: kind.readers(),
            kept: match (self.kept.get(&kind), self.old(kind)) {
                (Some(Keeping::Numbered), _) => Kept::Numbered,
                (Some(Keeping::Old), Some(old)) => Kept::As(old),
                _ => Kept::Nowhere,
            },
        };
        let files = files.into_iter().map(content).collect();
        let durability = if is_partial { Durability::InMemory } else { Durability::OnDisk };
        self.place.stage(files, durability)
    }

    /// Replaces the partial recording.
    ///
    /// # Errors
    /// It could not be written: the old one is as it was.
    pub fn save_partial(&self, bytes: &[u8]) -> Result<(), OutputError> {
        self.write(&[(FileKind::Partial, bytes)])
    }

    /// Removes the partial recording that was saved here, if there is one.
    ///
    /// # Errors
    /// It is still there.
    pub fn remove_partial(&self) -> Result<(), OutputError> {
        self.place.remove(&self.name(FileKind::Partial))
    }

    /// The same, also one that another run left: what it holds is in what was written.
    ///
    /// # Errors
    /// It is still there.
    pub fn discard_partial(&self) -> Result<(), OutputError> {
        self.place.remove_any(&self.name(FileKind::Partial))
    }

    fn name(&self, kind: FileKind) -> String {
        format!("{}{}", self.stem, kind.suffix())
    }

    /// The name under which another run's file is kept, in place of what has that name.
    fn old(&self, kind: FileKind) -> Option<String> {
        let is_kept = self.kept.get(&kind) == Some(&Keeping::Old);
        is_kept.then(|| format!("{}{OLD}", self.name(kind)))
    }
}

/// The file name without `.json`.
fn stem(path: &Path) -> Result<String, OutputError> {
    let wrong = || OutputError::NotAJsonName { path: path.to_owned() };
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(wrong)?;
    let typed_as_folder = path.as_os_str().as_encoded_bytes().ends_with(b"/");
    let stem = name.strip_suffix(".json").filter(|stem| !stem.is_empty() && !typed_as_folder);
    let stem = stem.ok_or_else(wrong)?;
    if let Some(name) = stem.strip_suffix(RECORDING) {
        let instead = path.with_file_name(format!("{name}.json"));
        return Err(OutputError::IsARecording { path: path.to_owned(), instead });
    }
    let longest = stem.len() + FileKind::Partial.suffix().len() + OLD.len();
    if longest > NAME_MAX {
        return Err(OutputError::NameTooLong { path: path.to_owned(), excess: longest - NAME_MAX });
    }
    Ok(stem.to_owned())
}
