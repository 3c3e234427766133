//! A directory for the files of many profiles, named by what they belong to.
//!
//! The names come from outside (containers, pods, targets) and are data: a name becomes files
//! directly in the directory, never a path, whatever is in it. Files of different names never have
//! the same name: within one [`Directory`] what is taken is numbered, `web` and `web-2`. A run that
//! comes later replaces the files of the same name, as with any output; so a directory should not
//! be shared by runs that trace what strangers named.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::output_dir::{self, OutputDir, directory_of};
use super::{Destination, OutputError, OutputStep, Owner, name};

/// Mode of a directory that is made, less what the umask takes away.
const MODE: Mode = Mode::from_raw_mode(0o755);

/// The option that names the directory.
const OPTION: &str = "--out";

/// An open directory, and the names in it that are taken.
#[derive(Debug)]
pub struct Directory {
    output_dir: Arc<OutputDir>,
    /// What every name begins with.
    prefix: String,
    taken: Mutex<BTreeSet<String>>,
}

impl Directory {
    /// Opens the directory, and finds out whether files can be made there. A directory that does
    /// not exist is made when the one above it exists; it stays, empty, when nothing comes to be
    /// written.
    ///
    /// The files, and a directory that is made, will belong to `owner` when the directory they are
    /// in does and this process is root. Symbolic links in the path are followed, but none is made
    /// into a directory.
    ///
    /// # Errors
    /// The directory cannot be used.
    pub fn prepare(path: &Path, owner: Option<Owner>) -> Result<Self, OutputError> {
        let output_dir = match OutputDir::open(path, owner, OPTION) {
            Err(OutputError::NoDirectory { .. }) => make(path, owner)?,
            other => other?,
        };
        let directory = Self {
            output_dir: Arc::new(output_dir),
            prefix: String::new(),
            taken: Mutex::default(),
        };
        directory.output_dir.check_writable()?;
        Ok(directory)
    }

    /// The directory of other files `X.json`, for files `X.NAME.json`.
    pub fn sibling_dir(destination: &Destination) -> Self {
        let (output_dir, stem) = destination.parts();
        Self {
            output_dir: Arc::clone(output_dir),
            prefix: format!("{stem}."),
            taken: Mutex::default(),
        }
    }

    /// The path of the directory, for messages.
    pub fn path(&self) -> PathBuf {
        self.output_dir.path()
    }

    /// The files for something of this name, whatever is in the name. Each call gives other files:
    /// a name that was given before is numbered, so keep what was returned.
    ///
    /// # Errors
    /// Something else than a regular file has one of the names.
    pub fn destination(&self, name: &str) -> Result<Destination, OutputError> {
        let stem = name::prefixed(&self.prefix, name);
        Destination::new(Arc::clone(&self.output_dir), self.claim_unused(&stem))
    }

    /// Claims the stem, with the first number that makes it unused.
    fn claim_unused(&self, stem: &str) -> String {
        // What is taken is right after every single step: a panic elsewhere does not spoil it.
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let numbered = (2_u64..).map(|number| format!("{stem}-{number}"));
        let mut candidates = std::iter::once(stem.to_owned()).chain(numbered);
        let free = candidates.find(|candidate| !taken.contains(candidate));
        let free = free.unwrap_or_else(|| stem.to_owned());
        taken.insert(free.clone());
        free
    }
}

