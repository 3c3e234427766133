//! The files of one profile: an open directory and the names in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::format::Format;
use super::formats::{self, PARTIAL, PROFILE, RECORDING};
use super::output_dir::{Content, Kept, OutputDir, directory_of};
use super::staged::{Durability, Staged};
use super::{NAME_MAX, OutputError, Owner};

/// What comes after the name of a file that is kept.
const OLD: &str = ".old";

/// Where the results go: an open directory and the names in it.
#[derive(Debug)]
pub struct Destination {
    output_dir: Arc<OutputDir>,
    stem: String,
    /// How what another run wrote is kept; what is not named here is replaced.
    kept: BTreeMap<&'static str, Keeping>,
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
    /// Opens the directory of `path`, which must end in `.json`, and finds out what would make
    /// writing fail: before tracing begins rather than after it. Nothing is changed.
    ///
    /// The files will belong to `owner` when the directory does and this process is root.
    ///
    /// # Errors
    /// The name or the directory cannot be used, or something else than a regular file has one of
    /// the names.
    pub fn prepare(path: &Path, owner: Option<Owner>) -> Result<Self, OutputError> {
        let stem = stem(path)?;
        let directory = directory_of(path)
            .ok_or_else(|| OutputError::NotAJsonName { path: path.to_owned() })?;
        let destination = Self::new(Arc::new(OutputDir::open(&directory, owner, "--out")?), stem)?;
        destination.output_dir.check_writable()?;
        Ok(destination)
    }

    /// Names in an open directory. What is there already must be regular files.
    pub(super) fn new(output_dir: Arc<OutputDir>, stem: String) -> Result<Self, OutputError> {
        let kept = [PARTIAL, RECORDING].map(|format| (format.suffix, Keeping::Old));
        let kept = BTreeMap::from(kept);
        let destination = Self { output_dir, stem, kept };
        for format in formats::all() {
            destination.check(format)?;
        }
        Ok(destination)
    }

    /// The same, with a profile of another run kept as `X.json.old`.
    ///
    /// # Errors
    /// Something else than a regular file has that name.
    pub fn keeping_profiles(mut self) -> Result<Self, OutputError> {
        self.keep(PROFILE, Keeping::Old);
        self.check(PROFILE)?;
        Ok(self)
    }

    fn check(&self, format: &'static Format) -> Result<(), OutputError> {
        self.output_dir.check_target(&self.name(format))?;
        self.old(format).map_or(Ok(()), |old| self.output_dir.check_target(&old))
    }

    /// Decides how what another run wrote is kept, unless this run wrote since.
    pub fn keep(&mut self, format: &'static Format, keeping: Keeping) {
        self.kept.insert(format.suffix, keeping);
    }

    /// How it is kept.
    pub fn keeping(&self, format: &'static Format) -> Keeping {
        self.kept.get(format.suffix).copied().unwrap_or(Keeping::Nothing)
    }

    /// What another run wrote under the name of a file, and where it is kept since; None when there
    /// was nothing.
    pub fn old_of(&self, format: &'static Format) -> Option<PathBuf> {
        let kept = self.output_dir.written().get(&self.name(format)).cloned().flatten();
        kept.map(|old| self.output_dir.path_of(&old))
    }

    /// Reads what another run wrote, at most `limit` bytes and one more; None when there is
    /// nothing, or this run wrote it.
    ///
    /// # Errors
    /// It cannot be read, or is no regular file.
    pub fn read(
        &self,
        format: &'static Format,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, OutputError> {
        self.output_dir.read(&self.name(format), limit)
    }

    /// The same of what is kept as `.old`.
    ///
    /// # Errors
    /// It cannot be read, or is no regular file.
    pub fn read_old(
        &self,
        format: &'static Format,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, OutputError> {
        self.output_dir.read(&format!("{}{OLD}", self.name(format)), limit)
    }

    /// This run wrote the file.
    pub fn is_written(&self, format: &'static Format) -> bool {
        self.output_dir.written().contains_key(&self.name(format))
    }

    /// The `X` of the names of the files.
    pub fn stem(&self) -> &str {
        &self.stem
    }

