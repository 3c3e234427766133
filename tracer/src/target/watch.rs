//! Reports when a cgroup becomes empty, is populated again, or is removed.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::FileExt as _;

use rustix::io::Errno;

use super::cgroup::CgroupRoot;
use super::error::{CgroupError, Operation};
use crate::cgroup_path::CgroupPath;

/// An open `cgroup.events`.
///
/// The descriptor reports `POLLPRI` when the state changes, and again after each change only once
/// [`read`] has been called (kernel `fs/kernfs/file.c`, `kernfs_generic_poll`); for use in tokio's
/// `AsyncFd` with `Interest::PRIORITY`: the descriptor is the same one, and open, for as long as
/// the value lives. The removal of the directory may not be reported on every kernel: the cgroup
/// was empty before, so that whoever waits for its end reads again from time to time while it is
/// empty.
///
/// [`read`]: CgroupEvents::read
#[derive(Debug)]
pub struct CgroupEvents {
    file: File,
    path: CgroupPath,
}

/// The state of a cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CgroupState {
    /// The directory exists.
    Present {
        /// A live process is in the cgroup or below it.
        populated: bool,
        /// All of its processes are stopped by the freezer.
        frozen: bool,
    },
    /// The directory was removed. A new one of the same name is another cgroup.
    Gone,
}

impl CgroupEvents {
    /// Opens the events of a cgroup; none for the root of the hierarchy, which never becomes empty
    /// and has no such file.
    pub fn open(root: &CgroupRoot, path: &str) -> Result<Option<Self>, CgroupError> {
        let directory = root.directory(path)?;
        let file = directory.join("cgroup.events");
        match File::open(&file) {
            Ok(file) => Ok(Some(Self { file, path: path.into() })),
            Err(error) => match Errno::from_io_error(&error) {
                Some(Errno::NOENT) if directory.is_dir() => Ok(None),
                _ => Err(CgroupError::io(Operation::Open, &file, error)),
            },
        }
    }

    /// The cgroup's path in the hierarchy.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The state now. Arms the descriptor for the next change.
    pub fn read(&self) -> Result<CgroupState, CgroupError> {
        let mut bytes = [0; 256];
        match self.file.read_at(&mut bytes, 0) {
            Ok(length) => Ok(parse(&bytes[..length])),
            Err(error) => match Errno::from_io_error(&error) {
                Some(Errno::NODEV) => Ok(CgroupState::Gone),
                _ => Err(CgroupError::io(Operation::Read, self.path.as_ref(), error)),
            },
        }
    }
}

impl AsFd for CgroupEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Tokio asks for this one.
impl AsRawFd for CgroupEvents {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

/// `populated 1` and `frozen 0`, one to a line; other keys may come.
fn parse(text: &[u8]) -> CgroupState {
    let holds = |line: &[u8]| text.split(|byte| *byte == b'\n').any(|found| found == line);
    CgroupState::Present { populated: holds(b"populated 1"), frozen: holds(b"frozen 1") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_in_any_order() {
        let state = |populated, frozen| CgroupState::Present { populated, frozen };
        assert_eq!(parse(b"populated 1\nfrozen 0\n"), state(true, false));
        assert_eq!(parse(b"new 1\nfrozen 1\npopulated 0\n"), state(false, true));
        assert_eq!(parse(b""), state(false, false));
    }
}
