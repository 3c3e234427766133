//! Fresh cgroups of the v2 hierarchy, removed again whatever happens.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Signal, kill_process};

use crate::{BOUND, wait_until};

static MADE: AtomicU32 = AtomicU32::new(0);

/// A cgroup that this test made. Dropping it ends the processes in it and removes it with
/// everything below.
#[derive(Debug)]
pub struct Cgroup {
    directory: PathBuf,
    name: String,
}

impl Cgroup {
    /// A cgroup right below the root, with a name that nothing else uses.
    pub fn new(label: &str) -> Self {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        Self::at(format!("/tracer-tests-{}-{number}-{label}", process::id()))
    }

    /// A cgroup below this one.
    pub fn child(&self, name: &str) -> Self {
        Self::at(format!("{}/{name}", self.name))
    }

    /// The cgroup of that name, which begins with `/` and is not there yet. Directories above it
    /// are made and left.
    pub fn at(name: String) -> Self {
        let directory = cgroup_mount().join(&name[1..]);
        fs::create_dir_all(directory.parent().expect("it has a parent"))
            .unwrap_or_else(|error| panic!("cannot create the directories above {name}: {error}"));
        fs::create_dir(&directory).unwrap_or_else(|error| {
            panic!("cannot create the cgroup {}: {error}", directory.display())
        });
        Self { directory, name }
    }

    /// One that is given to an unprivileged user, as systemd gives one to the manager of each user.
    pub fn delegated(label: &str, user: u32) -> Self {
        let tree = Self::new(label);
        for path in [tree.directory.clone(), tree.processes_file()] {
            chown(path, Some(user), Some(user)).expect("root gives it away");
        }
        tree
    }

    /// Lets an unprivileged user make a cgroup below this one; its path.
    pub fn child_of_user(&self, user: u32, name: &str) -> String {
        let made =
            Command::new("mkdir").arg(self.directory.join(name)).uid(user).gid(user).status();
        assert!(made.expect("mkdir").success(), "the tree is the user's");
        format!("{}/{name}", self.name)
    }

    /// Its directory in the file system.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Its path below the mount point, as a recording names it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its id, as the kernel program sees it.
    pub fn id(&self) -> u64 {
        fs::metadata(&self.directory).expect("the cgroup is there").ino()
    }

    /// The step that moves the fixture program into it and makes no call in it.
    pub fn hop(&self) -> String {
        format!("hop:{}", self.processes_file().display())
    }

    /// The file to write a process id to.
    pub fn processes_file(&self) -> PathBuf {
        self.directory.join("cgroup.procs")
    }

    /// The ids of the processes in it, not those further below.
    pub fn processes(&self) -> Vec<i32> {
        processes(&self.directory)
    }

    /// Removes it; the processes in it must have ended.
    pub fn remove(self) {
        self.wait_until_empty();
        drop(self);
    }

    /// Waits until no process is in it or below.
    pub fn wait_until_empty(&self) {
        wait_until(&format!("{} is empty", self.name), BOUND, || {
            fs::read_to_string(self.directory.join("cgroup.events"))
                .is_ok_and(|events| events.lines().any(|line| line == "populated 0"))
        });
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // A cgroup stays busy for a moment after its last process has been waited for.
        wait_until(&format!("{} can be removed", self.name), BOUND, || {
            remove_tree(&self.directory)
        });
        // Container runtimes that also know cgroup v1 made the same directories there.
        for mount in v1_mounts() {
            let directory = mount.join(&self.name[1..]);
            wait_until(&format!("{} can be removed", directory.display()), BOUND, || {
                !directory.is_dir() || remove_tree(&directory)
            });
        }
    }
}

/// One attempt: ends every process in it by its id, and removes the directories from the leaves up.
fn remove_tree(directory: &Path) -> bool {
    let below = fs::read_dir(directory).map(|entries| {
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect::<Vec<_>>()
    });
    for child in below.unwrap_or_default() {
        remove_tree(&child);
    }
    for id in processes(directory) {
        if let Some(pid) = Pid::from_raw(id) {
            // It may have ended by itself in the meantime.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    fs::remove_dir(directory).is_ok() || !directory.exists()
}

fn processes(directory: &Path) -> Vec<i32> {
    fs::read_to_string(directory.join("cgroup.procs"))
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.parse().ok())
        .collect()
}

/// Where the v2 hierarchy is mounted.
pub fn cgroup_mount() -> PathBuf {
    mounts("cgroup2").next().expect("a cgroup2 mount in /proc/self/mountinfo")
}

/// A directory of a v1 hierarchy, where the machine has one.
pub fn cgroup_v1_directory() -> Result<PathBuf, String> {
    v1_mounts().next().ok_or_else(|| "needs a cgroup v1 hierarchy, and none is mounted".into())
}

fn v1_mounts() -> impl Iterator<Item = PathBuf> {
    mounts("cgroup")
}

fn mounts(kind: &str) -> impl Iterator<Item = PathBuf> {
    let table = fs::read_to_string("/proc/self/mountinfo").expect("/proc/self/mountinfo");
    let found: Vec<PathBuf> = table
        .lines()
        .filter_map(|line| {
            let (mount, source) = line.split_once(" - ")?;
            (source.split(' ').next() == Some(kind)).then(|| mount.split(' ').nth(4))?
        })
        .map(PathBuf::from)
        .collect();
    found.into_iter()
}
