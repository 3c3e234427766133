//! A profile where the kubelet of this node looks for it: `<root>/seccomp/<localhostProfile>`.
//!
//! The root is the word of the person who runs the program, and may be a symbolic link. Everything
//! below it is not: each directory is opened from the one above it, in a way that follows no link
//! (openat2(2), `RESOLVE_BENEATH` and `RESOLVE_NO_SYMLINKS`), so that the file appears below the
//! root or nowhere. Directories that are missing are made.
//!
//! The files are root's, and everybody may read them whatever the umask is: container runtimes read
//! them, and so do the tools that copy them to other nodes.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::output_dir::{self, Content, Kept, OutputDir, Visibility};
use super::staged::{Durability, Staged};
use super::{NAME_MAX, OutputError, OutputStep};
use crate::profile::kubernetes::LocalhostProfile;

/// Mode of the directories that are made.
const MODE: Mode = Mode::from_raw_mode(0o755);

/// The kubelet's directory for profiles, below its root (Kubernetes documentation, "Seccomp and
/// Kubernetes").
const SECCOMP: &str = "seccomp";

/// The option that names the root.
const OPTION: &str = "--kubelet-root";

/// Where a profile is installed: an open root, and the path below it.
#[derive(Debug)]
pub struct Installation {
    root: OutputDir,
    directories: Vec<String>,
    file: String,
    profile: LocalhostProfile,
}

impl Installation {
    /// Opens the kubelet's root directory, and finds out what would make writing fail: before
    /// tracing begins rather than after it. Nothing is changed.
    ///
    /// # Errors
    /// The root is missing or may not be written to, or something that is no directory, or no
    /// regular file, is in the way.
    pub fn prepare(root: &Path, profile: LocalhostProfile) -> Result<Self, OutputError> {
        let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
        let root = OutputDir::open(&root, None, OPTION).map_err(|error| match error {
            OutputError::NoDirectory { path } => OutputError::NoKubelet { path },
            other => other,
        })?;
        let names = profile.as_str().split('/').filter(|name| !matches!(*name, "" | "."));
        let mut directories: Vec<String> =
            [SECCOMP].into_iter().chain(names).map(Into::into).collect();
        // A checked path ends in the name of a file.
        let file = directories.pop().unwrap_or_default();
        let installation = Self { root, directories, file, profile };
        installation.check()?;
        Ok(installation)
    }

    /// The path in the pod.
    pub fn profile(&self) -> &LocalhostProfile {
        &self.profile
    }

    /// The kubelet's root directory, an absolute path.
    pub fn root(&self) -> PathBuf {
        self.root.path()
    }

    /// The file, for messages.
    pub fn path(&self) -> PathBuf {
        let directory = self.directories.iter().fold(self.root(), |path, name| path.join(name));
        directory.join(&self.file)
    }

    /// Writes the profile to the disk beside the old one, if there is one, which [`Staged::commit`]
    /// replaces.
    ///
    /// # Errors
    /// It could not be written: the old one is as it was. Directories that were made stay.
    pub fn stage(&self, bytes: &[u8]) -> Result<Staged, OutputError> {
        let mut directory = self.copy_of_root()?;
        for name in &self.directories {
            directory = match open_below(&directory, name)? {
                Some(next) => next,
                None => make_below(&directory, name)?,
            };
        }
        let file = Content {
            name: self.file.clone(),
            bytes,
            visibility: Visibility::Everyone,
            kept: Kept::Nowhere,
        };
        Arc::new(directory).stage(vec![file], Durability::OnDisk)
    }

    /// Looks as far as directories exist.
    fn check(&self) -> Result<(), OutputError> {
        let longest = self.directories.iter().chain([&self.file]).map(String::len).max();
        if let Some(excess) = longest.and_then(|longest| longest.checked_sub(NAME_MAX + 1)) {
            return Err(OutputError::NameTooLong { path: self.path(), excess: excess + 1 });
        }
        let mut directory = self.copy_of_root()?;
        for name in &self.directories {
            match open_below(&directory, name)? {
                Some(next) => directory = next,
                None => return Arc::new(directory).check_writable(),
            }
        }
        directory.check_target(&self.file)?;
        Arc::new(directory).check_writable()
    }

    fn copy_of_root(&self) -> Result<OutputDir, OutputError> {
        let copy = self.root.descriptor().try_clone();
        let copy = copy.map_err(|error| self.root.failed(OutputStep::Open, error))?;
        Ok(below_root(copy, self.root()))
    }
}

/// A directory below the root.
fn below_root(descriptor: OwnedFd, path: PathBuf) -> OutputDir {
    OutputDir::new(descriptor, path, None, OPTION)
}

/// The directory of that name; None when nothing has it.
fn open_below(above: &OutputDir, name: &str) -> Result<Option<OutputDir>, OutputError> {
    let path = above.path_of(name);
    // Not O_NOFOLLOW: with it, a link would only be "not a directory".
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    match rustix::fs::openat2(above.descriptor(), name, flags, Mode::empty(), resolve) {
        Ok(descriptor) => Ok(Some(below_root(descriptor, path))),
        Err(Errno::NOENT) => Ok(None),
        Err(Errno::LOOP) => Err(OutputError::Link { path }),
        Err(errno) => Err(output_dir::failed(OutputStep::Open, &path, OPTION, errno.into())),
    }
}

