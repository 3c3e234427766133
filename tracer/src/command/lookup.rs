//! The program of a command that was typed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Access, access},
    io::Errno,
};

use super::environment::search_path;
use crate::text::escape_path;

/// Why a command cannot be run.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookUpError {
    /// There is no such file.
    #[error("command {}: {}{hint}", escape_path(command), Errno::NOENT)]
    NotFound {
        /// As it was typed.
        command: PathBuf,
        /// What may help.
        hint: &'static str,
    },
    /// The file is not for this user to execute.
    #[error("command {}: {error}", escape_path(command))]
    NotExecutable {
        /// As it was typed.
        command: PathBuf,
        /// What the kernel says.
        error: Errno,
    },
}

/// The program's path: as typed when it holds a slash, else the first that can be executed in the
/// search path.
pub(super) fn look_up(name: &Path) -> Result<PathBuf, LookUpError> {
    let executable = |path: &PathBuf| path.is_file() && access(path, Access::EXEC_OK).is_ok();
    let command = name.to_owned();
    if name.components().count() > 1 || name.is_absolute() {
        return match fs::metadata(name) {
            Ok(_) if executable(&command) => Ok(command),
            Ok(_) => Err(LookUpError::NotExecutable { command, error: Errno::ACCESS }),
            Err(error) => match Errno::from_io_error(&error) {
                None | Some(Errno::NOENT | Errno::NOTDIR) => {
                    Err(LookUpError::NotFound { command, hint: "" })
                }
                Some(error) => Err(LookUpError::NotExecutable { command, error }),
            },
        };
    }
    let mut candidates = search_path().into_iter().map(|directory| directory.join(name));
    candidates.find(executable).ok_or(LookUpError::NotFound {
        command,
        hint: "\n\nhint: tracer looks it up in PATH, which sudo may have changed: give the full path",
    })
}
