//! A folder that was removed while it was open, made again.

use std::ffi::OsString;
use std::os::fd::{AsRawFd as _, OwnedFd};

use rustix::fs::{Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

/// Where an open folder was, and what it was like.
#[derive(Debug)]
pub(super) struct Origin {
    /// The folder that it was in.
    above: OwnedFd,
    name: OsString,
    owner: Uid,
    group: Gid,
    mode: Mode,
}

impl Origin {
    /// None when it cannot be told.
    pub(super) fn of(folder: &OwnedFd) -> Option<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let above = rustix::fs::openat(folder, "..", flags, Mode::empty()).ok()?;
        let place = std::fs::read_link(format!("/proc/self/fd/{}", folder.as_raw_fd())).ok()?;
        let status = rustix::fs::fstat(folder).ok()?;
        Some(Self {
            above,
            name: place.file_name()?.to_owned(),
            owner: Uid::from_raw(status.st_uid),
            group: Gid::from_raw(status.st_gid),
            mode: Mode::from_raw_mode(status.st_mode),
        })
    }

    /// Makes the folder again, in the very folder that it was in, for its owner. One that has its name by now is taken when
    /// it has the same owner; a symbolic link never.
    pub(super) fn make_again(&self) -> Result<OwnedFd, Errno> {
        let made = match rustix::fs::mkdirat(&self.above, &self.name, Mode::RWXU) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(errno) => return Err(errno),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = rustix::fs::openat(&self.above, &self.name, flags, Mode::empty())?;
        if rustix::fs::fstat(&folder)?.st_uid != self.owner.as_raw() && !made {
            return Err(Errno::NOENT);
        }
        if made {
            // Only root can give it away; for anybody else it is theirs already.
            let _ = rustix::fs::fchown(&folder, Some(self.owner), Some(self.group));
            rustix::fs::fchmod(&folder, self.mode)?;
        }
        Ok(folder)
    }
}
