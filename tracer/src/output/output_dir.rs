//! An open directory, and the one way in which files appear in it: whole, under their names only
//! once they are on the disk.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use rustix::rand::{GetRandomFlags, getrandom};

use super::recreated::DirectoryOrigin;
use super::{FileTypeFound, OutputError, OutputStep, Owner};

/// Mode of the files, unless the umask takes something away.
const MODE: Mode = Mode::from_raw_mode(0o644);

/// Mode of a file that is being written.
pub(super) const MODE_PRIVATE: Mode = Mode::from_raw_mode(0o600);

/// Who may read the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visibility {
    /// Whom the umask lets.
    Umask,
    /// Everybody, whatever the umask is.
    Everyone,
    /// The owner alone.
    Owner,
}

impl Visibility {
    /// The mode of their files.
    pub(super) fn mode(self) -> Mode {
        match self {
            Self::Umask => MODE & !umask(),
            Self::Everyone => MODE,
            Self::Owner => MODE_PRIVATE,
        }
    }
}

/// A file to be.
pub(super) struct Content<'a> {
    /// Its name.
    pub(super) name: String,
    /// What is in it.
    pub(super) bytes: &'a [u8],
    /// Who may read it.
    pub(super) visibility: Visibility,
    /// Under which name a file that another run wrote is kept.
    pub(super) kept: Kept,
}

/// Under which name a file that another run wrote is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// Under none: it is replaced.
    Nowhere,
    /// Under this one, whatever has it.
    As(String),
    /// Under the first number that is free: nothing is replaced.
    Numbered,
}

/// An open directory. Names in it are names of files: nothing here takes a path apart.
#[derive(Debug)]
pub(super) struct OutputDir {
    /// The directory, or the one that was made in its place after it was removed.
    descriptor: Mutex<Arc<OwnedFd>>,
    /// What it takes to make it again.
    origin: Option<DirectoryOrigin>,
    path: PathBuf,
    owner: Option<Owner>,
    /// The option that chooses another directory, for remedies.
    option: &'static str,
    /// The files that this run wrote here, and the name under which an older one is kept.
    written: Mutex<BTreeMap<String, Option<String>>>,
}

impl OutputDir {
    /// Opens the directory. Symbolic links in its path are followed.
    ///
    /// The files will belong to `owner` when the directory does and this process is root.
    pub(super) fn open(
        path: &Path,
        owner: Option<Owner>,
        option: &'static str,
    ) -> Result<Self, OutputError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::open(path, flags, Mode::empty());
        let descriptor =
            opened.map_err(|errno| failed(OutputStep::Open, path, option, errno.into()))?;
        let owner = owner.filter(|owner| is_theirs(&descriptor, *owner));
        Ok(Self::new(descriptor, path.to_owned(), owner, option))
    }

    /// A directory that is open already.
    pub(super) fn new(
        descriptor: OwnedFd,
        path: PathBuf,
        owner: Option<Owner>,
        option: &'static str,
    ) -> Self {
        let origin = DirectoryOrigin::of(&descriptor);
        let descriptor = Mutex::new(Arc::new(descriptor));
        Self { descriptor, origin, path, owner, option, written: Mutex::default() }
    }

    /// The directory.
    pub(super) fn descriptor(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.descriptor.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Its path, for messages: as it was typed, or where it is since it was renamed.
    pub(super) fn path(&self) -> PathBuf {
        let descriptor = self.descriptor();
        let there = rustix::fs::stat(&self.path).ok();
        let here = rustix::fs::fstat(&descriptor).ok();
        let same = there.zip(here).is_some_and(|(there, here)| {
            (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)
        });
        let renamed = || {
            let link = format!("/proc/self/fd/{}", descriptor.as_raw_fd());
            let location = std::fs::read_link(link).ok()?;
            rustix::fs::stat(&location).is_ok().then_some(location)
        };
        if same { None } else { renamed() }.unwrap_or_else(|| self.path.clone())
    }

    /// The path of a file in it, for messages.
    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        let path = self.path();
        if path == Path::new(".") { name.into() } else { path.join(name) }
    }

    /// To whom the files will be given.
    pub(super) fn owner(&self) -> Option<Owner> {
        self.owner
    }

    /// What has this name already, if anything, must be a regular file.
    pub(super) fn check_target(&self, name: &str) -> Result<(), OutputError> {
        let found = match rustix::fs::statat(self.descriptor(), name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(self.failed(OutputStep::Examine, errno)),
            Ok(status) => FileType::from_raw_mode(status.st_mode),
        };
        if found != FileType::RegularFile {
            let path = self.path_of(name);
            return Err(OutputError::NotAFile { path, found: FileTypeFound(found) });
        }
        Ok(())
    }

    /// Makes the directory again that was removed, and goes on in that one.
    pub(super) fn make_again(&self) -> Result<Arc<OwnedFd>, Errno> {
        let made = self.origin.as_ref().ok_or(Errno::NOENT)?.make_again()?;
        let made = Arc::new(made);
        *self.descriptor.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&made);
        Ok(made)
    }

    /// Reads what another run wrote, at most `limit` bytes and one more; None when there is
    /// nothing, or this run wrote it.
    pub(super) fn read(&self, name: &str, limit: usize) -> Result<Option<Vec<u8>>, OutputError> {
        if self.written().contains_key(name) {
            return Ok(None);
        }
        self.check_target(name)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(self.descriptor(), name, flags, Mode::empty()) {
            Ok(file) => std::fs::File::from(file),
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(self.failed(OutputStep::Read, errno)),
        };
        let mut bytes = Vec::new();
        let read = file.take(limit as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|error| self.failed(OutputStep::Read, error))?;
        Ok(Some(bytes))
    }

    /// Removes a file that this run wrote, if it is there.
    pub(super) fn remove(&self, name: &str) -> Result<(), OutputError> {
        if self.written().contains_key(name) { self.remove_any(name) } else { Ok(()) }
    }

    /// Removes a file, whoever wrote it, if it is there.
    pub(super) fn remove_any(&self, name: &str) -> Result<(), OutputError> {
        match rustix::fs::unlinkat(self.descriptor(), name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(self.failed(OutputStep::Remove, errno)),
        }
    }

    /// The files that this run wrote here, and the name under which an older one is kept.
    pub(super) fn written(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Option<String>>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the renames last. Some file systems cannot sync a directory and say EINVAL; they have
    /// nothing to sync.
    pub(super) fn sync(&self) -> Result<(), OutputError> {
        match rustix::fs::fsync(self.descriptor()) {
            Ok(()) | Err(Errno::INVAL) => Ok(()),
            Err(errno) => Err(self.failed(OutputStep::Sync, errno)),
        }
    }

    pub(super) fn failed(&self, step: OutputStep, source: impl Into<io::Error>) -> OutputError {
        failed(step, &self.path(), self.option, source.into())
    }
}

