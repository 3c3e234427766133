//! The files that people name: read up to a size, with errors that say what is wrong with them.

use std::{
    fs::{File, Metadata},
    io::{self, IsTerminal, Read},
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
};

use crate::{
    profile::oci,
    recording::json,
    text::{Escaped, escape, escape_path},
    workbench::decisions,
};

/// What a file should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExpectedFile {
    /// A profile.
    Profile,
    /// A recording.
    Recording,
    /// Either of them, or a file of another tool.
    Either,
    /// Text of any kind.
    Log,
    /// Decisions about syscalls.
    Decisions,
}

impl ExpectedFile {
    fn name(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Recording => "recording",
            Self::Either => "profile or recording",
            Self::Log => "text",
            Self::Decisions => "file of decisions",
        }
    }

    /// Where such files are in a directory.
    fn within(self) -> &'static str {
        match self {
            Self::Profile => "name the profile in it: ",
            Self::Recording => "name the recordings in it: ",
            Self::Either | Self::Log | Self::Decisions => "name a file in it: ",
        }
    }

    fn ending(self) -> &'static str {
        match self {
            Self::Profile | Self::Either => "/NAME.json",
            Self::Recording => "/*.recording.json",
            Self::Log => "/NAME",
            Self::Decisions => "/tracer.toml",
        }
    }

    /// The most bytes that are read.
    fn limit(self) -> usize {
        match self {
            Self::Profile => oci::MAX_BYTES,
            Self::Recording | Self::Either | Self::Log => json::MAX_BYTES,
            Self::Decisions => decisions::MAX_BYTES,
        }
    }

    /// What to do about a larger file.
    fn smaller(self) -> &'static str {
        match self {
            Self::Profile => "name the profile itself",
            Self::Decisions => "name the file of decisions itself, tracer.toml",
            Self::Recording | Self::Either => {
                "name the profile or the recording itself: tracer writes NAME.json and NAME.recording.json"
            }
            Self::Log => {
                "select the lines: grep -E 'type=(1326|SECCOMP)|suppressed|audit:' FILE | tracer decode"
            }
        }
    }
}

/// What a file is called in messages.
pub(super) fn name(path: &Path) -> Escaped {
    if path == Path::new("-") { escape("standard input") } else { escape_path(path) }
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum InputError {
    #[error(
        "{0} is a directory, not a {what}\n\nhint: {within}{0}{ending}",
        name(.path),
        what = .kind.name(),
        within = .kind.within(),
        ending = .kind.ending()
    )]
    Directory { kind: ExpectedFile, path: PathBuf },
    #[error(
        "{} is a device, not a {}\n\nhint: name a file, or pipe the text and name -",
        name(.path),
        .kind.name()
    )]
    Device { kind: ExpectedFile, path: PathBuf },
    #[error(
        "{} has more than {} bytes, {}\n\nhint: {}",
        name(.path),
        .kind.limit(),
        if *.kind == ExpectedFile::Profile { "which no profile has" } else { "and tracer reads no more" },
        .kind.smaller()
    )]
    TooLarge { kind: ExpectedFile, path: PathBuf },
    #[error(
        "the {} {} cannot be read: {problem}\n\nhint: {}",
        .kind.name(),
        name(.path),
        remedy(*.kind, problem)
    )]
    Unreadable { kind: ExpectedFile, path: PathBuf, problem: io::Error },
}

fn remedy(kind: ExpectedFile, problem: &io::Error) -> &'static str {
    match (problem.kind(), kind) {
        (io::ErrorKind::PermissionDenied, _) => "use sudo, or make it readable",
        (_, ExpectedFile::Profile | ExpectedFile::Either) => {
            "tracer writes profiles as NAME.json, by default profile.json"
        }
        (_, ExpectedFile::Log) => {
            "`-`, or no name at all, reads standard input: dmesg | tracer decode"
        }
        (_, ExpectedFile::Decisions) => {
            "`tracer review` writes decisions to tracer.toml, beside a profile"
        }
        (_, ExpectedFile::Recording) => {
            "tracer writes recordings as NAME.recording.json, beside NAME.json"
        }
    }
}

/// Reads a file, or standard input for `-`. A pipe is as good as one.
///
/// # Errors
/// It cannot be read, is a directory or a device, or is larger than any file of its kind.
pub(super) fn read(kind: ExpectedFile, path: &Path) -> Result<Vec<u8>, InputError> {
    let here = || path.to_owned();
    let failed = |problem: io::Error| match problem.kind() {
        io::ErrorKind::IsADirectory => InputError::Directory { kind, path: here() },
        _ => InputError::Unreadable { kind, path: here(), problem },
    };
    let input: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        // A device may never end. A terminal does, and takes what is pasted.
        if is_device(&metadata) && !file.is_terminal() {
            return Err(InputError::Device { kind, path: here() });
        }
        if metadata.is_file() && metadata.len() > kind.limit() as u64 {
            return Err(InputError::TooLarge { kind, path: here() });
        }
        Box::new(file)
    };
    let mut bytes = Vec::new();
    input.take(kind.limit() as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > kind.limit() {
        return Err(InputError::TooLarge { kind, path: here() });
    }
    Ok(bytes)
}

fn is_device(metadata: &Metadata) -> bool {
    let file_type = metadata.file_type();
    file_type.is_char_device() || file_type.is_block_device()
}
