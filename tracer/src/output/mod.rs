//! Files that are written as root in folders that others own.
//!
//! The folder is opened once, and everything happens on that descriptor: whoever owns the folder, or one above it, can
//! swap names but never redirect a write. Each file is written under a random name that must not exist, synced, and
//! renamed; the last name is never opened, so that a link or a device put there is neither followed nor written to.
//! Symbolic links in the *folder's* path are followed when it is opened: that path is the word of the person who runs
//! the program, as with any tool.

mod error;

use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use rustix::rand::{GetRandomFlags, getrandom};

pub use error::{FileKindFound, OutputError, Step};

/// Mode of the files, less what the umask takes away.
const MODE: Mode = Mode::from_raw_mode(0o644);

/// Mode of a file that is being written.
const MODE_UNFINISHED: Mode = Mode::from_raw_mode(0o600);

/// The longest file name that Linux file systems take (`NAME_MAX`).
const NAME_MAX: usize = 255;

/// Whom the files shall belong to when the folder is theirs: the person behind `sudo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// User id.
    pub user: u32,
    /// Group id.
    pub group: u32,
}

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

    fn suffix(self) -> &'static str {
        match self {
            Self::Partial => ".recording.json.partial",
            Self::Recording => ".recording.json",
            Self::Kubernetes => ".kubernetes.yaml",
            Self::Profile => ".json",
        }
    }
}

/// Where the results go: an open folder and the names in it.
#[derive(Debug)]
pub struct Destination {
    folder: OwnedFd,
    folder_path: PathBuf,
    stem: String,
    owner: Option<Owner>,
}

impl Destination {
    /// Opens the folder of `path`, which must end in `.json`, and finds out what would make writing fail: before
    /// tracing begins rather than after it. Nothing is changed.
    ///
    /// The files will belong to `owner` when the folder does and this process is root.
    pub fn prepare(path: &Path, owner: Option<Owner>) -> Result<Self, OutputError> {
        let stem = stem(path)?;
        let folder_path =
            folder_of(path).ok_or_else(|| OutputError::NotAJsonName { path: path.to_owned() })?;
        let folder = open_folder(&folder_path)?;
        let owner = owner.filter(|owner| is_theirs(&folder, *owner));
        let destination = Self { folder, folder_path, stem, owner };
        destination.check_targets(&FileKind::ALL)?;
        // Creating a file and removing it again is the only sure sign that it can be done.
        drop(destination.create()?);
        Ok(destination)
    }

    /// The path of a file, for messages.
    pub fn path(&self, kind: FileKind) -> PathBuf {
        let name = self.name(kind);
        if self.folder_path == Path::new(".") { name.into() } else { self.folder_path.join(name) }
    }

    /// Writes the files, in the order of [`FileKind`] whatever the order here; old ones are replaced.
    ///
    /// All are written and synced under other names before the first is renamed: when the disk is full, the old files
    /// are as they were. A partial recording is removed once a whole one is there.
    pub fn write(&self, files: &[(FileKind, &[u8])]) -> Result<(), OutputError> {
        let mut files = files.to_vec();
        files.sort_by_key(|(kind, _)| *kind);
        let mut finished = Vec::with_capacity(files.len());
        for (kind, bytes) in &files {
            finished.push((*kind, self.create()?.fill(bytes)?));
        }
        let kinds: Vec<FileKind> = files.iter().map(|(kind, _)| *kind).collect();
        self.check_targets(&kinds)?;
        for (kind, unfinished) in finished {
            unfinished.rename(&self.name(kind))?;
        }
        if kinds.contains(&FileKind::Recording) {
            self.remove_partial()?;
        }
        self.sync_folder()
    }

    /// Replaces the partial recording.
    pub fn save_partial(&self, bytes: &[u8]) -> Result<(), OutputError> {
        self.write(&[(FileKind::Partial, bytes)])
    }

    /// Removes the partial recording, if there is one.
    pub fn remove_partial(&self) -> Result<(), OutputError> {
        match rustix::fs::unlinkat(&self.folder, self.name(FileKind::Partial), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(self.failed(Step::Remove, errno)),
        }
    }

    fn name(&self, kind: FileKind) -> String {
        format!("{}{}", self.stem, kind.suffix())
    }

    /// What is there already must be regular files.
    fn check_targets(&self, kinds: &[FileKind]) -> Result<(), OutputError> {
        for kind in kinds {
            self.check_target(&self.name(*kind), &self.path(*kind))?;
        }
        Ok(())
    }

    /// What has this name already, if anything, must be a regular file.
    fn check_target(&self, name: &str, path: &Path) -> Result<(), OutputError> {
        let found = match rustix::fs::statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(self.failed(Step::Examine, errno)),
            Ok(status) => FileType::from_raw_mode(status.st_mode),
        };
        if found != FileType::RegularFile {
            let path = path.to_owned();
            return Err(OutputError::NotAFile { path, found: FileKindFound(found) });
        }
        Ok(())
    }

    /// Creates an empty file under a random name.
    fn create(&self) -> Result<Unfinished<'_>, OutputError> {
        let mut random = [0; 8];
        getrandom(&mut random[..], GetRandomFlags::empty())
            .map_err(|errno| self.failed(Step::Create, errno))?;
        let name = format!(".tracer-{:016x}.tmp", u64::from_ne_bytes(random));
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.folder, &name, flags, MODE_UNFINISHED)
            .map_err(|errno| self.failed(Step::Create, errno))?;
        Ok(Unfinished { destination: self, name: Some(name), file: file.into() })
    }

    /// Makes the renames last. Some file systems cannot sync a folder and say EINVAL; they have nothing to sync.
    fn sync_folder(&self) -> Result<(), OutputError> {
        match rustix::fs::fsync(&self.folder) {
            Ok(()) | Err(Errno::INVAL) => Ok(()),
            Err(errno) => Err(self.failed(Step::Sync, errno)),
        }
    }

    fn failed(&self, step: Step, errno: Errno) -> OutputError {
        OutputError::new(step, &self.folder_path, errno.into())
    }
}