/// Tells the causes that have a remedy of their own from the others.
pub(super) fn failed(
    step: OutputStep,
    directory: &Path,
    option: &'static str,
    source: io::Error,
) -> OutputError {
    let directory = directory.to_owned();
    match (step, Errno::from_io_error(&source)) {
        (OutputStep::Open, Some(Errno::NOENT)) => OutputError::NoDirectory { path: directory },
        (OutputStep::Open, Some(Errno::NOTDIR)) => OutputError::NotADirectory { path: directory },
        (_, Some(Errno::ROFS)) => OutputError::ReadOnly { directory, option },
        (_, Some(Errno::ACCESS | Errno::PERM)) => OutputError::Denied { directory, option },
        (_, Some(Errno::NOSPC | Errno::DQUOT)) => OutputError::Full { directory, option },
        _ => OutputError::Io { step, directory, source },
    }
}

/// Makes a file or a directory that user's.
pub(super) fn give(file: impl AsFd, owner: Owner) -> Result<(), Errno> {
    let (user, group) = (Uid::from_raw(owner.user), Gid::from_raw(owner.group));
    match rustix::fs::fchown(file, Some(user), Some(group)) {
        // File systems that map users (NFS with root squashed) do not allow it: the file is usable
        // anyway.
        Ok(()) | Err(Errno::PERM) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// A number that nobody can foresee.
pub(super) fn random() -> Result<u64, Errno> {
    let mut random = [0; 8];
    getrandom(&mut random[..], GetRandomFlags::empty())?;
    Ok(u64::from_ne_bytes(random))
}

/// The umask (proc(5): `Umask`, since Linux 4.7). umask(2) tells it only by setting it, while other
/// threads may create files. Where it cannot be read, it is taken for the strictest.
fn umask() -> Mode {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    let mask = mask.and_then(|mask| u32::from_str_radix(mask.trim(), 8).ok());
    mask.map_or(Mode::RWXG | Mode::RWXO, Mode::from_raw_mode)
}

/// The directory of a file; `.` for a bare name.
pub(super) fn directory_of(path: &Path) -> Option<PathBuf> {
    let parent = path.parent()?;
    Some(if parent.as_os_str().is_empty() { ".".into() } else { parent.to_owned() })
}

/// Shall files in this directory be given to that user? Only root can give files away.
fn is_theirs(directory: impl AsFd, owner: Owner) -> bool {
    rustix::process::geteuid().is_root()
        && rustix::fs::fstat(directory).is_ok_and(|status| status.st_uid == owner.user)
}
