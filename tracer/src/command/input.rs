//! The files that people name: read up to a size, and told what they are when they cannot be.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use crate::text::escape_path;

/// What a file should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A profile.
    Profile,
    /// A recording.
    Recording,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Recording => "recording",
        }
    }

    /// Where such files are in a folder.
    fn within(self) -> &'static str {
        match self {
            Self::Profile => "name the profile in it: ",
            Self::Recording => "name the recordings in it: ",
        }
    }

    fn ending(self) -> &'static str {
        match self {
            Self::Profile => "/NAME.json",
            Self::Recording => "/*.recording.json",
        }
    }
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum InputError {
    #[error(
        "{0} is a folder, not a {name}\n\nhint: {within}{0}{ending}",
        escape_path(.path),
        name = .kind.name(),
        within = .kind.within(),
        ending = .kind.ending()
    )]
    Folder { kind: Kind, path: PathBuf },
    #[error(
        "the {} {} cannot be read: {problem}\n\nhint: {}",
        .kind.name(),
        escape_path(.path),
        remedy(*.kind, problem)
    )]
    Unreadable { kind: Kind, path: PathBuf, problem: io::Error },
}

fn remedy(kind: Kind, problem: &io::Error) -> &'static str {
    match (problem.kind(), kind) {
        (io::ErrorKind::PermissionDenied, _) => "use sudo, or make it readable",
        (_, Kind::Profile) => {
            "tracer writes profiles as NAME.json; profile.json unless told otherwise"
        }
        (_, Kind::Recording) => "tracer writes recordings as NAME.recording.json, beside NAME.json",
    }
}

/// Reads a file, or standard input for `-`. A pipe is as good as one. What is larger than `limit` bytes is cut to one byte more than that, which is
/// enough to refuse it.
pub(super) fn read(kind: Kind, path: &Path, limit: usize) -> Result<Vec<u8>, InputError> {
    read_bytes(path, limit).map_err(|problem| match problem.kind() {
        io::ErrorKind::IsADirectory => InputError::Folder { kind, path: path.to_owned() },
        _ => InputError::Unreadable { kind, path: path.to_owned(), problem },
    })
}

fn read_bytes(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let input: Box<dyn Read> = match path == Path::new("-") {
        true => Box::new(io::stdin()),
        false => Box::new(File::open(path)?),
    };
    input.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
