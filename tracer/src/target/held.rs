//! A cgroup by its open directory: what is mounted over its path later, or made at it, changes
//! nothing.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

/// How deep cgroups below are followed.
const MAX_DEPTH: usize = 256;

/// An open cgroup.
#[derive(Debug)]
pub struct HeldCgroup(OwnedFd);

impl HeldCgroup {
    /// Opens a cgroup by its path in the file system.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::open(directory, flags, Mode::empty())?))
    }

    /// Opens the one above it.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn above(&self) -> io::Result<Self> {
        self.open_directory(OsStr::new(".."))
    }

    /// Its directory once more.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn directory(&self) -> io::Result<OwnedFd> {
        self.0.try_clone()
    }

    /// Opens one of its files for writing.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn open_to_write(&self, file: &str) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.0, file, flags, Mode::empty())?.into())
    }

    /// Writes to one of its files.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn write(&self, file: &str, text: &str) -> io::Result<()> {
        self.open_to_write(file)?.write_all(text.as_bytes())
    }

    /// The processes that are in it and in those below it; none of one that was removed.
    ///
    /// # Errors
    /// A cgroup cannot be read.
    pub fn processes(&self) -> io::Result<Vec<u32>> {
        let mut found = Vec::new();
        self.each(0, &mut |cgroup, below| {
            if below.is_none() {
                found.extend(cgroup.own_processes()?);
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Moves the processes that are in it or below it to another one. Returns how many there were.
    ///
    /// # Errors
    /// A process could not be moved, or a cgroup cannot be read.
    pub fn empty_into(&self, other: &Self) -> io::Result<usize> {
        let mut moved = 0;
        for process in self.processes()? {
            match other.write("cgroup.procs", &process.to_string()) {
                Ok(()) => moved += 1,
                // It ended meanwhile.
                Err(error) if is(&error, &[Errno::SRCH]) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(moved)
    }

    /// Removes the cgroup of that name below it, and those below that; false when one of them is in
    /// use.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn remove_below(&self, name: &OsStr) -> io::Result<bool> {
        let below = match self.open_directory(name) {
            Err(error) if is(&error, &[Errno::NOENT]) => return Ok(true),
            other => other?,
        };
        let mut removed = true;
        below.each(0, &mut |cgroup, name| {
            let Some(name) = name else { return Ok(()) };
            removed &= remove(cgroup, name)?;
            Ok(())
        })?;
        Ok(removed && remove(self, name)?)
    }

    /// Visits those below it first, then itself. Each is visited as (it, None), and as (the one
    /// above it, its name) once everything below it was visited.
    fn each(
        &self,
        depth: usize,
        visit: &mut dyn FnMut(&Self, Option<&OsStr>) -> io::Result<()>,
    ) -> io::Result<()> {
        if depth > MAX_DEPTH {
            return Err(Errno::NAMETOOLONG.into());
        }
        for entry in Dir::read_from(&self.0)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if entry.file_type() != FileType::Directory || name == "." || name == ".." {
                continue;
            }
            match self.open_directory(name) {
                Ok(below) => below.each(depth + 1, visit)?,
                Err(error) if is(&error, &[Errno::NOENT]) => continue,
                Err(error) => return Err(error),
            }
            visit(self, Some(name))?;
        }
        visit(self, None)
    }

    fn open_directory(&self, name: &OsStr) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::openat(&self.0, name, flags, Mode::empty())?))
    }

    fn own_processes(&self) -> io::Result<Vec<u32>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut text = String::new();
        let read = rustix::fs::openat(&self.0, "cgroup.procs", flags, Mode::empty())
            .map_err(io::Error::from)
            .and_then(|file| File::from(file).read_to_string(&mut text));
        match read {
            Ok(_) => Ok(text.lines().filter_map(|line| line.parse().ok()).collect()),
            Err(error) if is(&error, &[Errno::NOENT, Errno::NODEV]) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

/// Removes one cgroup; false when it is in use.
fn remove(above: &HeldCgroup, name: &OsStr) -> io::Result<bool> {
    match rustix::fs::unlinkat(&above.0, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::BUSY | Errno::NOTEMPTY) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

fn is(error: &io::Error, errors: &[Errno]) -> bool {
    Errno::from_io_error(error).is_some_and(|errno| errors.contains(&errno))
}
