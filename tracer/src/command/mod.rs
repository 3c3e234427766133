//! One file for each thing tracer does: short functions that call the modules below.

mod account;
mod arguments;
mod capabilities;
pub mod check;
mod cluster;
mod denied;
mod derivation;
mod doubt;
mod earlier;
pub mod enforce;
mod events;
mod excluded;
mod filtered;
mod findings;
mod input;
mod judging;
pub mod keep;
mod late;
mod list;
mod lookup;
mod meaning;
mod outputs;
mod privileges;
pub mod profile;
mod profile_file;
pub mod record;
mod refused;
mod request;
mod rescue;
mod sockets;
mod subject;
mod summary;
mod told;
pub mod verify;

use std::{env, os::unix::process::ExitStatusExt, path::PathBuf, process::ExitStatus};

use anyhow::Result;

use crate::{
    cli::{Action, Cli},
    output::Owner,
};

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
            Self::Denied => 4,
            Self::CommandFailed(code) => code,
            Self::NotEnforced => 125,
            Self::NotExecutable => 126,
            Self::NotFound => 127,
        }
    }
}

impl Exit {
    /// What a command that failed ends the program with, as shells tell it: its status, or 128 and the signal's number.
    fn of_failure(status: ExitStatus) -> Self {
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
        Self::CommandFailed(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
    }
}

/// Something was typed that cannot be meant: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

fn usage(message: &impl ToString) -> anyhow::Error {
    UsageError(message.to_string()).into()
}

/// Does what was typed.
///
/// # Errors
/// Whatever stopped it; [`UsageError`] somewhere in the chain when it was the typing.
pub fn run(cli: &Cli) -> Result<Exit> {
    match &cli.action {
        None => record::run(&cli.record),
        Some(Action::Check(options)) => check::run(options),
        Some(Action::List(options)) => list::run(options),
        Some(Action::Enforce(options)) => Ok(enforce::run(options)),
        Some(Action::Verify(options)) => verify::run(options),
        Some(Action::Profile(options)) => profile::run(options),
        Some(Action::Keep) => keep::run(),
    }
}

/// The person behind `sudo`, to whom files in their own folders shall belong.
fn owner() -> Option<Owner> {
    let number = |name| env::var(name).ok()?.parse().ok();
    Some(Owner { user: number("SUDO_UID")?, group: number("SUDO_GID")? })
}

/// The folders that commands are looked up in.
fn search_path() -> Vec<PathBuf> {
    env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default()
}
