//! Directories and mounts for one test.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, mount_remount, unmount};
use tempfile::TempDir;
use tracer::output::formats::FORMATS;

/// An empty directory that everybody may read, removed with its contents when dropped.
pub fn temporary_directory() -> TempDir {
    let directory = tempfile::Builder::new()
        .prefix("tracer-tests-")
        .tempdir()
        .unwrap_or_else(|error| panic!("cannot create a temporary directory: {error}"));
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap_or_else(
        |error| panic!("cannot open {} to all: {error}", directory.path().display()),
    );
    directory
}

/// Copies a program, for everybody to execute.
///
/// Another process writes it. A file that this one writes is open in each child that another test
/// starts meanwhile, until that child executes its program, and a file that is open for writing
/// cannot be executed (`ETXTBSY` of execve(2)).
pub fn copy_program(from: impl AsRef<Path>, to: impl AsRef<Path>) {
    let mut command = Command::new("install");
    let status = command.arg("--mode=755").arg(from.as_ref()).arg(to.as_ref()).status();
    assert!(status.as_ref().is_ok_and(ExitStatus::success), "{command:?}: {status:?}");
}

/// Writes a program, for everybody to execute. See [`copy_program`].
pub fn write_program(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) {
    let directory = temporary_directory();
    let written = directory.path().join("program");
    fs::write(&written, contents)
        .unwrap_or_else(|error| panic!("cannot write {}: {error}", written.display()));
    copy_program(written, path);
}

/// Names and contents of the files in a directory, to see whether something changed. Directories
/// have no contents.
pub fn entries(directory: &Path) -> Vec<(String, Option<Vec<u8>>)> {
    let mut found: Vec<_> = fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("cannot list {}: {error}", directory.display()))
        .map(|entry| {
            let path = entry.expect("an entry of the directory").path();
            let regular = fs::symlink_metadata(&path).is_ok_and(|data| data.is_file());
            let name =
                path.file_name().expect("an entry has a name").to_string_lossy().into_owned();
            (name, regular.then(|| fs::read(&path).expect("the file can be read")))
        })
        .collect();
    found.sort();
    found
}

/// Names of the files that `--out STEM.json` writes, sorted.
pub fn written_names(stem: &str) -> Vec<String> {
    let mut names: Vec<String> = FORMATS.iter().map(|format| format.name(stem)).collect();
    names.sort();
    names
}

/// Names of what is in a directory, sorted.
pub fn file_names(directory: &Path) -> Vec<String> {
    entries(directory).into_iter().map(|(name, _)| name).collect()
}

/// A mount that ends with this value.
#[derive(Debug)]
pub struct Mount(PathBuf);

impl Mount {
    /// A file system in memory, with that many bytes.
    pub fn tmpfs(directory: &Path, bytes: u32) -> Self {
        let options = format!("size={bytes},mode=755\0").into_bytes();
        let options = std::ffi::CString::from_vec_with_nul(options).expect("one NUL, at the end");
        mount("tracer-tests", directory, "tmpfs", MountFlags::empty(), options.as_c_str())
            .unwrap_or_else(|error| {
                panic!("cannot mount a tmpfs on {}: {error}", directory.display())
            });
        Self(directory.to_owned())
    }

    /// The directory itself, read-only.
    pub fn read_only(directory: &Path) -> Self {
        let made = mount_bind(directory, directory)
            .and_then(|()| mount_remount(directory, MountFlags::BIND | MountFlags::RDONLY, c""));
        made.unwrap_or_else(|error| {
            panic!("cannot make {} read-only: {error}", directory.display())
        });
        Self(directory.to_owned())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if let Err(error) = unmount(&self.0, UnmountFlags::DETACH) {
            eprintln!("cannot unmount {}: {error}", self.0.display());
        }
    }
}
