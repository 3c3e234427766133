//! An open folder, and the one way in which files appear in it: whole, under their names only once they are on the disk.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use rustix::rand::{GetRandomFlags, getrandom};

use super::{FileKindFound, OutputError, Owner, Step};

/// Mode of the files, unless the umask takes something away.
const MODE: Mode = Mode::from_raw_mode(0o644);

/// Mode of a file that is being written.
const MODE_UNFINISHED: Mode = Mode::from_raw_mode(0o600);

/// Who may read the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readers {
    /// Whom the umask lets.
    AsTheUmaskSays,
    /// Everybody, whatever the umask is.
    Everybody,
}

/// An open folder. Names in it are names of files: nothing here takes a path apart.
#[derive(Debug)]
pub(super) struct Place {
    descriptor: OwnedFd,
    path: PathBuf,
    owner: Option<Owner>,
    readers: Readers,
    /// The option that chooses another folder, for remedies.
    option: &'static str,
}

impl Place {
    /// Opens the folder. Symbolic links in its path are followed.
    ///
    /// The files will belong to `owner` when the folder does and this process is root.
    pub(super) fn open(
        path: &Path,
        owner: Option<Owner>,
        option: &'static str,
    ) -> Result<Self, OutputError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::open(path, flags, Mode::empty());
        let descriptor = opened.map_err(|errno| failed(Step::Open, path, option, errno.into()))?;
        let owner = owner.filter(|owner| is_theirs(&descriptor, *owner));
        Ok(Self::new(descriptor, path.to_owned(), owner, option))
    }

    /// A folder that is open already.
    pub(super) fn new(
        descriptor: OwnedFd,
        path: PathBuf,
        owner: Option<Owner>,
        option: &'static str,
    ) -> Self {
        Self { descriptor, path, owner, readers: Readers::AsTheUmaskSays, option }
    }

    /// The same folder, with files for these readers.
    pub(super) fn for_readers(self, readers: Readers) -> Self {
        Self { readers, ..self }
    }

    /// The folder.
    pub(super) fn descriptor(&self) -> &OwnedFd {
        &self.descriptor
    }

    /// Its path, for messages.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it, for messages.
    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        if self.path == Path::new(".") { name.into() } else { self.path.join(name) }
    }

    /// To whom the files will be given.
    pub(super) fn owner(&self) -> Option<Owner> {
        self.owner
    }

    /// What has this name already, if anything, must be a regular file.
    pub(super) fn check_target(&self, name: &str) -> Result<(), OutputError> {
        let found = match rustix::fs::statat(&self.descriptor, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(self.failed(Step::Examine, errno)),
            Ok(status) => FileType::from_raw_mode(status.st_mode),
        };
        if found != FileType::RegularFile {
            let path = self.path_of(name);
            return Err(OutputError::NotAFile { path, found: FileKindFound(found) });
        }
        Ok(())
    }

    /// Creates a file and removes it again: the only sure sign that it can be done.
    pub(super) fn check_writable(self: &Arc<Self>) -> Result<(), OutputError> {
        self.create().map(drop)
    }

    /// Creates an empty file under a random name.
    pub(super) fn create(self: &Arc<Self>) -> Result<Unfinished, OutputError> {
        let mut random = [0; 8];
        getrandom(&mut random[..], GetRandomFlags::empty())
            .map_err(|errno| self.failed(Step::Create, errno))?;
        let name = format!(".tracer-{:016x}.tmp", u64::from_ne_bytes(random));
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.descriptor, &name, flags, MODE_UNFINISHED)
            .map_err(|errno| self.failed(Step::Create, errno))?;
        Ok(Unfinished { place: Arc::clone(self), name: Some(name), file: file.into() })
    }

    /// Writes files to the disk under other names, and looks whether theirs can be taken.
    pub(super) fn stage(
        self: &Arc<Self>,
        files: &[(String, &[u8])],
        durability: Durability,
    ) -> Result<Staged, OutputError> {
        let mut finished = Vec::with_capacity(files.len());
        for (name, bytes) in files {
            finished.push((name.clone(), self.create()?.fill(bytes, durability)?));
        }
        for (name, _) in files {
            self.check_target(name)?;
        }
        Ok(Staged { place: Arc::clone(self), files: finished, durability })
    }

    /// Removes a file, if there is one.
    pub(super) fn remove(&self, name: &str) -> Result<(), OutputError> {
        match rustix::fs::unlinkat(&self.descriptor, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(self.failed(Step::Remove, errno)),
        }
    }

    /// Makes the renames last. Some file systems cannot sync a folder and say EINVAL; they have nothing to sync.
    pub(super) fn sync(&self) -> Result<(), OutputError> {
        match rustix::fs::fsync(&self.descriptor) {
            Ok(()) | Err(Errno::INVAL) => Ok(()),
            Err(errno) => Err(self.failed(Step::Sync, errno)),
        }
    }

    pub(super) fn failed(&self, step: Step, source: impl Into<io::Error>) -> OutputError {
        failed(step, &self.path, self.option, source.into())
    }

    fn mode(&self) -> Mode {
        match self.readers {
            Readers::AsTheUmaskSays => MODE & !umask(),
            Readers::Everybody => MODE,
        }
    }
}

