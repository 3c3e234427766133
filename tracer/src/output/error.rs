//! Why files could not be written.

use std::io;
use std::path::PathBuf;

use rustix::fs::FileType;
use thiserror::Error;

use crate::text::{Escaped, escape_path};

/// Files could not be written, or would not be.
#[derive(Debug, Error)]
pub enum OutputError {
    /// The name does not end in `.json`.
    #[error(
        "the output {} does not end in .json\n\nhint: the names of the other files are made from it: name it like profile.json",
        escape_path(.path)
    )]
    NotAJsonName {
        /// As typed.
        path: PathBuf,
    },
    /// The path does not end in a file's name.
    #[error("the output {} does not name a file", escape_path(.path))]
    NotAName {
        /// As typed.
        path: PathBuf,
    },
    /// The names made from it would be too long.
    #[error("the name of the output {} is too long by {excess} bytes", escape_path(.path))]
    NameTooLong {
        /// As typed.
        path: PathBuf,
        /// By how much.
        excess: usize,
    },
    /// The directory does not exist.
    #[error("there is no directory {0}\n\nhint: create it: mkdir -p {0}", escape_path(.path))]
    NoDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// The directory is something else.
    #[error("{} is not a directory", escape_path(.path))]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// The kubelet's root directory does not exist.
    #[error(
        "there is no directory {}, where the kubelet would look for profiles\n\nhint: run tracer on a node of the cluster, or name the kubelet's --root-dir with --kubelet-root",
        escape_path(.path)
    )]
    NoKubelet {
        /// The directory.
        path: PathBuf,
    },
    /// A symbolic link is where a directory should be, and is not followed.
    #[error("{} is a symbolic link, which is never followed\n\nhint: choose another name, or remove it", escape_path(.path))]
    Link {
        /// The path.
        path: PathBuf,
    },
    /// Something that is not a regular file has the name already.
    #[error("{} is {found}, which is never replaced\n\nhint: choose another name, or remove it", escape_path(.path))]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it is.
        found: FileTypeFound,
    },
    /// The file system is mounted read-only.
    #[error("the directory {} is on a read-only file system\n\nhint: choose another directory with {option}", escape_path(.directory))]
    ReadOnly {
        /// The directory.
        directory: PathBuf,
        /// The option that names it.
        option: &'static str,
    },
    /// This user may not write there.
    #[error("no permission to write in the directory {}\n\nhint: use sudo, or choose another directory with {option}", escape_path(.directory))]
    Denied {
        /// The directory.
        directory: PathBuf,
        /// The option that names it.
        option: &'static str,
    },
    /// No space, or the quota is used up.
    #[error("no space left for files in the directory {}\n\nhint: the older files are untouched; free some space, or choose another directory with {option}", escape_path(.directory))]
    Full {
        /// The directory.
        directory: PathBuf,
        /// The option that names it.
        option: &'static str,
    },
    /// The name is that of a recording.
    #[error(
        "the output {} has the name of a recording: a profile there would take the place of evidence\n\nhint: name the profile, for example {}",
        escape_path(.path), escape_path(.instead)
    )]
    IsARecording {
        /// As typed.
        path: PathBuf,
        /// What may be meant.
        instead: PathBuf,
    },
    /// An older file cannot be kept.
    #[error(
        "{} is not replaced: {kept} older files of that name are kept already, as {}.1 and so on\n\nhint: move them elsewhere, or remove those that you need no more",
        escape_path(.path), escape_path(.path)
    )]
    TooManyKept {
        /// The file.
        path: PathBuf,
        /// How many are kept.
        kept: u32,
    },
    /// Everything was written, and a file did not get its name.
    #[error("{} is as it was: {problem}\nreplaced before: {}", escape_path(.file), list(.replaced))]
    NotReplaced {
        /// The file; those after it are as they were, too.
        file: PathBuf,
        /// Those that have been replaced.
        replaced: Vec<PathBuf>,
        /// Why.
        problem: Box<OutputError>,
    },
    /// The files were replaced, and may not last.
    #[error("{problem}\nreplaced all the same, but perhaps lost if the machine goes down now: {}", list(.replaced))]
    NotSynced {
        /// The files.
        replaced: Vec<PathBuf>,
        /// Why.
        problem: Box<OutputError>,
    },
    /// Something else.
    #[error("cannot {step} in the directory {}", escape_path(.directory))]
    Io {
        /// What was being done.
        step: OutputStep,
        /// The directory.
        directory: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

/// At most so many files are named.
const NAMED: usize = 10;

fn list(paths: &[PathBuf]) -> String {
    let named: Vec<Escaped> = paths.iter().take(NAMED).map(|path| escape_path(path)).collect();
    match paths.len() {
        0 => "none".to_owned(),
        count if count > NAMED => format!("{} and {} more", named.join(", "), count - NAMED),
        _ => named.join(", "),
    }
}

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputStep {
    /// Opening the directory.
    Open,
    /// Looking at what is there.
    Examine,
    /// Reading what is there.
    Read,
    /// Creating a file.
    Create,
    /// Writing its content.
    Write,
    /// Setting its owner and mode.
    Chown,
    /// Making it last.
    Sync,
    /// Giving it its name.
    Rename,
    /// Removing a file.
    Remove,
    /// Keeping what is replaced under another name.
    Keep,
}

impl std::fmt::Display for OutputStep {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Open => "open files",
            Self::Examine => "look at files",
            Self::Read => "read a file",
            Self::Create => "create a file",
            Self::Write => "write a file",
            Self::Chown => "set owner and mode of a file",
            Self::Sync => "sync files",
            Self::Rename => "rename a file",
            Self::Remove => "remove a file",
            Self::Keep => "keep an older file",
        })
    }
}

/// What has the name of an output file, though it is no regular file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileTypeFound(pub FileType);

impl std::fmt::Display for FileTypeFound {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self.0 {
            FileType::RegularFile => "a regular file",
            FileType::Directory => "a directory",
            FileType::Symlink => "a symbolic link",
            FileType::Fifo => "a named pipe",
            FileType::Socket => "a socket",
            FileType::CharacterDevice | FileType::BlockDevice => "a device",
            _ => "of an unknown kind",
        })
    }
}