    /// The open directory, and the `X` of the names in it.
    pub(super) fn parts(&self) -> (&Arc<OutputDir>, &str) {
        (&self.output_dir, &self.stem)
    }

    /// The path of a file, for messages.
    pub fn path(&self, format: &'static Format) -> PathBuf {
        self.output_dir.path_of(&self.name(format))
    }

    /// Writes the files, in the order of [`formats::FORMATS`] whatever the order here; old ones are
    /// replaced.
    ///
    /// All are written and synced under other names before the first is renamed: when the disk is
    /// full, the old files are as they were. A recording that another run wrote is kept:
    /// [`Destination::old_of`].
    ///
    /// # Errors
    /// As [`Destination::stage`] and [`Staged::commit`].
    pub fn write(&self, files: &[(&'static Format, &[u8])]) -> Result<(), OutputError> {
        self.stage(files)?.commit()
    }

    /// The first half of [`Destination::write`]: everything that may well fail.
    ///
    /// # Errors
    /// A file could not be written, or may not have its name: all old ones are as they were.
    pub fn stage(&self, files: &[(&'static Format, &[u8])]) -> Result<Staged, OutputError> {
        let mut files = files.to_vec();
        files.sort_by_key(|(format, _)| formats::rank(format));
        // What is saved now and then while recording must not wait for the disk.
        let is_partial = files.iter().all(|(format, _)| *format == PARTIAL);
        let content = |(format, bytes): (&'static Format, _)| Content {
            name: self.name(format),
            bytes,
            visibility: format.visibility,
            kept: match (self.kept.get(format.suffix), self.old(format)) {
                (Some(Keeping::Numbered), _) => Kept::Numbered,
                (Some(Keeping::Old), Some(old)) => Kept::As(old),
                _ => Kept::Nowhere,
            },
        };
        let files = files.into_iter().map(content).collect();
        let durability = if is_partial { Durability::InMemory } else { Durability::OnDisk };
        self.output_dir.stage(files, durability)
    }

    /// Replaces the partial recording.
    ///
    /// # Errors
    /// It could not be written: the old one is as it was.
    pub fn save_partial(&self, bytes: &[u8]) -> Result<(), OutputError> {
        self.write(&[(PARTIAL, bytes)])
    }

    /// Removes the partial recording that was saved here, if there is one.
    ///
    /// # Errors
    /// It is still there.
    pub fn remove_partial(&self) -> Result<(), OutputError> {
        self.output_dir.remove(&self.name(PARTIAL))
    }

    /// The same, also one that another run left: what it holds is in what was written.
    ///
    /// # Errors
    /// It is still there.
    pub fn discard_partial(&self) -> Result<(), OutputError> {
        self.output_dir.remove_any(&self.name(PARTIAL))
    }

    fn name(&self, format: &'static Format) -> String {
        format.name(&self.stem)
    }

    /// The name under which another run's file is kept, in place of what has that name.
    fn old(&self, format: &'static Format) -> Option<String> {
        let is_kept = self.kept.get(format.suffix) == Some(&Keeping::Old);
        is_kept.then(|| format!("{}{OLD}", self.name(format)))
    }
}

/// The file name without `.json`.
fn stem(path: &Path) -> Result<String, OutputError> {
    let wrong = || OutputError::NotAJsonName { path: path.to_owned() };
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(wrong)?;
    let typed_as_directory = path.as_os_str().as_encoded_bytes().ends_with(b"/");
    let stem =
        name.strip_suffix(PROFILE.suffix).filter(|stem| !stem.is_empty() && !typed_as_directory);
    let stem = stem.ok_or_else(wrong)?;
    if let Some(name) = name.strip_suffix(RECORDING.suffix) {
        let instead = path.with_file_name(PROFILE.name(name));
        return Err(OutputError::IsARecording { path: path.to_owned(), instead });
    }
    let longest = stem.len() + PARTIAL.suffix.len() + OLD.len();
    if longest > NAME_MAX {
        return Err(OutputError::NameTooLong { path: path.to_owned(), excess: longest - NAME_MAX });
    }
    Ok(stem.to_owned())
}
