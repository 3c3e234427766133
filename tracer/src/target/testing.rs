//! A cgroup hierarchy made of plain files, for tests.

use std::fs;
use std::path::{Path, PathBuf};

use super::cgroup::CgroupRoot;

/// A directory with a `/proc` and a cgroup mount in it.
pub(crate) struct FakeHost {
    directory: tempfile::TempDir,
    mounts: String,
}

impl FakeHost {
    /// A host with all of the v2 hierarchy mounted below `unified`.
    pub(crate) fn new() -> Self {
        let mut host = Self::without_mounts();
        host.mount("cgroup2", "/", "unified", "rw");
        host.cgroup("/", &[1, 2]);
        host
    }

    pub(crate) fn without_mounts() -> Self {
        let host = Self {
            directory: tempfile::tempdir().expect("a temporary directory"),
            mounts: "1 1 0:1 / / rw - ext4 /dev/sda rw\n".to_owned(),
        };
        host.write_mounts();
        host
    }

    pub(crate) fn mount(&mut self, file_system: &str, root: &str, at: &str, options: &str) {
        let id = self.mounts.lines().count() + 1;
        let at = self.path(at);
        fs::create_dir_all(&at).expect("a mount point");
        let at = at.display().to_string().replace(' ', "\\040");
        self.mounts +=
            &format!("{id} 1 0:{id} {root} {at} rw - {file_system} {file_system} {options}\n");
        self.write_mounts();
    }

    /// A cgroup below `unified`, with processes.
    pub(crate) fn cgroup(&self, path: &str, processes: &[u32]) {
        let directory = self.path("unified").join(path.trim_start_matches('/'));
        fs::create_dir_all(&directory).expect("a cgroup");
        let text: String = processes.iter().map(|process| format!("{process}\n")).collect();
        for ancestor in directory.ancestors().take_while(|at| at.starts_with(self.path("unified")))
        {
            let file = ancestor.join("cgroup.procs");
            if !file.exists() {
                fs::write(file, "").expect("cgroup.procs");
            }
        }
        fs::write(directory.join("cgroup.procs"), text).expect("cgroup.procs");
    }

    /// A process with these lines in its `cgroup` file.
    pub(crate) fn process(&self, process: &str, cgroup: &str) {
        let directory = self.proc().join(process);
        fs::create_dir_all(&directory).expect("a process");
        fs::write(directory.join("cgroup"), cgroup).expect("a cgroup file");
    }

    pub(crate) fn proc(&self) -> PathBuf {
        self.path("proc")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        Path::new(self.directory.path()).join(name)
    }

    pub(crate) fn root(&self) -> CgroupRoot {
        CgroupRoot::find(&self.proc()).expect("a cgroup2 mount")
    }

    fn write_mounts(&self) {
        let own = self.proc().join("self");
        fs::create_dir_all(&own).expect("a directory for the table");
        fs::write(own.join("mountinfo"), &self.mounts).expect("the mount table");
    }
}