/// Makes a directory. What turns up there in the meantime is used, if it is a directory.
fn make_below(above: &OutputDir, name: &str) -> Result<OutputDir, OutputError> {
    let made = match rustix::fs::mkdirat(above.descriptor(), name, MODE) {
        Ok(()) => true,
        Err(Errno::EXIST) => false,
        Err(errno) => return Err(above.failed(OutputStep::Create, errno)),
    };
    let directory = open_below(above, name)?;
    let directory =
        directory.ok_or_else(|| OutputError::NoDirectory { path: above.path_of(name) })?;
    if made {
        // The umask may have taken away what the readers need.
        rustix::fs::fchmod(directory.descriptor(), MODE)
            .map_err(|errno| directory.failed(OutputStep::Chown, errno))?;
        above.sync()?;
    }
    Ok(directory)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn temporary() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary directory")
    }

    fn prepare(root: &Path, name: &str) -> Result<Installation, OutputError> {
        Installation::prepare(root, LocalhostProfile::new(name).expect("a path in a pod"))
    }

    fn install(installation: &Installation, bytes: &[u8]) -> Result<(), OutputError> {
        installation.stage(bytes)?.commit()
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).expect("a directory");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
            .collect();
        names.sort();
        names
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("it is there").permissions().mode() & 0o7777
    }

    #[test]
    fn directories_are_made_and_old_files_replaced() {
        let root = temporary();
        let installation = prepare(root.path(), "a//./b/web.json").expect("an installation");
        assert!(names(root.path()).is_empty(), "nothing is changed before the end");
        let file = root.path().join("seccomp/a/b/web.json");
        assert_eq!(installation.path(), file);
        for content in ["first", "second"] {
            install(&installation, content.as_bytes()).expect("installed");
            assert_eq!(fs::read_to_string(&file).expect("it"), content);
            assert_eq!(names(&root.path().join("seccomp/a/b")), ["web.json"]);
        }
        assert_eq!(mode(&file), 0o644);
        for directory in ["seccomp", "seccomp/a", "seccomp/a/b"] {
            assert_eq!(mode(&root.path().join(directory)), 0o755, "{directory}");
        }
    }

    #[test]
    fn what_is_not_committed_leaves_the_old_file() {
        let root = temporary();
        let installation = prepare(root.path(), "web.json").expect("an installation");
        install(&installation, b"old").expect("installed");
        drop(installation.stage(b"new").expect("staged"));
        assert_eq!(fs::read(installation.path()).expect("it"), b"old");
        assert_eq!(names(&root.path().join("seccomp")), ["web.json"]);
    }

    #[test]
    fn links_below_the_root_are_found_out_before_and_never_followed() {
        for (link, name) in [
            ("seccomp", "web.json"),
            ("seccomp", "a/web.json"),
            ("seccomp/a", "a/web.json"),
            ("seccomp/a/b", "a/b/web.json"),
            ("seccomp/web.json", "web.json"),
        ] {
            let (root, elsewhere) = (temporary(), temporary());
            fs::write(elsewhere.path().join("web.json"), "precious").expect("a file");
            let link = root.path().join(link);
            fs::create_dir_all(link.parent().expect("one")).expect("directories");
            for target in [elsewhere.path(), &root.path().join("nowhere"), Path::new(".")] {
                // In place when it begins.
                symlink(target, &link).expect("a link");
                let error = prepare(root.path(), name).expect_err("a link");
                assert!(error.to_string().contains("is a symbolic link"), "{error}");
                assert!(error.to_string().contains(&*link.to_string_lossy()), "{error}");
                // Put there in the meantime.
                fs::remove_file(&link).expect("removed");
                let installation = prepare(root.path(), name).expect("an installation");
                symlink(target, &link).expect("a link");
                let error = install(&installation, b"new").expect_err("a link");
                assert!(error.to_string().contains("is a symbolic link"), "{error}");
                fs::remove_file(&link).expect("removed");
            }
            assert_eq!(names(elsewhere.path()), ["web.json"]);
            assert_eq!(fs::read(elsewhere.path().join("web.json")).expect("it"), b"precious");
            assert!(!root.path().join("nowhere").exists());
        }
    }

    #[test]
    fn the_root_itself_may_be_a_link() {
        let root = temporary();
        fs::create_dir(root.path().join("real")).expect("a directory");
        symlink("real", root.path().join("link")).expect("a link");
        let installation = prepare(&root.path().join("link"), "web.json").expect("it");
        install(&installation, b"new").expect("installed");
        assert_eq!(fs::read(root.path().join("real/seccomp/web.json")).expect("it"), b"new");
    }

    #[test]
    fn what_is_in_the_way_is_found_out_before() {
        let root = temporary();
        fs::create_dir_all(root.path().join("seccomp/directory")).expect("directories");
        fs::write(root.path().join("seccomp/file"), "precious").expect("a file");
        let error = prepare(root.path(), "directory").expect_err("a directory");
        assert!(matches!(error, OutputError::NotAFile { .. }), "{error}");
        let error = prepare(root.path(), "file/web.json").expect_err("a file");
        assert!(matches!(error, OutputError::NotADirectory { .. }), "{error}");
        let error = prepare(&root.path().join("missing"), "web.json").expect_err("no root");
        assert!(matches!(error, OutputError::NoKubelet { .. }), "{error}");
        let error = prepare(&root.path().join("seccomp/file"), "web.json").expect_err("a file");
        assert!(matches!(error, OutputError::NotADirectory { .. }), "{error}");
        let long = format!("{}/web.json", "x".repeat(258));
        let error = prepare(root.path(), &long).expect_err("a long name");
        assert!(matches!(error, OutputError::NameTooLong { excess: 3, .. }), "{error}");
        let longest = "x".repeat(255);
        let installation = prepare(root.path(), &longest).expect("as long as can be");
        install(&installation, b"new").expect("installed");
        assert_eq!(names(&root.path().join("seccomp")), ["directory", "file", &longest]);
    }
}
