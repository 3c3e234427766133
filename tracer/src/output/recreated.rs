//! A directory that was removed while it was open, made again.

use std::ffi::OsString;
use std::os::fd::{AsRawFd as _, OwnedFd};

use rustix::fs::{Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

/// Where an open directory was, and what it was like.
#[derive(Debug)]
pub(super) struct DirectoryOrigin {
    /// The directory that it was in.
    above: OwnedFd,
    name: OsString,
    owner: Uid,
    group: Gid,
    mode: Mode,
}

impl DirectoryOrigin {
    /// None when it is unknown.
    pub(super) fn of(directory: &OwnedFd) -> Option<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let above = rustix::fs::openat(directory, "..", flags, Mode::empty()).ok()?;
        let location =
            std::fs::read_link(format!("/proc/self/fd/{}", directory.as_raw_fd())).ok()?;
        let status = rustix::fs::fstat(directory).ok()?;
        Some(Self {
            above,
            name: location.file_name()?.to_owned(),
            owner: Uid::from_raw(status.st_uid),
            group: Gid::from_raw(status.st_gid),
            mode: Mode::from_raw_mode(status.st_mode),
        })
    }

    /// Makes the directory again, in the very directory that it was in, for its owner. One that has
    /// its name by now is taken when it has the same owner; a symbolic link never.
    pub(super) fn make_again(&self) -> Result<OwnedFd, Errno> {
        let made = match rustix::fs::mkdirat(&self.above, &self.name, Mode::RWXU) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(errno) => return Err(errno),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(&self.above, &self.name, flags, Mode::empty())?;
        if rustix::fs::fstat(&directory)?.st_uid != self.owner.as_raw() && !made {
            return Err(Errno::NOENT);
        }
        if made {
            // Only root can give it away; for anybody else it is theirs already.
            let _ = rustix::fs::fchown(&directory, Some(self.owner), Some(self.group));
            rustix::fs::fchmod(&directory, self.mode)?;
        }
        Ok(directory)
    }
}