/// Tells the causes that have a remedy of their own from the others.
pub(super) fn failed(
    step: Step,
    folder: &Path,
    option: &'static str,
    source: io::Error,
) -> OutputError {
    let folder = folder.to_owned();
    match (step, Errno::from_io_error(&source)) {
        (Step::Open, Some(Errno::NOENT)) => OutputError::NoFolder { path: folder },
        (Step::Open, Some(Errno::NOTDIR)) => OutputError::NotAFolder { path: folder },
        (_, Some(Errno::ROFS)) => OutputError::ReadOnly { folder, option },
        (_, Some(Errno::ACCESS | Errno::PERM)) => OutputError::Denied { folder, option },
        (_, Some(Errno::NOSPC | Errno::DQUOT)) => OutputError::Full { folder, option },
        _ => OutputError::Io { step, folder, source },
    }
}

/// What a file survives. Waiting for a disk takes as long as it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durability {
    /// The end of this process.
    InMemory,
    /// That of the machine as well.
    OnDisk,
}

/// A file under a random name, removed unless it is renamed.
pub(super) struct Unfinished {
    place: Arc<Place>,
    name: Option<String>,
    /// The file.
    pub(super) file: File,
}

impl Unfinished {
    /// Writes the content to the disk, and gives the file its owner and mode.
    pub(super) fn fill(
        mut self,
        bytes: &[u8],
        durability: Durability,
    ) -> Result<Self, OutputError> {
        let place = &self.place;
        self.file.write_all(bytes).map_err(|error| place.failed(Step::Write, error))?;
        if let Some(owner) = place.owner {
            give(&self.file, owner).map_err(|errno| place.failed(Step::Own, errno))?;
        }
        rustix::fs::fchmod(&self.file, place.mode())
            .map_err(|errno| place.failed(Step::Own, errno))?;
        if durability == Durability::OnDisk {
            self.file.sync_all().map_err(|error| place.failed(Step::Sync, error))?;
        }
        Ok(self)
    }

    /// Gives the file its name. What has that name is replaced.
    pub(super) fn rename(mut self, to: &str) -> Result<(), OutputError> {
        let folder = &self.place.descriptor;
        if let Some(name) = &self.name {
            rustix::fs::renameat(folder, name, folder, to)
                .map_err(|errno| self.place.failed(Step::Rename, errno))?;
        }
        self.name = None;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // What made the write fail is reported; that this failed as well would add nothing.
            let _ = rustix::fs::unlinkat(&self.place.descriptor, name, AtFlags::empty());
        }
    }
}

/// Files that are on the disk, and have yet to get their names. Without [`Staged::commit`] they are removed.
#[must_use = "the files are removed unless they are committed"]
pub struct Staged {
    place: Arc<Place>,
    files: Vec<(String, Unfinished)>,
    durability: Durability,
}

impl Staged {
    /// Gives the files their names, one after the other; old ones are replaced.
    ///
    /// # Errors
    /// A name could not be given: those after it are as they were.
    pub fn commit(self) -> Result<(), OutputError> {
        for (name, unfinished) in self.files {
            unfinished.rename(&name)?;
        }
        match self.durability {
            Durability::OnDisk => self.place.sync(),
            Durability::InMemory => Ok(()),
        }
    }
}

/// Makes a file or a folder that user's.
pub(super) fn give(file: impl AsFd, owner: Owner) -> Result<(), Errno> {
    let (user, group) = (Uid::from_raw(owner.user), Gid::from_raw(owner.group));
    match rustix::fs::fchown(file, Some(user), Some(group)) {
        // File systems that map users (NFS with root squashed) do not allow it: the file is usable anyway.
        Ok(()) | Err(Errno::PERM) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// The umask. It can only be read by setting it, for a moment in which this program creates no file.
fn umask() -> Mode {
    let mask = rustix::process::umask(Mode::RWXG | Mode::RWXO);
    rustix::process::umask(mask);
    mask
}

/// The folder of a file; `.` for a bare name.
pub(super) fn folder_of(path: &Path) -> Option<PathBuf> {
    let parent = path.parent()?;
    Some(if parent.as_os_str().is_empty() { ".".into() } else { parent.to_owned() })
}

/// Shall files in this folder be given to that user? Only root can give files away.
fn is_theirs(folder: impl AsFd, owner: Owner) -> bool {
    rustix::process::geteuid().is_root()
        && rustix::fs::fstat(folder).is_ok_and(|status| status.st_uid == owner.user)
}