/// Makes the directory in the one above it. What turns up there in the meantime is opened, unless
/// it is a symbolic link.
fn make(path: &Path, owner: Option<Owner>) -> Result<OutputDir, OutputError> {
    let missing = || OutputError::NoDirectory { path: path.to_owned() };
    let name = path.file_name().ok_or_else(missing)?;
    let above = OutputDir::open(&directory_of(path).ok_or_else(missing)?, owner, OPTION)?;
    let made = match rustix::fs::mkdirat(above.descriptor(), name, MODE) {
        Ok(()) => true,
        Err(Errno::EXIST) => false,
        Err(errno) => return Err(above.failed(OutputStep::Create, errno)),
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let descriptor: OwnedFd = rustix::fs::openat(above.descriptor(), name, flags, Mode::empty())
        .map_err(|errno| output_dir::failed(OutputStep::Open, path, OPTION, errno.into()))?;
    if !made {
        return Ok(OutputDir::new(descriptor, path.to_owned(), None, OPTION));
    }
    if let Some(owner) = above.owner() {
        output_dir::give(&descriptor, owner)
            .map_err(|errno| above.failed(OutputStep::Chown, errno))?;
    }
    above.sync()?;
    let owner = above.owner();
    Ok(OutputDir::new(descriptor, path.to_owned(), owner, OPTION))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    use super::super::formats::{FORMATS, PROFILE, RECORDING};
    use super::*;

    fn temporary() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary directory")
    }

    fn listing(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).expect("a directory");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
            .collect();
        names.sort();
        names
    }

    fn write(directory: &Directory, name: &str) -> Destination {
        let destination = directory.destination(name).expect("a destination");
        let files: Vec<_> = FORMATS.iter().map(|format| (*format, name.as_bytes())).collect();
        destination.write(&files).expect("written");
        destination
    }

    #[test]
    fn a_directory_is_made_in_one_that_exists() {
        let above = temporary();
        let path = above.path().join("profiles");
        Directory::prepare(&path, None).expect("a directory");
        assert!(listing(&path).is_empty(), "nothing is left of the trial");
        let mode = fs::metadata(&path).expect("it").permissions().mode();
        assert_eq!(mode & 0o700, 0o700);
        assert_eq!(mode & 0o022, 0, "nobody else may write there");
        let directory =
            Directory::prepare(&above.path().join("profiles/"), None).expect("it exists");
        write(&directory, "web");
        assert_eq!(listing(&path), ["web.json", "web.kubernetes.yaml", "web.recording.json"]);
        let deep = above.path().join("missing/profiles");
        let error = Directory::prepare(&deep, None).expect_err("only the last one is made");
        assert!(error.to_string().contains("/missing\n"), "{error}");
        assert_eq!(listing(above.path()), ["profiles"]);
    }

    #[test]
    fn files_beside_others_are_never_theirs() {
        let above = temporary();
        let main = Destination::prepare(&above.path().join("My.json"), None).expect("it");
        let directory = Directory::sibling_dir(&main);
        write(&directory, "web");
        write(&directory, "web");
        write(&directory, "recording");
        main.write(&[(RECORDING, b"main"), (PROFILE, b"main")]).expect("it");
        let names = listing(above.path());
        let profiles: Vec<&String> = names
            .iter()
            .filter(|name| name.ends_with(".json") && !name.ends_with(".recording.json"))
            .collect();
        assert_eq!(profiles.len(), 4, "{names:?}");
        for name in ["My.json", "My.web-2.json", "My.web.json"] {
            assert!(profiles.contains(&&name.to_owned()), "{names:?}");
        }
        let kept = fs::read(above.path().join("My.recording.json")).expect("the recording");
        assert_eq!(kept, b"main");
    }

    #[test]
    fn what_is_no_directory_stays_as_it_is() {
        let above = temporary();
        fs::write(above.path().join("file"), "precious").expect("a file");
        symlink("nowhere", above.path().join("link")).expect("a link");
        for name in ["file", "link"] {
            let error = Directory::prepare(&above.path().join(name), None).expect_err(name);
            assert!(matches!(error, OutputError::NotADirectory { .. }), "{error}");
        }
        assert_eq!(listing(above.path()), ["file", "link"], "the link's target was not made");
        let error = Directory::prepare(Path::new(""), None).expect_err("no name");
        assert!(matches!(error, OutputError::NoDirectory { .. }), "{error}");
    }

    #[test]
    fn a_made_directory_belongs_to_the_user_when_the_one_above_does() {
        if !rustix::process::geteuid().is_root() {
            return super::super::tests::skip("giving directories away needs root");
        }
        let owner = Owner { user: 12345, group: 54321 };
        for (theirs, expected) in [(true, (12345, 54321)), (false, (0, 0))] {
            let above = temporary();
            if theirs {
                std::os::unix::fs::chown(above.path(), Some(12345), None).expect("given away");
            }
            let path = above.path().join("profiles");
            let directory = Directory::prepare(&path, Some(owner)).expect("a directory");
            let file = write(&directory, "web").path(PROFILE);
            for path in [&path, &file] {
                let status = fs::metadata(path).expect("it is there");
                assert_eq!((status.uid(), status.gid()), expected, "{}", path.display());
            }
        }
    }

    #[test]
    fn names_that_become_the_same_are_numbered() {
        let above = temporary();
        let directory = Directory::prepare(above.path(), None).expect("a directory");
        let names = ["web", "web", "web-2", "web", "web-2-2"];
        let files = names.map(|name| write(&directory, name).path(PROFILE));
        let files =
            files.map(|path| path.file_name().expect("one").to_str().expect("text").to_owned());
        assert_eq!(
            files,
            ["web.json", "web-2.json", "web-2-2.json", "web-3.json", "web-2-2-2.json"]
        );
        let again = Directory::prepare(above.path(), None).expect("a directory");
        let path = write(&again, "web").path(PROFILE);
        assert_eq!(path, above.path().join("web.json"), "another run begins anew");
    }

    #[test]
    fn no_name_writes_outside_or_over_the_files_of_another() {
        let above = temporary();
        fs::write(above.path().join("victim.json"), "precious").expect("a file");
        let path = above.path().join("profiles");
        let directory = Directory::prepare(&path, None).expect("a directory");
        let outside = format!("{}/victim", above.path().display());
        let names = [
            "web",
            "web.recording",
            "web.recording.json",
            "web.json",
            "web.kubernetes",
            "../victim",
            "..",
            "/etc/victim",
            "",
            "web\n",
            "\u{1b}[2J",
            "é",
            "Web",
            "web.recording.json.partial",
            &outside,
            &"x".repeat(253),
        ];
        let kept: Vec<Destination> = names.iter().map(|name| write(&directory, name)).collect();
        assert_eq!(listing(above.path()), ["profiles", "victim.json"]);
        assert_eq!(fs::read(above.path().join("victim.json")).expect("it"), b"precious");
        assert_eq!(listing(&path).len(), FORMATS.len() * names.len(), "{:?}", listing(&path));
        for (name, destination) in names.iter().zip(kept) {
            destination.save_partial(b"partial").expect("saved");
            for format in FORMATS {
                let found = fs::read(destination.path(format)).expect("a file");
                assert_eq!(found, name.as_bytes(), "{name:?} {format:?}");
            }
        }
    }

    #[test]
    fn what_is_not_a_regular_file_is_never_replaced() {
        let above = temporary();
        symlink("/etc/passwd", above.path().join("web.json")).expect("a link");
        let directory = Directory::prepare(above.path(), None).expect("a directory");
        let error = directory.destination("web").expect_err("a link is there");
        assert!(matches!(error, OutputError::NotAFile { .. }), "{error}");
        assert_eq!(listing(above.path()), ["web.json"]);
    }
}
