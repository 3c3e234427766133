//! A cgroup of its own for a command that tracer starts.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::rand::{GetRandomFlags, getrandom};

use super::cgroup::CgroupRoot;
use super::error::{CgroupError, Operation};
use super::held::HeldCgroup;
use crate::cgroup_path::{CgroupPath, join};

/// How often emptying and removing is tried again: a process that forks while it is moved leaves
/// its child behind.
const ATTEMPTS: u32 = 50;

/// Pause between two attempts.
const PAUSE: Duration = Duration::from_millis(10);

/// A cgroup that this program made, and removes.
///
/// Dropping it removes it when it is empty; [`FreshCgroup::remove`] also moves processes out and
/// reports errors.
#[derive(Debug)]
pub struct FreshCgroup {
    path: CgroupPath,
    directory: PathBuf,
    /// It, and the one that it is in. What is mounted over their paths changes nothing.
    held: HeldCgroup,
    above: HeldCgroup,
    name: OsString,
    id: u64,
    removed: bool,
}

impl FreshCgroup {
    /// Creates a cgroup with a name that nobody else has below `parent`, usually
    /// [`CgroupRoot::own`].
    pub fn create_below(root: &CgroupRoot, parent: &str) -> Result<Self, CgroupError> {
        let directory_above = root.directory(parent)?;
        let above = HeldCgroup::open(&directory_above)
            .map_err(|source| CgroupError::io(Operation::Open, &directory_above, source))?;
        let name = format!("tracer-{}-{:08x}", std::process::id(), random(&directory_above)?);
        let directory = directory_above.join(&name);
        fs::create_dir(&directory)
            .map_err(|source| CgroupError::io(Operation::Create, &directory, source))?;
        let held = HeldCgroup::open(&directory)
            .map_err(|source| CgroupError::io(Operation::Open, &directory, source))?;
        let path = join(parent, &name);
        let id = root.id(&path)?;
        Ok(Self { path, directory, held, above, name: name.into(), id, removed: false })
    }

    /// Path in the hierarchy.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The kernel's id of the cgroup.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Moves what is still in it, or below it, to the one that it was made in, and removes it.
    /// Returns how many processes were moved.
    ///
    /// # Errors
    /// It is still there.
    pub fn remove(mut self) -> Result<usize, CgroupError> {
        let mut moved = 0;
        for _ in 0..ATTEMPTS {
            moved += self
                .held
                .empty_into(&self.above)
                .map_err(|source| CgroupError::io(Operation::Write, &self.directory, source))?;
            self.removed = self
                .above
                .remove_below(&self.name)
                .map_err(|source| CgroupError::io(Operation::Remove, &self.directory, source))?;
            if self.removed {
                return Ok(moved);
            }
            std::thread::sleep(PAUSE);
        }
        Err(CgroupError::NotEmptied { path: self.path.to_string() })
    }
}

impl Drop for FreshCgroup {
    fn drop(&mut self) {
        if !self.removed {
            // An error cannot be reported from here; a cgroup with processes in it stays.
            let _ = self.above.remove_below(&self.name);
        }
    }
}

fn random(wanted_for: &Path) -> Result<u32, CgroupError> {
    let mut bytes = [0; 4];
    getrandom(&mut bytes[..], GetRandomFlags::empty())
        .map_err(|source| CgroupError::io(Operation::Create, wanted_for, source))?;
    Ok(u32::from_ne_bytes(bytes))
}
