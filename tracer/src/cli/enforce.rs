//! What was typed for `enforce`.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use clap::Args;

use super::new_privileges::NewPrivileges;

/// How `enforce` ends.
pub(super) const AFTER_ENFORCE: &str = "\
Exit status: the command's own, or
  127  the command was not found
  126  the command cannot be executed
  125  the profile cannot be used
  2    usage
With --check: 0 when the profile can be used.";

/// Options of `enforce`.
#[derive(Debug, Args)]
pub struct Enforce {
    /// The profile, as a container runtime reads it
    #[arg(value_name = "PROFILE", required_unless_present = "named")]
    positional: Option<PathBuf>,
    /// The profile, like PROFILE
    #[arg(id = "named", long = "profile", value_name = "FILE", conflicts_with = "positional")]
    named: Option<PathBuf>,
    /// Read and judge the profile, print its meaning on this host, and run nothing
    #[arg(long)]
    pub check: bool,
    /// Capabilities that decide the profile's conditions: docker (those of its containers), none,
    /// current (tracer's own bounding set: the default), or names with commas. COMMAND keeps its
    /// capabilities
    #[arg(long, value_name = "CAPS")]
    pub caps: Option<String>,
    /// Whether it may gain privileges.
    #[command(flatten)]
    pub privileges: NewPrivileges,
    /// The command to run
    #[arg(last = true, required_unless_present = "check", value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

impl Enforce {
    /// The profile, however it was given.
    pub fn profile(&self) -> &Path {
        self.positional.as_deref().or(self.named.as_deref()).unwrap_or(Path::new(""))
    }
}
