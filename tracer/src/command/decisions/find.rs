//! Finds `tracer.toml`, and uses none that somebody else could have written.
//!
//! tracer runs as root on machines that many share, and a file that is found on the way upwards may
//! be anybody's. So a file counts only when it belongs to root or to the person who runs tracer,
//! and nobody else may write to it. It is opened once, and everything is asked of that descriptor.
//! A file that does not count hides none above it: otherwise a stranger could switch off what was
//! decided there.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FileType, Mode, OFlags},
    io::Errno,
};

use crate::{
    command::environment::owner,
    output::FileTypeFound,
    text::escape_path,
    workbench::decisions::{FILE_NAME, MAX_BYTES},
};

/// What ends the search when it belongs to a trusted user: the root of a repository.
const REPOSITORY: &str = ".git";

/// The bits of a mode that let others than the owner write. Those of an access control list are
/// among the group's (acl(5)).
const OTHERS_WRITE: u32 = 0o022;

/// What was found.
#[derive(Debug, Default)]
pub struct FoundDecisions {
    /// The file that counts, and what is in it.
    pub file: Option<(PathBuf, Vec<u8>)>,
    /// Files on the way that do not count.
    pub ignored: Vec<Ignored>,
}

/// A file that does not count.
#[derive(Debug, thiserror::Error)]
#[error("{} is ignored: {why}", escape_path(.path))]
pub struct Ignored {
    /// The file.
    pub path: PathBuf,
    /// Why it does not.
    pub why: Why,
}

/// Why a file does not count.
#[derive(Debug, thiserror::Error)]
pub enum Why {
    /// It belongs to somebody else.
    #[error("it belongs to user {user}, who is neither root nor you")]
    Owner {
        /// Whose it is.
        user: u32,
    },
    /// Others may write to it.
    #[error("others than its owner may write to it (mode {mode:04o})")]
    Writable {
        /// Its mode.
        mode: u32,
    },
    /// It is no regular file.
    #[error("it is {0}")]
    NotAFile(FileTypeFound),
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(io::Error),
}

impl Why {
    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Owner { .. } => "read it, and name it with --decisions if it says what you mean",
            Self::Writable { .. } => "chmod go-w makes it count, when you know who wrote it",
            Self::NotAFile(_) => "name the file itself with --decisions",
            Self::Unreadable(_) => "make it readable, or remove it",
        }
    }
}

/// The users whose files count.
pub fn trusted() -> Vec<u32> {
    let user = rustix::process::geteuid();
    let mut trusted = vec![0, user.as_raw()];
    // sudo sets the variable for root; anybody else could have set it by hand.
    if user.is_root() {
        trusted.extend(owner().map(|owner| owner.user));
    }
    trusted
}

/// Finds the file in a directory, or in one above it. The search ends at the root, and at a
/// directory that holds `.git`. A directory that does not exist yet is looked for as if it did.
pub fn find(directory: &Path, trusted: &[u32]) -> FoundDecisions {
    let mut found = FoundDecisions::default();
    let Some(directory) = existing(directory) else { return found };
    for directory in directory.ancestors() {
        let path = directory.join(FILE_NAME);
        match read(&path, trusted) {
            Ok(Some(bytes)) => {
                found.file = Some((path, bytes));
                break;
            }
            Ok(None) => {}
            Err(why) => found.ignored.push(Ignored { path, why }),
        }
        if is_repository(directory, trusted) {
            break;
        }
    }
    found
}

/// The directory without symbolic links, or the nearest above it that exists.
pub fn existing(directory: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(directory).ok()?;
    absolute.ancestors().find_map(|directory| directory.canonicalize().ok())
}

/// Reads a file that counts; None when there is none of that name.
///
/// # Errors
/// The file does not count.
pub fn read(path: &Path, trusted: &[u32]) -> Result<Option<Vec<u8>>, Why> {
    // A pipe or a device in its place does not stop tracer.
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let descriptor = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(descriptor) => descriptor,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        Err(Errno::LOOP) => return Err(Why::NotAFile(FileTypeFound(FileType::Symlink))),
        // In a directory that may not be searched, nobody knows whether there is one.
        Err(Errno::ACCESS) if rustix::fs::lstat(path).is_err() => return Ok(None),
        Err(errno) => return Err(Why::Unreadable(errno.into())),
    };
    let status = rustix::fs::fstat(&descriptor).map_err(|errno| Why::Unreadable(errno.into()))?;
    let kind = FileType::from_raw_mode(status.st_mode);
    if kind != FileType::RegularFile {
        return Err(Why::NotAFile(FileTypeFound(kind)));
    }
    if !trusted.contains(&status.st_uid) {
        return Err(Why::Owner { user: status.st_uid });
    }
    if status.st_mode & OTHERS_WRITE != 0 {
        return Err(Why::Writable { mode: status.st_mode & 0o7777 });
    }
    let mut bytes = Vec::new();
    // One byte more than is read is enough to refuse it.
    let limit = MAX_BYTES as u64 + 1;
    File::from(descriptor).take(limit).read_to_end(&mut bytes).map_err(Why::Unreadable)?;
    Ok(Some(bytes))
}