/// A file under a random name, removed unless it is renamed.
struct Unfinished<'a> {
    destination: &'a Destination,
    name: Option<String>,
    file: File,
}

impl Unfinished<'_> {
    /// Writes the content to the disk, and gives the file its owner and mode.
    fn fill(mut self, bytes: &[u8]) -> Result<Self, OutputError> {
        let folder = &self.destination.folder_path;
        let failed = |step| move |source| OutputError::new(step, folder, source);
        self.file.write_all(bytes).map_err(failed(Step::Write))?;
        if let Some(owner) = self.destination.owner {
            let (user, group) = (Uid::from_raw(owner.user), Gid::from_raw(owner.group));
            match rustix::fs::fchown(&self.file, Some(user), Some(group)) {
                // File systems that map users (NFS with root squashed) do not allow it: the file is usable anyway.
                Ok(()) | Err(Errno::PERM) => {}
                Err(errno) => return Err(self.destination.failed(Step::Own, errno)),
            }
        }
        rustix::fs::fchmod(&self.file, MODE & !umask())
            .map_err(|errno| self.destination.failed(Step::Own, errno))?;
        self.file.sync_all().map_err(failed(Step::Sync))?;
        Ok(self)
    }

    fn rename(mut self, to: &str) -> Result<(), OutputError> {
        let folder = &self.destination.folder;
        if let Some(name) = &self.name {
            rustix::fs::renameat(folder, name, folder, to)
                .map_err(|errno| self.destination.failed(Step::Rename, errno))?;
        }
        self.name = None;
        Ok(())
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // What made the write fail is reported; that this failed as well would add nothing.
            let _ = rustix::fs::unlinkat(&self.destination.folder, name, AtFlags::empty());
        }
    }
}

/// A file that is written to bit by bit. It takes the place of a regular file of its name with the first bytes.
#[derive(Debug)]
pub struct Stream {
    destination: Destination,
    path: PathBuf,
    file: Option<File>,
}

impl Stream {
    /// Finds out what would make writing fail. Nothing is changed.
    ///
    /// The file will belong to `owner` when the folder does and this process is root.
    ///
    /// # Errors
    /// The folder cannot be used, or something else than a regular file has that name.
    pub fn prepare(path: &Path, owner: Option<Owner>) -> Result<Self, OutputError> {
        let wrong = || OutputError::NotAName { path: path.to_owned() };
        let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(wrong)?;
        let folder_path = folder_of(path).ok_or_else(wrong)?;
        let folder = open_folder(&folder_path)?;
        let owner = owner.filter(|owner| is_theirs(&folder, *owner));
        let destination = Destination { folder, folder_path, stem: name.to_owned(), owner };
        destination.check_target(name, path)?;
        Ok(Self { destination, path: path.to_owned(), file: None })
    }

    /// Appends some bytes.
    ///
    /// # Errors
    /// The file cannot be created or written to.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), OutputError> {
        let failed = |source| OutputError::new(Step::Write, &self.path, source);
        let file = match &mut self.file {
            Some(file) => file,
            empty => {
                let unfinished = self.destination.create()?.fill(b"")?;
                let file = unfinished.file.try_clone().map_err(failed)?;
                unfinished.rename(&self.destination.stem)?;
                empty.insert(file)
            }
        };
        file.write_all(bytes).map_err(failed)
    }
}

/// The umask. It can only be read by setting it, for a moment in which this program creates no file.
fn umask() -> Mode {
    let mask = rustix::process::umask(Mode::RWXG | Mode::RWXO);
    rustix::process::umask(mask);
    mask
}

/// The file name without `.json`.
fn stem(path: &Path) -> Result<String, OutputError> {
    let wrong = || OutputError::NotAJsonName { path: path.to_owned() };
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(wrong)?;
    let typed_as_folder = path.as_os_str().as_encoded_bytes().ends_with(b"/");
    let stem = name.strip_suffix(".json").filter(|stem| !stem.is_empty() && !typed_as_folder);
    let stem = stem.ok_or_else(wrong)?;
    let longest = stem.len() + FileKind::Partial.suffix().len();
    if longest > NAME_MAX {
        return Err(OutputError::NameTooLong { path: path.to_owned(), excess: longest - NAME_MAX });
    }
    Ok(stem.to_owned())
}

/// The folder of a file; `.` for a bare name.
fn folder_of(path: &Path) -> Option<PathBuf> {
    let parent = path.parent()?;
    Some(if parent.as_os_str().is_empty() { ".".into() } else { parent.to_owned() })
}

fn open_folder(path: &Path) -> Result<OwnedFd, OutputError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| match errno {
        Errno::NOENT => OutputError::NoFolder { path: path.to_owned() },
        Errno::NOTDIR => OutputError::NotAFolder { path: path.to_owned() },
        _ => OutputError::new(Step::Open, path, errno.into()),
    })
}

/// Shall files in this folder be given to that user? Only root can give files away.
fn is_theirs(folder: impl AsFd, owner: Owner) -> bool {
    rustix::process::geteuid().is_root()
        && rustix::fs::fstat(folder).is_ok_and(|status| status.st_uid == owner.user)
}

#[cfg(test)]
mod tests;
