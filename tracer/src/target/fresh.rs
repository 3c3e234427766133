//! A cgroup of its own for a command that tracer starts.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

use super::cgroup::{CgroupRoot, populated};
use super::error::{CgroupError, Operation};

/// How often emptying and removing is tried again: a process that forks while it is moved leaves its child behind.
const ATTEMPTS: u32 = 50;

/// Pause between two attempts.
const PAUSE: Duration = Duration::from_millis(10);

/// A cgroup that this program made, and removes.
///
/// Dropping it removes it when it is empty; [`FreshCgroup::remove`] also moves processes out and reports errors.
#[derive(Debug)]
pub struct FreshCgroup {
    root: CgroupRoot,
    path: String,
    directory: PathBuf,
    id: u64,
    removed: bool,
}

impl FreshCgroup {
    /// Creates a cgroup with a name that nobody else has below `parent`, usually [`CgroupRoot::own`].
    pub fn create_below(root: &CgroupRoot, parent: &str) -> Result<Self, CgroupError> {
        let above = root.directory(parent)?;
        let name = format!("tracer-{}-{:08x}", std::process::id(), random(&above)?);
        let directory = above.join(&name);
        fs::create_dir(&directory)
            .map_err(|source| CgroupError::io(Operation::Create, &directory, source))?;
        let path = format!("{}/{name}", parent.trim_end_matches('/'));
        let mut made = Self { root: root.clone(), path, directory, id: 0, removed: false };
        made.id = root.id(&made.path)?;
        Ok(made)
    }

    /// Path in the hierarchy.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The kernel's id of the cgroup.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Opens `cgroup.procs` for writing: a process that writes `0` joins, also one that has just been forked.
    pub fn open_processes(&self) -> Result<File, CgroupError> {
        let file = self.directory.join("cgroup.procs");
        File::options()
            .write(true)
            .open(&file)
            .map_err(|source| CgroupError::io(Operation::Open, &file, source))
    }

    /// Moves what is still in it, or below it, to another cgroup and removes it. Returns how many processes were
    /// moved.
    pub fn remove(mut self, leftovers_to: &str) -> Result<usize, CgroupError> {
        let target = self.root.directory(leftovers_to)?.join("cgroup.procs");
        let mut moved = 0;
        for _ in 0..ATTEMPTS {
            if !self.directory.exists() {
                break;
            }
            let nodes = populated(&self.root, &self.path)?;
            for node in &nodes {
                moved += empty(&self.root.directory(&node.path)?, &target)?;
            }
            let mut removed_all = true;
            for node in nodes.iter().rev() {
                removed_all &= remove_directory(&self.root.directory(&node.path)?)?;
            }
            if removed_all {
                self.removed = true;
                return Ok(moved);
            }
            std::thread::sleep(PAUSE);
        }
        if self.directory.exists() {
            return Err(CgroupError::NotEmptied { path: self.path.clone() });
        }
        self.removed = true;
        Ok(moved)
    }
}

impl Drop for FreshCgroup {
    fn drop(&mut self) {
        if !self.removed {
            // Nobody is left to tell; a cgroup with processes in it stays.
            let _ = fs::remove_dir(&self.directory);
        }
    }
}

/// Moves the processes of one cgroup; returns how many.
fn empty(from: &Path, target: &Path) -> Result<usize, CgroupError> {
    let file = from.join("cgroup.procs");
    let processes = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if is_any(&error, &[Errno::NOENT, Errno::NODEV]) => return Ok(0),
        Err(error) => return Err(CgroupError::io(Operation::Read, &file, error)),
    };
    let mut moved = 0;
    for process in processes.lines() {
        match fs::write(target, process) {
            Ok(()) => moved += 1,
            // It ended meanwhile.
            Err(error) if is_any(&error, &[Errno::SRCH]) => {}
            Err(error) => return Err(CgroupError::io(Operation::Write, target, error)),
        }
    }
    Ok(moved)
}

/// Removes one cgroup; false when it is in use again.
fn remove_directory(directory: &Path) -> Result<bool, CgroupError> {
    match fs::remove_dir(directory) {
        Ok(()) => Ok(true),
        Err(error) if is_any(&error, &[Errno::NOENT]) => Ok(true),
        Err(error) if is_any(&error, &[Errno::BUSY]) => Ok(false),
        Err(error) => Err(CgroupError::io(Operation::Remove, directory, error)),
    }
}

fn is_any(error: &io::Error, errors: &[Errno]) -> bool {
    Errno::from_io_error(error).is_some_and(|errno| errors.contains(&errno))
}

fn random(wanted_for: &Path) -> Result<u32, CgroupError> {
    let mut bytes = [0; 4];
    getrandom(&mut bytes[..], GetRandomFlags::empty())
        .map_err(|source| CgroupError::io(Operation::Create, wanted_for, source))?;
    Ok(u32::from_ne_bytes(bytes))
}