/// A repository of a stranger's ends no search.
fn is_repository(directory: &Path, trusted: &[u32]) -> bool {
    let status = rustix::fs::lstat(directory.join(REPOSITORY));
    status.is_ok_and(|status| trusted.contains(&status.st_uid))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _, os::unix::fs::symlink};

    use super::*;

    fn temporary() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().canonicalize().expect("it exists");
        (directory, path)
    }

    fn me() -> Vec<u32> {
        vec![rustix::process::geteuid().as_raw()]
    }

    fn write(directory: &Path, text: &str) -> PathBuf {
        let path = directory.join(FILE_NAME);
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("its mode");
        path
    }

    fn reasons(found: &FoundDecisions) -> Vec<String> {
        found.ignored.iter().map(|one| one.why.to_string()).collect()
    }

    #[test]
    fn the_nearest_file_upwards_counts() {
        let (_kept, above) = temporary();
        let below = above.join("a/b");
        fs::create_dir_all(&below).expect("directories");
        let upper = write(&above, "upper");
        let found = find(&below, &me());
        assert_eq!(found.file, Some((upper, b"upper".to_vec())));
        let near = write(&above.join("a"), "near");
        assert_eq!(find(&below, &me()).file, Some((near.clone(), b"near".to_vec())));
        let missing = below.join("not/yet");
        assert_eq!(find(&missing, &me()).file, Some((near, b"near".to_vec())));
    }

    #[test]
    fn the_search_ends_at_a_repository() {
        let (_kept, above) = temporary();
        let repository = above.join("repository");
        fs::create_dir_all(repository.join("profiles")).expect("directories");
        write(&above, "upper");
        fs::write(repository.join(REPOSITORY), "gitdir: elsewhere").expect("a worktree's file");
        assert!(find(&repository.join("profiles"), &me()).file.is_none());
        let own = write(&repository, "own");
        let found = find(&repository.join("profiles"), &me());
        assert_eq!(found.file.map(|(path, _)| path), Some(own));
        // Of somebody else it means nothing.
        assert!(!is_repository(&repository, &[u32::MAX]));
    }

    #[test]
    fn what_others_may_write_does_not_count_and_hides_nothing() {
        let (_kept, above) = temporary();
        let below = above.join("below");
        fs::create_dir(&below).expect("a directory");
        let upper = write(&above, "upper");
        let path = write(&below, "theirs");
        for mode in [0o664, 0o646, 0o666] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its mode");
            let found = find(&below, &me());
            assert_eq!(found.file.as_ref().map(|(path, _)| path), Some(&upper), "{mode:o}");
            let reasons = reasons(&found);
            assert_eq!(reasons.len(), 1, "{reasons:?}");
            assert!(reasons[0].contains(&format!("{mode:04o}")), "{reasons:?}");
        }
    }

    #[test]
    fn a_stranger_s_file_does_not_count() {
        let (_kept, directory) = temporary();
        write(&directory, "theirs");
        let found = find(&directory, &[u32::MAX]);
        assert!(found.file.is_none());
        let reasons = reasons(&found);
        assert!(reasons[0].starts_with("it belongs to user "), "{reasons:?}");
        let shown = found.ignored[0].to_string();
        assert!(shown.contains("/tracer.toml is ignored: "), "{shown}");
    }

    #[test]
    fn what_is_no_regular_file_does_not_count() {
        let (_kept, above) = temporary();
        let (link, pipe, nested) = (above.join("link"), above.join("pipe"), above.join("nested"));
        for directory in [&link, &pipe, &nested] {
            fs::create_dir(directory).expect("a directory");
        }
        let target = write(&above, "target");
        symlink(&target, link.join(FILE_NAME)).expect("a link");
        let mode = Mode::from_raw_mode(0o600);
        let name = pipe.join(FILE_NAME);
        rustix::fs::mknodat(rustix::fs::CWD, &name, FileType::Fifo, mode, 0).expect("a pipe");
        fs::create_dir(nested.join(FILE_NAME)).expect("a directory");
        let kinds = [(&link, "symbolic link"), (&pipe, "named pipe"), (&nested, "directory")];
        for (directory, kind) in kinds {
            let found = find(directory, &me());
            assert_eq!(found.file.as_ref().map(|(path, _)| path), Some(&target), "{kind}");
            let reasons = reasons(&found);
            assert!(reasons[0].contains(kind), "{reasons:?}");
        }
    }

    #[test]
    fn root_and_the_one_who_runs_tracer_are_trusted() {
        let trusted = trusted();
        assert!(trusted.contains(&0) && trusted.contains(&me()[0]));
    }
}
