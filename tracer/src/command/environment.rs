//! What the environment of the process says.

use std::{env, path::PathBuf};

use crate::output::Owner;

/// The person behind `sudo`: files in their own directories shall belong to them.
pub(super) fn owner() -> Option<Owner> {
    let number = |name| env::var(name).ok()?.parse().ok();
    Some(Owner { user: number("SUDO_UID")?, group: number("SUDO_GID")? })
}

/// The directories in which commands are looked up.
pub(super) fn search_path() -> Vec<PathBuf> {
    env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default()
}
