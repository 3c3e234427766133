//! How the program ends.

use std::{os::unix::process::ExitStatusExt, process::ExitStatus};

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Written and complete.
    Complete,
    /// Failed, no profile was written.
    Failed,
    /// Used wrongly.
    Usage,
    /// Written, but incomplete.
    Incomplete,
    /// `verify`: calls were denied.
    Denied,
    /// `lint`: something is wrong with a profile.
    Findings,
    /// `diff`: it found the difference that the user asked to be an exit code.
    Different,
    /// The traced command failed: its own status.
    CommandFailed(u8),
    /// `enforce`: the profile could not be loaded.
    NotEnforced,
    /// `enforce`: the command could not be executed.
    NotExecutable,
    /// `enforce`: the command was not found.
    NotFound,
}

impl Exit {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Complete => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Incomplete => 3,
            Self::Denied | Self::Findings => 4,
            Self::Different => 5,
            Self::CommandFailed(code) => code,
            Self::NotEnforced => 125,
            Self::NotExecutable => 126,
            Self::NotFound => 127,
        }
    }

    /// How the program ends when the traced command failed, as shells do: with its status, or with
    /// 128 and the signal's number.
    pub(super) fn of_failure(status: ExitStatus) -> Self {
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
        Self::CommandFailed(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
    }
}
