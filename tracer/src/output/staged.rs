//! Files on the way: under a random name first, then on the disk, then under their names.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{AtFlags, FlockOperation, OFlags, RenameFlags};
use rustix::io::Errno;

use super::output_dir::{Content, Kept, MODE_PRIVATE, OutputDir, Visibility, give, random};
use super::{OutputError, OutputStep, stale};

/// The most files of one name that are kept under numbers.
const MOST_KEPT: u32 = 99;

impl OutputDir {
    /// Creates a file and removes it again: the only sure sign that it can be done. What killed
    /// runs of this program left unfinished here is removed.
    pub(super) fn check_writable(self: &Arc<Self>) -> Result<(), OutputError> {
        drop(self.create()?);
        stale::remove(&self.descriptor(), self.owner());
        Ok(())
    }

    /// Creates an empty file under a random name. A directory that was removed meanwhile is made
    /// again.
    pub(super) fn create(self: &Arc<Self>) -> Result<TempFile, OutputError> {
        match self.create_in(self.descriptor()) {
            Err(Errno::NOENT) => self.make_again().and_then(|directory| self.create_in(directory)),
            other => other,
        }
        .map_err(|errno| self.failed(OutputStep::Create, errno))
    }

    fn create_in(self: &Arc<Self>, directory: Arc<OwnedFd>) -> Result<TempFile, Errno> {
        let name = stale::name(random()?);
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&directory, &name, flags, MODE_PRIVATE)?;
        // Held as long as the file is open: no other run takes it for a left one. Not every file
        // system can.
        let _ = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive);
        Ok(TempFile::new(Arc::clone(self), directory, name, file.into()))
    }

    /// The first name `NAME.1`, `NAME.2` and so on that no file has.
    fn free_number(&self, name: &str) -> Result<String, OutputError> {
        let mut names = (1..=MOST_KEPT).map(|number| format!("{name}.{number}"));
        let free = names.find(|name| {
            let found = rustix::fs::statat(self.descriptor(), name, AtFlags::SYMLINK_NOFOLLOW);
            matches!(found, Err(Errno::NOENT))
        });
        free.ok_or_else(|| OutputError::TooManyKept { path: self.path_of(name), kept: MOST_KEPT })
    }

    /// Writes files to the disk under other names, and looks whether theirs can be taken.
    pub(super) fn stage(
        self: &Arc<Self>,
        files: Vec<Content<'_>>,
        durability: Durability,
    ) -> Result<Staged, OutputError> {
        let mut finished = Vec::with_capacity(files.len());
        for Content { name, bytes, visibility, kept } in files {
            let temp_file = self.create()?.fill(bytes, visibility, durability)?;
            self.check_target(&name)?;
            match &kept {
                Kept::As(old) => self.check_target(old)?,
                Kept::Numbered if !self.written().contains_key(&name) => {
                    self.free_number(&name)?;
                }
                Kept::Numbered | Kept::Nowhere => {}
            }
            finished.push((name, kept, temp_file));
        }
        Ok(Staged::new(Arc::clone(self), finished, durability))
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
pub(super) struct TempFile {
    output_dir: Arc<OutputDir>,
    directory: Arc<OwnedFd>,
    name: Option<String>,
    /// The file.
    pub(super) file: File,
}

impl TempFile {
    /// A file of that name in the directory, which is the output directory or was it.
    pub(super) fn new(
        output_dir: Arc<OutputDir>,
        directory: Arc<OwnedFd>,
        name: String,
        file: File,
    ) -> Self {
        Self { output_dir, directory, name: Some(name), file }
    }

    /// Writes the content to the disk, and gives the file its owner and mode.
    pub(super) fn fill(
        mut self,
        bytes: &[u8],
        visibility: Visibility,
        durability: Durability,
    ) -> Result<Self, OutputError> {
        let output_dir = &self.output_dir;
        self.file.write_all(bytes).map_err(|error| output_dir.failed(OutputStep::Write, error))?;
        if let Some(owner) = output_dir.owner() {
            give(&self.file, owner).map_err(|errno| output_dir.failed(OutputStep::Chown, errno))?;
        }
        rustix::fs::fchmod(&self.file, visibility.mode())
            .map_err(|errno| output_dir.failed(OutputStep::Chown, errno))?;
        if durability == Durability::OnDisk {
            self.file.sync_all().map_err(|error| output_dir.failed(OutputStep::Sync, error))?;
        }
        Ok(self)
    }

    /// Gives what has that name another one as well; which, or None when nothing has the name or it
    /// is not to be kept.
    fn keep(&self, name: &str, kept: &Kept) -> Result<Option<String>, OutputError> {
        match kept {
            Kept::Nowhere => Ok(None),
            Kept::As(old) => Ok(self.keep_as(name, old)?.then(|| old.clone())),
            Kept::Numbered => self.keep_numbered(name),
        }
    }

    /// The same, under the first number that is free.
    fn keep_numbered(&self, name: &str) -> Result<Option<String>, OutputError> {
        let directory = &*self.directory;
        let failed = |errno| self.output_dir.failed(OutputStep::Keep, errno);
        loop {
            let number = self.output_dir.free_number(name)?;
            let kept =
                match rustix::fs::linkat(directory, name, directory, &number, AtFlags::empty()) {
                    Err(Errno::EXIST) => continue,
                    Err(Errno::NOENT) => return Ok(None),
                    // Without hard links the name is free for a moment.
                    Err(_) => rustix::fs::renameat_with(
                        directory,
                        name,
                        directory,
                        &number,
                        RenameFlags::NOREPLACE,
                    ),
                    Ok(()) => Ok(()),
                };
            match kept {
                Ok(()) => return Ok(Some(number)),
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
    }

    /// The same, in place of what had that name; false when nothing has the name.
    ///
    /// The name is not free for a moment, where the file system has hard links.
    fn keep_as(&self, name: &str, old: &str) -> Result<bool, OutputError> {
        let directory = &*self.directory;
        let failed = |errno| self.output_dir.failed(OutputStep::Keep, errno);
        let link = stale::name(random().map_err(failed)?);
        match rustix::fs::linkat(directory, name, directory, &link, AtFlags::empty()) {
            Ok(()) => rustix::fs::renameat(directory, &link, directory, old),
            Err(Errno::NOENT) => return Ok(false),
            Err(_) => rustix::fs::renameat(directory, name, directory, old),
        }
        .map(|()| true)
        .map_err(failed)
    }

    /// Gives the file its name. What has that name is replaced.
    pub(super) fn rename(mut self, to: &str) -> Result<(), OutputError> {
        let directory = &*self.directory;
        if let Some(name) = &self.name {
            rustix::fs::renameat(directory, name, directory, to)
                .map_err(|errno| self.output_dir.failed(OutputStep::Rename, errno))?;
        }
        self.name = None;
        Ok(())
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // What made the write fail is reported; that this failed as well would add nothing.
            let _ = rustix::fs::unlinkat(&self.directory, name, AtFlags::empty());
        }
    }
}

/// Files that are on the disk, and have yet to get their names. Without [`Staged::commit`] they are
/// removed.
#[must_use = "the files are removed unless they are committed"]
pub struct Staged {
    output_dir: Arc<OutputDir>,
    /// The name of each, and that under which an older file is kept.
    files: Vec<(String, Kept, TempFile)>,
    durability: Durability,
}

impl Staged {
    /// These files.
    pub(super) fn new(
        output_dir: Arc<OutputDir>,
        files: Vec<(String, Kept, TempFile)>,
        durability: Durability,
    ) -> Self {
        Self { output_dir, files, durability }
    }

    /// Gives the files their names, one after the other; old ones are replaced, or kept under
    /// another name when another run wrote them.
    ///
    /// # Errors
    /// A name could not be given: the error says which files are replaced.
    pub fn commit(self) -> Result<(), OutputError> {
        let Self { output_dir, files, durability } = self;
        let mut replaced = Vec::new();
        for (name, kept, temp_file) in files {
            let is_ours = output_dir.written().contains_key(&name);
            let kept = if is_ours { Kept::Nowhere } else { kept };
            let done = temp_file
                .keep(&name, &kept)
                .and_then(|kept| temp_file.rename(&name).map(|()| kept));
            match done {
                Ok(kept) => output_dir.written().entry(name.clone()).or_insert(kept),
                Err(problem) => {
                    let (file, problem) = (output_dir.path_of(&name), Box::new(problem));
                    return Err(OutputError::NotReplaced { file, replaced, problem });
                }
            };
            replaced.push(output_dir.path_of(&name));
        }
        let synced = match durability {
            Durability::OnDisk => output_dir.sync(),
            Durability::InMemory => Ok(()),
        };
        synced.map_err(|problem| OutputError::NotSynced { replaced, problem: Box::new(problem) })
    }
}
